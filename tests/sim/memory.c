/* The engine's memory: its mappings (base/memory.h, whose own implementation is not linked) and its
 * heap (malloc and its sisters, by the linker's --wrap). What is asked for while engine code runs
 * is the engine's: it is counted, may be refused, and is noted in one table until it is given back.
 * The rest goes to the system untouched.
 *
 * Fresh memory of the heap is filled with a pattern, so that what the engine forgets to initialise
 * is the same in every run. */

#include "memory.h"

#include "base/assert.h"
#include "base/memory.h"
#include "private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef SIM_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(memory, bytes) ((void)0)
#endif

enum { FRESH_BYTE = 0xA5 };

struct piece {
    void *memory;
    size_t bytes;
    bool is_mapped;
};

static struct {
    struct piece *pieces;
    uint32_t piece_count;
    uint32_t piece_room;
    uint64_t used_bytes;
    uint64_t allocation_count;
    uint64_t fail_at; /* allocation count, 0: never */
    bool is_failing_for_ever;
} heap;

/* The linker gives these names to the system's functions, and calls of malloc() to ours.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void __wrap_free(void *memory);

/* ---- the simulator's own ---- */

static void *must(void *memory)
{
    hf_assert(memory != NULL);
    return memory;
}

void *sim_alloc(size_t bytes)
{
    return must(__real_calloc(1, bytes));
}

void *sim_grow(void *memory, size_t bytes)
{
    return must(__real_realloc(memory, bytes));
}

void sim_free(void *memory)
{
    __real_free(memory);
}

void *sim_array_room(void *array, size_t element_bytes, uint32_t count, uint32_t *room)
{
    if (count < *room)
        return array;
    *room = *room == 0 ? 16 : *room * 2;
    return sim_grow(array, *room * element_bytes);
}

/* ---- what the engine has ---- */

bool sim_memory_may_allocate(void)
{
    heap.allocation_count++;
    if (heap.fail_at == 0 || heap.allocation_count < heap.fail_at)
        return true;
    return heap.allocation_count > heap.fail_at && !heap.is_failing_for_ever;
}

static void note_piece(void *memory, size_t bytes, bool is_mapped)
{
    heap.pieces =
        sim_array_room(heap.pieces, sizeof *heap.pieces, heap.piece_count, &heap.piece_room);
    heap.pieces[heap.piece_count++] =
        (struct piece){.memory = memory, .bytes = bytes, .is_mapped = is_mapped};
    heap.used_bytes += bytes;
}

/* NULL when it is not the engine's. */
static struct piece *find_piece(const void *memory)
{
    for (uint32_t i = heap.piece_count; i > 0; i--)
        if (heap.pieces[i - 1].memory == memory)
            return &heap.pieces[i - 1];
    return NULL;
}

static void forget_piece(struct piece *piece)
{
    heap.used_bytes -= piece->bytes;
    *piece = heap.pieces[--heap.piece_count];
}

/* ---- the heap ---- */

void *__wrap_malloc(size_t bytes)
{
    if (!sim_engine_is_running())
        return __real_malloc(bytes);
    if (!sim_memory_may_allocate())
        return NULL;
    void *memory = must(__real_malloc(bytes));
    memset(memory, FRESH_BYTE, bytes);
    note_piece(memory, bytes, false);
    return memory;
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    if (!sim_engine_is_running())
        return __real_calloc(count, bytes);
    if (!sim_memory_may_allocate())
        return NULL;
    void *memory = must(__real_calloc(count, bytes));
    note_piece(memory, count * bytes, false);
    return memory;
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    if (!sim_engine_is_running())
        return __real_realloc(memory, bytes);
    struct piece *piece = memory == NULL ? NULL : find_piece(memory);
    hf_assert(memory == NULL || piece != NULL);
    hf_assert(bytes > 0);
    if (!sim_memory_may_allocate())
        return NULL;
    size_t bytes_before = piece == NULL ? 0 : piece->bytes;
    if (piece != NULL)
        forget_piece(piece);
    uint8_t *grown = must(__real_realloc(memory, bytes));
    if (bytes > bytes_before)
        memset(grown + bytes_before, FRESH_BYTE, bytes - bytes_before);
    note_piece(grown, bytes, false);
    return grown;
}

