/* A long random sale against a slow obvious model: arrays and linear search, written from
 * docs/guarantees.md and not from the code. Tables are small, so that they fill up; times are
 * short, so that deadlines, windows and forgetting meet requests all the time. Each record is
 * replayed into a twin with another hash key. HF_SEED in the environment repeats a run. */

#include "random.h"
#include "shop.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_COUNT = 500000,
    ITEM_COUNT_MAX = 5,
    RESERVATION_COUNT_MAX = 40,
    BUYER_COUNT_MAX = 12,
    RETENTION_MS = 60,
};

/* ---- the model ---- */

struct model_reservation {
    bool known;
    uint64_t item_id, id, buyer_id, user_data, sequence, created_ms, expires_ms, ended_ms;
    uint32_t quantity, quantity_confirmed;
    int state;
};

struct model_item {
    struct stock_item_settings settings;
    uint64_t held, sold, next_sequence;
};

/* Units sold to a buyer stay counted after the reservation is forgotten. */
struct model_sale {
    uint64_t item_id, buyer_id, units;
};

enum { MODEL_SALE_COUNT_MAX = 1000 };

struct model {
    struct model_item items[ITEM_COUNT_MAX];
    int item_count;
    struct model_reservation reservations[RESERVATION_COUNT_MAX];
    struct model_sale sales[MODEL_SALE_COUNT_MAX];
    int sale_count;
};

/* What the model expects of an answer. */
struct expectation {
    int code;
    int record; /* type, or NONE */
    const struct model_item *item;
    const struct model_reservation *reservation;
};

static struct model_item *model_item(struct model *model, uint64_t item_id)
{
    for (int i = 0; i < model->item_count; i++) {
        if (model->items[i].settings.item_id == item_id)
            return &model->items[i];
    }
    return NULL;
}

static struct model_reservation *model_reservation(struct model *model, uint64_t item_id,
                                                   uint64_t id)
{
    for (int i = 0; i < RESERVATION_COUNT_MAX; i++) {
        struct model_reservation *reservation = &model->reservations[i];
        if (reservation->known && reservation->item_id == item_id && reservation->id == id)
            return reservation;
    }
    return NULL;
}

static int64_t model_available(const struct model_item *item)
{
    if (item->settings.stock == STOCK_UNLIMITED)
        return STOCK_UNLIMITED;
    return item->settings.stock - (int64_t)item->held - (int64_t)item->sold;
}

static uint64_t model_sold_to(const struct model *model, uint64_t item_id, uint64_t buyer_id)
{
    uint64_t units = 0;
    for (int i = 0; i < model->sale_count; i++) {
        if (model->sales[i].item_id == item_id && model->sales[i].buyer_id == buyer_id)
            units += model->sales[i].units;
    }
    return units;
}

static uint64_t model_held_by(const struct model *model, uint64_t item_id, uint64_t buyer_id,
                              uint64_t *open_holds_out)
{
    uint64_t units = 0;
    *open_holds_out = 0;
    for (int i = 0; i < RESERVATION_COUNT_MAX; i++) {
        const struct model_reservation *reservation = &model->reservations[i];
        if (reservation->known && reservation->item_id == item_id &&
            reservation->buyer_id == buyer_id && reservation->state == STOCK_STATE_HELD) {
            units += reservation->quantity;
            (*open_holds_out)++;
        }
    }
    return units;
}

static bool model_has_buyer(const struct model *model, uint64_t item_id, uint64_t buyer_id)
{
    uint64_t open_holds;
    return model_held_by(model, item_id, buyer_id, &open_holds) > 0 ||
           model_sold_to(model, item_id, buyer_id) > 0;
}

/* Pairs of item and buyer that have units. Buyers are 1 .. 15 here. */
static int model_buyer_count(const struct model *model)
{
    int count = 0;
    for (int i = 0; i < model->item_count; i++) {
        for (uint64_t buyer_id = 1; buyer_id < 16; buyer_id++)
            count += model_has_buyer(model, model->items[i].settings.item_id, buyer_id);
    }
    return count;
}

