/* The rare requests: items and statistics. A frame becomes a job that carries the frame's body to
 * the core that owns the item; there it is decoded, run, and the reply's frame is written over it.
 */
#include "core/private.h"

#include "base/assert.h"
#include "holdfast/v1/item.pb-c.h"
#include "holdfast/v1/session.pb-c.h"
#include "holdfast/v1/snapshot.pb-c.h"

#include <string.h>

enum {
    REQUEST_BYTES_MAX = 1024,
    REPLY_BYTES_MAX = CONTROL_REPLY_BYTES_MAX,
    ITEM_BYTES_MAX = 256, /* one encoded Item with its tag and length */
    LIST_ITEM_COUNT_MAX = 256,
    LIST_BYTES_MAX = REPLY_BYTES_MAX + LIST_ITEM_COUNT_MAX * ITEM_BYTES_MAX,
};

/* An item and the messages that say it. */
struct item_message {
    struct stock_item_view view;
    Holdfast__V1__ItemSettings settings;
    Holdfast__V1__Item item;
};

static void item_message_fill(struct item_message *message)
{
    const struct stock_item_view *view = &message->view;
    holdfast__v1__item_settings__init(&message->settings);
    message->settings.item_id = view->settings.item_id;
    message->settings.sku.data = (uint8_t *)(uintptr_t)view->settings.sku;
    message->settings.sku.len = view->settings.sku_bytes;
    message->settings.stock = view->settings.stock;
    message->settings.buyer_limit = view->settings.buyer_limit;
    message->settings.hold_cap = view->settings.hold_cap;
    message->settings.hold_ms = view->settings.hold_ms;
    message->settings.opens_at_ms = view->settings.opens_at_ms;
    message->settings.closes_at_ms = view->settings.closes_at_ms;
    message->settings.paused = view->settings.paused;

    holdfast__v1__item__init(&message->item);
    message->item.settings = &message->settings;
    message->item.available = view->available;
    message->item.held = view->held;
    message->item.sold = view->sold;
    message->item.next_sequence = view->next_sequence;
    message->item.created_ms = view->created_ms;
}

/* ---- taking a frame ---- */

/* Settings as the state takes them. False, with the field, when they can't be said there. */
static bool settings_from_message(const Holdfast__V1__ItemSettings *message,
                                  struct stock_item_settings *settings, uint8_t *invalid_field)
{
    memset(settings, 0, sizeof *settings);
    settings->item_id = message->item_id;
    settings->stock = message->stock;
    settings->buyer_limit = message->buyer_limit;
    settings->hold_cap = message->hold_cap;
    settings->hold_ms = message->hold_ms;
    settings->opens_at_ms = message->opens_at_ms;
    settings->closes_at_ms = message->closes_at_ms;
    settings->paused = message->paused;
    if (message->sku.len > STOCK_SKU_BYTES_MAX) {
        *invalid_field = STOCK_FIELD_SKU;
        return false;
    }
    settings->sku_bytes = (uint8_t)message->sku.len;
    if (message->sku.len > 0)
        memcpy(settings->sku, message->sku.data, message->sku.len);
    return true;
}

/* Bits for the named fields; 0 for one that is unknown. */
static uint32_t update_mask_of(const Holdfast__V1__ItemUpdateRequest *request)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < request->n_fields; i++) {
        if (request->fields[i] < HOLDFAST__V1__ITEM_FIELD__ITEM_FIELD_STOCK ||
            request->fields[i] > HOLDFAST__V1__ITEM_FIELD__ITEM_FIELD_PAUSED)
            return 0;
        mask |= 1u << (request->fields[i] - HOLDFAST__V1__ITEM_FIELD__ITEM_FIELD_STOCK);
    }
    return mask;
}

static_assert(1 << (HOLDFAST__V1__ITEM_FIELD__ITEM_FIELD_PAUSED -
                    HOLDFAST__V1__ITEM_FIELD__ITEM_FIELD_STOCK) ==
                  STOCK_UPDATE_PAUSED,
              "the fields of an update stand in the same order on the wire and in the state");

