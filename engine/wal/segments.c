/* One operation at a time, which the disk does beside the core's turns:
 *
 *     the next segment    [rename an old file -> sync the folder ->] open -> [allocate ->]
 *                         slices of zeros -> sync the file -> rename -> sync the folder -> ready
 *     an old one          [copied to the archive ->] kept for the next segment, or removed
 *
 * One step follows the other by itself, but each slice of zeros waits until it may be written; old
 * files may be removed meanwhile.
 *
 * The next segment has the name "segment.new" until all of it is zero and on disk; so a file under
 * a segment's number is whole, and a crash leaves nothing but a file that the next start removes.
 * Zeros are written because reserved space alone costs a journal commit at each write into it
 * (measured: 195 us instead of 100 for 4 KiB). They are written at once while the log is quiet,
 * else in step with it, two bytes for each that it has filled of the segment in use. A group's
 * flush brings to the disk what was written before it as well, so beside a segment that is made at
 * once groups take ten times as long (measured: p99 of an open loop of 300,000 holds a second,
 * where the host lets the machine run, 17 ms, and 5 ms without zeros). So the log is not quiet
 * before its last group's flush has come to its end, however long that takes. In step the next
 * segment is there before more than half of the one in use is full.
 *
 * Old files go from the oldest on. What a crash leaves of them stands before the segment that a
 * restart begins with, where nobody looks.
 *
 * What can fail: a lack of room, which is no harm until a group needs the segment: what was made is
 * removed, one line warns, and it is tried again each second. Anything else is the end. */

#include "wal/segments.h"

#include "base/assert.h"
#include "base/diag.h"
#include "log/format.h"
#include "wal/trouble.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    RETRY_MS = 1000,
    QUIET_MS = 10, /* without a group */
    ZEROS_PER_LOG = 2,
    SLICE_BYTES_MIN = 128 << 10, /* in step with the log */
};

/* Old files are kept up to so much, and one in any case, to become the next segments: removing one
 * can cost the disk as much as many groups (measured with `discard`: 25 ms for 64 MiB). */
static const uint64_t old_bytes_max = 1ull << 30;

static void write_path(const struct segments *segments, const char *name, char *to)
{
    int bytes = snprintf(to, SEGMENTS_PATH_BYTES, "%s/%s", segments->core_path, name);
    hf_assert(bytes > 0 && bytes < SEGMENTS_PATH_BYTES);
}

static void write_number_path(const struct segments *segments, uint64_t number, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    write_path(segments, name, to);
}

static uint64_t spare_number(const struct segments *segments)
{
    return segments->number_in_use + 1;
}

/* ---- the steps ---- */

static void begin_step(struct segments *segments, enum segments_step step)
{
    struct io *io = segments->io;
    struct io_op *op = &segments->op;
    segments->step = step;
    switch (step) {
    case SEGMENTS_OLD_RENAME:
        write_number_path(segments, segments->number_first, segments->path);
        io_file_rename(io, op, segments->path, segments->new_path);
        break;
    case SEGMENTS_OLD_SYNC:
    case SEGMENTS_NAME_SYNC:
        io_file_sync(io, op, segments->folder_fd);
        break;
    case SEGMENTS_OPEN:
        io_file_open(io, op, segments->new_path,
                     IO_FILE_DIRECT | (segments->is_spare_recycled ? 0u : IO_FILE_CREATE));
        break;
    case SEGMENTS_ALLOCATE:
        io_file_allocate(io, op, segments->spare_fd, segments->segment_bytes);
        break;
    case SEGMENTS_ZEROS:
        io_file_write(io, op, segments->spare_fd, segments->zeros, segments->slice_bytes,
                      segments->filled_bytes, false);
        break;
    case SEGMENTS_SYNC:
        io_file_sync(io, op, segments->spare_fd);
        break;
    case SEGMENTS_RENAME:
        write_number_path(segments, spare_number(segments), segments->path);
        io_file_rename(io, op, segments->new_path, segments->path);
        break;
    case SEGMENTS_GIVE_BACK:
        io_file_remove(io, op, segments->new_path);
        break;
    case SEGMENTS_REMOVE:
        write_number_path(segments, segments->number_first, segments->path);
        io_file_remove(io, op, segments->path);
        break;
    case SEGMENTS_IDLE:
        break;
    }
}

