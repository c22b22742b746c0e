#include "bench/micro/number.h"

#include "base/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

bool number_parse(const char *text, uint64_t max, uint64_t *value_out)
{
    if (units_parse_count(text, value_out) && *value_out >= 1 && *value_out <= max)
        return true;
    fprintf(stderr, "%s: %s: not a number from 1 to %" PRIu64 "\n", program_invocation_short_name,
            text, max);
    return false;
}
