#include "stock_twins.h"

/* ---- life ---- */

void twins_open(struct twins *twins, uint8_t shape)
{
    static const uint32_t counts[] = {1, 2, 5, 24};
    static const uint64_t retentions_ms[] = {0, 1, 1000, 24 * 3600 * 1000};
    *twins = (struct twins){
        .options =
            {
                .item_count_max = counts[shape % 4],
                .reservation_count_max = counts[shape / 4 % 4],
                .buyer_count_max = counts[shape / 16 % 4],
                .retention_ms = retentions_ms[shape / 64],
                .hash_key = 0x1234567,
            },
    };
    twins->live = stock_create(&twins->options);
    twins->model = stock_model_create(&twins->options);
    twins->options.hash_key = 0xfedcba987654321;
    twins->replayed = stock_create(&twins->options);
    hf_assert(twins->live != NULL && twins->replayed != NULL);
}

void twins_close(struct twins *twins)
{
    stock_destroy(&twins->live);
    stock_destroy(&twins->replayed);
    stock_model_destroy(&twins->model);
}

/* ---- records ---- */

/* What the record is about adds up. */
static void check_item(const struct stock *stock, const struct stock_record *record)
{
    struct stock_item_view view;
    uint64_t item_id =
        stock_record_is_of_item(record) ? record->item.item_id : record->hold.item_id;
    hf_assert(stock_item_find(stock, item_id, &view));
    if (view.settings.stock == STOCK_UNLIMITED)
        hf_assert(view.available == STOCK_UNLIMITED);
    else
        hf_assert(view.available >= 0 && (uint64_t)view.available + view.held + view.sold ==
                                             (uint64_t)view.settings.stock);
}

/* The bytes of a record, decoded, are the record: its bytes are the same. */
static const char *decode(const uint8_t *bytes, uint32_t bytes_count, struct stock_record *record)
{
    uint8_t again[STOCK_RECORD_BYTES_MAX];
    const char *wrong = stock_record_decode(bytes, bytes_count, record);
    if (wrong != NULL)
        return wrong;
    hf_assert(stock_record_encode(record, again) == bytes_count);
    hf_assert(memcmp(again, bytes, bytes_count) == 0);
    hf_assert(strcmp(stock_record_type_name(record->type), "?") != 0);
    return NULL;
}

const char *twins_apply(struct twins *twins, const uint8_t *bytes, uint32_t bytes_count)
{
    struct stock_record live;
    struct stock_record replayed;
    const char *wrong = decode(bytes, bytes_count, &live);
    if (wrong != NULL)
        return wrong;
    replayed = live;
    wrong = stock_check(twins->live, &live);
    hf_assert(stock_check(twins->replayed, &replayed) == wrong);
    hf_assert((stock_model_apply(twins->model, &live) == NULL) == (wrong == NULL));
    if (wrong != NULL)
        return wrong;
    live.lsn = ++twins->lsn;
    stock_commit(twins->live, &live);
    stock_commit(twins->replayed, &replayed);
    check_item(twins->live, &live);
    return NULL;
}

void twins_commit(struct twins *twins, struct stock_record *record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record replayed;
    uint32_t bytes_count = stock_record_encode(record, bytes);
    hf_assert(bytes_count <= sizeof bytes && bytes_count % 8 == 0);
    hf_assert(decode(bytes, bytes_count, &replayed) == NULL);
    hf_assert(stock_check(twins->replayed, &replayed) == NULL);
    hf_assert(stock_model_apply(twins->model, &replayed) == NULL);
    record->lsn = ++twins->lsn;
    stock_commit(twins->live, record);
    stock_commit(twins->replayed, &replayed);
    check_item(twins->live, record);
}

/* ---- decisions ---- */

static void check_same_record(const struct stock_record *record,
                              const struct stock_record *expected)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    uint8_t expected_bytes[STOCK_RECORD_BYTES_MAX];
    hf_assert(record->type == expected->type);
    if (record->type == STOCK_RECORD_NONE)
        return;
    uint32_t bytes_count = stock_record_encode(record, bytes);
    hf_assert(stock_record_encode(expected, expected_bytes) == bytes_count);
    hf_assert(memcmp(bytes, expected_bytes, bytes_count) == 0);
}

static void check_same_reply(const struct stock_reply *reply, const struct stock_reply *expected)
{
    hf_assert(strcmp(stock_code_name(reply->code), "?") != 0);
    hf_assert(reply->code == expected->code);
    hf_assert(reply->state == expected->state);
    hf_assert(reply->invalid_field == expected->invalid_field);
    hf_assert(reply->quantity == expected->quantity);
    hf_assert(reply->quantity_confirmed == expected->quantity_confirmed);
    hf_assert(reply->sequence == expected->sequence);
    hf_assert(reply->expires_ms == expected->expires_ms);
    hf_assert(reply->available == expected->available);
    hf_assert(reply->buyer_id == expected->buyer_id);
    hf_assert(reply->user_data == expected->user_data);
    hf_assert(reply->created_ms == expected->created_ms);
}

