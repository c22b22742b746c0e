#include "bad_clients.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "client_frames.h"
#include "holdfast/v1/item.pb-c.h"
#include "holdfast/v1/reservation.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "life.h"
#include "stream.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ERROR(name) HOLDFAST__V1__ERROR_CODE__ERROR_CODE_##name

enum {
    BYTES_MAX = 8192,
    MISCHIEF_REQUEST = 66, /* its number, where the frame has one */
    PING_REQUEST = 67,
    AWAY_US_MAX = 100 * 1000,
    ANSWER_SECONDS = 14, /* the server waits 10 for what does not come */
    HALVES_SECONDS = 6,  /* from one half of a frame to the next */
    HALVES_STEPS = 4,
};

enum mischief {
    NO_FRAME,      /* bytes without any sense */
    OTHER_VERSION, /* in the header */
    UNKNOWN_TYPE,
    FLAGS,             /* and other bytes that must be zero */
    TOO_LONG,          /* a length over the limit */
    STRANGER_TOO_LONG, /* a length over what is taken before Hello */
    WRONG_CHECKSUM,
    HALF_FRAME, /* and then silence */
    NO_HELLO,   /* silence from the start */
    HALVES,     /* no mischief: each frame in time, and always a part of the next one behind it */
    NOT_HELLO_FIRST,
    HELLO_OTHER_VERSION,
    HELLO_OTHER_SERVER,
    HELLO_BAD_BODY,
    HELLO_NO_SUCH_CORE,
    BAD_BODY,
    ITEM_WITHOUT_SETTINGS,
    UPDATE_OF_NOTHING,
    NO_ROWS,
    UNEVEN_COLUMNS,
    TOO_MANY_ROWS,
    NO_SUCH_CORE,
    MISCHIEF_COUNT,
};

/* What docs/protocol.md says about it. */
static const struct {
    const char *name;
    bool is_greeted; /* says Hello first */
    int error;
    uint64_t request_id; /* in the Error frame */
    bool is_closed;
} rules[MISCHIEF_COUNT] = {
    [NO_FRAME] = {"bytes that are no frame", true, ERROR(BAD_MAGIC), 0, true},
    [OTHER_VERSION] = {"another version", true, ERROR(BAD_VERSION), 0, true},
    [UNKNOWN_TYPE] = {"an unknown type", true, ERROR(BAD_TYPE), MISCHIEF_REQUEST, true},
    [FLAGS] = {"flags", true, ERROR(BAD_TYPE), MISCHIEF_REQUEST, true},
    [TOO_LONG] = {"too long a body", true, ERROR(BAD_LENGTH), MISCHIEF_REQUEST, true},
    [STRANGER_TOO_LONG] = {"a stranger's long body", false, ERROR(BAD_LENGTH), MISCHIEF_REQUEST,
                           true},
    [WRONG_CHECKSUM] = {"a wrong checksum", true, ERROR(BAD_CHECKSUM), MISCHIEF_REQUEST, true},
    [HALF_FRAME] = {"half a frame", true, ERROR(TIMEOUT), 0, true},
    [NO_HELLO] = {"no Hello", false, ERROR(TIMEOUT), 0, true},
    [HALVES] = {"halves of frames", true, ERROR(UNSPECIFIED), 0, false},
    [NOT_HELLO_FIRST] = {"a request before Hello", false, ERROR(HELLO_EXPECTED), MISCHIEF_REQUEST,
                         true},
    [HELLO_OTHER_VERSION] = {"a Hello of another version", false, ERROR(BAD_VERSION),
                             MISCHIEF_REQUEST, true},
    [HELLO_OTHER_SERVER] = {"a Hello to another server", false, ERROR(WRONG_SERVER),
                            MISCHIEF_REQUEST, true},
    [HELLO_BAD_BODY] = {"a Hello without sense", false, ERROR(BAD_BODY), MISCHIEF_REQUEST, true},
    [HELLO_NO_SUCH_CORE] = {"a Hello to no core", false, ERROR(NO_SUCH_CORE), MISCHIEF_REQUEST,
                            false},
    [BAD_BODY] = {"a body without sense", true, ERROR(BAD_BODY), MISCHIEF_REQUEST, false},
    [ITEM_WITHOUT_SETTINGS] = {"an item without settings", true, ERROR(BAD_BODY), MISCHIEF_REQUEST,
                               false},
    [UPDATE_OF_NOTHING] = {"an update of nothing", true, ERROR(BAD_BODY), MISCHIEF_REQUEST, false},
    [NO_ROWS] = {"no rows", true, ERROR(BAD_COLUMNS), MISCHIEF_REQUEST, false},
    [UNEVEN_COLUMNS] = {"uneven columns", true, ERROR(BAD_COLUMNS), MISCHIEF_REQUEST, false},
    [TOO_MANY_ROWS] = {"too many rows", true, ERROR(TOO_MANY_ROWS), MISCHIEF_REQUEST, false},
    [NO_SUCH_CORE] = {"a question to no core", true, ERROR(NO_SUCH_CORE), MISCHIEF_REQUEST, false},
};

