/* The directory is made from the bottom up: what a name refers to is on disk before the name is.
 *
 *     PATH                      flock()ed itself while a server runs: a file in it could be removed
 *     PATH/MANIFEST             replaced by rename: MANIFEST.new is written and synced before
 *     PATH/era-000001/core-000/000000000001.log ...
 *     PATH/era-000001/core-000/torn-TIME-CORE-SEGMENT     what was cut from a torn tail
 *
 * A power cut while the directory is first made leaves folders without a segment and no manifest;
 * such a directory counts as empty. With a segment in it, or anything of somebody else's, it does
 * not. */

#include "wal/data_directory.h"

#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATH_BYTES = DATA_DIRECTORY_PATH_BYTES, CLEAR_BYTES = 1 << 20 };

/* ---- text ---- */

__attribute__((format(printf, 3, 4))) static void text(char *to, size_t to_bytes,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to, to_bytes, format, arguments);
    va_end(arguments);
}

static const char *advice(int error)
{
    switch (error) {
    case -EACCES:
    case -EPERM:
        return "give the server's user the right to read and write there";
    case -EROFS:
        return "the file system is mounted read-only: mount it for writing";
    case -ENOSPC:
    case -EDQUOT:
        return "make room on the disk";
    case -ENOENT:
        return "make the folder above it first";
    case -ENOTDIR:
        return "it is not a directory: name one";
    case -EMFILE:
    case -ENFILE:
        return "raise the limit on open files (ulimit -n)";
    default:
        return "the kernel's log (dmesg) may tell more";
    }
}

/* Writes the message for a failed system call and returns its status. -ENXIO comes from opening: it
 * is there, but nothing that a server made. */
static enum data_directory_status fail(char *message_out, const char *path, const char *action,
                                       int error)
{
    if (error == -ENXIO) {
        text(message_out, DATA_DIRECTORY_MESSAGE_BYTES,
             "%s: damaged: it is no regular file but a link, a pipe or the like; bring it back "
             "from a copy of the directory",
             path);
        return DATA_DIRECTORY_DAMAGED;
    }
    text(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "%s: cannot %s: %s; %s", path, action,
         strerror(-error), advice(error));
    return error == -EACCES || error == -EPERM || error == -EROFS ? DATA_DIRECTORY_PERMISSION
                                                                  : DATA_DIRECTORY_IO;
}

/* ---- paths ---- */

/* "PATH/NAME". The path of a data directory leaves room for all names below it. */
static void path_of(const struct data_directory *directory, const char *name, char *to)
{
    text(to, PATH_BYTES, "%s/%s", directory->path, name);
}

static void era_path_of(const struct data_directory *directory, uint64_t era, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_core_directory_name(era, 0, name);
    *strchr(name, '/') = '\0';
    path_of(directory, name, to);
}

static void core_path_of(const struct data_directory *directory, uint64_t era, uint32_t core,
                         char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_core_directory_name(era, core, name);
    path_of(directory, name, to);
}

void data_directory_core_path(const struct data_directory *directory, uint32_t era_index,
                              uint32_t core, char *to)
{
    hf_assert(era_index < directory->manifest.era_count);
    core_path_of(directory, directory->manifest.eras[era_index].number, core, to);
}

/* "a/b" of "a/b/c", "." of "c", "/" of "/c". */
static void parent_path_of(const char *path, char *to)
{
    text(to, PATH_BYTES, "%s", path);
    char *slash = strrchr(to, '/');
    if (slash == NULL)
        text(to, PATH_BYTES, ".");
    else if (slash == to)
        text(to, PATH_BYTES, "/");
    else
        *slash = '\0';
}

/* ---- making it ---- */

static enum data_directory_status make_folder(struct data_directory *directory, const char *path)
{
    int error = io_directory_create(directory->io, path);
    return error == 0 ? DATA_DIRECTORY_OK
                      : fail(directory->message, path, "make this folder", error);
}

static enum data_directory_status sync_folder(struct io *io, const char *path, char *message_out)
{
    int error = io_directory_sync(io, path);
    return error == 0 ? DATA_DIRECTORY_OK : fail(message_out, path, "sync this folder", error);
}

