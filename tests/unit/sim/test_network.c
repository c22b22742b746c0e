/* The simulated network: one server socket, played by hand, and clients. */
#include "operation.h"

#include "network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct io *io;
static int listen_fd;

struct peer {
    struct sim_link *link;
    uint32_t change_count;
};

static void changed(void *context)
{
    ((struct peer *)context)->change_count++;
}

static void begin_with(uint64_t seed, const struct sim_network_options *options)
{
    sim_world_begin(seed);
    sim_network_set_options(options);
    io = io_started();
    listen_fd = io_listen(io, "127.0.0.1", "7000", true);
    cr_assert_geq(listen_fd, 0);
}

static void begin(uint64_t seed)
{
    begin_with(seed, &(struct sim_network_options){.delay_ns_min = 1,
                                                   .delay_ns_max = 1000,
                                                   .piece_bytes_max = 1 << 20,
                                                   .buffer_bytes_max = 1 << 20});
}

static void connect_to(struct peer *peer)
{
    peer->change_count = 0;
    peer->link = sim_link_connect(changed, peer);
}

/* A connected pair: the peer, and the server's descriptor. */
static int connect_and_accept(struct peer *peer)
{
    struct operation accept;
    connect_to(peer);
    io_accept(io, operation_prepare(&accept), listen_fd);
    int fd = operation_finish(io, &accept);
    cr_assert_geq(fd, 0);
    cr_assert_eq(sim_link_state(peer->link), SIM_LINK_OPEN);
    return fd;
}

static void run_all_events(void)
{
    while (sim_run_event())
        continue;
}

static int32_t receive(int fd, void *to, uint32_t bytes)
{
    struct operation recv;
    io_recv(io, operation_prepare(&recv), fd, to, bytes);
    return operation_finish(io, &recv);
}

static int32_t send_all(int fd, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t sent = 0; sent < count;) {
        struct operation send;
        io_send(io, operation_prepare(&send), fd, bytes + sent, count - sent);
        int32_t result = operation_finish(io, &send);
        if (result < 0)
            return result;
        cr_assert_gt(result, 0);
        sent += (uint32_t)result;
    }
    return (int32_t)count;
}

/* ---- bytes ---- */

Test(network, bytes_come_in_order_in_both_directions_however_they_are_cut)
{
    enum { BYTES = 5000 };
    for (uint64_t seed = 1; seed <= 100; seed++) {
        static uint8_t out[BYTES];
        static uint8_t in[BYTES];
        struct peer peer;
        begin_with(seed, &(struct sim_network_options){.delay_ns_min = 1,
                                                       .delay_ns_max = 1000,
                                                       .piece_bytes_max = seed % 2 ? 1 : 700,
                                                       .buffer_bytes_max = 1 << 20});
        int fd = connect_and_accept(&peer);
        for (uint32_t i = 0; i < BYTES; i++)
            out[i] = (uint8_t)test_random_u64(sim_chance(SIM_CHANCE_PLAN));
        sim_link_send(peer.link, out, 1000);
        sim_link_send(peer.link, out + 1000, BYTES - 1000);
        for (uint32_t got = 0; got < BYTES;) {
            int32_t result = receive(fd, in + got, BYTES - got);
            cr_assert(result > 0 && result <= 700);
            got += (uint32_t)result;
        }
        cr_assert_arr_eq(in, out, BYTES);
        cr_assert_eq(send_all(fd, in, BYTES), BYTES);
        run_all_events();
        memset(in, 0, BYTES);
        cr_assert_eq(sim_link_receive(peer.link, in, BYTES), BYTES);
        cr_assert_arr_eq(in, out, BYTES);
    }
}

