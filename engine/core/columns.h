#ifndef HF_CORE_COLUMNS_H
#define HF_CORE_COLUMNS_H
/* Scratch of one core for the columns of a frame: where its rows go, and its reply before it is
 * encoded. */

#include "holdfast/v1/reservation.pb-c.h"
#include "proto/frame.h"

#include <stddef.h>
#include <stdint.h>

struct reply_columns {
    uint8_t routes[FRAME_ROW_COUNT_MAX];
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

#endif
