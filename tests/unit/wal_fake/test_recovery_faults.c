/* Snapshots, old segments and the archive on a disk in memory that fails on demand. The method is
 * that of test_faults.c: a fixed story, in which the n-th change of the disk goes wrong, for every
 * n; then the power is cut, and what is on the disk is compared with what was promised. */

#include "io_fake.h"

#include "small_log.h"
#include "wal/snapshot_files.h"

#include <errno.h>
#include <stdio.h>

enum { SNAPSHOTS = 4, SEGMENTS_BETWEEN = 2 };

static struct fixture fixture;
static struct io *io;

static void set_up(void)
{
    char message[256];
    io_fake_format();
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK);
    io_start(io);
    small_log_init(&fixture, io, "/data");
}

/* A new process: operations in flight are gone, the disk stays. */
static void restart(void)
{
    char message[256];
    io_destroy(&io);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK);
    small_log_init(&fixture, io, "/data");
}

TestSuite(recovery_faults, .init = set_up, .timeout = 300);

/* ---- the story ---- */

/* What the server has told, or may rely on. */
static struct {
    uint64_t durable_lsn;
    uint64_t lsns[SNAPSHOTS]; /* of snapshots that got their name and were not let go */
    uint32_t lsn_count;
    uint64_t segment;    /* in which the newest one stands; 0: there is none */
    uint64_t failed_lsn; /* of a snapshot that failed */
    bool is_fatal;
} promised;

static bool is_started(const char *archive_path)
{
    fixture.options.archive_path = NULL;
    if (!fixture_try_open(&fixture))
        return false;
    if (archive_path == NULL)
        return true;
    /* the archive is prepared before the cores open their logs */
    wal_close(&fixture.wal);
    fixture.options.archive_path = archive_path;
    if (data_directory_prepare_archive(&fixture.directory, archive_path) == DATA_DIRECTORY_OK)
        fixture.wal =
            wal_open(io, &fixture.directory, &fixture.options, &fixture.end, fixture.message);
    if (fixture.wal == NULL)
        data_directory_close(&fixture.directory);
    return fixture.wal != NULL;
}

/* Only the newest two are kept. */
static void let_go_of_the_oldest(struct snapshot_files *files)
{
    if (promised.lsn_count <= 2)
        return;
    cr_assert(snapshot_files_remove(files, promised.lsns[0]));
    memmove(promised.lsns, promised.lsns + 1, --promised.lsn_count * sizeof *promised.lsns);
    while (!snapshot_files_are_idle(files))
        fixture_turn(&fixture, 0);
}

static void take_snapshot(struct snapshot_taking *taking, struct snapshot_files *files)
{
    const uint64_t before = promised.segment, segment = small_log_segment(&fixture);
    if (!snapshot_fixture_take(&fixture, taking, SMALL_ENTRIES)) {
        promised.is_fatal |= snapshot_is_fatal(taking->snapshot);
        promised.failed_lsn = wal_last_lsn(fixture.wal);
        return;
    }
    promised.lsns[promised.lsn_count++] = wal_last_lsn(fixture.wal);
    promised.segment = segment;
    let_go_of_the_oldest(files);
    if (before != 0)
        wal_release(fixture.wal, before);
}

/* Goes on until the server would have ended. True when it came to its end. */
static bool run_story(const char *archive_path)
{
    struct snapshot_taking taking;
    memset(&promised, 0, sizeof promised);
    if (!is_started(archive_path))
        return false;
    struct snapshot_files *files = snapshot_files_open(io, &fixture.directory, 0);
    snapshot_fixture_open(&fixture, &taking, SNAPSHOT_PAGE_BYTES);
    for (int i = 0; i < SNAPSHOTS; i++) {
        small_log_write_segments(&fixture, SEGMENTS_BETWEEN);
        if (wal_failure(fixture.wal) != NULL || promised.is_fatal)
            break;
        take_snapshot(&taking, files);
    }
    if (!promised.is_fatal)
        small_log_write_segments(&fixture, SEGMENTS_BETWEEN);
    fixture_flush(&fixture);
    promised.durable_lsn = wal_durable_lsn(fixture.wal);
    bool is_whole = wal_failure(fixture.wal) == NULL && !promised.is_fatal;
    io_turn(io, 0); /* what is in flight beside a failure comes to its end unheard */
    snapshot_close(&taking.snapshot);
    snapshot_files_close(&files);
    return is_whole;
}

static void leave_story(void)
{
    if (fixture.wal != NULL)
        fixture_close(&fixture);
}

/* ---- what must be there afterwards ---- */

static bool is_there(const char *top, uint64_t number)
{
    char path[256], name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    snprintf(path, sizeof path, "%s/era-000001/core-000/%s", top, name);
    int fd = io_file_open_now(io, path, IO_FILE_READ);
    if (fd >= 0)
        io_close(io, fd);
    return fd >= 0;
}

static bool was_promised(uint64_t lsn)
{
    for (uint32_t i = 0; i < promised.lsn_count; i++)
        if (promised.lsns[i] == lsn)
            return true;
    return false;
}

