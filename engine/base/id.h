#ifndef HF_BASE_ID_H
#define HF_BASE_ID_H
/* 128-bit identifiers: reservations (made by the caller), servers and segments (made here). */

#include <stdbool.h>
#include <stdint.h>

struct id128 {
    uint64_t high;
    uint64_t low;
};

static inline bool id128_equal(struct id128 a, struct id128 b)
{
    return a.high == b.high && a.low == b.low;
}

static inline bool id128_is_zero(struct id128 id)
{
    return (id.high | id.low) == 0;
}

#endif
