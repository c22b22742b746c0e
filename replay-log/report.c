#include "commands.h"
#include "replay.h"
#include "text.h"

#include "base/assert.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* `info` and `verify`: both survey the logs and rebuild the state; `info` shows what is there,
 * `verify` whether it is right. */

struct report {
    struct data *data;
    struct stock *stock; /* NULL when the state could not be rebuilt */
    enum exit_code code;
};

static enum exit_code make_report(const char *path, struct report *report)
{
    *report = (struct report){.data = NULL};
    report->code = data_open(path, &report->data);
    if (report->code != EXIT_GOOD)
        return report->code;
    report->code = replay_survey(report->data);
    if (report->code == EXIT_GOOD || report->code == EXIT_TORN) {
        const enum exit_code code = replay_build(report->data, &report->stock);
        if (code != EXIT_GOOD)
            report->code = code;
    }
    if (report->stock != NULL)
        stock_assert_valid(report->stock);
    for (uint32_t i = 0; i < report->data->log_count; i++)
        data_tell_end(&report->data->logs[i], &report->data->logs[i].end);
    return report->code;
}

static void free_report(struct report *report)
{
    stock_destroy(&report->stock);
    data_close(&report->data);
}

static uint64_t record_count(const struct report *report)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < report->data->log_count; i++)
        count += report->data->logs[i].end.record_count;
    return count;
}

/* ---- JSON ---- */

static void add(json_t *object, const char *key, json_t *value)
{
    hf_assert(json_object_set_new(object, key, value) == 0);
}

static void add_u64(json_t *object, const char *key, uint64_t value)
{
    add(object, key, json_integer((json_int_t)value));
}

static json_t *json_log(const struct data_log *log)
{
    char path[DATA_FILE_PATH_BYTES];
    json_t *object = json_object();
    add_u64(object, "era", log->era);
    add_u64(object, "core", log->core);
    add_u64(object, "segments", log->end.segment.segment_number);
    add_u64(object, "groups", log->end.group_count);
    add_u64(object, "records", log->end.record_count);
    add_u64(object, "first_lsn", log->end.record_count > 0 ? 1 : 0);
    add_u64(object, "last_lsn", log->end.next_lsn - 1);
    add_u64(object, "first_time_ms", log->first_time_ms);
    add_u64(object, "last_time_ms", log->last_time_ms);
    add_u64(object, "bytes", log->file_bytes);
    add(object, "end", json_string(log_status_text(log->end.status)));
    if (log->end.status != LOG_GOOD) {
        data_end_path(log, &log->end, path);
        add(object, "file", json_string(path));
        add_u64(object, "offset", log->end.offset);
        add(object, "reason", json_string(log->end.reason));
    }
    return object;
}

static json_t *json_state(const struct stock *stock)
{
    const struct stock_counts counts = stock_counts(stock);
    json_t *object = json_object();
    add_u64(object, "items", counts.items);
    add_u64(object, "reservations", counts.reservations);
    add_u64(object, "held", counts.held);
    add_u64(object, "confirmed", counts.confirmed);
    add_u64(object, "cancelled", counts.cancelled);
    add_u64(object, "expired", counts.expired);
    add_u64(object, "buyers", counts.buyers);
    add_u64(object, "units_held", counts.units_held);
    add_u64(object, "units_sold", counts.units_sold);
    return object;
}

static void print_json(const struct report *report)
{
    char id[TEXT_ID_BYTES];
    json_t *object = json_object();
    json_t *logs = json_array();
    hf_assert(object != NULL && logs != NULL);
    for (uint32_t i = 0; i < report->data->log_count; i++)
        hf_assert(json_array_append_new(logs, json_log(&report->data->logs[i])) == 0);
    add_u64(object, "format", report->data->manifest.version);
    add(object, "server_id", json_string(text_id(report->data->manifest.server_id, id)));
    add_u64(object, "eras", report->data->manifest.era_count);
    add(object, "logs", logs);
    add_u64(object, "records", record_count(report));
    if (report->stock != NULL) {
        char hash[17];
        snprintf(hash, sizeof hash, "%016" PRIx64, stock_hash(report->stock));
        add(object, "state", json_state(report->stock));
        add(object, "state_hash", json_string(hash));
    }
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

/* ---- text ---- */

static void print_logs(const struct data *data)
{
    printf("%6s %5s %9s %10s %12s %12s %12s  %-24s  %-24s %14s  %s\n", "era", "core", "segments",
           "groups", "records", "first LSN", "last LSN", "first record", "last record", "bytes",
           "end");
    for (uint32_t i = 0; i < data->log_count; i++) {
        const struct data_log *log = &data->logs[i];
        char first[TEXT_TIME_BYTES];
        char last[TEXT_TIME_BYTES];
        printf("%6" PRIu64 " %5" PRIu32 " %9" PRIu64 " %10" PRIu64 " %12" PRIu64 " %12d %12" PRIu64
               "  %-24s  %-24s %14" PRIu64 "  %s\n",
               log->era, log->core, log->end.segment.segment_number, log->end.group_count,
               log->end.record_count, log->end.record_count > 0 ? 1 : 0, log->end.next_lsn - 1,
               text_time(log->first_time_ms, first), text_time(log->last_time_ms, last),
               log->file_bytes, log_status_text(log->end.status));
    }
}

static void print_state(const struct stock *stock)
{
    const struct stock_counts counts = stock_counts(stock);
    printf("%-16s%" PRIu64 "\n", "items", counts.items);
    printf("%-16s%" PRIu64 " (%" PRIu64 " held, %" PRIu64 " confirmed, %" PRIu64
           " cancelled, %" PRIu64 " expired)\n",
           "reservations", counts.reservations, counts.held, counts.confirmed, counts.cancelled,
           counts.expired);
    printf("%-16s%" PRIu64 " held, %" PRIu64 " sold\n", "units", counts.units_held,
           counts.units_sold);
    printf("%-16s%" PRIu64 "\n", "buyers", counts.buyers);
}

static void print_hash(const struct report *report)
{
    if (report->stock != NULL)
        printf("%-16s%016" PRIx64 "\n", "state hash", stock_hash(report->stock));
    else
        printf("%-16s%s\n", "state", "not rebuilt: the log cannot be read to its end");
}

enum exit_code command_info(const struct command_options *options)
{
    struct report report;
    char id[TEXT_ID_BYTES];
    if (make_report(options->path, &report), report.data == NULL)
        return report.code;
    const struct log_manifest *manifest = &report.data->manifest;
    if (options->is_json) {
        print_json(&report);
    } else {
        printf("%-16s%s\n", "data directory", options->path);
        printf("%-16s%" PRIu32 "\n", "format", manifest->version);
        printf("%-16s%s\n", "server", text_id(manifest->server_id, id));
        printf("%-16s%" PRIu32 ", %" PRIu32 " cores now\n\n", "eras", manifest->era_count,
               manifest->eras[manifest->era_count - 1].core_count);
        print_logs(report.data);
        putchar('\n');
        if (report.stock != NULL)
            print_state(report.stock);
        print_hash(&report);
    }
    const enum exit_code code = report.code == EXIT_TORN ? EXIT_GOOD : report.code;
    free_report(&report);
    return code;
}

enum exit_code command_verify(const struct command_options *options)
{
    struct report report;
    if (make_report(options->path, &report), report.data == NULL)
        return report.code;
    if (options->is_json) {
        print_json(&report);
    } else {
        print_logs(report.data);
        printf("\n%-16s%" PRIu64 "\n", "records", record_count(&report));
        print_hash(&report);
    }
    const enum exit_code code = report.code;
    free_report(&report);
    return code;
}
