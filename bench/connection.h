#ifndef HF_BENCH_CONNECTION_H
#define HF_BENCH_CONNECTION_H
/* One non-blocking connection of the load: bytes out, frames in. What they mean is load.c's. */

#include "bench/endpoint.h"
#include "proto/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum connection_state {
    CONNECTION_WAITING, /* no socket; the next attempt is at retry_at_ns */
    CONNECTION_CONNECTING,
    CONNECTION_GREETING, /* hello is on its way */
    CONNECTION_OPEN,
    CONNECTION_DEAD, /* given up */
};

/* A frame in flight. Its rows are load.c's; free ones have no rows. */
struct slot {
    uint64_t request_id;
    uint64_t planned_ns;
    uint64_t sent_ns; /* for the first time */
    uint32_t row_count;
    uint8_t op; /* enum wire_op */
};

struct connection {
    int fd;
    enum connection_state state;
    uint32_t number;
    uint32_t core;
    uint64_t retry_at_ns;
    uint64_t backoff_ns;

    struct slot *slots;
    uint16_t *free_slots; /* a stack */
    uint32_t free_count;
    uint64_t room_since_ns; /* there has been a free slot, as far as one could know */
    uint64_t next_serial;

    uint8_t *in;
    size_t in_room;
    size_t in_begin;
    size_t in_end;
    uint8_t *out;
    size_t out_room;
    size_t out_begin;
    size_t out_end;
};

/* False when there is no memory; destroy is fine then too. */
bool connection_create(struct connection *connection, uint32_t slot_count, size_t in_room,
                       size_t out_room);
void connection_destroy(struct connection *connection);

/* Begins to connect, edge-triggered in `epoll_fd` with the connection's address as its data. False
 * with errno when that fails at once. */
bool connection_begin(struct connection *connection, int epoll_fd, const struct endpoint *endpoint);

/* Closes the socket and forgets what was half sent and half received. Slots stay. */
void connection_close(struct connection *connection);

/* After the socket became writable for the first time: 0 or errno. */
int connection_error(const struct connection *connection);

/* Room for so many bytes behind what waits to be sent; connection_added() tells how many it became.
 * The owner sees to it that there is room. */
uint8_t *connection_room(struct connection *connection, size_t bytes);
void connection_added(struct connection *connection, size_t bytes);

/* Sends what the socket takes. False when the connection is gone. */
bool connection_flush(struct connection *connection);

enum connection_input {
    CONNECTION_DRY, /* everything there was has been received */
    CONNECTION_MORE,
    CONNECTION_GONE,
};

/* Receives once. `peer_ended`: the event said that the peer will send no more. Then the end is to
 * be received too, since no other edge will tell of it. */
enum connection_input connection_receive(struct connection *connection, bool peer_ended);

/* The next whole frame; `body_out` is valid until the next receive. FRAME_INCOMPLETE when there is
 * none yet. */
enum frame_status connection_next_frame(struct connection *connection,
                                        struct frame_header *header_out, const uint8_t **body_out);

#endif
