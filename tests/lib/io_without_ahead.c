/* The part of io/io.h that reads ahead, for files in memory: the system refuses it, and whoever
 * reads goes on by io_file_read_now(). */

#include "io/io.h"

#include "base/assert.h"

struct io_ahead *io_ahead_create(struct io *io)
{
    (void)io;
    return NULL;
}

int io_ahead_read(struct io_ahead *ahead, int fd, void *buffer, size_t bytes, uint64_t offset,
                  uint64_t end)
{
    (void)ahead, (void)fd, (void)buffer, (void)bytes, (void)offset, (void)end;
    hf_assert(false);
}

void io_ahead_stop(struct io_ahead *ahead)
{
    (void)ahead;
    hf_assert(false);
}

void io_ahead_destroy(struct io_ahead **ahead)
{
    hf_assert(*ahead == NULL);
}
