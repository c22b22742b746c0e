/* Records of a log, a group at a time: the state is the one that they were decided in. */

#include "shop.h"
#include "snapshot.h"

#include "base/bytes.h"
#include "random.h"

/* What a shop has committed, as the payload of one group. */
struct payload {
    uint8_t *bytes;
    uint32_t bytes_count;
    uint32_t record_count;
};

enum { PAYLOAD_BYTES_MAX = 1 << 20 };

static void payload_open(struct payload *payload)
{
    *payload = (struct payload){.bytes = malloc(PAYLOAD_BYTES_MAX)};
    cr_assert_not_null(payload->bytes);
}

static void payload_note(struct payload *payload, const struct shop *shop)
{
    cr_assert_leq(payload->bytes_count + STOCK_RECORD_BYTES_MAX, PAYLOAD_BYTES_MAX);
    payload->bytes_count +=
        stock_record_encode(&shop->record, payload->bytes + payload->bytes_count);
    payload->record_count++;
}

static struct stock_records records_of(const struct payload *payload, uint64_t first_lsn)
{
    return (struct stock_records){
        .from = payload->bytes,
        .bytes = payload->bytes_count,
        .count = payload->record_count,
        .first_lsn = first_lsn,
    };
}

/* A random sale of two items, in which every kind of record is made. */
static struct shop play(struct payload *payload, uint32_t step_count)
{
    struct shop shop = shop_open_with(shop_options());
    struct test_random random;
    test_random_init(&random, 3);
    payload_open(payload);
    for (uint64_t item_id = 1; item_id <= 2; item_id++) {
        struct stock_item_settings settings = shop_settings(40);
        settings.item_id = item_id;
        cr_assert_eq(shop_create(&shop, settings), STOCK_OK);
        payload_note(payload, &shop);
    }
    for (uint32_t i = 0; i < step_count; i++) {
        struct stock_request request = {
            .op = test_random_below(&random, 3) ? STOCK_OP_RESERVE
                                                : (uint8_t)test_random_below(&random, 4),
            .item_id = 1 + test_random_below(&random, 2),
            .reservation_id = {1, 1 + test_random_below(&random, 60)},
            .buyer_id = test_random_below(&random, 5),
            .quantity = 1,
            .expires_ms = shop.now_ms + SHOP_HOLD_MS,
        };
        shop.record.type = STOCK_RECORD_NONE;
        if (i % 50 == 0) {
            struct stock_item_settings settings = shop_settings(40 + i);
            settings.item_id = 1;
            shop_update(&shop, settings, STOCK_UPDATE_STOCK);
        } else if (i % 3 == 0) {
            shop_due(&shop);
        } else {
            shop_ask(&shop, request);
        }
        if (shop.record.type != STOCK_RECORD_NONE)
            payload_note(payload, &shop);
        shop.now_ms += test_random_below(&random, 100);
    }
    return shop;
}

static void expect_every_type(const struct payload *payload)
{
    uint32_t counts[STOCK_RECORD_FORGOTTEN + 1] = {0};
    uint32_t at = 0;
    for (; at < payload->bytes_count; at += bytes_get_u16(payload->bytes + at))
        counts[payload->bytes[at + 2]]++;
    for (int type = STOCK_RECORD_ITEM_CREATED; type <= STOCK_RECORD_FORGOTTEN; type++)
        cr_assert_gt(counts[type], 0, "no %s", stock_record_type_name(type));
}

static struct stock *open_stock(void)
{
    struct stock_options options = shop_options();
    options.hash_key = 99;
    struct stock *stock = stock_create(&options);
    cr_assert_not_null(stock);
    return stock;
}

static void expect_same(const struct stock *stock, const struct stock *expected)
{
    struct stock_counts a = stock_counts(stock);
    struct stock_counts b = stock_counts(expected);
    stock_assert_valid(stock);
    cr_expect_eq(memcmp(&a, &b, sizeof a), 0);
    cr_expect_eq(stock_hash(stock), stock_hash(expected));
    cr_expect_eq(stock_time_ms(stock), stock_time_ms(expected));
    cr_expect_eq(stock_next_due_ms(stock), stock_next_due_ms(expected));
}

Test(replay, gives_the_state_whether_it_is_being_loaded_or_serves)
{
    struct payload payload;
    struct shop shop = play(&payload, 3000);
    struct stock_records records = records_of(&payload, 0);
    expect_every_type(&payload);
    for (int is_loading = 0; is_loading < 2; is_loading++) {
        struct stock *stock = open_stock();
        struct stock_replayed replayed;
        if (is_loading)
            stock_load_begin(stock);
        cr_assert_null(stock_replay(stock, &records, snapshot_all, &replayed));
        cr_expect_eq(replayed.read_count, payload.record_count);
        cr_expect_eq(replayed.committed_count, payload.record_count);
        cr_assert(!is_loading || stock_load_end(stock));
        expect_same(stock, shop.stock);
        stock_destroy(&stock);
    }
    free(payload.bytes);
    shop_close(&shop);
}

