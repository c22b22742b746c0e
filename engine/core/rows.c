/* The hot requests: reserve, confirm, cancel, extend, get, single or in columns.
 *
 * A frame is decoded to rows in a job. Rows of items that cannot exist are refused on the spot by
 * the filter. Rows of other cores' items leave as parts of the job, one per core; the job's own
 * rows are run in order of arrival, those of single frames some together. The reply is encoded when
 * every part is done and durable, straight into the connection's send buffer. */
#include "core/private.h"

#include "base/assert.h"
#include "core/columns.h"
#include "holdfast/v1/session.pb-c.h"

enum {
    ROW_GROUP = 64, /* rows whose memory is asked for together before they are run */
    ROUTE_DONE = UINT8_MAX,
};

static_assert((int)LOG_CORE_COUNT_MAX < (int)ROUTE_DONE, "a route is a byte");
static_assert(ROW_GROUP <= STOCK_PREPARE_MAX, "a group is prepared in one go");

/* ---- running rows ---- */

static void count_result(struct core *core, uint8_t code)
{
    if (code == STOCK_OK || code == STOCK_DUPLICATE)
        core->counts.rows_accepted++;
    else
        core->counts.rows_refused++;
}

static void refuse_row(struct core *core, union job_row *row, uint8_t code)
{
    row->reply = (struct stock_reply){.code = code};
    count_result(core, code);
}

/* An item that is in nobody's table: the checks that need no item still come first, as documented.
 */
static void refuse_unknown_item(struct core *core, union job_row *row)
{
    uint8_t field = (uint8_t)stock_request_invalid_field(&row->request, core->now_ms);
    refuse_row(core, row, field != STOCK_FIELD_NONE ? STOCK_INVALID : STOCK_UNKNOWN_ITEM);
    row->reply.invalid_field = field;
    core->counts.rows_filtered++;
}

/* Runs one prepared row. Raises `wait_lsn` to what the reply depends on. The reply is written in
 * its place and not copied there: to read what was written just now in pieces, the processor first
 * waits until all writes before are in the cache, and those are to memory far away. */
static void run_row(struct core *core, const struct stock_request *request,
                    struct stock_reply *reply, uint64_t *wait_lsn)
{
    struct stock_record record;

    stock_decide(core->stock, request, core->now_ms, reply, &record);
    bool is_change = record.type != STOCK_RECORD_NONE;
    if (is_change && !core_may_record(core, &record)) {
        stock_refuse(core->stock, &record, STOCK_READ_ONLY, reply);
    } else if (is_change) {
        core_apply(core, &record);
        reply->seen_lsn = record.lsn;
    }
    if (reply->code == STOCK_UNKNOWN_ITEM)
        core->counts.rows_filter_missed++;
    if (reply->seen_lsn > *wait_lsn)
        *wait_lsn = reply->seen_lsn;
    count_result(core, reply->code);
}

static void run_rows(struct core *core, union job_row *rows, uint32_t row_count, uint64_t *wait_lsn)
{
    for (uint32_t first = 0; first < row_count; first += ROW_GROUP) {
        uint32_t left = row_count - first;
        uint32_t count = left < ROW_GROUP ? left : ROW_GROUP;
        stock_prepare(core->stock, &rows[first].request, count);
        for (uint32_t i = first; i < first + count; i++) {
            const struct stock_request request = rows[i].request; /* the reply goes over it */
            run_row(core, &request, &rows[i].reply, wait_lsn);
        }
    }
}

/* ---- routing ---- */

static void hash_items(const union job_row *rows, uint32_t row_count, uint64_t *hashes_out)
{
    uint64_t item_id = rows[0].request.item_id;
    uint64_t hash = item_hash(item_id);
    for (uint32_t i = 0; i < row_count; i++) {
        if (rows[i].request.item_id != item_id) { /* neighbours often share an item */
            item_id = rows[i].request.item_id;
            hash = item_hash(item_id);
        }
        hashes_out[i] = hash;
    }
}

static uint8_t route_of(const struct core *core, uint64_t item_hash)
{
    bool may_exist = core->is_filter_behind || filter_may_contain(&core->filter, item_hash);
    return may_exist ? (uint8_t)core_of_hash(core, item_hash) : ROUTE_DONE;
}

/* At most ROW_GROUP rows. Refuses those whose item cannot exist, and says for each other row whose
 * it is. */
