#ifndef HF_BENCH_REPORT_H
#define HF_BENCH_REPORT_H
/* What the runs found out, as a page for people or as one JSON object; to stdout. A single run is
 * told as such. Of several each is told, and then the median of all. */

#include "bench/data_disk.h"
#include "bench/figures.h"
#include "bench/machine.h"
#include "bench/run.h"

#include <stdbool.h>
#include <stdint.h>

/* Where it was, as far as can be known. */
struct report_place {
    struct machine machine;
    struct data_disk disk;
};

struct report {
    const struct bench_options *options;
    const struct report_place *place;
    uint32_t runs; /* told so far */
    struct json_t *root;
};

/* In order of life. The options are those of all runs. */
void report_begin(struct report *report, const struct bench_options *options,
                  const struct report_place *place);

/* The next run has ended; `options` are its own. */
void report_run(struct report *report, const struct bench_options *options, const struct run *run);

/* The figures of all runs that were told. */
void report_end(struct report *report, const struct figures *figures);

#endif
