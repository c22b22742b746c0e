/* The script of a run:
 *
 *     lives, each with an end of its own, until the plan's calls are asked or its lives are over
 *     faults healed; everybody gets his answers and leaves; all is read once more
 *     time passes, until the last hold is over and forgotten
 *     clean stop, start, clean stop: the same state; the history's last checks
 *
 * What goes wrong on purpose is drawn here, and whatever goes wrong without is a finding. */
#include "run.h"

#include "bad_clients.h"
#include "base/checksum.h"
#include "clients.h"
#include "damage.h"
#include "flood.h"
#include "history.h"
#include "life.h"
#include "log_walk.h"
#include "memory.h"
#include "plan.h"
#include "shop.h"
#include "stock/stock.h"
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    PLAN_TEXT_BYTES = 2048,
    STARTS_MAX = 100, /* tries until it must come to serve */
    OPEN_SECONDS = 5,
    STOP_SECONDS = 60,
    ANSWER_SECONDS = 900,
    FAIL_SECONDS = 30,
    SLICE_MS = 50,
    GRACE_MS = 5000,
    EXTEND_MS = 60 * 1000,
};

static struct sim_plan plan;
static struct run_result result;

/* What may explain a refused start or a failed core. */
static struct {
    uint64_t life;       /* its number */
    uint32_t core_count; /* to start with */
    uint32_t served_core_count;
    bool is_disk_full;
    enum sim_disk_fault disk_fault;
    int disk_error;
    bool is_disk_failing;
    uint64_t serving_from; /* operation */
    bool is_memory_failing;
    uint64_t memory_fails_from; /* allocation */
} faults;

/* ---- chance ---- */

static uint64_t draw(uint64_t low, uint64_t high)
{
    return sim_between(SIM_CHANCE_FAULTS, low, high);
}

static uint64_t spread(uint64_t low, uint64_t high)
{
    return sim_spread(SIM_CHANCE_FAULTS, low, high);
}

static bool likely(uint32_t permille)
{
    return sim_happens(SIM_CHANCE_FAULTS, permille);
}

static enum sim_crash any_crash(void)
{
    return likely(500) ? SIM_CRASH_KILL : SIM_CRASH_POWER;
}

/* ---- the disk's room ---- */

/* Room for what is there and a few segments more; or for all there ever is. */
static void set_disk_room(bool is_full)
{
    struct sim_disk_options disk = plan.disk;
    faults.is_disk_full = is_full;
    if (is_full) {
        uint64_t segments = spread(1, 8) - 1;
        uint64_t more = draw(0, plan.server.segment_bytes);
        disk.capacity_bytes = sim_disk_used_bytes() + segments * plan.server.segment_bytes + more;
        sim_trace("run: the disk has room for %" PRIu64 " bytes", disk.capacity_bytes);
    }
    sim_disk_set_options(&disk);
}

/* For how long cores may go on without the next segment when there is room for it: they look each
 * second, and some operations, all as slow as they come, give up the attempt before and make a new
 * one. */
static uint64_t recovery_ns(void)
{
    enum { OPERATIONS = 24, SLICE_BYTES = 1 << 20, TURNS = 20 };
    const uint64_t slow = plan.disk.slow_permille > 0 ? 100 : 1;
    const uint64_t slices = plan.server.segment_bytes / SLICE_BYTES + 1;
    const uint64_t stall_us = plan.stall_permille > 0 ? plan.stall_us.high : 0;
    return 2 * SIM_SECOND + (OPERATIONS + 2 * slices) * slow * plan.disk.write_ns_max +
           TURNS * (plan.turn_us.high + stall_us) * SIM_US;
}

static void check_recovery(void *context, uint64_t life)
{
    (void)context;
    if (life == faults.life && life_state() == LIFE_SERVING && !faults.is_disk_full &&
        !faults.is_disk_failing && life_lacks_room())
        sim_fail("full-disk", "there is room for the next segment again, and a core has none");
}

/* ---- operations that fail ---- */

