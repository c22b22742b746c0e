#include "client.h"

#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/session.pb-c.h>
#include <holdfast/v1/snapshot.pb-c.h>
#include <string.h>

/* Calls to frames. Rows of one kind that wait together become the columns of one frame; a row alone
 * takes the single form. A column whose elements are all the same is sent as one element, or left
 * out if that is zero: the rows of a sale's hot item share its id.
 *
 * protobuf-c reads messages through pointers that are not const; nothing here is changed by it. */

enum {
    ROW_BYTES_MAX = 6 * 8 + 4,    /* a reserve row: six fixed64 and a fixed32 */
    BATCH_OTHER_BYTES_MAX = 128,  /* tags and lengths of the columns, row_count */
    SINGLE_FRAME_BYTES_MAX = 512, /* any single message */
};

/* Columns of a batch. Not every kind uses all. */
struct columns {
    uint64_t item_id[CLIENT_BATCH_ROWS_MAX];
    uint64_t id_high[CLIENT_BATCH_ROWS_MAX];
    uint64_t id_low[CLIENT_BATCH_ROWS_MAX];
    uint64_t buyer_id[CLIENT_BATCH_ROWS_MAX];
    uint64_t hold_ms[CLIENT_BATCH_ROWS_MAX];
    uint64_t expires_ms[CLIENT_BATCH_ROWS_MAX];
    uint64_t user_data[CLIENT_BATCH_ROWS_MAX];
    uint32_t quantity[CLIENT_BATCH_ROWS_MAX];
    uint32_t row_count;
};

uint32_t encode_rows_fitting(uint32_t body_bytes_max)
{
    return (body_bytes_max - BATCH_OTHER_BYTES_MAX) / ROW_BYTES_MAX;
}

/* Elements to send of a column. */
static size_t length_u64(const uint64_t *values, uint32_t row_count)
{
    for (uint32_t i = 1; i < row_count; i++) {
        if (values[i] != values[0])
            return row_count;
    }
    return values[0] != 0;
}

static size_t length_u32(const uint32_t *values, uint32_t row_count)
{
    for (uint32_t i = 1; i < row_count; i++) {
        if (values[i] != values[0])
            return row_count;
    }
    return values[0] != 0;
}

/* Sets the column `name` of `message` to `values`. */
#define SET_COLUMN(message, name, values, row_count, length)                                       \
    do {                                                                                           \
        (message)->name = (values);                                                                \
        (message)->n_##name = length(values, row_count);                                           \
    } while (0)

/* The number of rows, and the columns that name reservations. */
#define SET_NAME_COLUMNS(message, columns)                                                         \
    do {                                                                                           \
        (message)->row_count = (columns)->row_count;                                               \
        SET_COLUMN(message, item_id, (columns)->item_id, (columns)->row_count, length_u64);        \
        SET_COLUMN(message, reservation_id_high, (columns)->id_high, (columns)->row_count,         \
                   length_u64);                                                                    \
        SET_COLUMN(message, reservation_id_low, (columns)->id_low, (columns)->row_count,           \
                   length_u64);                                                                    \
    } while (0)

/* A frame under construction at the end of the connection's outgoing bytes. */
struct frame_writer {
    struct connection *connection;
    struct flight *flight;
};

static void write_frame(struct frame_writer *writer, uint8_t type, const ProtobufCMessage *message)
{
    struct connection *connection = writer->connection;
    size_t bytes = message_encode_frame(message, type, writer->flight->request_id,
                                        connection->out + connection->out_used,
                                        CONNECTION_OUT_BYTES - connection->out_used);
    writer->flight->type = type;
    connection->out_used += bytes;
    connection->stream_encoded += bytes;
}

static void encode_reserves(struct frame_writer *writer, struct columns *columns)
{
    Holdfast__V1__ReserveBatchRequest batch = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    uint32_t rows = columns->row_count;
    SET_NAME_COLUMNS(&batch, columns);
    SET_COLUMN(&batch, buyer_id, columns->buyer_id, rows, length_u64);
    SET_COLUMN(&batch, quantity, columns->quantity, rows, length_u32);
    SET_COLUMN(&batch, hold_ms, columns->hold_ms, rows, length_u64);
    SET_COLUMN(&batch, user_data, columns->user_data, rows, length_u64);
    write_frame(writer, FRAME_RESERVE_BATCH, &batch.base);
}

