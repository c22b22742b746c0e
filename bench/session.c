#include "bench/session.h"

#include "holdfast/v1/session.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SEND_BUFFER_BYTES = 2 * (FRAME_BODY_BYTES_MAX + FRAME_HEADER_BYTES),
    RECEIVE_BUFFER_BYTES = 2 * (FRAME_BODY_BYTES_MAX + FRAME_HEADER_BYTES),
    ARENA_BYTES = 8 * FRAME_BODY_BYTES_MAX,
    SEND_EARLY_BYTES = 64 * 1024,
};

__attribute__((format(printf, 2, 3))) static bool fail(struct session *session, const char *format,
                                                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(session->error, sizeof session->error, format, arguments);
    va_end(arguments);
    return false;
}

static bool wait_connected(struct session *session, uint64_t timeout_ms)
{
    struct pollfd wanted = {.fd = session->fd, .events = POLLOUT};
    int ready = poll(&wanted, 1, (int)timeout_ms);
    if (ready == 0) {
        return fail(session, "cannot connect: no answer");
    }
    int error = 0;
    socklen_t bytes = sizeof error;
    getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    if (ready < 0 || error != 0) {
        return fail(session, "cannot connect: %s", strerror(ready < 0 ? errno : error));
    }
    return true;
}

static bool make_blocking(struct session *session, uint64_t timeout_ms)
{
    struct timeval limit = {.tv_sec = (time_t)(timeout_ms / 1000),
                            .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};
    int flags = fcntl(session->fd, F_GETFL);
    if (fcntl(session->fd, F_SETFL, flags & ~O_NONBLOCK) != 0 ||
        setsockopt(session->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(session->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
        return fail(session, "cannot set up the socket: %s", strerror(errno));
    }
    return true;
}

static bool say_hello(struct session *session, uint32_t core)
{
    Holdfast__V1__HelloRequest hello = HOLDFAST__V1__HELLO_REQUEST__INIT;
    hello.protocol_version = FRAME_VERSION;
    hello.client_name.data = (uint8_t *)"holdfast-bench";
    hello.client_name.len = strlen("holdfast-bench");
    hello.wants_core = true;
    hello.core = core;
    const Holdfast__V1__HelloResponse *reply =
        (const Holdfast__V1__HelloResponse *)session_call(session, FRAME_HELLO, &hello.base);
    if (reply == NULL) {
        return false;
    }
    if (reply->core_count == 0 || reply->core != core || reply->batch_rows_max == 0 ||
        reply->server_id.len != sizeof session->server_id) {
        return fail(session, "the server's hello makes no sense");
    }
    session->core_count = reply->core_count;
    session->batch_rows_max = reply->batch_rows_max;
    snprintf(session->server_version, sizeof session->server_version, "%.*s",
             (int)reply->server_version.len, (const char *)reply->server_version.data);
    memcpy(session->server_id, reply->server_id.data, sizeof session->server_id);
    return true;
}

bool session_open(struct session *session, const struct endpoint *endpoint, uint32_t core,
                  uint64_t timeout_ms)
{
    *session = (struct session){.fd = -1};
    size_t bytes = SEND_BUFFER_BYTES + RECEIVE_BUFFER_BYTES + ARENA_BYTES;
    session->memory = aligned_alloc(64, bytes);
    if (session->memory == NULL) {
        return fail(session, "out of memory");
    }
    session->send_buffer = session->memory;
    session->receive_buffer = session->memory + SEND_BUFFER_BYTES;
    message_arena_init(&session->arena, session->memory + SEND_BUFFER_BYTES + RECEIVE_BUFFER_BYTES,
                       ARENA_BYTES);
    session->fd = endpoint_connect_begin(endpoint);
    if (session->fd < 0) {
        fail(session, "cannot connect: %s", strerror(errno));
        goto failed;
    }
    if (!wait_connected(session, timeout_ms) || !make_blocking(session, timeout_ms) ||
        !say_hello(session, core)) {
        goto failed;
    }
    return true;
failed:
    session_close(session);
    return false;
}

void session_close(struct session *session)
{
    if (session->fd >= 0) {
        close(session->fd);
        session->fd = -1;
    }
    free(session->memory);
    session->memory = NULL;
}

static bool send_all(struct session *session)
{
    size_t sent = 0;
    while (sent < session->send_bytes) {
        ssize_t n = send(session->fd, session->send_buffer + sent, session->send_bytes - sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return fail(session, "cannot send: %s", strerror(errno));
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    session->send_bytes = 0;
    return true;
}

bool session_send(struct session *session, uint8_t type, const ProtobufCMessage *message)
{
    size_t frame_bytes = message_encode_frame(message, type, ++session->last_request_id,
                                              session->send_buffer + session->send_bytes,
                                              SEND_BUFFER_BYTES - session->send_bytes);
    if (frame_bytes == 0) {
        return fail(session, "a request is too large");
    }
    session->send_bytes += frame_bytes;
    return session->send_bytes < SEND_EARLY_BYTES || send_all(session);
}

/* One more piece from the socket, behind the beginning of a frame that is moved to the front. */
static bool receive_some(struct session *session)
{
    session->receive_end -= session->receive_begin;
    memmove(session->receive_buffer, session->receive_buffer + session->receive_begin,
            session->receive_end);
    session->receive_begin = 0;
    for (;;) {
        ssize_t n = recv(session->fd, session->receive_buffer + session->receive_end,
                         RECEIVE_BUFFER_BYTES - session->receive_end, 0);
        if (n > 0) {
            session->receive_end += (size_t)n;
            return true;
        }
        if (n == 0) {
            return fail(session, "the server closed the connection");
        }
        if (errno == EAGAIN) {
            return fail(session, "no answer in time");
        }
        if (errno != EINTR) {
            return fail(session, "cannot receive: %s", strerror(errno));
        }
    }
}

static bool explain_error_frame(struct session *session, const uint8_t *body, size_t body_bytes)
{
    const Holdfast__V1__ErrorResponse *error = (const Holdfast__V1__ErrorResponse *)message_decode(
        &session->arena, message_descriptor(FRAME_ERROR), body, body_bytes);
    if (error == NULL) {
        return fail(session, "the server answers with an error that cannot be read");
    }
    return fail(session, "the server answers with error %d: %.*s", (int)error->code,
                (int)error->detail.len, (const char *)error->detail.data);
}

const ProtobufCMessage *session_receive(struct session *session, uint8_t type)
{
    if (!send_all(session)) {
        return NULL;
    }
    session->receive_begin += session->frame_bytes;
    session->frame_bytes = 0;
    for (;;) {
        struct frame_header header;
        size_t need_bytes;
        const uint8_t *frame = session->receive_buffer + session->receive_begin;
        enum frame_status status = frame_parse(frame, session->receive_end - session->receive_begin,
                                               FRAME_BODY_BYTES_MAX, false, &header, &need_bytes);
        if (status == FRAME_INCOMPLETE) {
            if (!receive_some(session)) {
                return NULL;
            }
            continue;
        }
        if (status != FRAME_OK) {
            fail(session, "the server's frame is bad: %s", frame_status_text(status));
            return NULL;
        }
        session->frame_bytes = need_bytes;
        session->reply_request_id = header.request_id;
        const uint8_t *body = frame + FRAME_HEADER_BYTES;
        if (header.type == FRAME_ERROR) {
            explain_error_frame(session, body, header.body_bytes);
            return NULL;
        }
        if (header.type != type + FRAME_REPLY) {
            fail(session, "unexpected %s", frame_type_name(header.type));
            return NULL;
        }
        const ProtobufCMessage *message = message_decode(
            &session->arena, message_descriptor(header.type), body, header.body_bytes);
        if (message == NULL) {
            fail(session, "the server's %s cannot be read", frame_type_name(header.type));
        }
        return message;
    }
}

const ProtobufCMessage *session_call(struct session *session, uint8_t type,
                                     const ProtobufCMessage *message)
{
    if (!session_send(session, type, message)) {
        return NULL;
    }
    return session_receive(session, type);
}

bool session_now_ms(struct session *session, uint64_t *now_ms_out)
{
    Holdfast__V1__PingRequest ping = HOLDFAST__V1__PING_REQUEST__INIT;
    const Holdfast__V1__PingResponse *reply =
        (const Holdfast__V1__PingResponse *)session_call(session, FRAME_PING, &ping.base);
    if (reply == NULL) {
        return false;
    }
    *now_ms_out = reply->now_ms;
    return true;
}
