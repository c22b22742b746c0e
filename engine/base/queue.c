#include "base/queue.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stddef.h>

int queue_init(struct queue *queue, uint32_t slot_count)
{
    hf_assert(slot_count > 0 && (slot_count & (slot_count - 1)) == 0);
    queue->slots = memory_map(slot_count * sizeof *queue->slots);
    if (queue->slots == NULL)
        return -1;
    queue->mask = slot_count - 1;
    atomic_init(&queue->head, 0);
    atomic_init(&queue->tail, 0);
    queue->tail_seen = 0;
    queue->head_seen = 0;
    return 0;
}

void queue_deinit(struct queue *queue)
{
    memory_unmap(queue->slots, (queue->mask + 1u) * sizeof *queue->slots);
    queue->slots = NULL;
}

bool queue_push(struct queue *queue, void *item)
{
    hf_assert(item != NULL);
    uint32_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    if (tail - queue->head_seen > queue->mask) {
        queue->head_seen = atomic_load_explicit(&queue->head, memory_order_acquire);
        if (tail - queue->head_seen > queue->mask)
            return false;
    }
    queue->slots[tail & queue->mask] = item;
    atomic_store_explicit(&queue->tail, tail + 1, memory_order_release);
    return true;
}

void *queue_pop(struct queue *queue)
{
    uint32_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    if (head == queue->tail_seen) {
        queue->tail_seen = atomic_load_explicit(&queue->tail, memory_order_acquire);
        if (head == queue->tail_seen)
            return NULL;
    }
    void *item = queue->slots[head & queue->mask];
    atomic_store_explicit(&queue->head, head + 1, memory_order_release);
    return item;
}