static void route_group(struct core *core, union job_row *rows, uint32_t row_count, uint8_t *routes,
                        uint32_t *counts)
{
    uint64_t hashes[ROW_GROUP];
    uint8_t route = ROUTE_DONE;
    hash_items(rows, row_count, hashes);
    filter_touch(&core->filter, hashes, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        if (i == 0 || hashes[i] != hashes[i - 1])
            route = route_of(core, hashes[i]);
        routes[i] = route;
        if (route == ROUTE_DONE)
            refuse_unknown_item(core, &rows[i]);
        else
            counts[route]++;
    }
}

/* The same for all rows. Returns true when none is another core's. */
static bool route_rows(struct core *core, struct job *job, uint8_t *routes, uint32_t *counts)
{
    for (uint32_t first = 0; first < job->row_count; first += ROW_GROUP) {
        uint32_t left = job->row_count - first;
        route_group(core, job_rows(job) + first, left < ROW_GROUP ? left : ROW_GROUP,
                    routes + first, counts);
    }
    uint32_t local_count = counts[core->index];
    uint32_t routed_count = 0;
    for (uint32_t i = 0; i < core->server->options.core_count; i++)
        routed_count += counts[i];
    return routed_count == local_count;
}

/* Makes the parts for other cores, without filling them. False when jobs ran out: nothing was made
 * then. */
static bool make_parts(struct core *core, const uint32_t *counts, struct job **parts)
{
    uint32_t core_count = core->server->options.core_count;
    for (uint32_t to = 0; to < core_count; to++) {
        parts[to] = NULL;
        if (to == core->index || counts[to] == 0 || !exchange_has_room(&core->port, to, 1))
            continue;
        parts[to] = job_acquire_rows(&core->jobs, counts[to]);
        if (parts[to] != NULL)
            continue;
        while (to-- > 0)
            if (parts[to] != NULL)
                job_release(&core->jobs, parts[to]);
        return false;
    }
    return true;
}

/* Moves the rows of other cores' items to their parts and sends those. A core with no part can take
 * no more: its rows are refused as overload. */
static void send_parts(struct core *core, struct job *job, const uint8_t *routes,
                       struct job **parts)
{
    uint32_t core_count = core->server->options.core_count;
    uint32_t filled[LOG_CORE_COUNT_MAX] = {0};
    union job_row *rows = job_rows(job);

    for (uint32_t i = 0; i < job->row_count; i++) {
        uint8_t to = routes[i];
        if (to == ROUTE_DONE || to == core->index)
            continue;
        if (parts[to] == NULL) {
            refuse_row(core, &rows[i], STOCK_OVERLOADED);
            continue;
        }
        job_rows(parts[to])[filled[to]] = rows[i];
        job_row_indexes(parts[to])[filled[to]] = i;
        filled[to]++;
        core->counts.rows_forwarded++;
    }
    for (uint32_t to = 0; to < core_count; to++) {
        if (parts[to] == NULL)
            continue;
        hf_assert(filled[to] == parts[to]->row_count);
        parts[to]->kind = JOB_ROWS;
        parts[to]->parent = job;
        parts[to]->parts_left = 1;
        job->parts_left++;
        exchange_send(&core->port, to, parts[to]);
    }
}

/* Runs this core's rows among those of others, in order. */
static void run_routed_rows(struct core *core, struct job *job, const uint8_t *routes)
{
    union job_row *rows = job_rows(job);
    uint32_t i = 0;
    while (i < job->row_count) {
        uint32_t first = i;
        while (i < job->row_count && routes[i] == core->index)
            i++;
        if (i > first)
            run_rows(core, rows + first, i - first, &job->wait_lsn);
        else
            i++;
    }
}

/* Notes where each row goes, and refuses and sends away what is not this core's to run. False when
 * jobs ran out: the frame will come again. */
static bool distribute_rows(struct core *core, struct job *job, uint8_t *routes)
{
    struct core_counts counts_before = core->counts;
    uint32_t counts[LOG_CORE_COUNT_MAX] = {0};
    if (!route_rows(core, job, routes, counts)) {
        struct job *parts[LOG_CORE_COUNT_MAX];
        if (!make_parts(core, counts, parts)) {
            core->counts = counts_before;
            return false;
        }
        send_parts(core, job, routes, parts);
    }
    return true;
}

/* ---- single rows ---- */

static void gather(struct core *core, struct job *job)
{
    struct gathered *gathered = &core->gathered;
    hf_assert(gathered->count < GATHERED_MAX);
    gathered->jobs[gathered->count] = job;
    gathered->rows[gathered->count] = job_rows(job)->request;
    gathered->count++;
    if (gathered->count == GATHERED_MAX)
        rows_run_gathered(core);
}

