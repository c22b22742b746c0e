#include "run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_COUNT = 3 };

/* ---- findings ---- */

__attribute__((format(printf, 3, 4))) static bool find(struct run *run, const char *check,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    snprintf(run->finding.check, sizeof run->finding.check, "%s", check);
    vsnprintf(run->finding.text, sizeof run->finding.text, format, arguments);
    va_end(arguments);
    run->finding.op_index = run->counts.operations;
    return false;
}

static bool same(struct run *run, const char *check, const char *what, uint64_t engine,
                 uint64_t model)
{
    if (engine == model)
        return true;
    snprintf(run->finding.what, sizeof run->finding.what, "%s", what);
    run->finding.expected = model;
    return find(run, check, "%s is %" PRIi64 ", the model says %" PRIi64, what, (int64_t)engine,
                (int64_t)model);
}

/* ---- life ---- */

bool run_begin(struct run *run, const struct run_options *options)
{
    struct stock_options twin_options = options->tables;
    twin_options.hash_key = ~twin_options.hash_key;
    *run = (struct run){
        .options = *options,
        .stock = stock_create(&options->tables),
        .twin = stock_create(&twin_options),
        .model = stock_model_create(&options->tables),
        .now_ms = options->start_ms,
    };
    if (run->stock != NULL && run->twin != NULL)
        return true;
    run_end(run);
    return false;
}

void run_end(struct run *run)
{
    stock_destroy(&run->stock);
    stock_destroy(&run->twin);
    stock_model_destroy(&run->model);
    free(run->log);
    run->log = NULL;
}

/* ---- comparing ---- */

#define REPLY_FIELDS(X)                                                                            \
    X(code)                                                                                        \
    X(state)                                                                                       \
    X(invalid_field)                                                                               \
    X(quantity)                                                                                    \
    X(quantity_confirmed)                                                                          \
    X(sequence)                                                                                    \
    X(expires_ms)                                                                                  \
    X(available)                                                                                   \
    X(seen_lsn)                                                                                    \
    X(buyer_id)                                                                                    \
    X(user_data)                                                                                   \
    X(created_ms)

