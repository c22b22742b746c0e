#include "entry_table.h"

#include "allocate.h"
#include "walk.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 1 << 10 };

#define MET (1ull << 63)

/* What an entry is about. */
struct key {
    uint64_t type;
    uint64_t item_id;
    uint64_t high; /* of the reservation */
    uint64_t low;  /* of the reservation, or the buyer */
};

static struct key key_of(const struct stock_entry *entry)
{
    struct key key = {.type = entry->type, .item_id = walk_item_id(entry)};
    if (entry->type == STOCK_ENTRY_BUYER)
        key.low = entry->buyer.buyer_id;
    if (entry->type == STOCK_ENTRY_RESERVATION) {
        key.high = entry->reservation.hold.reservation_id.high;
        key.low = entry->reservation.hold.reservation_id.low;
    }
    return key;
}

static void decode(const struct entry_table *table, uint64_t slot, struct stock_entry *entry_out)
{
    const uint8_t *bytes = table->bytes + ((slot & ~MET) - 1);
    hf_assert(stock_entry_decode(bytes, bytes_get_u16(bytes), entry_out) == NULL);
}

/* Where the entry is, or would be. */
static size_t find(const struct entry_table *table, const struct key *key,
                   struct stock_entry *found_out)
{
    size_t at = checksum64(key, sizeof *key, 0) & (table->slot_count - 1);
    for (; table->slots[at] != 0; at = (at + 1) & (table->slot_count - 1)) {
        decode(table, table->slots[at], found_out);
        const struct key found = key_of(found_out);
        if (memcmp(&found, key, sizeof found) == 0)
            break;
    }
    return at;
}

static void grow(struct entry_table *table)
{
    struct entry_table old = *table;
    table->slot_count = old.slot_count == 0 ? SLOTS_FIRST : old.slot_count * 2;
    table->slots = allocate(table->slot_count, sizeof table->slots[0]);
    for (size_t i = 0; i < old.slot_count; i++) {
        struct stock_entry entry;
        struct stock_entry other;
        if (old.slots[i] == 0)
            continue;
        decode(table, old.slots[i], &entry);
        const struct key key = key_of(&entry);
        table->slots[find(table, &key, &other)] = old.slots[i];
    }
    free(old.slots);
}

static void append(struct entry_table *table, const uint8_t *bytes, uint32_t entry_bytes)
{
    if (table->byte_room - table->byte_count < entry_bytes) {
        table->byte_room = table->byte_room == 0 ? 1 << 20 : table->byte_room * 2;
        table->bytes = allocate_again(table->bytes, table->byte_room);
    }
    memcpy(table->bytes + table->byte_count, bytes, entry_bytes);
    table->byte_count += entry_bytes;
}

void entry_table_add(struct entry_table *table, const struct stock_entry *entry,
                     const uint8_t *bytes, uint32_t entry_bytes)
{
    struct stock_entry other;
    const struct key key = key_of(entry);
    if (table->entry_count * 2 >= table->slot_count)
        grow(table);
    table->slots[find(table, &key, &other)] = table->byte_count + 1;
    table->entry_count++;
    append(table, bytes, entry_bytes);
}

bool entry_table_meet(struct entry_table *table, const struct stock_entry *entry,
                      struct stock_entry *found_out)
{
    const struct key key = key_of(entry);
    if (table->slot_count == 0)
        return false;
    const size_t at = find(table, &key, found_out);
    if (table->slots[at] == 0)
        return false;
    table->slots[at] |= MET;
    return true;
}

bool entry_table_next_unmet(const struct entry_table *table, size_t *at,
                            struct stock_entry *entry_out)
{
    for (; *at < table->slot_count; ++*at) {
        const uint64_t slot = table->slots[*at];
        if (slot == 0 || (slot & MET) != 0)
            continue;
        decode(table, slot, entry_out);
        ++*at;
        return true;
    }
    return false;
}

void entry_table_free(struct entry_table *table)
{
    free(table->bytes);
    free(table->slots);
    *table = (struct entry_table){.entry_count = 0};
}
