#include "repair_report.h"

#include "allocate.h"
#include "json.h"
#include "output.h"
#include "record_print.h"
#include "snapshots.h"
#include "summary.h"
#include "text.h"
#include "walk.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_COUNT_MAX = 20 };

static const char *const list_names[REPORT_LIST_COUNT] = {
    [REPORT_HOLES] = "holes", [REPORT_DROPPED] = "dropped",     [REPORT_LOST_HOLDS] = "lost_holds",
    [REPORT_MADE] = "made",   [REPORT_UNCERTAIN] = "uncertain", [REPORT_ITEMS] = "items",
};

/* ---- life ---- */

void repair_report_begin(struct repair_report *report, const struct plan *plan, const char *beside)
{
    *report = (struct repair_report){.beside = beside, .plan = plan};
    report->logs = allocate(plan->data->log_count, sizeof report->logs[0]);
    for (uint32_t i = 0; i < REPORT_LIST_COUNT; i++) {
        struct report_list *list = &report->lists[i];
        list->name = list_names[i];
        list->text_to = open_memstream(&list->text, &list->text_bytes);
        hf_assert(list->text_to != NULL);
    }
}

void repair_report_end(struct repair_report *report)
{
    for (uint32_t i = 0; i < REPORT_LIST_COUNT; i++) {
        struct report_list *list = &report->lists[i];
        if (list->json != NULL)
            fclose(list->json);
        fclose(list->text_to);
        free(list->text);
    }
    item_counts_free(&report->items);
    free(report->logs);
    report->logs = NULL;
}

/* ---- lists ---- */

/* Where the next entry's JSON goes, or NULL when there is no place for it. */
static FILE *next_entry(struct repair_report *report, enum report_list_index index)
{
    struct report_list *list = &report->lists[index];
    list->count++;
    if (list->json == NULL && !report->has_failed) {
        list->json = output_temporary(report->beside);
        report->has_failed = list->json == NULL;
    } else if (list->json != NULL) {
        fputc(',', list->json);
    }
    return list->json;
}

/* Where its line for people goes, or NULL when there are enough of them. */
static FILE *next_line(struct repair_report *report, enum report_list_index index)
{
    struct report_list *list = &report->lists[index];
    return list->count <= TEXT_COUNT_MAX ? list->text_to : NULL;
}

static uint64_t *item_counter(struct repair_report *report, uint64_t item_id,
                              enum report_counter counter)
{
    struct item_count *item = item_counts_at(&report->items, item_id);
    return &item->counters[counter];
}

static void count_for_item(struct repair_report *report, uint64_t item_id,
                           enum report_counter counter, uint64_t count)
{
    if (item_id == 0)
        return;
    *item_counter(report, item_id, REPORT_ITEM_ALL) += count;
    *item_counter(report, item_id, counter) += count;
}

static const char *log_name(const struct data_log *log, char *to)
{
    log_core_directory_name(log->era, log->core, to);
    return to;
}

static void write_json_text(const char *text, FILE *to)
{
    json_t *value = json_string(text);
    json_dumpf(value, to, JSON_ENCODE_ANY);
    json_decref(value);
}

/* ---- holes ---- */

static void write_range_json(const struct salvage_range *range, FILE *to)
{
    fprintf(to, "{\"file\":");
    write_json_text(range->name, to);
    fprintf(to, ",\"offset\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"reason\":", range->offset,
            range->bytes);
    write_json_text(range->reason, to);
    fprintf(to, ",\"harmless\":%s}", range->is_harmless ? "true" : "false");
}

static void write_hole_json(const struct data_log *log, const struct salvage_hole *hole, FILE *to)
{
    fprintf(to, "{\"era\":%" PRIu64 ",\"core\":%" PRIu32 ",\"first_lsn\":%" PRIu64 ",\"last_lsn\":",
            log->era, log->core, hole->first_lsn);
    if (hole->last_lsn == UINT64_MAX)
        fputs("null", to);
    else
        fprintf(to, "%" PRIu64, hole->last_lsn);
    fprintf(to, ",\"before_ms\":%" PRIu64 ",\"after_ms\":%" PRIu64 ",\"ranges\":[", hole->before_ms,
            hole->after_ms);
    for (size_t i = 0; i < hole->range_count; i++) {
        if (i > 0)
            fputc(',', to);
        write_range_json(&hole->ranges[i], to);
    }
    fputs("]}", to);
}

