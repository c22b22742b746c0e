/* The end-to-end suite: holdfastd as a black box on loopback, everything its protocol offers. The
 * argument is the number of cores, because every answer has to be the same with any.
 *
 *     e2e_suite CORES
 */
#include "check.h"
#include "raw_client.h"
#include "scratch.h"
#include "server_process.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CORES_MAX = 16,
    ITEMS_PER_CORE = 3,
    SPREAD_MAX = CORES_MAX * ITEMS_PER_CORE,
    HOUR_MS = 3600 * 1000,
};

static struct {
    uint32_t cores;
    char scratch[SCRATCH_PATH_BYTES];
    char data[SCRATCH_PATH_BYTES + 16];
    struct server_process server;
    struct raw_client client; /* on whatever core the system chose */
    uint64_t last_item_id;
    uint64_t last_reservation;
    /* opened at the beginning, looked at near the end */
    struct raw_client never_greeted, stuck_in_a_frame, idle;
    double silent_since_ms;
} suite;

/* ------------------------------------------------------------------------------------------------
 * Items and rows to test with
 * ---------------------------------------------------------------------------------------------- */

/* An item id that no one has used, owned by this core. */
static uint64_t new_item_id(uint32_t core)
{
    do
        suite.last_item_id++;
    while (raw_core_of(suite.last_item_id, suite.cores) != core);
    return suite.last_item_id;
}

static raw_settings settings_of(uint64_t item_id, int64_t stock)
{
    raw_settings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    settings.item_id = item_id;
    settings.stock = stock;
    return settings;
}

static uint64_t make_item(uint32_t core, int64_t stock)
{
    const uint64_t item_id = new_item_id(core);
    raw_item_make(&suite.client, item_id, stock);
    return item_id;
}

static uint64_t make_item_with(const raw_settings *settings)
{
    const struct raw_item_answer answer = raw_item_create(&suite.client, settings);
    check(answer.result == RESULT(OK), "create: %s", raw_result_name(answer.result));
    return settings->item_id;
}

/* A row about a reservation that no one has used. */
static struct raw_row new_row(uint64_t item_id, uint32_t quantity)
{
    suite.last_reservation++;
    return (struct raw_row){
        .type = FRAME_RESERVE,
        .item_id = item_id,
        .id_high = 0xe2e,
        .id_low = suite.last_reservation,
        .quantity = quantity,
    };
}

/* The same reservation, another operation. */
static struct raw_row about(const struct raw_row *row, uint8_t type)
{
    struct raw_row other = *row;
    other.type = type;
    if (type != FRAME_RESERVE)
        other.quantity = 0;
    return other;
}

static struct raw_answer ask(const struct raw_row *row)
{
    return raw_one(&suite.client, row);
}

static struct raw_answer ask_about(const struct raw_row *row, uint8_t type)
{
    const struct raw_row other = about(row, type);
    return ask(&other);
}

#define check_result(answer, name)                                                                 \
    check((answer).result == RESULT(name), "%s, expected %s", raw_result_name((answer).result),    \
          #name)

static void check_books(uint64_t item_id, int64_t available, uint64_t held, uint64_t sold)
{
    const struct raw_item_answer item = raw_item_get(&suite.client, item_id);
    check_result(item, OK);
    check(item.available == available && item.held == held && item.sold == sold,
          "available %" PRId64 " held %" PRIu64 " sold %" PRIu64 ", expected %" PRId64 " %" PRIu64
          " %" PRIu64,
          item.available, item.held, item.sold, available, held, sold);
}

/* ------------------------------------------------------------------------------------------------
 * The conversation
 * ---------------------------------------------------------------------------------------------- */

static void hello_tells_cores_limits_and_clock(void)
{
    const struct raw_client *c = &suite.client;
    check(c->core_count == suite.cores, "%u cores", c->core_count);
    check(c->core < suite.cores, "core %u", c->core);
    check(c->body_bytes_max > 0 && c->body_bytes_max <= FRAME_BODY_BYTES_MAX, "body_bytes_max %u",
          c->body_bytes_max);
    check(c->batch_rows_max > 0 && c->batch_rows_max <= FRAME_ROW_COUNT_MAX, "batch_rows_max %u",
          c->batch_rows_max);
    const int64_t off_ms = (int64_t)c->hello_now_ms - (int64_t)time(NULL) * 1000;
    check(off_ms > -5000 && off_ms < 5000, "the clock is %" PRId64 " ms off", off_ms);
}

static void hello_for_each_core_is_served_by_that_core(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        struct raw_client client;
        raw_open(&client, suite.server.port, (int)core);
        check(client.core == core, "core %u, wanted %u", client.core, core);
        check(memcmp(client.server_id, suite.client.server_id, sizeof client.server_id) == 0,
              "core %u has another server id", core);
        raw_now_ms(&client);
        raw_close(&client);
    }
}

static void hello_for_a_core_that_is_not_there_is_answered_and_goes_on(void)
{
    struct raw_client client;
    check_must(raw_connect(&client, suite.server.port), "connect");
    check(!raw_hello(&client, (int)suite.cores), "core %u was granted", suite.cores);
    check(client.error_code == ERROR(NO_SUCH_CORE), "error %u", client.error_code);
    check(raw_hello(&client, 0), "the connection did not go on, error %u", client.error_code);
    raw_close(&client);
}

/* True when the server closes the connection, after any number of frames. */
static bool is_closed_soon(struct raw_client *client)
{
    struct raw_frame frame;
    enum raw_status status;
    do
        status = raw_receive(client, &frame, 5000);
    while (status == RAW_OK);
    return status == RAW_CLOSED;
}

static void check_refused_hello(uint32_t version, const void *server_id, size_t server_id_bytes,
                                uint32_t error_code)
{
    struct raw_client client;
    check_must(raw_connect(&client, suite.server.port), "connect");
    Holdfast__V1__HelloRequest request = HOLDFAST__V1__HELLO_REQUEST__INIT;
    request.protocol_version = version;
    request.server_id.data = (uint8_t *)(uintptr_t)server_id;
    request.server_id.len = server_id_bytes;
    check(raw_call(&client, FRAME_HELLO, &request.base) == NULL, "it was answered");
    check(client.error_code == error_code, "error %u, expected %u", client.error_code, error_code);
    check(is_closed_soon(&client), "the connection was not closed");
    raw_close(&client);
}

static void hello_of_another_version_or_server_is_refused_by_name(void)
{
    uint8_t other_id[16];
    memcpy(other_id, suite.client.server_id, sizeof other_id);
    other_id[15] ^= 1;
    check_refused_hello(2, NULL, 0, ERROR(BAD_VERSION));
    check_refused_hello(FRAME_VERSION, other_id, sizeof other_id, ERROR(WRONG_SERVER));
    check_refused_hello(FRAME_VERSION, other_id, 3, ERROR(WRONG_SERVER));
}

static void request_before_hello_is_refused_and_closed(void)
{
    struct raw_client client;
    check_must(raw_connect(&client, suite.server.port), "connect");
    Holdfast__V1__PingRequest request = HOLDFAST__V1__PING_REQUEST__INIT;
    check(raw_call(&client, FRAME_PING, &request.base) == NULL, "it was answered");
    check(client.error_code == ERROR(HELLO_EXPECTED), "error %u", client.error_code);
    check(is_closed_soon(&client), "the connection was not closed");
    raw_close(&client);
}

static void ping_gives_back_its_payload_and_a_clock_that_never_goes_back(void)
{
    uint64_t last_ms = 0;
    for (int i = 0; i < 100; i++) {
        const uint64_t now_ms = raw_now_ms(&suite.client);
        check(now_ms >= last_ms, "%" PRIu64 " after %" PRIu64, now_ms, last_ms);
        last_ms = now_ms;
    }
}

/* ------------------------------------------------------------------------------------------------
 * Bad input
 * ---------------------------------------------------------------------------------------------- */

/* A well-made Ping frame. */
static size_t ping_frame(uint8_t *frame, size_t frame_bytes_max)
{
    Holdfast__V1__PingRequest request = HOLDFAST__V1__PING_REQUEST__INIT;
    request.payload = 7;
    return message_encode_frame(&request.base, FRAME_PING, 77, frame, frame_bytes_max);
}

/* Sends the bytes on a new connection and expects this error and the end of the connection. */
static void check_frame_refused(const char *what, const uint8_t *bytes, size_t bytes_count,
                                uint32_t error_code)
{
    struct raw_client client;
    struct raw_frame frame;
    raw_open(&client, suite.server.port, -1);
    raw_send_bytes(&client, bytes, bytes_count);
    const enum raw_status status = raw_receive(&client, &frame, 5000);
    check(status == RAW_OK && frame.type == FRAME_ERROR, "%s: status %d, type %u", what, status,
          frame.type);
    if (status == RAW_OK && frame.type == FRAME_ERROR) {
        const Holdfast__V1__ErrorResponse *error = raw_decode(&client, &frame);
        check(error != NULL && error->code == error_code, "%s: error %u, expected %u", what,
              error != NULL ? error->code : 0, error_code);
    }
    check(is_closed_soon(&client), "%s: the connection was not closed", what);
    raw_close(&client);
}

