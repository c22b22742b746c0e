#include "bench/progress.h"

#include "bench/load.h"

#include <stdio.h>
#include <unistd.h>

void progress_begin(struct progress *progress, const struct bench_options *options)
{
    bool terminal = isatty(STDERR_FILENO);
    *progress = (struct progress){.requests = options->open_ended ? 0 : options->requests,
                                  .warmup_ns = options->warmup_ms * 1000000,
                                  .in_place = terminal};
    if (options->no_progress || (options->progress_ms == 0 && !terminal)) {
        return;
    }
    progress->interval_ns = (options->progress_ms > 0 ? options->progress_ms : 1000) * 1000000;
    progress->next_ns = progress->interval_ns;
}

void progress_update(struct progress *progress, const struct load_result *result,
                     const struct workload *workload, uint64_t elapsed_ns)
{
    if (progress->interval_ns == 0 || elapsed_ns < progress->next_ns) {
        return;
    }
    double seconds = (double)(elapsed_ns - progress->last_ns) / 1e9;
    uint64_t answered = result->warmup_rows + result->answered;
    double rate = (double)(answered - progress->last_answered) / seconds;
    fprintf(stderr, "%s%6.1f s  %s%llu answered", progress->in_place ? "\r" : "",
            (double)elapsed_ns / 1e9, elapsed_ns < progress->warmup_ns ? "warming up, " : "",
            (unsigned long long)answered);
    if (progress->requests > 0) {
        fprintf(stderr, " of %llu", (unsigned long long)progress->requests);
    }
    if (workload->ledger != NULL) {
        fprintf(stderr, ", %llu accepted", (unsigned long long)workload->accepted);
    }
    struct histogram all = {0};
    load_add_clicks(&all, &result->latency);
    fprintf(stderr, ", %.0f a second, p99 %.0f us%s", rate,
            (double)histogram_quantile(&all, 0.99) / 1e3, progress->in_place ? "    " : "\n");
    fflush(stderr);
    progress->last_ns = elapsed_ns;
    progress->last_answered = answered;
    progress->next_ns = elapsed_ns + progress->interval_ns;
}

void progress_end(struct progress *progress)
{
    if (progress->interval_ns != 0 && progress->in_place && progress->last_ns != 0) {
        fprintf(stderr, "\n");
    }
}
