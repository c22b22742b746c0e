#include "bench/load.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/session.h"
#include "bench/verify.h"
#include "bench/workload.h"

#include <stdio.h>
#include <string.h>

/* holdfast-bench: prepares the items, runs the load, proves the books, reports. */

enum exit_code { EXIT_DONE = 0, EXIT_USAGE = 1, EXIT_TROUBLE = 2, EXIT_BOOKS_WRONG = 3 };

/* Large, and only one of each. */
static struct load_result load_result;
static struct verify_result verify_result;

static enum exit_code complain(const char *what)
{
    fprintf(stderr, "holdfast-bench: %s\n", what);
    return EXIT_TROUBLE;
}

/* Learns about the server and prepares its items. */
static bool prepare(const struct bench_options *options, struct load_target *target,
                    struct bench_items *items)
{
    const char *unknown = endpoint_resolve(&target->endpoint, options->host, options->port);
    if (unknown != NULL) {
        fprintf(stderr, "holdfast-bench: %s:%s: %s\n", options->host, options->port, unknown);
        return false;
    }
    struct session session;
    if (!session_open(&session, &target->endpoint, 0, options->timeout_ms)) {
        fprintf(stderr, "holdfast-bench: %s:%s: %s\n", options->host, options->port, session.error);
        return false;
    }
    target->core_count = session.core_count;
    memcpy(target->server_id, session.server_id, sizeof target->server_id);
    bool good = items_prepare(items, &session, options);
    if (!good) {
        complain(session.error);
    } else if (options->batch > session.batch_rows_max) {
        fprintf(stderr, "holdfast-bench: --batch: this server takes at most %u rows\n",
                session.batch_rows_max);
        good = false;
    } else if (options->connections < target->core_count) {
        fprintf(stderr, "holdfast-bench: --connections: this server has %u cores, each needs one\n",
                target->core_count);
        good = false;
    }
    if (!good) {
        items_free(items);
    }
    session_close(&session);
    return good;
}

static enum exit_code judge(const struct bench_options *options)
{
    if (options->verify && verify_result.done && verify_result.failure_count > 0) {
        return EXIT_BOOKS_WRONG;
    }
    if (load_result.trouble[0] != 0) {
        return complain(load_result.trouble);
    }
    if (options->verify && !verify_result.done) {
        return complain(verify_result.trouble);
    }
    return EXIT_DONE;
}

static enum exit_code run(const struct bench_options *options, struct timeline *timeline)
{
    struct load_target target = {0};
    struct bench_items items;
    if (!prepare(options, &target, &items)) {
        return EXIT_TROUBLE;
    }
    struct workload workload;
    enum exit_code code = EXIT_TROUBLE;
    if (!workload_create(&workload, options, &items, target.core_count)) {
        complain("out of memory: fewer --requests need less");
        goto out;
    }
    load_run(&load_result, options, &target, &workload, timeline);
    if (!timeline_close(timeline) && load_result.trouble[0] == 0) {
        snprintf(load_result.trouble, sizeof load_result.trouble, "%s", timeline->trouble);
    }
    if (options->verify) {
        verify_run(&verify_result, options, &target, &workload);
    }
    struct report report = {
        .options = options,
        .items = &items,
        .workload = &workload,
        .target = &target,
        .load = &load_result,
        .verify = options->verify ? &verify_result : NULL,
    };
    if (options->json) {
        report_print_json(&report);
    } else {
        report_print_text(&report);
    }
    fflush(stdout);
    code = judge(options);
out:
    workload_destroy(&workload);
    items_free(&items);
    return code;
}

static enum exit_code run_with_timeline(const struct bench_options *options)
{
    struct timeline timeline;
    enum exit_code code = EXIT_USAGE;
    if (timeline_open(&timeline, options->timeline, options->histograms, options->interval_ms)) {
        code = run(options, &timeline);
    } else {
        complain(timeline.trouble);
    }
    timeline_close(&timeline);
    return code;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    char error[256];
    switch (options_parse(argc, argv, &options, error, sizeof error)) {
    case OPTIONS_HELP:
        options_print_help();
        return EXIT_DONE;
    case OPTIONS_VERSION:
        printf("holdfast-bench %s\n", HOLDFAST_VERSION);
        return EXIT_DONE;
    case OPTIONS_WRONG:
        fprintf(stderr, "holdfast-bench: %s\nTry holdfast-bench --help.\n", error);
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    return (int)run_with_timeline(&options);
}
