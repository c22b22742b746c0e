/* One operation at a time:
 *
 *     open "snapshot.new" -> header -> block ... -> footer -> sync -> read back ... -> rename
 *                                                                    -> sync the folder -> done
 *
 * While the core fills one page the other one is written. With no page to write there is no
 * operation; snapshot_pass() and snapshot_finish() go on then.
 *
 * What was written is read back around the page cache, by the reader that a restart uses, before
 * the file gets its name: a snapshot that has a name was whole once. The name comes when all of the
 * file is on disk, and it counts when the folder is.
 *
 * After a failure the file is removed. When that fails too it stays, as "snapshot.new", which
 * nobody reads and the next start removes; the next snapshot of this life would find it in its way,
 * so its removal is tried again before. */

#include "wal/snapshot.h"

#include "base/assert.h"
#include "base/memory.h"
#include "log/format.h"
#include "log/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX,
    FAILURE_BYTES = 512,
    PAGE_COUNT = 2,
    READ_BYTES = 1 << 20,
};

enum step {
    STEP_NONE, /* no snapshot, or no page to be written */
    STEP_CLEAR,
    STEP_OPEN,
    STEP_HEADER,
    STEP_BLOCK,
    STEP_FOOTER,
    STEP_SYNC,
    STEP_READ,
    STEP_RENAME,
    STEP_SYNC_NAME,
    STEP_REMOVE,
};

struct snapshot {
    struct io *io;
    struct snapshot_options options;
    struct id128 server_id;
    uint64_t era;
    char core_path[DATA_DIRECTORY_PATH_BYTES];
    char path[PATH_BYTES];
    char new_path[PATH_BYTES];
    int folder_fd;

    enum snapshot_state state;
    enum step step;
    struct io_op op;
    int fd;
    struct log_snapshot_header header;
    struct log_snapshot_footer footer;
    struct log_snapshot_encoder encoder;
    uint64_t offset;                   /* of the write under way, or the next one */
    uint32_t write_bytes;              /* of the write under way */
    struct log_snapshot_reader reader; /* of what was written */
    uint32_t read_bytes;               /* from the reader's place on, in the first page */
    uint32_t checked_bytes;            /* of them */

    uint8_t *memory; /* pages, then a block for the header */
    uint8_t *pages[PAGE_COUNT];
    uint32_t page_open;  /* the one that is filled */
    bool is_page_passed; /* the other one waits for the disk, or is on its way */
    uint32_t passed_bytes, passed_entry_count;
    bool is_finished; /* the footer comes when the last page is written */
    bool is_fatal;
    char failure[FAILURE_BYTES];
};

static uint32_t block_bytes_max(const struct snapshot_options *options)
{
    uint32_t bytes = LOG_SNAPSHOT_BLOCK_HEADER_BYTES + options->page_bytes;
    return (bytes + LOG_BLOCK_BYTES - 1) / LOG_BLOCK_BYTES * LOG_BLOCK_BYTES;
}

static size_t memory_bytes(const struct snapshot_options *options)
{
    return (size_t)PAGE_COUNT * block_bytes_max(options) + LOG_BLOCK_BYTES;
}

/* ---- failing ---- */

__attribute__((format(printf, 2, 3))) static void note_failure(struct snapshot *snapshot,
                                                               const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(snapshot->failure, sizeof snapshot->failure, format, arguments);
    va_end(arguments);
}

static void begin_step(struct snapshot *snapshot, enum step step);

static void close_file(struct snapshot *snapshot)
{
    if (snapshot->fd >= 0)
        io_close(snapshot->io, snapshot->fd);
    snapshot->fd = -1;
}

/* What there is of the file goes, and then the snapshot has failed. When the process is to end,
 * that is what comes next. */
static void give_up(struct snapshot *snapshot)
{
    bool has_file = snapshot->fd >= 0 && !snapshot->is_fatal;
    close_file(snapshot);
    snapshot->state = SNAPSHOT_FINISHING;
    if (has_file) {
        begin_step(snapshot, STEP_REMOVE);
        return;
    }
    begin_step(snapshot, STEP_NONE);
    snapshot->state = SNAPSHOT_FAILED;
}

static const char *action_of(enum step step)
{
    switch (step) {
    case STEP_OPEN:
        return "make this file";
    case STEP_SYNC:
        return "sync this file";
    case STEP_READ:
        return "read this file back";
    case STEP_RENAME:
        return "give this file its name";
    case STEP_SYNC_NAME:
        return "sync the folder of this file";
    default:
        return "write this file";
    }
}

