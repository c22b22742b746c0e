#ifndef HF_STOCK_TOUCH_H
#define HF_STOCK_TOUCH_H
/* Private to the room: memory that is read for nothing but to have it in the cache. The addresses
 * are collected first and read in one loop that does nothing else, so that the processor waits for
 * as many lines at once as it can, and for their addresses to be translated; of as many that are
 * asked for by prefetching it leaves some out. */

#include "stock/index.h"
#include "stock/slab.h"

#include "base/assert.h"

#include <stdint.h>

enum { TOUCH_MAX = 384 };

struct touch_list {
    uint32_t count;
    const void *memory[TOUCH_MAX];
};

/* An empty list. Its addresses are not zeroed: there are many, and it is made for each batch. */
static inline void touch_begin(struct touch_list *list)
{
    list->count = 0;
}

static inline void touch_add(struct touch_list *list, const void *memory)
{
    hf_assert(list->count < TOUCH_MAX);
    list->memory[list->count++] = memory;
}

/* Adds the slot that most likely has the key. Returns it, or INDEX_SLOT_NONE. */
static inline uint32_t touch_add_slot(struct touch_list *list, const struct index *index,
                                      uint64_t hash, const struct slab *slab)
{
    uint32_t slot = index_candidate(index, hash);
    if (slot != INDEX_SLOT_NONE)
        touch_add(list, slab_at(slab, slot));
    return slot;
}

/* Reads all, and empties the list. */
static inline void touch_all(struct touch_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        (void)*(const volatile uint8_t *)list->memory[i];
    list->count = 0;
}

#endif
