/* Connections: the room net, from bytes to frames and from replies to bytes, with a peer and a core
 * that do what the input says, in any order.
 *
 *      0  how many commands; then these
 *      n  the stream that each of the two clients sends, half of the rest each; frames are made
 *         whole (frame_repair.h), and each gets a request id that tells whose and which it is
 *
 * A command is a byte: what, for which client, how much.
 *
 * Promises:
 *   - The frames that come out are those of the stream, in its order, with its bytes, each once, up
 *     to the first that is bad; cut into pieces, put back, and over a hand-over too.
 *   - The client reads the replies in the order in which they were made, each whole, and then, if
 *     its stream was bad, an Error; nothing after that.
 *   - There is room for every reply that was promised, whatever the client takes of them.
 *   - In the end every connection is closed, once. */

#include "frame_repair.h"

#include "base/bytes.h"
#include "base/diag.h"
#include "io/io.h"
#include "net/net.h"

#include <errno.h>

enum {
    CLIENT_COUNT = 2,
    STREAM_BYTES_MAX = 1 << 13,
    FRAME_BYTES_MAX = FRAME_HEADER_BYTES + 4096,
    OUT_BYTES_MAX = 1 << 21, /* that a client reads in one run, at most */
    OUTSTANDING_MAX = 64,
    REPLY_COUNT_MAX = 1 << 12,
    TURNS_MAX = 1 << 14,
};
static const uint64_t MS = 1000000;
static const uint64_t PARTIAL_TIMEOUT_NS = 1000000000;

/* A client and its socket, whose descriptor is its index. */
struct client {
    uint8_t stream[STREAM_BYTES_MAX];
    size_t stream_bytes;
    size_t sent_bytes;   /* the server received so many */
    size_t frames_start; /* of the frame that has to come out next */
    uint64_t frame_count;
    bool is_greeted;
    bool has_ended; /* sends nothing more once all is sent */
    bool is_gone;   /* the connection broke */
    bool is_closed; /* by the server */
    bool server_has_ended;
    bool is_calm; /* nothing but its own bytes may end it */
    struct io_op *receive;
    struct io_op *send;
    uint8_t *receive_buffer;
    const uint8_t *send_buffer;
    uint32_t receive_bytes;
    uint32_t send_bytes;
    /* what it has read, and what it should read */
    uint8_t out[OUT_BYTES_MAX];
    size_t out_bytes;
    size_t out_start;
    uint64_t replies[REPLY_COUNT_MAX]; /* request ids */
    uint32_t reply_count;
    uint32_t read_count;
    bool has_read_error;
};

static struct client clients[CLIENT_COUNT];
static struct net *net;
static uint64_t now_ns;

/* Frames that came out and are not answered. */
static struct net_frame outstanding[OUTSTANDING_MAX];
static uint32_t outstanding_count;

static struct client *client_of(uint64_t request_id)
{
    return &clients[request_id >> 32];
}

/* ---- the sockets, as net sees them (io/io.h) ---- */

void io_accept(struct io *io, struct io_op *op, int listen_fd)
{
    (void)io, (void)op, (void)listen_fd;
    hf_assert(!"nobody listens");
}

void io_recv(struct io *io, struct io_op *op, int fd, void *buffer, uint32_t bytes)
{
    (void)io;
    struct client *client = &clients[fd];
    hf_assert(bytes > 0 && client->receive == NULL && !client->is_closed);
    client->receive = op;
    client->receive_buffer = buffer;
    client->receive_bytes = bytes;
    op->is_pending = true;
}

void io_send(struct io *io, struct io_op *op, int fd, const void *buffer, uint32_t bytes)
{
    (void)io;
    struct client *client = &clients[fd];
    hf_assert(bytes > 0 && client->send == NULL && !client->is_closed);
    hf_assert(!client->server_has_ended);
    client->send = op;
    client->send_buffer = buffer;
    client->send_bytes = bytes;
    op->is_pending = true;
}

void io_shutdown_send(struct io *io, int fd)
{
    (void)io;
    hf_assert(clients[fd].send == NULL);
    clients[fd].server_has_ended = true;
}

void io_shutdown(struct io *io, int fd)
{
    (void)io;
    clients[fd].is_gone = true;
}

