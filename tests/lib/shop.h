#ifndef HF_TESTS_SHOP_H
#define HF_TESTS_SHOP_H
/* A stock with a clock in the hand of the test. Each record goes the way of a real one: decided,
 * encoded, committed; and decoded, checked and committed into a twin with another hash key, which
 * must have the same hash in the end. */

#include "stock/stock.h"

#include <criterion/criterion.h>
#include <string.h>

struct shop {
    struct stock *stock;
    struct stock *twin;
    uint64_t now_ms;
    uint64_t lsn;
    struct stock_reply reply;
    struct stock_record record;
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
    struct shop shop = {.now_ms = SHOP_START_MS};
    shop.stock = stock_create(&options);
    options.hash_key = ~options.hash_key;
    shop.twin = stock_create(&options);
    cr_assert(shop.stock != NULL && shop.twin != NULL);
    return shop;
}

static inline void shop_close(struct shop *shop)
{
    stock_assert_valid(shop->stock);
    stock_assert_valid(shop->twin);
    cr_expect(stock_hash(shop->stock) == stock_hash(shop->twin), "replay gave another state");
    stock_destroy(&shop->stock);
    stock_destroy(&shop->twin);
}

static inline void shop_commit(struct shop *shop)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record copy;
    uint32_t record_bytes = stock_record_encode(&shop->record, bytes);
    shop->record.lsn = ++shop->lsn;
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
