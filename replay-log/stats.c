#include "commands.h"

#include "chart.h"
#include "filter.h"
#include "item_counts.h"
#include "json.h"
#include "pass.h"
#include "progress.h"
#include "replay.h"
#include "text.h"

#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

/* One pass over the logs, and all that is counted fits into tables of a fixed size, but for the
 * items. */

enum { SIZE_CLASS_COUNT = 18 }; /* of groups, by powers of two of their records */

/* Of an item. */
enum item_counter { ITEM_RECORDS, ITEM_HOLDS, ITEM_UNITS_HELD, ITEM_UNITS_SOLD };

struct stats {
    const struct options *options;
    uint64_t type_counts[CHART_KIND_COUNT];
    uint64_t type_bytes[CHART_KIND_COUNT];
    uint64_t record_count;
    uint64_t record_bytes;
    uint64_t group_count;
    uint64_t group_bytes;
    uint64_t group_records;
    uint64_t group_records_least;
    uint64_t group_records_most;
    uint64_t size_classes[SIZE_CLASS_COUNT];
    uint64_t units_held; /* of holds made */
    uint64_t units_sold;
    uint64_t first_time_ms;
    uint64_t last_time_ms;
    struct item_counts items;
    struct chart chart;
};

/* ---- counting ---- */

static void count_group(struct stats *stats, const struct log_group *group)
{
    uint32_t class = 0;
    while (class + 1 < SIZE_CLASS_COUNT && group->record_count >> (class + 1) != 0)
        class ++;
    stats->size_classes[class]++;
    stats->group_count++;
    stats->group_bytes += log_group_bytes(group->records_bytes);
    stats->group_records += group->record_count;
    if (stats->group_records_least == 0 || group->record_count < stats->group_records_least)
        stats->group_records_least = group->record_count;
    if (group->record_count > stats->group_records_most)
        stats->group_records_most = group->record_count;
}

static void count_record(struct stats *stats, const struct stock_record *record, uint32_t bytes)
{
    stats->type_counts[record->type]++;
    stats->type_bytes[record->type] += bytes;
    stats->record_count++;
    stats->record_bytes += bytes;
    if (stats->first_time_ms == 0 || record->time_ms < stats->first_time_ms)
        stats->first_time_ms = record->time_ms;
    if (record->time_ms > stats->last_time_ms)
        stats->last_time_ms = record->time_ms;
    chart_add(&stats->chart, record->time_ms, record->type);
    if (stock_record_item_id(record) == 0)
        return;
    struct item_count *item = item_counts_at(&stats->items, stock_record_item_id(record));
    item->counters[ITEM_RECORDS]++;
    if (record->type == STOCK_RECORD_HELD) {
        stats->units_held += record->hold.quantity;
        item->counters[ITEM_HOLDS]++;
        item->counters[ITEM_UNITS_HELD] += record->hold.quantity;
    } else if (record->type == STOCK_RECORD_CONFIRMED) {
        stats->units_sold += record->hold.quantity_confirmed;
        item->counters[ITEM_UNITS_SOLD] += record->hold.quantity_confirmed;
    }
}

static const char *count(void *context, const struct log_group *group, uint64_t *refused_lsn_out)
{
    struct stats *stats = context;
    bool is_named = false;
    *refused_lsn_out = group->first_lsn;
    for (const uint8_t *bytes = group->records; bytes != NULL;
         bytes = log_record_next(group, bytes), ++*refused_lsn_out) {
        struct stock_record record;
        const char *wrong = stock_record_decode(bytes, log_record_bytes(bytes), &record);
        if (wrong != NULL)
            return wrong;
        if (!filter_has_record(stats->options, *refused_lsn_out, &record))
            continue;
        count_record(stats, &record, log_record_bytes(bytes));
        is_named = true;
    }
    if (is_named)
        count_group(stats, group);
    return NULL;
}

/* ---- JSON ---- */

