#include "summary.h"

#include "json.h"
#include "pass.h"
#include "snapshots.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t summary_record_count(const struct summary *summary)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < summary->data->log_count; i++)
        count += summary->logs[i].end.record_count;
    return count;
}

/* ---- JSON ---- */

static json_t *json_log(const struct summary *summary, uint32_t index)
{
    const struct data_log *log = &summary->data->logs[index];
    const struct log_summary *read = &summary->logs[index];
    char path[DATA_FILE_PATH_BYTES];
    json_t *object = json_new_object();
    json_add_u64(object, "era", log->era);
    json_add_u64(object, "core", log->core);
    json_add_u64(object, "bytes", log->segments_bytes);
    json_add(object, "read", json_boolean(read->is_read));
    if (!read->is_read)
        return object;
    json_add_u64(object, "segments", read->end.segment.segment_number);
    json_add_u64(object, "groups", read->end.group_count);
    json_add_u64(object, "records", read->end.record_count);
    json_add_u64(object, "first_lsn", read->end.record_count > 0 ? read->first_lsn : 0);
    json_add_u64(object, "last_lsn", read->end.next_lsn - 1);
    json_add_u64(object, "first_time_ms", read->first_time_ms);
    json_add_u64(object, "last_time_ms", read->last_time_ms);
    json_add(object, "live", json_boolean(read->is_live));
    json_add_text(object, "end", log_status_text(read->end.status));
    if (read->end.status != LOG_GOOD) {
        pass_end_path(log, &read->end, path);
        json_add_text(object, "file", path);
        json_add_u64(object, "offset", read->end.offset);
        json_add_text(object, "reason", read->end.reason);
    }
    return object;
}

static json_t *json_snapshot(const struct data_log *log, const struct data_snapshot *snapshot)
{
    char path[DATA_FILE_PATH_BYTES];
    json_t *object = json_new_object();
    data_snapshot_path(log, snapshot->lsn, path);
    json_add_u64(object, "era", log->era);
    json_add_u64(object, "core", log->core);
    json_add_u64(object, "lsn", snapshot->lsn);
    json_add_u64(object, "bytes", snapshot->file_bytes);
    json_add_text(object, "file", path);
    json_add_text(object, "state", snapshot_state_text(snapshot->state));
    if (data_snapshot_is_usable(snapshot)) {
        json_add_u64(object, "taken_ms", snapshot->header.taken_ms);
        json_add_u64(object, "state_time_ms", snapshot->header.state_time_ms);
    } else {
        json_add_u64(object, "offset", snapshot->bad_offset);
        json_add_text(object, "reason", snapshot->reason);
    }
    if (snapshot->state == DATA_SNAPSHOT_GOOD) {
        json_add_u64(object, "items", snapshot->footer.item_count);
        json_add_u64(object, "reservations", snapshot->footer.reservation_count);
        json_add_u64(object, "buyers", snapshot->footer.buyer_count);
        json_add_hash(object, "state_hash", snapshot->footer.state_hash);
    }
    return object;
}

json_t *summary_json_counts(const struct stock_counts *counts)
{
    json_t *object = json_new_object();
    json_add_u64(object, "items", counts->items);
    json_add_u64(object, "reservations", counts->reservations);
    json_add_u64(object, "held", counts->held);
    json_add_u64(object, "confirmed", counts->confirmed);
    json_add_u64(object, "cancelled", counts->cancelled);
    json_add_u64(object, "expired", counts->expired);
    json_add_u64(object, "buyers", counts->buyers);
    json_add_u64(object, "units_held", counts->units_held);
    json_add_u64(object, "units_sold", counts->units_sold);
    return object;
}

void summary_print_json(const struct summary *summary)
{
    const struct data *data = summary->data;
    char id[TEXT_ID_BYTES];
    json_t *object = json_new_object();
    json_t *logs = json_new_array();
    json_t *snapshots = json_new_array();
    for (uint32_t i = 0; i < data->log_count; i++) {
        json_append(logs, json_log(summary, i));
        for (uint32_t k = 0; k < data->logs[i].snapshot_count; k++)
            json_append(snapshots, json_snapshot(&data->logs[i], data->logs[i].snapshots[k]));
    }
    json_add_u64(object, "format", data->manifest.version);
    json_add_text(object, "server_id", text_id(data->manifest.server_id, id));
    json_add_u64(object, "eras", data->manifest.era_count);
    json_add_u64(object, "cores", data_core_count(data, data->manifest.era_count - 1));
    json_add(object, "logs", logs);
    json_add(object, "snapshots", snapshots);
    json_add_u64(object, "records", summary_record_count(summary));
    if (summary->has_state) {
        json_add(object, "state", summary_json_counts(&summary->counts));
        json_add_hash(object, "state_hash", summary->state_hash);
    }
    json_print(object, stdout);
}

