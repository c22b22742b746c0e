/* The turn: the only loop of a core, and the order in which everything happens.
 *
 *   1. what other cores sent, what is due, what clients sent: each bounded, so that nobody waits
 *      for more than a slice; records are appended to the open group and committed to the state
 *   2. the open group is written, if the disk is free; a piece of a snapshot is taken, if one is
 * due
 *   3. jobs whose records are durable are answered
 *   4. one system call: start what was prepared, wait for something to complete
 *
 * Nothing that a client can see leaves before what it depends on is durable: every answer goes
 * through core_finish_part(), which lets it wait for its LSN. */
#include "core/private.h"

#include "base/assert.h"

enum {
    TURN_JOBS_MAX = 1024,   /* from other cores */
    TURN_FRAMES_MAX = 4096, /* from clients */
    TURN_DUE_MIN = 512,     /* expiries and forgettings, and twice what was recorded since */
    TURN_WORK_MAX = 4096,   /* rows, for other cores and for clients each; then no more is begun */
    ROW_BODY_BYTES = 64,    /* of a frame, that take no longer to decode than a row to run */
};

static void count_expiry(struct core *core, const struct stock_record *record)
{
    uint64_t late_ms = record->time_ms - record->hold.expires_ms;
    core->counts.expiries++;
    if (late_ms > core->counts.expiry_late_ms_max)
        core->counts.expiry_late_ms_max = late_ms;
}

void core_apply(struct core *core, struct stock_record *record)
{
    uint32_t bytes = stock_record_encode(record, wal_next(core->wal));
    record->lsn = wal_append(core->wal, bytes);
    stock_commit(core->stock, record);
    if (record->type == STOCK_RECORD_EXPIRED)
        count_expiry(core, record);
}

/* ---- the end of a job ---- */

static void end_job(struct core *core, struct job *job)
{
    if (job->origin_core != core->index) {
        exchange_return(&core->port, job);
        return;
    }
    if (job->kind == JOB_ROWS)
        rows_reply(core, job);
    else
        control_reply(core, job);
    job_release(&core->jobs, job);
}

static void part_is_done(struct core *core, struct job *job)
{
    hf_assert(job->parts_left > 0);
    if (--job->parts_left == 0)
        end_job(core, job);
}

void core_finish_part(struct core *core, struct job *job)
{
    /* one that waits for nothing may be answered before there is a log */
    if (job->wait_lsn == 0 || job->wait_lsn <= wal_durable_lsn(core->wal))
        part_is_done(core, job);
    else
        job_list_push(&core->waiting, job);
}

/* The list is in order of arrival, not of LSN: a job that needs an older record than the one before
 * it waits a little longer than it must, at most for the group being written. */
static void answer_durable(struct core *core)
{
    uint64_t durable_lsn = wal_durable_lsn(core->wal);
    while (core->waiting.head != NULL && core->waiting.head->wait_lsn <= durable_lsn)
        part_is_done(core, job_list_pop(&core->waiting));
}

/* ---- what comes in ---- */

/* Room for the records of one more frame, whatever it is, and of the single rows that are gathered
 * and not run yet: in the open group, and in the page of the snapshot that is being taken. When it
 * is the disk that has no room, there is nothing to wait for: what can't be recorded is refused row
 * by row. */
static bool has_log_room(struct core *core)
{
    uint32_t record_count = core->server->options.batch_rows_max + core->gathered.count;
    core->lacks_log_room = core->phase == CORE_PHASE_SERVING &&
                           (!saving_has_room(core, record_count) ||
                            (wal_room(core->wal) < record_count && !wal_is_full(core->wal)));
    return !core->lacks_log_room;
}

bool core_may_record(const struct core *core, const struct stock_record *record)
{
    if (wal_room(core->wal) == 0)
        return false;
    bool can_wait = record->type == STOCK_RECORD_HELD || record->type == STOCK_RECORD_EXTENDED ||
                    record->type == STOCK_RECORD_ITEM_CREATED;
    return !can_wait || !wal_is_low(core->wal);
}

