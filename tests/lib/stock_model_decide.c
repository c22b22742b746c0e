#include "stock_model_state.h"

#include <string.h>

/* ---- answers about reservations ---- */

/* A question, and where the answer goes. */
struct ask {
    const struct stock_model *model;
    const struct stock_request *request;
    uint64_t now_ms;
    struct stock_reply *reply;
    struct stock_record *record;
};

static enum stock_field invalid_field(const struct stock_request *request, uint64_t now_ms)
{
    bool reserve = request->op == STOCK_OP_RESERVE;
    bool confirm = request->op == STOCK_OP_CONFIRM;
    bool extend = request->op == STOCK_OP_EXTEND;
    if (request->item_id == 0)
        return STOCK_FIELD_ITEM_ID;
    if (request->reservation_id.high == 0 && request->reservation_id.low == 0)
        return STOCK_FIELD_RESERVATION_ID;
    if (reserve && request->quantity == 0)
        return STOCK_FIELD_QUANTITY;
    if ((reserve || confirm) && request->quantity > MODEL_QUANTITY_MAX)
        return STOCK_FIELD_QUANTITY;
    if (reserve && request->hold_ms > MODEL_THIRTY_DAYS_MS)
        return STOCK_FIELD_HOLD_MS;
    if (extend && (request->expires_ms == 0 || request->expires_ms > now_ms + MODEL_THIRTY_DAYS_MS))
        return STOCK_FIELD_EXPIRES_MS;
    return STOCK_FIELD_NONE;
}

static void record_change(struct stock_record *record, enum stock_record_type type, uint64_t now_ms,
                          const struct model_reservation *reservation)
{
    *record = (struct stock_record){
        .type = (uint8_t)type,
        .time_ms = now_ms,
        .hold = {.item_id = reservation->item_id,
                 .reservation_id = reservation->id,
                 .buyer_id = reservation->buyer_id,
                 .sequence = reservation->sequence,
                 .expires_ms = reservation->expires_ms,
                 .user_data = reservation->user_data,
                 .quantity = reservation->quantity,
                 .quantity_confirmed = reservation->quantity_confirmed},
        .item_slot = STOCK_SLOT_NONE,
        .reservation_slot = STOCK_SLOT_NONE,
    };
}

static void give_back(struct stock_reply *reply, uint32_t units)
{
    if (reply->available != MODEL_UNLIMITED)
        reply->available += units;
}

/* Rows 5 to 12 of Reserve; OK when none applies. */
static enum stock_code refusal(const struct ask *ask, const struct model_item *item)
{
    const struct stock_model *model = ask->model;
    const struct stock_request *request = ask->request;
    const struct stock_item_settings *settings = &item->settings;
    if (settings->paused)
        return STOCK_PAUSED;
    if (ask->now_ms < settings->opens_at_ms)
        return STOCK_NOT_OPEN;
    if (settings->closes_at_ms != 0 && ask->now_ms >= settings->closes_at_ms)
        return STOCK_CLOSED;
    if (model_available(item) == 0)
        return STOCK_SOLD_OUT;
    if (model_available(item) != MODEL_UNLIMITED && model_available(item) < request->quantity)
        return STOCK_INSUFFICIENT;
    if (request->buyer_id != 0) {
        struct model_buyer nothing = {.item_id = 0};
        const struct model_buyer *known =
            model_buyer_find(model, request->item_id, request->buyer_id);
        const struct model_buyer *buyer = known != NULL ? known : &nothing;
        uint64_t units = buyer->units_held + buyer->units_sold + request->quantity;
        if (units > (settings->buyer_limit != 0 ? settings->buyer_limit : MODEL_BUYER_UNITS_MAX))
            return STOCK_BUYER_LIMIT;
        if (settings->hold_cap != 0 && buyer->open_holds >= settings->hold_cap)
            return STOCK_HOLD_CAP;
        if (known == NULL && model->buyer_count >= model->limits.buyer_count_max)
            return STOCK_CAPACITY;
    }
    if (model->reservation_count >= model->limits.reservation_count_max)
        return STOCK_CAPACITY;
    return STOCK_OK;
}

