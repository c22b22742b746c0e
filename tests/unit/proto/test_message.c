#include "proto/message.h"

#include <criterion/criterion.h>
#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/session.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BYTES = 1 << 20,
    BODY_BYTES_MAX = 64 << 10,
    CANARY_BYTES = 64,
};

/* An arena followed by bytes that nobody may touch: protobuf-c's own code is not instrumented. */
struct fixture {
    struct message_arena arena;
    uint8_t *memory;
    size_t bytes;
};

static struct fixture fixture_create(size_t bytes)
{
    struct fixture f = {.memory = aligned_alloc(16, bytes + CANARY_BYTES), .bytes = bytes};
    memset(f.memory + bytes, 0xc5, CANARY_BYTES);
    return f;
}

static void fixture_init(struct fixture *f)
{
    message_arena_init(&f->arena, f->memory, f->bytes);
}

static void fixture_destroy(struct fixture *f)
{
    for (size_t i = 0; i < CANARY_BYTES; i++) {
        cr_assert(f->memory[f->bytes + i] == 0xc5, "wrote past the arena");
    }
    free(f->memory);
}

static const ProtobufCMessage *decode_frame(struct fixture *f, const uint8_t *frame, size_t bytes)
{
    struct frame_header header;
    size_t need_bytes;
    bool is_request = frame[13] < FRAME_REPLY;
    cr_assert(frame_parse(frame, bytes, BODY_BYTES_MAX, is_request, &header, &need_bytes) ==
              FRAME_OK);
    return message_decode(&f->arena, message_descriptor(header.type), frame + FRAME_HEADER_BYTES,
                          header.body_bytes);
}

Test(message, descriptor_is_the_one_that_the_type_table_names)
{
#define CHECK(name, number, message)                                                               \
    cr_assert_str_eq(message_descriptor(number)->short_name, #message);                            \
    cr_assert(message_descriptor(number + FRAME_REPLY) != NULL);
    FRAME_TYPES(CHECK)
#undef CHECK
    cr_assert_str_eq(message_descriptor(FRAME_ERROR)->short_name, "ErrorResponse");
    cr_assert_str_eq(message_descriptor(FRAME_GO_AWAY)->short_name, "GoAwayResponse");
    cr_assert(message_descriptor(0) == NULL);
    cr_assert(message_descriptor(FRAME_REPLY) == NULL);
    cr_assert(message_descriptor(253) == NULL);
}

Test(message, reserve_comes_back_as_it_was_sent)
{
    uint8_t frame[256];
    struct fixture f = fixture_create(ARENA_BYTES);
    fixture_init(&f);
    Holdfast__V1__ReserveRequest sent = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    sent.item_id = UINT64_MAX;
    sent.reservation_id_high = 1;
    sent.reservation_id_low = 2;
    sent.buyer_id = 3;
    sent.quantity = UINT32_MAX;
    sent.hold_ms = 4;
    sent.user_data = 5;
    size_t bytes = message_encode_frame(&sent.base, FRAME_RESERVE, 9, frame, sizeof(frame));
    cr_assert(bytes > FRAME_HEADER_BYTES);
    const Holdfast__V1__ReserveRequest *got = (const void *)decode_frame(&f, frame, bytes);
    cr_assert(got != NULL);
    cr_assert(got->item_id == UINT64_MAX && got->reservation_id_high == 1);
    cr_assert(got->reservation_id_low == 2 && got->buyer_id == 3);
    cr_assert(got->quantity == UINT32_MAX && got->hold_ms == 4 && got->user_data == 5);
    fixture_destroy(&f);
}

/* Fills every field of a message with something: scalars with ones, columns with three elements,
 * byte strings and sub-messages one level deep. Works on the descriptor, so that no message and no
 * field added later is forgotten. */
static void fill(ProtobufCMessage *message);

static void fill_field(uint8_t *member, const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
        ((ProtobufCBinaryData *)(void *)member)->len = 3;
        ((ProtobufCBinaryData *)(void *)member)->data = (uint8_t *)strdup("sku");
        break;
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessageDescriptor *descriptor = field->descriptor;
        ProtobufCMessage *inner = malloc(descriptor->sizeof_message);
        protobuf_c_message_init(descriptor, inner);
        fill(inner);
        *(ProtobufCMessage **)(void *)member = inner;
        break;
    }
    default:
        *member = 1;
    }
}