static void write_hole_text(const struct data_log *log, const struct salvage_hole *hole, FILE *to)
{
    char name[LOG_NAME_BYTES_MAX];
    char before[TEXT_TIME_BYTES];
    char after[TEXT_TIME_BYTES];
    fprintf(to, "  %s: ", log_name(log, name));
    if (hole->last_lsn == UINT64_MAX)
        fprintf(to, "LSN %" PRIu64 " and later, nobody knows how many", hole->first_lsn);
    else if (hole->last_lsn < hole->first_lsn)
        fprintf(to, "no record is missing");
    else
        fprintf(to, "LSN %" PRIu64 " to %" PRIu64 ", %" PRIu64 " records", hole->first_lsn,
                hole->last_lsn, hole->last_lsn - hole->first_lsn + 1);
    fprintf(to, ", written after %s and before %s\n", text_time(hole->before_ms, before),
            text_time(hole->after_ms, after));
    for (size_t i = 0; i < hole->range_count; i++)
        fprintf(to, "    %s: offset %" PRIu64 ", %" PRIu64 " bytes: %s\n", hole->ranges[i].name,
                hole->ranges[i].offset, hole->ranges[i].bytes, hole->ranges[i].reason);
}

void repair_report_hole(struct repair_report *report, const struct data_log *log,
                        const struct salvage_hole *hole)
{
    struct report_log *of_log = &report->logs[log - report->plan->data->logs];
    FILE *json = next_entry(report, REPORT_HOLES);
    FILE *text = next_line(report, REPORT_HOLES);
    if (json != NULL)
        write_hole_json(log, hole, json);
    if (text != NULL)
        write_hole_text(log, hole, text);
    if (hole->last_lsn + 1 == hole->first_lsn)
        return;
    report->is_lost = true;
    of_log->has_hole = true;
    of_log->hole_ms = hole->before_ms;
    if (hole->last_lsn == UINT64_MAX)
        report->has_unknown_end = true;
    else
        report->lost_lsn_count += hole->last_lsn - hole->first_lsn + 1;
}

/* ---- records ---- */

void repair_report_dropped(struct repair_report *report, const struct data_log *log, uint64_t lsn,
                           const struct stock_record *record, const char *reason)
{
    static const struct stock_record unknown = {.type = STOCK_RECORD_NONE};
    const struct stock_record *shown = record != NULL ? record : &unknown;
    FILE *json = next_entry(report, REPORT_DROPPED);
    FILE *text = next_line(report, REPORT_DROPPED);
    report->is_lost = true;
    count_for_item(report, stock_record_item_id(shown), REPORT_ITEM_DROPPED, 1);
    if (json != NULL) {
        fputc('{', json);
        record_print_json_fields(log, lsn, shown, json);
        fputs(",\"reason\":", json);
        write_json_text(reason, json);
        fputc('}', json);
    }
    if (text != NULL) {
        record_print(RECORD_TEXT, log, lsn, shown, text);
        fprintf(text, "    %s\n", reason);
    }
}

void repair_report_lost_holds(struct repair_report *report, uint64_t item_id, uint64_t first,
                              uint64_t last)
{
    FILE *json = next_entry(report, REPORT_LOST_HOLDS);
    FILE *text = next_line(report, REPORT_LOST_HOLDS);
    report->is_lost = true;
    count_for_item(report, item_id, REPORT_ITEM_LOST_HOLDS, last - first + 1);
    if (json != NULL)
        fprintf(json,
                "{\"item_id\":\"%" PRIu64 "\",\"first_sequence\":%" PRIu64
                ",\"last_sequence\":%" PRIu64 "}",
                item_id, first, last);
    if (text != NULL)
        fprintf(text,
                "  item %" PRIu64 ": sequence %" PRIu64 " to %" PRIu64 ", %" PRIu64 " holds\n",
                item_id, first, last, last - first + 1);
}

static void write_hold_json(const struct stock_hold_event *hold, FILE *to)
{
    char id[TEXT_ID_BYTES];
    fprintf(to,
            "\"item_id\":\"%" PRIu64 "\",\"reservation_id\":\"%s\",\"buyer_id\":\"%" PRIu64
            "\",\"quantity\":%" PRIu32 ",\"sequence\":%" PRIu64 ",\"expires_ms\":%" PRIu64,
            hold->item_id, text_id(hold->reservation_id, id), hold->buyer_id, hold->quantity,
            hold->sequence, hold->expires_ms);
}

