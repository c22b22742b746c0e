#ifndef HF_TESTS_SHOP_H
#define HF_TESTS_SHOP_H
/* A stock with a clock in the hand of the test. Each record goes the way of a real one: decided,
 * encoded, committed; and decoded, checked and committed into a twin with another hash key, which
 * must have the same hash in the end. */

#include "stock/load.h"
#include "stock/save.h"
#include "stock/stock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that grow: entries that were saved, records that were committed. */
struct shop_bytes {
    uint8_t *bytes;
    uint32_t bytes_count;
    uint32_t count;
};

struct shop {
    struct stock *stock;
    struct stock *twin;
    struct stock_options options;
    uint64_t now_ms;
    uint64_t lsn;
    struct stock_reply reply;
    struct stock_record record;
    /* shop_save() and what comes after it */
    bool is_saving, has_saved;
    struct stock_page page;
    struct shop_bytes entries;
    struct stock_saved saved;
    struct shop_bytes records; /* since the save began */
    uint64_t saved_hash;       /* of the state then */
};

enum { SHOP_ITEM = 7, SHOP_BUYER = 40, SHOP_HOLD_MS = 1000, SHOP_RETENTION_MS = 5000 };
#define SHOP_START_MS 1700000000000ull

static inline struct stock_options shop_options(void)
{
    return (struct stock_options){
        .item_count_max = 8,
        .reservation_count_max = 64,
        .buyer_count_max = 32,
        .retention_ms = SHOP_RETENTION_MS,
        .hash_key = 1,
    };
}

static inline struct shop shop_open_with(struct stock_options options)
{
    struct shop shop = {.now_ms = SHOP_START_MS, .options = options};
    shop.stock = stock_create(&options);
    options.hash_key = ~options.hash_key;
    shop.twin = stock_create(&options);
    cr_assert(shop.stock != NULL && shop.twin != NULL);
    return shop;
}

static inline void shop_append(struct shop_bytes *to, const uint8_t *bytes, uint32_t bytes_count,
                               uint32_t count)
{
    uint8_t *grown = realloc(to->bytes, to->bytes_count + bytes_count + 1);
    cr_assert_not_null(grown);
    if (bytes_count > 0)
        memcpy(grown + to->bytes_count, bytes, bytes_count);
    to->bytes = grown;
    to->bytes_count += bytes_count;
    to->count += count;
}

/* Forgets what was saved, and a save that is on. */
static inline void shop_save_abandon(struct shop *shop)
{
    if (shop->is_saving)
        stock_save_abandon(shop->stock);
    free(shop->page.to);
    free(shop->entries.bytes);
    free(shop->records.bytes);
    shop->page = (struct stock_page){.to = NULL};
    shop->entries = (struct shop_bytes){.bytes = NULL};
    shop->records = (struct shop_bytes){.bytes = NULL};
    shop->is_saving = false;
    shop->has_saved = false;
}

static inline void shop_close(struct shop *shop)
{
    shop_save_abandon(shop);
    stock_assert_valid(shop->stock);
    stock_assert_valid(shop->twin);
    cr_expect(stock_hash(shop->stock) == stock_hash(shop->twin), "replay gave another state");
    stock_destroy(&shop->stock);
    stock_destroy(&shop->twin);
}

static inline void shop_turn_page(struct shop *shop)
{
    uint32_t bytes_max = shop->page.bytes_max;
    shop_append(&shop->entries, shop->page.to, shop->page.bytes, shop->page.entry_count);
    free(shop->page.to);
    shop->page = (struct stock_page){.to = malloc(bytes_max), .bytes_max = bytes_max};
    cr_assert_not_null(shop->page.to);
}

static inline void shop_commit(struct shop *shop)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record copy;
    uint32_t record_bytes = stock_record_encode(&shop->record, bytes);
    shop->record.lsn = ++shop->lsn;
    if (shop->is_saving &&
        shop->page.bytes_max - shop->page.bytes < STOCK_SAVE_BYTES_PER_RECORD_MAX)
        shop_turn_page(shop);
    if (shop->is_saving || shop->has_saved)
        shop_append(&shop->records, bytes, record_bytes, 1);
    stock_commit(shop->stock, &shop->record);
    const char *problem = stock_record_decode(bytes, record_bytes, &copy);
    cr_assert(problem == NULL, "decode: %s", problem);
    problem = stock_check(shop->twin, &copy);
    cr_assert(problem == NULL, "check: %s", problem);
    copy.lsn = shop->lsn;
    stock_commit(shop->twin, &copy);
}

