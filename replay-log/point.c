#include "point.h"

#include "progress.h"
#include "snapshots.h"
#include "text.h"

#include <inttypes.h>

struct point point_of(const struct options *options)
{
    return (struct point){
        .moment = options->moment,
        .is_exclusive = options->is_exclusive,
        .has_core = options->has_core,
        .core = options->core,
        .era = options->era,
    };
}

/* ---- the time of a record ---- */

struct finding {
    uint64_t lsn;
    uint64_t time_ms;
    bool is_found;
};

static const char *find_in_group(void *context, const struct log_group *group,
                                 uint64_t *refused_lsn_out)
{
    struct finding *finding = context;
    struct stock_record decoded;
    if (finding->lsn - group->first_lsn >= group->record_count)
        return NULL;
    const uint8_t *record = group->records;
    for (uint64_t lsn = group->first_lsn; lsn < finding->lsn; lsn++)
        record += log_record_bytes(record);
    *refused_lsn_out = finding->lsn;
    const char *wrong = stock_record_decode(record, log_record_bytes(record), &decoded);
    if (wrong != NULL)
        return wrong;
    finding->is_found = true;
    finding->time_ms = decoded.time_ms;
    return NULL;
}

static enum outcome refuse_lsn(const struct point *point, struct plan *plan,
                               const struct data_log *log, uint64_t last_lsn)
{
    tell("%s: there is no LSN %" PRIu64 ", the log ends with LSN %" PRIu64, log->path,
         point->moment.value, last_lsn);
    return plan_fail(plan, EXIT_USAGE);
}

static enum outcome find_time(const struct point *point, struct plan *plan, struct data_log *log,
                              uint64_t *time_ms_out)
{
    const uint64_t lsn = point->moment.value;
    const struct data_snapshot *before = snapshot_newest(log, lsn - 1);
    const struct data_snapshot *at = snapshot_newest(log, lsn);
    struct finding finding = {.lsn = lsn};
    struct pass pass = {
        .group = find_in_group, .context = &finding, .is_enough = &finding.is_found};
    struct pass_end end;
    if (before == NULL && at != NULL && at->lsn == lsn) {
        *time_ms_out = at->header.position.time_ms;
        return OUTCOME_DONE;
    }
    if (before != NULL)
        pass.start = &before->header.position;
    else if (!data_log_has_first_segment(log))
        return plan_refuse_old(plan, log);
    progress_begin("looking for the LSN", log->segments_bytes);
    pass_run(plan->data, log, &pass, &end);
    progress_end();
    *time_ms_out = finding.time_ms;
    if (finding.is_found)
        return OUTCOME_DONE;
    if (end.is_gone)
        return OUTCOME_OPEN_ANEW;
    if (end.end.status == LOG_GOOD || end.end.status == LOG_TORN_TAIL)
        return refuse_lsn(point, plan, log, end.end.next_lsn - 1);
    pass_tell_end(log, &end.end);
    return plan_fail(plan, pass_exit_code(end.end.status));
}

/* ---- cuts ---- */

/* The log of which the LSN is one. */
static struct data_log *log_of_lsn(const struct point *point, const struct plan *plan)
{
    const struct log_manifest *manifest = &plan->data->manifest;
    for (uint32_t i = 0; i < manifest->era_count; i++) {
        const struct log_manifest_era *era = &manifest->eras[i];
        if (point->era == 0 ? i + 1 < manifest->era_count : point->era != era->number)
            continue;
        if (!point->has_core && era->core_count > 1) {
            tell("an LSN of which log? Era %" PRIu64 " has %" PRIu32 " cores: name one with --core",
                 era->number, era->core_count);
            return NULL;
        }
        if (point->core < era->core_count)
            return data_era_logs(plan->data, i) + point->core;
    }
    tell("there is no log of core %" PRIu32 " in that era; `holdfast-log info` shows what there is",
         point->core);
    return NULL;
}

static enum outcome cut_at_lsn(const struct point *point, struct plan *plan)
{
    const uint64_t one_more = point->is_exclusive ? 0 : 1;
    struct data_log *log = log_of_lsn(point, plan);
    uint64_t time_ms = 0;
    if (log == NULL)
        return plan_fail(plan, EXIT_USAGE);
    const uint32_t core_count = data_core_count(plan->data, log->era_index);
    plan->era_end = log->era_index + 1;
    if (core_count > 1 && point->moment.value > 0) {
        const enum outcome outcome = find_time(point, plan, log, &time_ms);
        if (outcome != OUTCOME_DONE)
            return outcome;
    }
    struct data_log *const era = data_era_logs(plan->data, log->era_index);
    for (uint32_t core = 0; core < core_count; core++)
        plan_source(plan, &era[core])->cut.time_end_ms = time_ms + one_more;
    plan_source(plan, log)->cut = (struct cut){
        .lsn_end = point->moment.value + one_more,
        .time_end_ms = UINT64_MAX,
    };
    return OUTCOME_DONE;
}

enum outcome point_cut(const struct point *point, struct plan *plan)
{
    plan->is_of_point = point->moment.kind != MOMENT_NONE;
    if (point->moment.kind == MOMENT_LSN)
        return cut_at_lsn(point, plan);
    if (point->moment.kind == MOMENT_TIME)
        for (uint32_t i = 0; i < plan->data->log_count; i++)
            plan->sources[i].cut.time_end_ms = point->moment.value + (point->is_exclusive ? 0 : 1);
    return OUTCOME_DONE;
}

enum outcome point_check(const struct point *point, struct plan *plan)
{
    if (point->moment.kind != MOMENT_LSN)
        return OUTCOME_DONE;
    const struct data_log *log = log_of_lsn(point, plan);
    const struct source *source = plan_source(plan, log);
    return source->last_lsn + 1 < source->cut.lsn_end
               ? refuse_lsn(point, plan, log, source->last_lsn)
               : OUTCOME_DONE;
}
