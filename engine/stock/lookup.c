#include "stock/state.h"
#include "stock/touch.h"

#include "base/assert.h"

_Static_assert(STOCK_PREPARE_MAX * 3 <= TOUCH_MAX, "three lines of a row at a time");

/* Hashes are keyed, so that a client who chooses ids cannot fill one neighbourhood of a table. */

uint64_t item_hash(const struct stock *stock, uint64_t item_id)
{
    return checksum64_u64(item_id, stock->options.hash_key);
}

uint64_t reservation_hash(const struct stock *stock, uint64_t item_id, struct id128 id)
{
    const uint64_t key[3] = {item_id, id.high, id.low};
    return checksum64(key, sizeof key, stock->options.hash_key);
}

uint64_t buyer_hash(const struct stock *stock, uint64_t item_id, uint64_t buyer_id)
{
    const uint64_t key[2] = {item_id, buyer_id};
    return checksum64(key, sizeof key, stock->options.hash_key);
}

uint64_t reservation_slot_hash(const void *context, uint32_t slot)
{
    const struct stock *stock = context;
    const struct reservation *reservation = reservation_at(stock, slot);
    uint64_t item_id = item_at(stock, reservation->item_slot)->settings.item_id;
    return reservation_hash(stock, item_id, reservation->id);
}

uint64_t buyer_slot_hash(const void *context, uint32_t slot)
{
    const struct stock *stock = context;
    const struct buyer *buyer = buyer_at(stock, slot);
    uint64_t item_id = item_at(stock, buyer->item_slot)->settings.item_id;
    return buyer_hash(stock, item_id, buyer->buyer_id);
}

/* ---- ahead of a decision ---- */

/* Returns the item's hash, which nobody needs once the item is found. */
static uint64_t hash_row(const struct stock *stock, struct stock_request *row,
                         struct touch_list *list)
{
    uint64_t hash = item_hash(stock, row->item_id);
    row->reservation_hash = reservation_hash(stock, row->item_id, row->reservation_id);
    row->buyer_hash = buyer_hash(stock, row->item_id, row->buyer_id);
    touch_add(list, index_line(&stock->item_index, hash));
    touch_add(list, index_line(&stock->reservation_index, row->reservation_hash));
    return hash;
}

/* The item, as far as it is read; and the reservation, which a new hold finds only if the request
 * is a repeated one. */
static void add_slots(const struct stock *stock, const struct stock_request *row, uint64_t hash,
                      struct touch_list *list)
{
    uint32_t item_slot = touch_add_slot(list, &stock->item_index, hash, &stock->items);
    if (item_slot != INDEX_SLOT_NONE && row->op == STOCK_OP_RESERVE)
        touch_add(list, &item_at(stock, item_slot)->settings.hold_ms);
    uint32_t slot = touch_add_slot(list, &stock->reservation_index, row->reservation_hash,
                                   &stock->reservations);
    if (slot != INDEX_SLOT_NONE)
        timer_prefetch(stock->timer, slot);
}

/* A new hold looks at its buyer, unless the item is sold out. */
static void add_buyer_of_hold(const struct stock *stock, const struct stock_request *row,
                              struct touch_list *list)
{
    if (row->buyer_id == 0 || row->item_slot == STOCK_SLOT_NONE)
        return;
    if (item_available(item_at(stock, row->item_slot)) != 0)
        touch_add(list, index_line(&stock->buyer_index, row->buyer_hash));
}

static void add_buyer_of_change(const struct stock *stock, const struct stock_request *row,
                                struct touch_list *list)
{
    uint32_t slot = index_candidate(&stock->reservation_index, row->reservation_hash);
    if (slot == INDEX_SLOT_NONE)
        return;
    uint32_t buyer_slot = reservation_at(stock, slot)->buyer_slot;
    if (buyer_slot != STOCK_SLOT_NONE)
        touch_add(list, buyer_at(stock, buyer_slot));
}

/* Each pass reads the lines that the one before has touched, so the waits of all rows overlap. */
void stock_prepare(const struct stock *stock, struct stock_request *rows, uint32_t row_count)
{
    struct touch_list list;
    uint64_t item_hashes[STOCK_PREPARE_MAX];
    hf_assert(row_count <= STOCK_PREPARE_MAX);
    touch_begin(&list);
    for (uint32_t i = 0; i < row_count; i++)
        item_hashes[i] = hash_row(stock, &rows[i], &list);
    touch_all(&list);
    for (uint32_t i = 0; i < row_count; i++)
        add_slots(stock, &rows[i], item_hashes[i], &list);
    touch_all(&list);
    for (uint32_t i = 0; i < row_count; i++) {
        rows[i].item_slot = item_find(stock, rows[i].item_id, item_hashes[i]);
        if (rows[i].op == STOCK_OP_RESERVE)
            add_buyer_of_hold(stock, &rows[i], &list);
        else if (rows[i].op != STOCK_OP_GET)
            add_buyer_of_change(stock, &rows[i], &list);
    }
    touch_all(&list);
}
