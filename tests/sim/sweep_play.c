#include "sweep_play.h"

#include "history.h"
#include "life.h"
#include "memory.h"
#include "network.h"
#include "sweep_client.h"
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    ROWS_MAX = 4,
    BLOCK_BYTES = 4096,
    SEGMENT_BYTES = 6 * BLOCK_BYTES, /* a header and five groups */
    ITEM_COUNT = 4,
    HOLD_MS = 40,
    RETENTION_MS = 150,
    GRACE_MS = 1000,
    STARTS_MAX = 8, /* in a row that do not come to serve */
};

/* ---- kinds ---- */

enum what { WHAT_MEMORY, WHAT_DISK, WHAT_CRASH };

static const struct {
    const char *name;
    enum what what;
    enum sim_disk_fault fault;
    int error;
    bool is_for_ever;
} kinds[SWEEP_KIND_COUNT] = {
    [SWEEP_MEMORY_ONCE] = {"memory-once", WHAT_MEMORY, 0, 0, false},
    [SWEEP_MEMORY_EVER] = {"memory-ever", WHAT_MEMORY, 0, 0, true},
    [SWEEP_DISK_ERROR_ONCE] = {"disk-error-once", WHAT_DISK, SIM_DISK_ERROR, EIO, false},
    [SWEEP_DISK_ERROR_EVER] = {"disk-error-ever", WHAT_DISK, SIM_DISK_ERROR, EIO, true},
    [SWEEP_DISK_FULL_ONCE] = {"disk-full-once", WHAT_DISK, SIM_DISK_ERROR, ENOSPC, false},
    [SWEEP_DISK_FULL_EVER] = {"disk-full-ever", WHAT_DISK, SIM_DISK_ERROR, ENOSPC, true},
    [SWEEP_DISK_INTERRUPTED_ONCE] = {"disk-interrupted-once", WHAT_DISK, SIM_DISK_ERROR, EINTR,
                                     false},
    [SWEEP_DISK_INTERRUPTED_EVER] = {"disk-interrupted-ever", WHAT_DISK, SIM_DISK_ERROR, EINTR,
                                     true},
    [SWEEP_DISK_SHORT_ONCE] = {"disk-short-once", WHAT_DISK, SIM_DISK_SHORT, EIO, false},
    [SWEEP_DISK_SHORT_EVER] = {"disk-short-ever", WHAT_DISK, SIM_DISK_SHORT, EIO, true},
    [SWEEP_DISK_UNSYNCED_ONCE] = {"disk-unsynced-once", WHAT_DISK, SIM_DISK_UNSYNCED, EIO, false},
    [SWEEP_DISK_UNSYNCED_EVER] = {"disk-unsynced-ever", WHAT_DISK, SIM_DISK_UNSYNCED, EIO, true},
    [SWEEP_CRASH_KILL] = {"crash-kill", WHAT_CRASH, 0, 0, false},
    [SWEEP_CRASH_POWER] = {"crash-power", WHAT_CRASH, 0, 0, false},
    [SWEEP_CRASH_KILL_POWER] = {"crash-kill-power", WHAT_CRASH, 0, 0, false},
};

const char *sweep_kind_name(enum sweep_kind kind)
{
    return kinds[kind].name;
}

bool sweep_kind_is_crash(enum sweep_kind kind)
{
    return kinds[kind].what == WHAT_CRASH;
}

/* ---- what goes wrong ---- */

static struct {
    const struct sweep_point *point;
    struct server_options options;
    bool had_gone_wrong;  /* before this start */
    bool is_healed;       /* it went wrong, and does no more */
    bool is_second_armed; /* the crash in the recovery was ordered */
    struct sweep_result result;
} play;

static uint64_t event_count(void)
{
    switch (kinds[play.point->kind].what) {
    case WHAT_MEMORY:
        return sim_memory_allocation_count();
    case WHAT_DISK:
        return sim_disk_operation_count();
    default:
        return sim_operation_count();
    }
}

static bool has_gone_wrong(void)
{
    return play.point->at > 0 && event_count() >= play.point->at;
}

/* Something goes wrong in the life that was started last, and so may end it. What went wrong once,
 * in a life before, must have left nothing behind. */
static bool is_wrong_now(void)
{
    return has_gone_wrong() && !play.is_healed &&
           (kinds[play.point->kind].is_for_ever || !play.had_gone_wrong);
}

/* Before each start: the machine forgets its orders when a server has ended. */
static void order_fault(void)
{
    const struct sweep_point *point = play.point;
    const enum sweep_kind kind = point->kind;
    const bool is_for_ever = kinds[kind].is_for_ever;
    if (play.is_healed && point->then > 0 && !play.is_second_armed) {
        play.is_second_armed = true;
        sim_crash_at_operation(point->then);
    }
    if (play.is_healed || point->at == 0 || (has_gone_wrong() && !is_for_ever))
        return;
    const uint64_t n = has_gone_wrong() ? 1 : point->at - event_count();
    if (kinds[kind].what == WHAT_MEMORY)
        sim_memory_fail_at(n, is_for_ever);
    else if (kinds[kind].what == WHAT_DISK)
        sim_disk_fail_at(n, kinds[kind].fault, kinds[kind].error, is_for_ever);
    else
        sim_crash_at_operation(n);
}

