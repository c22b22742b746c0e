/* A whole server on the simulated machine: served, crashed at every operation, started again. */
#include "server_play.h"

static struct play play;
static struct play_client client;

TestSuite(server, .timeout = 120);

/* ---- without accidents ---- */

static uint64_t whole_run(uint64_t seed, uint32_t core_count)
{
    struct server_options options = play_options(core_count);
    sim_world_begin(seed);
    play_start(&play, &options);
    play_connect(&play, &client, core_count - 1);
    for (uint64_t item_id = 1; item_id <= 8; item_id++) {
        play_create(&play, &client, item_id, 1);
        cr_assert_eq(play_reserve(&play, &client, item_id, 9), HOLDFAST__V1__RESULT__RESULT_OK);
        cr_assert_eq(play_reserve(&play, &client, item_id, 8),
                     HOLDFAST__V1__RESULT__RESULT_SOLD_OUT);
    }
    sim_link_close(client.link, false);
    play_stop(&play);
    return sim_trace_hash();
}

Test(server, one_seed_gives_one_trace_and_another_seed_another)
{
    for (uint32_t core_count = 1; core_count <= 4; core_count++) {
        uint64_t hash = whole_run(1, core_count);
        cr_expect_neq(whole_run(2, core_count), hash);
        cr_expect_eq(whole_run(1, core_count), hash);
    }
}

Test(server, it_serves_byte_by_byte_over_a_narrow_network_and_a_slow_disk)
{
    struct server_options options = play_options(2);
    sim_world_begin(1);
    sim_network_set_options(&(struct sim_network_options){
        .delay_ns_max = 10000, .piece_bytes_max = 1, .buffer_bytes_max = 16});
    sim_disk_set_options(&(struct sim_disk_options){.write_ns_min = 1000,
                                                    .write_ns_max = 1000000,
                                                    .slow_permille = 300,
                                                    .capacity_bytes = UINT64_MAX});
    play_start(&play, &options);
    play_connect(&play, &client, 1);
    for (uint64_t item_id = 1; item_id <= 8; item_id++)
        play_create(&play, &client, item_id, 1);
    sim_link_close(client.link, false);
    play_stop(&play);
}

/* ---- crashes ---- */

Test(server, what_was_answered_is_found_after_a_loss_of_power)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct server_options options = play_options(1 + seed % 3);
        sim_world_begin(seed);
        play_start(&play, &options);
        play_connect(&play, &client, 0);
        play_create(&play, &client, 7, 5);
        cr_assert_eq(play_reserve(&play, &client, 7, 9), HOLDFAST__V1__RESULT__RESULT_OK);
        play_crash(SIM_CRASH_POWER);
        sim_link_close(client.link, true);

        play_start(&play, &options);
        play_connect(&play, &client, 0);
        cr_assert_eq(play_reserve(&play, &client, 7, 9), HOLDFAST__V1__RESULT__RESULT_DUPLICATE,
                     "seed %u", (unsigned)seed);
        sim_link_close(client.link, false);
        play_stop(&play);
    }
}

/* One life up to an answered reservation; false when the crash came first. */
static bool live(const struct server_options *options, bool *is_held)
{
    play = (struct play){.options = *options};
    client.link = NULL;
    if (!sim_engine_run(play_start_inside, &play))
        return false;
    cr_assert_eq(play.status, SERVER_OK, "%s", play.message);
    if (!play_try_connect(&play, &client, 0))
        return false;
    play_send_create(&client, 7, 5);
    if (play_try_receive(&play, &client) == NULL)
        return false;
    play_send_reserve(&client, 7, 9);
    const Holdfast__V1__ReservationResponse *answer = play_try_receive(&play, &client);
    if (answer == NULL)
        return false;
    cr_assert_eq(client.type, FRAME_RESERVE + FRAME_REPLY);
    cr_assert(answer->result == HOLDFAST__V1__RESULT__RESULT_DUPLICATE ||
              (answer->result == HOLDFAST__V1__RESULT__RESULT_OK && !*is_held));
    *is_held = true;
    return true;
}

static void crash(enum sim_crash kind)
{
    if (client.link != NULL)
        sim_link_close(client.link, true);
    play_crash(kind);
}

/* Crashes at this operation of the first life, then at one of the second, which recovers; the third
 * is whole. False when the first one did not last so long. */
static bool crash_at(uint64_t n, uint32_t core_count, enum sim_crash kind, bool is_early)
{
    struct server_options options = play_options(core_count);
    bool is_held = false;
    sim_world_begin(n * 4 + kind * 2 + is_early);
    sim_crash_at_operation(n);
    bool is_whole = live(&options, &is_held);
    crash(kind);
    sim_crash_at_operation(is_early ? 1 + n % 30 : 0);
    if (!live(&options, &is_held)) {
        crash(kind);
        cr_assert(live(&options, &is_held));
    }
    sim_crash_at_operation(0);
    sim_link_close(client.link, false);
    play_stop(&play);
    return !is_whole;
}

static void crash_everywhere(uint32_t core_count, enum sim_crash kind)
{
    for (uint32_t is_early = 0; is_early <= 1; is_early++) {
        uint64_t n = 1;
        while (crash_at(n, core_count, kind, is_early))
            n++;
        cr_expect_gt(n, 60, "the run has more than %u operations", (unsigned)n);
    }
}

Test(server, a_kill_at_any_operation_loses_no_answer)
{
    crash_everywhere(1, SIM_CRASH_KILL);
    crash_everywhere(3, SIM_CRASH_KILL);
}

Test(server, a_loss_of_power_at_any_operation_loses_no_answer)
{
    crash_everywhere(1, SIM_CRASH_POWER);
    crash_everywhere(3, SIM_CRASH_POWER);
}

/* The second life serves what a killed one left, which need not be on the medium, and loses power.
 */
Test(server, what_was_read_after_a_kill_survives_a_loss_of_power)
{
    bool is_whole = false;
    for (uint64_t n = 1; !is_whole; n++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct server_options options = play_options(1);
            bool is_held = false;
            sim_world_begin(n * 100 + seed);
            sim_crash_at_operation(n);
            is_whole = live(&options, &is_held);
            crash(SIM_CRASH_KILL);
            sim_crash_at_operation(0);
            cr_assert(live(&options, &is_held));
            crash(SIM_CRASH_POWER);
            cr_assert(live(&options, &is_held));
            sim_link_close(client.link, false);
            play_stop(&play);
        }
}

/* ---- want of memory ---- */

Test(server, a_start_that_is_refused_memory_says_so_and_keeps_none)
{
    uint64_t n = 1;
    for (;; n++) {
        struct server_options options = play_options(2);
        sim_world_begin(n);
        sim_memory_fail_at(n, false);
        play = (struct play){.options = options};
        cr_assert(sim_engine_run(play_start_inside, &play));
        if (play.status == SERVER_OK)
            break;
        cr_assert_neq(play.message[0], '\0', "allocation %u", (unsigned)n);
        cr_assert(sim_engine_run(play_give_up_inside, &play));
        cr_assert_eq(sim_memory_used_bytes(), 0, "allocation %u", (unsigned)n);
        cr_assert_eq(sim_io_open_descriptors(), 0, "allocation %u", (unsigned)n);
        cr_assert_eq(sim_io_count(), 0, "allocation %u", (unsigned)n);
    }
    cr_expect_gt(n, 30, "a start allocates more than that");
    sim_memory_fail_at(0, false);
    play_stop(&play);
}
