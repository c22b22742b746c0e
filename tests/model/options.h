#ifndef HF_MODEL_OPTIONS_H
#define HF_MODEL_OPTIONS_H
/* The command line of the model test. */

#include <stdbool.h>
#include <stdint.h>

enum exit_code {
    EXIT_AGREED = 0,
    EXIT_FOUND = 1,   /* engine and model do not agree, or a run died */
    EXIT_USAGE = 2,   /* wrong usage */
    EXIT_TROUBLE = 3, /* the machine refused memory or a process */
};

enum { OPTIONS_JOB_COUNT_MAX = 256 };
#define OPTIONS_OPERATION_COUNT_MAX 1000000ull

struct options {
    uint64_t seed;            /* of the first run; the next one has the next number */
    uint64_t operation_count; /* of a run */
    uint64_t run_count;       /* UINT64_MAX: until the time is over */
    uint64_t seconds;         /* 0: until the runs are done */
    uint32_t job_count;
    bool is_trace, is_json, is_help;
};

/* False after a line to stderr. */
bool options_parse(int argc, char **argv, struct options *options_out);

void options_print_help(void);

#endif