/* The log after the moment of a snapshot makes of it what it made of the state itself. */
Test(replay, on_top_of_a_snapshot_gives_the_live_state)
{
    struct payload payload;
    struct shop shop = play(&payload, 1000);
    struct stock_records records = records_of(&payload, 0);
    for (uint32_t before = 0; before <= payload.record_count; before += 37) {
        struct stock *first = open_stock();
        struct stock_replayed replayed;
        struct stock_records part = records;
        uint32_t bytes = 0;
        for (uint32_t i = 0; i < before; i++)
            bytes += bytes_get_u16(payload.bytes + bytes);
        part.count = before;
        part.bytes = bytes;
        cr_assert_null(stock_replay(first, &part, snapshot_all, &replayed));
        struct snapshot *snapshot = snapshot_of(first);
        struct stock *second = open_stock();
        uint32_t refused_index;
        stock_load_begin(second);
        cr_assert_null(snapshot_load_into(snapshot, second, snapshot_all, 100, &refused_index));
        part = (struct stock_records){
            .from = records.from + bytes,
            .bytes = records.bytes - bytes,
            .count = records.count - before,
        };
        cr_assert_null(stock_replay(second, &part, snapshot_all, &replayed));
        cr_assert(stock_load_end(second));
        expect_same(second, shop.stock);
        free(snapshot);
        stock_destroy(&first);
        stock_destroy(&second);
    }
    free(payload.bytes);
    shop_close(&shop);
}

Test(replay, numbers_records_from_the_first_lsn_or_not_at_all)
{
    struct payload payload;
    struct shop shop = play(&payload, 0);
    struct stock_replayed replayed;
    struct stock_item_view view;
    for (uint64_t first_lsn = 0; first_lsn <= 500; first_lsn += 500) {
        struct stock *stock = open_stock();
        struct stock_records records = records_of(&payload, first_lsn);
        cr_assert_null(stock_replay(stock, &records, snapshot_all, &replayed));
        cr_assert(stock_item_find(stock, 2, &view));
        cr_expect_eq(view.changed_lsn, first_lsn == 0 ? 0 : 501);
        stock_destroy(&stock);
    }
    free(payload.bytes);
    shop_close(&shop);
}

static bool is_that_item(const void *context, uint64_t item_id)
{
    return item_id == *(const uint64_t *)context;
}

Test(replay, takes_the_records_of_wanted_items)
{
    struct payload payload;
    struct shop shop = play(&payload, 3000);
    uint64_t hash = 0;
    uint32_t committed_count = 0;
    for (uint64_t item_id = 1; item_id <= 2; item_id++) {
        struct stock *stock = open_stock();
        struct stock_records records = records_of(&payload, 1);
        struct stock_replayed replayed;
        struct stock_wanted wanted = {is_that_item, &item_id};
        cr_assert_null(stock_replay(stock, &records, wanted, &replayed));
        stock_assert_valid(stock);
        cr_expect_eq(replayed.read_count, payload.record_count);
        cr_expect_eq(stock_counts(stock).items, 1);
        hash += stock_hash(stock);
        committed_count += replayed.committed_count;
        stock_destroy(&stock);
    }
    cr_expect_eq(hash, stock_hash(shop.stock));
    cr_expect_eq(committed_count, payload.record_count);
    free(payload.bytes);
    shop_close(&shop);
}

/* ---- what is refused ---- */

static void expect_refused(struct stock_records records, const char *text, uint32_t index)
{
    struct stock *stock = open_stock();
    struct stock_replayed replayed;
    const char *problem = stock_replay(stock, &records, snapshot_all, &replayed);
    cr_assert_not_null(problem);
    cr_expect_str_eq(problem, text);
    cr_expect_eq(replayed.read_count, index);
    cr_expect_eq(replayed.committed_count, index, "what stands before is committed");
    stock_assert_valid(stock);
    stock_destroy(&stock);
}

Test(replay, of_a_record_that_is_not_legal_stops_there)
{
    struct payload payload;
    struct shop shop = play(&payload, 500);
    /* the first item once more, behind all others */
    uint32_t item_bytes = bytes_get_u16(payload.bytes);
    memcpy(payload.bytes + payload.bytes_count, payload.bytes, item_bytes);
    payload.bytes_count += item_bytes;
    payload.record_count++;
    expect_refused(records_of(&payload, 1), "item exists already", payload.record_count - 1);
    free(payload.bytes);
    shop_close(&shop);
}

Test(replay, of_bytes_that_are_no_records_stops_at_the_record_where_they_begin)
{
    static const char unfilled[] = "records do not fill their bytes";
    struct payload payload;
    struct shop shop = play(&payload, 500);
    struct stock_records records = records_of(&payload, 1);
    records.count++;
    expect_refused(records, unfilled, payload.record_count);
    records.count -= 2;
    expect_refused(records, unfilled, payload.record_count - 1);
    records.count++;
    records.bytes -= 8;
    expect_refused(records, unfilled, payload.record_count - 1);
    payload.bytes[2] = STOCK_ENTRY_ITEM;
    expect_refused(records, "unknown type of record", 0);
    free(payload.bytes);
    shop_close(&shop);
}

Test(replay, into_tables_that_are_too_small_says_so)
{
    struct payload payload;
    struct shop shop = play(&payload, 100);
    struct stock_options options = shop_options();
    options.item_count_max = 1;
    struct stock *stock = stock_create(&options);
    struct stock_records records = records_of(&payload, 1);
    struct stock_replayed replayed;
    cr_expect_eq(stock_replay(stock, &records, snapshot_all, &replayed), stock_check_full);
    cr_expect_eq(replayed.read_count, 1);
    stock_destroy(&stock);
    free(payload.bytes);
    shop_close(&shop);
}

Test(replay, of_no_records_changes_nothing)
{
    struct stock *stock = open_stock();
    struct stock_records records = {.from = NULL};
    struct stock_replayed replayed = {7, 7};
    cr_expect_null(stock_replay(stock, &records, snapshot_all, &replayed));
    cr_expect_eq(replayed.read_count, 0);
    cr_expect_eq(stock_hash(stock), 0);
    stock_destroy(&stock);
}
