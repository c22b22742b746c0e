/* The power goes at random moments under load; the file system is mounted again, the server is
 * started again, and everything is compared with what the clients were told
 * (tests/lib/crash_load.h). Names too: MANIFEST's newest era, snapshots that somebody was told of,
 * and segments, which are in the data directory or in the archive, each of them.
 *
 *     crash_power_cut CORES         HOLDFAST_CUT_ROUNDS=200 HOLDFAST_CUT_SEED=1
 *
 * Needs root, for an ext4 image in memory whose power is cut (tests/lib/disk_image.h). A data
 * directory lives for some rounds; half of them have an archive, and what that and the directory
 * hold together is read from the first record on in the end. */
#include "check.h"
#include "crash_load.h"
#include "data_names.h"
#include "disk_image.h"
#include "fixture.h"
#include "log_tool.h"
#include "random.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROUNDS_PER_LIFE = 20, /* of a data directory */
    RESERVATIONS_PER_ROUND = 30000,
    LOAD_MS_MAX = 60,
    LONG_LOAD_MS_MAX = 400,
    START_MS_MAX = 60,
    CORES_MAX = 4,
    END_MS_MAX = 20000,
};
#define IMAGE_BYTES  (3072ull << 20)
#define MEMORY_BYTES (2560ull << 20)

/* How a round ends. */
enum way { CUT_UNDER_LOAD, CUT_AFTER_KILL, CUT_AFTER_STOP, KILL_ALONE, WAY_COUNT };

static struct {
    struct fixture fixture;
    char memory[SCRATCH_PATH_BYTES + 16];
    struct disk_image disk;
    char data[SCRATCH_PATH_BYTES + 128];
    char archive[SCRATCH_PATH_BYTES + 128];
    const char *arguments[24];
    bool has_archive;
    uint64_t seed;
    uint32_t round;
    uint32_t rounds;
    struct test_random plan;
    /* promised by now: a start that got ready, snapshots that somebody was told of */
    uint64_t era;
    uint64_t snapshot_lsns[CORES_MAX];
    uint64_t segments_at_start[CORES_MAX]; /* numbers of the last ones */
    /* for people */
    struct crash_load_figures figures;
    uint64_t segments; /* made, or given the next name */
    uint32_t ways[WAY_COUNT];
    uint32_t cuts[3]; /* by what reached the disk */
    uint32_t cuts_in_start, core_changes, exits_by_error, snapshots, verified;
} run;

static uint32_t choose(uint32_t below)
{
    return test_random_below(&run.plan, below);
}

static void last_words(void)
{
    printf("round %u, seed %" PRIu64 ", again: HOLDFAST_CUT_SEED=%" PRIu64
           " HOLDFAST_CUT_ROUNDS=%u crash_power_cut %u\n",
           run.round, run.seed, run.seed, run.rounds, run.fixture.options.cores);
    static bool is_copied; /* what fails in here gives up as well */
    char kept[SCRATCH_PATH_BYTES + 16];
    snprintf(kept, sizeof kept, "%s/kept", run.fixture.scratch);
    if (is_copied)
        return;
    is_copied = true;
    scratch_copy(run.disk.mounted, kept);
    printf("the disk is kept: %s\n", kept);
}

/* ------------------------------------------------------------------------------------------------
 * The server
 * ---------------------------------------------------------------------------------------------- */

static void choose_arguments(void)
{
    static const char *const AFTER[] = {"256KiB", "1MiB", "4MiB"};
    static const char *const EVERY[] = {"0", "200ms"};
    const char *const chosen[] = {
        "--max-items",
        "10k",
        "--max-reservations",
        "2M",
        "--segment-size",
        "8MiB",
        "--snapshot-after",
        AFTER[choose(3)],
        "--snapshot-every",
        EVERY[choose(2)],
        run.has_archive ? "--archive" : NULL,
        run.archive,
        NULL,
    };
    memcpy(run.arguments, chosen, sizeof chosen);
    run.fixture.options.more = run.arguments;
}

static void start(void)
{
    uint32_t cores;
    fixture_start(&run.fixture);
    data_names_newest_era(run.data, &run.era, &cores);
    check(cores == run.fixture.options.cores, "MANIFEST says %u cores", cores);
    memset(run.snapshot_lsns, 0, sizeof run.snapshot_lsns);
    for (uint32_t core = 0; core < cores; core++)
        run.segments_at_start[core] = data_names_of(run.data, run.era, core).segment_last;
}

