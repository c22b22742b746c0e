/* Numbers with units: what is accepted, what it means, and what is refused. */
#include "base/units.h"

#include <criterion/criterion.h>

typedef bool (*parse_fn)(const char *text, uint64_t *value_out);

static void expect(parse_fn parse, const char *text, uint64_t expected)
{
    uint64_t value = 0;
    cr_expect(parse(text, &value), "'%s' is refused", text);
    cr_expect_eq(value, expected, "'%s' is %lu", text, (unsigned long)value);
}

static void expect_refused(parse_fn parse, const char *text)
{
    uint64_t value;
    cr_expect_not(parse(text, &value), "'%s' is accepted", text);
}

Test(units, durations_have_units_and_may_be_joined)
{
    expect(units_parse_duration_ms, "0", 0);
    expect(units_parse_duration_ms, "250ms", 250);
    expect(units_parse_duration_ms, "15m", 900000);
    expect(units_parse_duration_ms, "1h30m", 5400000);
    expect(units_parse_duration_ms, "2s500ms", 2500);
    expect(units_parse_duration_ms, "1d2h3m4s5ms", 93784005);
}

Test(units, durations_that_are_no_durations_are_refused)
{
    static const char *const texts[] = {"",
                                        "15",
                                        "m",
                                        "15 m",
                                        "-1s",
                                        "1m1h",
                                        "1s1s",
                                        "1.5s",
                                        "1week",
                                        "1sm",
                                        "1S",
                                        "99999999999999999999s",
                                        "18446744073709551615d"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_refused(units_parse_duration_ms, texts[i]);
}

Test(units, sizes_are_in_binary_units)
{
    expect(units_parse_bytes, "0", 0);
    expect(units_parse_bytes, "4096", 4096);
    expect(units_parse_bytes, "64KiB", 65536);
    expect(units_parse_bytes, "64MiB", 64ull << 20);
    expect(units_parse_bytes, "2TiB", 2ull << 40);
    static const char *const texts[] = {"",      "MiB", "1MB",   "1mib",
                                        "1 MiB", "-1",  "1MiB1", "99999999TiB"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_refused(units_parse_bytes, texts[i]);
}

Test(units, counts_are_in_powers_of_a_thousand)
{
    expect(units_parse_count, "1000", 1000);
    expect(units_parse_count, "16M", 16000000);
    expect(units_parse_count, "18446744073709551615", UINT64_MAX);
    static const char *const texts[] = {"", "k", "1K", "0x10", "1e6", "18446744073709551616"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_refused(units_parse_count, texts[i]);
}

Test(units, a_written_duration_reads_back)
{
    static const uint64_t values[] = {
        0, 1, 999, 1000, 61001, 900000, 5400000, 93784005, 30ull * 24 * 3600 * 1000};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[UNITS_TEXT_BYTES_MAX];
        units_format_duration_ms(values[i], text);
        expect(units_parse_duration_ms, text, values[i]);
    }
}
