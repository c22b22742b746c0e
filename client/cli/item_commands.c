#include "commands.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

/* item create, show, list, update */

enum { LIST_PAGE_ITEMS = 128 };

/* `wanted` is what was asked for, NULL when nothing was. */
static int print_item_reply(hf_client *client, const struct options *options,
                            const hf_item_settings *wanted, const hf_item_reply *reply)
{
    bool was_answered = reply->outcome == HF_APPLIED || reply->outcome == HF_REFUSED;
    struct output output;
    output_init(&output, options->given[OPTION_JSON]);
    output_text(&output, "outcome", hf_outcome_name(reply->outcome));
    if (was_answered)
        output_text(&output, "result", hf_result_name(reply->result));
    else
        output_text(&output, "error", hf_error_name(reply->error));
    if (reply->invalid_field != HF_FIELD_NONE)
        output_text(&output, "invalid_field", hf_field_name(reply->invalid_field));
    if (reply->has_item)
        output_item(&output, &reply->item);
    output_flush(&output);
    if (reply->outcome == HF_APPLIED)
        return EXIT_APPLIED;
    if (reply->outcome == HF_REFUSED)
        return tell_refusal(&(struct refusal){
            .command = options->command,
            .result = reply->result,
            .invalid_field = reply->invalid_field,
            .differences = wanted && reply->has_item
                               ? refusal_differences(wanted, &reply->item.settings)
                               : 0});
    return tell_failure(client, reply->outcome, reply->result, reply->error);
}

/* The settings that the command line names. False when the server's clock was needed and can't be
 * had. */
static bool read_settings(hf_client *client, const struct options *options,
                          hf_item_settings *settings_out, int *exit_out)
{
    *settings_out = (hf_item_settings){
        .item_id = options->item_id,
        .stock = options->stock,
        .buyer_limit = options->buyer_limit,
        .hold_cap = options->hold_cap,
        .hold_ms = options->hold_ms,
        .paused = options->paused,
    };
    if (options->sku)
        snprintf(settings_out->sku, sizeof settings_out->sku, "%s", options->sku);
    return moment_on_server(client, &options->opens_at, &settings_out->opens_at_ms, exit_out) &&
           moment_on_server(client, &options->closes_at, &settings_out->closes_at_ms, exit_out);
}

int run_item_create(hf_client *client, const struct options *options)
{
    hf_item_create_request request = {.validate_only = options->given[OPTION_VALIDATE_ONLY]};
    int exit_code;
    if (!read_settings(client, options, &request.settings, &exit_code))
        return exit_code;
    hf_item_reply reply;
    hf_item_create(client, &request, &reply);
    return print_item_reply(client, options, &request.settings, &reply);
}

static uint32_t given_fields(const struct options *options)
{
    static const struct {
        enum cli_option option;
        uint32_t field;
    } fields[] = {
        {OPTION_STOCK, HF_UPDATE_STOCK},          {OPTION_BUYER_LIMIT, HF_UPDATE_BUYER_LIMIT},
        {OPTION_HOLD_CAP, HF_UPDATE_HOLD_CAP},    {OPTION_HOLD_TIME, HF_UPDATE_HOLD_MS},
        {OPTION_OPENS_AT, HF_UPDATE_OPENS_AT_MS}, {OPTION_CLOSES_AT, HF_UPDATE_CLOSES_AT_MS},
        {OPTION_PAUSED, HF_UPDATE_PAUSED},
    };
    uint32_t given = 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (options->given[fields[i].option])
            given |= fields[i].field;
    }
    return given;
}

int run_item_update(hf_client *client, const struct options *options)
{
    hf_item_update_request request = {.fields = given_fields(options)};
    int exit_code;
    if (request.fields == 0) {
        fprintf(stderr, "holdfast: nothing to change was named, such as --stock or --paused\n");
        return EXIT_USAGE;
    }
    if (!read_settings(client, options, &request.settings, &exit_code))
        return exit_code;
    hf_item_reply reply;
    hf_item_update(client, &request, &reply);
    return print_item_reply(client, options, NULL, &reply);
}

int run_item_show(hf_client *client, const struct options *options)
{
    hf_item_get_request request = {.item_id = options->item_id};
    hf_item_reply reply;
    hf_item_get(client, &request, &reply);
    return print_item_reply(client, options, NULL, &reply);
}

/* ---- list ---- */

static const char *units_text(int64_t units, char text_out[24])
{
    snprintf(text_out, 24, "%lld", (long long)units);
    return units == HF_UNLIMITED ? "unlimited" : text_out;
}

static void print_list_head(bool is_json)
{
    if (is_json)
        printf("[");
    else
        printf("%-32s %20s %12s %12s %12s %12s\n", "SKU", "ITEM ID", "STOCK", "AVAILABLE", "HELD",
               "SOLD");
}

static void print_list_item(bool is_json, const hf_item *item, uint64_t index)
{
    if (is_json) {
        json_t *object = output_item_json(item);
        printf("%s\n", index > 0 ? "," : "");
        json_dumpf(object, stdout, JSON_COMPACT);
        json_decref(object);
        return;
    }
    char stock[24];
    char available[24];
    printf("%-32s %20llu %12s %12s %12llu %12llu\n", item->settings.sku,
           (unsigned long long)item->settings.item_id, units_text(item->settings.stock, stock),
           units_text(item->available, available), (unsigned long long)item->held,
           (unsigned long long)item->sold);
}

int run_item_list(hf_client *client, const struct options *options)
{
    bool is_json = options->given[OPTION_JSON];
    hf_item_cursor cursor;
    hf_item items[LIST_PAGE_ITEMS];
    uint64_t count = 0;
    memset(&cursor, 0, sizeof cursor);
    while (!cursor.is_at_end) {
        hf_item_page page;
        if (hf_item_list(client, &cursor, 0, items, LIST_PAGE_ITEMS, &page) != HF_APPLIED)
            return tell_failure(client, page.outcome, page.result, page.error);
        if (count == 0 && (page.count > 0 || cursor.is_at_end))
            print_list_head(is_json);
        for (uint32_t i = 0; i < page.count; i++)
            print_list_item(is_json, &items[i], count++);
    }
    if (is_json)
        printf("%s]\n", count > 0 ? "\n" : "");
    return EXIT_APPLIED;
}
