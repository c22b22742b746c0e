#ifndef HF_BENCH_PROGRESS_H
#define HF_BENCH_PROGRESS_H
/* The line that shows how far a run is, on stderr: rewritten in place on a terminal, one below the
 * other elsewhere when asked for. */

#include "bench/histogram.h"
#include "bench/options.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

struct load_result;

/* ---- a line of any text; one thread ---- */

struct progress_line {
    uint64_t interval_ns; /* 0 = silent */
    bool in_place;
    bool is_shown;
};

void progress_line_begin(struct progress_line *line, const struct bench_options *options);
__attribute__((format(printf, 2, 3))) void progress_line_show(struct progress_line *line,
                                                              const char *format, ...);

/* Leaves the line as it is and goes to the next. */
void progress_line_end(struct progress_line *line);

/* ---- that of a load, with all its threads ----
 *
 * At the end of an interval each thread notes how far it is; the last one to do so shows the line.
 * Between two intervals nothing is shared. */

/* What a thread has noted. On cache lines of its own. */
struct progress_part {
    alignas(64) uint64_t next_ns; /* of the thread alone */
    uint64_t interval;            /* number of the last that it has noted; the rest goes with it */
    uint64_t answered;            /* rows, warm-up included */
    uint64_t accepted;
    struct histogram clicks;
};

struct progress {
    struct progress_line line;
    bool has_ledger; /* it is known how many were accepted */
    uint64_t warmup_ns;
    uint64_t requests; /* 0 = no number given */
    struct progress_part *parts;
    uint32_t part_count;
    pthread_mutex_t lock; /* of the line and what was noted */
    uint64_t shown;       /* number of the interval shown last */
    uint64_t shown_ns;
    uint64_t shown_answered;
};

/* False when there is no memory; end is fine then too. */
bool progress_begin(struct progress *progress, const struct bench_options *options,
                    uint32_t thread_count);

/* Is it time for this thread's note? `elapsed_ns` is since the load began. */
static inline bool progress_is_due(const struct progress *progress, uint32_t thread,
                                   uint64_t elapsed_ns)
{
    return progress->line.interval_ns > 0 && elapsed_ns >= progress->parts[thread].next_ns;
}

void progress_note(struct progress *progress, uint32_t thread, const struct load_result *result,
                   uint64_t accepted, uint64_t elapsed_ns);

/* The last note of a thread: the others go on without it. */
void progress_leave(struct progress *progress, uint32_t thread, const struct load_result *result,
                    uint64_t accepted);

void progress_end(struct progress *progress);

#endif
