#include "bench/options.h"

#include "base/units.h"
#include "bench/cpus.h"
#include "bench/storm.h"
#include "proto/frame.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row per option: how it is called, what follows it, where it is kept, what it may be, what
 * --help says. getopt_long's own table and the help are made from it. A row's place in the table is
 * the number getopt_long gives back, so it also tells which options were given. */

enum option_kind {
    KIND_TEXT,
    KIND_SERVER,   /* HOST or HOST:PORT */
    KIND_COUNT,    /* 1000, 250k, 2M, 1G */
    KIND_UNITS,    /* a count, or unlimited */
    KIND_DURATION, /* 250ms, 10s, 1h30m, 7d */
    KIND_SHARE,    /* 0.3 or 30% */
    KIND_RAMP,     /* 1k:10k:1k */
    KIND_FLAG,
};

struct option_row {
    const char *name;
    enum option_kind kind;
    const char *argument;
    size_t offset;
    uint64_t min;
    uint64_t max;
    const char *help;
};

#define AT(field) offsetof(struct bench_options, field)

enum option_number {
    OPTION_SERVER,
    OPTION_SCENARIO,
    OPTION_THREADS,
    OPTION_CONNECTIONS,
    OPTION_HAND_OVER,
    OPTION_PIPELINE,
    OPTION_BATCH,
    OPTION_REQUESTS,
    OPTION_DURATION,
    OPTION_WARMUP,
    OPTION_RUNS,
    OPTION_RATE,
    OPTION_RAMP,
    OPTION_ARRIVAL,
    OPTION_CSV,
    OPTION_HGRM,
    OPTION_PLOT,
    OPTION_TIMELINE,
    OPTION_HISTOGRAMS,
    OPTION_INTERVAL,
    OPTION_ITEMS,
    OPTION_FIRST_ITEM,
    OPTION_UNITS,
    OPTION_BUYERS,
    OPTION_BUYER_LIMIT,
    OPTION_HOLD_TIME,
    OPTION_PAY_SHARE,
    OPTION_CANCEL_SHARE,
    OPTION_REPEAT_SHARE,
    OPTION_PAY_DELAY,
    OPTION_DIST,
    OPTION_SEED,
    OPTION_CPUS,
    OPTION_RECONNECT,
    OPTION_TIMEOUT,
    OPTION_VERIFY,
    OPTION_SETTLE,
    OPTION_SHARED,
    OPTION_SERVER_PID,
    OPTION_JSON,
    OPTION_PROGRESS,
    OPTION_NO_PROGRESS,
    OPTION_COUNT,
    OPTION_HELP = OPTION_COUNT,
    OPTION_SHOW_VERSION,
};

