/* sim: whole servers in a simulated world, crashed again and again. Options, and what they lead to.
 */
#include "base/units.h"
#include "jobs.h"
#include "summary.h"
#include "world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_CLEAN = 0, EXIT_FINDING = 1, EXIT_USAGE = 2 };

enum { RUNS_DEFAULT = 100, GOLDEN_SEEDS_MAX = 1000 };

struct options {
    struct jobs_options jobs;
    bool has_seed;
    bool traces;
    bool is_json;
    const char *golden;
    bool renews_golden;
};

enum option_name {
    OPTION_SEED,
    OPTION_TRACE,
    OPTION_RUNS,
    OPTION_FROM,
    OPTION_CRASHES,
    OPTION_SECONDS,
    OPTION_JOBS,
    OPTION_JSON,
    OPTION_GOLDEN,
    OPTION_RENEW_GOLDEN,
    OPTION_HELP,
    OPTION_COUNT,
};

/* The one table: getopt_long and --help are made from it. */
static const struct {
    const char *name;
    const char *argument;
    const char *help;
} option_table[OPTION_COUNT] = {
    [OPTION_SEED] = {"seed", "N", "one run, the one of this seed"},
    [OPTION_TRACE] = {"trace", NULL, "print what happens in the run: time in ms, who, what"},
    [OPTION_RUNS] = {"runs", "N", "so many runs [100 when nothing else bounds them]"},
    [OPTION_FROM] = {"from", "SEED", "seed of the first run; the others count up from it [1]"},
    [OPTION_CRASHES] = {"crashes", "N", "runs until there were so many crashes"},
    [OPTION_SECONDS] = {"seconds", "N", "runs for so long"},
    [OPTION_JOBS] = {"jobs", "N", "processes at once [1]"},
    [OPTION_JSON] = {"json", NULL, "the summary as one line of JSON"},
    [OPTION_GOLDEN] = {"golden", "FILE", "the runs of this file, whose traces must be the same"},
    [OPTION_RENEW_GOLDEN] = {"renew-golden", "FILE",
                             "write the file anew, after a change that was meant"},
    [OPTION_HELP] = {"help", NULL, "this text"},
};

static void print_help(void)
{
    printf("Usage: sim [OPTION...]\n\n"
           "Runs whole servers over a simulated disk, network and clock, crashes them and starts\n"
           "them again, and checks all that their clients were told. A run follows from its seed.\n"
           "\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", option_table[i].name,
                 option_table[i].argument != NULL ? " " : "",
                 option_table[i].argument != NULL ? option_table[i].argument : "");
        printf("  %-22s %s\n", left, option_table[i].help);
    }
    printf(
        "\nExit codes:\n"
        "  0  no finding\n"
        "  1  a finding: stderr says what, and the command that repeats it\n"
        "  2  wrong options\n"
        "An assertion or a sanitizer ends the program in its own way, after the same command.\n");
}

static _Noreturn void usage_error(const char *option, const char *text, const char *problem)
{
    fprintf(stderr, "sim: --%s %s: %s (see sim --help)\n", option, text, problem);
    exit(EXIT_USAGE);
}

static uint64_t parse_number(int option, const char *text, uint64_t min)
{
    uint64_t value;
    if (!units_parse_count(text, &value) || value < min)
        usage_error(option_table[option].name, text, "not a number like 1000 or 16k");
    return value;
}

static void set_option(int option, const char *text, struct options *options)
{
    struct jobs_options *jobs = &options->jobs;
    switch ((enum option_name)option) {
    case OPTION_SEED:
        options->has_seed = true;
        jobs->first_seed = parse_number(option, text, 0);
        break;
    case OPTION_TRACE:
        options->traces = true;
        break;
    case OPTION_RUNS:
        jobs->run_count = parse_number(option, text, 1);
        break;
    case OPTION_FROM:
        jobs->first_seed = parse_number(option, text, 0);
        break;
    case OPTION_CRASHES:
        jobs->crash_count = parse_number(option, text, 1);
        break;
    case OPTION_SECONDS:
        jobs->seconds = parse_number(option, text, 1);
        break;
    case OPTION_JOBS:
        jobs->job_count = (uint32_t)parse_number(option, text, 1);
        break;
    case OPTION_JSON:
        options->is_json = true;
        break;
    case OPTION_GOLDEN:
        options->golden = text;
        break;
    case OPTION_RENEW_GOLDEN:
        options->golden = text;
        options->renews_golden = true;
        break;
    case OPTION_HELP:
        print_help();
        exit(EXIT_CLEAN);
    case OPTION_COUNT:
        break;
    }
}

