#ifndef HF_BENCH_LOAD_H
#define HF_BENCH_LOAD_H
/* The load: many connections, each with a number of frames in flight, divided among one or more
 * threads. In a closed loop an answer makes room for the next frame; in an open one frames are sent
 * at planned moments, and wait only when there is no room. Counts every answer. */

#include "bench/histogram.h"
#include "bench/phases.h"
#include "bench/standstill.h"
#include "bench/timeline.h"
#include "bench/workload.h"

#include <stdbool.h>
#include <stdint.h>

enum { LOAD_INTERRUPTIONS_MAX = 16, LOAD_TROUBLE_BYTES = 256 };

/* From the first connection lost until all are back. Times since the load began. */
struct load_interruption {
    uint64_t began_ns;
    bool all_came_back;
    uint64_t lasted_ns;     /* only then */
    uint64_t answered_rows; /* before it, warm-up included */
};

/* The load generator is late when a frame leaves so long after its planned moment, or after there
 * was room for it. */
#define LOAD_LATE_NS (1000ull * 1000)

/* What an answer was to. */
enum load_kind {
    LOAD_ACCEPTED, /* reserve, with OK */
    LOAD_REPEATED, /* reserve, with DUPLICATE: the first answer again */
    LOAD_REFUSED,  /* reserve, with anything else */
    LOAD_CONFIRM,
    LOAD_CANCEL,
    LOAD_KINDS,
};

/* In nanoseconds, counted per row. */
struct load_times {
    struct histogram kinds[LOAD_KINDS];
};

/* How well an open loop kept to its plan, in frames. All zero for a closed one. */
struct load_pace {
    struct histogram own_delay; /* from when a frame was planned and had room until it was sent */
    uint64_t late;              /* with more than LOAD_LATE_NS of that */
    uint64_t waited;            /* for room: all slots were taken at the planned moment */
    uint64_t behind_ns;         /* so long ago was the first one planned that was never sent */
};

/* What a thread of the load did with its time. */
struct load_busy {
    uint64_t cpu_ns;
    uint64_t wait_ns; /* ready to run, without a CPU */
    uint64_t elapsed_ns;
};

/* Of all threads together. Rows are counted, not frames, but for `frames` and `pace`. */
struct load_result {
    uint64_t results[WIRE_OPS][WIRE_RESULTS];
    uint64_t lost[WIRE_OPS]; /* the connection died before the answer */
    uint64_t answered;
    uint64_t resent; /* after an interruption, under the same ids */
    uint64_t frames;
    struct load_times latency; /* from the planned moment to the answer */
    struct load_times service; /* from sending to the answer; the same in a closed loop */
    struct load_times outside; /* latency of rows that were neither planned nor waited for within a
                                * standstill; of an open loop only */
    struct load_pace pace;
    struct histogram phases[PHASES]; /* latency of clicks; only when there are phases */
    uint64_t elapsed_ns;             /* from the end of the warm-up to the last answer */
    uint64_t clicks_elapsed_ns;      /* to the last answer to a reserve: paying may take longer */
    uint64_t own_cpu_ns;
    uint64_t own_wait_ns;     /* ready to run, without a CPU */
    struct load_busy busiest; /* of the threads */
    uint64_t server_cpu_ns;
    bool server_cpu_known;
    struct standstill_summary standstills;

    /* What is above counts from the end of the warm-up on. */
    uint64_t warmup_rows; /* answered before */
    struct load_interruption interruptions[LOAD_INTERRUPTIONS_MAX];
    uint32_t interruption_count;
    char trouble[LOAD_TROUBLE_BYTES]; /* empty when the load ran to its end */
};

/* Rows of this kind of request that were answered. */
static inline uint64_t load_answered(const struct load_result *result, enum wire_op op)
{
    uint64_t sum = 0;
    for (int i = 0; i < WIRE_RESULTS; i++) {
        sum += result->results[op][i];
    }
    return sum;
}

/* Adds the latencies of all answers to reserve, whatever they were. */
void load_add_clicks(struct histogram *sum, const struct load_times *times);

/* "accepted". */
const char *load_kind_name(enum load_kind kind);

/* Where to, and what the server must be. */
struct load_target {
    struct endpoint endpoint;
    uint8_t server_id[16];
    uint32_t core_count;
    char server_version[64];
};

/* Runs the whole load, on as many threads as the options ask for, and notes each click in the
 * timeline, which is open and stays so, and counts by phases, unless they are NULL.
 * `result->trouble` tells whether it came to its end. SIGINT and SIGTERM end it
 * early. */
void load_run(struct load_result *result, const struct bench_options *options,
              const struct load_target *target, struct workload *workload,
              struct timeline *timeline, const struct phases *phases);

#endif
