#include "proto/frame.h"

#define XXH_INLINE_ALL
#include <assert.h>
#include <endian.h>
#include <string.h>
#include <xxhash.h>

/* A frame is judged from the outside in, and each step trusts only what the steps before it have
 * proved: first that this is our protocol (magic, version), then that the type and the length are
 * ones we take, and only when the whole frame is there its checksum. So a peer can neither make the
 * receiver wait for more than the limit nor make it hash what will be refused anyway. */

enum {
    OFFSET_CHECKSUM = 0,
    OFFSET_MAGIC = 8, /* the checksum covers everything from here on */
    OFFSET_VERSION = 12,
    OFFSET_TYPE = 13,
    OFFSET_FLAGS = 14,
    OFFSET_BODY_BYTES = 16,
    OFFSET_ZERO = 20,
    OFFSET_REQUEST_ID = 24,
};

static_assert(OFFSET_REQUEST_ID + sizeof(uint64_t) == FRAME_HEADER_BYTES, "the drawing in frame.h");

static uint16_t load_u16(const uint8_t *from)
{
    uint16_t value;
    memcpy(&value, from, sizeof(value));
    return le16toh(value);
}

static uint32_t load_u32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return le32toh(value);
}

static uint64_t load_u64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return le64toh(value);
}

static void store_u16(uint8_t *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof(value));
}

static void store_u32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
}

static void store_u64(uint8_t *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof(value));
}

static uint64_t frame_checksum(const uint8_t *frame, size_t frame_bytes)
{
    return XXH3_64bits(frame + OFFSET_MAGIC, frame_bytes - OFFSET_MAGIC);
}

static bool is_request_type(uint8_t type)
{
    switch (type) {
#define REQUEST_CASE(name, number, message) case FRAME_##name:
        FRAME_TYPES(REQUEST_CASE)
#undef REQUEST_CASE
        return true;
    default:
        return false;
    }
}

static bool is_server_type(uint8_t type)
{
    if (type == FRAME_ERROR || type == FRAME_GO_AWAY) {
        return true;
    }
    return type > FRAME_REPLY && is_request_type((uint8_t)(type - FRAME_REPLY));
}

static bool header_type_is_known(const uint8_t *bytes, bool is_request)
{
    uint8_t type = bytes[OFFSET_TYPE];
    bool known = is_request ? is_request_type(type) : is_server_type(type);
    return known && load_u16(bytes + OFFSET_FLAGS) == 0 && load_u32(bytes + OFFSET_ZERO) == 0;
}

enum frame_status frame_parse(const uint8_t *bytes, size_t bytes_count, uint32_t body_bytes_max,
                              bool is_request, struct frame_header *header_out,
                              size_t *need_bytes_out)
{
    if (bytes_count < FRAME_HEADER_BYTES) {
        *need_bytes_out = FRAME_HEADER_BYTES;
        return FRAME_INCOMPLETE;
    }
    if (load_u32(bytes + OFFSET_MAGIC) != FRAME_MAGIC) {
        return FRAME_BAD_MAGIC;
    }
    if (bytes[OFFSET_VERSION] != FRAME_VERSION) {
        return FRAME_BAD_VERSION;
    }
    if (!header_type_is_known(bytes, is_request)) {
        return FRAME_BAD_TYPE;
    }
    uint32_t body_bytes = load_u32(bytes + OFFSET_BODY_BYTES);
    if (body_bytes > body_bytes_max) {
        return FRAME_BAD_LENGTH;
    }
    *need_bytes_out = FRAME_HEADER_BYTES + (size_t)body_bytes;
    if (bytes_count < *need_bytes_out) {
        return FRAME_INCOMPLETE;
    }
    uint64_t checksum = load_u64(bytes + OFFSET_CHECKSUM);
    if (checksum != frame_checksum(bytes, *need_bytes_out)) {
        return FRAME_BAD_CHECKSUM;
    }
    header_out->checksum = checksum;
    header_out->request_id = load_u64(bytes + OFFSET_REQUEST_ID);
    header_out->body_bytes = body_bytes;
    header_out->type = bytes[OFFSET_TYPE];
    return FRAME_OK;
}

void frame_finish(uint8_t *frame, uint8_t type, uint64_t request_id, uint32_t body_bytes)
{
    store_u32(frame + OFFSET_MAGIC, FRAME_MAGIC);
    frame[OFFSET_VERSION] = FRAME_VERSION;
    frame[OFFSET_TYPE] = type;
    store_u16(frame + OFFSET_FLAGS, 0);
    store_u32(frame + OFFSET_BODY_BYTES, body_bytes);
    store_u32(frame + OFFSET_ZERO, 0);
    store_u64(frame + OFFSET_REQUEST_ID, request_id);
    store_u64(frame + OFFSET_CHECKSUM,
              frame_checksum(frame, FRAME_HEADER_BYTES + (size_t)body_bytes));
}

const char *frame_status_text(enum frame_status status)
{
    switch (status) {
    case FRAME_OK:
        return "ok";
    case FRAME_INCOMPLETE:
        return "incomplete";
    case FRAME_BAD_MAGIC:
        return "wrong magic";
    case FRAME_BAD_VERSION:
        return "wrong protocol version";
    case FRAME_BAD_TYPE:
        return "unknown type, or flags that are not zero";
    case FRAME_BAD_LENGTH:
        return "body over the limit";
    case FRAME_BAD_CHECKSUM:
        return "wrong checksum";
    }
    return "?";
}

const char *frame_type_name(uint8_t type)
{
    switch (type) {
#define NAME_CASES(name, number, message)                                                          \
    case FRAME_##name:                                                                             \
        return #name;                                                                              \
    case FRAME_REPLY + FRAME_##name:                                                               \
        return #name " reply";
        FRAME_TYPES(NAME_CASES)
#undef NAME_CASES
    case FRAME_ERROR:
        return "ERROR";
    case FRAME_GO_AWAY:
        return "GO_AWAY";
    default:
        return "?";
    }
}
