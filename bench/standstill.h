#ifndef HF_BENCH_STANDSTILL_H
#define HF_BENCH_STANDSTILL_H
/* Times in which a CPU did nothing at all. The host of a virtual machine stops its CPUs when it has
 * better use for its own, and whatever was asked of a server meanwhile takes so much longer without
 * the server's doing. A watcher on each CPU finds them out: it sleeps, and when it comes back late
 * without having waited for others on its CPU, then the CPU did not serve its timer.
 *
 * A standstill lasts from the wake-up that was missed until the timer was served, so it is told at
 * most STANDSTILL_SLEEP_NS too short. Those of several CPUs that overlap are one. Moments are of
 * CLOCK_MONOTONIC. One thread at a time. */

#include <stdbool.h>
#include <stdint.h>

#define STANDSTILL_SLEEP_NS (4ull * 1000 * 1000) /* of a watcher, each time */
#define STANDSTILL_NS_MIN   (1ull * 1000 * 1000) /* shorter ones are none */

struct standstill {
    uint64_t began_ns;
    uint64_t ended_ns;
};

/* In the order of time; no two overlap. All zero is none. */
struct standstills {
    struct standstill *all;
    uint32_t count;
    uint32_t room;
};

struct standstill_summary {
    bool known; /* there were watchers; all else is 0 if not */
    uint32_t cpus;
    uint64_t watched_ns;
    uint64_t count;
    uint64_t total_ns;
    uint64_t median_ns;
    uint64_t longest_ns;
};

/* A watcher that wanted to wake up at `planned_ns` did so at `back_ns`, and of that time it was
 * ready to run, without its CPU, for `waited_ns`. False when there is no memory to remember it. */
bool standstills_note(struct standstills *standstills, uint64_t planned_ns, uint64_t back_ns,
                      uint64_t waited_ns);
void standstills_free(struct standstills *standstills);

/* Does a standstill overlap this time? */
bool standstills_touch(const struct standstills *standstills, uint64_t from_ns, uint64_t until_ns);

/* What of them lies within this time. The rest of the summary stays as it is. */
void standstills_sum_up(const struct standstills *standstills, uint64_t from_ns, uint64_t until_ns,
                        struct standstill_summary *summary);

/* 0 when nothing was watched. */
static inline double standstill_share(const struct standstill_summary *summary)
{
    return summary->watched_ns > 0 ? (double)summary->total_ns / (double)summary->watched_ns : 0;
}

#endif
