#ifndef HF_BENCH_REPORT_H
#define HF_BENCH_REPORT_H
/* What a run found out, as a page for people or as one JSON object; to stdout. */

#include "bench/load.h"
#include "bench/verify.h"

struct report {
    const struct bench_options *options;
    const struct bench_items *items;
    const struct workload *workload;
    const struct load_target *target;
    const struct load_result *load;
    const struct verify_result *verify; /* NULL when not asked for */
};

void report_print_text(const struct report *report);

/* False when there is no memory. */
bool report_print_json(const struct report *report);

#endif
