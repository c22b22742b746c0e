#ifndef HF_BENCH_PHASES_H
#define HF_BENCH_PHASES_H
/* Latencies of a load before, during and after something that happens to the server at a moment
 * known beforehand, and is over when somebody sees that it is. The load counts in one thread; any
 * other may tell the end. */

#include "bench/histogram.h"

#include <stdatomic.h>
#include <stdint.h>

enum phase { PHASE_BEFORE, PHASE_DURING, PHASE_AFTER, PHASES };

/* Moments are of CLOCK_MONOTONIC. */
struct phases {
    uint64_t begins_ns;
    atomic_uint_fast64_t over_ns; /* 0 = not yet */
    struct histogram latency[PHASES];
};

/* A click that was planned for this moment has been answered: it belongs to the phase in which it
 * was planned. One that was answered before the end was told was planned before it too. */
static inline void phases_record(struct phases *phases, uint64_t planned_ns, uint64_t latency_ns,
                                 uint64_t times)
{
    uint64_t over_ns = atomic_load_explicit(&phases->over_ns, memory_order_acquire);
    enum phase phase = PHASE_DURING;
    if (planned_ns < phases->begins_ns) {
        phase = PHASE_BEFORE;
    } else if (over_ns != 0 && planned_ns > over_ns) {
        phase = PHASE_AFTER;
    }
    histogram_record(&phases->latency[phase], latency_ns, times);
}

static inline void phases_end(struct phases *phases, uint64_t over_ns)
{
    atomic_store_explicit(&phases->over_ns, over_ns, memory_order_release);
}

#endif
