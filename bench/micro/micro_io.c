#include "bench/histogram.h"
#include "io/io.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* micro-io: for how long a core's loop is held up by what it does with whole files.
 *
 * Plays the life of a log segment again and again: created with its space, filled with zeros and
 * synced (which is not measured), closed, renamed, its folder synced, removed. Each step once with
 * the blocking function and once with the asynchronous operation of io/io.h, first alone and then
 * beside a thread that writes 4 KiB with O_DIRECT and O_DSYNC without a pause, as a core that
 * commits does.
 *
 *     blocking    how long the call takes: the loop does nothing else
 *     loop        the longest turn of the loop while the operation is under way, the one included
 *                 that starts it
 *     until done  from the start of the operation to its `done`, looked for every 20 us or so
 *
 * By default it writes 110 GiB. On a machine that is busy with other things it is started with
 * `chrt -f 1`, else their turns count too. Exit codes: 0 done, 1 usage, 2 trouble. */

enum {
    BLOCK_BYTES = 4096,
    SLICE_BYTES = 1 << 20,
    STREAM_BYTES = 16 << 20,
    PAUSE_NS = 20000,
};

enum step {
    STEP_CREATE,
    STEP_CLOSE,
    STEP_RENAME,
    STEP_SYNC,
    STEP_REMOVE,
    STEP_CLOSE_REMOVED,
    STEP_COUNT
};

static const struct {
    const char *name;
    bool is_blocking_only;
} steps[STEP_COUNT] = {
    [STEP_CREATE] = {"open(O_CREAT) and fallocate", false},
    [STEP_CLOSE] = {"close, filled with O_DIRECT", true},
    [STEP_RENAME] = {"rename", false},
    [STEP_SYNC] = {"fsync of the folder", false},
    [STEP_REMOVE] = {"unlink", false},
    [STEP_CLOSE_REMOVED] = {"close, unlinked before", true},
};

struct measured {
    struct histogram blocking;
    struct histogram loop;
    struct histogram until_done;
};

static struct {
    const char *directory;
    uint64_t count;
    uint64_t mib;
    char folder[PATH_MAX];
    char path[PATH_MAX + 16];
    char new_path[PATH_MAX + 16];
    char stream_path[PATH_MAX + 16];
    int folder_fd;
    struct io *io;
    struct measured measured[STEP_COUNT];
} micro = {.directory = ".", .count = 300, .mib = 64};

