#include "verify.h"

#include "allocate.h"
#include "commands.h"
#include "pass.h"
#include "progress.h"
#include "replay.h"
#include "snapshots.h"
#include "state.h"
#include "summary.h"
#include "tables.h"
#include "text.h"
#include "walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Each log is checked by itself, in legs: from its beginning, or from its oldest good snapshot, to
 * the next good one, where the state that the log gives is compared with it; and so on, and to its
 * end. So each group is read once, and no more than two states are in memory. A log that begins
 * with what an era before has left has no state before its first snapshot: its records are then
 * checked in the end, when the state of the whole directory is built.
 *
 * When the logs of the newest era all have a state at their end, these are the state of the whole,
 * because hashes and counts add up. */

enum { ATTEMPT_COUNT_MAX = 10 };

struct part {
    bool is_known;
    struct stock_counts counts;
    uint64_t hash;
};

struct verifying {
    struct summary summary;
    struct part *parts; /* of each log */
    enum exit_code code;
};

/* One log. */
struct checking {
    struct verifying *verifying;
    struct data *data;
    struct data_log *log;
    struct log_summary *found;
    struct replay replay; /* its stock is the log's state, or NULL where there is none */
    struct log_position at;
    bool has_begun; /* reading begins at `at` */
    uint32_t scale;
    bool is_gone;
    bool is_out_of_memory;
};

static void note(struct checking *c, enum exit_code code)
{
    c->verifying->code = exit_code_worse(c->verifying->code, code);
}

/* ---- the state ---- */

static struct stock *make_stock(struct checking *c, const struct data_snapshot *snapshot,
                                const struct log_position *start)
{
    const struct cut cut = cut_nothing();
    struct tables tables = {.item_count = 0};
    tables_add_snapshot(&tables, snapshot);
    tables_add_log(&tables, c->log, start, &cut);
    struct stock *stock = tables_create(&tables, c->scale);
    c->is_out_of_memory = stock == NULL;
    if (stock != NULL)
        stock_load_begin(stock);
    return stock;
}

static void set_stock(struct checking *c, struct stock *stock)
{
    stock_destroy(&c->replay.stock);
    c->replay.stock = stock;
}

/* The state that a snapshot makes; NULL when it is not good, or something else has failed. */
static struct stock *load(struct checking *c, struct data_snapshot *snapshot)
{
    struct wanting wanting = {.data = c->data, .log = c->log};
    struct stock *stock = make_stock(c, snapshot, &snapshot->header.position);
    if (stock == NULL)
        return NULL;
    if (snapshot_load(c->data, c->log, snapshot, stock, wanting_of(&wanting), &c->replay.is_full) &&
        wanting.has_misplaced)
        snapshot_note_misplaced(snapshot);
    if (snapshot->state != DATA_SNAPSHOT_GOOD || c->replay.is_full)
        stock_destroy(&stock);
    if (snapshot->state == DATA_SNAPSHOT_UNREADABLE)
        c->is_gone = !snapshot_is_there(c->log, snapshot);
    return stock;
}

/* ---- legs ---- */

static bool is_sound(enum log_status status)
{
    return status == LOG_GOOD || status == LOG_TORN_TAIL;
}

/* Counts add up; of what was found, the worst stays. */
static void add_end(struct log_end *all, const struct log_end *leg)
{
    struct log_end merged =
        exit_code_worse(pass_exit_code(leg->status), pass_exit_code(all->status)) ==
                pass_exit_code(leg->status)
            ? *leg
            : *all;
    merged.group_count = all->group_count + leg->group_count;
    merged.record_count = all->record_count + leg->record_count;
    *all = merged;
}

/* Reads on up to this LSN. False when it was not reached: then there is no state any more. */
static bool run_leg(struct checking *c, uint64_t lsn_end)
{
    struct pass_end end;
    const struct pass pass = {
        .start = &c->at,
        .group = replay_group,
        .context = &c->replay,
        .is_enough = &c->replay.is_enough,
    };
    c->replay.cut = (struct cut){.lsn_end = lsn_end, .time_end_ms = UINT64_MAX};
    c->replay.is_enough = false;
    c->replay.wanting.has_misplaced = false;
    if (c->at.next_lsn >= lsn_end)
        return true;
    pass_run(c->data, c->log, &pass, &end);
    c->is_gone = end.is_gone;
    c->found->is_live |= end.is_live;
    add_end(&c->found->end, &end.end);
    c->at = end.position;
    const bool is_reached = lsn_end == UINT64_MAX ? is_sound(end.end.status) : end.is_stopped;
    if (!is_reached)
        set_stock(c, NULL);
    return is_reached;
}