/* The folders of an era and their names are on disk when this returns. */
static enum data_directory_status make_era(struct data_directory *directory, uint64_t era,
                                           uint32_t core_count)
{
    char path[PATH_BYTES];
    char era_path[PATH_BYTES];
    era_path_of(directory, era, era_path);
    enum data_directory_status status = make_folder(directory, era_path);
    for (uint32_t core = 0; core < core_count && status == DATA_DIRECTORY_OK; core++) {
        core_path_of(directory, era, core, path);
        status = make_folder(directory, path);
    }
    if (status == DATA_DIRECTORY_OK)
        status = sync_folder(directory->io, era_path, directory->message);
    if (status == DATA_DIRECTORY_OK)
        status = sync_folder(directory->io, directory->path, directory->message);
    return status;
}

static int write_new_file(struct io *io, const char *path, const void *content, size_t bytes)
{
    int error = io_file_remove_now(io, path);
    if (error != 0 && error != -ENOENT)
        return error;
    int fd = io_file_open_now(io, path, IO_FILE_CREATE);
    if (fd < 0)
        return fd;
    error = io_file_write_now(io, fd, content, bytes, 0);
    if (error == 0)
        error = io_file_sync_now(io, fd);
    io_close(io, fd);
    return error;
}

/* Writes the manifest's text to a new file. */
static int write_manifest_text(struct data_directory *directory, const char *path)
{
    char *content = memory_map(LOG_MANIFEST_BYTES_MAX);
    if (content == NULL)
        return -ENOMEM;
    size_t bytes = log_manifest_encode(&directory->manifest, content);
    int error = write_new_file(directory->io, path, content, bytes);
    memory_unmap(content, LOG_MANIFEST_BYTES_MAX);
    return error;
}

static enum data_directory_status write_manifest(struct data_directory *directory)
{
    static const char NEW_NAME[] = "MANIFEST.new";
    char path[PATH_BYTES];
    char new_path[PATH_BYTES];
    path_of(directory, "MANIFEST", path);
    path_of(directory, NEW_NAME, new_path);
    int error = write_manifest_text(directory, new_path);
    if (error == 0)
        error = io_file_rename_now(directory->io, new_path, path);
    if (error != 0)
        return fail(directory->message, path, "write this file", error);
    return sync_folder(directory->io, directory->path, directory->message);
}

/* A new newest era, in memory only. */
static enum data_directory_status add_era(struct data_directory *directory, uint32_t core_count)
{
    struct log_manifest *manifest = &directory->manifest;
    if (manifest->era_count == LOG_MANIFEST_ERA_COUNT_MAX) {
        text(directory->message, sizeof directory->message,
             "%s: the number of cores was changed %d times, the most that one data directory can "
             "hold; start with %" PRIu32 " cores as before",
             directory->path, LOG_MANIFEST_ERA_COUNT_MAX,
             manifest->eras[manifest->era_count - 1].core_count);
        return DATA_DIRECTORY_IO;
    }
    uint64_t era =
        manifest->era_count == 0 ? 1 : manifest->eras[manifest->era_count - 1].number + 1;
    manifest->eras[manifest->era_count] =
        (struct log_manifest_era){.number = era, .core_count = core_count};
    manifest->era_count++;
    directory->is_era_pending = true;
    return DATA_DIRECTORY_OK;
}

/* ---- opening ---- */

struct listing {
    bool has_manifest;
    bool has_era;
    bool has_foreign;
    char foreign_name[64];
};

static void note_name(void *context, const char *name)
{
    /* LOCK: made by early versions, of no meaning */
    static const char *const OURS[] = {"LOCK", "MANIFEST.new", "lost+found"};
    struct listing *listing = context;
    char first_era[LOG_NAME_BYTES_MAX];
    log_core_directory_name(1, 0, first_era);
    *strchr(first_era, '/') = '\0';

    if (strcmp(name, "MANIFEST") == 0) {
        listing->has_manifest = true;
        return;
    }
    if (strcmp(name, first_era) == 0) {
        listing->has_era = true;
        return;
    }
    for (size_t i = 0; i < sizeof OURS / sizeof OURS[0]; i++)
        if (strcmp(name, OURS[i]) == 0)
            return;
    listing->has_foreign = true;
    text(listing->foreign_name, sizeof listing->foreign_name, "%s", name);
}

static void count_name(void *context, const char *name)
{
    (void)name;
    ++*(uint32_t *)context;
}

