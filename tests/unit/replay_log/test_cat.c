/* Which records `cat` prints, in which form, and how it follows a log that grows. */

#include "log_program.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(cat, .init = story_whole, .fini = story_end, .timeout = 120);
TestSuite(late, .init = story_late, .fini = story_end);

/* ---- the truth ---- */

struct counting {
    bool (*is_counted)(const struct story_record *record);
    uint32_t count;
};

static bool count_record(void *context, const struct story_record *record)
{
    struct counting *counting = context;
    counting->count += counting->is_counted == NULL || counting->is_counted(record);
    return true;
}

static uint32_t count_all(bool (*is_counted)(const struct story_record *record))
{
    struct counting counting = {.is_counted = is_counted};
    story_walk(count_record, &counting);
    return counting.count;
}

static bool is_of_item(const struct stock_record *record)
{
    return record->type <= STOCK_RECORD_ITEM_UPDATED;
}

static uint64_t item_of(const struct stock_record *record)
{
    return is_of_item(record) ? record->item.item_id : record->hold.item_id;
}

/* ---- filters ---- */

#define expect_count(expected)                                                                     \
    cr_expect_eq(line_count(), (expected), "%u lines, not %u", line_count(), (expected))

static bool is_item_1_or_3(const struct story_record *record)
{
    return item_of(&record->record) == 1 || item_of(&record->record) == 3;
}

static bool is_held_by_40(const struct story_record *record)
{
    return record->record.type == STOCK_RECORD_HELD && record->record.hold.buyer_id == 40;
}

static bool is_reservation_1(const struct story_record *record)
{
    return !is_of_item(&record->record) && record->record.hold.reservation_id.low == 1;
}

static bool is_end(const struct story_record *record)
{
    return record->record.type == STOCK_RECORD_CONFIRMED ||
           record->record.type == STOCK_RECORD_CANCELLED ||
           record->record.type == STOCK_RECORD_EXPIRED;
}

static bool is_in_second_1(const struct story_record *record)
{
    return record->record.time_ms >= 1769860801000 && record->record.time_ms <= 1769860801999;
}

Test(cat, prints_all_without_a_filter)
{
    cr_expect_eq(run("cat", data_path), 0);
    expect_count(count_all(NULL));
}

Test(cat, filters_name_values_of_which_any_will_do_and_all_filters_hold)
{
    cr_expect_eq(run("cat", "--item", "1,3", data_path), 0);
    expect_count(count_all(is_item_1_or_3));
    cr_expect_eq(run("cat", "--item=1", "--item=3", data_path), 0);
    expect_count(count_all(is_item_1_or_3));
    cr_expect_eq(run("cat", "--buyer=40", "--type=held", data_path), 0);
    expect_count(count_all(is_held_by_40));
    cr_expect_eq(run("cat", "--reservation=000000000000abcd0000000000000001", data_path), 0);
    expect_count(count_all(is_reservation_1));
    cr_expect_eq(run("cat", "--type=CONFIRMED,Cancelled", "--type", "expired", data_path), 0);
    expect_count(count_all(is_end));
    cr_expect_eq(
        run("cat", "--since=2026-01-31T12:00:01Z", "--until=2026-01-31T12:00:01.999Z", data_path),
        0);
    expect_count(count_all(is_in_second_1));
    cr_expect_eq(run("cat", "--item=1", "--buyer=12345", data_path), 0);
    expect_count(0u);
}

Test(cat, lsns_are_of_one_log)
{
    cr_expect_eq(run("cat", "--from=3", data_path), 1);
    expect_output("LSNs of which log?");
    cr_expect_eq(run("cat", "--from=3", "--to=5", "--core=0", data_path), 1);
    cr_expect_eq(run("cat", "--from=3", "--to=5", "--core=2", data_path), 0);
    expect_count(3u);
    cr_expect_eq(run("cat", "--from=3", "--to=5", "--core=0", "--era=2", data_path), 0);
    expect_count(3u);
    cr_expect_eq(run("cat", "--era=2", data_path), 0);
    expect_output("era 2 ");
    expect_no_output("era 1 ");
    cr_expect_eq(run("cat", "--era=3", data_path), 1);
    expect_output("there is no era 3");
}

