#ifndef HF_TESTS_CORE_PLAY_H
#define HF_TESTS_CORE_PLAY_H
/* Whole cores played by one thread, turn by turn, on a data directory and loopback sockets of their
 * own. A turn is woken before it is made, so that it never waits; or not, to see whether it would.
 */

#include "core/private.h"

#include "core_steps.h"
#include "test_directory.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <holdfast/v1/item.pb-c.h>
#include <holdfast/v1/reservation.pb-c.h>
#include <holdfast/v1/result.pb-c.h>
#include <holdfast/v1/session.pb-c.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { PLAY_TURNS_MAX = 100000, PLAY_SECONDS_MAX = 30, PLAY_BYTES_MAX = 1 << 21 };

struct play {
    struct test_directory scratch;
    char path[2048];
    struct io *io; /* the main thread's */
    struct data_directory directory;
    struct server *server;
    struct server_options options;
    uint16_t port;
};

/* One connection; its replies are taken one by one. */
struct play_client {
    int fd;
    uint8_t *bytes; /* PLAY_BYTES_MAX */
    size_t received_bytes;
    struct message_arena arena;
    void *arena_memory;
    uint8_t type; /* of the last reply */
    uint64_t request_id;
};

static inline struct server_options play_options(uint32_t core_count)
{
    return (struct server_options){
        .core_count = core_count,
        .item_count_max = 4096,
        .reservation_count_max = 1 << 16,
        .buyer_count_max = 1 << 16,
        .connection_count_max = 16,
        .batch_rows_max = FRAME_ROW_COUNT_MAX,
        .retention_ms = 3600 * 1000,
        .segment_bytes = LOG_SEGMENT_BYTES_MIN,
        .durability = WAL_SYNC,
        .version = "test",
    };
}

static inline struct core *play_core(struct play *play, uint32_t index)
{
    return server_core(play->server, index);
}

static inline enum core_status play_turn(struct play *play, uint32_t index)
{
    struct core *core = play_core(play, index);
    io_wake(NULL, core->io);
    return core_turn(core);
}

/* Steps that a core reaches meanwhile are seen by its phase. */
static inline void play_turn_all(struct play *play)
{
    for (uint32_t i = 0; i < play->options.core_count; i++)
        cr_assert_lt(play_turn(play, i), CORE_REFUSED, "%s",
                     core_refusal(play_core(play, i))->message);
}

/* Opens the data directory and makes the server: up to the point at which the cores load. */
static inline void play_open(struct play *play, const struct server_options *options)
{
    char message[SERVER_MESSAGE_BYTES];
    enum server_status status;
    play->options = *options;
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &play->io, message), IO_OK);
    io_start(play->io);
    cr_assert_eq(data_directory_open(&play->directory, play->io, play->path, options->core_count),
                 DATA_DIRECTORY_OK, "%s", play->directory.message);
    play->server = server_create(&play->options, &play->directory, &status, message);
    cr_assert_not_null(play->server, "%s", message);
    cr_assert_eq(server_bind(play->server, "127.0.0.1", "0", &play->port, message), SERVER_OK, "%s",
                 message);
    for (uint32_t i = 0; i < options->core_count; i++)
        core_start(play_core(play, i));
}

/* What the main thread does between the cores' steps. */
static inline void play_begin_era(struct play *play)
{
    const char *archive_path = play->options.archive_path;
    enum data_directory_status status = data_directory_begin_era(&play->directory);
    if (status == DATA_DIRECTORY_OK && archive_path != NULL)
        status = data_directory_prepare_archive(&play->directory, archive_path);
    if (status == DATA_DIRECTORY_OK)
        status = data_directory_remove_past(&play->directory, server_needs_past(play->server),
                                            archive_path);
    cr_assert_eq(status, DATA_DIRECTORY_OK, "%s", play->directory.message);
}

/* Closes all that play_open() has opened. No core has anything under way. */
static inline void play_close(struct play *play)
{
    server_destroy(&play->server);
    data_directory_close(&play->directory);
    io_destroy(&play->io);
}

/* From the loading on until all cores serve. On a refusal all is closed, and `message_out` tells
 * why (SERVER_MESSAGE_BYTES). */
static inline enum server_status play_try_serve(struct play *play, char *message_out)
{
    const uint32_t core_count = play->options.core_count;
    enum server_status status = steps_reach(play->server, core_count, CORE_LOADED, message_out);
    if (status != SERVER_OK) {
        play_close(play);
        return status;
    }
    play_begin_era(play);
    cr_assert_eq(steps_open(play->server, core_count, message_out), SERVER_OK, "%s", message_out);
    server_serve(play->server);
    cr_assert_eq(steps_reach(play->server, core_count, CORE_SERVES, message_out), SERVER_OK);
    return SERVER_OK;
}

/* On the directory that there is. */
static inline enum server_status
play_try_start_again(struct play *play, const struct server_options *options, char *message_out)
{
    play_open(play, options);
    return play_try_serve(play, message_out);
}

static inline void play_start_again(struct play *play, const struct server_options *options)
{
    char message[SERVER_MESSAGE_BYTES];
    cr_assert_eq(play_try_start_again(play, options, message), SERVER_OK, "%s", message);
}

/* A directory of its own. */
static inline void play_make_directory(struct play *play)
{
    memset(play, 0, sizeof *play);
    test_directory_make(&play->scratch);
    snprintf(play->path, sizeof play->path, "%s/data", play->scratch.path);
}

static inline void play_begin(struct play *play, const struct server_options *options)
{
    play_make_directory(play);
    play_open(play, options);
}

