#include "wal/archive_directory.h"

#include "wal/folder_names.h"
#include "wal/manifest_file.h"
#include "wal/trouble.h"

#include "base/diag.h"
#include "base/id.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + 2 * LOG_NAME_BYTES_MAX,
    PIECE_BYTES = 1 << 20,
};

/* ---- folders ---- */

int archive_directory_make_folders(struct io *io, const char *archive_path, const char *core_path)
{
    char era_path[PATH_BYTES];
    trouble_text(era_path, sizeof era_path, "%s", core_path);
    *strrchr(era_path, '/') = '\0';
    int error = io_directory_create(io, era_path);
    if (error == 0)
        error = io_directory_sync(io, archive_path);
    if (error == 0)
        error = io_directory_create(io, core_path);
    return error == 0 ? io_directory_sync(io, era_path) : error;
}

/* ---- MANIFEST ---- */

/* The last of these eras is the one before `next`, and it is known where its logs end. Both are not
 * so when eras ended, and were removed, while there was no archive. */
static bool is_followed_by(const struct log_manifest *archived, uint32_t count,
                           const struct log_manifest_era *next)
{
    const struct log_manifest_era *last = &archived->eras[count - 1];
    return last->number + 1 == next->number && last->ends[0].next_lsn > 0;
}

/* The eras of the archive that the data directory has forgotten, and then those that it has; of too
 * many the oldest are left out, and all of them when there is a gap. */
static void join_eras(struct log_manifest *archived, const struct log_manifest *manifest,
                      const char *archive_path)
{
    uint32_t count = 0;
    while (count < archived->era_count && archived->eras[count].number < manifest->eras[0].number)
        count++;
    if (count > 0 && !is_followed_by(archived, count, &manifest->eras[0])) {
        diag(DIAG_WARNING,
             "%s: eras were removed from the data directory while there was no archive: its "
             "MANIFEST begins anew with era %" PRIu64 ", and what it has of earlier ones is kept "
             "but leads nowhere",
             archive_path, manifest->eras[0].number);
        count = 0;
    }
    uint32_t room = LOG_MANIFEST_ERA_COUNT_MAX - manifest->era_count;
    uint32_t dropped = count > room ? count - room : 0;
    memmove(archived->eras, archived->eras + dropped, (count - dropped) * sizeof *archived->eras);
    memcpy(archived->eras + (count - dropped), manifest->eras,
           manifest->era_count * sizeof *manifest->eras);
    archived->era_count = count - dropped + manifest->era_count;
}

static enum data_directory_status read_archived(struct data_directory *directory,
                                                const char *archive_path,
                                                struct log_manifest *archived)
{
    char path[PATH_BYTES];
    trouble_text(path, sizeof path, "%s/MANIFEST", archive_path);
    int fd = io_file_open_now(directory->io, path, IO_FILE_READ);
    if (fd == -ENOENT) {
        *archived = directory->manifest;
        return DATA_DIRECTORY_OK;
    }
    if (fd >= 0)
        io_close(directory->io, fd);
    enum data_directory_status status =
        manifest_file_read(directory->io, archive_path, archived, directory->message);
    if (status != DATA_DIRECTORY_OK ||
        id128_equal(archived->server_id, directory->manifest.server_id))
        return status;
    trouble_text(directory->message, sizeof directory->message,
                 "%s: the archive of another server; name another directory with --archive",
                 archive_path);
    return DATA_DIRECTORY_DAMAGED;
}

/* 0 when these are two folders, -EWOULDBLOCK when it is one: a lock on it is in the way of the
 * other. Else what has failed. */
static int compare_folders(struct io *io, int folder, const char *path)
{
    int other = io_file_open_now(io, path, IO_FILE_DIRECTORY);
    if (other < 0)
        return other == -ENOENT ? 0 : other;
    int error = io_file_lock(io, folder);
    if (error == 0)
        error = io_file_lock(io, other);
    io_close(io, other);
    return error;
}

/* Under whatever name, a link's too: segments would be copied onto themselves, and then be gone. */
static enum data_directory_status refuse_itself(struct data_directory *directory,
                                                const char *archive_path)
{
    const struct log_manifest *manifest = &directory->manifest;
    char folder[LOG_NAME_BYTES_MAX], path[PATH_BYTES], archive_folder_path[PATH_BYTES];
    log_core_directory_name(manifest->eras[manifest->era_count - 1].number, 0, folder);
    trouble_text(path, sizeof path, "%s/%s", directory->path, folder);
    trouble_text(archive_folder_path, sizeof archive_folder_path, "%s/%s", archive_path, folder);
    int fd = io_file_open_now(directory->io, path, IO_FILE_DIRECTORY);
    int error = fd < 0 ? fd : compare_folders(directory->io, fd, archive_folder_path);
    if (fd >= 0)
        io_close(directory->io, fd);
    if (error == 0)
        return DATA_DIRECTORY_OK;
    if (error != -EWOULDBLOCK)
        return trouble(directory->message, fd < 0 ? path : archive_folder_path,
                       "open or lock this folder", error);
    trouble_text(directory->message, sizeof directory->message,
                 "%s: the archive is the data directory itself; name another directory with "
                 "--archive",
                 archive_path);
    return DATA_DIRECTORY_IN_USE;
}

