#ifndef HF_STOCK_LAYOUT_H
#define HF_STOCK_LAYOUT_H
/* Private to the room: the bytes that records and entries have in common (record.c draws them).
 * Length, type and time are not among them, nor is byte 3 of a hold. */

#include "stock/record.h"

#include "base/bytes.h"

enum {
    LAYOUT_HEADER_BYTES = 16, /* length, type, time */
    LAYOUT_HOLD_BYTES = 80,
    LAYOUT_ITEM_BYTES_MIN = 64, /* what may stand between this and the SKU is the caller's */
};
_Static_assert(LAYOUT_HOLD_BYTES % 8 == 0, "everything is a multiple of 8 bytes long");
_Static_assert(LAYOUT_ITEM_BYTES_MIN + STOCK_SKU_BYTES_MAX <= STOCK_RECORD_BYTES_MAX, "items fit");

/* The length of the record or entry that stands first in these bytes; 0 when none does. */
static inline uint32_t layout_first_bytes(const uint8_t *from, uint32_t from_bytes)
{
    uint32_t first_bytes = from_bytes < LAYOUT_HEADER_BYTES ? 0 : bytes_get_u16(from);
    return first_bytes <= from_bytes ? first_bytes : 0;
}

void layout_put_hold(const struct stock_hold_event *hold, uint8_t *to);

/* `from` has LAYOUT_HOLD_BYTES at least. Returns NULL, or what is wrong with the bytes. */
const char *layout_get_hold(const uint8_t *from, struct stock_hold_event *hold_out);

/* The length of an item whose SKU stands at this offset. */
uint32_t layout_item_bytes(uint32_t sku_at, uint32_t sku_bytes);

void layout_put_item(const struct stock_item_settings *item, uint32_t sku_at, uint8_t *to);
const char *layout_get_item(const uint8_t *from, uint32_t from_bytes, uint32_t sku_at,
                            struct stock_item_settings *item_out);

#endif
