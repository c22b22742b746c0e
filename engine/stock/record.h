#ifndef HF_STOCK_RECORD_H
#define HF_STOCK_RECORD_H
/* Records: the only thing that changes the state, and what the log holds. Each carries the outcome
 * of a decision and all that a consumer of events needs, so that it can be applied and understood
 * without the request that led to it. docs/log-format.md has the layouts in prose. */

#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    STOCK_SKU_BYTES_MAX = 64,
    STOCK_RECORD_BYTES_MAX = 256, /* encoded; every record is a multiple of 8 bytes long */
};

/* On disk as one byte; numbers never change. */
enum stock_record_type {
    STOCK_RECORD_NONE = 0,
    STOCK_RECORD_ITEM_CREATED = 1, /* the whole of the item's settings */
    STOCK_RECORD_ITEM_UPDATED = 2, /* the same, after the change */
    STOCK_RECORD_HELD = 3,
    STOCK_RECORD_CONFIRMED =
        4, /* `quantity` were held, `quantity_confirmed` are sold, the rest is back */
    STOCK_RECORD_CANCELLED = 5,
    STOCK_RECORD_EXTENDED = 6, /* `expires_ms` is the new one */
    STOCK_RECORD_EXPIRED = 7,
    STOCK_RECORD_FORGOTTEN = 8, /* ended long ago: its id may be used anew */
};

#define STOCK_UNLIMITED (-1)

/* What the seller sets. */
struct stock_item_settings {
    uint64_t item_id;
    int64_t stock;         /* units for sale in all, or STOCK_UNLIMITED */
    uint32_t buyer_limit;  /* units per buyer over the whole sale, unpaid ones included; 0 = none */
    uint32_t hold_cap;     /* open holds per buyer; 0 = none */
    uint64_t hold_ms;      /* hold time when the request names none */
    uint64_t opens_at_ms;  /* engine time; 0 = open from the start */
    uint64_t closes_at_ms; /* engine time; first moment at which it is closed; 0 = never */
    bool paused;
    uint8_t sku_bytes;
    char sku[STOCK_SKU_BYTES_MAX]; /* no terminator; any bytes but NUL */
};

/* What happened to a reservation. */
struct stock_hold_event {
    uint64_t item_id;
    struct id128 reservation_id;
    uint64_t buyer_id;
    uint64_t sequence; /* of the hold, in its item, from 1 */
    uint64_t expires_ms;
    uint64_t user_data;
    uint32_t quantity; /* units held */
    uint32_t quantity_confirmed;
};

struct stock_record {
    uint8_t type; /* enum stock_record_type */
    uint64_t time_ms;
    uint64_t lsn; /* set by whoever appends it; not encoded */
    union {
        struct stock_item_settings item;
        struct stock_hold_event hold;
    };
    /* Where decide() or check() found or will place things; hints for commit(), not encoded. */
    uint32_t item_slot;
    uint32_t reservation_slot;
    /* only of HELD */
    uint32_t buyer_slot; /* of a buyer who has units already */
    uint64_t buyer_hash;
    uint64_t reservation_hash;
};

/* Whether it is about an item (`item` is set); else it is an event of a hold (`hold` is). */
bool stock_record_is_of_item(const struct stock_record *record);

/* The item's id, of either kind. */
uint64_t stock_record_item_id(const struct stock_record *record);

/* Writes the record at `to` (room for STOCK_RECORD_BYTES_MAX) and returns its length, a multiple of
 * 8. The first two bytes hold that length, the third the type. */
uint32_t stock_record_encode(const struct stock_record *record, uint8_t *to);

/* Reads one record; lsn and hints are left as "none". Returns NULL, or what is wrong with the bytes
 * (static text): they come from disk and are checked, never asserted. */
const char *stock_record_decode(const uint8_t *from, uint32_t from_bytes,
                                struct stock_record *record_out);

/* "HELD"; "?" for a number that is no type. Static memory. */
const char *stock_record_type_name(int type);

#endif
