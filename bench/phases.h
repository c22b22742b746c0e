#ifndef HF_BENCH_PHASES_H
#define HF_BENCH_PHASES_H
/* A load before, during and after something that happens to the server at a moment
 * known beforehand, and is over when somebody sees that it is. Each thread of the load counts for
 * itself; any other may tell the end. */

#include <stdatomic.h>
#include <stdint.h>

enum phase { PHASE_BEFORE, PHASE_DURING, PHASE_AFTER, PHASES };

/* Moments are of CLOCK_MONOTONIC. */
struct phases {
    uint64_t begins_ns;
    atomic_uint_fast64_t over_ns; /* 0 = not yet */
};

/* The phase in which a click belongs that was planned for this moment and has been answered. One
 * that was answered before the end was told was planned before it too. */
static inline enum phase phases_of(const struct phases *phases, uint64_t planned_ns)
{
    uint64_t over_ns = atomic_load_explicit(&phases->over_ns, memory_order_acquire);
    if (planned_ns < phases->begins_ns) {
        return PHASE_BEFORE;
    }
    return over_ns != 0 && planned_ns > over_ns ? PHASE_AFTER : PHASE_DURING;
}

static inline void phases_end(struct phases *phases, uint64_t over_ns)
{
    atomic_store_explicit(&phases->over_ns, over_ns, memory_order_release);
}

#endif
