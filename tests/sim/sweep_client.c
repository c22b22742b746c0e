#include "sweep_client.h"

#include "base/assert.h"
#include "holdfast/v1/result.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "life.h"
#include "stream.h"
#include "world.h"

#include <inttypes.h>
#include <string.h>

enum {
    FRAMES_MAX = 64,
    FRAME_ROWS_MAX = 4, /* what the script's server takes */
    IN_FLIGHT_MAX = 4,
    STEP_NS = 20 * SIM_US,
};
static const uint64_t patience_ns = 30 * SIM_SECOND;

enum frame_state { FRAME_WAITING, FRAME_IN_FLIGHT, FRAME_ANSWERED };

static struct {
    void (*revive)(void);
    struct sim_stream stream;
    bool is_greeted;
    bool has_said_hello;
    uint64_t last_request_id;
    struct client_frame frames[FRAMES_MAX];
    enum frame_state states[FRAMES_MAX];
    uint32_t frame_count;
    uint64_t waits_since_ns;
} client;

void sweep_client_begin(void (*revive)(void))
{
    memset(&client, 0, sizeof client);
    client.revive = revive;
    client.stream.owner = "client";
}

void sweep_client_add(enum sim_ask ask, const struct history_call *call)
{
    struct client_frame *frame =
        client.frame_count == 0 ? NULL : &client.frames[client.frame_count - 1];
    bool is_row = call->op == HISTORY_ROW;
    if (frame == NULL || !is_row || frame->ask != ask || frame->row_count == FRAME_ROWS_MAX) {
        hf_assert(client.frame_count < FRAMES_MAX);
        client.states[client.frame_count] = FRAME_WAITING;
        frame = &client.frames[client.frame_count++];
        memset(frame, 0, sizeof *frame);
        frame->ask = (uint8_t)ask;
    }
    frame->rows[frame->row_count++] = *call;
}

/* ---- the connection ---- */

void sweep_client_leave(void)
{
    stream_close(&client.stream, false);
    client.is_greeted = false;
    client.has_said_hello = false;
    for (uint32_t i = 0; i < client.frame_count; i++) {
        if (client.states[i] != FRAME_IN_FLIGHT)
            continue;
        sim_trace("client: #%" PRIu64 " has no answer", client.frames[i].request_id);
        for (uint32_t row = 0; row < client.frames[i].row_count; row++)
            history_give_up(client.frames[i].calls[row]);
        client.states[i] = FRAME_WAITING;
    }
}

/* The client looks at its connection by itself, after each step. */
static void on_change(void *context)
{
    (void)context;
}

static void say_hello(void)
{
    uint8_t bytes[256];
    Holdfast__V1__HelloRequest hello = HOLDFAST__V1__HELLO_REQUEST__INIT;
    hello.protocol_version = FRAME_VERSION;
    client.last_request_id = 1;
    size_t bytes_count = message_encode_frame(&hello.base, FRAME_HELLO, 1, bytes, sizeof bytes);
    hf_assert(bytes_count > 0);
    client.has_said_hello = true;
    stream_send(&client.stream, bytes, (uint32_t)bytes_count);
}

/* ---- requests ---- */

static void send_frame(uint32_t index)
{
    static uint8_t bytes[CLIENT_FRAME_BYTES_MAX];
    struct client_frame *frame = &client.frames[index];
    char text[256];
    frame->request_id = ++client.last_request_id;
    client_frame_choose_type(frame);
    for (uint32_t i = 0; i < frame->row_count; i++) {
        client_row_print(&frame->rows[i], text, sizeof text);
        sim_trace("client: #%" PRIu64 " %s", frame->request_id, text);
    }
    client_frame_ask(frame, 0, life_now_ms());
    uint32_t bytes_count = client_frame_encode(frame, bytes);
    client.states[index] = FRAME_IN_FLIGHT;
    stream_send(&client.stream, bytes, bytes_count);
}

