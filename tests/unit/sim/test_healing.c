/* A torn tail on a disk of which any operation may fail, the reading ones too: the start that meets
 * it is refused, and the next one heals the log as if nothing had been. */

#include "disk.h"
#include "log_builder.h"
#include "read_whole_log.h"
#include "wal/data_directory.h"
#include "world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    SEGMENT_BYTES = 3 * LOG_GROUP_BYTES_MAX,
    SHORT_BYTES = 16 * LOG_BLOCK_BYTES,
    RECORD_COUNT = 5,
};

static struct io *io;
static struct data_directory directory;
static struct log_end end;
static bool was_torn;
static char message[DATA_DIRECTORY_MESSAGE_BYTES];

static enum data_directory_status read_log(void)
{
    return read_whole_log(&directory, io, 0, 0, NULL, NULL, &end, &was_torn, message);
}

static void put_file(const char *path, const uint8_t *bytes, uint64_t count)
{
    int fd = io_file_open_now(io, path, IO_FILE_CREATE);
    cr_assert_geq(fd, 0);
    cr_assert_eq(io_file_write_now(io, fd, bytes, count, 0), 0);
    cr_assert_eq(io_file_sync_now(io, fd), 0);
    io_close(io, fd);
}

/* A new world with a directory whose log is a good group. */
static void make_log(uint64_t seed, uint64_t segment_bytes, struct log_builder *builder)
{
    sim_world_begin(seed);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &io, message), IO_OK);
    io_start(io);
    cr_assert_eq(data_directory_open(&directory, io, "/data", 1), DATA_DIRECTORY_OK);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    log_builder_init(builder, segment_bytes);
    builder->server_id = directory.manifest.server_id;
    for (int i = 0; i < RECORD_COUNT; i++)
        log_builder_add_plain(builder, 64);
    log_builder_close_group(builder);
}

/* With garbage so far behind it that clearing it takes several reads and writes. */
static void make_torn_log(uint64_t seed)
{
    struct log_builder builder;
    make_log(seed, SEGMENT_BYTES, &builder);
    builder.bytes[0][SEGMENT_BYTES - 1] = 1;
    put_file("/data/era-000001/core-000/000000000001.log", builder.bytes[0], SEGMENT_BYTES);
    log_builder_deinit(&builder);
}

/* With a next segment, of which the header is torn. */
static void make_torn_segment(uint64_t seed)
{
    struct log_builder builder;
    make_log(seed, SHORT_BYTES, &builder);
    put_file("/data/era-000001/core-000/000000000001.log", builder.bytes[0], SHORT_BYTES);
    memset(builder.bytes[0], 0, SHORT_BYTES);
    builder.bytes[0][0] = 1;
    put_file("/data/era-000001/core-000/000000000002.log", builder.bytes[0], SHORT_BYTES);
    log_builder_deinit(&builder);
}

/* The next start has another number of cores. */
static void close_era(void)
{
    data_directory_close(&directory);
    cr_assert_eq(data_directory_open(&directory, io, "/data", 2), DATA_DIRECTORY_OK);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    data_directory_close(&directory);
}

static void leave(void)
{
    data_directory_close(&directory);
    io_destroy(&io);
}

Test(healing, fails_with_any_operation_and_succeeds_with_the_next_start, .timeout = 120)
{
    uint64_t n = 1;
    for (bool is_healed = false; !is_healed; n++) {
        make_torn_log(n);
        const uint64_t before = sim_disk_operation_count();
        sim_disk_fail_at(n, SIM_DISK_ERROR, EIO, false);
        const enum data_directory_status status = read_log();
        is_healed = sim_disk_operation_count() - before < n;
        sim_disk_fail_at(0, SIM_DISK_ERROR, 0, false);
        cr_assert_eq(status, is_healed ? DATA_DIRECTORY_OK : DATA_DIRECTORY_IO, "fault %u: %s",
                     (unsigned)n, message);
        cr_assert_eq(read_log(), DATA_DIRECTORY_OK, "fault %u: %s", (unsigned)n, message);
        cr_assert_eq(end.next_lsn, RECORD_COUNT + 1);
        cr_assert_eq(read_log(), DATA_DIRECTORY_OK);
        cr_assert_not(was_torn, "healing is done once");
        leave();
    }
    cr_expect_gt(n, 30, "%u operations", (unsigned)n);
}

/* A start that failed may have cleared a segment and not synced it. The next one finds nothing
 * there and closes the era, in which a torn header is damage. */
Test(healing, a_segment_that_was_found_cleared_stays_so_when_the_era_is_closed, .timeout = 120)
{
    uint64_t n = 1;
    for (bool is_healed = false; !is_healed; n++) {
        /* Each seed has the power take something else of what is not synced. */
        for (uint64_t seed = 1; seed <= 6; seed++) {
            make_torn_segment(seed);
            sim_disk_fail_at(n, SIM_DISK_ERROR, EIO, false);
            is_healed = read_log() == DATA_DIRECTORY_OK;
            sim_disk_fail_at(0, SIM_DISK_ERROR, 0, false);
            close_era();
            sim_disk_crash(SIM_CRASH_POWER);
            cr_assert_eq(data_directory_open(&directory, io, "/data", 2), DATA_DIRECTORY_OK);
            cr_assert_eq(read_log(), DATA_DIRECTORY_OK, "fault %u: %s", (unsigned)n, message);
            cr_assert_eq(end.next_lsn, RECORD_COUNT + 1);
            leave();
        }
    }
    cr_expect_gt(n, 20, "%u operations", (unsigned)n);
}

/* The process dies of a write or sync whose bytes never reach the medium, though they can be read
 * until the power goes. Whatever the next start has read must be there after that. */
Test(healing, what_a_failed_sync_dropped_is_not_taken_for_written, .timeout = 120)
{
    uint64_t n = 1;
    for (bool is_healed = false; !is_healed; n++) {
        make_torn_log(n);
        const uint64_t before = sim_disk_operation_count();
        sim_disk_fail_at(n, SIM_DISK_UNSYNCED, EIO, false);
        is_healed = read_log() == DATA_DIRECTORY_OK;
        cr_assert_eq(is_healed, sim_disk_operation_count() - before < n);
        sim_disk_fail_at(0, SIM_DISK_ERROR, 0, false);
        cr_assert_eq(read_log(), DATA_DIRECTORY_OK, "fault %u: %s", (unsigned)n, message);
        data_directory_close(&directory);
        sim_disk_crash(SIM_CRASH_POWER);
        cr_assert_eq(data_directory_open(&directory, io, "/data", 1), DATA_DIRECTORY_OK);
        cr_assert_eq(read_log(), DATA_DIRECTORY_OK, "fault %u: %s", (unsigned)n, message);
        cr_assert_not(was_torn, "fault %u: the healed place is torn again", (unsigned)n);
        leave();
    }
    cr_expect_gt(n, 30, "%u operations", (unsigned)n);
}
