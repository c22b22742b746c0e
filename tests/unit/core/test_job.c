/* Jobs: their sizes, and what happens when they run out. */
#include "core/job.h"

#include <criterion/criterion.h>
#include <string.h>

static struct job_pool pool;

static void set_up(void)
{
    cr_assert_eq(job_pool_init(&pool), 0);
}

static void tear_down(void)
{
    job_pool_deinit(&pool);
}

TestSuite(job, .init = set_up, .fini = tear_down);

Test(job, a_job_has_room_for_its_rows_and_their_indexes)
{
    static const uint32_t row_counts[] = {1, 2, 64, 65, 1024, 1025, FRAME_ROW_COUNT_MAX};
    for (size_t i = 0; i < sizeof row_counts / sizeof *row_counts; i++) {
        struct job *job = job_acquire_rows(&pool, row_counts[i]);
        cr_assert_not_null(job);
        cr_assert_eq(job->row_count, row_counts[i]);
        memset(job_rows(job), 0xff, row_counts[i] * sizeof(union job_row));
        memset(job_row_indexes(job), 0xff, row_counts[i] * sizeof(uint32_t));
        job_release(&pool, job);
    }
    cr_assert_eq(job_count(&pool), 0);
}

Test(job, a_job_starts_with_nothing_of_its_last_user)
{
    struct job *job = job_acquire_rows(&pool, 1);
    job->wait_lsn = 7;
    job->is_returning = true;
    job_release(&pool, job);
    job = job_acquire_rows(&pool, 1);
    cr_assert_eq(job->wait_lsn, 0);
    cr_assert_not(job->is_returning);
    job_release(&pool, job);
}

Test(job, the_largest_run_out_and_come_back)
{
    struct job *jobs[1000];
    uint32_t count = 0;
    while ((jobs[count] = job_acquire_rows(&pool, FRAME_ROW_COUNT_MAX)) != NULL)
        count++;
    cr_assert_gt(count, 0);
    cr_assert_not_null(job_acquire_rows(&pool, 1), "small ones are another matter");
    job_release(&pool, jobs[0]);
    cr_assert_not_null(job_acquire_rows(&pool, FRAME_ROW_COUNT_MAX));
}

Test(job, a_list_gives_jobs_in_order_of_arrival)
{
    struct job_list list;
    struct job *a = job_acquire_rows(&pool, 1);
    struct job *b = job_acquire_rows(&pool, 1);
    job_list_init(&list);
    cr_assert_null(job_list_pop(&list));
    job_list_push(&list, a);
    job_list_push(&list, b);
    cr_assert_eq(job_list_pop(&list), a);
    job_list_push(&list, a);
    cr_assert_eq(job_list_pop(&list), b);
    cr_assert_eq(job_list_pop(&list), a);
    cr_assert_null(job_list_pop(&list));
}
