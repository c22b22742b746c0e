/* The turn, the operations under way, clocks, wake-ups and sockets of io/io.h; files are in
 * io_file.c.
 *
 * As with the ring, an operation is prepared by the call and begins with the next io_turn(). When
 * the disk or the network has done it, it is listed as completed at its io, and the io_turn() after
 * that runs its `done`. Its record lives here and not in the engine's memory, which a crash takes
 * away while events are still on their way; these name it by a number that is used once. */

#include "io_sim.h"

#include "base/assert.h"
#include "flight.h"
#include "private.h"
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { IOS_MAX = 80, OPERATIONS_MAX = 1 << 14, MESSAGE_BYTES = 256 };

struct operation {
    struct operation *next; /* in its io's list, or the free ones */
    struct io *io;          /* NULL: not in use */
    struct io_op *op;
    uint32_t generation;
    struct sim_request request;
    int32_t result;
};

struct operation_list {
    struct operation *head;
    struct operation *tail;
};

struct io {
    bool is_used;
    bool is_started;
    bool is_turning;
    bool is_woken;
    bool has_run_done;
    uint64_t wake_at_ns;
    struct operation_list prepared;
    struct operation_list completed;
    bool is_wake_due[IOS_MAX]; /* of others, with the next turn */
};

static struct io ios[IOS_MAX];
static struct operation operations[OPERATIONS_MAX];
static struct operation *free_operations;
static uint32_t operation_count; /* ever used */

/* ---- operations ---- */

static void push(struct operation_list *list, struct operation *operation)
{
    operation->next = NULL;
    if (list->head == NULL)
        list->head = operation;
    else
        list->tail->next = operation;
    list->tail = operation;
}

static struct operation *acquire_operation(void)
{
    struct operation *operation = free_operations;
    if (operation != NULL) {
        free_operations = operation->next;
    } else {
        hf_assert(operation_count < OPERATIONS_MAX);
        operation = &operations[operation_count++];
    }
    return operation;
}

static void release_operation(struct operation *operation)
{
    operation->io = NULL;
    operation->generation++;
    operation->next = free_operations;
    free_operations = operation;
}

static sim_token token_of(const struct operation *operation)
{
    return (uint64_t)operation->generation << 32 | (uint32_t)(operation - operations);
}

bool sim_io_is_awaited(sim_token token)
{
    const struct operation *operation = &operations[(uint32_t)token];
    return operation->io != NULL && operation->generation == token >> 32;
}

void sim_io_complete(sim_token token, int32_t result)
{
    struct operation *operation = &operations[(uint32_t)token];
    if (!sim_io_is_awaited(token))
        return;
    operation->result = result;
    if (operation->request.fd >= 0)
        sim_descriptor(operation->request.fd)->pending_count--;
    push(&operation->io->completed, operation);
}

void sim_io_prepare(struct io *io, struct io_op *op, const struct sim_request *request)
{
    hf_assert(io->is_started);
    hf_assert(!op->is_pending);
    hf_assert(op->done != NULL);
    struct operation *operation = acquire_operation();
    uint32_t generation = operation->generation;
    if (request->fd >= 0)
        sim_descriptor(request->fd)->pending_count++;
    op->is_pending = true;
    *operation =
        (struct operation){.io = io, .op = op, .generation = generation, .request = *request};
    push(&io->prepared, operation);
}

static void begin(const struct operation *operation)
{
    const struct sim_request *request = &operation->request;
    sim_token token = token_of(operation);
    switch (request->kind) {
    case SIM_REQUEST_ACCEPT:
        sim_network_accept(request->fd, token);
        break;
    case SIM_REQUEST_RECV:
        sim_network_recv(request->fd, token, request->buffer, request->bytes);
        break;
    case SIM_REQUEST_SEND:
        sim_network_send(request->fd, token, request->source, request->bytes);
        break;
    case SIM_REQUEST_OPEN:
    case SIM_REQUEST_READ:
    case SIM_REQUEST_WRITE:
    case SIM_REQUEST_SYNC:
    case SIM_REQUEST_ALLOCATE:
    case SIM_REQUEST_RENAME:
    case SIM_REQUEST_REMOVE:
        sim_flight_begin(request, token);
        break;
    }
}

/* ---- life ---- */

void sim_io_crash(void)
{
    memset(ios, 0, sizeof ios);
    for (uint32_t i = 0; i < operation_count; i++)
        if (operations[i].io != NULL)
            release_operation(&operations[i]);
}

void sim_io_begin(void)
{
    sim_io_crash();
}

uint32_t sim_io_count(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < IOS_MAX; i++)
        count += ios[i].is_used;
    return count;
}

enum io_status io_create(const struct io_options *options, struct io **io_out, char *message_out)
{
    sim_engine_operation("io_create");
    hf_assert(options->op_count_max > 0);
    *io_out = NULL;
    message_out[0] = '\0';
    if (sim_engine_is_running() && !sim_memory_may_allocate()) {
        (void)snprintf(message_out, MESSAGE_BYTES, "no room for an io");
        return IO_NO_MEMORY;
    }
    for (uint32_t i = 0; i < IOS_MAX; i++) {
        if (ios[i].is_used)
            continue;
        ios[i] = (struct io){.is_used = true};
        *io_out = &ios[i];
        return IO_OK;
    }
    hf_assert(!"there are fewer ios");
    return IO_NO_MEMORY;
}

