#include "raw_client.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    FRAME_BYTES_MAX = FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX,
    OUT_BYTES = 2 * FRAME_BYTES_MAX,
    IN_BYTES = 2 * FRAME_BYTES_MAX,
    ARENA_BYTES = 8 * FRAME_BODY_BYTES_MAX,
};

/* ------------------------------------------------------------------------------------------------
 * Connection
 * ---------------------------------------------------------------------------------------------- */

bool raw_connect(struct raw_client *client, uint16_t port)
{
    *client = (struct raw_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    check_must(client->fd >= 0, "socket: %s", strerror(errno));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(client->fd);
        client->fd = -1;
        return false;
    }
    const int on = 1;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->out = malloc(OUT_BYTES);
    client->in = malloc(IN_BYTES);
    client->arena_memory = aligned_alloc(16, ARENA_BYTES);
    check_must(client->out && client->in && client->arena_memory, "out of memory");
    message_arena_init(&client->arena, client->arena_memory, ARENA_BYTES);
    return true;
}

void raw_close(struct raw_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->out);
    free(client->in);
    free(client->arena_memory);
    *client = (struct raw_client){.fd = -1};
}

bool raw_hello(struct raw_client *client, int core)
{
    Holdfast__V1__HelloRequest request = HOLDFAST__V1__HELLO_REQUEST__INIT;
    request.protocol_version = FRAME_VERSION;
    request.client_name = (ProtobufCBinaryData){.data = (uint8_t *)"raw test client", .len = 15};
    request.wants_core = core >= 0;
    request.core = core >= 0 ? (uint32_t)core : 0;
    const Holdfast__V1__HelloResponse *response = raw_call(client, FRAME_HELLO, &request.base);
    if (response == NULL || response->result != RESULT(OK))
        return false;
    client->core = response->core;
    client->core_count = response->core_count;
    client->body_bytes_max = response->body_bytes_max;
    client->batch_rows_max = response->batch_rows_max;
    client->hello_now_ms = response->now_ms;
    check(response->server_id.len == sizeof client->server_id, "server id of %zu bytes",
          response->server_id.len);
    if (response->server_id.len == sizeof client->server_id)
        memcpy(client->server_id, response->server_id.data, sizeof client->server_id);
    return true;
}

void raw_open(struct raw_client *client, uint16_t port, int core)
{
    check_must(raw_connect(client, port), "connect to port %u: %s", port, strerror(errno));
    check_must(raw_hello(client, core), "Hello for core %d: error code %u", core,
               client->error_code);
}

uint32_t raw_core_of(uint64_t item_id, uint32_t core_count)
{
    return (uint32_t)(XXH3_64bits(&item_id, sizeof item_id) % core_count);
}

/* ------------------------------------------------------------------------------------------------
 * Sending
 * ---------------------------------------------------------------------------------------------- */

bool raw_send_bytes(struct raw_client *client, const void *bytes, size_t bytes_count)
{
    const uint8_t *from = bytes;
    while (bytes_count > 0) {
        const ssize_t sent = send(client->fd, from, bytes_count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        from += sent;
        bytes_count -= (size_t)sent;
    }
    return true;
}

bool raw_flush(struct raw_client *client)
{
    const size_t bytes = client->out_used;
    client->out_used = 0;
    return raw_send_bytes(client, client->out, bytes);
}

uint64_t raw_put(struct raw_client *client, uint8_t type, const ProtobufCMessage *message)
{
    const uint64_t request_id = ++client->last_request_id;
    if (OUT_BYTES - client->out_used < FRAME_BYTES_MAX)
        raw_flush(client);
    const size_t bytes = message_encode_frame(message, type, request_id,
                                              client->out + client->out_used, FRAME_BYTES_MAX);
    check_must(bytes > 0, "request of type %u does not fit into a frame", type);
    client->out_used += bytes;
    return request_id;
}

uint64_t raw_put_row(struct raw_client *client, const struct raw_row *row)
{
#define NAMES                                                                                      \
    .item_id = row->item_id, .reservation_id_high = row->id_high, .reservation_id_low = row->id_low
    switch (row->type) {
    case FRAME_RESERVE: {
        const Holdfast__V1__ReserveRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__reserve_request__descriptor),
            NAMES,
            .buyer_id = row->buyer_id,
            .quantity = row->quantity,
            .hold_ms = row->hold_ms,
            .user_data = row->user_data,
        };
        return raw_put(client, row->type, &request.base);
    }
    case FRAME_CONFIRM: {
        const Holdfast__V1__ConfirmRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__confirm_request__descriptor),
            NAMES,
            .quantity = row->quantity,
        };
        return raw_put(client, row->type, &request.base);
    }
    case FRAME_CANCEL: {
        const Holdfast__V1__CancelRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__cancel_request__descriptor),
            NAMES,
        };
        return raw_put(client, row->type, &request.base);
    }
    case FRAME_EXTEND: {
        const Holdfast__V1__ExtendRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__extend_request__descriptor),
            NAMES,
            .expires_ms = row->expires_ms,
        };
        return raw_put(client, row->type, &request.base);
    }
    default: {
        const Holdfast__V1__GetRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__get_request__descriptor),
            NAMES,
        };
        return raw_put(client, FRAME_GET, &request.base);
    }
    }
