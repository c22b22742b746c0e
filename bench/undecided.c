#include "bench/undecided.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

bool undecided_create(struct undecided *undecided)
{
    *undecided = (struct undecided){.frames = calloc(UNDECIDED_MAX, sizeof undecided->frames[0])};
    return undecided->frames != NULL;
}

void undecided_destroy(struct undecided *undecided)
{
    free(undecided->frames);
    *undecided = (struct undecided){0};
}

void undecided_add(struct undecided *undecided, uint64_t planned_ns, uint64_t answered_ns,
                   const uint32_t *rows)
{
    hf_assert(!undecided_is_full(undecided));
    struct undecided_frame *frame = &undecided->frames[undecided->end++ % UNDECIDED_MAX];
    frame->planned_ns = planned_ns;
    frame->answered_ns = answered_ns;
    memcpy(frame->rows, rows, sizeof frame->rows);
}

uint64_t undecided_next_ns(const struct undecided *undecided)
{
    return undecided->begin < undecided->end
               ? undecided->frames[undecided->begin % UNDECIDED_MAX].answered_ns
               : UINT64_MAX;
}

void undecided_decide(struct undecided *undecided, const struct standstills *standstills,
                      uint64_t until_ns, struct load_times *outside)
{
    while (undecided_next_ns(undecided) < until_ns) {
        const struct undecided_frame *frame =
            &undecided->frames[undecided->begin++ % UNDECIDED_MAX];
        if (standstills_touch(standstills, frame->planned_ns, frame->answered_ns)) {
            continue;
        }
        for (int kind = 0; kind < LOAD_KINDS; kind++) {
            histogram_record(&outside->kinds[kind], frame->answered_ns - frame->planned_ns,
                             frame->rows[kind]);
        }
    }
}

void undecided_clear(struct undecided *undecided)
{
    undecided->begin = undecided->end;
}