/* A first era without any file in it is what a power cut leaves of a directory being made. */
static bool first_era_has_files(const struct data_directory *directory)
{
    for (uint32_t core = 0; core < LOG_CORE_COUNT_MAX; core++) {
        char path[PATH_BYTES];
        uint32_t count = 0;
        core_path_of(directory, 1, core, path);
        int error = io_directory_list(directory->io, path, count_name, &count);
        if (count > 0 || (error != 0 && error != -ENOENT))
            return true;
    }
    return false;
}

static enum data_directory_status refuse_foreign(struct data_directory *directory,
                                                 const char *found)
{
    text(directory->message, sizeof directory->message,
         "%s: not a data directory: it has no MANIFEST but is not empty (%s); name an empty or a "
         "new directory, or bring the MANIFEST back from a copy",
         directory->path, found);
    return DATA_DIRECTORY_DAMAGED;
}

/* mkdir() says "no such file" for a parent that is missing, and some file systems (/proc) say it
 * for any new name. */
static enum data_directory_status make_data_folder(struct data_directory *directory)
{
    char parent[PATH_BYTES];
    int error = io_directory_create(directory->io, directory->path);
    if (error == 0)
        return DATA_DIRECTORY_OK;
    parent_path_of(directory->path, parent);
    int fd = error == -ENOENT ? io_file_open_now(directory->io, parent, IO_FILE_DIRECTORY) : -1;
    if (fd < 0)
        return fail(directory->message, directory->path, "make this folder", error);
    io_close(directory->io, fd);
    text(directory->message, sizeof directory->message,
         "%s: cannot make this folder: the file system of %s has no room for folders of ours; "
         "name a directory elsewhere",
         directory->path, parent);
    return DATA_DIRECTORY_IO;
}

/* Makes the directory if it is missing. */
static enum data_directory_status look_into(struct data_directory *directory,
                                            bool *has_manifest_out)
{
    struct listing listing = {0};
    int error = io_directory_list(directory->io, directory->path, note_name, &listing);
    if (error == -ENOENT) {
        enum data_directory_status status = make_data_folder(directory);
        if (status != DATA_DIRECTORY_OK)
            return status;
        error = io_directory_list(directory->io, directory->path, note_name, &listing);
    }
    if (error != 0)
        return fail(directory->message, directory->path, "read this folder", error);
    *has_manifest_out = listing.has_manifest;
    if (listing.has_manifest)
        return DATA_DIRECTORY_OK;
    if (listing.has_foreign)
        return refuse_foreign(directory, listing.foreign_name);
    if (listing.has_era && first_era_has_files(directory))
        return refuse_foreign(directory, "logs");
    return DATA_DIRECTORY_OK;
}

static enum data_directory_status lock(struct data_directory *directory)
{
    int fd = io_file_open_now(directory->io, directory->path, IO_FILE_DIRECTORY);
    if (fd < 0)
        return fail(directory->message, directory->path, "open this folder", fd);
    int error = io_file_lock(directory->io, fd);
    if (error == 0) {
        directory->lock_fd = fd;
        return DATA_DIRECTORY_OK;
    }
    io_close(directory->io, fd);
    if (error != -EWOULDBLOCK)
        return fail(directory->message, directory->path, "lock this folder", error);
    text(directory->message, sizeof directory->message,
         "%s: in use by another process, which holds the lock on this folder; stop that server or "
         "name another directory",
         directory->path);
    return DATA_DIRECTORY_IN_USE;
}

/* NULL, or what is wrong with the text in this file. What is wrong with the file, 0 or a negative
 * errno, goes to `error_out`. */
static const char *read_manifest_text(struct data_directory *directory, int fd, int *error_out)
{
    const char *wrong = NULL;
    char *content = memory_map(LOG_MANIFEST_BYTES_MAX);
    int64_t bytes = content == NULL ? -ENOMEM : io_file_size(directory->io, fd);
    if (bytes > LOG_MANIFEST_BYTES_MAX)
        bytes = LOG_MANIFEST_BYTES_MAX; /* which the decoder finds too long */
    *error_out =
        bytes < 0 ? (int)bytes : io_file_read_now(directory->io, fd, content, (size_t)bytes, 0);
    if (*error_out == 0)
        wrong = log_manifest_decode(content, (size_t)bytes, &directory->manifest);
    memory_unmap(content, LOG_MANIFEST_BYTES_MAX);
    return wrong;
}

