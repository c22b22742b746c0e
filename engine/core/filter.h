#ifndef HF_CORE_FILTER_H
#define HF_CORE_FILTER_H
/* Which item ids exist, with few false positives and no false negative: a split-block bloom filter.
 * One block is one cache line, so a look-up touches one line; each of its eight words gets one bit
 * of the key.
 *
 * After Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007), in the
 * split form that Apache Parquet specifies (github.com/apache/parquet-format, BloomFilter.md, whose
 * salts these are), with words of 64 bits instead of 32. At twelve bits per key about 0.4 % of
 * unknown keys pass, at six about 9 %.
 *
 * Every core has one of its own for the items of all cores. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter_block;

struct filter {
    struct filter_block *blocks;
    uint64_t block_count;
    uint64_t key_count; /* added so far */
};

/* Made for `key_count_max` keys; more may be added, at the price of more false positives. Returns
 * 0, or -1 when memory is refused. */
int filter_init(struct filter *filter, uint64_t key_count_max);
void filter_deinit(struct filter *filter);

/* Keys are given by a well-mixed 64-bit hash: XXH3-64 of the id, seed 0. */
void filter_add(struct filter *filter, uint64_t hash);

/* Reads what filter_may_contain() will need of these keys, so that it waits for all at once. */
void filter_touch(const struct filter *filter, const uint64_t *hashes, uint32_t hash_count);

/* False: was never added. True: was added, or a false positive. */
bool filter_may_contain(const struct filter *filter, uint64_t hash);

#endif
