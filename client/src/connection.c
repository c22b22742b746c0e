#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* The life of a connection:
 *
 *     PAUSED ──timer──> CONNECTING ──writable──> GREETING ──Hello answered──> READY <──> LOADING
 *        ^                  │ failed                │ refused                   │ GoAway
 *        ├──────────────────┴───────────────────────┘                           v
 *        └───────────────────────────lost, or nothing is awaited any more── DRAINING
 *
 * A server that is still loading answers so at once, and says when it will be ready, as far as it
 * can tell. Calls that were put off so go back to their queues, and all queues but that of the
 * questions wait: until the time that was said, for a second at most, since it is only an estimate.
 *
 * Two ways to fail: an attempt that fails tries the next address and pauses when all were tried; a
 * connection that is lost gives back what it had queued and in flight, and pauses too, for less if
 * it had been of use. What was in flight is queued again at the front if its frame had not begun
 * to leave, or if it may be repeated; else it is answered UNKNOWN. A repeat that is refused settles
 * the matter only if the first can't come to be done later, so it is noted who closed.
 *
 * A failed send only stops sending: the socket then also reports its end to the reader, which first
 * takes what the server still said (an Error, a GoAway) and then loses the connection. So there is
 * one place where connections are lost in the middle of things. */

void connection_init(struct connection *connection, hf_client *client, uint32_t core)
{
    connection->client = client;
    connection->core = core;
    connection->state = CONNECTION_UNUSED;
    connection->fd = -1;
    connection->timer_ms = UINT64_MAX;
    connection->pause_ms = CONNECTION_PAUSE_MS_MIN;
    connection->load_pause_ms = CONNECTION_PAUSE_MS_MIN;
    for (uint32_t i = 0; i < CALL_QUEUE_COUNT; i++)
        list_init(&connection->queues[i]);
    list_init(&connection->flights);
}

bool connection_is_hopeless(const struct connection *connection)
{
    switch (connection->failure) {
    case HF_ERROR_NONE:
        return false;
    case HF_ERROR_WRONG_SERVER:
    case HF_ERROR_VERSION:
        return true;
    default:
        return connection->client->options.fail_fast;
    }
}

void connection_queue(struct connection *connection, struct call *call)
{
    uint32_t index = call_queue_index((enum call_op)call->op);
    list_push_tail(&connection->queues[index], &call->link);
}

void connection_take_queued(struct connection *connection, struct list *calls_out)
{
    for (uint32_t i = 0; i < CALL_QUEUE_COUNT; i++)
        list_move_all(calls_out, &connection->queues[i]);
}

/* ---- the socket ---- */

static void watch(struct connection *connection, int operation)
{
    uint32_t events = EPOLLIN | (connection->wants_writable ? EPOLLOUT : 0);
    struct epoll_event event = {
        .events = events, .data.u64 = (uint64_t)connection->core << 32 | (uint32_t)connection->fd};
    epoll_ctl(connection->client->epoll_fd, operation, connection->fd, &event);
}

static void want_writable(struct connection *connection, bool wants)
{
    if (connection->wants_writable == wants)
        return;
    connection->wants_writable = wants;
    watch(connection, EPOLL_CTL_MOD);
}

static void close_socket(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
    connection->wants_writable = false;
    connection->out_used = 0;
    connection->out_sent = 0;
    connection->in_used = 0;
    connection->stream_encoded = 0;
    connection->stream_sent = 0;
}

static bool has_buffers(struct connection *connection)
{
    if (!connection->out)
        connection->out = malloc(CONNECTION_OUT_BYTES);
    if (!connection->in)
        connection->in = malloc(CONNECTION_IN_BYTES);
    return connection->out && connection->in;
}

static const struct address *address_of(const struct connection *connection)
{
    return &connection->client->addresses.addresses[connection->address_index];
}

/* Nagle's algorithm would hold frames back; a peer that vanished is noticed by the system. */
static void set_socket_options(const struct connection *connection)
{
    const int on = 1;
    const int idle_seconds = 10;
    const unsigned unacknowledged_ms = CONNECTION_SILENCE_MS_MAX;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(connection->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof idle_seconds);
    setsockopt(connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
               sizeof unacknowledged_ms);
}

