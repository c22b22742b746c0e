/* A process is a handful of pointers here. Its code runs inside sim_engine_run(), which a crash may
 * leave in the middle of anything; after that nothing of it is touched any more but its memory,
 * which is given back as a whole.
 *
 * The cores are turned by one thread in an order that virtual time gives: a core whose io is ready
 * is turned, is busy for some microseconds, and is asked again. What lies between two turns of a
 * core is the other cores' turns and the world's events, so that all interleavings of turns can
 * come up. */
#include "life.h"

#include "core/private.h"
#include "history.h"
#include "io_sim.h"
#include "memory.h"
#include "network.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* No turns without end: what a run needs is a hundredth of it. */
enum { TURNS_MAX = 20 * 1000 * 1000, OVERSLEEP_MS_MAX = 1000 };

/* How far a core's clock was from the wall clock, and how far that was from the monotonic one. */
struct wall_gap {
    uint64_t gap_ns;
    uint64_t offset_ns;
};

struct process {
    struct server_options options;
    struct io *io; /* the main thread's */
    struct data_directory directory;
    struct server *server;
    uint64_t busy_until_ns[LOG_CORE_COUNT_MAX];
    uint64_t next_due_ms[LOG_CORE_COUNT_MAX]; /* that nothing kept it from, at its last turn */
    struct wall_gap gaps[LOG_CORE_COUNT_MAX];
    bool has_stopped[LOG_CORE_COUNT_MAX];
    uint32_t running_count;
    uint32_t step_count; /* cores that have come as far as the start waits for */
    bool is_turning;     /* the cores have started */
    bool is_serving;
    bool is_stopping;
    bool is_refused;
    struct life_refusal refusal;
    uint64_t state_hash;    /* at the start, or at the stop */
    uint64_t not_before_ms; /* the last time in the log, at the start */
};

static struct process process;
static struct life_pace pace;
static enum life_state state;
static uint64_t latest_ms;
static uint64_t number;
static uint64_t asked_to_stop; /* number of the last process that was; 0: none */
static struct life_counts counts;

void life_begin(const struct life_pace *new_pace)
{
    memset(&process, 0, sizeof process);
    memset(&counts, 0, sizeof counts);
    pace = *new_pace;
    state = LIFE_DOWN;
    latest_ms = 0;
    number = 0;
    asked_to_stop = 0;
}

enum life_state life_state(void)
{
    return state;
}

bool life_is_stopping(void)
{
    return process.is_stopping;
}

uint64_t life_number(void)
{
    return number;
}

bool life_was_asked_to_stop(uint64_t asked_number)
{
    return asked_number != 0 && asked_number == asked_to_stop;
}

bool life_lacks_room(void)
{
    for (uint32_t i = 0; process.is_serving && i < process.options.core_count; i++)
        if (!process.has_stopped[i] && wal_lacks_space(server_core(process.server, i)->wal))
            return true;
    return false;
}

uint64_t life_now_ms(void)
{
    return process.is_serving ? latest_ms : 0;
}

/* What the core reads now. Carried on in one step and not in many, a clock that is being steered
 * may come out a nanosecond further. */
static uint64_t engine_now_ms(const struct core *core)
{
    const struct clock_reading reading = {.monotonic_ns = sim_now_ns(), .wall_ns = sim_wall_ns()};
    struct engine_clock clock = core->clock;
    return engine_clock_advance(&clock, reading);
}

uint64_t life_not_before_ms(void)
{
    uint64_t earliest_ms = UINT64_MAX;
    if (!process.is_serving)
        return 0;
    for (uint32_t i = 0; i < process.options.core_count; i++) {
        uint64_t now_ms = engine_now_ms(server_core(process.server, i));
        if (now_ms < earliest_ms)
            earliest_ms = now_ms;
    }
    return earliest_ms - 1;
}

uint64_t life_latest_ms(void)
{
    return latest_ms;
}

struct life_counts life_counts(void)
{
    return counts;
}

/* ---- start ---- */

