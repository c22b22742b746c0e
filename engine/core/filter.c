#include "core/filter.h"

#include "base/assert.h"
#include "base/memory.h"

#include <assert.h>

enum { FILTER_BITS_PER_KEY = 12, BLOCK_BITS = 512, WORD_COUNT = 8, BIT_SHIFT = 26 };

struct filter_block {
    _Alignas(64) uint64_t words[WORD_COUNT];
};

static_assert(sizeof(struct filter_block) * 8 == BLOCK_BITS, "a block is one cache line");

static const uint32_t salts[WORD_COUNT] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                           0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

int filter_init(struct filter *filter, uint64_t key_count_max)
{
    hf_assert(key_count_max > 0);
    filter->block_count = key_count_max * FILTER_BITS_PER_KEY / BLOCK_BITS + 1;
    hf_assert(filter->block_count <= UINT32_MAX);
    filter->key_count = 0;
    filter->blocks = memory_map(filter->block_count * sizeof *filter->blocks);
    return filter->blocks == NULL ? -1 : 0;
}

void filter_deinit(struct filter *filter)
{
    memory_unmap(filter->blocks, filter->block_count * sizeof *filter->blocks);
    filter->blocks = NULL;
}

/* The high half of the hash chooses the block, the low half one bit in each of its words. */
static struct filter_block *block_of(const struct filter *filter, uint64_t hash)
{
    return &filter->blocks[(hash >> 32) * filter->block_count >> 32];
}

/* In a word of the block. */
static uint32_t bit_number(uint64_t hash, uint32_t word)
{
    return (uint32_t)hash * salts[word] >> BIT_SHIFT;
}

void filter_add(struct filter *filter, uint64_t hash)
{
    struct filter_block *block = block_of(filter, hash);
    for (uint32_t word = 0; word < WORD_COUNT; word++)
        block->words[word] |= 1ull << bit_number(hash, word);
    filter->key_count++;
}

void filter_touch(const struct filter *filter, const uint64_t *hashes, uint32_t hash_count)
{
    for (uint32_t i = 0; i < hash_count; i++)
        (void)*(const volatile uint64_t *)block_of(filter, hashes[i])->words;
}

/* The lowest bit: whether the key's bit of this word is set. */
static uint64_t word_has(const struct filter_block *block, uint64_t hash, uint32_t word)
{
    return block->words[word] >> bit_number(hash, word);
}

/* Each row asks; written out, because a loop costs as much again as what is in it. */
bool filter_may_contain(const struct filter *filter, uint64_t hash)
{
    static_assert(WORD_COUNT == 8, "all words are named below");
    const struct filter_block *block = block_of(filter, hash);
    uint64_t found = word_has(block, hash, 0) & word_has(block, hash, 1) &
                     word_has(block, hash, 2) & word_has(block, hash, 3) &
                     word_has(block, hash, 4) & word_has(block, hash, 5) &
                     word_has(block, hash, 6) & word_has(block, hash, 7);
    return (found & 1) != 0;
}