static int open_socket(struct connection *connection)
{
    const struct address *address = address_of(connection);
    if (!has_buffers(connection))
        return ENOMEM;
    connection->fd =
        socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return errno;
    set_socket_options(connection);
    const struct sockaddr *to = (const struct sockaddr *)&address->storage;
    if (connect(connection->fd, to, address->length) != 0 && errno != EINPROGRESS)
        return errno;
    connection->wants_writable = true;
    watch(connection, EPOLL_CTL_ADD);
    return 0;
}

/* ---- attempts and their failure ---- */

/* The pause doubles from one to the next; half of it is left to chance, so that clients that lost
 * the same server don't come back in the same moment. */
static void pause_connection(struct connection *connection)
{
    uint32_t half_ms = connection->pause_ms / 2;
    uint64_t pause_ms = half_ms + loop_random(connection->client) % (half_ms + 1);
    connection->state = CONNECTION_PAUSED;
    connection->timer_ms = connection->client->now_ms + pause_ms;
    connection->pause_ms *= 2;
    if (connection->pause_ms > CONNECTION_PAUSE_MS_MAX)
        connection->pause_ms = CONNECTION_PAUSE_MS_MAX;
}

/* The address did not work. True when there is another one to try; else the connection pauses. */
static bool has_next_address(struct connection *connection, hf_error error, const char *why)
{
    hf_client *client = connection->client;
    client_set_trouble(client, "%s: %s", address_of(connection)->text, why);
    close_socket(connection);
    connection->address_index++;
    if (connection->address_index < client->addresses.count)
        return true;
    connection->address_index = 0;
    connection->failure = error;
    pause_connection(connection);
    if (connection_is_hopeless(connection))
        loop_route_again(client);
    return false;
}

static void begin_attempt(struct connection *connection)
{
    hf_client *client = connection->client;
    int error;
    do {
        connection->state = CONNECTION_CONNECTING;
        connection->timer_ms = client->now_ms + client->options.connect_timeout_ms;
        connection->was_useful = false;
        error = open_socket(connection);
    } while (error != 0 && has_next_address(connection, HF_ERROR_CONNECT, strerrordesc_np(error)));
}

static void fail_attempt(struct connection *connection, hf_error error, const char *why)
{
    if (has_next_address(connection, error, why))
        begin_attempt(connection);
}

void connection_start(struct connection *connection)
{
    connection->address_index = 0;
    connection->pause_ms = CONNECTION_PAUSE_MS_MIN;
    connection->failure = HF_ERROR_NONE;
    begin_attempt(connection);
}

/* ---- loss ---- */

static bool may_repeat(const hf_client *client, const struct call *call)
{
    return client->options.resend && call->op != CALL_ITEM_UPDATE;
}

/* How much of what was in flight the server can still come to do. */
enum afterlife {
    AFTERLIFE_NONE,     /* the server closed the connection: it takes nothing more from it */
    AFTERLIFE_POSSIBLE, /* we closed it, or the way broke: what was sent may still be read */
};

static void give_back_call(struct connection *connection, struct call *call, bool was_sent,
                           enum afterlife afterlife, hf_error error)
{
    call->flight = NULL;
    connection->calls_in_flight--;
    if (was_sent && !may_repeat(connection->client, call)) {
        loop_complete_error(connection->client, call, HF_UNKNOWN, error);
        return;
    }
    call->was_sent |= was_sent;
    call->may_come_late |= was_sent && afterlife == AFTERLIFE_POSSIBLE;
    list_push_head(&connection->queues[call_queue_index((enum call_op)call->op)], &call->link);
}

/* From the last to the first, so that pushing each to the front of its queue keeps the order. */
static void give_back_flights(struct connection *connection, enum afterlife afterlife,
                              hf_error error)
{
    struct list *link;
    while ((link = list_pop_tail(&connection->flights))) {
        struct flight *flight = list_entry(link, struct flight, link);
        bool was_sent = flight->stream_at < connection->stream_sent;
        struct list *call_link;
        while ((call_link = list_pop_tail(&flight->calls)))
            give_back_call(connection, list_entry(call_link, struct call, link), was_sent,
                           afterlife, error);
        flight->connection = NULL;
        list_push_head(&connection->client->free_flights, &flight->link);
    }
}

