/* The model of one item, carried through the item's records one by one. */
#include "check_answer.h"

#include "base/assert.h"

#include <string.h>

/* ---- the way ---- */

struct book_record *stage_next_record(const struct stage *stage)
{
    const struct book_item *item = stage->item;
    return stage->record_count < item->record_count
               ? &book.records[item->records[stage->record_count]]
               : NULL;
}

static void look(struct stage *stage, uint64_t from_ms)
{
    const struct book_record *next = stage_next_record(stage);
    stage->has_item = stock_model_item_find(stage->model, stage->item->item_id, &stage->view);
    stage->from_ms = from_ms;
    stage->to_ms = next == NULL ? STOCK_TIME_MS_MAX : next->record.time_ms;
    stage->to_life = next == NULL ? 0 : next->life;
}

void stage_open(struct stage *stage, const struct book_item *item)
{
    *stage = (struct stage){.item = item, .model = book_new_model()};
    look(stage, 0);
}

void stage_advance(struct stage *stage)
{
    const struct stock_record *record = &stage_next_record(stage)->record;
    const char *wrong = stock_model_apply(stage->model, record);
    hf_assert(wrong == NULL); /* check_record() asked the same */
    stage->record_count++;
    look(stage, record->time_ms);
}

void stage_close(struct stage *stage)
{
    stock_model_destroy(&stage->model);
}

/* ---- comparing ---- */

static bool is_same_settings(const struct stock_item_settings *a,
                             const struct stock_item_settings *b)
{
    return a->item_id == b->item_id && a->stock == b->stock && a->buyer_limit == b->buyer_limit &&
           a->hold_cap == b->hold_cap && a->hold_ms == b->hold_ms &&
           a->opens_at_ms == b->opens_at_ms && a->closes_at_ms == b->closes_at_ms &&
           a->paused == b->paused && a->sku_bytes == b->sku_bytes &&
           memcmp(a->sku, b->sku, a->sku_bytes) == 0;
}

static bool is_same_hold(const struct stock_hold_event *a, const struct stock_hold_event *b)
{
    return a->item_id == b->item_id && id128_equal(a->reservation_id, b->reservation_id) &&
           a->buyer_id == b->buyer_id && a->sequence == b->sequence &&
           a->expires_ms == b->expires_ms && a->user_data == b->user_data &&
           a->quantity == b->quantity && a->quantity_confirmed == b->quantity_confirmed;
}

static bool is_same_record(const struct stock_record *a, const struct stock_record *b)
{
    if (a->type != b->type || a->time_ms != b->time_ms)
        return false;
    return a->type == STOCK_RECORD_ITEM_CREATED || a->type == STOCK_RECORD_ITEM_UPDATED
               ? is_same_settings(&a->item, &b->item)
               : is_same_hold(&a->hold, &b->hold);
}

static bool is_same_view(const struct stock_item_view *a, const struct stock_item_view *b)
{
    return is_same_settings(&a->settings, &b->settings) && a->available == b->available &&
           a->held == b->held && a->sold == b->sold && a->next_sequence == b->next_sequence &&
           a->created_ms == b->created_ms;
}

static bool is_same_reply(const struct stock_reply *a, const struct stock_reply *b)
{
    return a->code == b->code && a->state == b->state && a->invalid_field == b->invalid_field &&
           a->quantity == b->quantity && a->quantity_confirmed == b->quantity_confirmed &&
           a->sequence == b->sequence && a->expires_ms == b->expires_ms &&
           a->available == b->available && a->buyer_id == b->buyer_id &&
           a->user_data == b->user_data && a->created_ms == b->created_ms;
}

/* An Item reply says its code and field, and the rest with the item. */
static bool is_answered_so(const struct book_call *call, const struct decision *decision)
{
    if (call->asked.op == HISTORY_ROW)
        return is_same_reply(&call->reply, &decision->reply);
    return call->reply.code == decision->reply.code &&
           call->reply.invalid_field == decision->reply.invalid_field &&
           call->has_view == decision->has_view &&
           (!call->has_view || is_same_view(&call->view, &decision->view));
}

/* ---- deciding ---- */

/* The item as it will be when the record is applied. */
static void view_after(const struct stage *stage, const struct stock_record *record,
                       struct decision *decision)
{
    struct stock_item_view *view = &decision->view;
    if (record->type == STOCK_RECORD_ITEM_CREATED)
        *view = (struct stock_item_view){.next_sequence = 1, .created_ms = record->time_ms};
    else
        *view = stage->view;
    view->settings = record->item;
    view->available = record->item.stock == STOCK_UNLIMITED
                          ? STOCK_UNLIMITED
                          : record->item.stock - (int64_t)(view->held + view->sold);
    decision->has_view = true;
}

static void decide_item(const struct stage *stage, const struct book_call *call, uint64_t now_ms,
                        struct decision *decision)
{
    const struct history_call *asked = &call->asked;
    decision->record.type = STOCK_RECORD_NONE;
    if (asked->op == HISTORY_ITEM_CREATE)
        stock_model_decide_item_create(stage->model, &asked->settings, now_ms, &decision->reply,
                                       &decision->record);
    else if (asked->op == HISTORY_ITEM_UPDATE)
        stock_model_decide_item_update(stage->model, &asked->settings, asked->update_mask, now_ms,
                                       &decision->reply, &decision->record);
    else
        decision->reply.code = stage->has_item ? STOCK_OK : STOCK_UNKNOWN_ITEM;
    decision->has_view = stage->has_item;
    decision->view = stage->view;
    if (decision->record.type != STOCK_RECORD_NONE)
        view_after(stage, &decision->record, decision);
}