Test(network, a_send_waits_while_the_buffer_is_full)
{
    uint8_t bytes[100] = {1};
    struct operation send;
    struct peer peer;
    begin_with(1, &(struct sim_network_options){.delay_ns_max = 1000,
                                                .piece_bytes_max = 1000,
                                                .buffer_bytes_max = sizeof bytes});
    int fd = connect_and_accept(&peer);
    cr_assert_eq(send_all(fd, bytes, sizeof bytes), sizeof bytes);
    io_send(io, operation_prepare(&send), fd, bytes, 1);
    io_turn(io, UINT64_MAX);
    run_all_events();
    io_turn(io, UINT64_MAX);
    cr_expect_eq(send.done_count, 0, "nobody has read a byte");
    cr_assert_eq(sim_link_receive(peer.link, bytes, 1), 1);
    cr_expect_eq(operation_finish(io, &send), 1);
}

/* ---- ends ---- */

Test(network, the_end_comes_after_the_bytes)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint8_t bytes[8];
        struct peer peer;
        begin(seed);
        int fd = connect_and_accept(&peer);
        sim_link_send(peer.link, "bye", 3);
        sim_link_close(peer.link, false);
        uint32_t got = 0;
        for (int32_t result; (result = receive(fd, bytes, sizeof bytes)) != 0;
             got += (uint32_t)result)
            cr_assert_gt(result, 0);
        cr_assert_eq(got, 3);
        io_close(io, fd);
    }
}

Test(network, the_server_ends_its_direction_and_goes_on_to_receive)
{
    uint8_t bytes[8];
    struct peer peer;
    begin(1);
    int fd = connect_and_accept(&peer);
    cr_assert_eq(send_all(fd, (const uint8_t *)"bye", 3), 3);
    io_shutdown_send(io, fd);
    run_all_events();
    cr_expect_eq(sim_link_state(peer.link), SIM_LINK_ENDED);
    cr_expect_eq(sim_link_receive(peer.link, bytes, sizeof bytes), 3);
    sim_link_send(peer.link, "x", 1);
    cr_expect_eq(receive(fd, bytes, sizeof bytes), 1);
    cr_expect_eq(send_all(fd, bytes, 1), -EPIPE);
}

Test(network, a_shutdown_ends_what_is_pending)
{
    uint8_t bytes[8];
    struct operation recv;
    struct peer peer;
    begin(1);
    int fd = connect_and_accept(&peer);
    io_recv(io, operation_prepare(&recv), fd, bytes, sizeof bytes);
    io_turn(io, UINT64_MAX);
    io_shutdown(io, fd);
    cr_expect_eq(operation_finish(io, &recv), 0);
    io_close(io, fd);
    run_all_events();
    cr_expect_eq(sim_link_state(peer.link), SIM_LINK_ENDED);
}

Test(network, a_reset_ends_both_operations_with_an_error)
{
    uint8_t bytes[2000] = {0};
    struct operation recv;
    struct operation send;
    struct peer peer;
    begin_with(1, &(struct sim_network_options){.piece_bytes_max = 1000, .buffer_bytes_max = 1});
    int fd = connect_and_accept(&peer);
    cr_assert_eq(send_all(fd, bytes, 1), 1);
    io_recv(io, operation_prepare(&recv), fd, bytes, sizeof bytes);
    io_send(io, operation_prepare(&send), fd, bytes, sizeof bytes);
    io_turn(io, UINT64_MAX);
    sim_link_close(peer.link, true);
    cr_expect_eq(operation_finish(io, &recv), -ECONNRESET);
    int32_t result = operation_finish(io, &send);
    cr_expect(result == -ECONNRESET || result == -EPIPE);
    io_close(io, fd);
    cr_expect_eq(sim_io_open_descriptors(), 1);
}

Test(network, some_sends_break_the_connection_when_that_is_asked_for)
{
    uint32_t broken = 0;
    uint32_t whole = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct peer peer;
        begin_with(seed, &(struct sim_network_options){.delay_ns_max = 1000,
                                                       .piece_bytes_max = 1000,
                                                       .buffer_bytes_max = 1000,
                                                       .reset_permille = 300});
        int fd = connect_and_accept(&peer);
        int32_t result = send_all(fd, (const uint8_t *)"x", 1);
        run_all_events();
        cr_assert_eq(sim_link_state(peer.link), result == 1 ? SIM_LINK_OPEN : SIM_LINK_BROKEN);
        broken += result != 1;
        whole += result == 1;
    }
    cr_expect_gt(broken, 10);
    cr_expect_gt(whole, 10);
}

