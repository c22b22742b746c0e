#ifndef HF_BENCH_CHANCE_H
#define HF_BENCH_CHANCE_H
/* Random numbers that follow from a seed, a salt and an index alone: the same choice can be made
 * again at any time. Pure; any thread. */

#include <stdint.h>

/* The finaliser of splitmix64. */
static inline uint64_t chance_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* Different choices about one thing use different salts. */
enum {
    SALT_ITEM = 1,
    SALT_BUYER = 2,
    SALT_FOLLOW = 3,
    SALT_SECOND = 4,
    SALT_ARRIVAL = 5,
    SALT_REPEATED = 6,
};

/* 64 random bits. */
static inline uint64_t chance_bits(uint64_t seed, uint64_t salt, uint64_t index)
{
    return chance_mix(chance_mix(seed + salt) + index * 0x9e3779b97f4a7c15ull);
}

/* A number below `bound`, from 64 random bits. */
static inline uint64_t chance_below(uint64_t random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)random * bound) >> 64);
}

/* 0 <= result < 1. */
static inline double chance_fraction(uint64_t random)
{
    return (double)(random >> 11) * 0x1p-53;
}

#endif