static void take_returned(struct core *core, struct job *job)
{
    struct job *parent = job->parent;
    switch ((enum job_kind)job->kind) {
    case JOB_ROWS:
        rows_join_part(core, job);
        part_is_done(core, parent);
        return;
    case JOB_FILTER_ADD:
        job_release(&core->jobs, job);
        part_is_done(core, parent);
        return;
    case JOB_CONTROL:
        control_reply(core, job);
        break;
    case JOB_CONNECTION:
    case JOB_QUIET:
        break;
    }
    job_release(&core->jobs, job);
}

static void take_sent(struct core *core, struct job *job)
{
    switch ((enum job_kind)job->kind) {
    case JOB_ROWS:
        rows_run_part(core, job);
        return;
    case JOB_CONTROL:
        control_run(core, job);
        return;
    case JOB_CONNECTION:
        session_adopt(core, job);
        break;
    case JOB_FILTER_ADD:
        filter_add(&core->filter, job->item_hash);
        break;
    case JOB_QUIET:
        core->quiet_heard++;
        break;
    }
    exchange_return(&core->port, job);
}

/* True when there may be more. */
static bool take_jobs(struct core *core)
{
    uint64_t work_end = core->work + TURN_WORK_MAX;
    for (uint32_t i = 0; i < TURN_JOBS_MAX && core->work < work_end; i++) {
        if (!has_log_room(core))
            return false;
        struct job *job = exchange_receive(&core->port);
        if (job == NULL)
            return false;
        if (job->is_returning)
            take_returned(core, job);
        else
            take_sent(core, job);
    }
    return true;
}

/* A hold comes due twice: it expires, and is forgotten. So a slice is more than twice what clients
 * had recorded since the last one: however fast holds come, they go as fast. True when there may be
 * more. */
static bool take_due(struct core *core)
{
    uint64_t left = TURN_DUE_MIN + 2 * (wal_last_lsn(core->wal) - core->due_lsn);
    struct stock_record record;
    while (left > 0 && !core->is_closed && has_log_room(core) &&
           stock_decide_due(core->stock, core->now_ms, &record) && core_may_record(core, &record)) {
        core_apply(core, &record);
        left--;
    }
    core->due_lsn = wal_last_lsn(core->wal);
    return left == 0;
}

static enum frame_outcome take_frame(struct core *core, const struct net_frame *frame)
{
    uint8_t type = frame->header.type;
    if (type == FRAME_HELLO)
        return session_take_hello(core, frame);
    if (net_mark(core->net, frame->connection) == 0) {
        session_expect_hello(core, frame);
        return FRAME_TAKEN;
    }
    if (type == FRAME_PING) {
        session_take_ping(core, frame);
        return FRAME_TAKEN;
    }
    if (type < FRAME_ITEM_CREATE)
        return rows_take_frame(core, frame);
    rows_run_gathered(core);
    return control_take_frame(core, frame);
}

/* A long body is work too, whatever it says. */
static void count_body(struct core *core, uint32_t body_bytes, uint64_t work_before)
{
    uint64_t work_end = work_before + body_bytes / ROW_BODY_BYTES;
    if (core->work < work_end)
        core->work = work_end;
}

static void take_frames(struct core *core)
{
    uint64_t work_end = core->work + TURN_WORK_MAX;
    struct net_frame frame;
    core->job_count_refused = 0;
    for (uint32_t i = 0; i < TURN_FRAMES_MAX && core->work < work_end; i++) {
        if (!has_log_room(core) || !net_frame_next(core->net, &frame))
            break;
        uint64_t work_before = core->work;
        if (take_frame(core, &frame) == FRAME_NO_ROOM) {
            core->job_count_refused = job_count(&core->jobs);
            net_frame_put_back(core->net, &frame);
            break;
        }
        count_body(core, frame.header.body_bytes, work_before);
        core->counts.frames++;
    }
    rows_run_gathered(core);
}

