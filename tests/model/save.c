#include "save.h"

#include "compare.h"
#include "random.h"
#include "spoil.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES_MAX = 8192, PIECE_ENTRIES_MAX = 150, GROUP_RECORDS_MAX = 150, PART_COUNT = 3 };

static const struct stock_wanted everything = {.is_wanted = NULL};

/* ---- saving ---- */

void save_drop(struct run *run)
{
    struct run_save *save = &run->save;
    if (save->is_on && run->stock != NULL)
        stock_save_abandon(run->stock);
    free(save->page.to);
    stock_model_destroy(&save->moment);
    stock_model_snapshot_free(&save->snapshot);
    *save = (struct run_save){.is_on = false};
}

static void turn_page(struct run_save *save)
{
    stock_model_snapshot_append(&save->snapshot, save->page.to, save->page.bytes);
    save->snapshot.entry_count += save->page.entry_count;
    free(save->page.to);
    /* Of exactly this size, so that a sanitizer sees a step too far. */
    save->page = (struct stock_page){.to = malloc(save->page_bytes), .bytes_max = save->page_bytes};
    assert(save->page.to != NULL);
}

void save_begin(struct run *run, uint32_t page_bytes)
{
    struct run_save *save = &run->save;
    save_drop(run);
    if (page_bytes < STOCK_SAVE_BYTES_PER_RECORD_MAX)
        page_bytes = STOCK_SAVE_BYTES_PER_RECORD_MAX;
    if (page_bytes > PAGE_BYTES_MAX)
        page_bytes = PAGE_BYTES_MAX;
    *save = (struct run_save){
        .is_on = true,
        .page_bytes = page_bytes,
        .moment = stock_model_copy(run->model),
        .moment_lsn = run->lsn,
        .moment_log_bytes = run->log_bytes,
    };
    turn_page(save);
    stock_save_begin(run->stock, &save->page);
}

static uint32_t room(const struct run_save *save)
{
    return save->page.bytes_max - save->page.bytes;
}

void save_make_room(struct run *run)
{
    if (run->save.is_on && room(&run->save) < STOCK_SAVE_BYTES_PER_RECORD_MAX)
        turn_page(&run->save);
}

/* ---- loading ---- */

bool save_is_of_part(const void *context, uint64_t item_id)
{
    const struct save_part *part = context;
    return item_id % part->divisor == part->rest;
}

/* The bytes of so many records or entries. */
static uint32_t framed_bytes(const uint8_t *from, uint64_t bytes_left, uint32_t *count)
{
    uint32_t bytes = 0;
    uint32_t done = 0;
    while (done < *count && bytes + 2 <= bytes_left) {
        bytes += from[bytes] | (uint32_t)from[bytes + 1] << 8;
        done++;
    }
    *count = done;
    return bytes;
}

/* Hands it to the engine in pieces, each in memory of its own size. */
static const char *load_entries(struct stock *stock, const struct stock_model_snapshot *snapshot,
                                struct test_random *random)
{
    uint64_t at = 0;
    uint64_t left = snapshot->entry_count;
    const char *problem = NULL;
    while (problem == NULL && (left > 0 || at < snapshot->bytes_count)) {
        uint32_t piece = 1 + test_random_below(random, PIECE_ENTRIES_MAX);
        uint32_t count = piece < left ? piece : (uint32_t)left;
        uint32_t framed = count;
        uint32_t rest = (uint32_t)(snapshot->bytes_count - at);
        uint32_t bytes = framed_bytes(snapshot->bytes + at, rest, &framed);
        if (framed < count || bytes > rest ||
            count == left) /* the last piece has all that is left */
            bytes = rest;
        uint32_t refused_index;
        uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
        assert(exact != NULL);
        memcpy(exact, snapshot->bytes + at, bytes);
        problem = stock_load_entries(stock, exact, bytes, count, &refused_index);
        free(exact);
        at += bytes;
        left -= count;
    }
    return problem != NULL ? problem : stock_load_snapshot_end(stock, &snapshot->saved);
}

