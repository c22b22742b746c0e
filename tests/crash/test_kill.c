/* Kill -9 at random moments under load, restart, and compare everything with what the clients were
 * told (tests/lib/crash_load.h).
 *
 *     crash_kill CORES              HOLDFAST_CRASH_ROUNDS=100 HOLDFAST_CRASH_SEED=1
 *
 * A snapshot is due every few hundred KiB of log, segments are as small as they can be, and in half
 * of the rounds old ones go to an archive; so kills meet snapshots, new segments, recycling and
 * restarts. The seed decides every choice and the moment of the kill; how far the server had come
 * by then is its own. */
#include "check.h"
#include "crash_load.h"
#include "fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RESERVATIONS_PER_ROUND = 40000, /* when these are made the kill comes early */
    LOAD_MS_MAX = 60,
    LONG_LOAD_MS_MAX = 400, /* in one of so many rounds: it fills segments */
    LONG_LOAD_CHANCE = 4,
};

static struct {
    struct fixture fixture;
    char archive[SCRATCH_PATH_BYTES + 64];
    uint64_t seed;
    uint32_t round;
    uint32_t rounds;
    uint64_t snapshots; /* taken in all lives, as far as Stat told of them */
} run;

static void last_words(void)
{
    printf("round %u, seed %" PRIu64 "; the data directory is kept: %s\n"
           "again: HOLDFAST_CRASH_SEED=%" PRIu64 " HOLDFAST_CRASH_ROUNDS=%u crash_kill %u\n",
           run.round, run.seed, run.fixture.data, run.seed, run.rounds, run.fixture.options.cores);
}

static void start(bool has_archive)
{
    static const char *const COMMON[] = {"--max-items",      "10k",  "--max-reservations", "8M",
                                         "--segment-size",   "8MiB", "--snapshot-after",   "256KiB",
                                         "--snapshot-every", "300ms"};
    enum { COMMON_COUNT = sizeof COMMON / sizeof *COMMON };
    static const char *arguments[COMMON_COUNT + 3];
    for (int i = 0; i < COMMON_COUNT; i++)
        arguments[i] = COMMON[i];
    arguments[COMMON_COUNT] = has_archive ? "--archive" : NULL;
    arguments[COMMON_COUNT + 1] = run.archive;
    run.fixture.options.more = arguments;
    fixture_start(&run.fixture);
}

/* Now and then the restart is killed as well, in the middle of its loading. */
static void restart(void)
{
    while (crash_load_chance(6) == 0) {
        server_spawn(&run.fixture.server, &run.fixture.options, run.fixture.scratch);
        check_sleep_ms(crash_load_chance(40));
        server_kill(&run.fixture.server);
    }
    start(crash_load_chance(2) == 0);
}

static void note_snapshots(void)
{
    struct raw_client client;
    raw_open(&client, run.fixture.server.port, -1);
    for (uint32_t core = 0; core < run.fixture.options.cores; core++)
        run.snapshots += raw_stat_of(&client, core, false).snapshots;
    raw_close(&client);
}

static void run_round(void)
{
    crash_load_begin_round(run.round);
    uint32_t load_ms_max =
        crash_load_chance(LONG_LOAD_CHANCE) == 0 ? LONG_LOAD_MS_MAX : LOAD_MS_MAX;
    check_must(crash_load_run(2 + crash_load_chance(load_ms_max)), "the server ended by itself");
    server_kill(&run.fixture.server);
    crash_load_end_round();
    restart();
    crash_load_audit();
    note_snapshots();
}

int main(int argc, char **argv)
{
    char figures[256];
    struct crash_load_figures sum = {0};
    const uint32_t core_count = fixture_core_count(argc, argv);
    run.seed = fixture_size("HOLDFAST_CRASH_SEED", 1, 1);
    run.rounds = (uint32_t)fixture_size("HOLDFAST_CRASH_ROUNDS", 20, 3);
    fixture_init(&run.fixture, "crash_kill", core_count, NULL);
    check_on_give_up(last_words);
    snprintf(run.archive, sizeof run.archive, "%s/archive", run.fixture.scratch);
    crash_load_init(&(struct crash_load_options){.fixture = &run.fixture,
                                                 .seed = run.seed,
                                                 .rounds = run.rounds,
                                                 .reservations_per_round = RESERVATIONS_PER_ROUND});
    start(true);
    crash_load_make_items();

    check_situation("what_was_acknowledged_or_seen_survives_kill_at_any_moment");
    for (run.round = 1; run.round <= run.rounds && check_failures() == 0; run.round++)
        run_round();
    if (check_failures() > 0) {
        run.round--;
        last_words();
    }
    crash_load_add_figures(&sum);
    crash_load_describe(&sum, figures);
    check_note("%u kills with seed %" PRIu64 ": %s; %" PRIu64 " snapshots in the audits alone",
               run.rounds, run.seed, figures, run.snapshots);
    const int exit_code = fixture_finish(&run.fixture);
    crash_load_deinit();
    return exit_code;
}
