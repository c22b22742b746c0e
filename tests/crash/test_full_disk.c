/* A disk that fills up under load: new holds are refused first, then everything that would have to
 * be recorded; reads go on, nothing is lost, and when there is room again the sale goes on by
 * itself.
 *
 *     crash_full_disk CORES          needs root, for small tmpfs in a mount namespace of its own
 */
#include "check.h"
#include "crash_load.h"
#include "data_names.h"
#include "disk_image.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MIB = 1 << 20,
    SEGMENT_MIB = 8,
    RESERVATIONS_PER_ROUND = 1 << 20,
    STEP_MS = 2,
    PATIENCE_MS = 120000,
    GOES_ON_MS_MAX = 2000, /* from the moment at which there is room again */
    FILLER_ITEM = 1000000, /* from here on: items whose changes fill the log, one for each core */
};

static struct {
    struct fixture fixture;
    uint32_t cores;
    char small[SCRATCH_PATH_BYTES + 16];
    char data[SCRATCH_PATH_BYTES + 32];
    char ballast[SCRATCH_PATH_BYTES + 32];
    uint64_t filler_items[64]; /* by core */
    int64_t filler_stock;
} run;

/* ------------------------------------------------------------------------------------------------
 * The disk
 * ---------------------------------------------------------------------------------------------- */

static void make_small_disk(uint64_t mib)
{
    disk_image_mount_memory(run.small, mib * MIB);
    run.fixture.options.data = run.data;
}

static void remove_small_disk(void)
{
    disk_image_unmount_memory(run.small);
}

static uint64_t grow(int fd, uint64_t bytes, uint64_t step)
{
    while (posix_fallocate(fd, (off_t)bytes, (off_t)step) == 0)
        bytes += step;
    return bytes;
}