static void step_failed(struct snapshot *snapshot, int32_t result)
{
    const enum step step = snapshot->step;
    if (result < 0)
        note_failure(snapshot, "%s: cannot %s: %s", snapshot->new_path, action_of(step),
                     strerror(-result));
    else
        note_failure(snapshot, "%s: cannot %s: only %" PRId32 " bytes were done",
                     snapshot->new_path, action_of(step), result);
    /* The folder is the log's too. */
    snapshot->is_fatal = step == STEP_SYNC_NAME;
    give_up(snapshot);
}

/* ---- the steps ---- */

/* Writes what stands in this block behind what was written before. */
static void write_block(struct snapshot *snapshot, const uint8_t *block, uint32_t bytes)
{
    io_file_write(snapshot->io, &snapshot->op, snapshot->fd, block, bytes, snapshot->offset, false);
    snapshot->write_bytes = bytes;
}

/* Reads on behind what was read, into the first page, which is free by now: in pieces that take no
 * longer to check than a turn may take, but for a block that is larger. */
static void read_on(struct snapshot *snapshot)
{
    uint32_t have = snapshot->read_bytes;
    uint32_t wanted = log_snapshot_reader_needs(&snapshot->reader, snapshot->pages[0], have);
    uint32_t room = block_bytes_max(&snapshot->options);
    if (wanted < READ_BYTES)
        wanted = READ_BYTES < room ? READ_BYTES : room;
    uint64_t left = snapshot->offset - snapshot->reader.offset;
    if (left < wanted)
        wanted = (uint32_t)left;
    io_file_read(snapshot->io, &snapshot->op, snapshot->fd, snapshot->pages[0] + have,
                 wanted - have, snapshot->reader.offset + have);
}

static void begin_step(struct snapshot *snapshot, enum step step)
{
    struct io *io = snapshot->io;
    struct io_op *op = &snapshot->op;
    uint8_t *block = snapshot->memory + (size_t)PAGE_COUNT * block_bytes_max(&snapshot->options);
    snapshot->step = step;
    switch (step) {
    case STEP_CLEAR:
    case STEP_REMOVE:
        io_file_remove(io, op, snapshot->new_path);
        break;
    case STEP_OPEN:
        io_file_open(io, op, snapshot->new_path, IO_FILE_CREATE | IO_FILE_DIRECT);
        break;
    case STEP_HEADER:
        log_snapshot_encode_header(&snapshot->encoder, &snapshot->header, block);
        write_block(snapshot, block, LOG_BLOCK_BYTES);
        break;
    case STEP_BLOCK: {
        uint8_t *page = snapshot->pages[1 - snapshot->page_open];
        uint32_t bytes = log_snapshot_encode_entries(
            &snapshot->encoder, page, snapshot->passed_bytes, snapshot->passed_entry_count);
        write_block(snapshot, page, bytes);
        break;
    }
    case STEP_FOOTER:
        log_snapshot_encode_footer(&snapshot->encoder, &snapshot->footer, block);
        write_block(snapshot, block, LOG_BLOCK_BYTES);
        break;
    case STEP_SYNC:
        io_file_sync(io, op, snapshot->fd);
        break;
    case STEP_READ:
        read_on(snapshot);
        break;
    case STEP_RENAME:
        io_file_rename(io, op, snapshot->new_path, snapshot->path);
        break;
    case STEP_SYNC_NAME:
        io_file_sync(io, op, snapshot->folder_fd);
        break;
    case STEP_NONE:
        break;
    }
}

/* ---- from step to step ---- */

/* The next block, if there is one to be written. */
static void write_on(struct snapshot *snapshot)
{
    if (snapshot->is_page_passed)
        begin_step(snapshot, STEP_BLOCK);
    else
        begin_step(snapshot, snapshot->is_finished ? STEP_FOOTER : STEP_NONE);
}

static void begin_reading(struct snapshot *snapshot)
{
    const struct log_snapshot_source source = {
        .server_id = snapshot->server_id,
        .era = snapshot->era,
        .core = snapshot->options.core,
        .lsn = log_snapshot_lsn(&snapshot->header),
        .file_bytes = snapshot->offset,
    };
    log_snapshot_reader_begin(&snapshot->reader, &source);
    snapshot->read_bytes = 0;
    begin_step(snapshot, STEP_READ);
}

/* What was read back and not looked at yet. */
static const uint8_t *unchecked(const struct snapshot *snapshot)
{
    return snapshot->pages[0] + snapshot->checked_bytes;
}