/* To the place of a good snapshot, and past it. */
static void pass_snapshot(struct checking *c, struct data_snapshot *snapshot, struct stock *loaded)
{
    bool is_reached = false;
    if (c->has_begun)
        is_reached = run_leg(c, snapshot->lsn + 1);
    if (is_reached && c->replay.stock != NULL &&
        stock_hash(c->replay.stock) != snapshot->footer.state_hash) {
        snapshot_note_other_state(snapshot);
        stock_destroy(&loaded);
        return; /* the log tells more than a snapshot of another state */
    }
    if (c->replay.stock != NULL)
        stock_destroy(&loaded);
    else
        set_stock(c, loaded);
    if (!c->has_begun)
        c->found->first_lsn = snapshot->lsn + 1;
    c->has_begun = true;
    c->at = snapshot->header.position;
}

/* ---- a log ---- */

/* True when the log can be read from its first segment up to the oldest snapshot. */
static bool has_all_segments(const struct checking *c)
{
    const struct data_snapshot *oldest = snapshot_oldest(c->log);
    const uint64_t last = oldest == NULL ? 1 : oldest->header.position.segment_number;
    if (!data_log_has_first_segment(c->log))
        return oldest == NULL; /* reading tells what is missing */
    for (uint64_t number = 1; number <= last && oldest != NULL; number++)
        if (number > c->log->segment_count ||
            log_segment_file_number(c->log->segments[number - 1].name) != number)
            return false;
    return true;
}

static void begin(struct checking *c)
{
    c->at = log_position_first();
    c->has_begun = has_all_segments(c);
    c->found->first_lsn = 1;
    if (c->has_begun && c->log->era_index == 0 && data_log_has_beginning(c->data, c->log))
        set_stock(c, make_stock(c, NULL, &c->at));
}

static bool is_over(const struct checking *c)
{
    return c->replay.is_full || c->is_gone || c->is_out_of_memory;
}

static void check_once(struct checking *c)
{
    begin(c);
    for (uint32_t i = 0; i < c->log->snapshot_count && !is_over(c); i++) {
        struct data_snapshot *snapshot = c->log->snapshots[i];
        struct stock *loaded = data_snapshot_is_usable(snapshot) ? load(c, snapshot) : NULL;
        if (loaded != NULL)
            pass_snapshot(c, snapshot, loaded);
    }
    if (!is_over(c))
        (void)run_leg(c, UINT64_MAX);
}

static void note_part(struct checking *c)
{
    struct part *part = &c->verifying->parts[c->log - c->data->logs];
    if (c->replay.stock == NULL)
        return;
    part->is_known = true;
    part->counts = stock_counts(c->replay.stock);
    part->hash = stock_hash(c->replay.stock);
    if (walk_settle(c->replay.stock))
        stock_assert_valid(c->replay.stock);
    else
        note(c, EXIT_IO);
}

/* What the server would do about a bad snapshot. */
static const char *meaning(const struct checking *c, const struct data_snapshot *snapshot)
{
    const struct data_snapshot *newest = snapshot_newest(c->log, UINT64_MAX);
    if (snapshot->state == DATA_SNAPSHOT_VERSION)
        return "use the holdfast-log that came with the server that wrote it";
    if (newest != NULL && newest->lsn > snapshot->lsn)
        return "the server has no use for it, it starts from a newer one; keep a copy and look for "
               "the cause";
    if (newest != NULL)
        return "the server says so and starts from the one before it; keep a copy and look for the "
               "cause";
    if (data_log_has_beginning(c->data, c->log))
        return "the server says so and reads the log from its beginning; keep a copy and look for "
               "the cause";
    return "the server refuses to start: bring it back from a copy, with the log from its segment "
           "on, or see `holdfast-log repair`";
}

static void tell_snapshots(struct checking *c)
{
    for (uint32_t i = 0; i < c->log->snapshot_count; i++) {
        const struct data_snapshot *snapshot = c->log->snapshots[i];
        if (data_snapshot_is_usable(snapshot))
            continue;
        snapshot_tell(c->log, snapshot, meaning(c, snapshot));
        note(c, snapshot->state == DATA_SNAPSHOT_VERSION      ? EXIT_VERSION
                : snapshot->state == DATA_SNAPSHOT_UNREADABLE ? EXIT_IO
                                                              : EXIT_DAMAGED);
    }
}

