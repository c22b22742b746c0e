#include "history.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "stock/save.h"

#include <stdlib.h>
#include <string.h>

enum { RECORD_COUNT_MAX = 4096 };

struct history {
    struct stock_record records[RECORD_COUNT_MAX];
    uint32_t count;
};

/* ---- what was ---- */

static void add_group(struct history *history, const struct log_builder *log,
                      const struct data_builder_group *group)
{
    const uint8_t *at = log->bytes[group->segment_index] + group->offset + LOG_GROUP_HEADER_BYTES;
    for (uint32_t done = 0; done < group->payload_bytes; done += bytes_get_u16(at + done)) {
        hf_assert(history->count < RECORD_COUNT_MAX);
        hf_assert(stock_record_decode(at + done, bytes_get_u16(at + done),
                                      &history->records[history->count++]) == NULL);
    }
}

struct history *history_create(const struct data_builder *builder)
{
    struct history *history = calloc(1, sizeof *history);
    hf_assert(history != NULL);
    for (uint32_t i = 0; i < builder->era_count; i++)
        for (uint32_t core = 0; core < builder->eras[i].core_count; core++) {
            const struct data_builder_log *log = &builder->eras[i].logs[core];
            for (uint32_t k = 0; k < log->group_count; k++)
                add_group(history, &log->log, &log->groups[k]);
        }
    return history;
}

void history_destroy(struct history **history)
{
    free(*history);
    *history = NULL;
}

/* ---- judging ---- */

static bool same_settings(const struct stock_item_settings *a, const struct stock_item_settings *b)
{
    return a->stock == b->stock && a->buyer_limit == b->buyer_limit && a->hold_cap == b->hold_cap &&
           a->hold_ms == b->hold_ms && a->opens_at_ms == b->opens_at_ms &&
           a->closes_at_ms == b->closes_at_ms && a->paused == b->paused &&
           a->sku_bytes == b->sku_bytes && memcmp(a->sku, b->sku, a->sku_bytes) == 0;
}

static const char *judge_item(const struct history *history, const struct stock_item_entry *item)
{
    bool is_created = false;
    bool was_so = false;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct stock_record *record = &history->records[i];
        if (record->type > STOCK_RECORD_ITEM_UPDATED ||
            record->item.item_id != item->settings.item_id)
            continue;
        is_created |=
            record->type == STOCK_RECORD_ITEM_CREATED && record->time_ms == item->created_ms;
        was_so |= same_settings(&record->item, &item->settings);
    }
    if (!is_created)
        return "an item was not created then";
    return was_so ? NULL : "an item never had these settings";
}

static bool is_about(const struct stock_record *record, const struct stock_hold_event *hold)
{
    return record->type >= STOCK_RECORD_HELD && record->hold.item_id == hold->item_id &&
           id128_equal(record->hold.reservation_id, hold->reservation_id);
}

static bool is_state_of(const struct stock_record *record, uint8_t state,
                        const struct stock_hold_event *hold)
{
    switch (state) {
    case STOCK_STATE_HELD:
        return record->type == STOCK_RECORD_HELD || record->type == STOCK_RECORD_EXTENDED;
    case STOCK_STATE_CONFIRMED:
        return record->type == STOCK_RECORD_CONFIRMED &&
               record->hold.quantity_confirmed == hold->quantity_confirmed;
    case STOCK_STATE_CANCELLED:
        return record->type == STOCK_RECORD_CANCELLED;
    default:
        return record->type == STOCK_RECORD_EXPIRED;
    }
}

static const char *judge_reservation(const struct history *history,
                                     const struct stock_reservation_entry *reservation)
{
    const struct stock_hold_event *hold = &reservation->hold;
    bool is_made = false;
    bool was_so = reservation->state == STOCK_STATE_EXPIRED; /* may be made up for */
    bool had_deadline = false;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct stock_record *record = &history->records[i];
        if (!is_about(record, hold))
            continue;
        is_made |=
            record->type == STOCK_RECORD_HELD && record->time_ms == reservation->created_ms &&
            record->hold.buyer_id == hold->buyer_id && record->hold.sequence == hold->sequence &&
            record->hold.quantity == hold->quantity && record->hold.user_data == hold->user_data;
        was_so |= is_state_of(record, reservation->state, hold);
        had_deadline |= record->hold.expires_ms == hold->expires_ms;
    }
    if (!is_made)
        return "a reservation was never made so";
    if (!was_so)
        return "a reservation never was in this state";
    return had_deadline ? NULL : "a reservation never had this deadline";
}

static const char *judge(const struct history *history, const struct stock_entry *entry)
{
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        return judge_item(history, &entry->item);
    case STOCK_ENTRY_RESERVATION:
        return judge_reservation(history, &entry->reservation);
    default: /* the sum of its reservations, but for what is forgotten */
        return NULL;
    }
}

const char *history_contradicts(const struct history *history, struct stock *stock)
{
    static uint8_t memory[1 << 20];
    struct stock_page page = {.to = memory, .bytes_max = sizeof memory};
    struct stock_saved saved;
    const char *wrong = NULL;
    stock_save_begin(stock, &page);
    hf_assert(stock_save_step(stock, sizeof memory));
    stock_save_end(stock, &saved);
    for (uint32_t at = 0; at < page.bytes && wrong == NULL; at += bytes_get_u16(memory + at)) {
        struct stock_entry entry;
        hf_assert(stock_entry_decode(memory + at, bytes_get_u16(memory + at), &entry) == NULL);
        wrong = judge(history, &entry);
    }
    return wrong;
}
