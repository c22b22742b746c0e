/* The files of io/io.h over the real io_uring, in a directory on a real file system. */

#include "operation.h"

#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct io *io;
static struct test_directory directory;

static void make_directory(void)
{
    test_directory_make(&directory);
}

static void remove_directory(void)
{
    test_directory_remove(&directory);
}

static void set_up(void)
{
    make_directory();
    io = started(8);
}

static void tear_down(void)
{
    io_destroy(&io);
    remove_directory();
}

TestSuite(file, .init = set_up, .fini = tear_down);
TestSuite(asynchronous, .init = set_up, .fini = tear_down);
TestSuite(file_system, .init = make_directory, .fini = remove_directory);

/* ---- blocking ---- */

Test(file, durable_direct_write_is_read_back)
{
    static _Alignas(4096) uint8_t written[8192];
    static _Alignas(4096) uint8_t seen[8192];
    io_random(io, written, sizeof written);
    int fd = io_file_open_now(io, test_directory_file(&directory, "file"),
                              IO_FILE_CREATE | IO_FILE_DIRECT);
    cr_assert(fd >= 0);
    cr_assert_eq(io_file_allocate_now(io, fd, 1 << 20), 0);
    cr_assert_eq(io_file_size(io, fd), 1 << 20);

    struct operation write;
    prepare(&write);
    io_file_write(io, &write.op, fd, written, sizeof written, 4096, true);
    cr_assert_eq(finish(io, &write), sizeof written);
    struct operation sync;
    prepare(&sync);
    io_file_sync(io, &sync.op, fd);
    cr_assert_eq(finish(io, &sync), 0);

    cr_assert_eq(io_file_read_now(io, fd, seen, sizeof seen, 4096), 0);
    cr_assert_arr_eq(seen, written, sizeof seen);
    cr_assert_eq(io_file_read_now(io, fd, seen, sizeof seen, (1 << 20) - 4096), -ENODATA);
    io_close(io, fd);
}

Test(file, a_failed_write_is_passed_on)
{
    io_close(io, io_file_open_now(io, test_directory_file(&directory, "file"), IO_FILE_CREATE));
    int fd = io_file_open_now(io, test_directory_file(&directory, "file"), IO_FILE_READ);
    struct operation write;
    prepare(&write);
    io_file_write(io, &write.op, fd, "x", 1, 0, true);
    cr_assert_eq(finish(io, &write), -EBADF);
    cr_assert_eq(io_file_write_now(io, fd, "x", 1, 0), -EBADF);
    io_close(io, fd);
}

static void count_name(void *context, const char *name)
{
    int *counts = context;
    counts[0]++;
    counts[1] += strcmp(name, "new") == 0;
}

/* A pipe, a device, a folder, and a link to a device. */
static void expect_none_opened(int32_t (*open_it)(const char *path, uint32_t flags))
{
    const char *path = test_directory_file(&directory, "file");
    static const uint32_t FLAGS[] = {0, IO_FILE_READ, IO_FILE_DIRECT};
    int lowest = dup(0);
    io_close(io, lowest);
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
        cr_assert_eq(mkfifo(path, 0600), 0);
        cr_expect_eq(open_it(path, FLAGS[i]), -ENXIO);
        cr_expect_eq(open_it(path, FLAGS[i] | IO_FILE_CREATE), -EEXIST);
        cr_assert_eq(unlink(path), 0);
        cr_assert_eq(symlink("/dev/zero", path), 0);
        cr_expect_eq(open_it(path, FLAGS[i]), -ENXIO);
        cr_assert_eq(unlink(path), 0);
        cr_assert_eq(mkdir(path, 0700), 0);
        cr_expect_eq(open_it(path, FLAGS[i]), -ENXIO);
        cr_assert_eq(rmdir(path), 0);
        cr_expect_eq(open_it("/dev/zero", FLAGS[i]), -ENXIO);
    }
    cr_expect_eq(dup(0), lowest, "a descriptor was left open");
}

static int32_t open_now(const char *path, uint32_t flags)
{
    return io_file_open_now(io, path, flags);
}

Test(file, what_is_no_regular_file_is_not_opened_and_not_waited_for, .timeout = 20)
{
    expect_none_opened(open_now);
}

