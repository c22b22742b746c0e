/* Is each answer right at some point of its item's history, and do these points fit together?
 *
 * An item's history is its records in their order; a point is the number of records applied. Each
 * answer was decided at a point: not behind what was on disk when the answer was read (or it was
 * given before what it saw was durable), and not before the points of the answers that were read
 * before it was asked (or somebody saw the past), nor of the calls before it on its connection.
 *
 * The search goes through the points in order and gives each answer the first one that explains it,
 * as soon as all the answers that it must not precede have theirs. That finds a solution if there
 * is one: the only demands between answers are "not before", from earlier questions to later ones,
 * so in any solution each answer can be moved down to the point it is given here without breaking
 * any demand. Answers with a record of their own have no choice: they stand right before it.
 *
 * Updates are the exception: one that finds the item as it wants it needs no record, so an update
 * may be right at one point without and at a later one with a record, and several may explain the
 * same record. It goes to the one that has to be placed soonest. When all of them have their points
 * and the record has nobody, the search begins again with the record given to one of them. */
#include "check_answer.h"

#include "world.h"

#include <inttypes.h>

/* An answer without a point yet. */
struct waiting {
    uint32_t call;
    uint32_t next; /* in order of asking; BOOK_NONE behind the last */
    uint32_t client;
    uint32_t asked_event, answered_event;
    uint32_t known_count; /* its point is not behind this */
    uint32_t since_count; /* its point is not before this; BOOK_NONE: not known yet */
    bool is_placed;
};

/* A call without an answer that binds: it was done once or not at all. */
struct unknown {
    uint32_t call;
    bool is_used;
};

static struct {
    struct stage stage;
    struct waiting *waiting;
    uint32_t waiting_count, waiting_room;
    uint32_t first; /* of the list of those waiting still */
    struct unknown *unknown;
    uint32_t unknown_count, unknown_room;
    uint32_t client_marks[BOOK_CLIENT_COUNT_MAX];
    uint32_t mark; /* of this walk along the list */
} search;

/* ---- an accepted answer and its record ---- */

static uint8_t own_record_type(const struct book_call *call)
{
    static const uint8_t types[] = {STOCK_RECORD_HELD, STOCK_RECORD_CONFIRMED,
                                    STOCK_RECORD_CANCELLED, STOCK_RECORD_EXTENDED,
                                    STOCK_RECORD_NONE};
    if (call->reply.code != STOCK_OK)
        return STOCK_RECORD_NONE;
    if (call->asked.op == HISTORY_ITEM_CREATE)
        return STOCK_RECORD_ITEM_CREATED;
    return call->asked.op == HISTORY_ROW && call->asked.request.op < sizeof types
               ? types[call->asked.request.op]
               : STOCK_RECORD_NONE;
}

static bool is_own_record(const struct book_call *call, uint8_t type,
                          const struct book_record *noted)
{
    if (noted->record.type != type)
        return false;
    if (type == STOCK_RECORD_ITEM_CREATED)
        return true;
    if (type == STOCK_RECORD_EXTENDED &&
        noted->record.hold.expires_ms != call->asked.request.expires_ms)
        return false;
    return id128_equal(noted->record.hold.reservation_id, call->asked.request.reservation_id);
}

/* The one with the answer's sequence number, or else the newest that it may be, or NULL. */
static struct book_record *find_own_record(const struct book_call *call, uint8_t type)
{
    const struct book_item *item = &book.items[call->item];
    struct book_record *newest = NULL;
    for (uint32_t i = item->record_count; i > 0; i--) {
        struct book_record *noted = &book.records[item->records[i - 1]];
        if (noted->life > call->life || !is_own_record(call, type, noted))
            continue;
        if (call->asked.op != HISTORY_ROW || noted->record.hold.sequence == call->reply.sequence)
            return noted;
        if (newest == NULL)
            newest = noted;
    }
    return newest;
}

void check_own_record(uint32_t call_number)
{
    struct book_call *call = &book.calls[call_number];
    const uint8_t type = own_record_type(call);
    if (type == STOCK_RECORD_NONE)
        return;
    struct book_record *noted = find_own_record(call, type);
    if (noted == NULL)
        sim_fail("durability", "%s\n  was answered %s\n  and there is no record of it on the disk",
                 describe_call(call_number), describe_reply(&call->reply));
    if (noted->call != BOOK_NONE || noted->event < call->asked_event)
        sim_fail("exactly-once", "%s\n  was answered %s\n  and it was done before: %s\n  for %s",
                 describe_call(call_number), describe_reply(&call->reply), describe_noted(noted),
                 noted->call == BOOK_NONE ? "another call" : describe_call(noted->call));
    if (call->asked.op == HISTORY_ROW && noted->record.hold.sequence != call->reply.sequence)
        sim_fail("sequence", "%s\n  was answered %s\n  and on the disk is %s",
                 describe_call(call_number), describe_reply(&call->reply), describe_noted(noted));
    noted->call = call_number;
    call->record = (uint32_t)(noted - book.records);
}

