#include "stock/state.h"

#include "base/assert.h"

#include <string.h>

/* Answers the seller: creating an item and changing its settings. */

/* The settings as the item will have them: the default filled in, the rest of the SKU zero. */
static struct stock_item_settings normalized(const struct stock_item_settings *settings)
{
    struct stock_item_settings result = *settings;
    if (result.hold_ms == 0)
        result.hold_ms = STOCK_HOLD_MS_DEFAULT;
    if (result.sku_bytes < STOCK_SKU_BYTES_MAX)
        memset(result.sku + result.sku_bytes, 0, STOCK_SKU_BYTES_MAX - result.sku_bytes);
    return result;
}

static void start(uint64_t now_ms, struct stock_reply *reply, struct stock_record *record)
{
    hf_assert(now_ms <= STOCK_TIME_MS_MAX);
    memset(reply, 0, sizeof *reply);
    record->type = STOCK_RECORD_NONE;
}

static enum stock_code invalid(struct stock_reply *reply, enum stock_field field)
{
    reply->invalid_field = (uint8_t)field;
    return STOCK_INVALID;
}

static void set_item(struct stock_record *record, enum stock_record_type type, uint64_t now_ms,
                     const struct stock_item_settings *settings, uint32_t item_slot)
{
    *record = (struct stock_record){
        .type = (uint8_t)type,
        .time_ms = now_ms,
        .item = *settings,
        .item_slot = item_slot,
        .reservation_slot = STOCK_SLOT_NONE,
    };
}

/* ---- create ---- */

static enum stock_code decide_existing(const struct item *item,
                                       const struct stock_item_settings *wanted,
                                       struct stock_reply *reply)
{
    reply->available = item_available(item);
    reply->seen_lsn = item->changed_lsn;
    if (settings_equal(&item->settings, wanted))
        return STOCK_DUPLICATE;
    if (!settings_same_sku(&item->settings, wanted))
        reply->invalid_field = STOCK_FIELD_SKU;
    return STOCK_ID_CONFLICT;
}

static enum stock_code decide_create(const struct stock *stock,
                                     const struct stock_item_settings *settings, uint64_t now_ms,
                                     struct stock_reply *reply, struct stock_record *record)
{
    struct stock_item_settings wanted = normalized(settings);
    enum stock_field field = settings_invalid_field(&wanted);
    if (field != STOCK_FIELD_NONE)
        return invalid(reply, field);
    uint32_t slot = item_find(stock, wanted.item_id, item_hash(stock, wanted.item_id));
    if (slot != STOCK_SLOT_NONE)
        return decide_existing(item_at(stock, slot), &wanted, reply);
    if (slab_is_full(&stock->items)) {
        reply->seen_lsn = stock->changed_lsn;
        return STOCK_CAPACITY;
    }
    set_item(record, STOCK_RECORD_ITEM_CREATED, now_ms, &wanted, slab_next(&stock->items));
    reply->available = wanted.stock;
    return STOCK_OK;
}

void stock_decide_item_create(const struct stock *stock, const struct stock_item_settings *settings,
                              uint64_t now_ms, struct stock_reply *reply_out,
                              struct stock_record *record_out)
{
    start(now_ms, reply_out, record_out);
    reply_out->code = (uint8_t)decide_create(stock, settings, now_ms, reply_out, record_out);
}

/* ---- update ---- */

/* The item's settings with the named ones replaced. */
static struct stock_item_settings merged(const struct stock_item_settings *present,
                                         const struct stock_item_settings *wanted, uint32_t mask)
{
    struct stock_item_settings result = *present;
    if (mask & STOCK_UPDATE_STOCK)
        result.stock = wanted->stock;
    if (mask & STOCK_UPDATE_BUYER_LIMIT)
        result.buyer_limit = wanted->buyer_limit;
    if (mask & STOCK_UPDATE_HOLD_CAP)
        result.hold_cap = wanted->hold_cap;
    if (mask & STOCK_UPDATE_HOLD_MS)
        result.hold_ms = wanted->hold_ms;
    if (mask & STOCK_UPDATE_OPENS_AT_MS)
        result.opens_at_ms = wanted->opens_at_ms;
    if (mask & STOCK_UPDATE_CLOSES_AT_MS)
        result.closes_at_ms = wanted->closes_at_ms;
    if (mask & STOCK_UPDATE_PAUSED)
        result.paused = wanted->paused;
    return normalized(&result);
}

/* A window that closes before it opens is the fault of the end that was named. */
static enum stock_field blamed(enum stock_field field, uint32_t mask)
{
    if (field == STOCK_FIELD_CLOSES_AT_MS && (mask & STOCK_UPDATE_CLOSES_AT_MS) == 0)
        return STOCK_FIELD_OPENS_AT_MS;
    return field;
}

static bool stock_covers(int64_t stock, const struct item *item)
{
    return stock == STOCK_UNLIMITED || (uint64_t)stock >= item->held + item->sold;
}

static enum stock_code decide_update(const struct stock *stock,
                                     const struct stock_item_settings *settings, uint32_t mask,
                                     uint64_t now_ms, struct stock_reply *reply,
                                     struct stock_record *record)
{
    if (settings->item_id == 0)
        return invalid(reply, STOCK_FIELD_ITEM_ID);
    uint32_t slot = item_find(stock, settings->item_id, item_hash(stock, settings->item_id));
    if (slot == STOCK_SLOT_NONE)
        return STOCK_UNKNOWN_ITEM;
    const struct item *item = item_at(stock, slot);
    reply->available = item_available(item);
    reply->seen_lsn = item->changed_lsn;
    struct stock_item_settings wanted = merged(&item->settings, settings, mask);
    enum stock_field field = settings_invalid_field(&wanted);
    if (field != STOCK_FIELD_NONE)
        return invalid(reply, blamed(field, mask));
    if (!stock_covers(wanted.stock, item))
        return STOCK_INSUFFICIENT;
    if (settings_equal(&item->settings, &wanted))
        return STOCK_OK;
    set_item(record, STOCK_RECORD_ITEM_UPDATED, now_ms, &wanted, slot);
    reply->available = wanted.stock == STOCK_UNLIMITED
                           ? STOCK_UNLIMITED
                           : wanted.stock - (int64_t)(item->held + item->sold);
    return STOCK_OK;
}

void stock_decide_item_update(const struct stock *stock, const struct stock_item_settings *settings,
                              uint32_t update_mask, uint64_t now_ms, struct stock_reply *reply_out,
                              struct stock_record *record_out)
{
    hf_assert((update_mask & ~(uint32_t)STOCK_UPDATE_ALL) == 0);
    start(now_ms, reply_out, record_out);
    reply_out->code =
        (uint8_t)decide_update(stock, settings, update_mask, now_ms, reply_out, record_out);
}
