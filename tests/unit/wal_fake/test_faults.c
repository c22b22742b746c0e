/* The writer and the data directory on a disk in memory that fails on demand. The method is always
 * the same: run a fixed story, let the n-th change of the disk go wrong, for every n, then cut the
 * power, open again and compare with what was promised. */

#include "io_fake.h"

#include "wal/segments.h"
#include "wal_fixture.h"

#include <errno.h>

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

/* A new process: operations in flight are gone, the disk stays. */
static void restart(void)
{
    char message[256];
    io_destroy(&io);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK);
    fixture_init(&fixture, io, "/data");
}

TestSuite(faults, .init = set_up, .timeout = 120);

enum {
    RECORD_BYTES = 256,
    GROUPS = 24,
    RECORDS_PER_GROUP = 6000,
    SMALL_RECORDS_PER_GROUP = RECORDS_PER_GROUP / 4,
};

/* For stories that are told very often: a quarter of all sizes. A segment still is of three slices
 * and of several groups. */
static uint32_t records_per_group = RECORDS_PER_GROUP;

static void make_small(void)
{
    fixture.options.segment_bytes = 3 * SEGMENTS_SLICE_BYTES;
    fixture.options.group_bytes_max = LOG_GROUP_BYTES_MAX / 4;
    records_per_group = SMALL_RECORDS_PER_GROUP;
}

/* Goes on until all records are durable, the writer failed, or the disk has no room for more:
 * groups of 1.5 MB, over five segments, or a quarter of that, over four. Returns the last LSN that
 * was durable. */
static uint64_t write_groups(void)
{
    fixture_turn(&fixture, 0); /* begins the next segment */
    for (uint32_t count = 0;
         count < GROUPS * records_per_group && wal_failure(fixture.wal) == NULL;) {
        for (uint32_t i = 0; i < records_per_group && wal_room(fixture.wal) > 0; i++, count++)
            fixture_append(&fixture, RECORD_BYTES);
        fixture_turn(&fixture, 1);
        if (wal_room(fixture.wal) == 0 && wal_lacks_space(fixture.wal))
            break;
    }
    fixture_flush(&fixture);
    return wal_durable_lsn(fixture.wal);
}

/* The story: open, write, close. Returns what was acknowledged. False: it went wrong. */
static bool run_story(uint64_t *durable_lsn_out)
{
    *durable_lsn_out = 0;
    if (!fixture_try_open(&fixture)) {
        cr_assert_eq(fixture.message[0], '/', "%s", fixture.message);
        return false;
    }
    *durable_lsn_out = write_groups();
    return wal_failure(fixture.wal) == NULL;
}

static uint64_t count_changes_of_story(void)
{
    uint64_t durable_lsn;
    io_fake_fail_at(0, IO_FAKE_ERROR, 0);
    bool is_good = run_story(&durable_lsn);
    cr_assert(is_good);
    cr_assert_geq(wal_counts(fixture.wal).segments, 3);
    cr_assert_eq(durable_lsn, wal_last_lsn(fixture.wal));
    fixture_close(&fixture);
    return io_fake_change_count();
}

/* After the power cut everything that was acknowledged is there, and the log goes on. */
static void assert_recovers(uint64_t at, uint64_t durable_lsn)
{
    if (fixture.wal != NULL) {
        io_turn(io, 0); /* what was in flight beside the failure comes to its end unheard */
        fixture_close(&fixture);
    }
    io_fake_power_cut();
    const struct wal_options options = fixture.options;
    restart();
    fixture.options = options;
    bool is_open = fixture_try_open(&fixture);
    cr_assert(is_open, "fault %lu: %s", at, fixture.message);
    cr_assert_geq(fixture.end.next_lsn, durable_lsn + 1, "fault %lu", at);
    uint64_t next_lsn = fixture.end.next_lsn;
    while (wal_room(fixture.wal) == 0)
        fixture_turn(&fixture, 0); /* the next segment is being made */
    fixture_append(&fixture, 64);
    fixture_flush(&fixture);
    cr_assert_eq(wal_durable_lsn(fixture.wal), next_lsn, "fault %lu", at);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_not(fixture.was_torn);
    cr_assert_eq(fixture.end.next_lsn, next_lsn + 1, "fault %lu", at);
    fixture_close(&fixture);
}

static void run_with_every_fault(enum io_fake_fault fault, int error)
{
    make_small();
    uint64_t change_count = count_changes_of_story();
    uint64_t failed_count = 0;
    for (uint64_t at = 1; at <= change_count; at++) {
        uint64_t durable_lsn;
        io_fake_format();
        restart();
        make_small();
        io_fake_fail_at(at, fault, error);
        bool is_good = run_story(&durable_lsn);
        failed_count += !is_good;
        assert_recovers(at, durable_lsn);
    }
    cr_assert_geq(failed_count, change_count / 2);
}

