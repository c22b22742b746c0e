#include "bench/load.h"

#include "bench/load_state.h"
#include "holdfast/v1/session.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Life of a connection:
 *
 *     WAITING → CONNECTING → GREETING → OPEN ┐
 *        ↑___________________________________│ lost, with --reconnect
 *                                            └ lost, without: DEAD
 *
 * Sending begins when all are open. A frame in flight keeps its slot, and its slot its rows, until
 * the answer; when the connection is lost and comes back, the frames of all taken slots are made
 * again from their rows and sent again. The ids are the same, so nothing is done twice, and the
 * time of the first sending stays, so the wait is part of the latency. A server that was just
 * started takes connections before it serves, and would answer LOADING, which tells nothing of what
 * was sent before; so on the way back each core is asked by Stat first.
 *
 * In an open loop the planned frames that became due are sent between any two events of a turn, so
 * that a turn with many answers makes none late. The kernel wakes a thread tens of microseconds
 * late, more so where an idle CPU has to be woken for it; so the last moments before a planned one
 * are not slept.
 *
 * Trouble that makes going on pointless (an answer that was never asked for, a server of another
 * name) ends the run at once. When a connection is lost for good, what is in flight elsewhere is
 * still awaited. */

enum {
    EVENTS_MAX = 256,
    IN_ROOM_MIN = 64 * 1024,
    TICK_MS = 100,
};

static_assert(TICK_MS < 1000, "a tick is less than a second");

#define NS_PER_MS        1000000ull
#define NS_PER_S         (1000 * NS_PER_MS)
#define BACKOFF_NS_MIN   (10 * NS_PER_MS)
#define BACKOFF_NS_MAX   (500 * NS_PER_MS)
#define TURN_NS_MAX      (TICK_MS * NS_PER_MS)
#define AWAKE_NS         80000ull  /* so long before a planned moment */
#define REST_NS          100000ull /* between two looks at a plan that has much to do */
#define REQUEST_ID_HELLO 0
#define REQUEST_ID_STAT  1

/* ---- sending ------------------------------------------------------------------------------- */

static void lose(struct load *load, struct connection *c, const char *why);

static void send_frames(struct load *load, struct connection *c)
{
    if (c->state == CONNECTION_OPEN && load->running && !load_send(load, c)) {
        lose(load, c, strerror(errno));
    }
}

/* Several frames are due in the time of a rest. Then those leave together, some microseconds late,
 * which the latency includes; sent one by one they would keep this thread awake, and the processor
 * from the kernel's work on the server's disk and network, which shows as latency of the server. */
static bool has_many_planned(const struct load *load)
{
    const struct bench_options *options = load->options;
    uint64_t frames_per_s = options->rate / options->batch / options->threads;
    return frames_per_s * REST_NS > 2 * NS_PER_S;
}

/* All frames that are due by now, where there is room for them. */
static void send_planned(struct load *load)
{
    uint32_t line;
    if (plan_next_ns(&load->plan, &line) == PLAN_NEVER) {
        return;
    }
    uint64_t now_ns = monotonic_ns();
    if (now_ns < load->rests_until_ns) {
        return;
    }
    load->rests_until_ns = has_many_planned(load) ? now_ns + REST_NS : 0;
    uint64_t elapsed_ns = now_ns - load->started_ns;
    while (!load->ending && plan_next_ns(&load->plan, &line) <= elapsed_ns) {
        send_frames(load, &load->connections[line - load->connections[0].number]);
    }
}

/* ---- coming and going ---------------------------------------------------------------------- */

/* Nothing new from now on. */
static void stop_sending(struct load *load)
{
    if (load->running && !load->ending) {
        uint64_t elapsed_ns = monotonic_ns() - load->started_ns;
        uint64_t reached_ns = plan_reached_ns(&load->plan);
        if (reached_ns < elapsed_ns) {
            load->result->pace.behind_ns = elapsed_ns - reached_ns;
        }
    }
    load->ending = true;
}

static void give_up(struct load *load, struct connection *c)
{
    c->state = CONNECTION_DEAD;
    load_count_lost(load, c);
    stop_sending(load);
}

static void retry_later(struct connection *c)
{
    c->state = CONNECTION_WAITING;
    c->backoff_ns = c->backoff_ns == 0 ? BACKOFF_NS_MIN : 2 * c->backoff_ns;
    c->backoff_ns = c->backoff_ns < BACKOFF_NS_MAX ? c->backoff_ns : BACKOFF_NS_MAX;
    c->retry_at_ns = monotonic_ns() + c->backoff_ns;
}

