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

#include "wal/log_files.h"
#include "wal/manifest_file.h"
#include "wal/trouble.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = DATA_DIRECTORY_PATH_BYTES };

/* ---- paths ---- */

/* "PATH/NAME". The path of a data directory leaves room for all names below it. */
static void path_of(const struct data_directory *directory, const char *name, char *to)
{
    trouble_text(to, PATH_BYTES, "%s/%s", directory->path, name);
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

/* ---- making it ---- */

static enum data_directory_status make_folder(struct data_directory *directory, const char *path)
{
    int error = io_directory_create(directory->io, path);
    return error == 0 ? DATA_DIRECTORY_OK
                      : trouble(directory->message, path, "make this folder", error);
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
        status = trouble_sync_folder(directory->io, era_path, directory->message);
    if (status == DATA_DIRECTORY_OK)
        status = trouble_sync_folder(directory->io, directory->path, directory->message);
    return status;
}

/* A new newest era, in memory only. */
static enum data_directory_status add_era(struct data_directory *directory, uint32_t core_count)
{
    struct log_manifest *manifest = &directory->manifest;
    if (manifest->era_count == LOG_MANIFEST_ERA_COUNT_MAX) {
        trouble_text(
            directory->message, sizeof directory->message,
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
    trouble_text(listing->foreign_name, sizeof listing->foreign_name, "%s", name);
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
    trouble_text(
        directory->message, sizeof directory->message,
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
    trouble_parent_path(directory->path, parent);
    int fd = error == -ENOENT ? io_file_open_now(directory->io, parent, IO_FILE_DIRECTORY) : -1;
    if (fd < 0)
        return trouble(directory->message, directory->path, "make this folder", error);
    io_close(directory->io, fd);
    trouble_text(
        directory->message, sizeof directory->message,
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
        return trouble(directory->message, directory->path, "read this folder", error);
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
        return trouble(directory->message, directory->path, "open this folder", fd);
    int error = io_file_lock(directory->io, fd);
    if (error == 0) {
        directory->lock_fd = fd;
        return DATA_DIRECTORY_OK;
    }
    io_close(directory->io, fd);
    if (error != -EWOULDBLOCK)
        return trouble(directory->message, directory->path, "lock this folder", error);
    trouble_text(
        directory->message, sizeof directory->message,
        "%s: in use by another process, which holds the lock on this folder; stop that server or "
        "name another directory",
        directory->path);
    return DATA_DIRECTORY_IN_USE;
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

/* Reads one log of the newest era to its end, healing it, and notes where it ends. What is in the
 * records nobody asks. */
static enum data_directory_status end_log(struct data_directory *directory, uint32_t era_index,
                                          uint32_t core)
{
    struct log_closed_end *closed_end = &directory->manifest.eras[era_index].ends[core];
    enum data_directory_status status;
    struct log_end end;
    bool was_torn;
    struct log_files *files =
        log_files_open(directory, directory->io, era_index, core, directory->message, &status);
    if (files == NULL)
        return status;
    struct log_position start;
    status = log_files_newest_position(files, &start);
    if (status == DATA_DIRECTORY_OK)
        status = log_files_begin_log(files, &start, NULL, NULL);
    while (status == DATA_DIRECTORY_OK && log_files_read_log(files)) {
    }
    if (status == DATA_DIRECTORY_OK)
        status = log_files_end_log(files, &end, &was_torn);
    if (status == DATA_DIRECTORY_OK)
        *closed_end = (struct log_closed_end){.next_lsn = end.next_lsn, .chain = end.chain};
    log_files_close(&files);
    return status;
}

/* Before an era is closed its logs are made whole, while nobody else reads them, and it is noted
 * where they end. */
static enum data_directory_status end_newest_era(struct data_directory *directory)
{
    uint32_t era_index = directory->manifest.era_count - 1;
    enum data_directory_status status = DATA_DIRECTORY_OK;
    for (uint32_t core = 0;
         core < directory->manifest.eras[era_index].core_count && status == DATA_DIRECTORY_OK;
         core++)
        status = end_log(directory, era_index, core);
    return status;
}

static enum data_directory_status open_locked(struct data_directory *directory, uint32_t core_count)
{
    bool has_manifest = false; /* looked for again: nobody else changes it from here */
    enum data_directory_status status = look_into(directory, &has_manifest);
    if (status != DATA_DIRECTORY_OK)
        return status;
    if (!has_manifest)
        return new_manifest(directory, core_count);
    status = manifest_file_read(directory->io, directory->path, &directory->manifest,
                                directory->message);
    /* A server that was killed may have renamed it without getting to the sync. Its era is used
     * from here on, so its name must be on disk. */
    if (status == DATA_DIRECTORY_OK)
        status = trouble_sync_folder(directory->io, directory->path, directory->message);
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
        trouble_text(directory->message, sizeof directory->message,
                     "the path of the data directory has %zu bytes; it needs 1 to %zu", bytes,
                     sizeof directory->path - 1);
        return DATA_DIRECTORY_IO;
    }
    memcpy(directory->path, path, bytes);
    while (bytes > 1 && directory->path[bytes - 1] == '/')
        directory->path[--bytes] = '\0';

    bool has_manifest = false;
    enum data_directory_status status = look_into(directory, &has_manifest);
    if (status == DATA_DIRECTORY_OK)
        status = lock(directory);
    if (status == DATA_DIRECTORY_OK)
        status = open_locked(directory, core_count);
    if (status != DATA_DIRECTORY_OK)
        data_directory_close(directory);
    return status;
}

enum data_directory_status data_directory_begin_era(struct data_directory *directory)
{
    const struct log_manifest *manifest = &directory->manifest;
    enum data_directory_status status = DATA_DIRECTORY_OK;
    if (!directory->is_era_pending)
        return DATA_DIRECTORY_OK;
    if (manifest->era_count == 1) /* a manifest means it was done */
        status = trouble_sync_parent(directory->io, directory->path, directory->message);
    if (status == DATA_DIRECTORY_OK)
        status = make_era(directory, manifest->eras[manifest->era_count - 1].number,
                          manifest->eras[manifest->era_count - 1].core_count);
    if (status == DATA_DIRECTORY_OK)
        status = manifest_file_write(directory->io, directory->path, &directory->manifest,
                                     directory->message);
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