/* clang-format off: a table */
static const struct option_row table[OPTION_COUNT] = {
    [OPTION_SERVER] = {"server", KIND_SERVER, "HOST[:PORT]", 0, 0, 0,
                       "where holdfastd listens (127.0.0.1:7411)"},
    [OPTION_SCENARIO] = {"scenario", KIND_TEXT, "NAME", AT(scenario_name), 0, 0,
                         "flash (few units, many buyers), reserve (all accepted), soldout (all "
                         "refused), mixed (all "
                         "kinds of requests at once) or storm "
                         "(holds that end all at once; see below)"},
    [OPTION_THREADS] = {"threads", KIND_COUNT, "N", AT(threads), 1, BENCH_THREADS_MAX,
                        "threads that make the load, the connections divided among them; see below "
                        "(1)"},
    [OPTION_CONNECTIONS] = {"connections", KIND_COUNT, "N", AT(connections), 1,
                            BENCH_CONNECTIONS_MAX,
                            "connections, spread evenly over the server's cores (64)"},
    [OPTION_HAND_OVER] =
        {"hand-over", KIND_FLAG, NULL, AT(hand_over), 0, 0,
         "ask each core for the items of the next one, so that it has to hand every row over"},
    [OPTION_PIPELINE] = {"pipeline", KIND_COUNT, "N", AT(pipeline), 1, BENCH_PIPELINE_MAX,
                         "frames in flight per connection (16)"},
    [OPTION_BATCH] = {"batch", KIND_COUNT, "N", AT(batch), 1, FRAME_ROW_COUNT_MAX,
                      "rows per frame; 1 uses the single form (1)"},
    [OPTION_REQUESTS] =
        {"requests", KIND_COUNT, "N", AT(requests), 1, 1ull << 40,
         "clicks in all, repeated ones included (1M, or without end when there is a duration)"},
    [OPTION_DURATION] = {"duration", KIND_DURATION, "TIME", AT(duration_ms), 1, 24 * 3600 * 1000,
                         "no new clicks after this long, from the end of the warm-up on"},
    [OPTION_WARMUP] =
        {"warmup", KIND_DURATION, "TIME", AT(warmup_ms), 1, 3600 * 1000,
         "put on the load so long before anything counts; the report tells how much that was"},
    [OPTION_RUNS] = {"runs", KIND_COUNT, "N", AT(runs), 1, BENCH_RUNS_MAX,
                     "the same load so often, under fresh ids, and the median of all; see below "
                     "(1)"},
    [OPTION_RATE] = {"rate", KIND_COUNT, "N", AT(rate), 1, BENCH_RATE_MAX,
                     "open loop: so many clicks a second over all connections; see below"},
    [OPTION_RAMP] = {"ramp", KIND_RAMP, "A:B:STEP", AT(ramp), 1, BENCH_RATE_MAX,
                     "open loop at rates A, A+STEP, up to B, one after the other, each for a "
                     "--duration or so many --requests"},
    [OPTION_ARRIVAL] = {"arrival", KIND_TEXT, "KIND", AT(arrival_name), 0, 0,
                        "with --rate or --ramp: constant (equal steps) or poisson (constant)"},
    [OPTION_CSV] = {"csv", KIND_TEXT, "FILE", AT(csv), 0, 0,
                    "write a CSV with a line per run: rate, answers, latencies, CPU time"},
    [OPTION_HGRM] = {"hgrm", KIND_TEXT, "FILE", AT(hgrm), 0, 0,
                     "write the latencies of all clicks of all runs in HdrHistogram's percentile "
                     "format"},
    [OPTION_PLOT] = {"plot", KIND_TEXT, "FILE.svg", AT(plot), 0, 0,
                     "draw the latency of clicks, over the rate of a --ramp, else over time "
                     "(needs gnuplot)"},
    [OPTION_TIMELINE] =
        {"timeline", KIND_TEXT, "FILE", AT(timeline), 0, 0,
         "write a CSV with a line per --interval: answers and latencies; see below"},
    [OPTION_HISTOGRAMS] =
        {"histograms", KIND_TEXT, "FILE", AT(histograms), 0, 0,
         "write a CSV with a line per --interval: all latencies, counted; see below"},
    [OPTION_INTERVAL] = {"interval", KIND_DURATION, "TIME", AT(interval_ms), 10, 3600 * 1000,
                         "of --timeline, --histograms and --plot (100ms)"},
    [OPTION_ITEMS] = {"items", KIND_COUNT, "N", AT(items), 1, BENCH_ITEMS_MAX,
                      "create so many items and use those; else all items that the server has"},
    [OPTION_FIRST_ITEM] = {"first-item", KIND_COUNT, "ID", AT(first_item), 1, 1ull << 62,
                           "id of the first item created, the others follow (1)"},
    [OPTION_UNITS] =
        {"units", KIND_UNITS, "N", AT(units), 0, 1ull << 48,
         "units of all created items together, or 'unlimited' (flash 10k, reserve and mixed "
         "unlimited, soldout 0, storm 100k)"},
    [OPTION_BUYERS] = {"buyers", KIND_COUNT, "N", AT(buyers), 1, 1ull << 40,
                       "different buyers, ids 1 to N (flash 200k, else 1M)"},
    [OPTION_BUYER_LIMIT] = {"buyer-limit", KIND_COUNT, "N", AT(buyer_limit), 0, 1000000,
                            "units of a created item per buyer; 0 = no limit (flash 1, reserve and "
                            "mixed 1M, soldout 1, storm 0)"},
    [OPTION_HOLD_TIME] =
        {"hold-time", KIND_DURATION, "TIME", AT(hold_ms), 1, 30ull * 24 * 3600 * 1000,
         "hold time that each request asks for; else the item's own (mixed 1s, storm 10s)"},
    [OPTION_PAY_SHARE] = {"pay-share", KIND_SHARE, "SHARE", AT(pay_share), 0, 0,
                          "of the accepted, so many pay (flash 0.6, mixed 0.5, else 0)"},
    [OPTION_CANCEL_SHARE] =
        {"cancel-share", KIND_SHARE, "SHARE", AT(cancel_share), 0, 0,
         "of the accepted, so many cancel; the rest is left to expire (flash 0.1, mixed 0.2, else "
         "0)"},
    [OPTION_REPEAT_SHARE] =
        {"repeat-share", KIND_SHARE, "SHARE", AT(repeat_share), 0, 0,
         "of the clicks, so many are second clicks under the same id (flash and mixed 0.1, "
         "else 0)"},
    [OPTION_PAY_DELAY] =
        {"pay-delay", KIND_DURATION, "TIME", AT(pay_delay_ms), 0, 3600 * 1000,
         "from the accepting answer to paying or cancelling (mixed 100ms, else 0)"},
    [OPTION_DIST] = {"dist", KIND_TEXT, "DIST", AT(dist_name), 0, 0,
                     "of the clicks over the items: uniform, zipf:S (the n-th item gets 1/n^S) or "
                     "hot:P% (the first gets so many); by item id (uniform)"},
    [OPTION_SEED] = {"seed", KIND_COUNT, "N", AT(seed), 0, UINT64_MAX,
                     "of the choice of items, buyers, repeats and payers (1)"},
    [OPTION_CPUS] =
        {"cpus", KIND_TEXT, "LIST", AT(cpus), 0, 0,
         "run on these CPUs only, such as 1 or 0,2-3; of several --threads each on one; "
         "the server's own is no good one"},
    [OPTION_RECONNECT] =
        {"reconnect", KIND_DURATION, "TIME", AT(reconnect_ms), 1, 3600 * 1000,
         "when connections die, try so long to come back and repeat what was not answered under "
         "the same ids; else the answers are counted as lost"},
    [OPTION_TIMEOUT] = {"timeout", KIND_DURATION, "TIME", AT(timeout_ms), 100, 3600 * 1000,
                        "give up when nothing is answered for so long (30s)"},
    [OPTION_VERIFY] =
        {"verify", KIND_FLAG, NULL, AT(verify), 0, 0,
         "read everything back afterwards and prove the books; exit code 3 when they are wrong"},
    [OPTION_SETTLE] = {"settle", KIND_FLAG, NULL, AT(settle), 0, 0,
                       "with --verify: first wait until the last unpaid hold is past its time"},
    [OPTION_SHARED] =
        {"shared", KIND_FLAG, NULL, AT(shared), 0, 0,
         "with --verify: others use these items too, so leave out what that would disturb"},
    [OPTION_SERVER_PID] = {"server-pid", KIND_COUNT, "PID", AT(server_pid), 1, 1 << 30,
                           "the server's, when it runs here: report its CPU time per request, its "
                           "command line and its disk"},
    [OPTION_JSON] = {"json", KIND_FLAG, NULL, AT(json), 0, 0,
                     "print the report as one JSON object"},
    [OPTION_PROGRESS] =
        {"progress", KIND_DURATION, "TIME", AT(progress_ms), 10, 3600 * 1000,
         "a progress line to stderr this often, also when that is no terminal (1s on a terminal)"},
    [OPTION_NO_PROGRESS] = {"no-progress", KIND_FLAG, NULL, AT(no_progress), 0, 0,
                            "no progress line"},
};
/* clang-format on */

