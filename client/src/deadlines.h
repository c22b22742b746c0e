#ifndef HF_CLIENT_DEADLINES_H
#define HF_CLIENT_DEADLINES_H
/* A timer wheel with a slot for each millisecond: adding and removing cost the same however many
 * deadlines there are. A deadline further off than one turn of the wheel shares its slot with
 * nearer ones and is passed over until it is due. */

#include "list.h"

#include <stdint.h>

enum { DEADLINE_SLOT_COUNT = 4096 };

struct deadline {
    struct list link;
    uint64_t at_ms;
};

struct deadlines {
    struct list slots[DEADLINE_SLOT_COUNT];
    uint64_t passed_ms; /* all slots up to and including this one were looked at */
    uint64_t next_ms;   /* nothing is due before this; UINT64_MAX when there is nothing at all */
};

void deadlines_init(struct deadlines *deadlines, uint64_t now_ms);

/* A deadline that has passed already counts as the next millisecond that was not looked at. */
void deadlines_add(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ms);

static inline void deadlines_remove(struct deadline *deadline)
{
    list_remove(&deadline->link);
}

/* Takes out one that is due, or returns NULL. Call it until it returns NULL. */
struct deadline *deadlines_pop_due(struct deadlines *deadlines, uint64_t now_ms);

/* When to call deadlines_pop_due() next at the latest. May be too early, never too late. */
static inline uint64_t deadlines_next_ms(const struct deadlines *deadlines)
{
    return deadlines->next_ms;
}

#endif
