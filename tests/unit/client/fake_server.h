#ifndef HF_TEST_FAKE_SERVER_H
#define HF_TEST_FAKE_SERVER_H
/* A server on loopback that speaks the protocol and does what a test tells it to, right or wrong.
 * It keeps no stock: each new reservation is accepted with the next sequence number, and an id that
 * it has seen is a duplicate. One thread; a test reads the counters when nothing is under way. */

#include "proto/frame.h"
#include "proto/message.h"

#include <arpa/inet.h>
#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/session.pb-c.h>
#include <holdfast/v1/snapshot.pb-c.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
    FAKE_CONNECTION_COUNT_MAX = 32,
    FAKE_BUFFER_BYTES = FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX,
    FAKE_SEEN_COUNT_MAX = 4096,
    FAKE_CORE_COUNT_MAX = 16,
    FAKE_SNAPSHOT_LSN = 1000, /* of core 0, and so on */
    FAKE_SNAPSHOT_BYTES = 36 * 4096,
    FAKE_PIECE_BYTES = 65536,
};

/* What to do with a request. */
enum fake_mode {
    FAKE_ANSWER,
    FAKE_SILENT,         /* read it, never answer */
    FAKE_DO_AND_CLOSE,   /* do it, close without an answer */
    FAKE_GO_AWAY,        /* GoAway, then the answer, then close */
    FAKE_REFUSE,         /* answer with refuse_result, do nothing */
    FAKE_REJECT,         /* an Error about this frame, the connection goes on */
    FAKE_BAD_CHECKSUM,   /* the wrong answers: */
    FAKE_BAD_TYPE,       /* the reply to something else */
    FAKE_BAD_ROW_COUNT,  /* one row too many */
    FAKE_BAD_REQUEST_ID, /* to a request that was never made */
    FAKE_BAD_COLUMNS,    /* columns of other lengths */
    FAKE_BAD_BODY,       /* not protobuf */
    FAKE_BAD_RESULT,     /* no result */
};

struct fake_connection {
    int fd; /* -1 = free */
    uint32_t core;
    bool has_greeted;
    uint8_t *buffer;
    size_t used;
};

struct fake_server {
    /* what to do; change it through fake_set() while the server runs */
    pthread_mutex_t mutex;
    enum fake_mode mode;
    uint32_t mode_frames; /* for so many frames, then next_mode, once, then FAKE_ANSWER */
    enum fake_mode next_mode;
    int refuse_result;
    uint64_t ready_ms;      /* told in refusals of rows; the fake's clock is 0 at each Hello */
    uint32_t gathered_max;  /* snapshots are answered when so many were asked for; 0 = at once */
    uint32_t piece_surplus; /* bytes of a piece that are too many */
    uint32_t core_count;
    uint8_t server_id[16];
    int hello_error; /* answer Hello with this error */

    /* what happened, under the mutex */
    uint32_t hello_count;
    uint32_t frame_count;
    uint32_t row_count;
    uint32_t row_count_max;     /* the largest frame */
    uint32_t misrouted_count;   /* rows that belong to another core */
    uint32_t reservation_count; /* ids seen */
    uint32_t gathered_count;    /* of snapshots asked for and not answered yet */
    struct fake_connection *gathered[FAKE_CORE_COUNT_MAX];
    struct frame_header gathered_headers[FAKE_CORE_COUNT_MAX];
    uint64_t seen_high[FAKE_SEEN_COUNT_MAX];
    uint64_t seen_low[FAKE_SEEN_COUNT_MAX];

    int listen_fd;
    uint16_t port;
    char address[32];
    int stop_pipe[2];
    pthread_t thread;
    bool is_running;
    struct fake_connection connections[FAKE_CONNECTION_COUNT_MAX];
    struct message_arena arena;
    void *arena_memory;
};

struct fake_rows {
    uint32_t count;
    size_t item_count, high_count, low_count;
    uint64_t *items, *highs, *lows;
};

static inline void fake_send(struct fake_connection *connection, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(connection->fd, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        count -= (size_t)sent;
    }
}

