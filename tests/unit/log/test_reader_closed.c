/* Logs of closed eras: MANIFEST says where they end, and any other end is damage. */

#include "reading.h"

#include <stdio.h>

static struct reading reading;
static struct log_builder *const builder = &reading.builder;
static struct log_end *const end = &reading.end;
static struct log_closed_end closed;

/* Two segments of four blocks and an unused file. The groups have 1, 200, 3 and 1 records.
 *
 *     block   0       1       2       3
 *     0       header  g1      g2 ------
 *     1       header  g3      g4      zeros
 *     2       zeros                              */
enum { SEGMENT_BYTES = 4 * BLOCK, FILE_COUNT = 3, GROUP_COUNT = 4, RECORD_COUNT = 205 };

static const struct {
    uint32_t record_count;
    uint32_t segment_index;
    uint64_t offset;
} GROUPS[GROUP_COUNT] = {{1, 0, BLOCK}, {200, 0, 2 * BLOCK}, {3, 1, BLOCK}, {1, 1, 2 * BLOCK}};

/* Where the log ends when it has so many groups. */
static struct log_closed_end ends[GROUP_COUNT + 1];

static void set_up(void)
{
    reading_set_up(&reading);
    log_builder_init(builder, SEGMENT_BYTES);
    ends[0] = log_builder_end(builder);
    for (uint32_t i = 0; i < GROUP_COUNT; i++) {
        reading_add_group(&reading, GROUPS[i].record_count);
        ends[i + 1] = log_builder_end(builder);
    }
    log_builder_add_unused(builder);
    cr_assert_eq(builder->used_count, 2);
    closed = ends[GROUP_COUNT];
}

static void tear_down(void)
{
    reading_tear_down(&reading);
}

TestSuite(reader_closed, .init = set_up, .fini = tear_down, .timeout = 120);

static uint64_t read_closed(const struct log_position *start)
{
    struct log_source source = log_builder_source(builder);
    source.start = start;
    source.closed = &closed;
    return reading_read(&reading, &source);
}

static void expect_damage(uint32_t segment_index, uint64_t offset, const char *reason_part)
{
    cr_expect_eq(end->status, LOG_DAMAGED);
    cr_expect_eq(end->segment_index, segment_index);
    cr_expect_eq(end->offset, offset);
    cr_expect_not_null(strstr(end->reason, reason_part), "\"%s\" is not in \"%s\"", reason_part,
                       end->reason);
}

Test(reader_closed, one_that_ends_where_it_should_is_good)
{
    cr_expect_eq(read_closed(NULL), RECORD_COUNT);
    cr_expect_eq(end->status, LOG_GOOD, "%s", end->reason);
    cr_expect_eq(end->chain, closed.chain);
}

/* Without a file, with an unused one, and with a header. */
Test(reader_closed, one_that_never_had_a_group_is_good)
{
    log_builder_deinit(builder);
    log_builder_init(builder, SEGMENT_BYTES);
    closed = ends[0];
    read_closed(NULL);
    cr_expect_eq(end->status, LOG_GOOD, "%s", end->reason);
    log_builder_add_unused(builder);
    read_closed(NULL);
    cr_expect_eq(end->status, LOG_GOOD, "%s", end->reason);
    log_builder_next_segment(builder);
    read_closed(NULL);
    cr_expect_eq(end->status, LOG_GOOD, "%s", end->reason);
}

/* The hole that this closes: without the end from MANIFEST an emptied or removed last file looks
 * like one that was never used. */
Test(reader_closed, one_whose_last_files_are_gone_or_empty_is_damage)
{
    struct log_source source = log_builder_source(builder);
    source.closed = &closed;
    source.segment_count = 1;
    cr_expect_eq(reading_read(&reading, &source), 201);
    expect_damage(0, SEGMENT_BYTES,
                  "4 LSNs are missing: the log ends with LSN 201, and MANIFEST says LSN 205");
    source.segment_count = 0;
    cr_expect_eq(reading_read(&reading, &source), 0);
    expect_damage(0, 0, "205 LSNs are missing: the log ends with LSN 0, and MANIFEST says LSN 205");
    memset(builder->bytes[1], 0, SEGMENT_BYTES);
    cr_expect_eq(read_closed(NULL), 201);
    expect_damage(0, SEGMENT_BYTES, "4 LSNs are missing");
    builder->segments[1].bytes = 0;
    builder->segments[2].bytes = 0;
    cr_expect_eq(read_closed(NULL), 201);
    expect_damage(0, SEGMENT_BYTES, "4 LSNs are missing");
    memset(builder->bytes[0], 0, SEGMENT_BYTES);
    cr_expect_eq(read_closed(NULL), 0);
    expect_damage(0, 0, "205 LSNs are missing");
}

Test(reader_closed, one_whose_last_group_is_erased_is_damage)
{
    memset(builder->bytes[1] + 2 * BLOCK, 0, BLOCK);
    cr_expect_eq(read_closed(NULL), RECORD_COUNT - 1);
    expect_damage(1, 2 * BLOCK, "1 LSNs are missing");
}

