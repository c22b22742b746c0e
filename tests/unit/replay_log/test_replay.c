/* The directories that `replay` makes; and that what is read is not written. */

#include "log/manifest.h"
#include "log_program.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(replay, .init = story_whole, .fini = story_end);

static const char *made(void)
{
    return test_directory_file(&directory, "made");
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static uint32_t count_names(const char *path)
{
    uint32_t count = 0;
    DIR *folder = opendir(path);
    cr_assert(folder != NULL, "%s", path);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

/* ---- the form ---- */

static void read_manifest(struct log_manifest *manifest)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    FILE *file = fopen(test_directory_file(&directory, "made/MANIFEST"), "re");
    cr_assert(file != NULL);
    const size_t bytes = fread(text, 1, sizeof text, file);
    fclose(file);
    const char *wrong = log_manifest_decode(text, bytes, manifest);
    cr_assert(wrong == NULL, "%s", wrong);
}

static void expect_form(uint32_t core_count)
{
    static struct log_manifest manifest;
    read_manifest(&manifest);
    cr_expect_eq(manifest.era_count, 1);
    cr_expect_eq(manifest.eras[0].number, 2);
    cr_expect_eq(manifest.eras[0].core_count, core_count);
    cr_expect(!id128_equal(manifest.server_id, story.server_id));
    cr_expect_eq(count_names(made()), 2);
    cr_expect_eq(count_names(test_directory_file(&directory, "made/era-000002")), core_count);
    for (uint32_t core = 0; core < core_count; core++) {
        char folder[64];
        char file[128];
        snprintf(folder, sizeof folder, "made/era-000002/core-%03" PRIu32, core);
        snprintf(file, sizeof file, "%s/snapshot-00000000000000000000", folder);
        cr_expect_eq(count_names(test_directory_file(&directory, folder)), 1);
        cr_expect(exists(test_directory_file(&directory, file)));
    }
}

Test(replay, makes_a_directory_with_a_base_snapshot_for_each_core)
{
    cr_assert_eq(run("replay", "-o", made(), data_path), 0, "%s", output);
    expect_form(STORY_SECOND_CORES);
    cr_expect_eq(run("verify", made()), 0, "%s", output);
    cr_expect_eq(run("diff", data_path, made()), 0, "%s", output);
    cr_expect(!exists(test_directory_file(&directory, "made.partial")));
}

Test(replay, makes_it_for_any_number_of_cores)
{
    static const char *const counts[] = {"1", "2", "5", "64"};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        cr_assert_eq(run("replay", "--cores", counts[i], "-o", made(), data_path), 0, "%s", output);
        expect_form((uint32_t)strtoul(counts[i], NULL, 10));
        cr_expect_eq(run("verify", made()), 0, "%s", output);
        cr_expect_eq(run("diff", data_path, made()), 0, "%s", output);
        char command[1200];
        snprintf(command, sizeof command, "rm -r '%s'", made());
        cr_assert_eq(system(command), 0);
    }
}

Test(replay, tells_what_it_has_made)
{
    cr_assert_eq(run("replay", "--json", "--output", made(), data_path), 0, "%s", output);
    char hash[17];
    json_t *object = output_json();
    snprintf(hash, sizeof hash, "%016" PRIx64, story_hash());
    cr_expect_str_eq(json_text(object, "state_hash"), hash);
    cr_expect_str_eq(json_text(object, "output"), made());
    cr_expect_eq(json_number(object, "cores"), STORY_SECOND_CORES);
    cr_expect_eq(json_number(object, "state.items"), STORY_ITEM_COUNT);
    json_decref(object);
}

Test(replay, what_it_makes_can_be_replayed_again)
{
    cr_assert_eq(run("replay", "-o", made(), data_path), 0, "%s", output);
    const char *again = test_directory_file(&directory, "again");
    cr_assert_eq(run("replay", "--cores=2", "-o", again, made()), 0, "%s", output);
    cr_expect_eq(run("diff", data_path, again), 0, "%s", output);
}

Test(replay, of_a_point_has_that_state)
{
    cr_assert_eq(run("replay", "--to", "1769860801010ms", "-o", made(), data_path), 0, "%s",
                 output);
    cr_assert_eq(run("hash", "--at", "1769860801010ms", data_path), 0);
    char hash[64];
    snprintf(hash, sizeof hash, "%s", strstr(output, "state hash"));
    cr_assert_eq(run("hash", made()), 0);
    expect_output(hash);
}

/* ---- nothing but the whole ---- */

Test(replay, replaces_nothing)
{
    cr_assert_eq(mkdir(made(), 0755), 0);
    cr_expect_eq(run("replay", "-o", made(), data_path), 4, "%s", output);
    expect_output("it exists already");
    cr_assert_eq(rmdir(made()), 0);
    cr_assert_eq(mkdir(test_directory_file(&directory, "made.partial"), 0755), 0);
    cr_expect_eq(run("replay", "-o", made(), data_path), 4, "%s", output);
    expect_output("it is left from a run that was ended");
    cr_expect(!exists(made()));
}

