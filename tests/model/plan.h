#ifndef HF_MODEL_PLAN_H
#define HF_MODEL_PLAN_H
/* What a run is like. Each seed draws its own: few items or many, tiny tables, short or endless
 * times, some kinds of operations often and others never. Only so the rare regions are reached,
 * which an average of everything never comes near. */

#include "run.h"

#include "random.h"

enum {
    PLAN_RESERVATION_COUNT_MAX = 5000,
    PLAN_ID_COUNT_MAX = 256,
    PLAN_ITEM_COUNT_MAX = 48,
    PLAN_BUYER_COUNT_MAX = 48
};

enum plan_choice {
    PLAN_RESERVE,
    PLAN_CONFIRM,
    PLAN_CANCEL,
    PLAN_EXTEND,
    PLAN_GET,
    PLAN_REPEAT, /* an earlier operation once more, perhaps with a difference */
    PLAN_CREATE,
    PLAN_UPDATE,
    PLAN_DUE,
    PLAN_OFFER,
    PLAN_TIME,
    PLAN_SAVE,
    PLAN_STEP,
    PLAN_ABANDON,
    PLAN_RESTART,
    PLAN_SPOIL,
    PLAN_CHOICE_COUNT,
};

enum plan_quantities { PLAN_QUANTITIES_ONE, PLAN_QUANTITIES_FEW, PLAN_QUANTITIES_HUGE };
enum plan_stocks {
    PLAN_STOCKS_SCARCE,
    PLAN_STOCKS_SOME,
    PLAN_STOCKS_UNLIMITED,
    PLAN_STOCKS_HUGE,
    PLAN_STOCKS_MIXED,
    PLAN_STOCKS_COUNT,
};
enum plan_holds { PLAN_HOLDS_ONE, PLAN_HOLDS_FEW, PLAN_HOLDS_ANY, PLAN_HOLDS_LONG };

struct plan {
    struct run_options run;
    uint32_t weights[PLAN_CHOICE_COUNT];
    uint32_t weight_sum;
    /* the ids that are used */
    uint64_t item_ids[PLAN_ITEM_COUNT_MAX];
    uint64_t buyer_ids[PLAN_BUYER_COUNT_MAX];
    struct id128 ids[PLAN_ID_COUNT_MAX];
    uint32_t item_count, buyer_count, id_count;
    uint32_t opening_count;  /* so many items are created first */
    bool is_fresh_id_always; /* ids are used up instead of drawn from `ids` */
    /* the values */
    enum plan_quantities quantities;
    enum plan_stocks stocks;
    enum plan_holds holds;
    uint32_t range_ms; /* about how long a hold lasts */
    /* chances in a thousand */
    uint32_t anonymous_permille;
    uint32_t limit_permille, window_permille, pause_permille;
    uint32_t invalid_permille;
    uint32_t known_permille; /* a reservation that there was, not any id */
    uint32_t pause_time_permille, far_time_permille;
    uint32_t due_burst; /* so many at a time */
    uint32_t sku_permille;
    uint32_t page_bytes, step_bytes; /* of saves; steps are up to twice as long */
    uint32_t length_divisor; /* what is sold fills tables for good, so most runs are short */
};

void plan_draw(struct plan *plan, struct test_random *random);

#endif
