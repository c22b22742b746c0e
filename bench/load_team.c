#include "bench/cpus.h"
#include "bench/load_state.h"
#include "bench/process.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

/* The threads of a load. Each has connections, a part of the workload, counters and a clock of its
 * own, and no frame needs another thread. They meet once, when all connections are open, and agree
 * on the moment at which the load begins; from then on they only look at a flag that tells of
 * trouble elsewhere. An interruption goes on from the first connection lost by any of them until
 * all have theirs back. When all have ended, what they counted is added up. */

#define NS_PER_MS   1000000ull
#define TO_START_NS (1 * NS_PER_MS) /* all have woken up by then, as a rule */

static atomic_bool stop_asked;

static void ask_to_stop(int signal_number)
{
    (void)signal_number;
    atomic_store(&stop_asked, true);
}

/* ---- trouble ------------------------------------------------------------------------------- */

void load_tell_trouble(struct load *load, const char *format, ...)
{
    struct load_team *team = load->team;
    pthread_mutex_lock(&team->lock);
    if (team->trouble[0] == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(team->trouble, sizeof team->trouble, format, arguments);
        va_end(arguments);
    }
    atomic_store_explicit(&team->is_stopped, true, memory_order_relaxed);
    pthread_cond_broadcast(&team->met);
    pthread_mutex_unlock(&team->lock);
}

bool load_is_stopped(struct load *load)
{
    if (atomic_load_explicit(&load->team->is_stopped, memory_order_relaxed)) {
        return true;
    }
    if (atomic_load_explicit(&stop_asked, memory_order_relaxed)) {
        load_tell_trouble(load, "stopped by a signal");
        return true;
    }
    return false;
}

/* ---- beginning together -------------------------------------------------------------------- */

static uint64_t unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

bool load_meet(struct load *load)
{
    struct load_team *team = load->team;
    pthread_mutex_lock(&team->lock);
    if (++team->met_count == team->size) {
        team->started_ns = monotonic_ns() + TO_START_NS;
        timeline_begin(team->timeline, unix_ms() + TO_START_NS / NS_PER_MS);
        pthread_cond_broadcast(&team->met);
    }
    while (team->started_ns == 0 &&
           !atomic_load_explicit(&team->is_stopped, memory_order_relaxed)) {
        pthread_cond_wait(&team->met, &team->lock);
    }
    load->started_ns = team->started_ns;
    pthread_mutex_unlock(&team->lock);
    if (load->started_ns == 0) {
        return false;
    }
    sleep_until(load->started_ns);
    return true;
}

/* ---- interruptions ------------------------------------------------------------------------- */

static uint64_t answered_by_all(const struct load_team *team)
{
    uint64_t answered = 0;
    for (uint32_t i = 0; i < team->size; i++) {
        answered += atomic_load_explicit(&team->loads[i].answered_seen, memory_order_relaxed);
    }
    return answered;
}

void load_interruption_begins(struct load *load)
{
    struct load_team *team = load->team;
    if (!load->running || load->interrupted_ns != 0) {
        return;
    }
    load->interrupted_ns = monotonic_ns();
    pthread_mutex_lock(&team->lock);
    if (team->interrupted_count++ == 0) {
        team->interrupted_ns = load->interrupted_ns;
        if (team->interruption_count < LOAD_INTERRUPTIONS_MAX) {
            team->interruptions[team->interruption_count++] = (struct load_interruption){
                .began_ns = load->interrupted_ns - load->started_ns,
                .answered_rows = answered_by_all(team),
            };
        }
    }
    pthread_mutex_unlock(&team->lock);
}

void load_interruption_ends(struct load *load)
{
    struct load_team *team = load->team;
    if (load->interrupted_ns == 0) {
        return;
    }
    uint64_t now_ns = monotonic_ns();
    pthread_mutex_lock(&team->lock);
    struct load_interruption *at = &team->interruptions[team->interruption_count - 1];
    /* one that came back before was the last for which there was room */
    if (--team->interrupted_count == 0 && !at->all_came_back) {
        at->all_came_back = true;
        at->lasted_ns = now_ns - team->interrupted_ns;
    }
    pthread_mutex_unlock(&team->lock);
    load->interrupted_ns = 0;
    load->quiet_since_ns = now_ns;
}

