/* Points in time and in a log: the state there is what the records before it give, whatever it was
 * built from. */

#include "log/snapshot.h"
#include "log_program.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static char hash_line[64];

static const char *hash_text(uint64_t hash)
{
    snprintf(hash_line, sizeof hash_line, "state hash      %016" PRIx64 "\n", hash);
    return hash_line;
}

/* ---- the truth ---- */

static bool is_before(const void *context, const struct story_record *record)
{
    const uint64_t *end_ms = context;
    return record->record.time_ms < *end_ms;
}

struct lsn_point {
    uint32_t era;
    uint32_t core;
    uint64_t lsn_end;
    uint64_t time_end_ms;
};

static bool is_before_lsn(const void *context, const struct story_record *record)
{
    const struct lsn_point *point = context;
    if (record->era != point->era)
        return record->era < point->era;
    return record->core == point->core ? record->lsn < point->lsn_end
                                       : record->record.time_ms < point->time_end_ms;
}

/* ---- running ---- */

static void expect_hash_at_time(uint64_t time_ms, bool is_exclusive)
{
    char at[64];
    const uint64_t end_ms = is_exclusive ? time_ms : time_ms + 1;
    snprintf(at, sizeof at, "--at=%" PRIu64 "ms", time_ms);
    if (is_exclusive)
        cr_expect_eq(run("hash", at, "--exclusive", data_path), 0, "%s", output);
    else
        cr_expect_eq(run("hash", at, data_path), 0, "%s", output);
    expect_output(hash_text(story_hash_of(is_before, &end_ms)));
}

static void expect_hash_at_lsn(struct lsn_point point, uint64_t lsn, uint64_t time_ms,
                               bool is_exclusive)
{
    char at[64];
    char core[64];
    char era[64];
    snprintf(at, sizeof at, "--at=%" PRIu64, lsn);
    snprintf(core, sizeof core, "--core=%" PRIu32, point.core);
    snprintf(era, sizeof era, "--era=%" PRIu32, point.era);
    point.lsn_end = is_exclusive ? lsn : lsn + 1;
    point.time_end_ms = is_exclusive ? time_ms : time_ms + 1;
    if (is_exclusive)
        cr_expect_eq(run("hash", at, core, era, "--exclusive", data_path), 0, "%s", output);
    else
        cr_expect_eq(run("hash", at, core, era, data_path), 0, "%s", output);
    expect_output(hash_text(story_hash_of(is_before_lsn, &point)));
}

/* ---- times ---- */

struct times {
    uint64_t list[256];
    uint32_t count;
};

static bool note_time(void *context, const struct story_record *record)
{
    struct times *times = context;
    for (uint32_t i = 0; i < times->count; i++)
        if (times->list[i] == record->record.time_ms)
            return true;
    cr_assert_lt(times->count, 256);
    times->list[times->count++] = record->record.time_ms;
    return true;
}

TestSuite(whole, .init = story_whole, .fini = story_end);
TestSuite(late, .init = story_late, .fini = story_end);

Test(whole, each_moment_of_a_log_that_is_whole_has_its_state, .timeout = 300)
{
    struct times times = {.count = 0};
    story_walk(note_time, &times);
    cr_assert_gt(times.count, 10);
    for (uint32_t i = 0; i < times.count; i++) {
        expect_hash_at_time(times.list[i], false);
        expect_hash_at_time(times.list[i], true);
    }
    expect_hash_at_time(1, false); /* before everything */
    expect_hash_at_time(1ull << 42, false);
}

struct lsns {
    uint32_t every;
    uint32_t count;
};

static bool try_lsn(void *context, const struct story_record *record)
{
    struct lsns *lsns = context;
    const struct lsn_point point = {.era = record->era, .core = record->core};
    if (lsns->count++ % lsns->every == 0)
        expect_hash_at_lsn(point, record->lsn, record->record.time_ms, lsns->count % 2 == 0);
    return true;
}

Test(whole, each_lsn_of_each_log_has_its_state, .timeout = 300)
{
    struct lsns lsns = {.every = 7};
    story_walk(try_lsn, &lsns);
}