static struct model_reservation *model_free(struct model *model)
{
    for (int i = 0; i < RESERVATION_COUNT_MAX; i++) {
        if (!model->reservations[i].known)
            return &model->reservations[i];
    }
    return NULL;
}

static void model_sell(struct model *model, const struct model_reservation *reservation)
{
    if (reservation->buyer_id == 0)
        return;
    for (int i = 0; i < model->sale_count; i++) {
        struct model_sale *sale = &model->sales[i];
        if (sale->item_id == reservation->item_id && sale->buyer_id == reservation->buyer_id) {
            sale->units += reservation->quantity_confirmed;
            return;
        }
    }
    cr_assert(model->sale_count < MODEL_SALE_COUNT_MAX);
    model->sales[model->sale_count++] = (struct model_sale){
        reservation->item_id, reservation->buyer_id, reservation->quantity_confirmed};
}

static void model_end(struct model *model, struct model_reservation *reservation, int state,
                      uint32_t quantity_confirmed, uint64_t now_ms)
{
    struct model_item *item = model_item(model, reservation->item_id);
    item->held -= reservation->quantity;
    item->sold += quantity_confirmed;
    reservation->state = state;
    reservation->quantity_confirmed = quantity_confirmed;
    reservation->ended_ms = now_ms;
    if (state == STOCK_STATE_CONFIRMED)
        model_sell(model, reservation);
}

static int model_refusal(const struct model *model, const struct model_item *item,
                         const struct stock_request *request, uint64_t now_ms)
{
    const struct stock_item_settings *settings = &item->settings;
    int64_t available = model_available(item);
    uint64_t open_holds;
    if (settings->paused)
        return STOCK_PAUSED;
    if (now_ms < settings->opens_at_ms)
        return STOCK_NOT_OPEN;
    if (settings->closes_at_ms != 0 && now_ms >= settings->closes_at_ms)
        return STOCK_CLOSED;
    if (available == 0)
        return STOCK_SOLD_OUT;
    if (available != STOCK_UNLIMITED && available < request->quantity)
        return STOCK_INSUFFICIENT;
    uint64_t held = model_held_by(model, settings->item_id, request->buyer_id, &open_holds);
    uint64_t sold = model_sold_to(model, settings->item_id, request->buyer_id);
    if (request->buyer_id != 0) {
        if (settings->buyer_limit != 0 && held + sold + request->quantity > settings->buyer_limit)
            return STOCK_BUYER_LIMIT;
        if (settings->hold_cap != 0 && open_holds >= settings->hold_cap)
            return STOCK_HOLD_CAP;
        if (held + sold == 0 && model_buyer_count(model) == BUYER_COUNT_MAX)
            return STOCK_CAPACITY;
    }
    return STOCK_OK;
}

static struct expectation model_reserve(struct model *model, struct model_item *item,
                                        const struct stock_request *request, uint64_t now_ms)
{
    int refusal = model_refusal(model, item, request, now_ms);
    if (refusal != STOCK_OK)
        return (struct expectation){refusal, STOCK_RECORD_NONE, item, NULL};
    struct model_reservation *reservation = model_free(model);
    if (reservation == NULL)
        return (struct expectation){STOCK_CAPACITY, STOCK_RECORD_NONE, item, NULL};
    *reservation = (struct model_reservation){
        .known = true,
        .item_id = request->item_id,
        .id = request->reservation_id.low,
        .buyer_id = request->buyer_id,
        .user_data = request->user_data,
        .sequence = item->next_sequence++,
        .created_ms = now_ms,
        .expires_ms = now_ms + (request->hold_ms != 0 ? request->hold_ms : item->settings.hold_ms),
        .quantity = request->quantity,
        .state = STOCK_STATE_HELD,
    };
    item->held += request->quantity;
    return (struct expectation){STOCK_OK, STOCK_RECORD_HELD, item, reservation};
}

