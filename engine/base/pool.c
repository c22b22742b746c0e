#include "base/pool.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif

#ifdef POOL_ASAN
#include <sanitizer/asan_interface.h>
#define poison(block, bytes)   ASAN_POISON_MEMORY_REGION(block, bytes)
#define unpoison(block, bytes) ASAN_UNPOISON_MEMORY_REGION(block, bytes)
#else
#define poison(block, bytes)   ((void)(block), (void)(bytes))
#define unpoison(block, bytes) ((void)(block), (void)(bytes))
#endif

int pool_init(struct pool *pool, size_t block_bytes, uint32_t block_count)
{
    hf_assert(block_bytes > 0);
    hf_assert(block_count > 0);
    memset(pool, 0, sizeof *pool);
    pool->block_bytes = (block_bytes + 15) & ~(size_t)15;
    pool->block_count = block_count;
    pool->memory = memory_map(pool->block_bytes * block_count);
    return pool->memory == NULL ? -1 : 0;
}

void pool_deinit(struct pool *pool)
{
    if (pool->memory != NULL)
        unpoison(pool->memory, pool->block_bytes * pool->block_count);
    memory_unmap(pool->memory, pool->block_bytes * pool->block_count);
    pool->memory = NULL;
}

void *pool_acquire(struct pool *pool)
{
    void *block = pool->free_head;
    if (block != NULL) {
        unpoison(block, pool->block_bytes);
        memcpy(&pool->free_head, block, sizeof pool->free_head);
    } else {
        if (pool->touched_count == pool->block_count)
            return NULL;
        block = pool->memory + pool->block_bytes * pool->touched_count++;
    }
    pool->used_count++;
    return block;
}

void pool_release(struct pool *pool, void *block)
{
    size_t offset = (size_t)((uint8_t *)block - pool->memory);
    hf_assert(offset < pool->block_bytes * pool->block_count);
    hf_assert(offset % pool->block_bytes == 0);
    hf_assert(pool->used_count > 0);
    memcpy(block, &pool->free_head, sizeof pool->free_head);
    pool->free_head = block;
    pool->used_count--;
    poison(block, pool->block_bytes);
}
