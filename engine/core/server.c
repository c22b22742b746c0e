/* All cores of a server: making them, loading their state, opening them to clients, stopping them.
 */
#include "core/private.h"

#include "base/assert.h"
#include "base/memory.h"
#include "core/columns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Two operations per connection, the log's, the listener's, the waker's. */
    OPS_PER_CONNECTION = 2,
    OPS_FIXED = 64,
    ORDER_SLOTS = 8, /* open, serve, stop */
    ARENA_BYTES = 8 * FRAME_BODY_BYTES_MAX,
    SEND_BYTES_MAX = 1 << 20,
};

static const uint64_t partial_timeout_ns = 10ull * 1000 * 1000 * 1000;

/* ---- life ---- */

static bool create_core(struct server *server, uint32_t index, uint64_t hash_key)
{
    const struct server_options *options = &server->options;
    struct core *core = &server->cores[index];
    core->stock_options = (struct stock_options){
        .item_count_max = options->item_count_max,
        .reservation_count_max = options->reservation_count_max,
        .buyer_count_max = options->buyer_count_max,
        .retention_ms = options->retention_ms,
        .hash_key = hash_key,
    };
    const struct net_options net_options = {
        .connection_count_max = options->connection_count_max,
        .frame_bytes_max = FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX,
        .send_bytes_max = SEND_BYTES_MAX,
        .partial_timeout_ns = partial_timeout_ns,
    };

    core->index = index;
    core->server = server;
    core->io = server->ios[index];
    engine_clock_init(&core->clock, io_clock(core->io), 0);
    job_list_init(&core->waiting);
    exchange_port_init(&core->port, &server->exchange, index, server->ios);
    core->stock = stock_create(&core->stock_options);
    core->net = net_create(core->io, &net_options);
    core->arena_memory = memory_map(ARENA_BYTES);
    core->columns = memory_map(sizeof *core->columns);
    if (core->stock == NULL || core->net == NULL || core->arena_memory == NULL ||
        core->columns == NULL)
        return false;
    message_arena_init(&core->arena, core->arena_memory, ARENA_BYTES);
    return load_create(core) && job_pool_init(&core->jobs) == 0 &&
           filter_init(&core->filter, options->item_count_max) == 0 &&
           queue_init(&server->orders[index], ORDER_SLOTS) == 0;
}

static enum server_status create_ios(struct server *server, char *message_out)
{
    const struct io_options io_options = {
        .op_count_max = OPS_FIXED + OPS_PER_CONNECTION * server->options.connection_count_max,
    };
    for (uint32_t i = 0; i < server->options.core_count; i++) {
        enum io_status status = io_create(&io_options, &server->ios[i], message_out);
        if (status != IO_OK)
            return status == IO_NO_MEMORY ? SERVER_NO_MEMORY : SERVER_NO_IO_URING;
    }
    return SERVER_OK;
}

/* The tables of a server: few, made at start, of a size that only the number of cores decides. */
static struct server *create_tables(uint32_t core_count)
{
    struct server *server = memory_map(sizeof *server);
    if (server == NULL)
        return NULL;
    server->ios = memory_map(core_count * sizeof *server->ios);
    server->cores = memory_map(core_count * sizeof *server->cores);
    server->aheads = memory_map(core_count * sizeof *server->aheads);
    server->orders = memory_map(core_count * sizeof *server->orders);
    server->listen_fds = memory_map(core_count * sizeof *server->listen_fds);
    server->options.core_count = core_count;
    if (server->ios == NULL || server->cores == NULL || server->aheads == NULL ||
        server->orders == NULL || server->listen_fds == NULL ||
        exchange_init(&server->exchange, core_count) != 0)
        server_destroy(&server);
    return server;
}

