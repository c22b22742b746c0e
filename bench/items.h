#ifndef HF_BENCH_ITEMS_H
#define HF_BENCH_ITEMS_H
/* The items of a run: made by it, or found on the server; and what they looked like before. */

#include "bench/options.h"
#include "bench/session.h"

#include <stdbool.h>
#include <stdint.h>

struct bench_item {
    uint64_t id;
    uint32_t core;
    uint32_t buyer_limit; /* 0 = no limit */
    int64_t stock;        /* -1 = unlimited */
    /* as found before the run */
    uint64_t held_before;
    uint64_t sold_before;
    uint64_t sequence_before; /* the next one to be given out */
};

struct bench_items {
    struct bench_item *items;
    uint32_t count;
};

/* The core an item belongs to. */
uint32_t item_core(uint64_t item_id, uint32_t core_count);

/* Creates the items that the options ask for, or lists the server's; shows how far it is, as a load
 * does. False with `session->error`, which names the item. */
bool items_prepare(struct bench_items *items_out, struct session *session,
                   const struct bench_options *options);

/* The items as they are now, in `now_out`, in the same order; its `count` entries are the
 * caller's. The `*_before` fields hold what is found now, `available_out[i]` the units free. False
 * with `session->error`. */
bool items_read(const struct bench_items *items, struct session *session,
                const struct bench_options *options, struct bench_item *now_out,
                int64_t *available_out);

void items_free(struct bench_items *items);

#endif
