#include "run.h"

#include "compare.h"
#include "save.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_COUNT = 3 };

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
    save_drop(run);
    free(run->log);
    run->log = NULL;
}

/* ---- comparing ---- */

/* The items in order of creation, each once. */
static bool same_items(struct run *run)
{
    struct stock_item_view view;
    for (uint32_t i = 0; i < run->item_count; i++) {
        if (!stock_item_at(run->stock, i, &view))
            return compare_find(run, "item", "there is no item %" PRIu32, i);
        if (!compare_numbers(run, "item", "the id of an item", view.settings.item_id,
                             run->item_lsns[i].item_id) ||
            !compare_numbers(run, "item", "changed_lsn", view.changed_lsn, run->item_lsns[i].lsn) ||
            !compare_item(run, run->stock, run->model, view.settings.item_id) ||
            !compare_item(run, run->twin, run->model, view.settings.item_id))
            return false;
    }
    if (stock_item_at(run->stock, run->item_count, &view))
        return compare_find(run, "item", "there are items that nobody created");
    return compare_numbers(run, "item", "stock_time_ms()", stock_time_ms(run->stock),
                           stock_model_time_ms(run->model));
}

static bool same_everything(struct run *run)
{
    return compare_counts(run, run->stock, run->model) &&
           compare_counts(run, run->twin, run->model) && same_items(run) &&
           compare_hash(run, run->stock, run->model, "hash") &&
           compare_hash(run, run->twin, run->model, "replay");
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
    run->newest_lsn = run->lsn;
    run->counts.records[record->type]++;
}

/* Commits run->record, which was decided or checked, everywhere. */
static bool commit(struct run *run)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record copy;
    uint32_t length = stock_record_encode(&run->record, bytes);
    run->record.lsn = ++run->lsn;
    save_make_room(run);
    stock_commit(run->stock, &run->record);
    const char *problem = stock_record_decode(bytes, length, &copy);
    if (problem != NULL)
        return compare_find(run, "decode", "what was encoded is refused: %s", problem);
    problem = stock_check(run->twin, &copy);
    if (problem != NULL)
        return compare_find(run, "check", "%s is refused: %s", stock_record_type_name(copy.type),
                            problem);
    stock_commit(run->twin, &copy);
    problem = stock_model_apply(run->model, &copy);
    if (problem != NULL)
        return compare_find(run, "check", "the model refuses %s: %s",
                            stock_record_type_name(copy.type), problem);
    log_append(run, bytes, length);
    note_record(run, &copy);
    uint64_t item_id = item_id_of(&copy);
    uint64_t next_due_ms = stock_model_next_due_ms(run->model);
    return compare_item(run, run->stock, run->model, item_id) &&
           compare_item(run, run->twin, run->model, item_id) &&
           compare_numbers(run, "due", "the next due", stock_next_due_ms(run->stock),
                           next_due_ms) &&
           compare_numbers(run, "due", "the twin's next due", stock_next_due_ms(run->twin),
                           next_due_ms);
}

/* ---- operations ---- */

/* The newest record that the answer depends on: nothing was looked at, the whole state because a
 * table is full, or the item. */
static uint64_t expected_lsn(struct run *run, const struct stock_reply *expected, uint64_t item_id,
                             bool looks_at_state)
{
    struct stock_item_view view;
    if (expected->code == STOCK_CAPACITY)
        return run->newest_lsn;
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
    if (!compare_reply(run, expected) || !compare_record(run, expected_record))
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
    if (!compare_numbers(run, "due", "whether something is due", is_due, expected_due))
        return false;
    return !is_due || (compare_record(run, &expected) && commit(run));
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
        return compare_find(
            run, "check", "%s is %s, the model says %s", stock_record_type_name(op->record.type),
            problem == NULL ? "legal" : problem, expected == NULL ? "legal" : expected);
    if (problem != twin_problem)
        return compare_find(
            run, "check", "%s is %s, the twin says %s", stock_record_type_name(op->record.type),
            problem == NULL ? "legal" : problem, twin_problem == NULL ? "legal" : twin_problem);
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
    case OP_TIME:
        return advance(run, op->advance_ms);
    case OP_SAVE:
        save_begin(run, op->bytes);
        return true;
    case OP_STEP:
        return save_step(run, op->bytes);
    case OP_ABANDON:
        save_drop(run);
        return true;
    case OP_RESTART:
        return save_restart(run);
    default:
        return save_spoil(run, op->seed);
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
        return compare_find(run, "hook", "%s", text);
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
            return compare_find(run, "logs",
                                "a record is refused when logs are read one by one: %s", problem);
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
        agree =
            compare_counts(run, stock, run->model) && compare_hash(run, stock, run->model, "logs");
    }
    stock_destroy(&stock);
    return agree;
}

bool run_finish(struct run *run)
{
    stock_assert_valid(run->stock);
    stock_assert_valid(run->twin);
    if (!save_restart(run) || !same_everything(run))
        return false;
    digest(run, stock_hash(run->stock));
    return true;
}
