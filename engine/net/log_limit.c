#include "net/log_limit.h"

#define WINDOW_NS 1000000000ull

bool log_limit_allows(struct log_limit *limit, uint64_t now_ns)
{
    if (now_ns >= limit->window_end_ns) {
        limit->window_end_ns = now_ns + WINDOW_NS;
        limit->line_count = 0;
    }
    if (limit->line_count == LOG_LIMIT_LINES) {
        limit->withheld_count++;
        return false;
    }
    limit->line_count++;
    return true;
}

uint64_t log_limit_take_withheld(struct log_limit *limit, uint64_t now_ns)
{
    if (now_ns < limit->window_end_ns)
        return 0;
    uint64_t withheld_count = limit->withheld_count;
    limit->withheld_count = 0;
    return withheld_count;
}

uint64_t log_limit_next_ns(const struct log_limit *limit)
{
    return limit->withheld_count > 0 ? limit->window_end_ns : UINT64_MAX;
}
