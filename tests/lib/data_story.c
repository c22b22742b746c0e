#include "data_story.h"

#include "base/assert.h"

#include <string.h>

enum { HOLD_MS = 60000, OPEN_COUNT_MAX = 256 };

struct story {
    struct data_builder *builder;
    struct stock_hold_event open[OPEN_COUNT_MAX];  /* holds that are held */
    struct stock_hold_event ended[OPEN_COUNT_MAX]; /* and those that are not */
    uint32_t open_count;
    uint32_t ended_count;
    uint64_t next_id;
};

static void add_ms(struct story *story, uint64_t ms)
{
    story->builder->time_ms += ms;
}

/* ---- records ---- */

static void create_items(struct story *story)
{
    static const struct stock_item_settings items[STORY_ITEM_COUNT] = {
        {.item_id = 1,
         .stock = 100,
         .buyer_limit = 5,
         .hold_ms = HOLD_MS,
         .sku_bytes = 7,
         .sku = "SHOE-42"},
        {.item_id = 2, .stock = STOCK_UNLIMITED, .hold_ms = HOLD_MS},
        {.item_id = 3,
         .stock = 1000,
         .hold_cap = 3,
         .hold_ms = HOLD_MS,
         .sku_bytes = 3,
         .sku = "a\"\xff"},
        {.item_id = 4,
         .stock = 60,
         .hold_ms = HOLD_MS,
         .opens_at_ms = 1769860700000,
         .closes_at_ms = 1769999999999},
        {.item_id = 5,
         .stock = 0,
         .hold_ms = 1,
         .paused = true,
         .sku_bytes = 9,
         .sku = "gr\xc3\xbc\xc3\x9f"
                "e,\n"},
        {.item_id = 6, .stock = 500, .hold_ms = HOLD_MS},
        {.item_id = 7, .stock = 500, .hold_ms = HOLD_MS},
        {.item_id = 8, .stock = 500, .hold_ms = HOLD_MS},
        {.item_id = UINT64_MAX,
         .stock = 1ll << 48,
         .buyer_limit = UINT32_MAX,
         .hold_ms = 30ull * 24 * 3600 * 1000,
         .sku_bytes = 64,
         .sku = "0123456789012345678901234567890123456789012345678901234567890123"},
    };
    for (uint32_t i = 0; i < STORY_ITEM_COUNT; i++)
        data_builder_record(story->builder, (struct stock_record){
                                                .type = STOCK_RECORD_ITEM_CREATED,
                                                .item = items[i],
                                            });
}

static void update_item(struct story *story, uint64_t item_id, int64_t stock, bool paused)
{
    struct stock_item_view item;
    hf_assert(stock_item_find(story->builder->stock, item_id, &item));
    struct stock_record record = {.type = STOCK_RECORD_ITEM_UPDATED, .item = item.settings};
    record.item.stock = stock;
    record.item.paused = paused;
    data_builder_record(story->builder, record);
}

static void hold(struct story *story, uint64_t item_id, uint64_t buyer_id, uint32_t quantity)
{
    struct stock_item_view item;
    hf_assert(stock_item_find(story->builder->stock, item_id, &item));
    hf_assert(story->open_count < OPEN_COUNT_MAX);
    const struct stock_hold_event event = {
        .item_id = item_id,
        .reservation_id = {.high = 0xabcd, .low = ++story->next_id},
        .buyer_id = buyer_id,
        .sequence = item.next_sequence,
        .expires_ms = story->builder->time_ms + HOLD_MS,
        .user_data = story->next_id * 7,
        .quantity = quantity,
    };
    data_builder_record(story->builder,
                        (struct stock_record){.type = STOCK_RECORD_HELD, .hold = event});
    story->open[story->open_count++] = event;
}

/* The oldest open hold of the item, which there is. */
static uint32_t oldest(const struct story *story, uint64_t item_id)
{
    uint32_t i = 0;
    while (i < story->open_count && story->open[i].item_id != item_id)
        i++;
    hf_assert(i < story->open_count);
    return i;
}

static void end_hold(struct story *story, uint32_t index, uint8_t type)
{
    struct stock_hold_event event = story->open[index];
    if (type == STOCK_RECORD_CONFIRMED)
        event.quantity_confirmed = event.quantity > 1 ? event.quantity - 1 : 1;
    data_builder_record(story->builder, (struct stock_record){.type = type, .hold = event});
    hf_assert(story->ended_count < OPEN_COUNT_MAX);
    story->ended[story->ended_count++] = event;
    story->open_count--;
    memmove(&story->open[index], &story->open[index + 1],
            (story->open_count - index) * sizeof event);
}

static void extend(struct story *story, uint64_t item_id)
{
    struct stock_hold_event *event = &story->open[oldest(story, item_id)];
    event->expires_ms += HOLD_MS;
    data_builder_record(story->builder,
                        (struct stock_record){.type = STOCK_RECORD_EXTENDED, .hold = *event});
}

