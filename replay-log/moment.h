#ifndef HF_REPLAY_LOG_MOMENT_H
#define HF_REPLAY_LOG_MOMENT_H
/* Points in a log, as people write them. */

#include <stdbool.h>
#include <stdint.h>

enum moment_kind {
    MOMENT_NONE,
    MOMENT_LSN,
    MOMENT_TIME,
};

struct moment {
    enum moment_kind kind;
    uint64_t value; /* the LSN, or milliseconds since 1970 */
};

#define MOMENT_TIME_HELP                                                                           \
    "a time: 2026-01-31T12:00:00.250Z (UTC), 1769860800000 (Unix ms), -15m or now"
#define MOMENT_HELP "an LSN such as 1000, or a time: 2026-01-31T12:00Z, 1769860800000ms, -15m, now"

/* "2026-01-31", "2026-01-31T12:00", "2026-01-31 12:00:00.250Z": always UTC. "1769860800000ms", and
 * here also without "ms". "-1h30m": so long before `now_ms`. "now". The whole text or nothing. */
bool moment_parse_time(const char *text, uint64_t now_ms, uint64_t *ms_out);

/* The same, but a number alone is an LSN. */
bool moment_parse(const char *text, uint64_t now_ms, struct moment *moment_out);

/* Digits only. */
bool moment_parse_number(const char *text, uint64_t *number_out);

#endif
