/* holdfast-log as the shell sees it, on data directories made by hand: two eras, three logs, a few
 * reservations with every kind of record. */

#include "log/manifest.h"
#include "log_builder.h"
#include "log_program.h"
#include "stock/stock.h"
#include "test_directory.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_COUNT = 3, SEGMENT_BYTES = 4 * LOG_BLOCK_BYTES };

#define T0 1769860800000u /* 2026-01-31T12:00:00.000Z */

static struct test_directory directory;
static struct log_builder logs[LOG_COUNT]; /* era 1 core 0, era 1 core 1, era 2 core 0 */
static struct stock *model;                /* what the records give */

/* ---- making the directory ---- */

static void add_record(struct log_builder *log, struct stock_record record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    record.lsn = log->next_lsn + log->record_count;
    const char *wrong = stock_check(model, &record);
    cr_assert_null(wrong, "%s", wrong);
    stock_commit(model, &record);
    log_builder_record(log, bytes, stock_record_encode(&record, bytes));
}

static void add_item(struct log_builder *log, uint64_t item_id, const char *sku, uint64_t time_ms)
{
    struct stock_record record = {
        .type = STOCK_RECORD_ITEM_CREATED,
        .time_ms = time_ms,
        .item = {.item_id = item_id,
                 .stock = 100,
                 .buyer_limit = 5,
                 .hold_ms = 900000,
                 .sku_bytes = (uint8_t)strlen(sku)},
    };
    memcpy(record.item.sku, sku, strlen(sku));
    add_record(log, record);
}

static struct stock_record hold(uint8_t type, uint64_t item_id, uint64_t id, uint64_t sequence,
                                uint64_t time_ms)
{
    return (struct stock_record){
        .type = type,
        .time_ms = time_ms,
        .hold = {.item_id = item_id,
                 .reservation_id = {.high = 0xabcd, .low = id},
                 .buyer_id = 18446744073709551615u,
                 .sequence = sequence,
                 .expires_ms = T0 + 1000,
                 .user_data = 77,
                 .quantity = 2},
    };
}

static void fill_logs(void)
{
    struct stock_record record;
    add_item(&logs[0], 1, "SHOE-42", T0);
    add_record(&logs[0], hold(STOCK_RECORD_HELD, 1, 1, 1, T0 + 1));
    log_builder_close_group(&logs[0]);
    add_record(&logs[0], hold(STOCK_RECORD_HELD, 1, 2, 2, T0 + 2));
    record = hold(STOCK_RECORD_CONFIRMED, 1, 1, 1, T0 + 3);
    record.hold.quantity_confirmed = 1;
    add_record(&logs[0], record);
    log_builder_close_group(&logs[0]);
    add_record(&logs[0], hold(STOCK_RECORD_CANCELLED, 1, 2, 2, T0 + 4));
    log_builder_close_group(&logs[0]); /* the first segment is full */
    add_record(&logs[0], hold(STOCK_RECORD_FORGOTTEN, 1, 2, 2, T0 + 5));
    log_builder_close_group(&logs[0]);
    log_builder_add_unused(&logs[0]);

    add_item(&logs[1], 18446744073709551615u, "a\"\xff", T0 + 10);
    log_builder_close_group(&logs[1]);

    add_record(&logs[2], hold(STOCK_RECORD_HELD, 1, 3, 3, T0 + 20));
    record = hold(STOCK_RECORD_EXTENDED, 1, 3, 3, T0 + 30);
    record.hold.expires_ms = T0 + 2000;
    add_record(&logs[2], record);
    record.type = STOCK_RECORD_EXPIRED;
    record.time_ms = T0 + 2000;
    add_record(&logs[2], record);
    log_builder_close_group(&logs[2]);
}

static void write_manifest(uint32_t version)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    static struct log_manifest manifest;
    manifest = (struct log_manifest){
        .version = version,
        .server_id = logs[0].server_id,
        .era_count = 2,
        .eras = {{.number = 1, .core_count = 2}, {.number = 2, .core_count = 1}}};
    for (uint32_t core = 0; core < 2; core++)
        manifest.eras[0].ends[core] = log_builder_end(&logs[core]);
    const size_t bytes = log_manifest_encode(&manifest, text);
    FILE *file = fopen(test_directory_file(&directory, "MANIFEST"), "we");
    cr_assert(file != NULL && fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0);
}

static const char *log_path(uint32_t index)
{
    char name[LOG_NAME_BYTES_MAX];
    log_core_directory_name(logs[index].era, logs[index].core, name);
    return test_directory_file(&directory, name);
}

static void save(void)
{
    for (uint32_t i = 0; i < LOG_COUNT; i++)
        log_builder_save(&logs[i], log_path(i));
}

