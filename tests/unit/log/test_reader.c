/* The reader over logs made in memory: what is good, torn, damaged, and that whatever is done to a
 * log, the records handed out are the first ones of the truth. */

#include "reading.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "random.h"

#include <errno.h>
#include <stdio.h>

static struct reading reading;
static struct log_builder *const builder = &reading.builder;
static struct log_end *const end = &reading.end;

static void setup(void)
{
    reading_set_up(&reading);
}

static void teardown(void)
{
    reading_tear_down(&reading);
}

TestSuite(reader, .init = setup, .fini = teardown);

/* ---- reading ---- */

/* Reads the log and returns the number of records; each was compared with the truth. */
static uint64_t read_all(void)
{
    const struct log_source source = log_builder_source(builder);
    return reading_read(&reading, &source);
}

static void add_group(uint32_t record_count)
{
    reading_add_group(&reading, record_count);
}

/* Two segments of four blocks and an unused file. The groups have 1, 200, 3 and 1 records.
 *
 *     block   0       1       2       3
 *     0       header  g1      g2 ------
 *     1       header  g3      g4      zeros
 *     2       zeros                              */
enum { SEGMENT_BYTES = 4 * BLOCK, GROUP_COUNT = 4, RECORD_COUNT = 205 };

static void build_two_segments(void)
{
    log_builder_init(builder, SEGMENT_BYTES);
    add_group(1);
    add_group(200);
    add_group(3);
    builder->epoch = 2;
    builder->time_ms += 5;
    add_group(1);
    log_builder_add_unused(builder);
    cr_assert_eq(builder->used_count, 2);
    cr_assert_eq(builder->offset, 3 * BLOCK);
}

/* ---- good ends ---- */

Test(reader, log_without_files_is_good_and_empty)
{
    log_builder_init(builder, SEGMENT_BYTES);
    cr_assert_eq(read_all(), 0);
    cr_expect_eq(end->status, LOG_GOOD);
    cr_expect_eq(end->next_lsn, 1);
    cr_expect_eq(end->next_group_number, 1);
    cr_expect_eq(end->segment.segment_number, 0);
    cr_expect_eq(end->offset, 0);
}

Test(reader, log_of_unused_files_is_good_and_empty)
{
    log_builder_init(builder, SEGMENT_BYTES);
    log_builder_add_unused(builder);
    log_builder_add_unused(builder);
    builder->segments[1].bytes = 0; /* being made when the machine stopped */
    cr_assert_eq(read_all(), 0);
    cr_expect_eq(end->status, LOG_GOOD);
    cr_expect_eq(end->segment.segment_number, 0);
}

Test(reader, segment_without_group_is_good_and_ends_behind_its_header)
{
    log_builder_init(builder, SEGMENT_BYTES);
    log_builder_next_segment(builder);
    cr_assert_eq(read_all(), 0);
    cr_expect_eq(end->status, LOG_GOOD);
    cr_expect_eq(end->segment.segment_number, 1);
    cr_expect_eq(end->segment_index, 0);
    cr_expect_eq(end->offset, (uint64_t)BLOCK);
}

Test(reader, good_log_tells_the_writer_where_to_go_on)
{
    build_two_segments();
    cr_assert_eq(read_all(), RECORD_COUNT);
    cr_expect_eq(end->status, LOG_GOOD);
    cr_expect_eq(end->segment_index, 1);
    cr_expect_eq(end->offset, builder->offset);
    cr_expect_eq(end->segment.segment_number, 2);
    cr_expect_eq(end->next_lsn, builder->next_lsn);
    cr_expect_eq(end->next_group_number, builder->next_group_number);
    cr_expect_eq(end->chain, builder->chain);
    cr_expect_eq(end->epoch, 2);
    cr_expect_eq(end->time_ms, builder->time_ms);
    cr_expect_eq(end->group_count, (uint64_t)GROUP_COUNT);
}

Test(reader, last_segment_full_to_the_last_byte_is_good)
{
    log_builder_init(builder, SEGMENT_BYTES);
    for (int i = 0; i < 3; i++)
        add_group(1);
    cr_assert_eq(read_all(), 3);
    cr_expect_eq(end->status, LOG_GOOD);
    cr_expect_eq(end->offset, (uint64_t)SEGMENT_BYTES);
}

