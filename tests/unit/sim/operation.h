#ifndef HF_TESTS_OPERATION_H
#define HF_TESTS_OPERATION_H
/* One io on the simulated machine, and operations that remember how they ended. */

#include "io/io.h"

#include "io_sim.h"
#include "world.h"

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

static inline struct io_op *operation_prepare(struct operation *operation)
{
    *operation = (struct operation){.op = {.done = operation_done}};
    operation->op.context = operation;
    return &operation->op;
}

static inline struct io *io_started(void)
{
    struct io *io;
    char message[256];
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &io, message), IO_OK);
    io_start(io);
    return io;
}

/* Turns and events until it is done. */
static inline int32_t operation_finish(struct io *io, struct operation *operation)
{
    for (uint32_t step = 0; operation->op.is_pending; step++) {
        cr_assert_lt(step, 10000, "it never ends");
        io_turn(io, UINT64_MAX);
        if (sim_io_ready_ns(io) == UINT64_MAX)
            cr_assert(sim_run_event(), "nothing will ever happen");
    }
    cr_assert_eq(operation->done_count, 1);
    return operation->result;
}

#endif