/* ---- text ---- */

static void print_log(const struct data_log *log, const struct log_summary *read)
{
    char first[TEXT_TIME_BYTES];
    char last[TEXT_TIME_BYTES];
    printf("%6" PRIu64 " %5" PRIu32 " ", log->era, log->core);
    if (!read->is_read) {
        printf("%9s %10s %12s %12s %12s  %-24s  %-24s %14" PRIu64 "  not read\n", "-", "-", "-",
               "-", "-", "-", "-", log->segments_bytes);
        return;
    }
    printf("%9" PRIu64 " %10" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64
           "  %-24s  %-24s %14" PRIu64 "  %s%s\n",
           read->end.segment.segment_number, read->end.group_count, read->end.record_count,
           read->end.record_count > 0 ? read->first_lsn : 0, read->end.next_lsn - 1,
           text_time(read->first_time_ms, first), text_time(read->last_time_ms, last),
           log->segments_bytes, log_status_text(read->end.status), read->is_live ? ", live" : "");
}

static void print_snapshot(const struct data_log *log, const struct data_snapshot *snapshot)
{
    char taken[TEXT_TIME_BYTES];
    const bool is_good = snapshot->state == DATA_SNAPSHOT_GOOD;
    printf("%6" PRIu64 " %5" PRIu32 " %12" PRIu64 "  %-24s ", log->era, log->core, snapshot->lsn,
           text_time(data_snapshot_is_usable(snapshot) ? snapshot->header.taken_ms : 0, taken));
    if (is_good)
        printf("%12" PRIu64 " %12" PRIu64 " %12" PRIu64, snapshot->footer.item_count,
               snapshot->footer.reservation_count, snapshot->footer.buyer_count);
    else
        printf("%12s %12s %12s", "-", "-", "-");
    printf(" %14" PRIu64 "  %s\n", snapshot->file_bytes, snapshot_state_text(snapshot->state));
}

static uint64_t snapshot_count(const struct data *data)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < data->log_count; i++)
        count += data->logs[i].snapshot_count;
    return count;
}

void summary_print_files(const struct summary *summary)
{
    const struct data *data = summary->data;
    printf("%6s %5s %9s %10s %12s %12s %12s  %-24s  %-24s %14s  %s\n", "era", "core", "segments",
           "groups", "records", "first LSN", "last LSN", "first record", "last record", "bytes",
           "end");
    for (uint32_t i = 0; i < data->log_count; i++)
        print_log(&data->logs[i], &summary->logs[i]);
    if (snapshot_count(data) == 0)
        return;
    printf("\n%6s %5s %12s  %-24s %12s %12s %12s %14s  %s\n", "era", "core", "snapshot LSN",
           "taken", "items", "reservations", "buyers", "bytes", "state");
    for (uint32_t i = 0; i < data->log_count; i++)
        for (uint32_t k = 0; k < data->logs[i].snapshot_count; k++)
            print_snapshot(&data->logs[i], data->logs[i].snapshots[k]);
}

void summary_print_counts(const struct stock_counts *counts)
{
    printf("%-16s%" PRIu64 "\n", "items", counts->items);
    printf("%-16s%" PRIu64 " (%" PRIu64 " held, %" PRIu64 " confirmed, %" PRIu64
           " cancelled, %" PRIu64 " expired)\n",
           "reservations", counts->reservations, counts->held, counts->confirmed, counts->cancelled,
           counts->expired);
    printf("%-16s%" PRIu64 " held, %" PRIu64 " sold\n", "units", counts->units_held,
           counts->units_sold);
    printf("%-16s%" PRIu64 "\n", "buyers", counts->buyers);
}

void summary_print_hash(const struct summary *summary)
{
    if (summary->has_state)
        printf("%-16s%016" PRIx64 "\n", "state hash", summary->state_hash);
    else
        printf("%-16s%s\n", "state", "not rebuilt: the log cannot be read to its end");
}
