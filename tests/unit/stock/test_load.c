/* What was saved is there again after loading; what is no true state is refused, and says why. */

#include "shop.h"
#include "snapshot.h"

#include <sys/resource.h>

/* Two items, buyers with one and several holds, a reservation of each state; some are forgotten, so
 * that units sold are more than the reservations say. */
static struct shop shop_with_all(void)
{
    struct shop shop = shop_open(100);
    struct stock_item_settings other = shop_settings(STOCK_UNLIMITED);
    other.item_id = 8;
    other.paused = true;
    cr_assert_eq(shop_reserve(&shop, 9, 44, 9), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 10, 45, 1), STOCK_OK);
    cr_assert_eq(shop_confirm(&shop, 9, 8), STOCK_OK);
    shop.now_ms += SHOP_RETENTION_MS + SHOP_HOLD_MS;
    cr_assert_eq(shop_work_off(&shop), 2);
    shop.now_ms += SHOP_RETENTION_MS;
    cr_assert_eq(shop_work_off(&shop), 1);
    cr_assert_eq(shop_create(&shop, other), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 1, 41, 1), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 2, 42, 2), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 3, 43, 3), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 4, 41, 4), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 5, 0, 5), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 6, 44, 6), STOCK_OK);
    cr_assert_eq(shop_confirm(&shop, 2, 1), STOCK_OK);
    cr_assert_eq(shop_cancel(&shop, 4), STOCK_OK);
    shop.now_ms += 300;
    cr_assert_eq(shop_extend(&shop, 3, shop.now_ms + 2000), STOCK_OK);
    cr_assert_eq(shop_confirm(&shop, 6, 0), STOCK_OK);
    shop.now_ms += SHOP_HOLD_MS - 300;
    cr_assert_eq(shop_get(&shop, 1), STOCK_OK); /* overdue: it expires */
    return shop;
}

/* ---- what comes back ---- */

static void expect_same_counts(const struct stock *stock, const struct stock *expected)
{
    struct stock_counts a = stock_counts(stock);
    struct stock_counts b = stock_counts(expected);
    cr_expect_eq(memcmp(&a, &b, sizeof a), 0);
    cr_expect_eq(stock_hash(stock), stock_hash(expected));
    cr_expect_eq(stock_time_ms(stock), stock_time_ms(expected));
}

/* Both work off all that is ever due, in the same order. */
static void expect_same_future(struct stock *stock, struct stock *expected)
{
    struct stock_record record;
    struct stock_record expected_record;
    while (stock_decide_due(expected, STOCK_TIME_MS_MAX / 2, &expected_record)) {
        uint64_t due_ms = stock_next_due_ms(expected);
        cr_expect_eq(stock_next_due_ms(stock), due_ms);
        cr_assert(stock_decide_due(stock, due_ms, &record));
        cr_assert(stock_decide_due(expected, due_ms, &expected_record));
        cr_assert_eq(record.type, expected_record.type);
        cr_assert_eq(record.hold.reservation_id.low, expected_record.hold.reservation_id.low);
        stock_commit(stock, &record);
        stock_commit(expected, &expected_record);
    }
    cr_expect_eq(stock_next_due_ms(stock), UINT64_MAX);
    expect_same_counts(stock, expected);
}

Test(load, gives_the_state_that_was_saved_and_its_future)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    options.hash_key = 77;
    struct stock *stock = snapshot_open(snapshot, &options);
    expect_same_counts(stock, shop.stock);
    for (uint32_t i = 0; i < 2; i++) {
        struct stock_item_view view;
        struct stock_item_view expected;
        cr_assert(stock_item_at(stock, i, &view));
        cr_assert(stock_item_at(shop.stock, i, &expected));
        cr_expect_eq(view.changed_lsn, 0, "nobody waits for it");
        cr_expect_eq(view.settings.item_id, expected.settings.item_id);
        cr_expect_eq(view.available, expected.available);
        cr_expect_eq(view.sold, expected.sold);
        cr_expect_eq(view.created_ms, expected.created_ms);
    }
    struct stock *again = snapshot_open(snapshot, &options);
    expect_same_future(stock, again);
    stock_destroy(&stock);
    stock_destroy(&again);
    free(snapshot);
    shop_close(&shop);
}

