#include "generate.h"

#include "spoil.h"

#include <string.h>

/* One draw per statement: the order in which arguments are evaluated differs between compilers. */

static uint32_t below(struct generator *generator, uint32_t count)
{
    return test_random_below(&generator->random, count);
}

static bool happens(struct generator *generator, uint32_t permille)
{
    return below(generator, 1000) < permille;
}

/* ---- values ---- */

static uint64_t item_id(struct generator *generator)
{
    return generator->plan.item_ids[below(generator, generator->plan.item_count)];
}

static uint64_t buyer_id(struct generator *generator)
{
    uint64_t buyer_id = generator->plan.buyer_ids[below(generator, generator->plan.buyer_count)];
    return happens(generator, generator->plan.anonymous_permille) ? 0 : buyer_id;
}

static uint32_t quantity(struct generator *generator)
{
    switch (generator->plan.quantities) {
    case PLAN_QUANTITIES_ONE:
        return 1;
    case PLAN_QUANTITIES_FEW:
        return 1 + below(generator, 5);
    default:
        return below(generator, 10) == 0 ? 1 + below(generator, 5)
                                         : STOCK_QUANTITY_MAX - below(generator, 3);
    }
}

static uint64_t hold_ms(struct generator *generator)
{
    uint32_t range_ms = generator->plan.range_ms;
    uint32_t any = below(generator, range_ms);
    switch (generator->plan.holds) {
    case PLAN_HOLDS_ONE:
        return range_ms;
    case PLAN_HOLDS_FEW:
        return range_ms + any % 4;
    case PLAN_HOLDS_ANY:
        return 1 + any;
    default:
        return STOCK_HOLD_MS_MAX - any % 3;
    }
}

static int64_t stock_units(struct generator *generator)
{
    enum plan_stocks stocks = generator->plan.stocks;
    uint32_t any = below(generator, 40);
    if (stocks == PLAN_STOCKS_MIXED)
        stocks = (enum plan_stocks)below(generator, PLAN_STOCKS_MIXED);
    switch (stocks) {
    case PLAN_STOCKS_SCARCE:
        return any % 6;
    case PLAN_STOCKS_SOME:
        return any * (generator->plan.quantities == PLAN_QUANTITIES_HUGE ? 100000 : 1);
    case PLAN_STOCKS_UNLIMITED:
        return STOCK_UNLIMITED;
    default:
        return STOCK_STOCK_MAX - any % 3;
    }
}

static struct id128 fresh_id(struct generator *generator)
{
    uint64_t number = ++generator->used_id_count;
    struct id128 id = generator->plan.ids[0];
    id.low += number;
    id.high += id.low == 0;
    return id;
}

static struct id128 any_id(struct generator *generator)
{
    return generator->plan.ids[below(generator, generator->plan.id_count)];
}

/* One of the newest holds, of about as many as can be remembered. */
static const struct stock_record *known_hold(struct generator *generator)
{
    uint32_t any = test_random_below(&generator->random, 1 << 16);
    uint32_t count = 2 * generator->plan.run.tables.reservation_count_max;
    if (count > GENERATE_KNOWN_COUNT_MAX)
        count = GENERATE_KNOWN_COUNT_MAX;
    if (count > generator->known_count)
        count = generator->known_count;
    if (count == 0)
        return NULL;
    uint32_t back = 1 + any % count;
    return &generator->known[(generator->known_count - back) % GENERATE_KNOWN_COUNT_MAX];
}

/* ---- requests ---- */

static struct op reserve(struct generator *generator)
{
    struct op op = {.kind = OP_ASK};
    struct stock_request *request = &op.request;
    request->op = STOCK_OP_RESERVE;
    request->item_id = item_id(generator);
    request->buyer_id = buyer_id(generator);
    request->quantity = quantity(generator);
    if (generator->plan.is_fresh_id_always)
        request->reservation_id = fresh_id(generator);
    else
        request->reservation_id = any_id(generator);
    request->user_data = happens(generator, 100) ? test_random_u64(&generator->random) : 0;
    if (happens(generator, generator->plan.holds == PLAN_HOLDS_ANY ? 700 : 100))
        request->hold_ms = hold_ms(generator);
    return op;
}

