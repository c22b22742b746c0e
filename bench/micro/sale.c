#include "bench/micro/sale.h"

#include "base/assert.h"
#include "base/memory.h"
#include "stock/load.h"

enum {
    GROUP_RECORDS = 400,       /* of the log */
    ENDED_PERCENT = 30,        /* reservations that end in the log */
    ENDED_BACK_MAX = 1000000,  /* among so many that were made last */
    HELD_PER_MS = 1000,        /* how fast the sale goes */
    RECORD_BYTES_MAX = 80 * 2, /* of a reservation in the log, its end included */
    QUANTITY = 2,              /* of each hold */
};
#define HOLD_MS  900000
#define START_MS 1700000000000ull

static uint64_t mixed(uint64_t number)
{
    number = (number ^ number >> 31) * 0x9E3779B97F4A7C15u;
    number = (number ^ number >> 29) * 0xBF58476D1CE4E5B9u;
    return number ^ number >> 32;
}

static uint64_t item_of(const struct sale *sale, uint64_t reservation)
{
    return mixed(reservation) % sale->options.item_count;
}

static struct id128 id_of(uint64_t reservation)
{
    return (struct id128){mixed(reservation), reservation + 1};
}

static uint64_t buyer_of(const struct sale *sale, uint64_t reservation)
{
    if (!sale->options.has_buyers)
        return 0;
    return 1 + mixed(reservation + 7) % sale->options.reservation_count;
}

uint64_t sale_time_ms(uint64_t reservation)
{
    return START_MS + reservation / HELD_PER_MS;
}

static struct stock_record hold_record(const struct sale *sale, enum stock_record_type type,
                                       uint64_t reservation, uint64_t time_ms)
{
    return (struct stock_record){
        .type = (uint8_t)type,
        .time_ms = time_ms,
        .hold = {.item_id = 1 + item_of(sale, reservation),
                 .reservation_id = id_of(reservation),
                 .buyer_id = buyer_of(sale, reservation),
                 .sequence = sale->sequences[reservation],
                 .expires_ms = sale_time_ms(reservation) + HOLD_MS,
                 .user_data = reservation,
                 .quantity = QUANTITY,
                 .quantity_confirmed = type == STOCK_RECORD_CONFIRMED ? QUANTITY : 0},
    };
}

static struct stock_record item_record(uint64_t item)
{
    return (struct stock_record){
        .type = STOCK_RECORD_ITEM_CREATED,
        .time_ms = START_MS,
        .item = {.item_id = 1 + item, .stock = STOCK_UNLIMITED, .hold_ms = HOLD_MS},
    };
}

static void append(struct sale *sale, const struct stock_record *record)
{
    hf_assert(sale->log_bytes + STOCK_RECORD_BYTES_MAX <= sale->log_room);
    sale->log_bytes += stock_record_encode(record, sale->log + sale->log_bytes);
    sale->record_count++;
}

static uint64_t next_random(struct sale *sale)
{
    return mixed(++sale->random);
}

/* Ends one of those that were made up to this one, if the dice fall on one that is open. */
static void maybe_end(struct sale *sale, uint64_t reservation)
{
    static const enum stock_record_type types[] = {STOCK_RECORD_CONFIRMED, STOCK_RECORD_CONFIRMED,
                                                   STOCK_RECORD_CANCELLED, STOCK_RECORD_EXPIRED};
    uint64_t back_max = reservation + 1 < ENDED_BACK_MAX ? reservation + 1 : ENDED_BACK_MAX;
    uint64_t ended = reservation - next_random(sale) % back_max;
    if (next_random(sale) % 100 >= ENDED_PERCENT || sale->has_ended[ended])
        return;
    enum stock_record_type type = types[next_random(sale) % 4];
    uint64_t time_ms = sale_time_ms(reservation);
    if (type == STOCK_RECORD_EXPIRED)
        time_ms = sale_time_ms(ended) + HOLD_MS;
    struct stock_record record = hold_record(sale, type, ended, time_ms);
    append(sale, &record);
    sale->has_ended[ended] = 1;
}

