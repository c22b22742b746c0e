#ifndef HF_CLIENT_CLIENT_H
#define HF_CLIENT_CLIENT_H
/* What the files of the library share. How they work together:
 *
 *     calls.c       any thread: the public calls; a synchronous one waits for its own callback
 *     client.c      any thread: open, close, the pool of calls, handing a call to the thread
 *     loop.c        the client's thread: one turn after another; routing; deadlines; completion
 *     connection.c  the client's thread: one connection to one core, its life, bytes in and out
 *     encode.c      calls to frames: rows of one kind that wait together leave as columns
 *     decode.c      frames to replies
 *
 * A call is in one place at a time: in the pool, submitted (both under the mutex), unrouted, queued
 * at a connection, or in a flight, which is a frame that was sent and not answered yet (all three
 * owned by the thread). */

#include "address.h"
#include "deadlines.h"
#include "holdfast.h"
#include "list.h"
#include "proto/message.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    CLIENT_BATCH_ROWS_MAX = 1024, /* of one frame; a server may take fewer */
    CLIENT_TROUBLE_BYTES = 256,
    CLIENT_NAME_BYTES_MAX = 64,
    CONNECTION_SILENCE_MS_MAX = 10000, /* waiting for answers and hearing nothing */
    CONNECTION_PAUSE_MS_MIN = 10,      /* between attempts, to connect or to find the server ready:
                                          doubles up to the maximum */
    CONNECTION_PAUSE_MS_MAX = 1000,
    CONNECTION_OUT_BYTES = 512 * 1024,
    CONNECTION_IN_BYTES = FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX,
};

/* Kinds of calls. The first five are about a row and travel in columns; each has a queue of its own
 * and they leave in this order, so that what is started together comes in a sensible order. */
enum call_op {
    CALL_RESERVE,
    CALL_CONFIRM,
    CALL_EXTEND,
    CALL_CANCEL,
    CALL_GET,
    CALL_ROW_OP_COUNT,
    CALL_ITEM_CREATE = CALL_ROW_OP_COUNT,
    CALL_ITEM_UPDATE,
    CALL_ITEM_GET,
    CALL_ITEM_LIST,
    CALL_SNAPSHOT,
    CALL_SNAPSHOT_READ,
    CALL_PING, /* these two are answered by a server that is still loading, too */
    CALL_STAT,
};

enum {
    CALL_QUEUE_OTHERS = CALL_ROW_OP_COUNT,
    CALL_QUEUE_QUESTIONS, /* what need not wait until the server is ready */
    CALL_QUEUE_COUNT,
};

static inline uint32_t call_queue_index(enum call_op op)
{
    if (op < CALL_ROW_OP_COUNT)
        return (uint32_t)op;
    return op < CALL_PING ? CALL_QUEUE_OTHERS : CALL_QUEUE_QUESTIONS;
}

/* One row of any of the five kinds. */
struct call_row {
    hf_id id;
    uint64_t item_id;
    uint64_t buyer_id;
    uint64_t hold_ms;
    uint64_t expires_ms;
    uint64_t user_data;
    uint32_t quantity;
};

struct call_item {
    hf_item_settings settings;
    uint32_t fields;
    bool validate_only;
};

struct call_list {
    uint32_t core;
    uint32_t position;
    uint32_t count_max;
    hf_item *items_out;       /* the caller's, who waits until the call is completed */
    hf_item_cursor *next_out; /* likewise; is_at_end means: of this core */
};

struct call_stat {
    uint32_t core;
    bool with_state_hash;
};

struct call_snapshot {
    uint32_t core;
    uint64_t lsn;
    uint64_t offset;
    uint8_t *data_out; /* HF_SNAPSHOT_PIECE_BYTES; the caller's, who waits until the call is
                          completed */
};

union call_request {
    struct call_row row;
    struct call_item item;
    struct call_list list;
    struct call_stat stat; /* ping too */
    struct call_snapshot snapshot;
};

/* Every reply begins with these three. */
struct call_answer {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
};

union call_reply {
    struct call_answer answer;
    hf_reply row;
    hf_item_reply item;
    hf_item_page page;
    hf_ping_reply ping;
    hf_stat stat;
    hf_core_snapshot snapshot;
    hf_snapshot_piece piece;
};

