#include "server_inside.h"

#include "check.h"
#include "core_steps.h"
#include "log/manifest.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static struct {
    struct io *io;
    struct data_directory directory;
    struct server_options options;
    struct server *server;
    pthread_t threads[LOG_CORE_COUNT_MAX];
    sem_t step;
} inside;

static enum server_status status_of(enum data_directory_status status)
{
    switch (status) {
    case DATA_DIRECTORY_OK:
        return SERVER_OK;
    case DATA_DIRECTORY_DAMAGED:
        return SERVER_DAMAGED;
    case DATA_DIRECTORY_VERSION:
        return SERVER_VERSION;
    case DATA_DIRECTORY_PERMISSION:
        return SERVER_PERMISSION;
    default:
        return SERVER_IO_ERROR;
    }
}

static enum server_status open_directory(const char *data, const struct server_options *options,
                                         char *message_out)
{
    char message[256];
    if (inside.io == NULL) {
        check_must(io_create(&(struct io_options){.op_count_max = 8}, &inside.io, message) == IO_OK,
                   "%s", message);
        io_start(inside.io);
    }
    inside.options = *options;
    enum data_directory_status status =
        data_directory_open(&inside.directory, inside.io, data, options->core_count);
    if (status != DATA_DIRECTORY_OK)
        snprintf(message_out, SERVER_MESSAGE_BYTES, "%s", inside.directory.message);
    return status_of(status);
}

static void create_server(char *message_out)
{
    enum server_status status;
    inside.server = server_create(&inside.options, &inside.directory, &status, message_out);
    check_must(inside.server != NULL, "%s", message_out);
}

struct server_inside_loaded
server_inside_load(const char *data, const struct server_options *options, char *message_out)
{
    struct server_inside_loaded loaded = {.status = open_directory(data, options, message_out)};
    if (loaded.status != SERVER_OK)
        return loaded;
    create_server(message_out);
    loaded.status = steps_load(inside.server, options->core_count, message_out);
    if (loaded.status == SERVER_OK) {
        loaded.totals = server_totals(inside.server);
        loaded.needs_past = server_needs_past(inside.server);
    }
    server_destroy(&inside.server);
    data_directory_close(&inside.directory);
    return loaded;
}

/* ------------------------------------------------------------------------------------------------
 * Threads
 * ---------------------------------------------------------------------------------------------- */

static void *run_core(void *context)
{
    struct core *core = context;
    enum core_status status;
    core_start(core);
    do {
        status = core_turn(core);
        if (status == CORE_LOADED || status == CORE_OPENED || status == CORE_SERVES)
            sem_post(&inside.step);
    } while (status < CORE_REFUSED);
    check_must(status == CORE_STOPPED, "%s",
               status == CORE_FAILED ? core_failure(core) : core_refusal(core)->message);
    return NULL;
}

static void wait_for_cores(void)
{
    for (uint32_t done = 0; done < inside.options.core_count;)
        if (sem_wait(&inside.step) == 0)
            done++;
}

static void begin_era(void)
{
    enum data_directory_status status = data_directory_begin_era(&inside.directory);
    if (status == DATA_DIRECTORY_OK)
        status =
            data_directory_remove_past(&inside.directory, server_needs_past(inside.server), NULL);
    check_must(status == DATA_DIRECTORY_OK, "%s", inside.directory.message);
}

uint16_t server_inside_start(const char *data, const struct server_options *options)
{
    char message[SERVER_MESSAGE_BYTES];
    uint16_t port;
    check_must(open_directory(data, options, message) == SERVER_OK, "%s", message);
    create_server(message);
    check_must(server_bind(inside.server, "127.0.0.1", "0", &port, message) == SERVER_OK, "%s",
               message);
    sem_init(&inside.step, 0, 0);
    for (uint32_t i = 0; i < options->core_count; i++)
        check_must(
            pthread_create(&inside.threads[i], NULL, run_core, server_core(inside.server, i)) == 0,
            "no thread");
    wait_for_cores();
    begin_era();
    server_open_logs(inside.server);
    wait_for_cores();
    server_serve(inside.server);
    wait_for_cores();
    return port;
}

void server_inside_stop(void)
{
    server_stop(inside.server);
    for (uint32_t i = 0; i < inside.options.core_count; i++)
        pthread_join(inside.threads[i], NULL);
    sem_destroy(&inside.step);
    server_destroy(&inside.server);
    data_directory_close(&inside.directory);
}
