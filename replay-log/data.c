#include "data.h"

#include "allocate.h"
#include "guess.h"
#include "input.h"
#include "names.h"
#include "progress.h"
#include "snapshots.h"
#include "text.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Files may go between being listed and being looked at, while a server runs. Then the folder is
 * listed again. */
enum { LIST_COUNT_MAX = 10 };

/* ---- segments ---- */

void data_segment_path(const struct data_log *log, uint32_t segment_index, char *to)
{
    hf_assert(segment_index < log->segment_count);
    const int written =
        snprintf(to, DATA_FILE_PATH_BYTES, "%s/%s", log->path, log->segments[segment_index].name);
    hf_assert(written > 0 && written < DATA_FILE_PATH_BYTES);
}

void data_snapshot_path(const struct data_log *log, uint64_t lsn, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(lsn, name);
    const int written = snprintf(to, DATA_FILE_PATH_BYTES, "%s/%s", log->path, name);
    hf_assert(written > 0 && written < DATA_FILE_PATH_BYTES);
}

const char *data_short_path(const struct data *data, const char *path)
{
    const size_t bytes = strlen(data->path);
    return strncmp(path, data->path, bytes) == 0 && path[bytes] == '/' ? path + bytes + 1 : path;
}

void data_close_segment(struct data_log *log)
{
    input_close(log->fd);
    log->fd = -1;
}

/* Segments are read one after the other, so one is open at a time. */
static int open_segment(struct data_log *log, uint32_t segment_index)
{
    char path[DATA_FILE_PATH_BYTES];
    if (log->fd >= 0 && log->fd_segment_index == segment_index)
        return 0;
    data_close_segment(log);
    data_segment_path(log, segment_index, path);
    uint64_t file_bytes;
    log->fd = input_open(path, &file_bytes);
    log->fd_segment_index = segment_index;
    return log->fd < 0 ? log->fd : 0;
}

int data_read_segment(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                      uint32_t bytes)
{
    struct data_log *log = context;
    int error = open_segment(log, segment_index);
    if (error == 0)
        error = input_read_at(log->fd, offset, buffer, bytes);
    if (error == 0)
        progress_add(bytes);
    return error;
}

/* ---- listing ---- */

static void forget_segments(struct data_log *log)
{
    data_close_segment(log);
    for (uint32_t i = 0; i < log->segment_count; i++)
        free((void *)(uintptr_t)log->segments[i].name);
    free(log->segments);
    log->segments = NULL;
    log->segment_count = 0;
    log->segments_bytes = 0;
}

static bool is_ours(const char *name)
{
    uint64_t lsn;
    return log_segment_file_number(name) != 0 || log_snapshot_file_lsn(name, &lsn);
}