static inline void fake_send_message(struct fake_connection *connection, uint8_t type,
                                     uint64_t request_id, const ProtobufCMessage *message)
{
    static uint8_t frame[FAKE_BUFFER_BYTES];
    size_t bytes = message_encode_frame(message, type, request_id, frame, sizeof frame);
    fake_send(connection, frame, bytes);
}

static inline void fake_close(struct fake_connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    connection->used = 0;
    connection->has_greeted = false;
}

static inline void fake_send_error(struct fake_connection *connection, uint64_t request_id,
                                   int code)
{
    Holdfast__V1__ErrorResponse error = HOLDFAST__V1__ERROR_RESPONSE__INIT;
    error.code = (Holdfast__V1__ErrorCode)code;
    error.detail.data = (uint8_t *)"told by the fake";
    error.detail.len = 16;
    fake_send_message(connection, FRAME_ERROR, request_id, &error.base);
}

static inline void fake_on_hello(struct fake_server *server, struct fake_connection *connection,
                                 const struct frame_header *header,
                                 const Holdfast__V1__HelloRequest *request)
{
    server->hello_count++;
    connection->core = request->core;
    connection->has_greeted = true;
    bool is_other =
        request->server_id.len == 16 && memcmp(request->server_id.data, server->server_id, 16) != 0;
    int error = server->hello_error ? server->hello_error
                : is_other          ? HOLDFAST__V1__ERROR_CODE__ERROR_CODE_WRONG_SERVER
                : request->core >= server->core_count
                    ? HOLDFAST__V1__ERROR_CODE__ERROR_CODE_NO_SUCH_CORE
                    : 0;
    if (error) {
        fake_send_error(connection, header->request_id, error);
        fake_close(connection);
        return;
    }
    Holdfast__V1__HelloResponse reply = HOLDFAST__V1__HELLO_RESPONSE__INIT;
    reply.result = HOLDFAST__V1__RESULT__RESULT_OK;
    reply.protocol_version = 1;
    reply.server_id.data = server->server_id;
    reply.server_id.len = 16;
    reply.core_count = server->core_count;
    reply.core = request->core;
    reply.body_bytes_max = FRAME_BODY_BYTES_MAX;
    reply.batch_rows_max = FRAME_ROW_COUNT_MAX;
    fake_send_message(connection, FRAME_HELLO + FRAME_REPLY, header->request_id, &reply.base);
}

/* Every batch begins with the same fields, as a single row does. */
static inline void fake_read_rows(struct fake_rows *rows, uint8_t type, void *message)
{
    if (type >= FRAME_RESERVE_BATCH) {
        Holdfast__V1__GetBatchRequest *batch = message;
        *rows = (struct fake_rows){batch->row_count,
                                   batch->n_item_id,
                                   batch->n_reservation_id_high,
                                   batch->n_reservation_id_low,
                                   batch->item_id,
                                   batch->reservation_id_high,
                                   batch->reservation_id_low};
    } else {
        Holdfast__V1__GetRequest *one = message;
        *rows = (struct fake_rows){
            1, 1, 1, 1, &one->item_id, &one->reservation_id_high, &one->reservation_id_low};
    }
}

/* The result of one row: OK the first time. */
static inline int fake_do(struct fake_server *server, uint64_t high, uint64_t low)
{
    for (uint32_t i = 0; i < server->reservation_count; i++) {
        if (server->seen_high[i] == high && server->seen_low[i] == low)
            return HOLDFAST__V1__RESULT__RESULT_DUPLICATE;
    }
    if (server->reservation_count < FAKE_SEEN_COUNT_MAX) {
        server->seen_high[server->reservation_count] = high;
        server->seen_low[server->reservation_count] = low;
        server->reservation_count++;
    }
    return HOLDFAST__V1__RESULT__RESULT_OK;
}