static const struct {
    const char *name;
    int64_t units;
    uint64_t buyers;
    uint64_t buyer_limit;
    double pay_share, cancel_share, repeat_share;
} scenarios[] = {
    [SCENARIO_FLASH] = {"flash", 10000, 200000, 1, 0.6, 0.1, 0.1},
    [SCENARIO_RESERVE] = {"reserve", -1, 1000000, 1000000, 0, 0, 0},
    [SCENARIO_MIXED] = {"mixed", -1, 1000000, 1000000, 0.5, 0.2, 0.1},
    [SCENARIO_STORM] = {"storm", 100000, 1000000, 0, 0, 0, 0},
    [SCENARIO_SOLDOUT] = {"soldout", 0, 1000000, 1, 0, 0, 0},
};
enum { SCENARIO_COUNT = sizeof scenarios / sizeof scenarios[0] };

/* ---- values -------------------------------------------------------------------------------- */

static bool parse_share(const char *text, double *share_out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text) {
        return false;
    }
    if (strcmp(end, "%") == 0) {
        value /= 100;
    } else if (*end != 0) {
        return false;
    }
    *share_out = value;
    return isfinite(value) && value >= 0 && value <= 1;
}

#define PORT_DEFAULT "7411"

static bool copy_host(struct bench_options *options, const char *host, size_t bytes)
{
    if (bytes == 0 || bytes >= sizeof options->host) {
        return false;
    }
    memcpy(options->host, host, bytes);
    options->host[bytes] = 0;
    return true;
}

