#include "stock_model_state.h"

#include <stddef.h>

const char stock_model_full[] = "no room for it";

/* ---- which records are legal ---- */

static const char *check_item(const struct stock_model *model, const struct stock_record *record)
{
    const struct stock_item_settings *settings = &record->item;
    const struct model_item *item = model_item_find(model, settings->item_id);
    if (model_invalid_setting(settings) != STOCK_FIELD_NONE)
        return "settings are out of range";
    if (record->type == STOCK_RECORD_ITEM_CREATED) {
        if (item != NULL)
            return "the item exists";
        return model->item_count < model->limits.item_count_max ? NULL : stock_model_full;
    }
    if (item == NULL)
        return "there is no such item";
    if (!model_same_sku(&item->settings, settings))
        return "the SKU changes";
    if (settings->stock != MODEL_UNLIMITED && (uint64_t)settings->stock < item->held + item->sold)
        return "less stock than is held and sold";
    return NULL;
}

static const char *check_held(const struct stock_model *model, const struct model_item *item,
                              const struct stock_record *record)
{
    const struct stock_hold_event *hold = &record->hold;
    const struct model_buyer *buyer =
        hold->buyer_id == 0 ? NULL : model_buyer_find(model, hold->item_id, hold->buyer_id);
    if (hold->sequence != item->next_sequence)
        return "not the item's next sequence";
    if (hold->quantity == 0 || hold->quantity > MODEL_QUANTITY_MAX)
        return "quantity is out of range";
    if (hold->quantity_confirmed != 0)
        return "held and confirmed";
    if (hold->expires_ms <= record->time_ms ||
        hold->expires_ms - record->time_ms > MODEL_THIRTY_DAYS_MS)
        return "deadline is out of range";
    if (item->settings.stock != MODEL_UNLIMITED && model_available(item) < hold->quantity)
        return "more than is available";
    if (buyer != NULL &&
        buyer->units_held + buyer->units_sold + hold->quantity > MODEL_BUYER_UNITS_MAX)
        return "more than a buyer can have";
    if (model->reservation_count >= model->limits.reservation_count_max)
        return stock_model_full;
    if (hold->buyer_id != 0 && buyer == NULL && model->buyer_count >= model->limits.buyer_count_max)
        return stock_model_full;
    return NULL;
}

static const char *check_change(const struct model_reservation *reservation,
                                const struct stock_record *record)
{
    const struct stock_hold_event *hold = &record->hold;
    bool extended = record->type == STOCK_RECORD_EXTENDED;
    bool confirmed = record->type == STOCK_RECORD_CONFIRMED;
    if (hold->buyer_id != reservation->buyer_id || hold->sequence != reservation->sequence ||
        hold->user_data != reservation->user_data || hold->quantity != reservation->quantity)
        return "not this reservation's facts";
    if (!extended && hold->expires_ms != reservation->expires_ms)
        return "another deadline";
    if (!confirmed && hold->quantity_confirmed != reservation->quantity_confirmed)
        return "another quantity confirmed";
    if (record->time_ms < reservation->created_ms)
        return "changed before it was made";
    if (record->type == STOCK_RECORD_FORGOTTEN)
        return reservation->state != STOCK_STATE_HELD ? NULL : "forgotten while held";
    if (reservation->state != STOCK_STATE_HELD)
        return "changed after it ended";
    if (record->type == STOCK_RECORD_EXPIRED)
        return record->time_ms >= reservation->expires_ms ? NULL : "expired too early";
    if (record->time_ms >= reservation->expires_ms)
        return "changed after its deadline";
    if (confirmed && (hold->quantity_confirmed == 0 || hold->quantity_confirmed > hold->quantity))
        return "quantity confirmed is out of range";
    if (extended && (hold->expires_ms <= reservation->expires_ms ||
                     hold->expires_ms > record->time_ms + MODEL_THIRTY_DAYS_MS))
        return "new deadline is out of range";
    return NULL;
}

const char *stock_model_check(const struct stock_model *model, const struct stock_record *record)
{
    if (record->time_ms > MODEL_TIME_MS_MAX)
        return "after the end of time";
    if (record->type == STOCK_RECORD_ITEM_CREATED || record->type == STOCK_RECORD_ITEM_UPDATED)
        return check_item(model, record);
    if (record->type < STOCK_RECORD_HELD || record->type > STOCK_RECORD_FORGOTTEN)
        return "no such type";
    const struct stock_hold_event *hold = &record->hold;
    const struct model_item *item = model_item_find(model, hold->item_id);
    if (item == NULL)
        return "there is no such item";
    if (hold->reservation_id.high == 0 && hold->reservation_id.low == 0)
        return "no reservation id";
    const struct model_reservation *reservation =
        model_reservation_find(model, hold->item_id, hold->reservation_id);
    if (record->type == STOCK_RECORD_HELD)
        return reservation == NULL ? check_held(model, item, record) : "the reservation exists";
    return reservation == NULL ? "there is no such reservation" : check_change(reservation, record);
}