static _Alignas(BLOCK_BYTES) uint8_t zeros[SLICE_BYTES];

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("micro-io: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static int check(int64_t result, const char *what)
{
    if (result < 0)
        die("%s: %s", what, strerror((int)-result));
    return (int)result;
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- a core that commits ---- */

static struct {
    pthread_t thread;
    atomic_bool is_to_stop;
    struct histogram latency;
} stream;

static void *stream_run(void *context)
{
    int fd = *(int *)context;
    for (uint64_t at = 0; !atomic_load(&stream.is_to_stop); at += BLOCK_BYTES) {
        uint64_t begin_ns = now_ns();
        if (pwrite(fd, zeros, BLOCK_BYTES, (off_t)(at % STREAM_BYTES)) != BLOCK_BYTES)
            die("the stream's write failed");
        histogram_record(&stream.latency, now_ns() - begin_ns, 1);
    }
    return NULL;
}

static void fill(int fd, uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes; at += SLICE_BYTES)
        check(io_file_write_now(micro.io, fd, zeros, SLICE_BYTES, at), "filling a file");
    check(io_file_sync_now(micro.io, fd), "syncing a file");
}

static void stream_start(int *fd)
{
    *fd = open(micro.stream_path, O_RDWR | O_CREAT | O_DIRECT | O_DSYNC, 0600);
    if (*fd < 0)
        die("%s can't be written around the page cache", micro.stream_path);
    fill(*fd, STREAM_BYTES);
    atomic_store(&stream.is_to_stop, false);
    if (pthread_create(&stream.thread, NULL, stream_run, fd) != 0)
        die("no thread for the stream");
}

static void stream_stop(int fd)
{
    atomic_store(&stream.is_to_stop, true);
    pthread_join(stream.thread, NULL);
    close(fd);
    check(io_file_remove_now(micro.io, micro.stream_path), "removing the stream's file");
}

/* ---- one step ---- */

struct operation {
    struct io_op op;
    int32_t result;
};

static void note(struct io_op *op, int32_t result)
{
    ((struct operation *)op->context)->result = result;
}

static void pause_shortly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

static void turn(uint64_t *longest_ns)
{
    uint64_t begin_ns = now_ns();
    io_turn(micro.io, 0);
    uint64_t turn_ns = now_ns() - begin_ns;
    if (turn_ns > *longest_ns)
        *longest_ns = turn_ns;
}

/* Turns until a started operation is done. */
static int finish(struct operation *operation, uint64_t *longest_ns, const char *what)
{
    turn(longest_ns);
    while (operation->op.is_pending) {
        pause_shortly();
        turn(longest_ns);
    }
    return check(operation->result, what);
}

static struct io_op *prepare(struct operation *operation)
{
    *operation = (struct operation){.op = {.done = note}};
    operation->op.context = operation;
    return &operation->op;
}

static int create(uint64_t *longest_ns)
{
    struct operation operation;
    uint64_t bytes = micro.mib << 20;
    if (longest_ns == NULL) {
        int fd =
            check(io_file_open_now(micro.io, micro.path, IO_FILE_CREATE | IO_FILE_DIRECT), "open");
        check(io_file_allocate_now(micro.io, fd, bytes), "fallocate");
        return fd;
    }
    io_file_open(micro.io, prepare(&operation), micro.path, IO_FILE_CREATE | IO_FILE_DIRECT);
    int fd = finish(&operation, longest_ns, "open");
    io_file_allocate(micro.io, prepare(&operation), fd, bytes);
    finish(&operation, longest_ns, "fallocate");
    return fd;
}

/* With `longest_ns` by an asynchronous operation. Returns what the step's last one does. */
static int perform(enum step step, int fd, uint64_t *longest_ns)
{
    struct operation operation;
    switch (step) {
    case STEP_CREATE:
        return create(longest_ns);
    case STEP_RENAME:
        if (longest_ns == NULL)
            return check(io_file_rename_now(micro.io, micro.path, micro.new_path), "rename");
        io_file_rename(micro.io, prepare(&operation), micro.path, micro.new_path);
        return finish(&operation, longest_ns, "rename");
    case STEP_SYNC:
        if (longest_ns == NULL)
            return check(io_file_sync_now(micro.io, micro.folder_fd), "fsync");
        io_file_sync(micro.io, prepare(&operation), micro.folder_fd);
        return finish(&operation, longest_ns, "fsync");
    case STEP_REMOVE:
        if (longest_ns == NULL)
            return check(io_file_remove_now(micro.io, micro.new_path), "unlink");
        io_file_remove(micro.io, prepare(&operation), micro.new_path);
        return finish(&operation, longest_ns, "unlink");
    case STEP_CLOSE:
    case STEP_CLOSE_REMOVED:
        io_close(micro.io, fd);
        return 0;
    case STEP_COUNT:
        break;
    }
    return 0;
}

static int measure(enum step step, int fd, bool is_asynchronous)
{
    struct measured *measured = &micro.measured[step];
    uint64_t longest_ns = 0;
    uint64_t begin_ns = now_ns();
    int result = perform(step, fd, is_asynchronous ? &longest_ns : NULL);
    uint64_t whole_ns = now_ns() - begin_ns;
    if (is_asynchronous) {
        histogram_record(&measured->loop, longest_ns, 1);
        histogram_record(&measured->until_done, whole_ns, 1);
    } else {
        histogram_record(&measured->blocking, whole_ns, 1);
    }
    return result;
}

/* ---- the life of a segment ---- */

static void live(bool is_asynchronous)
{
    int fd = measure(STEP_CREATE, -1, is_asynchronous);
    fill(fd, micro.mib << 20);
    measure(STEP_CLOSE, fd, false);
    measure(STEP_RENAME, -1, is_asynchronous);
    measure(STEP_SYNC, -1, is_asynchronous);
    measure(STEP_REMOVE, -1, is_asynchronous);
}

static void close_removed(void)
{
    int fd = create(NULL);
    fill(fd, micro.mib << 20);
    check(io_file_remove_now(micro.io, micro.path), "unlink");
    measure(STEP_CLOSE_REMOVED, fd, false);
}

static void print_pair(const struct histogram *histogram)
{
    printf("  %8.0f %8.0f", (double)histogram_quantile(histogram, 0.5) / 1000,
           (double)histogram_quantile(histogram, 0.99) / 1000);
}

static void report(const char *title)
{
    printf("%-30s  %17s  %17s  %17s\n", title, "blocking", "loop", "until done");
    for (enum step step = 0; step < STEP_COUNT; step++) {
        const struct measured *measured = &micro.measured[step];
        printf("  %-28s", steps[step].name);
        print_pair(&measured->blocking);
        if (!steps[step].is_blocking_only) {
            print_pair(&measured->loop);
            print_pair(&measured->until_done);
        }
        putchar('\n');
    }
    if (stream.latency.count > 0) {
        printf("  %-28s", "the write of 4 KiB beside");
        print_pair(&stream.latency);
        putchar('\n');
    }
    fflush(stdout);
}

static void run(const char *title)
{
    memset(micro.measured, 0, sizeof micro.measured);
    for (uint64_t i = 0; i < micro.count; i++) {
        live(false);
        live(true);
        close_removed();
    }
    report(title);
}

static void run_beside_stream(void)
{
    int fd;
    stream_start(&fd);
    run("beside writes, us: p50, p99");
    stream_stop(fd);
}

/* ---- start ---- */

enum { OPTION_DIRECTORY, OPTION_COUNT, OPTION_MIB, OPTION_HELP, OPTIONS };

/* The one table: getopt_long and --help are made from it. */
static const struct {
    const char *name;
    const char *argument;
    const char *help;
} options[OPTIONS] = {
    [OPTION_DIRECTORY] = {"directory", "PATH", "on the file system that is to be measured (.)"},
    [OPTION_COUNT] = {"count", "N", "repetitions of each step (300)"},
    [OPTION_MIB] = {"mib", "N", "size of the file in MiB (64)"},
    [OPTION_HELP] = {"help", NULL, "this text"},
};

static void usage(FILE *to, int code)
{
    fputs("usage: micro-io [options]\n"
          "How long blocking and asynchronous file operations hold up a loop.\n\n",
          to);
    for (int i = 0; i < OPTIONS; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s %s", options[i].name,
                 options[i].argument == NULL ? "" : options[i].argument);
        fprintf(to, "  --%-16s %s\n", text, options[i].help);
    }
    exit(code);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || text[0] == '-' || value == 0 || value > 1000000)
        usage(stderr, 1);
    return value;
}

