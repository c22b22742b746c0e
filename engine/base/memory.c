#include "base/memory.h"

#include "base/assert.h"

#include <sys/mman.h>

enum { HUGE_PAGE_BYTES = 2 << 20 };

void *memory_map(size_t bytes)
{
    hf_assert(bytes > 0);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (bytes >= HUGE_PAGE_BYTES)
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: without it, only slower */
    return memory;
}

void memory_unmap(void *memory, size_t bytes)
{
    if (memory != NULL)
        hf_assert(munmap(memory, bytes) == 0);
}
