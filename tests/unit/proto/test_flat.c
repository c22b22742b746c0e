/* The short way of flat messages against protobuf-c: both say the same of any bytes, and write the
 * same bytes of any message. */
#include "proto/flat.h"
#include "proto/message.h"

#include <criterion/criterion.h>
#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BODY_BYTES_MAX = 256, ARENA_BYTES = 64 << 10, ROUNDS = 200000 };

static const ProtobufCMessageDescriptor *const descriptors[] = {
    &holdfast__v1__reserve_request__descriptor, &holdfast__v1__confirm_request__descriptor,
    &holdfast__v1__cancel_request__descriptor,  &holdfast__v1__extend_request__descriptor,
    &holdfast__v1__get_request__descriptor,     &holdfast__v1__reservation_response__descriptor,
};
enum { DESCRIPTORS = sizeof descriptors / sizeof *descriptors };

static _Alignas(16) uint8_t arena_memory[ARENA_BYTES];
static struct message_arena arena;

static unsigned begin(void)
{
    const char *given = getenv("HOLDFAST_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    message_arena_init(&arena, arena_memory, sizeof arena_memory);
    return seed;
}

/* Small, large, or on the edge of one more byte. */
static uint64_t random_number(unsigned *seed)
{
    uint64_t wide =
        (uint64_t)rand_r(seed) << 33 ^ (uint64_t)rand_r(seed) << 11 ^ (uint64_t)rand_r(seed);
    uint64_t edge = 1ull << (7 * (rand_r(seed) % 9));
    switch (rand_r(seed) % 4) {
    case 0:
        return 0;
    case 1:
        return edge - (uint64_t)(rand_r(seed) % 2);
    default:
        return wide >> (rand_r(seed) % 64);
    }
}

static void fill(ProtobufCMessage *message, unsigned *seed)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        uint64_t number = random_number(seed);
        bool is_wide =
            field->type == PROTOBUF_C_TYPE_FIXED64 || field->type == PROTOBUF_C_TYPE_SFIXED64;
        memcpy((uint8_t *)message + field->offset, &number, is_wide ? 8 : 4);
    }
}

static bool are_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    for (unsigned i = 0; i < a->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &a->descriptor->fields[i];
        bool is_wide =
            field->type == PROTOBUF_C_TYPE_FIXED64 || field->type == PROTOBUF_C_TYPE_SFIXED64;
        if (memcmp((const uint8_t *)a + field->offset, (const uint8_t *)b + field->offset,
                   is_wide ? 8 : 4) != 0)
            return false;
    }
    return true;
}

Test(flat, messages_have_the_bytes_that_protobuf_c_gives_them)
{
    unsigned seed = begin();
    unsigned first_seed = seed;
    uint64_t in_short = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const ProtobufCMessageDescriptor *descriptor = descriptors[rand_r(&seed) % DESCRIPTORS];
        uint64_t memory[32] = {0};
        ProtobufCMessage *message = (void *)memory;
        cr_assert(descriptor->sizeof_message <= sizeof memory);
        descriptor->message_init(message);
        fill(message, &seed);
        uint8_t expected[BODY_BYTES_MAX];
        uint8_t body[BODY_BYTES_MAX];
        size_t expected_bytes = protobuf_c_message_pack(message, expected);
        size_t body_bytes;
        if (!flat_encode(message, body, sizeof body, &body_bytes))
            continue; /* an enum below zero */
        in_short++;
        cr_assert(body_bytes == expected_bytes && memcmp(body, expected, body_bytes) == 0,
                  "HOLDFAST_SEED=%u, round %d: %s", first_seed, round, descriptor->short_name);
    }
    cr_assert(in_short > ROUNDS / 2, "%d of %d", (int)in_short, ROUNDS);
}

/* What is a message is protobuf-c's to say: the short way finds the same in it, or leaves it. */
Test(flat, bytes_mean_what_protobuf_c_finds_in_them)
{
    unsigned seed = begin();
    unsigned first_seed = seed;
    uint64_t in_short = 0;
    uint64_t left = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const ProtobufCMessageDescriptor *descriptor = descriptors[rand_r(&seed) % DESCRIPTORS];
        uint64_t memory[32] = {0};
        ProtobufCMessage *message = (void *)memory;
        descriptor->message_init(message);
        fill(message, &seed);
        uint8_t packed[BODY_BYTES_MAX];
        size_t bytes = protobuf_c_message_pack(message, packed);
        for (int changes = rand_r(&seed) % 3; changes > 0 && bytes > 0; changes--)
            packed[(size_t)rand_r(&seed) % bytes] = (uint8_t)rand_r(&seed);
        if (rand_r(&seed) % 4 == 0)
            bytes = (size_t)rand_r(&seed) % (bytes + 1);
        uint8_t *body = malloc(bytes + 1); /* so that a sanitizer sees what is read behind it */
        memcpy(body, packed, bytes);

        arena.used = 0;
        const ProtobufCMessage *found = flat_decode(&arena, descriptor, body, bytes);
        if (found == NULL) {
            left++;
        } else {
            in_short++;
            ProtobufCMessage *expected = protobuf_c_message_unpack(descriptor, NULL, bytes, body);
            cr_assert(expected != NULL && expected->n_unknown_fields == 0 &&
                          are_equal(found, expected),
                      "HOLDFAST_SEED=%u, round %d: %s", first_seed, round, descriptor->short_name);
            protobuf_c_message_free_unpacked(expected, NULL);
        }
        free(body);
    }
    cr_assert(in_short > ROUNDS / 10 && left > ROUNDS / 10, "%d and %d", (int)in_short, (int)left);
}

