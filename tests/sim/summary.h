#ifndef HF_SIM_SUMMARY_H
#define HF_SIM_SUMMARY_H
/* What many runs came to, for people and for programs. */

#include "jobs.h"

void summary_print(const struct jobs_result *result);
void summary_print_json(const struct jobs_result *result);

/* One line, written over the one before. */
void summary_progress(const struct run_result *sum, uint64_t elapsed_ms);
void summary_progress_end(void);

#endif