static void let_disk_fail(void)
{
    static const int errors[] = {EIO, ENOSPC, EINTR};
    uint64_t n = spread(1, 400);
    faults.disk_fault = (enum sim_disk_fault)draw(SIM_DISK_ERROR, SIM_DISK_UNSYNCED);
    faults.disk_error = errors[draw(0, 2)];
    bool for_ever = likely(300);
    faults.is_disk_failing = true;
    sim_trace("run: operation %" PRIu64 " on the disk will fail (%d, error %d%s)", n,
              (int)faults.disk_fault, faults.disk_error, for_ever ? ", for ever" : "");
    sim_disk_fail_at(n, faults.disk_fault, faults.disk_error, for_ever);
}

static void let_memory_fail(void)
{
    uint64_t n = spread(1, 100);
    bool for_ever = likely(300);
    faults.is_memory_failing = true;
    faults.memory_fails_from = sim_memory_allocation_count() + n;
    sim_trace("run: allocation %" PRIu64 " will be refused%s", n, for_ever ? ", for ever" : "");
    sim_memory_fail_at(n, for_ever);
}

static bool is_any(const char *name, const char *path, uint64_t operation)
{
    (void)name;
    (void)path;
    (void)operation;
    return true;
}

static bool has_disk_failed(void)
{
    return faults.is_disk_failing && sim_disk_has_failed(is_any);
}

/* What must come of an operation that fails while the server serves. */
enum consequence { GOES_ON, MAY_END, ENDS };

static bool has_part(const char *path, const char *part)
{
    return strstr(path, part) != NULL;
}

/* The end is what the log rests on (P3): its segments, their names. Snapshots and the archive it
 * can do without. */
static enum consequence consequence_of(const char *name, const char *path)
{
    const bool is_reading = strcmp(name, "io_file_open") == 0 || strcmp(name, "io_file_read") == 0;
    const bool is_segment = has_part(path, ".log");
    const bool is_new = has_part(path, "/segment.new");
    if (strncmp(path, LIFE_PATH, strlen(LIFE_PATH)) != 0 || has_part(path, "/snapshot"))
        return GOES_ON;
    if (is_reading && is_segment) /* for the archive */
        return GOES_ON;
    if (is_new && (faults.disk_fault == SIM_DISK_SHORT || strcmp(name, "io_file_size") == 0))
        return MAY_END; /* of zeros a part may be made; or it is of no use, and another one is made
                         */
    if (faults.disk_error != ENOSPC)
        return ENDS;
    if (strcmp(name, "io_file_remove") != 0 &&
        (is_new || (is_segment && strcmp(name, "io_file_rename") == 0)))
        return GOES_ON; /* no room for the next segment */
    return is_segment && strcmp(name, "io_file_write") == 0 ? ENDS : MAY_END;
}

static bool ends_the_server(const char *name, const char *path, uint64_t operation)
{
    return operation > faults.serving_from && consequence_of(name, path) == ENDS;
}

static bool may_end_the_server(const char *name, const char *path, uint64_t operation)
{
    return operation > faults.serving_from && consequence_of(name, path) != GOES_ON;
}

static bool has_memory_failed(void)
{
    return faults.is_memory_failing && sim_memory_allocation_count() >= faults.memory_fails_from;
}

/* life_end() has healed them. */
static void forget_faults(void)
{
    faults.is_disk_failing = false;
    faults.is_memory_failing = false;
}

static void end_life(enum sim_crash crash)
{
    life_end(crash);
    forget_faults();
}

/* In the middle of a life, whose number it is: what was lacking is not lacking any more. */
static void make_room(void *context, uint64_t life)
{
    (void)context;
    if (life != faults.life || life_state() != LIFE_SERVING || !faults.is_disk_full)
        return;
    sim_trace("run: there is room on the disk again");
    set_disk_room(false);
    sim_at(sim_now_ns() + recovery_ns(), check_recovery, NULL, life);
}

/* ---- clocks and pauses ---- */

static void step_clock(void *context, uint64_t argument)
{
    (void)context;
    (void)argument;
    uint64_t step_ms = spread(1, plan.clock_step_ms_max);
    bool is_back = likely(500);
    sim_trace("run: the wall clock is set %s by %" PRIu64 " ms", is_back ? "back" : "forward",
              step_ms);
    sim_wall_clock_step(is_back ? -(int64_t)step_ms : (int64_t)step_ms);
}

static void be_down(void)
{
    uint64_t down_us = sim_in_range(SIM_CHANCE_FAULTS, plan.down_us);
    if (likely(plan.clock_step_permille))
        step_clock(NULL, 0);
    life_run(sim_now_ns() + down_us * SIM_US);
}