static void lose(struct load *load, struct connection *c, const char *why)
{
    load->open_count -= c->state == CONNECTION_OPEN;
    plan_sleep(&load->plan, c->number);
    connection_close(c);
    load_interruption_begins(load);
    if (load->running && load->options->reconnect_ms > 0 && !load->aborted) {
        retry_later(c);
    } else {
        load_tell_trouble(load, "connection %u was lost: %s", c->number, why);
        give_up(load, c);
    }
}

static void begin_connect(struct load *load, struct connection *c)
{
    c->state = CONNECTION_CONNECTING;
    if (!connection_begin(c, load->epoll_fd, &load->target->endpoint)) {
        lose(load, c, strerror(errno));
    }
}

/* The core that a connection is with. */
static uint32_t asked_core(const struct load *load, const struct connection *c)
{
    return load->options->hand_over ? (c->core + 1) % load->target->core_count : c->core;
}

static void send_hello(struct load *load, struct connection *c)
{
    int error = connection_error(c);
    if (error != 0) {
        lose(load, c, strerror(error));
        return;
    }
    Holdfast__V1__HelloRequest hello = HOLDFAST__V1__HELLO_REQUEST__INIT;
    hello.protocol_version = FRAME_VERSION;
    hello.client_name.data = (uint8_t *)"holdfast-bench";
    hello.client_name.len = strlen("holdfast-bench");
    hello.server_id.data = (uint8_t *)load->target->server_id;
    hello.server_id.len = sizeof load->target->server_id;
    hello.wants_core = true;
    hello.core = asked_core(load, c);
    enum { HELLO_BYTES_MAX = 256 };
    connection_added(c, message_encode_frame(&hello.base, FRAME_HELLO, REQUEST_ID_HELLO,
                                             connection_room(c, HELLO_BYTES_MAX), HELLO_BYTES_MAX));
    c->state = CONNECTION_GREETING;
    if (!connection_flush(c)) {
        lose(load, c, strerror(errno));
    }
}

static void start_all(struct load *load)
{
    load->running = true;
    load_count_begin(load, load->started_ns);
    load->counting = load->options->warmup_ms == 0;
    load->quiet_since_ns = load->started_ns;
    if (load_is_open_loop(load)) {
        load_begin_plan(load);
    }
    for (uint32_t i = 0; i < load->connection_count; i++) {
        load->connections[i].room_since_ns = load->started_ns;
        send_frames(load, &load->connections[i]);
    }
}

static void open_connection(struct load *load, struct connection *c)
{
    c->state = CONNECTION_OPEN;
    c->backoff_ns = 0;
    c->room_since_ns = load->turn_began_ns;
    load->open_count++;
    if (load->running) {
        load_send_again(load, c);
    }
    if (load->open_count == load->connection_count) {
        load_interruption_ends(load);
        if (!load->running && load_meet(load)) {
            start_all(load);
        }
    }
}

/* Does the core serve already? */
static void send_stat(struct load *load, struct connection *c)
{
    Holdfast__V1__StatRequest stat = HOLDFAST__V1__STAT_REQUEST__INIT;
    stat.core = c->core;
    enum { STAT_BYTES_MAX = 256 };
    connection_added(c, message_encode_frame(&stat.base, FRAME_STAT, REQUEST_ID_STAT,
                                             connection_room(c, STAT_BYTES_MAX), STAT_BYTES_MAX));
    if (!connection_flush(c)) {
        lose(load, c, strerror(errno));
    }
}

static void stat_answered(struct load *load, struct connection *c, const ProtobufCMessage *message)
{
    const Holdfast__V1__StatResponse *reply = (const Holdfast__V1__StatResponse *)message;
    if (reply->result == HOLDFAST__V1__RESULT__RESULT_LOADING) {
        lose(load, c, "the server is loading");
        return;
    }
    open_connection(load, c);
}

static void hello_answered(struct load *load, struct connection *c, const ProtobufCMessage *message)
{
    const Holdfast__V1__HelloResponse *reply = (const Holdfast__V1__HelloResponse *)message;
    if (reply->core != asked_core(load, c) || reply->core_count != load->target->core_count) {
        load_tell_trouble(load, "the server has another number of cores now");
        load->aborted = true;
        return;
    }
    if (load->running) {
        send_stat(load, c);
    } else {
        open_connection(load, c);
    }
}

/* ---- answers ------------------------------------------------------------------------------- */

static void error_answered(struct load *load, const ProtobufCMessage *message)
{
    const Holdfast__V1__ErrorResponse *error = (const Holdfast__V1__ErrorResponse *)message;
    load_tell_trouble(load, "the server answers with error %d: %.*s", (int)error->code,
                      (int)error->detail.len, (const char *)error->detail.data);
    load->aborted = true;
}