static void encode_confirms(struct frame_writer *writer, struct columns *columns)
{
    Holdfast__V1__ConfirmBatchRequest batch = HOLDFAST__V1__CONFIRM_BATCH_REQUEST__INIT;
    SET_NAME_COLUMNS(&batch, columns);
    SET_COLUMN(&batch, quantity, columns->quantity, columns->row_count, length_u32);
    write_frame(writer, FRAME_CONFIRM_BATCH, &batch.base);
}

static void encode_extends(struct frame_writer *writer, struct columns *columns)
{
    Holdfast__V1__ExtendBatchRequest batch = HOLDFAST__V1__EXTEND_BATCH_REQUEST__INIT;
    SET_NAME_COLUMNS(&batch, columns);
    SET_COLUMN(&batch, expires_ms, columns->expires_ms, columns->row_count, length_u64);
    write_frame(writer, FRAME_EXTEND_BATCH, &batch.base);
}

static void encode_cancels(struct frame_writer *writer, struct columns *columns)
{
    Holdfast__V1__CancelBatchRequest batch = HOLDFAST__V1__CANCEL_BATCH_REQUEST__INIT;
    SET_NAME_COLUMNS(&batch, columns);
    write_frame(writer, FRAME_CANCEL_BATCH, &batch.base);
}

static void encode_gets(struct frame_writer *writer, struct columns *columns)
{
    Holdfast__V1__GetBatchRequest batch = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
    SET_NAME_COLUMNS(&batch, columns);
    write_frame(writer, FRAME_GET_BATCH, &batch.base);
}

static void encode_batch(struct frame_writer *writer, enum call_op op, struct columns *columns)
{
    static void (*const encoders[CALL_ROW_OP_COUNT])(struct frame_writer *, struct columns *) = {
        [CALL_RESERVE] = encode_reserves, [CALL_CONFIRM] = encode_confirms,
        [CALL_EXTEND] = encode_extends,   [CALL_CANCEL] = encode_cancels,
        [CALL_GET] = encode_gets,
    };
    encoders[op](writer, columns);
}

static void add_row(struct columns *columns, const struct call_row *row)
{
    uint32_t i = columns->row_count++;
    columns->item_id[i] = row->item_id;
    columns->id_high[i] = row->id.high;
    columns->id_low[i] = row->id.low;
    columns->buyer_id[i] = row->buyer_id;
    columns->hold_ms[i] = row->hold_ms;
    columns->expires_ms[i] = row->expires_ms;
    columns->user_data[i] = row->user_data;
    columns->quantity[i] = row->quantity;
}

/* ---- single messages ---- */

#define SET_NAME(message, row)                                                                     \
    do {                                                                                           \
        (message)->item_id = (row)->item_id;                                                       \
        (message)->reservation_id_high = (row)->id.high;                                           \
        (message)->reservation_id_low = (row)->id.low;                                             \
    } while (0)

static void encode_reserve(struct frame_writer *writer, const struct call_row *row)
{
    Holdfast__V1__ReserveRequest message = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    SET_NAME(&message, row);
    message.buyer_id = row->buyer_id;
    message.quantity = row->quantity;
    message.hold_ms = row->hold_ms;
    message.user_data = row->user_data;
    write_frame(writer, FRAME_RESERVE, &message.base);
}

static void encode_confirm(struct frame_writer *writer, const struct call_row *row)
{
    Holdfast__V1__ConfirmRequest message = HOLDFAST__V1__CONFIRM_REQUEST__INIT;
    SET_NAME(&message, row);
    message.quantity = row->quantity;
    write_frame(writer, FRAME_CONFIRM, &message.base);
}

static void encode_extend(struct frame_writer *writer, const struct call_row *row)
{
    Holdfast__V1__ExtendRequest message = HOLDFAST__V1__EXTEND_REQUEST__INIT;
    SET_NAME(&message, row);
    message.expires_ms = row->expires_ms;
    write_frame(writer, FRAME_EXTEND, &message.base);
}

static void encode_cancel(struct frame_writer *writer, const struct call_row *row)
{
    Holdfast__V1__CancelRequest message = HOLDFAST__V1__CANCEL_REQUEST__INIT;
    SET_NAME(&message, row);
    write_frame(writer, FRAME_CANCEL, &message.base);
}

