#include "bench/report.h"

#include "bench/report_parts.h"

#include <stdio.h>

/* Text is printed run by run, so that a long series can be followed. JSON is one object: that of
 * the only run, with the settings; or the settings, a list of the runs and their median. */

static bool has_series(const struct report *report)
{
    return report->options->runs > 1;
}

void report_begin(struct report *report, const struct bench_options *options,
                  const struct report_place *place)
{
    *report = (struct report){.options = options, .place = place};
    if (options->json) {
        report->root = json_object();
    }
}

static void run_as_json(struct report *report, const struct bench_options *options,
                        const struct run *run)
{
    if (report->runs == 0) {
        json_object_set_new(report->root, "settings", report_json_settings(options, run));
        json_object_set_new(report->root, "environment", report_json_place(report->place, run));
        if (has_series(report)) {
            json_object_set_new(report->root, "runs", json_array());
        }
    }
    json_t *object = report_json_run(options, run);
    if (has_series(report)) {
        json_array_append_new(json_object_get(report->root, "runs"), object);
    } else {
        json_object_update_new(report->root, object);
    }
}

static void run_as_text(const struct report *report, const struct bench_options *options,
                        const struct run *run)
{
    if (report->runs == 0) {
        report_text_head(options, run);
        report_text_place(report->place, run);
    }
    if (has_series(report)) {
        printf("\nrun %u of %llu\n", report->runs + 1, (unsigned long long)report->options->runs);
    }
    report_text_run(options, run);
    fflush(stdout);
}

void report_run(struct report *report, const struct bench_options *options, const struct run *run)
{
    if (report->options->json) {
        run_as_json(report, options, run);
    } else {
        run_as_text(report, options, run);
    }
    report->runs++;
}

void report_end(struct report *report, const struct figures *figures)
{
    if (report->runs > 0 && has_series(report)) {
        struct figures median;
        figures_median(&median, figures, report->runs);
        if (report->options->json) {
            json_object_set_new(report->root, "median",
                                report_json_median(report->options, &median));
        } else {
            report_text_median(report->options, &median, report->runs);
        }
    }
    if (report->options->json && report->runs > 0) {
        report_json_print(report->root);
    }
    fflush(stdout);
    json_decref(report->root);
}
