/* Each record against those of its item that came before, as it reaches the disk. The rules that
 * have names of their own are asked one by one from what is kept of each hold; the model has the
 * last word, with everything else that makes a record legal. */
#include "history_private.h"

#include "world.h"

#include <inttypes.h>

static void check_fact(bool is_true, const char *check, const struct book_record *noted,
                       const char *wrong)
{
    if (!is_true)
        sim_fail(check, "%s\n  %s", describe_noted(noted), wrong);
}

/* ---- items ---- */

static bool stock_covers(const struct book_item *item)
{
    return item->stock == STOCK_UNLIMITED || (uint64_t)item->stock >= item->held + item->sold;
}

static void check_item_record(struct book_item *item, const struct book_record *noted)
{
    const bool is_first = item->record_count == 0;
    if (noted->record.type == STOCK_RECORD_ITEM_CREATED)
        check_fact(is_first, "exactly-once", noted, "the item was created before");
    else
        check_fact(!is_first, "replay", noted, "the item was never created");
    item->stock = noted->record.item.stock;
    check_fact(stock_covers(item), "conservation", noted, "more is held and sold than there is");
}

/* ---- holds ---- */

/* Linear over the holds that are remembered, newest first: some hundred at most in a run. */
static bool is_remembered(struct book_item *item, struct id128 id)
{
    while (item->remembered_from < item->hold_count &&
           item->holds[item->remembered_from].state == STOCK_STATE_NONE)
        item->remembered_from++;
    for (uint32_t i = item->hold_count; i > item->remembered_from; i--)
        if (id128_equal(item->holds[i - 1].id, id) && item->holds[i - 1].state != STOCK_STATE_NONE)
            return true;
    return false;
}

static void check_held(struct book_item *item, const struct book_record *noted)
{
    const struct stock_hold_event *event = &noted->record.hold;
    check_fact(event->sequence == (uint64_t)item->hold_count + 1, "sequence", noted,
               "the sequence number is not the item's next one");
    check_fact(!is_remembered(item, event->reservation_id), "exactly-once", noted,
               "the reservation id was accepted before and is not forgotten");
    item->holds = book_room(item->holds, sizeof *item->holds, item->hold_count, &item->hold_room);
    item->holds[item->hold_count++] = (struct book_hold){
        .id = event->reservation_id,
        .expires_ms = event->expires_ms,
        .quantity = event->quantity,
        .seen_event = noted->event,
        .state = STOCK_STATE_HELD,
    };
    item->held += event->quantity;
    check_fact(stock_covers(item), "conservation", noted, "oversold");
}

static void end_hold(struct book_item *item, struct book_hold *hold, uint8_t state, uint64_t now_ms,
                     uint32_t units_sold)
{
    item->held -= hold->quantity;
    item->sold += units_sold;
    hold->state = state;
    hold->ended_ms = now_ms;
}

static void check_change(struct book_item *item, struct book_hold *hold,
                         const struct book_record *noted)
{
    const struct stock_hold_event *event = &noted->record.hold;
    const uint64_t now_ms = noted->record.time_ms;
    const bool is_over = now_ms >= hold->expires_ms;
    if (noted->record.type == STOCK_RECORD_FORGOTTEN) {
        check_fact(hold->state != STOCK_STATE_HELD, "replay", noted, "an open hold is forgotten");
        check_fact(now_ms >= hold->ended_ms + book.options.tables.retention_ms, "expiry", noted,
                   "forgotten before the retention is over");
        hold->state = STOCK_STATE_NONE;
        return;
    }
    check_fact(hold->state == STOCK_STATE_HELD, "exactly-once", noted, "the hold ended before");
    if (noted->record.type == STOCK_RECORD_EXPIRED)
        check_fact(is_over, "expiry", noted, "it expired before its deadline");
    else
        check_fact(!is_over, "expiry", noted, "its deadline had passed");
    switch (noted->record.type) {
    case STOCK_RECORD_EXTENDED:
        check_fact(event->expires_ms > hold->expires_ms, "expiry", noted, "the hold is shortened");
        hold->expires_ms = event->expires_ms;
        break;
    case STOCK_RECORD_CONFIRMED:
        check_fact(event->quantity_confirmed <= hold->quantity, "conservation", noted,
                   "more is sold than was held");
        end_hold(item, hold, STOCK_STATE_CONFIRMED, now_ms, event->quantity_confirmed);
        break;
    case STOCK_RECORD_CANCELLED:
        end_hold(item, hold, STOCK_STATE_CANCELLED, now_ms, 0);
        break;
    default:
        end_hold(item, hold, STOCK_STATE_EXPIRED, now_ms, 0);
        break;
    }
}

static void check_hold_record(struct book_item *item, const struct book_record *noted)
{
    const struct stock_hold_event *event = &noted->record.hold;
    check_fact(item->record_count > 0, "replay", noted, "the item was never created");
    if (noted->record.type == STOCK_RECORD_HELD) {
        check_held(item, noted);
        return;
    }
    check_fact(event->sequence >= 1 && event->sequence <= item->hold_count, "sequence", noted,
               "the item has no hold of this number");
    struct book_hold *hold = &item->holds[event->sequence - 1];
    check_fact(id128_equal(hold->id, event->reservation_id), "sequence", noted,
               "the hold of this number is another reservation");
    check_fact(hold->state != STOCK_STATE_NONE, "exactly-once", noted, "the hold is forgotten");
    check_change(item, hold, noted);
}

void check_record(struct book_item *item, const struct book_record *noted)
{
    check_fact(noted->record.time_ms >= item->last_time_ms, "time", noted,
               "an earlier record of the item has a later time");
    item->last_time_ms = noted->record.time_ms;
    if (stock_record_is_of_item(&noted->record))
        check_item_record(item, noted);
    else
        check_hold_record(item, noted);
    const char *wrong = stock_model_apply(item->model, &noted->record);
    check_fact(wrong == NULL, "replay", noted, wrong);
}

/* ---- the whole ---- */

static void check_overdue_hold(const struct book_item *item, uint32_t index, uint64_t before_ms)
{
    const struct book_hold *hold = &item->holds[index];
    if (hold->state == STOCK_STATE_HELD && hold->expires_ms < before_ms)
        sim_fail("expiry",
                 "item %" PRIu64 " sequence %" PRIu32 " reservation %" PRIx64 ".%" PRIx64
                 ": held for ever, its deadline was %" PRIu64,
                 item->item_id, index + 1, hold->id.high, hold->id.low, hold->expires_ms);
    if (hold->state != STOCK_STATE_HELD && hold->state != STOCK_STATE_NONE &&
        hold->ended_ms + book.options.tables.retention_ms < before_ms)
        sim_fail("expiry",
                 "item %" PRIu64 " sequence %" PRIu32 " reservation %" PRIx64 ".%" PRIx64
                 ": remembered for ever, it ended at %" PRIu64,
                 item->item_id, index + 1, hold->id.high, hold->id.low, hold->ended_ms);
}

void check_overdue(uint64_t now_ms, uint64_t grace_ms)
{
    const uint64_t before_ms = now_ms > grace_ms ? now_ms - grace_ms : 0;
    for (uint32_t i = 0; i < book.item_count; i++)
        for (uint32_t hold = 0; hold < book.items[i].hold_count; hold++)
            check_overdue_hold(&book.items[i], hold, before_ms);
}

uint64_t check_state_hash(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < book.item_count; i++)
        if (book.items[i].model != NULL)
            sum += stock_model_hash(book.items[i].model);
    return sum;
}
