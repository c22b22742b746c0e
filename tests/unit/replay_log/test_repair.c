/* What `repair` brings back, what it drops and makes up for, and what it says about it. */

#include "log/snapshot.h"
#include "log_program.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define T0 1769860800000u

static json_t *report; /* of the last repair */

static const char *made(void)
{
    return test_directory_file(&directory, "made");
}

static int repair(void)
{
    json_decref(report);
    report = NULL;
    const int code = run("repair", "--json", "-o", made(), data_path);
    if (code == 0 || code == 11)
        report = output_json();
    return code;
}

/* What was made is good, and what is in it, as CSV. */
static void expect_made(void)
{
    char folder[1200];
    cr_expect_eq(run("verify", made()), 0, "%s", output);
    expect_output(json_text(report, "state_hash"));
    snprintf(folder, sizeof folder, "%s", test_directory_file(&directory, "csv"));
    cr_expect_eq(run("export", "-o", folder, made()), 0, "%s", output);
}

/* And the state is that of the story. */
static void expect_made_the_same(void)
{
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, story_hash());
    cr_expect_str_eq(json_text(report, "state_hash"), hash);
    expect_made();
}

static void remove_all_of(const char *path)
{
    char command[1300];
    snprintf(command, sizeof command, "rm -r '%s'", path);
    cr_assert_eq(system(command), 0, "%s", path);
}

static const char *rows_of(const char *name)
{
    static char rows[1 << 20];
    char path[64];
    snprintf(path, sizeof path, "csv/%.50s", name);
    FILE *file = fopen(test_directory_file(&directory, path), "re");
    cr_assert(file != NULL);
    rows[fread(rows, 1, sizeof rows - 1, file)] = '\0';
    fclose(file);
    return rows;
}

static size_t count_of(const char *list)
{
    return json_array_size(json_at(report, list));
}

/* ---- groups that verify, whatever they say ---- */

static uint64_t seed_at(const uint8_t *segment, uint64_t offset)
{
    const struct id128 uuid = {bytes_get_u64(segment + 40), bytes_get_u64(segment + 48)};
    return log_group_seed(uuid, offset);
}

static void seal_header(uint8_t *group_at, uint64_t seed)
{
    bytes_put_u64(group_at + 8, checksum64(group_at + 16, LOG_GROUP_HEADER_BYTES - 16, seed));
}

/* ---- small tales: one core, one group after the other ---- */

static void begin_tale(void)
{
    test_directory_make(&directory);
    snprintf(data_path, sizeof data_path, "%s/data", directory.path);
    data_builder_begin(&story, 16 * LOG_BLOCK_BYTES);
    data_builder_begin_era(&story, 1);
}

static void end_tale(void)
{
    json_decref(report);
    story_end();
}

static void item(uint64_t item_id, int64_t stock)
{
    data_builder_record(&story, (struct stock_record){
                                    .type = STOCK_RECORD_ITEM_CREATED,
                                    .item = {.item_id = item_id, .stock = stock, .hold_ms = 1000}});
}

/* A hold of two units, for a second. */
static void event(uint8_t type, uint64_t item_id, uint64_t id, uint64_t sequence,
                  uint64_t expires_ms)
{
    data_builder_record(
        &story, (struct stock_record){
                    .type = type,
                    .hold = {.item_id = item_id,
                             .reservation_id = {7, id},
                             .buyer_id = 40,
                             .sequence = sequence,
                             .expires_ms = expires_ms,
                             .quantity = 2,
                             .quantity_confirmed = type == STOCK_RECORD_CONFIRMED ? 2 : 0}});
}

static void group(void)
{
    data_builder_close_group(&story, 0);
    story.time_ms += 100;
}

/* Spoils the group of this number, from 1, on disk. */
static void save_without_group(uint32_t number)
{
    story_save();
    const struct data_builder_group *lost = &story.eras[0].logs[0].groups[number - 1];
    story_spoil(story_segment(1, 0, lost->segment_index + 1),
                lost->offset + LOG_GROUP_HEADER_BYTES + 5);
}

TestSuite(tale, .init = begin_tale, .fini = end_tale);

