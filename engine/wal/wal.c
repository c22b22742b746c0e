/* Two buffers: records go into the open one, the other is in flight. So one group at most is being
 * written, and the reader's rule for a torn tail holds (log/format.h).
 *
 *     flight    idle -> group -> idle                     the group fits into the segment
 *               idle -> segment header -> group -> idle   it does not: the spare is taken
 *     spare     none -> zeros ... -> file -> folder -> ready      written, synced, name synced
 *
 * The spare is a file under its final name. Until its header is written it is all zeros, whole or
 * not, which the reader takes for unused; so a crash at any moment needs no cleaning up, and the
 * next start removes what is unused and makes it anew. Zeros are written because reserved space
 * alone costs a journal commit at each write into it (measured: 195 us instead of 100 for 4 KiB).
 * They go out in slices, one at a time, so that a group waits for one slice at most.
 *
 * What can fail: a write or sync of the log, which is the end (design P3); and want of room for the
 * spare, which is no harm until a group needs it: the file is removed, one line warns, and making
 * it is tried again each second. */

#include "wal/wal.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/diag.h"
#include "base/memory.h"
#include "log/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLICE_BYTES = 1 << 20,
    SPARE_RETRY_MS = 1000,
    FAILURE_BYTES = 512,
    FILE_PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX,
};

enum flight_state { FLIGHT_IDLE, FLIGHT_SEGMENT_HEADER, FLIGHT_GROUP };

/* The group being written. */
struct flight {
    struct io_op op;
    enum flight_state state;
    uint8_t *buffer;
    uint32_t bytes;
    uint64_t group_number;
    uint64_t last_lsn;
    uint64_t started_ns;
};

enum spare_state { SPARE_NONE, SPARE_ZEROS, SPARE_FILE_SYNC, SPARE_FOLDER_SYNC, SPARE_READY };

struct spare {
    struct io_op op;
    enum spare_state state;
    int fd;
    uint64_t number;
    uint64_t filled_bytes;
    uint64_t retry_at_ms;
    bool lacks_room; /* said so already */
};

struct wal {
    struct io *io;
    struct wal_options options;
    struct id128 server_id;
    uint64_t era;
    uint64_t epoch;
    char core_path[DATA_DIRECTORY_PATH_BYTES];
    int folder_fd;
    uint64_t now_ms;

    /* the open group */
    uint8_t *open_buffer; /* group_bytes_max, header first */
    uint32_t open_payload_bytes;
    uint32_t open_record_count;

    uint64_t next_lsn;
    uint64_t durable_lsn; /* what the caller may acknowledge */
    uint64_t written_lsn; /* on disk */
    uint64_t next_group_number;
    uint64_t chain;

    int segment_fd;
    struct log_segment_header segment;
    uint64_t segment_offset; /* of the next group */

    struct flight flight;
    struct spare spare;
    uint8_t *memory; /* all buffers: two groups, the zeros, a segment header */
    uint8_t *segment_header_block;
    const uint8_t *zeros; /* SLICE_BYTES, never touched */

    struct wal_counts counts;
    bool is_failed;
    char failure[FAILURE_BYTES];
};

/* ---- failing ---- */

__attribute__((format(printf, 3, 4))) static void text(char *to, size_t to_bytes,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to, to_bytes, format, arguments);
    va_end(arguments);
}

/* "No space left on device", or "only 4096 bytes were written". */
static const char *result_text(int32_t result, char *to, size_t to_bytes)
{
    if (result < 0)
        return strerror(-result);
    text(to, to_bytes, "only %" PRId32 " bytes were written", result);
    return to;
}

