#include "stock_model_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- searching ---- */

struct model_item *model_item_find(const struct stock_model *model, uint64_t item_id)
{
    for (size_t i = 0; i < model->item_count; i++) {
        if (model->items[i].settings.item_id == item_id)
            return &model->items[i];
    }
    return NULL;
}

struct model_reservation *model_reservation_find(const struct stock_model *model, uint64_t item_id,
                                                 struct id128 id)
{
    for (size_t i = 0; i < model->reservation_count; i++) {
        struct model_reservation *reservation = &model->reservations[i];
        if (reservation->id.low == id.low && reservation->id.high == id.high &&
            reservation->item_id == item_id)
            return reservation;
    }
    return NULL;
}

struct model_buyer *model_buyer_find(const struct stock_model *model, uint64_t item_id,
                                     uint64_t buyer_id)
{
    for (size_t i = 0; i < model->buyer_count; i++) {
        struct model_buyer *buyer = &model->buyers[i];
        if (buyer->buyer_id == buyer_id && buyer->item_id == item_id)
            return buyer;
    }
    return NULL;
}

int64_t model_available(const struct model_item *item)
{
    if (item->settings.stock == MODEL_UNLIMITED)
        return MODEL_UNLIMITED;
    return item->settings.stock - (int64_t)item->held - (int64_t)item->sold;
}

enum stock_field model_invalid_setting(const struct stock_item_settings *settings)
{
    if (settings->item_id == 0)
        return STOCK_FIELD_ITEM_ID;
    if (settings->sku_bytes > MODEL_SKU_MAX)
        return STOCK_FIELD_SKU;
    for (size_t i = 0; i < settings->sku_bytes; i++) {
        if (settings->sku[i] == '\0')
            return STOCK_FIELD_SKU;
    }
    if (settings->stock < MODEL_UNLIMITED || settings->stock > MODEL_STOCK_MAX)
        return STOCK_FIELD_STOCK;
    if (settings->hold_ms == 0 || settings->hold_ms > MODEL_THIRTY_DAYS_MS)
        return STOCK_FIELD_HOLD_MS;
    if (settings->closes_at_ms != 0 && settings->closes_at_ms <= settings->opens_at_ms)
        return STOCK_FIELD_CLOSES_AT_MS;
    return STOCK_FIELD_NONE;
}

bool model_same_sku(const struct stock_item_settings *a, const struct stock_item_settings *b)
{
    if (a->sku_bytes != b->sku_bytes)
        return false;
    for (size_t i = 0; i < a->sku_bytes; i++) {
        if (a->sku[i] != b->sku[i])
            return false;
    }
    return true;
}

/* ---- life ---- */

struct stock_model *stock_model_create(const struct stock_options *options)
{
    struct stock_model *model = calloc(1, sizeof *model);
    assert(model != NULL);
    model->limits = *options;
    return model;
}

void stock_model_destroy(struct stock_model **model)
{
    struct stock_model *closing = *model;
    *model = NULL;
    if (closing == NULL)
        return;
    free(closing->items);
    free(closing->reservations);
    free(closing->buyers);
    free(closing);
}

void stock_model_clear(struct stock_model *model)
{
    model->item_count = 0;
    model->reservation_count = 0;
    model->buyer_count = 0;
    model->due_set_count = 0;
}

/* ---- looking at it ---- */

bool stock_model_item_find(const struct stock_model *model, uint64_t item_id,
                           struct stock_item_view *view_out)
{
    const struct model_item *item = model_item_find(model, item_id);
    if (item == NULL)
        return false;
    *view_out = (struct stock_item_view){
        .settings = item->settings,
        .available = model_available(item),
        .held = item->held,
        .sold = item->sold,
        .next_sequence = item->next_sequence,
        .created_ms = item->created_ms,
    };
    return true;
}

struct stock_counts stock_model_counts(const struct stock_model *model)
{
    struct stock_counts counts = {
        .items = model->item_count,
        .reservations = model->reservation_count,
        .buyers = model->buyer_count,
    };
    for (size_t i = 0; i < model->reservation_count; i++) {
        uint8_t state = model->reservations[i].state;
        counts.held += state == STOCK_STATE_HELD;
        counts.confirmed += state == STOCK_STATE_CONFIRMED;
        counts.cancelled += state == STOCK_STATE_CANCELLED;
        counts.expired += state == STOCK_STATE_EXPIRED;
    }
    for (size_t i = 0; i < model->item_count; i++) {
        counts.units_held += model->items[i].held;
        counts.units_sold += model->items[i].sold;
    }
    return counts;
}

/* ---- the hash ---- */

/* Values as eight little-endian bytes each, and perhaps a SKU behind them. */
static uint64_t hash_entry(const uint64_t *values, size_t value_count,
                           const struct stock_item_settings *sku_of, uint64_t seed)
{
    uint8_t bytes[16 * 8 + MODEL_SKU_MAX];
    size_t length = 0;
    for (size_t i = 0; i < value_count; i++) {
        for (int shift = 0; shift < 64; shift += 8)
            bytes[length++] = (uint8_t)(values[i] >> shift);
    }
    for (size_t i = 0; sku_of != NULL && i < sku_of->sku_bytes; i++)
        bytes[length++] = (uint8_t)sku_of->sku[i];
    return XXH3_64bits_withSeed(bytes, length, seed);
}

static uint64_t hash_item(const struct model_item *item)
{
    const struct stock_item_settings *settings = &item->settings;
    const uint64_t values[] = {
        settings->item_id,
        (uint64_t)settings->stock,
        settings->buyer_limit,
        settings->hold_cap,
        settings->hold_ms,
        settings->opens_at_ms,
        settings->closes_at_ms,
        settings->paused ? 1 : 0,
        item->held,
        item->sold,
        item->next_sequence,
        item->created_ms,
        settings->sku_bytes,
    };
    return hash_entry(values, sizeof values / sizeof values[0], settings, 1);
}

static uint64_t hash_reservation(const struct model_reservation *reservation)
{
    const uint64_t values[] = {
        reservation->item_id,
        reservation->id.high,
        reservation->id.low,
        reservation->buyer_id,
        reservation->user_data,
        reservation->quantity,
        reservation->quantity_confirmed,
        reservation->state,
        reservation->sequence,
        reservation->created_ms,
        reservation->expires_ms,
    };
    return hash_entry(values, sizeof values / sizeof values[0], NULL, 2);
}

static uint64_t hash_buyer(const struct model_buyer *buyer)
{
    const uint64_t values[] = {buyer->item_id, buyer->buyer_id, buyer->units_held,
                               buyer->units_sold, buyer->open_holds};
    return hash_entry(values, sizeof values / sizeof values[0], NULL, 3);
}

uint64_t stock_model_hash(const struct stock_model *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < model->item_count; i++)
        sum += hash_item(&model->items[i]);
    for (size_t i = 0; i < model->reservation_count; i++)
        sum += hash_reservation(&model->reservations[i]);
    for (size_t i = 0; i < model->buyer_count; i++)
        sum += hash_buyer(&model->buyers[i]);
    return sum;
}
