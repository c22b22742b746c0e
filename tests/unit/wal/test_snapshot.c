/* The writer of snapshots, and the reading and removing of those that are there, on real files. */

#include "wal/snapshot.h"

#include "core_folder.h"
#include "wal/snapshot_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FIRST_LSN = 10, ENTRIES = 100 };

static struct snapshot_taking taking;

static void set_up(void)
{
    fixture_init(&fixture, core_folder_begin(), data_path);
    fixture_open(&fixture);
    fixture_fill(&fixture, FIRST_LSN, 64);
    snapshot_fixture_open(&fixture, &taking, SNAPSHOT_PAGE_BYTES);
}

static void tear_down(void)
{
    snapshot_close(&taking.snapshot);
    fixture_flush(&fixture);
    fixture_close(&fixture);
    core_folder_end();
}

TestSuite(snapshot, .init = set_up, .fini = tear_down, .timeout = 60);

static void assert_whole(uint64_t lsn, uint32_t entry_count)
{
    uint32_t found;
    struct log_snapshot_header header;
    struct log_files *files = snapshot_fixture_files(&fixture);
    cr_assert_eq(snapshot_fixture_read(files, lsn, &found, &header), DATA_DIRECTORY_OK, "%s",
                 fixture.message);
    cr_assert_eq(found, entry_count);
    cr_assert_eq(log_snapshot_lsn(&header), lsn);
    log_files_close(&files);
}

/* ---- writing ---- */

Test(snapshot, has_its_name_when_all_of_it_was_read_back_and_not_before)
{
    snapshot_fixture_begin(&fixture, &taking, ENTRIES);
    bool was_there = false;
    for (int turn = 0; !snapshot_fixture_is_over(&taking); turn++) {
        cr_assert_lt(turn, 100000);
        was_there |= exists(core_folder_file(LOG_SNAPSHOT_NEW_NAME));
        cr_assert_not(snapshot_state(taking.snapshot) == SNAPSHOT_FILLING &&
                      exists(core_folder_snapshot(FIRST_LSN)));
        snapshot_fixture_turn(&fixture, &taking);
    }
    cr_assert(was_there);
    cr_assert_eq(snapshot_state(taking.snapshot), SNAPSHOT_DONE);
    cr_assert_not(exists(core_folder_file(LOG_SNAPSHOT_NEW_NAME)));
    struct stat status;
    cr_assert_eq(stat(core_folder_snapshot(FIRST_LSN), &status), 0);
    cr_expect_eq((uint64_t)status.st_size, snapshot_bytes(taking.snapshot));
    snapshot_settle(taking.snapshot);
    cr_expect_eq(snapshot_state(taking.snapshot), SNAPSHOT_NONE);
    assert_whole(FIRST_LSN, ENTRIES);
}

Test(snapshot, says_where_the_log_goes_on_and_whose_it_is)
{
    const struct log_position position = wal_position(fixture.wal);
    cr_assert(snapshot_fixture_take(&fixture, &taking, ENTRIES));
    struct log_files *files = snapshot_fixture_files(&fixture);
    struct log_snapshot_header header;
    uint32_t found;
    cr_assert_eq(snapshot_fixture_read(files, FIRST_LSN, &found, &header), DATA_DIRECTORY_OK);
    cr_expect_eq(memcmp(&header.position, &position, sizeof position), 0);
    cr_expect(id128_equal(header.server_id, fixture.directory.manifest.server_id));
    cr_expect_not(id128_is_zero(header.snapshot_uuid));
    cr_expect_eq(header.era, 1);
    cr_expect_eq(header.core, 0);
    log_files_close(&files);
}

Test(snapshot, pages_of_every_size_are_one_file)
{
    static const uint32_t PAGE_BYTES[] = {
        SNAPSHOT_ENTRY_BYTES,          4096 - 64, 4096, 4096 + 64, 65536, (1 << 20) - 8,
        LOG_SNAPSHOT_PAYLOAD_BYTES_MAX};
    static const uint32_t ENTRY_BYTES[] = {16, 64, 88, 256};
    for (size_t i = 0; i < sizeof PAGE_BYTES / sizeof *PAGE_BYTES; i++)
        for (size_t k = 0; k < sizeof ENTRY_BYTES / sizeof *ENTRY_BYTES; k++) {
            if (ENTRY_BYTES[k] > PAGE_BYTES[i])
                continue;
            uint32_t per_page = PAGE_BYTES[i] / ENTRY_BYTES[k];
            uint32_t entry_count = per_page < 1000 ? 5 * per_page + per_page / 2 : per_page + 1;
            snapshot_close(&taking.snapshot);
            snapshot_fixture_open(&fixture, &taking, PAGE_BYTES[i]);
            taking.entry_bytes = ENTRY_BYTES[k];
            cr_assert(snapshot_fixture_take(&fixture, &taking, entry_count), "%s",
                      snapshot_failure(taking.snapshot));
            assert_whole(FIRST_LSN, entry_count);
        }
}

