#ifndef HF_REPLAY_LOG_REPAIR_H
#define HF_REPLAY_LOG_REPAIR_H
/* What a damaged directory still proves, as a state and a report. */

#include "mend.h"
#include "options.h"
#include "plan.h"
#include "repair_report.h"

struct repair {
    const struct options *options;
    struct plan plan;
    struct stock *stock; /* settled */
    struct repair_report report;
    struct mend mend;
    struct mend_handler mend_handler;
    const struct data_log *log; /* that is read */
    uint64_t time_ms;           /* latest of what was read */
    uint64_t past_ms;           /* the same when its era began */
};

/* Reads everything. On any code but EXIT_GOOD, which was told, there is no state. repair_end() in
 * any case; the structure stays where it is until then. */
enum exit_code repair_begin(const struct options *options, struct repair *repair);

/* Makes the new directory and writes the report. EXIT_LOST: done, and something is lost. The state
 * is gone then. */
enum exit_code repair_make(struct repair *repair);

void repair_end(struct repair *repair);

#endif
