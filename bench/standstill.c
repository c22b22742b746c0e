#include "bench/standstill.h"

#include "bench/histogram.h"

#include <stdlib.h>
#include <string.h>

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The first that ends after this moment; their count when there is none. */
static uint32_t first_after(const struct standstills *s, uint64_t ns)
{
    uint32_t low = 0;
    uint32_t high = s->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->all[middle].ended_ns > ns) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static bool make_room(struct standstills *s)
{
    enum { ROOM_MIN = 256 };
    if (s->count < s->room) {
        return true;
    }
    uint32_t room = s->room > 0 ? 2 * s->room : ROOM_MIN;
    struct standstill *all = realloc(s->all, room * sizeof all[0]);
    if (all == NULL) {
        return false;
    }
    s->all = all;
    s->room = room;
    return true;
}

/* Watchers come back in any order, so it may belong before others, and may join several. */
static bool put(struct standstills *s, struct standstill new)
{
    uint32_t at = first_after(s, new.began_ns);
    uint32_t end = at;
    while (end < s->count && s->all[end].began_ns < new.ended_ns) {
        new.began_ns = smaller(new.began_ns, s->all[end].began_ns);
        new.ended_ns = larger(new.ended_ns, s->all[end].ended_ns);
        end++;
    }
    if (end == at && !make_room(s)) {
        return false;
    }
    memmove(&s->all[at + 1], &s->all[end], (s->count - end) * sizeof s->all[0]);
    s->all[at] = new;
    s->count = s->count + 1 - (end - at);
    return true;
}

bool standstills_note(struct standstills *s, uint64_t planned_ns, uint64_t back_ns,
                      uint64_t waited_ns)
{
    uint64_t late_ns = back_ns - planned_ns;
    if (late_ns < waited_ns || late_ns - waited_ns < STANDSTILL_NS_MIN) {
        return true;
    }
    return put(s, (struct standstill){planned_ns, back_ns - waited_ns});
}

void standstills_free(struct standstills *s)
{
    free(s->all);
    *s = (struct standstills){0};
}

bool standstills_touch(const struct standstills *s, uint64_t from_ns, uint64_t until_ns)
{
    uint32_t at = first_after(s, from_ns);
    return at < s->count && s->all[at].began_ns < until_ns;
}

void standstills_sum_up(const struct standstills *s, uint64_t from_ns, uint64_t until_ns,
                        struct standstill_summary *summary)
{
    struct histogram lengths = {0};
    summary->total_ns = 0;
    for (uint32_t i = first_after(s, from_ns); i < s->count && s->all[i].began_ns < until_ns; i++) {
        uint64_t began_ns = larger(s->all[i].began_ns, from_ns);
        uint64_t ended_ns = smaller(s->all[i].ended_ns, until_ns);
        histogram_record(&lengths, ended_ns - began_ns, 1);
        summary->total_ns += ended_ns - began_ns;
    }
    summary->watched_ns = until_ns - from_ns;
    summary->count = lengths.count;
    summary->median_ns = histogram_quantile(&lengths, 0.5);
    summary->longest_ns = lengths.value_max;
}