static void check_spoiled(const char *what, size_t offset, uint8_t flip, uint32_t error_code)
{
    uint8_t frame[128];
    const size_t bytes = ping_frame(frame, sizeof frame);
    frame[offset] ^= flip;
    check_frame_refused(what, frame, bytes, error_code);
}

static void spoiled_frames_are_named_and_closed_and_change_nothing(void)
{
    const uint64_t item_id = make_item(0, 10);
    const uint64_t hash_before = raw_stat_sum(&suite.client, true).state_hash;
    check_spoiled("magic", 8, 0xff, ERROR(BAD_MAGIC));
    check_spoiled("version", 12, 0x02, ERROR(BAD_VERSION));
    check_spoiled("type 66", 13, 0x40, ERROR(BAD_TYPE));
    check_spoiled("type 130, a reply", 13, 0x80, ERROR(BAD_TYPE));
    check_spoiled("flags", 14, 0x01, ERROR(BAD_TYPE));
    check_spoiled("length of 2 GiB", 19, 0x80, ERROR(BAD_LENGTH));
    check_spoiled("checksum", 0, 0x01, ERROR(BAD_CHECKSUM));
    check_spoiled("one bit of the body", FRAME_HEADER_BYTES + 1, 0x01, ERROR(BAD_CHECKSUM));
    static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n";
    check_frame_refused("HTTP", (const uint8_t *)http, sizeof http - 1, ERROR(BAD_MAGIC));
    check(raw_stat_sum(&suite.client, true).state_hash == hash_before, "the state has changed");
    check(raw_stat_sum(&suite.client, false).bad_frames >= 9, "bad frames are not counted");
    check_books(item_id, 10, 0, 0);
}

static void half_a_frame_holds_nobody_up(void)
{
    uint8_t frame[128];
    const size_t bytes = ping_frame(frame, sizeof frame);
    struct raw_client slow;
    raw_open(&slow, suite.server.port, (int)suite.client.core);
    for (size_t i = 0; i + 1 < bytes; i++) {
        raw_send_bytes(&slow, frame + i, 1);
        if (i % 8 == 0)
            raw_now_ms(&suite.client);
    }
    raw_send_bytes(&slow, frame + bytes - 1, 1);
    struct raw_frame reply;
    const enum raw_status status = raw_receive(&slow, &reply, 5000);
    check(status == RAW_OK && reply.type == FRAME_PING + FRAME_REPLY && reply.request_id == 77,
          "status %d", status);
    raw_close(&slow);
}

static void open_silent_connections(void)
{
    uint8_t frame[128];
    const size_t bytes = ping_frame(frame, sizeof frame);
    check_must(raw_connect(&suite.never_greeted, suite.server.port), "connect");
    raw_open(&suite.stuck_in_a_frame, suite.server.port, -1);
    raw_open(&suite.idle, suite.server.port, -1);
    raw_send_bytes(&suite.stuck_in_a_frame, frame, bytes / 2);
    suite.silent_since_ms = check_now_ms();
}

/* What is expected of a client within ten seconds is a Hello, and the rest of a frame. */
static void silence_in_a_frame_or_before_hello_is_closed_and_idleness_is_not(void)
{
    enum { PATIENCE_MS = 15000 };
    struct raw_frame frame;
    struct raw_client *const silent[] = {&suite.never_greeted, &suite.stuck_in_a_frame};
    for (int i = 0; i < 2; i++) {
        const double left_ms = suite.silent_since_ms + PATIENCE_MS - check_now_ms();
        enum raw_status status = raw_receive(silent[i], &frame, left_ms > 0 ? (int)left_ms : 0);
        if (status == RAW_OK) {
            const Holdfast__V1__ErrorResponse *error =
                frame.type == FRAME_ERROR ? raw_decode(silent[i], &frame) : NULL;
            check(error != NULL && error->code == ERROR(TIMEOUT), "frame of type %u", frame.type);
            status = raw_receive(silent[i], &frame, 1000);
        }
        check(status == RAW_CLOSED, "connection %d: status %d", i, status);
        raw_close(silent[i]);
    }
    raw_now_ms(&suite.idle);
    raw_close(&suite.idle);
}

/* A client that asks for far more than it reads is not read from meanwhile; the others go on. */
static void slow_reader_holds_nobody_up_and_gets_all_its_answers(void)
{
    enum { ITEMS = 200, REQUESTS = 1500 };
    struct raw_client slow;
    struct raw_frame frame;
    Holdfast__V1__ItemListRequest request = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
    for (int i = 0; i < ITEMS; i++)
        make_item(0, 1);
    raw_open(&slow, suite.server.port, (int)suite.client.core);
    const uint64_t first_id = slow.last_request_id + 1;
    for (uint32_t i = 0; i < REQUESTS; i++)
        raw_put(&slow, FRAME_ITEM_LIST, &request.base);
    raw_flush(&slow);
    const uint64_t item_id = make_item(suite.cores - 1, 1000);
    for (int i = 0; i < 200; i++) {
        const struct raw_row row = new_row(item_id, 1);
        check_result(ask(&row), OK);
    }
    static bool is_answered[REQUESTS];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        const enum raw_status status = raw_receive(&slow, &frame, RAW_TIMEOUT_MS);
        check_must(status == RAW_OK, "status %d after %u answers", status, i);
        check_must(frame.type == FRAME_ITEM_LIST + FRAME_REPLY, "type %u", frame.type);
        check_must(frame.request_id - first_id < REQUESTS, "request %" PRIu64, frame.request_id);
        check(!is_answered[frame.request_id - first_id], "answered twice");
        is_answered[frame.request_id - first_id] = true;
        bytes += frame.body_bytes;
    }
    check(bytes > 8 << 20, "only %" PRIu64 " bytes: not enough to fill the buffers", bytes);
    raw_close(&slow);
}

static void connections_that_come_and_go_leave_nothing_behind(void)
{
    enum { COUNT = 500 };
    const uint64_t before = raw_stat_sum(&suite.client, false).connections;
    for (int i = 0; i < COUNT; i++) {
        struct raw_client client;
        check_must(raw_connect(&client, suite.server.port), "connect");
        if (i % 3 == 1)
            raw_hello(&client, i % (int)suite.cores);
        if (i % 3 == 2) { /* asks and does not wait for the answer */
            raw_hello(&client, -1);
            const struct raw_row row = new_row(1, 1);
            raw_put_row(&client, &row);
            raw_flush(&client);
        }
        raw_close(&client);
    }
    uint64_t now;
    const double give_up_ms = check_now_ms() + 5000;
    while ((now = raw_stat_sum(&suite.client, false).connections) > before &&
           check_now_ms() < give_up_ms)
        check_sleep_ms(5);
    check(now <= before, "%" PRIu64 " connections, %" PRIu64 " before", now, before);
}

/* Far more rows for all cores in flight than a core has room for: some may be refused as overload,
 * but every frame is answered, and what is accepted is there. */