/* The core that has to run the request. Returns what is wrong with the request, or NULL. */
static const char *route(const struct core *core, uint8_t type, const ProtobufCMessage *message,
                         uint32_t *core_out)
{
    switch (type) {
    case FRAME_ITEM_CREATE: {
        const Holdfast__V1__ItemCreateRequest *request = (const void *)message;
        if (request->settings == NULL)
            return "settings are missing";
        *core_out = core_of_hash(core, item_hash(request->settings->item_id));
        return NULL;
    }
    case FRAME_ITEM_UPDATE: {
        const Holdfast__V1__ItemUpdateRequest *request = (const void *)message;
        if (request->settings == NULL)
            return "settings are missing";
        if (update_mask_of(request) == 0)
            return "fields must name at least one field, and known ones only";
        *core_out = core_of_hash(core, item_hash(request->settings->item_id));
        return NULL;
    }
    case FRAME_ITEM_GET: {
        const Holdfast__V1__ItemGetRequest *request = (const void *)message;
        *core_out = core_of_hash(core, item_hash(request->item_id));
        return NULL;
    }
    case FRAME_ITEM_LIST:
        *core_out = ((const Holdfast__V1__ItemListRequest *)(const void *)message)->core;
        return NULL;
    case FRAME_STAT:
        *core_out = ((const Holdfast__V1__StatRequest *)(const void *)message)->core;
        return NULL;
    case FRAME_SNAPSHOT:
        *core_out = ((const Holdfast__V1__SnapshotRequest *)(const void *)message)->core;
        return NULL;
    default: {
        hf_assert(type == FRAME_SNAPSHOT_READ);
        const Holdfast__V1__SnapshotReadRequest *request = (const void *)message;
        if (request->offset % LOG_BLOCK_BYTES != 0)
            return "offset is not a multiple of 4096";
        *core_out = request->core;
        return NULL;
    }
    }
}

static const ProtobufCMessage *decode(struct core *core, uint8_t type, const uint8_t *body,
                                      uint32_t body_bytes)
{
    return message_decode(&core->arena, message_descriptor(type), body, body_bytes);
}

/* The answer to a request that is not looked at. */
static void refuse(struct core *core, const struct net_frame *frame, Holdfast__V1__Result result);
static void tell_loading(struct core *core, const struct net_frame *frame);

static uint32_t reply_bytes_max(uint8_t type)
{
    switch (type) {
    case FRAME_ITEM_LIST:
        return LIST_BYTES_MAX;
    case FRAME_SNAPSHOT_READ:
        return REPLY_BYTES_MAX + SAVING_READ_BYTES;
    default:
        return REPLY_BYTES_MAX;
    }
}

enum frame_outcome control_take_frame(struct core *core, const struct net_frame *frame)
{
    uint32_t body_bytes = frame->header.body_bytes;
    uint8_t type = frame->header.type;
    uint32_t to = 0;
    if (core->phase != CORE_PHASE_SERVING) {
        tell_loading(core, frame);
        return FRAME_TAKEN;
    }
    const ProtobufCMessage *message =
        body_bytes <= REQUEST_BYTES_MAX ? decode(core, type, frame->body, body_bytes) : NULL;
    if (message == NULL) {
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY,
                      "the body is not the message that the frame's type says, or is too long");
        return FRAME_TAKEN;
    }
    const char *fault = route(core, type, message, &to);
    if (fault != NULL) {
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY, fault);
        return FRAME_TAKEN;
    }
    if (to >= core->server->options.core_count) {
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_NO_SUCH_CORE,
                      "there is no such core");
        return FRAME_TAKEN;
    }
    if (to != core->index && !exchange_has_room(&core->port, to, 1)) {
        refuse(core, frame, HOLDFAST__V1__RESULT__RESULT_OVERLOADED);
        return FRAME_TAKEN;
    }
    struct job *job = job_acquire_data(&core->jobs, reply_bytes_max(type));
    if (job == NULL)
        return FRAME_NO_ROOM;
    job->kind = JOB_CONTROL;
    job->origin_core = (uint16_t)core->index;
    job->connection = frame->connection;
    job->request_id = frame->header.request_id;
    job->frame_type = type;
    job->parts_left = 1;
    job->data_bytes = body_bytes;
    if (body_bytes > 0)
        memcpy(job->data, frame->body, body_bytes);
    if (to == core->index)
        control_run(core, job);
    else
        exchange_send(&core->port, to, job);
    return FRAME_TAKEN;
}

