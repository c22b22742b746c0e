#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Everything is allocated by hf_open(): calls, flights (a frame that was sent may outlive the
 * calls in it, which give up at their deadlines, so there are as many), the memory to decode
 * into. What other threads and the client's thread share is a list of submitted calls and the pool
 * they come from, under one mutex that nobody holds for longer than it takes to move a link.
 *
 * The thread is woken through an eventfd, written at most once per turn of the thread. It is
 * registered edge-triggered and never read: each write is an edge. */

enum { IN_FLIGHT_LIMIT = 4 * 1024 * 1024, ARENA_BYTES = 8 * FRAME_BODY_BYTES_MAX };

uint64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t monotonic_ms(void)
{
    return monotonic_us() / 1000;
}

bool client_is_own_thread(const hf_client *client)
{
    return pthread_equal(pthread_self(), client->thread) != 0;
}

/* ---- options ---- */

void hf_options_init_sized(hf_options *options, size_t struct_bytes)
{
    const hf_options defaults = {
        .struct_bytes = struct_bytes,
        .server = "127.0.0.1:7411",
        .deadline_ms = 5000,
        .connect_timeout_ms = 2000,
        .in_flight_max = 16384,
        .resend = true,
    };
    memset(options, 0, struct_bytes);
    memcpy(options, &defaults, struct_bytes < sizeof defaults ? struct_bytes : sizeof defaults);
}

static bool options_are_valid(const hf_options *options)
{
    return options->server && options->deadline_ms > 0 && options->connect_timeout_ms > 0 &&
           options->in_flight_max > 0 && options->in_flight_max <= IN_FLIGHT_LIMIT &&
           (!options->client_name || strlen(options->client_name) <= CLIENT_NAME_BYTES_MAX);
}

/* Takes what the caller knows of the options, and copies what they point to, but for the server's
 * name, which is needed only to look up its addresses. */
static bool copy_options(hf_client *client, const hf_options *given)
{
    hf_options *options = &client->options;
    hf_options_init(options);
    if (given) {
        if (given->struct_bytes < sizeof given->struct_bytes)
            return false; /* hf_options_init() was forgotten */
        memcpy(options, given,
               given->struct_bytes < sizeof *options ? given->struct_bytes : sizeof *options);
    }
    if (!options_are_valid(options))
        return false;
    if (options->client_name)
        memcpy(client->client_name, options->client_name, strlen(options->client_name));
    options->client_name = client->client_name;
    if (options->server_id) {
        memcpy(client->server_id, options->server_id, HF_SERVER_ID_BYTES);
        options->server_id = client->server_id;
    }
    return true;
}

/* ---- open and close ---- */

static void init_synchronisation(hf_client *client)
{
    pthread_mutex_init(&client->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static bool allocate_calls(hf_client *client)
{
    uint32_t count = client->options.in_flight_max;
    client->calls = calloc(count, sizeof *client->calls);
    client->flights = calloc(count, sizeof *client->flights);
    client->arena_memory = aligned_alloc(64, ARENA_BYTES);
    if (!client->calls || !client->flights || !client->arena_memory)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        list_push_tail(&client->pool, &client->calls[i].link);
        client->flights[i].request_id = i;
        list_init(&client->flights[i].calls);
        list_push_tail(&client->free_flights, &client->flights[i].link);
    }
    message_arena_init(&client->arena, client->arena_memory, ARENA_BYTES);
    return true;
}

static bool open_descriptors(hf_client *client)
{
    client->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (client->epoll_fd < 0 || client->wake_fd < 0)
        return false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = UINT64_MAX};
    return epoll_ctl(client->epoll_fd, EPOLL_CTL_ADD, client->wake_fd, &event) == 0;
}

/* The thread takes no signals: they are the program's. */
static bool start_thread(hf_client *client)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&client->thread, NULL, loop_run, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        pthread_setname_np(client->thread, "holdfast");
    return error == 0;
}

