/* The writer over the real io_uring and real files, small segments. */

#include "wal/wal.h"

#include "test_directory.h"
#include "wal_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct test_directory directory;
static char data_path[2048];
static struct fixture fixture;

static struct io *started(void)
{
    struct io *io = NULL;
    char message[256];
    enum io_status status = io_create(&(struct io_options){.op_count_max = 16}, &io, message);
    cr_assert(status == IO_OK, "%s", message);
    io_start(io);
    return io;
}

static void set_up(void)
{
    test_directory_make(&directory);
    snprintf(data_path, sizeof data_path, "%s/data", directory.path);
    fixture_init(&fixture, started(), data_path);
}

static void tear_down(void)
{
    io_destroy(&fixture.io);
    test_directory_remove(&directory);
}

TestSuite(wal, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *segment_path(int number)
{
    static char paths[2][4096];
    static int next;
    char *path = paths[next++ % 2];
    snprintf(path, sizeof paths[0], "%s/era-000001/core-000/%012d.log", data_path, number);
    return path;
}

static uint64_t room_for(uint64_t bytes, uint32_t record_bytes)
{
    return bytes / record_bytes;
}

/* ---- append and flush ---- */

Test(wal, a_record_is_durable_only_when_its_write_completed)
{
    fixture_open(&fixture);
    cr_assert_eq(wal_last_lsn(fixture.wal), 0);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 0);
    cr_assert(wal_is_idle(fixture.wal));

    cr_assert_eq(fixture_append(&fixture, 64), 1);
    cr_assert_eq(fixture_append(&fixture, 64), 2);
    cr_assert_not(wal_is_idle(fixture.wal));
    cr_assert_eq(wal_last_lsn(fixture.wal), 2);
    wal_write(fixture.wal, 1);
    cr_assert_eq(fixture_append(&fixture, 64), 3);
    wal_write(fixture.wal, 1); /* the disk is not free */
    cr_assert_eq(wal_durable_lsn(fixture.wal), 0);
    while (wal_durable_lsn(fixture.wal) == 0)
        io_turn(fixture.io, UINT64_MAX);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 2, "the group that was closed, and no more");

    fixture_flush(&fixture);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 3);
    cr_assert_eq(wal_counts(fixture.wal).groups, 2);
    cr_assert_eq(wal_counts(fixture.wal).records, 3);
    cr_assert_eq(wal_counts(fixture.wal).bytes, 8192);
    fixture_close(&fixture);
}

Test(wal, a_restart_goes_on_behind_the_last_group_with_a_new_epoch)
{
    for (uint64_t round = 1; round <= 4; round++) {
        fixture_open(&fixture);
        cr_assert_eq(fixture.end.next_lsn, (round - 1) * 1000 + 1);
        cr_assert_eq(fixture.end.epoch, round - 1);
        cr_assert_not(fixture.was_torn);
        cr_assert_eq(wal_durable_lsn(fixture.wal), (round - 1) * 1000);
        fixture_fill(&fixture, round * 1000, 64);
        cr_assert_eq(wal_durable_lsn(fixture.wal), round * 1000);
        fixture_close(&fixture);
    }
    fixture_open(&fixture);
    cr_assert_eq(fixture.end.segment.segment_number, 1);
    cr_assert_gt(fixture.end.time_ms, FIXTURE_TIME_MS);
    cr_assert_leq(fixture.end.time_ms, fixture.now_ms);
    fixture_close(&fixture);
}

Test(wal, room_is_none_when_both_groups_are_full_and_comes_back_when_one_is_written)
{
    fixture.options.segment_bytes = 32 << 20; /* both in the first */
    fixture_open(&fixture);
    uint32_t all = (LOG_GROUP_BYTES_MAX - LOG_GROUP_HEADER_BYTES) / LOG_RECORD_BYTES_MAX;
    cr_assert_eq(wal_room(fixture.wal), all);
    for (int group = 0; group < 2; group++) {
        while (wal_room(fixture.wal) > 0)
            fixture_append(&fixture, LOG_RECORD_BYTES_MAX);
        wal_write(fixture.wal, 1);
    }
    cr_assert_eq(wal_room(fixture.wal), 0);
    while (wal_durable_lsn(fixture.wal) < all)
        io_turn(fixture.io, UINT64_MAX);
    wal_write(fixture.wal, 2);
    cr_assert_eq(wal_room(fixture.wal), all);
    fixture_flush(&fixture);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 2ull * all);
    fixture_close(&fixture);
}

/* ---- segments ---- */

Test(wal, many_small_segments_are_one_log)
{
    const uint64_t record_count = room_for(60u << 20, 256);
    fixture_open(&fixture);
    fixture_fill(&fixture, record_count, 256);
    cr_assert_null(wal_failure(fixture.wal), "%s", wal_failure(fixture.wal));
    cr_assert_eq(wal_durable_lsn(fixture.wal), record_count);
    uint64_t segment_count = wal_counts(fixture.wal).segments;
    cr_assert_geq(segment_count, 8);
    fixture_close(&fixture);

    fixture_open(&fixture);
    cr_assert_eq(fixture.end.record_count, record_count);
    cr_assert_eq(fixture.end.segment.segment_number, segment_count);
    fixture_fill(&fixture, 2 * record_count, 256);
    fixture_close(&fixture);

    fixture_open(&fixture);
    cr_assert_eq(fixture.end.record_count, 2 * record_count);
    fixture_close(&fixture);
}

