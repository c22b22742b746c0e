/* The manifest's text, exactly, and refused with any damage; and the names of files. */

#include "log/manifest.h"

#include "base/checksum.h"
#include "log/format.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct log_manifest manifest; /* 67 KiB: not on the stack */
static struct log_manifest decoded;
static char text[LOG_MANIFEST_BYTES_MAX];

static size_t encode_example(void)
{
    manifest = (struct log_manifest){
        .version = LOG_FORMAT_VERSION,
        .server_id = {.high = 0x0123456789abcdef, .low = 0xfedcba9876543210},
        .era_count = 2,
        .eras = {{.number = 1,
                  .core_count = 2,
                  .ends = {{.next_lsn = 1001, .chain = 0x0123456789abcdef}, {.next_lsn = 1}}},
                 {.number = 2, .core_count = 4}},
    };
    return log_manifest_encode(&manifest, text);
}

/* Replaces the checksum line of `body` by a right one. */
static const char *decode_body(const char *body)
{
    const int bytes = snprintf(text, sizeof text, "%schecksum %016" PRIx64 "\n", body,
                               checksum64(body, strlen(body), 0));
    return log_manifest_decode(text, (size_t)bytes, &decoded);
}

/* The checksum was confirmed with python3-xxhash. */
Test(manifest, has_golden_text)
{
    const size_t bytes = encode_example();
    text[bytes] = '\0';
    cr_assert_str_eq(text, "holdfast data directory\n"
                           "format 1\n"
                           "server 0123456789abcdeffedcba9876543210\n"
                           "era 1 cores 2\n"
                           "end 0 lsn 1001 chain 0123456789abcdef\n"
                           "end 1 lsn 1 chain 0000000000000000\n"
                           "era 2 cores 4\n"
                           "checksum b594d7185baa71c1\n");
}

Test(manifest, decodes_to_what_was_encoded)
{
    const size_t bytes = encode_example();
    cr_assert_null(log_manifest_decode(text, bytes, &decoded));
    cr_expect_eq(decoded.version, (uint32_t)LOG_FORMAT_VERSION);
    cr_expect(id128_equal(decoded.server_id, manifest.server_id));
    cr_assert_eq(decoded.era_count, 2);
    cr_expect_eq(decoded.eras[0].number, 1);
    cr_expect_eq(decoded.eras[0].core_count, 2);
    cr_expect_eq(decoded.eras[0].ends[0].next_lsn, 1001);
    cr_expect_eq(decoded.eras[0].ends[0].chain, 0x0123456789abcdef);
    cr_expect_eq(decoded.eras[0].ends[1].next_lsn, 1);
    cr_expect_eq(decoded.eras[0].ends[1].chain, 0);
    cr_expect_eq(decoded.eras[1].number, 2);
    cr_expect_eq(decoded.eras[1].core_count, 4);
    cr_expect_eq(decoded.eras[1].ends[0].next_lsn, 0, "the newest era has no end yet");
}

Test(manifest, needs_snapshots_when_its_first_era_is_not_era_1)
{
    encode_example();
    cr_expect_not(log_manifest_needs_snapshots(&manifest));
    manifest.eras[0].number = 2;
    manifest.eras[1].number = 3;
    cr_expect(log_manifest_needs_snapshots(&manifest));
}

Test(manifest, with_as_many_eras_as_allowed_goes_there_and_back)
{
    encode_example();
    manifest.era_count = LOG_MANIFEST_ERA_COUNT_MAX;
    for (uint32_t i = 0; i < manifest.era_count; i++) {
        manifest.eras[i].number = UINT64_MAX - LOG_MANIFEST_ERA_COUNT_MAX + 1 + i;
        manifest.eras[i].core_count = LOG_CORE_COUNT_MAX;
        for (uint32_t core = 0; core < LOG_CORE_COUNT_MAX; core++)
            manifest.eras[i].ends[core] = (struct log_closed_end){UINT64_MAX - core, i + core};
    }
    const size_t bytes = log_manifest_encode(&manifest, text);
    cr_assert_null(log_manifest_decode(text, bytes, &decoded));
    cr_assert_eq(decoded.era_count, manifest.era_count);
    for (uint32_t i = 0; i < manifest.era_count; i++) {
        cr_assert_eq(decoded.eras[i].number, manifest.eras[i].number);
        cr_assert_eq(decoded.eras[i].core_count, manifest.eras[i].core_count);
        for (uint32_t core = 0; core < LOG_CORE_COUNT_MAX && i + 1 < manifest.era_count; core++) {
            cr_assert_eq(decoded.eras[i].ends[core].next_lsn, UINT64_MAX - core);
            cr_assert_eq(decoded.eras[i].ends[core].chain, i + core);
        }
    }
}

