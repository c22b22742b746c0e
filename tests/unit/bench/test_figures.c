#include "bench/figures.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* What a run is in numbers, and the median of several. */

static struct load_result result; /* large */

static void set_up(void)
{
    memset(&result, 0, sizeof result);
}

TestSuite(figures, .init = set_up);

Test(figures, of_a_run_are_its_rate_its_percentiles_and_what_a_row_costs)
{
    result.results[WIRE_RESERVE][HOLDFAST__V1__RESULT__RESULT_OK] = 300;
    result.results[WIRE_RESERVE][HOLDFAST__V1__RESULT__RESULT_SOLD_OUT] = 100;
    result.results[WIRE_CONFIRM][HOLDFAST__V1__RESULT__RESULT_OK] = 600;
    result.answered = 1000;
    result.clicks_elapsed_ns = 500 * 1000 * 1000;
    result.own_cpu_ns = 2 * 1000 * 1000;
    histogram_record(&result.latency.kinds[LOAD_ACCEPTED], 1000, 298);
    histogram_record(&result.latency.kinds[LOAD_ACCEPTED], 5000, 2);

    struct figures figures;
    figures_take(&figures, &result);
    cr_expect_float_eq(figures.per_second, 800, 1e-9);
    cr_expect_float_eq(figures.own_cpu_us, 2, 1e-9);
    cr_expect(isnan(figures.server_cpu_us), "not known");
    const double *accepted = figures.latency_us[LOAD_ACCEPTED];
    cr_expect_float_eq(accepted[0], 1, 0.01);
    cr_expect_float_eq(accepted[2], 1, 0.01);
    cr_expect_float_eq(accepted[3], 5, 0.01);
    cr_expect_float_eq(accepted[5], 5, 0.01);
    cr_expect(isnan(figures.latency_us[LOAD_REFUSED][0]), "no such latency was counted");
    cr_expect(isnan(figures.service_us[LOAD_ACCEPTED][0]));
}

Test(figures, of_a_run_that_stood_still_are_the_share_and_the_latencies_outside)
{
    histogram_record(&result.latency.kinds[LOAD_REFUSED], 9000, 10);
    histogram_record(&result.outside.kinds[LOAD_REFUSED], 1000, 9);
    result.standstills.watched_ns = 1000;
    result.standstills.total_ns = 50;
    struct figures figures;
    figures_take(&figures, &result);
    cr_expect(isnan(figures.stood_still), "not known");
    result.standstills.known = true;
    figures_take(&figures, &result);
    cr_expect_float_eq(figures.stood_still, 0.05, 1e-9);
    cr_expect_float_eq(figures.latency_us[LOAD_REFUSED][0], 9, 0.1);
    cr_expect_float_eq(figures.outside_us[LOAD_REFUSED][0], 1, 0.01);
    cr_expect_float_eq(figures.outside_clicks_us[0], 1, 0.01);
}

Test(figures, of_a_run_without_answers_are_no_numbers)
{
    struct figures figures;
    figures_take(&figures, &result);
    cr_expect_eq(figures.per_second, 0);
    cr_expect(isnan(figures.own_cpu_us));
    cr_expect(isnan(figures.latency_us[LOAD_ACCEPTED][0]));
}

static struct figures all_of(double value)
{
    struct figures figures;
    for (size_t i = 0; i < sizeof figures / sizeof(double); i++) {
        ((double *)&figures)[i] = value;
    }
    return figures;
}

Test(figures, median_takes_each_figure_by_itself)
{
    struct figures runs[3] = {all_of(10), all_of(30), all_of(20)};
    runs[0].per_second = 99;
    runs[2].service_us[LOAD_CANCEL][FIGURES_QUANTILES - 1] = 5;
    struct figures median;
    figures_median(&median, runs, 3);
    cr_expect_eq(median.per_second, 30);
    cr_expect_eq(median.server_cpu_us, 20);
    cr_expect_eq(median.latency_us[LOAD_ACCEPTED][0], 20);
    cr_expect_eq(median.service_us[LOAD_CANCEL][FIGURES_QUANTILES - 1], 10);
}

Test(figures, median_of_an_even_number_is_between_the_middle_two)
{
    struct figures runs[4] = {all_of(1), all_of(100), all_of(4), all_of(2)};
    struct figures median;
    figures_median(&median, runs, 4);
    cr_expect_eq(median.per_second, 3);
    figures_median(&median, runs, 1);
    cr_expect_eq(median.per_second, 1);
}

Test(figures, median_leaves_out_runs_that_do_not_have_a_figure)
{
    struct figures runs[3] = {all_of(NAN), all_of(7), all_of(NAN)};
    struct figures median;
    figures_median(&median, runs, 3);
    cr_expect_eq(median.per_second, 7);
    runs[1] = all_of(NAN);
    figures_median(&median, runs, 3);
    cr_expect(isnan(median.per_second));
}