#undef NAMES
}

/* Elements of a column to send: all, one for all, or none for all zero. */
static size_t column_u64(enum raw_form form, const uint64_t *values, uint32_t row_count)
{
    for (uint32_t row = 1; row < row_count; row++)
        if (values[row] != values[0])
            return row_count;
    if (form != RAW_SHORT)
        return row_count;
    return values[0] == 0 ? 0 : 1;
}

static size_t column_u32(enum raw_form form, const uint32_t *values, uint32_t row_count)
{
    for (uint32_t row = 1; row < row_count; row++)
        if (values[row] != values[0])
            return row_count;
    if (form != RAW_SHORT)
        return row_count;
    return values[0] == 0 ? 0 : 1;
}

uint64_t raw_put_batch(struct raw_client *client, enum raw_form form, const struct raw_row *rows,
                       uint32_t row_count)
{
    static struct {
        uint64_t item_id[RAW_ROWS_MAX], id_high[RAW_ROWS_MAX], id_low[RAW_ROWS_MAX];
        uint64_t buyer_id[RAW_ROWS_MAX], hold_ms[RAW_ROWS_MAX], user_data[RAW_ROWS_MAX];
        uint64_t expires_ms[RAW_ROWS_MAX];
        uint32_t quantity[RAW_ROWS_MAX];
    } c;
    check_must(row_count >= 1 && row_count <= RAW_ROWS_MAX, "%u rows", row_count);
    for (uint32_t row = 0; row < row_count; row++) {
        c.item_id[row] = rows[row].item_id;
        c.id_high[row] = rows[row].id_high;
        c.id_low[row] = rows[row].id_low;
        c.buyer_id[row] = rows[row].buyer_id;
        c.hold_ms[row] = rows[row].hold_ms;
        c.user_data[row] = rows[row].user_data;
        c.expires_ms[row] = rows[row].expires_ms;
        c.quantity[row] = rows[row].quantity;
    }
#define U64(name) .n_##name = column_u64(form, c.name, row_count), .name = c.name
#define U32(name) .n_##name = column_u32(form, c.name, row_count), .name = c.name
#define NAMES                                                                                      \
    .row_count = row_count, U64(item_id),                                                          \
    .n_reservation_id_high = column_u64(form, c.id_high, row_count),                               \
    .reservation_id_high = c.id_high,                                                              \
    .n_reservation_id_low = column_u64(form, c.id_low, row_count), .reservation_id_low = c.id_low
    switch (rows[0].type) {
    case FRAME_RESERVE: {
        const Holdfast__V1__ReserveBatchRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__reserve_batch_request__descriptor),
            NAMES,
            U64(buyer_id),
            U32(quantity),
            U64(hold_ms),
            U64(user_data),
        };
        return raw_put(client, FRAME_RESERVE_BATCH, &request.base);
    }
    case FRAME_CONFIRM: {
        const Holdfast__V1__ConfirmBatchRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__confirm_batch_request__descriptor),
            NAMES,
            U32(quantity),
        };
        return raw_put(client, FRAME_CONFIRM_BATCH, &request.base);
    }
    case FRAME_CANCEL: {
        const Holdfast__V1__CancelBatchRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__cancel_batch_request__descriptor),
            NAMES,
        };
        return raw_put(client, FRAME_CANCEL_BATCH, &request.base);
    }
    case FRAME_EXTEND: {
        const Holdfast__V1__ExtendBatchRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__extend_batch_request__descriptor),
            NAMES,
            U64(expires_ms),
        };
        return raw_put(client, FRAME_EXTEND_BATCH, &request.base);
    }
    default: {
        const Holdfast__V1__GetBatchRequest request = {
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__get_batch_request__descriptor),
            NAMES,
        };
        return raw_put(client, FRAME_GET_BATCH, &request.base);
    }
    }
