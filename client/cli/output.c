#include "output.h"

#include "moment.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

void output_init(struct output *output, bool is_json)
{
    output->is_json = is_json;
    output->object = json_object();
    output->line_count = 0;
}

/* "expires_ms" is "expires" to people, who see a time; other names have spaces. */
static void add_line(struct output *output, const char *name, const char *value)
{
    if (output->line_count == OUTPUT_LINE_COUNT_MAX)
        return;
    char *to = output->lines[output->line_count].name;
    snprintf(to, OUTPUT_NAME_BYTES, "%s", name);
    size_t length = strlen(to);
    if (length > 3 && strcmp(to + length - 3, "_ms") == 0)
        to[length - 3] = '\0';
    for (; *to; to++) {
        if (*to == '_')
            *to = ' ';
    }
    snprintf(output->lines[output->line_count].value, OUTPUT_VALUE_BYTES, "%s", value);
    output->line_count++;
}

/* Texts may come from other clients, which need not write UTF-8: then bytes are shown in hex. */
static json_t *json_of_text(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char hex[2 + 2 * HF_SKU_BYTES_MAX + 1] = "0x";
    for (size_t i = 0; i < HF_SKU_BYTES_MAX && text[i]; i++)
        snprintf(hex + 2 + 2 * i, 3, "%02x", (unsigned)(unsigned char)text[i]);
    return json_string(hex);
}

void output_text(struct output *output, const char *name, const char *value)
{
    json_object_set_new(output->object, name, json_of_text(value));
    add_line(output, name, value);
}

void output_number(struct output *output, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    json_object_set_new(output->object, name, json_integer((json_int_t)value));
    add_line(output, name, text);
}

void output_bool(struct output *output, const char *name, bool value)
{
    json_object_set_new(output->object, name, json_boolean(value));
    add_line(output, name, value ? "yes" : "no");
}

void output_key(struct output *output, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    output_text(output, name, text);
}

void output_hex(struct output *output, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)value);
    output_text(output, name, text);
}

void output_id(struct output *output, hf_id id)
{
    char text[HF_ID_TEXT_BYTES];
    hf_id_format(id, text);
    output_text(output, "id", text);
}

void output_units(struct output *output, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    json_object_set_new(output->object, name, json_integer(value));
    add_line(output, name, value == HF_UNLIMITED ? "unlimited" : text);
}

void output_moment(struct output *output, const char *name, uint64_t ms)
{
    char text[MOMENT_TEXT_BYTES];
    json_object_set_new(output->object, name, json_integer((json_int_t)ms));
    if (ms == 0)
        return;
    moment_format(ms, text);
    add_line(output, name, text);
}

void output_duration(struct output *output, const char *name, uint64_t ms)
{
    char text[UNITS_TEXT_BYTES_MAX];
    json_object_set_new(output->object, name, json_integer((json_int_t)ms));
    units_format_duration_ms(ms, text);
    add_line(output, name, text);
}

void output_item(struct output *output, const hf_item *item)
{
    const hf_item_settings *settings = &item->settings;
    output_key(output, "item_id", settings->item_id);
    output_text(output, "sku", settings->sku);
    output_units(output, "stock", settings->stock);
    output_units(output, "available", item->available);
    output_number(output, "held", item->held);
    output_number(output, "sold", item->sold);
    output_number(output, "next_sequence", item->next_sequence);
    output_number(output, "buyer_limit", settings->buyer_limit);
    output_number(output, "hold_cap", settings->hold_cap);
    output_duration(output, "hold_time_ms", settings->hold_ms);
    output_moment(output, "opens_at_ms", settings->opens_at_ms);
    output_moment(output, "closes_at_ms", settings->closes_at_ms);
    output_bool(output, "paused", settings->paused);
    output_moment(output, "created_ms", item->created_ms);
}

json_t *output_item_json(const hf_item *item)
{
    struct output output;
    output_init(&output, true);
    output_item(&output, item);
    return output.object;
}

static void print_lines(const struct output *output)
{
    int width = 0;
    for (uint32_t i = 0; i < output->line_count; i++) {
        int length = (int)strlen(output->lines[i].name);
        width = length > width ? length : width;
    }
    for (uint32_t i = 0; i < output->line_count; i++)
        printf("%-*s  %s\n", width, output->lines[i].name, output->lines[i].value);
}

void output_flush(struct output *output)
{
    if (output->is_json) {
        json_dumpf(output->object, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        print_lines(output);
    }
    fflush(stdout);
    output_drop(output);
}

void output_drop(struct output *output)
{
    json_decref(output->object);
    output->object = NULL;
    output->line_count = 0;
}