static void parse_options(int argc, char **argv, struct options *options)
{
    struct option long_options[OPTION_COUNT + 1] = {0};
    int option;
    for (int i = 0; i < OPTION_COUNT; i++)
        long_options[i] = (struct option){
            .name = option_table[i].name,
            .has_arg = option_table[i].argument != NULL ? required_argument : no_argument,
            .val = i,
        };
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?') {
            fprintf(stderr, "sim: see sim --help\n");
            exit(EXIT_USAGE);
        }
        set_option(option, optarg, options);
    }
    if (optind < argc) {
        fprintf(stderr, "sim: what is '%s'? (see sim --help)\n", argv[optind]);
        exit(EXIT_USAGE);
    }
    if (options->traces && !options->has_seed) {
        fprintf(stderr, "sim: --trace is for one run: name its --seed\n");
        exit(EXIT_USAGE);
    }
}

/* ---- golden traces ---- */

struct golden {
    uint64_t seed;
    uint64_t hash;
};

static const char golden_story[] =
    "# Hashes of the traces of these seeds: all compilers and builds must get the same.\n"
    "# Renew on purpose, after a change of engine or simulator: sim --renew-golden FILE\n";

static uint32_t read_golden(const char *path, struct golden *goldens)
{
    char line[128];
    uint32_t count = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        usage_error("golden", path, "cannot be read");
    while (count < GOLDEN_SEEDS_MAX && fgets(line, sizeof line, file) != NULL)
        if (line[0] != '#' &&
            sscanf(line, "%" SCNu64 " %" SCNx64, &goldens[count].seed, &goldens[count].hash) >= 1)
            count++;
    (void)fclose(file);
    if (count == 0)
        usage_error("golden", path, "has no seed in it");
    return count;
}

static void write_golden(const char *path, const struct golden *goldens, uint32_t count)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        usage_error("renew-golden", path, "cannot be written");
    fprintf(file, "%s", golden_story);
    for (uint32_t i = 0; i < count; i++)
        fprintf(file, "%" PRIu64 " %016" PRIx64 "\n", goldens[i].seed, goldens[i].hash);
    (void)fclose(file);
}

static int run_golden(const struct options *options)
{
    static struct golden goldens[GOLDEN_SEEDS_MAX];
    uint32_t count = read_golden(options->golden, goldens);
    uint32_t different_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct run_result one;
        jobs_run_seed(goldens[i].seed, options->jobs.program, &one);
        bool is_same = one.trace_hash == goldens[i].hash;
        if (!is_same && !options->renews_golden)
            printf("seed %" PRIu64 ": trace hash %016" PRIx64 ", not %016" PRIx64 "\n",
                   goldens[i].seed, one.trace_hash, goldens[i].hash);
        different_count += !is_same;
        goldens[i].hash = one.trace_hash;
    }
    if (options->renews_golden)
        write_golden(options->golden, goldens, count);
    printf("%" PRIu32 " traces, %" PRIu32 " %s\n", count, different_count,
           options->renews_golden ? "renewed" : "different");
    return different_count > 0 && !options->renews_golden ? EXIT_FINDING : EXIT_CLEAN;
}

/* ---- main ---- */

int main(int argc, char **argv)
{
    struct options options = {.jobs = {.job_count = 1, .first_seed = 1, .program = argv[0]}};
    struct jobs_result result;
    parse_options(argc, argv, &options);
    if (options.golden != NULL)
        return run_golden(&options);

    struct jobs_options *jobs = &options.jobs;
    if (options.has_seed)
        jobs->run_count = 1;
    else if (jobs->run_count == 0 && jobs->crash_count == 0 && jobs->seconds == 0)
        jobs->run_count = RUNS_DEFAULT;
    if (jobs->run_count == 1)
        jobs->job_count = 1;
    sim_trace_print(options.traces);
    if (isatty(STDERR_FILENO) && !options.traces)
        jobs->progress = summary_progress;
    jobs_run(jobs, &result);
    if (jobs->progress != NULL)
        summary_progress_end();
    if (options.is_json)
        summary_print_json(&result);
    else
        summary_print(&result);
    return result.has_finding ? EXIT_FINDING : EXIT_CLEAN;
}