#undef NAMES
#undef U32
#undef U64
}

/* ------------------------------------------------------------------------------------------------
 * Receiving
 * ---------------------------------------------------------------------------------------------- */

/* Takes a whole frame off the buffer's head. RAW_TIMEOUT: it is not there yet. */
static enum raw_status take_frame(struct raw_client *client, struct raw_frame *frame_out)
{
    const uint8_t *head = client->in + client->in_start;
    struct frame_header header;
    size_t need_bytes;
    switch (frame_parse(head, client->in_end - client->in_start, FRAME_BODY_BYTES_MAX, false,
                        &header, &need_bytes)) {
    case FRAME_OK:
        *frame_out = (struct raw_frame){
            .type = header.type,
            .request_id = header.request_id,
            .body = head + FRAME_HEADER_BYTES,
            .body_bytes = header.body_bytes,
        };
        client->in_start += need_bytes;
        return RAW_OK;
    case FRAME_INCOMPLETE:
        return RAW_TIMEOUT;
    default:
        return RAW_BROKEN;
    }
}

static void make_room(struct raw_client *client)
{
    if (IN_BYTES - client->in_start >= FRAME_BYTES_MAX && client->in_start != client->in_end)
        return;
    memmove(client->in, client->in + client->in_start, client->in_end - client->in_start);
    client->in_end -= client->in_start;
    client->in_start = 0;
}

enum raw_status raw_receive(struct raw_client *client, struct raw_frame *frame_out, int timeout_ms)
{
    for (;;) {
        const enum raw_status status = take_frame(client, frame_out);
        if (status != RAW_TIMEOUT)
            return status;
        if (!check_wait_readable(client->fd, timeout_ms))
            return RAW_TIMEOUT;
        make_room(client);
        const ssize_t got =
            recv(client->fd, client->in + client->in_end, IN_BYTES - client->in_end, 0);
        if (got <= 0)
            return RAW_CLOSED;
        client->in_end += (size_t)got;
    }
}

const void *raw_decode(struct raw_client *client, const struct raw_frame *frame)
{
    return message_decode(&client->arena, message_descriptor(frame->type), frame->body,
                          frame->body_bytes);
}

static struct raw_answer single_answer(const Holdfast__V1__ReservationResponse *r)
{
    return (struct raw_answer){
        .result = r->result,
        .state = r->state,
        .invalid_field = r->invalid_field,
        .quantity = r->quantity,
        .quantity_confirmed = r->quantity_confirmed,
        .sequence = r->sequence,
        .expires_ms = r->expires_ms,
        .available = r->available,
        .buyer_id = r->buyer_id,
        .user_data = r->user_data,
        .created_ms = r->created_ms,
    };
}

static bool columns_fit(const Holdfast__V1__ReservationBatchResponse *r)
{
    const size_t counts[] = {
        r->n_result,    r->n_state,      r->n_invalid_field, r->n_quantity, r->n_quantity_confirmed,
        r->n_sequence,  r->n_expires_ms, r->n_available,     r->n_buyer_id, r->n_user_data,
        r->n_created_ms};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!message_column_fits(counts[i], r->row_count))
            return false;
    return true;
}