/* Again when a table was too small, or a server has removed what was to be read. */
static void check_log(struct verifying *v, uint32_t index)
{
    struct checking c = {
        .verifying = v,
        .data = v->summary.data,
        .log = &v->summary.data->logs[index],
        .found = &v->summary.logs[index],
        .scale = 1,
    };
    int gone_count = 0;
    do {
        *c.found = (struct log_summary){.is_read = true, .end = {.next_lsn = 1}};
        c.replay = (struct replay){.wanting = {.data = c.data, .log = c.log}};
        c.is_gone = false;
        check_once(&c);
        c.scale *= 2;
        gone_count += c.is_gone;
        if (is_over(&c))
            set_stock(&c, NULL);
        if (c.is_gone)
            data_list(c.data, c.log);
    } while ((c.replay.is_full || c.is_gone) && gone_count < ATTEMPT_COUNT_MAX &&
             !c.is_out_of_memory);
    c.found->first_time_ms = c.replay.first_time_ms;
    c.found->last_time_ms = c.replay.last_time_ms;
    if (c.is_out_of_memory)
        note(&c, EXIT_IO);
    note(&c, pass_exit_code(c.found->end.status));
    tell_snapshots(&c);
    note_part(&c);
    set_stock(&c, NULL);
}

/* ---- the whole ---- */

static void add_counts(struct stock_counts *all, const struct stock_counts *part)
{
    all->items += part->items;
    all->reservations += part->reservations;
    all->held += part->held;
    all->confirmed += part->confirmed;
    all->cancelled += part->cancelled;
    all->expired += part->expired;
    all->buyers += part->buyers;
    all->units_held += part->units_held;
    all->units_sold += part->units_sold;
}

/* False when a log of the newest era has no state of its own at its end. */
static bool add_parts(struct verifying *v)
{
    struct summary *summary = &v->summary;
    const uint32_t newest = summary->data->manifest.era_count - 1;
    const struct data_log *log = data_era_logs(summary->data, newest);
    for (uint32_t core = 0; core < data_core_count(summary->data, newest); core++, log++) {
        const struct part *part = &v->parts[log - summary->data->logs];
        if (!part->is_known)
            return false;
        add_counts(&summary->counts, &part->counts);
        summary->state_hash += part->hash;
    }
    return true;
}

/* As a server would. What it finds that the logs by themselves did not show is their end. */
static void build_whole(struct verifying *v)
{
    const struct point end = {.is_exclusive = false};
    struct state state;
    struct summary *summary = &v->summary;
    const enum exit_code code = state_build(summary->data->path, &end, true, &state);
    summary->has_state = code == EXIT_GOOD;
    summary->counts = (struct stock_counts){0};
    summary->state_hash = 0;
    if (summary->has_state) {
        summary->counts = stock_counts(state.stock);
        summary->state_hash = stock_hash(state.stock);
    }
    for (uint32_t i = 0;
         state.plan.data != NULL && i < summary->data->log_count && i < state.plan.data->log_count;
         i++) {
        const struct log_end *found = &state.plan.sources[i].end.end;
        if (is_sound(summary->logs[i].end.status) && !is_sound(found->status)) {
            summary->logs[i].end = *found;
            v->code = exit_code_worse(v->code, pass_exit_code(found->status));
        }
    }
    v->code = exit_code_worse(v->code, code);
    state_free(&state);
}

/* Logs are counted before they are read (tables.h). */
static uint64_t bytes_to_read(const struct data *data)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < data->log_count; i++) {
        bytes += 2 * data->logs[i].segments_bytes;
        for (uint32_t k = 0; k < data->logs[i].snapshot_count; k++)
            bytes += data->logs[i].snapshots[k]->file_bytes;
    }
    return bytes;
}

static void check_all(struct verifying *v)
{
    const struct data *data = v->summary.data;
    progress_begin("verifying", bytes_to_read(data));
    for (uint32_t i = 0; i < data->log_count; i++)
        check_log(v, i);
    v->summary.has_state = add_parts(v);
    if (!v->summary.has_state)
        build_whole(v);
    progress_end();
    for (uint32_t i = 0; i < data->log_count; i++)
        pass_tell_end(&data->logs[i], &v->summary.logs[i].end);
}

enum exit_code verify_directory(const char *path, struct summary *summary_out)
{
    struct verifying v = {.code = EXIT_GOOD};
    struct summary *summary = &v.summary;
    v.code = data_open(path, &summary->data);
    if (v.code == EXIT_GOOD) {
        summary->logs = allocate(summary->data->log_count, sizeof summary->logs[0]);
        v.parts = allocate(summary->data->log_count, sizeof v.parts[0]);
        check_all(&v);
        free(v.parts);
    }
    *summary_out = *summary;
    return v.code;
}

void verify_free(struct summary *summary)
{
    free(summary->logs);
    summary->logs = NULL;
    data_close(&summary->data);
}

enum exit_code command_verify(const struct options *options)
{
    struct summary summary;
    const enum exit_code code = verify_directory(options->path, &summary);
    if (summary.data != NULL && options->is_json) {
        summary_print_json(&summary);
    } else if (summary.data != NULL) {
        summary_print_files(&summary);
        printf("\n%-16s%" PRIu64 "\n", "records", summary_record_count(&summary));
        summary_print_hash(&summary);
    }
    verify_free(&summary);
    return code;
}