static void parse(int argc, char **argv)
{
    struct option longs[OPTIONS + 1] = {0};
    for (int i = 0; i < OPTIONS; i++)
        longs[i] =
            (struct option){options[i].name,
                            options[i].argument == NULL ? no_argument : required_argument, NULL, 0};
    int index = 0;
    int got;
    while ((got = getopt_long(argc, argv, "", longs, &index)) == 0) {
        if (index == OPTION_HELP)
            usage(stdout, 0);
        else if (index == OPTION_DIRECTORY)
            micro.directory = optarg;
        else if (index == OPTION_COUNT)
            micro.count = number(optarg);
        else
            micro.mib = number(optarg);
    }
    if (got != -1 || optind != argc)
        usage(stderr, 1);
}

static void open_io(void)
{
    char message[256];
    if (io_create(&(struct io_options){.op_count_max = 8}, &micro.io, message) != IO_OK)
        die("%s", message);
    io_start(micro.io);
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    prctl(PR_SET_TIMERSLACK, 1); /* the short pauses are short */
    open_io();
    snprintf(micro.folder, sizeof micro.folder, "%s/micro-io-XXXXXX", micro.directory);
    if (mkdtemp(micro.folder) == NULL)
        die("%s can't be written", micro.directory);
    snprintf(micro.path, sizeof micro.path, "%s/segment", micro.folder);
    snprintf(micro.new_path, sizeof micro.new_path, "%s/renamed", micro.folder);
    snprintf(micro.stream_path, sizeof micro.stream_path, "%s/stream", micro.folder);
    micro.folder_fd = check(io_file_open_now(micro.io, micro.folder, IO_FILE_DIRECTORY), "open");

    run("alone, us: p50, p99");
    run_beside_stream();

    io_close(micro.io, micro.folder_fd);
    io_destroy(&micro.io);
    rmdir(micro.folder);
    return 0;
}
