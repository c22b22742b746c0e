#include "stock/state.h"

#include "base/assert.h"
#include "base/memory.h"

#include <string.h>

/* Each slot is written once, as it was when the save began: when the cursor passes it, or ahead of
 * that when a record is about to change it. A slot that was done ahead has its bit set, which the
 * cursor clears; so outside of a save all bits are zero, and a save begins by itself. Done are
 * also slots that were free and are taken meanwhile: their bit is set and nothing is written. Slots
 * that no entry had ever been in lie behind the end. */

enum {
    BITS = 64,           /* of a word of them */
    LOOK_AHEAD = 16,     /* slots whose item is asked for before they are written */
    FREE_SLOT_BYTES = 8, /* what passing a free slot counts in a step's work */
};

static const struct slab *slab_of(const struct stock *stock, enum table table)
{
    const struct slab *const slabs[TABLE_COUNT] = {
        [TABLE_ITEMS] = &stock->items,
        [TABLE_BUYERS] = &stock->buyers,
        [TABLE_RESERVATIONS] = &stock->reservations,
    };
    return slabs[table];
}

static size_t word_count(uint32_t slot_count)
{
    return ((size_t)slot_count + BITS - 1) / BITS;
}

static size_t bits_bytes(const struct stock *stock, enum table table)
{
    return word_count(slab_of(stock, table)->slot_count) * sizeof(uint64_t);
}

int save_init(struct stock *stock)
{
    int refused = 0;
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        stock->save.written[table] = memory_map(bits_bytes(stock, table));
        refused |= stock->save.written[table] == NULL ? -1 : 0;
    }
    return refused;
}

void save_deinit(struct stock *stock)
{
    for (enum table table = 0; table < TABLE_COUNT; table++)
        memory_unmap(stock->save.written[table], bits_bytes(stock, table));
}

/* ---- slots as entries ---- */

void item_entry(const struct stock *stock, uint32_t slot, struct stock_entry *entry)
{
    const struct item *item = item_at(stock, slot);
    entry->type = STOCK_ENTRY_ITEM;
    entry->item.settings = item->settings;
    entry->item.created_ms = item->created_ms;
    entry->item.held = item->held;
    entry->item.sold = item->sold;
    entry->item.next_sequence = item->next_sequence;
}

void buyer_entry(const struct stock *stock, uint32_t slot, struct stock_entry *entry)
{
    const struct buyer *buyer = buyer_at(stock, slot);
    entry->type = STOCK_ENTRY_BUYER;
    entry->buyer.item_id = item_at(stock, buyer->item_slot)->settings.item_id;
    entry->buyer.buyer_id = buyer->buyer_id;
    entry->buyer.units_held = buyer->units_held;
    entry->buyer.units_sold = buyer->units_sold;
    entry->buyer.open_holds = buyer->open_holds;
}

void reservation_entry(const struct stock *stock, uint32_t slot, struct stock_entry *entry)
{
    const struct reservation *reservation = reservation_at(stock, slot);
    struct stock_hold_event *hold = &entry->reservation.hold;
    entry->type = STOCK_ENTRY_RESERVATION;
    hold->item_id = item_at(stock, reservation->item_slot)->settings.item_id;
    hold->reservation_id = reservation->id;
    hold->buyer_id = reservation->buyer_id;
    hold->sequence = reservation->sequence;
    hold->expires_ms = reservation->expires_ms;
    hold->user_data = reservation->user_data;
    hold->quantity = (uint32_t)reservation->quantity;
    hold->quantity_confirmed = (uint32_t)reservation->quantity_confirmed;
    entry->reservation.created_ms = reservation->created_ms;
    entry->reservation.set_ms = timer_made_ms(stock->timer, slot);
    entry->reservation.state = (uint8_t)reservation->state;
}

/* ---- writing ---- */

