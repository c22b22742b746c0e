#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout); /* so that the line stands where it belongs when both go to one place */
    fputs("holdfast-log: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

const char *text_time(uint64_t ms, char *to)
{
    struct tm utc;
    const time_t seconds = (time_t)(ms / 1000);
    char date[24];
    if (ms == 0)
        snprintf(to, TEXT_TIME_BYTES, "-");
    else if (gmtime_r(&seconds, &utc) == NULL ||
             strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        snprintf(to, TEXT_TIME_BYTES, "%" PRIu64 "ms", ms); /* beyond any calendar */
    else
        snprintf(to, TEXT_TIME_BYTES, "%s.%03uZ", date, (unsigned)(ms % 1000));
    return to;
}

const char *text_id(struct id128 id, char *to)
{
    snprintf(to, TEXT_ID_BYTES, "%016" PRIx64 "%016" PRIx64, id.high, id.low);
    return to;
}
