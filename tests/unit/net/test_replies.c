/* Replies and the room promised for them: slow readers, replies out of order, notices. */

#include "fixture.h"

/* Sends a batch frame that says `row_count` rows and nothing else. */
static void send_batch(struct fixture *f, int fd, uint8_t type, uint64_t request_id,
                       uint32_t row_count)
{
    uint8_t frame[64];
    uint8_t *body = frame + FRAME_HEADER_BYTES;
    uint32_t body_bytes = 0;
    body[body_bytes++] = 1 << 3;
    for (; row_count >= 0x80; row_count >>= 7)
        body[body_bytes++] = (uint8_t)(row_count | 0x80);
    body[body_bytes++] = (uint8_t)row_count;
    frame_finish(frame, type, request_id, body_bytes);
    client_send(f, fd, frame, FRAME_HEADER_BYTES + body_bytes);
}

Test(replies, replies_in_any_order_reach_the_client_in_the_order_they_were_made)
{
    struct fixture f;
    enum { COUNT = 50 };
    struct net_frame frames[COUNT];
    fixture_start(&f);
    int fd = client_open(&f);
    for (uint64_t i = 0; i < COUNT; i++)
        client_send_ping(&f, fd, i);
    for (uint64_t i = 0; i < COUNT; i++)
        frames[i] = next_frame(&f);
    for (uint64_t i = COUNT; i-- > 0;)
        answer(&f, &frames[i], (uint32_t)(FRAME_HEADER_BYTES + i));
    for (uint64_t i = COUNT; i-- > 0;)
        cr_assert_eq(client_receive_reply(&f, fd), i);
    close(fd);
    fixture_finish(&f);
}

/* Pulls and answers all frames there are with replies as long as promised. */
static uint32_t answer_all(struct fixture *f)
{
    struct net_frame frame;
    uint32_t count = 0;
    while (net_frame_next(f->net, &frame)) {
        answer(f, &frame, frame.connection.promised_bytes);
        count++;
    }
    return count;
}

/* Pings without a body until the socket takes no more, which may be in the middle of one. */
struct ping_stream {
    uint8_t ping[FRAME_HEADER_BYTES];
    size_t sent_bytes; /* of this ping */
    uint64_t count;    /* sent before this one */
};

/* True when something went out. */
static bool send_pings(struct ping_stream *stream, int fd)
{
    for (bool has_sent = false;; has_sent = true) {
        make_ping(stream->ping, stream->count, 0);
        ssize_t sent = send(fd, stream->ping + stream->sent_bytes,
                            FRAME_HEADER_BYTES - stream->sent_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0)
            return has_sent;
        stream->sent_bytes += (size_t)sent;
        if (stream->sent_bytes == FRAME_HEADER_BYTES) {
            stream->sent_bytes = 0;
            stream->count++;
        }
    }
}

/* The client asks for ever and reads nothing. The server stops reading; nothing is lost when the
 * client reads at last. */
Test(replies, a_client_that_does_not_read_is_not_read_from)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    struct ping_stream stream = {0};
    uint64_t answered_count = 0;
    for (int idle_rounds = 0; idle_rounds < 200; idle_rounds++) {
        if (send_pings(&stream, fd))
            idle_rounds = 0;
        turn(&f);
        answered_count += answer_all(&f);
    }
    cr_assert_gt(answered_count, 1000);
    cr_assert_lt(answered_count, stream.count, "what was not handed out waits in the sockets");
    cr_assert_eq(net_counts(f.net).connections, 1);

    uint8_t reply[4096];
    for (uint64_t i = 0; i < stream.count; i++) {
        answer_all(&f);
        struct frame_header header = client_receive_frame(&f, fd, reply, sizeof reply);
        cr_assert_eq(header.request_id, i);
        answer_all(&f);
    }
    close(fd);
    fixture_finish(&f);
}

Test(replies, a_client_that_does_not_read_leaves_the_others_alone)
{
    struct fixture f;
    fixture_start(&f);
    int slow_fd = client_greeted(&f, NULL);
    int fd = client_greeted(&f, NULL);
    struct ping_stream stream = {0};
    for (uint64_t i = 0; i < 3000; i++) {
        send_pings(&stream, slow_fd);
        if (i % 100 == 0) {
            client_send_ping(&f, fd, i);
            turn_some(&f);
            answer_all(&f);
            uint8_t body[4096];
            cr_assert_eq(client_receive_frame(&f, fd, body, sizeof body).request_id, i);
        }
        answer_all(&f);
    }
    close(slow_fd);
    close(fd);
    fixture_finish(&f);
}