static void write_entry(struct save *save, const struct stock_entry *entry)
{
    struct stock_page *page = save->page;
    save->saved.state_hash += stock_entry_hash(entry);
    page->bytes += stock_entry_encode(entry, page->to + page->bytes);
    page->entry_count++;
}

static void write_slot(struct stock *stock, enum table table, uint32_t slot)
{
    struct stock_entry entry;
    switch (table) {
    case TABLE_ITEMS:
        item_entry(stock, slot, &entry);
        stock->save.saved.item_count++;
        break;
    case TABLE_BUYERS:
        buyer_entry(stock, slot, &entry);
        stock->save.saved.buyer_count++;
        break;
    default:
        reservation_entry(stock, slot, &entry);
        stock->save.saved.reservation_count++;
        break;
    }
    write_entry(&stock->save, &entry);
}

/* ---- ahead of the cursor ---- */

static uint64_t *word_of(const struct save *save, enum table table, uint32_t slot)
{
    return &save->written[table][slot / BITS];
}

static uint64_t bit_of(uint32_t slot)
{
    return 1ull << slot % BITS;
}

static bool is_done(const struct save *save, enum table table, uint32_t slot)
{
    if (table < save->table || slot >= save->ends[table])
        return true;
    if (table == save->table && slot < save->cursor)
        return true;
    return (*word_of(save, table, slot) & bit_of(slot)) != 0;
}

/* A free slot that is about to be taken. */
static void pass_over(struct save *save, enum table table, uint32_t slot)
{
    if (!is_done(save, table, slot))
        *word_of(save, table, slot) |= bit_of(slot);
}

static void save_slot(struct stock *stock, enum table table, uint32_t slot)
{
    if (is_done(&stock->save, table, slot))
        return;
    *word_of(&stock->save, table, slot) |= bit_of(slot);
    write_slot(stock, table, slot);
}

static void save_ahead_of_hold(struct stock *stock, const struct stock_record *record)
{
    save_slot(stock, TABLE_ITEMS, record->item_slot);
    pass_over(&stock->save, TABLE_RESERVATIONS, record->reservation_slot);
    if (record->buyer_slot != STOCK_SLOT_NONE)
        save_slot(stock, TABLE_BUYERS, record->buyer_slot);
    else if (record->hold.buyer_id != 0)
        pass_over(&stock->save, TABLE_BUYERS, slab_next(&stock->buyers));
}

static void save_ahead_of_change(struct stock *stock, const struct stock_record *record)
{
    uint32_t buyer_slot = reservation_at(stock, record->reservation_slot)->buyer_slot;
    save_slot(stock, TABLE_ITEMS, record->item_slot);
    if (buyer_slot != STOCK_SLOT_NONE)
        save_slot(stock, TABLE_BUYERS, buyer_slot);
    save_slot(stock, TABLE_RESERVATIONS, record->reservation_slot);
}

void save_ahead(struct stock *stock, const struct stock_record *record)
{
    const struct save *save = &stock->save;
    if (save->table == TABLE_COUNT)
        return;
    hf_assert(save->page->bytes_max - save->page->bytes >= STOCK_SAVE_BYTES_PER_RECORD_MAX);
    switch (record->type) {
    case STOCK_RECORD_ITEM_CREATED: /* its slot was never used */
        break;
    case STOCK_RECORD_ITEM_UPDATED:
        save_slot(stock, TABLE_ITEMS, record->item_slot);
        break;
    case STOCK_RECORD_HELD:
        save_ahead_of_hold(stock, record);
        break;
    default:
        save_ahead_of_change(stock, record);
        break;
    }
}

/* ---- the cursor ---- */

static bool slot_is_used(const struct stock *stock, enum table table, uint32_t slot)
{
    switch (table) {
    case TABLE_ITEMS:
        return true;
    case TABLE_BUYERS:
        return buyer_at(stock, slot)->buyer_id != 0;
    default:
        return reservation_at(stock, slot)->state != STOCK_STATE_NONE;
    }
}

