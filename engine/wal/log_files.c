/* Files are read around the page cache, so that what is read is on the disk: after a failed write
 * or sync the cache shows bytes that are not, and another sync would say nothing. A file that is
 * not whole blocks long is none that a writer made, and can't be read so. */

#include "wal/log_files.h"

#include "wal/healing.h"
#include "wal/log_files_private.h"
#include "wal/trouble.h"

#include "base/assert.h"
#include "base/memory.h"
#include "log/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX,
    READ_BYTES = 1 << 20, /* of a snapshot at once */
};
_Static_assert((int)LOG_SNAPSHOT_BLOCK_BYTES_MAX <= (int)LOG_GROUP_BYTES_MAX,
               "a block fits into the buffer");

enum data_directory_status log_files_fail(struct log_files *files, const char *name,
                                          const char *action, int error)
{
    char path[PATH_BYTES];
    trouble_text(path, sizeof path, "%s/%s", files->core_path, name);
    return trouble(files->message_out, path, action, error);
}

int log_files_open_file(struct log_files *files, const char *name, uint32_t flags)
{
    char path[PATH_BYTES];
    trouble_text(path, sizeof path, "%s/%s", files->core_path, name);
    return io_file_open_now(files->io, path, flags);
}

/* ---- looking what there is ---- */

/* Room for one more entry in a list that grows. */
static void *with_room(struct log_files *files, void *list, uint32_t count, uint32_t *room,
                       size_t entry_bytes)
{
    if (count < *room)
        return list;
    uint32_t wanted = *room == 0 ? 64 : *room * 2;
    void *larger = realloc(list, wanted * entry_bytes);
    if (larger == NULL) {
        files->is_out_of_memory = true;
        return list;
    }
    *room = wanted;
    return larger;
}

static void note_segment(struct log_files *files, uint64_t number)
{
    files->segments = with_room(files, files->segments, files->segment_count, &files->segment_room,
                                sizeof *files->segments);
    if (files->is_out_of_memory)
        return;
    struct segment_file *segment = &files->segments[files->segment_count++];
    segment->number = number;
    segment->bytes = 0;
    log_segment_file_name(number, segment->name);
}

static void note_snapshot(struct log_files *files, uint64_t lsn)
{
    files->snapshot_lsns = with_room(files, files->snapshot_lsns, files->snapshot_count,
                                     &files->snapshot_room, sizeof *files->snapshot_lsns);
    if (!files->is_out_of_memory)
        files->snapshot_lsns[files->snapshot_count++] = lsn;
}

static void note_name(void *context, const char *name)
{
    struct log_files *files = context;
    uint64_t lsn;
    uint64_t number = log_segment_file_number(name);
    if (number != 0)
        note_segment(files, number);
    else if (log_snapshot_file_lsn(name, &lsn))
        note_snapshot(files, lsn);
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = ((const struct segment_file *)a)->number;
    uint64_t right = ((const struct segment_file *)b)->number;
    return left < right ? -1 : left > right;
}

