#include "state.h"

#include "progress.h"
#include "text.h"

/* When some log cannot be replayed, the others are still read, to be told of. */
static enum outcome read_logs(const struct point *point, struct state *state)
{
    struct plan *plan = &state->plan;
    enum exit_code worst = EXIT_GOOD;
    state->is_torn = false;
    for (uint32_t i = 0; i < plan->data->log_count; i++) {
        struct data_log *log = &plan->data->logs[i];
        if (!plan->sources[i].is_read)
            continue;
        const enum outcome outcome =
            plan_read_log(plan, log, worst == EXIT_GOOD ? state->stock : NULL);
        if (outcome != OUTCOME_DONE)
            return outcome;
        if (!plan->is_quiet)
            pass_tell_end(log, &plan->sources[i].end.end);
        const enum exit_code code = pass_exit_code(plan->sources[i].end.end.status);
        if (code == EXIT_TORN)
            state->is_torn = true;
        else
            worst = exit_code_worse(worst, code);
    }
    return worst == EXIT_GOOD ? point_check(point, plan) : plan_fail(plan, worst);
}

static enum outcome build_once(const struct point *point, struct state *state, uint32_t scale)
{
    struct plan *plan = &state->plan;
    enum outcome outcome = plan_make(plan);
    if (outcome != OUTCOME_DONE)
        return outcome;
    state->stock = plan_make_stock(plan, scale);
    if (state->stock == NULL)
        return OUTCOME_FAILED;
    outcome = plan_load_snapshots(plan, state->stock);
    if (outcome == OUTCOME_DONE)
        outcome = read_logs(point, state);
    progress_end();
    if (outcome != OUTCOME_DONE)
        stock_destroy(&state->stock);
    return outcome;
}

static enum outcome open_and_cut(const char *path, const struct point *point, struct plan *plan)
{
    struct data *data;
    const bool is_quiet = plan->is_quiet;
    plan_end(plan);
    *plan = (struct plan){.is_quiet = is_quiet};
    const enum exit_code code = data_open(path, &data);
    if (code != EXIT_GOOD)
        return plan_fail(plan, code);
    plan_begin(plan, data);
    return point_cut(point, plan);
}

enum exit_code state_build(const char *path, const struct point *point, bool is_quiet,
                           struct state *state_out)
{
    enum outcome outcome = OUTCOME_OPEN_ANEW;
    uint32_t scale = 1;
    int open_count = 0;
    *state_out = (struct state){.plan = {.is_quiet = is_quiet}};
    while (outcome != OUTCOME_DONE && outcome != OUTCOME_FAILED) {
        if (outcome == OUTCOME_LARGER)
            scale *= 2;
        if (outcome == OUTCOME_OPEN_ANEW && open_count++ == STATE_OPEN_COUNT_MAX) {
            tell("%s: a server changes it faster than it can be read: run this again", path);
            outcome = plan_fail(&state_out->plan, EXIT_IO);
        } else if (outcome == OUTCOME_OPEN_ANEW) {
            outcome = open_and_cut(path, point, &state_out->plan);
        }
        if (outcome != OUTCOME_FAILED && outcome != OUTCOME_OPEN_ANEW)
            outcome = build_once(point, state_out, scale);
    }
    return outcome == OUTCOME_DONE ? EXIT_GOOD : state_out->plan.code;
}

enum exit_code state_build_end(const char *path, struct state *state_out)
{
    const struct point end = {.is_exclusive = false};
    return state_build(path, &end, false, state_out);
}

void state_free(struct state *state)
{
    stock_destroy(&state->stock);
    plan_end(&state->plan);
}