static enum data_directory_status read_manifest(struct data_directory *directory)
{
    char path[PATH_BYTES];
    int error;
    path_of(directory, "MANIFEST", path);
    int fd = io_file_open_now(directory->io, path, IO_FILE_READ);
    if (fd < 0)
        return fail(directory->message, path, "open this file", fd);
    const char *wrong = read_manifest_text(directory, fd, &error);
    io_close(directory->io, fd);
    if (error != 0)
        return fail(directory->message, path, "read this file", error);
    if (wrong == NULL)
        return DATA_DIRECTORY_OK;
    uint32_t version = directory->manifest.version;
    if (version != 0 && version != LOG_FORMAT_VERSION) {
        text(directory->message, sizeof directory->message,
             "%s: written in format %" PRIu32 ", this program reads format %d; use the version of "
             "holdfastd that wrote it",
             path, version, LOG_FORMAT_VERSION);
        return DATA_DIRECTORY_VERSION;
    }
    text(directory->message, sizeof directory->message,
         "%s: damaged: %s; bring it back from a copy of the directory", path, wrong);
    return DATA_DIRECTORY_DAMAGED;
}

static enum data_directory_status new_manifest(struct data_directory *directory,
                                               uint32_t core_count)
{
    struct log_manifest *manifest = &directory->manifest;
    memset(manifest, 0, sizeof *manifest);
    manifest->version = LOG_FORMAT_VERSION;
    io_random(directory->io, &manifest->server_id, sizeof manifest->server_id);
    return add_era(directory, core_count);
}

/* Before an era is closed its logs are made whole, while nobody else reads them, and it is noted
 * where they end. */
static enum data_directory_status end_newest_era(struct data_directory *directory)
{
    uint32_t era_index = directory->manifest.era_count - 1;
    struct log_manifest_era *era = &directory->manifest.eras[era_index];
    enum data_directory_status status = DATA_DIRECTORY_OK;
    for (uint32_t core = 0; core < era->core_count && status == DATA_DIRECTORY_OK; core++) {
        struct log_end end;
        bool was_torn;
        status = data_directory_read_log(directory, directory->io, era_index, core, NULL, NULL,
                                         &end, &was_torn, directory->message);
        era->ends[core] = (struct log_closed_end){.next_lsn = end.next_lsn, .chain = end.chain};
    }
    return status;
}

static enum data_directory_status open_locked(struct data_directory *directory, uint32_t core_count)
{
    bool has_manifest; /* looked for again: nobody else changes it from here */
    enum data_directory_status status = look_into(directory, &has_manifest);
    if (status != DATA_DIRECTORY_OK)
        return status;
    if (!has_manifest)
        return new_manifest(directory, core_count);
    status = read_manifest(directory);
    /* A server that was killed may have renamed it without getting to the sync. Its era is used
     * from here on, so its name must be on disk. */
    if (status == DATA_DIRECTORY_OK)
        status = sync_folder(directory->io, directory->path, directory->message);
    if (status != DATA_DIRECTORY_OK)
        return status;
    const struct log_manifest *manifest = &directory->manifest;
    if (manifest->eras[manifest->era_count - 1].core_count == core_count)
        return DATA_DIRECTORY_OK;
    status = end_newest_era(directory);
    return status == DATA_DIRECTORY_OK ? add_era(directory, core_count) : status;
}

enum data_directory_status data_directory_open(struct data_directory *directory, struct io *io,
                                               const char *path, uint32_t core_count)
{
    hf_assert(core_count >= 1 && core_count <= LOG_CORE_COUNT_MAX);
    memset(directory, 0, sizeof *directory);
    directory->io = io;
    directory->lock_fd = -1;
    size_t bytes = strlen(path);
    if (bytes == 0 || bytes >= sizeof directory->path) {
        text(directory->message, sizeof directory->message,
             "the path of the data directory has %zu bytes; it needs 1 to %zu", bytes,
             sizeof directory->path - 1);
        return DATA_DIRECTORY_IO;
    }
    memcpy(directory->path, path, bytes);
    while (bytes > 1 && directory->path[bytes - 1] == '/')
        directory->path[--bytes] = '\0';

    bool has_manifest;
    enum data_directory_status status = look_into(directory, &has_manifest);
    if (status == DATA_DIRECTORY_OK)
        status = lock(directory);
    if (status == DATA_DIRECTORY_OK)
        status = open_locked(directory, core_count);
    if (status != DATA_DIRECTORY_OK)
        data_directory_close(directory);
    return status;
}

