#ifndef HF_BENCH_LOAD_STATE_H
#define HF_BENCH_LOAD_STATE_H
/* A running load, as its files share it. load_team.c has the threads and what they do together;
 * load.c has the connections of one thread, the answers and the loop; load_send.c makes frames and
 * says when; load_count.c counts. */

#include "bench/connection.h"
#include "bench/load.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/standstill_watch.h"
#include "bench/undecided.h"

#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A request id is the number of its slot, and above that a serial number. */
enum { LOAD_SLOT_BITS = 10 };
static_assert(BENCH_PIPELINE_MAX <= 1 << LOAD_SLOT_BITS, "a slot's number fits");

/* What the threads of a load have in common. The lock is taken when something begins or ends, never
 * for a frame. */
struct load_team {
    const struct bench_options *options;
    const struct load_target *target;
    struct workload *workload;
    struct timeline *timeline;
    const struct phases *phases; /* or NULL */
    struct load *loads;          /* one per thread */
    uint32_t size;
    struct progress progress;
    struct standstill_watch watch;
    uint64_t server_cpu_before_ns; /* when counting began */
    bool server_cpu_known;
    atomic_bool is_stopped; /* send nothing new: there is trouble */

    pthread_mutex_t lock;
    pthread_cond_t met;         /* all are there, or will never be */
    uint32_t met_count;         /* threads that have all their connections */
    uint64_t started_ns;        /* 0 = not yet */
    uint32_t interrupted_count; /* threads that have lost a connection and not got it back */
    uint64_t interrupted_ns;    /* since the first of them did */
    struct load_interruption interruptions[LOAD_INTERRUPTIONS_MAX];
    uint32_t interruption_count;
    char trouble[LOAD_TROUBLE_BYTES];
};

/* One thread of the load. On cache lines of its own. */
struct load {
    alignas(64) struct load_team *team;
    const struct bench_options *options;
    const struct load_target *target;
    const struct phases *phases; /* or NULL */
    uint32_t number;
    struct workload_part *part;
    struct timeline_part *timeline;
    struct load_result *result; /* of this thread */
    pthread_t thread;

    int epoll_fd;
    struct connection *connections;
    uint32_t connection_count;
    uint32_t open_count;
    uint64_t in_flight; /* frames */
    bool running;       /* all connections, of all threads, were open once */
    bool counting;      /* the warm-up is over */
    bool ending;        /* send nothing new */
    bool aborted;       /* stop at once */

    uint64_t *slot_rows; /* batch entries per slot, pipeline slots per connection */
    uint64_t *item_ids;  /* the columns of the frame being made */
    uint64_t *id_lows;
    uint64_t *buyer_ids;
    struct message_arena arena;
    void *arena_memory;

    struct undecided undecided; /* of an open loop, while there are watchers */

    struct plan plan; /* of an open loop: a line per connection of the whole load, of which this
                       * thread's begin; in a closed one none ever begins */

    uint64_t started_ns;
    uint64_t counting_since_ns;
    uint64_t own_cpu_before_ns; /* at that moment, as the next one */
    uint64_t own_wait_before_ns;
    uint64_t turn_began_ns;
    uint64_t rests_until_ns; /* of sending what is planned; 0 = not resting */
    uint64_t quiet_since_ns; /* nothing answered since, or nothing asked until then */
    uint64_t interrupted_ns; /* 0 = not now */

    atomic_uint_fast64_t answered_seen; /* rows, warm-up included; for the other threads */
};

/* Is the loop open, or closed? */
static inline bool load_is_open_loop(const struct load *load)
{
    return load->options->rate > 0;
}

/* The indexes of the rows of a slot's frame; there is room for a batch. */
static inline uint64_t *load_slot_rows(const struct load *load, const struct connection *c,
                                       uint32_t slot_number)
{
    uint64_t slot = (uint64_t)(c - load->connections) * load->options->pipeline + slot_number;
    return load->slot_rows + slot * load->options->batch;
}

/* ---- one thread ---- */

/* False when there is no memory; destroy is fine then too. What the team gives it is set. */
bool load_create(struct load *load);
void load_destroy(struct load *load);

/* Connects, waits for the other threads, puts on the load and waits for the last answer. */
void load_play(struct load *load);

/* The frame of this slot is no longer in flight. */
void load_release_slot(struct load *load, struct connection *connection, uint32_t slot_number);

/* Gives every connection its line in the plan of an open loop. */
void load_begin_plan(struct load *load);

/* Sends new frames from all free slots, as far as they are due, and what still waited to be sent.
 * False with errno when the connection is gone. */
bool load_send(struct load *load, struct connection *connection);

/* The warm-up is over, or there is none: what was counted before this moment does not count. */
void load_count_begin(struct load *load, uint64_t now_ns);

/* Nothing more will be answered. */
void load_count_end(struct load *load);

/* Counts the latencies that lie outside standstills, as far as that is known by now; in the end,
 * when it is known of all. */
void load_count_outside(struct load *load);
void load_count_rest_outside(struct load *load);

/* The frame of this slot was answered; its rows are in the reply. */
void load_count_rows(struct load *load, struct connection *connection, uint32_t slot_number,
                     const struct wire_reply *reply, uint64_t now_ns);

/* What is in flight on this connection will not be answered. Releases its slots. */
void load_count_lost(struct load *load, struct connection *connection);

/* Queues once more what was in flight when the connection was lost. */
void load_send_again(struct load *load, struct connection *connection);

/* Adds what a thread counted, but for the server's CPU time, interruptions and trouble. */
void load_count_add(struct load_result *sum, const struct load_result *result);

/* ---- all of them ---- */

/* There is trouble: all threads stop. The first trouble is the one that is told. */
__attribute__((format(printf, 2, 3))) void load_tell_trouble(struct load *load, const char *format,
                                                             ...);

/* Trouble elsewhere, or a signal: nothing new is to be sent. */
bool load_is_stopped(struct load *load);

/* Waits until all threads are here, and then for `load->started_ns`, which it sets. False when
 * there was trouble before. */
bool load_meet(struct load *load);

/* This thread has lost a connection, or has all of them back. */
void load_interruption_begins(struct load *load);
void load_interruption_ends(struct load *load);

#endif
