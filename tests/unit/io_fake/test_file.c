/* The asynchronous file operations of the io over files in memory. */

#include "io_fake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

enum { BLOCK = 4096 };

static struct io *io;
static _Alignas(BLOCK) uint8_t block[2 * BLOCK];

struct operation {
    struct io_op op;
    int32_t result;
};

static void note(struct io_op *op, int32_t result)
{
    ((struct operation *)op->context)->result = result;
}

static struct io_op *prepare(struct operation *operation)
{
    *operation = (struct operation){.op = {.done = note}};
    operation->op.context = operation;
    return &operation->op;
}

static int32_t finish(struct operation *operation)
{
    cr_assert(operation->op.is_pending);
    io_turn(io, 0);
    cr_assert(!operation->op.is_pending);
    return operation->result;
}

static int32_t open_file(const char *path, uint32_t flags)
{
    struct operation operation;
    io_file_open(io, prepare(&operation), path, flags);
    return finish(&operation);
}

static int32_t read_file(int fd, uint32_t bytes, uint64_t offset)
{
    struct operation operation;
    io_file_read(io, prepare(&operation), fd, block, bytes, offset);
    return finish(&operation);
}

static int32_t write_file(int fd, uint8_t value, uint32_t bytes, uint64_t offset)
{
    struct operation operation;
    memset(block, value, bytes);
    io_file_write(io, prepare(&operation), fd, block, bytes, offset, true);
    return finish(&operation);
}

static int32_t allocate(int fd, uint64_t bytes)
{
    struct operation operation;
    io_file_allocate(io, prepare(&operation), fd, bytes);
    return finish(&operation);
}

static int32_t rename_file(const char *from, const char *to)
{
    struct operation operation;
    io_file_rename(io, prepare(&operation), from, to);
    return finish(&operation);
}

static int32_t remove_file(const char *path)
{
    struct operation operation;
    io_file_remove(io, prepare(&operation), path);
    return finish(&operation);
}

static int32_t sync_folder(void)
{
    struct operation operation;
    int fd = open_file("/d", IO_FILE_DIRECTORY);
    io_file_sync(io, prepare(&operation), fd);
    int32_t result = finish(&operation);
    io_close(io, fd);
    return result;
}

static void begin(void)
{
    char message[256];
    io_fake_format();
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &io, message), IO_OK);
    io_start(io);
    cr_assert_eq(io_directory_create(io, "/d"), 0);
    cr_assert_eq(io_directory_sync(io, "/"), 0);
}

static void end(void)
{
    io_destroy(&io);
    io_fake_format();
}

TestSuite(file, .init = begin, .fini = end);

Test(file, is_created_allocated_written_and_read)
{
    int fd = open_file("/d/f", IO_FILE_CREATE | IO_FILE_DIRECT);
    cr_assert_geq(fd, 0);
    cr_expect_eq(allocate(fd, 2 * BLOCK), 0);
    cr_expect_eq(allocate(fd, BLOCK), 0);
    cr_expect_eq(io_file_size(io, fd), 2 * BLOCK);
    cr_expect_eq(write_file(fd, 7, BLOCK, BLOCK), BLOCK);
    cr_expect_eq(read_file(fd, 2 * BLOCK, 0), 2 * BLOCK);
    cr_expect_eq(block[0], 0);
    cr_expect_eq(block[BLOCK], 7);
    cr_expect_eq(read_file(fd, 2 * BLOCK, BLOCK), BLOCK);
    cr_expect_eq(read_file(fd, BLOCK, 2 * BLOCK), 0);
}

Test(file, errors_of_names_are_those_of_the_system)
{
    io_close(io, open_file("/d/f", IO_FILE_CREATE));
    cr_expect_eq(open_file("/d/f", IO_FILE_CREATE), -EEXIST);
    cr_expect_eq(open_file("/d/x", 0), -ENOENT);
    cr_expect_eq(open_file("/x/y", IO_FILE_CREATE), -ENOENT);
    cr_expect_eq(open_file("/d", 0), -ENXIO);
    cr_expect_eq(open_file("/d/f", IO_FILE_DIRECTORY), -ENOTDIR);
    cr_expect_eq(rename_file("/d/x", "/d/f"), -ENOENT);
    cr_expect_eq(remove_file("/d/x"), -ENOENT);
    cr_expect_eq(remove_file("/d"), -EISDIR);
}

