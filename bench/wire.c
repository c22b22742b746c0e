#include "bench/wire.h"

#include "base/assert.h"
#include "holdfast/v1/result.pb-c.h"

/* The largest row of a request has three columns of 8 bytes of its own (item, id, buyer); the rest
 * are columns of length one. The largest row of a reply, GetBatch's, has three enums of one byte,
 * two fixed32 and six fixed64. Tags, lengths and columns of length one fit into the slack. */
enum { REQUEST_ROW_BYTES = 24, REPLY_ROW_BYTES = 3 + 2 * 4 + 6 * 8, SLACK_BYTES = 256 };

size_t wire_request_bytes_max(uint32_t row_count)
{
    return FRAME_HEADER_BYTES + SLACK_BYTES + (size_t)row_count * REQUEST_ROW_BYTES;
}

size_t wire_reply_bytes_max(uint32_t row_count)
{
    return FRAME_HEADER_BYTES + SLACK_BYTES + (size_t)row_count * REPLY_ROW_BYTES;
}

uint8_t wire_frame_type(enum wire_op op, bool batch)
{
    static const uint8_t types[WIRE_OPS][2] = {
        [WIRE_RESERVE] = {FRAME_RESERVE, FRAME_RESERVE_BATCH},
        [WIRE_CONFIRM] = {FRAME_CONFIRM, FRAME_CONFIRM_BATCH},
        [WIRE_CANCEL] = {FRAME_CANCEL, FRAME_CANCEL_BATCH},
        [WIRE_GET] = {FRAME_GET, FRAME_GET_BATCH},
    };
    return types[op][batch];
}

static size_t finish(const ProtobufCMessage *message, enum wire_op op, bool batch,
                     uint64_t request_id, uint32_t row_count, uint8_t *frame)
{
    size_t bytes = message_encode_frame(message, wire_frame_type(op, batch), request_id, frame,
                                        wire_request_bytes_max(row_count));
    hf_assert(bytes != 0);
    return bytes;
}

static size_t encode_single(const struct wire_request *rq, uint64_t request_id, uint8_t *frame)
{
    hf_assert(rq->row_count == 1);
    if (rq->op == WIRE_RESERVE) {
        Holdfast__V1__ReserveRequest message = HOLDFAST__V1__RESERVE_REQUEST__INIT;
        message.item_id = rq->item_id[0];
        message.reservation_id_high = rq->reservation_id_high;
        message.reservation_id_low = rq->reservation_id_low[0];
        message.buyer_id = rq->buyer_id[0];
        message.quantity = 1;
        message.hold_ms = rq->hold_ms;
        return finish(&message.base, rq->op, false, request_id, 1, frame);
    }
    if (rq->op == WIRE_CONFIRM) {
        Holdfast__V1__ConfirmRequest message = HOLDFAST__V1__CONFIRM_REQUEST__INIT;
        message.item_id = rq->item_id[0];
        message.reservation_id_high = rq->reservation_id_high;
        message.reservation_id_low = rq->reservation_id_low[0];
        return finish(&message.base, rq->op, false, request_id, 1, frame);
    }
    if (rq->op == WIRE_CANCEL) {
        Holdfast__V1__CancelRequest message = HOLDFAST__V1__CANCEL_REQUEST__INIT;
        message.item_id = rq->item_id[0];
        message.reservation_id_high = rq->reservation_id_high;
        message.reservation_id_low = rq->reservation_id_low[0];
        return finish(&message.base, rq->op, false, request_id, 1, frame);
    }
    Holdfast__V1__GetRequest message = HOLDFAST__V1__GET_REQUEST__INIT;
    message.item_id = rq->item_id[0];
    message.reservation_id_high = rq->reservation_id_high;
    message.reservation_id_low = rq->reservation_id_low[0];
    return finish(&message.base, rq->op, false, request_id, 1, frame);
}

