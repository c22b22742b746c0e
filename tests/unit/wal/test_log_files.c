/* What a start finds of one core's log: its snapshots, the place from which the log is read, and
 * the log behind it. On real files. */

#include "core_folder.h"

#include "base/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

TestSuite(log_files, .init = set_up, .fini = tear_down, .timeout = 60);

static void flip(const char *path, off_t offset)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    cr_assert_eq(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* Snapshots at these LSNs, each with its group. */
static void make_snapshots(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        small_log_write_groups(&fixture, 2);
        small_log_take_snapshot(&fixture);
    }
}

static enum data_directory_status read_snapshot(uint64_t lsn)
{
    struct log_files *files = snapshot_fixture_files(&fixture);
    struct log_snapshot_header header;
    uint32_t count;
    enum data_directory_status status = snapshot_fixture_read(files, lsn, &count, &header);
    log_files_close(&files);
    return status;
}

/* ---- which there are ---- */

static struct log_position newest_position(struct log_files *files)
{
    struct log_position position;
    cr_assert_eq(log_files_newest_position(files, &position), DATA_DIRECTORY_OK, "%s",
                 fixture.message);
    return position;
}

Test(log_files, without_a_snapshot_the_log_is_read_from_where_logs_begin)
{
    small_log_write_groups(&fixture, 2);
    struct log_files *files = snapshot_fixture_files(&fixture);
    const struct log_position first = log_position_first();
    const struct log_position newest = newest_position(files);
    cr_expect_eq(log_files_snapshot_count(files), 0);
    cr_expect_eq(memcmp(&newest, &first, sizeof first), 0);
    log_files_close(&files);
}

Test(log_files, snapshots_are_found_from_the_oldest_on)
{
    make_snapshots(7);
    struct log_files *files = snapshot_fixture_files(&fixture);
    cr_assert_eq(log_files_snapshot_count(files), 7);
    for (uint32_t i = 0; i < 7; i++)
        cr_expect_eq(log_files_snapshot_lsn(files, i), 2 * (i + 1));
    log_files_close(&files);
}

/* One that is being written, names that are nearly right. */
Test(log_files, files_of_other_names_are_no_snapshots)
{
    static const char *const NAMES[] = {"snapshot.new", "snapshot-2",
                                        "snapshot-0000000000000000000x",
                                        "snapshot-000000000000000000022", "snapshot"};
    make_snapshots(1);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        int fd = open(core_folder_file(NAMES[i]), O_RDWR | O_CREAT, 0600);
        cr_assert_geq(fd, 0);
        close(fd);
    }
    struct log_files *files = snapshot_fixture_files(&fixture);
    cr_expect_eq(log_files_snapshot_count(files), 1);
    log_files_close(&files);
}

Test(log_files, the_newest_position_is_that_of_the_newest_snapshot)
{
    make_snapshots(3);
    const struct log_position expected = wal_position(fixture.wal);
    struct log_files *files = snapshot_fixture_files(&fixture);
    const struct log_position newest = newest_position(files);
    cr_expect_eq(memcmp(&newest, &expected, sizeof expected), 0);
    cr_expect_eq(newest.next_lsn, 7);
    log_files_close(&files);
}

Test(log_files, a_snapshot_with_a_damaged_header_has_no_position_and_the_one_before_it_counts)
{
    make_snapshots(3);
    flip(core_folder_snapshot(6), 80);
    struct log_files *files = snapshot_fixture_files(&fixture);
    cr_expect_eq(newest_position(files).next_lsn, 5);
    log_files_close(&files);
    cr_assert_eq(truncate(core_folder_snapshot(4), 100), 0);
    files = snapshot_fixture_files(&fixture);
    cr_expect_eq(newest_position(files).next_lsn, 3);
    log_files_close(&files);
    cr_assert_eq(truncate(core_folder_snapshot(2), 0), 0);
    files = snapshot_fixture_files(&fixture);
    cr_expect_eq(newest_position(files).next_lsn, 1);
    cr_expect_eq(newest_position(files).segment_number, 0);
    log_files_close(&files);
}

/* What is behind the header is found out when it is read. */
Test(log_files, a_snapshot_that_is_damaged_behind_its_header_still_has_its_position)
{
    make_snapshots(2);
    flip(core_folder_snapshot(4), 4096 + 100);
    struct log_files *files = snapshot_fixture_files(&fixture);
    cr_expect_eq(newest_position(files).next_lsn, 5);
    log_files_close(&files);
    cr_expect_eq(read_snapshot(4), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(fixture.message, "00000000000000000004: offset 4096: damaged"), "%s",
                       fixture.message);
    cr_expect_eq(read_snapshot(2), DATA_DIRECTORY_OK);
}

