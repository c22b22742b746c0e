#include "plan.h"

/* One draw per statement: the order in which arguments are evaluated differs between compilers. */

static uint32_t below(struct test_random *random, uint32_t count)
{
    return test_random_below(random, count);
}

static uint32_t one_of(struct test_random *random, const uint32_t *values, uint32_t count)
{
    return values[below(random, count)];
}

#define ONE_OF(random, ...)                                                                        \
    one_of(random, (const uint32_t[]){__VA_ARGS__},                                                \
           sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static uint64_t draw_retention_ms(struct test_random *random)
{
    static const uint64_t choices[] = {
        0, 1, 40, 40, 200, 1000, 5000, 86400000, 100ull * 365 * 86400000, STOCK_TIME_MS_MAX,
    };
    return choices[below(random, sizeof choices / sizeof choices[0])];
}

static uint64_t draw_start_ms(struct test_random *random)
{
    uint64_t some_ms = below(random, 100000);
    switch (below(random, 8)) {
    case 0:
        return 0;
    case 1:
        return 1 + some_ms;
    case 2:
        return STOCK_TIME_MS_MAX - some_ms; /* the end of time is near */
    default:
        return 1700000000000ull + some_ms;
    }
}

static void draw_tables(struct plan *plan, struct test_random *random)
{
    struct stock_options *tables = &plan->run.tables;
    tables->item_count_max = ONE_OF(random, 1, 1, 2, 3, 5, 8, 32);
    tables->reservation_count_max = ONE_OF(random, 1, 2, 3, 8, 20, 40, 40, 90);
    tables->buyer_count_max = ONE_OF(random, 1, 2, 5, 12, 40, 200);
    tables->retention_ms = draw_retention_ms(random);
    tables->hash_key = test_random_u64(random);
    plan->run.start_ms = draw_start_ms(random);
}

/* Kinds of ids: small numbers, numbers with all bits, and the largest there are. */
static uint64_t draw_id(struct test_random *random, uint32_t kind, uint32_t number)
{
    uint64_t any = test_random_u64(random);
    if (kind == 0)
        return number + 1;
    if (kind == 1)
        return any | 1;
    return UINT64_MAX - number;
}

static void draw_ids(struct plan *plan, struct test_random *random)
{
    uint32_t item_kind = below(random, 3);
    uint32_t buyer_kind = below(random, 3);
    uint32_t high_kind = below(random, 4);
    uint32_t low_kind = below(random, 4);
    /* Not both halves alike zero. */
    bool has_low = high_kind == 3 || low_kind != 3;
    /* One item more than there is room for, now and then. */
    plan->item_count = plan->run.tables.item_count_max + ONE_OF(random, 0, 0, 1, 2);
    plan->opening_count = plan->item_count - ONE_OF(random, 0, 0, 1);
    plan->buyer_count = ONE_OF(random, 1, 2, 4, 12, 12, PLAN_BUYER_COUNT_MAX);
    plan->id_count = ONE_OF(random, 1, 3, 10, 60, 60, 120, PLAN_ID_COUNT_MAX);
    for (uint32_t i = 0; i < plan->item_count; i++)
        plan->item_ids[i] = draw_id(random, item_kind, i);
    for (uint32_t i = 0; i < plan->buyer_count; i++)
        plan->buyer_ids[i] = draw_id(random, buyer_kind, i);
    for (uint32_t i = 0; i < plan->id_count; i++) {
        uint64_t high = draw_id(random, high_kind, i);
        uint64_t low = draw_id(random, low_kind, i);
        plan->ids[i].high = high_kind == 3 ? 0 : high;
        plan->ids[i].low = has_low ? low : 0;
    }
    plan->is_fresh_id_always = below(random, 3) == 0;
}

/* Each choice is left out, as usual, or the main one. */
static void draw_weights(struct plan *plan, struct test_random *random)
{
    static const uint32_t usual[PLAN_CHOICE_COUNT] = {
        [PLAN_RESERVE] = 300, [PLAN_CONFIRM] = 80, [PLAN_CANCEL] = 60, [PLAN_EXTEND] = 60,
        [PLAN_GET] = 60,      [PLAN_REPEAT] = 80,  [PLAN_CREATE] = 15, [PLAN_UPDATE] = 25,
        [PLAN_DUE] = 60,      [PLAN_OFFER] = 60,   [PLAN_TIME] = 60,   [PLAN_SAVE] = 4,
        [PLAN_STEP] = 50,     [PLAN_ABANDON] = 1,  [PLAN_RESTART] = 2, [PLAN_SPOIL] = 6,
    };
    plan->weight_sum = 0;
    for (uint32_t i = 0; i < PLAN_CHOICE_COUNT; i++) {
        uint32_t factor = ONE_OF(random, 0, 1, 1, 1, 1, 1, 4, 10);
        if (i == PLAN_RESERVE && factor == 0)
            factor = 1;
        plan->weights[i] = usual[i] * factor;
        plan->weight_sum += plan->weights[i];
    }
}

static void draw_values(struct plan *plan, struct test_random *random)
{
    plan->quantities =
        (enum plan_quantities)ONE_OF(random, PLAN_QUANTITIES_ONE, PLAN_QUANTITIES_FEW,
                                     PLAN_QUANTITIES_FEW, PLAN_QUANTITIES_HUGE);
    plan->stocks = (enum plan_stocks)below(random, PLAN_STOCKS_COUNT);
    plan->holds = (enum plan_holds)ONE_OF(random, PLAN_HOLDS_ONE, PLAN_HOLDS_FEW, PLAN_HOLDS_ANY,
                                          PLAN_HOLDS_ANY, PLAN_HOLDS_LONG);
    plan->range_ms = ONE_OF(random, 2, 10, 60, 60, 1000, 100000);
    plan->anonymous_permille = ONE_OF(random, 0, 50, 500, 1000);
    plan->limit_permille = ONE_OF(random, 0, 300, 700);
    plan->window_permille = ONE_OF(random, 0, 0, 300, 700);
    plan->pause_permille = ONE_OF(random, 0, 0, 150);
    plan->invalid_permille = ONE_OF(random, 0, 5, 5, 60);
    plan->known_permille = ONE_OF(random, 600, 900, 990);
    plan->pause_time_permille = ONE_OF(random, 0, 5, 30, 300);
    plan->far_time_permille = ONE_OF(random, 0, 0, 2, 20);
    plan->due_burst = ONE_OF(random, 1, 3, 100);
    plan->sku_permille = ONE_OF(random, 0, 20, 300);
    plan->page_bytes = ONE_OF(random, 272, 300, 512, 4096);
    plan->step_bytes = ONE_OF(random, 100, 200, 800, 4000);
    plan->length_divisor = ONE_OF(random, 1, 4, 10, 10);
}

/* One buyer takes as much as can be counted. That needs thousands of holds of the largest size in a
 * table that the model is slow with, so it is rare, and nothing else happens. */
static void make_greedy(struct plan *plan)
{
    static const uint32_t weights[PLAN_CHOICE_COUNT] = {
        [PLAN_RESERVE] = 90, [PLAN_CONFIRM] = 10, [PLAN_DUE] = 1,
        [PLAN_OFFER] = 4,    [PLAN_TIME] = 1,     [PLAN_STEP] = 4,
    };
    plan->weight_sum = 0;
    for (uint32_t i = 0; i < PLAN_CHOICE_COUNT; i++) {
        plan->weights[i] = weights[i];
        plan->weight_sum += weights[i];
    }
    plan->run.tables.reservation_count_max = PLAN_RESERVATION_COUNT_MAX;
    plan->run.tables.retention_ms = 0;
    plan->quantities = PLAN_QUANTITIES_HUGE;
    plan->stocks = PLAN_STOCKS_UNLIMITED;
    plan->holds = PLAN_HOLDS_LONG;
    plan->is_fresh_id_always = true;
    plan->buyer_count = 1;
    plan->item_count = 1;
    plan->opening_count = 1;
    plan->anonymous_permille = 0;
    plan->limit_permille = 0;
    plan->window_permille = 0;
    plan->pause_permille = 0;
    plan->invalid_permille = 0;
    plan->far_time_permille = 0;
    plan->known_permille = 1000;
    plan->due_burst = 100;
    plan->length_divisor = 1;
}

void plan_draw(struct plan *plan, struct test_random *random)
{
    *plan = (struct plan){.run = {.compare_every = 64, .validate_every = 2048}};
    draw_tables(plan, random);
    draw_ids(plan, random);
    draw_weights(plan, random);
    draw_values(plan, random);
    if (below(random, 1000) == 0)
        make_greedy(plan);
}