static int add_segment(struct data_log *log, const char *name)
{
    char path[DATA_FILE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%.63s", log->path, name);
    const int64_t bytes = input_look(path);
    if (bytes == -ENXIO)
        snprintf(log->list_wrong, sizeof log->list_wrong, "%.63s", name);
    if (bytes < 0)
        return (int)bytes;
    log->segments[log->segment_count++] =
        (struct log_segment){.name = allocate_text(name), .bytes = (uint64_t)bytes};
    log->segments_bytes += (uint64_t)bytes;
    return 0;
}

/* Of what is no regular file the others are still wanted. */
static int worse_error(int before, int now)
{
    return now == 0 ? before : now;
}

static struct data_snapshot *known_snapshot(const struct data_log *log, uint64_t lsn)
{
    struct data_snapshot *snapshot = log->all_snapshots;
    while (snapshot != NULL && snapshot->lsn != lsn)
        snapshot = snapshot->next;
    return snapshot;
}

static void add_snapshot(struct data *data, struct data_log *log, uint64_t lsn)
{
    struct data_snapshot *snapshot = known_snapshot(log, lsn);
    if (snapshot == NULL) {
        snapshot = allocate(1, sizeof *snapshot);
        snapshot->lsn = lsn;
        snapshot->next = log->all_snapshots;
        log->all_snapshots = snapshot;
        snapshot_look(data, log, snapshot);
    }
    log->snapshots[log->snapshot_count++] = snapshot;
}

/* Names have as many digits each, so their order is that of the numbers. */
static int list_once(struct data *data, struct data_log *log)
{
    struct names names;
    int error = names_list(log->path, is_ours, &names);
    if (error == 0) {
        forget_segments(log);
        free(log->snapshots);
        log->segments = allocate(names.count + 1, sizeof log->segments[0]);
        log->snapshots = allocate(names.count + 1, sizeof(struct data_snapshot *));
        log->snapshot_count = 0;
    }
    for (size_t i = 0; i < names.count && (error == 0 || error == -ENXIO); i++) {
        uint64_t lsn;
        if (log_snapshot_file_lsn(names.list[i], &lsn))
            add_snapshot(data, log, lsn);
        else
            error = worse_error(error, add_segment(log, names.list[i]));
    }
    names_free(&names);
    return error;
}

void data_list(struct data *data, struct data_log *log)
{
    log->list_error = 0;
    for (int i = 0; i < LIST_COUNT_MAX; i++) {
        log->list_error = list_once(data, log);
        if (log->list_error != -ENOENT || !input_is_folder(log->path))
            break;
    }
    if (log->list_error != 0 && log->list_error != -ENXIO)
        forget_segments(log);
}

/* ---- the manifest ---- */

/* An empty directory may become a data directory; one with something in it has lost its MANIFEST,
 * or is somebody else's. */
static enum exit_code tell_no_manifest(const char *path)
{
    struct names names;
    const int error = names_list(path, NULL, &names);
    const size_t count = names.count;
    names_free(&names);
    if (count > 0) {
        tell("%s: damaged: it has no MANIFEST but is not empty; bring the MANIFEST back from a "
             "copy, or name the data directory that holdfastd was started with (--data)",
             path);
        return EXIT_DAMAGED;
    }
    tell("%s: %s; name the data directory that holdfastd was started with (--data)", path,
         error == 0 ? "it is empty" : strerror(-error));
    return EXIT_IO;
}

static enum exit_code tell_manifest_unreadable(const struct data *data, const char *path, int error)
{
    switch (error) {
    case -ENOENT:
        return tell_no_manifest(data->path);
    case -ENXIO:
        tell("%s: damaged: it is no regular file; bring it back from a copy of the directory",
             path);
        return EXIT_DAMAGED;
    case -EACCES:
    case -EPERM:
        tell("%s: cannot be read: %s; run this as a user who may read the directory", path,
             strerror(-error));
        return EXIT_IO;
    case -ENOTDIR:
        tell("%s: it is not a directory; name the data directory that holdfastd was started with "
             "(--data)",
             data->path);
        return EXIT_IO;
    default:
        tell("%s: cannot be read: %s; check the disk", path, strerror(-error));
        return EXIT_IO;
    }
}

/* Reads the whole file, or more of it than a manifest has. 0 or a negative errno. */
static int read_text(const char *path, char *text, size_t text_bytes, size_t *bytes_out)
{
    uint64_t file_bytes;
    const int fd = input_open(path, &file_bytes);
    if (fd < 0)
        return fd;
    *bytes_out = file_bytes < text_bytes ? (size_t)file_bytes : text_bytes;
    const int error = input_read_at(fd, 0, text, *bytes_out);
    input_close(fd);
    return error;
}

static enum exit_code read_manifest(struct data *data)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    char path[DATA_PATH_BYTES + LOG_NAME_BYTES_MAX];
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/MANIFEST", data->path);
    const int error = read_text(path, text, sizeof text, &bytes);
    if (error != 0)
        return tell_manifest_unreadable(data, path, error);
    const char *wrong = log_manifest_decode(text, bytes, &data->manifest);
    if (wrong == NULL)
        return EXIT_GOOD;
    if (data->manifest.version != 0 && data->manifest.version != LOG_FORMAT_VERSION) {
        tell("%s: written in format %" PRIu32
             ", this program reads format %d; use the holdfast-log "
             "that came with the server that wrote it",
             path, data->manifest.version, LOG_FORMAT_VERSION);
        return EXIT_VERSION;
    }
    tell("%s: damaged: %s; bring it back from a copy of the directory", path, wrong);
    return EXIT_DAMAGED;
}

