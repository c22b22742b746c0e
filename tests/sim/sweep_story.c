#include "sweep_story.h"

#include "disk.h"
#include "life.h"
#include "sweep_client.h"
#include "world.h"

#include "log/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ITEM_COUNT = 4, BLOCK_BYTES = 4096 };

/* ---- what people do ---- */

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
        {.item_id = 1, .stock = 9, .hold_ms = SWEEP_HOLD_MS, .sku = "A", .sku_bytes = 1},
        {.item_id = 2, .stock = 12, .hold_ms = SWEEP_HOLD_MS, .buyer_limit = 5},
        {.item_id = 3, .stock = STOCK_UNLIMITED, .hold_ms = SWEEP_HOLD_MS + 10},
        {.item_id = 4, .stock = 7, .hold_ms = 3 * SWEEP_HOLD_MS, .hold_cap = 2},
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

/* ---- the whole life ---- */

static void stop_and_start(uint32_t core_count)
{
    sweep_stop();
    sweep_set_core_count(core_count);
    life_run(sim_now_ns() + 2 * SIM_MS);
    sweep_start();
}

static void play_life(void)
{
    const uint32_t cores = sweep_core_count();
    sweep_start();
    create_items();
    trade(1);
    sweep_let_pass_ms(SWEEP_HOLD_MS + 30); /* most of what is open expires */
    restock_first_item();
    trade(21);
    add_item_reads();
    sweep_let_pass_ms(SWEEP_RETENTION_MS +
                      20); /* the ended ones of the first trade are forgotten */
    trade(1);              /* as new, under the same ids */
    stop_and_start(cores);
    trade(41);
    stop_and_start(3 - cores);
    trade(61);
    sweep_let_pass_ms(SWEEP_HOLD_MS + 30);
    read_all(72);
    stop_and_start(3 - cores);
    read_all(72);
    sweep_stop();
}

/* ---- what the others are made of ---- */

static void require(bool is_so, const char *what)
{
    if (!is_so)
        sim_fail("story", "%s", what);
}

static void open_sale(void)
{
    sweep_start();
    create_items();
    trade(1);
}

/* Twice what is in a trade, and most of what is left open expires. */
static void trade_on(void)
{
    trade(21);
    sweep_let_pass_ms(SWEEP_HOLD_MS + 30);
    restock_first_item();
    trade(41);
}

/* As much again, with the forgetting of what has ended. */
static void trade_long(void)
{
    trade_on();
    sweep_let_pass_ms(SWEEP_RETENTION_MS + 20);
    trade(101);
    sweep_let_pass_ms(SWEEP_HOLD_MS + 30);
    trade(121);
}

static void close_sale(void)
{
    if (life_state() == LIFE_DOWN)
        sweep_start();
    trade(61);
    read_all(72);
    sweep_stop();
}

/* ---- one thing each ---- */

static void check_snapshots(const struct history_counts *before)
{
    require(history_counts().snapshots >= before->snapshots + 2, "no two snapshots were taken");
}

static void check_rotation(const struct history_counts *before)
{
    (void)before;
    require(sim_disk_size(LIFE_PATH "/era-000001/core-000/000000000004.log") >= 0,
            "no fourth segment was made");
}

static void check_removal(const struct history_counts *before)
{
    check_snapshots(before);
    require(history_counts().segments_gone >= before->segments_gone + 2, "no two segments went");
}

static void play_stop(void)
{
    sweep_stop();
}

static void check_stop(const struct history_counts *before)
{
    require(life_state() == LIFE_DOWN, "the server has not stopped");
    require(history_counts().snapshots > before->snapshots, "no last snapshot was taken");
}

/* ---- starts ---- */

static void trade_and_kill(void)
{
    open_sale();
    trade_on();
    sweep_kill();
}

static void trade_long_and_kill(void)
{
    open_sale();
    trade_long();
    sweep_kill();
}

static void play_load(void)
{
    sweep_start();
    add_reserves(81, 4);
    sweep_client_ask_all();
    sweep_let_pass_ms(10);
}

static void check_load_log(const struct history_counts *before)
{
    require(before->snapshots == 0, "there was a snapshot");
}

static void check_load_snapshot(const struct history_counts *before)
{
    require(before->segments_gone > 0, "the log was all there");
}

