#include "plan.h"

#include "log/format.h"
#include "stock/stock.h"
#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS, MANY = 1 << 12, PIECE_BYTES_STALLED = 100 };

/* ---- drawing ---- */

static uint32_t bits_of(uint64_t value)
{
    return value == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(value);
}

uint64_t sim_spread(enum sim_chance chance, uint64_t low, uint64_t high)
{
    uint32_t bits = (uint32_t)sim_between(chance, bits_of(low), bits_of(high));
    uint64_t from = bits == 0 ? 0 : 1ull << (bits - 1);
    uint64_t to = bits == 0 ? 0 : from + (from - 1);
    return sim_between(chance, from < low ? low : from, to > high ? high : to);
}

uint32_t sim_choose(enum sim_chance chance, const uint32_t *weights, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += weights[i];
    uint64_t at = sim_between(chance, 1, sum);
    uint32_t index = 0;
    while (at > weights[index])
        at -= weights[index++];
    return index;
}

uint64_t sim_in_range(enum sim_chance chance, struct sim_range range)
{
    return sim_between(chance, range.low, range.high);
}

static uint64_t draw(uint64_t low, uint64_t high)
{
    return sim_between(SIM_CHANCE_PLAN, low, high);
}

static uint64_t spread(uint64_t low, uint64_t high)
{
    return sim_spread(SIM_CHANCE_PLAN, low, high);
}

static bool likely(uint32_t permille)
{
    return sim_happens(SIM_CHANCE_PLAN, permille);
}

static struct sim_range range(uint64_t low, uint64_t high)
{
    struct sim_range drawn;
    drawn.low = spread(low, high);
    drawn.high = spread(drawn.low, high);
    return drawn;
}

/* A feature that most runs do without: 0, or so often. */
static uint32_t rarely(uint32_t runs_permille, uint32_t low, uint32_t high)
{
    bool is_on = likely(runs_permille);
    uint64_t permille = spread(low, high);
    return is_on ? (uint32_t)permille : 0;
}

/* A table: large, or so small that it is full now and then. */
static uint32_t table(uint32_t small_permille, uint32_t small_max)
{
    bool is_small = likely(small_permille);
    uint64_t count = spread(1, small_max);
    return is_small ? (uint32_t)count : MANY;
}

/* ---- the parts ---- */

static uint64_t draw_segment_bytes(uint32_t batch_rows_max)
{
    uint64_t group_bytes = log_group_bytes(2 * batch_rows_max * LOG_RECORD_BYTES_MAX);
    uint64_t more_blocks = spread(0, 64);
    uint64_t kind = draw(1, 200);
    if (kind == 1)
        return LOG_SEGMENT_BYTES_MIN;
    if (kind < 10)
        more_blocks += 256;
    return LOG_BLOCK_BYTES + group_bytes + more_blocks * LOG_BLOCK_BYTES;
}

static enum wal_durability draw_durability(void)
{
    static const uint32_t weights[] = {[WAL_SYNC] = 90, [WAL_ASYNC] = 6, [WAL_OFF] = 4};
    return (enum wal_durability)sim_choose(SIM_CHANCE_PLAN, weights, 3);
}

static void draw_server(struct sim_plan *plan)
{
    struct server_options *server = &plan->server;
    bool is_alone = likely(300);
    plan->core_count_max = (uint32_t)draw(1, 4);
    if (is_alone)
        plan->core_count_max = 1;
    server->core_count = (uint32_t)draw(1, plan->core_count_max);
    plan->core_change_permille = rarely(500, 100, 700);
    plan->memory_fail_permille = rarely(150, 20, 200);
    server->item_count_max = table(150, SIM_ITEMS_MAX / 2);
    server->reservation_count_max = table(250, 64);
    server->buyer_count_max = table(150, 16);
    bool has_few_connections = likely(150);
    server->connection_count_max = (uint32_t)draw(1, 3);
    if (!has_few_connections)
        server->connection_count_max = 16;
    bool has_large_batches = likely(300);
    server->batch_rows_max = (uint32_t)spread(1, SIM_ROWS_MAX);
    if (has_large_batches)
        server->batch_rows_max = SIM_ROWS_MAX;
    bool forgets_soon = likely(250);
    uint64_t soon_ms = spread(1, 1000);
    server->retention_ms = spread(1000, 24 * HOUR_MS);
    if (forgets_soon)
        server->retention_ms = soon_ms;
    server->segment_bytes = draw_segment_bytes(server->batch_rows_max);
    server->durability = draw_durability();
    server->version = "sim";
}