/* Due records come in the same order to the end of time. */
static bool same_future(struct run *run, struct stock *stock, struct stock_model *model)
{
    for (;;) {
        struct stock_record expected;
        struct stock_record record;
        uint64_t next_due_ms = stock_model_next_due_ms(model);
        if (!compare_numbers(run, "load", "the next due", stock_next_due_ms(stock), next_due_ms))
            return false;
        bool is_due = stock_model_decide_due(model, STOCK_TIME_MS_MAX, &expected);
        if (stock_decide_due(stock, STOCK_TIME_MS_MAX, &record) != is_due)
            return compare_find(run, "load", "they do not agree on what is due");
        if (!is_due)
            return true;
        struct stock_record kept = run->record;
        run->record = record;
        bool is_same = compare_record(run, &expected);
        run->record = kept;
        if (!is_same)
            return false;
        stock_commit(stock, &record);
        stock_model_apply(model, &record);
    }
}

static bool same_state(struct run *run, const struct stock *stock, const struct stock_model *model)
{
    stock_assert_valid(stock);
    if (!compare_counts(run, stock, model) || !compare_hash(run, stock, model, "load"))
        return false;
    struct stock_item_view view;
    uint32_t i = 0;
    for (; stock_item_at(stock, i, &view); i++) {
        if (!compare_numbers(run, "load", "the id of an item", view.settings.item_id,
                             stock_model_item_id_at(model, i)) ||
            !compare_item(run, stock, model, view.settings.item_id))
            return false;
    }
    return compare_numbers(run, "load", "stock_time_ms()", stock_time_ms(stock),
                           stock_model_time_ms(model));
}

static bool same_verdict(struct run *run, const char *problem, const char *expected)
{
    if ((problem == NULL) == (expected == NULL) &&
        (problem == stock_check_full) == (expected == stock_model_full))
        return true;
    return compare_find(run, "load", "the snapshot is %s, the model says %s",
                        problem == NULL ? "true" : problem, expected == NULL ? "true" : expected);
}

/* Loads a snapshot into a new stock and a new model, and compares all that they say. `expected_out`
 * gets the model's verdict; `loaded_out` the hash of what was loaded. */
static bool load_both(struct run *run, const struct stock_model_snapshot *snapshot,
                      const struct stock_options *tables, struct stock_wanted wanted,
                      struct test_random *random, const char **expected_out, uint64_t *hash_out)
{
    struct stock *stock = stock_create(tables);
    struct stock_model *model = stock_model_create(tables);
    if (stock == NULL)
        abort();
    stock_load_begin(stock);
    if (!stock_load_snapshot_begin(stock, wanted))
        abort();
    const char *problem = load_entries(stock, snapshot, random);
    *expected_out = stock_model_load(model, snapshot, wanted);
    bool agree = same_verdict(run, problem, *expected_out);
    if (agree && problem == NULL) {
        stock_model_load_end(model);
        if (!stock_load_end(stock))
            abort();
        *hash_out = stock_hash(stock);
        agree = same_state(run, stock, model) && same_future(run, stock, model);
    }
    stock_destroy(&stock);
    stock_model_destroy(&model);
    return agree;
}

/* ---- complete ---- */

static uint32_t at_least_one(uint64_t count)
{
    return count > 0 ? (uint32_t)count : 1;
}

/* Tables that are as small as they can be, or larger. */
static struct stock_options other_tables(const struct run *run, const struct stock_saved *saved,
                                         struct test_random *random)
{
    static const uint64_t retentions_ms[] = {0, 1, 40, 86400000, STOCK_TIME_MS_MAX};
    struct stock_options tables = run->options.tables;
    if (test_random_below(random, 2) == 0) {
        tables.item_count_max = at_least_one(saved->item_count);
        tables.reservation_count_max = at_least_one(saved->reservation_count);
        tables.buyer_count_max = at_least_one(saved->buyer_count);
    }
    uint32_t choice = test_random_below(random, 8);
    if (choice < sizeof retentions_ms / sizeof retentions_ms[0])
        tables.retention_ms = retentions_ms[choice];
    tables.hash_key = test_random_u64(random);
    return tables;
}

static bool load_whole(struct run *run, struct test_random *random)
{
    const struct stock_model_snapshot *snapshot = &run->save.snapshot;
    const struct stock_options tables = other_tables(run, &snapshot->saved, random);
    const char *expected;
    uint64_t hash = 0;
    if (!load_both(run, snapshot, &tables, everything, random, &expected, &hash))
        return false;
    if (expected != NULL)
        return compare_find(run, "load", "what was saved is refused by both: %s", expected);
    return compare_numbers(run, "load", "the hash of what was loaded", hash,
                           stock_model_hash(run->save.moment));
}

