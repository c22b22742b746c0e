#ifndef HF_TESTS_STOCK_MODEL_H
#define HF_TESTS_STOCK_MODEL_H
/* The stock room once more, slow and obvious: arrays and linear search, written from
 * docs/guarantees.md and not from the engine's code. It answers and applies as stock/stock.h does,
 * so that results can be compared one by one. No part of engine/stock is linked for it but the
 * names and types of its headers. */

#include "stock/stock.h"

struct stock_model;

/* `hash_key` is ignored. Never NULL. The arrays grow as needed; the counts are limits. */
struct stock_model *stock_model_create(const struct stock_options *options);
void stock_model_destroy(struct stock_model **model);

/* Forgets everything; the limits stay. */
void stock_model_clear(struct stock_model *model);

/* As stock_decide() and its sisters: all of the reply but `seen_lsn`, and the record but its lsn
 * and hints. Changes nothing. */
void stock_model_decide(const struct stock_model *model, const struct stock_request *request,
                        uint64_t now_ms, struct stock_reply *reply_out,
                        struct stock_record *record_out);
void stock_model_decide_item_create(const struct stock_model *model,
                                    const struct stock_item_settings *settings, uint64_t now_ms,
                                    struct stock_reply *reply_out, struct stock_record *record_out);
void stock_model_decide_item_update(const struct stock_model *model,
                                    const struct stock_item_settings *settings,
                                    uint32_t update_mask, uint64_t now_ms,
                                    struct stock_reply *reply_out, struct stock_record *record_out);

/* False when nothing is due. Of equal deadlines the one that was set first comes first. */
bool stock_model_decide_due(const struct stock_model *model, uint64_t now_ms,
                            struct stock_record *record_out);
uint64_t stock_model_next_due_ms(const struct stock_model *model);

/* NULL, or why the record is not legal in this state (static text); stock_model_full when only a
 * limit of the model's options speaks against it. */
extern const char stock_model_full[];
const char *stock_model_check(const struct stock_model *model, const struct stock_record *record);

/* Applies a record if stock_model_check() has nothing against it, and returns what that says. */
const char *stock_model_apply(struct stock_model *model, const struct stock_record *record);

/* False when there is no such item. */
bool stock_model_item_find(const struct stock_model *model, uint64_t item_id,
                           struct stock_item_view *view_out);

struct stock_counts stock_model_counts(const struct stock_model *model);

/* The state hash, computed as docs/log-format.md defines it. */
uint64_t stock_model_hash(const struct stock_model *model);

#endif
