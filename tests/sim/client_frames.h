#ifndef HF_SIM_CLIENT_FRAMES_H
#define HF_SIM_CLIENT_FRAMES_H
/* Requests of the simulated clients as frames, and replies back to what the history understands.
 * No state but the choice between forms that mean the same. A reply that a server may never send
 * is a finding. */

#include "history.h"
#include "plan.h"
#include "proto/message.h"

enum { CLIENT_FRAME_BYTES_MAX = 16 << 10 };

/* A request: rows of one kind, or one of the rare ones. */
struct client_frame {
    uint64_t request_id;
    uint8_t type; /* enum frame_type */
    uint8_t ask;  /* enum sim_ask */
    uint8_t attempts;
    /* Of those that the history knows: of ITEM_LIST some items that may be in it, none of STAT and
     * PING. */
    uint32_t row_count;
    struct history_call rows[SIM_ROWS_MAX];
    uint32_t calls[SIM_ROWS_MAX]; /* their numbers in the history */
    /* ITEM_LIST, STAT, SNAPSHOT, SNAPSHOT_READ: the core; PING: the payload */
    uint64_t number;
    bool was_served; /* when it was sent */
    /* SNAPSHOT, SNAPSHOT_READ */
    uint64_t lsn, offset;
    struct history_snapshot_ask snapshot_ask;
    struct history_piece_ask piece_ask;
};

/* One row of an answer. */
struct client_answer {
    struct stock_reply reply;
    struct stock_item_view view;
    bool has_view;
    bool is_missing; /* the list does not have this item */
};

/* Chooses a type for what the frame asks: single or columns. */
void client_frame_choose_type(struct client_frame *frame);

/* Tells the history of all that the frame asks, just before it is sent. `not_before_ms` is the time
 * before which no core decides anything. */
void client_frame_ask(struct client_frame *frame, uint32_t client, uint64_t not_before_ms);

/* Writes the frame and returns its length. */
uint32_t client_frame_encode(const struct client_frame *frame, uint8_t *to);

/* Takes a reply apart: `answers_out` has an element for each row. The message is of the type that
 * belongs to the frame's. A SNAPSHOT gets the LSN that it was answered, a SNAPSHOT_READ the offset
 * behind what it was given; `lsn` is 0 when there is nothing more to read. */
void client_frame_read(struct client_frame *frame, const ProtobufCMessage *reply,
                       struct client_answer *answers_out);

/* A reply to one of the rare requests says LOADING. */
bool client_result_is_loading(uint8_t reply_type, const ProtobufCMessage *reply);

/* One line for the trace. */
void client_row_print(const struct history_call *row, char *to, size_t to_bytes);
void client_answer_print(const struct client_answer *answer, char *to, size_t to_bytes);

#endif