static struct raw_answer row_answer(const Holdfast__V1__ReservationBatchResponse *r, uint32_t row)
{
#define COLUMN(name) (r->n_##name > 1 ? r->name[row] : r->n_##name == 1 ? r->name[0] : 0)
    return (struct raw_answer){
        .result = COLUMN(result),
        .state = COLUMN(state),
        .invalid_field = COLUMN(invalid_field),
        .quantity = COLUMN(quantity),
        .quantity_confirmed = COLUMN(quantity_confirmed),
        .sequence = COLUMN(sequence),
        .expires_ms = COLUMN(expires_ms),
        .available = COLUMN(available),
        .buyer_id = COLUMN(buyer_id),
        .user_data = COLUMN(user_data),
        .created_ms = COLUMN(created_ms),
    };
#undef COLUMN
}

uint32_t raw_answers(struct raw_client *client, const struct raw_frame *frame,
                     struct raw_answer *answers_out, uint32_t answer_count_max)
{
    const bool is_single =
        frame->type >= FRAME_RESERVE + FRAME_REPLY && frame->type <= FRAME_GET + FRAME_REPLY;
    const bool is_batch = frame->type >= FRAME_RESERVE_BATCH + FRAME_REPLY &&
                          frame->type <= FRAME_GET_BATCH + FRAME_REPLY;
    const void *message = is_single || is_batch ? raw_decode(client, frame) : NULL;
    if (message == NULL || answer_count_max == 0)
        return 0;
    if (is_single) {
        answers_out[0] = single_answer(message);
        return 1;
    }
    const Holdfast__V1__ReservationBatchResponse *batch = message;
    if (batch->row_count > answer_count_max || !columns_fit(batch))
        return 0;
    for (uint32_t row = 0; row < batch->row_count; row++)
        answers_out[row] = row_answer(batch, row);
    return batch->row_count;
}

/* ------------------------------------------------------------------------------------------------
 * Calls
 * ---------------------------------------------------------------------------------------------- */

/* Waits for the reply to `request_id`; an Error frame about it sets `error_code`. */
static bool await(struct raw_client *client, uint64_t request_id, struct raw_frame *frame_out)
{
    client->error_code = 0;
    while (raw_receive(client, frame_out, RAW_TIMEOUT_MS) == RAW_OK) {
        if (frame_out->type == FRAME_GO_AWAY) {
            client->saw_go_away = true;
            continue;
        }
        if (frame_out->type == FRAME_ERROR) {
            const Holdfast__V1__ErrorResponse *error = raw_decode(client, frame_out);
            client->error_code = error != NULL ? error->code : UINT32_MAX;
            return false;
        }
        check(frame_out->request_id == request_id, "reply to %llu, expected to %llu",
              (unsigned long long)frame_out->request_id, (unsigned long long)request_id);
        if (frame_out->request_id == request_id)
            return true;
    }
    return false;
}

const void *raw_call(struct raw_client *client, uint8_t type, const ProtobufCMessage *message)
{
    struct raw_frame frame;
    const uint64_t request_id = raw_put(client, type, message);
    client->error_code = 0;
    if (!raw_flush(client) || !await(client, request_id, &frame))
        return NULL;
    check(frame.type == type + FRAME_REPLY, "reply of type %u to a request of type %u", frame.type,
          type);
    return frame.type == type + FRAME_REPLY ? raw_decode(client, &frame) : NULL;
}

static void single_rows(struct raw_client *client, const struct raw_row *rows, uint32_t row_count,
                        struct raw_answer *answers_out)
{
    enum { WINDOW = 64 }; /* in flight, so that neither side's socket buffer can fill up */
    struct raw_frame frame;
    for (uint32_t first = 0; first < row_count; first += WINDOW) {
        const uint32_t count = row_count - first < WINDOW ? row_count - first : WINDOW;
        const uint64_t first_id = client->last_request_id + 1;
        for (uint32_t i = 0; i < count; i++)
            raw_put_row(client, &rows[first + i]);
        raw_flush(client);
        for (uint32_t i = 0; i < count; i++) {
            const enum raw_status status = raw_receive(client, &frame, RAW_TIMEOUT_MS);
            check_must(status == RAW_OK, "no reply to row %u: status %d", first + i, status);
            check_must(frame.request_id >= first_id && frame.request_id < first_id + count,
                       "reply to a request that is not in flight, type %u", frame.type);
            struct raw_answer *answer = &answers_out[first + (frame.request_id - first_id)];
            check_must(raw_answers(client, &frame, answer, 1) == 1, "frame of type %u", frame.type);
        }
    }
}