Test(tale, an_end_of_a_hold_that_is_lost_is_dropped_and_named)
{
    item(1, 100);
    group();
    event(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1100);
    group();
    event(STOCK_RECORD_HELD, 1, 2, 2, T0 + 1200);
    group();
    event(STOCK_RECORD_CONFIRMED, 1, 1, 1, T0 + 1100);
    event(STOCK_RECORD_CONFIRMED, 1, 2, 2, T0 + 1200);
    group();
    save_without_group(2);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("holes"), 1);
    cr_expect_eq(json_number(report, "holes.0.first_lsn"), 2);
    cr_expect_eq(json_number(report, "holes.0.last_lsn"), 2);
    cr_expect_eq(json_number(report, "holes.0.before_ms"), T0);
    cr_expect_eq(json_number(report, "holes.0.after_ms"), T0 + 200);
    cr_expect_str_eq(json_text(report, "holes.0.ranges.0.file"), "000000000001.log");
    cr_expect_eq(json_number(report, "holes.0.ranges.0.offset"), 2 * LOG_BLOCK_BYTES);
    cr_expect_eq(json_number(report, "holes.0.ranges.0.bytes"), LOG_BLOCK_BYTES);
    cr_expect_eq(json_number(report, "lost_records"), 1);
    cr_expect_eq(count_of("dropped"), 1);
    cr_expect_eq(json_number(report, "dropped.0.lsn"), 4);
    cr_expect_str_eq(json_text(report, "dropped.0.type"), "CONFIRMED");
    cr_expect_str_eq(json_text(report, "dropped.0.item_id"), "1");
    cr_expect_str_eq(json_text(report, "dropped.0.reservation_id"),
                     "00000000000000070000000000000001");
    cr_expect_str_eq(json_text(report, "dropped.0.reason"), "event of an unknown reservation");
    cr_expect_eq(count_of("lost_holds"), 1);
    cr_expect_eq(json_number(report, "lost_holds.0.first_sequence"), 1);
    cr_expect_eq(json_number(report, "lost_holds.0.last_sequence"), 1);
    cr_expect_eq(json_number(report, "items.0.sold"), 2);
    cr_expect_eq(json_number(report, "items.0.lost_holds"), 1);
    cr_expect_eq(json_number(report, "items.0.dropped"), 1);
    expect_made();
    cr_expect(strstr(rows_of("items.csv"), "\r\n1,,,100,98,0,2,3,") != NULL, "%s",
              rows_of("items.csv"));
}

Test(tale, an_extension_that_is_lost_is_made_up_for)
{
    item(1, 100);
    event(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1000);
    group();
    event(STOCK_RECORD_EXTENDED, 1, 1, 1, T0 + 5000);
    group();
    story.time_ms = T0 + 3000;
    event(STOCK_RECORD_CONFIRMED, 1, 1, 1, T0 + 5000);
    group();
    save_without_group(2);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("dropped"), 0);
    cr_expect_eq(count_of("made"), 1);
    cr_expect_str_eq(json_text(report, "made.0.type"), "EXTENDED");
    cr_expect_eq(json_number(report, "made.0.expires_ms"), T0 + 5000);
    expect_made_the_same();
}

Test(tale, the_second_of_two_extensions_is_enough)
{
    item(1, 100);
    event(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1000);
    group();
    event(STOCK_RECORD_EXTENDED, 1, 1, 1, T0 + 5000);
    group();
    story.time_ms = T0 + 3000;
    event(STOCK_RECORD_EXTENDED, 1, 1, 1, T0 + 9000);
    group();
    save_without_group(2);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("dropped"), 0);
    expect_made_the_same();
}

Test(tale, holds_past_their_deadline_make_room_when_their_end_is_lost)
{
    item(1, 2);
    event(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1000);
    group();
    story.time_ms = T0 + 1000;
    event(STOCK_RECORD_EXPIRED, 1, 1, 1, T0 + 1000);
    group();
    story.time_ms = T0 + 2000;
    event(STOCK_RECORD_HELD, 1, 2, 2, T0 + 3000);
    group();
    event(STOCK_RECORD_CONFIRMED, 1, 2, 2, T0 + 3000);
    group();
    save_without_group(2);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("dropped"), 0);
    cr_expect_eq(count_of("made"), 1);
    cr_expect_str_eq(json_text(report, "made.0.type"), "EXPIRED");
    cr_expect_str_eq(json_text(report, "made.0.reservation_id"),
                     "00000000000000070000000000000001");
    cr_expect_eq(json_number(report, "items.0.sold"), 2);
    expect_made();
}