static int model_code_of_ended(int state)
{
    if (state == STOCK_STATE_CONFIRMED)
        return STOCK_ALREADY_CONFIRMED;
    return state == STOCK_STATE_CANCELLED ? STOCK_CANCELLED : STOCK_EXPIRED;
}

static int model_confirm(struct model *model, struct model_reservation *reservation,
                         uint32_t quantity, uint64_t now_ms, int *record_out)
{
    uint32_t wanted = quantity == 0 ? reservation->quantity : quantity;
    if (reservation->state == STOCK_STATE_CONFIRMED)
        return reservation->quantity_confirmed == wanted ? STOCK_DUPLICATE
                                                         : STOCK_ALREADY_CONFIRMED;
    if (reservation->state != STOCK_STATE_HELD)
        return model_code_of_ended(reservation->state);
    if (wanted > reservation->quantity)
        return STOCK_INVALID;
    model_end(model, reservation, STOCK_STATE_CONFIRMED, wanted, now_ms);
    *record_out = STOCK_RECORD_CONFIRMED;
    return STOCK_OK;
}

static int model_cancel(struct model *model, struct model_reservation *reservation, uint64_t now_ms,
                        int *record_out)
{
    if (reservation->state == STOCK_STATE_CANCELLED)
        return STOCK_DUPLICATE;
    if (reservation->state != STOCK_STATE_HELD)
        return model_code_of_ended(reservation->state);
    model_end(model, reservation, STOCK_STATE_CANCELLED, 0, now_ms);
    *record_out = STOCK_RECORD_CANCELLED;
    return STOCK_OK;
}

static int model_extend(struct model_reservation *reservation, uint64_t expires_ms, int *record_out)
{
    if (reservation->state != STOCK_STATE_HELD)
        return model_code_of_ended(reservation->state);
    if (expires_ms <= reservation->expires_ms)
        return STOCK_DUPLICATE;
    reservation->expires_ms = expires_ms;
    *record_out = STOCK_RECORD_EXTENDED;
    return STOCK_OK;
}

static struct expectation model_change(struct model *model, struct model_item *item,
                                       struct model_reservation *reservation,
                                       const struct stock_request *request, uint64_t now_ms)
{
    struct expectation expected = {STOCK_OK, STOCK_RECORD_NONE, item, reservation};
    if (reservation->state == STOCK_STATE_HELD && now_ms >= reservation->expires_ms) {
        model_end(model, reservation, STOCK_STATE_EXPIRED, 0, now_ms);
        expected.record = STOCK_RECORD_EXPIRED;
    }
    switch (request->op) {
    case STOCK_OP_RESERVE:
        expected.code = request->buyer_id == reservation->buyer_id &&
                                request->quantity == reservation->quantity &&
                                request->user_data == reservation->user_data
                            ? STOCK_DUPLICATE
                            : STOCK_ID_CONFLICT;
        break;
    case STOCK_OP_CONFIRM:
        expected.code =
            model_confirm(model, reservation, request->quantity, now_ms, &expected.record);
        break;
    case STOCK_OP_CANCEL:
        expected.code = model_cancel(model, reservation, now_ms, &expected.record);
        break;
    case STOCK_OP_EXTEND:
        expected.code = model_extend(reservation, request->expires_ms, &expected.record);
        break;
    default:
        break;
    }
    return expected;
}

static bool model_is_invalid(const struct stock_request *request, uint64_t now_ms)
{
    if (request->item_id == 0 || request->reservation_id.low == 0)
        return true;
    if (request->op == STOCK_OP_RESERVE)
        return request->quantity == 0 || request->quantity > STOCK_QUANTITY_MAX ||
               request->hold_ms > STOCK_HOLD_MS_MAX;
    if (request->op == STOCK_OP_CONFIRM)
        return request->quantity > STOCK_QUANTITY_MAX;
    return request->op == STOCK_OP_EXTEND &&
           (request->expires_ms == 0 || request->expires_ms > now_ms + STOCK_HOLD_MS_MAX);
}

