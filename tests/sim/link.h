#ifndef HF_SIM_LINK_H
#define HF_SIM_LINK_H
/* A connection of the simulated network: two streams, the client's end (network.c), and the
 * server's end, which is the engine's socket (socket.c). */

#include "network.h"
#include "private.h"

enum sim_parcel_kind { SIM_PARCEL_BYTES, SIM_PARCEL_END, SIM_PARCEL_RESET, SIM_PARCEL_LOST };

struct sim_parcel {
    struct sim_parcel *next;
    enum sim_parcel_kind kind;
    uint32_t bytes_count;
    uint8_t bytes[];
};

struct sim_stream {
    struct sim_parcel *head; /* on their way */
    struct sim_parcel *tail;
    uint64_t last_arrival_ns;
    uint32_t flying_bytes;
    uint8_t *arrived; /* not received yet */
    uint32_t arrived_start;
    uint32_t arrived_end;
    uint32_t arrived_room;
    bool is_end_sent; /* or a reset: nothing follows */
    bool has_ended;
};

enum sim_direction { SIM_TO_SERVER, SIM_TO_CLIENT };

struct sim_link {
    struct sim_link *next;
    struct sim_link *previous;
    uint32_t number;
    uint32_t reference_count;     /* client, server, events */
    struct sim_stream streams[2]; /* by direction */

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

const struct sim_network_options *sim_network_options(void);

/* ---- network.c ---- */

void sim_link_release(struct sim_link *link);

/* Sends bytes on their way, or the end of the stream: the last of it, but for a reset. */
void sim_link_travel(struct sim_link *link, enum sim_direction direction, enum sim_parcel_kind kind,
                     const void *bytes, uint32_t bytes_count);
void sim_link_travel_reset(struct sim_link *link, enum sim_direction direction);

uint32_t sim_stream_arrived(const struct sim_stream *stream);
uint32_t sim_stream_take(struct sim_stream *stream, void *to, uint32_t bytes);
void sim_stream_drop(struct sim_stream *stream);

/* ---- socket.c ---- */

void sim_socket_begin(void);

/* Hands a new connection to one of the listening sockets; false when there is none. */
bool sim_socket_offer(struct sim_link *link);

/* Something has changed that an operation may have waited for. */
void sim_socket_try_recv(struct sim_link *link);
void sim_socket_try_send(struct sim_link *link);

/* A reset has come: operations fail. */
void sim_socket_break(struct sim_link *link);

#endif
