#include "bench/standstill_watch.h"

#include "bench/cpus.h"
#include "bench/endpoint.h"
#include "bench/process.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

/* A watcher is late for two reasons that have nothing to do with each other. When others run on its
 * CPU its timer is served in time, and from then on the kernel counts that it waits. When the CPU
 * stands still the timer is not served, and nothing is counted until it is. So what counts is how
 * late it was less how long it waited. */

static void *keep_watch(void *context)
{
    struct watcher *watcher = context;
    struct standstill_watch *watch = watcher->watch;
    uint64_t waited_ns = process_thread_wait_ns();
    while (!atomic_load_explicit(&watch->is_over, memory_order_relaxed)) {
        uint64_t planned_ns = monotonic_ns() + STANDSTILL_SLEEP_NS;
        sleep_until(planned_ns);
        uint64_t back_ns = monotonic_ns();
        uint64_t waited_before_ns = waited_ns;
        waited_ns = process_thread_wait_ns();
        pthread_mutex_lock(&watch->lock);
        watch->is_known =
            watch->is_known && standstills_note(&watch->standstills, planned_ns, back_ns,
                                                waited_ns - waited_before_ns);
        pthread_mutex_unlock(&watch->lock);
        atomic_store_explicit(&watcher->seen_ns, back_ns, memory_order_release);
    }
    return NULL;
}

/* On which this program or the server may run. */
static void find_cpus(uint64_t server_pid, cpu_set_t *cpus_out)
{
    cpu_set_t of_server;
    if (sched_getaffinity(0, sizeof *cpus_out, cpus_out) != 0) {
        CPU_ZERO(cpus_out);
    }
    if (server_pid != 0 &&
        sched_getaffinity((pid_t)server_pid, sizeof of_server, &of_server) == 0) {
        CPU_OR(cpus_out, cpus_out, &of_server);
    }
}

/* On this CPU alone from its first moment. */
static bool start(struct watcher *watcher)
{
    pthread_attr_t attributes;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(watcher->cpu, &one);
    atomic_store_explicit(&watcher->seen_ns, monotonic_ns(), memory_order_relaxed);
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    bool good = pthread_attr_setaffinity_np(&attributes, sizeof one, &one) == 0 &&
                pthread_create(&watcher->thread, &attributes, keep_watch, watcher) == 0;
    pthread_attr_destroy(&attributes);
    return good;
}

void standstill_watch_begin(struct standstill_watch *watch, uint64_t server_pid)
{
    memset(watch, 0, sizeof *watch);
    pthread_mutex_init(&watch->lock, NULL);
    watch->counts_from_ns = monotonic_ns();
    const bool counts_waiting = process_counts_waiting();
    watch->is_known = counts_waiting; /* from the first watcher on under the lock */
    cpu_set_t cpus;
    find_cpus(server_pid, &cpus);
    for (int cpu = 0; counts_waiting && cpu < CPU_SETSIZE && watch->count < WATCHERS_MAX; cpu++) {
        struct watcher *watcher = &watch->watchers[watch->count];
        *watcher = (struct watcher){.watch = watch, .cpu = cpu};
        if (CPU_ISSET(cpu, &cpus) && start(watcher)) {
            watch->count++;
        }
    }
}

void standstill_watch_count_from(struct standstill_watch *watch, uint64_t now_ns)
{
    pthread_mutex_lock(&watch->lock);
    watch->counts_from_ns = now_ns;
    pthread_mutex_unlock(&watch->lock);
}

uint64_t standstill_watch_known_until(const struct standstill_watch *watch)
{
    uint64_t until_ns = watch->count > 0 ? UINT64_MAX : 0;
    for (uint32_t i = 0; i < watch->count; i++) {
        uint64_t seen_ns = atomic_load_explicit(&watch->watchers[i].seen_ns, memory_order_acquire);
        until_ns = seen_ns < until_ns ? seen_ns : until_ns;
    }
    return until_ns;
}

const struct standstills *standstill_watch_acquire(struct standstill_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    return &watch->standstills;
}

void standstill_watch_release(struct standstill_watch *watch)
{
    pthread_mutex_unlock(&watch->lock);
}

void standstill_watch_end(struct standstill_watch *watch, struct standstill_summary *summary_out)
{
    uint64_t now_ns = monotonic_ns();
    atomic_store_explicit(&watch->is_over, true, memory_order_relaxed);
    for (uint32_t i = 0; i < watch->count; i++) {
        pthread_join(watch->watchers[i].thread, NULL);
    }
    *summary_out = (struct standstill_summary){0};
    if (watch->is_known && watch->count > 0) {
        summary_out->known = true;
        summary_out->cpus = watch->count;
        standstills_sum_up(&watch->standstills, watch->counts_from_ns, now_ns, summary_out);
    }
    standstills_free(&watch->standstills);
    pthread_mutex_destroy(&watch->lock);
}
