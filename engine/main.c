/* holdfastd: options, data directory, threads, signals. Each core has a thread of its own; this one
 * loads what is common, waits for signals, and gives the exit code. */
#include "base/assert.h"
#include "base/diag.h"
#include "base/standard_files.h"
#include "base/units.h"
#include "core/core.h"
#include "log/manifest.h"
#include "proto/frame.h"
#include "wal/data_directory.h"

#include <getopt.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_USAGE = 1,
    EXIT_NO_IO_URING = 2,
    EXIT_DAMAGED = 3,
    EXIT_IO = 4,
    EXIT_IN_USE = 5,
    EXIT_VERSION = 6,
    EXIT_PERMISSION = 7,
    EXIT_CANNOT_LISTEN = 8,
    EXIT_NO_MEMORY = 9,
};

static const char exit_codes_help[] =
    "Exit codes:\n"
    "  0  clean stop                          5  data directory in use\n"
    "  1  wrong options                       6  data directory of another version\n"
    "  2  io_uring is not available           7  no permission on the data directory\n"
    "  3  data directory or log is damaged    8  cannot listen on the address\n"
    "  4  a read or write failed              9  not enough memory\n";

/* ---- options ---- */

struct options {
    const char *data_path;
    char host[256];
    char port[8];
    struct server_options server;
};

enum option_kind { KIND_TEXT, KIND_COUNT, KIND_BYTES, KIND_DURATION, KIND_FLAG };

enum option_name {
    OPTION_DATA,
    OPTION_LISTEN,
    OPTION_CORES,
    OPTION_DURABILITY,
    OPTION_MAX_ITEMS,
    OPTION_MAX_RESERVATIONS,
    OPTION_MAX_BUYERS,
    OPTION_MAX_CONNECTIONS,
    OPTION_MAX_BATCH,
    OPTION_RETENTION,
    OPTION_SEGMENT_SIZE,
    OPTION_SNAPSHOT_AFTER,
    OPTION_SNAPSHOT_EVERY,
    OPTION_ARCHIVE,
    OPTION_TOUCH_AHEAD,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT,
};

enum { MIB = 1 << 20, ARCHIVE_PATH_BYTES = 3072 };

/* The one table: getopt_long, --help, ranges and defaults are made from it. */
static const struct {
    const char *name;
    const char *argument;
    const char *help;
    enum option_kind kind;
    uint64_t min, max;
    const char *default_text;
} option_table[OPTION_COUNT] = {
    [OPTION_DATA] = {"data", "DIR", "data directory; made when it does not exist (required)",
                     KIND_TEXT, 0, 0, NULL},
    [OPTION_LISTEN] = {"listen", "HOST:PORT", "address to serve; port 0 lets the system choose",
                       KIND_TEXT, 0, 0, "127.0.0.1:7411"},
    [OPTION_CORES] = {"cores", "N",
                      "threads, each with its own items and log; may change between "
                      "restarts",
                      KIND_COUNT, 1, LOG_CORE_COUNT_MAX, "1"},
    [OPTION_DURABILITY] = {"durability", "sync|async|off",
                           "sync: on disk before the answer; async: soon after; off: never",
                           KIND_TEXT, 0, 0, "sync"},
    [OPTION_MAX_ITEMS] = {"max-items", "N", "items", KIND_COUNT, 1, 1u << 30, "1M"},
    [OPTION_MAX_RESERVATIONS] = {"max-reservations", "N",
                                 "reservations per core, ended ones in retention included",
                                 KIND_COUNT, 1, 1u << 30, "4M"},
    [OPTION_MAX_BUYERS] = {"max-buyers", "N", "pairs of buyer and item with units, per core",
                           KIND_COUNT, 1, 1u << 30, "4M"},
    [OPTION_MAX_CONNECTIONS] = {"max-connections", "N", "connections per core", KIND_COUNT, 1,
                                60000, "4k"},
    [OPTION_MAX_BATCH] = {"max-batch", "N", "rows of one request in columns", KIND_COUNT, 1,
                          FRAME_ROW_COUNT_MAX, "8192"},
    [OPTION_RETENTION] = {"retention", "TIME",
                          "how long ended reservations are remembered for repeats", KIND_DURATION,
                          1000, 365ull * 24 * 3600 * 1000, "24h"},
    [OPTION_SEGMENT_SIZE] = {"segment-size", "SIZE", "size of a log file, whole MiB", KIND_BYTES,
                             LOG_SEGMENT_BYTES_MIN, 16ull << 30, "64MiB"},
    [OPTION_SNAPSHOT_AFTER] = {"snapshot-after", "SIZE",
                               "snapshot of a core when its log has grown by so much; 0: not "
                               "for that",
                               KIND_BYTES, 0, 1ull << 44, "1GiB"},
    [OPTION_SNAPSHOT_EVERY] = {"snapshot-every", "TIME",
                               "snapshot of a core when the last one is so old and something "
                               "has changed; 0: not for that",
                               KIND_DURATION, 0, 365ull * 24 * 3600 * 1000, "1h"},
    [OPTION_ARCHIVE] = {"archive", "DIR",
                        "copy log files there before they are removed; made when it does not "
                        "exist",
                        KIND_TEXT, 0, 0, NULL},
    [OPTION_TOUCH_AHEAD] = {"touch-ahead", "SIZE",
                            "memory of each core's tables to take from the system once it serves, "
                            "before it is needed; 0: none",
                            KIND_BYTES, 0, 1ull << 44, "64MiB"},
    [OPTION_HELP] = {"help", NULL, "this text", KIND_FLAG, 0, 0, NULL},
    [OPTION_VERSION] = {"version", NULL, "the version", KIND_FLAG, 0, 0, NULL},
};

