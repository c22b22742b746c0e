#include "window.h"

#include "allocate.h"
#include "input.h"
#include "progress.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void window_init(struct window *window)
{
    *window = (struct window){.fd = -1};
}

void window_deinit(struct window *window)
{
    free(window->buffer);
}

void window_set(struct window *window, int fd, uint64_t file_bytes)
{
    const uint32_t room = file_bytes < WINDOW_BYTES ? (uint32_t)file_bytes : WINDOW_BYTES;
    if (room > window->room) {
        free(window->buffer);
        window->buffer = allocate_buffer(room);
        window->room = room;
    }
    window->fd = fd;
    window->file_bytes = file_bytes;
    window->offset = 0;
    window->bytes = 0;
}

int window_at(struct window *window, uint64_t offset, uint32_t bytes, const uint8_t **at_out)
{
    hf_assert(bytes <= WINDOW_BYTES / 2);
    hf_assert(offset + bytes <= window->file_bytes);
    const uint64_t end = window->offset + window->bytes;
    if (offset < window->offset || offset + bytes > end) {
        uint32_t kept = 0;
        if (offset >= window->offset && offset < end)
            kept = (uint32_t)(end - offset);
        memmove(window->buffer, window->buffer + window->bytes - kept, kept);
        const uint64_t rest = window->file_bytes - offset;
        const uint32_t wanted = rest < WINDOW_BYTES ? (uint32_t)rest : WINDOW_BYTES;
        window->offset = offset;
        window->bytes = 0;
        const int error =
            input_read_at(window->fd, offset + kept, window->buffer + kept, wanted - kept);
        if (error != 0)
            return error;
        window->bytes = wanted;
        progress_add(wanted - kept);
    }
    *at_out = window->buffer + (offset - window->offset);
    return 0;
}
