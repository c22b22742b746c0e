/* A log from which a server removes what was to be read. */

#include "replay_log/pass.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

static struct data *data;

static void set_up(void)
{
    story_whole();
}

static void tear_down(void)
{
    data_close(&data);
    story_end();
}

TestSuite(pass, .init = set_up, .fini = tear_down);

static struct data_log *open_newest_log(void)
{
    cr_assert_eq(data_open(data_path, &data), EXIT_GOOD);
    return data_era_logs(data, data->manifest.era_count - 1);
}

static void remove_first_segment(void)
{
    cr_assert_eq(unlink(story_segment(2, 0, 1)), 0);
}

static struct pass_end run(struct data_log *log)
{
    const struct pass pass = {.start = NULL};
    struct pass_end end;
    pass_run(data, log, &pass, &end);
    return end;
}

Test(pass, a_first_segment_that_goes_before_anything_was_read_is_gone)
{
    struct data_log *log = open_newest_log();
    remove_first_segment();
    const struct pass_end end = run(log);
    cr_expect(end.is_gone);
    cr_expect_eq(end.end.status, LOG_IO);
    cr_expect_eq(end.end.io_error, -ESTALE);
}

Test(pass, a_first_segment_that_never_was_there_is_damage)
{
    remove_first_segment();
    const struct pass_end end = run(open_newest_log());
    cr_expect_not(end.is_gone);
    cr_expect_eq(end.end.status, LOG_DAMAGED);
}