void connection_stop(struct connection *connection, hf_error error)
{
    give_back_flights(connection, AFTERLIFE_POSSIBLE, error);
    close_socket(connection);
    connection->state = CONNECTION_UNUSED;
    connection->timer_ms = UINT64_MAX;
    connection->failure = HF_ERROR_NONE;
}

static void lose(struct connection *connection, enum afterlife afterlife, const char *why)
{
    if (connection->state == CONNECTION_CONNECTING || connection->state == CONNECTION_GREETING) {
        fail_attempt(connection, HF_ERROR_CONNECT, why);
        return;
    }
    client_set_trouble(connection->client, "%s: %s", address_of(connection)->text, why);
    give_back_flights(connection, afterlife, HF_ERROR_CONNECTION_LOST);
    close_socket(connection);
    connection->address_index = 0;
    if (connection->was_useful)
        connection->pause_ms = CONNECTION_PAUSE_MS_MIN;
    pause_connection(connection);
}

/* When a connection that has said nothing since is given up. */
static uint64_t silence_ends_ms(const struct connection *connection, const struct flight *flight)
{
    uint64_t since_ms =
        flight->sent_ms > connection->heard_ms ? flight->sent_ms : connection->heard_ms;
    return since_ms + (uint64_t)CONNECTION_SILENCE_MS_MAX;
}

void connection_check_silence(struct connection *connection, const struct flight *flight)
{
    if (connection->fd >= 0 && connection->client->now_ms >= silence_ends_ms(connection, flight))
        lose(connection, AFTERLIFE_POSSIBLE, "no answer");
}

static const struct flight *oldest_flight(const struct connection *connection)
{
    return list_is_empty(&connection->flights)
               ? NULL
               : list_entry(connection->flights.next, const struct flight, link);
}

void connection_watch_silence(struct connection *connection)
{
    const struct flight *oldest = oldest_flight(connection);
    if (connection->state == CONNECTION_READY && oldest)
        connection->timer_ms = silence_ends_ms(connection, oldest);
}

static void on_silence_timer(struct connection *connection)
{
    const struct flight *oldest = oldest_flight(connection);
    connection->timer_ms = UINT64_MAX;
    if (oldest)
        connection_check_silence(connection, oldest);
}

void connection_on_timer(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_PAUSED:
        begin_attempt(connection);
        break;
    case CONNECTION_CONNECTING:
        fail_attempt(connection, HF_ERROR_CONNECT, "connecting timed out");
        break;
    case CONNECTION_GREETING:
        fail_attempt(connection, HF_ERROR_CONNECT, "no answer to the greeting");
        break;
    case CONNECTION_LOADING:
        connection->state = CONNECTION_READY; /* and asks again, with all that waits */
        connection->timer_ms = UINT64_MAX;
        break;
    case CONNECTION_READY:
        on_silence_timer(connection);
        break;
    case CONNECTION_UNUSED:
    case CONNECTION_DRAINING:
        break; /* they have no timer */
    }
}

/* ---- a server that is loading ---- */

/* Until it is ready by its own account, or some time when it can't tell; a little longer by chance,
 * so that not all clients come in the same moment. */
static uint64_t load_pause_ms(struct connection *connection, uint64_t ready_ms)
{
    hf_client *client = connection->client;
    uint64_t server_ms = connection->greeted_server_ms + (client->now_ms - connection->greeted_ms);
    uint64_t pause_ms = ready_ms > server_ms ? ready_ms - server_ms : connection->load_pause_ms;
    if (ready_ms <= server_ms)
        connection->load_pause_ms *= 2;
    if (pause_ms > CONNECTION_PAUSE_MS_MAX)
        pause_ms = CONNECTION_PAUSE_MS_MAX;
    if (connection->load_pause_ms > CONNECTION_PAUSE_MS_MAX)
        connection->load_pause_ms = CONNECTION_PAUSE_MS_MAX;
    return pause_ms + loop_random(client) % (pause_ms / 4 + CONNECTION_PAUSE_MS_MIN);
}

static void pause_for_loading(struct connection *connection, uint64_t ready_ms)
{
    connection->state = CONNECTION_LOADING;
    connection->timer_ms = connection->client->now_ms + load_pause_ms(connection, ready_ms);
}

