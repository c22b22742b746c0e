#include "bench/figures.h"

#include "base/assert.h"

#include <math.h>
#include <stdlib.h>

const struct figures_quantile figures_quantiles[FIGURES_QUANTILES] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};

/* What figures_median() takes them for. */
enum { FIGURES_COUNT = 4 + (2 + 3 * LOAD_KINDS) * FIGURES_QUANTILES };
static_assert(sizeof(struct figures) == FIGURES_COUNT * sizeof(double), "doubles and nothing else");

static double per_row_us(uint64_t ns, uint64_t rows)
{
    return rows > 0 ? (double)ns / 1e3 / (double)rows : NAN;
}

void figures_quantiles_us(double *us_out, const struct histogram *histogram)
{
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        us_out[i] = histogram->count > 0
                        ? (double)histogram_quantile(histogram, figures_quantiles[i].fraction) / 1e3
                        : NAN;
    }
}

static void take_times(double (*us_out)[FIGURES_QUANTILES], const struct load_times *times)
{
    for (int kind = 0; kind < LOAD_KINDS; kind++) {
        figures_quantiles_us(us_out[kind], &times->kinds[kind]);
    }
}

static void take_clicks(double *us_out, const struct load_times *times)
{
    struct histogram all = {0};
    load_add_clicks(&all, times);
    figures_quantiles_us(us_out, &all);
}

void figures_take(struct figures *out, const struct load_result *result)
{
    uint64_t clicks = load_answered(result, WIRE_RESERVE);
    double seconds = (double)result->clicks_elapsed_ns / 1e9;
    out->per_second = seconds > 0 ? (double)clicks / seconds : 0;
    out->server_cpu_us =
        result->server_cpu_known ? per_row_us(result->server_cpu_ns, result->answered) : NAN;
    out->own_cpu_us = per_row_us(result->own_cpu_ns, result->answered);
    out->stood_still = result->standstills.known ? standstill_share(&result->standstills) : NAN;
    take_clicks(out->clicks_us, &result->latency);
    take_clicks(out->outside_clicks_us, &result->outside);
    take_times(out->latency_us, &result->latency);
    take_times(out->service_us, &result->service);
    take_times(out->outside_us, &result->outside);
}

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

void figures_median(struct figures *out, const struct figures *figures, uint32_t runs)
{
    hf_assert(runs >= 1 && runs <= BENCH_RUNS_MAX);
    for (uint32_t at = 0; at < FIGURES_COUNT; at++) {
        double values[BENCH_RUNS_MAX] = {0};
        uint32_t count = 0;
        for (uint32_t run = 0; run < runs; run++) {
            double value = ((const double *)&figures[run])[at];
            if (!isnan(value)) {
                values[count++] = value;
            }
        }
        qsort(values, count, sizeof values[0], by_size);
        ((double *)out)[at] = count > 0 ? (values[(count - 1) / 2] + values[count / 2]) / 2 : NAN;
    }
}
