#ifndef HF_MODEL_RUN_H
#define HF_MODEL_RUN_H
/* One run: a stock, its twin that is fed with the encoded records and has another hash key, and the
 * model. Each operation is done on all of them, and what they say is compared. */

#include "op.h"
#include "stock_model.h"

#include <stdbool.h>
#include <stdint.h>

struct run;

/* Asked after each operation in which all agreed: a text is a finding of the check "hook". */
typedef const char *(*run_hook_fn)(const struct run *run, const struct op *op);

struct run_options {
    struct stock_options tables;
    uint64_t start_ms;
    /* After so many operations everything is compared, and every invariant is asserted; 0 = in the
     * end only. What an operation touches is compared at once in any case. */
    uint32_t compare_every, validate_every;
    run_hook_fn hook; /* or NULL */
};

enum { RUN_TEXT_BYTES_MAX = 300, RUN_ITEM_COUNT_MAX = 64 };

/* What did not agree. */
struct run_finding {
    char check[16]; /* short and fixed: "reply", "hash"; empty = all agreed */
    char text[RUN_TEXT_BYTES_MAX];
    char what[32]; /* the number that differs, when it is one, and what the model says */
    uint64_t expected;
    uint64_t item_id; /* of the checks "item" and "conservation" */
    uint64_t op_index;
};

struct run_counts {
    uint64_t operations;
    uint64_t kinds[OP_KIND_COUNT];
    uint64_t codes[STOCK_FORBIDDEN + 1];
    uint64_t records[STOCK_RECORD_FORGOTTEN + 1];
    uint64_t offers_legal, offers_full, offers_refused;
    uint64_t saves, saved_entries, restarts;
    uint64_t snapshots_true, snapshots_full, snapshots_refused; /* that were spoiled */
};

/* The last save: none, one that goes on, or one that is complete. */
struct run_save {
    bool is_on, is_complete;
    uint32_t page_bytes;
    struct stock_page page;
    struct stock_model_snapshot snapshot; /* the pages that were turned */
    struct stock_model *moment;           /* the model as it was when it began */
    uint64_t moment_lsn, moment_log_bytes;
};

struct run {
    struct run_options options;
    struct stock *stock;
    struct stock *twin;
    struct stock_model *model;
    uint64_t now_ms;
    uint64_t lsn;
    uint64_t newest_lsn; /* of the records that the stock has seen since it was loaded */
    struct {
        uint64_t item_id, lsn;
    } item_lsns[RUN_ITEM_COUNT_MAX];
    uint32_t item_count;
    /* the encoded records, one behind the other */
    uint8_t *log;
    uint64_t log_bytes, log_room;
    struct run_save save;
    /* of the last operation */
    struct stock_reply reply;
    struct stock_record record; /* type NONE: nothing was committed */
    struct run_finding finding;
    struct run_counts counts;
    uint64_t digest; /* of all answers; the same with every compiler and in every build */
};

/* False when the system refuses the memory. */
bool run_begin(struct run *run, const struct run_options *options);
void run_end(struct run *run);

/* False when something did not agree: run->finding says what. */
bool run_step(struct run *run, const struct op *op);

/* The checks at the end of a run: everything once more ... */
bool run_finish(struct run *run);

/* ... and that the records give the same state when those of different items are in different logs,
 * read one after the other. */
bool run_replay_logs(struct run *run);

#endif