/* The first failure is the one that counts. */
static void fail(struct wal *wal, uint64_t segment_number, const char *action, int32_t result)
{
    if (wal->is_failed)
        return;
    char name[LOG_NAME_BYTES_MAX];
    char short_write[64];
    log_segment_file_name(segment_number, name);
    wal->is_failed = true;
    text(wal->failure, sizeof wal->failure,
         "%s/%s: cannot %s: %s; nothing was acknowledged since; see to the disk and restart: "
         "recovery goes on from the last group that is whole",
         wal->core_path, name, action, result_text(result, short_write, sizeof short_write));
}

/* ---- segments ---- */

static void segment_path(const struct wal *wal, uint64_t number, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    text(to, FILE_PATH_BYTES, "%s/%s", wal->core_path, name);
}

static bool is_lack_of_room(int32_t result)
{
    return result == -ENOSPC || result == -EDQUOT;
}

/* A new file with its space reserved; negative errno, and no file, on failure. */
static int create_segment(struct wal *wal, uint64_t number)
{
    char path[FILE_PATH_BYTES];
    segment_path(wal, number, path);
    int fd = io_file_open_now(wal->io, path, IO_FILE_CREATE | IO_FILE_DIRECT);
    if (fd < 0)
        return fd;
    int error = io_file_allocate_now(wal->io, fd, wal->options.segment_bytes);
    if (error == 0)
        return fd;
    io_close(wal->io, fd);
    (void)io_file_remove_now(wal->io, path);
    return error;
}

/* The header of a segment whose first group is the next one to be written. */
static struct log_segment_header next_segment_header(struct wal *wal, uint64_t number,
                                                     uint64_t first_lsn)
{
    struct log_segment_header header = {
        .server_id = wal->server_id,
        .era = wal->era,
        .segment_number = number,
        .segment_bytes = wal->options.segment_bytes,
        .first_lsn = first_lsn,
        .chain = wal->chain,
        .core = wal->options.core,
    };
    io_random(wal->io, &header.segment_uuid, sizeof header.segment_uuid);
    return header;
}

static uint32_t slice_bytes(uint64_t left_bytes)
{
    return left_bytes < SLICE_BYTES ? (uint32_t)left_bytes : SLICE_BYTES;
}

/* ---- the spare segment ---- */

static void spare_lacks_room(struct wal *wal, int32_t result)
{
    struct spare *spare = &wal->spare;
    spare->state = SPARE_NONE;
    spare->retry_at_ms = wal->now_ms + SPARE_RETRY_MS;
    if (spare->lacks_room)
        return;
    spare->lacks_room = true;
    diag(DIAG_WARNING,
         "%s: no room for the next segment of the log (%s): make room on the disk before the "
         "segment in use is full, %" PRIu64 " KiB from now, or the server stops",
         wal->core_path, strerror(-result),
         (wal->segment.segment_bytes - wal->segment_offset) >> 10);
}

static void spare_give_back(struct wal *wal, int32_t result)
{
    char path[FILE_PATH_BYTES];
    segment_path(wal, wal->spare.number, path);
    io_close(wal->io, wal->spare.fd);
    (void)io_file_remove_now(wal->io, path);
    spare_lacks_room(wal, result);
}

static void spare_continue(struct wal *wal)
{
    struct spare *spare = &wal->spare;
    uint64_t left = wal->options.segment_bytes - spare->filled_bytes;
    switch (spare->state) {
    case SPARE_ZEROS:
        if (left > 0) {
            io_file_write(wal->io, &spare->op, spare->fd, wal->zeros, slice_bytes(left),
                          spare->filled_bytes, false);
            break;
        }
        spare->state = SPARE_FILE_SYNC;
        io_file_sync(wal->io, &spare->op, spare->fd);
        break;
    case SPARE_FILE_SYNC:
        spare->state = SPARE_FOLDER_SYNC;
        io_file_sync(wal->io, &spare->op, wal->folder_fd);
        break;
    case SPARE_FOLDER_SYNC:
        spare->state = SPARE_READY;
        if (spare->lacks_room)
            diag(DIAG_INFO, "%s: there is room for the next segment again", wal->core_path);
        spare->lacks_room = false;
        break;
    case SPARE_NONE:
    case SPARE_READY:
        hf_assert(!"a spare without an operation");
    }
}

