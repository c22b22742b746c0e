/* The asynchronous file operations of the simulated io: when they take effect, what a crash in the
 * middle leaves, and what fails. Chance is looked at over many seeds: a property must hold in each,
 * and what may happen must happen in some. */
#include "operation.h"

#include "disk.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SEEDS = 300, BLOCK = 4096, SECTOR = 512 };

static struct io *io;
static _Alignas(BLOCK) uint8_t block[4 * BLOCK];

static void begin(uint64_t seed)
{
    sim_world_begin(seed);
    io = io_started();
}

static void crash(enum sim_crash kind)
{
    sim_disk_crash(kind);
    sim_io_crash();
    io = io_started();
}

static int32_t open_file(const char *path, uint32_t flags)
{
    struct operation operation;
    io_file_open(io, operation_prepare(&operation), path, flags);
    return operation_finish(io, &operation);
}

static int32_t read_file(int fd, uint32_t bytes, uint64_t offset)
{
    struct operation operation;
    io_file_read(io, operation_prepare(&operation), fd, block, bytes, offset);
    return operation_finish(io, &operation);
}

static int32_t allocate(int fd, uint64_t bytes)
{
    struct operation operation;
    io_file_allocate(io, operation_prepare(&operation), fd, bytes);
    return operation_finish(io, &operation);
}

static int32_t rename_file(const char *from, const char *to)
{
    struct operation operation;
    io_file_rename(io, operation_prepare(&operation), from, to);
    return operation_finish(io, &operation);
}

static int32_t remove_file(const char *path)
{
    struct operation operation;
    io_file_remove(io, operation_prepare(&operation), path);
    return operation_finish(io, &operation);
}

/* A closed file of so many bytes of this value, on the medium with its name. */
static void make_file(const char *path, uint8_t value, uint32_t bytes)
{
    int fd = io_file_open_now(io, path, IO_FILE_CREATE);
    cr_assert_geq(fd, 0);
    memset(block, value, bytes);
    cr_assert_eq(io_file_write_now(io, fd, block, bytes, 0), 0);
    cr_assert_eq(io_file_sync_now(io, fd), 0);
    cr_assert_eq(io_directory_sync(io, "/"), 0);
    io_close(io, fd);
}

static uint8_t first_byte(const char *path)
{
    uint8_t byte;
    sim_disk_read(path, 0, &byte, 1);
    return byte;
}

static bool exists(const char *path)
{
    return sim_disk_size(path) >= 0;
}

/* ---- results ---- */

Test(file, is_created_allocated_written_and_read)
{
    struct operation write;
    begin(1);
    int fd = open_file("/f", IO_FILE_CREATE | IO_FILE_DIRECT);
    cr_assert_geq(fd, 0);
    cr_expect_eq(allocate(fd, 3 * BLOCK), 0);
    cr_expect_eq(sim_disk_size("/f"), 3 * BLOCK);
    cr_expect_eq(allocate(fd, BLOCK), 0);
    cr_expect_eq(sim_disk_size("/f"), 3 * BLOCK, "it got smaller");
    memset(block, 7, BLOCK);
    io_file_write(io, operation_prepare(&write), fd, block, BLOCK, 2 * BLOCK, true);
    cr_assert_eq(operation_finish(io, &write), BLOCK);
    memset(block, 1, sizeof block);
    cr_expect_eq(read_file(fd, 2 * BLOCK, BLOCK), 2 * BLOCK);
    cr_expect_eq(block[0], 0);
    cr_expect_eq(block[BLOCK], 7);
    cr_expect_eq(read_file(fd, 4 * BLOCK, 2 * BLOCK), BLOCK, "what there is up to the end");
    cr_expect_eq(block[0], 7);
    cr_expect_eq(read_file(fd, BLOCK, 3 * BLOCK), 0, "the end");
    cr_expect_eq(read_file(fd, BLOCK, 9 * BLOCK), 0, "behind the end");
}

Test(file, errors_of_names_are_those_of_the_system)
{
    begin(1);
    make_file("/f", 7, BLOCK);
    cr_assert_eq(io_directory_create(io, "/d"), 0);
    cr_expect_eq(open_file("/x", 0), -ENOENT);
    cr_expect_eq(open_file("/x/y", IO_FILE_CREATE), -ENOENT);
    cr_expect_eq(open_file("/f", IO_FILE_CREATE), -EEXIST);
    cr_expect_eq(open_file("/f/x", 0), -ENOTDIR);
    cr_expect_eq(open_file("/f", IO_FILE_DIRECTORY), -ENOTDIR);
    cr_expect_eq(open_file("/d", 0), -ENXIO);
    cr_expect_eq(open_file("/d", IO_FILE_READ), -ENXIO);
    cr_expect_eq(rename_file("/x", "/f"), -ENOENT);
    cr_expect_eq(rename_file("/f", "/x/y"), -ENOENT);
    cr_expect_eq(remove_file("/x"), -ENOENT);
    cr_expect_eq(remove_file("/d"), -EISDIR);
    cr_expect_eq(sim_disk_size("/f"), BLOCK);
}

