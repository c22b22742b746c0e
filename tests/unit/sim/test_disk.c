/* What the simulated disk keeps and loses. Random losses are looked at over many seeds: a property
 * must hold in each, and what may happen must happen in some. */
#include "operation.h"

#include "disk.h"
#include "private.h"

#include <errno.h>
#include <string.h>

enum { SEEDS = 300, BLOCK = 4096, SECTOR = 512 };

static struct io *io;
static _Alignas(BLOCK) uint8_t block[4 * BLOCK];

static void begin(uint64_t seed)
{
    sim_world_begin(seed);
    io = io_started();
}

static void fill(uint8_t value, uint32_t bytes)
{
    memset(block, value, bytes);
}

/* A file whose name is on the medium and which has so many bytes of zeros there. */
static int durable_file(const char *path, uint32_t bytes)
{
    int fd = io_file_open_now(io, path, IO_FILE_CREATE);
    cr_assert_geq(fd, 0);
    cr_assert_eq(io_file_allocate_now(io, fd, bytes), 0);
    cr_assert_eq(io_file_sync_now(io, fd), 0);
    cr_assert_eq(io_directory_sync(io, "/"), 0);
    return fd;
}

static void crash(enum sim_crash kind)
{
    sim_disk_crash(kind);
    sim_io_crash();
    io = io_started();
}

static uint8_t byte_at(const char *path, uint64_t offset)
{
    uint8_t byte;
    sim_disk_read(path, offset, &byte, 1);
    return byte;
}

/* How many sectors begin with this byte. */
static uint32_t sectors_with(const char *path, uint8_t value, uint32_t sector_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sector_count; i++)
        count += byte_at(path, (uint64_t)i * SECTOR) == value;
    return count;
}

/* ---- content ---- */

Test(disk, reads_give_what_was_written_and_zeros_between)
{
    begin(1);
    int fd = durable_file("/f", 64 * BLOCK);
    fill(7, 100);
    cr_assert_eq(io_file_write_now(io, fd, block, 100, 3 * BLOCK - 50), 0);
    uint8_t read[3 * BLOCK];
    cr_assert_eq(io_file_read_now(io, fd, read, sizeof read, 2 * BLOCK), 0);
    for (uint32_t i = 0; i < sizeof read; i++)
        cr_assert_eq(read[i], i >= BLOCK - 50 && i < BLOCK + 50 ? 7 : 0);
    cr_expect_eq(io_file_read_now(io, fd, read, 1, 64 * BLOCK), -ENODATA);
}

Test(disk, what_was_synced_survives_every_loss_of_power)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        int fd = durable_file("/f", 4 * BLOCK);
        fill(7, 4 * BLOCK);
        cr_assert_eq(io_file_write_now(io, fd, block, 4 * BLOCK, 0), 0);
        cr_assert_eq(io_file_sync_now(io, fd), 0);
        crash(SIM_CRASH_POWER);
        cr_assert_eq(sectors_with("/f", 7, 32), 32);
    }
}

Test(disk, what_was_not_synced_survives_in_any_sectors)
{
    uint32_t none = 0;
    uint32_t all = 0;
    uint32_t some = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        int fd = durable_file("/f", 4 * BLOCK);
        fill(7, 4 * BLOCK);
        cr_assert_eq(io_file_write_now(io, fd, block, 4 * BLOCK, 0), 0);
        crash(SIM_CRASH_POWER);
        uint32_t kept = sectors_with("/f", 7, 32);
        cr_assert_eq(kept + sectors_with("/f", 0, 32), 32);
        none += kept == 0;
        all += kept == 32;
        some += kept > 0 && kept < 32;
    }
    cr_expect_gt(none, 10);
    cr_expect_gt(all, 10);
    cr_expect_gt(some, 10);
}

Test(disk, a_kill_loses_nothing_and_a_later_loss_of_power_may)
{
    uint32_t lost = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        int fd = durable_file("/f", BLOCK);
        fill(7, BLOCK);
        cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
        crash(SIM_CRASH_KILL);
        cr_assert_eq(sectors_with("/f", 7, 8), 8);
        crash(SIM_CRASH_POWER);
        lost += sectors_with("/f", 7, 8) < 8;
    }
    cr_expect_gt(lost, 10);
}