static uint64_t extended_ms(struct generator *generator, const struct run *run,
                            const struct stock_record *known)
{
    uint32_t any = below(generator, 2 * generator->plan.range_ms);
    uint32_t choice = below(generator, 10);
    if (choice == 0)
        return run->now_ms + STOCK_HOLD_MS_MAX - any % 3;
    if (choice <= 3 && known != NULL)
        return known->hold.expires_ms + any % 3 - 1;
    return run->now_ms + any;
}

static struct op change(struct generator *generator, const struct run *run, enum stock_op stock_op)
{
    struct op op = {.kind = OP_ASK};
    struct stock_request *request = &op.request;
    const struct stock_record *known = known_hold(generator);
    request->op = (uint8_t)stock_op;
    request->item_id = item_id(generator);
    request->reservation_id = any_id(generator);
    if (known != NULL && happens(generator, generator->plan.known_permille)) {
        request->item_id = known->hold.item_id;
        request->reservation_id = known->hold.reservation_id;
    }
    if (stock_op == STOCK_OP_CONFIRM) {
        uint32_t some = quantity(generator);
        request->quantity = happens(generator, 600) ? 0 : some;
    }
    if (stock_op == STOCK_OP_EXTEND)
        request->expires_ms = extended_ms(generator, run, known);
    return op;
}

/* One field out of range, or at its very edge. */
static void make_invalid(struct generator *generator, const struct run *run,
                         struct stock_request *request)
{
    static const uint32_t quantities[] = {0, STOCK_QUANTITY_MAX, STOCK_QUANTITY_MAX + 1,
                                          UINT32_MAX};
    static const uint64_t holds_ms[] = {STOCK_HOLD_MS_MAX, STOCK_HOLD_MS_MAX + 1, UINT64_MAX};
    uint32_t any = below(generator, 12);
    switch (below(generator, 5)) {
    case 0:
        request->item_id = 0;
        break;
    case 1:
        request->reservation_id = (struct id128){0, 0};
        break;
    case 2:
        request->quantity = quantities[any % 4];
        break;
    case 3:
        request->hold_ms = holds_ms[any % 3];
        break;
    default:
        request->expires_ms = run->now_ms + STOCK_HOLD_MS_MAX + any % 2;
        if (any >= 8)
            request->expires_ms = any >= 10 ? UINT64_MAX : 0;
        break;
    }
}

/* ---- items ---- */

static void draw_sku(struct generator *generator, struct stock_item_settings *settings)
{
    static const uint8_t lengths[] = {0, 1, 7, 8, 9, 63, STOCK_SKU_BYTES_MAX};
    uint32_t seed = below(generator, 3);
    uint32_t length = below(generator, sizeof lengths);
    if (!happens(generator, generator->plan.sku_permille)) { /* the item's usual one */
        seed = 0;
        length = (uint32_t)(settings->item_id % sizeof lengths);
    }
    settings->sku_bytes = lengths[length];
    for (uint32_t i = 0; i < STOCK_SKU_BYTES_MAX; i++) /* behind its end too */
        settings->sku[i] = (char)('A' + (seed + i) % 26);
    if (generator->plan.sku_permille == 0)
        memset(settings->sku + settings->sku_bytes, 0, STOCK_SKU_BYTES_MAX - settings->sku_bytes);
}

static void make_settings_invalid(struct generator *generator, struct stock_item_settings *settings)
{
    uint32_t any = below(generator, 4);
    switch (below(generator, 6)) {
    case 0:
        settings->item_id = 0;
        break;
    case 1:
        settings->sku_bytes = any == 0 ? UINT8_MAX : STOCK_SKU_BYTES_MAX + 1;
        break;
    case 2:
        settings->sku_bytes = STOCK_SKU_BYTES_MAX - (uint8_t)any;
        settings->sku[STOCK_SKU_BYTES_MAX - 2] = '\0';
        break;
    case 3:
        settings->stock = any == 0 ? INT64_MIN : any == 1 ? -2 : STOCK_STOCK_MAX + 1;
        break;
    case 4:
        settings->hold_ms = any == 0 ? UINT64_MAX : STOCK_HOLD_MS_MAX + any - 1;
        break;
    default:
        settings->opens_at_ms = 100 + any;
        settings->closes_at_ms = 102;
        break;
    }
}

