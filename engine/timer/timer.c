#include "timer/state.h"

#include "base/memory.h"

#include <stdlib.h>

/* A lane belongs to one duration while it holds anything. A slot whose duration finds no lane, or
 * whose deadline comes before its lane's last one, waits in the heap.
 *
 * Insertion order without a stored order: of two equal deadlines the one with the longer duration
 * was made first; within a duration a lane is first-in first-out, and what the heap holds of a
 * duration was made before that duration got its lane. Only heap entries carry a number. */

static size_t nodes_bytes(uint32_t slot_count)
{
    return ((size_t)slot_count + NODE_FIRST_SLOT) * sizeof(struct node);
}

static size_t heap_bytes(uint32_t slot_count)
{
    return (size_t)slot_count * sizeof(struct heap_entry);
}

struct timer *timer_open(uint32_t slot_count)
{
    hf_assert(slot_count > 0);
    hf_assert(slot_count < NODE_IN_HEAP - NODE_FIRST_SLOT);
    struct timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL)
        return NULL;
    timer->slot_count = slot_count;
    timer->nodes = memory_map(nodes_bytes(slot_count));
    timer->heap = memory_map(heap_bytes(slot_count));
    if (timer->nodes == NULL || timer->heap == NULL)
        timer_close(&timer);
    return timer;
}

uint64_t timer_touch(const struct timer *timer, uint32_t first_slot, uint32_t slot_count)
{
    hf_assert(slot_count > 0);
    hf_assert(slot_count <= timer->slot_count - first_slot);
    size_t bytes = slot_count * sizeof(struct node);
    memory_touch(slot_node(timer, first_slot), bytes);
    return bytes;
}

void timer_close(struct timer **timer)
{
    struct timer *closing = *timer;
    *timer = NULL;
    if (closing == NULL)
        return;
    memory_unmap(closing->nodes, nodes_bytes(closing->slot_count));
    memory_unmap(closing->heap, heap_bytes(closing->slot_count));
    free(closing);
}

/* ---- heap ---- */

static bool entry_is_before(const struct heap_entry *a, const struct heap_entry *b)
{
    if (a->deadline_ms != b->deadline_ms)
        return a->deadline_ms < b->deadline_ms;
    if (a->duration_ms != b->duration_ms)
        return a->duration_ms > b->duration_ms;
    return a->order < b->order;
}

static void heap_place(struct timer *timer, uint32_t index, struct heap_entry entry)
{
    timer->heap[index] = entry;
    timer->nodes[entry.node].next = NODE_IN_HEAP;
    timer->nodes[entry.node].previous = index;
}

static void heap_sift_up(struct timer *timer, uint32_t index, struct heap_entry entry)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!entry_is_before(&entry, &timer->heap[parent]))
            break;
        heap_place(timer, index, timer->heap[parent]);
        index = parent;
    }
    heap_place(timer, index, entry);
}

static void heap_sift_down(struct timer *timer, uint32_t index, struct heap_entry entry)
{
    for (;;) {
        uint64_t child = 2 * (uint64_t)index + 1;
        if (child >= timer->heap_count)
            break;
        if (child + 1 < timer->heap_count &&
            entry_is_before(&timer->heap[child + 1], &timer->heap[child]))
            child++;
        if (!entry_is_before(&timer->heap[child], &entry))
            break;
        heap_place(timer, index, timer->heap[child]);
        index = (uint32_t)child;
    }
    heap_place(timer, index, entry);
}

static void heap_insert(struct timer *timer, uint32_t node, uint64_t deadline_ms,
                        uint64_t duration_ms)
{
    timer->nodes[node].when = deadline_ms << NODE_LANE_BITS;
    struct heap_entry entry = {
        .deadline_ms = deadline_ms,
        .duration_ms = duration_ms,
        .order = timer->heap_order++,
        .node = node,
    };
    heap_sift_up(timer, timer->heap_count++, entry);
}

static void heap_remove(struct timer *timer, uint32_t index)
{
    hf_assert(index < timer->heap_count);
    struct heap_entry last = timer->heap[--timer->heap_count];
    if (index == timer->heap_count)
        return;
    if (index > 0 && entry_is_before(&last, &timer->heap[(index - 1) / 2]))
        heap_sift_up(timer, index, last);
    else
        heap_sift_down(timer, index, last);
}

/* ---- lanes ---- */

static inline uint32_t lane_for(struct timer *timer, uint64_t duration_ms)
{
    for (uint32_t used = timer->lanes_used; used != 0; used &= used - 1) {
        uint32_t lane = (uint32_t)__builtin_ctz(used);
        if (timer->lane_duration_ms[lane] == duration_ms)
            return lane;
    }
    if (timer->lanes_used == UINT32_MAX)
        return TIMER_LANE_COUNT;
    uint32_t lane = (uint32_t)__builtin_ctz(~timer->lanes_used);
    uint32_t link = NODE_FIRST_LANE + lane;
    timer->nodes[link].next = link;
    timer->nodes[link].previous = link;
    timer->lane_duration_ms[lane] = duration_ms;
    timer->lanes_used |= 1u << lane;
    return lane;
}

/* False when this deadline would stand before the lane's last one. */
static inline bool lane_push(struct timer *timer, uint32_t lane, uint32_t node,
                             uint64_t deadline_ms)
{
    uint32_t link = NODE_FIRST_LANE + lane;
    uint32_t tail = timer->nodes[link].previous;
    uint64_t when = deadline_ms << NODE_LANE_BITS | lane;
    if (tail != link && timer->nodes[tail].when > when)
        return false;
    timer->nodes[node] = (struct node){.when = when, .next = link, .previous = tail};
    timer->nodes[tail].next = node;
    timer->nodes[link].previous = node;
    return true;
}

