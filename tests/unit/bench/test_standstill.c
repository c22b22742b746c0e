#include "bench/standstill.h"

#include <criterion/criterion.h>

/* What watchers saw, and the standstills that follow from it. */

#define MS 1000000ull

static struct standstills standstills;

static void tear_down(void)
{
    standstills_free(&standstills);
}

TestSuite(standstill, .fini = tear_down);

static void note(uint64_t planned_ms, uint64_t back_ms, uint64_t waited_ms)
{
    cr_assert(standstills_note(&standstills, planned_ms * MS, back_ms * MS, waited_ms * MS));
}

static void expect(uint32_t at, uint64_t began_ms, uint64_t ended_ms)
{
    cr_assert_lt(at, standstills.count);
    cr_expect_eq(standstills.all[at].began_ns, began_ms * MS);
    cr_expect_eq(standstills.all[at].ended_ns, ended_ms * MS);
}

Test(standstill, a_watcher_that_is_late_without_having_waited_saw_one)
{
    note(100, 110, 0);
    cr_assert_eq(standstills.count, 1);
    expect(0, 100, 110);
}

Test(standstill, a_watcher_that_waited_for_others_on_its_cpu_saw_none)
{
    note(100, 110, 10);
    note(200, 210, 11); /* the kernel counts a moment more than the watcher */
    cr_assert_eq(standstills.count, 0);
}

Test(standstill, waiting_that_followed_one_does_not_belong_to_it)
{
    note(100, 110, 4);
    expect(0, 100, 106);
}

Test(standstill, being_a_little_late_is_none)
{
    cr_assert(standstills_note(&standstills, 100, 100 + STANDSTILL_NS_MIN - 1, 0));
    cr_assert_eq(standstills.count, 0);
}

Test(standstill, those_of_two_cpus_at_once_are_one)
{
    note(100, 110, 0);
    note(98, 109, 0);
    cr_assert_eq(standstills.count, 1);
    expect(0, 98, 110);
}

Test(standstill, those_that_one_overlaps_become_one_and_the_others_stay)
{
    note(100, 110, 0);
    note(120, 130, 0);
    note(200, 210, 0);
    note(105, 125, 0);
    cr_assert_eq(standstills.count, 2);
    expect(0, 100, 130);
    expect(1, 200, 210);
}

Test(standstill, one_that_is_told_late_comes_before_those_after_it)
{
    note(200, 210, 0);
    note(300, 310, 0);
    note(100, 150, 40);
    cr_assert_eq(standstills.count, 3);
    expect(0, 100, 110);
    expect(1, 200, 210);
    expect(2, 300, 310);
}

Test(standstill, a_time_is_touched_when_any_of_it_lies_in_one)
{
    note(100, 110, 0);
    note(200, 210, 0);
    cr_expect_not(standstills_touch(&standstills, 50 * MS, 100 * MS));
    cr_expect(standstills_touch(&standstills, 50 * MS, 101 * MS), "answered in one");
    cr_expect(standstills_touch(&standstills, 102 * MS, 150 * MS), "planned in one");
    cr_expect(standstills_touch(&standstills, 103 * MS, 104 * MS), "within");
    cr_expect(standstills_touch(&standstills, 90 * MS, 300 * MS), "around");
    cr_expect_not(standstills_touch(&standstills, 110 * MS, 200 * MS), "between");
    cr_expect_not(standstills_touch(&standstills, 210 * MS, 300 * MS), "behind the last");
}

Test(standstill, a_summary_counts_what_lies_within_its_time)
{
    for (uint64_t i = 0; i < 1000; i++) { /* the first in half, the last before the end */
        note(100 * i, 100 * i + 10, 0);
    }
    struct standstill_summary summary = {.known = true, .cpus = 2};
    standstills_sum_up(&standstills, 5 * MS, 99905 * MS, &summary);
    cr_expect_eq(summary.count, 1000);
    cr_expect_eq(summary.watched_ns, 99900 * MS);
    cr_expect_eq(summary.total_ns, (5 + 998 * 10 + 5) * MS);
    cr_expect_eq(summary.longest_ns, 10 * MS);
    cr_expect_float_eq((double)summary.median_ns, 10.0 * MS, 0.1 * MS);
    cr_expect_float_eq(standstill_share(&summary), 0.1, 1e-6);
    cr_expect(summary.known);
    cr_expect_eq(summary.cpus, 2);
}

Test(standstill, a_summary_of_none_is_zero)
{
    struct standstill_summary summary = {0};
    cr_expect_eq(standstill_share(&summary), 0);
    standstills_sum_up(&standstills, 0, 1000 * MS, &summary);
    cr_expect_eq(summary.count, 0);
    cr_expect_eq(summary.median_ns, 0);
    cr_expect_eq(standstill_share(&summary), 0);
}
