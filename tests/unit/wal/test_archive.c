/* The archive: old segments are copied there before they are used again or removed, and together
 * with what is left in the data directory they are the whole log. On real files. */

#include "core_folder.h"

#include <stdio.h>
#include <sys/stat.h>

enum { RETRY_MS = 10000 };

static char archive_path[2048];

static void set_up(void)
{
    small_log_init(&fixture, core_folder_begin(), data_path);
    snprintf(archive_path, sizeof archive_path, "%s/archive", scratch.path);
    fixture.options.archive_path = archive_path;
    cr_assert_eq(mkdir(archive_path, 0755), 0);
}

TestSuite(archive, .init = set_up, .fini = core_folder_end, .timeout = 60);

static bool is_there(const char *top, uint64_t number)
{
    return exists(core_folder_segment_in(top, number));
}

/* All that the segment has; false when it is not there. */
static bool read_segment(const char *top, uint64_t number, uint8_t *to)
{
    FILE *file = fopen(core_folder_segment_in(top, number), "r");
    if (file == NULL)
        return false;
    size_t bytes = fread(to, 1, SMALL_SEGMENT_BYTES, file);
    fclose(file);
    return bytes == SMALL_SEGMENT_BYTES;
}

static void turn_until_archived(uint64_t number)
{
    for (int turn = 0; !is_there(archive_path, number); turn++) {
        cr_assert_lt(turn, 20000, "segment %lu is not archived", (unsigned long)number);
        fixture_turn(&fixture, 1000000);
    }
    fixture_flush(&fixture);
}

/* ---- copies ---- */

Test(archive, what_is_let_go_is_copied_whole_under_its_own_name)
{
    static uint8_t before[5][SMALL_SEGMENT_BYTES];
    uint8_t copy[SMALL_SEGMENT_BYTES];
    fixture_open(&fixture);
    small_log_write_segments(&fixture, 5);
    for (uint64_t number = 1; number <= 4; number++)
        cr_assert(read_segment(data_path, number, before[number]));
    wal_release(fixture.wal, 4);
    small_log_write_segments(&fixture, 8);
    turn_until_archived(3);
    for (uint64_t number = 1; number <= 3; number++) {
        cr_assert(read_segment(archive_path, number, copy), "segment %lu", (unsigned long)number);
        cr_assert_arr_eq(copy, before[number], sizeof copy);
        cr_expect_not(is_there(data_path, number), "it was used again");
    }
    cr_expect_not(is_there(archive_path, 4), "it is still needed");
    fixture_close(&fixture);
}

Test(archive, nothing_is_used_again_before_it_is_archived)
{
    fixture_open(&fixture);
    cr_assert_eq(mkdir(core_folder_file_in(archive_path, "000000000002.log.new"), 0755), 0);
    small_log_write_segments(&fixture, 5);
    wal_release(fixture.wal, 5);
    small_log_write_segments(&fixture, 10);
    cr_expect(is_there(archive_path, 1));
    cr_expect_not(is_there(data_path, 1));
    for (uint64_t number = 2; number <= 16; number++)
        cr_expect(is_there(data_path, number), "segment %lu", (unsigned long)number);

    /* and what stood in the way is tried again later, not before */
    cr_assert_eq(rmdir(core_folder_file_in(archive_path, "000000000002.log.new")), 0);
    small_log_write_segments(&fixture, 1);
    cr_expect_not(is_there(archive_path, 2));
    fixture.now_ms += RETRY_MS;
    turn_until_archived(4);
    small_log_write_segments(&fixture, 4);
    for (uint64_t number = 1; number <= 4; number++) {
        cr_expect(is_there(archive_path, number));
        cr_expect_not(is_there(data_path, number));
    }
    fixture_close(&fixture);
}

Test(archive, the_writer_wakes_for_the_next_attempt_when_nothing_else_does)
{
    fixture_open(&fixture);
    cr_assert_eq(mkdir(core_folder_file_in(archive_path, "000000000001.log.new"), 0755), 0);
    small_log_write_segments(&fixture, 3);
    cr_expect_eq(wal_wake_at_ms(fixture.wal), UINT64_MAX);
    wal_release(fixture.wal, 3);
    fixture_flush(&fixture);
    const uint64_t wake_ms = wal_wake_at_ms(fixture.wal);
    cr_assert_gt(wake_ms, fixture.now_ms);
    cr_assert_leq(wake_ms, fixture.now_ms + RETRY_MS);
    cr_assert_eq(rmdir(core_folder_file_in(archive_path, "000000000001.log.new")), 0);
    fixture.now_ms = wake_ms;
    turn_until_archived(2);
    cr_expect_eq(wal_wake_at_ms(fixture.wal), UINT64_MAX);
    fixture_close(&fixture);
}

