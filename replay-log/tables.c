#include "tables.h"

#include "text.h"

#include "stock/entry.h"

#include <inttypes.h>

enum {
    RECORD_BYTES_MIN = 64,       /* an item's without SKU */
    ITEM_ENTRY_BYTES_MIN = 88,   /* the same as an entry */
    RECORDS_PER_ITEM_GUESS = 16, /* a sale has many more holds than items */
    ITEM_COUNT_LEAST = 128,
    SMALL_BYTES = 1 << 20,
};

/* Longer than any log is: nothing is forgotten but by a record. */
#define RETENTION_MS (STOCK_TIME_MS_MAX / 2)

void tables_add_snapshot(struct tables *tables, const struct data_snapshot *snapshot)
{
    if (snapshot != NULL)
        tables->entry_bytes += snapshot->file_bytes;
}

/* The LSN that the segment begins with; 0 when its header is not good. */
static uint64_t first_lsn(struct data_log *log, uint32_t segment_index)
{
    _Alignas(8) uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header header;
    if (log->segments[segment_index].bytes < sizeof block ||
        data_read_segment(log, segment_index, 0, block, sizeof block) != 0 ||
        log_segment_header_decode(block, &header) != NULL)
        return 0;
    return header.first_lsn;
}

/* The next segment tells where this one ends. For small logs that is not worth looking. */
void tables_add_log(struct tables *tables, struct data_log *log, uint64_t segment_number)
{
    if (log->segments_bytes <= SMALL_BYTES) {
        tables->record_count += log->segments_bytes / RECORD_BYTES_MIN;
        return;
    }
    uint64_t count_max = 0; /* of the segment before */
    uint64_t lsn_before = 0;
    for (uint32_t i = 0; i < log->segment_count; i++) {
        if (log_segment_file_number(log->segments[i].name) < segment_number)
            continue;
        const uint64_t lsn = first_lsn(log, i);
        if (lsn > lsn_before && lsn_before > 0 && lsn - lsn_before < count_max)
            count_max = lsn - lsn_before;
        tables->record_count += count_max;
        count_max = log->segments[i].bytes / RECORD_BYTES_MIN;
        if (lsn == 0 && lsn_before > 0)
            count_max = 0; /* not in use yet: the last one counts as full */
        else
            lsn_before = lsn;
    }
    tables->record_count += count_max;
    data_close_segment(log);
}

static uint32_t at_most(uint64_t guess, uint64_t bound)
{
    const uint64_t count = guess < bound ? guess : bound;
    return (uint32_t)(count < STOCK_TABLE_COUNT_MAX ? count : STOCK_TABLE_COUNT_MAX);
}

struct stock *tables_create(const struct tables *tables, uint32_t scale)
{
    const uint64_t items_max =
        tables->record_count + tables->entry_bytes / ITEM_ENTRY_BYTES_MIN + 1;
    const uint64_t items_guess = items_max / RECORDS_PER_ITEM_GUESS + ITEM_COUNT_LEAST;
    const uint64_t holds_max =
        tables->record_count + tables->entry_bytes / STOCK_RESERVATION_ENTRY_BYTES + 1;
    const uint64_t buyers_max =
        tables->record_count + tables->entry_bytes / STOCK_BUYER_ENTRY_BYTES + 1;
    const struct stock_options options = {
        .item_count_max = at_most(items_guess * scale, items_max),
        .reservation_count_max = at_most(holds_max, holds_max),
        .buyer_count_max = at_most(holds_max * scale, buyers_max),
        .retention_ms = RETENTION_MS,
    };
    struct stock *stock = scale > STOCK_TABLE_COUNT_MAX ? NULL : stock_create(&options);
    if (stock == NULL)
        tell("no memory for tables of %" PRIu32 " items, %" PRIu32 " reservations and %" PRIu32
             " buyers: use a larger machine",
             options.item_count_max, options.reservation_count_max, options.buyer_count_max);
    return stock;
}