/* ---- starting ---- */

static bool is_refusal_explained(const struct life_refusal *refusal)
{
    switch (refusal->status) {
    case SERVER_IO_ERROR:
        return has_disk_failed() || has_memory_failed() || faults.is_disk_full;
    case SERVER_NO_MEMORY:
        return has_memory_failed();
    case SERVER_TOO_SMALL: /* fewer cores than before have fewer tables */
        return faults.core_count != faults.served_core_count;
    default:
        return false;
    }
}

static void start_again_after(const struct life_refusal *refusal)
{
    if (!is_refusal_explained(refusal))
        sim_fail("start", "refused for no reason: %s", refusal->message);
    result.refusals++;
    if (refusal->status == SERVER_TOO_SMALL)
        faults.core_count = faults.served_core_count;
    if (faults.is_disk_full)
        set_disk_room(false);
    end_life(SIM_CRASH_KILL);
}

static void serves(void)
{
    faults.served_core_count = faults.core_count;
    faults.serving_from = sim_disk_operation_count();
    sim_memory_fail_at(0, false);
    faults.is_memory_failing = false;
    clients_hear_of_start();
}

/* Until a server serves. What was ordered may crash it on its way, also again and again. */
static void start(enum sim_crash crash)
{
    struct server_options options = plan.server;
    struct life_refusal refusal;
    for (int i = 0; i < STARTS_MAX; i++) {
        options.core_count = faults.core_count;
        switch (life_start(&options, &refusal)) {
        case LIFE_SERVING:
            serves();
            return;
        case LIFE_REFUSED:
            start_again_after(&refusal);
            break;
        default:
            end_life(crash);
            crash = any_crash();
            be_down();
            if (likely(300))
                sim_crash_at_operation(spread(1, 200));
            break;
        }
    }
    sim_fail("start", "%d starts, and none came to serve", STARTS_MAX);
}

/* ---- damage ---- */

static void turn_bits(const struct damage *damage)
{
    for (uint32_t i = 0; i < damage->bit_count; i++) {
        const struct damage_bit *bit = &damage->bits[i];
        sim_trace("run: bit %" PRIu32 " of %s at %" PRIu64 " is turned around, to be %s", bit->bit,
                  bit->path, bit->offset, damage_outcome_name(damage->outcome));
        sim_disk_flip(bit->path, bit->offset, bit->bit);
        if (damage->outcome != DAMAGE_HEALED)
            history_spoil(bit->path, true);
    }
}

/* As they were, if nobody has made something else of the file. */
static void turn_bits_back(const struct damage *damage)
{
    for (uint32_t i = 0; i < damage->bit_count; i++) {
        const struct damage_bit *bit = &damage->bits[i];
        if (sim_disk_size(bit->path) > (int64_t)bit->offset)
            sim_disk_flip(bit->path, bit->offset, bit->bit);
        history_spoil(bit->path, false);
    }
}

_Noreturn static void fail_by(const struct damage *damage, const char *what)
{
    const struct damage_bit *bit = &damage->bits[0];
    sim_fail("damage",
             "bit %" PRIu32 " of %s at %" PRIu64 " (%" PRIu32 " in all) was turned around, to be "
             "%s: %s",
             bit->bit, bit->path, bit->offset, damage->bit_count,
             damage_outcome_name(damage->outcome), what);
}

static void check_words(const struct damage *damage, const struct life_refusal *refusal)
{
    const bool is_refused = damage->outcome == DAMAGE_REFUSED;
    for (uint32_t i = 0; i < damage->bit_count; i++) {
        const struct damage_bit *bit = &damage->bits[i];
        const bool is_told = sim_diag_has(bit->path);
        if (is_refused && !bit->is_in_snapshot && strstr(refusal->message, bit->path) == NULL)
            fail_by(damage, refusal->message);
        if (bit->is_in_snapshot && !is_told && damage->outcome != DAMAGE_UNNOTICED)
            fail_by(damage, "nothing is said about it");
        if (damage->outcome == DAMAGE_UNNOTICED && is_told)
            fail_by(damage, "something is said about it");
    }
    if (damage->outcome == DAMAGE_HEALED && !sim_diag_has("torn"))
        fail_by(damage, "no torn tail is told of");
}

