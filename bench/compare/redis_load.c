#include "bench/endpoint.h"
#include "bench/histogram.h"
#include "bench/process.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* redis-load: the load of `holdfast-bench --scenario reserve`, put on Redis.
 *
 * The same closed loop: C connections with P requests in flight each, one thread, epoll, an answer
 * makes room for the next request. A request is one EVALSHA of reserve.lua; all that the script
 * needs (names of keys and fields, the time of expiry) is made here, so that Redis need not.
 * Requests that became possible in one turn go out in one send, as a pipelining client does.
 *
 * Prints one JSON object. Exit codes: 0 done, 1 usage, 2 trouble. */

enum {
    REQUEST_BYTES_MAX = 512,
    REPLY_BYTES_MAX = 128,
    EVENTS_MAX = 256,
    SHA_BYTES = 40,
    RESULTS = 32, /* numbers of holdfast.v1.Result */
    HOLD_MS = 15 * 60 * 1000,
};

struct settings {
    const char *host;
    const char *port;
    const char *script;
    uint64_t connections;
    uint64_t pipeline;
    uint64_t requests; /* 0 = no end */
    uint64_t duration_ms;
    uint64_t items;
    uint64_t units; /* per item */
    uint64_t buyers;
    uint64_t server_pid;
};

struct channel {
    int fd;
    uint64_t *sent_ns; /* a ring: Redis answers in order */
    uint64_t sent_count;
    uint64_t answered_count;
    char *out;
    size_t out_room, out_begin, out_end;
    char *in;
    size_t in_room, in_end;
};

struct load {
    struct settings settings;
    struct endpoint endpoint;
    struct channel *channels;
    int epoll_fd;
    char sha[SHA_BYTES + 1];
    uint64_t run_id;
    uint64_t made;
    uint64_t limit; /* requests to make */
    uint64_t answered;
    uint64_t results[RESULTS];
    uint64_t expires_ms;
    uint64_t started_ns;
    uint64_t last_answer_ns;
    struct histogram latency;
};

static struct load load;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "redis-load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(2);
}

/* ---- setting up, over a blocking connection ------------------------------------------------ */

static int connect_blocking(void)
{
    int fd = endpoint_connect_begin(&load.endpoint);
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t bytes = sizeof error;
    if (fd < 0 || poll(&wanted, 1, 5000) != 1 ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error != 0) {
        die("cannot connect to %s:%s", load.settings.host, load.settings.port);
    }
    return fd;
}

/* Sends a request and returns the first line of the answer, or of its text for a bulk string. */
static void ask(int fd, const char *request, size_t request_bytes, char *answer,
                size_t answer_bytes)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    size_t have = 0;
    if (send(fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes) {
        die("cannot send: %s", strerror(errno));
    }
    for (;;) {
        if (poll(&wanted, 1, 5000) != 1) {
            die("no answer from Redis");
        }
        ssize_t n = recv(fd, answer + have, answer_bytes - 1 - have, 0);
        if (n <= 0) {
            die("Redis closed the connection");
        }
        have += (size_t)n;
        answer[have] = 0;
        if (answer[0] == '-') {
            die("Redis says: %s", answer);
        }
        char *first_end = strstr(answer, "\r\n");
        if (first_end != NULL && answer[0] != '$') {
            return;
        }
        if (first_end != NULL && strstr(first_end + 2, "\r\n") != NULL) {
            memmove(answer, first_end + 2, strlen(first_end + 2) + 1);
            return;
        }
    }
}

static void load_script(int fd)
{
    char script[8192];
    FILE *file = fopen(load.settings.script, "r");
    if (file == NULL) {
        die("%s: %s", load.settings.script, strerror(errno));
    }
    size_t script_bytes = fread(script, 1, sizeof script - 1, file);
    fclose(file);
    script[script_bytes] = 0;
    char request[sizeof script + 64];
    int bytes =
        snprintf(request, sizeof request, "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%zu\r\n%s\r\n",
                 script_bytes, script);
    char answer[1024];
    ask(fd, request, (size_t)bytes, answer, sizeof answer);
    snprintf(load.sha, sizeof load.sha, "%.*s", SHA_BYTES, answer);
}

/* What reserve.lua reads: units free, units per buyer, the last sequence number. */
static void create_items(int fd)
{
    for (uint64_t i = 0; i < load.settings.items; i++) {
        char request[256];
        char answer[256];
        int bytes =
            snprintf(request, sizeof request,
                     "HSET i:%" PRIu64 " available %" PRIu64 " limit 1000000 sequence 0\r\n", i + 1,
                     load.settings.units);
        ask(fd, request, (size_t)bytes, answer, sizeof answer);
    }
}

/* ---- requests ------------------------------------------------------------------------------ */

/* The finaliser of splitmix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static char *put(char *to, const char *text, size_t bytes)
{
    memcpy(to, text, bytes);
    return to + bytes;
}

static char *put_text(char *to, const char *text)
{
    return put(to, text, strlen(text));
}

/* A bulk string made of a prefix and a decimal number; printf would cost more than the
 * rest of the request. */
