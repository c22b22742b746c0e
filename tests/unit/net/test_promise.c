/* What is promised for a reply covers every reply that a decoder and an encoder can come to. */

#include "net/promise.h"

#include "holdfast/v1/item.pb-c.h"
#include "holdfast/v1/reservation.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "proto/message.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t promise_for(uint8_t type, const uint8_t *body, uint32_t body_bytes)
{
    struct frame_header header = {.type = type, .body_bytes = body_bytes};
    return promise_bytes(&header, body);
}

static uint32_t promise_for_rows(uint8_t type, uint32_t row_count)
{
    Holdfast__V1__GetBatchRequest request = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
    uint8_t body[64];
    request.row_count = row_count;
    uint64_t item_id = 1;
    request.n_item_id = 1; /* the same for all: few bytes say many rows */
    request.item_id = &item_id;
    size_t body_bytes = protobuf_c_message_pack(&request.base, body);
    return promise_for(type, body, (uint32_t)body_bytes);
}

/* Length of the longest reply of so many rows, each column full. */
static size_t longest_batch_reply(uint32_t row_count, bool is_get)
{
    static uint64_t u64[FRAME_ROW_COUNT_MAX];
    static uint32_t u32[FRAME_ROW_COUNT_MAX];
    static int64_t i64[FRAME_ROW_COUNT_MAX];
    static Holdfast__V1__Result results[FRAME_ROW_COUNT_MAX];
    static Holdfast__V1__ReservationState states[FRAME_ROW_COUNT_MAX];
    static Holdfast__V1__Field fields[FRAME_ROW_COUNT_MAX];
    Holdfast__V1__ReservationBatchResponse reply = HOLDFAST__V1__RESERVATION_BATCH_RESPONSE__INIT;
    for (uint32_t i = 0; i < row_count; i++) {
        u64[i] = UINT64_MAX;
        u32[i] = UINT32_MAX;
        i64[i] = -1;
        results[i] = HOLDFAST__V1__RESULT__RESULT_FORBIDDEN;
        states[i] = HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_REFUNDED;
        fields[i] = HOLDFAST__V1__FIELD__FIELD_SKU;
    }
    reply.row_count = row_count;
    reply.n_result = reply.n_state = reply.n_invalid_field = row_count;
    reply.result = results;
    reply.state = states;
    reply.invalid_field = fields;
    reply.n_quantity = reply.n_quantity_confirmed = row_count;
    reply.quantity = reply.quantity_confirmed = u32;
    reply.n_sequence = reply.n_expires_ms = reply.n_available = row_count;
    reply.sequence = reply.expires_ms = u64;
    reply.available = i64;
    if (is_get) {
        reply.n_buyer_id = reply.n_user_data = reply.n_created_ms = row_count;
        reply.buyer_id = reply.user_data = reply.created_ms = u64;
    }
    return FRAME_HEADER_BYTES + protobuf_c_message_get_packed_size(&reply.base);
}

Test(promise, a_batch_of_any_size_has_room_for_its_longest_reply)
{
    for (uint32_t row_count = 1; row_count <= FRAME_ROW_COUNT_MAX; row_count += row_count / 3 + 1) {
        cr_assert_geq(promise_for_rows(FRAME_RESERVE_BATCH, row_count),
                      longest_batch_reply(row_count, false));
        cr_assert_geq(promise_for_rows(FRAME_GET_BATCH, row_count),
                      longest_batch_reply(row_count, true));
    }
    cr_assert_geq(promise_for_rows(FRAME_GET_BATCH, FRAME_ROW_COUNT_MAX),
                  longest_batch_reply(FRAME_ROW_COUNT_MAX, true));
    cr_assert_eq(promise_for_rows(FRAME_GET_BATCH, FRAME_ROW_COUNT_MAX), PROMISE_BYTES_MAX);
}

Test(promise, a_batch_that_will_be_refused_needs_room_for_the_error_only)
{
    cr_assert_eq(promise_for_rows(FRAME_RESERVE_BATCH, FRAME_ROW_COUNT_MAX + 1),
                 PROMISE_SINGLE_BYTES);
    cr_assert_eq(promise_for_rows(FRAME_RESERVE_BATCH, UINT32_MAX), PROMISE_SINGLE_BYTES);
    cr_assert_eq(promise_for(FRAME_RESERVE_BATCH, (const uint8_t *)"", 0), PROMISE_SINGLE_BYTES);
}

