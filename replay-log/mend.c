#include "mend.h"

#include "allocate.h"
#include "record_print.h"
#include "replay.h"
#include "walk.h"

#include "base/assert.h"

#include <stdlib.h>

/* The holds that were open before the hole are collected when they are first needed, by walking the
 * state: at most so often for a log, because a log with very many holes is not worth more. */
enum { COLLECT_COUNT_MAX = 64 };

struct mend_hold {
    uint64_t expires_ms;
    uint64_t item_id;
    struct id128 id;
};

/* ---- life ---- */

void mend_begin(struct mend *mend, struct stock *stock, struct plan *plan,
                const struct mend_handler *handler)
{
    *mend = (struct mend){.stock = stock, .plan = plan, .handler = handler};
}

void mend_end(struct mend *mend)
{
    free(mend->holds);
    mend->holds = NULL;
}

void mend_begin_log(struct mend *mend, const struct data_log *log)
{
    mend->log = log;
    mend->wanting = (struct wanting){
        .data = mend->plan->data, .log = log, .has_snapshot = mend->plan->has_snapshot};
    mend->has_hole = false;
    mend->hole_ms = 0;
    mend->hold_count = mend->hold_next = 0;
    mend->is_collected = false;
    mend->collect_count = 0;
    mend->taken_count = 0;
    mend->dropped_count = 0;
    mend->last_lsn = plan_start(plan_source(mend->plan, log)).next_lsn - 1;
}

void mend_hole(struct mend *mend, uint64_t lsn_count, uint64_t before_ms)
{
    mend->lost_lsn_count += lsn_count;
    mend->has_hole = true;
    mend->hole_ms = before_ms;
    mend->is_collected = false;
}

/* ---- what is made up ---- */

static void commit(struct mend *mend, struct stock_record *record)
{
    hf_assert(stock_check(mend->stock, record) == NULL);
    stock_commit(mend->stock, record);
}

/* A hold as it is now. False when it is not known. */
static bool find_hold(const struct mend *mend, uint64_t item_id, struct id128 id,
                      struct stock_reply *reply_out)
{
    struct stock_record record;
    struct stock_request request = {.op = STOCK_OP_GET, .item_id = item_id, .reservation_id = id};
    stock_prepare(mend->stock, &request, 1);
    stock_decide(mend->stock, &request, 0, reply_out, &record);
    return reply_out->state != STOCK_STATE_NONE;
}

static struct stock_record record_of(uint8_t type, uint64_t item_id, struct id128 id,
                                     const struct stock_reply *hold, uint64_t time_ms)
{
    return (struct stock_record){
        .type = type,
        .time_ms = time_ms,
        .hold = {.item_id = item_id,
                 .reservation_id = id,
                 .buyer_id = hold->buyer_id,
                 .sequence = hold->sequence,
                 .expires_ms = hold->expires_ms,
                 .user_data = hold->user_data,
                 .quantity = hold->quantity},
    };
}

/* Nobody's hold of one unit, and gone again, for each number. The item is without a limit
 * meanwhile, so that there is a unit. */
static void pass_sequences(struct mend *mend, const struct stock_item_view *item, uint64_t end,
                           uint64_t time_ms)
{
    struct stock_record settings = {
        .type = STOCK_RECORD_ITEM_UPDATED, .time_ms = time_ms, .item = item->settings};
    settings.item.stock = STOCK_UNLIMITED;
    commit(mend, &settings);
    for (uint64_t sequence = item->next_sequence; sequence < end; sequence++) {
        struct stock_record record = {
            .type = STOCK_RECORD_HELD,
            .time_ms = time_ms,
            .hold = {.item_id = item->settings.item_id,
                     .reservation_id = {.high = UINT64_MAX, .low = UINT64_MAX},
                     .sequence = sequence,
                     .expires_ms = time_ms + 1,
                     .quantity = 1},
        };
        commit(mend, &record);
        record.type = STOCK_RECORD_CANCELLED;
        commit(mend, &record);
        record.type = STOCK_RECORD_FORGOTTEN;
        commit(mend, &record);
    }
    settings.item.stock = item->settings.stock;
    commit(mend, &settings);
}

static bool may_pass_sequences(const struct mend *mend, const struct stock_record *record)
{
    struct stock_reply other;
    const struct id128 passing = {.high = UINT64_MAX, .low = UINT64_MAX};
    return record->time_ms < STOCK_TIME_MS_MAX &&
           !find_hold(mend, record->hold.item_id, passing, &other);
}

