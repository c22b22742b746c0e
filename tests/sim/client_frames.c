#include "client_frames.h"

#include "base/assert.h"
#include "holdfast/v1/item.pb-c.h"
#include "holdfast/v1/reservation.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "holdfast/v1/snapshot.pb-c.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- types ---- */

static const uint8_t single_types[SIM_ASK_COUNT] = {
    [SIM_ASK_RESERVE] = FRAME_RESERVE,
    [SIM_ASK_CONFIRM] = FRAME_CONFIRM,
    [SIM_ASK_CANCEL] = FRAME_CANCEL,
    [SIM_ASK_EXTEND] = FRAME_EXTEND,
    [SIM_ASK_GET] = FRAME_GET,
    [SIM_ASK_ITEM_CREATE] = FRAME_ITEM_CREATE,
    [SIM_ASK_ITEM_UPDATE] = FRAME_ITEM_UPDATE,
    [SIM_ASK_ITEM_GET] = FRAME_ITEM_GET,
    [SIM_ASK_ITEM_LIST] = FRAME_ITEM_LIST,
    [SIM_ASK_STAT] = FRAME_STAT,
    [SIM_ASK_PING] = FRAME_PING,
    [SIM_ASK_SNAPSHOT] = FRAME_SNAPSHOT,
    [SIM_ASK_SNAPSHOT_READ] = FRAME_SNAPSHOT_READ,
};

enum { BATCH_TYPES_FROM_SINGLE = FRAME_RESERVE_BATCH - FRAME_RESERVE };

void client_frame_choose_type(struct client_frame *frame)
{
    bool is_batch = sim_happens(SIM_CHANCE_CLIENTS, 300);
    frame->type = single_types[frame->ask];
    if (frame->ask <= SIM_ASK_GET && (is_batch || frame->row_count > 1))
        frame->type += BATCH_TYPES_FROM_SINGLE;
}

/* ---- columns ---- */

/* The values of one field of all rows, in the shortest form or another that means the same. */
struct columns {
    uint32_t row_count;
    uint64_t item_id[SIM_ROWS_MAX], id_high[SIM_ROWS_MAX], id_low[SIM_ROWS_MAX];
    uint64_t buyer_id[SIM_ROWS_MAX], hold_ms[SIM_ROWS_MAX], user_data[SIM_ROWS_MAX];
    uint64_t expires_ms[SIM_ROWS_MAX];
    uint32_t quantity[SIM_ROWS_MAX];
};

static void fill_columns(const struct client_frame *frame, struct columns *columns)
{
    columns->row_count = frame->row_count;
    for (uint32_t i = 0; i < frame->row_count; i++) {
        const struct stock_request *request = &frame->rows[i].request;
        columns->item_id[i] = request->item_id;
        columns->id_high[i] = request->reservation_id.high;
        columns->id_low[i] = request->reservation_id.low;
        columns->buyer_id[i] = request->buyer_id;
        columns->hold_ms[i] = request->hold_ms;
        columns->user_data[i] = request->user_data;
        columns->expires_ms[i] = request->expires_ms;
        columns->quantity[i] = request->quantity;
    }
}

/* How many elements to send: none for all zero, one for all equal, or all of them; which of those
 * that are right is left to chance. */
static size_t length_of(bool is_same, bool is_zero, uint32_t row_count)
{
    bool is_short = sim_happens(SIM_CHANCE_CLIENTS, 800);
    bool is_none = sim_happens(SIM_CHANCE_CLIENTS, 800);
    if (is_zero && is_none)
        return 0;
    return is_same && is_short ? 1 : row_count;
}

static size_t length_u64(const uint64_t *values, uint32_t row_count)
{
    bool is_same = true;
    for (uint32_t i = 1; i < row_count; i++)
        is_same &= values[i] == values[0];
    return length_of(is_same, is_same && values[0] == 0, row_count);
}

static size_t length_u32(const uint32_t *values, uint32_t row_count)
{
    bool is_same = true;
    for (uint32_t i = 1; i < row_count; i++)
        is_same &= values[i] == values[0];
    return length_of(is_same, is_same && values[0] == 0, row_count);
}