static inline void fake_send_garbage(struct fake_connection *connection, enum fake_mode mode,
                                     const struct frame_header *header)
{
    uint8_t frame[FRAME_HEADER_BYTES + 64];
    Holdfast__V1__ReservationResponse reply = HOLDFAST__V1__RESERVATION_RESPONSE__INIT;
    if (mode != FAKE_BAD_RESULT)
        reply.result = HOLDFAST__V1__RESULT__RESULT_OK;
    uint8_t type = (uint8_t)(header->type + FRAME_REPLY);
    uint64_t request_id = header->request_id;
    if (mode == FAKE_BAD_TYPE)
        type = FRAME_PING + FRAME_REPLY;
    if (mode == FAKE_BAD_REQUEST_ID)
        request_id ^= 1ull << 40;
    size_t bytes = message_encode_frame(&reply.base, type, request_id, frame, sizeof frame);
    if (mode == FAKE_BAD_CHECKSUM)
        frame[0] ^= 1;
    if (mode == FAKE_BAD_BODY) {
        memset(frame + FRAME_HEADER_BYTES, 0xff, 16);
        frame_finish(frame, type, request_id, 16);
        bytes = FRAME_HEADER_BYTES + 16;
    }
    fake_send(connection, frame, bytes);
}

static inline void fake_answer_rows(struct fake_server *server, struct fake_connection *connection,
                                    enum fake_mode mode, const struct frame_header *header,
                                    const struct fake_rows *rows)
{
    static Holdfast__V1__Result results[FRAME_ROW_COUNT_MAX];
    static uint64_t sequences[FRAME_ROW_COUNT_MAX];
    bool is_batch = header->type >= FRAME_RESERVE_BATCH;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint64_t high = message_column_u64(rows->highs, rows->high_count, i);
        uint64_t low = message_column_u64(rows->lows, rows->low_count, i);
        results[i] = (Holdfast__V1__Result)(mode == FAKE_REFUSE ? server->refuse_result
                                                                : fake_do(server, high, low));
        sequences[i] = low; /* so that a test can tell whose answer it is */
    }
    if (mode == FAKE_DO_AND_CLOSE) {
        fake_close(connection);
    } else if (is_batch) {
        Holdfast__V1__ReservationBatchResponse reply =
            HOLDFAST__V1__RESERVATION_BATCH_RESPONSE__INIT;
        reply.row_count = rows->count + (mode == FAKE_BAD_ROW_COUNT);
        reply.n_result = mode == FAKE_BAD_COLUMNS ? rows->count - 1 : rows->count;
        reply.result = results;
        reply.n_sequence = rows->count;
        reply.sequence = sequences;
        reply.n_expires_ms = mode == FAKE_REFUSE && server->ready_ms > 0;
        reply.expires_ms = &server->ready_ms;
        fake_send_message(connection, (uint8_t)(header->type + FRAME_REPLY), header->request_id,
                          &reply.base);
    } else {
        Holdfast__V1__ReservationResponse reply = HOLDFAST__V1__RESERVATION_RESPONSE__INIT;
        reply.result = results[0];
        reply.sequence = sequences[0];
        reply.expires_ms = mode == FAKE_REFUSE ? server->ready_ms : 0;
        fake_send_message(connection, (uint8_t)(header->type + FRAME_REPLY), header->request_id,
                          &reply.base);
    }
}

static inline void fake_count_rows(struct fake_server *server,
                                   const struct fake_connection *connection,
                                   const struct fake_rows *rows)
{
    server->row_count += rows->count;
    if (rows->count > server->row_count_max)
        server->row_count_max = rows->count;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint64_t item = message_column_u64(rows->items, rows->item_count, i);
        if (XXH3_64bits(&item, sizeof item) % server->core_count != connection->core)
            server->misrouted_count++;
    }
}

static inline enum fake_mode fake_next_mode(struct fake_server *server)
{
    enum fake_mode mode = server->mode;
    if (mode != FAKE_ANSWER && --server->mode_frames == 0) {
        server->mode = server->next_mode;
        server->next_mode = FAKE_ANSWER;
        server->mode_frames = 1;
    }
    return mode;
}

