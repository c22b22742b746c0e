#include "client.h"

#define XXH_INLINE_ALL
#include <endian.h>
#include <string.h>
#include <sys/epoll.h>
#include <xxhash.h>

/* The client's thread. One turn: wait for sockets, a wake or the next deadline; take what arrived;
 * answer what is past its deadline; try connections again whose pause is over; take what was
 * submitted; send. What gathers while a turn runs leaves together in the next: that is all there
 * is to batching.
 *
 * Callbacks are run in the middle of a turn. They can only submit, which puts calls where the end
 * of the turn finds them, so nothing changes under the feet of the code that completes a call. */

/* ---- completing ---- */

static void run_callback(enum call_op op, union call_callback callback, void *context,
                         const union call_reply *reply)
{
    switch (op) {
    case CALL_RESERVE:
    case CALL_CONFIRM:
    case CALL_EXTEND:
    case CALL_CANCEL:
    case CALL_GET:
        callback.row(&reply->row, context);
        break;
    case CALL_ITEM_CREATE:
    case CALL_ITEM_UPDATE:
    case CALL_ITEM_GET:
        callback.item(&reply->item, context);
        break;
    case CALL_ITEM_LIST:
        callback.page(&reply->page, context);
        break;
    case CALL_PING:
        callback.ping(&reply->ping, context);
        break;
    case CALL_STAT:
        callback.stat(&reply->stat, context);
        break;
    case CALL_SNAPSHOT:
        callback.snapshot(&reply->snapshot, context);
        break;
    case CALL_SNAPSHOT_READ:
        callback.piece(&reply->piece, context);
        break;
    }
}

static void leave_flight(struct call *call)
{
    if (!call->flight)
        return;
    call->flight->connection->calls_in_flight--;
    call->flight = NULL;
}

void loop_complete(hf_client *client, struct call *call, const union call_reply *reply)
{
    list_remove(&call->link);
    deadlines_remove(&call->deadline);
    leave_flight(call);
    /* the call is kept out of the pool for as long as its callback runs, which may use it again */
    client->spare = call;
    run_callback((enum call_op)call->op, call->callback, call->context, reply);
    if (client->spare) {
        client->spare = NULL;
        client_release_call(client, call);
    }
}

void loop_complete_error(hf_client *client, struct call *call, hf_outcome outcome, hf_error error)
{
    union call_reply reply;
    memset(&reply, 0, sizeof reply);
    reply.answer.outcome = outcome;
    reply.answer.error = error;
    loop_complete(client, call, &reply);
}

void loop_complete_unsent(hf_client *client, struct call *call, hf_error error)
{
    loop_complete_error(client, call, call->was_sent ? HF_UNKNOWN : HF_NOT_SENT, error);
}

/* ---- routing ---- */

/* The public rule: XXH3-64 of the id's eight little-endian bytes, modulo the number of cores. */
static uint32_t core_of_item(const hf_client *client, uint64_t item_id)
{
    uint64_t bytes = htole64(item_id);
    return (uint32_t)(XXH3_64bits(&bytes, sizeof bytes) % client->core_count);
}

static uint32_t core_of_call(const hf_client *client, const struct call *call)
{
    switch ((enum call_op)call->op) {
    case CALL_ITEM_LIST:
        return call->request.list.core;
    case CALL_SNAPSHOT:
    case CALL_SNAPSHOT_READ:
        return call->request.snapshot.core;
    case CALL_PING:
    case CALL_STAT:
        return call->request.stat.core;
    case CALL_ITEM_CREATE:
    case CALL_ITEM_UPDATE:
    case CALL_ITEM_GET:
        return core_of_item(client, call->request.item.settings.item_id);
    case CALL_RESERVE:
    case CALL_CONFIRM:
    case CALL_EXTEND:
    case CALL_CANCEL:
    case CALL_GET:
        break;
    }
    return core_of_item(client, call->request.row.item_id);
}

void loop_route(hf_client *client, struct call *call)
{
    struct connection *connection = &client->connections[0];
    if (client->core_count > 0) {
        uint32_t core = core_of_call(client, call);
        if (core >= client->core_count) {
            loop_complete_unsent(client, call, HF_ERROR_NO_SUCH_CORE);
            return;
        }
        connection = &client->connections[core];
    }
    if (connection_is_hopeless(connection))
        loop_complete_unsent(client, call, connection->failure);
    else if (client->core_count == 0)
        list_push_tail(&client->unrouted, &call->link);
    else
        connection_queue(connection, call);
}

static void take_unsent(hf_client *client, struct list *calls_out)
{
    list_init(calls_out);
    list_move_all(calls_out, &client->unrouted);
    for (uint32_t core = 0; core < HF_CORE_COUNT_MAX; core++)
        connection_take_queued(&client->connections[core], calls_out);
}

void loop_route_again(hf_client *client)
{
    struct list calls;
    take_unsent(client, &calls);
    struct list *link;
    while ((link = list_pop_head(&calls)))
        loop_route(client, list_entry(link, struct call, link));
}