typedef void (*call_snapshot_fn)(const hf_core_snapshot *snapshot, void *context);
typedef void (*call_piece_fn)(const hf_snapshot_piece *piece, void *context);
typedef void (*call_stat_fn)(const hf_stat *stat, void *context);
typedef void (*call_page_fn)(const hf_item_page *page, void *context);
typedef void (*call_ping_fn)(const hf_ping_reply *reply, void *context);

/* Which of them is told by the kind of the call. */
union call_callback {
    hf_reply_fn row;
    hf_item_reply_fn item;
    call_page_fn page;
    call_ping_fn ping;
    call_stat_fn stat;
    call_snapshot_fn snapshot;
    call_piece_fn piece;
};

struct flight;

struct call {
    struct list link;
    struct deadline deadline;
    struct flight *flight; /* NULL unless in one */
    uint32_t row;          /* there */
    uint8_t op;            /* enum call_op */
    bool was_sent;         /* on a connection that broke: what became of it is not known */
    bool may_come_late;    /* and the server may still read it from there */
    union call_callback callback;
    void *context;
    union call_request request;
};

/* A frame on its way. */
struct flight {
    struct list link;  /* in the pool or in its connection's list, oldest first */
    struct list calls; /* those that still wait, by row */
    struct connection *connection;
    uint64_t request_id; /* low half: index of the flight; high half: counts its uses */
    uint64_t stream_at;  /* where in the connection's outgoing bytes the frame begins */
    uint64_t sent_ms;
    uint32_t row_count;
    uint8_t type;
};

enum connection_state {
    CONNECTION_UNUSED,     /* the server has no such core */
    CONNECTION_PAUSED,     /* until the timer, then the next attempt */
    CONNECTION_CONNECTING, /* this and the next give up at the timer */
    CONNECTION_GREETING,
    CONNECTION_DRAINING, /* the server is going away: wait for answers, send nothing new */
    CONNECTION_READY,    /* with a timer: others wait for its frames; was it silent for too long? */
    CONNECTION_LOADING,  /* the server is: hold back what it can't do yet, until the timer */
};

struct connection {
    hf_client *client;
    uint32_t core;
    enum connection_state state;
    int fd; /* -1 = none */
    bool wants_writable;
    bool was_useful; /* something besides the greeting was answered */
    uint32_t address_index;
    uint32_t pause_ms;      /* before the next attempt if this one fails */
    uint32_t load_pause_ms; /* before the next question whether the server is ready */
    uint64_t greeted_ms;    /* when the server told its clock, and what it told */
    uint64_t greeted_server_ms;
    uint64_t timer_ms; /* UINT64_MAX = none */
    uint64_t heard_ms; /* when bytes last arrived */
    hf_error failure;  /* why the last attempt to connect failed; none once it succeeded */
    uint32_t rows_max; /* of one frame, by what the server said */
    struct list queues[CALL_QUEUE_COUNT];
    struct list flights;
    uint32_t calls_in_flight;
    /* out: bytes [out_sent, out_used) wait for the socket */
    uint8_t *out;
    size_t out_used;
    size_t out_sent;
    uint64_t stream_encoded; /* bytes put into `out` on this connection */
    uint64_t stream_sent;    /* bytes the system took */
    uint8_t *in;
    size_t in_used;
};

struct hf_client {
    /* constant after hf_open() */
    hf_options options; /* the pointers point to the copies below */
    char client_name[CLIENT_NAME_BYTES_MAX + 1];
    uint8_t server_id[HF_SERVER_ID_BYTES];
    struct address_list addresses;
    struct call *calls;
    struct flight *flights;
    uint8_t *arena_memory;
    pthread_t thread;
    int epoll_fd;
    int wake_fd;

    /* under the mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a call came back, and somebody waits for that */
    uint32_t waiter_count;
    struct list pool;
    uint32_t in_flight;
    struct list submitted;
    bool wake_is_due; /* the thread will look at `submitted` without being woken again */
    bool is_closing;
    bool has_info;
    hf_server_info info;
    char trouble[CLIENT_TROUBLE_BYTES];

    /* the thread's own */
    struct list unrouted; /* until the number of cores is known */
    struct list free_flights;
    struct deadlines deadlines;
    struct connection connections[HF_CORE_COUNT_MAX];
    uint32_t core_count; /* 0 = not known yet */
    struct message_arena arena;
    uint64_t now_ms; /* monotonic, read once per turn */
    uint64_t random;
    struct call *spare; /* of the callback that is running */
    bool submitted_by_callback;
};

