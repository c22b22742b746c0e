#include "bench/histogram.h"

#include <math.h>

/* Values below 128 have a bucket each. Above, with the highest bit at position e, the 7 bits below
 * it choose one of 128 buckets of width 2^(e-7):
 *
 *     value   0 .. 127     bucket = value
 *     value 128 .. 255     bucket = 128 + (value - 128)        width 1
 *     value 256 .. 511     bucket = 256 + (value - 256) / 2    width 2   and so on */

static uint32_t bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_PARTS) {
        return (uint32_t)value;
    }
    uint32_t exponent = 63 - (uint32_t)__builtin_clzll(value);
    uint32_t shift = exponent - HISTOGRAM_PART_BITS;
    return shift * HISTOGRAM_PARTS + (uint32_t)(value >> shift);
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(uint32_t bucket)
{
    if (bucket < 2 * HISTOGRAM_PARTS) {
        return bucket;
    }
    uint32_t shift = bucket / HISTOGRAM_PARTS - 1;
    uint64_t part = bucket - shift * HISTOGRAM_PARTS;
    return ((part + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value, uint64_t times)
{
    if (times == 0) {
        return;
    }
    uint64_t limit = (1ull << HISTOGRAM_VALUE_BITS) - 1;
    histogram->counts[bucket_of(value < limit ? value : limit)] += times;
    histogram->count += times;
    if (value > histogram->value_max) {
        histogram->value_max = value;
    }
}

void histogram_add(struct histogram *histogram, const struct histogram *other)
{
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->counts[i] += other->counts[i];
    }
    histogram->count += other->count;
    if (other->value_max > histogram->value_max) {
        histogram->value_max = other->value_max;
    }
}

uint64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
    uint64_t rank = (uint64_t)ceil(fraction * (double)histogram->count);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && seen >= rank) {
            uint64_t end = bucket_end(i);
            return end < histogram->value_max ? end : histogram->value_max;
        }
    }
    return histogram->value_max;
}

bool histogram_next(const struct histogram *histogram, uint32_t *bucket, uint64_t *end_out,
                    uint64_t *count_out)
{
    while (*bucket < HISTOGRAM_BUCKETS) {
        uint32_t at = (*bucket)++;
        if (histogram->counts[at] > 0) {
            *end_out = bucket_end(at);
            *count_out = histogram->counts[at];
            return true;
        }
    }
    return false;
}