/* Whether the server serves in spite of it. */
static bool start_with_damage(void)
{
    struct damage damage;
    struct life_refusal refusal;
    struct server_options options = plan.server;
    if (!damage_choose(&damage))
        return false;
    options.core_count = faults.core_count;
    turn_bits(&damage);
    enum life_state state = life_start(&options, &refusal);
    const bool is_too_small = state == LIFE_REFUSED && refusal.status == SERVER_TOO_SMALL;
    const bool is_refused = state == LIFE_REFUSED && refusal.status == SERVER_DAMAGED;
    if (is_too_small) {
        turn_bits_back(&damage);
        start_again_after(&refusal);
        return false;
    }
    if (damage.outcome == DAMAGE_REFUSED && !is_refused)
        fail_by(&damage, state == LIFE_REFUSED ? refusal.message : "the server serves");
    if (damage.outcome != DAMAGE_REFUSED && state != LIFE_SERVING)
        fail_by(&damage, state == LIFE_REFUSED ? refusal.message : "the server does not serve");
    check_words(&damage, &refusal);
    result.damages[damage.outcome]++;
    if (damage.outcome == DAMAGE_REFUSED) {
        result.refusals++;
        end_life(SIM_CRASH_KILL);
    }
    if (damage.outcome == DAMAGE_REFUSED || damage.outcome == DAMAGE_UNNOTICED)
        turn_bits_back(&damage);
    return state == LIFE_SERVING;
}

/* ---- one life ---- */

static void stop(void)
{
    life_ask_stop();
    enum life_state state = life_state();
    if (state == LIFE_SERVING)
        state = life_run(sim_now_ns() + STOP_SECONDS * SIM_SECOND);
    if (state == LIFE_SERVING)
        sim_fail("answered", "%d seconds after it was asked to, the server has not stopped",
                 STOP_SECONDS);
}

static void stop_calmly(void)
{
    stop();
    if (life_state() != LIFE_DOWN)
        sim_fail("fail-stop", "the server has ended without a fault while it was to stop");
    history_check_stopped();
}

/* A log that can't be written is the end (P3). */
static void expect_failure(void)
{
    if (!sim_disk_has_failed(ends_the_server))
        return;
    if (life_run(sim_now_ns() + FAIL_SECONDS * SIM_SECOND) == LIFE_SERVING)
        sim_fail("fail-stop", "an operation on the log has failed, and the server goes on");
}

static void end_by(enum sim_ending ending, enum sim_crash crash)
{
    if (life_state() == LIFE_SERVING && ending == SIM_ENDING_DISK_FAIL)
        expect_failure();
    if (life_state() == LIFE_SERVING && ending == SIM_ENDING_STOP) {
        if (likely(200))
            sim_crash_at_operation(spread(1, 100));
        stop();
    }
    if (life_state() == LIFE_FAILED && !sim_disk_has_failed(may_end_the_server))
        sim_fail("fail-stop", "a core has failed for no reason");
    if (life_state() != LIFE_DOWN) {
        end_life(crash);
    } else {
        forget_faults();
        if (likely(300)) {
            sim_trace("run: the power goes after the stop");
            sim_disk_crash(SIM_CRASH_POWER);
        }
    }
    set_disk_room(false);
}

static void order(enum sim_ending ending)
{
    switch (ending) {
    case SIM_ENDING_KILL:
    case SIM_ENDING_POWER: {
        bool is_at_operation = likely(800);
        uint64_t n = spread(plan.crash_operations.low, plan.crash_operations.high);
        if (is_at_operation)
            sim_crash_at_operation(n);
        break;
    }
    case SIM_ENDING_DISK_FAIL:
        let_disk_fail();
        break;
    case SIM_ENDING_DISK_FULL:
        set_disk_room(true);
        break;
    default:
        break;
    }
    if (likely(plan.memory_fail_permille))
        let_memory_fail();
}

/* For this life's time, or until its share of calls was asked. */
static enum life_state serve(uint64_t life_us)
{
    uint64_t calls = sim_in_range(SIM_CHANCE_FAULTS, plan.life_calls);
    uint64_t last_row = clients_counts().rows + calls;
    uint64_t until_ns = sim_now_ns() + life_us * SIM_US;
    enum life_state state = LIFE_SERVING;
    while (state == LIFE_SERVING && sim_now_ns() < until_ns && clients_counts().rows < last_row) {
        uint64_t left_ns = until_ns - sim_now_ns();
        state = life_run(sim_now_ns() + (left_ns < SIM_MS ? left_ns : SIM_MS));
    }
    return state;
}

