#include "snapshots.h"

#include "input.h"
#include "text.h"
#include "window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- findings ---- */

static void note_bad(struct data_snapshot *snapshot, enum data_snapshot_state state,
                     uint64_t offset, const char *reason)
{
    snapshot->state = state;
    snapshot->bad_offset = offset;
    snprintf(snapshot->reason, sizeof snapshot->reason, "%s", reason);
}

static void note_unreadable(struct data_snapshot *snapshot, uint64_t offset, int error)
{
    if (error == -ENXIO)
        note_bad(snapshot, DATA_SNAPSHOT_DAMAGED, offset, "it is no regular file");
    else
        note_bad(snapshot, DATA_SNAPSHOT_UNREADABLE, offset, strerror(-error));
}

/* ---- reading ---- */

struct reading {
    struct data_snapshot *snapshot;
    struct log_snapshot_reader reader;
    struct window window;
    int fd;
};

static bool begin(struct reading *reading, const struct data *data, const struct data_log *log,
                  struct data_snapshot *snapshot)
{
    char path[DATA_FILE_PATH_BYTES];
    reading->snapshot = snapshot;
    data_snapshot_path(log, snapshot->lsn, path);
    reading->fd = input_open(path, &snapshot->file_bytes);
    if (reading->fd < 0) {
        note_unreadable(snapshot, 0, reading->fd);
        return false;
    }
    const struct log_snapshot_source source = {
        .server_id = data->manifest.server_id,
        .era = log->era,
        .core = log->core,
        .lsn = snapshot->lsn,
        .file_bytes = snapshot->file_bytes,
    };
    log_snapshot_reader_begin(&reading->reader, &source);
    return true;
}

static void end(struct reading *reading)
{
    input_close(reading->fd);
}

/* The bytes that were needed came, or did not. False at the end of what can be read, which is in
 * the snapshot's state then, unless it is whole. */
static bool take(struct reading *reading, int error, const uint8_t *bytes, uint32_t bytes_count,
                 enum log_snapshot_piece *piece_out)
{
    struct log_snapshot_reader *reader = &reading->reader;
    if (error != 0) {
        note_unreadable(reading->snapshot, reader->offset, error);
        return false;
    }
    *piece_out = log_snapshot_reader_take(reader, bytes, bytes_count);
    if (*piece_out == LOG_SNAPSHOT_DAMAGED)
        note_bad(reading->snapshot, DATA_SNAPSHOT_DAMAGED, reader->offset, reader->reason);
    else if (*piece_out == LOG_SNAPSHOT_VERSION)
        note_bad(reading->snapshot, DATA_SNAPSHOT_VERSION, reader->offset, reader->reason);
    return *piece_out != LOG_SNAPSHOT_DAMAGED && *piece_out != LOG_SNAPSHOT_VERSION;
}

/* A block at first, by which it is known how much makes the piece. */
static bool next_piece(struct reading *reading, enum log_snapshot_piece *piece_out)
{
    const struct log_snapshot_reader *reader = &reading->reader;
    const uint64_t offset = reader->offset;
    const uint8_t *bytes = NULL;
    uint32_t needed = log_snapshot_reader_needs(reader, NULL, 0);
    int error = window_at(&reading->window, offset, needed, &bytes);
    if (error == 0) {
        needed = log_snapshot_reader_needs(reader, bytes, needed);
        error = window_at(&reading->window, offset, needed, &bytes);
    }
    return take(reading, error, bytes, needed, piece_out);
}

void snapshot_look(const struct data *data, const struct data_log *log,
                   struct data_snapshot *snapshot)
{
    _Alignas(8) uint8_t block[LOG_BLOCK_BYTES];
    struct reading reading;
    enum log_snapshot_piece piece;
    if (begin(&reading, data, log, snapshot)) {
        const uint32_t needed = log_snapshot_reader_needs(&reading.reader, NULL, 0);
        if (take(&reading, input_read_at(reading.fd, 0, block, needed), block, needed, &piece))
            snapshot->header = reading.reader.header;
    }
    end(&reading);
}

/* ---- loading ---- */

/* What the entries make is what the footer says. */
static const char *settle(struct stock *stock, const struct log_snapshot_reader *reader)
{
    const struct log_snapshot_footer *footer = &reader->footer;
    const struct stock_saved expected = {
        .item_count = footer->item_count,
        .buyer_count = footer->buyer_count,
        .reservation_count = footer->reservation_count,
        .state_hash = footer->state_hash,
        .time_ms = reader->header.state_time_ms,
    };
    return stock_load_snapshot_end(stock, &expected);
}

