/* null-server: what answering costs when there is nothing to decide and nothing to keep.
 *
 * A server made of the engine's own ring, connections, decoder and encoder, with one thread and the
 * settings of a core. Each row of a frame is answered as a hold that was made, and forgotten; or,
 * when the last item was made without stock, as sold out. Its rate under a load is the limit of
 * what the engine can reach under the same load on this machine; bench/limit/run and
 * bench/targets/run tell the engine's share of it.
 *
 * It answers what holdfast-bench asks in its scenarios reserve and soldout: Hello, ItemCreate and
 * rows. It is
 * not asked about what happened, because it does not know. Ends with a signal. Exit codes: 1 usage,
 * 2 trouble. */

#include "base/assert.h"
#include "base/memory.h"
#include "base/units.h"
#include "core/columns.h"
#include "holdfast/v1/item.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "io/io.h"
#include "net/net.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECTION_COUNT_MAX = 4000,
    OPS_FIXED = 64,
    ARENA_BYTES = 8 * FRAME_BODY_BYTES_MAX,
    TURN_ROWS_MAX = 4096, /* then what was answered is sent, as in a core's turn */
    MESSAGE_BYTES_MAX = 1024,
    SERVER_ID_BYTES = 16,
    EXIT_USAGE = 1,
    EXIT_TROUBLE = 2,
};
#define PARTIAL_TIMEOUT_NS 10000000000ull
#define HOLD_MS            900000

static struct {
    struct io *io;
    struct net *net;
    struct message_arena arena;
    union job_row *rows; /* of the frame in hand */
    struct reply_columns *columns;
    uint64_t now_ms;
    uint64_t sequence; /* of the last hold */
    bool is_sold_out;
} server;

/* ---- rows ---- */

static void answer_row(union job_row *row)
{
    if (server.is_sold_out) {
        row->reply = (struct stock_reply){.code = STOCK_SOLD_OUT};
        return;
    }
    uint32_t quantity = row->request.quantity;
    row->reply = (struct stock_reply){
        .code = STOCK_OK,
        .state = STOCK_STATE_HELD,
        .quantity = quantity,
        .sequence = ++server.sequence,
        .expires_ms = server.now_ms + HOLD_MS,
        .available = STOCK_UNLIMITED,
    };
}

/* Returns how many there were; 0: the frame was none of rows. */
static uint32_t answer_rows(const struct net_frame *frame)
{
    struct request_columns columns;
    if (columns_decode(&server.arena, frame->header.type, frame->body, frame->header.body_bytes,
                       FRAME_ROW_COUNT_MAX, &columns) != COLUMNS_OK)
        return 0;
    columns_to_rows(&columns, server.rows);
    for (uint32_t i = 0; i < columns.row_count; i++)
        answer_row(&server.rows[i]);

    const struct job job = {.request_id = frame->header.request_id,
                            .row_count = columns.row_count,
                            .frame_type = frame->header.type};
    uint8_t *reply = net_reply_begin(server.net, frame->connection, columns_reply_bytes_max(&job));
    if (reply != NULL)
        net_reply_commit(server.net, frame->connection,
                         columns_encode_reply(server.columns, &job, server.rows, reply));
    return columns.row_count;
}

/* ---- what comes before the rows ---- */

static void answer(const struct net_frame *frame, const ProtobufCMessage *message, uint8_t type)
{
    uint8_t *reply = net_reply_begin(server.net, frame->connection, MESSAGE_BYTES_MAX);
    if (reply == NULL)
        return;
    size_t bytes =
        message_encode_frame(message, type, frame->header.request_id, reply, MESSAGE_BYTES_MAX);
    hf_assert(bytes > 0);
    net_reply_commit(server.net, frame->connection, (uint32_t)bytes);
}

static void answer_hello(const struct net_frame *frame)
{
    static uint8_t server_id[SERVER_ID_BYTES] = "null-server";
    static char version[] = "null";
    Holdfast__V1__HelloResponse response = HOLDFAST__V1__HELLO_RESPONSE__INIT;
    response.result = HOLDFAST__V1__RESULT__RESULT_OK;
    response.protocol_version = FRAME_VERSION;
    response.server_id.data = server_id;
    response.server_id.len = sizeof server_id;
    response.server_version.data = (uint8_t *)version;
    response.server_version.len = strlen(version);
    response.now_ms = server.now_ms;
    response.core_count = 1;
    response.body_bytes_max = FRAME_BODY_BYTES_MAX;
    response.batch_rows_max = FRAME_ROW_COUNT_MAX;
    answer(frame, &response.base, FRAME_HELLO + FRAME_REPLY);
    net_greeted(server.net, frame->connection);
}

