/* The files of io/io.h over the real io_uring, in a directory on a real file system. */

#include "operation.h"

#include "test_directory.h"

#include <errno.h>
#include <sys/stat.h>

Test(file, durable_direct_write_is_read_back)
{
    struct io *io = started(8);
    struct test_directory directory;
    test_directory_make(&directory);
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
    io_destroy(&io);
    test_directory_remove(&directory);
}

Test(file, a_failed_write_is_passed_on)
{
    struct io *io = started(8);
    struct test_directory directory;
    test_directory_make(&directory);
    io_close(io, io_file_open_now(io, test_directory_file(&directory, "file"), IO_FILE_CREATE));
    int fd = io_file_open_now(io, test_directory_file(&directory, "file"), IO_FILE_READ);
    struct operation write;
    prepare(&write);
    io_file_write(io, &write.op, fd, "x", 1, 0, true);
    cr_assert_eq(finish(io, &write), -EBADF);
    cr_assert_eq(io_file_write_now(io, fd, "x", 1, 0), -EBADF);
    io_close(io, fd);
    io_destroy(&io);
    test_directory_remove(&directory);
}

static void count_name(void *context, const char *name)
{
    int *counts = context;
    counts[0]++;
    counts[1] += strcmp(name, "new") == 0;
}

Test(file, what_is_no_regular_file_is_not_opened_and_not_waited_for, .timeout = 20)
{
    struct io *io = started(8);
    struct test_directory directory;
    test_directory_make(&directory);
    const char *path = test_directory_file(&directory, "file");
    static const uint32_t FLAGS[] = {0, IO_FILE_READ, IO_FILE_DIRECT};
    for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++) {
        cr_assert_eq(mkfifo(path, 0600), 0);
        cr_expect_eq(io_file_open_now(io, path, FLAGS[i]), -ENXIO);
        cr_assert_eq(unlink(path), 0);
        cr_assert_eq(symlink("/dev/zero", path), 0);
        cr_expect_eq(io_file_open_now(io, path, FLAGS[i]), -ENXIO);
        cr_assert_eq(unlink(path), 0);
        cr_assert_eq(mkdir(path, 0700), 0);
        cr_expect_eq(io_file_open_now(io, path, FLAGS[i]), -ENXIO);
        cr_assert_eq(rmdir(path), 0);
        cr_expect_eq(io_file_open_now(io, "/dev/zero", FLAGS[i]), -ENXIO);
    }
    test_directory_remove(&directory);
    io_destroy(&io);
}

Test(file, names_and_locks)
{
    struct io *io = started(8);
    struct test_directory directory;
    test_directory_make(&directory);
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
    io_destroy(&io);
    test_directory_remove(&directory);
}