enum phase {
    PHASE_AWAY,
    PHASE_CONNECTING,
    PHASE_GREETING, /* Hello sent */
    PHASE_MISCHIEF, /* done, the error is to come */
    PHASE_PINGING,  /* heard it; the connection must still be good */
    PHASE_CLOSING,  /* heard it; the connection must end */
    PHASE_DONE,
};

struct bad_client {
    char name[20];
    enum phase phase;
    enum mischief mischief;
    struct sim_stream stream;
    uint64_t alarm;
    bool was_served; /* the server was loaded when it heard of the mischief */
    uint32_t halves_sent;
    uint32_t half_bytes; /* of the frame in hand, sent already */
};

static const struct sim_plan *plan;
static struct bad_client bad_clients[SIM_BAD_CLIENTS_MAX];
static bool is_finishing;
static uint64_t quiet_until_ns;
static uint64_t error_count;

static uint64_t draw(uint64_t low, uint64_t high)
{
    return sim_between(SIM_CHANCE_CLIENTS, low, high);
}

/* ---- what they send ---- */

static uint32_t encode(const ProtobufCMessage *message, uint8_t type, uint8_t *to)
{
    size_t bytes = message_encode_frame(message, type, MISCHIEF_REQUEST, to, BYTES_MAX);
    hf_assert(bytes > 0);
    return (uint32_t)bytes;
}

/* A reservation that nobody else would ever ask for. */
static uint32_t encode_reserve(uint8_t *to)
{
    Holdfast__V1__ReserveRequest m = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    m.item_id = 1;
    m.reservation_id_high = 66;
    m.reservation_id_low = draw(1, 1000000);
    m.quantity = 1;
    return encode(&m.base, FRAME_RESERVE, to);
}

/* The same, in columns of these lengths. */
static uint32_t encode_columns(uint32_t row_count, uint32_t column_length, uint8_t *to)
{
    static const uint64_t ones[SIM_ROWS_MAX + 8] = {1, 1, 1, 1, 1, 1, 1, 1};
    Holdfast__V1__ReserveBatchRequest m = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    uint64_t ids[SIM_ROWS_MAX + 8];
    uint32_t quantity = 1;
    for (uint32_t i = 0; i < column_length; i++)
        ids[i] = 1 + i;
    m.row_count = row_count;
    m.n_item_id = 1;
    m.item_id = (uint64_t *)(uintptr_t)ones;
    m.n_reservation_id_low = column_length;
    m.reservation_id_low = ids;
    m.n_reservation_id_high = 1;
    m.reservation_id_high = (uint64_t *)(uintptr_t)ones;
    m.n_quantity = 1;
    m.quantity = &quantity;
    return encode(&m.base, FRAME_RESERVE_BATCH, to);
}

static uint32_t encode_hello(enum mischief mischief, uint8_t *to)
{
    static uint8_t nobody[16] = {6, 6, 6};
    Holdfast__V1__HelloRequest m = HOLDFAST__V1__HELLO_REQUEST__INIT;
    m.protocol_version = mischief == HELLO_OTHER_VERSION ? 2 : FRAME_VERSION;
    if (mischief == HELLO_OTHER_SERVER) {
        m.server_id.data = nobody;
        m.server_id.len = sizeof nobody;
    }
    if (mischief == HELLO_NO_SUCH_CORE) {
        m.wants_core = true;
        m.core = LOG_CORE_COUNT_MAX;
    }
    return encode(&m.base, FRAME_HELLO, to);
}

/* A frame that is right but for its body, of bytes that begin no field. */
static uint32_t encode_nonsense(uint8_t type, uint32_t body_bytes, uint8_t *to)
{
    memset(to + FRAME_HEADER_BYTES, 0xFF, body_bytes);
    frame_finish(to, type, MISCHIEF_REQUEST, body_bytes);
    return FRAME_HEADER_BYTES + body_bytes;
}

