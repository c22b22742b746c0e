#ifndef HF_TESTS_NET_FIXTURE_H
#define HF_TESTS_NET_FIXTURE_H
/* A struct net behind a real listening socket on loopback, and clients with plain sockets, all in
 * one thread: the clients write and read without blocking, and turns are made until what is
 * expected has come or five seconds are over. The time that net is told is the test's own. */

#include "base/bytes.h"
#include "holdfast/v1/session.pb-c.h"
#include "io/io.h"
#include "net/net.h"
#include "proto/message.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull

enum { PATIENCE_TURNS = 5000 }; /* of at most a millisecond */

struct fixture {
    struct io *io;
    struct net *net;
    int listen_fd;
    uint16_t port;
    uint64_t now_ns; /* what net is told */
};

static inline struct net_options small_options(void)
{
    return (struct net_options){
        .connection_count_max = 64,
        .frame_bytes_max = 1 << 20,
        .send_bytes_max = NET_SEND_BYTES_MIN,
        .partial_timeout_ns = 10 * SECOND_NS,
    };
}

static inline void fixture_start_with(struct fixture *f, const struct net_options *options)
{
    char message[256];
    struct io_options io_options = {
        .op_count_max = NET_OPS_LISTEN + NET_OPS_PER_CONNECTION * options->connection_count_max,
    };
    cr_assert_eq(io_create(&io_options, &f->io, message), IO_OK, "%s", message);
    io_start(f->io);
    f->net = net_create(f->io, options);
    cr_assert_not_null(f->net);
    f->listen_fd = io_listen(f->io, "127.0.0.1", "0", false);
    cr_assert(f->listen_fd >= 0);
    f->port = io_listen_port(f->io, f->listen_fd);
    net_listen(f->net, f->listen_fd);
    f->now_ns = 1000 * SECOND_NS;
    net_flush(f->net, f->now_ns);
}

static inline void fixture_start(struct fixture *f)
{
    struct net_options options = small_options();
    fixture_start_with(f, &options);
}

static inline void turn(struct fixture *f)
{
    net_flush(f->net, f->now_ns);
    uint64_t wait_ns = net_has_frames(f->net) ? 0 : SECOND_NS / 1000;
    io_turn(f->io, io_clock(f->io).monotonic_ns + wait_ns);
}

/* Makes turns until the condition holds. */
#define turn_until(f, condition)                                                                   \
    do {                                                                                           \
        int turns_left = PATIENCE_TURNS;                                                           \
        while (!(condition) && turns_left-- > 0)                                                   \
            turn(f);                                                                               \
        cr_assert(condition, "did not come true: %s", #condition);                                 \
    } while (0)

/* Enough turns for whatever is under way to happen. */
static inline void turn_some(struct fixture *f)
{
    for (int i = 0; i < 20; i++)
        turn(f);
}

static inline void say_nothing(void *context, struct net_connection_id connection)
{
    (void)context;
    (void)connection;
}

/* Stops net, which has to come to an end by itself, and takes everything down. */
static inline void fixture_finish(struct fixture *f)
{
    struct net_frame frame;
    net_stop(f->net, say_nothing, NULL);
    for (int i = 0; i < PATIENCE_TURNS && !net_is_idle(f->net); i++) {
        while (net_frame_next(f->net, &frame))
            net_close_after_send(f->net, frame.connection, NULL);
        f->now_ns += SECOND_NS / 10;
        turn(f);
    }
    cr_assert(net_is_idle(f->net));
    cr_assert_eq(net_counts(f->net).connections, 0);
    net_destroy(&f->net);
    close(f->listen_fd);
    io_destroy(&f->io);
}

/* ---- clients ---- */

static inline int client_connect(struct fixture *f)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(f->port)};
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int on = 1; /* bytes leave at once, not when earlier ones were acknowledged */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Connected and accepted. */
static inline int client_open(struct fixture *f)
{
    uint64_t accepted_before = net_counts(f->net).accepted;
    int fd = client_connect(f);
    turn_until(f, net_counts(f->net).accepted == accepted_before + 1);
    return fd;
}

/* Sends all, making turns when the socket is full. */
static inline void client_send(struct fixture *f, int fd, const void *bytes, size_t bytes_count)
{
    size_t done = 0;
    for (int i = 0; i < PATIENCE_TURNS && done < bytes_count; i++) {
        ssize_t sent = send(fd, (const uint8_t *)bytes + done, bytes_count - done,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0)
            done += (size_t)sent;
        else
            turn(f);
    }
    cr_assert_eq(done, bytes_count);
}

/* Receives exactly so many bytes, making turns meanwhile. */
static inline void client_receive(struct fixture *f, int fd, void *bytes, size_t bytes_count)
{
    size_t done = 0;
    for (int i = 0; i < PATIENCE_TURNS && done < bytes_count; i++) {
        ssize_t got = recv(fd, (uint8_t *)bytes + done, bytes_count - done, MSG_DONTWAIT);
        cr_assert(got != 0, "the server closed after %zu of %zu bytes", done, bytes_count);
        if (got > 0)
            done += (size_t)got;
        else
            turn(f);
    }
    cr_assert_eq(done, bytes_count);
}

