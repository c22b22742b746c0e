/* Eras that snapshots stand for: forgotten by MANIFEST, removed from the disk, and data directories
 * whose first era is not the first one ever. On real files. */

#include "small_log.h"
#include "test_directory.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static struct test_directory scratch;
static char data_path[2048];
static struct io *io;
static struct data_directory directory;

static void set_up(void)
{
    char message[256];
    test_directory_make(&scratch);
    snprintf(data_path, sizeof data_path, "%s/data", scratch.path);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK, "%s",
                 message);
    io_start(io);
}

static void tear_down(void)
{
    io_destroy(&io);
    test_directory_remove(&scratch);
}

TestSuite(past_eras, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *path_in(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", data_path, name);
    return path;
}

static bool exists(const char *name)
{
    return access(path_in(name), F_OK) == 0;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_in(name), "w");
    cr_assert_not_null(file, "%s", name);
    fputs(text, file);
    fclose(file);
}

static void open_with(uint32_t core_count)
{
    enum data_directory_status status = data_directory_open(&directory, io, data_path, core_count);
    cr_assert_eq(status, DATA_DIRECTORY_OK, "%s", directory.message);
    status = data_directory_begin_era(&directory);
    cr_assert_eq(status, DATA_DIRECTORY_OK, "%s", directory.message);
}

static enum data_directory_status pass_start(uint32_t core_count, bool is_past_needed)
{
    open_with(core_count);
    enum data_directory_status status =
        data_directory_remove_past(&directory, is_past_needed, NULL);
    data_directory_close(&directory);
    return status;
}

/* A log of one core, as a server leaves it. */
static void write_log(void)
{
    struct fixture fixture;
    small_log_init(&fixture, io, data_path);
    fixture_open(&fixture);
    small_log_write_segments(&fixture, 2);
    small_log_take_snapshot(&fixture);
    fixture_close(&fixture);
}

/* ---- removed or not ---- */

Test(past_eras, stay_while_they_are_needed)
{
    cr_assert_eq(pass_start(1, true), DATA_DIRECTORY_OK);
    cr_assert_eq(pass_start(2, true), DATA_DIRECTORY_OK);
    cr_assert_eq(pass_start(2, true), DATA_DIRECTORY_OK);
    cr_expect(exists("era-000001/core-000"));
    open_with(2);
    cr_expect_eq(directory.manifest.era_count, 2);
    data_directory_close(&directory);
}

Test(past_eras, go_with_all_their_files_when_nothing_needs_them)
{
    write_log();
    write_file("era-000001/core-000/torn-20260131T120000Z-000-000000000001", "torn");
    write_file("era-000001/core-000/segment.new", "");
    write_file("era-000001/core-000/snapshot.new", "");
    cr_assert_eq(pass_start(3, true), DATA_DIRECTORY_OK);
    cr_assert_eq(pass_start(2, false), DATA_DIRECTORY_OK);
    cr_expect_not(exists("era-000001"));
    cr_expect_not(exists("era-000002"));
    cr_expect(exists("era-000003/core-001"));
    open_with(2);
    cr_expect_eq(directory.manifest.era_count, 1);
    cr_expect_eq(directory.manifest.eras[0].number, 3);
    cr_expect_eq(directory.manifest.eras[0].core_count, 2);
    cr_expect_not(directory.is_era_pending);
    data_directory_close(&directory);
}

Test(past_eras, what_is_no_folder_among_them_stays_and_stops_nobody)
{
    write_log();
    write_file("era-000001/core-000.tar", "kept by somebody");
    cr_assert_eq(pass_start(2, true), DATA_DIRECTORY_OK);
    cr_expect_eq(pass_start(2, false), DATA_DIRECTORY_OK);
    cr_expect(exists("era-000001/core-000.tar"));
    cr_expect_not(exists("era-000001/core-000"));
    cr_expect_eq(pass_start(2, false), DATA_DIRECTORY_OK);
}