/* Groups of every size up to the largest, over segments larger than the buffer: each reload of the
 * window happens somewhere. */
Test(reader, groups_of_all_sizes_come_through)
{
    log_builder_init(builder, 3ull * LOG_GROUP_BYTES_MAX + BLOCK);
    struct test_random random;
    test_random_init(&random, 4711);
    const uint32_t record_count_max = (LOG_GROUP_BYTES_MAX - LOG_GROUP_HEADER_BYTES) / RECORD_BYTES;
    uint64_t count = 0;
    for (int i = 0; i < 30; i++) {
        const uint32_t record_count =
            i % 5 == 0 ? record_count_max : 1 + test_random_below(&random, record_count_max);
        add_group(record_count);
        count += record_count;
    }
    cr_assert_gt(builder->used_count, 3);
    cr_assert_eq(read_all(), count);
    cr_assert_eq(end->status, LOG_GOOD, "%s", end->reason);
}

Test(reader, without_a_record_function_counts_only)
{
    build_two_segments();
    const struct log_source source = log_builder_source(builder);
    log_read(&source, NULL, NULL, reading.buffer, end);
    cr_expect_eq(end->status, LOG_GOOD);
    cr_expect_eq(end->record_count, RECORD_COUNT);
}

/* ---- every byte, every cut ---- */

/* What docs/log-format.md says of a byte that is not what it was, by the byte's place in the log of
 * build_two_segments(). */
static enum log_status status_of_flip(uint32_t segment_index, uint64_t offset)
{
    static const uint32_t PAYLOAD_END_4 = 2 * BLOCK + LOG_GROUP_HEADER_BYTES + RECORD_BYTES;
    if (segment_index == 0)
        return LOG_DAMAGED; /* the second segment is in use */
    if (segment_index == 2)
        return offset < BLOCK ? LOG_TORN_TAIL /* as a header cut short */
                              : LOG_DAMAGED;  /* a segment in use that lost its header */
    if (offset < 2 * BLOCK)
        return LOG_DAMAGED; /* header and group 3, with group 4 behind them */
    if (offset >= PAYLOAD_END_4 && offset < 3 * BLOCK)
        return LOG_DAMAGED; /* padding: no torn write does that */
    return LOG_TORN_TAIL;   /* the last group, or garbage where nothing was written */
}

/* Records that are before the byte's group. */
static uint64_t records_before(uint32_t segment_index, uint64_t offset)
{
    static const uint64_t BEFORE[3][4] = {{0, 0, 1, 1}, {201, 201, 204, 205}, {205, 205, 205, 205}};
    return BEFORE[segment_index][offset / BLOCK];
}

Test(reader, any_byte_flipped_is_classed_as_documented, .timeout = 120)
{
    build_two_segments();
    for (uint32_t segment_index = 0; segment_index < 3; segment_index++) {
        for (uint32_t offset = 0; offset < SEGMENT_BYTES; offset++) {
            uint8_t *byte = builder->bytes[segment_index] + offset;
            const uint8_t flip = (uint8_t)(1 << offset % 8);
            *byte ^= flip;
            const uint64_t count = read_all();
            cr_assert_eq(end->status, status_of_flip(segment_index, offset),
                         "segment %u, offset %u: %s", segment_index, offset, end->reason);
            cr_assert_eq(count, records_before(segment_index, offset), "segment %u, offset %u: %s",
                         segment_index, offset, end->reason);
            *byte ^= flip;
        }
    }
}

Test(reader, file_cut_anywhere_is_classed_as_documented, .timeout = 120)
{
    build_two_segments();
    for (uint32_t segment_index = 0; segment_index < 3; segment_index++) {
        for (uint32_t bytes = 0; bytes < SEGMENT_BYTES; bytes++) {
            builder->segments[segment_index].bytes = bytes;
            const uint64_t count = read_all();
            if (segment_index == 2 || (segment_index == 1 && bytes == 0))
                cr_assert_eq(end->status, LOG_GOOD); /* an unused file being made */
            else
                cr_assert_eq(end->status, LOG_DAMAGED, "segment %u cut to %u", segment_index,
                             bytes);
            cr_assert_eq(count, records_before(segment_index, bytes), "segment %u cut to %u",
                         segment_index, bytes);
            builder->segments[segment_index].bytes = SEGMENT_BYTES;
        }
    }
}