void loop_set_core_count(hf_client *client, uint32_t core_count)
{
    if (core_count == client->core_count)
        return;
    client->core_count = core_count;
    for (uint32_t core = core_count; core < HF_CORE_COUNT_MAX; core++)
        connection_stop(&client->connections[core], HF_ERROR_CONNECTION_LOST);
    for (uint32_t core = 0; core < core_count; core++) {
        if (client->connections[core].state == CONNECTION_UNUSED)
            connection_start(&client->connections[core]);
    }
    loop_route_again(client);
}

void loop_forget_repeats(hf_client *client)
{
    struct list calls;
    take_unsent(client, &calls);
    struct list *link;
    while ((link = list_pop_head(&calls))) {
        struct call *call = list_entry(link, struct call, link);
        if (call->was_sent)
            loop_complete_error(client, call, HF_UNKNOWN, HF_ERROR_CONNECTION_LOST);
        else
            loop_route(client, call);
    }
}

/* ---- a turn ---- */

uint64_t loop_random(hf_client *client)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return client->random;
}

static uint32_t connection_count(const hf_client *client)
{
    return client->core_count > 0 ? client->core_count : 1;
}

static int wait_ms(const hf_client *client)
{
    if (client->submitted_by_callback)
        return 0;
    uint64_t next_ms = deadlines_next_ms(&client->deadlines);
    for (uint32_t core = 0; core < connection_count(client); core++) {
        if (client->connections[core].timer_ms < next_ms)
            next_ms = client->connections[core].timer_ms;
    }
    uint64_t now_ms = monotonic_ms();
    if (next_ms <= now_ms)
        return 0;
    return next_ms - now_ms > 60000 ? 60000 : (int)(next_ms - now_ms);
}

static void on_event(hf_client *client, const struct epoll_event *event)
{
    if (event->data.u64 == UINT64_MAX)
        return; /* the wake: submitted calls are looked at in every turn */
    /* the event may be about a socket that was closed since, earlier in this turn */
    struct connection *connection = &client->connections[event->data.u64 >> 32];
    if (connection->fd == (int)(uint32_t)event->data.u64)
        connection_on_event(connection, event->events);
}

/* The call waits in a queue, and has waited for too long. */
static void give_up_waiting(hf_client *client, struct call *call)
{
    uint32_t core = client->core_count > 0 ? core_of_call(client, call) : 0;
    const struct connection *connection = &client->connections[core];
    if (connection->state == CONNECTION_LOADING) {
        union call_reply reply;
        memset(&reply, 0, sizeof reply);
        reply.answer = decode_answer(call, HF_RESULT_LOADING);
        loop_complete(client, call, &reply);
    } else {
        hf_error failure = connection->failure;
        loop_complete_unsent(client, call, failure != HF_ERROR_NONE ? failure : HF_ERROR_DEADLINE);
    }
}

static void answer_overdue(hf_client *client)
{
    struct deadline *deadline;
    while ((deadline = deadlines_pop_due(&client->deadlines, client->now_ms))) {
        struct call *call = list_entry(deadline, struct call, deadline);
        struct flight *flight = call->flight;
        if (flight) {
            loop_complete_error(client, call, HF_UNKNOWN, HF_ERROR_DEADLINE);
            connection_check_silence(flight->connection, flight);
        } else {
            give_up_waiting(client, call);
        }
    }
}

static void run_timers(hf_client *client)
{
    for (uint32_t core = 0; core < connection_count(client); core++) {
        struct connection *connection = &client->connections[core];
        if (connection->timer_ms <= client->now_ms)
            connection_on_timer(connection);
    }
}

/* False when the client is being closed. */
static bool take_submitted(hf_client *client)
{
    struct list calls;
    list_init(&calls);
    pthread_mutex_lock(&client->mutex);
    list_move_all(&calls, &client->submitted);
    client->wake_is_due = false;
    client->submitted_by_callback = false;
    bool is_open = !client->is_closing;
    pthread_mutex_unlock(&client->mutex);

    struct list *link;
    while ((link = list_pop_head(&calls))) {
        struct call *call = list_entry(link, struct call, link);
        deadlines_add(&client->deadlines, &call->deadline, call->deadline.at_ms);
        loop_route(client, call);
    }
    return is_open;
}

static bool turn(hf_client *client)
{
    struct epoll_event events[HF_CORE_COUNT_MAX + 1];
    int count = epoll_wait(client->epoll_fd, events, HF_CORE_COUNT_MAX + 1, wait_ms(client));
    client->now_ms = monotonic_ms();
    for (int i = 0; i < count; i++)
        on_event(client, &events[i]);
    answer_overdue(client);
    run_timers(client);
    bool is_open = take_submitted(client);
    for (uint32_t core = 0; is_open && core < connection_count(client); core++)
        connection_flush(&client->connections[core]);
    return is_open;
}

static void answer_all(hf_client *client)
{
    for (uint32_t core = 0; core < HF_CORE_COUNT_MAX; core++)
        connection_stop(&client->connections[core], HF_ERROR_CLOSED);
    struct list calls;
    take_unsent(client, &calls);
    struct list *link;
    while ((link = list_pop_head(&calls)))
        loop_complete_unsent(client, list_entry(link, struct call, link), HF_ERROR_CLOSED);
}

void *loop_run(void *argument)
{
    hf_client *client = argument;
    connection_start(&client->connections[0]);
    while (turn(client))
        continue;
    answer_all(client);
    return NULL;
}
