/* From bytes to frames: cut anywhere, many at once, from many clients, and wrong ones. */

#include "fixture.h"

/* Each frame of the stream comes out whole, whichever byte the stream is cut behind. */
Test(framing, a_stream_cut_behind_any_byte_gives_the_same_frames)
{
    struct fixture f;
    uint8_t stream[256];
    fixture_start(&f);
    size_t first_bytes = make_ping(stream, 7, 0);
    size_t stream_bytes = first_bytes + make_ping(stream + first_bytes, 8, 41);

    for (size_t cut = 1; cut < stream_bytes; cut++) {
        int fd = client_open(&f);
        client_send(&f, fd, stream, cut);
        turn_until(&f, net_counts(f.net).bytes_received % stream_bytes == cut);
        client_send(&f, fd, stream + cut, stream_bytes - cut);
        struct net_frame frame = next_frame(&f);
        cr_assert_eq(frame.header.request_id, 7);
        cr_assert_eq(frame.header.body_bytes, 0);
        answer(&f, &frame, FRAME_HEADER_BYTES);
        frame = next_frame(&f);
        cr_assert_eq(frame.header.request_id, 8);
        cr_assert_eq(frame.header.body_bytes, 41);
        cr_assert_eq(frame.header.type, FRAME_PING);
        cr_assert_arr_eq(frame.body, stream + stream_bytes - 41, 41);
        answer(&f, &frame, FRAME_HEADER_BYTES);
        close(fd);
        turn_until(&f, net_counts(f.net).connections == 0);
    }
    cr_assert_eq(net_counts(f.net).bad_frames, 0);
    fixture_finish(&f);
}

Test(framing, many_frames_received_at_once_come_out_one_by_one_in_order)
{
    struct fixture f;
    enum { COUNT = 500 };
    uint8_t stream[COUNT * 64];
    size_t bytes = 0;
    fixture_start(&f);
    int fd = client_open(&f);
    for (uint64_t id = 0; id < COUNT; id++)
        bytes += make_ping(stream + bytes, id, (uint32_t)(id % 30));
    client_send(&f, fd, stream, bytes);
    turn_until(&f, net_counts(f.net).bytes_received == bytes);
    for (uint64_t id = 0; id < COUNT; id++) {
        struct net_frame frame;
        cr_assert(net_frame_next(f.net, &frame));
        cr_assert_eq(frame.header.request_id, id);
        answer(&f, &frame, FRAME_HEADER_BYTES);
    }
    cr_assert(!net_has_frames(f.net));
    for (uint64_t id = 0; id < COUNT; id++)
        cr_assert_eq(client_receive_reply(&f, fd), id);
    close(fd);
    fixture_finish(&f);
}

/* Frames as large as allowed, each behind an odd number of small ones, so that they start all over
 * the buffer. */
Test(framing, largest_frames_between_small_ones_arrive_whole)
{
    struct fixture f;
    struct net_options options = small_options();
    fixture_start_with(&f, &options);
    int fd = client_greeted(&f, NULL);
    uint32_t body_bytes_max = options.frame_bytes_max - FRAME_HEADER_BYTES;
    uint8_t *frame_bytes = malloc(options.frame_bytes_max);
    for (uint64_t round = 0; round < 6; round++) {
        for (uint64_t i = 0; i <= round; i++)
            client_send_ping(&f, fd, i);
        client_send(&f, fd, frame_bytes, make_ping(frame_bytes, 1000 + round, body_bytes_max));
        for (uint64_t i = 0; i <= round; i++) {
            struct net_frame frame = next_frame(&f);
            cr_assert_eq(frame.header.request_id, i);
            answer(&f, &frame, FRAME_HEADER_BYTES);
        }
        struct net_frame frame = next_frame(&f);
        cr_assert_eq(frame.header.request_id, 1000 + round);
        cr_assert_eq(frame.header.body_bytes, body_bytes_max);
        cr_assert_eq(memcmp(frame.body, frame_bytes + FRAME_HEADER_BYTES, body_bytes_max), 0);
        answer(&f, &frame, FRAME_HEADER_BYTES);
    }
    free(frame_bytes);
    close(fd);
    fixture_finish(&f);
}

