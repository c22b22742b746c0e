#include "item_counts.h"

#include "allocate.h"

#include "base/checksum.h"

#include <stdlib.h>

enum { SIZE_FIRST = 64 };

static struct item_count *find(const struct item_counts *counts, uint64_t item_id)
{
    size_t at = checksum64_u64(item_id, 0) & (counts->size - 1);
    while (counts->table[at].item_id != 0 && counts->table[at].item_id != item_id)
        at = (at + 1) & (counts->size - 1);
    return &counts->table[at];
}

static void grow(struct item_counts *counts)
{
    const struct item_counts old = *counts;
    counts->size = old.size == 0 ? SIZE_FIRST : old.size * 2;
    counts->table = allocate(counts->size, sizeof counts->table[0]);
    for (size_t i = 0; i < old.size; i++)
        if (old.table[i].item_id != 0)
            *find(counts, old.table[i].item_id) = old.table[i];
    free(old.table);
}

struct item_count *item_counts_at(struct item_counts *counts, uint64_t item_id)
{
    if (counts->count * 2 >= counts->size)
        grow(counts);
    struct item_count *found = find(counts, item_id);
    counts->count += found->item_id == 0;
    found->item_id = item_id;
    return found;
}

static int by_first_counter(const void *a, const void *b)
{
    const struct item_count *left = a;
    const struct item_count *right = b;
    if (left->counters[0] != right->counters[0])
        return left->counters[0] > right->counters[0] ? -1 : 1;
    return left->item_id < right->item_id ? -1 : left->item_id > right->item_id;
}

struct item_count *item_counts_sort(struct item_counts *counts)
{
    size_t count = 0;
    for (size_t i = 0; i < counts->size; i++)
        if (counts->table[i].item_id != 0)
            counts->table[count++] = counts->table[i];
    if (count > 0)
        qsort(counts->table, count, sizeof counts->table[0], by_first_counter);
    return counts->table;
}

void item_counts_free(struct item_counts *counts)
{
    free(counts->table);
    *counts = (struct item_counts){.count = 0};
}
