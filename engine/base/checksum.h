#ifndef HF_BASE_CHECKSUM_H
#define HF_BASE_CHECKSUM_H
/* XXH3-64 for checksums and hash tables (https://xxhash.com, stable format since 0.8.0).
 * The library's own code is inlined, because the keys of the hot path are 8 and 24 bytes long. */

#include <stddef.h>
#include <stdint.h>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

static inline uint64_t checksum64(const void *data, size_t data_bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, data_bytes, seed);
}

/* Hash of one 64-bit value as eight little-endian bytes. Seed 0 is the public hash that decides
 * which core owns an item. */
static inline uint64_t checksum64_u64(uint64_t value, uint64_t seed)
{
    const uint8_t bytes[8] = {(uint8_t)value,         (uint8_t)(value >> 8),
                              (uint8_t)(value >> 16), (uint8_t)(value >> 24),
                              (uint8_t)(value >> 32), (uint8_t)(value >> 40),
                              (uint8_t)(value >> 48), (uint8_t)(value >> 56)};
    return XXH3_64bits_withSeed(bytes, sizeof bytes, seed);
}

#endif
