#include "stock/state.h"

#include "base/assert.h"

/* The only code that changes the state. A record that comes here was made by decide or passed
 * stock_check() in this very state, and brings the slots; whatever does not fit is a mistake of
 * the program. */

/* ---- what a buyer has ---- */

static uint32_t buyer_acquire(struct stock *stock, const struct stock_record *record)
{
    uint32_t slot = record->buyer_slot;
    if (slot == STOCK_SLOT_NONE) {
        slot = slab_take(&stock->buyers);
        *buyer_at(stock, slot) =
            (struct buyer){.item_slot = record->item_slot, .buyer_id = record->hold.buyer_id};
        index_insert(&stock->buyer_index, record->buyer_hash, slot);
    }
    hf_assert(buyer_at(stock, slot)->buyer_id == record->hold.buyer_id);
    hf_assert(buyer_at(stock, slot)->item_slot == record->item_slot);
    return slot;
}

static void buyer_release_if_empty(struct stock *stock, uint32_t slot)
{
    const struct buyer *buyer = buyer_at(stock, slot);
    if (buyer->open_holds != 0 || buyer->units_sold != 0)
        return;
    hf_assert(buyer->units_held == 0);
    index_remove(&stock->buyer_index, buyer_slot_hash(stock, slot), slot, buyer_slot_hash, stock);
    slab_release(&stock->buyers, slot);
}

static void buyer_hold_begins(struct stock *stock, struct reservation *reservation,
                              const struct stock_record *record)
{
    reservation->buyer_slot = STOCK_SLOT_NONE;
    if (reservation->buyer_id == 0)
        return;
    reservation->buyer_slot = buyer_acquire(stock, record);
    struct buyer *buyer = buyer_at(stock, reservation->buyer_slot);
    buyer->units_held += (uint32_t)reservation->quantity;
    buyer->open_holds++;
}

static void buyer_hold_ends(struct stock *stock, struct reservation *reservation,
                            uint32_t units_sold)
{
    if (reservation->buyer_slot == STOCK_SLOT_NONE)
        return;
    struct buyer *buyer = buyer_at(stock, reservation->buyer_slot);
    hf_assert(buyer->buyer_id == reservation->buyer_id);
    hf_assert(buyer->open_holds > 0);
    hf_assert(buyer->units_held >= reservation->quantity);
    buyer->units_held -= (uint32_t)reservation->quantity;
    buyer->units_sold += units_sold;
    buyer->open_holds--;
    buyer_release_if_empty(stock, reservation->buyer_slot);
    if (units_sold == 0)
        reservation->buyer_slot = STOCK_SLOT_NONE;
}

/* ---- reservations ---- */

uint64_t *count_of_ended(struct stock *stock, uint8_t state)
{
    switch (state) {
    case STOCK_STATE_CONFIRMED:
        return &stock->counts.confirmed;
    case STOCK_STATE_CANCELLED:
        return &stock->counts.cancelled;
    default:
        hf_assert(state == STOCK_STATE_EXPIRED);
        return &stock->counts.expired;
    }
}

static struct reservation *held_reservation(const struct stock *stock,
                                            const struct stock_record *record)
{
    struct reservation *reservation = reservation_at(stock, record->reservation_slot);
    hf_assert(id128_equal(reservation->id, record->hold.reservation_id));
    hf_assert(reservation->item_slot == record->item_slot);
    hf_assert(reservation->state == STOCK_STATE_HELD);
    return reservation;
}

static void commit_held(struct stock *stock, struct item *item, const struct stock_record *record)
{
    const struct stock_hold_event *event = &record->hold;
    hf_assert(event->sequence == item->next_sequence);
    hf_assert(item->settings.stock == STOCK_UNLIMITED || item_available(item) >= event->quantity);
    uint32_t slot = slab_take(&stock->reservations);
    hf_assert(slot == record->reservation_slot);
    struct reservation *reservation = reservation_at(stock, slot);
    *reservation = (struct reservation){
        .item_slot = record->item_slot,
        .id = event->reservation_id,
        .buyer_id = event->buyer_id,
        .user_data = event->user_data,
        .created_ms = record->time_ms,
        .quantity = event->quantity,
        .expires_ms = event->expires_ms,
        .sequence = event->sequence,
        .state = STOCK_STATE_HELD,
    };
    index_insert(&stock->reservation_index, record->reservation_hash, slot);
    buyer_hold_begins(stock, reservation, record);
    timer_insert(stock->timer, slot, event->expires_ms, event->expires_ms - record->time_ms);
    item->held += event->quantity;
    item->next_sequence++;
    stock->counts.held++;
    stock->counts.units_held += event->quantity;
}

