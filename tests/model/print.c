#include "print.h"

#include "save.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *op_name(enum stock_op op)
{
    static const char *const names[] = {"RESERVE", "CONFIRM", "CANCEL", "EXTEND", "GET"};
    return names[op];
}

/* ---- a line ---- */

static void line_field(FILE *to, const char *name, uint64_t value)
{
    if (value != 0)
        fprintf(to, " %s %" PRIu64, name, value);
}

static void line_settings(FILE *to, const struct stock_item_settings *settings)
{
    fprintf(to, " item %" PRIu64 " stock %" PRIi64, settings->item_id, settings->stock);
    line_field(to, "buyer_limit", settings->buyer_limit);
    line_field(to, "hold_cap", settings->hold_cap);
    line_field(to, "hold_ms", settings->hold_ms);
    line_field(to, "opens_at_ms", settings->opens_at_ms);
    line_field(to, "closes_at_ms", settings->closes_at_ms);
    line_field(to, "sku_bytes", settings->sku_bytes);
    if (settings->paused)
        fputs(" paused", to);
}

static void line_record(FILE *to, const struct stock_record *record)
{
    fprintf(to, "%s at %" PRIu64, stock_record_type_name(record->type), record->time_ms);
    if (record->type <= STOCK_RECORD_ITEM_UPDATED) {
        line_settings(to, &record->item);
        return;
    }
    const struct stock_hold_event *hold = &record->hold;
    fprintf(to, " item %" PRIu64 " id %" PRIu64 ":%" PRIu64, hold->item_id,
            hold->reservation_id.high, hold->reservation_id.low);
    line_field(to, "buyer", hold->buyer_id);
    line_field(to, "sequence", hold->sequence);
    line_field(to, "expires_ms", hold->expires_ms);
    line_field(to, "user_data", hold->user_data);
    line_field(to, "quantity", hold->quantity);
    line_field(to, "confirmed", hold->quantity_confirmed);
}

static void line_request(FILE *to, const struct stock_request *request)
{
    fprintf(to, "%s item %" PRIu64 " id %" PRIu64 ":%" PRIu64, op_name(request->op),
            request->item_id, request->reservation_id.high, request->reservation_id.low);
    line_field(to, "buyer", request->buyer_id);
    line_field(to, "quantity", request->quantity);
    line_field(to, "hold_ms", request->hold_ms);
    line_field(to, "expires_ms", request->expires_ms);
    line_field(to, "user_data", request->user_data);
}

void print_op(FILE *to, const struct op *op)
{
    switch (op->kind) {
    case OP_ASK:
        line_request(to, &op->request);
        break;
    case OP_CREATE:
        fputs("CREATE", to);
        line_settings(to, &op->settings);
        break;
    case OP_UPDATE:
        fprintf(to, "UPDATE mask 0x%" PRIx32, op->update_mask);
        line_settings(to, &op->settings);
        break;
    case OP_DUE:
        fputs("DUE", to);
        break;
    case OP_OFFER:
        fputs("OFFER ", to);
        line_record(to, &op->record);
        break;
    case OP_TIME:
        fprintf(to, "TIME %" PRIu64 " ms", op->advance_ms);
        break;
    case OP_SAVE:
        fprintf(to, "SAVE pages of %" PRIu32 " bytes", op->bytes);
        break;
    case OP_STEP:
        fprintf(to, "STEP %" PRIu32 " bytes", op->bytes);
        break;
    case OP_ABANDON:
        fputs("ABANDON", to);
        break;
    case OP_RESTART:
        fputs("RESTART", to);
        break;
    default:
        fprintf(to, "SPOIL seed %" PRIu64, op->seed);
        break;
    }
}

void print_outcome(FILE *to, const struct run *run, const struct op *op)
{
    const struct stock_reply *reply = &run->reply;
    if (reply->code != 0) {
        fprintf(to, " -> %s", stock_code_name(reply->code));
        line_field(to, "field", reply->invalid_field);
        line_field(to, "state", reply->state);
        line_field(to, "sequence", reply->sequence);
        line_field(to, "expires_ms", reply->expires_ms);
        fprintf(to, " available %" PRIi64, reply->available);
    } else if (op->kind == OP_OFFER) {
        fputs(run->record.type != STOCK_RECORD_NONE ? " -> committed" : " -> not committed", to);
    }
    if (run->record.type != STOCK_RECORD_NONE && op->kind != OP_OFFER) {
        fputs("; ", to);
        line_record(to, &run->record);
    }
}

