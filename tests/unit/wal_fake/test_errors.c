/* What a failing disk is called: each error of the system has its status and its advice, and a step
 * that fails in the middle can be made again. */

#include "io_fake.h"

#include "wal_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static struct fixture fixture;
static struct io *io;

static void set_up(void)
{
    char message[256];
    io_fake_format();
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK);
    io_start(io);
    fixture_init(&fixture, io, "/data");
}

/* A new process on the disk as it is. */
static void restart(void)
{
    char message[256];
    io_fake_power_cut();
    io_destroy(&io);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK);
    fixture_init(&fixture, io, "/data");
}

static void tear_down(void)
{
    io_destroy(&io);
}

TestSuite(errors, .init = set_up, .fini = tear_down, .timeout = 120);

static enum data_directory_status open_directory(uint32_t core_count)
{
    return data_directory_open(&fixture.directory, io, "/data", core_count);
}

Test(errors, each_has_its_status_and_its_advice)
{
    static const struct {
        int error;
        enum data_directory_status status;
        const char *advice;
    } CASES[] = {
        {EACCES, DATA_DIRECTORY_PERMISSION, "right to read and write"},
        {EPERM, DATA_DIRECTORY_PERMISSION, "right to read and write"},
        {EROFS, DATA_DIRECTORY_PERMISSION, "mounted read-only"},
        {ENOSPC, DATA_DIRECTORY_IO, "make room"},
        {EDQUOT, DATA_DIRECTORY_IO, "make room"},
        {ENOENT, DATA_DIRECTORY_IO, "make the folder above"},
        {ENOTDIR, DATA_DIRECTORY_IO, "not a directory"},
        {EMFILE, DATA_DIRECTORY_IO, "ulimit"},
        {ENFILE, DATA_DIRECTORY_IO, "ulimit"},
        {EIO, DATA_DIRECTORY_IO, "dmesg"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        io_fake_format();
        restart();
        cr_assert_eq(open_directory(1), DATA_DIRECTORY_OK);
        io_fake_fail_at(2, IO_FAKE_ERROR, CASES[i].error); /* the first folder */
        cr_expect_eq(data_directory_begin_era(&fixture.directory), CASES[i].status, "%s",
                     fixture.directory.message);
        cr_expect_not_null(strstr(fixture.directory.message, CASES[i].advice), "%s",
                           fixture.directory.message);
        data_directory_close(&fixture.directory);
    }
}

/* Somebody else made the directory for this user, and its name is long on disk. */
Test(errors, a_parent_that_may_not_be_read_needs_no_sync)
{
    cr_assert_eq(open_directory(1), DATA_DIRECTORY_OK);
    io_fake_fail_at(1, IO_FAKE_ERROR, EACCES);
    cr_expect_eq(data_directory_begin_era(&fixture.directory), DATA_DIRECTORY_OK);
    data_directory_close(&fixture.directory);
}

/* The second attempt finds what the first one left, MANIFEST.new too, and may fail again itself. */
Test(errors, a_beginning_that_fails_twice_succeeds_at_the_third_attempt)
{
    bool is_made = false;
    for (uint64_t at = 1; !is_made; at++) {
        io_fake_format();
        restart();
        cr_assert_eq(open_directory(2), DATA_DIRECTORY_OK);
        io_fake_fail_at(10, IO_FAKE_ERROR, EIO); /* the rename of MANIFEST.new */
        enum data_directory_status status = data_directory_begin_era(&fixture.directory);
        cr_assert_eq(status, DATA_DIRECTORY_IO);
        io_fake_fail_at(at, IO_FAKE_ERROR, EIO);
        is_made = data_directory_begin_era(&fixture.directory) == DATA_DIRECTORY_OK;
        io_fake_fail_at(0, IO_FAKE_ERROR, 0);
        cr_assert_eq(data_directory_begin_era(&fixture.directory), DATA_DIRECTORY_OK);
        data_directory_close(&fixture.directory);
        restart();
        cr_assert_eq(open_directory(2), DATA_DIRECTORY_OK, "%s", fixture.directory.message);
        cr_assert_not(fixture.directory.is_era_pending);
        data_directory_close(&fixture.directory);
    }
}

/* ---- healing ---- */

/* A log of two records, and a byte of garbage at the end of its segment: far more than one buffer
 * is to be copied and cleared. */
static void write_torn_log(void)
{
    char path[DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX];
    fixture_open(&fixture);
    fixture_append(&fixture, 64);
    fixture_append(&fixture, 64);
    fixture_flush(&fixture);
    snprintf(path, sizeof path, "%s", "/data/era-000001/core-000/000000000001.log");
    int fd = io_file_open_now(io, path, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(io_file_write_now(io, fd, "?", 1, LOG_SEGMENT_BYTES_MIN - 1), 0);
    cr_assert_eq(io_file_sync_now(io, fd), 0);
    io_close(io, fd);
    fixture_close(&fixture);
    restart();
}

Test(errors, a_healing_that_fails_anywhere_is_done_by_the_next_start)
{
    bool is_healed = false;
    uint64_t failed_count = 0;
    for (uint64_t at = 1; !is_healed; at++) {
        io_fake_format();
        restart();
        write_torn_log();
        cr_assert_eq(open_directory(1), DATA_DIRECTORY_OK);
        io_fake_fail_at(at, IO_FAKE_ERROR, EIO);
        enum data_directory_status status = fixture_read(&fixture);
        is_healed = io_fake_change_count() < at;
        cr_assert_eq(status, is_healed ? DATA_DIRECTORY_OK : DATA_DIRECTORY_IO);
        if (!is_healed)
            cr_assert_not_null(strstr(fixture.message, "Input/output error"), "%s",
                               fixture.message);
        failed_count += !is_healed;
        data_directory_close(&fixture.directory);
        restart();
        fixture_open(&fixture);
        cr_assert_eq(fixture.end.next_lsn, 3);
        fixture_close(&fixture);
    }
    cr_expect_geq(failed_count, 15);
}

Test(errors, copies_of_torn_ends_are_never_overwritten)
{
    write_torn_log();
    cr_assert_eq(open_directory(1), DATA_DIRECTORY_OK);
    time_t now_s = (time_t)(io_clock(io).wall_ns / 1000000000u);
    struct tm utc;
    char when[32];
    gmtime_r(&now_s, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &utc);
    for (int i = 1; i < 100; i++) {
        char path[LOG_NAME_BYTES_MAX + 64];
        char suffix[8] = "";
        if (i > 1)
            snprintf(suffix, sizeof suffix, "-%d", i);
        snprintf(path, sizeof path, "/data/era-000001/core-000/torn-%s-000-000000000001%s", when,
                 suffix);
        int fd = io_file_open_now(io, path, IO_FILE_CREATE);
        cr_assert_geq(fd, 0);
        io_close(io, fd);
    }
    cr_expect_eq(fixture_read(&fixture), DATA_DIRECTORY_IO);
    cr_expect_not_null(strstr(fixture.message, "File exists"), "%s", fixture.message);
    data_directory_close(&fixture.directory);
}

/* ---- the writer ---- */

Test(errors, a_quota_is_a_lack_of_room_like_any_other)
{
    fixture_open(&fixture);
    io_fake_fail_at(1, IO_FAKE_ERROR, EDQUOT); /* the spare's file */
    fixture_turn(&fixture, 0);
    fixture_append(&fixture, 64);
    fixture_flush(&fixture);
    cr_expect_null(wal_failure(fixture.wal));
    cr_expect_eq(wal_durable_lsn(fixture.wal), 1);
    fixture_close(&fixture);
}

/* As many as no crash leaves, so that there are moments between their removals. */
static void add_unused_segments(void)
{
    for (int number = 2; number <= 5; number++) {
        char path[LOG_NAME_BYTES_MAX + 64];
        snprintf(path, sizeof path, "/data/era-000001/core-000/%012d.log", number);
        int fd = io_file_open_now(io, path, IO_FILE_CREATE);
        cr_assert_geq(fd, 0);
        io_close(io, fd);
    }
}

/* A start that ends between two removals: no gap may be left, for that would be damage. */
Test(errors, unused_segments_go_from_the_last_on_whenever_the_start_ends)
{
    bool is_open = false;
    uint64_t failed_count = 0;
    for (uint64_t at = 1; !is_open; at++) {
        io_fake_format();
        restart();
        fixture_open(&fixture);
        fixture_close(&fixture);
        add_unused_segments();
        io_fake_fail_at(at, IO_FAKE_ERROR, EIO);
        is_open = fixture_try_open(&fixture);
        failed_count += !is_open;
        io_fake_fail_at(0, IO_FAKE_ERROR, 0);
        if (is_open)
            fixture_close(&fixture);
        cr_assert(fixture_try_open(&fixture), "fault %lu: %s", (unsigned long)at, fixture.message);
        fixture_close(&fixture);
    }
    cr_expect_geq(failed_count, 8);
}

/* What a direct write makes need not be whole blocks; the next one must begin at one. */
Test(errors, a_slice_of_a_spare_that_comes_out_short_is_made_good)
{
    fixture.options.segment_bytes = 3 * LOG_BLOCK_BYTES;
    fixture.options.group_bytes_max = LOG_BLOCK_BYTES;
    fixture_open(&fixture);
    io_fake_fail_at(3, IO_FAKE_SHORT, 0); /* the spare: created, allocated, written by half */
    for (int i = 0; i < 10; i++)
        fixture_turn(&fixture, 0);
    for (int i = 0; i < 10; i++) {
        fixture_append(&fixture, 64);
        fixture_flush(&fixture);
    }
    cr_expect_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
    cr_expect_eq(wal_durable_lsn(fixture.wal), 10);
    cr_expect_geq(wal_counts(fixture.wal).segments, 4);
    fixture_close(&fixture);
}
