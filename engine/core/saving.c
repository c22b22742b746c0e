/* One snapshot at a time:
 *
 *     due -> begun at a boundary of the log -> pages ... -> all written, and the log up to its LSN
 *     on disk -> read back and named (wal/snapshot.h) -> older ones and their log let go
 *
 * A snapshot is due when somebody asks for it, when the log behind the newest one has grown, when
 * the newest one is old, when eras before this one are still part of the state, and at a clean
 * stop. Two are kept, with the log behind the older one: if the newest is found damaged, a restart
 * begins with the other.
 *
 * The state writes about a slice per turn of its own accord; and whatever a commit is about to
 * change it writes at once, so a page must always have room for what a frame may commit. While it
 * has not, frames wait for the disk.
 *
 * A snapshot that fails is tried again after a while, and the log is kept until one succeeds. */
#include "core/private.h"

#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"
#include "holdfast/v1/session.pb-c.h"
#include "holdfast/v1/snapshot.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SLICE_BYTES = 64 << 10, /* of entries per turn */
    PASS_BYTES = 256 << 10, /* a page with so much in it goes to the disk */
    RETRY_MS = 10 * 1000,
    PIN_MS = 60 * 1000,
    ASK_COUNT_MAX = 64, /* jobs that wait for a snapshot: the others are left for selling */
};

/* ---- when ---- */

static bool is_changed(const struct core *core)
{
    const struct saving *saving = &core->saving;
    uint64_t last_lsn = wal_last_lsn(core->wal);
    if (saving->has_newest)
        return last_lsn != saving->newest.lsn;
    return last_lsn > 0 || saving->has_past;
}

/* What is in flight when a snapshot begins is in front of it, so whatever was closed counts. */
static uint64_t log_bytes_behind(const struct core *core)
{
    const struct saving *saving = &core->saving;
    return saving->log_bytes_before + wal_counts(core->wal).bytes_closed - saving->log_bytes_at;
}

/* Never a second one of the same LSN: it would take the place of the first, and with it that of the
 * one before. Whoever asks for it has been answered. */
static uint64_t due_at_ms(const struct core *core)
{
    const struct saving *saving = &core->saving;
    uint64_t log_bytes_max = core->server->options.snapshot_log_bytes;
    uint64_t every_ms = core->server->options.snapshot_every_ms;
    if (!is_changed(core))
        return UINT64_MAX;
    if ((saving->has_past && !saving->has_newest) ||
        (log_bytes_max > 0 && log_bytes_behind(core) >= log_bytes_max))
        return saving->retry_at_ms;
    uint64_t due_ms = every_ms == 0 ? UINT64_MAX : saving->begun_ms + every_ms;
    return due_ms > saving->retry_at_ms ? due_ms : saving->retry_at_ms;
}

static bool is_due(const struct core *core)
{
    return core->saving.asking.head != NULL || core->now_ms >= due_at_ms(core);
}

/* ---- answering those who asked ---- */

/* `saved` is NULL when there is none, for which `refusal` is the reason. */
static void answer(struct core *core, struct job *job, const struct saved *saved,
                   Holdfast__V1__Result refusal)
{
    Holdfast__V1__SnapshotResponse response = HOLDFAST__V1__SNAPSHOT_RESPONSE__INIT;
    response.result = refusal;
    response.core = core->index;
    if (saved != NULL) {
        response.result = HOLDFAST__V1__RESULT__RESULT_OK;
        response.lsn = saved->lsn;
        response.bytes = saved->bytes;
        response.items = saved->content.item_count;
        response.reservations = saved->content.reservation_count;
        response.buyers = saved->content.buyer_count;
        response.state_hash = saved->content.state_hash;
    }
    control_encode_reply(job, &response.base, CONTROL_REPLY_BYTES_MAX);
    core_finish_part(core, job);
}

/* Those who asked while one was being taken that has all there is. */
static void answer_unchanged(struct core *core)
{
    struct saving *saving = &core->saving;
    while (saving->asking.head != NULL && saving->has_newest && !is_changed(core)) {
        saving->ask_count--;
        answer(core, job_list_pop(&saving->asking), &saving->newest,
               HOLDFAST__V1__RESULT__RESULT_OK);
    }
}