Test(past_eras, a_single_era_is_no_past)
{
    cr_assert_eq(pass_start(2, false), DATA_DIRECTORY_OK);
    cr_expect(exists("era-000001/core-001"));
    open_with(2);
    cr_expect_eq(directory.manifest.eras[0].number, 1);
    data_directory_close(&directory);
}

Test(past_eras, that_a_killed_start_has_left_on_the_disk_go_at_the_next_one)
{
    write_log();
    cr_assert_eq(pass_start(2, true), DATA_DIRECTORY_OK);
    cr_assert_eq(rename(path_in("era-000001"), path_in("kept")), 0);
    cr_assert_eq(pass_start(2, false), DATA_DIRECTORY_OK);
    /* as it was when MANIFEST had forgotten it and nothing was removed yet */
    cr_assert_eq(rename(path_in("kept"), path_in("era-000001")), 0);
    cr_assert_eq(pass_start(2, true), DATA_DIRECTORY_OK, "also when nothing else is to be removed");
    cr_expect_not(exists("era-000001"));
    cr_expect(exists("era-000002"));
}

/* Somebody has put a folder of his own there. It stays, with the folders around it, and the server
 * has to start all the same. */
Test(past_eras, what_is_not_ours_stays_and_is_no_hindrance)
{
    write_log();
    cr_assert_eq(pass_start(2, true), DATA_DIRECTORY_OK);
    cr_assert_eq(mkdir(path_in("era-000001/core-000/copy"), 0755), 0);
    write_file("era-000001/core-000/copy/letter.txt", "dear\n");
    write_file("era-000001/notes.txt", "mine\n");
    cr_expect_eq(pass_start(2, false), DATA_DIRECTORY_OK, "%s", directory.message);
    cr_expect(exists("era-000001/core-000/copy/letter.txt"));
    cr_expect(exists("era-000001/notes.txt"));
    cr_expect_not(exists("era-000001/core-000/000000000001.log"));
    cr_expect_eq(pass_start(2, true), DATA_DIRECTORY_OK, "%s", directory.message);
}

/* ---- a first era with a number above 1 ---- */

Test(past_eras, eras_are_numbered_on_behind_those_that_are_gone)
{
    for (uint32_t core_count = 1; core_count <= 4; core_count++)
        cr_assert_eq(pass_start(core_count, false), DATA_DIRECTORY_OK);
    open_with(1);
    cr_expect_eq(directory.manifest.era_count, 2);
    cr_expect_eq(directory.manifest.eras[0].number, 4);
    cr_expect_eq(directory.manifest.eras[1].number, 5);
    data_directory_close(&directory);
    cr_expect(exists("era-000005/core-000"));
}

/* So the number of cores may change any number of times. */
Test(past_eras, more_changes_than_manifest_has_room_for_are_possible)
{
    for (uint32_t i = 0; i < 3 * LOG_MANIFEST_ERA_COUNT_MAX; i++)
        cr_assert_eq(pass_start(1 + i % 2, i % 50 != 49), DATA_DIRECTORY_OK, "%s",
                     directory.message);
    open_with(2);
    cr_expect_eq(directory.manifest.eras[directory.manifest.era_count - 1].number,
                 3 * LOG_MANIFEST_ERA_COUNT_MAX);
    data_directory_close(&directory);
}

Test(past_eras, a_directory_without_its_manifest_is_refused_whatever_its_eras_are)
{
    for (uint32_t core_count = 1; core_count <= 3; core_count++)
        cr_assert_eq(pass_start(core_count, false), DATA_DIRECTORY_OK);
    cr_assert_eq(unlink(path_in("MANIFEST")), 0);
    cr_expect_eq(data_directory_open(&directory, io, data_path, 3), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(directory.message, "MANIFEST"), "%s", directory.message);
    cr_expect(exists("era-000003"));
}
