/* A client is a small state machine:
 *
 *     AWAY -> CONNECTING -> GREETING -> READY -> AWAY ...
 *                                         `-> DONE when the run is over and all is answered
 *
 * and a table of requests. A request waits (to be sent for the first time or again) or is in
 * flight. When the connection goes, what was in flight is given up in the history, and waits again
 * under the same ids, or is dropped. */
#include "clients.h"

#include "base/assert.h"
#include "client_frames.h"
#include "holdfast/v1/session.pb-c.h"
#include "life.h"
#include "shop.h"
#include "stream.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    IN_FLIGHT_MAX = 16,
    LISTED_MAX = 4, /* items of a list that are looked at closely */
    HELLO_REQUEST = 1,
    ROW_TEXT_BYTES = 256,
    SERVER_ID_BYTES = 16,
    BACKOFF_US_MIN = 100,
    BACKOFF_US_MAX = 300 * 1000,
    DISK_NS_SLOW = 5 * SIM_MS, /* for one operation */
};

enum phase { PHASE_AWAY, PHASE_CONNECTING, PHASE_GREETING, PHASE_READY, PHASE_DONE };

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_IN_FLIGHT };

struct slot {
    enum slot_state state;
    struct client_frame frame;
};

struct client {
    uint32_t index;
    char name[16];
    enum phase phase;
    struct sim_stream stream;
    uint64_t alarm; /* only the newest event of the client's own counts */
    uint64_t backoff_us;
    uint64_t last_request_id;
    uint32_t core_count; /* of the newest Hello */
    bool is_going_away;
    bool is_hello_plain;   /* the core that it wanted does not exist any more */
    uint32_t creates_next; /* the seller's: items not yet put on sale */
    uint32_t reads_next;
    bool reads_all;
    /* the snapshot that it reads */
    uint64_t backup_core, backup_lsn, backup_offset; /* LSN 0: none */
    struct slot slots[IN_FLIGHT_MAX];
};

static const struct sim_plan *plan;
static struct client clients[SIM_CLIENTS_MAX];
static struct clients_counts counts;
static uint64_t quiet_until_ns;
static bool is_opening; /* nobody asks anything until the items are on sale */
static bool is_finishing;
static uint8_t server_id[SERVER_ID_BYTES];
static bool has_server_id;

static void set_alarm(struct client *client, uint64_t in_ns);
static void connect_again(struct client *client);

/* ---- chance ---- */

static uint64_t draw(uint64_t low, uint64_t high)
{
    return sim_between(SIM_CHANCE_CLIENTS, low, high);
}

static bool likely(uint32_t permille)
{
    return sim_happens(SIM_CHANCE_CLIENTS, permille);
}

static uint64_t think_ns(void)
{
    return sim_in_range(SIM_CHANCE_CLIENTS, plan->think_us) * SIM_US;
}

/* ---- requests ---- */

static uint32_t slots_in(const struct client *client, enum slot_state state)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++)
        count += client->slots[i].state == state;
    return count;
}

static struct slot *free_slot(struct client *client)
{
    for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++)
        if (client->slots[i].state == SLOT_FREE)
            return &client->slots[i];
    return NULL;
}

static void trace_rows(const struct client *client, const struct client_frame *frame)
{
    char text[ROW_TEXT_BYTES];
    if (frame->ask >= SIM_ASK_ITEM_LIST)
        sim_trace("%s: #%" PRIu64 " %s %" PRIu64, client->name, frame->request_id,
                  frame_type_name(frame->type), frame->number);
    for (uint32_t i = 0; i < frame->row_count; i++) {
        client_row_print(&frame->rows[i], text, sizeof text);
        sim_trace("%s: #%" PRIu64 "%s %s", client->name, frame->request_id,
                  frame->attempts > 1 ? " again" : "", text);
    }
}

/* Sends a request of the table, for the first time or again. */
static void send_slot(struct client *client, struct slot *slot)
{
    static uint8_t bytes[CLIENT_FRAME_BYTES_MAX];
    struct client_frame *frame = &slot->frame;
    frame->request_id = ++client->last_request_id;
    if (frame->attempts < UINT8_MAX)
        frame->attempts++;
    if (frame->ask >= SIM_ASK_ITEM_LIST && frame->ask != SIM_ASK_PING)
        frame->number %= client->core_count;
    frame->was_served = life_state() == LIFE_SERVING;
    client_frame_choose_type(frame);
    trace_rows(client, frame);
    client_frame_ask(frame, client->index, life_not_before_ms());
    counts.rows += frame->row_count;
    counts.repeats += frame->attempts > 1 ? frame->row_count : 0;
    slot->state = SLOT_IN_FLIGHT;
    uint32_t bytes_count = client_frame_encode(frame, bytes);
    stream_send(&client->stream, bytes, bytes_count);
}

