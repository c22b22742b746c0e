#ifndef HF_BENCH_STORM_H
#define HF_BENCH_STORM_H
/* The storm: many holds that end in the same millisecond, as when everything was sold in the first
 * second of a sale and nobody paid. The load goes on with other items meanwhile; beside it a thread
 * asks how many units are back. */

#include "bench/items.h"
#include "bench/load.h"
#include "bench/phases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    STORM_UNITS_MAX = 16 * 1000 * 1000,
    STORM_ITEMS_MAX = 1000,
    STORM_OTHER_ITEMS = 64, /* for the load */
};

/* The phases are before the deadline, until all was back, and after; the load has the latencies of
 * the others in each. */
struct storm {
    uint64_t holds;
    uint64_t fill_ns; /* for all holds and their deadline */
    uint64_t deadline_ms;
    uint64_t spread_ms; /* between the earliest and the latest deadline, as the server tells them */
    struct phases phases;
    /* after the deadline; may be a little before it, by what the clocks differ */
    int64_t first_back_ns;
    int64_t all_back_ns;
    bool is_back;
    uint64_t asked;      /* so often, from shortly before the deadline on */
    uint64_t gap_ns_max; /* between two answers: nothing above is finer */
    char trouble[256];   /* empty when all went well */

    /* while it runs */
    const struct bench_options *options;
    const struct load_target *target;
    struct bench_items items; /* those that are held */
    uint64_t clock_offset_ns; /* from CLOCK_MONOTONIC to the server's clock */
    pthread_t watcher;
    bool is_watched;
    atomic_bool is_given_up;
};

/* The options of the load that goes on: other items, right behind the storm's, and time enough. */
void storm_load_options(const struct storm *storm, struct bench_options *options_out);

/* Makes the items, holds all their units until --hold-time from now, and begins to watch. False
 * with `trouble`; storm_end() is fine then too. The options and the target stay the caller's and
 * are used until storm_end(). */
bool storm_begin(struct storm *storm, const struct bench_options *options,
                 const struct load_target *target);

/* Waits until all units are back, at most --timeout from the deadline on; or, when it is given up,
 * for the answer to a question that is on its way. */
void storm_end(struct storm *storm, bool gives_up);

#endif
