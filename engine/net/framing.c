/* Bytes in: from a connection's receive buffer to frames.
 *
 *      received   start            end              received_bytes_max
 *      | handed out | not handed out | free                |
 *
 * A frame is verified in place when its turn comes, and handed out in place. Nothing is received
 * and nothing moves while there may be a whole frame in the buffer, or while one that was handed
 * out is being read: that happens in net_flush() only. So a client whose frames are not pulled is
 * not read from, and TCP tells it to wait. */
#include "net/private.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "holdfast/v1/session.pb-c.h"
#include "net/promise.h"

#include <string.h>

enum {
    REQUEST_ID_OFFSET = 24,  /* in the header, see proto/frame.h */
    RECEIVE_BYTES = 1 << 16, /* of one receive, unless a longer frame is known to come */
};

static uint32_t unread_bytes(const struct connection *connection)
{
    return connection->received_end - connection->received_start;
}

bool framing_has_candidate(const struct connection *connection)
{
    return connection->is_blocked || list_is_linked(&connection->ready);
}

/* What is at the head now has not been looked at. */
static void forget_head(struct connection *connection)
{
    connection->head_bytes = 0;
    connection->need_bytes = FRAME_HEADER_BYTES;
}

static void offer(struct connection *connection)
{
    hf_assert(!framing_has_candidate(connection));
    if (unread_bytes(connection) >= connection->need_bytes)
        list_push_tail(&connection->net->ready, &connection->ready);
    else
        connection_touch(connection);
}

void framing_drop(struct connection *connection)
{
    connection->received_start = 0;
    connection->received_end = 0;
    connection->is_blocked = false;
    list_remove(&connection->ready);
    forget_head(connection);
}

void framing_received(struct connection *connection, uint32_t bytes)
{
    connection->received_end += bytes;
    hf_assert(connection->received_end <= connection->net->received_bytes_max);
    offer(connection);
}

void framing_unblock(struct connection *connection)
{
    if (!connection->is_blocked)
        return;
    connection->is_blocked = false;
    list_push_tail(&connection->net->ready, &connection->ready);
}

uint8_t *framing_receive_room(struct connection *connection, uint32_t *bytes_out)
{
    uint32_t unread = unread_bytes(connection);
    if (connection->received_start > 0 && unread > 0)
        memmove(connection->received, connection->received + connection->received_start, unread);
    connection->received_start = 0;
    connection->received_end = unread;

    uint32_t room_bytes = connection->net->received_bytes_max - unread;
    uint32_t missing_bytes = connection->need_bytes - unread;
    uint32_t wanted_bytes = missing_bytes > RECEIVE_BYTES ? missing_bytes : RECEIVE_BYTES;
    *bytes_out = wanted_bytes < room_bytes ? wanted_bytes : room_bytes;
    hf_assert(*bytes_out > 0);
    return connection->received + unread;
}

static int error_code_of(enum frame_status status)
{
    switch (status) {
    case FRAME_BAD_MAGIC:
        return HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_MAGIC;
    case FRAME_BAD_VERSION:
        return HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_VERSION;
    case FRAME_BAD_TYPE:
        return HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_TYPE;
    case FRAME_BAD_LENGTH:
        return HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_LENGTH;
    default:
        hf_assert(status == FRAME_BAD_CHECKSUM);
        return HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_CHECKSUM;
    }
}

/* The stream can't be understood from here on. */
static void refuse(struct connection *connection, enum frame_status status)
{
    const uint8_t *header = connection->received + connection->received_start;
    bool has_our_header = status != FRAME_BAD_MAGIC && status != FRAME_BAD_VERSION;
    uint64_t request_id = has_our_header ? bytes_get_u64(header + REQUEST_ID_OFFSET) : 0;
    connection->net->counts.bad_frames++;
    connection_fault(connection, error_code_of(status), frame_status_text(status), request_id);
}

static uint32_t body_bytes_max_of(const struct connection *connection)
{
    uint32_t bytes_max = connection->net->options.frame_bytes_max - FRAME_HEADER_BYTES;
    bool is_stranger = !connection->is_greeted && bytes_max > NET_HELLO_BODY_BYTES_MAX;
    return is_stranger ? NET_HELLO_BODY_BYTES_MAX : bytes_max;
}

