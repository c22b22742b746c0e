#include "stock/state.h"

#include "base/assert.h"

#include <string.h>

/* Answers rows about reservations. The checks stand in the order that docs/guarantees.md promises;
 * the first that fails is the answer. Nothing here changes the state. */

struct decision {
    const struct stock *stock;
    const struct stock_request *request;
    uint64_t now_ms;
    uint32_t item_slot;
    uint32_t buyer_slot; /* of a new hold's buyer who has units already */
    struct stock_reply *reply;
    struct stock_record *record;
};

enum stock_field stock_request_invalid_field(const struct stock_request *request, uint64_t now_ms)
{
    if (request->item_id == 0)
        return STOCK_FIELD_ITEM_ID;
    if (id128_is_zero(request->reservation_id))
        return STOCK_FIELD_RESERVATION_ID;
    switch (request->op) {
    case STOCK_OP_RESERVE:
        if (request->quantity == 0 || request->quantity > STOCK_QUANTITY_MAX)
            return STOCK_FIELD_QUANTITY;
        if (request->hold_ms > STOCK_HOLD_MS_MAX)
            return STOCK_FIELD_HOLD_MS;
        break;
    case STOCK_OP_CONFIRM:
        if (request->quantity > STOCK_QUANTITY_MAX)
            return STOCK_FIELD_QUANTITY;
        break;
    case STOCK_OP_EXTEND:
        if (request->expires_ms == 0 || request->expires_ms > now_ms + STOCK_HOLD_MS_MAX)
            return STOCK_FIELD_EXPIRES_MS;
        break;
    default:
        break;
    }
    return STOCK_FIELD_NONE;
}

/* What all records of this file have in common. Their fields are set one by one, because a whole
 * record is several times as large as its event of a hold, and would be zeroed for it. */
static void start_record(struct stock_record *record, enum stock_record_type type, uint64_t now_ms)
{
    record->type = (uint8_t)type;
    record->time_ms = now_ms;
    record->lsn = 0;
}

/* ---- a new hold ---- */

static bool window_allows(struct decision *decision, const struct item *item,
                          enum stock_code *code_out)
{
    const struct stock_item_settings *settings = &item->settings;
    if (settings->paused) {
        *code_out = STOCK_PAUSED;
        return false;
    }
    if (decision->now_ms < settings->opens_at_ms) {
        decision->reply->expires_ms = settings->opens_at_ms;
        *code_out = STOCK_NOT_OPEN;
        return false;
    }
    if (settings->closes_at_ms != 0 && decision->now_ms >= settings->closes_at_ms) {
        *code_out = STOCK_CLOSED;
        return false;
    }
    return true;
}

static bool units_allow(const struct item *item, uint32_t quantity, enum stock_code *code_out)
{
    int64_t available = item_available(item);
    if (available == STOCK_UNLIMITED || available >= quantity)
        return true;
    *code_out = available == 0 ? STOCK_SOLD_OUT : STOCK_INSUFFICIENT;
    return false;
}

/* The rules for this buyer, and room in the tables. */
static bool buyer_allows(struct decision *decision, const struct item *item,
                         enum stock_code *code_out)
{
    static const struct buyer nothing;
    const struct stock *stock = decision->stock;
    const struct stock_request *request = decision->request;
    const struct stock_item_settings *settings = &item->settings;
    decision->buyer_slot = STOCK_SLOT_NONE;
    if (request->buyer_id == 0)
        return true;
    uint32_t slot = buyer_find(stock, decision->item_slot, request->buyer_id, request->buyer_hash);
    decision->buyer_slot = slot;
    const struct buyer *buyer = slot == STOCK_SLOT_NONE ? &nothing : buyer_at(stock, slot);
    uint64_t units = (uint64_t)buyer->units_held + buyer->units_sold + request->quantity;
    uint64_t units_max = settings->buyer_limit != 0 ? settings->buyer_limit : BUYER_UNITS_MAX;
    if (units > units_max)
        *code_out = STOCK_BUYER_LIMIT;
    else if (settings->hold_cap != 0 && buyer->open_holds >= settings->hold_cap)
        *code_out = STOCK_HOLD_CAP;
    else if (slot == STOCK_SLOT_NONE && slab_is_full(&stock->buyers))
        *code_out = STOCK_CAPACITY;
    else
        return true;
    return false;
}

static void hold(struct decision *decision, const struct item *item)
{
    const struct stock_request *request = decision->request;
    uint64_t hold_ms = request->hold_ms != 0 ? request->hold_ms : item->settings.hold_ms;
    struct stock_record *record = decision->record;
    start_record(record, STOCK_RECORD_HELD, decision->now_ms);
    record->hold = (struct stock_hold_event){
        .item_id = request->item_id,
        .reservation_id = request->reservation_id,
        .buyer_id = request->buyer_id,
        .sequence = item->next_sequence,
        .expires_ms = decision->now_ms + hold_ms,
        .user_data = request->user_data,
        .quantity = request->quantity,
    };
    record->item_slot = decision->item_slot;
    record->reservation_slot = slab_next(&decision->stock->reservations);
    record->buyer_slot = decision->buyer_slot;
    record->buyer_hash = request->buyer_hash;
    record->reservation_hash = request->reservation_hash;
    struct stock_reply *reply = decision->reply;
    reply->state = STOCK_STATE_HELD;
    reply->quantity = request->quantity;
    reply->sequence = item->next_sequence;
    reply->expires_ms = decision->now_ms + hold_ms;
    if (reply->available != STOCK_UNLIMITED)
        reply->available -= request->quantity;
}