Test(snapshot, of_an_empty_state_has_no_entry_and_is_whole)
{
    cr_assert(snapshot_fixture_take(&fixture, &taking, 0));
    assert_whole(FIRST_LSN, 0);
}

Test(snapshot, before_the_first_record_has_the_lsn_0)
{
    snapshot_close(&taking.snapshot);
    fixture_flush(&fixture);
    fixture_close(&fixture);
    test_directory_remove(&scratch);
    cr_assert_eq(mkdir(scratch.path, 0755), 0);
    fixture_open(&fixture);
    snapshot_fixture_open(&fixture, &taking, SNAPSHOT_PAGE_BYTES);
    cr_assert(snapshot_fixture_take(&fixture, &taking, 3));
    assert_whole(0, 3);
}

Test(snapshot, two_pages_are_all_that_wait_for_the_disk)
{
    snapshot_fixture_begin(&fixture, &taking, ENTRIES);
    cr_expect(snapshot_may_pass(taking.snapshot));
    const uint8_t *first = snapshot_page(taking.snapshot);
    cr_expect_eq(first, snapshot_page(taking.snapshot), "the same place until it is passed");
    snapshot_fixture_fill_page(&taking);
    cr_expect_neq(first, snapshot_page(taking.snapshot));
    cr_expect_not(snapshot_may_pass(taking.snapshot), "the disk has had no turn yet");
    cr_expect_eq(snapshot_fixture_end(&fixture, &taking), SNAPSHOT_DONE);
    snapshot_settle(taking.snapshot);
}

Test(snapshot, one_follows_the_other)
{
    for (uint32_t i = 1; i <= 5; i++) {
        cr_assert(snapshot_fixture_take(&fixture, &taking, i * 50));
        fixture_fill(&fixture, FIRST_LSN + i, 64);
    }
    for (uint32_t i = 1; i <= 5; i++)
        assert_whole(FIRST_LSN + i - 1, i * 50);
}

Test(snapshot, a_second_one_of_the_same_lsn_takes_the_place_of_the_first)
{
    cr_assert(snapshot_fixture_take(&fixture, &taking, 50));
    cr_assert(snapshot_fixture_take(&fixture, &taking, 60));
    assert_whole(FIRST_LSN, 60);
}

/* ---- not to the end ---- */

static void leave_unfinished(void)
{
    FILE *file = fopen(core_folder_file(LOG_SNAPSHOT_NEW_NAME), "w");
    cr_assert_not_null(file);
    for (int i = 0; i < 100000; i++)
        fputs("left ", file);
    cr_assert_eq(fclose(file), 0);
}

Test(snapshot, what_a_killed_server_left_of_one_goes_at_the_opening)
{
    leave_unfinished();
    snapshot_close(&taking.snapshot);
    snapshot_fixture_open(&fixture, &taking, SNAPSHOT_PAGE_BYTES);
    cr_expect_not(exists(core_folder_file(LOG_SNAPSHOT_NEW_NAME)));
}

Test(snapshot, what_was_left_of_one_is_no_hindrance)
{
    leave_unfinished();
    cr_assert(snapshot_fixture_take(&fixture, &taking, ENTRIES));
    assert_whole(FIRST_LSN, ENTRIES);
}

Test(snapshot, that_cannot_be_made_says_which_file_and_why_and_the_next_one_is_made)
{
    cr_assert_eq(mkdir(core_folder_file(LOG_SNAPSHOT_NEW_NAME), 0755), 0);
    cr_assert_not(snapshot_fixture_take(&fixture, &taking, ENTRIES));
    cr_expect_not_null(strstr(snapshot_failure(taking.snapshot), "core-000/snapshot.new"), "%s",
                       snapshot_failure(taking.snapshot));
    cr_expect_not_null(strstr(snapshot_failure(taking.snapshot), "Is a directory"), "%s",
                       snapshot_failure(taking.snapshot));
    cr_expect_not(snapshot_is_fatal(taking.snapshot));
    cr_assert_eq(rmdir(core_folder_file(LOG_SNAPSHOT_NEW_NAME)), 0);
    cr_assert(snapshot_fixture_take(&fixture, &taking, ENTRIES));
    assert_whole(FIRST_LSN, ENTRIES);
}

Test(snapshot, that_cannot_get_its_name_fails_and_leaves_nothing)
{
    cr_assert_eq(mkdir(core_folder_snapshot(FIRST_LSN), 0755), 0);
    cr_assert_not(snapshot_fixture_take(&fixture, &taking, ENTRIES));
    cr_expect_not_null(strstr(snapshot_failure(taking.snapshot), "give this file its name"), "%s",
                       snapshot_failure(taking.snapshot));
    cr_expect_not(snapshot_is_fatal(taking.snapshot));
    cr_expect_not(exists(core_folder_file(LOG_SNAPSHOT_NEW_NAME)));
    cr_assert_eq(rmdir(core_folder_snapshot(FIRST_LSN)), 0);
}