Test(load, of_the_state_of_nothing_is_the_state_of_nothing)
{
    struct shop shop = shop_open_with(shop_options());
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    struct stock *stock = snapshot_open(snapshot, &options);
    cr_expect_eq(stock_hash(stock), 0);
    cr_expect_eq(stock_next_due_ms(stock), UINT64_MAX);
    stock_destroy(&stock);
    free(snapshot);
    shop_close(&shop);
}

Test(load, remembers_what_ended_for_the_retention_of_now_from_when_it_ended)
{
    struct shop shop = shop_open(100);
    cr_assert_eq(shop_reserve(&shop, 1, 41, 1), STOCK_OK);
    shop.now_ms += 100;
    cr_assert_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    options.retention_ms = 77777;
    struct stock *stock = snapshot_open(snapshot, &options);
    cr_expect_eq(stock_next_due_ms(stock), SHOP_START_MS + 100 + 77777);
    stock_destroy(&stock);
    options.retention_ms = 0;
    stock = snapshot_open(snapshot, &options);
    cr_expect_eq(stock_next_due_ms(stock), SHOP_START_MS + 100);
    stock_destroy(&stock);
    free(snapshot);
    shop_close(&shop);
}

Test(load, goes_on_with_the_next_sequence_and_its_limits)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    struct stock *stock = snapshot_open(snapshot, &options);
    stock_destroy(&shop.twin);
    shop.twin = stock;
    cr_assert_eq(shop_reserve(&shop, 50, 44, 1), STOCK_OK); /* the twin checks it */
    cr_assert_eq(shop_cancel(&shop, 3), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 3, 43, 3), STOCK_DUPLICATE);
    free(snapshot);
    shop_close(&shop);
}

/* ---- order of what is due ---- */

/* Six holds of two items with one deadline: by when it was set, then by item and sequence. */
Test(load, puts_equal_deadlines_in_the_order_of_their_setting_then_item_then_sequence)
{
    struct shop shop = shop_open(100);
    struct stock_item_settings other = shop_settings(100);
    other.item_id = 8;
    cr_assert_eq(shop_create(&shop, other), STOCK_OK);
    for (uint64_t id = 1; id <= 6; id++) {
        struct stock_request request = shop_request(STOCK_OP_RESERVE, id);
        request.item_id = id % 2 == 0 ? SHOP_ITEM : 8;
        request.quantity = 1;
        cr_assert_eq(shop_ask(&shop, request), STOCK_OK);
    }
    shop.now_ms += 10;
    cr_assert_eq(shop_extend(&shop, 2, shop.now_ms + SHOP_HOLD_MS), STOCK_OK);
    shop.now_ms += 10;
    struct stock_request request = shop_request(STOCK_OP_EXTEND, 1);
    request.item_id = 8;
    request.expires_ms = shop.now_ms - 10 + SHOP_HOLD_MS; /* set later to the same moment */
    cr_assert_eq(shop_ask(&shop, request), STOCK_OK);
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    struct stock *stock = snapshot_open(snapshot, &options);
    static const uint64_t order[] = {4, 6, 3, 5, 2, 1};
    for (uint32_t i = 0; i < 6; i++) {
        struct stock_record record;
        cr_assert(stock_decide_due(stock, SHOP_START_MS + 10 + SHOP_HOLD_MS, &record));
        cr_expect_eq(record.hold.reservation_id.low, order[i]);
        stock_commit(stock, &record);
    }
    stock_destroy(&stock);
    free(snapshot);
    shop_close(&shop);
}

/* ---- a part of it ---- */

static bool is_item(const void *context, uint64_t item_id)
{
    const uint64_t *wanted = context;
    return item_id == *wanted;
}

