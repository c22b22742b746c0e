#include "spoil.h"

#include "base/bytes.h"
#include "stock/entry.h"
#include "stock/stock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t near(uint64_t value, uint32_t any)
{
    switch (any % 6) {
    case 0:
        return value + 1;
    case 1:
        return value - 1;
    case 2:
        return 0;
    case 3:
        return UINT64_MAX;
    case 4:
        return 1;
    default:
        return value ^ 1ull << any % 64;
    }
}

static void spoil_time(struct stock_record *record, uint32_t any)
{
    switch (any % 4) {
    case 0:
        record->time_ms = STOCK_TIME_MS_MAX + any % 2;
        break;
    case 1:
        record->time_ms -= record->time_ms > 0;
        break;
    case 2:
        record->time_ms++;
        break;
    default:
        record->time_ms = 1ull << any % 44;
        break;
    }
}

static void spoil_deadline(struct stock_record *record, uint32_t any)
{
    struct stock_hold_event *hold = &record->hold;
    switch (any % 5) {
    case 0:
        hold->expires_ms = record->time_ms;
        break;
    case 1:
        hold->expires_ms = record->time_ms + 1;
        break;
    case 2:
        hold->expires_ms = record->time_ms + STOCK_HOLD_MS_MAX + (any / 5) % 2;
        break;
    default:
        hold->expires_ms = near(hold->expires_ms, any);
        break;
    }
}

static void spoil_hold(struct stock_record *record, uint32_t choice, uint32_t any)
{
    static const uint32_t quantities[] = {0, 1, STOCK_QUANTITY_MAX, STOCK_QUANTITY_MAX + 1,
                                          UINT32_MAX};
    struct stock_hold_event *hold = &record->hold;
    switch (choice) {
    case 0:
        record->type = (uint8_t)(STOCK_RECORD_HELD + any % 6);
        break;
    case 1:
        hold->item_id = near(hold->item_id, any);
        break;
    case 2:
        hold->reservation_id.low = near(hold->reservation_id.low, any);
        break;
    case 3:
        hold->reservation_id.high = near(hold->reservation_id.high, any);
        break;
    case 4:
        hold->buyer_id = near(hold->buyer_id, any);
        break;
    case 5:
        hold->sequence = near(hold->sequence, any);
        break;
    case 6:
        spoil_deadline(record, any);
        break;
    case 7:
        hold->user_data = near(hold->user_data, any);
        break;
    case 8:
        hold->quantity = any % 8 < 5 ? quantities[any % 8] : hold->quantity + any % 3 - 1;
        break;
    default:
        hold->quantity_confirmed = any % 8 < 5 ? quantities[any % 8] : hold->quantity + any % 3 - 1;
        break;
    }
}

static void spoil_item(struct stock_record *record, uint32_t choice, uint32_t any)
{
    static const int64_t stocks[] = {-2, -1, 0, 1, STOCK_STOCK_MAX, STOCK_STOCK_MAX + 1};
    struct stock_item_settings *settings = &record->item;
    switch (choice) {
    case 0:
        record->type = (uint8_t)(STOCK_RECORD_ITEM_CREATED + any % 2);
        break;
    case 1:
        settings->item_id = near(settings->item_id, any);
        break;
    case 2:
        settings->stock = stocks[any % 6];
        break;
    case 3:
        settings->stock += any % 3;
        break;
    case 4:
        settings->hold_ms = any % 4 == 0 ? STOCK_HOLD_MS_MAX + 1 : near(settings->hold_ms, any);
        break;
    case 5:
        settings->closes_at_ms = any % 2 == 0 ? settings->opens_at_ms : near(1, any);
        break;
    case 6:
        settings->opens_at_ms = near(settings->opens_at_ms, any);
        break;
    case 7:
        settings->sku[any % STOCK_SKU_BYTES_MAX] = (char)(any % 2 == 0 ? '\0' : 'z');
        break;
    case 8:
        settings->sku_bytes = (uint8_t)(any % (STOCK_SKU_BYTES_MAX + 1));
        break;
    default:
        settings->buyer_limit = any;
        settings->paused = !settings->paused;
        break;
    }
}