/* True when a verified frame is at the head. */
static bool look_at_head(struct connection *connection)
{
    if (connection->head_bytes > 0)
        return true;
    const uint8_t *bytes = connection->received + connection->received_start;
    size_t need_bytes = 0;
    enum frame_status status =
        frame_parse(bytes, unread_bytes(connection), body_bytes_max_of(connection), true,
                    &connection->head, &need_bytes);
    if (status == FRAME_OK) {
        connection->head_bytes = (uint32_t)need_bytes;
        connection->head_promise = promise_bytes(&connection->head, bytes + FRAME_HEADER_BYTES);
        return true;
    }
    if (status == FRAME_INCOMPLETE) {
        connection->need_bytes = (uint32_t)need_bytes;
        connection_touch(connection);
    } else {
        refuse(connection, status);
    }
    return false;
}

static void hand_out(struct connection *connection, struct net_frame *frame_out)
{
    frame_out->connection = net_id_of(connection);
    frame_out->connection.promised_bytes = connection->head_promise;
    frame_out->header = connection->head;
    frame_out->body = connection->received + connection->received_start + FRAME_HEADER_BYTES;

    connection->promised_bytes += connection->head_promise;
    connection->unanswered_count++;
    connection->received_start += connection->head_bytes;
    /* The next frame, if there is a part of it, has its own time. */
    if (connection->is_greeted && connection->timer_kind == TIMER_PARTIAL)
        connection_timer_stop(connection);
    forget_head(connection);
    offer(connection);
}

bool net_frame_next(struct net *net, struct net_frame *frame_out)
{
    struct list *link;
    while ((link = list_pop_head(&net->ready)) != NULL) {
        struct connection *connection = list_entry(link, struct connection, ready);
        if (!look_at_head(connection))
            continue;
        if (replies_can_promise(connection, connection->head_promise)) {
            hand_out(connection, frame_out);
            return true;
        }
        connection->is_blocked = true;
        connection_touch(connection);
    }
    return false;
}

static uint32_t frame_bytes_of(const struct net_frame *frame)
{
    return FRAME_HEADER_BYTES + frame->header.body_bytes;
}

/* The frame stands right before what was not handed out. */
static void check_is_last_handed_out(const struct connection *connection,
                                     const struct net_frame *frame)
{
    hf_assert(connection->unanswered_count > 0);
    hf_assert(connection->promised_bytes >= frame->connection.promised_bytes);
    hf_assert(frame->body + frame->header.body_bytes ==
              connection->received + connection->received_start);
}

void net_frame_put_back(struct net *net, const struct net_frame *frame)
{
    struct connection *connection = net_find(net, frame->connection);
    if (connection == NULL || connection->phase != PHASE_OPEN)
        return;
    check_is_last_handed_out(connection, frame);
    connection->unanswered_count--;
    connection->promised_bytes -= frame->connection.promised_bytes;
    connection->received_start -= frame_bytes_of(frame);
    connection->head = frame->header;
    connection->head_bytes = frame_bytes_of(frame);
    connection->head_promise = frame->connection.promised_bytes;
    list_remove(&connection->ready);
    list_push_head(&net->ready, &connection->ready);
}

int net_release(struct net *net, const struct net_frame *frame, uint8_t *received_out,
                uint32_t received_bytes_max, uint32_t *received_bytes_out)
{
    struct connection *connection = net_find(net, frame->connection);
    hf_assert(connection != NULL && connection->phase == PHASE_OPEN);
    check_is_last_handed_out(connection, frame);
    hf_assert(!connection->receive.is_pending); /* none is started while frames are handed out */

    uint32_t bytes = frame_bytes_of(frame) + unread_bytes(connection);
    if (bytes > received_bytes_max || connection->unanswered_count > 1 ||
        !replies_all_sent(connection))
        return -1;
    memcpy(received_out, connection->received + connection->received_end - bytes, bytes);
    *received_bytes_out = bytes;
    int fd = connection->fd;
    net_forget(connection);
    return fd;
}
