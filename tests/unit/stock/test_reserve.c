/* Reserving: every result, and which of two reasons answers. */

#include "shop.h"

static int change(struct shop *shop, uint32_t mask, struct stock_item_settings settings)
{
    settings.item_id = SHOP_ITEM;
    return shop_update(shop, settings, mask);
}

static void pause_sale(struct shop *shop)
{
    cr_assert_eq(change(shop, STOCK_UPDATE_PAUSED, (struct stock_item_settings){.paused = true}),
                 STOCK_OK);
}

Test(reserve, with_units_left_holds_them)
{
    struct shop shop = shop_open(10);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.buyer_id = SHOP_BUYER;
    request.quantity = 3;
    request.user_data = 77;
    cr_assert_eq(shop_ask(&shop, request), STOCK_OK);
    cr_expect_eq(shop.reply.state, STOCK_STATE_HELD);
    cr_expect_eq(shop.reply.quantity, 3);
    cr_expect_eq(shop.reply.sequence, 1);
    cr_expect_eq(shop.reply.available, 7);
    cr_expect_eq(shop.reply.expires_ms, SHOP_START_MS + SHOP_HOLD_MS);
    cr_expect_eq(shop.record.type, STOCK_RECORD_HELD);
    cr_expect_eq(shop.record.hold.user_data, 77);
    cr_expect_eq(shop_view(&shop).held, 3);
    cr_expect_eq(shop_view(&shop).next_sequence, 2);
    cr_expect_eq(shop_view(&shop).changed_lsn, shop.lsn);
    shop_close(&shop);
}

Test(reserve, with_a_hold_time_of_its_own_takes_that)
{
    struct shop shop = shop_open(10);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.quantity = 1;
    request.hold_ms = 5;
    cr_assert_eq(shop_ask(&shop, request), STOCK_OK);
    cr_expect_eq(shop.reply.expires_ms, SHOP_START_MS + 5);
    shop_close(&shop);
}

Test(reserve, with_fields_out_of_range_is_invalid_before_anything_else)
{
    struct shop shop = shop_open(0);
    pause_sale(&shop);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.item_id = 0;
    cr_expect_eq(shop_ask(&shop, request), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_ITEM_ID);
    request.item_id = 999; /* unknown, and yet the fields come first */
    request.reservation_id = (struct id128){0, 0};
    cr_expect_eq(shop_ask(&shop, request), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_RESERVATION_ID);
    request.reservation_id.low = 1;
    cr_expect_eq(shop_ask(&shop, request), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_QUANTITY);
    request.quantity = STOCK_QUANTITY_MAX + 1;
    cr_expect_eq(shop_ask(&shop, request), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_QUANTITY);
    request.quantity = STOCK_QUANTITY_MAX;
    request.hold_ms = STOCK_HOLD_MS_MAX + 1;
    cr_expect_eq(shop_ask(&shop, request), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_HOLD_MS);
    request.hold_ms = STOCK_HOLD_MS_MAX;
    cr_expect_eq(shop_ask(&shop, request), STOCK_UNKNOWN_ITEM);
    cr_expect_eq(shop.reply.available, 0);
    cr_expect_eq(shop.reply.seen_lsn, 0);
    shop_close(&shop);
}

Test(reserve, repeated_gets_the_first_answer_whatever_the_sale_does)
{
    struct shop shop = shop_open(2);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_OK);
    pause_sale(&shop);
    shop.now_ms += 10;
    cr_expect_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_DUPLICATE);
    cr_expect_eq(shop.record.type, STOCK_RECORD_NONE);
    cr_expect_eq(shop.reply.sequence, 1);
    cr_expect_eq(shop.reply.expires_ms, SHOP_START_MS + SHOP_HOLD_MS);
    cr_expect_eq(shop.reply.state, STOCK_STATE_HELD);
    cr_expect_eq(shop.reply.available, 0);
    cr_expect_eq(shop.reply.seen_lsn, shop.lsn);
    cr_assert_eq(shop_confirm(&shop, 1, 1), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_DUPLICATE);
    cr_expect_eq(shop.reply.state, STOCK_STATE_CONFIRMED);
    cr_expect_eq(shop.reply.quantity_confirmed, 1);
    shop_close(&shop);
}

