/* How fast the next segment is made: at once while the log is quiet, in step with it while groups
 * go to the disk. */

#include "io_fake.h"

#include "base/memory.h"
#include "wal/segments.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum {
    SEGMENT_BYTES = 16 << 20,
    GROUP_BYTES = 32 << 10,
    HALF = SEGMENT_BYTES / 2,
};

static struct io *io;
static struct segments segments;
static struct segments_log logged;
static uint64_t now_ms;
static uint8_t *zeros;
static int folder_fd;

static void note_failure(void *context, uint64_t number, const char *action, int32_t result)
{
    (void)context;
    cr_assert_fail("segment %lu: cannot %s: %s", (unsigned long)number, action, strerror(-result));
}

/* There are files from number 1 on, as far as they were made. */
static void use_segment(uint64_t number)
{
    const struct segments_options options = {
        .segment_bytes = SEGMENT_BYTES, .number_first = 1, .number_in_use = number, .zeros = zeros};
    segments_init(&segments, io, "/core", folder_fd, &options, NULL, note_failure, NULL);
}

static void set_up(void)
{
    char message[256];
    io_fake_format();
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK);
    io_start(io);
    cr_assert_eq(io_directory_create(io, "/core"), 0);
    folder_fd = io_file_open_now(io, "/core", IO_FILE_DIRECTORY);
    cr_assert_geq(folder_fd, 0);
    zeros = memory_map(SEGMENTS_SLICE_BYTES);
    now_ms = 1000;
    logged = (struct segments_log){.used_bytes = 0, .is_writing = false};
    use_segment(1);
}

static void tear_down(void)
{
    segments_deinit(&segments);
    io_close(io, folder_fd);
    memory_unmap(zeros, SEGMENTS_SLICE_BYTES);
    io_destroy(&io);
}

TestSuite(next_segment, .init = set_up, .fini = tear_down);

static void turn(void)
{
    segments_continue(&segments, &logged, now_ms);
    io_turn(io, 0);
}

/* It is begun in one turn and has ended before the next. */
static void write_group(void)
{
    now_ms++;
    logged.is_writing = true;
    turn();
    logged.is_writing = false;
    logged.used_bytes += GROUP_BYTES;
}

static void finish_in_quiet(void)
{
    for (int i = 0; i < SEGMENT_BYTES / SEGMENTS_SLICE_BYTES + 8; i++)
        turn();
    cr_assert(segments_is_ready(&segments));
}

Test(next_segment, beside_a_busy_log_two_bytes_of_it_are_written_for_each_of_the_log)
{
    while (logged.used_bytes < HALF) {
        write_group();
        cr_assert_leq(segments.filled_bytes, 2 * logged.used_bytes);
        cr_assert_not(segments_is_ready(&segments));
    }
    cr_assert_geq(segments.filled_bytes, SEGMENT_BYTES - SEGMENT_BYTES / 8);
    for (int i = 0; i < 8; i++)
        write_group();
    cr_assert(segments_is_ready(&segments), "before more than half is used");
}

Test(next_segment, beside_a_quiet_log_it_is_made_at_once)
{
    finish_in_quiet();
}

Test(next_segment, it_goes_on_when_the_log_becomes_quiet_and_says_when_that_is)
{
    for (int i = 0; i < 20; i++)
        write_group();
    uint64_t filled_bytes = segments.filled_bytes;
    for (int i = 0; i < 20; i++)
        turn();
    cr_assert_lt(segments.filled_bytes, filled_bytes + 2 * GROUP_BYTES + SEGMENTS_SLICE_BYTES / 8);
    cr_assert_gt(segments_wake_at_ms(&segments), now_ms);
    now_ms = segments_wake_at_ms(&segments);
    finish_in_quiet();
    cr_assert_eq(segments_wake_at_ms(&segments), UINT64_MAX);
}

/* They would reach the disk with its flush, and make it longer still. */
Test(next_segment, beside_a_group_that_takes_long_no_zeros_are_written)
{
    for (int i = 0; i < 20; i++)
        write_group();
    logged.is_writing = true;
    turn(); /* what is due for the groups before it */
    const uint64_t filled_bytes = segments.filled_bytes;
    for (int i = 0; i < 1000; i++) {
        now_ms++;
        turn();
        cr_assert_eq(segments_wake_at_ms(&segments), UINT64_MAX, "its end wakes the core");
    }
    cr_assert_eq(segments.filled_bytes, filled_bytes);

    logged.is_writing = false; /* at its end the next one may be about to begin */
    turn();
    cr_assert_eq(segments.filled_bytes, filled_bytes);
    cr_assert_gt(segments_wake_at_ms(&segments), now_ms);
    now_ms = segments_wake_at_ms(&segments);
    finish_in_quiet();
}

/* ---- old ones ---- */

/* True when there is such a file, or it could be made. */
static bool open_old(uint64_t number, unsigned flags)
{
    char name[LOG_NAME_BYTES_MAX];
    char path[SEGMENTS_PATH_BYTES];
    log_segment_file_name(number, name);
    snprintf(path, sizeof path, "/core/%s", name);
    const int fd = io_file_open_now(io, path, flags);
    if (fd >= 0)
        io_close(io, fd);
    return fd >= 0;
}

Test(next_segment, old_ones_that_are_too_many_go_while_it_waits_for_the_log)
{
    enum { OLD = 100, KEPT_MAX = (1 << 30) / SEGMENT_BYTES };
    segments_deinit(&segments);
    for (uint64_t number = 1; number <= OLD; number++)
        cr_assert(open_old(number, IO_FILE_CREATE));
    use_segment(OLD + 1);
    for (int i = 0; i < 20; i++)
        write_group();
    segments_release(&segments, OLD + 1);
    for (int i = 0; i < 2 * (OLD - KEPT_MAX); i++)
        write_group();
    cr_assert_lt(logged.used_bytes, HALF);
    cr_assert_not(segments_is_ready(&segments));
    cr_expect_not(open_old(OLD - KEPT_MAX, 0));
    cr_expect(open_old(OLD - KEPT_MAX + 1, 0), "these become the next ones");
}

Test(next_segment, begun_late_it_catches_up_in_large_slices)
{
    logged.used_bytes = HALF; /* there was no room for it before */
    for (int i = 0; i < SEGMENT_BYTES / SEGMENTS_SLICE_BYTES + 8; i++) {
        now_ms++;
        logged.is_writing = true;
        turn();
    }
    cr_assert(segments_is_ready(&segments));
}

Test(next_segment, a_stop_leaves_it_half_made)
{
    for (int i = 0; i < 20; i++)
        write_group();
    segments_stop(&segments);
    turn();
    cr_assert(segments_is_idle(&segments));
    cr_assert_not(segments_is_ready(&segments));
    cr_assert_eq(segments_wake_at_ms(&segments), UINT64_MAX);
}
