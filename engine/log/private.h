#ifndef HF_LOG_PRIVATE_H
#define HF_LOG_PRIVATE_H
/* What the encoders of this room share. */

#include "base/bytes.h"
#include "base/id.h"

static inline void put_id128(uint8_t *to, struct id128 id)
{
    bytes_put_u64(to, id.high);
    bytes_put_u64(to + 8, id.low);
}

static inline struct id128 get_id128(const uint8_t *from)
{
    return (struct id128){.high = bytes_get_u64(from), .low = bytes_get_u64(from + 8)};
}

#endif