Test(file, a_folder_is_opened_as_one_and_synced)
{
    struct operation sync;
    begin(1);
    cr_assert_eq(io_directory_create(io, "/d"), 0);
    cr_assert_eq(io_directory_sync(io, "/"), 0);
    int fd = open_file("/d", IO_FILE_DIRECTORY);
    io_close(io, open_file("/d/f", IO_FILE_CREATE));
    io_file_sync(io, operation_prepare(&sync), fd);
    cr_expect_eq(operation_finish(io, &sync), 0);
    crash(SIM_CRASH_POWER);
    cr_expect(exists("/d/f"));
}

Test(file, a_rename_replaces_what_has_the_name_and_who_has_it_open_keeps_it)
{
    begin(1);
    make_file("/old", 1, BLOCK);
    make_file("/new", 2, 2 * BLOCK);
    int fd = io_file_open_now(io, "/old", IO_FILE_READ);
    cr_expect_eq(rename_file("/new", "/old"), 0);
    cr_expect_not(exists("/new"));
    cr_expect_eq(sim_disk_size("/old"), 2 * BLOCK);
    cr_expect_eq(first_byte("/old"), 2);
    cr_expect_eq(read_file(fd, 2 * BLOCK, 0), BLOCK);
    cr_expect_eq(block[0], 1);
}

Test(file, a_removed_file_that_is_open_can_be_read_until_it_is_closed)
{
    begin(1);
    make_file("/f", 7, BLOCK);
    int fd = io_file_open_now(io, "/f", IO_FILE_READ);
    cr_expect_eq(remove_file("/f"), 0);
    cr_expect_not(exists("/f"));
    cr_expect_eq(read_file(fd, BLOCK, 0), BLOCK);
    cr_expect_eq(block[0], 7);
    io_close(io, fd);
    cr_expect_eq(sim_io_open_descriptors(), 0);
}

/* ---- when ---- */

enum change {
    CHANGE_CREATE,
    CHANGE_ALLOCATE,
    CHANGE_RENAME,
    CHANGE_REPLACE,
    CHANGE_REMOVE,
    CHANGE_COUNT
};

static void change_files(void)
{
    make_file("/a", 1, BLOCK);
    make_file("/b", 2, 2 * BLOCK);
}

/* Asks for it, on the files that change_files() makes. */
static void change_prepare(enum change change, struct operation *operation)
{
    struct io_op *op = operation_prepare(operation);
    switch (change) {
    case CHANGE_CREATE:
        io_file_open(io, op, "/c", IO_FILE_CREATE);
        break;
    case CHANGE_ALLOCATE:
        io_file_allocate(io, op, io_file_open_now(io, "/a", 0), 4 * BLOCK);
        break;
    case CHANGE_RENAME:
        io_file_rename(io, op, "/a", "/c");
        break;
    case CHANGE_REPLACE:
        io_file_rename(io, op, "/b", "/a");
        break;
    case CHANGE_REMOVE:
        io_file_remove(io, op, "/a");
        break;
    case CHANGE_COUNT:
        break;
    }
}

/* Whether it is made. Anything but made or not is a failure. */
static bool change_is_made(enum change change)
{
    bool is_made = false;
    int64_t a_bytes = sim_disk_size("/a");
    switch (change) {
    case CHANGE_CREATE:
        is_made = exists("/c");
        cr_assert_eq(a_bytes, BLOCK);
        break;
    case CHANGE_ALLOCATE:
        is_made = a_bytes == 4 * BLOCK;
        cr_assert(is_made || a_bytes == BLOCK);
        cr_assert_eq(first_byte("/a"), 1);
        break;
    case CHANGE_RENAME:
        is_made = exists("/c");
        cr_assert_eq(sim_disk_size(is_made ? "/c" : "/a"), BLOCK);
        cr_assert_eq(first_byte(is_made ? "/c" : "/a"), 1);
        cr_assert_not(exists(is_made ? "/a" : "/c"));
        break;
    case CHANGE_REPLACE:
        is_made = !exists("/b");
        cr_assert_eq(a_bytes, is_made ? 2 * BLOCK : BLOCK);
        cr_assert_eq(first_byte("/a"), is_made ? 2 : 1);
        return is_made;
    case CHANGE_REMOVE:
        is_made = !exists("/a");
        break;
    case CHANGE_COUNT:
        break;
    }
    cr_assert_eq(sim_disk_size("/b"), 2 * BLOCK);
    return is_made;
}

