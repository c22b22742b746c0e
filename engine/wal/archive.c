/* One segment is copied in pieces: open the source, make "N.log.new", read and write in turn, sync
 * the file, rename it, sync the folder. What a crash leaves is begun anew: the copy of a segment
 * that has been archived already is the same bytes under the same name. */

#include "wal/archive.h"

#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"
#include "log/manifest.h"
#include "wal/archive_directory.h"
#include "wal/data_directory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 1 << 20,
    RETRY_MS = 10 * 1000,
    PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + 2 * LOG_NAME_BYTES_MAX,
};

enum step {
    STEP_IDLE,
    STEP_OPEN_SOURCE,
    STEP_REMOVE_REST, /* of an attempt that did not come to its end */
    STEP_MAKE_COPY,
    STEP_READ,
    STEP_WRITE,
    STEP_SYNC,
    STEP_RENAME,
    STEP_SYNC_NAME,
};

struct archive {
    struct io *io;
    const char *source_path;
    char folder_path[PATH_BYTES];
    int folder_fd;
    uint64_t number_next;

    struct io_op op;
    enum step step;
    char path[PATH_BYTES]; /* of the source, then of the copy */
    char new_path[PATH_BYTES];
    int source_fd, copy_fd;
    uint64_t offset;      /* of the piece under way */
    uint32_t piece_bytes; /* read, to be written */
    uint32_t piece_done;  /* written of it */
    uint8_t *piece;       /* PIECE_BYTES */
    uint64_t now_ms, retry_at_ms;
    bool has_warned;
    bool is_over; /* archive_end() */
};

static void write_path(char *to, const char *folder, uint64_t number, const char *suffix)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    int bytes = snprintf(to, PATH_BYTES, "%s/%s%s", folder, name, suffix);
    hf_assert(bytes > 0 && bytes < PATH_BYTES);
}

static void close_files(struct archive *archive)
{
    if (archive->source_fd >= 0)
        io_close(archive->io, archive->source_fd);
    if (archive->copy_fd >= 0)
        io_close(archive->io, archive->copy_fd);
    archive->source_fd = archive->copy_fd = -1;
}

/* ---- the steps ---- */

static void begin_step(struct archive *archive, enum step step)
{
    struct io *io = archive->io;
    struct io_op *op = &archive->op;
    archive->step = step;
    switch (step) {
    case STEP_OPEN_SOURCE:
        write_path(archive->path, archive->source_path, archive->number_next, "");
        io_file_open(io, op, archive->path, IO_FILE_READ | IO_FILE_DIRECT);
        break;
    case STEP_REMOVE_REST:
        write_path(archive->new_path, archive->folder_path, archive->number_next, ".new");
        io_file_remove(io, op, archive->new_path);
        break;
    case STEP_MAKE_COPY:
        io_file_open(io, op, archive->new_path, IO_FILE_CREATE | IO_FILE_DIRECT);
        break;
    case STEP_READ:
        io_file_read(io, op, archive->source_fd, archive->piece, PIECE_BYTES, archive->offset);
        break;
    case STEP_WRITE:
        io_file_write(io, op, archive->copy_fd, archive->piece + archive->piece_done,
                      archive->piece_bytes - archive->piece_done,
                      archive->offset + archive->piece_done, false);
        break;
    case STEP_SYNC:
        io_file_sync(io, op, archive->copy_fd);
        break;
    case STEP_RENAME:
        write_path(archive->path, archive->folder_path, archive->number_next, "");
        io_file_rename(io, op, archive->new_path, archive->path);
        break;
    case STEP_SYNC_NAME:
        io_file_sync(io, op, archive->folder_fd);
        break;
    case STEP_IDLE:
        break;
    }
}

static void try_again_later(struct archive *archive, int32_t result)
{
    if (!archive->has_warned)
        diag(DIAG_WARNING,
             "%s: segment %" PRIu64
             " cannot be archived: %s; it stays in the data directory and is "
             "tried again every %d s",
             archive->folder_path, archive->number_next,
             result < 0 ? strerror(-result) : "it is shorter than it was", RETRY_MS / 1000);
    archive->has_warned = true;
    close_files(archive);
    begin_step(archive, STEP_IDLE);
    archive->retry_at_ms = archive->now_ms + RETRY_MS;
}

/* Whoever removed it has left a gap in the archive, and no more is to be had from waiting. */
static void is_missing(struct archive *archive)
{
    diag(DIAG_WARNING, "%s: segment %" PRIu64 " cannot be archived: it is not there any more",
         archive->folder_path, archive->number_next);
    begin_step(archive, STEP_IDLE);
    archive->number_next++;
}

static void is_archived(struct archive *archive)
{
    close_files(archive);
    begin_step(archive, STEP_IDLE);
    archive->number_next++;
    if (archive->has_warned)
        diag(DIAG_INFO, "%s: segments are archived again", archive->folder_path);
    archive->has_warned = false;
}

