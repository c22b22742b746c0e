#include "moment.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "....-..-..T..:..:.." with digits for the dots. RFC 3339 allows a space for the T. */
static bool has_shape(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    for (size_t i = 0; shape[i]; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        bool is_space_for_t = shape[i] == 'T' && text[i] == ' ';
        if (shape[i] == 'd' ? !is_digit : text[i] != shape[i] && !is_space_for_t)
            return false;
    }
    return true;
}

static int number(const char *text, int digit_count)
{
    int value = 0;
    for (int i = 0; i < digit_count; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* What follows the seconds: "Z" or ".", up to three digits and "Z". */
static bool parse_fraction(const char *text, uint64_t *ms_out)
{
    *ms_out = 0;
    if (*text == '.') {
        uint64_t weight = 100;
        text++;
        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9' && weight > 0; text++, weight /= 10)
            *ms_out += (uint64_t)(*text - '0') * weight;
    }
    return strcmp(text, "Z") == 0;
}

static bool parse_utc(const char *text, uint64_t *ms_out)
{
    uint64_t fraction_ms;
    if (!has_shape(text) || !parse_fraction(text + 19, &fraction_ms))
        return false;
    struct tm tm = {
        .tm_year = number(text, 4) - 1900,
        .tm_mon = number(text + 5, 2) - 1,
        .tm_mday = number(text + 8, 2),
        .tm_hour = number(text + 11, 2),
        .tm_min = number(text + 14, 2),
        .tm_sec = number(text + 17, 2),
    };
    /* timegm() carries what is out of range over into the next field: then they differ */
    struct tm normal = tm;
    time_t seconds = timegm(&normal);
    if (seconds < 0 || normal.tm_year != tm.tm_year || normal.tm_mon != tm.tm_mon ||
        normal.tm_mday != tm.tm_mday || normal.tm_hour != tm.tm_hour ||
        normal.tm_min != tm.tm_min || normal.tm_sec != tm.tm_sec)
        return false;
    *ms_out = (uint64_t)seconds * 1000 + fraction_ms;
    return true;
}

bool moment_parse(const char *text, struct moment *moment_out)
{
    *moment_out = (struct moment){0, false};
    if (strcmp(text, "none") == 0)
        return true;
    if (*text == '+') {
        moment_out->is_relative = true;
        return units_parse_duration_ms(text + 1, &moment_out->ms) && moment_out->ms <= INT64_MAX;
    }
    return parse_utc(text, &moment_out->ms);
}

void moment_format(uint64_t ms, char text_out[MOMENT_TEXT_BYTES])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char date[MOMENT_TEXT_BYTES - 8];
    if (!gmtime_r(&seconds, &tm) || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        snprintf(text_out, MOMENT_TEXT_BYTES, "%llu ms", (unsigned long long)ms);
    else
        snprintf(text_out, MOMENT_TEXT_BYTES, "%s.%03uZ", date, (unsigned)(ms % 1000));
}
