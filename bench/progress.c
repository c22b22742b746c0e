#include "bench/progress.h"

#include "bench/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a line -------------------------------------------------------------------------------- */

void progress_line_begin(struct progress_line *line, const struct bench_options *options)
{
    *line = (struct progress_line){.in_place = isatty(STDERR_FILENO)};
    if (!options->no_progress && (options->progress_ms > 0 || line->in_place)) {
        line->interval_ns = (options->progress_ms > 0 ? options->progress_ms : 1000) * 1000000;
    }
}

void progress_line_show(struct progress_line *line, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s%s%s", line->in_place ? "\r" : "", text, line->in_place ? "    " : "\n");
    fflush(stderr);
    line->is_shown = true;
}

void progress_line_end(struct progress_line *line)
{
    if (line->in_place && line->is_shown) {
        fprintf(stderr, "\n");
    }
}

/* ---- of a load ----------------------------------------------------------------------------- */

bool progress_begin(struct progress *progress, const struct bench_options *options,
                    uint32_t thread_count)
{
    memset(progress, 0, sizeof *progress);
    progress_line_begin(&progress->line, options);
    pthread_mutex_init(&progress->lock, NULL);
    progress->has_ledger = options_keep_requests(options);
    progress->warmup_ns = options->warmup_ms * 1000000;
    progress->requests = options->open_ended ? 0 : options->requests;
    if (progress->line.interval_ns == 0) {
        return true;
    }
    size_t bytes = thread_count * sizeof progress->parts[0];
    progress->parts = aligned_alloc(alignof(struct progress_part), bytes);
    if (progress->parts == NULL) {
        return false;
    }
    memset(progress->parts, 0, bytes);
    progress->part_count = thread_count;
    for (uint32_t i = 0; i < thread_count; i++) {
        progress->parts[i].next_ns = progress->line.interval_ns;
    }
    return true;
}

static void take_note(struct progress_part *part, const struct load_result *result,
                      uint64_t accepted)
{
    part->answered = result->warmup_rows + result->answered;
    part->accepted = accepted;
    memset(&part->clicks, 0, sizeof part->clicks);
    load_add_clicks(&part->clicks, &result->latency);
}

/* The interval that all threads have noted. */
static uint64_t noted_by_all(const struct progress *progress)
{
    uint64_t interval = UINT64_MAX;
    for (uint32_t i = 0; i < progress->part_count; i++) {
        uint64_t of_part = progress->parts[i].interval;
        interval = of_part < interval ? of_part : interval;
    }
    return interval;
}

static void show(struct progress *progress, uint64_t elapsed_ns)
{
    uint64_t answered = 0;
    uint64_t accepted = 0;
    struct histogram clicks = {0};
    for (uint32_t i = 0; i < progress->part_count; i++) {
        answered += progress->parts[i].answered;
        accepted += progress->parts[i].accepted;
        histogram_add(&clicks, &progress->parts[i].clicks);
    }
    char requests_text[32] = "";
    char accepted_text[40] = "";
    if (progress->requests > 0) {
        snprintf(requests_text, sizeof requests_text, " of %llu",
                 (unsigned long long)progress->requests);
    }
    if (progress->has_ledger) {
        snprintf(accepted_text, sizeof accepted_text, ", %llu accepted",
                 (unsigned long long)accepted);
    }
    double seconds = (double)(elapsed_ns - progress->shown_ns) / 1e9;
    progress_line_show(&progress->line, "%6.1f s  %s%llu answered%s%s, %.0f a second, p99 %.0f us",
                       (double)elapsed_ns / 1e9,
                       elapsed_ns < progress->warmup_ns ? "warming up, " : "",
                       (unsigned long long)answered, requests_text, accepted_text,
                       (double)(answered - progress->shown_answered) / seconds,
                       (double)histogram_quantile(&clicks, 0.99) / 1e3);
    progress->shown_ns = elapsed_ns;
    progress->shown_answered = answered;
}

void progress_note(struct progress *progress, uint32_t thread, const struct load_result *result,
                   uint64_t accepted, uint64_t elapsed_ns)
{
    struct progress_part *part = &progress->parts[thread];
    uint64_t interval_ns = progress->line.interval_ns;
    part->next_ns = (elapsed_ns / interval_ns + 1) * interval_ns;
    pthread_mutex_lock(&progress->lock);
    take_note(part, result, accepted);
    part->interval = elapsed_ns / interval_ns;
    uint64_t interval = noted_by_all(progress);
    if (interval > progress->shown) {
        progress->shown = interval;
        show(progress, elapsed_ns);
    }
    pthread_mutex_unlock(&progress->lock);
}

void progress_leave(struct progress *progress, uint32_t thread, const struct load_result *result,
                    uint64_t accepted)
{
    if (progress->parts == NULL) {
        return;
    }
    pthread_mutex_lock(&progress->lock);
    take_note(&progress->parts[thread], result, accepted);
    progress->parts[thread].interval = UINT64_MAX;
    pthread_mutex_unlock(&progress->lock);
}

void progress_end(struct progress *progress)
{
    progress_line_end(&progress->line);
    free(progress->parts);
    progress->parts = NULL;
}
