/* Reading from a position, as from a snapshot: from every one of a log, with every byte changed and
 * every file cut, and from positions that are not of this log. What reading from the beginning says
 * of the same bytes is the measure. */

#include "reading.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "random.h"

#include <stdio.h>

static struct reading reading;
static struct log_builder *const builder = &reading.builder;
static struct log_end *const end = &reading.end;

/* Places behind which the log goes on, in order: the beginning, behind each segment header and
 * behind each group. */
enum { POSITION_COUNT_MAX = 16, SEGMENT_BYTES = 4 * BLOCK };
static struct log_position positions[POSITION_COUNT_MAX];
static uint32_t position_count;

static void note_position(void)
{
    cr_assert_lt(position_count, (uint32_t)POSITION_COUNT_MAX);
    positions[position_count++] = log_builder_position(builder);
}

static void next_segment(void)
{
    log_builder_next_segment(builder);
    note_position();
}

static void add_group(uint32_t record_count)
{
    reading_add_group(&reading, record_count);
    note_position();
}

/* Three segments of four blocks and an unused file.
 *
 *     block   0       1       2       3
 *     0       header  g1      g2 ------        full to its end
 *     1       header  g3      g4      zeros
 *     2       header  g5      zeros
 *     3       zeros                             */
enum { FILE_COUNT = 4, USED_COUNT = 3, GROUP_COUNT = 5, RECORD_COUNT = 209 };

static void build(void)
{
    log_builder_init(builder, SEGMENT_BYTES);
    position_count = 0;
    note_position();
    next_segment();
    add_group(1);
    builder->time_ms += 3;
    add_group(200);
    next_segment();
    builder->epoch = 2;
    add_group(3);
    builder->time_ms += 5;
    add_group(1);
    next_segment();
    builder->epoch = 4;
    add_group(4);
    log_builder_add_unused(builder);
    cr_assert_eq(builder->used_count, USED_COUNT);
    cr_assert_eq(position_count, 1 + USED_COUNT + GROUP_COUNT);
    cr_assert_eq(builder->next_lsn, RECORD_COUNT + 1);
}

static void set_up(void)
{
    reading_set_up(&reading);
    build();
}

static void tear_down(void)
{
    reading_tear_down(&reading);
}

TestSuite(reader_start, .init = set_up, .fini = tear_down, .timeout = 300);

/* ---- reading ---- */

