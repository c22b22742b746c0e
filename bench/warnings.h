#ifndef HF_BENCH_WARNINGS_H
#define HF_BENCH_WARNINGS_H
/* What a reader of a run's figures must know. */

#include "bench/load.h"

enum { WARNINGS_MAX = 4, WARNING_BYTES = 384 };

/* From this share of the time on, running or waiting for a CPU, a thread of a closed loop has
 * nothing left to give. */
#define WARNINGS_BUSY_SHARE 0.95

/* From this share of the time on a standstill is more than an accident. */
#define WARNINGS_STOOD_STILL_SHARE 0.01

/* Returns how many there are. */
int warnings_find(const struct load_result *load, char (*warnings_out)[WARNING_BYTES]);

#endif
