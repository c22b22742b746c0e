/* Deadlines that were noted while a state was loaded come out by deadline, time of making and tie,
 * whatever the order in which they were noted. */

#include "random.h"

#include "timer/timer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct row {
    uint64_t deadline_ms, made_ms;
    struct timer_tie tie;
    uint32_t slot;
};

/* By slot. `context` is an array of them. */
static void ties_of_rows(const void *context, const uint32_t *slots, uint32_t slot_count,
                         struct timer_tie *ties_out)
{
    const struct row *rows = context;
    for (uint32_t i = 0; i < slot_count; i++)
        ties_out[i] = rows[slots[i]].tie;
}

static void no_ties(const void *context, const uint32_t *slots, uint32_t slot_count,
                    struct timer_tie *ties_out)
{
    (void)context;
    (void)slots;
    (void)ties_out;
    cr_assert_eq(slot_count, 0, "asked for ties of deadlines that differ");
}

static void note(struct timer *timer, const struct row *row)
{
    timer_insert(timer, row->slot, row->deadline_ms, row->deadline_ms - row->made_ms);
}

static uint32_t take(struct timer *timer)
{
    uint32_t slot = timer_due(timer, UINT64_MAX);
    if (slot != TIMER_SLOT_NONE)
        timer_cancel(timer, slot);
    return slot;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int order = compare_u64(a->deadline_ms, b->deadline_ms);
    if (order == 0)
        order = compare_u64(a->made_ms, b->made_ms);
    if (order == 0)
        order = compare_u64(a->tie.first, b->tie.first);
    return order != 0 ? order : compare_u64(a->tie.second, b->tie.second);
}

/* `rows` are by slot, and all are set in the timer. */
static void expect_sorted(struct timer *timer, const struct row *rows, uint32_t count)
{
    struct row *sorted = malloc(count * sizeof *sorted);
    cr_assert_not_null(sorted);
    for (uint32_t slot = 0; slot < count; slot++) {
        sorted[slot] = rows[slot];
        cr_assert_eq(timer_deadline_ms(timer, slot), rows[slot].deadline_ms);
        cr_assert_eq(timer_made_ms(timer, slot), rows[slot].made_ms);
    }
    qsort(sorted, count, sizeof *sorted, compare_rows);
    cr_assert_eq(timer_count(timer), count);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(timer_next_ms(timer), sorted[i].deadline_ms);
        cr_assert_eq(take(timer), sorted[i].slot, "number %u", i);
    }
    cr_assert_eq(timer_next_ms(timer), UINT64_MAX);
    free(sorted);
}

Test(load, of_nothing_leaves_an_empty_timer)
{
    struct timer *timer = timer_open(3);
    timer_load_begin(timer);
    cr_assert(timer_load_end(timer, no_ties, NULL));
    cr_expect_eq(timer_next_ms(timer), UINT64_MAX);
    timer_load_begin(timer);
    timer_insert(timer, 2, 100, 10);
    timer_cancel(timer, 2);
    cr_assert(timer_load_end(timer, no_ties, NULL));
    cr_expect_eq(timer_next_ms(timer), UINT64_MAX);
    cr_expect_eq(timer_count(timer), 0);
    timer_close(&timer);
}

Test(load, is_told_of_slots_that_are_set_and_when_they_were_made)
{
    struct timer *timer = timer_open(3);
    timer_load_begin(timer);
    timer_insert(timer, 1, TIMER_DEADLINE_MS_MAX, TIMER_DEADLINE_MS_MAX - 5);
    timer_insert(timer, 2, 100, 0);
    cr_expect(timer_is_set(timer, 1));
    cr_expect_not(timer_is_set(timer, 0));
    cr_expect_eq(timer_count(timer), 2);
    cr_expect_eq(timer_deadline_ms(timer, 1), TIMER_DEADLINE_MS_MAX);
    cr_expect_eq(timer_made_ms(timer, 1), 5);
    cr_expect_eq(timer_made_ms(timer, 2), 100);
    timer_cancel(timer, 1);
    timer_insert(timer, 1, 200, 50); /* the last word counts */
    cr_assert(timer_load_end(timer, no_ties, NULL));
    cr_expect_eq(take(timer), 2);
    cr_expect_eq(timer_next_ms(timer), 200);
    cr_expect_eq(timer_made_ms(timer, 1), 150);
    timer_close(&timer);
}

Test(load, in_the_order_of_slots_keeps_it)
{
    enum { COUNT = 1000 };
    static struct row rows[COUNT];
    struct timer *timer = timer_open(COUNT);
    timer_load_begin(timer);
    for (uint32_t slot = 0; slot < COUNT; slot++) {
        rows[slot] = (struct row){5000 + slot / 10, 4000 + slot / 20, {0, slot}, slot};
        note(timer, &rows[slot]);
    }
    cr_assert(timer_load_end(timer, ties_of_rows, rows));
    expect_sorted(timer, rows, COUNT);
    timer_close(&timer);
}

Test(load, of_equal_deadlines_asks_for_ties_only_when_made_at_the_same_time_in_slot_order)
{
    struct timer *timer = timer_open(3);
    timer_load_begin(timer);
    timer_insert(timer, 0, 100, 30);
    timer_insert(timer, 1, 100, 20);
    timer_insert(timer, 2, 100, 10);
    cr_assert(timer_load_end(timer, no_ties, NULL));
    cr_expect_eq(take(timer), 0);
    cr_expect_eq(take(timer), 1);
    cr_expect_eq(take(timer), 2);
    timer_close(&timer);
}

