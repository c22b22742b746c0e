/* Records from disk that are well-formed and not true: each is refused, and the true one passes. */

#include "shop.h"

/* Decides without committing, so that the record can be spoiled. */
static struct stock_record decide(const struct shop *shop, struct stock_request request)
{
    struct stock_reply reply;
    struct stock_record record;
    stock_prepare(shop->stock, &request, 1);
    stock_decide(shop->stock, &request, shop->now_ms, &reply, &record);
    cr_assert_neq(record.type, STOCK_RECORD_NONE);
    return record;
}

static struct stock_record decide_hold(const struct shop *shop, uint64_t id, uint32_t quantity)
{
    struct stock_request request = shop_request(STOCK_OP_RESERVE, id);
    request.buyer_id = SHOP_BUYER;
    request.quantity = quantity;
    return decide(shop, request);
}

static struct stock_record decide_op(const struct shop *shop, enum stock_op op)
{
    struct stock_request request = shop_request(op, 1);
    request.expires_ms = shop->now_ms + 2 * SHOP_HOLD_MS;
    return decide(shop, request);
}

#define expect_refused(shop, record) cr_expect(stock_check((shop)->stock, &(record)) != NULL)
#define expect_legal(shop, record)   cr_expect(stock_check((shop)->stock, &(record)) == NULL)

/* Spoils one member of a copy and expects it to be refused. */
#define expect_spoiled(shop, record, member, value)                                                \
    do {                                                                                           \
        struct stock_record spoiled = (record);                                                    \
        spoiled.member = (value);                                                                  \
        expect_refused(shop, spoiled);                                                             \
    } while (0)

Test(check, hold_that_is_not_true_is_refused)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 4), STOCK_OK);
    struct stock_record hold = decide_hold(&shop, 2, 6);
    expect_legal(&shop, hold);
    expect_spoiled(&shop, hold, type, 0);
    expect_spoiled(&shop, hold, type, 9);
    expect_spoiled(&shop, hold, time_ms, STOCK_TIME_MS_MAX + 1);
    expect_spoiled(&shop, hold, hold.item_id, 99);
    expect_spoiled(&shop, hold, hold.reservation_id, ((struct id128){0, 0}));
    expect_spoiled(&shop, hold, hold.reservation_id, ((struct id128){9, 1}));
    expect_spoiled(&shop, hold, hold.sequence, 1);
    expect_spoiled(&shop, hold, hold.sequence, 3);
    expect_spoiled(&shop, hold, hold.quantity, 7);
    expect_spoiled(&shop, hold, hold.quantity, 0);
    expect_spoiled(&shop, hold, hold.quantity_confirmed, 1);
    expect_spoiled(&shop, hold, hold.expires_ms, hold.time_ms);
    expect_spoiled(&shop, hold, hold.expires_ms, hold.time_ms + STOCK_HOLD_MS_MAX + 1);
    shop_close(&shop);
}

Test(check, hold_over_the_largest_quantity_is_refused)
{
    struct shop shop = shop_open(STOCK_UNLIMITED);
    struct stock_record hold = decide_hold(&shop, 1, 1);
    expect_spoiled(&shop, hold, hold.quantity, STOCK_QUANTITY_MAX + 1);
    shop_close(&shop);
}

