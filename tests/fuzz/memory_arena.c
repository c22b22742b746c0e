/* base/memory.h for targets that make and destroy a whole state for every input: from one piece of
 * static memory instead of from the system, which would cost more than the rest of the run. Linked
 * in place of the engine's own.
 *
 * What is mapped is zero and exactly as long as was asked for: the bytes around it are poisoned, so
 * that AddressSanitizer sees a table that is left by one entry. A piece that is given back is used
 * again when all that were mapped after it are given back too. */

#include "base/memory.h"

#include "fuzz.h"

enum { ARENA_BYTES = 4 << 20, ALIGNMENT = 4096, GUARD_BYTES = 64, PIECE_COUNT_MAX = 256 };

struct piece {
    uint8_t *memory;
    size_t bytes;
    bool is_mapped;
};

static _Alignas(ALIGNMENT) uint8_t arena[ARENA_BYTES];
static struct piece pieces[PIECE_COUNT_MAX]; /* a stack, from the start of the arena on */
static uint32_t piece_count;

static size_t used_bytes(void)
{
    if (piece_count == 0)
        return 0;
    const struct piece *last = &pieces[piece_count - 1];
    return (size_t)(last->memory + last->bytes - arena);
}

void *memory_map(size_t bytes)
{
    size_t used = used_bytes();
    size_t start = (used + GUARD_BYTES + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    hf_assert(bytes > 0 && start + bytes + GUARD_BYTES <= ARENA_BYTES);
    hf_assert(piece_count < PIECE_COUNT_MAX);
    FUZZ_POISON(arena + used, start - used);
    FUZZ_UNPOISON(arena + start, bytes);
    FUZZ_POISON(arena + start + bytes, GUARD_BYTES);
    memset(arena + start, 0, bytes);
    pieces[piece_count++] = (struct piece){arena + start, bytes, true};
    return arena + start;
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
    if (memory == NULL)
        return;
    uint32_t index = piece_count;
    while (index > 0 && pieces[index - 1].memory != memory)
        index--;
    hf_assert(index > 0 && pieces[index - 1].is_mapped && pieces[index - 1].bytes == bytes);
    FUZZ_POISON(memory, bytes);
    pieces[index - 1].is_mapped = false;
    while (piece_count > 0 && !pieces[piece_count - 1].is_mapped)
        piece_count--;
}
