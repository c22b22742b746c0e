#ifndef HF_BENCH_WIRE_H
#define HF_BENCH_WIRE_H
/* Rows to frames and frames to rows: one way to ask and one to read the answer, whether the frame
 * is of the single or of the batch form. */

#include "holdfast/v1/reservation.pb-c.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wire_op { WIRE_RESERVE, WIRE_CONFIRM, WIRE_CANCEL, WIRE_GET, WIRE_OPS };

/* Results are below this; a larger one from a newer server counts as 0, unspecified. */
enum { WIRE_RESULTS = 32 };

/* Columns stay the caller's. All rows are of one run, hence one high half of the ids. */
struct wire_request {
    enum wire_op op;
    uint32_t row_count;
    uint64_t reservation_id_high;
    uint64_t hold_ms;
    uint64_t *item_id;
    uint64_t *reservation_id_low;
    uint64_t *buyer_id; /* reserve only */
};

/* A decoded reply, valid as long as the arena it was decoded into. */
struct wire_reply {
    uint32_t row_count;
    const Holdfast__V1__ReservationResponse *single;
    const Holdfast__V1__ReservationBatchResponse *batch;
};

struct wire_row_reply {
    uint32_t result; /* Holdfast__V1__Result, below WIRE_RESULTS */
    uint32_t state;  /* Holdfast__V1__ReservationState */
    uint32_t quantity;
    uint32_t quantity_confirmed;
    uint64_t sequence;
    uint64_t expires_ms;
    uint64_t buyer_id;
};

/* Room for any request, or any reply, of so many rows. */
size_t wire_request_bytes_max(uint32_t row_count);
size_t wire_reply_bytes_max(uint32_t row_count);

/* The type of the frame that asks; one row goes out in the single form unless `batch`. */
uint8_t wire_frame_type(enum wire_op op, bool batch);

/* Encodes a frame; `frame` has room for wire_request_bytes_max(). Returns its length. */
size_t wire_encode(const struct wire_request *request, bool batch, uint64_t request_id,
                   uint8_t *frame);

/* Decodes the body of a reply of this type. False when it is no such reply. */
bool wire_decode(struct message_arena *arena, uint8_t type, const uint8_t *body, size_t body_bytes,
                 struct wire_reply *reply_out);

/* Has the batch so many rows, and columns that fit? wire_decode() has checked that already. */
bool wire_batch_fits(const Holdfast__V1__ReservationBatchResponse *batch, uint32_t row_count);

/* "reserve". */
const char *wire_op_name(enum wire_op op);

/* "SOLD_OUT"; "?" for a number that is no result. */
const char *wire_result_name(uint32_t result);

/* A row's result alone, as wire_reply_row() has it too. */
static inline uint32_t wire_reply_result(const struct wire_reply *reply, uint32_t row)
{
    uint32_t result = reply->single != NULL
                          ? (uint32_t)reply->single->result
                          : message_column_u32((const uint32_t *)reply->batch->result,
                                               reply->batch->n_result, row);
    return result < WIRE_RESULTS ? result : 0;
}

static inline struct wire_row_reply wire_reply_row(const struct wire_reply *reply, uint32_t row)
{
    struct wire_row_reply out;
    if (reply->single != NULL) {
        const Holdfast__V1__ReservationResponse *r = reply->single;
        out = (struct wire_row_reply){
            .state = (uint32_t)r->state,
            .quantity = r->quantity,
            .quantity_confirmed = r->quantity_confirmed,
            .sequence = r->sequence,
            .expires_ms = r->expires_ms,
            .buyer_id = r->buyer_id,
        };
    } else {
        const Holdfast__V1__ReservationBatchResponse *r = reply->batch;
        out = (struct wire_row_reply){
            .state = message_column_u32((const uint32_t *)r->state, r->n_state, row),
            .quantity = message_column_u32(r->quantity, r->n_quantity, row),
            .quantity_confirmed =
                message_column_u32(r->quantity_confirmed, r->n_quantity_confirmed, row),
            .sequence = message_column_u64(r->sequence, r->n_sequence, row),
            .expires_ms = message_column_u64(r->expires_ms, r->n_expires_ms, row),
            .buyer_id = message_column_u64(r->buyer_id, r->n_buyer_id, row),
        };
    }
    out.result = wire_reply_result(reply, row);
    return out;
}

#endif
