#include "bench/report_parts.h"
#include "bench/warnings.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

/* Microseconds of an hour, and 0.6 stays 0.6. */
enum { REAL_DIGITS = 10 };

static json_t *count(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *report_json_settings(const struct bench_options *o, const struct run *run)
{
    json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:f}",
                               "scenario", o->scenario_name, "cores", count(run->target.core_count),
                               "connections", count(o->connections), "pipeline", count(o->pipeline),
                               "batch", count(o->batch), "items", count(run->items.count), "buyers",
                               count(o->buyers), "seed", count(o->seed), "pay_share", o->pay_share,
                               "cancel_share", o->cancel_share, "repeat_share", o->repeat_share);
    if (object != NULL) {
        json_object_set_new(object, "threads", count(o->threads));
        json_object_set_new(object, "hand_over", json_boolean(o->hand_over));
        json_object_set_new(object, "dist", json_string(o->dist_name));
        json_object_set_new(object, "requests", count(o->requests));
        if (o->ramp.step > 0) {
            json_object_set_new(object, "ramp",
                                json_pack("{s:o, s:o, s:o}", "first", count(o->ramp.first), "last",
                                          count(o->ramp.last), "step", count(o->ramp.step)));
        } else {
            json_object_set_new(object, "rate", count(o->rate));
        }
        json_object_set_new(object, "duration_s", json_real((double)o->duration_ms / 1e3));
        json_object_set_new(object, "hold_s", json_real((double)o->hold_ms / 1e3));
        json_object_set_new(object, "pay_delay_s", json_real((double)o->pay_delay_ms / 1e3));
        json_object_set_new(object, "warmup_s", json_real((double)o->warmup_ms / 1e3));
        json_object_set_new(object, "runs", count(o->runs));
        json_object_set_new(object, "cpus", o->cpus != NULL ? json_string(o->cpus) : json_null());
    }
    return object;
}

static json_t *text_or_null(const char *text)
{
    return text[0] != 0 ? json_string(text) : json_null();
}

json_t *report_json_place(const struct report_place *place, const struct run *run)
{
    const struct machine *machine = &place->machine;
    const struct data_disk *disk = &place->disk;
    return json_pack("{s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "cpu", machine->cpu,
                     "cpus", count(machine->cpus), "memory_bytes", count(machine->memory_bytes),
                     "kernel", machine->kernel, "server_version", run->target.server_version,
                     "server_command", text_or_null(disk->server_command), "data_directory",
                     text_or_null(disk->directory), "file_system", text_or_null(disk->file_system),
                     "device", text_or_null(disk->device), "flush_us",
                     disk->flush_us > 0 ? json_real(disk->flush_us) : json_null(), "not_known",
                     text_or_null(disk->unknown));
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
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        const struct figures_quantile *at = &figures_quantiles[i];
        double us = (double)histogram_quantile(histogram, at->fraction) / 1e3;
        json_object_set_new(object, at->name, json_real(us));
    }
    return object;
}

static json_t *times_json(const struct load_times *times)
{
    json_t *object = json_object();
    for (int kind = 0; kind < LOAD_KINDS; kind++) {
        json_object_set_new(object, load_kind_name((enum load_kind)kind),
                            quantiles_json(&times->kinds[kind]));
    }
    return object;
}

static json_t *pace_json(const struct bench_options *o, const struct load_result *load)
{
    const struct load_pace *pace = &load->pace;
    json_t *outside = load->standstills.known ? times_json(&load->outside) : json_null();
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "rate", count(o->rate),
                     "arrival", o->arrival_name, "service_us", times_json(&load->service),
                     "outside_standstills_us", outside, "own_delay_us",
                     quantiles_json(&pace->own_delay), "late_frames", count(pace->late),
                     "late_from_us", count(LOAD_LATE_NS / 1000), "waited_frames",
                     count(pace->waited), "behind_s", (double)pace->behind_ns / 1e9);
}

/* Null when it is not known. */
static json_t *standstills_json(const struct load_result *load)
{
    const struct standstill_summary *still = &load->standstills;
    if (!still->known) {
        return json_null();
    }
    return json_pack("{s:o, s:f, s:o, s:f, s:f, s:f}", "cpus", count(still->cpus), "watched_s",
                     (double)still->watched_ns / 1e9, "count", count(still->count), "share",
                     standstill_share(still), "median_ms", (double)still->median_ns / 1e6, "max_ms",
                     (double)still->longest_ns / 1e6);
}

static json_t *warnings_json(const struct load_result *load)
{
    char warnings[WARNINGS_MAX][WARNING_BYTES];
    int warning_count = warnings_find(load, warnings);
    json_t *array = json_array();
    for (int i = 0; i < warning_count; i++) {
        json_array_append_new(array, json_string(warnings[i]));
    }
    return array;
}