/* ---- lack of room ---- */

static void give_up_for_now(struct segments *segments)
{
    begin_step(segments, SEGMENTS_IDLE);
    segments->retry_at_ms = segments->lacks_room ? segments->now_ms + RETRY_MS : 0;
}

static void give_back(struct segments *segments)
{
    io_close(segments->io, segments->spare_fd);
    segments->spare_fd = -1;
    begin_step(segments, SEGMENTS_GIVE_BACK);
}

static void has_no_room(struct segments *segments, int32_t result)
{
    if (!segments->lacks_room)
        diag(DIAG_WARNING,
             "%s: no room for the next segment of the log (%s): make room on the disk; when the "
             "segment in use is half full, new holds are refused (READ_ONLY)",
             segments->core_path, strerror(-result));
    segments->lacks_room = true;
    if (segments->spare_fd < 0)
        give_up_for_now(segments);
    else
        give_back(segments);
}

/* ---- from step to step ---- */

static void spare_is_ready(struct segments *segments)
{
    begin_step(segments, SEGMENTS_IDLE);
    segments->is_spare_ready = true;
    if (segments->lacks_room)
        diag(DIAG_INFO, "%s: there is room for the next segment again", segments->core_path);
    segments->lacks_room = false;
}

static const char *action_of(enum segments_step step)
{
    switch (step) {
    case SEGMENTS_REMOVE:
    case SEGMENTS_GIVE_BACK:
        return "remove this file";
    case SEGMENTS_OLD_SYNC:
    case SEGMENTS_NAME_SYNC:
        return "sync the folder of this segment";
    default:
        return "make this segment";
    }
}

/* An old file of another size, from a server with another --segment-size, is of no use. */
static void opened(struct segments *segments, int fd)
{
    segments->spare_fd = fd;
    if (!segments->is_spare_recycled)
        begin_step(segments, SEGMENTS_ALLOCATE);
    else if (io_file_size(segments->io, fd) == (int64_t)segments->segment_bytes)
        begin_step(segments, SEGMENTS_IDLE);
    else
        give_back(segments);
}

/* A slice may come out short where the room ends; the next one says so. It begins at a whole block,
 * as direct access wants it. */
static void zeros_written(struct segments *segments, int32_t result)
{
    segments->filled_bytes += (uint64_t)(result - result % LOG_BLOCK_BYTES);
    bool is_whole = segments->filled_bytes == segments->segment_bytes;
    begin_step(segments, is_whole ? SEGMENTS_SYNC : SEGMENTS_IDLE);
}

static void step_succeeded(struct segments *segments, int32_t result)
{
    switch (segments->step) {
    case SEGMENTS_OLD_RENAME:
        segments->number_first++;
        begin_step(segments, SEGMENTS_OLD_SYNC);
        break;
    case SEGMENTS_OLD_SYNC:
        begin_step(segments, SEGMENTS_OPEN);
        break;
    case SEGMENTS_OPEN:
        opened(segments, result);
        break;
    case SEGMENTS_ALLOCATE:
        begin_step(segments, SEGMENTS_IDLE);
        break;
    case SEGMENTS_ZEROS:
        zeros_written(segments, result);
        break;
    case SEGMENTS_SYNC:
        begin_step(segments, SEGMENTS_RENAME);
        break;
    case SEGMENTS_RENAME:
        begin_step(segments, SEGMENTS_NAME_SYNC);
        break;
    case SEGMENTS_NAME_SYNC:
        spare_is_ready(segments);
        break;
    case SEGMENTS_GIVE_BACK:
        give_up_for_now(segments);
        break;
    case SEGMENTS_REMOVE:
        segments->number_first++;
        begin_step(segments, SEGMENTS_IDLE);
        break;
    case SEGMENTS_IDLE:
        hf_assert(!"a step without an operation");
    }
}