void io_start(struct io *io)
{
    hf_assert(io->is_used);
    hf_assert(!io->is_started);
    io->is_started = true;
}

/* What is under way goes on, and nobody hears of it. */
void io_destroy(struct io **io_pointer)
{
    struct io *io = *io_pointer;
    if (io == NULL)
        return;
    *io_pointer = NULL;
    hf_assert(io->is_used);
    hf_assert(!io->is_turning);
    for (uint32_t i = 0; i < operation_count; i++)
        if (operations[i].io == io)
            release_operation(&operations[i]);
    for (uint32_t i = 0; i < IOS_MAX; i++)
        ios[i].is_wake_due[io - ios] = false;
    *io = (struct io){0};
}

/* ---- the turn ---- */

static void send_wakes(struct io *io)
{
    for (uint32_t i = 0; i < IOS_MAX; i++)
        if (io->is_wake_due[i]) {
            io->is_wake_due[i] = false;
            ios[i].is_woken = true;
        }
}

static void begin_prepared(struct io *io)
{
    struct operation *operation = io->prepared.head;
    io->prepared = (struct operation_list){0};
    while (operation != NULL) {
        struct operation *next = operation->next;
        begin(operation);
        operation = next;
    }
}

/* Runs what had completed when it was called. */
static bool run_done(struct io *io)
{
    bool has_run = false;
    struct operation *operation = io->completed.head;
    io->completed = (struct operation_list){0};
    while (operation != NULL) {
        struct operation *next = operation->next;
        struct io_op *op = operation->op;
        int32_t result = operation->result;
        release_operation(operation);
        op->is_pending = false;
        op->done(op, result);
        has_run = true;
        operation = next;
    }
    return has_run;
}

void io_turn(struct io *io, uint64_t wake_at_ns)
{
    sim_engine_operation("io_turn");
    hf_assert(io->is_started);
    hf_assert(!io->is_turning);
    io->is_turning = true;
    send_wakes(io);
    begin_prepared(io);
    /* Wake-ups until now have ended the turn before this one; the caller has looked since. */
    io->is_woken = false;
    io->wake_at_ns = wake_at_ns;
    io->has_run_done = run_done(io);
    io->is_turning = false;
}

uint64_t sim_io_ready_ns(const struct io *io)
{
    uint64_t now_ns = sim_now_ns();
    if (io->is_woken || io->has_run_done || io->completed.head != NULL || io->wake_at_ns < now_ns)
        return now_ns;
    return io->wake_at_ns;
}

struct clock_reading io_clock(struct io *io)
{
    (void)io;
    return (struct clock_reading){.monotonic_ns = sim_now_ns(), .wall_ns = sim_wall_ns()};
}

void io_wake(struct io *self, struct io *target)
{
    sim_engine_operation("io_wake");
    hf_assert(target->is_used);
    if (self == NULL || !self->is_started)
        target->is_woken = true;
    else
        self->is_wake_due[target - ios] = true;
}

/* ---- sockets ---- */

int io_listen(struct io *io, const char *host, const char *port, bool is_shared)
{
    (void)io;
    (void)host;
    sim_engine_operation("io_listen");
    return sim_network_listen(port, is_shared);
}

uint16_t io_listen_port(struct io *io, int listen_fd)
{
    (void)io;
    return sim_network_listen_port(listen_fd);
}

void io_accept(struct io *io, struct io_op *op, int listen_fd)
{
    sim_engine_operation("io_accept");
    (void)sim_descriptor_of(listen_fd, SIM_DESCRIPTOR_LISTENER);
    sim_io_prepare(io, op, &(struct sim_request){.kind = SIM_REQUEST_ACCEPT, .fd = listen_fd});
}

void io_recv(struct io *io, struct io_op *op, int fd, void *buffer, uint32_t bytes)
{
    sim_engine_operation("io_recv");
    hf_assert(bytes > 0);
    (void)sim_descriptor_of(fd, SIM_DESCRIPTOR_SOCKET);
    sim_io_prepare(io, op,
                   &(struct sim_request){
                       .kind = SIM_REQUEST_RECV, .fd = fd, .buffer = buffer, .bytes = bytes});
}

void io_send(struct io *io, struct io_op *op, int fd, const void *buffer, uint32_t bytes)
{
    sim_engine_operation("io_send");
    hf_assert(bytes > 0);
    (void)sim_descriptor_of(fd, SIM_DESCRIPTOR_SOCKET);
    sim_io_prepare(io, op,
                   &(struct sim_request){
                       .kind = SIM_REQUEST_SEND, .fd = fd, .source = buffer, .bytes = bytes});
}

void io_shutdown_send(struct io *io, int fd)
{
    (void)io;
    sim_engine_operation("io_shutdown_send");
    sim_network_shutdown(fd, true);
}

void io_shutdown(struct io *io, int fd)
{
    (void)io;
    sim_engine_operation("io_shutdown");
    sim_network_shutdown(fd, false);
}

void io_random(struct io *io, void *buffer, size_t bytes)
{
    uint8_t *to = buffer;
    (void)io;
    sim_engine_operation("io_random");
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(test_random_u64(sim_chance(SIM_CHANCE_ENGINE)) >> 32);
}