Test(reserve, repeated_after_the_deadline_brings_the_expiry_along)
{
    struct shop shop = shop_open(2);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_OK);
    shop.now_ms += SHOP_HOLD_MS;
    cr_expect_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_DUPLICATE);
    cr_expect_eq(shop.reply.state, STOCK_STATE_EXPIRED);
    cr_expect_eq(shop.reply.available, 2);
    cr_expect_eq(shop.record.type, STOCK_RECORD_EXPIRED);
    shop_close(&shop);
}

Test(reserve, with_a_used_id_and_other_content_conflicts)
{
    struct shop shop = shop_open(2);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_ID_CONFLICT);
    cr_expect_eq(shop_reserve(&shop, 1, SHOP_BUYER + 1, 1), STOCK_ID_CONFLICT);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.buyer_id = SHOP_BUYER;
    request.quantity = 1;
    request.user_data = 5;
    cr_expect_eq(shop_ask(&shop, request), STOCK_ID_CONFLICT);
    cr_expect_eq(shop_view(&shop).held, 1);
    shop_close(&shop);
}

Test(reserve, under_the_same_id_on_another_item_is_another_reservation)
{
    struct shop shop = shop_open(2);
    struct stock_item_settings other = shop_settings(2);
    other.item_id = SHOP_ITEM + 1;
    cr_assert_eq(shop_create(&shop, other), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.item_id = SHOP_ITEM + 1;
    request.buyer_id = SHOP_BUYER;
    request.quantity = 2;
    cr_expect_eq(shop_ask(&shop, request), STOCK_OK);
    cr_expect_eq(shop.reply.sequence, 1);
    shop_close(&shop);
}

Test(reserve, window_is_open_from_its_first_moment_and_closed_at_its_last)
{
    struct shop shop = shop_open(10);
    struct stock_item_settings window = {.opens_at_ms = SHOP_START_MS + 100,
                                         .closes_at_ms = SHOP_START_MS + 200};
    cr_assert_eq(change(&shop, STOCK_UPDATE_OPENS_AT_MS | STOCK_UPDATE_CLOSES_AT_MS, window),
                 STOCK_OK);
    shop.now_ms = SHOP_START_MS + 99;
    cr_expect_eq(shop_reserve(&shop, 1, 0, 1), STOCK_NOT_OPEN);
    cr_expect_eq(shop.reply.expires_ms, SHOP_START_MS + 100);
    cr_expect_eq(shop.reply.available, 10);
    shop.now_ms = SHOP_START_MS + 100;
    cr_expect_eq(shop_reserve(&shop, 1, 0, 1), STOCK_OK);
    shop.now_ms = SHOP_START_MS + 199;
    cr_expect_eq(shop_reserve(&shop, 2, 0, 1), STOCK_OK);
    shop.now_ms = SHOP_START_MS + 200;
    cr_expect_eq(shop_reserve(&shop, 3, 0, 1), STOCK_CLOSED);
    shop_close(&shop);
}

Test(reserve, refusals_come_in_the_documented_order)
{
    /* Everything is wrong at once; then one reason after the other is taken away. */
    struct stock_options options = shop_options();
    options.reservation_count_max = 1;
    struct shop shop = shop_open_with(options);
    struct stock_item_settings settings = shop_settings(1);
    settings.buyer_limit = 1;
    settings.hold_cap = 1;
    cr_assert_eq(shop_create(&shop, settings), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    settings.paused = true;
    settings.opens_at_ms = SHOP_START_MS + 10;
    cr_assert_eq(change(&shop, STOCK_UPDATE_PAUSED | STOCK_UPDATE_OPENS_AT_MS, settings), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_PAUSED);
    settings.paused = false;
    cr_assert_eq(change(&shop, STOCK_UPDATE_PAUSED, settings), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_NOT_OPEN);
    settings.opens_at_ms = 0;
    settings.closes_at_ms = SHOP_START_MS;
    cr_assert_eq(change(&shop, STOCK_UPDATE_OPENS_AT_MS | STOCK_UPDATE_CLOSES_AT_MS, settings),
                 STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_CLOSED);
    settings.closes_at_ms = 0;
    cr_assert_eq(change(&shop, STOCK_UPDATE_CLOSES_AT_MS, settings), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_SOLD_OUT);
    settings.stock = 2;
    cr_assert_eq(change(&shop, STOCK_UPDATE_STOCK, settings), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_INSUFFICIENT);
    cr_expect_eq(shop.reply.available, 1);
    settings.stock = 3;
    cr_assert_eq(change(&shop, STOCK_UPDATE_STOCK, settings), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_BUYER_LIMIT);
    settings.buyer_limit = 3;
    cr_assert_eq(change(&shop, STOCK_UPDATE_BUYER_LIMIT, settings), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_HOLD_CAP);
    settings.hold_cap = 0;
    cr_assert_eq(change(&shop, STOCK_UPDATE_HOLD_CAP, settings), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_CAPACITY);
    shop.now_ms += SHOP_HOLD_MS + SHOP_RETENTION_MS;
    cr_assert_eq(shop_work_off(&shop), 1);
    shop.now_ms += SHOP_RETENTION_MS;
    cr_assert_eq(shop_work_off(&shop), 1);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_OK);
    shop_close(&shop);
}

Test(reserve, limit_counts_held_and_sold_units_and_not_returned_ones)
{
    struct shop shop = shop_open(10);
    struct stock_item_settings settings = {.buyer_limit = 3};
    cr_assert_eq(change(&shop, STOCK_UPDATE_BUYER_LIMIT, settings), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_BUYER_LIMIT);
    cr_assert_eq(shop_confirm(&shop, 1, 1), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 2, SHOP_BUYER, 2), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 3, SHOP_BUYER, 1), STOCK_BUYER_LIMIT);
    cr_assert_eq(shop_cancel(&shop, 2), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 3, SHOP_BUYER, 2), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 4, SHOP_BUYER + 1, 3), STOCK_OK, "another buyer");
    cr_expect_eq(shop_reserve(&shop, 5, 0, 4), STOCK_OK, "nobody in particular");
    shop_close(&shop);
}