static struct stock_item_settings draw_settings(struct generator *generator, const struct run *run)
{
    const struct plan *plan = &generator->plan;
    struct stock_item_settings settings = {.item_id = item_id(generator)};
    settings.stock = stock_units(generator);
    settings.hold_ms = happens(generator, 50) ? 0 : hold_ms(generator);
    if (happens(generator, plan->limit_permille)) {
        uint32_t limit = below(generator, 10);
        settings.buyer_limit = limit == 0 ? UINT32_MAX : limit * quantity(generator);
    }
    if (happens(generator, plan->limit_permille))
        settings.hold_cap = 1 + below(generator, 4);
    if (happens(generator, plan->window_permille))
        settings.opens_at_ms = run->now_ms + below(generator, plan->range_ms);
    if (happens(generator, plan->window_permille / 2))
        settings.closes_at_ms = run->now_ms + below(generator, 16 * plan->range_ms);
    settings.paused = happens(generator, plan->pause_permille);
    draw_sku(generator, &settings);
    if (happens(generator, plan->invalid_permille))
        make_settings_invalid(generator, &settings);
    return settings;
}

static struct op create(struct generator *generator, const struct run *run)
{
    struct op op = {.kind = OP_CREATE};
    op.settings = draw_settings(generator, run);
    return op;
}

static struct op update(struct generator *generator, const struct run *run)
{
    struct op op = {.kind = OP_UPDATE};
    op.settings = draw_settings(generator, run);
    op.update_mask = (uint32_t)test_random_u64(&generator->random) & STOCK_UPDATE_ALL;
    uint32_t choice = below(generator, 4);
    if (choice == 0) {
        op.update_mask = STOCK_UPDATE_ALL;
    } else if (choice == 1) {
        uint32_t bit = below(generator, 7);
        op.update_mask = 1u << bit;
    }
    return op;
}

/* ---- time ---- */

static struct op time_passes(struct generator *generator, const struct run *run)
{
    const struct plan *plan = &generator->plan;
    struct op op = {.kind = OP_TIME};
    uint64_t next_due_ms = stock_model_next_due_ms(run->model);
    uint64_t some_ms = below(generator, plan->range_ms);
    uint32_t choice = below(generator, 4);
    op.advance_ms = 1 + some_ms / 8;
    if (choice == 0 && next_due_ms != UINT64_MAX && next_due_ms > run->now_ms)
        op.advance_ms =
            next_due_ms - run->now_ms - (some_ms & 1); /* the last moment, or the next */
    if (happens(generator, plan->pause_time_permille))
        op.advance_ms = 2 * plan->range_ms + run->options.tables.retention_ms % 100000000;
    if (happens(generator, plan->far_time_permille)) {
        uint64_t bits = below(generator, 40);
        op.advance_ms = 1ull << bits;
    }
    return op;
}

/* ---- records, true and false ---- */

/* Something that would be recorded now, or soon; else the newest record. */
static void draw_record(struct generator *generator, const struct run *run,
                        struct stock_record *record)
{
    struct stock_reply reply;
    uint32_t choice = below(generator, 8);
    if (choice == 0) {
        struct op op = create(generator, run);
        stock_model_decide_item_create(run->model, &op.settings, run->now_ms, &reply, record);
    } else if (choice == 1) {
        struct op op = update(generator, run);
        stock_model_decide_item_update(run->model, &op.settings, op.update_mask, run->now_ms,
                                       &reply, record);
    } else if (choice == 2) {
        stock_model_decide_due(run->model, STOCK_TIME_MS_MAX, record);
        record->time_ms = run->now_ms;
    } else if (choice <= 4) {
        struct op op = reserve(generator);
        stock_model_decide(run->model, &op.request, run->now_ms, &reply, record);
    } else {
        uint32_t kind = below(generator, 3);
        struct op op = change(generator, run, (enum stock_op)(STOCK_OP_CONFIRM + kind));
        stock_model_decide(run->model, &op.request, run->now_ms, &reply, record);
    }
}

/* False when there is nothing to offer. */
static bool draw_offer(struct generator *generator, const struct run *run, struct op *op)
{
    *op = (struct op){.kind = OP_OFFER};
    draw_record(generator, run, &op->record);
    if (op->record.type == STOCK_RECORD_NONE) {
        const struct stock_record *known = known_hold(generator);
        if (known == NULL)
            return false;
        op->record = *known;
    }
    uint32_t spoil_count = below(generator, 4);
    for (uint32_t i = 0; i < spoil_count; i++)
        spoil_record(&op->record, &generator->random);
    return true;
}

