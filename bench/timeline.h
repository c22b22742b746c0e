#ifndef HF_BENCH_TIMELINE_H
#define HF_BENCH_TIMELINE_H
/* How a run went, interval by interval, in one or two CSV files with a line per interval, so that
 * what happened to the clicks while something went on in the server can be seen afterwards.
 *
 * A click belongs to the interval in which it was planned, however late its answer came; in a
 * closed loop that is when it was sent. Paying and cancelling are left out.
 *
 * quantiles    start_ms,unix_ms,accepted,refused,lost,p50_us,p99_us,p99.9_us,max_us
 *              Start of the interval since the run began and in Unix time; answers; clicks whose
 *              connection died before the answer; latencies, empty when there are no answers.
 * histograms   start_ms,unix_ms,count,buckets
 *              Percentiles of several lines, or runs, cannot be merged; counts can. Each bucket is
 *              END:COUNT, with a space between two: so many latencies up to END us and above the
 *              bucket before. Buckets are narrower than 1 %, and the same ones in all files.
 *
 * Moments and latencies are in nanoseconds, moments since the run began. A timeline has a part for
 * each thread of the load, and a part is used by that thread alone; whoever comes first writes what
 * all parts have. A timeline without files does nothing. */

#include "bench/histogram.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* So many intervals of a thread may wait for answers at once. Each that has had one takes 37 KB. */
enum { TIMELINE_OPEN_MAX = 8192 };

struct timeline_interval {
    uint64_t number_above; /* one more than its number; 0 = the place is empty */
    uint64_t accepted;
    uint64_t refused;
    uint64_t lost;
    uint64_t waiting;          /* clicks that were sent and are not answered */
    struct histogram *latency; /* NULL before the first answer */
};

/* What one thread has to tell. On cache lines of its own. */
struct timeline_part {
    alignas(64) struct timeline *timeline;
    struct timeline_interval *intervals; /* a ring of TIMELINE_OPEN_MAX; NULL without files */
    struct histogram **spares;           /* empty ones, a stack */
    uint32_t spare_count;
    uint64_t kept;              /* number of the oldest whose place is taken */
    uint64_t look_ns;           /* when to look next whether one can be written */
    atomic_uint_fast64_t first; /* the oldest to which something may still come */
    atomic_uint_fast64_t end;   /* after the last that had a click */
    char trouble[256];          /* empty while all is well; the files end where it happened */
};

struct timeline {
    FILE *quantiles_file;
    FILE *histograms_file;
    uint64_t interval_ns;
    uint64_t unix_ms; /* when the run began */
    uint32_t part_count;
    struct timeline_part *parts;
    pthread_mutex_t writing;
    atomic_uint_fast64_t written; /* number of the next line; changes under `writing` */
    struct histogram merged;      /* of that line */
    char trouble[256];            /* of opening and closing, or the first of a part */
};

/* Opens the files that have a path, and empties them. False with `trouble`. */
bool timeline_open(struct timeline *timeline_out, const char *quantiles_path,
                   const char *histograms_path, uint64_t interval_ms, uint32_t part_count);

/* The run begins now, and now is this in Unix time. Before any thread uses its part. */
void timeline_begin(struct timeline *timeline, uint64_t unix_ms);

/* Clicks planned for this moment were sent: each will be answered or lost. */
void timeline_sent(struct timeline_part *part, uint64_t planned_ns, uint32_t clicks);
void timeline_answered(struct timeline_part *part, uint64_t planned_ns, uint64_t latency_ns,
                       uint32_t accepted, uint32_t refused);
void timeline_lost(struct timeline_part *part, uint64_t planned_ns, uint32_t clicks);

/* Is it time for timeline_write()? */
bool timeline_is_due(const struct timeline_part *part, uint64_t now_ns);

/* Writes the oldest interval, when all clicks planned in it were sent and none waits for an answer,
 * in any part. Everything planned before `reached_ns` in this part has been sent. */
void timeline_write(struct timeline_part *part, uint64_t now_ns, uint64_t reached_ns);

/* Nothing more comes from this part: the others go on without it. */
void timeline_end(struct timeline_part *part);

/* Writes the rest and closes the files, when all threads have ended. False with `trouble`, when
 * there was any, now or before. What follows has no timeline. */
bool timeline_finish(struct timeline *timeline);

/* The same, and frees all. */
bool timeline_close(struct timeline *timeline);

#endif
