#ifndef HF_NET_PROMISE_H
#define HF_NET_PROMISE_H
/* How long a reply can get, told from the request alone: room for it is kept from the moment the
 * request is handed out, because a reply comes later, when the disk is done, and must not fail. */

#include "proto/frame.h"

#include <stdint.h>

enum {
    PROMISE_SINGLE_BYTES = 1024,
    PROMISE_LIST_BYTES = 1 << 17,
    /* Of ReservationBatchResponse: three enums of a byte, two fixed32, three fixed64. */
    PROMISE_ROW_BYTES = 3 + 2 * 4 + 3 * 8,
    PROMISE_ROW_BYTES_GET = PROMISE_ROW_BYTES + 3 * 8,
    PROMISE_BYTES_MAX = PROMISE_SINGLE_BYTES + FRAME_ROW_COUNT_MAX * PROMISE_ROW_BYTES_GET,
};

/* An upper bound of every legal reply to this verified request, its frame header included. */
uint32_t promise_bytes(const struct frame_header *header, const uint8_t *body);

#endif