Test(file, names_and_locks)
{
    const char *old_path = test_directory_file(&directory, "old");
    const char *new_path = test_directory_file(&directory, "new");
    const char *folder = test_directory_file(&directory, "folder");
    int fd = io_file_open_now(io, old_path, IO_FILE_CREATE);
    cr_assert(fd >= 0);
    cr_assert_eq(io_file_open_now(io, old_path, IO_FILE_CREATE), -EEXIST);
    cr_assert_eq(io_file_open_now(io, new_path, 0), -ENOENT);
    cr_assert_eq(io_file_lock(io, fd), 0);
    int second = io_file_open_now(io, old_path, 0);
    cr_assert_eq(io_file_lock(io, second), -EWOULDBLOCK);
    io_close(io, fd);
    cr_assert_eq(io_file_lock(io, second), 0);
    io_close(io, second);

    cr_assert_eq(io_file_rename_now(io, old_path, new_path), 0);
    cr_assert_eq(io_directory_create(io, folder), 0);
    fd = io_file_open_now(io, folder, IO_FILE_DIRECTORY);
    second = io_file_open_now(io, folder, IO_FILE_DIRECTORY);
    cr_assert_eq(io_file_lock(io, fd), 0);
    cr_assert_eq(io_directory_sync(io, folder), 0);
    cr_assert_eq(io_file_lock(io, second), -EWOULDBLOCK);
    io_close(io, fd);
    io_close(io, second);
    cr_assert_eq(io_directory_create(io, folder), 0);
    cr_assert_eq(io_directory_create(io, new_path), -ENOTDIR);
    cr_assert_eq(io_directory_create(io, test_directory_file(&directory, "no/folder")), -ENOENT);
    cr_assert_eq(io_directory_sync(io, directory.path), 0);
    int counts[2] = {0, 0};
    cr_assert_eq(io_directory_list(io, directory.path, count_name, counts), 0);
    cr_assert_eq(counts[0], 2);
    cr_assert_eq(counts[1], 1);
    cr_assert_eq(io_file_remove_now(io, new_path), 0);
    cr_assert_eq(io_file_remove_now(io, new_path), -ENOENT);
}

/* ---- asynchronous ---- */

static int32_t open_file(const char *path, uint32_t flags)
{
    struct operation operation;
    prepare(&operation);
    io_file_open(io, &operation.op, path, flags);
    return finish(io, &operation);
}

static int32_t read_file(int fd, void *buffer, uint32_t bytes, uint64_t offset)
{
    struct operation operation;
    prepare(&operation);
    io_file_read(io, &operation.op, fd, buffer, bytes, offset);
    return finish(io, &operation);
}

static int32_t allocate(int fd, uint64_t bytes)
{
    struct operation operation;
    prepare(&operation);
    io_file_allocate(io, &operation.op, fd, bytes);
    return finish(io, &operation);
}

static int32_t rename_file(const char *from, const char *to)
{
    struct operation operation;
    prepare(&operation);
    io_file_rename(io, &operation.op, from, to);
    return finish(io, &operation);
}

static int32_t remove_file(const char *path)
{
    struct operation operation;
    prepare(&operation);
    io_file_remove(io, &operation.op, path);
    return finish(io, &operation);
}

/* A file with one byte in it. */
static void make_file(const char *path, char byte)
{
    int fd = io_file_open_now(io, path, IO_FILE_CREATE);
    cr_assert(fd >= 0);
    cr_assert_eq(io_file_write_now(io, fd, &byte, 1, 0), 0);
    io_close(io, fd);
}

static char first_byte(const char *path)
{
    char byte = 0;
    int fd = io_file_open_now(io, path, IO_FILE_READ);
    cr_assert(fd >= 0);
    cr_assert_eq(io_file_read_now(io, fd, &byte, 1, 0), 0);
    io_close(io, fd);
    return byte;
}

