/* The processes take the next seed from a counter that they share, and write a run's result to a
 * pipe as a whole. The parent adds the results up and says when it is enough. A finding ends its
 * process with code 1 (sim_fail()), an assertion or a sanitizer by a signal or another code; the
 * parent then ends the others. */
#include "jobs.h"

#include "world.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 256, RUN_SECONDS_MAX = 300, PROGRESS_MS = 500 };

static_assert(sizeof(struct run_result) <= PIPE_BUF, "results are written to the pipe as a whole");

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- one run ---- */

static void take_too_long(int number)
{
    static const char text[] = "FINDING answered: the run does not come to an end\n";
    (void)number;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    abort(); /* whose handler prints the command that repeats the run */
}

void jobs_run_seed(uint64_t seed, const char *program, struct run_result *result_out)
{
    char command[PATH_MAX];
    snprintf(command, sizeof command, "%.1000s --seed %" PRIu64 " --trace", program, seed);
    sim_set_repeat_command(command);
    signal(SIGALRM, take_too_long);
    alarm(RUN_SECONDS_MAX);
    run_seed(seed, result_out);
    alarm(0);
}

/* ---- when it is enough ---- */

struct limits {
    const struct jobs_options *options;
    uint64_t started_ms;
};

static bool is_enough(const struct limits *limits, const struct run_result *sum)
{
    const struct jobs_options *options = limits->options;
    uint64_t crash_count = sum->kills + sum->powers + sum->failures;
    return (options->crash_count != 0 && crash_count >= options->crash_count) ||
           (options->seconds != 0 && now_ms() - limits->started_ms >= options->seconds * 1000);
}

static void tell(const struct limits *limits, const struct run_result *sum, uint64_t *told_ms)
{
    uint64_t now = now_ms();
    if (limits->options->progress == NULL || now - *told_ms < PROGRESS_MS)
        return;
    *told_ms = now;
    limits->options->progress(sum, now - limits->started_ms);
}

/* ---- in this process ---- */

static void run_here(const struct limits *limits, struct jobs_result *result)
{
    const struct jobs_options *options = limits->options;
    uint64_t told_ms = 0;
    for (uint64_t i = 0; options->run_count == 0 || i < options->run_count; i++) {
        struct run_result one;
        if (is_enough(limits, &result->sum))
            break;
        jobs_run_seed(options->first_seed + i, options->program, &one);
        run_result_add(&result->sum, &one);
        tell(limits, &result->sum, &told_ms);
    }
}

/* ---- in several ---- */

/* In memory that all share. */
struct board {
    uint64_t runs_begun;
    uint32_t is_over;
};

static _Noreturn void work(struct board *board, const struct jobs_options *options, int pipe_fd)
{
    struct run_result one;
    while (!__atomic_load_n(&board->is_over, __ATOMIC_RELAXED)) {
        uint64_t index = __atomic_fetch_add(&board->runs_begun, 1, __ATOMIC_RELAXED);
        if (options->run_count != 0 && index >= options->run_count)
            break;
        jobs_run_seed(options->first_seed + index, options->program, &one);
        if (write(pipe_fd, &one, sizeof one) != (ssize_t)sizeof one)
            _exit(1);
    }
    _exit(0);
}

static _Noreturn void fail_system(const char *what)
{
    fprintf(stderr, "sim: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void begin_jobs(struct board *board, const struct jobs_options *options, pid_t *pids,
                       int *read_fd_out)
{
    int fds[2];
    if (pipe(fds) != 0)
        fail_system("pipe");
    fflush(NULL);
    for (uint32_t i = 0; i < options->job_count; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            fail_system("fork");
        if (pids[i] == 0) {
            close(fds[0]);
            work(board, options, fds[1]);
        }
    }
    close(fds[1]);
    *read_fd_out = fds[0];
}

static void end_job(pid_t *pids, uint32_t job_count, pid_t ended)
{
    for (uint32_t i = 0; i < job_count; i++)
        if (pids[i] == ended)
            pids[i] = 0;
}

/* Looks after processes that have ended. True when one had a finding. */
static bool reap(pid_t *pids, uint32_t job_count, bool waits)
{
    bool has_finding = false;
    for (uint32_t i = 0; i < job_count; i++) {
        int status;
        if (pids[i] == 0 || waitpid(pids[i], &status, waits ? 0 : WNOHANG) != pids[i])
            continue;
        bool is_clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
            fprintf(stderr, "sim: a run has died by signal %d\n", WTERMSIG(status));
        has_finding |= !is_clean;
        end_job(pids, job_count, pids[i]);
    }
    return has_finding;
}

static void end_all(const pid_t *pids, uint32_t job_count)
{
    for (uint32_t i = 0; i < job_count; i++)
        if (pids[i] != 0)
            kill(pids[i], SIGKILL);
}

static void collect(const struct limits *limits, struct board *board, pid_t *pids, int read_fd,
                    struct jobs_result *result)
{
    uint32_t job_count = limits->options->job_count;
    uint64_t told_ms = 0;
    struct run_result one;
    struct pollfd poll_fd = {.fd = read_fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&poll_fd, 1, PROGRESS_MS);
        if (ready > 0) {
            if (read(read_fd, &one, sizeof one) != (ssize_t)sizeof one)
                break; /* all have ended */
            run_result_add(&result->sum, &one);
        }
        if (is_enough(limits, &result->sum))
            __atomic_store_n(&board->is_over, 1, __ATOMIC_RELAXED);
        if (reap(pids, job_count, false)) {
            result->has_finding = true;
            end_all(pids, job_count);
            break;
        }
        tell(limits, &result->sum, &told_ms);
    }
    bool has_late_finding = reap(pids, job_count, true);
    result->has_finding |= has_late_finding;
}

static void run_in_processes(const struct limits *limits, struct jobs_result *result)
{
    static pid_t pids[JOBS_MAX];
    struct jobs_options options = *limits->options;
    struct limits own = {.options = &options, .started_ms = limits->started_ms};
    int read_fd;
    if (options.job_count > JOBS_MAX)
        options.job_count = JOBS_MAX;
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        fail_system("mmap");
    begin_jobs(board, &options, pids, &read_fd);
    collect(&own, board, pids, read_fd, result);
    close(read_fd);
    munmap(board, sizeof *board);
}

void jobs_run(const struct jobs_options *options, struct jobs_result *result_out)
{
    const struct limits limits = {.options = options, .started_ms = now_ms()};
    memset(result_out, 0, sizeof *result_out);
    if (options->job_count == 1)
        run_here(&limits, result_out);
    else
        run_in_processes(&limits, result_out);
    result_out->elapsed_ms = now_ms() - limits.started_ms;
}