static inline void fake_on_rows(struct fake_server *server, struct fake_connection *connection,
                                const struct frame_header *header, void *message)
{
    struct fake_rows rows;
    fake_read_rows(&rows, header->type, message);
    fake_count_rows(server, connection, &rows);
    enum fake_mode mode = fake_next_mode(server);
    switch (mode) {
    case FAKE_SILENT:
        break;
    case FAKE_REJECT:
        fake_send_error(connection, header->request_id,
                        HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY);
        break;
    case FAKE_GO_AWAY: {
        Holdfast__V1__GoAwayResponse go_away = HOLDFAST__V1__GO_AWAY_RESPONSE__INIT;
        fake_send_message(connection, FRAME_GO_AWAY, 0, &go_away.base);
        fake_answer_rows(server, connection, FAKE_ANSWER, header, &rows);
        break;
    }
    case FAKE_BAD_CHECKSUM:
    case FAKE_BAD_TYPE:
    case FAKE_BAD_REQUEST_ID:
    case FAKE_BAD_BODY:
    case FAKE_BAD_RESULT:
        fake_send_garbage(connection, mode, header);
        break;
    case FAKE_ANSWER:
    case FAKE_DO_AND_CLOSE:
    case FAKE_REFUSE:
    case FAKE_BAD_ROW_COUNT:
    case FAKE_BAD_COLUMNS:
        fake_answer_rows(server, connection, mode, header, &rows);
        break;
    }
}

static inline void fake_answer_snapshot(struct fake_connection *connection,
                                        const struct frame_header *header)
{
    Holdfast__V1__SnapshotResponse reply = HOLDFAST__V1__SNAPSHOT_RESPONSE__INIT;
    reply.result = HOLDFAST__V1__RESULT__RESULT_OK;
    reply.core = connection->core;
    reply.lsn = FAKE_SNAPSHOT_LSN + connection->core;
    reply.bytes = FAKE_SNAPSHOT_BYTES;
    reply.items = 3;
    reply.reservations = 40;
    reply.buyers = 500;
    reply.state_hash = 1ull << 63;
    fake_send_message(connection, FRAME_SNAPSHOT + FRAME_REPLY, header->request_id, &reply.base);
}

/* Answers when enough have asked, the last one first. */
static inline void fake_on_snapshot(struct fake_server *server, struct fake_connection *connection,
                                    const struct frame_header *header)
{
    server->gathered[server->gathered_count] = connection;
    server->gathered_headers[server->gathered_count++] = *header;
    if (server->gathered_count < server->gathered_max)
        return;
    while (server->gathered_count > 0) {
        server->gathered_count--;
        fake_answer_snapshot(server->gathered[server->gathered_count],
                             &server->gathered_headers[server->gathered_count]);
    }
}

/* Byte i of a snapshot's file. */
static inline uint8_t fake_snapshot_byte(uint64_t i)
{
    return (uint8_t)(i / 4096 * 31 + i);
}

static inline void fake_on_snapshot_read(struct fake_server *server,
                                         struct fake_connection *connection,
                                         const struct frame_header *header,
                                         const Holdfast__V1__SnapshotReadRequest *request)
{
    static uint8_t data[2 * FAKE_PIECE_BYTES];
    uint64_t end = request->offset + FAKE_PIECE_BYTES;
    if (end > FAKE_SNAPSHOT_BYTES)
        end = FAKE_SNAPSHOT_BYTES;
    for (uint64_t i = request->offset; i < end; i++)
        data[i - request->offset] = fake_snapshot_byte(i);
    Holdfast__V1__SnapshotReadResponse reply = HOLDFAST__V1__SNAPSHOT_READ_RESPONSE__INIT;
    reply.result = request->lsn == FAKE_SNAPSHOT_LSN + request->core
                       ? HOLDFAST__V1__RESULT__RESULT_OK
                       : HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT;
    reply.file_bytes = FAKE_SNAPSHOT_BYTES;
    reply.data.data = data;
    reply.data.len = request->offset < end ? end - request->offset : 0;
    reply.data.len += server->piece_surplus;
    fake_send_message(connection, FRAME_SNAPSHOT_READ + FRAME_REPLY, header->request_id,
                      &reply.base);
}

