#ifndef HF_REPLAY_LOG_CSV_H
#define HF_REPLAY_LOG_CSV_H
/* Rows of CSV as RFC 4180 has them. Fields are put one after the other, csv_end_row() ends the row.
 */

#include "base/id.h"
#include "stock/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct csv {
    FILE *to;
    bool is_in_row;
};

void csv_u64(struct csv *csv, uint64_t value);
void csv_i64(struct csv *csv, int64_t value);
void csv_text(struct csv *csv, const char *text);
void csv_id(struct csv *csv, struct id128 id);
/* Two fields: "2026-01-31T12:00:00.123Z" and milliseconds; both empty for 0, which is "none". */
void csv_time(struct csv *csv, uint64_t ms);
/* Two fields, of which one is empty: the SKU, and in hexadecimal one that is no UTF-8. */
void csv_sku(struct csv *csv, const struct stock_item_settings *item);
void csv_empty(struct csv *csv, uint32_t count);
void csv_end_row(struct csv *csv);

/* A header line: names with commas between. */
void csv_header(struct csv *csv, const char *names);

#endif
