#include "stock/state.h"

#include "base/assert.h"

#include <string.h>

static bool sku_is_valid(const struct stock_item_settings *settings)
{
    return settings->sku_bytes <= STOCK_SKU_BYTES_MAX &&
           memchr(settings->sku, '\0', settings->sku_bytes) == NULL;
}

enum stock_field settings_invalid_field(const struct stock_item_settings *settings)
{
    if (settings->item_id == 0)
        return STOCK_FIELD_ITEM_ID;
    if (!sku_is_valid(settings))
        return STOCK_FIELD_SKU;
    if (settings->stock < STOCK_UNLIMITED || settings->stock > STOCK_STOCK_MAX)
        return STOCK_FIELD_STOCK;
    if (settings->hold_ms < STOCK_HOLD_MS_MIN || settings->hold_ms > STOCK_HOLD_MS_MAX)
        return STOCK_FIELD_HOLD_MS;
    if (settings->closes_at_ms != 0 && settings->closes_at_ms <= settings->opens_at_ms)
        return STOCK_FIELD_CLOSES_AT_MS;
    return STOCK_FIELD_NONE;
}

bool settings_same_sku(const struct stock_item_settings *a, const struct stock_item_settings *b)
{
    return a->sku_bytes == b->sku_bytes && memcmp(a->sku, b->sku, a->sku_bytes) == 0;
}

bool settings_equal(const struct stock_item_settings *a, const struct stock_item_settings *b)
{
    hf_assert(a->item_id == b->item_id);
    return settings_same_sku(a, b) && a->stock == b->stock && a->buyer_limit == b->buyer_limit &&
           a->hold_cap == b->hold_cap && a->hold_ms == b->hold_ms &&
           a->opens_at_ms == b->opens_at_ms && a->closes_at_ms == b->closes_at_ms &&
           a->paused == b->paused;
}
