#include "fixture.h"

/* Answers that a broken engine might give, found by the check that watches for them. */

static void answer_only(struct history_call call, struct stock_reply reply)
{
    sale_answer(sale_ask(call), call, reply);
}

Test(answers, whole_life_of_holds_passes)
{
    sale_open();
    for (uint64_t id = 1; id <= SALE_STOCK; id++)
        cr_assert_eq(sale_reserve(id).code, STOCK_OK);
    cr_assert_eq(sale_reserve(SALE_STOCK + 1).code, STOCK_SOLD_OUT);
    cr_assert_eq(sale_reserve(1).code, STOCK_DUPLICATE);
    cr_assert_eq(sale_call(sale_row(STOCK_OP_CONFIRM, 1)).code, STOCK_OK);
    cr_assert_eq(sale_call(sale_row(STOCK_OP_CONFIRM, 1)).code, STOCK_DUPLICATE);
    cr_assert_eq(sale_call(sale_row(STOCK_OP_CANCEL, 2)).code, STOCK_OK);
    cr_assert_eq(sale_call(sale_row(STOCK_OP_GET, 2)).code, STOCK_OK);
    cr_assert_eq(sale_call(sale_row(STOCK_OP_GET, 99)).code, STOCK_UNKNOWN_RESERVATION);
    struct history_call nothing = sale_row(STOCK_OP_GET, 0);
    nothing.request.reservation_id.high = 0;
    cr_assert_eq(sale_call(nothing).code, STOCK_INVALID);
    cr_assert_eq(sale_call(sale_item_get()).code, STOCK_OK);
    struct history_call extend = sale_row(STOCK_OP_EXTEND, 3);
    extend.request.expires_ms = sale.now_ms + 2 * SALE_HOLD_MS;
    cr_assert_eq(sale_call(extend).code, STOCK_OK);
    sale.now_ms += SALE_HOLD_MS;
    cr_assert_eq(sale_call(sale_row(STOCK_OP_CONFIRM, 4)).code, STOCK_EXPIRED);
    sale_work_off();
    sale_write();
    cr_assert_eq(sale_reserve(20).code, STOCK_OK);
    sale.now_ms += 10 * SALE_RETENTION_MS;
    sale_work_off();
    sale_end();
    cr_assert_eq(history_counts().codes[STOCK_SOLD_OUT], 1);
}

Test(answers, unknown_item_before_it_is_created_passes)
{
    sale_begin();
    cr_assert_eq(sale_reserve(1).code, STOCK_UNKNOWN_ITEM);
    cr_assert_eq(sale_call(sale_item_get()).code, STOCK_UNKNOWN_ITEM);
    sale_create(1);
    sale_end();
}

Test(answers, unknown_item_after_it_was_seen_is_found)
{
    sale_open();
    answer_only(sale_row(STOCK_OP_RESERVE, 1), (struct stock_reply){.code = STOCK_UNKNOWN_ITEM});
    EXPECT_FINDING("linearizable", "UNKNOWN_ITEM", sale_end());
}

Test(answers, accepted_before_it_is_on_disk_is_found)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    struct stock_reply reply = sale_run(call);
    EXPECT_FINDING("durability", "no record", sale_answer(number, call, reply));
}

Test(answers, refusal_because_of_a_hold_that_is_not_on_disk_is_found)
{
    sale_begin();
    sale_create(1);
    struct history_call first = sale_row(STOCK_OP_RESERVE, 1);
    struct history_call second = sale_row(STOCK_OP_RESERVE, 2);
    uint32_t number = sale_ask(first);
    struct stock_reply reply = sale_run(first);
    answer_only(second, sale_run(second)); /* SOLD_OUT, from a state that is not durable */
    sale_write();
    sale_answer(number, first, reply);
    EXPECT_FINDING("durability", "SOLD_OUT", sale_end());
}