Test(disk, a_size_that_was_not_synced_may_be_lost_with_what_lies_beyond)
{
    uint32_t short_count = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        int fd = durable_file("/f", BLOCK);
        fill(7, 2 * BLOCK);
        cr_assert_eq(io_file_write_now(io, fd, block, 2 * BLOCK, 0), 0);
        crash(SIM_CRASH_POWER);
        int64_t bytes = sim_disk_size("/f");
        cr_assert(bytes == BLOCK || bytes == 2 * BLOCK);
        short_count += bytes == BLOCK;
        fd = io_file_open_now(io, "/f", 0);
        cr_assert_eq(io_file_allocate_now(io, fd, 2 * BLOCK), 0);
        if (bytes == BLOCK)
            cr_assert_eq(byte_at("/f", BLOCK), 0);
    }
    cr_expect_gt(short_count, 10);
    cr_expect_lt(short_count, SEEDS - 10);
}

/* ---- operations that take their time ---- */

Test(disk, a_durable_write_is_on_the_medium_when_it_is_done_and_not_before_it_began)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct operation write;
        begin(seed);
        int fd = durable_file("/f", BLOCK);
        fill(7, BLOCK);
        io_file_write(io, operation_prepare(&write), fd, block, BLOCK, 0, true);
        cr_assert_eq(byte_at("/f", 0), 0);
        cr_assert_eq(operation_finish(io, &write), BLOCK);
        crash(SIM_CRASH_POWER);
        cr_assert_eq(sectors_with("/f", 7, 8), 8);
    }
}

Test(disk, a_write_that_was_only_prepared_leaves_no_trace)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct operation write;
        begin(seed);
        int fd = durable_file("/f", BLOCK);
        fill(7, BLOCK);
        io_file_write(io, operation_prepare(&write), fd, block, BLOCK, 0, true);
        crash(SIM_CRASH_KILL);
        cr_assert_eq(sectors_with("/f", 7, 8), 0);
        while (sim_run_event())
            cr_assert_eq(write.done_count, 0);
    }
}

static uint32_t sectors_after_crash_in_flight(uint64_t seed, enum sim_crash kind, bool *is_prefix)
{
    struct operation write;
    begin(seed);
    int fd = durable_file("/f", 4 * BLOCK);
    fill(7, 4 * BLOCK);
    io_file_write(io, operation_prepare(&write), fd, block, 4 * BLOCK, 0, true);
    io_turn(io, UINT64_MAX);
    fill(0, 4 * BLOCK); /* the engine's memory is gone */
    crash(kind);
    uint32_t kept = sectors_with("/f", 7, 32);
    *is_prefix = kept == 0 || byte_at("/f", (uint64_t)(kept - 1) * SECTOR) == 7;
    while (sim_run_event())
        cr_assert_eq(write.done_count, 0);
    return kept;
}

Test(disk, a_crash_tears_the_write_in_flight)
{
    for (enum sim_crash kind = SIM_CRASH_KILL; kind <= SIM_CRASH_POWER; kind++) {
        uint32_t none = 0;
        uint32_t all = 0;
        uint32_t torn = 0;
        uint32_t with_holes = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            bool is_prefix;
            uint32_t kept = sectors_after_crash_in_flight(seed, kind, &is_prefix);
            none += kept == 0;
            all += kept == 32;
            torn += kept > 0 && kept < 32 && is_prefix;
            with_holes += !is_prefix;
        }
        cr_expect_gt(none, 10);
        cr_expect_gt(all, 10);
        cr_expect_gt(torn, 10);
        cr_expect(kind == SIM_CRASH_KILL ? with_holes == 0 : with_holes > 10);
    }
}

Test(disk, a_later_write_may_be_done_before_an_earlier_one)
{
    uint32_t overtaken = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct operation first;
        struct operation second;
        begin(seed);
        int fd = durable_file("/f", 2 * BLOCK);
        fill(7, 2 * BLOCK);
        io_file_write(io, operation_prepare(&first), fd, block, BLOCK, 0, true);
        io_file_write(io, operation_prepare(&second), fd, block + BLOCK, BLOCK, BLOCK, true);
        operation_finish(io, &second);
        overtaken += first.op.is_pending && byte_at("/f", 0) == 0;
        operation_finish(io, &first);
    }
    cr_expect_gt(overtaken, 50);
}