/* Decides and commits; the answer stays in shop->reply, the record in shop->record. */
static inline int shop_ask(struct shop *shop, struct stock_request request)
{
    stock_prepare(shop->stock, &request, 1);
    stock_decide(shop->stock, &request, shop->now_ms, &shop->reply, &shop->record);
    if (shop->record.type != STOCK_RECORD_NONE)
        shop_commit(shop);
    return shop->reply.code;
}

static inline struct stock_request shop_request(enum stock_op op, uint64_t id)
{
    return (struct stock_request){
        .op = (uint8_t)op, .item_id = SHOP_ITEM, .reservation_id = {.high = 9, .low = id}};
}

static inline int shop_reserve(struct shop *shop, uint64_t id, uint64_t buyer_id, uint32_t quantity)
{
    struct stock_request request = shop_request(STOCK_OP_RESERVE, id);
    request.buyer_id = buyer_id;
    request.quantity = quantity;
    return shop_ask(shop, request);
}

static inline int shop_confirm(struct shop *shop, uint64_t id, uint32_t quantity)
{
    struct stock_request request = shop_request(STOCK_OP_CONFIRM, id);
    request.quantity = quantity;
    return shop_ask(shop, request);
}

static inline int shop_cancel(struct shop *shop, uint64_t id)
{
    return shop_ask(shop, shop_request(STOCK_OP_CANCEL, id));
}

static inline int shop_extend(struct shop *shop, uint64_t id, uint64_t expires_ms)
{
    struct stock_request request = shop_request(STOCK_OP_EXTEND, id);
    request.expires_ms = expires_ms;
    return shop_ask(shop, request);
}

static inline int shop_get(struct shop *shop, uint64_t id)
{
    return shop_ask(shop, shop_request(STOCK_OP_GET, id));
}

static inline int shop_create(struct shop *shop, struct stock_item_settings settings)
{
    stock_decide_item_create(shop->stock, &settings, shop->now_ms, &shop->reply, &shop->record);
    if (shop->record.type != STOCK_RECORD_NONE)
        shop_commit(shop);
    return shop->reply.code;
}

static inline int shop_update(struct shop *shop, struct stock_item_settings settings, uint32_t mask)
{
    stock_decide_item_update(shop->stock, &settings, mask, shop->now_ms, &shop->reply,
                             &shop->record);
    if (shop->record.type != STOCK_RECORD_NONE)
        shop_commit(shop);
    return shop->reply.code;
}

/* Works off everything that is due and returns how many records that took. */
static inline uint32_t shop_work_off(struct shop *shop)
{
    uint32_t count = 0;
    while (stock_decide_due(shop->stock, shop->now_ms, &shop->record)) {
        shop_commit(shop);
        count++;
    }
    return count;
}

/* Works off one thing that is due; false when nothing is. */
static inline bool shop_due(struct shop *shop)
{
    if (!stock_decide_due(shop->stock, shop->now_ms, &shop->record))
        return false;
    shop_commit(shop);
    return true;
}

/* A record as if from a log: whether it is legal. It is committed when it is of this moment. */
static inline bool shop_offer(struct shop *shop, struct stock_record record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    uint32_t record_bytes = stock_record_encode(&record, bytes);
    bool is_legal = stock_record_decode(bytes, record_bytes, &shop->record) == NULL &&
                    stock_check(shop->stock, &shop->record) == NULL;
    if (is_legal && record.time_ms == shop->now_ms)
        shop_commit(shop);
    return is_legal;
}

/* Begins a save into pages of about so many bytes. */
static inline void shop_save(struct shop *shop, uint32_t page_bytes)
{
    shop_save_abandon(shop);
    if (page_bytes < STOCK_SAVE_BYTES_PER_RECORD_MAX)
        page_bytes = STOCK_SAVE_BYTES_PER_RECORD_MAX;
    shop->page.bytes_max = page_bytes;
    shop_turn_page(shop);
    shop->is_saving = true;
    shop->saved_hash = stock_hash(shop->stock);
    stock_save_begin(shop->stock, &shop->page);
}

