/* In front of the tool's input (replay-log/input.h), by the linker's --wrap: what is below one path
 * is read from memory, all else from the disk. */

#include "files.h"

#include "replay_log/input.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_FD = 1 << 20 };

/* The linker gives these names to the real ones.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_input_open(const char *path, uint64_t *file_bytes_out);
void __real_input_close(int fd);
int __real_input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes);
int64_t __real_input_look(const char *path);
bool __real_input_is_folder(const char *path);
int __real_input_list(const char *path, input_name_fn name, void *context);
int __wrap_input_open(const char *path, uint64_t *file_bytes_out);
void __wrap_input_close(int fd);
int __wrap_input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes);
int64_t __wrap_input_look(const char *path);
bool __wrap_input_is_folder(const char *path);
int __wrap_input_list(const char *path, input_name_fn name, void *context);

static struct flip_files *set_files;
static char set_path[64];

void flip_input_set(struct flip_files *files, const char *path)
{
    set_files = files;
    hf_assert((size_t)snprintf(set_path, sizeof set_path, "%s", path) < sizeof set_path);
}

static bool is_ours(const char *path)
{
    const size_t bytes = strlen(set_path);
    return set_files != NULL && strncmp(path, set_path, bytes) == 0 &&
           (path[bytes] == '/' || path[bytes] == '\0');
}

static int find(const char *path)
{
    for (uint32_t i = 0; i < set_files->count; i++)
        if (strcmp(set_files->list[i].path, path) == 0)
            return (int)i;
    return -ENOENT;
}

int __wrap_input_open(const char *path, uint64_t *file_bytes_out)
{
    if (!is_ours(path))
        return __real_input_open(path, file_bytes_out);
    const int index = find(path);
    if (index < 0)
        return index;
    *file_bytes_out = set_files->list[index].now_count;
    return FIRST_FD + index;
}

void __wrap_input_close(int fd)
{
    if (fd < FIRST_FD)
        __real_input_close(fd);
}

int __wrap_input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes)
{
    if (fd < FIRST_FD)
        return __real_input_read_at(fd, offset, buffer, bytes);
    const struct flip_file *file = &set_files->list[fd - FIRST_FD];
    if (offset > file->now_count || bytes > file->now_count - offset)
        return -ENODATA;
    memcpy(buffer, file->now + offset, bytes);
    return 0;
}

int64_t __wrap_input_look(const char *path)
{
    if (!is_ours(path))
        return __real_input_look(path);
    const int index = find(path);
    return index < 0 ? index : (int64_t)set_files->list[index].now_count;
}

/* The part of a file's path that is the name of something in this folder, if it is below it. */
static const char *name_in_folder(const struct flip_file *file, const char *folder)
{
    const size_t bytes = strlen(folder);
    return strncmp(file->path, folder, bytes) == 0 && file->path[bytes] == '/'
               ? file->path + bytes + 1
               : NULL;
}

bool __wrap_input_is_folder(const char *path)
{
    if (!is_ours(path))
        return __real_input_is_folder(path);
    for (uint32_t i = 0; i < set_files->count; i++)
        if (name_in_folder(&set_files->list[i], path) != NULL)
            return true;
    return false;
}

/* Files of one folder stand together. */
int __wrap_input_list(const char *path, input_name_fn name, void *context)
{
    char before[256] = "";
    if (!is_ours(path))
        return __real_input_list(path, name, context);
    for (uint32_t i = 0; i < set_files->count; i++) {
        const char *found = name_in_folder(&set_files->list[i], path);
        char first[256];
        if (found == NULL)
            continue;
        snprintf(first, sizeof first, "%.*s", (int)strcspn(found, "/"), found);
        if (strcmp(first, before) != 0)
            name(context, first);
        memcpy(before, first, sizeof before);
    }
    return before[0] == '\0' ? -ENOENT : 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */
