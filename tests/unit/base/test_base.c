/* List, pool, bytes, checksum. */

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/pool.h"

#include <criterion/criterion.h>

/* ---- list ---- */

struct entry {
    int number;
    struct list link;
};

static int number_of(struct list *link)
{
    return list_entry(link, struct entry, link)->number;
}

Test(list, gives_back_in_order)
{
    struct list head;
    struct entry entries[3];
    list_init(&head);
    cr_expect(list_is_empty(&head));
    cr_expect_null(list_pop_head(&head));
    for (int i = 0; i < 3; i++) {
        entries[i].number = i;
        list_init(&entries[i].link);
        cr_expect_not(list_is_linked(&entries[i].link));
        list_push_tail(&head, &entries[i].link);
        cr_expect(list_is_linked(&entries[i].link));
    }
    int expected = 0;
    list_for_each (link, &head)
        cr_expect_eq(number_of(link), expected++);
    cr_expect_eq(expected, 3);
    list_remove(&entries[1].link);
    cr_expect_not(list_is_linked(&entries[1].link));
    cr_expect_eq(number_of(list_pop_head(&head)), 0);
    cr_expect_eq(number_of(list_pop_head(&head)), 2);
    cr_expect(list_is_empty(&head));
}

Test(list, walk_may_remove_what_it_stands_on)
{
    struct list head;
    struct entry entries[4];
    list_init(&head);
    for (int i = 0; i < 4; i++) {
        entries[i].number = i;
        list_push_tail(&head, &entries[i].link);
    }
    int visited = 0;
    list_for_each_safe (link, &head) {
        visited++;
        if (number_of(link) % 2 == 0)
            list_remove(link);
    }
    cr_expect_eq(visited, 4);
    cr_expect_eq(number_of(list_pop_head(&head)), 1);
    cr_expect_eq(number_of(list_pop_head(&head)), 3);
    cr_expect(list_is_empty(&head));
}

/* ---- pool ---- */

Test(pool, gives_each_block_once_and_none_beyond)
{
    struct pool pool;
    uint8_t *blocks[3];
    cr_assert_eq(pool_init(&pool, 20, 3), 0);
    for (int i = 0; i < 3; i++) {
        blocks[i] = pool_acquire(&pool);
        cr_assert_not_null(blocks[i]);
        cr_expect_eq((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], i, 20);
    }
    cr_expect_null(pool_acquire(&pool));
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 20; j++)
            cr_expect_eq(blocks[i][j], i, "blocks overlap");
    }
    cr_expect_eq(pool.used_count, 3);
    pool_deinit(&pool);
}

Test(pool, released_block_comes_back_first)
{
    struct pool pool;
    cr_assert_eq(pool_init(&pool, 64, 10), 0);
    void *first = pool_acquire(&pool);
    void *second = pool_acquire(&pool);
    pool_release(&pool, first);
    pool_release(&pool, second);
    cr_expect_eq(pool.used_count, 0);
    cr_expect_eq(pool_acquire(&pool), second);
    cr_expect_eq(pool_acquire(&pool), first);
    cr_expect_eq(pool.touched_count, 2, "untouched blocks stay so");
    pool_deinit(&pool);
}

/* ---- memory ---- */

Test(memory, is_zero_and_aligned)
{
    const size_t sizes[] = {1, 4096, 3 << 20};
    for (int i = 0; i < 3; i++) {
        uint8_t *memory = memory_map(sizes[i]);
        cr_assert_not_null(memory);
        cr_expect_eq((uintptr_t)memory % 4096, 0);
        cr_expect_eq(memory[0], 0);
        cr_expect_eq(memory[sizes[i] - 1], 0);
        memory[sizes[i] - 1] = 1;
        memory_unmap(memory, sizes[i]);
    }
    memory_unmap(NULL, 5);
}

/* ---- bytes and checksum ---- */

Test(bytes, are_little_endian_at_any_alignment)
{
    uint8_t bytes[9] = {0};
    bytes_put_u64(bytes + 1, 0x0807060504030201u);
    for (uint8_t i = 1; i < 9; i++)
        cr_expect_eq(bytes[i], i);
    cr_expect_eq(bytes_get_u64(bytes + 1), 0x0807060504030201u);
    cr_expect_eq(bytes_get_u32(bytes + 1), 0x04030201u);
    cr_expect_eq(bytes_get_u16(bytes + 1), 0x0201);
    bytes_put_u16(bytes + 1, 0xFFEE);
    bytes_put_u32(bytes + 3, 0xDDCCBBAAu);
    cr_expect_eq(bytes_get_u64(bytes + 1), 0x0807DDCCBBAAFFEEu);
}

Test(checksum, has_the_published_values)
{
    /* From python3-xxhash: xxh3_64_intdigest(data, seed). */
    cr_expect_eq(checksum64("", 0, 0), 0x2D06800538D394C2u);
    cr_expect_eq(checksum64("holdfast", 8, 0), 0x4DDF46EBD3AD850Bu);
    cr_expect_eq(checksum64("holdfast", 8, 42), 0xB99717145B469EB2u);
    cr_expect_eq(checksum64_u64(1, 0), 0x2FBC593564DB792Eu);
    cr_expect_eq(checksum64_u64(0x0807060504030201u, 7), 0xFCE7054959E6D413u);
}