Test(wal, groups_of_every_size_rotate)
{
    fixture_open(&fixture);
    uint64_t appended = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t count = 1 + i * 7919 % 500;
        for (uint32_t k = 0; k < count && wal_room(fixture.wal) > 0; k++, appended++)
            fixture_append(&fixture, 16 + (i + k) % 31 * 8);
        fixture_turn(&fixture, 1000000);
    }
    fixture_flush(&fixture);
    cr_assert_eq(wal_durable_lsn(fixture.wal), appended);
    cr_assert_geq(wal_counts(fixture.wal).segments, 4);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_eq(fixture.end.record_count, appended);
    fixture_close(&fixture);
}

Test(wal, another_segment_size_holds_from_the_next_segment_on)
{
    fixture_open(&fixture);
    fixture_fill(&fixture, 100, 64);
    fixture_close(&fixture);
    fixture.options.segment_bytes = 2 * LOG_SEGMENT_BYTES_MIN;
    fixture_open(&fixture);
    fixture_fill(&fixture, room_for(20u << 20, 256), 256);
    fixture_close(&fixture);
    struct stat status;
    cr_assert_eq(stat(segment_path(1), &status), 0);
    cr_assert_eq(status.st_size, LOG_SEGMENT_BYTES_MIN);
    cr_assert_eq(stat(segment_path(2), &status), 0);
    cr_assert_eq(status.st_size, 2 * LOG_SEGMENT_BYTES_MIN);
    fixture_open(&fixture);
    cr_assert_eq(fixture.end.record_count, room_for(20u << 20, 256));
    fixture_close(&fixture);
}

Test(wal, a_spare_left_by_a_killed_server_is_made_anew)
{
    fixture_open(&fixture);
    fixture_fill(&fixture, 100, 64);
    fixture_close(&fixture);
    cr_assert_eq(truncate(segment_path(2), 123456), 0);
    fixture_open(&fixture);
    cr_assert_neq(access(segment_path(2), F_OK), 0);
    fixture_fill(&fixture, room_for(20u << 20, 256), 256);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_geq(fixture.end.segment.segment_number, 2);
    fixture_close(&fixture);
}

/* ---- the other durabilities ---- */

Test(wal, async_is_durable_when_appended_and_written_behind)
{
    fixture.options.durability = WAL_ASYNC;
    fixture_open(&fixture);
    fixture_append(&fixture, 64);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 1);
    cr_assert_not(wal_is_idle(fixture.wal));
    fixture_fill(&fixture, 5000, 64);
    cr_assert(wal_is_idle(fixture.wal));
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_eq(fixture.end.record_count, 5000);
    fixture_close(&fixture);
}

Test(wal, off_writes_nothing_and_never_runs_out_of_room)
{
    fixture.options.durability = WAL_OFF;
    fixture_open(&fixture);
    uint32_t room = wal_room(fixture.wal);
    for (int i = 0; i < 100000; i++)
        fixture_append(&fixture, LOG_RECORD_BYTES_MAX);
    fixture_turn(&fixture, 0);
    cr_assert_eq(wal_room(fixture.wal), room);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 100000);
    cr_assert(wal_is_idle(fixture.wal));
    fixture_close(&fixture);
    cr_assert_neq(access(segment_path(1), F_OK), 0);
    fixture_open(&fixture);
    cr_assert_eq(fixture.end.record_count, 0);
    fixture_close(&fixture);
}

/* ---- torn tails and damage ---- */

static void overwrite(const char *path, uint64_t offset, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY);
    cr_assert(fd >= 0);
    cr_assert_eq(pwrite(fd, bytes, count, (off_t)offset), (ssize_t)count);
    close(fd);
}

/* Two groups of 10 and 20 records, closed cleanly. */
static void write_two_groups(void)
{
    fixture_open(&fixture);
    fixture_fill(&fixture, 10, 256);
    fixture_fill(&fixture, 30, 256);
    fixture_close(&fixture);
}

static char copy_name[256];
static int copy_count;

static void note_copy(void *context, const char *name)
{
    (void)context;
    if (strncmp(name, "torn-", 5) != 0)
        return;
    copy_count++;
    snprintf(copy_name, sizeof copy_name, "%s", name);
}

static void find_copies(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/era-000001/core-000", data_path);
    copy_count = 0;
    cr_assert_eq(io_directory_list(fixture.io, path, note_copy, NULL), 0);
}

static void read_copy(void *bytes, size_t count)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/era-000001/core-000/%s", data_path, copy_name);
    int fd = open(path, O_RDONLY);
    cr_assert(fd >= 0);
    cr_assert_eq(read(fd, bytes, count), (ssize_t)count);
    close(fd);
}