Test(promise, the_longest_single_replies_fit)
{
    uint8_t sku[64] = {0};
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    settings.item_id = settings.opens_at_ms = settings.closes_at_ms = UINT64_MAX;
    settings.sku.data = sku;
    settings.sku.len = sizeof sku;
    settings.stock = INT64_MIN;
    settings.buyer_limit = settings.hold_cap = UINT32_MAX;
    settings.hold_ms = UINT64_MAX;
    settings.paused = true;
    Holdfast__V1__Item item = HOLDFAST__V1__ITEM__INIT;
    item.settings = &settings;
    item.available = INT64_MIN;
    item.held = item.sold = item.next_sequence = item.created_ms = UINT64_MAX;
    Holdfast__V1__ItemResponse reply = HOLDFAST__V1__ITEM_RESPONSE__INIT;
    reply.result = HOLDFAST__V1__RESULT__RESULT_FORBIDDEN;
    reply.invalid_field = HOLDFAST__V1__FIELD__FIELD_SKU;
    reply.item = &item;
    cr_assert_leq(FRAME_HEADER_BYTES + protobuf_c_message_get_packed_size(&reply.base),
                  promise_for(FRAME_ITEM_GET, NULL, 0));

    Holdfast__V1__StatResponse stat = HOLDFAST__V1__STAT_RESPONSE__INIT;
    const ProtobufCMessageDescriptor *descriptor = stat.base.descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        bool is_long = descriptor->fields[i].type == PROTOBUF_C_TYPE_UINT64 ||
                       descriptor->fields[i].type == PROTOBUF_C_TYPE_FIXED64;
        memset((uint8_t *)&stat + descriptor->fields[i].offset, 0xff, is_long ? 8 : 4);
    }
    cr_assert_leq(FRAME_HEADER_BYTES + protobuf_c_message_get_packed_size(&stat.base),
                  promise_for(FRAME_STAT, NULL, 0));
}

/* protobuf says that the last of several values holds. */
Test(promise, the_largest_of_several_row_counts_is_promised)
{
    const uint8_t large_last[] = {0x08, 0x02, 0x08, 0x80, 0x40};
    const uint8_t large_first[] = {0x08, 0x80, 0x40, 0x08, 0x02};
    cr_assert_eq(promise_for(FRAME_GET_BATCH, large_last, sizeof large_last), PROMISE_BYTES_MAX);
    cr_assert_eq(promise_for(FRAME_GET_BATCH, large_first, sizeof large_first), PROMISE_BYTES_MAX);
}

/* Random bodies, half of them damaged ones of a real message: whenever the decoder takes one, with
 * a legal row count, its reply has room. */
Test(promise, whatever_the_decoder_takes_has_room_for_its_reply)
{
    static _Alignas(16) uint8_t memory[1 << 16];
    struct message_arena arena;
    unsigned seed = (unsigned)getpid();
    unsigned taken_count = 0;
    message_arena_init(&arena, memory, sizeof memory);
    srandom(seed);
    for (int round = 0; round < 300000; round++) {
        uint8_t body[64];
        uint32_t body_bytes = (uint32_t)random() % sizeof body;
        for (uint32_t i = 0; i < body_bytes; i++)
            body[i] = (uint8_t)(random() >> 7 & (random() & 1 ? 0x8f : 0xff));
        if (round % 2 == 0) {
            Holdfast__V1__GetBatchRequest request = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
            uint64_t ids[2] = {(uint64_t)random(), (uint64_t)random()};
            request.row_count = (uint32_t)random() % 20000;
            request.n_item_id = (size_t)random() % 3;
            request.item_id = ids;
            body_bytes = (uint32_t)protobuf_c_message_pack(&request.base, body);
            if (body_bytes > 0)
                body[(uint32_t)random() % body_bytes] ^= (uint8_t)(1 << random() % 8);
        }
        const Holdfast__V1__GetBatchRequest *decoded = (const void *)message_decode(
            &arena, message_descriptor(FRAME_GET_BATCH), body, body_bytes);
        if (decoded == NULL || decoded->row_count > FRAME_ROW_COUNT_MAX)
            continue;
        taken_count++;
        cr_assert_geq(promise_for(FRAME_GET_BATCH, body, body_bytes),
                      PROMISE_SINGLE_BYTES + decoded->row_count * PROMISE_ROW_BYTES_GET,
                      "seed %u, round %d", seed, round);
    }
    cr_assert_gt(taken_count, 1000);
}
