#include "commands.h"

#include "entry_table.h"
#include "json.h"
#include "state.h"
#include "summary.h"
#include "text.h"
#include "walk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The entries of the first state go into a table; those of the second one are looked up in it as
 * they come. So the two states are never in memory together. */

enum { NAMED_BY_DEFAULT = 20, KIND_COUNT = 3 };

struct side {
    const char *path;
    struct stock_counts counts;
    uint64_t hash;
};

/* Of items, buyers, reservations. */
struct difference_count {
    uint64_t only_first;
    uint64_t only_second;
    uint64_t different;
};

struct diffing {
    struct side sides[2];
    struct entry_table table; /* of the first state */
    struct difference_count counts[KIND_COUNT];
    uint64_t limit;
    uint64_t named_count;
    bool is_json;
    json_t *named; /* for JSON */
};

/* ---- fields ---- */

struct fields {
    char text[1024];
    size_t bytes;
    json_t *json;
};

static void compare_text(struct fields *fields, const char *name, const char *first,
                         const char *second)
{
    if (strcmp(first, second) == 0)
        return;
    if (fields->json != NULL) {
        json_t *pair = json_new_array();
        json_append(pair, json_string(first));
        json_append(pair, json_string(second));
        json_add(fields->json, name, pair);
    }
    if (fields->bytes < sizeof fields->text)
        fields->bytes +=
            (size_t)snprintf(fields->text + fields->bytes, sizeof fields->text - fields->bytes,
                             "  %s %s -> %s", name, first, second);
}

static void compare_u64(struct fields *fields, const char *name, uint64_t first, uint64_t second)
{
    char a[24];
    char b[24];
    snprintf(a, sizeof a, "%" PRIu64, first);
    snprintf(b, sizeof b, "%" PRIu64, second);
    compare_text(fields, name, a, b);
}

static void compare_i64(struct fields *fields, const char *name, int64_t first, int64_t second)
{
    char a[24];
    char b[24];
    snprintf(a, sizeof a, "%" PRId64, first);
    snprintf(b, sizeof b, "%" PRId64, second);
    compare_text(fields, name, a, b);
}

static void compare_time(struct fields *fields, const char *name, uint64_t first, uint64_t second)
{
    char a[TEXT_TIME_BYTES];
    char b[TEXT_TIME_BYTES];
    compare_text(fields, name, text_time(first, a), text_time(second, b));
}

static void compare_sku(struct fields *fields, const struct stock_item_settings *a,
                        const struct stock_item_settings *b)
{
    char first[2 * STOCK_SKU_BYTES_MAX + 1];
    char second[2 * STOCK_SKU_BYTES_MAX + 1];
    compare_text(fields, "sku_hex", text_hex(a->sku, a->sku_bytes, first),
                 text_hex(b->sku, b->sku_bytes, second));
}

static void compare_items(struct fields *fields, const struct stock_item_entry *a,
                          const struct stock_item_entry *b)
{
    compare_sku(fields, &a->settings, &b->settings);
    compare_i64(fields, "stock", a->settings.stock, b->settings.stock);
    compare_u64(fields, "held", a->held, b->held);
    compare_u64(fields, "sold", a->sold, b->sold);
    compare_u64(fields, "next_sequence", a->next_sequence, b->next_sequence);
    compare_u64(fields, "buyer_limit", a->settings.buyer_limit, b->settings.buyer_limit);
    compare_u64(fields, "hold_cap", a->settings.hold_cap, b->settings.hold_cap);
    compare_u64(fields, "hold_ms", a->settings.hold_ms, b->settings.hold_ms);
    compare_time(fields, "opens_at", a->settings.opens_at_ms, b->settings.opens_at_ms);
    compare_time(fields, "closes_at", a->settings.closes_at_ms, b->settings.closes_at_ms);
    compare_text(fields, "paused", a->settings.paused ? "yes" : "no",
                 b->settings.paused ? "yes" : "no");
    compare_time(fields, "created", a->created_ms, b->created_ms);
}