/* A good frame with one byte of its header changed, under a checksum that is right again. */
static uint32_t encode_changed(uint32_t offset, uint8_t value, uint8_t *to)
{
    uint32_t bytes = encode_reserve(to);
    to[offset] = value;
    bytes_put_u64(to, checksum64(to + 8, bytes - 8, 0));
    return bytes;
}

static uint32_t encode_mischief(enum mischief mischief, uint8_t *to)
{
    enum { VERSION_AT = 12, TYPE_AT = 13, LENGTH_AT = 16 };
    static const uint8_t zeros_at[] = {14, 15, 20, 21, 22, 23};
    static const uint8_t types[] = {FRAME_PING,        FRAME_CONFIRM,  FRAME_EXTEND_BATCH,
                                    FRAME_ITEM_UPDATE, FRAME_ITEM_GET, FRAME_ITEM_LIST,
                                    FRAME_STAT};
    uint32_t bytes;
    switch (mischief) {
    case NO_FRAME:
        bytes = (uint32_t)draw(FRAME_HEADER_BYTES, 200);
        memset(to, 'x', bytes);
        return bytes;
    case OTHER_VERSION:
        return encode_changed(VERSION_AT, 2, to);
    case UNKNOWN_TYPE:
        return encode_changed(TYPE_AT, 99, to);
    case FLAGS:
        return encode_changed(zeros_at[draw(0, sizeof zeros_at - 1)], 1, to);
    case TOO_LONG:
        return encode_changed(LENGTH_AT + 3, 0x7F, to);
    case STRANGER_TOO_LONG:
        return encode_nonsense(FRAME_HELLO, 1025, to);
    case WRONG_CHECKSUM:
        bytes = encode_reserve(to);
        to[bytes - 1] ^= 1;
        return bytes;
    case HALF_FRAME:
        bytes = encode_reserve(to);
        return (uint32_t)draw(1, bytes - 1);
    case NO_HELLO:
        return 0;
    case NOT_HELLO_FIRST:
        return encode_reserve(to);
    case HELLO_OTHER_VERSION:
    case HELLO_OTHER_SERVER:
    case HELLO_NO_SUCH_CORE:
        return encode_hello(mischief, to);
    case HELLO_BAD_BODY:
        return encode_nonsense(FRAME_HELLO, 20, to);
    case BAD_BODY:
        bytes = (uint32_t)draw(1, 300);
        return encode_nonsense(types[draw(0, sizeof types - 1)], bytes, to);
    case ITEM_WITHOUT_SETTINGS: {
        Holdfast__V1__ItemCreateRequest m = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
        return encode(&m.base, FRAME_ITEM_CREATE, to);
    }
    case UPDATE_OF_NOTHING: {
        Holdfast__V1__ItemUpdateRequest m = HOLDFAST__V1__ITEM_UPDATE_REQUEST__INIT;
        Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
        settings.item_id = 1;
        m.settings = &settings;
        return encode(&m.base, FRAME_ITEM_UPDATE, to);
    }
    case NO_ROWS:
        return encode_columns(0, 1, to);
    case UNEVEN_COLUMNS:
        bytes = plan->server.batch_rows_max;
        return encode_columns(bytes, bytes == 2 ? 3 : 2, to);
    case TOO_MANY_ROWS:
        bytes = plan->server.batch_rows_max + (uint32_t)draw(1, 4);
        return encode_columns(bytes, bytes, to);
    default: {
        Holdfast__V1__StatRequest m = HOLDFAST__V1__STAT_REQUEST__INIT;
        m.core = LOG_CORE_COUNT_MAX;
        return encode(&m.base, FRAME_STAT, to);
    }
    }
}

/* ---- the conversation ---- */

static void set_alarm(struct bad_client *client, uint64_t in_ns);

static void go_away(struct bad_client *client)
{
    stream_close(&client->stream, false);
    client->phase = is_finishing ? PHASE_DONE : PHASE_AWAY;
    if (!is_finishing)
        set_alarm(client, sim_spread(SIM_CHANCE_CLIENTS, 100, AWAY_US_MAX) * SIM_US);
}

static uint32_t encode_ping(uint8_t *to)
{
    Holdfast__V1__PingRequest m = HOLDFAST__V1__PING_REQUEST__INIT;
    return (uint32_t)message_encode_frame(&m.base, FRAME_PING, PING_REQUEST, to, BYTES_MAX);
}

