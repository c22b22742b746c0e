#include "backup_copy.h"

#include <holdfast.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pieces are gathered in a window until the reader has a whole block in it, and what is left is
 * moved to its front when a piece does not fit any more. A block that is read is written from where
 * it stands: only its header is made anew. */

enum {
    WINDOW_BYTES = LOG_SNAPSHOT_BLOCK_BYTES_MAX + (1 << 20),
    FILE_MODE = 0640,
};

__attribute__((format(printf, 2, 3))) static enum backup_status damaged(struct backup_copy *copy,
                                                                        const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(copy->message, sizeof copy->message,
             "the snapshot of core %" PRIu32 " at LSN %" PRIu64 " is damaged: %s; run the backup "
             "again, and look at the server's log and disk if it happens again",
             copy->source.core, copy->source.lsn, text);
    return BACKUP_DAMAGED;
}

static enum backup_status fail(struct backup_copy *copy, const char *action, int error)
{
    backup_trouble(copy->message, copy->path, action, error);
    return BACKUP_FAILED;
}

enum backup_status backup_copy_open(struct backup_copy *copy,
                                    const struct backup_directory *directory,
                                    const struct backup_source *source)
{
    memset(copy, 0, sizeof *copy);
    copy->directory = directory;
    copy->source = (struct log_snapshot_source){
        .server_id = source->server_id, .core = source->core, .lsn = source->lsn};
    backup_directory_snapshot_path(directory, source->core, copy->path);
    copy->fd = open(copy->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (copy->fd < 0)
        return fail(copy, "make this file", -errno);
    copy->window = aligned_alloc(64, WINDOW_BYTES);
    return copy->window ? BACKUP_OK : fail(copy, "copy to this file", -ENOMEM);
}

/* ---- writing ---- */

static enum backup_status write_block(struct backup_copy *copy, const uint8_t *block,
                                      uint32_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(copy->fd, block, bytes);
        if (written < 0 && errno != EINTR)
            return fail(copy, "write this file", -errno);
        if (written > 0) {
            block += written;
            bytes -= (uint32_t)written;
        }
    }
    return BACKUP_OK;
}

static enum backup_status write_header(struct backup_copy *copy)
{
    uint8_t block[LOG_BLOCK_BYTES];
    hf_id uuid = hf_id_random();
    const struct log_snapshot_header header = {
        .server_id = copy->directory->server_id,
        .snapshot_uuid = {uuid.high, uuid.low},
        .era = BACKUP_ERA,
        .position = log_position_first(),
        .state_time_ms = copy->reader.header.state_time_ms,
        .taken_ms = copy->reader.header.taken_ms,
        .core = copy->source.core,
    };
    log_snapshot_encode_header(&copy->encoder, &header, block);
    return write_block(copy, block, sizeof block);
}

/* The entries stand behind a header that is not needed any more. */
static enum backup_status write_entries(struct backup_copy *copy, uint8_t *block)
{
    const uint32_t bytes = log_snapshot_encode_entries(
        &copy->encoder, block, copy->reader.entries_bytes, copy->reader.entry_count);
    return write_block(copy, block, bytes);
}

static enum backup_status write_footer(struct backup_copy *copy)
{
    uint8_t block[LOG_BLOCK_BYTES];
    copy->footer = copy->reader.footer;
    log_snapshot_encode_footer(&copy->encoder, &copy->footer, block);
    copy->is_whole = true;
    return write_block(copy, block, sizeof block);
}

/* ---- taking ---- */

/* The file has as many bytes as the one that is copied. Where the file system can say at once that
 * it has no room for them, it does. */
static enum backup_status reserve_room(struct backup_copy *copy)
{
    int result;
    do {
        result = fallocate(copy->fd, 0, 0, (off_t)copy->source.file_bytes);
    } while (result != 0 && errno == EINTR);
    if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
        return BACKUP_OK;
    return fail(copy, "get room for this file", -errno);
}

