#include "client.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>

/* The public calls. A synchronous one is an asynchronous one whose callback copies the reply to the
 * caller's and wakes it: the callback comes in any case, at the deadline or when the client is
 * closed at the latest, so the caller waits without a time limit of its own. It does not touch the
 * client after that, which may be gone by then. */

static uint64_t deadline_at(const hf_client *client, uint32_t deadline_ms)
{
    return monotonic_ms() + (deadline_ms > 0 ? deadline_ms : client->options.deadline_ms);
}

/* ---- starting ---- */

/* What all kinds of calls need to be started. */
struct start {
    enum call_op op;
    uint32_t deadline_ms;
    bool waits_for_room;
    union call_callback callback;
    void *context;
};

static hf_error start_call(hf_client *client, const struct start *start, const void *request,
                           size_t request_bytes)
{
    uint64_t deadline_at_ms = deadline_at(client, start->deadline_ms);
    hf_error error;
    struct call *call =
        client_acquire_call(client, start->waits_for_room ? deadline_at_ms : 0, &error);
    if (!call)
        return error;
    call->op = (uint8_t)start->op;
    call->callback = start->callback;
    call->context = start->context;
    memcpy(&call->request, request, request_bytes);
    return client_submit(client, call, deadline_at_ms) ? HF_ERROR_NONE : HF_ERROR_CLOSED;
}

/* Waits for the one callback of a synchronous call. */
struct waiter {
    sem_t done;
    void *reply_out;
};

static void wake(struct waiter *waiter, const void *reply, size_t reply_bytes)
{
    memcpy(waiter->reply_out, reply, reply_bytes);
    sem_post(&waiter->done);
}

/* `reply_out` begins with a struct call_answer and is zeroed when the call could not be started. */
static hf_outcome wait_call(hf_client *client, struct start *start, const void *request,
                            size_t request_bytes, void *reply_out, size_t reply_bytes)
{
    struct waiter waiter = {.reply_out = reply_out};
    hf_error error = HF_ERROR_IN_CALLBACK;
    if (!client_is_own_thread(client)) {
        sem_init(&waiter.done, 0, 0);
        start->waits_for_room = true;
        start->context = &waiter; /* cppcheck-suppress autoVariables ; until it is done */
        error = start_call(client, start, request, request_bytes);
        while (error == HF_ERROR_NONE && sem_wait(&waiter.done) != 0 && errno == EINTR)
            continue;
        sem_destroy(&waiter.done);
        start->context = NULL;
    }
    struct call_answer answer;
    if (error != HF_ERROR_NONE) {
        answer = (struct call_answer){HF_NOT_SENT, HF_RESULT_NONE, error};
        memset(reply_out, 0, reply_bytes);
        memcpy(reply_out, &answer, sizeof answer);
    }
    memcpy(&answer, reply_out, sizeof answer);
    return answer.outcome;
}

/* ---- reservations ---- */

static void wake_row(const hf_reply *reply, void *context)
{
    wake(context, reply, sizeof *reply);
}

static hf_outcome wait_row(hf_client *client, enum call_op op, uint32_t deadline_ms,
                           const struct call_row *row, hf_reply *reply_out)
{
    struct start start = {.op = op, .deadline_ms = deadline_ms, .callback.row = wake_row};
    return wait_call(client, &start, row, sizeof *row, reply_out, sizeof *reply_out);
}

static hf_error start_row(hf_client *client, enum call_op op, uint32_t deadline_ms,
                          const struct call_row *row, hf_reply_fn callback, void *context)
{
    if (!callback)
        return HF_ERROR_ARGUMENT;
    struct start start = {
        .op = op, .deadline_ms = deadline_ms, .callback.row = callback, .context = context};
    return start_call(client, &start, row, sizeof *row);
}

static struct call_row reserve_row(const hf_reserve_request *request)
{
    return (struct call_row){
        .id = request->id,
        .item_id = request->item_id,
        .buyer_id = request->buyer_id,
        .quantity = request->quantity,
        .hold_ms = request->hold_ms,
        .user_data = request->user_data,
    };
}