void io_close(struct io *io, int fd)
{
    (void)io;
    struct client *client = &clients[fd];
    hf_assert(!client->is_closed && client->receive == NULL && client->send == NULL);
    client->is_closed = true;
}

static void complete(struct io_op **op_pointer, int32_t result)
{
    struct io_op *op = *op_pointer;
    *op_pointer = NULL;
    op->is_pending = false;
    op->done(op, result);
}

/* ---- the client ---- */

/* Its bytes up to so many reach the server, or their end. */
static void deliver(struct client *client, uint32_t bytes)
{
    if (client->receive == NULL)
        return;
    size_t left = client->stream_bytes - client->sent_bytes;
    if (bytes > left)
        bytes = (uint32_t)left;
    if (bytes > client->receive_bytes)
        bytes = client->receive_bytes;
    if (client->is_gone) {
        complete(&client->receive, -ECONNRESET);
    } else if (bytes > 0) {
        memcpy(client->receive_buffer, client->stream + client->sent_bytes, bytes);
        client->sent_bytes += bytes;
        complete(&client->receive, (int32_t)bytes);
    } else if (left == 0 && client->has_ended) {
        complete(&client->receive, 0);
    }
}

static void check_error(struct client *client, const struct frame_header *header)
{
    hf_assert(header->type == FRAME_ERROR);
    hf_assert(client->read_count == client->reply_count);
    hf_assert(!client->has_read_error);
    client->has_read_error = true;
}

/* Looks at what it has read so far. */
static void check_out(struct client *client)
{
    struct frame_header header;
    size_t need_bytes = 0;
    while (client->out_bytes > client->out_start) {
        enum frame_status status =
            frame_parse(client->out + client->out_start, client->out_bytes - client->out_start,
                        OUT_BYTES_MAX, false, &header, &need_bytes);
        if (status == FRAME_INCOMPLETE)
            return;
        hf_assert(status == FRAME_OK);
        if (header.type == FRAME_ERROR) {
            check_error(client, &header);
        } else {
            hf_assert(client->read_count < client->reply_count);
            hf_assert(header.request_id == client->replies[client->read_count]);
            client->read_count++;
        }
        client->out_start += need_bytes;
    }
}

static void take(struct client *client, uint32_t bytes)
{
    if (client->send == NULL)
        return;
    if (bytes > client->send_bytes)
        bytes = client->send_bytes;
    if (client->is_gone || client->out_bytes + bytes > OUT_BYTES_MAX) {
        client->is_calm = false;
        complete(&client->send, -EPIPE);
        return;
    }
    memcpy(client->out + client->out_bytes, client->send_buffer, bytes);
    client->out_bytes += bytes;
    complete(&client->send, (int32_t)bytes);
    check_out(client);
}

/* ---- the core ---- */

/* The frame that has to come next, by the stream. */
static void check_frame(struct client *client, const struct net_frame *frame)
{
    struct frame_header header;
    size_t need_bytes = 0;
    size_t left = client->sent_bytes - client->frames_start;
    const uint8_t *at = client->stream + client->frames_start;
    uint32_t body_bytes_max = client->is_greeted ? FRAME_BYTES_MAX - FRAME_HEADER_BYTES
                                                 : (uint32_t)NET_HELLO_BODY_BYTES_MAX;
    hf_assert(frame_parse(at, left, body_bytes_max, true, &header, &need_bytes) == FRAME_OK);
    hf_assert(frame->header.request_id == header.request_id);
    hf_assert(frame->header.type == header.type);
    hf_assert(frame->header.body_bytes == header.body_bytes);
    hf_assert(memcmp(frame->body, at + FRAME_HEADER_BYTES, header.body_bytes) == 0);
    hf_assert(frame->connection.promised_bytes > 0);
    client->frames_start += need_bytes;
}

static void put_back(const struct net_frame *frame)
{
    client_of(frame->header.request_id)->frames_start -=
        FRAME_HEADER_BYTES + frame->header.body_bytes;
    net_frame_put_back(net, frame);
}

