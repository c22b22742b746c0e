#ifndef HF_SIM_NETWORK_H
#define HF_SIM_NETWORK_H
/* The simulated network, from the clients' side. The engine sees it through io/io.h (io_sim.c).
 * Bytes of a connection arrive in order, after a delay of their own, cut anywhere; connections have
 * no order among each other. A connecting client is given to one of the listening sockets of the
 * port, as SO_REUSEPORT does. */

#include <stdbool.h>
#include <stdint.h>

struct sim_network_options {
    uint64_t delay_ns_min, delay_ns_max;
    uint32_t piece_bytes_max;  /* of one receive or send by the server; 1: byte by byte */
    uint32_t reset_permille;   /* of sends, by either side, that break the connection instead */
    uint32_t buffer_bytes_max; /* the server's sends wait while so much is on its way */
};

void sim_network_set_options(const struct sim_network_options *options);

enum sim_link_state {
    SIM_LINK_CONNECTING,
    SIM_LINK_OPEN,
    SIM_LINK_ENDED,  /* the server sent its last byte; all that came before was or can be read */
    SIM_LINK_BROKEN, /* refused, reset, or the server died; what was not read is lost */
};

struct sim_link; /* a client's end of a connection */

/* Begins to connect. Never NULL. `on_change` is called, as an event, when bytes have arrived or the
 * state has changed. */
struct sim_link *sim_link_connect(void (*on_change)(void *context), void *context);
enum sim_link_state sim_link_state(const struct sim_link *link);

/* All bytes are taken and travel. Not while CONNECTING. */
void sim_link_send(struct sim_link *link, const void *bytes, uint32_t bytes_count);

/* Bytes that have arrived, at most `bytes_max`; 0 when there are none now. */
uint32_t sim_link_receive(struct sim_link *link, void *to, uint32_t bytes_max);

/* The client's end is gone; the server reads the end of the stream, or a reset. */
void sim_link_close(struct sim_link *link, bool is_reset);

/* The server's process has ended: all its sockets with it. */
void sim_network_server_died(void);

#endif