/* The entries go to two stocks, as to two cores. */
Test(load, takes_the_items_that_are_wanted_with_what_refers_to_them)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    static const uint64_t items[] = {SHOP_ITEM, 8};
    uint64_t hash = 0;
    uint64_t reservations = 0;
    for (uint32_t i = 0; i < 2; i++) {
        struct stock_options options = shop_options();
        options.item_count_max = 1;
        uint32_t refused_index = 0;
        struct stock *stock = stock_create(&options);
        const struct stock_wanted wanted = {is_item, &items[i]};
        stock_load_begin(stock);
        cr_assert_null(snapshot_load_into(snapshot, stock, wanted, 3, &refused_index));
        cr_assert(stock_load_end(stock));
        stock_assert_valid(stock);
        cr_expect_eq(stock_counts(stock).items, 1);
        cr_expect_eq(stock_time_ms(stock), stock_time_ms(shop.stock), "the time is everybody's");
        hash += stock_hash(stock);
        reservations += stock_counts(stock).reservations;
        stock_destroy(&stock);
    }
    cr_expect_eq(hash, stock_hash(shop.stock));
    cr_expect_eq(reservations, stock_counts(shop.stock).reservations);
    free(snapshot);
    shop_close(&shop);
}

Test(load, of_several_snapshots_adds_them_up)
{
    struct shop first = shop_with_all();
    struct shop second = shop_open_with(shop_options());
    struct stock_item_settings settings = shop_settings(50);
    settings.item_id = 55;
    second.now_ms += 100000;
    cr_assert_eq(shop_create(&second, settings), STOCK_OK);
    struct stock_request request = shop_request(STOCK_OP_RESERVE, 1);
    request.item_id = 55;
    request.buyer_id = 41;
    request.quantity = 1;
    cr_assert_eq(shop_ask(&second, request), STOCK_OK);
    struct snapshot *snapshots[] = {snapshot_of(first.stock), snapshot_of(second.stock)};
    struct stock_options options = shop_options();
    struct stock *stock = stock_create(&options);
    uint32_t refused_index = 0;
    stock_load_begin(stock);
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_null(snapshot_load_into(snapshots[i], stock, snapshot_all, 100, &refused_index));
    cr_assert(stock_load_end(stock));
    stock_assert_valid(stock);
    cr_expect_eq(stock_hash(stock), stock_hash(first.stock) + stock_hash(second.stock));
    cr_expect_eq(stock_time_ms(stock), second.now_ms);
    stock_destroy(&stock);
    free(snapshots[0]);
    free(snapshots[1]);
    shop_close(&first);
    shop_close(&second);
}

/* ---- what is refused ---- */

/* Loads into tables that are as large as they have to be, or other ones. */
static const char *why_refused_with(const struct snapshot *snapshot,
                                    const struct stock_options *options)
{
    uint32_t refused_index = 0;
    struct stock *stock = stock_create(options);
    cr_assert_not_null(stock);
    stock_load_begin(stock);
    const char *problem = snapshot_load_into(snapshot, stock, snapshot_all, 100, &refused_index);
    if (problem == NULL) {
        cr_assert(stock_load_end(stock));
        stock_assert_valid(stock);
    }
    stock_destroy(&stock);
    return problem == NULL ? "" : problem;
}

static const char *why_refused(const struct snapshot *snapshot)
{
    struct stock_options options = shop_options();
    return why_refused_with(snapshot, &options);
}

/* A field of one entry, a value, and what is said of it when counts and hash are made to fit. */
struct lie {
    uint8_t type;
    uint8_t number; /* of the entries of this type */
    uint16_t offset;
    uint8_t bytes;
    uint64_t value;
    const char *text; /* "" = it may be so */
};
#define ITEM(number, field, value, text)                                                           \
    {                                                                                              \
        STOCK_ENTRY_ITEM, number, offsetof(struct stock_entry, item.field),                        \
            sizeof(((struct stock_entry *)NULL)->item.field), (uint64_t)(value), text              \
    }
#define BUYER(number, field, value, text)                                                          \
    {                                                                                              \
        STOCK_ENTRY_BUYER, number, offsetof(struct stock_entry, buyer.field),                      \
            sizeof(((struct stock_entry *)NULL)->buyer.field), (uint64_t)(value), text             \
    }