static bool same_reply(struct run *run, const struct stock_reply *expected)
{
    const struct stock_reply *reply = &run->reply;
    if (reply->code != expected->code)
        return find(run, "reply", "the answer is %s, the model says %s",
                    stock_code_name(reply->code), stock_code_name(expected->code));
#define REPLY_COMPARE(field)                                                                       \
    if (!same(run, "reply", #field, (uint64_t)reply->field, (uint64_t)expected->field))            \
        return false;
    REPLY_FIELDS(REPLY_COMPARE)
#undef REPLY_COMPARE
    return true;
}

/* By their bytes: the LSN and the hints are the engine's own. */
static bool same_record(struct run *run, const struct stock_record *expected)
{
    const struct stock_record *record = &run->record;
    if (record->type != expected->type)
        return find(run, "record", "the record is %s, the model says %s",
                    stock_record_type_name(record->type), stock_record_type_name(expected->type));
    if (record->type == STOCK_RECORD_NONE)
        return true;
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    uint8_t expected_bytes[STOCK_RECORD_BYTES_MAX];
    uint32_t length = stock_record_encode(record, bytes);
    uint32_t expected_length = stock_record_encode(expected, expected_bytes);
    if (!same(run, "record", "the record's length", length, expected_length))
        return false;
    for (uint32_t i = 0; i < length; i++) {
        if (bytes[i] != expected_bytes[i])
            return find(run, "record", "%s differs from the model's in byte %" PRIu32,
                        stock_record_type_name(record->type), i);
    }
    return true;
}

static bool same_settings(struct run *run, const struct stock_item_settings *settings,
                          const struct stock_item_settings *expected)
{
#define SETTING_COMPARE(field)                                                                     \
    if (!same(run, "item", #field, (uint64_t)settings->field, (uint64_t)expected->field))          \
        return false;
    SETTING_COMPARE(item_id)
    SETTING_COMPARE(stock)
    SETTING_COMPARE(buyer_limit)
    SETTING_COMPARE(hold_cap)
    SETTING_COMPARE(hold_ms)
    SETTING_COMPARE(opens_at_ms)
    SETTING_COMPARE(closes_at_ms)
    SETTING_COMPARE(paused)
    SETTING_COMPARE(sku_bytes)
#undef SETTING_COMPARE
    if (memcmp(settings->sku, expected->sku, settings->sku_bytes) != 0)
        return find(run, "item", "the SKU is not the model's");
    return true;
}

static bool same_item(struct run *run, const struct stock *stock, uint64_t item_id)
{
    struct stock_item_view view;
    struct stock_item_view expected;
    run->finding.item_id = item_id;
    bool known = stock_item_find(stock, item_id, &view);
    bool expected_known = stock_model_item_find(run->model, item_id, &expected);
    if (!known || !expected_known)
        return same(run, "item", "whether there is the item", known, expected_known);
    if (view.settings.stock != STOCK_UNLIMITED &&
        (view.available < 0 ||
         (uint64_t)view.available + view.held + view.sold != (uint64_t)view.settings.stock))
        return find(run, "conservation",
                    "available %" PRIi64 " + held %" PRIu64 " + sold %" PRIu64 " of %" PRIi64,
                    view.available, view.held, view.sold, view.settings.stock);
    return same_settings(run, &view.settings, &expected.settings) &&
           same(run, "item", "available", (uint64_t)view.available, (uint64_t)expected.available) &&
           same(run, "item", "held", view.held, expected.held) &&
           same(run, "item", "sold", view.sold, expected.sold) &&
           same(run, "item", "next_sequence", view.next_sequence, expected.next_sequence) &&
           same(run, "item", "created_ms", view.created_ms, expected.created_ms);
}

static bool same_counts(struct run *run, const struct stock *stock)
{
    struct stock_counts counts = stock_counts(stock);
    struct stock_counts expected = stock_model_counts(run->model);
    return same(run, "counts", "items", counts.items, expected.items) &&
           same(run, "counts", "reservations", counts.reservations, expected.reservations) &&
           same(run, "counts", "held", counts.held, expected.held) &&
           same(run, "counts", "confirmed", counts.confirmed, expected.confirmed) &&
           same(run, "counts", "cancelled", counts.cancelled, expected.cancelled) &&
           same(run, "counts", "expired", counts.expired, expected.expired) &&
           same(run, "counts", "buyers", counts.buyers, expected.buyers) &&
           same(run, "counts", "units_held", counts.units_held, expected.units_held) &&
           same(run, "counts", "units_sold", counts.units_sold, expected.units_sold);
}

static bool same_hash(struct run *run, const struct stock *stock, const char *check)
{
    uint64_t hash = stock_hash(stock);
    uint64_t expected = stock_model_hash(run->model);
    if (hash == expected)
        return true;
    return find(run, check, "the state hash is %016" PRIx64 ", the model's %016" PRIx64, hash,
                expected);
}

/* The items in order of creation, each once. */
static bool same_items(struct run *run)
{
    struct stock_item_view view;
    for (uint32_t i = 0; i < run->item_count; i++) {
        if (!stock_item_at(run->stock, i, &view))
            return find(run, "item", "there is no item %" PRIu32, i);
        if (!same(run, "item", "the id of an item", view.settings.item_id,
                  run->item_lsns[i].item_id) ||
            !same(run, "item", "changed_lsn", view.changed_lsn, run->item_lsns[i].lsn) ||
            !same_item(run, run->stock, view.settings.item_id) ||
            !same_item(run, run->twin, view.settings.item_id))
            return false;
    }
    if (stock_item_at(run->stock, run->item_count, &view))
        return find(run, "item", "there are items that nobody created");
    return same(run, "item", "stock_time_ms()", stock_time_ms(run->stock), run->record_time_ms);
}

static bool same_everything(struct run *run)
{
    return same_counts(run, run->stock) && same_counts(run, run->twin) && same_items(run) &&
           same_hash(run, run->stock, "hash") && same_hash(run, run->twin, "replay");
}

/* ---- committing ---- */

static void log_append(struct run *run, const uint8_t *bytes, uint32_t count)
{
    if (run->log_bytes + count > run->log_room) {
        run->log_room = run->log_room == 0 ? 1 << 16 : 2 * run->log_room;
        uint8_t *log = realloc(run->log, run->log_room);
        if (log == NULL)
            abort();
        run->log = log;
    }
    memcpy(run->log + run->log_bytes, bytes, count);
    run->log_bytes += count;
}

static uint64_t item_id_of(const struct stock_record *record)
{
    return record->type <= STOCK_RECORD_ITEM_UPDATED ? record->item.item_id : record->hold.item_id;
}

/* Where the newest record of the item is noted; the place for a new item if it has none. */
static uint64_t *item_lsn(struct run *run, uint64_t item_id)
{
    uint32_t i = 0;
    while (i < run->item_count && run->item_lsns[i].item_id != item_id)
        i++;
    return &run->item_lsns[i].lsn;
}

static void note_record(struct run *run, const struct stock_record *record)
{
    uint64_t item_id = item_id_of(record);
    if (record->type == STOCK_RECORD_ITEM_CREATED)
        run->item_lsns[run->item_count++].item_id = item_id;
    *item_lsn(run, item_id) = run->lsn;
    if (record->time_ms > run->record_time_ms)
        run->record_time_ms = record->time_ms;
    run->counts.records[record->type]++;
}

/* Commits run->record, which was decided or checked, everywhere. */
static bool commit(struct run *run)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record copy;
    uint32_t length = stock_record_encode(&run->record, bytes);
    run->record.lsn = ++run->lsn;
    stock_commit(run->stock, &run->record);
    const char *problem = stock_record_decode(bytes, length, &copy);
    if (problem != NULL)
        return find(run, "decode", "what was encoded is refused: %s", problem);
    problem = stock_check(run->twin, &copy);
    if (problem != NULL)
        return find(run, "check", "%s is refused: %s", stock_record_type_name(copy.type), problem);
    stock_commit(run->twin, &copy);
    problem = stock_model_apply(run->model, &copy);
    if (problem != NULL)
        return find(run, "check", "the model refuses %s: %s", stock_record_type_name(copy.type),
                    problem);
    log_append(run, bytes, length);
    note_record(run, &copy);
    uint64_t item_id = item_id_of(&copy);
    uint64_t next_due_ms = stock_model_next_due_ms(run->model);
    return same_item(run, run->stock, item_id) && same_item(run, run->twin, item_id) &&
           same(run, "due", "the next due", stock_next_due_ms(run->stock), next_due_ms) &&
           same(run, "due", "the twin's next due", stock_next_due_ms(run->twin), next_due_ms);
}

/* ---- operations ---- */

/* The newest record that the answer depends on: nothing was looked at, the whole state because a
 * table is full, or the item. */
static uint64_t expected_lsn(struct run *run, const struct stock_reply *expected, uint64_t item_id,
                             bool looks_at_state)
{
    struct stock_item_view view;
    if (expected->code == STOCK_CAPACITY)
        return run->lsn;
    if (!looks_at_state || !stock_model_item_find(run->model, item_id, &view))
        return 0;
    return *item_lsn(run, item_id);
}

static bool answered(struct run *run, struct stock_reply *expected,
                     const struct stock_record *expected_record, uint64_t item_id,
                     bool looks_at_state)
{
    run->counts.codes[expected->code]++;
    expected->seen_lsn = expected_lsn(run, expected, item_id, looks_at_state);
    if (!same_reply(run, expected) || !same_record(run, expected_record))
        return false;
    return run->record.type == STOCK_RECORD_NONE || commit(run);
}

static bool ask(struct run *run, const struct op *op)
{
    struct stock_reply expected;
    struct stock_record expected_record;
    struct stock_request request = op->request;
    stock_prepare(run->stock, &request, 1);
    stock_decide(run->stock, &request, run->now_ms, &run->reply, &run->record);
    stock_model_decide(run->model, &op->request, run->now_ms, &expected, &expected_record);
    bool looks_at_state = expected.code != STOCK_INVALID || expected.state != STOCK_STATE_NONE;
    return answered(run, &expected, &expected_record, op->request.item_id, looks_at_state);
}

static bool create(struct run *run, const struct op *op)
{
    struct stock_reply expected;
    struct stock_record expected_record;
    stock_decide_item_create(run->stock, &op->settings, run->now_ms, &run->reply, &run->record);
    stock_model_decide_item_create(run->model, &op->settings, run->now_ms, &expected,
                                   &expected_record);
    return answered(run, &expected, &expected_record, op->settings.item_id,
                    expected.code != STOCK_INVALID);
}

static bool update(struct run *run, const struct op *op)
{
    struct stock_reply expected;
    struct stock_record expected_record;
    stock_decide_item_update(run->stock, &op->settings, op->update_mask, run->now_ms, &run->reply,
                             &run->record);
    stock_model_decide_item_update(run->model, &op->settings, op->update_mask, run->now_ms,
                                   &expected, &expected_record);
    return answered(run, &expected, &expected_record, op->settings.item_id,
                    expected.invalid_field != STOCK_FIELD_ITEM_ID);
}

static bool due(struct run *run)
{
    struct stock_record expected;
    bool is_due = stock_decide_due(run->stock, run->now_ms, &run->record);
    bool expected_due = stock_model_decide_due(run->model, run->now_ms, &expected);
    if (!same(run, "due", "whether something is due", is_due, expected_due))
        return false;
    return !is_due || (same_record(run, &expected) && commit(run));
}

/* A record as from a log: the engine, its twin and the model are asked whether it is legal. */
static bool offer(struct run *run, const struct op *op)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    uint32_t length = stock_record_encode(&op->record, bytes);
    const char *expected = stock_model_check(run->model, &op->record);
    const char *problem = stock_record_decode(bytes, length, &run->record);
    const char *twin_problem = problem;
    if (problem == NULL) {
        twin_problem = stock_check(run->twin, &run->record);
        problem = stock_check(run->stock, &run->record);
    }
    if ((problem == NULL) != (expected == NULL) ||
        (problem == stock_check_full) != (expected == stock_model_full))
        return find(run, "check", "%s is %s, the model says %s",
                    stock_record_type_name(op->record.type), problem == NULL ? "legal" : problem,
                    expected == NULL ? "legal" : expected);
    if (problem != twin_problem)
        return find(run, "check", "%s is %s, the twin says %s",
                    stock_record_type_name(op->record.type), problem == NULL ? "legal" : problem,
                    twin_problem == NULL ? "legal" : twin_problem);
    run->counts.offers_legal += problem == NULL;
    run->counts.offers_full += problem == stock_check_full;
    run->counts.offers_refused += problem != NULL && problem != stock_check_full;
    if (problem == NULL && run->record.time_ms == run->now_ms)
        return commit(run);
    run->record.type = STOCK_RECORD_NONE;
    return true;
}

static bool advance(struct run *run, uint64_t advance_ms)
{
    uint64_t rest_ms = STOCK_TIME_MS_MAX - run->now_ms;
    run->now_ms += advance_ms < rest_ms ? advance_ms : rest_ms;
    return true;
}

static bool operate(struct run *run, const struct op *op)
{
    switch (op->kind) {
    case OP_ASK:
        return ask(run, op);
    case OP_CREATE:
        return create(run, op);
    case OP_UPDATE:
        return update(run, op);
    case OP_DUE:
        return due(run);
    case OP_OFFER:
        return offer(run, op);
    default:
        return advance(run, op->advance_ms);
    }
}

static bool is_time_for(const struct run *run, uint32_t every)
{
    return every != 0 && run->counts.operations % every == 0;
}

static bool compare_now_and_then(struct run *run)
{
    if (is_time_for(run, run->options.compare_every) && !same_everything(run))
        return false;
    if (is_time_for(run, run->options.validate_every)) {
        stock_assert_valid(run->stock);
        stock_assert_valid(run->twin);
    }
    return true;
}

static void digest(struct run *run, uint64_t value)
{
    run->digest = (run->digest ^ value) * 0x9E3779B97F4A7C15u;
    run->digest ^= run->digest >> 29;
}

bool run_step(struct run *run, const struct op *op)
{
    memset(&run->reply, 0, sizeof run->reply);
    run->record.type = STOCK_RECORD_NONE;
    run->counts.kinds[op->kind]++;
    if (!operate(run, op) || !compare_now_and_then(run))
        return false;
    const char *text = run->options.hook == NULL ? NULL : run->options.hook(run, op);
    if (text != NULL)
        return find(run, "hook", "%s", text);
    digest(run, run->reply.code);
    digest(run, (uint64_t)run->reply.available);
    digest(run, run->reply.expires_ms);
    digest(run, run->record.type);
    run->counts.operations++;
    return true;
}

/* ---- the end ---- */

/* The records of the items that belong to this log. */
static bool replay_log(struct run *run, struct stock *stock, uint32_t log)
{
    uint64_t at = 0;
    while (at < run->log_bytes) {
        struct stock_record record;
        uint32_t length = run->log[at] | (uint32_t)run->log[at + 1] << 8;
        const char *problem = stock_record_decode(run->log + at, length, &record);
        at += length;
        if (problem == NULL && item_id_of(&record) % LOG_COUNT != log)
            continue;
        if (problem == NULL)
            problem = stock_check(stock, &record);
        if (problem != NULL)
            return find(run, "logs", "a record is refused when logs are read one by one: %s",
                        problem);
        stock_commit(stock, &record);
    }
    return true;
}

bool run_replay_logs(struct run *run)
{
    struct stock_options options = run->options.tables;
    options.reservation_count_max = (uint32_t)run->counts.records[STOCK_RECORD_HELD] + 1;
    options.buyer_count_max = options.reservation_count_max;
    struct stock *stock = stock_create(&options);
    if (stock == NULL)
        abort();
    bool agree = true;
    for (uint32_t log = 0; agree && log < LOG_COUNT; log++)
        agree = replay_log(run, stock, log);
    if (agree) {
        stock_assert_valid(stock);
        agree = same_counts(run, stock) && same_hash(run, stock, "logs");
    }
    stock_destroy(&stock);
    return agree;
}

bool run_finish(struct run *run)
{
    stock_assert_valid(run->stock);
    stock_assert_valid(run->twin);
    if (!same_everything(run))
        return false;
    digest(run, stock_hash(run->stock));
    return true;
}