Test(file, operations_take_effect_at_the_next_turn_in_their_order)
{
    struct operation open;
    struct operation rename;
    io_file_open(io, prepare(&open), "/d/f", IO_FILE_CREATE);
    io_file_rename(io, prepare(&rename), "/d/f", "/d/g");
    cr_expect_eq(io_file_open_now(io, "/d/f", 0), -ENOENT);
    io_turn(io, 0);
    cr_expect_geq(open.result, 0);
    cr_expect_eq(rename.result, 0);
    cr_expect_geq(io_file_open_now(io, "/d/g", 0), 0);
}

Test(file, a_rename_and_a_removal_are_kept_when_the_folder_was_synced)
{
    for (int is_synced = 0; is_synced < 2; is_synced++) {
        end();
        begin();
        int fd = open_file("/d/a", IO_FILE_CREATE);
        cr_assert_eq(write_file(fd, 1, BLOCK, 0), BLOCK);
        io_close(io, fd);
        fd = open_file("/d/b", IO_FILE_CREATE);
        cr_assert_eq(write_file(fd, 2, BLOCK, 0), BLOCK);
        io_close(io, fd);
        io_close(io, open_file("/d/c", IO_FILE_CREATE));
        cr_assert_eq(sync_folder(), 0);
        cr_assert_eq(rename_file("/d/b", "/d/a"), 0);
        cr_assert_eq(remove_file("/d/c"), 0);
        if (is_synced)
            cr_assert_eq(sync_folder(), 0);
        io_fake_power_cut();
        fd = open_file("/d/a", 0);
        cr_expect_eq(read_file(fd, BLOCK, 0), BLOCK);
        cr_expect_eq(block[0], is_synced ? 2 : 1);
        cr_expect_eq(open_file("/d/b", 0) < 0, is_synced);
        cr_expect_eq(open_file("/d/c", 0) < 0, is_synced);
    }
}

Test(file, changes_count_when_they_complete_and_the_nth_fails)
{
    struct operation first;
    struct operation second;
    int fd = open_file("/d/f", IO_FILE_CREATE);
    io_fake_fail_at(2, IO_FAKE_ERROR, EIO);
    io_file_allocate(io, prepare(&first), fd, BLOCK);
    io_file_rename(io, prepare(&second), "/d/f", "/d/g");
    cr_expect_eq(io_fake_change_count(), 0);
    io_turn(io, 0);
    cr_expect_eq(first.result, 0);
    cr_expect_eq(second.result, -EIO);
    cr_expect_eq(read_file(fd, BLOCK, 0), BLOCK);
    io_close(io, open_file("/d/f", 0));
    cr_expect_eq(io_fake_change_count(), 2, "reading and opening what exists change nothing");
    io_close(io, open_file("/d/g", IO_FILE_CREATE));
    cr_expect_eq(remove_file("/d/g"), 0);
    cr_expect_eq(io_fake_change_count(), 4);
    io_fake_fail_at(1, IO_FAKE_CUT, EIO);
    cr_expect_eq(remove_file("/d/f"), -EIO);
    cr_expect_eq(open_file("/d/g", IO_FILE_CREATE), -EIO);
}

Test(file, beyond_the_capacity_there_is_no_space)
{
    int first = open_file("/d/f", IO_FILE_CREATE);
    int second = open_file("/d/g", IO_FILE_CREATE);
    io_fake_set_capacity(4 * BLOCK);
    cr_expect_eq(allocate(first, 3 * BLOCK), 0);
    cr_expect_eq(allocate(first, 3 * BLOCK), 0);
    cr_expect_eq(allocate(second, 2 * BLOCK), -ENOSPC);
    cr_expect_eq(write_file(second, 7, BLOCK, 0), BLOCK);
    cr_expect_eq(write_file(second, 7, BLOCK, BLOCK), -ENOSPC);
    cr_expect_eq(write_file(second, 8, BLOCK, 0), BLOCK);
    io_close(io, first);
    cr_expect_eq(rename_file("/d/g", "/d/f"), 0);
    cr_expect_eq(allocate(second, 4 * BLOCK), 0);
}