/* False when all have their answers. */
static bool send_some(void)
{
    uint32_t open_count = 0;
    uint32_t in_flight_count = 0;
    for (uint32_t i = 0; i < client.frame_count; i++) {
        open_count += client.states[i] != FRAME_ANSWERED;
        in_flight_count += client.states[i] == FRAME_IN_FLIGHT;
    }
    for (uint32_t i = 0; i < client.frame_count && client.is_greeted; i++) {
        if (client.states[i] != FRAME_WAITING || in_flight_count == IN_FLIGHT_MAX)
            continue;
        send_frame(i);
        in_flight_count++;
    }
    return open_count > 0;
}

/* ---- answers ---- */

static void take_reply(const struct frame_header *header, const ProtobufCMessage *message)
{
    static struct client_answer answers[SIM_ROWS_MAX];
    char text[256];
    uint32_t index = 0;
    while (index < client.frame_count && (client.states[index] != FRAME_IN_FLIGHT ||
                                          client.frames[index].request_id != header->request_id))
        index++;
    if (index == client.frame_count)
        sim_fail("reply", "a %s to request %" PRIu64 ", which is not in flight",
                 frame_type_name(header->type), header->request_id);
    struct client_frame *frame = &client.frames[index];
    if (header->type != frame->type + FRAME_REPLY)
        sim_fail("reply", "a %s to request %" PRIu64 ", which is a %s",
                 frame_type_name(header->type), header->request_id, frame_type_name(frame->type));
    client_frame_read(frame, message, answers);
    for (uint32_t i = 0; i < frame->row_count; i++) {
        client_answer_print(&answers[i], text, sizeof text);
        sim_trace("client: #%" PRIu64 " = %s", frame->request_id, text);
        history_answer(frame->calls[i], &answers[i].reply,
                       answers[i].has_view ? &answers[i].view : NULL, life_now_ms());
    }
    client.states[index] = FRAME_ANSWERED;
    client.waits_since_ns = sim_now_ns();
}

static void take_hello(const Holdfast__V1__HelloResponse *hello)
{
    if (hello->result != HOLDFAST__V1__RESULT__RESULT_OK)
        sim_fail("reply", "Hello is answered %d", (int)hello->result);
    client.is_greeted = true;
    client.waits_since_ns = sim_now_ns();
}

static void take_frames(void)
{
    struct frame_header header;
    const ProtobufCMessage *message;
    while ((message = stream_next(&client.stream, &header)) != NULL) {
        if (header.type == FRAME_HELLO + FRAME_REPLY)
            take_hello((const void *)message);
        else if (header.type == FRAME_ERROR)
            sim_fail("reply", "an error comes for what a good client sent");
        else if (header.type != FRAME_GO_AWAY)
            take_reply(&header, message);
    }
}

/* ---- all of it ---- */

/* One step of the world, and what it brought. */
static void step(void)
{
    if (client.stream.link == NULL)
        stream_open(&client.stream, on_change, NULL);
    if (life_run(sim_now_ns() + STEP_NS) != LIFE_SERVING)
        return;
    enum sim_link_state link = stream_state(&client.stream);
    if (link == SIM_LINK_OPEN && !client.has_said_hello)
        say_hello();
    if (link == SIM_LINK_OPEN || link == SIM_LINK_ENDED)
        take_frames();
    if (link == SIM_LINK_ENDED && client.is_greeted && !life_is_stopping())
        sim_fail("reply", "the connection is closed without a word");
    if (link == SIM_LINK_ENDED || link == SIM_LINK_BROKEN)
        sweep_client_leave();
}

void sweep_client_ask_all(void)
{
    client.waits_since_ns = sim_now_ns();
    while (send_some()) {
        if (life_state() == LIFE_SERVING) {
            step();
        } else {
            sweep_client_leave();
            client.revive();
            client.waits_since_ns = sim_now_ns();
        }
        if (sim_now_ns() - client.waits_since_ns > patience_ns)
            sim_fail("answered", "no answer has come for %" PRIu64 " s",
                     (uint64_t)(patience_ns / SIM_SECOND));
    }
    client.frame_count = 0;
}
