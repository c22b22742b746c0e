#include "shop.h"

#include "world.h"

#include <string.h>

enum {
    HOLDS_MAX = 512,         /* remembered; the oldest are forgotten */
    READ_MAX = 50,           /* of them, at the end */
    CHOICES_MAX = 4,         /* tries to find one that was accepted */
    UNKNOWN_ITEMS = 1 << 20, /* ids of items that nobody creates */
    EXTEND_MS_MAX = 60 * 1000,
};

struct shop_hold {
    struct id128 id;
    uint64_t item_id;
    uint64_t buyer_id;
    uint64_t user_data;
    uint32_t quantity;
    bool is_accepted; /* as somebody was told */
};

static const struct sim_plan *plan;
static struct stock_item_settings items[SIM_ITEMS_MAX];
static struct shop_hold holds[HOLDS_MAX];
static uint64_t hold_count; /* ever; the newest stands at (hold_count - 1) % HOLDS_MAX */
static uint64_t latest_expiry_ms;

/* ---- chance ---- */

static uint64_t draw(uint64_t low, uint64_t high)
{
    return sim_between(SIM_CHANCE_CLIENTS, low, high);
}

static bool likely(uint32_t permille)
{
    return sim_happens(SIM_CHANCE_CLIENTS, permille);
}

/* ---- items ---- */

static uint64_t item_id_of(uint32_t index)
{
    return 1 + index;
}

static void draw_limits(struct stock_item_settings *settings)
{
    settings->buyer_limit = (uint32_t)draw(0, 3ull * plan->quantity_max);
    settings->hold_cap = (uint32_t)draw(0, 4);
}

/* The sale opens or closes some hundred milliseconds from now, which is when most runs happen. */
static void draw_window(struct stock_item_settings *settings, uint64_t now_ms)
{
    uint64_t kind = draw(0, 2);
    uint64_t soon_ms = now_ms + sim_spread(SIM_CHANCE_CLIENTS, 1, 100000);
    uint64_t open_ms = sim_spread(SIM_CHANCE_CLIENTS, 1, 100000);
    settings->opens_at_ms = kind == 0 ? 0 : soon_ms;
    settings->closes_at_ms = kind == 1 ? 0 : soon_ms + (kind == 2 ? open_ms : 0);
}

/* 0: the server's own, which is a quarter of an hour. */
static uint64_t draw_hold_ms(void)
{
    uint64_t hold_ms = sim_in_range(SIM_CHANCE_CLIENTS, plan->hold_ms);
    return likely(30) ? 0 : hold_ms;
}

static void draw_item(uint32_t index, struct stock_item_settings *settings)
{
    memset(settings, 0, sizeof *settings);
    settings->item_id = item_id_of(index);
    settings->stock = (int64_t)sim_in_range(SIM_CHANCE_CLIENTS, plan->stock);
    if (likely(plan->unlimited_permille))
        settings->stock = STOCK_UNLIMITED;
    if (likely(plan->limit_permille))
        draw_limits(settings);
    settings->hold_ms = draw_hold_ms();
    if (likely(plan->window_permille))
        draw_window(settings, sim_wall_ns() / SIM_MS);
    settings->sku_bytes = (uint8_t)draw(0, STOCK_SKU_BYTES_MAX);
    memset(settings->sku, 'a' + (int)(index % 26), settings->sku_bytes);
}

void shop_begin(const struct sim_plan *new_plan)
{
    plan = new_plan;
    memset(holds, 0, sizeof holds);
    hold_count = 0;
    latest_expiry_ms = 0;
    for (uint32_t i = 0; i < plan->item_count; i++)
        draw_item(i, &items[i]);
}

static uint32_t choose_item(void)
{
    uint32_t index = (uint32_t)draw(0, plan->item_count - 1);
    return likely(plan->hot_permille) ? 0 : index;
}

static uint64_t choose_item_id(void)
{
    uint32_t index = choose_item();
    uint64_t unknown = sim_spread(SIM_CHANCE_CLIENTS, 1, UNKNOWN_ITEMS);
    return likely(plan->unknown_permille) ? 1000000 + unknown : item_id_of(index);
}

void shop_create_item(uint32_t index, struct history_call *call_out)
{
    memset(call_out, 0, sizeof *call_out);
    call_out->op = HISTORY_ITEM_CREATE;
    call_out->settings = items[index];
}