/* A slice may come out short where the room ends; the next one says so. It begins at a whole block,
 * as direct access wants it. */
static void spare_done(struct io_op *op, int32_t result)
{
    struct wal *wal = op->context;
    struct spare *spare = &wal->spare;
    if (is_lack_of_room(result)) {
        spare_give_back(wal, result);
        return;
    }
    if (result < 0 || (result < LOG_BLOCK_BYTES && spare->state == SPARE_ZEROS)) {
        fail(wal, spare->number, "make this segment", result);
        return;
    }
    if (wal->is_failed)
        return;
    if (spare->state == SPARE_ZEROS)
        spare->filled_bytes += (uint64_t)(result - result % LOG_BLOCK_BYTES);
    spare_continue(wal);
}

/* Starts making the next segment. A lack of room is noted, any other failure is the end. */
static void spare_start(struct wal *wal)
{
    struct spare *spare = &wal->spare;
    spare->number = wal->segment.segment_number + 1;
    int fd = create_segment(wal, spare->number);
    if (is_lack_of_room(fd)) {
        spare_lacks_room(wal, fd);
        return;
    }
    if (fd < 0) {
        fail(wal, spare->number, "make this segment", fd);
        return;
    }
    spare->fd = fd;
    spare->filled_bytes = 0;
    spare->state = SPARE_ZEROS;
    spare_continue(wal);
}

/* ---- the group in flight ---- */

static void flight_write_group(struct wal *wal)
{
    struct flight *flight = &wal->flight;
    flight->state = FLIGHT_GROUP;
    io_file_write(wal->io, &flight->op, wal->segment_fd, flight->buffer, flight->bytes,
                  wal->segment_offset, true);
}

/* The spare becomes the segment in use. Its header is durable before its first group is written,
 * and it is written when all groups before it are. */
static void flight_write_segment_header(struct wal *wal)
{
    struct flight *flight = &wal->flight;
    hf_assert(wal->spare.state == SPARE_READY);
    io_close(wal->io, wal->segment_fd);
    wal->segment_fd = wal->spare.fd;
    wal->segment = next_segment_header(wal, wal->spare.number, wal->written_lsn + 1);
    wal->segment_offset = LOG_BLOCK_BYTES;
    wal->spare.state = SPARE_NONE;
    wal->spare.retry_at_ms = 0;
    wal->counts.segments++;
    log_segment_header_encode(&wal->segment, wal->segment_header_block);
    flight->state = FLIGHT_SEGMENT_HEADER;
    io_file_write(wal->io, &flight->op, wal->segment_fd, wal->segment_header_block, LOG_BLOCK_BYTES,
                  0, true);
}

/* Writes header, checksums and padding of the open group into its buffer, for its place in the
 * segment in use. */
static void seal_group(struct wal *wal)
{
    uint8_t *buffer = wal->flight.buffer;
    uint64_t seed = log_group_seed(wal->segment.segment_uuid, wal->segment_offset);
    uint32_t payload_bytes = wal->open_payload_bytes;
    struct log_group_header header = {
        .payload_checksum = checksum64(buffer + LOG_GROUP_HEADER_BYTES, payload_bytes, seed),
        .group_number = wal->next_group_number,
        .first_lsn = wal->next_lsn - wal->open_record_count,
        .chain = wal->chain,
        .durable_group = wal->next_group_number - 1, /* one write in flight at most */
        .epoch = wal->epoch,
        .time_ms = wal->now_ms,
        .record_count = wal->open_record_count,
        .payload_bytes = payload_bytes,
    };
    uint32_t end = LOG_GROUP_HEADER_BYTES + payload_bytes;
    memset(buffer + end, 0, wal->flight.bytes - end);
    wal->chain = log_group_header_encode(&header, seed, buffer);
}