Test(cat, a_limit_ends_it)
{
    cr_expect_eq(run("cat", "--limit=7", data_path), 0);
    expect_count(7u);
    cr_expect_eq(run("cat", "--limit=0", data_path), 0);
    expect_count(0u);
}

Test(late, begins_with_the_oldest_snapshot)
{
    char first[64];
    cr_expect_eq(run("cat", "--core=1", "--json", data_path), 0);
    snprintf(first, sizeof first, "{\"lsn\":%" PRIu64 ",\"core\":1,",
             story.eras[1].logs[1].snapshots[0].lsn + 1);
    cr_expect_eq(strncmp(output, first, strlen(first)), 0, "%s", output);
}

/* ---- CSV ---- */

static uint32_t comma_count(const char *line)
{
    uint32_t count = 0;
    for (; *line != '\r' && *line != '\0'; line++)
        count += *line == ',';
    return count;
}

Test(cat, csv_has_a_header_and_as_many_fields_in_each_row)
{
    cr_expect_eq(run("cat", "--csv", "--type=held,item_updated", data_path), 0);
    const uint32_t fields = comma_count(output);
    cr_expect_gt(fields, 20);
    uint32_t rows = 0;
    for (const char *line = output; (line = strstr(line, "\r\n")) != NULL && line[2] != '\0';) {
        line += 2;
        rows++;
        if (strstr(line, "gr\xc3\xbc") == NULL) /* whose SKU has a comma in it */
            cr_expect_eq(comma_count(line), fields, "%.200s", line);
    }
    cr_expect_gt(rows, 10);
    cr_expect_eq(run("cat", "--csv", "--type=item_created", "--item=5", data_path), 0);
    expect_output(",\"gr\xc3\xbc\xc3\x9f"
                  "e,\n\",,0,0,0,1,,,,,yes\r\n");
    cr_expect_eq(run("cat", "--csv", "--type=item_created", "--item=3", data_path), 0);
    expect_output(",,6122ff,1000,0,3,");
}

/* ---- following ---- */

/* What has come within a while, behind what was there. */
static size_t read_some(int fd, size_t bytes, const char *wanted)
{
    for (int i = 0; i < 200; i++) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, 50) == 1) {
            const ssize_t now = read(fd, output + bytes, sizeof output - 1 - bytes);
            if (now <= 0)
                break;
            bytes += (size_t)now;
        }
        output[bytes] = '\0';
        if (strstr(output, wanted) != NULL)
            break;
    }
    expect_output(wanted);
    return bytes;
}

/* Puts the story's log of this core to the disk again, as far as it has come now. */
static void save_again(uint32_t core)
{
    const struct data_builder_log *log = data_builder_log(&story, core);
    for (uint32_t i = 0; i < log->log.segment_count; i++) {
        FILE *file = fopen(story_segment(story.era_count, core, i + 1), "r+be");
        if (file == NULL)
            file = fopen(story_segment(story.era_count, core, i + 1), "wbe");
        cr_assert(file != NULL);
        cr_assert_eq(fwrite(log->log.bytes[i], 1, STORY_SEGMENT_BYTES, file), STORY_SEGMENT_BYTES);
        cr_assert_eq(fclose(file), 0);
    }
}

static void add_hold(uint64_t number)
{
    struct stock_item_view item;
    cr_assert(stock_item_find(story.stock, 2, &item));
    data_builder_record(&story, (struct stock_record){.type = STOCK_RECORD_HELD,
                                                      .hold = {.item_id = 2,
                                                               .reservation_id = {1, number},
                                                               .buyer_id = 1,
                                                               .sequence = item.next_sequence,
                                                               .expires_ms = story.time_ms + 1000,
                                                               .quantity = 1}});
    data_builder_close_groups(&story);
}