/* ---- the end of the core ---- */

static void begin_stop(struct core *core)
{
    core->is_stopping = true;
    net_stop(core->net, session_go_away, core);
}

/* This core will ask nothing more of the others. */
static bool is_quiet(const struct core *core)
{
    return core->is_stopping && net_is_idle(core->net) && job_count(&core->jobs) == 0;
}

static void tell_quiet(struct core *core)
{
    for (uint32_t to = 0; to < core->server->options.core_count; to++) {
        if (to == core->index)
            continue;
        struct job *job = job_acquire_data(&core->jobs, 0);
        hf_assert(job != NULL); /* a quiet core has them all */
        job->kind = JOB_QUIET;
        exchange_send(&core->port, to, job);
    }
    core->is_quiet_told = true;
}

/* A core serves the others until all are quiet. Then nothing is recorded any more, what is due is
 * left to the next start, and a last snapshot has it all. */
static bool stop_on(struct core *core)
{
    if (!is_quiet(core))
        return false;
    if (!core->is_quiet_told)
        tell_quiet(core);
    if (core->quiet_heard == core->server->options.core_count - 1 && job_count(&core->jobs) == 0 &&
        core->waiting.head == NULL && !core->is_closed) {
        core->is_closed = true;
        wal_stop(core->wal);
    }
    return core->is_closed && saving_end(core) && wal_is_idle(core->wal);
}

/* ---- the turn ---- */

/* Something was left for want of room, and since then a group has gone to the disk, jobs were
 * answered, or replies left the connections' buffers: nothing else would wake the core for it. */
static bool has_room_come(struct core *core)
{
    if (core->lacks_log_room)
        return has_log_room(core);
    bool lacks_jobs =
        core->job_count_refused > 0 && job_count(&core->jobs) >= core->job_count_refused;
    return !lacks_jobs && net_has_frames(core->net);
}

static uint64_t earlier_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t wake_at_ns(const struct core *core, bool is_work_left)
{
    if (is_work_left)
        return 0;
    uint64_t timeout_ns = net_next_timeout_ns(core->net);
    if (core->phase != CORE_PHASE_SERVING || core->lacks_log_room)
        return timeout_ns; /* what is due waits for the disk, which wakes the core */
    uint64_t wake_ms = earlier_of(wal_wake_at_ms(core->wal), saving_wake_at_ms(core));
    if (wal_room(core->wal) > 0 && !core->is_closed)
        wake_ms = earlier_of(wake_ms, stock_next_due_ms(core->stock));
    return earlier_of(engine_clock_monotonic_ns_at(&core->clock, wake_ms), timeout_ns);
}

/* Records of the largest frame, twice: while a part of a group is there, another frame still fits.
 */
static uint32_t group_bytes_max(uint32_t batch_rows_max)
{
    uint32_t bytes = log_group_bytes(2 * batch_rows_max * LOG_RECORD_BYTES_MAX);
    return bytes < LOG_GROUP_BYTES_MAX ? bytes : LOG_GROUP_BYTES_MAX;
}

static enum core_status open_log(struct core *core)
{
    const struct server_options *options = &core->server->options;
    const struct wal_options wal_options = {
        .durability = options->durability,
        .segment_bytes = options->segment_bytes,
        .group_bytes_max = group_bytes_max(options->batch_rows_max),
        .core = core->index,
        .archive_path = options->archive_path,
    };
    core->refusal.status = SERVER_IO_ERROR;
    core->wal = wal_open(core->io, core->server->directory, &wal_options, &core->loaded_end,
                         core->refusal.message);
    if (core->wal == NULL || !saving_open(core, core->refusal.message))
        return CORE_REFUSED;
    core->phase = CORE_PHASE_OPENED;
    return CORE_OPENED;
}

