/* The small parts of holdfast-log. */

#include "replay_log/chart.h"
#include "replay_log/csv.h"
#include "replay_log/entry_table.h"
#include "replay_log/id_list.h"
#include "replay_log/item_counts.h"
#include "replay_log/moment.h"
#include "replay_log/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- moments ---- */

static uint64_t time_of(const char *text)
{
    uint64_t ms = 0;
    cr_expect(moment_parse_time(text, 1769860800000, &ms), "%s", text);
    return ms;
}

Test(moment, times_in_all_forms)
{
    cr_expect_eq(time_of("1769860800123"), 1769860800123);
    cr_expect_eq(time_of("1769860800123ms"), 1769860800123);
    cr_expect_eq(time_of("now"), 1769860800000);
    cr_expect_eq(time_of("-15m"), 1769860800000 - 15 * 60000);
    cr_expect_eq(time_of("2026-01-31T12:00:00Z"), 1769860800000);
    cr_expect_eq(time_of("2026-01-31 12:00:00"), 1769860800000);
    cr_expect_eq(time_of("2026-01-31T12:00"), 1769860800000);
    cr_expect_eq(time_of("2026-01-31T12:00:00.25Z"), 1769860800250);
    cr_expect_eq(time_of("2026-01-31"), 1769817600000);
    cr_expect_eq(time_of("2024-02-29"), 1709164800000);
}

Test(moment, what_is_no_time_is_refused)
{
    static const char *const wrong[] = {
        "",
        "yesterday",
        "2026-02-30",
        "2026-13-01",
        "2026-01-31T25:00",
        "2026-01-31T",
        "2026-01-31T12",
        "2026-01-31T12:00:60.",
        "12:00",
        "-15",
        "- 15m",
        "1769860800123s",
        "2026-01-31T12:00:00.Z",
        " 2026-01-31",
        "+15m",
        "2026-01-31T12:00:00Zx",
        "99999999999999999999",
        "-99999d",
        "1969-12-31",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint64_t ms;
        cr_expect(!moment_parse_time(wrong[i], 1769860800000, &ms), "'%s'", wrong[i]);
    }
}

Test(moment, a_number_alone_is_an_lsn_where_there_may_be_one)
{
    struct moment moment;
    cr_expect(moment_parse("1000", 5, &moment) && moment.kind == MOMENT_LSN);
    cr_expect_eq(moment.value, 1000);
    cr_expect(moment_parse("1000ms", 5, &moment) && moment.kind == MOMENT_TIME);
    cr_expect_eq(moment.value, 1000);
    cr_expect(!moment_parse("x", 5, &moment));
}

/* ---- ids ---- */

Test(id_list, finds_what_was_named)
{
    struct id_list list = {.count = 0};
    cr_expect(!id_list_has(&list, (struct id128){.low = 7}));
    cr_expect(id_list_parse_numbers(&list, "9,7,18446744073709551615"));
    cr_expect(id_list_parse_numbers(&list, "1"));
    cr_expect_eq(list.count, 4);
    cr_expect(id_list_has(&list, (struct id128){.low = 7}));
    cr_expect(id_list_has(&list, (struct id128){.low = UINT64_MAX}));
    cr_expect(!id_list_has(&list, (struct id128){.high = 1, .low = 7}));
    id_list_free(&list);
    cr_expect(id_list_parse_hex(&list, "000000000000ABcd0000000000000001"));
    cr_expect(id_list_has(&list, (struct id128){.high = 0xabcd, .low = 1}));
    cr_expect(!id_list_parse_hex(&list, "abcd"));
    cr_expect(!id_list_parse_hex(&list, "000000000000abcd000000000000000g"));
    cr_expect(!id_list_parse_numbers(&list, "7,"));
    cr_expect(!id_list_parse_numbers(&list, "18446744073709551616"));
    cr_expect(!id_list_parse_numbers(&list, ""));
    id_list_free(&list);
}

/* ---- text ---- */

