/* Sweeps: the same short story of a server, again and again, with exactly one thing going wrong at
 * the n-th occasion, for n = 1 to the end: an allocation is refused, an operation of the disk
 * fails, the process or the power ends; and for crashes once more during the recovery.
 *
 * The points of a sweep are dealt out to processes, which play them one after the other. A finding
 * ends its process with the command that plays the same point again. */

#include "sweep_play.h"
#include "world.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64, CORE_COUNT_MAX = 2 };

enum {
    /* Of so many first crashes one is followed by all second ones, another one for each seed. */
    THEN_STRIDE = 101,
    THEN_STRIDE_SHORT = 19, /* where there are few of them */
    OCCASIONS_SHORT = 300,
    /* Second crashes come in the recovery, and up to so many operations behind it: what the
     * recovery took for granted shows then. */
    THEN_BEYOND = 64,
};

/* ---- options ---- */

struct options {
    uint64_t kind; /* SWEEP_KIND_COUNT: all */
    uint64_t at;
    uint64_t then;
    uint64_t cores; /* 0: all */
    uint64_t seed;
    uint64_t seeds;
    uint64_t stride;
    uint64_t jobs;
    bool is_full;
    bool is_json;
    bool is_traced;
};

enum option_name {
    OPTION_KIND,
    OPTION_AT,
    OPTION_THEN,
    OPTION_CORES,
    OPTION_SEED,
    OPTION_SEEDS,
    OPTION_STRIDE,
    OPTION_FULL,
    OPTION_JOBS,
    OPTION_JSON,
    OPTION_TRACE,
    OPTION_HELP,
    OPTION_COUNT,
};

/* The one table: getopt_long, ranges and --help are made from it. */
static const struct {
    const char *name;
    const char *argument;
    const char *help;
    uint64_t min, max;
} option_table[OPTION_COUNT] = {
    [OPTION_KIND] = {"kind", "NAME", "only this sweep", 0, 0},
    [OPTION_AT] = {"at", "N", "only this point: the N-th occasion", 1, UINT64_MAX},
    [OPTION_THEN] = {"then", "N", "and a second crash at this operation from the next start on", 1,
                     UINT64_MAX},
    [OPTION_CORES] = {"cores", "N", "cores of the first start: 1 or 2 (both)", 1, CORE_COUNT_MAX},
    [OPTION_SEED] = {"seed", "N", "what the disk does with what was not synced, and when (1)", 0,
                     UINT64_MAX},
    [OPTION_SEEDS] = {"seeds", "N", "so many seeds from there on (1)", 1, 1000000},
    [OPTION_STRIDE] = {"stride", "N", "every N-th point only, beginning by the seed (1)", 1,
                       1000000},
    [OPTION_FULL] = {"full", NULL, "second crashes behind every first one", 0, 0},
    [OPTION_JOBS] = {"jobs", "N", "processes (one for each processor)", 1, JOBS_MAX},
    [OPTION_JSON] = {"json", NULL, "one JSON object for each sweep", 0, 0},
    [OPTION_TRACE] = {"trace", NULL, "print the story of the point (with --kind and --at)", 0, 0},
    [OPTION_HELP] = {"help", NULL, "this text", 0, 0},
};

static void print_help(void)
{
    printf("usage: sweep [OPTION]...\n"
           "Plays a short story of the server with one thing going wrong, at every occasion.\n\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[32];
        snprintf(left, sizeof left, "--%s%s%s", option_table[i].name,
                 option_table[i].argument != NULL ? " " : "",
                 option_table[i].argument != NULL ? option_table[i].argument : "");
        printf("  %-14s %s\n", left, option_table[i].help);
    }
    printf("\nkinds:\n");
    for (int kind = 0; kind < SWEEP_KIND_COUNT; kind++)
        printf("  %s\n", sweep_kind_name((enum sweep_kind)kind));
}

static _Noreturn void usage_error(const char *option, const char *text)
{
    fprintf(stderr, "sweep: --%s %s: out of range; see sweep --help\n", option, text);
    exit(2);
}

static uint64_t parse_number(int option, const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        value < option_table[option].min || value > option_table[option].max)
        usage_error(option_table[option].name, text);
    return value;
}

static uint64_t parse_kind(const char *text)
{
    for (int kind = 0; kind < SWEEP_KIND_COUNT; kind++)
        if (strcmp(text, sweep_kind_name((enum sweep_kind)kind)) == 0)
            return (uint64_t)kind;
    usage_error("kind", text);
}