static int by_lsn(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static enum data_directory_status find_sizes(struct log_files *files)
{
    for (uint32_t i = 0; i < files->segment_count; i++) {
        struct segment_file *segment = &files->segments[i];
        int fd = log_files_open_file(files, segment->name, IO_FILE_READ);
        if (fd < 0)
            return log_files_fail(files, segment->name, "open this file", fd);
        int64_t bytes = io_file_size(files->io, fd);
        io_close(files->io, fd);
        if (bytes < 0)
            return log_files_fail(files, segment->name, "read the size of this file", (int)bytes);
        segment->bytes = (uint64_t)bytes;
    }
    return DATA_DIRECTORY_OK;
}

static enum data_directory_status find_files(struct log_files *files)
{
    int error = io_directory_list(files->io, files->core_path, note_name, files);
    if (error == -ENOENT && files->is_era_pending)
        return DATA_DIRECTORY_OK;
    if (error == -ENOENT) {
        trouble_text(files->message_out, DATA_DIRECTORY_MESSAGE_BYTES,
                     "%s: damaged: the MANIFEST names this folder, but it is missing; bring it "
                     "back from a copy of the directory",
                     files->core_path);
        return DATA_DIRECTORY_DAMAGED;
    }
    if (error == 0 && files->is_out_of_memory)
        error = -ENOMEM;
    if (error != 0)
        return trouble(files->message_out, files->core_path, "read this folder", error);
    if (files->segment_count > 0)
        qsort(files->segments, files->segment_count, sizeof *files->segments, by_number);
    if (files->snapshot_count > 0)
        qsort(files->snapshot_lsns, files->snapshot_count, sizeof *files->snapshot_lsns, by_lsn);
    return find_sizes(files);
}

/* ---- life ---- */

struct log_files *log_files_open(const struct data_directory *directory, struct io *io,
                                 uint32_t era_index, uint32_t core, char *message_out,
                                 enum data_directory_status *status_out)
{
    const struct log_manifest *manifest = &directory->manifest;
    hf_assert(era_index < manifest->era_count);
    hf_assert(core < manifest->eras[era_index].core_count);
    bool is_newest = era_index + 1 == manifest->era_count;
    char path[DATA_DIRECTORY_PATH_BYTES];
    data_directory_core_path(directory, era_index, core, path);
    struct log_files *files = calloc(1, sizeof *files);
    uint8_t *buffer = memory_map_sparse(LOG_GROUP_BYTES_MAX);
    if (files == NULL || buffer == NULL) {
        free(files);
        memory_unmap(buffer, LOG_GROUP_BYTES_MAX);
        *status_out = trouble(message_out, path, "read the log", -ENOMEM);
        return NULL;
    }
    *files = (struct log_files){
        .directory = directory,
        .io = io,
        .era = manifest->eras[era_index].number,
        .core = core,
        .closed = is_newest ? NULL : &manifest->eras[era_index].ends[core],
        .is_era_pending = is_newest && directory->is_era_pending,
        .message_out = message_out,
        .buffer = buffer,
        .fd = -1,
    };
    memcpy(files->core_path, path, sizeof path);
    *status_out = find_files(files);
    if (*status_out != DATA_DIRECTORY_OK)
        log_files_close(&files);
    return files;
}

void log_files_close_file(struct log_files *files)
{
    if (files->ahead != NULL)
        io_ahead_stop(files->ahead);
    if (files->fd >= 0)
        io_close(files->io, files->fd);
    files->fd = -1;
}

void log_files_close(struct log_files **files_inout)
{
    struct log_files *files = *files_inout;
    *files_inout = NULL;
    if (files == NULL)
        return;
    log_files_close_file(files);
    io_ahead_destroy(&files->ahead);
    memory_unmap(files->buffer, LOG_GROUP_BYTES_MAX);
    free(files->log_segments);
    free(files->snapshot_lsns);
    free(files->segments);
    free(files);
}

/* ---- snapshots ---- */

uint32_t log_files_snapshot_count(const struct log_files *files)
{
    return files->snapshot_count;
}

uint64_t log_files_snapshot_lsn(const struct log_files *files, uint32_t index)
{
    hf_assert(index < files->snapshot_count);
    return files->snapshot_lsns[index];
}

static enum data_directory_status fail_snapshot(struct log_files *files, const char *action,
                                                int error)
{
    return trouble(files->message_out, files->snapshot_path, action, error);
}

static enum data_directory_status open_snapshot(struct log_files *files)
{
    log_files_close_file(files);
    int fd = io_file_open_now(files->io, files->snapshot_path, IO_FILE_READ);
    if (fd < 0)
        return fail_snapshot(files, "open this file", fd);
    int64_t bytes = io_file_size(files->io, fd);
    io_close(files->io, fd);
    if (bytes < 0)
        return fail_snapshot(files, "read the size of this file", (int)bytes);
    files->snapshot_bytes = (uint64_t)bytes;
    uint32_t direct = bytes % LOG_BLOCK_BYTES == 0 ? IO_FILE_DIRECT : 0u;
    files->fd = io_file_open_now(files->io, files->snapshot_path, IO_FILE_READ | direct);
    return files->fd < 0 ? fail_snapshot(files, "open this file", files->fd) : DATA_DIRECTORY_OK;
}

enum data_directory_status log_files_begin_snapshot(struct log_files *files, uint64_t lsn)
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(lsn, name);
    trouble_text(files->snapshot_path, sizeof files->snapshot_path, "%s/%s", files->core_path,
                 name);
    enum data_directory_status status = open_snapshot(files);
    if (status != DATA_DIRECTORY_OK)
        return status;
    const struct log_snapshot_source source = {
        .server_id = files->directory->manifest.server_id,
        .era = files->era,
        .core = files->core,
        .lsn = lsn,
        .file_bytes = files->snapshot_bytes,
    };
    log_snapshot_reader_begin(&files->snapshot_reader, &source);
    files->window_offset = files->window_end = 0;
    return DATA_DIRECTORY_OK;
}

