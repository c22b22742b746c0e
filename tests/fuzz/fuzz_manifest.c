/* MANIFEST, and the names of logs.
 *
 *      0  bits 0, 1: what the rest is
 *           0  the file
 *           1  the file without its last line, which is added with the right checksum
 *           2  a manifest that is made of the bytes, an era and its ends of each few
 *           3  a file's name
 *
 * Promises:
 *   - What is decoded without complaint is encoded to the same bytes, and what is encoded is
 *     decoded to the same manifest: there is one spelling.
 *   - The version is told when it is the version that is wrong, and 0 when the text is damaged.
 *   - One bit more or less is found.
 *   - A name gives a number only if the number gives the name. */

#include "fuzz.h"

#include "base/checksum.h"
#include "log/format.h"
#include "log/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FORM_FILE, FORM_UNSIGNED, FORM_MADE, FORM_NAME, FORM_COUNT };

static bool era_equals(const struct log_manifest_era *a, const struct log_manifest_era *b,
                       bool is_closed)
{
    if (a->number != b->number || a->core_count != b->core_count)
        return false;
    for (uint32_t core = 0; core < a->core_count && is_closed; core++)
        if (a->ends[core].next_lsn != b->ends[core].next_lsn ||
            a->ends[core].chain != b->ends[core].chain)
            return false;
    return true;
}

static bool manifest_equals(const struct log_manifest *a, const struct log_manifest *b)
{
    if (a->version != b->version || !id128_equal(a->server_id, b->server_id) ||
        a->era_count != b->era_count)
        return false;
    for (uint32_t i = 0; i < a->era_count; i++)
        if (!era_equals(&a->eras[i], &b->eras[i], i + 1 < a->era_count))
            return false;
    return true;
}

static void check_valid(const struct log_manifest *manifest)
{
    hf_assert(manifest->version == LOG_FORMAT_VERSION);
    hf_assert(manifest->era_count >= 1 && manifest->era_count <= LOG_MANIFEST_ERA_COUNT_MAX);
    for (uint32_t i = 0; i < manifest->era_count; i++) {
        hf_assert(manifest->eras[i].core_count >= 1);
        hf_assert(manifest->eras[i].core_count <= LOG_CORE_COUNT_MAX);
        hf_assert(manifest->eras[i].number > (i == 0 ? 0 : manifest->eras[i - 1].number));
    }
}

/* The text is good; with one bit turned around it is not. */
static void check_bit(const char *text, size_t bytes, uint64_t bit)
{
    static struct log_manifest manifest;
    char *copy = malloc(bytes);
    hf_assert(copy != NULL);
    memcpy(copy, text, bytes);
    bit %= bytes * 8;
    copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    hf_assert(log_manifest_decode(copy, bytes, &manifest) != NULL);
    free(copy);
}

/* Returns true when the text is a manifest. */
static bool check_text(const char *text, size_t bytes, uint64_t bit)
{
    static struct log_manifest manifest;
    static char encoded[LOG_MANIFEST_BYTES_MAX];
    const char *wrong = log_manifest_decode(text, bytes, &manifest);
    if (wrong != NULL) {
        hf_assert(wrong[0] != '\0');
        return false;
    }
    check_valid(&manifest);
    hf_assert(log_manifest_encode(&manifest, encoded) == bytes);
    hf_assert(memcmp(encoded, text, bytes) == 0);
    check_bit(text, bytes, bit);
    return true;
}

/* Memory of exactly the text's length. */
static void run_file(const uint8_t *from, size_t bytes)
{
    (void)check_text((const char *)from, bytes, bytes);
}

static void run_unsigned(const uint8_t *from, size_t bytes)
{
    char line[32];
    char *text = malloc(bytes + sizeof line);
    hf_assert(text != NULL);
    memcpy(text, from, bytes);
    int line_bytes =
        snprintf(line, sizeof line, "checksum %016" PRIx64 "\n", checksum64(from, bytes, 0));
    memcpy(text + bytes, line, (size_t)line_bytes);
    (void)check_text(text, bytes + (size_t)line_bytes, bytes * 7);
    free(text);
}

static void make_ends(struct log_manifest_era *era, struct fuzz_tape *tape)
{
    uint64_t lsn = fuzz_take_number(tape);
    uint64_t chain = fuzz_take_number(tape);
    for (uint32_t core = 0; core < era->core_count; core++)
        era->ends[core] =
            (struct log_closed_end){.next_lsn = lsn > core ? lsn - core : 1, .chain = chain + core};
}

static void run_made(struct fuzz_tape *tape)
{
    static struct log_manifest made;
    static struct log_manifest manifest;
    static char text[LOG_MANIFEST_BYTES_MAX];
    uint64_t number = 0;
    uint64_t bit = fuzz_take_u16(tape);
    made = (struct log_manifest){.version = (uint32_t)fuzz_take_number(tape)};
    made.server_id.high = fuzz_take_number(tape);
    made.server_id.low = fuzz_take_number(tape);
    for (uint32_t i = 0; i < LOG_MANIFEST_ERA_COUNT_MAX && (i == 0 || fuzz_left(tape) > 0); i++) {
        uint64_t step = fuzz_take_number(tape) % (UINT64_MAX / LOG_MANIFEST_ERA_COUNT_MAX);
        number += 1 + step;
        made.eras[i].number = number;
        made.eras[i].core_count = 1 + fuzz_take_u8(tape) % LOG_CORE_COUNT_MAX;
        make_ends(&made.eras[i], tape);
        made.era_count++;
    }
    size_t bytes = log_manifest_encode(&made, text);
    const char *wrong = log_manifest_decode(text, bytes, &manifest);
    hf_assert(manifest.version == made.version);
    hf_assert((wrong == NULL) == (made.version == LOG_FORMAT_VERSION));
    if (wrong == NULL) {
        hf_assert(manifest_equals(&made, &manifest));
        hf_assert(check_text(text, bytes, bit));
    }
}

static void run_name(const uint8_t *from, size_t bytes)
{
    char again[LOG_NAME_BYTES_MAX];
    char *name = malloc(bytes + 1);
    hf_assert(name != NULL);
    memcpy(name, from, bytes);
    name[bytes] = '\0';
    uint64_t number = log_segment_file_number(name);
    if (number != 0) {
        log_segment_file_name(number, again);
        hf_assert(strcmp(name, again) == 0);
    }
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    switch (fuzz_take_u8(&tape) % FORM_COUNT) {
    case FORM_FILE:
        run_file(tape.at, fuzz_left(&tape));
        break;
    case FORM_UNSIGNED:
        run_unsigned(tape.at, fuzz_left(&tape));
        break;
    case FORM_MADE:
        run_made(&tape);
        break;
    default:
        run_name(tape.at, fuzz_left(&tape));
        break;
    }
    return 0;
}