static void compare_buyers(struct fields *fields, const struct stock_buyer_entry *a,
                           const struct stock_buyer_entry *b)
{
    compare_u64(fields, "units_held", a->units_held, b->units_held);
    compare_u64(fields, "units_sold", a->units_sold, b->units_sold);
    compare_u64(fields, "open_holds", a->open_holds, b->open_holds);
}

/* Not since when it is so: that is no part of the state's hash either. */
static void compare_reservations(struct fields *fields, const struct stock_reservation_entry *a,
                                 const struct stock_reservation_entry *b)
{
    compare_text(fields, "state", text_reservation_state(a->state),
                 text_reservation_state(b->state));
    compare_u64(fields, "buyer_id", a->hold.buyer_id, b->hold.buyer_id);
    compare_u64(fields, "quantity", a->hold.quantity, b->hold.quantity);
    compare_u64(fields, "quantity_confirmed", a->hold.quantity_confirmed,
                b->hold.quantity_confirmed);
    compare_u64(fields, "sequence", a->hold.sequence, b->hold.sequence);
    compare_u64(fields, "user_data", a->hold.user_data, b->hold.user_data);
    compare_time(fields, "created", a->created_ms, b->created_ms);
    compare_time(fields, "expires", a->hold.expires_ms, b->hold.expires_ms);
}

/* ---- differences ---- */

static uint32_t kind_of(const struct stock_entry *entry)
{
    return entry->type == STOCK_ENTRY_ITEM ? 0 : entry->type == STOCK_ENTRY_BUYER ? 1 : 2;
}

/* "item 7", "buyer 40 of item 7", "reservation 0000... of item 7". */
static void describe(const struct stock_entry *entry, char *to, size_t bytes)
{
    char id[TEXT_ID_BYTES];
    const uint64_t item_id = walk_item_id(entry);
    if (entry->type == STOCK_ENTRY_ITEM)
        snprintf(to, bytes, "item %" PRIu64, item_id);
    else if (entry->type == STOCK_ENTRY_BUYER)
        snprintf(to, bytes, "buyer %" PRIu64 " of item %" PRIu64, entry->buyer.buyer_id, item_id);
    else
        snprintf(to, bytes, "reservation %s of item %" PRIu64,
                 text_id(entry->reservation.hold.reservation_id, id), item_id);
}

/* Names one, while there is room. */
static void name(struct diffing *d, const struct stock_entry *entry, const char *where,
                 struct fields *fields)
{
    char what[128];
    if (d->named_count >= d->limit)
        return;
    d->named_count++;
    describe(entry, what, sizeof what);
    if (!d->is_json) {
        printf("%s: %s%s\n", what, where, fields->text);
        return;
    }
    json_t *object = json_new_object();
    json_add_text(object, "what", what);
    json_add_text(object, "where", where);
    if (fields->json != NULL)
        json_add(object, "fields", json_incref(fields->json));
    json_append(d->named, object);
}

static bool add_first(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                      uint32_t entry_bytes)
{
    struct diffing *d = context;
    entry_table_add(&d->table, entry, bytes, entry_bytes);
    return true;
}

static bool compare_second(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                           uint32_t entry_bytes)
{
    struct diffing *d = context;
    struct difference_count *count = &d->counts[kind_of(entry)];
    struct fields fields = {.bytes = 0};
    struct stock_entry first;
    (void)bytes;
    (void)entry_bytes;
    if (!entry_table_meet(&d->table, entry, &first)) {
        count->only_second++;
        name(d, entry, "only in the second", &fields);
        return true;
    }
    if (stock_entry_hash(&first) == stock_entry_hash(entry))
        return true;
    count->different++;
    fields.json = d->is_json ? json_new_object() : NULL;
    if (entry->type == STOCK_ENTRY_ITEM)
        compare_items(&fields, &first.item, &entry->item);
    else if (entry->type == STOCK_ENTRY_BUYER)
        compare_buyers(&fields, &first.buyer, &entry->buyer);
    else
        compare_reservations(&fields, &first.reservation, &entry->reservation);
    name(d, entry, "different:", &fields);
    json_decref(fields.json);
    return true;
}