/* True when the hold is now the item's next one. */
static bool pass_lost_holds(struct mend *mend, const struct stock_record *record)
{
    struct stock_item_view item;
    const uint64_t sequence = record->hold.sequence;
    if (!stock_item_find(mend->stock, record->hold.item_id, &item) ||
        sequence <= item.next_sequence || sequence - item.next_sequence > mend->lost_lsn_count ||
        !may_pass_sequences(mend, record))
        return false;
    pass_sequences(mend, &item, sequence, record->time_ms);
    mend->handler->lost_holds(mend->handler->context, record->hold.item_id, item.next_sequence,
                              sequence - 1);
    return true;
}

/* The hold was not taken; the next one can be. */
static void pass_dropped_hold(struct mend *mend, const struct stock_record *record)
{
    struct stock_item_view item;
    if (stock_item_find(mend->stock, record->hold.item_id, &item) &&
        record->hold.sequence == item.next_sequence && may_pass_sequences(mend, record))
        pass_sequences(mend, &item, record->hold.sequence + 1, record->time_ms);
}

/* True when the hold has now the deadline that the record names. */
static bool take_over_deadline(struct mend *mend, const struct stock_record *record)
{
    const struct stock_hold_event *hold = &record->hold;
    struct stock_reply found;
    if (!find_hold(mend, hold->item_id, hold->reservation_id, &found) ||
        found.state != STOCK_STATE_HELD || hold->expires_ms <= found.expires_ms)
        return false;
    const uint64_t last_ms = found.expires_ms - 1;
    struct stock_record extended =
        record_of(STOCK_RECORD_EXTENDED, hold->item_id, hold->reservation_id, &found,
                  record->time_ms < last_ms ? record->time_ms : last_ms);
    extended.hold.expires_ms = hold->expires_ms;
    if (stock_check(mend->stock, &extended) != NULL)
        return false;
    stock_commit(mend->stock, &extended);
    mend->handler->made(mend->handler->context, &extended);
    return true;
}

/* ---- holds whose end is lost ---- */

static bool collect_hold(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                         uint32_t entry_bytes)
{
    struct mend *mend = context;
    const struct stock_wanted wanted = wanting_of(&mend->wanting);
    const struct stock_reservation_entry *reservation = &entry->reservation;
    (void)bytes;
    (void)entry_bytes;
    if (entry->type != STOCK_ENTRY_RESERVATION || reservation->state != STOCK_STATE_HELD ||
        reservation->set_ms > mend->hole_ms ||
        !wanted.is_wanted(wanted.context, reservation->hold.item_id))
        return true;
    mend->holds = with_room(mend->holds, mend->hold_count, &mend->hold_room, sizeof mend->holds[0]);
    mend->holds[mend->hold_count++] = (struct mend_hold){
        .expires_ms = reservation->hold.expires_ms,
        .item_id = reservation->hold.item_id,
        .id = reservation->hold.reservation_id,
    };
    return true;
}

static int by_deadline(const void *a, const void *b)
{
    const struct mend_hold *left = a;
    const struct mend_hold *right = b;
    return left->expires_ms < right->expires_ms ? -1 : left->expires_ms > right->expires_ms;
}

/* Items of other cores are met in the walk too. */
static void collect_holds(struct mend *mend)
{
    const bool has_misplaced = mend->wanting.has_misplaced;
    mend->hold_count = mend->hold_next = 0;
    mend->is_collected = true;
    mend->collect_count++;
    (void)walk_state(mend->stock, collect_hold, mend);
    mend->wanting.has_misplaced = has_misplaced;
    if (mend->hold_count > 0)
        qsort(mend->holds, mend->hold_count, sizeof mend->holds[0], by_deadline);
}

static bool expire(struct mend *mend, const struct mend_hold *hold, uint64_t time_ms)
{
    struct stock_reply found;
    if (!find_hold(mend, hold->item_id, hold->id, &found) || found.state != STOCK_STATE_HELD)
        return false;
    struct stock_record record =
        record_of(STOCK_RECORD_EXPIRED, hold->item_id, hold->id, &found, time_ms);
    if (stock_check(mend->stock, &record) != NULL)
        return false; /* it was extended since */
    stock_commit(mend->stock, &record);
    mend->handler->made(mend->handler->context, &record);
    return true;
}

