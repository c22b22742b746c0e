#include "spoil.h"

#include "stock/stock.h"

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