/* Direct access takes whole blocks; a short write goes on at the block that it did not fill. */
static void piece_written(struct archive *archive, int32_t result)
{
    archive->piece_done += (uint32_t)(result - result % LOG_BLOCK_BYTES);
    if (archive->piece_done < archive->piece_bytes) {
        begin_step(archive, STEP_WRITE);
        return;
    }
    archive->offset += archive->piece_bytes;
    begin_step(archive, STEP_READ);
}

static void piece_read(struct archive *archive, int32_t result)
{
    if (result == 0) {
        begin_step(archive, STEP_SYNC);
        return;
    }
    archive->piece_bytes = (uint32_t)result;
    archive->piece_done = 0;
    begin_step(archive, STEP_WRITE);
}

static void step_succeeded(struct archive *archive, int32_t result)
{
    switch (archive->step) {
    case STEP_OPEN_SOURCE:
        archive->source_fd = result;
        begin_step(archive, STEP_REMOVE_REST);
        break;
    case STEP_REMOVE_REST:
        begin_step(archive, STEP_MAKE_COPY);
        break;
    case STEP_MAKE_COPY:
        archive->copy_fd = result;
        archive->offset = 0;
        begin_step(archive, STEP_READ);
        break;
    case STEP_READ:
        piece_read(archive, result);
        break;
    case STEP_WRITE:
        piece_written(archive, result);
        break;
    case STEP_SYNC:
        begin_step(archive, STEP_RENAME);
        break;
    case STEP_RENAME:
        begin_step(archive, STEP_SYNC_NAME);
        break;
    case STEP_SYNC_NAME:
        is_archived(archive);
        break;
    case STEP_IDLE:
        hf_assert(!"a step without an operation");
    }
}

static void step_done(struct io_op *op, int32_t result)
{
    struct archive *archive = op->context;
    const enum step step = archive->step;
    if (archive->is_over)
        return;
    bool is_nothing_there = step == STEP_REMOVE_REST && result == -ENOENT;
    bool is_short = (step == STEP_WRITE && result >= 0 && result < LOG_BLOCK_BYTES) ||
                    (step == STEP_READ && result > 0 && result % LOG_BLOCK_BYTES != 0);
    if (step == STEP_OPEN_SOURCE && result == -ENOENT)
        is_missing(archive);
    else if ((result < 0 && !is_nothing_there) || is_short)
        try_again_later(archive, result);
    else
        step_succeeded(archive, result);
}

void archive_continue(struct archive *archive, uint64_t number_end, uint64_t now_ms)
{
    archive->now_ms = now_ms;
    if (archive->step == STEP_IDLE && archive->number_next < number_end &&
        now_ms >= archive->retry_at_ms)
        begin_step(archive, STEP_OPEN_SOURCE);
}

uint64_t archive_wake_at_ms(const struct archive *archive, uint64_t number_end)
{
    bool is_waiting = archive->step == STEP_IDLE && archive->number_next < number_end;
    return is_waiting ? archive->retry_at_ms : UINT64_MAX;
}

uint64_t archive_number_next(const struct archive *archive)
{
    return archive->number_next;
}

bool archive_is_idle(const struct archive *archive)
{
    return archive->step == STEP_IDLE;
}

/* ---- life ---- */

struct archive *archive_open(struct io *io, const struct archive_options *options,
                             char *message_out)
{
    char name[LOG_NAME_BYTES_MAX];
    struct archive *archive = calloc(1, sizeof *archive);
    uint8_t *piece = memory_map(PIECE_BYTES);
    if (archive == NULL || piece == NULL) {
        free(archive);
        memory_unmap(piece, PIECE_BYTES);
        snprintf(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "no memory for the archive's buffers");
        return NULL;
    }
    *archive = (struct archive){
        .io = io,
        .source_path = options->source_path,
        .number_next = options->number_first,
        .op = {.done = step_done, .context = archive},
        .source_fd = -1,
        .copy_fd = -1,
        .folder_fd = -1,
        .piece = piece,
    };
    log_core_directory_name(options->era, options->core, name);
    snprintf(archive->folder_path, sizeof archive->folder_path, "%s/%s", options->archive_path,
             name);
    int error = archive_directory_make_folders(io, options->archive_path, archive->folder_path);
    if (error == 0)
        archive->folder_fd = io_file_open_now(io, archive->folder_path, IO_FILE_DIRECTORY);
    if (error == 0 && archive->folder_fd < 0)
        error = archive->folder_fd;
    if (error == 0)
        return archive;
    snprintf(
        message_out, DATA_DIRECTORY_MESSAGE_BYTES,
        "%.300s: cannot make or open this folder of the archive: %s; give the server's user the "
        "right to write there, or choose another --archive",
        archive->folder_path, strerror(-error));
    archive_close(&archive);
    return NULL;
}

void archive_end(struct archive *archive)
{
    archive->is_over = true;
}

void archive_close(struct archive **archive_inout)
{
    struct archive *archive = *archive_inout;
    *archive_inout = NULL;
    if (archive == NULL)
        return;
    hf_assert(!archive->op.is_pending);
    close_files(archive);
    if (archive->folder_fd >= 0)
        io_close(archive->io, archive->folder_fd);
    memory_unmap(archive->piece, PIECE_BYTES);
    free(archive);
}