/* After the host: nothing, or a colon and a port. */
static bool parse_port(struct bench_options *options, const char *text)
{
    uint64_t port = 0;
    const char *digits = *text == 0 ? PORT_DEFAULT : text + 1;
    if ((*text != 0 && *text != ':') || strlen(digits) > 5 ||
        digits[strspn(digits, "0123456789")] != 0 || !units_parse_count(digits, &port) ||
        port == 0 || port > 65535) {
        return false;
    }
    snprintf(options->port, sizeof options->port, "%u", (unsigned)port);
    return true;
}

/* HOST, HOST:PORT, [HOST] or [HOST]:PORT; several colons without brackets are all host. */
static bool parse_server(const char *text, struct bench_options *options)
{
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        return end != NULL && copy_host(options, text + 1, (size_t)(end - text - 1)) &&
               parse_port(options, end + 1);
    }
    const char *colon = strchr(text, ':');
    if (colon == NULL || strchr(colon + 1, ':') != NULL) {
        colon = text + strlen(text);
    }
    return copy_host(options, text, (size_t)(colon - text)) && parse_port(options, colon);
}

static const char *kind_wants(enum option_kind kind)
{
    switch (kind) {
    case KIND_SERVER:
        return "HOST or HOST:PORT";
    case KIND_DURATION:
        return "a duration such as 250ms, 10s or 1h30m";
    case KIND_SHARE:
        return "a share such as 0.3 or 30%";
    case KIND_UNITS:
        return "a count or 'unlimited'";
    case KIND_RAMP:
        return "three rates A:B:STEP such as 10k:100k:10k, A not above B, each from 1 to 1G, of at "
               "most 1000 steps";
    case KIND_COUNT:
        return "a count such as 500, 250k, 2M or 1G";
    case KIND_TEXT:
    case KIND_FLAG:
        break;
    }
    return "a value";
}

/* A value that was no good: what it should have been, and within which bounds. */
static void tell_wanted(const struct option_row *row, const char *text, const char *wants,
                        char *error, size_t error_bytes)
{
    char range[2 * UNITS_TEXT_BYTES_MAX + 16] = "";
    if (row->kind == KIND_COUNT || row->kind == KIND_UNITS) {
        snprintf(range, sizeof range, " from %llu to %llu", (unsigned long long)row->min,
                 (unsigned long long)row->max);
    } else if (row->kind == KIND_DURATION) {
        char min[UNITS_TEXT_BYTES_MAX];
        char max[UNITS_TEXT_BYTES_MAX];
        units_format_duration_ms(row->min, min);
        units_format_duration_ms(row->max, max);
        snprintf(range, sizeof range, " from %s to %s", min, max);
    }
    snprintf(error, error_bytes, "--%s: '%.64s' is not %s%s", row->name, text, wants, range);
}

static bool parse_ramp(const struct option_row *row, const char *text, struct options_ramp *ramp)
{
    uint64_t *const numbers[] = {&ramp->first, &ramp->last, &ramp->step};
    for (int i = 0; i < 3; i++) {
        char part[32];
        size_t bytes = strcspn(text, ":");
        if (bytes >= sizeof part || text[bytes] != (i < 2 ? ':' : 0)) {
            return false;
        }
        memcpy(part, text, bytes);
        part[bytes] = 0;
        text += bytes + 1;
        if (!units_parse_count(part, numbers[i]) || *numbers[i] < row->min ||
            *numbers[i] > row->max) {
            return false;
        }
    }
    return ramp->first <= ramp->last && (ramp->last - ramp->first) / ramp->step < BENCH_RUNS_MAX;
}

