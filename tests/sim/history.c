/* Keeps the book. What can be said of a call or a record when it comes is checked at once; the
 * answers are matched with the records at the end of the run (check_answer.c), when all are there:
 * matching costs the same whenever it is done, and nothing that comes later makes a wrong history
 * right. */
#include "history_private.h"

#include "witness.h"
#include "world.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* The engine's clocks are steered by at most 500 ppm. Two cores differ by what each has been
     * steered, at most, since they began together. */
    STEER_NS_PER_MS_APART = 1000,
    ITEM_SLOT_COUNT_MIN = 64,
};

struct book book;

/* ---- arrays ---- */

void *book_room(void *array, size_t element_bytes, uint32_t count, uint32_t *room)
{
    if (count < *room)
        return array;
    *room = *room == 0 ? 16 : *room * 2;
    void *grown = realloc(array, *room * element_bytes);
    hf_assert(grown != NULL);
    return grown;
}

/* ---- items ---- */

struct stock_model *book_new_model(void)
{
    struct stock_options options = book.options.tables;
    options.item_count_max = STOCK_TABLE_COUNT_MAX;
    options.reservation_count_max = STOCK_TABLE_COUNT_MAX;
    options.buyer_count_max = STOCK_TABLE_COUNT_MAX;
    return stock_model_create(&options);
}

static uint32_t *item_slot(uint64_t item_id)
{
    uint32_t at = (uint32_t)(item_id * 0x9E3779B97F4A7C15u >> 32);
    while (true) {
        uint32_t *slot = &book.slots[at & (book.slot_count - 1)];
        if (*slot == 0 || book.items[*slot - 1].item_id == item_id)
            return slot;
        at++;
    }
}

static void make_slots(uint32_t slot_count)
{
    free(book.slots);
    book.slots = calloc(slot_count, sizeof *book.slots);
    hf_assert(book.slots != NULL);
    book.slot_count = slot_count;
    for (uint32_t i = 0; i < book.item_count; i++)
        *item_slot(book.items[i].item_id) = i + 1;
}

uint32_t book_item(uint64_t item_id)
{
    uint32_t *slot = item_slot(item_id);
    if (*slot != 0)
        return *slot - 1;
    book.items = book_room(book.items, sizeof *book.items, book.item_count, &book.item_room);
    book.items[book.item_count] =
        (struct book_item){.item_id = item_id, .first_call = BOOK_NONE, .last_call = BOOK_NONE};
    *slot = ++book.item_count;
    if (book.item_count * 2 > book.slot_count)
        make_slots(book.slot_count * 2);
    return book.item_count - 1;
}

static void free_item(struct book_item *item)
{
    free(item->records);
    free(item->holds);
    stock_model_destroy(&item->model);
    check_saved_free(item);
}

/* ---- records ---- */

void book_note_record(const struct stock_record *record, uint64_t era, uint32_t core)
{
    const uint32_t item_number = book_item(stock_record_item_id(record));
    struct book_item *item = &book.items[item_number];
    book.records =
        book_room(book.records, sizeof *book.records, book.record_count, &book.record_room);
    struct book_record *noted = &book.records[book.record_count];
    *noted = (struct book_record){
        .record = *record,
        .era = era,
        .core = core,
        .item = item_number,
        .life = book.record_life,
        .event = book.event++,
        .call = BOOK_NONE,
    };
    if (item->model == NULL)
        item->model = book_new_model();
    check_record(item, noted);
    item->records =
        book_room(item->records, sizeof *item->records, item->record_count, &item->record_room);
    item->records[item->record_count++] = book.record_count++;
    book.counts.records++;
    book.counts.record_types[record->type % (sizeof book.counts.record_types / sizeof(uint64_t))]++;
}

/* ---- calls ---- */

static uint64_t item_of(const struct history_call *call)
{
    return call->op == HISTORY_ROW ? call->request.item_id : call->settings.item_id;
}

/* The earliest time that the core which decides may read: its clock may be behind the others'. */
static uint64_t earliest_ms(uint64_t engine_now_ms)
{
    if (witness_core_count() <= 1)
        return engine_now_ms;
    const uint64_t apart_ms =
        1 + (sim_now_ns() - book.life_began_ns) / SIM_MS * STEER_NS_PER_MS_APART / SIM_MS;
    return engine_now_ms > apart_ms ? engine_now_ms - apart_ms : 0;
}