static inline void fake_on_stat(const struct fake_server *server,
                                struct fake_connection *connection,
                                const struct frame_header *header, enum fake_mode mode)
{
    Holdfast__V1__StatResponse reply = HOLDFAST__V1__STAT_RESPONSE__INIT;
    bool is_loading = mode == FAKE_REFUSE;
    reply.result =
        is_loading ? HOLDFAST__V1__RESULT__RESULT_LOADING : HOLDFAST__V1__RESULT__RESULT_OK;
    reply.core = connection->core;
    reply.core_count = server->core_count;
    reply.load_bytes = is_loading ? 1000 : 0;
    reply.load_bytes_done = is_loading ? 100 + connection->core : 0;
    reply.load_ready_ms = is_loading ? server->ready_ms + connection->core : 0;
    reply.snapshots = 2;
    reply.snapshot_lsn = FAKE_SNAPSHOT_LSN + connection->core;
    reply.snapshot_taken_ms = 5000 + connection->core;
    reply.log_bytes_behind = 4096;
    reply.lacks_space = connection->core == 1;
    fake_send_message(connection, FRAME_STAT + FRAME_REPLY, header->request_id, &reply.base);
}

static inline void fake_on_control(struct fake_server *server, struct fake_connection *connection,
                                   const struct frame_header *header, const void *message)
{
    enum fake_mode mode = fake_next_mode(server);
    if (header->type == FRAME_STAT) {
        fake_on_stat(server, connection, header, mode);
        return;
    }
    if (mode != FAKE_ANSWER && mode != FAKE_REFUSE) {
        fake_close(connection);
    } else if (mode == FAKE_ANSWER && header->type == FRAME_SNAPSHOT) {
        fake_on_snapshot(server, connection, header);
    } else if (mode == FAKE_ANSWER && header->type == FRAME_SNAPSHOT_READ) {
        fake_on_snapshot_read(server, connection, header, message);
    } else {
        Holdfast__V1__ItemResponse reply = HOLDFAST__V1__ITEM_RESPONSE__INIT;
        reply.result = mode == FAKE_REFUSE ? (Holdfast__V1__Result)server->refuse_result
                                           : HOLDFAST__V1__RESULT__RESULT_OK;
        fake_send_message(connection, (uint8_t)(header->type + FRAME_REPLY), header->request_id,
                          &reply.base);
    }
}

static inline void fake_on_frame(struct fake_server *server, struct fake_connection *connection,
                                 const struct frame_header *header, const uint8_t *body)
{
    void *message = (void *)(uintptr_t)message_decode(
        &server->arena, message_descriptor(header->type), body, header->body_bytes);
    if (!message || connection->has_greeted != (header->type != FRAME_HELLO)) {
        fake_close(connection);
        return;
    }
    if (header->type == FRAME_HELLO) {
        fake_on_hello(server, connection, header, message);
        return;
    }
    server->frame_count++;
    if (header->type == FRAME_PING) {
        Holdfast__V1__PingResponse reply = HOLDFAST__V1__PING_RESPONSE__INIT;
        fake_send_message(connection, FRAME_PING + FRAME_REPLY, header->request_id, &reply.base);
    } else if (header->type >= FRAME_ITEM_CREATE) {
        fake_on_control(server, connection, header, message);
    } else {
        fake_on_rows(server, connection, header, message);
    }
}

static inline void fake_receive(struct fake_server *server, struct fake_connection *connection)
{
    ssize_t got = recv(connection->fd, connection->buffer + connection->used,
                       FAKE_BUFFER_BYTES - connection->used, 0);
    if (got <= 0) {
        fake_close(connection);
        return;
    }
    connection->used += (size_t)got;
    pthread_mutex_lock(&server->mutex);
    struct frame_header header;
    size_t need;
    while (connection->fd >= 0 &&
           frame_parse(connection->buffer, connection->used, FRAME_BODY_BYTES_MAX, true, &header,
                       &need) == FRAME_OK) {
        fake_on_frame(server, connection, &header, connection->buffer + FRAME_HEADER_BYTES);
        if (connection->fd < 0)
            break;
        connection->used -= need;
        memmove(connection->buffer, connection->buffer + need, connection->used);
    }
    pthread_mutex_unlock(&server->mutex);
}

