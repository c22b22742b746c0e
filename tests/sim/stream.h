#ifndef HF_SIM_STREAM_H
#define HF_SIM_STREAM_H
/* A client's connection as a stream of frames. Bytes from the server that are no frame, or whose
 * body is not the message that the type says, are findings. */

#include "network.h"
#include "proto/message.h"

enum { STREAM_BYTES_MAX = 256 << 10 };

struct sim_stream {
    struct sim_link *link; /* NULL: none */
    const char *owner;     /* for findings: "client 3" */
    uint64_t server;       /* life_number(): one that was asked to stop may cut a frame */
    uint32_t used;
    uint8_t bytes[STREAM_BYTES_MAX];
};

void stream_open(struct sim_stream *stream, void (*on_change)(void *context), void *context);

/* NULL and closed are the same. */
void stream_close(struct sim_stream *stream, bool is_reset);

enum sim_link_state stream_state(const struct sim_stream *stream);

void stream_send(struct sim_stream *stream, const uint8_t *bytes, uint32_t bytes_count);

/* The next frame's message, valid until the next call; NULL when no whole frame has come. */
const ProtobufCMessage *stream_next(struct sim_stream *stream, struct frame_header *header_out);

#endif
