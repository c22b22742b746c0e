#ifndef HF_REPLAY_LOG_TABLES_H
#define HF_REPLAY_LOG_TABLES_H
/* How large the tables of a state have to be, guessed from the sizes of the files that it is made
 * of. A guess that was too small shows when a table is full: then everything begins anew with twice
 * the size. */

#include "data.h"

#include "stock/stock.h"

struct tables {
    uint64_t record_count; /* at most, of logs */
    uint64_t entry_bytes;  /* of snapshots */
};

/* Adds what is in a snapshot. NULL: nothing. */
void tables_add_snapshot(struct tables *tables, const struct data_snapshot *snapshot);

/* Adds what is in a log from the segment of this number on. Reads the segments' headers. */
void tables_add_log(struct tables *tables, struct data_log *log, uint64_t segment_number);

/* An empty stock. `scale` is 1 at first, and twice as much after each time that a table was full.
 * NULL, with a line on stderr, when the system refuses the memory, or there is more than any table
 * can hold. */
struct stock *tables_create(const struct tables *tables, uint32_t scale);

#endif
