#ifndef HF_STOCK_INDEX_H
#define HF_STOCK_INDEX_H
/* Private to the room: a hash index from keys to slots of a slab. Open addressing with linear
 * probing, sixteen words to a cache line, at most half full. Removing shifts back what comes
 * after, so there are no tombstones and the speed does not depend on the past.
 *
 *     word    | tag: low bits of the hash | distance: 3 bits | slot + 1 |        0 = empty
 *
 * The slot takes the bits that the slab's size needs. The distance is that from where the search
 * for the key begins, the highest standing for all that are longer: so what is shifted back need
 * not be looked at in the slab, which would cost a cache miss each. (It has fewer bits when the
 * slot leaves no more.) The tag has the rest of the 32 bits. Together they spare looking at most
 * entries with another key. The place comes from the hash's upper half. */

#include <stdbool.h>
#include <stdint.h>

#define INDEX_SLOT_NONE UINT32_MAX

#define INDEX_SLOT_COUNT_MAX (1u << 31)

struct index {
    uint32_t *words;
    uint32_t word_count;
    uint32_t slot_mask;
    uint32_t distance_shift; /* behind the slot's bits */
    uint32_t distance_many;  /* this far, or farther */
    /* worked out once, because each search needs them */
    uint32_t many_bits; /* of a word: all of the distance's */
    uint32_t step_bits; /* what one step adds to a word */
    uint32_t tag_mask;
};

/* A search: where it is, and what the word of the key would have there but the slot. */
struct index_search {
    uint32_t position;
    uint32_t tag_and_distance;
};

/* The hash of the key in a slot. */
typedef uint64_t (*index_hash_fn)(const void *context, uint32_t slot);

/* For slots 0 .. slot_count - 1, fewer than INDEX_SLOT_COUNT_MAX. Returns 0, or -1 when memory is
 * refused. */
int index_init(struct index *index, uint32_t slot_count);
void index_deinit(struct index *index);

/* Divides the words among slot, distance and tag: the part of index_init() that tests can't do with
 * so many slots. */
void index_divide_words(struct index *index, uint32_t slot_count);

/* Adds a slot whose key is not in the index. */
void index_insert(struct index *index, uint64_t hash, uint32_t slot);

/* Takes out a slot that is in the index. `hash_of` is asked about slots that may move and are too
 * far from where their search begins. */
void index_remove(struct index *index, uint64_t hash, uint32_t slot, index_hash_fn hash_of,
                  const void *context);

/* The position of the word at which the search for a hash begins. */
static inline uint32_t index_home(const struct index *index, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * index->word_count >> 32);
}

static inline uint32_t index_after(const struct index *index, uint32_t position)
{
    return position + 1 == index->word_count ? 0 : position + 1;
}

/* The bits of a word at this distance from its home. */
static inline uint32_t index_distance_bits(const struct index *index, uint32_t distance)
{
    if (distance > index->distance_many)
        distance = index->distance_many;
    return distance << index->distance_shift;
}

/* The bits of a word that it has from the hash. */
static inline uint32_t index_tag(const struct index *index, uint64_t hash)
{
    return (uint32_t)hash & index->tag_mask;
}

static inline struct index_search index_search_begin(const struct index *index, uint64_t hash)
{
    return (struct index_search){index_home(index, hash), index_tag(index, hash)};
}

/* The next slot that may have the key, or INDEX_SLOT_NONE when no more can. Go on until the slot's
 * key is the right one. */
static inline uint32_t index_search_next(const struct index *index, struct index_search *search)
{
    const uint32_t many = index->many_bits;
    for (;;) {
        uint32_t word = index->words[search->position];
        if (word == 0)
            return INDEX_SLOT_NONE;
        bool is_candidate = ((word ^ search->tag_and_distance) & ~index->slot_mask) == 0;
        search->position = index_after(index, search->position);
        if ((search->tag_and_distance & many) != many)
            search->tag_and_distance += index->step_bits;
        if (is_candidate)
            return (word & index->slot_mask) - 1;
    }
}

/* The slot that most likely has the key, or INDEX_SLOT_NONE. */
static inline uint32_t index_candidate(const struct index *index, uint64_t hash)
{
    struct index_search search = index_search_begin(index, hash);
    return index_search_next(index, &search);
}

/* The memory that the search for a hash reads first. */
static inline const void *index_line(const struct index *index, uint64_t hash)
{
    return &index->words[index_home(index, hash)];
}

#endif
