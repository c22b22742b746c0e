#include "bench/warnings.h"

#include <criterion/criterion.h>
#include <string.h>

/* What a reader of the figures is warned of, and what not. */

static struct load_result result; /* large */
static char warnings[WARNINGS_MAX][WARNING_BYTES];

static void set_up(void)
{
    memset(&result, 0, sizeof result);
    result.answered = 1000;
    result.elapsed_ns = 1000 * 1000 * 1000;
    result.busiest.elapsed_ns = result.elapsed_ns;
}

TestSuite(warnings, .init = set_up);

Test(warnings, a_generator_with_time_to_spare_is_none)
{
    result.busiest.cpu_ns = 600 * 1000 * 1000;
    result.busiest.wait_ns = 300 * 1000 * 1000;
    cr_assert_eq(warnings_find(&result, warnings), 0);
}

Test(warnings, a_generator_that_always_ran_or_waited_for_a_cpu_was_the_limit)
{
    result.busiest.cpu_ns = 990 * 1000 * 1000;
    cr_assert_eq(warnings_find(&result, warnings), 1);
    cr_expect_not_null(strstr(warnings[0], "was the limit: its busiest thread ran 99 %"), "%s",
                       warnings[0]);
    result.busiest.cpu_ns = 600 * 1000 * 1000;
    result.busiest.wait_ns = 390 * 1000 * 1000;
    cr_assert_eq(warnings_find(&result, warnings), 1);
    cr_expect_not_null(strstr(warnings[0], "waited for a CPU another 39 %"), "%s", warnings[0]);
}

Test(warnings, an_open_loop_that_is_awake_before_each_moment_is_no_limit)
{
    result.busiest.cpu_ns = result.elapsed_ns;
    histogram_record(&result.pace.own_delay, 1000, 1000);
    cr_assert_eq(warnings_find(&result, warnings), 0);
}

Test(warnings, frames_that_left_late_and_those_that_never_left_are_told)
{
    histogram_record(&result.pace.own_delay, 1000, 990);
    histogram_record(&result.pace.own_delay, 5 * 1000 * 1000, 10);
    result.pace.late = 10;
    result.pace.behind_ns = 2000ull * 1000 * 1000;
    cr_assert_eq(warnings_find(&result, warnings), 2);
    cr_expect_not_null(strstr(warnings[0], "10 of 1000 frames (1 %)"), "%s", warnings[0]);
    cr_expect_not_null(strstr(warnings[0], "from p99 up"), "%s", warnings[0]);
    cr_expect_not_null(strstr(warnings[1], "2.000 s behind"), "%s", warnings[1]);
}

Test(warnings, a_machine_that_stood_still_for_more_than_a_hundredth_of_the_time_is_told)
{
    result.standstills = (struct standstill_summary){
        .known = true,
        .watched_ns = 1000 * 1000 * 1000,
        .total_ns = 10 * 1000 * 1000,
        .longest_ns = 7500 * 1000,
    };
    cr_assert_eq(warnings_find(&result, warnings), 0);
    result.standstills.total_ns = 55 * 1000 * 1000;
    cr_assert_eq(warnings_find(&result, warnings), 1);
    cr_expect_not_null(strstr(warnings[0], "for 5.5 % of the time, up to 7.5 ms at once"), "%s",
                       warnings[0]);
}

Test(warnings, a_run_without_answers_is_none)
{
    result.answered = 0;
    result.elapsed_ns = 0;
    result.busiest.cpu_ns = 1000;
    cr_assert_eq(warnings_find(&result, warnings), 0);
}
