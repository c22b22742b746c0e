/* The network: connections with a stream in each direction, listening sockets, and the engine's
 * operations that wait at them.
 *
 * What is sent travels as a parcel with a delay of its own and never overtakes the one before it. A
 * parcel is bytes, the end of the stream, or a reset. Each has one event, so the event that comes
 * is that of the first parcel. A connection lives until both ends are closed and all has arrived.
 */

#include "network.h"

#include "base/assert.h"
#include "private.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CHOSEN_PORT = 40000, CUT_PERMILLE = 250 };

enum parcel_kind { PARCEL_BYTES, PARCEL_END, PARCEL_RESET, PARCEL_LOST };

struct parcel {
    struct parcel *next;
    enum parcel_kind kind;
    uint32_t bytes_count;
    uint8_t bytes[];
};

struct stream {
    struct parcel *head; /* on their way */
    struct parcel *tail;
    uint64_t last_arrival_ns;
    uint32_t flying_bytes;
    uint8_t *arrived; /* not received yet */
    uint32_t arrived_start;
    uint32_t arrived_end;
    uint32_t arrived_room;
    bool is_end_sent; /* or a reset: nothing follows */
    bool has_ended;
};

enum direction { TO_SERVER, TO_CLIENT };

struct sim_link {
    struct sim_link *next;
    struct sim_link *previous;
    uint32_t number;
    uint32_t reference_count; /* client, server, events */
    struct stream streams[2]; /* by direction */

    bool is_client_open;
    enum sim_link_state state;
    void (*on_change)(void *context);
    void *context;

    bool is_server_open; /* accepted, or waiting for that */
    bool is_server_broken;
    bool is_receive_shut;
    struct sim_link *next_waiting; /* to be accepted */
    bool has_recv;
    sim_token recv_token;
    uint8_t *recv_buffer;
    uint32_t recv_bytes;
    bool has_send;
    sim_token send_token;
    const uint8_t *send_buffer;
    uint32_t send_bytes;
};

struct accept {
    struct accept *next;
    sim_token token;
};

struct listener {
    struct listener *next;
    int fd;
    uint16_t port;
    bool is_shared;
    bool is_shut;
    struct accept *accepts;   /* oldest first */
    struct sim_link *backlog; /* oldest first */
};

static struct {
    struct sim_network_options options;
    struct listener *listeners;
    struct sim_link *first;
    struct sim_link *last;
    uint32_t link_count;
    uint16_t chosen_port;
} network;

/* ---- links ---- */

static void free_stream(struct stream *stream)
{
    while (stream->head != NULL) {
        struct parcel *parcel = stream->head;
        stream->head = parcel->next;
        sim_free(parcel);
    }
    sim_free(stream->arrived);
}

static void free_link(struct sim_link *link)
{
    free_stream(&link->streams[TO_SERVER]);
    free_stream(&link->streams[TO_CLIENT]);
    if (link->previous == NULL)
        network.first = link->next;
    else
        link->previous->next = link->next;
    if (link->next == NULL)
        network.last = link->previous;
    else
        link->next->previous = link->previous;
    sim_free(link);
}

static void release(struct sim_link *link)
{
    hf_assert(link->reference_count > 0);
    if (--link->reference_count == 0)
        free_link(link);
}

static uint64_t delay_ns(void)
{
    return sim_between(SIM_CHANCE_NETWORK, network.options.delay_ns_min,
                       network.options.delay_ns_max);
}

static void arrives(void *context, uint64_t direction);

static void travel(struct sim_link *link, enum direction direction, enum parcel_kind kind,
                   const void *bytes, uint32_t bytes_count)
{
    struct stream *stream = &link->streams[direction];
    struct parcel *parcel = sim_alloc(sizeof *parcel + bytes_count);
    hf_assert(!stream->is_end_sent);
    parcel->kind = kind;
    parcel->bytes_count = bytes_count;
    if (bytes_count > 0)
        memcpy(parcel->bytes, bytes, bytes_count);
    if (stream->head == NULL)
        stream->head = parcel;
    else
        stream->tail->next = parcel;
    stream->tail = parcel;
    stream->flying_bytes += bytes_count;
    stream->is_end_sent = kind != PARCEL_BYTES;

    uint64_t at_ns = sim_now_ns() + delay_ns();
    if (at_ns < stream->last_arrival_ns)
        at_ns = stream->last_arrival_ns;
    stream->last_arrival_ns = at_ns;
    link->reference_count++;
    sim_at(at_ns, arrives, link, direction);
}