/* The item as it was asked for. False when the body is something else. */
static bool answer_item_create(const struct net_frame *frame)
{
    const Holdfast__V1__ItemCreateRequest *request =
        (const void *)message_decode(&server.arena, message_descriptor(FRAME_ITEM_CREATE),
                                     frame->body, frame->header.body_bytes);
    if (request == NULL || request->settings == NULL)
        return false;
    server.is_sold_out = request->settings->stock == 0;
    Holdfast__V1__Item item = HOLDFAST__V1__ITEM__INIT;
    item.settings = request->settings;
    item.available = request->settings->stock;
    item.next_sequence = 1;
    item.created_ms = server.now_ms;
    Holdfast__V1__ItemResponse response = HOLDFAST__V1__ITEM_RESPONSE__INIT;
    response.result = HOLDFAST__V1__RESULT__RESULT_OK;
    response.item = &item;
    answer(frame, &response.base, FRAME_ITEM_CREATE + FRAME_REPLY);
    return true;
}

static void refuse(const struct net_frame *frame)
{
    static char detail[] = "the null server answers Hello, ItemCreate and rows, and nothing else";
    Holdfast__V1__ErrorResponse response = HOLDFAST__V1__ERROR_RESPONSE__INIT;
    response.code = HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_TYPE;
    response.detail.data = (uint8_t *)detail;
    response.detail.len = strlen(detail);
    answer(frame, &response.base, FRAME_ERROR);
    net_close_after_send(server.net, frame->connection, detail);
}

/* ---- the turn ---- */

/* Returns how many rows were answered. */
static uint32_t take_frame(const struct net_frame *frame)
{
    uint8_t type = frame->header.type;
    uint32_t row_count = 0;
    bool is_good = true;
    if (type >= FRAME_RESERVE && type <= FRAME_GET_BATCH)
        is_good = (row_count = answer_rows(frame)) > 0;
    else if (type == FRAME_HELLO)
        answer_hello(frame);
    else
        is_good = type == FRAME_ITEM_CREATE && answer_item_create(frame);
    if (!is_good)
        refuse(frame);
    return row_count;
}

static void turn(void)
{
    struct clock_reading reading = io_clock(server.io);
    struct net_frame frame;
    uint32_t row_count = 0;
    server.now_ms = reading.wall_ns / 1000000;
    while (row_count < TURN_ROWS_MAX && net_frame_next(server.net, &frame))
        row_count += take_frame(&frame);
    net_flush(server.net, reading.monotonic_ns);
    io_turn(server.io, net_has_frames(server.net) ? 0 : net_next_timeout_ns(server.net));
}

/* ---- start ---- */

static bool create(void)
{
    const struct io_options io_options = {.op_count_max = OPS_FIXED + NET_OPS_PER_CONNECTION *
                                                                          CONNECTION_COUNT_MAX};
    const struct net_options net_options = {
        .connection_count_max = CONNECTION_COUNT_MAX,
        .frame_bytes_max = FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX,
        .send_bytes_max = NET_SEND_BYTES_MIN,
        .partial_timeout_ns = PARTIAL_TIMEOUT_NS,
    };
    char message[256];
    if (io_create(&io_options, &server.io, message) != IO_OK) {
        fprintf(stderr, "null-server: %s\n", message);
        return false;
    }
    void *arena_memory = memory_map(ARENA_BYTES);
    server.net = net_create(server.io, &net_options);
    server.rows = memory_map(FRAME_ROW_COUNT_MAX * sizeof *server.rows);
    server.columns = memory_map(sizeof *server.columns);
    if (arena_memory == NULL || server.net == NULL || server.rows == NULL ||
        server.columns == NULL) {
        fputs("null-server: the system refuses the memory\n", stderr);
        return false;
    }
    message_arena_init(&server.arena, arena_memory, ARENA_BYTES);
    return true;
}

static bool serve_port(uint16_t port)
{
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%" PRIu16, port);
    int fd = io_listen(server.io, "127.0.0.1", port_text, false);
    if (fd < 0) {
        fprintf(stderr, "null-server: cannot listen on 127.0.0.1:%s: %s\n", port_text,
                strerror(-fd));
        return false;
    }
    io_start(server.io);
    net_listen(server.net, fd);
    printf("null-server ready on 127.0.0.1:%" PRIu16 "\n", io_listen_port(server.io, fd));
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    uint64_t port;
    if (argc != 2 || !units_parse_count(argv[1], &port) || port > UINT16_MAX) {
        fputs("Usage: null-server PORT\n"
              "Answers every hold on 127.0.0.1:PORT and keeps nothing; port 0 lets the system "
              "choose.\n",
              stderr);
        return EXIT_USAGE;
    }
    if (!create() || !serve_port((uint16_t)port))
        return EXIT_TROUBLE;
    for (;;)
        turn();
}