/* True when the stream ends here (or the connection was reset), with no byte before that. */
static inline bool client_sees_end(struct fixture *f, int fd)
{
    uint8_t byte;
    for (int i = 0; i < PATIENCE_TURNS; i++) {
        ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
        if (got >= 0 || errno != EAGAIN)
            return got <= 0;
        turn(f);
    }
    return false;
}

/* ---- frames ---- */

/* A Ping whose body is `body_bytes` long; net does not look into it. Returns its length. */
static inline size_t make_ping(uint8_t *frame, uint64_t request_id, uint32_t body_bytes)
{
    for (uint32_t i = 0; i < body_bytes; i++)
        frame[FRAME_HEADER_BYTES + i] = (uint8_t)(request_id + i);
    frame_finish(frame, FRAME_PING, request_id, body_bytes);
    return FRAME_HEADER_BYTES + body_bytes;
}

static inline void client_send_ping(struct fixture *f, int fd, uint64_t request_id)
{
    uint8_t frame[64];
    client_send(f, fd, frame, make_ping(frame, request_id, 9));
}

static inline struct net_frame next_frame(struct fixture *f)
{
    struct net_frame frame;
    bool has_come = net_frame_next(f->net, &frame);
    for (int i = 0; i < PATIENCE_TURNS && !has_come; i++) {
        turn(f);
        has_come = net_frame_next(f->net, &frame);
    }
    cr_assert(has_come, "no frame came");
    return frame;
}

/* Answers with a frame of exactly `frame_bytes`. */
static inline void answer(struct fixture *f, const struct net_frame *frame, uint32_t frame_bytes)
{
    uint8_t *reply = net_reply_begin(f->net, frame->connection, frame_bytes);
    cr_assert_not_null(reply);
    memset(reply + FRAME_HEADER_BYTES, 0, frame_bytes - FRAME_HEADER_BYTES);
    frame_finish(reply, frame->header.type + FRAME_REPLY, frame->header.request_id,
                 frame_bytes - FRAME_HEADER_BYTES);
    net_reply_commit(f->net, frame->connection, frame_bytes);
}

/* Receives one frame, checks it and returns its header; its body goes to `body`. */
static inline struct frame_header client_receive_frame(struct fixture *f, int fd, uint8_t *body,
                                                       size_t body_bytes_max)
{
    uint8_t *frame = malloc(FRAME_HEADER_BYTES + body_bytes_max);
    struct frame_header header;
    size_t need_bytes = 0;
    client_receive(f, fd, frame, FRAME_HEADER_BYTES);
    uint32_t body_bytes = bytes_get_u32(frame + 16);
    cr_assert_leq(body_bytes, body_bytes_max);
    client_receive(f, fd, frame + FRAME_HEADER_BYTES, body_bytes);
    enum frame_status status = frame_parse(frame, FRAME_HEADER_BYTES + body_bytes,
                                           (uint32_t)body_bytes_max, false, &header, &need_bytes);
    cr_assert_eq(status, FRAME_OK, "%s", frame_status_text(status));
    memcpy(body, frame + FRAME_HEADER_BYTES, body_bytes);
    free(frame);
    return header;
}

static inline uint64_t client_receive_reply(struct fixture *f, int fd)
{
    uint8_t body[4096];
    return client_receive_frame(f, fd, body, sizeof body).request_id;
}

/* Receives an Error frame of this code and request id. */
static inline void client_receive_error(struct fixture *f, int fd, int code, uint64_t request_id)
{
    static _Alignas(16) uint8_t memory[16384];
    struct message_arena arena;
    uint8_t body[1024];
    struct frame_header header = client_receive_frame(f, fd, body, sizeof body);
    cr_assert_eq(header.type, FRAME_ERROR);
    cr_assert_eq(header.request_id, request_id);
    message_arena_init(&arena, memory, sizeof memory);
    const Holdfast__V1__ErrorResponse *error = (const void *)message_decode(
        &arena, message_descriptor(FRAME_ERROR), body, header.body_bytes);
    cr_assert_not_null(error);
    cr_assert_eq((int)error->code, code);
    cr_assert_gt(error->detail.len, 0);
}

/* A connection that has said Hello, so to speak: one frame answered, and greeted. */
static inline int client_greeted(struct fixture *f, struct net_connection_id *id_out)
{
    int fd = client_open(f);
    client_send_ping(f, fd, 1);
    struct net_frame frame = next_frame(f);
    answer(f, &frame, FRAME_HEADER_BYTES);
    net_greeted(f->net, frame.connection);
    cr_assert_eq(client_receive_reply(f, fd), 1);
    if (id_out != NULL) {
        *id_out = frame.connection;
        id_out->promised_bytes = 0;
    }
    return fd;
}

#endif