/* A file that takes all the room but for so much. */
static void drop_ballast(uint64_t left_bytes)
{
    enum { LARGE_STEP = MIB, SMALL_STEP = 4096 };
    const int fd = open(run.ballast, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check_must(fd >= 0, "%s: %s", run.ballast, strerror(errno));
    const uint64_t bytes = grow(fd, grow(fd, 0, LARGE_STEP), SMALL_STEP);
    check_must(bytes > left_bytes, "there was no room for a ballast");
    check_must(ftruncate(fd, (off_t)(bytes - left_bytes)) == 0, "%s", strerror(errno));
    close(fd);
}

static void lift_ballast(void)
{
    check_must(unlink(run.ballast) == 0, "%s: %s", run.ballast, strerror(errno));
}

/* ------------------------------------------------------------------------------------------------
 * The server
 * ---------------------------------------------------------------------------------------------- */

static void start(const char *const *more)
{
    run.fixture.options.more = more;
    fixture_start(&run.fixture);
}

static void open_client(struct raw_client *client)
{
    raw_open(client, run.fixture.server.port, -1);
}

static void make_filler_items(void)
{
    struct raw_client client;
    open_client(&client);
    run.filler_stock = 1;
    for (uint32_t core = 0; core < run.cores; core++) {
        uint64_t item_id = FILLER_ITEM;
        while (raw_core_of(item_id, run.cores) != core)
            item_id++;
        run.filler_items[core] = item_id;
        raw_item_make(&client, item_id, run.filler_stock);
    }
    raw_close(&client);
}

/* A record of a group of its own, which takes 4 KiB of the core's log. */
static uint32_t fill_a_block(struct raw_client *client, uint32_t core)
{
    raw_settings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    settings.item_id = run.filler_items[core];
    settings.stock = ++run.filler_stock;
    return raw_item_update(client, &settings, UPDATE(STOCK)).result;
}

/* Until nothing can be recorded any more. */
static void fill_logs(void)
{
    enum { BLOCKS_MAX = 8 * SEGMENT_MIB * 256 };
    struct raw_client client;
    open_client(&client);
    for (uint32_t core = 0; core < run.cores; core++) {
        uint32_t result = RESULT(OK);
        for (int i = 0; i < BLOCKS_MAX && result == RESULT(OK); i++)
            result = fill_a_block(&client, core);
        check_must(result == RESULT(READ_ONLY), "core %u: %s", core, raw_result_name(result));
    }
    raw_close(&client);
}

/* The segment behind the one in use is there. */
static void wait_for_next_segments(void)
{
    const double give_up_ms = check_now_ms() + PATIENCE_MS;
    for (uint32_t core = 0; core < run.cores; core++)
        while (data_names_of(run.data, 1, core).segment_count < 2 && check_now_ms() < give_up_ms)
            check_sleep_ms(2);
    check_must(check_now_ms() < give_up_ms, "no next segment comes");
}

static void check_lacks_space(bool is_expected)
{
    struct raw_client client;
    open_client(&client);
    for (uint32_t core = 0; core < run.cores; core++) {
        const raw_stat stat = raw_stat_of(&client, core, false);
        check(stat.lacks_space == is_expected, "core %u: lacks_space is %d", core,
              stat.lacks_space);
    }
    raw_close(&client);
}

static uint64_t count_expiries(void)
{
    struct raw_client client;
    open_client(&client);
    const uint64_t count = raw_stat_sum(&client, false).expiries;
    raw_close(&client);
    return count;
}

/* ------------------------------------------------------------------------------------------------
 * The course of a disk that fills up
 * ---------------------------------------------------------------------------------------------- */

static void run_load(double for_ms)
{
    check_must(crash_load_run(for_ms), "the server ended by itself");
}

static void run_until_holds_are_refused(void)
{
    const double give_up_ms = check_now_ms() + PATIENCE_MS;
    crash_load_clear_counts();
    crash_load_hoard(true);
    while (crash_load_counts(FRAME_RESERVE).read_only == 0 && check_now_ms() < give_up_ms)
        run_load(STEP_MS);
    crash_load_hoard(false);
    check_must(check_now_ms() < give_up_ms, "holds are never refused");
}

/* What ends a hold has the rest of the room to itself. It does not last long. */
static void check_that_holds_end(void)
{
    const uint64_t expiries_before = count_expiries();
    uint64_t expired = 0;
    const double give_up_ms = check_now_ms() + PATIENCE_MS;
    struct crash_load_counts held, paid, cancelled;
    crash_load_drain();
    crash_load_clear_counts();
    do {
        run_load(STEP_MS);
        held = crash_load_counts(FRAME_RESERVE);
        paid = crash_load_counts(FRAME_CONFIRM);
        cancelled = crash_load_counts(FRAME_CANCEL);
        expired = count_expiries() - expiries_before;
    } while ((held.read_only == 0 || paid.ok == 0 || cancelled.ok == 0 || expired == 0) &&
             paid.read_only == 0 && check_now_ms() < give_up_ms);
    check(held.read_only > 0, "no hold was refused");
    check(paid.ok > 0, "nothing was paid");
    check(cancelled.ok > 0, "nothing was cancelled");
    check(expired > 0, "nothing expired");
    check(run.cores > 1 || held.ok == 0, "%" PRIu64 " holds were made", held.ok);
    check_note("%" PRIu64 " holds refused, %" PRIu64 " made on other cores, %" PRIu64
               " paid, %" PRIu64 " cancelled, %" PRIu64 " expired",
               held.read_only, held.ok, paid.ok, cancelled.ok, expired);
}

static void check_that_only_reads_work(void)
{
    static const uint8_t RECORDING[] = {FRAME_RESERVE, FRAME_CONFIRM, FRAME_CANCEL, FRAME_EXTEND};
    enum { FOR_MS = 300 };
    crash_load_drain();
    crash_load_clear_counts();
    run_load(FOR_MS);
    for (size_t i = 0; i < sizeof RECORDING; i++)
        check(crash_load_counts(RECORDING[i]).ok == 0,
              "operation %u was done %" PRIu64 " times without room for a record", RECORDING[i],
              crash_load_counts(RECORDING[i]).ok);
    check(crash_load_counts(FRAME_RESERVE).read_only > 0, "no hold was refused");
    check(crash_load_counts(FRAME_GET).ok > 0, "no reservation was read");
    check(crash_load_counts(FRAME_ITEM_GET).ok > 0, "no item was read");
}

/* With the ballast gone each core sells again. */
static void check_that_selling_goes_on(void)
{
    struct raw_client client;
    open_client(&client);
    const double since_ms = check_now_ms();
    lift_ballast();
    for (uint32_t core = 0; core < run.cores; core++) {
        while (fill_a_block(&client, core) == RESULT(READ_ONLY) &&
               check_now_ms() < since_ms + 5 * GOES_ON_MS_MAX)
            check_sleep_ms(5);
    }
    const double took_ms = check_now_ms() - since_ms;
    check(took_ms < GOES_ON_MS_MAX || check_is_sanitized(), "it took %.0f ms", took_ms);
    check_note("all cores record again after %.0f ms", took_ms);
    raw_close(&client);
}

static void begin_load(uint32_t rounds)
{
    crash_load_init(&(struct crash_load_options){.fixture = &run.fixture,
                                                 .seed = 1,
                                                 .rounds = rounds,
                                                 .reservations_per_round = RESERVATIONS_PER_ROUND});
    crash_load_make_items();
    make_filler_items();
}

static void kill_and_start(const char *const *more)
{
    server_kill(&run.fixture.server);
    start(more);
}

static void full_disk_stops_the_sale_and_nothing_else(void)
{
    enum { LARGE_SEGMENT_MIB = 16, SEGMENTS_EACH = 5 };
    static const char *const MORE[] = {"--max-reservations",
                                       "2M",
                                       "--segment-size",
                                       "16MiB",
                                       "--snapshot-after",
                                       "0",
                                       "--snapshot-every",
                                       "0",
                                       NULL};
    make_small_disk((uint64_t)run.cores * SEGMENTS_EACH * LARGE_SEGMENT_MIB);
    start(MORE);
    begin_load(2);
    wait_for_next_segments();
    drop_ballast(0);
    crash_load_allow_read_only(true);
    crash_load_begin_round(1);
    check_situation("full_disk_refuses_new_holds_and_lets_holds_end");
    run_until_holds_are_refused();
    check_that_holds_end();

    check_situation("log_without_any_room_is_read_only");
    fill_logs();
    check_that_only_reads_work();
    check_lacks_space(true);
    crash_load_settle_round();
    crash_load_audit_read_only();

    check_situation("server_killed_on_a_full_disk_starts_and_is_read_only");
    kill_and_start(MORE);
    fill_logs(); /* refused at once */
    check_lacks_space(true);
    crash_load_audit_read_only();

    check_situation("with_room_again_selling_goes_on_and_nothing_is_lost");
    check_that_selling_goes_on();
    check_lacks_space(false);
    crash_load_audit();
    crash_load_allow_read_only(false);
    crash_load_begin_round(2);
    run_load(200);
    server_kill(&run.fixture.server);
    crash_load_end_round();
    start(MORE);
    crash_load_audit();
    char figures[256];
    struct crash_load_figures sum = {0};
    crash_load_add_figures(&sum);
    crash_load_describe(&sum, figures);
    check_note("%s", figures);
    server_stop(&run.fixture.server);
    crash_load_deinit();
    remove_small_disk();
}

/* ------------------------------------------------------------------------------------------------
 * Other full disks
 * ---------------------------------------------------------------------------------------------- */

static void disk_that_is_full_at_the_start_is_told(void)
{
    static const char *const MORE[] = {"--segment-size", "8MiB", NULL};
    run.fixture.options.more = MORE;
    make_small_disk(4 * SEGMENT_MIB);
    drop_ballast(MIB);
    check(!server_try_start(&run.fixture.server, &run.fixture.options, run.fixture.scratch,
                            PATIENCE_MS),
          "it serves");
    check(run.fixture.server.exit_code == SERVER_EXIT_IO, "exit code %d",
          run.fixture.server.exit_code);
    check(server_said(&run.fixture.server, "make room on the disk"), "it does not say what to do");
    lift_ballast();
    disk_image_resize_memory(run.small, (uint64_t)run.cores * 4 * SEGMENT_MIB * MIB);
    start(MORE); /* and the attempt was no harm */
    server_stop(&run.fixture.server);
    remove_small_disk();
}

static void check_hash_at_start(uint64_t expected)
{
    uint64_t hash = 0;
    check(server_state_hash_at_start(&run.fixture.server, &hash) && hash == expected,
          "state hash %016" PRIx64 ", expected %016" PRIx64, hash, expected);
}

/* As a kernel makes it of a file system on which it finds errors. */
static void read_only_disk_is_told_and_the_start_goes_on_when_it_is_none(void)
{
    static const char *const MORE[] = {"--segment-size", "8MiB", NULL};
    uint64_t hash = 0;
    make_small_disk((uint64_t)run.cores * 4 * SEGMENT_MIB);
    start(MORE);
    make_filler_items();
    server_stop(&run.fixture.server);
    check(server_state_hash_at_stop(&run.fixture.server, &hash), "no state hash at stop");
    disk_image_set_memory_read_only(run.small, true);
    check(!server_try_start(&run.fixture.server, &run.fixture.options, run.fixture.scratch,
                            PATIENCE_MS),
          "it serves");
    check(run.fixture.server.exit_code == SERVER_EXIT_PERMISSION, "exit code %d",
          run.fixture.server.exit_code);
    check(server_said(&run.fixture.server, "Read-only file system"), "it does not say why");
    disk_image_set_memory_read_only(run.small, false);
    start(MORE);
    check_hash_at_start(hash);
    server_stop(&run.fixture.server);
    remove_small_disk();
}

static void make_reservations(struct raw_client *client, uint32_t count)
{
    enum { BATCH_ROWS = 1000 };
    static struct raw_row rows[BATCH_ROWS];
    static struct raw_answer answers[BATCH_ROWS];
    for (uint32_t made = 0; made < count; made += BATCH_ROWS) {
        for (uint32_t i = 0; i < BATCH_ROWS; i++)
            rows[i] = (struct raw_row){
                .type = FRAME_RESERVE,
                .item_id = run.filler_items[(made + i) % run.cores],
                .id_high = 1,
                .id_low = made + i + 1,
                .quantity = 1,
            };
        raw_rows(client, RAW_SHORT, rows, BATCH_ROWS, answers);
        for (uint32_t i = 0; i < BATCH_ROWS; i++)
            check(answers[i].result == RESULT(OK), "%s", raw_result_name(answers[i].result));
    }
}

/* The log goes on meanwhile: it has its room already. */
static void snapshot_that_finds_no_room_fails_and_the_next_one_succeeds(void)
{
    enum { RESERVATIONS_PER_CORE = 40000, SNAPSHOT_MIB = 3, LEFT = MIB };
    static const char *const MORE[] = {
        "--segment-size", "8MiB", "--snapshot-after", "0", "--snapshot-every", "0", NULL};
    struct raw_client client;
    make_small_disk(run.cores * (3 * SEGMENT_MIB + 2 * SNAPSHOT_MIB) + SEGMENT_MIB);
    start(MORE);
    run.filler_stock = RESERVATIONS_PER_CORE;
    make_filler_items();
    open_client(&client);
    for (uint32_t core = 0; core < run.cores; core++) {
        run.filler_stock = 10 * RESERVATIONS_PER_CORE;
        check(fill_a_block(&client, core) == RESULT(OK), "update");
    }
    make_reservations(&client, RESERVATIONS_PER_CORE * run.cores);
    wait_for_next_segments();
    drop_ballast(LEFT);
    for (uint32_t core = 0; core < run.cores; core++) {
        const uint32_t result = raw_snapshot_take(&client, core).result;
        check(result == RESULT(READ_ONLY), "core %u: %s", core, raw_result_name(result));
        const struct data_names names = data_names_of(run.data, 1, core);
        check(names.snapshot_count == 0 && names.other_count == 0, "core %u: something is left",
              core);
        check(fill_a_block(&client, core) == RESULT(OK), "the log does not go on");
    }
    check(server_said(&run.fixture.server, "warning") &&
              server_said(&run.fixture.server, "no snapshot could be taken"),
          "it was not told");

    lift_ballast();
    for (uint32_t core = 0; core < run.cores; core++) {
        const uint32_t result = raw_snapshot_take(&client, core).result;
        check(result == RESULT(OK), "core %u: %s", core, raw_result_name(result));
    }
    const uint64_t hash = raw_stat_sum(&client, true).state_hash;
    raw_close(&client);
    kill_and_start(MORE);
    check_hash_at_start(hash);
    check(!server_said(&run.fixture.server, " 0 entries of snapshots"), "no snapshot was read");
    server_stop(&run.fixture.server);
    remove_small_disk();
}

/* Writes this much of log in blocks of 4 KiB to each core. */
static void write_log(struct raw_client *client, uint32_t mib)
{
    for (uint32_t i = 0; i < mib * (MIB / 4096); i++)
        for (uint32_t core = 0; core < run.cores; core++) {
            const uint32_t result = fill_a_block(client, core);
            check_must(result == RESULT(OK), "core %u: %s", core, raw_result_name(result));
        }
}

/* In use, next, behind the older snapshot, and old ones that are kept to be used again. */
static void snapshots_keep_a_small_disk_from_filling_up(void)
{
    enum { SEGMENTS_EACH = 9, LOG_MIB = 12 * SEGMENT_MIB, SANITIZED_LOG_MIB = 2 * SEGMENT_MIB };
    static const char *const MORE[] = {"--segment-size", "8MiB", "--snapshot-after", "2MiB", NULL};
    struct raw_client client;
    make_small_disk((uint64_t)run.cores * SEGMENTS_EACH * SEGMENT_MIB);
    start(MORE);
    make_filler_items();
    open_client(&client);
    write_log(&client, check_is_sanitized() ? SANITIZED_LOG_MIB : LOG_MIB);
    const uint64_t hash = raw_stat_sum(&client, true).state_hash;
    for (uint32_t core = 0; core < run.cores; core++) {
        const struct data_names names = data_names_of(run.data, 1, core);
        check_note("core %u: segments %" PRIu64 " to %" PRIu64, core, names.segment_first,
                   names.segment_last);
        check(names.segment_count <= SEGMENTS_EACH, "%" PRIu64 " segments", names.segment_count);
        check(check_is_sanitized() || names.segment_first > 1, "none was used again");
    }
    raw_close(&client);
    kill_and_start(MORE);
    check_hash_at_start(hash);
    server_stop(&run.fixture.server);
    remove_small_disk();
}

static bool is_archived(const char *archive)
{
    for (uint32_t core = 0; core < run.cores; core++)
        if (data_names_of(archive, 1, core).segment_count == 0)
            return false;
    return true;
}

/* The archive is on another disk, and that one is full. */
static void full_archive_keeps_the_segments_until_it_has_room(void)
{
    enum { LOG_MIB = 3 * SEGMENT_MIB, RETRY_MS_MAX = 25000 };
    char mounted[SCRATCH_PATH_BYTES + 16], archive[SCRATCH_PATH_BYTES + 32];
    snprintf(mounted, sizeof mounted, "%s/other", run.fixture.scratch);
    snprintf(archive, sizeof archive, "%s/archive", mounted);
    const char *const more[] = {"--segment-size", "8MiB", "--snapshot-after", "2MiB", "--archive",
                                archive,          NULL};
    struct raw_client client;
    make_small_disk((uint64_t)run.cores * 8 * SEGMENT_MIB);
    disk_image_mount_memory(mounted, MIB);
    start(more);
    make_filler_items();
    open_client(&client);
    write_log(&client, LOG_MIB);
    check(!is_archived(archive), "the archive had room");
    check(server_said(&run.fixture.server, "cannot be archived"), "it was not told");
    for (uint32_t core = 0; core < run.cores; core++)
        check(data_names_of(run.data, 1, core).segment_first == 1, "a segment is gone");

    disk_image_resize_memory(mounted, (uint64_t)run.cores * 8 * SEGMENT_MIB * MIB);
    const double give_up_ms = check_now_ms() + RETRY_MS_MAX;
    while (!is_archived(archive) && check_now_ms() < give_up_ms) {
        check(fill_a_block(&client, 0) == RESULT(OK), "the log does not go on");
        check_sleep_ms(50);
    }
    check(is_archived(archive), "nothing is archived");
    check(server_said(&run.fixture.server, "archived again"), "it was not told");
    raw_close(&client);
    server_stop(&run.fixture.server);
    disk_image_unmount_memory(mounted);
    remove_small_disk();
}

int main(int argc, char **argv)
{
    char reason[256];
    run.cores = fixture_core_count(argc, argv);
    if (!disk_image_enter(reason)) {
        printf("skipped: %s\n", reason);
        return CHECK_SKIPPED;
    }
    fixture_init(&run.fixture, "full_disk", run.cores, NULL);
    snprintf(run.small, sizeof run.small, "%s/small", run.fixture.scratch);
    snprintf(run.data, sizeof run.data, "%s/data", run.small);
    snprintf(run.ballast, sizeof run.ballast, "%s/ballast", run.small);

    full_disk_stops_the_sale_and_nothing_else();
#define SITUATION(name) check_situation(#name), name()
    SITUATION(disk_that_is_full_at_the_start_is_told);
    SITUATION(read_only_disk_is_told_and_the_start_goes_on_when_it_is_none);
    SITUATION(snapshot_that_finds_no_room_fails_and_the_next_one_succeeds);
    SITUATION(snapshots_keep_a_small_disk_from_filling_up);
    SITUATION(full_archive_keeps_the_segments_until_it_has_room);
#undef SITUATION
    return fixture_finish(&run.fixture);
}
