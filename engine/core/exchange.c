#include "core/exchange.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

int exchange_init(struct exchange *exchange, uint32_t core_count)
{
    hf_assert(core_count > 0 && core_count <= LOG_CORE_COUNT_MAX);
    exchange->core_count = core_count;
    exchange->queues = memory_map(core_count * core_count * sizeof *exchange->queues);
    if (exchange->queues == NULL)
        return -1;
    for (uint32_t i = 0; i < core_count * core_count; i++)
        if (queue_init(&exchange->queues[i], EXCHANGE_QUEUE_SLOTS) != 0) {
            exchange_deinit(exchange);
            return -1;
        }
    return 0;
}

void exchange_deinit(struct exchange *exchange)
{
    uint32_t queue_count = exchange->core_count * exchange->core_count;
    if (exchange->queues == NULL)
        return;
    for (uint32_t i = 0; i < queue_count; i++)
        if (exchange->queues[i].slots != NULL)
            queue_deinit(&exchange->queues[i]);
    memory_unmap(exchange->queues, queue_count * sizeof *exchange->queues);
    exchange->queues = NULL;
}

void exchange_port_init(struct exchange_port *port, struct exchange *exchange, uint32_t core,
                        struct io **ios)
{
    memset(port, 0, sizeof *port);
    port->exchange = exchange;
    port->ios = ios;
    port->core = core;
}

static struct queue *queue_between(const struct exchange_port *port, uint32_t from, uint32_t to)
{
    hf_assert(from != to);
    return &port->exchange->queues[from * port->exchange->core_count + to];
}

static void push(struct exchange_port *port, uint32_t to, struct job *job)
{
    bool is_pushed = queue_push(queue_between(port, port->core, to), job);
    hf_assert(is_pushed); /* the bound on outstanding jobs keeps room */
    port->is_wake_due[to] = true;
}

bool exchange_has_room(const struct exchange_port *port, uint32_t to, uint32_t job_count)
{
    return port->outstanding[to] + job_count <= EXCHANGE_OUTSTANDING_MAX;
}

void exchange_send(struct exchange_port *port, uint32_t to, struct job *job)
{
    hf_assert(!job->is_returning);
    job->origin_core = (uint16_t)port->core;
    port->outstanding[to]++;
    push(port, to, job);
}

void exchange_return(struct exchange_port *port, struct job *job)
{
    hf_assert(!job->is_returning);
    hf_assert(job->origin_core != port->core);
    job->is_returning = true;
    push(port, job->origin_core, job);
}

struct job *exchange_receive(struct exchange_port *port)
{
    uint32_t core_count = port->exchange->core_count;
    for (uint32_t tried = 0; tried < core_count; tried++) {
        uint32_t from = port->receive_next;
        port->receive_next = from + 1 == core_count ? 0 : from + 1;
        if (from == port->core)
            continue;
        struct job *job = queue_pop(queue_between(port, from, port->core));
        if (job == NULL)
            continue;
        if (job->is_returning) {
            hf_assert(job->origin_core == port->core);
            hf_assert(port->outstanding[from] > 0);
            port->outstanding[from]--;
        }
        return job;
    }
    return NULL;
}

void exchange_wake(struct exchange_port *port)
{
    for (uint32_t to = 0; to < port->exchange->core_count; to++)
        if (port->is_wake_due[to]) {
            port->is_wake_due[to] = false;
            io_wake(port->ios[port->core], port->ios[to]);
        }
}