#define PUT_U64(message, field, column)                                                            \
    do {                                                                                           \
        (message).n_##field = length_u64((column), columns.row_count);                             \
        (message).field = (column);                                                                \
    } while (0)
#define PUT_U32(message, field, column)                                                            \
    do {                                                                                           \
        (message).n_##field = length_u32((column), columns.row_count);                             \
        (message).field = (column);                                                                \
    } while (0)
#define PUT_RESERVATION(message)                                                                   \
    do {                                                                                           \
        (message).row_count = columns.row_count;                                                   \
        PUT_U64(message, item_id, columns.item_id);                                                \
        PUT_U64(message, reservation_id_high, columns.id_high);                                    \
        PUT_U64(message, reservation_id_low, columns.id_low);                                      \
    } while (0)

/* ---- requests ---- */

static uint32_t encode(const struct client_frame *frame, const ProtobufCMessage *message,
                       uint8_t *to)
{
    size_t bytes =
        message_encode_frame(message, frame->type, frame->request_id, to, CLIENT_FRAME_BYTES_MAX);
    hf_assert(bytes > 0);
    return (uint32_t)bytes;
}

static uint32_t encode_batch(const struct client_frame *frame, uint8_t *to)
{
    struct columns columns;
    fill_columns(frame, &columns);
    switch (frame->type) {
    case FRAME_RESERVE_BATCH: {
        Holdfast__V1__ReserveBatchRequest m = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
        PUT_RESERVATION(m);
        PUT_U64(m, buyer_id, columns.buyer_id);
        PUT_U32(m, quantity, columns.quantity);
        PUT_U64(m, hold_ms, columns.hold_ms);
        PUT_U64(m, user_data, columns.user_data);
        return encode(frame, &m.base, to);
    }
    case FRAME_CONFIRM_BATCH: {
        Holdfast__V1__ConfirmBatchRequest m = HOLDFAST__V1__CONFIRM_BATCH_REQUEST__INIT;
        PUT_RESERVATION(m);
        PUT_U32(m, quantity, columns.quantity);
        return encode(frame, &m.base, to);
    }
    case FRAME_CANCEL_BATCH: {
        Holdfast__V1__CancelBatchRequest m = HOLDFAST__V1__CANCEL_BATCH_REQUEST__INIT;
        PUT_RESERVATION(m);
        return encode(frame, &m.base, to);
    }
    case FRAME_EXTEND_BATCH: {
        Holdfast__V1__ExtendBatchRequest m = HOLDFAST__V1__EXTEND_BATCH_REQUEST__INIT;
        PUT_RESERVATION(m);
        PUT_U64(m, expires_ms, columns.expires_ms);
        return encode(frame, &m.base, to);
    }
    default: {
        Holdfast__V1__GetBatchRequest m = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
        PUT_RESERVATION(m);
        return encode(frame, &m.base, to);
    }
    }
}

#define SET_RESERVATION(message)                                                                   \
    do {                                                                                           \
        (message).item_id = row->item_id;                                                          \
        (message).reservation_id_high = row->reservation_id.high;                                  \
        (message).reservation_id_low = row->reservation_id.low;                                    \
    } while (0)

static uint32_t encode_single(const struct client_frame *frame, uint8_t *to)
{
    const struct stock_request *row = &frame->rows[0].request;
    switch (frame->type) {
    case FRAME_RESERVE: {
        Holdfast__V1__ReserveRequest m = HOLDFAST__V1__RESERVE_REQUEST__INIT;
        SET_RESERVATION(m);
        m.buyer_id = row->buyer_id;
        m.quantity = row->quantity;
        m.hold_ms = row->hold_ms;
        m.user_data = row->user_data;
        return encode(frame, &m.base, to);
    }
    case FRAME_CONFIRM: {
        Holdfast__V1__ConfirmRequest m = HOLDFAST__V1__CONFIRM_REQUEST__INIT;
        SET_RESERVATION(m);
        m.quantity = row->quantity;
        return encode(frame, &m.base, to);
    }
    case FRAME_CANCEL: {
        Holdfast__V1__CancelRequest m = HOLDFAST__V1__CANCEL_REQUEST__INIT;
        SET_RESERVATION(m);
        return encode(frame, &m.base, to);
    }
    case FRAME_EXTEND: {
        Holdfast__V1__ExtendRequest m = HOLDFAST__V1__EXTEND_REQUEST__INIT;
        SET_RESERVATION(m);
        m.expires_ms = row->expires_ms;
        return encode(frame, &m.base, to);
    }
    default: {
        Holdfast__V1__GetRequest m = HOLDFAST__V1__GET_REQUEST__INIT;
        SET_RESERVATION(m);
        return encode(frame, &m.base, to);
    }
    }
}

