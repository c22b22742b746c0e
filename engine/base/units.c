#include "base/units.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* The larger first; "ms" is looked for before "m" and "s". */
static const struct unit durations[] = {
    {"d", 24 * 3600 * 1000}, {"h", 3600 * 1000}, {"m", 60 * 1000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {
    {"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"", 1}};
static const struct unit counts[] = {{"G", 1000000000}, {"M", 1000000}, {"k", 1000}, {"", 1}};

/* Reads digits; returns what follows them, or NULL when there are none or too many. */
static const char *parse_digits(const char *text, uint64_t *value_out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return NULL;
    *value_out = value;
    return at == text ? NULL : at;
}

static bool parse_one(const char *text, const struct unit *units, size_t unit_count,
                      uint64_t *value_out)
{
    uint64_t number;
    const char *rest = parse_digits(text, &number);
    if (rest == NULL)
        return false;
    for (size_t i = 0; i < unit_count; i++)
        if (strcmp(rest, units[i].name) == 0)
            return !__builtin_mul_overflow(number, units[i].factor, value_out);
    return false;
}

bool units_parse_bytes(const char *text, uint64_t *bytes_out)
{
    return parse_one(text, sizes, sizeof sizes / sizeof *sizes, bytes_out);
}

bool units_parse_count(const char *text, uint64_t *count_out)
{
    return parse_one(text, counts, sizeof counts / sizeof *counts, count_out);
}

/* The index of the unit that is followed by a digit or the end, or -1. */
static int find_duration(const char *text, size_t *length_out)
{
    size_t length = strcspn(text, "0123456789");
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        if (strlen(durations[i].name) == length && memcmp(durations[i].name, text, length) == 0) {
            *length_out = length;
            return (int)i;
        }
    return -1;
}

bool units_parse_duration_ms(const char *text, uint64_t *ms_out)
{
    uint64_t total_ms = 0;
    int unit_before = -1;
    if (strcmp(text, "0") == 0) {
        *ms_out = 0;
        return true;
    }
    do {
        uint64_t number;
        size_t unit_length = 0;
        text = parse_digits(text, &number);
        if (text == NULL)
            return false;
        int unit = find_duration(text, &unit_length);
        if (unit <= unit_before ||
            __builtin_mul_overflow(number, durations[unit].factor, &number) ||
            __builtin_add_overflow(total_ms, number, &total_ms))
            return false;
        unit_before = unit;
        text += unit_length;
    } while (*text != '\0');
    *ms_out = total_ms;
    return true;
}

void units_format_duration_ms(uint64_t ms, char *to)
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        uint64_t number = ms / durations[i].factor;
        ms %= durations[i].factor;
        if (number != 0)
            used += (size_t)snprintf(to + used, UNITS_TEXT_BYTES_MAX - used, "%llu%s",
                                     (unsigned long long)number, durations[i].name);
    }
    if (used == 0)
        snprintf(to, UNITS_TEXT_BYTES_MAX, "0ms");
}