void rows_run_gathered(struct core *core)
{
    struct gathered *gathered = &core->gathered;
    if (gathered->count == 0)
        return;
    stock_prepare(core->stock, gathered->rows, gathered->count);
    for (uint32_t i = 0; i < gathered->count; i++) {
        struct job *job = gathered->jobs[i];
        run_row(core, &gathered->rows[i], &job_rows(job)->reply, &job->wait_lsn);
        core_finish_part(core, job);
    }
    gathered->count = 0;
}

/* Runs the job's own rows, or leaves its only one for later. */
static void run_job(struct core *core, struct job *job, const uint8_t *routes)
{
    if (job->row_count == 1 && routes[0] == core->index) {
        gather(core, job);
        return;
    }
    if (job->row_count > 1)
        rows_run_gathered(core); /* in order of arrival */
    run_routed_rows(core, job, routes);
    core_finish_part(core, job);
}

/* ---- before the core serves ---- */

/* Nothing is looked at. Whoever asks again may do so when loading will be done, as far as that can
 * be told. */
static void refuse_while_loading(struct core *core, struct job *job)
{
    union job_row *rows = job_rows(job);
    uint64_t ready_ms = load_ready_ms(core);
    for (uint32_t i = 0; i < job->row_count; i++) {
        refuse_row(core, &rows[i], STOCK_LOADING);
        rows[i].reply.expires_ms = ready_ms;
    }
}

/* ---- a frame's way in ---- */

static enum frame_outcome take_rows(struct core *core, const struct net_frame *frame,
                                    const struct request_columns *columns)
{
    struct job *job = job_acquire_rows(&core->jobs, columns->row_count);
    if (job == NULL)
        return FRAME_NO_ROOM;
    job->kind = JOB_ROWS;
    job->origin_core = (uint16_t)core->index;
    job->connection = frame->connection;
    job->request_id = frame->header.request_id;
    job->frame_type = frame->header.type;
    job->parts_left = 1;
    columns_to_rows(columns, job_rows(job));

    uint8_t *routes = core->routes;
    bool is_serving = core->phase == CORE_PHASE_SERVING;
    if (is_serving && !distribute_rows(core, job, routes)) {
        job_release(&core->jobs, job);
        return FRAME_NO_ROOM;
    }
    core->counts.rows += job->row_count;
    core->work += job->row_count;
    if (is_serving) {
        run_job(core, job, routes);
    } else {
        refuse_while_loading(core, job);
        core_finish_part(core, job);
    }
    return FRAME_TAKEN;
}

enum frame_outcome rows_take_frame(struct core *core, const struct net_frame *frame)
{
    struct request_columns columns;
    switch (columns_decode(&core->arena, frame->header.type, frame->body, frame->header.body_bytes,
                           core->server->options.batch_rows_max, &columns)) {
    case COLUMNS_OK:
        return take_rows(core, frame, &columns);
    case COLUMNS_BAD_BODY:
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY,
                      "the body is not the message that the frame's type says");
        break;
    case COLUMNS_TOO_MANY_ROWS:
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_TOO_MANY_ROWS,
                      "more rows than batch_rows_max of Hello");
        break;
    case COLUMNS_BAD_LENGTH:
        session_error(core, frame, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_COLUMNS,
                      "row_count must be at least 1, and every column row_count, one or none long");
        break;
    }
    return FRAME_TAKEN;
}

void rows_run_part(struct core *core, struct job *job)
{
    run_rows(core, job_rows(job), job->row_count, &job->wait_lsn);
    core->counts.rows += job->row_count;
    core->work += job->row_count;
    core_finish_part(core, job);
}

void rows_join_part(struct core *core, struct job *part)
{
    struct job *parent = part->parent;
    union job_row *to = job_rows(parent);
    const union job_row *from = job_rows(part);
    const uint32_t *indexes = job_row_indexes(part);

    for (uint32_t i = 0; i < part->row_count; i++) {
        hf_assert(indexes[i] < parent->row_count);
        to[indexes[i]] = from[i];
    }
    job_release(&core->jobs, part);
}

/* ---- a frame's way out ---- */

void rows_reply(struct core *core, struct job *job)
{
    uint8_t *frame = net_reply_begin(core->net, job->connection, columns_reply_bytes_max(job));
    if (frame == NULL)
        return; /* the client is gone; what it asked for is done and can be asked about */
    uint32_t frame_bytes = columns_encode_reply(core->columns, job, job_rows(job), frame);
    net_reply_commit(core->net, job->connection, frame_bytes);
}