static void fill_settings(const struct stock_item_settings *settings,
                          Holdfast__V1__ItemSettings *message)
{
    holdfast__v1__item_settings__init(message);
    message->item_id = settings->item_id;
    message->sku.data = (uint8_t *)(uintptr_t)settings->sku;
    message->sku.len = settings->sku_bytes;
    message->stock = settings->stock;
    message->buyer_limit = settings->buyer_limit;
    message->hold_cap = settings->hold_cap;
    message->hold_ms = settings->hold_ms;
    message->opens_at_ms = settings->opens_at_ms;
    message->closes_at_ms = settings->closes_at_ms;
    message->paused = settings->paused;
}

static uint32_t encode_item(const struct client_frame *frame, uint8_t *to)
{
    const struct history_call *row = &frame->rows[0];
    Holdfast__V1__ItemSettings settings;
    fill_settings(&row->settings, &settings);
    if (frame->type == FRAME_ITEM_CREATE) {
        Holdfast__V1__ItemCreateRequest m = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
        m.settings = &settings;
        return encode(frame, &m.base, to);
    }
    if (frame->type == FRAME_ITEM_UPDATE) {
        Holdfast__V1__ItemUpdateRequest m = HOLDFAST__V1__ITEM_UPDATE_REQUEST__INIT;
        Holdfast__V1__ItemField fields[8];
        m.settings = &settings;
        m.fields = fields;
        for (uint32_t bit = 0; bit < 7; bit++)
            if (row->update_mask >> bit & 1)
                fields[m.n_fields++] = HOLDFAST__V1__ITEM_FIELD__ITEM_FIELD_STOCK + bit;
        return encode(frame, &m.base, to);
    }
    Holdfast__V1__ItemGetRequest m = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
    m.item_id = row->settings.item_id;
    return encode(frame, &m.base, to);
}

static uint32_t encode_other(const struct client_frame *frame, uint8_t *to)
{
    if (frame->type == FRAME_ITEM_LIST) {
        Holdfast__V1__ItemListRequest m = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
        m.core = (uint32_t)frame->number;
        m.count_max = (uint32_t)sim_between(SIM_CHANCE_CLIENTS, 0, 5);
        m.position = (uint32_t)sim_between(SIM_CHANCE_CLIENTS, 0, 5);
        return encode(frame, &m.base, to);
    }
    if (frame->type == FRAME_STAT) {
        Holdfast__V1__StatRequest m = HOLDFAST__V1__STAT_REQUEST__INIT;
        m.core = (uint32_t)frame->number;
        m.state_hash = sim_happens(SIM_CHANCE_CLIENTS, 300);
        return encode(frame, &m.base, to);
    }
    if (frame->type == FRAME_SNAPSHOT) {
        Holdfast__V1__SnapshotRequest m = HOLDFAST__V1__SNAPSHOT_REQUEST__INIT;
        m.core = (uint32_t)frame->number;
        return encode(frame, &m.base, to);
    }
    if (frame->type == FRAME_SNAPSHOT_READ) {
        Holdfast__V1__SnapshotReadRequest m = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
        m.core = (uint32_t)frame->number;
        m.lsn = frame->lsn;
        m.offset = frame->offset;
        return encode(frame, &m.base, to);
    }
    Holdfast__V1__PingRequest m = HOLDFAST__V1__PING_REQUEST__INIT;
    m.payload = frame->number;
    return encode(frame, &m.base, to);
}

