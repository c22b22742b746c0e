#ifndef HF_REPLAY_LOG_REPLAY_H
#define HF_REPLAY_LOG_REPLAY_H
/* Puts the groups of a log into a state, up to a point. */

#include "data.h"

#include "stock/load.h"

/* Records are taken while both hold. */
struct cut {
    uint64_t lsn_end;     /* LSNs below this */
    uint64_t time_end_ms; /* up to the first record that is not earlier than this */
};

static inline struct cut cut_nothing(void)
{
    return (struct cut){.lsn_end = UINT64_MAX, .time_end_ms = UINT64_MAX};
}

/* Which items are taken from a log, or from its snapshot: those of which no snapshot of a later era
 * has what becomes of them. All have to be the log's own. */
struct wanting {
    const struct data *data;
    const struct data_log *log;
    const bool *has_snapshot; /* of each log: reading it begins with one; NULL: of none */
    bool has_misplaced;       /* an item was asked for that belongs to another core */
    struct wanting *self;     /* the context that stock_wanted has may not be written to */
};

/* Valid while the wanting stays where it is. */
struct stock_wanted wanting_of(struct wanting *wanting);

/* An item that belongs to another core is none of this log's. */
extern const char replay_misplaced[];

struct replay {
    struct stock *stock; /* or NULL */
    struct wanting wanting;
    struct cut cut;

    bool is_enough; /* the cut is reached */
    bool is_full;   /* a record was refused because a table is too small */
    uint64_t last_lsn;
    uint64_t record_count;
    uint64_t first_time_ms; /* of records; 0 when there are none */
    uint64_t last_time_ms;
};

/* The callback of log/reader.h; the context is a replay. Without a stock the records are decoded
 * and counted. */
const char *replay_group(void *context, const struct log_group *group, uint64_t *refused_lsn_out);

/* The first records of the group that are before the cut. */
struct stock_records replay_records(const struct log_group *group, const struct cut *cut);

#endif