/* As several cores do: each takes its items. */
static bool load_parts(struct run *run, struct test_random *random)
{
    const struct stock_model_snapshot *snapshot = &run->save.snapshot;
    uint64_t hash_sum = 0;
    for (uint64_t rest = 0; rest < PART_COUNT; rest++) {
        const struct save_part part = {PART_COUNT, rest};
        const struct stock_options tables = other_tables(run, &snapshot->saved, random);
        const char *expected;
        uint64_t hash = 0;
        if (!load_both(run, snapshot, &tables, (struct stock_wanted){save_is_of_part, &part},
                       random, &expected, &hash))
            return false;
        if (expected != NULL)
            return compare_find(run, "load", "a part of what was saved is refused by both: %s",
                                expected);
        hash_sum += hash;
    }
    return compare_numbers(run, "load", "the hash of all parts", hash_sum,
                           stock_model_hash(run->save.moment));
}

static bool complete(struct run *run)
{
    struct run_save *save = &run->save;
    struct stock_saved *saved = &save->snapshot.saved;
    struct stock_counts counts = stock_model_counts(save->moment);
    struct test_random random;
    test_random_init(&random, save->moment_lsn);
    turn_page(save);
    stock_save_end(run->stock, saved);
    save->is_on = false;
    save->is_complete = true;
    run->counts.saves++;
    run->counts.saved_entries += save->snapshot.entry_count;
    return compare_numbers(run, "save", "items", saved->item_count, counts.items) &&
           compare_numbers(run, "save", "buyers", saved->buyer_count, counts.buyers) &&
           compare_numbers(run, "save", "reservations", saved->reservation_count,
                           counts.reservations) &&
           compare_numbers(run, "save", "the state hash", saved->state_hash,
                           stock_model_hash(save->moment)) &&
           compare_numbers(run, "save", "the time", saved->time_ms,
                           stock_model_time_ms(save->moment)) &&
           load_whole(run, &random) && load_parts(run, &random);
}

bool save_step(struct run *run, uint32_t bytes)
{
    struct run_save *save = &run->save;
    if (!save->is_on)
        return true;
    if (room(save) < STOCK_ENTRY_BYTES_MAX)
        turn_page(save);
    uint32_t target = save->page.bytes + (bytes < room(save) ? bytes : room(save));
    bool is_complete = stock_save_step(run->stock, target);
    if (save->page.bytes > target)
        return compare_find(run, "save", "a step went beyond its target");
    return !is_complete || complete(run);
}

/* ---- restart ---- */

/* What was committed since the moment of the save, in groups. */
static const char *replay_since(struct run *run, struct stock *stock, struct test_random *random)
{
    struct stock_records group = {.first_lsn = run->save.moment_lsn + 1};
    uint64_t at = run->save.moment_log_bytes;
    while (at < run->log_bytes) {
        struct stock_replayed replayed;
        group.from = run->log + at;
        group.count = 1 + test_random_below(random, GROUP_RECORDS_MAX);
        group.bytes = framed_bytes(group.from, run->log_bytes - at, &group.count);
        const char *problem = stock_replay(stock, &group, everything, &replayed);
        if (problem != NULL)
            return problem;
        at += group.bytes;
        group.first_lsn += group.count;
    }
    return NULL;
}

static const char *apply_since(const struct run *run, struct stock_model *model)
{
    uint64_t at = run->save.moment_log_bytes;
    while (at < run->log_bytes) {
        struct stock_record record;
        uint32_t one = 1;
        uint32_t bytes = framed_bytes(run->log + at, run->log_bytes - at, &one);
        const char *problem = stock_record_decode(run->log + at, bytes, &record);
        if (problem == NULL)
            problem = stock_model_apply(model, &record);
        if (problem != NULL)
            return problem;
        at += bytes;
    }
    return NULL;
}