static void write_hold_text(const struct stock_hold_event *hold, FILE *to)
{
    char id[TEXT_ID_BYTES];
    char expires[TEXT_TIME_BYTES];
    fprintf(to,
            "  item %" PRIu64 "  reservation %s  sequence %" PRIu64 "  buyer %" PRIu64
            "  quantity %" PRIu32 "  expires %s",
            hold->item_id, text_id(hold->reservation_id, id), hold->sequence, hold->buyer_id,
            hold->quantity, text_time(hold->expires_ms, expires));
}

void repair_report_made(struct repair_report *report, const struct stock_record *record)
{
    FILE *json = next_entry(report, REPORT_MADE);
    FILE *text = next_line(report, REPORT_MADE);
    report->is_lost = true;
    count_for_item(report, record->hold.item_id, REPORT_ITEM_MADE, 1);
    if (json != NULL) {
        fprintf(json, "{\"type\":\"%s\",\"time_ms\":%" PRIu64 ",",
                stock_record_type_name(record->type), record->time_ms);
        write_hold_json(&record->hold, json);
        fputc('}', json);
    }
    if (text != NULL) {
        write_hold_text(&record->hold, text);
        fprintf(text, "  %s\n", stock_record_type_name(record->type));
    }
}

/* ---- the state ---- */

/* The hold was open before a hole in a log that its item is in, and has not changed since. */
static bool is_uncertain(const struct repair_report *report,
                         const struct stock_reservation_entry *reservation)
{
    const struct data *data = report->plan->data;
    for (uint32_t era = 0; era < data->manifest.era_count; era++) {
        const struct data_log *log = data->logs;
        for (uint32_t i = 0; i < era; i++)
            log += data_core_count(data, i);
        log += data_owner(data, era, reservation->hold.item_id);
        const struct report_log *of_log = &report->logs[log - data->logs];
        if (of_log->has_hole && reservation->set_ms <= of_log->hole_ms)
            return true;
    }
    return false;
}

static bool look_at_entry(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                          uint32_t entry_bytes)
{
    struct repair_report *report = context;
    const struct stock_hold_event *hold = &entry->reservation.hold;
    (void)bytes;
    (void)entry_bytes;
    if (entry->type != STOCK_ENTRY_RESERVATION || entry->reservation.state != STOCK_STATE_HELD ||
        !is_uncertain(report, &entry->reservation))
        return true;
    FILE *json = next_entry(report, REPORT_UNCERTAIN);
    FILE *text = next_line(report, REPORT_UNCERTAIN);
    count_for_item(report, hold->item_id, REPORT_ITEM_UNCERTAIN, 1);
    if (json != NULL) {
        fputc('{', json);
        write_hold_json(hold, json);
        fputc('}', json);
    }
    if (text != NULL) {
        write_hold_text(hold, text);
        fputc('\n', text);
    }
    return true;
}

static void sum_up_item(struct repair_report *report, const struct stock *stock,
                        const struct item_count *item)
{
    struct stock_item_view view = {.held = 0};
    const uint64_t *counters = item->counters;
    const bool is_known = stock_item_find(stock, item->item_id, &view);
    FILE *json = next_entry(report, REPORT_ITEMS);
    FILE *text = next_line(report, REPORT_ITEMS);
    if (json != NULL) {
        fprintf(json,
                "{\"item_id\":\"%" PRIu64 "\",\"dropped\":%" PRIu64 ",\"lost_holds\":%" PRIu64
                ",\"made\":%" PRIu64 ",\"uncertain\":%" PRIu64 ",\"is_known\":%s",
                item->item_id, counters[REPORT_ITEM_DROPPED], counters[REPORT_ITEM_LOST_HOLDS],
                counters[REPORT_ITEM_MADE], counters[REPORT_ITEM_UNCERTAIN],
                is_known ? "true" : "false");
        if (is_known)
            fprintf(json,
                    ",\"stock\":%" PRId64 ",\"available\":%" PRId64 ",\"held\":%" PRIu64
                    ",\"sold\":%" PRIu64,
                    view.settings.stock, view.available, view.held, view.sold);
        fputc('}', json);
    }
    if (text == NULL)
        return;
    fprintf(text, "  %-20" PRIu64 " %9" PRIu64 " %10" PRIu64 " %9" PRIu64 " %9" PRIu64,
            item->item_id, counters[REPORT_ITEM_DROPPED], counters[REPORT_ITEM_LOST_HOLDS],
            counters[REPORT_ITEM_MADE], counters[REPORT_ITEM_UNCERTAIN]);
    if (is_known)
        fprintf(text, " %12" PRId64 " %12" PRId64 " %12" PRIu64 " %12" PRIu64 "\n",
                view.settings.stock, view.available, view.held, view.sold);
    else
        fputs("  not known any more\n", text);
}