static uint32_t count_errors(void)
{
    char *said = server_stderr(&run.fixture.server);
    uint32_t count = 0;
    for (const char *at = strstr(said, " error "); at != NULL; at = strstr(at + 1, " error "))
        count++;
    free(said);
    return count;
}

/* A server whose disk is gone ends by itself when it next writes, with one line; one that has
 * nothing to write does not notice. */
static void end_server_without_disk(void)
{
    enum { ASK_ON_MS = 20, NOTICE_MS = 2000 };
    crash_load_run(ASK_ON_MS);
    if (!server_wait_exit(&run.fixture.server, NOTICE_MS)) {
        server_kill(&run.fixture.server);
        return;
    }
    run.exits_by_error++;
    check(run.fixture.server.exit_code == SERVER_EXIT_IO, "exit code %d",
          run.fixture.server.exit_code);
    check(count_errors() == 1, "%u lines tell of errors", count_errors());
}

/* ------------------------------------------------------------------------------------------------
 * Names
 * ---------------------------------------------------------------------------------------------- */

/* What this server has told of its snapshots is a promise: it will not read the log before them. */
static void note_promises(void)
{
    struct raw_client client;
    raw_open(&client, run.fixture.server.port, -1);
    for (uint32_t core = 0; core < run.fixture.options.cores; core++) {
        const raw_stat stat = raw_stat_of(&client, core, false);
        run.snapshot_lsns[core] = stat.snapshot_lsn;
        run.snapshots += (uint32_t)stat.snapshots;
    }
    raw_close(&client);
}

static void check_promises(void)
{
    uint64_t era;
    uint32_t cores;
    data_names_newest_era(run.data, &era, &cores);
    check(era == run.era && cores == run.fixture.options.cores,
          "MANIFEST's newest era is %" PRIu64 " with %u cores, it was %" PRIu64 " with %u", era,
          cores, run.era, run.fixture.options.cores);
    for (uint32_t core = 0; core < run.fixture.options.cores; core++) {
        const struct data_names names = data_names_of(run.data, era, core);
        check(names.snapshot_newest_lsn >= run.snapshot_lsns[core],
              "core %u: the newest snapshot is at LSN %" PRIu64 ", it was told to be at %" PRIu64,
              core, names.snapshot_newest_lsn, run.snapshot_lsns[core]);
        if (names.segment_last > run.segments_at_start[core])
            run.segments += names.segment_last - run.segments_at_start[core];
    }
}

static bool has_gap(const struct data_names *names)
{
    return names->segment_count > 0 &&
           names->segment_last - names->segment_first + 1 != names->segment_count;
}

/* Segment 1 is in one of the two, and none is missing where one ends and the other goes on. */
static void check_log_names(uint64_t era, uint32_t core)
{
    const struct data_names kept = data_names_of(run.data, era, core);
    const struct data_names archived = data_names_of(run.archive, era, core);
    const uint64_t first = archived.segment_count > 0 ? archived.segment_first : kept.segment_first;
    check(!has_gap(&kept) && !has_gap(&archived) && first <= 1 &&
              (kept.segment_first <= archived.segment_last + 1),
          "era %" PRIu64 ", core %u: segments %" PRIu64 " to %" PRIu64 " (%" PRIu64
          ") are archived, %" PRIu64 " to %" PRIu64 " (%" PRIu64 ") are here",
          era, core, archived.segment_first, archived.segment_last, archived.segment_count,
          kept.segment_first, kept.segment_last, kept.segment_count);
}