Test(disk, a_sync_covers_what_was_written_before_it_began)
{
    uint32_t later_lost = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct operation sync;
        begin(seed);
        int fd = durable_file("/f", 3 * BLOCK);
        fill(7, BLOCK);
        cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
        cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 2 * BLOCK), 0);
        io_file_sync(io, operation_prepare(&sync), fd);
        io_turn(io, UINT64_MAX);
        cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, BLOCK), 0);
        fill(8, BLOCK); /* and again over what the sync covers */
        cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 2 * BLOCK), 0);
        cr_assert_eq(operation_finish(io, &sync), 0);
        crash(SIM_CRASH_POWER);
        cr_assert_eq(sectors_with("/f", 7, 8), 8);
        later_lost += byte_at("/f", BLOCK) == 0;
        cr_assert_neq(byte_at("/f", 2 * BLOCK), 0);
    }
    cr_expect_gt(later_lost, 10);
}

/* ---- names ---- */

Test(disk, a_name_survives_for_certain_only_when_its_folder_was_synced)
{
    uint32_t lost = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        cr_assert_eq(io_directory_create(io, "/d"), 0);
        cr_assert_eq(io_directory_sync(io, "/"), 0);
        io_close(io, io_file_open_now(io, "/d/a", IO_FILE_CREATE));
        cr_assert_eq(io_directory_sync(io, "/d"), 0);
        io_close(io, io_file_open_now(io, "/d/b", IO_FILE_CREATE));
        io_close(io, io_file_open_now(io, "/d/c", IO_FILE_CREATE));
        crash(SIM_CRASH_POWER);
        cr_assert_eq(sim_disk_size("/d/a"), 0);
        bool has_b = sim_disk_size("/d/b") == 0;
        bool has_c = sim_disk_size("/d/c") == 0;
        cr_assert(has_b || !has_c, "names are lost from the last one on");
        lost += !has_b;
    }
    cr_expect_gt(lost, 10);
    cr_expect_lt(lost, SEEDS - 10);
}

Test(disk, a_rename_that_was_not_synced_is_undone_or_not_and_never_half_done)
{
    uint32_t undone = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        io_close(io, durable_file("/old", BLOCK));
        io_close(io, durable_file("/new", 2 * BLOCK));
        cr_assert_eq(io_file_rename_now(io, "/new", "/old"), 0);
        cr_assert_eq(sim_disk_size("/old"), 2 * BLOCK);
        crash(SIM_CRASH_POWER);
        bool is_undone = sim_disk_size("/old") == BLOCK;
        cr_assert_eq(sim_disk_size(is_undone ? "/new" : "/old"), 2 * BLOCK);
        cr_assert(is_undone || sim_disk_size("/new") == -1);
        undone += is_undone;
    }
    cr_expect_gt(undone, 10);
    cr_expect_lt(undone, SEEDS - 10);
}

Test(disk, a_removed_file_may_come_back)
{
    uint32_t back = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        io_close(io, durable_file("/f", BLOCK));
        cr_assert_eq(io_file_remove_now(io, "/f"), 0);
        crash(SIM_CRASH_POWER);
        back += sim_disk_size("/f") == BLOCK;
    }
    cr_expect_gt(back, 10);
    cr_expect_lt(back, SEEDS - 10);
}

static void count_name(void *context, const char *name)
{
    uint32_t *names = context;
    names[0] = names[0] * 10 + (uint32_t)(name[0] - '0');
}

Test(disk, a_folder_is_listed_in_any_order)
{
    bool is_seen[400] = {false};
    uint32_t orders = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint32_t order = 0;
        begin(seed);
        for (const char *path = "/1\0/2\0/3\0"; *path != '\0'; path += 3)
            io_close(io, io_file_open_now(io, path, IO_FILE_CREATE));
        cr_assert_eq(io_directory_list(io, "/", count_name, &order), 0);
        orders += !is_seen[order];
        is_seen[order] = true;
    }
    cr_expect_eq(orders, 6);
}

