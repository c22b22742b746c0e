#ifndef HF_BASE_QUEUE_H
#define HF_BASE_QUEUE_H
/* Bounded queue of pointers from one producer thread to one consumer thread. The only place in
 * Holdfast that uses atomics. What the producer wrote before queue_push() is visible to the
 * consumer after queue_pop() returned the pointer, so a message belongs to whoever holds it.
 *
 * Head and tail run freely and are masked, as in the ring of io_uring(7); each side keeps a copy
 * of the other's index, so that the shared cache lines move only when a side runs out. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct queue {
    void **slots;
    uint32_t mask;
    /* consumer's line */
    _Alignas(64) _Atomic uint32_t head;
    uint32_t tail_seen;
    /* producer's line */
    _Alignas(64) _Atomic uint32_t tail;
    uint32_t head_seen;
};

/* `slot_count` is a power of two. Returns 0, or -1 when memory is refused. */
int queue_init(struct queue *queue, uint32_t slot_count);
void queue_deinit(struct queue *queue);

/* Producer only. False when the queue is full; nothing was added then. `item` is not NULL. */
bool queue_push(struct queue *queue, void *item);

/* Consumer only. NULL when the queue is empty. */
void *queue_pop(struct queue *queue);

#endif