void client_frame_ask(struct client_frame *frame, uint32_t client, uint64_t not_before_ms)
{
    for (uint32_t i = 0; i < frame->row_count; i++) {
        frame->rows[i].client = client;
        frame->calls[i] = history_ask(&frame->rows[i], not_before_ms);
    }
    if (frame->type == FRAME_SNAPSHOT)
        frame->snapshot_ask = history_ask_snapshot((uint32_t)frame->number);
    if (frame->type == FRAME_SNAPSHOT_READ)
        frame->piece_ask = history_ask_piece((uint32_t)frame->number, frame->lsn);
}

uint32_t client_frame_encode(const struct client_frame *frame, uint8_t *to)
{
    if (frame->type >= FRAME_ITEM_LIST || frame->type == FRAME_PING)
        return encode_other(frame, to);
    if (frame->type >= FRAME_ITEM_CREATE)
        return encode_item(frame, to);
    return frame->type >= FRAME_RESERVE_BATCH ? encode_batch(frame, to) : encode_single(frame, to);
}

/* ---- replies ---- */

static void require(bool is_so, const struct client_frame *frame, const char *what)
{
    if (!is_so)
        sim_fail("reply", "%s, request %" PRIu64 ": %s", frame_type_name(frame->type),
                 frame->request_id, what);
}

static void check_code(const struct client_frame *frame, int code)
{
    require(strcmp(stock_code_name(code), "?") != 0, frame, "a result of no known number");
}

static void read_single(const struct client_frame *frame,
                        const Holdfast__V1__ReservationResponse *m, struct client_answer *answer)
{
    check_code(frame, (int)m->result);
    answer->reply = (struct stock_reply){
        .code = (uint8_t)m->result,
        .state = (uint8_t)m->state,
        .invalid_field = (uint8_t)m->invalid_field,
        .quantity = m->quantity,
        .quantity_confirmed = m->quantity_confirmed,
        .sequence = m->sequence,
        .expires_ms = m->expires_ms,
        .available = m->available,
        .buyer_id = m->buyer_id,
        .user_data = m->user_data,
        .created_ms = m->created_ms,
    };
}

static void check_columns(const struct client_frame *frame,
                          const Holdfast__V1__ReservationBatchResponse *m)
{
    const size_t lengths[] = {
        m->n_result,
        m->n_state,
        m->n_invalid_field,
        m->n_quantity,
        m->n_quantity_confirmed,
        m->n_sequence,
        m->n_expires_ms,
        m->n_available,
        m->n_buyer_id,
        m->n_user_data,
        m->n_created_ms,
    };
    require(m->row_count == frame->row_count, frame, "another number of rows than were asked");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        require(message_column_fits(lengths[i], m->row_count), frame, "a column of a wrong length");
}

static uint8_t column_enum(const void *values, size_t count, uint32_t row)
{
    /* protobuf-c keeps enums as int, which is as wide as uint32_t */
    return (uint8_t)message_column_u32(values, count, row);
}

static void read_batch(const struct client_frame *frame,
                       const Holdfast__V1__ReservationBatchResponse *m,
                       struct client_answer *answers)
{
    check_columns(frame, m);
    for (uint32_t i = 0; i < frame->row_count; i++) {
        struct stock_reply *reply = &answers[i].reply;
        memset(reply, 0, sizeof *reply);
        reply->code = column_enum(m->result, m->n_result, i);
        check_code(frame, reply->code);
        reply->state = column_enum(m->state, m->n_state, i);
        reply->invalid_field = column_enum(m->invalid_field, m->n_invalid_field, i);
        reply->quantity = message_column_u32(m->quantity, m->n_quantity, i);
        reply->quantity_confirmed =
            message_column_u32(m->quantity_confirmed, m->n_quantity_confirmed, i);
        reply->sequence = message_column_u64(m->sequence, m->n_sequence, i);
        reply->expires_ms = message_column_u64(m->expires_ms, m->n_expires_ms, i);
        reply->available = m->n_available > 1    ? m->available[i]
                           : m->n_available == 1 ? m->available[0]
                                                 : 0;
        reply->buyer_id = message_column_u64(m->buyer_id, m->n_buyer_id, i);
        reply->user_data = message_column_u64(m->user_data, m->n_user_data, i);
        reply->created_ms = message_column_u64(m->created_ms, m->n_created_ms, i);
    }
}