static void free_client(hf_client *client)
{
    for (uint32_t i = 0; i < HF_CORE_COUNT_MAX; i++) {
        free(client->connections[i].out);
        free(client->connections[i].in);
    }
    if (client->wake_fd >= 0)
        close(client->wake_fd);
    if (client->epoll_fd >= 0)
        close(client->epoll_fd);
    free(client->arena_memory);
    free(client->flights);
    free(client->calls);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

static hf_client *create_client(void)
{
    hf_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    init_synchronisation(client);
    client->epoll_fd = -1;
    client->wake_fd = -1;
    list_init(&client->pool);
    list_init(&client->submitted);
    list_init(&client->unrouted);
    list_init(&client->free_flights);
    client->now_ms = monotonic_ms();
    deadlines_init(&client->deadlines, client->now_ms);
    client->random = hf_id_random().low | 1;
    for (uint32_t core = 0; core < HF_CORE_COUNT_MAX; core++)
        connection_init(&client->connections[core], client, core);
    return client;
}

hf_error hf_open(const hf_options *options, hf_client **client_out)
{
    *client_out = NULL;
    hf_client *client = create_client();
    if (!client)
        return HF_ERROR_MEMORY;
    hf_error error = copy_options(client, options) ? HF_ERROR_NONE : HF_ERROR_ARGUMENT;
    if (error == HF_ERROR_NONE)
        error = address_resolve(client->options.server, &client->addresses);
    client->options.server = NULL; /* the addresses are what stays */
    if (error == HF_ERROR_NONE &&
        (!allocate_calls(client) || !open_descriptors(client) || !start_thread(client)))
        error = HF_ERROR_MEMORY;
    if (error != HF_ERROR_NONE) {
        free_client(client);
        return error;
    }
    *client_out = client;
    return HF_ERROR_NONE;
}

/* Under the mutex, so that the descriptor is not closed in between. */
static void wake_thread(hf_client *client)
{
    if (client->wake_is_due)
        return;
    client->wake_is_due = true;
    uint64_t one = 1;
    ssize_t written = write(client->wake_fd, &one, sizeof one);
    (void)written; /* it fails when the counter is full after 2^64 wakes */
}

/* Waits under the mutex for a call to come back. False when `until_ms` has passed. */
static bool wait_for_change(hf_client *client, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    client->waiter_count++;
    int error = pthread_cond_timedwait(&client->changed, &client->mutex, &until);
    client->waiter_count--;
    if (client->is_closing)
        pthread_cond_broadcast(&client->changed); /* hf_close() waits for the waiters */
    return error == 0;
}

hf_error hf_close(hf_client *client)
{
    if (!client)
        return HF_ERROR_NONE;
    if (client_is_own_thread(client))
        return HF_ERROR_IN_CALLBACK;
    pthread_mutex_lock(&client->mutex);
    client->is_closing = true;
    wake_thread(client);
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
    pthread_join(client->thread, NULL);

    /* threads that were in the middle of a call leave now */
    pthread_mutex_lock(&client->mutex);
    while (client->waiter_count > 0 || client->in_flight > 0)
        pthread_cond_wait(&client->changed, &client->mutex);
    pthread_mutex_unlock(&client->mutex);
    free_client(client);
    return HF_ERROR_NONE;
}

hf_error hf_drain(hf_client *client, uint32_t timeout_ms)
{
    if (client_is_own_thread(client))
        return HF_ERROR_IN_CALLBACK;
    uint64_t until_ms = monotonic_ms() + timeout_ms;
    pthread_mutex_lock(&client->mutex);
    bool in_time = true;
    while (client->in_flight > 0 && in_time)
        in_time = wait_for_change(client, until_ms);
    hf_error error = client->in_flight > 0 ? HF_ERROR_DEADLINE : HF_ERROR_NONE;
    pthread_mutex_unlock(&client->mutex);
    return error;
}

/* ---- calls ---- */

static struct call *take_spare(hf_client *client)
{
    struct call *call = client->spare;
    client->spare = NULL;
    return call;
}

struct call *client_acquire_call(hf_client *client, uint64_t wait_until_ms, hf_error *error_out)
{
    bool in_callback = client_is_own_thread(client);
    if (in_callback && client->spare) {
        *error_out = HF_ERROR_NONE;
        return take_spare(client);
    }
    pthread_mutex_lock(&client->mutex);
    bool in_time = wait_until_ms > 0 && !in_callback;
    while (list_is_empty(&client->pool) && !client->is_closing && in_time)
        in_time = wait_for_change(client, wait_until_ms);
    struct call *call = NULL;
    if (client->is_closing) {
        *error_out = HF_ERROR_CLOSED;
    } else if (list_is_empty(&client->pool)) {
        *error_out = HF_ERROR_FULL;
    } else {
        *error_out = HF_ERROR_NONE;
        call = list_entry(list_pop_head(&client->pool), struct call, link);
        client->in_flight++;
    }
    pthread_mutex_unlock(&client->mutex);
    return call;
}

static void give_back(hf_client *client, struct call *call)
{
    list_push_head(&client->pool, &call->link);
    client->in_flight--;
    if (client->waiter_count > 0 || client->is_closing)
        pthread_cond_broadcast(&client->changed);
}

void client_release_call(hf_client *client, struct call *call)
{
    pthread_mutex_lock(&client->mutex);
    give_back(client, call);
    pthread_mutex_unlock(&client->mutex);
}

bool client_submit(hf_client *client, struct call *call, uint64_t deadline_at_ms)
{
    call->deadline.at_ms = deadline_at_ms;
    list_init(&call->deadline.link);
    call->flight = NULL;
    call->was_sent = false;
    call->may_come_late = false;
    bool in_callback = client_is_own_thread(client);
    pthread_mutex_lock(&client->mutex);
    bool is_open = !client->is_closing;
    if (!is_open) {
        give_back(client, call);
    } else {
        list_push_tail(&client->submitted, &call->link);
        if (in_callback)
            client->submitted_by_callback = true; /* the thread looks before it sleeps */
        else
            wake_thread(client);
    }
    pthread_mutex_unlock(&client->mutex);
    return is_open;
}

/* ---- what the thread tells ---- */

void client_set_trouble(hf_client *client, const char *format, ...)
{
    char text[CLIENT_TROUBLE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&client->mutex);
    memcpy(client->trouble, text, sizeof text);
    pthread_mutex_unlock(&client->mutex);
}

void hf_trouble(hf_client *client, char *text_out, size_t text_bytes)
{
    if (text_bytes == 0)
        return;
    pthread_mutex_lock(&client->mutex);
    snprintf(text_out, text_bytes, "%s", client->trouble);
    pthread_mutex_unlock(&client->mutex);
}

void client_set_info(hf_client *client, const hf_server_info *info)
{
    pthread_mutex_lock(&client->mutex);
    client->info = *info;
    client->has_info = true;
    pthread_mutex_unlock(&client->mutex);
}
