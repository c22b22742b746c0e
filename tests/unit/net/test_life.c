/* Connections from open to closed: a full table, silence, resets, hand-over, the end. */

#include "fixture.h"

#include <stdio.h>

/* ---- opening ---- */

Test(table, when_the_table_is_full_a_connection_is_refused_and_room_comes_back)
{
    struct fixture f;
    struct net_options options = small_options();
    options.connection_count_max = 3;
    fixture_start_with(&f, &options);
    int fds[3];
    for (int i = 0; i < 3; i++)
        fds[i] = client_open(&f);
    int refused_fd = client_connect(&f);
    turn_until(&f, net_counts(f.net).refused_full == 1);
    cr_assert(client_sees_end(&f, refused_fd));
    close(refused_fd);

    close(fds[1]);
    turn_until(&f, net_counts(f.net).connections == 2);
    int fd = client_greeted(&f, NULL);
    cr_assert_eq(net_counts(f.net).connections, 3);
    close(fd);
    close(fds[0]);
    close(fds[2]);
    fixture_finish(&f);
}

Test(table, many_connections_that_come_and_go_leave_nothing_behind)
{
    struct fixture f;
    fixture_start(&f);
    for (int round = 0; round < 20; round++) {
        int fds[50];
        for (uint64_t i = 0; i < 50; i++)
            fds[i] = client_connect(&f);
        turn_until(&f, net_counts(f.net).connections == 50);
        for (uint64_t i = 0; i < 50; i++)
            client_send_ping(&f, fds[i], i);
        for (uint64_t i = 0; i < 50; i++) {
            struct net_frame frame = next_frame(&f);
            answer(&f, &frame, FRAME_HEADER_BYTES);
        }
        for (uint64_t i = 0; i < 50; i++) {
            cr_assert_eq(client_receive_reply(&f, fds[i]), i);
            close(fds[i]);
        }
        turn_until(&f, net_counts(f.net).connections == 0);
    }
    cr_assert_eq(net_counts(f.net).accepted, 1000);
    fixture_finish(&f);
}

static long resident_pages(void)
{
    long all_pages, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert_not_null(file);
    cr_assert_eq(fscanf(file, "%ld %ld", &all_pages, &resident), 2);
    fclose(file);
    return resident;
}

Test(table, memory_that_large_frames_took_goes_back_when_their_connections_close)
{
    struct fixture f;
    enum { COUNT = 20, PAGES_PER_FRAME = (1 << 20) / 4096, PAGES_SLACK = 1000 };
    struct net_options options = small_options();
    int fds[COUNT];
    fixture_start_with(&f, &options);
    uint8_t *bytes = malloc(options.frame_bytes_max);
    size_t frame_bytes = make_ping(bytes, 1, options.frame_bytes_max - FRAME_HEADER_BYTES);
    long before = resident_pages();
    for (int i = 0; i < COUNT; i++) {
        fds[i] = client_greeted(&f, NULL);
        client_send(&f, fds[i], bytes, frame_bytes);
        struct net_frame frame = next_frame(&f);
        answer(&f, &frame, FRAME_HEADER_BYTES);
    }
    cr_assert_gt(resident_pages(), before + COUNT * PAGES_PER_FRAME - PAGES_SLACK);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    turn_until(&f, net_counts(f.net).connections == 0);
    cr_assert_lt(resident_pages(), before + PAGES_SLACK);
    free(bytes);
    fixture_finish(&f);
}

Test(table, a_mark_stays_with_its_connection)
{
    struct fixture f;
    struct net_connection_id first, second;
    fixture_start(&f);
    int first_fd = client_greeted(&f, &first);
    int second_fd = client_greeted(&f, &second);
    net_mark_set(f.net, first, 11);
    cr_assert_eq(net_mark(f.net, first), 11);
    cr_assert_eq(net_mark(f.net, second), 0);
    close(first_fd);
    turn_until(&f, net_counts(f.net).connections == 1);
    cr_assert_eq(net_mark(f.net, first), 0);
    struct net_connection_id third;
    int third_fd = client_greeted(&f, &third);
    cr_assert_eq(third.slot, first.slot);
    cr_assert_eq(net_mark(f.net, third), 0);
    cr_assert_eq(net_mark(f.net, (struct net_connection_id){0}), 0);
    close(second_fd);
    close(third_fd);
    fixture_finish(&f);
}

/* ---- silence ---- */

