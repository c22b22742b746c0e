#ifndef HF_TESTS_FUZZ_H
#define HF_TESTS_FUZZ_H
/* What the fuzz targets share. A target is a file fuzz_*.c with one function that runs one input,
 * from libFuzzer in the preset `fuzz` (scripts/fuzz), and from replay_main.c everywhere else, where
 * it runs the corpus as a test.
 *
 * A target keeps nothing from one input to the next, whatever memory it reuses: what an input finds
 * it finds again alone. A broken promise is an hf_assert(). */

#include "base/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define FUZZ_HAS_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_HAS_ASAN
#endif
#endif

#ifdef FUZZ_HAS_ASAN
#include <sanitizer/asan_interface.h>
#define FUZZ_POISON(memory, bytes)   ASAN_POISON_MEMORY_REGION((memory), (bytes))
#define FUZZ_UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION((memory), (bytes))
#else
#define FUZZ_POISON(memory, bytes)   ((void)(memory), (void)(bytes))
#define FUZZ_UNPOISON(memory, bytes) ((void)(memory), (void)(bytes))
#endif

/* Runs one input; returns 0. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

/* The input as a tape: what is taken beyond its end is zero. */
struct fuzz_tape {
    const uint8_t *at;
    const uint8_t *end;
};

static inline struct fuzz_tape fuzz_tape_of(const uint8_t *data, size_t data_bytes)
{
    return (struct fuzz_tape){data, data + data_bytes};
}

static inline size_t fuzz_left(const struct fuzz_tape *tape)
{
    return (size_t)(tape->end - tape->at);
}

static inline uint8_t fuzz_take_u8(struct fuzz_tape *tape)
{
    return tape->at < tape->end ? *tape->at++ : 0;
}

static inline uint16_t fuzz_take_u16(struct fuzz_tape *tape)
{
    uint16_t low = fuzz_take_u8(tape);
    uint16_t high = fuzz_take_u8(tape);
    return (uint16_t)(high << 8 | low);
}

static inline uint64_t fuzz_take_u64(struct fuzz_tape *tape)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 8)
        value |= (uint64_t)fuzz_take_u8(tape) << shift;
    return value;
}

/* A number as a short script wants it: mostly small, in one byte, and any of 64 bits in nine. */
static inline uint64_t fuzz_take_number(struct fuzz_tape *tape)
{
    uint8_t small = fuzz_take_u8(tape);
    return small < 0xf0 ? small : fuzz_take_u64(tape);
}

/* The next bytes, at most `bytes_max`; they stay where they are. */
static inline const uint8_t *fuzz_take_bytes(struct fuzz_tape *tape, size_t bytes_max,
                                             size_t *bytes_out)
{
    const uint8_t *bytes = tape->at;
    *bytes_out = fuzz_left(tape) < bytes_max ? fuzz_left(tape) : bytes_max;
    tape->at += *bytes_out;
    return bytes;
}

#endif