/* Without a hole in the log nothing is made up: the same records are then not legal. */
Test(tale, open_holds_whose_end_may_be_lost_are_named)
{
    item(1, 100);
    item(2, 100);
    event(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1000);
    event(STOCK_RECORD_HELD, 1, 2, 2, T0 + 1000);
    group();
    event(STOCK_RECORD_CONFIRMED, 1, 1, 1, T0 + 1000);
    group();
    event(STOCK_RECORD_HELD, 2, 3, 1, T0 + 1200);
    event(STOCK_RECORD_CANCELLED, 1, 2, 2, T0 + 1000);
    group();
    save_without_group(2);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("uncertain"), 1);
    cr_expect_str_eq(json_text(report, "uncertain.0.reservation_id"),
                     "00000000000000070000000000000001");
    cr_expect_eq(count_of("items"), 1);
    cr_expect_eq(json_number(report, "items.0.uncertain"), 1);
    expect_made();
    cr_expect(strstr(rows_of("reservations.csv"), "0000000000000001,1,40,held,2,0,") != NULL);
}

Test(tale, an_item_whose_creation_is_lost_loses_what_is_about_it)
{
    item(1, 100);
    group();
    item(2, 100);
    group();
    event(STOCK_RECORD_HELD, 2, 1, 1, T0 + 1000);
    event(STOCK_RECORD_HELD, 1, 2, 1, T0 + 1000);
    group();
    save_without_group(2);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("dropped"), 1);
    cr_expect_str_eq(json_text(report, "dropped.0.reason"), "event of an unknown item");
    cr_expect(json_is_false(json_at(report, "items.0.is_known")));
    cr_expect_eq(json_number(report, "state.reservations"), 1);
    expect_made();
}

Test(tale, more_holds_than_records_are_missing_are_not_believed)
{
    item(1, 100);
    event(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1000);
    group();
    event(STOCK_RECORD_HELD, 1, 2, 2, T0 + 1000);
    group();
    event(STOCK_RECORD_HELD, 1, 3, 3, T0 + 1000);
    group();
    /* the last record says that it is the 1000th, in a group that verifies */
    struct log_builder *log = &story.eras[0].logs[0].log;
    struct data_builder_group *last = &story.eras[0].logs[0].groups[2];
    uint8_t *at = log->bytes[0] + last->offset;
    const uint64_t seed = seed_at(log->bytes[0], last->offset);
    bytes_put_u64(at + LOG_GROUP_HEADER_BYTES + 48, 1000);
    bytes_put_u64(at + 16, checksum64(at + LOG_GROUP_HEADER_BYTES, last->payload_bytes, seed));
    seal_header(at, seed);
    save_without_group(2);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("dropped"), 1);
    cr_expect_str_eq(json_text(report, "dropped.0.reason"),
                     "hold is not the item's next in sequence");
    expect_made();
}

Test(tale, a_log_whose_end_is_damaged_tells_that_more_may_be_lost)
{
    item(1, 100);
    group();
    event(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1000);
    group();
    story_save();
    cr_assert_eq(truncate(story_segment(1, 0, 1), 2 * LOG_BLOCK_BYTES), 0);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect(json_is_null(json_at(report, "holes.0.last_lsn")));
    cr_expect(json_is_true(json_at(report, "lost_end")));
    cr_expect_str_eq(json_text(report, "holes.0.ranges.0.file"), "000000000001.log");
    expect_made();
}

Test(tale, several_holes_are_told_one_by_one)
{
    item(1, 1000);
    group();
    for (uint64_t i = 1; i <= 10; i++) {
        event(STOCK_RECORD_HELD, 1, i, i, story.time_ms + 1000);
        group();
    }
    save_without_group(3);
    const struct data_builder_group *groups = story.eras[0].logs[0].groups;
    story_spoil(story_segment(1, 0, 1), groups[6].offset + 10);
    story_spoil(story_segment(1, 0, 1), groups[7].offset + 10);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(count_of("holes"), 2);
    cr_expect_eq(json_number(report, "holes.0.first_lsn"), 3);
    cr_expect_eq(json_number(report, "holes.1.first_lsn"), 7);
    cr_expect_eq(json_number(report, "holes.1.last_lsn"), 8);
    cr_expect_eq(json_number(report, "holes.1.ranges.0.bytes"), 2 * LOG_BLOCK_BYTES);
    cr_expect_eq(json_number(report, "lost_records"), 3);
    cr_expect_eq(json_number(report, "state.reservations"), 7);
    expect_made();
}

/* ---- whole directories ---- */

TestSuite(whole, .init = story_whole, .fini = end_tale);
TestSuite(late, .init = story_late, .fini = end_tale);

static void expect_nothing_lost(void)
{
    cr_assert_eq(repair(), 0, "%s", output);
    cr_expect(json_is_false(json_at(report, "lost")));
    expect_made_the_same();
}

