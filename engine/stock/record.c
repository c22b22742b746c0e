#include "stock/layout.h"

#include "stock/stock.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

/* The bytes of records. All integers little-endian, all gaps zero.
 *
 * An event of a hold, 80 bytes:
 *      0  u16  length      2  u8  type      3  u8  zero      4  u32  quantity
 *      8  u64  time_ms
 *     16  u64  item id
 *     24  u64  reservation id high         32  u64  reservation id low
 *     40  u64  buyer id
 *     48  u64  sequence
 *     56  u64  expires_ms
 *     64  u64  user_data
 *     72  u32  quantity confirmed          76  u32  zero
 *
 * An item's settings, 64 bytes and the SKU, filled up with zeros to a multiple of 8:
 *      0  u16  length      2  u8  type      3  u8  flags: 1 = paused
 *      4  u8   SKU bytes   5  3 zeros
 *      8  u64  time_ms
 *     16  u64  item id
 *     24  i64  stock, -1 = unlimited
 *     32  u32  buyer limit                 36  u32  hold cap
 *     40  u64  hold_ms
 *     48  u64  opens_at_ms                 56  u64  closes_at_ms
 *     64       SKU
 */

enum { ITEM_FLAG_PAUSED = 1 };

static bool type_is_item(int type)
{
    return type == STOCK_RECORD_ITEM_CREATED || type == STOCK_RECORD_ITEM_UPDATED;
}

static bool type_is_hold(int type)
{
    return type >= STOCK_RECORD_HELD && type <= STOCK_RECORD_FORGOTTEN;
}

uint32_t layout_item_bytes(uint32_t sku_at, uint32_t sku_bytes)
{
    return sku_at + (sku_bytes + 7) / 8 * 8;
}

void layout_put_item(const struct stock_item_settings *item, uint32_t sku_at, uint8_t *to)
{
    hf_assert(item->sku_bytes <= STOCK_SKU_BYTES_MAX);
    to[3] = item->paused ? ITEM_FLAG_PAUSED : 0;
    bytes_put_u32(to + 4, item->sku_bytes); /* one byte and three zeros */
    bytes_put_u64(to + 16, item->item_id);
    bytes_put_u64(to + 24, (uint64_t)item->stock);
    bytes_put_u32(to + 32, item->buyer_limit);
    bytes_put_u32(to + 36, item->hold_cap);
    bytes_put_u64(to + 40, item->hold_ms);
    bytes_put_u64(to + 48, item->opens_at_ms);
    bytes_put_u64(to + 56, item->closes_at_ms);
    memset(to + sku_at, 0, layout_item_bytes(sku_at, item->sku_bytes) - sku_at);
    memcpy(to + sku_at, item->sku, item->sku_bytes);
}

void layout_put_hold(const struct stock_hold_event *hold, uint8_t *to)
{
    bytes_put_u32(to + 4, hold->quantity);
    bytes_put_u64(to + 16, hold->item_id);
    bytes_put_u64(to + 24, hold->reservation_id.high);
    bytes_put_u64(to + 32, hold->reservation_id.low);
    bytes_put_u64(to + 40, hold->buyer_id);
    bytes_put_u64(to + 48, hold->sequence);
    bytes_put_u64(to + 56, hold->expires_ms);
    bytes_put_u64(to + 64, hold->user_data);
    bytes_put_u32(to + 72, hold->quantity_confirmed);
    bytes_put_u32(to + 76, 0);
}

static uint32_t item_encode(const struct stock_item_settings *item, uint8_t *to)
{
    layout_put_item(item, LAYOUT_ITEM_BYTES_MIN, to);
    return layout_item_bytes(LAYOUT_ITEM_BYTES_MIN, item->sku_bytes);
}

static uint32_t hold_encode(const struct stock_hold_event *hold, uint8_t *to)
{
    layout_put_hold(hold, to);
    to[3] = 0;
    return LAYOUT_HOLD_BYTES;
}

bool stock_record_is_of_item(const struct stock_record *record)
{
    return type_is_item(record->type);
}

uint64_t stock_record_item_id(const struct stock_record *record)
{
    return stock_record_is_of_item(record) ? record->item.item_id : record->hold.item_id;
}

uint32_t stock_record_encode(const struct stock_record *record, uint8_t *to)
{
    hf_assert(type_is_item(record->type) || type_is_hold(record->type));
    uint32_t record_bytes = type_is_item(record->type) ? item_encode(&record->item, to)
                                                       : hold_encode(&record->hold, to);
    bytes_put_u16(to, (uint16_t)record_bytes);
    to[2] = record->type;
    bytes_put_u64(to + 8, record->time_ms);
    return record_bytes;
}

