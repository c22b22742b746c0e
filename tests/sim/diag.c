/* What the engine says to the operator goes into the trace, and so into its hash; a failed
 * assertion tells how to repeat the run. In place of base/diag.c and base/assert.c. */

#include "base/diag.h"

#include "base/assert.h"
#include "private.h"
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 1000, HEARD_BYTES_MAX = 64 << 10 };

static enum diag_level level_min = DIAG_INFO;

/* The lines since sim_diag_forget(), as far as they fit. */
static char heard[HEARD_BYTES_MAX];
static size_t heard_bytes;

void sim_diag_forget(void)
{
    heard_bytes = 0;
    heard[0] = '\0';
}

bool sim_diag_has(const char *text)
{
    return strstr(heard, text) != NULL;
}

static void hear(const char *line)
{
    const size_t bytes = strlen(line);
    if (bytes + 2 > sizeof heard - heard_bytes)
        return;
    memcpy(heard + heard_bytes, line, bytes);
    heard_bytes += bytes;
    heard[heard_bytes++] = '\n';
    heard[heard_bytes] = '\0';
}

void diag_set_level(enum diag_level level)
{
    level_min = level;
}

void diag(enum diag_level level, const char *format, ...)
{
    static const char *const names[] = {"info", "warning", "error"};
    char line[TEXT_BYTES_MAX];
    if (level < level_min)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    sim_trace("%s: %s", names[level], line);
    hear(line);
}

/* The command is printed by the signal's handler, if there is one. */
void assert_failed(const char *condition, const char *file, int line)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "holdfast: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
