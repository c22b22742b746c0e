#include "bench/cpus.h"
#include "bench/options.h"
#include "bench/series.h"

#include "base/standard_files.h"

#include <stdio.h>

/* holdfast-bench: prepares the items, runs the load, proves the books, reports. */

static int complain(const char *what)
{
    fprintf(stderr, "holdfast-bench: %s\n", what);
    return SERIES_USAGE;
}

static int run(int argc, char **argv)
{
    struct bench_options options;
    char error[256];
    switch (options_parse(argc, argv, &options, error, sizeof error)) {
    case OPTIONS_HELP:
        options_print_help();
        return SERIES_DONE;
    case OPTIONS_VERSION:
        printf("holdfast-bench %s\n", HOLDFAST_VERSION);
        return SERIES_DONE;
    case OPTIONS_WRONG:
        fprintf(stderr, "holdfast-bench: %s\nTry holdfast-bench --help.\n", error);
        return SERIES_USAGE;
    case OPTIONS_RUN:
        break;
    }
    cpu_set_t cpus;
    if (options.cpus != NULL && cpus_parse(options.cpus, &cpus)) {
        const char *why = cpus_use(&cpus);
        if (why != NULL) {
            snprintf(error, sizeof error, "--cpus %s: %s", options.cpus, why);
            return complain(error);
        }
    }
    return (int)series_run(&options);
}

int main(int argc, char **argv)
{
    standard_files_open();
    int end = run(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && end == SERIES_DONE) {
        fprintf(stderr, "holdfast-bench: the report could not be written to the standard output: "
                        "is its disk full?\n");
        return SERIES_TROUBLE;
    }
    return end;
}