/* The name of a new directory is in its parent. A parent that this user may not read was prepared
 * by somebody else, long enough ago. */
static enum data_directory_status sync_parent(struct data_directory *directory)
{
    char parent[PATH_BYTES];
    parent_path_of(directory->path, parent);
    int error = io_directory_sync(directory->io, parent);
    if (error != 0 && error != -EACCES)
        return fail(directory->message, parent, "sync this folder", error);
    return DATA_DIRECTORY_OK;
}

enum data_directory_status data_directory_begin_era(struct data_directory *directory)
{
    const struct log_manifest *manifest = &directory->manifest;
    enum data_directory_status status = DATA_DIRECTORY_OK;
    if (!directory->is_era_pending)
        return DATA_DIRECTORY_OK;
    if (manifest->era_count == 1)
        status = sync_parent(directory); /* a manifest means it was done */
    if (status == DATA_DIRECTORY_OK)
        status = make_era(directory, manifest->eras[manifest->era_count - 1].number,
                          manifest->eras[manifest->era_count - 1].core_count);
    if (status == DATA_DIRECTORY_OK)
        status = write_manifest(directory);
    if (status == DATA_DIRECTORY_OK)
        directory->is_era_pending = false;
    return status;
}

void data_directory_close(struct data_directory *directory)
{
    if (directory->lock_fd >= 0)
        io_close(directory->io, directory->lock_fd);
    directory->lock_fd = -1;
}

/* ---- reading a log ---- */

struct segment_file {
    uint64_t number;
    uint64_t bytes;
    char name[LOG_NAME_BYTES_MAX];
};

/* One reading of one core's log. */
struct reading {
    struct io *io;
    const struct data_directory *directory;
    char core_path[PATH_BYTES];
    uint32_t core;
    const struct log_closed_end *closed; /* a newer era was begun: nobody writes here any more */
    bool is_era_pending;                 /* not begun: its folders may be missing */
    struct segment_file *files;
    uint32_t file_count;
    uint32_t file_room;
    bool is_out_of_memory;
    int fd; /* of the file that was read last, or -1 */
    uint32_t fd_index;
    uint8_t *buffer; /* LOG_GROUP_BYTES_MAX */
    char *message_out;
};

static enum data_directory_status fail_file(struct reading *reading, const char *name,
                                            const char *action, int error)
{
    char path[PATH_BYTES + LOG_NAME_BYTES_MAX];
    text(path, sizeof path, "%s/%s", reading->core_path, name);
    return fail(reading->message_out, path, action, error);
}

static int open_file(struct reading *reading, const char *name, uint32_t flags)
{
    char path[PATH_BYTES + LOG_NAME_BYTES_MAX];
    text(path, sizeof path, "%s/%s", reading->core_path, name);
    return io_file_open_now(reading->io, path, flags);
}

static void note_segment(void *context, const char *name)
{
    struct reading *reading = context;
    uint64_t number = log_segment_file_number(name);
    if (number == 0)
        return;
    if (reading->file_count == reading->file_room) {
        uint32_t room = reading->file_room == 0 ? 64 : reading->file_room * 2;
        struct segment_file *files = realloc(reading->files, room * sizeof *files);
        if (files == NULL) {
            reading->is_out_of_memory = true;
            return;
        }
        reading->files = files;
        reading->file_room = room;
    }
    struct segment_file *file = &reading->files[reading->file_count++];
    file->number = number;
    file->bytes = 0;
    log_segment_file_name(number, file->name);
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = ((const struct segment_file *)a)->number;
    uint64_t right = ((const struct segment_file *)b)->number;
    return left < right ? -1 : left > right;
}

