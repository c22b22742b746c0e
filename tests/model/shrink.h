#ifndef HF_MODEL_SHRINK_H
#define HF_MODEL_SHRINK_H
/* Makes a failing list of operations short: leaves out as many as it can, in halves, quarters and
 * so on, then one by one, and then makes the fields of those that are left simple. A list counts as
 * failing when the same check fails. Every try runs in a process of its own, so a run that dies can
 * be shortened too: its check is "crash". */

#include "run.h"

struct shrink_result {
    struct run_finding finding; /* of the short list; check is empty when nothing failed */
    uint64_t op_count;
    uint64_t try_count;
};

/* Runs the operations, comparing everything after each, with the checks at the end of a run. False
 * when a process cannot be made. */
bool shrink_try(const struct run_options *options, const struct op *ops, uint64_t op_count,
                struct run_finding *finding_out);

/* Shortens `ops` in place, within about `seconds_max`. Options may become simpler too. */
struct shrink_result shrink(struct run_options *options, struct op *ops, uint64_t op_count,
                            uint32_t seconds_max);

#endif