static void close_group(struct wal *wal)
{
    struct flight *flight = &wal->flight;
    uint8_t *other_buffer = flight->buffer;
    uint32_t bytes = log_group_bytes(wal->open_payload_bytes);
    bool needs_segment = bytes > wal->segment.segment_bytes - wal->segment_offset;

    flight->buffer = wal->open_buffer;
    flight->bytes = bytes;
    flight->group_number = wal->next_group_number;
    flight->last_lsn = wal->next_lsn - 1;
    flight->started_ns = io_clock(wal->io).monotonic_ns;
    if (needs_segment)
        flight_write_segment_header(wal);
    seal_group(wal);
    if (!needs_segment)
        flight_write_group(wal);

    wal->next_group_number++;
    wal->open_buffer = other_buffer;
    wal->open_payload_bytes = 0;
    wal->open_record_count = 0;
}

static void flight_finish(struct wal *wal)
{
    struct flight *flight = &wal->flight;
    flight->state = FLIGHT_IDLE;
    wal->segment_offset += flight->bytes;
    wal->written_lsn = flight->last_lsn;
    if (wal->options.durability == WAL_SYNC)
        wal->durable_lsn = flight->last_lsn;
    wal->counts.groups++;
    wal->counts.bytes += flight->bytes;
    wal->counts.flush_ns += io_clock(wal->io).monotonic_ns - flight->started_ns;
}

static void flight_done(struct io_op *op, int32_t result)
{
    struct wal *wal = op->context;
    bool is_header = wal->flight.state == FLIGHT_SEGMENT_HEADER;
    uint32_t bytes = is_header ? LOG_BLOCK_BYTES : wal->flight.bytes;
    if (result < 0 || (uint32_t)result != bytes) {
        char action[64];
        text(action, sizeof action, "write group %" PRIu64, wal->flight.group_number);
        fail(wal, wal->segment.segment_number, is_header ? "write the segment header" : action,
             result);
    }
    if (wal->is_failed)
        return;
    if (is_header)
        flight_write_group(wal);
    else
        flight_finish(wal);
}

/* ---- opening ---- */

static void *refuse_open(struct wal *wal, char *message_out, const char *path, const char *action,
                         int error)
{
    text(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "%s: cannot %s: %s; %s", path, action,
         strerror(-error),
         is_lack_of_room(error) ? "make room on the disk"
                                : "the kernel's log (dmesg) may tell more");
    wal_close(&wal);
    return NULL;
}

static void note_highest_number(void *context, const char *name)
{
    uint64_t *highest = context;
    uint64_t number = log_segment_file_number(name);
    if (number > *highest)
        *highest = number;
}

/* From the last one on, each gone for good before the next goes: a crash in between leaves no gap
 * in the numbers, which would be damage. */
static int remove_unused_segments(struct wal *wal, uint64_t last_used_number)
{
    uint64_t number = last_used_number;
    int error = io_directory_list(wal->io, wal->core_path, note_highest_number, &number);
    for (; number > last_used_number && error == 0; number--) {
        char path[FILE_PATH_BYTES];
        segment_path(wal, number, path);
        error = io_file_remove_now(wal->io, path);
        if (error == 0 && number - 1 > last_used_number)
            error = io_directory_sync(wal->io, wal->core_path);
    }
    return error;
}