/* A reset follows even the end of a stream. */
static void travel_reset(struct sim_link *link, enum direction direction)
{
    link->streams[direction].is_end_sent = false;
    travel(link, direction, PARCEL_RESET, NULL, 0);
}

static uint32_t arrived_bytes(const struct stream *stream)
{
    return stream->arrived_end - stream->arrived_start;
}

static void drop_arrived(struct stream *stream)
{
    stream->arrived_start = 0;
    stream->arrived_end = 0;
}

static void append_arrived(struct stream *stream, const struct parcel *parcel)
{
    if (stream->arrived_room - stream->arrived_end < parcel->bytes_count) {
        uint32_t have = arrived_bytes(stream);
        if (have > 0)
            memmove(stream->arrived, stream->arrived + stream->arrived_start, have);
        stream->arrived_start = 0;
        stream->arrived_end = have;
        uint32_t room = stream->arrived_room == 0 ? 1024 : stream->arrived_room;
        while (room - have < parcel->bytes_count)
            room *= 2;
        stream->arrived = sim_grow(stream->arrived, room);
        stream->arrived_room = room;
    }
    memcpy(stream->arrived + stream->arrived_end, parcel->bytes, parcel->bytes_count);
    stream->arrived_end += parcel->bytes_count;
}

static uint32_t take_arrived(struct stream *stream, void *to, uint32_t bytes)
{
    if (bytes > arrived_bytes(stream))
        bytes = arrived_bytes(stream);
    if (bytes > 0)
        memcpy(to, stream->arrived + stream->arrived_start, bytes);
    stream->arrived_start += bytes;
    if (arrived_bytes(stream) == 0)
        drop_arrived(stream);
    return bytes;
}

/* ---- the server's operations ---- */

/* How much of `bytes` is received or sent at once. */
static uint32_t piece_of(uint32_t bytes)
{
    if (bytes > network.options.piece_bytes_max)
        bytes = network.options.piece_bytes_max;
    bool is_cut = sim_happens(SIM_CHANCE_NETWORK, CUT_PERMILLE);
    uint32_t cut_bytes = (uint32_t)sim_between(SIM_CHANCE_NETWORK, 1, bytes);
    return is_cut ? cut_bytes : bytes;
}

static void end_recv(struct sim_link *link, int32_t result)
{
    link->has_recv = false;
    sim_trace("net %u received: %d", link->number, result);
    sim_io_complete(link->recv_token, result);
}

static void try_recv(struct sim_link *link)
{
    struct stream *stream = &link->streams[TO_SERVER];
    if (!link->has_recv)
        return;
    uint32_t have = arrived_bytes(stream);
    if (link->is_server_broken) {
        end_recv(link, -ECONNRESET);
    } else if (have > 0) {
        uint32_t bytes = piece_of(have < link->recv_bytes ? have : link->recv_bytes);
        end_recv(link, (int32_t)take_arrived(stream, link->recv_buffer, bytes));
    } else if (stream->has_ended || link->is_receive_shut) {
        end_recv(link, 0);
    }
}

static void end_send(struct sim_link *link, int32_t result)
{
    link->has_send = false;
    sim_trace("net %u sent: %d", link->number, result);
    sim_io_complete(link->send_token, result);
}

static void break_server(struct sim_link *link)
{
    link->is_server_broken = true;
    drop_arrived(&link->streams[TO_SERVER]);
    try_recv(link);
    if (link->has_send)
        end_send(link, sim_happens(SIM_CHANCE_NETWORK, 500) ? -EPIPE : -ECONNRESET);
}

static void try_send(struct sim_link *link)
{
    struct stream *stream = &link->streams[TO_CLIENT];
    uint32_t under_way = stream->flying_bytes + arrived_bytes(stream);
    if (!link->has_send)
        return;
    if (link->is_server_broken) {
        break_server(link);
    } else if (stream->is_end_sent) {
        end_send(link, -EPIPE);
    } else if (under_way < network.options.buffer_bytes_max) {
        uint32_t room = network.options.buffer_bytes_max - under_way;
        uint32_t bytes = piece_of(link->send_bytes < room ? link->send_bytes : room);
        if (sim_happens(SIM_CHANCE_NETWORK, network.options.reset_permille)) {
            travel_reset(link, TO_CLIENT);
            break_server(link);
            return;
        }
        travel(link, TO_CLIENT, PARCEL_BYTES, link->send_buffer, bytes);
        end_send(link, (int32_t)bytes);
    }
}

/* ---- arriving ---- */

