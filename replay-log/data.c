#include "data.h"

#include "text.h"

#include "base/assert.h"
#include "stock/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server that writes while we read can make a log look damaged: groups appear behind a place that
 * was empty a moment ago, and an unused file is removed by a server that starts. Real trouble stays
 * where it is. So a survey that finds some is made again until two in a row find it at the same
 * place; this is often enough for a log that grows. */
enum { SURVEY_COUNT_MAX = 10 };

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL) {
        tell("out of memory: free some, or use a larger machine");
        exit(EXIT_IO);
    }
    return memory;
}

/* ---- files ---- */

/* Reads exactly so many bytes. 0 or a negative errno; a file that ends early is -ENODATA. */
static int read_at(int fd, uint64_t offset, void *buffer, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        const ssize_t now = pread(fd, (char *)buffer + done, bytes - done, (off_t)(offset + done));
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return now == 0 ? -ENODATA : -errno;
        done += (size_t)now;
    }
    return 0;
}

/* Neither waits for the other end of a pipe nor follows a link: only a regular file is a log's.
 * Descriptor or negative errno; -ENXIO for what is no regular file. */
static int open_regular(const char *path)
{
    struct stat status;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return errno == ELOOP ? -ENXIO : -errno;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    close(fd);
    return -ENXIO;
}

static void segment_path(const struct data_log *log, uint32_t segment_index, char *to)
{
    const int written =
        snprintf(to, DATA_FILE_PATH_BYTES, "%s/%s", log->path, log->segments[segment_index].name);
    hf_assert(written > 0 && written < DATA_FILE_PATH_BYTES);
}

