#include "walk.h"

#include "text.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "stock/load.h"

enum { PAGE_BYTES = 64 << 10 };

bool walk_settle(struct stock *stock)
{
    if (stock_load_end(stock))
        return true;
    tell("no memory to put the deadlines in order: use a larger machine");
    return false;
}

static bool hand_out(const struct stock_page *page, walk_entry_fn entry, void *context)
{
    uint32_t entry_bytes;
    for (uint32_t at = 0; at < page->bytes; at += entry_bytes) {
        struct stock_entry decoded;
        entry_bytes = bytes_get_u16(page->to + at);
        hf_assert(stock_entry_decode(page->to + at, entry_bytes, &decoded) == NULL);
        if (!entry(context, &decoded, page->to + at, entry_bytes))
            return false;
    }
    return true;
}

bool walk_state(struct stock *stock, walk_entry_fn entry, void *context)
{
    static _Alignas(8) uint8_t memory[PAGE_BYTES];
    struct stock_page page = {.to = memory, .bytes_max = sizeof memory};
    struct stock_saved saved;
    bool is_all = false;
    bool goes_on = true;
    stock_save_begin(stock, &page);
    while (!is_all && goes_on) {
        page.bytes = 0;
        page.entry_count = 0;
        is_all = stock_save_step(stock, sizeof memory);
        goes_on = hand_out(&page, entry, context);
    }
    if (is_all)
        stock_save_end(stock, &saved);
    else
        stock_save_abandon(stock);
    return goes_on;
}

uint64_t walk_item_id(const struct stock_entry *entry)
{
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        return entry->item.settings.item_id;
    case STOCK_ENTRY_BUYER:
        return entry->buyer.item_id;
    default:
        return entry->reservation.hold.item_id;
    }
}