Test(asynchronous, a_direct_file_is_created_allocated_written_and_read)
{
    static _Alignas(4096) uint8_t written[8192];
    static _Alignas(4096) uint8_t seen[16384];
    io_random(io, written, sizeof written);
    int fd = open_file(test_directory_file(&directory, "file"), IO_FILE_CREATE | IO_FILE_DIRECT);
    cr_assert(fd >= 0);
    int mode = fcntl(fd, F_GETFL);
    cr_expect(mode & O_DIRECT);
    cr_expect_not(mode & O_NONBLOCK);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);

    cr_assert_eq(allocate(fd, 1 << 20), 0);
    cr_assert_eq(io_file_size(io, fd), 1 << 20);
    struct operation write;
    prepare(&write);
    io_file_write(io, &write.op, fd, written, sizeof written, (1 << 20) - sizeof written, true);
    cr_assert_eq(finish(io, &write), sizeof written);
    cr_assert_eq(allocate(fd, 4096), 0);
    cr_assert_eq(io_file_size(io, fd), 1 << 20, "it got smaller");

    cr_assert_eq(read_file(fd, seen, sizeof written, (1 << 20) - sizeof written), sizeof written);
    cr_assert_arr_eq(seen, written, sizeof written);
    cr_expect_eq(read_file(fd, seen, sizeof seen, (1 << 20) - sizeof written), sizeof written,
                 "what there is up to the end");
    cr_expect_eq(read_file(fd, seen, sizeof seen, 1 << 20), 0, "the end");
    cr_expect_eq(read_file(fd, seen, sizeof seen, 1 << 21), 0, "behind the end");
    cr_expect_eq(read_file(fd, seen, 4096, 0), 4096);
    cr_expect_eq(seen[0], 0);
    io_close(io, fd);
}

Test(asynchronous, nothing_happens_before_the_next_turn)
{
    const char *path = test_directory_file(&directory, "file");
    struct operation operation;
    prepare(&operation);
    io_file_open(io, &operation.op, path, IO_FILE_CREATE);
    cr_expect_eq(access(path, F_OK), -1);
    cr_expect_eq(operation.done_count, 0);
    int fd = finish(io, &operation);
    cr_assert(fd >= 0);
    cr_expect_eq(access(path, F_OK), 0);
    io_close(io, fd);
}

/* Begins to write a block of bytes like this one. True when it comes to the file without a turn,
 * within five seconds; after that a turn ends it. */
static bool is_written_without_a_turn(int fd, uint8_t byte)
{
    static _Alignas(4096) uint8_t written[4096];
    static _Alignas(4096) uint8_t seen[4096];
    struct operation write;
    prepare(&write);
    memset(written, byte, sizeof written);
    uint64_t until_ns = now_ns(io) + 5000000000u;
    io_file_write(io, &write.op, fd, written, sizeof written, 0, true);
    do
        cr_assert_eq(io_file_read_now(io, fd, seen, sizeof seen, 0), 0);
    while (memcmp(seen, written, sizeof seen) != 0 && now_ns(io) < until_ns);
    cr_expect_eq(write.done_count, 0);
    cr_expect_eq(finish(io, &write), sizeof written);
    return memcmp(seen, written, sizeof seen) == 0;
}

static int open_block(void)
{
    int fd = open_file(test_directory_file(&directory, "file"), IO_FILE_CREATE | IO_FILE_DIRECT);
    cr_assert(fd >= 0);
    cr_assert_eq(allocate(fd, 4096), 0);
    return fd;
}

Test(asynchronous, a_durable_write_starts_before_the_next_turn, .timeout = 60)
{
    int fd = open_block();
    cr_expect(is_written_without_a_turn(fd, 1));
    io_close(io, fd);
}

/* Behind none, one, two and more entries, until the queue was full before it. */
Test(asynchronous, a_durable_write_starts_before_the_next_turn_behind_a_full_queue, .timeout = 60)
{
    enum { ENTRIES = 16 }; /* of a ring for 8 operations */
    struct io *other = started(1);
    int fd = open_block();
    bool is_written = true;
    for (uint8_t entry_count = 0; entry_count <= ENTRIES + 1 && is_written; entry_count++) {
        for (uint8_t i = 0; i < entry_count; i++)
            io_wake(io, other);
        is_written = is_written_without_a_turn(fd, 1 + entry_count);
        io_turn(other, 0);
    }
    cr_expect(is_written);
    io_close(io, fd);
    io_destroy(&other);
}

Test(asynchronous, an_opening_obeys_its_flags)
{
    const char *path = test_directory_file(&directory, "file");
    cr_expect_eq(open_file(path, 0), -ENOENT);
    cr_expect_eq(open_file(test_directory_file(&directory, "no/file"), IO_FILE_CREATE), -ENOENT);
    make_file(path, 'a');
    cr_expect_eq(open_file(path, IO_FILE_CREATE), -EEXIST);
    cr_expect_eq(open_file(test_directory_file(&directory, "file/file"), 0), -ENOTDIR);

    int fd = open_file(path, IO_FILE_READ);
    char byte = 0;
    struct operation write;
    cr_assert(fd >= 0);
    cr_expect_eq(read_file(fd, &byte, 1, 0), 1);
    cr_expect_eq(byte, 'a');
    prepare(&write);
    io_file_write(io, &write.op, fd, "b", 1, 0, false);
    cr_expect_eq(finish(io, &write), -EBADF);
    cr_expect_eq(allocate(fd, 4096), -EBADF);
    io_close(io, fd);
}