/* What has a name is whole; what was promised has its name; and from each the log is there. */
static void assert_snapshots(uint64_t at)
{
    struct log_files *files = snapshot_fixture_files(&fixture);
    uint32_t found_count = 0;
    for (uint32_t i = 0; i < log_files_snapshot_count(files); i++) {
        const uint64_t lsn = log_files_snapshot_lsn(files, i);
        struct log_snapshot_header header;
        struct log_end end;
        bool was_torn;
        uint32_t entry_count;
        cr_assert_eq(snapshot_fixture_read(files, lsn, &entry_count, &header), DATA_DIRECTORY_OK,
                     "fault %lu: %s", at, fixture.message);
        cr_assert_eq(entry_count, SMALL_ENTRIES);
        found_count += was_promised(lsn);
        if (!was_promised(lsn) && lsn != promised.failed_lsn)
            continue; /* one that was let go and came back: its log need not be there */
        cr_assert_eq(log_files_begin_log(files, &header.position, fixture_check_group, NULL),
                     DATA_DIRECTORY_OK);
        while (log_files_read_log(files)) {
        }
        cr_assert_eq(log_files_end_log(files, &end, &was_torn), DATA_DIRECTORY_OK,
                     "fault %lu, from LSN %lu: %s", at, (unsigned long)lsn, fixture.message);
        cr_assert_geq(end.next_lsn, promised.durable_lsn + 1);
    }
    cr_assert_eq(found_count, promised.lsn_count, "fault %lu", at);
    log_files_close(&files);
}

/* No segment is lost: what is not here is there. */
static void assert_archived(uint64_t at)
{
    for (uint64_t number = 1; number <= small_log_segment(&fixture); number++)
        cr_assert(is_there("/data", number) || is_there("/archive", number),
                  "fault %lu: segment %lu is nowhere", at, (unsigned long)number);
}

static void assert_recovers(uint64_t at, const char *archive_path)
{
    leave_story();
    io_fake_power_cut();
    restart();
    cr_assert(is_started(archive_path), "fault %lu: %s", at, fixture.message);
    cr_assert_geq(fixture.end.next_lsn, promised.durable_lsn + 1, "fault %lu", at);
    assert_snapshots(at);
    if (archive_path != NULL)
        assert_archived(at);
    /* and it goes on */
    small_log_write_segments(&fixture, 1);
    small_log_take_snapshot(&fixture);
    wal_release(fixture.wal, small_log_segment(&fixture));
    small_log_write_segments(&fixture, 3);
    cr_assert_null(wal_failure(fixture.wal), "fault %lu: %s", at, wal_failure(fixture.wal));
    fixture_close(&fixture);
}

/* ---- every fault ---- */

static bool has_hit(const char *word)
{
    return strstr(io_fake_failed(), word) != NULL;
}

/* A snapshot that fails, or a copy, is no failure of the server; but a folder that can't be synced
 * is. */
static void assert_judged_rightly(uint64_t at, bool is_whole)
{
    bool is_folder_sync = strcmp(io_fake_failed(), "sync /data/era-000001/core-000") == 0;
    bool is_beside_the_log = has_hit("snapshot") || has_hit("/archive/era-000001/core-000");
    if (is_beside_the_log && fixture.wal != NULL)
        cr_assert(is_whole, "fault %lu, %s: %s", at, io_fake_failed(), wal_failure(fixture.wal));
    if (promised.is_fatal)
        cr_assert(is_folder_sync, "fault %lu: %s", at, io_fake_failed());
    if (is_folder_sync)
        cr_assert_not(is_whole, "fault %lu: %s", at, io_fake_failed());
}

static uint64_t count_changes(const char *archive_path)
{
    io_fake_fail_at(0, IO_FAKE_ERROR, 0);
    cr_assert(run_story(archive_path), "%s", fixture.message);
    cr_assert_eq(promised.lsn_count, 2);
    cr_assert_eq(promised.durable_lsn, wal_last_lsn(fixture.wal));
    cr_assert_not(is_there("/data", 1));
    cr_assert_eq(is_there("/archive", 1), archive_path != NULL);
    leave_story();
    return io_fake_change_count();
}

static void run_with_every_fault(enum io_fake_fault fault, int error, const char *archive_path)
{
    uint64_t change_count = count_changes(archive_path);
    uint64_t failed_count = 0;
    for (uint64_t at = 1; at <= change_count; at++) {
        io_fake_format();
        restart();
        io_fake_fail_at(at, fault, error);
        bool is_whole = run_story(archive_path);
        failed_count += !is_whole;
        if (fault != IO_FAKE_CUT)
            assert_judged_rightly(at, is_whole);
        assert_recovers(at, archive_path);
    }
    cr_assert_geq(failed_count, change_count / 10);
}

Test(recovery_faults, power_cut_at_every_change)
{
    run_with_every_fault(IO_FAKE_CUT, EIO, NULL);
}

Test(recovery_faults, error_at_every_change)
{
    run_with_every_fault(IO_FAKE_ERROR, EIO, NULL);
}

Test(recovery_faults, no_room_at_every_change)
{
    run_with_every_fault(IO_FAKE_ERROR, ENOSPC, NULL);
}

Test(recovery_faults, short_write_at_every_change)
{
    run_with_every_fault(IO_FAKE_SHORT, EIO, NULL);
}

Test(recovery_faults, power_cut_at_every_change_with_an_archive)
{
    run_with_every_fault(IO_FAKE_CUT, EIO, "/archive");
}

Test(recovery_faults, error_at_every_change_with_an_archive)
{
    run_with_every_fault(IO_FAKE_ERROR, EIO, "/archive");
}

Test(recovery_faults, no_room_at_every_change_with_an_archive)
{
    run_with_every_fault(IO_FAKE_ERROR, ENOSPC, "/archive");
}

Test(recovery_faults, short_write_at_every_change_with_an_archive)
{
    run_with_every_fault(IO_FAKE_SHORT, EIO, "/archive");
}
