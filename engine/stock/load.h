#ifndef HF_STOCK_LOAD_H
#define HF_STOCK_LOAD_H
/* From snapshots and logs to the state, at start. The bytes come from outside: everything is
 * checked, nothing asserted, and what was accepted can break no invariant later.
 *
 *     stock_load_begin()                       an empty state
 *     for each snapshot:
 *         stock_load_snapshot_begin()
 *         stock_load_entries() ...             as it was written, in pieces of any size
 *         stock_load_snapshot_end()
 *     stock_replay() ...                       what the logs have, also between snapshots
 *     stock_load_end()                         deadlines are put in order: from here on it serves
 *
 * Until stock_load_end() only these, stock_check() and stock_commit() may be called, and what looks
 * at items, counts, hash and time. A text says why something is refused; then the state is of no
 * use, and is destroyed.
 *
 * A stock need not take everything: with several cores each reads all snapshots and takes the items
 * that are its own now, with all that refers to them. */

#include "stock/save.h"

/* Whether this item is taken. */
typedef bool (*stock_wanted_fn)(const void *context, uint64_t item_id);

struct stock_wanted {
    stock_wanted_fn is_wanted; /* NULL: everything is taken */
    const void *context;       /* of the call */
};

void stock_load_begin(struct stock *stock);

/* The memory for counting again is taken here: 16 bytes per item and per buyer, as they are
 * touched, until stock_load_snapshot_end(). False when the system refuses it. */
bool stock_load_snapshot_begin(struct stock *stock, struct stock_wanted wanted);

/* Takes `entry_count` entries that stand one behind the other in `bytes` bytes. NULL, or why one is
 * refused (static text): the number in `*refused_index_out`, counted from 0, which is set only
 * then. A full table is told as stock_check_full, as by stock_check(). */
const char *stock_load_entries(struct stock *stock, const uint8_t *entries, uint32_t bytes,
                               uint32_t entry_count, uint32_t *refused_index_out);

/* The last entry was read, and this is what stock_save_end() said of them. NULL, or why they are
 * not the whole of a true state (static text). */
const char *stock_load_snapshot_end(struct stock *stock, const struct stock_saved *expected);

/* Records that stand one behind the other, such as the payload of a group. */
struct stock_records {
    const uint8_t *from;
    uint32_t bytes;
    uint32_t count;
    uint64_t first_lsn; /* the first one's LSN; 0: all are 0, because nobody waits for them */
};

/* How far it came. */
struct stock_replayed {
    uint32_t read_count;      /* with a text: the index of the record that is refused, from 0 */
    uint32_t committed_count; /* the others were not wanted */
};

/* Decodes, checks and commits the records, as far as they are wanted. NULL, or why one is refused
 * (static text); those before it are committed. Not only while loading. */
const char *stock_replay(struct stock *stock, const struct stock_records *records,
                         struct stock_wanted wanted, struct stock_replayed *replayed_out);

/* Puts the deadlines in order: due is what has the earliest one, of equal ones what was set in the
 * earliest millisecond, and of those the item that was loaded first, and its lowest sequence. An
 * ended reservation is remembered for the retention of this stock from when it ended, however long
 * the one was under which it was saved. False when the system refuses the memory: 32 bytes per
 * reservation. */
bool stock_load_end(struct stock *stock);

#endif
