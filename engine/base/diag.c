#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum diag_level level_min = DIAG_INFO;

void diag_set_level(enum diag_level level)
{
    level_min = level;
}

void diag(enum diag_level level, const char *format, ...)
{
    static const char *const names[] = {"info", "warning", "error"};
    enum { TEXT_BYTES_MAX = 1000 };
    char line[TEXT_BYTES_MAX + 64];

    if (level < level_min)
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %s ", now.tv_nsec / 1000000,
                             names[level]);
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line + used, TEXT_BYTES_MAX, format, arguments);
    va_end(arguments);
    if (written > 0)
        used += written < TEXT_BYTES_MAX ? (size_t)written : TEXT_BYTES_MAX - 1;
    line[used++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, used); /* one write, so lines never mix */
    (void)ignored;
}