static void setup(void)
{
    const struct stock_options options = {
        .item_count_max = 8, .reservation_count_max = 8, .buyer_count_max = 8};
    model = stock_create(&options);
    cr_assert_not_null(model);
    test_directory_make(&directory);
    for (uint32_t i = 0; i < LOG_COUNT; i++) {
        log_builder_init(&logs[i], SEGMENT_BYTES);
        logs[i].era = i < 2 ? 1 : 2;
        logs[i].core = i == 1 ? 1 : 0;
    }
    mkdir(test_directory_file(&directory, "era-000001"), 0755);
    mkdir(test_directory_file(&directory, "era-000002"), 0755);
    for (uint32_t i = 0; i < LOG_COUNT; i++)
        cr_assert_eq(mkdir(log_path(i), 0755), 0);
    fill_logs();
    save();
    write_manifest(LOG_FORMAT_VERSION);
}

static void teardown(void)
{
    for (uint32_t i = 0; i < LOG_COUNT; i++)
        log_builder_deinit(&logs[i]);
    stock_destroy(&model);
    test_directory_remove(&directory);
}

TestSuite(holdfast_log, .init = setup, .fini = teardown);

/* ---- good ---- */

Test(holdfast_log, verify_of_a_good_log_gives_the_hash_of_the_state)
{
    char hash[64];
    snprintf(hash, sizeof hash, "state hash      %016" PRIx64 "\n", stock_hash(model));
    cr_assert_eq(run("verify", directory.path), 0, "%s", output);
    expect_output(hash);
    expect_output("records         10\n");

    snprintf(hash, sizeof hash, "\"state_hash\":\"%016" PRIx64 "\"", stock_hash(model));
    cr_assert_eq(run("verify", "--json", directory.path), 0, "%s", output);
    expect_output(hash);
    expect_output("\"end\":\"good\"");
}

Test(holdfast_log, info_shows_server_eras_and_state)
{
    cr_assert_eq(run("info", directory.path), 0, "%s", output);
    expect_output("server          11111111111111112222222222222222\n");
    expect_output("eras            2, 1 cores now\n");
    expect_output("     1     0         2          4            6            1            6  "
                  "2026-01-31T12:00:00.000Z  2026-01-31T12:00:00.005Z          49152  good\n");
    expect_output("reservations    2 (0 held, 1 confirmed, 0 cancelled, 1 expired)\n");
    expect_output("units           0 held, 1 sold\n");
}

Test(holdfast_log, cat_prints_each_record_with_all_its_fields)
{
    cr_assert_eq(run("cat", directory.path), 0, "%s", output);
    cr_expect_eq(line_count(), 10);
    expect_output(
        "2026-01-31T12:00:00.000Z  era 1    core 0   lsn 1           ITEM_CREATED  "
        "item 1                     stock 100  buyer_limit 5  hold_cap 0  hold_ms 900000  "
        "opens -  closes -  paused no  sku \"SHOE-42\"\n");
    expect_output("2026-01-31T12:00:00.003Z  era 1    core 0   lsn 4           CONFIRMED     "
                  "item 1                     reservation 000000000000abcd0000000000000001  "
                  "sequence 1         buyer 18446744073709551615  quantity 2        confirmed 1    "
                  "    expires 2026-01-31T12:00:01.000Z  user_data 77\n");
    expect_output("sku \"a\\x22\xff\"\n");
    expect_output("EXPIRED");
}

Test(holdfast_log, cat_json_prints_one_object_per_line)
{
    cr_assert_eq(run("cat", "--json", directory.path), 0, "%s", output);
    cr_expect_eq(line_count(), 10);
    expect_output("{\"lsn\":1,\"core\":0,\"era\":1,\"time\":\"2026-01-31T12:00:00.000Z\","
                  "\"time_ms\":1769860800000,\"type\":\"ITEM_CREATED\",\"item_id\":\"1\","
                  "\"sku\":\"SHOE-42\",\"stock\":100,\"buyer_limit\":5,\"hold_cap\":0,"
                  "\"hold_ms\":900000,\"opens_at_ms\":0,\"closes_at_ms\":0,\"paused\":false}\n");
    expect_output("{\"lsn\":4,\"core\":0,\"era\":1,\"time\":\"2026-01-31T12:00:00.003Z\","
                  "\"time_ms\":1769860800003,\"type\":\"CONFIRMED\",\"item_id\":\"1\","
                  "\"reservation_id\":\"000000000000abcd0000000000000001\","
                  "\"buyer_id\":\"18446744073709551615\",\"quantity\":2,\"quantity_confirmed\":1,"
                  "\"sequence\":1,\"expires_ms\":1769860801000,\"user_data\":\"77\"}\n");
    expect_output("\"item_id\":\"18446744073709551615\",\"sku_hex\":\"6122ff\"");
}