static json_t *json_types(const struct stats *stats)
{
    json_t *types = json_new_object();
    for (int type = STOCK_RECORD_ITEM_CREATED; type <= STOCK_RECORD_FORGOTTEN; type++) {
        json_t *object = json_new_object();
        json_add_u64(object, "records", stats->type_counts[type]);
        json_add_u64(object, "bytes", stats->type_bytes[type]);
        json_add(types, stock_record_type_name(type), object);
    }
    return types;
}

static json_t *json_groups(const struct stats *stats)
{
    json_t *object = json_new_object();
    json_t *classes = json_new_array();
    json_add_u64(object, "groups", stats->group_count);
    json_add_u64(object, "bytes", stats->group_bytes);
    json_add_u64(object, "records", stats->group_records);
    json_add_u64(object, "records_least", stats->group_records_least);
    json_add_u64(object, "records_most", stats->group_records_most);
    for (uint32_t i = 0; i < SIZE_CLASS_COUNT; i++) {
        if (stats->size_classes[i] == 0)
            continue;
        json_t *class = json_new_object();
        json_add_u64(class, "records_from", 1ull << i);
        json_add_u64(class, "groups", stats->size_classes[i]);
        json_append(classes, class);
    }
    json_add(object, "by_records", classes);
    return object;
}

static json_t *json_holds(const struct stats *stats)
{
    json_t *object = json_new_object();
    json_add_u64(object, "made", stats->type_counts[STOCK_RECORD_HELD]);
    json_add_u64(object, "confirmed", stats->type_counts[STOCK_RECORD_CONFIRMED]);
    json_add_u64(object, "cancelled", stats->type_counts[STOCK_RECORD_CANCELLED]);
    json_add_u64(object, "expired", stats->type_counts[STOCK_RECORD_EXPIRED]);
    json_add_u64(object, "units_held", stats->units_held);
    json_add_u64(object, "units_sold", stats->units_sold);
    return object;
}

static json_t *json_items(struct stats *stats)
{
    json_t *items = json_new_array();
    const struct item_count *list = item_counts_sort(&stats->items);
    for (size_t i = 0; i < stats->items.count && i < stats->options->top_count; i++) {
        char id[24];
        json_t *object = json_new_object();
        snprintf(id, sizeof id, "%" PRIu64, list[i].item_id);
        json_add_text(object, "item_id", id);
        json_add_u64(object, "records", list[i].counters[ITEM_RECORDS]);
        json_add_u64(object, "holds", list[i].counters[ITEM_HOLDS]);
        json_add_u64(object, "units_held", list[i].counters[ITEM_UNITS_HELD]);
        json_add_u64(object, "units_sold", list[i].counters[ITEM_UNITS_SOLD]);
        json_append(items, object);
    }
    return items;
}

static json_t *json_chart(const struct chart *chart)
{
    json_t *rows = json_new_array();
    for (uint32_t i = 0; i < chart->row_count; i++) {
        json_t *object = json_new_object();
        json_add_u64(object, "from_ms", (chart->first + i) * chart->width_ms);
        json_add_u64(object, "records", chart_row_sum(&chart->rows[i]));
        json_add_u64(object, "held", chart->rows[i].counts[STOCK_RECORD_HELD]);
        json_add_u64(object, "confirmed", chart->rows[i].counts[STOCK_RECORD_CONFIRMED]);
        json_add_u64(object, "cancelled", chart->rows[i].counts[STOCK_RECORD_CANCELLED]);
        json_add_u64(object, "expired", chart->rows[i].counts[STOCK_RECORD_EXPIRED]);
        json_append(rows, object);
    }
    return rows;
}

