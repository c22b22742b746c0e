#ifndef HF_BENCH_HISTOGRAM_H
#define HF_BENCH_HISTOGRAM_H
/* Counts of latencies in log-linear buckets, after HdrHistogram: each power of two is cut into 128
 * equal parts, so a value read back is at most 0.8 % too high, from nanoseconds to minutes, in
 * constant memory. One thread. */

#include <stdbool.h>
#include <stdint.h>

enum {
    HISTOGRAM_PART_BITS = 7,
    HISTOGRAM_PARTS = 1 << HISTOGRAM_PART_BITS,
    HISTOGRAM_VALUE_BITS = 42, /* 2^42 ns = 73 minutes; longer ones count as that */
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_PART_BITS + 1) * HISTOGRAM_PARTS,
};

/* All zero is an empty one. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t value_max;
};

/* Counts `value` `times` times. */
void histogram_record(struct histogram *histogram, uint64_t value, uint64_t times);

/* Adds all that `other` counted. */
void histogram_add(struct histogram *histogram, const struct histogram *other);

/* The smallest value that at least the share `fraction` (0 to 1) of all values does not exceed,
 * rounded up to the end of its bucket but not above the largest value. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double fraction);

/* The next bucket from number `*bucket` on that holds something: the largest value that falls into
 * it, and how many did. `*bucket` becomes the number after it; begin with 0. False when there is
 * none. */
bool histogram_next(const struct histogram *histogram, uint32_t *bucket, uint64_t *end_out,
                    uint64_t *count_out);

#endif