static struct expectation model_ask(struct model *model, const struct stock_request *request,
                                    uint64_t now_ms)
{
    if (model_is_invalid(request, now_ms))
        return (struct expectation){STOCK_INVALID, STOCK_RECORD_NONE, NULL, NULL};
    struct model_item *item = model_item(model, request->item_id);
    if (item == NULL)
        return (struct expectation){STOCK_UNKNOWN_ITEM, STOCK_RECORD_NONE, NULL, NULL};
    struct model_reservation *reservation =
        model_reservation(model, request->item_id, request->reservation_id.low);
    if (reservation != NULL)
        return model_change(model, item, reservation, request, now_ms);
    if (request->op == STOCK_OP_RESERVE)
        return model_reserve(model, item, request, now_ms);
    return (struct expectation){STOCK_UNKNOWN_RESERVATION, STOCK_RECORD_NONE, item, NULL};
}

/* When something becomes due; UINT64_MAX = never. */
static uint64_t model_next_due_ms(const struct model *model)
{
    uint64_t next_ms = UINT64_MAX;
    for (int i = 0; i < RESERVATION_COUNT_MAX; i++) {
        const struct model_reservation *reservation = &model->reservations[i];
        if (!reservation->known)
            continue;
        uint64_t due_ms = reservation->state == STOCK_STATE_HELD
                              ? reservation->expires_ms
                              : reservation->ended_ms + RETENTION_MS;
        if (due_ms < next_ms)
            next_ms = due_ms;
    }
    return next_ms;
}

/* ---- the run ---- */

struct run {
    struct shop shop;
    struct model model;
    struct test_random random;
    uint64_t code_counts[26];
};

static uint32_t pick(struct run *run, uint32_t below)
{
    return test_random_below(&run->random, below);
}

static struct stock_request random_request(struct run *run)
{
    struct stock_request request = {
        .op = (uint8_t)(pick(run, 3) == 0 ? STOCK_OP_RESERVE : pick(run, 5)),
        .item_id = pick(run, 100) == 0 ? pick(run, 9) : 1 + pick(run, ITEM_COUNT_MAX),
        .reservation_id = {.high = 0, .low = pick(run, 200) == 0 ? 0 : 1 + pick(run, 60)},
        .buyer_id = pick(run, 16),
        .user_data = pick(run, 20) == 0,
        .expires_ms = run->shop.now_ms + pick(run, 100),
        .hold_ms = pick(run, 4) == 0 ? 1 + pick(run, 80) : 0,
        .quantity = pick(run, 4),
    };
    if (pick(run, 200) == 0)
        request.quantity = STOCK_QUANTITY_MAX + pick(run, 2);
    if (pick(run, 200) == 0)
        request.hold_ms = STOCK_HOLD_MS_MAX + pick(run, 2);
    if (pick(run, 100) == 0)
        request.expires_ms = pick(run, 2) * (run->shop.now_ms + STOCK_HOLD_MS_MAX + 1);
    return request;
}

static void compare(const struct run *run, const struct expectation *expected)
{
    const struct stock_reply *reply = &run->shop.reply;
    cr_assert_eq(reply->code, expected->code, "%s, expected %s", stock_code_name(reply->code),
                 stock_code_name(expected->code));
    cr_assert_eq(run->shop.record.type, expected->record, "%s, expected %s",
                 stock_record_type_name(run->shop.record.type),
                 stock_record_type_name(expected->record));
    if (expected->item != NULL)
        cr_assert_eq(reply->available, model_available(expected->item));
    const struct model_reservation *reservation = expected->reservation;
    if (reservation == NULL) {
        cr_assert_eq(reply->state, STOCK_STATE_NONE);
        return;
    }
    cr_assert_eq(reply->state, reservation->state);
    cr_assert_eq(reply->quantity, reservation->quantity);
    cr_assert_eq(reply->quantity_confirmed, reservation->quantity_confirmed);
    cr_assert_eq(reply->sequence, reservation->sequence);
    cr_assert_eq(reply->expires_ms, reservation->expires_ms);
}