/* ---- an operation ---- */

/* One of the newest hundred once more, perhaps about something else. */
static struct op repeat(struct generator *generator, const struct op *ops, uint64_t op_count)
{
    uint64_t back = 1 + below(generator, 100);
    uint32_t choice = below(generator, 8);
    struct op op = ops[back <= op_count ? op_count - back : 0];
    if (op.kind != OP_ASK)
        return op;
    if (choice == 0)
        op.request.buyer_id = buyer_id(generator);
    else if (choice == 1)
        op.request.quantity = quantity(generator);
    else if (choice == 2)
        op.request.user_data ^= 1;
    else if (choice == 3)
        op.request.op = (uint8_t)below(generator, STOCK_OP_GET + 1);
    return op;
}

static enum plan_choice draw_choice(struct generator *generator)
{
    const struct plan *plan = &generator->plan;
    uint32_t at = below(generator, plan->weight_sum);
    uint32_t choice = 0;
    while (at >= plan->weights[choice]) {
        at -= plan->weights[choice];
        choice++;
    }
    return (enum plan_choice)choice;
}

static struct op draw_request(struct generator *generator, const struct run *run,
                              enum plan_choice choice)
{
    struct op op =
        choice == PLAN_RESERVE
            ? reserve(generator)
            : change(generator, run, (enum stock_op)(STOCK_OP_CONFIRM + (choice - PLAN_CONFIRM)));
    if (happens(generator, generator->plan.invalid_permille))
        make_invalid(generator, run, &op.request);
    return op;
}

void generator_next(struct generator *generator, const struct run *run, const struct op *ops,
                    uint64_t op_count, struct op *op_out)
{
    *op_out = (struct op){.kind = OP_DUE};
    if (generator->due_left > 0) {
        generator->due_left--;
        return;
    }
    enum plan_choice choice = draw_choice(generator);
    if (op_count < generator->plan.opening_count) {
        *op_out = create(generator, run);
        op_out->settings.item_id = generator->plan.item_ids[op_count];
        return;
    }
    switch (choice) {
    case PLAN_REPEAT:
        *op_out = repeat(generator, ops, op_count);
        break;
    case PLAN_CREATE:
        *op_out = create(generator, run);
        break;
    case PLAN_UPDATE:
        *op_out = update(generator, run);
        break;
    case PLAN_DUE:
        generator->due_left = below(generator, generator->plan.due_burst);
        break;
    case PLAN_OFFER:
        if (!draw_offer(generator, run, op_out))
            *op_out = reserve(generator);
        break;
    case PLAN_TIME:
        *op_out = time_passes(generator, run);
        break;
    case PLAN_SAVE:
        *op_out = (struct op){.kind = OP_SAVE, .bytes = generator->plan.page_bytes};
        break;
    case PLAN_STEP:
        *op_out =
            (struct op){.kind = OP_STEP, .bytes = below(generator, 2 * generator->plan.step_bytes)};
        break;
    case PLAN_ABANDON:
        *op_out = (struct op){.kind = OP_ABANDON};
        break;
    case PLAN_RESTART:
        *op_out = (struct op){.kind = OP_RESTART};
        break;
    case PLAN_SPOIL:
        *op_out = (struct op){.kind = OP_SPOIL, .seed = test_random_u64(&generator->random)};
        break;
    default:
        *op_out = draw_request(generator, run, choice);
        break;
    }
}

void generator_note(struct generator *generator, const struct run *run)
{
    if (run->record.type == STOCK_RECORD_HELD) {
        generator->known[generator->known_count % GENERATE_KNOWN_COUNT_MAX] = run->record;
        generator->known_count++;
    }
    if (run->record.type == STOCK_RECORD_NONE && stock_model_next_due_ms(run->model) > run->now_ms)
        generator->due_left = 0; /* the burst is over */
}

void generator_begin(struct generator *generator, uint64_t seed)
{
    *generator = (struct generator){.used_id_count = 0};
    test_random_init(&generator->random, seed);
    plan_draw(&generator->plan, &generator->random);
}
