#ifndef HF_STOCK_TOUCH_H
#define HF_STOCK_TOUCH_H
/* Private to the room: memory that is read for nothing but to have it in the cache. The addresses
 * are collected first and read in one loop that does nothing else, so that the processor waits for
 * as many lines at once as it can, and for their addresses to be translated; of as many that are
 * asked for by prefetching it leaves some out. */

#include "base/assert.h"

#include <stdint.h>

enum { TOUCH_MAX = 256 };

struct touch_list {
    uint32_t count;
    const void *memory[TOUCH_MAX];
};

static inline void touch_add(struct touch_list *list, const void *memory)
{
    hf_assert(list->count < TOUCH_MAX);
    list->memory[list->count++] = memory;
}

/* Reads all, and empties the list. */
static inline void touch_all(struct touch_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        (void)*(const volatile uint8_t *)list->memory[i];
    list->count = 0;
}

#endif