static void read_view(const struct client_frame *frame, const Holdfast__V1__Item *item,
                      struct stock_item_view *view)
{
    memset(view, 0, sizeof *view);
    require(item->settings != NULL, frame, "an item without settings");
    const Holdfast__V1__ItemSettings *settings = item->settings;
    require(settings->sku.len <= STOCK_SKU_BYTES_MAX, frame, "an item with too long a SKU");
    view->settings.item_id = settings->item_id;
    view->settings.stock = settings->stock;
    view->settings.buyer_limit = settings->buyer_limit;
    view->settings.hold_cap = settings->hold_cap;
    view->settings.hold_ms = settings->hold_ms;
    view->settings.opens_at_ms = settings->opens_at_ms;
    view->settings.closes_at_ms = settings->closes_at_ms;
    view->settings.paused = settings->paused;
    view->settings.sku_bytes = (uint8_t)settings->sku.len;
    if (settings->sku.len > 0)
        memcpy(view->settings.sku, settings->sku.data, settings->sku.len);
    view->available = item->available;
    view->held = item->held;
    view->sold = item->sold;
    view->next_sequence = item->next_sequence;
    view->created_ms = item->created_ms;
}

static void read_item(const struct client_frame *frame, const Holdfast__V1__ItemResponse *m,
                      struct client_answer *answer)
{
    check_code(frame, (int)m->result);
    answer->reply = (struct stock_reply){
        .code = (uint8_t)m->result,
        .invalid_field = (uint8_t)m->invalid_field,
    };
    answer->has_view = m->item != NULL;
    if (answer->has_view)
        read_view(frame, m->item, &answer->view);
}

/* What a list tells of an item is what an ItemGet would have told. */
static void read_listed(const struct client_frame *frame, const struct stock_item_view *view,
                        struct client_answer *answers)
{
    for (uint32_t i = 0; i < frame->row_count; i++)
        if (frame->rows[i].settings.item_id == view->settings.item_id)
            answers[i] = (struct client_answer){
                .reply = {.code = STOCK_OK}, .view = *view, .has_view = true};
}

/* A list says nothing about one moment, but each of its items must add up. */
static void read_list(const struct client_frame *frame, const Holdfast__V1__ItemListResponse *m,
                      struct client_answer *answers)
{
    check_code(frame, (int)m->result);
    for (uint32_t i = 0; i < frame->row_count; i++)
        answers[i] = (struct client_answer){.is_missing = true};
    for (size_t i = 0; i < m->n_items; i++) {
        struct stock_item_view view;
        read_view(frame, m->items[i], &view);
        read_listed(frame, &view, answers);
        bool is_limited = view.settings.stock != STOCK_UNLIMITED;
        if (is_limited &&
            view.available + (int64_t)view.held + (int64_t)view.sold != view.settings.stock)
            sim_fail("conservation",
                     "item %" PRIu64 " in a list: available %" PRId64 ", held %" PRIu64
                     ", sold %" PRIu64 ", stock %" PRId64,
                     view.settings.item_id, view.available, view.held, view.sold,
                     view.settings.stock);
    }
}

/* ---- replies about snapshots ---- */