/* So many deadlines in one millisecond that they are sorted by radix, in every byte of the ties. */
Test(load, of_a_rush_is_ordered_by_ties)
{
    enum { COUNT = 3000 };
    static struct row rows[COUNT];
    struct test_random random;
    test_random_init(&random, 5);
    struct timer *timer = timer_open(COUNT);
    timer_load_begin(timer);
    for (uint32_t slot = 0; slot < COUNT; slot++) {
        uint32_t group = test_random_below(&random, 3);
        uint64_t first = test_random_u64(&random);
        rows[slot] = (struct row){5000, 4000 + group % 2, {first, slot}, slot};
        if (group == 0)
            rows[slot].tie = (struct timer_tie){slot % 7, test_random_u64(&random)};
        note(timer, &rows[slot]);
    }
    cr_assert(timer_load_end(timer, ties_of_rows, rows));
    expect_sorted(timer, rows, COUNT);
    timer_close(&timer);
}

Test(load, without_memory_for_sorting_can_be_tried_again)
{
    enum { COUNT = 1000 };
    static struct row rows[COUNT];
    struct rlimit limit;
    struct timer *timer = timer_open(COUNT);
    timer_load_begin(timer);
    for (uint32_t slot = 0; slot < COUNT; slot++) {
        rows[slot] = (struct row){5000 - slot, 4000, {0, 0}, slot};
        note(timer, &rows[slot]);
    }
    cr_assert_eq(getrlimit(RLIMIT_AS, &limit), 0);
    const struct rlimit nothing = {.rlim_cur = 4096, .rlim_max = limit.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_AS, &nothing), 0);
    bool has_ended = timer_load_end(timer, no_ties, NULL);
    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
    cr_expect_not(has_ended);
    cr_expect_eq(timer_count(timer), COUNT);
    cr_assert(timer_load_end(timer, no_ties, NULL));
    expect_sorted(timer, rows, COUNT);
    timer_close(&timer);
}

Test(load, inserted_later_comes_after_equal_ones_that_were_loaded)
{
    struct timer *timer = timer_open(4);
    timer_load_begin(timer);
    timer_insert(timer, 3, 100, 10);
    timer_insert(timer, 1, 90, 10);
    cr_assert(timer_load_end(timer, no_ties, NULL));
    timer_insert(timer, 0, 100, 10);
    timer_insert(timer, 2, 100, 5);
    cr_expect_eq(take(timer), 1);
    cr_expect_eq(take(timer), 3);
    cr_expect_eq(take(timer), 0);
    cr_expect_eq(take(timer), 2);
    timer_close(&timer);
}

/* The odd durations come first, and there are more of them than lanes. */
Test(load, with_more_durations_than_lanes_is_in_order_all_the_same)
{
    enum { ODD = 300, COUNT = 2000 };
    static struct row rows[COUNT];
    struct timer *timer = timer_open(COUNT);
    timer_load_begin(timer);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t slot = COUNT - 1 - i;
        rows[slot] = (struct row){9000 + i, 1000 + i, {0, 0}, slot};
        if (i < ODD)
            rows[slot] = (struct row){5000 + i / 8, 4000 + (i * 7) % 501, {0, slot}, slot};
        note(timer, &rows[slot]);
    }
    cr_assert(timer_load_end(timer, ties_of_rows, rows));
    expect_sorted(timer, rows, COUNT);
    timer_close(&timer);
}

/* ---- random ---- */

enum { SLOT_COUNT = 700, ROUND_COUNT = 400 };

static struct row random_row(struct test_random *random, uint32_t slot, uint32_t kind)
{
    static const uint64_t spans_ms[] = {1, 3, 50, 5000, 1ull << 40};
    uint64_t span_ms = spans_ms[kind % 5];
    uint64_t made_ms = 1000 + test_random_u64(random) % span_ms;
    uint64_t duration_ms = 40;
    if (kind / 5 % 3 == 1)
        duration_ms = test_random_below(random, 4) * 10;
    if (kind / 5 % 3 == 2)
        duration_ms = test_random_u64(random) % (1ull << 43);
    uint64_t deadline_ms = made_ms + duration_ms;
    if (kind / 15 % 2 == 1) /* many end at one moment */
        deadline_ms = 1000 + 2 * span_ms;
    uint64_t item = test_random_below(random, 3);
    uint64_t sequence = test_random_u64(random) >> test_random_below(random, 60);
    return (struct row){deadline_ms, made_ms, {item, sequence}, slot};
}

Test(load, random_agrees_with_a_sorted_list)
{
    const char *text = getenv("HF_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 20240614;
    fprintf(stderr, "seed %llu (HF_SEED)\n", (unsigned long long)seed);
    struct test_random random;
    test_random_init(&random, seed);
    struct timer *timer = timer_open(SLOT_COUNT);
    for (uint32_t round = 0; round < ROUND_COUNT; round++) {
        static struct row rows[SLOT_COUNT];
        uint32_t count = 1 + test_random_below(&random, SLOT_COUNT);
        timer_load_begin(timer);
        for (uint32_t i = 0; i < 2 * count; i++) {
            uint32_t slot = i < count ? i : test_random_below(&random, count);
            if (timer_is_set(timer, slot))
                timer_cancel(timer, slot);
            rows[slot] = random_row(&random, slot, round);
            note(timer, &rows[slot]);
        }
        cr_assert(timer_load_end(timer, ties_of_rows, rows));
        expect_sorted(timer, rows, count);
    }
    timer_close(&timer);
}