static struct call_row confirm_row(const hf_confirm_request *request)
{
    return (struct call_row){
        .id = request->id, .item_id = request->item_id, .quantity = request->quantity};
}

static struct call_row cancel_row(const hf_cancel_request *request)
{
    return (struct call_row){.id = request->id, .item_id = request->item_id};
}

static struct call_row extend_row(const hf_extend_request *request)
{
    return (struct call_row){
        .id = request->id, .item_id = request->item_id, .expires_ms = request->expires_ms};
}

static struct call_row get_row(const hf_get_request *request)
{
    return (struct call_row){.id = request->id, .item_id = request->item_id};
}

/* Both forms of one call. */
#define DEFINE_ROW_CALL(name, op)                                                                  \
    hf_outcome hf_##name(hf_client *client, const hf_##name##_request *request,                    \
                         hf_reply *reply_out)                                                      \
    {                                                                                              \
        struct call_row row = name##_row(request);                                                 \
        return wait_row(client, op, request->deadline_ms, &row, reply_out);                        \
    }                                                                                              \
    hf_error hf_##name##_async(hf_client *client, const hf_##name##_request *request,              \
                               hf_reply_fn callback, void *context)                                \
    {                                                                                              \
        struct call_row row = name##_row(request);                                                 \
        return start_row(client, op, request->deadline_ms, &row, callback, context);               \
    }

DEFINE_ROW_CALL(reserve, CALL_RESERVE)
DEFINE_ROW_CALL(confirm, CALL_CONFIRM)
DEFINE_ROW_CALL(cancel, CALL_CANCEL)
DEFINE_ROW_CALL(extend, CALL_EXTEND)
DEFINE_ROW_CALL(get, CALL_GET)

/* ---- items ---- */

static void wake_item(const hf_item_reply *reply, void *context)
{
    wake(context, reply, sizeof *reply);
}

static hf_outcome wait_item(hf_client *client, enum call_op op, uint32_t deadline_ms,
                            const struct call_item *item, hf_item_reply *reply_out)
{
    struct start start = {.op = op, .deadline_ms = deadline_ms, .callback.item = wake_item};
    return wait_call(client, &start, item, sizeof *item, reply_out, sizeof *reply_out);
}

static hf_error start_item(hf_client *client, enum call_op op, uint32_t deadline_ms,
                           const struct call_item *item, hf_item_reply_fn callback, void *context)
{
    if (!callback)
        return HF_ERROR_ARGUMENT;
    struct start start = {
        .op = op, .deadline_ms = deadline_ms, .callback.item = callback, .context = context};
    return start_call(client, &start, item, sizeof *item);
}

static struct call_item item_create_item(const hf_item_create_request *request)
{
    return (struct call_item){.settings = request->settings,
                              .validate_only = request->validate_only};
}

static struct call_item item_update_item(const hf_item_update_request *request)
{
    return (struct call_item){.settings = request->settings, .fields = request->fields};
}

static struct call_item item_get_item(const hf_item_get_request *request)
{
    return (struct call_item){.settings.item_id = request->item_id};
}

#define DEFINE_ITEM_CALL(name, op)                                                                 \
    hf_outcome hf_##name(hf_client *client, const hf_##name##_request *request,                    \
                         hf_item_reply *reply_out)                                                 \
    {                                                                                              \
        struct call_item item = name##_item(request);                                              \
        return wait_item(client, op, request->deadline_ms, &item, reply_out);                      \
    }                                                                                              \
    hf_error hf_##name##_async(hf_client *client, const hf_##name##_request *request,              \
                               hf_item_reply_fn callback, void *context)                           \
    {                                                                                              \
        struct call_item item = name##_item(request);                                              \
        return start_item(client, op, request->deadline_ms, &item, callback, context);             \
    }

DEFINE_ITEM_CALL(item_create, CALL_ITEM_CREATE)
DEFINE_ITEM_CALL(item_update, CALL_ITEM_UPDATE)
DEFINE_ITEM_CALL(item_get, CALL_ITEM_GET)