static _Noreturn void usage_error(const char *option, const char *text, const char *problem)
{
    fprintf(stderr, "holdfastd: --%s %s: %s (see holdfastd --help)\n", option, text, problem);
    exit(EXIT_USAGE);
}

static void print_help(void)
{
    printf("Usage: holdfastd --data DIR [OPTION...]\n\n"
           "Serves the stock in the data directory until SIGTERM or SIGINT.\n\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[48];
        snprintf(left, sizeof left, "--%s%s%s", option_table[i].name,
                 option_table[i].argument != NULL ? " " : "",
                 option_table[i].argument != NULL ? option_table[i].argument : "");
        printf("  %-30s %s", left, option_table[i].help);
        if (option_table[i].default_text != NULL)
            printf(" [%s]", option_table[i].default_text);
        printf("\n");
    }
    printf("\nNumbers may end in k, M, G; sizes in KiB, MiB, GiB; times are like 500ms, 15m, "
           "1h30m.\n\n%s",
           exit_codes_help);
}

/* A number in the option's own units, within its range. */
static uint64_t parse_number(int option, const char *text)
{
    uint64_t value;
    bool is_good;
    const char *example;
    switch (option_table[option].kind) {
    case KIND_BYTES:
        is_good = units_parse_bytes(text, &value);
        example = "not a size like 64MiB";
        break;
    case KIND_DURATION:
        is_good = units_parse_duration_ms(text, &value);
        example = "not a time like 24h";
        break;
    default:
        is_good = units_parse_count(text, &value);
        example = "not a number like 1000 or 16M";
        break;
    }
    if (!is_good)
        usage_error(option_table[option].name, text, example);
    if (value < option_table[option].min || value > option_table[option].max) {
        char range[96];
        snprintf(range, sizeof range, "out of range: %llu to %llu%s",
                 (unsigned long long)option_table[option].min,
                 (unsigned long long)option_table[option].max,
                 option_table[option].kind == KIND_BYTES      ? " bytes"
                 : option_table[option].kind == KIND_DURATION ? " ms"
                                                              : "");
        usage_error(option_table[option].name, text, range);
    }
    return value;
}

/* "HOST:PORT" or "[HOST]:PORT". */
static void parse_listen(const char *text, struct options *options)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || colon == text)
        usage_error("listen", text, "not HOST:PORT");
    if (!units_parse_count(colon + 1, &port) || port > UINT16_MAX)
        usage_error("listen", text, "the port is not a number from 0 to 65535");
    size_t host_bytes = (size_t)(colon - text);
    if (text[0] == '[' && colon[-1] == ']') {
        text++;
        host_bytes -= 2;
    }
    if (host_bytes == 0 || host_bytes >= sizeof options->host)
        usage_error("listen", text, "not HOST:PORT");
    memcpy(options->host, text, host_bytes);
    options->host[host_bytes] = '\0';
    snprintf(options->port, sizeof options->port, "%u", (unsigned)port);
}

