#include "bench/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_names[WIRE_OPS] = {
    [WIRE_RESERVE] = "reserve", [WIRE_CONFIRM] = "confirm", [WIRE_CANCEL] = "cancel"};

static const struct {
    const char *name;
    double fraction;
} quantiles[] = {{"p50", 0.5},     {"p90", 0.9},       {"p99", 0.99},
                 {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};
enum { QUANTILE_COUNT = sizeof quantiles / sizeof quantiles[0] };

static uint64_t op_answered(const struct load_result *load, enum wire_op op)
{
    uint64_t sum = 0;
    for (int i = 0; i < WIRE_RESULTS; i++) {
        sum += load->results[op][i];
    }
    return sum;
}

static double per_second(uint64_t count, uint64_t ns)
{
    return ns > 0 ? (double)count * 1e9 / (double)ns : 0;
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

static bool is_open_loop(const struct report *r)
{
    return r->options->rate > 0;
}

/* ---- warnings ------------------------------------------------------------------------------ */

enum { WARNINGS_MAX = 2, WARNING_BYTES = 384 };

/* What a reader of the figures must know. Returns how many there are. */
static int find_warnings(const struct report *r, char (*warnings_out)[WARNING_BYTES])
{
    const struct load_pace *pace = &r->load->pace;
    int count = 0;
    if (pace->late > 0) {
        double late_percent = 100.0 * (double)pace->late / (double)pace->own_delay.count;
        snprintf(warnings_out[count++], WARNING_BYTES,
                 "the load generator itself could not keep up: %llu of %llu frames (%.3g %%) left "
                 "more than %llu us after they were planned and had room, the worst %.0f us after; "
                 "latencies from p%.7g up may be its own and not the server's",
                 (unsigned long long)pace->late, (unsigned long long)pace->own_delay.count,
                 late_percent, LOAD_LATE_NS / 1000, us(pace->own_delay.value_max),
                 100 - late_percent);
    }
    if (pace->behind_ns > LOAD_LATE_NS) {
        snprintf(
            warnings_out[count++], WARNING_BYTES,
            "the run broke off %.3f s behind its plan: the clicks of that time were never sent "
            "and are in no figure",
            (double)pace->behind_ns / 1e9);
    }
    return count;
}

/* ---- text ---------------------------------------------------------------------------------- */

/* 1234567 as 1,234,567, in one of a few static buffers so that one printf can have several. */
static const char *grouped(uint64_t value)
{
    static char buffers[8][32];
    static unsigned next;
    char *buffer = buffers[next++ % 8];
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *to = buffer;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = 0;
    return buffer;
}

static void print_head(const struct report *r)
{
    const struct bench_options *o = r->options;
    printf("%s: %s items on %u core%s, %s buyers, seed %llu\n", o->scenario_name,
           grouped(r->items->count), r->target->core_count, r->target->core_count == 1 ? "" : "s",
           grouped(o->buyers), (unsigned long long)o->seed);
    printf("%s connections, each %s frame%s of %s row%s in flight\n", grouped(o->connections),
           grouped(o->pipeline), o->pipeline == 1 ? "" : "s", grouped(o->batch),
           o->batch == 1 ? "" : "s");
    if (is_open_loop(r)) {
        printf("open loop, %s clicks a second, %s\n", grouped(o->rate), o->arrival_name);
    }
    printf("\n");
}

static void print_answers(const struct report *r)
{
    const struct load_result *load = r->load;
    for (int op = 0; op < WIRE_OPS; op++) {
        uint64_t answered = op_answered(load, (enum wire_op)op);
        if (answered == 0 && load->lost[op] == 0) {
            continue;
        }
        printf("%-10s %14s answered", op_names[op], grouped(answered));
        if (op == WIRE_RESERVE) {
            printf(" in %.3f s, %s a second", (double)load->clicks_elapsed_ns / 1e9,
                   grouped((uint64_t)per_second(answered, load->clicks_elapsed_ns)));
        }
        printf("\n");
        for (uint32_t i = 0; i < WIRE_RESULTS; i++) {
            if (load->results[op][i] > 0) {
                printf("  %-22s %s\n", wire_result_name(i), grouped(load->results[op][i]));
            }
        }
        if (load->lost[op] > 0) {
            printf("  %-22s %s\n", "(answer lost)", grouped(load->lost[op]));
        }
    }
}

static void print_quantiles(const char *name, const struct histogram *histogram)
{
    if (histogram->count == 0) {
        return;
    }
    printf("  %-10s", name);
    for (int i = 0; i < QUANTILE_COUNT; i++) {
        printf(" %12.1f", us(histogram_quantile(histogram, quantiles[i].fraction)));
    }
    printf("\n");
}

static void print_times(const char *what, const struct load_times *times)
{
    printf("\n%-12s", what);
    for (int i = 0; i < QUANTILE_COUNT; i++) {
        printf(" %12s", quantiles[i].name);
    }
    printf("\n");
    print_quantiles("accepted", &times->accepted);
    print_quantiles("refused", &times->refused);
    print_quantiles("paid etc.", &times->followed);
}

static void print_latencies(const struct report *r)
{
    print_times("latency, us", &r->load->latency);
    if (is_open_loop(r)) {
        const struct load_pace *pace = &r->load->pace;
        print_times("service, us", &r->load->service);
        print_quantiles("own delay", &pace->own_delay);
        printf("\n%s of %s frames waited for room\n", grouped(pace->waited),
               grouped(pace->own_delay.count));
    }
}

static void print_costs(const struct load_result *load)
{
    if (load->answered == 0) {
        return;
    }
    double rows = (double)load->answered;
    printf("\nCPU time     ");
    if (load->server_cpu_known) {
        printf("server %.3f us a row, ", us(load->server_cpu_ns) / rows);
    }
    printf("load generator %.3f us a row, %.0f %% of a core\n", us(load->own_cpu_ns) / rows,
           100.0 * (double)load->own_cpu_ns / (double)load->elapsed_ns);
}

static void print_interruptions(const struct load_result *load)
{
    for (uint32_t i = 0; i < load->interruption_count; i++) {
        const struct load_interruption *at = &load->interruptions[i];
        printf("interrupted  %.3f s after the start, %s rows answered until then; ",
               (double)at->began_ns / 1e9, grouped(at->answered_rows));
        if (at->all_came_back) {
            printf("all connections back after %.0f ms\n", (double)at->lasted_ns / 1e6);
        } else {
            printf("not all connections came back\n");
        }
    }
    if (load->resent > 0) {
        printf("sent again   %s rows, under the same ids\n", grouped(load->resent));
    }
}

static void print_verify(const struct verify_result *verify)
{
    if (!verify->done) {
        printf("verify       not done: %s\n", verify->trouble);
        return;
    }
    printf("read back    %s reservations: %s confirmed, %s held, %s cancelled, %s expired, %s not "
           "there\n",
           grouped(verify->reservations_read),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CONFIRMED]),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_HELD]),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CANCELLED]),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_EXPIRED]),
           grouped(verify->states[0]));
    printf("books        stock %s, available %s, held %s, sold %s\n", grouped(verify->stock),
           grouped(verify->available), grouped(verify->held), grouped(verify->sold));
    if (verify->failure_count == 0) {
        printf("verify       good: the books balance, nobody is over the limit, every success was "
               "found again\n");
        return;
    }
    printf("verify       FAILED, %s faults\n", grouped(verify->failure_count));
    for (uint64_t i = 0; i < verify->failure_count && i < VERIFY_FAILURES_TOLD; i++) {
        printf("  %s\n", verify->failures[i]);
    }
}