/* As many rows of one kind as the plan's batches may have. */
static void choose_rows(struct client_frame *frame)
{
    bool is_batch = frame->ask <= SIM_ASK_GET && plan->rows_max > 1 && likely(500);
    frame->row_count = is_batch ? (uint32_t)draw(1, plan->rows_max) : 1;
    for (uint32_t i = 0; i < frame->row_count; i++)
        shop_choose((enum sim_ask)frame->ask, life_now_ms(), &frame->rows[i]);
}

/* The next piece of what it reads; or one of what nobody has ever made. */
static void fill_piece(const struct client *client, struct client_frame *frame)
{
    enum { LSN_MAX = 2000, BLOCK_BYTES = 4096 };
    uint64_t number = client->backup_core;
    frame->lsn = draw(0, LSN_MAX);
    frame->offset = BLOCK_BYTES * sim_spread(SIM_CHANCE_CLIENTS, 0, LSN_MAX);
    if (client->backup_lsn == 0)
        return;
    frame->number = number;
    frame->lsn = client->backup_lsn;
    frame->offset = client->backup_offset;
}

static void fill_new(struct client *client, struct client_frame *frame)
{
    if (client->creates_next < plan->item_count) {
        frame->ask = SIM_ASK_ITEM_CREATE;
        frame->row_count = 1;
        shop_create_item(client->creates_next++, &frame->rows[0]);
        return;
    }
    frame->ask = (uint8_t)sim_choose(SIM_CHANCE_CLIENTS, plan->ask_weights, SIM_ASK_COUNT);
    if (frame->ask < SIM_ASK_ITEM_LIST) {
        choose_rows(frame);
        return;
    }
    frame->row_count = frame->ask == SIM_ASK_ITEM_LIST ? (uint32_t)draw(1, LISTED_MAX) : 0;
    for (uint32_t i = 0; i < frame->row_count; i++)
        shop_choose(SIM_ASK_ITEM_GET, life_now_ms(), &frame->rows[i]);
    frame->number = draw(0, 1u << 20);
    if (frame->ask == SIM_ASK_SNAPSHOT_READ)
        fill_piece(client, frame);
}

/* The next part of what this client is to read at the end; false when that is all. */
static bool fill_read(struct client *client, struct client_frame *frame)
{
    struct history_call row;
    frame->row_count = 0;
    if (!shop_read(client->reads_next, &row))
        return false;
    frame->ask = row.op == HISTORY_ROW ? SIM_ASK_GET : SIM_ASK_ITEM_GET;
    uint32_t rows_max = frame->ask == SIM_ASK_GET ? plan->server.batch_rows_max : 1;
    while (frame->row_count < rows_max && shop_read(client->reads_next, &row) &&
           (row.op == HISTORY_ROW) == (frame->ask == SIM_ASK_GET)) {
        frame->rows[frame->row_count++] = row;
        client->reads_next += plan->client_count;
    }
    return true;
}

static bool must_wait_for_opening(const struct client *client)
{
    return is_opening && client->creates_next == plan->item_count;
}

/* False when the client has nothing new to ask now. */
static bool send_new(struct client *client)
{
    struct slot *slot = free_slot(client);
    if (slot == NULL || slots_in(client, SLOT_IN_FLIGHT) >= plan->in_flight_max)
        return false;
    slot->frame.attempts = 0;
    if (client->reads_all) {
        if (!fill_read(client, &slot->frame)) {
            client->reads_all = false;
            return false;
        }
    } else if (is_finishing || sim_now_ns() < quiet_until_ns || must_wait_for_opening(client)) {
        return false;
    } else {
        fill_new(client, &slot->frame);
    }
    send_slot(client, slot);
    return true;
}

