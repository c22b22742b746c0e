#ifndef HF_BENCH_SERIES_H
#define HF_BENCH_SERIES_H
/* All the runs that one command line asks for, one after the other, and their report. */

#include "bench/options.h"

/* How holdfast-bench ends. */
enum series_end {
    SERIES_DONE = 0,
    SERIES_USAGE = 1, /* what was asked for can't be begun */
    SERIES_TROUBLE = 2,
    SERIES_BOOKS_WRONG = 3,
};

/* The first run that did not end well is the last. What is wrong is told on stderr, the report goes
 * to stdout. */
enum series_end series_run(const struct bench_options *options);

#endif
