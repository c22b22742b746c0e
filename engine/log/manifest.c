#include "log/manifest.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "log/format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The manifest is text so that an operator can read it, but nobody is meant to edit it: the decoder
 * takes exactly what the encoder writes. Words are taken literally and a number has one spelling,
 * so there is no second text of the same content. */

static const char TITLE[] = "holdfast data directory\n";

enum {
    CHECKSUM_LINE_BYTES = sizeof "checksum 0123456789abcdef\n" - 1,
    SEGMENT_DIGIT_COUNT = 12,
    SNAPSHOT_DIGIT_COUNT = 20,
};

/* The longest text: each number is as long as it can be, and a sizeof counts one byte too many. */
_Static_assert(sizeof TITLE + sizeof "format 4294967295\nserver \n" + 32 +
                       LOG_MANIFEST_ERA_COUNT_MAX * sizeof "era 18446744073709551615 cores 64\n" +
                       LOG_MANIFEST_ERA_COUNT_MAX * LOG_CORE_COUNT_MAX *
                           sizeof "end 63 lsn 18446744073709551615 chain 0123456789abcdef\n" +
                       CHECKSUM_LINE_BYTES <
                   LOG_MANIFEST_BYTES_MAX,
               "the largest manifest has room");

/* ---- writing ---- */

struct text {
    char *to;
    size_t bytes;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format,
                                                           ...)
{
    const size_t room = LOG_MANIFEST_BYTES_MAX - text->bytes;
    va_list arguments;
    va_start(arguments, format);
    const int written = vsnprintf(text->to + text->bytes, room, format, arguments);
    va_end(arguments);
    hf_assert(written >= 0 && (size_t)written < room);
    text->bytes += (size_t)written;
}

static void add_ends(struct text *text, const struct log_manifest_era *era)
{
    for (uint32_t core = 0; core < era->core_count; core++) {
        hf_assert(era->ends[core].next_lsn > 0);
        text_add(text, "end %" PRIu32 " lsn %" PRIu64 " chain %016" PRIx64 "\n", core,
                 era->ends[core].next_lsn, era->ends[core].chain);
    }
}

size_t log_manifest_encode(const struct log_manifest *manifest, char *to)
{
    hf_assert(manifest->era_count <= LOG_MANIFEST_ERA_COUNT_MAX);
    struct text text = {.to = to};
    text_add(&text, "%sformat %" PRIu32 "\nserver %016" PRIx64 "%016" PRIx64 "\n", TITLE,
             manifest->version, manifest->server_id.high, manifest->server_id.low);
    for (uint32_t i = 0; i < manifest->era_count; i++) {
        const struct log_manifest_era *era = &manifest->eras[i];
        text_add(&text, "era %" PRIu64 " cores %" PRIu32 "\n", era->number, era->core_count);
        if (i + 1 < manifest->era_count)
            add_ends(&text, era);
    }
    text_add(&text, "checksum %016" PRIx64 "\n", checksum64(to, text.bytes, 0));
    return text.bytes;
}

/* ---- reading ---- */

struct cursor {
    const char *at;
    const char *end;
};

static bool take_text(struct cursor *cursor, const char *expected)
{
    const size_t bytes = strlen(expected);
    if ((size_t)(cursor->end - cursor->at) < bytes || memcmp(cursor->at, expected, bytes) != 0)
        return false;
    cursor->at += bytes;
    return true;
}

