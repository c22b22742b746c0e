/* io/io.h over the real io_uring: turns, wake-ups, and sockets on loopback. */

#include "operation.h"

#include "test_directory.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

/* ---- the turn ---- */

Test(turn, done_runs_inside_the_turn_and_not_when_the_operation_is_started)
{
    struct io *io = started(8);
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct operation send;
    prepare(&send);
    io_send(io, &send.op, pair[0], "x", 1);
    cr_assert(send.op.is_pending);
    cr_assert_eq(send.done_count, 0);
    cr_assert_eq(finish(io, &send), 1);
    io_destroy(&io);
    cr_assert_null(io);
}

Test(turn, one_turn_delivers_everything_that_is_ready)
{
    enum { COUNT = 200 };
    struct io *io = started(COUNT);
    static struct operation recvs[COUNT];
    static char bytes[COUNT];
    static int pairs[COUNT][2];
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        prepare(&recvs[i]);
        io_recv(io, &recvs[i].op, pairs[i][0], &bytes[i], 1);
    }
    io_turn(io, 0);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(write(pairs[i][1], "y", 1), 1);
    io_turn(io, now_ns(io) + 1000000000u);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(recvs[i].done_count, 1, "operation %d", i);
    io_destroy(&io);
}

Test(turn, more_operations_than_the_rings_hold_all_complete)
{
    enum { COUNT = 20000 };
    struct io *io = started(8);
    struct test_directory directory;
    test_directory_make(&directory);
    int fd = io_file_open_now(io, test_directory_file(&directory, "file"), IO_FILE_CREATE);
    cr_assert(fd >= 0);
    static struct operation writes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        prepare(&writes[i]);
        io_file_write(io, &writes[i].op, fd, "z", 1, (uint64_t)i, false);
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(finish(io, &writes[i]), 1);
    cr_assert_eq(io_file_size(io, fd), COUNT);
    io_close(io, fd);
    io_destroy(&io);
    test_directory_remove(&directory);
}

static struct io *chain_io;
static int chain_fd;

static void start_next(struct io_op *op, int32_t result)
{
    struct operation *operation = op->context;
    cr_assert_eq(result, 1);
    if (++operation->done_count < 100)
        io_file_write(chain_io, op, chain_fd, "z", 1, operation->done_count, false);
}

Test(turn, done_may_start_the_same_operation_again)
{
    chain_io = started(1);
    struct test_directory directory;
    test_directory_make(&directory);
    chain_fd = io_file_open_now(chain_io, test_directory_file(&directory, "file"), IO_FILE_CREATE);
    struct operation write;
    prepare(&write);
    write.op.done = start_next;
    io_file_write(chain_io, &write.op, chain_fd, "z", 1, 0, false);
    uint64_t until_ns = now_ns(chain_io) + 5000000000u;
    while (write.op.is_pending && now_ns(chain_io) < until_ns)
        io_turn(chain_io, until_ns);
    cr_assert_eq(write.done_count, 100);
    io_close(chain_io, chain_fd);
    io_destroy(&chain_io);
    test_directory_remove(&directory);
}

Test(turn, with_nothing_to_do_it_ends_at_the_given_time_and_not_before)
{
    struct io *io = started(8);
    uint64_t wake_at_ns = now_ns(io) + 20000000u;
    io_turn(io, wake_at_ns);
    cr_assert_geq(now_ns(io), wake_at_ns);
    io_turn(io, wake_at_ns); /* passed already */
    io_turn(io, 0);
    cr_assert_lt(now_ns(io), wake_at_ns + 2000000000u);
    io_destroy(&io);
}

/* ---- waking ---- */

static void *wake_it(void *target)
{
    usleep(20000);
    io_wake(NULL, target);
    return NULL;
}

Test(wake, a_foreign_thread_ends_a_turn_that_waits_for_ever, .timeout = 10)
{
    struct io *io = started(8);
    for (int round = 0; round < 3; round++) {
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, wake_it, io), 0);
        io_turn(io, UINT64_MAX);
        pthread_join(thread, NULL);
    }
    io_destroy(&io);
}

static void *turn_until_woken(void *context)
{
    struct io *io = context;
    io_start(io);
    io_turn(io, UINT64_MAX);
    return NULL;
}