static enum stock_code decide_hold(struct decision *decision)
{
    const struct item *item = item_at(decision->stock, decision->item_slot);
    enum stock_code refusal;
    if (!window_allows(decision, item, &refusal) ||
        !units_allow(item, decision->request->quantity, &refusal) ||
        !buyer_allows(decision, item, &refusal))
        return refusal;
    if (slab_is_full(&decision->stock->reservations))
        return STOCK_CAPACITY;
    hold(decision, item);
    return STOCK_OK;
}

/* ---- a known reservation ---- */

/* Starts the record of a change to this reservation. */
static struct stock_hold_event *change(const struct stock *stock, uint32_t slot,
                                       enum stock_record_type type, uint64_t now_ms,
                                       struct stock_record *record)
{
    const struct reservation *reservation = reservation_at(stock, slot);
    start_record(record, type, now_ms);
    record->hold = (struct stock_hold_event){
        .item_id = item_at(stock, reservation->item_slot)->settings.item_id,
        .reservation_id = reservation->id,
        .buyer_id = reservation->buyer_id,
        .sequence = reservation->sequence,
        .expires_ms = reservation->expires_ms,
        .user_data = reservation->user_data,
        .quantity = (uint32_t)reservation->quantity,
        .quantity_confirmed = (uint32_t)reservation->quantity_confirmed,
    };
    record->item_slot = reservation->item_slot;
    record->reservation_slot = slot;
    record->buyer_slot = STOCK_SLOT_NONE;
    record->buyer_hash = 0;
    record->reservation_hash = 0;
    return &record->hold;
}

static void give_back(struct stock_reply *reply, uint32_t units)
{
    if (reply->available != STOCK_UNLIMITED)
        reply->available += units;
}

/* The answer to whoever wants to change a reservation that has ended. */
static enum stock_code ended_code(uint8_t state)
{
    switch (state) {
    case STOCK_STATE_CONFIRMED:
        return STOCK_ALREADY_CONFIRMED;
    case STOCK_STATE_CANCELLED:
        return STOCK_CANCELLED;
    default:
        hf_assert(state == STOCK_STATE_EXPIRED);
        return STOCK_EXPIRED;
    }
}

static enum stock_code decide_repeat(const struct decision *decision,
                                     const struct reservation *reservation)
{
    const struct stock_request *request = decision->request;
    bool same = reservation->buyer_id == request->buyer_id &&
                reservation->quantity == request->quantity &&
                reservation->user_data == request->user_data;
    return same ? STOCK_DUPLICATE : STOCK_ID_CONFLICT;
}

static enum stock_code decide_confirm(struct decision *decision, uint32_t slot)
{
    struct stock_reply *reply = decision->reply;
    uint32_t wanted = decision->request->quantity;
    if (wanted == 0)
        wanted = reply->quantity;
    if (reply->state == STOCK_STATE_CONFIRMED && reply->quantity_confirmed == wanted)
        return STOCK_DUPLICATE;
    if (reply->state != STOCK_STATE_HELD)
        return ended_code(reply->state);
    if (wanted > reply->quantity) {
        reply->invalid_field = STOCK_FIELD_QUANTITY;
        return STOCK_INVALID;
    }
    change(decision->stock, slot, STOCK_RECORD_CONFIRMED, decision->now_ms, decision->record)
        ->quantity_confirmed = wanted;
    reply->state = STOCK_STATE_CONFIRMED;
    reply->quantity_confirmed = wanted;
    give_back(reply, reply->quantity - wanted);
    return STOCK_OK;
}

static enum stock_code decide_cancel(struct decision *decision, uint32_t slot)
{
    struct stock_reply *reply = decision->reply;
    if (reply->state == STOCK_STATE_CANCELLED)
        return STOCK_DUPLICATE;
    if (reply->state != STOCK_STATE_HELD)
        return ended_code(reply->state);
    change(decision->stock, slot, STOCK_RECORD_CANCELLED, decision->now_ms, decision->record);
    reply->state = STOCK_STATE_CANCELLED;
    give_back(reply, reply->quantity);
    return STOCK_OK;
}

static enum stock_code decide_extend(struct decision *decision, uint32_t slot)
{
    struct stock_reply *reply = decision->reply;
    uint64_t expires_ms = decision->request->expires_ms;
    if (reply->state != STOCK_STATE_HELD)
        return ended_code(reply->state);
    if (expires_ms <= reply->expires_ms)
        return STOCK_DUPLICATE;
    change(decision->stock, slot, STOCK_RECORD_EXTENDED, decision->now_ms, decision->record)
        ->expires_ms = expires_ms;
    reply->expires_ms = expires_ms;
    return STOCK_OK;
}