/* Items have the order in which they were loaded now, and nobody waits for what was saved. */
static void note_items(struct run *run)
{
    struct run old = *run;
    for (uint32_t i = 0; i < run->item_count; i++) {
        uint64_t item_id = stock_model_item_id_at(run->model, i);
        uint32_t k = 0;
        while (old.item_lsns[k].item_id != item_id && k + 1 < old.item_count)
            k++;
        run->item_lsns[i].item_id = item_id;
        run->item_lsns[i].lsn =
            old.item_lsns[k].lsn > run->save.moment_lsn ? old.item_lsns[k].lsn : 0;
    }
    if (run->newest_lsn <= run->save.moment_lsn)
        run->newest_lsn = 0;
}

static bool reload(struct run *run, struct stock *stock, struct stock_model *model,
                   struct test_random *random)
{
    const struct stock_model_snapshot *snapshot = &run->save.snapshot;
    stock_load_begin(stock);
    if (!stock_load_snapshot_begin(stock, everything))
        abort();
    const char *problem = load_entries(stock, snapshot, random);
    if (problem == NULL)
        problem = stock_model_load(model, snapshot, everything);
    if (problem == NULL)
        problem = replay_since(run, stock, random);
    if (problem == NULL)
        problem = apply_since(run, model);
    if (problem != NULL)
        return compare_find(run, "restart", "refused: %s", problem);
    stock_model_load_end(model);
    if (!stock_load_end(stock))
        abort();
    return same_state(run, stock, model) && compare_hash(run, stock, run->model, "restart");
}

bool save_restart(struct run *run)
{
    struct run_save *save = &run->save;
    if (!save->is_on && !save->is_complete)
        save_begin(run, PAGE_BYTES_MAX);
    while (save->is_on) {
        if (!save_step(run, PAGE_BYTES_MAX))
            return false;
    }
    struct test_random random;
    test_random_init(&random, run->lsn);
    struct stock_options tables = run->options.tables;
    tables.hash_key = test_random_u64(&random);
    struct stock *stock = stock_create(&tables);
    struct stock_model *model = stock_model_create(&tables);
    if (stock == NULL)
        abort();
    bool agree = reload(run, stock, model, &random);
    if (!agree) {
        stock_destroy(&stock);
        stock_model_destroy(&model);
        return false;
    }
    stock_destroy(&run->stock);
    stock_model_destroy(&run->model);
    run->stock = stock;
    run->model = model;
    run->counts.restarts++;
    note_items(run);
    return true;
}

/* ---- mistakes ---- */

/* A table for as many, or one too small; the number may be spoilt too. */
static uint32_t hardly_enough(uint64_t count, struct test_random *random)
{
    uint64_t fewer = test_random_below(random, 2);
    count %= 256;
    return at_least_one(count > fewer ? count - fewer : 0);
}

void save_spoil_snapshot(const struct stock_model *model, const struct stock_options *tables,
                         uint64_t seed, struct save_spoilt *spoilt)
{
    struct test_random random;
    test_random_init(&random, seed);
    spoilt->tables = *tables;
    stock_model_save(model, &spoilt->snapshot);
    spoil_snapshot(&spoilt->snapshot, &random);
    uint32_t choice = test_random_below(&random, 8);
    const struct stock_saved *saved = &spoilt->snapshot.saved;
    if (choice == 0)
        spoilt->tables.item_count_max = hardly_enough(saved->item_count, &random);
    if (choice == 1)
        spoilt->tables.buyer_count_max = hardly_enough(saved->buyer_count, &random);
    if (choice == 2)
        spoilt->tables.reservation_count_max = hardly_enough(saved->reservation_count, &random);
    spoilt->part = (struct save_part){1, 0};
    if (test_random_below(&random, 4) == 0)
        spoilt->part = (struct save_part){2, test_random_below(&random, 2)};
}

bool save_spoil(struct run *run, uint64_t seed)
{
    struct save_spoilt spoilt;
    struct test_random random;
    const char *expected;
    uint64_t hash;
    test_random_init(&random, ~seed);
    save_spoil_snapshot(run->model, &run->options.tables, seed, &spoilt);
    bool agree =
        load_both(run, &spoilt.snapshot, &spoilt.tables,
                  (struct stock_wanted){save_is_of_part, &spoilt.part}, &random, &expected, &hash);
    run->counts.snapshots_true += expected == NULL;
    run->counts.snapshots_full += expected == stock_model_full;
    run->counts.snapshots_refused += expected != NULL && expected != stock_model_full;
    stock_model_snapshot_free(&spoilt.snapshot);
    return agree;
}
