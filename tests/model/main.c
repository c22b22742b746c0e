/* The engine's state against its model, seed after seed. docs/testing.md tells how to repeat a
 * failure. */

#include "jobs.h"
#include "print.h"
#include "shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SHRINK_SECONDS_MAX = 120 };

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- a failure ---- */

static void tell_found(const char *program, const struct options *options, struct job *found)
{
    uint64_t seed = found->seed;
    printf("seed %" PRIu64 ": FAILED at operation %" PRIu64 ": %s: %s\n", seed,
           found->finding.op_index, found->finding.check, found->finding.text);
    printf("  repeat with: %s --seed %" PRIu64 " --operations %" PRIu64 "\n", program, seed,
           options->operation_count);
    printf("seed %" PRIu64 ": making it short ...\n", seed);
    fflush(stdout);
    struct shrink_result result =
        shrink(&found->options, found->ops, found->op_count, SHRINK_SECONDS_MAX);
    if (result.finding.check[0] == '\0') {
        printf("seed %" PRIu64 ": its operations do not fail when they are run again\n", seed);
        return;
    }
    printf("seed %" PRIu64 ": %" PRIu64 " operations are left after %" PRIu64 " tries: %s: %s\n",
           seed, result.op_count, result.try_count, result.finding.check, result.finding.text);
    printf("seed %" PRIu64 ": tests/unit/stock/test_found.c:\n\n", seed);
    print_test(stdout, seed, &found->options, found->ops, result.op_count, &result.finding);
}

/* ---- the summary ---- */

static const char *const kind_names[OP_KIND_COUNT] = {"ask",     "create",  "update", "due",
                                                      "offer",   "time",    "save",   "step",
                                                      "abandon", "restart", "spoil"};

static void print_summary(const struct job *totals, double seconds)
{
    const struct run_counts *counts = &totals->counts;
    printf("seeds %" PRIu64 " and on: %" PRIu64 " runs, %" PRIu64 " operations in %.1f s, %.0f a "
           "second\n",
           totals->seed, totals->run_count, counts->operations, seconds,
           (double)counts->operations / seconds);
    fputs("operations:", stdout);
    for (int i = 0; i < OP_KIND_COUNT; i++)
        printf(" %s %" PRIu64, kind_names[i], counts->kinds[i]);
    fputs("\nresults:", stdout);
    for (int i = 0; i <= STOCK_FORBIDDEN; i++) {
        if (counts->codes[i] != 0)
            printf(" %s %" PRIu64, stock_code_name(i), counts->codes[i]);
    }
    fputs("\nrecords:", stdout);
    for (int i = STOCK_RECORD_ITEM_CREATED; i <= STOCK_RECORD_FORGOTTEN; i++)
        printf(" %s %" PRIu64, stock_record_type_name(i), counts->records[i]);
    printf("\noffered records: legal %" PRIu64 " no room %" PRIu64 " refused %" PRIu64 "\n",
           counts->offers_legal, counts->offers_full, counts->offers_refused);
    printf("saved: states %" PRIu64 " entries %" PRIu64 " restarts %" PRIu64
           "\nspoiled snapshots: true %" PRIu64 " no room %" PRIu64 " refused %" PRIu64 "\n",
           counts->saves, counts->saved_entries, counts->restarts, counts->snapshots_true,
           counts->snapshots_full, counts->snapshots_refused);
    printf("digest %016" PRIx64 "\n", totals->digest);
}

static void print_json(const struct job *totals, double seconds)
{
    const struct run_counts *counts = &totals->counts;
    printf("{\"seed\": \"%" PRIu64 "\", \"runs\": %" PRIu64 ", \"operations\": %" PRIu64
           ", \"seconds\": %.3f, \"operations_per_second\": %.0f",
           totals->seed, totals->run_count, counts->operations, seconds,
           (double)counts->operations / seconds);
    for (int i = 0; i < OP_KIND_COUNT; i++)
        printf("%s\"%s\": %" PRIu64, i == 0 ? ", \"kinds\": {" : ", ", kind_names[i],
               counts->kinds[i]);
    const char *before = "}, \"results\": {";
    for (int i = 0; i <= STOCK_FORBIDDEN; i++) {
        if (counts->codes[i] == 0)
            continue;
        printf("%s\"%s\": %" PRIu64, before, stock_code_name(i), counts->codes[i]);
        before = ", ";
    }
    for (int i = STOCK_RECORD_ITEM_CREATED; i <= STOCK_RECORD_FORGOTTEN; i++)
        printf("%s\"%s\": %" PRIu64, i == STOCK_RECORD_ITEM_CREATED ? "}, \"records\": {" : ", ",
               stock_record_type_name(i), counts->records[i]);
    printf("}, \"offers\": {\"legal\": %" PRIu64 ", \"no_room\": %" PRIu64 ", \"refused\": %" PRIu64
           "}, \"saved\": {\"states\": %" PRIu64 ", \"entries\": %" PRIu64
           ", \"restarts\": %" PRIu64 "}, \"snapshots\": {\"true\": %" PRIu64
           ", \"no_room\": %" PRIu64 ", \"refused\": %" PRIu64 "}, \"digest\": \"%016" PRIx64
           "\"}\n",
           counts->offers_legal, counts->offers_full, counts->offers_refused, counts->saves,
           counts->saved_entries, counts->restarts, counts->snapshots_true, counts->snapshots_full,
           counts->snapshots_refused, totals->digest);
}

int main(int argc, char **argv)
{
    struct options options;
    if (!options_parse(argc, argv, &options)) {
        fputs("Try 'model --help'.\n", stderr);
        return EXIT_USAGE;
    }
    if (options.is_help) {
        options_print_help();
        return EXIT_AGREED;
    }
    double begin_s = now_s();
    struct job totals;
    bool is_trouble;
    struct job *found = jobs_run(&options, &totals, &is_trouble);
    if (is_trouble) {
        fputs("model: the machine refuses memory or a process\n", stderr);
        return EXIT_TROUBLE;
    }
    if (found != NULL) {
        tell_found(argv[0], &options, found);
        return EXIT_FOUND;
    }
    if (options.is_json)
        print_json(&totals, now_s() - begin_s);
    else
        print_summary(&totals, now_s() - begin_s);
    return EXIT_AGREED;
}