static void print_json(struct stats *stats)
{
    json_t *object = json_new_object();
    json_add_u64(object, "records", stats->record_count);
    json_add_u64(object, "bytes", stats->record_bytes);
    json_add_u64(object, "first_time_ms", stats->first_time_ms);
    json_add_u64(object, "last_time_ms", stats->last_time_ms);
    json_add(object, "types", json_types(stats));
    json_add(object, "groups", json_groups(stats));
    json_add(object, "holds", json_holds(stats));
    json_add_u64(object, "items", stats->items.count);
    json_add(object, "top_items", json_items(stats));
    json_add_u64(object, "bucket_ms", stats->chart.width_ms);
    json_add(object, "buckets", json_chart(&stats->chart));
    json_print(object, stdout);
}

/* ---- text ---- */

static double percent(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : 100 * (double)part / (double)all;
}

static void print_types(const struct stats *stats)
{
    char first[TEXT_TIME_BYTES];
    char last[TEXT_TIME_BYTES];
    uint64_t most = 0;
    printf("%-16s%" PRIu64 " in %" PRIu64 " bytes, %s to %s\n", "records", stats->record_count,
           stats->record_bytes, text_time(stats->first_time_ms, first),
           text_time(stats->last_time_ms, last));
    for (int type = STOCK_RECORD_ITEM_CREATED; type <= STOCK_RECORD_FORGOTTEN; type++)
        if (stats->type_counts[type] > most)
            most = stats->type_counts[type];
    for (int type = STOCK_RECORD_ITEM_CREATED; type <= STOCK_RECORD_FORGOTTEN; type++) {
        const uint64_t type_count = stats->type_counts[type];
        printf("  %-14s%12" PRIu64 "%16" PRIu64 "  %5.1f %%  ", stock_record_type_name(type),
               type_count, stats->type_bytes[type], percent(type_count, stats->record_count));
        chart_print_bar(type_count, most, chart_columns(56));
        putchar('\n');
    }
}

static void print_groups(const struct stats *stats)
{
    uint64_t most = 0;
    printf("\n%-16s%" PRIu64 " in %" PRIu64 " bytes, with %" PRIu64 " to %" PRIu64
           " records, %.1f on average\n",
           "groups", stats->group_count, stats->group_bytes, stats->group_records_least,
           stats->group_records_most,
           stats->group_count == 0 ? 0 : (double)stats->group_records / (double)stats->group_count);
    for (uint32_t i = 0; i < SIZE_CLASS_COUNT; i++)
        if (stats->size_classes[i] > most)
            most = stats->size_classes[i];
    for (uint32_t i = 0; i < SIZE_CLASS_COUNT; i++) {
        if (stats->size_classes[i] == 0)
            continue;
        printf("  %6llu and more%12" PRIu64 "  %5.1f %%  ", 1ull << i, stats->size_classes[i],
               percent(stats->size_classes[i], stats->group_count));
        chart_print_bar(stats->size_classes[i], most, chart_columns(42));
        putchar('\n');
    }
}

static void print_holds(const struct stats *stats)
{
    const uint64_t made = stats->type_counts[STOCK_RECORD_HELD];
    const uint64_t confirmed = stats->type_counts[STOCK_RECORD_CONFIRMED];
    const uint64_t cancelled = stats->type_counts[STOCK_RECORD_CANCELLED];
    const uint64_t expired = stats->type_counts[STOCK_RECORD_EXPIRED];
    const uint64_t ended = confirmed + cancelled + expired;
    printf("\n%-16s%" PRIu64 " made, of %" PRIu64 " units; %" PRIu64 " ended, %" PRIu64
           " units sold\n",
           "holds", made, stats->units_held, ended, stats->units_sold);
    const struct {
        const char *name;
        uint64_t count;
    } outcomes[] = {{"confirmed", confirmed}, {"cancelled", cancelled}, {"expired", expired}};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        printf("  %-14s%12" PRIu64 "  %5.1f %%  ", outcomes[i].name, outcomes[i].count,
               percent(outcomes[i].count, ended));
        chart_print_bar(outcomes[i].count, ended, chart_columns(40));
        putchar('\n');
    }
}