Test(asynchronous, what_is_no_regular_file_is_not_opened_and_not_waited_for, .timeout = 20)
{
    expect_none_opened(open_file);
}

Test(asynchronous, a_directory_is_opened_as_one_and_synced)
{
    const char *path = test_directory_file(&directory, "file");
    const char *link = test_directory_file(&directory, "link");
    make_file(path, 'a');
    cr_expect_eq(open_file(path, IO_FILE_DIRECTORY), -ENOTDIR);
    cr_assert_eq(symlink(directory.path, link), 0);
    int linked_fd = open_file(link, IO_FILE_DIRECTORY);
    int fd = open_file(directory.path, IO_FILE_DIRECTORY);
    cr_assert(linked_fd >= 0);
    cr_assert(fd >= 0);
    struct operation sync;
    prepare(&sync);
    io_file_sync(io, &sync.op, fd);
    cr_expect_eq(finish(io, &sync), 0);
    io_close(io, fd);
    io_close(io, linked_fd);
}

/* Who has the lease is asked to give it up, and may take most of a minute. */
Test(asynchronous, a_file_under_a_lease_is_not_waited_for, .timeout = 20)
{
    const char *path = test_directory_file(&directory, "file");
    signal(SIGIO, SIG_IGN);
    int fd = io_file_open_now(io, path, IO_FILE_CREATE);
    cr_assert_eq(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    cr_expect_eq(open_file(path, 0), -EAGAIN);
    cr_expect_eq(io_file_open_now(io, path, 0), -EAGAIN);
    cr_assert_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    int second = open_file(path, 0);
    cr_expect(second >= 0);
    io_close(io, second);
    io_close(io, fd);
}

Test(asynchronous, a_rename_replaces_what_has_the_name)
{
    const char *old_path = test_directory_file(&directory, "old");
    const char *new_path = test_directory_file(&directory, "new");
    const char *folder = test_directory_file(&directory, "folder");
    make_file(old_path, 'a');
    cr_expect_eq(rename_file(old_path, new_path), 0);
    cr_expect_eq(access(old_path, F_OK), -1);
    cr_expect_eq(first_byte(new_path), 'a');

    make_file(old_path, 'b');
    int fd = io_file_open_now(io, new_path, IO_FILE_READ);
    cr_expect_eq(rename_file(old_path, new_path), 0);
    cr_expect_eq(access(old_path, F_OK), -1);
    cr_expect_eq(first_byte(new_path), 'b');
    char byte = 0;
    cr_expect_eq(io_file_read_now(io, fd, &byte, 1, 0), 0);
    cr_expect_eq(byte, 'a', "who has it open keeps what was replaced");
    io_close(io, fd);

    cr_expect_eq(rename_file(old_path, new_path), -ENOENT);
    cr_assert_eq(mkdir(folder, 0700), 0);
    cr_expect_eq(rename_file(new_path, folder), -EISDIR);
    cr_expect_eq(rename_file(new_path, test_directory_file(&directory, "no/file")), -ENOENT);
    cr_expect_eq(first_byte(new_path), 'b');
}

Test(asynchronous, a_removed_file_is_gone_and_others_are_not_removed)
{
    const char *path = test_directory_file(&directory, "file");
    const char *link = test_directory_file(&directory, "link");
    make_file(path, 'a');
    cr_assert_eq(symlink(path, link), 0);
    cr_expect_eq(remove_file(link), 0);
    cr_expect_eq(first_byte(path), 'a', "of a link the link is removed");
    cr_expect_eq(remove_file(path), 0);
    cr_expect_eq(access(path, F_OK), -1);
    cr_expect_eq(remove_file(path), -ENOENT);
    cr_expect_eq(remove_file(directory.path), -EISDIR);
}

/* More than the ring has entries, of every kind and all at once. */
Test(asynchronous, many_operations_run_side_by_side)
{
    enum { COUNT = 300 };
    static struct operation operations[COUNT];
    static char paths[COUNT][1100];
    static char new_paths[COUNT][1100];
    static int fds[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d", directory.path, i);
        snprintf(new_paths[i], sizeof new_paths[i], "%s/new-%d", directory.path, i);
        prepare(&operations[i]);
        io_file_open(io, &operations[i].op, paths[i], IO_FILE_CREATE);
    }
    for (int i = 0; i < COUNT; i++) {
        fds[i] = finish(io, &operations[i]);
        cr_assert(fds[i] >= 0);
    }
    for (int i = 0; i < COUNT; i++) {
        prepare(&operations[i]);
        if (i % 2 == 0)
            io_file_rename(io, &operations[i].op, paths[i], new_paths[i]);
        else
            io_file_allocate(io, &operations[i].op, fds[i], (uint64_t)i * 10);
    }
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(finish(io, &operations[i]), 0);
    for (int i = 0; i < COUNT; i++) {
        cr_expect_eq(access(i % 2 == 0 ? new_paths[i] : paths[i], F_OK), 0);
        cr_expect_eq(io_file_size(io, fds[i]), i % 2 == 0 ? 0 : i * 10);
        io_close(io, fds[i]);
    }
}

static struct io *chain_io;
static const char *chain_path;

static void remove_it(struct io_op *op, int32_t fd)
{
    struct operation *operation = op->context;
    cr_assert(fd >= 0);
    io_close(chain_io, fd);
    op->done = operation_done;
    io_file_remove(chain_io, &operation->op, chain_path);
}

Test(asynchronous, done_may_start_the_next_operation_in_the_same_place)
{
    chain_io = started(1);
    struct operation operation;
    chain_path = test_directory_file(&directory, "file");
    prepare(&operation);
    operation.op.done = remove_it;
    io_file_open(chain_io, &operation.op, chain_path, IO_FILE_CREATE);
    cr_expect_eq(finish(chain_io, &operation), 0);
    cr_expect_eq(access(chain_path, F_OK), -1);
    io_destroy(&chain_io);
}

/* ---- other file systems ---- */

/* Mounts one in the directory, for this process only, and starts the io. False where that is not
 * allowed: then there is nothing to be tested. */
static bool mount_here(const char *kind, const char *options)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory.path, kind, 0, options) != 0)
        return false;
    io = started(8);
    return true;
}