Test(when, a_change_is_made_when_it_completes_and_not_before)
{
    for (enum change change = 0; change < CHANGE_COUNT; change++) {
        struct operation operation;
        begin(change + 1);
        change_files();
        change_prepare(change, &operation);
        cr_expect_eq(sim_next_event_ns(), UINT64_MAX, "it has not begun");
        io_turn(io, UINT64_MAX);
        cr_expect_not(change_is_made(change));
        cr_assert(sim_run_event());
        cr_expect_gt(sim_now_ns(), 0);
        cr_expect(change_is_made(change));
        cr_expect_eq(operation.done_count, 0);
        cr_expect_geq(operation_finish(io, &operation), 0);
    }
}

Test(when, a_read_sees_the_file_as_it_is_when_it_completes)
{
    struct operation read;
    begin(1);
    make_file("/f", 7, BLOCK);
    int fd = io_file_open_now(io, "/f", 0);
    memset(block, 1, sizeof block);
    io_file_read(io, operation_prepare(&read), fd, block, BLOCK, 0);
    io_turn(io, UINT64_MAX);
    cr_expect_eq(block[0], 1);
    cr_assert_eq(io_file_write_now(io, fd, block + BLOCK, BLOCK, 0), 0);
    cr_expect_eq(operation_finish(io, &read), BLOCK);
    cr_expect_eq(block[0], 1);
}

Test(when, operations_end_in_any_order)
{
    uint32_t first_wins = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct operation first;
        struct operation second;
        begin(seed);
        change_files();
        io_file_rename(io, operation_prepare(&first), "/a", "/c");
        io_file_rename(io, operation_prepare(&second), "/b", "/c");
        cr_assert_eq(operation_finish(io, &first), 0);
        cr_assert_eq(operation_finish(io, &second), 0);
        cr_assert_not(exists("/a") || exists("/b"));
        first_wins += first_byte("/c") == 1;
    }
    cr_expect_gt(first_wins, 50);
    cr_expect_lt(first_wins, SEEDS - 50);
}

Test(when, nobody_waits_for_it_any_more_it_is_made_all_the_same)
{
    struct operation rename;
    struct operation read;
    begin(1);
    change_files();
    int fd = io_file_open_now(io, "/b", 0);
    memset(block, 9, sizeof block);
    io_file_rename(io, operation_prepare(&rename), "/a", "/c");
    io_file_read(io, operation_prepare(&read), fd, block, BLOCK, 0);
    io_turn(io, UINT64_MAX);
    io_destroy(&io);
    while (sim_run_event())
        continue;
    cr_expect(exists("/c"));
    cr_expect_eq(block[0], 9, "the buffer may be somebody else's by now");
}

/* ---- crashes ---- */

Test(crash, a_change_that_was_only_prepared_leaves_no_trace)
{
    for (enum change change = 0; change < CHANGE_COUNT; change++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct operation operation;
            begin(seed);
            change_files();
            change_prepare(change, &operation);
            crash(SIM_CRASH_KILL);
            cr_assert_not(change_is_made(change));
        }
}

Test(crash, a_change_in_flight_is_made_or_not)
{
    for (enum sim_crash kind = SIM_CRASH_KILL; kind <= SIM_CRASH_POWER; kind++)
        for (enum change change = 0; change < CHANGE_COUNT; change++) {
            uint32_t made = 0;
            for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct operation operation;
                begin(seed);
                change_files();
                change_prepare(change, &operation);
                io_turn(io, UINT64_MAX);
                crash(kind);
                made += change_is_made(change);
                while (sim_run_event())
                    cr_assert_eq(operation.done_count, 0);
                cr_assert_eq(sim_io_open_descriptors(), 0);
            }
            cr_expect_gt(made, 20, "crash %d, change %d", (int)kind, (int)change);
            cr_expect_lt(made, SEEDS - 20, "crash %d, change %d", (int)kind, (int)change);
        }
}