void report_print_text(const struct report *report)
{
    print_head(report);
    print_answers(report);
    if (report->workload->ledger != NULL) {
        printf("%-10s %14s different reservations\n", "accepted",
               grouped(report->workload->accepted));
    }
    print_latencies(report);
    print_costs(report->load);
    print_interruptions(report->load);
    if (report->verify != NULL) {
        print_verify(report->verify);
    }
    char warnings[WARNINGS_MAX][WARNING_BYTES];
    int warning_count = find_warnings(report, warnings);
    for (int i = 0; i < warning_count; i++) {
        printf("warning      %s\n", warnings[i]);
    }
    if (report->load->trouble[0] != 0) {
        printf("trouble      %s\n", report->load->trouble);
    }
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* Microseconds of an hour, and 0.6 stays 0.6. */
enum { REAL_DIGITS = 10 };

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *settings_json(const struct report *r)
{
    const struct bench_options *o = r->options;
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:f}", "scenario",
                     o->scenario_name, "cores", count(r->target->core_count), "connections",
                     count(o->connections), "pipeline", count(o->pipeline), "batch",
                     count(o->batch), "items", count(r->items->count), "buyers", count(o->buyers),
                     "seed", count(o->seed), "pay_share", o->pay_share, "cancel_share",
                     o->cancel_share, "repeat_share", o->repeat_share);
}

static json_t *results_json(const struct load_result *load, enum wire_op op)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < WIRE_RESULTS; i++) {
        if (load->results[op][i] > 0) {
            json_object_set_new(object, wire_result_name(i), count(load->results[op][i]));
        }
    }
    json_object_set_new(object, "lost", count(load->lost[op]));
    return object;
}

