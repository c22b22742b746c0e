#include "base/memory.h"

#include "base/assert.h"

#include <stdint.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 4096, HUGE_PAGE_BYTES = 2 << 20 };

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static void *map(size_t bytes, int advice)
{
    hf_assert(bytes > 0);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (bytes >= HUGE_PAGE_BYTES)
        (void)madvise(memory, bytes, advice); /* a wish: without it, only slower or larger */
    return memory;
}

void *memory_map(size_t bytes)
{
    return map(bytes, MADV_HUGEPAGE);
}

void *memory_map_touched(size_t bytes)
{
    void *memory = memory_map(bytes);
    if (memory != NULL)
        memory_touch(memory, bytes);
    return memory;
}

void memory_touch(void *memory, size_t bytes)
{
    hf_assert(bytes > 0);
    size_t before_bytes = (uintptr_t)memory % PAGE_BYTES;
    (void)madvise((uint8_t *)memory - before_bytes, before_bytes + bytes, MADV_POPULATE_WRITE);
}

void *memory_map_sparse(size_t bytes)
{
    return map(bytes, MADV_NOHUGEPAGE);
}

void memory_forget(void *memory, size_t bytes)
{
    int failed = madvise(memory, bytes, MADV_DONTNEED);
    hf_assert(!failed);
}

void memory_unmap(void *memory, size_t bytes)
{
    if (memory != NULL)
        hf_assert(munmap(memory, bytes) == 0);
}