static void take_option(struct options *options, int option, const char *text)
{
    uint64_t *const numbers[OPTION_COUNT] = {
        [OPTION_AT] = &options->at,       [OPTION_THEN] = &options->then,
        [OPTION_CORES] = &options->cores, [OPTION_SEED] = &options->seed,
        [OPTION_SEEDS] = &options->seeds, [OPTION_STRIDE] = &options->stride,
        [OPTION_JOBS] = &options->jobs,
    };
    if (option == OPTION_HELP) {
        print_help();
        exit(0);
    }
    if (option == OPTION_KIND)
        options->kind = parse_kind(text);
    else if (option == OPTION_FULL)
        options->is_full = true;
    else if (option == OPTION_JSON)
        options->is_json = true;
    else if (option == OPTION_TRACE)
        options->is_traced = true;
    else
        *numbers[option] = parse_number(option, text);
}

static struct options parse_options(int argc, char **argv)
{
    struct option long_options[OPTION_COUNT + 1] = {0};
    struct options options = {.kind = SWEEP_KIND_COUNT, .seed = 1, .seeds = 1, .stride = 1};
    int option;
    options.jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; i < OPTION_COUNT; i++)
        long_options[i] = (struct option){
            option_table[i].name,
            option_table[i].argument == NULL ? no_argument : required_argument, NULL, i};
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?')
            exit(2);
        take_option(&options, option, optarg);
    }
    if (optind < argc) {
        fprintf(stderr, "sweep: %s: unexpected; see sweep --help\n", argv[optind]);
        exit(2);
    }
    const bool is_crash =
        options.kind < SWEEP_KIND_COUNT && sweep_kind_is_crash((enum sweep_kind)options.kind);
    if ((options.at > 0 && options.kind == SWEEP_KIND_COUNT) ||
        (options.then > 0 && (options.at == 0 || !is_crash)) ||
        (options.is_traced && options.at == 0)) {
        fprintf(stderr, "sweep: --at needs --kind, --then needs --at and a crash, --trace needs "
                        "--at\n");
        exit(2);
    }
    if (options.jobs > JOBS_MAX)
        options.jobs = JOBS_MAX;
    return options;
}

/* ---- points ---- */

static const char *program;

static void play_point(const struct sweep_point *point, struct sweep_result *result_out)
{
    char command[1024];
    int written =
        snprintf(command, sizeof command, "%s --kind %s --cores %" PRIu32 " --seed %" PRIu64,
                 program, sweep_kind_name(point->kind), point->core_count, point->seed);
    if (point->at > 0)
        written += snprintf(command + written, sizeof command - (size_t)written, " --at %" PRIu64,
                            point->at);
    if (point->then > 0)
        (void)snprintf(command + written, sizeof command - (size_t)written, " --then %" PRIu64,
                       point->then);
    sim_set_repeat_command(command);
    sweep_play(point, result_out);
}

/* One sweep: all points of a kind, a number of cores and a seed. */
struct sweep {
    struct sweep_point point; /* `at` and `then` vary */
    uint64_t events;
    uint64_t stride;
    bool is_full;
};

static bool is_followed(const struct sweep *sweep, uint64_t at)
{
    const uint64_t stride = sweep->events > OCCASIONS_SHORT ? THEN_STRIDE : THEN_STRIDE_SHORT;
    return sweep_kind_is_crash(sweep->point.kind) &&
           (sweep->is_full || (at + sweep->point.seed * 17) % stride == 0);
}

/* The point, and the ones behind it. Returns how many. */
static uint64_t play_at(const struct sweep *sweep, uint64_t at)
{
    struct sweep_point point = sweep->point;
    struct sweep_result result;
    point.at = at;
    play_point(&point, &result);
    const uint64_t then_count =
        is_followed(sweep, at) ? result.recovery_operations + THEN_BEYOND : 0;
    for (point.then = 1; point.then <= then_count; point.then++)
        play_point(&point, &result);
    return 1 + then_count;
}

/* Every jobs-th of the sweep's points. */
static uint64_t play_share(const struct sweep *sweep, uint64_t job, uint64_t jobs)
{
    const uint64_t first = 1 + sweep->point.seed % sweep->stride;
    uint64_t played = 0;
    for (uint64_t at = first + job * sweep->stride; at <= sweep->events; at += jobs * sweep->stride)
        played += play_at(sweep, at);
    return played;
}

/* ---- processes ---- */

struct job {
    pid_t pid;
    int from;
};

static struct job start_job(const struct sweep *sweep, uint64_t job, uint64_t jobs)
{
    int pipe_fds[2];
    (void)fflush(NULL);
    if (pipe(pipe_fds) != 0) {
        perror("sweep: pipe");
        exit(2);
    }
    pid_t pid = fork();
    if (pid < 0) {
        perror("sweep: fork");
        exit(2);
    }
    if (pid == 0) {
        uint64_t played = play_share(sweep, job, jobs);
        exit(write(pipe_fds[1], &played, sizeof played) == (ssize_t)sizeof played ? 0 : 2);
    }
    close(pipe_fds[1]);
    return (struct job){pid, pipe_fds[0]};
}

