/* The bloom filter of item ids: what was added is always found, and what was not is found as seldom
 * as promised. */
#include "core/filter.h"

#include "base/checksum.h"

#include <criterion/criterion.h>

enum { KEY_COUNT = 100000 };

static double share_of_unknown_found(const struct filter *filter, uint64_t known_count)
{
    uint64_t found = 0;
    for (uint64_t key = known_count; key < known_count + 1000000; key++)
        found += filter_may_contain(filter, checksum64_u64(key, 0));
    return (double)found / 1000000;
}

static void add_keys(struct filter *filter, uint64_t first, uint64_t end)
{
    for (uint64_t key = first; key < end; key++)
        filter_add(filter, checksum64_u64(key, 0));
}

Test(filter, empty_filter_contains_nothing)
{
    struct filter filter;
    cr_assert_eq(filter_init(&filter, KEY_COUNT), 0);
    cr_assert_eq(share_of_unknown_found(&filter, 0), 0.0);
    filter_deinit(&filter);
}

Test(filter, every_added_key_is_found_even_beyond_the_design_size)
{
    struct filter filter;
    cr_assert_eq(filter_init(&filter, KEY_COUNT), 0);
    add_keys(&filter, 0, 3 * KEY_COUNT);
    for (uint64_t key = 0; key < 3 * KEY_COUNT; key++)
        cr_assert(filter_may_contain(&filter, checksum64_u64(key, 0)), "key %lu",
                  (unsigned long)key);
    filter_deinit(&filter);
}

/* The header promises about 0.4 % at the design size and about 9 % at double that. */
Test(filter, unknown_keys_are_found_as_seldom_as_promised)
{
    struct filter filter;
    cr_assert_eq(filter_init(&filter, KEY_COUNT), 0);
    add_keys(&filter, 0, KEY_COUNT);
    double at_size = share_of_unknown_found(&filter, KEY_COUNT);
    add_keys(&filter, KEY_COUNT, 2 * KEY_COUNT);
    double at_double = share_of_unknown_found(&filter, 2 * KEY_COUNT);
    cr_log_info("false positives: %.3f %% at the design size, %.3f %% at double that",
                100 * at_size, 100 * at_double);
    cr_assert_lt(at_size, 0.01);
    cr_assert_lt(at_double, 0.12);
    filter_deinit(&filter);
}

Test(filter, a_filter_for_one_key_works)
{
    struct filter filter;
    cr_assert_eq(filter_init(&filter, 1), 0);
    add_keys(&filter, 7, 8);
    cr_assert(filter_may_contain(&filter, checksum64_u64(7, 0)));
    filter_deinit(&filter);
}