void repair_report_state(struct repair_report *report, struct stock *stock)
{
    report->counts = stock_counts(stock);
    report->state_hash = stock_hash(stock);
    (void)walk_state(stock, look_at_entry, report);
    const struct item_count *items = item_counts_sort(&report->items);
    for (size_t i = 0; i < report->items.count; i++)
        sum_up_item(report, stock, &items[i]);
}

/* ---- text ---- */

static void print_logs(const struct repair_report *report)
{
    const struct data *data = report->plan->data;
    printf("%6s %5s %14s %14s %10s %14s  %s\n", "era", "core", "from LSN", "records taken",
           "dropped", "last LSN", "found");
    for (uint32_t i = 0; i < data->log_count; i++) {
        const struct source *source = &report->plan->sources[i];
        const struct report_log *of_log = &report->logs[i];
        printf("%6" PRIu64 " %5" PRIu32 " ", data->logs[i].era, data->logs[i].core);
        if (source->is_read)
            printf("%14" PRIu64 " %14" PRIu64 " %10" PRIu64 " %14" PRIu64 "  %s%s%s\n",
                   plan_start(source).next_lsn, of_log->taken_count, of_log->dropped_count,
                   of_log->last_lsn, log_status_text(source->end.end.status),
                   source->end.end.status == LOG_GOOD ? "" : ": ", source->end.end.reason);
        else
            printf("%14s %14s %10s %14s  not needed\n", "-", "-", "-", "-");
    }
}

static void print_bad_snapshots(const struct repair_report *report)
{
    const struct data *data = report->plan->data;
    for (uint32_t i = 0; i < data->log_count; i++)
        for (uint32_t k = 0; k < data->logs[i].snapshot_count; k++) {
            const struct data_snapshot *snapshot = data->logs[i].snapshots[k];
            char path[DATA_FILE_PATH_BYTES];
            if (data_snapshot_is_usable(snapshot))
                continue;
            data_snapshot_path(&data->logs[i], snapshot->lsn, path);
            printf("\nsnapshot not used: %s: offset %" PRIu64 ": %s\n", path, snapshot->bad_offset,
                   snapshot->reason);
        }
}

static void print_list(struct repair_report *report, enum report_list_index index,
                       const char *title)
{
    struct report_list *list = &report->lists[index];
    if (list->count == 0)
        return;
    fflush(list->text_to);
    printf("\n%s: %" PRIu64 "\n%s", title, list->count, list->text);
    if (list->count > TEXT_COUNT_MAX)
        printf("  and %" PRIu64 " more: --report or --json has all\n",
               list->count - TEXT_COUNT_MAX);
}

static void print_verdict(const struct repair_report *report, const struct new_data *made)
{
    char id[TEXT_ID_BYTES];
    printf("\n%-16s%s\n", "made", made->path);
    printf("%-16s%s\n", "server", text_id(made->server_id, id));
    printf("%-16s%" PRIu32 "\n", "cores", made->core_count);
    summary_print_counts(&report->counts);
    printf("%-16s%016" PRIx64 "\n", "state hash", report->state_hash);
    if (!report->is_lost)
        printf("%-16snothing\n", "lost");
    else
        printf("%-16s%" PRIu64 " records%s; %" PRIu64 " dropped, %" PRIu64 " made up for\n", "lost",
               report->lost_lsn_count,
               report->has_unknown_end ? " and those behind the end of what can be read" : "",
               report->lists[REPORT_DROPPED].count, report->lists[REPORT_MADE].count);
}

void repair_report_print(struct repair_report *report, const struct new_data *made)
{
    if (report->plan->data->is_guessed)
        puts("MANIFEST is damaged or missing: eras and cores are taken from the folders, and where "
             "the logs\nof closed eras end is not known\n");
    print_logs(report);
    print_bad_snapshots(report);
    print_list(report, REPORT_HOLES, "damaged places, and what is missing there");
    print_list(report, REPORT_DROPPED, "records dropped, which do not fit the state without those");
    print_list(report, REPORT_LOST_HOLDS, "holds of which no record is left");
    print_list(report, REPORT_MADE, "changes made up for, of which no record is left");
    print_list(report, REPORT_UNCERTAIN,
               "open holds that may have been confirmed, cancelled or extended in what is missing");
    print_list(report, REPORT_ITEMS,
               "items concerned (dropped, lost holds, made up, uncertain; stock, available, held, "
               "sold)");
    print_verdict(report, made);
}

