#include "wal/healing.h"

#include "wal/trouble.h"

#include "base/assert.h"
#include "base/diag.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CLEAR_BYTES = 1 << 20 };

/* Behind the last byte of a file that is not zero, from `offset` on; `offset` when all are. */
static int find_last_byte(struct log_files *files, uint32_t file_index, uint64_t offset,
                          uint64_t *end_out)
{
    *end_out = offset;
    uint64_t file_bytes = files->segments[file_index].bytes;
    while (offset < file_bytes) {
        uint64_t left = file_bytes - offset;
        uint32_t bytes = left < LOG_GROUP_BYTES_MAX ? (uint32_t)left : LOG_GROUP_BYTES_MAX;
        int error = log_files_read_segment(files, file_index, offset, files->buffer, bytes);
        if (error != 0)
            return error;
        for (uint32_t i = bytes; i > 0; i--) {
            if (files->buffer[i - 1] != 0) {
                *end_out = offset + i;
                break;
            }
        }
        offset += bytes;
    }
    return 0;
}

/* A file "torn-20260131T120000Z-000-000000000001", or the same with "-2" and so on behind it when
 * there is one already. */
static int create_copy(struct log_files *files, uint64_t segment_number, char *name)
{
    time_t now_s = (time_t)(io_clock(files->io).wall_ns / 1000000000u);
    struct tm utc;
    char when[32];
    gmtime_r(&now_s, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &utc);
    int fd = -EEXIST;
    for (int attempt = 1; fd == -EEXIST && attempt < 100; attempt++) {
        char suffix[16] = "";
        if (attempt > 1)
            trouble_text(suffix, sizeof suffix, "-%d", attempt);
        trouble_text(name, LOG_NAME_BYTES_MAX, "torn-%s-%03" PRIu32 "-%012" PRIu64 "%s", when,
                     files->core, segment_number, suffix);
        fd = log_files_open_file(files, name, IO_FILE_CREATE);
    }
    return fd;
}

/* Copies bytes [offset, end) of a segment; the copy is on disk when this returns, its name when the
 * folder is synced. */
static int keep_copy(struct log_files *files, uint32_t file_index, uint64_t offset, uint64_t end,
                     char *copy_name)
{
    int copy = create_copy(files, files->segments[file_index].number, copy_name);
    if (copy < 0)
        return copy;
    int error = 0;
    for (uint64_t at = offset; at < end && error == 0;) {
        uint64_t left = end - at;
        uint64_t file_left = files->segments[file_index].bytes - at;
        uint32_t bytes = left < LOG_GROUP_BYTES_MAX ? (uint32_t)left : LOG_GROUP_BYTES_MAX;
        error = log_files_read_segment(files, file_index, at, files->buffer,
                                       file_left < LOG_GROUP_BYTES_MAX ? (uint32_t)file_left
                                                                       : LOG_GROUP_BYTES_MAX);
        if (error == 0)
            error = io_file_write_now(files->io, copy, files->buffer, bytes, at - offset);
        at += bytes;
    }
    if (error == 0)
        error = io_file_sync_now(files->io, copy);
    io_close(files->io, copy);
    return error;
}

static int clear(struct log_files *files, uint32_t file_index, uint64_t offset, uint64_t end)
{
    log_files_close_file(files); /* nothing is read ahead of what changes now */
    int fd = log_files_open_file(files, files->segments[file_index].name, 0);
    if (fd < 0)
        return fd;
    int error = 0;
    memset(files->buffer, 0, CLEAR_BYTES);
    for (uint64_t at = offset; at < end && error == 0; at += CLEAR_BYTES) {
        uint64_t left = end - at;
        error = io_file_write_now(files->io, fd, files->buffer,
                                  left < CLEAR_BYTES ? (size_t)left : CLEAR_BYTES, at);
    }
    if (error == 0)
        error = io_file_sync_now(files->io, fd);
    io_close(files->io, fd);
    return error;
}

/* Cuts a file at `offset`: what is not zero from there on is copied, then cleared. */
static enum data_directory_status cut(struct log_files *files, uint32_t file_index, uint64_t offset,
                                      const char *reason)
{
    const char *name = files->segments[file_index].name;
    char copy_name[LOG_NAME_BYTES_MAX] = "";
    uint64_t end;
    int error = find_last_byte(files, file_index, offset, &end);
    if (error != 0)
        return log_files_fail(files, name, "read this file", error);
    if (end == offset)
        return DATA_DIRECTORY_OK;
    error = keep_copy(files, file_index, offset, end, copy_name);
    if (error != 0)
        return log_files_fail(files, copy_name, "copy the torn end of the log into this file",
                              error);
    enum data_directory_status status =
        trouble_sync_folder(files->io, files->core_path, files->message_out);
    if (status != DATA_DIRECTORY_OK)
        return status;
    error = clear(files, file_index, offset, end);
    if (error != 0)
        return log_files_fail(files, name, "clear the torn end of this file", error);
    diag(DIAG_WARNING,
         "%s/%s: torn at offset %" PRIu64 " (%s): %" PRIu64 " bytes that were never acknowledged "
         "were cut; a copy is in %s",
         files->core_path, name, offset, reason, end - offset, copy_name);
    return DATA_DIRECTORY_OK;
}

enum data_directory_status healing_cut(struct log_files *files, const struct log_end *end)
{
    enum data_directory_status status = DATA_DIRECTORY_OK;
    bool is_any_used = end->segment.segment_number > 0;
    uint32_t first_unused = is_any_used ? end->segment_index + 1 : 0;
    if (is_any_used)
        status = cut(files, end->segment_index, end->offset, end->reason);
    for (uint32_t i = first_unused; i < files->segment_count && status == DATA_DIRECTORY_OK; i++)
        status = cut(files, i, 0, end->reason);
    return status;
}

static enum data_directory_status sync_segment(struct log_files *files, uint32_t file_index)
{
    const char *name = files->segments[file_index].name;
    int fd = log_files_open_file(files, name, 0);
    if (fd < 0)
        return log_files_fail(files, name, "open this file", fd);
    int error = io_file_sync_now(files->io, fd);
    io_close(files->io, fd);
    return error == 0 ? DATA_DIRECTORY_OK : log_files_fail(files, name, "sync this file", error);
}

enum data_directory_status healing_sync_end(struct log_files *files, const struct log_end *end)
{
    enum data_directory_status status = DATA_DIRECTORY_OK;
    for (uint32_t i = end->segment_index; i < files->segment_count && status == DATA_DIRECTORY_OK;
         i++)
        status = sync_segment(files, i);
    return status;
}
