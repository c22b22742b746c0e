#include "frame_repair.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "proto/frame.h"

enum {
    LEAVE_MAGIC = 1 << 0,
    LEAVE_VERSION = 1 << 1,
    LEAVE_TYPE = 1 << 2,
    LEAVE_LENGTH = 1 << 3,
    LEAVE_CHECKSUM = 1 << 4,
};

static const uint8_t request_types[] = {
#define NUMBER(name, number, message) number,
    FRAME_TYPES(NUMBER)
#undef NUMBER
};

/* What is legal stays as it is. */
static uint8_t legal_type(uint8_t wish, bool is_request)
{
    uint8_t wished_request = is_request ? wish : (uint8_t)(wish - FRAME_REPLY);
    if (!is_request && wish >= FRAME_ERROR)
        return wish;
    if (memchr(request_types, wished_request, sizeof request_types) != NULL)
        return wish;
    uint8_t type = request_types[wish % sizeof request_types];
    return is_request ? type : (uint8_t)(type + FRAME_REPLY);
}

size_t frame_repair(uint8_t *frame, size_t left, bool is_request)
{
    uint8_t leave = frame[0];
    size_t body_room = left - FRAME_HEADER_BYTES;
    if (!(leave & LEAVE_MAGIC))
        bytes_put_u32(frame + 8, FRAME_MAGIC);
    if (!(leave & LEAVE_VERSION))
        frame[12] = FRAME_VERSION;
    if (!(leave & LEAVE_TYPE)) {
        frame[13] = legal_type(frame[13], is_request);
        bytes_put_u16(frame + 14, 0);
        bytes_put_u32(frame + 20, 0);
    }
    if (!(leave & LEAVE_LENGTH))
        bytes_put_u32(frame + 16, (uint32_t)(bytes_get_u32(frame + 16) % (body_room + 1)));
    uint32_t body_bytes = bytes_get_u32(frame + 16);
    size_t frame_bytes = body_bytes <= body_room ? FRAME_HEADER_BYTES + body_bytes : left;
    if (!(leave & LEAVE_CHECKSUM))
        bytes_put_u64(frame, checksum64(frame + 8, frame_bytes - 8, 0));
    return frame_bytes;
}

void frame_repair_all(uint8_t *bytes, size_t length, bool is_request)
{
    size_t at = 0;
    while (length - at >= FRAME_HEADER_BYTES)
        at += frame_repair(bytes + at, length - at, is_request);
}
