#ifndef HF_STOCK_SAVE_H
#define HF_STOCK_SAVE_H
/* Writes the state of one moment, as entries (stock/entry.h), while it goes on changing. Nothing is
 * copied: a step goes on through the tables where the last one stopped, and what a record is about
 * to change is written first, if its turn has not come yet. An item is written before whatever
 * refers to it, and a buyer before the reservations that count for it.
 *
 *     stock_save_begin()                      the moment
 *     stock_save_step(), stock_commit() ...   in any order, until a step says that this was all
 *     stock_save_end()                        or stock_save_abandon() at any time
 *
 * Entries are written into the caller's page, which it may exchange between any two calls. */

#include "stock/entry.h"
#include "stock/stock.h"

/* Where entries are written: behind the first `bytes` of `to`. */
struct stock_page {
    uint8_t *to;
    uint32_t bytes_max;
    uint32_t bytes;
    uint32_t entry_count;
};

enum {
    /* A record changes one item, one buyer and one reservation at most. The page must have so much
     * room left whenever one is committed before the last step has said that this was all. */
    STOCK_SAVE_BYTES_PER_RECORD_MAX =
        STOCK_ENTRY_BYTES_MAX + STOCK_BUYER_ENTRY_BYTES + STOCK_RESERVATION_ENTRY_BYTES,
};

/* What was saved, by which the loader knows that nothing is missing. */
struct stock_saved {
    uint64_t item_count;
    uint64_t buyer_count;
    uint64_t reservation_count;
    uint64_t state_hash; /* stock_hash() at that moment */
    uint64_t time_ms;    /* stock_time_ms() at that moment */
};

/* From now on the state as it is now is being saved. Costs nothing by itself. `page` stays the
 * caller's, and is used until the save ends. Not while a state is loaded, and one save at a time.
 */
void stock_save_begin(struct stock *stock, struct stock_page *page);

/* Writes entries until fewer than STOCK_ENTRY_BYTES_MAX bytes are left before page->bytes would
 * reach `bytes_target`, which is at most page->bytes_max. True when everything is written. False
 * may also come earlier: free slots have to be passed too, and each counts as eight bytes of the
 * step's work, so that no step takes longer than its bytes allow. */
bool stock_save_step(struct stock *stock, uint32_t bytes_target);

/* After a step has said that this was all. */
void stock_save_end(struct stock *stock, struct stock_saved *saved_out);

/* Ends a save before it is complete. */
void stock_save_abandon(struct stock *stock);

bool stock_is_saving(const struct stock *stock);

#endif
