#include "stock/entry.h"

#include "stock/layout.h"

#include "base/assert.h"
#include "base/bytes.h"

/* The bytes of entries. All integers little-endian, all gaps zero.
 *
 * An item, 88 bytes and the SKU: as in a record up to byte 63, with the time of its creation as the
 * record's time, then
 *     64  u64  units held
 *     72  u64  units sold
 *     80  u64  next sequence
 *     88       SKU, filled up with zeros to a multiple of 8
 *
 * What a buyer has of an item, 32 bytes:
 *      0  u16  length      2  u8  type      3  u8  zero      4  u32  open holds
 *      8  u64  item id
 *     16  u64  buyer id
 *     24  u32  units held                  28  u32  units sold
 *
 * A reservation, 88 bytes: as the event of a hold up to byte 79, with the time of its creation as
 * the record's time and the state in byte 3, then 80  u64  the time at which its deadline was set,
 * or at which it ended
 */

enum { ITEM_SKU_AT = LAYOUT_ITEM_BYTES_MIN + 24 };
_Static_assert(ITEM_SKU_AT == 88, "an item is as drawn above");
_Static_assert(ITEM_SKU_AT + STOCK_SKU_BYTES_MAX == STOCK_ENTRY_BYTES_MAX, "the longest entry");
_Static_assert(STOCK_BUYER_ENTRY_BYTES == 32, "a buyer is as drawn above");
_Static_assert(STOCK_RESERVATION_ENTRY_BYTES == LAYOUT_HOLD_BYTES + 8, "a hold and a time");
_Static_assert(ITEM_SKU_AT + STOCK_SKU_BYTES_MAX <= STOCK_RECORD_BYTES_MAX, "framed like records");

static uint32_t item_encode(const struct stock_item_entry *item, uint8_t *to)
{
    layout_put_item(&item->settings, ITEM_SKU_AT, to);
    bytes_put_u64(to + 8, item->created_ms);
    bytes_put_u64(to + 64, item->held);
    bytes_put_u64(to + 72, item->sold);
    bytes_put_u64(to + 80, item->next_sequence);
    return layout_item_bytes(ITEM_SKU_AT, item->settings.sku_bytes);
}

static uint32_t buyer_encode(const struct stock_buyer_entry *buyer, uint8_t *to)
{
    to[3] = 0;
    bytes_put_u32(to + 4, buyer->open_holds);
    bytes_put_u64(to + 8, buyer->item_id);
    bytes_put_u64(to + 16, buyer->buyer_id);
    bytes_put_u32(to + 24, buyer->units_held);
    bytes_put_u32(to + 28, buyer->units_sold);
    return STOCK_BUYER_ENTRY_BYTES;
}

static uint32_t reservation_encode(const struct stock_reservation_entry *reservation, uint8_t *to)
{
    layout_put_hold(&reservation->hold, to);
    to[3] = reservation->state;
    bytes_put_u64(to + 8, reservation->created_ms);
    bytes_put_u64(to + 80, reservation->set_ms);
    return STOCK_RESERVATION_ENTRY_BYTES;
}

static uint32_t fields_encode(const struct stock_entry *entry, uint8_t *to)
{
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        return item_encode(&entry->item, to);
    case STOCK_ENTRY_BUYER:
        return buyer_encode(&entry->buyer, to);
    default:
        hf_assert(entry->type == STOCK_ENTRY_RESERVATION);
        return reservation_encode(&entry->reservation, to);
    }
}

uint32_t stock_entry_encode(const struct stock_entry *entry, uint8_t *to)
{
    uint32_t entry_bytes = fields_encode(entry, to);
    bytes_put_u16(to, (uint16_t)entry_bytes);
    to[2] = entry->type;
    return entry_bytes;
}

static const char *item_decode(const uint8_t *from, uint32_t from_bytes,
                               struct stock_item_entry *item)
{
    const char *problem = layout_get_item(from, from_bytes, ITEM_SKU_AT, &item->settings);
    if (problem != NULL)
        return problem;
    item->created_ms = bytes_get_u64(from + 8);
    item->held = bytes_get_u64(from + 64);
    item->sold = bytes_get_u64(from + 72);
    item->next_sequence = bytes_get_u64(from + 80);
    return NULL;
}

static const char *buyer_decode(const uint8_t *from, uint32_t from_bytes,
                                struct stock_buyer_entry *buyer)
{
    if (from_bytes != STOCK_BUYER_ENTRY_BYTES)
        return "buyer has the wrong length";
    if (from[3] != 0)
        return "buyer has bytes set that must be zero";
    buyer->open_holds = bytes_get_u32(from + 4);
    buyer->item_id = bytes_get_u64(from + 8);
    buyer->buyer_id = bytes_get_u64(from + 16);
    buyer->units_held = bytes_get_u32(from + 24);
    buyer->units_sold = bytes_get_u32(from + 28);
    return NULL;
}

static const char *reservation_decode(const uint8_t *from, uint32_t from_bytes,
                                      struct stock_reservation_entry *reservation)
{
    if (from_bytes != STOCK_RESERVATION_ENTRY_BYTES)
        return "reservation has the wrong length";
    reservation->state = from[3];
    reservation->created_ms = bytes_get_u64(from + 8);
    reservation->set_ms = bytes_get_u64(from + 80);
    return layout_get_hold(from, &reservation->hold);
}

const char *stock_entry_decode(const uint8_t *from, uint32_t from_bytes,
                               struct stock_entry *entry_out)
{
    if (from_bytes < LAYOUT_HEADER_BYTES)
        return "entry is too short";
    if (bytes_get_u16(from) != from_bytes)
        return "entry has another length than it says";
    entry_out->type = from[2];
    switch (entry_out->type) {
    case STOCK_ENTRY_ITEM:
        return item_decode(from, from_bytes, &entry_out->item);
    case STOCK_ENTRY_BUYER:
        return buyer_decode(from, from_bytes, &entry_out->buyer);
    case STOCK_ENTRY_RESERVATION:
        return reservation_decode(from, from_bytes, &entry_out->reservation);
    default:
        return "unknown type of entry";
    }
}