static void print_items(struct stats *stats)
{
    const struct item_count *list = item_counts_sort(&stats->items);
    const size_t count = stats->items.count < stats->options->top_count ? stats->items.count
                                                                        : stats->options->top_count;
    printf("\n%-16s%zu, those with most records:\n", "items", stats->items.count);
    if (count > 0)
        printf("  %-20s %12s %12s %12s %12s\n", "item", "records", "holds", "units held",
               "units sold");
    for (size_t i = 0; i < count; i++) {
        const uint64_t *counters = list[i].counters;
        printf("  %-20" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "  ",
               list[i].item_id, counters[ITEM_RECORDS], counters[ITEM_HOLDS],
               counters[ITEM_UNITS_HELD], counters[ITEM_UNITS_SOLD]);
        chart_print_bar(counters[ITEM_RECORDS], list[0].counters[ITEM_RECORDS], chart_columns(76));
        putchar('\n');
    }
}

static void print_chart(const struct chart *chart)
{
    char width[UNITS_TEXT_BYTES_MAX];
    uint64_t most = 0;
    for (uint32_t i = 0; i < chart->row_count; i++)
        if (chart_row_sum(&chart->rows[i]) > most)
            most = chart_row_sum(&chart->rows[i]);
    units_format_duration_ms(chart->width_ms, width);
    printf("\n%-16s%s a row\n", "over time", width);
    if (chart->row_count > 0)
        printf("  %-24s %10s %10s %10s %10s %10s\n", "from", "records", "held", "confirmed",
               "cancelled", "expired");
    for (uint32_t i = 0; i < chart->row_count; i++) {
        const struct chart_row *row = &chart->rows[i];
        char from[TEXT_TIME_BYTES];
        printf("  %-24s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "  ",
               text_time((chart->first + i) * chart->width_ms, from), chart_row_sum(row),
               row->counts[STOCK_RECORD_HELD], row->counts[STOCK_RECORD_CONFIRMED],
               row->counts[STOCK_RECORD_CANCELLED], row->counts[STOCK_RECORD_EXPIRED]);
        chart_print_bar(chart_row_sum(row), most, chart_columns(83));
        putchar('\n');
    }
}

static void print(struct stats *stats)
{
    print_types(stats);
    print_groups(stats);
    print_holds(stats);
    print_items(stats);
    print_chart(&stats->chart);
}

/* ---- the command ---- */

static enum exit_code count_all(struct stats *stats, struct data *data)
{
    enum exit_code code = EXIT_GOOD;
    progress_begin("reading", filter_bytes(stats->options, data));
    for (uint32_t i = 0; i < data->log_count; i++) {
        struct data_log *log = &data->logs[i];
        struct pass_end end;
        const struct pass pass = {.start = filter_start(log), .group = count, .context = stats};
        if (!filter_has_log(stats->options, log))
            continue;
        pass_run(data, log, &pass, &end);
        pass_tell_end(log, &end.end);
        if (end.end.status != LOG_TORN_TAIL)
            code = exit_code_worse(code, pass_exit_code(end.end.status));
    }
    progress_end();
    return code;
}

enum exit_code command_stats(const struct options *options)
{
    struct data *data;
    struct stats stats = {.options = options};
    enum exit_code code = data_open(options->path, &data);
    if (code != EXIT_GOOD)
        return code;
    if (!filter_fits(options, data)) {
        data_close(&data);
        return EXIT_USAGE;
    }
    chart_begin(&stats.chart, options->bucket_ms);
    code = count_all(&stats, data);
    if (stats.chart.is_too_long) {
        tell("--bucket: there would be too many rows: name a wider one");
        code = EXIT_USAGE;
    } else if (options->is_json) {
        print_json(&stats);
    } else {
        print(&stats);
    }
    chart_end(&stats.chart);
    item_counts_free(&stats.items);
    data_close(&data);
    return code;
}