/* Those that ended first. */
static void forget(struct story *story, uint32_t count)
{
    hf_assert(count <= story->ended_count);
    for (uint32_t i = 0; i < count; i++)
        data_builder_record(story->builder, (struct stock_record){.type = STOCK_RECORD_FORGOTTEN,
                                                                  .hold = story->ended[i]});
    story->ended_count -= count;
    memmove(story->ended, story->ended + count, story->ended_count * sizeof story->ended[0]);
}

/* What is past its deadline now. */
static void expire(struct story *story)
{
    for (uint32_t i = 0; i < story->open_count;) {
        if (story->open[i].expires_ms <= story->builder->time_ms)
            end_hold(story, i, STOCK_RECORD_EXPIRED);
        else
            i++;
    }
}

/* ---- scenes ---- */

static const uint64_t sold_items[] = {1, 2, 3, 4, 6, 7, 8, UINT64_MAX};
enum { SOLD_COUNT = sizeof sold_items / sizeof sold_items[0] };

/* Some holds on each item, and some of what becomes of them; a group for each core that has an
 * item. */
static void sell(struct story *story, uint32_t round)
{
    for (uint32_t i = 0; i < SOLD_COUNT; i++) {
        hold(story, sold_items[i], 40 + i, 2);
        hold(story, sold_items[i], 0, 1 + round % 3);
    }
    add_ms(story, 10);
    for (uint32_t i = 0; i < SOLD_COUNT; i++) {
        if ((i + round) % 3 == 0)
            end_hold(story, oldest(story, sold_items[i]), STOCK_RECORD_CONFIRMED);
        else if ((i + round) % 3 == 1)
            end_hold(story, oldest(story, sold_items[i]), STOCK_RECORD_CANCELLED);
        else
            extend(story, sold_items[i]);
    }
    add_ms(story, 990);
    data_builder_close_groups(story->builder);
}

/* A group of more than one block. */
static void rush(struct story *story, uint64_t item_id, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        hold(story, item_id, 1000 + i % 7, 1);
    data_builder_close_groups(story->builder);
}

static void tell_first_era(struct story *story)
{
    struct data_builder *builder = story->builder;
    data_builder_begin_era(builder, STORY_FIRST_CORES);
    create_items(story);
    data_builder_close_groups(builder);
    add_ms(story, 1000);
    sell(story, 0);
    update_item(story, 5, 10, false);
    update_item(story, 4, 55, true);
    update_item(story, 4, 57, false);
    sell(story, 1);
    rush(story, 6, 55);
    add_ms(story, HOLD_MS);
    expire(story);
    data_builder_close_groups(builder);
    data_builder_unused(builder, 0);
}

static void begin_second_era(struct story *story)
{
    struct data_builder *builder = story->builder;
    add_ms(story, 5000);
    data_builder_begin_era(builder, STORY_SECOND_CORES);
    for (uint32_t core = 0; core < STORY_SECOND_CORES; core++)
        data_builder_log(builder, core)->log.epoch = 2;
    forget(story, 5);
    sell(story, 2);
}

static void end_second_era(struct story *story)
{
    struct data_builder *builder = story->builder;
    for (uint32_t core = 0; core < STORY_SECOND_CORES; core++)
        data_builder_log(builder, core)->log.epoch = 3;
    add_ms(story, 2 * HOLD_MS);
    expire(story);
    forget(story, 3);
    data_builder_close_groups(builder);
    sell(story, 3);
}

void data_story_whole(struct data_builder *builder)
{
    struct story story = {.builder = builder};
    data_builder_begin(builder, STORY_SEGMENT_BYTES);
    tell_first_era(&story);
    begin_second_era(&story);
    data_builder_snapshot(builder, 0);
    sell(&story, 1);
    data_builder_snapshot(builder, 1);
    end_second_era(&story);
    data_builder_snapshot(builder, 0);
    sell(&story, 5);
    data_builder_unused(builder, 1);
}

void data_story_late(struct data_builder *builder)
{
    struct story story = {.builder = builder};
    data_builder_begin(builder, STORY_SEGMENT_BYTES);
    tell_first_era(&story);
    begin_second_era(&story);
    sell(&story, 1);
    sell(&story, 3);
    sell(&story, 4);
    for (uint32_t core = 0; core < STORY_SECOND_CORES; core++)
        data_builder_snapshot(builder, core);
    end_second_era(&story);
    for (uint32_t core = 0; core < STORY_SECOND_CORES; core++)
        data_builder_snapshot(builder, core);
    sell(&story, 5);
    data_builder_unused(builder, 0);
    data_builder_remove_eras(builder);
    for (uint32_t core = 0; core < STORY_SECOND_CORES; core++) {
        const struct data_builder_log *log = data_builder_log(builder, core);
        data_builder_remove_segments(builder, core,
                                     (uint32_t)log->snapshots[0].position.segment_number - 1);
    }
}
