/* What the seller does: creating items, changing them, listing them. */

#include "shop.h"

Test(create, fills_in_the_default_hold_time)
{
    struct shop shop = shop_open_with(shop_options());
    struct stock_item_settings settings = shop_settings(5);
    settings.hold_ms = 0;
    cr_assert_eq(shop_create(&shop, settings), STOCK_OK);
    cr_expect_eq(shop.reply.available, 5);
    cr_expect_eq(shop_view(&shop).settings.hold_ms, STOCK_HOLD_MS_DEFAULT);
    cr_expect_eq(shop_view(&shop).created_ms, SHOP_START_MS);
    cr_expect_eq(shop_view(&shop).next_sequence, 1);
    cr_expect_eq(shop_create(&shop, settings), STOCK_DUPLICATE);
    shop_close(&shop);
}

static void expect_invalid(struct stock_item_settings settings, enum stock_field field)
{
    struct shop shop = shop_open_with(shop_options());
    cr_expect_eq(shop_create(&shop, settings), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, field);
    cr_expect_eq(shop.record.type, STOCK_RECORD_NONE);
    shop_close(&shop);
}

Test(create, names_the_setting_that_is_out_of_range)
{
    struct stock_item_settings settings = shop_settings(5);
    settings.item_id = 0;
    expect_invalid(settings, STOCK_FIELD_ITEM_ID);
    settings = shop_settings(5);
    settings.sku[3] = '\0';
    expect_invalid(settings, STOCK_FIELD_SKU);
    settings = shop_settings(5);
    settings.sku_bytes = STOCK_SKU_BYTES_MAX + 1;
    expect_invalid(settings, STOCK_FIELD_SKU);
    expect_invalid(shop_settings(-2), STOCK_FIELD_STOCK);
    expect_invalid(shop_settings(STOCK_STOCK_MAX + 1), STOCK_FIELD_STOCK);
    settings = shop_settings(5);
    settings.hold_ms = STOCK_HOLD_MS_MAX + 1;
    expect_invalid(settings, STOCK_FIELD_HOLD_MS);
    settings = shop_settings(5);
    settings.opens_at_ms = 100;
    settings.closes_at_ms = 100;
    expect_invalid(settings, STOCK_FIELD_CLOSES_AT_MS);
}

Test(create, allows_the_extremes)
{
    struct shop shop = shop_open_with(shop_options());
    struct stock_item_settings settings = {.item_id = UINT64_MAX, .stock = STOCK_STOCK_MAX};
    settings.hold_ms = STOCK_HOLD_MS_MAX;
    settings.sku_bytes = STOCK_SKU_BYTES_MAX;
    memset(settings.sku, 'x', sizeof settings.sku);
    settings.opens_at_ms = UINT64_MAX - 1;
    settings.closes_at_ms = UINT64_MAX;
    settings.buyer_limit = UINT32_MAX;
    settings.hold_cap = UINT32_MAX;
    cr_expect_eq(shop_create(&shop, settings), STOCK_OK);
    cr_expect_eq(shop_create(&shop, (struct stock_item_settings){.item_id = 1}), STOCK_OK,
                 "no SKU, nothing for sale");
    shop_close(&shop);
}

Test(create, of_a_known_item_is_duplicate_or_names_the_clash)
{
    struct shop shop = shop_open(5);
    cr_expect_eq(shop_create(&shop, shop_settings(5)), STOCK_DUPLICATE);
    cr_expect_eq(shop.reply.seen_lsn, shop.lsn);
    cr_expect_eq(shop_create(&shop, shop_settings(6)), STOCK_ID_CONFLICT);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_NONE);
    struct stock_item_settings other = shop_settings(5);
    other.sku[0] = 'Z';
    cr_expect_eq(shop_create(&shop, other), STOCK_ID_CONFLICT);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_SKU);
    shop_close(&shop);
}

Test(create, beyond_the_table_is_capacity)
{
    struct stock_options options = shop_options();
    options.item_count_max = 1;
    struct shop shop = shop_open_with(options);
    cr_assert_eq(shop_create(&shop, shop_settings(5)), STOCK_OK);
    struct stock_item_settings other = shop_settings(5);
    other.item_id++;
    cr_expect_eq(shop_create(&shop, other), STOCK_CAPACITY);
    shop_close(&shop);
}

Test(update, changes_the_named_settings_and_no_other)
{
    struct shop shop = shop_open(5);
    struct stock_item_settings wanted = {.item_id = SHOP_ITEM,
                                         .stock = 50,
                                         .buyer_limit = 2,
                                         .hold_cap = 3,
                                         .hold_ms = 4,
                                         .opens_at_ms = 5,
                                         .closes_at_ms = 6,
                                         .paused = true};
    cr_assert_eq(shop_update(&shop, wanted, STOCK_UPDATE_BUYER_LIMIT), STOCK_OK);
    struct stock_item_settings now = shop_view(&shop).settings;
    cr_expect_eq(now.buyer_limit, 2);
    cr_expect_eq(now.stock, 5);
    cr_expect_eq(now.hold_cap, 0);
    cr_expect_eq(now.hold_ms, SHOP_HOLD_MS);
    cr_expect_not(now.paused);
    cr_assert_eq(shop_update(&shop, wanted, STOCK_UPDATE_ALL), STOCK_OK);
    now = shop_view(&shop).settings;
    cr_expect_eq(now.stock, 50);
    cr_expect_eq(now.hold_cap, 3);
    cr_expect_eq(now.hold_ms, 4);
    cr_expect_eq(now.opens_at_ms, 5);
    cr_expect_eq(now.closes_at_ms, 6);
    cr_expect(now.paused);
    cr_expect_eq(now.sku_bytes, 7, "the SKU never changes");
    shop_close(&shop);
}