/* ---- running ---- */

void control_encode_reply(struct job *job, const ProtobufCMessage *message, uint32_t bytes_max)
{
    job->data_bytes = (uint32_t)message_encode_frame(message, job->frame_type + FRAME_REPLY,
                                                     job->request_id, job->data, bytes_max);
    hf_assert(job->data_bytes > 0);
}

/* The answer tells what this record brought about. */
static void depend_on(struct job *job, uint64_t lsn)
{
    if (lsn > job->wait_lsn)
        job->wait_lsn = lsn;
}

static void encode_item_reply(struct core *core, struct job *job, uint64_t item_id,
                              const struct stock_reply *reply)
{
    struct item_message message;
    Holdfast__V1__ItemResponse response = HOLDFAST__V1__ITEM_RESPONSE__INIT;
    response.result = (Holdfast__V1__Result)reply->code;
    response.invalid_field = (Holdfast__V1__Field)reply->invalid_field;
    depend_on(job, reply->seen_lsn);
    if (stock_item_find(core->stock, item_id, &message.view)) {
        item_message_fill(&message);
        response.item = &message.item;
        depend_on(job, message.view.changed_lsn);
    }
    control_encode_reply(job, &response.base, REPLY_BYTES_MAX);
}

/* Tells every other core of the new item; the job goes on when all have said that they know. */
static void spread_item(struct core *core, struct job *job, uint64_t hash)
{
    filter_add(&core->filter, hash);
    for (uint32_t to = 0; to < core->server->options.core_count; to++) {
        if (to == core->index)
            continue;
        struct job *add = job_acquire_data(&core->jobs, 0);
        hf_assert(add != NULL); /* can_spread() saw to it */
        add->kind = JOB_FILTER_ADD;
        add->parent = job;
        add->item_hash = hash;
        job->parts_left++;
        exchange_send(&core->port, to, add);
    }
}

/* Is there room to tell all other cores of one more item? */
static bool can_spread(const struct core *core)
{
    uint32_t core_count = core->server->options.core_count;
    for (uint32_t to = 0; to < core_count; to++)
        if (to != core->index && !exchange_has_room(&core->port, to, 1))
            return false;
    return job_room(&core->jobs) >= core_count;
}

static void run_item_create(struct core *core, struct job *job,
                            const Holdfast__V1__ItemCreateRequest *request)
{
    struct stock_item_settings settings;
    struct stock_reply reply = {.code = STOCK_INVALID};
    struct stock_record record = {.type = STOCK_RECORD_NONE};

    if (!can_spread(core))
        reply.code = STOCK_OVERLOADED;
    else if (settings_from_message(request->settings, &settings, &reply.invalid_field))
        stock_decide_item_create(core->stock, &settings, core->now_ms, &reply, &record);
    bool is_wanted = record.type != STOCK_RECORD_NONE && !request->validate_only;
    if (is_wanted && !core_may_record(core, &record)) {
        reply = (struct stock_reply){.code = STOCK_READ_ONLY};
    } else if (is_wanted) {
        core_apply(core, &record);
        spread_item(core, job, item_hash(settings.item_id));
    }
    encode_item_reply(core, job, request->settings->item_id, &reply);
}