static void send_some(struct client *client)
{
    for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++)
        if (client->slots[i].state == SLOT_WAITING &&
            slots_in(client, SLOT_IN_FLIGHT) < plan->in_flight_max)
            send_slot(client, &client->slots[i]);
    uint64_t burst = draw(1, plan->in_flight_max);
    while (burst-- > 0 && send_new(client)) {
    }
}

/* ---- the connection's end ---- */

/* The first client puts the items on sale and does not let go of it. */
static bool is_seller(const struct client *client)
{
    return client->index == 0;
}

static void give_up(struct client *client, struct slot *slot)
{
    struct client_frame *frame = &slot->frame;
    for (uint32_t i = 0; i < frame->row_count; i++)
        history_give_up(frame->calls[i]);
    bool is_dropped = likely(plan->drop_permille) && !is_finishing && !is_seller(client);
    sim_trace("%s: #%" PRIu64 " has no answer%s", client->name, frame->request_id,
              is_dropped ? ", and is dropped" : "");
    slot->state = is_dropped ? SLOT_FREE : SLOT_WAITING;
}

static void lose_connection(struct client *client)
{
    stream_close(&client->stream, false);
    client->phase = PHASE_AWAY;
    client->is_going_away = false;
    for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++)
        if (client->slots[i].state == SLOT_IN_FLIGHT)
            give_up(client, &client->slots[i]);
    client->backoff_us *= 2;
    if (client->backoff_us > BACKOFF_US_MAX)
        client->backoff_us = BACKOFF_US_MAX;
    uint64_t away_ns = draw(client->backoff_us / 2, client->backoff_us) * SIM_US;
    bool rests = likely(300);
    if (rests && quiet_until_ns > sim_now_ns() + away_ns)
        away_ns = quiet_until_ns - sim_now_ns();
    set_alarm(client, away_ns);
}

/* Of its own will, with requests in flight, and perhaps in the middle of one more that the server
 * must not take for a request. */
static void walk_away(struct client *client)
{
    static uint8_t bytes[CLIENT_FRAME_BYTES_MAX];
    uint64_t kind = draw(0, 2);
    sim_trace("%s: closes its connection (%" PRIu64 ")", client->name, kind);
    struct slot *slot = free_slot(client);
    if (kind == 2 && slot != NULL) {
        struct client_frame *frame = &slot->frame;
        frame->ask = SIM_ASK_RESERVE;
        frame->row_count = 1;
        frame->request_id = ++client->last_request_id;
        shop_choose(SIM_ASK_RESERVE, life_now_ms(), &frame->rows[0]);
        client_frame_choose_type(frame);
        uint32_t bytes_count = client_frame_encode(frame, bytes);
        uint32_t sent_bytes = (uint32_t)draw(1, bytes_count - 1);
        stream_send(&client->stream, bytes, sent_bytes);
    }
    stream_close(&client->stream, kind == 1);
    lose_connection(client);
}

static void leave(struct client *client)
{
    sim_trace("%s: has all its answers and leaves", client->name);
    stream_close(&client->stream, false);
    client->phase = PHASE_DONE;
    client->alarm++;
}

static bool has_nothing_to_do(const struct client *client)
{
    return is_finishing && !client->reads_all && slots_in(client, SLOT_FREE) == IN_FLIGHT_MAX;
}

/* ---- Hello ---- */

static void send_hello(struct client *client)
{
    uint8_t bytes[256];
    Holdfast__V1__HelloRequest hello = HOLDFAST__V1__HELLO_REQUEST__INIT;
    hello.protocol_version = FRAME_VERSION;
    bool wants_core = likely(plan->wants_core_permille);
    bool names_server = likely(500);
    if (wants_core && !client->is_hello_plain) {
        hello.wants_core = true;
        hello.core = (uint32_t)draw(0, client->core_count - 1);
    }
    if (names_server && has_server_id) {
        hello.server_id.data = server_id;
        hello.server_id.len = SERVER_ID_BYTES;
    }
    size_t bytes_count =
        message_encode_frame(&hello.base, FRAME_HELLO, HELLO_REQUEST, bytes, sizeof bytes);
    hf_assert(bytes_count > 0);
    client->phase = PHASE_GREETING;
    stream_send(&client->stream, bytes, (uint32_t)bytes_count);
}

static void require_hello(bool is_so, const struct client *client, const char *what)
{
    if (!is_so)
        sim_fail("reply", "%s: Hello: %s", client->name, what);
}