bool connection_put_off(struct connection *connection, struct call *call, uint64_t ready_ms)
{
    if (connection->client->options.fail_fast)
        return false;
    call->flight = NULL;
    connection->calls_in_flight--;
    connection_queue(connection, call);
    if (connection->state == CONNECTION_READY)
        pause_for_loading(connection, ready_ms);
    return true;
}

/* ---- sending ---- */

/* Sends from `out`. False when the socket takes no more. */
static bool send_out(struct connection *connection)
{
    while (connection->out_sent < connection->out_used) {
        ssize_t sent = send(connection->fd, connection->out + connection->out_sent,
                            connection->out_used - connection->out_sent, MSG_NOSIGNAL);
        if (sent < 0) {
            /* of any other error the reader is told as well */
            want_writable(connection, errno == EAGAIN || errno == EINTR);
            return false;
        }
        connection->out_sent += (size_t)sent;
        connection->stream_sent += (uint64_t)sent;
    }
    connection->out_used = 0;
    connection->out_sent = 0;
    want_writable(connection, false);
    return true;
}

void connection_flush(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_GREETING:
        send_out(connection);
        break;
    case CONNECTION_DRAINING:
        if (connection->calls_in_flight == 0)
            lose(connection, AFTERLIFE_NONE, "the server is going away");
        else
            send_out(connection);
        break;
    case CONNECTION_READY:
    case CONNECTION_LOADING:
        while (send_out(connection)) {
            encode_queued(connection);
            if (connection->out_used == 0)
                break;
        }
        break;
    case CONNECTION_UNUSED:
    case CONNECTION_PAUSED:
    case CONNECTION_CONNECTING:
        break;
    }
}

static void greet(struct connection *connection)
{
    int error = 0;
    socklen_t error_bytes = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
    if (error != 0) {
        fail_attempt(connection, HF_ERROR_CONNECT, strerrordesc_np(error));
        return;
    }
    connection->state = CONNECTION_GREETING;
    connection->out_used = encode_hello(connection, connection->out, CONNECTION_OUT_BYTES);
    connection->out_sent = 0;
    connection->stream_encoded = connection->out_used;
    send_out(connection);
}

/* ---- receiving ---- */

static bool is_server_wanted(const hf_client *client, const hf_server_info *info)
{
    return !client->options.server_id ||
           memcmp(client->options.server_id, info->server_id, HF_SERVER_ID_BYTES) == 0;
}

static void set_limits(struct connection *connection, const hf_server_info *info)
{
    uint32_t rows_of_body = encode_rows_fitting(info->body_bytes_max);
    uint32_t rows_max = CLIENT_BATCH_ROWS_MAX;
    if (rows_max > info->batch_rows_max)
        rows_max = info->batch_rows_max;
    if (rows_max > rows_of_body)
        rows_max = rows_of_body;
    connection->rows_max = rows_max;
}

/* False when the connection was given up. */
static bool on_greeted(struct connection *connection, const struct frame_header *header,
                       const uint8_t *body)
{
    hf_client *client = connection->client;
    hf_server_info info;
    uint32_t core;
    struct decoded_error error;
    if (decode_error(client, header, body, &error)) {
        bool is_final = error.error == HF_ERROR_VERSION || error.error == HF_ERROR_WRONG_SERVER;
        fail_attempt(connection, is_final ? error.error : HF_ERROR_CONNECT, error.detail);
        return false;
    }
    if (!decode_hello(client, header, body, &info, &core) || core != connection->core) {
        fail_attempt(connection, HF_ERROR_CONNECT, "the greeting's answer is not understood");
        return false;
    }
    if (!is_server_wanted(client, &info)) {
        fail_attempt(connection, HF_ERROR_WRONG_SERVER, "another server than the one asked for");
        return false;
    }
    bool is_other_server =
        client->has_info && memcmp(client->info.server_id, info.server_id, HF_SERVER_ID_BYTES) != 0;
    client_set_info(client, &info);
    set_limits(connection, &info);
    connection->state = CONNECTION_READY;
    connection->load_pause_ms = CONNECTION_PAUSE_MS_MIN;
    connection->greeted_ms = client->now_ms;
    connection->greeted_server_ms = info.now_ms;
    connection->failure = HF_ERROR_NONE;
    connection->timer_ms = UINT64_MAX;
    if (is_other_server)
        loop_forget_repeats(client);
    loop_set_core_count(client, info.core_count);
    return true;
}