enum data_directory_status log_files_sync_snapshot(struct log_files *files)
{
    int error = io_file_sync_now(files->io, files->fd);
    if (error != 0)
        return fail_snapshot(files, "sync this file", error);
    return trouble_sync_folder(files->io, files->core_path, files->message_out);
}

/* Reads exactly so many bytes of the file that is open. Reading will go on to `end`; what is short
 * is not worth reading ahead. */
static int read_open_file(struct log_files *files, void *buffer, uint32_t bytes, uint64_t offset,
                          uint64_t end)
{
    files->bytes_read += bytes;
    if (files->ahead == NULL && !files->is_ahead_refused && end - offset > READ_BYTES) {
        files->ahead = io_ahead_create(files->io);
        files->is_ahead_refused = files->ahead == NULL;
    }
    if (files->ahead == NULL)
        return io_file_read_now(files->io, files->fd, buffer, bytes, offset);
    return io_ahead_read(files->ahead, files->fd, buffer, bytes, offset, end);
}

/* Pieces are smaller than the buffer: what it holds of the file from the reader's place on. */
static const uint8_t *window(const struct log_files *files)
{
    return files->buffer + (files->snapshot_reader.offset - files->window_offset);
}

static uint32_t window_bytes(const struct log_files *files)
{
    return (uint32_t)(files->window_end - files->snapshot_reader.offset);
}

/* Makes the buffer begin with the reader's place. */
static void move_window(struct log_files *files)
{
    uint32_t kept_bytes = window_bytes(files);
    memmove(files->buffer, window(files), kept_bytes);
    files->window_offset = files->snapshot_reader.offset;
}

/* Reads on until the buffer has so many bytes from the reader's place on, or more. Headers of many
 * snapshots are read before the first of them is read on. */
static int extend_window(struct log_files *files, uint32_t bytes)
{
    bool is_header = files->snapshot_reader.offset == 0;
    uint64_t end = is_header ? bytes : files->snapshot_bytes;
    move_window(files);
    uint64_t left = end - files->window_offset;
    if (bytes < READ_BYTES)
        bytes = left < READ_BYTES ? (uint32_t)left : READ_BYTES;
    uint32_t kept_bytes = window_bytes(files);
    int error = read_open_file(files, files->buffer + kept_bytes, bytes - kept_bytes,
                               files->window_end, end);
    if (error == 0)
        files->window_end += bytes - kept_bytes;
    return error;
}

/* Sees to it that the next piece is in the buffer. 0 or a negative errno. */
static int fill_window(struct log_files *files)
{
    const struct log_snapshot_reader *reader = &files->snapshot_reader;
    for (;;) {
        uint32_t bytes = log_snapshot_reader_needs(reader, window(files), window_bytes(files));
        if (window_bytes(files) >= bytes)
            return 0;
        int error = extend_window(files, bytes);
        if (error != 0)
            return error;
    }
}

