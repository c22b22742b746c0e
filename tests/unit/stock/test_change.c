/* Confirming, cancelling, extending, asking; expiry and being forgotten. */

#include "shop.h"

static struct shop shop_with_hold(uint32_t quantity)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, quantity), STOCK_OK);
    return shop;
}

Test(confirm, of_all_that_is_held_sells_it)
{
    struct shop shop = shop_with_hold(3);
    cr_assert_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    cr_expect_eq(shop.reply.state, STOCK_STATE_CONFIRMED);
    cr_expect_eq(shop.reply.quantity_confirmed, 3);
    cr_expect_eq(shop.reply.available, 7);
    cr_expect_eq(shop.record.type, STOCK_RECORD_CONFIRMED);
    cr_expect_eq(shop_view(&shop).sold, 3);
    cr_expect_eq(shop_view(&shop).held, 0);
    shop_close(&shop);
}

Test(confirm, of_a_part_gives_the_rest_back_at_once)
{
    struct shop shop = shop_with_hold(3);
    cr_assert_eq(shop_confirm(&shop, 1, 1), STOCK_OK);
    cr_expect_eq(shop.reply.quantity, 3);
    cr_expect_eq(shop.reply.quantity_confirmed, 1);
    cr_expect_eq(shop.reply.available, 9);
    cr_expect_eq(shop_view(&shop).available, 9);
    shop_close(&shop);
}

Test(confirm, of_more_than_is_held_is_invalid_and_changes_nothing)
{
    struct shop shop = shop_with_hold(3);
    cr_expect_eq(shop_confirm(&shop, 1, 4), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_QUANTITY);
    cr_expect_eq(shop_confirm(&shop, 1, STOCK_QUANTITY_MAX + 1), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_QUANTITY);
    cr_expect_eq(shop_view(&shop).held, 3);
    shop_close(&shop);
}

Test(confirm, repeated_with_the_same_quantity_is_duplicate_else_already_confirmed)
{
    struct shop shop = shop_with_hold(3);
    cr_assert_eq(shop_confirm(&shop, 1, 2), STOCK_OK);
    cr_expect_eq(shop_confirm(&shop, 1, 2), STOCK_DUPLICATE);
    cr_expect_eq(shop_confirm(&shop, 1, 0), STOCK_ALREADY_CONFIRMED);
    cr_expect_eq(shop_confirm(&shop, 1, 3), STOCK_ALREADY_CONFIRMED);
    cr_expect_eq(shop_confirm(&shop, 1, 4), STOCK_ALREADY_CONFIRMED);
    cr_expect_eq(shop.reply.quantity_confirmed, 2);
    shop_close(&shop);
}

Test(confirm, one_millisecond_before_the_deadline_is_in_time)
{
    struct shop shop = shop_with_hold(1);
    shop.now_ms += SHOP_HOLD_MS - 1;
    cr_expect_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    shop_close(&shop);
}

Test(confirm, at_the_deadline_is_expired_with_its_record)
{
    struct shop shop = shop_with_hold(4);
    shop.now_ms += SHOP_HOLD_MS;
    cr_expect_eq(shop_confirm(&shop, 1, 0), STOCK_EXPIRED);
    cr_expect_eq(shop.reply.state, STOCK_STATE_EXPIRED);
    cr_expect_eq(shop.reply.available, 10);
    cr_expect_eq(shop.record.type, STOCK_RECORD_EXPIRED);
    cr_expect_eq(shop_confirm(&shop, 1, 0), STOCK_EXPIRED);
    cr_expect_eq(shop.record.type, STOCK_RECORD_NONE);
    cr_expect_eq(shop_work_off(&shop), 0);
    shop_close(&shop);
}

Test(confirm, of_nothing_known_says_what_is_unknown)
{
    struct shop shop = shop_open(1);
    cr_expect_eq(shop_confirm(&shop, 1, 0), STOCK_UNKNOWN_RESERVATION);
    cr_expect_eq(shop.reply.available, 1);
    struct stock_request request = shop_request(STOCK_OP_CONFIRM, 1);
    request.item_id = 99;
    cr_expect_eq(shop_ask(&shop, request), STOCK_UNKNOWN_ITEM);
    request.reservation_id = (struct id128){0, 0};
    cr_expect_eq(shop_ask(&shop, request), STOCK_INVALID);
    shop_close(&shop);
}

