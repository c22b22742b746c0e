/* Reading ahead of io/io.h, on a small ring of its own: what the core's ring completes is for its
 * turns, and here somebody waits in the middle of one.
 *
 * Chunks stand in a queue, in the order of the file: some are read already, the others are on their
 * way. A read takes from the first, and each one that is used up goes to the end of the queue with
 * what comes behind the last. Nothing that fails here is told: what a chunk does not bring is read
 * once more in the plain way, which tells. */

#include "io/io.h"

#include "base/assert.h"
#include "base/memory.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>

enum { BLOCK_BYTES = 4096, CHUNK_BYTES = 1 << 20, CHUNK_COUNT = 4 };

struct chunk {
    uint8_t *memory;
    uint64_t offset;     /* of what is left of it */
    uint32_t begin, end; /* the same, in its memory */
    int32_t result;
    bool is_pending;
};

struct io_ahead {
    struct io *io;
    struct io_uring ring;
    int fd;               /* that the queue is for */
    uint64_t next_offset; /* behind the last chunk */
    uint32_t first, count;
    struct chunk chunks[CHUNK_COUNT];
    _Alignas(BLOCK_BYTES) uint8_t memory[CHUNK_COUNT][CHUNK_BYTES];
};

struct io_ahead *io_ahead_create(struct io *io)
{
    struct io_ahead *ahead = memory_map(sizeof *ahead);
    if (ahead == NULL)
        return NULL;
    ahead->io = io;
    for (uint32_t i = 0; i < CHUNK_COUNT; i++)
        ahead->chunks[i].memory = ahead->memory[i];
    if (io_uring_queue_init(CHUNK_COUNT, &ahead->ring, 0) != 0) {
        memory_unmap(ahead, sizeof *ahead);
        return NULL;
    }
    return ahead;
}

/* ---- the queue ---- */

static struct chunk *chunk_at(struct io_ahead *ahead, uint32_t index)
{
    return &ahead->chunks[(ahead->first + index) % CHUNK_COUNT];
}

/* What was asked for is ended by a signal now and then, or not taken by the kernel for want of
 * memory: it then counts as not read. */
static void start(struct io_ahead *ahead, struct chunk *chunk)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ahead->ring);
    hf_assert(entry != NULL);
    io_uring_prep_read(entry, ahead->fd, chunk->memory, chunk->end, chunk->offset);
    io_uring_sqe_set_data(entry, chunk);
    chunk->is_pending = true;
}

/* Fills the queue with what comes next of the file, up to `end`. */
static void go_ahead(struct io_ahead *ahead, uint64_t end)
{
    uint32_t count_before = ahead->count;
    while (ahead->count < CHUNK_COUNT && ahead->next_offset < end) {
        uint64_t left = end - ahead->next_offset;
        struct chunk *chunk = chunk_at(ahead, ahead->count++);
        chunk->offset = ahead->next_offset;
        chunk->begin = 0;
        chunk->end = left < CHUNK_BYTES ? (uint32_t)left : CHUNK_BYTES;
        ahead->next_offset += chunk->end;
        start(ahead, chunk);
    }
    if (ahead->count > count_before)
        (void)io_uring_submit(&ahead->ring); /* what is left over goes with the next wait */
}

static void wait_for(struct io_ahead *ahead, const struct chunk *chunk)
{
    while (chunk->is_pending) {
        struct io_uring_cqe *completion;
        int error = io_uring_submit_and_wait(&ahead->ring, 1);
        hf_assert(error >= 0 || error == -EINTR || error == -EAGAIN || error == -EBUSY);
        while (io_uring_peek_cqe(&ahead->ring, &completion) == 0) {
            struct chunk *done = io_uring_cqe_get_data(completion);
            done->result = completion->res;
            done->is_pending = false;
            io_uring_cqe_seen(&ahead->ring, completion);
        }
    }
}

void io_ahead_stop(struct io_ahead *ahead)
{
    for (uint32_t i = 0; i < ahead->count; i++)
        wait_for(ahead, chunk_at(ahead, i));
    ahead->count = 0;
}

void io_ahead_destroy(struct io_ahead **ahead_inout)
{
    struct io_ahead *ahead = *ahead_inout;
    *ahead_inout = NULL;
    if (ahead == NULL)
        return;
    io_ahead_stop(ahead);
    io_uring_queue_exit(&ahead->ring);
    memory_unmap(ahead, sizeof *ahead);
}

/* ---- reading ---- */

/* Copies what the first chunk has of it. Returns how much, 0 when it was not read. */
static uint32_t take(struct io_ahead *ahead, uint8_t *to, size_t bytes)
{
    struct chunk *chunk = chunk_at(ahead, 0);
    wait_for(ahead, chunk);
    if (chunk->result < 0 || (uint32_t)chunk->result < chunk->end)
        return 0;
    uint32_t count = chunk->end - chunk->begin;
    if (count > bytes)
        count = (uint32_t)bytes;
    memcpy(to, chunk->memory + chunk->begin, count);
    chunk->begin += count;
    chunk->offset += count;
    if (chunk->begin == chunk->end) {
        ahead->first = (ahead->first + 1) % CHUNK_COUNT;
        ahead->count--;
    }
    return count;
}

int io_ahead_read(struct io_ahead *ahead, int fd, void *buffer, size_t bytes, uint64_t offset,
                  uint64_t end)
{
    size_t done = 0;
    hf_assert(fd >= 0);
    hf_assert(offset + bytes <= end);
    if (ahead->count > 0 && (ahead->fd != fd || chunk_at(ahead, 0)->offset != offset))
        io_ahead_stop(ahead);
    ahead->fd = fd;
    while (done < bytes && ahead->count > 0) {
        uint32_t taken = take(ahead, (uint8_t *)buffer + done, bytes - done);
        if (taken == 0)
            io_ahead_stop(ahead);
        else
            go_ahead(ahead, end);
        done += taken;
    }
    if (done == bytes)
        return 0;
    ahead->next_offset = offset + bytes;
    go_ahead(ahead, end);
    return io_file_read_now(ahead->io, fd, (uint8_t *)buffer + done, bytes - done, offset + done);
}