/* Nothing behind the end is handed out. */
Test(reader_closed, one_that_goes_on_behind_its_end_is_damage)
{
    for (uint32_t groups = 0; groups < GROUP_COUNT; groups++) {
        closed = ends[groups];
        cr_expect_eq(read_closed(NULL), closed.next_lsn - 1);
        expect_damage(GROUPS[groups].segment_index, GROUPS[groups].offset,
                      "behind the end of the log that MANIFEST names");
    }
    closed = ends[1];
    closed.next_lsn += 100; /* within group 2 */
    cr_expect_eq(read_closed(NULL), 1);
    expect_damage(0, 2 * BLOCK, "behind the end of the log that MANIFEST names");
}

Test(reader_closed, one_that_ends_with_another_group_is_damage)
{
    closed.chain++;
    cr_expect_eq(read_closed(NULL), RECORD_COUNT);
    expect_damage(1, 3 * BLOCK, "does not end with the group that MANIFEST names");
    log_builder_deinit(builder);
    log_builder_init(builder, SEGMENT_BYTES);
    closed = ends[0];
    closed.chain = 5; /* of no group at all */
    read_closed(NULL);
    expect_damage(0, 0, "does not end with the group that MANIFEST names");
}

Test(reader_closed, any_byte_changed_is_damage)
{
    for (uint32_t index = 0; index < FILE_COUNT; index++) {
        for (uint32_t offset = 0; offset < SEGMENT_BYTES; offset++) {
            builder->bytes[index][offset] ^= (uint8_t)(1 << offset % 8);
            read_closed(NULL);
            cr_assert_eq(end->status, LOG_DAMAGED, "segment %u, offset %u", index, offset);
            builder->bytes[index][offset] ^= (uint8_t)(1 << offset % 8);
        }
    }
}

/* But for a file that was never used. */
Test(reader_closed, any_cut_is_damage)
{
    for (uint32_t index = 0; index < FILE_COUNT; index++) {
        for (uint32_t bytes = 0; bytes < SEGMENT_BYTES; bytes++) {
            builder->segments[index].bytes = bytes;
            read_closed(NULL);
            cr_assert_eq(end->status, index == 2 ? LOG_GOOD : LOG_DAMAGED, "segment %u cut to %u",
                         index, bytes);
            builder->segments[index].bytes = SEGMENT_BYTES;
        }
    }
}

Test(reader_closed, a_gap_in_the_names_is_told_before_what_is_missing_behind_it)
{
    const char *name = builder->segments[1].name;
    builder->segments[1].name = "000000000009.log";
    cr_expect_eq(read_closed(NULL), 201);
    expect_damage(1, 0, "000000000002.log is missing before it");
    builder->segments[1].name = name;
}

/* ---- with a snapshot ---- */

Test(reader_closed, a_position_at_the_end_has_nothing_behind_it)
{
    struct log_position start = log_builder_position(builder);
    cr_expect_eq(read_closed(&start), 0);
    cr_expect_eq(end->status, LOG_GOOD, "%s", end->reason);
    closed.chain++;
    cr_expect_eq(read_closed(&start), 0);
    expect_damage(1, 3 * BLOCK, "does not end with the group that MANIFEST names");
}

Test(reader_closed, a_position_before_the_end_needs_what_is_behind_it)
{
    const struct log_position start = log_builder_position(builder);
    reading_add_group(&reading, 2);
    closed = log_builder_end(builder);
    cr_expect_eq(read_closed(&start), 2);
    cr_expect_eq(end->status, LOG_GOOD, "%s", end->reason);
    memset(builder->bytes[1] + 3 * BLOCK, 0, BLOCK);
    cr_expect_eq(read_closed(&start), 0);
    expect_damage(1, 3 * BLOCK, "2 LSNs are missing");
}

/* The group before the position is behind the end, or there is none before it in its segment. */
Test(reader_closed, a_position_behind_the_end_is_damage)
{
    struct log_position start = log_builder_position(builder);
    closed = ends[GROUP_COUNT - 1];
    cr_expect_eq(read_closed(&start), 0);
    expect_damage(1, 2 * BLOCK, "behind the end of the log that MANIFEST names");
    log_builder_next_segment(builder);
    start = log_builder_position(builder);
    cr_assert_eq(start.offset, BLOCK);
    cr_expect_eq(read_closed(&start), 0);
    expect_damage(2, BLOCK, "does not end with the group that MANIFEST names");
    closed = ends[GROUP_COUNT];
    cr_expect_eq(read_closed(&start), 0);
    cr_expect_eq(end->status, LOG_GOOD, "%s", end->reason);
}

Test(reader_closed, a_position_in_a_segment_that_begins_behind_the_end_is_damage)
{
    const struct log_position start = log_builder_position(builder);
    closed = ends[1];
    cr_expect_eq(read_closed(&start), 0);
    expect_damage(1, BLOCK, "behind the end of the log that MANIFEST names");
}