#define RESERVATION(number, field, value, text)                                                    \
    {                                                                                              \
        STOCK_ENTRY_RESERVATION, number, offsetof(struct stock_entry, reservation.field),          \
            sizeof(((struct stock_entry *)NULL)->reservation.field), (uint64_t)(value), text       \
    }

/* What shop_with_all() has, by number:
 *
 *     items         0  7: 8 held, 15 sold, 8 of those forgotten     1  8: unlimited, nothing held
 *     buyers        0  44: 14 sold, 8 forgotten   1  42: 1 sold   2  43: 3 held
 *     reservations  0  confirmed, 1 of 2 of buyer 42   1  expired   2  held by buyer 43, extended
 *                   3  cancelled   4  held by nobody   5  confirmed, 6 of buyer 44
 */
#define MADE_MS  (SHOP_START_MS + 2 * SHOP_RETENTION_MS + SHOP_HOLD_MS) /* the reservations */
#define SAVED_MS (MADE_MS + SHOP_HOLD_MS)
#define LATE     "reservation ended at a time that does not fit its deadline"
#define SETTINGS "item settings are out of range"

static const struct lie lies[] = {
    ITEM(0, settings.item_id, 0, SETTINGS),
    ITEM(0, settings.hold_ms, 0, SETTINGS),
    ITEM(0, settings.stock, -2, SETTINGS),
    ITEM(0, settings.stock, 100, ""),
    ITEM(0, settings.stock, 23, ""),
    ITEM(0, settings.stock, 22, "more units held and sold than there are"),
    ITEM(0, settings.stock, -1, ""),
    ITEM(0, settings.item_id, 8, "item exists already"),
    ITEM(0, settings.item_id, 9, "buyer of an unknown item"),
    ITEM(0, created_ms, STOCK_TIME_MS_MAX + 1, "time is out of range"),
    ITEM(0, created_ms, STOCK_TIME_MS_MAX, "time of the snapshot is out of range"),
    ITEM(0, next_sequence, 0, "item's next sequence is out of range"),
    ITEM(0, next_sequence, 8, "reservation has a sequence that its item has not given out"),
    ITEM(0, next_sequence, 9, ""),
    ITEM(0, next_sequence, 1ull << 60, ""),
    ITEM(0, next_sequence, (1ull << 60) + 1, "item's next sequence is out of range"),
    ITEM(0, held, 9, "units held of an item are not those of its reservations"),
    ITEM(0, held, 7, "units held of an item are not those of its reservations"),
    ITEM(0, sold, 6, "fewer units of an item sold than its reservations say"),
    ITEM(0, sold, 7, ""),
    ITEM(1, sold, INT64_MAX, ""),
    ITEM(1, sold, 1ull << 63, "item's units are out of range"),
    ITEM(1, held, 1ull << 63, "item's units are out of range"),
    ITEM(1, held, 1, "units held of an item are not those of its reservations"),
    BUYER(0, item_id, 9, "buyer of an unknown item"),
    BUYER(0, buyer_id, 0, "buyer without an id"),
    BUYER(0, buyer_id, 43, "buyer exists already"),
    BUYER(0, units_sold, 7, ""),
    BUYER(0, units_sold, UINT32_MAX, ""),
    BUYER(0, units_held, 1, "what a buyer holds is not what the reservations say"),
    BUYER(0, open_holds, 1, "what a buyer holds is not what the reservations say"),
    BUYER(0, units_sold, 0, "buyer without units"),
    BUYER(2, units_held, 0, "buyer without units"),
    BUYER(2, units_held, 2, "what a buyer holds is not what the reservations say"),
    BUYER(2, open_holds, 2, "what a buyer holds is not what the reservations say"),
    BUYER(2, units_sold, UINT32_MAX - 3, ""),
    BUYER(2, units_sold, UINT32_MAX - 2, "buyer has more units than can be counted"),
    BUYER(0, units_sold, 5, "fewer units sold to a buyer than the reservations say"),
    RESERVATION(0, hold.item_id, 9, "reservation of an unknown item"),
    RESERVATION(0, hold.item_id, 8, "reservation has a sequence that its item has not given out"),
    RESERVATION(0, hold.reservation_id.low, 1, "reservation exists already"),
    RESERVATION(0, hold.buyer_id, 41, "reservation of an unknown buyer"),
    RESERVATION(0, hold.buyer_id, 0, ""),
    RESERVATION(0, hold.user_data, 1, ""),
    RESERVATION(0, hold.quantity, 0, "quantity is out of range"),
    RESERVATION(0, hold.quantity, 1, ""),
    RESERVATION(0, hold.quantity, STOCK_QUANTITY_MAX, ""),
    RESERVATION(0, hold.quantity, STOCK_QUANTITY_MAX + 1, "quantity is out of range"),
    RESERVATION(0, hold.quantity_confirmed, 0, "quantity confirmed is out of range"),
    RESERVATION(0, hold.quantity_confirmed, 3, "quantity confirmed is out of range"),
    RESERVATION(0, hold.quantity_confirmed, 2,
                "fewer units sold to a buyer than the reservations say"),
    RESERVATION(0, hold.sequence, 0, "reservation without a sequence"),
    RESERVATION(0, hold.sequence, 9, "reservation has a sequence that its item has not given out"),
    RESERVATION(0, state, STOCK_STATE_NONE, "unknown state of a reservation"),
    RESERVATION(0, state, STOCK_STATE_EXPIRED + 1, "unknown state of a reservation"),
    RESERVATION(0, state, STOCK_STATE_HELD, "quantity confirmed of a hold is out of range"),
    RESERVATION(0, state, STOCK_STATE_CANCELLED, "quantity confirmed is out of range"),
    RESERVATION(0, state, STOCK_STATE_EXPIRED, LATE),
    RESERVATION(0, hold.expires_ms, MADE_MS, "deadline is out of range"),
    RESERVATION(0, hold.expires_ms, MADE_MS + 1, ""),
    RESERVATION(0, hold.expires_ms, STOCK_TIME_MS_MAX + STOCK_HOLD_MS_MAX, ""),
    RESERVATION(0, hold.expires_ms, STOCK_TIME_MS_MAX + STOCK_HOLD_MS_MAX + 1,
                "deadline is out of range"),
    RESERVATION(0, set_ms, MADE_MS - 1, "change of a reservation before it was made"),
    RESERVATION(0, set_ms, MADE_MS + SHOP_HOLD_MS - 1, ""),
    RESERVATION(0, set_ms, MADE_MS + SHOP_HOLD_MS, LATE),
    RESERVATION(0, created_ms, MADE_MS + 1, "change of a reservation before it was made"),
    RESERVATION(0, created_ms, 0, ""),
    RESERVATION(1, hold.buyer_id, 0, ""),
    RESERVATION(1, hold.buyer_id, 99, ""),
    RESERVATION(1, set_ms, SAVED_MS - 1, LATE),
    RESERVATION(1, set_ms, SAVED_MS + 1, "time of the snapshot is out of range"),
    RESERVATION(1, set_ms, STOCK_TIME_MS_MAX + 1, "time is out of range"),
    RESERVATION(1, hold.quantity_confirmed, 1, "quantity confirmed is out of range"),
    RESERVATION(2, hold.buyer_id, 0, "what a buyer holds is not what the reservations say"),
    RESERVATION(2, hold.buyer_id, 42, "what a buyer holds is not what the reservations say"),
    RESERVATION(2, hold.buyer_id, 41, "reservation of an unknown buyer"),
    RESERVATION(2, hold.quantity, 2, "units held of an item are not those of its reservations"),
    RESERVATION(2, hold.quantity_confirmed, 1, "quantity confirmed of a hold is out of range"),
    RESERVATION(2, hold.expires_ms, MADE_MS + 300, "hold time is out of range"),
    RESERVATION(2, hold.expires_ms, MADE_MS + 301, ""),
    RESERVATION(2, hold.expires_ms, MADE_MS + 300 + STOCK_HOLD_MS_MAX, ""),
    RESERVATION(2, hold.expires_ms, MADE_MS + 301 + STOCK_HOLD_MS_MAX, "hold time is out of range"),
    RESERVATION(2, state, STOCK_STATE_CANCELLED,
                "units held of an item are not those of its reservations"),
    RESERVATION(2, state, STOCK_STATE_CONFIRMED, "quantity confirmed is out of range"),
    RESERVATION(3, state, STOCK_STATE_HELD, "reservation of an unknown buyer"),
    RESERVATION(3, hold.reservation_id.high, 0, ""),
    RESERVATION(4, hold.item_id, 8, "reservation has a sequence that its item has not given out"),
};