static void encode_get(struct frame_writer *writer, const struct call_row *row)
{
    Holdfast__V1__GetRequest message = HOLDFAST__V1__GET_REQUEST__INIT;
    SET_NAME(&message, row);
    write_frame(writer, FRAME_GET, &message.base);
}

static void set_item_settings(Holdfast__V1__ItemSettings *message, hf_item_settings *settings)
{
    message->item_id = settings->item_id;
    message->sku.data = (uint8_t *)settings->sku;
    message->sku.len = strnlen(settings->sku, HF_SKU_BYTES_MAX);
    message->stock = settings->stock;
    message->buyer_limit = settings->buyer_limit;
    message->hold_cap = settings->hold_cap;
    message->hold_ms = settings->hold_ms;
    message->opens_at_ms = settings->opens_at_ms;
    message->closes_at_ms = settings->closes_at_ms;
    message->paused = settings->paused;
}

static void encode_item_create(struct frame_writer *writer, struct call_item *item)
{
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    Holdfast__V1__ItemCreateRequest message = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    set_item_settings(&settings, &item->settings);
    message.settings = &settings;
    message.validate_only = item->validate_only;
    write_frame(writer, FRAME_ITEM_CREATE, &message.base);
}

/* Bit i of HF_UPDATE_... is field i + 1 of ItemField. */
static void encode_item_update(struct frame_writer *writer, struct call_item *item)
{
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    Holdfast__V1__ItemUpdateRequest message = HOLDFAST__V1__ITEM_UPDATE_REQUEST__INIT;
    Holdfast__V1__ItemField fields[7];
    set_item_settings(&settings, &item->settings);
    message.settings = &settings;
    message.fields = fields;
    for (uint32_t bit = 0; bit < 7; bit++) {
        if (item->fields & 1u << bit)
            fields[message.n_fields++] = (Holdfast__V1__ItemField)(bit + 1);
    }
    write_frame(writer, FRAME_ITEM_UPDATE, &message.base);
}

static void encode_item_get(struct frame_writer *writer, const struct call_item *item)
{
    Holdfast__V1__ItemGetRequest message = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
    message.item_id = item->settings.item_id;
    write_frame(writer, FRAME_ITEM_GET, &message.base);
}

static void encode_item_list(struct frame_writer *writer, const struct call_list *list)
{
    Holdfast__V1__ItemListRequest message = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
    message.core = list->core;
    message.position = list->position;
    message.count_max = list->count_max;
    write_frame(writer, FRAME_ITEM_LIST, &message.base);
}

static void encode_ping(struct frame_writer *writer)
{
    Holdfast__V1__PingRequest message = HOLDFAST__V1__PING_REQUEST__INIT;
    write_frame(writer, FRAME_PING, &message.base);
}

static void encode_stat(struct frame_writer *writer, const struct call_stat *stat)
{
    Holdfast__V1__StatRequest message = HOLDFAST__V1__STAT_REQUEST__INIT;
    message.core = stat->core;
    message.state_hash = stat->with_state_hash;
    write_frame(writer, FRAME_STAT, &message.base);
}

static void encode_snapshot(struct frame_writer *writer, const struct call_snapshot *snapshot)
{
    Holdfast__V1__SnapshotRequest message = HOLDFAST__V1__SNAPSHOT_REQUEST__INIT;
    message.core = snapshot->core;
    write_frame(writer, FRAME_SNAPSHOT, &message.base);
}

static void encode_snapshot_read(struct frame_writer *writer, const struct call_snapshot *snapshot)
{
    Holdfast__V1__SnapshotReadRequest message = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
    message.core = snapshot->core;
    message.lsn = snapshot->lsn;
    message.offset = snapshot->offset;
    write_frame(writer, FRAME_SNAPSHOT_READ, &message.base);
}