Test(silence, a_connection_without_hello_is_told_and_closed)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_open(&f);
    turn_some(&f);
    uint64_t deadline_ns = net_next_timeout_ns(f.net);
    cr_assert_eq(deadline_ns, f.now_ns + 10 * SECOND_NS);
    f.now_ns = deadline_ns - 1;
    turn_some(&f);
    cr_assert_eq(net_counts(f.net).connections, 1);
    f.now_ns = deadline_ns;
    client_receive_error(&f, fd, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_TIMEOUT, 0);
    cr_assert(client_sees_end(&f, fd));
    cr_assert_eq(net_counts(f.net).timed_out, 1);
    close(fd);
    turn_until(&f, net_counts(f.net).connections == 0);
    cr_assert_eq(net_next_timeout_ns(f.net), UINT64_MAX);
    fixture_finish(&f);
}

Test(silence, a_greeted_connection_may_idle)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    turn_some(&f);
    cr_assert_eq(net_next_timeout_ns(f.net), UINT64_MAX);
    f.now_ns += 1000000 * SECOND_NS;
    turn_some(&f);
    client_send_ping(&f, fd, 2);
    struct net_frame frame = next_frame(&f);
    answer(&f, &frame, FRAME_HEADER_BYTES);
    cr_assert_eq(client_receive_reply(&f, fd), 2);
    close(fd);
    fixture_finish(&f);
}

/* A byte now and then does not buy more time. */
Test(silence, half_a_frame_is_closed_in_time_however_slowly_it_goes_on)
{
    struct fixture f;
    uint8_t bytes[64];
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    make_ping(bytes, 4, 20);
    client_send(&f, fd, bytes, 10);
    turn_some(&f);
    uint64_t deadline_ns = f.now_ns + 10 * SECOND_NS;
    cr_assert_eq(net_next_timeout_ns(f.net), deadline_ns);
    for (int i = 0; i < 9; i++) {
        f.now_ns += SECOND_NS;
        client_send(&f, fd, bytes + 10 + i, 1);
        turn_some(&f);
        cr_assert_eq(net_next_timeout_ns(f.net), deadline_ns);
    }
    f.now_ns += SECOND_NS;
    client_receive_error(&f, fd, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_TIMEOUT, 0);
    cr_assert(client_sees_end(&f, fd));
    close(fd);
    fixture_finish(&f);
}

/* A client that always has half a frame under way is not a silent one. */
Test(silence, each_frame_has_its_own_time)
{
    struct fixture f;
    uint8_t bytes[64];
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    size_t frame_bytes = make_ping(bytes, 4, 20);
    client_send(&f, fd, bytes, 10);
    turn_some(&f);
    for (int i = 0; i < 10; i++) {
        f.now_ns += 6 * SECOND_NS;
        client_send(&f, fd, bytes + 10, frame_bytes - 10);
        client_send(&f, fd, bytes, 10);
        struct net_frame frame = next_frame(&f);
        answer(&f, &frame, FRAME_HEADER_BYTES);
        cr_assert_eq(client_receive_reply(&f, fd), 4);
        turn_some(&f);
        cr_assert_eq(net_next_timeout_ns(f.net), f.now_ns + 10 * SECOND_NS);
    }
    close(fd);
    fixture_finish(&f);
}

Test(silence, waiting_for_the_core_is_not_the_clients_fault)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    uint8_t bytes[64];
    client_send_ping(&f, fd, 2);
    make_ping(bytes, 3, 20);
    client_send(&f, fd, bytes, 10);
    turn_until(&f, net_has_frames(f.net));
    f.now_ns += 100 * SECOND_NS; /* the core pulls nothing meanwhile */
    turn_some(&f);
    cr_assert_eq(net_counts(f.net).timed_out, 0);
    cr_assert_eq(next_frame(&f).header.request_id, 2);
    f.now_ns += 9 * SECOND_NS;
    turn_some(&f);
    cr_assert_eq(net_counts(f.net).timed_out, 0);
    close(fd);
    fixture_finish(&f);
}

Test(silence, last_words_that_are_not_taken_do_not_hold_the_connection)
{
    struct fixture f;
    struct net_connection_id id;
    fixture_start(&f);
    int fd = client_greeted(&f, &id);
    net_close_after_send(f.net, id, NULL);
    turn_some(&f);
    cr_assert_eq(net_counts(f.net).connections, 1, "the client has not closed its side");
    f.now_ns = net_next_timeout_ns(f.net);
    turn_until(&f, net_counts(f.net).connections == 0);
    close(fd);
    fixture_finish(&f);
}

/* ---- the peer goes ---- */