/* What the spare's states do, in one go, and the header. */
static int make_first_segment(struct wal *wal)
{
    int error = 0;
    wal->segment_fd = create_segment(wal, 1);
    if (wal->segment_fd < 0)
        return wal->segment_fd;
    for (uint64_t at = 0; at < wal->options.segment_bytes && error == 0; at += SLICE_BYTES)
        error = io_file_write_now(wal->io, wal->segment_fd, wal->zeros,
                                  slice_bytes(wal->options.segment_bytes - at), at);
    if (error == 0)
        error = io_file_sync_now(wal->io, wal->segment_fd);
    if (error == 0)
        error = io_directory_sync(wal->io, wal->core_path);
    if (error != 0)
        return error;
    wal->segment = next_segment_header(wal, 1, wal->next_lsn);
    log_segment_header_encode(&wal->segment, wal->segment_header_block);
    error =
        io_file_write_now(wal->io, wal->segment_fd, wal->segment_header_block, LOG_BLOCK_BYTES, 0);
    if (error == 0)
        error = io_file_sync_now(wal->io, wal->segment_fd);
    wal->segment_offset = LOG_BLOCK_BYTES;
    wal->counts.segments = 1;
    return error;
}

static int open_last_segment(struct wal *wal, const struct log_end *end)
{
    char path[FILE_PATH_BYTES];
    segment_path(wal, end->segment.segment_number, path);
    wal->segment_fd = io_file_open_now(wal->io, path, IO_FILE_DIRECT);
    wal->segment = end->segment;
    wal->segment_offset = end->offset;
    wal->counts.segments = end->segment.segment_number;
    return wal->segment_fd < 0 ? wal->segment_fd : 0;
}

static int open_files(struct wal *wal, const struct log_end *end)
{
    wal->folder_fd = io_file_open_now(wal->io, wal->core_path, IO_FILE_DIRECTORY);
    if (wal->folder_fd < 0)
        return wal->folder_fd;
    int error = remove_unused_segments(wal, end->segment.segment_number);
    if (error != 0)
        return error;
    return end->segment.segment_number == 0 ? make_first_segment(wal) : open_last_segment(wal, end);
}

static size_t memory_bytes(const struct wal_options *options)
{
    return 2 * (size_t)options->group_bytes_max + SLICE_BYTES + LOG_BLOCK_BYTES;
}

struct wal *wal_open(struct io *io, const struct data_directory *directory,
                     const struct wal_options *options, const struct log_end *end,
                     char *message_out)
{
    hf_assert(end->status == LOG_GOOD);
    hf_assert(!directory->is_era_pending);
    hf_assert(options->group_bytes_max > 0 && options->group_bytes_max <= LOG_GROUP_BYTES_MAX);
    hf_assert(options->group_bytes_max % LOG_BLOCK_BYTES == 0);
    hf_assert(options->segment_bytes >= LOG_BLOCK_BYTES + options->group_bytes_max);
    hf_assert(options->segment_bytes % LOG_BLOCK_BYTES == 0);
    uint32_t era_index = directory->manifest.era_count - 1;
    struct wal *wal = calloc(1, sizeof *wal);
    size_t groups_bytes = 2 * (size_t)options->group_bytes_max;
    uint8_t *memory = memory_map(memory_bytes(options));
    if (wal == NULL || memory == NULL) {
        free(wal);
        memory_unmap(memory, memory_bytes(options));
        text(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "no memory for the log's buffers");
        return NULL;
    }
    *wal = (struct wal){
        .io = io,
        .options = *options,
        .server_id = directory->manifest.server_id,
        .era = directory->manifest.eras[era_index].number,
        .epoch = end->epoch + 1,
        .folder_fd = -1,
        .now_ms = end->time_ms,
        .open_buffer = memory,
        .next_lsn = end->next_lsn,
        .durable_lsn = end->next_lsn - 1,
        .written_lsn = end->next_lsn - 1,
        .next_group_number = end->next_group_number,
        .chain = end->chain,
        .segment_fd = -1,
        .flight = {.op = {.done = flight_done, .context = wal},
                   .buffer = memory + options->group_bytes_max},
        .spare = {.op = {.done = spare_done, .context = wal}},
        .memory = memory,
        .zeros = memory + groups_bytes,
        .segment_header_block = memory + groups_bytes + SLICE_BYTES,
    };
    data_directory_core_path(directory, era_index, options->core, wal->core_path);
    if (options->durability == WAL_OFF)
        return wal;
    memset(memory, 0, groups_bytes); /* touched ahead of use */
    int error = open_files(wal, end);
    return error == 0
               ? wal
               : refuse_open(wal, message_out, wal->core_path, "make or open the log", error);
}

