/* Jobs between cores that are real threads, for ThreadSanitizer and for everybody: four threads
 * with a port and a ring each send jobs to each other as random lets them, answer what they get at
 * once or a little later, and sleep when there is nothing to do. Every job comes back once, with
 * what its receiver wrote into it, and between two threads nothing overtakes anything. A thread
 * that sleeps over a job that was sent to it sleeps until the test gives up.
 *
 * No annotation for ThreadSanitizer, and nothing else between the threads that could stand in for
 * the queues' release and acquire: wake-ups go through the kernel, which it does not see.
 *
 * A plain main, because ThreadSanitizer does not start below Criterion. A seed may be given; which
 * thread runs when is not in its hands. */

#include "core/exchange.h"

#include "random.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CORE_COUNT = 4,
    JOB_COUNT = 40000,                      /* from each thread */
    OUT_MAX = 3 * EXCHANGE_OUTSTANDING_MAX, /* of one thread's jobs, with the others */
    KEPT_MAX = 8,                           /* of the others' jobs, before the oldest is answered */
    ROW_COUNT_MAX = 80,
    WORDS_PER_ROW = sizeof(union job_row) / sizeof(uint64_t),
};
#define TEST_NS_MAX (30ull * 1000 * 1000 * 1000)

struct player {
    pthread_t thread;
    uint32_t core;
    struct io *io;
    struct exchange_port port;
    struct job_pool jobs;
    struct test_random random;
    struct job_list kept; /* of others, not answered yet */
    uint32_t kept_count;
    uint32_t sent_count;
    uint32_t back_count;
    uint32_t out_max;              /* now: few, and threads sleep; many, and queues fill */
    uint64_t sent_to[CORE_COUNT];  /* jobs so far, by the other thread: the numbers that */
    uint64_t got_from[CORE_COUNT]; /* make an order */
    uint64_t back_from[CORE_COUNT];
    bool is_quiet_told;
    uint32_t quiet_heard;
    uint64_t deadline_ns;
};

static struct player players[CORE_COUNT];
static struct io *ios[CORE_COUNT];
static struct exchange exchange;

/* One line, as the simulator's findings, and the end. */
__attribute__((format(printf, 3, 4))) static _Noreturn void
fail(const struct player *player, const char *check, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "FINDING %s: core %" PRIu32 ": %s\n", check, player->core, text);
    _exit(1);
}

/* ---- what is in a job ---- */

/* The word that a job carries at one place; answered, its complement. */
static uint64_t word_of(uint32_t from, uint32_t to, uint64_t number, uint32_t at)
{
    return (number << 32 | from << 24 | to << 16) * 0x9E3779B97F4A7C15u + at;
}

static void write_words(struct job *job, uint32_t from, uint32_t to, uint64_t number,
                        uint64_t turned)
{
    uint64_t *words = (uint64_t *)(void *)job->data;
    for (uint32_t at = 0; at < job->row_count * WORDS_PER_ROW; at++)
        words[at] = word_of(from, to, number, at) ^ turned;
}

static void check_words(const struct player *player, const struct job *job, uint32_t from,
                        uint32_t to, uint64_t turned)
{
    const uint64_t *words = (const uint64_t *)(const void *)job->data;
    for (uint32_t at = 0; at < job->row_count * WORDS_PER_ROW; at++)
        if (words[at] != (word_of(from, to, job->request_id, at) ^ turned))
            fail(player, "content",
                 "job %" PRIu64 " from %" PRIu32 " to %" PRIu32 " has another word %" PRIu32
                 " than was written",
                 job->request_id, from, to, at);
}

static void check_number(const struct player *player, const struct job *job, uint64_t expected,
                         const char *what, uint32_t other)
{
    if (job->request_id != expected)
        fail(player, "order", "%s %" PRIu32 " has number %" PRIu64 " instead of %" PRIu64, what,
             other, job->request_id, expected);
}

/* ---- a thread ---- */

static uint32_t other_core(struct player *player)
{
    return (player->core + 1 + test_random_below(&player->random, CORE_COUNT - 1)) % CORE_COUNT;
}

/* False when it can send no more now. */
static bool send_one(struct player *player)
{
    if (player->sent_count == JOB_COUNT ||
        player->sent_count - player->back_count >= player->out_max)
        return false;
    uint32_t to = other_core(player);
    if (!exchange_has_room(&player->port, to, 1))
        return false;
    bool is_large = test_random_below(&player->random, 32) == 0;
    uint32_t row_count = 1 + test_random_below(&player->random, is_large ? ROW_COUNT_MAX : 2);
    struct job *job = job_acquire_rows(&player->jobs, row_count);
    if (job == NULL)
        return false;
    job->kind = JOB_ROWS;
    job->request_id = player->sent_to[to]++;
    job->connection.promised_bytes = to; /* where it went, told when it comes back */
    write_words(job, player->core, to, job->request_id, 0);
    exchange_send(&player->port, to, job);
    player->sent_count++;
    return true;
}

static void answer_oldest(struct player *player)
{
    struct job *job = job_list_pop(&player->kept);
    player->kept_count--;
    write_words(job, job->origin_core, player->core, job->request_id, UINT64_MAX);
    exchange_return(&player->port, job);
}