static void flood_for_all_cores_is_answered_to_the_last_row(void)
{
    enum { CONNECTIONS = 16, FRAMES = 12, ROWS = 2000 };
    static struct raw_row rows[ROWS];
    static struct raw_answer answers[ROWS];
    static struct raw_client clients[CONNECTIONS];
    uint64_t items[CORES_MAX], accepted = 0, overloaded = 0, held = 0;
    struct raw_frame frame;
    for (uint32_t core = 0; core < suite.cores; core++)
        items[core] = make_item(core, -1);
    for (int i = 0; i < CONNECTIONS; i++)
        raw_open(&clients[i], suite.server.port, i % 2 == 0 ? -1 : i % (int)suite.cores);
    for (int k = 0; k < FRAMES; k++) {
        for (int i = 0; i < CONNECTIONS; i++) {
            for (uint32_t row = 0; row < ROWS; row++)
                rows[row] = new_row(items[row % suite.cores], 1);
            raw_put_batch(&clients[i], RAW_SHORT, rows, ROWS);
            raw_flush(&clients[i]);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        for (int k = 0; k < FRAMES; k++) {
            const enum raw_status status = raw_receive(&clients[i], &frame, RAW_TIMEOUT_MS);
            check_must(status == RAW_OK, "status %d instead of an answer", status);
            check_must(raw_answers(&clients[i], &frame, answers, ROWS) == ROWS, "type %u",
                       frame.type);
            for (uint32_t row = 0; row < ROWS; row++) {
                accepted += answers[row].result == RESULT(OK);
                overloaded += answers[row].result == RESULT(OVERLOADED);
            }
        }
        raw_close(&clients[i]);
    }
    for (uint32_t core = 0; core < suite.cores; core++)
        held += raw_item_get(&suite.client, items[core]).held;
    check(accepted + overloaded == (uint64_t)CONNECTIONS * FRAMES * ROWS,
          "%" PRIu64 " accepted, %" PRIu64 " refused as overload", accepted, overloaded);
    check(held == accepted, "%" PRIu64 " held, %" PRIu64 " accepted", held, accepted);
    check_note("%" PRIu64 " rows accepted, %" PRIu64 " refused as overload", accepted, overloaded);
}

/* A client should wait for the answer to its Hello. One that does not is served all the same. */
static void requests_right_behind_a_hello_for_another_core_are_answered(void)
{
    enum { PINGS_MAX = 300 }; /* more bytes than a connection takes along */
    for (uint32_t core = 0; core < suite.cores; core++) {
        for (int pings = 1; pings <= PINGS_MAX; pings += PINGS_MAX - 1) {
            struct raw_client client;
            struct raw_frame frame;
            check_must(raw_connect(&client, suite.server.port), "connect");
            Holdfast__V1__HelloRequest hello = HOLDFAST__V1__HELLO_REQUEST__INIT;
            Holdfast__V1__PingRequest ping = HOLDFAST__V1__PING_REQUEST__INIT;
            hello.protocol_version = FRAME_VERSION;
            hello.wants_core = true;
            hello.core = core;
            raw_put(&client, FRAME_HELLO, &hello.base);
            for (int i = 0; i < pings; i++)
                raw_put(&client, FRAME_PING, &ping.base);
            raw_flush(&client);
            for (int i = 0; i <= pings; i++) {
                const enum raw_status status = raw_receive(&client, &frame, 5000);
                check_must(status == RAW_OK, "core %u: status %d after %d replies", core, status,
                           i);
                const uint8_t type = i == 0 ? FRAME_HELLO : FRAME_PING;
                check(frame.type == type + FRAME_REPLY, "reply %d has type %u", i, frame.type);
            }
            raw_close(&client);
        }
    }
}

static void check_body_refused(const char *what, uint8_t type, const ProtobufCMessage *message,
                               uint32_t error_code)
{
    check(raw_call(&suite.client, type, message) == NULL, "%s: it was answered", what);
    check(suite.client.error_code == error_code, "%s: error %u, expected %u", what,
          suite.client.error_code, error_code);
    raw_now_ms(&suite.client); /* and the connection goes on */
}

static void bad_bodies_are_named_and_the_connection_goes_on(void)
{
    enum { TOO_MANY = FRAME_ROW_COUNT_MAX + 1 };
    static uint64_t ids[TOO_MANY];
    const uint64_t item_id = make_item(suite.cores - 1, 100);
    uint32_t quantity = 1;
    uint64_t item_ids[1] = {item_id};
    for (uint32_t i = 0; i < TOO_MANY; i++)
        ids[i] = i + 1;

    Holdfast__V1__ReserveBatchRequest batch = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    batch.n_item_id = 1, batch.item_id = item_ids;
    batch.n_quantity = 1, batch.quantity = &quantity;
    batch.n_reservation_id_low = 3, batch.reservation_id_low = ids;
    batch.row_count = 4;
    check_body_refused("a column too short", FRAME_RESERVE_BATCH, &batch.base, ERROR(BAD_COLUMNS));
    batch.row_count = 2;
    check_body_refused("a column too long", FRAME_RESERVE_BATCH, &batch.base, ERROR(BAD_COLUMNS));
    batch.row_count = 0;
    check_body_refused("no rows", FRAME_RESERVE_BATCH, &batch.base, ERROR(BAD_COLUMNS));
    batch.row_count = TOO_MANY;
    batch.n_reservation_id_low = TOO_MANY;
    check_body_refused("too many rows", FRAME_RESERVE_BATCH, &batch.base, ERROR(TOO_MANY_ROWS));
    batch.row_count = UINT32_MAX;
    batch.n_reservation_id_low = 0;
    check_body_refused("four billion rows", FRAME_RESERVE_BATCH, &batch.base, ERROR(TOO_MANY_ROWS));
    check_books(item_id, 100, 0, 0);

    Holdfast__V1__ItemCreateRequest create = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    check_body_refused("item without settings", FRAME_ITEM_CREATE, &create.base, ERROR(BAD_BODY));
    Holdfast__V1__ItemUpdateRequest update = HOLDFAST__V1__ITEM_UPDATE_REQUEST__INIT;
    raw_settings settings = settings_of(item_id, 5);
    Holdfast__V1__ItemField unknown_field[1] = {(Holdfast__V1__ItemField)99};
    update.settings = &settings;
    update.n_fields = 1, update.fields = unknown_field;
    check_body_refused("update of an unknown field", FRAME_ITEM_UPDATE, &update.base,
                       ERROR(BAD_BODY));
    Holdfast__V1__ItemListRequest list = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
    list.core = suite.cores;
    check_body_refused("list of a core that is not there", FRAME_ITEM_LIST, &list.base,
                       ERROR(NO_SUCH_CORE));
    check_books(item_id, 100, 0, 0);
}

static void bytes_that_are_no_message_are_refused_with_the_request_id(void)
{
    static const uint8_t types[] = {FRAME_PING,          FRAME_RESERVE,      FRAME_CONFIRM,
                                    FRAME_CANCEL,        FRAME_EXTEND,       FRAME_GET,
                                    FRAME_RESERVE_BATCH, FRAME_GET_BATCH,    FRAME_ITEM_CREATE,
                                    FRAME_ITEM_UPDATE,   FRAME_ITEM_LIST,    FRAME_STAT,
                                    FRAME_SNAPSHOT,      FRAME_SNAPSHOT_READ};
    for (size_t i = 0; i < sizeof types; i++) {
        uint8_t frame[FRAME_HEADER_BYTES + 5];
        struct raw_frame reply;
        memset(frame + FRAME_HEADER_BYTES, 0xff, 5);
        frame_finish(frame, types[i], 1234 + i, 5);
        raw_send_bytes(&suite.client, frame, sizeof frame);
        const enum raw_status status = raw_receive(&suite.client, &reply, 5000);
        check_must(status == RAW_OK, "type %u: status %d", types[i], status);
        const Holdfast__V1__ErrorResponse *error =
            reply.type == FRAME_ERROR ? raw_decode(&suite.client, &reply) : NULL;
        check(error != NULL && error->code == ERROR(BAD_BODY) && reply.request_id == 1234 + i,
              "type %u: reply of type %u to %" PRIu64, types[i], reply.type, reply.request_id);
    }
    raw_now_ms(&suite.client);
}

static void check_invalid(struct raw_row row, uint32_t field)
{
    enum raw_form forms[] = {RAW_SINGLE, RAW_COLUMNS, RAW_SHORT};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct raw_answer answer;
        raw_rows(&suite.client, forms[i], &row, 1, &answer);
        check(answer.result == RESULT(INVALID) && answer.invalid_field == field,
              "form %zu: %s, field %u, expected field %u", i, raw_result_name(answer.result),
              answer.invalid_field, field);
    }
}

static void rows_with_impossible_fields_are_invalid_and_name_the_field(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        const uint64_t item_id = make_item(core, 5000000);
        struct raw_row row = new_row(item_id, 0);
        check_invalid(row, FIELD(QUANTITY));
        row.quantity = 1000001;
        check_invalid(row, FIELD(QUANTITY));
        row.quantity = 1;
        row.hold_ms = 30ull * 24 * HOUR_MS + 1;
        check_invalid(row, FIELD(HOLD_MS));
        row.hold_ms = UINT64_MAX;
        check_invalid(row, FIELD(HOLD_MS));
        row.hold_ms = 0;
        row.id_high = row.id_low = 0;
        check_invalid(row, FIELD(RESERVATION_ID));
        check_invalid(about(&row, FRAME_CONFIRM), FIELD(RESERVATION_ID));
        check_invalid(about(&row, FRAME_CANCEL), FIELD(RESERVATION_ID));
        check_invalid(about(&row, FRAME_GET), FIELD(RESERVATION_ID));
        row.id_low = 1;
        row.item_id = 0;
        check_invalid(row, FIELD(ITEM_ID));
        check_books(item_id, 5000000, 0, 0);
        struct raw_row most = new_row(item_id, 1000000);
        check_result(ask(&most), OK);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Items
 * ---------------------------------------------------------------------------------------------- */

static void item_is_kept_as_it_was_made(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        raw_settings settings = settings_of(new_item_id(core), 123456789012);
        static const char sku[] = "TSHIRT-BLACK-XL/\xc3\xa4";
        settings.sku =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)sku, .len = sizeof sku - 1};
        settings.buyer_limit = 2;
        settings.hold_cap = 1;
        settings.hold_ms = 61234;
        settings.opens_at_ms = 1000;
        settings.closes_at_ms = 4102444800000;
        settings.paused = true;
        const struct raw_item_answer made = raw_item_create(&suite.client, &settings);
        check_result(made, OK);
        const struct raw_item_answer got = raw_item_get(&suite.client, settings.item_id);
        check_result(got, OK);
        check_must(got.has_item, "no item in the answer");
        check(got.item_id == settings.item_id && got.stock == settings.stock &&
                  got.available == settings.stock && got.held == 0 && got.sold == 0,
              "counters");
        check(got.sku_bytes == sizeof sku - 1 && memcmp(got.sku, sku, got.sku_bytes) == 0, "SKU");
        check(got.buyer_limit == 2 && got.hold_cap == 1 && got.hold_ms == 61234 &&
                  got.opens_at_ms == 1000 && got.closes_at_ms == 4102444800000 && got.paused,
              "settings");
        check(got.next_sequence == 1, "next sequence %" PRIu64, got.next_sequence);
        check(got.created_ms >= suite.client.hello_now_ms, "created at %" PRIu64, got.created_ms);
        check(made.has_item && made.stock == got.stock && made.created_ms == got.created_ms,
              "Create and Get differ");
    }
}

