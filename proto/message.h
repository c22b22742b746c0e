#ifndef HF_PROTO_MESSAGE_H
#define HF_PROTO_MESSAGE_H
/* protobuf-c with bounds: messages are decoded into an arena with a hard cap, because
 * protobuf-c 1.4.1 may need many times the frame's size, and encoded straight into a frame. One
 * thread per arena. */

#include "proto/frame.h"

#include <protobuf-c/protobuf-c.h>

/* Memory for one decoded message at a time. */
struct message_arena {
    uint8_t *memory; /* the owner's, 16-byte aligned */
    size_t bytes;
    size_t used;
    ProtobufCAllocator allocator;
};

/* `memory` stays the owner's, and the arena stays where it is: its allocator points to it. Eight
 * times the largest body is enough for every message here. */
void message_arena_init(struct message_arena *arena, void *memory, size_t bytes);

/* Decodes one message; what the arena held before is gone. The result is valid until the next
 * decode. NULL when the bytes are not such a message or it would not fit. */
const ProtobufCMessage *message_decode(struct message_arena *arena,
                                       const ProtobufCMessageDescriptor *descriptor,
                                       const uint8_t *body, size_t body_bytes);

/* The descriptor of the message that a frame of this type carries; NULL for a number that is no
 * type. */
const ProtobufCMessageDescriptor *message_descriptor(uint8_t frame_type);

/* Encodes a whole frame at `frame`, which has room for `frame_bytes_max`. Returns its length, or 0
 * when it does not fit. */
size_t message_encode_frame(const ProtobufCMessage *message, uint8_t type, uint64_t request_id,
                            uint8_t *frame, size_t frame_bytes_max);

/* A column of a batch is `count` elements long: all of row_count, one for all, or none for all
 * zero. */
static inline bool message_column_fits(size_t count, uint32_t row_count)
{
    return count == row_count || count <= 1;
}

static inline uint64_t message_column_u64(const uint64_t *values, size_t count, uint32_t row)
{
    return count > 1 ? values[row] : count == 1 ? values[0] : 0;
}

static inline uint32_t message_column_u32(const uint32_t *values, size_t count, uint32_t row)
{
    return count > 1 ? values[row] : count == 1 ? values[0] : 0;
}

#endif
