#ifndef HF_MODEL_JOBS_H
#define HF_MODEL_JOBS_H
/* Runs seed after seed in processes of their own. What a process does is in memory that it shares
 * with its parent, so that the operations of a run are there when its process has died of it. */

#include "options.h"
#include "run.h"

struct job {
    uint64_t seed; /* of the run that it is at */
    struct run_options options;
    struct run_finding finding;
    uint64_t run_count; /* completed, and what they did in all */
    struct run_counts counts;
    uint64_t digest;
    bool is_refused;   /* the system gave it no memory */
    uint64_t op_count; /* begun in this run */
    struct op *ops;    /* room for jobs_op_room() */
};

/* Runs them all. Returns the job that found something or died, with its finding; or NULL when all
 * agreed. `totals_out` adds up the completed runs. False in `*is_trouble_out` unless the machine
 * refused something. */
struct job *jobs_run(const struct options *options, struct job *totals_out, bool *is_trouble_out);

#endif