Test(text, utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "gr\xc3\xbc\xc3\x9f",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\xff", "\xc3",     "\xc0\x80",         "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\x80", "\xe2\x82", "\xf0\x80\x80\x80", "a\xc3(",       "\xe2\x28\xa1", "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(text_is_utf8(good[i], strlen(good[i])), "%zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(!text_is_utf8(bad[i], strlen(bad[i])), "%zu", i);
}

/* ---- CSV ---- */

Test(csv, fields_are_quoted_when_they_have_to_be)
{
    char *text = NULL;
    size_t bytes = 0;
    struct csv csv = {.to = open_memstream(&text, &bytes)};
    struct stock_item_settings item = {.sku_bytes = 3, .sku = "a,b"};
    csv_header(&csv, "a,b");
    csv_u64(&csv, UINT64_MAX);
    csv_i64(&csv, -1);
    csv_text(&csv, "plain");
    csv_text(&csv, "say \"no\"\n");
    csv_time(&csv, 0);
    csv_time(&csv, 1769860800250);
    csv_id(&csv, (struct id128){.low = 1});
    csv_sku(&csv, &item);
    item.sku[0] = '\xff';
    csv_sku(&csv, &item);
    csv_end_row(&csv);
    csv_u64(&csv, 7);
    csv_end_row(&csv);
    fclose(csv.to);
    cr_expect_str_eq(text, "a,b\r\n"
                           "18446744073709551615,-1,plain,\"say \"\"no\"\"\n\",,,"
                           "2026-01-31T12:00:00.250Z,1769860800250,"
                           "00000000000000000000000000000001,\"a,b\",,,ff2c62\r\n"
                           "7\r\n");
    free(text);
}

/* ---- charts ---- */

static uint64_t sum_of(const struct chart *chart)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < chart->row_count; i++)
        sum += chart_row_sum(&chart->rows[i]);
    return sum;
}

Test(chart, rows_become_wider_until_they_fit_and_nothing_is_lost)
{
    struct chart chart;
    chart_begin(&chart, 0);
    const uint64_t begin_ms = 1769860800000;
    uint64_t count = 0;
    for (uint64_t step = 1; step < 1ull << 40; step *= 3) {
        chart_add(&chart, begin_ms + step, 1);
        chart_add(&chart, begin_ms - step % 1000000, 2);
        count += 2;
        cr_assert_eq(sum_of(&chart), count);
        cr_assert_leq(chart.row_count, 40);
        cr_assert_leq(chart.first * chart.width_ms, begin_ms);
    }
    chart_end(&chart);
}

Test(chart, rows_of_a_fixed_width_are_as_many_as_it_takes)
{
    struct chart chart;
    chart_begin(&chart, 60000);
    chart_add(&chart, 600000, 3);
    chart_add(&chart, 0, 3);
    chart_add(&chart, 659999, 3);
    cr_expect_eq(chart.row_count, 11);
    cr_expect_eq(chart.rows[10].counts[3], 2);
    cr_expect_eq(chart.rows[0].counts[3], 1);
    chart_add(&chart, 1ull << 42, 3);
    cr_expect(chart.is_too_long);
    chart_end(&chart);
}

/* ---- tables ---- */

Test(item_counts, counts_are_found_again_and_sorted)
{
    struct item_counts counts = {.count = 0};
    for (uint64_t i = 1; i <= 1000; i++)
        item_counts_at(&counts, i * 7919)->counters[0] += i;
    for (uint64_t i = 1; i <= 1000; i++)
        cr_assert_eq(item_counts_at(&counts, i * 7919)->counters[0], i);
    cr_expect_eq(counts.count, 1000);
    item_counts_at(&counts, 5)->counters[0] = 1000;
    const struct item_count *list = item_counts_sort(&counts);
    cr_expect_eq(list[0].item_id, 5);
    cr_expect_eq(list[1].item_id, 7919000);
    cr_expect_eq(list[1000].item_id, 7919);
    item_counts_free(&counts);
}

static struct stock_entry buyer(uint64_t item_id, uint64_t buyer_id, uint32_t units)
{
    return (struct stock_entry){
        .type = STOCK_ENTRY_BUYER,
        .buyer = {.item_id = item_id, .buyer_id = buyer_id, .units_held = units}};
}

Test(entry_table, entries_are_met_once_and_the_others_come_in_the_end)
{
    struct entry_table table = {.entry_count = 0};
    struct stock_entry found;
    struct stock_entry entry = buyer(1, 1, 1);
    cr_expect(!entry_table_meet(&table, &entry, &found));
    for (uint64_t i = 1; i <= 5000; i++) {
        uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
        entry = buyer(i % 10 + 1, i, (uint32_t)i);
        entry_table_add(&table, &entry, bytes, stock_entry_encode(&entry, bytes));
    }
    for (uint64_t i = 1; i <= 5000; i += 2) {
        entry = buyer(i % 10 + 1, i, 0);
        cr_assert(entry_table_meet(&table, &entry, &found));
        cr_assert_eq(found.buyer.units_held, i);
    }
    entry = buyer(1, 3, 0);
    cr_expect(!entry_table_meet(&table, &entry, &found), "it is another item's");
    size_t at = 0;
    uint32_t count = 0;
    for (; entry_table_next_unmet(&table, &at, &found); count++)
        cr_assert_eq(found.buyer.buyer_id % 2, 0);
    cr_expect_eq(count, 2500);
    entry_table_free(&table);
}
