#include "wal/trouble.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void trouble_text(char *to, size_t to_bytes, const char *format, ...)
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

enum data_directory_status trouble(char *message_out, const char *path, const char *action,
                                   int error)
{
    if (error == -ENXIO) {
        trouble_text(message_out, DATA_DIRECTORY_MESSAGE_BYTES,
                     "%s: damaged: it is no regular file but a link, a pipe or the like; bring it "
                     "back from a copy of the directory",
                     path);
        return DATA_DIRECTORY_DAMAGED;
    }
    trouble_text(message_out, DATA_DIRECTORY_MESSAGE_BYTES, "%s: cannot %s: %s; %s", path, action,
                 strerror(-error), advice(error));
    return error == -EACCES || error == -EPERM || error == -EROFS ? DATA_DIRECTORY_PERMISSION
                                                                  : DATA_DIRECTORY_IO;
}

bool trouble_is_lack_of_room(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

enum data_directory_status trouble_sync_folder(struct io *io, const char *path, char *message_out)
{
    int error = io_directory_sync(io, path);
    return error == 0 ? DATA_DIRECTORY_OK : trouble(message_out, path, "sync this folder", error);
}

void trouble_parent_path(const char *path, char *to)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    trouble_text(to, DATA_DIRECTORY_PATH_BYTES, "%.*s", (int)bytes, path);
    char *slash = strrchr(to, '/');
    if (slash == NULL)
        trouble_text(to, DATA_DIRECTORY_PATH_BYTES, ".");
    else if (slash == to)
        trouble_text(to, DATA_DIRECTORY_PATH_BYTES, "/");
    else
        *slash = '\0';
}

enum data_directory_status trouble_sync_parent(struct io *io, const char *path, char *message_out)
{
    char parent[DATA_DIRECTORY_PATH_BYTES];
    trouble_parent_path(path, parent);
    int error = io_directory_sync(io, parent);
    if (error != 0 && error != -EACCES)
        return trouble(message_out, parent, "sync this folder", error);
    return DATA_DIRECTORY_OK;
}
