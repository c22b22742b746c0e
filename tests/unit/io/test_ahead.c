/* Reading ahead (io/io.h) over the real io_uring: whatever the order of the reads, and whatever
 * happens to the file between two of them, each read has the bytes of the file. */

#include "operation.h"

#include "random.h"
#include "test_directory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, FILE_BYTES = 11 << 20, READ_BYTES_MAX = 3 << 20 };

struct reading {
    struct io *io;
    struct io_ahead *ahead;
    struct test_directory directory;
    uint8_t *content; /* of the file, FILE_BYTES */
    uint8_t *seen;    /* READ_BYTES_MAX */
    int fd;
};

static void write_file(struct reading *reading, const char *name)
{
    io_random(reading->io, reading->content, 64);
    for (uint32_t i = 64; i < FILE_BYTES; i++)
        reading->content[i] = (uint8_t)(reading->content[i - 64] * 5 + i / 64);
    int fd = io_file_open_now(reading->io, test_directory_file(&reading->directory, name),
                              IO_FILE_CREATE);
    cr_assert(fd >= 0);
    cr_assert_eq(io_file_write_now(reading->io, fd, reading->content, FILE_BYTES, 0), 0);
    io_close(reading->io, fd);
}

static void open_file(struct reading *reading, const char *name, uint32_t flags)
{
    reading->fd = io_file_open_now(reading->io, test_directory_file(&reading->directory, name),
                                   IO_FILE_READ | flags);
    cr_assert(reading->fd >= 0);
}

static void begin(struct reading *reading, uint32_t flags)
{
    reading->io = started(8);
    test_directory_make(&reading->directory);
    reading->ahead = io_ahead_create(reading->io);
    reading->content = aligned_alloc(BLOCK, FILE_BYTES);
    reading->seen = aligned_alloc(BLOCK, READ_BYTES_MAX);
    cr_assert(reading->ahead != NULL && reading->content != NULL && reading->seen != NULL);
    write_file(reading, "file");
    open_file(reading, "file", flags);
}

static void end(struct reading *reading)
{
    io_ahead_destroy(&reading->ahead);
    cr_expect_null(reading->ahead);
    io_close(reading->io, reading->fd);
    free(reading->content);
    free(reading->seen);
    io_destroy(&reading->io);
    test_directory_remove(&reading->directory);
}

static int read_at(struct reading *reading, uint64_t offset, uint32_t bytes)
{
    return io_ahead_read(reading->ahead, reading->fd, reading->seen, bytes, offset, FILE_BYTES);
}

static void expect_read(struct reading *reading, uint64_t offset, uint32_t bytes)
{
    memset(reading->seen, 0xEE, bytes);
    cr_assert_eq(read_at(reading, offset, bytes), 0);
    cr_assert_eq(memcmp(reading->seen, reading->content + offset, bytes), 0, "%u bytes at %llu",
                 bytes, (unsigned long long)offset);
}

Test(ahead, a_file_read_from_its_start_to_its_end_has_its_bytes)
{
    static const uint32_t sizes[] = {BLOCK, 1 << 20, 3 * BLOCK, 1 << 16, READ_BYTES_MAX};
    struct reading reading;
    begin(&reading, IO_FILE_DIRECT);
    uint64_t offset = 0;
    for (uint32_t i = 0; offset < FILE_BYTES; i++) {
        uint64_t left = FILE_BYTES - offset;
        uint32_t bytes = sizes[i % 5] < left ? sizes[i % 5] : (uint32_t)left;
        expect_read(&reading, offset, bytes);
        offset += bytes;
    }
    end(&reading);
}

Test(ahead, reads_in_any_order_have_the_bytes_of_the_file)
{
    struct test_random random;
    struct reading reading;
    test_random_init(&random, test_random_seed(1));
    begin(&reading, 0);
    uint64_t offset = 0;
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t bytes = 1 + test_random_below(&random, READ_BYTES_MAX);
        bool goes_on = test_random_below(&random, 4) > 0;
        if (!goes_on || offset + bytes > FILE_BYTES)
            offset = test_random_below(&random, FILE_BYTES - bytes);
        expect_read(&reading, offset, bytes);
        offset += bytes;
    }
    end(&reading);
}

Test(ahead, nothing_is_kept_of_a_file_that_was_left)
{
    struct reading reading;
    begin(&reading, IO_FILE_DIRECT);
    expect_read(&reading, 0, 1 << 20);
    io_ahead_stop(reading.ahead);
    io_close(reading.io, reading.fd);
    write_file(&reading, "other");
    open_file(&reading, "other", IO_FILE_DIRECT);
    expect_read(&reading, 1 << 20, 1 << 20); /* where the other one would have gone on */
    end(&reading);
}

Test(ahead, a_file_shorter_than_was_said_is_told_where_it_ends)
{
    struct reading reading;
    begin(&reading, 0);
    enum { SHORT_BYTES = 5 << 20 };
    cr_assert_eq(truncate(test_directory_file(&reading.directory, "file"), SHORT_BYTES), 0);
    expect_read(&reading, 0, 1 << 20);
    expect_read(&reading, 1 << 20, READ_BYTES_MAX);
    cr_expect_eq(read_at(&reading, 4 << 20, 2 << 20), -ENODATA);
    expect_read(&reading, 4 << 20, 1 << 20);
    cr_expect_eq(read_at(&reading, SHORT_BYTES, 1), -ENODATA);
    end(&reading);
}

Test(ahead, what_can_not_be_read_is_told)
{
    struct reading reading;
    begin(&reading, 0);
    io_close(reading.io, reading.fd);
    cr_expect_eq(read_at(&reading, 0, BLOCK), -EBADF);
    cr_expect_eq(read_at(&reading, BLOCK, BLOCK), -EBADF);
    open_file(&reading, "file", 0);
    end(&reading);
}