static void tell(struct stock_entry *entry, const struct lie *lie)
{
    memcpy((uint8_t *)entry + lie->offset, &lie->value, lie->bytes);
}

Test(load, of_what_is_not_true_is_refused_by_its_name)
{
    struct shop shop = shop_with_all();
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct snapshot *snapshot = snapshot_of(shop.stock);
        tell(snapshot_find(snapshot, lies[i].type, lies[i].number), &lies[i]);
        snapshot_count_again(snapshot);
        const char *text = why_refused(snapshot);
        cr_expect_str_eq(text, lies[i].text, "number %zu: \"%s\"", i, text);
        free(snapshot);
    }
    shop_close(&shop);
}

Test(load, of_a_reservation_without_an_id_is_refused)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    snapshot_find(snapshot, STOCK_ENTRY_RESERVATION, 3)->reservation.hold.reservation_id =
        (struct id128){0, 0};
    snapshot_count_again(snapshot);
    cr_expect_str_eq(why_refused(snapshot), "reservation without an id");
    free(snapshot);
    shop_close(&shop);
}

Test(load, of_more_units_of_a_buyer_than_can_be_counted_is_refused)
{
    struct shop shop = shop_with_all();
    struct snapshot *source = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    options.reservation_count_max = 8000;
    enum { HOLDS = 4295 };
    struct stock *stock = stock_create(&options);
    uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
    uint32_t refused_index;
    struct stock_entry *hold = snapshot_find(source, STOCK_ENTRY_RESERVATION, 2);
    hold->reservation.hold.quantity = STOCK_QUANTITY_MAX;
    stock_load_begin(stock);
    cr_assert(stock_load_snapshot_begin(stock, snapshot_all));
    for (uint32_t i = 0; source->entries[i].type != STOCK_ENTRY_RESERVATION; i++) {
        uint32_t count = stock_entry_encode(&source->entries[i], bytes);
        cr_assert_null(stock_load_entries(stock, bytes, count, 1, &refused_index));
    }
    for (uint32_t i = 1; i <= HOLDS; i++) {
        hold->reservation.hold.reservation_id.high = i;
        uint32_t count = stock_entry_encode(hold, bytes);
        const char *problem = stock_load_entries(stock, bytes, count, 1, &refused_index);
        cr_assert_eq(problem == NULL, i < HOLDS, "hold %u", i);
        if (problem != NULL)
            cr_expect_str_eq(problem, "buyer has more units than can be counted");
    }
    stock_destroy(&stock);
    free(source);
    shop_close(&shop);
}

