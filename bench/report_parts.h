#ifndef HF_BENCH_REPORT_PARTS_H
#define HF_BENCH_REPORT_PARTS_H
/* The parts of a report: as text, which is printed, and as JSON, which is given back and is NULL
 * when there is no memory. report.c puts them together. */

#include "bench/report.h"

#include <jansson.h>
#include <stdbool.h>

void report_text_head(const struct bench_options *options, const struct run *run);
void report_text_place(const struct report_place *place, const struct run *run);
void report_text_run(const struct bench_options *options, const struct run *run);
void report_text_median(const struct bench_options *options, const struct figures *median,
                        uint32_t runs);

/* A line of the table over all rates, with its head. */
void report_text_ramp(uint64_t rate, const struct figures *median, bool with_head);

json_t *report_json_settings(const struct bench_options *options, const struct run *run);
json_t *report_json_place(const struct report_place *place, const struct run *run);
json_t *report_json_run(const struct bench_options *options, const struct run *run);
json_t *report_json_median(const struct bench_options *options, const struct figures *median);

/* To stdout. */
bool report_json_print(const json_t *root);

#endif