enum data_directory_status data_directory_prepare_archive(struct data_directory *directory,
                                                          const char *archive_path)
{
    struct log_manifest *archived = memory_map(sizeof *archived);
    if (archived == NULL)
        return trouble(directory->message, archive_path, "read this archive", -ENOMEM);
    int error = io_directory_create(directory->io, archive_path);
    enum data_directory_status status =
        error == 0 ? trouble_sync_parent(directory->io, archive_path, directory->message)
                   : trouble(directory->message, archive_path, "make this folder", error);
    if (status == DATA_DIRECTORY_OK)
        status = refuse_itself(directory, archive_path);
    if (status == DATA_DIRECTORY_OK)
        status = read_archived(directory, archive_path, archived);
    if (status == DATA_DIRECTORY_OK) {
        join_eras(archived, &directory->manifest, archive_path);
        status = manifest_file_write(directory->io, archive_path, archived, directory->message);
    }
    memory_unmap(archived, sizeof *archived);
    return status;
}

/* ---- segments ---- */

static int copy_piece(struct data_directory *directory, int from, int to, uint8_t *piece,
                      uint64_t offset, uint64_t left)
{
    size_t bytes = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    int error = io_file_read_now(directory->io, from, piece, bytes, offset);
    return error == 0 ? io_file_write_now(directory->io, to, piece, bytes, offset) : error;
}

static int copy_content(struct data_directory *directory, int from, int to)
{
    int64_t bytes = io_file_size(directory->io, from);
    uint8_t *piece = memory_map(PIECE_BYTES);
    int error = piece == NULL ? -ENOMEM : bytes < 0 ? (int)bytes : 0;
    for (int64_t at = 0; at < bytes && error == 0; at += PIECE_BYTES)
        error = copy_piece(directory, from, to, piece, (uint64_t)at, (uint64_t)(bytes - at));
    memory_unmap(piece, PIECE_BYTES);
    return error == 0 ? io_file_sync_now(directory->io, to) : error;
}

/* Copies one segment under its own name, which it gets when it is whole and on disk. */
static enum data_directory_status archive_file(struct data_directory *directory, const char *from,
                                               const char *to)
{
    char new_path[PATH_BYTES];
    trouble_text(new_path, sizeof new_path, "%s.new", to);
    int error = io_file_remove_now(directory->io, new_path);
    int source = error == 0 || error == -ENOENT
                     ? io_file_open_now(directory->io, from, IO_FILE_READ)
                     : error;
    int copy = source < 0 ? source : io_file_open_now(directory->io, new_path, IO_FILE_CREATE);
    error = copy < 0 ? copy : copy_content(directory, source, copy);
    if (copy >= 0)
        io_close(directory->io, copy);
    if (source >= 0)
        io_close(directory->io, source);
    if (error == 0)
        error = io_file_rename_now(directory->io, new_path, to);
    return error == 0 ? DATA_DIRECTORY_OK
                      : trouble(directory->message, to, "copy a segment to this file", error);
}

/* The segments of one core's folder that are left; those before them are in the archive already. */
static enum data_directory_status archive_folder(struct data_directory *directory,
                                                 const char *folder, const char *archive_path)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    struct folder_names names;
    trouble_text(from, sizeof from, "%s/%s", directory->path, folder);
    enum data_directory_status status =
        folder_names_list(directory->io, from, &names, directory->message);
    for (uint32_t i = 0; i < names.count && status == DATA_DIRECTORY_OK; i++) {
        if (log_segment_file_number(names.list[i]) == 0)
            continue;
        trouble_text(from, sizeof from, "%s/%s/%s", directory->path, folder, names.list[i]);
        trouble_text(to, sizeof to, "%s/%s/%s", archive_path, folder, names.list[i]);
        status = archive_file(directory, from, to);
    }
    folder_names_free(&names);
    trouble_text(to, sizeof to, "%s/%s", archive_path, folder);
    return status == DATA_DIRECTORY_OK ? trouble_sync_folder(directory->io, to, directory->message)
                                       : status;
}

enum data_directory_status archive_directory_copy_past(struct data_directory *directory,
                                                       const char *archive_path)
{
    const struct log_manifest *manifest = &directory->manifest;
    enum data_directory_status status = DATA_DIRECTORY_OK;
    for (uint32_t era = 0; era + 1 < manifest->era_count; era++)
        for (uint32_t core = 0;
             core < manifest->eras[era].core_count && status == DATA_DIRECTORY_OK; core++) {
            char folder[LOG_NAME_BYTES_MAX];
            char path[PATH_BYTES];
            log_core_directory_name(manifest->eras[era].number, core, folder);
            trouble_text(path, sizeof path, "%s/%s", archive_path, folder);
            int error = archive_directory_make_folders(directory->io, archive_path, path);
            status = error == 0 ? archive_folder(directory, folder, archive_path)
                                : trouble(directory->message, path, "make this folder", error);
        }
    return status;
}
