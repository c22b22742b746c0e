#include "bench/plan.h"

#include "base/assert.h"
#include "bench/chance.h"

#include <math.h>
#include <stdlib.h>

/* The lines that are awake are kept in a binary heap, the earliest on top; of equal moments the
 * lower line comes first. A line knows its place in the heap, so that one in the middle can be put
 * to sleep.
 *
 * Moments are kept as doubles: within a day they are exact to a fraction of a nanosecond. A
 * constant line computes each from its number and so gathers no error. */

#define PLAN_ASLEEP UINT32_MAX

const char *plan_arrival_name(enum plan_arrival arrival)
{
    static const char *const names[PLAN_ARRIVALS] = {
        [PLAN_CONSTANT] = "constant", [PLAN_POISSON] = "poisson"};
    hf_assert(arrival < PLAN_ARRIVALS);
    return names[arrival];
}

bool plan_create(struct plan *plan, enum plan_arrival arrival, uint64_t seed, uint32_t line_count,
                 uint64_t end_ns)
{
    *plan = (struct plan){
        .arrival = arrival,
        .seed = seed,
        .end_ns = end_ns,
        .lines = malloc(line_count * sizeof plan->lines[0]),
        .line_count = line_count,
        .heap = malloc(line_count * sizeof plan->heap[0]),
    };
    if (plan->lines == NULL || plan->heap == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < line_count; i++) {
        plan->lines[i] = (struct plan_line){.next_ns = PLAN_NEVER, .heap_place = PLAN_ASLEEP};
    }
    return true;
}

void plan_destroy(struct plan *plan)
{
    free(plan->lines);
    free(plan->heap);
    *plan = (struct plan){0};
}

/* ---- the heap ------------------------------------------------------------------------------ */

static bool is_before(const struct plan *plan, uint32_t left, uint32_t right)
{
    uint64_t left_ns = plan->lines[left].next_ns;
    uint64_t right_ns = plan->lines[right].next_ns;
    return left_ns < right_ns || (left_ns == right_ns && left < right);
}

static void put(struct plan *plan, uint32_t place, uint32_t line)
{
    plan->heap[place] = line;
    plan->lines[line].heap_place = place;
}

/* Puts `line` at the free `place`, or where it belongs above. */
static void sift_up(struct plan *plan, uint32_t place, uint32_t line)
{
    while (place > 0 && is_before(plan, line, plan->heap[(place - 1) / 2])) {
        put(plan, place, plan->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(plan, place, line);
}

/* Puts `line` at the free `place`, or where it belongs below. */
static void sift_down(struct plan *plan, uint32_t place, uint32_t line)
{
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < plan->heap_count &&
            is_before(plan, plan->heap[child + 1], plan->heap[child])) {
            child++;
        }
        if (child >= plan->heap_count || !is_before(plan, plan->heap[child], line)) {
            break;
        }
        put(plan, place, plan->heap[child]);
        place = child;
    }
    put(plan, place, line);
}

/* ---- lines --------------------------------------------------------------------------------- */

/* The moment of the frame `number`, when `at_ns` is that of the frame before it. */
static double moment_ns(const struct plan *plan, uint32_t line)
{
    const struct plan_line *l = &plan->lines[line];
    if (plan->arrival == PLAN_CONSTANT) {
        return ((double)l->number + (double)line / plan->line_count) * l->step_ns;
    }
    uint64_t index = l->number * plan->line_count + line;
    double share = chance_fraction(chance_bits(plan->seed, SALT_ARRIVAL, index));
    return l->at_ns - log(1 - share) * l->step_ns;
}

static void set_moment(struct plan *plan, uint32_t line)
{
    struct plan_line *l = &plan->lines[line];
    l->at_ns = moment_ns(plan, line);
    if (l->at_ns >= (double)plan->end_ns) {
        plan_end_line(plan, line);
        return;
    }
    l->next_ns = (uint64_t)l->at_ns;
    if (l->heap_place != PLAN_ASLEEP) {
        sift_down(plan, l->heap_place, line);
    }
}

void plan_begin_line(struct plan *plan, uint32_t line, double frames_per_second)
{
    hf_assert(frames_per_second > 0);
    hf_assert(plan->lines[line].step_ns == 0);
    plan->live_count++;
    plan->lines[line].step_ns = 1e9 / frames_per_second;
    plan->lines[line].next_ns = 0;
    set_moment(plan, line);
}

uint64_t plan_line_next_ns(const struct plan *plan, uint32_t line)
{
    return plan->lines[line].next_ns;
}

void plan_advance(struct plan *plan, uint32_t line)
{
    hf_assert(plan->lines[line].next_ns != PLAN_NEVER);
    plan->lines[line].number++;
    set_moment(plan, line);
}

void plan_end_line(struct plan *plan, uint32_t line)
{
    plan_sleep(plan, line);
    if (plan->lines[line].next_ns != PLAN_NEVER) {
        plan->lines[line].next_ns = PLAN_NEVER;
        plan->live_count--;
    }
}

void plan_sleep(struct plan *plan, uint32_t line)
{
    uint32_t place = plan->lines[line].heap_place;
    if (place == PLAN_ASLEEP) {
        return;
    }
    plan->lines[line].heap_place = PLAN_ASLEEP;
    uint32_t last = plan->heap[--plan->heap_count];
    if (last == line) {
        return;
    }
    if (place > 0 && is_before(plan, last, plan->heap[(place - 1) / 2])) {
        sift_up(plan, place, last);
    } else {
        sift_down(plan, place, last);
    }
}

void plan_wake(struct plan *plan, uint32_t line)
{
    const struct plan_line *l = &plan->lines[line];
    if (l->heap_place == PLAN_ASLEEP && l->next_ns != PLAN_NEVER) {
        sift_up(plan, plan->heap_count++, line);
    }
}

/* ---- all of them --------------------------------------------------------------------------- */

uint64_t plan_next_ns(const struct plan *plan, uint32_t *line_out)
{
    if (plan->heap_count == 0) {
        return PLAN_NEVER;
    }
    *line_out = plan->heap[0];
    return plan->lines[plan->heap[0]].next_ns;
}

uint64_t plan_reached_ns(const struct plan *plan)
{
    uint64_t reached_ns = PLAN_NEVER;
    for (uint32_t i = 0; i < plan->line_count; i++) {
        uint64_t next_ns = plan->lines[i].next_ns;
        reached_ns = next_ns < reached_ns ? next_ns : reached_ns;
    }
    return reached_ns;
}

bool plan_is_done(const struct plan *plan)
{
    return plan->live_count == 0;
}
