#ifndef HF_REPLAY_LOG_POINT_H
#define HF_REPLAY_LOG_POINT_H
/* A point in the logs of a directory, and where each log is cut for it. */

#include "moment.h"
#include "options.h"
#include "plan.h"

/* Which state. All zero: that of the end. */
struct point {
    struct moment moment;
    bool is_exclusive; /* without the record of that LSN, or those of that millisecond */
    bool has_core;     /* of the log that the LSN is one of; needed when there are several */
    uint32_t core;
    uint64_t era; /* 0: the newest */
};

/* The one that the command line names. */
struct point point_of(const struct options *options);

/* Sets the cuts of a plan that has none. An LSN cuts its log there and the others of its era at the
 * time of that record; eras behind are left out. */
enum outcome point_cut(const struct point *point, struct plan *plan);

/* When everything was read: the LSN must be one that the log has. */
enum outcome point_check(const struct point *point, struct plan *plan);

#endif
