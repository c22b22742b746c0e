#ifndef HF_TESTS_SERVER_PLAY_H
#define HF_TESTS_SERVER_PLAY_H
/* A whole server on the simulated machine, played by one thread: started, turned until something
 * has happened, stopped, or crashed and started again. And a client with one connection. */

#include "core/core.h"
#include "core/private.h"

#include "core_steps.h"

#include "disk.h"
#include "io_sim.h"
#include "memory.h"
#include "network.h"
#include "world.h"

#include <criterion/criterion.h>
#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/result.pb-c.h>
#include <holdfast/v1/session.pb-c.h>
#include <string.h>

enum { PLAY_STEPS_MAX = 200000, PLAY_BYTES_MAX = 1 << 16 };

struct play {
    struct server_options options;
    bool has_directory;
    struct io *io;
    struct data_directory directory;
    struct server *server;
    char message[SERVER_MESSAGE_BYTES];
    enum server_status status;
    uint32_t started_count;
    bool has_stopped[LOG_CORE_COUNT_MAX];
};

static inline struct server_options play_options(uint32_t core_count)
{
    return (struct server_options){
        .core_count = core_count,
        .item_count_max = 64,
        .reservation_count_max = 256,
        .buyer_count_max = 256,
        .connection_count_max = 8,
        .batch_rows_max = 16,
        .retention_ms = 3600 * 1000,
        .segment_bytes = 64 << 10,
        .durability = WAL_SYNC,
        .version = "test",
    };
}

static inline void play_start_cores(struct play *play)
{
    const uint32_t core_count = play->options.core_count;
    for (uint32_t i = 0; i < core_count; i++)
        core_start(server_core(play->server, i));
    play->started_count = core_count;
    play->status = steps_reach(play->server, core_count, CORE_LOADED, play->message);
    if (play->status != SERVER_OK)
        return;
    if (data_directory_begin_era(&play->directory) != DATA_DIRECTORY_OK) {
        memcpy(play->message, play->directory.message, sizeof play->message);
        play->status = SERVER_IO_ERROR;
        return;
    }
    play->status = steps_open(play->server, core_count, play->message);
    if (play->status != SERVER_OK)
        return;
    server_serve(play->server);
    play->status = steps_reach(play->server, core_count, CORE_SERVES, play->message);
}

/* Engine code, as sim_engine_run() wants it: true when the server is open. */
static inline void play_start_inside(void *context)
{
    struct play *play = context;
    uint32_t core_count = play->options.core_count;
    uint16_t port;
    play->status = SERVER_IO_ERROR;
    if (io_create(&(struct io_options){.op_count_max = 8}, &play->io, play->message) != IO_OK)
        return;
    io_start(play->io);
    if (data_directory_open(&play->directory, play->io, "/data", core_count) != DATA_DIRECTORY_OK) {
        memcpy(play->message, play->directory.message, sizeof play->message);
        return;
    }
    play->has_directory = true;
    play->server = server_create(&play->options, &play->directory, &play->status, play->message);
    if (play->server == NULL)
        return;
    play->status = server_bind(play->server, "127.0.0.1", "7000", &port, play->message);
    if (play->status == SERVER_OK)
        play_start_cores(play);
}

static inline void play_start(struct play *play, const struct server_options *options)
{
    *play = (struct play){.options = *options};
    cr_assert(sim_engine_run(play_start_inside, play));
    cr_assert_eq(play->status, SERVER_OK, "%s", play->message);
}

/* ---- playing ---- */

struct play_turn {
    struct core *core;
    enum core_status status;
};

static inline void play_turn_inside(void *context)
{
    struct play_turn *turn = context;
    turn->status = core_turn(turn->core);
}

/* The core that is ready first, or nothing: the time of that in `at_ns_out`. */
static inline uint32_t play_next_core(struct play *play, uint64_t *at_ns_out)
{
    uint32_t next = 0;
    *at_ns_out = UINT64_MAX;
    for (uint32_t i = 0; i < play->options.core_count; i++) {
        if (play->has_stopped[i])
            continue;
        uint64_t ready_ns = sim_io_ready_ns(server_core(play->server, i)->io);
        if (ready_ns < *at_ns_out) {
            *at_ns_out = ready_ns;
            next = i;
        }
    }
    return next;
}