/* The machine stops while a group is written: its blocks arrive in any order, or not. The log up to
 * the group before is never touched by that. */
Test(reader, last_group_with_any_of_its_sectors_missing_is_a_torn_tail)
{
    enum { SECTOR = 512, SECTOR_COUNT = 2 * BLOCK / SECTOR };
    log_builder_init(builder, SEGMENT_BYTES);
    add_group(2);
    add_group(200); /* two blocks, 4928 bytes: ten sectors */
    const uint64_t sectors_used =
        (LOG_GROUP_HEADER_BYTES + 200 * RECORD_BYTES + SECTOR - 1) / SECTOR;
    uint8_t whole[2 * BLOCK];
    uint8_t *group = builder->bytes[0] + 2 * BLOCK;
    memcpy(whole, group, sizeof whole);
    for (uint32_t mask = 0; mask < 1u << sectors_used; mask++) {
        for (uint32_t i = 0; i < sectors_used; i++) {
            if (mask >> i & 1)
                memcpy(group + i * SECTOR, whole + i * SECTOR, SECTOR);
            else
                memset(group + i * SECTOR, 0, SECTOR);
        }
        const uint64_t count = read_all();
        const bool is_complete = mask == (1u << sectors_used) - 1;
        const bool is_nothing = mask == 0;
        cr_assert_eq(count, is_complete ? 202 : 2);
        cr_assert_eq(end->status, is_complete || is_nothing ? LOG_GOOD : LOG_TORN_TAIL);
        cr_assert_eq(end->offset, (uint64_t)(is_complete ? 4 : 2) * BLOCK);
    }
}

Test(reader, random_garbage_over_the_log_never_gives_a_wrong_record, .timeout = 120)
{
    const uint64_t seed = 20260131;
    struct test_random random;
    test_random_init(&random, seed);
    for (int round = 0; round < 3000; round++) {
        build_two_segments();
        const uint32_t spot_count = 1 + test_random_below(&random, 4);
        for (uint32_t i = 0; i < spot_count; i++) {
            uint8_t *bytes = builder->bytes[test_random_below(&random, 3)];
            uint32_t at = test_random_below(&random, SEGMENT_BYTES);
            uint32_t length = 1 + test_random_below(&random, 600);
            const bool is_zeroing = test_random_below(&random, 2) == 0;
            for (; length > 0 && at < SEGMENT_BYTES; length--, at++)
                bytes[at] = is_zeroing ? 0 : (uint8_t)test_random_u64(&random);
        }
        read_all(); /* compares each record */
        log_builder_deinit(builder);
    }
    build_two_segments();
}

/* ---- torn tails ---- */

Test(reader, torn_tail_tells_the_writer_where_to_go_on)
{
    build_two_segments();
    const uint64_t chain = builder->chain;
    add_group(1);
    builder->bytes[1][3 * BLOCK + LOG_GROUP_HEADER_BYTES] ^= 1;
    cr_assert_eq(read_all(), RECORD_COUNT);
    cr_expect_eq(end->status, LOG_TORN_TAIL);
    cr_expect_eq(end->segment_index, 1);
    cr_expect_eq(end->offset, 3ull * BLOCK);
    cr_expect_eq(end->next_group_number, GROUP_COUNT + 1);
    cr_expect_eq(end->chain, chain);
    cr_expect_eq(end->epoch, 2);
}

/* The header of the third segment was being written: the log ends where the second segment did. */
Test(reader, torn_header_of_a_new_segment_is_a_torn_tail_of_the_one_before)
{
    build_two_segments();
    log_builder_next_segment(builder);
    memset(builder->bytes[2] + 2048, 0xff, 2048);
    log_builder_add_unused(builder);
    cr_assert_eq(read_all(), RECORD_COUNT);
    cr_expect_eq(end->status, LOG_TORN_TAIL);
    cr_expect_eq(end->segment_index, 1);
    cr_expect_eq(end->offset, 3ull * BLOCK);
    cr_expect_eq(end->segment.segment_number, 2);
}

