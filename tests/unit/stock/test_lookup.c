/* Entries of the tables whose hashes look alike are told apart by the keys themselves. An index
 * keeps some bits of each hash, fewer the larger it is; with full tables of 65536 entries, tens of
 * thousands of searches meet such a neighbour a few times, always the same ones for one hash key.
 */

#include "shop.h"

enum { COUNT = 1 << 16 };

static struct shop open_large(void)
{
    struct stock_options options = shop_options();
    options.item_count_max = COUNT;
    options.reservation_count_max = COUNT;
    options.buyer_count_max = COUNT;
    struct shop shop = {.now_ms = SHOP_START_MS, .stock = stock_create(&options)};
    cr_assert_not_null(shop.stock);
    return shop;
}

/* shop_ask() without a twin. */
static int ask(struct shop *shop, struct stock_request request)
{
    stock_prepare(shop->stock, &request, 1);
    stock_decide(shop->stock, &request, shop->now_ms, &shop->reply, &shop->record);
    if (shop->record.type != STOCK_RECORD_NONE)
        stock_commit(shop->stock, &shop->record);
    return shop->reply.code;
}

static void create(struct shop *shop, uint64_t item_id)
{
    struct stock_item_settings settings = shop_settings(2);
    settings.item_id = item_id;
    settings.buyer_limit = 1;
    stock_decide_item_create(shop->stock, &settings, shop->now_ms, &shop->reply, &shop->record);
    cr_assert_eq(shop->reply.code, STOCK_OK);
    stock_commit(shop->stock, &shop->record);
}

static struct stock_request row(enum stock_op op, uint64_t item_id, uint64_t id, uint64_t buyer_id)
{
    return (struct stock_request){.op = (uint8_t)op,
                                  .item_id = item_id,
                                  .reservation_id = {.low = id},
                                  .buyer_id = buyer_id,
                                  .quantity = 1,
                                  .user_data = item_id};
}

/* A cart holds one unit of every item under one id, for one buyer. */
Test(lookup, one_cart_over_all_items_finds_each_hold_at_its_own_item)
{
    struct shop shop = open_large();
    for (uint64_t item_id = 1; item_id <= COUNT; item_id++) {
        create(&shop, item_id);
        cr_assert_eq(ask(&shop, row(STOCK_OP_RESERVE, item_id, 77, SHOP_BUYER)), STOCK_OK);
    }
    for (uint64_t item_id = 1; item_id <= COUNT; item_id++) {
        cr_assert_eq(ask(&shop, row(STOCK_OP_GET, item_id, 77, 0)), STOCK_OK);
        cr_assert_eq(shop.reply.user_data, item_id);
        cr_assert_eq(ask(&shop, row(STOCK_OP_RESERVE, item_id, 78, SHOP_BUYER)), STOCK_BUYER_LIMIT);
    }
    for (uint64_t item_id = COUNT + 1; item_id <= 5 * COUNT; item_id++)
        cr_assert_eq(ask(&shop, row(STOCK_OP_GET, item_id, 77, 0)), STOCK_UNKNOWN_ITEM);
    stock_assert_valid(shop.stock);
    stock_destroy(&shop.stock);
}

Test(lookup, holds_and_buyers_of_one_item_are_not_taken_for_others)
{
    struct shop shop = open_large();
    struct stock_item_settings settings = shop_settings(COUNT);
    settings.buyer_limit = 1;
    stock_decide_item_create(shop.stock, &settings, shop.now_ms, &shop.reply, &shop.record);
    stock_commit(shop.stock, &shop.record);
    for (uint64_t n = 1; n < COUNT; n++)
        cr_assert_eq(ask(&shop, row(STOCK_OP_RESERVE, SHOP_ITEM, n, n)), STOCK_OK);
    for (uint64_t n = COUNT; n <= 4 * COUNT; n++) {
        cr_assert_eq(ask(&shop, row(STOCK_OP_GET, SHOP_ITEM, n, 0)), STOCK_UNKNOWN_RESERVATION);
        struct stock_request request = row(STOCK_OP_RESERVE, SHOP_ITEM, COUNT, n);
        struct stock_record record;
        stock_prepare(shop.stock, &request, 1);
        stock_decide(shop.stock, &request, shop.now_ms, &shop.reply, &record);
        cr_assert_eq(shop.reply.code, STOCK_OK, "buyer %lu has nothing yet", (unsigned long)n);
    }
    stock_assert_valid(shop.stock);
    stock_destroy(&shop.stock);
}