Test(reserve, hold_cap_counts_open_holds_only)
{
    struct shop shop = shop_open(10);
    struct stock_item_settings settings = {.hold_cap = 1};
    cr_assert_eq(change(&shop, STOCK_UPDATE_HOLD_CAP, settings), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 1), STOCK_HOLD_CAP);
    cr_assert_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER, 1), STOCK_OK);
    shop_close(&shop);
}

/* A full table is the work of all items: the refusal must not outlive a crash that takes the last
 * of their records back. */
Test(reserve, with_a_table_full_waits_for_the_newest_record_of_any_item)
{
    struct stock_options options = shop_options();
    options.reservation_count_max = 1;
    options.item_count_max = 2;
    struct shop shop = shop_open_with(options);
    struct stock_item_settings other = shop_settings(10);
    other.item_id = SHOP_ITEM + 1;
    cr_assert_eq(shop_create(&shop, shop_settings(10)), STOCK_OK);
    cr_assert_eq(shop_create(&shop, other), STOCK_OK);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.item_id = other.item_id;
    request.quantity = 1;
    cr_assert_eq(shop_ask(&shop, request), STOCK_OK);

    cr_assert_eq(shop_reserve(&shop, 2, SHOP_BUYER, 1), STOCK_CAPACITY);
    cr_expect_eq(shop.reply.seen_lsn, shop.lsn);
    other.item_id = SHOP_ITEM + 2;
    cr_assert_eq(shop_create(&shop, other), STOCK_CAPACITY);
    cr_expect_eq(shop.reply.seen_lsn, shop.lsn);
    shop_close(&shop);
}

Test(reserve, with_the_buyer_table_full_is_capacity_for_new_buyers_only)
{
    struct stock_options options = shop_options();
    options.buyer_count_max = 1;
    struct shop shop = shop_open_with(options);
    cr_assert_eq(shop_create(&shop, shop_settings(10)), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 2, SHOP_BUYER + 1, 1), STOCK_CAPACITY);
    cr_expect_eq(shop_reserve(&shop, 3, SHOP_BUYER, 1), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 4, 0, 1), STOCK_OK);
    cr_assert_eq(shop_cancel(&shop, 1), STOCK_OK);
    cr_assert_eq(shop_cancel(&shop, 3), STOCK_OK);
    cr_expect_eq(shop_reserve(&shop, 5, SHOP_BUYER + 1, 1), STOCK_OK, "the entry came back");
    shop_close(&shop);
}