/* ---- a test: values ---- */

static void test_field(FILE *to, const char *name, uint64_t value)
{
    if (value != 0)
        fprintf(to, ", .%s = %" PRIu64 "u", name, value);
}

static void test_id(FILE *to, struct id128 id)
{
    fprintf(to, ",\n        .reservation_id = {%" PRIu64 "u, %" PRIu64 "u}", id.high, id.low);
}

/* With what stands behind its end. */
static uint32_t sku_length(const struct stock_item_settings *settings)
{
    uint32_t length = STOCK_SKU_BYTES_MAX;
    while (length > 0 && settings->sku[length - 1] == '\0')
        length--;
    return length;
}

static void test_settings(FILE *to, const struct stock_item_settings *settings)
{
    fprintf(to, "{.item_id = %" PRIu64 "u,\n        .stock = ", settings->item_id);
    if (settings->stock == INT64_MIN)
        fputs("INT64_MIN", to);
    else
        fprintf(to, "%" PRIi64, settings->stock);
    test_field(to, "buyer_limit", settings->buyer_limit);
    test_field(to, "hold_cap", settings->hold_cap);
    test_field(to, "hold_ms", settings->hold_ms);
    test_field(to, "opens_at_ms", settings->opens_at_ms);
    test_field(to, "closes_at_ms", settings->closes_at_ms);
    if (settings->paused)
        fputs(", .paused = true", to);
    test_field(to, "sku_bytes", settings->sku_bytes);
    uint32_t length = sku_length(settings);
    for (uint32_t i = 0; i < length; i++)
        fprintf(to, "%s%d", i == 0 ? ",\n        .sku = {" : ", ", settings->sku[i]);
    if (length > 0)
        fputs("}", to);
    fputs("}", to);
}

static void test_request(FILE *to, const struct stock_request *request)
{
    fprintf(to, "{.op = STOCK_OP_%s, .item_id = %" PRIu64 "u", op_name(request->op),
            request->item_id);
    test_id(to, request->reservation_id);
    test_field(to, "buyer_id", request->buyer_id);
    test_field(to, "quantity", request->quantity);
    test_field(to, "hold_ms", request->hold_ms);
    test_field(to, "expires_ms", request->expires_ms);
    test_field(to, "user_data", request->user_data);
    fputs("}", to);
}

static void test_record(FILE *to, const struct stock_record *record)
{
    fprintf(to, "{.type = STOCK_RECORD_%s, .time_ms = %" PRIu64 "u",
            stock_record_type_name(record->type), record->time_ms);
    if (record->type <= STOCK_RECORD_ITEM_UPDATED) {
        fputs(",\n        .item = ", to);
        test_settings(to, &record->item);
    } else {
        const struct stock_hold_event *hold = &record->hold;
        fprintf(to, ",\n        .hold = {.item_id = %" PRIu64 "u", hold->item_id);
        test_id(to, hold->reservation_id);
        test_field(to, "buyer_id", hold->buyer_id);
        test_field(to, "sequence", hold->sequence);
        test_field(to, "expires_ms", hold->expires_ms);
        test_field(to, "user_data", hold->user_data);
        test_field(to, "quantity", hold->quantity);
        test_field(to, "quantity_confirmed", hold->quantity_confirmed);
        fputs("}", to);
    }
    fputs("}", to);
}

static void test_tables(FILE *to, const struct stock_options *tables)
{
    fprintf(to,
            "(struct stock_options){.item_count_max = "
            "%" PRIu32 "u,\n        .reservation_count_max = %" PRIu32 "u, .buyer_count_max = "
            "%" PRIu32 "u,\n        .retention_ms = %" PRIu64 "u, .hash_key = %" PRIu64 "u}",
            tables->item_count_max, tables->reservation_count_max, tables->buyer_count_max,
            tables->retention_ms, tables->hash_key);
}

/* ---- a test: steps ---- */

/* The model alone does the operations: the engine may die of them. */
struct telling {
    FILE *to;
    const struct stock_options *tables;
    struct stock_model *model;
    struct stock_model *moment; /* of the last save, or NULL; and what was committed since */
    struct stock_record *records;
    uint64_t record_count;
    uint64_t now_ms;
    struct stock_reply reply;
    struct stock_record record;
};

static void tell_code(const struct telling *telling)
{
    fprintf(telling->to, "),\n        STOCK_%s);\n", stock_code_name(telling->reply.code));
}

