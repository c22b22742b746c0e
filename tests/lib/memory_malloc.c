/* base/memory.h on the heap, for programs that make and destroy states all the time: mappings cost
 * more than all the rest of what they do. And exactly as many bytes as were asked for, so that
 * AddressSanitizer sees a table that is left by one entry. Linked in place of the engine's own. */

#include "base/memory.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 4096 };

void *memory_map(size_t bytes)
{
    void *memory;
    hf_assert(bytes > 0);
    if (posix_memalign(&memory, ALIGNMENT, bytes) != 0)
        return NULL;
    return memset(memory, 0, bytes);
}

void *memory_map_touched(size_t bytes)
{
    return memory_map(bytes);
}

void memory_touch(void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
}

void *memory_map_sparse(size_t bytes)
{
    return memory_map(bytes);
}

void memory_forget(void *memory, size_t bytes)
{
    memset(memory, 0, bytes);
}

void memory_unmap(void *memory, size_t bytes)
{
    (void)bytes;
    free(memory);
}