static void read_snapshot(struct client_frame *frame, const Holdfast__V1__SnapshotResponse *m)
{
    const struct history_snapshot told = {
        .bytes = m->bytes,
        .item_count = m->items,
        .reservation_count = m->reservations,
        .buyer_count = m->buyers,
        .state_hash = m->state_hash,
    };
    check_code(frame, (int)m->result);
    frame->lsn = frame->offset = 0;
    switch (m->result) {
    case HOLDFAST__V1__RESULT__RESULT_OK:
        require(m->core == frame->number, frame, "another core than was asked");
        history_hear_of_snapshot(m->core, &frame->snapshot_ask, m->lsn, &told);
        frame->lsn = m->lsn;
        break;
    case HOLDFAST__V1__RESULT__RESULT_READ_ONLY:
        history_hear_of_no_snapshot((uint32_t)frame->number, &frame->snapshot_ask);
        break;
    default:
        require(m->result == HOLDFAST__V1__RESULT__RESULT_OVERLOADED ||
                    m->result == HOLDFAST__V1__RESULT__RESULT_LOADING,
                frame, "a result that it does not have");
        break;
    }
}

static void read_piece(struct client_frame *frame, const Holdfast__V1__SnapshotReadResponse *m)
{
    const uint32_t core = (uint32_t)frame->number;
    const struct history_piece piece = {
        .lsn = frame->lsn,
        .offset = frame->offset,
        .file_bytes = m->file_bytes,
        .data = m->data.data,
        .data_bytes = (uint32_t)m->data.len,
    };
    check_code(frame, (int)m->result);
    switch (m->result) {
    case HOLDFAST__V1__RESULT__RESULT_OK:
        history_hear_of_piece(core, &frame->piece_ask, &piece);
        frame->offset += piece.data_bytes;
        if (piece.data_bytes == 0)
            frame->lsn = 0;
        break;
    case HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT:
        history_hear_of_unknown_snapshot(core, &frame->piece_ask, frame->lsn);
        frame->lsn = 0;
        break;
    case HOLDFAST__V1__RESULT__RESULT_READ_ONLY:
        history_hear_of_no_piece(core, &frame->piece_ask);
        break;
    default:
        require(m->result == HOLDFAST__V1__RESULT__RESULT_OVERLOADED ||
                    m->result == HOLDFAST__V1__RESULT__RESULT_LOADING,
                frame, "a result that it does not have");
        break;
    }
}

/* ---- all replies ---- */

bool client_result_is_loading(uint8_t reply_type, const ProtobufCMessage *reply)
{
    const void *m = reply;
    switch (reply_type - FRAME_REPLY) {
    case FRAME_ITEM_CREATE:
    case FRAME_ITEM_UPDATE:
    case FRAME_ITEM_GET:
        return ((const Holdfast__V1__ItemResponse *)m)->result ==
               HOLDFAST__V1__RESULT__RESULT_LOADING;
    case FRAME_ITEM_LIST:
        return ((const Holdfast__V1__ItemListResponse *)m)->result ==
               HOLDFAST__V1__RESULT__RESULT_LOADING;
    case FRAME_STAT:
        return ((const Holdfast__V1__StatResponse *)m)->result ==
               HOLDFAST__V1__RESULT__RESULT_LOADING;
    case FRAME_SNAPSHOT:
        return ((const Holdfast__V1__SnapshotResponse *)m)->result ==
               HOLDFAST__V1__RESULT__RESULT_LOADING;
    case FRAME_SNAPSHOT_READ:
        return ((const Holdfast__V1__SnapshotReadResponse *)m)->result ==
               HOLDFAST__V1__RESULT__RESULT_LOADING;
    default:
        return false;
    }
}

void client_frame_read(struct client_frame *frame, const ProtobufCMessage *reply,
                       struct client_answer *answers_out)
{
    const void *m = reply;
    for (uint32_t i = 0; i < frame->row_count; i++)
        answers_out[i].has_view = answers_out[i].is_missing = false;
    require(!frame->was_served ||
                !client_result_is_loading((uint8_t)(frame->type + FRAME_REPLY), reply),
            frame, "LOADING, and all cores served when it was asked");
    switch (frame->type) {
    case FRAME_PING:
        require(((const Holdfast__V1__PingResponse *)m)->payload == frame->number, frame,
                "another payload than was sent");
        break;
    case FRAME_STAT: {
        const Holdfast__V1__StatResponse *stat = m;
        require(stat->result != HOLDFAST__V1__RESULT__RESULT_OK || stat->core == frame->number,
                frame, "another core than was asked");
        history_hear_of_log(stat->core, stat->log_last_lsn);
        break;
    }
    case FRAME_ITEM_LIST:
        read_list(frame, m, answers_out);
        break;
    case FRAME_SNAPSHOT:
        read_snapshot(frame, m);
        break;
    case FRAME_SNAPSHOT_READ:
        read_piece(frame, m);
        break;
    case FRAME_ITEM_CREATE:
    case FRAME_ITEM_UPDATE:
    case FRAME_ITEM_GET:
        read_item(frame, m, &answers_out[0]);
        break;
    default:
        if (frame->type >= FRAME_RESERVE_BATCH)
            read_batch(frame, m, answers_out);
        else
            read_single(frame, m, &answers_out[0]);
        break;
    }
}

