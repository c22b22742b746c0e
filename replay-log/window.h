#ifndef HF_REPLAY_LOG_WINDOW_H
#define HF_REPLAY_LOG_WINDOW_H
/* A part of an open file in memory, which moves forward through it and reads in large pieces. */

#include <stdint.h>

enum { WINDOW_BYTES = 8 << 20 };

struct window {
    uint8_t *buffer; /* aligned to 8 */
    uint32_t room;   /* bytes of it: as many as the largest file so far, up to WINDOW_BYTES */
    int fd;
    uint64_t file_bytes;
    uint64_t offset; /* of what is in the buffer */
    uint32_t bytes;
};

void window_init(struct window *window);
void window_deinit(struct window *window);

/* From now on it is about this file, whose descriptor stays the caller's. */
void window_set(struct window *window, int fd, uint64_t file_bytes);

/* Points `*at_out` at the `bytes` (at most half of WINDOW_BYTES) at `offset`, a multiple of 8,
 * which are inside the file; valid until the next call. 0 or a negative errno. */
int window_at(struct window *window, uint64_t offset, uint32_t bytes, const uint8_t **at_out);

#endif