static void wake_page(const hf_item_page *page, void *context)
{
    wake(context, page, sizeof *page);
}

static uint32_t known_core_count(hf_client *client)
{
    pthread_mutex_lock(&client->mutex);
    uint32_t core_count = client->info.core_count;
    pthread_mutex_unlock(&client->mutex);
    return core_count;
}

hf_outcome hf_item_list(hf_client *client, hf_item_cursor *cursor, uint32_t deadline_ms,
                        hf_item *items_out, uint32_t count_max, hf_item_page *page_out)
{
    memset(page_out, 0, sizeof *page_out);
    if (count_max == 0 || cursor->is_at_end) {
        page_out->outcome = cursor->is_at_end ? HF_APPLIED : HF_NOT_SENT;
        page_out->error = cursor->is_at_end ? HF_ERROR_NONE : HF_ERROR_ARGUMENT;
        return page_out->outcome;
    }
    hf_item_cursor next = *cursor;
    struct call_list request = {cursor->core, cursor->position, count_max, items_out, &next};
    struct start start = {
        .op = CALL_ITEM_LIST, .deadline_ms = deadline_ms, .callback.page = wake_page};
    if (wait_call(client, &start, &request, sizeof request, page_out, sizeof *page_out) !=
        HF_APPLIED)
        return page_out->outcome;
    if (next.is_at_end && next.core + 1 < known_core_count(client))
        next = (hf_item_cursor){.core = next.core + 1};
    *cursor = next;
    return HF_APPLIED;
}

/* ---- the server ---- */

static void wake_ping(const hf_ping_reply *reply, void *context)
{
    wake(context, reply, sizeof *reply);
}

hf_outcome hf_ping(hf_client *client, uint32_t core, uint32_t deadline_ms, hf_ping_reply *reply_out)
{
    struct call_stat request = {.core = core};
    struct start start = {.op = CALL_PING, .deadline_ms = deadline_ms, .callback.ping = wake_ping};
    uint64_t began_us = monotonic_us();
    hf_outcome outcome =
        wait_call(client, &start, &request, sizeof request, reply_out, sizeof *reply_out);
    reply_out->round_trip_us = monotonic_us() - began_us;
    return outcome;
}

hf_outcome hf_get_server_info(hf_client *client, uint32_t deadline_ms, hf_server_info *info_out)
{
    hf_ping_reply ping;
    hf_outcome outcome = hf_ping(client, 0, deadline_ms, &ping);
    if (outcome != HF_APPLIED) {
        memset(info_out, 0, sizeof *info_out);
    } else {
        pthread_mutex_lock(&client->mutex);
        *info_out = client->info;
        pthread_mutex_unlock(&client->mutex);
        info_out->now_ms = ping.now_ms;
        info_out->round_trip_us = ping.round_trip_us;
    }
    info_out->outcome = outcome;
    info_out->result = ping.result;
    info_out->error = ping.error;
    return outcome;
}

static void wake_stat(const hf_stat *stat, void *context)
{
    wake(context, stat, sizeof *stat);
}

static hf_outcome stat_core(hf_client *client, uint32_t core, bool with_state_hash,
                            uint32_t deadline_ms, hf_stat *stat_out)
{
    struct call_stat request = {core, with_state_hash};
    struct start start = {.op = CALL_STAT, .deadline_ms = deadline_ms, .callback.stat = wake_stat};
    return wait_call(client, &start, &request, sizeof request, stat_out, sizeof *stat_out);
}

static void raise_to(uint64_t *largest, uint64_t value)
{
    if (value > *largest)
        *largest = value;
}

static bool is_loading(const hf_stat *stat)
{
    return stat->outcome == HF_REFUSED && stat->result == HF_RESULT_LOADING;
}

