#include "bench/workload.h"

#include <criterion/criterion.h>

/* The stream of rows and the memory of answers, without a server: the tests play the server's
 * part. Three cores, items 1 to 50. */

enum { CORES = 3, ITEMS = 50, REQUESTS = 10000 };

static struct bench_options options;
static struct bench_item items[ITEMS];
static struct bench_items item_set = {.items = items, .count = ITEMS};
static struct workload workload;

static void set_up(void)
{
    options = (struct bench_options){
        .scenario = SCENARIO_FLASH, .requests = REQUESTS, .buyers = 100, .seed = 7};
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = (struct bench_item){.id = i + 1, .core = item_core(i + 1, CORES)};
    }
}

static void create(void)
{
    cr_assert(workload_create(&workload, &options, &item_set, CORES));
}

static void tear_down(void)
{
    workload_destroy(&workload);
}

TestSuite(workload, .init = set_up, .fini = tear_down);

static void answer(uint32_t core, enum wire_op op, uint64_t index, uint32_t result,
                   uint64_t sequence)
{
    struct wire_row_reply reply = {.result = result, .sequence = sequence, .quantity = 1};
    workload_answered(&workload, core, op, index, &reply, 1000);
}

static uint64_t due_ns; /* of what was taken last */

/* What the load sends next in a closed loop. */
static uint32_t take(uint32_t core, uint64_t now_ns, uint32_t room, enum wire_op *op_out,
                     uint64_t *indexes_out)
{
    uint32_t count =
        workload_take_follows(&workload, core, now_ns, room, op_out, &due_ns, indexes_out);
    if (count == 0) {
        *op_out = WIRE_RESERVE;
        count = workload_take_clicks(&workload, core, room, indexes_out);
    }
    return count;
}

enum {
    OK = HOLDFAST__V1__RESULT__RESULT_OK,
    DUPLICATE = HOLDFAST__V1__RESULT__RESULT_DUPLICATE,
    SOLD_OUT = HOLDFAST__V1__RESULT__RESULT_SOLD_OUT,
    EXPIRED = HOLDFAST__V1__RESULT__RESULT_EXPIRED,
    UNKNOWN_RESERVATION = HOLDFAST__V1__RESULT__RESULT_UNKNOWN_RESERVATION,
};

Test(workload, clicks_of_all_cores_add_up_and_go_to_their_own_core)
{
    create();
    uint64_t clicks = 0;
    for (uint32_t core = 0; core < CORES; core++) {
        enum wire_op op;
        uint64_t indexes[64];
        uint32_t count;
        while ((count = take(core, 0, 64, &op, indexes)) > 0) {
            cr_assert_eq(op, WIRE_RESERVE);
            for (uint32_t i = 0; i < count; i++) {
                struct workload_row row = workload_row(&workload, core, indexes[i]);
                cr_assert_eq(item_core(row.item_id, CORES), core);
                cr_assert_eq(items[row.item_index].id, row.item_id);
                cr_assert(row.buyer_id >= 1 && row.buyer_id <= options.buyers);
                cr_assert_eq(workload.ledger[indexes[i]].answered_ok, false, "index used twice");
                workload.ledger[indexes[i]].answered_ok = true;
            }
            clicks += count;
        }
    }
    cr_assert_eq(clicks, REQUESTS);
    cr_assert(workload_is_done(&workload));
}

Test(workload, a_hot_item_gets_its_share_of_all_clicks_whichever_core_it_is_on)
{
    options.dist = (struct dist){.kind = DIST_HOT, .value = 0.5};
    create();
    uint64_t clicks = 0;
    uint64_t hot = 0;
    for (uint32_t core = 0; core < CORES; core++) {
        enum wire_op op;
        uint64_t indexes[64];
        uint32_t count;
        while ((count = take(core, 0, 64, &op, indexes)) > 0) {
            for (uint32_t i = 0; i < count; i++) {
                hot += workload_row(&workload, core, indexes[i]).item_id == items[0].id;
            }
            clicks += count;
        }
    }
    cr_assert_eq(clicks, REQUESTS);
    /* 3 standard deviations are 150; the seed is fixed */
    cr_expect(hot > REQUESTS / 2 - 150 && hot < REQUESTS / 2 + 150, "%llu",
              (unsigned long long)hot);
}