Test(replay, makes_nothing_inside_of_what_it_reads)
{
    char inside[1200];
    snprintf(inside, sizeof inside, "%s/made", data_path);
    cr_expect_eq(run("replay", "-o", inside, data_path), 4, "%s", output);
    expect_output("in which nothing is written");
    snprintf(inside, sizeof inside, "%s/era-000001/../made/", data_path);
    cr_expect_eq(run("replay", "-o", inside, data_path), 4, "%s", output);
    snprintf(inside, sizeof inside, "%s/items.csv", data_path);
    cr_expect_eq(run("export", "--items", inside, data_path), 4, "%s", output);
    snprintf(inside, sizeof inside, "%s/report.json", data_path);
    cr_expect_eq(run("repair", "-o", made(), "--report", inside, data_path), 4, "%s", output);
    cr_expect(!exists(inside) && !exists(made()));
}

Test(replay, leaves_nothing_behind_when_writing_fails)
{
    output_limit_bytes = 8 << 10;
    cr_expect_eq(run("replay", "-o", made(), data_path), 4, "%s", output);
    expect_output("cannot be written: File too large");
    output_limit_bytes = 100;
    cr_expect_eq(run("replay", "-o", made(), data_path), 4, "%s", output);
    cr_expect_eq(run("repair", "-o", made(), data_path), 4, "%s", output);
    cr_expect_eq(run("export", "-o", made(), data_path), 4, "%s", output);
    cr_expect_eq(count_names(directory.path), 1, "only what is read is there");
    output_limit_bytes = 0;
    cr_expect_eq(run("replay", "-o", test_directory_file(&directory, "no/made"), data_path), 4);
    expect_output("cannot be made: No such file or directory");
}

/* ---- what is read stays as it is ---- */

static uint64_t tree_sum;

static int add_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)where;
    uint64_t sum = checksum64(path, strlen(path), (uint64_t)kind);
    sum += (uint64_t)status->st_mtim.tv_sec * 1000000007u + (uint64_t)status->st_mtim.tv_nsec;
    sum += (uint64_t)status->st_ctim.tv_sec * 1000000009u + (uint64_t)status->st_ctim.tv_nsec;
    sum += (uint64_t)status->st_size * 31 + status->st_ino + status->st_mode;
    if (kind == FTW_F) {
        static uint8_t bytes[1 << 16];
        FILE *file = fopen(path, "re");
        cr_assert(file != NULL);
        const size_t count = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        sum += checksum64(bytes, count, 7);
    }
    tree_sum += sum;
    return 0;
}

static uint64_t sum_of_tree(void)
{
    tree_sum = 0;
    cr_assert_eq(nftw(data_path, add_entry, 16, FTW_PHYS), 0);
    return tree_sum;
}

static void run_everything(void)
{
    char command[4096];
    snprintf(command, sizeof command, "cd '%s' && rm -rf out && mkdir out", directory.path);
    cr_assert_eq(system(command), 0);
    (void)run("info", data_path);
    (void)run("cat", data_path);
    (void)run("verify", data_path);
    (void)run("stats", data_path);
    (void)run("hash", data_path);
    (void)run("replay", "-o", test_directory_file(&directory, "out/replay"), data_path);
    (void)run("repair", "-o", test_directory_file(&directory, "out/repair"), "--report",
              test_directory_file(&directory, "out/report"), data_path);
    (void)run("export", "-o", test_directory_file(&directory, "out/export"), data_path);
    (void)run("diff", data_path, data_path);
}

Test(replay, no_command_changes_what_it_reads, .timeout = 120)
{
    const uint64_t sum = sum_of_tree();
    run_everything();
    cr_expect_eq(sum_of_tree(), sum);
    story_spoil(story_segment(1, 0, 1), LOG_BLOCK_BYTES + 200);
    story_spoil(story_snapshot(2, 0, 1), 200);
    const uint64_t damaged_sum = sum_of_tree();
    run_everything();
    cr_expect_eq(sum_of_tree(), damaged_sum);
}

Test(replay, a_directory_that_may_only_be_read_is_enough, .timeout = 120)
{
    char command[4096];
    snprintf(command, sizeof command, "chmod -R a-w '%s'", data_path);
    cr_assert_eq(system(command), 0);
    cr_expect_eq(run("verify", data_path), 0, "%s", output);
    cr_expect_eq(run("repair", "-o", made(), data_path), 0, "%s", output);
    cr_expect_eq(run("cat", data_path), 0, "%s", output);
    snprintf(command, sizeof command, "chmod -R u+w '%s'", data_path);
    cr_assert_eq(system(command), 0);
}