static enum server_status status_of(enum data_directory_status status)
{
    switch (status) {
    case DATA_DIRECTORY_DAMAGED:
        return SERVER_DAMAGED;
    case DATA_DIRECTORY_VERSION:
        return SERVER_VERSION;
    case DATA_DIRECTORY_PERMISSION:
        return SERVER_PERMISSION;
    default:
        return SERVER_IO_ERROR;
    }
}

static void refuse(enum server_status status, const char *message)
{
    process.is_refused = true;
    process.refusal.status = status;
    snprintf(process.refusal.message, sizeof process.refusal.message, "%s", message);
}

/* The steps of main(), in its order, up to the point at which the cores turn. */
static void run_start(void *context)
{
    (void)context;
    char message[SERVER_MESSAGE_BYTES] = "";
    enum server_status status = SERVER_OK;
    uint16_t port;

    const struct io_options io_options = {.op_count_max = 8};
    enum io_status io_status = io_create(&io_options, &process.io, message);
    if (io_status != IO_OK) {
        refuse(io_status == IO_NO_MEMORY ? SERVER_NO_MEMORY : SERVER_NO_IO_URING, message);
        return;
    }
    io_start(process.io);
    enum data_directory_status directory_status =
        data_directory_open(&process.directory, process.io, LIFE_PATH, process.options.core_count);
    if (directory_status != DATA_DIRECTORY_OK) {
        refuse(status_of(directory_status), process.directory.message);
        return;
    }
    process.server = server_create(&process.options, &process.directory, &status, message);
    if (process.server == NULL) {
        refuse(status, message);
        return;
    }
    status = server_bind(process.server, "127.0.0.1", "7411", &port, message);
    if (status != SERVER_OK) {
        refuse(status, message);
        return;
    }
    for (uint32_t i = 0; i < process.options.core_count; i++)
        core_start(server_core(process.server, i));
    process.is_turning = true;
}

/* All cores have loaded. */
static void run_begin_era(void *context)
{
    (void)context;
    enum data_directory_status status = data_directory_begin_era(&process.directory);
    if (status == DATA_DIRECTORY_OK && process.options.archive_path != NULL)
        status = data_directory_prepare_archive(&process.directory, process.options.archive_path);
    if (status == DATA_DIRECTORY_OK)
        status = data_directory_remove_past(&process.directory, server_needs_past(process.server),
                                            process.options.archive_path);
    if (status == DATA_DIRECTORY_OK)
        server_open_logs(process.server);
    else
        refuse(status_of(status), process.directory.message);
}

/* All cores have opened their logs. */
static void run_totals(void *context)
{
    (void)context;
    process.state_hash = server_totals(process.server).state_hash;
}

static void run_serve(void *context)
{
    (void)context;
    server_serve(process.server);
}

static void note_time(const struct core *core)
{
    if (core->now_ms > latest_ms)
        latest_ms = core->now_ms;
}

static struct wall_gap wall_gap_of(const struct core *core)
{
    const struct engine_clock *clock = &core->clock;
    uint64_t offset_ns = sim_wall_ns() - sim_now_ns();
    uint64_t wall_ns = clock->last_monotonic_ns + offset_ns;
    return (struct wall_gap){
        .gap_ns = clock->now_ns > wall_ns ? clock->now_ns - wall_ns : wall_ns - clock->now_ns,
        .offset_ns = offset_ns,
    };
}

/* The clock follows the wall clock: as long as nobody sets that, it comes no further from it. */
static void check_steering(uint32_t index)
{
    const struct wall_gap before = process.gaps[index];
    const struct wall_gap gap = wall_gap_of(server_core(process.server, index));
    if (gap.offset_ns == before.offset_ns && gap.gap_ns > before.gap_ns)
        sim_fail("time",
                 "core %" PRIu32 ": its clock was %" PRIu64
                 " ns from the wall clock and is %" PRIu64 " ns now",
                 index, before.gap_ns, gap.gap_ns);
    process.gaps[index] = gap;
}