Test(holdfast_log, cat_of_one_core_prints_its_logs_of_all_eras)
{
    cr_assert_eq(run("cat", "--core=0", directory.path), 0, "%s", output);
    cr_expect_eq(line_count(), 9);
    cr_assert_eq(run("cat", "--core=1", directory.path), 0, "%s", output);
    cr_expect_eq(line_count(), 1);
    cr_assert_eq(run("cat", "--core=2", directory.path), 1, "%s", output);
    expect_output("no era has a core 2");
}

/* ---- torn, damaged, unreadable ---- */

Test(holdfast_log, torn_tail_is_2_for_verify_and_told_by_the_others)
{
    logs[2].bytes[0][LOG_BLOCK_BYTES + 200] ^= 1;
    save();
    cr_expect_eq(run("verify", directory.path), 2, "%s", output);
    expect_output(
        "era-000002/core-000/000000000001.log: offset 4096, LSN 1 and later: torn tail: ");
    expect_output("records         7\n");
    expect_output("state hash");
    cr_expect_eq(run("info", directory.path), 0, "%s", output);
    expect_output("torn tail: ");
    cr_expect_eq(run("cat", directory.path), 0, "%s", output);
    cr_expect_eq(line_count(), 8, "seven records and the finding");
    expect_output("torn tail: ");
}

Test(holdfast_log, damage_is_3_and_names_file_offset_and_lsn)
{
    logs[0].bytes[0][2 * LOG_BLOCK_BYTES + 200] ^= 1;
    save();
    static const char FINDING[] = "era-000001/core-000/000000000001.log: offset 8192, LSN 3 and "
                                  "later: damaged: the checksum of the records is wrong";
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output(FINDING);
    expect_output("not rebuilt");
    cr_expect_eq(run("verify", "--json", directory.path), 3, "%s", output);
    expect_output("\"offset\":8192");
    cr_expect_eq(run("info", directory.path), 3, "%s", output);
    cr_expect_eq(run("cat", directory.path), 3, "%s", output);
    expect_output(FINDING);
    cr_expect_eq(line_count(), 7, "2 + 1 + 3 records and the finding");
}

/* The rest is a log that would be good if MANIFEST did not say where it ends. */
Test(holdfast_log, closed_log_without_its_last_files_is_damage)
{
    char path[4096];
    for (int number = 2; number <= 3; number++) {
        snprintf(path, sizeof path, "%s/00000000000%d.log", log_path(0), number);
        cr_assert_eq(unlink(path), 0);
    }
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("era-000001/core-000/000000000001.log: offset 16384, LSN 6 and later: damaged: "
                  "1 LSNs are missing: the log ends with LSN 5, and MANIFEST says LSN 6");
    cr_expect_eq(run("cat", directory.path), 3, "%s", output);
    expect_output("1 LSNs are missing");
    cr_expect_eq(line_count(), 10, "5 + 1 + 3 records and the finding");
}

/* The bytes are in order, but the record tells of a reservation that was never made. */
Test(holdfast_log, record_that_is_not_legal_in_the_state_is_damage)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    const struct stock_record record = hold(STOCK_RECORD_CANCELLED, 1, 99, 9, T0 + 40);
    log_builder_record(&logs[2], bytes, stock_record_encode(&record, bytes));
    log_builder_close_group(&logs[2]);
    save();
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("the record with LSN 4: event of an unknown reservation");
    cr_expect_eq(run("cat", directory.path), 0, "cat shows what is written");
}

Test(holdfast_log, missing_folder_of_a_log_is_damage)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/000000000001.log", log_path(1));
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(log_path(1)), 0);
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("era-000001/core-001");
}

/* "DIRECTORY/era-000001/core-000/NAME". */
static const char *file_in_first_log(const char *name)
{
    char below[256];
    snprintf(below, sizeof below, "era-000001/core-000/%s", name);
    return test_directory_file(&directory, below);
}

Test(holdfast_log, a_gap_in_the_names_is_damage_even_before_an_unused_file)
{
    cr_assert_eq(
        rename(file_in_first_log("000000000003.log"), file_in_first_log("000000000009.log")), 0);
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("000000000003.log is missing before it");
    cr_assert_eq(unlink(file_in_first_log("000000000009.log")), 0);
    cr_expect_eq(run("verify", directory.path), 0, "%s", output);
    cr_assert_eq(
        rename(file_in_first_log("000000000002.log"), file_in_first_log("000000000003.log")), 0);
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("000000000002.log is missing before it");
}