struct server *server_create(const struct server_options *options, struct data_directory *directory,
                             enum server_status *status_out, char *message_out)
{
    hf_assert(options->core_count > 0 && options->core_count <= LOG_CORE_COUNT_MAX);
    hf_assert(options->batch_rows_max > 0 && options->batch_rows_max <= FRAME_ROW_COUNT_MAX);
    struct server *server = create_tables(options->core_count);
    if (server == NULL)
        goto no_memory;
    server->options = *options;
    server->directory = directory;
    *status_out = create_ios(server, message_out);
    if (*status_out != SERVER_OK) {
        server_destroy(&server);
        return NULL;
    }
    uint64_t hash_key;
    io_random(server->ios[0], &hash_key, sizeof hash_key);
    for (uint32_t i = 0; i < options->core_count; i++)
        if (!create_core(server, i, hash_key))
            goto no_memory;
    return server;

no_memory:
    *status_out = SERVER_NO_MEMORY;
    snprintf(message_out, SERVER_MESSAGE_BYTES,
             "the system refuses the memory for tables of this size; lower --max-items, "
             "--max-reservations, --max-buyers, --max-connections or --cores");
    if (server != NULL)
        server_destroy(&server);
    return NULL;
}

static void destroy_core(struct core *core)
{
    load_abandon(core);
    saving_close(core);
    if (core->wal != NULL)
        wal_close(&core->wal);
    if (core->net != NULL)
        net_destroy(&core->net);
    if (core->stock != NULL)
        stock_destroy(&core->stock);
    filter_deinit(&core->filter);
    job_pool_deinit(&core->jobs);
    memory_unmap(core->arena_memory, ARENA_BYTES);
    memory_unmap(core->columns, sizeof *core->columns);
}

void server_destroy(struct server **server_inout)
{
    struct server *server = *server_inout;
    uint32_t core_count = server->options.core_count;
    *server_inout = NULL;

    for (uint32_t i = 0; server->cores != NULL && i < core_count; i++)
        destroy_core(&server->cores[i]);
    for (uint32_t i = 0; i < server->listen_count; i++)
        /* NOLINTNEXTLINE(*NullDereference): no socket without both arrays */
        io_close(server->ios[i], server->listen_fds[i]);
    for (uint32_t i = 0; server->ios != NULL && i < core_count; i++)
        if (server->ios[i] != NULL)
            io_destroy(&server->ios[i]);
    for (uint32_t i = 0; server->orders != NULL && i < core_count; i++)
        if (server->orders[i].slots != NULL)
            queue_deinit(&server->orders[i]);
    exchange_deinit(&server->exchange);
    memory_unmap(server->listen_fds, core_count * sizeof *server->listen_fds);
    memory_unmap(server->aheads, core_count * sizeof *server->aheads);
    memory_unmap(server->orders, core_count * sizeof *server->orders);
    memory_unmap(server->cores, core_count * sizeof *server->cores);
    memory_unmap(server->ios, core_count * sizeof *server->ios);
    memory_unmap(server, sizeof *server);
}

struct core *server_core(struct server *server, uint32_t index)
{
    hf_assert(index < server->options.core_count);
    return &server->cores[index];
}

/* ---- opening ---- */

/* The time goes on behind everything that any log says has happened. */
static uint64_t latest_time_ms(const struct server *server)
{
    uint64_t latest_ms = 0;
    for (uint32_t i = 0; i < server->options.core_count; i++)
        if (server->cores[i].loaded_time_ms > latest_ms)
            latest_ms = server->cores[i].loaded_time_ms;
    return latest_ms;
}

static void fill_filters(struct server *server)
{
    struct stock_item_view view;
    for (uint32_t from = 0; from < server->options.core_count; from++)
        for (uint32_t item = 0; stock_item_at(server->cores[from].stock, item, &view); item++)
            for (uint32_t to = 0; to < server->options.core_count; to++)
                filter_add(&server->cores[to].filter, item_hash(view.settings.item_id));
}

/* SO_REUSEPORT lets every process of the same user share a port without a word, so whether another
 * server has it is found out by a socket that shares nothing. The cores' own sockets follow at
 * once. */
static int probe_port(struct server *server, const char *host, const char *port)
{
    int fd = io_listen(server->ios[0], host, port, false);
    if (fd < 0)
        return fd;
    io_close(server->ios[0], fd);
    return 0;
}