enum data_directory_status log_files_read_snapshot(struct log_files *files,
                                                   enum log_snapshot_piece *piece_out,
                                                   const struct log_snapshot_reader **reader_out)
{
    struct log_snapshot_reader *reader = &files->snapshot_reader;
    int error = fill_window(files);
    if (error != 0)
        return fail_snapshot(files, "read this file", error);
    *piece_out = log_snapshot_reader_take(reader, window(files), window_bytes(files));
    *reader_out = reader;
    switch (*piece_out) {
    case LOG_SNAPSHOT_DAMAGED:
        trouble_text(files->message_out, DATA_DIRECTORY_MESSAGE_BYTES,
                     "%s: offset %" PRIu64 ": damaged: %s", files->snapshot_path, reader->offset,
                     reader->reason);
        return DATA_DIRECTORY_DAMAGED;
    case LOG_SNAPSHOT_VERSION:
        trouble_text(files->message_out, DATA_DIRECTORY_MESSAGE_BYTES,
                     "%s: another version: %s; use the version of holdfastd that wrote it",
                     files->snapshot_path, reader->reason);
        return DATA_DIRECTORY_VERSION;
    case LOG_SNAPSHOT_WHOLE:
    case LOG_SNAPSHOT_HEADER:
    case LOG_SNAPSHOT_ENTRIES:
        break;
    }
    return DATA_DIRECTORY_OK;
}

uint64_t log_files_snapshot_bytes(const struct log_files *files)
{
    return files->snapshot_bytes;
}

static enum data_directory_status read_position(struct log_files *files, uint64_t lsn,
                                                struct log_position *position_out)
{
    enum log_snapshot_piece piece;
    const struct log_snapshot_reader *reader = &files->snapshot_reader;
    enum data_directory_status status = log_files_begin_snapshot(files, lsn);
    if (status == DATA_DIRECTORY_OK)
        status = log_files_read_snapshot(files, &piece, &reader);
    log_files_close_file(files);
    if (status == DATA_DIRECTORY_OK)
        *position_out = reader->header.position;
    return status;
}

enum data_directory_status log_files_newest_position(struct log_files *files,
                                                     struct log_position *position_out)
{
    for (uint32_t i = files->snapshot_count; i > 0; i--) {
        enum data_directory_status status =
            read_position(files, files->snapshot_lsns[i - 1], position_out);
        if (status == DATA_DIRECTORY_OK || status == DATA_DIRECTORY_VERSION)
            return status;
    }
    *position_out = log_position_first();
    return DATA_DIRECTORY_OK;
}

/* ---- the log ---- */

static uint64_t segment_bytes_from(const struct log_files *files, uint32_t index,
                                   const struct log_position *start)
{
    const struct segment_file *segment = &files->segments[index];
    if (segment->number < start->segment_number)
        return 0;
    if (segment->number > start->segment_number)
        return segment->bytes;
    return segment->bytes > start->offset ? segment->bytes - start->offset : 0;
}

uint64_t log_files_log_bytes(const struct log_files *files, const struct log_position *start)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < files->segment_count; i++)
        bytes += segment_bytes_from(files, i, start);
    return bytes;
}

/* Of the segment that is being read: what is behind the last good group is still to be read, but
 * what is before the start is not counted at all. */
static uint64_t bytes_left(const struct log_files *files, const struct segment_file *segment,
                           uint64_t bytes)
{
    if (segment->number != files->end.segment.segment_number)
        return 0;
    uint64_t left = segment->bytes > files->end.offset ? segment->bytes - files->end.offset : 0;
    return left < bytes ? left : bytes;
}

uint64_t log_files_log_bytes_done(const struct log_files *files)
{
    uint64_t done = 0;
    for (uint32_t i = 0; i < files->segment_count; i++) {
        const struct segment_file *segment = &files->segments[i];
        if (segment->number > files->end.segment.segment_number)
            break;
        uint64_t bytes = segment_bytes_from(files, i, &files->start);
        done += bytes - bytes_left(files, segment, bytes);
    }
    return done;
}