uint32_t history_ask(const struct history_call *call, uint64_t engine_now_ms)
{
    hf_assert(call->client < BOOK_CLIENT_COUNT_MAX);
    const uint32_t number = book.call_count;
    const uint32_t item_number = book_item(item_of(call));
    struct book_item *item = &book.items[item_number];
    book.calls = book_room(book.calls, sizeof *book.calls, book.call_count, &book.call_room);
    struct book_call *noted = &book.calls[book.call_count++];
    memset(noted, 0, sizeof *noted);
    noted->asked = *call;
    noted->item = item_number;
    noted->life = book.life;
    noted->was_served = book.is_served;
    noted->next_of_item = BOOK_NONE;
    noted->asked_event = book.event++;
    noted->record = BOOK_NONE;
    noted->from_ms = earliest_ms(engine_now_ms);
    noted->to_ms = STOCK_TIME_MS_MAX;
    noted->asked_ns = sim_now_ns();
    if (item->first_call == BOOK_NONE)
        item->first_call = number;
    else
        book.calls[item->last_call].next_of_item = number;
    item->last_call = number;
    book.counts.calls++;
    return number;
}

static void check_view(uint32_t call_number, const struct stock_item_view *view)
{
    const int64_t stock = view->settings.stock;
    const bool adds_up =
        stock == STOCK_UNLIMITED
            ? view->available == STOCK_UNLIMITED
            : view->available >= 0 && view->held <= (uint64_t)stock &&
                  view->sold <= (uint64_t)stock &&
                  (uint64_t)view->available + view->held + view->sold == (uint64_t)stock;
    if (!adds_up)
        sim_fail("conservation", "%s\n  was told of %s", describe_call(call_number),
                 describe_view(view));
}

static struct book_call *open_call(uint32_t call_number)
{
    hf_assert(call_number < book.call_count);
    struct book_call *call = &book.calls[call_number];
    if (call->state == BOOK_CALL_ANSWERED)
        sim_fail("answered", "%s\n  is answered a second time", describe_call(call_number));
    hf_assert(call->state == BOOK_CALL_OPEN);
    return call;
}

static void note_time(uint64_t engine_now_ms)
{
    if (engine_now_ms > book.latest_ms)
        book.latest_ms = engine_now_ms;
}

void history_answer(uint32_t call_number, const struct stock_reply *reply,
                    const struct stock_item_view *view, uint64_t engine_now_ms)
{
    struct book_call *call = open_call(call_number);
    const bool is_accepted = reply->code == STOCK_OK || reply->code == STOCK_DUPLICATE;
    call->state = BOOK_CALL_ANSWERED;
    call->reply = *reply;
    call->has_view = view != NULL;
    if (view != NULL)
        call->view = *view;
    call->answered_event = book.event++;
    note_time(engine_now_ms);
    call->to_ms = book.latest_ms; /* the server may have stopped since it answered */
    call->known_count = book.items[call->item].record_count;
    book.counts.answers++;
    book.counts.accepted += is_accepted;
    book.counts.refused += !is_accepted;
    book.counts.codes[reply->code % (sizeof book.counts.codes / sizeof *book.counts.codes)]++;
    if (view != NULL)
        check_view(call_number, view);
    if (!book_code_is_decided(reply->code))
        check_unseen(call_number);
    if (book.options.is_sync)
        check_own_record(call_number);
}

void history_give_up(uint32_t call_number)
{
    open_call(call_number)->state = BOOK_CALL_GIVEN_UP;
    book.counts.unknown++;
}

void history_hear_of_log(uint32_t core, uint64_t last_lsn)
{
    if (book.options.is_sync && last_lsn > witness_last_lsn(core))
        sim_fail("durability",
                 "core %" PRIu32 " tells of LSN %" PRIu64 ", and the disk has those up to %" PRIu64,
                 core, last_lsn, witness_last_lsn(core));
}

/* ---- snapshots ---- */

/* The server that answered is still there, and has a log. */
static bool is_to_be_checked(uint32_t life)
{
    return life == book.life && book.is_served && !book.options.is_off;
}

struct history_snapshot_ask history_ask_snapshot(uint32_t core)
{
    const bool is_known = book.is_served && !book.options.is_off; /* which era is the newest */
    const uint64_t lsn = is_known ? witness_newest_lsn(core) : 0;
    return (struct history_snapshot_ask){.lsn = lsn, .event = book.event++, .life = book.life};
}

void history_hear_of_snapshot(uint32_t core, const struct history_snapshot_ask *ask, uint64_t lsn,
                              const struct history_snapshot *told)
{
    if (!is_to_be_checked(ask->life))
        return;
    if (lsn < ask->lsn)
        sim_fail("snapshot",
                 "core %" PRIu32 " was asked for a snapshot at LSN %" PRIu64
                 ", and tells of the one at %" PRIu64,
                 core, ask->lsn, lsn);
    witness_check_told(core, lsn, told);
}

void history_hear_of_no_snapshot(uint32_t core, const struct history_snapshot_ask *ask)
{
    if (is_to_be_checked(ask->life))
        witness_check_untaken(core, ask->event);
}

