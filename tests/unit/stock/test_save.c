/* What is saved is the state of the moment at which it began, each entry once, whatever happens
 * between the steps. */

#include "shop.h"
#include "snapshot.h"

#include "random.h"

enum { PAGE_BYTES = 8192 };

/* A save that goes step by step into pages of its own. */
struct saving {
    struct shop *shop;
    struct snapshot *snapshot;
    struct stock_page page;
    struct stock_saved expected;
};

static struct stock_saved sums_of(const struct stock *stock)
{
    struct stock_counts counts = stock_counts(stock);
    return (struct stock_saved){
        .item_count = counts.items,
        .buyer_count = counts.buyers,
        .reservation_count = counts.reservations,
        .state_hash = stock_hash(stock),
        .time_ms = stock_time_ms(stock),
    };
}

static void saving_begin(struct saving *saving, struct shop *shop)
{
    *saving = (struct saving){.shop = shop, .expected = sums_of(shop->stock)};
    saving->snapshot = calloc(1, sizeof *saving->snapshot);
    saving->page = (struct stock_page){.to = malloc(PAGE_BYTES), .bytes_max = PAGE_BYTES};
    cr_assert(saving->snapshot != NULL && saving->page.to != NULL);
    cr_expect_not(stock_is_saving(shop->stock));
    stock_save_begin(shop->stock, &saving->page);
    cr_expect(stock_is_saving(shop->stock));
}

/* Another page takes the place of this one. */
static void saving_turn_page(struct saving *saving)
{
    snapshot_take_page(saving->snapshot, &saving->page);
    free(saving->page.to);
    saving->page = (struct stock_page){.to = malloc(PAGE_BYTES), .bytes_max = PAGE_BYTES};
    cr_assert_not_null(saving->page.to);
}

/* One entry, or so many of one page. */
static bool saving_step(struct saving *saving, uint32_t bytes)
{
    if (saving->page.bytes + bytes > PAGE_BYTES - 1024)
        saving_turn_page(saving);
    uint32_t target = saving->page.bytes + bytes;
    bool is_complete = stock_save_step(saving->shop->stock, target);
    cr_assert(saving->page.bytes <= target);
    return is_complete;
}

/* References come behind what they name. */
static void expect_order(const struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->entry_count; i++) {
        const struct stock_entry *entry = &snapshot->entries[i];
        bool has_item = entry->type == STOCK_ENTRY_ITEM;
        bool has_buyer = entry->type != STOCK_ENTRY_RESERVATION ||
                         entry->reservation.hold.buyer_id == 0 ||
                         entry->reservation.state > STOCK_STATE_CONFIRMED;
        for (uint32_t k = 0; k < i; k++) {
            const struct stock_entry *before = &snapshot->entries[k];
            has_item |= before->type == STOCK_ENTRY_ITEM;
            has_buyer |= before->type == STOCK_ENTRY_BUYER && !has_buyer &&
                         before->buyer.buyer_id == entry->reservation.hold.buyer_id;
        }
        cr_expect(has_item && has_buyer, "entry %u refers to what did not come before", i);
    }
}

/* Takes the rest, and compares with the moment of the beginning. The shop is closed too. */
static struct snapshot *saving_end(struct saving *saving)
{
    struct stock_saved saved;
    while (!saving_step(saving, 1000))
        ;
    cr_expect(stock_save_step(saving->shop->stock, 0), "it stays complete");
    snapshot_take_page(saving->snapshot, &saving->page);
    free(saving->page.to);
    stock_save_end(saving->shop->stock, &saved);
    cr_expect_not(stock_is_saving(saving->shop->stock));
    cr_expect_eq(saved.item_count, saving->expected.item_count);
    cr_expect_eq(saved.buyer_count, saving->expected.buyer_count);
    cr_expect_eq(saved.reservation_count, saving->expected.reservation_count);
    cr_expect_eq(saved.state_hash, saving->expected.state_hash);
    cr_expect_eq(saved.time_ms, saving->expected.time_ms);
    expect_order(saving->snapshot);
    saving->snapshot->saved = saved;
    snapshot_count_again(saving->snapshot);
    cr_expect_eq(saving->snapshot->saved.state_hash, saved.state_hash, "each entry once");
    return saving->snapshot;
}