/* All cores' clocks go on behind what any log tells. */
static void check_first_time(uint32_t index)
{
    const struct core *core = server_core(process.server, index);
    if (core->now_ms < process.not_before_ms)
        sim_fail("time", "core %" PRIu32 " starts at %" PRIu64 ", and the log goes up to %" PRIu64,
                 index, core->now_ms, process.not_before_ms);
    process.gaps[index] = wall_gap_of(core);
}

/* ---- the end ---- */

void life_end(enum sim_crash crash)
{
    bool was_serving = process.is_serving;
    sim_trace("server: ends by %s", crash == SIM_CRASH_KILL ? "kill" : "loss of power");
    if (state == LIFE_FAILED)
        counts.failures++;
    else if (state != LIFE_REFUSED && crash == SIM_CRASH_KILL)
        counts.kills++;
    else if (state != LIFE_REFUSED)
        counts.powers++;
    sim_crash_at_operation(0);
    sim_disk_fail_at(0, SIM_DISK_ERROR, 0, false);
    sim_memory_fail_at(0, false);
    sim_io_crash();
    sim_disk_crash(crash);
    sim_memory_release();
    memset(&process, 0, sizeof process);
    state = LIFE_DOWN;
    sim_network_server_died();
    if (was_serving)
        history_server_ended(false, 0, latest_ms);
}

/* ---- a clean stop ---- */

static void run_ask_stop(void *context)
{
    (void)context;
    server_stop(process.server);
}

void life_ask_stop(void)
{
    sim_trace("server: is asked to stop");
    process.is_stopping = true;
    asked_to_stop = number;
    if (!sim_engine_run(run_ask_stop, NULL))
        state = LIFE_CRASHED;
}

static void run_destroy(void *context)
{
    (void)context;
    process.state_hash = server_hash(process.server);
    server_destroy(&process.server);
    data_directory_close(&process.directory);
    io_destroy(&process.io);
}

/* What the cores count of each other's jobs bounds what they may ask: a count that does not come
 * down shuts them off in the end. */
static void check_nothing_is_out(void)
{
    for (uint32_t i = 0; i < process.options.core_count; i++)
        for (uint32_t to = 0; to < process.options.core_count; to++)
            if (server_core(process.server, i)->port.outstanding[to] != 0)
                sim_fail("leak",
                         "after a clean stop core %" PRIu32 " counts %" PRIu32
                         " jobs that are at core %" PRIu32,
                         i, server_core(process.server, i)->port.outstanding[to], to);
}

static void has_stopped(void)
{
    check_nothing_is_out();
    if (!sim_engine_run(run_destroy, NULL)) {
        state = LIFE_CRASHED;
        return;
    }
    uint64_t state_hash = process.state_hash;
    sim_trace("server: has stopped, state hash %016" PRIx64, state_hash);
    if (sim_memory_used_bytes() != 0)
        sim_fail("leak", "after a clean stop %" PRIu64 " bytes are still allocated",
                 sim_memory_used_bytes());
    if (sim_io_open_descriptors() != 0 || sim_io_count() != 0)
        sim_fail("leak", "after a clean stop %" PRIu32 " descriptors and %" PRIu32 " ios are open",
                 sim_io_open_descriptors(), sim_io_count());
    sim_crash_at_operation(0);
    sim_disk_fail_at(0, SIM_DISK_ERROR, 0, false);
    sim_io_crash();
    memset(&process, 0, sizeof process);
    state = LIFE_DOWN;
    counts.stops++;
    sim_network_server_died();
    history_server_ended(true, state_hash, latest_ms);
}

/* ---- turns ---- */

struct turn {
    struct core *core;
    enum core_status status;
};

static void run_turn(void *context)
{
    struct turn *turn = context;
    turn->status = core_turn(turn->core);
}

static uint64_t turn_takes_ns(void)
{
    uint64_t ns = sim_between(SIM_CHANCE_TURNS, pace.turn_ns_min, pace.turn_ns_max);
    if (sim_happens(SIM_CHANCE_TURNS, pace.stall_permille))
        ns += sim_between(SIM_CHANCE_TURNS, pace.stall_ns_min, pace.stall_ns_max);
    return ns;
}