static bool is_zero(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

const char *layout_get_item(const uint8_t *from, uint32_t from_bytes, uint32_t sku_at,
                            struct stock_item_settings *item)
{
    if (from_bytes < sku_at)
        return "item is too short";
    uint32_t sku_bytes = from[4];
    if (sku_bytes > STOCK_SKU_BYTES_MAX)
        return "SKU is too long";
    if (from_bytes != layout_item_bytes(sku_at, sku_bytes))
        return "item has the wrong length";
    if ((from[3] & ~ITEM_FLAG_PAUSED) != 0)
        return "item has unknown flags";
    uint32_t sku_end = sku_at + sku_bytes;
    if (!is_zero(from + 5, 3) || !is_zero(from + sku_end, from_bytes - sku_end))
        return "item has bytes set that must be zero";
    memset(item, 0, sizeof *item);
    item->paused = from[3] == ITEM_FLAG_PAUSED;
    item->sku_bytes = (uint8_t)sku_bytes;
    item->item_id = bytes_get_u64(from + 16);
    item->stock = (int64_t)bytes_get_u64(from + 24);
    item->buyer_limit = bytes_get_u32(from + 32);
    item->hold_cap = bytes_get_u32(from + 36);
    item->hold_ms = bytes_get_u64(from + 40);
    item->opens_at_ms = bytes_get_u64(from + 48);
    item->closes_at_ms = bytes_get_u64(from + 56);
    memcpy(item->sku, from + sku_at, sku_bytes);
    return NULL;
}

const char *layout_get_hold(const uint8_t *from, struct stock_hold_event *hold)
{
    if (bytes_get_u32(from + 76) != 0)
        return "hold has bytes set that must be zero";
    hold->quantity = bytes_get_u32(from + 4);
    hold->item_id = bytes_get_u64(from + 16);
    hold->reservation_id.high = bytes_get_u64(from + 24);
    hold->reservation_id.low = bytes_get_u64(from + 32);
    hold->buyer_id = bytes_get_u64(from + 40);
    hold->sequence = bytes_get_u64(from + 48);
    hold->expires_ms = bytes_get_u64(from + 56);
    hold->user_data = bytes_get_u64(from + 64);
    hold->quantity_confirmed = bytes_get_u32(from + 72);
    return NULL;
}

static const char *hold_decode(const uint8_t *from, uint32_t from_bytes,
                               struct stock_hold_event *hold)
{
    if (from_bytes != LAYOUT_HOLD_BYTES)
        return "hold record has the wrong length";
    if (from[3] != 0)
        return "hold has bytes set that must be zero";
    return layout_get_hold(from, hold);
}

const char *stock_record_decode(const uint8_t *from, uint32_t from_bytes,
                                struct stock_record *record_out)
{
    if (from_bytes < LAYOUT_HEADER_BYTES)
        return "record is too short";
    if (bytes_get_u16(from) != from_bytes)
        return "record has another length than it says";
    record_out->type = from[2];
    record_out->time_ms = bytes_get_u64(from + 8);
    record_out->lsn = 0;
    record_out->item_slot = STOCK_SLOT_NONE;
    record_out->reservation_slot = STOCK_SLOT_NONE;
    record_out->buyer_slot = STOCK_SLOT_NONE;
    record_out->buyer_hash = 0;
    record_out->reservation_hash = 0;
    if (record_out->time_ms > STOCK_TIME_MS_MAX)
        return "time is out of range";
    if (type_is_item(record_out->type))
        return layout_get_item(from, from_bytes, LAYOUT_ITEM_BYTES_MIN, &record_out->item);
    if (type_is_hold(record_out->type))
        return hold_decode(from, from_bytes, &record_out->hold);
    return "unknown type of record";
}

const char *stock_record_type_name(int type)
{
    switch (type) {
    case STOCK_RECORD_NONE:
        return "NONE";
    case STOCK_RECORD_ITEM_CREATED:
        return "ITEM_CREATED";
    case STOCK_RECORD_ITEM_UPDATED:
        return "ITEM_UPDATED";
    case STOCK_RECORD_HELD:
        return "HELD";
    case STOCK_RECORD_CONFIRMED:
        return "CONFIRMED";
    case STOCK_RECORD_CANCELLED:
        return "CANCELLED";
    case STOCK_RECORD_EXTENDED:
        return "EXTENDED";
    case STOCK_RECORD_EXPIRED:
        return "EXPIRED";
    case STOCK_RECORD_FORGOTTEN:
        return "FORGOTTEN";
    default:
        return "?";
    }
}