/* Largest replies: so many are promised at once as fit, the next frame waits for a reply. */
Test(replies, a_frame_waits_until_its_largest_reply_can_be_promised)
{
    struct fixture f;
    enum { ROWS = FRAME_ROW_COUNT_MAX };
    struct net_frame frames[3];
    struct net_frame frame;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    for (uint64_t i = 0; i < 3; i++)
        send_batch(&f, fd, FRAME_GET_BATCH, i, ROWS);
    frames[0] = next_frame(&f);
    frames[1] = next_frame(&f);
    cr_assert_geq(frames[0].connection.promised_bytes, ROWS * 59);
    cr_assert_gt(3 * frames[0].connection.promised_bytes, NET_SEND_BYTES_MIN);
    for (int i = 0; i < 20; i++) {
        cr_assert(!net_frame_next(f.net, &frame));
        turn(&f);
    }
    cr_assert(!net_has_frames(f.net), "a frame that waits does not keep the loop awake");
    answer(&f, &frames[1], FRAME_HEADER_BYTES);
    cr_assert(net_frame_next(f.net, &frames[2]));
    cr_assert_eq(frames[2].header.request_id, 2);
    answer(&f, &frames[2], FRAME_HEADER_BYTES);
    answer(&f, &frames[0], FRAME_HEADER_BYTES);
    cr_assert_eq(client_receive_reply(&f, fd), 1);
    cr_assert_eq(client_receive_reply(&f, fd), 2);
    cr_assert_eq(client_receive_reply(&f, fd), 0);
    close(fd);
    fixture_finish(&f);
}

Test(replies, large_replies_arrive_whole)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    uint8_t *body = malloc(NET_SEND_BYTES_MIN);
    for (uint64_t i = 0; i < 20; i++) {
        send_batch(&f, fd, FRAME_GET_BATCH, i, FRAME_ROW_COUNT_MAX);
        struct net_frame frame = next_frame(&f);
        answer(&f, &frame, frame.connection.promised_bytes);
        struct frame_header header = client_receive_frame(&f, fd, body, NET_SEND_BYTES_MIN);
        cr_assert_eq(header.request_id, i);
        cr_assert_eq(header.body_bytes + FRAME_HEADER_BYTES, frame.connection.promised_bytes);
    }
    free(body);
    close(fd);
    fixture_finish(&f);
}

static bool send_notice(struct fixture *f, struct net_connection_id id, uint32_t frame_bytes)
{
    uint8_t *notice = net_reply_begin(f->net, id, frame_bytes);
    if (notice == NULL)
        return false;
    memset(notice, 0, frame_bytes);
    frame_finish(notice, FRAME_GO_AWAY, 0, frame_bytes - FRAME_HEADER_BYTES);
    net_reply_commit(f->net, id, frame_bytes);
    return true;
}

Test(replies, there_is_room_for_a_notice_when_all_else_is_promised)
{
    struct fixture f;
    struct net_connection_id id;
    struct net_frame frames[2048];
    uint32_t count = 0;
    fixture_start(&f);
    int fd = client_greeted(&f, &id);
    for (uint64_t i = 0; i < 2048; i++)
        client_send_ping(&f, fd, i);
    for (int i = 0; i < 100; i++) {
        while (net_frame_next(f.net, &frames[count]))
            count++;
        turn(&f);
    }
    cr_assert_eq(count, NET_SEND_BYTES_MIN / 1024);
    cr_assert(send_notice(&f, id, NET_NOTICE_BYTES_MAX));
    while (send_notice(&f, id, NET_NOTICE_BYTES_MAX))
        ;
    for (uint32_t i = 0; i < count; i++)
        answer(&f, &frames[i], 1024);
    cr_assert_eq(client_receive_reply(&f, fd), 0); /* the notice */
    close(fd);
    turn_some(&f);
    answer_all(&f);
    fixture_finish(&f);
}

Test(replies, a_reply_for_a_connection_that_is_gone_has_nowhere_to_go)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    client_send_ping(&f, fd, 3);
    struct net_frame frame = next_frame(&f);
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    turn_until(&f, net_counts(f.net).connections == 0);
    cr_assert_null(net_reply_begin(f.net, frame.connection, 64));
    cr_assert_eq(net_mark(f.net, frame.connection), 0);

    int next_fd = client_greeted(&f, NULL); /* it has the slot now, under another name */
    cr_assert_null(net_reply_begin(f.net, frame.connection, 64));
    net_close_after_send(f.net, frame.connection, "not this one");
    net_greeted(f.net, frame.connection);
    net_mark_set(f.net, frame.connection, 1);
    turn_some(&f);
    cr_assert_eq(net_counts(f.net).connections, 1);
    close(next_fd);
    fixture_finish(&f);
}
