/* A batch says its row count in field 1 and may make every other column one element long, so the
 * length of its body bounds nothing. The body is therefore walked, top-level fields only, as
 * protobuf lays them out (https://protobuf.dev/programming-guides/encoding): a tag, then a value
 * whose length its wire type tells. Usually that is one step per column.
 *
 * This is no decoder: what it can't follow it takes for the largest batch. The decoder that comes
 * later may refuse such a body, and then the promise was merely too large; it was never too small.
 */
#include "net/promise.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
    TAG_BYTES_MAX = 5,
    VARINT_BYTES_MAX = 10,
    ROW_COUNT_FIELD = 1,
};

struct walk {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take_varint(struct walk *walk, uint32_t bytes_max, uint64_t *value_out)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes_max && walk->at < walk->end; i++) {
        uint8_t byte = *walk->at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value_out = value;
            return true;
        }
    }
    return false;
}

static bool skip_bytes(struct walk *walk, uint64_t bytes)
{
    if (bytes > (size_t)(walk->end - walk->at))
        return false;
    walk->at += bytes;
    return true;
}

static bool skip_value(struct walk *walk, uint32_t wire_type)
{
    uint64_t bytes;
    switch (wire_type) {
    case WIRE_VARINT:
        return take_varint(walk, VARINT_BYTES_MAX, &bytes);
    case WIRE_FIXED64:
        return skip_bytes(walk, 8);
    case WIRE_BYTES:
        return take_varint(walk, VARINT_BYTES_MAX, &bytes) && skip_bytes(walk, bytes);
    case WIRE_FIXED32:
        return skip_bytes(walk, 4);
    default:
        return false;
    }
}

/* The largest legal row count that any field 1 of the body says. */
static uint32_t row_count_max(const uint8_t *body, uint32_t body_bytes)
{
    struct walk walk = {body, body + body_bytes};
    uint32_t row_count = 0;
    while (walk.at < walk.end) {
        uint64_t tag;
        if (!take_varint(&walk, TAG_BYTES_MAX, &tag))
            return FRAME_ROW_COUNT_MAX;
        if (tag != (ROW_COUNT_FIELD << 3 | WIRE_VARINT)) {
            if (!skip_value(&walk, tag & 7))
                return FRAME_ROW_COUNT_MAX;
            continue;
        }
        uint64_t value;
        if (!take_varint(&walk, VARINT_BYTES_MAX, &value))
            return FRAME_ROW_COUNT_MAX;
        uint32_t said = (uint32_t)value; /* as a decoder cuts it */
        if (said <= FRAME_ROW_COUNT_MAX && said > row_count)
            row_count = said; /* over the maximum the answer is an Error */
    }
    return row_count;
}

uint32_t promise_bytes(const struct frame_header *header, const uint8_t *body)
{
    switch (header->type) {
    case FRAME_RESERVE_BATCH:
    case FRAME_CONFIRM_BATCH:
    case FRAME_CANCEL_BATCH:
    case FRAME_EXTEND_BATCH:
        return PROMISE_SINGLE_BYTES + row_count_max(body, header->body_bytes) * PROMISE_ROW_BYTES;
    case FRAME_GET_BATCH:
        return PROMISE_SINGLE_BYTES +
               row_count_max(body, header->body_bytes) * PROMISE_ROW_BYTES_GET;
    case FRAME_ITEM_LIST:
    case FRAME_SNAPSHOT_READ:
        return PROMISE_LIST_BYTES;
    default:
        return PROMISE_SINGLE_BYTES;
    }
}
