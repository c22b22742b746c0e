/* Both forms of a request are columns here: a single one is a batch whose columns all have one
 * element. A reply's values are put into columns first, because what is the same for all rows is
 * sent once. */
#include "core/columns.h"

#include "base/assert.h"

enum {
    /* An upper bound of a reply: a header, a count, and per column a tag, a length and the values.
     */
    REPLY_FIXED_BYTES = FRAME_HEADER_BYTES + 12 * 8,
    REPLY_ROW_BYTES = 3 + 2 * 4 + 3 * 8,
    REPLY_ROW_BYTES_GET = REPLY_ROW_BYTES + 3 * 8,
};

/* ---- requests ---- */

#define ONE(message, field)                                                                        \
    {                                                                                              \
        &(message)->field, 1                                                                       \
    }
#define ALL(message, field)                                                                        \
    {                                                                                              \
        (message)->field, (message)->n_##field                                                     \
    }
#define RESERVATION(column, message)                                                               \
    .item_id = column(message, item_id), .id_high = column(message, reservation_id_high),          \
    .id_low = column(message, reservation_id_low)

static void columns_of_message(uint8_t frame_type, const void *message,
                               struct request_columns *columns_out)
{
    switch (frame_type) {
    case FRAME_RESERVE: {
        const Holdfast__V1__ReserveRequest *m = message;
        *columns_out = (struct request_columns){
            .op = STOCK_OP_RESERVE,
            .row_count = 1,
            RESERVATION(ONE, m),
            .buyer_id = ONE(m, buyer_id),
            .hold_ms = ONE(m, hold_ms),
            .user_data = ONE(m, user_data),
            .quantity = ONE(m, quantity),
        };
        return;
    }
    case FRAME_CONFIRM: {
        const Holdfast__V1__ConfirmRequest *m = message;
        *columns_out = (struct request_columns){.op = STOCK_OP_CONFIRM,
                                                .row_count = 1,
                                                RESERVATION(ONE, m),
                                                .quantity = ONE(m, quantity)};
        return;
    }
    case FRAME_CANCEL: {
        const Holdfast__V1__CancelRequest *m = message;
        *columns_out =
            (struct request_columns){.op = STOCK_OP_CANCEL, .row_count = 1, RESERVATION(ONE, m)};
        return;
    }
    case FRAME_EXTEND: {
        const Holdfast__V1__ExtendRequest *m = message;
        *columns_out = (struct request_columns){.op = STOCK_OP_EXTEND,
                                                .row_count = 1,
                                                RESERVATION(ONE, m),
                                                .expires_ms = ONE(m, expires_ms)};
        return;
    }
    case FRAME_GET: {
        const Holdfast__V1__GetRequest *m = message;
        *columns_out =
            (struct request_columns){.op = STOCK_OP_GET, .row_count = 1, RESERVATION(ONE, m)};
        return;
    }
    case FRAME_RESERVE_BATCH: {
        const Holdfast__V1__ReserveBatchRequest *m = message;
        *columns_out = (struct request_columns){
            .op = STOCK_OP_RESERVE,
            .row_count = m->row_count,
            RESERVATION(ALL, m),
            .buyer_id = ALL(m, buyer_id),
            .hold_ms = ALL(m, hold_ms),
            .user_data = ALL(m, user_data),
            .quantity = ALL(m, quantity),
        };
        return;
    }
    case FRAME_CONFIRM_BATCH: {
        const Holdfast__V1__ConfirmBatchRequest *m = message;
        *columns_out = (struct request_columns){.op = STOCK_OP_CONFIRM,
                                                .row_count = m->row_count,
                                                RESERVATION(ALL, m),
                                                .quantity = ALL(m, quantity)};
        return;
    }
    case FRAME_CANCEL_BATCH: {
        const Holdfast__V1__CancelBatchRequest *m = message;
        *columns_out = (struct request_columns){
            .op = STOCK_OP_CANCEL, .row_count = m->row_count, RESERVATION(ALL, m)};
        return;
    }
    case FRAME_EXTEND_BATCH: {
        const Holdfast__V1__ExtendBatchRequest *m = message;
        *columns_out = (struct request_columns){.op = STOCK_OP_EXTEND,
                                                .row_count = m->row_count,
                                                RESERVATION(ALL, m),
                                                .expires_ms = ALL(m, expires_ms)};
        return;
    }
    default: {
        hf_assert(frame_type == FRAME_GET_BATCH);
        const Holdfast__V1__GetBatchRequest *m = message;
        *columns_out = (struct request_columns){
            .op = STOCK_OP_GET, .row_count = m->row_count, RESERVATION(ALL, m)};
    }
    }
}

static bool columns_fit(const struct request_columns *columns)
{
    const struct column_u64 *const all[] = {
        &columns->item_id, &columns->id_high,   &columns->id_low,     &columns->buyer_id,
        &columns->hold_ms, &columns->user_data, &columns->expires_ms,
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!message_column_fits(all[i]->count, columns->row_count))
            return false;
    return message_column_fits(columns->quantity.count, columns->row_count);
}

enum columns_status columns_decode(struct message_arena *arena, uint8_t frame_type,
                                   const uint8_t *body, uint32_t body_bytes, uint32_t row_count_max,
                                   struct request_columns *columns_out)
{
    const ProtobufCMessage *message =
        message_decode(arena, message_descriptor(frame_type), body, body_bytes);
    if (message == NULL)
        return COLUMNS_BAD_BODY;
    columns_of_message(frame_type, message, columns_out);
    if (frame_type < FRAME_RESERVE_BATCH)
        return COLUMNS_OK; /* one row, and each column one long or none */
    if (columns_out->row_count > row_count_max)
        return COLUMNS_TOO_MANY_ROWS;
    if (columns_out->row_count == 0 || !columns_fit(columns_out))
        return COLUMNS_BAD_LENGTH;
    return COLUMNS_OK;
}

