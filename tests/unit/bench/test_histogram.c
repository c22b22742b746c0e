#include "bench/histogram.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct histogram histogram;

Test(histogram, empty_has_only_zero_quantiles)
{
    cr_assert_eq(histogram_quantile(&histogram, 0.5), 0);
    cr_assert_eq(histogram_quantile(&histogram, 1), 0);
}

Test(histogram, values_below_256_are_exact)
{
    for (uint64_t value = 0; value < 256; value++) {
        histogram_record(&histogram, value, 1);
    }
    cr_assert_eq(histogram_quantile(&histogram, 0), 0);
    cr_assert_eq(histogram_quantile(&histogram, 0.5), 127);
    cr_assert_eq(histogram_quantile(&histogram, 0.25), 63);
    cr_assert_eq(histogram_quantile(&histogram, 1), 255);
}

Test(histogram, one_value_is_every_quantile)
{
    histogram_record(&histogram, 123456789, 1);
    cr_assert_eq(histogram_quantile(&histogram, 0), 123456789);
    cr_assert_eq(histogram_quantile(&histogram, 0.5), 123456789);
    cr_assert_eq(histogram_quantile(&histogram, 1), 123456789);
}

Test(histogram, times_weighs_a_value)
{
    histogram_record(&histogram, 10, 99);
    histogram_record(&histogram, 20, 1);
    histogram_record(&histogram, 30, 0);
    cr_assert_eq(histogram.count, 100);
    cr_assert_eq(histogram_quantile(&histogram, 0.99), 10);
    cr_assert_eq(histogram_quantile(&histogram, 0.991), 20);
    cr_assert_eq(histogram.value_max, 20);
}

Test(histogram, huge_value_counts_and_max_stays_exact)
{
    histogram_record(&histogram, 5, 9);
    histogram_record(&histogram, UINT64_MAX, 1);
    cr_assert_eq(histogram_quantile(&histogram, 0.9), 5);
    cr_assert_eq(histogram.value_max, UINT64_MAX);
}

Test(histogram, adding_two_counts_both)
{
    static struct histogram other;
    histogram_record(&histogram, 100, 3);
    histogram_record(&other, 200, 2);
    histogram_add(&histogram, &other);
    cr_assert_eq(histogram.count, 5);
    cr_assert_eq(histogram_quantile(&histogram, 0.6), 100);
    cr_assert_eq(histogram_quantile(&histogram, 1), 200);
}

Test(histogram, walk_over_the_buckets_meets_all_that_was_counted_and_can_be_counted_again)
{
    static struct histogram again;
    const uint64_t values[] = {0, 7, 7, 255, 300, 301, 1000000, 123456789, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        histogram_record(&histogram, values[i], i + 1);
    }
    uint32_t bucket = 0;
    uint64_t end;
    uint64_t count;
    uint64_t end_before = 0;
    int met = 0;
    while (histogram_next(&histogram, &bucket, &end, &count)) {
        cr_assert(met == 0 || end > end_before);
        histogram_record(&again, end, count);
        end_before = end;
        met++;
    }
    cr_assert_eq(met, 7, "two sevens and the neighbours 300 and 301 share a bucket");
    cr_assert_arr_eq(again.counts, histogram.counts, sizeof histogram.counts);
}

Test(histogram, empty_has_no_bucket_to_walk_to)
{
    uint32_t bucket = 0;
    uint64_t end;
    uint64_t count;
    cr_assert_not(histogram_next(&histogram, &bucket, &end, &count));
}

/* What is promised: within 1 %, from a microsecond to minutes. */
Test(histogram, bucket_is_narrower_than_a_hundredth_of_its_values)
{
    for (uint64_t value = 1000; value < 600ull * 1000 * 1000 * 1000; value += value / 300) {
        static struct histogram one;
        one = (struct histogram){0};
        histogram_record(&one, value, 1);
        uint32_t bucket = 0;
        uint64_t end;
        uint64_t count;
        cr_assert(histogram_next(&one, &bucket, &end, &count));
        cr_assert(end >= value && (end - value) * 100 < value, "%llu", (unsigned long long)value);
    }
}

static int by_value(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Against the obvious model: the sorted list of all values. */
Test(histogram, quantiles_of_random_values_are_at_most_one_part_too_high)
{
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    unsigned seed = 20260117;
    srandom(seed);
    for (int i = 0; i < COUNT; i++) {
        int bits = (int)(random() % 40);
        uint64_t top = 1ull << bits;
        values[i] = top | ((uint64_t)random() * 8191 % top);
        histogram_record(&histogram, values[i], 1);
    }
    qsort(values, COUNT, sizeof values[0], by_value);
    for (int rank = 1; rank <= COUNT; rank += 7) {
        uint64_t expected = values[rank - 1];
        uint64_t got = histogram_quantile(&histogram, ((double)rank - 0.5) / COUNT);
        cr_assert_geq(got, expected, "seed %u, rank %d", seed, rank);
        cr_assert_leq(got, expected + expected / HISTOGRAM_PARTS, "seed %u, rank %d", seed, rank);
    }
}
