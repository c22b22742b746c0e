#ifndef HF_BENCH_MICRO_NUMBER_H
#define HF_BENCH_MICRO_NUMBER_H
/* Numbers on the command lines of the programs of this folder. */

#include <stdbool.h>
#include <stdint.h>

/* A count from 1 to `max`, such as "10M". False, and says so, when the text is something else. */
bool number_parse(const char *text, uint64_t max, uint64_t *value_out);

#endif
