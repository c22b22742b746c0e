#ifndef HF_STOCK_STATE_H
#define HF_STOCK_STATE_H
/* Private to the room: what the state is made of, and how things are found in it.
 *
 *     item index ------------> items          (in order of creation, never removed)
 *     reservation index -----> reservations   (one cache line each)
 *     buyer index -----------> buyers         (what one buyer has of one item, while there is any)
 *     timer: the slot of a reservation -> when it expires (held) or is forgotten (ended)
 *
 * A live reservation costs 64 bytes, 6 of index and 16 of timer; a buyer 24 and 6 of index. */

#include "stock/index.h"
#include "stock/slab.h"
#include "stock/stock.h"

#include "base/checksum.h"
#include "timer/timer.h"

struct item {
    /* what every decision reads: the first cache line */
    _Alignas(64) uint64_t held;
    uint64_t sold;
    uint64_t next_sequence;
    uint64_t changed_lsn;
    uint64_t created_ms;
    struct stock_item_settings settings;
};
_Static_assert(sizeof(struct item) == 192, "three cache lines");

struct reservation {
    uint32_t item_slot;
    uint32_t buyer_slot; /* while held or confirmed and not anonymous, else STOCK_SLOT_NONE */
    struct id128 id;
    uint64_t buyer_id;
    uint64_t user_data;
    uint64_t created_ms : 44;
    uint64_t quantity : 20;
    uint64_t expires_ms : 44;
    uint64_t quantity_confirmed : 20;
    uint64_t sequence : 61;
    uint64_t state : 3; /* enum stock_state; NONE in a free slot */
};
_Static_assert(sizeof(struct reservation) == 64, "one cache line");
_Static_assert(STOCK_QUANTITY_MAX < 1 << 20, "quantities fit their 20 bits");
_Static_assert(STOCK_TIME_MS_MAX + STOCK_HOLD_MS_MAX < 1ull << 44, "times fit their 44 bits");

struct buyer {
    uint32_t item_slot;
    uint32_t open_holds;
    uint64_t buyer_id; /* 0 in a free slot */
    uint32_t units_held;
    uint32_t units_sold;
};
_Static_assert(sizeof(struct buyer) == 24, "the memory of a sale with a million buyers");

/* The most that one buyer can have of one item: what a limit can name, and what a counter holds. */
#define BUYER_UNITS_MAX UINT32_MAX

struct stock {
    struct stock_options options;
    struct slab items;
    struct slab reservations;
    struct slab buyers;
    struct index item_index;
    struct index reservation_index;
    struct index buyer_index;
    struct timer *timer;
    struct stock_counts counts; /* items and buyers are the slabs' to tell */
    uint64_t time_ms;
    uint64_t changed_lsn; /* of the last record committed, whatever its item */
};

static inline struct item *item_at(const struct stock *stock, uint32_t slot)
{
    return slab_at(&stock->items, slot);
}

static inline struct reservation *reservation_at(const struct stock *stock, uint32_t slot)
{
    return slab_at(&stock->reservations, slot);
}

static inline struct buyer *buyer_at(const struct stock *stock, uint32_t slot)
{
    return slab_at(&stock->buyers, slot);
}

static inline int64_t item_available(const struct item *item)
{
    if (item->settings.stock == STOCK_UNLIMITED)
        return STOCK_UNLIMITED;
    return item->settings.stock - (int64_t)(item->held + item->sold);
}

uint64_t item_hash(const struct stock *stock, uint64_t item_id);
uint64_t reservation_hash(const struct stock *stock, uint64_t item_id, struct id128 id);
uint64_t buyer_hash(const struct stock *stock, uint64_t item_id, uint64_t buyer_id);

/* The same of the key in a slot, for index_remove(); `context` is the stock. */
uint64_t reservation_slot_hash(const void *context, uint32_t slot);
uint64_t buyer_slot_hash(const void *context, uint32_t slot);

/* The slot, or STOCK_SLOT_NONE. */
uint32_t item_find(const struct stock *stock, uint64_t item_id, uint64_t hash);
uint32_t reservation_find(const struct stock *stock, uint32_t item_slot, struct id128 id,
                          uint64_t hash);
uint32_t buyer_find(const struct stock *stock, uint32_t item_slot, uint64_t buyer_id,
                    uint64_t hash);

/* The first setting that is out of range by itself, or against the others. */
enum stock_field settings_invalid_field(const struct stock_item_settings *settings);

/* The SKUs are equal. */
bool settings_same_sku(const struct stock_item_settings *a, const struct stock_item_settings *b);

/* All settings of one item are equal. */
bool settings_equal(const struct stock_item_settings *a, const struct stock_item_settings *b);

#endif
