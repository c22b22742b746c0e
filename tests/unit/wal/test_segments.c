/* What becomes of old segments, on real files: kept until they are let go, used again, removed when
 * they are of no use; and what a crash leaves of all that. */

#include "core_folder.h"

#include <fcntl.h>
#include <sys/stat.h>

static void set_up(void)
{
    small_log_init(&fixture, core_folder_begin(), data_path);
    fixture_open(&fixture);
}

static void tear_down(void)
{
    fixture_close(&fixture);
    core_folder_end();
}

TestSuite(segments, .init = set_up, .fini = tear_down, .timeout = 60);

static void reopen(void)
{
    fixture_close(&fixture);
    fixture_open(&fixture);
}

/* 0: it is not there. */
static ino_t inode_of(uint64_t number)
{
    struct stat status;
    return stat(core_folder_segment(number), &status) == 0 ? status.st_ino : 0;
}

static off_t bytes_of(uint64_t number)
{
    struct stat status;
    cr_assert_eq(stat(core_folder_segment(number), &status), 0);
    return status.st_size;
}

/* The numbers of the first and the last file; between them none is missing. */
static void assert_files(uint64_t first, uint64_t last)
{
    for (uint64_t number = 1; number <= last + 3; number++)
        cr_assert_eq(exists(core_folder_segment(number)), number >= first && number <= last,
                     "segment %lu", (unsigned long)number);
}

/* ---- used again ---- */

Test(segments, all_stay_until_they_are_let_go)
{
    small_log_write_segments(&fixture, 6);
    cr_assert_eq(small_log_segment(&fixture), 6);
    assert_files(1, 7);
}

Test(segments, those_let_go_become_the_next_ones)
{
    ino_t inodes[5] = {0};
    small_log_write_segments(&fixture, 5);
    for (uint64_t number = 1; number <= 4; number++)
        inodes[number] = inode_of(number);
    assert_files(1, 6);
    wal_release(fixture.wal, 5);
    fixture_flush(&fixture);
    assert_files(1, 6); /* the next one is there: no old one is wanted yet */
    small_log_write_segments(&fixture, 3);
    cr_assert_eq(small_log_segment(&fixture), 8);
    assert_files(4, 9);
    for (uint64_t number = 1; number <= 3; number++)
        cr_expect_eq(inode_of(6 + number), inodes[number], "segment %lu, of the file of %lu",
                     (unsigned long)(6 + number), (unsigned long)number);
    cr_expect_eq(inode_of(4), inodes[4]);
}

Test(segments, used_again_they_are_zero_and_hold_nothing_of_what_they_were)
{
    static const uint8_t zeros[SMALL_SEGMENT_BYTES];
    uint8_t content[SMALL_SEGMENT_BYTES];
    small_log_write_segments(&fixture, 4);
    wal_release(fixture.wal, 4);
    small_log_write_segments(&fixture, 1);
    const char *next = core_folder_segment(small_log_segment(&fixture) + 1);
    FILE *file = fopen(next, "r");
    cr_assert_not_null(file, "%s", next);
    cr_assert_eq(fread(content, 1, sizeof content, file), sizeof content);
    fclose(file);
    cr_expect_arr_eq(content, zeros, sizeof zeros);
}

Test(segments, letting_go_of_fewer_again_changes_nothing)
{
    small_log_write_segments(&fixture, 4);
    wal_release(fixture.wal, 3);
    wal_release(fixture.wal, 1);
    small_log_write_segments(&fixture, 2);
    cr_expect_not(exists(core_folder_segment(1)));
    cr_expect_not(exists(core_folder_segment(2)));
    cr_expect(exists(core_folder_segment(3)));
}

Test(segments, a_log_of_which_only_the_end_is_there_goes_on_from_its_snapshot)
{
    small_log_write_segments(&fixture, 5);
    uint64_t segment = small_log_take_snapshot(&fixture);
    wal_release(fixture.wal, segment);
    small_log_write_segments(&fixture, 5);
    const uint64_t last_lsn = wal_last_lsn(fixture.wal);
    const uint64_t last_segment = small_log_segment(&fixture);
    cr_assert_not(exists(core_folder_segment(1)));
    reopen();
    cr_expect_eq(fixture.end.next_lsn, last_lsn + 1);
    cr_expect_eq(fixture.end.record_count, 15, "those behind the snapshot");
    cr_expect_eq(small_log_segment(&fixture), last_segment);

    /* and the old ones that were there before are still of use */
    segment = small_log_take_snapshot(&fixture);
    wal_release(fixture.wal, segment);
    small_log_write_segments(&fixture, 4);
    cr_assert_not(exists(core_folder_segment(segment - 2)));
    cr_assert(exists(core_folder_segment(segment)));
    reopen();
    cr_expect_eq(fixture.end.next_lsn, last_lsn + 4 * SMALL_GROUPS_PER_SEGMENT + 1);
}

