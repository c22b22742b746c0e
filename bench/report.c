#include "bench/report.h"

#include "bench/report_parts.h"

#include <stdio.h>

/* Text is printed run by run, so that a long series can be followed. JSON is one object: that of
 * the only run, with the settings; or the settings, a list of the runs and their median, for a ramp
 * that of each rate. */

static bool has_ramp(const struct report *report)
{
    return report->options->ramp.step > 0;
}

static bool has_series(const struct report *report)
{
    return report->options->runs > 1 || has_ramp(report);
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

/* The runs at each rate, as many as there were. */
static void end_ramp(struct report *report, const struct figures *figures)
{
    const struct bench_options *options = report->options;
    json_t *array = options->json ? json_array() : NULL;
    for (uint32_t first = 0; first < report->runs; first += (uint32_t)options->runs) {
        uint32_t left = report->runs - first;
        struct figures median;
        figures_median(&median, figures + first,
                       left < options->runs ? left : (uint32_t)options->runs);
        uint64_t rate = options_rate_at(options, first / options->runs);
        if (options->json) {
            json_t *object = report_json_median(options, &median);
            json_object_set_new(object, "rate", json_integer((json_int_t)rate));
            json_array_append_new(array, object);
        } else {
            report_text_ramp(rate, &median, first == 0);
        }
    }
    if (options->json) {
        json_object_set_new(report->root, "ramp", array);
    }
}

static void end_series(struct report *report, const struct figures *figures)
{
    struct figures median;
    figures_median(&median, figures, report->runs);
    if (report->options->json) {
        json_object_set_new(report->root, "median", report_json_median(report->options, &median));
    } else {
        report_text_median(report->options, &median, report->runs);
    }
}

void report_end(struct report *report, const struct figures *figures)
{
    if (report->runs > 0 && has_ramp(report)) {
        end_ramp(report, figures);
    } else if (report->runs > 0 && has_series(report)) {
        end_series(report, figures);
    }
    if (report->options->json && report->runs > 0) {
        report_json_print(report->root);
    }
    fflush(stdout);
    json_decref(report->root);
}