/* A core that has nothing to wait for wakes for what is due, but for the steering of its clock in
 * the meantime. */
static void check_sleep(uint32_t index)
{
    const struct core *core = server_core(process.server, index);
    uint64_t now_ms = engine_now_ms(core);
    uint64_t late_ms_max = OVERSLEEP_MS_MAX + (now_ms - core->now_ms) / 1000;
    if (process.next_due_ms[index] < now_ms && now_ms - process.next_due_ms[index] > late_ms_max)
        sim_fail("expiry",
                 "core %" PRIu32 " has slept from %" PRIu64 " to %" PRIu64
                 ", over what was due at %" PRIu64,
                 index, core->now_ms, now_ms, process.next_due_ms[index]);
}

/* What others sent and it has not taken yet. */
static uint32_t waiting_jobs(uint32_t index)
{
    const struct exchange *exchange = server_core(process.server, index)->port.exchange;
    uint32_t count = 0;
    for (uint32_t from = 0; from < exchange->core_count; from++) {
        const struct queue *queue = &exchange->queues[from * exchange->core_count + index];
        count += queue->tail - queue->head;
    }
    return count;
}

/* A core that leaves jobs for its next turn goes on at once, or when the disk has made room; or it
 * waits until all serve. */
static void check_leaves_no_jobs(uint32_t index)
{
    const struct core *core = server_core(process.server, index);
    if (core->phase != CORE_PHASE_OPENED && !core->lacks_log_room && waiting_jobs(index) > 0 &&
        sim_io_ready_ns(core->io) > sim_now_ns())
        sim_fail("answered", "core %" PRIu32 " sleeps over %" PRIu32 " jobs of other cores", index,
                 waiting_jobs(index));
}

/* A core that is closed records nothing more: what is due then is left to the next start. */
static void note_sleep(uint32_t index)
{
    const struct core *core = server_core(process.server, index);
    bool is_free = core->phase == CORE_PHASE_SERVING && !core->is_closed &&
                   wal_is_idle(core->wal) && wal_room(core->wal) > 0 && !core->lacks_log_room;
    uint64_t due_ms = is_free ? stock_next_due_ms(core->stock) : UINT64_MAX;
    /* what was overdue before nothing kept it any more is late from now on */
    process.next_due_ms[index] = due_ms > core->now_ms ? due_ms : core->now_ms;
}

static void turn_core(uint32_t index)
{
    struct turn turn = {.core = server_core(process.server, index)};
    check_sleep(index);
    if (++counts.turns > TURNS_MAX)
        sim_fail("answered", "the cores have turned %d times and still do", TURNS_MAX);
    if (!sim_engine_run(run_turn, &turn)) {
        note_time(turn.core);
        state = LIFE_CRASHED;
        return;
    }
    note_time(turn.core);
    if (turn.status == CORE_SERVES) /* its clock goes on behind what the logs tell */
        process.gaps[index] = wall_gap_of(turn.core);
    else
        check_steering(index);
    if (turn.status == CORE_RUNNING)
        note_sleep(index);
    process.busy_until_ns[index] = sim_now_ns() + turn_takes_ns();
    if (turn.status == CORE_FAILED) {
        sim_trace("core %" PRIu32 ": has failed: %s", index, core_failure(turn.core));
        state = LIFE_FAILED;
    } else if (turn.status == CORE_REFUSED) {
        refuse(core_refusal(turn.core)->status, core_refusal(turn.core)->message);
        state = LIFE_REFUSED;
    } else if (turn.status == CORE_STOPPED) {
        process.has_stopped[index] = true;
        if (--process.running_count == 0)
            has_stopped();
    } else {
        if (turn.status != CORE_RUNNING)
            process.step_count++;
        check_leaves_no_jobs(index);
    }
}

