#include "flood.h"

#include "base/assert.h"
#include "holdfast/v1/item.pb-c.h"
#include "holdfast/v1/reservation.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "life.h"
#include "stream.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    HELLO_REQUEST = 1,
    TRIED_ITEM = 7700,     /* and on: what is only tried out and must never come to be */
    RESERVATION_HIGH = 77, /* of ids that nobody has: to ask for an overdue hold would end it */
    FIRST_REQUEST = 10,    /* of a burst; they count up from it */
    FRAME_BYTES_MAX = 4096,
    WAVE_MS = 100,    /* they come all at once */
    RUN_MAX = 100000, /* requests of a run: then it was enough */
};

enum phase { PHASE_AWAY, PHASE_CONNECTING, PHASE_GREETING, PHASE_WAITING, PHASE_DONE };

static const uint8_t kinds[] = {FRAME_GET,       FRAME_GET,       FRAME_GET_BATCH,
                                FRAME_GET_BATCH, FRAME_ITEM_LIST, FRAME_STAT,
                                FRAME_ITEM_GET,  FRAME_PING,      FRAME_ITEM_CREATE};

struct flood_client {
    char name[20];
    enum phase phase;
    struct sim_stream stream;
    uint64_t alarm;
    uint32_t core_count;
    uint8_t kind; /* enum frame_type, of the burst */
    uint32_t asked_count, answered_count;
    bool is_answered[SIM_FLOOD_FRAMES_MAX];
};

static const struct sim_plan *plan;
static struct flood_client clients[SIM_FLOOD_CLIENTS_MAX];
static uint64_t quiet_until_ns;
static uint64_t overloaded_count;
static uint64_t asked_count; /* in the run */
static bool is_finishing;

static void set_alarm(struct flood_client *client, uint64_t in_ns);

static uint64_t draw(uint64_t low, uint64_t high)
{
    return sim_between(SIM_CHANCE_CLIENTS, low, high);
}

/* ---- asking ---- */

static uint32_t encode(const ProtobufCMessage *message, uint8_t type, uint64_t request_id,
                       uint8_t *to)
{
    size_t bytes = message_encode_frame(message, type, request_id, to, FRAME_BYTES_MAX);
    hf_assert(bytes > 0);
    return (uint32_t)bytes;
}

static uint64_t choose_item(void)
{
    uint64_t item_id = draw(1, plan->item_count);
    return sim_happens(SIM_CHANCE_CLIENTS, plan->hot_permille) ? 1 : item_id;
}

static uint32_t encode_get_batch(uint64_t request_id, uint8_t *to)
{
    Holdfast__V1__GetBatchRequest m = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
    uint64_t item_ids[SIM_ROWS_MAX];
    uint64_t id_high = RESERVATION_HIGH;
    uint64_t id_low = draw(1, 100);
    m.row_count = (uint32_t)draw(1, plan->server.batch_rows_max);
    for (uint32_t i = 0; i < m.row_count; i++)
        item_ids[i] = choose_item();
    m.n_item_id = m.row_count;
    m.item_id = item_ids;
    m.n_reservation_id_high = 1;
    m.reservation_id_high = &id_high;
    m.n_reservation_id_low = 1;
    m.reservation_id_low = &id_low;
    return encode(&m.base, FRAME_GET_BATCH, request_id, to);
}