/* ---- the server's lives ---- */

/* Behind a process that did not stop as it was asked to. Which kind of end follows a failed disk
 * must make no difference, so it is the one at every second point. */
static void bury(void)
{
    const enum sweep_kind kind = play.point->kind;
    const bool is_crash = sweep_kind_is_crash(kind);
    const bool is_power =
        is_crash ? kind == SWEEP_CRASH_POWER || (kind == SWEEP_CRASH_KILL_POWER && play.is_healed)
                 : play.point->at % 2 == 0;
    if (life_state() == LIFE_FAILED && !is_wrong_now())
        sim_fail("failure", "the server has failed, and nothing is wrong");
    life_end(is_power ? SIM_CRASH_POWER : SIM_CRASH_KILL);
    if (is_crash)
        play.is_healed = true;
}

/* A start is refused by what goes wrong and by nothing else, and says so. */
static void take_refusal(const struct life_refusal *refusal)
{
    if (!is_wrong_now())
        sim_fail("start", "refused, and nothing is wrong: %s", refusal->message);
    if (refusal->message[0] == '\0')
        sim_fail("start", "refused without a word");
    if (refusal->status == SERVER_DAMAGED)
        sim_fail("start", "a failing machine is called damage: %s", refusal->message);
    play.is_healed = true;
    life_end(SIM_CRASH_KILL);
}

/* Until it serves. */
static void start(void)
{
    for (uint32_t attempt = 0; attempt < STARTS_MAX; attempt++) {
        struct life_refusal refusal;
        const bool is_recovery = play.is_healed && !play.is_second_armed;
        play.had_gone_wrong = has_gone_wrong();
        order_fault();
        const uint64_t before = sim_operation_count();
        const enum life_state state = life_start(&play.options, &refusal);
        if (is_recovery && play.result.recovery_operations == 0)
            play.result.recovery_operations = sim_operation_count() - before;
        if (state == LIFE_SERVING)
            return;
        if (state == LIFE_REFUSED)
            take_refusal(&refusal);
        else
            bury();
    }
    sim_fail("start", "%d starts in a row came to nothing", STARTS_MAX);
}

static void revive(void)
{
    if (life_state() != LIFE_DOWN)
        bury();
    life_run(sim_now_ns() + 2 * SIM_MS);
    start();
}

/* Everybody sleeps, and what is due runs. */
static void let_pass_ms(uint64_t ms)
{
    const uint64_t until_ns = sim_now_ns() + ms * SIM_MS;
    while (sim_now_ns() < until_ns) {
        if (life_run(until_ns) == LIFE_SERVING)
            continue;
        sweep_client_leave();
        revive();
    }
}

static void stop(void)
{
    const uint64_t until_ns = sim_now_ns() + 60 * SIM_SECOND;
    life_ask_stop();
    if (life_state() == LIFE_SERVING && life_run(until_ns) == LIFE_SERVING)
        sim_fail("stop", "the server does not stop");
    sweep_client_leave();
    if (life_state() != LIFE_DOWN)
        bury();
}

static void stop_and_start(uint32_t core_count)
{
    stop();
    play.options.core_count = core_count;
    life_run(sim_now_ns() + 2 * SIM_MS);
    start();
}

/* ---- the script ---- */

static void add_row(enum sim_ask ask, enum stock_op op, uint64_t number, uint32_t quantity)
{
    const struct history_call call = {
        .op = HISTORY_ROW,
        .request = {.op = (uint8_t)op,
                    .item_id = 1 + number % ITEM_COUNT,
                    .reservation_id = {.high = 5, .low = number},
                    .buyer_id = op == STOCK_OP_RESERVE ? number % 3 : 0,
                    .quantity = quantity,
                    .user_data = op == STOCK_OP_RESERVE ? number * 10 : 0,
                    .expires_ms = op == STOCK_OP_EXTEND ? life_now_ms() + 500 : 0},
    };
    sweep_client_add(ask, &call);
}

static void add_reserves(uint64_t first, uint64_t count)
{
    for (uint64_t number = first; number < first + count; number++)
        add_row(SIM_ASK_RESERVE, STOCK_OP_RESERVE, number, 1 + (uint32_t)(number % 2));
}

static void add_item_reads(void)
{
    for (uint64_t item_id = 1; item_id <= ITEM_COUNT; item_id++) {
        const struct history_call call = {.op = HISTORY_ITEM_GET, .settings.item_id = item_id};
        sweep_client_add(SIM_ASK_ITEM_GET, &call);
    }
}

