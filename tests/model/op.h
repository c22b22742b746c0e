#ifndef HF_MODEL_OP_H
#define HF_MODEL_OP_H
/* One operation of a run. It says all by itself, so that a list of them can be run again, in part
 * as well. */

#include "stock/stock.h"

enum op_kind {
    OP_ASK,    /* `request` */
    OP_CREATE, /* `settings` */
    OP_UPDATE, /* `settings`, `update_mask` */
    OP_DUE,    /* works off one thing that is due */
    OP_OFFER,  /* `record`, as if from a log: is it legal? Committed if it is of this moment. */
    OP_TIME,   /* `advance_ms` */
    OP_SAVE,   /* `bytes`: begins a save into pages of so many; one that is on is abandoned */
    OP_STEP,   /* `bytes`: goes on with the save that is on */
    OP_ABANDON,
    OP_RESTART, /* completes the save, or makes one; loads it, replays what came since, and goes on
                 */
    OP_SPOIL,   /* `seed`: loads a snapshot of this state that has mistakes */
    OP_KIND_COUNT,
};

struct op {
    uint8_t kind; /* enum op_kind */
    uint32_t update_mask;
    union {
        struct stock_request request;
        struct stock_item_settings settings;
        struct stock_record record;
        uint64_t advance_ms;
        uint32_t bytes;
        uint64_t seed;
    };
};

#endif