/* When all will be ready: 0, not known, if one can't tell. A core that is ready has no say. */
static void add_load(hf_stat *sum, const hf_stat *stat)
{
    bool knows = sum->load_ready_ms > 0 && stat->load_ready_ms > 0;
    if (!is_loading(stat))
        return;
    if (!is_loading(sum) || (knows && stat->load_ready_ms > sum->load_ready_ms) ||
        stat->load_ready_ms == 0)
        sum->load_ready_ms = stat->load_ready_ms;
    sum->outcome = stat->outcome;
    sum->result = stat->result;
    sum->load_bytes += stat->load_bytes;
    sum->load_bytes_done += stat->load_bytes_done;
}

static void add_stat(hf_stat *sum, const hf_stat *stat)
{
    raise_to(&sum->now_ms, stat->now_ms);
    raise_to(&sum->uptime_ms, stat->uptime_ms);
    sum->items += stat->items;
    sum->reservations += stat->reservations;
    sum->held += stat->held;
    sum->confirmed += stat->confirmed;
    sum->cancelled += stat->cancelled;
    sum->expired += stat->expired;
    sum->buyers += stat->buyers;
    sum->units_held += stat->units_held;
    sum->units_sold += stat->units_sold;
    sum->connections += stat->connections;
    sum->frames += stat->frames;
    sum->rows += stat->rows;
    sum->rows_accepted += stat->rows_accepted;
    sum->rows_refused += stat->rows_refused;
    sum->rows_forwarded += stat->rows_forwarded;
    sum->rows_filtered += stat->rows_filtered;
    sum->rows_filter_missed += stat->rows_filter_missed;
    sum->bad_frames += stat->bad_frames;
    sum->log_groups += stat->log_groups;
    sum->log_records += stat->log_records;
    sum->log_bytes += stat->log_bytes;
    raise_to(&sum->log_last_lsn, stat->log_last_lsn);
    raise_to(&sum->log_durable_lsn, stat->log_durable_lsn);
    sum->expiries += stat->expiries;
    raise_to(&sum->expiry_late_ms_max, stat->expiry_late_ms_max);
    sum->state_hash += stat->state_hash;
    raise_to(&sum->snapshot_lsn, stat->snapshot_lsn);
    if (stat->snapshot_taken_ms < sum->snapshot_taken_ms)
        sum->snapshot_taken_ms = stat->snapshot_taken_ms;
    sum->snapshots += stat->snapshots;
    sum->log_bytes_behind += stat->log_bytes_behind;
    sum->lacks_space |= stat->lacks_space;
    add_load(sum, stat);
}

/* What is left of the time until then; a call needs some. */
static uint32_t left_ms(uint64_t until_ms)
{
    uint64_t now_ms = monotonic_ms();
    return now_ms < until_ms ? (uint32_t)(until_ms - now_ms) : 1;
}

hf_outcome hf_get_stat(hf_client *client, uint32_t core, bool with_state_hash, uint32_t deadline_ms,
                       hf_stat *stat_out)
{
    if (core != HF_ALL_CORES)
        return stat_core(client, core, with_state_hash, deadline_ms, stat_out);
    uint64_t until_ms = deadline_at(client, deadline_ms);
    if (stat_core(client, 0, with_state_hash, deadline_ms, stat_out) != HF_APPLIED &&
        !is_loading(stat_out))
        return stat_out->outcome;
    stat_out->core = HF_ALL_CORES;
    for (uint32_t i = 1; i < stat_out->core_count; i++) {
        hf_stat stat;
        if (stat_core(client, i, with_state_hash, left_ms(until_ms), &stat) != HF_APPLIED &&
            !is_loading(&stat)) {
            *stat_out = stat;
            return stat_out->outcome;
        }
        add_stat(stat_out, &stat);
    }
    return stat_out->outcome;
}

/* ---- snapshots ---- */

/* Snapshots are asked for together: each call writes its own answer, and all post the same
 * semaphore. */
struct snapshot_waiter {
    uint64_t began_ms;
    hf_core_snapshot *snapshot_out;
    sem_t *done;
};