static void tell_ask(struct telling *telling, const struct op *op)
{
    stock_model_decide(telling->model, &op->request, telling->now_ms, &telling->reply,
                       &telling->record);
    fputs("    cr_expect_eq(shop_ask(&shop, (struct stock_request)", telling->to);
    test_request(telling->to, &op->request);
    tell_code(telling);
}

static void tell_create(struct telling *telling, const struct op *op)
{
    stock_model_decide_item_create(telling->model, &op->settings, telling->now_ms, &telling->reply,
                                   &telling->record);
    fputs("    cr_expect_eq(shop_create(&shop, (struct stock_item_settings)", telling->to);
    test_settings(telling->to, &op->settings);
    tell_code(telling);
}

static void tell_update(struct telling *telling, const struct op *op)
{
    stock_model_decide_item_update(telling->model, &op->settings, op->update_mask, telling->now_ms,
                                   &telling->reply, &telling->record);
    fputs("    cr_expect_eq(shop_update(&shop, (struct stock_item_settings)", telling->to);
    test_settings(telling->to, &op->settings);
    fprintf(telling->to, ",\n        0x%" PRIx32, op->update_mask);
    tell_code(telling);
}

static void tell_due(struct telling *telling)
{
    bool is_due = stock_model_decide_due(telling->model, telling->now_ms, &telling->record);
    fprintf(telling->to, "    cr_expect_eq(shop_due(&shop), %s);\n", is_due ? "true" : "false");
}

static void tell_offer(struct telling *telling, const struct op *op)
{
    bool is_legal = stock_model_check(telling->model, &op->record) == NULL;
    if (is_legal && op->record.time_ms == telling->now_ms)
        telling->record = op->record;
    fputs("    cr_expect_eq(shop_offer(&shop, (struct stock_record)", telling->to);
    test_record(telling->to, &op->record);
    fprintf(telling->to, "),\n        %s);\n", is_legal ? "true" : "false");
}

static void tell_time(struct telling *telling, const struct op *op)
{
    uint64_t rest_ms = STOCK_TIME_MS_MAX - telling->now_ms;
    uint64_t advance_ms = op->advance_ms < rest_ms ? op->advance_ms : rest_ms;
    telling->now_ms += advance_ms;
    fprintf(telling->to, "    shop.now_ms += %" PRIu64 "u;\n", advance_ms);
}

static void forget_save(struct telling *telling)
{
    stock_model_destroy(&telling->moment);
    free(telling->records);
    telling->records = NULL;
    telling->record_count = 0;
}

/* The same without the engine: what was saved, and what came since. */
static void tell_restart(struct telling *telling)
{
    const struct stock_wanted everything = {.is_wanted = NULL};
    struct stock_model_snapshot snapshot;
    if (telling->moment == NULL)
        telling->moment = stock_model_copy(telling->model);
    stock_model_save(telling->moment, &snapshot);
    stock_model_clear(telling->model);
    stock_model_load(telling->model, &snapshot, everything);
    for (uint64_t i = 0; i < telling->record_count; i++)
        stock_model_apply(telling->model, &telling->records[i]);
    stock_model_load_end(telling->model);
    stock_model_snapshot_free(&snapshot);
    fputs("    shop_restart(&shop);\n", telling->to);
}

static void tell_spoil(const struct telling *telling, uint64_t seed)
{
    struct save_spoilt spoilt;
    FILE *to = telling->to;
    save_spoil_snapshot(telling->model, telling->tables, seed, &spoilt);
    const struct stock_saved *saved = &spoilt.snapshot.saved;
    const struct stock_wanted wanted = {save_is_of_part, &spoilt.part};
    struct stock_model *model = stock_model_create(&spoilt.tables);
    const char *problem = stock_model_load(model, &spoilt.snapshot, wanted);
    fputs("    {\n        static uint8_t bytes[] = {", to);
    for (size_t i = 0; i < spoilt.snapshot.bytes_count; i++)
        fprintf(to, "%s%u,", i % 20 == 0 ? "\n            " : " ", spoilt.snapshot.bytes[i]);
    fprintf(to, "\n            0};\n        const char *text = shop_refuses(");
    test_tables(to, &spoilt.tables);
    fprintf(to,
            ",\n            (struct shop_part){%" PRIu64 "u, %" PRIu64
            "u},\n            (struct shop_bytes){bytes, %zu, %" PRIu32 "u},\n"
            "            (struct stock_saved){%" PRIu64 "u, %" PRIu64 "u, %" PRIu64 "u, 0x%" PRIx64
            "u, %" PRIu64 "u});\n",
            spoilt.part.divisor, spoilt.part.rest, spoilt.snapshot.bytes_count,
            (uint32_t)spoilt.snapshot.entry_count, saved->item_count, saved->buyer_count,
            saved->reservation_count, saved->state_hash, saved->time_ms);
    if (problem == NULL || problem == stock_model_full)
        fprintf(to, "        cr_expect_str_eq(text, \"%s\");\n    }\n",
                problem == NULL ? "" : "full");
    else
        fputs("        cr_expect(text[0] != '\\0' && strcmp(text, \"full\") != 0);\n    }\n", to);
    stock_model_destroy(&model);
    stock_model_snapshot_free(&spoilt.snapshot);
}