static void check_log_names_of_all(void)
{
    for (uint64_t era = 1; era <= run.era; era++) {
        const uint32_t here = data_names_cores(run.data, era);
        const uint32_t there = data_names_cores(run.archive, era);
        check(here > 0 || there > 0, "era %" PRIu64 " is nowhere", era);
        for (uint32_t core = 0; core < here || core < there; core++)
            check_log_names(era, core);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Cuts
 * ---------------------------------------------------------------------------------------------- */

static void cut(void)
{
    const uint32_t dice = choose(8);
    const enum disk_image_cut cut = dice == 0   ? DISK_IMAGE_CUT_ALL
                                    : dice == 1 ? DISK_IMAGE_CUT_JOURNAL
                                                : DISK_IMAGE_CUT_NOTHING;
    run.cuts[cut]++;
    disk_image_cut(&run.disk, cut);
}

static void remount(void)
{
    disk_image_unmount(&run.disk);
    disk_image_mount(&run.disk);
}

static void end_round(enum way way)
{
    run.ways[way]++;
    switch (way) {
    case CUT_UNDER_LOAD:
        cut();
        end_server_without_disk();
        break;
    case CUT_AFTER_STOP:
        crash_load_settle_round();
        server_stop(&run.fixture.server);
        cut();
        break;
    default:
        server_kill(&run.fixture.server);
        if (way == CUT_AFTER_KILL)
            cut();
        break;
    }
    if (way != CUT_AFTER_STOP)
        crash_load_end_round();
    if (way != KILL_ALONE)
        remount();
}

/* The power goes while the server starts. It may have begun an era by then. */
static void cut_in_start(void)
{
    uint32_t cores;
    run.cuts_in_start++;
    server_spawn(&run.fixture.server, &run.fixture.options, run.fixture.scratch);
    check_sleep_ms(choose(START_MS_MAX));
    cut();
    check_sleep_ms(choose(3));
    if (server_wait_exit(&run.fixture.server, 0))
        check(run.fixture.server.exit_code == SERVER_EXIT_IO ||
                  run.fixture.server.exit_code == SERVER_EXIT_PERMISSION,
              "exit code %d", run.fixture.server.exit_code);
    server_kill(&run.fixture.server);
    remount();
    data_names_newest_era(run.data, &run.era, &cores);
}

static void run_round(uint32_t round_of_life)
{
    crash_load_begin_round(round_of_life);
    const uint32_t load_ms_max = choose(4) == 0 ? LONG_LOAD_MS_MAX : LOAD_MS_MAX;
    check_must(crash_load_run(2 + choose(load_ms_max)), "the server ended by itself");
    note_promises();
    check_must(crash_load_run(1 + choose(LOAD_MS_MAX)), "the server ended by itself");
    const uint32_t dice = choose(10);
    end_round(dice < 7 ? CUT_UNDER_LOAD : (enum way)(dice - 7 + CUT_AFTER_KILL));
    check_promises();
    if (choose(4) == 0) {
        run.core_changes++;
        run.fixture.options.cores = 1 + choose(CORES_MAX);
    }
    while (choose(4) == 0)
        cut_in_start();
    start();
    if (run.has_archive)
        check_log_names_of_all();
    crash_load_audit();
}

/* ------------------------------------------------------------------------------------------------
 * Lives
 * ---------------------------------------------------------------------------------------------- */

static void remove_snapshots(const char *data)
{
    char pattern[SCRATCH_PATH_BYTES + 64];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/era-*/core-*/snapshot*", data);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            check_must(unlink(found.gl_pathv[i]) == 0, "%s", found.gl_pathv[i]);
    globfree(&found);
}

/* The archive and what is left here are the whole history: replayed from the first record on it
 * gives the state with which the server has stopped. */
static void verify_history(uint64_t hash)
{
    char whole[SCRATCH_PATH_BYTES + 16], all_of_archive[sizeof run.archive + 4];
    uint64_t verified = 0;
    snprintf(whole, sizeof whole, "%s/whole", run.fixture.scratch);
    snprintf(all_of_archive, sizeof all_of_archive, "%s/.", run.archive);
    scratch_copy(run.data, whole);
    scratch_copy(all_of_archive, whole); /* its MANIFEST knows the eras that are gone here */
    remove_snapshots(whole);
    if (log_tool_verify(whole, &verified))
        check(verified == hash,
              "the whole history comes to %016" PRIx64 ", the server had %016" PRIx64, verified,
              hash);
    scratch_remove(whole);
    run.verified++;
}

static void begin_life(uint32_t cores, uint32_t life)
{
    disk_image_make(&run.disk, run.memory, IMAGE_BYTES);
    snprintf(run.data, sizeof run.data, "%s/data", run.disk.mounted);
    run.fixture.options.data = run.data;
    snprintf(run.archive, sizeof run.archive, "%s/archive", run.disk.mounted);
    run.has_archive = life % 2 == 0;
    run.fixture.options.cores = cores;
    choose_arguments();
    crash_load_init(&(struct crash_load_options){.fixture = &run.fixture,
                                                 .seed = run.seed * 1000 + life,
                                                 .rounds = ROUNDS_PER_LIFE,
                                                 .reservations_per_round = RESERVATIONS_PER_ROUND});
    start();
    crash_load_make_items();
}

static void end_life(void)
{
    uint64_t hash;
    server_stop(&run.fixture.server);
    check(server_state_hash_at_stop(&run.fixture.server, &hash), "no state hash at stop");
    if (run.has_archive && log_tool_is_built())
        verify_history(hash);
    crash_load_deinit();
    disk_image_remove(&run.disk);
}

static void run_lives(uint32_t cores)
{
    char figures[256];
    for (uint32_t life = 0; run.round < run.rounds && check_failures() == 0; life++) {
        begin_life(cores, life);
        for (uint32_t i = 1;
             i <= ROUNDS_PER_LIFE && run.round < run.rounds && check_failures() == 0; i++) {
            run.round++;
            run_round(i);
        }
        crash_load_add_figures(&run.figures);
        if (check_failures() > 0)
            last_words();
        end_life();
    }
    crash_load_describe(&run.figures, figures);
    check_note("%s", figures);
    check_note("%u rounds with seed %" PRIu64
               ": power cut under load %u, after a kill %u, after a stop %u, in a start %u; killed "
               "alone %u",
               run.round, run.seed, run.ways[CUT_UNDER_LOAD], run.ways[CUT_AFTER_KILL],
               run.ways[CUT_AFTER_STOP], run.cuts_in_start, run.ways[KILL_ALONE]);
    check_note(
        "cuts with all, the journal, nothing reaching the disk: %u, %u, %u; %u ends by error, "
        "%u other numbers of cores, %u snapshots, %" PRIu64 " segments, %u whole histories",
        run.cuts[0], run.cuts[1], run.cuts[2], run.exits_by_error, run.core_changes, run.snapshots,
        run.segments, run.verified);
}

/* ------------------------------------------------------------------------------------------------
 * A disk that fails
 * ---------------------------------------------------------------------------------------------- */

/* The image is larger than the memory that it is in: the file system has room, and then the disk
 * refuses to take what is written. That may be told as a lack of room for a while, until the file
 * system finds its own journal refused. */
static void disk_that_fails_ends_the_server_and_loses_nothing(uint32_t cores)
{
    enum { UNTIL_FULL_MS_MAX = 60000, LEFT_BYTES = 4 << 20, RESERVATIONS = 1 << 20 };
    run.round = 1;
    run.has_archive = false;
    disk_image_make(&run.disk, run.memory, IMAGE_BYTES);
    snprintf(run.data, sizeof run.data, "%s/data", run.disk.mounted);
    run.fixture.options.data = run.data;
    static const char *const ARGUMENTS[] = {"--segment-size", "8MiB", "--snapshot-after", "0",
                                            NULL};
    run.fixture.options.more = ARGUMENTS;
    run.fixture.options.cores = cores;
    crash_load_init(&(struct crash_load_options){.fixture = &run.fixture,
                                                 .seed = run.seed,
                                                 .rounds = 1,
                                                 .reservations_per_round = RESERVATIONS});
    start();
    crash_load_make_items();
    crash_load_begin_round(1);
    disk_image_resize_memory(run.memory, disk_image_memory_used(run.memory) + LEFT_BYTES);
    crash_load_allow_read_only(true);
    check(!crash_load_run(UNTIL_FULL_MS_MAX), "the disk has taken everything");
    check_must(server_wait_exit(&run.fixture.server, END_MS_MAX), "it still runs");
    check(run.fixture.server.exit_code == SERVER_EXIT_IO, "exit code %d",
          run.fixture.server.exit_code);
    check(count_errors() == 1, "%u lines tell of errors", count_errors());
    crash_load_end_round();
    disk_image_unmount(&run.disk);
    disk_image_resize_memory(run.memory, MEMORY_BYTES);
    disk_image_mount(&run.disk);
    start();
    crash_load_audit();
    server_stop(&run.fixture.server);
    crash_load_deinit();
    disk_image_remove(&run.disk);
}

int main(int argc, char **argv)
{
    char reason[256];
    const uint32_t cores = fixture_core_count(argc, argv);
    run.seed = fixture_size("HOLDFAST_CUT_SEED", 1, 1);
    run.rounds = (uint32_t)fixture_size("HOLDFAST_CUT_ROUNDS", 6, 2);
    if (!disk_image_enter(reason)) {
        printf("skipped: %s\n", reason);
        return CHECK_SKIPPED;
    }
    test_random_init(&run.plan, run.seed);
    fixture_init(&run.fixture, "power_cut", cores, NULL);
    check_on_give_up(last_words);
    snprintf(run.memory, sizeof run.memory, "%s/memory", run.fixture.scratch);
    disk_image_mount_memory(run.memory, MEMORY_BYTES);

    check_situation("what_was_acknowledged_or_seen_survives_a_loss_of_power");
    run_lives(cores);
    check_situation("disk_that_fails_ends_the_server_and_loses_nothing");
    if (check_failures() == 0)
        disk_that_fails_ends_the_server_and_loses_nothing(cores);
    disk_image_unmount_memory(run.memory);
    return fixture_finish(&run.fixture);
}