Test(disk, errors_of_names_are_those_of_the_system)
{
    begin(1);
    io_close(io, durable_file("/f", BLOCK));
    cr_assert_eq(io_directory_create(io, "/d"), 0);
    cr_expect_eq(io_directory_create(io, "/d"), 0);
    cr_expect_eq(io_directory_create(io, "/f"), -ENOTDIR);
    cr_expect_eq(io_directory_create(io, "/x/y"), -ENOENT);
    cr_expect_eq(io_file_open_now(io, "/x", 0), -ENOENT);
    cr_expect_eq(io_file_open_now(io, "/f/x", 0), -ENOTDIR);
    cr_expect_eq(io_file_open_now(io, "/f", IO_FILE_CREATE), -EEXIST);
    cr_expect_eq(io_file_open_now(io, "/f", IO_FILE_DIRECTORY), -ENOTDIR);
    cr_expect_eq(io_file_open_now(io, "/d", 0), -ENXIO);
    cr_expect_eq(io_file_remove_now(io, "/x"), -ENOENT);
    cr_expect_eq(io_directory_sync(io, "/x"), -ENOENT);
    cr_expect_eq(io_directory_list(io, "/f", count_name, NULL), -ENOTDIR);
}

Test(disk, a_lock_ends_with_its_descriptor_or_the_process)
{
    begin(1);
    cr_assert_eq(io_directory_create(io, "/d"), 0);
    int first = io_file_open_now(io, "/d", IO_FILE_DIRECTORY);
    int second = io_file_open_now(io, "/d", IO_FILE_DIRECTORY);
    cr_expect_eq(io_file_lock(io, first), 0);
    cr_expect_eq(io_file_lock(io, second), -EWOULDBLOCK);
    io_close(io, first);
    cr_expect_eq(io_file_lock(io, second), 0);
    crash(SIM_CRASH_KILL);
    int third = io_file_open_now(io, "/d", IO_FILE_DIRECTORY);
    cr_expect_eq(io_file_lock(io, third), 0);
    cr_expect_eq(sim_io_open_descriptors(), 1);
}

/* ---- faults ---- */

Test(disk, the_nth_operation_fails_once_or_for_ever)
{
    begin(1);
    int fd = durable_file("/f", BLOCK);
    fill(7, BLOCK);
    sim_disk_fail_at(2, SIM_DISK_ERROR, EIO, false);
    cr_expect_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
    cr_expect_eq(io_file_sync_now(io, fd), -EIO);
    cr_expect_eq(io_file_sync_now(io, fd), 0);
    sim_disk_fail_at(1, SIM_DISK_ERROR, ENOSPC, true);
    cr_expect_eq(io_file_sync_now(io, fd), -ENOSPC);
    cr_expect_eq(io_file_size(io, fd), -ENOSPC);
    sim_disk_fail_at(0, SIM_DISK_ERROR, EIO, false);
    cr_expect_eq(io_file_size(io, fd), BLOCK);
}

/* That was the last operation. */
static bool is_of_the_other_file(const char *name, const char *path, uint64_t operation)
{
    (void)name;
    return strcmp(path, "/other") == 0 && operation == sim_disk_operation_count();
}

Test(disk, what_fails_after_thousands_of_the_same_failures_is_told_too)
{
    enum { FAILURES = 3000 };
    begin(1);
    int fd = durable_file("/f", BLOCK);
    int other_fd = durable_file("/other", BLOCK);
    sim_disk_fail_at(1, SIM_DISK_ERROR, ENOSPC, true);
    for (int i = 0; i < FAILURES; i++)
        cr_assert_eq(io_file_sync_now(io, fd), -ENOSPC);
    cr_expect(!sim_disk_has_failed(is_of_the_other_file));
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(io_file_sync_now(io, other_fd), -ENOSPC);
        cr_expect(sim_disk_has_failed(is_of_the_other_file));
    }
}

Test(disk, an_asynchronous_operation_counts_when_it_is_asked_for)
{
    struct operation first;
    struct operation second;
    begin(1);
    int fd = durable_file("/f", 2 * BLOCK);
    fill(7, 2 * BLOCK);
    sim_disk_fail_at(2, SIM_DISK_ERROR, EIO, false);
    io_file_write(io, operation_prepare(&first), fd, block, BLOCK, 0, true);
    io_file_write(io, operation_prepare(&second), fd, block, BLOCK, BLOCK, true);
    cr_expect_eq(io_file_size(io, fd), 2 * BLOCK);
    cr_expect_eq(operation_finish(io, &first), BLOCK);
    cr_expect_eq(operation_finish(io, &second), -EIO);
    cr_expect_eq(byte_at("/f", BLOCK), 0);
}