Test(confirm, and_cancel_go_on_while_paused_and_after_closing)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 2, SHOP_BUYER, 1), STOCK_OK);
    struct stock_item_settings settings = shop_settings(10);
    settings.paused = true;
    settings.closes_at_ms = 1;
    cr_assert_eq(shop_update(&shop, settings, STOCK_UPDATE_PAUSED | STOCK_UPDATE_CLOSES_AT_MS),
                 STOCK_OK);
    cr_expect_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    cr_expect_eq(shop_cancel(&shop, 2), STOCK_OK);
    shop_close(&shop);
}

Test(cancel, gives_the_units_back_once)
{
    struct shop shop = shop_with_hold(3);
    cr_assert_eq(shop_cancel(&shop, 1), STOCK_OK);
    cr_expect_eq(shop.reply.available, 10);
    cr_expect_eq(shop.reply.state, STOCK_STATE_CANCELLED);
    cr_expect_eq(shop_cancel(&shop, 1), STOCK_DUPLICATE);
    cr_expect_eq(shop_confirm(&shop, 1, 0), STOCK_CANCELLED);
    cr_expect_eq(shop_extend(&shop, 1, shop.now_ms + 5000), STOCK_CANCELLED);
    cr_expect_eq(shop_view(&shop).available, 10);
    cr_expect_eq(stock_counts(shop.stock).buyers, 0);
    shop_close(&shop);
}

Test(cancel, of_a_sale_or_an_overdue_hold_is_refused)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 1), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 2, SHOP_BUYER, 1), STOCK_OK);
    cr_assert_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    cr_expect_eq(shop_cancel(&shop, 1), STOCK_ALREADY_CONFIRMED);
    shop.now_ms += SHOP_HOLD_MS;
    cr_expect_eq(shop_cancel(&shop, 2), STOCK_EXPIRED);
    cr_expect_eq(shop.record.type, STOCK_RECORD_EXPIRED);
    cr_expect_eq(shop_cancel(&shop, 2), STOCK_EXPIRED);
    cr_expect_eq(shop_cancel(&shop, 3), STOCK_UNKNOWN_RESERVATION);
    shop_close(&shop);
}

Test(extend, moves_the_deadline_and_never_back)
{
    struct shop shop = shop_with_hold(1);
    uint64_t later_ms = SHOP_START_MS + 3 * SHOP_HOLD_MS;
    cr_assert_eq(shop_extend(&shop, 1, later_ms), STOCK_OK);
    cr_expect_eq(shop.reply.expires_ms, later_ms);
    cr_expect_eq(shop_extend(&shop, 1, later_ms), STOCK_DUPLICATE);
    cr_expect_eq(shop_extend(&shop, 1, later_ms - 1), STOCK_DUPLICATE);
    cr_expect_eq(shop.reply.expires_ms, later_ms);
    cr_expect_eq(stock_next_due_ms(shop.stock), later_ms);
    shop.now_ms = later_ms - 1;
    cr_expect_eq(shop_work_off(&shop), 0);
    shop.now_ms = later_ms;
    cr_expect_eq(shop_extend(&shop, 1, later_ms + 1), STOCK_EXPIRED);
    cr_expect_eq(shop.record.type, STOCK_RECORD_EXPIRED);
    shop_close(&shop);
}

Test(extend, beyond_the_longest_hold_or_to_zero_is_invalid)
{
    struct shop shop = shop_with_hold(1);
    cr_expect_eq(shop_extend(&shop, 1, 0), STOCK_INVALID);
    cr_expect_eq(shop.reply.invalid_field, STOCK_FIELD_EXPIRES_MS);
    cr_expect_eq(shop_extend(&shop, 1, shop.now_ms + STOCK_HOLD_MS_MAX + 1), STOCK_INVALID);
    cr_expect_eq(shop_extend(&shop, 1, shop.now_ms + STOCK_HOLD_MS_MAX), STOCK_OK);
    cr_expect_eq(shop_extend(&shop, 2, shop.now_ms + 1), STOCK_UNKNOWN_RESERVATION);
    cr_assert_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    cr_expect_eq(shop_extend(&shop, 1, shop.now_ms + 1), STOCK_ALREADY_CONFIRMED);
    shop_close(&shop);
}

