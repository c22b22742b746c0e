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
    model->time_ms = 0;
}

static void *copied(const void *array, size_t bytes)
{
    void *copy = malloc(bytes > 0 ? bytes : 1);
    assert(copy != NULL);
    if (bytes > 0)
        memcpy(copy, array, bytes);
    return copy;
}

struct stock_model *stock_model_copy(const struct stock_model *model)
{
    struct stock_model *copy = copied(model, sizeof *model);
    copy->items = copied(model->items, model->item_room * sizeof model->items[0]);
    copy->reservations =
        copied(model->reservations, model->reservation_room * sizeof model->reservations[0]);
    copy->buyers = copied(model->buyers, model->buyer_room * sizeof model->buyers[0]);
    return copy;
}

/* The array with room for one more entry. */
static void *grown(void *array, size_t count, size_t *room, size_t entry_bytes)
{
    if (count < *room)
        return array;
    *room = *room == 0 ? 16 : 2 * *room;
    array = realloc(array, *room * entry_bytes);
    assert(array != NULL);
    return array;
}

struct model_item *model_item_add(struct stock_model *model)
{
    model->items =
        grown(model->items, model->item_count, &model->item_room, sizeof model->items[0]);
    return &model->items[model->item_count++];
}

struct model_reservation *model_reservation_add(struct stock_model *model)
{
    model->reservations = grown(model->reservations, model->reservation_count,
                                &model->reservation_room, sizeof model->reservations[0]);
    return &model->reservations[model->reservation_count++];
}

struct model_buyer *model_buyer_add(struct stock_model *model)
{
    model->buyers =
        grown(model->buyers, model->buyer_count, &model->buyer_room, sizeof model->buyers[0]);
    return &model->buyers[model->buyer_count++];
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

uint64_t stock_model_time_ms(const struct stock_model *model)
{
    return model->time_ms;
}

uint64_t stock_model_item_id_at(const struct stock_model *model, size_t index)
{
    return index < model->item_count ? model->items[index].settings.item_id : 0;
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

uint64_t model_item_hash(const struct model_item *item)
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

uint64_t model_reservation_hash(const struct model_reservation *reservation)
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

uint64_t model_buyer_hash(const struct model_buyer *buyer)
{
    const uint64_t values[] = {buyer->item_id, buyer->buyer_id, buyer->units_held,
                               buyer->units_sold, buyer->open_holds};
    return hash_entry(values, sizeof values / sizeof values[0], NULL, 3);
}

uint64_t stock_model_hash(const struct stock_model *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < model->item_count; i++)
        sum += model_item_hash(&model->items[i]);
    for (size_t i = 0; i < model->reservation_count; i++)
        sum += model_reservation_hash(&model->reservations[i]);
    for (size_t i = 0; i < model->buyer_count; i++)
        sum += model_buyer_hash(&model->buyers[i]);
    return sum;
}