/* One turn of a core or one event, whichever is due first. False when the turn was cut off by the
 * crash that was ordered. */
static inline bool play_step(struct play *play)
{
    uint64_t ready_ns;
    uint32_t next = play_next_core(play, &ready_ns);
    uint64_t event_ns = sim_next_event_ns();
    cr_assert(ready_ns != UINT64_MAX || event_ns != UINT64_MAX, "everything sleeps for ever");
    if (event_ns <= ready_ns) {
        sim_run_event();
        return true;
    }
    sim_move_to(ready_ns);
    struct play_turn turn = {.core = server_core(play->server, next)};
    if (!sim_engine_run(play_turn_inside, &turn))
        return false;
    cr_assert_neq(turn.status, CORE_FAILED, "%s", core_failure(turn.core));
    play->has_stopped[next] = turn.status == CORE_STOPPED;
    return true;
}

static inline void play_stop_inside(void *context)
{
    server_stop(((struct play *)context)->server);
}

static inline void play_destroy_inside(void *context)
{
    struct play *play = context;
    server_destroy(&play->server);
    data_directory_close(&play->directory);
    io_destroy(&play->io);
}

static inline void play_say_nothing(void *context, struct net_connection_id connection)
{
    (void)context;
    (void)connection;
}

/* Cores that have started wait for clients. */
static inline void play_end_accepting(struct play *play)
{
    for (uint32_t i = 0; i < play->started_count; i++) {
        struct core *core = server_core(play->server, i);
        net_stop(core->net, play_say_nothing, NULL);
        for (uint32_t turn = 0; turn < 100 && !net_is_idle(core->net); turn++)
            io_turn(core->io, 0);
        cr_assert(net_is_idle(core->net));
    }
}

/* After a start that has failed. */
static inline void play_give_up_inside(void *context)
{
    struct play *play = context;
    play_end_accepting(play);
    if (play->server != NULL)
        server_destroy(&play->server);
    if (play->has_directory)
        data_directory_close(&play->directory);
    io_destroy(&play->io);
}

static inline bool play_is_running(const struct play *play)
{
    for (uint32_t i = 0; i < play->options.core_count; i++)
        if (!play->has_stopped[i])
            return true;
    return false;
}

/* A clean stop leaves nothing behind. */
static inline void play_stop(struct play *play)
{
    cr_assert(sim_engine_run(play_stop_inside, play));
    for (uint32_t step = 0; play_is_running(play); step++) {
        cr_assert_lt(step, PLAY_STEPS_MAX, "the cores do not stop");
        cr_assert(play_step(play));
    }
    cr_assert(sim_engine_run(play_destroy_inside, play));
    cr_expect_eq(sim_memory_used_bytes(), 0);
    cr_expect_eq(sim_io_open_descriptors(), 0);
    cr_expect_eq(sim_io_count(), 0);
}

static inline void play_crash(enum sim_crash crash)
{
    sim_disk_crash(crash);
    sim_network_server_died();
    sim_io_crash();
    sim_memory_release();
}

/* ---- a client ---- */

struct play_client {
    struct sim_link *link;
    uint8_t bytes[PLAY_BYTES_MAX];
    uint32_t bytes_count;
    struct message_arena arena;
    _Alignas(64) uint8_t arena_memory[4 * PLAY_BYTES_MAX];
    uint8_t type; /* of the last reply */
};

static inline void play_changed(void *context)
{
    struct play_client *client = context;
    client->bytes_count += sim_link_receive(client->link, client->bytes + client->bytes_count,
                                            PLAY_BYTES_MAX - client->bytes_count);
}

static inline void play_send(struct play_client *client, uint8_t type, uint64_t request_id,
                             const ProtobufCMessage *message)
{
    uint8_t frame[PLAY_BYTES_MAX];
    size_t bytes = message_encode_frame(message, type, request_id, frame, sizeof frame);
    cr_assert_gt(bytes, 0);
    sim_link_send(client->link, frame, (uint32_t)bytes);
}