/* A removal needs none; and when a folder can't be synced nobody knows which names are on disk. */
static bool may_lack_room(enum segments_step step)
{
    return step != SEGMENTS_OLD_SYNC && step != SEGMENTS_NAME_SYNC && step != SEGMENTS_GIVE_BACK &&
           step != SEGMENTS_REMOVE;
}

static void step_done(struct io_op *op, int32_t result)
{
    struct segments *segments = op->context;
    const enum segments_step step = segments->step;
    if (segments->is_over)
        return;
    bool is_old = step == SEGMENTS_REMOVE || step == SEGMENTS_OLD_RENAME;
    bool is_short = step == SEGMENTS_ZEROS && result >= 0 && result < LOG_BLOCK_BYTES;
    if (is_old && result == -ENOENT) { /* what went before a crash need not have been the oldest */
        segments->number_first++;
        begin_step(segments, SEGMENTS_IDLE);
    } else if (trouble_is_lack_of_room(result) && may_lack_room(step)) {
        has_no_room(segments, result);
    } else if (result < 0 || is_short) {
        segments->step = SEGMENTS_IDLE;
        segments->failed(segments->context,
                         is_old ? segments->number_first : spare_number(segments), action_of(step),
                         result);
    } else {
        step_succeeded(segments, result);
    }
}

/* ---- what is to be done ---- */

/* Files from number_first up to here are of no use any more. */
static uint64_t old_end(const struct segments *segments)
{
    uint64_t end = segments->number_needed;
    if (segments->archive != NULL && archive_number_next(segments->archive) < end)
        end = archive_number_next(segments->archive);
    return end;
}

static uint64_t old_count(const struct segments *segments)
{
    uint64_t end = old_end(segments);
    return end > segments->number_first ? end - segments->number_first : 0;
}

static bool has_too_many(const struct segments *segments)
{
    uint64_t count = old_count(segments);
    return count > 1 && count * segments->segment_bytes > old_bytes_max;
}

static void make_spare(struct segments *segments)
{
    segments->filled_bytes = 0;
    segments->is_spare_recycled = old_count(segments) > 0;
    begin_step(segments, segments->is_spare_recycled ? SEGMENTS_OLD_RENAME : SEGMENTS_OPEN);
}

/* The next segment is open and not whole yet. */
static bool is_spare_begun(const struct segments *segments)
{
    return segments->spare_fd >= 0 && !segments->is_spare_ready;
}

/* Zeros that may be written now; 0: none. */
static uint64_t due_slice_bytes(const struct segments *segments, const struct segments_log *log)
{
    uint64_t left_bytes = segments->segment_bytes - segments->filled_bytes;
    uint64_t slice_bytes = SEGMENTS_SLICE_BYTES;
    if (segments->now_ms < segments->quiet_at_ms) {
        uint64_t due_bytes = ZEROS_PER_LOG * log->used_bytes;
        uint64_t behind_bytes =
            due_bytes > segments->filled_bytes ? due_bytes - segments->filled_bytes : 0;
        if (behind_bytes < SLICE_BYTES_MIN && behind_bytes < left_bytes)
            return 0;
        if (behind_bytes < slice_bytes)
            slice_bytes = behind_bytes - behind_bytes % LOG_BLOCK_BYTES;
    }
    return slice_bytes < left_bytes ? slice_bytes : left_bytes;
}

static void continue_spare(struct segments *segments, const struct segments_log *log)
{
    if (!is_spare_begun(segments)) {
        if (segments->now_ms >= segments->retry_at_ms)
            make_spare(segments);
        return;
    }
    segments->slice_bytes = (uint32_t)due_slice_bytes(segments, log);
    if (segments->slice_bytes > 0)
        begin_step(segments, SEGMENTS_ZEROS);
}