Test(save, of_nothing_is_complete_with_the_first_step)
{
    struct shop shop = shop_open_with(shop_options());
    struct saving saving;
    saving_begin(&saving, &shop);
    cr_expect(saving_step(&saving, STOCK_ENTRY_BYTES_MAX));
    cr_expect_eq(saving.page.bytes, 0);
    free(saving_end(&saving));
    shop_close(&shop);
}

/* One item, three buyers, a hold of each state and an anonymous one. */
static struct shop shop_with_all(void)
{
    struct shop shop = shop_open(100);
    cr_assert_eq(shop_reserve(&shop, 1, 41, 1), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 2, 42, 2), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 3, 43, 3), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 4, 41, 4), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 5, 0, 5), STOCK_OK);
    cr_assert_eq(shop_confirm(&shop, 2, 1), STOCK_OK);
    cr_assert_eq(shop_cancel(&shop, 4), STOCK_OK);
    shop.now_ms += 500;
    cr_assert_eq(shop_extend(&shop, 3, shop.now_ms + 2000), STOCK_OK);
    return shop;
}

Test(save, tells_when_deadlines_were_set_and_holds_ended)
{
    struct shop shop = shop_with_all();
    shop.now_ms = SHOP_START_MS + SHOP_HOLD_MS + 7;
    cr_assert_eq(shop_get(&shop, 1), STOCK_OK); /* overdue: it expires */
    struct snapshot *snapshot = snapshot_of(shop.stock);
    static const struct {
        uint8_t state;
        uint64_t set_ms;
    } expected[] = {
        {STOCK_STATE_EXPIRED, SHOP_START_MS + SHOP_HOLD_MS + 7},
        {STOCK_STATE_CONFIRMED, SHOP_START_MS},
        {STOCK_STATE_HELD, SHOP_START_MS + 500},
        {STOCK_STATE_CANCELLED, SHOP_START_MS},
        {STOCK_STATE_HELD, SHOP_START_MS},
    };
    for (uint32_t i = 0; i < 5; i++) {
        const struct stock_entry *entry = snapshot_find(snapshot, STOCK_ENTRY_RESERVATION, i);
        cr_expect_eq(entry->reservation.hold.reservation_id.low, i + 1);
        cr_expect_eq(entry->reservation.state, expected[i].state);
        cr_expect_eq(entry->reservation.set_ms, expected[i].set_ms);
        cr_expect_eq(entry->reservation.created_ms, SHOP_START_MS);
    }
    free(snapshot);
    shop_close(&shop);
}

Test(save, goes_on_in_steps_of_one_entry)
{
    struct shop shop = shop_with_all();
    struct saving saving;
    saving_begin(&saving, &shop);
    for (uint32_t i = 1; i <= 9; i++) {
        cr_expect_eq(saving_step(&saving, STOCK_ENTRY_BYTES_MAX), i == 9, "step %u", i);
        cr_expect_eq(saving.page.entry_count, i);
    }
    free(saving_end(&saving));
    shop_close(&shop);
}

Test(save, writes_nothing_when_no_entry_fits_below_the_target)
{
    struct shop shop = shop_with_all();
    struct saving saving;
    saving_begin(&saving, &shop);
    cr_expect_not(stock_save_step(shop.stock, STOCK_ENTRY_BYTES_MAX - 1));
    cr_expect_not(stock_save_step(shop.stock, 0));
    cr_expect_eq(saving.page.bytes, 0);
    free(saving_end(&saving));
    shop_close(&shop);
}

