#include "bench/timeline.h"

#include "bench/histogram.h"

#include <criterion/criterion.h>

#include "test_directory.h"

/* Each test tells a timeline what happened, in milliseconds, and reads the files. */

enum { INTERVAL_MS = 100, UNIX_MS = 5000 };
#define MS UINT64_C(1000000)

static struct test_directory directory;
static char quantiles_path[1100];
static char histograms_path[1100];
static struct timeline timeline;
static char text[64 * 1024];

static void set_up(void)
{
    test_directory_make(&directory);
    snprintf(quantiles_path, sizeof quantiles_path, "%s/quantiles", directory.path);
    snprintf(histograms_path, sizeof histograms_path, "%s/histograms", directory.path);
    cr_assert(timeline_open(&timeline, quantiles_path, histograms_path, INTERVAL_MS, 1));
    timeline_begin(&timeline, UNIX_MS);
}

static void tear_down(void)
{
    timeline_close(&timeline);
    test_directory_remove(&directory);
}

TestSuite(timeline, .init = set_up, .fini = tear_down);

static const char *content_of(const char *path)
{
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = 0;
    fclose(file);
    return text;
}

/* One click, planned at a millisecond and answered so many later. */
static void accept(uint64_t planned_ms, uint64_t latency_ms)
{
    timeline_sent(timeline.parts, planned_ms * MS, 1);
    timeline_answered(timeline.parts, planned_ms * MS, latency_ms * MS, 1, 0);
}

#define HEAD "start_ms,unix_ms,accepted,refused,lost,p50_us,p99_us,p99.9_us,max_us\n"

Test(timeline, answer_belongs_to_the_interval_in_which_it_was_planned_however_late_it_is)
{
    timeline_sent(timeline.parts, 99 * MS, 3);
    timeline_sent(timeline.parts, 100 * MS, 2);
    timeline_answered(timeline.parts, 100 * MS, 1 * MS, 1, 1);
    timeline_answered(timeline.parts, 99 * MS, 5000 * MS, 1, 2);
    cr_assert(timeline_close(&timeline));
    cr_assert_str_eq(content_of(quantiles_path),
                     HEAD "0,5000,1,2,0,5000000.000,5000000.000,5000000.000,5000000.000\n"
                          "100,5100,1,1,0,1000.000,1000.000,1000.000,1000.000\n");
}

Test(timeline, interval_without_clicks_has_a_line_and_no_latencies)
{
    accept(10, 1);
    accept(210, 2);
    cr_assert(timeline_close(&timeline));
    cr_assert_str_eq(content_of(quantiles_path),
                     HEAD "0,5000,1,0,0,1000.000,1000.000,1000.000,1000.000\n"
                          "100,5100,0,0,0,,,,\n"
                          "200,5200,1,0,0,2000.000,2000.000,2000.000,2000.000\n");
    cr_assert_not_null(strstr(content_of(histograms_path), "\n100,5100,0,\n"));
}

Test(timeline, lost_clicks_are_counted_apart)
{
    timeline_sent(timeline.parts, 0, 5);
    timeline_lost(timeline.parts, 0, 3);
    timeline_answered(timeline.parts, 0, 1 * MS, 0, 2);
    cr_assert(timeline_close(&timeline));
    cr_assert_str_eq(content_of(quantiles_path),
                     HEAD "0,5000,0,2,3,1000.000,1000.000,1000.000,1000.000\n");
}

Test(timeline, interval_is_written_when_all_of_it_was_sent_and_answered)
{
    timeline_sent(timeline.parts, 50 * MS, 1);
    accept(150, 1);
    timeline_write(timeline.parts, 200 * MS, 200 * MS);
    cr_assert_eq(timeline.written, 0, "a click waits for its answer");
    cr_assert_not(timeline_is_due(timeline.parts, 299 * MS), "looking again is worth it later");
    cr_assert(timeline_is_due(timeline.parts, 300 * MS));
    timeline_answered(timeline.parts, 50 * MS, 250 * MS, 1, 0);
    timeline_write(timeline.parts, 300 * MS, 99 * MS);
    cr_assert_eq(timeline.written, 0, "others planned in it may still be sent");
    timeline_write(timeline.parts, 300 * MS, 100 * MS);
    cr_assert_eq(timeline.written, 1);
    timeline_write(timeline.parts, 300 * MS, 200 * MS);
    cr_assert_eq(timeline.written, 2);
    timeline_write(timeline.parts, 300 * MS, 300 * MS);
    cr_assert_eq(timeline.written, 2, "nothing was planned since");
}

Test(timeline, memory_is_used_again)
{
    for (uint64_t i = 0; i < 3ull * TIMELINE_OPEN_MAX; i++) {
        accept(i * INTERVAL_MS, 1);
        timeline_write(timeline.parts, i * INTERVAL_MS * MS, i * INTERVAL_MS * MS);
    }
    cr_assert_leq(timeline.parts[0].spare_count, 1);
    cr_assert_eq(timeline.written, 3ull * TIMELINE_OPEN_MAX - 1);
    cr_assert(timeline_close(&timeline));
}

Test(timeline, an_answer_that_misses_for_too_many_intervals_ends_it_with_a_reason)
{
    timeline_sent(timeline.parts, 0, 1);
    accept((TIMELINE_OPEN_MAX - 1) * INTERVAL_MS, 1);
    cr_assert_str_empty(timeline.parts[0].trouble);
    timeline_sent(timeline.parts, TIMELINE_OPEN_MAX * INTERVAL_MS * MS, 1);
    cr_assert_not_null(strstr(timeline.parts[0].trouble, "--interval"), "%s",
                       timeline.parts[0].trouble);
    timeline_answered(timeline.parts, TIMELINE_OPEN_MAX * INTERVAL_MS * MS, 1, 1, 0);
    timeline_lost(timeline.parts, 0, 1);
    cr_assert_not(timeline_close(&timeline));
    cr_assert_str_eq(content_of(quantiles_path), HEAD);
}