static bool take_decimal(struct cursor *cursor, uint64_t max, uint64_t *value_out)
{
    const char *start = cursor->at;
    uint64_t value = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        const uint64_t digit = (uint64_t)(*cursor->at - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *value_out = value;
    return cursor->at > start;
}

static bool take_hex16(struct cursor *cursor, uint64_t *value_out)
{
    if (cursor->end - cursor->at < 16)
        return false;
    uint64_t value = 0;
    for (int i = 0; i < 16; i++) {
        static const char DIGITS[] = "0123456789abcdef";
        const char *digit = memchr(DIGITS, *cursor->at++, 16);
        if (digit == NULL)
            return false;
        value = value << 4 | (uint64_t)(digit - DIGITS);
    }
    *value_out = value;
    return true;
}

/* A decimal without leading zeros. */
static bool take_number(struct cursor *cursor, uint64_t max, uint64_t *value_out)
{
    const char *start = cursor->at;
    return take_decimal(cursor, max, value_out) && (*start != '0' || cursor->at == start + 1);
}

static bool take_era(struct cursor *cursor, struct log_manifest *manifest)
{
    uint64_t number, core_count;
    if (manifest->era_count == LOG_MANIFEST_ERA_COUNT_MAX)
        return false;
    if (!take_text(cursor, "era ") || !take_number(cursor, UINT64_MAX, &number) ||
        !take_text(cursor, " cores ") || !take_number(cursor, LOG_CORE_COUNT_MAX, &core_count) ||
        !take_text(cursor, "\n"))
        return false;
    const uint64_t previous =
        manifest->era_count == 0 ? 0 : manifest->eras[manifest->era_count - 1].number;
    if (number <= previous || core_count == 0)
        return false;
    manifest->eras[manifest->era_count].number = number;
    manifest->eras[manifest->era_count].core_count = (uint32_t)core_count;
    manifest->era_count++;
    return true;
}

static bool take_end(struct cursor *cursor, uint32_t core, struct log_closed_end *end_out)
{
    uint64_t number;
    return take_text(cursor, "end ") && take_number(cursor, LOG_CORE_COUNT_MAX, &number) &&
           number == core && take_text(cursor, " lsn ") &&
           take_number(cursor, UINT64_MAX, &end_out->next_lsn) && end_out->next_lsn > 0 &&
           take_text(cursor, " chain ") && take_hex16(cursor, &end_out->chain) &&
           take_text(cursor, "\n");
}

static bool take_ends(struct cursor *cursor, struct log_manifest_era *era)
{
    for (uint32_t core = 0; core < era->core_count; core++)
        if (!take_end(cursor, core, &era->ends[core]))
            return false;
    return true;
}

/* The lines between the version and the checksum. */
static bool take_body(struct cursor *cursor, struct log_manifest *manifest)
{
    if (!take_text(cursor, "server ") || !take_hex16(cursor, &manifest->server_id.high) ||
        !take_hex16(cursor, &manifest->server_id.low) || !take_text(cursor, "\n"))
        return false;
    while (take_era(cursor, manifest)) {
        if (cursor->at == cursor->end)
            return true; /* the newest one, which has no end */
        if (!take_ends(cursor, &manifest->eras[manifest->era_count - 1]))
            return false;
    }
    return false;
}

static const char *check_checksum_line(const char *from, size_t body_bytes)
{
    struct cursor cursor = {.at = from + body_bytes,
                            .end = from + body_bytes + CHECKSUM_LINE_BYTES};
    uint64_t checksum;
    if (!take_text(&cursor, "checksum ") || !take_hex16(&cursor, &checksum) ||
        !take_text(&cursor, "\n"))
        return "its last line is no checksum: it was cut or changed";
    if (checksum != checksum64(from, body_bytes, 0))
        return "its checksum is wrong: it was changed";
    return NULL;
}

const char *log_manifest_decode(const char *from, size_t from_bytes,
                                struct log_manifest *manifest_out)
{
    memset(manifest_out, 0, sizeof *manifest_out);
    if (from_bytes >= LOG_MANIFEST_BYTES_MAX)
        return "it is too long";
    struct cursor cursor = {.at = from, .end = from + from_bytes};
    if (!take_text(&cursor, TITLE))
        return "its first line is not \"holdfast data directory\"";
    if (from_bytes < sizeof TITLE - 1 + CHECKSUM_LINE_BYTES)
        return "it was cut";
    const size_t body_bytes = from_bytes - CHECKSUM_LINE_BYTES;
    const char *wrong = check_checksum_line(from, body_bytes);
    if (wrong != NULL)
        return wrong;

    cursor.end = from + body_bytes;
    uint64_t version;
    if (!take_text(&cursor, "format ") || !take_number(&cursor, UINT32_MAX, &version) ||
        !take_text(&cursor, "\n"))
        return "its second line names no format";
    manifest_out->version = (uint32_t)version;
    if (version != LOG_FORMAT_VERSION)
        return "it is of another version of the format";
    if (!take_body(&cursor, manifest_out))
        return "a line in it is not as the server writes it";
    return NULL;
}

/* ---- names ---- */

void log_core_directory_name(uint64_t era, uint32_t core, char *to)
{
    const int written =
        snprintf(to, LOG_NAME_BYTES_MAX, "era-%06" PRIu64 "/core-%03" PRIu32, era, core);
    hf_assert(written > 0 && written < LOG_NAME_BYTES_MAX);
}

uint64_t log_era_directory_number(const char *name)
{
    char expected[LOG_NAME_BYTES_MAX];
    uint64_t number;
    struct cursor cursor = {.at = name, .end = name + strlen(name)};
    if (!take_text(&cursor, "era-") || !take_decimal(&cursor, UINT64_MAX, &number) || number == 0)
        return 0;
    log_core_directory_name(number, 0, expected);
    *strchr(expected, '/') = '\0';
    return strcmp(name, expected) == 0 ? number : 0; /* with neither more nor fewer zeros */
}

void log_segment_file_name(uint64_t segment_number, char *to)
{
    hf_assert(segment_number >= 1 && segment_number <= LOG_SEGMENT_NUMBER_MAX);
    const int written =
        snprintf(to, LOG_NAME_BYTES_MAX, "%0*" PRIu64 ".log", SEGMENT_DIGIT_COUNT, segment_number);
    hf_assert(written > 0 && written < LOG_NAME_BYTES_MAX);
}

uint64_t log_segment_file_number(const char *name)
{
    uint64_t number;
    struct cursor cursor = {.at = name, .end = name + strlen(name)};
    if (!take_decimal(&cursor, LOG_SEGMENT_NUMBER_MAX, &number))
        return 0;
    if (cursor.at - name != SEGMENT_DIGIT_COUNT || strcmp(cursor.at, ".log") != 0)
        return 0;
    return number;
}

void log_snapshot_file_name(uint64_t lsn, char *to)
{
    const int written =
        snprintf(to, LOG_NAME_BYTES_MAX, "snapshot-%0*" PRIu64, SNAPSHOT_DIGIT_COUNT, lsn);
    hf_assert(written > 0 && written < LOG_NAME_BYTES_MAX);
}

bool log_snapshot_file_lsn(const char *name, uint64_t *lsn_out)
{
    struct cursor cursor = {.at = name, .end = name + strlen(name)};
    if (!take_text(&cursor, "snapshot-"))
        return false;
    const char *digits = cursor.at;
    return take_decimal(&cursor, UINT64_MAX, lsn_out) &&
           cursor.at - digits == SNAPSHOT_DIGIT_COUNT && cursor.at == cursor.end;
}
