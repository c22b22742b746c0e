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