static void take_hello(struct client *client, const Holdfast__V1__HelloResponse *hello)
{
    require_hello(client->phase == PHASE_GREETING, client, "a second answer");
    require_hello(hello->result == HOLDFAST__V1__RESULT__RESULT_OK, client, "not OK");
    require_hello(hello->server_id.len == SERVER_ID_BYTES, client, "no server id");
    require_hello(!has_server_id || memcmp(hello->server_id.data, server_id, SERVER_ID_BYTES) == 0,
                  client, "another server id than before");
    require_hello(hello->core < hello->core_count, client, "a core that does not exist");
    require_hello(hello->batch_rows_max == plan->server.batch_rows_max, client,
                  "another batch_rows_max than the server was started with");
    require_hello(hello->now_ms <= life_latest_ms(), client, "a time that is still to come");
    memcpy(server_id, hello->server_id.data, SERVER_ID_BYTES);
    has_server_id = true;
    client->core_count = hello->core_count;
    client->is_hello_plain = false;
    client->phase = PHASE_READY;
    client->backoff_us = BACKOFF_US_MIN;
    client->last_request_id = HELLO_REQUEST;
    counts.connections++;
    sim_trace("%s: is served by core %" PRIu32 " of %" PRIu32, client->name, hello->core,
              hello->core_count);
    set_alarm(client, 0);
}

/* ---- what comes ---- */

static struct slot *slot_of(struct client *client, uint64_t request_id)
{
    for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++)
        if (client->slots[i].state == SLOT_IN_FLIGHT &&
            client->slots[i].frame.request_id == request_id)
            return &client->slots[i];
    return NULL;
}

/* What to read next. */
static void note_backup(struct client *client, const struct client_frame *frame)
{
    if (frame->ask != SIM_ASK_SNAPSHOT && frame->ask != SIM_ASK_SNAPSHOT_READ)
        return;
    client->backup_core = frame->number;
    client->backup_lsn = frame->lsn;
    client->backup_offset = frame->offset;
}

/* Who was told that nothing was looked at may ask again; the seller does, or there is no sale. */
static bool asks_again(const struct client *client, const struct client_frame *frame,
                       const struct client_answer *answers)
{
    bool is_unseen = false;
    for (uint32_t i = 0; i < frame->row_count; i++)
        is_unseen |= !answers[i].is_missing && (answers[i].reply.code == STOCK_LOADING ||
                                                answers[i].reply.code == STOCK_READ_ONLY);
    bool does_again = likely(300);
    return is_unseen && (does_again || is_seller(client)) && !is_finishing;
}

static void take_reply(struct client *client, const struct frame_header *header,
                       const ProtobufCMessage *message)
{
    static struct client_answer answers[SIM_ROWS_MAX];
    char text[ROW_TEXT_BYTES];
    struct slot *slot = slot_of(client, header->request_id);
    if (slot == NULL)
        sim_fail("reply", "%s: a %s to request %" PRIu64 ", which is not in flight", client->name,
                 frame_type_name(header->type), header->request_id);
    struct client_frame *frame = &slot->frame;
    if (header->type != frame->type + FRAME_REPLY)
        sim_fail("reply", "%s: a %s to request %" PRIu64 ", which is a %s", client->name,
                 frame_type_name(header->type), header->request_id, frame_type_name(frame->type));
    client_frame_read(frame, message, answers);
    if (frame->ask >= SIM_ASK_ITEM_LIST)
        sim_trace("%s: #%" PRIu64 " = answered", client->name, frame->request_id);
    note_backup(client, frame);
    for (uint32_t i = 0; i < frame->row_count; i++) {
        const struct client_answer *answer = &answers[i];
        if (answer->is_missing) {
            history_give_up(frame->calls[i]);
            continue;
        }
        client_answer_print(answer, text, sizeof text);
        sim_trace("%s: #%" PRIu64 " = %s", client->name, frame->request_id, text);
        history_answer(frame->calls[i], &answer->reply, answer->has_view ? &answer->view : NULL,
                       life_latest_ms());
        if (frame->rows[i].op == HISTORY_ROW)
            shop_hear(&frame->rows[i].request, &answer->reply);
    }
    slot->state = asks_again(client, frame, answers) ? SLOT_WAITING : SLOT_FREE;
}

/* The one error that a well-behaved client can meet: the number of cores has changed since it last
 * heard of it. */
