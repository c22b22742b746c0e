#ifndef HF_REPLAY_LOG_WALK_H
#define HF_REPLAY_LOG_WALK_H
/* Everything that is in a state, one entry after the other. */

#include "stock/save.h"

/* One entry, decoded and as bytes. False: stop. */
typedef bool (*walk_entry_fn)(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                              uint32_t entry_bytes);

/* Hands out the entries: an item before whatever refers to it, buyers before reservations. False
 * when `entry` has stopped it. The stock has been settled: walk_settle(). */
bool walk_state(struct stock *stock, walk_entry_fn entry, void *context);

/* Ends the loading. False, with a line on stderr, when there is no memory for it. */
bool walk_settle(struct stock *stock);

uint64_t walk_item_id(const struct stock_entry *entry);

#endif