static void run_item_update(struct core *core, struct job *job,
                            const Holdfast__V1__ItemUpdateRequest *request)
{
    struct stock_item_settings settings;
    struct stock_reply reply = {.code = STOCK_INVALID};
    struct stock_record record = {.type = STOCK_RECORD_NONE};

    if (settings_from_message(request->settings, &settings, &reply.invalid_field))
        stock_decide_item_update(core->stock, &settings, update_mask_of(request), core->now_ms,
                                 &reply, &record);
    if (record.type != STOCK_RECORD_NONE && !core_may_record(core, &record))
        reply = (struct stock_reply){.code = STOCK_READ_ONLY};
    else if (record.type != STOCK_RECORD_NONE)
        core_apply(core, &record);
    encode_item_reply(core, job, request->settings->item_id, &reply);
}

static void run_item_get(struct core *core, struct job *job,
                         const Holdfast__V1__ItemGetRequest *request)
{
    struct stock_item_view view;
    struct stock_reply reply = {.code = STOCK_UNKNOWN_ITEM};
    if (stock_item_find(core->stock, request->item_id, &view))
        reply.code = STOCK_OK;
    encode_item_reply(core, job, request->item_id, &reply);
}

static void run_item_list(struct core *core, struct job *job,
                          const Holdfast__V1__ItemListRequest *request)
{
    struct item_message messages[LIST_ITEM_COUNT_MAX];
    Holdfast__V1__Item *items[LIST_ITEM_COUNT_MAX];
    Holdfast__V1__ItemListResponse response = HOLDFAST__V1__ITEM_LIST_RESPONSE__INIT;
    struct stock_item_view next;
    uint32_t position = request->position;
    uint32_t count_max = request->count_max != 0 && request->count_max < LIST_ITEM_COUNT_MAX
                             ? request->count_max
                             : LIST_ITEM_COUNT_MAX;

    while (response.n_items < count_max &&
           stock_item_at(core->stock, position, &messages[response.n_items].view)) {
        struct item_message *message = &messages[response.n_items];
        item_message_fill(message);
        depend_on(job, message->view.changed_lsn);
        items[response.n_items++] = &message->item;
        position++;
    }
    response.result = HOLDFAST__V1__RESULT__RESULT_OK;
    response.items = items;
    response.has_more = stock_item_at(core->stock, position, &next);
    if (response.has_more)
        depend_on(job, next.changed_lsn);
    response.next_position = position;
    core->work += response.n_items;
    control_encode_reply(job, &response.base, LIST_BYTES_MAX);
}

static void run_stat(struct core *core, struct job *job, const Holdfast__V1__StatRequest *request)
{
    struct stock_counts stock = stock_counts(core->stock);
    struct net_counts net = net_counts(core->net);
    struct wal_counts wal = wal_counts(core->wal);
    Holdfast__V1__StatResponse response = HOLDFAST__V1__STAT_RESPONSE__INIT;

    response.result = HOLDFAST__V1__RESULT__RESULT_OK;
    response.core = core->index;
    response.core_count = core->server->options.core_count;
    response.now_ms = core->now_ms;
    response.uptime_ms = core->now_ms - core->opened_ms;
    response.items = stock.items;
    response.reservations = stock.reservations;
    response.held = stock.held;
    response.confirmed = stock.confirmed;
    response.cancelled = stock.cancelled;
    response.expired = stock.expired;
    response.buyers = stock.buyers;
    response.units_held = stock.units_held;
    response.units_sold = stock.units_sold;
    response.connections = net.connections;
    response.bad_frames = net.bad_frames;
    response.frames = core->counts.frames;
    response.rows = core->counts.rows;
    response.rows_accepted = core->counts.rows_accepted;
    response.rows_refused = core->counts.rows_refused;
    response.rows_forwarded = core->counts.rows_forwarded;
    response.rows_filtered = core->counts.rows_filtered;
    response.rows_filter_missed = core->counts.rows_filter_missed;
    response.expiries = core->counts.expiries;
    response.expiry_late_ms_max = core->counts.expiry_late_ms_max;
    response.log_groups = wal.groups;
    response.log_records = wal.records;
    response.log_bytes = wal.bytes;
    response.log_last_lsn = wal_last_lsn(core->wal);
    response.log_durable_lsn = wal_durable_lsn(core->wal);
    response.lacks_space = wal_lacks_space(core->wal);
    saving_fill_stat(core, &response);
    if (request->state_hash) {
        response.state_hash = stock_hash(core->stock);
        core->work += stock.items + stock.reservations + stock.buyers;
    }
    job->wait_lsn = wal_last_lsn(core->wal); /* it has seen everything */
    control_encode_reply(job, &response.base, REPLY_BYTES_MAX);
}

