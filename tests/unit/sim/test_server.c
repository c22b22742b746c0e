/* A whole server on the simulated machine. */
#include "server_play.h"

static struct play play;
static struct play_client client;

static void begin(uint64_t seed, uint32_t core_count)
{
    struct server_options options = play_options(core_count);
    sim_world_begin(seed);
    play_start(&play, &options);
}

TestSuite(server, .timeout = 60);

Test(server, what_was_answered_is_found_after_a_loss_of_power)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct server_options options = play_options(1 + seed % 3);
        begin(seed, options.core_count);
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
