/* The table of connections, accepting them, and the turn.
 *
 * The table and all buffers are mapped at start, as address space; a page is taken as it is
 * touched, and a connection's pages are given back when it closes, so that neither many idle
 * connections nor a flood of them keeps memory. */
#include "net/private.h"

#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"
#include "net/promise.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 4096,
    /* Behind the largest frame, so that a receive is never cut to a few bytes. */
    RECEIVE_BYTES_EXTRA = 1 << 16,
};

#define ACCEPT_PAUSE_NS 100000000ull

static_assert((int)PROMISE_BYTES_MAX <= (int)NET_SEND_BYTES_MIN, "every reply can be promised");
static_assert((int)PROMISE_LIST_BYTES <= (int)NET_SEND_BYTES_MIN, "every reply can be promised");

/* ---- life ---- */

static uint32_t round_to_pages(uint64_t bytes)
{
    hf_assert(bytes < UINT32_MAX - PAGE_BYTES);
    return (uint32_t)((bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
}

static bool map_table(struct net *net)
{
    uint32_t count = net->options.connection_count_max;
    net->received_bytes_max =
        round_to_pages((uint64_t)net->options.frame_bytes_max + RECEIVE_BYTES_EXTRA);
    net->filling_bytes_max =
        round_to_pages((uint64_t)net->options.send_bytes_max + NET_NOTICE_BYTES_MAX);
    net->slot_bytes = net->received_bytes_max + 2 * (size_t)net->filling_bytes_max;
    net->buffers_bytes = net->slot_bytes * count;
    net->connections_bytes = sizeof *net->connections * count;
    net->connections = memory_map_sparse(net->connections_bytes);
    net->buffers = memory_map_sparse(net->buffers_bytes);
    net->free_slots = memory_map_sparse(sizeof *net->free_slots * count);
    return net->connections != NULL && net->buffers != NULL && net->free_slots != NULL;
}

struct net *net_create(struct io *io, const struct net_options *options)
{
    hf_assert(options->connection_count_max > 0);
    hf_assert(options->frame_bytes_max > FRAME_HEADER_BYTES);
    hf_assert(options->send_bytes_max >= NET_SEND_BYTES_MIN);
    hf_assert(options->partial_timeout_ns > 0);

    struct net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return NULL;
    net->io = io;
    net->options = *options;
    list_init(&net->ready);
    list_init(&net->todo);
    for (int kind = 0; kind < TIMER_KIND_COUNT; kind++)
        list_init(&net->timers[kind]);
    if (!map_table(net))
        net_destroy(&net);
    return net;
}

void net_destroy(struct net **net_pointer)
{
    struct net *net = *net_pointer;
    if (net == NULL)
        return;
    *net_pointer = NULL;
    memory_unmap(net->connections, net->connections_bytes);
    memory_unmap(net->buffers, net->buffers_bytes);
    memory_unmap(net->free_slots, sizeof *net->free_slots * net->options.connection_count_max);
    free(net);
}

/* ---- the table ---- */

static struct connection *acquire_slot(struct net *net)
{
    uint32_t slot;
    if (net->free_count > 0)
        slot = net->free_slots[--net->free_count];
    else if (net->touched_count < net->options.connection_count_max)
        slot = net->touched_count++;
    else
        return NULL;

    struct connection *connection = &net->connections[slot];
    uint8_t *buffers = net->buffers + slot * net->slot_bytes;
    connection->net = net;
    if (connection->generation == 0)
        connection->generation = 1; /* an id of zeros names nothing */
    connection->received = buffers;
    connection->filling = buffers + net->received_bytes_max;
    connection->sending = buffers + net->received_bytes_max + net->filling_bytes_max;
    net->counts.connections++;
    return connection;
}

void net_forget(struct connection *connection)
{
    struct net *net = connection->net;
    uint32_t slot = (uint32_t)(connection - net->connections);
    uint32_t generation = connection->generation;
    list_remove(&connection->ready);
    list_remove(&connection->todo);
    list_remove(&connection->timer);
    memset(connection, 0, sizeof *connection);
    connection->generation = generation + 1;
    memory_forget(net->buffers + slot * net->slot_bytes, net->slot_bytes);
    net->free_slots[net->free_count++] = slot;
    net->counts.connections--;
}

struct connection *net_find(const struct net *net, struct net_connection_id id)
{
    if (id.slot >= net->touched_count)
        return NULL;
    struct connection *connection = &net->connections[id.slot];
    if (connection->generation != id.generation || connection->phase == PHASE_FREE)
        return NULL;
    return connection;
}

struct net_connection_id net_id_of(const struct connection *connection)
{
    return (struct net_connection_id){
        .slot = (uint32_t)(connection - connection->net->connections),
        .generation = connection->generation,
    };
}

void net_log(struct connection *connection, const char *what)
{
    struct net *net = connection->net;
    struct net_connection_id id = net_id_of(connection);
    if (log_limit_allows(&net->log_limit, net->now_ns))
        diag(DIAG_WARNING, "connection %u.%u is closed: %s", id.slot, id.generation, what);
}

/* ---- accepting ---- */

static bool add(struct net *net, int fd, const uint8_t *received, uint32_t received_bytes)
{
    struct connection *connection = net->is_stopping ? NULL : acquire_slot(net);
    if (connection == NULL) {
        io_close(net->io, fd);
        return false;
    }
    connection_open(connection, fd);
    if (received_bytes > 0) {
        memcpy(connection->received, received, received_bytes);
        framing_received(connection, received_bytes);
    }
    return true;
}

static void refuse_full(struct net *net)
{
    net->counts.refused_full++;
    if (log_limit_allows(&net->log_limit, net->now_ns))
        diag(DIAG_WARNING, "a connection was refused: all %u are in use",
             net->options.connection_count_max);
}

static void pause_accepting(struct net *net, int error)
{
    net->accept_resume_ns = net->now_ns + ACCEPT_PAUSE_NS;
    if (log_limit_allows(&net->log_limit, net->now_ns))
        diag(DIAG_WARNING, "new connections have to wait: accept failed: %s", strerror(error));
}

static void accepted(struct io_op *op, int32_t result)
{
    struct net *net = op->context;
    if (result >= 0) {
        bool is_added = add(net, result, NULL, 0);
        net->counts.accepted += is_added;
        if (!is_added && !net->is_stopping)
            refuse_full(net);
    } else if (result != -ECONNABORTED && !net->is_stopping) {
        pause_accepting(net, -result); /* most likely no descriptors are left */
    }
}

static void start_accepts(struct net *net)
{
    if (!net->is_listening || net->is_stopping || net->now_ns < net->accept_resume_ns)
        return;
    for (int i = 0; i < NET_OPS_LISTEN; i++) {
        struct io_op *op = &net->accepts[i];
        if (op->is_pending)
            continue;
        op->done = accepted;
        op->context = net;
        io_accept(net->io, op, net->listen_fd);
    }
}

void net_listen(struct net *net, int listen_fd)
{
    hf_assert(!net->is_listening);
    net->listen_fd = listen_fd;
    net->is_listening = true;
}

bool net_adopt(struct net *net, int fd, const uint8_t *received, uint32_t received_bytes)
{
    hf_assert(received_bytes <= net->options.frame_bytes_max);
    bool is_added = add(net, fd, received, received_bytes);
    if (!is_added && !net->is_stopping)
        refuse_full(net);
    return is_added;
}

/* ---- what the owner says about a connection ---- */

void net_mark_set(struct net *net, struct net_connection_id id, uint32_t mark)
{
    struct connection *connection = net_find(net, id);
    if (connection != NULL)
        connection->mark = mark;
}

uint32_t net_mark(const struct net *net, struct net_connection_id id)
{
    const struct connection *connection = net_find(net, id);
    return connection == NULL ? 0 : connection->mark;
}

void net_greeted(struct net *net, struct net_connection_id id)
{
    struct connection *connection = net_find(net, id);
    if (connection == NULL || connection->is_greeted)
        return;
    connection->is_greeted = true;
    if (connection->timer_kind == TIMER_PARTIAL)
        connection_timer_stop(connection);
    connection_touch(connection);
}

void net_close_after_send(struct net *net, struct net_connection_id id, const char *reason)
{
    struct connection *connection = net_find(net, id);
    if (connection == NULL)
        return;
    if (reason != NULL)
        net_log(connection, reason);
    connection_close(connection);
}

/* ---- the turn ---- */

static void expire(struct net *net)
{
    for (int kind = 0; kind < TIMER_KIND_COUNT; kind++) {
        struct list *timers = &net->timers[kind];
        while (!list_is_empty(timers)) {
            struct connection *connection = list_entry(timers->next, struct connection, timer);
            if (connection->deadline_ns > net->now_ns)
                break;
            connection_expire(connection); /* takes it off the list */
        }
    }
}

void net_flush(struct net *net, uint64_t now_ns)
{
    net->now_ns = now_ns;
    start_accepts(net);
    expire(net);
    struct list *link;
    while ((link = list_pop_head(&net->todo)) != NULL)
        connection_advance(list_entry(link, struct connection, todo));

    uint64_t withheld_count = log_limit_take_withheld(&net->log_limit, now_ns);
    if (withheld_count > 0)
        diag(DIAG_WARNING, "connections: %llu more lines like these were left out",
             (unsigned long long)withheld_count);
}

uint64_t net_next_timeout_ns(const struct net *net)
{
    uint64_t next_ns = log_limit_next_ns(&net->log_limit);
    if (net->accept_resume_ns > net->now_ns && net->accept_resume_ns < next_ns)
        next_ns = net->accept_resume_ns;
    for (int kind = 0; kind < TIMER_KIND_COUNT; kind++) {
        const struct list *timers = &net->timers[kind];
        if (list_is_empty(timers))
            continue;
        uint64_t deadline_ns = list_entry(timers->next, struct connection, timer)->deadline_ns;
        if (deadline_ns < next_ns)
            next_ns = deadline_ns;
    }
    return next_ns;
}

bool net_has_frames(const struct net *net)
{
    return !list_is_empty(&net->ready);
}

/* ---- the end ---- */

void net_stop(struct net *net, void (*each)(void *context, struct net_connection_id connection),
              void *context)
{
    hf_assert(!net->is_stopping);
    net->is_stopping = true;
    if (net->is_listening)
        io_shutdown(net->io, net->listen_fd); /* ends the pending accepts */
    for (uint32_t slot = 0; slot < net->touched_count; slot++) {
        struct connection *connection = &net->connections[slot];
        if (connection->phase != PHASE_OPEN)
            continue;
        if (connection->is_greeted)
            each(context, net_id_of(connection));
        else
            connection_close(connection);
        connection_touch(connection); /* it has a deadline from now on */
    }
}

bool net_is_idle(const struct net *net)
{
    for (int i = 0; i < NET_OPS_LISTEN; i++)
        if (net->accepts[i].is_pending)
            return false;
    return net->is_stopping && net->counts.connections == 0;
}

struct net_counts net_counts(const struct net *net)
{
    return net->counts;
}
