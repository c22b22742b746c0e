/* The conversation around the requests: Hello and the choice of a core, Ping, errors, good-bye. */
#include "core/private.h"

#include "base/assert.h"
#include "holdfast/v1/session.pb-c.h"

#include <string.h>

enum {
    SESSION_FRAME_BYTES_MAX = 512,
    HAND_OVER_BYTES_MAX = 4096,
    ID_BYTES = 16,
    MARK_GREETED = 1,
};

static void send_message(struct core *core, struct net_connection_id connection,
                         const ProtobufCMessage *message, uint8_t type, uint64_t request_id)
{
    uint8_t *frame = net_reply_begin(core->net, connection, SESSION_FRAME_BYTES_MAX);
    if (frame == NULL)
        return;
    size_t bytes = message_encode_frame(message, type, request_id, frame, SESSION_FRAME_BYTES_MAX);
    hf_assert(bytes > 0);
    net_reply_commit(core->net, connection, (uint32_t)bytes);
}

void session_error(struct core *core, const struct net_frame *frame, int error_code,
                   const char *detail)
{
    Holdfast__V1__ErrorResponse response = HOLDFAST__V1__ERROR_RESPONSE__INIT;
    response.code = (Holdfast__V1__ErrorCode)error_code;
    response.detail.data = (uint8_t *)(uintptr_t)detail;
    response.detail.len = strlen(detail);
    send_message(core, frame->connection, &response.base, FRAME_ERROR, frame->header.request_id);
}

/* The error that ends a connection which has not said a proper Hello. */
static void refuse_session(struct core *core, const struct net_frame *frame, int error_code,
                           const char *detail)
{
    session_error(core, frame, error_code, detail);
    net_close_after_send(core->net, frame->connection, detail);
}

void session_expect_hello(struct core *core, const struct net_frame *frame)
{
    refuse_session(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_HELLO_EXPECTED,
                   "the first frame of a connection must be a Hello");
}

void session_go_away(void *context, struct net_connection_id connection)
{
    static const char reason[] = "the server is stopping";
    Holdfast__V1__GoAwayResponse response = HOLDFAST__V1__GO_AWAY_RESPONSE__INIT;
    response.reason.data = (uint8_t *)(uintptr_t)reason;
    response.reason.len = strlen(reason);
    send_message(context, connection, &response.base, FRAME_GO_AWAY, 0);
}

void session_take_ping(struct core *core, const struct net_frame *frame)
{
    const Holdfast__V1__PingRequest *request =
        (const void *)message_decode(&core->arena, &holdfast__v1__ping_request__descriptor,
                                     frame->body, frame->header.body_bytes);
    if (request == NULL) {
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY,
                      "the body is not a PingRequest");
        return;
    }
    Holdfast__V1__PingResponse response = HOLDFAST__V1__PING_RESPONSE__INIT;
    response.payload = request->payload;
    response.now_ms = core->now_ms;
    send_message(core, frame->connection, &response.base, FRAME_PING + FRAME_REPLY,
                 frame->header.request_id);
}

static void id_to_bytes(struct id128 id, uint8_t *to)
{
    for (int i = 0; i < 8; i++) {
        to[i] = (uint8_t)(id.high >> (56 - 8 * i));
        to[8 + i] = (uint8_t)(id.low >> (56 - 8 * i));
    }
}

static void answer_hello(struct core *core, const struct net_frame *frame)
{
    const struct server *server = core->server;
    uint8_t server_id[ID_BYTES];
    Holdfast__V1__HelloResponse response = HOLDFAST__V1__HELLO_RESPONSE__INIT;

    id_to_bytes(server->directory->manifest.server_id, server_id);
    response.result = HOLDFAST__V1__RESULT__RESULT_OK;
    response.protocol_version = FRAME_VERSION;
    response.server_id.data = server_id;
    response.server_id.len = ID_BYTES;
    response.server_version.data = (uint8_t *)(uintptr_t)server->options.version;
    response.server_version.len = strlen(server->options.version);
    response.now_ms = core->now_ms;
    response.core_count = server->options.core_count;
    response.core = core->index;
    response.body_bytes_max = FRAME_BODY_BYTES_MAX;
    response.batch_rows_max = server->options.batch_rows_max;
    send_message(core, frame->connection, &response.base, FRAME_HELLO + FRAME_REPLY,
                 frame->header.request_id);
    net_mark_set(core->net, frame->connection, MARK_GREETED);
    net_greeted(core->net, frame->connection);
}

/* Moves the connection, this Hello included, to the core that it asks for. */
static enum frame_outcome hand_over(struct core *core, const struct net_frame *frame, uint32_t to)
{
    if (!exchange_has_room(&core->port, to, 1)) {
        answer_hello(core, frame); /* this core serves it, by forwarding its rows */
        return FRAME_TAKEN;
    }
    struct job *job = job_acquire_data(&core->jobs, HAND_OVER_BYTES_MAX);
    if (job == NULL)
        return FRAME_NO_ROOM;
    job->kind = JOB_CONNECTION;
    job->descriptor =
        net_release(core->net, frame, job->data, HAND_OVER_BYTES_MAX, &job->data_bytes);
    if (job->descriptor < 0) {
        job_release(&core->jobs, job);
        answer_hello(core, frame);
        return FRAME_TAKEN;
    }
    exchange_send(&core->port, to, job);
    return FRAME_TAKEN;
}

void session_adopt(struct core *core, const struct job *job)
{
    if (core->is_stopping) {
        io_close(core->io, job->descriptor);
        return;
    }
    (void)net_adopt(core->net, job->descriptor, job->data, job->data_bytes); /* net says why not */
}

static bool is_server_id_right(const struct core *core, const ProtobufCBinaryData *server_id)
{
    uint8_t ours[ID_BYTES];
    id_to_bytes(core->server->directory->manifest.server_id, ours);
    return server_id->len == 0 ||
           (server_id->len == ID_BYTES && memcmp(server_id->data, ours, ID_BYTES) == 0);
}

enum frame_outcome session_take_hello(struct core *core, const struct net_frame *frame)
{
    const Holdfast__V1__HelloRequest *request =
        (const void *)message_decode(&core->arena, &holdfast__v1__hello_request__descriptor,
                                     frame->body, frame->header.body_bytes);
    if (request == NULL) {
        refuse_session(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY,
                       "the body is not a HelloRequest");
        return FRAME_TAKEN;
    }
    if (request->protocol_version != FRAME_VERSION) {
        refuse_session(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_VERSION,
                       "this server speaks protocol version 1");
        return FRAME_TAKEN;
    }
    if (!is_server_id_right(core, &request->server_id)) {
        refuse_session(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_WRONG_SERVER,
                       "this is another server than the one asked for");
        return FRAME_TAKEN;
    }
    if (request->wants_core && request->core >= core->server->options.core_count) {
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_NO_SUCH_CORE,
                      "there is no such core");
        return FRAME_TAKEN;
    }
    /* A connection moves at most once, before anything was asked on it. */
    bool is_greeted = net_mark(core->net, frame->connection) == MARK_GREETED;
    if (request->wants_core && request->core != core->index && !is_greeted)
        return hand_over(core, frame, request->core);
    answer_hello(core, frame);
    return FRAME_TAKEN;
}