static void arrive_at_server(struct sim_link *link, const struct parcel *parcel)
{
    struct stream *stream = &link->streams[TO_SERVER];
    if (!link->is_server_open) {
        bool is_answered =
            parcel->kind == PARCEL_BYTES && link->is_client_open && link->state != SIM_LINK_BROKEN;
        if (is_answered)
            travel_reset(link, TO_CLIENT);
        return;
    }
    if (parcel->kind == PARCEL_RESET) {
        break_server(link);
        return;
    }
    if (link->is_server_broken)
        return;
    if (parcel->kind == PARCEL_BYTES && !link->is_receive_shut)
        append_arrived(stream, parcel);
    else if (parcel->kind == PARCEL_END)
        stream->has_ended = true;
    try_recv(link);
}

static void arrive_at_client(struct sim_link *link, const struct parcel *parcel)
{
    struct stream *stream = &link->streams[TO_CLIENT];
    if (!link->is_client_open) {
        if (parcel->kind == PARCEL_BYTES && link->is_server_open && !link->is_server_broken)
            travel_reset(link, TO_SERVER);
        return;
    }
    if (link->state == SIM_LINK_BROKEN)
        return;
    if (parcel->kind == PARCEL_BYTES) {
        append_arrived(stream, parcel);
    } else if (parcel->kind == PARCEL_END) {
        link->state = SIM_LINK_ENDED;
    } else {
        link->state = SIM_LINK_BROKEN;
        drop_arrived(stream);
    }
    link->on_change(link->context);
}

static void arrives(void *context, uint64_t direction)
{
    struct sim_link *link = context;
    struct stream *stream = &link->streams[direction];
    struct parcel *parcel = stream->head;
    stream->head = parcel->next;
    stream->flying_bytes -= parcel->bytes_count;
    if (parcel->kind != PARCEL_LOST) {
        if (direction == TO_SERVER)
            arrive_at_server(link, parcel);
        else
            arrive_at_client(link, parcel);
    }
    sim_free(parcel);
    release(link);
}

/* ---- connecting ---- */

static void accept_link(struct listener *listener, struct sim_link *link)
{
    struct accept *accept = listener->accepts;
    int fd = sim_descriptor_add(SIM_DESCRIPTOR_SOCKET, link);
    listener->accepts = accept->next;
    sim_trace("net %u accepted as %d", link->number, fd);
    sim_io_complete(accept->token, fd);
    sim_free(accept);
}

static void pair_up(struct listener *listener)
{
    while (listener->accepts != NULL && listener->backlog != NULL) {
        struct sim_link *link = listener->backlog;
        listener->backlog = link->next_waiting;
        accept_link(listener, link);
    }
}

static struct listener *choose_listener(void)
{
    uint32_t count = 0;
    for (struct listener *listener = network.listeners; listener != NULL; listener = listener->next)
        count += !listener->is_shut;
    if (count == 0)
        return NULL;
    uint64_t chosen = sim_between(SIM_CHANCE_NETWORK, 0, count - 1);
    struct listener *listener = network.listeners;
    for (;; listener = listener->next)
        if (!listener->is_shut && chosen-- == 0)
            return listener;
}

static void connects(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    (void)argument;
    if (link->is_client_open) {
        struct listener *listener = choose_listener();
        link->state = listener == NULL ? SIM_LINK_BROKEN : SIM_LINK_OPEN;
        sim_trace("net %u %s", link->number, listener == NULL ? "refused" : "connected");
        if (listener != NULL) {
            struct sim_link **last = &listener->backlog;
            while (*last != NULL)
                last = &(*last)->next_waiting;
            *last = link;
            link->is_server_open = true;
            link->reference_count++;
            pair_up(listener);
        }
        link->on_change(link->context);
    }
    release(link);
}

/* ---- the client's end ---- */

struct sim_link *sim_link_connect(void (*on_change)(void *context), void *context)
{
    struct sim_link *link = sim_alloc(sizeof *link);
    link->number = ++network.link_count;
    link->reference_count = 2; /* the client, the event */
    link->is_client_open = true;
    link->on_change = on_change;
    link->context = context;
    link->previous = network.last;
    if (network.last == NULL)
        network.first = link;
    else
        network.last->next = link;
    network.last = link;
    sim_at(sim_now_ns() + delay_ns(), connects, link, 0);
    return link;
}

enum sim_link_state sim_link_state(const struct sim_link *link)
{
    return link->state;
}