static inline void fake_accept(struct fake_server *server)
{
    int fd = accept(server->listen_fd, NULL, NULL);
    for (uint32_t i = 0; i < FAKE_CONNECTION_COUNT_MAX && fd >= 0; i++) {
        if (server->connections[i].fd < 0) {
            server->connections[i].fd = fd;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static inline void *fake_run(void *argument)
{
    struct fake_server *server = argument;
    for (;;) {
        struct pollfd fds[FAKE_CONNECTION_COUNT_MAX + 2];
        fds[0] = (struct pollfd){.fd = server->stop_pipe[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = server->listen_fd, .events = POLLIN};
        for (uint32_t i = 0; i < FAKE_CONNECTION_COUNT_MAX; i++)
            fds[i + 2] = (struct pollfd){.fd = server->connections[i].fd, .events = POLLIN};
        poll(fds, FAKE_CONNECTION_COUNT_MAX + 2, -1);
        if (fds[0].revents)
            return NULL;
        for (uint32_t i = 0; i < FAKE_CONNECTION_COUNT_MAX; i++) {
            if (fds[i + 2].revents && fds[i + 2].fd == server->connections[i].fd)
                fake_receive(server, &server->connections[i]);
        }
        if (fds[1].revents)
            fake_accept(server);
    }
}

static inline void fake_listen(struct fake_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int on = 1;
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server->listen_fd, (struct sockaddr *)&address, length) != 0 ||
        listen(server->listen_fd, 64) != 0)
        abort();
    getsockname(server->listen_fd, (struct sockaddr *)&address, &length);
    server->port = ntohs(address.sin_port);
    snprintf(server->address, sizeof server->address, "127.0.0.1:%u", server->port);
}

static inline void fake_start(struct fake_server *server)
{
    fake_listen(server);
    if (pipe(server->stop_pipe) != 0 ||
        pthread_create(&server->thread, NULL, fake_run, server) != 0)
        abort();
    server->is_running = true;
}

static inline void fake_stop(struct fake_server *server)
{
    if (!server->is_running)
        return;
    server->is_running = false;
    if (write(server->stop_pipe[1], "x", 1) != 1)
        abort();
    pthread_join(server->thread, NULL);
    close(server->stop_pipe[0]);
    close(server->stop_pipe[1]);
    close(server->listen_fd);
    for (uint32_t i = 0; i < FAKE_CONNECTION_COUNT_MAX; i++)
        fake_close(&server->connections[i]);
}

/* A server that is not running yet. */
static inline struct fake_server *fake_create(uint32_t core_count)
{
    struct fake_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    pthread_mutex_init(&server->mutex, NULL);
    server->core_count = core_count;
    memset(server->server_id, 0xaa, sizeof server->server_id);
    server->arena_memory = aligned_alloc(64, 8 * FRAME_BODY_BYTES_MAX);
    message_arena_init(&server->arena, server->arena_memory, 8 * FRAME_BODY_BYTES_MAX);
    for (uint32_t i = 0; i < FAKE_CONNECTION_COUNT_MAX; i++) {
        server->connections[i].fd = -1;
        server->connections[i].buffer = malloc(FAKE_BUFFER_BYTES);
    }
    return server;
}

static inline void fake_destroy(struct fake_server *server)
{
    fake_stop(server);
    for (uint32_t i = 0; i < FAKE_CONNECTION_COUNT_MAX; i++)
        free(server->connections[i].buffer);
    free(server->arena_memory);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

static inline void fake_set_mode(struct fake_server *server, enum fake_mode mode, uint32_t frames)
{
    pthread_mutex_lock(&server->mutex);
    server->mode = mode;
    server->mode_frames = frames;
    pthread_mutex_unlock(&server->mutex);
}

/* Waits until so many rows have arrived in all. */
static inline void fake_wait_for_rows(struct fake_server *server, uint32_t row_count)
{
    for (bool are_there = false; !are_there;) {
        poll(NULL, 0, 1);
        pthread_mutex_lock(&server->mutex);
        are_there = server->row_count >= row_count;
        pthread_mutex_unlock(&server->mutex);
    }
}

#endif
