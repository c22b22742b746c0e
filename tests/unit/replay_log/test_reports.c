/* What `stats`, `export` and `diff` tell. */

#include "log_program.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(stats, .init = story_whole, .fini = story_end);
TestSuite(export, .init = story_whole, .fini = story_end);
TestSuite(diff, .init = story_whole, .fini = story_end);

/* ---- stats ---- */

struct tally {
    uint64_t counts[16];
    uint64_t bytes;
    uint64_t units_sold;
    uint64_t of_item_6;
};

static bool tally(void *context, const struct story_record *record)
{
    struct tally *sums = context;
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    sums->counts[record->record.type]++;
    sums->counts[0]++;
    sums->bytes += stock_record_encode(&record->record, bytes);
    if (record->record.type == STOCK_RECORD_CONFIRMED)
        sums->units_sold += record->record.hold.quantity_confirmed;
    if (record->record.type <= STOCK_RECORD_ITEM_UPDATED ? record->record.item.item_id == 6
                                                         : record->record.hold.item_id == 6)
        sums->of_item_6++;
    return true;
}

Test(stats, counts_every_record_once)
{
    struct tally sums = {.bytes = 0};
    uint64_t group_count = 0;
    story_walk(tally, &sums);
    for (uint32_t era = 0; era < story.era_count; era++)
        for (uint32_t core = 0; core < story.eras[era].core_count; core++)
            group_count += story.eras[era].logs[core].group_count;
    cr_assert_eq(run("stats", "--json", data_path), 0, "%s", output);
    json_t *object = output_json();
    cr_expect_eq(json_number(object, "records"), (int64_t)sums.counts[0]);
    cr_expect_eq(json_number(object, "bytes"), (int64_t)sums.bytes);
    for (int type = STOCK_RECORD_ITEM_CREATED; type <= STOCK_RECORD_FORGOTTEN; type++) {
        char path[64];
        snprintf(path, sizeof path, "types.%s.records", stock_record_type_name(type));
        cr_expect_eq(json_number(object, path), (int64_t)sums.counts[type], "%s", path);
        cr_expect_gt(json_number(object, path), 0, "%s", path);
    }
    cr_expect_eq(json_number(object, "groups.groups"), (int64_t)group_count);
    cr_expect_eq(json_number(object, "groups.records"), (int64_t)sums.counts[0]);
    cr_expect_eq(json_number(object, "holds.made"), (int64_t)sums.counts[STOCK_RECORD_HELD]);
    cr_expect_eq(json_number(object, "holds.units_sold"), (int64_t)sums.units_sold);
    cr_expect_eq(json_number(object, "items"), STORY_ITEM_COUNT);
    cr_expect_str_eq(json_text(object, "top_items.0.item_id"), "6", "the one of the rush");
    cr_expect_eq(json_number(object, "top_items.0.records"), (int64_t)sums.of_item_6);
    uint64_t in_buckets = 0;
    for (size_t i = 0; i < json_array_size(json_at(object, "buckets")); i++) {
        char path[64];
        snprintf(path, sizeof path, "buckets.%zu.records", i);
        in_buckets += (uint64_t)json_number(object, path);
    }
    cr_expect_eq(in_buckets, sums.counts[0]);
    cr_expect_leq(json_array_size(json_at(object, "buckets")), 40);
    json_decref(object);
}

Test(stats, draws_bars_for_people)
{
    cr_assert_eq(run("stats", "--top=3", "--bucket=1m", data_path), 0, "%s", output);
    expect_output("  ITEM_CREATED  ");
    expect_output(" ####");
    expect_output("over time       1m a row\n");
    expect_output("  2026-01-31T12:00:00.000Z ");
    cr_expect_eq(run("stats", "--bucket=1s", "--core=0", "--era=1", data_path), 0, "%s", output);
    cr_expect_eq(run("stats", "--core=9", data_path), 1);
}

Test(stats, keeps_to_the_logs_and_times_that_are_named)
{
    cr_assert_eq(run("stats", "--json", "--era=2", "--since=2026-01-31T12:01:08Z",
                     "--until=2026-01-31T12:01:08Z", "--top=0", data_path),
                 0, "%s", output);
    json_t *object = output_json();
    cr_expect_gt(json_number(object, "records"), 0);
    cr_expect_eq(json_array_size(json_at(object, "buckets")), 1);
    cr_expect_eq(json_array_size(json_at(object, "top_items")), 0);
    json_decref(object);
}