/* The flight that a reply is for, or NULL when nothing waits for it. */
static struct flight *flight_of(struct connection *connection, uint64_t request_id)
{
    hf_client *client = connection->client;
    uint32_t index = (uint32_t)request_id;
    if (index >= client->options.in_flight_max)
        return NULL;
    struct flight *flight = &client->flights[index];
    return flight->request_id == request_id && flight->connection == connection ? flight : NULL;
}

static void land(struct connection *connection, struct flight *flight)
{
    flight->connection = NULL;
    list_remove(&flight->link);
    list_push_head(&connection->client->free_flights, &flight->link);
}

/* The server did nothing of this frame. */
static void on_rejected(struct connection *connection, struct flight *flight,
                        const struct decoded_error *error)
{
    hf_client *client = connection->client;
    client_set_trouble(client, "%s: %s", address_of(connection)->text, error->detail);
    struct list *link;
    while ((link = list_pop_head(&flight->calls)))
        loop_complete_unsent(client, list_entry(link, struct call, link), error->error);
    land(connection, flight);
}

static bool on_error(struct connection *connection, const struct frame_header *header,
                     const uint8_t *body)
{
    struct decoded_error error;
    struct flight *flight = flight_of(connection, header->request_id);
    if (!decode_error(connection->client, header, body, &error)) {
        lose(connection, AFTERLIFE_POSSIBLE, "an error that is not understood");
        return false;
    }
    if (!flight || error.closes) {
        lose(connection, AFTERLIFE_POSSIBLE, error.detail);
        return false;
    }
    on_rejected(connection, flight, &error);
    return true;
}

/* False when the connection was given up. */
static bool on_frame(struct connection *connection, const struct frame_header *header,
                     const uint8_t *body)
{
    if (connection->state == CONNECTION_GREETING)
        return on_greeted(connection, header, body);
    if (header->type == FRAME_GO_AWAY) {
        connection->state = CONNECTION_DRAINING;
        connection->timer_ms = UINT64_MAX;
        return true;
    }
    if (header->type == FRAME_ERROR)
        return on_error(connection, header, body);
    struct flight *flight = flight_of(connection, header->request_id);
    if (!flight || !decode_reply(connection->client, flight, header, body)) {
        lose(connection, AFTERLIFE_POSSIBLE, "a reply that is not understood");
        return false;
    }
    connection->was_useful = true;
    land(connection, flight);
    return true;
}

/* False when the connection was given up. */
static bool take_frames(struct connection *connection)
{
    size_t at = 0;
    for (;;) {
        struct frame_header header;
        size_t need_bytes;
        enum frame_status status = frame_parse(connection->in + at, connection->in_used - at,
                                               FRAME_BODY_BYTES_MAX, false, &header, &need_bytes);
        if (status == FRAME_INCOMPLETE)
            break;
        if (status != FRAME_OK) {
            lose(connection, AFTERLIFE_POSSIBLE, frame_status_text(status));
            return false;
        }
        if (!on_frame(connection, &header, connection->in + at + FRAME_HEADER_BYTES))
            return false;
        at += need_bytes;
    }
    connection->in_used -= at;
    memmove(connection->in, connection->in + at, connection->in_used);
    return true;
}

static void receive(struct connection *connection)
{
    ssize_t got = recv(connection->fd, connection->in + connection->in_used,
                       CONNECTION_IN_BYTES - connection->in_used, 0);
    if (got == 0) {
        lose(connection, AFTERLIFE_NONE, "closed by the server");
    } else if (got > 0) {
        connection->heard_ms = connection->client->now_ms;
        connection->in_used += (size_t)got;
        take_frames(connection);
    } else if (errno != EAGAIN && errno != EINTR) {
        lose(connection, errno == ECONNRESET ? AFTERLIFE_NONE : AFTERLIFE_POSSIBLE,
             strerrordesc_np(errno));
    }
}

void connection_on_event(struct connection *connection, uint32_t epoll_events)
{
    if (connection->state == CONNECTION_CONNECTING)
        greet(connection);
    else if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        receive(connection);
    /* what became writable is written at the end of the turn */
}
