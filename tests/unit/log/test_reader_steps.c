/* Reading in steps: each is bounded, other work may stand between them, and the result is that of
 * reading in one go. */

#include "reading.h"

#include "random.h"

#include <errno.h>
#include <stdio.h>

static struct reading reading;
static struct log_builder *const builder = &reading.builder;

static void set_up(void)
{
    reading_set_up(&reading);
}

static void tear_down(void)
{
    reading_tear_down(&reading);
}

TestSuite(reader_steps, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- stepping, with an eye on each step ---- */

/* What the callbacks are asked for; all of it is written down, one word after the other. */
struct watched {
    struct log_source under;
    uint32_t failing_read; /* the n-th one; 0 = none */
    uint64_t refused_lsn;
    uint32_t read_count;
    uint32_t step_read_count;
    uint32_t step_group_count;
    uint64_t hash;
};

static void note(struct watched *watched, uint64_t word)
{
    watched->hash = (watched->hash ^ word) * 0x9E3779B97F4A7C15u;
    watched->hash ^= watched->hash >> 29;
}

static int read_watched(void *context, uint32_t segment_index, uint64_t offset, void *to,
                        uint32_t bytes)
{
    struct watched *watched = context;
    cr_assert_gt(bytes, 0);
    cr_assert_leq(bytes, (uint32_t)LOG_GROUP_BYTES_MAX);
    note(watched, segment_index);
    note(watched, offset);
    note(watched, bytes);
    watched->step_read_count++;
    if (++watched->read_count == watched->failing_read)
        return -EIO;
    return watched->under.read(watched->under.read_context, segment_index, offset, to, bytes);
}

static const char *see_watched(void *context, const struct log_group *group,
                               uint64_t *refused_lsn_out)
{
    struct watched *watched = context;
    watched->step_group_count++;
    note(watched, group->first_lsn);
    note(watched, group->group_number);
    note(watched, group->time_ms);
    note(watched, group->epoch);
    note(watched, group->record_count);
    for (uint32_t at = 0; at < group->records_bytes; at += 8)
        note(watched, bytes_get_u64(group->records + at));
    if (watched->refused_lsn - group->first_lsn >= group->record_count)
        return NULL;
    *refused_lsn_out = watched->refused_lsn;
    return "not wanted";
}

static struct log_source watch(struct watched *watched, const struct log_source *source,
                               uint32_t failing_read, uint64_t refused_lsn)
{
    struct log_source seen = *source;
    *watched = (struct watched){
        .under = *source, .failing_read = failing_read, .refused_lsn = refused_lsn};
    seen.read = read_watched;
    seen.read_context = watched;
    return seen;
}

static void expect_same(const struct log_end *a, const struct log_end *b)
{
    cr_assert_eq(a->status, b->status);
    cr_assert_eq(a->segment_index, b->segment_index);
    cr_assert_eq(a->offset, b->offset);
    cr_assert_eq(a->segment.segment_number, b->segment.segment_number);
    cr_assert_eq(a->next_lsn, b->next_lsn);
    cr_assert_eq(a->next_group_number, b->next_group_number);
    cr_assert_eq(a->chain, b->chain);
    cr_assert_eq(a->epoch, b->epoch);
    cr_assert_eq(a->time_ms, b->time_ms);
    cr_assert_eq(a->group_count, b->group_count);
    cr_assert_eq(a->record_count, b->record_count);
    cr_assert_eq(a->io_error, b->io_error);
    cr_assert_str_eq(a->reason, b->reason);
}

/* Each step does a bounded piece of work. Returns how many there were. */
static uint32_t step_through(const struct log_source *source, struct watched *watched,
                             struct log_end *end_out)
{
    struct log_reader reader;
    uint32_t steps = 0;
    bool is_more = true;
    log_reader_begin(&reader, source, see_watched, watched, reading.buffer, end_out);
    cr_assert_eq(watched->read_count, 0);
    for (; is_more; steps++) {
        watched->step_read_count = 0;
        watched->step_group_count = 0;
        is_more = log_reader_step(&reader);
        cr_assert_leq(watched->step_read_count, 1);
        cr_assert_leq(watched->step_group_count, 1);
        if (is_more)
            cr_assert_eq(end_out->status, LOG_GOOD, "no verdict before the end");
    }
    const struct log_end before = *end_out;
    cr_assert_not(log_reader_step(&reader), "there is nothing behind the end");
    expect_same(&before, end_out);
    return steps;
}

/* Both ways ask for the same bytes, hand out the same groups and end with the same words. Returns
 * how many reads there were. */
static uint32_t compare(const struct log_source *source, uint32_t failing_read,
                        uint64_t refused_lsn)
{
    struct watched whole, stepped;
    struct log_end end, other_end;
    memset(&end, 0x11, sizeof end);
    memset(&other_end, 0xee, sizeof other_end);
    struct log_source seen = watch(&whole, source, failing_read, refused_lsn);
    log_read(&seen, see_watched, &whole, reading.buffer, &end);
    seen = watch(&stepped, source, failing_read, refused_lsn);
    step_through(&seen, &stepped, &other_end);
    cr_assert_eq(whole.hash, stepped.hash);
    cr_assert_eq(whole.read_count, stepped.read_count);
    expect_same(&end, &other_end);
    return stepped.read_count;
}

/* ---- random logs ---- */

enum { SMALL_BYTES = 6 * BLOCK };

/* Up to five small segments, spoiled or not; returns a position of it. */
static struct log_position build_small(struct test_random *random)
{
    log_builder_init(builder, SMALL_BYTES);
    struct log_position start = log_position_first();
    for (uint32_t groups = test_random_below(random, 12); groups > 0; groups--) {
        reading_add_group(&reading, 1 + test_random_below(random, 300));
        builder->epoch += test_random_below(random, 2);
        if (test_random_below(random, 4) == 0)
            start = log_builder_position(builder);
    }
    for (uint32_t unused = test_random_below(random, 2); unused > 0; unused--)
        log_builder_add_unused(builder);
    return start;
}

static void spoil(struct test_random *random)
{
    const uint32_t file = test_random_below(random, builder->segment_count);
    uint8_t *bytes = builder->bytes[file];
    const uint32_t at = test_random_below(random, SMALL_BYTES);
    switch (test_random_below(random, 4)) {
    case 0:
        bytes[at] ^= 1;
        break;
    case 1:
        memset(bytes + at, 0, SMALL_BYTES - at);
        break;
    case 2:
        builder->segments[file].bytes = at;
        break;
    default:
        memset(bytes + at / BLOCK * BLOCK, 0, BLOCK);
        break;
    }
}

Test(reader_steps, random_logs_end_the_same_in_steps_and_in_one_go)
{
    struct test_random random;
    test_random_init(&random, test_random_seed(20260203));
    for (int round = 0; round < 3000; round++) {
        const struct log_position start = build_small(&random);
        const struct log_closed_end closed = log_builder_end(builder);
        struct log_source source = log_builder_source(builder);
        if (test_random_below(&random, 2) == 0 && builder->segment_count > 0)
            spoil(&random);
        if (test_random_below(&random, 2) == 0)
            source.start = &start;
        if (test_random_below(&random, 4) == 0)
            source.closed = &closed;
        const uint64_t refused_lsn =
            test_random_below(&random, 4) == 0 ? 1 + test_random_below(&random, 1000) : 0;
        const uint32_t read_count = compare(&source, 0, refused_lsn);
        compare(&source, 1 + test_random_below(&random, read_count + 1), refused_lsn);
        log_builder_deinit(builder);
    }
    build_small(&random);
}

/* ---- large logs ---- */

enum { LARGE_BYTES = 8 * LOG_GROUP_BYTES_MAX, LARGE_RECORDS = 150000 /* 3.6 MB */ };

/* Steps that are needed at least for so many bytes. */
static uint32_t steps_of(uint64_t bytes)
{
    return (uint32_t)(bytes / LOG_GROUP_BYTES_MAX);
}

static uint32_t count_steps(enum log_status expected)
{
    struct watched watched;
    struct log_end end;
    const struct log_source under = log_builder_source(builder);
    const struct log_source source = watch(&watched, &under, 0, 0);
    const uint32_t steps = step_through(&source, &watched, &end);
    cr_assert_eq(end.status, expected, "%s", end.reason);
    compare(&under, 0, 0);
    return steps;
}

Test(reader_steps, groups_and_zeros_are_worked_off_in_bounded_pieces)
{
    log_builder_init(builder, LARGE_BYTES);
    for (int group = 0; group < 5; group++)
        reading_add_group(&reading, LARGE_RECORDS);
    log_builder_add_unused(builder);
    log_builder_add_unused(builder);
    cr_expect_geq(count_steps(LOG_GOOD), steps_of(3ull * LARGE_BYTES));
}

Test(reader_steps, what_is_behind_a_bad_place_is_searched_in_bounded_pieces)
{
    log_builder_init(builder, LARGE_BYTES);
    for (int group = 0; group < 2; group++)
        reading_add_group(&reading, LARGE_RECORDS);
    log_builder_add_unused(builder);
    builder->bytes[0][builder->offset + 1] = 1; /* garbage behind the groups */
    cr_expect_geq(count_steps(LOG_TORN_TAIL), steps_of(2ull * LARGE_BYTES));
    builder->bytes[1][LARGE_BYTES - 1] = 1; /* and a file that was in use */
    cr_expect_geq(count_steps(LOG_DAMAGED), steps_of(2ull * LARGE_BYTES));
    builder->bytes[0][builder->offset + 1] = 0;
    cr_expect_geq(count_steps(LOG_DAMAGED), steps_of(2ull * LARGE_BYTES));
    memset(builder->bytes[1], 1, BLOCK); /* a torn header with bytes far behind it */
    cr_expect_geq(count_steps(LOG_DAMAGED), steps_of(2ull * LARGE_BYTES));
    builder->bytes[1][LARGE_BYTES - 1] = 0;
    cr_expect_geq(count_steps(LOG_TORN_TAIL), steps_of(2ull * LARGE_BYTES));
}