Test(flat, what_is_not_flat_is_left_to_protobuf_c)
{
    begin();
    Holdfast__V1__ReserveBatchRequest columns = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    Holdfast__V1__ItemCreateRequest texts = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    Holdfast__V1__ReservationResponse below = HOLDFAST__V1__RESERVATION_RESPONSE__INIT;
    below.state = (Holdfast__V1__ReservationState)-1;
    uint8_t body[BODY_BYTES_MAX];
    size_t bytes;
    cr_expect_not(flat_encode(&columns.base, body, sizeof body, &bytes));
    cr_expect_not(flat_encode(&texts.base, body, sizeof body, &bytes));
    cr_expect_not(flat_encode(&below.base, body, sizeof body, &bytes));
}

/* Its descriptor with the last field made one of a oneof: a choice must be told, even one of 0. */
Test(flat, a_member_of_a_oneof_is_left_to_protobuf_c)
{
    static const uint8_t body[] = {0x09, 1, 0, 0, 0, 0, 0, 0, 0};
    begin();
    ProtobufCFieldDescriptor fields[3];
    ProtobufCMessageDescriptor descriptor = holdfast__v1__get_request__descriptor;
    cr_assert_eq(descriptor.n_fields, 3u);
    memcpy(fields, descriptor.fields, sizeof fields);
    descriptor.fields = fields;
    Holdfast__V1__GetRequest request = HOLDFAST__V1__GET_REQUEST__INIT;
    request.base.descriptor = &descriptor;
    uint8_t written[BODY_BYTES_MAX];
    size_t bytes;
    cr_expect_not_null(flat_decode(&arena, &descriptor, body, sizeof body));
    cr_expect(flat_encode(&request.base, written, sizeof written, &bytes));
    fields[0].flags |= PROTOBUF_C_FIELD_FLAG_ONEOF;
    cr_expect_null(flat_decode(&arena, &descriptor, body, sizeof body));
    cr_expect_not(flat_encode(&request.base, written, sizeof written, &bytes));
}

/* What a server answers to such a body must not hang on which way it goes. */
Test(flat, a_field_that_comes_again_and_again_is_taken_as_often_as_protobuf_c_takes_it)
{
    static _Alignas(16) uint8_t memory[8 * FRAME_BODY_BYTES_MAX]; /* as the server's */
    static uint8_t body[FRAME_BODY_BYTES_MAX];
    const ProtobufCMessageDescriptor *descriptor = &holdfast__v1__reserve_request__descriptor;
    struct message_arena server_arena;
    int taken = 0;
    int refused = 0;
    for (size_t i = 0; i < sizeof body; i += 2) {
        body[i] = 0x28; /* quantity */
        body[i + 1] = 1;
    }
    for (size_t bytes = 2; bytes <= sizeof body; bytes *= 2) {
        message_arena_init(&server_arena, memory, sizeof memory);
        bool is_message =
            protobuf_c_message_unpack(descriptor, &server_arena.allocator, bytes, body) != NULL;
        const Holdfast__V1__ReserveRequest *found =
            (const void *)message_decode(&server_arena, descriptor, body, bytes);
        cr_expect_eq(found != NULL, is_message, "%zu bytes", bytes);
        cr_expect(found == NULL || found->quantity == 1);
        taken += is_message;
        refused += !is_message;
    }
    cr_expect(taken > 0 && refused > 0, "the premise of this test");
}

Test(flat, a_body_longer_than_all_fields_once_is_left_to_protobuf_c)
{
    uint8_t body[4 * 9];
    begin();
    for (size_t i = 0; i < sizeof body; i += 9) {
        memset(body + i, 0, 9);
        body[i] = 0x09; /* the item's id */
        body[i + 1] = (uint8_t)(i / 9);
    }
    const Holdfast__V1__GetRequest *request = (const void *)flat_decode(
        &arena, &holdfast__v1__get_request__descriptor, body, sizeof body - 9);
    cr_assert_not_null(request);
    cr_expect_eq(request->item_id, 2u, "the last of three counts");
    cr_expect_null(flat_decode(&arena, &holdfast__v1__get_request__descriptor, body, sizeof body));
}

Test(flat, without_room_for_the_largest_message_nothing_is_written)
{
    begin();
    Holdfast__V1__GetRequest request = HOLDFAST__V1__GET_REQUEST__INIT;
    request.item_id = 1;
    uint8_t body[3 * 9];
    memset(body, 0x5a, sizeof body);
    size_t bytes;
    cr_expect_not(flat_encode(&request.base, body, sizeof body - 1, &bytes));
    cr_expect_eq(body[0], 0x5a);
    cr_expect(flat_encode(&request.base, body, sizeof body, &bytes));
    cr_expect_eq(bytes, 9);
}
