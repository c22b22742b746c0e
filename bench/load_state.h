#ifndef HF_BENCH_LOAD_STATE_H
#define HF_BENCH_LOAD_STATE_H
/* A running load, as load.c and load_send.c share it. load.c has the connections, the answers and
 * the loop; load_send.c makes frames and says when; load_count.c counts. */

#include "bench/connection.h"
#include "bench/load.h"
#include "bench/plan.h"
#include "bench/progress.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/* A request id is the number of its slot, and above that a serial number. */
enum { LOAD_SLOT_BITS = 10 };
static_assert(BENCH_PIPELINE_MAX <= 1 << LOAD_SLOT_BITS, "a slot's number fits");

struct load {
    const struct bench_options *options;
    const struct load_target *target;
    struct workload *workload;
    struct load_result *result;
    struct timeline *timeline;
    struct phases *phases; /* or NULL */

    int epoll_fd;
    struct connection *connections;
    uint32_t connection_count;
    uint32_t open_count;
    uint64_t in_flight; /* frames */
    bool running;       /* all connections were open once */
    bool counting;      /* the warm-up is over */
    bool ending;        /* send nothing new */
    bool aborted;       /* stop at once */

    uint64_t *slot_rows; /* batch entries per slot, pipeline slots per connection */
    uint64_t *item_ids;  /* the columns of the frame being made */
    uint64_t *id_lows;
    uint64_t *buyer_ids;
    struct message_arena arena;
    void *arena_memory;

    struct plan plan; /* of an open loop: a line per connection; in a closed one none ever begins */

    uint64_t started_ns;
    uint64_t counting_since_ns;
    uint64_t own_cpu_before_ns; /* at that moment, as the next two */
    uint64_t own_wait_before_ns;
    uint64_t server_cpu_before_ns;
    uint64_t turn_began_ns;
    uint64_t quiet_since_ns; /* nothing answered since, or nothing asked until then */
    uint64_t interrupted_ns; /* 0 = not now */
    struct progress progress;
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
    uint64_t slot = c->number * load->options->pipeline + slot_number;
    return load->slot_rows + slot * load->options->batch;
}

/* The frame of this slot is no longer in flight. */
void load_release_slot(struct load *load, struct connection *connection, uint32_t slot_number);

/* Gives every connection its line in the plan of an open loop. */
void load_begin_plan(struct load *load);

/* Sends new frames from all free slots, as far as they are due, and what still waited to be sent.
 * False with errno when the connection is gone. */
bool load_send(struct load *load, struct connection *connection);

/* The warm-up is over, or there is none: what was counted so far does not count. */
void load_count_begin(struct load *load);

/* Nothing more will be answered. */
void load_count_end(struct load *load);

/* The frame of this slot was answered; its rows are in the reply. */
void load_count_rows(struct load *load, struct connection *connection, uint32_t slot_number,
                     const struct wire_reply *reply, uint64_t now_ns);

/* What is in flight on this connection will not be answered. Releases its slots. */
void load_count_lost(struct load *load, struct connection *connection);

/* Queues once more what was in flight when the connection was lost. */
void load_send_again(struct load *load, struct connection *connection);

#endif