Test(whole, what_is_not_damaged_loses_nothing)
{
    expect_nothing_lost();
    cr_expect_eq(count_of("holes"), 0);
    remove_all_of(made());
    cr_expect_eq(run("repair", "-o", made(), data_path), 0);
    expect_output("lost            nothing\n");
}

Test(whole, a_torn_tail_is_no_loss)
{
    const struct data_builder_log *log = data_builder_log(&story, 2);
    const struct data_builder_group *last = &log->groups[log->group_count - 1];
    story_spoil(story_segment(2, 2, last->segment_index + 1), last->offset + 200);
    cr_assert_eq(repair(), 0, "%s", output);
    cr_expect_str_eq(json_text(report, "logs.4.found"), "torn tail");
    expect_made();
}

/* In the segment in which it stands: a start would look there, and refuse it. */
Test(late, a_snapshot_bridges_damage_before_it)
{
    const struct data_builder_snapshot *newest = &story.eras[1].logs[0].snapshots[1];
    cr_assert_gt(newest->position.offset, 2 * LOG_BLOCK_BYTES);
    story_spoil(story_segment(2, 0, newest->position.segment_number), LOG_BLOCK_BYTES + 200);
    cr_expect_eq(run("verify", data_path), 3);
    cr_expect_eq(run("hash", data_path), 3);
    expect_nothing_lost();
}

Test(late, bad_snapshots_are_named_and_done_without)
{
    story_spoil(story_snapshot(2, 1, 1), 5000);
    expect_nothing_lost();
    cr_expect_eq(count_of("snapshots_not_used"), 1);
    cr_expect_eq(json_number(report, "snapshots_not_used.0.offset"), 4096);
}

Test(late, what_stood_in_both_snapshots_is_lost_and_the_other_cores_are_not)
{
    story_spoil(story_snapshot(2, 1, 0), 5000);
    story_spoil(story_snapshot(2, 1, 1), 5000);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_str_eq(json_text(report, "holes.0.ranges.0.file"), "snapshot");
    cr_expect_gt(count_of("dropped"), 0);
    cr_expect_gt(json_number(report, "state.items"), 3);
    expect_made();
}

Test(whole, a_segment_that_is_missing_is_a_hole)
{
    cr_assert_eq(unlink(story_segment(1, 1, 2)), 0);
    cr_assert_eq(repair(), 11, "%s", output);
    const struct data_builder_group *group = &story.eras[0].logs[1].groups[3];
    cr_expect_eq(json_number(report, "lost_records"),
                 (int64_t)(group->last_lsn - group->first_lsn + 1));
    cr_expect_str_eq(json_text(report, "holes.0.ranges.0.file"), "000000000002.log");
    cr_expect_eq(json_number(report, "holes.0.ranges.0.bytes"), 0);
    expect_made();
}

Test(whole, a_folder_that_is_missing_is_a_hole)
{
    remove_all_of(story_file(1, 1, ""));
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(json_number(report, "lost_records"),
                 (int64_t)story.eras[0].logs[1].log.next_lsn - 1);
    expect_made();
}

/* The other cores' logs, which go on for longer, say nothing of when. */
Test(whole, a_hole_at_the_beginning_of_a_log_is_behind_the_era_before)
{
    const struct data_builder_group *lost = &story.eras[1].logs[2].groups[0];
    story_spoil(story_segment(2, 2, 1), lost->offset + LOG_GROUP_HEADER_BYTES + 5);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_eq(json_number(report, "holes.0.first_lsn"), 1);
    cr_expect_eq((uint64_t)json_number(report, "holes.0.last_lsn"), lost->last_lsn);
    cr_expect_lt(json_number(report, "holes.0.before_ms"), json_number(report, "holes.0.after_ms"));
    cr_expect_eq(count_of("uncertain"), 1);
    cr_expect_lt(json_number(report, "uncertain.0.sequence"), 5, "of the era before");
    expect_made();
}

Test(whole, a_segment_under_another_name_is_found)
{
    cr_assert_eq(rename(story_segment(1, 1, 2), story_segment(1, 1, 9)), 0);
    cr_assert_eq(repair(), 0, "%s", output);
    expect_made();
}

Test(whole, something_else_in_a_segments_place_is_a_hole, .timeout = 30)
{
    cr_assert_eq(unlink(story_segment(1, 1, 2)), 0);
    cr_assert_eq(mkfifo(story_segment(1, 1, 2), 0600), 0);
    cr_assert_eq(repair(), 11, "%s", output);
    expect_made();
}

