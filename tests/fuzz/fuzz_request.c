/* Requests to the state: rows as they come in frames, and items, against a small state.
 *
 * The first byte says how large the tables are. Then commands of one byte and what they need:
 *
 *      0 - 4   one row: reserve, confirm, cancel, extend, get
 *      5       the same, with fields of any size
 *      6       a batch that is made from the tape (message_tools.h), encoded and decoded
 *      7       a body of any bytes: frame type, length, bytes
 *      8       an item is created
 *      9       an item is changed
 *      10      time goes on
 *      11      what is due is done
 *      12      everything is checked
 *
 * Promises: stock_twins.h. Each answer and each record is the model's, the records can be replayed,
 * what an item has adds up after each, and in the end every hold ends and every id is forgotten. */

#include "message_tools.h"
#include "stock_twins.h"

enum {
    COMMAND_ANY_ROW = 5,
    COMMAND_BATCH,
    COMMAND_BODY,
    COMMAND_CREATE,
    COMMAND_UPDATE,
    COMMAND_TIME,
    COMMAND_DUE,
    COMMAND_CHECK,
    COMMAND_COUNT,
    ROW_COUNT_MAX = 32,
    ARENA_BYTES = 1 << 16,
};

/* ---- rows from the tape ---- */

static uint64_t hold_time(uint8_t choice)
{
    static const uint64_t hold_times_ms[] = {0, 1, 1000, STOCK_HOLD_MS_MAX};
    return hold_times_ms[choice % 4];
}

/* Names and quantities from a few, so that rows meet. */
static void small_row(struct fuzz_tape *tape, uint64_t now_ms, struct stock_request *row)
{
    uint8_t names = fuzz_take_u8(tape);
    uint8_t amounts = fuzz_take_u8(tape);
    row->item_id = 1 + names % 4;
    row->reservation_id.low = 1 + names / 4 % 16;
    row->buyer_id = names / 64;
    row->quantity = amounts % 8;
    row->hold_ms = hold_time(amounts / 8);
    row->expires_ms = now_ms + (amounts / 32) * 500u;
    row->user_data = row->reservation_id.low * 3;
}

static void any_row(struct fuzz_tape *tape, uint64_t now_ms, struct stock_request *row)
{
    row->item_id = fuzz_take_number(tape);
    row->reservation_id.high = fuzz_take_number(tape);
    row->reservation_id.low = fuzz_take_number(tape);
    row->buyer_id = fuzz_take_number(tape);
    row->user_data = fuzz_take_number(tape);
    row->expires_ms = now_ms + fuzz_take_number(tape) * 100;
    row->hold_ms = fuzz_take_number(tape) * 100;
    row->quantity = (uint32_t)fuzz_take_number(tape);
}

/* ---- rows from messages ---- */

static const uint8_t hot_types[] = {FRAME_RESERVE,       FRAME_CONFIRM,      FRAME_CANCEL,
                                    FRAME_EXTEND,        FRAME_GET,          FRAME_RESERVE_BATCH,
                                    FRAME_CONFIRM_BATCH, FRAME_CANCEL_BATCH, FRAME_EXTEND_BATCH,
                                    FRAME_GET_BATCH};
enum { HOT_TYPE_COUNT = sizeof hot_types, OP_COUNT = HOT_TYPE_COUNT / 2 };

static uint32_t value_bytes(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_FIXED64 ? 8 : 4;
}

/* The value of a field, by its name, for one row; false when its column has the wrong length. 0
 * when the message has no such field. */
static bool value_of(const ProtobufCMessage *message, const char *name, uint32_t row,
                     uint32_t row_count, uint64_t *value_out)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    *value_out = 0;
    if (field == NULL)
        return true;
    const uint8_t *at = (const uint8_t *)message + field->offset;
    size_t count = 1;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, (const uint8_t *)message + field->quantifier_offset, sizeof count);
        const uint8_t *elements;
        memcpy(&elements, at, sizeof elements);
        at = elements;
    }
    if (count != row_count && count > 1)
        return false;
    if (count > 0)
        memcpy(value_out, at + (count > 1 ? row : 0) * value_bytes(field), value_bytes(field));
    return true;
}

static bool row_of(const ProtobufCMessage *message, uint32_t index, uint32_t row_count,
                   struct stock_request *row)
{
    uint64_t quantity;
    bool fits = value_of(message, "item_id", index, row_count, &row->item_id);
    fits &= value_of(message, "reservation_id_high", index, row_count, &row->reservation_id.high);
    fits &= value_of(message, "reservation_id_low", index, row_count, &row->reservation_id.low);
    fits &= value_of(message, "buyer_id", index, row_count, &row->buyer_id);
    fits &= value_of(message, "user_data", index, row_count, &row->user_data);
    fits &= value_of(message, "expires_ms", index, row_count, &row->expires_ms);
    fits &= value_of(message, "hold_ms", index, row_count, &row->hold_ms);
    fits &= value_of(message, "quantity", index, row_count, &quantity);
    row->quantity = (uint32_t)quantity;
    return fits;
}

static uint32_t row_count_of(const ProtobufCMessage *message)
{
    uint64_t row_count;
    if (protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "row_count") == NULL)
        return 1;
    (void)value_of(message, "row_count", 0, 1, &row_count);
    return (uint32_t)row_count;
}

/* Runs the rows of a message, unless the server would refuse the frame. */
static void run_message(struct twins *twins, uint8_t op, const ProtobufCMessage *message,
                        uint64_t now_ms)
{
    static struct stock_request rows[ROW_COUNT_MAX];
    uint32_t row_count = row_count_of(message);
    if (row_count == 0 || row_count > ROW_COUNT_MAX)
        return;
    memset(rows, 0, sizeof rows);
    for (uint32_t i = 0; i < row_count; i++) {
        rows[i].op = op;
        if (!row_of(message, i, row_count, &rows[i]))
            return;
    }
    twins_request(twins, rows, row_count, now_ms);
}

