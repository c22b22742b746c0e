#ifndef HF_BENCH_OPTIONS_H
#define HF_BENCH_OPTIONS_H
/* The command line of holdfast-bench. What each option means is told once, in the table of
 * options.c, which --help prints. */

#include "bench/dist.h"
#include "bench/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bench_scenario {
    SCENARIO_FLASH,   /* a sale: few units, many buyers, most are refused */
    SCENARIO_RESERVE, /* everything is accepted */
    SCENARIO_SOLDOUT, /* everything is refused */
    SCENARIO_MIXED,   /* all kinds of requests at once, going on evenly */
    SCENARIO_STORM,   /* many holds end at once, while others reserve */
};

enum {
    BENCH_THREADS_MAX = 256,
    BENCH_CONNECTIONS_MAX = 4096,
    BENCH_PIPELINE_MAX = 1024,
    BENCH_ITEMS_MAX = 10 * 1000 * 1000,
    BENCH_RUNS_MAX = 1000,
    BENCH_ROWS_IN_FLIGHT_MAX = 32 * 1000 * 1000,
};
#define BENCH_RATE_MAX          (1000ull * 1000 * 1000)
#define BENCH_KEPT_REQUESTS_MAX (64ull * 1000 * 1000) /* with bookkeeping for --verify */

/* Rates of an open loop, one after the other; a step of 0 = none. */
struct options_ramp {
    uint64_t first;
    uint64_t last;
    uint64_t step;
};

struct bench_options {
    const char *scenario_name;
    enum bench_scenario scenario;
    char host[256];
    char port[8];

    uint64_t threads; /* that make the load; the connections are divided among them */
    uint64_t connections;
    uint64_t pipeline;    /* frames in flight per connection */
    uint64_t batch;       /* rows per frame; 1 = the single form */
    uint64_t requests;    /* clicks in all; 0 = as many as fit into the duration */
    bool open_ended;      /* as many as fit, but at most `requests`, which nobody asked for */
    uint64_t duration_ms; /* behind the warm-up */
    uint64_t warmup_ms;
    uint64_t runs;
    uint64_t rate; /* clicks per second over all connections; 0 = closed loop */
    const char *arrival_name;
    enum plan_arrival arrival;
    struct options_ramp ramp;
    const char *csv; /* NULL = none, as the next ones */
    const char *hgrm;
    const char *plot;
    const char *timeline;
    const char *histograms;
    uint64_t interval_ms;

    uint64_t items; /* to create; 0 = use those that the server has */
    uint64_t first_item;
    int64_t units; /* of all items together; -1 = unlimited */
    uint64_t buyers;
    uint64_t buyer_limit;
    uint64_t hold_ms; /* 0 = the item's own */

    double pay_share; /* of the accepted */
    double cancel_share;
    double repeat_share; /* of the clicks */
    uint64_t pay_delay_ms;

    const char *dist_name;
    struct dist dist; /* of the clicks over the items */
    uint64_t seed;
    const char *cpus;      /* NULL = any */
    uint64_t reconnect_ms; /* 0 = a lost connection stays lost */
    uint64_t timeout_ms;
    uint64_t progress_ms;
    uint64_t server_pid; /* 0 = not told */
    bool hand_over;      /* connections are with another core than that of their items */
    bool verify;
    bool settle;
    bool shared;
    bool json;
    bool no_progress;
};

/* Are paying, cancelling and repeating part of it? Then every request is remembered. */
static inline bool options_keep_requests(const struct bench_options *options)
{
    return options->verify || options->scenario == SCENARIO_FLASH ||
           options->scenario == SCENARIO_MIXED;
}

/* How many rates there are, and each of them; without a ramp there is one. */
static inline uint64_t options_rate_count(const struct bench_options *options)
{
    const struct options_ramp *ramp = &options->ramp;
    return ramp->step > 0 ? (ramp->last - ramp->first) / ramp->step + 1 : 1;
}

static inline uint64_t options_rate_at(const struct bench_options *options, uint64_t index)
{
    const struct options_ramp *ramp = &options->ramp;
    return ramp->step > 0 ? ramp->first + index * ramp->step : options->rate;
}

enum options_outcome {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_WRONG, /* `error` tells what and where */
};

/* Strings stay in argv. Fills in what the scenario implies for options that were not given. */
enum options_outcome options_parse(int argc, char **argv, struct bench_options *options_out,
                                   char *error, size_t error_bytes);

/* Prints usage and the table to stdout. */
void options_print_help(void);

#endif