/* ---- the list ---- */

/* What a walk along the list in order of asking finds out on its way. */
struct walk {
    uint32_t at;
    uint32_t before;             /* BOOK_NONE: `at` is the first */
    uint32_t answered_event_min; /* of those passed */
};

static struct walk walk_begin(void)
{
    search.mark++;
    return (struct walk){.at = search.first, .before = BOOK_NONE, .answered_event_min = UINT32_MAX};
}

/* Everything from here on was asked after an answer was read that has no point yet. */
static bool walk_is_blocked(const struct walk *walk, uint32_t asked_event)
{
    return walk->answered_event_min < asked_event;
}

/* A call of the same connection that was asked earlier has no point yet. */
static bool is_behind_its_own(uint32_t client)
{
    return search.client_marks[client] == search.mark;
}

/* The filter refuses an item where the request arrives, whatever is on its way to the item's core:
 * a creation too, until it is answered. */
static bool overtakes_its_own(const struct book_call *call)
{
    return call->reply.code == STOCK_UNKNOWN_ITEM;
}

static void walk_pass(struct walk *walk)
{
    const struct waiting *waiting = &search.waiting[walk->at];
    if (waiting->answered_event < walk->answered_event_min)
        walk->answered_event_min = waiting->answered_event;
    search.client_marks[waiting->client] = search.mark;
    walk->before = walk->at;
    walk->at = waiting->next;
}

/* It has its point. */
static void walk_take_out(struct walk *walk)
{
    const uint32_t next = search.waiting[walk->at].next;
    search.waiting[walk->at].is_placed = true;
    if (walk->before == BOOK_NONE)
        search.first = next;
    else
        search.waiting[walk->before].next = next;
    walk->at = next;
}

/* Nothing explains the answer any more; it may be that it had to wait for one of its connection. */
_Noreturn static void report(const struct waiting *waiting)
{
    if (waiting->since_count != BOOK_NONE)
        explain_answer(waiting->call, waiting->since_count, BOOK_NONE);
    uint32_t at = search.first;
    while (search.waiting[at].client != waiting->client)
        at = search.waiting[at].next;
    explain_answer(waiting->call, search.stage.record_count, search.waiting[at].call);
}

/* Gives the point reached to all answers that it explains. */
static void place_answers(void)
{
    const uint32_t point = search.stage.record_count;
    struct walk walk = walk_begin();
    while (walk.at != BOOK_NONE) {
        struct waiting *waiting = &search.waiting[walk.at];
        const struct book_call *call = &book.calls[waiting->call];
        if (walk_is_blocked(&walk, waiting->asked_event))
            break;
        if (!is_behind_its_own(waiting->client) || overtakes_its_own(call)) {
            if (waiting->since_count == BOOK_NONE)
                waiting->since_count = point;
            if (call->record == BOOK_NONE && stage_explains_answer(&search.stage, call)) {
                walk_take_out(&walk);
                continue;
            }
        }
        if (waiting->known_count <= point)
            report(waiting);
        walk_pass(&walk);
    }
}

/* ---- whose record is it? ---- */

/* The answer claims the record, but another one that has no point yet must come first. */
_Noreturn static void report_before(const struct waiting *owner)
{
    uint32_t at = search.first;
    while (search.waiting[at].answered_event >= owner->asked_event &&
           search.waiting[at].client != owner->client)
        at = search.waiting[at].next;
    report(&search.waiting[at]);
}

/* The answer that claims the record stands right before it. */
static void place_owner(const struct book_record *noted)
{
    struct walk walk = walk_begin();
    while (walk.at != BOOK_NONE && search.waiting[walk.at].call != noted->call)
        walk_pass(&walk);
    if (walk.at == BOOK_NONE)
        return; /* its answer does not bind */
    const struct waiting *waiting = &search.waiting[walk.at];
    const struct book_call *call = &book.calls[noted->call];
    if (walk_is_blocked(&walk, waiting->asked_event) || is_behind_its_own(waiting->client))
        report_before(waiting);
    if (!stage_explains_record(&search.stage, call, &noted->record))
        report(waiting);
    walk_take_out(&walk);
}