void __wrap_free(void *memory)
{
    struct piece *piece = memory == NULL ? NULL : find_piece(memory);
    hf_assert(piece != NULL || memory == NULL || !sim_engine_is_running());
    if (piece != NULL) {
        hf_assert(!piece->is_mapped);
        forget_piece(piece);
    }
    __real_free(memory);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- mappings ---- */

/* Mappings of the engine are kept for its next life, clean, because making them takes longer than
 * most of what a simulated server does with them. With AddressSanitizer they go back to the system,
 * so that whoever still uses one is found. */
enum {
#ifdef SIM_ADDRESS_SANITIZER
    SPARE_MAPPINGS_MAX = 0,
#else
    SPARE_MAPPINGS_MAX = 512,
#endif
    /* Larger ones are mostly untouched, and are cleaned by the system. */
    CLEARED_BYTES_MAX = 64 << 10,
};

static struct {
    struct piece pieces[SPARE_MAPPINGS_MAX + 1];
    uint32_t count;
} spares;

/* Small pages always: a simulated server touches a few of each table, and a huge page would cost a
 * hundred times as much to make. */
static void *make_mapping(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    hf_assert(memory != MAP_FAILED);
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

static void *take_mapping(size_t bytes)
{
    for (uint32_t i = spares.count; i > 0; i--)
        if (spares.pieces[i - 1].bytes == bytes) {
            void *memory = spares.pieces[i - 1].memory;
            spares.pieces[i - 1] = spares.pieces[--spares.count];
            return memory;
        }
    return make_mapping(bytes);
}

static void put_mapping(void *memory, size_t bytes)
{
    int failed = 0;
    if (spares.count == SPARE_MAPPINGS_MAX) {
        failed = munmap(memory, bytes);
    } else {
        if (bytes <= CLEARED_BYTES_MAX)
            memset(memory, 0, bytes);
        else
            failed = madvise(memory, bytes, MADV_DONTNEED);
        spares.pieces[spares.count++] = (struct piece){.memory = memory, .bytes = bytes};
    }
    hf_assert(!failed);
}

static void *map(size_t bytes)
{
    hf_assert(bytes > 0);
    if (!sim_engine_is_running())
        return make_mapping(bytes);
    if (!sim_memory_may_allocate())
        return NULL;
    void *memory = take_mapping(bytes);
    note_piece(memory, bytes, true);
    return memory;
}

void *memory_map(size_t bytes)
{
    return map(bytes);
}

void *memory_map_touched(size_t bytes)
{
    return map(bytes);
}

void memory_touch(void *memory, size_t bytes)
{
    (void)memory, (void)bytes;
}

void *memory_map_sparse(size_t bytes)
{
    return map(bytes);
}

void memory_forget(void *memory, size_t bytes)
{
    int failed = madvise(memory, bytes, MADV_DONTNEED);
    hf_assert(!failed);
}

void memory_unmap(void *memory, size_t bytes)
{
    if (memory == NULL)
        return;
    struct piece *piece = find_piece(memory);
    hf_assert(piece != NULL || !sim_engine_is_running());
    if (piece == NULL) {
        int failed = munmap(memory, bytes);
        hf_assert(!failed);
        return;
    }
    hf_assert(piece->is_mapped);
    hf_assert(piece->bytes == bytes);
    forget_piece(piece);
    put_mapping(memory, bytes);
}

/* ---- from outside ---- */

void sim_memory_begin(void)
{
    sim_memory_release();
    heap.allocation_count = 0;
    heap.fail_at = 0;
    heap.is_failing_for_ever = false;
}

void sim_memory_fail_at(uint64_t n, bool for_ever)
{
    heap.fail_at = n == 0 ? 0 : heap.allocation_count + n;
    heap.is_failing_for_ever = for_ever;
}

uint64_t sim_memory_allocation_count(void)
{
    return heap.allocation_count;
}

uint64_t sim_memory_used_bytes(void)
{
    return heap.used_bytes;
}

void sim_memory_release(void)
{
    hf_assert(!sim_engine_is_running());
    for (uint32_t i = 0; i < heap.piece_count; i++) {
        struct piece *piece = &heap.pieces[i];
        if (piece->is_mapped) {
            /* The pools in it mark their free blocks, and the addresses will be mapped again. */
            ASAN_UNPOISON_MEMORY_REGION(piece->memory, piece->bytes);
            put_mapping(piece->memory, piece->bytes);
        } else {
            sim_free(piece->memory);
        }
    }
    heap.piece_count = 0;
    heap.used_bytes = 0;
}