static void close_segment(struct data_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

/* Segments are read one after the other, so one is open at a time. */
static int open_segment(struct data_log *log, uint32_t segment_index)
{
    char path[DATA_FILE_PATH_BYTES];
    if (log->fd >= 0 && log->fd_segment_index == segment_index)
        return 0;
    close_segment(log);
    segment_path(log, segment_index, path);
    log->fd = open_regular(path);
    log->fd_segment_index = segment_index;
    return log->fd < 0 ? log->fd : 0;
}

static int read_segment(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                        uint32_t bytes)
{
    struct data_log *log = context;
    const int error = open_segment(log, segment_index);
    return error != 0 ? error : read_at(log->fd, offset, buffer, bytes);
}

/* The same, with zeros in place of what stands behind the end that the survey found. */
static int read_segment_up_to_end(void *context, uint32_t segment_index, uint64_t offset,
                                  void *buffer, uint32_t bytes)
{
    struct data_log *log = context;
    uint64_t wanted = bytes;
    if (segment_index == log->end.segment_index) {
        const uint64_t before_end = offset < log->end.offset ? log->end.offset - offset : 0;
        wanted = before_end < bytes ? before_end : bytes;
    }
    memset((uint8_t *)buffer + wanted, 0, bytes - wanted);
    return wanted == 0 ? 0 : read_segment(context, segment_index, offset, buffer, (uint32_t)wanted);
}

/* ---- listing ---- */

static void free_segments(struct data_log *log)
{
    close_segment(log);
    for (uint32_t i = 0; i < log->segment_count; i++)
        free((void *)(uintptr_t)log->segments[i].name);
    free(log->segments);
    log->segments = NULL;
    log->segment_count = 0;
}

static int is_segment(const struct dirent *entry)
{
    return log_segment_file_number(entry->d_name) != 0;
}

static int add_segment(struct data_log *log, const char *name)
{
    char path[DATA_FILE_PATH_BYTES];
    struct stat status;
    log->segments[log->segment_count++].name = strdup(name);
    hf_assert(log->segments[log->segment_count - 1].name != NULL);
    segment_path(log, log->segment_count - 1, path);
    if (lstat(path, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -ENXIO;
    log->segments[log->segment_count - 1].bytes = (uint64_t)status.st_size;
    log->file_bytes += (uint64_t)status.st_size;
    return 0;
}

/* 0 or a negative errno. Names have as many digits each, so their order is that of the numbers. */
static int list_segments(struct data_log *log)
{
    struct dirent **entries;
    free_segments(log);
    log->file_bytes = 0;
    const int count = scandir(log->path, &entries, is_segment, alphasort);
    if (count < 0)
        return -errno;
    log->segments = allocate((size_t)count + 1, sizeof log->segments[0]);
    int error = 0;
    for (int i = 0; i < count; i++) {
        if (error == 0)
            error = add_segment(log, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return error;
}

/* ---- opening ---- */

static int is_any_name(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* An empty directory may become a data directory; one with something in it has lost its MANIFEST,
 * or is somebody else's. */
static enum exit_code tell_no_manifest(const char *path)
{
    struct dirent **entries;
    const int count = scandir(path, &entries, is_any_name, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
    if (count > 0) {
        tell("%s: damaged: it has no MANIFEST but is not empty; bring the MANIFEST back from a "
             "copy, or name the data directory that holdfastd was started with (--data)",
             path);
        return EXIT_DAMAGED;
    }
    tell("%s: %s; name the data directory that holdfastd was started with (--data)", path,
         count == 0 ? "it is empty" : strerror(errno));
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
    struct stat status;
    const int fd = open_regular(path);
    if (fd < 0)
        return fd;
    int error = fstat(fd, &status) == 0 ? 0 : -errno;
    if (error == 0) {
        const uint64_t file_bytes = (uint64_t)status.st_size;
        *bytes_out = file_bytes < text_bytes ? (size_t)file_bytes : text_bytes;
        error = read_at(fd, 0, text, *bytes_out);
    }
    close(fd);
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

static void make_logs(struct data *data)
{
    const struct log_manifest *manifest = &data->manifest;
    for (uint32_t i = 0; i < manifest->era_count; i++)
        data->log_count += manifest->eras[i].core_count;
    data->logs = allocate(data->log_count, sizeof data->logs[0]);
    struct data_log *log = data->logs;
    for (uint32_t i = 0; i < manifest->era_count; i++) {
        for (uint32_t core = 0; core < manifest->eras[i].core_count; core++, log++) {
            char name[LOG_NAME_BYTES_MAX];
            log->era = manifest->eras[i].number;
            log->core = core;
            log->closed = i + 1 < manifest->era_count ? &manifest->eras[i].ends[core] : NULL;
            log->fd = -1;
            log_core_directory_name(log->era, core, name);
            snprintf(log->path, sizeof log->path, "%s/%s", data->path, name);
        }
    }
}

enum exit_code data_open(const char *path, struct data **data_out)
{
    if (strlen(path) >= DATA_PATH_BYTES) {
        tell("%s: the path is too long", path);
        return EXIT_USAGE;
    }
    struct data *data = allocate(1, sizeof *data);
    snprintf(data->path, sizeof data->path, "%s", path);
    const enum exit_code code = read_manifest(data);
    if (code != EXIT_GOOD) {
        free(data);
        return code;
    }
    make_logs(data);
    data->buffer = allocate(1, LOG_GROUP_BYTES_MAX);
    *data_out = data;
    return EXIT_GOOD;
}

void data_close(struct data **data)
{
    struct data *closing = *data;
    *data = NULL;
    if (closing == NULL)
        return;
    for (uint32_t i = 0; i < closing->log_count; i++)
        free_segments(&closing->logs[i]);
    free(closing->logs);
    free(closing->buffer);
    free(closing);
}

/* ---- reading ---- */

static struct log_source source_of(const struct data *data, struct data_log *log)
{
    return (struct log_source){
        .segments = log->segments,
        .segment_count = log->segment_count,
        .read = read_segment,
        .read_context = log,
        .server_id = data->manifest.server_id,
        .era = log->era,
        .core = log->core,
        .closed = log->closed,
    };
}

/* Whose records are read, and what each goes to. */
struct record_reading {
    data_record_fn record;
    void *context;
};

static const char *read_group(void *context, const struct log_group *group,
                              uint64_t *refused_lsn_out)
{
    const struct record_reading *reading = context;
    uint64_t lsn = group->first_lsn;
    for (const uint8_t *record = group->records; record != NULL;
         record = log_record_next(group, record), lsn++) {
        const char *wrong = reading->record(reading->context, lsn, record);
        *refused_lsn_out = lsn;
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *count_record(void *context, uint64_t lsn, const uint8_t *bytes)
{
    struct data_log *log = context;
    struct stock_record record;
    (void)lsn;
    const char *wrong = stock_record_decode(bytes, log_record_bytes(bytes), &record);
    if (wrong != NULL)
        return wrong;
    hf_assert(record.type < DATA_RECORD_TYPE_COUNT);
    log->type_counts[record.type]++;
    if (log->first_time_ms == 0 || record.time_ms < log->first_time_ms)
        log->first_time_ms = record.time_ms;
    if (record.time_ms > log->last_time_ms)
        log->last_time_ms = record.time_ms;
    return NULL;
}

/* The folders of an era are made before the manifest names them, and nobody but the server puts
 * anything where a segment is to be. */
static void set_folder_unreadable(const struct data_log *log, struct log_end *end, int error)
{
    const bool is_damage = error == -ENOENT || error == -ENXIO;
    *end = (struct log_end){.status = is_damage ? LOG_DAMAGED : LOG_IO,
                            .next_lsn = 1,
                            .next_group_number = 1,
                            .io_error = error};
    if (error == -ENXIO)
        snprintf(end->reason, sizeof end->reason, "%s in it is no regular file",
                 log->segments[log->segment_count - 1].name);
    else
        snprintf(end->reason, sizeof end->reason, "the log cannot be listed: %s", strerror(-error));
}

static void survey_once(struct data *data, struct data_log *log)
{
    log->first_time_ms = 0;
    log->last_time_ms = 0;
    memset(log->type_counts, 0, sizeof log->type_counts);
    const int error = list_segments(log);
    if (error != 0) {
        set_folder_unreadable(log, &log->end, error);
        free_segments(log);
        return;
    }
    const struct log_source source = source_of(data, log);
    struct record_reading reading = {.record = count_record, .context = log};
    log_read(&source, read_group, &reading, data->buffer, &log->end);
}

static bool is_trouble(enum log_status status)
{
    return status == LOG_DAMAGED || status == LOG_IO;
}

void data_survey(struct data *data, struct data_log *log)
{
    survey_once(data, log);
    for (int i = 1; i < SURVEY_COUNT_MAX && is_trouble(log->end.status); i++) {
        const struct log_end before = log->end;
        survey_once(data, log);
        if (log->end.status == before.status && log->end.segment_index == before.segment_index &&
            log->end.offset == before.offset)
            return;
    }
}

void data_read(struct data *data, struct data_log *log, data_record_fn record, void *record_context,
               struct log_end *end_out)
{
    struct log_source source = source_of(data, log);
    source.read = read_segment_up_to_end;
    source.closed = NULL; /* the survey has said whether the log ends where it should */
    if (source.segment_count > log->end.segment_index + 1)
        source.segment_count = log->end.segment_index + 1;
    struct record_reading reading = {.record = record, .context = record_context};
    log_read(&source, read_group, &reading, data->buffer, end_out);
    if (end_out->status == LOG_GOOD)
        *end_out = log->end;
}

/* ---- telling ---- */

enum exit_code data_exit_code(enum log_status status)
{
    switch (status) {
    case LOG_GOOD:
        return EXIT_GOOD;
    case LOG_TORN_TAIL:
        return EXIT_TORN;
    case LOG_DAMAGED:
        return EXIT_DAMAGED;
    case LOG_IO:
        return EXIT_IO;
    case LOG_VERSION:
        return EXIT_VERSION;
    }
    return EXIT_DAMAGED;
}

void data_end_path(const struct data_log *log, const struct log_end *end, char *to)
{
    if (end->segment_index < log->segment_count)
        segment_path(log, end->segment_index, to);
    else
        snprintf(to, DATA_FILE_PATH_BYTES, "%s", log->path);
}

static const char *advice(enum log_status status)
{
    switch (status) {
    case LOG_GOOD:
        break;
    case LOG_TORN_TAIL:
        return "it was never acknowledged; the server cuts it off when it starts (if one is "
               "running "
               "here, this is what it is writing now)";
    case LOG_DAMAGED:
        return "records from there on cannot be trusted; stop the server, keep a copy, bring the "
               "file back from a good one";
    case LOG_IO:
        return "check the rights of this user, then the disk";
    case LOG_VERSION:
        return "use the holdfast-log that came with the server that wrote it";
    }
    return "";
}

void data_tell_end(const struct data_log *log, const struct log_end *end)
{
    char path[DATA_FILE_PATH_BYTES];
    if (end->status == LOG_GOOD)
        return;
    data_end_path(log, end, path);
    tell("%s: offset %" PRIu64 ", LSN %" PRIu64 " and later: %s: %s; %s", path, end->offset,
         end->next_lsn, log_status_text(end->status), end->reason, advice(end->status));
}
