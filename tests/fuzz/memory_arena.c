/* base/memory.h for targets that make and destroy a whole state for every input: from one piece of
 * static memory instead of from the system, which would cost more than the rest of the run. Linked
 * in place of the engine's own.
 *
 * What is mapped is zero and exactly as long as was asked for: the bytes around it are poisoned, so
 * that AddressSanitizer sees a table that is left by one entry. All is given back when nothing is
 * mapped any more, and the order of giving back does not matter. */

#include "base/memory.h"

#include "fuzz.h"

enum { ARENA_BYTES = 4 << 20, ALIGNMENT = 4096, GUARD_BYTES = 64 };

static _Alignas(ALIGNMENT) uint8_t arena[ARENA_BYTES];
static size_t used;
static uint32_t mapped_count;

void *memory_map(size_t bytes)
{
    hf_assert(bytes > 0);
    size_t start = (used + GUARD_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    hf_assert(start + bytes + GUARD_BYTES <= ARENA_BYTES);
    FUZZ_POISON(arena + used, start - used);
    FUZZ_UNPOISON(arena + start, bytes);
    FUZZ_POISON(arena + start + bytes, GUARD_BYTES);
    used = start + bytes;
    mapped_count++;
    memset(arena + start, 0, bytes);
    return arena + start;
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
    if (memory == NULL)
        return;
    hf_assert(mapped_count > 0);
    FUZZ_POISON(memory, bytes);
    if (--mapped_count == 0)
        used = 0;
}
