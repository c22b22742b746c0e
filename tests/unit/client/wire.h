#ifndef HF_TEST_WIRE_H
#define HF_TEST_WIRE_H
/* The library against a server that does what the test tells it, over real sockets on loopback.
 * Deadlines here are long where the test expects an answer, so that a slow machine changes
 * nothing, and short where it expects none. */

#include "fake_server.h"

#include <criterion/criterion.h>
#include <holdfast.h>
#include <stdatomic.h>
#include <time.h>

enum { LONG_MS = 20000, SHORT_MS = 200 };

static inline uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static inline struct fake_server *start_server(uint32_t core_count)
{
    struct fake_server *server = fake_create(core_count);
    fake_start(server);
    return server;
}

static inline hf_options default_options(const struct fake_server *server)
{
    hf_options options;
    hf_options_init(&options);
    options.server = server->address;
    options.deadline_ms = LONG_MS;
    options.in_flight_max = 4096;
    return options;
}

static inline hf_client *open_with(const hf_options *options)
{
    hf_client *client;
    cr_assert_eq(hf_open(options, &client), HF_ERROR_NONE);
    return client;
}

static inline hf_client *open_client(const struct fake_server *server)
{
    hf_options options = default_options(server);
    return open_with(&options);
}

static inline hf_reserve_request reserve_request(uint64_t number)
{
    return (hf_reserve_request){.id = {7, number}, .item_id = number * 31 + 1, .quantity = 1};
}

static inline hf_reply reserve(hf_client *client, uint64_t number, uint32_t deadline_ms)
{
    hf_reserve_request request = reserve_request(number);
    request.deadline_ms = deadline_ms;
    hf_reply reply;
    hf_outcome outcome = hf_reserve(client, &request, &reply);
    cr_assert_eq(outcome, reply.outcome);
    return reply;
}

/* Counts replies by outcome, and checks that each is about its own row. */
struct tally {
    atomic_uint count;
    atomic_uint by_outcome[4];
    atomic_uint by_error[16];
    atomic_uint repeats;
};

static inline void count_reply(const hf_reply *reply, void *context)
{
    struct tally *tally = context;
    tally->by_outcome[reply->outcome]++;
    tally->by_error[reply->error]++;
    tally->repeats += reply->is_repeat;
    tally->count++;
}

static inline void start_many(hf_client *client, uint32_t count, struct tally *tally)
{
    for (uint32_t i = 1; i <= count; i++) {
        hf_reserve_request request = reserve_request(i);
        cr_assert_eq(hf_reserve_async(client, &request, count_reply, tally), HF_ERROR_NONE);
    }
}

#endif