Test(manifest, with_any_bit_flipped_is_refused_and_names_no_version)
{
    const size_t bytes = encode_example();
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        cr_assert_not_null(log_manifest_decode(text, bytes, &decoded), "bit %zu", bit);
        cr_assert_eq(decoded.version, 0, "bit %zu", bit);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
}

Test(manifest, cut_anywhere_or_with_a_byte_more_is_refused)
{
    const size_t bytes = encode_example();
    for (size_t cut = 0; cut < bytes; cut++)
        cr_assert_not_null(log_manifest_decode(text, cut, &decoded), "cut to %zu", cut);
    text[bytes] = '\n';
    cr_assert_not_null(log_manifest_decode(text, bytes + 1, &decoded));
}

Test(manifest, of_another_version_names_it_whatever_else_it_says)
{
    cr_assert_not_null(decode_body("holdfast data directory\nformat 2\nsomething new\n"));
    cr_assert_eq(decoded.version, 2);
}

#define CHAIN "0123456789abcdef"
#define START "holdfast data directory\nformat 1\nserver 0123456789abcdef0123456789abcdef\n"

Test(manifest, with_right_checksum_but_wrong_lines_is_refused)
{
    cr_expect_null(decode_body(START "era 1 cores 4\n"));
    cr_expect_not_null(decode_body(START));
    cr_expect_not_null(decode_body(START "era 0 cores 4\n"));
    cr_expect_not_null(decode_body(START "era 1 cores 0\n"));
    cr_expect_not_null(decode_body(START "era 1 cores 65\n"));
    cr_expect_not_null(decode_body(START "era 01 cores 4\n"));
    cr_expect_not_null(decode_body(START "era 1  cores 4\n"));
    cr_expect_not_null(decode_body(START "era 1 cores 4 \n"));
    cr_expect_null(
        decode_body(START "era 7 cores 1\nend 0 lsn 1 chain " CHAIN "\nera 8 cores 1\n"));
    cr_expect_not_null(
        decode_body(START "era 7 cores 1\nend 0 lsn 1 chain " CHAIN "\nera 7 cores 1\n"));
    cr_expect_not_null(
        decode_body(START "era 7 cores 1\nend 0 lsn 1 chain " CHAIN "\nera 6 cores 1\n"));
    cr_expect_not_null(decode_body(START "era 18446744073709551616 cores 1\n"));
    cr_expect_not_null(decode_body(START "era 1 cores 4\nera"));
    cr_expect_not_null(decode_body(START "era 1 cores 4\n\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nformat one\nera 1 cores 4\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nFormat 1\nera 1 cores 4\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nformat 1 \nera 1 cores 4\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nformat 1\nera 1 cores 4\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nformat 1\nserver 012345\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nformat 1\nserver 0123456789abcdef"
                                   "0123456789ABCDEF\nera 1 cores 4\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nformat 1\nserver 0123456789abcdef"
                                   "0123456789abcdef era 1 cores 4\n"));
    cr_expect_not_null(decode_body("holdfast data directory\nformat 1\nserver 0123456789ABCDEF"
                                   "0123456789abcdef\nera 1 cores 4\n"));
}

/* Each but the first is the same with one thing wrong. */
Test(manifest, with_other_ends_than_a_closed_era_has_cores_is_refused)
{
    static const char *const WRONG[] = {
        "",
        "end 0 lsn 5 chain " CHAIN "\n",
        "end 1 lsn 5 chain " CHAIN "\nend 0 lsn 5 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 0 lsn 5 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 2 lsn 5 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 5 chain " CHAIN "\nend 2 lsn 5 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 0 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 01 lsn 5 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 05 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 18446744073709551616 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 5 chain 123456789abcdef\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 5 chain 0123456789ABCDEF\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 5 chain " CHAIN " \n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 lsn 5\n",
        "end 0 lsn 5 chain " CHAIN "\nend 1 LSN 5 chain " CHAIN "\n",
        "end 0 lsn 5 chain " CHAIN "\nEnd 1 lsn 5 chain " CHAIN "\n",
    };
    char body[512];
    cr_expect_null(decode_body(START "era 1 cores 2\nend 0 lsn 5 chain " CHAIN
                                     "\nend 1 lsn 5 chain " CHAIN "\nera 2 cores 2\n"));
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        snprintf(body, sizeof body, START "era 1 cores 2\n%sera 2 cores 2\n", WRONG[i]);
        cr_expect_not_null(decode_body(body), "%s", WRONG[i]);
    }
    cr_expect_not_null(decode_body(START "era 1 cores 1\nend 0 lsn 5 chain " CHAIN "\n"),
                       "the newest era has no end");
}

