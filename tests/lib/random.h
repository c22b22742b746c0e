#ifndef HF_TESTS_RANDOM_H
#define HF_TESTS_RANDOM_H
/* A seeded generator (xorshift64*), so that a printed seed gives the same choices again. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_random {
    uint64_t state;
};

static inline void test_random_init(struct test_random *random, uint64_t seed)
{
    random->state = seed * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u;
    if (random->state == 0)
        random->state = 1;
}

/* The seed in HF_SEED, else `seed`; printed, so that it can be given again. */
static inline uint64_t test_random_seed(uint64_t seed)
{
    const char *text = getenv("HF_SEED");
    if (text != NULL)
        seed = strtoull(text, NULL, 10);
    fprintf(stderr, "seed %llu (HF_SEED)\n", (unsigned long long)seed);
    return seed;
}

static inline uint64_t test_random_u64(struct test_random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545F4914F6CDD1Du;
}

/* 0 .. below - 1. */
static inline uint32_t test_random_below(struct test_random *random, uint32_t below)
{
    return (uint32_t)((test_random_u64(random) >> 32) * below >> 32);
}

#endif
