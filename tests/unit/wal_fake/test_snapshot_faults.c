/* One snapshot on a disk that fails: what is a failure of it alone, what of the server, and what it
 * is called. And eras that are being removed when the disk fails. */

#include "io_fake.h"

#include "small_log.h"

#include <errno.h>
#include <stdio.h>

#define NEW_PATH    "/data/era-000001/core-000/snapshot.new"
#define FOLDER_PATH "/data/era-000001/core-000"

static struct fixture fixture;
static struct io *io;
static struct snapshot_taking taking;

static void begin_process(void)
{
    char message[256];
    io_destroy(&io); /* of the process before, if there was one */
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK);
    io_start(io);
    small_log_init(&fixture, io, "/data");
}

static void set_up(void)
{
    io_fake_format();
    begin_process();
}

static void tear_down(void)
{
    io_destroy(&io);
}

TestSuite(snapshot_faults, .init = set_up, .fini = tear_down, .timeout = 120);

/* A log with a snapshot, and behind that some more groups. */
static void begin_log(void)
{
    fixture_open(&fixture);
    small_log_write_segments(&fixture, 1);
    snapshot_fixture_open(&fixture, &taking, SNAPSHOT_PAGE_BYTES);
    cr_assert(snapshot_fixture_take(&fixture, &taking, SMALL_ENTRIES));
    small_log_write_segments(&fixture, 1);
}

static bool exists(const char *path)
{
    int fd = io_file_open_now(io, path, IO_FILE_READ);
    if (fd >= 0)
        io_close(io, fd);
    return fd >= 0;
}

static void expect_failure(const char *word)
{
    cr_expect_not_null(strstr(snapshot_failure(taking.snapshot), word), "'%s' is not in: %s", word,
                       snapshot_failure(taking.snapshot));
}

static bool is_whole(uint64_t lsn)
{
    struct log_files *files = snapshot_fixture_files(&fixture);
    struct log_snapshot_header header;
    uint32_t count;
    enum data_directory_status status = snapshot_fixture_read(files, lsn, &count, &header);
    log_files_close(&files);
    return status == DATA_DIRECTORY_OK;
}

/* ---- each operation of it ---- */

static void check_one_fault(uint64_t at, enum io_fake_fault fault, int error, bool *was_hit)
{
    io_fake_fail_at(at, fault, error);
    bool is_done = snapshot_fixture_take(&fixture, &taking, SMALL_ENTRIES);
    *was_hit = io_fake_failed()[0] != '\0';
    bool is_folder_sync = strcmp(io_fake_failed(), "sync " FOLDER_PATH) == 0;
    io_fake_fail_at(0, IO_FAKE_ERROR, 0);
    cr_assert_eq(is_done, !*was_hit, "%s", io_fake_failed());
    cr_assert_eq(snapshot_is_fatal(taking.snapshot), is_folder_sync);
    if (is_done)
        return;
    expect_failure(NEW_PATH ": cannot ");
    if (!is_folder_sync)
        cr_assert_not(exists("/data/era-000001/core-000/snapshot-00000000000000000006"));
    cr_assert(is_whole(3), "the older one");
}

/* A failing operation leaves no name behind, and the one before it as it was. */
static void check_every_fault(enum io_fake_fault fault, int error)
{
    bool was_hit = true;
    uint64_t hit_count = 0;
    for (uint64_t at = 1; was_hit; at++) {
        io_fake_format();
        begin_process();
        begin_log();
        cr_assert_eq(wal_last_lsn(fixture.wal), 6);
        check_one_fault(at, fault, error, &was_hit);
        hit_count += was_hit;
        if (!snapshot_is_fatal(taking.snapshot)) {
            cr_assert(snapshot_fixture_take(&fixture, &taking, SMALL_ENTRIES), "%s",
                      snapshot_failure(taking.snapshot));
            cr_assert(is_whole(6));
        }
        snapshot_close(&taking.snapshot);
        fixture_close(&fixture);
        io_destroy(&io);
    }
    /* made, header, three blocks, footer, sync, rename, sync of the folder */
    cr_expect_eq(hit_count, 9);
    begin_process();
}