/* Among the updates that were answered OK, the one with the least time left. */
static bool place_update(const struct book_record *noted)
{
    struct walk best = {.at = BOOK_NONE};
    struct walk walk = walk_begin();
    while (walk.at != BOOK_NONE) {
        const struct waiting *waiting = &search.waiting[walk.at];
        const struct book_call *call = &book.calls[waiting->call];
        if (walk_is_blocked(&walk, waiting->asked_event))
            break;
        if (call->asked.op == HISTORY_ITEM_UPDATE && !is_behind_its_own(waiting->client) &&
            (best.at == BOOK_NONE || waiting->known_count < search.waiting[best.at].known_count) &&
            stage_explains_record(&search.stage, call, &noted->record))
            best = walk;
        walk_pass(&walk);
    }
    if (best.at == BOOK_NONE)
        return false;
    walk_take_out(&best);
    return true;
}

/* An update that was given a point at which it changed nothing may have made this record instead:
 * from now on it is its own. What was asked after its answer was read saw the record anyway. */
static bool give_to_placed_update(struct book_record *noted)
{
    struct waiting *best = NULL;
    for (uint32_t i = 0; i < search.waiting_count; i++) {
        struct waiting *waiting = &search.waiting[i];
        const struct book_call *call = &book.calls[waiting->call];
        if (waiting->is_placed && call->asked.op == HISTORY_ITEM_UPDATE &&
            call->record == BOOK_NONE && waiting->known_count > search.stage.record_count &&
            call->asked_event < noted->event &&
            (best == NULL || waiting->known_count < best->known_count) &&
            stage_explains_record(&search.stage, call, &noted->record))
            best = waiting;
    }
    if (best == NULL)
        return false;
    noted->call = best->call;
    book.calls[best->call].record = (uint32_t)(noted - book.records);
    return true;
}

/* One look before the model is asked. */
static bool may_make(const struct history_call *asked, const struct stock_record *record)
{
    static const uint8_t types[] = {STOCK_RECORD_HELD, STOCK_RECORD_CONFIRMED,
                                    STOCK_RECORD_CANCELLED, STOCK_RECORD_EXTENDED,
                                    STOCK_RECORD_NONE};
    switch (asked->op) {
    case HISTORY_ITEM_CREATE:
        return record->type == STOCK_RECORD_ITEM_CREATED;
    case HISTORY_ITEM_UPDATE:
        return record->type == STOCK_RECORD_ITEM_UPDATED;
    case HISTORY_ITEM_GET:
        return false;
    default:
        return asked->request.op < sizeof types && record->type == types[asked->request.op] &&
               id128_equal(record->hold.reservation_id, asked->request.reservation_id);
    }
}

/* A call without an answer that binds did it: the one with the least time left to be done, and of
 * those the one that was asked first, which the fewest answers precede. Calls of another life of
 * the server, or that were asked later, can't have. */
static bool use_unknown(const struct book_record *noted)
{
    struct walk walk = walk_begin();
    struct unknown *best = NULL;
    for (uint32_t i = 0; i < search.unknown_count; i++) {
        struct unknown *unknown = &search.unknown[i];
        const struct book_call *call = &book.calls[unknown->call];
        if (call->asked_event > noted->event)
            break;
        while (walk.at != BOOK_NONE && search.waiting[walk.at].asked_event < call->asked_event)
            walk_pass(&walk);
        if (walk_is_blocked(&walk, call->asked_event))
            break;
        if (!unknown->is_used && call->life == noted->life &&
            may_make(&call->asked, &noted->record) && !is_behind_its_own(call->asked.client) &&
            (best == NULL || call->to_ms < book.calls[best->call].to_ms) &&
            stage_explains_record(&search.stage, call, &noted->record))
            best = unknown;
    }
    if (best != NULL)
        best->is_used = true;
    return best != NULL;
}

/* Can this call have met the hold, overdue, and made the record of its expiry? */
static bool may_have_met(const struct book_call *call, const struct book_record *noted)
{
    return call->asked.op == HISTORY_ROW && call->life == noted->life &&
           call->asked_event < noted->event && call->from_ms <= noted->record.time_ms &&
           id128_equal(call->asked.request.reservation_id, noted->record.hold.reservation_id) &&
           (!book_is_binding(call) ||
            (call->to_ms >= noted->record.time_ms && call->reply.state == STOCK_STATE_EXPIRED));
}

