#include "client.h"

#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/session.pb-c.h>
#include <holdfast/v1/snapshot.pb-c.h>
#include <stdio.h>
#include <string.h>

/* Frames to replies. What the server sends is checked like any bytes from outside: a reply that is
 * not what its flight waits for is refused as a whole, before any call is answered. Calls that a
 * loading server has put off are not answered, they wait for it: but for Stat, which is how to ask
 * for its progress. */

enum { BODY_BYTES_MIN = 1024 };

static const void *decode(hf_client *client, const struct frame_header *header, const uint8_t *body)
{
    const ProtobufCMessageDescriptor *descriptor = message_descriptor(header->type);
    return descriptor ? message_decode(&client->arena, descriptor, body, header->body_bytes) : NULL;
}

/* ---- outcomes ---- */

/* Does a refusal of a repeat tell that the first was not done either? Not while the first may still
 * be on its way; and only the refusals that are given after the id was looked up. The settings of
 * an item may have been changed after it was created, which makes the repeat a conflict. */
static bool is_conclusive(const struct call *call, hf_result result)
{
    if (call->op == CALL_STAT || call->op == CALL_SNAPSHOT_READ)
        return true; /* they do nothing, so nothing is in doubt */
    if (call->may_come_late)
        return false;
    if (call->op == CALL_ITEM_CREATE && result == HF_RESULT_ID_CONFLICT)
        return false;
    return result <= HF_RESULT_ALREADY_CONFIRMED || result == HF_RESULT_CAPACITY;
}

struct call_answer decode_answer(const struct call *call, int result)
{
    struct call_answer answer = {HF_REFUSED, (hf_result)result, HF_ERROR_NONE};
    if (result == HF_RESULT_OK || result == HF_RESULT_DUPLICATE) {
        answer.outcome = HF_APPLIED;
    } else if (call->was_sent && !is_conclusive(call, answer.result)) {
        answer.outcome = HF_UNKNOWN;
        answer.error = HF_ERROR_TURNED_AWAY;
    }
    return answer;
}

static void set_answer(union call_reply *reply, const struct call *call, int result)
{
    memset(reply, 0, sizeof *reply);
    reply->answer = decode_answer(call, result);
}

/* True when the call was put off and is in a queue again. */
static bool is_put_off(struct flight *flight, struct call *call, int result, uint64_t ready_ms)
{
    return result == HF_RESULT_LOADING && connection_put_off(flight->connection, call, ready_ms);
}

/* ---- reservations ---- */

static bool decode_single(hf_client *client, struct flight *flight,
                          const Holdfast__V1__ReservationResponse *message)
{
    if (message->result == HOLDFAST__V1__RESULT__RESULT_UNSPECIFIED)
        return false;
    struct list *link = list_pop_head(&flight->calls);
    if (!link)
        return true; /* it gave up at its deadline */
    struct call *call = list_entry(link, struct call, link);
    if (is_put_off(flight, call, (int)message->result, message->expires_ms))
        return true;
    union call_reply reply;
    set_answer(&reply, call, (int)message->result);
    hf_reply *row = &reply.row;
    row->is_repeat = row->result == HF_RESULT_DUPLICATE;
    row->state = (hf_state)message->state;
    row->invalid_field = (hf_field)message->invalid_field;
    row->quantity = message->quantity;
    row->quantity_confirmed = message->quantity_confirmed;
    row->sequence = message->sequence;
    row->expires_ms = message->expires_ms;
    row->available = message->available;
    row->buyer_id = message->buyer_id;
    row->user_data = message->user_data;
    row->created_ms = message->created_ms;
    loop_complete(client, call, &reply);
    return true;
}

static bool batch_is_valid(const Holdfast__V1__ReservationBatchResponse *batch, uint32_t row_count)
{
    if (batch->row_count != row_count || batch->n_result == 0)
        return false;
    const size_t lengths[] = {batch->n_result,
                              batch->n_state,
                              batch->n_invalid_field,
                              batch->n_quantity,
                              batch->n_quantity_confirmed,
                              batch->n_sequence,
                              batch->n_expires_ms,
                              batch->n_available,
                              batch->n_buyer_id,
                              batch->n_user_data,
                              batch->n_created_ms};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (!message_column_fits(lengths[i], row_count))
            return false;
    }
    for (size_t i = 0; i < batch->n_result; i++) {
        if (batch->result[i] == HOLDFAST__V1__RESULT__RESULT_UNSPECIFIED)
            return false;
    }
    return true;
}