static void run_body(struct twins *twins, uint8_t choice, const uint8_t *body, size_t body_bytes,
                     uint64_t now_ms)
{
    static _Alignas(16) uint8_t memory[ARENA_BYTES];
    struct message_arena arena;
    const ProtobufCMessageDescriptor *descriptor = message_descriptor(hot_types[choice]);
    message_arena_init(&arena, memory, sizeof memory);
    const ProtobufCMessage *message = message_decode(&arena, descriptor, body, body_bytes);
    if (message != NULL)
        run_message(twins, choice % OP_COUNT, message, now_ms);
}

static void run_made(struct twins *twins, struct fuzz_tape *tape, uint64_t now_ms)
{
    static uint8_t body[1 << 16];
    uint8_t choice = fuzz_take_u8(tape) % HOT_TYPE_COUNT;
    uint32_t row_count = fuzz_take_u8(tape) % (ROW_COUNT_MAX + 1);
    const ProtobufCMessage *made =
        message_build(message_descriptor(hot_types[choice]), tape, row_count);
    hf_assert(protobuf_c_message_get_packed_size(made) <= sizeof body);
    run_body(twins, choice, body, protobuf_c_message_pack(made, body), now_ms);
}

static void run_raw(struct twins *twins, struct fuzz_tape *tape, uint64_t now_ms)
{
    size_t body_bytes;
    uint8_t choice = fuzz_take_u8(tape) % HOT_TYPE_COUNT;
    size_t body_bytes_max = fuzz_take_u8(tape);
    const uint8_t *body = fuzz_take_bytes(tape, body_bytes_max, &body_bytes);
    run_body(twins, choice, body, body_bytes, now_ms);
}

/* ---- items ---- */

/* A mask says which settings are not the usual ones. */
static void take_settings(struct fuzz_tape *tape, uint64_t now_ms,
                          struct stock_item_settings *settings)
{
    uint8_t names = fuzz_take_u8(tape);
    uint8_t odd = fuzz_take_u8(tape);
    *settings = (struct stock_item_settings){
        .item_id = 1 + names % 4, .stock = 5, .hold_ms = 1000, .sku_bytes = names / 4 % 4};
    memcpy(settings->sku, "abc", settings->sku_bytes);
    if (odd & 1)
        settings->stock = (int64_t)fuzz_take_number(tape);
    if (odd & 2)
        settings->buyer_limit = (uint32_t)fuzz_take_number(tape);
    if (odd & 4)
        settings->hold_cap = (uint32_t)fuzz_take_number(tape);
    if (odd & 8)
        settings->hold_ms = fuzz_take_number(tape);
    if (odd & 16)
        settings->opens_at_ms = now_ms + fuzz_take_number(tape) * 100;
    if (odd & 32)
        settings->closes_at_ms = now_ms + fuzz_take_number(tape) * 100;
    settings->paused = odd & 64;
    if (odd & 128) {
        size_t bytes;
        const uint8_t *sku = fuzz_take_bytes(tape, fuzz_take_u8(tape) % 72, &bytes);
        memcpy(settings->sku, sku, bytes < STOCK_SKU_BYTES_MAX ? bytes : STOCK_SKU_BYTES_MAX);
        settings->sku_bytes = (uint8_t)bytes;
        if (names & 64)
            settings->item_id = fuzz_take_number(tape);
    }
}

/* ---- all ---- */

static void run_row(struct twins *twins, struct fuzz_tape *tape, uint8_t command, uint64_t now_ms)
{
    struct stock_request row = {.op = command};
    if (command == COMMAND_ANY_ROW) {
        row.op = fuzz_take_u8(tape) % OP_COUNT;
        any_row(tape, now_ms, &row);
    } else {
        small_row(tape, now_ms, &row);
    }
    twins_request(twins, &row, 1, now_ms);
}

static void run_command(struct twins *twins, struct fuzz_tape *tape, uint64_t *now_ms)
{
    struct stock_item_settings settings;
    uint8_t command = fuzz_take_u8(tape) % COMMAND_COUNT;
    switch (command) {
    case COMMAND_BATCH:
        run_made(twins, tape, *now_ms);
        break;
    case COMMAND_BODY:
        run_raw(twins, tape, *now_ms);
        break;
    case COMMAND_CREATE:
        take_settings(tape, *now_ms, &settings);
        twins_item_create(twins, &settings, *now_ms);
        break;
    case COMMAND_UPDATE: {
        uint8_t mask = fuzz_take_u8(tape) & STOCK_UPDATE_ALL;
        take_settings(tape, *now_ms, &settings);
        twins_item_update(twins, &settings, mask, *now_ms);
        break;
    }
    case COMMAND_TIME:
        *now_ms += 50 * fuzz_take_number(tape) % (1ull << 36);
        break;
    case COMMAND_DUE:
        twins_due(twins, *now_ms, 1 + fuzz_take_u8(tape) % 8);
        break;
    case COMMAND_CHECK:
        twins_check(twins);
        break;
    default:
        run_row(twins, tape, command, *now_ms);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct twins twins;
    uint64_t now_ms = 1700000000000;
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    twins_open(&twins, fuzz_take_u8(&tape));
    while (fuzz_left(&tape) > 0)
        run_command(&twins, &tape, &now_ms);
    if (data_bytes % 4 == 0)
        twins_check(&twins);
    twins_drain(&twins);
    if (data_bytes % 4 == 1)
        twins_check(&twins);
    twins_close(&twins);
    return 0;
}