/* The hold becomes a sale of `units_sold` units, or of none; the rest is free again. */
static void commit_ended(struct stock *stock, struct item *item, const struct stock_record *record,
                         enum stock_state state, uint32_t units_sold)
{
    struct reservation *reservation = held_reservation(stock, record);
    hf_assert(units_sold <= reservation->quantity);
    hf_assert(item->held >= reservation->quantity);
    item->held -= reservation->quantity;
    item->sold += units_sold;
    buyer_hold_ends(stock, reservation, units_sold);
    stock->counts.units_held -= reservation->quantity;
    stock->counts.units_sold += units_sold;
    stock->counts.held--;
    (*count_of_ended(stock, (uint8_t)state))++;
    reservation->state = state;
    reservation->quantity_confirmed = units_sold;
    timer_cancel(stock->timer, record->reservation_slot);
    timer_insert(stock->timer, record->reservation_slot,
                 record->time_ms + stock->options.retention_ms, stock->options.retention_ms);
}

static void commit_extended(struct stock *stock, const struct stock_record *record)
{
    struct reservation *reservation = held_reservation(stock, record);
    reservation->expires_ms = record->hold.expires_ms;
    timer_cancel(stock->timer, record->reservation_slot);
    timer_insert(stock->timer, record->reservation_slot, record->hold.expires_ms,
                 record->hold.expires_ms - record->time_ms);
}

static void commit_forgotten(struct stock *stock, const struct stock_record *record)
{
    uint32_t slot = record->reservation_slot;
    const struct reservation *reservation = reservation_at(stock, slot);
    hf_assert(id128_equal(reservation->id, record->hold.reservation_id));
    hf_assert(reservation->item_slot == record->item_slot);
    hf_assert(reservation->state != STOCK_STATE_HELD);
    (*count_of_ended(stock, (uint8_t)reservation->state))--;
    timer_cancel(stock->timer, slot);
    index_remove(&stock->reservation_index, reservation_slot_hash(stock, slot), slot,
                 reservation_slot_hash, stock);
    slab_release(&stock->reservations, slot);
}

/* ---- items ---- */

static void commit_item_created(struct stock *stock, const struct stock_record *record)
{
    uint32_t slot = slab_take(&stock->items);
    hf_assert(slot == record->item_slot);
    struct item *item = item_at(stock, slot);
    item->settings = record->item;
    item->created_ms = record->time_ms;
    item->next_sequence = 1;
    index_insert(&stock->item_index, item_hash(stock, record->item.item_id), slot);
}

static void commit_item_updated(struct item *item, const struct stock_record *record)
{
    hf_assert(item->settings.item_id == record->item.item_id);
    item->settings = record->item;
    hf_assert(item->settings.stock == STOCK_UNLIMITED || item_available(item) >= 0);
}

/* ---- public ---- */

void stock_commit(struct stock *stock, const struct stock_record *record)
{
    if (stock->save.page != NULL)
        save_ahead(stock, record);
    if (record->type == STOCK_RECORD_ITEM_CREATED)
        commit_item_created(stock, record);
    hf_assert(record->item_slot < stock->items.used_count);
    struct item *item = item_at(stock, record->item_slot);

    switch (record->type) {
    case STOCK_RECORD_ITEM_CREATED:
        break;
    case STOCK_RECORD_ITEM_UPDATED:
        commit_item_updated(item, record);
        break;
    case STOCK_RECORD_HELD:
        commit_held(stock, item, record);
        break;
    case STOCK_RECORD_CONFIRMED:
        commit_ended(stock, item, record, STOCK_STATE_CONFIRMED, record->hold.quantity_confirmed);
        break;
    case STOCK_RECORD_CANCELLED:
        commit_ended(stock, item, record, STOCK_STATE_CANCELLED, 0);
        break;
    case STOCK_RECORD_EXPIRED:
        commit_ended(stock, item, record, STOCK_STATE_EXPIRED, 0);
        break;
    case STOCK_RECORD_EXTENDED:
        commit_extended(stock, record);
        break;
    default:
        hf_assert(record->type == STOCK_RECORD_FORGOTTEN);
        commit_forgotten(stock, record);
        break;
    }
    item->changed_lsn = record->lsn;
    stock->changed_lsn = record->lsn;
    if (record->time_ms > stock->time_ms)
        stock->time_ms = record->time_ms;
}