/* ---- what records do ---- */

static void set_due(struct stock_model *model, struct model_reservation *reservation,
                    uint64_t due_ms, uint64_t now_ms)
{
    reservation->due_ms = due_ms;
    reservation->due_set_ms = now_ms;
    reservation->due_set_order = model->due_set_count++;
}

static void apply_created(struct stock_model *model, const struct stock_record *record)
{
    *model_item_add(model) = (struct model_item){
        .settings = record->item, .next_sequence = 1, .created_ms = record->time_ms};
}

static struct model_buyer *buyer_make(struct stock_model *model, uint64_t item_id,
                                      uint64_t buyer_id)
{
    struct model_buyer *buyer = model_buyer_find(model, item_id, buyer_id);
    if (buyer != NULL)
        return buyer;
    buyer = model_buyer_add(model);
    *buyer = (struct model_buyer){.item_id = item_id, .buyer_id = buyer_id};
    return buyer;
}

static void apply_held(struct stock_model *model, struct model_item *item,
                       const struct stock_record *record)
{
    const struct stock_hold_event *hold = &record->hold;
    struct model_reservation *reservation = model_reservation_add(model);
    *reservation = (struct model_reservation){
        .item_id = hold->item_id,
        .id = hold->reservation_id,
        .buyer_id = hold->buyer_id,
        .user_data = hold->user_data,
        .quantity = hold->quantity,
        .sequence = hold->sequence,
        .created_ms = record->time_ms,
        .expires_ms = hold->expires_ms,
        .state = STOCK_STATE_HELD,
    };
    set_due(model, reservation, hold->expires_ms, record->time_ms);
    item->held += hold->quantity;
    item->next_sequence++;
    if (hold->buyer_id != 0) {
        struct model_buyer *buyer = buyer_make(model, hold->item_id, hold->buyer_id);
        buyer->units_held += hold->quantity;
        buyer->open_holds++;
    }
}

static void apply_ended(struct stock_model *model, struct model_item *item,
                        struct model_reservation *reservation, const struct stock_record *record,
                        enum stock_state state)
{
    uint32_t units_sold = state == STOCK_STATE_CONFIRMED ? record->hold.quantity_confirmed : 0;
    item->held -= reservation->quantity;
    item->sold += units_sold;
    reservation->state = (uint8_t)state;
    reservation->quantity_confirmed = units_sold;
    set_due(model, reservation, record->time_ms + model->limits.retention_ms, record->time_ms);
    if (reservation->buyer_id == 0)
        return;
    struct model_buyer *buyer =
        model_buyer_find(model, reservation->item_id, reservation->buyer_id);
    buyer->units_held -= reservation->quantity;
    buyer->units_sold += units_sold;
    buyer->open_holds--;
    if (buyer->units_held == 0 && buyer->units_sold == 0)
        *buyer = model->buyers[--model->buyer_count];
}

static void apply_change(struct stock_model *model, const struct stock_record *record)
{
    struct model_item *item = model_item_find(model, record->hold.item_id);
    struct model_reservation *reservation =
        model_reservation_find(model, record->hold.item_id, record->hold.reservation_id);
    switch (record->type) {
    case STOCK_RECORD_HELD:
        apply_held(model, item, record);
        break;
    case STOCK_RECORD_CONFIRMED:
        apply_ended(model, item, reservation, record, STOCK_STATE_CONFIRMED);
        break;
    case STOCK_RECORD_CANCELLED:
        apply_ended(model, item, reservation, record, STOCK_STATE_CANCELLED);
        break;
    case STOCK_RECORD_EXPIRED:
        apply_ended(model, item, reservation, record, STOCK_STATE_EXPIRED);
        break;
    case STOCK_RECORD_EXTENDED:
        reservation->expires_ms = record->hold.expires_ms;
        set_due(model, reservation, record->hold.expires_ms, record->time_ms);
        break;
    default:
        *reservation = model->reservations[--model->reservation_count];
        break;
    }
}

const char *stock_model_apply(struct stock_model *model, const struct stock_record *record)
{
    const char *problem = stock_model_check(model, record);
    if (problem != NULL)
        return problem;
    if (record->time_ms > model->time_ms)
        model->time_ms = record->time_ms;
    if (record->type == STOCK_RECORD_ITEM_CREATED)
        apply_created(model, record);
    else if (record->type == STOCK_RECORD_ITEM_UPDATED)
        model_item_find(model, record->item.item_id)->settings = record->item;
    else
        apply_change(model, record);
    return NULL;
}
