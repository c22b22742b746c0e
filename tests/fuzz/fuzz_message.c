/* Bodies of frames: every type of message, decoded into an arena with a hard cap, and encoded.
 *
 *      0  type of the frame
 *      1  bit 0: the message is made from the tape (message_tools.h), else the rest is the body;
 *         the other bits: how small the arena is the second time
 *      2  made: the number of rows, then the tape; else the body
 *
 * Promises:
 *   - Decoding reads nothing behind the body, writes nothing behind the arena, needs no other
 *     memory, and leaves the body as it is.
 *   - With less memory it gives the same message or none.
 *   - The short way of flat messages (proto/flat.h) makes no difference: protobuf-c by itself takes
 *     the same bodies with as much memory, finds the same in them, and writes the same bytes.
 *   - decode, encode, decode gives an equal message, and encoding that again the same bytes, in a
 *     verified frame. A message that was made is what its bytes are decoded to.
 *   - The room that net keeps for a reply is enough for all rows that the decoded request has. */

#include "message_tools.h"

#include "holdfast/v1/reservation.pb-c.h"
#include "net/promise.h"

#include <stdlib.h>

enum {
    BODY_BYTES_MAX = 1 << 14,
    FRAME_BYTES_MAX = 1 << 18, /* encoding may be longer: a packed column came unpacked */
    ARENA_BYTES = 1 << 18,
    SMALL_BODY_ARENA_BYTES = 4096, /* what bodies of single numbers need at most */
};

static _Alignas(16) uint8_t arena_memory[2][ARENA_BYTES];

/* The arena number `index`, with so many bytes and none behind them. */
static void arena_begin(struct message_arena *arena, unsigned index, size_t arena_bytes)
{
    uint8_t *memory = arena_memory[index];
    FUZZ_UNPOISON(memory, ARENA_BYTES);
    FUZZ_POISON(memory + arena_bytes, ARENA_BYTES - arena_bytes);
    message_arena_init(arena, memory, arena_bytes);
}

static const ProtobufCMessage *decode(struct message_arena *arena, unsigned index,
                                      size_t arena_bytes,
                                      const ProtobufCMessageDescriptor *descriptor,
                                      const uint8_t *body, size_t body_bytes)
{
    arena_begin(arena, index, arena_bytes);
    const ProtobufCMessage *message = message_decode(arena, descriptor, body, body_bytes);
    hf_assert(arena->used <= arena_bytes);
    hf_assert(message == NULL || (const uint8_t *)message >= arena_memory[index]);
    return message;
}

/* The body of the frame that the message is encoded to. */
static const uint8_t *encode(const ProtobufCMessage *message, uint8_t type, uint8_t *frame,
                             size_t *body_bytes_out)
{
    static const uint64_t request_id = 0x0102030405060708;
    struct frame_header header;
    size_t need_bytes = 0;
    bool is_request = type < FRAME_REPLY;
    size_t frame_bytes = message_encode_frame(message, type, request_id, frame, FRAME_BYTES_MAX);
    hf_assert(frame_bytes >= FRAME_HEADER_BYTES);
    hf_assert(frame_parse(frame, frame_bytes, FRAME_BYTES_MAX, is_request, &header, &need_bytes) ==
              FRAME_OK);
    hf_assert(need_bytes == frame_bytes);
    hf_assert(header.type == type && header.request_id == request_id);
    hf_assert(message_encode_frame(message, type, request_id, frame, frame_bytes - 1) == 0);
    *body_bytes_out = header.body_bytes;
    return frame + FRAME_HEADER_BYTES;
}

static void check_bytes_of_protobuf_c(const ProtobufCMessage *message, const uint8_t *body,
                                      size_t body_bytes)
{
    static uint8_t packed[FRAME_BYTES_MAX];
    hf_assert(protobuf_c_message_get_packed_size(message) == body_bytes);
    hf_assert(protobuf_c_message_pack(message, packed) == body_bytes);
    hf_assert(memcmp(body, packed, body_bytes) == 0);
}

static void check_round_trip(const ProtobufCMessage *message, uint8_t type)
{
    static uint8_t frames[2][FRAME_BYTES_MAX];
    struct message_arena arena;
    size_t bytes, bytes_again;
    hf_assert(protobuf_c_message_check(message));
    const uint8_t *body = encode(message, type, frames[0], &bytes);
    check_bytes_of_protobuf_c(message, body, bytes);
    const ProtobufCMessage *again =
        decode(&arena, 1, ARENA_BYTES, message->descriptor, body, bytes);
    hf_assert(again != NULL);
    hf_assert(message_equals(message, again));
    const uint8_t *body_again = encode(again, type, frames[1], &bytes_again);
    hf_assert(bytes == bytes_again && memcmp(body, body_again, bytes) == 0);
}