static enum stock_code reserve_new(const struct ask *ask, const struct model_item *item)
{
    const struct stock_request *request = ask->request;
    enum stock_code code = refusal(ask, item);
    if (code == STOCK_NOT_OPEN)
        ask->reply->expires_ms = item->settings.opens_at_ms;
    if (code != STOCK_OK)
        return code;
    struct model_reservation hold = {
        .item_id = request->item_id,
        .id = request->reservation_id,
        .buyer_id = request->buyer_id,
        .user_data = request->user_data,
        .quantity = request->quantity,
        .sequence = item->next_sequence,
        .expires_ms =
            ask->now_ms + (request->hold_ms != 0 ? request->hold_ms : item->settings.hold_ms),
    };
    record_change(ask->record, STOCK_RECORD_HELD, ask->now_ms, &hold);
    ask->reply->state = STOCK_STATE_HELD;
    ask->reply->quantity = hold.quantity;
    ask->reply->sequence = hold.sequence;
    ask->reply->expires_ms = hold.expires_ms;
    if (ask->reply->available != MODEL_UNLIMITED)
        ask->reply->available -= hold.quantity;
    return STOCK_OK;
}

static enum stock_code reserve_again(const struct ask *ask,
                                     const struct model_reservation *reservation)
{
    const struct stock_request *request = ask->request;
    bool same = request->buyer_id == reservation->buyer_id &&
                request->quantity == reservation->quantity &&
                request->user_data == reservation->user_data;
    return same ? STOCK_DUPLICATE : STOCK_ID_CONFLICT;
}

/* How a reservation that has ended refuses to be changed. */
static enum stock_code ended_code(uint8_t state)
{
    if (state == STOCK_STATE_CONFIRMED)
        return STOCK_ALREADY_CONFIRMED;
    return state == STOCK_STATE_CANCELLED ? STOCK_CANCELLED : STOCK_EXPIRED;
}

static enum stock_code confirm(const struct ask *ask, const struct model_reservation *reservation)
{
    struct stock_reply *reply = ask->reply;
    uint32_t wanted = ask->request->quantity != 0 ? ask->request->quantity : reservation->quantity;
    if (reply->state == STOCK_STATE_CONFIRMED && reservation->quantity_confirmed == wanted)
        return STOCK_DUPLICATE;
    if (reply->state != STOCK_STATE_HELD)
        return ended_code(reply->state);
    if (wanted > reservation->quantity) {
        reply->invalid_field = STOCK_FIELD_QUANTITY;
        return STOCK_INVALID;
    }
    record_change(ask->record, STOCK_RECORD_CONFIRMED, ask->now_ms, reservation);
    ask->record->hold.quantity_confirmed = wanted;
    reply->state = STOCK_STATE_CONFIRMED;
    reply->quantity_confirmed = wanted;
    give_back(reply, reservation->quantity - wanted);
    return STOCK_OK;
}

static enum stock_code cancel(const struct ask *ask, const struct model_reservation *reservation)
{
    if (ask->reply->state == STOCK_STATE_CANCELLED)
        return STOCK_DUPLICATE;
    if (ask->reply->state != STOCK_STATE_HELD)
        return ended_code(ask->reply->state);
    record_change(ask->record, STOCK_RECORD_CANCELLED, ask->now_ms, reservation);
    ask->reply->state = STOCK_STATE_CANCELLED;
    give_back(ask->reply, reservation->quantity);
    return STOCK_OK;
}

static enum stock_code extend(const struct ask *ask, const struct model_reservation *reservation)
{
    if (ask->reply->state != STOCK_STATE_HELD)
        return ended_code(ask->reply->state);
    if (ask->request->expires_ms <= reservation->expires_ms)
        return STOCK_DUPLICATE;
    record_change(ask->record, STOCK_RECORD_EXTENDED, ask->now_ms, reservation);
    ask->record->hold.expires_ms = ask->request->expires_ms;
    ask->reply->expires_ms = ask->request->expires_ms;
    return STOCK_OK;
}

static enum stock_code get(const struct ask *ask, const struct model_reservation *reservation)
{
    ask->reply->buyer_id = reservation->buyer_id;
    ask->reply->user_data = reservation->user_data;
    ask->reply->created_ms = reservation->created_ms;
    return STOCK_OK;
}

static void describe(const struct ask *ask, const struct model_reservation *reservation)
{
    struct stock_reply *reply = ask->reply;
    reply->state = reservation->state;
    reply->quantity = reservation->quantity;
    reply->quantity_confirmed = reservation->quantity_confirmed;
    reply->sequence = reservation->sequence;
    reply->expires_ms = reservation->expires_ms;
    if (reservation->state == STOCK_STATE_HELD && ask->now_ms >= reservation->expires_ms) {
        record_change(ask->record, STOCK_RECORD_EXPIRED, ask->now_ms, reservation);
        reply->state = STOCK_STATE_EXPIRED;
        give_back(reply, reservation->quantity);
    }
}

