#include "compare/closed_loop.h"

#include "bench/chance.h"
#include "bench/histogram.h"
#include "bench/process.h"
#include "compare/talk.h"
#include "compare/trouble.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { EVENTS_MAX = 256, HOLD_MS = 15 * 60 * 1000, SEED = 1 };

static const uint64_t silence_ns_max = 30000000000ull;

struct channel {
    int fd;
    uint64_t *sent_ns; /* a ring: answers come in the order of requests */
    uint64_t sent_count;
    uint64_t answered_count;
    char *out;
    size_t out_room, out_begin, out_end;
    char *in;
    size_t in_room, in_end;
};

struct load {
    const struct load_options *options;
    const struct dialect *dialect;
    struct channel *channels;
    struct click *clicks; /* of one request */
    int epoll_fd;
    uint64_t run_id;
    uint64_t made; /* requests */
    uint64_t limit;
    uint64_t answered;
    uint64_t accepted; /* clicks */
    uint64_t expires_ms;
    uint64_t started_ns;
    uint64_t last_answer_ns;
    struct histogram latency;
};

static struct load load;

/* ---- requests ------------------------------------------------------------------------------ */

/* The same items and buyers as those of holdfast-bench with its own seed. */
static struct click click_of(uint64_t index)
{
    uint64_t item = chance_bits(SEED, SALT_ITEM, index);
    uint64_t buyer = chance_bits(SEED, SALT_BUYER, index);
    return (struct click){
        .item = 1 + chance_below(item, load.options->items),
        .buyer = 1 + chance_below(buyer, load.options->buyers),
        .id_high = load.run_id,
        .id_low = index + 1,
        .expires_ms = load.expires_ms,
    };
}

static void put_request(struct channel *channel, uint64_t index, uint64_t now_ns)
{
    uint64_t batch = load.options->batch;
    for (uint64_t i = 0; i < batch; i++) {
        load.clicks[i] = click_of(index * batch + i);
    }
    char *end = load.dialect->put_request(channel->out + channel->out_end, channel->sent_count,
                                          load.clicks, batch);
    channel->out_end = (size_t)(end - channel->out);
    channel->sent_ns[channel->sent_count++ % load.options->pipeline] = now_ns;
}

static void fill(struct channel *channel)
{
    uint64_t now_ns = monotonic_ns();
    memmove(channel->out, channel->out + channel->out_begin, channel->out_end - channel->out_begin);
    channel->out_end -= channel->out_begin;
    channel->out_begin = 0;
    while (channel->sent_count - channel->answered_count < load.options->pipeline &&
           load.made < load.limit &&
           channel->out_room - channel->out_end >= load.dialect->request_bytes_max) {
        put_request(channel, load.made++, now_ns);
    }
}

static void flush_out(struct channel *channel)
{
    while (channel->out_begin < channel->out_end) {
        ssize_t n = send(channel->fd, channel->out + channel->out_begin,
                         channel->out_end - channel->out_begin, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n < 0) {
            die("cannot send: %s", strerror(errno));
        }
        channel->out_begin += (size_t)n;
    }
}

/* ---- answers ------------------------------------------------------------------------------- */

static void take_answers(struct channel *channel)
{
    uint64_t now_ns = monotonic_ns();
    const char *at = channel->in;
    const char *end = channel->in + channel->in_end;
    const char *next;
    while ((next = load.dialect->take_answer(at, end, channel->answered_count, &load.accepted)) !=
           NULL) {
        if (channel->answered_count == channel->sent_count) {
            die("an answer came to no request");
        }
        uint64_t sent_ns = channel->sent_ns[channel->answered_count++ % load.options->pipeline];
        histogram_record(&load.latency, now_ns - sent_ns, load.options->batch);
        load.answered++;
        load.last_answer_ns = now_ns;
        at = next;
    }
    channel->in_end = (size_t)(end - at);
    memmove(channel->in, at, channel->in_end);
    if (channel->in_end == channel->in_room) {
        die("an answer is longer than %zu bytes", load.dialect->answer_bytes_max);
    }
}