/* What is committed after a save has begun is replayed at a restart. */
static void note_record(struct telling *telling)
{
    if (telling->moment == NULL)
        return;
    if (telling->record_count % 64 == 0) {
        telling->records =
            realloc(telling->records, (telling->record_count + 64) * sizeof telling->records[0]);
        assert(telling->records != NULL);
    }
    telling->records[telling->record_count++] = telling->record;
}

static void tell_op(struct telling *telling, const struct op *op)
{
    telling->record.type = STOCK_RECORD_NONE;
    memset(&telling->reply, 0, sizeof telling->reply);
    switch (op->kind) {
    case OP_ASK:
        tell_ask(telling, op);
        break;
    case OP_CREATE:
        tell_create(telling, op);
        break;
    case OP_UPDATE:
        tell_update(telling, op);
        break;
    case OP_DUE:
        tell_due(telling);
        break;
    case OP_OFFER:
        tell_offer(telling, op);
        break;
    case OP_TIME:
        tell_time(telling, op);
        break;
    case OP_SAVE:
        forget_save(telling);
        telling->moment = stock_model_copy(telling->model);
        fprintf(telling->to, "    shop_save(&shop, %" PRIu32 "u);\n", op->bytes);
        break;
    case OP_STEP:
        fprintf(telling->to, "    shop_save_step(&shop, %" PRIu32 "u);\n", op->bytes);
        break;
    case OP_ABANDON:
        forget_save(telling);
        fputs("    shop_save_abandon(&shop);\n", telling->to);
        break;
    case OP_RESTART:
        tell_restart(telling);
        break;
    default:
        tell_spoil(telling, op->seed);
        break;
    }
    if (telling->record.type == STOCK_RECORD_NONE)
        return;
    stock_model_apply(telling->model, &telling->record);
    note_record(telling);
}

/* ---- a test: what the model says in the end ---- */

static void expect(FILE *to, const char *expression, int64_t value)
{
    fprintf(to, "    cr_expect_eq(%s, %" PRIi64 ");\n", expression, value);
}

static void expect_reply(const struct telling *telling, const struct run_finding *finding)
{
    const struct stock_reply *reply = &telling->reply;
    FILE *to = telling->to;
    if (strcmp(finding->what, "seen_lsn") == 0)
        expect(to, "(int64_t)shop.reply.seen_lsn", (int64_t)finding->expected);
    expect(to, "shop.reply.state", reply->state);
    expect(to, "shop.reply.invalid_field", reply->invalid_field);
    expect(to, "shop.reply.quantity", reply->quantity);
    expect(to, "shop.reply.quantity_confirmed", reply->quantity_confirmed);
    expect(to, "(int64_t)shop.reply.sequence", (int64_t)reply->sequence);
    expect(to, "(int64_t)shop.reply.expires_ms", (int64_t)reply->expires_ms);
    expect(to, "shop.reply.available", reply->available);
    expect(to, "(int64_t)shop.reply.buyer_id", (int64_t)reply->buyer_id);
    expect(to, "(int64_t)shop.reply.user_data", (int64_t)reply->user_data);
    expect(to, "(int64_t)shop.reply.created_ms", (int64_t)reply->created_ms);
}