static enum data_directory_status find_sizes(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->file_count; i++) {
        struct segment_file *file = &reading->files[i];
        int fd = open_file(reading, file->name, IO_FILE_READ);
        if (fd < 0)
            return fail_file(reading, file->name, "open this file", fd);
        int64_t bytes = io_file_size(reading->io, fd);
        io_close(reading->io, fd);
        if (bytes < 0)
            return fail_file(reading, file->name, "read the size of this file", (int)bytes);
        file->bytes = (uint64_t)bytes;
    }
    return DATA_DIRECTORY_OK;
}

static enum data_directory_status find_segments(struct reading *reading)
{
    int error = io_directory_list(reading->io, reading->core_path, note_segment, reading);
    if (error == -ENOENT && reading->is_era_pending)
        return DATA_DIRECTORY_OK;
    if (error == -ENOENT) {
        text(reading->message_out, DATA_DIRECTORY_MESSAGE_BYTES,
             "%s: damaged: the MANIFEST names this folder, but it is missing; bring it back from a "
             "copy of the directory",
             reading->core_path);
        return DATA_DIRECTORY_DAMAGED;
    }
    if (error == 0 && reading->is_out_of_memory)
        error = -ENOMEM;
    if (error != 0)
        return fail(reading->message_out, reading->core_path, "read this folder", error);
    if (reading->file_count > 0)
        qsort(reading->files, reading->file_count, sizeof *reading->files, by_number);
    return find_sizes(reading);
}

static void close_file(struct reading *reading)
{
    if (reading->fd >= 0)
        io_close(reading->io, reading->fd);
    reading->fd = -1;
}

/* Read around the page cache, so that what is read is on the disk: after a failed write or sync the
 * cache shows bytes that are not, and another sync would say nothing. A file that is not whole
 * blocks long is none that a writer made, and can't be read so. */
static uint32_t read_flags(const struct segment_file *file)
{
    return IO_FILE_READ | (file->bytes % LOG_BLOCK_BYTES == 0 ? IO_FILE_DIRECT : 0u);
}

static int read_segment(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                        uint32_t bytes)
{
    struct reading *reading = context;
    if (reading->fd < 0 || reading->fd_index != segment_index) {
        const struct segment_file *file = &reading->files[segment_index];
        close_file(reading);
        reading->fd = open_file(reading, file->name, read_flags(file));
        if (reading->fd < 0)
            return reading->fd;
        reading->fd_index = segment_index;
    }
    return io_file_read_now(reading->io, reading->fd, buffer, bytes, offset);
}

/* ---- healing a torn tail ---- */