static void answer_all(struct core *core, const struct saved *saved)
{
    struct saving *saving = &core->saving;
    while (saving->asked.head != NULL) {
        saving->ask_count--;
        answer(core, job_list_pop(&saving->asked), saved, HOLDFAST__V1__RESULT__RESULT_READ_ONLY);
    }
}

/* ---- the beginning ---- */

static void begin(struct core *core)
{
    struct saving *saving = &core->saving;
    uint64_t state_time_ms = stock_time_ms(core->stock);
    saving->header = (struct log_snapshot_header){
        .position = wal_position(core->wal),
        .state_time_ms =
            state_time_ms > core->loaded_time_ms ? state_time_ms : core->loaded_time_ms,
        .taken_ms = core->now_ms,
    };
    saving->attempt_log_bytes_at = wal_counts(core->wal).bytes_closed;
    saving->is_saving = true;
    saving->is_written = false;
    while (saving->asking.head != NULL)
        job_list_push(&saving->asked, job_list_pop(&saving->asking));
    snapshot_begin(saving->writer, &saving->header);
    saving->page.to = snapshot_page(saving->writer);
    saving->page.bytes = 0;
    saving->page.entry_count = 0;
    stock_save_begin(core->stock, &saving->page);
}

/* ---- pages ---- */

static void pass_page(struct saving *saving)
{
    snapshot_pass(saving->writer, saving->page.bytes, saving->page.entry_count);
    saving->page.to = snapshot_page(saving->writer);
    saving->page.bytes = 0;
    saving->page.entry_count = 0;
}

static void fill_page(struct core *core)
{
    struct saving *saving = &core->saving;
    uint32_t target = saving->page.bytes + SLICE_BYTES;
    if (saving->is_written || saving->page.bytes >= PASS_BYTES)
        return;
    if (target > saving->page.bytes_max)
        target = saving->page.bytes_max;
    if (!stock_save_step(core->stock, target))
        return;
    stock_save_end(core->stock, &saving->content);
    saving->is_saving = false;
    saving->is_written = true;
}

/* True when there is more to do at once. */
static bool fill(struct core *core)
{
    struct saving *saving = &core->saving;
    fill_page(core);
    bool is_full =
        saving->page.bytes >= PASS_BYTES || (saving->is_written && saving->page.bytes > 0);
    if (is_full && snapshot_may_pass(saving->writer))
        pass_page(saving);
    if (!saving->is_written)
        return saving->page.bytes < PASS_BYTES;
    /* Before it has a name the log must have come as far. */
    uint64_t lsn = log_snapshot_lsn(&saving->header);
    if (saving->page.bytes > 0 || wal_written_lsn(core->wal) < lsn)
        return false;
    const struct log_snapshot_footer footer = {
        .item_count = saving->content.item_count,
        .reservation_count = saving->content.reservation_count,
        .buyer_count = saving->content.buyer_count,
        .state_hash = saving->content.state_hash,
    };
    snapshot_finish(saving->writer, &footer);
    return false;
}

/* ---- the end ---- */

static bool is_kept(const struct core *core, uint64_t lsn, const struct saved *before)
{
    const struct saving *saving = &core->saving;
    return lsn == saving->newest.lsn || (before != NULL && lsn == before->lsn) ||
           (lsn == saving->pinned_lsn && core->now_ms < saving->pinned_until_ms);
}

/* Files that are not kept; one removal at a time, the others wait for the next snapshot. */
static void remove_old(struct core *core, const struct saved *before)
{
    struct saving *saving = &core->saving;
    for (uint32_t i = 0; i < saving->file_count;) {
        uint64_t lsn = saving->file_lsns[i];
        if (is_kept(core, lsn, before) || !snapshot_files_remove(saving->files, lsn))
            i++;
        else
            saving->file_lsns[i] = saving->file_lsns[--saving->file_count];
    }
}

static void note_file(struct saving *saving, uint64_t lsn)
{
    for (uint32_t i = 0; i < saving->file_count; i++)
        if (saving->file_lsns[i] == lsn)
            return;
    if (saving->file_count < SAVING_FILE_COUNT_MAX)
        saving->file_lsns[saving->file_count++] = lsn;
}