static void rows_answered(struct load *load, struct connection *c,
                          const struct frame_header *header, const uint8_t *body, uint64_t now_ns)
{
    uint32_t slot_number = (uint32_t)(header->request_id & ((1 << LOAD_SLOT_BITS) - 1));
    const struct slot *slot = slot_number < load->options->pipeline ? &c->slots[slot_number] : NULL;
    bool batch = load->options->batch > 1;
    struct wire_reply reply;
    if (slot == NULL || slot->row_count == 0 || slot->request_id != header->request_id ||
        header->type != wire_frame_type((enum wire_op)slot->op, batch) + FRAME_REPLY) {
        load_tell_trouble(load, "%s to a request that was never made",
                          frame_type_name(header->type));
        load->aborted = true;
    } else if (!wire_decode(&load->arena, header->type, body, header->body_bytes, &reply) ||
               reply.row_count != slot->row_count) {
        load_tell_trouble(load, "%s cannot be read", frame_type_name(header->type));
        load->aborted = true;
    } else {
        load_count_rows(load, c, slot_number, &reply, now_ns);
        load_release_slot(load, c, slot_number);
    }
}

static void frame_received(struct load *load, struct connection *c,
                           const struct frame_header *header, const uint8_t *body, uint64_t now_ns)
{
    if (header->type != FRAME_ERROR && header->type != FRAME_GO_AWAY &&
        c->state == CONNECTION_OPEN) {
        rows_answered(load, c, header, body, now_ns);
        return;
    }
    const ProtobufCMessage *message =
        message_decode(&load->arena, message_descriptor(header->type), body, header->body_bytes);
    if (message == NULL) {
        load_tell_trouble(load, "%s cannot be read", frame_type_name(header->type));
        load->aborted = true;
    } else if (header->type == FRAME_ERROR) {
        error_answered(load, message);
    } else if (header->type == FRAME_REPLY + FRAME_HELLO && c->state == CONNECTION_GREETING) {
        hello_answered(load, c, message);
    } else if (header->type == FRAME_REPLY + FRAME_STAT && c->state == CONNECTION_GREETING) {
        stat_answered(load, c, message);
    } else if (header->type != FRAME_GO_AWAY) { /* which the close that follows says again */
        load_tell_trouble(load, "%s before the hello was answered", frame_type_name(header->type));
        load->aborted = true;
    }
}

static void receive(struct load *load, struct connection *c, bool peer_ended)
{
    enum connection_input input;
    do {
        input = connection_receive(c, peer_ended);
        uint64_t now_ns = monotonic_ns();
        struct frame_header header;
        const uint8_t *body;
        enum frame_status status;
        while ((status = connection_next_frame(c, &header, &body)) == FRAME_OK && !load->aborted) {
            frame_received(load, c, &header, body, now_ns);
        }
        if (status != FRAME_INCOMPLETE && !load->aborted) {
            load_tell_trouble(load, "the server's frame is bad: %s", frame_status_text(status));
            load->aborted = true;
        }
        if (input == CONNECTION_GONE && c->fd >= 0) {
            lose(load, c, "closed by the server");
        }
    } while (input == CONNECTION_MORE && c->fd >= 0 && !load->aborted);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void handle_event(struct load *load, struct connection *c, uint32_t events)
{
    if (c->fd < 0) {
        return; /* lost earlier in this turn */
    }
    if (c->state == CONNECTION_CONNECTING) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
            send_hello(load, c);
        }
        return;
    }
    uint32_t ends = EPOLLERR | EPOLLHUP | EPOLLRDHUP;
    if (events & (EPOLLIN | ends)) {
        receive(load, c, (events & ends) != 0);
    }
    send_frames(load, c);
}

/* Connections that had nothing to send may have it now: somebody is due to pay. */
static void wake_idle(struct load *load, uint64_t now_ns)
{
    if (workload_next_due_ns(load->part) > now_ns) {
        return;
    }
    for (uint32_t i = 0; i < load->connection_count; i++) {
        struct connection *c = &load->connections[i];
        if (c->free_count > 0 && workload_is_due(load->part, c->core, now_ns)) {
            send_frames(load, c);
        }
    }
}

