/* The life of one connection. What happens to it (bytes came, a reply was written, its time is
 * over) only changes its state and puts it on the list of those to look at; connection_advance(),
 * called from net_flush(), is the one place that derives from the state what is to be started.
 *
 *      OPEN ──────────────> CLOSING ──────────> DRAINING ──────────> closed
 *        input over and all          all sent             the peer has
 *        frames answered                                  ended too
 *
 * From every phase an error of the socket, or a time-out of the later ones, leads to ABORTING: the
 * socket is shut down, and closed when the operations in flight have come back. */
#include "net/private.h"

#include "base/assert.h"
#include "holdfast/v1/session.pb-c.h"

#include <string.h>

#define LINGER_NS 250000000ull

/* ---- deadlines ---- */

static uint64_t timer_duration_ns(const struct net *net, enum timer_kind kind)
{
    return kind == TIMER_PARTIAL ? net->options.partial_timeout_ns : LINGER_NS;
}

void connection_timer_stop(struct connection *connection)
{
    list_remove(&connection->timer);
    connection->timer_kind = TIMER_NONE;
}

static enum timer_kind timer_wanted(const struct connection *connection)
{
    if (connection->phase == PHASE_ABORTING)
        return TIMER_NONE;
    if (connection->phase == PHASE_DRAINING)
        return TIMER_LINGER;
    if (connection->is_input_over)
        return TIMER_PARTIAL; /* replies are still to be made, or to be taken by the peer */
    if (connection->net->is_stopping)
        return TIMER_LINGER;
    if (!connection->is_greeted)
        return TIMER_PARTIAL;
    bool has_partial =
        connection->received_end > connection->received_start && !framing_has_candidate(connection);
    return has_partial ? TIMER_PARTIAL : TIMER_NONE;
}

/* A deadline that is wanted already stays as it is. */
static void timer_update(struct connection *connection)
{
    struct net *net = connection->net;
    enum timer_kind wanted = timer_wanted(connection);
    if (connection->timer_kind == wanted)
        return;
    connection_timer_stop(connection);
    if (wanted == TIMER_NONE)
        return;
    connection->timer_kind = (uint8_t)wanted;
    connection->deadline_ns = net->now_ns + timer_duration_ns(net, wanted);
    list_push_tail(&net->timers[wanted], &connection->timer);
}

/* ---- what happens ---- */

void connection_open(struct connection *connection, int fd)
{
    hf_assert(connection->phase == PHASE_FREE);
    connection->fd = fd;
    connection->phase = PHASE_OPEN;
    connection->need_bytes = FRAME_HEADER_BYTES;
    list_init(&connection->ready);
    list_init(&connection->todo);
    list_init(&connection->timer);
    connection_touch(connection);
}

void connection_touch(struct connection *connection)
{
    if (!list_is_linked(&connection->todo))
        list_push_tail(&connection->net->todo, &connection->todo);
}

static void end_input(struct connection *connection)
{
    connection->is_input_over = true;
    framing_drop(connection);
    connection_timer_stop(connection); /* the next phase has its own time */
    connection_touch(connection);
}

void connection_fault(struct connection *connection, int error_code, const char *detail,
                      uint64_t request_id)
{
    hf_assert(connection->phase == PHASE_OPEN);
    net_log(connection, detail);
    connection->fault_code = error_code;
    connection->fault_detail = detail;
    connection->fault_request_id = request_id;
    end_input(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->phase != PHASE_OPEN)
        return;
    end_input(connection);
    connection->phase = PHASE_CLOSING;
}

void connection_abort(struct connection *connection)
{
    if (connection->phase == PHASE_ABORTING)
        return;
    end_input(connection);
    connection->phase = PHASE_ABORTING;
    if (connection->receive.is_pending || connection->send.is_pending)
        io_shutdown(connection->net->io, connection->fd);
}

void connection_expire(struct connection *connection)
{
    if (connection->phase != PHASE_OPEN || connection->is_input_over) {
        connection_abort(connection);
    } else if (connection->net->is_stopping) {
        end_input(connection);
    } else {
        connection->net->counts.timed_out++;
        connection_fault(connection, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_TIMEOUT,
                         connection->is_greeted ? "the rest of a frame did not come in time"
                                                : "no Hello came in time",
                         0);
    }
}

/* ---- receiving ---- */

static void received(struct io_op *op, int32_t result)
{
    struct connection *connection = op->context;
    connection_touch(connection);
    if (result < 0) {
        connection_abort(connection);
    } else if (result == 0) {
        connection->is_peer_done = true;
        connection->is_input_over = true;
    } else {
        connection->net->counts.bytes_received += (uint32_t)result;
        if (connection->phase == PHASE_OPEN && !connection->is_input_over)
            framing_received(connection, (uint32_t)result);
    }
}

static bool wants_to_receive(const struct connection *connection)
{
    if (connection->receive.is_pending || connection->is_peer_done)
        return false;
    if (connection->phase == PHASE_DRAINING)
        return true;
    return connection->phase == PHASE_OPEN && !connection->is_input_over &&
           !framing_has_candidate(connection);
}

static void receive(struct connection *connection)
{
    uint32_t bytes;
    uint8_t *room = framing_receive_room(connection, &bytes);
    connection->receive.done = received;
    connection->receive.context = connection;
    io_recv(connection->net->io, &connection->receive, connection->fd, room, bytes);
}

/* ---- what is to be started ---- */

/* True when nothing more will come out of it but its last words. */
static bool is_finished(const struct connection *connection)
{
    return connection->is_input_over && !framing_has_candidate(connection) &&
           connection->unanswered_count == 0;
}

static void advance_phase(struct connection *connection)
{
    if (connection->phase == PHASE_OPEN && is_finished(connection) &&
        (connection->fault_code == 0 || replies_write_fault(connection)))
        connection->phase = PHASE_CLOSING;

    if (connection->phase == PHASE_OPEN || connection->phase == PHASE_CLOSING)
        replies_send(connection);

    if (connection->phase == PHASE_CLOSING && replies_all_sent(connection)) {
        connection->phase = PHASE_DRAINING;
        if (!connection->is_peer_done)
            io_shutdown_send(connection->net->io, connection->fd);
    }
    if (connection->phase == PHASE_DRAINING && connection->is_peer_done)
        connection_abort(connection);
}

void connection_advance(struct connection *connection)
{
    struct net *net = connection->net;
    advance_phase(connection);
    if (connection->phase == PHASE_ABORTING) {
        if (!connection->receive.is_pending && !connection->send.is_pending) {
            io_close(net->io, connection->fd);
            net_forget(connection);
        }
        return;
    }
    if (wants_to_receive(connection))
        receive(connection);
    timer_update(connection);
}
