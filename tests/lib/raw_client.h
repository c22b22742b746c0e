#ifndef HF_TESTS_RAW_CLIENT_H
#define HF_TESTS_RAW_CLIENT_H
/* A plain blocking client of the protocol for tests: it shows every frame, hides nothing and
 * retries nothing. One thread. Requests are put into a buffer and leave with raw_flush(), so that
 * any number can be in flight; replies come in whatever order the server sends them. */

#include "proto/frame.h"
#include "proto/message.h"

#include "holdfast/v1/item.pb-c.h"
#include "holdfast/v1/reservation.pb-c.h"
#include "holdfast/v1/result.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "holdfast/v1/snapshot.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RESULT(OK), FIELD(QUANTITY), STATE(HELD), ERROR(BAD_BODY): the names without their prefixes. */
#define RESULT(name) HOLDFAST__V1__RESULT__RESULT_##name
#define FIELD(name)  HOLDFAST__V1__FIELD__FIELD_##name
#define STATE(name)  HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_##name
#define ERROR(name)  HOLDFAST__V1__ERROR_CODE__ERROR_CODE_##name
#define UPDATE(name) HOLDFAST__V1__ITEM_FIELD__ITEM_FIELD_##name

typedef Holdfast__V1__ItemSettings raw_settings;
typedef Holdfast__V1__StatResponse raw_stat;
typedef Holdfast__V1__SnapshotResponse raw_snapshot;

enum {
    RAW_TIMEOUT_MS = 30000, /* of calls that wait for their answer */
    RAW_ROWS_MAX = FRAME_ROW_COUNT_MAX,
    RAW_PIECE_BYTES = 64 << 10, /* of a snapshot's file */
};

enum raw_status {
    RAW_OK = 0,
    RAW_TIMEOUT,
    RAW_CLOSED, /* by the server, in whatever way */
    RAW_BROKEN, /* bytes that are no frame */
};

struct raw_frame {
    uint8_t type;
    uint64_t request_id;
    const uint8_t *body; /* valid until the next raw_receive() */
    uint32_t body_bytes;
};

struct raw_client {
    int fd; /* -1 when not connected */
    uint64_t last_request_id;
    uint8_t *out;
    size_t out_used;
    uint8_t *in;
    size_t in_start, in_end;
    void *arena_memory;
    struct message_arena arena;
    /* from Hello */
    uint32_t core;
    uint32_t core_count;
    uint32_t body_bytes_max;
    uint32_t batch_rows_max;
    uint64_t hello_now_ms;
    uint8_t server_id[16];
    /* from the last raw_call() */
    uint32_t error_code; /* of the Error frame that came in place of the reply, else 0 */
    bool saw_go_away;
};

/* One row of any operation; fields that the operation does not name are ignored. */
struct raw_row {
    uint8_t type; /* FRAME_RESERVE .. FRAME_GET */
    uint32_t quantity;
    uint64_t item_id;
    uint64_t id_high, id_low;
    uint64_t buyer_id;
    uint64_t hold_ms;
    uint64_t user_data;
    uint64_t expires_ms;
};

struct raw_answer {
    uint32_t result;
    uint32_t state;
    uint32_t invalid_field;
    uint32_t quantity;
    uint32_t quantity_confirmed;
    uint64_t sequence;
    uint64_t expires_ms;
    int64_t available;
    uint64_t buyer_id;
    uint64_t user_data;
    uint64_t created_ms;
};

/* How rows travel. */
enum raw_form {
    RAW_SINGLE,  /* a frame each, all in flight at once */
    RAW_COLUMNS, /* one batch, every column as long as the batch */
    RAW_SHORT,   /* one batch, equal columns of length one, zero columns left out */
};

/* TCP only. False when nobody listens. */
bool raw_connect(struct raw_client *client, uint16_t port);
void raw_close(struct raw_client *client);

/* Says Hello and takes the answer's facts; `core` -1 = any. False when refused: `error_code` tells,
 * or it is 0 and the connection has broken. */
bool raw_hello(struct raw_client *client, int core);