static size_t element_bytes(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return 8;
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return 4;
    }
}

static void fill(ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        uint8_t *member = (uint8_t *)message + field->offset;
        if (field->label != PROTOBUF_C_LABEL_REPEATED) {
            fill_field(member, field);
            continue;
        }
        uint8_t *elements = calloc(3, element_bytes(field));
        for (size_t e = 0; e < 3; e++) {
            fill_field(elements + e * element_bytes(field), field);
        }
        *(uint8_t **)(void *)member = elements;
        *(size_t *)(void *)((uint8_t *)message + field->quantifier_offset) = 3;
    }
}

Test(message, every_message_with_every_field_set_makes_the_round_trip)
{
    uint8_t frame[4096], again[4096];
    struct fixture f = fixture_create(ARENA_BYTES);
    fixture_init(&f);
    for (int type = 0; type < 256; type++) {
        const ProtobufCMessageDescriptor *descriptor = message_descriptor((uint8_t)type);
        if (descriptor == NULL) {
            continue;
        }
        ProtobufCMessage *sent = malloc(descriptor->sizeof_message);
        protobuf_c_message_init(descriptor, sent);
        fill(sent);
        size_t bytes =
            message_encode_frame(sent, (uint8_t)type, (uint64_t)type, frame, sizeof(frame));
        cr_assert(bytes > FRAME_HEADER_BYTES);
        protobuf_c_message_free_unpacked(sent, NULL);

        const ProtobufCMessage *got = decode_frame(&f, frame, bytes);
        cr_assert(got != NULL, "%s", descriptor->name);
        cr_assert(protobuf_c_message_check(got));
        cr_assert(message_encode_frame(got, (uint8_t)type, (uint64_t)type, again, sizeof(again)) ==
                  bytes);
        cr_assert(memcmp(frame, again, bytes) == 0, "%s", descriptor->name);
    }
    fixture_destroy(&f);
}

Test(message, encode_into_too_little_room_gives_0_and_writes_nothing)
{
    uint8_t frame[128];
    Holdfast__V1__PingRequest ping = HOLDFAST__V1__PING_REQUEST__INIT;
    ping.payload = 1;
    size_t bytes = message_encode_frame(&ping.base, FRAME_PING, 1, frame, sizeof(frame));
    cr_assert(bytes == FRAME_HEADER_BYTES + 9);
    memset(frame, 0xee, sizeof(frame));
    for (size_t room = 0; room < bytes; room++) {
        cr_assert(message_encode_frame(&ping.base, FRAME_PING, 1, frame, room) == 0);
    }
    for (size_t i = 0; i < sizeof(frame); i++) {
        cr_assert(frame[i] == 0xee);
    }
    cr_assert(message_encode_frame(&ping.base, FRAME_PING, 1, frame, bytes) == bytes);
}

Test(message, columns_are_packed_on_the_wire)
{
    uint8_t frame[256];
    uint64_t items[] = {1, 2, 3};
    uint32_t quantities[] = {4, 5, 6};
    Holdfast__V1__ReserveBatchRequest batch = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    batch.row_count = 3;
    batch.item_id = items;
    batch.n_item_id = 3;
    batch.quantity = quantities;
    batch.n_quantity = 3;
    size_t bytes = message_encode_frame(&batch.base, FRAME_RESERVE_BATCH, 1, frame, sizeof(frame));
    cr_assert(bytes == FRAME_HEADER_BYTES + 2 + (2 + 3 * 8) + (2 + 3 * 4));
}

/* The same column packed, one tag per element, and in both ways at once: all are legal protobuf. */
Test(message, packed_and_unpacked_columns_are_both_accepted)
{
    static const uint8_t packed[] = {0x08, 2, 0x32, 8, 7, 0, 0, 0, 8, 0, 0, 0};
    static const uint8_t unpacked[] = {0x08, 2, 0x35, 7, 0, 0, 0, 0x35, 8, 0, 0, 0};
    static const uint8_t mixed[] = {0x08, 2, 0x32, 4, 7, 0, 0, 0, 0x35, 8, 0, 0, 0};
    const struct {
        const uint8_t *body;
        size_t bytes;
    } bodies[] = {{packed, sizeof(packed)}, {unpacked, sizeof(unpacked)}, {mixed, sizeof(mixed)}};
    struct fixture f = fixture_create(ARENA_BYTES);
    fixture_init(&f);
    for (size_t i = 0; i < 3; i++) {
        const Holdfast__V1__ReserveBatchRequest *batch = (const void *)message_decode(
            &f.arena, message_descriptor(FRAME_RESERVE_BATCH), bodies[i].body, bodies[i].bytes);
        cr_assert(batch != NULL);
        cr_assert(batch->row_count == 2 && batch->n_quantity == 2);
        cr_assert(batch->quantity[0] == 7 && batch->quantity[1] == 8);
    }
    fixture_destroy(&f);
}