Test(snapshot, the_folder_of_a_core_that_is_gone_is_told_at_the_opening)
{
    static struct data_directory elsewhere;
    const struct snapshot_options options = {.page_bytes = SNAPSHOT_PAGE_BYTES};
    elsewhere = fixture.directory;
    snprintf(elsewhere.path, sizeof elsewhere.path, "%s/none", scratch.path);
    cr_expect_null(snapshot_open(fixture.io, &elsewhere, &options, fixture.message));
    cr_expect_not_null(strstr(fixture.message, "/none/era-000001/core-000: cannot open"), "%s",
                       fixture.message);
}

/* ---- what is there ---- */

static struct {
    int32_t result;
    uint64_t file_bytes;
    uint32_t count;
} was_read;

static void note_read(void *context, int32_t result, uint64_t file_bytes)
{
    (void)context;
    was_read.result = result;
    was_read.file_bytes = file_bytes;
    was_read.count++;
}

static int32_t read_piece(struct snapshot_files *files, uint64_t lsn, uint64_t offset, uint8_t *to,
                          uint32_t bytes)
{
    uint32_t count = was_read.count;
    cr_assert(snapshot_files_may_read(files));
    snapshot_files_read(files, lsn, offset, to, bytes, note_read, NULL);
    cr_assert_not(snapshot_files_may_read(files));
    while (was_read.count == count)
        fixture_turn(&fixture, 1000000);
    return was_read.result;
}

static uint8_t piece[16 << 10] __attribute__((aligned(4096)));

Test(snapshot, is_read_in_pieces_that_are_the_file)
{
    static uint8_t content[256 << 10];
    cr_assert(snapshot_fixture_take(&fixture, &taking, 500));
    FILE *file = fopen(core_folder_snapshot(FIRST_LSN), "r");
    cr_assert_not_null(file);
    size_t bytes = fread(content, 1, sizeof content, file);
    fclose(file);
    struct snapshot_files *files = snapshot_files_open(fixture.io, &fixture.directory, 0);
    cr_assert_not_null(files);
    size_t at = 0;
    for (int32_t got; (got = read_piece(files, FIRST_LSN, at, piece, sizeof piece)) > 0;
         at += (size_t)got) {
        cr_assert_leq(at + (size_t)got, bytes);
        cr_assert_arr_eq(piece, content + at, got);
        cr_assert_eq(was_read.file_bytes, bytes);
    }
    cr_expect_eq(was_read.result, 0, "the end");
    cr_expect_eq(at, bytes);
    cr_expect_eq(read_piece(files, FIRST_LSN, 1 << 20, piece, 4096), 0, "far behind the end");
    snapshot_files_close(&files);
}

Test(snapshot, that_is_not_there_is_told_so)
{
    struct snapshot_files *files = snapshot_files_open(fixture.io, &fixture.directory, 0);
    cr_expect_eq(read_piece(files, 77, 0, piece, 4096), -ENOENT);
    cr_assert_eq(mkdir(core_folder_snapshot(78), 0755), 0);
    cr_expect_eq(read_piece(files, 78, 0, piece, 4096), -ENXIO, "it is no file");
    snapshot_files_close(&files);
}

Test(snapshot, is_removed_one_at_a_time)
{
    cr_assert(snapshot_fixture_take(&fixture, &taking, 5));
    fixture_fill(&fixture, FIRST_LSN + 1, 64);
    cr_assert(snapshot_fixture_take(&fixture, &taking, 5));
    struct snapshot_files *files = snapshot_files_open(fixture.io, &fixture.directory, 0);
    cr_assert(snapshot_files_remove(files, FIRST_LSN));
    cr_expect_not(snapshot_files_are_idle(files));
    cr_expect_not(snapshot_files_remove(files, FIRST_LSN + 1), "the first one is under way");
    while (!snapshot_files_are_idle(files))
        fixture_turn(&fixture, 1000000);
    cr_expect_not(exists(core_folder_snapshot(FIRST_LSN)));
    cr_expect(exists(core_folder_snapshot(FIRST_LSN + 1)));
    cr_assert(snapshot_files_remove(files, FIRST_LSN), "one that is gone is no trouble");
    while (!snapshot_files_are_idle(files))
        fixture_turn(&fixture, 1000000);
    snapshot_files_close(&files);
}

Test(snapshot, may_be_removed_while_it_is_read)
{
    cr_assert(snapshot_fixture_take(&fixture, &taking, 500));
    struct snapshot_files *files = snapshot_files_open(fixture.io, &fixture.directory, 0);
    snapshot_files_read(files, FIRST_LSN, 0, piece, 4096, note_read, NULL);
    cr_assert(snapshot_files_remove(files, FIRST_LSN));
    while (!snapshot_files_are_idle(files))
        fixture_turn(&fixture, 1000000);
    cr_expect_eq(was_read.count, 1);
    cr_expect(was_read.result == 4096 || was_read.result == -ENOENT, "%d", was_read.result);
    cr_expect_not(exists(core_folder_snapshot(FIRST_LSN)));
    snapshot_files_close(&files);
}
