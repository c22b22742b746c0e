#ifndef HF_CORE_JOB_H
#define HF_CORE_JOB_H
/* A job is a frame, or the part of a frame that one core has to do, from its arrival until its
 * answer has been handed to the connection. It belongs to one core at a time and moves by address.
 * Jobs come from pools of a few sizes, mapped at start; running out of them is what bounds the work
 * that a core has taken on. */

#include "base/pool.h"
#include "net/net.h"
#include "stock/stock.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum job_kind {
    JOB_ROWS,       /* requests in, replies out, in the same place */
    JOB_CONTROL,    /* a rare request: the frame in, the reply's frame out */
    JOB_CONNECTION, /* a connection for another core */
    JOB_FILTER_ADD, /* an item id for another core's filter */
    JOB_QUIET,      /* the sender stops and will send no more */
};

/* The reply stands where its request stood. */
union job_row {
    struct stock_request request;
    struct stock_reply reply;
};

static_assert(sizeof(union job_row) == sizeof(struct stock_request),
              "rows are an array of requests, for stock_prepare()");

struct job {
    struct job *next;   /* in the list that it waits in */
    struct job *parent; /* the job that it is a part of, or NULL; stays with the parent's core */
    uint64_t request_id;
    uint64_t wait_lsn; /* of the core that runs it: what must be durable before the answer */
    struct net_connection_id connection;
    uint32_t row_count;
    uint32_t
        parts_left; /* what has to be finished before the job is, this core's own part included */
    uint32_t data_bytes; /* JOB_CONTROL, JOB_CONNECTION */
    int descriptor;      /* JOB_CONNECTION */
    uint64_t item_hash;  /* JOB_FILTER_ADD */
    uint16_t origin_core;
    uint8_t kind; /* enum job_kind */
    uint8_t frame_type;
    uint8_t size_class;
    bool is_returning; /* on its way back to the origin */
    _Alignas(16) uint8_t data[];
};

/* Rows of a JOB_ROWS, from the start of its data. */
static inline union job_row *job_rows(struct job *job)
{
    return (union job_row *)(void *)job->data;
}

/* For a part of a frame: where each row stands in the parent. Behind the rows. */
static inline uint32_t *job_row_indexes(struct job *job)
{
    return (uint32_t *)(void *)(job->data + job->row_count * sizeof(union job_row));
}

enum { JOB_SIZE_CLASS_COUNT = 4 };

struct job_pool {
    struct pool pools[JOB_SIZE_CLASS_COUNT];
};

/* Returns 0, or -1 when memory is refused. */
int job_pool_init(struct job_pool *pool);
void job_pool_deinit(struct job_pool *pool);

/* Jobs with room for so many rows, or so many bytes of data; all fields zero but the sizes. NULL
 * when there is none: try again when jobs have ended. */
struct job *job_acquire_rows(struct job_pool *pool, uint32_t row_count);
struct job *job_acquire_data(struct job_pool *pool, uint32_t data_bytes_max);
void job_release(struct job_pool *pool, struct job *job);

/* Jobs in use. */
uint32_t job_count(const struct job_pool *pool);

/* How many more small jobs can be acquired for certain. */
uint32_t job_room(const struct job_pool *pool);

/* First in, first out. */
struct job_list {
    struct job *head;
    struct job **tail;
};

static inline void job_list_init(struct job_list *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

static inline void job_list_push(struct job_list *list, struct job *job)
{
    job->next = NULL;
    *list->tail = job;
    list->tail = &job->next;
}

static inline struct job *job_list_pop(struct job_list *list)
{
    struct job *job = list->head;
    if (job != NULL) {
        list->head = job->next;
        if (list->head == NULL)
            list->tail = &list->head;
    }
    return job;
}

#endif