static uint32_t read_flags(const struct segment_file *segment)
{
    return IO_FILE_READ | (segment->bytes % LOG_BLOCK_BYTES == 0 ? IO_FILE_DIRECT : 0u);
}

int log_files_read_segment(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                           uint32_t bytes)
{
    struct log_files *files = context;
    if (files->fd < 0 || files->fd_index != segment_index) {
        const struct segment_file *segment = &files->segments[segment_index];
        log_files_close_file(files);
        files->fd = log_files_open_file(files, segment->name, read_flags(segment));
        if (files->fd < 0)
            return files->fd;
        files->fd_index = segment_index;
    }
    return read_open_file(files, buffer, bytes, offset, files->segments[segment_index].bytes);
}

uint64_t log_files_bytes_read(const struct log_files *files)
{
    return files->bytes_read;
}

enum data_directory_status log_files_begin_log(struct log_files *files,
                                               const struct log_position *start, log_group_fn group,
                                               void *group_context)
{
    log_files_close_file(files);
    free(files->log_segments);
    files->log_segments = calloc(files->segment_count + 1u, sizeof *files->log_segments);
    if (files->log_segments == NULL)
        return trouble(files->message_out, files->core_path, "read the log", -ENOMEM);
    for (uint32_t i = 0; i < files->segment_count; i++)
        files->log_segments[i] = (struct log_segment){.name = files->segments[i].name,
                                                      .bytes = files->segments[i].bytes};
    files->start = *start;
    const struct log_source source = {
        .segments = files->log_segments,
        .segment_count = files->segment_count,
        .read = log_files_read_segment,
        .read_context = files,
        .server_id = files->directory->manifest.server_id,
        .era = files->era,
        .core = files->core,
        .start = &files->start,
        .closed = files->closed,
    };
    log_reader_begin(&files->reader, &source, group, group_context, files->buffer, &files->end);
    return DATA_DIRECTORY_OK;
}

bool log_files_read_log(struct log_files *files)
{
    return log_reader_step(&files->reader);
}

static enum data_directory_status refuse(struct log_files *files, const struct log_end *end)
{
    /* or the file is missing behind all others */
    bool is_there = end->segment_index < files->segment_count;
    const char *name = is_there ? files->segments[end->segment_index].name : "";
    if (end->status == LOG_IO)
        return log_files_fail(files, name, "read this file", end->io_error);
    trouble_text(files->message_out, DATA_DIRECTORY_MESSAGE_BYTES,
                 "%s%s%s: offset %" PRIu64 ", LSN %" PRIu64 " and later: %s: %s; %s",
                 files->core_path, is_there ? "/" : "", name, end->offset, end->next_lsn,
                 end->status == LOG_VERSION ? "another version" : "damaged", end->reason,
                 end->status == LOG_VERSION
                     ? "use the version of holdfastd that wrote it"
                     : "keep a copy of the directory, look at it with holdfast-log, and bring the "
                       "file back from a copy");
    return end->status == LOG_VERSION ? DATA_DIRECTORY_VERSION : DATA_DIRECTORY_DAMAGED;
}

enum data_directory_status log_files_end_log(struct log_files *files, struct log_end *end_out,
                                             bool *was_torn_out)
{
    enum data_directory_status status = DATA_DIRECTORY_OK;
    *end_out = files->end;
    *was_torn_out = end_out->status == LOG_TORN_TAIL;
    if (*was_torn_out)
        status = healing_cut(files, end_out);
    else if (end_out->status != LOG_GOOD)
        status = refuse(files, end_out);
    if (status == DATA_DIRECTORY_OK)
        status = healing_sync_end(files, end_out);
    log_files_close_file(files);
    /* There may be many logs, which are read one after the other. */
    io_ahead_destroy(&files->ahead);
    memory_forget(files->buffer, LOG_GROUP_BYTES_MAX);
    if (status == DATA_DIRECTORY_OK) {
        end_out->status = LOG_GOOD;
        end_out->reason[0] = '\0';
    }
    return status;
}
