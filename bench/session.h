#ifndef HF_BENCH_SESSION_H
#define HF_BENCH_SESSION_H
/* One connection for what happens before and after the load: requests go out, replies come back,
 * and the caller waits. Blocking, with a time limit per wait. One thread. */

#include "bench/endpoint.h"
#include "proto/message.h"

#include <stdbool.h>
#include <stdint.h>

struct session {
    int fd;
    uint32_t core_count;
    uint32_t batch_rows_max;
    uint8_t server_id[16];
    char server_version[64];
    uint64_t last_request_id;  /* sent */
    uint64_t reply_request_id; /* of the reply last given out */
    struct message_arena arena;
    uint8_t *memory; /* one allocation: sending, receiving, arena */
    uint8_t *send_buffer;
    size_t send_bytes;
    uint8_t *receive_buffer;
    size_t
        receive_begin; /* of the first frame that is not given out, or of the one given out last */
    size_t receive_end;
    size_t frame_bytes; /* of the reply last given out, still in receive_buffer */
    char error[256];    /* why the last call returned false */
};

/* Connects and says hello to this core. */
bool session_open(struct session *session, const struct endpoint *endpoint, uint32_t core,
                  uint64_t timeout_ms);
void session_close(struct session *session);

/* Queues one request, whose id is then `last_request_id`. Sends when much is queued;
 * session_receive() sends the rest. */
bool session_send(struct session *session, uint8_t type, const ProtobufCMessage *message);

/* The next reply, which must be one to this type: NULL when it is not, or none came. Valid until
 * the next call. */
const ProtobufCMessage *session_receive(struct session *session, uint8_t type);

/* Both in one. */
const ProtobufCMessage *session_call(struct session *session, uint8_t type,
                                     const ProtobufCMessage *message);

/* The server's clock now; false with `error`. */
bool session_now_ms(struct session *session, uint64_t *now_ms_out);

#endif