/* Loads a snapshot, and the records behind it. NULL when it is refused, with the text. */
static inline struct stock *shop_load(const struct stock_options *options,
                                      const struct shop_bytes *entries,
                                      const struct stock_saved *saved, struct stock_wanted wanted,
                                      const struct shop_bytes *records, const char **problem_out)
{
    struct stock *stock = stock_create(options);
    struct stock_records group = {
        .from = records->bytes, .bytes = records->bytes_count, .count = records->count};
    struct stock_replayed replayed;
    uint32_t refused_index;
    cr_assert_not_null(stock);
    stock_load_begin(stock);
    cr_assert(stock_load_snapshot_begin(stock, wanted));
    *problem_out = stock_load_entries(stock, entries->bytes, entries->bytes_count, entries->count,
                                      &refused_index);
    if (*problem_out == NULL)
        *problem_out = stock_load_snapshot_end(stock, saved);
    if (*problem_out == NULL)
        *problem_out = stock_replay(stock, &group, wanted, &replayed);
    if (*problem_out != NULL) {
        stock_destroy(&stock);
        return NULL;
    }
    cr_assert(stock_load_end(stock));
    stock_assert_valid(stock);
    return stock;
}

/* Goes on with the save that is on, if one is. What was saved is loaded when it is complete. */
static inline void shop_save_step(struct shop *shop, uint32_t bytes)
{
    static const struct shop_bytes nothing;
    const char *problem;
    if (!shop->is_saving)
        return;
    if (shop->page.bytes_max - shop->page.bytes < STOCK_ENTRY_BYTES_MAX)
        shop_turn_page(shop);
    uint32_t room = shop->page.bytes_max - shop->page.bytes;
    uint32_t target = shop->page.bytes + (bytes < room ? bytes : room);
    if (!stock_save_step(shop->stock, target))
        return;
    shop_turn_page(shop);
    stock_save_end(shop->stock, &shop->saved);
    shop->is_saving = false;
    shop->has_saved = true;
    cr_expect_eq(shop->saved.state_hash, shop->saved_hash);
    struct stock *stock = shop_load(&shop->options, &shop->entries, &shop->saved,
                                    (struct stock_wanted){NULL, NULL}, &nothing, &problem);
    cr_assert(stock != NULL, "what was saved is refused: %s", problem);
    cr_expect_eq(stock_hash(stock), shop->saved_hash);
    stock_destroy(&stock);
}

/* Completes the save that is on, or makes one; loads it, replays what came since, and goes on with
 * that. */
static inline void shop_restart(struct shop *shop)
{
    const char *problem;
    if (!shop->is_saving && !shop->has_saved)
        shop_save(shop, 8192);
    while (shop->is_saving)
        shop_save_step(shop, 8192);
    struct stock *stock = shop_load(&shop->options, &shop->entries, &shop->saved,
                                    (struct stock_wanted){NULL, NULL}, &shop->records, &problem);
    cr_assert(stock != NULL, "what was saved and logged is refused: %s", problem);
    cr_expect_eq(stock_hash(stock), stock_hash(shop->stock));
    stock_destroy(&shop->stock);
    shop->stock = stock;
}

/* Whether this snapshot is refused: "", the engine's text, or "full". Items are taken whose id
 * leaves `rest` when divided. */
struct shop_part {
    uint64_t divisor, rest;
};

static inline bool shop_is_of_part(const void *context, uint64_t item_id)
{
    const struct shop_part *part = context;
    return item_id % part->divisor == part->rest;
}

static inline const char *shop_refuses(struct stock_options options, struct shop_part part,
                                       struct shop_bytes entries, struct stock_saved saved)
{
    static const struct shop_bytes nothing;
    const char *problem;
    struct stock *stock =
        shop_load(&options, &entries, &saved, (struct stock_wanted){shop_is_of_part, &part},
                  &nothing, &problem);
    stock_destroy(&stock);
    if (problem == stock_check_full)
        return "full";
    return problem == NULL ? "" : problem;
}

static inline struct stock_item_settings shop_settings(int64_t stock)
{
    return (struct stock_item_settings){.item_id = SHOP_ITEM,
                                        .stock = stock,
                                        .hold_ms = SHOP_HOLD_MS,
                                        .sku = "PHONE-X",
                                        .sku_bytes = 7};
}

/* A shop with one item. */
static inline struct shop shop_open(int64_t stock)
{
    struct shop shop = shop_open_with(shop_options());
    cr_assert_eq(shop_create(&shop, shop_settings(stock)), STOCK_OK);
    return shop;
}

static inline struct stock_item_view shop_view(const struct shop *shop)
{
    struct stock_item_view view;
    cr_assert(stock_item_find(shop->stock, SHOP_ITEM, &view));
    return view;
}

#endif
