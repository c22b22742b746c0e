#ifndef HF_BENCH_RUN_H
#define HF_BENCH_RUN_H
/* One run: its items, its load, the proof of its books. */

#include "bench/load.h"
#include "bench/storm.h"
#include "bench/verify.h"
#include "bench/workload.h"

#include <stdbool.h>

/* What the server says of all its cores. */
struct run_expiries {
    bool known;
    uint64_t count;       /* holds that ended while the load went on */
    uint64_t late_ms_max; /* the latest of all since the server's start */
};

/* Large: a static one is best. */
struct run {
    struct load_target target;
    struct bench_items items;
    struct workload workload;
    struct load_result load;
    struct verify_result verify;
    struct storm storm;           /* of that scenario */
    struct run_expiries expiries; /* of the scenario mixed */
    bool verified;                /* asked for, with whatever result */
};

/* Learns about the server, prepares the items, puts on the load, reads back. False with `error`
 * when it did not come to the load; otherwise the run is to be destroyed, and `run->load.trouble`
 * tells how the load ended. */
bool run_play(struct run *run, const struct bench_options *options, struct timeline *timeline,
              char *error, size_t error_bytes);
void run_destroy(struct run *run);

#endif