Test(peer, a_client_that_ends_its_side_still_gets_its_replies)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    client_send_ping(&f, fd, 5);
    client_send_ping(&f, fd, 6);
    shutdown(fd, SHUT_WR);
    struct net_frame first = next_frame(&f);
    turn_some(&f);
    struct net_frame second = next_frame(&f);
    turn_some(&f);
    answer(&f, &second, FRAME_HEADER_BYTES);
    turn_some(&f);
    answer(&f, &first, FRAME_HEADER_BYTES);
    cr_assert_eq(client_receive_reply(&f, fd), 6);
    cr_assert_eq(client_receive_reply(&f, fd), 5);
    cr_assert(client_sees_end(&f, fd));
    turn_until(&f, net_counts(f.net).connections == 0);
    close(fd);
    fixture_finish(&f);
}

Test(peer, a_reset_at_any_stage_frees_the_connection)
{
    struct fixture f;
    uint8_t bytes[64];
    fixture_start(&f);
    for (int stage = 0; stage < 4; stage++) {
        int fd = stage == 0 ? client_open(&f) : client_greeted(&f, NULL);
        if (stage == 1) {
            make_ping(bytes, 1, 9);
            client_send(&f, fd, bytes, 20);
            turn_some(&f);
        }
        if (stage >= 2) {
            client_send_ping(&f, fd, 1);
            struct net_frame frame = next_frame(&f);
            if (stage == 3)
                answer(&f, &frame, 1024);
        }
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
        turn_until(&f, net_counts(f.net).connections == 0);
    }
    fixture_finish(&f);
}

Test(peer, closing_sends_what_was_said_before)
{
    struct fixture f;
    struct net_connection_id id;
    fixture_start(&f);
    int fd = client_greeted(&f, &id);
    for (uint64_t i = 0; i < 10; i++)
        client_send_ping(&f, fd, i);
    for (uint64_t i = 0; i < 10; i++) {
        struct net_frame frame = next_frame(&f);
        answer(&f, &frame, 1000);
    }
    net_close_after_send(f.net, id, "enough");
    cr_assert_null(net_reply_begin(f.net, id, 64), "nothing is said after that");
    client_send_ping(&f, fd, 11); /* unread bytes must not destroy what was said */
    for (uint64_t i = 0; i < 10; i++)
        cr_assert_eq(client_receive_reply(&f, fd), i);
    cr_assert(client_sees_end(&f, fd));
    cr_assert(!net_has_frames(f.net));
    close(fd);
    fixture_finish(&f);
}

/* ---- hand-over ---- */

/* The second net stands for the one of another core, on the same ring. */
Test(hand_over, the_frame_and_what_came_behind_it_move_along)
{
    struct fixture f;
    struct net_options options = small_options();
    uint8_t received[4096];
    uint32_t received_bytes = 0;
    fixture_start(&f);
    struct fixture other = f;
    other.net = net_create(f.io, &options);

    for (uint64_t extra_bytes = 0; extra_bytes < 60; extra_bytes += 7) {
        uint8_t stream[256];
        int fd = client_open(&f);
        size_t bytes = make_ping(stream, 21, 9);
        bytes += make_ping(stream + bytes, 22, 9);
        size_t early_bytes = FRAME_HEADER_BYTES + 9 + extra_bytes;
        early_bytes = early_bytes < bytes ? early_bytes : bytes;
        client_send(&f, fd, stream, early_bytes);
        uint64_t before = net_counts(f.net).bytes_received;
        turn_until(&f, net_counts(f.net).bytes_received >= before && net_has_frames(f.net));
        struct net_frame frame = next_frame(&f);
        int moved_fd = net_release(f.net, &frame, received, sizeof received, &received_bytes);
        cr_assert_geq(moved_fd, 0);
        cr_assert_eq(received_bytes, early_bytes);
        cr_assert_null(net_reply_begin(f.net, frame.connection, 64));
        cr_assert_eq(net_counts(f.net).connections, 0);

        cr_assert(net_adopt(other.net, moved_fd, received, received_bytes));
        client_send(&f, fd, stream + early_bytes, bytes - early_bytes);
        for (uint64_t id = 21; id <= 22; id++) {
            frame = next_frame(&other);
            cr_assert_eq(frame.header.request_id, id);
            answer(&other, &frame, FRAME_HEADER_BYTES);
        }
        cr_assert_eq(client_receive_reply(&other, fd), 21);
        cr_assert_eq(client_receive_reply(&other, fd), 22);
        close(fd);
        turn_until(&other, net_counts(other.net).connections == 0);
    }
    net_stop(other.net, say_nothing, NULL);
    cr_assert(net_is_idle(other.net));
    net_destroy(&other.net);
    fixture_finish(&f);
}

