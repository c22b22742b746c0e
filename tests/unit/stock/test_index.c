/* The hash index: whatever was inserted is found, whatever was removed is not, in tables that are
 * as full as they get, whose keys crowd together, and whose words have much or little room beside
 * the slot. */

#include "stock/index.h"

#include "random.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { SLOTS = 1000, STEPS = 60000 };

/* Keys are their slots; the hash of each is kept here. */
struct keys {
    uint64_t hashes[SLOTS];
    bool is_in[SLOTS];
    uint32_t asked_count; /* for the hash of a slot */
};

static uint64_t hash_of(const void *context, uint32_t slot)
{
    const struct keys *keys = context;
    ((struct keys *)(uintptr_t)keys)->asked_count++;
    return keys->hashes[slot];
}

static bool is_found(const struct index *index, const struct keys *keys, uint32_t slot)
{
    struct index_search search = index_search_begin(index, keys->hashes[slot]);
    uint32_t found;
    while ((found = index_search_next(index, &search)) != INDEX_SLOT_NONE)
        if (found == slot)
            return true;
    return false;
}

static void check_all(const struct index *index, const struct keys *keys)
{
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        cr_assert_eq(is_found(index, keys, slot), keys->is_in[slot], "slot %u", slot);
}

/* Inserts and removes at random. Homes of keys are among the first `home_count` places. */
static void go(struct index *index, struct keys *keys, uint64_t seed, uint32_t home_count)
{
    struct test_random random;
    test_random_init(&random, test_random_seed(seed));
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint64_t home = test_random_below(&random, home_count);
        uint64_t upper = ((home << 32) + index->word_count - 1) / index->word_count;
        keys->hashes[slot] = upper << 32 | (uint32_t)test_random_u64(&random);
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t slot = (uint32_t)test_random_below(&random, SLOTS);
        if (keys->is_in[slot])
            index_remove(index, keys->hashes[slot], slot, hash_of, keys);
        else
            index_insert(index, keys->hashes[slot], slot);
        keys->is_in[slot] = !keys->is_in[slot];
        cr_assert_eq(is_found(index, keys, slot), keys->is_in[slot]);
        if (step % 1000 == 0)
            check_all(index, keys);
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (keys->is_in[slot])
            index_remove(index, keys->hashes[slot], slot, hash_of, keys);
    }
    for (uint32_t i = 0; i < index->word_count; i++)
        cr_assert_eq(index->words[i], 0);
}

Test(index, keys_that_scatter_are_found_until_they_are_removed)
{
    struct keys keys = {.asked_count = 0};
    struct index index;
    cr_assert_eq(index_init(&index, SLOTS), 0);
    go(&index, &keys, 1, index.word_count);
    index_deinit(&index);
}

Test(index, keys_that_crowd_together_are_found_until_they_are_removed)
{
    struct keys keys = {.asked_count = 0};
    struct index index;
    cr_assert_eq(index_init(&index, SLOTS), 0);
    go(&index, &keys, 2, 3);
    cr_expect_gt(keys.asked_count, 0u, "far from their homes");
    index_deinit(&index);
}

Test(index, keys_at_the_end_of_the_table_go_on_at_its_beginning)
{
    struct keys keys = {.asked_count = 0};
    struct index index;
    cr_assert_eq(index_init(&index, SLOTS), 0);
    for (uint32_t slot = 0; slot < 20; slot++) {
        keys.hashes[slot] = UINT64_MAX - slot;
        keys.is_in[slot] = true;
        index_insert(&index, keys.hashes[slot], slot);
    }
    check_all(&index, &keys);
    for (uint32_t slot = 0; slot < 20; slot++) {
        index_remove(&index, keys.hashes[slot], slot, hash_of, &keys);
        keys.is_in[slot] = false;
        check_all(&index, &keys);
    }
    index_deinit(&index);
}

/* Words as they are in the largest table: one bit is left for the distance, none for the tag. */
Test(index, words_of_the_largest_table_have_room_for_a_distance)
{
    struct keys keys = {.asked_count = 0};
    struct index index;
    cr_assert_eq(index_init(&index, SLOTS), 0);
    index_divide_words(&index, INDEX_SLOT_COUNT_MAX - 1);
    cr_assert_eq(index.distance_many, 1u);
    cr_assert_eq(index.tag_mask, 0u);
    go(&index, &keys, 3, index.word_count);
    index_deinit(&index);
}

Test(index, removing_asks_for_no_hash_while_keys_are_near_their_homes)
{
    struct keys keys = {.asked_count = 0};
    struct index index;
    cr_assert_eq(index_init(&index, SLOTS), 0);
    for (uint32_t slot = 0; slot < 6; slot++) {
        keys.hashes[slot] = slot;
        index_insert(&index, slot, slot);
    }
    index_remove(&index, 0, 0, hash_of, &keys);
    cr_expect_eq(keys.asked_count, 0u);
    for (uint32_t slot = 1; slot < 6; slot++)
        cr_expect(is_found(&index, &keys, slot));
    index_deinit(&index);
}
