#ifndef HF_BENCH_STANDSTILL_WATCH_H
#define HF_BENCH_STANDSTILL_WATCH_H
/* Watchers for standstills, a thread on each CPU on which this program or the server may run. They
 * take less than 1 % of a CPU each. Where the kernel does not count how long a thread waited for
 * its CPU, or the threads cannot be made, there are none, and nothing is known. */

#include "bench/standstill.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { WATCHERS_MAX = 64 };

struct watcher {
    struct standstill_watch *watch;
    pthread_t thread;
    int cpu;
    atomic_uint_fast64_t seen_ns; /* what its CPU did until then is known */
};

struct standstill_watch {
    struct watcher watchers[WATCHERS_MAX];
    uint32_t count;
    atomic_bool is_over;
    pthread_mutex_t lock; /* for what follows */
    struct standstills standstills;
    bool is_known;
    uint64_t counts_from_ns;
};

/* `server_pid` is 0 when it is not known. The watch does not move until its end. */
void standstill_watch_begin(struct standstill_watch *watch, uint64_t server_pid);

/* What stood still before this moment does not count. */
void standstill_watch_count_from(struct standstill_watch *watch, uint64_t now_ns);

/* All standstills that ended before this moment are known. 0 without watchers. */
uint64_t standstill_watch_known_until(const struct standstill_watch *watch);

/* The standstills, for reading until they are released; a watcher that comes back waits for it. */
const struct standstills *standstill_watch_acquire(struct standstill_watch *watch);
void standstill_watch_release(struct standstill_watch *watch);

/* Ends the threads. */
void standstill_watch_end(struct standstill_watch *watch, struct standstill_summary *summary_out);

#endif
