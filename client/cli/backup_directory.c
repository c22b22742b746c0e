#include "backup_directory.h"

#include <holdfast.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The order makes it whole or nothing: files are synced, then the folders that name them, then the
 * manifest, without which no server opens the directory; then the name is changed, and the
 * directory above is synced.
 *
 * The partial directory is locked, so that of two attempts at the same time the second one knows
 * that what it finds is not left over. */

enum {
    NAME_ROOM = 128, /* for ".partial" and all names below it */
    FOLDER_MODE = 0750,
    FILE_MODE = 0640,
};

#define PARTIAL_SUFFIX ".partial"

/* ---- texts ---- */

__attribute__((format(printf, 2, 3))) static bool say(struct backup_directory *directory,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(directory->message, sizeof directory->message, format, arguments);
    va_end(arguments);
    return false;
}

static const char *advice(int error)
{
    switch (error) {
    case -EACCES:
    case -EPERM:
        return "run it as a user who may write there";
    case -EROFS:
        return "the file system is mounted read-only: name a directory elsewhere";
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
        return "make room, or name a directory on another disk";
    case -ENOENT:
        return "make the folder above it first";
    case -ENOTDIR:
        return "a part of this path is no directory";
    case -EMFILE:
    case -ENFILE:
        return "raise the limit on open files (ulimit -n)";
    default:
        return "the kernel's log (dmesg) may tell more";
    }
}

void backup_trouble(char *message_out, const char *path, const char *action, int error)
{
    snprintf(message_out, BACKUP_MESSAGE_BYTES, "%s: cannot %s: %s; %s", path, action,
             strerrordesc_np(-error), advice(error));
}

/* Of errno. */
static bool fail(struct backup_directory *directory, const char *path, const char *action)
{
    backup_trouble(directory->message, path, action, -errno);
    return false;
}

/* ---- paths ---- */

static void join(char to[BACKUP_PATH_BYTES], const char *folder, const char *name)
{
    size_t bytes = strlen(folder);
    memmove(to, folder, bytes);
    snprintf(to + bytes, BACKUP_PATH_BYTES - bytes, "/%s", name);
}

static void core_path_of(const struct backup_directory *directory, uint32_t core,
                         char to[BACKUP_PATH_BYTES])
{
    char name[LOG_NAME_BYTES_MAX];
    log_core_directory_name(BACKUP_ERA, core, name);
    join(to, directory->partial, name);
}

static void era_name_of(char name_out[LOG_NAME_BYTES_MAX])
{
    log_core_directory_name(BACKUP_ERA, 0, name_out);
    *strchr(name_out, '/') = '\0';
}

static void era_path_of(const struct backup_directory *directory, char to[BACKUP_PATH_BYTES])
{
    char name[LOG_NAME_BYTES_MAX];
    era_name_of(name);
    join(to, directory->partial, name);
}

void backup_directory_snapshot_path(const struct backup_directory *directory, uint32_t core,
                                    char to[BACKUP_PATH_BYTES])
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(0, name);
    core_path_of(directory, core, to);
    join(to, to, name);
}

/* "a/b" of "a/b/c", "." of "c", "/" of "/c". */
static void set_parent(struct backup_directory *directory)
{
    char *parent = directory->parent;
    memcpy(parent, directory->path, sizeof directory->parent);
    char *slash = strrchr(parent, '/');
    if (!slash)
        memcpy(parent, ".", 2);
    else if (slash == parent)
        parent[1] = '\0';
    else
        *slash = '\0';
}

/* ---- folders ---- */

/* Calls `look` with each name in a folder, until it returns false. False with errno when it is no
 * folder, or can't be read. */
static bool list(const char *path, bool (*look)(void *context, const char *name), void *context)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        errno = error;
        return false;
    }
    struct dirent *entry;
    bool goes_on = true;
    while (goes_on && (entry = readdir(folder))) {
        bool is_name = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        goes_on = !is_name || look(context, entry->d_name);
    }
    closedir(folder);
    return true;
}

static bool note_name(void *context, const char *name)
{
    snprintf(context, NAME_MAX + 1, "%s", name);
    return false;
}

/* 0 or a negative errno. */
static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return error;
}

static bool sync_folder(struct backup_directory *directory, const char *path)
{
    int error = sync_path(path);
    if (error != 0)
        backup_trouble(directory->message, path, "sync this folder", error);
    return error == 0;
}