/* The next reply if it is there: valid until the next call. */
static inline const ProtobufCMessage *play_poll(struct play_client *client)
{
    struct frame_header header;
    size_t need_bytes;
    if (frame_parse(client->bytes, client->bytes_count, FRAME_BODY_BYTES_MAX, false, &header,
                    &need_bytes) != FRAME_OK)
        return NULL;
    client->type = header.type;
    const ProtobufCMessage *message =
        message_decode(&client->arena, message_descriptor(header.type),
                       client->bytes + FRAME_HEADER_BYTES, header.body_bytes);
    cr_assert_not_null(message);
    client->bytes_count -= (uint32_t)need_bytes;
    memmove(client->bytes, client->bytes + need_bytes, client->bytes_count);
    return message;
}

/* Steps until a reply is there; NULL when the crash that was ordered came first. */
static inline const void *play_try_receive(struct play *play, struct play_client *client)
{
    for (uint32_t step = 0; step < PLAY_STEPS_MAX; step++) {
        const ProtobufCMessage *message = play_poll(client);
        if (message != NULL)
            return message;
        if (!play_step(play))
            return NULL;
    }
    cr_assert_fail("no reply came");
    return NULL;
}

static inline const void *play_receive(struct play *play, struct play_client *client, uint8_t type)
{
    const void *message = play_try_receive(play, client);
    cr_assert_not_null(message);
    cr_assert_eq(client->type, type, "%u came for %u", client->type, type);
    return message;
}

/* Connected and greeted, at the core that is asked for; false when the crash that was ordered came
 * first. */
static inline bool play_try_connect(struct play *play, struct play_client *client, uint32_t core)
{
    Holdfast__V1__HelloRequest hello = HOLDFAST__V1__HELLO_REQUEST__INIT;
    client->bytes_count = 0;
    message_arena_init(&client->arena, client->arena_memory, sizeof client->arena_memory);
    client->link = sim_link_connect(play_changed, client);
    while (sim_link_state(client->link) == SIM_LINK_CONNECTING)
        if (!play_step(play))
            return false;
    cr_assert_eq(sim_link_state(client->link), SIM_LINK_OPEN);
    hello.protocol_version = FRAME_VERSION;
    hello.wants_core = true;
    hello.core = core;
    play_send(client, FRAME_HELLO, 1, &hello.base);
    const Holdfast__V1__HelloResponse *answer = play_try_receive(play, client);
    if (answer == NULL)
        return false;
    cr_assert_eq(client->type, FRAME_HELLO + FRAME_REPLY);
    cr_assert_eq(answer->core, core);
    return true;
}

static inline void play_connect(struct play *play, struct play_client *client, uint32_t core)
{
    cr_assert(play_try_connect(play, client, core));
}

static inline void play_send_create(struct play_client *client, uint64_t item_id, int64_t stock)
{
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    Holdfast__V1__ItemCreateRequest request = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    settings.item_id = item_id;
    settings.stock = stock;
    request.settings = &settings;
    play_send(client, FRAME_ITEM_CREATE, 2, &request.base);
}

static inline void play_create(struct play *play, struct play_client *client, uint64_t item_id,
                               int64_t stock)
{
    play_send_create(client, item_id, stock);
    const Holdfast__V1__ItemResponse *answer =
        play_receive(play, client, FRAME_ITEM_CREATE + FRAME_REPLY);
    cr_assert_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_OK);
}

static inline void play_send_reserve(struct play_client *client, uint64_t item_id, uint64_t id)
{
    Holdfast__V1__ReserveRequest request = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    request.item_id = item_id;
    request.reservation_id_low = id;
    request.quantity = 1;
    play_send(client, FRAME_RESERVE, id, &request.base);
}

static inline uint32_t play_reserve(struct play *play, struct play_client *client, uint64_t item_id,
                                    uint64_t id)
{
    play_send_reserve(client, item_id, id);
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(play, client, FRAME_RESERVE + FRAME_REPLY);
    return answer->result;
}

#endif
