/* Memory for tables (base/memory.h, whose own implementation is not linked) from the heap: tens of
 * small tables are made and given back for each case, and the system's mappings would cost most of
 * the time. With a sanitizer, the heap sees what is read or written beside a table. Of what is
 * large only a little is touched, so that a mapping costs less than its zeros. */

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 4096, LARGE_BYTES = 128 << 10 };

void *memory_map(size_t bytes)
{
    void *memory = NULL;
    if (bytes >= LARGE_BYTES) {
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return memory == MAP_FAILED ? NULL : memory;
    }
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
    if (bytes >= LARGE_BYTES)
        madvise(memory, bytes, MADV_DONTNEED);
    else
        memset(memory, 0, bytes);
}

void memory_unmap(void *memory, size_t bytes)
{
    if (memory != NULL && bytes >= LARGE_BYTES)
        munmap(memory, bytes);
    else
        free(memory);
}
