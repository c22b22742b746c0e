#include "proto/message.h"

#include "proto/flat.h"

#include <assert.h>
#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/session.pb-c.h>
#include <holdfast/v1/snapshot.pb-c.h>

/* protobuf-c 1.4.1 allocates while it reads: the message, a scratch list of the fields that it met
 * (unknown ones as well, several times their size on the wire), and every array and byte string. A
 * body within the frame's limit can thus ask for many times its length. All of it comes from the
 * arena; when that is used up the allocator says no, and protobuf-c gives the message up. Freeing
 * does nothing: the next decode starts over. */

enum { ARENA_ALIGNMENT = 16 };

static void *arena_alloc(void *allocator_data, size_t size)
{
    struct message_arena *arena = allocator_data;
    size_t left = arena->bytes - arena->used;
    if (size > left) {
        return NULL;
    }
    size_t padded = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    void *memory = arena->memory + arena->used;
    arena->used += padded < left ? padded : left;
    return memory;
}

static void arena_free(void *allocator_data, void *pointer)
{
    (void)allocator_data;
    (void)pointer;
}

void message_arena_init(struct message_arena *arena, void *memory, size_t bytes)
{
    assert((uintptr_t)memory % ARENA_ALIGNMENT == 0);
    *arena = (struct message_arena){
        .memory = memory,
        .bytes = bytes,
        .allocator = {.alloc = arena_alloc, .free = arena_free, .allocator_data = arena},
    };
}

const ProtobufCMessage *message_decode(struct message_arena *arena,
                                       const ProtobufCMessageDescriptor *descriptor,
                                       const uint8_t *body, size_t body_bytes)
{
    arena->used = 0;
    const ProtobufCMessage *flat = flat_decode(arena, descriptor, body, body_bytes);
    if (flat != NULL) {
        return flat;
    }
    arena->used = 0;
    return protobuf_c_message_unpack(descriptor, &arena->allocator, body_bytes, body);
}

const ProtobufCMessageDescriptor *message_descriptor(uint8_t frame_type)
{
#define PAIR(name, request, reply)                                                                 \
    [FRAME_##name] = &holdfast__v1__##request##__descriptor,                                       \
    [FRAME_##name + FRAME_REPLY] = &holdfast__v1__##reply##__descriptor
    static const ProtobufCMessageDescriptor *const descriptors[256] = {
        PAIR(HELLO, hello_request, hello_response),
        PAIR(PING, ping_request, ping_response),
        PAIR(RESERVE, reserve_request, reservation_response),
        PAIR(CONFIRM, confirm_request, reservation_response),
        PAIR(CANCEL, cancel_request, reservation_response),
        PAIR(EXTEND, extend_request, reservation_response),
        PAIR(GET, get_request, reservation_response),
        PAIR(RESERVE_BATCH, reserve_batch_request, reservation_batch_response),
        PAIR(CONFIRM_BATCH, confirm_batch_request, reservation_batch_response),
        PAIR(CANCEL_BATCH, cancel_batch_request, reservation_batch_response),
        PAIR(EXTEND_BATCH, extend_batch_request, reservation_batch_response),
        PAIR(GET_BATCH, get_batch_request, reservation_batch_response),
        PAIR(ITEM_CREATE, item_create_request, item_response),
        PAIR(ITEM_UPDATE, item_update_request, item_response),
        PAIR(ITEM_GET, item_get_request, item_response),
        PAIR(ITEM_LIST, item_list_request, item_list_response),
        PAIR(STAT, stat_request, stat_response),
        PAIR(SNAPSHOT, snapshot_request, snapshot_response),
        PAIR(SNAPSHOT_READ, snapshot_read_request, snapshot_read_response),
        [FRAME_ERROR] = &holdfast__v1__error_response__descriptor,
        [FRAME_GO_AWAY] = &holdfast__v1__go_away_response__descriptor,
    };
#undef PAIR
    return descriptors[frame_type];
}

size_t message_encode_frame(const ProtobufCMessage *message, uint8_t type, uint64_t request_id,
                            uint8_t *frame, size_t frame_bytes_max)
{
    uint8_t *body = frame + FRAME_HEADER_BYTES;
    size_t body_bytes;
    if (frame_bytes_max < FRAME_HEADER_BYTES) {
        return 0;
    }
    if (!flat_encode(message, body, frame_bytes_max - FRAME_HEADER_BYTES, &body_bytes)) {
        body_bytes = protobuf_c_message_get_packed_size(message);
        if (body_bytes > UINT32_MAX || FRAME_HEADER_BYTES + body_bytes > frame_bytes_max) {
            return 0;
        }
        protobuf_c_message_pack(message, body);
    }
    frame_finish(frame, type, request_id, (uint32_t)body_bytes);
    return FRAME_HEADER_BYTES + body_bytes;
}