Test(late, moments_behind_the_oldest_snapshots_have_their_state_and_earlier_ones_are_refused,
     .timeout = 300)
{
    struct times times = {.count = 0};
    uint64_t oldest_ms = 0;
    story_walk(note_time, &times);
    for (uint32_t core = 0; core < STORY_SECOND_CORES; core++) {
        struct log_snapshot_header header;
        uint64_t checksum;
        const uint8_t *bytes = story.eras[1].logs[core].snapshots[0].bytes;
        cr_assert(log_snapshot_header_decode(bytes, &header, &checksum) == NULL);
        if (header.state_time_ms > oldest_ms)
            oldest_ms = header.state_time_ms;
    }
    for (uint32_t i = 0; i < times.count; i++) {
        char at[64];
        if (times.list[i] >= oldest_ms) {
            expect_hash_at_time(times.list[i], false);
            continue;
        }
        snprintf(at, sizeof at, "--at=%" PRIu64 "ms", times.list[i]);
        cr_expect_eq(run("hash", at, data_path), 1, "%s", output);
        expect_output("the oldest state that is still there is that of LSN ");
    }
}

/* Eras are kept until the next start: until then their states are still there, also when the logs
 * behind them have lost their beginnings. */
static void late_with_first_era(void)
{
    story_begin(data_story_late);
    story.eras[0].is_removed = false;
    story_save();
}

TestSuite(late_with_first_era, .init = late_with_first_era, .fini = story_end);

Test(late_with_first_era, a_moment_of_an_era_before_has_its_state, .timeout = 300)
{
    struct times times = {.count = 0};
    for (uint32_t core = 0; core < STORY_FIRST_CORES; core++)
        story_walk_log(1, core, note_time, &times);
    cr_assert_gt(times.count, 5);
    for (uint32_t i = 0; i < times.count; i++)
        expect_hash_at_time(times.list[i], true);
    /* of an LSN too */
    const struct lsn_point point = {.era = 1, .core = 0};
    expect_hash_at_lsn(point, 4, story.eras[0].logs[0].groups[0].last_lsn == 4 ? 1769860800000 : 0,
                       false);
}

/* ---- other ways to name them ---- */

Test(whole, times_can_be_written_in_many_ways)
{
    const uint64_t end_ms = 1769860800000 + 1011; /* 12:00:01.010 is in it */
    const char *hash = hash_text(story_hash_of(is_before, &end_ms));
    cr_expect_eq(run("hash", "--at", "2026-01-31T12:00:01.010Z", data_path), 0, "%s", output);
    expect_output(hash);
    cr_expect_eq(run("hash", "--at", "2026-01-31 12:00:01.01", data_path), 0, "%s", output);
    expect_output(hash);
    cr_expect_eq(run("hash", "--at", "1769860801010ms", data_path), 0, "%s", output);
    expect_output(hash);
    cr_expect_eq(run("hash", "--at", "now", data_path), 0, "%s", output);
    cr_expect_eq(run("hash", "--at", "-1h", data_path), 0, "%s", output);
}

Test(whole, an_lsn_needs_its_log_and_has_to_be_there)
{
    cr_expect_eq(run("hash", "--at", "3", data_path), 1, "%s", output);
    expect_output("an LSN of which log? Era 2 has 3 cores: name one with --core");
    cr_expect_eq(run("hash", "--at", "3", "--core", "7", data_path), 1, "%s", output);
    expect_output("there is no log of core 7 in that era");
    cr_expect_eq(run("hash", "--at", "3", "--core", "0", "--era", "9", data_path), 1, "%s", output);
    cr_expect_eq(run("hash", "--at", "999999", "--core", "1", data_path), 1, "%s", output);
    expect_output("there is no LSN 999999, the log ends with LSN ");
    cr_expect_eq(run("hash", "--at", "0", "--core", "1", "--era", "1", data_path), 0, "%s", output);
    expect_output(hash_text(0));
}

Test(late, an_lsn_before_the_oldest_snapshot_is_refused)
{
    cr_expect_eq(run("hash", "--at", "3", "--core", "0", data_path), 1, "%s", output);
    expect_output("the oldest state that is still there is that of LSN ");
}

/* ---- damage ---- */

Test(whole, what_is_damaged_behind_the_point_does_not_matter)
{
    const uint64_t end_ms = 1769860800000 + 1011;
    story_spoil(story_segment(1, 0, 2), LOG_BLOCK_BYTES + 200);
    story_spoil(story_segment(2, 2, 1), LOG_BLOCK_BYTES + 200);
    cr_expect_eq(run("hash", data_path), 3, "%s", output);
    cr_expect_eq(run("hash", "--at", "1769860801010ms", data_path), 0, "%s", output);
    expect_output(hash_text(story_hash_of(is_before, &end_ms)));
    const char *made = test_directory_file(&directory, "made");
    cr_expect_eq(run("replay", "--to", "1769860801010ms", "-o", made, data_path), 0, "%s", output);
    cr_expect_eq(run("replay", "-o", test_directory_file(&directory, "other"), data_path), 3, "%s",
                 output);
    expect_output("see `holdfast-log repair`");
}