Test(load, of_other_sums_than_expected_is_refused)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_saved saved = snapshot->saved;
    static const char number[] = "snapshot has another number of entries than it says";
    static const char late[] = "time of the snapshot is out of range";
    snapshot->saved.item_count++;
    cr_expect_str_eq(why_refused(snapshot), number);
    snapshot->saved = saved;
    snapshot->saved.buyer_count--;
    cr_expect_str_eq(why_refused(snapshot), number);
    snapshot->saved = saved;
    snapshot->saved.reservation_count = 0;
    cr_expect_str_eq(why_refused(snapshot), number);
    snapshot->saved = saved;
    snapshot->saved.state_hash ^= 1;
    cr_expect_str_eq(why_refused(snapshot), "snapshot has another state hash than it says");
    snapshot->saved = saved;
    snapshot->saved.time_ms = STOCK_TIME_MS_MAX + 1;
    cr_expect_str_eq(why_refused(snapshot), late);
    snapshot->saved.time_ms = SAVED_MS - 1;
    cr_expect_str_eq(why_refused(snapshot), late);
    snapshot->saved.time_ms = STOCK_TIME_MS_MAX;
    cr_expect_str_eq(why_refused(snapshot), "");
    free(snapshot);
    shop_close(&shop);
}

/* Leaves out each entry, doubles it, or puts it in front of all. Where the others stand without it,
 * the counts tell. */