/* True while some are still on their way back. */
static bool reconnect(struct load *load, uint64_t now_ns)
{
    bool on_their_way = false;
    bool too_late = load->interrupted_ns != 0 &&
                    now_ns - load->interrupted_ns > load->options->reconnect_ms * NS_PER_MS;
    for (uint32_t i = 0; i < load->connection_count; i++) {
        struct connection *c = &load->connections[i];
        if (c->state == CONNECTION_OPEN || c->state == CONNECTION_DEAD) {
            continue;
        }
        if (too_late) {
            load_tell_trouble(load, "the server did not come back in time");
            connection_close(c);
            give_up(load, c);
            continue;
        }
        if (c->state == CONNECTION_WAITING && now_ns >= c->retry_at_ns) {
            begin_connect(load, c);
        }
        on_their_way = true;
    }
    return on_their_way;
}

/* In a closed loop the duration ends the clicks, in an open one the plan, which knows it. */
static bool all_clicks_made(const struct load *load, uint64_t now_ns)
{
    if (load_is_open_loop(load)) {
        return plan_is_done(&load->plan);
    }
    return load->options->duration_ms > 0 &&
           now_ns - load->started_ns >=
               (load->options->warmup_ms + load->options->duration_ms) * NS_PER_MS;
}

static void write_timeline(struct load *load, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - load->started_ns;
    if (load->timeline->trouble[0] != 0 && !load->ending) {
        load_tell_trouble(load, "%s", load->timeline->trouble);
        stop_sending(load);
    }
    if (timeline_is_due(load->timeline, elapsed_ns)) {
        uint64_t reached_ns = plan_reached_ns(&load->plan); /* PLAN_NEVER in a closed loop */
        timeline_write(load->timeline, elapsed_ns,
                       reached_ns < elapsed_ns ? reached_ns : elapsed_ns);
    }
}

static void note_progress(struct load *load, uint64_t now_ns)
{
    struct progress *progress = &load->team->progress;
    uint64_t answered = load->result->warmup_rows + load->result->answered;
    atomic_store_explicit(&load->answered_seen, answered, memory_order_relaxed);
    if (progress_is_due(progress, load->number, now_ns - load->started_ns)) {
        progress_note(progress, load->number, load->result, load->part->accepted,
                      now_ns - load->started_ns);
    }
}

/* `is_silent`: this turn looked for answers until its time was over, and there were none. Who was
 * stopped has not looked, so however long that took, it says nothing of the server. */
static void check_times(struct load *load, uint64_t now_ns, bool is_silent)
{
    if (!load->ending && load_is_stopped(load)) {
        stop_sending(load);
    }
    if (load->running && all_clicks_made(load, now_ns)) {
        workload_stop_clicks(load->part);
    }
    /* who is on the way back has --reconnect's time, which may be longer */
    bool on_their_way = load->interrupted_ns != 0 && reconnect(load, now_ns);
    bool waits = load->in_flight > 0 || !load->running;
    if (waits && is_silent && !on_their_way && now_ns > load->quiet_since_ns &&
        now_ns - load->quiet_since_ns > load->options->timeout_ms * NS_PER_MS) {
        load_tell_trouble(load, "nothing was answered for %llu ms",
                          (unsigned long long)load->options->timeout_ms);
        load->aborted = true;
    }
    if (load->running) {
        write_timeline(load, now_ns);
        note_progress(load, now_ns);
        load_count_outside(load);
    }
}

static bool is_finished(const struct load *load)
{
    if (load->aborted) {
        return true;
    }
    if (load->ending) {
        return load->in_flight == 0;
    }
    return load->running && load->in_flight == 0 && workload_is_done(load->part);
}

/* How long to sleep unless an answer comes: until something is due, at most a tick. */
static uint64_t sleep_ns(const struct load *load, uint64_t now_ns)
{
    uint64_t longest_ns = load->interrupted_ns != 0 ? BACKOFF_NS_MIN : TURN_NS_MAX;
    uint64_t due_ns = workload_next_due_ns(load->part);
    if (due_ns <= now_ns) {
        longest_ns = NS_PER_MS; /* all slots are taken, or it would have been sent */
    } else if (due_ns - now_ns < longest_ns) {
        longest_ns = due_ns - now_ns;
    }
    uint32_t line;
    uint64_t next_ns = load->ending ? PLAN_NEVER : plan_next_ns(&load->plan, &line);
    if (next_ns == PLAN_NEVER) {
        return longest_ns;
    }
    uint64_t awake_ns = load->started_ns + next_ns - AWAKE_NS;
    if (awake_ns < load->rests_until_ns) {
        awake_ns = load->rests_until_ns;
    }
    if (awake_ns <= now_ns) {
        return 0;
    }
    return awake_ns - now_ns < longest_ns ? awake_ns - now_ns : longest_ns;
}