static void creating_again_is_a_duplicate_and_with_other_settings_a_conflict(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        raw_settings settings = settings_of(new_item_id(core), 50);
        settings.sku = (ProtobufCBinaryData){.data = (uint8_t *)"A", .len = 1};
        check_result(raw_item_create(&suite.client, &settings), OK);
        check_result(raw_item_create(&suite.client, &settings), DUPLICATE);
        raw_settings other = settings;
        other.sku.data = (uint8_t *)"B";
        check_result(raw_item_create(&suite.client, &other), ID_CONFLICT);
        other = settings;
        other.stock = 51;
        check_result(raw_item_create(&suite.client, &other), ID_CONFLICT);
        check_books(settings.item_id, 50, 0, 0);
    }
}

static void impossible_items_are_invalid_and_unknown_ones_unknown(void)
{
    raw_settings zero_id = settings_of(0, 5);
    struct raw_item_answer answer = raw_item_create(&suite.client, &zero_id);
    check_result(answer, INVALID);
    check(answer.invalid_field == FIELD(ITEM_ID), "field %u", answer.invalid_field);

    raw_settings settings = settings_of(new_item_id(0), -2);
    answer = raw_item_create(&suite.client, &settings);
    check_result(answer, INVALID);
    check(answer.invalid_field == FIELD(STOCK), "field %u", answer.invalid_field);
    settings.stock = INT64_MAX;
    check_result(raw_item_create(&suite.client, &settings), INVALID);
    settings.stock = 1;
    settings.hold_ms = UINT64_MAX;
    answer = raw_item_create(&suite.client, &settings);
    check_result(answer, INVALID);
    check(answer.invalid_field == FIELD(HOLD_MS), "field %u", answer.invalid_field);
    settings.hold_ms = 0;
    char sku[65];
    memset(sku, 'x', sizeof sku);
    settings.sku = (ProtobufCBinaryData){.data = (uint8_t *)sku, .len = sizeof sku};
    answer = raw_item_create(&suite.client, &settings);
    check_result(answer, INVALID);
    check(answer.invalid_field == FIELD(SKU), "field %u", answer.invalid_field);

    answer = raw_item_get(&suite.client, settings.item_id);
    check_result(answer, UNKNOWN_ITEM);
    check(!answer.has_item, "an item came with UNKNOWN_ITEM");
    settings.sku.len = 0;
    check_result(raw_item_update(&suite.client, &settings, UPDATE(STOCK)), UNKNOWN_ITEM);
}

static void validate_only_answers_as_if_and_changes_nothing(void)
{
    const raw_settings settings = settings_of(new_item_id(suite.cores - 1), 9);
    Holdfast__V1__ItemCreateRequest request = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    request.settings = (raw_settings *)&settings;
    request.validate_only = true;
    const Holdfast__V1__ItemResponse *response =
        raw_call(&suite.client, FRAME_ITEM_CREATE, &request.base);
    check_must(response != NULL, "no reply");
    check(response->result == RESULT(OK), "%s", raw_result_name(response->result));
    check_result(raw_item_get(&suite.client, settings.item_id), UNKNOWN_ITEM);
    const struct raw_row row = new_row(settings.item_id, 1);
    check_result(ask(&row), UNKNOWN_ITEM);
}

static void update_changes_the_named_field_only(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        const uint64_t item_id = make_item(core, 10);
        const struct raw_row row = new_row(item_id, 6);
        check_result(ask(&row), OK);

        raw_settings change = settings_of(item_id, 8);
        change.buyer_limit = 77; /* not named, so not taken */
        struct raw_item_answer item = raw_item_update(&suite.client, &change, UPDATE(STOCK));
        check_result(item, OK);
        check(item.stock == 8 && item.available == 2 && item.held == 6 && item.buyer_limit == 0,
              "stock %" PRId64 " available %" PRId64, item.stock, item.available);
        change.stock = 5;
        item = raw_item_update(&suite.client, &change, UPDATE(STOCK));
        check_result(item, INSUFFICIENT);
        check_books(item_id, 2, 6, 0);
        change.stock = 6;
        check_result(raw_item_update(&suite.client, &change, UPDATE(STOCK)), OK);
        const struct raw_row late = new_row(item_id, 1);
        check_result(ask(&late), SOLD_OUT);
        change.stock = 106;
        check_result(raw_item_update(&suite.client, &change, UPDATE(STOCK)), OK);
        check_result(ask(&late), OK);
        check_books(item_id, 99, 7, 0);
        item = raw_item_update(&suite.client, &change, UPDATE(BUYER_LIMIT));
        check(item.result == RESULT(OK) && item.buyer_limit == 77 && item.stock == 106,
              "buyer limit %u", item.buyer_limit);
        change.hold_ms = 4321;
        item = raw_item_update(&suite.client, &change, UPDATE(HOLD_MS));
        check(item.result == RESULT(OK) && item.hold_ms == 4321, "hold_ms %" PRIu64, item.hold_ms);
        change.stock = -2;
        check_result(raw_item_update(&suite.client, &change, UPDATE(STOCK)), INVALID);
        check_books(item_id, 99, 7, 0);
    }
}

static void list_gives_every_item_once_from_its_own_core_page_by_page(void)
{
    for (uint32_t core = 0; core < suite.cores; core++)
        for (int i = 0; i < 20; i++)
            make_item(core, 1);
    uint64_t listed = 0;
    for (uint32_t core = 0; core < suite.cores; core++) {
        uint8_t *seen = calloc(suite.last_item_id + 1, 1);
        Holdfast__V1__ItemListRequest request = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
        bool has_more = true;
        request.core = core;
        request.count_max = 7;
        while (has_more) {
            const Holdfast__V1__ItemListResponse *page =
                raw_call(&suite.client, FRAME_ITEM_LIST, &request.base);
            check_must(page != NULL && page->result == RESULT(OK), "no page");
            check_must(page->n_items <= 7 && (page->n_items > 0 || !page->has_more),
                       "%zu items on a page of 7", page->n_items);
            for (size_t i = 0; i < page->n_items; i++) {
                const uint64_t item_id = page->items[i]->settings->item_id;
                check_must(item_id <= suite.last_item_id, "item %" PRIu64, item_id);
                check(!seen[item_id], "item %" PRIu64 " came twice", item_id);
                check(raw_core_of(item_id, suite.cores) == core, "item %" PRIu64 " is not its own",
                      item_id);
                seen[item_id] = true;
                listed++;
            }
            has_more = page->has_more;
            request.position = page->next_position;
        }
        free(seen);
    }
    const uint64_t items = raw_stat_sum(&suite.client, false).items;
    check(listed == items, "%" PRIu64 " listed, %" PRIu64 " counted", listed, items);
}

/* ------------------------------------------------------------------------------------------------
 * The life of a reservation, for items of all cores at once through one connection
 * ---------------------------------------------------------------------------------------------- */

/* The same rows about one reservation on each of some items of each core. */
struct spread {
    enum raw_form form;
    uint32_t count;
    struct raw_row rows[SPREAD_MAX];
    struct raw_answer answers[SPREAD_MAX];
};

static struct spread *new_spread(enum raw_form form, int64_t stock, uint32_t quantity)
{
    static struct spread spread;
    spread = (struct spread){.form = form, .count = suite.cores * ITEMS_PER_CORE};
    for (uint32_t i = 0; i < spread.count; i++)
        spread.rows[i] = new_row(make_item(i % suite.cores, stock), quantity);
    return &spread;
}

static void spread_ask(struct spread *spread, uint8_t type)
{
    for (uint32_t i = 0; i < spread->count; i++)
        spread->rows[i].type = type;
    raw_rows(&suite.client, spread->form, spread->rows, spread->count, spread->answers);
}

#define check_all(spread, result_, state_, quantity_, confirmed_, available_)                      \
    for (uint32_t i_ = 0; i_ < (spread)->count; i_++) {                                            \
        const struct raw_answer *a_ = &(spread)->answers[i_];                                      \
        check(a_->result == RESULT(result_) && a_->state == STATE(state_) &&                       \
                  a_->quantity == (quantity_) && a_->quantity_confirmed == (confirmed_) &&         \
                  a_->available == (available_),                                                   \
              "row %u: %s, state %u, quantity %u, confirmed %u, available %" PRId64, i_,           \
              raw_result_name(a_->result), a_->state, a_->quantity, a_->quantity_confirmed,        \
              a_->available);                                                                      \
    }

static void set_quantity(struct spread *spread, uint32_t quantity)
{
    for (uint32_t i = 0; i < spread->count; i++)
        spread->rows[i].quantity = quantity;
}

