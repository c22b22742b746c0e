#ifndef HF_MODEL_GENERATE_H
#define HF_MODEL_GENERATE_H
/* Draws the operations of a run, one after the other. They follow what has happened: most ask about
 * reservations that there are, at times at which something is due. */

#include "plan.h"

enum { GENERATE_KNOWN_COUNT_MAX = 64 };

struct generator {
    struct plan plan;
    struct test_random random;
    /* the newest holds, as they were made */
    struct stock_record known[GENERATE_KNOWN_COUNT_MAX];
    uint32_t known_count;
    uint64_t used_id_count;
    uint32_t due_left;
};

void generator_begin(struct generator *generator, uint64_t seed);

/* The next operation of a run that has done `ops`. */
void generator_next(struct generator *generator, const struct run *run, const struct op *ops,
                    uint64_t op_count, struct op *op_out);

/* Looks at what the operation did. */
void generator_note(struct generator *generator, const struct run *run);

#endif
