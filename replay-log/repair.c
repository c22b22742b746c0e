#include "repair.h"

#include "commands.h"
#include "mend.h"
#include "new_data.h"
#include "output.h"
#include "progress.h"
#include "salvage.h"
#include "state.h"
#include "text.h"
#include "walk.h"

#include <inttypes.h>
#include <string.h>

/* As a server would start, with three differences: what is damaged is read on behind the damage; a
 * record that does not fit is dropped; and a log that has lost its beginning is read from where it
 * is. */

/* ---- what the parts find ---- */

static void note_dropped(void *context, const struct data_log *log, uint64_t lsn,
                         const struct stock_record *record, const char *reason)
{
    struct repair *r = context;
    repair_report_dropped(&r->report, log, lsn, record, reason);
}

static void note_lost_holds(void *context, uint64_t item_id, uint64_t first, uint64_t last)
{
    struct repair *r = context;
    repair_report_lost_holds(&r->report, item_id, first, last);
}

static void note_made(void *context, const struct stock_record *record)
{
    struct repair *r = context;
    repair_report_made(&r->report, record);
}

static void note_time(struct repair *r, uint64_t time_ms)
{
    if (r->time_ms < time_ms)
        r->time_ms = time_ms;
}

static void take_salvaged(void *context, const struct log_group *group)
{
    struct repair *r = context;
    note_time(r, group->time_ms);
    mend_group(&r->mend, group);
}

static const char *take_group(void *context, const struct log_group *group,
                              uint64_t *refused_lsn_out)
{
    (void)refused_lsn_out;
    take_salvaged(context, group);
    return NULL;
}

/* Before the first group of a log, what was open is what the eras before have left. */
static void meet_hole(void *context, const struct salvage_hole *hole)
{
    struct repair *r = context;
    struct salvage_hole met = *hole;
    if (met.before_ms == 0)
        met.before_ms = r->past_ms;
    if (met.last_lsn != UINT64_MAX && met.last_lsn >= met.first_lsn)
        mend_hole(&r->mend, met.last_lsn - met.first_lsn + 1, met.before_ms);
    repair_report_hole(&r->report, r->log, &met);
}

/* ---- a log ---- */

/* Nothing stands for what was before the log. */
static bool has_lost_past(const struct repair *r, const struct data_log *log)
{
    return plan_source(&r->plan, log)->snapshot == NULL && log->era_index == 0 &&
           log_manifest_needs_snapshots(&r->plan.data->manifest);
}

static void report_lost_past(struct repair *r)
{
    const struct salvage_range range = {
        .name = "snapshot",
        .reason = "none can be used, and the eras before, for which it stands, were removed",
    };
    const struct salvage_hole hole = {
        .first_lsn = 1, .last_lsn = 0, .ranges = &range, .range_count = 1};
    meet_hole(r, &hole);
    r->report.is_lost = true;
}

static enum outcome salvage(struct repair *r, struct data_log *log, const struct pass_end *end)
{
    const struct salvage_handler handler = {
        .group = take_salvaged, .hole = meet_hole, .context = r};
    const int error = salvage_run(r->plan.data, log, &end->position, end->end.reason, &handler);
    if (error == 0)
        return OUTCOME_DONE;
    tell("%s: cannot be read: %s; run this as a user who may read the directory", log->path,
         strerror(-error));
    return plan_fail(&r->plan, EXIT_IO);
}

static void begin_log(struct repair *r, const struct data_log *log)
{
    const struct data_snapshot *snapshot = plan_source(&r->plan, log)->snapshot;
    if (r->log == NULL || r->log->era_index != log->era_index)
        r->past_ms = r->time_ms;
    r->log = log;
    if (snapshot != NULL)
        note_time(r, snapshot->header.state_time_ms);
    mend_begin_log(&r->mend, log);
}

static enum outcome repair_log(struct repair *r, struct data_log *log)
{
    struct source *source = plan_source(&r->plan, log);
    const struct log_position start = plan_start(source);
    const struct pass pass = {.start = &start, .group = take_group, .context = r};
    struct report_log *of_log = &r->report.logs[log - r->plan.data->logs];
    enum outcome outcome = OUTCOME_DONE;
    begin_log(r, log);
    if (has_lost_past(r, log))
        report_lost_past(r);
    pass_run(r->plan.data, log, &pass, &source->end);
    pass_tell_end(log, &source->end.end);
    const enum log_status status = source->end.end.status;
    if (status == LOG_VERSION)
        return plan_fail(&r->plan, EXIT_VERSION);
    if (status == LOG_DAMAGED || status == LOG_IO)
        outcome = salvage(r, log, &source->end);
    of_log->taken_count = r->mend.taken_count;
    of_log->dropped_count = r->mend.dropped_count;
    of_log->last_lsn = r->mend.last_lsn;
    return r->mend.is_full ? OUTCOME_LARGER : outcome;
}

static bool has_misplaced_snapshot(const struct data *data)
{
    for (uint32_t i = 0; i < data->log_count; i++)
        for (uint32_t k = 0; k < data->logs[i].snapshot_count; k++)
            if (data->logs[i].snapshots[k]->is_misplaced)
                return true;
    return false;
}