void stage_decide(const struct stage *stage, const struct book_call *call, uint64_t now_ms,
                  struct decision *decision)
{
    memset(decision, 0, sizeof *decision);
    if (call->asked.op == HISTORY_ROW)
        stock_model_decide(stage->model, &call->asked.request, now_ms, &decision->reply,
                           &decision->record);
    else
        decide_item(stage, call, now_ms, decision);
}

/* ---- answers without a record ---- */

/* Refused for want of a place in a table: all else would have allowed it. */
static bool explains_capacity(const struct stage *stage, const struct book_call *call,
                              const struct decision *decision)
{
    const bool is_create = call->asked.op == HISTORY_ITEM_CREATE;
    if (decision->record.type != (is_create ? STOCK_RECORD_ITEM_CREATED : STOCK_RECORD_HELD))
        return false;
    if (is_create)
        return !call->has_view && check_table_may_be_full(call, BOOK_TABLE_ITEMS);
    const struct stock_reply refusal = {.code = STOCK_CAPACITY, .available = stage->view.available};
    return is_same_reply(&call->reply, &refusal) &&
           (check_table_may_be_full(call, BOOK_TABLE_HOLDS) ||
            (call->asked.request.buyer_id != 0 &&
             check_table_may_be_full(call, BOOK_TABLE_BUYERS)));
}

static bool explains_at(const struct stage *stage, const struct book_call *call, uint64_t now_ms)
{
    struct decision decision;
    stage_decide(stage, call, now_ms, &decision);
    if (call->reply.code == STOCK_CAPACITY)
        return explains_capacity(stage, call, &decision);
    return decision.record.type == STOCK_RECORD_NONE && is_answered_so(call, &decision);
}

/* Most states are ruled out by one look. */
static bool can_explain(const struct stage *stage, const struct book_call *call)
{
    if (call->asked.op != HISTORY_ROW || call->reply.code == STOCK_INVALID)
        return true;
    return call->reply.available == (stage->has_item ? stage->view.available : 0);
}

/* The moments within `from_ms` .. `to_ms` at which an answer can become another: when the sale
 * opens or closes, and when a far deadline comes within reach. That a hold's deadline passes is not
 * among them: such an answer has the expiry's record. */
static bool explains_from_a_moment(const struct stage *stage, const struct book_call *call,
                                   uint64_t from_ms, uint64_t to_ms)
{
    const struct stock_request *request = &call->asked.request;
    const uint64_t reach_ms =
        request->expires_ms > STOCK_HOLD_MS_MAX ? request->expires_ms - STOCK_HOLD_MS_MAX : 0;
    const uint64_t moments[] = {stage->view.settings.opens_at_ms, stage->view.settings.closes_at_ms,
                                reach_ms};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        if (moments[i] > from_ms && moments[i] <= to_ms && explains_at(stage, call, moments[i]))
            return true;
    return false;
}

/* The time goes on behind the last record over a restart, but not behind what was only told: an
 * answer of an earlier life may be later than the next record. */
static uint64_t stage_end_ms(const struct stage *stage, const struct book_call *call)
{
    return stage->to_life > call->life ? STOCK_TIME_MS_MAX : stage->to_ms;
}

bool stage_explains_answer(const struct stage *stage, const struct book_call *call)
{
    const uint64_t end_ms = stage_end_ms(stage, call);
    const uint64_t from_ms = call->from_ms > stage->from_ms ? call->from_ms : stage->from_ms;
    const uint64_t to_ms = call->to_ms < end_ms ? call->to_ms : end_ms;
    if (from_ms > to_ms || !can_explain(stage, call))
        return false;
    if (explains_at(stage, call, from_ms))
        return true;
    return call->asked.op == HISTORY_ROW && explains_from_a_moment(stage, call, from_ms, to_ms);
}

/* Of all that can be wrong with a row by itself only a deadline too far ahead depends on the time,
 * and it comes within reach: what is right at all is right at the earliest moment. */
bool answer_needs_no_state(const struct book_call *call)
{
    if (call->asked.op != HISTORY_ROW || call->reply.code != STOCK_INVALID)
        return false;
    const struct book_item nothing = {0};
    struct stage stage;
    stage_open(&stage, &nothing);
    const bool is_right = explains_at(&stage, call, call->from_ms);
    stage_close(&stage);
    return is_right;
}

/* ---- answers with a record ---- */

bool stage_explains_record(const struct stage *stage, const struct book_call *call,
                           const struct stock_record *record)
{
    struct decision decision;
    if (record->time_ms < call->from_ms || record->time_ms > call->to_ms)
        return false;
    stage_decide(stage, call, record->time_ms, &decision);
    return is_same_record(&decision.record, record) &&
           (!book_is_binding(call) || is_answered_so(call, &decision));
}

bool stage_misses_record(const struct stage *stage, const struct book_call *call)
{
    struct decision decision;
    const uint64_t to_ms = call->to_ms < stage->to_ms ? call->to_ms : stage->to_ms;
    stage_decide(stage, call, to_ms, &decision);
    return decision.record.type != STOCK_RECORD_NONE && is_answered_so(call, &decision);
}
