#ifndef HF_MODEL_COMPARE_H
#define HF_MODEL_COMPARE_H
/* What the engine says and what a model says. Where they do not agree it is noted in run->finding,
 * and the answer is false. */

#include "run.h"

__attribute__((format(printf, 3, 4))) bool compare_find(struct run *run, const char *check,
                                                        const char *format, ...);
bool compare_numbers(struct run *run, const char *check, const char *what, uint64_t engine,
                     uint64_t model);

/* With run->reply and run->record. */
bool compare_reply(struct run *run, const struct stock_reply *expected);
bool compare_record(struct run *run, const struct stock_record *expected);

bool compare_item(struct run *run, const struct stock *stock, const struct stock_model *model,
                  uint64_t item_id);
bool compare_counts(struct run *run, const struct stock *stock, const struct stock_model *model);
bool compare_hash(struct run *run, const struct stock *stock, const struct stock_model *model,
                  const char *check);

#endif
