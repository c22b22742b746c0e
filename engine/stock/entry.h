#ifndef HF_STOCK_ENTRY_H
#define HF_STOCK_ENTRY_H
/* Entries: what a snapshot is made of. Each tells of one item, of one reservation, or of what one
 * buyer has of one item, as it was at the moment to which the snapshot belongs. Their bytes are
 * framed like records: the first two hold the length, the third the type. docs/log-format.md has
 * the layouts in prose. */

#include "stock/record.h"

/* Encoded; every entry is a multiple of 8 bytes long. */
enum {
    STOCK_ENTRY_BYTES_MAX = 152, /* an item with the longest SKU */
    STOCK_BUYER_ENTRY_BYTES = 32,
    STOCK_RESERVATION_ENTRY_BYTES = 88,
};

/* On disk as one byte; numbers never change, and none is that of a record. */
enum stock_entry_type {
    STOCK_ENTRY_ITEM = 16,
    STOCK_ENTRY_BUYER = 17,
    STOCK_ENTRY_RESERVATION = 18,
};

struct stock_item_entry {
    struct stock_item_settings settings;
    uint64_t created_ms;
    uint64_t held;
    uint64_t sold;
    uint64_t next_sequence;
};

/* Only for a buyer who has units of the item, held or sold. */
struct stock_buyer_entry {
    uint64_t item_id;
    uint64_t buyer_id; /* not 0 */
    uint32_t units_held;
    uint32_t units_sold;
    uint32_t open_holds;
};

struct stock_reservation_entry {
    struct stock_hold_event hold; /* what it is now */
    uint64_t created_ms;
    uint64_t set_ms; /* of a held one: when its deadline was set; else: when it ended */
    uint8_t state;   /* enum stock_state */
};

struct stock_entry {
    uint8_t type; /* enum stock_entry_type */
    union {
        struct stock_item_entry item;
        struct stock_buyer_entry buyer;
        struct stock_reservation_entry reservation;
    };
};

/* Writes the entry at `to` (room for STOCK_ENTRY_BYTES_MAX) and returns its length. */
uint32_t stock_entry_encode(const struct stock_entry *entry, uint8_t *to);

/* Reads one entry. Returns NULL, or what is wrong with the bytes (static text): they come from disk
 * and are checked, never asserted. What the values say is not looked at. */
const char *stock_entry_decode(const uint8_t *from, uint32_t from_bytes,
                               struct stock_entry *entry_out);

/* What this entry adds to the hash of the state that it is part of. */
uint64_t stock_entry_hash(const struct stock_entry *entry);

#endif
