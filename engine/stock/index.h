#ifndef HF_STOCK_INDEX_H
#define HF_STOCK_INDEX_H
/* Private to the room: a hash index from keys to slots of a slab. Open addressing with linear
 * probing, sixteen words to a cache line, at most two thirds full. Removing shifts back what comes
 * after, so there are no tombstones and the speed does not depend on the past.
 *
 *     word    | tag: low bits of the hash | slot + 1 |        0 = empty
 *
 * The slot takes the bits that the slab's size needs and the tag has the rest of the 32. It spares
 * looking at most entries with another key. The place comes from the hash's upper half. */

#include <stdint.h>

#define INDEX_SLOT_NONE UINT32_MAX

struct index {
    uint32_t *words;
    uint32_t word_count;
    uint32_t slot_mask;
};

/* The hash of the key in a slot. */
typedef uint64_t (*index_hash_fn)(const void *context, uint32_t slot);

/* For slots 0 .. slot_count - 1. Returns 0, or -1 when memory is refused. */
int index_init(struct index *index, uint32_t slot_count);
void index_deinit(struct index *index);

/* Adds a slot whose key is not in the index. */
void index_insert(struct index *index, uint64_t hash, uint32_t slot);

/* Takes out a slot that is in the index. `hash_of` is asked about slots that may move. */
void index_remove(struct index *index, uint64_t hash, uint32_t slot, index_hash_fn hash_of,
                  const void *context);

/* Where the search for a hash begins. */
static inline uint32_t index_home(const struct index *index, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * index->word_count >> 32);
}

static inline uint32_t index_after(const struct index *index, uint32_t position)
{
    return position + 1 == index->word_count ? 0 : position + 1;
}

/* The next slot that may have the key, or INDEX_SLOT_NONE when no more can. Start with `position`
 * at index_home() and go on until the slot's key is the right one. */
static inline uint32_t index_next(const struct index *index, uint64_t hash, uint32_t *position)
{
    for (;;) {
        uint32_t word = index->words[*position];
        if (word == 0)
            return INDEX_SLOT_NONE;
        *position = index_after(index, *position);
        if (((word ^ (uint32_t)hash) & ~index->slot_mask) == 0)
            return (word & index->slot_mask) - 1;
    }
}

/* The slot that most likely has the key, or INDEX_SLOT_NONE. */
static inline uint32_t index_candidate(const struct index *index, uint64_t hash)
{
    uint32_t position = index_home(index, hash);
    return index_next(index, hash, &position);
}

/* Where the search for a hash begins. */
static inline const void *index_line(const struct index *index, uint64_t hash)
{
    return &index->words[index_home(index, hash)];
}

static inline void index_prefetch(const struct index *index, uint64_t hash)
{
    __builtin_prefetch(index_line(index, hash));
}

#endif