static inline void play_start(struct play *play, const struct server_options *options)
{
    play_make_directory(play);
    play_start_again(play, options);
}

/* Stops all cores; the directory stays. */
static inline void play_stop(struct play *play)
{
    uint32_t core_count = play->options.core_count;
    bool has_stopped[LOG_CORE_COUNT_MAX] = {false};
    uint32_t running_count = core_count;
    server_stop(play->server);
    for (uint32_t turn = 0; running_count > 0; turn++) {
        cr_assert_lt(turn, 100 * PLAY_TURNS_MAX, "the cores do not stop");
        for (uint32_t i = 0; i < core_count; i++)
            if (!has_stopped[i] && play_turn(play, i) == CORE_STOPPED) {
                has_stopped[i] = true;
                running_count--;
            }
    }
    play_close(play);
}

static inline void play_copy(const char *from, const char *to)
{
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

/* The directory is from now on what it is at this moment, as if the server were killed. The server
 * itself goes on where nobody looks, and stops. */
static inline void play_kill(struct play *play)
{
    char left[sizeof play->path + 16];
    snprintf(left, sizeof left, "%s-left", play->path);
    play_copy(play->path, left);
    play_stop(play);
    nftw(play->path, test_directory_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    cr_assert_eq(rename(left, play->path), 0);
}

/* Stops all cores and removes everything. */
static inline void play_end(struct play *play)
{
    if (play->server != NULL)
        play_stop(play);
    test_directory_remove(&play->scratch);
}

/* ---- a client ---- */

static inline void play_send(struct play_client *client, uint8_t type, uint64_t request_id,
                             const ProtobufCMessage *message)
{
    static uint8_t frame[PLAY_BYTES_MAX];
    size_t bytes = message_encode_frame(message, type, request_id, frame, sizeof frame);
    cr_assert_gt(bytes, 0);
    cr_assert_eq(send(client->fd, frame, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
}

/* The next reply if it is there: valid until the next call. */
static inline const ProtobufCMessage *play_poll(struct play_client *client)
{
    struct frame_header header;
    size_t need_bytes;
    ssize_t got = recv(client->fd, client->bytes + client->received_bytes,
                       PLAY_BYTES_MAX - client->received_bytes, MSG_DONTWAIT);
    if (got > 0)
        client->received_bytes += (size_t)got;
    if (frame_parse(client->bytes, client->received_bytes, FRAME_BODY_BYTES_MAX, false, &header,
                    &need_bytes) != FRAME_OK)
        return NULL;
    client->type = header.type;
    client->request_id = header.request_id;
    const ProtobufCMessage *message =
        message_decode(&client->arena, message_descriptor(header.type),
                       client->bytes + FRAME_HEADER_BYTES, header.body_bytes);
    cr_assert_not_null(message);
    client->received_bytes -= need_bytes;
    memmove(client->bytes, client->bytes + need_bytes, client->received_bytes);
    return message;
}

/* Turns all cores until a reply of this type is there. It waits for the disk, which others may keep
 * busy, so the limit is one of time. */
static inline const void *play_receive(struct play *play, struct play_client *client, uint8_t type)
{
    uint64_t until_ns = io_clock(play->io).monotonic_ns + PLAY_SECONDS_MAX * 1000000000ull;
    while (io_clock(play->io).monotonic_ns < until_ns) {
        const ProtobufCMessage *message = play_poll(client);
        if (message != NULL) {
            cr_assert_eq(client->type, type, "%u came for %u", client->type, type);
            return message;
        }
        play_turn_all(play);
    }
    cr_assert_fail("no reply came");
    return NULL;
}

/* Connected and greeted, at the core that is asked for. */
static inline void play_connect(struct play *play, struct play_client *client, uint32_t core)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(play->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(client, 0, sizeof *client);
    client->bytes = malloc(PLAY_BYTES_MAX);
    client->arena_memory = aligned_alloc(64, 2 * PLAY_BYTES_MAX);
    message_arena_init(&client->arena, client->arena_memory, 2 * PLAY_BYTES_MAX);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
    Holdfast__V1__HelloRequest hello = HOLDFAST__V1__HELLO_REQUEST__INIT;
    hello.protocol_version = FRAME_VERSION;
    hello.wants_core = true;
    hello.core = core;
    play_send(client, FRAME_HELLO, 1, &hello.base);
    const Holdfast__V1__HelloResponse *answer =
        play_receive(play, client, FRAME_HELLO + FRAME_REPLY);
    cr_assert_eq(answer->core, core);
}

static inline void play_disconnect(struct play_client *client)
{
    close(client->fd);
    free(client->bytes);
    free(client->arena_memory);
}

/* An item id that belongs to this core. */
static inline uint64_t play_item_of(struct play *play, uint32_t core)
{
    uint64_t item_id = 1;
    while (core_of_hash(play_core(play, 0), item_hash(item_id)) != core)
        item_id++;
    return item_id;
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

static inline void play_send_get(struct play_client *client, uint64_t item_id, uint64_t request_id)
{
    Holdfast__V1__GetRequest request = HOLDFAST__V1__GET_REQUEST__INIT;
    request.item_id = item_id;
    request.reservation_id_low = 77;
    play_send(client, FRAME_GET, request_id, &request.base);
}

static inline void play_send_reserve(struct play_client *client, uint64_t item_id, uint64_t id)
{
    Holdfast__V1__ReserveRequest request = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    request.item_id = item_id;
    request.reservation_id_low = id;
    request.quantity = 1;
    play_send(client, FRAME_RESERVE, id, &request.base);
}

#endif
