#ifndef HF_SIM_CHECK_ANSWER_H
#define HF_SIM_CHECK_ANSWER_H
/* One item's state on its way through its records, and the question whether an answer is right in
 * it. Shared by the search (check_answer.c) and what explains its findings (explain_answer.c). */

#include "history_private.h"

struct stage {
    const struct book_item *item;
    struct stock_model *model;
    uint32_t record_count; /* applied */
    /* What the model says of the item now. */
    bool has_item;
    struct stock_item_view view;
    /* The engine was in this state in this time, ends included. */
    uint64_t from_ms, to_ms;
    uint32_t to_life; /* of the record that ends it; 0: none does */
};

/* The item before its first record. */
void stage_open(struct stage *stage, const struct book_item *item);
/* Applies the next record. */
void stage_advance(struct stage *stage);
void stage_close(struct stage *stage);

/* The record that comes next, or NULL. */
struct book_record *stage_next_record(const struct stage *stage);

/* What the model answers here at this time, in the call's words, and the record it makes. */
struct decision {
    struct stock_reply reply;
    struct stock_record record;
    bool has_view;
    struct stock_item_view view;
};
void stage_decide(const struct stage *stage, const struct book_call *call, uint64_t now_ms,
                  struct decision *decision);

/* Would the call be answered so here, without a record? */
bool stage_explains_answer(const struct stage *stage, const struct book_call *call);

/* Refused, rightly, for a field that is wrong whatever the state: such an answer waits for nothing,
 * and is before and after everything. */
bool answer_needs_no_state(const struct book_call *call);

/* Does the call make this record here, and is it then answered so? For a call whose answer is not
 * known only the record counts. */
bool stage_explains_record(const struct stage *stage, const struct book_call *call,
                           const struct stock_record *record);

/* Would the call be answered so here if it made a record, one that is not among those of the item?
 */
bool stage_misses_record(const struct stage *stage, const struct book_call *call);

/* Ends the run with all there is to say about an answer that no state explains. The answers read
 * before the call was asked need `from_count` records at least. `after_call` was asked before it on
 * the same connection and has no point before that; or BOOK_NONE. */
_Noreturn void explain_answer(uint32_t call_number, uint32_t from_count, uint32_t after_call);

#endif
