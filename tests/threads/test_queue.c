/* The bounded queue between two threads, for ThreadSanitizer: what the producer wrote before it
 * pushed an address is what the consumer reads after it popped it, in order, and a full or an empty
 * queue makes the other side wait. A plain main, because ThreadSanitizer does not start below
 * Criterion. */

#include "base/queue.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

enum {
    SLOT_COUNT = 16,
    MESSAGE_COUNT = 64, /* reused round by round, so that both sides write to all of them */
    ROUND_COUNT = 2000,
};

struct message {
    uint64_t number; /* written by the producer */
    uint64_t answer; /* written by the consumer */
};

struct pair {
    struct queue there;
    struct queue back;
    struct message messages[MESSAGE_COUNT];
};

static void push(struct queue *queue, void *item)
{
    while (!queue_push(queue, item))
        sched_yield();
}

static struct message *pop(struct queue *queue)
{
    struct message *message;
    while ((message = queue_pop(queue)) == NULL)
        sched_yield();
    return message;
}

/* Answers each message and gives it back. */
static void *consume(void *context)
{
    struct pair *pair = context;
    for (uint64_t expected = 0; expected < ROUND_COUNT * MESSAGE_COUNT; expected++) {
        struct message *message = pop(&pair->there);
        message->answer = message->number == expected ? expected + 1 : 0;
        push(&pair->back, message);
    }
    return NULL;
}

/* Sends all messages, taking back what comes meanwhile. Returns the number of wrong answers. */
static unsigned run_round(struct pair *pair, uint64_t first_number)
{
    unsigned wrong_count = 0;
    uint32_t sent_count = 0;
    uint32_t back_count = 0;
    while (back_count < MESSAGE_COUNT) {
        if (sent_count < MESSAGE_COUNT) {
            struct message *message = &pair->messages[sent_count];
            message->number = first_number + sent_count;
            if (queue_push(&pair->there, message)) {
                sent_count++;
                continue;
            }
        }
        struct message *message = pop(&pair->back);
        wrong_count += message != &pair->messages[back_count] ||
                       message->answer != first_number + back_count + 1;
        back_count++;
    }
    return wrong_count;
}

int main(void)
{
    static struct pair pair;
    pthread_t consumer;
    unsigned wrong_count = 0;
    if (queue_init(&pair.there, SLOT_COUNT) != 0 || queue_init(&pair.back, SLOT_COUNT) != 0 ||
        pthread_create(&consumer, NULL, consume, &pair) != 0) {
        fprintf(stderr, "no memory or no thread\n");
        return 1;
    }
    for (uint64_t round = 0; round < ROUND_COUNT; round++)
        wrong_count += run_round(&pair, round * MESSAGE_COUNT);
    pthread_join(consumer, NULL);
    queue_deinit(&pair.there);
    queue_deinit(&pair.back);
    printf("%u wrong answers in %u\n", wrong_count, ROUND_COUNT * MESSAGE_COUNT);
    return wrong_count == 0 ? 0 : 1;
}
