#include "jobs.h"

#include "generate.h"
#include "print.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum job_exit { JOB_AGREED = 0, JOB_FOUND = 1, JOB_REFUSED = 2 };

/* ---- one run ---- */

/* At the end all time passes, and everything that is due then is worked off. */
static struct op closing_op(const struct run *run, bool is_first)
{
    struct op op = {.kind = OP_DUE};
    if (is_first && run->now_ms < STOCK_TIME_MS_MAX)
        op = (struct op){.kind = OP_TIME, .advance_ms = STOCK_TIME_MS_MAX};
    return op;
}

static bool do_op(struct job *job, struct run *run, const struct op *op, bool is_trace)
{
    job->ops[job->op_count++] = *op;
    bool agree = run_step(run, op);
    if (is_trace) {
        printf("seed %" PRIu64 " #%" PRIu64 " at %" PRIu64 ": ", job->seed, job->op_count - 1,
               run->now_ms);
        print_op(stdout, op);
        print_outcome(stdout, run, op);
        putchar('\n');
    }
    return agree;
}

static bool close_run(struct job *job, struct run *run, bool is_trace)
{
    bool is_first = true;
    bool is_due = true;
    while (is_first || is_due) {
        struct op op = closing_op(run, is_first);
        if (!do_op(job, run, &op, is_trace))
            return false;
        is_first = false;
        is_due = stock_model_next_due_ms(run->model) <= run->now_ms;
    }
    return run_finish(run) && run_replay_logs(run);
}

static bool do_run(struct job *job, struct run *run, const struct options *options,
                   struct generator *generator)
{
    uint64_t op_count = options->operation_count / generator->plan.length_divisor;
    for (uint64_t i = 0; i < op_count; i++) {
        struct op op;
        generator_next(generator, run, job->ops, job->op_count, &op);
        if (!do_op(job, run, &op, options->is_trace))
            return false;
        generator_note(generator, run);
    }
    return close_run(job, run, options->is_trace);
}

static void add_counts(struct run_counts *sum, const struct run_counts *counts)
{
    sum->operations += counts->operations;
    for (size_t i = 0; i < sizeof sum->kinds / sizeof sum->kinds[0]; i++)
        sum->kinds[i] += counts->kinds[i];
    for (size_t i = 0; i < sizeof sum->codes / sizeof sum->codes[0]; i++)
        sum->codes[i] += counts->codes[i];
    for (size_t i = 0; i < sizeof sum->records / sizeof sum->records[0]; i++)
        sum->records[i] += counts->records[i];
    sum->offers_legal += counts->offers_legal;
    sum->offers_full += counts->offers_full;
    sum->offers_refused += counts->offers_refused;
    sum->saves += counts->saves;
    sum->saved_entries += counts->saved_entries;
    sum->restarts += counts->restarts;
    sum->snapshots_true += counts->snapshots_true;
    sum->snapshots_full += counts->snapshots_full;
    sum->snapshots_refused += counts->snapshots_refused;
}

static enum job_exit run_seed(struct job *job, const struct options *options, uint64_t seed)
{
    struct generator generator;
    struct run run;
    generator_begin(&generator, seed);
    job->seed = seed;
    job->op_count = 0;
    job->options = generator.plan.run;
    if (!run_begin(&run, &job->options))
        return JOB_REFUSED;
    bool agree = do_run(job, &run, options, &generator);
    if (agree) {
        job->run_count++;
        add_counts(&job->counts, &run.counts);
        job->digest += run.digest;
    } else {
        job->finding = run.finding;
    }
    if (options->is_trace)
        printf("seed %" PRIu64 " digest of all answers %016" PRIx64 "\n", seed, run.digest);
    run_end(&run);
    return agree ? JOB_AGREED : JOB_FOUND;
}

/* ---- one process ---- */

static time_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static enum job_exit run_seeds(struct job *job, const struct options *options, uint32_t number)
{
    time_t end_s = now_s() + (time_t)options->seconds;
    enum job_exit result = JOB_AGREED;
    for (uint64_t i = number; i < options->run_count && result == JOB_AGREED;
         i += options->job_count) {
        if (options->seconds != 0 && now_s() >= end_s)
            break;
        result = run_seed(job, options, options->seed + i);
    }
    return result;
}

/* ---- all processes ---- */

/* The closing operations of a run are at most one expiry and one forgetting of each reservation. */
static uint64_t op_room(const struct options *options)
{
    return options->operation_count + 2 * PLAN_RESERVATION_COUNT_MAX + 2;
}

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static struct job *make_jobs(const struct options *options)
{
    struct job *jobs = share(options->job_count * sizeof *jobs);
    for (uint32_t i = 0; jobs != NULL && i < options->job_count; i++) {
        jobs[i].ops = share(op_room(options) * sizeof(struct op));
        if (jobs[i].ops == NULL)
            return NULL;
    }
    return jobs;
}

static pid_t start_job(struct job *job, const struct options *options, uint32_t number)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        exit((int)run_seeds(job, options, number));
    return pid;
}

/* Ends those that still run. */
static void stop_jobs(const pid_t *pids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pids[i] > 0) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
    }
}

static void find_crash(struct job *job, int status)
{
    job->finding = (struct run_finding){.check = "crash", .op_index = job->op_count - 1};
    if (WIFSIGNALED(status))
        snprintf(job->finding.text, sizeof job->finding.text, "the run died of signal %d",
                 WTERMSIG(status));
    else
        snprintf(job->finding.text, sizeof job->finding.text, "the run ended with exit code %d",
                 WEXITSTATUS(status));
}

static uint32_t job_of(const pid_t *pids, uint32_t count, pid_t pid)
{
    uint32_t number = 0;
    while (number < count && pids[number] != pid)
        number++;
    return number;
}

/* Waits for all, or for the first that does not end well. */
static struct job *wait_for_jobs(struct job *jobs, pid_t *pids, uint32_t count,
                                 bool *is_trouble_out)
{
    for (uint32_t left = count; left > 0;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 && errno == EINTR)
            continue;
        uint32_t number = job_of(pids, count, pid);
        if (pid < 0 || number == count)
            break;
        pids[number] = 0;
        left--;
        if (status == 0)
            continue;
        if (WIFEXITED(status) && WEXITSTATUS(status) == JOB_REFUSED) {
            *is_trouble_out = true;
            return NULL;
        }
        if (jobs[number].finding.check[0] == '\0')
            find_crash(&jobs[number], status);
        return &jobs[number];
    }
    return NULL;
}

struct job *jobs_run(const struct options *options, struct job *totals_out, bool *is_trouble_out)
{
    pid_t pids[OPTIONS_JOB_COUNT_MAX] = {0};
    struct job *jobs = make_jobs(options);
    struct job *found = NULL;
    *totals_out = (struct job){.seed = options->seed};
    *is_trouble_out = jobs == NULL;
    for (uint32_t i = 0; i < options->job_count && !*is_trouble_out; i++) {
        pids[i] = start_job(&jobs[i], options, i);
        *is_trouble_out = pids[i] < 0;
    }
    if (!*is_trouble_out)
        found = wait_for_jobs(jobs, pids, options->job_count, is_trouble_out);
    stop_jobs(pids, options->job_count);
    for (uint32_t i = 0; jobs != NULL && i < options->job_count; i++) {
        totals_out->run_count += jobs[i].run_count;
        totals_out->digest += jobs[i].digest;
        add_counts(&totals_out->counts, &jobs[i].counts);
    }
    return found;
}