void raw_rows(struct raw_client *client, enum raw_form form, const struct raw_row *rows,
              uint32_t row_count, struct raw_answer *answers_out)
{
    if (form == RAW_SINGLE) {
        single_rows(client, rows, row_count, answers_out);
        return;
    }
    struct raw_frame frame;
    const uint64_t request_id = raw_put_batch(client, form, rows, row_count);
    check_must(raw_flush(client), "the connection broke");
    check_must(await(client, request_id, &frame), "no reply to a batch of %u rows, error code %u",
               row_count, client->error_code);
    const uint32_t answered = raw_answers(client, &frame, answers_out, row_count);
    check_must(answered == row_count, "%u answers to %u rows", answered, row_count);
}

struct raw_answer raw_one(struct raw_client *client, const struct raw_row *row)
{
    struct raw_answer answer;
    raw_rows(client, RAW_SINGLE, row, 1, &answer);
    return answer;
}

struct raw_item_answer raw_item_of(const Holdfast__V1__ItemResponse *response)
{
    struct raw_item_answer answer = {
        .result = response->result,
        .invalid_field = response->invalid_field,
        .has_item = response->item != NULL && response->item->settings != NULL,
    };
    if (!answer.has_item)
        return answer;
    const Holdfast__V1__Item *item = response->item;
    answer.item_id = item->settings->item_id;
    answer.stock = item->settings->stock;
    answer.buyer_limit = item->settings->buyer_limit;
    answer.hold_cap = item->settings->hold_cap;
    answer.hold_ms = item->settings->hold_ms;
    answer.opens_at_ms = item->settings->opens_at_ms;
    answer.closes_at_ms = item->settings->closes_at_ms;
    answer.paused = item->settings->paused;
    answer.available = item->available;
    answer.held = item->held;
    answer.sold = item->sold;
    answer.next_sequence = item->next_sequence;
    answer.created_ms = item->created_ms;
    const size_t sku_bytes = item->settings->sku.len;
    check(sku_bytes < sizeof answer.sku, "SKU of %zu bytes", sku_bytes);
    if (sku_bytes > 0 && sku_bytes < sizeof answer.sku) {
        memcpy(answer.sku, item->settings->sku.data, sku_bytes);
        answer.sku_bytes = (uint8_t)sku_bytes;
    }
    return answer;
}

static struct raw_item_answer item_call(struct raw_client *client, uint8_t type,
                                        const ProtobufCMessage *message)
{
    const Holdfast__V1__ItemResponse *response = raw_call(client, type, message);
    check_must(response != NULL, "no reply to %s, error code %u", frame_type_name(type),
               client->error_code);
    return raw_item_of(response);
}

struct raw_item_answer raw_item_create(struct raw_client *client, const raw_settings *settings)
{
    Holdfast__V1__ItemCreateRequest request = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    request.settings = (raw_settings *)settings;
    return item_call(client, FRAME_ITEM_CREATE, &request.base);
}

struct raw_item_answer raw_item_update(struct raw_client *client, const raw_settings *settings,
                                       uint32_t field)
{
    Holdfast__V1__ItemUpdateRequest request = HOLDFAST__V1__ITEM_UPDATE_REQUEST__INIT;
    Holdfast__V1__ItemField fields[1] = {(Holdfast__V1__ItemField)field};
    request.settings = (raw_settings *)settings;
    request.fields = fields;
    request.n_fields = 1;
    return item_call(client, FRAME_ITEM_UPDATE, &request.base);
}

struct raw_item_answer raw_item_get(struct raw_client *client, uint64_t item_id)
{
    Holdfast__V1__ItemGetRequest request = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
    request.item_id = item_id;
    return item_call(client, FRAME_ITEM_GET, &request.base);
}