Test(message, packed_column_that_is_cut_inside_an_element_is_refused)
{
    static const uint8_t body[] = {0x08, 1, 0x12, 7, 1, 2, 3, 4, 5, 6, 7};
    struct fixture f = fixture_create(ARENA_BYTES);
    fixture_init(&f);
    cr_assert(message_decode(&f.arena, message_descriptor(FRAME_RESERVE_BATCH), body,
                             sizeof(body)) == NULL);
    fixture_destroy(&f);
}

Test(message, unknown_fields_are_tolerated)
{
    static const uint8_t body[] = {0xf8, 0x07, 1, 0x09, 42,   0, 0,   0,  0,
                                   0,    0,    0, 0xfa, 0x07, 2, 'h', 'i'};
    struct fixture f = fixture_create(ARENA_BYTES);
    fixture_init(&f);
    const Holdfast__V1__ItemGetRequest *get = (const void *)message_decode(
        &f.arena, message_descriptor(FRAME_ITEM_GET), body, sizeof(body));
    cr_assert(get != NULL);
    cr_assert(get->item_id == 42);
    cr_assert(get->base.n_unknown_fields == 2);
    fixture_destroy(&f);
}

Test(message, unknown_enum_values_come_through_for_the_owner_to_judge)
{
    static const uint8_t body[] = {0x12, 2, 99, 1};
    struct fixture f = fixture_create(ARENA_BYTES);
    fixture_init(&f);
    const Holdfast__V1__ItemUpdateRequest *update = (const void *)message_decode(
        &f.arena, message_descriptor(FRAME_ITEM_UPDATE), body, sizeof(body));
    cr_assert(update != NULL);
    cr_assert(update->n_fields == 2 && (int)update->fields[0] == 99);
    fixture_destroy(&f);
}

/* Two bytes a field on the wire, some tens in memory. With room for it the message is taken, with
 * the room that the size of the body suggests it is refused, and the arena can be used again. */
Test(message, body_that_would_fill_the_memory_is_refused)
{
    enum { COUNT = 4000 };
    static uint8_t body[2 * COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        body[2 * i] = 0x78; /* field 15, a varint: unknown to every message here */
        body[2 * i + 1] = 1;
    }
    const ProtobufCMessageDescriptor *descriptor = message_descriptor(FRAME_PING);
    struct fixture roomy = fixture_create(ARENA_BYTES);
    fixture_init(&roomy);
    cr_assert(message_decode(&roomy.arena, descriptor, body, sizeof(body)) != NULL);
    cr_assert(roomy.arena.used > 16 * sizeof(body), "the premise of this test");
    fixture_destroy(&roomy);

    struct fixture tight = fixture_create(8 * sizeof(body));
    fixture_init(&tight);
    cr_assert(message_decode(&tight.arena, descriptor, body, sizeof(body)) == NULL);
    cr_assert(tight.arena.used <= tight.bytes);
    cr_assert(message_decode(&tight.arena, descriptor, body, 2) != NULL);
    fixture_destroy(&tight);
}

/* The promise of message_arena_init(): eight times the body is enough, in the least thrifty legal
 * encoding too. */
Test(message, eight_times_the_largest_body_holds_the_largest_batch)
{
    static _Alignas(16) uint8_t memory[8 * FRAME_BODY_BYTES_MAX];
    static uint8_t body[FRAME_BODY_BYTES_MAX];
    size_t bytes = 0;
    for (int column = 2; column <= 8; column++) {
        bool is_fixed32 = column == 6;
        for (int row = 0; row < FRAME_ROW_COUNT_MAX; row++) {
            body[bytes] = (uint8_t)(column << 3 | (is_fixed32 ? 5 : 1));
            bytes += is_fixed32 ? 5 : 9;
        }
    }
    struct message_arena arena;
    message_arena_init(&arena, memory, sizeof(memory));
    const Holdfast__V1__ReserveBatchRequest *batch =
        (const void *)message_decode(&arena, message_descriptor(FRAME_RESERVE_BATCH), body, bytes);
    cr_assert(batch != NULL);
    cr_assert(batch->n_quantity == FRAME_ROW_COUNT_MAX);
}