static void hold_pay_and_ask(enum raw_form form)
{
    struct spread *s = new_spread(form, 10, 4);
    for (uint32_t i = 0; i < s->count; i++) {
        s->rows[i].buyer_id = 1000 + i;
        s->rows[i].user_data = 5000 + i;
    }
    spread_ask(s, FRAME_RESERVE);
    check_all(s, OK, HELD, 4, 0, 6);
    const uint64_t expires_ms = s->answers[0].expires_ms;
    const int64_t hold_ms = (int64_t)(expires_ms - raw_now_ms(&suite.client));
    check(hold_ms > 14 * 60000 && hold_ms <= 15 * 60000, "%" PRId64 " ms left", hold_ms);
    for (uint32_t i = 0; i < s->count; i++)
        check(s->answers[i].sequence == 1, "sequence %" PRIu64, s->answers[i].sequence);

    struct raw_answer first[SPREAD_MAX];
    memcpy(first, s->answers, sizeof first);
    spread_ask(s, FRAME_RESERVE);
    check_all(s, DUPLICATE, HELD, 4, 0, 6);
    for (uint32_t i = 0; i < s->count; i++)
        check(s->answers[i].sequence == 1 && s->answers[i].expires_ms == first[i].expires_ms,
              "row %u: not the first answer again", i);

    set_quantity(s, 5);
    spread_ask(s, FRAME_RESERVE);
    for (uint32_t i = 0; i < s->count; i++)
        check_result(s->answers[i], ID_CONFLICT);

    spread_ask(s, FRAME_GET);
    check_all(s, OK, HELD, 4, 0, 6);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct raw_answer *a = &s->answers[i];
        check(a->buyer_id == 1000 + i && a->user_data == 5000 + i && a->sequence == 1 &&
                  a->expires_ms == first[i].expires_ms && a->created_ms < a->expires_ms,
              "row %u: buyer %" PRIu64 " user_data %" PRIu64, i, a->buyer_id, a->user_data);
    }

    set_quantity(s, 0);
    spread_ask(s, FRAME_CONFIRM);
    check_all(s, OK, CONFIRMED, 4, 4, 6);
    spread_ask(s, FRAME_CONFIRM);
    check_all(s, DUPLICATE, CONFIRMED, 4, 4, 6);
    spread_ask(s, FRAME_CANCEL);
    check_all(s, ALREADY_CONFIRMED, CONFIRMED, 4, 4, 6);
    set_quantity(s, 4);
    spread_ask(s, FRAME_RESERVE);
    check_all(s, DUPLICATE, CONFIRMED, 4, 4, 6);
    for (uint32_t i = 0; i < s->count; i++)
        check_books(s->rows[i].item_id, 6, 0, 4);
}

static void hold_pay_and_ask_as_single_frames(void)
{
    hold_pay_and_ask(RAW_SINGLE);
}

static void hold_pay_and_ask_in_full_columns(void)
{
    hold_pay_and_ask(RAW_COLUMNS);
}

static void hold_pay_and_ask_in_short_columns(void)
{
    hold_pay_and_ask(RAW_SHORT);
}

static void cancel_gives_back(enum raw_form form)
{
    struct spread *s = new_spread(form, 3, 3);
    spread_ask(s, FRAME_RESERVE);
    check_all(s, OK, HELD, 3, 0, 0);
    spread_ask(s, FRAME_CANCEL);
    check_all(s, OK, CANCELLED, 3, 0, 3);
    spread_ask(s, FRAME_CANCEL);
    check_all(s, DUPLICATE, CANCELLED, 3, 0, 3);
    set_quantity(s, 0);
    spread_ask(s, FRAME_CONFIRM);
    check_all(s, CANCELLED, CANCELLED, 3, 0, 3);
    set_quantity(s, 3);
    spread_ask(s, FRAME_RESERVE);
    check_all(s, DUPLICATE, CANCELLED, 3, 0, 3);
    spread_ask(s, FRAME_GET);
    check_all(s, OK, CANCELLED, 3, 0, 3);
    for (uint32_t i = 0; i < s->count; i++)
        check_books(s->rows[i].item_id, 3, 0, 0);
}

static void cancel_gives_back_in_every_form(void)
{
    cancel_gives_back(RAW_SINGLE);
    cancel_gives_back(RAW_COLUMNS);
    cancel_gives_back(RAW_SHORT);
}

static void confirm_in_part_gives_the_rest_back(void)
{
    for (enum raw_form form = RAW_SINGLE; form <= RAW_SHORT; form++) {
        struct spread *s = new_spread(form, 10, 5);
        spread_ask(s, FRAME_RESERVE);
        set_quantity(s, 6);
        spread_ask(s, FRAME_CONFIRM);
        for (uint32_t i = 0; i < s->count; i++)
            check(s->answers[i].result == RESULT(INVALID) &&
                      s->answers[i].invalid_field == FIELD(QUANTITY),
                  "more than held: %s", raw_result_name(s->answers[i].result));
        set_quantity(s, 2);
        spread_ask(s, FRAME_CONFIRM);
        check_all(s, OK, CONFIRMED, 5, 2, 8);
        spread_ask(s, FRAME_CONFIRM);
        check_all(s, DUPLICATE, CONFIRMED, 5, 2, 8);
        set_quantity(s, 3);
        spread_ask(s, FRAME_CONFIRM);
        check_all(s, ALREADY_CONFIRMED, CONFIRMED, 5, 2, 8);
        for (uint32_t i = 0; i < s->count; i++)
            check_books(s->rows[i].item_id, 8, 0, 2);
    }
}

static void extend_moves_the_deadline_out_and_never_in(void)
{
    for (enum raw_form form = RAW_SINGLE; form <= RAW_SHORT; form++) {
        struct spread *s = new_spread(form, 10, 1);
        spread_ask(s, FRAME_RESERVE);
        const uint64_t later_ms = s->answers[0].expires_ms + HOUR_MS;
        for (uint32_t i = 0; i < s->count; i++)
            s->rows[i].expires_ms = later_ms;
        for (int repeat = 0; repeat < 2; repeat++) {
            spread_ask(s, FRAME_EXTEND);
            for (uint32_t i = 0; i < s->count; i++) {
                check(s->answers[i].expires_ms == later_ms, "row %u: not extended", i);
                check(s->answers[i].result == RESULT(OK) ||
                          (repeat == 1 && s->answers[i].result == RESULT(DUPLICATE)),
                      "%s", raw_result_name(s->answers[i].result));
            }
        }
        for (uint32_t i = 0; i < s->count; i++)
            s->rows[i].expires_ms = later_ms - 5;
        spread_ask(s, FRAME_EXTEND);
        for (uint32_t i = 0; i < s->count; i++)
            check(s->answers[i].expires_ms == later_ms, "row %u: shortened", i);
    }
}

static void operations_on_a_reservation_that_is_not_there_say_so(void)
{
    static const uint8_t types[] = {FRAME_CONFIRM, FRAME_CANCEL, FRAME_EXTEND, FRAME_GET};
    for (uint32_t core = 0; core < suite.cores; core++) {
        struct raw_row row = new_row(make_item(core, 10), 0);
        row.expires_ms = raw_now_ms(&suite.client) + HOUR_MS;
        for (size_t i = 0; i < sizeof types; i++)
            check_result(ask_about(&row, types[i]), UNKNOWN_RESERVATION);
        row.item_id = new_item_id(core);
        for (size_t i = 0; i < sizeof types; i++)
            check_result(ask_about(&row, types[i]), UNKNOWN_ITEM);
    }
}

static void unpaid_hold_expires_on_time_and_cannot_be_paid_any_more(void)
{
    struct spread *s = new_spread(RAW_COLUMNS, 7, 7);
    for (uint32_t i = 0; i < s->count; i++)
        s->rows[i].hold_ms = 150;
    spread_ask(s, FRAME_RESERVE);
    check_all(s, OK, HELD, 7, 0, 0);
    uint64_t last_ms = 0;
    for (uint32_t i = 0; i < s->count; i++)
        last_ms = s->answers[i].expires_ms > last_ms ? s->answers[i].expires_ms : last_ms;
    while (raw_now_ms(&suite.client) < last_ms)
        check_sleep_ms(1);
    check_sleep_ms(1); /* clocks of two cores may be read a moment apart */
    set_quantity(s, 0);
    spread_ask(s, FRAME_CONFIRM);
    check_all(s, EXPIRED, EXPIRED, 7, 0, 7);
    spread_ask(s, FRAME_CANCEL);
    check_all(s, EXPIRED, EXPIRED, 7, 0, 7);
    spread_ask(s, FRAME_GET);
    check_all(s, OK, EXPIRED, 7, 0, 7);
    set_quantity(s, 7);
    spread_ask(s, FRAME_RESERVE);
    check_all(s, DUPLICATE, EXPIRED, 7, 0, 7);
    for (uint32_t i = 0; i < s->count; i++)
        check_books(s->rows[i].item_id, 7, 0, 0);
}

/* ------------------------------------------------------------------------------------------------
 * Refusals
 * ---------------------------------------------------------------------------------------------- */

