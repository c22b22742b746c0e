#ifndef HF_TESTS_SNAPSHOT_H
#define HF_TESTS_SNAPSHOT_H
/* Snapshots in memory: what a save writes, taken apart into entries and put together again. */

#include "stock/load.h"
#include "stock/save.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOT_ENTRY_COUNT_MAX = 512 };

struct snapshot {
    struct stock_entry entries[SNAPSHOT_ENTRY_COUNT_MAX];
    uint32_t entry_count;
    struct stock_saved saved;
};

static const struct stock_wanted snapshot_all = {.is_wanted = NULL};

/* Appends the entries of a page. */
static inline void snapshot_take_page(struct snapshot *snapshot, const struct stock_page *page)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < page->entry_count; i++) {
        uint32_t bytes = page->to[at] | (uint32_t)page->to[at + 1] << 8;
        cr_assert_lt(snapshot->entry_count, SNAPSHOT_ENTRY_COUNT_MAX);
        struct stock_entry *entry = &snapshot->entries[snapshot->entry_count++];
        const char *problem = stock_entry_decode(page->to + at, bytes, entry);
        cr_assert(problem == NULL, "entry %u: %s", i, problem);
        at += bytes;
    }
    cr_assert_eq(at, page->bytes, "entries fill their page");
}

/* Saves the state at once. */
static inline struct snapshot *snapshot_of(struct stock *stock)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    cr_assert_not_null(snapshot);
    struct stock_page page = {.bytes_max = SNAPSHOT_ENTRY_COUNT_MAX * STOCK_ENTRY_BYTES_MAX};
    page.to = malloc(page.bytes_max);
    cr_assert_not_null(page.to);
    stock_save_begin(stock, &page);
    cr_assert(stock_save_step(stock, page.bytes_max));
    stock_save_end(stock, &snapshot->saved);
    snapshot_take_page(snapshot, &page);
    free(page.to);
    return snapshot;
}

/* Makes counts, hash and time those of the entries. */
static inline void snapshot_count_again(struct snapshot *snapshot)
{
    struct stock_saved *saved = &snapshot->saved;
    *saved = (struct stock_saved){.time_ms = saved->time_ms};
    for (uint32_t i = 0; i < snapshot->entry_count; i++) {
        const struct stock_entry *entry = &snapshot->entries[i];
        saved->item_count += entry->type == STOCK_ENTRY_ITEM;
        saved->buyer_count += entry->type == STOCK_ENTRY_BUYER;
        saved->reservation_count += entry->type == STOCK_ENTRY_RESERVATION;
        saved->state_hash += stock_entry_hash(entry);
    }
}

/* Loads one snapshot into a stock that is loading, entries at most `piece` at a time. */
static inline const char *snapshot_load_into(const struct snapshot *snapshot, struct stock *stock,
                                             struct stock_wanted wanted, uint32_t piece,
                                             uint32_t *refused_index_out)
{
    const char *problem = NULL;
    cr_assert(stock_load_snapshot_begin(stock, wanted));
    for (uint32_t begin = 0; begin < snapshot->entry_count && problem == NULL; begin += piece) {
        uint32_t left = snapshot->entry_count - begin;
        uint32_t count = left < piece ? left : piece;
        uint32_t bytes = 0;
        uint8_t *memory = malloc((size_t)count * STOCK_ENTRY_BYTES_MAX);
        cr_assert_not_null(memory);
        for (uint32_t i = 0; i < count; i++)
            bytes += stock_entry_encode(&snapshot->entries[begin + i], memory + bytes);
        problem = stock_load_entries(stock, memory, bytes, count, refused_index_out);
        if (problem != NULL)
            *refused_index_out += begin;
        free(memory);
    }
    return problem != NULL ? problem : stock_load_snapshot_end(stock, &snapshot->saved);
}

/* A new stock with this state. What is wrong fails the test. */
static inline struct stock *snapshot_open(const struct snapshot *snapshot,
                                          const struct stock_options *options)
{
    uint32_t refused_index = 0;
    struct stock *stock = stock_create(options);
    cr_assert_not_null(stock);
    stock_load_begin(stock);
    const char *problem = snapshot_load_into(snapshot, stock, snapshot_all, 7, &refused_index);
    cr_assert(problem == NULL, "entry %u: %s", refused_index, problem);
    cr_assert(stock_load_end(stock));
    stock_assert_valid(stock);
    return stock;
}

static inline struct stock_entry *snapshot_find(struct snapshot *snapshot, int type,
                                                uint32_t number)
{
    for (uint32_t i = 0; i < snapshot->entry_count; i++) {
        if (snapshot->entries[i].type == type && number-- == 0)
            return &snapshot->entries[i];
    }
    cr_assert_fail("there is no such entry");
    return NULL;
}

#endif
