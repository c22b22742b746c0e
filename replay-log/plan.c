#include "plan.h"

#include "allocate.h"
#include "progress.h"
#include "snapshots.h"
#include "tables.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- life ---- */

void plan_begin(struct plan *plan, struct data *data)
{
    plan->data = data;
    plan->era_end = data->manifest.era_count;
    plan->sources = allocate(data->log_count, sizeof plan->sources[0]);
    plan->has_snapshot = allocate(data->log_count, sizeof plan->has_snapshot[0]);
    for (uint32_t i = 0; i < data->log_count; i++)
        plan->sources[i].cut = cut_nothing();
}

void plan_end(struct plan *plan)
{
    data_close(&plan->data);
    free(plan->sources);
    free(plan->has_snapshot);
    plan->sources = NULL;
    plan->has_snapshot = NULL;
}

struct log_position plan_start(const struct source *source)
{
    return source->snapshot == NULL ? log_position_first() : source->snapshot->header.position;
}

/* ---- choosing ---- */

static void tell_once(const struct plan *plan, const struct data_log *log,
                      struct data_snapshot *snapshot)
{
    if (!snapshot->is_told && !plan->is_quiet)
        snapshot_tell(log, snapshot, "the one before it is used, or the log alone");
    snapshot->is_told = true;
}

/* The newest one that is good. One of another version is no reason to look further back. */
static enum outcome choose_snapshot(struct plan *plan, const struct data_log *log)
{
    struct source *source = plan_source(plan, log);
    source->snapshot = NULL;
    for (uint32_t i = log->snapshot_count; i > 0 && source->snapshot == NULL; i--) {
        struct data_snapshot *snapshot = log->snapshots[i - 1];
        if (snapshot->lsn >= source->cut.lsn_end)
            continue;
        if (snapshot->state == DATA_SNAPSHOT_VERSION) {
            snapshot_tell(log, snapshot,
                          "use the holdfast-log that came with the server that wrote it");
            return plan_fail(plan, EXIT_VERSION);
        }
        if (!data_snapshot_is_usable(snapshot))
            tell_once(plan, log, snapshot);
        else if (snapshot->header.state_time_ms < source->cut.time_end_ms)
            source->snapshot = snapshot;
    }
    plan->has_snapshot[log - plan->data->logs] = source->snapshot != NULL;
    return OUTCOME_DONE;
}

enum outcome plan_refuse_old(struct plan *plan, const struct data_log *log)
{
    const struct data_snapshot *oldest = snapshot_oldest(log);
    char time[TEXT_TIME_BYTES];
    if (oldest == NULL)
        tell("%s: it does not begin with nothing, and there is no snapshot in it that can be used",
             log->path);
    else
        tell("%s: the oldest state that is still there is that of LSN %" PRIu64 ", of %s: name a "
             "later point, or use an older copy of the directory or its archive",
             log->path, oldest->lsn, text_time(oldest->header.state_time_ms, time));
    return plan_fail(plan, EXIT_USAGE);
}

struct reaching {
    uint64_t time_ms;
    bool is_reached;
};

static const char *look_at_time(void *context, const struct log_group *group,
                                uint64_t *refused_lsn_out)
{
    struct reaching *reaching = context;
    (void)refused_lsn_out;
    reaching->is_reached = group->time_ms >= reaching->time_ms;
    return NULL;
}

/* True when the era went on at this time: then the one behind it has nothing that is earlier. */
static bool era_reaches(const struct plan *plan, uint32_t era_index, uint64_t time_ms)
{
    struct data_log *log = data_era_logs(plan->data, era_index);
    struct reaching reaching = {.time_ms = time_ms};
    for (uint32_t core = 0; core < data_core_count(plan->data, era_index); core++, log++) {
        const struct data_snapshot *oldest = snapshot_oldest(log);
        struct pass_end end;
        struct pass pass = {
            .group = look_at_time, .context = &reaching, .is_enough = &reaching.is_reached};
        if (!data_log_has_first_segment(log) && oldest == NULL)
            continue;
        if (!data_log_has_first_segment(log))
            pass.start = &oldest->header.position;
        pass_run(plan->data, log, &pass, &end);
        if (reaching.is_reached)
            return true;
    }
    return false;
}

/* The era of this log turns out to be behind the point: there is no need for it. */
static bool is_behind_point(struct plan *plan, const struct data_log *log)
{
    const uint32_t era = log->era_index;
    const uint64_t time_end_ms = plan_source(plan, log)->cut.time_end_ms;
    if (!plan->is_of_point || era == 0 || time_end_ms == UINT64_MAX ||
        !era_reaches(plan, era - 1, time_end_ms))
        return false;
    plan->era_end = era;
    return true;
}

/* A log that is needed from its beginning on has none any more. */
static enum outcome meet_missing_beginning(struct plan *plan, const struct data_log *log)
{
    if (!plan->is_of_point)
        return OUTCOME_DONE; /* reading it tells what is missing */
    return is_behind_point(plan, log) ? OUTCOME_PLAN_ANEW : plan_refuse_old(plan, log);
}

/* `is_enough_out`: all logs of the era begin with a snapshot. */
static enum outcome plan_era(struct plan *plan, uint32_t era_index, bool *is_enough_out)
{
    const struct data_log *log = data_era_logs(plan->data, era_index);
    enum outcome outcome = OUTCOME_DONE;
    *is_enough_out = true;
    for (uint32_t core = 0; core < data_core_count(plan->data, era_index); core++, log++) {
        struct source *source = plan_source(plan, log);
        source->is_read = true;
        outcome = choose_snapshot(plan, log);
        if (outcome == OUTCOME_DONE && source->snapshot == NULL &&
            !data_log_has_first_segment(log) && log->list_error == 0)
            outcome = meet_missing_beginning(plan, log);
        if (outcome != OUTCOME_DONE)
            break;
        *is_enough_out &= source->snapshot != NULL;
    }
    return outcome;
}