static void too_few_left_is_insufficient_and_none_left_sold_out(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        const uint64_t item_id = make_item(core, 5);
        struct raw_row row = new_row(item_id, 6);
        struct raw_answer answer = ask(&row);
        check_result(answer, INSUFFICIENT);
        check(answer.available == 5, "available %" PRId64, answer.available);
        row.quantity = 5;
        check_result(ask(&row), OK);
        const struct raw_row late = new_row(item_id, 1);
        answer = ask(&late);
        check_result(answer, SOLD_OUT);
        check(answer.available == 0, "available %" PRId64, answer.available);
        check_result(ask_about(&late, FRAME_GET), UNKNOWN_RESERVATION);
    }
}

static void buyer_limit_counts_held_and_sold_units_and_spares_anonymous_buyers(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        raw_settings settings = settings_of(new_item_id(core), 100);
        settings.buyer_limit = 3;
        const uint64_t item_id = make_item_with(&settings);
        struct raw_row held = new_row(item_id, 2), more = new_row(item_id, 2);
        held.buyer_id = more.buyer_id = 42;
        check_result(ask(&held), OK);
        check_result(ask(&more), BUYER_LIMIT);
        check_result(ask_about(&held, FRAME_CONFIRM), OK);
        check_result(ask(&more), BUYER_LIMIT);
        struct raw_row last = new_row(item_id, 1);
        last.buyer_id = 42;
        check_result(ask(&last), OK);
        check_result(ask_about(&last, FRAME_CANCEL), OK);
        struct raw_row again = new_row(item_id, 1);
        again.buyer_id = 42;
        check_result(ask(&again), OK);
        more.buyer_id = 43;
        check_result(ask(&more), OK);
        const struct raw_row anonymous = new_row(item_id, 50);
        check_result(ask(&anonymous), OK);
        check_books(item_id, 100 - 2 - 1 - 2 - 50, 53, 2);
    }
}

static void hold_cap_counts_open_holds_only(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        raw_settings settings = settings_of(new_item_id(core), 100);
        settings.hold_cap = 2;
        const uint64_t item_id = make_item_with(&settings);
        struct raw_row rows[4];
        for (int i = 0; i < 4; i++) {
            rows[i] = new_row(item_id, 1);
            rows[i].buyer_id = 7;
        }
        check_result(ask(&rows[0]), OK);
        check_result(ask(&rows[1]), OK);
        check_result(ask(&rows[2]), HOLD_CAP);
        check_result(ask_about(&rows[0], FRAME_CONFIRM), OK);
        check_result(ask(&rows[2]), OK);
        check_result(ask(&rows[3]), HOLD_CAP);
        check_result(ask_about(&rows[1], FRAME_CANCEL), OK);
        check_result(ask(&rows[3]), OK);
    }
}

static void sale_opens_and_closes_on_the_engines_clock(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        raw_settings settings = settings_of(new_item_id(core), 100);
        settings.opens_at_ms = raw_now_ms(&suite.client) + 200;
        settings.closes_at_ms = settings.opens_at_ms + 400;
        const uint64_t item_id = make_item_with(&settings);
        const struct raw_row early = new_row(item_id, 1);
        const struct raw_answer answer = ask(&early);
        check_result(answer, NOT_OPEN);
        check(answer.expires_ms == settings.opens_at_ms, "opens at %" PRIu64, answer.expires_ms);
        while (raw_now_ms(&suite.client) <= settings.opens_at_ms)
            check_sleep_ms(1);
        check_result(ask(&early), OK);
        while (raw_now_ms(&suite.client) <= settings.closes_at_ms)
            check_sleep_ms(1);
        const struct raw_row late = new_row(item_id, 1);
        check_result(ask(&late), CLOSED);
        check_result(ask(&early), DUPLICATE);
        check_result(ask_about(&early, FRAME_CONFIRM), OK);
    }
}

static void pause_stops_new_holds_but_not_payment(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        const uint64_t item_id = make_item(core, 10);
        const struct raw_row before = new_row(item_id, 1), during = new_row(item_id, 1);
        check_result(ask(&before), OK);
        raw_settings settings = settings_of(item_id, 0);
        settings.paused = true;
        check_result(raw_item_update(&suite.client, &settings, UPDATE(PAUSED)), OK);
        check_result(ask(&during), PAUSED);
        check_result(ask(&before), DUPLICATE);
        check_result(ask_about(&before, FRAME_CONFIRM), OK);
        settings.paused = false;
        check_result(raw_item_update(&suite.client, &settings, UPDATE(PAUSED)), OK);
        check_result(ask(&during), OK);
    }
}