/* client.c */

uint64_t monotonic_ms(void);
uint64_t monotonic_us(void);
bool client_is_own_thread(const hf_client *client);

/* A call to fill in, or NULL with the reason. Waits for room until `wait_until_ms` (0 = don't). */
struct call *client_acquire_call(hf_client *client, uint64_t wait_until_ms, hf_error *error_out);

/* Hands the call over to the thread. False when the client is being closed: the call was given
 * back. */
bool client_submit(hf_client *client, struct call *call, uint64_t deadline_at_ms);

void client_release_call(hf_client *client, struct call *call);
void client_set_trouble(hf_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void client_set_info(hf_client *client, const hf_server_info *info);

/* loop.c, on the thread */

void *loop_run(void *argument);

/* Sends the call toward its core, or answers it when that can't be. */
void loop_route(hf_client *client, struct call *call);

/* Gives the call its answer. It may be in no list but that of the deadlines. */
void loop_complete(hf_client *client, struct call *call, const union call_reply *reply);
void loop_complete_error(hf_client *client, struct call *call, hf_outcome outcome, hf_error error);

/* Answers a call that waits in a queue: NOT_SENT, or UNKNOWN if it was sent before. */
void loop_complete_unsent(hf_client *client, struct call *call, hf_error error);

/* Takes note of the number of cores, and moves what is queued to its new core. */
void loop_set_core_count(hf_client *client, uint32_t core_count);

/* Routes everything anew that is not in flight. */
void loop_route_again(hf_client *client);

/* What was sent to a server that is another one now can't be sent again. */
void loop_forget_repeats(hf_client *client);

uint64_t loop_random(hf_client *client);

/* connection.c, on the thread */

void connection_init(struct connection *connection, hf_client *client, uint32_t core);
void connection_start(struct connection *connection);

/* Closes for good. What was in flight is queued again, or answered UNKNOWN with `error` when it may
 * not be sent again. */
void connection_stop(struct connection *connection, hf_error error);
void connection_on_event(struct connection *connection, uint32_t epoll_events);
void connection_on_timer(struct connection *connection);
void connection_queue(struct connection *connection, struct call *call);

/* The server has no answer to this call of one of its flights before it is ready, which is at
 * `ready_ms` of its clock, 0 if that is not known. True: the call waits and is sent again. False:
 * it is to be answered. */
bool connection_put_off(struct connection *connection, struct call *call, uint64_t ready_ms);

/* Sends what is queued, as far as the socket takes it. */
void connection_flush(struct connection *connection);

/* A call in flight passed its deadline: closes a connection that was silent for too long. */
void connection_check_silence(struct connection *connection, const struct flight *flight);

/* Frames are awaited here whose place others wait for. Those whose calls have all passed their
 * deadlines would keep it for as long as the server is silent, so the connection looks itself when
 * it was silent for too long. */
void connection_watch_silence(struct connection *connection);

/* Should calls for this connection be answered with its failure at once? */
bool connection_is_hopeless(const struct connection *connection);
void connection_take_queued(struct connection *connection, struct list *calls_out);

/* encode.c */

/* Puts queued calls into frames at the end of connection->out, as far as there is room and flights
 * are left. */
void encode_queued(struct connection *connection);

/* How many rows fit into a body of so many bytes. */
uint32_t encode_rows_fitting(uint32_t body_bytes_max);

size_t encode_hello(const struct connection *connection, uint8_t *frame, size_t frame_bytes_max);

/* decode.c */

/* What a result means for a call. */
struct call_answer decode_answer(const struct call *call, int result);

/* Answers the calls of a flight with the reply that came for it. False when the bytes are not such
 * a reply: then no call was answered. */
bool decode_reply(hf_client *client, struct flight *flight, const struct frame_header *header,
                  const uint8_t *body);

/* The answer to Hello. */
bool decode_hello(hf_client *client, const struct frame_header *header, const uint8_t *body,
                  hf_server_info *info_out, uint32_t *core_out);

struct decoded_error {
    hf_error error;
    bool closes; /* the server closes the connection after it */
    char detail[128];
};

/* False when it is no Error frame. */
bool decode_error(hf_client *client, const struct frame_header *header, const uint8_t *body,
                  struct decoded_error *error_out);

#endif
