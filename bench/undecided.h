#ifndef HF_BENCH_UNDECIDED_H
#define HF_BENCH_UNDECIDED_H
/* Answered frames of which it is not known yet whether a standstill falls into their time, from the
 * planned moment to the answer. One thread. */

#include "bench/load.h"
#include "bench/standstill.h"

#include <stdbool.h>
#include <stdint.h>

enum { UNDECIDED_MAX = 1 << 14 };

struct undecided_frame {
    uint64_t planned_ns;
    uint64_t answered_ns;
    uint32_t rows[LOAD_KINDS];
};

/* All zero is one that is not used. */
struct undecided {
    struct undecided_frame *frames; /* a ring */
    uint64_t begin;
    uint64_t end;
};

/* False when there is no memory. */
bool undecided_create(struct undecided *undecided);
void undecided_destroy(struct undecided *undecided);

static inline bool undecided_is_used(const struct undecided *undecided)
{
    return undecided->frames != NULL;
}

static inline bool undecided_is_full(const struct undecided *undecided)
{
    return undecided->end - undecided->begin == UNDECIDED_MAX;
}

/* There is room. Frames come in the order of their answers. */
void undecided_add(struct undecided *undecided, uint64_t planned_ns, uint64_t answered_ns,
                   const uint32_t *rows);

/* When the first of them was answered; UINT64_MAX when there is none. */
uint64_t undecided_next_ns(const struct undecided *undecided);

/* All standstills that ended before `until_ns` are known: counts the latencies of frames that were
 * answered before and that none of them touches. */
void undecided_decide(struct undecided *undecided, const struct standstills *standstills,
                      uint64_t until_ns, struct load_times *outside);

/* Forgets them. */
void undecided_clear(struct undecided *undecided);

#endif
