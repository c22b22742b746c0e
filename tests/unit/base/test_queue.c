/* The queue between two threads; alone first, then with a producer and a consumer that race. */

#include "base/queue.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

Test(queue, gives_back_in_order_and_says_when_full_and_empty)
{
    struct queue queue;
    int items[5];
    cr_assert_eq(queue_init(&queue, 4), 0);
    cr_expect_null(queue_pop(&queue));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            cr_expect(queue_push(&queue, &items[i]));
        cr_expect_not(queue_push(&queue, &items[4]), "full");
        cr_expect_eq(queue_pop(&queue), &items[0]);
        cr_expect(queue_push(&queue, &items[4]), "room again");
        for (int i = 1; i < 5; i++)
            cr_expect_eq(queue_pop(&queue), &items[i]);
        cr_expect_null(queue_pop(&queue));
    }
    queue_deinit(&queue);
}

Test(queue, indices_that_wrap_around_do_no_harm)
{
    struct queue queue;
    int item;
    cr_assert_eq(queue_init(&queue, 2), 0);
    queue.head = queue.tail = queue.head_seen = queue.tail_seen = UINT32_MAX - 2;
    for (int i = 0; i < 10; i++) {
        cr_expect(queue_push(&queue, &item));
        cr_expect(queue_push(&queue, &item));
        cr_expect_not(queue_push(&queue, &item));
        cr_expect_eq(queue_pop(&queue), &item);
        cr_expect_eq(queue_pop(&queue), &item);
        cr_expect_null(queue_pop(&queue));
    }
    queue_deinit(&queue);
}

enum { MESSAGE_COUNT = 1000000, SLOT_COUNT = 64 };

struct race {
    struct queue queue;
    uint64_t messages[MESSAGE_COUNT];
};

static void *produce(void *context)
{
    struct race *race = context;
    for (uint64_t i = 0; i < MESSAGE_COUNT; i++) {
        race->messages[i] = i * 3; /* must be visible to whoever gets the pointer */
        while (!queue_push(&race->queue, &race->messages[i]))
            sched_yield();
    }
    return NULL;
}

Test(queue, between_two_threads_loses_nothing_and_keeps_order)
{
    static struct race race;
    pthread_t producer;
    cr_assert_eq(queue_init(&race.queue, SLOT_COUNT), 0);
    cr_assert_eq(pthread_create(&producer, NULL, produce, &race), 0);
    for (uint64_t i = 0; i < MESSAGE_COUNT; i++) {
        uint64_t *message;
        while ((message = queue_pop(&race.queue)) == NULL)
            sched_yield();
        cr_assert_eq(message, &race.messages[i]);
        cr_assert_eq(*message, i * 3);
    }
    cr_assert_eq(pthread_join(producer, NULL), 0);
    cr_expect_null(queue_pop(&race.queue));
    queue_deinit(&race.queue);
}
