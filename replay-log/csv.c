#include "csv.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

static void separate(struct csv *csv)
{
    if (csv->is_in_row)
        fputc(',', csv->to);
    csv->is_in_row = true;
}

void csv_u64(struct csv *csv, uint64_t value)
{
    separate(csv);
    fprintf(csv->to, "%" PRIu64, value);
}

void csv_i64(struct csv *csv, int64_t value)
{
    separate(csv);
    fprintf(csv->to, "%" PRId64, value);
}

/* Quoted when there is something in it that would end the field. */
static void put_text(struct csv *csv, const char *text, size_t bytes)
{
    bool is_plain = true;
    for (size_t i = 0; i < bytes; i++)
        is_plain = is_plain && strchr("\",\r\n", text[i]) == NULL;
    separate(csv);
    if (is_plain) {
        fwrite(text, 1, bytes, csv->to);
        return;
    }
    fputc('"', csv->to);
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '"')
            fputc('"', csv->to);
        fputc(text[i], csv->to);
    }
    fputc('"', csv->to);
}

void csv_text(struct csv *csv, const char *text)
{
    put_text(csv, text, strlen(text));
}

void csv_id(struct csv *csv, struct id128 id)
{
    char text[TEXT_ID_BYTES];
    csv_text(csv, text_id(id, text));
}

void csv_time(struct csv *csv, uint64_t ms)
{
    char text[TEXT_TIME_BYTES];
    if (ms == 0) {
        csv_empty(csv, 2);
        return;
    }
    csv_text(csv, text_time(ms, text));
    csv_u64(csv, ms);
}

void csv_sku(struct csv *csv, const struct stock_item_settings *item)
{
    if (text_is_utf8(item->sku, item->sku_bytes)) {
        put_text(csv, item->sku, item->sku_bytes);
        csv_empty(csv, 1);
        return;
    }
    csv_empty(csv, 1);
    separate(csv);
    for (uint32_t i = 0; i < item->sku_bytes; i++)
        fprintf(csv->to, "%02x", (uint8_t)item->sku[i]);
}

void csv_empty(struct csv *csv, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        separate(csv);
}

void csv_end_row(struct csv *csv)
{
    fputs("\r\n", csv->to);
    csv->is_in_row = false;
}

void csv_header(struct csv *csv, const char *names)
{
    fputs(names, csv->to);
    csv_end_row(csv);
}