Test(crash, a_change_that_was_made_survives_a_kill_and_a_loss_of_power_only_when_synced)
{
    for (enum change change = 0; change < CHANGE_COUNT; change++) {
        uint32_t kept = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct operation operation;
            begin(seed);
            change_files();
            change_prepare(change, &operation);
            operation_finish(io, &operation);
            crash(SIM_CRASH_KILL);
            cr_assert(change_is_made(change));
            if (seed % 2 == 0) {
                int fd = io_file_open_now(io, "/a", 0);
                if (fd >= 0)
                    cr_assert_eq(io_file_sync_now(io, fd), 0);
                cr_assert_eq(io_directory_sync(io, "/"), 0);
            }
            crash(SIM_CRASH_POWER);
            bool is_made = change_is_made(change);
            cr_assert(is_made || seed % 2 != 0);
            kept += is_made && seed % 2 != 0;
        }
        cr_expect_gt(kept, 10, "change %d", (int)change);
        cr_expect_lt(kept, SEEDS / 2 - 10, "change %d", (int)change);
    }
}

Test(crash, a_sync_of_the_folder_does_not_cover_a_rename_that_was_not_done_when_it_began)
{
    uint32_t undone = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct operation rename;
        struct operation sync;
        begin(seed);
        change_files();
        int fd = io_file_open_now(io, "/", IO_FILE_DIRECTORY);
        io_file_rename(io, operation_prepare(&rename), "/b", "/a");
        io_file_sync(io, operation_prepare(&sync), fd);
        operation_finish(io, &rename);
        operation_finish(io, &sync);
        crash(SIM_CRASH_POWER);
        undone += !change_is_made(CHANGE_REPLACE);
    }
    cr_expect_gt(undone, 20);
}

/* ---- faults ---- */

Test(fault, a_change_that_fails_changes_nothing_and_says_why)
{
    for (enum sim_disk_fault fault = SIM_DISK_ERROR; fault <= SIM_DISK_UNSYNCED; fault++)
        for (enum change change = 0; change < CHANGE_COUNT; change++) {
            struct operation operation;
            begin(1);
            change_files();
            /* The blocking opening before an allocation counts too. */
            sim_disk_fail_at(change == CHANGE_ALLOCATE ? 2 : 1, fault, EIO, false);
            change_prepare(change, &operation);
            cr_expect_eq(operation_finish(io, &operation), -EIO);
            cr_expect_not(change_is_made(change));
            if (change == CHANGE_ALLOCATE)
                continue; /* the descriptor is open, which change_prepare() does again */
            change_prepare(change, &operation);
            cr_expect_geq(operation_finish(io, &operation), 0);
            cr_expect(change_is_made(change));
        }
}

Test(fault, an_operation_counts_when_it_is_asked_for)
{
    struct operation first;
    struct operation second;
    begin(1);
    change_files();
    uint64_t count_before = sim_disk_operation_count();
    uint64_t all_before = sim_operation_count();
    sim_disk_fail_at(2, SIM_DISK_ERROR, EIO, false);
    io_file_rename(io, operation_prepare(&first), "/a", "/c");
    io_file_remove(io, operation_prepare(&second), "/b");
    cr_expect_eq(sim_disk_operation_count(), count_before + 2);
    cr_expect_eq(sim_operation_count(), all_before + 2);
    cr_expect_eq(operation_finish(io, &second), -EIO);
    cr_expect_eq(operation_finish(io, &first), 0);
    cr_expect(exists("/b"));
    cr_expect(exists("/c"));
}

Test(fault, a_read_may_be_short_and_never_nothing)
{
    uint32_t lengths = 0;
    int32_t last = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(seed);
        make_file("/f", 7, 4 * BLOCK);
        int fd = io_file_open_now(io, "/f", IO_FILE_DIRECT);
        memset(block, 1, sizeof block);
        sim_disk_fail_at(1, SIM_DISK_SHORT, EIO, false);
        int32_t result = read_file(fd, 4 * BLOCK, 0);
        cr_assert_gt(result, 0);
        cr_assert_lt(result, 4 * BLOCK);
        cr_assert_eq(result % SECTOR, 0);
        cr_assert_eq(block[result - 1], 7);
        cr_assert_eq(block[result], 1);
        lengths += result != last;
        last = result;
    }
    cr_expect_gt(lengths, 100);
    sim_disk_fail_at(1, SIM_DISK_SHORT, EIO, false);
    int fd = io_file_open_now(io, "/g", IO_FILE_CREATE);
    cr_expect_eq(fd, -EIO, "of other calls a short one is an error");
}