Test(load, of_missing_doubled_and_reordered_entries_is_refused)
{
    struct shop shop = shop_with_all();
    struct snapshot *whole = snapshot_of(shop.stock);
    for (uint32_t i = 0; i < whole->entry_count; i++) {
        struct snapshot *snapshot = snapshot_of(shop.stock);
        struct stock_entry entry = snapshot->entries[i];
        memmove(&snapshot->entries[i], &snapshot->entries[i + 1],
                (snapshot->entry_count - i - 1) * sizeof entry);
        snapshot->entry_count--;
        cr_expect_str_neq(why_refused(snapshot), "", "without entry %u", i);
        snapshot->entry_count++;
        memmove(&snapshot->entries[1], &snapshot->entries[0],
                (snapshot->entry_count - 1) * sizeof entry);
        snapshot->entries[0] = entry;
        cr_expect_eq(why_refused(snapshot)[0] == '\0', entry.type == STOCK_ENTRY_ITEM,
                     "entry %u first", i);
        memcpy(snapshot->entries, whole->entries, sizeof whole->entries);
        snapshot->entries[snapshot->entry_count++] = entry;
        snapshot_count_again(snapshot);
        const char *text = why_refused(snapshot);
        cr_expect(strstr(text, "exists already") != NULL, "entry %u twice: %s", i, text);
        free(snapshot);
    }
    free(whole);
    shop_close(&shop);
}

Test(load, of_what_refers_to_an_item_of_an_earlier_snapshot_is_refused)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    for (int type = STOCK_ENTRY_BUYER; type <= STOCK_ENTRY_RESERVATION; type++) {
        uint32_t refused_index = 0;
        struct stock *stock = stock_create(&options);
        stock_load_begin(stock);
        cr_assert_null(snapshot_load_into(snapshot, stock, snapshot_all, 100, &refused_index));
        struct snapshot *later = calloc(1, sizeof *later);
        later->entries[later->entry_count++] = *snapshot_find(snapshot, type, 0);
        later->entries[0].buyer.buyer_id += type == STOCK_ENTRY_BUYER ? 1000 : 0;
        const char *problem = snapshot_load_into(later, stock, snapshot_all, 1, &refused_index);
        cr_expect(problem != NULL && strstr(problem, "of an unknown item") != NULL);
        stock_destroy(&stock);
        free(later);
    }
    free(snapshot);
    shop_close(&shop);
}

Test(load, into_tables_that_are_too_small_says_so)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = {
        .item_count_max = 2, .reservation_count_max = 6, .buyer_count_max = 3, .hash_key = 5};
    cr_expect_str_eq(why_refused_with(snapshot, &options), "");
    options.item_count_max = 1;
    cr_expect_eq(why_refused_with(snapshot, &options), stock_check_full);
    options.item_count_max = 2;
    options.reservation_count_max = 5;
    cr_expect_eq(why_refused_with(snapshot, &options), stock_check_full);
    options.reservation_count_max = 6;
    options.buyer_count_max = 2;
    cr_expect_eq(why_refused_with(snapshot, &options), stock_check_full);
    free(snapshot);
    shop_close(&shop);
}

/* ---- bytes ---- */

struct piece {
    uint8_t bytes[SNAPSHOT_ENTRY_COUNT_MAX * STOCK_ENTRY_BYTES_MAX];
    uint32_t count;
    uint32_t entry_count;
};