static void name_only_first(struct diffing *d)
{
    struct stock_entry entry;
    struct fields fields = {.bytes = 0};
    for (size_t at = 0; entry_table_next_unmet(&d->table, &at, &entry);) {
        d->counts[kind_of(&entry)].only_first++;
        name(d, &entry, "only in the first", &fields);
    }
}

/* ---- the command ---- */

static enum exit_code read_side(struct diffing *d, struct side *side, walk_entry_fn entry)
{
    struct state state;
    enum exit_code code = state_build_end(side->path, &state);
    if (code == EXIT_GOOD) {
        side->counts = stock_counts(state.stock);
        side->hash = stock_hash(state.stock);
        if (walk_settle(state.stock))
            (void)walk_state(state.stock, entry, d);
        else
            code = EXIT_IO;
    }
    state_free(&state);
    return code;
}

static uint64_t difference_count(const struct diffing *d)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < KIND_COUNT; i++)
        sum += d->counts[i].only_first + d->counts[i].only_second + d->counts[i].different;
    return sum;
}

static const char *const kind_names[KIND_COUNT] = {"items", "buyers", "reservations"};

static void print_json(const struct diffing *d)
{
    json_t *object = json_new_object();
    json_t *states = json_new_array();
    for (uint32_t i = 0; i < 2; i++) {
        json_t *side = json_new_object();
        json_add_text(side, "directory", d->sides[i].path);
        json_add(side, "state", summary_json_counts(&d->sides[i].counts));
        json_add_hash(side, "state_hash", d->sides[i].hash);
        json_append(states, side);
    }
    json_add(object, "same", json_boolean(difference_count(d) == 0));
    json_add(object, "states", states);
    for (uint32_t i = 0; i < KIND_COUNT; i++) {
        json_t *counts = json_new_object();
        json_add_u64(counts, "only_first", d->counts[i].only_first);
        json_add_u64(counts, "only_second", d->counts[i].only_second);
        json_add_u64(counts, "different", d->counts[i].different);
        json_add(object, kind_names[i], counts);
    }
    json_add(object, "named", json_incref(d->named));
    json_print(object, stdout);
}

static void print(const struct diffing *d)
{
    const uint64_t count = difference_count(d);
    if (count > d->named_count)
        printf("%s%" PRIu64 " more differences (--limit)\n", d->named_count > 0 ? "and " : "",
               count - d->named_count);
    printf("%s%-16s%16s %16s %16s\n", count > 0 ? "\n" : "", "", "only in first", "only in second",
           "different");
    for (uint32_t i = 0; i < KIND_COUNT; i++)
        printf("%-16s%16" PRIu64 " %16" PRIu64 " %16" PRIu64 "\n", kind_names[i],
               d->counts[i].only_first, d->counts[i].only_second, d->counts[i].different);
    for (uint32_t i = 0; i < 2; i++)
        printf("%-16s%016" PRIx64 "  %" PRIu64 " items, %" PRIu64 " reservations  %s\n",
               "state hash", d->sides[i].hash, d->sides[i].counts.items,
               d->sides[i].counts.reservations, d->sides[i].path);
}

enum exit_code command_diff(const struct options *options)
{
    struct diffing d = {
        .sides = {{.path = options->path}, {.path = options->other_path}},
        .limit = options->has_limit ? options->limit : NAMED_BY_DEFAULT,
        .is_json = options->is_json,
        .named = json_new_array(),
    };
    enum exit_code code = read_side(&d, &d.sides[0], add_first);
    if (code == EXIT_GOOD)
        code = read_side(&d, &d.sides[1], compare_second);
    if (code == EXIT_GOOD) {
        name_only_first(&d);
        if (d.is_json)
            print_json(&d);
        else
            print(&d);
        code = difference_count(&d) == 0 ? EXIT_GOOD : EXIT_DIFFERENT;
    }
    entry_table_free(&d.table);
    json_decref(d.named);
    return code;
}
