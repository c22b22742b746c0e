#ifndef HF_STOCK_STATE_H
#define HF_STOCK_STATE_H
/* Private to the room: what the state is made of, and how things are found in it.
 *
 *     item index ------------> items          (in order of creation, never removed)
 *     reservation index -----> reservations   (one cache line each)
 *     buyer index -----------> buyers         (what one buyer has of one item, while there is any)
 *     timer: the slot of a reservation -> when it expires (held) or is forgotten (ended)
 *
 * A live reservation costs 64 bytes, 8 of index and 16 of timer; a buyer 24 and 8 of index. Saving
 * costs one bit of each slot. */

#include "stock/index.h"
#include "stock/load.h"
#include "stock/save.h"
#include "stock/slab.h"
#include "stock/stock.h"

#include "base/checksum.h"
#include "timer/timer.h"

struct item {
    /* what every decision reads is in the first cache line; a new hold reads the second as well */
    _Alignas(64) uint64_t held;
    uint64_t sold;
    uint64_t next_sequence;
    uint64_t changed_lsn;
    uint64_t created_ms;
    struct stock_item_settings settings;
};
_Static_assert(sizeof(struct item) == 192, "three cache lines");
_Static_assert(offsetof(struct item, settings.hold_ms) == 64, "where the second one begins");

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

/* The tables, in the order in which they are saved. */
enum table { TABLE_ITEMS, TABLE_BUYERS, TABLE_RESERVATIONS, TABLE_COUNT };

/* How far a save has come (save.c). */
struct save {
    struct stock_page *page; /* NULL: none is on */
    enum table table;        /* the one that is being passed; TABLE_COUNT: everything is written */
    uint32_t cursor;         /* the next slot of it */
    uint32_t ends[TABLE_COUNT];     /* slots from here on were not used yet when the save began */
    uint64_t *written[TABLE_COUNT]; /* bits of slots that were done ahead of their turn */
    struct stock_saved saved;
};

/* What is known of the snapshot that is being loaded (load.c). */
struct load {
    bool is_on;
    bool is_in_snapshot;
    struct stock_wanted wanted;
    struct stock_saved found; /* so far, wanted or not */
    uint32_t first_item;      /* slot of the first item of this snapshot; later ones are its own */
    /* What its items and buyers say of themselves, in the order in which they came. */
    struct item_claim *item_claims;
    struct buyer_claim *buyer_claims;
    uint32_t buyer_claim_count;
};

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
    struct save save;
    struct load load;
};

static inline struct item *item_at(const struct stock *stock, uint32_t slot)
{
    return (struct item *)stock->items.memory + slot;
}

static inline struct reservation *reservation_at(const struct stock *stock, uint32_t slot)
{
    return (struct reservation *)stock->reservations.memory + slot;
}

static inline struct buyer *buyer_at(const struct stock *stock, uint32_t slot)
{
    return (struct buyer *)stock->buyers.memory + slot;
}

static inline int64_t item_available(const struct item *item)
{
    if (item->settings.stock == STOCK_UNLIMITED)
        return STOCK_UNLIMITED;
    return item->settings.stock - (int64_t)(item->held + item->sold);
}

static inline bool wanted_takes(struct stock_wanted wanted, uint64_t item_id)
{
    return wanted.is_wanted == NULL || wanted.is_wanted(wanted.context, item_id);
}

/* Where reservations that have ended in this state are counted. */
uint64_t *count_of_ended(struct stock *stock, uint8_t state);

uint64_t item_hash(const struct stock *stock, uint64_t item_id);
uint64_t reservation_hash(const struct stock *stock, uint64_t item_id, struct id128 id);
uint64_t buyer_hash(const struct stock *stock, uint64_t item_id, uint64_t buyer_id);

/* Fills in the record's hashes of reservation and buyer, and returns its item's. */
uint64_t record_hash_keys(const struct stock *stock, struct stock_record *record);

/* stock_check() for a record that has them. */
const char *check_hashed(const struct stock *stock, struct stock_record *record,
                         uint64_t item_hash);

/* The same of the key in a slot, for index_remove(); `context` is the stock. */
uint64_t reservation_slot_hash(const void *context, uint32_t slot);
uint64_t buyer_slot_hash(const void *context, uint32_t slot);

/* ---- the slot of a key, or STOCK_SLOT_NONE; here, because each row asks for three ---- */

static inline uint32_t item_find(const struct stock *stock, uint64_t item_id, uint64_t hash)
{
    struct index_search search = index_search_begin(&stock->item_index, hash);
    uint32_t slot;
    while ((slot = index_search_next(&stock->item_index, &search)) != INDEX_SLOT_NONE) {
        if (item_at(stock, slot)->settings.item_id == item_id)
            return slot;
    }
    return STOCK_SLOT_NONE;
}

static inline uint32_t reservation_find(const struct stock *stock, uint32_t item_slot,
                                        struct id128 id, uint64_t hash)
{
    struct index_search search = index_search_begin(&stock->reservation_index, hash);
    uint32_t slot;
    while ((slot = index_search_next(&stock->reservation_index, &search)) != INDEX_SLOT_NONE) {
        const struct reservation *reservation = reservation_at(stock, slot);
        if (id128_equal(reservation->id, id) && reservation->item_slot == item_slot)
            return slot;
    }
    return STOCK_SLOT_NONE;
}

static inline uint32_t buyer_find(const struct stock *stock, uint32_t item_slot, uint64_t buyer_id,
                                  uint64_t hash)
{
    struct index_search search = index_search_begin(&stock->buyer_index, hash);
    uint32_t slot;
    while ((slot = index_search_next(&stock->buyer_index, &search)) != INDEX_SLOT_NONE) {
        const struct buyer *buyer = buyer_at(stock, slot);
        if (buyer->buyer_id == buyer_id && buyer->item_slot == item_slot)
            return slot;
    }
    return STOCK_SLOT_NONE;
}

/* ---- what is in a slot ---- */

/* As an entry. */
void item_entry(const struct stock *stock, uint32_t slot, struct stock_entry *entry_out);
void buyer_entry(const struct stock *stock, uint32_t slot, struct stock_entry *entry_out);
void reservation_entry(const struct stock *stock, uint32_t slot, struct stock_entry *entry_out);

/* Returns 0, or -1 when memory is refused. */
int save_init(struct stock *stock);
void save_deinit(struct stock *stock);

/* While a save is on: writes what this record is about to change, unless it is written. */
void save_ahead(struct stock *stock, const struct stock_record *record);

/* Asserts that no save has left anything behind. */
void save_assert_valid(const struct stock *stock);

/* Gives back what the loading of a snapshot has taken. */
void load_deinit(struct stock *stock);

/* The first setting that is out of range by itself, or against the others. */
enum stock_field settings_invalid_field(const struct stock_item_settings *settings);

/* The SKUs are equal. */
bool settings_same_sku(const struct stock_item_settings *a, const struct stock_item_settings *b);

/* All settings of one item are equal. */
bool settings_equal(const struct stock_item_settings *a, const struct stock_item_settings *b);

#endif
