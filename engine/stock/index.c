#include "stock/index.h"

#include "base/assert.h"
#include "base/memory.h"

int index_init(struct index *index, uint32_t slot_count)
{
    index->word_count = slot_count + slot_count / 2 + 1;
    index->slot_mask = 1;
    while (index->slot_mask < slot_count)
        index->slot_mask = index->slot_mask << 1 | 1;
    /* Hashes scatter over the whole table from the first key on. */
    index->words = memory_map_touched((size_t)index->word_count * sizeof *index->words);
    return index->words == NULL ? -1 : 0;
}

void index_deinit(struct index *index)
{
    memory_unmap(index->words, (size_t)index->word_count * sizeof *index->words);
    index->words = NULL;
}

void index_insert(struct index *index, uint64_t hash, uint32_t slot)
{
    hf_assert(slot < index->slot_mask);
    uint32_t position = index_home(index, hash);
    while (index->words[position] != 0)
        position = index_after(index, position);
    index->words[position] = ((uint32_t)hash & ~index->slot_mask) | (slot + 1);
}

/* How many steps forward from one position to the other. */
static uint32_t distance(const struct index *index, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : to + index->word_count - from;
}

void index_remove(struct index *index, uint64_t hash, uint32_t slot, index_hash_fn hash_of,
                  const void *context)
{
    uint32_t hole = index_home(index, hash);
    while ((index->words[hole] & index->slot_mask) != slot + 1) {
        hf_assert(index->words[hole] != 0);
        hole = index_after(index, hole);
    }
    /* Whatever follows without a gap moves into the hole unless its search begins behind it. */
    for (uint32_t position = index_after(index, hole); index->words[position] != 0;
         position = index_after(index, position)) {
        uint32_t word = index->words[position];
        uint32_t home = index_home(index, hash_of(context, (word & index->slot_mask) - 1));
        if (distance(index, home, position) >= distance(index, hole, position)) {
            index->words[hole] = word;
            hole = position;
        }
    }
    index->words[hole] = 0;
}