static void step_request(struct run *run)
{
    struct stock_request request = random_request(run);
    shop_ask(&run->shop, request);
    struct expectation expected = model_ask(&run->model, &request, run->shop.now_ms);
    compare(run, &expected);
    run->code_counts[expected.code]++;
    if (request.op == STOCK_OP_GET && expected.reservation != NULL) {
        cr_assert_eq(run->shop.reply.buyer_id, expected.reservation->buyer_id);
        cr_assert_eq(run->shop.reply.user_data, expected.reservation->user_data);
        cr_assert_eq(run->shop.reply.created_ms, expected.reservation->created_ms);
    }
}

static struct stock_item_settings random_settings(struct run *run, uint64_t item_id)
{
    uint64_t now_ms = run->shop.now_ms;
    struct stock_item_settings settings = {
        .item_id = item_id,
        .stock = pick(run, 8) == 0 ? STOCK_UNLIMITED : (int64_t)pick(run, 40),
        .buyer_limit = pick(run, 3) == 0 ? 0 : 2 + pick(run, 8),
        .hold_cap = pick(run, 3) == 0 ? 0 : 1 + pick(run, 3),
        .hold_ms = 1 + pick(run, 60),
        .opens_at_ms = pick(run, 3) == 0 ? now_ms + pick(run, 50) : 0,
        .closes_at_ms = pick(run, 3) == 0 ? now_ms + pick(run, 200) : 0,
        .paused = pick(run, 6) == 0,
    };
    return settings;
}

static void step_create(struct run *run)
{
    struct model *model = &run->model;
    struct stock_item_settings settings = random_settings(run, 1 + pick(run, ITEM_COUNT_MAX));
    bool invalid = settings.closes_at_ms != 0 && settings.closes_at_ms <= settings.opens_at_ms;
    int code = shop_create(&run->shop, settings);
    if (invalid) {
        cr_assert_eq(code, STOCK_INVALID);
    } else if (model_item(model, settings.item_id) != NULL) {
        cr_assert(code == STOCK_ID_CONFLICT || code == STOCK_DUPLICATE);
    } else {
        cr_assert_eq(code, STOCK_OK);
        model->items[model->item_count++] =
            (struct model_item){.settings = settings, .next_sequence = 1};
    }
}

static void step_update(struct run *run)
{
    struct stock_item_settings wanted = random_settings(run, 1 + pick(run, ITEM_COUNT_MAX));
    bool window = pick(run, 2) == 0;
    uint32_t mask = STOCK_UPDATE_STOCK | STOCK_UPDATE_BUYER_LIMIT | STOCK_UPDATE_HOLD_CAP |
                    STOCK_UPDATE_HOLD_MS;
    if (window)
        mask |= STOCK_UPDATE_OPENS_AT_MS | STOCK_UPDATE_CLOSES_AT_MS | STOCK_UPDATE_PAUSED;
    int code = shop_update(&run->shop, wanted, mask);
    struct model_item *item = model_item(&run->model, wanted.item_id);
    if (item == NULL) {
        cr_assert_eq(code, STOCK_UNKNOWN_ITEM);
        return;
    }
    if (window && wanted.closes_at_ms != 0 && wanted.closes_at_ms <= wanted.opens_at_ms) {
        cr_assert_eq(code, STOCK_INVALID);
        return;
    }
    if (wanted.stock != STOCK_UNLIMITED && (uint64_t)wanted.stock < item->held + item->sold) {
        cr_assert_eq(code, STOCK_INSUFFICIENT);
        return;
    }
    cr_assert_eq(code, STOCK_OK);
    if (!window) {
        wanted.opens_at_ms = item->settings.opens_at_ms;
        wanted.closes_at_ms = item->settings.closes_at_ms;
        wanted.paused = item->settings.paused;
    }
    item->settings = wanted;
}

