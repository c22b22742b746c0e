#include "bench/series.h"

#include "bench/figures.h"
#include "bench/outputs.h"
#include "bench/plot.h"
#include "bench/report.h"
#include "bench/run.h"

#include <stdio.h>
#include <stdlib.h>

/* Large, and only one of each. */
static struct run run;
static struct report_place place;
static struct outputs outputs;
static struct timeline timeline;

static enum series_end complain(enum series_end end, const char *what)
{
    fprintf(stderr, "holdfast-bench: %s\n", what);
    return end;
}

static enum series_end judge(const struct run *at)
{
    if (at->verified && at->verify.done && at->verify.failure_count > 0) {
        return SERIES_BOOKS_WRONG;
    }
    if (at->load.trouble[0] != 0) {
        return complain(SERIES_TROUBLE, at->load.trouble);
    }
    if (at->verified && !at->verify.done) {
        return complain(SERIES_TROUBLE, at->verify.trouble);
    }
    return SERIES_DONE;
}

static uint32_t count_runs(const struct bench_options *options)
{
    return (uint32_t)(options->runs * options_rate_count(options));
}

/* All runs at one rate come one after the other. Every run makes items of its own, so that it finds
 * what the others found. */
static struct bench_options options_of_run(const struct bench_options *options, uint32_t number)
{
    struct bench_options own = *options;
    uint64_t items = options->items;
    if (options->scenario == SCENARIO_STORM) {
        items += STORM_OTHER_ITEMS;
    }
    own.rate = options_rate_at(options, number / options->runs);
    own.first_item += number * items;
    return own;
}

static enum series_end play(struct report *report, const struct bench_options *options,
                            uint32_t number, struct figures *figures_out)
{
    struct bench_options own = options_of_run(options, number);
    char error[384];
    if (!run_play(&run, &own, &timeline, error, sizeof error)) {
        return complain(SERIES_TROUBLE, error);
    }
    figures_take(figures_out, &run.load);
    report_run(report, &own, &run);
    outputs_run(&outputs, number + 1, &own, &run.load, figures_out);
    enum series_end end = judge(&run);
    run_destroy(&run);
    return end;
}

static bool draw(struct plot *plot, const struct bench_options *options,
                 const struct figures *figures, uint32_t played)
{
    static struct figures medians[BENCH_RUNS_MAX]; /* by rate */
    if (options->ramp.step == 0) {
        return plot_time(plot, options);
    }
    uint32_t rates = 0;
    for (uint32_t first = 0; first < played; first += (uint32_t)options->runs) {
        uint32_t left = played - first;
        figures_median(&medians[rates++], figures + first,
                       left < options->runs ? left : (uint32_t)options->runs);
    }
    return plot_ramp(plot, options, medians, rates);
}

static enum series_end play_all(const struct bench_options *options, struct plot *plot,
                                struct figures *figures)
{
    struct report report;
    uint32_t played = 0;
    enum series_end end = SERIES_DONE;
    machine_learn(&place.machine);
    data_disk_learn(&place.disk, options->server_pid);
    report_begin(&report, options, &place);
    while (end == SERIES_DONE && played < count_runs(options)) {
        end = play(&report, options, played, &figures[played]);
        played++;
    }
    report_end(&report, figures);
    /* what trouble has left is worth a look too */
    if (report.runs > 0 && !draw(plot, options, figures, report.runs) && end == SERIES_DONE) {
        end = complain(SERIES_TROUBLE, plot->trouble);
    }
    return end;
}

enum series_end series_run(const struct bench_options *options)
{
    struct plot plot;
    struct figures *figures = calloc(count_runs(options), sizeof figures[0]);
    enum series_end end;
    if (!plot_open(&plot, options)) {
        end = complain(SERIES_USAGE, plot.trouble);
    } else if (!timeline_open(&timeline, plot_timeline_path(&plot, options), options->histograms,
                              options->interval_ms, (uint32_t)options->threads)) {
        end = complain(SERIES_USAGE, timeline.trouble);
    } else if (!outputs_open(&outputs, options)) {
        end = complain(SERIES_USAGE, outputs.trouble);
    } else if (figures == NULL) {
        end = complain(SERIES_TROUBLE, "out of memory: fewer --runs need less");
    } else {
        end = play_all(options, &plot, figures);
    }
    timeline_close(&timeline);
    plot_close(&plot);
    if (!outputs_close(&outputs, options) && end == SERIES_DONE) {
        end = complain(SERIES_TROUBLE, outputs.trouble);
    }
    free(figures);
    return end;
}