/* ---- of no use ---- */

Test(segments, those_of_another_size_are_removed_and_not_used_again)
{
    small_log_write_segments(&fixture, 5);
    fixture_close(&fixture);
    fixture.options.segment_bytes = 2 * SMALL_SEGMENT_BYTES;
    fixture_open(&fixture);
    wal_release(fixture.wal, 5);
    small_log_write_groups(&fixture, 20);
    for (uint64_t number = 1; number <= 4; number++)
        cr_expect_not(exists(core_folder_segment(number)), "segment %lu", (unsigned long)number);
    for (uint64_t number = 6; number <= small_log_segment(&fixture) + 1; number++)
        cr_expect_eq(bytes_of(number), 2 * SMALL_SEGMENT_BYTES);
    cr_expect_null(wal_failure(fixture.wal));
    small_log_take_snapshot(&fixture);
    reopen();
    cr_expect_eq(fixture.end.next_lsn, 15 + 20 + 1);
}

/* What counts is how large the next one is. */
Test(segments, of_old_ones_no_more_than_a_gibibyte_is_kept)
{
    enum { OLD = 24, LARGE_BYTES = 64 << 20, KEPT_MAX = 16 };
    small_log_write_segments(&fixture, OLD + 1);
    fixture_close(&fixture);
    fixture.options.segment_bytes = LARGE_BYTES;
    fixture_open(&fixture);
    fixture_flush(&fixture);
    assert_files(1, OLD + 2);
    wal_release(fixture.wal, OLD + 1);
    for (int turn = 0; inode_of(OLD - KEPT_MAX) != 0 && turn < 100000; turn++)
        fixture_turn(&fixture, 1000000);
    fixture_flush(&fixture);
    assert_files(OLD - KEPT_MAX + 1, OLD + 2);
}

/* ---- what a crash leaves ---- */

static void leave(const char *name, off_t bytes)
{
    int fd = open(core_folder_file(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, "left", 4, 4096), 4);
    cr_assert_eq(ftruncate(fd, bytes), 0);
    close(fd);
}

Test(segments, one_that_was_being_made_is_removed_at_the_start_whatever_is_in_it)
{
    static const off_t SIZES[] = {0, 4096, 123456, SMALL_SEGMENT_BYTES, 2 * SMALL_SEGMENT_BYTES};
    uint64_t groups = 0;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        fixture_close(&fixture);
        leave(LOG_SEGMENT_NEW_NAME, SIZES[i]);
        fixture_open(&fixture);
        cr_assert_not(exists(core_folder_file(LOG_SEGMENT_NEW_NAME)));
        small_log_write_segments(&fixture, 2);
        groups += 2ull * SMALL_GROUPS_PER_SEGMENT;
        reopen();
        cr_assert_eq(fixture.end.next_lsn, groups + 1);
    }
}

Test(segments, the_next_one_is_made_anew_at_the_start)
{
    small_log_write_segments(&fixture, 2);
    cr_assert(exists(core_folder_segment(3)));
    reopen();
    cr_expect_not(exists(core_folder_segment(3)), "nothing was turned yet");
    fixture_flush(&fixture);
    cr_expect(exists(core_folder_segment(3)));
}

/* The oldest ones can be missing in any number: nobody looks at what is before the snapshot. */
Test(segments, some_of_those_before_the_snapshot_may_be_gone)
{
    small_log_write_segments(&fixture, 5);
    const uint64_t segment = small_log_take_snapshot(&fixture);
    small_log_write_segments(&fixture, 1);
    for (uint64_t number = 1; number < segment; number++) {
        fixture_close(&fixture);
        cr_assert_eq(unlink(core_folder_segment(number)), 0);
        fixture_open(&fixture);
        cr_assert_eq(fixture.end.next_lsn, 6 * SMALL_GROUPS_PER_SEGMENT + 1);
    }
    wal_release(fixture.wal, segment);
    small_log_write_segments(&fixture, 2);
    cr_expect_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
}

/* The disk may do what it was told in another order, and forget some of it when the power goes. */
Test(segments, holes_among_those_that_are_let_go_are_no_trouble)
{
    small_log_write_segments(&fixture, 6);
    const uint64_t segment = small_log_take_snapshot(&fixture);
    fixture_close(&fixture);
    cr_assert_eq(unlink(core_folder_segment(2)), 0);
    cr_assert_eq(unlink(core_folder_segment(3)), 0);
    fixture_open(&fixture);
    wal_release(fixture.wal, segment);
    small_log_write_segments(&fixture, 8);
    cr_expect_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
    reopen();
    cr_expect_eq(fixture.end.next_lsn, 14 * SMALL_GROUPS_PER_SEGMENT + 1);
}