Test(message, decode_reuses_the_arena_from_the_start)
{
    static const uint8_t body[] = {0x09, 1, 0, 0, 0, 0, 0, 0, 0};
    struct fixture f = fixture_create(256);
    fixture_init(&f);
    for (int i = 0; i < 1000; i++) {
        const ProtobufCMessage *message =
            message_decode(&f.arena, message_descriptor(FRAME_PING), body, sizeof(body));
        cr_assert((const uint8_t *)message == f.memory);
    }
    fixture_destroy(&f);
}

/* Some fields with plausible tags and lengths, at times cut short or with a byte changed. Returns
 * the length. */
static size_t random_body(unsigned *seed, uint8_t body[256])
{
    static const uint8_t wire_types[] = {0, 1, 2, 2, 5};
    size_t bytes = 0;
    for (int fields = rand_r(seed) % 8; fields > 0; fields--) {
        uint8_t wire_type = wire_types[rand_r(seed) % 5];
        body[bytes++] = (uint8_t)((rand_r(seed) % 15 + 1) << 3 | wire_type);
        size_t content = wire_type == 0 ? 1 : wire_type == 1 ? 8 : wire_type == 5 ? 4 : 0;
        if (wire_type == 2) {
            content = (size_t)(rand_r(seed) % 4) * 8;
            body[bytes++] = (uint8_t)content;
        }
        for (; content > 0; content--) {
            body[bytes++] = (uint8_t)(rand_r(seed) % 3);
        }
    }
    if (bytes > 0 && rand_r(seed) % 4 == 0) {
        body[(size_t)rand_r(seed) % bytes] = (uint8_t)rand_r(seed);
    }
    return rand_r(seed) % 4 == 0 ? (size_t)rand_r(seed) % (bytes + 1) : bytes;
}

/* Random bodies against random caps, for every type: a message or NULL, nothing written outside the
 * arena, nothing read outside the body. */
Test(message, garbage_is_an_answer_or_null_and_stays_inside_the_arena)
{
    unsigned seed = 20261122;
    printf("seed %u\n", seed);
    int decoded = 0, refused = 0;
    for (int round = 0; round < 100000; round++) {
        const ProtobufCMessageDescriptor *descriptor =
            message_descriptor((uint8_t)(rand_r(&seed) % 256));
        if (descriptor == NULL) {
            continue;
        }
        uint8_t bytes[256];
        size_t count = random_body(&seed, bytes);
        uint8_t *body = malloc(count + 1);
        memcpy(body, bytes, count);
        struct fixture f = fixture_create((size_t)rand_r(&seed) % 1024 & ~(size_t)15);
        fixture_init(&f);
        if (message_decode(&f.arena, descriptor, body, count) != NULL) {
            decoded++;
        } else {
            refused++;
        }
        fixture_destroy(&f);
        free(body);
    }
    cr_assert(decoded > 1000 && refused > 1000, "%d decoded, %d refused", decoded, refused);
}

Test(columns, length_fits_when_it_is_all_one_or_none)
{
    cr_assert(message_column_fits(5, 5));
    cr_assert(message_column_fits(1, 5));
    cr_assert(message_column_fits(0, 5));
    cr_assert(!message_column_fits(2, 5));
    cr_assert(!message_column_fits(4, 5));
    cr_assert(!message_column_fits(6, 5));
    cr_assert(message_column_fits(1, 1));
    cr_assert(!message_column_fits((size_t)UINT32_MAX + 1 + 5, 5));
}

Test(columns, element_is_the_rows_own_the_one_for_all_or_zero)
{
    const uint64_t wide[] = {10, 11, 12};
    const uint32_t narrow[] = {20, 21, 22};
    cr_assert(message_column_u64(wide, 3, 2) == 12);
    cr_assert(message_column_u64(wide, 1, 2) == 10);
    cr_assert(message_column_u64(NULL, 0, 2) == 0);
    cr_assert(message_column_u32(narrow, 3, 0) == 20);
    cr_assert(message_column_u32(narrow, 1, 7) == 20);
    cr_assert(message_column_u32(NULL, 0, 7) == 0);
}