/* A segment of the same log as it went on elsewhere, as after a restart from an old copy: its bytes
 * verify, and its groups are chained to one that is not there. */
Test(whole, groups_of_another_history_are_not_taken)
{
    static struct data_builder mine;
    static struct data_builder other;
    char path[1300];
    mine = story;
    data_story_whole(&other);
    struct log_builder *log = &other.eras[1].logs[2].log;
    /* another first group, and all that is behind it follows that */
    uint64_t chain = 0;
    const struct data_builder_log *groups = &other.eras[1].logs[2];
    for (uint32_t i = 0; i < groups->group_count; i++) {
        const struct data_builder_group *group = &groups->groups[i];
        uint8_t *at = log->bytes[group->segment_index] + group->offset;
        const uint8_t *segment = log->bytes[group->segment_index];
        bytes_put_u64(at + 40, chain);
        bytes_put_u64(at + 64, 1234);
        seal_header(at, seed_at(segment, group->offset));
        chain = bytes_get_u64(at + 8);
    }
    snprintf(path, sizeof path, "%s", story_segment(2, 2, 2));
    FILE *file = fopen(path, "r+be");
    cr_assert(file != NULL);
    cr_assert_eq(fwrite(log->bytes[1], 1, STORY_SEGMENT_BYTES, file), STORY_SEGMENT_BYTES);
    fclose(file);
    data_builder_end(&other);
    story = mine;
    cr_expect_eq(run("verify", data_path), 3);
    cr_assert_eq(repair(), 11, "%s", output);
    cr_expect_str_eq(json_text(report, "holes.0.ranges.0.file"), "000000000002.log");
    cr_expect(json_is_true(json_at(report, "lost_end")));
    const struct data_builder_log *mine_log = &story.eras[1].logs[2];
    uint64_t last_lsn = 0;
    for (uint32_t i = 0; i < mine_log->group_count; i++)
        if (mine_log->groups[i].segment_index == 0)
            last_lsn = mine_log->groups[i].last_lsn;
    cr_expect_eq(json_number(report, "logs.4.last_lsn"), (int64_t)last_lsn);
    expect_made();
}

/* ---- without the manifest ---- */

Test(whole, without_a_manifest_the_folders_tell)
{
    cr_assert_eq(truncate(test_directory_file(&directory, "data/MANIFEST"), 40), 0);
    expect_nothing_lost();
    cr_expect(json_is_true(json_at(report, "manifest_guessed")));
    expect_output("state hash");
    cr_assert_eq(unlink(test_directory_file(&directory, "data/MANIFEST")), 0);
    remove_all_of(made());
    remove_all_of(test_directory_file(&directory, "csv"));
    expect_nothing_lost();
}

Test(late, without_a_manifest_and_with_too_few_folders_it_is_refused)
{
    cr_assert_eq(unlink(test_directory_file(&directory, "data/MANIFEST")), 0);
    remove_all_of(story_file(2, 2, ""));
    cr_expect_eq(run("repair", "-o", made(), data_path), 3, "%s", output);
    expect_output("folders of cores are missing");
    cr_expect_eq(access(made(), F_OK), -1);
}

Test(tale, what_is_no_data_directory_is_refused)
{
    cr_assert_eq(mkdir(data_path, 0755), 0);
    cr_expect_eq(run("repair", "-o", made(), data_path), 4, "%s", output);
    expect_output("it is empty");
    cr_assert_eq(mkdir(test_directory_file(&directory, "data/something"), 0755), 0);
    cr_expect_eq(run("repair", "-o", made(), data_path), 3, "%s", output);
    expect_output("there is no file in it that a server wrote");
    cr_expect_eq(access(made(), F_OK), -1);
}

/* ---- the report ---- */

Test(whole, the_report_goes_to_a_file_as_well, .timeout = 60)
{
    story_spoil(story_segment(1, 1, 1), LOG_BLOCK_BYTES + 200);
    const char *path = test_directory_file(&directory, "report.json");
    cr_expect_eq(run("repair", "-o", made(), "--report", path, data_path), 11, "%s", output);
    expect_output("damaged places, and what is missing there: 1\n");
    expect_output("records dropped");
    expect_output(" more: --report or --json has all\n");
    FILE *file = fopen(path, "re");
    cr_assert(file != NULL);
    output[fread(output, 1, sizeof output - 1, file)] = '\0';
    fclose(file);
    json_t *object = output_json();
    cr_expect_eq(json_number(object, "lost_records"), 5);
    cr_expect_gt(json_array_size(json_at(object, "dropped")), 20);
    json_decref(object);
}
