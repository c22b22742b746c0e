#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "holdfast: assertion failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
