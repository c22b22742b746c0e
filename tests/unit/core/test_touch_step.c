/* Memory of the tables that is taken ahead while the cores serve: how much of each, and from where
 * on. */
#include "core_trade.h"

enum {
    CORES = 3,
    SLOTS = 1 << 18,
    BUYER_BYTES = 24,
    RESERVATION_BYTES = 64 + 16,
    SLOT_BYTES = BUYER_BYTES + RESERVATION_BYTES,
    PIECE_BYTES = 32768 * SLOT_BYTES,
};

static struct play play;
static struct server_options options;

static void set_up(void)
{
    options = play_options(CORES);
    options.reservation_count_max = SLOTS;
    options.buyer_count_max = SLOTS;
}

static void tear_down(void)
{
    play_end(&play);
}

TestSuite(touch_step, .init = set_up, .fini = tear_down, .timeout = 120);

static uint64_t touch_all(void)
{
    uint64_t bytes = 0, step_bytes;
    while ((step_bytes = server_touch_step(play.server)) > 0) {
        cr_assert_leq(step_bytes, CORES * PIECE_BYTES, "one piece of each core's");
        bytes += step_bytes;
    }
    cr_expect_eq(server_touch_step(play.server), 0u);
    return bytes;
}

Test(touch_step, each_core_has_its_part_with_the_piece_that_makes_it_enough)
{
    options.touch_ahead_bytes = 2 * PIECE_BYTES + 1;
    play_start(&play, &options);
    cr_expect_eq(touch_all(), CORES * 3 * PIECE_BYTES);
}

Test(touch_step, a_part_that_is_made_by_whole_pieces_is_not_exceeded)
{
    options.touch_ahead_bytes = 2 * PIECE_BYTES;
    play_start(&play, &options);
    cr_expect_eq(touch_all(), CORES * 2 * PIECE_BYTES);
}

Test(touch_step, of_tables_smaller_than_the_part_all_is_taken_once)
{
    options.touch_ahead_bytes = 1ull << 44;
    play_start(&play, &options);
    cr_expect_eq(touch_all(), (uint64_t)CORES * SLOTS * SLOT_BYTES);
}

Test(touch_step, without_a_part_nothing_is_taken)
{
    play_start(&play, &options);
    cr_expect_eq(touch_all(), 0u);
}

/* Whoever drives the steps may stop after any of them. */
Test(touch_step, a_server_stops_though_not_all_was_taken)
{
    options.touch_ahead_bytes = 1ull << 44;
    play_start(&play, &options);
    cr_assert_eq(server_touch_step(play.server), CORES * PIECE_BYTES);
    play_stop(&play);
}

Test(touch_step, after_a_restart_it_begins_behind_what_was_loaded)
{
    struct play_client client;
    options.touch_ahead_bytes = 1ull << 44;
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    trade_make_items(&play, &client);
    trade(&play, &client, 0, 1000);
    play_disconnect(&client);
    play_stop(&play);

    play_start_again(&play, &options);
    uint64_t left_bytes = 0;
    for (uint32_t i = 0; i < CORES; i++) {
        struct stock_counts counts = stock_counts(play_core(&play, i)->stock);
        cr_assert_gt(counts.reservations, 0);
        left_bytes += (SLOTS - counts.buyers) * BUYER_BYTES;
        left_bytes += (SLOTS - counts.reservations) * RESERVATION_BYTES;
    }
    cr_expect_eq(touch_all(), left_bytes);
}
