#ifndef HF_REPLAY_LOG_PLAN_H
#define HF_REPLAY_LOG_PLAN_H
/* What is read to come to a state, by the rules of a server's start: of each log the newest
 * snapshot that is good, and what is behind it; where there is none, the eras before as well. A
 * plan is made anew when a snapshot turns out to be damaged, and everything is begun anew when a
 * table was too small or a server has removed what was to be read. */

#include "pass.h"
#include "replay.h"

/* One log. */
struct source {
    bool is_read;                   /* false: a snapshot of a later era stands for it, or it is all
                                       behind the point */
    struct data_snapshot *snapshot; /* with which reading begins; NULL: where the log begins */
    struct cut cut;
    /* what was read */
    struct pass_end end;
    uint64_t last_lsn; /* of the last record that is in the state; 0 when none is */
    uint64_t record_count;
    uint64_t first_time_ms; /* of records; 0 when there are none */
    uint64_t last_time_ms;
};

struct plan {
    struct data *data;
    struct source *sources; /* of each log, in the order of data->logs */
    bool *has_snapshot;     /* of each log: it begins with one */
    uint32_t era_end;       /* eras from this index on are behind the point */
    bool is_of_point;       /* what is needed and not there is no damage, but too old */
    bool is_quiet;          /* bad snapshots are not told */
    bool is_lenient;        /* a log that has lost its beginning is read from where it is */
    enum exit_code code;    /* of what has failed; a line on stderr has told it */
};

enum outcome {
    OUTCOME_DONE,
    OUTCOME_FAILED,
    OUTCOME_PLAN_ANEW,
    OUTCOME_LARGER,    /* tables */
    OUTCOME_OPEN_ANEW, /* the directory */
};

static inline enum outcome plan_fail(struct plan *plan, enum exit_code code)
{
    plan->code = code;
    return OUTCOME_FAILED;
}

static inline struct source *plan_source(const struct plan *plan, const struct data_log *log)
{
    return &plan->sources[log - plan->data->logs];
}

/* Nothing is cut off. Takes the directory over. */
void plan_begin(struct plan *plan, struct data *data);
void plan_end(struct plan *plan);

/* Chooses the snapshots, by the cuts of the sources. */
enum outcome plan_make(struct plan *plan);

/* Where reading a log begins. */
struct log_position plan_start(const struct source *source);

/* A stock that loads, for what is planned. NULL: `code` tells. */
struct stock *plan_make_stock(struct plan *plan, uint32_t scale);

/* Loads all snapshots. */
enum outcome plan_load_snapshots(struct plan *plan, struct stock *stock);

/* Puts one log into the stock, up to its cut; with a `stock` of NULL it is only read. What has
 * happened is in its source. */
enum outcome plan_read_log(struct plan *plan, struct data_log *log, struct stock *stock);

/* "The oldest state that is still there is that of ...". */
enum outcome plan_refuse_old(struct plan *plan, const struct data_log *log);

#endif