/* NULL, or what such an option takes. */
static const char *take_value(const struct option_row *row, const char *text,
                              struct bench_options *options)
{
    void *place = (char *)options + row->offset;
    uint64_t number = 0;
    bool good = true;
    switch (row->kind) {
    case KIND_FLAG:
        *(bool *)place = true;
        return NULL;
    case KIND_TEXT:
        *(const char **)place = text;
        return NULL;
    case KIND_SERVER:
        good = parse_server(text, options);
        return good ? NULL : kind_wants(row->kind);
    case KIND_SHARE:
        good = parse_share(text, place);
        return good ? NULL : kind_wants(row->kind);
    case KIND_RAMP:
        good = parse_ramp(row, text, place);
        return good ? NULL : kind_wants(row->kind);
    case KIND_UNITS:
        if (strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0) {
            *(int64_t *)place = -1;
            return NULL;
        }
        good = units_parse_count(text, &number);
        break;
    case KIND_COUNT:
        good = units_parse_count(text, &number);
        break;
    case KIND_DURATION:
        good = units_parse_duration_ms(text, &number);
        break;
    }
    if (!good || number < row->min || number > row->max) {
        return kind_wants(row->kind);
    }
    memcpy(place, &number, sizeof number);
    return NULL;
}

/* ---- the whole line ------------------------------------------------------------------------ */

static bool find_scenario(struct bench_options *options)
{
    for (int i = 0; i < SCENARIO_COUNT; i++) {
        if (strcmp(options->scenario_name, scenarios[i].name) == 0) {
            options->scenario = (enum bench_scenario)i;
            return true;
        }
    }
    return false;
}

static bool find_arrival(struct bench_options *options)
{
    for (int i = 0; i < PLAN_ARRIVALS; i++) {
        if (strcmp(options->arrival_name, plan_arrival_name((enum plan_arrival)i)) == 0) {
            options->arrival = (enum plan_arrival)i;
            return true;
        }
    }
    return false;
}

static void fill_in_storm(struct bench_options *options, const bool *given)
{
    options->items = given[OPTION_ITEMS] ? options->items : 1;
    options->rate = given[OPTION_RATE] ? options->rate : 2000;
    options->hold_ms = given[OPTION_HOLD_TIME] ? options->hold_ms : 10 * 1000;
    options->duration_ms = given[OPTION_DURATION] ? options->duration_ms : 5 * 1000;
}

/* Holds come to their end within the run; a duration alone is enough, as nobody knows how many
 * clicks fit into it. */
static void fill_in_mixed(struct bench_options *options, const bool *given)
{
    options->hold_ms = given[OPTION_HOLD_TIME] ? options->hold_ms : 1000;
    options->pay_delay_ms = given[OPTION_PAY_DELAY] ? options->pay_delay_ms : 100;
    options->open_ended = given[OPTION_DURATION] && !given[OPTION_REQUESTS];
    options->requests = options->open_ended ? BENCH_KEPT_REQUESTS_MAX : options->requests;
}

static void fill_in(struct bench_options *options, const bool *given)
{
    if (given[OPTION_RAMP]) {
        options->rate = options->ramp.first;
    }
    if (!given[OPTION_UNITS]) {
        options->units = scenarios[options->scenario].units;
    }
    if (!given[OPTION_BUYERS]) {
        options->buyers = scenarios[options->scenario].buyers;
    }
    if (!given[OPTION_BUYER_LIMIT]) {
        options->buyer_limit = scenarios[options->scenario].buyer_limit;
    }
    if (!given[OPTION_PAY_SHARE]) {
        options->pay_share = scenarios[options->scenario].pay_share;
    }
    if (!given[OPTION_CANCEL_SHARE]) {
        options->cancel_share = scenarios[options->scenario].cancel_share;
    }
    if (!given[OPTION_REPEAT_SHARE]) {
        options->repeat_share = scenarios[options->scenario].repeat_share;
    }
    if (options->scenario == SCENARIO_MIXED) {
        fill_in_mixed(options, given);
    }
    if (options->scenario == SCENARIO_STORM) {
        fill_in_storm(options, given);
    } else if (!given[OPTION_REQUESTS] && !given[OPTION_DURATION]) {
        options->requests = 1000000;
    }
}

static bool has_same_file(const char *const *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (files[i] != NULL && files[j] != NULL && strcmp(files[i], files[j]) == 0) {
                return true;
            }
        }
    }
    return false;
}