/* Most runs are over in less than a second, with some hundred KiB of log. */
static void draw_snapshots(struct sim_plan *plan)
{
    struct server_options *server = &plan->server;
    bool has_size = likely(700);
    bool has_age = likely(500);
    bool has_archive = likely(250);
    uint64_t log_bytes = spread(1, 1 << 20);
    uint64_t every_ms = spread(1, HOUR_MS);
    server->snapshot_log_bytes = has_size ? log_bytes : 0;
    server->snapshot_every_ms = has_age ? every_ms : 0;
    server->archive_path = has_archive ? SIM_ARCHIVE_PATH : NULL;
}

static void draw_lives(struct sim_plan *plan)
{
    static const uint32_t ending_likely[SIM_ENDING_COUNT] = {700, 800, 400, 250, 500};
    plan->opens_calmly = likely(700);
    plan->life_count = (uint32_t)spread(8, 60);
    plan->call_count = (uint32_t)spread(200, 4000);
    plan->life_us = range(500, 2000 * 1000);
    plan->down_us = range(1, 100 * 1000);
    plan->life_calls = range(1, 200);
    for (int i = 0; i < SIM_ENDING_COUNT; i++)
        plan->ending_weights[i] = rarely(ending_likely[i], 10, 100);
    plan->ending_weights[SIM_ENDING_POWER] += 5;
    plan->crash_operations.low = 1;
    plan->crash_operations.high = spread(50, 1000);
    plan->flip_permille = rarely(250, 20, 200);
    plan->clock_step_permille = rarely(350, 50, 500);
    plan->clock_step_ms_max = spread(1, 24 * HOUR_MS);
    plan->pause_permille = rarely(400, 20, 200);
    plan->pause_ms = range(1000, 30ull * HOUR_MS);
}

static void draw_machine(struct sim_plan *plan)
{
    plan->turn_us = range(1, 50);
    plan->stall_permille = rarely(200, 1, 20);
    plan->stall_us = range(100, 200 * 1000);

    struct sim_range write_us = range(1, 20 * 1000);
    plan->disk.write_ns_min = write_us.low * SIM_US;
    plan->disk.write_ns_max = write_us.high * SIM_US;
    plan->disk.slow_permille = rarely(300, 1, 100);
    plan->disk.capacity_bytes = UINT64_MAX;

    struct sim_range delay_us = range(1, 2000);
    bool is_in_pieces = likely(250);
    uint64_t piece_bytes = spread(1, 200);
    bool is_narrow = likely(200);
    uint64_t buffer_bytes = spread(256, 16384);
    plan->network.delay_ns_min = delay_us.low * SIM_US;
    plan->network.delay_ns_max = delay_us.high * SIM_US;
    plan->network.piece_bytes_max = is_in_pieces ? (uint32_t)piece_bytes : 1 << 16;
    plan->network.buffer_bytes_max = is_narrow ? (uint32_t)buffer_bytes : 1 << 20;
    plan->network.reset_permille = rarely(400, 1, 10);
    /* Byte by byte, and a core that stands still again and again: no frame would come in time. */
    if (plan->stall_permille > 0 && plan->network.piece_bytes_max < PIECE_BYTES_STALLED)
        plan->network.piece_bytes_max = PIECE_BYTES_STALLED;
}

/* The queues between cores are long: only many clients at once, and a core that stands still, fill
 * them. */
static void draw_flood(struct sim_plan *plan)
{
    bool is_on = likely(40);
    bool is_great = likely(500);
    plan->flood_frames = (uint32_t)spread(10, SIM_FLOOD_FRAMES_MAX);
    plan->flood_client_count = (uint32_t)draw(1, SIM_FLOOD_CLIENTS_MAX);
    if (!is_on) {
        plan->flood_client_count = 0;
        return;
    }
    plan->stall_permille = 50;
    plan->stall_us.high = 200 * 1000;
    plan->network.piece_bytes_max = 1 << 16;
    if (!is_great)
        return;
    plan->flood_frames = SIM_FLOOD_FRAMES_MAX;
    plan->flood_client_count = SIM_FLOOD_CLIENTS_MAX;
    plan->core_count_max = 2;
    plan->server.core_count = 2;
    plan->hot_permille = 1000;
    plan->life_us.low = plan->life_us.high = 1000 * 1000;
    plan->server.connection_count_max = 32;
}