Test(check, hold_beyond_a_table_is_refused)
{
    struct stock_options options = shop_options();
    options.reservation_count_max = 2;
    options.buyer_count_max = 1;
    struct shop shop = shop_open_with(options);
    cr_assert_eq(shop_create(&shop, shop_settings(10)), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    struct stock_record hold = decide_hold(&shop, 2, 1);
    expect_spoiled(&shop, hold, hold.buyer_id, SHOP_BUYER + 1);
    expect_legal(&shop, hold);
    stock_commit(shop.stock, &hold);
    hold.hold.reservation_id.low = 3;
    hold.hold.sequence = 3;
    expect_refused(&shop, hold);
    stock_destroy(&shop.stock);
    stock_destroy(&shop.twin);
}

static void expect_change_checked(struct shop *shop, struct stock_record change)
{
    expect_legal(shop, change);
    expect_spoiled(shop, change, hold.item_id, 99);
    expect_spoiled(shop, change, hold.reservation_id, ((struct id128){9, 2}));
    expect_spoiled(shop, change, hold.buyer_id, SHOP_BUYER + 1);
    expect_spoiled(shop, change, hold.sequence, 2);
    expect_spoiled(shop, change, hold.quantity, 5);
    expect_spoiled(shop, change, hold.user_data, 5);
    expect_spoiled(shop, change, hold.quantity_confirmed, 99);
    expect_spoiled(shop, change, time_ms, SHOP_START_MS - 1);
}

/* The same as for a request that is decided: a hold more would wrap the buyer's counter. */
Test(check, hold_beyond_what_a_buyers_counter_holds_is_refused)
{
    struct stock_options options = shop_options();
    options.reservation_count_max = 8192;
    struct shop shop = shop_open_with(options);
    cr_assert_eq(shop_create(&shop, shop_settings(STOCK_UNLIMITED)), STOCK_OK);
    const uint64_t full_count = UINT32_MAX / STOCK_QUANTITY_MAX;
    const uint32_t left = (uint32_t)(UINT32_MAX - full_count * STOCK_QUANTITY_MAX);
    for (uint64_t id = 1; id <= full_count; id++)
        cr_assert_eq(shop_reserve(&shop, id, SHOP_BUYER, STOCK_QUANTITY_MAX), STOCK_OK);
    struct stock_record hold = decide_hold(&shop, full_count + 1, left);
    expect_legal(&shop, hold);
    expect_spoiled(&shop, hold, hold.quantity, left + 1);
    shop_close(&shop);
}

Test(check, hold_that_is_not_true_is_called_so_even_when_the_table_is_full)
{
    struct stock_options options = shop_options();
    options.reservation_count_max = UINT32_MAX / STOCK_QUANTITY_MAX;
    struct shop shop = shop_open_with(options);
    cr_assert_eq(shop_create(&shop, shop_settings(STOCK_UNLIMITED)), STOCK_OK);
    struct stock_record hold = decide_hold(&shop, options.reservation_count_max + 1, 1);
    for (uint64_t id = 1; id <= options.reservation_count_max; id++)
        cr_assert_eq(shop_reserve(&shop, id, SHOP_BUYER, STOCK_QUANTITY_MAX), STOCK_OK);
    hold.hold.sequence = options.reservation_count_max + 1;
    cr_expect_eq(stock_check(shop.stock, &hold), stock_check_full);
    hold.hold.quantity = STOCK_QUANTITY_MAX;
    const char *problem = stock_check(shop.stock, &hold);
    cr_expect(problem != NULL && problem != stock_check_full);
    shop_close(&shop);
}

Test(check, change_that_does_not_fit_its_hold_is_refused)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 4), STOCK_OK);
    struct stock_record confirm = decide_op(&shop, STOCK_OP_CONFIRM);
    struct stock_record cancel = decide_op(&shop, STOCK_OP_CANCEL);
    struct stock_record extend = decide_op(&shop, STOCK_OP_EXTEND);
    uint64_t deadline_ms = SHOP_START_MS + SHOP_HOLD_MS;
    expect_change_checked(&shop, confirm);
    expect_change_checked(&shop, cancel);
    expect_change_checked(&shop, extend);
    expect_spoiled(&shop, confirm, hold.quantity_confirmed, 0);
    expect_spoiled(&shop, confirm, hold.quantity_confirmed, 5);
    expect_spoiled(&shop, confirm, hold.expires_ms, deadline_ms + 1);
    expect_spoiled(&shop, confirm, time_ms, deadline_ms);
    expect_spoiled(&shop, cancel, time_ms, deadline_ms);
    expect_spoiled(&shop, cancel, hold.quantity_confirmed, 1);
    expect_spoiled(&shop, extend, time_ms, deadline_ms);
    expect_spoiled(&shop, extend, hold.expires_ms, deadline_ms);
    expect_spoiled(&shop, extend, hold.expires_ms, SHOP_START_MS + STOCK_HOLD_MS_MAX + 1);
    expect_spoiled(&shop, cancel, type, STOCK_RECORD_EXPIRED);
    expect_spoiled(&shop, cancel, type, STOCK_RECORD_FORGOTTEN);

    shop.now_ms = deadline_ms;
    struct stock_record expire = decide_op(&shop, STOCK_OP_GET);
    cr_assert_eq(expire.type, STOCK_RECORD_EXPIRED);
    expect_change_checked(&shop, expire);
    expect_spoiled(&shop, expire, time_ms, deadline_ms - 1);

    shop.now_ms = SHOP_START_MS;
    cr_assert_eq(shop_confirm(&shop, 1, 3), STOCK_OK);
    expect_refused(&shop, confirm);
    expect_refused(&shop, cancel);
    expect_refused(&shop, extend);
    expect_refused(&shop, expire);
    struct stock_record forget;
    cr_assert(stock_decide_due(shop.stock, SHOP_START_MS + SHOP_RETENTION_MS, &forget));
    expect_change_checked(&shop, forget);
    shop_close(&shop);
}

Test(check, item_that_is_not_true_is_refused)
{
    struct stock_options options = shop_options();
    options.item_count_max = 2;
    struct shop shop = shop_open_with(options);
    cr_assert_eq(shop_create(&shop, shop_settings(10)), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 4), STOCK_OK);
    struct stock_record update = {
        .type = STOCK_RECORD_ITEM_UPDATED, .time_ms = shop.now_ms, .item = shop_settings(4)};
    expect_legal(&shop, update);
    expect_spoiled(&shop, update, item.stock, 3);
    expect_spoiled(&shop, update, item.stock, -2);
    expect_spoiled(&shop, update, item.item_id, 99);
    expect_spoiled(&shop, update, item.item_id, 0);
    expect_spoiled(&shop, update, item.sku_bytes, 6);
    expect_spoiled(&shop, update, item.sku_bytes, 8);
    expect_spoiled(&shop, update, item.hold_ms, 0);
    expect_spoiled(&shop, update, item.hold_ms, STOCK_HOLD_MS_MAX + 1);
    struct stock_record create = update;
    create.type = STOCK_RECORD_ITEM_CREATED;
    expect_refused(&shop, create);
    create.item.item_id = SHOP_ITEM + 1;
    expect_legal(&shop, create);
    expect_spoiled(&shop, create, item.stock, STOCK_STOCK_MAX + 1);
    stock_commit(shop.stock, &create);
    create.item.item_id++;
    expect_refused(&shop, create);
    stock_destroy(&shop.stock);
    stock_destroy(&shop.twin);
}
