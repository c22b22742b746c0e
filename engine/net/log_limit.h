#ifndef HF_NET_LOG_LIMIT_H
#define HF_NET_LOG_LIMIT_H
/* At most LOG_LIMIT_LINES lines a second; the others are counted, and their number is told later.
 */

#include <stdbool.h>
#include <stdint.h>

enum { LOG_LIMIT_LINES = 10 };

/* Zeroed is a fresh one. */
struct log_limit {
    uint64_t window_end_ns;
    uint64_t withheld_count;
    uint32_t line_count; /* in this window */
};

/* True when one more line may be written now. */
bool log_limit_allows(struct log_limit *limit, uint64_t now_ns);

/* The number of lines withheld, once their second is over; else 0. */
uint64_t log_limit_take_withheld(struct log_limit *limit, uint64_t now_ns);

/* When log_limit_take_withheld() will have something to tell; UINT64_MAX = never. */
uint64_t log_limit_next_ns(const struct log_limit *limit);

#endif