Test(reader, torn_header_of_the_first_segment_is_a_torn_tail_at_the_start)
{
    log_builder_init(builder, SEGMENT_BYTES);
    log_builder_next_segment(builder);
    builder->bytes[0][100] = 1;
    cr_assert_eq(read_all(), 0);
    cr_expect_eq(end->status, LOG_TORN_TAIL);
    cr_expect_eq(end->segment.segment_number, 0);
    cr_expect_eq(end->offset, 0);
}

/* ---- damage ---- */

/* In a closed era no write was in flight. */
Test(reader, bad_last_group_of_a_closed_era_is_damage)
{
    build_two_segments();
    builder->bytes[1][2 * BLOCK + LOG_GROUP_HEADER_BYTES] ^= 1;
    struct log_source source = log_builder_source(builder);
    const struct log_closed_end closed = log_builder_end(builder);
    source.closed = &closed;
    cr_expect_eq(reading_read(&reading, &source), RECORD_COUNT - 1);
    cr_expect_eq(end->status, LOG_DAMAGED);
    cr_expect_eq(end->segment_index, 1);
    cr_expect_eq(end->offset, 2ull * BLOCK);
}

static void expect_damage(uint32_t segment_index, uint64_t offset, const char *reason_part)
{
    read_all();
    cr_expect_eq(end->status, LOG_DAMAGED);
    cr_expect_eq(end->segment_index, segment_index);
    cr_expect_eq(end->offset, offset);
    cr_expect(strstr(end->reason, reason_part) != NULL, "\"%s\" is not in \"%s\"", reason_part,
              end->reason);
}

Test(reader, bad_group_with_a_group_behind_it_is_damage_and_names_it)
{
    build_two_segments();
    builder->bytes[0][BLOCK + 200] ^= 1; /* padding */
    expect_damage(0, BLOCK, "padding");
    builder->bytes[0][BLOCK + 200] ^= 1;
    builder->bytes[0][BLOCK + 130] ^= 1; /* payload */
    expect_damage(0, BLOCK, "group 2 stands behind it at offset 8192");
}

Test(reader, zeroed_group_with_a_group_behind_it_is_damage)
{
    build_two_segments();
    memset(builder->bytes[1] + BLOCK, 0, BLOCK);
    expect_damage(1, BLOCK, "group 4");
}

Test(reader, zeroed_groups_at_the_end_of_a_segment_before_another_are_damage)
{
    build_two_segments();
    memset(builder->bytes[0] + 2 * BLOCK, 0, 2 * BLOCK);
    expect_damage(1, 0, "first LSN");
}

Test(reader, bad_group_at_the_end_of_a_segment_before_one_without_groups_is_damage)
{
    build_two_segments();
    memset(builder->bytes[1] + BLOCK, 0, 2 * BLOCK);
    builder->bytes[0][2 * BLOCK + 200] ^= 1;
    expect_damage(0, 2 * BLOCK, "000000000002.log behind it is in use");
}

Test(reader, lost_header_of_a_segment_in_use_is_damage)
{
    build_two_segments();
    memset(builder->bytes[1], 0, BLOCK);
    expect_damage(1, 0, "it was in use");
    memset(builder->bytes[1], 0xff, BLOCK);
    expect_damage(1, 0, "the segment was in use");
    memset(builder->bytes[1], 0, SEGMENT_BYTES);
    log_builder_next_segment(builder);
    expect_damage(1, 0, "000000000003.log behind it is in use");
}

Test(reader, missing_segment_is_damage)
{
    build_two_segments();
    log_builder_next_segment(builder);
    struct log_source source = log_builder_source(builder);
    const struct log_segment segments[2] = {builder->segments[0], builder->segments[2]};
    uint8_t *second = builder->bytes[1];
    builder->bytes[1] = builder->bytes[2];
    source.segments = segments;
    source.segment_count = 2;
    log_read(&source, NULL, NULL, reading.buffer, end);
    builder->bytes[1] = second;
    cr_expect_eq(end->status, LOG_DAMAGED);
    cr_expect(strstr(end->reason, "000000000002.log is missing") != NULL, "%s", end->reason);
}