static inline uint64_t at_u64(const struct column_u64 *column, uint32_t row)
{
    return message_column_u64(column->values, column->count, row);
}

void columns_to_rows(const struct request_columns *columns, union job_row *rows)
{
    for (uint32_t i = 0; i < columns->row_count; i++) {
        struct stock_request *request = &rows[i].request;
        request->reservation_id.high = at_u64(&columns->id_high, i);
        request->reservation_id.low = at_u64(&columns->id_low, i);
        request->item_id = at_u64(&columns->item_id, i);
        request->buyer_id = at_u64(&columns->buyer_id, i);
        request->user_data = at_u64(&columns->user_data, i);
        request->expires_ms = at_u64(&columns->expires_ms, i);
        request->hold_ms = at_u64(&columns->hold_ms, i);
        request->quantity =
            message_column_u32(columns->quantity.values, columns->quantity.count, i);
        request->op = columns->op;
    }
}

/* ---- replies ---- */

static bool is_get(const struct job *job)
{
    return job->frame_type == FRAME_GET || job->frame_type == FRAME_GET_BATCH;
}

static size_t encode_single(const struct job *job, const struct stock_reply *reply, uint8_t *frame,
                            uint32_t frame_bytes_max)
{
    Holdfast__V1__ReservationResponse response = HOLDFAST__V1__RESERVATION_RESPONSE__INIT;
    response.result = (Holdfast__V1__Result)reply->code;
    response.state = (Holdfast__V1__ReservationState)reply->state;
    response.invalid_field = (Holdfast__V1__Field)reply->invalid_field;
    response.quantity = reply->quantity;
    response.quantity_confirmed = reply->quantity_confirmed;
    response.sequence = reply->sequence;
    response.expires_ms = reply->expires_ms;
    response.available = reply->available;
    if (is_get(job)) {
        response.buyer_id = reply->buyer_id;
        response.user_data = reply->user_data;
        response.created_ms = reply->created_ms;
    }
    return message_encode_frame(&response.base, job->frame_type + FRAME_REPLY, job->request_id,
                                frame, frame_bytes_max);
}

static size_t encode_batch(struct reply_columns *c, const struct job *job,
                           const union job_row *rows, uint8_t *frame, uint32_t frame_bytes_max)
{
    uint32_t row_count = job->row_count;
    Holdfast__V1__ReservationBatchResponse response =
        HOLDFAST__V1__RESERVATION_BATCH_RESPONSE__INIT;

    for (uint32_t i = 0; i < row_count; i++) {
        const struct stock_reply *reply = &rows[i].reply;
        c->result[i] = (Holdfast__V1__Result)reply->code;
        c->state[i] = (Holdfast__V1__ReservationState)reply->state;
        c->invalid_field[i] = (Holdfast__V1__Field)reply->invalid_field;
        c->quantity[i] = reply->quantity;
        c->quantity_confirmed[i] = reply->quantity_confirmed;
        c->sequence[i] = reply->sequence;
        c->expires_ms[i] = reply->expires_ms;
        c->available[i] = reply->available;
    }
#define COLUMN_U32(name)                                                                           \
    response.name = c->name;                                                                       \
    response.n_##name = columns_length_u32((const uint32_t *)(const void *)c->name, row_count)
#define COLUMN_U64(name)                                                                           \
    response.name = c->name;                                                                       \
    response.n_##name = columns_length_u64((const uint64_t *)(const void *)c->name, row_count)
    response.row_count = row_count;
    COLUMN_U32(result);
    COLUMN_U32(state);
    COLUMN_U32(invalid_field);
    COLUMN_U32(quantity);
    COLUMN_U32(quantity_confirmed);
    COLUMN_U64(sequence);
    COLUMN_U64(expires_ms);
    COLUMN_U64(available);
    if (is_get(job)) {
        for (uint32_t i = 0; i < row_count; i++) {
            c->buyer_id[i] = rows[i].reply.buyer_id;
            c->user_data[i] = rows[i].reply.user_data;
            c->created_ms[i] = rows[i].reply.created_ms;
        }
        COLUMN_U64(buyer_id);
        COLUMN_U64(user_data);
        COLUMN_U64(created_ms);
    }
#undef COLUMN_U32
#undef COLUMN_U64
    return message_encode_frame(&response.base, job->frame_type + FRAME_REPLY, job->request_id,
                                frame, frame_bytes_max);
}

uint32_t columns_reply_bytes_max(const struct job *job)
{
    uint32_t row_bytes = is_get(job) ? REPLY_ROW_BYTES_GET : REPLY_ROW_BYTES;
    return REPLY_FIXED_BYTES + job->row_count * row_bytes;
}

uint32_t columns_encode_reply(struct reply_columns *scratch, const struct job *job,
                              const union job_row *rows, uint8_t *frame)
{
    uint32_t frame_bytes_max = columns_reply_bytes_max(job);
    size_t frame_bytes = job->frame_type >= FRAME_RESERVE_BATCH
                             ? encode_batch(scratch, job, rows, frame, frame_bytes_max)
                             : encode_single(job, &rows[0].reply, frame, frame_bytes_max);
    hf_assert(frame_bytes > 0);
    return (uint32_t)frame_bytes;
}