Test(archive, half_a_copy_that_a_crash_left_is_made_anew)
{
    fixture_open(&fixture);
    FILE *file = fopen(core_folder_file_in(archive_path, "000000000001.log.new"), "w");
    cr_assert_not_null(file);
    for (int i = 0; i < 10000; i++)
        fputs("half ", file);
    cr_assert_eq(fclose(file), 0);
    uint8_t before[SMALL_SEGMENT_BYTES], copy[SMALL_SEGMENT_BYTES];
    small_log_write_segments(&fixture, 3);
    cr_assert(read_segment(data_path, 1, before));
    wal_release(fixture.wal, 2);
    turn_until_archived(1);
    cr_assert(read_segment(archive_path, 1, copy));
    cr_expect_arr_eq(copy, before, sizeof copy);
    cr_expect_neq(access(core_folder_file_in(archive_path, "000000000001.log.new"), F_OK), 0);
    fixture_close(&fixture);
}

/* It was archived, and the server was killed before it was used again. */
Test(archive, goes_on_after_a_restart_with_what_is_there_and_the_copies_stay_the_same)
{
    uint8_t before[SMALL_SEGMENT_BYTES], copy[SMALL_SEGMENT_BYTES];
    fixture_open(&fixture);
    small_log_write_segments(&fixture, 5);
    uint64_t segment = small_log_take_snapshot(&fixture);
    cr_assert(read_segment(data_path, 1, before));
    wal_release(fixture.wal, 3);
    turn_until_archived(2);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert(is_there(data_path, 2));
    wal_release(fixture.wal, segment);
    small_log_write_segments(&fixture, 6);
    turn_until_archived(segment - 1);
    cr_assert(read_segment(archive_path, 1, copy));
    cr_expect_arr_eq(copy, before, sizeof copy);
    fixture_close(&fixture);
}

Test(archive, a_segment_that_somebody_has_removed_is_passed_over)
{
    fixture_open(&fixture);
    small_log_write_segments(&fixture, 6);
    cr_assert_eq(unlink(core_folder_segment_in(data_path, 2)), 0);
    wal_release(fixture.wal, 6);
    turn_until_archived(5);
    cr_expect_not(is_there(archive_path, 2));
    small_log_write_segments(&fixture, 6);
    cr_expect_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
    fixture_close(&fixture);
}

Test(archive, a_place_where_nothing_can_be_made_is_told_at_the_opening)
{
    snprintf(archive_path, sizeof archive_path, "/proc/holdfast");
    cr_assert_not(fixture_try_open(&fixture));
    cr_expect_not_null(strstr(fixture.message, "/proc/holdfast/era-000001/core-000"), "%s",
                       fixture.message);
    cr_expect_not_null(strstr(fixture.message, "choose another --archive"), "%s", fixture.message);
}

/* ---- MANIFEST and eras ---- */

static struct data_directory directory;
static struct log_manifest archived;

static enum data_directory_status open_with(uint32_t core_count, bool has_archive)
{
    enum data_directory_status status =
        data_directory_open(&directory, fixture.io, data_path, core_count);
    if (status == DATA_DIRECTORY_OK)
        status = data_directory_begin_era(&directory);
    if (status == DATA_DIRECTORY_OK && has_archive)
        status = data_directory_prepare_archive(&directory, archive_path);
    return status;
}

/* A start with so many cores that comes as far as its archive. */
static void pass_start(uint32_t core_count, bool has_archive)
{
    cr_assert_eq(open_with(core_count, has_archive), DATA_DIRECTORY_OK, "%s", directory.message);
    data_directory_close(&directory);
}

/* And has no use for the eras before. */
static void pass_start_without_past(uint32_t core_count, bool has_archive)
{
    cr_assert_eq(open_with(core_count, has_archive), DATA_DIRECTORY_OK, "%s", directory.message);
    cr_assert_eq(data_directory_remove_past(&directory, false, has_archive ? archive_path : NULL),
                 DATA_DIRECTORY_OK, "%s", directory.message);
    data_directory_close(&directory);
}

static void read_archived(void)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    char path[4096];
    snprintf(path, sizeof path, "%s/MANIFEST", archive_path);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    const char *wrong = log_manifest_decode(text, bytes, &archived);
    cr_assert_null(wrong, "%s\n%.*s", wrong, (int)bytes, text);
}