static void draw_clients(struct sim_plan *plan)
{
    static const uint32_t ask_likely[SIM_ASK_COUNT] = {
        [SIM_ASK_RESERVE] = 1000,      [SIM_ASK_CONFIRM] = 800,  [SIM_ASK_CANCEL] = 700,
        [SIM_ASK_EXTEND] = 600,        [SIM_ASK_GET] = 700,      [SIM_ASK_ITEM_CREATE] = 300,
        [SIM_ASK_ITEM_UPDATE] = 400,   [SIM_ASK_ITEM_GET] = 500, [SIM_ASK_ITEM_LIST] = 200,
        [SIM_ASK_STAT] = 200,          [SIM_ASK_PING] = 200,     [SIM_ASK_SNAPSHOT] = 300,
        [SIM_ASK_SNAPSHOT_READ] = 300,
    };
    static const uint32_t ask_most[SIM_ASK_COUNT] = {
        [SIM_ASK_RESERVE] = 100,      [SIM_ASK_CONFIRM] = 100, [SIM_ASK_CANCEL] = 100,
        [SIM_ASK_EXTEND] = 50,        [SIM_ASK_GET] = 50,      [SIM_ASK_ITEM_CREATE] = 20,
        [SIM_ASK_ITEM_UPDATE] = 20,   [SIM_ASK_ITEM_GET] = 30, [SIM_ASK_ITEM_LIST] = 5,
        [SIM_ASK_STAT] = 5,           [SIM_ASK_PING] = 5,      [SIM_ASK_SNAPSHOT] = 10,
        [SIM_ASK_SNAPSHOT_READ] = 30,
    };
    plan->client_count = (uint32_t)spread(1, SIM_CLIENTS_MAX);
    plan->bad_client_count = rarely(300, 1, SIM_BAD_CLIENTS_MAX);
    plan->in_flight_max = (uint32_t)spread(1, 16);
    bool is_single = likely(300);
    plan->rows_max = (uint32_t)spread(1, plan->server.batch_rows_max);
    if (is_single)
        plan->rows_max = 1;
    plan->think_us = range(1, 5000);
    for (int i = 0; i < SIM_ASK_COUNT; i++)
        plan->ask_weights[i] = rarely(ask_likely[i], 1, ask_most[i]);
    if (likely(50)) /* the replies that take most room */
        plan->ask_weights[SIM_ASK_ITEM_LIST] = 200;
    plan->wants_core_permille = rarely(600, 100, 1000);
    plan->drop_permille = rarely(500, 10, 1000);
    plan->close_permille = rarely(300, 1, 20);
}

/* From a millisecond, where whole crowds expire together, to half an hour. */
static struct sim_range draw_hold_ms(void)
{
    static const uint64_t most_ms[] = {20, 2000, MINUTE_MS, 30 * MINUTE_MS};
    static const uint32_t weights[] = {2, 3, 4, 2};
    uint32_t kind = sim_choose(SIM_CHANCE_PLAN, weights, 4);
    bool is_one = likely(300);
    struct sim_range hold_ms = range(1, most_ms[kind]);
    if (is_one)
        hold_ms.high = hold_ms.low;
    return hold_ms;
}

static void draw_sale(struct sim_plan *plan)
{
    bool is_large = likely(150);
    bool has_hot = likely(500);
    uint64_t hot_permille = draw(300, 1000);
    plan->item_count = (uint32_t)spread(1, SIM_ITEMS_MAX);
    plan->hot_permille = has_hot ? (uint32_t)hot_permille : 0;
    plan->buyer_count = (uint32_t)spread(1, 1000);
    plan->unlimited_permille = rarely(300, 50, 1000);
    plan->stock = range(0, 1000);
    plan->limit_permille = rarely(500, 100, 1000);
    plan->window_permille = rarely(300, 100, 1000);
    plan->hold_ms = draw_hold_ms();
    plan->quantity_max = (uint32_t)spread(1, is_large ? STOCK_QUANTITY_MAX : 8);
    if (is_large)
        plan->stock.high = STOCK_STOCK_MAX;
    plan->repeat_permille = rarely(600, 10, 300);
    plan->conflict_permille = rarely(300, 5, 100);
    plan->unknown_permille = rarely(500, 5, 300);
    plan->invalid_permille = rarely(300, 2, 100);
}

void plan_draw(uint64_t seed, struct sim_plan *plan_out)
{
    memset(plan_out, 0, sizeof *plan_out);
    plan_out->seed = seed;
    draw_server(plan_out);
    draw_snapshots(plan_out);
    draw_lives(plan_out);
    draw_machine(plan_out);
    draw_clients(plan_out);
    draw_sale(plan_out);
    draw_flood(plan_out);
}

/* ---- one line ---- */

struct line {
    char *to;
    size_t bytes, used;
};

__attribute__((format(printf, 2, 3))) static void say(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(line->to + line->used, line->bytes - line->used, format, arguments);
    va_end(arguments);
    if (bytes > 0)
        line->used += (size_t)bytes;
    if (line->used >= line->bytes)
        line->used = line->bytes - 1;
}

static void say_number(struct line *line, const char *name, uint64_t number)
{
    say(line, " %s=%" PRIu64, name, number);
}

static void say_range(struct line *line, const char *name, struct sim_range range_said)
{
    say(line, " %s=%" PRIu64 "..%" PRIu64, name, range_said.low, range_said.high);
}

