#ifndef HF_CORE_COLUMNS_H
#define HF_CORE_COLUMNS_H
/* Rows on the wire: from a frame's columns to rows, and from replies to the columns of a frame. */

#include "core/job.h"
#include "holdfast/v1/reservation.pb-c.h"
#include "proto/frame.h"
#include "proto/message.h"

#include <stddef.h>
#include <stdint.h>

/* ---- requests ---- */

struct column_u64 {
    const uint64_t *values;
    size_t count;
};

struct column_u32 {
    const uint32_t *values;
    size_t count;
};

/* What any of the requests can hold, in either form. Points into the decoded message. */
struct request_columns {
    uint32_t row_count;
    struct column_u64 item_id;
    struct column_u64 id_high;
    struct column_u64 id_low;
    struct column_u64 buyer_id;
    struct column_u64 hold_ms;
    struct column_u64 user_data;
    struct column_u64 expires_ms;
    struct column_u32 quantity;
    uint8_t op;
};

enum columns_status {
    COLUMNS_OK,
    COLUMNS_BAD_BODY, /* not the message that the frame's type says */
    COLUMNS_TOO_MANY_ROWS,
    COLUMNS_BAD_LENGTH, /* no rows, or a column that is neither row_count, one nor none long */
};

/* Decodes the body of a frame of rows, FRAME_RESERVE to FRAME_GET_BATCH. `columns_out` is set with
 * COLUMNS_OK, and valid until the arena's next message. */
enum columns_status columns_decode(struct message_arena *arena, uint8_t frame_type,
                                   const uint8_t *body, uint32_t body_bytes, uint32_t row_count_max,
                                   struct request_columns *columns_out);

/* Writes `row_count` requests to `rows`. */
void columns_to_rows(const struct request_columns *columns, union job_row *rows);

/* ---- replies ---- */

/* Scratch of one core for the columns of a reply before it is encoded. */
struct reply_columns {
    Holdfast__V1__Result result[FRAME_ROW_COUNT_MAX];
    Holdfast__V1__ReservationState state[FRAME_ROW_COUNT_MAX];
    Holdfast__V1__Field invalid_field[FRAME_ROW_COUNT_MAX];
    uint32_t quantity[FRAME_ROW_COUNT_MAX];
    uint32_t quantity_confirmed[FRAME_ROW_COUNT_MAX];
    uint64_t sequence[FRAME_ROW_COUNT_MAX];
    uint64_t expires_ms[FRAME_ROW_COUNT_MAX];
    int64_t available[FRAME_ROW_COUNT_MAX];
    uint64_t buyer_id[FRAME_ROW_COUNT_MAX];
    uint64_t user_data[FRAME_ROW_COUNT_MAX];
    uint64_t created_ms[FRAME_ROW_COUNT_MAX];
};

/* How long the column has to be on the wire: none when all values are zero, one when all are the
 * same. `row_count` is at least 1. */
static inline size_t columns_length_u64(const uint64_t *values, uint32_t row_count)
{
    for (uint32_t i = 1; i < row_count; i++)
        if (values[i] != values[0])
            return row_count;
    return values[0] != 0;
}

static inline size_t columns_length_u32(const uint32_t *values, uint32_t row_count)
{
    for (uint32_t i = 1; i < row_count; i++)
        if (values[i] != values[0])
            return row_count;
    return values[0] != 0;
}

/* How long the frame of this job's reply can get. */
uint32_t columns_reply_bytes_max(const struct job *job);

/* Writes the frame that answers the job, whose replies stand in `rows`, and returns its length.
 * `frame` has room for columns_reply_bytes_max(). */
uint32_t columns_encode_reply(struct reply_columns *scratch, const struct job *job,
                              const union job_row *rows, uint8_t *frame);

#endif