Test(wal, a_group_with_a_wrong_byte_at_the_end_is_cut_and_kept_as_a_copy)
{
    write_two_groups();
    overwrite(segment_path(1), 8192 + 300, "?", 1);
    fixture_open(&fixture);
    cr_assert(fixture.was_torn);
    cr_assert_eq(fixture.end.status, LOG_GOOD);
    cr_assert_eq(fixture.end.next_lsn, 11);
    cr_assert_eq(wal_durable_lsn(fixture.wal), 10);

    find_copies();
    cr_assert_eq(copy_count, 1);
    cr_assert(strstr(copy_name, "-000-000000000001") != NULL, "%s", copy_name);
    uint8_t group[LOG_GROUP_HEADER_BYTES + 20 * 256];
    read_copy(group, sizeof group);
    cr_assert_arr_eq(group, "HFGROUP1", 8);
    cr_assert_eq(group[300], '?');

    fixture_fill(&fixture, 50, 256);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_not(fixture.was_torn);
    cr_assert_eq(fixture.end.record_count, 50);
    find_copies();
    cr_assert_eq(copy_count, 1);
    fixture_close(&fixture);
}

Test(wal, a_group_of_which_only_the_first_block_arrived_is_cut)
{
    static const uint8_t zeros[4096];
    write_two_groups();
    overwrite(segment_path(1), 8192 + 4096, zeros, sizeof zeros);
    fixture_open(&fixture);
    cr_assert(fixture.was_torn);
    cr_assert_eq(fixture.end.next_lsn, 11);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_not(fixture.was_torn, "healing is done once");
    cr_assert_eq(fixture.end.next_lsn, 11);
    fixture_close(&fixture);
}

Test(wal, garbage_far_behind_the_last_group_is_cleared)
{
    write_two_groups();
    overwrite(segment_path(1), LOG_SEGMENT_BYTES_MIN - 5, "tail", 4);
    fixture_open(&fixture);
    cr_assert(fixture.was_torn);
    cr_assert_eq(fixture.end.next_lsn, 31);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_not(fixture.was_torn);
    fixture_close(&fixture);
}

Test(wal, a_torn_segment_header_behind_the_last_group_is_cleared)
{
    write_two_groups();
    overwrite(segment_path(2), 0, "HFSEGMNT", 8);
    fixture_open(&fixture);
    cr_assert(fixture.was_torn);
    cr_assert_eq(fixture.end.next_lsn, 31);
    find_copies();
    cr_assert_eq(copy_count, 1);
    cr_assert(strstr(copy_name, "-000-000000000002") != NULL, "%s", copy_name);
    fixture_fill(&fixture, room_for(20u << 20, 256), 256);
    fixture_close(&fixture);
    fixture_open(&fixture);
    cr_assert_not(fixture.was_torn);
    cr_assert_eq(fixture.end.record_count, room_for(20u << 20, 256));
    fixture_close(&fixture);
}

static void assert_refused(const char *words[], int count)
{
    cr_assert_eq(data_directory_open(&fixture.directory, fixture.io, data_path, 1),
                 DATA_DIRECTORY_OK);
    cr_assert_eq(fixture_read(&fixture), DATA_DIRECTORY_DAMAGED);
    for (int i = 0; i < count; i++)
        cr_assert(strstr(fixture.message, words[i]) != NULL, "'%s' not in: %s", words[i],
                  fixture.message);
    data_directory_close(&fixture.directory);
}

Test(wal, damage_with_a_good_group_behind_it_is_refused_by_file_offset_and_lsn)
{
    write_two_groups();
    overwrite(segment_path(1), 4096 + 300, "?", 1);
    const char *words[] = {"000000000001.log", "offset 4096", "LSN 1 "};
    assert_refused(words, 3);
    find_copies();
    cr_assert_eq(copy_count, 0);
}

Test(wal, a_missing_segment_is_damage)
{
    fixture_open(&fixture);
    fixture_fill(&fixture, room_for(30u << 20, 256), 256);
    fixture_close(&fixture);
    cr_assert_eq(unlink(segment_path(2)), 0);
    const char *words[] = {"000000000002.log", "missing"};
    assert_refused(words, 2);
}

Test(wal, a_segment_that_was_cut_is_damage)
{
    fixture_open(&fixture);
    fixture_fill(&fixture, room_for(20u << 20, 256), 256);
    fixture_close(&fixture);
    cr_assert_eq(truncate(segment_path(1), 1 << 20), 0);
    const char *words[] = {"000000000001.log"};
    assert_refused(words, 1);
}

Test(wal, a_segment_of_another_server_is_damage)
{
    write_two_groups();
    cr_assert_eq(data_directory_open(&fixture.directory, fixture.io, data_path, 1),
                 DATA_DIRECTORY_OK);
    fixture.directory.manifest.server_id.low++; /* as if the segment were another server's */
    cr_assert_eq(fixture_read(&fixture), DATA_DIRECTORY_DAMAGED);
    cr_assert(strstr(fixture.message, "another server") != NULL, "%s", fixture.message);
    data_directory_close(&fixture.directory);
}
