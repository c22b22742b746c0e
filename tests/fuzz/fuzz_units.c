/* Numbers as people write them: sizes, durations and counts of flags and files, and the values of
 * the command line and the catalogue.
 *
 * The input is one text. It is given to every reader of values. Promises:
 *
 *   - The reader agrees with a slow and obvious one that is written here from the headers: whether
 *     the text is a value, and which.
 *   - What a printer writes is read back as the same value.
 *   - Nothing is read behind the text: it stands in memory of its own length. */

#include "fuzz.h"

#include "base/units.h"
#include "cli/moment.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 wide; /* no sum or product here leaves it */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit size_units[] = {
    {"", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 1099511627776}};
static const struct unit count_units[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}};

static const uint64_t NOW_MS = 1793300000000;
static const wide NO_NUMBER = (wide)1 << 100;

/* The decimal number in `text`, or NO_NUMBER when it is none. Numbers beyond 64 bits stay beyond
 * them, however long they are. */
static wide number_of(const char *text, size_t length)
{
    wide value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return NO_NUMBER;
        if (value <= UINT64_MAX)
            value = value * 10 + (wide)(text[i] - '0');
    }
    return length == 0 ? NO_NUMBER : value;
}

/* The text is a number and then one of the names. */
static bool slow_parse(const char *text, const struct unit *units, size_t unit_count,
                       uint64_t *value_out)
{
    for (size_t i = 0; i < unit_count; i++) {
        size_t name_length = strlen(units[i].name);
        if (strlen(text) <= name_length)
            continue;
        size_t digit_count = strlen(text) - name_length;
        wide number = number_of(text, digit_count);
        if (strcmp(text + digit_count, units[i].name) != 0 || number > UINT64_MAX)
            continue;
        if (number * units[i].factor > UINT64_MAX)
            return false;
        *value_out = (uint64_t)(number * units[i].factor);
        return true;
    }
    return false;
}

/* Takes the units in their order, each or not, and then nothing may be left. */
static bool slow_parse_duration(const char *text, uint64_t *value_out)
{
    const char *at = text;
    wide total = 0;
    if (strcmp(text, "0") == 0) {
        *value_out = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof duration_units / sizeof *duration_units; i++) {
        size_t digit_count = strspn(at, "0123456789");
        size_t name_length = strcspn(at + digit_count, "0123456789");
        const char *name = duration_units[i].name;
        if (digit_count == 0 || strlen(name) != name_length ||
            strncmp(at + digit_count, name, name_length) != 0)
            continue;
        wide number = number_of(at, digit_count);
        if (number > UINT64_MAX)
            return false;
        total += number * duration_units[i].factor;
        at += digit_count + name_length;
    }
    if (*at != '\0' || at == text || total > UINT64_MAX)
        return false;
    *value_out = (uint64_t)total;
    return true;
}

typedef bool (*parse_fn)(const char *text, uint64_t *value_out);

static void check_same(parse_fn parse, const char *text, bool is_expected, uint64_t expected)
{
    uint64_t value = 0;
    bool is_parsed = parse(text, &value);
    hf_assert(is_parsed == is_expected);
    hf_assert(!is_parsed || value == expected);
}

static void check_units(const char *text)
{
    uint64_t expected = 0;
    bool is_expected = slow_parse(text, size_units, 5, &expected);
    check_same(units_parse_bytes, text, is_expected, expected);
    is_expected = slow_parse(text, count_units, 4, &expected);
    check_same(units_parse_count, text, is_expected, expected);
    is_expected = slow_parse_duration(text, &expected);
    check_same(units_parse_duration_ms, text, is_expected, expected);
}

static void check_duration_printer(uint64_t ms)
{
    char text[UNITS_TEXT_BYTES_MAX];
    uint64_t again;
    units_format_duration_ms(ms, text);
    hf_assert(strlen(text) < sizeof text);
    hf_assert(units_parse_duration_ms(text, &again));
    hf_assert(again == ms);
}