/* Works off some of what is due, as a turn does: not always all of it. */
static void step_due(struct run *run)
{
    struct shop *shop = &run->shop;
    for (uint32_t n = pick(run, 6); n > 0; n--) {
        uint64_t next_ms = model_next_due_ms(&run->model);
        cr_assert_eq(stock_next_due_ms(shop->stock), next_ms);
        bool due = stock_decide_due(shop->stock, shop->now_ms, &shop->record);
        cr_assert_eq(due, next_ms <= shop->now_ms);
        if (!due)
            return;
        struct model_reservation *reservation = model_reservation(
            &run->model, shop->record.hold.item_id, shop->record.hold.reservation_id.low);
        cr_assert_not_null(reservation);
        if (reservation->state == STOCK_STATE_HELD) {
            cr_assert_eq(shop->record.type, STOCK_RECORD_EXPIRED);
            cr_assert_eq(reservation->expires_ms, next_ms);
            model_end(&run->model, reservation, STOCK_STATE_EXPIRED, 0, shop->now_ms);
        } else {
            cr_assert_eq(shop->record.type, STOCK_RECORD_FORGOTTEN);
            cr_assert_eq(reservation->ended_ms + RETENTION_MS, next_ms);
            reservation->known = false;
        }
        shop_commit(shop);
    }
}

static void compare_items(const struct run *run)
{
    for (int i = 0; i < run->model.item_count; i++) {
        const struct model_item *item = &run->model.items[i];
        struct stock_item_view view;
        cr_assert(stock_item_find(run->shop.stock, item->settings.item_id, &view));
        cr_assert_eq(view.held, item->held);
        cr_assert_eq(view.sold, item->sold);
        cr_assert_eq(view.next_sequence, item->next_sequence);
        cr_assert_eq(view.available, model_available(item));
    }
    struct stock_counts counts = stock_counts(run->shop.stock);
    cr_assert_eq(counts.buyers, (uint64_t)model_buyer_count(&run->model));
    stock_assert_valid(run->shop.stock);
    stock_assert_valid(run->shop.twin);
    cr_assert(stock_hash(run->shop.stock) == stock_hash(run->shop.twin));
}

static void step(struct run *run)
{
    switch (pick(run, 40)) {
    case 0:
        step_update(run);
        break;
    case 1:
        step_create(run);
        break;
    case 2:
    case 3:
    case 4:
        step_due(run);
        break;
    case 5:
    case 6:
        run->shop.now_ms += pick(run, 12);
        break;
    default:
        step_request(run);
        break;
    }
}

static uint64_t seed_from_environment(void)
{
    const char *text = getenv("HF_SEED");
    return text != NULL ? strtoull(text, NULL, 10) : 20240611;
}

/* Sold units fill the buyer table for good, so a run is many sales, one after the other. */
static void run_sale(struct run *run, int step_count)
{
    struct stock_options options = {
        .item_count_max = ITEM_COUNT_MAX,
        .reservation_count_max = RESERVATION_COUNT_MAX,
        .buyer_count_max = BUYER_COUNT_MAX,
        .retention_ms = RETENTION_MS,
        .hash_key = test_random_u64(&run->random),
    };
    run->shop = shop_open_with(options);
    memset(&run->model, 0, sizeof run->model);
    for (int i = 0; i < step_count; i++) {
        step(run);
        if (i % 500 == 0)
            compare_items(run);
    }
    compare_items(run);
    shop_close(&run->shop);
}

Test(model, random_sales_agree_with_the_model_and_with_their_replay)
{
    enum { SALE_COUNT = 500 };
    struct run *run = calloc(1, sizeof *run);
    uint64_t seed = seed_from_environment();
    fprintf(stderr, "seed %llu (HF_SEED)\n", (unsigned long long)seed);
    test_random_init(&run->random, seed);
    for (int i = 0; i < SALE_COUNT; i++)
        run_sale(run, STEP_COUNT / SALE_COUNT);
    for (int code = STOCK_OK; code <= STOCK_CAPACITY; code++) {
        if (code < STOCK_RATE_LIMITED || code == STOCK_CAPACITY)
            cr_expect(run->code_counts[code] > 100, "%s came only %llu times",
                      stock_code_name(code), (unsigned long long)run->code_counts[code]);
    }
    free(run);
}