/* ---- reading a snapshot ---- */

Test(log_files, a_snapshot_under_another_ones_name_is_damaged)
{
    make_snapshots(1);
    cr_assert_eq(rename(core_folder_snapshot(2), core_folder_snapshot(3)), 0);
    cr_expect_eq(read_snapshot(3), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(fixture.message, "00000000000000000003"), "%s", fixture.message);
}

Test(log_files, a_snapshot_of_another_server_is_damaged)
{
    make_snapshots(1);
    fixture.directory.manifest.server_id.low ^= 1;
    cr_expect_eq(read_snapshot(2), DATA_DIRECTORY_DAMAGED);
}

Test(log_files, a_snapshot_of_another_format_is_of_another_version)
{
    uint8_t block[LOG_BLOCK_BYTES];
    make_snapshots(1);
    FILE *file = fopen(core_folder_snapshot(2), "r+");
    cr_assert_not_null(file);
    cr_assert_eq(fread(block, sizeof block, 1, file), 1);
    bytes_put_u32(block + 16, LOG_FORMAT_VERSION + 1);
    bytes_put_u64(block + 8, checksum64(block + 16, sizeof block - 16, 0));
    rewind(file);
    cr_assert_eq(fwrite(block, sizeof block, 1, file), 1);
    fclose(file);
    cr_expect_eq(read_snapshot(2), DATA_DIRECTORY_VERSION);
    cr_expect_not_null(strstr(fixture.message, "another version"), "%s", fixture.message);
}

Test(log_files, a_snapshot_that_is_a_link_a_pipe_or_a_folder_is_damaged, .timeout = 20)
{
    cr_assert_eq(symlink("/etc/passwd", core_folder_snapshot(1)), 0);
    cr_expect_eq(read_snapshot(1), DATA_DIRECTORY_DAMAGED, "%s", fixture.message);
    cr_assert_eq(mkfifo(core_folder_snapshot(2), 0600), 0);
    cr_expect_eq(read_snapshot(2), DATA_DIRECTORY_DAMAGED, "%s", fixture.message);
    cr_assert_eq(mkdir(core_folder_snapshot(3), 0700), 0);
    cr_expect_eq(read_snapshot(3), DATA_DIRECTORY_DAMAGED, "%s", fixture.message);
    cr_expect_eq(read_snapshot(4), DATA_DIRECTORY_IO, "it is not there at all");
}

/* Any number of bytes, whole blocks or not, zeros or not. */
Test(log_files, a_snapshot_cut_anywhere_is_damaged)
{
    struct stat status;
    make_snapshots(1);
    cr_assert_eq(stat(core_folder_snapshot(2), &status), 0);
    for (off_t bytes = status.st_size - 1; bytes >= 0; bytes -= 509) {
        cr_assert_eq(truncate(core_folder_snapshot(2), bytes), 0);
        cr_assert_eq(read_snapshot(2), DATA_DIRECTORY_DAMAGED, "%ld bytes", (long)bytes);
        cr_assert_eq(truncate(core_folder_snapshot(2), status.st_size), 0);
        if (bytes <= status.st_size - LOG_BLOCK_BYTES) /* the footer's padding is zero anyway */
            cr_assert_eq(read_snapshot(2), DATA_DIRECTORY_DAMAGED, "zeros from %ld on",
                         (long)bytes);
    }
}

/* ---- the log behind it ---- */

static uint64_t lsns[64];
static uint32_t lsn_count;

static const char *note_group(void *context, const struct log_group *group,
                              uint64_t *refused_lsn_out)
{
    (void)context;
    (void)refused_lsn_out;
    lsns[lsn_count++] = group->first_lsn;
    return NULL;
}

static struct log_end read_from(struct log_files *files, const struct log_position *start)
{
    struct log_end end;
    bool was_torn;
    lsn_count = 0;
    cr_assert_eq(log_files_begin_log(files, start, note_group, NULL), DATA_DIRECTORY_OK);
    const uint64_t bytes = log_files_log_bytes(files, start);
    uint64_t done = 0;
    while (log_files_read_log(files)) {
        cr_assert_geq(log_files_log_bytes_done(files), done, "it never goes back");
        done = log_files_log_bytes_done(files);
        cr_assert_leq(done, bytes);
    }
    cr_assert_eq(log_files_end_log(files, &end, &was_torn), DATA_DIRECTORY_OK, "%s",
                 fixture.message);
    cr_assert_not(was_torn);
    return end;
}