/* Every entry names its item. */
static void prefetch_item_of(const struct stock *stock, enum table table, uint32_t slot)
{
    if (table == TABLE_RESERVATIONS)
        __builtin_prefetch(item_at(stock, reservation_at(stock, slot)->item_slot));
    else if (table == TABLE_BUYERS)
        __builtin_prefetch(item_at(stock, buyer_at(stock, slot)->item_slot));
}

/* Passes one slot. Returns whether its entry was written. */
static bool pass_slot(struct stock *stock, enum table table)
{
    struct save *save = &stock->save;
    uint32_t slot = save->cursor++;
    uint64_t *word = word_of(save, table, slot);
    if (slot + LOOK_AHEAD < save->ends[table])
        prefetch_item_of(stock, table, slot + LOOK_AHEAD);
    if ((*word & bit_of(slot)) != 0) {
        *word &= ~bit_of(slot);
        return false;
    }
    if (!slot_is_used(stock, table, slot))
        return false;
    write_slot(stock, table, slot);
    return true;
}

/* Goes through the table up to its end or the end of the step's work: false then. */
static bool pass_table(struct stock *stock, uint32_t bytes_target, uint32_t *free_slots_left)
{
    struct save *save = &stock->save;
    const struct stock_page *page = save->page;
    enum table table = save->table;
    while (save->cursor < save->ends[table]) {
        if (*free_slots_left == 0 || page->bytes + STOCK_ENTRY_BYTES_MAX > bytes_target)
            return false;
        if (!pass_slot(stock, table))
            --*free_slots_left;
    }
    return true;
}

/* ---- public ---- */

void stock_save_begin(struct stock *stock, struct stock_page *page)
{
    struct save *save = &stock->save;
    hf_assert(!stock_is_saving(stock));
    hf_assert(!stock->load.is_on);
    save->page = page;
    save->table = TABLE_ITEMS;
    save->cursor = 0;
    for (enum table table = 0; table < TABLE_COUNT; table++)
        save->ends[table] = slab_of(stock, table)->touched_count;
    save->saved = (struct stock_saved){.time_ms = stock->time_ms};
}

bool stock_save_step(struct stock *stock, uint32_t bytes_target)
{
    struct save *save = &stock->save;
    hf_assert(stock_is_saving(stock));
    hf_assert(save->page->bytes <= save->page->bytes_max);
    hf_assert(bytes_target <= save->page->bytes_max);
    if (save->page->bytes >= bytes_target)
        return save->table == TABLE_COUNT;
    uint32_t free_slots_left = (bytes_target - save->page->bytes) / FREE_SLOT_BYTES;
    while (save->table < TABLE_COUNT) {
        if (!pass_table(stock, bytes_target, &free_slots_left))
            return false;
        save->table++;
        save->cursor = 0;
    }
    return true;
}

void stock_save_end(struct stock *stock, struct stock_saved *saved_out)
{
    hf_assert(stock_is_saving(stock));
    hf_assert(stock->save.table == TABLE_COUNT);
    *saved_out = stock->save.saved;
    stock->save.page = NULL;
}

void stock_save_abandon(struct stock *stock)
{
    struct save *save = &stock->save;
    hf_assert(stock_is_saving(stock));
    for (enum table table = save->table; table < TABLE_COUNT; table++) {
        size_t begin = table == save->table ? save->cursor / BITS : 0;
        size_t end = word_count(save->ends[table]);
        memset(save->written[table] + begin, 0, (end - begin) * sizeof(uint64_t));
    }
    save->page = NULL;
}

void save_assert_valid(const struct stock *stock)
{
    for (enum table table = 0; table < TABLE_COUNT && !stock_is_saving(stock); table++) {
        size_t count = word_count(slab_of(stock, table)->touched_count);
        for (size_t i = 0; i < count; i++)
            hf_assert(stock->save.written[table][i] == 0);
    }
}

bool stock_is_saving(const struct stock *stock)
{
    return stock->save.page != NULL;
}