/* ---- life ---- */

static void make_logs(struct data *data)
{
    const struct log_manifest *manifest = &data->manifest;
    for (uint32_t i = 0; i < manifest->era_count; i++)
        data->log_count += manifest->eras[i].core_count;
    data->logs = allocate(data->log_count, sizeof data->logs[0]);
    struct data_log *log = data->logs;
    for (uint32_t i = 0; i < manifest->era_count; i++) {
        const bool is_closed = i + 1 < manifest->era_count && !data->is_guessed;
        for (uint32_t core = 0; core < manifest->eras[i].core_count; core++, log++) {
            char name[LOG_NAME_BYTES_MAX];
            log->era = manifest->eras[i].number;
            log->era_index = i;
            log->core = core;
            log->closed = is_closed ? &manifest->eras[i].ends[core] : NULL;
            log->fd = -1;
            log_core_directory_name(log->era, core, name);
            snprintf(log->path, sizeof log->path, "%s/%s", data->path, name);
            data_list(data, log);
        }
    }
}

static enum exit_code open_data(const char *path, bool may_guess, struct data **data_out)
{
    *data_out = NULL;
    if (strlen(path) >= DATA_PATH_BYTES) {
        tell("%s: the path is too long", path);
        return EXIT_USAGE;
    }
    struct data *data = allocate(1, sizeof *data);
    snprintf(data->path, sizeof data->path, "%s", path);
    data->buffer = allocate_buffer(LOG_GROUP_BYTES_MAX);
    enum exit_code code = read_manifest(data);
    if (code == EXIT_DAMAGED && may_guess)
        code = guess_manifest(data);
    if (code != EXIT_GOOD) {
        data_close(&data);
        return code;
    }
    make_logs(data);
    *data_out = data;
    return EXIT_GOOD;
}

enum exit_code data_open(const char *path, struct data **data_out)
{
    return open_data(path, false, data_out);
}

enum exit_code data_open_damaged(const char *path, struct data **data_out)
{
    return open_data(path, true, data_out);
}

void data_close(struct data **data)
{
    struct data *closing = *data;
    *data = NULL;
    if (closing == NULL)
        return;
    for (uint32_t i = 0; i < closing->log_count; i++) {
        struct data_log *log = &closing->logs[i];
        forget_segments(log);
        free(log->snapshots);
        while (log->all_snapshots != NULL) {
            struct data_snapshot *next = log->all_snapshots->next;
            free(log->all_snapshots);
            log->all_snapshots = next;
        }
    }
    free(closing->logs);
    free(closing->buffer);
    free(closing);
}

/* ---- questions ---- */

struct data_log *data_era_logs(struct data *data, uint32_t era_index)
{
    struct data_log *log = data->logs;
    for (uint32_t i = 0; i < era_index; i++)
        log += data_core_count(data, i);
    return log;
}

bool data_log_has_first_segment(const struct data_log *log)
{
    return log->segment_count == 0 || log_segment_file_number(log->segments[0].name) == 1;
}

bool data_log_has_beginning(const struct data *data, const struct data_log *log)
{
    return data_log_has_first_segment(log) &&
           (log->era_index > 0 || !log_manifest_needs_snapshots(&data->manifest));
}

uint64_t data_log_bytes_from(const struct data_log *log, uint64_t segment_number)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < log->segment_count; i++)
        if (log_segment_file_number(log->segments[i].name) >= segment_number)
            bytes += log->segments[i].bytes;
    return bytes;
}
