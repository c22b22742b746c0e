#ifndef HF_REPLAY_LOG_ITEM_COUNTS_H
#define HF_REPLAY_LOG_ITEM_COUNTS_H
/* A few counters for each item, found by its id: as much memory as there are items. */

#include <stddef.h>
#include <stdint.h>

enum { ITEM_COUNTER_COUNT = 5 };

struct item_count {
    uint64_t item_id; /* 0: none */
    uint64_t counters[ITEM_COUNTER_COUNT];
};

struct item_counts {
    struct item_count *table;
    size_t size; /* a power of two */
    size_t count;
};

/* The item's counters, all zero when it was not known; valid until the next call. `item_id` is not
 * 0. */
struct item_count *item_counts_at(struct item_counts *counts, uint64_t item_id);

/* Takes the table as a list of `count` entries, the largest first counter first; of equal ones the
 * smaller id. Nothing can be found in it any more. */
struct item_count *item_counts_sort(struct item_counts *counts);

void item_counts_free(struct item_counts *counts);

#endif