/* "DIRECTORY/era-000001/core-000" of each core in turn, and its newest snapshot. */
static struct newest {
    char folder[128];
    char path[256];
    uint64_t lsn;
} newest;

static void note_newest(void *context, const char *name)
{
    uint64_t lsn;
    (void)context;
    if (!log_snapshot_file_lsn(name, &lsn) || lsn <= newest.lsn)
        return;
    newest.lsn = lsn;
    snprintf(newest.path, sizeof newest.path, "%s/%s", newest.folder, name);
}

static void find_newest(uint32_t core)
{
    newest.lsn = 0;
    snprintf(newest.folder, sizeof newest.folder, LIFE_PATH "/era-000001/core-%03" PRIu32, core);
    sim_disk_list(newest.folder, note_newest, NULL);
    require(newest.lsn != 0, "there was no snapshot");
}

static void trade_kill_and_spoil(void)
{
    trade_long_and_kill();
    for (uint32_t core = 0; core < sweep_core_count(); core++) {
        find_newest(core);
        sim_disk_flip(newest.path, BLOCK_BYTES + 100, 3);
        history_spoil(newest.path, true);
    }
}

static void check_load_older(const struct history_counts *before)
{
    check_load_snapshot(before);
    require(sim_diag_has("snapshot-"), "nothing was said of a damaged snapshot");
}

static void trade_and_stop(void)
{
    open_sale();
    sweep_stop();
}

/* The first start begins an era; the next one finds two snapshots in it. */
static void play_eras(void)
{
    const uint32_t cores = 3 - sweep_core_count();
    sweep_set_core_count(cores);
    sweep_start();
    trade(21);
    stop_and_start(cores);
    trade(41);
    sweep_kill();
    sweep_start();
}

static void check_eras(const struct history_counts *before)
{
    require(history_counts().eras_gone > before->eras_gone, "no past era went");
}

const struct sweep_story sweep_stories[SWEEP_STORY_COUNT] = {
    [SWEEP_STORY_LIFE] = {.during = play_life},
    [SWEEP_STORY_SNAPSHOT] = {.before = open_sale,
                              .during = trade_on,
                              .check = check_snapshots,
                              .after = close_sale,
                              .snapshot_every_ms = 25},
    [SWEEP_STORY_ROTATION] = {.before = open_sale,
                              .during = trade_on,
                              .check = check_rotation,
                              .after = close_sale},
    [SWEEP_STORY_REMOVAL] = {.before = open_sale,
                             .during = trade_long,
                             .check = check_removal,
                             .after = close_sale,
                             .snapshot_log_bytes = 4 * BLOCK_BYTES},
    [SWEEP_STORY_ARCHIVE] = {.before = open_sale,
                             .during = trade_long,
                             .check = check_removal,
                             .after = close_sale,
                             .snapshot_log_bytes = 4 * BLOCK_BYTES,
                             .archive_path = "/archive"},
    [SWEEP_STORY_STOP] = {.before = open_sale,
                          .during = play_stop,
                          .check = check_stop,
                          .after = close_sale},
    [SWEEP_STORY_LOAD_LOG] = {.before = trade_and_kill,
                              .during = play_load,
                              .check = check_load_log,
                              .after = close_sale},
    [SWEEP_STORY_LOAD_SNAPSHOT] = {.before = trade_long_and_kill,
                                   .during = play_load,
                                   .check = check_load_snapshot,
                                   .after = close_sale,
                                   .snapshot_log_bytes = 4 * BLOCK_BYTES},
    [SWEEP_STORY_LOAD_OLDER] = {.before = trade_kill_and_spoil,
                                .during = play_load,
                                .check = check_load_older,
                                .after = close_sale,
                                .snapshot_log_bytes = 4 * BLOCK_BYTES},
    [SWEEP_STORY_ERAS] = {.before = trade_and_stop,
                          .during = play_eras,
                          .check = check_eras,
                          .after = close_sale},
    [SWEEP_STORY_ERAS_ARCHIVE] = {.before = trade_and_stop,
                                  .during = play_eras,
                                  .check = check_eras,
                                  .after = close_sale,
                                  .archive_path = "/archive"},
    [SWEEP_STORY_ERAS_AGAIN] = {.before = trade_and_stop,
                                .during = play_eras,
                                .check = check_eras,
                                .after = close_sale,
                                .is_recounted = true},
};
