#include "stock/index.h"

#include "base/assert.h"
#include "base/memory.h"

enum { DISTANCE_BITS = 3 };

void index_divide_words(struct index *index, uint32_t slot_count)
{
    index->slot_mask = 1;
    index->distance_shift = 1;
    while (index->slot_mask < slot_count) {
        index->slot_mask = index->slot_mask << 1 | 1;
        index->distance_shift++;
    }
    uint32_t bits_left = 32 - index->distance_shift;
    index->distance_many =
        bits_left < DISTANCE_BITS ? (1u << bits_left) - 1 : (1u << DISTANCE_BITS) - 1;
    index->many_bits = index->distance_many << index->distance_shift;
    index->step_bits = 1u << index->distance_shift;
    index->tag_mask = ~(index->slot_mask | index->many_bits);
}

int index_init(struct index *index, uint32_t slot_count)
{
    hf_assert(slot_count < INDEX_SLOT_COUNT_MAX);
    index->word_count = 2 * slot_count + 1;
    index_divide_words(index, slot_count);
    /* Hashes scatter over the whole table from the first key on. */
    index->words = memory_map_touched((size_t)index->word_count * sizeof *index->words);
    return index->words == NULL ? -1 : 0;
}

void index_deinit(struct index *index)
{
    memory_unmap(index->words, (size_t)index->word_count * sizeof *index->words);
    index->words = NULL;
}

/* How many steps forward from one position to the other. */
static uint32_t distance(const struct index *index, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + index->word_count - from;
}

void index_insert(struct index *index, uint64_t hash, uint32_t slot)
{
    hf_assert(slot < index->slot_mask);
    uint32_t position = index_home(index, hash);
    uint32_t steps = 0;
    while (index->words[position] != 0) {
        position = index_after(index, position);
        steps++;
    }
    index->words[position] =
        index_tag(index, hash) | index_distance_bits(index, steps) | (slot + 1);
}

struct keys {
    index_hash_fn hash_of;
    const void *context;
};

/* How far the word at a position is from its home. */
static uint32_t distance_of(const struct index *index, uint32_t position, const struct keys *keys)
{
    uint32_t word = index->words[position];
    uint32_t noted = word >> index->distance_shift & index->distance_many;
    if (noted < index->distance_many)
        return noted;
    uint64_t hash = keys->hash_of(keys->context, (word & index->slot_mask) - 1);
    return distance(index, index_home(index, hash), position);
}

static void move(struct index *index, uint32_t from, uint32_t to, uint32_t new_distance)
{
    index->words[to] =
        (index->words[from] & ~index->many_bits) | index_distance_bits(index, new_distance);
}

void index_remove(struct index *index, uint64_t hash, uint32_t slot, index_hash_fn hash_of,
                  const void *context)
{
    const struct keys keys = {hash_of, context};
    uint32_t hole = index_home(index, hash);
    while ((index->words[hole] & index->slot_mask) != slot + 1) {
        hf_assert(index->words[hole] != 0);
        hole = index_after(index, hole);
    }
    /* Whatever follows without a gap moves into the hole unless its search begins behind it. */
    for (uint32_t position = index_after(index, hole); index->words[position] != 0;
         position = index_after(index, position)) {
        uint32_t from_home = distance_of(index, position, &keys);
        uint32_t from_hole = distance(index, hole, position);
        if (from_home >= from_hole) {
            move(index, position, hole, from_home - from_hole);
            hole = position;
        }
    }
    index->words[hole] = 0;
}