static uint32_t encode_request(const struct flood_client *client, uint64_t request_id, uint8_t *to)
{
    switch (client->kind) {
    case FRAME_GET: {
        Holdfast__V1__GetRequest m = HOLDFAST__V1__GET_REQUEST__INIT;
        m.item_id = choose_item();
        m.reservation_id_high = RESERVATION_HIGH;
        m.reservation_id_low = draw(1, 100);
        return encode(&m.base, FRAME_GET, request_id, to);
    }
    case FRAME_GET_BATCH:
        return encode_get_batch(request_id, to);
    case FRAME_ITEM_GET: {
        Holdfast__V1__ItemGetRequest m = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
        m.item_id = choose_item();
        return encode(&m.base, FRAME_ITEM_GET, request_id, to);
    }
    case FRAME_ITEM_LIST: {
        Holdfast__V1__ItemListRequest m = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
        m.core = (uint32_t)draw(0, client->core_count - 1);
        return encode(&m.base, FRAME_ITEM_LIST, request_id, to);
    }
    case FRAME_ITEM_CREATE: {
        Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
        Holdfast__V1__ItemCreateRequest m = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
        settings.item_id = draw(TRIED_ITEM, TRIED_ITEM + 100);
        settings.stock = 1;
        m.settings = &settings;
        m.validate_only = true;
        return encode(&m.base, FRAME_ITEM_CREATE, request_id, to);
    }
    case FRAME_STAT: {
        Holdfast__V1__StatRequest m = HOLDFAST__V1__STAT_REQUEST__INIT;
        m.core = (uint32_t)draw(0, client->core_count - 1);
        m.state_hash = sim_happens(SIM_CHANCE_CLIENTS, 500);
        return encode(&m.base, FRAME_STAT, request_id, to);
    }
    default: {
        Holdfast__V1__PingRequest m = HOLDFAST__V1__PING_REQUEST__INIT;
        m.payload = request_id;
        return encode(&m.base, FRAME_PING, request_id, to);
    }
    }
}

static void send_burst(struct flood_client *client)
{
    uint8_t bytes[FRAME_BYTES_MAX];
    client->kind = kinds[draw(0, sizeof kinds - 1)];
    client->asked_count = (uint32_t)draw(1, plan->flood_frames);
    client->answered_count = 0;
    asked_count += client->asked_count;
    memset(client->is_answered, 0, sizeof client->is_answered);
    sim_trace("%s: asks %" PRIu32 " times %s", client->name, client->asked_count,
              frame_type_name(client->kind));
    for (uint32_t i = 0; i < client->asked_count; i++) {
        uint32_t bytes_count = encode_request(client, FIRST_REQUEST + i, bytes);
        stream_send(&client->stream, bytes, bytes_count);
    }
}

static void say_hello(struct flood_client *client)
{
    uint8_t bytes[FRAME_BYTES_MAX];
    Holdfast__V1__HelloRequest m = HOLDFAST__V1__HELLO_REQUEST__INIT;
    m.protocol_version = FRAME_VERSION;
    uint32_t bytes_count = encode(&m.base, FRAME_HELLO, HELLO_REQUEST, bytes);
    client->phase = PHASE_GREETING;
    stream_send(&client->stream, bytes, bytes_count);
}

/* ---- answers ---- */

static uint64_t until_wave_ns(void)
{
    uint64_t wave_ns = (uint64_t)WAVE_MS * SIM_MS;
    return wave_ns - sim_now_ns() % wave_ns;
}

static void leave(struct flood_client *client)
{
    stream_close(&client->stream, false);
    bool is_enough = is_finishing || asked_count >= RUN_MAX;
    client->phase = is_enough ? PHASE_DONE : PHASE_AWAY;
    if (!is_enough)
        set_alarm(client, until_wave_ns());
}

static void count_overloaded(const struct flood_client *client, const ProtobufCMessage *message)
{
    const void *m = message;
    if (client->kind == FRAME_GET && ((const Holdfast__V1__ReservationResponse *)m)->result ==
                                         HOLDFAST__V1__RESULT__RESULT_OVERLOADED)
        overloaded_count++;
    if (client->kind != FRAME_GET_BATCH)
        return;
    const Holdfast__V1__ReservationBatchResponse *batch = m;
    for (uint32_t i = 0; i < batch->row_count && i < batch->n_result; i++)
        overloaded_count += batch->result[i] == HOLDFAST__V1__RESULT__RESULT_OVERLOADED;
}

