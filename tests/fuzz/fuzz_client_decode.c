/* The client library and what a hostile server may send: client/src/decode.c.
 *
 *      0  what the client waits for: the type of its request
 *      1  how many rows it asked for; bit 7: the client is impatient (fail_fast)
 *      2  bits 0, 1: which of the calls have given up meanwhile; 2: they were sent before; 3: and
 *         may come late; 4: the reply is of another type, told by a byte; 5: the body is made from
 *         the tape (message_tools.h); 6: asked as Hello; 7: asked as an Error
 *      3  ...
 *
 * Promises:
 *   - A reply that is not what was asked for is refused as a whole: no call is answered.
 *   - One that is taken answers each call that still waits once, with what stands in its row, and
 *     leaves none: but for what a loading server has put off, which is queued once again.
 *   - What reaches the caller is in its range: an outcome, a result that is not "unspecified",
 *     texts that end, no more items than there is room for. */

#include "message_tools.h"

#include "client.h"

#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/snapshot.pb-c.h>

enum {
    CALL_COUNT_MAX = 32,
    ITEM_COUNT_MAX = 4,
    ARENA_BYTES = 1 << 16,
    BODY_BYTES_MAX = 1 << 14,
};

static hf_client client;
static struct connection connection;
static struct flight flight;
static struct call calls[CALL_COUNT_MAX];
static hf_item items[ITEM_COUNT_MAX + 1]; /* the last one is not the caller's */
static hf_item_cursor next;
static _Alignas(16) uint8_t arena_memory[ARENA_BYTES];

static const ProtobufCMessage *expected; /* what the body says, decoded apart; NULL: nothing */
static uint32_t answered_count;
static uint8_t piece_data[HF_SNAPSHOT_PIECE_BYTES + 1]; /* the last byte is not the caller's */

/* ---- answers ---- */

static void check_answer(const struct call *call, const struct call_answer *answer)
{
    hf_assert(answer->result != HF_RESULT_NONE);
    bool is_done = answer->result == HF_RESULT_OK || answer->result == HF_RESULT_DUPLICATE;
    hf_assert((answer->outcome == HF_APPLIED) == is_done);
    hf_assert(answer->outcome == HF_APPLIED || answer->outcome == HF_REFUSED ||
              (answer->outcome == HF_UNKNOWN && call->was_sent));
    hf_assert((answer->error != HF_ERROR_NONE) == (answer->outcome == HF_UNKNOWN));
    answered_count++;
}

