/* Memory for tables (base/memory.h, whose own implementation is not linked) from the heap: tens of
 * small tables are made and given back for each case, and the system's mappings would cost most of
 * the time. With a sanitizer, the heap sees what is read or written beside a table. */

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 4096 };

void *memory_map(size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, ALIGNMENT, bytes) != 0)
        return NULL;
    return memset(memory, 0, bytes);
}

void *memory_map_touched(size_t bytes)
{
    return memory_map(bytes);
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
