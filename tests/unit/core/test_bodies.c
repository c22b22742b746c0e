/* Whatever bytes a client puts into a frame, the server lives and answers it, once. Bodies are made
 * field by field from the messages' own descriptors, right and wrong in every combination: fields
 * twice, sub-messages twice, columns of odd lengths, values at the ends of their ranges. */
#include "core_play.h"

#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BODY_BYTES_MAX = 4096, FRAME_COUNT = 6000, IN_FLIGHT = 16 };

static struct play play;
static struct play_client client;
static struct test_random choices;

static void tear_down(void)
{
    play_disconnect(&client);
    play_end(&play);
}

TestSuite(bodies, .fini = tear_down, .timeout = 120);

struct body {
    uint8_t bytes[BODY_BYTES_MAX];
    size_t used;
};

static uint32_t below(size_t end)
{
    return test_random_below(&choices, (uint32_t)end);
}

static uint64_t some_value(void)
{
    static const uint64_t edges[] = {0,          1,         2,         3,         4,
                                     8192,       8193,      1 << 20,   INT32_MAX, UINT32_MAX,
                                     1ull << 48, INT64_MAX, UINT64_MAX};
    return edges[below(sizeof edges / sizeof *edges)];
}

static void put(struct body *body, const void *bytes, size_t count)
{
    if (body->used + count > BODY_BYTES_MAX)
        return;
    memcpy(body->bytes + body->used, bytes, count);
    body->used += count;
}

static void put_varint(struct body *body, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    do {
        bytes[count++] = (uint8_t)(value | 0x80);
        value >>= 7;
    } while (value != 0);
    bytes[count - 1] &= 0x7f;
    put(body, bytes, count);
}

static uint32_t wire_type_of(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return 1;
    case PROTOBUF_C_TYPE_FIXED32:
        return 5;
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 2;
    default:
        return 0;
    }
}

static void put_scalar(struct body *body, uint32_t wire_type)
{
    uint64_t value = some_value();
    if (wire_type == 0)
        put_varint(body, value);
    else
        put(body, &value, wire_type == 1 ? 8 : 4);
}

static void put_message(struct body *body, const ProtobufCMessageDescriptor *descriptor);

static void put_inside(struct body *body, const ProtobufCFieldDescriptor *field)
{
    static struct body inner[2]; /* messages are one level deep */
    static int depth;
    struct body *to = &inner[depth++ & 1];
    to->used = 0;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        put_message(to, field->descriptor);
    else if (field->type == PROTOBUF_C_TYPE_BYTES)
        to->used = below(4) == 0 ? below(200) : 8;
    else
        for (uint64_t count = below(5); count > 0; count--)
            put_scalar(to, wire_type_of(field));
    depth--;
    put_varint(body, to->used);
    put(body, to->bytes, to->used);
}

static void put_message(struct body *body, const ProtobufCMessageDescriptor *descriptor)
{
    for (uint64_t count = below(2 * descriptor->n_fields + 2); count > 0; count--) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[below(descriptor->n_fields)];
        bool is_packed = field->label == PROTOBUF_C_LABEL_REPEATED && below(4) != 0;
        uint32_t wire_type = is_packed ? 2 : wire_type_of(field);
        if (below(40) == 0)
            wire_type = (uint32_t)below(8);
        put_varint(body, (field->id + (below(40) == 0 ? 20 : 0)) << 3 | wire_type);
        if (wire_type == 2)
            put_inside(body, field);
        else
            put_scalar(body, wire_type);
    }
    if (body->used > 0 && below(20) == 0)
        body->used = below(body->used);
}

static uint8_t some_type(void)
{
    static const uint8_t types[] = {
        FRAME_PING,         FRAME_RESERVE,      FRAME_CONFIRM,       FRAME_CANCEL,
        FRAME_EXTEND,       FRAME_GET,          FRAME_RESERVE_BATCH, FRAME_CONFIRM_BATCH,
        FRAME_CANCEL_BATCH, FRAME_EXTEND_BATCH, FRAME_GET_BATCH,     FRAME_ITEM_CREATE,
        FRAME_ITEM_UPDATE,  FRAME_ITEM_GET,     FRAME_ITEM_LIST,     FRAME_STAT,
    };
    return types[below(sizeof types)];
}

static void send_some_frame(uint64_t request_id)
{
    static struct body body;
    static uint8_t frame[FRAME_HEADER_BYTES + BODY_BYTES_MAX];
    uint8_t type = some_type();
    body.used = 0;
    put_message(&body, message_descriptor(type));
    memcpy(frame + FRAME_HEADER_BYTES, body.bytes, body.used);
    frame_finish(frame, type, request_id, (uint32_t)body.used);
    size_t bytes = FRAME_HEADER_BYTES + body.used;
    cr_assert_eq(send(client.fd, frame, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
}

Test(bodies, every_frame_is_answered_once_whatever_is_in_it)
{
    static bool is_answered[FRAME_COUNT + 1];
    uint64_t sent_count = 0;
    uint64_t answered_count = 0;
    uint64_t error_count = 0;
    uint64_t seed = (uint64_t)time(NULL);
    fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    test_random_init(&choices, seed);
    struct server_options options = play_options(2);
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    for (uint64_t item_id = 1; item_id <= 4; item_id++)
        play_create(&play, &client, item_id, 100000);

    for (uint64_t turn = 0; answered_count < FRAME_COUNT; turn++) {
        cr_assert_lt(turn, 100 * PLAY_TURNS_MAX);
        while (sent_count < FRAME_COUNT && sent_count - answered_count < IN_FLIGHT)
            send_some_frame(++sent_count);
        play_turn_all(&play);
        while (play_poll(&client) != NULL) {
            cr_assert(client.request_id >= 1 && client.request_id <= sent_count);
            cr_assert_not(is_answered[client.request_id]);
            is_answered[client.request_id] = true;
            answered_count++;
            error_count += client.type == FRAME_ERROR;
        }
    }
    /* Both ways were gone. */
    cr_expect_gt(error_count, FRAME_COUNT / 20);
    cr_expect_lt(error_count, FRAME_COUNT * 19 / 20);
    for (uint32_t i = 0; i < 2; i++)
        stock_assert_valid(play_core(&play, i)->stock);
}