#define CELL(message, column, row)                                                                 \
    ((message)->n_##column == 0 ? 0 : (message)->column[(message)->n_##column == 1 ? 0 : (row)])

static void check_row(const hf_reply *reply, const struct call *call)
{
    const Holdfast__V1__ReservationBatchResponse *batch = (const void *)expected;
    uint32_t row = call->row;
    if (expected->descriptor != &holdfast__v1__reservation_batch_response__descriptor)
        return;
    hf_assert((int)reply->result == (int)CELL(batch, result, row));
    hf_assert((int)reply->state == (int)CELL(batch, state, row));
    hf_assert(reply->quantity == CELL(batch, quantity, row));
    hf_assert(reply->quantity_confirmed == CELL(batch, quantity_confirmed, row));
    hf_assert(reply->sequence == CELL(batch, sequence, row));
    hf_assert(reply->expires_ms == CELL(batch, expires_ms, row));
    hf_assert(reply->available == CELL(batch, available, row));
    hf_assert(reply->buyer_id == CELL(batch, buyer_id, row));
    hf_assert(reply->user_data == CELL(batch, user_data, row));
    hf_assert(reply->created_ms == CELL(batch, created_ms, row));
}

static void on_row(const hf_reply *reply, void *context)
{
    const struct call_answer answer = {reply->outcome, reply->result, reply->error};
    check_answer(context, &answer);
    check_row(reply, context);
    hf_assert(reply->is_repeat == (reply->result == HF_RESULT_DUPLICATE));
}

static void check_item(const hf_item *item)
{
    hf_assert(memchr(item->settings.sku, '\0', sizeof item->settings.sku) != NULL);
}

static void on_item(const hf_item_reply *reply, void *context)
{
    const struct call_answer answer = {reply->outcome, reply->result, reply->error};
    check_answer(context, &answer);
    if (reply->has_item)
        check_item(&reply->item);
}

static void on_page(const hf_item_page *page, void *context)
{
    const struct call_answer answer = {page->outcome, page->result, page->error};
    check_answer(context, &answer);
    hf_assert(page->count <= ITEM_COUNT_MAX);
    for (uint32_t i = 0; i < page->count; i++)
        check_item(&items[i]);
}

static void on_ping(const hf_ping_reply *reply, void *context)
{
    const struct call_answer answer = {reply->outcome, reply->result, reply->error};
    check_answer(context, &answer);
}

static void on_stat(const hf_stat *stat, void *context)
{
    const struct call_answer answer = {stat->outcome, stat->result, stat->error};
    check_answer(context, &answer);
}

static void on_snapshot(const hf_core_snapshot *snapshot, void *context)
{
    const struct call_answer answer = {snapshot->outcome, snapshot->result, snapshot->error};
    check_answer(context, &answer);
}

static void on_piece(const hf_snapshot_piece *piece, void *context)
{
    const Holdfast__V1__SnapshotReadResponse *message = (const void *)expected;
    const struct call_answer answer = {piece->outcome, piece->result, piece->error};
    check_answer(context, &answer);
    hf_assert(piece->bytes <= HF_SNAPSHOT_PIECE_BYTES && piece->bytes == message->data.len);
    hf_assert(piece->bytes == 0 || memcmp(piece_data, message->data.data, piece->bytes) == 0);
}

/* ---- what the client waits for ---- */

static const struct kind {
    uint8_t type;
    uint8_t op;
    union call_callback callback;
} kinds[] = {
    {FRAME_RESERVE, CALL_RESERVE, {.row = on_row}},
    {FRAME_CONFIRM, CALL_CONFIRM, {.row = on_row}},
    {FRAME_CANCEL, CALL_CANCEL, {.row = on_row}},
    {FRAME_EXTEND, CALL_EXTEND, {.row = on_row}},
    {FRAME_GET, CALL_GET, {.row = on_row}},
    {FRAME_RESERVE_BATCH, CALL_RESERVE, {.row = on_row}},
    {FRAME_CONFIRM_BATCH, CALL_CONFIRM, {.row = on_row}},
    {FRAME_CANCEL_BATCH, CALL_CANCEL, {.row = on_row}},
    {FRAME_EXTEND_BATCH, CALL_EXTEND, {.row = on_row}},
    {FRAME_GET_BATCH, CALL_GET, {.row = on_row}},
    {FRAME_ITEM_CREATE, CALL_ITEM_CREATE, {.item = on_item}},
    {FRAME_ITEM_UPDATE, CALL_ITEM_UPDATE, {.item = on_item}},
    {FRAME_ITEM_GET, CALL_ITEM_GET, {.item = on_item}},
    {FRAME_ITEM_LIST, CALL_ITEM_LIST, {.page = on_page}},
    {FRAME_PING, CALL_PING, {.ping = on_ping}},
    {FRAME_STAT, CALL_STAT, {.stat = on_stat}},
    {FRAME_SNAPSHOT, CALL_SNAPSHOT, {.snapshot = on_snapshot}},
    {FRAME_SNAPSHOT_READ, CALL_SNAPSHOT_READ, {.piece = on_piece}},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static bool is_batch(uint8_t type)
{
    return type >= FRAME_RESERVE_BATCH && type <= FRAME_GET_BATCH;
}

/* Calls of the lower half or of every other row have given up. */
static bool has_given_up(uint32_t row, uint32_t row_count, uint8_t flags)
{
    return ((flags & 1) != 0 && row % 2 == 0) || ((flags & 2) != 0 && row < (row_count + 1) / 2);
}

static void fill_flight(const struct kind *kind, uint32_t row_count, uint8_t flags)
{
    flight = (struct flight){
        .connection = &connection, .request_id = 1, .type = kind->type, .row_count = row_count};
    list_init(&flight.calls);
    list_init(&client.pool);
    client.in_flight = 0;
    connection.calls_in_flight = 0;
    for (uint32_t row = 0; row < row_count; row++) {
        if (has_given_up(row, row_count, flags))
            continue;
        struct call *call = &calls[row];
        memset(call, 0, sizeof *call);
        list_init(&call->deadline.link);
        list_push_tail(&flight.calls, &call->link);
        call->flight = &flight;
        call->row = row;
        call->op = kind->op;
        call->was_sent = flags & 4;
        call->may_come_late = flags & 8;
        call->callback = kind->callback;
        call->context = call;
        if (kind->op == CALL_ITEM_LIST)
            call->request.list = (struct call_list){
                .count_max = ITEM_COUNT_MAX, .items_out = items, .next_out = &next};
        if (kind->op == CALL_SNAPSHOT_READ)
            call->request.snapshot.data_out = piece_data;
        connection.calls_in_flight++;
        client.in_flight++;
    }
}

/* ---- running ---- */

static void start_client(void)
{
    static bool is_started;
    if (is_started)
        return;
    pthread_mutex_init(&client.mutex, NULL);
    pthread_cond_init(&client.changed, NULL);
    message_arena_init(&client.arena, arena_memory, sizeof arena_memory);
    FUZZ_POISON(&items[ITEM_COUNT_MAX], sizeof *items);
    FUZZ_POISON(&piece_data[HF_SNAPSHOT_PIECE_BYTES], 1);
    connection_init(&connection, &client, 0);
    is_started = true;
}

/* What a loading server has put off. */
static uint32_t empty_queues(void)
{
    struct list queued;
    uint32_t count = 0;
    list_init(&queued);
    connection_take_queued(&connection, &queued);
    for (struct list *link; (link = list_pop_head(&queued)) != NULL; count++) {
        const struct call *call = list_entry(link, struct call, link);
        hf_assert(!client.options.fail_fast && call->flight == NULL);
        hf_assert(call->op != CALL_STAT && call->op != CALL_PING);
        client.in_flight--;
    }
    return count;
}

static void check_reply(const struct frame_header *header, const uint8_t *body)
{
    static _Alignas(16) uint8_t memory[ARENA_BYTES];
    struct message_arena arena;
    const ProtobufCMessageDescriptor *descriptor = message_descriptor(header->type);
    uint32_t waiting_count = connection.calls_in_flight;
    message_arena_init(&arena, memory, sizeof memory);
    expected =
        descriptor == NULL ? NULL : message_decode(&arena, descriptor, body, header->body_bytes);
    answered_count = 0;
    bool is_taken = decode_reply(&client, &flight, header, body);
    hf_assert(!is_taken || (expected != NULL && header->type == flight.type + FRAME_REPLY));
    uint32_t done_count = answered_count + empty_queues();
    hf_assert(done_count == (is_taken ? waiting_count : 0));
    hf_assert(connection.calls_in_flight == waiting_count - done_count);
    hf_assert((connection.state == CONNECTION_LOADING) == (done_count > answered_count));
    hf_assert(list_is_empty(&flight.calls) == (connection.calls_in_flight == 0));
}

static void check_hello(const struct frame_header *header, const uint8_t *body)
{
    hf_server_info info;
    uint32_t core;
    if (!decode_hello(&client, header, body, &info, &core))
        return;
    hf_assert(header->type == FRAME_HELLO + FRAME_REPLY);
    hf_assert(info.core_count >= 1 && info.core_count <= HF_CORE_COUNT_MAX);
    hf_assert(core < info.core_count);
    hf_assert(info.batch_rows_max >= 1 && encode_rows_fitting(info.body_bytes_max) >= 1);
    hf_assert(memchr(info.server_version, '\0', sizeof info.server_version) != NULL);
}

static void check_error(const struct frame_header *header, const uint8_t *body)
{
    struct decoded_error error;
    if (!decode_error(&client, header, body, &error))
        return;
    hf_assert(header->type == FRAME_ERROR);
    hf_assert(error.error != HF_ERROR_NONE);
    hf_assert(memchr(error.detail, '\0', sizeof error.detail) != NULL);
}

static const uint8_t *take_body(struct fuzz_tape *tape, uint8_t type, uint8_t flags,
                                uint32_t row_count, size_t *body_bytes_out)
{
    static uint8_t made[1 << 16];
    const ProtobufCMessageDescriptor *descriptor = message_descriptor(type);
    if (!(flags & 32) || descriptor == NULL)
        return fuzz_take_bytes(tape, BODY_BYTES_MAX, body_bytes_out);
    const ProtobufCMessage *message = message_build(descriptor, tape, row_count);
    hf_assert(protobuf_c_message_get_packed_size(message) <= sizeof made);
    *body_bytes_out = protobuf_c_message_pack(message, made);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    const struct kind *kind = &kinds[fuzz_take_u8(&tape) % KIND_COUNT];
    uint8_t count_byte = fuzz_take_u8(&tape);
    uint32_t row_count = 1 + count_byte % CALL_COUNT_MAX;
    uint8_t flags = fuzz_take_u8(&tape);
    if (!is_batch(kind->type))
        row_count = 1;
    uint8_t type = kind->type + FRAME_REPLY;
    if (flags & 16)
        type = fuzz_take_u8(&tape);
    else if (flags & 64)
        type = FRAME_HELLO + FRAME_REPLY;
    else if (flags & 128)
        type = FRAME_ERROR;

    size_t body_bytes;
    const uint8_t *body = take_body(&tape, type, flags, row_count, &body_bytes);
    const struct frame_header header = {
        .request_id = 1, .body_bytes = (uint32_t)body_bytes, .type = type};
    start_client();
    client.options.fail_fast = count_byte & 128;
    connection.state = CONNECTION_READY;
    fill_flight(kind, row_count, flags);
    if (flags & 64)
        check_hello(&header, body);
    else if (flags & 128)
        check_error(&header, body);
    else
        check_reply(&header, body);
    return 0;
}