/* True when units have come free. */
static bool expire_overdue(struct mend *mend, uint64_t time_ms)
{
    bool is_any = false;
    if (!mend->has_hole || time_ms > STOCK_TIME_MS_MAX)
        return false;
    if (!mend->is_collected && mend->collect_count < COLLECT_COUNT_MAX)
        collect_holds(mend);
    while (mend->hold_next < mend->hold_count && mend->holds[mend->hold_next].expires_ms <= time_ms)
        is_any |= expire(mend, &mend->holds[mend->hold_next++], time_ms);
    return is_any;
}

/* The record tells what was made up for already. */
static bool is_known(const struct mend *mend, const struct stock_record *record)
{
    struct stock_reply found;
    return record->type == STOCK_RECORD_EXPIRED && mend->has_hole &&
           find_hold(mend, record->hold.item_id, record->hold.reservation_id, &found) &&
           found.state == STOCK_STATE_EXPIRED && found.sequence == record->hold.sequence;
}

/* ---- records ---- */

/* NULL when the record was taken. */
static const char *take_if_mended(struct mend *mend, struct stock_record *record)
{
    const char *wrong = stock_check(mend->stock, record);
    const bool needs_units =
        record->type == STOCK_RECORD_HELD || record->type == STOCK_RECORD_ITEM_UPDATED;
    if (wrong != NULL && record->type == STOCK_RECORD_HELD && pass_lost_holds(mend, record))
        wrong = stock_check(mend->stock, record);
    if (wrong != NULL && !stock_record_is_of_item(record) && take_over_deadline(mend, record)) {
        if (record->type == STOCK_RECORD_EXTENDED)
            return NULL; /* that was it */
        wrong = stock_check(mend->stock, record);
    }
    if (wrong != NULL && needs_units && expire_overdue(mend, record->time_ms))
        wrong = stock_check(mend->stock, record);
    if (wrong != NULL && is_known(mend, record))
        return NULL;
    if (wrong == NULL)
        stock_commit(mend->stock, record);
    return wrong;
}

static void drop(struct mend *mend, uint64_t lsn, const struct stock_record *record,
                 const char *reason)
{
    mend->dropped_count++;
    mend->handler->dropped(mend->handler->context, mend->log, lsn, record, reason);
}

/* The record that was refused. */
static void take_one(struct mend *mend, uint64_t lsn, const uint8_t *bytes)
{
    struct stock_record record;
    const char *wrong = stock_record_decode(bytes, log_record_bytes(bytes), &record);
    if (wrong != NULL) {
        drop(mend, lsn, NULL, wrong);
        return;
    }
    wrong = take_if_mended(mend, &record);
    mend->is_full |= wrong == stock_check_full;
    if (wrong == NULL) {
        mend->taken_count++;
        return;
    }
    drop(mend, lsn, &record, wrong);
    if (record.type == STOCK_RECORD_HELD)
        pass_dropped_hold(mend, &record);
}

/* Records of items that belong to other cores were passed over. */
static void drop_misplaced(struct mend *mend, const struct log_group *group)
{
    uint64_t lsn = group->first_lsn;
    for (const uint8_t *bytes = group->records; bytes != NULL;
         bytes = log_record_next(group, bytes), lsn++) {
        struct stock_record record;
        if (stock_record_decode(bytes, log_record_bytes(bytes), &record) == NULL &&
            data_owner(mend->plan->data, mend->log->era_index, stock_record_item_id(&record)) !=
                mend->log->core)
            drop(mend, lsn, &record, replay_misplaced);
    }
}

void mend_group(struct mend *mend, const struct log_group *group)
{
    struct stock_records rest = {
        .from = group->records, .bytes = group->records_bytes, .count = group->record_count};
    uint64_t lsn = group->first_lsn;
    mend->wanting.has_misplaced = false;
    while (rest.count > 0 && !mend->is_full) {
        struct stock_replayed replayed;
        const char *wrong = stock_replay(mend->stock, &rest, wanting_of(&mend->wanting), &replayed);
        mend->taken_count += replayed.committed_count;
        if (wrong == NULL)
            break;
        for (uint32_t i = 0; i < replayed.read_count; i++) {
            const uint32_t bytes = log_record_bytes(rest.from);
            rest.from += bytes;
            rest.bytes -= bytes;
        }
        lsn += replayed.read_count;
        take_one(mend, lsn, rest.from);
        rest.count -= replayed.read_count + 1;
        rest.bytes -= log_record_bytes(rest.from);
        rest.from += log_record_bytes(rest.from);
        lsn++;
    }
    if (mend->wanting.has_misplaced)
        drop_misplaced(mend, group);
    mend->has_misplaced |= mend->wanting.has_misplaced;
    mend->last_lsn = group->first_lsn + group->record_count - 1;
}