/* To another core and back: the same connection under another name, which has said no Hello. */
static bool hand_over(const struct net_frame *frame)
{
    static uint8_t received[FRAME_BYTES_MAX];
    uint32_t received_bytes;
    struct client *client = client_of(frame->header.request_id);
    int fd = net_release(net, frame, received, sizeof received, &received_bytes);
    if (fd < 0)
        return false;
    client->frames_start -= FRAME_HEADER_BYTES + frame->header.body_bytes;
    hf_assert(&clients[fd] == client);
    hf_assert(received_bytes == client->sent_bytes - client->frames_start);
    hf_assert(memcmp(received, client->stream + client->frames_start, received_bytes) == 0);
    client->is_greeted = false;
    hf_assert(net_mark(net, frame->connection) == 0); /* the old name is nobody's */
    hf_assert(net_adopt(net, fd, received, received_bytes));
    return true;
}

enum pull { PULL_KEEP, PULL_PUT_BACK, PULL_HAND_OVER };

/* False when there is no frame. */
static bool pull(enum pull what)
{
    struct net_frame frame;
    if (outstanding_count == OUTSTANDING_MAX || !net_frame_next(net, &frame))
        return false;
    struct client *client = client_of(frame.header.request_id);
    check_frame(client, &frame);
    if (what == PULL_PUT_BACK) {
        put_back(&frame);
        return true;
    }
    if (what == PULL_HAND_OVER && hand_over(&frame))
        return true;
    outstanding[outstanding_count++] = frame;
    net_mark_set(net, frame.connection, 7);
    hf_assert(net_mark(net, frame.connection) == 7);
    net_greeted(net, frame.connection);
    client->is_greeted = true;
    return true;
}

static void write_reply(struct net_connection_id id, uint64_t request_id, uint8_t type,
                        uint32_t frame_bytes)
{
    uint8_t *frame = net_reply_begin(net, id, frame_bytes);
    struct client *client = client_of(request_id);
    if (frame == NULL)
        return; /* gone, or no room for a notice */
    memset(frame + FRAME_HEADER_BYTES, type, frame_bytes - FRAME_HEADER_BYTES);
    frame_finish(frame, type, request_id, frame_bytes - FRAME_HEADER_BYTES);
    net_reply_commit(net, id, frame_bytes);
    hf_assert(client->reply_count < REPLY_COUNT_MAX);
    client->replies[client->reply_count++] = request_id;
}

static void reply(uint32_t index, uint32_t amount)
{
    if (outstanding_count == 0)
        return;
    index %= outstanding_count;
    struct net_frame frame = outstanding[index];
    outstanding[index] = outstanding[--outstanding_count];
    uint32_t most = frame.connection.promised_bytes;
    uint32_t frame_bytes = amount % 4 == 3 ? most : FRAME_HEADER_BYTES + amount;
    write_reply(frame.connection, frame.header.request_id,
                (uint8_t)(frame.header.type + FRAME_REPLY), frame_bytes);
}

/* About a connection that somebody has just asked something on. */
static void notice_or_close(uint32_t amount)
{
    if (outstanding_count == 0)
        return;
    const struct net_frame *frame = &outstanding[amount % outstanding_count];
    struct net_connection_id id = frame->connection;
    id.promised_bytes = 0;
    if (amount % 2 == 0) {
        write_reply(id, frame->header.request_id, FRAME_GO_AWAY, FRAME_HEADER_BYTES + amount);
    } else {
        client_of(frame->header.request_id)->is_calm = false;
        net_close_after_send(net, id, NULL);
    }
}

static void flush(uint64_t passed_ns)
{
    now_ns += passed_ns;
    net_flush(net, now_ns);
    hf_assert(net_next_timeout_ns(net) > now_ns);
}

/* ---- a run ---- */

enum { DO_DELIVER, DO_PULL, DO_PULL_OTHERWISE, DO_REPLY, DO_FLUSH, DO_TAKE, DO_NOTICE, DO_LEAVE };

static void leave(struct client *client, uint32_t amount)
{
    client->is_calm = false;
    client->has_ended = true;
    client->stream_bytes -= (client->stream_bytes - client->sent_bytes) * (amount % 4) / 4;
    client->is_gone |= amount / 4 % 2 == 1;
}

