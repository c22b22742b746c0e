#ifndef HF_TIMER_STATE_H
#define HF_TIMER_STATE_H
/* Private to the room: what a timer is made of.
 *
 * Lanes are circular lists through one array of nodes. Nodes 1 .. TIMER_LANE_COUNT are the lanes'
 * own links, the slots' nodes come after them. Node 0 is nobody's, so that zeroed memory reads as
 * "not set" and a slot's page is touched only when the slot is used.
 *
 * While a state is loaded nothing is linked: a slot's node then notes the duration in the place of
 * its two links. */

#include "timer/timer.h"

#include "base/assert.h"

enum {
    NODE_FIRST_LANE = 1,
    NODE_FIRST_SLOT = NODE_FIRST_LANE + TIMER_LANE_COUNT,
};
#define NODE_IN_HEAP UINT32_MAX /* as `next`; `previous` is then the index in the heap */

struct node {
    uint64_t when; /* deadline in ms << NODE_LANE_BITS | the lane, of a slot that waits in one */
    uint32_t next; /* 0 = not set */
    uint32_t previous;
};
enum { NODE_LANE_BITS = 8 };
_Static_assert(sizeof(struct node) == 16, "as the header promises");
_Static_assert(TIMER_LANE_COUNT == 32, "one bit per lane in lanes_used");
_Static_assert(TIMER_DEADLINE_MS_MAX <= UINT64_MAX >> NODE_LANE_BITS, "a deadline and a lane");
_Static_assert(TIMER_LANE_COUNT <= 1 << NODE_LANE_BITS, "a deadline and a lane");

struct heap_entry {
    uint64_t deadline_ms;
    uint64_t duration_ms;
    uint64_t order;
    uint32_t node;
};

struct timer {
    struct node *nodes;
    struct heap_entry *heap;
    uint64_t heap_order; /* of the next entry */
    uint32_t heap_count;
    uint32_t slot_count;
    uint32_t set_count;
    uint32_t lanes_used;
    uint64_t lane_duration_ms[TIMER_LANE_COUNT];
    bool is_loading;
    uint32_t load_slot_end; /* while loading: behind the last slot that was set */
};

static inline struct node *slot_node(const struct timer *timer, uint32_t slot)
{
    hf_assert(slot < timer->slot_count);
    return &timer->nodes[slot + NODE_FIRST_SLOT];
}

static inline uint64_t node_deadline_ms(const struct node *node)
{
    return node->when >> NODE_LANE_BITS;
}

static inline uint32_t node_lane(const struct node *node)
{
    return node->when & ((1u << NODE_LANE_BITS) - 1);
}

/* ---- the note in a node: 44 bits of duration over a bit that says "set" ---- */

static inline void node_note(struct node *node, uint64_t deadline_ms, uint64_t duration_ms)
{
    node->when = deadline_ms << NODE_LANE_BITS;
    node->next = (uint32_t)(duration_ms << 1 | 1);
    node->previous = (uint32_t)(duration_ms >> 31);
}

static inline uint64_t node_noted_duration(const struct node *node)
{
    return (uint64_t)node->previous << 31 | node->next >> 1;
}

/* ---- timer.c ---- */

/* The lane of this duration, an empty one made its own, or TIMER_LANE_COUNT when all are taken. */
uint32_t timer_lane_for(struct timer *timer, uint64_t duration_ms);

/* Links a slot whose node is neither linked nor counted: into the lane of its duration if there is
 * one that its deadline fits, else into the heap. */
void timer_link(struct timer *timer, uint32_t slot, uint64_t deadline_ms, uint64_t duration_ms);

#endif
