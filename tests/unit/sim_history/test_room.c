#include "fixture.h"

/* READ_ONLY: the disk has no room for the next segment. */

static void lack_room(void)
{
    sale_see(SIM_DISK_NO_ROOM, SALE_FOLDER "/segment.new", NULL);
}

static uint32_t ask_and_refuse(struct history_call call)
{
    uint32_t number = sale_ask(call);
    sale_answer(number, call, (struct stock_reply){.code = STOCK_READ_ONLY});
    return number;
}

/* Holds until the segment that they fill has fewer than so many blocks left. */
static void fill(uint64_t blocks_left)
{
    for (uint64_t id = 100; sale.log.offset + blocks_left * LOG_BLOCK_BYTES <= sale_segment_bytes;
         id++)
        sale_reserve(id);
}

Test(room, new_holds_refused_while_room_lacks_pass)
{
    sale_open();
    sale_reserve(1);
    lack_room();
    ask_and_refuse(sale_row(STOCK_OP_RESERVE, 2));
    cr_assert_eq(sale_call(sale_row(STOCK_OP_CONFIRM, 1)).code, STOCK_OK);
    sale_end();
}

Test(room, refusal_without_lack_of_room_is_found)
{
    sale_open();
    EXPECT_FINDING("full-disk", "had room", ask_and_refuse(sale_row(STOCK_OP_RESERVE, 1)));
}

Test(room, refusal_long_after_the_next_segment_was_made_is_found)
{
    sale_open();
    lack_room();
    log_builder_add_unused(&sale.log);
    sale_see(SIM_DISK_RENAMED, SALE_FOLDER "/segment.new", sale_segment_path(1));
    sale_sync_folder();
    ask_and_refuse(sale_row(STOCK_OP_RESERVE, 1)); /* it may have been on its way */
    sale.now_ms += 1100;
    EXPECT_FINDING("full-disk", "had room", ask_and_refuse(sale_row(STOCK_OP_RESERVE, 2)));
}

/* The last half of the segment is kept for what others wait for; two groups may be under way. */
Test(room, hold_taken_where_room_is_kept_for_confirms_is_found)
{
    sale_begin();
    sale_create(1000);
    fill(4);
    lack_room();
    sale_reserve(1);
    sale_reserve(2);
    EXPECT_FINDING("full-disk", "less than half", sale_reserve(3));
}

/* What others wait for goes on until the segment is full. */
Test(room, confirm_refused_while_the_segment_has_room_is_found)
{
    sale_begin();
    sale_create(1000);
    sale_reserve(1);
    lack_room();
    ask_and_refuse(sale_row(STOCK_OP_CONFIRM, 1));
    sale_reserve(2);
    EXPECT_FINDING("full-disk", "of the segment are left", sale_reserve(3));
}

Test(room, confirm_refused_by_a_full_segment_passes)
{
    sale_begin();
    sale_create(1000);
    fill(1);
    lack_room();
    ask_and_refuse(sale_row(STOCK_OP_CONFIRM, 100));
    sale_work_off();
    sale_end();
}

/* Its first answer stands in the log. */
Test(room, refusal_of_a_repeat_is_found)
{
    sale_open();
    sale_reserve(1);
    lack_room();
    EXPECT_FINDING("full-disk", "nothing to be recorded",
                   ask_and_refuse(sale_row(STOCK_OP_RESERVE, 1)));
}

Test(room, refusal_of_a_read_is_found)
{
    sale_open();
    sale_reserve(1);
    lack_room();
    EXPECT_FINDING("full-disk", "nothing to be recorded",
                   ask_and_refuse(sale_row(STOCK_OP_GET, 1)));
}

Test(room, segment_named_before_it_is_zero_is_found)
{
    sale_open();
    log_builder_add_unused(&sale.log);
    sale.log.bytes[1][20000] = 1;
    EXPECT_FINDING("log", "before all of it is zero",
                   sale_see(SIM_DISK_RENAMED, SALE_FOLDER "/segment.new", sale_segment_path(1)));
}