static void encode_single(struct frame_writer *writer, struct call *call)
{
    union call_request *request = &call->request;
    switch ((enum call_op)call->op) {
    case CALL_RESERVE:
        encode_reserve(writer, &request->row);
        break;
    case CALL_CONFIRM:
        encode_confirm(writer, &request->row);
        break;
    case CALL_EXTEND:
        encode_extend(writer, &request->row);
        break;
    case CALL_CANCEL:
        encode_cancel(writer, &request->row);
        break;
    case CALL_GET:
        encode_get(writer, &request->row);
        break;
    case CALL_ITEM_CREATE:
        encode_item_create(writer, &request->item);
        break;
    case CALL_ITEM_UPDATE:
        encode_item_update(writer, &request->item);
        break;
    case CALL_ITEM_GET:
        encode_item_get(writer, &request->item);
        break;
    case CALL_ITEM_LIST:
        encode_item_list(writer, &request->list);
        break;
    case CALL_PING:
        encode_ping(writer);
        break;
    case CALL_STAT:
        encode_stat(writer, &request->stat);
        break;
    case CALL_SNAPSHOT:
        encode_snapshot(writer, &request->snapshot);
        break;
    case CALL_SNAPSHOT_READ:
        encode_snapshot_read(writer, &request->snapshot);
        break;
    }
}

/* ---- queues ---- */

static struct flight *take_flight(struct connection *connection)
{
    struct list *link = list_pop_head(&connection->client->free_flights);
    if (!link)
        return NULL;
    struct flight *flight = list_entry(link, struct flight, link);
    flight->request_id += 1ull << 32;
    flight->connection = connection;
    flight->stream_at = connection->stream_encoded;
    flight->sent_ms = connection->client->now_ms;
    flight->row_count = 0;
    list_push_tail(&connection->flights, &flight->link);
    return flight;
}

/* All are in the air, on this connection or on others. */
static void wait_for_flight(hf_client *client)
{
    for (uint32_t core = 0; core < HF_CORE_COUNT_MAX; core++)
        connection_watch_silence(&client->connections[core]);
}

static struct call *board(struct flight *flight, struct list *queue)
{
    struct call *call = list_entry(list_pop_head(queue), struct call, link);
    call->flight = flight;
    call->row = flight->row_count++;
    flight->connection->calls_in_flight++;
    list_push_tail(&flight->calls, &call->link);
    return call;
}

/* One frame with as many of the waiting rows as it takes. */
static void encode_rows(struct frame_writer *writer, enum call_op op, struct list *queue)
{
    struct columns columns; /* half of it is not touched by most batches */
    struct call *call = NULL;
    columns.row_count = 0;
    while (columns.row_count < writer->connection->rows_max && !list_is_empty(queue)) {
        call = board(writer->flight, queue);
        add_row(&columns, &call->request.row);
    }
    if (columns.row_count == 1)
        encode_single(writer, call);
    else
        encode_batch(writer, op, &columns);
}

static bool has_room(const struct connection *connection, uint32_t queue_index)
{
    size_t frame_bytes = SINGLE_FRAME_BYTES_MAX;
    if (queue_index < CALL_ROW_OP_COUNT)
        frame_bytes = FRAME_HEADER_BYTES + BATCH_OTHER_BYTES_MAX +
                      (size_t)connection->rows_max * ROW_BYTES_MAX;
    return CONNECTION_OUT_BYTES - connection->out_used >= frame_bytes;
}

void encode_queued(struct connection *connection)
{
    uint32_t first = connection->state == CONNECTION_LOADING ? CALL_QUEUE_QUESTIONS : 0;
    for (uint32_t i = first; i < CALL_QUEUE_COUNT; i++) {
        struct list *queue = &connection->queues[i];
        while (!list_is_empty(queue) && has_room(connection, i)) {
            struct frame_writer writer = {connection, take_flight(connection)};
            if (!writer.flight) {
                wait_for_flight(connection->client);
                return;
            }
            if (i < CALL_ROW_OP_COUNT)
                encode_rows(&writer, (enum call_op)i, queue);
            else
                encode_single(&writer, board(writer.flight, queue));
        }
    }
}

size_t encode_hello(const struct connection *connection, uint8_t *frame, size_t frame_bytes_max)
{
    const hf_options *options = &connection->client->options;
    Holdfast__V1__HelloRequest message = HOLDFAST__V1__HELLO_REQUEST__INIT;
    message.protocol_version = FRAME_VERSION;
    message.client_name.data = (uint8_t *)connection->client->client_name;
    message.client_name.len = strlen(connection->client->client_name);
    if (options->server_id) {
        message.server_id.data = (uint8_t *)connection->client->server_id;
        message.server_id.len = HF_SERVER_ID_BYTES;
    }
    message.wants_core = true;
    message.core = connection->core;
    return message_encode_frame(&message.base, FRAME_HELLO, 0, frame, frame_bytes_max);
}