static void parse_durability(const char *text, struct options *options)
{
    static const char *const names[] = {
        [WAL_SYNC] = "sync", [WAL_ASYNC] = "async", [WAL_OFF] = "off"};
    for (int i = WAL_SYNC; i <= WAL_OFF; i++)
        if (strcmp(text, names[i]) == 0) {
            options->server.durability = (enum wal_durability)i;
            return;
        }
    usage_error("durability", text, "not one of sync, async, off");
}

static void set_option(int option, const char *text, struct options *options)
{
    struct server_options *server = &options->server;
    switch ((enum option_name)option) {
    case OPTION_DATA:
        options->data_path = text;
        break;
    case OPTION_LISTEN:
        parse_listen(text, options);
        break;
    case OPTION_CORES:
        server->core_count = (uint32_t)parse_number(option, text);
        break;
    case OPTION_DURABILITY:
        parse_durability(text, options);
        break;
    case OPTION_MAX_ITEMS:
        server->item_count_max = (uint32_t)parse_number(option, text);
        break;
    case OPTION_MAX_RESERVATIONS:
        server->reservation_count_max = (uint32_t)parse_number(option, text);
        break;
    case OPTION_MAX_BUYERS:
        server->buyer_count_max = (uint32_t)parse_number(option, text);
        break;
    case OPTION_MAX_CONNECTIONS:
        server->connection_count_max = (uint32_t)parse_number(option, text);
        break;
    case OPTION_MAX_BATCH:
        server->batch_rows_max = (uint32_t)parse_number(option, text);
        break;
    case OPTION_RETENTION:
        server->retention_ms = parse_number(option, text);
        break;
    case OPTION_SEGMENT_SIZE:
        server->segment_bytes = parse_number(option, text);
        if (server->segment_bytes % MIB != 0)
            usage_error("segment-size", text, "not a whole number of MiB");
        break;
    case OPTION_SNAPSHOT_AFTER:
        server->snapshot_log_bytes = parse_number(option, text);
        break;
    case OPTION_SNAPSHOT_EVERY:
        server->snapshot_every_ms = parse_number(option, text);
        break;
    case OPTION_ARCHIVE:
        if (text[0] == '\0' || strlen(text) >= ARCHIVE_PATH_BYTES)
            usage_error("archive", text, "not the path of a directory");
        server->archive_path = text;
        break;
    case OPTION_TOUCH_AHEAD:
        server->touch_ahead_bytes = parse_number(option, text);
        break;
    case OPTION_HELP:
        print_help();
        exit(EXIT_CLEAN);
    case OPTION_VERSION:
        printf("holdfastd %s\n", HOLDFAST_VERSION);
        exit(EXIT_CLEAN);
    case OPTION_COUNT:
        break;
    }
}

static void parse_options(int argc, char **argv, struct options *options)
{
    struct option long_options[OPTION_COUNT + 1] = {0};
    for (int i = 0; i < OPTION_COUNT; i++) {
        long_options[i] = (struct option){
            .name = option_table[i].name,
            .has_arg = option_table[i].argument != NULL ? required_argument : no_argument,
            .val = i,
        };
        if (option_table[i].default_text != NULL)
            set_option(i, option_table[i].default_text, options);
    }
    options->server.version = HOLDFAST_VERSION;

    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?') {
            fprintf(stderr, "holdfastd: see holdfastd --help\n");
            exit(EXIT_USAGE);
        }
        set_option(option, optarg, options);
    }
    if (optind < argc) {
        fprintf(stderr,
                "holdfastd: what is '%s'? All options begin with -- (see holdfastd --help)\n",
                argv[optind]);
        exit(EXIT_USAGE);
    }
    if (options->data_path == NULL || options->data_path[0] == '\0') {
        fprintf(stderr, "holdfastd: --data DIR is missing (see holdfastd --help)\n");
        exit(EXIT_USAGE);
    }
}

/* ---- exit codes ---- */

/* Any thread. The first failure is the one that is told. */
static _Noreturn void fail(enum exit_code code, const char *message)
{
    static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&first);
    diag(DIAG_ERROR, "%s", message);
    _exit(code); /* at once: threads may be running, and nothing more is to be acknowledged */
}