/* Reads "END:COUNT ..." of all lines back into one histogram. */
static void read_buckets(struct histogram *to)
{
    char *save;
    content_of(histograms_path);
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char *at = strrchr(line, ',') + 1;
        while (strchr(at, ':') != NULL) {
            double end_us = strtod(at, &at);
            cr_assert_eq(*at++, ':');
            uint64_t count = strtoull(at, &at, 10);
            histogram_record(to, (uint64_t)(end_us * 1000 + 0.5), count);
        }
    }
}

Test(timeline, buckets_of_all_lines_add_up_to_the_whole)
{
    static struct histogram whole;
    static struct histogram added;
    unsigned seed = 20260301;
    srandom(seed);
    for (int i = 0; i < 3000; i++) {
        uint64_t planned_ns = (uint64_t)random() % (10 * INTERVAL_MS * MS);
        uint64_t latency_ns = 1 + (uint64_t)random() % (UINT64_C(1) << (random() % 30));
        timeline_sent(timeline.parts, planned_ns, 2);
        timeline_answered(timeline.parts, planned_ns, latency_ns, 1, 1);
        histogram_record(&whole, latency_ns, 2);
    }
    cr_assert(timeline_close(&timeline));
    read_buckets(&added);
    cr_assert_eq(added.count, 6000);
    cr_assert_arr_eq(added.counts, whole.counts, sizeof whole.counts, "seed %u", seed);
}

Test(timeline, a_line_is_written_when_all_threads_are_past_it_and_has_what_all_of_them_had)
{
    struct timeline both;
    cr_assert(timeline_open(&both, quantiles_path, NULL, INTERVAL_MS, 2));
    timeline_begin(&both, UNIX_MS);
    struct timeline_part *left = &both.parts[0];
    struct timeline_part *right = &both.parts[1];
    timeline_sent(left, 10 * MS, 2);
    timeline_answered(left, 10 * MS, 100, 2, 0);
    timeline_sent(right, 20 * MS, 2);
    timeline_write(left, 200 * MS, 200 * MS);
    timeline_answered(right, 20 * MS, 200, 0, 1);
    timeline_write(right, 200 * MS, 200 * MS);
    cr_assert_eq(both.written, 0, "a click of the right one waits for its answer");
    timeline_lost(right, 20 * MS, 1);
    timeline_write(right, 300 * MS, 300 * MS);
    cr_assert_eq(both.written, 1);
    timeline_sent(right, 310 * MS, 1);
    timeline_answered(right, 310 * MS, 2 * MS, 1, 0);
    timeline_write(right, 400 * MS, 400 * MS);
    timeline_write(right, 400 * MS, 400 * MS);
    cr_assert_eq(both.written, 2, "the left one may still have clicks there");
    timeline_end(left);
    timeline_write(right, 400 * MS, 400 * MS);
    timeline_write(right, 400 * MS, 400 * MS);
    cr_assert_eq(both.written, 4);
    cr_assert(timeline_close(&both));
    cr_assert_str_eq(content_of(quantiles_path),
                     HEAD "0,5000,2,1,1,0.100,0.200,0.200,0.200\n"
                          "100,5100,0,0,0,,,,\n"
                          "200,5200,0,0,0,,,,\n"
                          "300,5300,1,0,0,2000.000,2000.000,2000.000,2000.000\n");
}

Test(timeline, without_files_does_nothing)
{
    struct timeline off;
    cr_assert(timeline_open(&off, NULL, NULL, INTERVAL_MS, 1));
    timeline_begin(&off, UNIX_MS);
    timeline_sent(off.parts, 5, 1);
    timeline_answered(off.parts, 5, 1, 1, 0);
    timeline_lost(off.parts, 7, 1);
    cr_assert_not(timeline_is_due(off.parts, UINT64_MAX));
    timeline_write(off.parts, UINT64_MAX, UINT64_MAX);
    cr_assert(timeline_close(&off));
}

Test(timeline, one_file_alone_is_fine)
{
    struct timeline one;
    cr_assert(timeline_open(&one, NULL, histograms_path, INTERVAL_MS, 1));
    timeline_begin(&one, UNIX_MS);
    timeline_sent(one.parts, 0, 4);
    timeline_answered(one.parts, 0, 100, 4, 0);
    cr_assert(timeline_close(&one));
    cr_assert_str_eq(content_of(histograms_path), "start_ms,unix_ms,count,buckets\n"
                                                  "0,5000,4,0.100:4\n");
}

Test(timeline, file_that_cannot_be_written_is_named)
{
    struct timeline bad;
    cr_assert_not(timeline_open(&bad, "/nowhere/timeline.csv", NULL, INTERVAL_MS, 1));
    cr_assert_not_null(strstr(bad.trouble, "/nowhere/timeline.csv"), "%s", bad.trouble);
    cr_assert_not(timeline_close(&bad));
}

Test(timeline, full_disk_is_told_at_the_end)
{
    struct timeline full;
    cr_assert(timeline_open(&full, "/dev/full", NULL, INTERVAL_MS, 1));
    timeline_begin(&full, UNIX_MS);
    cr_assert_not(timeline_close(&full));
    cr_assert_not_null(strstr(full.trouble, "cannot write"), "%s", full.trouble);
}