Test(faults, power_cut_at_every_change_loses_nothing_acknowledged)
{
    run_with_every_fault(IO_FAKE_CUT, EIO);
}

Test(faults, error_at_every_change_loses_nothing_acknowledged)
{
    run_with_every_fault(IO_FAKE_ERROR, EIO);
}

Test(faults, short_write_at_every_change_loses_nothing_acknowledged)
{
    run_with_every_fault(IO_FAKE_SHORT, EIO);
}

/* ---- one at a time ---- */

static void settle(void)
{
    fixture_open(&fixture);
    fixture_append(&fixture, 64);
    fixture_flush(&fixture);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 1);
}

static void assert_failed_for_good(const char *word)
{
    cr_assert_not_null(wal_failure(fixture.wal));
    cr_assert(strstr(wal_failure(fixture.wal), word) != NULL, "%s", wal_failure(fixture.wal));
    cr_assert(strstr(wal_failure(fixture.wal), "restart") != NULL, "%s", wal_failure(fixture.wal));
    cr_assert_eq(wal_durable_lsn(fixture.wal), 1);
    uint64_t change_count = io_fake_change_count();
    for (int i = 0; i < 10; i++)
        fixture_turn(&fixture, 0);
    cr_assert_eq(io_fake_change_count(), change_count, "nothing is tried again");
    cr_assert_eq(wal_durable_lsn(fixture.wal), 1);
}

Test(faults, a_failed_group_write_is_the_end)
{
    settle();
    fixture_append(&fixture, 64);
    io_fake_fail_at(1, IO_FAKE_ERROR, EIO);
    fixture_flush(&fixture);
    assert_failed_for_good("Input/output error");
}

Test(faults, a_group_write_without_space_is_the_end)
{
    settle();
    fixture_append(&fixture, 64);
    io_fake_fail_at(1, IO_FAKE_ERROR, ENOSPC);
    fixture_flush(&fixture);
    assert_failed_for_good("No space left");
}

Test(faults, a_short_group_write_is_the_end)
{
    settle();
    fixture_append(&fixture, 64);
    io_fake_fail_at(1, IO_FAKE_SHORT, 0);
    fixture_flush(&fixture);
    assert_failed_for_good("only 2048 bytes");
}

Test(faults, async_acknowledges_nothing_after_a_failure)
{
    fixture.options.durability = WAL_ASYNC;
    settle();
    fixture_append(&fixture, 64);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 2);
    io_fake_fail_at(1, IO_FAKE_ERROR, EIO);
    fixture_flush(&fixture);
    cr_assert_not_null(wal_failure(fixture.wal));
    fixture_append(&fixture, 64);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 2);
}

/* A server killed between the write and the flush: the group is read, so it must stay. */
Test(faults, a_group_that_was_read_survives_the_next_power_cut)
{
    settle();
    fixture_append(&fixture, 64);
    io_fake_fail_at(1, IO_FAKE_UNSYNCED, EIO);
    fixture_flush(&fixture);
    fixture_close(&fixture);
    restart();
    fixture_open(&fixture);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 2);
    fixture_close(&fixture);
    io_fake_power_cut();
    restart();
    fixture_open(&fixture);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 2);
    fixture_close(&fixture);
}

/* Opens "/data" and begins its era. */
static bool open_and_begin(uint32_t core_count)
{
    return data_directory_open(&fixture.directory, io, "/data", core_count) == DATA_DIRECTORY_OK &&
           data_directory_begin_era(&fixture.directory) == DATA_DIRECTORY_OK;
}

/* A new data directory is complete with its manifest, and its own name is on disk before that. */
Test(faults, power_cut_while_the_directory_is_made_leaves_one_that_opens)
{
    bool is_made = false;
    for (uint64_t at = 1; !is_made; at++) {
        io_fake_format();
        restart();
        io_fake_fail_at(at, IO_FAKE_CUT, EIO);
        is_made = open_and_begin(3);
        struct id128 server_id = fixture.directory.manifest.server_id;
        if (is_made)
            data_directory_close(&fixture.directory);
        io_fake_power_cut();
        restart();
        cr_assert(open_and_begin(3), "fault %lu: %s", at, fixture.directory.message);
        if (is_made)
            cr_assert(id128_equal(fixture.directory.manifest.server_id, server_id));
        data_directory_close(&fixture.directory);
    }
}

