/* Memory that is taken ahead of its use: what holds need, once, behind what is in use, and whatever
 * is in the tables stays. */

#include "shop.h"

enum { BUYERS = 40000, RESERVATIONS = 70000, BUYER_BYTES = 24, RESERVATION_BYTES = 64 + 16 };

static struct shop open_shop(void)
{
    struct stock_options options = shop_options();
    options.buyer_count_max = BUYERS;
    options.reservation_count_max = RESERVATIONS;
    return shop_open_with(options);
}

static uint64_t touch_all(const struct shop *shop)
{
    struct stock_ahead ahead = stock_ahead_begin(shop->stock);
    uint64_t bytes = 0, taken;
    while ((taken = stock_ahead_touch(shop->stock, &ahead)) > 0) {
        cr_assert_leq(taken, 4u << 20, "a piece is small");
        bytes += taken;
    }
    cr_expect_eq(stock_ahead_touch(shop->stock, &ahead), 0u);
    return bytes;
}

static void reserve(struct shop *shop, uint64_t first_id, uint64_t last_id)
{
    for (uint64_t id = first_id; id <= last_id; id++)
        cr_assert_eq(shop_reserve(shop, id, id, 1), STOCK_OK);
}

Test(touch_ahead, takes_what_holds_need_to_its_end_and_then_nothing)
{
    struct shop shop = open_shop();
    cr_expect_eq(touch_all(&shop), BUYERS * BUYER_BYTES + RESERVATIONS * RESERVATION_BYTES);
    shop_close(&shop);
}

Test(touch_ahead, begins_behind_what_is_in_use)
{
    enum { HOLDS = 1000 };
    struct shop shop = open_shop();
    cr_assert_eq(shop_create(&shop, shop_settings(STOCK_UNLIMITED)), STOCK_OK);
    reserve(&shop, 1, HOLDS);
    cr_expect_eq(touch_all(&shop),
                 (BUYERS - HOLDS) * BUYER_BYTES + (RESERVATIONS - HOLDS) * RESERVATION_BYTES);
    shop_close(&shop);
}

Test(touch_ahead, takes_nothing_of_a_full_table)
{
    struct shop shop = open_shop();
    cr_assert_eq(shop_create(&shop, shop_settings(STOCK_UNLIMITED)), STOCK_OK);
    reserve(&shop, 1, BUYERS);
    cr_expect_eq(touch_all(&shop), (RESERVATIONS - BUYERS) * RESERVATION_BYTES);
    shop_close(&shop);
}

Test(touch_ahead, leaves_what_is_in_the_tables)
{
    struct shop shop = open_shop();
    cr_assert_eq(shop_create(&shop, shop_settings(STOCK_UNLIMITED)), STOCK_OK);
    struct stock_ahead ahead = stock_ahead_begin(shop.stock); /* and then the slots are used */
    reserve(&shop, 1, 1000);
    const uint64_t hash = stock_hash(shop.stock);
    while (stock_ahead_touch(shop.stock, &ahead) > 0)
        continue;
    cr_expect_eq(stock_hash(shop.stock), hash);
    stock_assert_valid(shop.stock);
    shop_close(&shop);
}
