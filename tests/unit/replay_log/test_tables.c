/* How large the tables of a state are made. */

#include "replay_log/tables.h"
#include "story_directory.h"

#include <criterion/criterion.h>

#define T0 1769860800000u

/* One core, a group for each step: three holds, of which the first is gone when the third comes. */
static void begin_tale(void)
{
    static const struct {
        uint8_t type;
        uint64_t number;
    } steps[] = {
        {STOCK_RECORD_HELD, 1},      {STOCK_RECORD_HELD, 2}, {STOCK_RECORD_CANCELLED, 1},
        {STOCK_RECORD_FORGOTTEN, 1}, {STOCK_RECORD_HELD, 3}, {STOCK_RECORD_CONFIRMED, 2},
    };
    test_directory_make(&directory);
    snprintf(data_path, sizeof data_path, "%s/data", directory.path);
    data_builder_begin(&story, 16 * LOG_BLOCK_BYTES);
    data_builder_begin_era(&story, 1);
    data_builder_record(&story,
                        (struct stock_record){.type = STOCK_RECORD_ITEM_CREATED,
                                              .item = {.item_id = 1, .stock = 9, .hold_ms = 1000}});
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        data_builder_close_group(&story, 0);
        story.time_ms = T0 + 100 * (i + 1);
        data_builder_record(
            &story, (struct stock_record){
                        .type = steps[i].type,
                        .hold = {.item_id = 1,
                                 .reservation_id = {7, steps[i].number},
                                 .sequence = steps[i].number,
                                 .expires_ms = T0 + 1000,
                                 .buyer_id = 40,
                                 .quantity = 1,
                                 .quantity_confirmed = steps[i].type == STOCK_RECORD_CONFIRMED}});
    }
    data_builder_close_group(&story, 0);
    story_save();
}

static struct tables count(struct cut cut)
{
    struct tables tables = {.item_count = 0};
    struct data *data;
    const struct log_position start = log_position_first();
    cr_assert_eq(data_open(data_path, &data), EXIT_GOOD);
    tables_add_log(&tables, &data->logs[0], &start, &cut);
    data_close(&data);
    return tables;
}

TestSuite(tables, .init = begin_tale, .fini = story_end);

Test(tables, have_room_for_what_was_there_at_most_at_once)
{
    const struct tables tables = count(cut_nothing());
    cr_expect_eq(tables.item_count, 1);
    cr_expect_eq(tables.reservations.most, 2);
    cr_expect_eq(tables.buyers.most, 2);
    cr_expect_eq(tables.lost_count, 0);
}

Test(tables, are_for_what_is_before_the_cut)
{
    struct cut cut = cut_nothing();
    cut.lsn_end = 3;
    cr_expect_eq(count(cut).reservations.most, 1);
    cut = cut_nothing();
    cut.time_end_ms = T0 + 101;
    cr_expect_eq(count(cut).reservations.now, 2, "up to the first group that is not earlier");
}

Test(tables, have_room_for_what_is_missing)
{
    const struct data_builder_group *lost = &story.eras[0].logs[0].groups[3];
    story_spoil(story_segment(1, 0, 1), lost->offset + 8);
    const struct tables tables = count(cut_nothing());
    cr_expect_eq(tables.lost_count, 1);
    cr_expect_eq(tables.reservations.most, 2);
}