static bool make_folder(struct backup_directory *directory, const char *path)
{
    return mkdir(path, FOLDER_MODE) == 0 || fail(directory, path, "make this folder");
}

/* ---- looking ---- */

static bool is_free(struct backup_directory *directory)
{
    char first[NAME_MAX + 1] = "";
    if (!list(directory->path, note_name, first))
        return errno == ENOENT || fail(directory, directory->path, "read this folder");
    if (first[0])
        return say(directory, "%s: exists and is not empty; name a directory that does not exist",
                   directory->path);
    return true;
}

static bool parent_is_good(struct backup_directory *directory)
{
    if (access(directory->parent, F_OK) != 0)
        return fail(directory, directory->path, "make this folder");
    return access(directory->parent, R_OK | W_OK | X_OK) == 0 ||
           fail(directory, directory->parent, "write in this folder");
}

bool backup_directory_init(struct backup_directory *directory, const char *path)
{
    memset(directory, 0, sizeof *directory);
    directory->fd = -1;
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    if (bytes == 0 || bytes > BACKUP_PATH_BYTES - NAME_ROOM)
        return say(directory, "the path of the directory has %zu bytes; it needs 1 to %d", bytes,
                   BACKUP_PATH_BYTES - NAME_ROOM);
    memcpy(directory->path, path, bytes);
    snprintf(directory->partial, sizeof directory->partial, "%.*s" PARTIAL_SUFFIX, (int)bytes,
             path);
    set_parent(directory);
    return is_free(directory) && parent_is_good(directory);
}

/* ---- what an earlier attempt has left ---- */

/* The first name in a partial directory that no backup makes. */
struct search {
    const struct backup_directory *directory;
    char folder[BACKUP_PATH_BYTES]; /* that is looked into */
    char foreign[NAME_MAX + 1];
};

