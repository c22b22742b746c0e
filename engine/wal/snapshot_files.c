/* A read is three operations: open, read, close. The file stays closed between them, so whoever
 * takes an hour over a backup, or goes away in the middle of it, holds nothing. */

#include "wal/snapshot_files.h"

#include "base/assert.h"
#include "base/diag.h"
#include "log/format.h"
#include "log/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX };

struct snapshot_files {
    struct io *io;
    char core_path[DATA_DIRECTORY_PATH_BYTES];

    struct io_op remove_op;
    char remove_path[PATH_BYTES];

    struct io_op read_op;
    bool is_reading;
    int fd; /* -1 while it is being opened */
    char read_path[PATH_BYTES];
    uint64_t offset;
    uint64_t file_bytes;
    uint8_t *to;
    uint32_t bytes;
    snapshot_read_fn done;
    void *context;
};

static void write_path(const struct snapshot_files *files, uint64_t lsn, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(lsn, name);
    int bytes = snprintf(to, PATH_BYTES, "%s/%s", files->core_path, name);
    hf_assert(bytes > 0 && bytes < PATH_BYTES);
}

/* ---- removing ---- */

static void removed(struct io_op *op, int32_t result)
{
    const struct snapshot_files *files = op->context;
    if (result < 0 && result != -ENOENT)
        diag(DIAG_WARNING, "%s: cannot remove this file, which is not needed any more: %s",
             files->remove_path, strerror(-result));
}

bool snapshot_files_remove(struct snapshot_files *files, uint64_t lsn)
{
    if (files->remove_op.is_pending)
        return false;
    write_path(files, lsn, files->remove_path);
    io_file_remove(files->io, &files->remove_op, files->remove_path);
    return true;
}

/* ---- reading ---- */

static void end_reading(struct snapshot_files *files, int32_t result)
{
    if (files->fd >= 0)
        io_close(files->io, files->fd);
    files->fd = -1;
    files->is_reading = false;
    files->done(files->context, result, files->file_bytes);
}

static void read_step_done(struct io_op *op, int32_t result)
{
    struct snapshot_files *files = op->context;
    if (files->fd >= 0 || result < 0) {
        end_reading(files, result);
        return;
    }
    files->fd = result;
    int64_t file_bytes = io_file_size(files->io, files->fd);
    if (file_bytes < 0) {
        end_reading(files, (int32_t)file_bytes);
        return;
    }
    files->file_bytes = (uint64_t)file_bytes;
    io_file_read(files->io, op, files->fd, files->to, files->bytes, files->offset);
}

bool snapshot_files_may_read(const struct snapshot_files *files)
{
    return !files->is_reading;
}

void snapshot_files_read(struct snapshot_files *files, uint64_t lsn, uint64_t offset, uint8_t *to,
                         uint32_t bytes, snapshot_read_fn done, void *context)
{
    hf_assert(snapshot_files_may_read(files));
    hf_assert(offset % LOG_BLOCK_BYTES == 0 && bytes % LOG_BLOCK_BYTES == 0);
    write_path(files, lsn, files->read_path);
    files->is_reading = true;
    files->file_bytes = 0;
    files->offset = offset;
    files->to = to;
    files->bytes = bytes;
    files->done = done;
    files->context = context;
    io_file_open(files->io, &files->read_op, files->read_path, IO_FILE_READ | IO_FILE_DIRECT);
}

/* ---- life ---- */

struct snapshot_files *snapshot_files_open(struct io *io, const struct data_directory *directory,
                                           uint32_t core)
{
    struct snapshot_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return NULL;
    files->io = io;
    files->fd = -1;
    files->remove_op = (struct io_op){.done = removed, .context = files};
    files->read_op = (struct io_op){.done = read_step_done, .context = files};
    data_directory_core_path(directory, directory->manifest.era_count - 1, core, files->core_path);
    return files;
}

bool snapshot_files_are_idle(const struct snapshot_files *files)
{
    return !files->remove_op.is_pending && !files->is_reading;
}

void snapshot_files_close(struct snapshot_files **files_inout)
{
    struct snapshot_files *files = *files_inout;
    *files_inout = NULL;
    if (files == NULL)
        return;
    hf_assert(snapshot_files_are_idle(files));
    free(files);
}