static const char *load_piece(struct stock *stock, const struct log_snapshot_reader *reader,
                              enum log_snapshot_piece piece)
{
    uint32_t refused_index;
    if (piece == LOG_SNAPSHOT_WHOLE)
        return settle(stock, reader);
    if (piece != LOG_SNAPSHOT_ENTRIES)
        return NULL;
    return stock_load_entries(stock, reader->entries, reader->entries_bytes, reader->entry_count,
                              &refused_index);
}

/* True when all of it was read and loaded. */
static bool load_all(struct reading *reading, struct stock *stock, bool *is_full_out)
{
    struct log_snapshot_reader *reader = &reading->reader;
    enum log_snapshot_piece piece = LOG_SNAPSHOT_HEADER;
    const char *wrong = NULL;
    while (piece != LOG_SNAPSHOT_WHOLE && wrong == NULL) {
        if (!next_piece(reading, &piece))
            return false;
        wrong = load_piece(stock, reader, piece);
    }
    *is_full_out = wrong == stock_check_full;
    if (wrong != NULL && wrong != stock_check_full)
        note_bad(reading->snapshot, DATA_SNAPSHOT_DAMAGED, reader->offset, wrong);
    return wrong == NULL;
}

bool snapshot_load(const struct data *data, const struct data_log *log,
                   struct data_snapshot *snapshot, struct stock *stock, struct stock_wanted wanted,
                   bool *is_full_out)
{
    struct reading reading;
    bool is_good = begin(&reading, data, log, snapshot);
    *is_full_out = false;
    if (is_good && !stock_load_snapshot_begin(stock, wanted)) {
        note_unreadable(snapshot, 0, -ENOMEM);
        is_good = false;
    }
    if (is_good) {
        window_init(&reading.window);
        window_set(&reading.window, reading.fd, snapshot->file_bytes);
        is_good = load_all(&reading, stock, is_full_out);
        window_deinit(&reading.window);
    }
    if (is_good) {
        snapshot->state = DATA_SNAPSHOT_GOOD;
        snapshot->footer = reading.reader.footer;
    }
    end(&reading);
    return is_good;
}

void snapshot_note_misplaced(struct data_snapshot *snapshot)
{
    snapshot->is_misplaced = true;
    note_bad(snapshot, DATA_SNAPSHOT_DAMAGED, LOG_BLOCK_BYTES,
             "an item in it belongs to another core");
}

void snapshot_note_other_state(struct data_snapshot *snapshot)
{
    note_bad(snapshot, DATA_SNAPSHOT_DAMAGED, snapshot->file_bytes - LOG_BLOCK_BYTES,
             "the state that the log gives at its LSN has another hash");
}

bool snapshot_is_there(const struct data_log *log, const struct data_snapshot *snapshot)
{
    char path[DATA_FILE_PATH_BYTES];
    data_snapshot_path(log, snapshot->lsn, path);
    return input_look(path) >= 0;
}

/* ---- telling ---- */

const char *snapshot_state_text(enum data_snapshot_state state)
{
    switch (state) {
    case DATA_SNAPSHOT_UNREAD:
        return "not read";
    case DATA_SNAPSHOT_GOOD:
        return "good";
    case DATA_SNAPSHOT_DAMAGED:
        return "damaged";
    case DATA_SNAPSHOT_VERSION:
        return "other version";
    case DATA_SNAPSHOT_UNREADABLE:
        return "unreadable";
    }
    return "?";
}

void snapshot_tell(const struct data_log *log, const struct data_snapshot *snapshot,
                   const char *meaning)
{
    char path[DATA_FILE_PATH_BYTES];
    data_snapshot_path(log, snapshot->lsn, path);
    tell("%s: offset %" PRIu64 ": %s: %s; %s", path, snapshot->bad_offset,
         snapshot_state_text(snapshot->state), snapshot->reason, meaning);
}

/* ---- choosing ---- */

const struct data_snapshot *snapshot_newest(const struct data_log *log, uint64_t lsn_max)
{
    for (uint32_t i = log->snapshot_count; i > 0; i--)
        if (data_snapshot_is_usable(log->snapshots[i - 1]) && log->snapshots[i - 1]->lsn <= lsn_max)
            return log->snapshots[i - 1];
    return NULL;
}

const struct data_snapshot *snapshot_oldest(const struct data_log *log)
{
    for (uint32_t i = 0; i < log->snapshot_count; i++)
        if (data_snapshot_is_usable(log->snapshots[i]))
            return log->snapshots[i];
    return NULL;
}