static void receive(struct channel *channel)
{
    for (;;) {
        size_t room = channel->in_room - channel->in_end;
        ssize_t n = recv(channel->fd, channel->in + channel->in_end, room, 0);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            die("the server closed the connection");
        }
        channel->in_end += (size_t)n;
        take_answers(channel);
        if ((size_t)n < room) {
            return;
        }
    }
}

/* ---- the run ------------------------------------------------------------------------------- */

static void *allocate(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL) {
        die("out of memory");
    }
    return memory;
}

static void open_channels(const struct endpoint *endpoint)
{
    const struct load_options *options = load.options;
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load.channels = allocate(options->connections, sizeof load.channels[0]);
    load.clicks = allocate(options->batch, sizeof load.clicks[0]);
    for (uint64_t i = 0; i < options->connections; i++) {
        struct channel *channel = &load.channels[i];
        channel->fd = talk_connect(endpoint, load.dialect->greeting_bytes);
        channel->sent_ns = allocate(options->pipeline, sizeof channel->sent_ns[0]);
        channel->out_room = (options->pipeline + 1) * load.dialect->request_bytes_max;
        channel->out = allocate(1, channel->out_room);
        channel->in_room = (options->pipeline + 1) * load.dialect->answer_bytes_max;
        channel->in = allocate(1, channel->in_room);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = channel};
        if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, channel->fd, &event) != 0) {
            die("epoll: %s", strerror(errno));
        }
    }
}

static void tell_time(uint64_t now_ns)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    load.expires_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000 + HOLD_MS;
    uint64_t duration_ns = load.options->duration_ms * 1000000;
    if (duration_ns > 0 && now_ns - load.started_ns >= duration_ns) {
        load.limit = load.made;
    }
}

static void play(void)
{
    struct epoll_event events[EVENTS_MAX];
    load.limit = load.options->requests > 0 ? load.options->requests : UINT64_MAX;
    load.started_ns = load.last_answer_ns = monotonic_ns();
    tell_time(load.started_ns);
    while (load.answered < load.limit) {
        int count = epoll_wait(load.epoll_fd, events, EVENTS_MAX, 1000);
        uint64_t now_ns = monotonic_ns();
        tell_time(now_ns);
        if (now_ns - load.last_answer_ns > silence_ns_max) {
            die("nothing was answered for %" PRIu64 " s", silence_ns_max / 1000000000);
        }
        for (int i = 0; i < count; i++) {
            struct channel *channel = events[i].data.ptr;
            receive(channel);
            fill(channel);
            flush_out(channel);
        }
    }
}

/* ---- the report ---------------------------------------------------------------------------- */

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

static double quantile_us(double fraction)
{
    return us(histogram_quantile(&load.latency, fraction));
}

static void report(uint64_t own_cpu_ns, uint64_t server_cpu_ns)
{
    double seconds = (double)(load.last_answer_ns - load.started_ns) / 1e9;
    uint64_t clicks = load.answered * load.options->batch;
    printf("{\"reserve_answered\": %" PRIu64 ", \"reserve_elapsed_s\": %.6f, "
           "\"reserve_per_second\": %.1f, \"results\": {\"OK\": %" PRIu64 ", \"other\": %" PRIu64
           "}, ",
           clicks, seconds, (double)clicks / seconds, load.accepted, clicks - load.accepted);
    printf("\"latency_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, "
           "\"max\": %.1f}, ",
           quantile_us(0.5), quantile_us(0.9), quantile_us(0.99), quantile_us(0.999),
           us(load.latency.value_max));
    printf("\"own_cpu_us_per_row\": %.4f, \"server_cpu_us_per_row\": %.4f}\n",
           us(own_cpu_ns) / (double)clicks, us(server_cpu_ns) / (double)clicks);
}

void closed_loop_run(const struct load_options *options, const struct endpoint *endpoint,
                     const struct dialect *dialect)
{
    load.options = options;
    load.dialect = dialect;
    load.run_id = chance_mix(monotonic_ns());
    open_channels(endpoint);
    uint64_t own_before_ns = process_own_cpu_ns();
    uint64_t server_before_ns = 0;
    uint64_t server_after_ns = 0;
    process_cpu_ns(options->server_pid, &server_before_ns);
    play();
    process_cpu_ns(options->server_pid, &server_after_ns);
    report(process_own_cpu_ns() - own_before_ns, server_after_ns - server_before_ns);
}
