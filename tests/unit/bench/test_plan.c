#include "bench/plan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* Moments are compared with what the rate says; the order in which lines come with a slow and
 * obvious look at all of them. */

#define SECOND_NS 1000000000ull

static struct plan plan;
static uint32_t line;

static void create(enum plan_arrival arrival, uint64_t seed, uint32_t line_count, uint64_t end_ns)
{
    plan_destroy(&plan);
    cr_assert(plan_create(&plan, arrival, seed, line_count, end_ns));
}

static void begin_all(double frames_per_second)
{
    for (uint32_t i = 0; i < plan.line_count; i++) {
        plan_begin_line(&plan, i, frames_per_second);
        plan_wake(&plan, i);
    }
}

static void tear_down(void)
{
    plan_destroy(&plan);
}

TestSuite(plan, .fini = tear_down);

Test(plan, constant_lines_of_one_rate_have_equal_steps_together)
{
    create(PLAN_CONSTANT, 1, 4, PLAN_NEVER);
    begin_all(250); /* together one frame a millisecond */
    for (uint64_t i = 0; i < 1000; i++) {
        cr_assert_eq(plan_next_ns(&plan, &line), i * 1000000);
        cr_assert_eq(line, i % 4);
        plan_advance(&plan, line);
    }
}

/* A rate whose step is no whole number of nanoseconds: after a day the moment is still right. */
Test(plan, constant_line_gathers_no_error)
{
    create(PLAN_CONSTANT, 1, 1, PLAN_NEVER);
    plan_begin_line(&plan, 0, 30);
    uint64_t frames = 30ull * 24 * 3600;
    for (uint64_t i = 0; i < frames; i++) {
        plan_advance(&plan, 0);
    }
    uint64_t got = plan_line_next_ns(&plan, 0);
    cr_assert(llabs((long long)(got - 24 * 3600 * SECOND_NS)) <= 1, "%llu",
              (unsigned long long)got);
}

Test(plan, lines_of_different_rates_each_keep_their_own)
{
    create(PLAN_CONSTANT, 1, 3, SECOND_NS);
    plan_begin_line(&plan, 0, 100);
    plan_begin_line(&plan, 2, 700); /* line 1 never begins */
    plan_wake(&plan, 0);
    plan_wake(&plan, 1);
    plan_wake(&plan, 2);
    uint32_t counts[3] = {0};
    while (plan_next_ns(&plan, &line) != PLAN_NEVER) {
        counts[line]++;
        plan_advance(&plan, line);
    }
    cr_assert_eq(counts[0], 100);
    cr_assert_eq(counts[1], 0);
    cr_assert_eq(counts[2], 700);
}

Test(plan, poisson_steps_of_all_lines_together_are_exponential)
{
    enum { LINES = 8, COUNT = 200000 };
    create(PLAN_POISSON, 42, LINES, PLAN_NEVER);
    begin_all(10000.0 / LINES);
    double sum = 0;
    double squares = 0;
    uint32_t longer_than_mean = 0;
    uint64_t before_ns = 0;
    for (int i = 0; i < COUNT; i++) {
        uint64_t at_ns = plan_next_ns(&plan, &line);
        cr_assert_geq(at_ns, before_ns);
        double step_us = (double)(at_ns - before_ns) / 1e3;
        sum += step_us;
        squares += step_us * step_us;
        longer_than_mean += step_us > 100;
        before_ns = at_ns;
        plan_advance(&plan, line);
    }
    /* mean 100 us, deviation the same, and the share e^-1 is longer; five standard errors each */
    double mean = sum / COUNT;
    double deviation = sqrt(squares / COUNT - mean * mean);
    cr_assert_float_eq(mean, 100, 5 * 100 / sqrt(COUNT));
    cr_assert_float_eq(deviation, 100, 5 * 100 / sqrt(COUNT) * sqrt(2));
    cr_assert_float_eq((double)longer_than_mean / COUNT, exp(-1), 5 * 0.49 / sqrt(COUNT));
}

static void take_moments(uint64_t seed, uint64_t *moments, int count)
{
    create(PLAN_POISSON, seed, 5, PLAN_NEVER);
    begin_all(1000);
    for (int i = 0; i < count; i++) {
        moments[i] = plan_next_ns(&plan, &line);
        plan_advance(&plan, line);
    }
}