void spoil_record(struct stock_record *record, struct test_random *random)
{
    uint32_t any = test_random_below(random, 1 << 16);
    uint32_t choice = test_random_below(random, 11);
    if (choice == 10)
        spoil_time(record, any);
    else if (record->type <= STOCK_RECORD_ITEM_UPDATED)
        spoil_item(record, choice, any);
    else
        spoil_hold(record, choice, any);
}

/* ---- snapshots ---- */

/* Where the fields of an entry stand, by its type; bytes 0 to 3 among them. */
struct place {
    uint8_t offset, bytes;
};
static const struct place item_places[] = {{8, 8},  {16, 8}, {24, 8}, {32, 4}, {36, 4}, {40, 8},
                                           {48, 8}, {56, 8}, {64, 8}, {72, 8}, {80, 8}, {3, 1}};
static const struct place buyer_places[] = {{4, 4}, {8, 8}, {16, 8}, {24, 4}, {28, 4}};
static const struct place reservation_places[] = {{3, 1},  {4, 4},  {8, 8},  {16, 8},
                                                  {24, 8}, {32, 8}, {40, 8}, {48, 8},
                                                  {56, 8}, {64, 8}, {72, 4}, {80, 8}};
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* The entries one by one, so that they can be moved. */
struct entries {
    struct {
        uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
        uint32_t length;
    } * at;
    uint32_t count;
};

static struct entries take_apart(const struct stock_model_snapshot *snapshot)
{
    struct entries entries = {.count = 0};
    entries.at = calloc(snapshot->entry_count + 8, sizeof *entries.at);
    assert(entries.at != NULL);
    for (size_t at = 0; at < snapshot->bytes_count; entries.count++) {
        entries.at[entries.count].length = bytes_get_u16(snapshot->bytes + at);
        memcpy(entries.at[entries.count].bytes, snapshot->bytes + at,
               entries.at[entries.count].length);
        at += entries.at[entries.count].length;
    }
    return entries;
}

static void put_together(struct stock_model_snapshot *snapshot, struct entries *entries)
{
    snapshot->bytes_count = 0;
    snapshot->entry_count = entries->count;
    for (uint32_t i = 0; i < entries->count; i++)
        stock_model_snapshot_append(snapshot, entries->at[i].bytes, entries->at[i].length);
    free(entries->at);
}

static uint64_t get_place(const uint8_t *bytes, struct place place)
{
    uint64_t value = 0; /* little-endian, like everything that this project runs on */
    memcpy(&value, bytes + place.offset, place.bytes);
    return value;
}

static void put_place(uint8_t *bytes, struct place place, uint64_t value)
{
    memcpy(bytes + place.offset, &value, place.bytes);
}

static struct place draw_place(const uint8_t *bytes, uint32_t any)
{
    if (bytes[2] == STOCK_ENTRY_ITEM)
        return item_places[any % COUNT_OF(item_places)];
    if (bytes[2] == STOCK_ENTRY_BUYER)
        return buyer_places[any % COUNT_OF(buyer_places)];
    return reservation_places[any % COUNT_OF(reservation_places)];
}

/* Near the truth, at the edge of what is allowed, or what another entry has there. */
static void spoil_field(struct entries *entries, struct test_random *random)
{
    static const uint64_t edges[] = {
        STOCK_QUANTITY_MAX, STOCK_QUANTITY_MAX + 1, STOCK_TIME_MS_MAX, STOCK_TIME_MS_MAX + 1,
        1ull << 60,         (1ull << 60) + 1,       1ull << 63,        INT64_MAX,
        UINT32_MAX,         STOCK_HOLD_MS_MAX};
    uint8_t *bytes = entries->at[test_random_below(random, entries->count)].bytes;
    const uint8_t *other = entries->at[test_random_below(random, entries->count)].bytes;
    struct place place = draw_place(bytes, test_random_below(random, 64));
    uint32_t any = test_random_below(random, 1 << 16);
    uint64_t value = near(get_place(bytes, place), any);
    uint32_t choice = test_random_below(random, 6);
    if (choice == 0)
        value = edges[any % COUNT_OF(edges)];
    if (choice == 1)
        value = get_place(bytes, place) + any % 2000 - 1000;
    if (choice == 2 && other[2] == bytes[2])
        value = get_place(other, place);
    put_place(bytes, place, value);
}

