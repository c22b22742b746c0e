#ifndef HF_BENCH_WARNINGS_H
#define HF_BENCH_WARNINGS_H
/* What a reader of a run's figures must know. */

#include "bench/load.h"

enum { WARNINGS_MAX = 2, WARNING_BYTES = 384 };

/* Returns how many there are. */
int warnings_find(const struct load_result *load, char (*warnings_out)[WARNING_BYTES]);

#endif