Test(reader, file_behind_a_gap_in_the_names_is_damage_whether_used_or_not)
{
    build_two_segments();
    log_builder_add_unused(builder);
    for (uint32_t i = 0; i < 3; i++) {
        const char *name = builder->segments[i].name;
        builder->segments[i].name = "000000000009.log";
        const struct log_source source = log_builder_source(builder);
        log_read(&source, NULL, NULL, reading.buffer, end);
        builder->segments[i].name = name;
        cr_expect_eq(end->status, LOG_DAMAGED);
        cr_expect_eq(end->segment_index, i);
        cr_expect_eq(end->segment.segment_number, i, "what is before the gap is handed out");
        cr_expect(strstr(end->reason, name) != NULL, "%s", end->reason);
    }
}

Test(reader, missing_first_segment_is_damage)
{
    build_two_segments();
    uint8_t *first = builder->bytes[0];
    builder->bytes[0] = builder->bytes[1];
    builder->segment_count = 1;
    expect_damage(0, 0, "a segment is missing");
    builder->bytes[0] = first;
    builder->segment_count = 3;
}

Test(reader, segment_of_another_server_era_or_core_is_damage)
{
    build_two_segments();
    builder->server_id.low++;
    expect_damage(0, 0, "another server");
    builder->server_id.low--;
    builder->era++;
    expect_damage(0, 0, "another era");
    builder->era--;
    builder->core++;
    expect_damage(0, 0, "another core");
}

Test(reader, file_longer_than_its_header_says_is_damage)
{
    build_two_segments();
    uint8_t *longer = realloc(builder->bytes[1], SEGMENT_BYTES + BLOCK);
    cr_assert_not_null(longer);
    memset(longer + SEGMENT_BYTES, 0, BLOCK);
    builder->bytes[1] = longer;
    builder->segments[1].bytes = SEGMENT_BYTES + BLOCK;
    expect_damage(1, SEGMENT_BYTES, "its header says 16384");
}

/* ---- groups that verify but say the wrong thing ---- */

/* Writes group 5 of one record with right checksums and what `header` says. */
static void put_group(struct log_group_header header, uint32_t stated_record_bytes)
{
    uint8_t *to = builder->bytes[1] + 3 * BLOCK;
    struct log_segment_header segment;
    cr_assert_null(log_segment_header_decode(builder->bytes[1], &segment));
    const uint64_t seed = log_group_seed(segment.segment_uuid, 3 * BLOCK);
    uint8_t *payload = to + LOG_GROUP_HEADER_BYTES;
    log_builder_plain_record(header.first_lsn, RECORD_BYTES, payload);
    bytes_put_u16(payload, (uint16_t)stated_record_bytes);
    if (header.payload_bytes < RECORD_BYTES)
        memset(payload + header.payload_bytes, 0, RECORD_BYTES - header.payload_bytes);
    if (log_group_bytes(header.payload_bytes) <= BLOCK)
        header.payload_checksum = checksum64(payload, header.payload_bytes, seed);
    log_group_header_encode(&header, seed, to);
}

static struct log_group_header next_group(void)
{
    return (struct log_group_header){
        .group_number = builder->next_group_number,
        .first_lsn = builder->next_lsn,
        .chain = builder->chain,
        .durable_group = builder->next_group_number - 1,
        .epoch = builder->epoch,
        .time_ms = builder->time_ms,
        .record_count = 1,
        .payload_bytes = RECORD_BYTES,
    };
}