Test(answers, read_of_a_hold_that_is_not_on_disk_is_found)
{
    sale_open();
    struct history_call reserve = sale_row(STOCK_OP_RESERVE, 1);
    struct history_call get = sale_row(STOCK_OP_GET, 1);
    uint32_t number = sale_ask(reserve);
    struct stock_reply reply = sale_run(reserve);
    answer_only(get, sale_run(get));
    sale_write();
    sale_answer(number, reserve, reply);
    EXPECT_FINDING("durability", "Get", sale_end());
}

Test(answers, accepted_twice_is_found)
{
    sale_open();
    struct stock_reply reply = sale_reserve(1);
    EXPECT_FINDING("exactly-once", "done before",
                   answer_only(sale_row(STOCK_OP_RESERVE, 1), reply));
}

Test(answers, two_accepted_for_one_record_are_found)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t first = sale_ask(call);
    uint32_t second = sale_ask(call);
    struct stock_reply reply = sale_run(call);
    sale_write();
    sale_answer(first, call, reply);
    EXPECT_FINDING("exactly-once", "done before", sale_answer(second, call, reply));
}

Test(answers, refusal_that_was_done_all_the_same_is_found)
{
    sale_open();
    sale_crash();
    history_server_starts();
    history_server_started(stock_hash(sale.stock));
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    history_server_serves();
    sale_run(call);
    sale_write();
    sale_answer(number, call, (struct stock_reply){.code = STOCK_LOADING});
    EXPECT_FINDING("exactly-once", "no call", sale_end());
}

Test(answers, loading_told_to_somebody_who_asked_a_server_that_served_is_found)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    EXPECT_FINDING("answered", "all cores served",
                   sale_answer(number, call, (struct stock_reply){.code = STOCK_LOADING}));
}

Test(answers, refusal_unseen_with_nothing_in_the_way_is_found)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    EXPECT_FINDING("answered", "in its way",
                   sale_answer(number, call, (struct stock_reply){.code = STOCK_OVERLOADED}));
}

Test(answers, record_that_nobody_asked_for_is_found)
{
    sale_open();
    sale_run(sale_row(STOCK_OP_RESERVE, 1));
    EXPECT_FINDING("exactly-once", "no call", sale_end());
}

Test(answers, request_that_was_given_up_is_done_once_or_not)
{
    sale_open();
    for (uint64_t id = 1; id <= 4; id++) {
        struct history_call call = sale_row(STOCK_OP_RESERVE, id);
        uint32_t number = sale_ask(call);
        if (id % 2 == 0)
            sale_run(call);
        history_give_up(number);
    }
    cr_assert_eq(sale_reserve(1).code, STOCK_OK);
    cr_assert_eq(sale_reserve(2).code, STOCK_DUPLICATE);
    sale_end();
}

Test(answers, request_that_was_given_up_and_is_done_twice_is_found)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    sale_run(call);
    sale_call(sale_row(STOCK_OP_CANCEL, 1));
    sale.now_ms += SALE_RETENTION_MS;
    sale_work_off();
    sale_run(call); /* the same bytes once more */
    history_give_up(number);
    EXPECT_FINDING("exactly-once", "no call", sale_end());
}

Test(answers, request_of_an_earlier_life_that_is_done_later_is_found)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    sale_crash();
    history_give_up(number);
    sale_start();
    sale_run(call);
    EXPECT_FINDING("exactly-once", "no call", sale_end());
}

Test(answers, wrong_sequence_number_is_found)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    struct stock_reply reply = sale_run(call);
    sale_write();
    reply.sequence++;
    EXPECT_FINDING("sequence", "answered OK", sale_answer(number, call, reply));
}

/* Asks, does it, spoils the answer. */
#define WRONG_ANSWER(call, spoil)                                                                  \
    do {                                                                                           \
        struct history_call wrong_call = (call);                                                   \
        uint32_t wrong_number = sale_ask(wrong_call);                                              \
        struct stock_reply reply = sale_run(wrong_call);                                           \
        sale_write();                                                                              \
        spoil;                                                                                     \
        sale_answer(wrong_number, wrong_call, reply);                                              \
    } while (0)