/* Whole pieces are looked at; what is left moves to the front, and reading goes on behind it. */
static void check_pieces(struct snapshot *snapshot)
{
    struct log_snapshot_reader *reader = &snapshot->reader;
    snapshot->checked_bytes = 0;
    uint32_t bytes = snapshot->read_bytes;
    while (bytes >= log_snapshot_reader_needs(reader, unchecked(snapshot), bytes)) {
        const uint64_t before = reader->offset;
        switch (log_snapshot_reader_take(reader, unchecked(snapshot), bytes)) {
        case LOG_SNAPSHOT_HEADER:
        case LOG_SNAPSHOT_ENTRIES:
            break;
        case LOG_SNAPSHOT_WHOLE:
            begin_step(snapshot, STEP_RENAME);
            return;
        case LOG_SNAPSHOT_DAMAGED:
        case LOG_SNAPSHOT_VERSION:
            note_failure(snapshot,
                         "%s: what was read back is not what was written: offset %" PRIu64
                         ": %s; look at the disk",
                         snapshot->new_path, reader->offset, reader->reason);
            give_up(snapshot);
            return;
        }
        snapshot->checked_bytes += (uint32_t)(reader->offset - before);
        bytes -= (uint32_t)(reader->offset - before);
    }
    memmove(snapshot->pages[0], unchecked(snapshot), bytes);
    snapshot->read_bytes = bytes;
    begin_step(snapshot, STEP_READ);
}

static void is_named(struct snapshot *snapshot)
{
    close_file(snapshot);
    begin_step(snapshot, STEP_NONE);
    snapshot->state = SNAPSHOT_DONE;
}

static void step_succeeded(struct snapshot *snapshot, int32_t result)
{
    switch (snapshot->step) {
    case STEP_CLEAR:
        begin_step(snapshot, STEP_OPEN);
        break;
    case STEP_OPEN:
        begin_step(snapshot, STEP_HEADER);
        break;
    case STEP_BLOCK:
        snapshot->is_page_passed = false;
        __attribute__((fallthrough));
    case STEP_HEADER:
        snapshot->offset += (uint32_t)result;
        write_on(snapshot);
        break;
    case STEP_FOOTER:
        snapshot->offset += (uint32_t)result;
        begin_step(snapshot, STEP_SYNC);
        break;
    case STEP_SYNC:
        begin_reading(snapshot);
        break;
    case STEP_READ:
        snapshot->read_bytes += (uint32_t)result;
        check_pieces(snapshot);
        break;
    case STEP_RENAME:
        begin_step(snapshot, STEP_SYNC_NAME);
        break;
    case STEP_SYNC_NAME:
        is_named(snapshot);
        break;
    case STEP_REMOVE:
        begin_step(snapshot, STEP_NONE);
        snapshot->state = SNAPSHOT_FAILED;
        break;
    case STEP_NONE:
        hf_assert(!"a step without an operation");
    }
}

static bool is_write(enum step step)
{
    return step == STEP_HEADER || step == STEP_BLOCK || step == STEP_FOOTER;
}

static void step_done(struct io_op *op, int32_t result)
{
    struct snapshot *snapshot = op->context;
    const enum step step = snapshot->step;
    bool is_short = (is_write(step) && (uint32_t)result != snapshot->write_bytes) ||
                    (step == STEP_READ && (result == 0 || result % LOG_BLOCK_BYTES != 0));
    /* Nothing was left behind; or it can't be removed, and is found in the way another time. */
    bool is_cleared = (step == STEP_CLEAR && result == -ENOENT) || step == STEP_REMOVE;
    if (step == STEP_OPEN && result >= 0)
        snapshot->fd = result;
    if ((result < 0 || is_short) && !is_cleared)
        step_failed(snapshot, result);
    else
        step_succeeded(snapshot, result);
}

/* ---- public ---- */

enum snapshot_state snapshot_state(const struct snapshot *snapshot)
{
    return snapshot->state;
}

void snapshot_begin(struct snapshot *snapshot, const struct log_snapshot_header *header)
{
    char name[LOG_NAME_BYTES_MAX];
    hf_assert(snapshot->state == SNAPSHOT_NONE);
    snapshot->header = *header;
    snapshot->header.server_id = snapshot->server_id;
    snapshot->header.era = snapshot->era;
    snapshot->header.core = snapshot->options.core;
    io_random(snapshot->io, &snapshot->header.snapshot_uuid, sizeof header->snapshot_uuid);
    log_snapshot_file_name(log_snapshot_lsn(header), name);
    snprintf(snapshot->path, sizeof snapshot->path, "%s/%s", snapshot->core_path, name);
    snapshot->offset = 0;
    snapshot->is_page_passed = false;
    snapshot->is_finished = false;
    snapshot->state = SNAPSHOT_FILLING;
    begin_step(snapshot, STEP_CLEAR);
}

