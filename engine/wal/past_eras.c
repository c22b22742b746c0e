/* Eras that snapshots stand for. MANIFEST forgets them first, on disk, and only then their files
 * go: a crash in between leaves folders that it does not name, and the next start removes those.
 *
 * Each core of the newest era that has items has to have two snapshots: if the newer one is found
 * damaged, a start reads the older one, and has no use for an era before it. What can't be looked
 * into or removed stays: it is in nobody's way. */

#include "wal/data_directory.h"

#include "wal/archive_directory.h"
#include "wal/folder_names.h"
#include "wal/log_files.h"
#include "wal/manifest_file.h"
#include "wal/trouble.h"

#include "base/assert.h"
#include "base/diag.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + 2 * LOG_NAME_BYTES_MAX };

/* ---- folders and what is in them ---- */

/* Nobody reads these any more, so what can't be removed is told, and is no reason not to start. */
static void warn(const char *path, int error)
{
    diag(DIAG_WARNING, "%s: cannot remove this, which is not needed any more: %s", path,
         strerror(-error));
}

/* False when something is left in it. */
static bool remove_emptied(struct data_directory *directory, const char *path)
{
    int error = io_directory_remove(directory->io, path);
    if (error != 0)
        warn(path, error);
    return error == 0;
}

static bool is_of_a_log(const char *name)
{
    uint64_t lsn;
    return log_segment_file_number(name) != 0 || log_snapshot_file_lsn(name, &lsn) ||
           strncmp(name, "torn-", 5) == 0 || strcmp(name, LOG_SEGMENT_NEW_NAME) == 0 ||
           strcmp(name, LOG_SNAPSHOT_NEW_NAME) == 0;
}

/* False when a folder can't be looked into. */
static bool list_names(struct data_directory *directory, const char *path,
                       struct folder_names *names_out)
{
    if (folder_names_list(directory->io, path, names_out, directory->message) == DATA_DIRECTORY_OK)
        return true;
    diag(DIAG_WARNING, "%s; it is not needed any more, and stays", directory->message);
    folder_names_free(names_out);
    return false;
}

/* What is not ours stays, and the folder with it. */
static void remove_core(struct data_directory *directory, const char *path)
{
    struct folder_names names;
    if (!list_names(directory, path, &names))
        return;
    for (uint32_t i = 0; i < names.count; i++) {
        char file_path[PATH_BYTES];
        trouble_text(file_path, sizeof file_path, "%s/%s", path, names.list[i]);
        int error = is_of_a_log(names.list[i]) ? io_file_remove_now(directory->io, file_path) : 0;
        if (error != 0)
            warn(file_path, error);
    }
    folder_names_free(&names);
    (void)remove_emptied(directory, path);
}

static void remove_era(struct data_directory *directory, const char *name)
{
    char path[PATH_BYTES];
    struct folder_names names;
    trouble_text(path, sizeof path, "%s/%s", directory->path, name);
    if (!list_names(directory, path, &names))
        return;
    for (uint32_t i = 0; i < names.count; i++) {
        char core_path[PATH_BYTES];
        trouble_text(core_path, sizeof core_path, "%s/%s", path, names.list[i]);
        if (strncmp(names.list[i], "core-", 5) == 0)
            remove_core(directory, core_path);
    }
    folder_names_free(&names);
    if (remove_emptied(directory, path))
        diag(DIAG_INFO, "%s: removed: the snapshots of a later era stand for it", path);
}

/* Folders of eras before the first one that MANIFEST names. */
static enum data_directory_status remove_unnamed(struct data_directory *directory)
{
    struct folder_names names;
    enum data_directory_status status =
        folder_names_list(directory->io, directory->path, &names, directory->message);
    for (uint32_t i = 0; i < names.count && status == DATA_DIRECTORY_OK; i++) {
        uint64_t number = log_era_directory_number(names.list[i]);
        if (number != 0 && number < directory->manifest.eras[0].number)
            remove_era(directory, names.list[i]);
    }
    folder_names_free(&names);
    return status;
}

/* ---- all of it ---- */

static enum data_directory_status forget_past(struct data_directory *directory,
                                              const char *archive_path)
{
    struct log_manifest *manifest = &directory->manifest;
    enum data_directory_status status = DATA_DIRECTORY_OK;
    if (archive_path != NULL)
        status = archive_directory_copy_past(directory, archive_path);
    if (status != DATA_DIRECTORY_OK)
        return status;
    manifest->eras[0] = manifest->eras[manifest->era_count - 1];
    manifest->era_count = 1;
    return manifest_file_write(directory->io, directory->path, manifest, directory->message);
}

enum data_directory_status data_directory_remove_past(struct data_directory *directory,
                                                      bool is_needed, const char *archive_path)
{
    hf_assert(!directory->is_era_pending);
    enum data_directory_status status = DATA_DIRECTORY_OK;
    if (directory->manifest.era_count > 1 && !is_needed)
        status = forget_past(directory, archive_path);
    return status == DATA_DIRECTORY_OK ? remove_unnamed(directory) : status;
}