Test(disk, a_short_write_says_how_short)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct operation write;
        begin(seed);
        int fd = durable_file("/f", 4 * BLOCK);
        fill(7, 4 * BLOCK);
        sim_disk_fail_at(1, SIM_DISK_SHORT, EIO, false);
        io_file_write(io, operation_prepare(&write), fd, block, 4 * BLOCK, 0, true);
        int32_t result = operation_finish(io, &write);
        cr_assert_geq(result, 0);
        cr_assert_lt(result, 4 * BLOCK);
        cr_assert_eq(sectors_with("/f", 7, 32), (uint32_t)result / SECTOR);
    }
}

/* As after a failed fsync on Linux: the page reads as written and counts as clean. Only a direct
 * access, and so the checkers, sees what is on the medium. */
Test(disk, what_a_failed_sync_dropped_is_never_synced_and_reads_as_written)
{
    begin(1);
    int fd = durable_file("/f", BLOCK);
    fill(7, BLOCK);
    cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
    sim_disk_fail_at(1, SIM_DISK_UNSYNCED, EIO, false);
    cr_expect_eq(io_file_sync_now(io, fd), -EIO);
    cr_expect_eq(io_file_sync_now(io, fd), 0);
    fill(0, BLOCK);
    cr_assert_eq(io_file_read_now(io, fd, block, BLOCK, 0), 0);
    cr_expect_eq(block[0], 7);
    cr_expect_neq(byte_at("/f", 0), 7);
    int direct_fd = io_file_open_now(io, "/f", IO_FILE_READ | IO_FILE_DIRECT);
    cr_assert_eq(io_file_read_now(io, direct_fd, block, BLOCK, 0), 0);
    cr_expect_eq(block[0], byte_at("/f", 0));
    crash(SIM_CRASH_POWER);
    cr_expect_eq(sectors_with("/f", 0, 8), 8);
}

Test(disk, room_is_counted_when_it_is_allocated_and_comes_back_with_the_file)
{
    begin(1);
    sim_disk_set_options(&(struct sim_disk_options){.capacity_bytes = 4 * BLOCK});
    int first = durable_file("/f", 3 * BLOCK);
    int second = io_file_open_now(io, "/g", IO_FILE_CREATE);
    fill(7, 2 * BLOCK);
    cr_expect_eq(io_file_allocate_now(io, second, 2 * BLOCK), -ENOSPC);
    cr_expect_eq(io_file_write_now(io, second, block, 2 * BLOCK, 0), -ENOSPC);
    cr_expect_eq(io_file_write_now(io, first, block, BLOCK, 2 * BLOCK), 0);
    cr_assert_eq(io_file_remove_now(io, "/f"), 0);
    cr_expect_eq(io_file_allocate_now(io, second, 2 * BLOCK), -ENOSPC);
    io_close(io, first);
    cr_expect_eq(io_file_allocate_now(io, second, 2 * BLOCK), 0);
}

Test(disk, a_flipped_bit_is_there_after_a_loss_of_power_and_twice_is_as_before)
{
    begin(1);
    int fd = durable_file("/f", 2 * BLOCK);
    fill(7, BLOCK);
    cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
    cr_assert_eq(io_file_sync_now(io, fd), 0);
    sim_disk_flip("/f", 600, 3);
    sim_disk_flip("/f", BLOCK + 1, 0);
    crash(SIM_CRASH_POWER);
    cr_expect_eq(byte_at("/f", 600), 7 ^ 8);
    cr_expect_eq(byte_at("/f", BLOCK + 1), 1);
    sim_disk_flip("/f", 600, 3);
    cr_expect_eq(byte_at("/f", 600), 7);
}

/* ---- the observer ---- */

static struct {
    uint32_t durable_count;
    uint32_t sync_count;
    uint8_t first_byte;
} seen;

static void see(const struct sim_disk_event *event)
{
    cr_assert_str_eq(event->path, "/f");
    if (event->kind == SIM_DISK_SYNCED) {
        seen.sync_count++;
        return;
    }
    cr_assert_eq(event->kind, SIM_DISK_WRITTEN);
    cr_assert_eq(event->offset, 0);
    cr_assert_eq(event->bytes, BLOCK);
    seen.durable_count++;
    seen.first_byte = event->data[0];
}

