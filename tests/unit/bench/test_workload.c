#include "bench/workload.h"

#include <criterion/criterion.h>
#include <string.h>

/* The stream of rows and the memory of answers, without a server: the tests play the server's
 * part. Three cores, items 1 to 50. */

enum { CORES = 3, ITEMS = 50, REQUESTS = 10000 };

static struct bench_options options;
static struct bench_item items[ITEMS];
static struct bench_items item_set = {.items = items, .count = ITEMS};
static struct workload workload;
static struct workload_part *part; /* the first */

static void set_up(void)
{
    options = (struct bench_options){
        .scenario = SCENARIO_FLASH,
        .threads = 1,
        .connections = 3 * CORES,
        .requests = REQUESTS,
        .buyers = 100,
        .seed = 7,
    };
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = (struct bench_item){.id = i + 1, .core = item_core(i + 1, CORES)};
    }
}

static void create(void)
{
    cr_assert(workload_create(&workload, &options, &item_set, CORES));
    part = &workload.parts[0];
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
    workload_answered(part, core, op, index, &reply, 1000);
}

static uint64_t due_ns; /* of what was taken last */

/* What the load sends next in a closed loop. */
static uint32_t take(uint32_t core, uint64_t now_ns, uint32_t room, enum wire_op *op_out,
                     uint64_t *indexes_out)
{
    uint32_t count = workload_take_follows(part, core, now_ns, room, op_out, &due_ns, indexes_out);
    if (count == 0) {
        *op_out = WIRE_RESERVE;
        count = workload_take_clicks(part, core, room, indexes_out);
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
    cr_assert(workload_is_done(part));
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
        cr_expect_eq(part->lanes[core].clicks_left, expected);
    }
}

Test(workload, repeat_share_makes_fewer_reservations_than_clicks)
{
    options.repeat_share = 0.25;
    create();
    for (uint32_t core = 0; core < CORES; core++) {
        enum wire_op op;
        uint64_t indexes[1];
        while (take(core, 0, 1, &op, indexes) > 0) {
        }
    }
    uint64_t made = workload_made(&workload);
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
    cr_assert_eq(part->accepted, 1);
    workload_stop_clicks(part);
    cr_assert_not(workload_is_done(part));
    cr_assert_eq(workload_next_due_ns(part), 1000 + 5000000);
    cr_assert_not(workload_is_due(part, 0, 5000999));
    cr_assert(workload_is_due(part, 0, 5001000));
    uint64_t payer;
    cr_assert_eq(take(0, 5002000, 8, &op, &payer), 1);
    cr_assert_eq(op, WIRE_CONFIRM);
    cr_assert_eq(payer, index);
    cr_assert_eq(due_ns, 5001000, "since when, not when it was taken");
    cr_assert(workload_is_done(part));
    answer(0, WIRE_CONFIRM, index, OK, 1);
    cr_assert_eq(workload.ledger[index].fate, FATE_CONFIRMED);
    cr_assert_eq(part->contradictions, 0);
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
    cr_assert_eq(part->contradictions, 0);
}

Test(workload, answers_that_contradict_are_counted)
{
    create();
    answer(0, WIRE_RESERVE, 0, OK, 1);
    answer(0, WIRE_RESERVE, 0, OK, 1); /* a second OK: the first was forgotten */
    cr_assert_eq(part->contradictions, 1);
    answer(0, WIRE_RESERVE, 0, DUPLICATE, 2); /* another sequence number */
    cr_assert_eq(part->contradictions, 2);
    answer(0, WIRE_CONFIRM, 0, UNKNOWN_RESERVATION, 0);
    cr_assert_eq(part->contradictions, 3);
    answer(0, WIRE_CONFIRM, 0, EXPIRED, 1); /* late, but no contradiction */
    cr_assert_eq(part->contradictions, 3);
    cr_assert_eq(workload.ledger[0].fate, FATE_EXPIRED);
}

/* ---- several threads ---- */

/* All threads take all their clicks; counts how often each index was one's. Returns the clicks. */
static uint64_t take_all(uint8_t *seen)
{
    uint64_t clicks = 0;
    for (uint32_t thread = 0; thread < workload.part_count; thread++) {
        for (uint32_t core = 0; core < CORES; core++) {
            uint64_t indexes[7];
            uint32_t count;
            while ((count = workload_take_clicks(&workload.parts[thread], core, 7, indexes)) > 0) {
                for (uint32_t i = 0; i < count; i++) {
                    seen[indexes[i]] = 1;
                }
                clicks += count;
            }
        }
    }
    return clicks;
}

Test(workload, however_many_threads_make_the_same_reservations_and_as_many_clicks)
{
    static uint8_t of_one[REQUESTS];
    static uint8_t of_all[REQUESTS];
    options.repeat_share = 0.3;
    create();
    cr_assert_eq(take_all(of_one), REQUESTS);
    uint64_t made = workload_made(&workload);
    static const uint64_t counts[] = {2, 3};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        workload_destroy(&workload);
        options.threads = counts[i];
        create();
        memset(of_all, 0, sizeof of_all);
        cr_assert_eq(take_all(of_all), REQUESTS, "of %llu threads", (unsigned long long)counts[i]);
        cr_expect_eq(workload_made(&workload), made);
        cr_expect_arr_eq(of_all, of_one, sizeof of_one);
    }
}

Test(workload, a_thread_has_as_large_a_part_as_it_has_connections)
{
    options.threads = 2;
    options.connections = 5 * CORES; /* 7 and 8 */
    create();
    cr_assert_eq(workload_first_connection(&options, 0), 0);
    cr_assert_eq(workload_first_connection(&options, 1), 7);
    cr_assert_eq(workload_first_connection(&options, 2), 15);
    /* the first thread speaks with core 0 over connections 0, 3 and 6 of five */
    uint64_t first = workload.parts[0].lanes[0].clicks_left;
    uint64_t second = workload.parts[1].lanes[0].clicks_left;
    cr_assert_eq(first, (first + second) * 3 / 5);
}

Test(workload, what_was_made_is_found_again_and_nothing_else)
{
    static uint8_t taken[REQUESTS];
    options.repeat_share = 0.3;
    options.threads = 3;
    create();
    uint64_t indexes[500];
    for (uint32_t thread = 0; thread < 3; thread++) {
        uint32_t count = workload_take_clicks(&workload.parts[thread], 1, 100 * thread, indexes);
        for (uint32_t i = 0; i < count; i++) {
            taken[indexes[i]] = 1;
        }
    }
    struct workload_cursor cursor = {0};
    uint64_t index;
    uint64_t found = 0;
    while (workload_next_made(&workload, 1, &cursor, &index)) {
        cr_assert_eq(taken[index], 1);
        taken[index] = 2;
        found++;
    }
    cr_assert_eq(found, workload_made(&workload));
    for (uint32_t i = 0; i < REQUESTS; i++) {
        cr_assert_neq(taken[i], 1, "%u", i);
    }
    cursor = (struct workload_cursor){0};
    cr_assert_not(workload_next_made(&workload, 0, &cursor, &index));
}

Test(workload, threads_without_an_end_never_use_the_same_index)
{
    options.scenario = SCENARIO_RESERVE;
    options.requests = 0;
    options.threads = 3;
    create();
    uint64_t first;
    uint64_t second;
    cr_assert_eq(workload_take_clicks(&workload.parts[1], 2, 1, &first), 1);
    cr_assert_eq(workload_take_clicks(&workload.parts[2], 2, 1, &second), 1);
    cr_assert_neq(first, second);
    cr_assert(workload_has_clicks(&workload.parts[0], 0));
}