/* The same settings again, or others under a known id, or ones that are out of range. */
static void choose_item_create(struct history_call *call_out)
{
    uint32_t index = choose_item();
    shop_create_item(index, call_out);
    struct stock_item_settings *settings = &call_out->settings;
    if (likely(plan->conflict_permille))
        settings->stock++;
    if (likely(plan->conflict_permille) && settings->sku_bytes > 0)
        settings->sku[0] = '#';
    if (!likely(plan->invalid_permille))
        return;
    switch (draw(0, 5)) {
    case 0:
        settings->item_id = 0;
        break;
    case 1:
        settings->stock = -2;
        break;
    case 2:
        settings->stock = STOCK_STOCK_MAX + 1;
        break;
    case 3:
        settings->hold_ms = STOCK_HOLD_MS_MAX + 1;
        break;
    case 4:
        settings->sku_bytes = 3;
        memset(settings->sku, 0, 3);
        break;
    default:
        settings->opens_at_ms = settings->closes_at_ms = 1000;
        break;
    }
}

static void choose_item_update(uint64_t now_ms, struct history_call *call_out)
{
    struct stock_item_settings *settings = &call_out->settings;
    call_out->op = HISTORY_ITEM_UPDATE;
    call_out->update_mask = (uint32_t)draw(1, STOCK_UPDATE_ALL);
    if (likely(700)) /* mostly one thing at a time */
        call_out->update_mask = 1u << draw(0, 6);
    settings->item_id = choose_item_id();
    settings->stock = (int64_t)sim_in_range(SIM_CHANCE_CLIENTS, plan->stock);
    if (likely(plan->unlimited_permille))
        settings->stock = STOCK_UNLIMITED;
    draw_limits(settings);
    settings->hold_ms = draw_hold_ms();
    if (likely(plan->window_permille))
        draw_window(settings, now_ms);
    settings->paused = likely(plan->window_permille / 2);
    if (likely(plan->invalid_permille))
        settings->closes_at_ms = settings->opens_at_ms = 5;
    if (likely(plan->invalid_permille))
        settings->item_id = 0;
}

/* ---- reservations ---- */

static void remember(const struct stock_request *request)
{
    struct shop_hold *hold = &holds[hold_count++ % HOLDS_MAX];
    hold->id = request->reservation_id;
    hold->item_id = request->item_id;
    hold->buyer_id = request->buyer_id;
    hold->user_data = request->user_data;
    hold->quantity = request->quantity;
    hold->is_accepted = false;
}

static uint64_t known_count(void)
{
    return hold_count < HOLDS_MAX ? hold_count : HOLDS_MAX;
}

/* One of those remembered, mostly a young one that was accepted; NULL while there is none. */
static const struct shop_hold *choose_hold(void)
{
    const struct shop_hold *hold = NULL;
    if (hold_count == 0)
        return NULL;
    for (int i = 0; i < CHOICES_MAX && (hold == NULL || !hold->is_accepted); i++) {
        uint64_t back = sim_spread(SIM_CHANCE_CLIENTS, 1, known_count());
        hold = &holds[(hold_count - back) % HOLDS_MAX];
    }
    return hold;
}

/* The lower half of an id is the number of the hold. */
void shop_hear(const struct stock_request *request, const struct stock_reply *reply)
{
    struct shop_hold *hold = &holds[(request->reservation_id.low - 1) % HOLDS_MAX];
    if (request->op == STOCK_OP_RESERVE && reply->code == STOCK_OK &&
        id128_equal(hold->id, request->reservation_id))
        hold->is_accepted = true;
}

static void new_reserve(struct stock_request *request)
{
    request->item_id = choose_item_id();
    request->reservation_id.high = draw(0, 3);
    request->reservation_id.low = hold_count + 1;
    request->buyer_id = draw(1, plan->buyer_count);
    if (likely(100))
        request->buyer_id = 0;
    request->user_data = draw(0, 3);
    request->quantity = (uint32_t)sim_spread(SIM_CHANCE_CLIENTS, 1, plan->quantity_max);
    uint64_t hold_ms = sim_in_range(SIM_CHANCE_CLIENTS, plan->hold_ms);
    request->hold_ms = likely(500) ? hold_ms : 0;
}

static void repeat_reserve(const struct shop_hold *hold, struct stock_request *request)
{
    request->item_id = hold->item_id;
    request->reservation_id = hold->id;
    request->buyer_id = hold->buyer_id;
    request->user_data = hold->user_data;
    request->quantity = hold->quantity;
}

static void change_content(struct stock_request *request)
{
    switch (draw(0, 2)) {
    case 0:
        request->buyer_id++;
        break;
    case 1:
        request->user_data++;
        break;
    default:
        request->quantity = request->quantity == 1 ? 2 : 1;
        break;
    }
}

/* No hold ends later than this, whatever became of the request. */
static void note_expiry(uint64_t expires_ms)
{
    if (expires_ms > latest_expiry_ms)
        latest_expiry_ms = expires_ms;
}