/* The log is quiet some time after its last group has come to its end. */
static void note_log(struct segments *segments, const struct segments_log *log)
{
    if (log->is_writing)
        segments->quiet_at_ms = UINT64_MAX;
    else if (segments->quiet_at_ms == UINT64_MAX)
        segments->quiet_at_ms = segments->now_ms + QUIET_MS;
}

void segments_continue(struct segments *segments, const struct segments_log *log, uint64_t now_ms)
{
    segments->now_ms = now_ms;
    note_log(segments, log);
    if (segments->is_stopping)
        return;
    if (segments->archive != NULL)
        archive_continue(segments->archive, segments->number_needed, now_ms);
    if (segments->step == SEGMENTS_IDLE && !segments->is_spare_ready)
        continue_spare(segments, log);
    if (segments->step == SEGMENTS_IDLE && has_too_many(segments))
        begin_step(segments, SEGMENTS_REMOVE);
}

uint64_t segments_wake_at_ms(const struct segments *segments)
{
    if (segments->is_stopping)
        return UINT64_MAX;
    uint64_t spare_ms = UINT64_MAX;
    if (segments->step == SEGMENTS_IDLE && is_spare_begun(segments))
        spare_ms = segments->quiet_at_ms;
    else if (segments->step == SEGMENTS_IDLE && segments_lacks_room(segments))
        spare_ms = segments->retry_at_ms;
    uint64_t archive_ms = segments->archive != NULL
                              ? archive_wake_at_ms(segments->archive, segments->number_needed)
                              : UINT64_MAX;
    return spare_ms < archive_ms ? spare_ms : archive_ms;
}

int segments_take(struct segments *segments)
{
    hf_assert(segments->is_spare_ready);
    int fd = segments->spare_fd;
    segments->is_spare_ready = false;
    segments->spare_fd = -1;
    segments->retry_at_ms = 0;
    segments->number_in_use++;
    return fd;
}

void segments_release(struct segments *segments, uint64_t number_needed)
{
    hf_assert(number_needed <= segments->number_in_use);
    if (number_needed > segments->number_needed)
        segments->number_needed = number_needed;
}

bool segments_is_idle(const struct segments *segments)
{
    bool waits_for_zeros = is_spare_begun(segments) && !segments->is_stopping;
    return segments->step == SEGMENTS_IDLE && !waits_for_zeros &&
           (segments->archive == NULL || archive_is_idle(segments->archive));
}

/* ---- life ---- */

void segments_init(struct segments *segments, struct io *io, const char *core_path, int folder_fd,
                   const struct segments_options *options, struct archive *archive,
                   segments_failed_fn failed, void *context)
{
    hf_assert(options->number_first <= options->number_in_use);
    *segments = (struct segments){
        .io = io,
        .core_path = core_path,
        .folder_fd = folder_fd,
        .segment_bytes = options->segment_bytes,
        .zeros = options->zeros,
        .failed = failed,
        .context = context,
        .archive = archive,
        .op = {.done = step_done, .context = segments},
        .number_first = options->number_first,
        .number_needed = options->number_first,
        .number_in_use = options->number_in_use,
        .spare_fd = -1,
    };
    write_path(segments, LOG_SEGMENT_NEW_NAME, segments->new_path);
}

void segments_stop(struct segments *segments)
{
    segments->is_stopping = true;
}

void segments_end(struct segments *segments)
{
    segments->is_over = true;
    if (segments->archive != NULL)
        archive_end(segments->archive);
}

void segments_deinit(struct segments *segments)
{
    hf_assert(!segments->op.is_pending);
    if (segments->spare_fd >= 0)
        io_close(segments->io, segments->spare_fd);
    segments->spare_fd = -1;
}