/* Without the manifest the number of cores is a guess. */
static enum outcome check_guess(struct repair *r)
{
    if (!r->plan.data->is_guessed ||
        (!r->mend.has_misplaced && !has_misplaced_snapshot(r->plan.data)))
        return OUTCOME_DONE;
    tell("%s: there are items in logs of cores that do not own them: folders of cores are missing, "
         "or this is no one directory; bring its MANIFEST back",
         r->plan.data->path);
    return plan_fail(&r->plan, EXIT_DAMAGED);
}

/* ---- the state ---- */

static enum outcome repair_once(struct repair *r, uint32_t scale)
{
    enum outcome outcome = plan_make(&r->plan);
    if (outcome != OUTCOME_DONE)
        return outcome;
    r->stock = plan_make_stock(&r->plan, scale);
    if (r->stock == NULL)
        return OUTCOME_FAILED;
    repair_report_begin(&r->report, &r->plan, r->options->output);
    outcome = plan_load_snapshots(&r->plan, r->stock);
    if (outcome == OUTCOME_DONE && !walk_settle(r->stock))
        outcome = plan_fail(&r->plan, EXIT_IO);
    mend_begin(&r->mend, r->stock, &r->plan, &r->mend_handler);
    r->log = NULL;
    r->time_ms = r->past_ms = 0;
    for (uint32_t i = 0; i < r->plan.data->log_count && outcome == OUTCOME_DONE; i++)
        if (r->plan.sources[i].is_read)
            outcome = repair_log(r, &r->plan.data->logs[i]);
    if (outcome == OUTCOME_DONE)
        outcome = check_guess(r);
    mend_end(&r->mend);
    progress_end();
    if (outcome != OUTCOME_DONE) {
        repair_report_end(&r->report);
        stock_destroy(&r->stock);
    }
    return outcome;
}

/* What a running server changes under our hands is not repaired. */
static enum exit_code repair_state(struct repair *r)
{
    enum outcome outcome = OUTCOME_PLAN_ANEW;
    for (uint32_t scale = 1; outcome == OUTCOME_PLAN_ANEW || outcome == OUTCOME_LARGER;) {
        if (outcome == OUTCOME_LARGER)
            scale *= 2;
        outcome = repair_once(r, scale);
    }
    if (outcome == OUTCOME_OPEN_ANEW) {
        tell("%s: files are removed from it meanwhile: stop the server first", r->plan.data->path);
        return EXIT_IO;
    }
    return outcome == OUTCOME_DONE ? EXIT_GOOD : r->plan.code;
}

/* ---- the output ---- */

static bool write_report(struct repair *r, const struct new_data *made,
                         struct output_file *report_file)
{
    if (r->options->report != NULL) {
        repair_report_write_json(&r->report, made, report_file->file);
        if (!output_file_finish(report_file))
            return false;
    }
    if (r->options->is_json)
        repair_report_write_json(&r->report, made, stdout);
    else
        repair_report_print(&r->report, made);
    return true;
}

enum exit_code repair_make(struct repair *r)
{
    const struct log_manifest *manifest = &r->plan.data->manifest;
    struct output_file report_file = {.file = NULL};
    struct new_data made = {
        .path = r->options->output,
        .input_path = r->options->path,
        .core_count = r->options->core_count != 0
                          ? r->options->core_count
                          : manifest->eras[manifest->era_count - 1].core_count,
    };
    repair_report_state(&r->report, r->stock);
    if (r->report.has_failed)
        return EXIT_IO;
    if (r->options->report != NULL &&
        !output_file_begin(&report_file, r->options->report, r->options->path))
        return EXIT_IO;
    enum exit_code code = new_data_make(&made, &r->stock);
    if (code == EXIT_GOOD && !write_report(r, &made, &report_file))
        code = EXIT_IO;
    if (code == EXIT_GOOD && r->report.is_lost)
        code = EXIT_LOST;
    output_file_abandon(&report_file);
    return code;
}

enum exit_code repair_begin(const struct options *options, struct repair *r)
{
    struct data *data;
    *r = (struct repair){.options = options, .plan = {.is_lenient = true}};
    r->mend_handler = (struct mend_handler){
        .dropped = note_dropped, .lost_holds = note_lost_holds, .made = note_made, .context = r};
    const enum exit_code code = data_open_damaged(options->path, &data);
    if (code != EXIT_GOOD)
        return code;
    plan_begin(&r->plan, data);
    return repair_state(r);
}

void repair_end(struct repair *r)
{
    if (r->report.logs != NULL)
        repair_report_end(&r->report);
    stock_destroy(&r->stock);
    plan_end(&r->plan);
}

enum exit_code command_repair(const struct options *options)
{
    struct repair r;
    if (!output_may_be_made(options->output, options->path) ||
        (options->report != NULL && !output_may_be_made(options->report, options->path)))
        return EXIT_IO;
    enum exit_code code = repair_begin(options, &r);
    if (code == EXIT_GOOD)
        code = repair_make(&r);
    repair_end(&r);
    return code;
}