Test(snapshot_faults, an_error_of_any_operation_is_its_own_but_for_the_sync_of_the_folder)
{
    check_every_fault(IO_FAKE_ERROR, EIO);
}

Test(snapshot_faults, a_lack_of_room_for_any_operation_is_its_own_but_for_the_sync_of_the_folder)
{
    check_every_fault(IO_FAKE_ERROR, ENOSPC);
}

Test(snapshot_faults, a_short_write_is_a_failure_like_any_other)
{
    check_every_fault(IO_FAKE_SHORT, EIO);
}

Test(snapshot_faults, each_failure_says_what_could_not_be_done_and_why)
{
    static const char *const TEXTS[] = {
        "cannot make this file: Input/output error",
        "cannot write this file: Input/output error",
        "cannot write this file: Input/output error",
        "cannot write this file: Input/output error",
        "cannot write this file: Input/output error",
        "cannot write this file: Input/output error",
        "cannot sync this file: Input/output error",
        "cannot give this file its name: Input/output error",
        "cannot sync the folder of this file: Input/output error",
    };
    for (uint64_t at = 1; at <= sizeof TEXTS / sizeof *TEXTS; at++) {
        io_fake_format();
        begin_process();
        begin_log();
        io_fake_fail_at(at, IO_FAKE_ERROR, EIO);
        cr_assert_not(snapshot_fixture_take(&fixture, &taking, SMALL_ENTRIES));
        expect_failure(TEXTS[at - 1]);
        snapshot_close(&taking.snapshot);
        fixture_close(&fixture);
        io_destroy(&io);
    }
    begin_process();
}

/* ---- what is read back ---- */