struct history_piece_ask history_ask_piece(uint32_t core, uint64_t lsn)
{
    struct history_piece_ask ask = {.life = book.life, .asked_ns = sim_now_ns()};
    if (book.is_served && !book.options.is_off)
        ask.number = witness_ask_piece(core, lsn, &ask.is_there);
    return ask;
}

void history_hear_of_piece(uint32_t core, const struct history_piece_ask *ask,
                           const struct history_piece *piece)
{
    if (is_to_be_checked(ask->life))
        witness_check_piece(core, ask, piece);
}

void history_hear_of_no_piece(uint32_t core, const struct history_piece_ask *ask)
{
    if (is_to_be_checked(ask->life))
        witness_check_unread(core);
}

void history_hear_of_unknown_snapshot(uint32_t core, const struct history_piece_ask *ask,
                                      uint64_t lsn)
{
    if (is_to_be_checked(ask->life) && ask->is_there)
        witness_check_unknown(core, lsn);
}

bool book_code_is_decided(uint8_t code)
{
    switch (code) {
    case STOCK_RATE_LIMITED:
    case STOCK_OVERLOADED:
    case STOCK_TICKET:
    case STOCK_READ_ONLY:
    case STOCK_DEADLINE:
    case STOCK_LOADING:
    case STOCK_UNAUTHENTICATED:
    case STOCK_FORBIDDEN:
        return false;
    default:
        return true;
    }
}

bool book_is_binding(const struct book_call *call)
{
    return call->state == BOOK_CALL_ANSWERED &&
           (book.options.is_sync || book.life_was_clean[call->life]);
}

/* ---- the server's life ---- */

static void check_hash(uint64_t state_hash, const char *when)
{
    const uint64_t model_hash = check_state_hash();
    if (state_hash != model_hash)
        sim_fail("replay",
                 "the state has the hash %016" PRIx64 " %s, and the records on the disk (%" PRIu32
                 ") make %016" PRIx64,
                 state_hash, when, book.record_count, model_hash);
}

static void note_life(bool is_clean)
{
    book.life_was_clean =
        book_room(book.life_was_clean, sizeof *book.life_was_clean, book.life, &book.life_room);
    book.life_was_clean[book.life] = is_clean;
}

void history_server_ended(bool is_clean, uint64_t state_hash, uint64_t engine_now_ms)
{
    book.is_served = false;
    note_time(engine_now_ms);
    note_life(is_clean);
    if (is_clean && state_hash != 0 && !book.options.is_off)
        check_hash(state_hash, "at the stop");
}

void history_server_starts(void)
{
    book.is_served = false;
    sim_diag_forget();
    witness_look_again();
    book.life++;
    note_life(false);
    book.life_began_ns = sim_now_ns();
}

void history_server_serves(void)
{
    book.is_served = true;
}

void history_check_stopped(void)
{
    if (!book.options.is_off)
        witness_check_stopped();
}

void history_check_rested(const struct history_rest *rest)
{
    if (!book.options.is_off)
        witness_check_rested(rest);
}

void history_spoil(const char *path, bool is_spoilt)
{
    witness_spoil(path, is_spoilt);
}

void history_server_started(uint64_t state_hash)
{
    witness_read_again();
    book.record_life = book.life;
    if (book.options.is_off)
        return;
    witness_check_trusted();
    check_hash(state_hash, "after the start");
}

uint64_t history_last_time_ms(void)
{
    return witness_last_time_ms();
}

/* ---- the run ---- */

void history_begin(const struct history_options *options)
{
    for (uint32_t i = 0; i < book.item_count; i++)
        free_item(&book.items[i]);
    book.options = *options;
    book.event = 1;
    book.life = 0;
    book.record_life = 0;
    book.is_served = false;
    book.life_began_ns = 0;
    book.latest_ms = 0;
    book.call_count = 0;
    book.record_count = 0;
    book.item_count = 0;
    memset(&book.counts, 0, sizeof book.counts);
    note_life(false);
    make_slots(ITEM_SLOT_COUNT_MIN);
    check_table_begin();
    witness_begin();
}

static void check_all_answered(void)
{
    for (uint32_t i = 0; i < book.call_count; i++)
        if (book.calls[i].state == BOOK_CALL_OPEN)
            sim_fail("answered", "%s\n  was neither answered nor broken off", describe_call(i));
}

void history_end(uint64_t engine_now_ms, uint64_t grace_ms)
{
    check_all_answered();
    if (book.options.is_off)
        return;
    check_overdue(engine_now_ms, grace_ms);
    check_answers();
}

struct history_counts history_counts(void)
{
    return book.counts;
}
