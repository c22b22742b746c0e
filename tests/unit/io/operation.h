#ifndef HF_TESTS_OPERATION_H
#define HF_TESTS_OPERATION_H
/* An io over the real io_uring, and operations that remember how they ended. */

#include "io/io.h"

#include <criterion/criterion.h>
#include <stdint.h>

struct operation {
    struct io_op op;
    int32_t result;
    uint32_t done_count;
};

static inline void operation_done(struct io_op *op, int32_t result)
{
    struct operation *operation = op->context;
    operation->result = result;
    operation->done_count++;
}

static inline void prepare(struct operation *operation)
{
    *operation = (struct operation){.op = {.done = operation_done}};
    operation->op.context = operation;
}

static inline struct io *started(uint32_t op_count_max)
{
    struct io *io = NULL;
    char message[256];
    enum io_status status =
        io_create(&(struct io_options){.op_count_max = op_count_max}, &io, message);
    cr_assert(status == IO_OK, "%s", message);
    io_start(io);
    return io;
}

static inline uint64_t now_ns(struct io *io)
{
    return io_clock(io).monotonic_ns;
}

/* Turns until the operation is done, five seconds at most. */
static inline int32_t finish(struct io *io, struct operation *operation)
{
    uint64_t until_ns = now_ns(io) + 5000000000u;
    while (operation->op.is_pending && now_ns(io) < until_ns)
        io_turn(io, until_ns);
    cr_assert(!operation->op.is_pending);
    cr_assert_eq(operation->done_count, 1);
    return operation->result;
}

#endif
