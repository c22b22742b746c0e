#ifndef HF_BENCH_OUTPUTS_H
#define HF_BENCH_OUTPUTS_H
/* The files beside the report: a line per run (--csv), and the latencies of all runs in
 * HdrHistogram's format (--hgrm). Those that were not asked for stay out. */

#include "bench/figures.h"
#include "bench/load.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct outputs {
    FILE *csv;
    FILE *hgrm;
    struct histogram clicks; /* of all runs, for the latter */
    char trouble[256];
};

/* Opens and empties them. False with `trouble`; closing is fine then too. */
bool outputs_open(struct outputs *outputs, const struct bench_options *options);

/* The next run has ended: `number` counts from 1. */
void outputs_run(struct outputs *outputs, uint32_t number, const struct bench_options *options,
                 const struct load_result *result, const struct figures *figures);

/* False with `trouble`, when there was any. */
bool outputs_close(struct outputs *outputs, const struct bench_options *options);

#endif
