/* For whoever reads a finding: one line each, numbers in decimal, times in engine milliseconds. */
#include "history_private.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_COUNT = 16, TEXT_BYTES = 1024, PART_BYTES = 400 };

static char *next_text(void)
{
    static char texts[TEXT_COUNT][TEXT_BYTES];
    static unsigned next;
    return texts[next++ % TEXT_COUNT];
}

static const char *op_name(const struct history_call *call)
{
    static const char *const rows[] = {"Reserve", "Confirm", "Cancel", "Extend", "Get"};
    switch (call->op) {
    case HISTORY_ROW:
        return call->request.op < sizeof rows / sizeof *rows ? rows[call->request.op] : "?";
    case HISTORY_ITEM_CREATE:
        return "ItemCreate";
    case HISTORY_ITEM_UPDATE:
        return "ItemUpdate";
    default:
        return "ItemGet";
    }
}

static const char *state_name(uint8_t state)
{
    static const char *const names[] = {"-", "HELD", "CONFIRMED", "CANCELLED", "EXPIRED"};
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

/* These write into a text of the caller's, which goes into a larger one. */

static const char *settings_text(const struct stock_item_settings *settings, char *to)
{
    snprintf(to, PART_BYTES,
             "stock %" PRId64 " buyer_limit %" PRIu32 " hold_cap %" PRIu32 " hold_ms %" PRIu64
             " open %" PRIu64 "-%" PRIu64 "%s sku %.*s",
             settings->stock, settings->buyer_limit, settings->hold_cap, settings->hold_ms,
             settings->opens_at_ms, settings->closes_at_ms, settings->paused ? " paused" : "",
             settings->sku_bytes < STOCK_SKU_BYTES_MAX ? settings->sku_bytes : STOCK_SKU_BYTES_MAX,
             settings->sku);
    return to;
}

static const char *content_text(const struct history_call *call, char *to)
{
    const struct stock_request *request = &call->request;
    char settings[PART_BYTES];
    to[0] = '\0';
    if (call->op == HISTORY_ROW)
        snprintf(to, PART_BYTES,
                 "reservation %" PRIx64 ".%" PRIx64 " buyer %" PRIu64 " quantity %" PRIu32
                 " hold_ms %" PRIu64 " expires %" PRIu64 " user_data %" PRIu64,
                 request->reservation_id.high, request->reservation_id.low, request->buyer_id,
                 request->quantity, request->hold_ms, request->expires_ms, request->user_data);
    else if (call->op != HISTORY_ITEM_GET)
        snprintf(to, PART_BYTES, "mask %" PRIx32 " %s", call->update_mask,
                 settings_text(&call->settings, settings));
    return to;
}

const char *describe_call(uint32_t call_number)
{
    const struct book_call *call = &book.calls[call_number];
    const uint64_t item_id =
        call->asked.op == HISTORY_ROW ? call->asked.request.item_id : call->asked.settings.item_id;
    char content[PART_BYTES];
    char *text = next_text();
    snprintf(text, TEXT_BYTES,
             "call %" PRIu32 " (client %" PRIu32 ", at %" PRIu64 " ns, engine %" PRIu64
             " ms): %s item %" PRIu64 " %s",
             call_number, call->asked.client, call->asked_ns, call->from_ms, op_name(&call->asked),
             item_id, content_text(&call->asked, content));
    return text;
}

const char *describe_reply(const struct stock_reply *reply)
{
    char *text = next_text();
    snprintf(text, TEXT_BYTES,
             "%s state %s available %" PRId64 " sequence %" PRIu64 " expires %" PRIu64
             " quantity %" PRIu32 " confirmed %" PRIu32 " invalid_field %u buyer %" PRIu64
             " user_data %" PRIu64 " created %" PRIu64,
             stock_code_name(reply->code), state_name(reply->state), reply->available,
             reply->sequence, reply->expires_ms, reply->quantity, reply->quantity_confirmed,
             reply->invalid_field, reply->buyer_id, reply->user_data, reply->created_ms);
    return text;
}

const char *describe_view(const struct stock_item_view *view)
{
    char settings[PART_BYTES];
    if (view == NULL)
        return "no item";
    char *text = next_text();
    snprintf(text, TEXT_BYTES,
             "item %" PRIu64 " available %" PRId64 " held %" PRIu64 " sold %" PRIu64
             " next %" PRIu64 " created %" PRIu64 " %s",
             view->settings.item_id, view->available, view->held, view->sold, view->next_sequence,
             view->created_ms, settings_text(&view->settings, settings));
    return text;
}

static const char *record_text(const struct stock_record *record, char *to)
{
    const struct stock_hold_event *hold = &record->hold;
    char settings[PART_BYTES];
    if (record->type == STOCK_RECORD_ITEM_CREATED || record->type == STOCK_RECORD_ITEM_UPDATED)
        snprintf(to, PART_BYTES, "%s at %" PRIu64 " item %" PRIu64 " %s",
                 stock_record_type_name(record->type), record->time_ms, record->item.item_id,
                 settings_text(&record->item, settings));
    else
        snprintf(to, PART_BYTES,
                 "%s at %" PRIu64 " item %" PRIu64 " reservation %" PRIx64 ".%" PRIx64
                 " sequence %" PRIu64 " buyer %" PRIu64 " quantity %" PRIu32 " confirmed %" PRIu32
                 " expires %" PRIu64 " user_data %" PRIu64,
                 stock_record_type_name(record->type), record->time_ms, hold->item_id,
                 hold->reservation_id.high, hold->reservation_id.low, hold->sequence,
                 hold->buyer_id, hold->quantity, hold->quantity_confirmed, hold->expires_ms,
                 hold->user_data);
    return to;
}

const char *describe_record(const struct stock_record *record)
{
    return record_text(record, next_text());
}

const char *describe_noted(const struct book_record *noted)
{
    char record[PART_BYTES];
    char *text = next_text();
    record_text(&noted->record, record);
    snprintf(text, TEXT_BYTES, "[era %" PRIu64 " core %" PRIu32 " LSN %" PRIu64 "] %s", noted->era,
             noted->core, noted->record.lsn, record);
    return text;
}