/* The first piece begins with the header, which tells the era. */
static enum backup_status begin(struct backup_copy *copy, const uint8_t *piece,
                                uint32_t piece_bytes, uint64_t file_bytes)
{
    struct log_snapshot_header header;
    uint64_t checksum;
    if (piece_bytes < LOG_BLOCK_BYTES || file_bytes > INT64_MAX)
        return damaged(copy, "its size is impossible");
    log_snapshot_header_decode(piece, &header, &checksum);
    copy->source.era = header.era; /* wrong only if the header is, which the reader says */
    copy->source.file_bytes = file_bytes;
    log_snapshot_reader_begin(&copy->reader, &copy->source);
    return reserve_room(copy);
}

static uint32_t window_bytes(const struct backup_copy *copy)
{
    return copy->window_end - copy->window_start;
}

static enum backup_status read_block(struct backup_copy *copy)
{
    uint8_t *block = copy->window + copy->window_start;
    const uint64_t before = copy->reader.offset;
    const enum log_snapshot_piece piece =
        log_snapshot_reader_take(&copy->reader, block, window_bytes(copy));
    copy->window_start += (uint32_t)(copy->reader.offset - before);
    switch (piece) {
    case LOG_SNAPSHOT_HEADER:
        return write_header(copy);
    case LOG_SNAPSHOT_ENTRIES:
        return write_entries(copy, block);
    case LOG_SNAPSHOT_WHOLE:
        return write_footer(copy);
    case LOG_SNAPSHOT_DAMAGED:
    case LOG_SNAPSHOT_VERSION:
        break;
    }
    return damaged(copy, "at %" PRIu64 ": %s", copy->reader.offset, copy->reader.reason);
}

static bool has_block(const struct backup_copy *copy)
{
    const uint8_t *block = copy->window + copy->window_start;
    return window_bytes(copy) >=
           log_snapshot_reader_needs(&copy->reader, block, window_bytes(copy));
}

static enum backup_status read_blocks(struct backup_copy *copy)
{
    enum backup_status status = BACKUP_OK;
    while (status == BACKUP_OK && !copy->is_whole && has_block(copy))
        status = read_block(copy);
    return status;
}

static void gather(struct backup_copy *copy, const uint8_t *piece, uint32_t piece_bytes)
{
    if (WINDOW_BYTES - copy->window_end < piece_bytes) {
        copy->window_end -= copy->window_start;
        memmove(copy->window, copy->window + copy->window_start, copy->window_end);
        copy->window_start = 0;
    }
    memcpy(copy->window + copy->window_end, piece, piece_bytes);
    copy->window_end += piece_bytes;
    copy->taken += piece_bytes;
}

enum backup_status backup_copy_take(struct backup_copy *copy, const uint8_t *piece,
                                    uint32_t piece_bytes, uint64_t file_bytes)
{
    enum backup_status status = BACKUP_OK;
    if (copy->taken == 0)
        status = begin(copy, piece, piece_bytes, file_bytes);
    if (status != BACKUP_OK)
        return status;
    if (file_bytes != copy->source.file_bytes)
        return damaged(copy, "its size changed from %" PRIu64 " to %" PRIu64 " bytes",
                       copy->source.file_bytes, file_bytes);
    if (piece_bytes == 0 || piece_bytes > BACKUP_PIECE_BYTES_MAX ||
        piece_bytes > file_bytes - copy->taken)
        return damaged(copy, "a piece of %" PRIu32 " bytes came at %" PRIu64 " of %" PRIu64,
                       piece_bytes, copy->taken, file_bytes);
    gather(copy, piece, piece_bytes);
    return read_blocks(copy);
}

enum backup_status backup_copy_sync(struct backup_copy *copy)
{
    return fsync(copy->fd) == 0 ? BACKUP_OK : fail(copy, "sync this file", -errno);
}

void backup_copy_close(struct backup_copy *copy)
{
    if (copy->fd >= 0)
        close(copy->fd);
    copy->fd = -1;
    free(copy->window);
    copy->window = NULL;
}