/* The rest of the frame in hand, and the first half of the next one. */
static void send_halves(struct bad_client *client)
{
    uint8_t bytes[2 * BYTES_MAX];
    uint32_t rest_bytes = 0;
    bool is_last = client->halves_sent == HALVES_STEPS;
    client->phase = is_last ? PHASE_PINGING : PHASE_MISCHIEF;
    if (client->halves_sent > 0) {
        rest_bytes = encode_ping(bytes) - client->half_bytes;
        memmove(bytes, bytes + client->half_bytes, rest_bytes);
    }
    uint32_t next_bytes = encode_ping(bytes + rest_bytes);
    client->half_bytes = is_last ? 0 : (uint32_t)draw(1, next_bytes - 1);
    client->halves_sent++;
    set_alarm(client, (is_last ? ANSWER_SECONDS : HALVES_SECONDS) * SIM_SECOND);
    stream_send(&client->stream, bytes, rest_bytes + client->half_bytes);
}

static void do_mischief(struct bad_client *client)
{
    uint8_t bytes[BYTES_MAX];
    if (client->mischief == HALVES) {
        client->halves_sent = 0;
        send_halves(client);
        return;
    }
    set_alarm(client, ANSWER_SECONDS * SIM_SECOND);
    uint32_t bytes_count = encode_mischief(client->mischief, bytes);
    sim_trace("%s: sends %s, %" PRIu32 " bytes", client->name, rules[client->mischief].name,
              bytes_count);
    client->phase = PHASE_MISCHIEF;
    client->was_served = life_state() == LIFE_SERVING;
    if (bytes_count > 0)
        stream_send(&client->stream, bytes, bytes_count);
}

static void say_hello(struct bad_client *client)
{
    uint8_t bytes[BYTES_MAX];
    uint32_t bytes_count = encode_hello(MISCHIEF_COUNT, bytes);
    client->phase = PHASE_GREETING;
    stream_send(&client->stream, bytes, bytes_count);
}

static void ping(struct bad_client *client)
{
    uint8_t bytes[BYTES_MAX];
    uint32_t bytes_count = encode_ping(bytes);
    client->phase = PHASE_PINGING;
    stream_send(&client->stream, bytes, bytes_count);
}

static void take_error(struct bad_client *client, const struct frame_header *header,
                       const Holdfast__V1__ErrorResponse *error)
{
    enum mischief mischief = client->mischief;
    sim_trace("%s: hears error %d", client->name, (int)error->code);
    if (client->phase != PHASE_MISCHIEF || (int)error->code != rules[mischief].error ||
        header->request_id != rules[mischief].request_id)
        sim_fail("reply",
                 "%s: after %s: error %d to request %" PRIu64 ", not error %d to request %" PRIu64,
                 client->name, rules[mischief].name, (int)error->code, header->request_id,
                 rules[mischief].error, rules[mischief].request_id);
    error_count++;
    if (rules[mischief].is_closed)
        client->phase = PHASE_CLOSING;
    else if (rules[mischief].is_greeted)
        ping(client);
    else
        say_hello(client);
}

/* While a server loads it looks at no request, and says so to good and bad ones alike. */
static bool is_told_to_wait(struct bad_client *client, const struct frame_header *header,
                            const ProtobufCMessage *message)
{
    if (client->phase != PHASE_MISCHIEF || client->was_served ||
        header->request_id != MISCHIEF_REQUEST || !client_result_is_loading(header->type, message))
        return false;
    sim_trace("%s: is told that the server loads", client->name);
    go_away(client);
    return true;
}

static void take_frame(struct bad_client *client, const struct frame_header *header,
                       const ProtobufCMessage *message)
{
    bool is_hello = header->type == FRAME_HELLO + FRAME_REPLY && client->phase == PHASE_GREETING;
    bool is_ping = header->type == FRAME_PING + FRAME_REPLY && client->phase == PHASE_PINGING;
    bool is_between_halves = header->type == FRAME_PING + FRAME_REPLY &&
                             client->phase == PHASE_MISCHIEF && client->mischief == HALVES;
    if (header->type == FRAME_ERROR)
        take_error(client, header, (const void *)message);
    else if (header->type == FRAME_GO_AWAY)
        sim_trace("%s: is told to go away", client->name);
    else if (is_hello && rules[client->mischief].is_greeted)
        do_mischief(client);
    else if (is_hello || is_ping)
        go_away(client); /* the connection was still good */
    else if (!is_between_halves && !is_told_to_wait(client, header, message))
        sim_fail("reply", "%s: a %s after %s", client->name, frame_type_name(header->type),
                 rules[client->mischief].name);
}

