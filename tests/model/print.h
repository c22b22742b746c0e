#ifndef HF_MODEL_PRINT_H
#define HF_MODEL_PRINT_H
/* Runs for people: a line per operation, and a failing run as a test in C. */

#include "run.h"

#include <stdio.h>

/* "RESERVE item 7 id 0:1 buyer 40 quantity 2", without newline. */
void print_op(FILE *to, const struct op *op);

/* What the operation did: "-> OK available 3", with the record, without newline. */
void print_outcome(FILE *to, const struct run *run, const struct op *op);

/* A file for tests/unit/stock that does these operations through tests/lib/shop.h, expects what the
 * model says, and fails as the finding says. */
void print_test(FILE *to, uint64_t seed, const struct run_options *options, const struct op *ops,
                uint64_t op_count, const struct run_finding *finding);

#endif