static enum exit_code code_of_directory(enum data_directory_status status)
{
    switch (status) {
    case DATA_DIRECTORY_IN_USE:
        return EXIT_IN_USE;
    case DATA_DIRECTORY_VERSION:
        return EXIT_VERSION;
    case DATA_DIRECTORY_PERMISSION:
        return EXIT_PERMISSION;
    case DATA_DIRECTORY_DAMAGED:
        return EXIT_DAMAGED;
    default:
        return EXIT_IO;
    }
}

static enum exit_code code_of_server(enum server_status status)
{
    switch (status) {
    case SERVER_NO_IO_URING:
        return EXIT_NO_IO_URING;
    case SERVER_DAMAGED:
        return EXIT_DAMAGED;
    case SERVER_VERSION:
        return EXIT_VERSION;
    case SERVER_NO_MEMORY:
        return EXIT_NO_MEMORY;
    case SERVER_TOO_SMALL:
        return EXIT_USAGE;
    case SERVER_CANNOT_LISTEN:
        return EXIT_CANNOT_LISTEN;
    case SERVER_PERMISSION:
        return EXIT_PERMISSION;
    default:
        return EXIT_IO;
    }
}

/* ---- threads ---- */

/* The main thread and all cores go through the start in step: the cores load; the main thread
 * begins the era; the cores open their logs; the main thread lets them serve. The cores turn all
 * the while and tell each step through a semaphore. */
struct core_thread {
    pthread_t thread;
    struct core *core;
    sem_t *step;
};

static void *run_core(void *context)
{
    const struct core_thread *thread = context;
    enum core_status status;

    core_start(thread->core);
    do {
        status = core_turn(thread->core);
        if (status == CORE_LOADED || status == CORE_OPENED || status == CORE_SERVES)
            sem_post(thread->step);
    } while (status < CORE_REFUSED);
    if (status == CORE_FAILED)
        fail(EXIT_IO, core_failure(thread->core));
    if (status == CORE_REFUSED)
        fail(code_of_server(core_refusal(thread->core)->status),
             core_refusal(thread->core)->message);
    return NULL;
}

/* Waits until all cores have done their step. */
static void wait_for_cores(uint32_t core_count, sem_t *step)
{
    for (uint32_t done = 0; done < core_count;)
        if (sem_wait(step) == 0)
            done++;
}

/* The threads block the signals that stop the server. */
static void start_threads(struct server *server, uint32_t core_count, struct core_thread *threads,
                          sem_t *step, const sigset_t *signals)
{
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    sem_init(step, 0, 0);
    for (uint32_t i = 0; i < core_count; i++) {
        threads[i].core = server_core(server, i);
        threads[i].step = step;
        if (pthread_create(&threads[i].thread, NULL, run_core, &threads[i]) != 0)
            fail(EXIT_NO_MEMORY, "the system refuses to start a thread; lower --cores");
    }
}

/* ---- signals ---- */

/* A stop while loading: nothing was served, and the next start finds what this one found. */
static void stop_at_once(int number)
{
    (void)number;
    _exit(EXIT_CLEAN);
}

static void prepare_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    signal(SIGTERM, stop_at_once);
    signal(SIGINT, stop_at_once);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* survives the terminal it was started from */
}

