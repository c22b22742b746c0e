#ifndef HF_CORE_EXCHANGE_H
#define HF_CORE_EXCHANGE_H
/* Jobs between cores. From each core to each other one leads a bounded queue; what a core may have
 * out at another is bounded so that the way back is never full. Nothing is shared but the queues.
 */

#include "base/queue.h"
#include "core/job.h"
#include "io/io.h"
#include "log/manifest.h"

enum {
    EXCHANGE_QUEUE_SLOTS = 1 << 13,
    /* Half of a queue for what its core asks, half for what it answers, less some for the end. */
    EXCHANGE_OUTSTANDING_MAX = EXCHANGE_QUEUE_SLOTS / 2 - 64,
};

/* The queues of a server. */
struct exchange {
    uint32_t core_count;
    struct queue *queues; /* [from * core_count + to] */
};

/* One core's side; used by its thread only. */
struct exchange_port {
    struct exchange *exchange;
    struct io **ios; /* of all cores, for waking them */
    uint32_t core;
    uint32_t receive_next;                    /* whose queue to look at next */
    uint32_t outstanding[LOG_CORE_COUNT_MAX]; /* jobs of ours at each core */
    bool is_wake_due[LOG_CORE_COUNT_MAX];
};

/* Returns 0, or -1 when memory is refused. */
int exchange_init(struct exchange *exchange, uint32_t core_count);
void exchange_deinit(struct exchange *exchange);

void exchange_port_init(struct exchange_port *port, struct exchange *exchange, uint32_t core,
                        struct io **ios);

/* True when so many more jobs may be sent to that core. */
bool exchange_has_room(const struct exchange_port *port, uint32_t to, uint32_t job_count);

/* Hands a job over; there is room. It comes back through exchange_receive(), as `is_returning`. */
void exchange_send(struct exchange_port *port, uint32_t to, struct job *job);

/* Hands a job back to its origin, which always has room for it. */
void exchange_return(struct exchange_port *port, struct job *job);

/* The next job from any other core, in turn, or NULL. */
struct job *exchange_receive(struct exchange_port *port);

/* Wakes the cores that something was sent to since the last call. Once per turn. */
void exchange_wake(struct exchange_port *port);

#endif