/* ---- from start to end --------------------------------------------------------------------- */

static void *play(void *context)
{
    struct load *load = context;
    const struct bench_options *options = load->options;
    const char *why = NULL;
    if (options->cpus != NULL && options->threads > 1) {
        why = cpus_pin(load->number);
    }
    if (why != NULL) {
        load_tell_trouble(load, "--cpus: thread %u cannot have one to itself: %s", load->number,
                          why);
        return NULL;
    }
    if (load_is_open_loop(load)) {
        prctl(PR_SET_TIMERSLACK, 1ul); /* ns; sleeping is 50 us longer else */
    }
    load_play(load);
    return NULL;
}

static bool create(struct load_team *team)
{
    team->loads = aligned_alloc(alignof(struct load), team->size * sizeof team->loads[0]);
    if (team->loads == NULL) {
        team->size = 0;
        return false;
    }
    memset(team->loads, 0, team->size * sizeof team->loads[0]);
    bool good = progress_begin(&team->progress, team->options, team->size);
    for (uint32_t i = 0; i < team->size; i++) {
        struct load *load = &team->loads[i];
        load->team = team;
        load->options = team->options;
        load->target = team->target;
        load->phases = team->phases;
        load->number = i;
        load->part = &team->workload->parts[i];
        load->timeline = &team->timeline->parts[i];
        good = load_create(load) && good;
    }
    return good;
}

static void destroy(struct load_team *team)
{
    for (uint32_t i = 0; i < team->size; i++) {
        load_destroy(&team->loads[i]);
    }
    free(team->loads);
    progress_end(&team->progress);
}

/* Starts all threads and waits for their end. */
static void run(struct load_team *team)
{
    uint32_t begun = 0;
    while (begun < team->size) {
        struct load *load = &team->loads[begun];
        if (pthread_create(&load->thread, NULL, play, load) != 0) {
            load_tell_trouble(load, "no thread could be made: fewer --threads need less");
            break;
        }
        begun++;
    }
    for (uint32_t i = 0; i < begun; i++) {
        pthread_join(team->loads[i].thread, NULL);
    }
}

static void add_up(struct load_team *team, struct load_result *result)
{
    bool has_counted = false;
    for (uint32_t i = 0; i < team->size; i++) {
        has_counted |= team->loads[i].counting;
        load_count_add(result, team->loads[i].result);
    }
    if (team->started_ns != 0 && !has_counted) {
        load_tell_trouble(&team->loads[0],
                          "the run ended within its --warmup: nothing was counted");
    }
    uint64_t server_cpu_ns = 0;
    result->server_cpu_known =
        team->server_cpu_known && process_cpu_ns(team->options->server_pid, &server_cpu_ns);
    result->server_cpu_ns =
        result->server_cpu_known ? server_cpu_ns - team->server_cpu_before_ns : 0;
    memcpy(result->interruptions, team->interruptions, sizeof result->interruptions);
    result->interruption_count = team->interruption_count;
    memcpy(result->trouble, team->trouble, sizeof result->trouble);
}

void load_run(struct load_result *result, const struct bench_options *options,
              const struct load_target *target, struct workload *workload,
              struct timeline *timeline, const struct phases *phases)
{
    memset(result, 0, sizeof *result);
    struct load_team team = {
        .options = options,
        .target = target,
        .workload = workload,
        .timeline = timeline,
        .phases = phases,
        .size = (uint32_t)options->threads,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .met = PTHREAD_COND_INITIALIZER,
    };
    standstill_watch_begin(&team.watch, options->server_pid);
    if (create(&team)) {
        struct sigaction on_stop = {.sa_handler = ask_to_stop};
        struct sigaction before_int;
        struct sigaction before_term;
        sigaction(SIGINT, &on_stop, &before_int);
        sigaction(SIGTERM, &on_stop, &before_term);
        run(&team);
        sigaction(SIGINT, &before_int, NULL);
        sigaction(SIGTERM, &before_term, NULL);
        add_up(&team, result);
    } else {
        snprintf(result->trouble, sizeof result->trouble,
                 "out of memory for so many threads, connections, frames and rows");
    }
    standstill_watch_end(&team.watch, &result->standstills);
    destroy(&team);
}
