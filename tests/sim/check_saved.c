/* For each item a second model stops where the newest snapshot of its core stands. Snapshots of a
 * log follow each other, so it only goes forward; should one come from before, it begins anew. */
#include "history_private.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <stdlib.h>

void check_saved_free(struct book_item *item)
{
    stock_model_destroy(&item->saved);
    free(item->set_ms);
}

static bool is_before(const struct book_record *noted, uint64_t era, uint64_t lsn)
{
    return noted->era < era || (noted->era == era && noted->record.lsn <= lsn);
}

static uint32_t count_before(const struct book_item *item, uint64_t era, uint64_t lsn)
{
    uint32_t count = item->record_count;
    while (count > 0 && !is_before(&book.records[item->records[count - 1]], era, lsn))
        count--;
    return count;
}

static void begin_anew(struct book_item *item)
{
    stock_model_destroy(&item->saved);
    item->saved = book_new_model();
    item->saved_count = 0;
    item->saved_latest_ms = 0;
}

/* Numbers of holds come in order. */
static void note_set_ms(struct book_item *item, const struct stock_record *record)
{
    if (stock_record_is_of_item(record) || record->type == STOCK_RECORD_FORGOTTEN)
        return;
    const uint32_t index = (uint32_t)record->hold.sequence - 1;
    item->set_ms = book_room(item->set_ms, sizeof *item->set_ms, index, &item->set_room);
    item->set_ms[index] = record->time_ms;
}

static void apply(struct book_item *item, const struct stock_record *record)
{
    const char *wrong = stock_model_apply(item->saved, record);
    hf_assert(wrong == NULL); /* check_record() asked the same */
    note_set_ms(item, record);
    if (record->time_ms > item->saved_latest_ms)
        item->saved_latest_ms = record->time_ms;
}

static void go_to(struct book_item *item, uint64_t era, uint64_t lsn)
{
    const uint32_t count = count_before(item, era, lsn);
    if (item->saved == NULL || item->saved_count > count)
        begin_anew(item);
    while (item->saved_count < count)
        apply(item, &book.records[item->records[item->saved_count++]].record);
}

void check_saved_state(uint64_t era, uint32_t core, uint32_t core_count, uint64_t lsn,
                       struct check_saved *saved_out)
{
    *saved_out = (struct check_saved){0};
    hf_assert(core_count > 0);
    for (uint32_t i = 0; i < book.item_count; i++) {
        struct book_item *item = &book.items[i];
        if (item->record_count == 0 || checksum64_u64(item->item_id, 0) % core_count != core)
            continue;
        go_to(item, era, lsn);
        const struct stock_counts counts = stock_model_counts(item->saved);
        saved_out->item_count += counts.items;
        saved_out->reservation_count += counts.reservations;
        saved_out->buyer_count += counts.buyers;
        saved_out->state_hash += stock_model_hash(item->saved);
        if (item->saved_latest_ms > saved_out->latest_ms)
            saved_out->latest_ms = item->saved_latest_ms;
    }
}

bool check_saved_set_ms(uint64_t item_id, uint64_t sequence, uint64_t *set_ms_out)
{
    const struct book_item *item = &book.items[book_item(item_id)];
    struct stock_item_view view;
    *set_ms_out = 0;
    if (item->saved == NULL || !stock_model_item_find(item->saved, item_id, &view) ||
        sequence == 0 || sequence >= view.next_sequence)
        return false;
    *set_ms_out = item->set_ms[sequence - 1];
    return true;
}