static void expect_record(const struct telling *telling)
{
    const struct stock_record *record = &telling->record;
    FILE *to = telling->to;
    fprintf(to, "    cr_expect_eq(shop.record.type, STOCK_RECORD_%s);\n",
            stock_record_type_name(record->type));
    if (record->type == STOCK_RECORD_NONE)
        return;
    fputs("    struct stock_record expected = (struct stock_record)", to);
    test_record(to, record);
    fputs(";\n"
          "    uint8_t expected_bytes[STOCK_RECORD_BYTES_MAX] = {0};\n"
          "    uint8_t bytes[STOCK_RECORD_BYTES_MAX] = {0};\n"
          "    stock_record_encode(&expected, expected_bytes);\n"
          "    stock_record_encode(&shop.record, bytes);\n"
          "    cr_expect_eq(memcmp(bytes, expected_bytes, sizeof bytes), 0);\n",
          to);
}

static void expect_item(const struct telling *telling, uint64_t item_id)
{
    struct stock_item_view view;
    if (!stock_model_item_find(telling->model, item_id, &view))
        return;
    FILE *to = telling->to;
    fprintf(to,
            "    struct stock_item_view view;\n"
            "    cr_assert(stock_item_find(shop.stock, %" PRIu64 "u, &view));\n",
            item_id);
    expect(to, "view.settings.stock", view.settings.stock);
    expect(to, "view.available", view.available);
    expect(to, "(int64_t)view.held", (int64_t)view.held);
    expect(to, "(int64_t)view.sold", (int64_t)view.sold);
    expect(to, "(int64_t)view.next_sequence", (int64_t)view.next_sequence);
    expect(to, "(int64_t)view.created_ms", (int64_t)view.created_ms);
}

static void expect_counts(const struct telling *telling)
{
    struct stock_counts counts = stock_model_counts(telling->model);
    FILE *to = telling->to;
    fputs("    struct stock_counts counts = stock_counts(shop.stock);\n", to);
    expect(to, "(int64_t)counts.items", (int64_t)counts.items);
    expect(to, "(int64_t)counts.reservations", (int64_t)counts.reservations);
    expect(to, "(int64_t)counts.held", (int64_t)counts.held);
    expect(to, "(int64_t)counts.confirmed", (int64_t)counts.confirmed);
    expect(to, "(int64_t)counts.cancelled", (int64_t)counts.cancelled);
    expect(to, "(int64_t)counts.expired", (int64_t)counts.expired);
    expect(to, "(int64_t)counts.buyers", (int64_t)counts.buyers);
    expect(to, "(int64_t)counts.units_held", (int64_t)counts.units_held);
    expect(to, "(int64_t)counts.units_sold", (int64_t)counts.units_sold);
}

static void expect_end(const struct telling *telling, const struct run_finding *finding)
{
    const char *check = finding->check;
    FILE *to = telling->to;
    if (strcmp(check, "reply") == 0)
        expect_reply(telling, finding);
    else if (strcmp(check, "record") == 0)
        expect_record(telling);
    else if (strcmp(check, "item") == 0 || strcmp(check, "conservation") == 0)
        expect_item(telling, finding->item_id);
    else if (strcmp(check, "counts") == 0)
        expect_counts(telling);
    else if (strcmp(check, "due") == 0)
        fprintf(to, "    cr_expect_eq(stock_next_due_ms(shop.stock), %" PRIu64 "u);\n",
                stock_model_next_due_ms(telling->model));
    else if (strcmp(check, "hash") == 0)
        fprintf(to, "    cr_expect_eq(stock_hash(shop.stock), 0x%" PRIx64 "u);\n",
                stock_model_hash(telling->model));
    else if (strcmp(check, "logs") == 0)
        fputs("    /* It shows when the records of different items are in different logs. */\n",
              to);
}

/* ---- a test ---- */

void print_test(FILE *to, uint64_t seed, const struct run_options *options, const struct op *ops,
                uint64_t op_count, const struct run_finding *finding)
{
    struct telling telling = {
        .to = to,
        .tables = &options->tables,
        .model = stock_model_create(&options->tables),
        .now_ms = options->start_ms,
    };
    fprintf(to,
            "#include \"shop.h\"\n\n"
            "/* Seed %" PRIu64 " of tests/model. %s: %s. */\n\n"
            "Test(found, seed_%" PRIu64 ")\n{\n"
            "    struct shop shop = shop_open_with(",
            seed, finding->check, finding->text, seed);
    test_tables(to, &options->tables);
    fprintf(to, ");\n    shop.now_ms = %" PRIu64 "u;\n", options->start_ms);
    for (uint64_t i = 0; i < op_count; i++)
        tell_op(&telling, &ops[i]);
    expect_end(&telling, finding);
    fputs("    shop_close(&shop);\n}\n", to);
    forget_save(&telling);
    stock_model_destroy(&telling.model);
}
