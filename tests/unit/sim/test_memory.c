/* What the engine has of memory is counted, refused and taken back; nobody else's is. */
#include "base/memory.h"

#include "memory.h"
#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void *pieces[3];

static void allocate(void *context)
{
    (void)context;
    pieces[0] = malloc(100);
    pieces[1] = calloc(10, 10);
    pieces[2] = memory_map(1 << 20);
}

static void give_back(void *context)
{
    (void)context;
    free(pieces[0]);
    free(pieces[1]);
    memory_unmap(pieces[2], 1 << 20);
}

Test(memory, what_the_engine_has_is_counted)
{
    sim_world_begin(1);
    cr_assert(sim_engine_run(allocate, NULL));
    cr_expect_eq(sim_memory_used_bytes(), 100 + 100 + (1 << 20));
    cr_expect_eq(sim_memory_allocation_count(), 3);
    cr_assert(sim_engine_run(give_back, NULL));
    cr_expect_eq(sim_memory_used_bytes(), 0);
}

Test(memory, what_others_have_is_not)
{
    sim_world_begin(1);
    allocate(NULL);
    cr_expect_eq(sim_memory_used_bytes(), 0);
    cr_expect_eq(sim_memory_allocation_count(), 0);
    sim_memory_release();
    memset(pieces[2], 1, 1 << 20);
    give_back(NULL);
}

Test(memory, the_nth_allocation_is_refused_once_or_for_ever)
{
    sim_world_begin(1);
    sim_memory_fail_at(2, false);
    cr_assert(sim_engine_run(allocate, NULL));
    cr_expect(pieces[0] != NULL && pieces[1] == NULL && pieces[2] != NULL);
    sim_memory_release();
    sim_memory_fail_at(2, true);
    cr_assert(sim_engine_run(allocate, NULL));
    cr_expect(pieces[0] != NULL && pieces[1] == NULL && pieces[2] == NULL);
    sim_memory_fail_at(0, false);
    sim_memory_release();
    cr_expect_eq(sim_memory_used_bytes(), 0);
}

static void touch_and_forget(void *context)
{
    uint8_t *memory = memory_map_sparse(16 * 4096);
    (void)context;
    memset(memory, 1, 16 * 4096);
    memory_forget(memory + 4096, 4096);
    cr_expect_eq(memory[4096], 0);
    cr_expect_eq(memory[2 * 4096], 1);
    memory_unmap(memory, 16 * 4096);
}

Test(memory, what_was_forgotten_reads_as_zero)
{
    sim_world_begin(1);
    cr_assert(sim_engine_run(touch_and_forget, NULL));
}

static void grow(void *context)
{
    (void)context;
    uint8_t *memory = malloc(10);
    memset(memory, 1, 10);
    uint8_t *grown = realloc(memory, 20);
    cr_assert_not_null(grown);
    cr_expect_eq(grown[9], 1);
    cr_expect_eq(grown[19], grown[10], "fresh bytes are always the same");
    free(grown);
}

Test(memory, growing_keeps_what_is_there)
{
    sim_world_begin(1);
    cr_assert(sim_engine_run(grow, NULL));
    cr_expect_eq(sim_memory_used_bytes(), 0);
}