static const char *ramp_contradiction(const struct bench_options *options, const bool *given)
{
    if (!given[OPTION_RAMP]) {
        return NULL;
    }
    if (given[OPTION_RATE]) {
        return "--ramp has its own rates: leave out --rate";
    }
    if (!given[OPTION_DURATION] && !given[OPTION_REQUESTS]) {
        return "--ramp: how long at each rate? --duration or --requests is missing";
    }
    if (options->scenario == SCENARIO_STORM || given[OPTION_TIMELINE] || given[OPTION_HISTOGRAMS] ||
        given[OPTION_HGRM]) {
        return "storm, --timeline, --histograms and --hgrm tell of one rate: leave out --ramp";
    }
    return NULL;
}

/* What a storm can't do. */
static const char *storm_contradiction(const struct bench_options *options, const bool *given)
{
    if (options->scenario != SCENARIO_STORM) {
        return NULL;
    }
    if (given[OPTION_REQUESTS] || given[OPTION_WARMUP]) {
        return "storm: the others reserve at --rate until --duration behind the deadline; leave "
               "out --requests and --warmup";
    }
    if (options->verify) {
        return "storm reads its items until all units are back; leave out --verify";
    }
    if (options->units < 1 || options->units > STORM_UNITS_MAX ||
        options->items > STORM_ITEMS_MAX) {
        return "storm: --units from 1 to 16M, and at most 1000 --items";
    }
    return NULL;
}

/* NULL, or why these options do not go together. */
static const char *contradiction(const struct bench_options *options, const bool *given)
{
    const char *storm = storm_contradiction(options, given);
    if (storm != NULL) {
        return storm;
    }
    if (options->pay_share + options->cancel_share > 1) {
        return "--pay-share and --cancel-share together are more than all";
    }
    bool keeps = options_keep_requests(options);
    if (keeps && (options->requests == 0 || options->requests > BENCH_KEPT_REQUESTS_MAX)) {
        return "flash and --verify remember every request: --requests 1 to 64M is needed";
    }
    if (!keeps && options->pay_share + options->cancel_share + options->repeat_share > 0) {
        return "paying, cancelling and repeating need --scenario flash or mixed, or --verify";
    }
    if (!options->verify && (options->settle || options->shared)) {
        return "--settle and --shared belong to --verify";
    }
    if (options->threads > options->connections) {
        return "--threads: each needs a --connection of its own";
    }
    if (options->rate == 0 && given[OPTION_ARRIVAL]) {
        return "--arrival is for an open loop: --rate is missing";
    }
    const char *ramp = ramp_contradiction(options, given);
    if (ramp != NULL) {
        return ramp;
    }
    const char *files[] = {options->csv, options->hgrm, options->plot, options->timeline,
                           options->histograms};
    if (has_same_file(files, sizeof files / sizeof files[0])) {
        return "--csv, --hgrm, --plot, --timeline and --histograms: each needs a file of its own";
    }
    if (options->runs > 1 && (given[OPTION_TIMELINE] || given[OPTION_HISTOGRAMS])) {
        return "--timeline and --histograms tell of one run: leave out --runs";
    }
    if (options->runs * options_rate_count(options) > BENCH_RUNS_MAX) {
        return "--runs x the rates of --ramp: more than 1000 runs";
    }
    if (options->items > 0 &&
        options->runs * options_rate_count(options) * options->items > BENCH_ITEMS_MAX) {
        return "--items x --runs x the rates of --ramp: more than 10M items, as each run makes its "
               "own";
    }
    if (options->runs > 1 && given[OPTION_PLOT] && !given[OPTION_RAMP]) {
        return "--plot shows one run, or a --ramp: leave out --runs";
    }
    if (given[OPTION_INTERVAL] && !given[OPTION_TIMELINE] && !given[OPTION_HISTOGRAMS] &&
        (!given[OPTION_PLOT] || given[OPTION_RAMP])) {
        return "--interval belongs to --timeline, --histograms or --plot over time";
    }
    if (options->items == 0 && (given[OPTION_UNITS] || given[OPTION_BUYER_LIMIT])) {
        return "--units and --buyer-limit are for items to be created: --items is missing";
    }
    if (options->connections * options->pipeline * options->batch > BENCH_ROWS_IN_FLIGHT_MAX) {
        return "--connections x --pipeline x --batch: more than 32M rows in flight";
    }
    if (options->items > 0 && options->units > 0 && (uint64_t)options->units < options->items) {
        return "--units: every item needs at least one";
    }
    return NULL;
}