Test(save, of_more_than_fits_a_step_or_a_page_is_whole)
{
    struct stock_options options = shop_options();
    options.item_count_max = 40;
    options.reservation_count_max = 200;
    options.buyer_count_max = 200;
    struct shop shop = shop_open_with(options);
    for (uint64_t item_id = 1; item_id <= 40; item_id++) {
        struct stock_item_settings settings = shop_settings(100);
        settings.item_id = item_id;
        cr_assert_eq(shop_create(&shop, settings), STOCK_OK);
    }
    for (uint64_t id = 1; id <= 200; id++) {
        struct stock_request request = shop_request(STOCK_OP_RESERVE, id);
        request.item_id = 1 + id % 40;
        request.buyer_id = id;
        request.quantity = 1;
        cr_assert_eq(shop_ask(&shop, request), STOCK_OK);
    }
    struct saving saving;
    saving_begin(&saving, &shop);
    struct snapshot *snapshot = saving_end(&saving);
    cr_expect_eq(snapshot->entry_count, 440);
    struct stock *loaded = snapshot_open(snapshot, &options);
    cr_expect_eq(stock_hash(loaded), stock_hash(shop.stock));
    stock_destroy(&loaded);
    free(snapshot);
    shop_close(&shop);
}

/* One change of each kind, at each moment of a save. */
typedef void (*change_fn)(struct shop *shop);

static void change_update(struct shop *shop)
{
    struct stock_item_settings settings = shop_settings(200);
    cr_assert_eq(shop_update(shop, settings, STOCK_UPDATE_STOCK), STOCK_OK);
}

static void change_create(struct shop *shop)
{
    struct stock_item_settings settings = shop_settings(200);
    settings.item_id = 99;
    cr_assert_eq(shop_create(shop, settings), STOCK_OK);
}

static void change_hold_of_new_buyer(struct shop *shop)
{
    cr_assert_eq(shop_reserve(shop, 100, 99, 1), STOCK_OK);
}

static void change_hold_of_known_buyer(struct shop *shop)
{
    cr_assert_eq(shop_reserve(shop, 100, 43, 1), STOCK_OK);
}

static void change_hold_of_nobody(struct shop *shop)
{
    cr_assert_eq(shop_reserve(shop, 100, 0, 1), STOCK_OK);
}

static void change_confirm(struct shop *shop)
{
    cr_assert_eq(shop_confirm(shop, 1, 0), STOCK_OK);
}

static void change_cancel_of_the_only_hold(struct shop *shop)
{
    cr_assert_eq(shop_cancel(shop, 3), STOCK_OK);
}

static void change_extend(struct shop *shop)
{
    cr_assert_eq(shop_extend(shop, 1, shop->now_ms + 3000), STOCK_OK);
}

static void change_expire_all(struct shop *shop)
{
    shop->now_ms += 2000;
    cr_assert_eq(shop_work_off(shop), 3);
}

static void change_forget_all_that_ended(struct shop *shop)
{
    shop->now_ms = SHOP_START_MS + SHOP_RETENTION_MS;
    cr_assert_eq(shop_work_off(shop), 5); /* three expire, two are forgotten */
}

/* Slots that are given back are taken again, buyers' too. */
static void change_everything(struct shop *shop)
{
    shop->now_ms += 20000;
    while (shop_work_off(shop) > 0)
        shop->now_ms += 20000;
    for (uint64_t id = 200; id < 212; id++)
        cr_assert_eq(shop_reserve(shop, id, id % 7, 1), STOCK_OK);
}

static const change_fn changes[] = {
    change_update,
    change_create,
    change_hold_of_new_buyer,
    change_hold_of_known_buyer,
    change_hold_of_nobody,
    change_confirm,
    change_cancel_of_the_only_hold,
    change_extend,
    change_expire_all,
    change_forget_all_that_ended,
    change_everything,
};
enum { CHANGE_COUNT = sizeof changes / sizeof changes[0], MOMENT_COUNT = 11 };

