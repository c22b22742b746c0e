#include "bench/connection.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

bool connection_create(struct connection *connection, uint32_t slot_count, size_t in_room,
                       size_t out_room)
{
    *connection = (struct connection){
        .fd = -1,
        .slots = calloc(slot_count, sizeof(struct slot)),
        .free_slots = calloc(slot_count, sizeof(uint16_t)),
        .free_count = slot_count,
        .in = malloc(in_room),
        .in_room = in_room,
        .out = malloc(out_room),
        .out_room = out_room,
    };
    if (connection->slots == NULL || connection->free_slots == NULL || connection->in == NULL ||
        connection->out == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < slot_count; i++) {
        connection->free_slots[i] = (uint16_t)(slot_count - 1 - i);
    }
    return true;
}

void connection_destroy(struct connection *connection)
{
    connection_close(connection);
    free(connection->slots);
    free(connection->free_slots);
    free(connection->in);
    free(connection->out);
    *connection = (struct connection){.fd = -1};
}

bool connection_begin(struct connection *connection, int epoll_fd, const struct endpoint *endpoint)
{
    hf_assert(connection->fd < 0);
    connection->fd = endpoint_connect_begin(endpoint);
    if (connection->fd < 0) {
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        connection_close(connection);
        return false;
    }
    return true;
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
    connection->in_begin = connection->in_end = 0;
    connection->out_begin = connection->out_end = 0;
}

int connection_error(const struct connection *connection)
{
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) {
        return errno;
    }
    return error;
}

/* Moves what is there to the front. */
static void compact(uint8_t *memory, size_t *begin, size_t *end)
{
    memmove(memory, memory + *begin, *end - *begin);
    *end -= *begin;
    *begin = 0;
}

uint8_t *connection_room(struct connection *connection, size_t bytes)
{
    if (connection->out_room - connection->out_end < bytes) {
        compact(connection->out, &connection->out_begin, &connection->out_end);
    }
    hf_assert(connection->out_room - connection->out_end >= bytes);
    return connection->out + connection->out_end;
}

void connection_added(struct connection *connection, size_t bytes)
{
    connection->out_end += bytes;
    hf_assert(connection->out_end <= connection->out_room);
}

bool connection_flush(struct connection *connection)
{
    while (connection->out_begin < connection->out_end) {
        ssize_t n = send(connection->fd, connection->out + connection->out_begin,
                         connection->out_end - connection->out_begin, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno == EAGAIN;
        }
        connection->out_begin += (size_t)n;
    }
    connection->out_begin = connection->out_end = 0;
    return true;
}

enum connection_input connection_receive(struct connection *connection, bool peer_ended)
{
    compact(connection->in, &connection->in_begin, &connection->in_end);
    size_t room = connection->in_room - connection->in_end;
    hf_assert(room > 0);
    ssize_t n;
    do {
        n = recv(connection->fd, connection->in + connection->in_end, room, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        return CONNECTION_DRY;
    }
    if (n <= 0) {
        return CONNECTION_GONE;
    }
    connection->in_end += (size_t)n;
    /* A short read says that there was no more, as epoll(7) has it in question 9, but for the end
     * itself: data and end may come as one edge. */
    return (size_t)n < room && !peer_ended ? CONNECTION_DRY : CONNECTION_MORE;
}

enum frame_status connection_next_frame(struct connection *connection,
                                        struct frame_header *header_out, const uint8_t **body_out)
{
    const uint8_t *frame = connection->in + connection->in_begin;
    size_t frame_bytes;
    enum frame_status status = frame_parse(frame, connection->in_end - connection->in_begin,
                                           (uint32_t)(connection->in_room - FRAME_HEADER_BYTES),
                                           false, header_out, &frame_bytes);
    if (status == FRAME_OK) {
        connection->in_begin += frame_bytes;
        *body_out = frame + FRAME_HEADER_BYTES;
    }
    return status;
}