/* Connect and Hello, or the test ends. */
void raw_open(struct raw_client *client, uint16_t port, int core);

/* The core of an item. */
uint32_t raw_core_of(uint64_t item_id, uint32_t core_count);

/* Puts one request and returns its id. Room is made by sending when the buffer is full; an error
 * shows at the next receive. */
uint64_t raw_put(struct raw_client *client, uint8_t type, const ProtobufCMessage *message);
uint64_t raw_put_row(struct raw_client *client, const struct raw_row *row);
/* All rows of one operation. */
uint64_t raw_put_batch(struct raw_client *client, enum raw_form form, const struct raw_row *rows,
                       uint32_t row_count);
/* Sends all that was put. False when the connection has broken. */
bool raw_flush(struct raw_client *client);
/* Sends any bytes at once. */
bool raw_send_bytes(struct raw_client *client, const void *bytes, size_t bytes_count);

/* The next frame, from the buffer or the socket. A time-out of 0 only looks. */
enum raw_status raw_receive(struct raw_client *client, struct raw_frame *frame_out, int timeout_ms);
/* NULL when the body is not what its type says. Valid until the next decode. */
const void *raw_decode(struct raw_client *client, const struct raw_frame *frame);
/* The rows of a single or batch reply. Returns their number, 0 when it is no such reply. */
uint32_t raw_answers(struct raw_client *client, const struct raw_frame *frame,
                     struct raw_answer *answers_out, uint32_t answer_count_max);

/* One request and its reply; nothing else may be in flight. NULL after an Error frame (see
 * `error_code`) or when the connection broke. */
const void *raw_call(struct raw_client *client, uint8_t type, const ProtobufCMessage *message);
/* Rows of one operation and their answers in the order of the rows. Ends the test when there are
 * not as many answers. */
void raw_rows(struct raw_client *client, enum raw_form form, const struct raw_row *rows,
              uint32_t row_count, struct raw_answer *answers_out);
struct raw_answer raw_one(struct raw_client *client, const struct raw_row *row);

/* Items. These end the test when there is no reply. */
struct raw_item_answer {
    uint32_t result;
    uint32_t invalid_field;
    bool has_item;
    int64_t stock;
    int64_t available;
    uint64_t item_id;
    uint64_t held;
    uint64_t sold;
    uint64_t next_sequence;
    uint64_t created_ms;
    uint64_t hold_ms;
    uint64_t opens_at_ms;
    uint64_t closes_at_ms;
    uint32_t buyer_limit;
    uint32_t hold_cap;
    bool paused;
    uint8_t sku_bytes;
    char sku[65];
};
struct raw_item_answer raw_item_create(struct raw_client *client, const raw_settings *settings);
struct raw_item_answer raw_item_update(struct raw_client *client, const raw_settings *settings,
                                       uint32_t field);
struct raw_item_answer raw_item_get(struct raw_client *client, uint64_t item_id);
struct raw_item_answer raw_item_of(const Holdfast__V1__ItemResponse *response);

/* Creates a plain item and checks that it was. */
void raw_item_make(struct raw_client *client, uint64_t item_id, int64_t stock);

/* The engine's clock. */
uint64_t raw_now_ms(struct raw_client *client);

raw_stat raw_stat_of(struct raw_client *client, uint32_t core, bool with_state_hash);
/* Sums over all cores; expiry_late_ms_max is the largest. */
raw_stat raw_stat_sum(struct raw_client *client, bool with_state_hash);

/* Snapshots. These end the test when there is no reply; what the server refuses is in `result`. */
raw_snapshot raw_snapshot_take(struct raw_client *client, uint32_t core);

struct raw_piece {
    uint32_t result;
    uint32_t bytes; /* written */
    uint64_t file_bytes;
};
/* One piece of a snapshot's file; `to` has room for RAW_PIECE_BYTES. */
struct raw_piece raw_snapshot_read(struct raw_client *client, uint32_t core, uint64_t lsn,
                                   uint64_t offset, uint8_t *to);

const char *raw_result_name(uint32_t result);

#endif
