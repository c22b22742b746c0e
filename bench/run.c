#include "bench/run.h"

#include "bench/session.h"
#include "holdfast/v1/session.pb-c.h"

#include <stdio.h>
#include <string.h>

/* What the server allows is known once it has answered: the options that ask for more are refused
 * before anything is made there. */
static bool fits_server(const struct bench_options *options, const struct session *session,
                        char *error, size_t error_bytes)
{
    if (options->batch > session->batch_rows_max) {
        snprintf(error, error_bytes, "--batch: this server takes at most %u rows",
                 session->batch_rows_max);
        return false;
    }
    if (options->hand_over && session->core_count == 1) {
        snprintf(error, error_bytes, "--hand-over: this server has one core, so there is no other");
        return false;
    }
    uint64_t needed = options->threads * session->core_count;
    if (options->connections < needed) {
        snprintf(error, error_bytes,
                 "--connections: this server has %u cores, each needs one of every thread: %llu",
                 session->core_count, (unsigned long long)needed);
        return false;
    }
    return true;
}

static bool open_session(const struct run *run, const struct bench_options *options,
                         struct session *session, char *error, size_t error_bytes)
{
    if (!session_open(session, &run->target.endpoint, 0, options->timeout_ms)) {
        snprintf(error, error_bytes, "%s:%s: %s", options->host, options->port, session->error);
        return false;
    }
    return true;
}

/* Learns about the server. */
static bool reach(struct run *run, const struct bench_options *options, char *error,
                  size_t error_bytes)
{
    const char *unknown = endpoint_resolve(&run->target.endpoint, options->host, options->port);
    if (unknown != NULL) {
        snprintf(error, error_bytes, "%s:%s: %s", options->host, options->port, unknown);
        return false;
    }
    struct session session;
    if (!open_session(run, options, &session, error, error_bytes)) {
        return false;
    }
    run->target.core_count = session.core_count;
    memcpy(run->target.server_version, session.server_version, sizeof session.server_version);
    memcpy(run->target.server_id, session.server_id, sizeof run->target.server_id);
    bool good = fits_server(options, &session, error, error_bytes);
    session_close(&session);
    return good;
}

/* Makes the items of the load, or finds them. */
static bool prepare_items(struct run *run, const struct bench_options *options, char *error,
                          size_t error_bytes)
{
    struct session session;
    if (!open_session(run, options, &session, error, error_bytes)) {
        return false;
    }
    bool good = items_prepare(&run->items, &session, options);
    if (!good) {
        snprintf(error, error_bytes, "%s", session.error);
    }
    session_close(&session);
    return good;
}

/* Since the server's start. */
static void ask_expiries(const struct run *run, const struct bench_options *options,
                         struct run_expiries *expiries)
{
    struct session session;
    *expiries = (struct run_expiries){0};
    if (!session_open(&session, &run->target.endpoint, 0, options->timeout_ms)) {
        return;
    }
    expiries->known = true;
    for (uint32_t core = 0; core < run->target.core_count && expiries->known; core++) {
        Holdfast__V1__StatRequest request = HOLDFAST__V1__STAT_REQUEST__INIT;
        request.core = core;
        const Holdfast__V1__StatResponse *reply =
            (const Holdfast__V1__StatResponse *)session_call(&session, FRAME_STAT, &request.base);
        if (reply == NULL || reply->result != HOLDFAST__V1__RESULT__RESULT_OK) {
            expiries->known = false;
        } else {
            expiries->count += reply->expiries;
            if (reply->expiry_late_ms_max > expiries->late_ms_max) {
                expiries->late_ms_max = reply->expiry_late_ms_max;
            }
        }
    }
    session_close(&session);
}

static bool play(struct run *run, const struct bench_options *options, struct timeline *timeline,
                 const struct phases *phases, char *error, size_t error_bytes)
{
    if (!workload_create(&run->workload, options, &run->items, run->target.core_count)) {
        snprintf(error, error_bytes, "out of memory: fewer --requests need less");
        return false;
    }
    struct run_expiries before = {0};
    if (options->scenario == SCENARIO_MIXED) {
        ask_expiries(run, options, &before);
    }
    load_run(&run->load, options, &run->target, &run->workload, timeline, phases);
    if (!timeline_finish(timeline) && run->load.trouble[0] == 0) {
        snprintf(run->load.trouble, sizeof run->load.trouble, "%s", timeline->trouble);
    }
    if (before.known) {
        ask_expiries(run, options, &run->expiries);
        run->expiries.count -= run->expiries.known ? before.count : 0;
    }
    run->verified = options->verify;
    if (run->verified) {
        verify_run(&run->verify, options, &run->target, &run->workload);
    }
    return true;
}

/* The storm comes up, the others reserve, and the run ends when both are over. */
static bool play_storm(struct run *run, const struct bench_options *options,
                       struct timeline *timeline, char *error, size_t error_bytes)
{
    bool good = reach(run, options, error, error_bytes);
    if (good && !storm_begin(&run->storm, options, &run->target)) {
        snprintf(error, error_bytes, "%s", run->storm.trouble);
        good = false;
    }
    if (good) {
        struct bench_options others;
        storm_load_options(&run->storm, &others);
        good = prepare_items(run, &others, error, error_bytes) &&
               play(run, &others, timeline, &run->storm.phases, error, error_bytes);
    }
    storm_end(&run->storm, !good || run->load.trouble[0] != 0);
    if (good && run->load.trouble[0] == 0) {
        snprintf(run->load.trouble, sizeof run->load.trouble, "%s", run->storm.trouble);
    }
    return good;
}

bool run_play(struct run *run, const struct bench_options *options, struct timeline *timeline,
              char *error, size_t error_bytes)
{
    memset(run, 0, sizeof *run);
    bool good;
    if (options->scenario == SCENARIO_STORM) {
        good = play_storm(run, options, timeline, error, error_bytes);
    } else {
        good = reach(run, options, error, error_bytes) &&
               prepare_items(run, options, error, error_bytes) &&
               play(run, options, timeline, NULL, error, error_bytes);
    }
    if (!good) {
        run_destroy(run);
    }
    return good;
}

void run_destroy(struct run *run)
{
    workload_destroy(&run->workload);
    items_free(&run->items);
}
