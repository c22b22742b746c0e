/* Deadlines come out in order, equal ones in the order of their making, from lanes and heap alike.
 */

#include "random.h"

#include "timer/timer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t take(struct timer *timer, uint64_t now_ms)
{
    uint32_t slot = timer_due(timer, now_ms);
    if (slot != TIMER_SLOT_NONE)
        timer_cancel(timer, slot);
    return slot;
}

Test(timer, empty_has_nothing_due)
{
    struct timer *timer = timer_open(3);
    cr_assert_not_null(timer);
    cr_expect_eq(timer_next_ms(timer), UINT64_MAX);
    cr_expect_eq(timer_due(timer, UINT64_MAX), TIMER_SLOT_NONE);
    cr_expect_eq(timer_count(timer), 0);
    cr_expect_not(timer_is_set(timer, 0));
    timer_close(&timer);
    cr_expect_null(timer);
}

Test(timer, slot_is_due_at_its_deadline_and_not_before)
{
    struct timer *timer = timer_open(3);
    timer_insert(timer, 2, 100, 10);
    cr_expect(timer_is_set(timer, 2));
    cr_expect_eq(timer_count(timer), 1);
    cr_expect_eq(timer_next_ms(timer), 100);
    cr_expect_eq(timer_due(timer, 99), TIMER_SLOT_NONE);
    cr_expect_eq(timer_due(timer, 100), 2);
    cr_expect_eq(timer_due(timer, 100), 2, "stays set until it is cancelled");
    timer_cancel(timer, 2);
    cr_expect_eq(timer_due(timer, 100), TIMER_SLOT_NONE);
    timer_insert(timer, 2, 50, 10);
    cr_expect_eq(timer_due(timer, 100), 2);
    timer_close(&timer);
}

Test(timer, equal_deadlines_of_one_duration_come_in_order_of_insertion)
{
    struct timer *timer = timer_open(10);
    for (uint32_t slot = 10; slot-- > 0;)
        timer_insert(timer, slot, 100, 10);
    timer_cancel(timer, 5);
    for (uint32_t slot = 10; slot-- > 0;) {
        if (slot != 5)
            cr_expect_eq(take(timer, 100), slot);
    }
    timer_close(&timer);
}

Test(timer, equal_deadlines_of_several_durations_come_in_the_order_of_their_making)
{
    /* The longer the duration, the earlier it was made. More durations than lanes, so that the
     * last ones are in the heap. */
    enum { COUNT = TIMER_LANE_COUNT + 10 };
    struct timer *timer = timer_open(COUNT);
    for (uint32_t slot = 0; slot < COUNT; slot++)
        timer_insert(timer, slot, 1000, 500 - slot);
    for (uint32_t slot = 0; slot < COUNT; slot++)
        cr_expect_eq(take(timer, 1000), slot);
    timer_close(&timer);
}

Test(timer, duration_that_gets_a_lane_late_keeps_its_order)
{
    /* All lanes are taken, so slot 40 goes to the heap; then one is free, and slot 41 gets it. */
    struct timer *timer = timer_open(50);
    for (uint32_t slot = 0; slot < TIMER_LANE_COUNT; slot++)
        timer_insert(timer, slot, 2000 + slot, 2000 + slot);
    timer_insert(timer, 40, 1000, 100);
    timer_cancel(timer, 0);
    timer_insert(timer, 41, 1000, 100);
    timer_insert(timer, 42, 1000, 50);
    cr_expect_eq(take(timer, 1000), 40);
    cr_expect_eq(take(timer, 1000), 41);
    cr_expect_eq(take(timer, 1000), 42);
    cr_expect_eq(timer_count(timer), TIMER_LANE_COUNT - 1);
    timer_close(&timer);
}

/* One lane with a far deadline, so that all others of its duration wait in the heap:
 *
 *                 10
 *           50         11
 *        51    52   12    13        The last one, 13, takes the place of 51 and must rise over 50.
 */