static enum core_status begin_serving(struct core *core)
{
    engine_clock_raise(&core->clock, core->server->not_before_ms);
    core->now_ms = engine_clock_advance(&core->clock, io_clock(core->io));
    core->opened_ms = core->now_ms;
    core->due_lsn = wal_last_lsn(core->wal);
    saving_begin_serving(core);
    core->phase = CORE_PHASE_SERVING;
    return CORE_SERVES;
}

static enum core_status take_order(struct core *core)
{
    const enum core_order *order = queue_pop(&core->server->orders[core->index]);
    if (order == NULL)
        return CORE_RUNNING;
    switch (*order) {
    case CORE_ORDER_OPEN:
        return open_log(core);
    case CORE_ORDER_SERVE:
        return begin_serving(core);
    case CORE_ORDER_STOP:
        begin_stop(core);
        break;
    }
    return CORE_RUNNING;
}

static enum core_status load_on(struct core *core)
{
    core->refusal.status = load_continue(core, core->refusal.message);
    if (core->refusal.status != SERVER_OK)
        return CORE_REFUSED;
    if (!load_is_done(core))
        return CORE_RUNNING;
    core->refusal.status = load_end(core, core->refusal.message);
    if (core->refusal.status != SERVER_OK)
        return CORE_REFUSED;
    core->phase = CORE_PHASE_LOADED;
    return CORE_LOADED;
}

/* A turn before the core serves: it loads a piece, and answers its clients that it does. While
 * cores open their logs one may serve already and send rows, which have to wait. */
static enum core_status prepare(struct core *core, uint64_t monotonic_ns)
{
    enum core_status status = CORE_RUNNING;
    bool is_work_left = core->phase != CORE_PHASE_OPENED && take_jobs(core);
    take_frames(core);
    if (core->phase == CORE_PHASE_LOADING)
        status = load_on(core);
    net_flush(core->net, monotonic_ns);
    /* a step that is done is told before anything is waited for */
    is_work_left |=
        has_room_come(core) || core->phase == CORE_PHASE_LOADING || status != CORE_RUNNING;
    exchange_wake(&core->port);
    io_turn(core->io, wake_at_ns(core, is_work_left));
    return status;
}

static enum core_status serve(struct core *core, uint64_t monotonic_ns)
{
    core->is_filter_behind = take_jobs(core);
    bool is_work_left = core->is_filter_behind;
    is_work_left |= take_due(core);
    take_frames(core);
    wal_write(core->wal, core->now_ms);
    is_work_left |= saving_continue(core);
    if (core_failure(core) != NULL)
        return CORE_FAILED; /* not after a wait that nothing may end */
    answer_durable(core);
    net_flush(core->net, monotonic_ns);
    is_work_left |= has_room_come(core);
    bool is_stopped = stop_on(core);
    exchange_wake(&core->port);
    /* The last turn too: it sends the wake-ups that let the other cores stop. */
    io_turn(core->io, is_stopped ? 0 : wake_at_ns(core, is_work_left));
    if (core_failure(core) != NULL)
        return CORE_FAILED;
    return is_stopped ? CORE_STOPPED : CORE_RUNNING;
}

enum core_status core_turn(struct core *core)
{
    struct clock_reading reading = io_clock(core->io);
    core->now_ms = engine_clock_advance(&core->clock, reading);

    enum core_status ordered = take_order(core);
    if (ordered != CORE_RUNNING)
        return ordered;
    return core->phase == CORE_PHASE_SERVING ? serve(core, reading.monotonic_ns)
                                             : prepare(core, reading.monotonic_ns);
}

void core_start(struct core *core)
{
    io_start(core->io);
    core->now_ms = engine_clock_advance(&core->clock, io_clock(core->io));
    net_listen(core->net, core->server->listen_fds[core->index]);
    load_begin(core);
}

const char *core_failure(const struct core *core)
{
    return wal_failure(core->wal) != NULL ? wal_failure(core->wal) : saving_failure(core);
}

const struct core_refusal *core_refusal(const struct core *core)
{
    return &core->refusal;
}
