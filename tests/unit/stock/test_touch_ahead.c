/* Memory that is taken ahead of its use: all of each table, once, and whatever is in it stays. */

#include "shop.h"

enum { ITEMS = 10, BUYERS = 40000, RESERVATIONS = 70000 };

static struct shop open_shop(void)
{
    struct stock_options options = shop_options();
    options.item_count_max = ITEMS;
    options.buyer_count_max = BUYERS;
    options.reservation_count_max = RESERVATIONS;
    return shop_open_with(options);
}

Test(touch_ahead, takes_every_table_to_its_end_and_then_nothing)
{
    struct shop shop = open_shop();
    uint32_t slot = 0;
    uint64_t bytes = 0, taken;
    while ((taken = stock_touch_ahead(shop.stock, &slot)) > 0) {
        cr_assert_leq(taken, 4u << 20, "a piece is small");
        bytes += taken;
    }
    cr_expect_eq(bytes, ITEMS * 192 + BUYERS * 24 + RESERVATIONS * (64 + 16));
    cr_expect_eq(stock_touch_ahead(shop.stock, &slot), 0u);
    shop_close(&shop);
}

Test(touch_ahead, leaves_what_is_in_the_tables)
{
    struct shop shop = open_shop();
    cr_assert_eq(shop_create(&shop, shop_settings(STOCK_UNLIMITED)), STOCK_OK);
    for (uint64_t id = 1; id <= 1000; id++)
        cr_assert_eq(shop_reserve(&shop, id, id, 1), STOCK_OK);
    const uint64_t hash = stock_hash(shop.stock);
    uint32_t slot = 0;
    while (stock_touch_ahead(shop.stock, &slot) > 0)
        continue;
    cr_expect_eq(stock_hash(shop.stock), hash);
    stock_assert_valid(shop.stock);
    shop_close(&shop);
}
