#include "commands.h"
#include "text.h"

#include "base/assert.h"
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

/* ---- JSON ---- */

static json_t *json_u64(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *json_id(uint64_t id)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, id);
    return json_string(text);
}

static void add(json_t *object, const char *key, json_t *value)
{
    hf_assert(json_object_set_new_nocheck(object, key, value) == 0);
}

/* A SKU is any bytes; JSON takes text only. */
static void add_sku(json_t *object, const struct stock_item_settings *item)
{
    json_t *text = json_stringn(item->sku, item->sku_bytes);
    if (text != NULL) {
        add(object, "sku", text);
        return;
    }
    char hex[2 * STOCK_SKU_BYTES_MAX + 1] = "";
    for (uint32_t i = 0; i < item->sku_bytes; i++)
        snprintf(hex + 2 * i, 3, "%02x", (uint8_t)item->sku[i]);
    add(object, "sku_hex", json_string(hex));
}

static void add_item(json_t *object, const struct stock_item_settings *item)
{
    add(object, "item_id", json_id(item->item_id));
    add_sku(object, item);
    add(object, "stock", json_integer(item->stock));
    add(object, "buyer_limit", json_u64(item->buyer_limit));
    add(object, "hold_cap", json_u64(item->hold_cap));
    add(object, "hold_ms", json_u64(item->hold_ms));
    add(object, "opens_at_ms", json_u64(item->opens_at_ms));
    add(object, "closes_at_ms", json_u64(item->closes_at_ms));
    add(object, "paused", json_boolean(item->paused));
}

static void add_hold(json_t *object, const struct stock_hold_event *hold)
{
    char id[TEXT_ID_BYTES];
    add(object, "item_id", json_id(hold->item_id));
    add(object, "reservation_id", json_string(text_id(hold->reservation_id, id)));
    add(object, "buyer_id", json_id(hold->buyer_id));
    add(object, "quantity", json_u64(hold->quantity));
    add(object, "quantity_confirmed", json_u64(hold->quantity_confirmed));
    add(object, "sequence", json_u64(hold->sequence));
    add(object, "expires_ms", json_u64(hold->expires_ms));
    add(object, "user_data", json_id(hold->user_data));
}

static bool is_item(const struct stock_record *record)
{
    return record->type == STOCK_RECORD_ITEM_CREATED || record->type == STOCK_RECORD_ITEM_UPDATED;
}

static void print_json(const struct data_log *log, uint64_t lsn, const struct stock_record *record)
{
    char time[TEXT_TIME_BYTES];
    json_t *object = json_object();
    hf_assert(object != NULL);
    add(object, "lsn", json_u64(lsn));
    add(object, "core", json_u64(log->core));
    add(object, "era", json_u64(log->era));
    add(object, "time", json_string(text_time(record->time_ms, time)));
    add(object, "time_ms", json_u64(record->time_ms));
    add(object, "type", json_string(stock_record_type_name(record->type)));
    if (is_item(record))
        add_item(object, &record->item);
    else
        add_hold(object, &record->hold);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
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

static const char *print_record(void *context, uint64_t lsn, uint64_t group_time_ms,
                                const uint8_t *bytes, uint32_t record_bytes)
{
    const struct printer *printer = context;
    struct stock_record record;
    (void)group_time_ms;
    const char *wrong = stock_record_decode(bytes, record_bytes, &record);
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