static uint64_t read_from(const struct log_position *start)
{
    struct log_source source = log_builder_source(builder);
    source.start = start;
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

/* The same end, but for what was handed out. */
static void expect_same_end(const struct log_end *expected, const char *what, uint32_t position,
                            uint32_t offset)
{
    cr_assert_eq(end->status, expected->status, "%s %u, position %u: %s", what, offset, position,
                 end->reason);
    cr_assert_eq(end->segment_index, expected->segment_index, "%s %u, position %u", what, offset,
                 position);
    cr_assert_eq(end->offset, expected->offset, "%s %u, position %u", what, offset, position);
    cr_assert_eq(end->next_lsn, expected->next_lsn, "%s %u, position %u", what, offset, position);
    cr_assert_eq(end->next_group_number, expected->next_group_number);
    cr_assert_eq(end->chain, expected->chain);
    cr_assert_eq(end->epoch, expected->epoch);
    cr_assert_eq(end->time_ms, expected->time_ms);
    cr_assert_eq(end->segment.segment_number, expected->segment.segment_number);
    cr_assert_str_eq(end->reason, expected->reason);
}

/* ---- good ---- */

Test(reader_start, the_groups_behind_any_position_are_handed_out)
{
    read_from(NULL);
    const struct log_end whole = *end;
    cr_assert_eq(whole.status, LOG_GOOD);
    for (uint32_t i = 0; i < position_count; i++) {
        const uint64_t count = read_from(&positions[i]);
        cr_assert_eq(count, RECORD_COUNT + 1 - positions[i].next_lsn);
        cr_assert_eq(end->group_count, GROUP_COUNT + 1 - positions[i].next_group_number);
        expect_same_end(&whole, "all", i, 0);
    }
}

Test(reader_start, the_end_of_a_reading_is_where_the_next_one_starts)
{
    log_builder_deinit(builder);
    log_builder_init(builder, SEGMENT_BYTES);
    struct log_position at = log_position_first();
    for (uint32_t group = 0; group < 10; group++) {
        builder->epoch++;
        reading_add_group(&reading, 1 + group);
        cr_assert_eq(read_from(&at), 1 + group);
        cr_assert_eq(end->status, LOG_GOOD, "%s", end->reason);
        at = log_end_position(end);
        const struct log_position expected = log_builder_position(builder);
        cr_assert_eq(memcmp(&at, &expected, sizeof at), 0);
    }
}

/* Whether they are gone, or hold another log, or leave gaps. */
Test(reader_start, files_before_the_position_do_not_matter)
{
    for (uint32_t i = 0; i < position_count; i++) {
        const uint32_t before =
            positions[i].segment_number == 0 ? 0 : (uint32_t)positions[i].segment_number - 1;
        for (uint32_t gone = 0; gone < 1u << before; gone++) {
            struct log_segment segments[FILE_COUNT];
            struct log_source source = log_builder_source(builder);
            uint8_t *bytes[FILE_COUNT];
            memcpy(bytes, builder->bytes, sizeof bytes);
            source.segments = segments;
            source.segment_count = 0;
            source.start = &positions[i];
            for (uint32_t file = 0; file < FILE_COUNT; file++) {
                if (file < before && gone >> file & 1)
                    continue;
                builder->bytes[source.segment_count] = bytes[file];
                segments[source.segment_count++] = builder->segments[file];
            }
            const uint64_t count = reading_read(&reading, &source);
            memcpy(builder->bytes, bytes, sizeof bytes);
            cr_assert_eq(end->status, LOG_GOOD, "%s", end->reason);
            cr_assert_eq(count, RECORD_COUNT + 1 - positions[i].next_lsn);
            cr_assert_eq(end->segment_index, source.segment_count - 2);
        }
    }
}

Test(reader_start, a_log_without_a_segment_starts_at_the_beginning)
{
    struct log_position start = log_position_first();
    struct log_source source = log_builder_source(builder);
    source.segment_count = 0;
    source.start = &start;
    cr_expect_eq(reading_read(&reading, &source), 0);
    cr_expect_eq(end->status, LOG_GOOD);
    const struct log_position at = log_end_position(end);
    cr_expect_eq(memcmp(&at, &start, sizeof at), 0);
}

/* A torn write behind the position was in flight, as ever. */
Test(reader_start, a_torn_tail_right_behind_the_position_is_one)
{
    const struct log_position start = positions[position_count - 1];
    memset(builder->bytes[2] + start.offset, 0x77, 100);
    cr_expect_eq(read_from(&start), 0);
    cr_expect_eq(end->status, LOG_TORN_TAIL);
    cr_expect_eq(end->segment_index, 2);
    cr_expect_eq(end->offset, start.offset);
    const struct log_position at = log_end_position(end);
    cr_expect_eq(memcmp(&at, &start, sizeof at), 0);
}

Test(reader_start, a_torn_segment_header_behind_the_position_is_a_torn_tail)
{
    memset(builder->bytes[2], 0, SEGMENT_BYTES);
    builder->bytes[2][50] = 1;
    const struct log_position start = positions[6]; /* behind group 4 */
    cr_assert_eq(start.segment_number, 2);
    cr_expect_eq(read_from(&start), 0);
    cr_expect_eq(end->status, LOG_TORN_TAIL);
    cr_expect_eq(end->segment_index, 1);
    cr_expect_eq(end->offset, start.offset);
}

/* ---- every byte, every cut ---- */

enum where { EARLIER_FILE, BEFORE_START, BEHIND_START };

static enum where where_is(uint32_t segment_index, uint64_t offset,
                           const struct log_position *start)
{
    if (segment_index + 1u < start->segment_number)
        return EARLIER_FILE;
    return segment_index + 1u == start->segment_number && offset < start->offset ? BEFORE_START
                                                                                 : BEHIND_START;
}

/* `expected` is what reading from the beginning said. */
static void check_spoiled(uint32_t position, enum where where, const struct log_end *whole,
                          const struct log_end *expected, const char *what, uint32_t offset)
{
    const struct log_position *start = &positions[position];
    read_from(start);
    if (where == EARLIER_FILE) {
        expect_same_end(whole, what, position, offset);
        return;
    }
    if (where == BEHIND_START) {
        expect_same_end(expected, what, position, offset);
        return;
    }
    cr_assert_eq(end->status, LOG_DAMAGED, "%s %u, position %u: %s", what, offset, position,
                 end->reason);
    cr_assert_eq(end->segment_index, start->segment_number - 1);
    cr_assert_leq(end->offset, start->offset);
    cr_assert_eq(end->group_count, 0);
    cr_assert_eq(end->next_lsn, start->next_lsn);
    cr_assert_eq(end->chain, start->chain);
}

/* For a byte of this file the positions in it tell something, and the last one before it. */
static bool is_near(uint32_t position, uint32_t segment_index)
{
    const uint64_t number = positions[position].segment_number;
    const bool is_last_before = position + 1 < position_count &&
                                positions[position + 1].segment_number == segment_index + 1;
    return number == segment_index + 1 || (number == segment_index && is_last_before) ||
           segment_index == FILE_COUNT - 1;
}

/* Of earlier files a sample shows that they are not looked at. */
Test(reader_start, any_byte_changed_before_the_position_is_damage_and_behind_it_as_ever)
{
    read_from(NULL);
    const struct log_end whole = *end;
    for (uint32_t index = 0; index < FILE_COUNT; index++) {
        const uint32_t step = index == FILE_COUNT - 1 ? 61 : 1; /* nothing was written there */
        for (uint32_t offset = 0; offset < SEGMENT_BYTES; offset += step) {
            uint8_t *byte = builder->bytes[index] + offset;
            const uint8_t flip = (uint8_t)(1 << offset % 8);
            *byte ^= flip;
            read_from(NULL);
            const struct log_end expected = *end;
            for (uint32_t i = 0; i < position_count; i++)
                if (is_near(i, index) || offset % 64 == 0)
                    check_spoiled(i, where_is(index, offset, &positions[i]), &whole, &expected,
                                  "changed", index * SEGMENT_BYTES + offset);
            *byte ^= flip;
        }
    }
}

/* A file in use that is too short is damage as a whole: its size was synced before its header. */
Test(reader_start, a_file_cut_anywhere_is_damage_from_the_position_on)
{
    read_from(NULL);
    const struct log_end whole = *end;
    for (uint32_t index = 0; index < FILE_COUNT; index++) {
        for (uint32_t bytes = 0; bytes < SEGMENT_BYTES; bytes += bytes % BLOCK < 200 ? 1 : 97) {
            builder->segments[index].bytes = bytes;
            read_from(NULL);
            const struct log_end expected = *end;
            for (uint32_t i = 0; i < position_count; i++) {
                const enum where where = where_is(index, bytes, &positions[i]);
                check_spoiled(i, where, &whole, &expected, "cut", index * SEGMENT_BYTES + bytes);
            }
            builder->segments[index].bytes = SEGMENT_BYTES;
        }
    }
}

/* Zeros from any block on to the end of all files: what the log says ends early. */
Test(reader_start, a_log_that_ends_before_the_position_is_damage)
{
    for (uint32_t block = 0; block < FILE_COUNT * 4; block++) {
        log_builder_deinit(builder);
        build();
        for (uint32_t i = block; i < FILE_COUNT * 4; i++)
            memset(builder->bytes[i / 4] + i % 4 * BLOCK, 0, BLOCK);
        read_from(NULL);
        const bool is_torn = block == 3; /* group 2 has two blocks */
        cr_assert_eq(end->status, is_torn ? LOG_TORN_TAIL : LOG_GOOD);
        const struct log_end expected = *end;
        for (uint32_t i = 0; i < position_count; i++) {
            const struct log_position *start = &positions[i];
            read_from(start);
            if (start->segment_number == 0 ||
                (start->segment_number - 1) * 4 + start->offset / BLOCK <= block)
                expect_same_end(&expected, "zeros", i, block);
            else
                cr_assert_eq(end->status, LOG_DAMAGED, "zeros from %u on, position %u", block, i);
        }
    }
}

Test(reader_start, random_garbage_gives_no_wrong_record_from_any_position)
{
    struct test_random random;
    test_random_init(&random, test_random_seed(20260202));
    for (int round = 0; round < 1000; round++) {
        log_builder_deinit(builder);
        build();
        for (uint32_t spots = 1 + test_random_below(&random, 3); spots > 0; spots--) {
            uint8_t *bytes = builder->bytes[test_random_below(&random, FILE_COUNT)];
            uint32_t at = test_random_below(&random, SEGMENT_BYTES);
            const bool is_zeroing = test_random_below(&random, 2) == 0;
            for (uint32_t length = test_random_below(&random, 600);
                 length > 0 && at < SEGMENT_BYTES; length--, at++)
                bytes[at] = is_zeroing ? 0 : (uint8_t)test_random_u64(&random);
        }
        for (uint32_t i = 0; i < position_count; i++)
            read_from(&positions[i]); /* compares each record */
    }
}

/* ---- damage by name ---- */

Test(reader_start, each_way_to_be_bad_before_the_position_has_its_words)
{
    const struct log_position start = positions[6]; /* behind group 4 */
    uint8_t *bytes = builder->bytes[1];
    uint8_t whole[SEGMENT_BYTES];
    memcpy(whole, bytes, SEGMENT_BYTES);
    cr_assert_eq(start.offset, 3 * BLOCK);

    bytes[2 * BLOCK + 30] ^= 1;
    read_from(&start);
    expect_damage(1, 2 * BLOCK, "the group header's checksum is wrong");
    memset(bytes + 2 * BLOCK, 0, BLOCK);
    read_from(&start);
    expect_damage(1, 2 * BLOCK, "the log ends before offset 12288, where the snapshot stands");
    bytes[BLOCK + 130] ^= 1;
    read_from(&start);
    expect_damage(1, BLOCK, "the checksum of the records is wrong");
    memset(bytes + 100, 1, 100);
    read_from(&start);
    expect_damage(1, 0, "checksum is wrong, and the snapshot stands on it");
    memset(bytes, 0, SEGMENT_BYTES);
    read_from(&start);
    expect_damage(1, 0, "the segment has no header, and the snapshot stands on it");
    builder->segments[1].bytes = 0;
    read_from(&start);
    expect_damage(1, 0, "the segment has no header, and the snapshot stands on it");
    builder->segments[1].bytes = 3 * BLOCK;
    memcpy(bytes, whole, SEGMENT_BYTES);
    read_from(&start);
    expect_damage(1, 3 * BLOCK, "the file has 12288 bytes, its header says 16384");
    builder->segments[1].bytes = SEGMENT_BYTES;
}

Test(reader_start, a_missing_file_is_named)
{
    struct log_source source = log_builder_source(builder);
    const struct log_position start = positions[position_count - 1];
    const char *name = builder->segments[2].name;
    source.start = &start;
    source.segment_count = 2; /* behind all others */
    reading_read(&reading, &source);
    expect_damage(2, 0, "000000000003.log is missing, and the snapshot stands on it");
    source.segment_count = 0;
    reading_read(&reading, &source);
    expect_damage(0, 0, "000000000003.log is missing, and the snapshot stands on it");
    source.segment_count = FILE_COUNT;
    builder->segments[2].name = "000000000009.log"; /* others are there instead */
    reading_read(&reading, &source);
    expect_damage(2, 0, "000000000003.log is missing, and the snapshot stands on it");
    builder->segments[2].name = name;
    name = builder->segments[3].name;
    builder->segments[3].name = "000000000005.log";
    cr_expect_eq(reading_read(&reading, &source), 0);
    expect_damage(3, 0, "000000000004.log is missing before it");
    builder->segments[3].name = name;
}

Test(reader_start, a_log_that_begins_behind_segment_1_needs_a_position)
{
    struct log_source source = log_builder_source(builder);
    const struct log_position first = log_position_first();
    source.segments++;
    source.segment_count--;
    reading_read(&reading, &source);
    expect_damage(0, 0, "000000000001.log is missing before it");
    source.start = &first;
    reading_read(&reading, &source);
    expect_damage(0, 0, "000000000001.log is missing before it");
}

/* ---- positions of another log ---- */

static uint64_t *field_of(struct log_position *position, uint32_t field)
{
    uint64_t *const fields[] = {
        &position->offset, &position->next_lsn, &position->next_group_number,
        &position->chain,  &position->epoch,    &position->time_ms};
    return fields[field];
}

Test(reader_start, a_position_that_differs_in_anything_is_damage)
{
    static const char *const REASONS[] = {"no group ends",         "another LSN",
                                          "another number",        "(chain)",
                                          "another epoch or time", "another epoch"};
    for (uint32_t i = 0; i < position_count; i++) {
        const bool is_known = positions[i].offset > BLOCK; /* a group tells all of it */
        for (uint32_t field = 0; field < 6 && is_known; field++) {
            for (int step = -1; step <= 1; step += 2) {
                struct log_position start = positions[i];
                *field_of(&start, field) += (uint64_t)step * (field == 0 ? BLOCK : 1);
                if (!log_position_is_possible(&start))
                    continue;
                cr_assert_eq(read_from(&start), 0);
                cr_assert_eq(end->status, LOG_DAMAGED, "position %u, field %u", i, field);
                cr_assert_eq(end->next_lsn, start.next_lsn);
                if (field > 0)
                    expect_damage((uint32_t)start.segment_number - 1, start.offset, REASONS[field]);
            }
        }
    }
}

/* Group 2 has two blocks: nothing ends between them. */
Test(reader_start, a_position_within_a_group_is_damage)
{
    struct log_position start = positions[3]; /* behind group 2 */
    cr_assert_eq(start.offset, SEGMENT_BYTES);
    start.offset -= BLOCK;
    read_from(&start);
    expect_damage(0, start.offset,
                  "the snapshot was not made of this log: no group ends where it stands");
}

Test(reader_start, a_position_behind_the_end_of_a_segment_is_damage)
{
    struct log_position start = positions[3];
    start.offset += BLOCK;
    read_from(&start);
    expect_damage(0, SEGMENT_BYTES, "the log ends before offset 20480, where the snapshot stands");
}

/* Behind a header no group tells number, epoch and time: they are believed, and what follows has to
 * go on from them. */
Test(reader_start, a_position_behind_a_segment_header_is_compared_with_the_header)
{
    struct log_position start = positions[4];
    cr_assert_eq(start.segment_number, 2);
    cr_assert_eq(start.offset, BLOCK);
    start.next_lsn++;
    read_from(&start);
    expect_damage(1, BLOCK, "another LSN");
    start.next_lsn--;
    start.chain++;
    read_from(&start);
    expect_damage(1, BLOCK, "another group stands before this place (chain)");
    start.chain--;
    start.next_group_number++;
    read_from(&start);
    expect_damage(1, BLOCK, "number does not follow");
    start.next_group_number--;
    start.epoch = 3;
    read_from(&start);
    expect_damage(1, BLOCK, "earlier epoch");
}

/* A segment of another history, in which all follows; only what stands before it is another. */
Test(reader_start, a_segment_of_another_history_is_damage)
{
    uint8_t *block = builder->bytes[1];
    bytes_put_u64(block + 80, 203); /* its first LSN */
    bytes_put_u64(block + 8, checksum64(block + 16, BLOCK - 16, 0));
    read_from(&positions[6]);
    expect_damage(1, BLOCK, "first LSN does not follow");
    builder->server_id.low++;
    read_from(&positions[6]);
    expect_damage(1, 0, "another server");
    builder->server_id.low--;
    bytes_put_u64(block + 64, 3); /* its number */
    bytes_put_u64(block + 8, checksum64(block + 16, BLOCK - 16, 0));
    read_from(&positions[6]);
    expect_damage(1, 0, "number does not follow");
}

/* Of the first group in the segment any number is believed, until the position is reached; but not
 * of the next one. */
Test(reader_start, a_group_before_the_position_with_a_number_that_does_not_follow_is_damage)
{
    uint8_t *groups = builder->bytes[1];
    for (uint32_t block = 1; block <= 2; block++) {
        struct log_group_header header;
        uint64_t checksum;
        uint64_t seed = bytes_get_u64(groups + 40) ^ bytes_get_u64(groups + 48) ^ block * BLOCK;
        uint8_t whole[LOG_GROUP_HEADER_BYTES];
        uint8_t *group = groups + block * BLOCK;
        memcpy(whole, group, sizeof whole);
        cr_assert_null(log_group_header_decode(group, seed, &header, &checksum));
        header.group_number++;
        log_group_header_encode(&header, seed, group);
        read_from(&positions[4 + block]);
        expect_damage(1, 2 * BLOCK,
                      block == 1 ? "a group with another number stands here"
                                 : "number does not follow");
        memcpy(group, whole, sizeof whole);
    }
}

Test(reader_start, a_segment_of_another_version_is_told_apart)
{
    uint8_t *block = builder->bytes[1];
    bytes_put_u32(block + 16, LOG_FORMAT_VERSION + 1);
    bytes_put_u64(block + 8, checksum64(block + 16, BLOCK - 16, 0));
    read_from(&positions[6]);
    cr_expect_eq(end->status, LOG_VERSION);
    cr_expect_eq(end->segment_index, 1);
}

/* A record that is refused is told by its LSN, also in the first group behind the position. */
Test(reader_start, a_refused_record_counts_those_before_it)
{
    reading.refused_lsn = 203;
    cr_expect_eq(read_from(&positions[3]), 1); /* 202 */
    expect_damage(1, BLOCK, "the record with LSN 203: not wanted");
    cr_expect_eq(end->next_lsn, 203);
    reading.refused_lsn = 202;
    cr_expect_eq(read_from(&positions[3]), 0);
    reading.refused_lsn = 201; /* before the position: nobody is asked */
    cr_expect_eq(read_from(&positions[3]), RECORD_COUNT - 201);
    cr_expect_eq(end->status, LOG_GOOD);
}

/* ---- what a position can be ---- */

Test(reader_start, positions_that_no_log_has_are_impossible)
{
    struct log_position position = log_position_first();
    cr_expect(log_position_is_possible(&position));
    for (uint32_t field = 0; field < 6; field++) {
        position = log_position_first();
        ++*field_of(&position, field);
        cr_expect_not(log_position_is_possible(&position), "before all segments, field %u", field);
    }
    for (uint32_t i = 0; i < position_count; i++)
        cr_expect(log_position_is_possible(&positions[i]));
    position = positions[6];
    position.segment_number = LOG_SEGMENT_NUMBER_MAX;
    cr_expect(log_position_is_possible(&position));
    position.segment_number++;
    cr_expect_not(log_position_is_possible(&position));
    position = positions[1]; /* behind the first header */
    position.offset += BLOCK;
    cr_expect_not(log_position_is_possible(&position), "no group before a place behind a group");
    position = positions[6];
    position.epoch = 0;
    cr_expect_not(log_position_is_possible(&position));
    position = positions[6];
    position.next_group_number = position.next_lsn + 1;
    cr_expect_not(log_position_is_possible(&position));
    position = positions[6];
    position.offset = 0;
    cr_expect_not(log_position_is_possible(&position));
    position.offset = 3 * BLOCK + 8;
    cr_expect_not(log_position_is_possible(&position));
}