uint8_t *snapshot_page(struct snapshot *snapshot)
{
    hf_assert(snapshot->state == SNAPSHOT_FILLING);
    return snapshot->pages[snapshot->page_open] + LOG_SNAPSHOT_BLOCK_HEADER_BYTES;
}

bool snapshot_may_pass(const struct snapshot *snapshot)
{
    return !snapshot->is_page_passed;
}

void snapshot_pass(struct snapshot *snapshot, uint32_t bytes, uint32_t entry_count)
{
    hf_assert(snapshot->state == SNAPSHOT_FILLING);
    hf_assert(snapshot_may_pass(snapshot));
    hf_assert(entry_count > 0 && bytes <= snapshot->options.page_bytes);
    snapshot->page_open = 1 - snapshot->page_open;
    snapshot->is_page_passed = true;
    snapshot->passed_bytes = bytes;
    snapshot->passed_entry_count = entry_count;
    if (snapshot->step == STEP_NONE)
        write_on(snapshot);
}

void snapshot_finish(struct snapshot *snapshot, const struct log_snapshot_footer *footer)
{
    hf_assert(snapshot->state == SNAPSHOT_FILLING);
    snapshot->footer = *footer;
    snapshot->is_finished = true;
    snapshot->state = SNAPSHOT_FINISHING;
    if (snapshot->step == STEP_NONE)
        write_on(snapshot);
}

void snapshot_settle(struct snapshot *snapshot)
{
    hf_assert(snapshot->state == SNAPSHOT_DONE || snapshot->state == SNAPSHOT_FAILED);
    memory_forget(snapshot->memory, memory_bytes(&snapshot->options));
    snapshot->state = SNAPSHOT_NONE;
}

const char *snapshot_failure(const struct snapshot *snapshot)
{
    return snapshot->failure;
}

bool snapshot_is_fatal(const struct snapshot *snapshot)
{
    return snapshot->is_fatal;
}

uint64_t snapshot_bytes(const struct snapshot *snapshot)
{
    return snapshot->offset;
}

/* ---- life ---- */

static int open_folder(struct snapshot *snapshot)
{
    snapshot->folder_fd = io_file_open_now(snapshot->io, snapshot->core_path, IO_FILE_DIRECTORY);
    return snapshot->folder_fd < 0 ? snapshot->folder_fd : 0;
}

struct snapshot *snapshot_open(struct io *io, const struct data_directory *directory,
                               const struct snapshot_options *options, char *message_out)
{
    hf_assert(options->page_bytes > 0);
    hf_assert(options->page_bytes <= LOG_SNAPSHOT_PAYLOAD_BYTES_MAX);
    hf_assert(!directory->is_era_pending);
    uint32_t era_index = directory->manifest.era_count - 1;
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    uint8_t *memory = memory_map(memory_bytes(options));
    if (snapshot == NULL || memory == NULL) {
        free(snapshot);
        memory_unmap(memory, memory_bytes(options));
        snprintf(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "no memory for snapshots");
        return NULL;
    }
    *snapshot = (struct snapshot){
        .io = io,
        .options = *options,
        .server_id = directory->manifest.server_id,
        .era = directory->manifest.eras[era_index].number,
        .folder_fd = -1,
        .fd = -1,
        .op = {.done = step_done, .context = snapshot},
        .memory = memory,
        .pages = {memory, memory + block_bytes_max(options)},
    };
    data_directory_core_path(directory, era_index, options->core, snapshot->core_path);
    snprintf(snapshot->new_path, sizeof snapshot->new_path, "%s/%s", snapshot->core_path,
             LOG_SNAPSHOT_NEW_NAME);
    int error = open_folder(snapshot);
    if (error == 0) {
        (void)io_file_remove_now(io, snapshot->new_path); /* or the next snapshot says why not */
        return snapshot;
    }
    snprintf(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "%.400s: cannot open this folder: %s",
             snapshot->core_path, strerror(-error));
    snapshot_close(&snapshot);
    return NULL;
}

void snapshot_close(struct snapshot **snapshot_inout)
{
    struct snapshot *snapshot = *snapshot_inout;
    *snapshot_inout = NULL;
    if (snapshot == NULL)
        return;
    hf_assert(!snapshot->op.is_pending);
    close_file(snapshot);
    if (snapshot->folder_fd >= 0)
        io_close(snapshot->io, snapshot->folder_fd);
    memory_unmap(snapshot->memory, memory_bytes(&snapshot->options));
    free(snapshot);
}
