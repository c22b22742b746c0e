#include "fixture.h"

#include "random.h"

/* Histories made by chance: many clients, groups and answers that are late, crashes. The engine in
 * them is right, so nothing may be found; and the same with one mistake in it, which must be. */

enum { CLIENT_COUNT = 12, ID_COUNT = 200, CALLS_MAX = 4000 };

enum mistake {
    MISTAKE_NONE,
    MISTAKE_EARLY_ANSWER,  /* before the group is on the disk */
    MISTAKE_STALE_READ,    /* Get answers from an older state */
    MISTAKE_LOST_RECORD,   /* a crash loses the last group */
    MISTAKE_NO_EXPIRY,     /* overdue holds stay */
    MISTAKE_SECOND_ANSWER, /* an answer OK is given where DUPLICATE is due */
};

struct under_way {
    bool is_open, is_done;
    uint32_t number;
    struct history_call call;
    struct stock_reply reply;
    bool has_view;
    struct stock_item_view view;
    uint32_t needs_count; /* records on disk before it may be answered */
};

static struct play {
    struct test_random random;
    enum mistake mistake;
    struct under_way clients[CLIENT_COUNT];
    uint32_t call_count;
    struct stock_reply old_reply; /* of the last Get, for MISTAKE_STALE_READ */
    struct history_call old_call;
} play;

static bool chance(uint32_t percent)
{
    return test_random_below(&play.random, 100) < percent;
}

static struct history_call choose_call(uint32_t client)
{
    uint32_t kind = test_random_below(&play.random, 20);
    uint64_t id = 1 + test_random_below(&play.random, ID_COUNT);
    struct history_call call;
    if (kind < 9)
        call = sale_row(STOCK_OP_RESERVE, id);
    else if (kind < 17)
        call = sale_row((enum stock_op)test_random_below(&play.random, 5), id);
    else if (kind < 19)
        call = sale_item_get();
    else
        call = sale_update(STOCK_UPDATE_STOCK, 300 + test_random_below(&play.random, 3));
    call.client = client;
    if (call.op == HISTORY_ROW) {
        call.request.quantity = call.request.op == STOCK_OP_RESERVE ? 1 : 0;
        call.request.expires_ms = sale.now_ms + test_random_below(&play.random, 2 * SALE_HOLD_MS);
    }
    return call;
}

static void run_call(struct under_way *client)
{
    client->reply = sale_run(client->call);
    client->needs_count = sale.record_count;
    client->is_done = true;
    client->has_view = client->call.op != HISTORY_ROW;
    if (client->has_view)
        stock_item_find(sale.stock, SALE_ITEM, &client->view);
    if (play.mistake == MISTAKE_SECOND_ANSWER && client->call.op == HISTORY_ROW &&
        client->call.request.op == STOCK_OP_RESERVE && client->reply.code == STOCK_DUPLICATE)
        client->reply.code = STOCK_OK;
}

static void answer_call(struct under_way *client)
{
    if (play.mistake != MISTAKE_EARLY_ANSWER && client->needs_count > sale.written_count)
        return;
    history_answer(client->number, &client->reply, client->has_view ? &client->view : NULL,
                   sale.now_ms);
    client->is_open = false;
    if (play.mistake == MISTAKE_STALE_READ && client->has_view &&
        client->call.op == HISTORY_ITEM_GET) {
        /* somebody else reads the same again, much later */
        for (int i = 0; i < 20; i++)
            sale_reserve(1000 + play.call_count + (uint64_t)i);
        uint32_t number = sale_ask(client->call);
        history_answer(number, &client->reply, &client->view, sale.now_ms);
        play.call_count = CALLS_MAX;
    }
}

static void step_client(uint32_t index)
{
    struct under_way *client = &play.clients[index];
    if (!client->is_open) {
        *client = (struct under_way){.is_open = true, .call = choose_call(index)};
        client->number = sale_ask(client->call);
        play.call_count++;
    } else if (!client->is_done) {
        run_call(client);
    } else {
        answer_call(client);
    }
}

static void crash(void)
{
    if (play.mistake == MISTAKE_LOST_RECORD) {
        const uint32_t last = sale.log.used_count - 1;
        memset(sale.log.bytes[last] + LOG_BLOCK_BYTES, 0, LOG_BLOCK_BYTES);
    }
    sale_crash();
    for (uint32_t i = 0; i < CLIENT_COUNT; i++) {
        if (play.clients[i].is_open)
            history_give_up(play.clients[i].number);
        play.clients[i].is_open = false;
    }
    sale_start();
}

static void finish(void)
{
    for (uint32_t i = 0; i < CLIENT_COUNT; i++)
        while (play.clients[i].is_open) {
            sale_write();
            step_client(i);
        }
    sale.now_ms += 3 * SALE_HOLD_MS;
    if (play.mistake != MISTAKE_NO_EXPIRY)
        sale_work_off();
    sale_end();
}

static void play_history(uint64_t seed, uint32_t call_count, enum mistake mistake)
{
    memset(&play, 0, sizeof play);
    play.mistake = mistake;
    test_random_init(&play.random, seed);
    sale_segment_bytes = 16 << 20;
    sale_begin();
    sale_create(300);
    while (play.call_count < call_count) {
        step_client(test_random_below(&play.random, CLIENT_COUNT));
        if (chance(15))
            sale.now_ms += test_random_below(&play.random, 20);
        if (chance(20) && mistake != MISTAKE_NO_EXPIRY)
            sale_work_off();
        if (chance(25))
            sale_write();
        if (test_random_below(&play.random, 500) == 0)
            crash();
    }
    finish();
    stock_destroy(&sale.stock);
    log_builder_deinit(&sale.log);
}

Test(random, histories_of_a_right_engine_pass)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        snprintf(finding.check, sizeof finding.check, "seed %u", (unsigned)seed);
        play_history(seed, 1000, MISTAKE_NONE);
    }
    cr_assert_gt(history_counts().records, 100);
}

Test(random, early_answers_are_found)
{
    EXPECT_FINDING("durability", "answered", play_history(1, CALLS_MAX, MISTAKE_EARLY_ANSWER));
}

Test(random, stale_reads_are_found)
{
    EXPECT_FINDING("linearizable", "ItemGet", play_history(2, CALLS_MAX, MISTAKE_STALE_READ));
}

Test(random, lost_records_are_found)
{
    EXPECT_FINDING("durability", "lost", play_history(3, CALLS_MAX, MISTAKE_LOST_RECORD));
}

Test(random, holds_that_do_not_expire_are_found)
{
    EXPECT_FINDING("expiry", "held for ever", play_history(4, 300, MISTAKE_NO_EXPIRY));
}

Test(random, second_ok_is_found)
{
    EXPECT_FINDING("exactly-once", "done before",
                   play_history(5, CALLS_MAX, MISTAKE_SECOND_ANSWER));
}
