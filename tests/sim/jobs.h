#ifndef HF_SIM_JOBS_H
#define HF_SIM_JOBS_H
/* Many runs, one after the other or in several processes at once. */

#include "run.h"

#include <stdbool.h>

struct jobs_options {
    uint32_t job_count; /* 1: in this process */
    uint64_t first_seed;
    uint64_t run_count;   /* 0: no limit */
    uint64_t crash_count; /* runs begin until there were so many; 0: no limit */
    uint64_t seconds;     /* runs begin for so long; 0: no limit */
    const char *program;  /* for the command that repeats a run */
    void (*progress)(const struct run_result *sum, uint64_t elapsed_ms); /* or NULL */
};

struct jobs_result {
    struct run_result sum;
    uint64_t elapsed_ms;
    bool has_finding; /* told on stderr; with one process the program ends there */
};

void jobs_run(const struct jobs_options *options, struct jobs_result *result_out);

/* One run in this process, with the command that repeats it at hand and a limit on its time. */
void jobs_run_seed(uint64_t seed, const char *program, struct run_result *result_out);

#endif
