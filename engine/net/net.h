#ifndef HF_NET_H
#define HF_NET_H
/* Connections of one core: accepts, receives, cuts the stream into verified frames, sends replies.
 * The core pulls frames when it has room for them, so that a slow disk or a full queue is felt by
 * the clients through TCP and not through memory. One thread: the core's.
 *
 * A connection's frames are handed out in order, and no connection gets a second frame in a round
 * before every other one with a frame had its first. Each connection has one receive and one send
 * in flight at most; what a turn has to say to it leaves as one send.
 *
 * Every frame that is handed out is answered by one reply, in any order. Room for the largest legal
 * reply is promised with the frame; while a connection's send buffer can't promise it, its next
 * frame stays where it is and the connection is not read from. */

#include "io/io.h"
#include "proto/frame.h"

#include <stdbool.h>
#include <stdint.h>

struct net;

enum {
    NET_SEND_BYTES_MIN = 1 << 20, /* the largest reply fits twice */
    NET_NOTICE_BYTES_MAX = 512,   /* a frame that answers none, header included */
    /* Body of a frame before net_greeted(): a stranger is not given room for a long one. */
    NET_HELLO_BODY_BYTES_MAX = 1024,
    /* Operations pending at once, for io_options. */
    NET_OPS_PER_CONNECTION = 2,
    NET_OPS_LISTEN = 4,
};

struct net_options {
    uint32_t connection_count_max;
    uint32_t frame_bytes_max;    /* header included */
    uint32_t send_bytes_max;     /* at least NET_SEND_BYTES_MIN; a connection that has not taken so
                                    much of its replies is not read from meanwhile */
    uint64_t partial_timeout_ns; /* half a frame, or no Hello, for so long: closed */
};

/* Names a connection for as long as it lives and never another one. The one that comes with a frame
 * is the way back for that frame's reply: the room promised for it goes with it. */
struct net_connection_id {
    uint32_t slot;
    uint32_t generation;
    uint32_t promised_bytes; /* 0 when it did not come with a frame */
};

struct net_frame {
    struct net_connection_id connection;
    struct frame_header header;
    const uint8_t *body; /* valid until the next call of net_frame_next() or net_flush() */
};

/* NULL when the system refuses the memory. */
struct net *net_create(struct io *io, const struct net_options *options);

/* Accepts connections on this socket from now on. Once. The socket stays the caller's. */
void net_listen(struct net *net, int listen_fd);

/* Takes over a connected descriptor, with bytes that were already received from it (at most
 * frame_bytes_max). False when the connection table is full (one line in the log,
 * rate-limited) or net_stop() was called; the descriptor is closed then. */
bool net_adopt(struct net *net, int fd, const uint8_t *received, uint32_t received_bytes);

/* Takes the connection away again and gives the descriptor back, with the frame that is being
 * handled (from net_frame_next(), just now) and what came behind it written to `received_out`. For
 * the hand-over to another core. Returns the descriptor, or -1 when more than `received_bytes_max`
 * bytes have come or replies are not sent yet; the connection and the frame stay then. */
int net_release(struct net *net, const struct net_frame *frame, uint8_t *received_out,
                uint32_t received_bytes_max, uint32_t *received_bytes_out);

/* The next whole frame that some connection has sent, or false when there is none. Frames with a
 * wrong magic, version, length, type or checksum never come out: the connection gets the replies to
 * what it sent before and an Error frame, and is closed, with one line in the log (rate-limited).
 * Frames of a connection that is to be closed are dropped. */
bool net_frame_next(struct net *net, struct net_frame *frame_out);

/* Puts the frame that was handed out last back to the head of its connection; net_frame_next() will
 * give it again. For a core that finds it has no room for it. Before net_flush(). */
void net_frame_put_back(struct net *net, const struct net_frame *frame);

/* Room for one frame of at most `frame_bytes` (header included) in the connection's send buffer, or
 * NULL when the connection is gone. Write header and body there, then net_reply_commit(), before
 * any other call about this connection.
 *
 * `id` as it came with a frame: this is the reply to that frame; `frame_bytes` is at most
 * what was promised, which is enough for every legal reply: 1024 bytes, for a batch 1024 more than
 * its rows need, for a list of items 128 KiB.
 * Any other: a frame on the server's own account, such as GoAway, of at most NET_NOTICE_BYTES_MAX.
 * There is always room for the first; NULL when there is none for one more. */
uint8_t *net_reply_begin(struct net *net, struct net_connection_id id, uint32_t frame_bytes);
void net_reply_commit(struct net *net, struct net_connection_id id, uint32_t frame_bytes);

/* A mark of the owner on a connection; starts at 0. 0 is given back for a connection that is gone.
 */
void net_mark_set(struct net *net, struct net_connection_id id, uint32_t mark);
uint32_t net_mark(const struct net *net, struct net_connection_id id);

/* Said Hello: from now on it may idle. */
void net_greeted(struct net *net, struct net_connection_id id);

/* Sends what it has to say, then closes; replies that come later are dropped. `reason` goes to the
 * log (rate-limited) when it is not NULL. */
void net_close_after_send(struct net *net, struct net_connection_id id, const char *reason);

/* Starts the sends and receives that this turn made possible and ends connections that ran out of
 * time. Once per turn, before io_turn(). `now_ns` is the monotonic clock. */
void net_flush(struct net *net, uint64_t now_ns);

/* When net_flush() next has to look at a time-out; UINT64_MAX = never. Ask after net_flush(). */
uint64_t net_next_timeout_ns(const struct net *net);

/* True when a connection holds bytes that may be a frame: io_turn() should not wait. */
bool net_has_frames(const struct net *net);

/* Stops accepting. Calls `each` for each greeted connection, to say good-bye. A client that has got
 * its answers and closes is done; the others are served for a quarter of a second more, so that
 * what they sent before they heard of it is answered too. Go on as before until net_is_idle(). */
void net_stop(struct net *net, void (*each)(void *context, struct net_connection_id connection),
              void *context);
/* After net_stop(): true when every reply was sent and every connection is closed. */
bool net_is_idle(const struct net *net);

struct net_counts {
    uint64_t connections; /* now */
    uint64_t accepted;
    uint64_t refused_full; /* closed at once: the table was full */
    uint64_t bad_frames;
    uint64_t timed_out; /* half a frame or no Hello */
    uint64_t bytes_received;
    uint64_t bytes_sent;
};
struct net_counts net_counts(const struct net *net);

/* net_is_idle(), or the process ends. */
void net_destroy(struct net **net);

#endif