/* The same for a change of the number of cores, with a log to be healed first. */
Test(faults, power_cut_while_an_era_is_added_keeps_the_records)
{
    bool is_added = false;
    for (uint64_t at = 1; !is_added; at++) {
        io_fake_format();
        restart();
        settle();
        for (int i = 0; i < 20; i++) /* two blocks, of which one arrives */
            fixture_append(&fixture, 256);
        io_fake_fail_at(1, IO_FAKE_SHORT, EIO);
        fixture_flush(&fixture);
        fixture_close(&fixture);
        restart();
        io_fake_fail_at(at, IO_FAKE_CUT, EIO);
        is_added = open_and_begin(2);
        if (is_added)
            data_directory_close(&fixture.directory);
        io_fake_power_cut();
        restart();
        cr_assert(open_and_begin(2), "fault %lu: %s", at, fixture.directory.message);
        cr_assert_eq(fixture.directory.manifest.era_count, 2);
        cr_assert_eq(read_whole_log(&fixture.directory, io, 0, 0, fixture_check_group, NULL,
                                    &fixture.end, &fixture.was_torn, fixture.message),
                     DATA_DIRECTORY_OK);
        cr_assert_eq(fixture.end.next_lsn, 2);
        data_directory_close(&fixture.directory);
    }
}

/* ---- a full disk ---- */

Test(faults, without_room_for_the_next_segment_the_one_in_use_is_filled_and_no_more_is_taken)
{
    io_fake_set_capacity(LOG_SEGMENT_BYTES_MIN + (1 << 20));
    settle();
    uint64_t durable_lsn = write_groups();
    cr_assert_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
    cr_assert(wal_lacks_space(fixture.wal));
    cr_assert(wal_is_low(fixture.wal));
    cr_assert_eq(wal_room(fixture.wal), 0);
    cr_assert_eq(durable_lsn, wal_last_lsn(fixture.wal), "what was taken found its place");
    cr_assert_geq(durable_lsn, 5 * RECORDS_PER_GROUP);
    cr_assert_neq(wal_wake_at_ms(fixture.wal), UINT64_MAX);

    io_fake_set_capacity(UINT64_MAX);
    for (int i = 0; i < 1200; i++)
        fixture_turn(&fixture, 0);
    cr_assert_not(wal_lacks_space(fixture.wal));
    cr_assert_gt(wal_room(fixture.wal), 0);
    assert_recovers(0, write_groups());
}

Test(faults, room_that_comes_back_in_time_is_found)
{
    io_fake_set_capacity(LOG_SEGMENT_BYTES_MIN + (1 << 20));
    settle();
    io_fake_set_capacity(UINT64_MAX);
    for (int i = 0; i < 1100; i++)
        fixture_turn(&fixture, 0);
    uint64_t durable_lsn = write_groups();
    cr_assert_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
    cr_assert_eq(durable_lsn, wal_last_lsn(fixture.wal));
    cr_assert_geq(wal_counts(fixture.wal).segments, 3);
    fixture_close(&fixture);
}

Test(faults, room_that_ends_while_the_spare_is_filled_is_tried_again)
{
    settle();
    fixture_close(&fixture);
    fixture_open(&fixture);
    /* the spare: created, allocated, then its first slice */
    io_fake_fail_at(3, IO_FAKE_ERROR, ENOSPC);
    for (int i = 0; i < 1200; i++)
        fixture_turn(&fixture, 0);
    cr_assert_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
    uint64_t durable_lsn = write_groups();
    cr_assert_eq(durable_lsn, wal_last_lsn(fixture.wal));
    fixture_close(&fixture);
}

Test(faults, no_record_is_taken_before_its_place_is_sure)
{
    fixture_open(&fixture);
    for (int group = 0; group < 2; group++) {
        while (wal_room(fixture.wal) > 0)
            fixture_append(&fixture, RECORD_BYTES);
        fixture_turn(&fixture, 0);
    }
    /* The first segment is full, and eight slices of the next one take eight turns. */
    fixture_turn(&fixture, 0);
    cr_assert_eq(wal_room(fixture.wal), 0);
    cr_assert_not(wal_lacks_space(fixture.wal));
    cr_assert_eq(wal_counts(fixture.wal).segments, 1);
    fixture_flush(&fixture);
    cr_assert_gt(wal_room(fixture.wal), 0);
    fixture_append(&fixture, RECORD_BYTES);
    fixture_flush(&fixture);
    cr_assert_eq(wal_counts(fixture.wal).segments, 2);
    cr_assert_eq(wal_durable_lsn(fixture.wal), wal_last_lsn(fixture.wal));
    fixture_close(&fixture);
}