static void create_items(void)
{
    static const struct stock_item_settings settings[ITEM_COUNT] = {
        {.item_id = 1, .stock = 9, .hold_ms = HOLD_MS, .sku = "A", .sku_bytes = 1},
        {.item_id = 2, .stock = 12, .hold_ms = HOLD_MS, .buyer_limit = 5},
        {.item_id = 3, .stock = STOCK_UNLIMITED, .hold_ms = HOLD_MS + 10},
        {.item_id = 4, .stock = 7, .hold_ms = 3 * HOLD_MS, .hold_cap = 2},
    };
    for (uint32_t i = 0; i < ITEM_COUNT; i++) {
        const struct history_call call = {.op = HISTORY_ITEM_CREATE, .settings = settings[i]};
        sweep_client_add(SIM_ASK_ITEM_CREATE, &call);
    }
    sweep_client_ask_all();
}

static void restock_first_item(void)
{
    const struct history_call call = {.op = HISTORY_ITEM_UPDATE,
                                      .update_mask = STOCK_UPDATE_STOCK,
                                      .settings = {.item_id = 1, .stock = 30}};
    sweep_client_add(SIM_ASK_ITEM_UPDATE, &call);
    sweep_client_ask_all();
}

/* Twelve holds from `first` on: sold, in part too, cancelled, extended, left to expire, repeated.
 */
static void trade(uint64_t first)
{
    add_reserves(first, 12);
    sweep_client_ask_all();
    for (uint64_t number = first; number < first + 4; number++)
        add_row(SIM_ASK_CONFIRM, STOCK_OP_CONFIRM, number, number % 4 == 1 ? 1 : 0);
    for (uint64_t number = first + 4; number < first + 7; number++)
        add_row(SIM_ASK_CANCEL, STOCK_OP_CANCEL, number, 0);
    add_row(SIM_ASK_EXTEND, STOCK_OP_EXTEND, first + 7, 0);
    add_reserves(first, 2);
    add_row(SIM_ASK_CONFIRM, STOCK_OP_CONFIRM, first, 0);
    add_row(SIM_ASK_GET, STOCK_OP_GET, first + 8, 0);
    sweep_client_ask_all();
}

static void read_all(uint64_t last)
{
    for (uint64_t number = 1; number <= last; number++)
        add_row(SIM_ASK_GET, STOCK_OP_GET, number, 0);
    add_item_reads();
    sweep_client_ask_all();
}

static void play_script(void)
{
    const uint32_t cores = play.point->core_count;
    start();
    create_items();
    trade(1);
    let_pass_ms(HOLD_MS + 30); /* most of what is open expires */
    restock_first_item();
    trade(21);
    add_item_reads();
    let_pass_ms(RETENTION_MS + 20); /* the ended ones of the first trade are forgotten */
    trade(1);                       /* as new, under the same ids */
    stop_and_start(cores);
    trade(41);
    stop_and_start(3 - cores);
    trade(61);
    let_pass_ms(HOLD_MS + 30);
    read_all(72);
    stop_and_start(3 - cores);
    read_all(72);
    stop();
}

/* ---- all of it ---- */

static void set_up(void)
{
    const struct sim_disk_options disk = {
        .write_ns_min = 30 * SIM_US, .write_ns_max = 60 * SIM_US, .capacity_bytes = UINT64_MAX};
    const struct sim_network_options network = {.delay_ns_min = 5 * SIM_US,
                                                .delay_ns_max = 20 * SIM_US,
                                                .piece_bytes_max = UINT32_MAX,
                                                .buffer_bytes_max = 1 << 20};
    const struct life_pace pace = {.turn_ns_min = 1 * SIM_US, .turn_ns_max = 3 * SIM_US};
    play.options = (struct server_options){
        .core_count = play.point->core_count,
        .item_count_max = 16,
        .reservation_count_max = 256,
        .buyer_count_max = 64,
        .connection_count_max = 4,
        .batch_rows_max = ROWS_MAX,
        .retention_ms = RETENTION_MS,
        .segment_bytes = SEGMENT_BYTES,
        .durability = WAL_SYNC,
        .version = "sweep",
    };
    const struct history_options history = {
        .tables = {.item_count_max = play.options.item_count_max,
                   .reservation_count_max = play.options.reservation_count_max,
                   .buyer_count_max = play.options.buyer_count_max,
                   .retention_ms = RETENTION_MS},
        .is_sync = true,
        .directory = LIFE_PATH,
    };
    sim_world_begin(play.point->seed);
    sim_disk_set_options(&disk);
    sim_network_set_options(&network);
    life_begin(&pace);
    history_begin(&history);
    sweep_client_begin(revive);
}

void sweep_play(const struct sweep_point *point, struct sweep_result *result_out)
{
    memset(&play, 0, sizeof play);
    play.point = point;
    set_up();
    play_script();
    history_end(life_latest_ms(), GRACE_MS);
    play.result.events = event_count();
    play.result.trace_hash = sim_trace_hash();
    *result_out = play.result;
}
