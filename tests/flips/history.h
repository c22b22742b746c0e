#ifndef HF_TESTS_FLIPS_HISTORY_H
#define HF_TESTS_FLIPS_HISTORY_H
/* All that ever was in the logs of a builder, by which a state is judged: nothing may be in it that
 * was not so at some time. */

#include "data_builder.h"

struct history;

struct history *history_create(const struct data_builder *builder);
void history_destroy(struct history **history);

/* NULL, or what is in the state and never was (static text). The stock is settled. A hold whose
 * deadline has passed may have expired without a record. */
const char *history_contradicts(const struct history *history, struct stock *stock);

#endif
