#include "refusal.h"

#include <stdio.h>
#include <string.h>

enum { HOLD_MS_DEFAULT = 15 * 60 * 1000 }; /* what a hold time of 0 means */

/* ---- names ---- */

/* As it is written: "--hold-time" among options, "hold_time" in a file's header line. */
static void format_name(enum command command, enum cli_option option, char name_out[32])
{
    if (command != COMMAND_ITEM_IMPORT) {
        snprintf(name_out, 32, "--%s", option_name(option));
        return;
    }
    snprintf(name_out, 32, "%s", option_name(option));
    for (char *c = name_out; *c; c++) {
        if (*c == '-')
            *c = '_';
    }
}

/* ---- fields that are out of range ---- */

static const struct {
    enum cli_option option;
    const char *rule;
} fields[] = {
    [HF_FIELD_ITEM_ID] = {OPTION_ITEM, "must not be 0"},
    [HF_FIELD_RESERVATION_ID] = {OPTION_ID, "must not be 0"},
    [HF_FIELD_BUYER_ID] = {OPTION_BUYER, "is out of range"},
    [HF_FIELD_QUANTITY] = {OPTION_QUANTITY, "must be 1 to 1,000,000"},
    [HF_FIELD_HOLD_MS] = {OPTION_HOLD_TIME, "must be at most 30d"},
    [HF_FIELD_EXPIRES_MS] = {OPTION_UNTIL, "must be at most 30d from now"},
    [HF_FIELD_STOCK] = {OPTION_STOCK, "must be at most 281,474,976,710,656, or unlimited"},
    [HF_FIELD_BUYER_LIMIT] = {OPTION_BUYER_LIMIT, "is out of range"},
    [HF_FIELD_HOLD_CAP] = {OPTION_HOLD_CAP, "is out of range"},
    [HF_FIELD_OPENS_AT_MS] = {OPTION_OPENS_AT, "must be before the sale closes"},
    [HF_FIELD_CLOSES_AT_MS] = {OPTION_CLOSES_AT, "must be after the sale opens"},
    [HF_FIELD_SKU] = {OPTION_SKU, "must be at most 64 bytes"},
};

enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static void format_invalid(const struct refusal *refusal, char text_out[REFUSAL_TEXT_BYTES])
{
    int field = (int)refusal->invalid_field;
    if (field <= 0 || field >= FIELD_COUNT) {
        snprintf(text_out, REFUSAL_TEXT_BYTES, "%s", hf_result_text(refusal->result));
        return;
    }
    char name[32];
    format_name(refusal->command, fields[field].option, name);
    const char *rule = fields[field].rule;
    if (refusal->command == COMMAND_CONFIRM && field == HF_FIELD_QUANTITY)
        rule = "must be at most what is held";
    snprintf(text_out, REFUSAL_TEXT_BYTES, "%s %s", name, rule);
}

/* ---- items with other settings ---- */

static uint32_t bit_if(bool differs, enum cli_option option)
{
    return differs ? 1u << option : 0;
}

static uint64_t hold_ms_of(const hf_item_settings *settings)
{
    return settings->hold_ms == 0 ? HOLD_MS_DEFAULT : settings->hold_ms;
}

uint32_t refusal_differences(const hf_item_settings *wanted, const hf_item_settings *present)
{
    return bit_if(strcmp(wanted->sku, present->sku) != 0, OPTION_SKU) |
           bit_if(wanted->stock != present->stock, OPTION_STOCK) |
           bit_if(wanted->buyer_limit != present->buyer_limit, OPTION_BUYER_LIMIT) |
           bit_if(wanted->hold_cap != present->hold_cap, OPTION_HOLD_CAP) |
           bit_if(hold_ms_of(wanted) != hold_ms_of(present), OPTION_HOLD_TIME) |
           bit_if(wanted->opens_at_ms != present->opens_at_ms, OPTION_OPENS_AT) |
           bit_if(wanted->closes_at_ms != present->closes_at_ms, OPTION_CLOSES_AT) |
           bit_if(wanted->paused != present->paused, OPTION_PAUSED);
}

static void format_differences(const struct refusal *refusal, char text_out[REFUSAL_TEXT_BYTES])
{
    size_t length =
        (size_t)snprintf(text_out, REFUSAL_TEXT_BYTES, "%s", "the item exists with other settings");
    const char *between = ": ";
    for (enum cli_option option = 0; option < OPTION_COUNT; option++) {
        if ((refusal->differences & 1u << option) == 0)
            continue;
        char name[32];
        format_name(refusal->command, option, name);
        length +=
            (size_t)snprintf(text_out + length, REFUSAL_TEXT_BYTES - length, "%s%s", between, name);
        between = ", ";
    }
}

/* ---- snapshots ---- */

static void format_snapshot(hf_result result, char text_out[REFUSAL_TEXT_BYTES])
{
    if (result == HF_RESULT_READ_ONLY)
        snprintf(text_out, REFUSAL_TEXT_BYTES,
                 "the server's disk has no room for it or fails, or the server keeps nothing on "
                 "disk (--durability off): its own log says which; make room, see to the disk or "
                 "start it otherwise, and try again");
    else if (result == HF_RESULT_UNKNOWN_SNAPSHOT)
        snprintf(text_out, REFUSAL_TEXT_BYTES,
                 "newer ones have replaced it meanwhile: run the backup again; if that does not "
                 "help, give the server a longer --snapshot-every and --snapshot-after");
    else
        snprintf(text_out, REFUSAL_TEXT_BYTES, "%s", hf_result_text(result));
}

void refusal_format(const struct refusal *refusal, char text_out[REFUSAL_TEXT_BYTES])
{
    bool creates =
        refusal->command == COMMAND_ITEM_CREATE || refusal->command == COMMAND_ITEM_IMPORT;
    if (refusal->command == COMMAND_SNAPSHOT || refusal->command == COMMAND_BACKUP)
        format_snapshot(refusal->result, text_out);
    else if (refusal->result == HF_RESULT_INVALID)
        format_invalid(refusal, text_out);
    else if (creates && refusal->result == HF_RESULT_ID_CONFLICT)
        format_differences(refusal, text_out);
    else if (creates && refusal->result == HF_RESULT_CAPACITY)
        snprintf(text_out, REFUSAL_TEXT_BYTES,
                 "the server has as many items as its --max-items allows");
    else if (refusal->command == COMMAND_ITEM_UPDATE && refusal->result == HF_RESULT_INSUFFICIENT)
        snprintf(text_out, REFUSAL_TEXT_BYTES, "--stock is below what is held and sold");
    else
        snprintf(text_out, REFUSAL_TEXT_BYTES, "%s", hf_result_text(refusal->result));
}
