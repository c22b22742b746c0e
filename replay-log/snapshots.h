#ifndef HF_REPLAY_LOG_SNAPSHOTS_H
#define HF_REPLAY_LOG_SNAPSHOTS_H
/* Reading snapshots. What is found out about one stays in its `state`. */

#include "data.h"

#include "stock/load.h"

/* Reads the header. */
void snapshot_look(const struct data *data, const struct data_log *log,
                   struct data_snapshot *snapshot);

/* Loads it into a stock that loads: what is wanted of it. False when it cannot be used: its `state`
 * and `reason` tell why, and the stock is of no use any more. `*is_full_out`: because a table is
 * too small, and nothing is wrong with the snapshot. */
bool snapshot_load(const struct data *data, const struct data_log *log,
                   struct data_snapshot *snapshot, struct stock *stock, struct stock_wanted wanted,
                   bool *is_full_out);

/* What the callers find: an item in it belongs to another core; or the log gives another state at
 * the place on which it stands. Then it is damaged. */
void snapshot_note_misplaced(struct data_snapshot *snapshot);
void snapshot_note_other_state(struct data_snapshot *snapshot);

/* It has not gone since the folder was listed. */
bool snapshot_is_there(const struct data_log *log, const struct data_snapshot *snapshot);

/* "snapshot-...: offset N: damaged: reason; what it means", on stderr, for one that is not usable.
 * `meaning` says what follows from it. */
void snapshot_tell(const struct data_log *log, const struct data_snapshot *snapshot,
                   const char *meaning);

const char *snapshot_state_text(enum data_snapshot_state state);

/* The newest one that may be used and has no more in it than `lsn_max`, or NULL. */
const struct data_snapshot *snapshot_newest(const struct data_log *log, uint64_t lsn_max);

/* The oldest one that may be used, or NULL. */
const struct data_snapshot *snapshot_oldest(const struct data_log *log);

#endif
