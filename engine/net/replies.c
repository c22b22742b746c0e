/* Bytes out: one send buffer fills while the other one is in flight.
 *
 * What may still have to be written into the filling buffer is bounded by the promises made with
 * the frames that are not answered yet:
 *
 *      filling_bytes + promised_bytes <= send_bytes_max + one notice
 *
 * A swap only empties the filling buffer, and a reply uses at most its own promise, so a reply
 * always finds its room. */
#include "net/private.h"

#include "base/assert.h"
#include "holdfast/v1/session.pb-c.h"
#include "proto/message.h"

#include <string.h>

bool replies_can_promise(const struct connection *connection, uint32_t frame_bytes)
{
    uint64_t spoken_for = (uint64_t)connection->filling_bytes + connection->promised_bytes;
    return spoken_for + frame_bytes <= connection->net->options.send_bytes_max;
}

static bool has_room_for_notice(const struct connection *connection, uint32_t frame_bytes)
{
    uint64_t spoken_for = (uint64_t)connection->filling_bytes + connection->promised_bytes;
    return spoken_for + frame_bytes <= connection->net->filling_bytes_max;
}

uint8_t *net_reply_begin(struct net *net, struct net_connection_id id, uint32_t frame_bytes)
{
    struct connection *connection = net_find(net, id);
    if (connection == NULL || connection->phase != PHASE_OPEN)
        return NULL;
    if (id.promised_bytes > 0) {
        hf_assert(frame_bytes <= id.promised_bytes);
        hf_assert(id.promised_bytes <= connection->promised_bytes);
    } else {
        hf_assert(frame_bytes <= NET_NOTICE_BYTES_MAX);
        if (!has_room_for_notice(connection, frame_bytes))
            return NULL;
    }
    return connection->filling + connection->filling_bytes;
}

static void keep_promise(struct connection *connection, uint32_t promised_bytes)
{
    hf_assert(connection->unanswered_count > 0);
    hf_assert(connection->promised_bytes >= promised_bytes);
    connection->promised_bytes -= promised_bytes;
    connection->unanswered_count--;
    hf_assert(connection->unanswered_count > 0 || connection->promised_bytes == 0);
    framing_unblock(connection);
}

void net_reply_commit(struct net *net, struct net_connection_id id, uint32_t frame_bytes)
{
    struct connection *connection = net_find(net, id);
    hf_assert(connection != NULL && connection->phase == PHASE_OPEN);
    hf_assert(frame_bytes >= FRAME_HEADER_BYTES);
    hf_assert(frame_bytes <= (id.promised_bytes > 0 ? id.promised_bytes : NET_NOTICE_BYTES_MAX));
    connection->filling_bytes += frame_bytes;
    hf_assert(connection->filling_bytes <= net->filling_bytes_max);
    if (id.promised_bytes > 0)
        keep_promise(connection, id.promised_bytes);
    connection_touch(connection);
}

bool replies_write_fault(struct connection *connection)
{
    if (!has_room_for_notice(connection, NET_NOTICE_BYTES_MAX))
        return false;
    Holdfast__V1__ErrorResponse error = HOLDFAST__V1__ERROR_RESPONSE__INIT;
    error.code = (Holdfast__V1__ErrorCode)connection->fault_code;
    error.detail.data = (uint8_t *)(uintptr_t)connection->fault_detail;
    error.detail.len = strlen(connection->fault_detail);
    size_t frame_bytes =
        message_encode_frame(&error.base, FRAME_ERROR, connection->fault_request_id,
                             connection->filling + connection->filling_bytes, NET_NOTICE_BYTES_MAX);
    hf_assert(frame_bytes > 0);
    connection->filling_bytes += (uint32_t)frame_bytes;
    return true;
}

bool replies_all_sent(const struct connection *connection)
{
    return connection->filling_bytes == 0 && connection->sending_bytes == 0;
}

static void sent(struct io_op *op, int32_t result)
{
    struct connection *connection = op->context;
    connection_touch(connection);
    if (result <= 0) {
        connection_abort(connection); /* the peer is gone */
        return;
    }
    connection->net->counts.bytes_sent += (uint32_t)result;
    connection->sent_bytes += (uint32_t)result;
    hf_assert(connection->sent_bytes <= connection->sending_bytes);
    if (connection->sent_bytes == connection->sending_bytes) {
        connection->sending_bytes = 0;
        connection->sent_bytes = 0;
    }
}

static void swap_buffers(struct connection *connection)
{
    uint8_t *filled = connection->filling;
    connection->filling = connection->sending;
    connection->sending = filled;
    connection->sending_bytes = connection->filling_bytes;
    connection->filling_bytes = 0;
    framing_unblock(connection);
}

void replies_send(struct connection *connection)
{
    if (connection->send.is_pending || replies_all_sent(connection))
        return;
    if (connection->sending_bytes == 0)
        swap_buffers(connection);
    connection->send.done = sent;
    connection->send.context = connection;
    io_send(connection->net->io, &connection->send, connection->fd,
            connection->sending + connection->sent_bytes,
            connection->sending_bytes - connection->sent_bytes);
}