void *sale_map(size_t bytes)
{
    void *memory = memory_map(bytes);
    hf_assert(memory != NULL);
    return memory;
}

void sale_make(struct sale *sale, const struct sale_options *options)
{
    *sale = (struct sale){.options = *options};
    hf_assert(options->item_count > 0);
    sale->log_room = options->reservation_count * RECORD_BYTES_MAX +
                     (options->item_count + 1) * STOCK_RECORD_BYTES_MAX;
    sale->log = sale_map(sale->log_room);
    sale->sequences = sale_map(options->reservation_count * sizeof *sale->sequences);
    sale->next_sequences = sale_map(options->item_count * sizeof *sale->next_sequences);
    sale->has_ended = sale_map(options->reservation_count);
    for (uint64_t item = 0; item < options->item_count; item++) {
        struct stock_record record = item_record(item);
        append(sale, &record);
    }
    for (uint64_t i = 0; i < options->reservation_count; i++) {
        sale->sequences[i] = ++sale->next_sequences[item_of(sale, i)];
        struct stock_record record = hold_record(sale, STOCK_RECORD_HELD, i, sale_time_ms(i));
        append(sale, &record);
        maybe_end(sale, i);
    }
}

/* As holdfastd does it beside its turns: what is measured is the state, not the system's way of
 * finding pages. */
static void touch_all_ahead(const struct stock *stock)
{
    struct stock_ahead ahead = stock_ahead_begin(stock);
    while (stock_ahead_touch(stock, &ahead) > 0)
        continue;
}

struct stock *sale_open_stock(const struct sale *sale, uint64_t hash_key)
{
    const struct sale_options *options = &sale->options;
    const struct stock_options tables = {
        .item_count_max = (uint32_t)options->item_count,
        .reservation_count_max = (uint32_t)options->reservation_count,
        .buyer_count_max = (uint32_t)options->reservation_count,
        .retention_ms = 24ull * 3600 * 1000,
        .hash_key = hash_key,
    };
    struct stock *stock = stock_create(&tables);
    hf_assert(stock != NULL);
    touch_all_ahead(stock);
    return stock;
}

static void make_items(struct stock *stock, const struct sale *sale)
{
    for (uint64_t item = 0; item < sale->options.item_count; item++) {
        struct stock_record record = item_record(item);
        hf_assert(stock_check(stock, &record) == NULL);
        stock_commit(stock, &record);
    }
}

struct stock *sale_open_stock_with_items(const struct sale *sale, uint64_t hash_key)
{
    struct stock *stock = sale_open_stock(sale, hash_key);
    make_items(stock, sale);
    return stock;
}

struct stock_request sale_request(const struct sale *sale, enum stock_op op, uint64_t reservation)
{
    return (struct stock_request){
        .op = (uint8_t)op,
        .item_id = 1 + item_of(sale, reservation),
        .reservation_id = id_of(reservation),
        .buyer_id = buyer_of(sale, reservation),
        .quantity = QUANTITY,
    };
}

static uint64_t group_bytes(const uint8_t *log, uint64_t bytes_left, uint32_t *count_out)
{
    uint64_t bytes = 0;
    for (*count_out = 0; *count_out < GROUP_RECORDS && bytes < bytes_left; ++*count_out)
        bytes += log[bytes];
    return bytes;
}

void sale_replay(const struct sale *sale, struct stock *stock)
{
    const struct stock_wanted all = {.is_wanted = NULL};
    stock_load_begin(stock);
    for (uint64_t at = 0; at < sale->log_bytes;) {
        struct stock_records group = {.from = sale->log + at};
        group.bytes = (uint32_t)group_bytes(group.from, sale->log_bytes - at, &group.count);
        struct stock_replayed replayed;
        const char *problem = stock_replay(stock, &group, all, &replayed);
        hf_assert(problem == NULL);
        at += group.bytes;
    }
    hf_assert(stock_load_end(stock));
}