Test(manifest, with_more_eras_than_allowed_is_refused)
{
    static char body[LOG_MANIFEST_BYTES_MAX / 2];
    size_t bytes = (size_t)snprintf(body, sizeof body, START);
    for (int era = 1; era < LOG_MANIFEST_ERA_COUNT_MAX; era++)
        bytes += (size_t)snprintf(body + bytes, sizeof body - bytes,
                                  "era %d cores 1\nend 0 lsn 1 chain " CHAIN "\n", era);
    snprintf(body + bytes, sizeof body - bytes, "era 1000 cores 1\n");
    cr_assert_null(decode_body(body));
    cr_assert_eq(decoded.era_count, LOG_MANIFEST_ERA_COUNT_MAX);
    snprintf(body + bytes, sizeof body - bytes,
             "era 1000 cores 1\nend 0 lsn 1 chain " CHAIN "\nera 1001 cores 1\n");
    cr_assert_not_null(decode_body(body));
}

Test(manifest, too_long_is_refused)
{
    memset(text, 'x', sizeof text);
    cr_assert_not_null(log_manifest_decode(text, sizeof text, &decoded));
}

Test(manifest, names_are_as_documented)
{
    char name[LOG_NAME_BYTES_MAX];
    log_core_directory_name(1, 0, name);
    cr_expect_str_eq(name, "era-000001/core-000");
    log_core_directory_name(UINT64_MAX, UINT32_MAX, name);
    cr_expect_str_eq(name, "era-18446744073709551615/core-4294967295");
    log_segment_file_name(42, name);
    cr_expect_str_eq(name, "000000000042.log");
}

Test(manifest, snapshots_are_named_by_their_lsn)
{
    char name[LOG_NAME_BYTES_MAX];
    uint64_t lsn = 77;
    log_snapshot_file_name(42, name);
    cr_expect_str_eq(name, "snapshot-00000000000000000042");
    cr_expect(log_snapshot_file_lsn(name, &lsn));
    cr_expect_eq(lsn, 42);
    log_snapshot_file_name(0, name);
    cr_expect(log_snapshot_file_lsn(name, &lsn));
    cr_expect_eq(lsn, 0);
    log_snapshot_file_name(UINT64_MAX, name);
    cr_expect_str_eq(name, "snapshot-18446744073709551615");
    cr_expect(log_snapshot_file_lsn(name, &lsn));
    cr_expect_eq(lsn, UINT64_MAX);
}

Test(manifest, only_a_snapshots_name_gives_its_lsn)
{
    static const char *const OTHERS[] = {
        "snapshot-18446744073709551616",
        "snapshot-99999999999999999999",
        "snapshot-0000000000000000042",
        "snapshot-000000000000000000042",
        "snapshot-00000000000000000042.",
        "snapshot-0000000000000000004x",
        "snapshot-",
        "Snapshot-00000000000000000042",
        "00000000000000000042",
        "000000000042.log",
        LOG_SNAPSHOT_NEW_NAME,
        LOG_SEGMENT_NEW_NAME,
        "",
    };
    uint64_t lsn;
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        cr_expect_not(log_snapshot_file_lsn(OTHERS[i], &lsn), "%s", OTHERS[i]);
    cr_expect_eq(log_segment_file_number(LOG_SEGMENT_NEW_NAME), 0);
}

Test(manifest, only_a_segments_name_gives_a_number)
{
    cr_expect_eq(log_segment_file_number("000000000042.log"), 42);
    cr_expect_eq(log_segment_file_number("999999999999.log"), 999999999999);
    cr_expect_eq(log_segment_file_number("000000000000.log"), 0);
    cr_expect_eq(log_segment_file_number("42.log"), 0);
    cr_expect_eq(log_segment_file_number("0000000000042.log"), 0);
    cr_expect_eq(log_segment_file_number("000000000042.log.tmp"), 0);
    cr_expect_eq(log_segment_file_number("000000000042"), 0);
    cr_expect_eq(log_segment_file_number("torn-000000000042.log"), 0);
    cr_expect_eq(log_segment_file_number(""), 0);
}