static int wait_for_events(struct load *load, struct epoll_event *events)
{
    uint64_t ns = sleep_ns(load, monotonic_ns());
    struct timespec timeout = {.tv_nsec = (long)ns}; /* less than a second */
    return epoll_pwait2(load->epoll_fd, events, EVENTS_MAX, &timeout, NULL);
}

static void end_warmup(struct load *load)
{
    if (load->running && !load->counting &&
        load->turn_began_ns - load->started_ns >= load->options->warmup_ms * NS_PER_MS) {
        load_count_begin(load, monotonic_ns());
    }
}

static void loop(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    load->quiet_since_ns = monotonic_ns();
    for (uint32_t i = 0; i < load->connection_count; i++) {
        begin_connect(load, &load->connections[i]);
    }
    while (!is_finished(load)) {
        int count = wait_for_events(load, events);
        load->turn_began_ns = monotonic_ns();
        end_warmup(load);
        send_planned(load);
        for (int i = 0; i < count && !load->aborted; i++) {
            handle_event(load, events[i].data.ptr, events[i].events);
            send_planned(load);
        }
        uint64_t now_ns = monotonic_ns();
        wake_idle(load, now_ns);
        check_times(load, now_ns, count == 0);
    }
}

/* ---- from start to end --------------------------------------------------------------------- */

bool load_create(struct load *load)
{
    const struct bench_options *options = load->options;
    uint32_t batch = (uint32_t)options->batch;
    size_t in_room = 2 * wire_reply_bytes_max(batch);
    in_room = in_room > IN_ROOM_MIN ? in_room : IN_ROOM_MIN;
    size_t out_room = options->pipeline * wire_request_bytes_max(batch);
    size_t arena_bytes = 8 * in_room;

    uint32_t first = workload_first_connection(options, load->number);
    load->connection_count = workload_first_connection(options, load->number + 1) - first;
    load->result = calloc(1, sizeof *load->result);
    load->connections = calloc(load->connection_count, sizeof load->connections[0]);
    load->slot_rows =
        malloc(load->connection_count * options->pipeline * batch * sizeof load->slot_rows[0]);
    load->item_ids = malloc(3ull * batch * sizeof load->item_ids[0]);
    load->arena_memory = aligned_alloc(64, (arena_bytes + 63) & ~(size_t)63);
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    uint64_t end_ns = options->duration_ms > 0
                          ? (options->warmup_ms + options->duration_ms) * NS_PER_MS
                          : PLAN_NEVER;
    bool planned = plan_create(&load->plan, options->arrival, options->seed,
                               (uint32_t)options->connections, end_ns);
    bool is_undecided = load_is_open_loop(load) && load->team->watch.count > 0;
    bool decidable = !is_undecided || undecided_create(&load->undecided);
    if (!planned || !decidable || load->result == NULL || load->connections == NULL ||
        load->slot_rows == NULL || load->item_ids == NULL || load->arena_memory == NULL ||
        load->epoll_fd < 0) {
        return false;
    }
    load->id_lows = load->item_ids + batch;
    load->buyer_ids = load->id_lows + batch;
    message_arena_init(&load->arena, load->arena_memory, arena_bytes);
    for (uint32_t i = 0; i < load->connection_count; i++) {
        load->connections[i].fd = -1;
    }
    for (uint32_t i = 0; i < load->connection_count; i++) {
        struct connection *c = &load->connections[i];
        if (!connection_create(c, (uint32_t)options->pipeline, in_room, out_room)) {
            return false;
        }
        c->number = first + i;
        c->core = c->number % load->target->core_count;
    }
    return true;
}

void load_destroy(struct load *load)
{
    for (uint32_t i = 0; load->connections != NULL && i < load->connection_count; i++) {
        connection_destroy(&load->connections[i]);
    }
    if (load->epoll_fd >= 0) {
        close(load->epoll_fd);
    }
    plan_destroy(&load->plan);
    undecided_destroy(&load->undecided);
    free(load->result);
    free(load->connections);
    free(load->slot_rows);
    free(load->item_ids);
    free(load->arena_memory);
}

static void finish(struct load *load)
{
    if (!load->counting) {
        load_count_begin(load, monotonic_ns()); /* the warm-up does not count */
        load->counting = false;
    }
    load_count_end(load);
    load_count_rest_outside(load);
    stop_sending(load);
    for (uint32_t i = 0; i < load->connection_count; i++) {
        load_count_lost(load, &load->connections[i]);
    }
    timeline_end(load->timeline);
    progress_leave(&load->team->progress, load->number, load->result, load->part->accepted);
}

void load_play(struct load *load)
{
    loop(load);
    finish(load);
}