static void unmount(void)
{
    io_destroy(&io);
    cr_assert_eq(umount(directory.path), 0);
}

Test(file_system, without_direct_access_and_allocation_both_are_done_without)
{
    if (mount_here("ramfs", NULL)) {
        const char *path = test_directory_file(&directory, "file");
        char byte = 'a';
        int fd = open_file(path, IO_FILE_CREATE | IO_FILE_DIRECT);
        cr_assert(fd >= 0);
        int mode = fcntl(fd, F_GETFL);
        cr_expect_eq(allocate(fd, 100000), 0);
        cr_expect_eq(io_file_size(io, fd), 100000);
        cr_expect_eq(fcntl(fd, F_GETFL), mode);
        cr_assert_eq(io_file_write_now(io, fd, &byte, 1, 99999), 0);
        cr_expect_eq(allocate(fd, 100000), 0);
        cr_expect_eq(allocate(fd, 50000), 0);
        cr_expect_eq(io_file_allocate_now(io, fd, 50000), 0);
        cr_expect_eq(io_file_size(io, fd), 100000);
        cr_assert_eq(io_file_read_now(io, fd, &byte, 1, 99999), 0);
        cr_expect_eq(byte, 'a', "what was there is kept");
        cr_expect_eq(io_file_allocate_now(io, fd, 200000), 0);
        cr_expect_eq(io_file_size(io, fd), 200000);
        io_close(io, fd);
        unmount();
    }
}

Test(file_system, that_is_full_refuses_what_does_not_fit)
{
    if (mount_here("tmpfs", "size=1m")) {
        static char bytes[4096];
        struct operation write;
        int fd = open_file(test_directory_file(&directory, "file"), IO_FILE_CREATE);
        cr_assert(fd >= 0);
        cr_expect_eq(allocate(fd, 2 << 20), -ENOSPC);
        cr_expect_eq(io_file_size(io, fd), 0);
        cr_expect_eq(allocate(fd, 1 << 20), 0);
        prepare(&write);
        io_file_write(io, &write.op, fd, bytes, sizeof bytes, 1 << 20, false);
        cr_expect_eq(finish(io, &write), -ENOSPC);
        io_close(io, fd);
        unmount();
    }
}