Test(framing, no_connection_gets_a_second_frame_before_every_other_one_had_its_first)
{
    struct fixture f;
    enum { CLIENTS = 20, FRAMES = 10 };
    int fds[CLIENTS];
    fixture_start(&f);
    for (uint32_t c = 0; c < CLIENTS; c++)
        fds[c] = client_open(&f);
    for (uint32_t c = 0; c < CLIENTS; c++)
        for (uint64_t i = 0; i < FRAMES; i++)
            client_send_ping(&f, fds[c], i);
    turn_until(&f, net_counts(f.net).bytes_received == CLIENTS * FRAMES * (FRAME_HEADER_BYTES + 9));
    for (uint64_t i = 0; i < FRAMES; i++)
        for (uint32_t c = 0; c < CLIENTS; c++) {
            struct net_frame frame;
            cr_assert(net_frame_next(f.net, &frame));
            cr_assert_eq(frame.header.request_id, i, "round %lu", (unsigned long)i);
            answer(&f, &frame, FRAME_HEADER_BYTES);
        }
    for (uint32_t c = 0; c < CLIENTS; c++)
        close(fds[c]);
    fixture_finish(&f);
}

Test(framing, a_frame_put_back_comes_again_before_anything_else)
{
    struct fixture f;
    struct net_frame frame;
    fixture_start(&f);
    int fd = client_open(&f);
    int other_fd = client_open(&f);
    client_send_ping(&f, fd, 1);
    client_send_ping(&f, fd, 2);
    turn_until(&f, net_counts(f.net).bytes_received == 2 * (FRAME_HEADER_BYTES + 9));
    client_send_ping(&f, other_fd, 3);
    turn_until(&f, net_counts(f.net).bytes_received == 3 * (FRAME_HEADER_BYTES + 9));

    cr_assert(net_frame_next(f.net, &frame));
    cr_assert_eq(frame.header.request_id, 1);
    net_frame_put_back(f.net, &frame);
    cr_assert(net_has_frames(f.net));
    turn_some(&f);
    cr_assert(net_frame_next(f.net, &frame));
    cr_assert_eq(frame.header.request_id, 1);
    cr_assert_eq(frame.body[3], 4);
    answer(&f, &frame, FRAME_HEADER_BYTES);
    cr_assert_eq(client_receive_reply(&f, fd), 1);
    cr_assert_eq(next_frame(&f).header.request_id, 3);
    cr_assert_eq(next_frame(&f).header.request_id, 2);
    close(fd);
    close(other_fd);
    turn_some(&f); /* two frames were never answered: the connections wait for that */
    cr_assert_eq(net_counts(f.net).connections, 2);
    fixture_finish(&f);
}

/* ---- wrong frames ---- */

struct fault {
    const char *name;
    uint32_t offset; /* of the byte that is changed */
    uint8_t change;
    bool tells_request_id;
    int code;
};

static const struct fault faults[] = {
    {"checksum", 0, 1, true, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_CHECKSUM},
    {"magic", 8, 1, false, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_MAGIC},
    {"version", 12, 2, false, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_VERSION},
    {"type", 13, 0x40, true, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_TYPE},
    {"type of a reply", 13, 0x80, true, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_TYPE},
    {"flags", 14, 1, true, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_TYPE},
    {"length over the limit", 19, 0x80, true, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_LENGTH},
    {"body", 40, 1, true, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_CHECKSUM},
};

enum { FAULT_COUNT = sizeof faults / sizeof faults[0] };

Test(faults, a_wrong_frame_is_answered_by_its_error_and_the_connection_closed)
{
    struct fixture f;
    fixture_start(&f);
    for (uint32_t i = 0; i < FAULT_COUNT; i++) {
        uint8_t bytes[64];
        struct net_frame frame;
        int fd = client_greeted(&f, NULL);
        size_t frame_bytes = make_ping(bytes, 77, 9);
        bytes[faults[i].offset] ^= faults[i].change;
        client_send(&f, fd, bytes, frame_bytes);
        turn_until(&f, net_has_frames(f.net));
        cr_assert(!net_frame_next(f.net, &frame), "%s", faults[i].name);
        client_receive_error(&f, fd, faults[i].code, faults[i].tells_request_id ? 77 : 0);
        cr_assert(client_sees_end(&f, fd), "%s", faults[i].name);
        cr_assert_eq(net_counts(f.net).bad_frames, i + 1);
        close(fd);
        turn_until(&f, net_counts(f.net).connections == 0);
    }
    fixture_finish(&f);
}

