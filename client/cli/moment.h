#ifndef HF_CLI_MOMENT_H
#define HF_CLI_MOMENT_H
/* Points in time, as people write and read them. */

#include <stdbool.h>
#include <stdint.h>

enum { MOMENT_TEXT_BYTES = 32 };

/* A time in UTC or one from now on. */
struct moment {
    uint64_t ms; /* since 1970, or from now when `is_relative` */
    bool is_relative;
};

/* "2026-11-27T20:00:00Z", "2026-11-27T20:00:00.250Z" (RFC 3339 in UTC; a space instead of the T is
 * good too), "+15m", or "none", which is 0. The whole text or nothing. A span so long that
 * moment_at() could not count to its end is refused. */
bool moment_parse(const char *text, struct moment *moment_out);

static inline uint64_t moment_at(const struct moment *moment, uint64_t now_ms)
{
    return moment->is_relative ? now_ms + moment->ms : moment->ms;
}

/* "2026-11-27T20:00:00.250Z". */
void moment_format(uint64_t ms, char text_out[MOMENT_TEXT_BYTES]);

#endif
