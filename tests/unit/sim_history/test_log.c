#include "fixture.h"

/* What is written, and whether it is there again after a restart. */

/* The last group's place. */
static uint8_t *last_group(void)
{
    return sale.log.bytes[sale.log.used_count - 1] + sale.log.offset - LOG_BLOCK_BYTES;
}

/* Puts the open group on the disk as a write in flight at the crash: nobody saw it arrive. */
static void write_unseen(void)
{
    sim_disk_observer_fn observer = sale.observer;
    log_builder_close_group(&sale.log);
    sale.observer = observer;
    sale.written_count = sale.record_count;
}

Test(log, restart_with_all_records_passes)
{
    sale_open();
    for (uint64_t id = 1; id <= 30; id++) /* several segments */
        sale_reserve(id);
    cr_assert_gt(sale.log.used_count, 1);
    sale_crash();
    sale_start();
    sale_reserve(31);
    sale_end();
    cr_assert_eq(history_counts().records, 1 + SALE_STOCK);
}

Test(log, group_in_flight_at_the_crash_is_found_after_the_restart)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    sale_run(call);
    write_unseen();
    sale_crash();
    history_give_up(number);
    cr_assert_eq(history_counts().records, 1);
    sale_start();
    cr_assert_eq(history_counts().records, 2);
    cr_assert_eq(sale_reserve(1).code, STOCK_DUPLICATE);
    sale_end();
}

Test(log, group_in_flight_that_is_gone_after_the_restart_passes)
{
    sale_open();
    struct history_call call = sale_row(STOCK_OP_RESERVE, 1);
    uint32_t number = sale_ask(call);
    sale_run(call);
    sale_crash();
    history_give_up(number);
    sale_start();
    cr_assert_eq(sale_reserve(1).code, STOCK_OK);
    sale_end();
}

Test(log, record_lost_over_the_restart_is_found)
{
    sale_open();
    sale_reserve(1);
    memset(last_group(), 0, LOG_BLOCK_BYTES);
    sale_crash();
    EXPECT_FINDING("durability", "LSN 2 to 2", sale_start());
}

Test(log, record_changed_over_the_restart_is_found)
{
    sale_open();
    sale_reserve(1);
    last_group()[LOG_GROUP_HEADER_BYTES + 56] ^= 1; /* the deadline */
    sale_crash();
    EXPECT_FINDING("durability", "checksum", sale_start());
}

Test(log, segment_lost_over_the_restart_is_found)
{
    sale_open();
    sale_reserve(1);
    memset(sale.log.bytes[0], 0, LOG_BLOCK_BYTES);
    sale_crash();
    EXPECT_FINDING("durability", "segment", sale_start());
}

Test(log, state_that_forgot_a_record_is_found)
{
    sale_open();
    sale_reserve(1);
    sale_crash();
    EXPECT_FINDING("replay", "after the start", history_server_started(1));
}

Test(log, state_that_differs_at_the_stop_is_found)
{
    sale_open();
    sale_reserve(1);
    struct stock_record record;
    sale_decide(sale_row(STOCK_OP_CANCEL, 1), &record);
    sale_commit(&record);
    EXPECT_FINDING("replay", "at the stop", sale_end());
}

Test(log, group_with_a_gap_in_its_numbers_is_found)
{
    sale_open();
    struct stock_record record;
    sale_decide(sale_row(STOCK_OP_RESERVE, 1), &record);
    sale_append(&record);
    sale.log.next_lsn++;
    EXPECT_FINDING("log", "does not follow", sale_write());
}

Test(log, group_without_the_chain_is_found)
{
    sale_open();
    struct stock_record record;
    sale_decide(sale_row(STOCK_OP_RESERVE, 1), &record);
    sale_append(&record);
    sale.log.chain++;
    EXPECT_FINDING("log", "does not follow", sale_write());
}

Test(log, bytes_that_are_no_record_are_found)
{
    sale_open();
    uint8_t bytes[16] = {16, 0, 99};
    log_builder_record(&sale.log, bytes, sizeof bytes);
    EXPECT_FINDING("log", "unknown type", sale_write());
}

Test(log, write_that_is_no_group_is_found)
{
    sale_open();
    static uint8_t garbage[LOG_BLOCK_BYTES] = {1, 2, 3};
    EXPECT_FINDING("log", "no group", sale_see_written(0, 8192, garbage, sizeof garbage));
}