Test(answers, wrong_deadline_is_found)
{
    sale_open();
    WRONG_ANSWER(sale_row(STOCK_OP_RESERVE, 1), reply.expires_ms++);
    EXPECT_FINDING("linearizable", "Reserve", sale_end());
}

Test(answers, wrong_available_is_found)
{
    sale_open();
    WRONG_ANSWER(sale_row(STOCK_OP_RESERVE, 1), reply.available++);
    EXPECT_FINDING("linearizable", "Reserve", sale_end());
}

Test(answers, repeat_with_another_deadline_is_found)
{
    sale_open();
    sale_reserve(1);
    WRONG_ANSWER(sale_row(STOCK_OP_RESERVE, 1), reply.expires_ms++);
    EXPECT_FINDING("linearizable", "DUPLICATE", sale_end());
}

Test(answers, sold_out_while_units_are_free_is_found)
{
    sale_open();
    answer_only(sale_row(STOCK_OP_RESERVE, 1), (struct stock_reply){.code = STOCK_SOLD_OUT});
    EXPECT_FINDING("linearizable", "SOLD_OUT", sale_end());
}

Test(answers, accepted_over_the_buyers_limit_is_found)
{
    sale_begin();
    struct history_call create = {.op = HISTORY_ITEM_CREATE, .settings = sale_settings(10)};
    create.settings.buyer_limit = 1;
    sale_call(create);
    sale_reserve(1);
    /* as the engine would do it for somebody else */
    struct history_call call = sale_row(STOCK_OP_RESERVE, 2);
    struct stock_record record;
    uint32_t number = sale_ask(call);
    call.request.buyer_id++;
    struct stock_reply reply = sale_decide(call, &record);
    record.hold.buyer_id = SALE_BUYER;
    sale_append(&record);
    sale_write();
    sale_answer(number, call, reply);
    EXPECT_FINDING("linearizable", "BUYER_LIMIT", history_end(sale.now_ms, 10));
}

Test(answers, older_than_one_that_was_read_before_is_found)
{
    sale_open();
    struct history_call get = sale_item_get();
    uint32_t number = sale_ask(get);
    struct stock_item_view view;
    stock_item_find(sale.stock, SALE_ITEM, &view);
    sale_reserve(1);
    history_answer(number, &(struct stock_reply){.code = STOCK_OK}, &view, sale.now_ms);
    number = sale_ask(get); /* after the hold was seen: too late for the old view */
    history_answer(number, &(struct stock_reply){.code = STOCK_OK}, &view, sale.now_ms);
    EXPECT_FINDING("linearizable", "ItemGet", sale_end());
}

Test(answers, older_on_the_same_connection_is_found)
{
    sale_open();
    struct history_call reserve = sale_row(STOCK_OP_RESERVE, 1);
    struct history_call get = sale_row(STOCK_OP_GET, 1);
    uint32_t first = sale_ask(reserve);
    uint32_t second = sale_ask(get);
    struct stock_reply got = sale_run(get); /* overtakes */
    struct stock_reply reply = sale_run(reserve);
    sale_write();
    sale_answer(first, reserve, reply);
    sale_answer(second, get, got);
    EXPECT_FINDING("linearizable", "Get", sale_end());
}

Test(answers, overtaking_on_another_connection_passes)
{
    sale_open();
    struct history_call reserve = sale_row(STOCK_OP_RESERVE, 1);
    struct history_call get = sale_row(STOCK_OP_GET, 1);
    get.client = 1;
    uint32_t first = sale_ask(reserve);
    uint32_t second = sale_ask(get);
    struct stock_reply got = sale_run(get);
    struct stock_reply reply = sale_run(reserve);
    sale_write();
    sale_answer(first, reserve, reply);
    sale_answer(second, get, got);
    sale_end();
}

