/* The engine's sockets: operations that wait at connections, and listening. */

#include "base/assert.h"
#include "link.h"
#include "network.h"
#include "private.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CHOSEN_PORT = 40000, CUT_PERMILLE = 250 };

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
    struct listener *listeners;
    uint16_t chosen_port_count;
} sockets;

/* ---- the server's operations ---- */

/* How much of `bytes` is received or sent at once. */
static uint32_t piece_of(uint32_t bytes)
{
    if (bytes > sim_network_options()->piece_bytes_max)
        bytes = sim_network_options()->piece_bytes_max;
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

void sim_socket_try_recv(struct sim_link *link)
{
    struct sim_stream *stream = &link->streams[SIM_TO_SERVER];
    if (!link->has_recv)
        return;
    uint32_t have = sim_stream_arrived(stream);
    if (link->is_server_broken) {
        end_recv(link, -ECONNRESET);
    } else if (have > 0) {
        uint32_t bytes = piece_of(have < link->recv_bytes ? have : link->recv_bytes);
        end_recv(link, (int32_t)sim_stream_take(stream, link->recv_buffer, bytes));
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

void sim_socket_break(struct sim_link *link)
{
    link->is_server_broken = true;
    sim_stream_drop(&link->streams[SIM_TO_SERVER]);
    sim_socket_try_recv(link);
    if (link->has_send)
        end_send(link, sim_happens(SIM_CHANCE_NETWORK, 500) ? -EPIPE : -ECONNRESET);
}

void sim_socket_try_send(struct sim_link *link)
{
    struct sim_stream *stream = &link->streams[SIM_TO_CLIENT];
    uint32_t under_way = stream->flying_bytes + sim_stream_arrived(stream);
    if (!link->has_send)
        return;
    if (link->is_server_broken) {
        sim_socket_break(link);
    } else if (stream->is_end_sent) {
        end_send(link, -EPIPE);
    } else if (under_way < sim_network_options()->buffer_bytes_max) {
        uint32_t room = sim_network_options()->buffer_bytes_max - under_way;
        uint32_t bytes = piece_of(link->send_bytes < room ? link->send_bytes : room);
        if (sim_happens(SIM_CHANCE_NETWORK, sim_network_options()->reset_permille)) {
            sim_link_travel_reset(link, SIM_TO_CLIENT);
            sim_socket_break(link);
            return;
        }
        sim_link_travel(link, SIM_TO_CLIENT, SIM_PARCEL_BYTES, link->send_buffer, bytes);
        end_send(link, (int32_t)bytes);
    }
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
    sim_socket_try_recv(link);
}

void sim_network_send(int fd, sim_token token, const void *buffer, uint32_t bytes)
{
    struct sim_link *link = link_of(fd);
    hf_assert(!link->has_send);
    link->has_send = true;
    link->send_token = token;
    link->send_buffer = buffer;
    link->send_bytes = bytes;
    sim_socket_try_send(link);
}

static void end_sending(struct sim_link *link)
{
    if (!link->is_server_broken && !link->streams[SIM_TO_CLIENT].is_end_sent)
        sim_link_travel(link, SIM_TO_CLIENT, SIM_PARCEL_END, NULL, 0);
    sim_socket_try_send(link);
}

/* The server's end goes. Bytes that it did not read make it a reset. */
static void close_server(struct sim_link *link)
{
    bool is_reset = sim_stream_arrived(&link->streams[SIM_TO_SERVER]) > 0;
    if (!link->is_server_broken && is_reset)
        sim_link_travel_reset(link, SIM_TO_CLIENT);
    else
        end_sending(link);
    link->is_server_open = false;
    link->has_recv = false;
    link->has_send = false;
    sim_link_release(link);
}

/* ---- listening ---- */

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
    for (struct listener *listener = sockets.listeners; listener != NULL; listener = listener->next)
        count += !listener->is_shut;
    if (count == 0)
        return NULL;
    uint64_t chosen = sim_between(SIM_CHANCE_NETWORK, 0, count - 1);
    struct listener *listener = sockets.listeners;
    for (;; listener = listener->next)
        if (!listener->is_shut && chosen-- == 0)
            return listener;
}

bool sim_socket_offer(struct sim_link *link)
{
    struct listener *listener = choose_listener();
    if (listener == NULL)
        return false;
    struct sim_link **last = &listener->backlog;
    while (*last != NULL)
        last = &(*last)->next_waiting;
    *last = link;
    link->is_server_open = true;
    link->reference_count++;
    pair_up(listener);
    return true;
}

int sim_network_listen(const char *port, bool is_shared)
{
    unsigned long number = strtoul(port, NULL, 10);
    if (number == 0)
        number = FIRST_CHOSEN_PORT + sockets.chosen_port_count++;
    for (struct listener *other = sockets.listeners; other != NULL; other = other->next)
        if (other->port == number && !(other->is_shared && is_shared))
            return -EADDRINUSE;
    struct listener *listener = sim_alloc(sizeof *listener);
    struct listener **last = &sockets.listeners;
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
            sim_link_travel_reset(link, SIM_TO_CLIENT);
        sim_link_release(link);
    }
}

static void free_listener(struct listener *listener)
{
    struct listener **link = &sockets.listeners;
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
    sim_socket_try_recv(link);
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

/* ---- the process ends ---- */

/* What the server had sent still arrives, or only what was sent before some moment. */
static void lose_parcels(struct sim_stream *stream)
{
    bool is_lossy = sim_happens(SIM_CHANCE_NETWORK, 500);
    bool is_losing = false;
    for (struct sim_parcel *parcel = stream->head; is_lossy && parcel != NULL;
         parcel = parcel->next) {
        is_losing = is_losing || sim_happens(SIM_CHANCE_NETWORK, 300);
        if (is_losing)
            parcel->kind = SIM_PARCEL_LOST;
    }
}

void sim_network_server_died(void)
{
    while (sockets.listeners != NULL) {
        struct listener *listener = sockets.listeners;
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
        if (!link->is_server_broken && !link->streams[SIM_TO_CLIENT].is_end_sent) {
            lose_parcels(&link->streams[SIM_TO_CLIENT]);
            sim_link_travel_reset(link, SIM_TO_CLIENT);
        }
        sim_link_release(link);
    }
}

void sim_socket_begin(void)
{
    while (sockets.listeners != NULL)
        free_listener(sockets.listeners);
    sockets.chosen_port_count = 0;
}
