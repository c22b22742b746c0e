/* The network: connections with a stream in each direction, and the clients' ends of them.
 *
 * What is sent travels as a parcel with a delay of its own and never overtakes the one before it. A
 * parcel is bytes, the end of the stream, or a reset. Each has one event, so the event that comes
 * is that of the first parcel. A connection lives until both ends are closed and all has arrived.
 */

#include "network.h"

#include "base/assert.h"
#include "link.h"
#include "private.h"
#include "world.h"

#include <string.h>

enum { CUT_PERMILLE = 250 };

static struct {
    struct sim_network_options options;
    struct sim_link *first;
    struct sim_link *last;
    uint32_t link_count;
} network;

/* ---- links ---- */

static void free_stream(struct sim_stream *stream)
{
    while (stream->head != NULL) {
        struct sim_parcel *parcel = stream->head;
        stream->head = parcel->next;
        sim_free(parcel);
    }
    sim_free(stream->arrived);
}

static void free_link(struct sim_link *link)
{
    free_stream(&link->streams[SIM_TO_SERVER]);
    free_stream(&link->streams[SIM_TO_CLIENT]);
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

void sim_link_release(struct sim_link *link)
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

void sim_link_travel(struct sim_link *link, enum sim_direction direction, enum sim_parcel_kind kind,
                     const void *bytes, uint32_t bytes_count)
{
    struct sim_stream *stream = &link->streams[direction];
    struct sim_parcel *parcel = sim_alloc(sizeof *parcel + bytes_count);
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
    stream->is_end_sent = kind != SIM_PARCEL_BYTES;

    uint64_t at_ns = sim_now_ns() + delay_ns();
    if (at_ns < stream->last_arrival_ns)
        at_ns = stream->last_arrival_ns;
    stream->last_arrival_ns = at_ns;
    link->reference_count++;
    sim_at(at_ns, arrives, link, direction);
}

/* A reset follows even the end of a stream. */
void sim_link_travel_reset(struct sim_link *link, enum sim_direction direction)
{
    link->streams[direction].is_end_sent = false;
    sim_link_travel(link, direction, SIM_PARCEL_RESET, NULL, 0);
}

uint32_t sim_stream_arrived(const struct sim_stream *stream)
{
    return stream->arrived_end - stream->arrived_start;
}

void sim_stream_drop(struct sim_stream *stream)
{
    stream->arrived_start = 0;
    stream->arrived_end = 0;
}

static void append_arrived(struct sim_stream *stream, const struct sim_parcel *parcel)
{
    if (stream->arrived_room - stream->arrived_end < parcel->bytes_count) {
        uint32_t have = sim_stream_arrived(stream);
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

uint32_t sim_stream_take(struct sim_stream *stream, void *to, uint32_t bytes)
{
    if (bytes > sim_stream_arrived(stream))
        bytes = sim_stream_arrived(stream);
    if (bytes > 0)
        memcpy(to, stream->arrived + stream->arrived_start, bytes);
    stream->arrived_start += bytes;
    if (sim_stream_arrived(stream) == 0)
        sim_stream_drop(stream);
    return bytes;
}

/* ---- arriving ---- */

static void arrive_at_server(struct sim_link *link, const struct sim_parcel *parcel)
{
    struct sim_stream *stream = &link->streams[SIM_TO_SERVER];
    if (!link->is_server_open) {
        bool is_answered = parcel->kind == SIM_PARCEL_BYTES && link->is_client_open &&
                           link->state != SIM_LINK_BROKEN;
        if (is_answered)
            sim_link_travel_reset(link, SIM_TO_CLIENT);
        return;
    }
    if (parcel->kind == SIM_PARCEL_RESET) {
        sim_socket_break(link);
        return;
    }
    if (link->is_server_broken)
        return;
    if (parcel->kind == SIM_PARCEL_BYTES && !link->is_receive_shut)
        append_arrived(stream, parcel);
    else if (parcel->kind == SIM_PARCEL_END)
        stream->has_ended = true;
    sim_socket_try_recv(link);
}

static void arrive_at_client(struct sim_link *link, const struct sim_parcel *parcel)
{
    struct sim_stream *stream = &link->streams[SIM_TO_CLIENT];
    if (!link->is_client_open) {
        if (parcel->kind == SIM_PARCEL_BYTES && link->is_server_open && !link->is_server_broken)
            sim_link_travel_reset(link, SIM_TO_SERVER);
        return;
    }
    if (link->state == SIM_LINK_BROKEN)
        return;
    if (parcel->kind == SIM_PARCEL_BYTES) {
        append_arrived(stream, parcel);
    } else if (parcel->kind == SIM_PARCEL_END) {
        link->state = SIM_LINK_ENDED;
    } else {
        link->state = SIM_LINK_BROKEN;
        sim_stream_drop(stream);
    }
    link->on_change(link->context);
}

static void arrives(void *context, uint64_t direction)
{
    struct sim_link *link = context;
    struct sim_stream *stream = &link->streams[direction];
    struct sim_parcel *parcel = stream->head;
    stream->head = parcel->next;
    stream->flying_bytes -= parcel->bytes_count;
    if (parcel->kind != SIM_PARCEL_LOST) {
        if (direction == SIM_TO_SERVER)
            arrive_at_server(link, parcel);
        else
            arrive_at_client(link, parcel);
    }
    sim_free(parcel);
    sim_link_release(link);
}

/* ---- the client's end ---- */

static void connects(void *context, uint64_t argument)
{
    struct sim_link *link = context;
    (void)argument;
    if (link->is_client_open) {
        bool is_taken = sim_socket_offer(link);
        link->state = is_taken ? SIM_LINK_OPEN : SIM_LINK_BROKEN;
        sim_trace("net %u %s", link->number, is_taken ? "connected" : "refused");
        link->on_change(link->context);
    }
    sim_link_release(link);
}

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
    if (link->state == SIM_LINK_BROKEN || link->streams[SIM_TO_SERVER].is_end_sent)
        return;
    if (sim_happens(SIM_CHANCE_NETWORK, network.options.reset_permille)) {
        sim_link_travel_reset(link, SIM_TO_SERVER);
        sim_link_travel_reset(link, SIM_TO_CLIENT);
        return;
    }
    uint32_t first_bytes = bytes_count;
    if (sim_happens(SIM_CHANCE_NETWORK, CUT_PERMILLE))
        first_bytes = (uint32_t)sim_between(SIM_CHANCE_NETWORK, 1, bytes_count);
    sim_link_travel(link, SIM_TO_SERVER, SIM_PARCEL_BYTES, bytes, first_bytes);
    if (first_bytes < bytes_count)
        sim_link_travel(link, SIM_TO_SERVER, SIM_PARCEL_BYTES, (const uint8_t *)bytes + first_bytes,
                        bytes_count - first_bytes);
}

uint32_t sim_link_receive(struct sim_link *link, void *to, uint32_t bytes_max)
{
    hf_assert(link->is_client_open);
    uint32_t bytes = sim_stream_take(&link->streams[SIM_TO_CLIENT], to, bytes_max);
    if (bytes > 0)
        sim_socket_try_send(link);
    return bytes;
}

/* With bytes that nobody will read, the end is a reset. */
void sim_link_close(struct sim_link *link, bool is_reset)
{
    struct sim_stream *stream = &link->streams[SIM_TO_SERVER];
    hf_assert(link->is_client_open);
    is_reset |= sim_stream_arrived(&link->streams[SIM_TO_CLIENT]) > 0;
    link->is_client_open = false;
    sim_stream_drop(&link->streams[SIM_TO_CLIENT]);
    if (link->is_server_open && !link->is_server_broken && !stream->is_end_sent) {
        if (is_reset)
            sim_link_travel_reset(link, SIM_TO_SERVER);
        else
            sim_link_travel(link, SIM_TO_SERVER, SIM_PARCEL_END, NULL, 0);
    }
    sim_link_release(link);
}

/* ---- life ---- */

void sim_network_begin(void)
{
    sim_socket_begin();
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

const struct sim_network_options *sim_network_options(void)
{
    return &network.options;
}