Test(fault, a_read_that_fails_reads_nothing)
{
    begin(1);
    make_file("/f", 7, BLOCK);
    int fd = io_file_open_now(io, "/f", 0);
    memset(block, 1, sizeof block);
    sim_disk_fail_at(1, SIM_DISK_ERROR, EIO, false);
    cr_expect_eq(read_file(fd, BLOCK, 0), -EIO);
    cr_expect_eq(block[0], 1);
    sim_disk_fail_at(1, SIM_DISK_UNSYNCED, EIO, false);
    cr_expect_eq(read_file(fd, BLOCK, 0), -EIO);
    cr_expect_eq(read_file(fd, BLOCK, 0), BLOCK);
}

/* A read through the page cache shows what a failed sync has dropped, a direct one does not. */
Test(fault, a_direct_read_shows_what_is_on_the_medium)
{
    begin(1);
    make_file("/f", 7, BLOCK);
    int fd = io_file_open_now(io, "/f", 0);
    int direct_fd = io_file_open_now(io, "/f", IO_FILE_DIRECT);
    memset(block, 8, BLOCK);
    cr_assert_eq(io_file_write_now(io, fd, block, BLOCK, 0), 0);
    sim_disk_fail_at(1, SIM_DISK_UNSYNCED, EIO, false);
    cr_assert_eq(io_file_sync_now(io, fd), -EIO);
    cr_expect_eq(read_file(direct_fd, BLOCK, 0), BLOCK);
    cr_expect_eq(block[0], 7);
    cr_expect_eq(read_file(fd, BLOCK, 0), BLOCK);
    cr_expect_eq(block[0], 8);
}

Test(fault, beyond_the_capacity_there_is_no_space)
{
    struct operation write;
    begin(1);
    sim_disk_set_options(&(struct sim_disk_options){.capacity_bytes = 4 * BLOCK});
    int fd = open_file("/f", IO_FILE_CREATE);
    int other_fd = open_file("/g", IO_FILE_CREATE);
    cr_expect_eq(allocate(fd, 3 * BLOCK), 0);
    cr_expect_eq(allocate(other_fd, 2 * BLOCK), -ENOSPC);
    cr_expect_eq(sim_disk_size("/g"), 0);
    cr_expect_eq(allocate(other_fd, BLOCK), 0);
    io_file_write(io, operation_prepare(&write), other_fd, block, BLOCK, BLOCK, true);
    cr_expect_eq(operation_finish(io, &write), -ENOSPC);
    cr_expect_eq(remove_file("/f"), 0);
    cr_expect_eq(allocate(other_fd, 2 * BLOCK), -ENOSPC, "it is open");
    io_close(io, fd);
    cr_expect_eq(allocate(other_fd, 2 * BLOCK), 0);
}

/* ---- mistakes ---- */

static void rename_with_a_path_that_changes(void)
{
    struct operation rename;
    char path[8] = "/c";
    begin(1);
    change_files();
    io_file_rename(io, operation_prepare(&rename), "/a", path);
    io_turn(io, UINT64_MAX);
    path[1] = 'd';
    sim_run_event();
}

Test(mistake, a_path_that_is_changed_while_it_is_used_is_a_finding, .exit_code = 1)
{
    rename_with_a_path_that_changes();
}

Test(mistake, closing_while_a_read_is_under_way_is_an_assertion, .signal = SIGABRT)
{
    struct operation read;
    begin(1);
    make_file("/f", 7, BLOCK);
    int fd = io_file_open_now(io, "/f", 0);
    io_file_read(io, operation_prepare(&read), fd, block, BLOCK, 0);
    io_turn(io, UINT64_MAX);
    io_close(io, fd);
}

Test(mistake, allocating_while_a_write_is_under_way_is_an_assertion, .signal = SIGABRT)
{
    struct operation write;
    struct operation allocation;
    begin(1);
    make_file("/f", 7, BLOCK);
    int fd = io_file_open_now(io, "/f", 0);
    io_file_write(io, operation_prepare(&write), fd, block, BLOCK, 0, false);
    io_file_allocate(io, operation_prepare(&allocation), fd, 2 * BLOCK);
}

Test(mistake, a_direct_read_that_is_not_aligned_is_an_assertion, .signal = SIGABRT)
{
    struct operation read;
    begin(1);
    make_file("/f", 7, BLOCK);
    int fd = io_file_open_now(io, "/f", IO_FILE_DIRECT);
    io_file_read(io, operation_prepare(&read), fd, block, SECTOR, 0);
}
