#ifndef HF_REPLAY_LOG_TABLES_H
#define HF_REPLAY_LOG_TABLES_H
/* How large the tables of a state have to be. What logs need is counted in them, before they are
 * read in earnest: so memory grows with the state, and not with the logs. What is damaged may be
 * counted wrongly, and a log may grow meanwhile: that shows when a table is full, and then
 * everything begins anew with twice the size. */

#include "data.h"
#include "replay.h"

#include "stock/stock.h"

/* How many there are, and were at most, while logs are read one after the other. */
struct tables_count {
    int64_t now; /* less than nothing: of those that snapshots have */
    int64_t most;
};

struct tables {
    uint64_t entry_bytes; /* of snapshots */
    uint64_t item_count;
    struct tables_count reservations;
    struct tables_count buyers;
    uint64_t lost_count; /* records that are missing */
};

/* Adds what is in a snapshot. NULL: nothing. */
void tables_add_snapshot(struct tables *tables, const struct data_snapshot *snapshot);

/* Adds what a log has behind this place and before the cut. Only the types of its records are
 * looked at, and what does not verify is passed over. */
void tables_add_log(struct tables *tables, const struct data_log *log,
                    const struct log_position *start, const struct cut *cut);

/* An empty stock. `scale` is 1 at first, and twice as much after each time that a table was full.
 * NULL, with a line on stderr, when the system refuses the memory, or there is more than any table
 * can hold. */
struct stock *tables_create(const struct tables *tables, uint32_t scale);

#endif