static struct piece *piece_of(const struct snapshot *snapshot)
{
    struct piece *piece = calloc(1, sizeof *piece);
    cr_assert_not_null(piece);
    for (uint32_t i = 0; i < snapshot->entry_count; i++)
        piece->count += stock_entry_encode(&snapshot->entries[i], piece->bytes + piece->count);
    piece->entry_count = snapshot->entry_count;
    return piece;
}

static void expect_piece_refused(const struct piece *piece, const char *text, uint32_t index)
{
    struct stock_options options = shop_options();
    struct stock *stock = stock_create(&options);
    uint32_t refused_index = UINT32_MAX;
    stock_load_begin(stock);
    cr_assert(stock_load_snapshot_begin(stock, snapshot_all));
    uint8_t *exact = malloc(piece->count + 1);
    memcpy(exact, piece->bytes, piece->count);
    const char *problem =
        stock_load_entries(stock, exact, piece->count, piece->entry_count, &refused_index);
    cr_assert_not_null(problem);
    cr_expect_str_eq(problem, text);
    cr_expect_eq(refused_index, index);
    free(exact);
    stock_destroy(&stock);
}

Test(load, of_bytes_that_are_no_entries_is_refused_at_the_entry_where_they_begin)
{
    static const char unfilled[] = "entries do not fill their bytes";
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct piece *piece = piece_of(snapshot);
    uint32_t last = piece->entry_count - 1;
    piece->count -= 8;
    expect_piece_refused(piece, unfilled, last);
    piece->count -= 73; /* less than a header is left of the last one */
    expect_piece_refused(piece, unfilled, last);
    piece->count += 81;
    piece->entry_count = last;
    expect_piece_refused(piece, unfilled, last);
    piece->entry_count = last + 2;
    expect_piece_refused(piece, unfilled, last + 1);
    piece->entry_count = last + 1;
    piece->bytes[piece->count - 88] = 0;
    expect_piece_refused(piece, unfilled, last);
    piece->bytes[piece->count - 88] = 80;
    expect_piece_refused(piece, "reservation has the wrong length", last);
    piece->bytes[2] = 1;
    expect_piece_refused(piece, "unknown type of entry", 0);
    free(piece);
    free(snapshot);
    shop_close(&shop);
}

/* A batch that ends early is worked off before it is told why. */
Test(load, of_an_untrue_entry_is_refused_before_later_bytes_that_are_none)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    snapshot->entries[1].item.settings.stock = -2;
    struct piece *piece = piece_of(snapshot);
    piece->count -= 8;
    expect_piece_refused(piece, SETTINGS, 1);
    free(piece);
    free(snapshot);
    shop_close(&shop);
}

/* ---- memory ---- */

static void with_memory(bool is_there, struct rlimit *kept)
{
    if (is_there) {
        cr_assert_eq(setrlimit(RLIMIT_AS, kept), 0);
        return;
    }
    cr_assert_eq(getrlimit(RLIMIT_AS, kept), 0);
    const struct rlimit nothing = {.rlim_cur = 4096, .rlim_max = kept->rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_AS, &nothing), 0);
}

Test(load, without_memory_says_so_and_can_be_tried_again)
{
    struct shop shop = shop_with_all();
    struct snapshot *snapshot = snapshot_of(shop.stock);
    struct stock_options options = shop_options();
    struct stock *stock = stock_create(&options);
    uint32_t refused_index = 0;
    struct rlimit limit;
    stock_load_begin(stock);
    with_memory(false, &limit);
    bool has_begun = stock_load_snapshot_begin(stock, snapshot_all);
    with_memory(true, &limit);
    cr_expect_not(has_begun);
    cr_assert_null(snapshot_load_into(snapshot, stock, snapshot_all, 100, &refused_index));
    with_memory(false, &limit);
    bool has_ended = stock_load_end(stock);
    with_memory(true, &limit);
    cr_expect_not(has_ended);
    cr_assert(stock_load_end(stock));
    stock_assert_valid(stock);
    cr_expect_eq(stock_hash(stock), snapshot->saved.state_hash);
    stock_destroy(&stock);
    free(snapshot);
    shop_close(&shop);
}
