#include "stock/entry.h"
#include "stock/state.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

/* The hash of the state: of facts only. Slots, table order, the hash key, LSNs and what waits for
 * being forgotten differ from one run to the next and are left out. Each kind of entry has a seed
 * of its own, so that no entry can stand for another. */

enum { SEED_ITEM = 1, SEED_RESERVATION = 2, SEED_BUYER = 3 };

struct fact {
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    size_t length;
};

static void put(struct fact *fact, uint64_t value)
{
    bytes_put_u64(fact->bytes + fact->length, value);
    fact->length += sizeof value;
}

static uint64_t fact_hash(const struct fact *fact, uint64_t seed)
{
    return checksum64(fact->bytes, fact->length, seed);
}

static uint64_t hash_item(const struct stock_item_entry *item)
{
    const struct stock_item_settings *settings = &item->settings;
    struct fact fact;
    fact.length = 0;
    put(&fact, settings->item_id);
    put(&fact, (uint64_t)settings->stock);
    put(&fact, settings->buyer_limit);
    put(&fact, settings->hold_cap);
    put(&fact, settings->hold_ms);
    put(&fact, settings->opens_at_ms);
    put(&fact, settings->closes_at_ms);
    put(&fact, settings->paused);
    put(&fact, item->held);
    put(&fact, item->sold);
    put(&fact, item->next_sequence);
    put(&fact, item->created_ms);
    put(&fact, settings->sku_bytes);
    memcpy(fact.bytes + fact.length, settings->sku, settings->sku_bytes);
    fact.length += settings->sku_bytes;
    return fact_hash(&fact, SEED_ITEM);
}

static uint64_t hash_reservation(const struct stock_reservation_entry *reservation)
{
    const struct stock_hold_event *hold = &reservation->hold;
    struct fact fact;
    fact.length = 0;
    put(&fact, hold->item_id);
    put(&fact, hold->reservation_id.high);
    put(&fact, hold->reservation_id.low);
    put(&fact, hold->buyer_id);
    put(&fact, hold->user_data);
    put(&fact, hold->quantity);
    put(&fact, hold->quantity_confirmed);
    put(&fact, reservation->state);
    put(&fact, hold->sequence);
    put(&fact, reservation->created_ms);
    put(&fact, hold->expires_ms);
    return fact_hash(&fact, SEED_RESERVATION);
}

static uint64_t hash_buyer(const struct stock_buyer_entry *buyer)
{
    struct fact fact;
    fact.length = 0;
    put(&fact, buyer->item_id);
    put(&fact, buyer->buyer_id);
    put(&fact, buyer->units_held);
    put(&fact, buyer->units_sold);
    put(&fact, buyer->open_holds);
    return fact_hash(&fact, SEED_BUYER);
}

uint64_t stock_entry_hash(const struct stock_entry *entry)
{
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        return hash_item(&entry->item);
    case STOCK_ENTRY_BUYER:
        return hash_buyer(&entry->buyer);
    default:
        hf_assert(entry->type == STOCK_ENTRY_RESERVATION);
        return hash_reservation(&entry->reservation);
    }
}

uint64_t stock_hash(const struct stock *stock)
{
    uint64_t sum = 0;
    struct stock_entry entry;
    for (uint32_t slot = 0; slot < stock->items.used_count; slot++) {
        item_entry(stock, slot, &entry);
        sum += stock_entry_hash(&entry);
    }
    for (uint32_t slot = 0; slot < stock->reservations.touched_count; slot++) {
        if (reservation_at(stock, slot)->state == STOCK_STATE_NONE)
            continue;
        reservation_entry(stock, slot, &entry);
        sum += stock_entry_hash(&entry);
    }
    for (uint32_t slot = 0; slot < stock->buyers.touched_count; slot++) {
        if (buyer_at(stock, slot)->buyer_id == 0)
            continue;
        buyer_entry(stock, slot, &entry);
        sum += stock_entry_hash(&entry);
    }
    return sum;
}