/* The decision of the live one is compared, and done. */
static void settle(struct twins *twins, const struct stock_reply *reply,
                   const struct stock_reply *expected, struct stock_record *record,
                   const struct stock_record *expected_record)
{
    check_same_reply(reply, expected);
    check_same_record(record, expected_record);
    hf_assert(reply->seen_lsn <= twins->lsn);
    if (record->type != STOCK_RECORD_NONE)
        twins_commit(twins, record);
}

void twins_request(struct twins *twins, struct stock_request *rows, uint32_t row_count,
                   uint64_t now_ms)
{
    stock_prepare(twins->live, rows, row_count);
    for (uint32_t i = 0; i < row_count; i++) {
        struct stock_reply reply, expected;
        struct stock_record record, expected_record;
        stock_decide(twins->live, &rows[i], now_ms, &reply, &record);
        stock_model_decide(twins->model, &rows[i], now_ms, &expected, &expected_record);
        settle(twins, &reply, &expected, &record, &expected_record);
    }
}

void twins_item_create(struct twins *twins, const struct stock_item_settings *settings,
                       uint64_t now_ms)
{
    struct stock_reply reply, expected;
    struct stock_record record, expected_record;
    stock_decide_item_create(twins->live, settings, now_ms, &reply, &record);
    stock_model_decide_item_create(twins->model, settings, now_ms, &expected, &expected_record);
    settle(twins, &reply, &expected, &record, &expected_record);
}

void twins_item_update(struct twins *twins, const struct stock_item_settings *settings,
                       uint32_t update_mask, uint64_t now_ms)
{
    struct stock_reply reply, expected;
    struct stock_record record, expected_record;
    stock_decide_item_update(twins->live, settings, update_mask, now_ms, &reply, &record);
    stock_model_decide_item_update(twins->model, settings, update_mask, now_ms, &expected,
                                   &expected_record);
    settle(twins, &reply, &expected, &record, &expected_record);
}

/* ---- time ---- */

void twins_due(struct twins *twins, uint64_t now_ms, uint32_t count_max)
{
    for (uint32_t i = 0; i < count_max; i++) {
        struct stock_record record, expected;
        uint64_t due_ms = stock_next_due_ms(twins->live);
        bool is_due = stock_decide_due(twins->live, now_ms, &record);
        hf_assert(due_ms == stock_model_next_due_ms(twins->model));
        hf_assert(is_due == (due_ms <= now_ms));
        hf_assert(is_due == stock_model_decide_due(twins->model, now_ms, &expected));
        if (!is_due)
            return;
        twins_commit(twins, &record);
    }
}

/* ---- everything ---- */

static void check_same_counts(const struct stock_counts *a, const struct stock_counts *b)
{
    hf_assert(a->items == b->items && a->reservations == b->reservations);
    hf_assert(a->held == b->held && a->confirmed == b->confirmed);
    hf_assert(a->cancelled == b->cancelled && a->expired == b->expired);
    hf_assert(a->buyers == b->buyers);
    hf_assert(a->units_held == b->units_held && a->units_sold == b->units_sold);
}

void twins_check(const struct twins *twins)
{
    struct stock_counts live = stock_counts(twins->live);
    struct stock_counts replayed = stock_counts(twins->replayed);
    struct stock_counts model = stock_model_counts(twins->model);
    stock_assert_valid(twins->live);
    stock_assert_valid(twins->replayed);
    check_same_counts(&live, &replayed);
    check_same_counts(&live, &model);
    uint64_t hash = stock_hash(twins->live);
    hf_assert(hash == stock_hash(twins->replayed));
    hf_assert(hash == stock_model_hash(twins->model));
    hf_assert(stock_time_ms(twins->live) == stock_time_ms(twins->replayed));
}

void twins_drain(struct twins *twins)
{
    uint32_t reservation_count_max = twins->options.reservation_count_max;
    twins_due(twins, STOCK_TIME_MS_MAX, 2 * reservation_count_max);
    struct stock_counts counts = stock_counts(twins->live);
    uint64_t due_ms = stock_next_due_ms(twins->live);
    hf_assert(due_ms > STOCK_TIME_MS_MAX); /* what is made at the end of time is due after it */
    hf_assert(due_ms != UINT64_MAX || counts.reservations == 0);
}