/* ---- JSON ---- */

static json_t *json_logs(const struct repair_report *report)
{
    const struct data *data = report->plan->data;
    json_t *logs = json_new_array();
    for (uint32_t i = 0; i < data->log_count; i++) {
        const struct source *source = &report->plan->sources[i];
        const struct log_end *end = &source->end.end;
        char path[DATA_FILE_PATH_BYTES];
        json_t *log = json_new_object();
        json_add_u64(log, "era", data->logs[i].era);
        json_add_u64(log, "core", data->logs[i].core);
        json_add(log, "read", json_boolean(source->is_read));
        json_append(logs, log);
        if (!source->is_read)
            continue;
        json_add_u64(log, "from_lsn", plan_start(source).next_lsn);
        json_add_u64(log, "taken", report->logs[i].taken_count);
        json_add_u64(log, "dropped", report->logs[i].dropped_count);
        json_add_u64(log, "last_lsn", report->logs[i].last_lsn);
        json_add_text(log, "found", log_status_text(end->status));
        if (end->status == LOG_GOOD)
            continue;
        pass_end_path(&data->logs[i], end, path);
        json_add_text(log, "file", path);
        json_add_u64(log, "offset", end->offset);
        json_add_text(log, "reason", end->reason);
    }
    return logs;
}

static json_t *json_bad_snapshots(const struct repair_report *report)
{
    const struct data *data = report->plan->data;
    json_t *snapshots = json_new_array();
    for (uint32_t i = 0; i < data->log_count; i++)
        for (uint32_t k = 0; k < data->logs[i].snapshot_count; k++) {
            const struct data_snapshot *snapshot = data->logs[i].snapshots[k];
            char path[DATA_FILE_PATH_BYTES];
            if (data_snapshot_is_usable(snapshot))
                continue;
            json_t *object = json_new_object();
            data_snapshot_path(&data->logs[i], snapshot->lsn, path);
            json_add_text(object, "file", path);
            json_add_u64(object, "offset", snapshot->bad_offset);
            json_add_text(object, "reason", snapshot->reason);
            json_append(snapshots, object);
        }
    return snapshots;
}

static void copy(FILE *from, FILE *to)
{
    char piece[1 << 14];
    rewind(from);
    for (size_t bytes; (bytes = fread(piece, 1, sizeof piece, from)) > 0;)
        fwrite(piece, 1, bytes, to);
}

/* The object, without its closing brace, so that lists can follow. */
static void write_open(json_t *object, FILE *to)
{
    char *text = json_dumps(object, JSON_COMPACT);
    hf_assert(text != NULL);
    fwrite(text, 1, strlen(text) - 1, to);
    free(text);
    json_decref(object);
}

void repair_report_write_json(struct repair_report *report, const struct new_data *made, FILE *to)
{
    char id[TEXT_ID_BYTES];
    json_t *object = json_new_object();
    json_add_text(object, "input", report->plan->data->path);
    json_add_text(object, "output", made->path);
    json_add_text(object, "server_id", text_id(made->server_id, id));
    json_add_u64(object, "cores", made->core_count);
    json_add(object, "lost", json_boolean(report->is_lost));
    json_add_u64(object, "lost_records", report->lost_lsn_count);
    json_add(object, "lost_end", json_boolean(report->has_unknown_end));
    json_add(object, "manifest_guessed", json_boolean(report->plan->data->is_guessed));
    json_add(object, "logs", json_logs(report));
    json_add(object, "snapshots_not_used", json_bad_snapshots(report));
    json_add(object, "state", summary_json_counts(&report->counts));
    json_add_hash(object, "state_hash", report->state_hash);
    write_open(object, to);
    for (uint32_t i = 0; i < REPORT_LIST_COUNT; i++) {
        fprintf(to, ",\"%s\":[", report->lists[i].name);
        if (report->lists[i].json != NULL)
            copy(report->lists[i].json, to);
        fputc(']', to);
    }
    fputs("}\n", to);
}