void control_run(struct core *core, struct job *job)
{
    const ProtobufCMessage *message = decode(core, job->frame_type, job->data, job->data_bytes);
    hf_assert(message != NULL); /* it was decoded once already */
    switch (job->frame_type) {
    case FRAME_ITEM_CREATE:
        run_item_create(core, job, (const void *)message);
        break;
    case FRAME_ITEM_UPDATE:
        run_item_update(core, job, (const void *)message);
        break;
    case FRAME_ITEM_GET:
        run_item_get(core, job, (const void *)message);
        break;
    case FRAME_ITEM_LIST:
        run_item_list(core, job, (const void *)message);
        break;
    case FRAME_STAT:
        run_stat(core, job, (const void *)message);
        break;
    case FRAME_SNAPSHOT:
        saving_ask(core, job); /* answered when it is there */
        return;
    default:
        saving_read(core, job, (const void *)message); /* answered when the disk has */
        return;
    }
    core_finish_part(core, job);
}

/* ---- answering ---- */

void control_reply(struct core *core, struct job *job)
{
    uint8_t *frame = net_reply_begin(core->net, job->connection, job->data_bytes);
    if (frame == NULL)
        return;
    memcpy(frame, job->data, job->data_bytes);
    net_reply_commit(core->net, job->connection, job->data_bytes);
}

static void send_now(struct core *core, const struct net_frame *frame,
                     const ProtobufCMessage *message)
{
    uint8_t *to = net_reply_begin(core->net, frame->connection, REPLY_BYTES_MAX);
    if (to == NULL)
        return;
    size_t bytes = message_encode_frame(message, frame->header.type + FRAME_REPLY,
                                        frame->header.request_id, to, REPLY_BYTES_MAX);
    hf_assert(bytes > 0);
    net_reply_commit(core->net, frame->connection, (uint32_t)bytes);
}

/* `result` is field 1 of every control response, so the shortest of them says it for all. */
static void refuse(struct core *core, const struct net_frame *frame, Holdfast__V1__Result result)
{
    Holdfast__V1__ItemResponse response = HOLDFAST__V1__ITEM_RESPONSE__INIT;
    response.result = result;
    send_now(core, frame, &response.base);
}

/* Each core tells of itself, whatever core the request names. */
static void tell_loading(struct core *core, const struct net_frame *frame)
{
    struct load_progress progress = load_progress(core);
    Holdfast__V1__StatResponse response = HOLDFAST__V1__STAT_RESPONSE__INIT;
    if (frame->header.type != FRAME_STAT) {
        refuse(core, frame, HOLDFAST__V1__RESULT__RESULT_LOADING);
        return;
    }
    response.result = HOLDFAST__V1__RESULT__RESULT_LOADING;
    response.core = core->index;
    response.core_count = core->server->options.core_count;
    response.now_ms = core->now_ms;
    response.load_bytes = progress.bytes;
    response.load_bytes_done = progress.bytes_done;
    response.load_ready_ms = load_ready_ms(core);
    send_now(core, frame, &response.base);
}