static void live(void)
{
    uint64_t life_us = sim_in_range(SIM_CHANCE_FAULTS, plan.life_us);
    uint64_t pause_ms = sim_in_range(SIM_CHANCE_FAULTS, plan.pause_ms);
    if (likely(plan.clock_step_permille))
        sim_at(sim_now_ns() + draw(0, life_us) * SIM_US, step_clock, NULL, 0);
    if (faults.is_disk_full && likely(500))
        sim_at(sim_now_ns() + draw(0, life_us) * SIM_US, make_room, NULL, faults.life);
    if (serve(life_us) != LIFE_SERVING || !likely(plan.pause_permille))
        return;
    sim_trace("run: nobody asks anything for %" PRIu64 " ms", pause_ms);
    clients_be_quiet_until(sim_now_ns() + pause_ms * SIM_MS);
    bad_clients_be_quiet_until(sim_now_ns() + pause_ms * SIM_MS);
    flood_be_quiet_until(sim_now_ns() + pause_ms * SIM_MS);
    if (life_run(sim_now_ns() + (pause_ms + 1) * SIM_MS) == LIFE_SERVING)
        serve(life_us);
}

static void one_life(void)
{
    enum sim_ending ending =
        (enum sim_ending)sim_choose(SIM_CHANCE_FAULTS, plan.ending_weights, SIM_ENDING_COUNT);
    enum sim_crash crash = ending == SIM_ENDING_KILL    ? SIM_CRASH_KILL
                           : ending == SIM_ENDING_POWER ? SIM_CRASH_POWER
                                                        : any_crash();
    bool is_damaged = likely(plan.flip_permille);
    faults.life++;
    if (likely(plan.core_change_permille))
        faults.core_count = (uint32_t)draw(1, plan.core_count_max);
    if (is_damaged && start_with_damage()) {
        order(ending);
        serves();
    } else {
        order(ending);
        start(crash);
    }
    live();
    end_by(ending, crash);
    be_down();
}

/* A life in which nothing goes wrong, so that the others have something to talk about. */
static void open_calmly(void)
{
    uint64_t until_ns = sim_now_ns() + OPEN_SECONDS * SIM_SECOND;
    start(SIM_CRASH_KILL);
    while (!clients_have_opened() && sim_now_ns() < until_ns)
        if (life_run(sim_now_ns() + SIM_MS) != LIFE_SERVING)
            sim_fail("fail-stop", "the server has ended without a fault");
    live();
    end_by(SIM_ENDING_STOP, SIM_CRASH_KILL);
}

/* ---- the end of the run ---- */

static void run_until_answered(void)
{
    uint64_t until_ns = sim_now_ns() + ANSWER_SECONDS * SIM_SECOND;
    while (!clients_are_done() || !bad_clients_are_done() || !flood_is_over()) {
        if (sim_now_ns() > until_ns) {
            char text[512];
            clients_print_waiting(text, sizeof text);
            sim_fail("answered", "no answer after %d seconds: %s", ANSWER_SECONDS, text);
        }
        if (life_run(sim_now_ns() + SLICE_MS * SIM_MS) != LIFE_SERVING)
            sim_fail("fail-stop", "the server has ended without a fault");
    }
}

static void heal(void)
{
    struct sim_network_options network = plan.network;
    sim_trace("run: the faults are over");
    network.reset_permille = 0;
    sim_network_set_options(&network);
    plan.disk.slow_permille = 0;
    set_disk_room(false);
}

/* Until the last hold is over, and forgotten. The engine's time runs up to half a thousandth slower
 * than ours while it is steered, and what cores have read is older than now. */