static void take_sent(struct player *player, struct job *job)
{
    if (job->kind == JOB_QUIET) {
        player->quiet_heard++;
        exchange_return(&player->port, job);
        return;
    }
    uint32_t from = job->origin_core;
    check_number(player, job, player->got_from[from]++, "a job from", from);
    check_words(player, job, from, player->core, 0);
    job_list_push(&player->kept, job);
    player->kept_count++;
}

static uint32_t next_out_max(struct player *player)
{
    bool is_many = test_random_below(&player->random, 8) == 0;
    return 1 + test_random_below(&player->random, is_many ? OUT_MAX : 20);
}

static void take_returned(struct player *player, struct job *job)
{
    if (job->kind == JOB_ROWS) {
        uint32_t to = job->connection.promised_bytes;
        check_number(player, job, player->back_from[to]++, "a job back from", to);
        check_words(player, job, player->core, to, UINT64_MAX);
        player->back_count++;
        if (test_random_below(&player->random, 64) == 0)
            player->out_max = next_out_max(player);
    }
    job_release(&player->jobs, job);
}

static void take_all(struct player *player)
{
    struct job *job;
    while ((job = exchange_receive(&player->port)) != NULL) {
        if (job->is_returning)
            take_returned(player, job);
        else
            take_sent(player, job);
        while (player->kept_count > test_random_below(&player->random, KEPT_MAX))
            answer_oldest(player);
    }
}

static void tell_quiet(struct player *player)
{
    for (uint32_t to = 0; to < CORE_COUNT; to++) {
        if (to == player->core)
            continue;
        struct job *job = job_acquire_data(&player->jobs, 0);
        job->kind = JOB_QUIET;
        exchange_send(&player->port, to, job);
    }
    player->is_quiet_told = true;
}

/* As a core stops: it serves the others until it has heard from each that nothing more will come.
 */
static bool has_ended(struct player *player)
{
    if (player->back_count < JOB_COUNT)
        return false;
    if (!player->is_quiet_told)
        tell_quiet(player);
    return player->quiet_heard == CORE_COUNT - 1 && job_count(&player->jobs) == 0;
}

static void *play(void *context)
{
    struct player *player = context;
    io_start(player->io);
    for (bool is_ended = false; !is_ended;) {
        if (io_clock(player->io).monotonic_ns >= player->deadline_ns)
            fail(player, "wake", "%" PRIu32 " of %d jobs are back and nobody woke it for more",
                 player->back_count, JOB_COUNT);
        take_all(player);
        while (send_one(player) && test_random_below(&player->random, 16) != 0)
            ;
        while (player->kept_count > 0) /* before it sleeps: the others wait for them */
            answer_oldest(player);
        is_ended = has_ended(player);
        exchange_wake(&player->port);
        bool can_send = player->sent_count < JOB_COUNT &&
                        player->sent_count - player->back_count < player->out_max;
        io_turn(player->io, is_ended || can_send ? 0 : player->deadline_ns);
    }
    return NULL;
}

/* ---- all of them ---- */

static bool create_player(uint32_t core, uint64_t seed, char *message)
{
    struct player *player = &players[core];
    enum io_status status = io_create(&(struct io_options){.op_count_max = 8}, &ios[core], message);
    if (status != IO_OK)
        return false;
    player->core = core;
    player->io = ios[core];
    player->out_max = 1;
    player->deadline_ns = io_clock(player->io).monotonic_ns + TEST_NS_MAX;
    test_random_init(&player->random, seed + core);
    job_list_init(&player->kept);
    exchange_port_init(&player->port, &exchange, core, ios);
    return job_pool_init(&player->jobs) == 0;
}

static void check_nothing_is_left(struct player *player)
{
    if (exchange_receive(&player->port) != NULL)
        fail(player, "once", "a job comes after the last one");
    for (uint32_t other = 0; other < CORE_COUNT; other++) {
        if (player->port.outstanding[other] != 0)
            fail(player, "once", "%" PRIu32 " jobs at core %" PRIu32 " never came back",
                 player->port.outstanding[other], other);
        if (player->back_from[other] != player->sent_to[other])
            fail(player, "once", "%" PRIu64 " jobs went to core %" PRIu32 ", %" PRIu64 " are back",
                 player->sent_to[other], other, player->back_from[other]);
    }
}

int main(int argc, char **argv)
{
    char message[256] = "no memory";
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    bool is_made = exchange_init(&exchange, CORE_COUNT) == 0;
    for (uint32_t core = 0; core < CORE_COUNT && is_made; core++)
        is_made = create_player(core, seed * CORE_COUNT, message);
    for (uint32_t core = 0; core < CORE_COUNT && is_made; core++)
        is_made = pthread_create(&players[core].thread, NULL, play, &players[core]) == 0;
    if (!is_made) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    for (uint32_t core = 0; core < CORE_COUNT; core++)
        pthread_join(players[core].thread, NULL);
    for (uint32_t core = 0; core < CORE_COUNT; core++) {
        check_nothing_is_left(&players[core]);
        job_pool_deinit(&players[core].jobs);
        io_destroy(&ios[core]);
    }
    exchange_deinit(&exchange);
    printf("seed %" PRIu64 ": %d jobs went and came back\n", seed, CORE_COUNT * JOB_COUNT);
    return 0;
}