Test(plan, same_seed_gives_the_same_moments_and_another_one_others)
{
    enum { COUNT = 1000 };
    static uint64_t first[COUNT];
    static uint64_t second[COUNT];
    take_moments(7, first, COUNT);
    take_moments(7, second, COUNT);
    cr_assert_arr_eq(first, second, sizeof first);
    take_moments(8, second, COUNT);
    int equal = 0;
    for (int i = 0; i < COUNT; i++) {
        equal += first[i] == second[i];
    }
    cr_assert_lt(equal, 10);
}

Test(plan, no_moment_is_at_or_after_the_end)
{
    create(PLAN_CONSTANT, 1, 2, SECOND_NS);
    begin_all(50);
    int count = 0;
    while (plan_next_ns(&plan, &line) != PLAN_NEVER) {
        cr_assert_lt(plan_next_ns(&plan, &line), SECOND_NS);
        cr_assert_not(plan_is_done(&plan));
        plan_advance(&plan, line);
        count++;
    }
    cr_assert_eq(count, 100);
    cr_assert(plan_is_done(&plan));
    cr_assert_eq(plan_reached_ns(&plan), PLAN_NEVER);
}

Test(plan, line_that_sleeps_keeps_its_moments_and_its_backlog)
{
    create(PLAN_CONSTANT, 1, 2, PLAN_NEVER);
    begin_all(1000); /* line 0 at 0 ms, 1 ms ..; line 1 at 0.5 ms, 1.5 ms .. */
    plan_sleep(&plan, 0);
    plan_sleep(&plan, 0);
    for (int i = 0; i < 5; i++) {
        plan_next_ns(&plan, &line);
        cr_assert_eq(line, 1);
        plan_advance(&plan, line);
    }
    cr_assert_eq(plan_reached_ns(&plan), 0, "line 0 has sent nothing");
    plan_wake(&plan, 0);
    plan_wake(&plan, 0);
    for (uint64_t i = 0; i < 6; i++) {
        cr_assert_eq(plan_next_ns(&plan, &line), i * 1000000);
        cr_assert_eq(line, 0);
        plan_advance(&plan, 0);
    }
    cr_assert_eq(plan_reached_ns(&plan), 5500000);
}

Test(plan, line_that_ended_cannot_be_woken)
{
    create(PLAN_CONSTANT, 1, 2, PLAN_NEVER);
    begin_all(10);
    plan_end_line(&plan, 0);
    plan_end_line(&plan, 0);
    plan_wake(&plan, 0);
    plan_next_ns(&plan, &line);
    cr_assert_eq(line, 1);
    cr_assert_eq(plan_line_next_ns(&plan, 0), PLAN_NEVER);
    cr_assert_not(plan_is_done(&plan));
    plan_end_line(&plan, 1);
    cr_assert(plan_is_done(&plan));
    cr_assert_eq(plan_next_ns(&plan, &line), PLAN_NEVER);
}

/* The earliest of all lines that are awake, found by looking at each. */
static uint64_t model_next_ns(const bool *awake, uint32_t *line_out)
{
    uint64_t earliest_ns = PLAN_NEVER;
    for (uint32_t i = 0; i < plan.line_count; i++) {
        if (awake[i] && plan_line_next_ns(&plan, i) < earliest_ns) {
            earliest_ns = plan_line_next_ns(&plan, i);
            *line_out = i;
        }
    }
    return earliest_ns;
}

Test(plan, the_earliest_line_that_is_awake_is_found_whatever_happened_before)
{
    enum { LINES = 37, STEPS = 200000 };
    bool awake[LINES];
    unsigned seed = 20260214;
    srandom(seed);
    create(PLAN_POISSON, seed, LINES, 3 * SECOND_NS);
    for (uint32_t i = 0; i < LINES; i++) {
        plan_begin_line(&plan, i, 100.0 * (1 + i % 5));
        plan_wake(&plan, i);
        awake[i] = true;
    }
    for (int step = 0; step < STEPS; step++) {
        uint32_t expected_line = 0;
        uint64_t expected_ns = model_next_ns(awake, &expected_line);
        cr_assert_eq(plan_next_ns(&plan, &line), expected_ns, "seed %u, step %d", seed, step);
        cr_assert(expected_ns == PLAN_NEVER || line == expected_line, "seed %u, step %d", seed,
                  step);
        uint32_t other = (uint32_t)random() % LINES;
        switch (random() % 3) {
        case 0:
            if (expected_ns != PLAN_NEVER) {
                plan_advance(&plan, line);
            }
            break;
        case 1:
            plan_sleep(&plan, other);
            awake[other] = false;
            break;
        default:
            plan_wake(&plan, other);
            awake[other] = true;
            break;
        }
    }
    cr_assert(plan_is_done(&plan));
}