void sim_link_send(struct sim_link *link, const void *bytes, uint32_t bytes_count)
{
    hf_assert(link->is_client_open);
    hf_assert(link->state != SIM_LINK_CONNECTING);
    hf_assert(bytes_count > 0);
    if (link->state == SIM_LINK_BROKEN || link->streams[TO_SERVER].is_end_sent)
        return;
    if (sim_happens(SIM_CHANCE_NETWORK, network.options.reset_permille)) {
        travel_reset(link, TO_SERVER);
        travel_reset(link, TO_CLIENT);
        return;
    }
    uint32_t first_bytes = bytes_count;
    if (sim_happens(SIM_CHANCE_NETWORK, CUT_PERMILLE))
        first_bytes = (uint32_t)sim_between(SIM_CHANCE_NETWORK, 1, bytes_count);
    travel(link, TO_SERVER, PARCEL_BYTES, bytes, first_bytes);
    if (first_bytes < bytes_count)
        travel(link, TO_SERVER, PARCEL_BYTES, (const uint8_t *)bytes + first_bytes,
               bytes_count - first_bytes);
}

uint32_t sim_link_receive(struct sim_link *link, void *to, uint32_t bytes_max)
{
    hf_assert(link->is_client_open);
    uint32_t bytes = take_arrived(&link->streams[TO_CLIENT], to, bytes_max);
    if (bytes > 0)
        try_send(link);
    return bytes;
}

/* With bytes that nobody will read, the end is a reset. */
void sim_link_close(struct sim_link *link, bool is_reset)
{
    struct stream *stream = &link->streams[TO_SERVER];
    hf_assert(link->is_client_open);
    is_reset |= arrived_bytes(&link->streams[TO_CLIENT]) > 0;
    link->is_client_open = false;
    drop_arrived(&link->streams[TO_CLIENT]);
    if (link->is_server_open && !link->is_server_broken && !stream->is_end_sent) {
        if (is_reset)
            travel_reset(link, TO_SERVER);
        else
            travel(link, TO_SERVER, PARCEL_END, NULL, 0);
    }
    release(link);
}

/* ---- the engine's sockets ---- */

static struct sim_link *link_of(int fd)
{
    return sim_descriptor_of(fd, SIM_DESCRIPTOR_SOCKET)->object;
}

void sim_network_recv(int fd, sim_token token, void *buffer, uint32_t bytes)
{
    struct sim_link *link = link_of(fd);
    hf_assert(!link->has_recv);
    link->has_recv = true;
    link->recv_token = token;
    link->recv_buffer = buffer;
    link->recv_bytes = bytes;
    try_recv(link);
}

void sim_network_send(int fd, sim_token token, const void *buffer, uint32_t bytes)
{
    struct sim_link *link = link_of(fd);
    hf_assert(!link->has_send);
    link->has_send = true;
    link->send_token = token;
    link->send_buffer = buffer;
    link->send_bytes = bytes;
    try_send(link);
}

static void end_sending(struct sim_link *link)
{
    if (!link->is_server_broken && !link->streams[TO_CLIENT].is_end_sent)
        travel(link, TO_CLIENT, PARCEL_END, NULL, 0);
    try_send(link);
}

/* The server's end goes. Bytes that it did not read make it a reset. */
static void close_server(struct sim_link *link)
{
    bool is_reset = arrived_bytes(&link->streams[TO_SERVER]) > 0;
    if (!link->is_server_broken && is_reset)
        travel_reset(link, TO_CLIENT);
    else
        end_sending(link);
    link->is_server_open = false;
    link->has_recv = false;
    link->has_send = false;
    release(link);
}

/* ---- listening ---- */

int sim_network_listen(const char *port, bool is_shared)
{
    unsigned long number = strtoul(port, NULL, 10);
    if (number == 0)
        number = FIRST_CHOSEN_PORT + network.chosen_port++;
    for (struct listener *other = network.listeners; other != NULL; other = other->next)
        if (other->port == number && !(other->is_shared && is_shared))
            return -EADDRINUSE;
    struct listener *listener = sim_alloc(sizeof *listener);
    struct listener **last = &network.listeners;
    while (*last != NULL)
        last = &(*last)->next;
    *last = listener;
    listener->port = (uint16_t)number;
    listener->is_shared = is_shared;
    listener->fd = sim_descriptor_add(SIM_DESCRIPTOR_LISTENER, listener);
    return listener->fd;
}

uint16_t sim_network_listen_port(int fd)
{
    const struct listener *listener = sim_descriptor_of(fd, SIM_DESCRIPTOR_LISTENER)->object;
    return listener->port;
}

