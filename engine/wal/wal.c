/* Two buffers: records go into the open one, the other is in flight. So one group at most is being
 * written, and the reader's rule for a torn tail holds (log/format.h).
 *
 *     flight    idle -> group -> idle                     the group fits into the segment
 *               idle -> segment header -> group -> idle   it does not: the next segment is taken
 *
 * The next segment is made ahead of use (segments.h). A record is taken only when its group is sure
 * to find a place, in what is left of the segment in use or in the next one; so nothing that was
 * taken ever waits for room on the disk.
 *
 * What can fail: a write or sync of the log, which is the end (design P3). */

#include "wal/wal.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/diag.h"
#include "base/memory.h"
#include "log/format.h"
#include "wal/archive.h"
#include "wal/segments.h"
#include "wal/trouble.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#if defined __x86_64__ && !defined __PRFCHW__
#error "claim_ahead() would prefetch for reading, which is of no use: compile with -mprfchw"
#endif

enum {
    FAILURE_BYTES = 512,
    LINE_BYTES = 64,
    CLAIM_AHEAD_BYTES = 1024,
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
    uint8_t *open_buffer;        /* group_bytes_max, header first */
    uint32_t open_claimed_bytes; /* of the buffer, see claim_ahead() */
    uint32_t open_payload_bytes;
    uint32_t open_record_count;

    uint64_t next_lsn;
    uint64_t durable_lsn; /* what the caller may acknowledge */
    uint64_t written_lsn; /* on disk */
    uint64_t next_group_number;
    uint64_t chain;
    uint64_t group_epoch;   /* of the last group that was closed; 0 before the first of the log */
    uint64_t group_time_ms; /* likewise */

    int segment_fd;
    struct log_segment_header segment;
    uint64_t segment_offset; /* of the next group */

    struct flight flight;
    uint64_t number_first; /* of the segment files that there were at the start */
    struct segments segments;
    struct archive *archive;
    uint8_t *memory; /* all buffers: two groups, the zeros, a segment header */
    uint8_t *segment_header_block;
    const uint8_t *zeros; /* SEGMENTS_SLICE_BYTES, never touched */

    struct wal_counts counts;
    bool is_failed;
    char failure[FAILURE_BYTES];
};

/* ---- failing ---- */

/* "No space left on device", or "only 4096 bytes were written". */
static const char *result_text(int32_t result, char *to, size_t to_bytes)
{
    if (result < 0)
        return strerror(-result);
    trouble_text(to, to_bytes, "only %" PRId32 " bytes were written", result);
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
    segments_end(&wal->segments);
    trouble_text(
        wal->failure, sizeof wal->failure,
        "%s/%s: cannot %s: %s; nothing was acknowledged since; see to the disk and restart: "
        "recovery goes on from the last group that is whole",
        wal->core_path, name, action, result_text(result, short_write, sizeof short_write));
}

/* ---- segments ---- */

