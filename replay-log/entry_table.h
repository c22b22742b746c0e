#ifndef HF_REPLAY_LOG_ENTRY_TABLE_H
#define HF_REPLAY_LOG_ENTRY_TABLE_H
/* All entries of a state, to be found by what they are about: as much memory as they have bytes,
 * and 16 more for each. */

#include "stock/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry_table {
    uint8_t *bytes; /* entries, one behind the other */
    size_t byte_count;
    size_t byte_room;
    uint64_t *slots; /* offset + 1 of an entry, 0 = free; the highest bit: it was met */
    size_t slot_count;
    size_t entry_count;
};

void entry_table_add(struct entry_table *table, const struct stock_entry *entry,
                     const uint8_t *bytes, uint32_t entry_bytes);

/* The entry about the same thing, which counts as met from now on. False when there is none. */
bool entry_table_meet(struct entry_table *table, const struct stock_entry *entry,
                      struct stock_entry *found_out);

/* Goes through those that were not met: `*at` is 0 at first. False at the end. */
bool entry_table_next_unmet(const struct entry_table *table, size_t *at,
                            struct stock_entry *entry_out);

void entry_table_free(struct entry_table *table);

#endif