/* The first era needs snapshots, and a log of it has none. */
static enum outcome refuse_missing(struct plan *plan)
{
    const struct data_log *log = plan->data->logs;
    while (plan_source(plan, log)->snapshot != NULL)
        log++;
    if (plan->is_of_point)
        return plan_refuse_old(plan, log);
    tell("%s: damaged: the eras before era %" PRIu64 " were removed because snapshots stand for "
         "them, and there is no snapshot here that can be used; bring one back from a copy of the "
         "directory",
         log->path, log->era);
    return plan_fail(plan, EXIT_DAMAGED);
}

static enum outcome make_once(struct plan *plan)
{
    bool is_enough = false;
    for (uint32_t i = 0; i < plan->data->log_count; i++) {
        plan->sources[i].is_read = false;
        plan->sources[i].snapshot = NULL;
        plan->has_snapshot[i] = false;
    }
    for (uint32_t era = plan->era_end; era > 0 && !is_enough; era--) {
        const enum outcome outcome = plan_era(plan, era - 1, &is_enough);
        if (outcome != OUTCOME_DONE)
            return outcome;
    }
    if (!is_enough && log_manifest_needs_snapshots(&plan->data->manifest) && !plan->is_lenient)
        return refuse_missing(plan);
    return OUTCOME_DONE;
}

enum outcome plan_make(struct plan *plan)
{
    enum outcome outcome;
    do /* fewer eras each time */
        outcome = make_once(plan);
    while (outcome == OUTCOME_PLAN_ANEW);
    return outcome;
}

/* ---- reading ---- */

static uint64_t log_bytes_planned(const struct plan *plan)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < plan->data->log_count; i++) {
        const struct source *source = &plan->sources[i];
        if (source->is_read)
            bytes += data_log_bytes_from(&plan->data->logs[i], plan_start(source).segment_number);
    }
    return bytes;
}

struct stock *plan_make_stock(struct plan *plan, uint32_t scale)
{
    struct tables tables = {.item_count = 0};
    const uint64_t log_bytes = log_bytes_planned(plan);
    progress_begin("counting", log_bytes);
    for (uint32_t i = 0; i < plan->data->log_count; i++) {
        const struct source *source = &plan->sources[i];
        const struct log_position start = plan_start(source);
        if (!source->is_read)
            continue;
        tables_add_snapshot(&tables, source->snapshot);
        tables_add_log(&tables, &plan->data->logs[i], &start, &source->cut);
    }
    progress_end();
    struct stock *stock = tables_create(&tables, scale);
    if (stock == NULL) {
        plan->code = EXIT_IO;
        return NULL;
    }
    progress_begin("reading", log_bytes + tables.entry_bytes);
    stock_load_begin(stock);
    return stock;
}

static enum outcome load_snapshot(struct plan *plan, const struct data_log *log,
                                  struct stock *stock)
{
    struct data_snapshot *snapshot = plan_source(plan, log)->snapshot;
    struct wanting wanting = {.data = plan->data, .log = log, .has_snapshot = plan->has_snapshot};
    bool is_full;
    if (snapshot_load(plan->data, log, snapshot, stock, wanting_of(&wanting), &is_full)) {
        if (!wanting.has_misplaced)
            return OUTCOME_DONE;
        snapshot_note_misplaced(snapshot);
    }
    if (is_full)
        return OUTCOME_LARGER;
    return snapshot_is_there(log, snapshot) ? OUTCOME_PLAN_ANEW : OUTCOME_OPEN_ANEW;
}

enum outcome plan_load_snapshots(struct plan *plan, struct stock *stock)
{
    enum outcome outcome = OUTCOME_DONE;
    for (uint32_t i = 0; i < plan->data->log_count && outcome == OUTCOME_DONE; i++)
        if (plan->sources[i].is_read && plan->sources[i].snapshot != NULL)
            outcome = load_snapshot(plan, &plan->data->logs[i], stock);
    return outcome;
}

enum outcome plan_read_log(struct plan *plan, struct data_log *log, struct stock *stock)
{
    struct source *source = plan_source(plan, log);
    const struct log_position start = plan_start(source);
    struct replay replay = {
        .stock = stock,
        .wanting = {.data = plan->data, .log = log, .has_snapshot = plan->has_snapshot},
        .cut = source->cut,
        .last_lsn = start.next_lsn - 1,
    };
    const struct pass pass = {
        .start = &start,
        .group = replay_group,
        .context = &replay,
        .is_enough = &replay.is_enough,
    };
    if (start.next_lsn < source->cut.lsn_end)
        pass_run(plan->data, log, &pass, &source->end);
    source->last_lsn = replay.last_lsn;
    source->record_count = replay.record_count;
    source->first_time_ms = replay.first_time_ms;
    source->last_time_ms = replay.last_time_ms;
    if (replay.is_full)
        return OUTCOME_LARGER;
    if (source->end.is_gone)
        return OUTCOME_OPEN_ANEW;
    const enum exit_code code = pass_exit_code(source->end.end.status);
    return code != EXIT_GOOD && code != EXIT_TORN && is_behind_point(plan, log) ? OUTCOME_PLAN_ANEW
                                                                                : OUTCOME_DONE;
}