/* The server has closed the connection: rightly so when it said why, or when it is about to end, or
 * when its table was full and it said nothing at all. */
static void take_end(struct bad_client *client)
{
    bool was_served = client->phase == PHASE_PINGING ||
                      (client->phase == PHASE_MISCHIEF && rules[client->mischief].is_greeted);
    if (was_served && !life_was_asked_to_stop(client->stream.server))
        sim_fail("reply", "%s: the connection ends without a word after %s", client->name,
                 rules[client->mischief].name);
    go_away(client);
}

static void on_change(void *context)
{
    struct bad_client *client = context;
    struct frame_header header;
    const ProtobufCMessage *message;
    enum sim_link_state link_state = stream_state(&client->stream);
    if (client->stream.link == NULL || link_state == SIM_LINK_CONNECTING)
        return;
    if (client->phase == PHASE_CONNECTING && link_state == SIM_LINK_OPEN) {
        if (rules[client->mischief].is_greeted)
            say_hello(client);
        else
            do_mischief(client);
    }
    while (link_state != SIM_LINK_BROKEN && client->stream.link != NULL &&
           (message = stream_next(&client->stream, &header)) != NULL)
        take_frame(client, &header, message);
    if (client->stream.link == NULL)
        return;
    if (link_state == SIM_LINK_ENDED)
        take_end(client);
    else if (link_state == SIM_LINK_BROKEN)
        go_away(client);
}

/* It is connected and has done its part. A server that stops has other things to do. */
static void act_when_served(struct bad_client *client)
{
    if (life_is_stopping() || life_was_asked_to_stop(client->stream.server) ||
        stream_state(&client->stream) != SIM_LINK_OPEN)
        return;
    if (client->mischief == HALVES && client->phase == PHASE_MISCHIEF)
        send_halves(client);
    else
        sim_fail("answered", "%s: after %s: no answer in %d seconds", client->name,
                 rules[client->mischief].name, ANSWER_SECONDS);
}

static void act(void *context, uint64_t alarm)
{
    struct bad_client *client = context;
    if (alarm != client->alarm || client->phase == PHASE_DONE)
        return;
    if (client->phase != PHASE_AWAY) {
        act_when_served(client);
        return;
    }
    if (is_finishing) {
        client->phase = PHASE_DONE;
        return;
    }
    if (sim_now_ns() < quiet_until_ns) {
        set_alarm(client, quiet_until_ns - sim_now_ns());
        return;
    }
    client->mischief = (enum mischief)draw(0, MISCHIEF_COUNT - 1);
    client->phase = PHASE_CONNECTING;
    stream_open(&client->stream, on_change, client);
}

static void set_alarm(struct bad_client *client, uint64_t in_ns)
{
    client->alarm++;
    sim_at(sim_now_ns() + in_ns, act, client, client->alarm);
}

/* ---- the run ---- */

void bad_clients_begin(const struct sim_plan *new_plan)
{
    plan = new_plan;
    is_finishing = false;
    quiet_until_ns = 0;
    error_count = 0;
    for (uint32_t i = 0; i < plan->bad_client_count; i++) {
        struct bad_client *client = &bad_clients[i];
        client->stream.link = NULL; /* of the world before */
        client->stream.owner = client->name;
        snprintf(client->name, sizeof client->name, "bad client %" PRIu32, i);
        client->phase = PHASE_AWAY;
        client->alarm = 0;
        set_alarm(client, draw(1, 1000) * SIM_US);
    }
}

void bad_clients_be_quiet_until(uint64_t until_ns)
{
    quiet_until_ns = until_ns;
}

void bad_clients_finish(void)
{
    is_finishing = true;
    for (uint32_t i = 0; i < plan->bad_client_count; i++)
        if (bad_clients[i].phase != PHASE_DONE)
            go_away(&bad_clients[i]);
}

bool bad_clients_are_done(void)
{
    for (uint32_t i = 0; i < plan->bad_client_count; i++)
        if (bad_clients[i].phase != PHASE_DONE)
            return false;
    return true;
}

uint64_t bad_clients_error_count(void)
{
    return error_count;
}