Test(cat, follow_prints_what_comes_behind_the_end_over_segments)
{
    int fd;
    int status;
    char wanted[64];
    const uint32_t core = data_builder_owner(&story, 2);
    const pid_t child =
        log_program_start((const char *const[]){"cat", "--follow", "--json", "--type=held",
                                                "--since", "2026-01-31T12:03:30Z", data_path, NULL},
                          &fd);
    story.time_ms = 1769861100000;
    size_t bytes = 0;
    for (uint64_t i = 1; i <= 5; i++) {
        add_hold(i);
        save_again(core);
        snprintf(wanted, sizeof wanted, "\"reservation_id\":\"0000000000000001%016" PRIx64 "\"", i);
        bytes = read_some(fd, bytes, wanted);
    }
    cr_expect_eq(line_count(), 5);
    cr_assert_eq(kill(child, SIGINT), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(fd);
}

Test(cat, follow_ends_when_the_limit_is_reached)
{
    cr_expect_eq(run("cat", "--follow", "--limit=3", data_path), 0);
    expect_count(3u);
}

/* A server that was started with another number of cores has begun an era. */
Test(cat, follow_goes_on_with_the_next_era)
{
    int fd;
    char command[4096];
    const pid_t child =
        log_program_start((const char *const[]){"cat", "--follow", "--json", "--type=held",
                                                "--since", "2026-01-31T12:03:30Z", data_path, NULL},
                          &fd);
    story.time_ms = 1769861100000;
    add_hold(1);
    save_again(data_builder_owner(&story, 2));
    size_t bytes = read_some(fd, 0, "\"era\":2");
    data_builder_begin_era(&story, 1);
    add_hold(2);
    data_builder_save(&story, test_directory_file(&directory, "later"));
    snprintf(command, sizeof command,
             "cd '%s' && mv later/era-000003 data && mv later/MANIFEST data/MANIFEST",
             directory.path);
    cr_assert_eq(system(command), 0);
    bytes = read_some(fd, bytes, "\"era\":3");
    expect_output("\"reservation_id\":\"00000000000000010000000000000002\"");
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    close(fd);
}

/* The bytes of a group that is not whole yet are no group. */
Test(cat, follow_waits_for_the_whole_of_a_group)
{
    int fd;
    const pid_t child =
        log_program_start((const char *const[]){"cat", "--follow", "--json", "--since",
                                                "2026-01-31T12:03:30Z", data_path, NULL},
                          &fd);
    story.time_ms = 1769861100000;
    add_hold(1);
    const uint32_t core = data_builder_owner(&story, 2);
    const struct data_builder_log *log = data_builder_log(&story, core);
    const struct data_builder_group *group = &log->groups[log->group_count - 1];
    uint8_t *byte =
        log->log.bytes[group->segment_index] + group->offset + LOG_GROUP_HEADER_BYTES + 10;
    *byte ^= 1;
    save_again(core);
    usleep(300000);
    *byte ^= 1;
    save_again(core);
    (void)read_some(fd, 0, "\"reservation_id\":\"00000000000000010000000000000001\"");
    cr_expect_eq(strstr(strstr(output, "reservation_id") + 1, "reservation_id"), NULL, "%s",
                 output);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    close(fd);
}

/* A server that is much faster than whoever reads. */
Test(cat, follow_says_when_its_segment_is_gone)
{
    int fd;
    int status;
    const uint32_t core = data_builder_owner(&story, 2);
    char option[32];
    snprintf(option, sizeof option, "--core=%" PRIu32, core);
    const pid_t child = log_program_start(
        (const char *const[]){"cat", "--follow", "--era=2", option, data_path, NULL}, &fd);
    const size_t bytes = read_some(fd, 0, "HELD");
    const uint32_t used = data_builder_log(&story, core)->log.used_count;
    usleep(300000);
    cr_assert_eq(unlink(story_segment(2, core, used)), 0);
    (void)read_some(fd, bytes, "a server has removed the segment of LSN ");
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 4);
    close(fd);
}