static void take_error(struct client *client, const Holdfast__V1__ErrorResponse *error)
{
    bool is_core_gone = error->code == HOLDFAST__V1__ERROR_CODE__ERROR_CODE_NO_SUCH_CORE &&
                        client->phase == PHASE_GREETING;
    if (!is_core_gone)
        sim_fail("reply", "%s: error %d: %.*s", client->name, (int)error->code,
                 (int)error->detail.len, (const char *)error->detail.data);
    client->is_hello_plain = true;
    send_hello(client);
}

static void take_frame(struct client *client, const struct frame_header *header,
                       const ProtobufCMessage *message)
{
    switch (header->type) {
    case FRAME_HELLO + FRAME_REPLY:
        take_hello(client, (const void *)message);
        break;
    case FRAME_ERROR:
        take_error(client, (const void *)message);
        break;
    case FRAME_GO_AWAY:
        sim_trace("%s: is told to go away", client->name);
        client->is_going_away = true;
        break;
    default:
        take_reply(client, header, message);
        break;
    }
}

static void take_all(struct client *client)
{
    struct frame_header header;
    const ProtobufCMessage *message;
    while ((message = stream_next(&client->stream, &header)) != NULL)
        take_frame(client, &header, message);
}

/* The server closes a connection on which it serves when it is about to end, and says so. */
static void require_end_was_told(const struct client *client)
{
    if (client->phase == PHASE_READY && !life_was_asked_to_stop(client->stream.server))
        sim_fail("reply", "%s: its connection is closed without a word", client->name);
}

/* What was sent before GoAway is still answered (docs/protocol.md), if it comes in time: over a
 * slow network, to a core without time, or while group after group waits for a segment to be made
 * on a slow disk, it may not. */
static bool is_heard_in_time(void)
{
    return plan->disk.slow_permille == 0 && plan->disk.write_ns_max < DISK_NS_SLOW &&
           plan->network.piece_bytes_max > CLIENT_FRAME_BYTES_MAX &&
           plan->network.buffer_bytes_max > CLIENT_FRAME_BYTES_MAX * IN_FLIGHT_MAX &&
           plan->stall_permille == 0;
}

static void check_goodbye(const struct client *client)
{
    uint32_t unanswered = slots_in(client, SLOT_IN_FLIGHT);
    if (client->is_going_away && unanswered > 0 && is_heard_in_time())
        sim_fail("answered", "%s: after GoAway the connection ends with %" PRIu32 " unanswered",
                 client->name, unanswered);
}

static void on_change(void *context)
{
    struct client *client = context;
    enum sim_link_state link_state = stream_state(&client->stream);
    if (client->stream.link == NULL || link_state == SIM_LINK_CONNECTING)
        return;
    if (client->phase == PHASE_CONNECTING && link_state == SIM_LINK_OPEN)
        send_hello(client);
    if (link_state != SIM_LINK_BROKEN)
        take_all(client);
    if (link_state == SIM_LINK_ENDED)
        require_end_was_told(client);
    if (link_state == SIM_LINK_ENDED)
        check_goodbye(client);
    if (link_state == SIM_LINK_ENDED || link_state == SIM_LINK_BROKEN) {
        sim_trace("%s: its connection has %s", client->name,
                  link_state == SIM_LINK_ENDED ? "ended" : "broken");
        lose_connection(client);
    } else if (has_nothing_to_do(client)) {
        leave(client);
    } else if (client->reads_all && client->phase == PHASE_READY) {
        send_some(client);
    }
}

/* ---- what the client does by itself ---- */

static void connect_again(struct client *client)
{
    client->phase = PHASE_CONNECTING;
    stream_open(&client->stream, on_change, client);
}

/* Told to go away, it waits for its answers; some don't wait for the server to close. */
static void act_when_going(struct client *client)
{
    if (slots_in(client, SLOT_IN_FLIGHT) == 0 && likely(500)) {
        lose_connection(client);
        return;
    }
    set_alarm(client, think_ns() + SIM_US);
}