Test(wake, before_the_start_of_the_other_thread_is_not_lost, .timeout = 10)
{
    struct io *self = started(8);
    struct io *target = NULL;
    char message[256];
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &target, message), IO_OK);
    io_wake(self, target);
    io_turn(self, 0);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, turn_until_woken, target), 0);
    pthread_join(thread, NULL);
    io_destroy(&target);
    io_destroy(&self);
}

static void *start_and_wake(void *context)
{
    struct io **pair = context;
    io_start(pair[0]);
    io_wake(pair[0], pair[1]);
    io_turn(pair[0], 0);
    return NULL;
}

Test(wake, from_another_core_ends_a_turn_that_waits_for_ever, .timeout = 10)
{
    struct io *self = started(8);
    struct io *other = NULL;
    char message[256];
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &other, message), IO_OK);
    struct io *pair[2] = {other, self};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, start_and_wake, pair), 0);
    io_turn(self, UINT64_MAX);
    pthread_join(thread, NULL);
    io_destroy(&other);
    io_destroy(&self);
}

/* ---- sockets ---- */

static void port_text(struct io *io, int listen_fd, char *text)
{
    snprintf(text, 8, "%u", io_listen_port(io, listen_fd));
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

Test(socket, accept_recv_send_and_shutdown)
{
    struct io *io = started(8);
    int listen_fd = io_listen(io, "127.0.0.1", "0", false);
    cr_assert(listen_fd >= 0);
    struct operation accept_op;
    prepare(&accept_op);
    io_accept(io, &accept_op.op, listen_fd);
    io_turn(io, 0);
    cr_assert_eq(accept_op.done_count, 0, "it waits although the socket is non-blocking");
    int client = connect_to(io_listen_port(io, listen_fd));
    int fd = finish(io, &accept_op);
    cr_assert(fd >= 0);

    char buffer[16];
    struct operation recv_op;
    struct operation send_op;
    prepare(&recv_op);
    io_recv(io, &recv_op.op, fd, buffer, sizeof buffer);
    io_turn(io, 0);
    cr_assert_eq(write(client, "hello", 5), 5);
    cr_assert_eq(finish(io, &recv_op), 5);
    cr_assert_arr_eq(buffer, "hello", 5);
    prepare(&send_op);
    io_send(io, &send_op.op, fd, "world", 5);
    cr_assert_eq(finish(io, &send_op), 5);
    cr_assert_eq(read(client, buffer, sizeof buffer), 5);

    prepare(&recv_op);
    io_recv(io, &recv_op.op, fd, buffer, sizeof buffer);
    io_turn(io, 0);
    io_shutdown(io, fd);
    cr_assert_eq(finish(io, &recv_op), 0);
    cr_assert_eq(read(client, buffer, sizeof buffer), 0);
    close(client);
    prepare(&send_op);
    io_send(io, &send_op.op, fd, "late", 4);
    cr_assert_eq(finish(io, &send_op), -EPIPE);
    io_close(io, fd);
    io_close(io, listen_fd);
    io_destroy(&io);
}

Test(socket, a_port_in_use_is_told_and_shared_ones_are_shared)
{
    struct io *io = started(8);
    char port[8];
    int first = io_listen(io, "127.0.0.1", "0", false);
    port_text(io, first, port);
    cr_assert_eq(io_listen(io, "127.0.0.1", port, false), -EADDRINUSE);
    cr_assert_eq(io_listen(io, "127.0.0.1", port, true), -EADDRINUSE);
    int shared = io_listen(io, "127.0.0.1", "0", true);
    cr_assert(shared >= 0);
    port_text(io, shared, port);
    int other = io_listen(io, "127.0.0.1", port, true);
    cr_assert(other >= 0);
    cr_assert_eq(io_listen_port(io, shared), io_listen_port(io, other));
    io_close(io, first);
    io_close(io, shared);
    io_close(io, other);
    io_destroy(&io);
}

Test(socket, a_host_or_port_that_does_not_resolve_is_invalid)
{
    struct io *io = started(8);
    cr_assert_eq(io_listen(io, "not a host", "0", false), -EINVAL);
    cr_assert_eq(io_listen(io, "127.0.0.1", "seven", false), -EINVAL);
    cr_assert_eq(io_listen(io, "192.0.2.1", "0", false), -EADDRNOTAVAIL);
    io_destroy(&io);
}