static int listen_all(struct server *server, const char *host, const char *port)
{
    char chosen_port[8];
    int error = probe_port(server, host, port);
    if (error != 0)
        return error;
    for (uint32_t i = 0; i < server->options.core_count; i++) {
        int fd = io_listen(server->ios[i], host, port, true);
        if (fd < 0)
            return fd;
        server->listen_fds[server->listen_count++] = fd;
        if (i == 0) { /* with port 0 the first one chooses for all */
            snprintf(chosen_port, sizeof chosen_port, "%u",
                     (unsigned)io_listen_port(server->ios[0], fd));
            port = chosen_port;
        }
    }
    return 0;
}

enum server_status server_bind(struct server *server, const char *host, const char *port,
                               uint16_t *port_out, char *message_out)
{
    int error = listen_all(server, host, port);
    if (error != 0) {
        snprintf(message_out, SERVER_MESSAGE_BYTES, "cannot listen on %s:%s: %s; %s", host, port,
                 strerror(-error),
                 error == -EADDRINUSE ? "another process has that port: stop it or choose another "
                                        "one with --listen"
                                      : "choose an address of this machine with --listen");
        return SERVER_CANNOT_LISTEN;
    }
    *port_out = io_listen_port(server->ios[0], server->listen_fds[0]);
    return SERVER_OK;
}

/* ---- orders ---- */

static void order_all(struct server *server, enum core_order order)
{
    /* what goes through the queue is an address */
    static const enum core_order orders[] = {
        [CORE_ORDER_OPEN] = CORE_ORDER_OPEN,
        [CORE_ORDER_SERVE] = CORE_ORDER_SERVE,
        [CORE_ORDER_STOP] = CORE_ORDER_STOP,
    };
    for (uint32_t i = 0; i < server->options.core_count; i++) {
        bool is_pushed = queue_push(&server->orders[i], (void *)(uintptr_t)&orders[order]);
        hf_assert(is_pushed);
        io_wake(NULL, server->ios[i]);
    }
}

bool server_needs_past(const struct server *server)
{
    for (uint32_t i = 0; i < server->options.core_count; i++) {
        const struct saving *saving = &server->cores[i].saving;
        /* If the newer one is found damaged there is the other; a core without items has nothing to
         * lose, and may never have a second. */
        uint32_t needed_count = saving->newest.content.item_count > 0 ? 2 : 1;
        if (!saving->has_newest || saving->good_count < needed_count)
            return true;
    }
    return false;
}

void server_open_logs(struct server *server)
{
    order_all(server, CORE_ORDER_OPEN);
}

void server_serve(struct server *server)
{
    fill_filters(server);
    server->not_before_ms = latest_time_ms(server);
    for (uint32_t i = 0; i < server->options.core_count; i++)
        server->aheads[i].tables = stock_ahead_begin(server->cores[i].stock);
    order_all(server, CORE_ORDER_SERVE);
}

void server_stop(struct server *server)
{
    order_all(server, CORE_ORDER_STOP);
}

/* ---- memory ahead of use ---- */

uint64_t server_touch_step(struct server *server)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < server->options.core_count; i++) {
        struct core_ahead *ahead = &server->aheads[i];
        if (ahead->bytes >= server->options.touch_ahead_bytes)
            continue;
        uint64_t piece_bytes = stock_ahead_touch(server->cores[i].stock, &ahead->tables);
        ahead->bytes += piece_bytes;
        bytes += piece_bytes;
    }
    return bytes;
}

/* ---- what there is ---- */

struct server_totals server_totals(struct server *server)
{
    struct server_totals totals = {0};
    for (uint32_t i = 0; i < server->options.core_count; i++) {
        struct core *core = &server->cores[i];
        struct stock_counts counts = stock_counts(core->stock);
        totals.state_hash += core->loaded_hash;
        totals.items += counts.items;
        totals.reservations += counts.reservations;
        totals.entries_loaded += core->counts.entries_loaded;
        totals.records_replayed += core->counts.records_replayed;
    }
    return totals;
}

uint64_t server_hash(struct server *server)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < server->options.core_count; i++)
        hash += stock_hash(server->cores[i].stock);
    return hash;
}
