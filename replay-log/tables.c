#include "tables.h"

#include "group.h"
#include "input.h"
#include "text.h"
#include "window.h"

#include "stock/entry.h"

#include <inttypes.h>

enum {
    ITEM_ENTRY_BYTES_MIN = 88, /* without SKU */
    RECORD_BYTES_MIN = 64,     /* the same as a record */
    RECORD_TYPE = 2,           /* where it stands (stock/record.h) */
    ROOM = 2,                  /* a table that is half empty is a quick one */
    ROOM_COUNT = 128,          /* so that small ones are not made anew */
};

/* Longer than any log is: nothing is forgotten but by a record. */
#define RETENTION_MS (STOCK_TIME_MS_MAX / 2)

/* ---- counting ---- */

struct counting {
    struct tables *tables;
    struct window window;
    const struct cut *cut;
    uint64_t next_lsn;
    uint64_t lost_count_max;
    bool is_enough;
};

static void one_more(struct tables_count *count)
{
    count->now++;
    if (count->most < count->now)
        count->most = count->now;
}

/* A buyer has units of an item from the first hold on, until all are given back. */
static void count_record(struct tables *tables, uint8_t type)
{
    switch (type) {
    case STOCK_RECORD_ITEM_CREATED:
        tables->item_count++;
        break;
    case STOCK_RECORD_HELD:
        one_more(&tables->reservations);
        one_more(&tables->buyers);
        break;
    case STOCK_RECORD_CANCELLED:
    case STOCK_RECORD_EXPIRED:
        tables->buyers.now--;
        break;
    case STOCK_RECORD_FORGOTTEN:
        tables->reservations.now--;
        break;
    default:
        break;
    }
}

static void count_records(struct tables *tables, const uint8_t *record, uint32_t bytes)
{
    while (bytes >= LOG_RECORD_BYTES_MIN) {
        const uint32_t record_bytes = log_record_bytes(record);
        if (record_bytes < LOG_RECORD_BYTES_MIN || record_bytes > bytes)
            return;
        count_record(tables, record[RECORD_TYPE]);
        record += record_bytes;
        bytes -= record_bytes;
    }
}

static void count_lost(struct counting *c, uint64_t first_lsn)
{
    if (first_lsn > c->next_lsn && first_lsn - c->next_lsn <= c->lost_count_max)
        c->tables->lost_count += first_lsn - c->next_lsn;
}

/* Looks at the block at `offset`. Returns the bytes to go on by. */
static uint32_t count_block(struct counting *c, struct id128 segment_uuid, uint64_t offset)
{
    struct group_look look;
    const uint8_t *from;
    const uint64_t seed = log_group_seed(segment_uuid, offset);
    if (window_at(&c->window, offset, LOG_BLOCK_BYTES, &from) != 0 ||
        group_look_at_header(from, seed, &look) != NULL ||
        look.bytes > c->window.file_bytes - offset ||
        window_at(&c->window, offset, look.bytes, &from) != 0)
        return LOG_BLOCK_BYTES;
    if (look.header.first_lsn >= c->next_lsn) {
        count_lost(c, look.header.first_lsn);
        count_records(c->tables, from + LOG_GROUP_HEADER_BYTES, look.header.payload_bytes);
        c->next_lsn = look.header.first_lsn + look.header.record_count;
    }
    c->is_enough = c->next_lsn >= c->cut->lsn_end || look.header.time_ms >= c->cut->time_end_ms;
    return look.bytes;
}

static void count_segment(struct counting *c)
{
    const uint8_t *block;
    uint64_t offset = LOG_BLOCK_BYTES;
    if (c->window.file_bytes < LOG_BLOCK_BYTES ||
        window_at(&c->window, 0, LOG_BLOCK_BYTES, &block) != 0)
        return;
    if (log_bytes_are_zero(block, LOG_BLOCK_BYTES))
        return; /* not in use */
    const struct id128 segment_uuid = group_segment_uuid(block);
    while (!c->is_enough && c->window.file_bytes - offset >= LOG_BLOCK_BYTES)
        offset += count_block(c, segment_uuid, offset);
}

void tables_add_log(struct tables *tables, const struct data_log *log,
                    const struct log_position *start, const struct cut *cut)
{
    struct counting c = {
        .tables = tables,
        .cut = cut,
        .next_lsn = start->next_lsn,
        .lost_count_max = log->segments_bytes / RECORD_BYTES_MIN,
        .is_enough = start->next_lsn >= cut->lsn_end,
    };
    window_init(&c.window);
    for (uint32_t i = 0; i < log->segment_count && !c.is_enough; i++) {
        char path[DATA_FILE_PATH_BYTES];
        uint64_t file_bytes;
        if (log_segment_file_number(log->segments[i].name) < start->segment_number)
            continue;
        data_segment_path(log, i, path);
        const int fd = input_open(path, &file_bytes);
        if (fd < 0)
            continue; /* reading tells what is wrong with it */
        window_set(&c.window, fd, file_bytes);
        count_segment(&c);
        input_close(fd);
    }
    window_deinit(&c.window);
}

void tables_add_snapshot(struct tables *tables, const struct data_snapshot *snapshot)
{
    if (snapshot != NULL)
        tables->entry_bytes += snapshot->file_bytes;
}

/* ---- making ---- */

static uint32_t count_of(const struct tables *tables, uint64_t in_logs, uint32_t entry_bytes_min,
                         uint32_t scale)
{
    const uint64_t count =
        (in_logs + tables->lost_count + tables->entry_bytes / entry_bytes_min) * ROOM * scale +
        ROOM_COUNT;
    return (uint32_t)(count < STOCK_TABLE_COUNT_MAX ? count : STOCK_TABLE_COUNT_MAX);
}

struct stock *tables_create(const struct tables *tables, uint32_t scale)
{
    const struct stock_options options = {
        .item_count_max = count_of(tables, tables->item_count, ITEM_ENTRY_BYTES_MIN, scale),
        .reservation_count_max = count_of(tables, (uint64_t)tables->reservations.most,
                                          STOCK_RESERVATION_ENTRY_BYTES, scale),
        .buyer_count_max =
            count_of(tables, (uint64_t)tables->buyers.most, STOCK_BUYER_ENTRY_BYTES, scale),
        .retention_ms = RETENTION_MS,
    };
    struct stock *stock = scale > STOCK_TABLE_COUNT_MAX ? NULL : stock_create(&options);
    if (stock == NULL)
        tell("no memory for tables of %" PRIu32 " items, %" PRIu32 " reservations and %" PRIu32
             " buyers: use a larger machine",
             options.item_count_max, options.reservation_count_max, options.buyer_count_max);
    return stock;
}
