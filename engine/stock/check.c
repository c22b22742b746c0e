#include "stock/state.h"

/* Checks records that come from a log, where each is well-formed (stock_record_decode() saw to
 * that) and need not be true. What passes here can be committed without breaking an invariant. */

const char stock_check_full[] = "a table is full";

static const char *check_item_created(const struct stock *stock, struct stock_record *record,
                                      uint64_t hash)
{
    const struct stock_item_settings *settings = &record->item;
    if (settings_invalid_field(settings) != STOCK_FIELD_NONE)
        return "item settings are out of range";
    if (item_find(stock, settings->item_id, hash) != STOCK_SLOT_NONE)
        return "item exists already";
    if (slab_is_full(&stock->items))
        return stock_check_full;
    record->item_slot = slab_next(&stock->items);
    return NULL;
}

static const char *check_item_updated(const struct stock *stock, struct stock_record *record,
                                      uint64_t hash)
{
    const struct stock_item_settings *settings = &record->item;
    if (settings_invalid_field(settings) != STOCK_FIELD_NONE)
        return "item settings are out of range";
    record->item_slot = item_find(stock, settings->item_id, hash);
    if (record->item_slot == STOCK_SLOT_NONE)
        return "update of an unknown item";
    const struct item *item = item_at(stock, record->item_slot);
    if (!settings_same_sku(&item->settings, settings))
        return "update changes the SKU";
    if (settings->stock != STOCK_UNLIMITED && (uint64_t)settings->stock < item->held + item->sold)
        return "stock below what is held and sold";
    return NULL;
}

static const char *check_buyer(const struct stock *stock, struct stock_record *record)
{
    const struct stock_hold_event *event = &record->hold;
    record->buyer_slot = STOCK_SLOT_NONE;
    if (event->buyer_id == 0)
        return NULL;
    record->buyer_slot = buyer_find(stock, record->item_slot, event->buyer_id, record->buyer_hash);
    if (record->buyer_slot == STOCK_SLOT_NONE)
        return slab_is_full(&stock->buyers) ? stock_check_full : NULL;
    const struct buyer *buyer = buyer_at(stock, record->buyer_slot);
    if ((uint64_t)buyer->units_held + buyer->units_sold + event->quantity > BUYER_UNITS_MAX)
        return "buyer has more units than can be counted";
    return NULL;
}

static const char *check_held(const struct stock *stock, const struct item *item,
                              struct stock_record *record)
{
    const struct stock_hold_event *event = &record->hold;
    if (event->sequence != item->next_sequence)
        return "hold is not the item's next in sequence";
    if (event->quantity == 0 || event->quantity > STOCK_QUANTITY_MAX ||
        event->quantity_confirmed != 0)
        return "quantities of a hold are out of range";
    if (event->expires_ms <= record->time_ms ||
        event->expires_ms - record->time_ms > STOCK_HOLD_MS_MAX)
        return "hold time is out of range";
    if (item->settings.stock != STOCK_UNLIMITED && item_available(item) < event->quantity)
        return "more units held than there are";
    const char *problem = check_buyer(stock, record);
    if (problem != NULL)
        return problem;
    if (slab_is_full(&stock->reservations))
        return stock_check_full;
    record->reservation_slot = slab_next(&stock->reservations);
    return NULL;
}

/* The record names the reservation as it is, but for what it changes. */
static bool names_reservation(const struct reservation *reservation,
                              const struct stock_record *record)
{
    const struct stock_hold_event *event = &record->hold;
    return event->buyer_id == reservation->buyer_id && event->sequence == reservation->sequence &&
           event->user_data == reservation->user_data && event->quantity == reservation->quantity &&
           (record->type == STOCK_RECORD_EXTENDED ||
            event->expires_ms == reservation->expires_ms) &&
           (record->type == STOCK_RECORD_CONFIRMED ||
            event->quantity_confirmed == reservation->quantity_confirmed);
}

static const char *check_change(const struct stock *stock, struct stock_record *record)
{
    const struct stock_hold_event *event = &record->hold;
    const struct reservation *reservation = reservation_at(stock, record->reservation_slot);
    if (!names_reservation(reservation, record))
        return "record does not agree with its reservation";
    if (record->time_ms < reservation->created_ms)
        return "change of a reservation before it was made";
    if (record->type == STOCK_RECORD_FORGOTTEN)
        return reservation->state == STOCK_STATE_HELD ? "open hold forgotten" : NULL;
    if (reservation->state != STOCK_STATE_HELD)
        return "change of a reservation that has ended";
    bool overdue = record->time_ms >= reservation->expires_ms;
    if (record->type == STOCK_RECORD_EXPIRED)
        return overdue ? NULL : "hold expired before its deadline";
    if (overdue)
        return "hold changed after its deadline";
    if (record->type == STOCK_RECORD_CONFIRMED &&
        (event->quantity_confirmed == 0 || event->quantity_confirmed > event->quantity))
        return "confirmed quantity is out of range";
    if (record->type == STOCK_RECORD_EXTENDED &&
        (event->expires_ms <= reservation->expires_ms ||
         event->expires_ms > record->time_ms + STOCK_HOLD_MS_MAX))
        return "extended deadline is out of range";
    return NULL;
}

static const char *check_hold_event(const struct stock *stock, struct stock_record *record,
                                    uint64_t hash)
{
    const struct stock_hold_event *event = &record->hold;
    record->item_slot = item_find(stock, event->item_id, hash);
    if (record->item_slot == STOCK_SLOT_NONE)
        return "event of an unknown item";
    if (id128_is_zero(event->reservation_id))
        return "reservation without an id";
    record->reservation_slot =
        reservation_find(stock, record->item_slot, event->reservation_id, record->reservation_hash);
    bool known = record->reservation_slot != STOCK_SLOT_NONE;
    if (record->type == STOCK_RECORD_HELD)
        return known ? "reservation exists already"
                     : check_held(stock, item_at(stock, record->item_slot), record);
    return known ? check_change(stock, record) : "event of an unknown reservation";
}

uint64_t record_hash_keys(const struct stock *stock, struct stock_record *record)
{
    const struct stock_hold_event *event = &record->hold;
    if (stock_record_is_of_item(record))
        return item_hash(stock, record->item.item_id);
    record->reservation_hash = reservation_hash(stock, event->item_id, event->reservation_id);
    if (record->type == STOCK_RECORD_HELD && event->buyer_id != 0)
        record->buyer_hash = buyer_hash(stock, event->item_id, event->buyer_id);
    return item_hash(stock, event->item_id);
}

const char *check_hashed(const struct stock *stock, struct stock_record *record, uint64_t hash)
{
    if (record->time_ms > STOCK_TIME_MS_MAX)
        return "time is out of range";
    switch (record->type) {
    case STOCK_RECORD_ITEM_CREATED:
        return check_item_created(stock, record, hash);
    case STOCK_RECORD_ITEM_UPDATED:
        return check_item_updated(stock, record, hash);
    case STOCK_RECORD_HELD:
    case STOCK_RECORD_CONFIRMED:
    case STOCK_RECORD_CANCELLED:
    case STOCK_RECORD_EXTENDED:
    case STOCK_RECORD_EXPIRED:
    case STOCK_RECORD_FORGOTTEN:
        return check_hold_event(stock, record, hash);
    default:
        return "unknown type of record";
    }
}

const char *stock_check(const struct stock *stock, struct stock_record *record)
{
    return check_hashed(stock, record, record_hash_keys(stock, record));
}