/* The header alone is enough: nothing more is received from a stranger. */
Test(faults, a_stranger_is_given_no_room_for_a_long_body)
{
    struct fixture f;
    uint8_t bytes[FRAME_HEADER_BYTES + NET_HELLO_BODY_BYTES_MAX + 1];
    struct net_frame frame;
    fixture_start(&f);
    int fd = client_open(&f);
    client_send(&f, fd, bytes, make_ping(bytes, 6, NET_HELLO_BODY_BYTES_MAX));
    frame = next_frame(&f);
    answer(&f, &frame, FRAME_HEADER_BYTES);
    cr_assert_eq(client_receive_reply(&f, fd), 6);
    (void)make_ping(bytes, 7, NET_HELLO_BODY_BYTES_MAX + 1);
    client_send(&f, fd, bytes, FRAME_HEADER_BYTES);
    turn_until(&f, net_has_frames(f.net));
    cr_assert(!net_frame_next(f.net, &frame));
    client_receive_error(&f, fd, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_LENGTH, 7);
    cr_assert(client_sees_end(&f, fd));
    close(fd);
    fixture_finish(&f);
}

Test(faults, the_error_comes_after_the_replies_to_what_was_sent_before_it)
{
    struct fixture f;
    uint8_t garbage[FRAME_HEADER_BYTES] = {1, 2, 3};
    struct net_frame frame;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    client_send_ping(&f, fd, 5);
    client_send(&f, fd, garbage, sizeof garbage);
    struct net_frame good = next_frame(&f);
    turn_until(&f, net_has_frames(f.net));
    cr_assert(!net_frame_next(f.net, &frame));
    turn_some(&f);
    cr_assert_eq(net_counts(f.net).bad_frames, 1);
    answer(&f, &good, 100);
    cr_assert_eq(client_receive_reply(&f, fd), 5);
    client_receive_error(&f, fd, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_MAGIC, 0);
    cr_assert(client_sees_end(&f, fd));
    close(fd);
    fixture_finish(&f);
}

Test(faults, frames_behind_a_wrong_one_are_dropped)
{
    struct fixture f;
    uint8_t garbage[FRAME_HEADER_BYTES] = {1, 2, 3};
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    client_send(&f, fd, garbage, sizeof garbage);
    for (uint64_t id = 0; id < 100; id++)
        client_send_ping(&f, fd, id);
    for (int i = 0; i < 100; i++) {
        struct net_frame frame;
        cr_assert(!net_frame_next(f.net, &frame));
        turn(&f);
    }
    client_receive_error(&f, fd, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_MAGIC, 0);
    close(fd);
    fixture_finish(&f);
}

/* Random bytes and random damage to good frames, from clients that come and go: the program goes
 * on, and a client that behaves is served. */
Test(faults, random_bytes_never_disturb_the_others)
{
    struct fixture f;
    uint64_t seed = (uint64_t)getpid();
    uint64_t random = seed * 0x9E3779B97F4A7C15u | 1;
    fixture_start(&f);
    int good_fd = client_greeted(&f, NULL);
    for (uint64_t round = 0; round < 200; round++) {
        uint8_t stream[512];
        int fd = client_connect(&f);
        size_t bytes = make_ping(stream, round, 100) + make_ping(stream + 132, round, 200);
        for (int i = 0; i < 2; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            stream[random % bytes] ^= (uint8_t)(random >> 32);
        }
        client_send(&f, fd, stream, random >> 40 & 1 ? bytes : random % bytes);
        close(fd);
        client_send_ping(&f, good_fd, 5000 + round);
        for (bool is_served = false; !is_served;) {
            struct net_frame frame = next_frame(&f);
            is_served = frame.header.request_id == 5000 + round;
            answer(&f, &frame, FRAME_HEADER_BYTES);
        }
        cr_assert_eq(client_receive_reply(&f, good_fd), 5000 + round, "seed %lu",
                     (unsigned long)seed);
    }
    close(good_fd);
    fixture_finish(&f);
}
