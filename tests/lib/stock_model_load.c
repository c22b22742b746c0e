#include "stock_model_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM = 16, BUYER = 17, RESERVATION = 18 };
enum { ITEM_BYTES_MIN = 88, BUYER_BYTES = 32, RESERVATION_BYTES = 88 };
#define MODEL_SEQUENCE_MAX (1ull << 60)
#define MODEL_SOLD_MAX     ((1ull << 63) - 1)

/* ---- bytes ---- */

struct entry {
    int type;
    struct model_item item;
    struct model_buyer buyer;
    struct model_reservation reservation;
};

static uint64_t number_at(const uint8_t *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = bytes; i-- > 0;)
        number = number << 8 | from[i];
    return number;
}

static void put_number(uint8_t *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(number >> 8 * i);
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static const char *read_item(const uint8_t *bytes, size_t length, struct model_item *item)
{
    struct stock_item_settings *settings = &item->settings;
    if (length < ITEM_BYTES_MIN || bytes[4] > MODEL_SKU_MAX)
        return "no item";
    size_t sku_bytes = bytes[4];
    if (length != ITEM_BYTES_MIN + (sku_bytes + 7) / 8 * 8)
        return "no item's length";
    if (bytes[3] > 1 || !is_zero(bytes + 5, 3))
        return "item has unknown bytes";
    if (!is_zero(bytes + ITEM_BYTES_MIN + sku_bytes, length - ITEM_BYTES_MIN - sku_bytes))
        return "SKU is filled up with other than zeros";
    *item = (struct model_item){
        .settings = {.item_id = number_at(bytes + 16, 8),
                     .stock = (int64_t)number_at(bytes + 24, 8),
                     .buyer_limit = (uint32_t)number_at(bytes + 32, 4),
                     .hold_cap = (uint32_t)number_at(bytes + 36, 4),
                     .hold_ms = number_at(bytes + 40, 8),
                     .opens_at_ms = number_at(bytes + 48, 8),
                     .closes_at_ms = number_at(bytes + 56, 8),
                     .paused = bytes[3] == 1,
                     .sku_bytes = (uint8_t)sku_bytes},
        .created_ms = number_at(bytes + 8, 8),
        .held = number_at(bytes + 64, 8),
        .sold = number_at(bytes + 72, 8),
        .next_sequence = number_at(bytes + 80, 8),
    };
    memcpy(settings->sku, bytes + ITEM_BYTES_MIN, sku_bytes);
    return NULL;
}

static const char *read_buyer(const uint8_t *bytes, size_t length, struct model_buyer *buyer)
{
    if (length != BUYER_BYTES || bytes[3] != 0)
        return "no buyer";
    *buyer = (struct model_buyer){
        .open_holds = number_at(bytes + 4, 4),
        .item_id = number_at(bytes + 8, 8),
        .buyer_id = number_at(bytes + 16, 8),
        .units_held = number_at(bytes + 24, 4),
        .units_sold = number_at(bytes + 28, 4),
    };
    return NULL;
}

static const char *read_reservation(const uint8_t *bytes, size_t length,
                                    struct model_reservation *reservation)
{
    if (length != RESERVATION_BYTES || !is_zero(bytes + 76, 4))
        return "no reservation";
    *reservation = (struct model_reservation){
        .state = bytes[3],
        .quantity = (uint32_t)number_at(bytes + 4, 4),
        .created_ms = number_at(bytes + 8, 8),
        .item_id = number_at(bytes + 16, 8),
        .id = {number_at(bytes + 24, 8), number_at(bytes + 32, 8)},
        .buyer_id = number_at(bytes + 40, 8),
        .sequence = number_at(bytes + 48, 8),
        .expires_ms = number_at(bytes + 56, 8),
        .user_data = number_at(bytes + 64, 8),
        .quantity_confirmed = (uint32_t)number_at(bytes + 72, 4),
        .due_set_ms = number_at(bytes + 80, 8),
    };
    return NULL;
}

/* Reads the entry at `*at` and steps over it. */
static const char *read_entry(const struct stock_model_snapshot *snapshot, size_t *at,
                              struct entry *entry)
{
    const uint8_t *bytes = snapshot->bytes + *at;
    size_t left = snapshot->bytes_count - *at;
    size_t length = left < 8 ? 0 : number_at(bytes, 2);
    if (length < 8 || length > left)
        return "entries end in the middle of one";
    *at += length;
    entry->type = bytes[2];
    switch (entry->type) {
    case ITEM:
        return read_item(bytes, length, &entry->item);
    case BUYER:
        return read_buyer(bytes, length, &entry->buyer);
    case RESERVATION:
        return read_reservation(bytes, length, &entry->reservation);
    default:
        return "no type of entry";
    }
}

/* ---- sums ---- */

static void raise_time(uint64_t *time_ms, uint64_t to_ms)
{
    if (to_ms > *time_ms)
        *time_ms = to_ms;
}

static void count_entry(const struct entry *entry, struct stock_saved *sums)
{
    if (entry->type == ITEM) {
        sums->item_count++;
        sums->state_hash += model_item_hash(&entry->item);
        raise_time(&sums->time_ms, entry->item.created_ms);
    } else if (entry->type == BUYER) {
        sums->buyer_count++;
        sums->state_hash += model_buyer_hash(&entry->buyer);
    } else {
        sums->reservation_count++;
        sums->state_hash += model_reservation_hash(&entry->reservation);
        raise_time(&sums->time_ms, entry->reservation.created_ms);
        raise_time(&sums->time_ms, entry->reservation.due_set_ms);
    }
}

bool stock_model_snapshot_count_again(struct stock_model_snapshot *snapshot)
{
    struct stock_saved sums = {.item_count = 0};
    struct entry entry;
    size_t at = 0;
    uint64_t entry_count = 0;
    for (; at < snapshot->bytes_count; entry_count++) {
        if (read_entry(snapshot, &at, &entry) != NULL)
            return false;
        count_entry(&entry, &sums);
    }
    sums.time_ms = snapshot->saved.time_ms;
    snapshot->saved = sums;
    snapshot->entry_count = entry_count;
    return true;
}

/* ---- one entry ---- */

static const char *check_item(const struct model_item *item)
{
    if (model_invalid_setting(&item->settings) != STOCK_FIELD_NONE)
        return "settings are out of range";
    if (item->next_sequence < 1 || item->next_sequence > MODEL_SEQUENCE_MAX)
        return "next sequence is out of range";
    if (item->held > MODEL_SOLD_MAX || item->sold > MODEL_SOLD_MAX)
        return "units are out of range";
    if (item->settings.stock != MODEL_UNLIMITED &&
        item->held + item->sold > (uint64_t)item->settings.stock)
        return "not as many units";
    return NULL;
}

static const char *check_buyer(const struct model_buyer *buyer)
{
    uint64_t units = buyer->units_held + buyer->units_sold;
    if (buyer->buyer_id == 0 || units == 0 || units > MODEL_BUYER_UNITS_MAX)
        return "no true buyer";
    return NULL;
}

static const char *check_reservation(const struct model_reservation *reservation)
{
    uint64_t ended_or_set_ms = reservation->due_set_ms;
    if (reservation->id.high == 0 && reservation->id.low == 0)
        return "no id";
    if (reservation->quantity < 1 || reservation->quantity > MODEL_QUANTITY_MAX)
        return "quantity is out of range";
    if (reservation->sequence < 1)
        return "no sequence";
    if (ended_or_set_ms < reservation->created_ms)
        return "set before it was made";
    if (reservation->expires_ms <= reservation->created_ms ||
        reservation->expires_ms > MODEL_TIME_MS_MAX + MODEL_THIRTY_DAYS_MS)
        return "deadline is out of range";
    if (reservation->state < STOCK_STATE_HELD || reservation->state > STOCK_STATE_EXPIRED)
        return "no state";
    if (reservation->state == STOCK_STATE_HELD &&
        (reservation->expires_ms <= ended_or_set_ms ||
         reservation->expires_ms > ended_or_set_ms + MODEL_THIRTY_DAYS_MS))
        return "hold time is out of range";
    if (reservation->state == STOCK_STATE_EXPIRED && ended_or_set_ms < reservation->expires_ms)
        return "expired too early";
    if ((reservation->state == STOCK_STATE_CONFIRMED ||
         reservation->state == STOCK_STATE_CANCELLED) &&
        ended_or_set_ms >= reservation->expires_ms)
        return "ended too late";
    if (reservation->state != STOCK_STATE_CONFIRMED)
        return reservation->quantity_confirmed == 0 ? NULL : "confirmed and not confirmed";
    if (reservation->quantity_confirmed < 1 ||
        reservation->quantity_confirmed > reservation->quantity)
        return "quantity confirmed is out of range";
    return NULL;
}

/* ---- what refers to each other ---- */

/* The item, if it came with this snapshot. */
static const struct model_item *own_item(const struct stock_model *model, size_t first_item,
                                         uint64_t item_id)
{
    const struct model_item *item = model_item_find(model, item_id);
    return item == NULL || item < model->items + first_item ? NULL : item;
}

static bool is_held(const struct model_reservation *reservation)
{
    return reservation->state == STOCK_STATE_HELD;
}

/* Sums over the reservations of an item, or of what one buyer has of it. */
struct sums {
    uint64_t held, confirmed, open_holds;
};

static struct sums sum_up(const struct stock_model *model, uint64_t item_id,
                          const uint64_t *buyer_id)
{
    struct sums sums = {0, 0, 0};
    for (size_t i = 0; i < model->reservation_count; i++) {
        const struct model_reservation *reservation = &model->reservations[i];
        if (reservation->item_id != item_id ||
            (buyer_id != NULL && reservation->buyer_id != *buyer_id))
            continue;
        sums.held += is_held(reservation) ? reservation->quantity : 0;
        sums.open_holds += is_held(reservation);
        sums.confirmed += reservation->quantity_confirmed;
    }
    return sums;
}

static const char *take_item(struct stock_model *model, const struct model_item *item)
{
    if (model_item_find(model, item->settings.item_id) != NULL)
        return "the item twice";
    if (model->item_count >= model->limits.item_count_max)
        return stock_model_full;
    *model_item_add(model) = *item;
    return NULL;
}

static const char *take_buyer(struct stock_model *model, size_t first_item,
                              const struct model_buyer *buyer)
{
    if (own_item(model, first_item, buyer->item_id) == NULL)
        return "a buyer of nothing";
    if (model_buyer_find(model, buyer->item_id, buyer->buyer_id) != NULL)
        return "the buyer twice";
    if (model->buyer_count >= model->limits.buyer_count_max)
        return stock_model_full;
    *model_buyer_add(model) = *buyer;
    return NULL;
}

static const char *take_reservation(struct stock_model *model, size_t first_item,
                                    const struct model_reservation *reservation)
{
    const struct model_item *item = own_item(model, first_item, reservation->item_id);
    bool counts_for_buyer = reservation->buyer_id != 0 &&
                            (is_held(reservation) || reservation->state == STOCK_STATE_CONFIRMED);
    if (item == NULL)
        return "a reservation of nothing";
    if (reservation->sequence >= item->next_sequence)
        return "a sequence that was never given out";
    if (model_reservation_find(model, reservation->item_id, reservation->id) != NULL)
        return "the reservation twice";
    if (counts_for_buyer) {
        struct sums sums = sum_up(model, reservation->item_id, &reservation->buyer_id);
        uint64_t units =
            is_held(reservation) ? reservation->quantity : reservation->quantity_confirmed;
        if (model_buyer_find(model, reservation->item_id, reservation->buyer_id) == NULL)
            return "a reservation of nobody";
        if (sums.held + sums.confirmed + units > MODEL_BUYER_UNITS_MAX)
            return "more than a buyer can have";
    }
    if (model->reservation_count >= model->limits.reservation_count_max)
        return stock_model_full;
    *model_reservation_add(model) = *reservation;
    return NULL;
}

static const char *take(struct stock_model *model, size_t first_item, struct stock_wanted wanted,
                        const struct entry *entry)
{
    const char *problem = NULL;
    uint64_t item_id = 0;
    if (entry->type == ITEM) {
        problem = check_item(&entry->item);
        item_id = entry->item.settings.item_id;
    } else if (entry->type == BUYER) {
        problem = check_buyer(&entry->buyer);
        item_id = entry->buyer.item_id;
    } else {
        problem = check_reservation(&entry->reservation);
        item_id = entry->reservation.item_id;
    }
    if (problem != NULL)
        return problem;
    if (wanted.is_wanted != NULL && !wanted.is_wanted(wanted.context, item_id))
        return NULL;
    if (entry->type == ITEM)
        return take_item(model, &entry->item);
    if (entry->type == BUYER)
        return take_buyer(model, first_item, &entry->buyer);
    return take_reservation(model, first_item, &entry->reservation);
}

static const char *check_sums(const struct stock_model *model, size_t first_item)
{
    for (size_t i = first_item; i < model->item_count; i++) {
        const struct model_item *item = &model->items[i];
        struct sums sums = sum_up(model, item->settings.item_id, NULL);
        if (sums.held != item->held || sums.confirmed > item->sold)
            return "an item's units are not those of its reservations";
    }
    for (size_t i = 0; i < model->buyer_count; i++) {
        const struct model_buyer *buyer = &model->buyers[i];
        struct sums sums = sum_up(model, buyer->item_id, &buyer->buyer_id);
        if (sums.held != buyer->units_held || sums.open_holds != buyer->open_holds ||
            sums.confirmed > buyer->units_sold)
            return "a buyer's units are not those of the reservations";
    }
    return NULL;
}

const char *stock_model_load(struct stock_model *model, const struct stock_model_snapshot *snapshot,
                             struct stock_wanted wanted)
{
    const struct stock_saved *saved = &snapshot->saved;
    struct stock_saved sums = {.item_count = 0};
    size_t first_item = model->item_count;
    size_t at = 0;
    struct entry entry;
    for (uint64_t i = 0; i < snapshot->entry_count; i++) {
        const char *problem = read_entry(snapshot, &at, &entry);
        if (problem != NULL)
            return problem;
        count_entry(&entry, &sums);
        if (sums.time_ms > MODEL_TIME_MS_MAX)
            return "after the end of time";
        problem = take(model, first_item, wanted, &entry);
        if (problem != NULL)
            return problem;
    }
    if (at != snapshot->bytes_count)
        return "more bytes than entries";
    if (sums.item_count != saved->item_count || sums.buyer_count != saved->buyer_count ||
        sums.reservation_count != saved->reservation_count)
        return "another number of entries";
    if (sums.state_hash != saved->state_hash)
        return "another hash";
    if (saved->time_ms > MODEL_TIME_MS_MAX || sums.time_ms > saved->time_ms)
        return "another time";
    raise_time(&model->time_ms, saved->time_ms);
    return check_sums(model, first_item);
}

/* ---- due ---- */

static bool comes_before(const struct stock_model *model, const struct model_reservation *a,
                         const struct model_reservation *b)
{
    const struct model_item *item_a = model_item_find(model, a->item_id);
    const struct model_item *item_b = model_item_find(model, b->item_id);
    if (item_a != item_b)
        return item_a < item_b;
    return a->sequence != b->sequence ? a->sequence < b->sequence : a < b;
}

void stock_model_load_end(struct stock_model *model)
{
    for (size_t i = 0; i < model->reservation_count; i++) {
        struct model_reservation *reservation = &model->reservations[i];
        reservation->due_ms = is_held(reservation)
                                  ? reservation->expires_ms
                                  : reservation->due_set_ms + model->limits.retention_ms;
        reservation->due_set_order = 0;
        for (size_t k = 0; k < model->reservation_count; k++)
            reservation->due_set_order += comes_before(model, &model->reservations[k], reservation);
    }
    model->due_set_count = model->reservation_count;
}

/* ---- saving ---- */

void stock_model_snapshot_append(struct stock_model_snapshot *snapshot, const uint8_t *bytes,
                                 size_t bytes_count)
{
    while (snapshot->bytes_count + bytes_count > snapshot->bytes_room) {
        snapshot->bytes_room = snapshot->bytes_room == 0 ? 4096 : 2 * snapshot->bytes_room;
        snapshot->bytes = realloc(snapshot->bytes, snapshot->bytes_room);
        assert(snapshot->bytes != NULL);
    }
    if (bytes_count > 0)
        memcpy(snapshot->bytes + snapshot->bytes_count, bytes, bytes_count);
    snapshot->bytes_count += bytes_count;
}

void stock_model_snapshot_free(struct stock_model_snapshot *snapshot)
{
    free(snapshot->bytes);
    *snapshot = (struct stock_model_snapshot){.bytes = NULL};
}

static void write_entry(struct stock_model_snapshot *snapshot, uint8_t *bytes, int type,
                        size_t length)
{
    put_number(bytes, length, 2);
    bytes[2] = (uint8_t)type;
    stock_model_snapshot_append(snapshot, bytes, length);
}

static void write_item(struct stock_model_snapshot *snapshot, const struct model_item *item)
{
    const struct stock_item_settings *settings = &item->settings;
    uint8_t bytes[ITEM_BYTES_MIN + MODEL_SKU_MAX] = {0};
    bytes[3] = settings->paused;
    bytes[4] = settings->sku_bytes;
    put_number(bytes + 8, item->created_ms, 8);
    put_number(bytes + 16, settings->item_id, 8);
    put_number(bytes + 24, (uint64_t)settings->stock, 8);
    put_number(bytes + 32, settings->buyer_limit, 4);
    put_number(bytes + 36, settings->hold_cap, 4);
    put_number(bytes + 40, settings->hold_ms, 8);
    put_number(bytes + 48, settings->opens_at_ms, 8);
    put_number(bytes + 56, settings->closes_at_ms, 8);
    put_number(bytes + 64, item->held, 8);
    put_number(bytes + 72, item->sold, 8);
    put_number(bytes + 80, item->next_sequence, 8);
    memcpy(bytes + ITEM_BYTES_MIN, settings->sku, settings->sku_bytes);
    write_entry(snapshot, bytes, ITEM, ITEM_BYTES_MIN + (settings->sku_bytes + 7u) / 8 * 8);
}

static void write_buyer(struct stock_model_snapshot *snapshot, const struct model_buyer *buyer)
{
    uint8_t bytes[BUYER_BYTES] = {0};
    put_number(bytes + 4, buyer->open_holds, 4);
    put_number(bytes + 8, buyer->item_id, 8);
    put_number(bytes + 16, buyer->buyer_id, 8);
    put_number(bytes + 24, buyer->units_held, 4);
    put_number(bytes + 28, buyer->units_sold, 4);
    write_entry(snapshot, bytes, BUYER, BUYER_BYTES);
}

static void write_reservation(struct stock_model_snapshot *snapshot,
                              const struct model_reservation *reservation)
{
    uint8_t bytes[RESERVATION_BYTES] = {0};
    bytes[3] = reservation->state;
    put_number(bytes + 4, reservation->quantity, 4);
    put_number(bytes + 8, reservation->created_ms, 8);
    put_number(bytes + 16, reservation->item_id, 8);
    put_number(bytes + 24, reservation->id.high, 8);
    put_number(bytes + 32, reservation->id.low, 8);
    put_number(bytes + 40, reservation->buyer_id, 8);
    put_number(bytes + 48, reservation->sequence, 8);
    put_number(bytes + 56, reservation->expires_ms, 8);
    put_number(bytes + 64, reservation->user_data, 8);
    put_number(bytes + 72, reservation->quantity_confirmed, 4);
    put_number(bytes + 80, reservation->due_set_ms, 8);
    write_entry(snapshot, bytes, RESERVATION, RESERVATION_BYTES);
}

void stock_model_save(const struct stock_model *model, struct stock_model_snapshot *snapshot)
{
    *snapshot = (struct stock_model_snapshot){.saved.time_ms = model->time_ms};
    for (size_t i = 0; i < model->item_count; i++)
        write_item(snapshot, &model->items[i]);
    for (size_t i = 0; i < model->buyer_count; i++)
        write_buyer(snapshot, &model->buyers[i]);
    for (size_t i = 0; i < model->reservation_count; i++)
        write_reservation(snapshot, &model->reservations[i]);
    bool is_readable = stock_model_snapshot_count_again(snapshot);
    assert(is_readable);
    (void)is_readable;
}