/* So many units more are held or sold, everywhere where that is counted. */
static void spoil_units(struct entries *entries, struct test_random *random)
{
    static const struct place quantity = {4, 4}, confirmed = {72, 4}, item_id = {16, 8},
                              buyer_id = {40, 8}, item_held = {64, 8}, item_sold = {72, 8},
                              buyer_item = {8, 8}, buyer_buyer = {16, 8}, buyer_held = {24, 4},
                              buyer_sold = {28, 4};
    uint8_t *chosen = entries->at[test_random_below(random, entries->count)].bytes;
    uint32_t more = 1 + test_random_below(random, 3);
    bool is_held = chosen[3] == STOCK_STATE_HELD;
    if (chosen[2] != STOCK_ENTRY_RESERVATION || (!is_held && chosen[3] != STOCK_STATE_CONFIRMED))
        return;
    put_place(chosen, quantity, get_place(chosen, quantity) + more);
    if (!is_held)
        put_place(chosen, confirmed, get_place(chosen, confirmed) + more);
    for (uint32_t i = 0; i < entries->count; i++) {
        uint8_t *bytes = entries->at[i].bytes;
        struct place item_place = is_held ? item_held : item_sold;
        struct place buyer_place = is_held ? buyer_held : buyer_sold;
        if (bytes[2] == STOCK_ENTRY_ITEM && get_place(bytes, item_id) == get_place(chosen, item_id))
            put_place(bytes, item_place, get_place(bytes, item_place) + more);
        if (bytes[2] == STOCK_ENTRY_BUYER &&
            get_place(bytes, buyer_item) == get_place(chosen, item_id) &&
            get_place(bytes, buyer_buyer) == get_place(chosen, buyer_id))
            put_place(bytes, buyer_place, get_place(bytes, buyer_place) + more);
    }
}

static void swap_entries(struct entries *entries, uint32_t a, uint32_t b)
{
    struct entries two = {.at = calloc(1, sizeof *two.at)};
    assert(two.at != NULL);
    two.at[0] = entries->at[a];
    entries->at[a] = entries->at[b];
    entries->at[b] = two.at[0];
    free(two.at);
}

static void spoil_entries(struct entries *entries, struct test_random *random)
{
    uint32_t a = test_random_below(random, entries->count);
    uint32_t b = test_random_below(random, entries->count);
    uint32_t bit = test_random_below(random, 8 * entries->at[a].length);
    switch (test_random_below(random, 16)) {
    case 0: /* one is missing */
        entries->at[a] = entries->at[--entries->count];
        break;
    case 1: /* one is there twice */
        entries->at[entries->count++] = entries->at[a];
        break;
    case 2:
        swap_entries(entries, a, b);
        break;
    case 3:
        entries->at[a].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        break;
    case 4:
    case 5:
    case 6:
        spoil_units(entries, random);
        break;
    default:
        spoil_field(entries, random);
        break;
    }
}

static void spoil_sums(struct stock_model_snapshot *snapshot, struct test_random *random)
{
    struct stock_saved *saved = &snapshot->saved;
    uint64_t *const sums[] = {&saved->item_count, &saved->buyer_count, &saved->reservation_count,
                              &saved->state_hash, &saved->time_ms,     &snapshot->entry_count};
    uint32_t any = test_random_below(random, 1 << 16);
    uint32_t choice = test_random_below(random, 8);
    if (choice < COUNT_OF(sums))
        *sums[choice] = near(*sums[choice], any);
    else if (snapshot->bytes_count > 0)
        snapshot->bytes_count -=
            1 + any % (snapshot->bytes_count < 80 ? snapshot->bytes_count : 80);
}

void spoil_snapshot(struct stock_model_snapshot *snapshot, struct test_random *random)
{
    struct entries entries = take_apart(snapshot);
    uint32_t spoil_count = test_random_below(random, 4);
    for (uint32_t i = 0; i < spoil_count && entries.count > 0; i++)
        spoil_entries(&entries, random);
    put_together(snapshot, &entries);
    uint32_t choice = test_random_below(random, 16);
    if (choice > 0)
        (void)stock_model_snapshot_count_again(snapshot);
    if (choice == 1)
        spoil_sums(snapshot, random);
    if (choice >= 14) /* the time may be late */
        snapshot->saved.time_ms = STOCK_TIME_MS_MAX;
}