Test(timer, cancelled_in_the_middle_of_the_heap_leaves_the_others_in_order)
{
    static const uint64_t DEADLINES[] = {10, 50, 11, 51, 52, 12, 13};
    enum { COUNT = sizeof DEADLINES / sizeof DEADLINES[0] };
    struct timer *timer = timer_open(COUNT + 1);
    timer_insert(timer, COUNT, 1000, 5);
    for (uint32_t slot = 0; slot < COUNT; slot++)
        timer_insert(timer, slot, DEADLINES[slot], 5);
    timer_cancel(timer, 3);
    static const uint32_t ORDER[] = {0, 2, 5, 6, 1, 4, COUNT};
    for (uint32_t i = 0; i < COUNT; i++)
        cr_expect_eq(take(timer, 1000), ORDER[i]);
    cr_expect_eq(timer_count(timer), 0);
    timer_close(&timer);
}

Test(timer, deadline_before_its_lanes_last_one_is_found_all_the_same)
{
    struct timer *timer = timer_open(4);
    timer_insert(timer, 0, 100, 10);
    timer_insert(timer, 1, 90, 10); /* as if time had gone back */
    timer_insert(timer, 2, 110, 10);
    timer_insert(timer, 3, 95, 10);
    cr_expect_eq(take(timer, 200), 1);
    cr_expect_eq(take(timer, 200), 3);
    cr_expect_eq(take(timer, 200), 0);
    cr_expect_eq(take(timer, 200), 2);
    timer_close(&timer);
}

/* ---- against a sorted list ---- */

enum { SLOT_COUNT = 300, STEP_COUNT = 200000 };

struct entry {
    uint64_t deadline_ms;
    uint32_t slot;
};

/* Sorted by deadline; an equal one goes behind. */
struct model {
    struct entry entries[SLOT_COUNT];
    uint32_t count;
};

static void model_insert(struct model *model, uint32_t slot, uint64_t deadline_ms)
{
    uint32_t at = model->count++;
    for (; at > 0 && model->entries[at - 1].deadline_ms > deadline_ms; at--)
        model->entries[at] = model->entries[at - 1];
    model->entries[at] = (struct entry){deadline_ms, slot};
}

static void model_remove(struct model *model, uint32_t slot)
{
    uint32_t at = 0;
    while (model->entries[at].slot != slot)
        at++;
    for (model->count--; at < model->count; at++)
        model->entries[at] = model->entries[at + 1];
}

static void expect_same_first(const struct timer *timer, const struct model *model, uint64_t now_ms)
{
    cr_assert_eq(timer_count(timer), model->count);
    if (model->count == 0) {
        cr_assert_eq(timer_next_ms(timer), UINT64_MAX);
        return;
    }
    const struct entry *first = &model->entries[0];
    cr_assert_eq(timer_next_ms(timer), first->deadline_ms);
    cr_assert_eq(timer_due(timer, now_ms),
                 first->deadline_ms <= now_ms ? first->slot : TIMER_SLOT_NONE);
}

/* Mostly one duration, some from a few, some any; all short, so that deadlines are often equal. */
static uint64_t random_duration(struct test_random *random)
{
    switch (test_random_below(random, 4)) {
    case 0:
        return test_random_below(random, 60);
    case 1:
        return 10 * test_random_below(random, 5);
    default:
        return 40;
    }
}

