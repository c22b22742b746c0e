#include "wal/manifest_file.h"

#include "wal/trouble.h"

#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>

enum { PATH_BYTES = DATA_DIRECTORY_PATH_BYTES };

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

static int write_text(struct io *io, const char *path, const struct log_manifest *manifest)
{
    char *content = memory_map(LOG_MANIFEST_BYTES_MAX);
    if (content == NULL)
        return -ENOMEM;
    size_t bytes = log_manifest_encode(manifest, content);
    int error = write_new_file(io, path, content, bytes);
    memory_unmap(content, LOG_MANIFEST_BYTES_MAX);
    return error;
}

enum data_directory_status manifest_file_write(struct io *io, const char *folder,
                                               const struct log_manifest *manifest,
                                               char *message_out)
{
    char path[PATH_BYTES];
    char new_path[PATH_BYTES];
    trouble_text(path, sizeof path, "%s/MANIFEST", folder);
    trouble_text(new_path, sizeof new_path, "%s/MANIFEST.new", folder);
    int error = write_text(io, new_path, manifest);
    if (error == 0)
        error = io_file_rename_now(io, new_path, path);
    if (error != 0)
        return trouble(message_out, path, "write this file", error);
    return trouble_sync_folder(io, folder, message_out);
}

/* NULL, or what is wrong with the text in this file. What is wrong with the file, 0 or a negative
 * errno, goes to `error_out`. */
static const char *read_text(struct io *io, int fd, struct log_manifest *manifest_out,
                             int *error_out)
{
    const char *wrong = NULL;
    char *content = memory_map(LOG_MANIFEST_BYTES_MAX);
    int64_t bytes = content == NULL ? -ENOMEM : io_file_size(io, fd);
    if (bytes > LOG_MANIFEST_BYTES_MAX)
        bytes = LOG_MANIFEST_BYTES_MAX; /* which the decoder finds too long */
    *error_out = bytes < 0 ? (int)bytes : io_file_read_now(io, fd, content, (size_t)bytes, 0);
    if (*error_out == 0)
        wrong = log_manifest_decode(content, (size_t)bytes, manifest_out);
    memory_unmap(content, LOG_MANIFEST_BYTES_MAX);
    return wrong;
}

enum data_directory_status manifest_file_read(struct io *io, const char *folder,
                                              struct log_manifest *manifest_out, char *message_out)
{
    char path[PATH_BYTES];
    int error;
    trouble_text(path, sizeof path, "%s/MANIFEST", folder);
    int fd = io_file_open_now(io, path, IO_FILE_READ);
    if (fd < 0)
        return trouble(message_out, path, "open this file", fd);
    const char *wrong = read_text(io, fd, manifest_out, &error);
    io_close(io, fd);
    if (error != 0)
        return trouble(message_out, path, "read this file", error);
    if (wrong == NULL)
        return DATA_DIRECTORY_OK;
    uint32_t version = manifest_out->version;
    if (version != 0 && version != LOG_FORMAT_VERSION) {
        trouble_text(message_out, DATA_DIRECTORY_MESSAGE_BYTES,
                     "%s: written in format %" PRIu32 ", this program reads format %d; use the "
                     "version of holdfastd that wrote it",
                     path, version, LOG_FORMAT_VERSION);
        return DATA_DIRECTORY_VERSION;
    }
    trouble_text(message_out, DATA_DIRECTORY_MESSAGE_BYTES,
                 "%s: damaged: %s; bring it back from a copy of the directory", path, wrong);
    return DATA_DIRECTORY_DAMAGED;
}
