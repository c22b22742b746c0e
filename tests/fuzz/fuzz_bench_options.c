/* The command line of holdfast-bench. The input is one argument a line.
 *
 * Promises:
 *   - It is understood or refused with a reason, without a look behind any argument.
 *   - What is understood is a load that can be made: counts in their bounds, shares that are parts
 *     of a whole. */

#include "arguments.h"

#include "bench/options.h"

#include <proto/frame.h>

/* False for what is no number too. */
static bool is_share(double share)
{
    return share >= 0 && share <= 1;
}

static void check_load(const struct bench_options *options)
{
    hf_assert(options->connections >= 1 && options->connections <= BENCH_CONNECTIONS_MAX);
    hf_assert(options->pipeline >= 1 && options->pipeline <= BENCH_PIPELINE_MAX);
    hf_assert(options->batch >= 1 && options->batch <= FRAME_ROW_COUNT_MAX);
    hf_assert(options->connections * options->pipeline * options->batch <=
              BENCH_ROWS_IN_FLIGHT_MAX);
    hf_assert(options->items <= BENCH_ITEMS_MAX);
    hf_assert(options->requests > 0 || options->duration_ms > 0);
    hf_assert(options->rate <= BENCH_RATE_MAX);
    hf_assert(options->arrival < PLAN_ARRIVALS);
    hf_assert(options->rate > 0 || options->arrival == PLAN_CONSTANT);
    hf_assert(options->interval_ms > 0);
    hf_assert(options->dist.kind != DIST_ZIPF ||
              (options->dist.value > 0 && options->dist.value <= 10));
    hf_assert(options->dist.kind != DIST_HOT || is_share(options->dist.value));
    hf_assert(options->scenario != SCENARIO_STORM ||
              (options->rate > 0 && options->hold_ms > 0 && options->units > 0 &&
               options->items > 0 && !options->verify));
    hf_assert(options->runs >= 1 && options->runs * options_rate_count(options) <= BENCH_RUNS_MAX);
    hf_assert(options->ramp.step == 0 || options->rate == options->ramp.first);
    hf_assert(options->runs == 1 || options->timeline == NULL);
    hf_assert(options->runs == 1 || options->runs * options->items <= BENCH_ITEMS_MAX);
    hf_assert(options->timeline == NULL || options->histograms == NULL ||
              strcmp(options->timeline, options->histograms) != 0);
    hf_assert(!options->verify || options->requests <= BENCH_KEPT_REQUESTS_MAX);
    hf_assert(is_share(options->pay_share) && is_share(options->cancel_share));
    hf_assert(is_share(options->pay_share + options->cancel_share));
    hf_assert(is_share(options->repeat_share));
    hf_assert(options->units >= -1);
    hf_assert(memchr(options->host, '\0', sizeof options->host) != NULL);
    hf_assert(memchr(options->port, '\0', sizeof options->port) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static struct arguments arguments;
    struct bench_options options;
    char error[80] = ""; /* short, so that reasons are cut */
    arguments_take(&arguments, data, data_bytes);
    switch (options_parse(arguments.count, arguments.values, &options, error, sizeof error)) {
    case OPTIONS_RUN:
        check_load(&options);
        break;
    case OPTIONS_WRONG:
        hf_assert(error[0] != '\0' && memchr(error, '\0', sizeof error) != NULL);
        break;
    case OPTIONS_HELP:
    case OPTIONS_VERSION:
        break;
    }
    arguments_free(&arguments);
    return 0;
}