Test(timer, random_use_agrees_with_a_sorted_list)
{
    const char *text = getenv("HF_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 20240612;
    fprintf(stderr, "seed %llu (HF_SEED)\n", (unsigned long long)seed);
    struct test_random random;
    test_random_init(&random, seed);
    struct timer *timer = timer_open(SLOT_COUNT);
    struct model model = {.count = 0};
    uint64_t now_ms = 1000;
    for (int i = 0; i < STEP_COUNT; i++) {
        uint32_t slot = test_random_below(&random, SLOT_COUNT);
        cr_assert(timer_is_set(timer, slot) || model.count < SLOT_COUNT);
        if (timer_is_set(timer, slot)) {
            if (test_random_below(&random, 3) == 0) {
                timer_cancel(timer, slot);
                model_remove(&model, slot);
            }
        } else {
            uint64_t duration_ms = random_duration(&random);
            timer_insert(timer, slot, now_ms + duration_ms, duration_ms);
            model_insert(&model, slot, now_ms + duration_ms);
        }
        expect_same_first(timer, &model, now_ms);
        while (test_random_below(&random, 4) != 0 && timer_due(timer, now_ms) != TIMER_SLOT_NONE) {
            model_remove(&model, take(timer, now_ms));
            expect_same_first(timer, &model, now_ms);
        }
        if (test_random_below(&random, 8) == 0)
            now_ms++;
    }
    timer_close(&timer);
}

/* ---- time that goes back ---- */

struct made {
    uint64_t deadline_ms, made_ms;
    bool is_set;
};

/* No slot has an earlier deadline, or the same one made earlier. */
static bool is_first(const struct made *made, uint32_t slot)
{
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        if (made[i].is_set && (made[i].deadline_ms < made[slot].deadline_ms ||
                               (made[i].deadline_ms == made[slot].deadline_ms &&
                                made[i].made_ms < made[slot].made_ms)))
            return false;
    }
    return made[slot].is_set;
}

Test(timer, random_use_while_time_goes_back_comes_out_by_deadline_and_making)
{
    const char *text = getenv("HF_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 20240613;
    fprintf(stderr, "seed %llu (HF_SEED)\n", (unsigned long long)seed);
    struct test_random random;
    test_random_init(&random, seed);
    struct timer *timer = timer_open(SLOT_COUNT);
    struct made made[SLOT_COUNT] = {{0}};
    uint32_t count = 0;
    for (int i = 0; i < STEP_COUNT; i++) {
        uint64_t now_ms = 1000 + test_random_below(&random, 100);
        uint64_t duration_ms = random_duration(&random);
        uint32_t slot = test_random_below(&random, SLOT_COUNT);
        uint32_t choice = test_random_below(&random, 3);
        if (choice == 0 && count > 0) {
            slot = timer_due(timer, UINT64_MAX);
            cr_assert_lt(slot, SLOT_COUNT);
            cr_assert(is_first(made, slot), "step %d", i);
            cr_assert_eq(timer_next_ms(timer), made[slot].deadline_ms);
        }
        if (made[slot].is_set) {
            timer_cancel(timer, slot);
            made[slot].is_set = false;
            count--;
        } else {
            timer_insert(timer, slot, now_ms + duration_ms, duration_ms);
            made[slot] = (struct made){now_ms + duration_ms, now_ms, true};
            count++;
        }
        cr_assert_eq(timer_count(timer), count);
    }
    timer_close(&timer);
}

/* ---- when a deadline was made ---- */

Test(timer, tells_of_slots_in_lanes_and_in_the_heap_when_their_deadline_was_made)
{
    enum { COUNT = TIMER_LANE_COUNT + 5 };
    struct timer *timer = timer_open(COUNT + 1);
    for (uint32_t slot = 0; slot < COUNT; slot++)
        timer_insert(timer, slot, 5000 + slot, 100 + 2 * slot);
    timer_insert(timer, COUNT, TIMER_DEADLINE_MS_MAX, TIMER_DEADLINE_MS_MAX);
    timer_cancel(timer, 0);
    timer_insert(timer, 0, 4000, 102); /* before the last one in its lane */
    for (uint32_t slot = 1; slot < COUNT; slot++) {
        cr_expect_eq(timer_deadline_ms(timer, slot), 5000 + slot);
        cr_expect_eq(timer_made_ms(timer, slot), 4900 - slot);
    }
    cr_expect_eq(timer_made_ms(timer, 0), 3898);
    cr_expect_eq(timer_deadline_ms(timer, COUNT), TIMER_DEADLINE_MS_MAX);
    cr_expect_eq(timer_made_ms(timer, COUNT), 0);
    timer_close(&timer);
}
