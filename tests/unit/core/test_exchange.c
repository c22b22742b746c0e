/* Jobs between cores, several cores played by one thread, step by step. */
#include "core/exchange.h"

#include <criterion/criterion.h>

enum { CORE_COUNT = 3 };

static struct exchange exchange;
static struct exchange_port ports[CORE_COUNT];
static struct job_pool pools[CORE_COUNT];

static void set_up(void)
{
    cr_assert_eq(exchange_init(&exchange, CORE_COUNT), 0);
    for (uint32_t i = 0; i < CORE_COUNT; i++) {
        exchange_port_init(&ports[i], &exchange, i, NULL);
        cr_assert_eq(job_pool_init(&pools[i]), 0);
    }
}

static void tear_down(void)
{
    for (uint32_t i = 0; i < CORE_COUNT; i++)
        job_pool_deinit(&pools[i]);
    exchange_deinit(&exchange);
}

TestSuite(exchange, .init = set_up, .fini = tear_down);

static struct job *send_job(uint32_t from, uint32_t to)
{
    struct job *job = job_acquire_data(&pools[from], 0);
    cr_assert_not_null(job);
    exchange_send(&ports[from], to, job);
    return job;
}

Test(exchange, a_job_goes_there_and_comes_back)
{
    struct job *job = send_job(0, 2);
    cr_assert_null(exchange_receive(&ports[1]));
    cr_assert_eq(exchange_receive(&ports[2]), job);
    cr_assert_not(job->is_returning);
    cr_assert_eq(job->origin_core, 0);
    exchange_return(&ports[2], job);
    cr_assert_eq(exchange_receive(&ports[0]), job);
    cr_assert(job->is_returning);
    cr_assert_null(exchange_receive(&ports[0]));
}

Test(exchange, jobs_of_one_core_stay_in_order)
{
    struct job *first = send_job(0, 1);
    struct job *second = send_job(0, 1);
    cr_assert_eq(exchange_receive(&ports[1]), first);
    cr_assert_eq(exchange_receive(&ports[1]), second);
}

Test(exchange, a_core_that_sends_much_does_not_hold_up_another)
{
    for (int i = 0; i < 100; i++)
        send_job(0, 2);
    struct job *other = send_job(1, 2);
    bool is_found = exchange_receive(&ports[2]) == other;
    is_found |= exchange_receive(&ports[2]) == other;
    cr_assert(is_found);
}

Test(exchange, what_may_be_outstanding_is_bounded_and_comes_back_into_room)
{
    uint32_t sent = 0;
    for (; exchange_has_room(&ports[0], 1, 1); sent++)
        send_job(0, 1);
    cr_assert_eq(sent, EXCHANGE_OUTSTANDING_MAX);
    cr_assert(exchange_has_room(&ports[0], 2, 1), "another core's room is its own");

    struct job *job = exchange_receive(&ports[1]);
    cr_assert_not(exchange_has_room(&ports[0], 1, 1), "still outstanding");
    exchange_return(&ports[1], job);
    cr_assert_eq(exchange_receive(&ports[0]), job);
    cr_assert(exchange_has_room(&ports[0], 1, 1));
}

/* Both ask each other for all they may, nobody takes anything, and then both answer everything. */
Test(exchange, the_way_back_is_never_full)
{
    for (uint32_t i = 0; i < EXCHANGE_OUTSTANDING_MAX; i++) {
        send_job(0, 1);
        send_job(1, 0);
    }
    for (uint32_t i = 0; i < EXCHANGE_OUTSTANDING_MAX; i++)
        exchange_return(&ports[1], exchange_receive(&ports[1]));
    for (uint32_t i = 0; i < EXCHANGE_OUTSTANDING_MAX; i++)
        exchange_return(&ports[0], exchange_receive(&ports[0]));
    for (uint32_t i = 0; i < EXCHANGE_OUTSTANDING_MAX; i++) {
        cr_assert(exchange_receive(&ports[0])->is_returning);
        cr_assert(exchange_receive(&ports[1])->is_returning);
    }
}