static void segment_path(const struct wal *wal, uint64_t number, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    trouble_text(to, SEGMENTS_PATH_BYTES, "%s/%s", wal->core_path, name);
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

/* ---- the group in flight ---- */

static void flight_write_group(struct wal *wal)
{
    struct flight *flight = &wal->flight;
    flight->state = FLIGHT_GROUP;
    io_file_write(wal->io, &flight->op, wal->segment_fd, flight->buffer, flight->bytes,
                  wal->segment_offset, true);
}

/* The next segment comes into use. Its header is durable before its first group is written,
 * and it is written when all groups before it are. */
static void flight_write_segment_header(struct wal *wal)
{
    struct flight *flight = &wal->flight;
    io_close(wal->io, wal->segment_fd);
    wal->segment_fd = segments_take(&wal->segments);
    wal->segment = next_segment_header(wal, wal->segment.segment_number + 1, wal->written_lsn + 1);
    wal->segment_offset = LOG_BLOCK_BYTES;
    wal->counts.segments++;
    log_segment_header_encode(&wal->segment, wal->segment_header_block);
    flight->state = FLIGHT_SEGMENT_HEADER;
    io_file_write(wal->io, &flight->op, wal->segment_fd, wal->segment_header_block, LOG_BLOCK_BYTES,
                  0, true);
}

/* Asks for the lines that the next records will be written to, as lines of this processor alone.
 * Whoever took the buffer's last group to the disk (a device, or a host's thread on another
 * processor) has read them since, and so each is shared: to write to it, it has to be taken away
 * from the others first, which takes longer than all else that is done for a record. */
static void claim_ahead(struct wal *wal)
{
    uint32_t end = LOG_GROUP_HEADER_BYTES + wal->open_payload_bytes + CLAIM_AHEAD_BYTES;
    if (end > wal->options.group_bytes_max)
        end = wal->options.group_bytes_max;
    for (; wal->open_claimed_bytes < end; wal->open_claimed_bytes += LINE_BYTES)
        __builtin_prefetch(wal->open_buffer + wal->open_claimed_bytes, 1);
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
    wal->group_epoch = header.epoch;
    wal->group_time_ms = header.time_ms;
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

    wal->counts.bytes_closed += bytes;
    wal->next_group_number++;
    wal->open_buffer = other_buffer;
    wal->open_claimed_bytes = 0;
    wal->open_payload_bytes = 0;
    wal->open_record_count = 0;
    claim_ahead(wal);
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
        trouble_text(action, sizeof action, "write group %" PRIu64, wal->flight.group_number);
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
    trouble_text(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "%s: cannot %s: %s; %s", path, action,
                 strerror(-error),
                 trouble_is_lack_of_room(error) ? "make room on the disk"
                                                : "the kernel's log (dmesg) may tell more");
    wal_close(&wal);
    return NULL;
}

/* Which files there are. */
struct listing {
    uint64_t first; /* UINT64_MAX: none */
    uint64_t last;
};

static void note_number(void *context, const char *name)
{
    struct listing *listing = context;
    uint64_t number = log_segment_file_number(name);
    if (number == 0)
        return;
    if (number < listing->first)
        listing->first = number;
    if (number > listing->last)
        listing->last = number;
}

static int remove_if_there(struct wal *wal, const char *name)
{
    char path[SEGMENTS_PATH_BYTES];
    trouble_text(path, sizeof path, "%s/%s", wal->core_path, name);
    int error = io_file_remove_now(wal->io, path);
    return error == -ENOENT ? 0 : error;
}

/* From the last one on, each gone for good before the next goes: a crash in between leaves no gap
 * in the numbers, which would be damage. */
static int remove_unused_segments(struct wal *wal, uint64_t number_last, uint64_t number_in_use)
{
    int error = 0;
    for (uint64_t number = number_last; number > number_in_use && error == 0; number--) {
        char name[LOG_NAME_BYTES_MAX];
        log_segment_file_name(number, name);
        error = remove_if_there(wal, name);
        if (error == 0 && number - 1 > number_in_use)
            error = io_directory_sync(wal->io, wal->core_path);
    }
    return error;
}

/* A new file with its space reserved; negative errno on failure. */
static int create_first_segment(struct wal *wal)
{
    char path[SEGMENTS_PATH_BYTES];
    segment_path(wal, 1, path);
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

static int fill_with_zeros(struct wal *wal)
{
    uint64_t end = wal->options.segment_bytes;
    int error = 0;
    for (uint64_t at = 0; at < end && error == 0; at += SEGMENTS_SLICE_BYTES) {
        uint64_t left = end - at;
        error = io_file_write_now(wal->io, wal->segment_fd, wal->zeros,
                                  left < SEGMENTS_SLICE_BYTES ? (size_t)left : SEGMENTS_SLICE_BYTES,
                                  at);
    }
    return error;
}

/* As the next ones are made, in one go, and its header. */
static int make_first_segment(struct wal *wal)
{
    wal->segment_fd = create_first_segment(wal);
    if (wal->segment_fd < 0)
        return wal->segment_fd;
    int error = fill_with_zeros(wal);
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
    char path[SEGMENTS_PATH_BYTES];
    segment_path(wal, end->segment.segment_number, path);
    wal->segment_fd = io_file_open_now(wal->io, path, IO_FILE_DIRECT);
    wal->segment = end->segment;
    wal->segment_offset = end->offset;
    wal->counts.segments = 1;
    return wal->segment_fd < 0 ? wal->segment_fd : 0;
}

static int open_files(struct wal *wal, const struct log_end *end)
{
    struct listing listing = {.first = UINT64_MAX};
    wal->folder_fd = io_file_open_now(wal->io, wal->core_path, IO_FILE_DIRECTORY);
    if (wal->folder_fd < 0)
        return wal->folder_fd;
    int error = io_directory_list(wal->io, wal->core_path, note_number, &listing);
    if (error == 0)
        error = remove_unused_segments(wal, listing.last, end->segment.segment_number);
    if (error == 0)
        error = end->segment.segment_number == 0 ? make_first_segment(wal)
                                                 : open_last_segment(wal, end);
    uint64_t in_use = wal->segment.segment_number;
    wal->number_first = listing.first < in_use ? listing.first : in_use;
    return error;
}

static void segments_failed(void *context, uint64_t number, const char *action, int32_t result)
{
    fail(context, number, action, result);
}

static int open_archive(struct wal *wal, char *message_out)
{
    const struct archive_options options = {
        .source_path = wal->core_path,
        .archive_path = wal->options.archive_path,
        .era = wal->era,
        .core = wal->options.core,
        .number_first = wal->number_first,
    };
    if (options.archive_path == NULL)
        return 0;
    wal->archive = archive_open(wal->io, &options, message_out);
    return wal->archive == NULL ? -1 : 0;
}

static size_t memory_bytes(const struct wal_options *options)
{
    return 2 * (size_t)options->group_bytes_max + SEGMENTS_SLICE_BYTES + LOG_BLOCK_BYTES;
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
        trouble_text(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "no memory for the log's buffers");
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
        .group_epoch = end->epoch,
        .group_time_ms = end->time_ms,
        .segment_fd = -1,
        .flight = {.op = {.done = flight_done, .context = wal},
                   .buffer = memory + options->group_bytes_max},
        .memory = memory,
        .zeros = memory + groups_bytes,
        .segment_header_block = memory + groups_bytes + SEGMENTS_SLICE_BYTES,
    };
    data_directory_core_path(directory, era_index, options->core, wal->core_path);
    if (options->durability == WAL_OFF)
        return wal;
    memset(memory, 0, groups_bytes);                        /* touched ahead of use */
    int error = remove_if_there(wal, LOG_SEGMENT_NEW_NAME); /* it was being made */
    if (error != 0)
        return refuse_open(wal, message_out, wal->core_path, "remove segment.new", error);
    error = open_files(wal, end);
    if (error != 0)
        return refuse_open(wal, message_out, wal->core_path, "make or open the log", error);
    if (open_archive(wal, message_out) != 0) {
        wal_close(&wal);
        return NULL;
    }
    const struct segments_options segments = {
        .segment_bytes = options->segment_bytes,
        .number_first = wal->number_first,
        .number_in_use = wal->segment.segment_number,
        .zeros = wal->zeros,
    };
    segments_init(&wal->segments, io, wal->core_path, wal->folder_fd, &segments, wal->archive,
                  segments_failed, wal);
    return wal;
}

void wal_close(struct wal **wal_pointer)
{
    struct wal *wal = *wal_pointer;
    *wal_pointer = NULL;
    hf_assert(!wal->flight.op.is_pending); /* it would go on writing from what is freed here */
    if (wal->segments.io != NULL)
        segments_deinit(&wal->segments);
    archive_close(&wal->archive);
    if (wal->segment_fd >= 0)
        io_close(wal->io, wal->segment_fd);
    if (wal->folder_fd >= 0)
        io_close(wal->io, wal->folder_fd);
    memory_unmap(wal->memory, memory_bytes(&wal->options));
    free(wal);
}

/* ---- serving ---- */

/* Bytes of the segment in use behind the group in flight. */
static uint64_t segment_bytes_left(const struct wal *wal)
{
    uint64_t left = wal->segment.segment_bytes - wal->segment_offset;
    return wal->flight.state == FLIGHT_IDLE ? left : left - wal->flight.bytes;
}

/* Bytes of a group that are sure to find a place: what is left of the segment in use, or the next
 * segment, which holds the largest group. */
static uint32_t place_bytes(const struct wal *wal)
{
    uint64_t left = segment_bytes_left(wal);
    return segments_is_ready(&wal->segments) || left > wal->options.group_bytes_max
               ? wal->options.group_bytes_max
               : (uint32_t)left;
}

uint32_t wal_room(const struct wal *wal)
{
    uint32_t used_bytes = LOG_GROUP_HEADER_BYTES + wal->open_payload_bytes;
    uint32_t bytes =
        wal->options.durability == WAL_OFF ? wal->options.group_bytes_max : place_bytes(wal);
    return bytes < used_bytes ? 0 : (bytes - used_bytes) / LOG_RECORD_BYTES_MAX;
}

bool wal_lacks_space(const struct wal *wal)
{
    return wal->options.durability != WAL_OFF && segments_lacks_room(&wal->segments);
}

bool wal_is_full(const struct wal *wal)
{
    return wal_lacks_space(wal) && segment_bytes_left(wal) < wal->options.group_bytes_max;
}

bool wal_is_low(const struct wal *wal)
{
    return wal_lacks_space(wal) &&
           wal->segment.segment_bytes - wal->segment_offset < wal->options.segment_bytes / 2;
}

static uint8_t *open_group_end(const struct wal *wal)
{
    return wal->open_buffer + LOG_GROUP_HEADER_BYTES + wal->open_payload_bytes;
}

uint8_t *wal_next(struct wal *wal)
{
    hf_assert(wal_room(wal) > 0);
    return open_group_end(wal);
}

uint64_t wal_append(struct wal *wal, uint32_t record_bytes)
{
    hf_assert(record_bytes >= LOG_RECORD_BYTES_MIN && record_bytes <= LOG_RECORD_BYTES_MAX);
    hf_assert(record_bytes % 8 == 0);
    hf_assert(LOG_GROUP_HEADER_BYTES + wal->open_payload_bytes + record_bytes <=
              wal->options.group_bytes_max);
    hf_assert(bytes_get_u16(open_group_end(wal)) == record_bytes);
    uint64_t lsn = wal->next_lsn++;
    wal->counts.records++;
    if (wal->options.durability != WAL_OFF) {
        wal->open_payload_bytes += record_bytes;
        wal->open_record_count++;
        claim_ahead(wal);
    }
    if (wal->options.durability != WAL_SYNC && !wal->is_failed)
        wal->durable_lsn = lsn;
    return lsn;
}

void wal_write(struct wal *wal, uint64_t now_ms)
{
    wal->now_ms = now_ms;
    if (wal->is_failed || wal->options.durability == WAL_OFF)
        return;
    if (wal->open_record_count > 0 && wal->flight.state == FLIGHT_IDLE)
        close_group(wal);
    const struct segments_log log = {.used_bytes = wal->segment_offset,
                                     .is_writing = wal->flight.state != FLIGHT_IDLE};
    segments_continue(&wal->segments, &log, now_ms);
}

void wal_stop(struct wal *wal)
{
    segments_stop(&wal->segments);
}

uint64_t wal_last_lsn(const struct wal *wal)
{
    return wal->next_lsn - 1;
}

uint64_t wal_durable_lsn(const struct wal *wal)
{
    return wal->durable_lsn;
}

uint64_t wal_written_lsn(const struct wal *wal)
{
    return wal->written_lsn;
}

bool wal_is_at_boundary(const struct wal *wal)
{
    return wal->options.durability != WAL_OFF && wal->open_record_count == 0;
}

struct log_position wal_position(const struct wal *wal)
{
    hf_assert(wal_is_at_boundary(wal));
    uint64_t in_flight_bytes = wal->flight.state == FLIGHT_IDLE ? 0 : wal->flight.bytes;
    return (struct log_position){
        .segment_number = wal->segment.segment_number,
        .offset = wal->segment_offset + in_flight_bytes,
        .next_lsn = wal->next_lsn,
        .next_group_number = wal->next_group_number,
        .chain = wal->chain,
        .epoch = wal->group_epoch,
        .time_ms = wal->group_time_ms,
    };
}

void wal_release(struct wal *wal, uint64_t segment_number)
{
    segments_release(&wal->segments, segment_number);
}

uint64_t wal_wake_at_ms(const struct wal *wal)
{
    return wal->options.durability != WAL_OFF ? segments_wake_at_ms(&wal->segments) : UINT64_MAX;
}

const char *wal_failure(const struct wal *wal)
{
    return wal->is_failed ? wal->failure : NULL;
}

bool wal_is_idle(const struct wal *wal)
{
    return wal->open_record_count == 0 && wal->flight.state == FLIGHT_IDLE &&
           (wal->options.durability == WAL_OFF || segments_is_idle(&wal->segments));
}

struct wal_counts wal_counts(const struct wal *wal)
{
    return wal->counts;
}