static void spoil(uint64_t offset)
{
    uint8_t byte;
    int fd = io_file_open_now(io, NEW_PATH, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(io_file_read_now(io, fd, &byte, 1, offset), 0);
    byte ^= 1;
    cr_assert_eq(io_file_write_now(io, fd, &byte, 1, offset), 0);
    io_close(io, fd);
}

/* Header, three blocks, footer: in the last one the padding too. */
static uint64_t written_bytes(void)
{
    int fd = io_file_open_now(io, NEW_PATH, IO_FILE_READ);
    if (fd < 0)
        return 0;
    uint64_t bytes = (uint64_t)io_file_size(io, fd);
    io_close(io, fd);
    return bytes;
}

/* A disk that takes everything and keeps something else. */
Test(snapshot_faults, a_byte_that_is_another_when_it_is_read_back_means_no_name)
{
    enum { BLOCKS = 5, STEP = 407 };
    begin_log();
    for (uint64_t offset = 0; offset < (uint64_t)BLOCKS * LOG_BLOCK_BYTES; offset += STEP) {
        snapshot_fixture_begin(&fixture, &taking, SMALL_ENTRIES);
        while (written_bytes() < (uint64_t)BLOCKS * LOG_BLOCK_BYTES)
            snapshot_fixture_turn(&fixture, &taking);
        spoil(offset);
        cr_assert_eq(snapshot_fixture_end(&fixture, &taking), SNAPSHOT_FAILED, "offset %lu",
                     (unsigned long)offset);
        expect_failure("what was read back is not what was written: offset");
        expect_failure("look at the disk");
        cr_expect_not(snapshot_is_fatal(taking.snapshot));
        snapshot_settle(taking.snapshot);
        cr_assert_not(exists(NEW_PATH));
    }
    cr_assert(snapshot_fixture_take(&fixture, &taking, SMALL_ENTRIES));
    cr_expect(is_whole(6));
    cr_expect(is_whole(3));
}

/* The file can't be removed either: it stays in nobody's way. */
Test(snapshot_faults, one_whose_rest_cannot_be_removed_does_not_hinder_the_next_one)
{
    begin_log();
    snapshot_fixture_begin(&fixture, &taking, SMALL_ENTRIES);
    while (written_bytes() == 0)
        snapshot_fixture_turn(&fixture, &taking);
    io_fake_fail_at(1, IO_FAKE_CUT, EIO); /* the disk is gone for a while */
    cr_assert_eq(snapshot_fixture_end(&fixture, &taking), SNAPSHOT_FAILED);
    cr_expect(exists(NEW_PATH));
    snapshot_settle(taking.snapshot);
    cr_assert_null(wal_failure(fixture.wal));
    snapshot_close(&taking.snapshot);
    fixture_close(&fixture);
    io_fake_power_cut();
    begin_process();
    fixture_open(&fixture);
    snapshot_fixture_open(&fixture, &taking, SNAPSHOT_PAGE_BYTES);
    cr_assert(snapshot_fixture_take(&fixture, &taking, SMALL_ENTRIES));
}

/* ---- eras that go ---- */

static struct data_directory directory;

static enum data_directory_status pass_start(bool is_past_needed, bool has_archive)
{
    enum data_directory_status status = data_directory_open(&directory, io, "/data", 2);
    if (status != DATA_DIRECTORY_OK)
        return status;
    status = data_directory_begin_era(&directory);
    if (status == DATA_DIRECTORY_OK && has_archive)
        status = data_directory_prepare_archive(&directory, "/archive");
    if (status == DATA_DIRECTORY_OK)
        status =
            data_directory_remove_past(&directory, is_past_needed, has_archive ? "/archive" : NULL);
    data_directory_close(&directory);
    return status;
}

/* A closed era of one core with three segments, and one of two cores. */
static void make_two_eras(void)
{
    io_fake_format();
    begin_process();
    fixture_open(&fixture);
    small_log_write_segments(&fixture, 3);
    fixture_close(&fixture);
    cr_assert_eq(pass_start(true, false), DATA_DIRECTORY_OK, "%s", directory.message);
}

static uint32_t count_segments(const char *top)
{
    uint32_t count = 0;
    for (uint64_t number = 1; number <= 3; number++) {
        char path[256];
        snprintf(path, sizeof path, "%s/era-000001/core-000/%012lu.log", top,
                 (unsigned long)number);
        count += exists(path);
    }
    return count;
}

/* Either MANIFEST knows the era, and all of it is there, or it does not, and the archive has it. */
static void assert_nothing_is_lost(uint64_t at, bool has_archive)
{
    cr_assert_eq(data_directory_open(&directory, io, "/data", 2), DATA_DIRECTORY_OK,
                 "fault %lu: %s", (unsigned long)at, directory.message);
    cr_assert_eq(directory.manifest.eras[directory.manifest.era_count - 1].number, 2);
    if (directory.manifest.era_count == 2)
        cr_assert_eq(count_segments("/data"), 3, "fault %lu", (unsigned long)at);
    else if (has_archive)
        cr_assert_eq(count_segments("/archive"), 3, "fault %lu", (unsigned long)at);
    data_directory_close(&directory);
}

static void check_removal(enum io_fake_fault fault, bool has_archive)
{
    bool was_hit = true;
    for (uint64_t at = 1; was_hit; at++) {
        make_two_eras();
        io_fake_fail_at(at, fault, EIO);
        (void)pass_start(false, has_archive);
        was_hit = io_fake_failed()[0] != '\0';
        io_fake_power_cut();
        begin_process();
        assert_nothing_is_lost(at, has_archive);
        cr_assert_eq(pass_start(false, has_archive), DATA_DIRECTORY_OK, "fault %lu: %s",
                     (unsigned long)at, directory.message);
        cr_assert_eq(count_segments("/data"), 0);
        cr_assert_eq(count_segments("/archive"), has_archive ? 3 : 0);
        cr_assert_neq(io_directory_sync(io, "/data/era-000001"), 0, "the folder is gone as well");
        io_destroy(&io);
    }
    begin_process();
}

Test(snapshot_faults, a_removal_of_an_era_that_is_cut_off_anywhere_is_done_by_the_next_start)
{
    check_removal(IO_FAKE_CUT, false);
}

Test(snapshot_faults, a_removal_of_an_era_that_fails_anywhere_is_done_by_the_next_start)
{
    check_removal(IO_FAKE_ERROR, false);
}

Test(snapshot_faults, an_era_is_in_the_archive_before_it_is_forgotten_when_the_power_is_cut)
{
    check_removal(IO_FAKE_CUT, true);
}

Test(snapshot_faults, an_era_is_in_the_archive_before_it_is_forgotten_when_the_disk_fails)
{
    check_removal(IO_FAKE_ERROR, true);
}
