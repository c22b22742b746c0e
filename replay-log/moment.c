#include "moment.h"

#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

/* The number that the text begins with, and the rest. */
static bool parse_digits(const char *text, uint64_t *number_out, const char **rest_out)
{
    char *rest;
    if (!is_digit(*text))
        return false;
    errno = 0;
    *number_out = strtoull(text, &rest, 10);
    *rest_out = rest;
    return errno == 0;
}

bool moment_parse_number(const char *text, uint64_t *number_out)
{
    const char *rest;
    return parse_digits(text, number_out, &rest) && *rest == '\0';
}

/* ".250" */
static bool parse_fraction(const char **text, uint64_t *ms_out)
{
    uint64_t weight = 100;
    *ms_out = 0;
    if (**text != '.')
        return true;
    for (++*text; is_digit(**text) && weight > 0; ++*text, weight /= 10)
        *ms_out += (uint64_t)(**text - '0') * weight;
    return weight < 100;
}

/* "12:00" or "12:00:00.250", behind a date; what follows it, or NULL. */
static const char *parse_clock(const char *text, struct tm *tm, uint64_t *fraction_ms_out)
{
    const char *rest = strptime(text, "%H:%M", tm);
    if (rest == NULL || *rest != ':')
        return rest;
    rest = strptime(rest + 1, "%S", tm);
    return rest != NULL && parse_fraction(&rest, fraction_ms_out) ? rest : NULL;
}

static bool parse_calendar(const char *text, uint64_t *ms_out)
{
    struct tm written = {0};
    uint64_t fraction_ms = 0;
    const char *rest = is_digit(*text) ? strptime(text, "%Y-%m-%d", &written) : NULL;
    if (rest != NULL && (*rest == 'T' || *rest == ' '))
        rest = parse_clock(rest + 1, &written, &fraction_ms);
    if (rest == NULL || strcmp(*rest == 'Z' ? rest + 1 : rest, "") != 0)
        return false;
    struct tm carried = written; /* timegm() makes March 2 of February 30 */
    const time_t seconds = timegm(&carried);
    *ms_out = (uint64_t)seconds * 1000 + fraction_ms;
    return seconds >= 0 && carried.tm_mday == written.tm_mday && carried.tm_sec == written.tm_sec;
}

bool moment_parse_time(const char *text, uint64_t now_ms, uint64_t *ms_out)
{
    const char *rest;
    *ms_out = now_ms;
    if (strcmp(text, "now") == 0)
        return true;
    if (*text == '-') {
        uint64_t ago_ms;
        if (!units_parse_duration_ms(text + 1, &ago_ms) || ago_ms > now_ms)
            return false;
        *ms_out = now_ms - ago_ms;
        return true;
    }
    if (parse_digits(text, ms_out, &rest) && (*rest == '\0' || strcmp(rest, "ms") == 0))
        return true;
    return parse_calendar(text, ms_out);
}

bool moment_parse(const char *text, uint64_t now_ms, struct moment *moment_out)
{
    moment_out->kind = MOMENT_LSN;
    if (moment_parse_number(text, &moment_out->value))
        return true;
    moment_out->kind = MOMENT_TIME;
    return moment_parse_time(text, now_ms, &moment_out->value);
}