Test(archive, its_manifest_is_that_of_the_data_directory)
{
    pass_start(2, true);
    read_archived();
    cr_expect_eq(archived.era_count, 1);
    cr_expect_eq(archived.eras[0].core_count, 2);
    pass_start(1, true);
    read_archived();
    cr_expect_eq(archived.era_count, 2);
    cr_expect_eq(archived.eras[0].ends[1].next_lsn, 1, "the first one is closed");
    cr_expect_eq(archived.eras[1].core_count, 1);
}

Test(archive, its_manifest_keeps_the_eras_that_the_data_directory_forgets)
{
    for (uint32_t core_count = 1; core_count <= 5; core_count++)
        pass_start_without_past(core_count, true);
    read_archived();
    cr_assert_eq(archived.era_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        cr_expect_eq(archived.eras[i].number, i + 1);
        cr_expect_eq(archived.eras[i].core_count, i + 1);
    }
    cr_assert_eq(open_with(5, false), DATA_DIRECTORY_OK);
    cr_expect_eq(directory.manifest.era_count, 1);
    cr_expect_eq(directory.manifest.eras[0].number, 5);
    data_directory_close(&directory);
}

/* While there was no archive an era ended, and was forgotten: its end is not known there. */
Test(archive, can_be_left_out_for_some_starts)
{
    pass_start(1, true);
    pass_start(2, false);
    pass_start_without_past(2, false);
    pass_start_without_past(3, false);
    pass_start(3, true);
    read_archived();
    cr_expect_eq(archived.era_count, 1, "what was there before leads nowhere");
    cr_expect_eq(archived.eras[0].number, 3);
    pass_start_without_past(4, true);
    read_archived();
    cr_expect_eq(archived.era_count, 2);
    cr_expect_eq(archived.eras[0].number, 3);
}

Test(archive, of_another_server_is_refused)
{
    pass_start(1, true);
    snprintf(data_path, sizeof data_path, "%s/other", scratch.path);
    cr_assert_eq(open_with(1, true), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(directory.message, "archive of another server"), "%s",
                       directory.message);
    cr_expect_not_null(strstr(directory.message, archive_path), "%s", directory.message);
    data_directory_close(&directory);
}

static void check_that_it_refuses_itself(const char *name)
{
    snprintf(archive_path, sizeof archive_path, "%s", name);
    cr_assert_eq(open_with(1, true), DATA_DIRECTORY_IN_USE, "%s", name);
    cr_expect_not_null(strstr(directory.message, "the data directory itself"), "%s",
                       directory.message);
    cr_expect_not_null(strstr(directory.message, name), "%s", directory.message);
    data_directory_close(&directory);
}

/* Its segments would be copied onto themselves, and then be let go. */
Test(archive, that_is_the_data_directory_is_refused_whatever_its_name)
{
    char name[2100];
    pass_start(1, false);
    check_that_it_refuses_itself(data_path);
    snprintf(name, sizeof name, "%s/../data/", data_path);
    check_that_it_refuses_itself(name);
    snprintf(name, sizeof name, "%s/link", scratch.path);
    cr_assert_eq(symlink("data", name), 0);
    check_that_it_refuses_itself(name);
    pass_start(1, false);
}

Test(archive, with_a_damaged_manifest_is_refused_by_name)
{
    char path[4096];
    pass_start(1, true);
    snprintf(path, sizeof path, "%s/MANIFEST", archive_path);
    cr_assert_eq(truncate(path, 30), 0);
    cr_assert_eq(open_with(1, true), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(directory.message, path), "%s", directory.message);
    data_directory_close(&directory);
}

/* What is left of the segments of an era goes there before the era does. */
Test(archive, gets_what_is_left_of_an_era_before_it_is_removed)
{
    uint8_t before[4][SMALL_SEGMENT_BYTES], copy[SMALL_SEGMENT_BYTES];
    fixture_open(&fixture);
    small_log_write_segments(&fixture, 3);
    wal_release(fixture.wal, 2);
    turn_until_archived(1);
    for (uint64_t number = 1; number <= 3; number++)
        cr_assert(read_segment(data_path, number, before[number]));
    fixture_close(&fixture);
    pass_start_without_past(2, true);
    for (uint64_t number = 1; number <= 3; number++) {
        cr_expect_not(is_there(data_path, number));
        cr_assert(read_segment(archive_path, number, copy), "segment %lu", (unsigned long)number);
        cr_expect_arr_eq(copy, before[number], sizeof copy);
    }
}