/* ---- listening ---- */

Test(network, a_port_is_shared_only_by_those_who_share)
{
    begin(1);
    cr_expect_eq(io_listen_port(io, listen_fd), 7000);
    cr_expect_eq(io_listen(io, "127.0.0.1", "7000", false), -EADDRINUSE);
    int shared = io_listen(io, "127.0.0.1", "7000", true);
    cr_expect_geq(shared, 0);
    int alone = io_listen(io, "127.0.0.1", "0", false);
    char port[8];
    snprintf(port, sizeof port, "%u", io_listen_port(io, alone));
    cr_expect_eq(io_listen(io, "127.0.0.1", port, true), -EADDRINUSE);
    io_close(io, alone);
    cr_expect_geq(io_listen(io, "127.0.0.1", port, true), 0);
}

Test(network, connections_are_spread_over_the_listeners)
{
    uint32_t accepted[2] = {0};
    struct peer peers[64];
    struct operation accepts[2];
    begin(1);
    int fds[2] = {listen_fd, io_listen(io, "127.0.0.1", "7000", true)};
    for (uint32_t i = 0; i < 64; i++)
        connect_to(&peers[i]);
    run_all_events();
    for (uint32_t i = 0; i < 2; i++) {
        io_accept(io, operation_prepare(&accepts[i]), fds[i]);
        io_turn(io, UINT64_MAX);
        while (!accepts[i].op.is_pending) {
            accepted[i]++;
            io_accept(io, operation_prepare(&accepts[i]), fds[i]);
            io_turn(io, UINT64_MAX);
        }
    }
    cr_expect_eq(accepted[0] + accepted[1], 64);
    cr_expect_gt(accepted[0], 10);
    cr_expect_gt(accepted[1], 10);
}

Test(network, a_listener_that_was_shut_down_refuses_and_ends_its_accepts)
{
    struct operation accept;
    struct peer waiting;
    struct peer later;
    begin(1);
    connect_to(&waiting);
    run_all_events();
    cr_assert_eq(sim_link_state(waiting.link), SIM_LINK_OPEN);
    io_shutdown(io, listen_fd);
    io_accept(io, operation_prepare(&accept), listen_fd);
    cr_expect_eq(operation_finish(io, &accept), -EINVAL);
    connect_to(&later);
    run_all_events();
    cr_expect_eq(sim_link_state(waiting.link), SIM_LINK_BROKEN);
    cr_expect_eq(sim_link_state(later.link), SIM_LINK_BROKEN);
    io_close(io, listen_fd);
    cr_expect_eq(sim_io_open_descriptors(), 0);
}

/* ---- the process ends ---- */

Test(network, when_the_server_dies_what_it_sent_may_still_arrive)
{
    uint32_t arrived = 0;
    uint32_t lost = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct operation recv;
        struct peer peer;
        uint8_t bytes[8];
        begin(seed);
        int fd = connect_and_accept(&peer);
        uint32_t changes = peer.change_count;
        cr_assert_eq(send_all(fd, (const uint8_t *)"x", 1), 1);
        io_recv(io, operation_prepare(&recv), fd, bytes, sizeof bytes);
        io_turn(io, UINT64_MAX);
        sim_network_server_died();
        sim_io_crash();
        run_all_events();
        cr_assert_eq(sim_link_state(peer.link), SIM_LINK_BROKEN);
        cr_assert_eq(sim_io_open_descriptors(), 0);
        cr_assert_eq(recv.done_count, 0);
        arrived += peer.change_count == changes + 2;
        lost += peer.change_count == changes + 1;
    }
    cr_expect_gt(arrived, 10);
    cr_expect_gt(lost, 10);
}