Test(get, tells_all_that_is_known)
{
    struct shop shop = shop_open(10);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.buyer_id = SHOP_BUYER;
    request.quantity = 2;
    request.user_data = 123;
    cr_assert_eq(shop_ask(&shop, request), STOCK_OK);
    shop.now_ms += 1;
    cr_expect_eq(shop_get(&shop, 1), STOCK_OK);
    cr_expect_eq(shop.reply.state, STOCK_STATE_HELD);
    cr_expect_eq(shop.reply.buyer_id, SHOP_BUYER);
    cr_expect_eq(shop.reply.user_data, 123);
    cr_expect_eq(shop.reply.created_ms, SHOP_START_MS);
    cr_expect_eq(shop.reply.quantity, 2);
    cr_expect_eq(shop.record.type, STOCK_RECORD_NONE);
    cr_expect_eq(shop_get(&shop, 2), STOCK_UNKNOWN_RESERVATION);
    shop.now_ms = SHOP_START_MS + SHOP_HOLD_MS;
    cr_expect_eq(shop_get(&shop, 1), STOCK_OK);
    cr_expect_eq(shop.reply.state, STOCK_STATE_EXPIRED);
    cr_expect_eq(shop.record.type, STOCK_RECORD_EXPIRED);
    cr_expect_eq(shop.reply.available, 10);
    shop_close(&shop);
}

Test(due, equal_deadlines_expire_in_the_order_of_their_sequence)
{
    struct shop shop = shop_open(10);
    for (uint64_t id = 1; id <= 5; id++)
        cr_assert_eq(shop_reserve(&shop, id, SHOP_BUYER, 1), STOCK_OK);
    cr_assert_eq(shop_cancel(&shop, 3), STOCK_OK);
    shop.now_ms += SHOP_HOLD_MS - 1;
    cr_expect_not(stock_decide_due(shop.stock, shop.now_ms, &shop.record));
    shop.now_ms += 1;
    const uint64_t sequences[] = {1, 2, 4, 5};
    for (int i = 0; i < 4; i++) {
        cr_assert(stock_decide_due(shop.stock, shop.now_ms, &shop.record));
        cr_expect_eq(shop.record.type, STOCK_RECORD_EXPIRED);
        cr_expect_eq(shop.record.hold.sequence, sequences[i]);
        shop_commit(&shop);
    }
    cr_expect_not(stock_decide_due(shop.stock, shop.now_ms, &shop.record));
    cr_expect_eq(shop_view(&shop).available, 10);
    shop_close(&shop);
}

Test(due, ended_reservations_are_forgotten_after_retention_and_their_ids_free)
{
    struct shop shop = shop_open(10);
    cr_assert_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_OK);
    shop.now_ms += 10;
    cr_assert_eq(shop_confirm(&shop, 1, 1), STOCK_OK);
    cr_expect_eq(stock_next_due_ms(shop.stock), shop.now_ms + SHOP_RETENTION_MS);
    shop.now_ms += SHOP_RETENTION_MS - 1;
    cr_expect_eq(shop_work_off(&shop), 0);
    cr_expect_eq(shop_get(&shop, 1), STOCK_OK);
    shop.now_ms += 1;
    cr_assert(stock_decide_due(shop.stock, shop.now_ms, &shop.record));
    cr_expect_eq(shop.record.type, STOCK_RECORD_FORGOTTEN);
    cr_expect_eq(shop.record.hold.quantity_confirmed, 1);
    shop_commit(&shop);
    cr_expect_eq(shop_get(&shop, 1), STOCK_UNKNOWN_RESERVATION);
    cr_expect_eq(shop.reply.seen_lsn, shop.lsn);
    cr_expect_eq(shop_view(&shop).sold, 1);
    cr_expect_eq(stock_counts(shop.stock).reservations, 0);
    cr_expect_eq(stock_counts(shop.stock).buyers, 1, "what was sold still counts for the limit");
    cr_expect_eq(shop_reserve(&shop, 1, SHOP_BUYER, 2), STOCK_OK);
    cr_expect_eq(shop.reply.sequence, 2);
    shop_close(&shop);
}

Test(due, nothing_is_due_in_an_empty_stock)
{
    struct shop shop = shop_open(10);
    cr_expect_eq(stock_next_due_ms(shop.stock), UINT64_MAX);
    cr_expect_not(stock_decide_due(shop.stock, STOCK_TIME_MS_MAX, &shop.record));
    shop_close(&shop);
}