static void say_weights(struct line *line, const char *name, const uint32_t *weights, int count)
{
    say(line, " %s=", name);
    for (int i = 0; i < count; i++)
        say(line, "%s%" PRIu32, i > 0 ? "/" : "", weights[i]);
}

static void print_server(struct line *line, const struct sim_plan *plan)
{
    static const char *const durabilities[] = {
        [WAL_SYNC] = "sync", [WAL_ASYNC] = "async", [WAL_OFF] = "off"};
    const struct server_options *server = &plan->server;
    say(line, " durability=%s", durabilities[server->durability]);
    say_number(line, "cores", server->core_count);
    say_number(line, "cores_max", plan->core_count_max);
    say_number(line, "core_change", plan->core_change_permille);
    say_number(line, "memory_fail", plan->memory_fail_permille);
    say_number(line, "max_items", server->item_count_max);
    say_number(line, "max_reservations", server->reservation_count_max);
    say_number(line, "max_buyers", server->buyer_count_max);
    say_number(line, "max_connections", server->connection_count_max);
    say_number(line, "max_batch", server->batch_rows_max);
    say_number(line, "retention_ms", server->retention_ms);
    say_number(line, "segment_bytes", server->segment_bytes);
    say_number(line, "snapshot_log_bytes", server->snapshot_log_bytes);
    say_number(line, "snapshot_every_ms", server->snapshot_every_ms);
    say_number(line, "archive", server->archive_path != NULL);
}

static void print_lives(struct line *line, const struct sim_plan *plan)
{
    say_number(line, "calm", plan->opens_calmly);
    say_number(line, "lives", plan->life_count);
    say_number(line, "calls", plan->call_count);
    say_range(line, "life_us", plan->life_us);
    say_range(line, "down_us", plan->down_us);
    say_range(line, "life_calls", plan->life_calls);
    say_weights(line, "endings", plan->ending_weights, SIM_ENDING_COUNT);
    say_range(line, "crash_operations", plan->crash_operations);
    say_number(line, "flip", plan->flip_permille);
    say_number(line, "clock_step", plan->clock_step_permille);
    say_number(line, "clock_step_ms", plan->clock_step_ms_max);
    say_number(line, "pause", plan->pause_permille);
    say_range(line, "pause_ms", plan->pause_ms);
}

static void print_machine(struct line *line, const struct sim_plan *plan)
{
    say_range(line, "turn_us", plan->turn_us);
    say_number(line, "stall", plan->stall_permille);
    say_range(line, "stall_us", plan->stall_us);
    say_range(line, "disk_ns",
              (struct sim_range){plan->disk.write_ns_min, plan->disk.write_ns_max});
    say_number(line, "disk_slow", plan->disk.slow_permille);
    say_range(line, "network_ns",
              (struct sim_range){plan->network.delay_ns_min, plan->network.delay_ns_max});
    say_number(line, "piece_bytes", plan->network.piece_bytes_max);
    say_number(line, "buffer_bytes", plan->network.buffer_bytes_max);
    say_number(line, "reset", plan->network.reset_permille);
}

static void print_clients(struct line *line, const struct sim_plan *plan)
{
    say_number(line, "clients", plan->client_count);
    say_number(line, "bad_clients", plan->bad_client_count);
    say_number(line, "flood_clients", plan->flood_client_count);
    say_number(line, "flood_frames", plan->flood_frames);
    say_number(line, "in_flight", plan->in_flight_max);
    say_number(line, "rows", plan->rows_max);
    say_range(line, "think_us", plan->think_us);
    say_weights(line, "asks", plan->ask_weights, SIM_ASK_COUNT);
    say_number(line, "wants_core", plan->wants_core_permille);
    say_number(line, "drop", plan->drop_permille);
    say_number(line, "close", plan->close_permille);
    say_number(line, "items", plan->item_count);
    say_number(line, "hot", plan->hot_permille);
    say_number(line, "buyers", plan->buyer_count);
    say_number(line, "unlimited", plan->unlimited_permille);
    say_range(line, "stock", plan->stock);
    say_number(line, "limit", plan->limit_permille);
    say_number(line, "window", plan->window_permille);
    say_range(line, "hold_ms", plan->hold_ms);
    say_number(line, "quantity", plan->quantity_max);
    say_number(line, "repeat", plan->repeat_permille);
    say_number(line, "conflict", plan->conflict_permille);
    say_number(line, "unknown", plan->unknown_permille);
    say_number(line, "invalid", plan->invalid_permille);
}

void plan_print(const struct sim_plan *plan, char *to, size_t to_bytes)
{
    struct line line = {.to = to, .bytes = to_bytes};
    say(&line, "plan seed=%" PRIu64, plan->seed);
    print_server(&line, plan);
    print_lives(&line, plan);
    print_machine(&line, plan);
    print_clients(&line, plan);
}
