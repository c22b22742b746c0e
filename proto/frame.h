#ifndef HF_PROTO_FRAME_H
#define HF_PROTO_FRAME_H
/* The frame around every message. Little-endian.
 *
 *      0  u64  checksum: XXH3-64, seed 0, of all bytes from 8 to the end of the body
 *      8  u32  magic "HFP1" (0x31504648)
 *     12  u8   protocol version, 1
 *     13  u8   type
 *     14  u16  flags, 0
 *     16  u32  body bytes
 *     20  u32  zero
 *     24  u64  request id: chosen by the client, given back in the reply
 *     32       body: one protobuf message, which one is told by the type
 *
 * Magic, version, type and length are checked before anything is allocated or the checksum is
 * computed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_HEADER_BYTES = 32,
    FRAME_MAGIC = 0x31504648,
    FRAME_VERSION = 1,
    FRAME_BODY_BYTES_MAX =
        1 << 20,                /* the largest that any server takes; Hello tells a server's own */
    FRAME_ROW_COUNT_MAX = 8192, /* rows of one batch */
};

/* X(name, number, request message): the reply to type N is type N + 128. */
#define FRAME_TYPES(X)                                                                             \
    X(HELLO, 1, HelloRequest)                                                                      \
    X(PING, 2, PingRequest)                                                                        \
    X(RESERVE, 16, ReserveRequest)                                                                 \
    X(CONFIRM, 17, ConfirmRequest)                                                                 \
    X(CANCEL, 18, CancelRequest)                                                                   \
    X(EXTEND, 19, ExtendRequest)                                                                   \
    X(GET, 20, GetRequest)                                                                         \
    X(RESERVE_BATCH, 32, ReserveBatchRequest)                                                      \
    X(CONFIRM_BATCH, 33, ConfirmBatchRequest)                                                      \
    X(CANCEL_BATCH, 34, CancelBatchRequest)                                                        \
    X(EXTEND_BATCH, 35, ExtendBatchRequest)                                                        \
    X(GET_BATCH, 36, GetBatchRequest)                                                              \
    X(ITEM_CREATE, 48, ItemCreateRequest)                                                          \
    X(ITEM_UPDATE, 49, ItemUpdateRequest)                                                          \
    X(ITEM_GET, 50, ItemGetRequest)                                                                \
    X(ITEM_LIST, 51, ItemListRequest)                                                              \
    X(STAT, 52, StatRequest)                                                                       \
    X(SNAPSHOT, 53, SnapshotRequest)                                                               \
    X(SNAPSHOT_READ, 54, SnapshotReadRequest)

enum frame_type {
#define FRAME_TYPE_ENUM(name, number, message) FRAME_##name = (number),
    FRAME_TYPES(FRAME_TYPE_ENUM)
#undef FRAME_TYPE_ENUM
        FRAME_REPLY = 128, /* added to a request's type */
    /* from the server, on its own account or about a frame that can't be answered otherwise */
    FRAME_ERROR = 254,
    FRAME_GO_AWAY = 255,
};

struct frame_header {
    uint64_t checksum;
    uint64_t request_id;
    uint32_t body_bytes;
    uint8_t type;
};

enum frame_status {
    FRAME_OK = 0,
    FRAME_INCOMPLETE, /* more bytes are needed: `need_bytes` in all */
    FRAME_BAD_MAGIC,
    FRAME_BAD_VERSION,
    FRAME_BAD_TYPE, /* not a type of this direction, or flags or reserved bytes that are not zero */
    FRAME_BAD_LENGTH, /* body over the limit */
    FRAME_BAD_CHECKSUM,
};

/* Looks at the bytes received so far. With FRAME_OK the whole frame is there and verified, and the
 * body starts at FRAME_HEADER_BYTES. `is_request`: expects types that clients send, else those that
 * servers send. `header_out` is set with FRAME_OK only, `need_bytes_out` with FRAME_OK (the frame's
 * length) and FRAME_INCOMPLETE. */
enum frame_status frame_parse(const uint8_t *bytes, size_t bytes_count, uint32_t body_bytes_max,
                              bool is_request, struct frame_header *header_out,
                              size_t *need_bytes_out);

/* Completes a frame whose body of `body_bytes` already stands at `frame` + FRAME_HEADER_BYTES. */
void frame_finish(uint8_t *frame, uint8_t type, uint64_t request_id, uint32_t body_bytes);

/* "wrong magic", …; static text. */
const char *frame_status_text(enum frame_status status);

/* "RESERVE", "RESERVE reply", or "?"; static text. */
const char *frame_type_name(uint8_t type);

#endif
