#ifndef HF_BENCH_FIGURES_H
#define HF_BENCH_FIGURES_H
/* A run in numbers that can be compared with those of another: rate, percentiles, costs. */

#include "bench/load.h"

#include <stdint.h>

enum { FIGURES_QUANTILES = 6 };

/* "p50", 0.5, up to "max", 1. */
struct figures_quantile {
    const char *name;
    double fraction;
};
extern const struct figures_quantile figures_quantiles[FIGURES_QUANTILES];

/* All of it numbers of one type. NAN where there is nothing to tell. */
struct figures {
    double per_second;    /* clicks answered */
    double server_cpu_us; /* per row, as the next one */
    double own_cpu_us;
    double stood_still;                  /* share of the time */
    double clicks_us[FIGURES_QUANTILES]; /* latency of all kinds of answers to reserve */
    double latency_us[LOAD_KINDS][FIGURES_QUANTILES];
    double service_us[LOAD_KINDS][FIGURES_QUANTILES];
    double outside_us[LOAD_KINDS][FIGURES_QUANTILES]; /* latency outside standstills */
    double outside_clicks_us[FIGURES_QUANTILES];
};

/* A histogram of nanoseconds in FIGURES_QUANTILES microseconds; NAN when it is empty. */
void figures_quantiles_us(double *us_out, const struct histogram *histogram);

void figures_take(struct figures *out, const struct load_result *result);

/* Of each figure by itself, among the runs that have it; of an even number the mean of the middle
 * two. `runs` is at least 1, at most BENCH_RUNS_MAX. */
void figures_median(struct figures *out, const struct figures *figures, uint32_t runs);

#endif