static void succeed(struct core *core)
{
    struct saving *saving = &core->saving;
    const struct saved before = saving->newest;
    const bool had_newest = saving->has_newest;
    saving->newest = (struct saved){
        .lsn = log_snapshot_lsn(&saving->header),
        .segment_number = saving->header.position.segment_number,
        .taken_ms = saving->header.taken_ms,
        .bytes = snapshot_bytes(saving->writer),
        .content = saving->content,
    };
    saving->has_newest = true;
    saving->begun_ms = saving->header.taken_ms;
    saving->log_bytes_at = saving->attempt_log_bytes_at;
    saving->log_bytes_before = 0;
    note_file(saving, saving->newest.lsn);
    diag(DIAG_INFO,
         "core %u: snapshot at LSN %" PRIu64 ": %" PRIu64 " items, %" PRIu64
         " reservations, %" PRIu64 " KiB in %" PRIu64 " ms",
         core->index, saving->newest.lsn, saving->content.item_count,
         saving->content.reservation_count, saving->newest.bytes >> 10,
         core->now_ms - saving->header.taken_ms);
    remove_old(core, had_newest ? &before : NULL);
    if (had_newest)
        wal_release(core->wal, before.segment_number);
    saving->count++;
    answer_all(core, &saving->newest);
}

static void fail(struct core *core)
{
    struct saving *saving = &core->saving;
    const char *failure = snapshot_failure(saving->writer);
    if (saving->is_saving)
        stock_save_abandon(core->stock);
    saving->is_saving = false;
    saving->retry_at_ms = core->now_ms + RETRY_MS;
    diag(DIAG_WARNING, "core %u: no snapshot could be taken (%s); the log is kept until one can be",
         core->index, failure);
    answer_all(core, NULL);
}

/* ---- public ---- */

bool saving_continue(struct core *core)
{
    struct saving *saving = &core->saving;
    if (saving->writer == NULL)
        return false;
    switch (snapshot_state(saving->writer)) {
    case SNAPSHOT_NONE:
        answer_unchanged(core);
        if (is_due(core) && wal_is_at_boundary(core->wal))
            begin(core);
        return saving->is_saving;
    case SNAPSHOT_FILLING:
        return fill(core);
    case SNAPSHOT_FINISHING:
        return false;
    case SNAPSHOT_DONE:
        succeed(core);
        break;
    case SNAPSHOT_FAILED:
        fail(core);
        break;
    }
    snapshot_settle(saving->writer);
    return true;
}

bool saving_has_room(const struct core *core, uint32_t record_count)
{
    const struct saving *saving = &core->saving;
    return !saving->is_saving || saving->page.bytes_max - saving->page.bytes >=
                                     record_count * STOCK_SAVE_BYTES_PER_RECORD_MAX;
}

uint64_t saving_wake_at_ms(const struct core *core)
{
    const struct saving *saving = &core->saving;
    if (saving->writer == NULL || snapshot_state(saving->writer) != SNAPSHOT_NONE)
        return UINT64_MAX;
    return due_at_ms(core);
}

bool saving_end(struct core *core)
{
    struct saving *saving = &core->saving;
    if (saving->writer == NULL)
        return true;
    if (snapshot_state(saving->writer) != SNAPSHOT_NONE)
        return false;
    if (is_changed(core) && core->now_ms >= saving->retry_at_ms && wal_is_at_boundary(core->wal)) {
        begin(core);
        return false;
    }
    return snapshot_files_are_idle(saving->files);
}

const char *saving_failure(const struct core *core)
{
    const struct snapshot *writer = core->saving.writer;
    return writer != NULL && snapshot_is_fatal(writer) ? snapshot_failure(writer) : NULL;
}

void saving_ask(struct core *core, struct job *job)
{
    struct saving *saving = &core->saving;
    if (saving->writer == NULL) {
        answer(core, job, NULL, HOLDFAST__V1__RESULT__RESULT_READ_ONLY);
    } else if (saving->has_newest && !is_changed(core)) {
        answer(core, job, &saving->newest, HOLDFAST__V1__RESULT__RESULT_OK);
    } else if (saving->ask_count == ASK_COUNT_MAX) {
        answer(core, job, NULL, HOLDFAST__V1__RESULT__RESULT_OVERLOADED);
    } else {
        saving->ask_count++;
        job_list_push(&saving->asking, job);
    }
}