static char *put_number(char *to, const char *prefix, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[sizeof digits - ++count] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    size_t prefix_bytes = strlen(prefix);
    size_t bytes = prefix_bytes + count;
    *to++ = '$';
    if (bytes >= 10) {
        *to++ = (char)('0' + bytes / 10);
    }
    *to++ = (char)('0' + bytes % 10);
    to = put_text(to, "\r\n");
    to = put(to, prefix, prefix_bytes);
    to = put(to, digits + sizeof digits - count, count);
    return put_text(to, "\r\n");
}

/* The reservation id as 32 hexadecimal digits behind an 'r'. */
static char *put_reservation(char *to, uint64_t high, uint64_t low)
{
    static const char hex[] = "0123456789abcdef";
    to = put_text(to, "$33\r\nr");
    for (int shift = 60; shift >= 0; shift -= 4) {
        *to++ = hex[high >> shift & 15];
    }
    for (int shift = 60; shift >= 0; shift -= 4) {
        *to++ = hex[low >> shift & 15];
    }
    return put_text(to, "\r\n");
}

static void put_request(struct channel *channel, uint64_t index, uint64_t now_ns)
{
    uint64_t item = 1 + mix(index * 2 + 1) % load.settings.items;
    uint64_t buyer = 1 + mix(index * 2 + 2) % load.settings.buyers;
    char *to = channel->out + channel->out_end;
    to = put_text(to, "*9\r\n$7\r\nEVALSHA\r\n$40\r\n");
    to = put(to, load.sha, SHA_BYTES);
    to = put_text(to, "\r\n$1\r\n2\r\n");
    to = put_number(to, "i:", item);
    to = put_number(to, "x:", item);
    to = put_number(to, "b", buyer);
    to = put_reservation(to, load.run_id, index + 1);
    to = put_text(to, "$1\r\n1\r\n");
    to = put_number(to, "", load.expires_ms);
    channel->out_end = (size_t)(to - channel->out);
    channel->sent_ns[channel->sent_count++ % load.settings.pipeline] = now_ns;
}

static void fill(struct channel *channel)
{
    uint64_t now_ns = monotonic_ns();
    memmove(channel->out, channel->out + channel->out_begin, channel->out_end - channel->out_begin);
    channel->out_end -= channel->out_begin;
    channel->out_begin = 0;
    while (channel->sent_count - channel->answered_count < load.settings.pipeline &&
           load.made < load.limit && channel->out_room - channel->out_end >= REQUEST_BYTES_MAX) {
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

/* The end of one answer, *4 and four integers, or NULL when it is not all there. */
static const char *answer_end(const char *text, const char *end)
{
    if (text == end) {
        return NULL;
    }
    if (*text != '*') {
        die("Redis says: %.*s", (int)(end - text < 200 ? end - text : 200), text);
    }
    for (int line = 0; line < 5; line++) {
        text = memchr(text, '\n', (size_t)(end - text));
        if (text == NULL) {
            return NULL;
        }
        text++;
    }
    return text;
}

static void take_answers(struct channel *channel)
{
    uint64_t now_ns = monotonic_ns();
    const char *at = channel->in;
    const char *end = channel->in + channel->in_end;
    const char *next;
    while ((next = answer_end(at, end)) != NULL) {
        long result = strtol(at + sizeof "*4\r\n:" - 1, NULL, 10);
        if (result < 0 || result >= RESULTS) {
            die("the script answers with an unknown result");
        }
        load.results[result]++;
        uint64_t sent_ns = channel->sent_ns[channel->answered_count++ % load.settings.pipeline];
        histogram_record(&load.latency, now_ns - sent_ns, 1);
        load.answered++;
        at = next;
    }
    load.last_answer_ns = now_ns;
    channel->in_end = (size_t)(end - at);
    memmove(channel->in, at, channel->in_end);
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
            die("Redis closed the connection");
        }
        channel->in_end += (size_t)n;
        take_answers(channel);
        if ((size_t)n < room) {
            return;
        }
    }
}

/* ---- the run ------------------------------------------------------------------------------- */

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (memory == NULL) {
        die("out of memory");
    }
    return memory;
}