static void take_answer(struct flood_client *client, const struct frame_header *header,
                        const ProtobufCMessage *message)
{
    uint64_t index = header->request_id - FIRST_REQUEST;
    if (client->phase != PHASE_WAITING || index >= client->asked_count ||
        client->is_answered[index] || header->type != client->kind + FRAME_REPLY)
        sim_fail("reply",
                 "%s: a %s to request %" PRIu64 ", of %" PRIu32 " times %s that were asked",
                 client->name, frame_type_name(header->type), header->request_id,
                 client->asked_count, frame_type_name(client->kind));
    client->is_answered[index] = true;
    count_overloaded(client, message);
    if (++client->answered_count < client->asked_count)
        return;
    sim_trace("%s: has %" PRIu32 " answers", client->name, client->answered_count);
    leave(client);
}

static void take_frame(struct flood_client *client, const struct frame_header *header,
                       const ProtobufCMessage *message)
{
    const void *m = message;
    if (header->type == FRAME_HELLO + FRAME_REPLY && client->phase == PHASE_GREETING) {
        client->core_count = ((const Holdfast__V1__HelloResponse *)m)->core_count;
        client->phase = PHASE_WAITING;
        send_burst(client);
    } else if (header->type == FRAME_GO_AWAY) {
        sim_trace("%s: is told to go away", client->name);
    } else {
        take_answer(client, header, message);
    }
}

static void on_change(void *context)
{
    struct flood_client *client = context;
    struct frame_header header;
    const ProtobufCMessage *message;
    enum sim_link_state link_state = stream_state(&client->stream);
    if (client->stream.link == NULL || link_state == SIM_LINK_CONNECTING)
        return;
    if (client->phase == PHASE_CONNECTING && link_state == SIM_LINK_OPEN)
        say_hello(client);
    while (link_state != SIM_LINK_BROKEN && client->stream.link != NULL &&
           (message = stream_next(&client->stream, &header)) != NULL)
        take_frame(client, &header, message);
    if (client->stream.link != NULL && link_state == SIM_LINK_ENDED &&
        client->phase == PHASE_WAITING && !life_was_asked_to_stop(client->stream.server))
        sim_fail("reply", "%s: its connection is closed without a word", client->name);
    if (client->stream.link != NULL &&
        (link_state == SIM_LINK_ENDED || link_state == SIM_LINK_BROKEN))
        leave(client);
}

/* ---- the run ---- */

static void act(void *context, uint64_t alarm)
{
    struct flood_client *client = context;
    if (alarm != client->alarm || client->phase != PHASE_AWAY)
        return;
    if (sim_now_ns() < quiet_until_ns) {
        set_alarm(client, quiet_until_ns - sim_now_ns());
        return;
    }
    client->phase = PHASE_CONNECTING;
    stream_open(&client->stream, on_change, client);
}

static void set_alarm(struct flood_client *client, uint64_t in_ns)
{
    client->alarm++;
    sim_at(sim_now_ns() + in_ns, act, client, client->alarm);
}

void flood_begin(const struct sim_plan *new_plan)
{
    plan = new_plan;
    quiet_until_ns = 0;
    overloaded_count = 0;
    asked_count = 0;
    is_finishing = false;
    for (uint32_t i = 0; i < plan->flood_client_count; i++) {
        struct flood_client *client = &clients[i];
        client->stream.link = NULL; /* of the world before */
        client->stream.owner = client->name;
        snprintf(client->name, sizeof client->name, "flood client %" PRIu32, i);
        client->phase = PHASE_AWAY;
        client->alarm = 0;
        set_alarm(client, until_wave_ns());
    }
}

void flood_be_quiet_until(uint64_t until_ns)
{
    quiet_until_ns = until_ns;
}

/* Those who wait for answers are given them. */
void flood_finish(void)
{
    is_finishing = true;
    for (uint32_t i = 0; i < plan->flood_client_count; i++)
        if (clients[i].phase == PHASE_AWAY)
            clients[i].phase = PHASE_DONE;
}

bool flood_is_over(void)
{
    for (uint32_t i = 0; i < plan->flood_client_count; i++)
        if (clients[i].phase != PHASE_DONE)
            return false;
    return true;
}

uint64_t flood_overloaded_count(void)
{
    return overloaded_count;
}