void wal_close(struct wal **wal_pointer)
{
    struct wal *wal = *wal_pointer;
    *wal_pointer = NULL;
    hf_assert(!wal->flight.op.is_pending); /* it would go on writing from what is freed here */
    hf_assert(!wal->spare.op.is_pending);
    if (wal->spare.state != SPARE_NONE)
        io_close(wal->io, wal->spare.fd);
    if (wal->segment_fd >= 0)
        io_close(wal->io, wal->segment_fd);
    if (wal->folder_fd >= 0)
        io_close(wal->io, wal->folder_fd);
    memory_unmap(wal->memory, memory_bytes(&wal->options));
    free(wal);
}

/* ---- serving ---- */

uint32_t wal_room(const struct wal *wal)
{
    uint32_t payload_bytes_max = wal->options.group_bytes_max - LOG_GROUP_HEADER_BYTES;
    return (payload_bytes_max - wal->open_payload_bytes) / LOG_RECORD_BYTES_MAX;
}

uint8_t *wal_next(struct wal *wal)
{
    hf_assert(wal_room(wal) > 0);
    return wal->open_buffer + LOG_GROUP_HEADER_BYTES + wal->open_payload_bytes;
}

uint64_t wal_append(struct wal *wal, uint32_t record_bytes)
{
    hf_assert(record_bytes >= LOG_RECORD_BYTES_MIN && record_bytes <= LOG_RECORD_BYTES_MAX);
    hf_assert(record_bytes % 8 == 0);
    hf_assert(bytes_get_u16(wal_next(wal)) == record_bytes);
    uint64_t lsn = wal->next_lsn++;
    wal->counts.records++;
    if (wal->options.durability != WAL_OFF) {
        wal->open_payload_bytes += record_bytes;
        wal->open_record_count++;
    }
    if (wal->options.durability != WAL_SYNC && !wal->is_failed)
        wal->durable_lsn = lsn;
    return lsn;
}

/* False while the group must wait for a new segment. */
static bool has_place(struct wal *wal)
{
    uint32_t bytes = log_group_bytes(wal->open_payload_bytes);
    if (bytes <= wal->segment.segment_bytes - wal->segment_offset)
        return true;
    if (wal->spare.state == SPARE_NONE)
        spare_start(wal); /* once more, now that it matters */
    if (wal->spare.state == SPARE_NONE)
        fail(wal, wal->spare.number, "make this segment, and the one before it is full", -ENOSPC);
    return wal->spare.state == SPARE_READY;
}

void wal_write(struct wal *wal, uint64_t now_ms)
{
    wal->now_ms = now_ms;
    if (wal->is_failed || wal->options.durability == WAL_OFF)
        return;
    if (wal->open_record_count > 0 && wal->flight.state == FLIGHT_IDLE && has_place(wal))
        close_group(wal);
    if (!wal->is_failed && wal->spare.state == SPARE_NONE && now_ms >= wal->spare.retry_at_ms)
        spare_start(wal);
}

uint64_t wal_last_lsn(const struct wal *wal)
{
    return wal->next_lsn - 1;
}

uint64_t wal_durable_lsn(const struct wal *wal)
{
    return wal->durable_lsn;
}

const char *wal_failure(const struct wal *wal)
{
    return wal->is_failed ? wal->failure : NULL;
}

bool wal_is_idle(const struct wal *wal)
{
    return wal->open_record_count == 0 && !wal->flight.op.is_pending && !wal->spare.op.is_pending;
}

struct wal_counts wal_counts(const struct wal *wal)
{
    return wal->counts;
}
