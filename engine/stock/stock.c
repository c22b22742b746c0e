#include "stock/state.h"

#include "base/assert.h"

#include <stdlib.h>

/* Of each table at once: two MiB of reservations. */
enum { AHEAD_SLOTS = 32768 };

static void assert_count(uint32_t count)
{
    hf_assert(count >= 1);
    hf_assert(count <= STOCK_TABLE_COUNT_MAX);
}

struct stock *stock_create(const struct stock_options *options)
{
    assert_count(options->item_count_max);
    assert_count(options->reservation_count_max);
    assert_count(options->buyer_count_max);
    hf_assert(options->retention_ms <= STOCK_TIME_MS_MAX);

    struct stock *stock = calloc(1, sizeof *stock);
    if (stock == NULL)
        return NULL;
    stock->options = *options;
    stock->timer = timer_open(options->reservation_count_max);
    int refused = stock->timer == NULL;
    refused |= slab_init(&stock->items, sizeof(struct item), options->item_count_max);
    refused |=
        slab_init(&stock->reservations, sizeof(struct reservation), options->reservation_count_max);
    refused |= slab_init(&stock->buyers, sizeof(struct buyer), options->buyer_count_max);
    refused |= save_init(stock);
    refused |= index_init(&stock->item_index, options->item_count_max);
    refused |= index_init(&stock->reservation_index, options->reservation_count_max);
    refused |= index_init(&stock->buyer_index, options->buyer_count_max);
    if (refused != 0)
        stock_destroy(&stock);
    return stock;
}

struct stock_ahead stock_ahead_begin(const struct stock *stock)
{
    return (struct stock_ahead){
        .buyer_slot = stock->buyers.touched_count,
        .reservation_slot = stock->reservations.touched_count,
    };
}

/* Of the piece that begins with this slot, as far as the table goes. */
static uint32_t slots_of_piece(const struct slab *slab, uint32_t first_slot)
{
    uint32_t left = slab->slot_count - first_slot;
    return left < AHEAD_SLOTS ? left : AHEAD_SLOTS;
}

uint64_t stock_ahead_touch(const struct stock *stock, struct stock_ahead *ahead)
{
    uint32_t buyers = slots_of_piece(&stock->buyers, ahead->buyer_slot);
    uint32_t reservations = slots_of_piece(&stock->reservations, ahead->reservation_slot);
    uint64_t bytes = 0;
    if (buyers > 0)
        bytes += slab_touch(&stock->buyers, ahead->buyer_slot, buyers);
    if (reservations > 0) {
        bytes += slab_touch(&stock->reservations, ahead->reservation_slot, reservations);
        bytes += timer_touch(stock->timer, ahead->reservation_slot, reservations);
    }
    ahead->buyer_slot += buyers;
    ahead->reservation_slot += reservations;
    return bytes;
}

void stock_destroy(struct stock **stock)
{
    struct stock *closing = *stock;
    *stock = NULL;
    if (closing == NULL)
        return;
    load_deinit(closing);
    save_deinit(closing);
    index_deinit(&closing->buyer_index);
    index_deinit(&closing->reservation_index);
    index_deinit(&closing->item_index);
    slab_deinit(&closing->buyers);
    slab_deinit(&closing->reservations);
    slab_deinit(&closing->items);
    timer_close(&closing->timer);
    free(closing);
}

uint64_t stock_next_due_ms(const struct stock *stock)
{
    return timer_next_ms(stock->timer);
}

uint64_t stock_time_ms(const struct stock *stock)
{
    return stock->time_ms;
}

struct stock_counts stock_counts(const struct stock *stock)
{
    struct stock_counts counts = stock->counts;
    counts.items = stock->items.used_count;
    counts.reservations = stock->reservations.used_count;
    counts.buyers = stock->buyers.used_count;
    return counts;
}

bool stock_item_at(const struct stock *stock, uint32_t index, struct stock_item_view *view_out)
{
    if (index >= stock->items.used_count)
        return false;
    const struct item *item = item_at(stock, index);
    *view_out = (struct stock_item_view){
        .settings = item->settings,
        .available = item_available(item),
        .held = item->held,
        .sold = item->sold,
        .next_sequence = item->next_sequence,
        .created_ms = item->created_ms,
        .changed_lsn = item->changed_lsn,
    };
    return true;
}

bool stock_item_find(const struct stock *stock, uint64_t item_id, struct stock_item_view *view_out)
{
    /* STOCK_SLOT_NONE is beyond any table */
    return stock_item_at(stock, item_find(stock, item_id, item_hash(stock, item_id)), view_out);
}