static void unlimited_item_never_sells_out_and_counts_what_it_holds(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        const uint64_t item_id = make_item(core, -1);
        struct raw_row row = {0};
        for (uint64_t i = 1; i <= 5; i++) {
            row = new_row(item_id, 1000000);
            const struct raw_answer answer = ask(&row);
            check_result(answer, OK);
            check(answer.available == -1 && answer.sequence == i,
                  "available %" PRId64 " sequence %" PRIu64, answer.available, answer.sequence);
        }
        check_result(ask_about(&row, FRAME_CONFIRM), OK);
        check_books(item_id, -1, 4000000, 1000000);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Order
 * ---------------------------------------------------------------------------------------------- */

static void rows_for_all_cores_in_one_batch_are_answered_in_their_order(void)
{
    enum { ROWS = 4000 };
    static struct raw_row rows[ROWS];
    static struct raw_answer answers[ROWS];
    uint64_t items[SPREAD_MAX], sequences[SPREAD_MAX] = {0};
    const uint32_t item_count = suite.cores * ITEMS_PER_CORE;
    for (uint32_t i = 0; i < item_count; i++)
        items[i] = make_item(i % suite.cores, 100000);
    for (int client_core = -1; client_core < (int)suite.cores; client_core++) {
        struct raw_client client;
        raw_open(&client, suite.server.port, client_core);
        for (uint32_t i = 0; i < ROWS; i++) {
            rows[i] = new_row(items[(i * 7 + i / 100) % item_count], 1 + i % 3);
            rows[i].user_data = i;
        }
        raw_rows(&client, RAW_SHORT, rows, ROWS, answers);
        for (uint32_t i = 0; i < ROWS; i++) {
            const uint32_t item = (i * 7 + i / 100) % item_count;
            check_result(answers[i], OK);
            check(answers[i].quantity == rows[i].quantity, "row %u: quantity %u", i,
                  answers[i].quantity);
            check(answers[i].sequence == ++sequences[item],
                  "row %u: sequence %" PRIu64 ", expected %" PRIu64, i, answers[i].sequence,
                  sequences[item]);
        }
        for (uint32_t i = 0; i < ROWS; i++)
            rows[i].type = FRAME_GET;
        raw_rows(&client, RAW_COLUMNS, rows, ROWS, answers);
        for (uint32_t i = 0; i < ROWS; i++)
            check(answers[i].result == RESULT(OK) && answers[i].user_data == i,
                  "row %u: %s, user_data %" PRIu64, i, raw_result_name(answers[i].result),
                  answers[i].user_data);
        raw_close(&client);
    }
}

static void same_id_twice_in_one_batch_holds_once(void)
{
    for (uint32_t core = 0; core < suite.cores; core++) {
        const uint64_t item_id = make_item(core, 10);
        struct raw_row rows[3];
        struct raw_answer answers[3];
        rows[0] = rows[1] = rows[2] = new_row(item_id, 2);
        rows[2].quantity = 3;
        raw_rows(&suite.client, RAW_COLUMNS, rows, 3, answers);
        check_result(answers[0], OK);
        check_result(answers[1], DUPLICATE);
        check_result(answers[2], ID_CONFLICT);
        check_books(item_id, 8, 2, 0);
    }
}

/* Frames about one item on one connection are executed as they were sent, also when the item is
 * another core's and no answer was waited for. */
static void frames_in_flight_are_executed_in_their_order(void)
{
    enum { CHAINS = 50, STEPS = 4 };
    static const uint8_t steps[STEPS] = {FRAME_RESERVE, FRAME_GET, FRAME_CONFIRM, FRAME_GET};
    static const uint32_t states[STEPS] = {STATE(HELD), STATE(HELD), STATE(CONFIRMED),
                                           STATE(CONFIRMED)};
    for (uint32_t core = 0; core < suite.cores; core++) {
        const uint64_t item_id = make_item(core, 1000);
        const uint64_t first_id = suite.client.last_request_id + 1;
        struct raw_frame frame;
        for (uint32_t i = 0; i < CHAINS; i++) {
            const struct raw_row row = new_row(item_id, 1);
            for (uint32_t step = 0; step < STEPS; step++) {
                const struct raw_row next = about(&row, steps[step]);
                raw_put_row(&suite.client, &next);
            }
        }
        raw_flush(&suite.client);
        for (uint32_t i = 0; i < CHAINS * STEPS; i++) {
            struct raw_answer answer;
            check_must(raw_receive(&suite.client, &frame, RAW_TIMEOUT_MS) == RAW_OK, "no reply");
            const uint64_t step = (frame.request_id - first_id) % STEPS;
            check_must(raw_answers(&suite.client, &frame, &answer, 1) == 1, "type %u", frame.type);
            check(answer.result == RESULT(OK) && answer.state == states[step],
                  "step %" PRIu64 ": %s, state %u", step, raw_result_name(answer.result),
                  answer.state);
        }
        check_books(item_id, 1000 - CHAINS, 0, CHAINS);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Statistics, limits, stop
 * ---------------------------------------------------------------------------------------------- */

static void stat_counts_what_was_done(void)
{
    const raw_stat before = raw_stat_sum(&suite.client, false);
    struct spread *s = new_spread(RAW_COLUMNS, 10, 2);
    spread_ask(s, FRAME_RESERVE);
    const uint32_t n = s->count;
    for (uint32_t i = 0; i < n; i++)
        s->rows[i].quantity = 99;
    spread_ask(s, FRAME_RESERVE); /* conflicts */
    const raw_stat after = raw_stat_sum(&suite.client, false);
    check(after.items == before.items + n, "items");
    check(after.reservations == before.reservations + n, "reservations");
    check(after.held == before.held + n, "held");
    check(after.units_held == before.units_held + 2 * n, "units held");
    check(after.rows_accepted == before.rows_accepted + n, "rows accepted");
    check(after.rows_refused == before.rows_refused + n, "rows refused");
    check(after.log_records >= before.log_records + 2 * n, "log records");
    check(after.connections >= 1, "connections");
    check(after.core_count == suite.cores, "core count");
    for (uint32_t core = 0; core < suite.cores; core++) {
        const raw_stat one = raw_stat_of(&suite.client, core, false);
        check(one.log_durable_lsn <= one.log_last_lsn, "core %u: durable before last", core);
    }
}

/* Of the file of a snapshot, read piece by piece. */
static uint64_t read_snapshot(const raw_snapshot *snapshot)
{
    static uint8_t piece_bytes[RAW_PIECE_BYTES];
    struct raw_piece piece;
    uint64_t offset = 0;
    do {
        piece =
            raw_snapshot_read(&suite.client, snapshot->core, snapshot->lsn, offset, piece_bytes);
        check_result(piece, OK);
        check(offset > 0 || (piece.bytes >= 8 && memcmp(piece_bytes, "HFSNAPSH", 8) == 0),
              "core %u: the file does not begin with its magic", snapshot->core);
        offset += piece.bytes;
    } while (piece.bytes > 0);
    check(offset == piece.file_bytes, "core %u: %" PRIu64 " of %" PRIu64 " bytes", snapshot->core,
          offset, piece.file_bytes);
    return offset;
}

static void snapshot_of_each_core_tells_what_it_holds_and_is_read_to_its_end(void)
{
    struct spread *s = new_spread(RAW_COLUMNS, 10, 2);
    spread_ask(s, FRAME_RESERVE);
    for (uint32_t core = 0; core < suite.cores; core++) {
        const raw_snapshot snapshot = raw_snapshot_take(&suite.client, core);
        const raw_stat stat = raw_stat_of(&suite.client, core, true);
        check_result(snapshot, OK);
        check(snapshot.core == core, "core %u told of core %u", core, snapshot.core);
        check(stat.snapshot_lsn == snapshot.lsn, "core %u: LSN", core);
        check(stat.log_last_lsn != snapshot.lsn || stat.state_hash == snapshot.state_hash,
              "core %u: state hash", core);
        check(stat.log_last_lsn != snapshot.lsn ||
                  (stat.items == snapshot.items && stat.reservations == snapshot.reservations &&
                   stat.buyers == snapshot.buyers),
              "core %u: counts", core);
        check(read_snapshot(&snapshot) == snapshot.bytes, "core %u: size", core);
    }
}

/* A hold, and then a snapshot with it. */
static raw_snapshot snapshot_of_a_change(uint64_t item_id)
{
    const struct raw_row row = new_row(item_id, 1);
    const struct raw_answer answer = ask(&row);
    check_result(answer, OK);
    const raw_snapshot snapshot = raw_snapshot_take(&suite.client, 0);
    check_result(snapshot, OK);
    return snapshot;
}

static void snapshot_stays_for_who_reads_it_and_the_others_go(void)
{
    static uint8_t piece_bytes[RAW_PIECE_BYTES];
    const uint64_t item_id = make_item(0, 100);
    const raw_snapshot read = snapshot_of_a_change(item_id);
    struct raw_piece piece = raw_snapshot_read(&suite.client, 0, read.lsn, 0, piece_bytes);
    check_result(piece, OK);
    const raw_snapshot not_read = snapshot_of_a_change(item_id);
    for (int i = 0; i < 3; i++)
        check(snapshot_of_a_change(item_id).lsn > not_read.lsn, "a newer snapshot");
    check(read_snapshot(&read) == read.bytes, "the one that is being read is there");
    piece = raw_snapshot_read(&suite.client, 0, not_read.lsn, 0, piece_bytes);
    check_result(piece, UNKNOWN_SNAPSHOT);
    check(piece.bytes == 0, "%u bytes of a snapshot that is gone", piece.bytes);
}

static void pieces_asked_for_at_a_time_are_given_or_refused_as_overload(void)
{
    const raw_snapshot snapshot = raw_snapshot_take(&suite.client, 0);
    Holdfast__V1__SnapshotReadRequest request = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
    request.lsn = snapshot.lsn;
    uint32_t given = 0;
    for (int i = 0; i < 5; i++)
        raw_put(&suite.client, FRAME_SNAPSHOT_READ, &request.base);
    raw_flush(&suite.client);
    for (int i = 0; i < 5; i++) {
        struct raw_frame frame;
        const enum raw_status status = raw_receive(&suite.client, &frame, RAW_TIMEOUT_MS);
        check_must(status == RAW_OK, "piece %d: status %d", i, status);
        const Holdfast__V1__SnapshotReadResponse *response = raw_decode(&suite.client, &frame);
        check_must(response != NULL, "piece %d", i);
        check(response->result == RESULT(OK) || response->result == RESULT(OVERLOADED), "%s",
              raw_result_name(response->result));
        given += response->result == RESULT(OK);
    }
    check(given > 0, "none was given");
}

static void full_tables_answer_capacity_and_what_is_in_them_goes_on(void)
{
    static const char *const small[] = {"--max-items", "16", "--max-reservations", "64", NULL};
    char data[SCRATCH_PATH_BYTES + 16];
    snprintf(data, sizeof data, "%s/small", suite.scratch);
    const struct server_options options = {.data = data, .cores = suite.cores, .more = small};
    struct server_process server;
    struct raw_client client;
    server_start(&server, &options, suite.scratch);
    raw_open(&client, server.port, -1);

    uint32_t made = 0;
    struct raw_item_answer item = {.result = RESULT(OK)};
    for (uint64_t id = 1; id <= 16 * CORES_MAX + 1 && item.result == RESULT(OK); id++) {
        const raw_settings settings = settings_of(id, 1000000);
        item = raw_item_create(&client, &settings);
        made += item.result == RESULT(OK);
    }
    check_result(item, CAPACITY);
    check(made >= 16 && made <= 16 * suite.cores, "%u items", made);

    struct raw_row row = {.type = FRAME_RESERVE, .item_id = 1, .quantity = 1, .id_high = 9};
    struct raw_answer answer = {.result = RESULT(OK)};
    uint32_t held = 0;
    while (answer.result == RESULT(OK) && held <= 64 * CORES_MAX) {
        row.id_low++;
        answer = raw_one(&client, &row);
        held += answer.result == RESULT(OK);
    }
    check_result(answer, CAPACITY);
    check(held >= 16 && held <= 64 * suite.cores, "%u reservations", held);
    row.id_low = 1;
    check_result(raw_one(&client, &row), DUPLICATE);
    row.type = FRAME_CONFIRM;
    row.quantity = 0;
    check_result(raw_one(&client, &row), OK);
    raw_close(&client);
    server_stop(&server);
}

static void connections_over_the_limit_are_closed_and_the_others_go_on(void)
{
    enum { LIMIT = 4, TRIED = 64 };
    static const char *const small[] = {"--max-connections", "4", NULL};
    static struct raw_client clients[TRIED];
    char data[SCRATCH_PATH_BYTES + 16];
    snprintf(data, sizeof data, "%s/few", suite.scratch);
    const struct server_options options = {.data = data, .cores = suite.cores, .more = small};
    struct server_process server;
    server_start(&server, &options, suite.scratch);
    uint32_t served = 0;
    for (int i = 0; i < TRIED; i++) {
        check_must(raw_connect(&clients[i], server.port), "connect");
        served += raw_hello(&clients[i], -1);
    }
    check(served >= LIMIT && served <= LIMIT * suite.cores, "%u of %d connections are served",
          served, (int)TRIED);
    for (int i = 0; i < TRIED; i++) {
        if (clients[i].core_count != 0)
            raw_now_ms(&clients[i]);
        raw_close(&clients[i]);
    }
    struct raw_client again;
    bool is_served = false;
    for (int i = 0; i < 100 && !is_served; i++) {
        check_sleep_ms(10);
        is_served = raw_connect(&again, server.port) && raw_hello(&again, -1);
        raw_close(&again);
    }
    check(is_served, "nobody is served after all have left");
    server_stop(&server);
}

/* After the retention an ended reservation is unknown, and its id is as good as new. */
static void ended_reservations_are_forgotten_after_the_retention(void)
{
    static const char *const brief[] = {"--retention", "1s", NULL};
    char data[SCRATCH_PATH_BYTES + 16];
    snprintf(data, sizeof data, "%s/brief", suite.scratch);
    const struct server_options options = {.data = data, .cores = suite.cores, .more = brief};
    struct server_process server;
    struct raw_client client;
    server_start(&server, &options, suite.scratch);
    raw_open(&client, server.port, -1);
    raw_item_make(&client, 1, 10);
    struct raw_row paid = {.type = FRAME_RESERVE, .item_id = 1, .id_low = 1, .quantity = 2};
    struct raw_row open = paid;
    open.id_low = 2;
    check_result(raw_one(&client, &paid), OK);
    check_result(raw_one(&client, &open), OK);
    paid.type = FRAME_CONFIRM;
    check_result(raw_one(&client, &paid), OK);
    paid.type = open.type = FRAME_GET;
    const double give_up_ms = check_now_ms() + 10000;
    while (raw_one(&client, &paid).result == RESULT(OK) && check_now_ms() < give_up_ms)
        check_sleep_ms(20);
    check_result(raw_one(&client, &paid), UNKNOWN_RESERVATION);
    check_result(raw_one(&client, &open), OK);
    const struct raw_item_answer item = raw_item_get(&client, 1);
    check(item.available == 6 && item.held == 2 && item.sold == 2, "the books have changed");
    paid.type = FRAME_RESERVE;
    const struct raw_answer answer = raw_one(&client, &paid);
    check_result(answer, OK);
    check(answer.sequence == 3, "sequence %" PRIu64, answer.sequence);
    const uint64_t hash = raw_stat_sum(&client, true).state_hash;
    raw_close(&client);
    server_stop(&server);
    uint64_t at_start = 0;
    server_start(&server, &options, suite.scratch);
    check(server_state_hash_at_start(&server, &at_start) && at_start == hash,
          "state hash %016" PRIx64 ", it was %016" PRIx64, at_start, hash);
    server_stop(&server);
}

/* All that was sent before the server said good-bye is answered, and still there afterwards. */
static void requests_in_flight_at_sigterm_are_answered_and_kept(void)
{
    enum { IN_FLIGHT = 200 };
    struct raw_row rows[IN_FLIGHT];
    bool is_answered[IN_FLIGHT] = {false};
    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        rows[i] = new_row(i < suite.cores ? make_item(i, 1000) : rows[i % suite.cores].item_id, 1);

    const uint64_t first_id = suite.client.last_request_id + 1;
    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        raw_put_row(&suite.client, &rows[i]);
    raw_flush(&suite.client);
    server_signal(&suite.server, SIGTERM);

    struct raw_frame frame;
    enum raw_status status;
    uint32_t answered = 0;
    bool saw_go_away = false;
    while ((status = raw_receive(&suite.client, &frame, RAW_TIMEOUT_MS)) == RAW_OK) {
        struct raw_answer answer;
        if (frame.type == FRAME_GO_AWAY) {
            saw_go_away = true;
            continue;
        }
        check_must(raw_answers(&suite.client, &frame, &answer, 1) == 1, "frame of type %u",
                   frame.type);
        check_must(frame.request_id - first_id < IN_FLIGHT, "request %" PRIu64, frame.request_id);
        check_result(answer, OK);
        is_answered[frame.request_id - first_id] = true;
        answered++;
    }
    check(status == RAW_CLOSED, "status %d at the end", status);
    check(saw_go_away, "no good-bye");
    check(answered == IN_FLIGHT, "%u of %u requests sent before it were answered", answered,
          (unsigned)IN_FLIGHT);
    raw_close(&suite.client);
    check(server_wait_exit(&suite.server, 30000), "it has not ended");
    check(suite.server.exit_code == SERVER_EXIT_OK, "exit code %d", suite.server.exit_code);

    uint64_t hash_at_stop = 0, hash_at_start = 1;
    check(server_state_hash_at_stop(&suite.server, &hash_at_stop), "no state hash at stop");
    const struct server_options options = {.data = suite.data, .cores = suite.cores};
    server_start(&suite.server, &options, suite.scratch);
    raw_open(&suite.client, suite.server.port, -1);
    check(server_state_hash_at_start(&suite.server, &hash_at_start), "no state hash at start");
    check(hash_at_start == hash_at_stop,
          "state hash %016" PRIx64 " at start, %016" PRIx64 " at stop", hash_at_start,
          hash_at_stop);
    check(raw_stat_sum(&suite.client, true).state_hash == hash_at_start, "hash of Stat");
    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        if (is_answered[i])
            check_result(ask(&rows[i]), DUPLICATE);
}

int main(int argc, char **argv)
{
    const long cores = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (cores < 1 || cores > CORES_MAX) {
        fprintf(stderr, "usage: %s CORES\n", argv[0]);
        return 2;
    }
    if (!server_is_built())
        return CHECK_SKIPPED;
    suite.cores = (uint32_t)cores;
    scratch_make("suite", suite.scratch);
    snprintf(suite.data, sizeof suite.data, "%s/data", suite.scratch);
    const struct server_options options = {.data = suite.data, .cores = suite.cores};
    server_start(&suite.server, &options, suite.scratch);
    raw_open(&suite.client, suite.server.port, -1);
    open_silent_connections();

#define SITUATION(name) check_situation(#name), name()
    SITUATION(hello_tells_cores_limits_and_clock);
    SITUATION(hello_for_each_core_is_served_by_that_core);
    SITUATION(hello_for_a_core_that_is_not_there_is_answered_and_goes_on);
    SITUATION(hello_of_another_version_or_server_is_refused_by_name);
    SITUATION(request_before_hello_is_refused_and_closed);
    SITUATION(ping_gives_back_its_payload_and_a_clock_that_never_goes_back);
    SITUATION(spoiled_frames_are_named_and_closed_and_change_nothing);
    SITUATION(half_a_frame_holds_nobody_up);
    SITUATION(bad_bodies_are_named_and_the_connection_goes_on);
    SITUATION(bytes_that_are_no_message_are_refused_with_the_request_id);
    SITUATION(rows_with_impossible_fields_are_invalid_and_name_the_field);
    SITUATION(item_is_kept_as_it_was_made);
    SITUATION(creating_again_is_a_duplicate_and_with_other_settings_a_conflict);
    SITUATION(impossible_items_are_invalid_and_unknown_ones_unknown);
    SITUATION(validate_only_answers_as_if_and_changes_nothing);
    SITUATION(update_changes_the_named_field_only);
    SITUATION(list_gives_every_item_once_from_its_own_core_page_by_page);
    SITUATION(hold_pay_and_ask_as_single_frames);
    SITUATION(hold_pay_and_ask_in_full_columns);
    SITUATION(hold_pay_and_ask_in_short_columns);
    SITUATION(cancel_gives_back_in_every_form);
    SITUATION(confirm_in_part_gives_the_rest_back);
    SITUATION(extend_moves_the_deadline_out_and_never_in);
    SITUATION(operations_on_a_reservation_that_is_not_there_say_so);
    SITUATION(unpaid_hold_expires_on_time_and_cannot_be_paid_any_more);
    SITUATION(too_few_left_is_insufficient_and_none_left_sold_out);
    SITUATION(buyer_limit_counts_held_and_sold_units_and_spares_anonymous_buyers);
    SITUATION(hold_cap_counts_open_holds_only);
    SITUATION(sale_opens_and_closes_on_the_engines_clock);
    SITUATION(pause_stops_new_holds_but_not_payment);
    SITUATION(unlimited_item_never_sells_out_and_counts_what_it_holds);
    SITUATION(rows_for_all_cores_in_one_batch_are_answered_in_their_order);
    SITUATION(same_id_twice_in_one_batch_holds_once);
    SITUATION(frames_in_flight_are_executed_in_their_order);
    SITUATION(slow_reader_holds_nobody_up_and_gets_all_its_answers);
    SITUATION(connections_that_come_and_go_leave_nothing_behind);
    SITUATION(flood_for_all_cores_is_answered_to_the_last_row);
    SITUATION(requests_right_behind_a_hello_for_another_core_are_answered);
    SITUATION(stat_counts_what_was_done);
    SITUATION(snapshot_of_each_core_tells_what_it_holds_and_is_read_to_its_end);
    SITUATION(snapshot_stays_for_who_reads_it_and_the_others_go);
    SITUATION(pieces_asked_for_at_a_time_are_given_or_refused_as_overload);
    SITUATION(full_tables_answer_capacity_and_what_is_in_them_goes_on);
    SITUATION(connections_over_the_limit_are_closed_and_the_others_go_on);
    SITUATION(ended_reservations_are_forgotten_after_the_retention);
    SITUATION(silence_in_a_frame_or_before_hello_is_closed_and_idleness_is_not);
    SITUATION(requests_in_flight_at_sigterm_are_answered_and_kept);
#undef SITUATION

    raw_close(&suite.client);
    server_stop(&suite.server);
    const int exit_code = check_finish();
    if (exit_code == 0)
        scratch_remove(suite.scratch);
    return exit_code;
}
