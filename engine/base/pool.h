#ifndef HF_BASE_POOL_H
#define HF_BASE_POOL_H
/* Blocks of one size, mapped at start and handed out last-in first-out, so that blocks in use stay
 * in cache and untouched ones cost no memory. Free blocks are poisoned for AddressSanitizer.
 * One thread. */

#include <stddef.h>
#include <stdint.h>

struct pool {
    uint8_t *memory;
    void *free_head;
    size_t block_bytes;
    uint32_t block_count;
    uint32_t touched_count; /* blocks that were handed out at least once */
    uint32_t used_count;
};

/* Returns 0, or -1 when memory is refused. `block_bytes` is rounded up to a multiple of 16. */
int pool_init(struct pool *pool, size_t block_bytes, uint32_t block_count);

/* All blocks may still be in use: they are gone with the pool. */
void pool_deinit(struct pool *pool);

/* A block with any content, or NULL when all are in use. */
void *pool_acquire(struct pool *pool);
void pool_release(struct pool *pool, void *block);

#endif
