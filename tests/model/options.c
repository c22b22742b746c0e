#include "options.h"

#include "base/units.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum option_number {
    OPTION_SEED,
    OPTION_OPERATIONS,
    OPTION_RUNS,
    OPTION_SECONDS,
    OPTION_JOBS,
    OPTION_TRACE,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_COUNT,
};

/* The only list of them: getopt_long()'s table, the ranges and the help are made from it. */
static const struct {
    const char *name;
    const char *argument; /* NULL = none */
    uint64_t min, max;
    const char *help;
} rows[OPTION_COUNT] = {
    [OPTION_SEED] = {"seed", "N", 0, UINT64_MAX,
                     "of the first run; each run has the next number [1]"},
    [OPTION_OPERATIONS] = {"operations", "N", 1, OPTIONS_OPERATION_COUNT_MAX,
                           "operations of a run at most [20k]"},
    [OPTION_RUNS] = {"runs", "N", 1, UINT64_MAX, "so many runs [1, or any number with --seconds]"},
    [OPTION_SECONDS] = {"seconds", "N", 1, 1000000000, "begin no run after so many seconds"},
    [OPTION_JOBS] = {"jobs", "N", 1, OPTIONS_JOB_COUNT_MAX, "processes side by side [1]"},
    [OPTION_TRACE] = {"trace", NULL, 0, 0, "print every operation with its answer; one job"},
    [OPTION_JSON] = {"json", NULL, 0, 0, "print the summary as one JSON object"},
    [OPTION_HELP] = {"help", NULL, 0, 0, "print this and exit"},
};

void options_print_help(void)
{
    puts("Usage: model [OPTION]...\n"
         "Does random operations on the engine's state and on a slow and obvious model of it, and\n"
         "compares everything that they say. What a run is like follows from its seed.\n\n"
         "A run that fails is made short and printed as a test for "
         "tests/unit/stock/test_found.c.\n\n"
         "Options:");
    for (int i = 0; i < OPTION_COUNT; i++)
        printf("  --%-10s %-2s %s\n", rows[i].name,
               rows[i].argument != NULL ? rows[i].argument : "", rows[i].help);
    puts("\nN may be written as 20k or 10M.\n\n"
         "Exit codes:\n"
         "  0  engine and model agreed\n"
         "  1  they did not, or a run died; the seed is in the output\n"
         "  2  wrong usage\n"
         "  3  the machine refused memory or a process");
}

static void set(struct options *options, int row, uint64_t value)
{
    switch (row) {
    case OPTION_SEED:
        options->seed = value;
        break;
    case OPTION_OPERATIONS:
        options->operation_count = value;
        break;
    case OPTION_RUNS:
        options->run_count = value;
        break;
    case OPTION_SECONDS:
        options->seconds = value;
        break;
    case OPTION_JOBS:
        options->job_count = (uint32_t)value;
        break;
    case OPTION_TRACE:
        options->is_trace = true;
        break;
    case OPTION_JSON:
        options->is_json = true;
        break;
    default:
        options->is_help = true;
        break;
    }
}

static bool parse_row(struct options *options, int row, const char *text)
{
    uint64_t value = 0;
    if (rows[row].argument != NULL &&
        (!units_parse_count(text, &value) || value < rows[row].min || value > rows[row].max)) {
        fprintf(stderr, "model: --%s %s: not a number from %llu to %llu\n", rows[row].name, text,
                (unsigned long long)rows[row].min, (unsigned long long)rows[row].max);
        return false;
    }
    set(options, row, value);
    return true;
}

bool options_parse(int argc, char **argv, struct options *options_out)
{
    struct option longs[OPTION_COUNT + 1] = {{.name = NULL}};
    int row;
    *options_out = (struct options){.seed = 1, .operation_count = 20000, .job_count = 1};
    for (row = 0; row < OPTION_COUNT; row++)
        longs[row] = (struct option){
            .name = rows[row].name,
            .has_arg = rows[row].argument != NULL ? required_argument : no_argument,
            .val = row,
        };
    while ((row = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (row < 0 || row >= OPTION_COUNT || !parse_row(options_out, row, optarg))
            return false;
    }
    if (optind < argc) {
        fprintf(stderr, "model: '%s' is no option\n", argv[optind]);
        return false;
    }
    if (options_out->run_count == 0)
        options_out->run_count = options_out->seconds != 0 ? UINT64_MAX : 1;
    if (options_out->is_trace)
        options_out->job_count = 1;
    return true;
}