static void let_time_pass(void)
{
    uint64_t now_ms = life_now_ms();
    uint64_t until_ms = shop_latest_expiry_ms();
    if (until_ms < now_ms)
        until_ms = now_ms;
    until_ms += plan.hold_ms.high + STOCK_HOLD_MS_DEFAULT + EXTEND_MS;
    until_ms += plan.server.retention_ms + GRACE_MS;
    uint64_t wait_ms = until_ms - now_ms;
    sim_trace("run: %" PRIu64 " ms pass", wait_ms + wait_ms / 1000);
    if (life_run(sim_now_ns() + (wait_ms + wait_ms / 1000) * SIM_MS) != LIFE_SERVING)
        sim_fail("fail-stop", "the server has ended without a fault");
    const struct history_rest rest = {
        .log_bytes = plan.server.snapshot_log_bytes,
        .every_ms = plan.server.snapshot_every_ms,
        .rested_ms = wait_ms,
        .engine_now_ms = life_latest_ms(),
    };
    history_check_rested(&rest);
}

static void finish(void)
{
    heal();
    start(SIM_CRASH_KILL);
    clients_finish();
    bad_clients_finish();
    flood_finish();
    run_until_answered();
    clients_read_all();
    run_until_answered();
    let_time_pass();
    stop_calmly();
    start(SIM_CRASH_KILL);
    stop_calmly();
    history_end(life_latest_ms(), GRACE_MS);
}

/* ---- results ---- */

static void count_all(uint64_t seed)
{
    struct life_counts life = life_counts();
    struct clients_counts clients = clients_counts();
    struct history_counts history = history_counts();
    struct log_walk_totals logs = log_walk(NULL, NULL);
    result.seed = seed;
    uint64_t hash = sim_trace_hash();
    result.trace_hash = checksum64(&hash, sizeof hash, seed);
    result.runs = 1;
    result.kills = life.kills;
    result.powers = life.powers;
    result.failures = life.failures;
    result.stops = life.stops;
    result.starts = life.starts;
    result.turns = life.turns;
    result.operations = sim_operation_count();
    result.virtual_ms = sim_now_ns() / SIM_MS;
    result.rows = clients.rows;
    result.repeats = clients.repeats;
    result.connections = clients.connections;
    result.answers = history.answers;
    result.unknown = history.unknown;
    memcpy(result.codes, history.codes, sizeof result.codes);
    result.errors = bad_clients_error_count();
    result.overloaded = flood_overloaded_count();
    memcpy(result.records, history.record_types, sizeof result.records);
    result.snapshots = history.snapshots;
    result.segments_gone = history.segments_gone;
    result.eras_gone = history.eras_gone;
    result.segments = logs.segments;
    result.groups = logs.groups;
    result.eras = logs.eras;
    result.torn = logs.torn_copies;
}

void run_result_add(struct run_result *sum, const struct run_result *added)
{
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)added;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static void begin(uint64_t seed)
{
    char text[PLAN_TEXT_BYTES];
    sim_world_begin(seed);
    plan_draw(seed, &plan);
    plan_print(&plan, text, sizeof text);
    sim_trace("%s", text);
    memset(&faults, 0, sizeof faults);
    memset(&result, 0, sizeof result);
    faults.core_count = plan.server.core_count;
    faults.served_core_count = plan.server.core_count;

    const struct life_pace pace = {
        .turn_ns_min = plan.turn_us.low * SIM_US,
        .turn_ns_max = plan.turn_us.high * SIM_US,
        .stall_permille = plan.stall_permille,
        .stall_ns_min = plan.stall_us.low * SIM_US,
        .stall_ns_max = plan.stall_us.high * SIM_US,
    };
    const struct history_options history = {
        .tables = {.item_count_max = plan.server.item_count_max,
                   .reservation_count_max = plan.server.reservation_count_max,
                   .buyer_count_max = plan.server.buyer_count_max,
                   .retention_ms = plan.server.retention_ms},
        .is_sync = plan.server.durability == WAL_SYNC,
        .is_off = plan.server.durability == WAL_OFF,
        .directory = LIFE_PATH,
        .archive = plan.server.archive_path,
    };
    sim_network_set_options(&plan.network);
    sim_disk_set_options(&plan.disk);
    life_begin(&pace);
    history_begin(&history);
    shop_begin(&plan);
    clients_begin(&plan);
    bad_clients_begin(&plan);
    flood_begin(&plan);
}

void run_seed(uint64_t seed, struct run_result *result_out)
{
    begin(seed);
    if (plan.opens_calmly)
        open_calmly();
    for (uint32_t i = 0; i < plan.life_count && clients_counts().rows < plan.call_count; i++)
        one_life();
    finish();
    count_all(seed);
    *result_out = result;
}