/* Holds of one item with the same deadline expire in the order of their numbers, but for one whose
 * expiry somebody met who asked about it. */
static void check_expiry_order(const struct book_record *noted)
{
    const struct stock_record *record = &noted->record;
    struct stock_record due;
    if (!stock_model_decide_due(search.stage.model, record->time_ms, &due) ||
        due.type != STOCK_RECORD_EXPIRED || due.hold.expires_ms != record->hold.expires_ms ||
        due.hold.sequence >= record->hold.sequence)
        return;
    for (uint32_t i = search.stage.item->first_call; i != BOOK_NONE; i = book.calls[i].next_of_item)
        if (may_have_met(&book.calls[i], noted))
            return;
    sim_fail("expiry", "%s\n  came before\n  %s", describe_noted(noted), describe_record(&due));
}

/* False when the search has to begin again. */
static bool place_record(struct book_record *noted)
{
    bool is_explained = true;
    if (noted->call != BOOK_NONE && book_is_binding(&book.calls[noted->call])) {
        place_owner(noted);
    } else if (noted->record.type == STOCK_RECORD_EXPIRED) {
        check_expiry_order(noted);
    } else if (noted->record.type == STOCK_RECORD_ITEM_UPDATED) {
        is_explained = place_update(noted);
        if (!is_explained && give_to_placed_update(noted))
            return false;
        is_explained = is_explained || use_unknown(noted);
    } else if (noted->record.type != STOCK_RECORD_FORGOTTEN) {
        is_explained = use_unknown(noted);
    }
    if (!is_explained)
        sim_fail("exactly-once",
                 "%s\n  no call that may have been done so asked for it (known at event %" PRIu32
                 ", life %" PRIu32 ")",
                 describe_noted(noted), noted->event, noted->life);
    return true;
}

/* ---- the search ---- */

/* Without sync an answer may depend on all that its life wrote in the end. */
static uint32_t known_count(const struct book_item *item, const struct book_call *call)
{
    if (book.options.is_sync)
        return call->known_count;
    uint32_t count = item->record_count;
    while (count > 0 && book.records[item->records[count - 1]].life > call->life)
        count--;
    return count;
}

static void add_waiting(const struct book_item *item, uint32_t call_number)
{
    const struct book_call *call = &book.calls[call_number];
    search.waiting = book_room(search.waiting, sizeof *search.waiting, search.waiting_count,
                               &search.waiting_room);
    if (search.waiting_count == 0)
        search.first = 0;
    else
        search.waiting[search.waiting_count - 1].next = search.waiting_count;
    search.waiting[search.waiting_count++] = (struct waiting){
        .call = call_number,
        .next = BOOK_NONE,
        .client = call->asked.client,
        .asked_event = call->asked_event,
        .answered_event = call->answered_event,
        .known_count = known_count(item, call),
        .since_count = BOOK_NONE,
    };
}

static void add_unknown(uint32_t call_number)
{
    search.unknown = book_room(search.unknown, sizeof *search.unknown, search.unknown_count,
                               &search.unknown_room);
    search.unknown[search.unknown_count++] = (struct unknown){.call = call_number};
}

static void collect(const struct book_item *item)
{
    search.first = BOOK_NONE;
    search.waiting_count = 0;
    search.unknown_count = 0;
    for (uint32_t i = item->first_call; i != BOOK_NONE; i = book.calls[i].next_of_item) {
        const struct book_call *call = &book.calls[i];
        if (call->state == BOOK_CALL_ANSWERED && !book_code_is_decided(call->reply.code))
            continue; /* it was not looked at */
        if (!book_is_binding(call)) {
            add_unknown(i);
            continue;
        }
        if (answer_needs_no_state(call))
            continue;
        if (!book.options.is_sync && call->record == BOOK_NONE)
            check_own_record(i);
        add_waiting(item, i);
    }
}

/* False when it has to begin again. */
static bool search_item(const struct book_item *item)
{
    bool is_going_on = true;
    collect(item);
    stage_open(&search.stage, item);
    place_answers();
    while (is_going_on && stage_next_record(&search.stage) != NULL) {
        is_going_on = place_record(stage_next_record(&search.stage));
        if (is_going_on) {
            stage_advance(&search.stage);
            place_answers();
        }
    }
    stage_close(&search.stage);
    return is_going_on;
}

void check_answers(void)
{
    for (uint32_t i = 0; i < book.item_count; i++)
        while (!search_item(&book.items[i])) {
        }
}