static void run_command(uint8_t command)
{
    struct client *client = &clients[command / 8 % CLIENT_COUNT];
    uint32_t amount = command / 16;
    switch (command % 8) {
    case DO_DELIVER:
        deliver(client, amount == 15 ? UINT32_MAX : 1 + amount * amount * 4);
        break;
    case DO_PULL:
        (void)pull(PULL_KEEP);
        break;
    case DO_PULL_OTHERWISE:
        (void)pull(amount % 2 == 0 ? PULL_PUT_BACK : PULL_HAND_OVER);
        break;
    case DO_REPLY:
        reply(command / 8, amount);
        break;
    case DO_FLUSH:
        if (amount >= 12) /* half a frame may run out of time */
            clients[0].is_calm = clients[1].is_calm = false;
        flush(amount < 12 ? MS : PARTIAL_TIMEOUT_NS / 2 + 1);
        break;
    case DO_TAKE:
        take(client, amount == 15 ? UINT32_MAX : 1 + amount * amount * 100);
        break;
    case DO_NOTICE:
        notice_or_close(amount);
        break;
    default:
        leave(client, amount);
        break;
    }
}

/* The last of the run: all is delivered, answered and taken, and the clients leave. */
static void settle(void)
{
    for (uint32_t turn = 0; net_counts(net).connections > 0; turn++) {
        hf_assert(turn < TURNS_MAX);
        for (uint32_t i = 0; i < CLIENT_COUNT; i++) {
            clients[i].has_ended = true;
            deliver(&clients[i], UINT32_MAX);
            take(&clients[i], UINT32_MAX);
        }
        while (pull(PULL_KEEP))
            reply(turn, 0);
        while (outstanding_count > 0)
            reply(turn, 1);
        flush(MS);
    }
    hf_assert(outstanding_count == 0 || !net_has_frames(net));
    outstanding_count = 0;
}

/* What the whole stream has to come to. */
static void check_end(struct client *client)
{
    struct frame_header header;
    size_t need_bytes;
    hf_assert(client->is_closed);
    if (!client->is_calm)
        return;
    enum frame_status status = frame_parse(
        client->stream + client->frames_start, client->stream_bytes - client->frames_start,
        client->is_greeted ? FRAME_BYTES_MAX - FRAME_HEADER_BYTES : NET_HELLO_BODY_BYTES_MAX, true,
        &header, &need_bytes);
    hf_assert(status != FRAME_OK);
    hf_assert(client->has_read_error == (status != FRAME_INCOMPLETE));
    hf_assert(client->read_count == client->reply_count);
}

static void open_client(uint32_t index, const uint8_t *stream, size_t stream_bytes)
{
    struct client *client = &clients[index];
    memset(client, 0, offsetof(struct client, out));
    client->out_bytes = client->out_start = 0;
    client->reply_count = client->read_count = 0;
    client->has_read_error = false;
    client->is_calm = true;
    client->stream_bytes = stream_bytes;
    if (stream_bytes > 0)
        memcpy(client->stream, stream, stream_bytes);
    size_t at = 0;
    for (uint64_t i = 0; stream_bytes - at >= FRAME_HEADER_BYTES; i++) {
        bytes_put_u64(client->stream + at + 24, (uint64_t)index << 32 | i);
        at += frame_repair(client->stream + at, stream_bytes - at, true);
    }
    hf_assert(net_adopt(net, (int)index, NULL, 0));
}

/* One for all runs: it has nothing left of a run whose connections are closed. */
static void create_net(void)
{
    static const struct net_options options = {
        .connection_count_max = CLIENT_COUNT,
        .frame_bytes_max = FRAME_BYTES_MAX,
        .send_bytes_max = NET_SEND_BYTES_MIN,
        .partial_timeout_ns = PARTIAL_TIMEOUT_NS,
    };
    diag_set_level(DIAG_ERROR);
    net = net_create(NULL, &options);
    hf_assert(net != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    size_t command_count, stream_bytes;
    size_t command_count_max = fuzz_take_u8(&tape);
    const uint8_t *commands = fuzz_take_bytes(&tape, command_count_max, &command_count);
    if (net == NULL)
        create_net();
    for (uint32_t i = 0; i < CLIENT_COUNT; i++) {
        size_t half = i + 1 == CLIENT_COUNT ? STREAM_BYTES_MAX : fuzz_left(&tape) / 2;
        const uint8_t *stream = fuzz_take_bytes(
            &tape, half < STREAM_BYTES_MAX ? half : STREAM_BYTES_MAX, &stream_bytes);
        open_client(i, stream, stream_bytes);
    }
    for (size_t i = 0; i < command_count; i++)
        run_command(commands[i]);
    settle();
    for (uint32_t i = 0; i < CLIENT_COUNT; i++)
        check_end(&clients[i]);
    return 0;
}