static void wake_snapshot(const hf_core_snapshot *snapshot, void *context)
{
    const struct snapshot_waiter *waiter = context;
    uint32_t core = waiter->snapshot_out->core;
    *waiter->snapshot_out = *snapshot;
    waiter->snapshot_out->core = core;
    waiter->snapshot_out->took_ms = monotonic_ms() - waiter->began_ms;
    sem_post(waiter->done);
}

/* False when it could not be started; then its answer stands there already. */
static bool start_snapshot(hf_client *client, struct snapshot_waiter *waiter, uint32_t deadline_ms)
{
    struct call_snapshot request = {.core = waiter->snapshot_out->core};
    struct start start = {
        .op = CALL_SNAPSHOT,
        .deadline_ms = deadline_ms,
        .waits_for_room = true,
        .callback.snapshot = wake_snapshot,
        .context = waiter,
    };
    hf_error error = start_call(client, &start, &request, sizeof request);
    if (error == HF_ERROR_NONE)
        return true;
    waiter->snapshot_out->outcome = HF_NOT_SENT;
    waiter->snapshot_out->error = error;
    return false;
}

static void wait_snapshots(hf_client *client, uint64_t until_ms, hf_snapshot_reply *reply)
{
    struct snapshot_waiter waiters[HF_CORE_COUNT_MAX];
    uint32_t started = 0;
    sem_t done;
    sem_init(&done, 0, 0);
    for (uint32_t i = 0; i < reply->core_count; i++) {
        waiters[i] = (struct snapshot_waiter){monotonic_ms(), &reply->cores[i], &done};
        started += start_snapshot(client, &waiters[i], left_ms(until_ms));
    }
    while (started > 0) {
        if (sem_wait(&done) == 0)
            started--;
    }
    sem_destroy(&done);
}

static void set_worst(hf_snapshot_reply *reply)
{
    for (uint32_t i = 0; i < reply->core_count; i++) {
        const hf_core_snapshot *snapshot = &reply->cores[i];
        if (snapshot->outcome <= reply->outcome)
            continue;
        reply->outcome = snapshot->outcome;
        reply->result = snapshot->result;
        reply->error = snapshot->error;
    }
}

hf_outcome hf_snapshot(hf_client *client, uint32_t core, uint32_t deadline_ms,
                       hf_snapshot_reply *reply_out)
{
    uint64_t until_ms = monotonic_ms() + (deadline_ms > 0 ? deadline_ms : HF_SNAPSHOT_DEADLINE_MS);
    memset(reply_out, 0, sizeof *reply_out);
    hf_server_info info = {.core_count = 1};
    if (core == HF_ALL_CORES)
        hf_get_server_info(client, left_ms(until_ms), &info);
    else if (client_is_own_thread(client))
        info = (hf_server_info){.outcome = HF_NOT_SENT, .error = HF_ERROR_IN_CALLBACK};
    reply_out->outcome = info.outcome;
    reply_out->result = info.result;
    reply_out->error = info.error;
    if (info.outcome != HF_APPLIED)
        return info.outcome;
    reply_out->core_count = info.core_count;
    for (uint32_t i = 0; i < info.core_count; i++)
        reply_out->cores[i].core = core == HF_ALL_CORES ? i : core;
    wait_snapshots(client, until_ms, reply_out);
    reply_out->result = HF_RESULT_OK;
    set_worst(reply_out);
    return reply_out->outcome;
}

static void wake_piece(const hf_snapshot_piece *piece, void *context)
{
    wake(context, piece, sizeof *piece);
}

hf_outcome hf_snapshot_read(hf_client *client, uint32_t core, uint64_t lsn, uint64_t offset,
                            uint32_t deadline_ms, void *data_out, hf_snapshot_piece *piece_out)
{
    struct call_snapshot request = {core, lsn, offset, data_out};
    struct start start = {
        .op = CALL_SNAPSHOT_READ, .deadline_ms = deadline_ms, .callback.piece = wake_piece};
    return wait_call(client, &start, &request, sizeof request, piece_out, sizeof *piece_out);
}
