#include "input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int input_open(const char *path, uint64_t *file_bytes_out)
{
    struct stat status;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return errno == ELOOP ? -ENXIO : -errno;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        *file_bytes_out = (uint64_t)status.st_size;
        return fd;
    }
    close(fd);
    return -ENXIO;
}

void input_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

int input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes)
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

int64_t input_look(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return -errno;
    return S_ISREG(status.st_mode) ? (int64_t)status.st_size : -ENXIO;
}

bool input_is_folder(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int input_list(const char *path, input_name_fn name, void *context)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -errno;
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            name(context, entry->d_name);
    const int error = errno;
    closedir(folder);
    return -error;
}