Test(workload, cores_without_items_get_no_clicks)
{
    item_set.count = 1;
    create();
    for (uint32_t core = 0; core < CORES; core++) {
        uint64_t expected = core == items[0].core ? REQUESTS : 0;
        cr_expect_eq(workload.streams[core].clicks_left, expected);
    }
}

Test(workload, repeat_share_makes_fewer_reservations_than_clicks)
{
    options.repeat_share = 0.25;
    create();
    uint64_t made = 0;
    for (uint32_t core = 0; core < CORES; core++) {
        enum wire_op op;
        uint64_t indexes[1];
        while (take(core, 0, 1, &op, indexes) > 0) {
        }
        made += workload.streams[core].made;
    }
    cr_assert(made > REQUESTS * 0.73 && made < REQUESTS * 0.77, "%llu", (unsigned long long)made);
}

Test(workload, accepted_buyer_pays_after_the_delay_and_only_once)
{
    options.pay_share = 1;
    options.pay_delay_ms = 5;
    create();
    enum wire_op op;
    uint64_t index;
    cr_assert_eq(take(0, 0, 1, &op, &index), 1);
    answer(0, WIRE_RESERVE, index, OK, 1);
    answer(0, WIRE_RESERVE, index, DUPLICATE, 1);
    cr_assert_eq(workload.accepted, 1);
    workload_stop_clicks(&workload);
    cr_assert_not(workload_is_done(&workload));
    cr_assert_eq(workload_next_due_ns(&workload), 1000 + 5000000);
    cr_assert_not(workload_is_due(&workload, 0, 5000999));
    cr_assert(workload_is_due(&workload, 0, 5001000));
    uint64_t payer;
    cr_assert_eq(take(0, 5002000, 8, &op, &payer), 1);
    cr_assert_eq(op, WIRE_CONFIRM);
    cr_assert_eq(payer, index);
    cr_assert_eq(due_ns, 5001000, "since when, not when it was taken");
    cr_assert(workload_is_done(&workload));
    answer(0, WIRE_CONFIRM, index, OK, 1);
    cr_assert_eq(workload.ledger[index].fate, FATE_CONFIRMED);
    cr_assert_eq(workload.contradictions, 0);
}

Test(workload, refused_click_may_be_accepted_at_the_second_try)
{
    create();
    answer(0, WIRE_RESERVE, 0, SOLD_OUT, 0);
    cr_assert_eq(workload.ledger[0].fate, FATE_REFUSED);
    answer(0, WIRE_RESERVE, 0, OK, 4);
    cr_assert_eq(workload.ledger[0].fate, FATE_HELD);
    answer(0, WIRE_RESERVE, 0, SOLD_OUT, 0); /* an older answer that was overtaken */
    cr_assert_eq(workload.ledger[0].fate, FATE_HELD);
    cr_assert_eq(workload.contradictions, 0);
}

Test(workload, answers_that_contradict_are_counted)
{
    create();
    answer(0, WIRE_RESERVE, 0, OK, 1);
    answer(0, WIRE_RESERVE, 0, OK, 1); /* a second OK: the first was forgotten */
    cr_assert_eq(workload.contradictions, 1);
    answer(0, WIRE_RESERVE, 0, DUPLICATE, 2); /* another sequence number */
    cr_assert_eq(workload.contradictions, 2);
    answer(0, WIRE_CONFIRM, 0, UNKNOWN_RESERVATION, 0);
    cr_assert_eq(workload.contradictions, 3);
    answer(0, WIRE_CONFIRM, 0, EXPIRED, 1); /* late, but no contradiction */
    cr_assert_eq(workload.contradictions, 3);
    cr_assert_eq(workload.ledger[0].fate, FATE_EXPIRED);
}