static bool is_snapshot(void *context, const char *name)
{
    char ours[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(0, ours);
    return strcmp(name, ours) == 0 || note_name(((struct search *)context)->foreign, name);
}

/* Searches in a folder of this name. */
static bool search_folder(struct search *search, const char *name,
                          bool (*look)(void *context, const char *name))
{
    if (!list(search->folder, look, search))
        note_name(search->foreign, name);
    return !search->foreign[0];
}

static bool is_core(void *context, const char *name)
{
    struct search *search = context;
    for (uint32_t core = 0; core < LOG_CORE_COUNT_MAX; core++) {
        char ours[LOG_NAME_BYTES_MAX];
        log_core_directory_name(BACKUP_ERA, core, ours);
        if (strcmp(name, strchr(ours, '/') + 1) != 0)
            continue;
        core_path_of(search->directory, core, search->folder);
        return search_folder(search, name, is_snapshot);
    }
    return note_name(search->foreign, name);
}

static bool is_backup(void *context, const char *name)
{
    struct search *search = context;
    char era[LOG_NAME_BYTES_MAX];
    era_name_of(era);
    if (strcmp(name, "MANIFEST") == 0)
        return true;
    if (strcmp(name, era) != 0)
        return note_name(search->foreign, name);
    era_path_of(search->directory, search->folder);
    return search_folder(search, name, is_core);
}

static bool is_left_over(struct backup_directory *directory)
{
    struct search search = {.directory = directory};
    if (!list(directory->partial, is_backup, &search))
        return fail(directory, directory->partial, "read this folder");
    if (search.foreign[0])
        return say(directory,
                   "%s: is in the way: it has something in it that no backup makes ('%s'); look at "
                   "it, and remove it or name another directory",
                   directory->partial, search.foreign);
    return true;
}

/* Removes everything that a backup makes in it. */
static void remove_content(const struct backup_directory *directory)
{
    char path[BACKUP_PATH_BYTES];
    join(path, directory->partial, "MANIFEST");
    unlink(path);
    for (uint32_t core = 0; core < LOG_CORE_COUNT_MAX; core++) {
        backup_directory_snapshot_path(directory, core, path);
        unlink(path);
        core_path_of(directory, core, path);
        rmdir(path);
    }
    era_path_of(directory, path);
    rmdir(path);
}

/* ---- making ---- */

static void close_partial(struct backup_directory *directory)
{
    if (directory->fd >= 0)
        close(directory->fd);
    directory->fd = -1;
}

/* Whoever holds the lock writes there, or removes what is there. */
static bool lock(struct backup_directory *directory)
{
    struct stat locked;
    struct stat named;
    directory->fd = open(directory->partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (directory->fd < 0)
        return fail(directory, directory->partial, "open this folder");
    bool is_alone = flock(directory->fd, LOCK_EX | LOCK_NB) == 0 &&
                    fstat(directory->fd, &locked) == 0 && stat(directory->partial, &named) == 0 &&
                    locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
    if (!is_alone)
        return say(directory,
                   "%s: another backup is being written there; wait for it, or name another "
                   "directory",
                   directory->partial);
    if (locked.st_uid != geteuid())
        return say(directory, "%s: is in the way: it belongs to another user", directory->partial);
    return true;
}

static bool make_partial(struct backup_directory *directory)
{
    bool is_new = mkdir(directory->partial, FOLDER_MODE) == 0;
    if (!is_new && errno != EEXIST)
        return fail(directory, directory->partial, "make this folder");
    if (lock(directory) && (is_new || is_left_over(directory))) {
        remove_content(directory);
        return true;
    }
    close_partial(directory); /* what is there is not ours, and stays */
    return false;
}

static bool make_folders(struct backup_directory *directory)
{
    char path[BACKUP_PATH_BYTES];
    era_path_of(directory, path);
    bool is_made = make_folder(directory, path);
    for (uint32_t core = 0; core < directory->core_count && is_made; core++) {
        core_path_of(directory, core, path);
        is_made = make_folder(directory, path);
    }
    return is_made;
}

bool backup_directory_create(struct backup_directory *directory, uint32_t core_count)
{
    hf_id id = hf_id_random();
    directory->server_id = (struct id128){id.high, id.low};
    directory->core_count = core_count;
    if (!make_partial(directory))
        return false;
    if (make_folders(directory))
        return true;
    backup_directory_abandon(directory);
    return false;
}

/* ---- finishing ---- */

static int write_file(const char *path, const char *content, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return -errno;
    ssize_t written = write(fd, content, bytes);
    int error = written < 0 ? -errno : (size_t)written < bytes ? -ENOSPC : 0;
    if (error == 0 && fsync(fd) != 0)
        error = -errno;
    close(fd);
    return error;
}

static bool write_manifest(struct backup_directory *directory)
{
    char path[BACKUP_PATH_BYTES];
    struct log_manifest *manifest = calloc(1, sizeof *manifest);
    char *text = malloc(LOG_MANIFEST_BYTES_MAX);
    int error = -ENOMEM;
    join(path, directory->partial, "MANIFEST");
    if (manifest && text) {
        manifest->version = LOG_FORMAT_VERSION;
        manifest->server_id = directory->server_id;
        manifest->era_count = 1;
        manifest->eras[0].number = BACKUP_ERA;
        manifest->eras[0].core_count = directory->core_count;
        error = write_file(path, text, log_manifest_encode(manifest, text));
    }
    free(text);
    free(manifest);
    if (error != 0)
        backup_trouble(directory->message, path, "write this file", error);
    return error == 0;
}

static bool sync_folders(struct backup_directory *directory)
{
    char path[BACKUP_PATH_BYTES];
    for (uint32_t core = 0; core < directory->core_count; core++) {
        core_path_of(directory, core, path);
        if (!sync_folder(directory, path))
            return false;
    }
    era_path_of(directory, path);
    return sync_folder(directory, path);
}

/* Without it the backup is there all the same, and is not to be taken for one that was not made. */
static bool sync_name(struct backup_directory *directory)
{
    int error = sync_path(directory->parent);
    if (error == 0)
        return true;
    return say(directory,
               "the backup is there, whole and under its name, but may not survive a loss of "
               "power: %s: cannot sync this folder: %s; run 'sync', or take another backup",
               directory->parent, strerrordesc_np(-error));
}

bool backup_directory_finish(struct backup_directory *directory)
{
    if (!sync_folders(directory) || !write_manifest(directory) ||
        !sync_folder(directory, directory->partial))
        return false;
    if (rename(directory->partial, directory->path) != 0)
        return fail(directory, directory->path, "give the backup this name");
    close_partial(directory);
    directory->is_there = true;
    return sync_name(directory);
}

void backup_directory_abandon(struct backup_directory *directory)
{
    if (directory->fd < 0)
        return;
    remove_content(directory);
    rmdir(directory->partial);
    close_partial(directory);
}
