#include "cli/moment.h"
#include "cli/value.h"

#include <criterion/criterion.h>

Test(moment, utc_times_are_read_to_the_millisecond)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {{"1970-01-01T00:00:00Z", 0},
                 {"2026-11-27T20:00:00Z", 1795809600000},
                 {"2026-11-27 20:00:00Z", 1795809600000},
                 {"2026-11-27T20:00:00.25Z", 1795809600250},
                 {"2026-11-27T20:00:00.007Z", 1795809600007},
                 {"2024-02-29T23:59:59Z", 1709251199000},
                 {"none", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct moment moment;
        cr_expect(moment_parse(cases[i].text, &moment), "%s", cases[i].text);
        cr_expect_not(moment.is_relative);
        cr_expect_eq(moment_at(&moment, 999), cases[i].ms, "%s", cases[i].text);
    }
}

Test(moment, a_span_that_ends_beyond_64_bits_is_refused_and_is_not_in_the_past)
{
    struct moment moment;
    cr_expect_not(moment_parse("+18446744073709551615ms", &moment));
    cr_expect_not(moment_parse("+9223372036854775808ms", &moment));
    cr_expect(moment_parse("+9223372036854775807ms", &moment));
    cr_expect_gt(moment_at(&moment, 1700000000000), 1700000000000u);
}

Test(moment, spans_count_from_now)
{
    struct moment moment;
    cr_expect(moment_parse("+1h30m", &moment));
    cr_expect_eq(moment_at(&moment, 1000), 5401000);
}

Test(moment, other_texts_are_refused)
{
    static const char *const texts[] = {"",
                                        "now",
                                        "+",
                                        "+15",
                                        "15m",
                                        "2026-11-27",
                                        "2026-11-27T20:00:00",
                                        "2026-11-27_20:00:00Z",
                                        "2026-11-27T20:00:00+01:00",
                                        "2026-11-27T20:00:00.Z",
                                        "2026-11-27T20:00:00.1234Z",
                                        "2026-13-01T00:00:00Z",
                                        "2025-02-29T00:00:00Z",
                                        "2026-11-27T24:00:00Z",
                                        "2026-11-27T20:60:00Z",
                                        "1969-12-31T23:59:59Z",
                                        "2026-11-27T20:00:00Zx",
                                        "2026-11-2"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct moment moment;
        cr_expect_not(moment_parse(texts[i], &moment), "%s", texts[i]);
    }
}

Test(moment, time_is_written_in_utc)
{
    char text[MOMENT_TEXT_BYTES];
    moment_format(1795809600250, text);
    cr_expect_str_eq(text, "2026-11-27T20:00:00.250Z");
    moment_format(UINT64_MAX, text); /* whatever it writes, it fits */
}

Test(value, numbers_in_both_bases)
{
    uint64_t value;
    cr_expect(value_parse_u64("0", &value) && value == 0);
    cr_expect(value_parse_u64("18446744073709551615", &value) && value == UINT64_MAX);
    cr_expect(value_parse_u64("0xffFF", &value) && value == 0xffff);
    static const char *const wrong[] = {"",   "-1",
                                        "+1", " 1",
                                        "1 ", "18446744073709551616",
                                        "0x", "0xg",
                                        "1a", "0x10000000000000000"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(value_parse_u64(wrong[i], &value), "%s", wrong[i]);
}

Test(value, stock_is_a_count_or_unlimited)
{
    int64_t stock;
    cr_expect(value_parse_stock("10k", &stock) && stock == 10000);
    cr_expect(value_parse_stock("unlimited", &stock) && stock == -1);
    cr_expect(value_parse_stock("-1", &stock) && stock == -1);
    cr_expect_not(value_parse_stock("-2", &stock));
    cr_expect_not(value_parse_stock("18446744073709551615", &stock));
}

Test(value, counts_fit_32_bits)
{
    uint32_t count;
    cr_expect(value_parse_count("4294967295", &count) && count == UINT32_MAX);
    cr_expect_not(value_parse_count("4294967296", &count));
}

Test(value, yes_and_no)
{
    bool value;
    cr_expect(value_parse_bool("yes", &value) && value);
    cr_expect(value_parse_bool("0", &value) && !value);
    cr_expect_not(value_parse_bool("", &value));
    cr_expect_not(value_parse_bool("YES", &value));
}

Test(value, skus_are_well_formed_utf8)
{
    cr_expect(value_is_sku("LAMP \xc3\xa4 \xe2\x82\xac \xf0\x9f\x92\xa1"));
    static const char *const wrong[] = {"",
                                        "a\nb",
                                        "\x7f",
                                        "\xc3",
                                        "\xc3(",
                                        "\xc0\xaf",
                                        "\xe0\x80\xaf",
                                        "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xf0\x80\x80\x80",
                                        "\xff",
                                        "\x80",
                                        "\xc2\x85",
                                        "\xe2\x82"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_expect_not(value_is_sku(wrong[i]), "case %zu", i);
}