/* ---- export ---- */

static const char *read_file(const char *name)
{
    static char text[1 << 20];
    FILE *file = fopen(test_directory_file(&directory, name), "re");
    cr_assert(file != NULL, "%s", name);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static uint64_t row_count(const char *text)
{
    uint64_t count = 0;
    for (; (text = strstr(text, "\r\n")) != NULL; text += 2)
        count++;
    return count - 1; /* the header */
}

Test(export, writes_every_item_and_reservation)
{
    const struct stock_counts counts = stock_counts(story.stock);
    cr_assert_eq(run("export", "-o", test_directory_file(&directory, "csv"), data_path), 0, "%s",
                 output);
    const char *items = read_file("csv/items.csv");
    cr_expect_eq(row_count(items), counts.items);
    cr_expect(strstr(items, "\r\n5,\"gr\xc3\xbc\xc3\x9f"
                            "e,\n\",,10,10,0,0,1,0,0,1,,,,,no,2026-01-31T12:00:00.000Z,"
                            "1769860800000\r\n") != NULL,
              "%s", items);
    cr_expect(strstr(items, "\r\n3,,6122ff,1000,") != NULL, "%s", items);
    cr_expect(strstr(items, "\r\n18446744073709551615,0123456789") != NULL, "%s", items);
    const char *reservations = read_file("csv/reservations.csv");
    cr_expect_eq(row_count(reservations), counts.reservations);
    cr_expect(strstr(reservations, ",held,") != NULL &&
              strstr(reservations, ",confirmed,") != NULL);
    cr_expect(strstr(reservations, ",cancelled,") != NULL &&
              strstr(reservations, ",expired,") != NULL);
}

Test(export, writes_only_the_files_that_are_named_and_of_any_point)
{
    const char *items = test_directory_file(&directory, "i.csv");
    cr_assert_eq(run("export", "--items", items, "--at=1769860800000ms", data_path), 0, "%s",
                 output);
    cr_expect_eq(row_count(read_file("i.csv")), STORY_ITEM_COUNT);
    cr_expect_eq(access(test_directory_file(&directory, "reservations.csv"), F_OK), -1);
    cr_expect_eq(run("export", "--items", items, data_path), 4, "%s", output);
    expect_output("it exists already");
    const char *reservations = test_directory_file(&directory, "r.csv");
    cr_expect_eq(
        run("export", "--reservations", reservations, "--at=1769860800000ms", "--json", data_path),
        0, "%s", output);
    cr_expect_eq(row_count(read_file("r.csv")), 0);
    expect_output("{\"items\":9,\"reservations\":0,");
}

/* ---- diff ---- */

Test(diff, of_the_same_state_is_0)
{
    cr_expect_eq(run("diff", data_path, data_path), 0, "%s", output);
    cr_expect_eq(run("diff", "--json", data_path, data_path), 0, "%s", output);
    expect_output("\"same\":true");
}

Test(diff, names_what_is_different)
{
    const char *made = test_directory_file(&directory, "made");
    cr_assert_eq(run("replay", "--to=1769860801009ms", "-o", made, data_path), 0, "%s", output);
    cr_expect_eq(run("diff", "--limit=100000", made, data_path), 10, "%s", output);
    expect_output("item 5: different:  stock 0 -> 10  paused yes -> no");
    expect_output("reservation 000000000000abcd0000000000000011 of item 1: only in the second");
    expect_output("\nitems                          0                0                9\n");
    cr_expect_eq(run("diff", "--limit=1", data_path, made), 10, "%s", output);
    expect_output(" more differences (--limit)");
    cr_expect_eq(run("diff", "--json", data_path, made), 10, "%s", output);
    json_t *object = output_json();
    cr_expect_eq(json_number(object, "items.different"), STORY_ITEM_COUNT);
    cr_expect_gt(json_number(object, "reservations.only_first"), 0);
    cr_expect_gt(json_number(object, "buyers.different"), 0);
    cr_expect_eq(json_array_size(json_at(object, "named")), 20);
    cr_expect_str_eq(json_text(object, "states.0.directory"), data_path);
    json_decref(object);
    cr_expect_eq(run("diff", data_path, "/nowhere"), 4, "%s", output);
}