/* Each place at which a group has ended is one from which the log can be read. */
Test(log_files, the_log_is_read_from_any_place_of_it)
{
    enum { GROUPS = 11 };
    static struct log_position positions[GROUPS + 1];
    for (int i = 0; i < GROUPS; i++) {
        positions[i] = wal_position(fixture.wal);
        small_log_write_groups(&fixture, 1);
    }
    positions[GROUPS] = wal_position(fixture.wal);
    struct log_files *files = snapshot_fixture_files(&fixture);
    for (uint32_t i = 0; i <= GROUPS; i++) {
        const struct log_end end = read_from(files, &positions[i]);
        cr_expect_eq(end.next_lsn, GROUPS + 1);
        cr_assert_eq(lsn_count, GROUPS - i);
        for (uint32_t k = 0; k < lsn_count; k++)
            cr_expect_eq(lsns[k], i + k + 1);
    }
    log_files_close(&files);
}

Test(log_files, with_fewer_bytes_to_read_the_farther_the_start_is)
{
    small_log_write_segments(&fixture, 3);
    fixture_flush(&fixture);
    struct log_files *files = snapshot_fixture_files(&fixture);
    const struct log_position first = log_position_first(), here = wal_position(fixture.wal);
    cr_expect_eq(log_files_log_bytes(files, &first), 4 * SMALL_SEGMENT_BYTES, "the next one too");
    cr_expect_eq(log_files_log_bytes(files, &here), SMALL_SEGMENT_BYTES, "the next one alone");
    log_files_close(&files);
}

Test(log_files, without_its_first_segments_the_log_cannot_be_read_from_its_beginning)
{
    small_log_write_segments(&fixture, 3);
    cr_assert_eq(unlink(core_folder_segment(1)), 0);
    struct log_files *files = snapshot_fixture_files(&fixture);
    struct log_end end;
    bool was_torn;
    const struct log_position first = log_position_first();
    cr_assert_eq(log_files_begin_log(files, &first, NULL, NULL), DATA_DIRECTORY_OK);
    while (log_files_read_log(files)) {
    }
    cr_expect_eq(log_files_end_log(files, &end, &was_torn), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(fixture.message, "000000000001.log"), "%s", fixture.message);
    log_files_close(&files);
}

/* ---- eras ---- */

static struct data_directory directory;

static void change_cores(uint32_t core_count)
{
    cr_assert_eq(data_directory_open(&directory, fixture.io, data_path, core_count),
                 DATA_DIRECTORY_OK, "%s", directory.message);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    data_directory_close(&directory);
}

/* It is closed where it ends, though only what is behind the snapshot is read for that. */
Test(log_files, a_log_of_which_only_the_end_is_there_is_closed_where_it_ends)
{
    small_log_write_segments(&fixture, 4);
    const uint64_t segment = small_log_take_snapshot(&fixture);
    wal_release(fixture.wal, segment);
    small_log_write_segments(&fixture, 4);
    const struct log_position end = wal_position(fixture.wal);
    fixture_close(&fixture);
    change_cores(2);
    cr_assert_eq(data_directory_open(&directory, fixture.io, data_path, 2), DATA_DIRECTORY_OK);
    cr_expect_eq(directory.manifest.eras[0].ends[0].next_lsn, end.next_lsn);
    cr_expect_eq(directory.manifest.eras[0].ends[0].chain, end.chain);
    data_directory_close(&directory);
    change_cores(1);
    fixture_open(&fixture);
}

/* Both headers are bad, and the log before the older one is gone. */
Test(log_files, a_log_of_which_only_the_end_is_there_is_damage_without_its_snapshots)
{
    small_log_write_segments(&fixture, 4);
    small_log_take_snapshot(&fixture);
    const uint64_t lsn = wal_last_lsn(fixture.wal);
    wal_release(fixture.wal, small_log_segment(&fixture));
    small_log_write_segments(&fixture, 4);
    fixture_close(&fixture);
    flip(core_folder_snapshot(lsn), 70);
    cr_expect_eq(data_directory_open(&directory, fixture.io, data_path, 2), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(directory.message, "000000000001.log"), "%s", directory.message);
    flip(core_folder_snapshot(lsn), 70);
    fixture_open(&fixture);
}
