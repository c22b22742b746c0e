#include "core/job.h"

#include "base/assert.h"

#include <string.h>

/* Few sizes, each several times the one before: a single request, a small frame, a large one, the
 * largest. The counts bound the work in hand; address space for them is cheap, and only what is
 * used is touched. */
static const struct {
    uint32_t row_count;
    uint32_t job_count;
} size_classes[JOB_SIZE_CLASS_COUNT] = {
    {1, 1 << 16},
    {64, 1 << 12},
    {1024, 1 << 9},
    {FRAME_ROW_COUNT_MAX, 1 << 6},
};

enum { ROW_BYTES = sizeof(union job_row) + sizeof(uint32_t) };

static size_t data_bytes_of(uint32_t size_class)
{
    return (size_t)size_classes[size_class].row_count * ROW_BYTES;
}

int job_pool_init(struct job_pool *pool)
{
    memset(pool, 0, sizeof *pool);
    for (uint32_t i = 0; i < JOB_SIZE_CLASS_COUNT; i++)
        if (pool_init(&pool->pools[i], sizeof(struct job) + data_bytes_of(i),
                      size_classes[i].job_count) != 0) {
            job_pool_deinit(pool);
            return -1;
        }
    return 0;
}

void job_pool_deinit(struct job_pool *pool)
{
    for (uint32_t i = 0; i < JOB_SIZE_CLASS_COUNT; i++)
        if (pool->pools[i].memory != NULL)
            pool_deinit(&pool->pools[i]);
}

struct job *job_acquire_data(struct job_pool *pool, uint32_t data_bytes_max)
{
    for (uint32_t i = 0; i < JOB_SIZE_CLASS_COUNT; i++) {
        if (data_bytes_of(i) < data_bytes_max)
            continue;
        struct job *job = pool_acquire(&pool->pools[i]);
        if (job == NULL)
            continue; /* a larger one does as well */
        memset(job, 0, sizeof *job);
        job->size_class = (uint8_t)i;
        return job;
    }
    return NULL;
}

struct job *job_acquire_rows(struct job_pool *pool, uint32_t row_count)
{
    hf_assert(row_count > 0 && row_count <= FRAME_ROW_COUNT_MAX);
    struct job *job = job_acquire_data(pool, row_count * ROW_BYTES);
    if (job != NULL)
        job->row_count = row_count;
    return job;
}

void job_release(struct job_pool *pool, struct job *job)
{
    hf_assert(job->size_class < JOB_SIZE_CLASS_COUNT);
    pool_release(&pool->pools[job->size_class], job);
}

uint32_t job_count(const struct job_pool *pool)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < JOB_SIZE_CLASS_COUNT; i++)
        count += pool->pools[i].used_count;
    return count;
}

uint32_t job_room(const struct job_pool *pool)
{
    return pool->pools[0].block_count - pool->pools[0].used_count;
}
