/* A disk that does not give some of its blocks: every reading that touches one fails. In front of
 * the tool's input (replay-log/input.h), by the linker's --wrap. */

#include "replay_log/input.h"
#include "replay_log/repair.h"
#include "replay_log/verify.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

/* The linker gives these names to the real ones.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes);
int __wrap_input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes);
/* NOLINTEND(bugprone-reserved-identifier) */

static char bad_path[2048];
static uint64_t bad_offset;
static uint64_t bad_bytes;

static bool is_bad_file(int fd)
{
    char link[64];
    char path[2048];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t bytes = readlink(link, path, sizeof path - 1);
    if (bytes < 0 || bad_bytes == 0)
        return false;
    path[bytes] = '\0';
    return strcmp(path, bad_path) == 0;
}

int __wrap_input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes)
{
    if (is_bad_file(fd) && offset < bad_offset + bad_bytes && offset + bytes > bad_offset)
        return -EIO;
    return __real_input_read_at(fd, offset, buffer, bytes);
}

TestSuite(unreadable, .init = story_whole, .fini = story_end);

static void spoil_block(const char *path, uint64_t offset, uint64_t bytes)
{
    cr_assert(realpath(path, bad_path) != NULL);
    bad_offset = offset;
    bad_bytes = bytes;
}

static void expect_verify(enum exit_code wanted)
{
    struct summary summary;
    cr_expect_eq(verify_directory(data_path, &summary), wanted);
    verify_free(&summary);
}

static void expect_lost(uint64_t lost_count, bool has_unknown_end)
{
    const char *made = test_directory_file(&directory, "made");
    const struct options options = {
        .command = COMMAND_REPAIR, .path = data_path, .output = made, .is_json = true};
    struct repair repair;
    cr_assert_eq(repair_begin(&options, &repair), EXIT_GOOD);
    cr_expect_eq(repair.report.lost_lsn_count, lost_count);
    cr_expect_eq(repair.report.has_unknown_end, has_unknown_end);
    const bool is_lost = lost_count > 0 || has_unknown_end;
    cr_expect_eq(repair_make(&repair), is_lost ? EXIT_LOST : EXIT_GOOD);
    repair_end(&repair);
}

Test(unreadable, a_group_that_cannot_be_read_is_a_hole)
{
    const struct data_builder_group *group = &story.eras[0].logs[1].groups[1];
    spoil_block(story_segment(1, 1, 1), group->offset, LOG_BLOCK_BYTES);
    expect_verify(EXIT_IO);
    expect_lost(group->last_lsn - group->first_lsn + 1, false);
}

Test(unreadable, a_header_that_cannot_be_read_takes_its_segment_along)
{
    const struct data_builder_log *log = &story.eras[0].logs[1];
    uint64_t lost = 0;
    for (uint32_t i = 0; i < log->group_count; i++)
        if (log->groups[i].segment_index == 1)
            lost += log->groups[i].last_lsn - log->groups[i].first_lsn + 1;
    spoil_block(story_segment(1, 1, 2), 0, LOG_BLOCK_BYTES);
    expect_verify(EXIT_IO);
    expect_lost(lost, false);
}

Test(unreadable, the_last_segment_may_have_held_anything)
{
    spoil_block(story_segment(2, 2, 2), 0, STORY_SEGMENT_BYTES);
    expect_lost(0, true);
}

Test(unreadable, a_snapshot_that_cannot_be_read_is_done_without)
{
    spoil_block(story_snapshot(2, 0, 1), 2 * LOG_BLOCK_BYTES, LOG_BLOCK_BYTES);
    expect_verify(EXIT_IO);
    expect_lost(0, false);
}