static void act_when_ready(struct client *client)
{
    bool closes = likely(plan->close_permille) && !is_finishing;
    if (client->is_going_away) {
        act_when_going(client);
        return;
    }
    if (closes) {
        walk_away(client);
        return;
    }
    send_some(client);
    if (has_nothing_to_do(client)) {
        leave(client);
        return;
    }
    uint64_t next_ns = think_ns() + SIM_US;
    uint64_t quiet_ns = quiet_until_ns > sim_now_ns() ? quiet_until_ns - sim_now_ns() : 0;
    set_alarm(client, quiet_ns > next_ns ? quiet_ns : next_ns);
}

static void act(void *context, uint64_t alarm)
{
    struct client *client = context;
    if (alarm != client->alarm)
        return;
    if (client->phase == PHASE_AWAY && has_nothing_to_do(client))
        leave(client);
    else if (client->phase == PHASE_AWAY)
        connect_again(client);
    else if (client->phase == PHASE_READY)
        act_when_ready(client);
}

static void set_alarm(struct client *client, uint64_t in_ns)
{
    client->alarm++;
    sim_at(sim_now_ns() + in_ns, act, client, client->alarm);
}

/* ---- the run ---- */

static void begin_client(uint32_t index)
{
    struct client *client = &clients[index];
    client->index = index;
    client->stream.link = NULL; /* of the world before */
    client->stream.used = 0;
    client->stream.owner = client->name;
    snprintf(client->name, sizeof client->name, "client %" PRIu32, index);
    client->phase = PHASE_AWAY;
    client->backoff_us = BACKOFF_US_MIN;
    client->last_request_id = HELLO_REQUEST;
    client->core_count = plan->server.core_count;
    client->is_going_away = false;
    client->is_hello_plain = false;
    client->creates_next = is_seller(client) ? 0 : plan->item_count;
    client->reads_next = index;
    client->reads_all = false;
    client->backup_lsn = 0;
    for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++)
        client->slots[i].state = SLOT_FREE;
    client->alarm = 0;
    set_alarm(client, think_ns());
}

void clients_begin(const struct sim_plan *new_plan)
{
    plan = new_plan;
    memset(&counts, 0, sizeof counts);
    quiet_until_ns = 0;
    is_opening = plan->opens_calmly;
    is_finishing = false;
    has_server_id = false;
    for (uint32_t i = 0; i < plan->client_count; i++)
        begin_client(i);
}

void clients_hear_of_start(void)
{
    if (plan->server.durability != WAL_SYNC)
        clients[0].creates_next = 0;
}

bool clients_have_opened(void)
{
    const struct client *seller = &clients[0];
    is_opening &=
        seller->creates_next < plan->item_count || slots_in(seller, SLOT_FREE) < IN_FLIGHT_MAX;
    return !is_opening;
}

void clients_be_quiet_until(uint64_t until_ns)
{
    quiet_until_ns = until_ns;
}

/* Wakes whoever sleeps. */
void clients_finish(void)
{
    is_finishing = true;
    quiet_until_ns = 0;
    for (uint32_t i = 0; i < plan->client_count; i++)
        if (clients[i].phase == PHASE_READY || clients[i].phase == PHASE_AWAY)
            set_alarm(&clients[i], 0);
}

void clients_read_all(void)
{
    for (uint32_t i = 0; i < plan->client_count; i++) {
        struct client *client = &clients[i];
        hf_assert(client->phase == PHASE_DONE);
        client->phase = PHASE_AWAY;
        client->reads_all = true;
        client->reads_next = i;
        client->backoff_us = BACKOFF_US_MIN;
        set_alarm(client, 0);
    }
}

bool clients_are_done(void)
{
    for (uint32_t i = 0; i < plan->client_count; i++)
        if (clients[i].phase != PHASE_DONE)
            return false;
    return true;
}

void clients_print_waiting(char *to, size_t to_bytes)
{
    static const char *const phases[] = {"away", "connecting", "greeting", "ready", "done"};
    size_t used = 0;
    to[0] = '\0';
    for (uint32_t i = 0; i < plan->client_count && used < to_bytes; i++)
        if (clients[i].phase != PHASE_DONE)
            used += (size_t)snprintf(
                to + used, to_bytes - used, "%s%s (%s): %" PRIu32 " in flight, %" PRIu32 " waiting",
                used > 0 ? "; " : "", clients[i].name, phases[clients[i].phase],
                slots_in(&clients[i], SLOT_IN_FLIGHT), slots_in(&clients[i], SLOT_WAITING));
}

struct clients_counts clients_counts(void)
{
    return counts;
}
