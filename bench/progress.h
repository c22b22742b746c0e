#ifndef HF_BENCH_PROGRESS_H
#define HF_BENCH_PROGRESS_H
/* The line that shows how far a run is, on stderr: rewritten in place on a terminal, one below the
 * other elsewhere when asked for. */

#include "bench/options.h"

#include <stdbool.h>
#include <stdint.h>

struct load_result;
struct workload;

struct progress {
    uint64_t interval_ns; /* 0 = silent */
    uint64_t next_ns;
    uint64_t last_ns;
    uint64_t last_answered;
    uint64_t warmup_ns;
    uint64_t requests; /* 0 = no number given */
    bool in_place;
};

void progress_begin(struct progress *progress, const struct bench_options *options);

/* Prints when it is time to. `elapsed_ns` is since the load began. */
void progress_update(struct progress *progress, const struct load_result *result,
                     const struct workload *workload, uint64_t elapsed_ns);

/* Leaves the line as it is and goes to the next. */
void progress_end(struct progress *progress);

#endif