/* With as much memory for the body as a server has, in proportion. */
static void check_like_protobuf_c(const ProtobufCMessageDescriptor *descriptor, const uint8_t *body,
                                  size_t body_bytes)
{
    struct message_arena arena;
    size_t arena_bytes = SMALL_BODY_ARENA_BYTES + 8 * body_bytes;
    if (arena_bytes > ARENA_BYTES)
        arena_bytes = ARENA_BYTES;
    const ProtobufCMessage *message = decode(&arena, 0, arena_bytes, descriptor, body, body_bytes);
    arena_begin(&arena, 1, arena_bytes);
    const ProtobufCMessage *expected =
        protobuf_c_message_unpack(descriptor, &arena.allocator, body_bytes, body);
    hf_assert((message == NULL) == (expected == NULL));
    hf_assert(message == NULL || message_equals(message, expected));
}

static void check_small_arena(const ProtobufCMessage *message, uint8_t size_choice,
                              const uint8_t *body, size_t body_bytes)
{
    struct message_arena arena;
    size_t arena_bytes = (size_t)size_choice * (size_t)size_choice; /* 0 .. 16 KiB */
    const ProtobufCMessage *small =
        decode(&arena, 1, arena_bytes, message->descriptor, body, body_bytes);
    hf_assert(small == NULL || message_equals(message, small));
}

/* The first member after the base of every batch request. */
static uint32_t row_count_of(const ProtobufCMessage *message)
{
    return ((const Holdfast__V1__GetBatchRequest *)(const void *)message)->row_count;
}

/* The promise is made before the body is decoded: `message` is NULL when it can't be. */
static void check_promise(const ProtobufCMessage *message, uint8_t type, const uint8_t *body,
                          size_t body_bytes)
{
    struct frame_header header = {.type = type, .body_bytes = (uint32_t)body_bytes};
    uint32_t promised = promise_bytes(&header, body);
    hf_assert(promised >= PROMISE_SINGLE_BYTES && promised <= PROMISE_BYTES_MAX);
    if (message == NULL || type < FRAME_RESERVE_BATCH || type > FRAME_GET_BATCH)
        return;
    uint32_t row_bytes = type == FRAME_GET_BATCH ? PROMISE_ROW_BYTES_GET : PROMISE_ROW_BYTES;
    uint32_t row_count = row_count_of(message);
    if (row_count <= FRAME_ROW_COUNT_MAX)
        hf_assert(promised >= PROMISE_SINGLE_BYTES + row_count * row_bytes);
}

static void run(uint8_t type, const ProtobufCMessageDescriptor *descriptor, uint8_t size_choice,
                const uint8_t *body, size_t body_bytes)
{
    struct message_arena arena;
    check_like_protobuf_c(descriptor, body, body_bytes);
    const ProtobufCMessage *message = decode(&arena, 0, ARENA_BYTES, descriptor, body, body_bytes);
    if (type < FRAME_REPLY)
        check_promise(message, type, body, body_bytes);
    if (message == NULL)
        return;
    check_small_arena(message, size_choice, body, body_bytes);
    if (message_can_be_encoded(message))
        check_round_trip(message, type);
}

/* Decodes what was made, from memory of its own length. */
static void run_made(uint8_t type, const ProtobufCMessage *made, uint8_t size_choice)
{
    struct message_arena arena;
    size_t body_bytes = protobuf_c_message_get_packed_size(made);
    uint8_t *body = malloc(body_bytes > 0 ? body_bytes : 1);
    hf_assert(body != NULL && body_bytes < FRAME_BYTES_MAX);
    hf_assert(protobuf_c_message_pack(made, body) == body_bytes);
    const ProtobufCMessage *message =
        decode(&arena, 0, ARENA_BYTES, made->descriptor, body, body_bytes);
    hf_assert(message != NULL);
    hf_assert(message_equals(made, message));
    run(type, made->descriptor, size_choice, body, body_bytes);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    uint8_t type = fuzz_take_u8(&tape);
    uint8_t choice = fuzz_take_u8(&tape);
    const ProtobufCMessageDescriptor *descriptor = message_descriptor(type);
    hf_assert((descriptor != NULL) == (strcmp(frame_type_name(type), "?") != 0));
    if (descriptor == NULL)
        return 0;
    if (choice & 1) {
        uint32_t row_count = fuzz_take_u8(&tape) % (MESSAGE_BUILD_ROWS_MAX + 1);
        run_made(type, message_build(descriptor, &tape, row_count), choice >> 1);
    } else {
        size_t body_bytes;
        const uint8_t *body = fuzz_take_bytes(&tape, BODY_BYTES_MAX, &body_bytes);
        run(type, descriptor, choice >> 1, body, body_bytes);
    }
    return 0;
}
