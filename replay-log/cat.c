#include "commands.h"
#include "text.h"

#include "stock/record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* One line per record. In JSON the caller's 64-bit ids are strings, because many readers of JSON
 * keep numbers as doubles and would change the last digits; counts and times are numbers. */

struct printer {
    const struct data_log *log;
    bool is_json;
};

static bool is_item(const struct stock_record *record)
{
    return record->type == STOCK_RECORD_ITEM_CREATED || record->type == STOCK_RECORD_ITEM_UPDATED;
}

/* ---- JSON ---- */

/* Written by hand, which is five times as fast as by way of objects: logs have millions of records.
 * Only a SKU may need escapes. */

/* A SKU is any bytes; JSON takes UTF-8 only. */
static void print_json_sku(const struct stock_item_settings *item)
{
    json_t *text = json_stringn(item->sku, item->sku_bytes);
    if (text != NULL) {
        fputs(",\"sku\":", stdout);
        json_dumpf(text, stdout, JSON_ENCODE_ANY);
        json_decref(text);
        return;
    }
    fputs(",\"sku_hex\":\"", stdout);
    for (uint32_t i = 0; i < item->sku_bytes; i++)
        printf("%02x", (uint8_t)item->sku[i]);
    putchar('"');
}

static void print_json_item(const struct stock_item_settings *item)
{
    printf(",\"item_id\":\"%" PRIu64 "\"", item->item_id);
    print_json_sku(item);
    printf(",\"stock\":%" PRId64 ",\"buyer_limit\":%" PRIu32 ",\"hold_cap\":%" PRIu32
           ",\"hold_ms\":%" PRIu64 ",\"opens_at_ms\":%" PRIu64 ",\"closes_at_ms\":%" PRIu64
           ",\"paused\":%s}\n",
           item->stock, item->buyer_limit, item->hold_cap, item->hold_ms, item->opens_at_ms,
           item->closes_at_ms, item->paused ? "true" : "false");
}

static void print_json_hold(const struct stock_hold_event *hold)
{
    char id[TEXT_ID_BYTES];
    printf(",\"item_id\":\"%" PRIu64 "\",\"reservation_id\":\"%s\",\"buyer_id\":\"%" PRIu64
           "\",\"quantity\":%" PRIu32 ",\"quantity_confirmed\":%" PRIu32 ",\"sequence\":%" PRIu64
           ",\"expires_ms\":%" PRIu64 ",\"user_data\":\"%" PRIu64 "\"}\n",
           hold->item_id, text_id(hold->reservation_id, id), hold->buyer_id, hold->quantity,
           hold->quantity_confirmed, hold->sequence, hold->expires_ms, hold->user_data);
}

static void print_json(const struct data_log *log, uint64_t lsn, const struct stock_record *record)
{
    char time[TEXT_TIME_BYTES];
    printf("{\"lsn\":%" PRIu64 ",\"core\":%" PRIu32 ",\"era\":%" PRIu64
           ",\"time\":\"%s\",\"time_ms\":%" PRIu64 ",\"type\":\"%s\"",
           lsn, log->core, log->era, text_time(record->time_ms, time), record->time_ms,
           stock_record_type_name(record->type));
    if (is_item(record))
        print_json_item(&record->item);
    else
        print_json_hold(&record->hold);
}

/* ---- text ---- */

static void print_sku(const struct stock_item_settings *item)
{
    fputs("  sku \"", stdout);
    for (uint32_t i = 0; i < item->sku_bytes; i++) {
        const uint8_t byte = (uint8_t)item->sku[i];
        if (byte < ' ' || byte == 0x7f || byte == '"' || byte == '\\')
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void print_item(const struct stock_item_settings *item)
{
    char opens[TEXT_TIME_BYTES];
    char closes[TEXT_TIME_BYTES];
    printf("  item %-20" PRIu64 "  stock %" PRId64 "  buyer_limit %" PRIu32 "  hold_cap %" PRIu32
           "  hold_ms %" PRIu64 "  opens %s  closes %s  paused %s",
           item->item_id, item->stock, item->buyer_limit, item->hold_cap, item->hold_ms,
           text_time(item->opens_at_ms, opens), text_time(item->closes_at_ms, closes),
           item->paused ? "yes" : "no");
    print_sku(item);
}

static void print_hold(const struct stock_hold_event *hold)
{
    char id[TEXT_ID_BYTES];
    char expires[TEXT_TIME_BYTES];
    printf("  item %-20" PRIu64 "  reservation %s  sequence %-8" PRIu64 "  buyer %-20" PRIu64
           "  quantity %-7" PRIu32 "  confirmed %-7" PRIu32 "  expires %s  user_data %" PRIu64,
           hold->item_id, text_id(hold->reservation_id, id), hold->sequence, hold->buyer_id,
           hold->quantity, hold->quantity_confirmed, text_time(hold->expires_ms, expires),
           hold->user_data);
}

static void print_text(const struct data_log *log, uint64_t lsn, const struct stock_record *record)
{
    char time[TEXT_TIME_BYTES];
    printf("%s  era %-3" PRIu64 "  core %-2" PRIu32 "  lsn %-10" PRIu64 "  %-12s",
           text_time(record->time_ms, time), log->era, log->core, lsn,
           stock_record_type_name(record->type));
    if (is_item(record))
        print_item(&record->item);
    else
        print_hold(&record->hold);
    putchar('\n');
}

/* ---- the command ---- */

static const char *print_record(void *context, uint64_t lsn, const uint8_t *bytes)
{
    const struct printer *printer = context;
    struct stock_record record;
    const char *wrong = stock_record_decode(bytes, log_record_bytes(bytes), &record);
    if (wrong != NULL)
        return wrong;
    if (printer->is_json)
        print_json(printer->log, lsn, &record);
    else
        print_text(printer->log, lsn, &record);
    return NULL;
}

/* Prints one log as far as it can be trusted. A torn tail is told but is no failure here: it is
 * what a crash, or a write in flight, leaves. */
static enum exit_code print_log(struct data *data, struct data_log *log, bool is_json)
{
    struct printer printer = {.log = log, .is_json = is_json};
    struct log_end end;
    data_survey(data, log);
    data_read(data, log, print_record, &printer, &end);
    data_tell_end(log, &end);
    return end.status == LOG_TORN_TAIL ? EXIT_GOOD : data_exit_code(end.status);
}

enum exit_code command_cat(const struct command_options *options)
{
    struct data *data;
    enum exit_code code = data_open(options->path, &data);
    if (code != EXIT_GOOD)
        return code;
    bool is_known = options->core == CORE_ALL;
    for (uint32_t i = 0; i < data->log_count; i++) {
        if (options->core != CORE_ALL && data->logs[i].core != (uint32_t)options->core)
            continue;
        is_known = true;
        const enum exit_code log_code = print_log(data, &data->logs[i], options->is_json);
        if (code == EXIT_GOOD)
            code = log_code;
    }
    if (!is_known) {
        tell("%s: no era has a core %d; `holdfast-log info` shows what there is", options->path,
             options->core);
        code = EXIT_USAGE;
    }
    data_close(&data);
    return code;
}