static enum stock_code answer(const struct ask *ask)
{
    const struct stock_request *request = ask->request;
    ask->reply->invalid_field = (uint8_t)invalid_field(request, ask->now_ms);
    if (ask->reply->invalid_field != STOCK_FIELD_NONE)
        return STOCK_INVALID;
    const struct model_item *item = model_item_find(ask->model, request->item_id);
    if (item == NULL)
        return STOCK_UNKNOWN_ITEM;
    ask->reply->available = model_available(item);
    const struct model_reservation *reservation =
        model_reservation_find(ask->model, request->item_id, request->reservation_id);
    if (reservation == NULL)
        return request->op == STOCK_OP_RESERVE ? reserve_new(ask, item) : STOCK_UNKNOWN_RESERVATION;
    describe(ask, reservation);
    switch (request->op) {
    case STOCK_OP_RESERVE:
        return reserve_again(ask, reservation);
    case STOCK_OP_CONFIRM:
        return confirm(ask, reservation);
    case STOCK_OP_CANCEL:
        return cancel(ask, reservation);
    case STOCK_OP_EXTEND:
        return extend(ask, reservation);
    default:
        return get(ask, reservation);
    }
}

void stock_model_decide(const struct stock_model *model, const struct stock_request *request,
                        uint64_t now_ms, struct stock_reply *reply_out,
                        struct stock_record *record_out)
{
    struct ask ask = {model, request, now_ms, reply_out, record_out};
    memset(reply_out, 0, sizeof *reply_out);
    record_out->type = STOCK_RECORD_NONE;
    reply_out->code = (uint8_t)answer(&ask);
}

/* ---- answers to the seller ---- */

static bool same_settings(const struct stock_item_settings *a, const struct stock_item_settings *b)
{
    return a->item_id == b->item_id && model_same_sku(a, b) && a->stock == b->stock &&
           a->buyer_limit == b->buyer_limit && a->hold_cap == b->hold_cap &&
           a->hold_ms == b->hold_ms && a->opens_at_ms == b->opens_at_ms &&
           a->closes_at_ms == b->closes_at_ms && a->paused == b->paused;
}

static struct stock_item_settings with_default_hold(struct stock_item_settings settings)
{
    if (settings.hold_ms == 0)
        settings.hold_ms = MODEL_FIFTEEN_MINUTES_MS;
    return settings;
}

static void record_item(struct stock_record *record, enum stock_record_type type, uint64_t now_ms,
                        const struct stock_item_settings *settings)
{
    *record = (struct stock_record){
        .type = (uint8_t)type,
        .time_ms = now_ms,
        .item = *settings,
        .item_slot = STOCK_SLOT_NONE,
        .reservation_slot = STOCK_SLOT_NONE,
    };
}

static enum stock_code create(const struct stock_model *model,
                              const struct stock_item_settings *wanted, uint64_t now_ms,
                              struct stock_reply *reply, struct stock_record *record)
{
    reply->invalid_field = (uint8_t)model_invalid_setting(wanted);
    if (reply->invalid_field != STOCK_FIELD_NONE)
        return STOCK_INVALID;
    const struct model_item *item = model_item_find(model, wanted->item_id);
    if (item != NULL) {
        reply->available = model_available(item);
        if (same_settings(&item->settings, wanted))
            return STOCK_DUPLICATE;
        if (!model_same_sku(&item->settings, wanted))
            reply->invalid_field = STOCK_FIELD_SKU;
        return STOCK_ID_CONFLICT;
    }
    if (model->item_count >= model->limits.item_count_max)
        return STOCK_CAPACITY;
    record_item(record, STOCK_RECORD_ITEM_CREATED, now_ms, wanted);
    reply->available = wanted->stock;
    return STOCK_OK;
}

void stock_model_decide_item_create(const struct stock_model *model,
                                    const struct stock_item_settings *settings, uint64_t now_ms,
                                    struct stock_reply *reply_out, struct stock_record *record_out)
{
    struct stock_item_settings wanted = with_default_hold(*settings);
    memset(reply_out, 0, sizeof *reply_out);
    record_out->type = STOCK_RECORD_NONE;
    reply_out->code = (uint8_t)create(model, &wanted, now_ms, reply_out, record_out);
}