void saving_fill_stat(const struct core *core, Holdfast__V1__StatResponse *response)
{
    const struct saving *saving = &core->saving;
    response->snapshots = saving->count;
    if (saving->writer == NULL)
        return;
    response->log_bytes_behind = log_bytes_behind(core);
    if (!saving->has_newest)
        return;
    response->snapshot_lsn = saving->newest.lsn;
    response->snapshot_taken_ms = saving->newest.taken_ms;
}

/* ---- reading for a backup ---- */

static Holdfast__V1__Result result_of_read(int32_t result)
{
    if (result >= 0)
        return HOLDFAST__V1__RESULT__RESULT_OK;
    return result == -ENOENT ? HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT
                             : HOLDFAST__V1__RESULT__RESULT_READ_ONLY;
}

static void end_read(struct core *core, struct job *job, Holdfast__V1__Result result,
                     uint32_t bytes, uint64_t file_bytes)
{
    Holdfast__V1__SnapshotReadResponse response = HOLDFAST__V1__SNAPSHOT_READ_RESPONSE__INIT;
    response.result = result;
    response.file_bytes = file_bytes;
    response.data.data = core->saving.read_buffer;
    response.data.len = bytes;
    control_encode_reply(job, &response.base, CONTROL_REPLY_BYTES_MAX + SAVING_READ_BYTES);
    core_finish_part(core, job);
}

static void was_read(void *context, int32_t result, uint64_t file_bytes)
{
    struct core *core = context;
    struct job *job = core->saving.reading;
    uint32_t bytes = result > 0 ? (uint32_t)(result - result % LOG_BLOCK_BYTES) : 0;
    core->saving.reading = NULL;
    if (bytes > 0) {
        core->saving.pinned_lsn = core->saving.reading_lsn;
        core->saving.pinned_until_ms = core->now_ms + PIN_MS;
    }
    end_read(core, job, result_of_read(result), bytes, file_bytes);
}

void saving_read(struct core *core, struct job *job,
                 const Holdfast__V1__SnapshotReadRequest *request)
{
    struct saving *saving = &core->saving;
    if (saving->files == NULL) {
        end_read(core, job, HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT, 0, 0);
        return;
    }
    if (!snapshot_files_may_read(saving->files)) {
        end_read(core, job, HOLDFAST__V1__RESULT__RESULT_OVERLOADED, 0, 0);
        return;
    }
    saving->reading = job;
    saving->reading_lsn = request->lsn;
    snapshot_files_read(saving->files, request->lsn, request->offset, saving->read_buffer,
                        SAVING_READ_BYTES, was_read, core);
}

/* ---- life ---- */

/* Room for what two of the largest frames may commit, and for what a turn adds. */
static uint32_t page_bytes(const struct core *core)
{
    uint32_t bytes = 2 * core->server->options.batch_rows_max * STOCK_SAVE_BYTES_PER_RECORD_MAX;
    return bytes + PASS_BYTES < LOG_SNAPSHOT_PAYLOAD_BYTES_MAX ? bytes + PASS_BYTES
                                                               : LOG_SNAPSHOT_PAYLOAD_BYTES_MAX;
}

bool saving_open(struct core *core, char *message_out)
{
    struct saving *saving = &core->saving;
    job_list_init(&saving->asking);
    job_list_init(&saving->asked);
    if (core->server->options.durability == WAL_OFF)
        return true;
    const struct snapshot_options options = {
        .core = core->index,
        .page_bytes = page_bytes(core),
    };
    saving->page.bytes_max = options.page_bytes;
    saving->writer = snapshot_open(core->io, core->server->directory, &options, message_out);
    if (saving->writer == NULL)
        return false;
    saving->files = snapshot_files_open(core->io, core->server->directory, core->index);
    saving->read_buffer = memory_map(SAVING_READ_BYTES);
    if (saving->files != NULL && saving->read_buffer != NULL)
        return true;
    snprintf(message_out, SERVER_MESSAGE_BYTES, "no memory for the snapshots' files");
    return false;
}

void saving_begin_serving(struct core *core)
{
    struct saving *saving = &core->saving;
    saving->begun_ms = core->now_ms;
    if (saving->has_newest && saving->newest.taken_ms < core->now_ms)
        saving->begun_ms = saving->newest.taken_ms;
}

void saving_close(struct core *core)
{
    snapshot_close(&core->saving.writer);
    snapshot_files_close(&core->saving.files);
    memory_unmap(core->saving.read_buffer, SAVING_READ_BYTES);
}
