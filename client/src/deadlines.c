#include "deadlines.h"

/* `next_ms` is a lower bound: adding lowers it, removing leaves it. Only when it is reached is the
 * wheel searched for the next slot with something in it. With calls that all have the same
 * deadline that is once per deadline, not once per call. */

static struct list *slot_of(struct deadlines *deadlines, uint64_t at_ms)
{
    return &deadlines->slots[at_ms % DEADLINE_SLOT_COUNT];
}

void deadlines_init(struct deadlines *deadlines, uint64_t now_ms)
{
    for (uint32_t i = 0; i < DEADLINE_SLOT_COUNT; i++)
        list_init(&deadlines->slots[i]);
    deadlines->passed_ms = now_ms;
    deadlines->next_ms = UINT64_MAX;
}

void deadlines_add(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ms)
{
    if (at_ms <= deadlines->passed_ms)
        at_ms = deadlines->passed_ms + 1;
    deadline->at_ms = at_ms;
    list_push_tail(slot_of(deadlines, at_ms), &deadline->link);
    if (at_ms < deadlines->next_ms)
        deadlines->next_ms = at_ms;
}

static struct deadline *pop_due_of_slot(struct list *slot, uint64_t now_ms)
{
    for (struct list *link = slot->next; link != slot; link = link->next) {
        struct deadline *deadline = list_entry(link, struct deadline, link);
        if (deadline->at_ms <= now_ms) {
            list_remove(link);
            return deadline;
        }
    }
    return NULL;
}

/* The first slot after those that have passed that holds anything, due then or a turn later. */
static uint64_t next_occupied_ms(struct deadlines *deadlines)
{
    for (uint64_t ms = 1; ms <= DEADLINE_SLOT_COUNT; ms++) {
        if (!list_is_empty(slot_of(deadlines, deadlines->passed_ms + ms)))
            return deadlines->passed_ms + ms;
    }
    return UINT64_MAX;
}

struct deadline *deadlines_pop_due(struct deadlines *deadlines, uint64_t now_ms)
{
    if (now_ms < deadlines->next_ms)
        return NULL;
    /* after a long pause one turn of the wheel meets every slot */
    if (now_ms - deadlines->passed_ms > DEADLINE_SLOT_COUNT)
        deadlines->passed_ms = now_ms - DEADLINE_SLOT_COUNT;
    while (deadlines->passed_ms < now_ms) {
        struct list *slot = slot_of(deadlines, deadlines->passed_ms + 1);
        struct deadline *deadline = pop_due_of_slot(slot, now_ms);
        if (deadline)
            return deadline;
        deadlines->passed_ms++;
    }
    deadlines->next_ms = next_occupied_ms(deadlines);
    return NULL;
}
