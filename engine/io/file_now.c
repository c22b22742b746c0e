/* The blocking file functions of io/io.h: plain system calls, no ring. Linked with io_ring.c. */

#include "io/io.h"

#include "io/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0750 };

/* ---- opening ---- */

/* O_NONBLOCK is for the opening alone: a pipe's waits for its other end. */
int io_open_mode(uint32_t flags)
{
    if (flags & IO_FILE_DIRECTORY)
        return O_RDONLY | O_CLOEXEC | O_DIRECTORY;
    int mode = flags & IO_FILE_READ ? O_RDONLY : O_RDWR;
    mode |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    if (flags & IO_FILE_CREATE)
        mode |= O_CREAT | O_EXCL;
    return mode;
}

int io_open_end(int result, uint32_t flags)
{
    struct stat status;
    if (flags & IO_FILE_DIRECTORY)
        return result;
    if (result < 0)
        return result == -ELOOP || result == -EISDIR ? -ENXIO : result;
    if (fstat(result, &status) != 0 || !S_ISREG(status.st_mode) || fcntl(result, F_SETFL, 0) != 0) {
        close(result);
        return -ENXIO;
    }
    /* Asked for after the opening, so that a file system that refuses (tmpfs) leaves no trace. */
    if (flags & IO_FILE_DIRECT)
        (void)fcntl(result, F_SETFL, O_DIRECT);
    return result;
}

int io_file_open_now(struct io *io, const char *path, uint32_t flags)
{
    (void)io;
    int fd = open(path, io_open_mode(flags), IO_FILE_MODE);
    return io_open_end(fd < 0 ? -errno : fd, flags);
}

/* ---- content ---- */

int io_file_read_now(struct io *io, int fd, void *buffer, size_t bytes, uint64_t offset)
{
    (void)io;
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (uint8_t *)buffer + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ENODATA;
        done += (size_t)got;
    }
    return 0;
}

int io_file_write_now(struct io *io, int fd, const void *buffer, size_t bytes, uint64_t offset)
{
    (void)io;
    size_t done = 0;
    while (done < bytes) {
        ssize_t put =
            pwrite(fd, (const uint8_t *)buffer + done, bytes - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        done += (size_t)put;
    }
    return 0;
}

int io_file_sync_now(struct io *io, int fd)
{
    (void)io;
    return fsync(fd) == 0 ? 0 : -errno;
}

int64_t io_file_size(struct io *io, int fd)
{
    (void)io;
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_size : -errno;
}

int io_file_allocate_now(struct io *io, int fd, uint64_t bytes)
{
    int result;
    do
        result = fallocate(fd, 0, 0, (off_t)bytes);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno != EOPNOTSUPP)
        return -errno;
    /* The file system can't reserve: the size at least; a lack of space shows when it is filled. */
    if (io_file_size(io, fd) >= (int64_t)bytes)
        return 0;
    return ftruncate(fd, (off_t)bytes) == 0 ? 0 : -errno;
}

/* ---- names ---- */

int io_file_rename_now(struct io *io, const char *from, const char *to)
{
    (void)io;
    return rename(from, to) == 0 ? 0 : -errno;
}

int io_file_remove_now(struct io *io, const char *path)
{
    (void)io;
    return unlink(path) == 0 ? 0 : -errno;
}

int io_directory_create(struct io *io, const char *path)
{
    (void)io;
    struct stat status;
    if (mkdir(path, DIRECTORY_MODE) == 0)
        return 0;
    int error = -errno;
    if (error == -EEXIST && stat(path, &status) == 0)
        return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
    return error;
}

int io_directory_remove(struct io *io, const char *path)
{
    (void)io;
    return rmdir(path) == 0 ? 0 : -errno;
}

int io_directory_sync(struct io *io, const char *path)
{
    int fd = io_file_open_now(io, path, IO_FILE_DIRECTORY);
    if (fd < 0)
        return fd;
    int error = io_file_sync_now(io, fd);
    close(fd);
    return error;
}

int io_directory_list(struct io *io, const char *path,
                      void (*entry)(void *context, const char *name), void *context)
{
    (void)io;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -errno;
    struct dirent *found;
    while (errno = 0, (found = readdir(directory)) != NULL) {
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0)
            entry(context, found->d_name);
    }
    int error = -errno;
    closedir(directory);
    return error;
}

int io_file_lock(struct io *io, int fd)
{
    (void)io;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
}