Test(update, that_changes_nothing_is_ok_without_a_record)
{
    struct shop shop = shop_open(5);
    uint64_t lsn = shop.lsn;
    cr_expect_eq(shop_update(&shop, shop_settings(5), STOCK_UPDATE_STOCK), STOCK_OK);
    cr_expect_eq(shop_update(&shop, shop_settings(9), 0), STOCK_OK);
    cr_expect_eq(shop.lsn, lsn);
    shop_close(&shop);
}

Test(update, of_stock_reaches_down_to_what_is_held_and_sold)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 2, SHOP_BUYER, 3), STOCK_OK);
    cr_assert_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    cr_expect_eq(shop_update(&shop, shop_settings(4), STOCK_UPDATE_STOCK), STOCK_INSUFFICIENT);
    cr_expect_eq(shop.reply.available, 5);
    cr_expect_eq(shop_update(&shop, shop_settings(5), STOCK_UPDATE_STOCK), STOCK_OK);
    cr_expect_eq(shop.reply.available, 0);
    cr_expect_eq(shop_update(&shop, shop_settings(STOCK_UNLIMITED), STOCK_UPDATE_STOCK), STOCK_OK);
    cr_expect_eq(shop.reply.available, STOCK_UNLIMITED);
    cr_expect_eq(shop_update(&shop, shop_settings(4), STOCK_UPDATE_STOCK), STOCK_INSUFFICIENT);
    cr_expect_eq(shop.reply.available, STOCK_UNLIMITED);
    cr_expect_eq(shop_update(&shop, shop_settings(6), STOCK_UPDATE_STOCK), STOCK_OK);
    cr_expect_eq(shop.reply.available, 1);
    shop_close(&shop);
}

Test(update, names_what_is_wrong)
{
    struct shop shop = shop_open(10);
    struct stock_item_settings wanted = shop_settings(-2);
    cr_expect_eq(shop_update(&shop, wanted, STOCK_UPDATE_STOCK), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_STOCK);
    wanted.closes_at_ms = 100;
    cr_assert_eq(shop_update(&shop, wanted, STOCK_UPDATE_CLOSES_AT_MS), STOCK_OK);
    wanted.opens_at_ms = 200;
    cr_expect_eq(shop_update(&shop, wanted, STOCK_UPDATE_OPENS_AT_MS), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_OPENS_AT_MS);
    cr_expect_eq(shop_update(&shop, wanted, STOCK_UPDATE_OPENS_AT_MS | STOCK_UPDATE_CLOSES_AT_MS),
                 STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_CLOSES_AT_MS);
    wanted.hold_ms = STOCK_HOLD_MS_MAX + 1;
    cr_expect_eq(shop_update(&shop, wanted, STOCK_UPDATE_HOLD_MS), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_HOLD_MS);
    wanted.item_id = 0;
    cr_expect_eq(shop_update(&shop, wanted, STOCK_UPDATE_STOCK), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_ITEM_ID);
    wanted.item_id = 99;
    cr_expect_eq(shop_update(&shop, wanted, STOCK_UPDATE_STOCK), STOCK_UNKNOWN_ITEM);
    shop_close(&shop);
}

Test(items, are_listed_in_order_of_creation)
{
    struct shop shop = shop_open_with(shop_options());
    const uint64_t ids[] = {30, 10, 20};
    struct stock_item_view view;
    for (int i = 0; i < 3; i++) {
        struct stock_item_settings settings = {.item_id = ids[i], .stock = 1};
        cr_assert_eq(shop_create(&shop, settings), STOCK_OK);
    }
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert(stock_item_at(shop.stock, i, &view));
        cr_expect_eq(view.settings.item_id, ids[i]);
    }
    cr_expect_not(stock_item_at(shop.stock, 3, &view));
    cr_expect_not(stock_item_find(shop.stock, 99, &view));
    cr_expect_eq(stock_time_ms(shop.stock), SHOP_START_MS);
    shop_close(&shop);
}

Test(codes, have_names)
{
    cr_expect_str_eq(stock_code_name(STOCK_SOLD_OUT), "SOLD_OUT");
    cr_expect_str_eq(stock_code_name(0), "?");
    cr_expect_str_eq(stock_code_name(27), "?");
    cr_expect_str_eq(stock_record_type_name(STOCK_RECORD_HELD), "HELD");
    cr_expect_str_eq(stock_record_type_name(99), "?");
}