static struct stock_item_settings updated(struct stock_item_settings present,
                                          const struct stock_item_settings *wanted, uint32_t mask)
{
    if (mask & STOCK_UPDATE_STOCK)
        present.stock = wanted->stock;
    if (mask & STOCK_UPDATE_BUYER_LIMIT)
        present.buyer_limit = wanted->buyer_limit;
    if (mask & STOCK_UPDATE_HOLD_CAP)
        present.hold_cap = wanted->hold_cap;
    if (mask & STOCK_UPDATE_HOLD_MS)
        present.hold_ms = wanted->hold_ms;
    if (mask & STOCK_UPDATE_OPENS_AT_MS)
        present.opens_at_ms = wanted->opens_at_ms;
    if (mask & STOCK_UPDATE_CLOSES_AT_MS)
        present.closes_at_ms = wanted->closes_at_ms;
    if (mask & STOCK_UPDATE_PAUSED)
        present.paused = wanted->paused;
    return with_default_hold(present);
}

static enum stock_code update(const struct model_item *item,
                              const struct stock_item_settings *wanted, uint32_t mask,
                              uint64_t now_ms, struct stock_reply *reply,
                              struct stock_record *record)
{
    reply->available = model_available(item);
    reply->invalid_field = (uint8_t)model_invalid_setting(wanted);
    if (reply->invalid_field == STOCK_FIELD_CLOSES_AT_MS && !(mask & STOCK_UPDATE_CLOSES_AT_MS))
        reply->invalid_field = STOCK_FIELD_OPENS_AT_MS;
    if (reply->invalid_field != STOCK_FIELD_NONE)
        return STOCK_INVALID;
    if (wanted->stock != MODEL_UNLIMITED && (uint64_t)wanted->stock < item->held + item->sold)
        return STOCK_INSUFFICIENT;
    if (same_settings(&item->settings, wanted))
        return STOCK_OK;
    record_item(record, STOCK_RECORD_ITEM_UPDATED, now_ms, wanted);
    reply->available = MODEL_UNLIMITED;
    if (wanted->stock != MODEL_UNLIMITED)
        reply->available = wanted->stock - (int64_t)item->held - (int64_t)item->sold;
    return STOCK_OK;
}

void stock_model_decide_item_update(const struct stock_model *model,
                                    const struct stock_item_settings *settings,
                                    uint32_t update_mask, uint64_t now_ms,
                                    struct stock_reply *reply_out, struct stock_record *record_out)
{
    memset(reply_out, 0, sizeof *reply_out);
    record_out->type = STOCK_RECORD_NONE;
    const struct model_item *item = model_item_find(model, settings->item_id);
    if (settings->item_id == 0) {
        reply_out->code = STOCK_INVALID;
        reply_out->invalid_field = STOCK_FIELD_ITEM_ID;
    } else if (item == NULL) {
        reply_out->code = STOCK_UNKNOWN_ITEM;
    } else {
        struct stock_item_settings wanted = updated(item->settings, settings, update_mask);
        reply_out->code =
            (uint8_t)update(item, &wanted, update_mask, now_ms, reply_out, record_out);
    }
}

/* ---- what is due ---- */

static bool is_due_before(const struct model_reservation *a, const struct model_reservation *b)
{
    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms;
    if (a->due_set_ms != b->due_set_ms)
        return a->due_set_ms < b->due_set_ms;
    return a->due_set_order < b->due_set_order;
}

static const struct model_reservation *model_first_due(const struct stock_model *model)
{
    const struct model_reservation *first = NULL;
    for (size_t i = 0; i < model->reservation_count; i++) {
        if (first == NULL || is_due_before(&model->reservations[i], first))
            first = &model->reservations[i];
    }
    return first;
}

uint64_t stock_model_next_due_ms(const struct stock_model *model)
{
    const struct model_reservation *first = model_first_due(model);
    return first == NULL ? UINT64_MAX : first->due_ms;
}

bool stock_model_decide_due(const struct stock_model *model, uint64_t now_ms,
                            struct stock_record *record_out)
{
    const struct model_reservation *first = model_first_due(model);
    record_out->type = STOCK_RECORD_NONE;
    if (first == NULL || first->due_ms > now_ms)
        return false;
    record_change(record_out,
                  first->state == STOCK_STATE_HELD ? STOCK_RECORD_EXPIRED : STOCK_RECORD_FORGOTTEN,
                  now_ms, first);
    return true;
}
