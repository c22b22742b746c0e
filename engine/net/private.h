#ifndef HF_NET_PRIVATE_H
#define HF_NET_PRIVATE_H
/* What the files of this room share.
 *
 *      net.c         the table of connections, accepting, the turn
 *      connection.c  the life of one connection, from open to closed
 *      framing.c     bytes in: frames
 *      replies.c     bytes out
 *      promise.c     how long a reply can get
 *      log_limit.c   few lines about many connections
 */

#include "base/list.h"
#include "net/log_limit.h"
#include "net/net.h"

enum connection_phase {
    PHASE_FREE,     /* not in use */
    PHASE_OPEN,     /* frames and replies */
    PHASE_CLOSING,  /* sends what is in its buffers; no more frames or replies */
    PHASE_DRAINING, /* our direction is ended; what comes is thrown away until the peer ends its
                       own, because closing a socket with unread bytes would destroy our last words
                     */
    PHASE_ABORTING, /* waits only for its operations to end */
};

/* What a connection's deadline is about. All of one kind take the same time, so they are lists in
 * order of deadline. */
enum timer_kind {
    TIMER_NONE,
    TIMER_PARTIAL, /* half a frame, no Hello, or last words that are not taken */
    TIMER_LINGER,  /* waiting for the peer to close */
    TIMER_KIND_COUNT,
};

struct connection {
    struct net *net;
    int fd;
    uint32_t generation;
    uint32_t mark;
    uint8_t phase;      /* enum connection_phase */
    uint8_t timer_kind; /* enum timer_kind */
    bool is_greeted;
    bool is_input_over; /* nothing more is taken from the peer */
    bool is_peer_done;  /* the peer has ended its direction */
    bool is_blocked;    /* the frame at the head waits for room for its reply */
    struct io_op receive;
    struct io_op send;
    struct list ready; /* in net->ready: may have a frame at the head */
    struct list todo;  /* in net->todo: something happened, for net_flush() */
    struct list timer; /* in net->timers[timer_kind] */
    uint64_t deadline_ns;

    /* Bytes from `start` to `end` are received and not handed out. */
    uint8_t *received;
    uint32_t received_start;
    uint32_t received_end;
    uint32_t need_bytes; /* fewer than this can't be a frame */
    uint32_t head_bytes; /* length of the frame at `start`, once it was verified; else 0 */
    uint32_t head_promise;
    struct frame_header head;

    /* One buffer is in flight while the other one fills; they swap. */
    uint8_t *filling;
    uint8_t *sending;
    uint32_t filling_bytes;
    uint32_t sending_bytes;
    uint32_t sent_bytes;
    uint32_t promised_bytes; /* for the replies to the frames handed out */
    uint32_t unanswered_count;

    /* Why it is to be closed, to be told after the last reply; code 0: nothing to tell. */
    uint64_t fault_request_id;
    const char *fault_detail;
    int fault_code;
};

struct net {
    struct io *io;
    struct net_options options;
    struct connection *connections;
    uint8_t *buffers;
    size_t connections_bytes;
    size_t buffers_bytes;
    uint32_t received_bytes_max; /* of one receive buffer */
    uint32_t filling_bytes_max;  /* of one send buffer */
    size_t slot_bytes;           /* all buffers of one connection */
    uint32_t touched_count;      /* connections [0, touched_count) were used at least once */
    uint32_t *free_slots;        /* a stack */
    uint32_t free_count;
    struct list ready;
    struct list todo;
    struct list timers[TIMER_KIND_COUNT];
    uint64_t now_ns; /* of the last net_flush() */
    struct io_op accepts[NET_OPS_LISTEN];
    uint64_t accept_resume_ns; /* accepting failed; not before this */
    int listen_fd;
    bool is_listening;
    bool is_stopping;
    struct log_limit log_limit;
    struct net_counts counts;
};

/* ---- net.c ---- */

/* NULL when the connection is gone. */
struct connection *net_find(const struct net *net, struct net_connection_id id);
struct net_connection_id net_id_of(const struct connection *connection);

/* One line, unless there were too many of late. */
void net_log(struct connection *connection, const char *what);

/* The socket is closed or given away, and no operation is pending. */
void net_forget(struct connection *connection);

/* ---- connection.c ---- */

void connection_open(struct connection *connection, int fd);

/* Something has happened to it that net_flush() has to look at. */
void connection_touch(struct connection *connection);

/* Starts all that its state asks for now. The connection may be gone after this. */
void connection_advance(struct connection *connection);

void connection_expire(struct connection *connection);

/* Says why after the last reply, then closes. `detail` is static text. */
void connection_fault(struct connection *connection, int error_code, const char *detail,
                      uint64_t request_id);

/* Sends what is in its buffers, then closes. */
void connection_close(struct connection *connection);

/* Closes as soon as its operations have ended. */
void connection_abort(struct connection *connection);

void connection_timer_stop(struct connection *connection);

/* ---- framing.c ---- */

/* True when net_frame_next() has something to look at here. */
bool framing_has_candidate(const struct connection *connection);

/* Throws away what was received and not handed out. */
void framing_drop(struct connection *connection);

/* `bytes` more stand behind what was received before. */
void framing_received(struct connection *connection, uint32_t bytes);

/* The reply of a handed-out frame is there, or a send buffer became free. */
void framing_unblock(struct connection *connection);

/* Where the next bytes go and how many are welcome. Moves what is there to the front. */
uint8_t *framing_receive_room(struct connection *connection, uint32_t *bytes_out);

/* ---- replies.c ---- */

/* Room for a reply of this length that nobody else was promised. */
bool replies_can_promise(const struct connection *connection, uint32_t frame_bytes);

/* Writes the Error frame of its fault. False when there is no room yet. */
bool replies_write_fault(struct connection *connection);

/* True when nothing is in its buffers and nothing in flight. */
bool replies_all_sent(const struct connection *connection);

/* Starts a send when there is something to send and none in flight. */
void replies_send(struct connection *connection);

#endif