Test(disk, the_observer_sees_durable_writes_and_syncs_that_were_made)
{
    struct operation write;
    begin(1);
    int fd = durable_file("/f", BLOCK);
    sim_disk_observe(see);
    fill(7, BLOCK);
    io_file_write(io, operation_prepare(&write), fd, block, BLOCK, 0, true);
    io_turn(io, UINT64_MAX);
    cr_expect_eq(seen.durable_count, 0);
    cr_assert(sim_run_event());
    cr_expect_eq(seen.durable_count, 1);
    cr_expect_eq(write.done_count, 0);
    cr_expect_eq(seen.first_byte, 7);
    operation_finish(io, &write);
    io_file_write(io, operation_prepare(&write), fd, block, BLOCK, 0, false);
    operation_finish(io, &write);
    sim_disk_fail_at(1, SIM_DISK_ERROR, EIO, false);
    io_file_write(io, operation_prepare(&write), fd, block, BLOCK, 0, true);
    operation_finish(io, &write);
    cr_expect_eq(seen.durable_count, 1);
    cr_assert_eq(io_file_sync_now(io, fd), 0);
    cr_expect_eq(seen.sync_count, 1);
}

static char story[256];

static void tell(const struct sim_disk_event *event)
{
    static const char *const kinds[] = {"written", "synced", "renamed", "removed"};
    size_t used = strlen(story);
    snprintf(story + used, sizeof story - used, "%s %s%s%s%s; ", kinds[event->kind], event->path,
             event->to_path == NULL ? "" : " ", event->to_path == NULL ? "" : event->to_path,
             event->kind == SIM_DISK_REMOVED && sim_disk_size(event->path) > 0 ? " there" : "");
}

Test(disk, the_observer_sees_what_becomes_of_names)
{
    begin(1);
    durable_file("/f", BLOCK);
    sim_disk_observe(tell);
    story[0] = '\0';
    cr_assert_eq(io_file_rename_now(io, "/f", "/g"), 0);
    cr_assert_eq(io_directory_sync(io, "/"), 0);
    cr_assert_eq(io_file_remove_now(io, "/g"), 0);
    cr_assert_eq(io_file_remove_now(io, "/g"), -ENOENT);
    sim_disk_fail_at(1, SIM_DISK_ERROR, EIO, false);
    cr_assert_eq(io_directory_sync(io, "/"), -EIO);
    cr_expect_str_eq(story, "renamed /f /g; synced ; removed /g there; ");
}

Test(disk, what_a_loss_of_power_can_change_is_told)
{
    begin(1);
    int fd = io_file_open_now(io, "/f", IO_FILE_CREATE);
    fill(0, BLOCK);
    cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
    cr_expect(sim_disk_is_zero("/f"));
    cr_expect_not(sim_disk_is_synced("/f"));
    cr_assert_eq(io_file_sync_now(io, fd), 0);
    cr_expect(sim_disk_is_synced("/f"));
    cr_expect_not(sim_disk_is_safe("/f"));
    cr_assert_eq(io_directory_sync(io, "/"), 0);
    cr_expect(sim_disk_is_safe("/f"));
    cr_assert_eq(io_file_rename_now(io, "/f", "/g"), 0);
    cr_expect_not(sim_disk_is_safe("/g"));
    cr_expect_not(sim_disk_is_safe("/f"));
    cr_assert_eq(io_directory_sync(io, "/"), 0);
    cr_expect(sim_disk_is_safe("/g"));
    fill(1, BLOCK);
    cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
    cr_expect_not(sim_disk_is_safe("/g"));
    cr_expect_not(sim_disk_is_zero("/g"));
}

static bool is_a_sync_of_g(const char *name, const char *path, uint64_t operation)
{
    cr_assert_leq(operation, sim_disk_operation_count());
    return strcmp(name, "io_file_sync_now") == 0 && strcmp(path, "/g") == 0;
}

Test(disk, which_operations_were_failed_is_told)
{
    begin(1);
    int f = durable_file("/f", BLOCK);
    int g = durable_file("/g", BLOCK);
    sim_disk_fail_at(1, SIM_DISK_ERROR, EIO, false);
    cr_assert_eq(io_file_sync_now(io, f), -EIO);
    cr_assert_eq(io_file_sync_now(io, g), 0);
    cr_expect_not(sim_disk_has_failed(is_a_sync_of_g));
    sim_disk_fail_at(1, SIM_DISK_ERROR, EIO, true);
    cr_assert_eq(io_file_sync_now(io, f), -EIO);
    cr_assert_eq(io_file_sync_now(io, g), -EIO);
    cr_expect(sim_disk_has_failed(is_a_sync_of_g));
    sim_disk_fail_at(0, SIM_DISK_ERROR, 0, false);
    cr_expect_not(sim_disk_has_failed(is_a_sync_of_g));
}