static json_t *storm_json(const struct bench_options *o, const struct run *run)
{
    const struct storm *storm = &run->storm;
    const struct histogram *latency = run->load.phases;
    return json_pack(
        "{s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:o}", "items", count(o->items),
        "holds", count(storm->holds), "fill_s", (double)storm->fill_ns / 1e9, "deadline_ms",
        count(storm->deadline_ms), "deadline_spread_ms", count(storm->spread_ms), "first_back_ms",
        storm->is_back ? json_real((double)storm->first_back_ns / 1e6) : json_null(), "all_back_ms",
        storm->is_back ? json_real((double)storm->all_back_ns / 1e6) : json_null(), "asked",
        count(storm->asked), "asked_gap_max_ms", (double)storm->gap_ns_max / 1e6,
        "latency_before_us", quantiles_json(&latency[PHASE_BEFORE]), "latency_during_us",
        quantiles_json(&latency[PHASE_DURING]), "latency_after_us",
        quantiles_json(&latency[PHASE_AFTER]));
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

static json_t *figures_quantiles_json(const double *us)
{
    json_t *object = json_object();
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        if (!isnan(us[i])) {
            json_object_set_new(object, figures_quantiles[i].name, json_real(us[i]));
        }
    }
    return object;
}

/* Kinds that no run had are left out. */
static json_t *figures_times_json(const double (*us)[FIGURES_QUANTILES])
{
    json_t *object = json_object();
    for (int kind = 0; kind < LOAD_KINDS; kind++) {
        if (!isnan(us[kind][0])) {
            json_object_set_new(object, load_kind_name((enum load_kind)kind),
                                figures_quantiles_json(us[kind]));
        }
    }
    return object;
}

static void set_known(json_t *object, const char *name, double value)
{
    if (!isnan(value)) {
        json_object_set_new(object, name, json_real(value));
    }
}

json_t *report_json_median(const struct bench_options *options, const struct figures *median)
{
    json_t *object = json_object();
    json_object_set_new(object, "reserve_per_second", json_real(median->per_second));
    set_known(object, "server_cpu_us_per_row", median->server_cpu_us);
    set_known(object, "own_cpu_us_per_row", median->own_cpu_us);
    set_known(object, "stood_still_share", median->stood_still);
    json_object_set_new(object, "clicks_us", figures_quantiles_json(median->clicks_us));
    json_object_set_new(object, "latency_us", figures_times_json(median->latency_us));
    if (options->rate > 0) {
        json_object_set_new(object, "service_us", figures_times_json(median->service_us));
        json_object_set_new(object, "outside_standstills_us",
                            figures_times_json(median->outside_us));
    }
    return object;
}

json_t *report_json_run(const struct bench_options *options, const struct run *run)
{
    const struct load_result *load = &run->load;
    json_t *results = json_object();
    for (int op = 0; op < WIRE_OPS; op++) {
        if (op != WIRE_GET) {
            json_object_set_new(results, wire_op_name((enum wire_op)op),
                                results_json(load, (enum wire_op)op));
        }
    }
    struct figures figures;
    figures_take(&figures, load);
    json_t *object = json_pack(
        "{s:o, s:f, s:o, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "reserve_answered",
        count(load_answered(load, WIRE_RESERVE)), "reserve_elapsed_s",
        (double)load->clicks_elapsed_ns / 1e9, "answered", count(load->answered),
        "reserve_per_second", figures.per_second, "elapsed_s", (double)load->elapsed_ns / 1e9,
        "frames", count(load->frames), "warmup_answered", count(load->warmup_rows), "results",
        results, "latency_us", times_json(&load->latency), "interruptions",
        interruptions_json(load), "warnings", warnings_json(load), "trouble", load->trouble);
    if (object == NULL) {
        return NULL;
    }
    json_object_set_new(object, "resent", count(load->resent));
    if (load->elapsed_ns > 0) {
        set_known(object, "own_cpu_share", (double)load->own_cpu_ns / (double)load->elapsed_ns);
        set_known(object, "own_wait_share", (double)load->own_wait_ns / (double)load->elapsed_ns);
    }
    const struct load_busy *busiest = &load->busiest;
    if (busiest->elapsed_ns > 0) {
        json_object_set_new(object, "busiest_thread",
                            json_pack("{s:f, s:f}", "cpu_share",
                                      (double)busiest->cpu_ns / (double)busiest->elapsed_ns,
                                      "wait_share",
                                      (double)busiest->wait_ns / (double)busiest->elapsed_ns));
    }
    json_object_set_new(object, "standstills", standstills_json(load));
    if (options->rate > 0) {
        json_object_set_new(object, "open_loop", pace_json(options, load));
    }
    set_known(object, "own_cpu_us_per_row", figures.own_cpu_us);
    set_known(object, "server_cpu_us_per_row", figures.server_cpu_us);
    if (run->workload.ledger != NULL) {
        json_object_set_new(object, "accepted_reservations",
                            count(workload_accepted(&run->workload)));
    }
    if (run->expiries.known) {
        json_object_set_new(object, "server_expiries",
                            json_pack("{s:o, s:o}", "count", count(run->expiries.count),
                                      "late_ms_max", count(run->expiries.late_ms_max)));
    }
    if (options->scenario == SCENARIO_STORM) {
        json_object_set_new(object, "storm", storm_json(options, run));
    }
    if (run->verified) {
        json_object_set_new(object, "verify", verify_json(&run->verify));
    }
    return object;
}

bool report_json_print(const json_t *root)
{
    bool good = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS)) == 0;
    printf("\n");
    return good;
}
