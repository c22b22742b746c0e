#ifndef HF_TESTS_STOCK_MODEL_H
#define HF_TESTS_STOCK_MODEL_H
/* The stock room once more, slow and obvious: arrays and linear search, written from
 * docs/guarantees.md and not from the engine's code. It answers and applies as stock/stock.h does,
 * so that results can be compared one by one. No part of engine/stock is linked for it but the
 * names and types of its headers. */

#include "stock/load.h"
#include "stock/stock.h"

struct stock_model;

/* `hash_key` is ignored. Never NULL. The arrays grow as needed; the counts are limits. */
struct stock_model *stock_model_create(const struct stock_options *options);
void stock_model_destroy(struct stock_model **model);

/* Forgets everything; the limits stay. */
void stock_model_clear(struct stock_model *model);

/* The same once more. */
struct stock_model *stock_model_copy(const struct stock_model *model);

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

/* The latest time of any record or snapshot. */
uint64_t stock_model_time_ms(const struct stock_model *model);

/* The id of the item that came first, second ...; 0 when there are not as many. */
uint64_t stock_model_item_id_at(const struct stock_model *model, size_t index);

/* ---- snapshots, as docs/log-format.md defines them ---- */

struct stock_model_snapshot {
    uint8_t *bytes; /* the entries */
    size_t bytes_count;
    size_t bytes_room;
    uint64_t entry_count;
    struct stock_saved saved;
};

void stock_model_snapshot_append(struct stock_model_snapshot *snapshot, const uint8_t *bytes,
                                 size_t bytes_count);
void stock_model_snapshot_free(struct stock_model_snapshot *snapshot);

/* The state as entries. */
void stock_model_save(const struct stock_model *model, struct stock_model_snapshot *snapshot_out);

/* What the snapshot says of itself becomes what its entries say, but for the time. False when they
 * can't be read. */
bool stock_model_snapshot_count_again(struct stock_model_snapshot *snapshot);

/* Takes what is wanted of a snapshot. NULL, or why it is refused (static text), stock_model_full
 * when only a limit of the model's options speaks against it; then the model is of no use. */
const char *stock_model_load(struct stock_model *model, const struct stock_model_snapshot *snapshot,
                             struct stock_wanted wanted);

/* The end of loading: what ended is remembered for the retention of the options, and equal
 * deadlines that were set at the same time come in the order of items and sequences. */
void stock_model_load_end(struct stock_model *model);

#endif
