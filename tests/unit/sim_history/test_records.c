#include "fixture.h"

/* Records are put into the log as a broken engine might: each is found when it reaches the disk. */

/* A hold's record as the engine would write it now, without doing it. */
static struct stock_record held(uint64_t id)
{
    struct stock_record record;
    cr_assert_eq(sale_decide(sale_row(STOCK_OP_RESERVE, id), &record).code, STOCK_OK);
    return record;
}

static struct stock_record change(enum stock_op op, uint64_t id)
{
    struct stock_record record;
    struct history_call call = sale_row(op, id);
    call.request.expires_ms = sale.now_ms + SALE_HOLD_MS + 500;
    cr_assert_eq(sale_decide(call, &record).code, STOCK_OK);
    return record;
}

static void write_only(struct stock_record record)
{
    sale_append(&record);
    sale_write();
}

Test(records, sequence_number_left_out_is_found)
{
    sale_open();
    struct stock_record record = held(1);
    record.hold.sequence = 2;
    EXPECT_FINDING("sequence", "HELD", write_only(record));
}

Test(records, sequence_number_given_twice_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = held(2);
    record.hold.sequence = 1;
    EXPECT_FINDING("sequence", "HELD", write_only(record));
}

Test(records, reservation_id_accepted_twice_is_found)
{
    sale_open();
    struct stock_record record = held(1);
    sale_reserve(1);
    record.hold.sequence = 2;
    EXPECT_FINDING("exactly-once", "accepted before", write_only(record));
}

Test(records, hold_confirmed_twice_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = change(STOCK_OP_CONFIRM, 1);
    sale_call(sale_row(STOCK_OP_CONFIRM, 1));
    EXPECT_FINDING("exactly-once", "ended before", write_only(record));
}

Test(records, hold_of_another_reservation_is_found)
{
    sale_open();
    sale_reserve(1);
    sale_reserve(2);
    struct stock_record record = change(STOCK_OP_CANCEL, 1);
    record.hold.sequence = 2;
    EXPECT_FINDING("sequence", "another reservation", write_only(record));
}

Test(records, more_units_than_there_are_is_found)
{
    sale_open();
    struct stock_record record = held(1);
    record.hold.quantity = SALE_STOCK + 1;
    EXPECT_FINDING("conservation", "oversold", write_only(record));
}

Test(records, stock_below_what_is_held_is_found)
{
    sale_open();
    sale_reserve(1);
    sale_reserve(2);
    struct stock_record record = {
        .type = STOCK_RECORD_ITEM_UPDATED, .time_ms = sale.now_ms, .item = sale_settings(1)};
    EXPECT_FINDING("conservation", "ITEM_UPDATED", write_only(record));
}

Test(records, more_sold_than_was_held_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = change(STOCK_OP_CONFIRM, 1);
    record.hold.quantity_confirmed = 2;
    EXPECT_FINDING("conservation", "CONFIRMED", write_only(record));
}

Test(records, expiry_before_the_deadline_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = change(STOCK_OP_CANCEL, 1);
    sale.now_ms += SALE_HOLD_MS - 1;
    record.type = STOCK_RECORD_EXPIRED;
    record.time_ms = sale.now_ms;
    EXPECT_FINDING("expiry", "before its deadline", write_only(record));
}

Test(records, confirmation_at_the_deadline_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = change(STOCK_OP_CONFIRM, 1);
    record.time_ms += SALE_HOLD_MS;
    EXPECT_FINDING("expiry", "deadline had passed", write_only(record));
}

Test(records, hold_that_gets_shorter_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = change(STOCK_OP_EXTEND, 1);
    record.hold.expires_ms = sale.now_ms + 1;
    EXPECT_FINDING("expiry", "shortened", write_only(record));
}

Test(records, reservation_forgotten_too_early_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = change(STOCK_OP_CANCEL, 1);
    sale_call(sale_row(STOCK_OP_CANCEL, 1));
    record.type = STOCK_RECORD_FORGOTTEN;
    record.time_ms += SALE_RETENTION_MS - 1;
    EXPECT_FINDING("expiry", "retention", write_only(record));
}

Test(records, record_later_than_its_group_is_found)
{
    sale_open();
    sale.now_ms += 10;
    struct stock_record record = held(1);
    sale_append(&record);
    sale.log.time_ms = record.time_ms - 1;
    EXPECT_FINDING("time", "after its group", sale_write());
}

Test(records, group_earlier_than_the_one_in_front_is_found)
{
    sale_open();
    sale.now_ms += 10;
    sale_reserve(1);
    struct stock_record record = held(2);
    record.time_ms -= 5;
    sale_append(&record);
    sale.log.time_ms = record.time_ms;
    EXPECT_FINDING("time", "before the group in front", sale_write());
}

Test(records, item_created_twice_is_found)
{
    sale_open();
    struct stock_record record = {
        .type = STOCK_RECORD_ITEM_CREATED, .time_ms = sale.now_ms, .item = sale_settings(3)};
    EXPECT_FINDING("exactly-once", "ITEM_CREATED", write_only(record));
}

Test(records, hold_of_an_item_that_was_never_created_is_found)
{
    sale_open();
    struct stock_record record = held(1);
    record.hold.item_id = 8;
    EXPECT_FINDING("replay", "never created", write_only(record));
}

Test(records, time_that_goes_back_is_found)
{
    sale_open();
    struct stock_record record = held(1);
    record.time_ms--;
    record.hold.expires_ms--;
    EXPECT_FINDING("time", "HELD", write_only(record));
}

Test(records, change_with_the_buyer_of_another_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record = change(STOCK_OP_CANCEL, 1);
    record.hold.buyer_id++;
    EXPECT_FINDING("replay", "CANCELLED", write_only(record));
}

Test(records, hold_that_never_ends_is_found)
{
    sale_open();
    sale_reserve(1);
    sale.now_ms += SALE_HOLD_MS + 11;
    EXPECT_FINDING("expiry", "held for ever", sale_end());
}

Test(records, hold_that_is_late_by_the_grace_passes)
{
    sale_open();
    sale_reserve(1);
    sale.now_ms += SALE_HOLD_MS + 10;
    sale_end();
}

Test(records, reservation_remembered_for_ever_is_found)
{
    sale_open();
    sale_reserve(1);
    sale_call(sale_row(STOCK_OP_CANCEL, 1));
    sale.now_ms += SALE_RETENTION_MS + 11;
    EXPECT_FINDING("expiry", "remembered for ever", sale_end());
}

Test(records, equal_deadlines_that_expire_out_of_order_are_found)
{
    sale_open();
    sale_call(sale_row(STOCK_OP_RESERVE, 1));
    sale_call(sale_row(STOCK_OP_RESERVE, 2));
    struct stock_record first = change(STOCK_OP_CANCEL, 1);
    struct stock_record second = change(STOCK_OP_CANCEL, 2);
    sale.now_ms += SALE_HOLD_MS;
    first.type = second.type = STOCK_RECORD_EXPIRED;
    first.time_ms = second.time_ms = sale.now_ms;
    sale_do(&second);
    sale_do(&first);
    EXPECT_FINDING("expiry", "came before", sale_end());
}