static json_t *quantiles_json(const struct histogram *histogram)
{
    json_t *object = json_object();
    json_object_set_new(object, "count", count(histogram->count));
    for (int i = 0; i < QUANTILE_COUNT; i++) {
        json_object_set_new(object, quantiles[i].name,
                            json_real(us(histogram_quantile(histogram, quantiles[i].fraction))));
    }
    return object;
}

static json_t *times_json(const struct load_times *times)
{
    return json_pack("{s:o, s:o, s:o}", "accepted", quantiles_json(&times->accepted), "refused",
                     quantiles_json(&times->refused), "followed", quantiles_json(&times->followed));
}

static json_t *pace_json(const struct report *r)
{
    const struct load_pace *pace = &r->load->pace;
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:f}", "rate", count(r->options->rate),
                     "arrival", r->options->arrival_name, "service_us",
                     times_json(&r->load->service), "own_delay_us",
                     quantiles_json(&pace->own_delay), "late_frames", count(pace->late),
                     "late_from_us", count(LOAD_LATE_NS / 1000), "waited_frames",
                     count(pace->waited), "behind_s", (double)pace->behind_ns / 1e9);
}

static json_t *warnings_json(const struct report *r)
{
    char warnings[WARNINGS_MAX][WARNING_BYTES];
    int warning_count = find_warnings(r, warnings);
    json_t *array = json_array();
    for (int i = 0; i < warning_count; i++) {
        json_array_append_new(array, json_string(warnings[i]));
    }
    return array;
}

static json_t *interruptions_json(const struct load_result *load)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < load->interruption_count; i++) {
        const struct load_interruption *at = &load->interruptions[i];
        json_array_append_new(
            array,
            json_pack("{s:f, s:o, s:o}", "began_s", (double)at->began_ns / 1e9, "lasted_s",
                      at->all_came_back ? json_real((double)at->lasted_ns / 1e9) : json_null(),
                      "answered_rows", count(at->answered_rows)));
    }
    return array;
}

static json_t *verify_json(const struct verify_result *v)
{
    json_t *failures = json_array();
    for (uint64_t i = 0; i < v->failure_count && i < VERIFY_FAILURES_TOLD; i++) {
        json_array_append_new(failures, json_string(v->failures[i]));
    }
    return json_pack(
        "{s:b, s:b, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "done",
        v->done, "good", v->done && v->failure_count == 0, "trouble", v->trouble, "waited_s",
        (double)v->waited_ms / 1e3, "reservations_read", count(v->reservations_read), "confirmed",
        count(v->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CONFIRMED]), "held",
        count(v->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_HELD]), "cancelled",
        count(v->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CANCELLED]), "expired",
        count(v->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_EXPIRED]), "units_stock",
        count(v->stock), "units_available", count(v->available), "units_held", count(v->held),
        "units_sold", count(v->sold), "failure_count", count(v->failure_count), "failures",
        failures);
}

bool report_print_json(const struct report *report)
{
    const struct load_result *load = report->load;
    json_t *results = json_object();
    for (int op = 0; op < WIRE_OPS; op++) {
        if (op_names[op] != NULL) {
            json_object_set_new(results, op_names[op], results_json(load, (enum wire_op)op));
        }
    }
    uint64_t clicks = op_answered(load, WIRE_RESERVE);
    json_t *root = json_pack(
        "{s:o, s:o, s:f, s:o, s:f, s:f, s:o, s:o, s:o, s:f, s:o, s:o, s:s}", "settings",
        settings_json(report), "reserve_answered", count(clicks), "reserve_elapsed_s",
        (double)load->clicks_elapsed_ns / 1e9, "answered", count(load->answered),
        "reserve_per_second", per_second(clicks, load->clicks_elapsed_ns), "elapsed_s",
        (double)load->elapsed_ns / 1e9, "frames", count(load->frames), "results", results,
        "latency_us", times_json(&load->latency), "own_cpu_us_per_row",
        load->answered > 0 ? us(load->own_cpu_ns) / (double)load->answered : 0.0, "interruptions",
        interruptions_json(load), "warnings", warnings_json(report), "trouble", load->trouble);
    if (root == NULL) {
        return false;
    }
    json_object_set_new(root, "resent", count(load->resent));
    if (is_open_loop(report)) {
        json_object_set_new(root, "open_loop", pace_json(report));
    }
    if (load->server_cpu_known && load->answered > 0) {
        json_object_set_new(root, "server_cpu_us_per_row",
                            json_real(us(load->server_cpu_ns) / (double)load->answered));
    }
    if (report->workload->ledger != NULL) {
        json_object_set_new(root, "accepted_reservations", count(report->workload->accepted));
    }
    if (report->verify != NULL) {
        json_object_set_new(root, "verify", verify_json(report->verify));
    }
    bool good = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS)) == 0;
    json_decref(root);
    printf("\n");
    return good;
}
