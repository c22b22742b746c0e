/* The reader over logs whose segments are larger than its window, so that each part of its work
 * reads from the disk; and the rarer of its endings. Every story is told once as it is, and then
 * with the n-th read failing, for every n. */

#include "log/reader.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "log_builder.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = LOG_BLOCK_BYTES,
    RECORD_BYTES = 256,
    RECORDS_OF_A_LARGE_GROUP = 10000, /* 2.5 MB: two of them do not fit into one window */
    SEGMENT_BYTES = 12 << 20,
};

static uint8_t *buffer; /* LOG_GROUP_BYTES_MAX */
static struct log_builder builder;
static struct log_end end;

/* Large groups over two segments, and an unused file behind them:
 *
 *     0   header, four groups
 *     1   header, two groups, 7 MB of zeros
 *     2   zeros                                */
static void set_up(void)
{
    buffer = malloc(LOG_GROUP_BYTES_MAX);
    cr_assert_not_null(buffer);
    log_builder_init(&builder, SEGMENT_BYTES);
    for (int group = 0; group < 6; group++) {
        for (int i = 0; i < RECORDS_OF_A_LARGE_GROUP; i++)
            log_builder_add_plain(&builder, RECORD_BYTES);
        log_builder_close_group(&builder);
    }
    log_builder_add_unused(&builder);
    cr_assert_eq(builder.used_count, 2);
}

static void tear_down(void)
{
    log_builder_deinit(&builder);
    free(buffer);
}

