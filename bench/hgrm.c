#include "bench/hgrm.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>

/* A line has a value, the share of all that does not exceed it, how many those are, and 1 / (1 -
 * share), which is what is drawn. As in HdrHistogram there are five lines for each halving of what
 * is left above: 0, 0.1 ... 0.4, 0.5, 0.55 ... 0.7, 0.75, and so on until all are below; values
 * that are the same stand in several lines. */

enum { TICKS_PER_HALVING = 5 };

static double share_of_line(int line)
{
    int halvings = line / TICKS_PER_HALVING;
    double left = exp2(-halvings); /* above the last one */
    return 1 - left + left / 2 * (line % TICKS_PER_HALVING) / TICKS_PER_HALVING;
}

/* Mean and deviation, from the ends of the buckets. */
static void write_foot(FILE *file, const struct histogram *histogram)
{
    double sum = 0;
    double squares = 0;
    double total = (double)histogram->count;
    uint32_t bucket = 0;
    uint64_t end;
    uint64_t count;
    while (histogram_next(histogram, &bucket, &end, &count)) {
        sum += (double)end / 1e3 * (double)count;
        squares += (double)end / 1e3 * ((double)end / 1e3) * (double)count;
    }
    double mean = total > 0 ? sum / total : 0;
    double variance = total > 0 ? squares / total - mean * mean : 0;
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean,
            variance > 0 ? sqrt(variance) : 0);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n",
            (double)histogram->value_max / 1e3, histogram->count);
    fprintf(file, "#[Buckets = %12d, SubBuckets     = %12d]\n",
            HISTOGRAM_VALUE_BITS - HISTOGRAM_PART_BITS, 2 * HISTOGRAM_PARTS);
}

void hgrm_write(FILE *file, const struct histogram *histogram)
{
    uint32_t bucket = 0;
    uint64_t end;
    uint64_t count;
    uint64_t seen = 0;
    int line = 0;
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    while (histogram_next(histogram, &bucket, &end, &count)) {
        seen += count;
        double us = (double)(end < histogram->value_max ? end : histogram->value_max) / 1e3;
        double below = (double)seen / (double)histogram->count;
        for (; share_of_line(line) <= below && seen < histogram->count; line++) {
            double share = share_of_line(line);
            fprintf(file, "%12.3f %2.12f %10" PRIu64 " %14.2f\n", us, share, seen, 1 / (1 - share));
        }
    }
    if (histogram->count > 0) {
        fprintf(file, "%12.3f %2.12f %10" PRIu64 "\n", (double)histogram->value_max / 1e3, 1.0,
                histogram->count);
    }
    write_foot(file, histogram);
}