Test(reader, group_that_does_not_follow_is_damage)
{
    build_two_segments();
    struct log_group_header header = next_group();
    put_group(header, RECORD_BYTES);
    cr_assert_eq(read_all(), RECORD_COUNT + 1);
    cr_assert_eq(end->status, LOG_GOOD);

    header.group_number++;
    put_group(header, RECORD_BYTES);
    expect_damage(1, 3 * BLOCK, "number does not follow");
    header = next_group();
    header.first_lsn++;
    put_group(header, RECORD_BYTES);
    expect_damage(1, 3 * BLOCK, "first LSN does not follow");
    header = next_group();
    header.chain++;
    put_group(header, RECORD_BYTES);
    expect_damage(1, 3 * BLOCK, "chain");
    header = next_group();
    header.epoch--;
    put_group(header, RECORD_BYTES);
    expect_damage(1, 3 * BLOCK, "earlier epoch");
    header = next_group();
    header.payload_bytes = BLOCK;
    header.record_count = 100;
    put_group(header, RECORD_BYTES);
    expect_damage(1, 3 * BLOCK, "longer than its segment");
}

Test(reader, group_with_records_that_do_not_fill_it_is_damage)
{
    static const struct {
        uint32_t stated_record_bytes;
        const char *reason;
    } CASES[] = {
        {0, "impossible length"},     {7, "impossible length"}, {20, "impossible length"},
        {264, "impossible length"},   {32, "cut by the end"},   {16, "impossible length"},
        {65528, "impossible length"},
    };
    build_two_segments();
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        put_group(next_group(), CASES[i].stated_record_bytes);
        expect_damage(1, 3 * BLOCK, CASES[i].reason);
    }
    struct log_group_header header = next_group();
    header.record_count = 2;
    put_group(header, RECORD_BYTES);
    expect_damage(1, 3 * BLOCK, "another number of records");
    header = next_group();
    header.payload_bytes = RECORD_BYTES - 4;
    put_group(header, 16);
    expect_damage(1, 3 * BLOCK, "cut by the end");
}

/* ---- other ends ---- */

Test(reader, refused_record_is_damage_with_its_lsn_and_the_callers_reason)
{
    build_two_segments();
    const struct log_source source = log_builder_source(builder);
    reading.refused_lsn = 203;
    cr_expect_eq(reading_read(&reading, &source), 202);
    cr_expect_eq(end->status, LOG_DAMAGED);
    cr_expect_eq(end->segment_index, 1);
    cr_expect_eq(end->offset, (uint64_t)BLOCK);
    cr_expect_eq(end->next_lsn, 203);
    cr_expect_str_eq(end->reason, "the record with LSN 203: not wanted");
}

Test(reader, segment_of_another_version_is_told_apart_from_damage)
{
    build_two_segments();
    uint8_t *block = builder->bytes[1];
    bytes_put_u32(block + 16, LOG_FORMAT_VERSION + 1);
    bytes_put_u64(block + 8, checksum64(block + 16, BLOCK - 16, 0));
    cr_assert_eq(read_all(), 201);
    cr_expect_eq(end->status, LOG_VERSION);
    cr_expect_eq(end->segment_index, 1);
    cr_expect_str_eq(end->reason,
                     "written by version 2 of the format, this program reads version 1");
}

struct failing_read {
    struct log_source under;
    int calls_left;
};

static int read_or_fail(void *context, uint32_t segment_index, uint64_t offset, void *to,
                        uint32_t bytes)
{
    struct failing_read *failing = context;
    if (failing->calls_left-- == 0)
        return -EIO;
    return failing->under.read(failing->under.read_context, segment_index, offset, to, bytes);
}

Test(reader, failing_read_is_io_at_any_call)
{
    build_two_segments();
    builder->bytes[1][2 * BLOCK] ^= 1; /* so that the search behind a bad place is met too */
    struct failing_read failing = {.under = log_builder_source(builder)};
    struct log_source source = failing.under;
    source.read = read_or_fail;
    source.read_context = &failing;
    int calls = 0;
    for (;; calls++) {
        failing.calls_left = calls;
        log_read(&source, NULL, NULL, reading.buffer, end);
        if (end->status != LOG_IO)
            break;
        cr_expect_eq(end->io_error, -EIO);
        cr_expect(strstr(end->reason, "Input/output error") != NULL);
    }
    cr_expect_eq(end->status, LOG_TORN_TAIL);
    cr_expect_geq(calls, 3, "each segment is read at least once");
}