/* Adds what the process has played; false when it found something. */
static bool finish_job(const struct job *job, uint64_t *played_inout)
{
    uint64_t played = 0;
    int status = 0;
    bool has_count = read(job->from, &played, sizeof played) == (ssize_t)sizeof played;
    close(job->from);
    bool has_ended = waitpid(job->pid, &status, 0) == job->pid;
    *played_inout += played;
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        fprintf(stderr, "sweep: a run has died by signal %d\n", WTERMSIG(status));
    return has_count && has_ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool play_all(const struct sweep *sweep, uint64_t jobs, uint64_t *played_out)
{
    struct job running[JOBS_MAX];
    bool is_good = true;
    *played_out = 0;
    for (uint64_t job = 0; job < jobs; job++)
        running[job] = start_job(sweep, job, jobs);
    for (uint64_t job = 0; job < jobs; job++) {
        if (!is_good) /* one finding is enough */
            (void)kill(running[job].pid, SIGKILL);
        is_good &= finish_job(&running[job], played_out);
    }
    return is_good;
}

/* ---- report ---- */

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void report(const struct options *options, const struct sweep *sweep, uint64_t played,
                   bool is_good, double seconds)
{
    const struct sweep_point *point = &sweep->point;
    if (options->is_json)
        printf("{\"kind\": \"%s\", \"cores\": %" PRIu32 ", \"seed\": %" PRIu64
               ", \"occasions\": %" PRIu64 ", \"stride\": %" PRIu64 ", \"points\": %" PRIu64
               ", \"passed\": %s, \"seconds\": %.1f}\n",
               sweep_kind_name(point->kind), point->core_count, point->seed, sweep->events,
               sweep->stride, played, is_good ? "true" : "false", seconds);
    else
        printf("%-22s %" PRIu32 " cores, seed %" PRIu64 ": %6" PRIu64 " occasions, %6" PRIu64
               " points %s, %.1f s\n",
               sweep_kind_name(point->kind), point->core_count, point->seed, sweep->events, played,
               is_good ? "passed" : "played, FAILED", seconds);
    (void)fflush(stdout);
}

/* Without anything going wrong, to know how many points there are. */
static uint64_t count_events(struct sweep_point point)
{
    struct sweep_result result;
    play_point(&point, &result);
    return result.events;
}

static bool run_sweep(const struct options *options, const struct sweep_point *point,
                      uint64_t *points_inout)
{
    uint64_t played;
    const double begin_s = now_s();
    const struct sweep sweep = {.point = *point,
                                .events = count_events(*point),
                                .stride = options->stride,
                                .is_full = options->is_full};
    const bool is_good = play_all(&sweep, options->jobs, &played);
    if (is_good && played == 0) {
        fprintf(stderr, "sweep: %s: no point to play, of %" PRIu64 " occasions\n",
                sweep_kind_name(point->kind), sweep.events);
        exit(2);
    }
    *points_inout += played;
    report(options, &sweep, played, is_good, now_s() - begin_s);
    return is_good;
}

/* ---- all of it ---- */

static int run_point(const struct options *options)
{
    for (uint32_t cores = 1; cores <= CORE_COUNT_MAX; cores++) {
        const struct sweep_point point = {.kind = (enum sweep_kind)options->kind,
                                          .seed = options->seed,
                                          .core_count = cores,
                                          .at = options->at,
                                          .then = options->then};
        struct sweep_result result;
        if (options->cores != 0 && options->cores != cores)
            continue;
        sim_trace_print(options->is_traced);
        play_point(&point, &result);
        printf("%s --at %" PRIu64 ", %" PRIu32 " cores, seed %" PRIu64 ": passed, %" PRIu64
               " operations of recovery, trace %016" PRIx64 "\n",
               sweep_kind_name(point.kind), point.at, cores, point.seed, result.recovery_operations,
               result.trace_hash);
    }
    return 0;
}

static int run_all(const struct options *options)
{
    const double begin_s = now_s();
    uint64_t points = 0;
    for (uint64_t seed = options->seed; seed < options->seed + options->seeds; seed++)
        for (uint32_t kind = 0; kind < SWEEP_KIND_COUNT; kind++)
            for (uint32_t cores = 1; cores <= CORE_COUNT_MAX; cores++) {
                const struct sweep_point point = {
                    .kind = (enum sweep_kind)kind, .seed = seed, .core_count = cores};
                if ((options->kind != SWEEP_KIND_COUNT && options->kind != kind) ||
                    (options->cores != 0 && options->cores != cores))
                    continue;
                if (!run_sweep(options, &point, &points))
                    return 1;
            }
    if (!options->is_json)
        printf("%" PRIu64 " points passed, one occasion in %" PRIu64 " of each sweep, %.1f s\n",
               points, options->stride, now_s() - begin_s);
    return 0;
}

int main(int argc, char **argv)
{
    const struct options options = parse_options(argc, argv);
    program = argv[0];
    return options.at > 0 ? run_point(&options) : run_all(&options);
}