/* Element `row` of a column of enums or signed numbers, by the rule of lengths. */
#define COLUMN(batch, name, row)                                                                   \
    ((batch)->n_##name > 1 ? (batch)->name[row] : (batch)->n_##name == 1 ? (batch)->name[0] : 0)

static void complete_row(hf_client *client, struct flight *flight, struct call *call,
                         const Holdfast__V1__ReservationBatchResponse *batch)
{
    uint32_t i = call->row;
    int result = (int)COLUMN(batch, result, i);
    if (is_put_off(flight, call, result, COLUMN(batch, expires_ms, i)))
        return;
    union call_reply reply;
    set_answer(&reply, call, result);
    hf_reply *row = &reply.row;
    row->is_repeat = row->result == HF_RESULT_DUPLICATE;
    row->state = (hf_state)COLUMN(batch, state, i);
    row->invalid_field = (hf_field)COLUMN(batch, invalid_field, i);
    row->quantity = COLUMN(batch, quantity, i);
    row->quantity_confirmed = COLUMN(batch, quantity_confirmed, i);
    row->sequence = COLUMN(batch, sequence, i);
    row->expires_ms = COLUMN(batch, expires_ms, i);
    row->available = COLUMN(batch, available, i);
    row->buyer_id = COLUMN(batch, buyer_id, i);
    row->user_data = COLUMN(batch, user_data, i);
    row->created_ms = COLUMN(batch, created_ms, i);
    loop_complete(client, call, &reply);
}

static bool decode_batch(hf_client *client, struct flight *flight,
                         const Holdfast__V1__ReservationBatchResponse *batch)
{
    if (!batch_is_valid(batch, flight->row_count))
        return false;
    struct list *link;
    while ((link = list_pop_head(&flight->calls)))
        complete_row(client, flight, list_entry(link, struct call, link), batch);
    return true;
}

/* ---- items ---- */

static bool item_is_valid(const Holdfast__V1__Item *item)
{
    return item->settings && item->settings->sku.len <= HF_SKU_BYTES_MAX;
}

static void copy_item(hf_item *to, const Holdfast__V1__Item *from)
{
    memset(to, 0, sizeof *to);
    if (from->settings->sku.len > 0)
        memcpy(to->settings.sku, from->settings->sku.data, from->settings->sku.len);
    to->settings.item_id = from->settings->item_id;
    to->settings.stock = from->settings->stock;
    to->settings.buyer_limit = from->settings->buyer_limit;
    to->settings.hold_cap = from->settings->hold_cap;
    to->settings.hold_ms = from->settings->hold_ms;
    to->settings.opens_at_ms = from->settings->opens_at_ms;
    to->settings.closes_at_ms = from->settings->closes_at_ms;
    to->settings.paused = from->settings->paused;
    to->available = from->available;
    to->held = from->held;
    to->sold = from->sold;
    to->next_sequence = from->next_sequence;
    to->created_ms = from->created_ms;
}

static bool decode_item(hf_client *client, struct flight *flight,
                        const Holdfast__V1__ItemResponse *message)
{
    if (message->result == HOLDFAST__V1__RESULT__RESULT_UNSPECIFIED ||
        (message->item && !item_is_valid(message->item)))
        return false;
    struct list *link = list_pop_head(&flight->calls);
    if (!link)
        return true;
    struct call *call = list_entry(link, struct call, link);
    if (is_put_off(flight, call, (int)message->result, 0))
        return true;
    union call_reply reply;
    set_answer(&reply, call, (int)message->result);
    reply.item.is_repeat = reply.item.result == HF_RESULT_DUPLICATE;
    reply.item.invalid_field = (hf_field)message->invalid_field;
    reply.item.has_item = message->item != NULL;
    if (message->item)
        copy_item(&reply.item.item, message->item);
    loop_complete(client, call, &reply);
    return true;
}

static bool page_is_valid(const struct call *call, const Holdfast__V1__ItemListResponse *message)
{
    if (message->n_items > call->request.list.count_max)
        return false;
    for (size_t i = 0; i < message->n_items; i++) {
        if (!item_is_valid(message->items[i]))
            return false;
    }
    return true;
}

static bool decode_page(hf_client *client, struct flight *flight,
                        const Holdfast__V1__ItemListResponse *message)
{
    if (message->result == HOLDFAST__V1__RESULT__RESULT_UNSPECIFIED)
        return false;
    if (list_is_empty(&flight->calls))
        return true;
    struct call *call = list_entry(flight->calls.next, struct call, link);
    if (!page_is_valid(call, message))
        return false;
    list_remove(&call->link);
    if (is_put_off(flight, call, (int)message->result, 0))
        return true;
    const struct call_list *list = &call->request.list;
    for (size_t i = 0; i < message->n_items; i++)
        copy_item(&list->items_out[i], message->items[i]);
    *list->next_out = (hf_item_cursor){list->core, message->next_position, !message->has_more};
    union call_reply reply;
    set_answer(&reply, call, (int)message->result);
    reply.page.count = (uint32_t)message->n_items;
    loop_complete(client, call, &reply);
    return true;
}

/* ---- the server ---- */

static bool decode_ping(hf_client *client, struct flight *flight,
                        const Holdfast__V1__PingResponse *message)
{
    struct list *link = list_pop_head(&flight->calls);
    if (!link)
        return true;
    struct call *call = list_entry(link, struct call, link);
    union call_reply reply;
    set_answer(&reply, call, HF_RESULT_OK);
    reply.ping.now_ms = message->now_ms;
    loop_complete(client, call, &reply);
    return true;
}

static bool decode_stat(hf_client *client, struct flight *flight,
                        const Holdfast__V1__StatResponse *message)
{
    if (message->result == HOLDFAST__V1__RESULT__RESULT_UNSPECIFIED)
        return false;
    struct list *link = list_pop_head(&flight->calls);
    if (!link)
        return true;
    struct call *call = list_entry(link, struct call, link);
    union call_reply reply;
    set_answer(&reply, call, (int)message->result);
    hf_stat *stat = &reply.stat;
    stat->core = message->core;
    stat->core_count = message->core_count;
    stat->now_ms = message->now_ms;
    stat->uptime_ms = message->uptime_ms;
    stat->items = message->items;
    stat->reservations = message->reservations;
    stat->held = message->held;
    stat->confirmed = message->confirmed;
    stat->cancelled = message->cancelled;
    stat->expired = message->expired;
    stat->buyers = message->buyers;
    stat->units_held = message->units_held;
    stat->units_sold = message->units_sold;
    stat->connections = message->connections;
    stat->frames = message->frames;
    stat->rows = message->rows;
    stat->rows_accepted = message->rows_accepted;
    stat->rows_refused = message->rows_refused;
    stat->rows_forwarded = message->rows_forwarded;
    stat->rows_filtered = message->rows_filtered;
    stat->rows_filter_missed = message->rows_filter_missed;
    stat->bad_frames = message->bad_frames;
    stat->log_groups = message->log_groups;
    stat->log_records = message->log_records;
    stat->log_bytes = message->log_bytes;
    stat->log_last_lsn = message->log_last_lsn;
    stat->log_durable_lsn = message->log_durable_lsn;
    stat->expiries = message->expiries;
    stat->expiry_late_ms_max = message->expiry_late_ms_max;
    stat->state_hash = message->state_hash;
    stat->load_bytes = message->load_bytes;
    stat->load_bytes_done = message->load_bytes_done;
    stat->load_ready_ms = message->load_ready_ms;
    stat->snapshot_lsn = message->snapshot_lsn;
    stat->snapshot_taken_ms = message->snapshot_taken_ms;
    stat->snapshots = message->snapshots;
    stat->log_bytes_behind = message->log_bytes_behind;
    stat->lacks_space = message->lacks_space;
    loop_complete(client, call, &reply);
    return true;
}

/* ---- snapshots ---- */

static bool decode_snapshot(hf_client *client, struct flight *flight,
                            const Holdfast__V1__SnapshotResponse *message)
{
    if (message->result == HOLDFAST__V1__RESULT__RESULT_UNSPECIFIED)
        return false;
    struct list *link = list_pop_head(&flight->calls);
    if (!link)
        return true;
    struct call *call = list_entry(link, struct call, link);
    if (is_put_off(flight, call, (int)message->result, 0))
        return true;
    union call_reply reply;
    set_answer(&reply, call, (int)message->result);
    reply.snapshot.lsn = message->lsn;
    reply.snapshot.bytes = message->bytes;
    reply.snapshot.items = message->items;
    reply.snapshot.reservations = message->reservations;
    reply.snapshot.buyers = message->buyers;
    reply.snapshot.state_hash = message->state_hash;
    loop_complete(client, call, &reply);
    return true;
}

static bool decode_piece(hf_client *client, struct flight *flight,
                         const Holdfast__V1__SnapshotReadResponse *message)
{
    if (message->result == HOLDFAST__V1__RESULT__RESULT_UNSPECIFIED ||
        message->data.len > HF_SNAPSHOT_PIECE_BYTES)
        return false;
    struct list *link = list_pop_head(&flight->calls);
    if (!link)
        return true;
    struct call *call = list_entry(link, struct call, link);
    if (is_put_off(flight, call, (int)message->result, 0))
        return true;
    union call_reply reply;
    set_answer(&reply, call, (int)message->result);
    reply.piece.file_bytes = message->file_bytes;
    reply.piece.bytes = (uint32_t)message->data.len;
    if (message->data.len > 0)
        memcpy(call->request.snapshot.data_out, message->data.data, message->data.len);
    loop_complete(client, call, &reply);
    return true;
}

bool decode_reply(hf_client *client, struct flight *flight, const struct frame_header *header,
                  const uint8_t *body)
{
    if (header->type != flight->type + FRAME_REPLY)
        return false;
    const void *message = decode(client, header, body);
    if (!message)
        return false;
    switch (flight->type) {
    case FRAME_RESERVE:
    case FRAME_CONFIRM:
    case FRAME_CANCEL:
    case FRAME_EXTEND:
    case FRAME_GET:
        return decode_single(client, flight, message);
    case FRAME_ITEM_CREATE:
    case FRAME_ITEM_UPDATE:
    case FRAME_ITEM_GET:
        return decode_item(client, flight, message);
    case FRAME_ITEM_LIST:
        return decode_page(client, flight, message);
    case FRAME_PING:
        return decode_ping(client, flight, message);
    case FRAME_STAT:
        return decode_stat(client, flight, message);
    case FRAME_SNAPSHOT:
        return decode_snapshot(client, flight, message);
    case FRAME_SNAPSHOT_READ:
        return decode_piece(client, flight, message);
    default:
        return decode_batch(client, flight, message);
    }
}

/* ---- greeting and errors ---- */

static bool hello_is_valid(const Holdfast__V1__HelloResponse *message)
{
    return message->result == HOLDFAST__V1__RESULT__RESULT_OK &&
           message->protocol_version == FRAME_VERSION &&
           message->server_id.len == HF_SERVER_ID_BYTES && message->core_count >= 1 &&
           message->core_count <= HF_CORE_COUNT_MAX && message->core < message->core_count &&
           message->body_bytes_max >= BODY_BYTES_MIN && message->batch_rows_max >= 1;
}

static void copy_text(char *to, size_t to_bytes, const ProtobufCBinaryData *from)
{
    snprintf(to, to_bytes, "%.*s", (int)from->len, from->len ? (const char *)from->data : "");
}

bool decode_hello(hf_client *client, const struct frame_header *header, const uint8_t *body,
                  hf_server_info *info_out, uint32_t *core_out)
{
    if (header->type != FRAME_HELLO + FRAME_REPLY)
        return false;
    const Holdfast__V1__HelloResponse *message = decode(client, header, body);
    if (!message || !hello_is_valid(message))
        return false;
    memset(info_out, 0, sizeof *info_out);
    memcpy(info_out->server_id, message->server_id.data, HF_SERVER_ID_BYTES);
    copy_text(info_out->server_version, sizeof info_out->server_version, &message->server_version);
    info_out->features = message->features;
    info_out->now_ms = message->now_ms;
    info_out->core_count = message->core_count;
    info_out->body_bytes_max = message->body_bytes_max;
    info_out->batch_rows_max = message->batch_rows_max;
    *core_out = message->core;
    return true;
}

static hf_error error_of(Holdfast__V1__ErrorCode code)
{
    switch (code) {
    case HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_VERSION:
        return HF_ERROR_VERSION;
    case HOLDFAST__V1__ERROR_CODE__ERROR_CODE_WRONG_SERVER:
        return HF_ERROR_WRONG_SERVER;
    case HOLDFAST__V1__ERROR_CODE__ERROR_CODE_NO_SUCH_CORE:
        return HF_ERROR_NO_SUCH_CORE;
    default:
        return HF_ERROR_REJECTED;
    }
}

bool decode_error(hf_client *client, const struct frame_header *header, const uint8_t *body,
                  struct decoded_error *error_out)
{
    if (header->type != FRAME_ERROR)
        return false;
    const Holdfast__V1__ErrorResponse *message = decode(client, header, body);
    if (!message)
        return false;
    error_out->error = error_of(message->code);
    error_out->closes = message->code < HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY;
    if (message->detail.len > 0)
        copy_text(error_out->detail, sizeof error_out->detail, &message->detail);
    else
        snprintf(error_out->detail, sizeof error_out->detail, "error %d of the server",
                 (int)message->code);
    return true;
}