Test(answers, invalid_by_itself_waits_for_nothing)
{
    sale_open();
    struct history_call reserve = sale_row(STOCK_OP_RESERVE, 1);
    struct history_call invalid = sale_row(STOCK_OP_RESERVE, 2);
    invalid.request.quantity = 0;
    uint32_t number = sale_ask(reserve);
    struct stock_reply reply = sale_run(reserve);
    answer_only(invalid, sale_run(invalid)); /* before the hold, on its connection, is on disk */
    sale_write();
    sale_answer(number, reserve, reply);
    sale_end();
}

Test(answers, invalid_that_is_not_is_found)
{
    sale_open();
    answer_only(sale_row(STOCK_OP_RESERVE, 1),
                (struct stock_reply){.code = STOCK_INVALID, .invalid_field = STOCK_FIELD_QUANTITY});
    EXPECT_FINDING("linearizable", "INVALID", sale_end());
}

Test(answers, expired_without_a_record_is_found)
{
    sale_open();
    sale_reserve(1);
    sale.now_ms += SALE_HOLD_MS;
    struct history_call call = sale_row(STOCK_OP_CONFIRM, 1);
    struct stock_record record;
    answer_only(call, sale_decide(call, &record));
    sale_work_off();
    EXPECT_FINDING("durability", "EXPIRED", sale_end());
}

Test(answers, confirmed_although_expired_was_announced_is_found)
{
    sale_open();
    sale_reserve(1);
    struct history_call call = sale_row(STOCK_OP_CONFIRM, 1);
    struct stock_record record;
    sale_decide(call, &record);
    sale.now_ms += SALE_HOLD_MS;
    sale_call(sale_row(STOCK_OP_GET, 1));
    record.time_ms = sale.now_ms;
    sale_append(&record);
    EXPECT_FINDING("exactly-once", "ended before", sale_write());
}

Test(answers, not_open_and_closed_at_their_times_pass)
{
    sale_begin();
    struct history_call create = {.op = HISTORY_ITEM_CREATE, .settings = sale_settings(10)};
    create.settings.opens_at_ms = sale.now_ms + 100;
    create.settings.closes_at_ms = sale.now_ms + 200;
    sale_call(create);
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    call.client = 1;
    uint32_t number = sale_ask(call); /* asked before it opens, decided after */
    cr_assert_eq(sale_reserve(2).code, STOCK_NOT_OPEN);
    sale.now_ms += 150;
    struct stock_reply reply = sale_run(call);
    sale_write();
    sale_answer(number, call, reply);
    cr_assert_eq(reply.code, STOCK_OK);
    sale.now_ms += 50;
    cr_assert_eq(sale_reserve(3).code, STOCK_CLOSED);
    sale_end();
}

Test(answers, closed_too_early_is_found)
{
    sale_begin();
    struct history_call create = {.op = HISTORY_ITEM_CREATE, .settings = sale_settings(10)};
    create.settings.closes_at_ms = sale.now_ms + 200;
    sale_call(create);
    answer_only(sale_row(STOCK_OP_RESERVE, 1),
                (struct stock_reply){.code = STOCK_CLOSED, .available = 10});
    EXPECT_FINDING("linearizable", "CLOSED", sale_end());
}

Test(answers, view_that_does_not_add_up_is_found)
{
    sale_open();
    uint32_t number = sale_ask(sale_item_get());
    struct stock_item_view view;
    stock_item_find(sale.stock, SALE_ITEM, &view);
    view.held = 1;
    EXPECT_FINDING(
        "conservation", "held 1",
        history_answer(number, &(struct stock_reply){.code = STOCK_OK}, &view, sale.now_ms));
}

Test(answers, updates_that_meet_pass)
{
    sale_open();
    struct history_call raise = sale_update(STOCK_UPDATE_STOCK, 20);
    struct history_call lower = sale_update(STOCK_UPDATE_STOCK, 5);
    lower.client = 2;
    uint32_t numbers[4];
    for (int i = 0; i < 4; i++) {
        raise.client = 10 + (uint32_t)i;
        numbers[i] = sale_ask(raise); /* four sellers want the same */
    }
    struct stock_reply reply = sale_run(raise);
    sale_write();
    for (int i = 0; i < 4; i++)
        sale_answer(numbers[i], raise, reply);
    sale_call(lower);
    cr_assert_eq(sale_call(sale_update(STOCK_UPDATE_STOCK | STOCK_UPDATE_PAUSED, 5)).code,
                 STOCK_OK);
    sale_end();
}