Test(save, of_what_changes_meanwhile_is_as_it_was)
{
    for (uint32_t change = 0; change < CHANGE_COUNT; change++) {
        for (uint32_t moment = 0; moment < MOMENT_COUNT; moment++) {
            struct shop shop = shop_with_all();
            struct saving saving;
            saving_begin(&saving, &shop);
            for (uint32_t i = 0; i < moment; i++)
                saving_step(&saving, STOCK_ENTRY_BYTES_MAX);
            changes[change](&shop);
            struct snapshot *snapshot = saving_end(&saving);
            struct stock_options options = shop_options();
            struct stock *loaded = snapshot_open(snapshot, &options);
            cr_expect_eq(stock_hash(loaded), saving.expected.state_hash, "change %u, moment %u",
                         change, moment);
            stock_destroy(&loaded);
            free(snapshot);
            shop_close(&shop);
        }
    }
}

Test(save, of_a_free_slot_that_is_taken_meanwhile_has_nothing_of_it)
{
    struct shop shop = shop_with_all();
    shop.now_ms += 20000;
    shop_work_off(&shop); /* all have ended */
    shop.now_ms += 20000;
    shop_work_off(&shop); /* and are forgotten: all slots are free, one buyer has units */
    struct saving saving;
    saving_begin(&saving, &shop);
    cr_assert_eq(shop_reserve(&shop, 100, 99, 1), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 101, 0, 1), STOCK_OK);
    struct snapshot *snapshot = saving_end(&saving);
    cr_expect_eq(snapshot->entry_count, 2);
    free(snapshot);
    snapshot = snapshot_of(shop.stock);
    cr_expect_eq(snapshot->entry_count, 5, "no bit stays behind");
    free(snapshot);
    shop_close(&shop);
}

Test(save, passes_only_as_many_free_slots_in_a_step_as_its_bytes_allow)
{
    struct shop shop = shop_open(100);
    for (uint64_t id = 1; id <= 60; id++)
        cr_assert_eq(shop_reserve(&shop, id, 0, 1), STOCK_OK);
    shop.now_ms += 20000;
    shop_work_off(&shop);
    shop.now_ms += 20000;
    shop_work_off(&shop);
    struct saving saving;
    saving_begin(&saving, &shop);
    uint32_t step_count = 1;
    while (!saving_step(&saving, STOCK_ENTRY_BYTES_MAX))
        step_count++;
    cr_expect_eq(saving.page.entry_count, 1);
    cr_expect_eq(step_count, 1 + 4, "the item, and 19 of 60 slots at a time");
    free(saving_end(&saving));
    shop_close(&shop);
}

Test(save, of_which_everything_is_written_needs_no_room_for_records)
{
    struct shop shop = shop_with_all();
    struct saving saving;
    saving_begin(&saving, &shop);
    while (!saving_step(&saving, 4096))
        ;
    saving.page.bytes_max = saving.page.bytes;
    cr_assert_eq(shop_confirm(&shop, 1, 0), STOCK_OK);
    cr_assert_eq(shop_reserve(&shop, 100, 99, 1), STOCK_OK);
    saving.page.bytes_max = PAGE_BYTES;
    free(saving_end(&saving));
    shop_close(&shop);
}

Test(save, that_is_abandoned_leaves_nothing_behind)
{
    for (uint32_t change = 0; change < CHANGE_COUNT; change++) {
        for (uint32_t moment = 0; moment < MOMENT_COUNT; moment++) {
            struct shop shop = shop_with_all();
            struct saving saving;
            saving_begin(&saving, &shop);
            for (uint32_t i = 0; i < moment; i++)
                saving_step(&saving, STOCK_ENTRY_BYTES_MAX);
            changes[change](&shop);
            stock_save_abandon(shop.stock);
            cr_expect_not(stock_is_saving(shop.stock));
            free(saving.page.to);
            free(saving.snapshot);
            saving_begin(&saving, &shop);
            free(saving_end(&saving));
            shop_close(&shop);
        }
    }
}
