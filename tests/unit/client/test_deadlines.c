#include "deadlines.h"

#include "random.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

static struct deadlines deadlines;

static void init(void)
{
    deadlines_init(&deadlines, 1000);
}

TestSuite(deadlines, .init = init);

Test(deadlines, empty_wheel_has_nothing_due_ever)
{
    cr_expect_null(deadlines_pop_due(&deadlines, 1000000));
    cr_expect_eq(deadlines_next_ms(&deadlines), UINT64_MAX);
}

Test(deadlines, due_at_its_millisecond_and_not_before)
{
    struct deadline deadline;
    deadlines_add(&deadlines, &deadline, 1500);
    cr_expect_eq(deadlines_next_ms(&deadlines), 1500);
    cr_expect_null(deadlines_pop_due(&deadlines, 1499));
    cr_expect_eq(deadlines_pop_due(&deadlines, 1500), &deadline);
    cr_expect_null(deadlines_pop_due(&deadlines, 1500));
}

Test(deadlines, removed_one_is_never_due)
{
    struct deadline deadline;
    deadlines_add(&deadlines, &deadline, 1500);
    deadlines_remove(&deadline);
    cr_expect_null(deadlines_pop_due(&deadlines, 9000));
    deadlines_remove(&deadline); /* harmless */
}

Test(deadlines, one_that_has_passed_is_due_soon)
{
    struct deadline deadline;
    deadlines_add(&deadlines, &deadline, 3);
    cr_expect_eq(deadlines_pop_due(&deadlines, 1001), &deadline);
}

Test(deadlines, one_beyond_a_turn_of_the_wheel_waits_for_its_own_turn)
{
    struct deadline deadline;
    uint64_t at_ms = 1000 + 3 * DEADLINE_SLOT_COUNT + 5;
    deadlines_add(&deadlines, &deadline, at_ms);
    for (uint64_t now_ms = 1000; now_ms < at_ms; now_ms += 7)
        cr_assert_null(deadlines_pop_due(&deadlines, now_ms));
    cr_expect_eq(deadlines_pop_due(&deadlines, at_ms), &deadline);
}

Test(deadlines, long_pause_makes_all_due_at_once)
{
    struct deadline some[100];
    for (uint64_t i = 0; i < 100; i++)
        deadlines_add(&deadlines, &some[i], 1001 + i * 97);
    uint32_t count = 0;
    while (deadlines_pop_due(&deadlines, 1000000))
        count++;
    cr_expect_eq(count, 100);
}

/* The wheel against a plain array: random additions, removals and steps of time. */
Test(deadlines, random_use_agrees_with_a_plain_array)
{
    enum { COUNT = 300, STEPS = 20000 };
    static struct deadline some[COUNT];
    static bool is_in[COUNT];
    unsigned seed = (unsigned)time(NULL);
    cr_log_info("seed %u", seed);
    struct test_random random;
    test_random_init(&random, seed);
    uint64_t now_ms = 1000;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t i = test_random_below(&random, COUNT);
        if (!is_in[i])
            deadlines_add(&deadlines, &some[i], now_ms + 1 + test_random_below(&random, 10000));
        else if (test_random_below(&random, 2))
            deadlines_remove(&some[i]);
        else
            continue;
        is_in[i] = !is_in[i];
        now_ms += test_random_below(&random, 3) == 0 ? test_random_below(&random, 100) : 0;

        uint64_t next_ms = deadlines_next_ms(&deadlines);
        for (uint32_t k = 0; k < COUNT; k++)
            cr_assert(!is_in[k] || some[k].at_ms >= next_ms, "seed %u", seed);
        struct deadline *due;
        while ((due = deadlines_pop_due(&deadlines, now_ms))) {
            cr_assert(is_in[due - some] && due->at_ms <= now_ms, "seed %u", seed);
            is_in[due - some] = false;
        }
        for (uint32_t k = 0; k < COUNT; k++)
            cr_assert(!is_in[k] || some[k].at_ms > now_ms, "seed %u", seed);
    }
}