static void open_channels(void)
{
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load.channels = allocate(load.settings.connections * sizeof load.channels[0]);
    for (uint64_t i = 0; i < load.settings.connections; i++) {
        struct channel *channel = &load.channels[i];
        channel->fd = connect_blocking();
        channel->sent_ns = allocate(load.settings.pipeline * sizeof channel->sent_ns[0]);
        channel->out_room = (load.settings.pipeline + 1) * REQUEST_BYTES_MAX;
        channel->out = allocate(channel->out_room);
        channel->in_room = (load.settings.pipeline + 1) * REPLY_BYTES_MAX;
        channel->in = allocate(channel->in_room);
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
    uint64_t duration_ns = load.settings.duration_ms * 1000000;
    if (duration_ns > 0 && now_ns - load.started_ns >= duration_ns) {
        load.limit = load.made;
    }
}

static void run(void)
{
    struct epoll_event events[EVENTS_MAX];
    load.limit = load.settings.requests > 0 ? load.settings.requests : UINT64_MAX;
    load.started_ns = load.last_answer_ns = monotonic_ns();
    tell_time(load.started_ns);
    while (load.answered < load.limit) {
        int count = epoll_wait(load.epoll_fd, events, EVENTS_MAX, 1000);
        uint64_t now_ns = monotonic_ns();
        tell_time(now_ns);
        if (count == 0 && now_ns - load.last_answer_ns > 30000000000ull) {
            die("nothing was answered for 30 s");
        }
        for (int i = 0; i < count; i++) {
            struct channel *channel = events[i].data.ptr;
            receive(channel);
            fill(channel);
            flush_out(channel);
        }
    }
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

static void report(uint64_t own_cpu_ns, uint64_t server_cpu_ns)
{
    double seconds = (double)(load.last_answer_ns - load.started_ns) / 1e9;
    double answered = (double)load.answered;
    printf("{\"reserve_answered\": %" PRIu64 ", \"reserve_elapsed_s\": %.6f, "
           "\"reserve_per_second\": %.1f, \"results\": {\"OK\": %" PRIu64 ", \"other\": %" PRIu64
           "}, ",
           load.answered, seconds, answered / seconds, load.results[1],
           load.answered - load.results[1]);
    printf("\"latency_us\": {\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, "
           "\"max\": %.1f}, ",
           us(histogram_quantile(&load.latency, 0.5)), us(histogram_quantile(&load.latency, 0.9)),
           us(histogram_quantile(&load.latency, 0.99)),
           us(histogram_quantile(&load.latency, 0.999)), us(load.latency.value_max));
    printf("\"own_cpu_us_per_row\": %.4f, \"server_cpu_us_per_row\": %.4f}\n",
           us(own_cpu_ns) / answered, us(server_cpu_ns) / answered);
}

/* ---- options ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint64_t *number;
    const char **text;
    const char *help;
} table[] = {
    {"host", NULL, &load.settings.host, "where Redis listens (127.0.0.1)"},
    {"port", NULL, &load.settings.port, "its port (6379)"},
    {"script", NULL, &load.settings.script, "the Lua file (reserve.lua)"},
    {"connections", &load.settings.connections, NULL, "connections (50)"},
    {"pipeline", &load.settings.pipeline, NULL, "requests in flight on each (16)"},
    {"requests", &load.settings.requests, NULL, "in all; 0 = no end (0)"},
    {"duration-ms", &load.settings.duration_ms, NULL, "stop after so long; 0 = never (5000)"},
    {"items", &load.settings.items, NULL, "items to create (100)"},
    {"units", &load.settings.units, NULL, "units of each (1000000000)"},
    {"buyers", &load.settings.buyers, NULL, "different buyers (1000000)"},
    {"server-pid", &load.settings.server_pid, NULL, "also report its CPU time"},
};
enum { OPTION_COUNT = sizeof table / sizeof table[0] };

static void usage(void)
{
    fprintf(stderr, "Usage: redis-load [OPTION VALUE...]\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        fprintf(stderr, "  --%-14s %s\n", table[i].name, table[i].help);
    }
    exit(1);
}

static void parse(int argc, char **argv)
{
    load.settings = (struct settings){
        .host = "127.0.0.1",
        .port = "6379",
        .script = "reserve.lua",
        .connections = 50,
        .pipeline = 16,
        .duration_ms = 5000,
        .items = 100,
        .units = 1000000000,
        .buyers = 1000000,
    };
    struct option longs[OPTION_COUNT + 1] = {0};
    for (int i = 0; i < OPTION_COUNT; i++) {
        longs[i] = (struct option){table[i].name, required_argument, NULL, 0};
    }
    int index;
    int got;
    while ((got = getopt_long(argc, argv, "", longs, &index)) == 0) {
        char *end = optarg;
        if (table[index].text != NULL) {
            *table[index].text = optarg;
        } else if (optarg[0] == '-' || (*table[index].number = strtoull(optarg, &end, 10),
                                        end == optarg || *end != 0)) {
            usage();
        }
    }
    struct settings *s = &load.settings;
    if (got != -1 || optind < argc || s->connections == 0 || s->pipeline == 0 || s->items == 0 ||
        s->buyers == 0 || (s->requests == 0 && s->duration_ms == 0)) {
        usage();
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    const char *unknown = endpoint_resolve(&load.endpoint, load.settings.host, load.settings.port);
    if (unknown != NULL) {
        die("%s: %s", load.settings.host, unknown);
    }
    load.run_id = mix(monotonic_ns());
    int fd = connect_blocking();
    load_script(fd);
    create_items(fd);
    close(fd);
    open_channels();
    uint64_t own_before_ns = process_own_cpu_ns();
    uint64_t server_before_ns = 0;
    uint64_t server_after_ns = 0;
    process_cpu_ns(load.settings.server_pid, &server_before_ns);
    run();
    process_cpu_ns(load.settings.server_pid, &server_after_ns);
    report(process_own_cpu_ns() - own_before_ns, server_after_ns - server_before_ns);
    return 0;
}