/* Every batch names its rows by the same three columns. */
#define SET_COLUMNS(message, rq)                                                                   \
    do {                                                                                           \
        (message).row_count = (rq)->row_count;                                                     \
        (message).n_item_id = (rq)->row_count;                                                     \
        (message).item_id = (rq)->item_id;                                                         \
        (message).n_reservation_id_high = 1;                                                       \
        (message).reservation_id_high = &high;                                                     \
        (message).n_reservation_id_low = (rq)->row_count;                                          \
        (message).reservation_id_low = (rq)->reservation_id_low;                                   \
    } while (0)

static size_t encode_batch(const struct wire_request *rq, uint64_t request_id, uint8_t *frame)
{
    uint64_t high = rq->reservation_id_high;
    if (rq->op == WIRE_RESERVE) {
        uint32_t quantity = 1;
        uint64_t hold_ms = rq->hold_ms;
        Holdfast__V1__ReserveBatchRequest message = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
        SET_COLUMNS(message, rq);
        message.n_buyer_id = rq->row_count;
        message.buyer_id = rq->buyer_id;
        message.n_quantity = 1;
        message.quantity = &quantity;
        message.n_hold_ms = 1;
        message.hold_ms = &hold_ms;
        return finish(&message.base, rq->op, true, request_id, rq->row_count, frame);
    }
    if (rq->op == WIRE_CONFIRM) {
        Holdfast__V1__ConfirmBatchRequest message = HOLDFAST__V1__CONFIRM_BATCH_REQUEST__INIT;
        SET_COLUMNS(message, rq);
        return finish(&message.base, rq->op, true, request_id, rq->row_count, frame);
    }
    if (rq->op == WIRE_CANCEL) {
        Holdfast__V1__CancelBatchRequest message = HOLDFAST__V1__CANCEL_BATCH_REQUEST__INIT;
        SET_COLUMNS(message, rq);
        return finish(&message.base, rq->op, true, request_id, rq->row_count, frame);
    }
    Holdfast__V1__GetBatchRequest message = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
    SET_COLUMNS(message, rq);
    return finish(&message.base, rq->op, true, request_id, rq->row_count, frame);
}

size_t wire_encode(const struct wire_request *request, bool batch, uint64_t request_id,
                   uint8_t *frame)
{
    return batch ? encode_batch(request, request_id, frame)
                 : encode_single(request, request_id, frame);
}

bool wire_batch_fits(const Holdfast__V1__ReservationBatchResponse *r, uint32_t row_count)
{
    const size_t counts[] = {
        r->n_result,
        r->n_state,
        r->n_invalid_field,
        r->n_quantity,
        r->n_quantity_confirmed,
        r->n_sequence,
        r->n_expires_ms,
        r->n_available,
        r->n_buyer_id,
        r->n_user_data,
        r->n_created_ms,
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (!message_column_fits(counts[i], row_count)) {
            return false;
        }
    }
    return r->row_count == row_count;
}

bool wire_decode(struct message_arena *arena, uint8_t type, const uint8_t *body, size_t body_bytes,
                 struct wire_reply *reply_out)
{
    hf_assert(message_descriptor(type) != NULL);
    bool batch = type >= FRAME_REPLY + FRAME_RESERVE_BATCH && type <= FRAME_REPLY + FRAME_GET_BATCH;
    const ProtobufCMessage *message =
        message_decode(arena, message_descriptor(type), body, body_bytes);
    if (message == NULL) {
        return false;
    }
    *reply_out = (struct wire_reply){.row_count = 1};
    if (!batch) {
        reply_out->single = (const Holdfast__V1__ReservationResponse *)message;
        return true;
    }
    reply_out->batch = (const Holdfast__V1__ReservationBatchResponse *)message;
    reply_out->row_count = reply_out->batch->row_count;
    return wire_batch_fits(reply_out->batch, reply_out->row_count);
}

const char *wire_op_name(enum wire_op op)
{
    static const char *const names[WIRE_OPS] = {[WIRE_RESERVE] = "reserve",
                                                [WIRE_CONFIRM] = "confirm",
                                                [WIRE_CANCEL] = "cancel",
                                                [WIRE_GET] = "get"};
    return names[op];
}

const char *wire_result_name(uint32_t result)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&holdfast__v1__result__descriptor, (int)result);
    return value != NULL ? value->name + sizeof "RESULT_" - 1 : "?";
}
