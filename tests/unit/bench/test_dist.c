#include "bench/dist.h"

#include "bench/chance.h"

#include <criterion/criterion.h>
#include <math.h>
#include <random.h>

/* How often each item is chosen, against how often it should be. */

enum { CHOICES = 1000 * 1000 };

/* Against the exact shares, by Pearson's chi-square. Its mean is the number of degrees of freedom,
 * its variance twice that, and far out it is nearly normal: more than 6 standard deviations above
 * the mean come once in hundreds of millions of tests. An entry of share 0 is never chosen. */
static void check_choices(const char *name, const struct dist_table *table, const double *shares,
                          uint64_t seed)
{
    uint64_t *counts = calloc(table->count, sizeof counts[0]);
    cr_assert_not_null(counts);
    for (uint64_t i = 0; i < CHOICES; i++) {
        uint32_t choice = dist_table_pick(table, chance_bits(seed, SALT_ITEM, i));
        cr_assert_lt(choice, table->count);
        counts[choice]++;
    }
    double chi_square = 0;
    double freedom = -1;
    for (uint32_t i = 0; i < table->count; i++) {
        double expected = shares[i] * CHOICES;
        if (expected == 0) {
            cr_expect_eq(counts[i], 0, "%s, seed %llu", name, (unsigned long long)seed);
            continue;
        }
        chi_square += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
        freedom++;
    }
    double bound = freedom + 6 * sqrt(2 * freedom) + 12;
    cr_expect(chi_square <= bound, "%s, seed %llu: chi-square %.1f, bound %.1f", name,
              (unsigned long long)seed, chi_square, bound);
    free(counts);
}

static void check_dist(const char *text, uint32_t count, uint64_t seed)
{
    struct dist dist;
    cr_assert(dist_parse(text, &dist), "%s", text);
    double *shares = malloc(count * sizeof shares[0]);
    cr_assert_not_null(shares);
    double sum = 0;
    double harmonic = dist_harmonic(&dist, count);
    for (uint32_t i = 0; i < count; i++) {
        shares[i] = dist_share(&dist, i, count, harmonic);
        sum += shares[i];
    }
    cr_expect_float_eq(sum, 1, 1e-9, "%s of %u: shares add up to %.12f", text, count, sum);
    struct dist_table table;
    cr_assert(dist_table_create(&table, shares, count));
    check_choices(text, &table, shares, seed);
    dist_table_destroy(&table);
    free(shares);
}

Test(dist, choices_are_as_often_as_their_shares)
{
    uint64_t seed = test_random_seed(20261127);
    check_dist("uniform", 7, seed);
    check_dist("uniform", 1000, seed + 1);
    check_dist("zipf:0.99", 100, seed + 2);
    check_dist("zipf:1.5", 50, seed + 3);
    check_dist("zipf:0.2", 1000, seed + 4);
    check_dist("hot:90%", 100, seed + 5);
    check_dist("hot:0.5", 2, seed + 6);
    check_dist("hot:100%", 20, seed + 7);
    check_dist("hot:0%", 20, seed + 8);
    check_dist("zipf:1", 1, seed + 9);
    check_dist("hot:30%", 1, seed + 10);
}

Test(dist, shares_are_those_of_the_definition)
{
    struct dist dist;
    cr_assert(dist_parse("zipf:1", &dist));
    double harmonic = dist_harmonic(&dist, 4);
    cr_expect_float_eq(harmonic, 25.0 / 12, 1e-12);
    cr_expect_float_eq(dist_share(&dist, 0, 4, harmonic), 12.0 / 25, 1e-12);
    cr_expect_float_eq(dist_share(&dist, 3, 4, harmonic), 3.0 / 25, 1e-12);
    cr_assert(dist_parse("hot:80%", &dist));
    cr_expect_float_eq(dist_share(&dist, 0, 5, 0), 0.8, 1e-12);
    cr_expect_float_eq(dist_share(&dist, 4, 5, 0), 0.05, 1e-12);
}

Test(dist, any_weights_make_a_table)
{
    uint64_t seed = test_random_seed(20261127);
    for (uint64_t round = 0; round < 20; round++) {
        enum { COUNT_MAX = 60 };
        double weights[COUNT_MAX];
        uint32_t count = 1 + (uint32_t)chance_below(chance_bits(seed, round, 0), COUNT_MAX);
        double sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint64_t random = chance_bits(seed, round, i + 1);
            weights[i] = random % 4 == 0 ? 0 : chance_fraction(random);
            sum += weights[i];
        }
        weights[0] += 0.5;
        sum += 0.5;
        struct dist_table table;
        cr_assert(dist_table_create(&table, weights, count));
        for (uint32_t i = 0; i < count; i++) {
            weights[i] /= sum;
        }
        check_choices("random weights", &table, weights, seed + round);
        dist_table_destroy(&table);
    }
}

Test(dist, what_is_none_is_refused)
{
    static const char *const bad[] = {"",        "zipf",    "zipf:",    "zipf:0",   "zipf:-1",
                                      "zipf:11", "zipf:1x", "zipf: 1",  "zipf:nan", "zipf:inf",
                                      "hot",     "hot:",    "hot:101%", "hot:1.1",  "hot:50%%",
                                      "hot:-1",  "Uniform", "uniform:1"};
    struct dist dist;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_not(dist_parse(bad[i], &dist), "'%s'", bad[i]);
    }
}
