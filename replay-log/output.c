#include "output.h"

#include "text.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(const char *path, const char *action)
{
    tell("%s: cannot %s: %s", path, action, strerror(errno));
    return false;
}

/* ---- names ---- */

/* The folder that a path is in. */
static void folder_of(const char *path, char *to)
{
    char copy[OUTPUT_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    snprintf(to, OUTPUT_PATH_BYTES, "%s", dirname(copy));
}

/* Inside the directory that is read, by whatever names either is called. */
static bool is_inside(const char *path, const char *input_path)
{
    char folder[OUTPUT_PATH_BYTES];
    char real_folder[PATH_MAX];
    char real_input[PATH_MAX];
    folder_of(path, folder);
    if (realpath(folder, real_folder) == NULL || realpath(input_path, real_input) == NULL)
        return false;
    const size_t bytes = strlen(real_input);
    return strncmp(real_folder, real_input, bytes) == 0 &&
           (real_folder[bytes] == '/' || real_folder[bytes] == '\0');
}

static bool set_names(const char *path, const char *input_path, char *path_out, char *partial_out)
{
    struct stat status;
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    if (bytes + sizeof ".partial" > OUTPUT_PATH_BYTES) {
        tell("%s: the path is too long", path);
        return false;
    }
    snprintf(path_out, OUTPUT_PATH_BYTES, "%.*s", (int)bytes, path);
    snprintf(partial_out, OUTPUT_PATH_BYTES, "%.*s.partial", (int)bytes, path);
    if (is_inside(path_out, input_path)) {
        tell("%s: it is inside %s, in which nothing is written: name another place", path_out,
             input_path);
        return false;
    }
    if (lstat(path_out, &status) == 0) {
        tell("%s: it exists already, and nothing is replaced: name another one", path_out);
        return false;
    }
    if (lstat(partial_out, &status) == 0) {
        tell("%s: it is left from a run that was ended, or belongs to one that goes on: remove it "
             "when there is none",
             partial_out);
        return false;
    }
    return true;
}

bool output_may_be_made(const char *path, const char *input_path)
{
    char whole[OUTPUT_PATH_BYTES];
    char partial[OUTPUT_PATH_BYTES];
    return set_names(path, input_path, whole, partial);
}

/* RENAME_NOREPLACE is for whoever makes the same name at the same time. */
static bool take_name(const char *partial, const char *path)
{
    char folder[OUTPUT_PATH_BYTES];
    folder_of(path, folder);
    if (renameat2(AT_FDCWD, partial, AT_FDCWD, path, RENAME_NOREPLACE) != 0 &&
        (errno != EINVAL || rename(partial, path) != 0))
        return fail(path, "get its name");
    return output_sync_folder(folder);
}

/* ---- signals ---- */

enum { PARTIAL_COUNT_MAX = 4, SIGNAL_COUNT = 3 };

static const int signals[SIGNAL_COUNT] = {SIGINT, SIGTERM, SIGHUP};

static struct {
    const char *partials[PARTIAL_COUNT_MAX]; /* what is half made */
    size_t count;
    struct sigaction before[SIGNAL_COUNT];
} made;

static volatile sig_atomic_t signal_number;

static void note_signal(int number)
{
    signal_number = number;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_partial(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void output_heed_signals(void)
{
    const int number = signal_number;
    if (number == 0)
        return;
    while (made.count > 0)
        remove_partial(made.partials[--made.count]);
    signal(number, SIG_DFL);
    raise(number);
}

/* Who starts the program may have it ignore one. */
static void catch_signals(void)
{
    const struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        sigaction(signals[i], NULL, &made.before[i]);
        if (made.before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

static void begin_partial(const char *path)
{
    hf_assert(made.count < PARTIAL_COUNT_MAX);
    if (made.count == 0)
        catch_signals();
    made.partials[made.count++] = path;
}

/* It has its name, or is gone. */
static void end_partial(const char *path)
{
    size_t i = 0;
    while (made.partials[i] != path)
        i++;
    made.partials[i] = made.partials[--made.count];
    output_heed_signals();
    for (i = 0; i < SIGNAL_COUNT && made.count == 0; i++)
        sigaction(signals[i], &made.before[i], NULL);
}

/* ---- a file ---- */

bool output_file_begin(struct output_file *output, const char *path, const char *input_path)
{
    output->file = NULL;
    if (!set_names(path, input_path, output->path, output->partial))
        return false;
    output->file = fopen(output->partial, "wxe");
    if (output->file == NULL)
        return fail(output->partial, "be made");
    begin_partial(output->partial);
    return true;
}

void output_file_abandon(struct output_file *output)
{
    if (output->file == NULL)
        return;
    fclose(output->file);
    unlink(output->partial);
    output->file = NULL;
    end_partial(output->partial);
}

bool output_file_finish(struct output_file *output)
{
    FILE *file = output->file;
    bool is_good = fflush(file) == 0 && ferror(file) == 0 && fsync(fileno(file)) == 0;
    if (!is_good)
        (void)fail(output->partial, "be written");
    output->file = NULL;
    if (fclose(file) != 0 && is_good)
        is_good = fail(output->partial, "be written");
    is_good = is_good && take_name(output->partial, output->path);
    if (!is_good)
        unlink(output->partial);
    end_partial(output->partial);
    return is_good;
}

/* ---- a folder ---- */

bool output_folder_begin(struct output_folder *output, const char *path, const char *input_path)
{
    if (set_names(path, input_path, output->path, output->partial) &&
        output_make_folder(output->partial)) {
        begin_partial(output->partial);
        return true;
    }
    output->partial[0] = '\0'; /* what may be there is another one's */
    return false;
}

bool output_folder_finish(struct output_folder *output)
{
    if (!output_sync_folder(output->partial) || !take_name(output->partial, output->path)) {
        output_folder_abandon(output);
        return false;
    }
    end_partial(output->partial);
    output->partial[0] = '\0';
    return true;
}

void output_folder_abandon(struct output_folder *output)
{
    if (output->partial[0] == '\0')
        return;
    remove_partial(output->partial);
    end_partial(output->partial);
    output->partial[0] = '\0';
}

bool output_make_folder(const char *path)
{
    return mkdir(path, 0750) == 0 || fail(path, "be made");
}

bool output_sync_folder(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_good = fd >= 0 && fsync(fd) == 0;
    if (!is_good)
        (void)fail(path, "be synced");
    if (fd >= 0)
        close(fd);
    return is_good;
}

int output_create(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        (void)fail(path, "be made");
    return fd;
}

bool output_write(int fd, const char *path, const void *bytes, size_t count)
{
    output_heed_signals();
    for (size_t done = 0; done < count;) {
        const ssize_t now = write(fd, (const char *)bytes + done, count - done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return fail(path, "be written");
        done += (size_t)now;
    }
    return true;
}

bool output_close(int fd, const char *path)
{
    bool is_good = fsync(fd) == 0 || fail(path, "be synced");
    if (close(fd) != 0 && is_good)
        is_good = fail(path, "be closed");
    return is_good;
}

/* ---- between ---- */

FILE *output_temporary(const char *path)
{
    char folder[OUTPUT_PATH_BYTES];
    folder_of(path, folder);
    const int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? tmpfile() : fdopen(fd, "w+e");
    if (file == NULL)
        (void)fail(folder, "hold a temporary file");
    return file;
}
