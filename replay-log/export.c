#include "commands.h"

#include "csv.h"
#include "json.h"
#include "output.h"
#include "progress.h"
#include "state.h"
#include "text.h"
#include "walk.h"

#include <inttypes.h>
#include <string.h>

/* The two files, of which one may not be wanted. In a folder they appear together. */
struct exporting {
    const struct options *options;
    struct output_folder folder;
    struct output_file items;
    struct output_file reservations;
    uint64_t item_count;
    uint64_t reservation_count;
};

/* ---- rows ---- */

static void put_item_header(FILE *to)
{
    struct csv csv = {.to = to};
    csv_header(&csv, "item_id,sku,sku_hex,stock,available,held,sold,next_sequence,buyer_limit,"
                     "hold_cap,hold_ms,opens_at,opens_at_ms,closes_at,closes_at_ms,paused,created,"
                     "created_ms");
}

static void put_item(const struct stock_item_entry *item, FILE *to)
{
    struct csv csv = {.to = to};
    const struct stock_item_settings *settings = &item->settings;
    csv_u64(&csv, settings->item_id);
    csv_sku(&csv, settings);
    csv_i64(&csv, settings->stock);
    csv_i64(&csv, settings->stock == STOCK_UNLIMITED
                      ? STOCK_UNLIMITED
                      : settings->stock - (int64_t)(item->held + item->sold));
    csv_u64(&csv, item->held);
    csv_u64(&csv, item->sold);
    csv_u64(&csv, item->next_sequence);
    csv_u64(&csv, settings->buyer_limit);
    csv_u64(&csv, settings->hold_cap);
    csv_u64(&csv, settings->hold_ms);
    csv_time(&csv, settings->opens_at_ms);
    csv_time(&csv, settings->closes_at_ms);
    csv_text(&csv, settings->paused ? "yes" : "no");
    csv_time(&csv, item->created_ms);
    csv_end_row(&csv);
}

static void put_reservation_header(FILE *to)
{
    struct csv csv = {.to = to};
    csv_header(&csv, "item_id,reservation_id,sequence,buyer_id,state,quantity,quantity_confirmed,"
                     "created,created_ms,expires,expires_ms,changed,changed_ms,user_data");
}

static void put_reservation(const struct stock_reservation_entry *reservation, FILE *to)
{
    struct csv csv = {.to = to};
    const struct stock_hold_event *hold = &reservation->hold;
    csv_u64(&csv, hold->item_id);
    csv_id(&csv, hold->reservation_id);
    csv_u64(&csv, hold->sequence);
    csv_u64(&csv, hold->buyer_id);
    csv_text(&csv, text_reservation_state(reservation->state));
    csv_u64(&csv, hold->quantity);
    csv_u64(&csv, hold->quantity_confirmed);
    csv_time(&csv, reservation->created_ms);
    csv_time(&csv, hold->expires_ms);
    csv_time(&csv, reservation->set_ms);
    csv_u64(&csv, hold->user_data);
    csv_end_row(&csv);
}

static bool put_entry(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                      uint32_t entry_bytes)
{
    struct exporting *exporting = context;
    (void)bytes;
    progress_add(entry_bytes);
    if (entry->type == STOCK_ENTRY_ITEM) {
        exporting->item_count++;
        if (exporting->items.file != NULL)
            put_item(&entry->item, exporting->items.file);
    } else if (entry->type == STOCK_ENTRY_RESERVATION) {
        exporting->reservation_count++;
        if (exporting->reservations.file != NULL)
            put_reservation(&entry->reservation, exporting->reservations.file);
    }
    return true;
}

/* ---- files ---- */

static bool begin_in_folder(struct exporting *exporting)
{
    char items[OUTPUT_PATH_BYTES + 32];
    char reservations[OUTPUT_PATH_BYTES + 32];
    const struct options *options = exporting->options;
    if (!output_folder_begin(&exporting->folder, options->output, options->path))
        return false;
    snprintf(items, sizeof items, "%s/items.csv", exporting->folder.partial);
    snprintf(reservations, sizeof reservations, "%s/reservations.csv", exporting->folder.partial);
    return output_file_begin(&exporting->items, items, options->path) &&
           output_file_begin(&exporting->reservations, reservations, options->path);
}

static bool begin(struct exporting *exporting)
{
    const struct options *options = exporting->options;
    if (options->output != NULL)
        return begin_in_folder(exporting);
    return (options->items_file == NULL ||
            output_file_begin(&exporting->items, options->items_file, options->path)) &&
           (options->reservations_file == NULL ||
            output_file_begin(&exporting->reservations, options->reservations_file, options->path));
}

static void abandon(struct exporting *exporting)
{
    output_file_abandon(&exporting->items);
    output_file_abandon(&exporting->reservations);
    output_folder_abandon(&exporting->folder);
}

static bool finish(struct exporting *exporting)
{
    const bool is_good =
        (exporting->items.file == NULL || output_file_finish(&exporting->items)) &&
        (exporting->reservations.file == NULL || output_file_finish(&exporting->reservations)) &&
        (exporting->options->output == NULL || output_folder_finish(&exporting->folder));
    if (!is_good)
        abandon(exporting);
    return is_good;
}

/* ---- the command ---- */

static void print(const struct exporting *exporting, const struct stock *stock)
{
    const uint64_t hash = stock_hash(stock);
    if (exporting->options->is_json) {
        json_t *object = json_new_object();
        json_add_u64(object, "items", exporting->item_count);
        json_add_u64(object, "reservations", exporting->reservation_count);
        json_add_hash(object, "state_hash", hash);
        json_print(object, stdout);
        return;
    }
    printf("%-16s%" PRIu64 "\n%-16s%" PRIu64 "\n%-16s%016" PRIx64 "\n", "items",
           exporting->item_count, "reservations", exporting->reservation_count, "state hash", hash);
}

static enum exit_code write_all(const struct options *options, struct stock *stock)
{
    struct exporting exporting = {.options = options};
    const struct stock_counts counts = stock_counts(stock);
    if (!begin(&exporting)) {
        abandon(&exporting);
        return EXIT_IO;
    }
    if (exporting.items.file != NULL)
        put_item_header(exporting.items.file);
    if (exporting.reservations.file != NULL)
        put_reservation_header(exporting.reservations.file);
    progress_begin("writing", counts.items * STOCK_ENTRY_BYTES_MAX +
                                  counts.buyers * STOCK_BUYER_ENTRY_BYTES +
                                  counts.reservations * STOCK_RESERVATION_ENTRY_BYTES);
    (void)walk_state(stock, put_entry, &exporting);
    progress_end();
    if (!finish(&exporting))
        return EXIT_IO;
    print(&exporting, stock);
    return EXIT_GOOD;
}

static bool may_write(const struct options *options)
{
    const char *const paths[] = {options->output, options->items_file, options->reservations_file};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i] != NULL && !output_may_be_made(paths[i], options->path))
            return false;
    return true;
}

enum exit_code command_export(const struct options *options)
{
    struct state state;
    const struct point point = point_of(options);
    if (!may_write(options))
        return EXIT_IO;
    enum exit_code code = state_build(options->path, &point, false, &state);
    if (code == EXIT_GOOD && !walk_settle(state.stock))
        code = EXIT_IO;
    if (code == EXIT_GOOD)
        code = write_all(options, state.stock);
    state_free(&state);
    return code;
}
