#include "stock/state.h"

#include "base/assert.h"
#include "base/memory.h"

/* Counts everything again, from the reservations up, and compares. */

struct tally {
    uint64_t *item_units_held;
    uint64_t *item_units_confirmed;
    uint64_t *buyer_units_held;
    uint64_t *buyer_units_confirmed;
    uint64_t *buyer_open_holds;
    struct stock_counts counts;
};

static uint64_t *counters(uint32_t count)
{
    uint64_t *memory = memory_map((size_t)count * sizeof *memory);
    hf_assert(memory != NULL);
    return memory;
}

static void tally_open(struct tally *tally, const struct stock *stock)
{
    *tally = (struct tally){
        .item_units_held = counters(stock->items.slot_count),
        .item_units_confirmed = counters(stock->items.slot_count),
        .buyer_units_held = counters(stock->buyers.slot_count),
        .buyer_units_confirmed = counters(stock->buyers.slot_count),
        .buyer_open_holds = counters(stock->buyers.slot_count),
    };
}

static void tally_close(struct tally *tally, const struct stock *stock)
{
    memory_unmap(tally->item_units_held, stock->items.slot_count * sizeof(uint64_t));
    memory_unmap(tally->item_units_confirmed, stock->items.slot_count * sizeof(uint64_t));
    memory_unmap(tally->buyer_units_held, stock->buyers.slot_count * sizeof(uint64_t));
    memory_unmap(tally->buyer_units_confirmed, stock->buyers.slot_count * sizeof(uint64_t));
    memory_unmap(tally->buyer_open_holds, stock->buyers.slot_count * sizeof(uint64_t));
}

static void check_buyer_link(const struct stock *stock, const struct reservation *reservation,
                             struct tally *tally)
{
    bool counted =
        reservation->state == STOCK_STATE_HELD || reservation->state == STOCK_STATE_CONFIRMED;
    if (reservation->buyer_id == 0 || !counted) {
        hf_assert(reservation->buyer_slot == STOCK_SLOT_NONE);
        return;
    }
    const struct buyer *buyer = buyer_at(stock, reservation->buyer_slot);
    hf_assert(buyer->buyer_id == reservation->buyer_id);
    hf_assert(buyer->item_slot == reservation->item_slot);
    if (reservation->state == STOCK_STATE_HELD) {
        tally->buyer_units_held[reservation->buyer_slot] += reservation->quantity;
        tally->buyer_open_holds[reservation->buyer_slot]++;
    } else {
        tally->buyer_units_confirmed[reservation->buyer_slot] += reservation->quantity_confirmed;
    }
}

static void check_state(const struct reservation *reservation, struct tally *tally)
{
    switch (reservation->state) {
    case STOCK_STATE_HELD:
        hf_assert(reservation->quantity_confirmed == 0);
        tally->counts.held++;
        tally->counts.units_held += reservation->quantity;
        tally->item_units_held[reservation->item_slot] += reservation->quantity;
        break;
    case STOCK_STATE_CONFIRMED:
        hf_assert(reservation->quantity_confirmed > 0);
        hf_assert(reservation->quantity_confirmed <= reservation->quantity);
        tally->counts.confirmed++;
        tally->item_units_confirmed[reservation->item_slot] += reservation->quantity_confirmed;
        break;
    case STOCK_STATE_CANCELLED:
        hf_assert(reservation->quantity_confirmed == 0);
        tally->counts.cancelled++;
        break;
    default:
        hf_assert(reservation->state == STOCK_STATE_EXPIRED);
        hf_assert(reservation->quantity_confirmed == 0);
        tally->counts.expired++;
        break;
    }
}

static void check_deadline(const struct stock *stock, const struct reservation *reservation,
                           uint32_t slot)
{
    uint64_t deadline_ms = timer_deadline_ms(stock->timer, slot);
    uint64_t made_ms = timer_made_ms(stock->timer, slot);
    hf_assert(made_ms >= reservation->created_ms);
    if (reservation->state == STOCK_STATE_HELD)
        hf_assert(deadline_ms == reservation->expires_ms);
    else
        hf_assert(deadline_ms == made_ms + stock->options.retention_ms);
}

static void check_reservations(const struct stock *stock, struct tally *tally)
{
    for (uint32_t slot = 0; slot < stock->reservations.touched_count; slot++) {
        const struct reservation *reservation = reservation_at(stock, slot);
        if (reservation->state == STOCK_STATE_NONE)
            continue;
        tally->counts.reservations++;
        hf_assert(reservation->item_slot < stock->items.used_count);
        hf_assert(reservation->quantity > 0);
        hf_assert(reservation->expires_ms > reservation->created_ms);
        hf_assert(reservation->sequence < item_at(stock, reservation->item_slot)->next_sequence);
        hf_assert(timer_is_set(stock->timer, slot));
        hf_assert(reservation_find(stock, reservation->item_slot, reservation->id,
                                   reservation_slot_hash(stock, slot)) == slot);
        check_deadline(stock, reservation, slot);
        check_state(reservation, tally);
        check_buyer_link(stock, reservation, tally);
    }
    hf_assert(tally->counts.reservations == stock->reservations.used_count);
    hf_assert(tally->counts.reservations == timer_count(stock->timer));
}

static void check_buyers(const struct stock *stock, const struct tally *tally)
{
    uint32_t found = 0;
    for (uint32_t slot = 0; slot < stock->buyers.touched_count; slot++) {
        const struct buyer *buyer = buyer_at(stock, slot);
        if (buyer->buyer_id == 0)
            continue;
        found++;
        hf_assert(buyer->units_held + buyer->units_sold > 0);
        hf_assert(buyer->units_held == tally->buyer_units_held[slot]);
        hf_assert(buyer->open_holds == tally->buyer_open_holds[slot]);
        hf_assert(buyer->units_sold >= tally->buyer_units_confirmed[slot]);
        hf_assert(buyer_find(stock, buyer->item_slot, buyer->buyer_id,
                             buyer_slot_hash(stock, slot)) == slot);
    }
    hf_assert(found == stock->buyers.used_count);
}

static void check_items(const struct stock *stock, struct tally *tally)
{
    for (uint32_t slot = 0; slot < stock->items.used_count; slot++) {
        const struct item *item = item_at(stock, slot);
        uint64_t item_id = item->settings.item_id;
        hf_assert(settings_invalid_field(&item->settings) == STOCK_FIELD_NONE);
        hf_assert(item_find(stock, item_id, item_hash(stock, item_id)) == slot);
        hf_assert(item->held == tally->item_units_held[slot]);
        hf_assert(item->sold >= tally->item_units_confirmed[slot]);
        hf_assert(item->settings.stock == STOCK_UNLIMITED || item_available(item) >= 0);
        tally->counts.units_sold += item->sold;
    }
}

static void check_counts(const struct stock *stock, const struct tally *tally)
{
    hf_assert(stock->counts.held == tally->counts.held);
    hf_assert(stock->counts.confirmed == tally->counts.confirmed);
    hf_assert(stock->counts.cancelled == tally->counts.cancelled);
    hf_assert(stock->counts.expired == tally->counts.expired);
    hf_assert(stock->counts.units_held == tally->counts.units_held);
    hf_assert(stock->counts.units_sold == tally->counts.units_sold);
}

void stock_assert_valid(const struct stock *stock)
{
    struct tally tally;
    tally_open(&tally, stock);
    check_reservations(stock, &tally);
    check_buyers(stock, &tally);
    check_items(stock, &tally);
    check_counts(stock, &tally);
    save_assert_valid(stock);
    tally_close(&tally, stock);
}