Test(answers, update_that_was_answered_and_not_done_is_found)
{
    sale_open();
    struct history_call call = sale_update(STOCK_UPDATE_STOCK, 20);
    answer_only(call, (struct stock_reply){.code = STOCK_OK});
    EXPECT_FINDING("linearizable", "ItemUpdate", sale_end());
}

Test(answers, update_whose_record_is_lost_is_found)
{
    sale_open();
    struct history_call call = sale_update(STOCK_UPDATE_STOCK, 20);
    struct stock_record record;
    struct stock_item_view view;
    uint32_t number = sale_ask(call);
    struct stock_reply reply = sale_decide(call, &record);
    stock_item_find(sale.stock, SALE_ITEM, &view);
    view.settings.stock = view.available = 20;
    history_answer(number, &reply, &view, sale.now_ms);
    EXPECT_FINDING("durability", "missing", sale_end());
}

Test(answers, call_without_an_answer_is_found)
{
    sale_open();
    sale_ask(sale_item_get());
    EXPECT_FINDING("answered", "ItemGet", sale_end());
}

Test(answers, second_answer_to_one_call_is_found)
{
    sale_open();
    struct history_call get = sale_item_get();
    uint32_t number = sale_ask(get);
    sale_answer(number, get, (struct stock_reply){.code = STOCK_OK});
    EXPECT_FINDING("answered", "second time",
                   sale_answer(number, get, (struct stock_reply){.code = STOCK_OK}));
}

/* ---- full tables ---- */

static void open_small(void)
{
    struct history_options options = {.tables = sale_tables(), .is_sync = true};
    options.tables.reservation_count_max = 2;
    options.tables.item_count_max = 1;
    sale_begin_with(options);
    sale_create(SALE_STOCK);
}

Test(answers, capacity_when_the_table_is_full_passes)
{
    open_small();
    sale_reserve(1);
    sale_reserve(2);
    cr_assert_eq(sale_reserve(3).code, STOCK_CAPACITY);
    struct history_call create = {.op = HISTORY_ITEM_CREATE, .settings = sale_settings(1)};
    create.settings.item_id = 8;
    cr_assert_eq(sale_call(create).code, STOCK_CAPACITY);
    sale_end();
}

Test(answers, capacity_when_there_is_room_is_found)
{
    open_small();
    sale_reserve(1);
    answer_only(sale_row(STOCK_OP_RESERVE, 2),
                (struct stock_reply){.code = STOCK_CAPACITY, .available = SALE_STOCK - 1});
    EXPECT_FINDING("linearizable", "CAPACITY", sale_end());
}

/* ---- without sync ---- */

Test(answers, async_answer_before_its_record_passes)
{
    sale_begin_with((struct history_options){.tables = sale_tables()});
    sale_create(SALE_STOCK);
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    sale_answer(number, call, sale_run(call));
    sale_end();
}

Test(answers, async_answer_lost_in_a_crash_passes)
{
    sale_begin_with((struct history_options){.tables = sale_tables()});
    sale_create(SALE_STOCK);
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    sale_answer(number, call, sale_run(call));
    sale_crash();
    sale_start();
    cr_assert_eq(sale_reserve(2).sequence, 1);
    sale_end();
}

Test(answers, async_answer_lost_without_a_crash_is_found)
{
    sale_begin_with((struct history_options){.tables = sale_tables()});
    sale_create(SALE_STOCK);
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    struct stock_record record;
    answer_only(call, sale_decide(call, &record));
    EXPECT_FINDING("durability", "no record", sale_end());
}