static bool slow_parse_u64(const char *text, uint64_t *value_out)
{
    bool is_hex = strncmp(text, "0x", 2) == 0;
    const char *digits = is_hex ? text + 2 : text;
    size_t length = strlen(digits);
    wide value = 0;
    if (length == 0 || strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789") != length)
        return false;
    for (size_t i = 0; i < length && value <= UINT64_MAX; i++) {
        static const char alphabet[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = strchr(alphabet, digits[i]);
        value = value * (is_hex ? 16 : 10) + (wide)((digit - alphabet) % 16);
    }
    *value_out = (uint64_t)value;
    return value <= UINT64_MAX;
}

/* The readers of values, all with 64 bits. */

static bool parse_count(const char *text, uint64_t *value_out)
{
    uint32_t count = 0;
    bool is_parsed = value_parse_count(text, &count);
    *value_out = count;
    return is_parsed;
}

static bool parse_stock(const char *text, uint64_t *value_out)
{
    int64_t stock = 0;
    bool is_parsed = value_parse_stock(text, &stock);
    *value_out = (uint64_t)stock;
    return is_parsed;
}

static bool parse_bool(const char *text, uint64_t *value_out)
{
    bool truth = false;
    bool is_parsed = value_parse_bool(text, &truth);
    *value_out = truth;
    return is_parsed;
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

static void check_values(const char *text)
{
    uint64_t expected = 0;
    bool is_expected = slow_parse_u64(text, &expected);
    check_same(value_parse_u64, text, is_expected, expected);
    is_expected = slow_parse(text, count_units, 4, &expected);
    check_same(parse_count, text, is_expected && expected <= UINT32_MAX, expected);
    if (is_one_of(text, "-1", "unlimited", "unlimited"))
        check_same(parse_stock, text, true, UINT64_MAX);
    else
        check_same(parse_stock, text, is_expected && expected <= INT64_MAX, expected);
    bool is_yes = is_one_of(text, "yes", "true", "1");
    check_same(parse_bool, text, is_yes || is_one_of(text, "no", "false", "0"), is_yes);
}

/* Days since 1970 by going through the years and months one by one. */
static uint64_t slow_days(unsigned year, unsigned month, unsigned day)
{
    static const unsigned month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t days = day - 1;
    for (unsigned y = 1970; y < year; y++)
        days += 365 + ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0);
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    for (unsigned m = 1; m < month; m++)
        days += month_days[m - 1] + (m == 2 && is_leap);
    return days;
}

/* An accepted time in UTC names the moment that its digits say. */
static void check_utc(const char *text, uint64_t ms)
{
    unsigned year, month, day, hour, minute, second;
    hf_assert(sscanf(text, "%4u-%2u-%2u%*1[T ]%2u:%2u:%2u", &year, &month, &day, &hour, &minute,
                     &second) == 6);
    hf_assert(month >= 1 && month <= 12 && day >= 1 && day <= 31);
    hf_assert(hour <= 23 && minute <= 59 && second <= 59);
    hf_assert(day <= 28 || slow_days(year, month, day) < slow_days(year, month + 1, 1) ||
              month == 12);
    uint64_t seconds = ((slow_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    hf_assert(ms / 1000 == seconds);
}

static void check_moment_printer(uint64_t ms)
{
    char text[MOMENT_TEXT_BYTES];
    struct moment again;
    moment_format(ms, text);
    hf_assert(memchr(text, '\0', sizeof text) != NULL);
    if (ms < 253402300800000) { /* up to the year 9999, which is as far as RFC 3339 goes */
        hf_assert(moment_parse(text, &again));
        hf_assert(!again.is_relative && again.ms == ms);
    }
}

static void check_moment(const char *text)
{
    struct moment moment;
    bool is_parsed = moment_parse(text, &moment);
    if (strcmp(text, "none") == 0) {
        hf_assert(is_parsed && !moment.is_relative && moment.ms == 0);
    } else if (text[0] == '+') {
        uint64_t expected;
        bool is_expected = slow_parse_duration(text + 1, &expected) && expected <= INT64_MAX;
        hf_assert(is_parsed == is_expected);
        hf_assert(!is_parsed || (moment.is_relative && moment.ms == expected));
        hf_assert(!is_parsed || moment_at(&moment, NOW_MS) >= NOW_MS);
    } else if (is_parsed) {
        hf_assert(!moment.is_relative);
        check_utc(text, moment.ms);
    }
}

/* Well-formed UTF-8 without control characters, decoded a bit at a time. */
static bool slow_is_sku(const char *text)
{
    size_t length = strlen(text);
    if (length < 1 || length > 64)
        return false;
    for (size_t i = 0; i < length;) {
        unsigned char first = (unsigned char)text[i];
        unsigned more = 0;
        while (more < 4 && (first & (0x80u >> more)) != 0)
            more++;
        if (more == 1 || more > 4 || (more == 4 && (first & 0x08) != 0))
            return false;
        size_t bytes = more == 0 ? 1 : more;
        uint32_t value = more == 0 ? first : first & (0x7fu >> more);
        for (size_t k = 1; k < bytes; k++) {
            if (i + k >= length || ((unsigned char)text[i + k] & 0xc0) != 0x80)
                return false;
            value = value * 64 + ((unsigned char)text[i + k] & 0x3f);
        }
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        bool is_surrogate = value >= 0xd800 && value < 0xe000;
        bool is_control = value < 0x20 || (value >= 0x7f && value < 0xa0);
        if (value < smallest[more] || value > 0x10ffff || is_surrogate || is_control)
            return false;
        i += bytes;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    char *text = malloc(data_bytes + 1);
    hf_assert(text != NULL);
    if (data_bytes > 0)
        memcpy(text, data, data_bytes);
    text[data_bytes] = '\0';

    check_units(text);
    check_values(text);
    check_moment(text);
    hf_assert(value_is_sku(text) == slow_is_sku(text));
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    uint64_t number = fuzz_take_u64(&tape);
    check_duration_printer(number);
    check_moment_printer(number);
    check_moment_printer(number % 253402300800000);
    free(text);
    return 0;
}