static enum stock_code decide_get(struct decision *decision, const struct reservation *reservation)
{
    decision->reply->buyer_id = reservation->buyer_id;
    decision->reply->user_data = reservation->user_data;
    decision->reply->created_ms = reservation->created_ms;
    return STOCK_OK;
}

/* Tells the reservation as it is at this moment: a hold past its deadline has expired, and whoever
 * is told so takes the record along that makes it stay true. */
static void describe(struct decision *decision, const struct reservation *reservation,
                     uint32_t slot)
{
    struct stock_reply *reply = decision->reply;
    reply->state = (uint8_t)reservation->state;
    reply->quantity = (uint32_t)reservation->quantity;
    reply->quantity_confirmed = (uint32_t)reservation->quantity_confirmed;
    reply->sequence = reservation->sequence;
    reply->expires_ms = reservation->expires_ms;
    if (reply->state == STOCK_STATE_HELD && decision->now_ms >= reservation->expires_ms) {
        change(decision->stock, slot, STOCK_RECORD_EXPIRED, decision->now_ms, decision->record);
        reply->state = STOCK_STATE_EXPIRED;
        give_back(reply, reply->quantity);
    }
}

static enum stock_code decide_known(struct decision *decision, uint32_t slot)
{
    const struct reservation *reservation = reservation_at(decision->stock, slot);
    describe(decision, reservation, slot);
    switch (decision->request->op) {
    case STOCK_OP_RESERVE:
        return decide_repeat(decision, reservation);
    case STOCK_OP_CONFIRM:
        return decide_confirm(decision, slot);
    case STOCK_OP_CANCEL:
        return decide_cancel(decision, slot);
    case STOCK_OP_EXTEND:
        return decide_extend(decision, slot);
    default:
        hf_assert(decision->request->op == STOCK_OP_GET);
        return decide_get(decision, reservation);
    }
}

/* ---- public ---- */

static enum stock_code decide(struct decision *decision)
{
    const struct stock *stock = decision->stock;
    const struct stock_request *request = decision->request;
    struct stock_reply *reply = decision->reply;

    reply->invalid_field = (uint8_t)stock_request_invalid_field(request, decision->now_ms);
    if (reply->invalid_field != STOCK_FIELD_NONE)
        return STOCK_INVALID;
    decision->item_slot = request->item_slot;
    if (decision->item_slot == STOCK_SLOT_NONE)
        return STOCK_UNKNOWN_ITEM;
    const struct item *item = item_at(stock, decision->item_slot);
    hf_assert(item->settings.item_id == request->item_id);
    reply->available = item_available(item);
    reply->seen_lsn = item->changed_lsn;
    uint32_t slot = reservation_find(stock, decision->item_slot, request->reservation_id,
                                     request->reservation_hash);
    if (slot != STOCK_SLOT_NONE)
        return decide_known(decision, slot);
    return request->op == STOCK_OP_RESERVE ? decide_hold(decision) : STOCK_UNKNOWN_RESERVATION;
}

void stock_decide(const struct stock *stock, const struct stock_request *request, uint64_t now_ms,
                  struct stock_reply *reply_out, struct stock_record *record_out)
{
    hf_assert(now_ms <= STOCK_TIME_MS_MAX);
    memset(reply_out, 0, sizeof *reply_out);
    record_out->type = STOCK_RECORD_NONE;
    struct decision decision = {
        .stock = stock,
        .request = request,
        .now_ms = now_ms,
        .reply = reply_out,
        .record = record_out,
    };
    reply_out->code = (uint8_t)decide(&decision);
    if (reply_out->code == STOCK_CAPACITY)
        reply_out->seen_lsn = stock->changed_lsn; /* other items filled the table too */
}

bool stock_decide_due(const struct stock *stock, uint64_t now_ms, struct stock_record *record_out)
{
    hf_assert(now_ms <= STOCK_TIME_MS_MAX);
    record_out->type = STOCK_RECORD_NONE;
    uint32_t slot = timer_due(stock->timer, now_ms);
    if (slot == TIMER_SLOT_NONE)
        return false;
    bool held = reservation_at(stock, slot)->state == STOCK_STATE_HELD;
    change(stock, slot, held ? STOCK_RECORD_EXPIRED : STOCK_RECORD_FORGOTTEN, now_ms, record_out);
    return true;
}

void stock_refuse(const struct stock *stock, const struct stock_record *record,
                  enum stock_code code, struct stock_reply *reply_inout)
{
    hf_assert(record->type != STOCK_RECORD_NONE && !stock_record_is_of_item(record));
    *reply_inout = (struct stock_reply){
        .code = (uint8_t)code,
        .available = item_available(item_at(stock, record->item_slot)),
        .seen_lsn = reply_inout->seen_lsn,
    };
}