/* Behind the last byte of a file that is not zero, from `offset` on; `offset` when all are. */
static int find_last_byte(struct reading *reading, uint32_t file_index, uint64_t offset,
                          uint64_t *end_out)
{
    *end_out = offset;
    uint64_t file_bytes = reading->files[file_index].bytes;
    while (offset < file_bytes) {
        uint64_t left = file_bytes - offset;
        uint32_t bytes = left < LOG_GROUP_BYTES_MAX ? (uint32_t)left : LOG_GROUP_BYTES_MAX;
        int error = read_segment(reading, file_index, offset, reading->buffer, bytes);
        if (error != 0)
            return error;
        for (uint32_t i = bytes; i > 0; i--) {
            if (reading->buffer[i - 1] != 0) {
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
static int create_copy(struct reading *reading, uint64_t segment_number, char *name)
{
    time_t now_s = (time_t)(io_clock(reading->io).wall_ns / 1000000000u);
    struct tm utc;
    char when[32];
    gmtime_r(&now_s, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &utc);
    int fd = -EEXIST;
    for (int attempt = 1; fd == -EEXIST && attempt < 100; attempt++) {
        char suffix[16] = "";
        if (attempt > 1)
            text(suffix, sizeof suffix, "-%d", attempt);
        text(name, LOG_NAME_BYTES_MAX, "torn-%s-%03" PRIu32 "-%012" PRIu64 "%s", when,
             reading->core, segment_number, suffix);
        fd = open_file(reading, name, IO_FILE_CREATE);
    }
    return fd;
}

/* Copies bytes [offset, end) of a segment; the copy is on disk when this returns, its name when the
 * folder is synced. */
static int keep_copy(struct reading *reading, uint32_t file_index, uint64_t offset, uint64_t end,
                     char *copy_name)
{
    int copy = create_copy(reading, reading->files[file_index].number, copy_name);
    if (copy < 0)
        return copy;
    int error = 0;
    for (uint64_t at = offset; at < end && error == 0;) {
        uint64_t left = end - at;
        uint64_t file_left = reading->files[file_index].bytes - at;
        uint32_t bytes = left < LOG_GROUP_BYTES_MAX ? (uint32_t)left : LOG_GROUP_BYTES_MAX;
        error = read_segment(reading, file_index, at, reading->buffer,
                             file_left < LOG_GROUP_BYTES_MAX ? (uint32_t)file_left
                                                             : LOG_GROUP_BYTES_MAX);
        if (error == 0)
            error = io_file_write_now(reading->io, copy, reading->buffer, bytes, at - offset);
        at += bytes;
    }
    if (error == 0)
        error = io_file_sync_now(reading->io, copy);
    io_close(reading->io, copy);
    return error;
}

static int clear(struct reading *reading, uint32_t file_index, uint64_t offset, uint64_t end)
{
    int fd = open_file(reading, reading->files[file_index].name, 0);
    if (fd < 0)
        return fd;
    int error = 0;
    memset(reading->buffer, 0, CLEAR_BYTES);
    for (uint64_t at = offset; at < end && error == 0; at += CLEAR_BYTES) {
        uint64_t left = end - at;
        error = io_file_write_now(reading->io, fd, reading->buffer,
                                  left < CLEAR_BYTES ? (size_t)left : CLEAR_BYTES, at);
    }
    if (error == 0)
        error = io_file_sync_now(reading->io, fd);
    io_close(reading->io, fd);
    return error;
}

/* Cuts a file at `offset`: what is not zero from there on is copied, then cleared. */
static enum data_directory_status cut(struct reading *reading, uint32_t file_index, uint64_t offset,
                                      const char *reason)
{
    const char *name = reading->files[file_index].name;
    char copy_name[LOG_NAME_BYTES_MAX] = "";
    uint64_t end;
    int error = find_last_byte(reading, file_index, offset, &end);
    if (error != 0)
        return fail_file(reading, name, "read this file", error);
    if (end == offset)
        return DATA_DIRECTORY_OK;
    error = keep_copy(reading, file_index, offset, end, copy_name);
    if (error != 0)
        return fail_file(reading, copy_name, "copy the torn end of the log into this file", error);
    enum data_directory_status status =
        sync_folder(reading->io, reading->core_path, reading->message_out);
    if (status != DATA_DIRECTORY_OK)
        return status;
    error = clear(reading, file_index, offset, end);
    if (error != 0)
        return fail_file(reading, name, "clear the torn end of this file", error);
    diag(DIAG_WARNING,
         "%s/%s: torn at offset %" PRIu64 " (%s): %" PRIu64 " bytes that were never acknowledged "
         "were cut; a copy is in %s",
         reading->core_path, name, offset, reason, end - offset, copy_name);
    return DATA_DIRECTORY_OK;
}

/* Files without a valid header come behind the torn place. Cleared, they are as good as new. */
static enum data_directory_status heal(struct reading *reading, const struct log_end *end)
{
    enum data_directory_status status = DATA_DIRECTORY_OK;
    bool is_any_used = end->segment.segment_number > 0;
    uint32_t first_unused = is_any_used ? end->segment_index + 1 : 0;
    if (is_any_used)
        status = cut(reading, end->segment_index, end->offset, end->reason);
    for (uint32_t i = first_unused; i < reading->file_count && status == DATA_DIRECTORY_OK; i++)
        status = cut(reading, i, 0, end->reason);
    return status;
}

static enum data_directory_status sync_segment(struct reading *reading, uint32_t file_index)
{
    const char *name = reading->files[file_index].name;
    int fd = open_file(reading, name, 0);
    if (fd < 0)
        return fail_file(reading, name, "open this file", fd);
    int error = io_file_sync_now(reading->io, fd);
    io_close(reading->io, fd);
    return error == 0 ? DATA_DIRECTORY_OK : fail_file(reading, name, "sync this file", error);
}

/* A server that was killed may have left a whole group that no sync has reached yet. It counts, and
 * so must be on disk before anybody hears of it. So must the zeros in the files behind it, which a
 * healing that was cut short may have written: in a closed era what was there before is damage. */
static enum data_directory_status sync_end(struct reading *reading, const struct log_end *end)
{
    enum data_directory_status status = DATA_DIRECTORY_OK;
    for (uint32_t i = end->segment_index; i < reading->file_count && status == DATA_DIRECTORY_OK;
         i++)
        status = sync_segment(reading, i);
    return status;
}

/* ---- the result ---- */

static enum data_directory_status refuse(struct reading *reading, const struct log_end *end)
{
    bool is_there =
        end->segment_index < reading->file_count; /* or it is missing behind all others */
    const char *name = is_there ? reading->files[end->segment_index].name : "";
    if (end->status == LOG_IO)
        return fail_file(reading, name, "read this file", end->io_error);
    text(reading->message_out, DATA_DIRECTORY_MESSAGE_BYTES,
         "%s%s%s: offset %" PRIu64 ", LSN %" PRIu64 " and later: %s: %s; %s", reading->core_path,
         is_there ? "/" : "", name, end->offset, end->next_lsn,
         end->status == LOG_VERSION ? "another version" : "damaged", end->reason,
         end->status == LOG_VERSION
             ? "use the version of holdfastd that wrote it"
             : "keep a copy of the directory, look at it with holdfast-log, and bring the file "
               "back from a copy");
    return end->status == LOG_VERSION ? DATA_DIRECTORY_VERSION : DATA_DIRECTORY_DAMAGED;
}

static enum data_directory_status read_log(struct reading *reading, uint64_t era,
                                           log_group_fn group, void *group_context,
                                           struct log_end *end_out)
{
    struct log_segment *segments = calloc(reading->file_count + 1u, sizeof *segments);
    if (segments == NULL)
        return fail(reading->message_out, reading->core_path, "read the log", -ENOMEM);
    for (uint32_t i = 0; i < reading->file_count; i++)
        segments[i] =
            (struct log_segment){.name = reading->files[i].name, .bytes = reading->files[i].bytes};
    const struct log_source source = {
        .segments = segments,
        .segment_count = reading->file_count,
        .read = read_segment,
        .read_context = reading,
        .server_id = reading->directory->manifest.server_id,
        .era = era,
        .core = reading->core,
        .closed = reading->closed,
    };
    log_read(&source, group, group_context, reading->buffer, end_out);
    free(segments);

    enum data_directory_status status = DATA_DIRECTORY_OK;
    if (end_out->status == LOG_TORN_TAIL)
        status = heal(reading, end_out);
    else if (end_out->status != LOG_GOOD)
        status = refuse(reading, end_out);
    if (status == DATA_DIRECTORY_OK)
        status = sync_end(reading, end_out);
    return status;
}

enum data_directory_status data_directory_read_log(struct data_directory *directory, struct io *io,
                                                   uint32_t era_index, uint32_t core,
                                                   log_group_fn group, void *group_context,
                                                   struct log_end *end_out, bool *was_torn_out,
                                                   char *message_out)
{
    hf_assert(era_index < directory->manifest.era_count);
    hf_assert(core < directory->manifest.eras[era_index].core_count);
    const bool is_newest = era_index + 1 == directory->manifest.era_count;
    struct reading reading = {
        .io = io,
        .directory = directory,
        .core = core,
        .closed = is_newest ? NULL : &directory->manifest.eras[era_index].ends[core],
        .is_era_pending = is_newest && directory->is_era_pending,
        .fd = -1,
        .message_out = message_out,
    };
    *was_torn_out = false;
    *end_out = (struct log_end){0};
    data_directory_core_path(directory, era_index, core, reading.core_path);
    reading.buffer = memory_map(LOG_GROUP_BYTES_MAX);
    enum data_directory_status status =
        reading.buffer == NULL ? fail(message_out, reading.core_path, "read the log", -ENOMEM)
                               : find_segments(&reading);
    if (status == DATA_DIRECTORY_OK)
        status = read_log(&reading, directory->manifest.eras[era_index].number, group,
                          group_context, end_out);
    close_file(&reading);
    free(reading.files);
    memory_unmap(reading.buffer, LOG_GROUP_BYTES_MAX);
    if (status == DATA_DIRECTORY_OK) {
        *was_torn_out = end_out->status == LOG_TORN_TAIL;
        end_out->status = LOG_GOOD;
        end_out->reason[0] = '\0';
    }
    return status;
}
