#ifndef HF_BENCH_HGRM_H
#define HF_BENCH_HGRM_H
/* A histogram as text in the percentile format of HdrHistogram (.hgrm), which its plotFiles.html
 * and others read. */

#include "bench/histogram.h"

#include <stdio.h>

/* Nanoseconds go in, microseconds come out. */
void hgrm_write(FILE *file, const struct histogram *histogram);

#endif