/* ---- text ---- */

static void print_request(const struct stock_request *request, char *to, size_t to_bytes)
{
    static const char *const names[] = {"reserve", "confirm", "cancel", "extend", "get"};
    int used =
        snprintf(to, to_bytes, "%s item %" PRIu64 " id %" PRIx64 ":%" PRIx64, names[request->op],
                 request->item_id, request->reservation_id.high, request->reservation_id.low);
    to += used;
    to_bytes -= (size_t)used;
    switch (request->op) {
    case STOCK_OP_RESERVE:
        snprintf(to, to_bytes,
                 " buyer %" PRIu64 " quantity %" PRIu32 " hold %" PRIu64 "ms data %" PRIu64,
                 request->buyer_id, request->quantity, request->hold_ms, request->user_data);
        break;
    case STOCK_OP_CONFIRM:
        snprintf(to, to_bytes, " quantity %" PRIu32, request->quantity);
        break;
    case STOCK_OP_EXTEND:
        snprintf(to, to_bytes, " until %" PRIu64, request->expires_ms);
        break;
    default:
        break;
    }
}

void client_row_print(const struct history_call *row, char *to, size_t to_bytes)
{
    static const char *const names[] = {
        [HISTORY_ITEM_CREATE] = "create",
        [HISTORY_ITEM_UPDATE] = "update",
        [HISTORY_ITEM_GET] = "look at",
    };
    if (row->op == HISTORY_ROW)
        print_request(&row->request, to, to_bytes);
    else if (row->op == HISTORY_ITEM_GET)
        snprintf(to, to_bytes, "%s item %" PRIu64, names[row->op], row->settings.item_id);
    else
        snprintf(
            to, to_bytes,
            "%s item %" PRIu64 " stock %" PRId64 " limit %" PRIu32 " cap %" PRIu32 " hold %" PRIu64
            "ms opens %" PRIu64 " closes %" PRIu64 " paused %d fields %" PRIx32,
            names[row->op], row->settings.item_id, row->settings.stock, row->settings.buyer_limit,
            row->settings.hold_cap, row->settings.hold_ms, row->settings.opens_at_ms,
            row->settings.closes_at_ms, row->settings.paused, row->update_mask);
}

void client_answer_print(const struct client_answer *answer, char *to, size_t to_bytes)
{
    const struct stock_reply *reply = &answer->reply;
    int used = snprintf(to, to_bytes, "%s", stock_code_name(reply->code));
    to += used;
    to_bytes -= (size_t)used;
    if (answer->has_view)
        snprintf(to, to_bytes,
                 " available %" PRId64 " held %" PRIu64 " sold %" PRIu64 " stock %" PRId64
                 " next %" PRIu64,
                 answer->view.available, answer->view.held, answer->view.sold,
                 answer->view.settings.stock, answer->view.next_sequence);
    else if (reply->state != STOCK_STATE_NONE)
        snprintf(to, to_bytes,
                 " state %u sequence %" PRIu64 " quantity %" PRIu32 "/%" PRIu32 " until %" PRIu64
                 " available %" PRId64,
                 reply->state, reply->sequence, reply->quantity_confirmed, reply->quantity,
                 reply->expires_ms, reply->available);
    else
        snprintf(to, to_bytes, " available %" PRId64, reply->available);
}
