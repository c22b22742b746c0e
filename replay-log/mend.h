#ifndef HF_REPLAY_LOG_MEND_H
#define HF_REPLAY_LOG_MEND_H
/* Puts groups of a damaged log into a state. What is legal in the state is taken. Behind a hole in
 * a log the state is not what it was when a record was written; three things that must have been
 * lost are then made up for, so that what came behind them is not lost as well:
 *
 *   - Holds with the item's next sequence numbers: a later hold begins behind them.
 *   - The extension of a hold, when a later record names a later deadline.
 *   - The end of a hold that was open before the hole and whose deadline has passed, when its units
 *     are needed: it has expired.
 *
 * All else that is not legal is dropped, and named. */

#include "plan.h"

#include "stock/stock.h"

struct mend_handler {
    /* `record` is NULL for bytes that are none. */
    void (*dropped)(void *context, const struct data_log *log, uint64_t lsn,
                    const struct stock_record *record, const char *reason);
    /* No record is left of the item's holds with these sequence numbers. */
    void (*lost_holds)(void *context, uint64_t item_id, uint64_t first, uint64_t last);
    /* EXTENDED or EXPIRED, which no log has. */
    void (*made)(void *context, const struct stock_record *record);
    void *context;
};

struct mend_hold; /* open before the hole */

struct mend {
    struct stock *stock; /* settled (walk_settle()) */
    struct plan *plan;
    const struct mend_handler *handler;
    uint64_t lost_lsn_count; /* no more holds than that can be missing */

    /* of the log that is read */
    const struct data_log *log;
    struct wanting wanting;
    bool has_hole;
    uint64_t hole_ms;        /* what was open was so before this */
    struct mend_hold *holds; /* in order of their deadlines */
    size_t hold_count;
    size_t hold_room;
    size_t hold_next;
    bool is_collected; /* since the last hole */
    uint32_t collect_count;

    bool has_misplaced; /* in any log: an item of another core */
    bool is_full;       /* a table was too small: what came since is of no use */
    uint64_t taken_count;
    uint64_t dropped_count;
    uint64_t last_lsn;
};

void mend_begin(struct mend *mend, struct stock *stock, struct plan *plan,
                const struct mend_handler *handler);
void mend_end(struct mend *mend);

/* The groups that come are this log's. */
void mend_begin_log(struct mend *mend, const struct data_log *log);

/* Puts in a group. */
void mend_group(struct mend *mend, const struct log_group *group);

/* So many records are missing before the next group, which was written after `before_ms`. */
void mend_hole(struct mend *mend, uint64_t lsn_count, uint64_t before_ms);

#endif