static void make_getopt_table(struct option *longs)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        int argument = table[i].kind == KIND_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){table[i].name, argument, NULL, i};
    }
    longs[OPTION_HELP] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    longs[OPTION_SHOW_VERSION] = (struct option){"version", no_argument, NULL, OPTION_SHOW_VERSION};
    longs[OPTION_SHOW_VERSION + 1] = (struct option){NULL, 0, NULL, 0};
}

enum options_outcome options_parse(int argc, char **argv, struct bench_options *options,
                                   char *error, size_t error_bytes)
{
    *options = (struct bench_options){
        .scenario_name = "flash",
        .host = "127.0.0.1",
        .port = PORT_DEFAULT,
        .threads = 1,
        .connections = 64,
        .pipeline = 16,
        .batch = 1,
        .runs = 1,
        .arrival_name = plan_arrival_name(PLAN_CONSTANT),
        .interval_ms = 100,
        .first_item = 1,
        .dist_name = "uniform",
        .seed = 1,
        .timeout_ms = 30000,
    };
    struct option longs[OPTION_SHOW_VERSION + 2];
    make_getopt_table(longs);
    bool given[OPTION_COUNT] = {false};
    optind = 0; /* glibc: start over, also after an earlier call */
    opterr = 0;
    for (;;) {
        /* '?' and ':' below 128 would be mistaken for row numbers, so rows are told by longindex */
        int index = -1;
        int got = getopt_long(argc, argv, ":", longs, &index);
        if (got == -1) {
            break;
        }
        if (got == ':') {
            snprintf(error, error_bytes, "%s needs a value", argv[optind - 1]);
            return OPTIONS_WRONG;
        }
        if (got == '?' || index < 0) {
            snprintf(error, error_bytes, "%s: no such option, or one that takes no value",
                     argv[optind - 1]);
            return OPTIONS_WRONG;
        }
        if (index == OPTION_HELP) {
            return OPTIONS_HELP;
        }
        if (index == OPTION_SHOW_VERSION) {
            return OPTIONS_VERSION;
        }
        given[index] = true;
        const char *wants = take_value(&table[index], optarg, options);
        if (wants != NULL) {
            tell_wanted(&table[index], optarg, wants, error, error_bytes);
            return OPTIONS_WRONG;
        }
    }
    if (optind < argc) {
        snprintf(error, error_bytes, "'%s': nothing is expected here", argv[optind]);
        return OPTIONS_WRONG;
    }
    if (!find_scenario(options)) {
        snprintf(error, error_bytes,
                 "--scenario: '%s' is not flash, reserve, soldout, mixed or storm",
                 options->scenario_name);
        return OPTIONS_WRONG;
    }
    if (!find_arrival(options)) {
        snprintf(error, error_bytes, "--arrival: '%s' is not constant or poisson",
                 options->arrival_name);
        return OPTIONS_WRONG;
    }
    if (!dist_parse(options->dist_name, &options->dist)) {
        snprintf(error, error_bytes, "--dist: '%s' is not uniform, zipf:S (0 < S <= 10) or hot:P%%",
                 options->dist_name);
        return OPTIONS_WRONG;
    }
    cpu_set_t cpus;
    if (options->cpus != NULL && !cpus_parse(options->cpus, &cpus)) {
        snprintf(error, error_bytes, "--cpus: '%s' is not a list such as 1 or 0,2-3",
                 options->cpus);
        return OPTIONS_WRONG;
    }
    fill_in(options, given);
    const char *reason = contradiction(options, given);
    if (reason != NULL) {
        snprintf(error, error_bytes, "%s", reason);
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

void options_print_help(void)
{
    printf("Usage: holdfast-bench [OPTION...]\n"
           "Puts load on a Holdfast server, counts every answer, measures latencies.\n\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", table[i].name,
                 table[i].argument != NULL ? table[i].argument : "");
        printf("  %-24s %s\n", left, table[i].help);
    }
    printf("  %-24s %s\n  %-24s %s\n", "--help", "this text", "--version", "the version");
    fputs(
        "\nWithout --rate the loop is closed: an answer makes room for the next frame, so a "
        "server\n"
        "that stalls is asked less. Latency is from sending to answer.\n"
        "\nWith --rate it is open: every frame, of --batch clicks, has a planned moment and is "
        "sent\n"
        "then, whether or not earlier answers have come. When --pipeline frames are in flight on "
        "its\n"
        "connection it waits for room. Latency is from the planned moment to the answer, waiting\n"
        "included; the service time, told beside it, is from the real sending. Paying and "
        "cancelling\n"
        "come on top of the rate, planned for the moment when they are due. Everything that was\n"
        "planned is sent: a server that can't keep up makes the run longer than --duration. The\n"
        "report warns when this program itself was late although there was room. It does not "
        "sleep\n"
        "right before a planned moment, and wants a CPU of its own.\n"
        "\nA host that runs virtual machines may stop their CPUs, and what is asked then takes so "
        "much\n"
        "longer. The report tells how long CPUs of this program and, with --server-pid, of the "
        "server stood\n"
        "still, and for an open loop latencies without it beside those of all: of what was neither "
        "planned\n"
        "nor waited for in a standstill.\n"
        "\nSeveral --threads put on one load: --connections, --requests and --rate are of all "
        "together, and\n"
        "the same --seed makes the same reservations, with however many threads. Each thread has "
        "a\n"
        "connection to every core of the server. The report warns when the busiest of them was "
        "the\n"
        "limit.\n"
        "\nWith --dist the cores of the server get unequal shares of --requests and of --rate. In "
        "a "
        "closed\n"
        "loop with a --duration alone each core is asked as fast as it answers, and the shares "
        "hold "
        "among\n"
        "the items of one core.\n"
        "\nWhat is answered within the --warmup counts nowhere but in a timeline and for --verify; "
        "it is\n"
        "part of --requests, and comes before the --duration. With --runs each figure's median is "
        "told,\n"
        "each by itself: the median of p99 is that of the p99 of the runs. With --items each run "
        "makes\n"
        "items of its own, the ids going on from run to run, so that all find the same. Without, "
        "all use\n"
        "the server's items, which the runs before have left as they are.\n"
        "\nmixed is a shop on an even day: holds are made, repeated, paid, cancelled and expire "
        "all at "
        "once,\n"
        "and the report has the latency of each and how many the server expired. With a --duration "
        "alone it\n"
        "ends by itself after 64M clicks.\n"
        "\nA storm holds all --units of its --items before the load begins, one hold a unit, until "
        "--hold-time\n"
        "later, all until the same millisecond. Then others reserve on items of their own, at "
        "--rate "
        "(2k),\n"
        "until --duration (5s) behind that deadline. The report tells when the first and when all "
        "units were\n"
        "back, as a question every ms or so found it, and the others' latencies before the "
        "deadline, "
        "until\n"
        "all was back, and after.\n"
        "\nA --ramp is a series of open loops, --runs at each rate, and its report ends with the "
        "latency "
        "of\n"
        "clicks over the rate: medians of the runs at that rate. Where the answers a second stay "
        "behind the\n"
        "rate, the server can't keep up. Above 20k frames a second for each thread, what comes due "
        "within\n"
        "100 us leaves together; the wait is part of the latency.\n"
        "\nA timeline has a line per interval, with its start in ms since the run began and in "
        "Unix\n"
        "time. A click belongs to the interval in which it was planned (without --rate: sent), "
        "however\n"
        "late its answer came; paying and cancelling are left out.\n"
        "  --timeline    start_ms,unix_ms,accepted,refused,lost,p50_us,p99_us,p99.9_us,max_us\n"
        "  --histograms  start_ms,unix_ms,count,buckets\n"
        "Percentiles of several lines can't be merged; counts can. Buckets are END:COUNT, a space\n"
        "between two: so many latencies up to END us and above the bucket before, less than 1 % "
        "wide\n"
        "and the same ones in all files. For p99.9 over some intervals add up their buckets, and "
        "go\n"
        "up from the lowest END until 99.9 % of the sum is counted.\n",
        stdout);
    printf(
        "\nSIGINT (ctrl-C) and SIGTERM end a load early; what there is by then is reported.\n"
        "\nExit codes: 0 done, 1 usage, 2 connection or server trouble, a report that cannot be\n"
        "written, or ended early, 3 the books are wrong.\n");
}