void raw_item_make(struct raw_client *client, uint64_t item_id, int64_t stock)
{
    raw_settings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    settings.item_id = item_id;
    settings.stock = stock;
    const struct raw_item_answer answer = raw_item_create(client, &settings);
    check(answer.result == RESULT(OK), "create item %llu: %s", (unsigned long long)item_id,
          raw_result_name(answer.result));
}

uint64_t raw_now_ms(struct raw_client *client)
{
    Holdfast__V1__PingRequest request = HOLDFAST__V1__PING_REQUEST__INIT;
    request.payload = client->last_request_id ^ 0x5aa5;
    const Holdfast__V1__PingResponse *response = raw_call(client, FRAME_PING, &request.base);
    check_must(response != NULL, "no reply to Ping");
    check(response->payload == request.payload, "payload of Ping");
    return response->now_ms;
}

raw_stat raw_stat_of(struct raw_client *client, uint32_t core, bool with_state_hash)
{
    Holdfast__V1__StatRequest request = HOLDFAST__V1__STAT_REQUEST__INIT;
    request.core = core;
    request.state_hash = with_state_hash;
    const raw_stat *response = raw_call(client, FRAME_STAT, &request.base);
    check_must(response != NULL && response->result == RESULT(OK), "no reply to Stat of core %u",
               core);
    check(response->core == core, "Stat of core %u, asked for %u", response->core, core);
    return *response;
}

raw_stat raw_stat_sum(struct raw_client *client, bool with_state_hash)
{
    raw_stat sum = raw_stat_of(client, 0, with_state_hash);
    for (uint32_t core = 1; core < client->core_count; core++) {
        const raw_stat one = raw_stat_of(client, core, with_state_hash);
#define ADD(name) sum.name += one.name
        ADD(items), ADD(reservations), ADD(held), ADD(confirmed), ADD(cancelled), ADD(expired);
        ADD(buyers), ADD(units_held), ADD(units_sold), ADD(connections), ADD(frames), ADD(rows);
        ADD(rows_accepted), ADD(rows_refused), ADD(rows_forwarded), ADD(rows_filtered);
        ADD(rows_filter_missed), ADD(bad_frames), ADD(log_groups), ADD(log_records);
        ADD(log_bytes), ADD(expiries), ADD(state_hash), ADD(snapshots), ADD(log_bytes_behind);
#undef ADD
        if (one.expiry_late_ms_max > sum.expiry_late_ms_max)
            sum.expiry_late_ms_max = one.expiry_late_ms_max;
    }
    return sum;
}

raw_snapshot raw_snapshot_take(struct raw_client *client, uint32_t core)
{
    Holdfast__V1__SnapshotRequest request = HOLDFAST__V1__SNAPSHOT_REQUEST__INIT;
    request.core = core;
    const raw_snapshot *response = raw_call(client, FRAME_SNAPSHOT, &request.base);
    check_must(response != NULL, "no reply to Snapshot of core %u, error code %u", core,
               client->error_code);
    return *response;
}

struct raw_piece raw_snapshot_read(struct raw_client *client, uint32_t core, uint64_t lsn,
                                   uint64_t offset, uint8_t *to)
{
    Holdfast__V1__SnapshotReadRequest request = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
    request.core = core;
    request.lsn = lsn;
    request.offset = offset;
    const Holdfast__V1__SnapshotReadResponse *response =
        raw_call(client, FRAME_SNAPSHOT_READ, &request.base);
    check_must(response != NULL && response->data.len <= RAW_PIECE_BYTES,
               "no reply to SnapshotRead of core %u, error code %u", core, client->error_code);
    if (response->data.len > 0)
        memcpy(to, response->data.data, response->data.len);
    return (struct raw_piece){
        .result = response->result,
        .bytes = (uint32_t)response->data.len,
        .file_bytes = response->file_bytes,
    };
}

const char *raw_result_name(uint32_t result)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&holdfast__v1__result__descriptor, (int)result);
    return value != NULL ? value->name : "?";
}