Test(reserve, of_an_unlimited_item_is_counted_and_never_sold_out)
{
    struct shop shop = shop_open(STOCK_UNLIMITED);
    for (uint64_t id = 1; id <= 20; id++)
        cr_assert_eq(shop_reserve(&shop, id, SHOP_BUYER, STOCK_QUANTITY_MAX), STOCK_OK);
    cr_expect_eq(shop.reply.available, STOCK_UNLIMITED);
    cr_expect_eq(shop.reply.sequence, 20);
    cr_assert_eq(shop_confirm(&shop, 1, 5), STOCK_OK);
    cr_expect_eq(shop.reply.available, STOCK_UNLIMITED);
    cr_expect_eq(shop_view(&shop).held, 19ull * STOCK_QUANTITY_MAX);
    cr_expect_eq(shop_view(&shop).sold, 5);
    shop_close(&shop);
}

Test(reserve, beyond_what_a_counter_holds_is_the_limit_of_any_buyer)
{
    struct stock_options options = shop_options();
    options.reservation_count_max = 5000;
    struct shop shop = shop_open_with(options);
    cr_assert_eq(shop_create(&shop, shop_settings(STOCK_UNLIMITED)), STOCK_OK);
    uint64_t id = 1;
    while (shop_reserve(&shop, id, SHOP_BUYER, STOCK_QUANTITY_MAX) == STOCK_OK)
        id++;
    cr_expect_eq(shop.reply.code, STOCK_BUYER_LIMIT);
    cr_expect_eq(shop_view(&shop).held, (id - 1) * STOCK_QUANTITY_MAX);
    cr_expect_eq(shop_view(&shop).held, UINT32_MAX / STOCK_QUANTITY_MAX * STOCK_QUANTITY_MAX);
    shop_close(&shop);
}

Test(reserve, ends_when_every_unit_is_held_and_sequences_have_no_gap)
{
    struct shop shop = shop_open(5);
    for (uint64_t id = 1; id <= 5; id++) {
        cr_assert_eq(shop_reserve(&shop, id, 100 + id, 1), STOCK_OK);
        cr_expect_eq(shop.reply.sequence, id);
    }
    cr_expect_eq(shop_reserve(&shop, 6, 106, 1), STOCK_SOLD_OUT);
    cr_expect_eq(shop.reply.state, STOCK_STATE_NONE);
    cr_expect_eq(shop.reply.seen_lsn, shop.lsn);
    shop_close(&shop);
}

Test(reserve, prepared_before_units_came_back_sees_the_buyer_all_the_same)
{
    /* Rows of one batch are prepared together: sold out then, not when the row's turn comes. */
    struct shop shop = shop_open(2);
    struct stock_item_settings settings = {.buyer_limit = 1};
    cr_assert_eq(change(&shop, STOCK_UPDATE_BUYER_LIMIT, settings), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 2, SHOP_BUYER + 1, 1), STOCK_OK);
    struct stock_request rows[2] = {shop_request(STOCK_OP_CANCEL, 2),
                                    shop_request(STOCK_OP_RESERVE, 3)};
    rows[1].buyer_id = SHOP_BUYER;
    rows[1].quantity = 1;
    stock_prepare(shop.stock, rows, 2);
    stock_decide(shop.stock, &rows[0], shop.now_ms, &shop.reply, &shop.record);
    shop_commit(&shop);
    stock_decide(shop.stock, &rows[1], shop.now_ms, &shop.reply, &shop.record);
    cr_expect_eq(shop.reply.code, STOCK_BUYER_LIMIT);
    shop_close(&shop);
}

/* ---- when the record can't be made ---- */

Test(reserve, refused_after_the_decision_says_what_is_free_now)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, 0, 3), STOCK_OK);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 2);
    struct stock_reply reply;
    struct stock_record record;
    request.quantity = 4;
    stock_prepare(shop.stock, &request, 1);
    stock_decide(shop.stock, &request, shop.now_ms, &reply, &record);
    const uint64_t seen_lsn = reply.seen_lsn;
    cr_assert_eq(reply.available, 3);
    stock_refuse(shop.stock, &record, STOCK_READ_ONLY, &reply);
    cr_expect_eq(reply.code, STOCK_READ_ONLY);
    cr_expect_eq(reply.available, 7);
    cr_expect_eq(reply.seen_lsn, seen_lsn);
    cr_expect_gt(seen_lsn, 0, "the hold before it was seen");
    cr_expect_eq(reply.sequence, 0);
    shop_close(&shop);
}