static void lane_remove(struct timer *timer, struct node *node)
{
    uint32_t next = node->next;
    uint32_t previous = node->previous;
    timer->nodes[previous].next = next;
    timer->nodes[next].previous = previous;
    if (next != previous)
        return;
    hf_assert(next < NODE_FIRST_SLOT); /* the lane's own link: it is empty now */
    timer->lanes_used &= ~(1u << (next - NODE_FIRST_LANE));
}

/* ---- the timer ---- */

static inline void link_node(struct timer *timer, uint32_t number, uint64_t deadline_ms,
                             uint64_t duration_ms)
{
    uint32_t lane = lane_for(timer, duration_ms);
    if (lane == TIMER_LANE_COUNT || !lane_push(timer, lane, number, deadline_ms))
        heap_insert(timer, number, deadline_ms, duration_ms);
}

static void note(struct timer *timer, uint32_t slot, struct node *node, uint64_t deadline_ms,
                 uint64_t duration_ms)
{
    node_note(node, deadline_ms, duration_ms);
    if (slot >= timer->load_slot_end)
        timer->load_slot_end = slot + 1;
}

void timer_insert(struct timer *timer, uint32_t slot, uint64_t deadline_ms, uint64_t duration_ms)
{
    struct node *node = slot_node(timer, slot);
    hf_assert(node->next == 0);
    hf_assert(deadline_ms <= TIMER_DEADLINE_MS_MAX);
    hf_assert(duration_ms <= deadline_ms);
    if (timer->is_loading)
        note(timer, slot, node, deadline_ms, duration_ms);
    else
        link_node(timer, slot + NODE_FIRST_SLOT, deadline_ms, duration_ms);
    timer->set_count++;
}

void timer_cancel(struct timer *timer, uint32_t slot)
{
    struct node *node = slot_node(timer, slot);
    hf_assert(node->next != 0);
    if (!timer->is_loading) {
        if (node->next == NODE_IN_HEAP)
            heap_remove(timer, node->previous);
        else
            lane_remove(timer, node);
    }
    node->next = 0;
    timer->set_count--;
}

/* What load.c needs of the above. The functions themselves stay where the compiler inlines them. */

uint32_t timer_lane_for(struct timer *timer, uint64_t duration_ms)
{
    return lane_for(timer, duration_ms);
}

void timer_link(struct timer *timer, uint32_t slot, uint64_t deadline_ms, uint64_t duration_ms)
{
    link_node(timer, slot + NODE_FIRST_SLOT, deadline_ms, duration_ms);
}

/* The node with the earliest deadline, or 0 when none is set. */
static uint32_t first_node(const struct timer *timer)
{
    hf_assert(!timer->is_loading);
    uint32_t first = 0;
    uint64_t first_deadline_ms = 0;
    uint64_t first_duration_ms = 0;
    if (timer->heap_count > 0) {
        first = timer->heap[0].node;
        first_deadline_ms = timer->heap[0].deadline_ms;
        first_duration_ms = timer->heap[0].duration_ms;
    }
    for (uint32_t used = timer->lanes_used; used != 0; used &= used - 1) {
        uint32_t lane = (uint32_t)__builtin_ctz(used);
        uint32_t head = timer->nodes[NODE_FIRST_LANE + lane].next;
        uint64_t deadline_ms = node_deadline_ms(&timer->nodes[head]);
        uint64_t duration_ms = timer->lane_duration_ms[lane];
        if (first == 0 || deadline_ms < first_deadline_ms ||
            (deadline_ms == first_deadline_ms && duration_ms > first_duration_ms)) {
            first = head;
            first_deadline_ms = deadline_ms;
            first_duration_ms = duration_ms;
        }
    }
    return first;
}

uint32_t timer_due(const struct timer *timer, uint64_t now_ms)
{
    uint32_t first = first_node(timer);
    if (first == 0 || node_deadline_ms(&timer->nodes[first]) > now_ms)
        return TIMER_SLOT_NONE;
    return first - NODE_FIRST_SLOT;
}

uint64_t timer_next_ms(const struct timer *timer)
{
    uint32_t first = first_node(timer);
    return first == 0 ? UINT64_MAX : node_deadline_ms(&timer->nodes[first]);
}

uint64_t timer_deadline_ms(const struct timer *timer, uint32_t slot)
{
    hf_assert(timer_is_set(timer, slot));
    return node_deadline_ms(slot_node(timer, slot));
}

uint64_t timer_made_ms(const struct timer *timer, uint32_t slot)
{
    const struct node *node = slot_node(timer, slot);
    hf_assert(node->next != 0);
    if (timer->is_loading)
        return node_deadline_ms(node) - node_noted_duration(node);
    if (node->next == NODE_IN_HEAP)
        return node_deadline_ms(node) - timer->heap[node->previous].duration_ms;
    return node_deadline_ms(node) - timer->lane_duration_ms[node_lane(node)];
}

void timer_prefetch(const struct timer *timer, uint32_t slot)
{
    __builtin_prefetch(slot_node(timer, slot));
}

bool timer_is_set(const struct timer *timer, uint32_t slot)
{
    return slot_node(timer, slot)->next != 0;
}

uint32_t timer_count(const struct timer *timer)
{
    return timer->set_count;
}