TestSuite(reader_large, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- reading with a fault ---- */

struct failing_read {
    struct log_source under;
    uint32_t calls_left;
};

static int read_or_fail(void *context, uint32_t segment_index, uint64_t offset, void *to,
                        uint32_t bytes)
{
    struct failing_read *failing = context;
    if (failing->calls_left-- == 0)
        return -EIO;
    return failing->under.read(failing->under.read_context, segment_index, offset, to, bytes);
}

/* Ends as expected, with `reason_part`, when all reads succeed; and with LOG_IO when any fails. */
static void expect_end(enum log_status expected, const char *reason_part, uint32_t read_count_min)
{
    struct failing_read failing = {.under = log_builder_source(&builder)};
    struct log_source source = failing.under;
    source.read = read_or_fail;
    source.read_context = &failing;
    uint32_t reads = 0;
    for (;; reads++) {
        failing.calls_left = reads;
        log_read(&source, NULL, NULL, buffer, &end);
        if (end.status != LOG_IO)
            break;
        cr_assert_eq(end.io_error, -EIO);
        cr_assert_not_null(strstr(end.reason, "Input/output error"), "%s", end.reason);
    }
    cr_expect_eq(end.status, expected, "%s", end.reason);
    cr_expect_not_null(strstr(end.reason, reason_part), "%s", end.reason);
    cr_expect_geq(reads, read_count_min, "%u reads, %u expected", reads, read_count_min);
}

/* ---- stories ---- */

Test(reader_large, good_log_needs_every_read)
{
    expect_end(LOG_GOOD, "", 10);
    cr_expect_eq(end.record_count, 6u * RECORDS_OF_A_LARGE_GROUP);
}

Test(reader_large, group_that_fills_its_blocks_has_no_padding_to_be_checked)
{
    for (int i = 0; i < 15; i++)
        log_builder_add_plain(&builder, RECORD_BYTES);
    log_builder_add_plain(&builder, BLOCK - LOG_GROUP_HEADER_BYTES - 15 * RECORD_BYTES);
    log_builder_close_group(&builder);
    expect_end(LOG_GOOD, "", 10);
    cr_expect_eq(end.record_count, 6u * RECORDS_OF_A_LARGE_GROUP + 16);
}

/* Behind a group that fills the window the next one's header is read anew. */
Test(reader_large, groups_of_the_largest_size_need_every_read)
{
    const int records = (LOG_GROUP_BYTES_MAX - LOG_GROUP_HEADER_BYTES) / RECORD_BYTES;
    for (int group = 0; group < 2; group++) {
        for (int i = 0; i < records; i++)
            log_builder_add_plain(&builder, RECORD_BYTES);
        log_builder_close_group(&builder);
    }
    cr_assert_eq(builder.used_count, 3);
    expect_end(LOG_GOOD, "", 12);
}

Test(reader_large, bad_last_group_needs_every_read_to_be_called_a_torn_tail)
{
    builder.bytes[1][builder.offset - BLOCK] ^= 1;
    expect_end(LOG_TORN_TAIL, "checksum of the records", 10);
}

Test(reader_large, bytes_far_behind_the_last_group_are_a_torn_tail)
{
    builder.bytes[1][SEGMENT_BYTES - 1] = 1;
    expect_end(LOG_TORN_TAIL, "bytes behind the place", 10);
}

Test(reader_large, bad_group_with_one_far_behind_it_is_damage)
{
    const uint32_t group_bytes = log_group_bytes(RECORDS_OF_A_LARGE_GROUP * RECORD_BYTES);
    builder.bytes[0][BLOCK] ^= 1;
    builder.bytes[0][BLOCK + group_bytes] ^= 1;
    expect_end(LOG_DAMAGED, "group 3 stands behind it", 2);
}

Test(reader_large, torn_header_of_a_new_segment_needs_every_read_to_be_called_so)
{
    log_builder_add_unused(&builder);
    builder.bytes[2][100] = 1;
    expect_end(LOG_TORN_TAIL, "000000000003.log behind it", 10);
}

Test(reader_large, torn_header_with_a_segment_in_use_behind_it_is_damage)
{
    log_builder_add_unused(&builder);
    builder.bytes[2][100] = 1;
    builder.bytes[3][SEGMENT_BYTES - 1] = 1;
    expect_end(LOG_DAMAGED, "000000000004.log behind it is in use", 10);
}

Test(reader_large, torn_header_of_a_file_that_was_cut_is_damage)
{
    builder.bytes[2][100] = 1;
    builder.segments[2].bytes = BLOCK;
    expect_end(LOG_DAMAGED, "the file was cut", 10);
    builder.segments[2].bytes = BLOCK + 1;
    expect_end(LOG_DAMAGED, "the file was cut", 10);
}

Test(reader_large, bad_group_in_a_file_that_was_cut_is_damage)
{
    builder.bytes[1][builder.offset - BLOCK] ^= 1;
    builder.segments[1].bytes = builder.offset;
    expect_end(LOG_DAMAGED, "the file has", 7);
}

/* ---- segment headers that verify but say the wrong thing ---- */

/* Changes a field of the second segment's header and makes its checksum right again. */
static void change_second_header(uint32_t offset, uint64_t value)
{
    uint8_t *block = builder.bytes[1];
    bytes_put_u64(block + offset, value);
    bytes_put_u64(block + 8, checksum64(block + 16, BLOCK - 16, 0));
}

Test(reader_large, segment_that_was_written_behind_another_group_is_damage)
{
    change_second_header(88, 12345);
    expect_end(LOG_DAMAGED, "chain", 4);
}

Test(reader_large, segment_with_a_number_that_does_not_follow_is_damage)
{
    change_second_header(64, 3);
    expect_end(LOG_DAMAGED, "a segment is missing", 4);
}

Test(reader_large, segment_header_with_an_impossible_size_is_damage)
{
    change_second_header(72, SEGMENT_BYTES + 1);
    expect_end(LOG_DAMAGED, "impossible segment size", 4);
}

/* No writer says version 0, but bytes with a right checksum may. */
Test(reader_large, segment_header_of_version_0_is_damage)
{
    uint8_t *block = builder.bytes[1];
    bytes_put_u32(block + 16, 0);
    bytes_put_u64(block + 8, checksum64(block + 16, BLOCK - 16, 0));
    expect_end(LOG_DAMAGED, "the segment was in use", 4);
}

Test(reader_large, ends_have_names)
{
    cr_expect_str_eq(log_status_text(LOG_GOOD), "good");
    cr_expect_str_eq(log_status_text(LOG_TORN_TAIL), "torn tail");
    cr_expect_str_eq(log_status_text(LOG_DAMAGED), "damaged");
    cr_expect_str_eq(log_status_text(LOG_VERSION), "other version");
    cr_expect_str_eq(log_status_text(LOG_IO), "unreadable");
}
