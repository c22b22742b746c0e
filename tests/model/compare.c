#include "compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool compare_find(struct run *run, const char *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    snprintf(run->finding.check, sizeof run->finding.check, "%s", check);
    vsnprintf(run->finding.text, sizeof run->finding.text, format, arguments);
    va_end(arguments);
    run->finding.op_index = run->counts.operations;
    return false;
}

bool compare_numbers(struct run *run, const char *check, const char *what, uint64_t engine,
                     uint64_t model)
{
    if (engine == model)
        return true;
    snprintf(run->finding.what, sizeof run->finding.what, "%s", what);
    run->finding.expected = model;
    return compare_find(run, check, "%s is %" PRIi64 ", the model says %" PRIi64, what,
                        (int64_t)engine, (int64_t)model);
}

#define REPLY_FIELDS(X)                                                                            \
    X(code)                                                                                        \
    X(state)                                                                                       \
    X(invalid_field)                                                                               \
    X(quantity)                                                                                    \
    X(quantity_confirmed)                                                                          \
    X(sequence)                                                                                    \
    X(expires_ms)                                                                                  \
    X(available)                                                                                   \
    X(seen_lsn)                                                                                    \
    X(buyer_id)                                                                                    \
    X(user_data)                                                                                   \
    X(created_ms)

bool compare_reply(struct run *run, const struct stock_reply *expected)
{
    const struct stock_reply *reply = &run->reply;
    if (reply->code != expected->code)
        return compare_find(run, "reply", "the answer is %s, the model says %s",
                            stock_code_name(reply->code), stock_code_name(expected->code));
#define REPLY_COMPARE(field)                                                                       \
    if (!compare_numbers(run, "reply", #field, (uint64_t)reply->field, (uint64_t)expected->field)) \
        return false;
    REPLY_FIELDS(REPLY_COMPARE)
#undef REPLY_COMPARE
    return true;
}

/* By their bytes: the LSN and the hints are the engine's own. */
bool compare_record(struct run *run, const struct stock_record *expected)
{
    const struct stock_record *record = &run->record;
    if (record->type != expected->type)
        return compare_find(run, "record", "the record is %s, the model says %s",
                            stock_record_type_name(record->type),
                            stock_record_type_name(expected->type));
    if (record->type == STOCK_RECORD_NONE)
        return true;
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    uint8_t expected_bytes[STOCK_RECORD_BYTES_MAX];
    uint32_t length = stock_record_encode(record, bytes);
    uint32_t expected_length = stock_record_encode(expected, expected_bytes);
    if (!compare_numbers(run, "record", "the record's length", length, expected_length))
        return false;
    for (uint32_t i = 0; i < length; i++) {
        if (bytes[i] != expected_bytes[i])
            return compare_find(run, "record", "%s differs from the model's in byte %" PRIu32,
                                stock_record_type_name(record->type), i);
    }
    return true;
}

static bool same_settings(struct run *run, const struct stock_item_settings *settings,
                          const struct stock_item_settings *expected)
{
#define SETTING_COMPARE(field)                                                                     \
    if (!compare_numbers(run, "item", #field, (uint64_t)settings->field,                           \
                         (uint64_t)expected->field))                                               \
        return false;
    SETTING_COMPARE(item_id)
    SETTING_COMPARE(stock)
    SETTING_COMPARE(buyer_limit)
    SETTING_COMPARE(hold_cap)
    SETTING_COMPARE(hold_ms)
    SETTING_COMPARE(opens_at_ms)
    SETTING_COMPARE(closes_at_ms)
    SETTING_COMPARE(paused)
    SETTING_COMPARE(sku_bytes)
#undef SETTING_COMPARE
    if (memcmp(settings->sku, expected->sku, settings->sku_bytes) != 0)
        return compare_find(run, "item", "the SKU is not the model's");
    return true;
}

bool compare_item(struct run *run, const struct stock *stock, const struct stock_model *model,
                  uint64_t item_id)
{
    struct stock_item_view view;
    struct stock_item_view expected;
    run->finding.item_id = item_id;
    bool known = stock_item_find(stock, item_id, &view);
    bool expected_known = stock_model_item_find(model, item_id, &expected);
    if (!known || !expected_known)
        return compare_numbers(run, "item", "whether there is the item", known, expected_known);
    if (view.settings.stock != STOCK_UNLIMITED &&
        (view.available < 0 ||
         (uint64_t)view.available + view.held + view.sold != (uint64_t)view.settings.stock))
        return compare_find(run, "conservation",
                            "available %" PRIi64 " + held %" PRIu64 " + sold %" PRIu64
                            " of %" PRIi64,
                            view.available, view.held, view.sold, view.settings.stock);
    return same_settings(run, &view.settings, &expected.settings) &&
           compare_numbers(run, "item", "available", (uint64_t)view.available,
                           (uint64_t)expected.available) &&
           compare_numbers(run, "item", "held", view.held, expected.held) &&
           compare_numbers(run, "item", "sold", view.sold, expected.sold) &&
           compare_numbers(run, "item", "next_sequence", view.next_sequence,
                           expected.next_sequence) &&
           compare_numbers(run, "item", "created_ms", view.created_ms, expected.created_ms);
}

bool compare_counts(struct run *run, const struct stock *stock, const struct stock_model *model)
{
    struct stock_counts counts = stock_counts(stock);
    struct stock_counts expected = stock_model_counts(model);
    return compare_numbers(run, "counts", "items", counts.items, expected.items) &&
           compare_numbers(run, "counts", "reservations", counts.reservations,
                           expected.reservations) &&
           compare_numbers(run, "counts", "held", counts.held, expected.held) &&
           compare_numbers(run, "counts", "confirmed", counts.confirmed, expected.confirmed) &&
           compare_numbers(run, "counts", "cancelled", counts.cancelled, expected.cancelled) &&
           compare_numbers(run, "counts", "expired", counts.expired, expected.expired) &&
           compare_numbers(run, "counts", "buyers", counts.buyers, expected.buyers) &&
           compare_numbers(run, "counts", "units_held", counts.units_held, expected.units_held) &&
           compare_numbers(run, "counts", "units_sold", counts.units_sold, expected.units_sold);
}

bool compare_hash(struct run *run, const struct stock *stock, const struct stock_model *model,
                  const char *check)
{
    uint64_t hash = stock_hash(stock);
    uint64_t expected = stock_model_hash(model);
    if (hash == expected)
        return true;
    return compare_find(run, check, "the state hash is %016" PRIx64 ", the model's %016" PRIx64,
                        hash, expected);
}