Test(holdfast_log, what_is_no_regular_file_is_damage_and_never_waited_for, .timeout = 20)
{
    const char *segment = file_in_first_log("000000000003.log");
    cr_assert_eq(unlink(segment), 0);
    cr_assert_eq(mkfifo(segment, 0600), 0);
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("000000000003.log in it is no regular file");
    cr_assert_eq(unlink(segment), 0);
    cr_assert_eq(symlink("/dev/zero", segment), 0);
    cr_expect_eq(run("cat", directory.path), 3, "%s", output);
    cr_assert_eq(unlink(segment), 0);
    cr_assert_eq(mkdir(segment, 0700), 0);
    cr_expect_eq(run("info", directory.path), 3, "%s", output);

    const char *manifest = test_directory_file(&directory, "MANIFEST");
    cr_assert_eq(unlink(manifest), 0);
    cr_assert_eq(mkfifo(manifest, 0600), 0);
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("MANIFEST: damaged: it is no regular file");
}

Test(holdfast_log, manifest_of_another_version_is_5_damaged_or_missing_is_3)
{
    write_manifest(LOG_FORMAT_VERSION + 1);
    cr_expect_eq(run("verify", directory.path), 5, "%s", output);
    expect_output("written in format 2");
    cr_assert_eq(truncate(test_directory_file(&directory, "MANIFEST"), 30), 0);
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("MANIFEST: damaged");
    cr_assert_eq(unlink(test_directory_file(&directory, "MANIFEST")), 0);
    cr_expect_eq(run("verify", directory.path), 3, "%s", output);
    expect_output("has no MANIFEST but is not empty");
}

Test(holdfast_log, what_is_no_data_directory_is_4_and_told_why)
{
    const char *path = test_directory_file(&directory, "other");
    cr_expect_eq(run("verify", path), 4, "%s", output);
    expect_output("No such file or directory");
    cr_assert_eq(mkdir(path, 0755), 0);
    cr_expect_eq(run("verify", path), 4, "%s", output);
    expect_output("it is empty");
    cr_expect_eq(run("verify", file_in_first_log("000000000001.log")), 4, "%s", output);
    expect_output("it is not a directory");
    if (getuid() == 0) /* who may read everything */
        return;
    cr_assert_eq(chmod(path, 0000), 0);
    cr_expect_eq(run("verify", path), 4, "%s", output);
    expect_output("a user who may read");
}

/* ---- usage ---- */

Test(holdfast_log, wrong_usage_is_1_and_says_what)
{
    cr_expect_eq(run(NULL), 1);
    expect_output("a command and a data directory are needed");
    cr_expect_eq(run("frob", directory.path), 1);
    expect_output("'frob' is no command");
    cr_expect_eq(run("cat", "--core=x", directory.path), 1);
    expect_output("--core: 'x' is not the number of a core");
    cr_expect_eq(run("info", "--core=0", directory.path), 1);
    expect_output("unrecognized option '--core=0'");
    cr_expect_eq(run("info", "--frob", directory.path), 1);
    cr_expect_eq(run("info"), 1);
    expect_output("info needs a data directory, 0 arguments given");
    cr_expect_eq(run("diff", directory.path), 1);
    expect_output("diff needs two data directories, 1 arguments given");
    cr_expect_eq(run("replay", directory.path), 1);
    expect_output("--output NEWDIR is needed");
    cr_expect_eq(run("export", directory.path), 1);
    expect_output("--items and --reservations");
    cr_expect_eq(run("cat", "--json", "--csv", directory.path), 1);
    cr_expect_eq(run("hash", "--exclusive", directory.path), 1);
    cr_expect_eq(run("cat", "--type", "HELD,FROB", directory.path), 1);
    expect_output("--type: 'HELD,FROB' is not a type");
    cr_expect_eq(run("cat", "--since", "yesterday", directory.path), 1);
    expect_output("--since: 'yesterday' is not a time");
}

Test(holdfast_log, help_tells_of_each_command_the_options_that_go_with_it)
{
    cr_expect_eq(run("--help"), 0);
    expect_output("exit codes");
    expect_output("repair   DIR");
    cr_expect_eq(run("cat", "--help"), 0);
    expect_output("usage: holdfast-log cat [OPTION]... DIR\n");
    expect_output("--follow");
    expect_output("--reservation HEX,...");
    expect_no_output("--report");
    cr_expect_eq(run("repair", "--help"), 0);
    expect_output("--report FILE");
    expect_output("11 repair:");
    expect_no_output("--follow");
    cr_expect_eq(run("--version"), 0);
    expect_output("holdfast-log ");
    cr_expect_eq(run("cat", "--version"), 0);
    expect_output("holdfast-log ");
}