Test(hand_over, a_connection_stays_when_too_much_has_come_or_replies_are_due)
{
    struct fixture f;
    uint8_t received[64];
    uint32_t received_bytes;
    fixture_start(&f);
    int fd = client_open(&f);
    client_send_ping(&f, fd, 1);
    client_send_ping(&f, fd, 2);
    turn_until(&f, net_counts(f.net).bytes_received == 2 * (FRAME_HEADER_BYTES + 9));
    struct net_frame first = next_frame(&f);
    cr_assert_eq(net_release(f.net, &first, received, sizeof received, &received_bytes), -1);
    struct net_frame second = next_frame(&f);
    cr_assert_eq(net_release(f.net, &second, received, sizeof received, &received_bytes), -1);
    answer(&f, &first, FRAME_HEADER_BYTES);
    cr_assert_eq(net_release(f.net, &second, received, sizeof received, &received_bytes), -1);
    answer(&f, &second, FRAME_HEADER_BYTES);
    cr_assert_eq(client_receive_reply(&f, fd), 1);
    cr_assert_eq(client_receive_reply(&f, fd), 2);
    close(fd);
    fixture_finish(&f);
}

Test(hand_over, a_full_table_closes_what_it_is_given)
{
    struct fixture f;
    struct net_options options = small_options();
    options.connection_count_max = 1;
    fixture_start_with(&f, &options);
    int fd = client_open(&f);
    int pair[2];
    uint8_t byte;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert(!net_adopt(f.net, pair[0], NULL, 0));
    cr_assert_eq(recv(pair[1], &byte, 1, MSG_DONTWAIT), 0);
    close(pair[1]);
    close(fd);
    fixture_finish(&f);
}

/* ---- the end ---- */

static void count_and_say_good_bye(void *context, struct net_connection_id connection)
{
    struct fixture *f = context;
    uint8_t *notice = net_reply_begin(f->net, connection, NET_NOTICE_BYTES_MAX);
    cr_assert_not_null(notice);
    frame_finish(notice, FRAME_GO_AWAY, 0, 0);
    net_reply_commit(f->net, connection, FRAME_HEADER_BYTES);
}

Test(stop, greeted_clients_hear_good_bye_and_get_their_replies)
{
    struct fixture f;
    uint8_t body[64];
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    int silent_fd = client_open(&f);
    client_send_ping(&f, fd, 31);
    struct net_frame asked_before = next_frame(&f);
    net_stop(f.net, count_and_say_good_bye, &f);
    cr_assert(!net_is_idle(f.net));
    cr_assert(client_sees_end(&f, silent_fd));
    cr_assert_eq(client_receive_frame(&f, fd, body, sizeof body).type, FRAME_GO_AWAY);
    client_send_ping(&f, fd, 32); /* crossed the good-bye */
    struct net_frame crossed = next_frame(&f);
    answer(&f, &crossed, FRAME_HEADER_BYTES);
    answer(&f, &asked_before, FRAME_HEADER_BYTES);
    cr_assert_eq(client_receive_reply(&f, fd), 32);
    cr_assert_eq(client_receive_reply(&f, fd), 31);
    close(fd);
    close(silent_fd);
    turn_until(&f, net_is_idle(f.net)); /* without any time-out */
    net_destroy(&f.net);
    close(f.listen_fd);
    io_destroy(&f.io);
}

Test(stop, a_client_that_never_closes_holds_the_end_up_for_a_moment_only)
{
    struct fixture f;
    fixture_start(&f);
    int fd = client_greeted(&f, NULL);
    net_stop(f.net, say_nothing, NULL);
    uint64_t begin_ns = f.now_ns;
    turn_some(&f);
    while (!net_is_idle(f.net) && f.now_ns < begin_ns + SECOND_NS) {
        uint64_t next_ns = net_next_timeout_ns(f.net);
        f.now_ns = next_ns == UINT64_MAX ? f.now_ns : next_ns;
        turn_some(&f);
    }
    cr_assert(net_is_idle(f.net));
    cr_assert_leq(f.now_ns, begin_ns + SECOND_NS / 2);
    close(fd);
    net_destroy(&f.net);
    close(f.listen_fd);
    io_destroy(&f.io);
}

Test(stop, nothing_is_accepted_any_more)
{
    struct fixture f;
    fixture_start(&f);
    net_stop(f.net, say_nothing, NULL);
    turn_until(&f, net_is_idle(f.net));
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert(!net_adopt(f.net, pair[0], NULL, 0));
    close(pair[1]);
    net_destroy(&f.net);
    close(f.listen_fd);
    io_destroy(&f.io);
}