static void end_accept(struct listener *listener, int32_t result)
{
    struct accept *accept = listener->accepts;
    listener->accepts = accept->next;
    sim_io_complete(accept->token, result);
    sim_free(accept);
}

void sim_network_accept(int fd, sim_token token)
{
    struct listener *listener = sim_descriptor_of(fd, SIM_DESCRIPTOR_LISTENER)->object;
    struct accept *accept = sim_alloc(sizeof *accept);
    struct accept **last = &listener->accepts;
    while (*last != NULL)
        last = &(*last)->next;
    *last = accept;
    accept->token = token;
    if (listener->is_shut)
        end_accept(listener, -EINVAL);
    else
        pair_up(listener);
}

static void drop_backlog(struct listener *listener)
{
    while (listener->backlog != NULL) {
        struct sim_link *link = listener->backlog;
        listener->backlog = link->next_waiting;
        link->is_server_open = false;
        if (!link->is_server_broken)
            travel_reset(link, TO_CLIENT);
        release(link);
    }
}

static void free_listener(struct listener *listener)
{
    struct listener **link = &network.listeners;
    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    while (listener->accepts != NULL) {
        struct accept *accept = listener->accepts;
        listener->accepts = accept->next;
        sim_free(accept);
    }
    sim_free(listener);
}

void sim_network_shutdown(int fd, bool is_send_only)
{
    const struct sim_descriptor *descriptor = sim_descriptor(fd);
    if (descriptor->kind == SIM_DESCRIPTOR_LISTENER) {
        struct listener *listener = descriptor->object;
        hf_assert(!is_send_only);
        listener->is_shut = true;
        while (listener->accepts != NULL)
            end_accept(listener, -EINVAL);
        drop_backlog(listener);
        return;
    }
    struct sim_link *link = link_of(fd);
    end_sending(link);
    if (is_send_only)
        return;
    link->is_receive_shut = true;
    try_recv(link);
}

void sim_network_close(int fd)
{
    const struct sim_descriptor *descriptor = sim_descriptor(fd);
    void *object = descriptor->object;
    bool is_listener = descriptor->kind == SIM_DESCRIPTOR_LISTENER;
    sim_descriptor_close(fd);
    if (is_listener) {
        drop_backlog(object);
        free_listener(object);
        return;
    }
    sim_trace("net %u closed", ((struct sim_link *)object)->number);
    close_server(object);
}

/* ---- life ---- */

/* What the server had sent still arrives, or only what was sent before some moment. */
static void lose_parcels(struct stream *stream)
{
    bool is_lossy = sim_happens(SIM_CHANCE_NETWORK, 500);
    bool is_losing = false;
    for (struct parcel *parcel = stream->head; is_lossy && parcel != NULL; parcel = parcel->next) {
        is_losing = is_losing || sim_happens(SIM_CHANCE_NETWORK, 300);
        if (is_losing)
            parcel->kind = PARCEL_LOST;
    }
}

void sim_network_server_died(void)
{
    while (network.listeners != NULL) {
        struct listener *listener = network.listeners;
        sim_descriptor_close(listener->fd);
        drop_backlog(listener);
        free_listener(listener);
    }
    for (int fd = sim_descriptor_next(0); fd >= 0; fd = sim_descriptor_next(fd + 1)) {
        if (sim_descriptor(fd)->kind != SIM_DESCRIPTOR_SOCKET)
            continue;
        struct sim_link *link = link_of(fd);
        sim_descriptor_close(fd);
        link->is_server_open = false;
        link->has_recv = false;
        link->has_send = false;
        if (!link->is_server_broken && !link->streams[TO_CLIENT].is_end_sent) {
            lose_parcels(&link->streams[TO_CLIENT]);
            travel_reset(link, TO_CLIENT);
        }
        release(link);
    }
}

void sim_network_begin(void)
{
    while (network.listeners != NULL)
        free_listener(network.listeners);
    while (network.first != NULL)
        free_link(network.first);
    memset(&network, 0, sizeof network);
    network.options = (struct sim_network_options){
        .delay_ns_min = 10 * SIM_US,
        .delay_ns_max = 200 * SIM_US,
        .piece_bytes_max = UINT32_MAX,
        .buffer_bytes_max = 1 << 20,
    };
}

void sim_network_set_options(const struct sim_network_options *options)
{
    hf_assert(options->delay_ns_min <= options->delay_ns_max);
    hf_assert(options->piece_bytes_max > 0);
    hf_assert(options->buffer_bytes_max > 0);
    network.options = *options;
}