static void wait_for_stop(const sigset_t *signals)
{
    int number;
    sigwait(signals, &number);
    diag(DIAG_INFO, "stopping: %s", strsignal(number));
    /* A second signal ends the process at once; the log recovers as after a crash. */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

/* ---- the life of the server ---- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* As many descriptors as the connections may need, as far as the system lets us. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* What snapshots stand for is gone before the cores write anything. */
static void begin_era(struct data_directory *directory, const struct server *server,
                      const char *archive_path)
{
    enum data_directory_status status = data_directory_begin_era(directory);
    if (status == DATA_DIRECTORY_OK && archive_path != NULL)
        status = data_directory_prepare_archive(directory, archive_path);
    if (status == DATA_DIRECTORY_OK)
        status = data_directory_remove_past(directory, server_needs_past(server), archive_path);
    if (status != DATA_DIRECTORY_OK)
        fail(code_of_directory(status), directory->message);
}

static void say_ready(const struct options *options, const struct server_totals *totals,
                      uint16_t port, uint64_t load_ms)
{
    diag(
        DIAG_INFO,
        "state hash %016llx: %llu items, %llu reservations; %llu entries of snapshots loaded, %llu "
        "records replayed in %llu ms",
        (unsigned long long)totals->state_hash, (unsigned long long)totals->items,
        (unsigned long long)totals->reservations, (unsigned long long)totals->entries_loaded,
        (unsigned long long)totals->records_replayed, (unsigned long long)load_ms);
    if (options->server.durability == WAL_OFF)
        diag(DIAG_WARNING, "durability off: everything is lost when this process ends");
    printf("holdfastd ready on %s:%u\n", options->host, (unsigned)port);
    fflush(stdout);
}

/* Runs beside the cores and gives way to them: where there is no other processor, memory is taken
 * while they have nothing to do. */
struct toucher {
    struct server *server;
    sem_t stop; /* posted when no more is to be taken */
    pthread_t thread;
    bool is_started;
};

static void *touch_ahead(void *context)
{
    struct toucher *toucher = context;
    uint64_t began_ms = now_ms();
    (void)setpriority(PRIO_PROCESS, 0, 19); /* of this thread alone, on Linux */
    uint64_t bytes = 0, step_bytes = 1;
    while (step_bytes > 0 && sem_trywait(&toucher->stop) != 0) {
        step_bytes = server_touch_step(toucher->server);
        bytes += step_bytes;
    }
    diag(DIAG_INFO, "%llu MiB of memory taken ahead in %llu ms", (unsigned long long)(bytes / MIB),
         (unsigned long long)(now_ms() - began_ms));
    return NULL;
}

/* Without the thread, memory is taken as it is used. */
static void start_toucher(struct toucher *toucher, uint64_t bytes_per_core)
{
    sem_init(&toucher->stop, 0, 0);
    toucher->is_started =
        bytes_per_core > 0 && pthread_create(&toucher->thread, NULL, touch_ahead, toucher) == 0;
}

static void join_toucher(struct toucher *toucher)
{
    if (toucher->is_started)
        pthread_join(toucher->thread, NULL);
    sem_destroy(&toucher->stop);
}

int main(int argc, char **argv)
{
    static struct options options;
    static struct data_directory directory;
    static struct core_thread threads[LOG_CORE_COUNT_MAX];
    sem_t step;
    char message[SERVER_MESSAGE_BYTES];
    enum server_status status;
    uint16_t port;
    sigset_t signals;

    standard_files_open();
    parse_options(argc, argv, &options);
    prepare_signals(&signals);
    raise_descriptor_limit();
    uint64_t started_ms = now_ms();

    struct io *io;
    const struct io_options io_options = {.op_count_max = 8};
    enum io_status io_status = io_create(&io_options, &io, message);
    if (io_status != IO_OK)
        fail(io_status == IO_NO_MEMORY ? EXIT_NO_MEMORY : EXIT_NO_IO_URING, message);
    io_start(io);

    enum data_directory_status directory_status =
        data_directory_open(&directory, io, options.data_path, options.server.core_count);
    if (directory_status != DATA_DIRECTORY_OK)
        fail(code_of_directory(directory_status), directory.message);

    struct server *server = server_create(&options.server, &directory, &status, message);
    if (server == NULL)
        fail(code_of_server(status), message);
    status = server_bind(server, options.host, options.port, &port, message);
    if (status != SERVER_OK)
        fail(code_of_server(status), message);
    start_threads(server, options.server.core_count, threads, &step, &signals);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL); /* until it serves, a stop is one at once */
    wait_for_cores(options.server.core_count, &step);
    begin_era(&directory, server, options.server.archive_path);
    server_open_logs(server);
    wait_for_cores(options.server.core_count, &step);
    const struct server_totals totals = server_totals(server);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    server_serve(server);
    wait_for_cores(options.server.core_count, &step);
    say_ready(&options, &totals, port, now_ms() - started_ms);

    struct toucher toucher = {.server = server};
    start_toucher(&toucher, options.server.touch_ahead_bytes);
    wait_for_stop(&signals);
    sem_post(&toucher.stop);
    server_stop(server);
    for (uint32_t i = 0; i < options.server.core_count; i++)
        pthread_join(threads[i].thread, NULL);
    join_toucher(&toucher);
    diag(DIAG_INFO, "state hash %016llx at stop", (unsigned long long)server_hash(server));
    sem_destroy(&step);
    server_destroy(&server);
    data_directory_close(&directory);
    io_destroy(&io);
    return EXIT_CLEAN;
}