static void choose_reserve(uint64_t now_ms, struct stock_request *request)
{
    bool is_repeat = likely(plan->repeat_permille);
    bool is_conflict = likely(plan->conflict_permille);
    const struct shop_hold *hold = choose_hold();
    if (hold == NULL || !(is_repeat || is_conflict)) {
        new_reserve(request);
        remember(request);
    } else {
        repeat_reserve(hold, request);
        if (is_conflict)
            change_content(request);
    }
    note_expiry(now_ms + plan->hold_ms.high + STOCK_HOLD_MS_DEFAULT);
}

static void name_hold(struct stock_request *request)
{
    const struct shop_hold *hold = choose_hold();
    bool is_unknown = likely(plan->unknown_permille);
    if (hold != NULL && !is_unknown) {
        request->item_id = hold->item_id;
        request->reservation_id = hold->id;
        request->quantity = hold->quantity;
        return;
    }
    request->item_id = choose_item_id();
    request->reservation_id.high = 9;
    request->reservation_id.low = draw(1, 1000);
    request->quantity = 1;
}

/* All, the same in numbers, a part, or more than is held. */
static void choose_confirm(struct stock_request *request)
{
    name_hold(request);
    switch (draw(0, 5)) {
    case 0:
        break;
    case 1:
        request->quantity = (request->quantity + 1) / 2;
        break;
    case 2:
        request->quantity++;
        break;
    default:
        request->quantity = 0;
        break;
    }
}

static void choose_extend(uint64_t now_ms, struct stock_request *request)
{
    name_hold(request);
    uint64_t longer_ms = sim_spread(SIM_CHANCE_CLIENTS, 1, EXTEND_MS_MAX);
    uint64_t hold_ms = sim_in_range(SIM_CHANCE_CLIENTS, plan->hold_ms);
    request->expires_ms = now_ms + (likely(500) ? longer_ms : hold_ms);
    note_expiry(request->expires_ms);
}

static void spoil(struct stock_request *request)
{
    switch (draw(0, 5)) {
    case 0:
        request->item_id = 0;
        break;
    case 1:
        request->reservation_id = (struct id128){0};
        break;
    case 2:
        request->quantity = 0;
        break;
    case 3:
        request->quantity = STOCK_QUANTITY_MAX + 1;
        break;
    case 4:
        request->hold_ms = STOCK_HOLD_MS_MAX + 1;
        break;
    default:
        request->expires_ms = request->op == STOCK_OP_EXTEND ? UINT64_MAX : 0;
        break;
    }
}

static void choose_request(enum sim_ask ask, uint64_t now_ms, struct stock_request *request)
{
    switch (ask) {
    case SIM_ASK_RESERVE:
        request->op = STOCK_OP_RESERVE;
        choose_reserve(now_ms, request);
        break;
    case SIM_ASK_CONFIRM:
        request->op = STOCK_OP_CONFIRM;
        choose_confirm(request);
        break;
    case SIM_ASK_CANCEL:
        request->op = STOCK_OP_CANCEL;
        name_hold(request);
        break;
    case SIM_ASK_EXTEND:
        request->op = STOCK_OP_EXTEND;
        choose_extend(now_ms, request);
        break;
    default:
        request->op = STOCK_OP_GET;
        name_hold(request);
        break;
    }
    if (likely(plan->invalid_permille))
        spoil(request);
}

void shop_choose(enum sim_ask ask, uint64_t now_ms, struct history_call *call_out)
{
    memset(call_out, 0, sizeof *call_out);
    switch (ask) {
    case SIM_ASK_ITEM_CREATE:
        choose_item_create(call_out);
        return;
    case SIM_ASK_ITEM_UPDATE:
        choose_item_update(now_ms, call_out);
        return;
    case SIM_ASK_ITEM_GET:
        call_out->op = HISTORY_ITEM_GET;
        call_out->settings.item_id = choose_item_id();
        return;
    default:
        call_out->op = HISTORY_ROW;
        choose_request(ask, now_ms, &call_out->request);
        return;
    }
}

/* ---- the end ---- */

bool shop_read(uint32_t index, struct history_call *call_out)
{
    uint64_t read_count = known_count() < READ_MAX ? known_count() : READ_MAX;
    memset(call_out, 0, sizeof *call_out);
    if (index < read_count) {
        const struct shop_hold *hold = &holds[(hold_count - 1 - index) % HOLDS_MAX];
        call_out->op = HISTORY_ROW;
        call_out->request.op = STOCK_OP_GET;
        call_out->request.item_id = hold->item_id;
        call_out->request.reservation_id = hold->id;
        return true;
    }
    index -= (uint32_t)read_count;
    call_out->op = HISTORY_ITEM_GET;
    call_out->settings.item_id = item_id_of(index);
    return index < plan->item_count;
}

uint64_t shop_latest_expiry_ms(void)
{
    return latest_expiry_ms;
}