/* The core that is to be turned next, and when: the earliest, and of several one by chance. */
static uint64_t next_turn_ns(uint32_t *core_out)
{
    uint64_t earliest_ns = UINT64_MAX;
    uint32_t tied_count = 0;
    for (uint32_t i = 0; process.is_turning && i < process.options.core_count; i++) {
        if (process.has_stopped[i])
            continue;
        uint64_t at_ns = sim_io_ready_ns(server_core(process.server, i)->io);
        if (at_ns < process.busy_until_ns[i])
            at_ns = process.busy_until_ns[i];
        if (at_ns < sim_now_ns())
            at_ns = sim_now_ns();
        if (at_ns > earliest_ns || at_ns == UINT64_MAX)
            continue;
        tied_count = at_ns == earliest_ns ? tied_count + 1 : 1;
        earliest_ns = at_ns;
        if (tied_count == 1 || sim_between(SIM_CHANCE_TURNS, 1, tied_count) == 1)
            *core_out = i;
    }
    return earliest_ns;
}

/* One event or one turn, whichever is due first. False when neither is due until then. */
static bool step_on(uint64_t until_ns)
{
    uint32_t core = 0;
    uint64_t turn_ns = next_turn_ns(&core);
    uint64_t event_ns = sim_next_event_ns();
    if (turn_ns > until_ns && event_ns > until_ns)
        return false;
    if (event_ns <= turn_ns) {
        (void)sim_run_event();
        return true;
    }
    if (turn_ns > sim_now_ns())
        sim_move_to(turn_ns);
    turn_core(core);
    return true;
}

enum life_state life_run(uint64_t until_ns)
{
    const enum life_state before = state;
    while (state == before && step_on(until_ns)) {
    }
    if (state == before && sim_now_ns() < until_ns)
        sim_move_to(until_ns);
    return state;
}

/* ---- the start ---- */

/* Turns the cores, with the world going on, until all have come so far. The state is LIFE_STARTING
 * then; or the process has ended. */
static void reach_step(void)
{
    process.step_count = 0;
    while (state == LIFE_STARTING && process.step_count < process.options.core_count)
        if (!step_on(UINT64_MAX - 1))
            sim_fail("start", "the cores sleep, and the start is not done");
}

static void run_step(void (*run)(void *context))
{
    if (state != LIFE_STARTING)
        return;
    if (!sim_engine_run(run, NULL))
        state = LIFE_CRASHED;
    else if (process.is_refused)
        state = LIFE_REFUSED;
}

static void loaded(void)
{
    history_server_started(process.state_hash);
    process.not_before_ms = history_last_time_ms();
}

static void serves(void)
{
    const uint32_t core_count = process.options.core_count;
    process.is_serving = true;
    for (uint32_t i = 0; i < core_count; i++)
        note_time(server_core(process.server, i));
    sim_trace("server: serves, state hash %016" PRIx64 ", engine time %" PRIu64, process.state_hash,
              latest_ms);
    counts.starts++;
    state = LIFE_SERVING;
    history_server_serves();
    for (uint32_t i = 0; i < core_count; i++)
        check_first_time(i);
}

enum life_state life_start(const struct server_options *options, struct life_refusal *refusal_out)
{
    memset(&process, 0, sizeof process);
    number++;
    process.options = *options;
    process.running_count = options->core_count;
    for (uint32_t i = 0; i < options->core_count; i++)
        process.next_due_ms[i] = UINT64_MAX;
    sim_trace("server: starts with %" PRIu32 " cores", options->core_count);
    history_server_starts();
    state = LIFE_STARTING;
    run_step(run_start);
    reach_step();
    run_step(run_begin_era);
    reach_step();
    run_step(run_totals);
    if (state == LIFE_STARTING) /* before any core does anything more */
        loaded();
    run_step(run_serve);
    reach_step();
    if (state == LIFE_STARTING)
        serves();
    if (state == LIFE_REFUSED) {
        *refusal_out = process.refusal;
        sim_trace("server: refuses to start: %s", refusal_out->message);
    }
    return state;
}
