/* What clients are told while cores load, and how cores get from loading to serving. */
#include "core_trade.h"

#include "log_builder.h"

#include <stdlib.h>

static struct play play;
static struct play_client client;
static struct server_options options;
static char message[256];

enum { CORES = 3, HOLDS = 4500, GROUPS_PER_SEGMENT = 127 };

/* ---- logs ---- */

static void add_record(struct log_builder *builder, struct stock_record *record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    record->time_ms = builder->time_ms;
    log_builder_record(builder, bytes, stock_record_encode(record, bytes));
    log_builder_close_group(builder);
}

static void add_item(struct log_builder *builder, uint64_t item_id)
{
    add_record(builder, &(struct stock_record){.type = STOCK_RECORD_ITEM_CREATED,
                                               .item = {.item_id = item_id,
                                                        .stock = TRADE_STOCK,
                                                        .hold_ms = STOCK_HOLD_MS_DEFAULT}});
}

/* As trade() would have made it, with its item's next sequence number. */
static void add_hold(struct log_builder *builder, uint32_t number)
{
    const struct stock_hold_event hold = {
        .item_id = 1 + number % TRADE_ITEMS,
        .reservation_id = {.low = 1 + (uint64_t)number},
        .buyer_id = 1 + number % TRADE_BUYERS,
        .quantity = 1,
        .sequence = 1 + number / TRADE_ITEMS,
        .expires_ms = builder->time_ms + STOCK_HOLD_MS_DEFAULT,
    };
    add_record(builder, &(struct stock_record){.type = STOCK_RECORD_HELD, .hold = hold});
}

static bool is_of_core(uint64_t item_id, uint32_t core)
{
    return item_hash(item_id) % CORES == core;
}

static void write_log(uint32_t core, uint64_t time_ms)
{
    char folder[DATA_DIRECTORY_PATH_BYTES];
    struct log_builder builder;
    log_builder_init(&builder, (1 + GROUPS_PER_SEGMENT) * LOG_BLOCK_BYTES);
    builder.server_id = play.directory.manifest.server_id;
    builder.core = core;
    builder.time_ms = time_ms;
    for (uint64_t item_id = 1; item_id <= TRADE_ITEMS; item_id++)
        if (is_of_core(item_id, core))
            add_item(&builder, item_id);
    for (uint32_t number = 0; number < HOLDS; number++)
        if (is_of_core(1 + number % TRADE_ITEMS, core))
            add_hold(&builder, number);
    data_directory_core_path(&play.directory, 0, core, folder);
    log_builder_save(&builder, folder);
    log_builder_deinit(&builder);
}

/* A group for each record, so that there are many to be read. */
static void make_directory(void)
{
    options = play_options(CORES);
    options.batch_rows_max = 8;
    options.segment_bytes = (1 + GROUPS_PER_SEGMENT) * LOG_BLOCK_BYTES;
    play_make_directory(&play);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &play.io, message), IO_OK);
    cr_assert_eq(data_directory_open(&play.directory, play.io, play.path, CORES),
                 DATA_DIRECTORY_OK);
    cr_assert_eq(data_directory_begin_era(&play.directory), DATA_DIRECTORY_OK);
    const uint64_t time_ms = io_clock(play.io).wall_ns / 1000000;
    for (uint32_t core = 0; core < CORES; core++)
        write_log(core, time_ms);
    data_directory_close(&play.directory);
    io_destroy(&play.io);
}

/* ---- steps ---- */

static enum core_phase phase_of(uint32_t core)
{
    return play_core(&play, core)->phase;
}

static void turn_until(enum core_phase phase)
{
    for (uint32_t core = 0; core < CORES; core++)
        for (int turn = 0; phase_of(core) != phase; turn++) {
            cr_assert_lt(turn, PLAY_TURNS_MAX);
            cr_assert_lt(play_turn(&play, core), CORE_REFUSED);
        }
}

static void end_loading(void)
{
    turn_until(CORE_PHASE_LOADED);
    play_begin_era(&play);
    server_open_logs(play.server);
    turn_until(CORE_PHASE_OPENED);
    server_serve(play.server);
    turn_until(CORE_PHASE_SERVING);
}

static void tear_down(void)
{
    play_disconnect(&client);
    if (phase_of(0) != CORE_PHASE_SERVING)
        end_loading(); /* a server that loads is not stopped, but ended */
    play_end(&play);
}

TestSuite(loading, .fini = tear_down, .timeout = 120);

/* The cores have begun to load; the client is at the first one. */
static void begin_loading(void)
{
    make_directory();
    play_open(&play, &options);
    play_connect(&play, &client, 0);
}

static const Holdfast__V1__StatResponse *ask_stat(uint32_t core)
{
    Holdfast__V1__StatRequest request = HOLDFAST__V1__STAT_REQUEST__INIT;
    request.core = core;
    play_send(&client, FRAME_STAT, 7, &request.base);
    return play_receive(&play, &client, FRAME_STAT + FRAME_REPLY);
}

/* ---- answers ---- */

Test(loading, rows_are_told_so)
{
    begin_loading();
    play_send_reserve(&client, 1, 900001);
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
    cr_expect_eq(answer->sequence, 0);
    play_send_get(&client, 1, 5);
    answer = play_receive(&play, &client, FRAME_GET + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
    for (uint8_t type = FRAME_RESERVE_BATCH; type <= FRAME_GET_BATCH; type++) {
        trade_send(&client, &(struct trade_rows){
                                .type = type, .first = 0, .step = 1, .count = 8, .expires_ms = 1});
        trade_receive(&play, &client, type, HOLDFAST__V1__RESULT__RESULT_LOADING);
    }
    cr_assert_eq(phase_of(0), CORE_PHASE_LOADING);
    cr_expect_eq(play_core(&play, 0)->counts.rows_forwarded, 0);
}

/* For whoever wants to come again at the right time. */
Test(loading, rows_are_told_when_it_will_be_over_as_soon_as_that_can_be_told)
{
    begin_loading();
    uint64_t ready_ms = 0;
    while (phase_of(0) == CORE_PHASE_LOADING && ready_ms == 0) {
        play_send_get(&client, 1, 5);
        const Holdfast__V1__ReservationResponse *answer =
            play_receive(&play, &client, FRAME_GET + FRAME_REPLY);
        cr_assert_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
        ready_ms = answer->expires_ms;
    }
    cr_assert_neq(ready_ms, 0);
    cr_expect_geq(ready_ms + 1000, play_core(&play, 0)->now_ms);
    cr_expect_lt(ready_ms, play_core(&play, 0)->now_ms + 600 * 1000);
}

static void expect_loading(uint8_t type, const ProtobufCMessage *request)
{
    play_send(&client, type, 9, request);
    /* `result` is the first field of each of these */
    const Holdfast__V1__ItemResponse *answer = play_receive(&play, &client, type + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_LOADING, "type %u", type);
}

Test(loading, all_other_requests_are_told_so)
{
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    Holdfast__V1__ItemCreateRequest create = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    Holdfast__V1__ItemUpdateRequest update = HOLDFAST__V1__ITEM_UPDATE_REQUEST__INIT;
    Holdfast__V1__ItemGetRequest get = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
    Holdfast__V1__ItemListRequest list = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
    Holdfast__V1__SnapshotRequest snapshot = HOLDFAST__V1__SNAPSHOT_REQUEST__INIT;
    Holdfast__V1__SnapshotReadRequest read = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
    begin_loading();
    settings.item_id = 5000;
    create.settings = update.settings = &settings;
    get.item_id = 1;
    expect_loading(FRAME_ITEM_CREATE, &create.base);
    expect_loading(FRAME_ITEM_UPDATE, &update.base);
    expect_loading(FRAME_ITEM_GET, &get.base);
    expect_loading(FRAME_ITEM_LIST, &list.base);
    expect_loading(FRAME_SNAPSHOT, &snapshot.base);
    expect_loading(FRAME_SNAPSHOT_READ, &read.base);
    cr_assert_eq(phase_of(0), CORE_PHASE_LOADING);
    end_loading();
    cr_expect_eq(server_totals(play.server).items, TRADE_ITEMS, "none of it was done");
    cr_expect_eq(trade_hash(&play), server_totals(play.server).state_hash);
}

Test(loading, a_ping_is_answered_as_ever)
{
    begin_loading();
    Holdfast__V1__PingRequest request = HOLDFAST__V1__PING_REQUEST__INIT;
    request.payload = 77;
    play_send(&client, FRAME_PING, 8, &request.base);
    const Holdfast__V1__PingResponse *answer =
        play_receive(&play, &client, FRAME_PING + FRAME_REPLY);
    cr_expect_eq(answer->payload, 77);
    cr_expect_gt(answer->now_ms, 0);
    cr_assert_eq(phase_of(0), CORE_PHASE_LOADING);
}

Test(loading, stat_tells_how_far_it_has_come)
{
    begin_loading();
    uint64_t bytes = 0, done = 0;
    uint32_t steps = 0;
    while (phase_of(0) == CORE_PHASE_LOADING) {
        const Holdfast__V1__StatResponse *stat = ask_stat(0);
        cr_assert_eq(stat->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
        if (phase_of(0) != CORE_PHASE_LOADING)
            break;
        cr_expect_eq(stat->core, 0);
        cr_expect_eq(stat->core_count, CORES);
        cr_expect_gt(stat->now_ms, 0);
        cr_expect(bytes == 0 || stat->load_bytes == bytes);
        cr_expect_geq(stat->load_bytes_done, done);
        cr_expect_leq(stat->load_bytes_done, stat->load_bytes);
        steps += stat->load_bytes_done > done;
        bytes = stat->load_bytes;
        done = stat->load_bytes_done;
        cr_expect_eq(stat->items, 0, "no more is told");
        cr_expect_eq(stat->log_last_lsn, 0);
    }
    cr_expect_gt(bytes, HOLDS * 80 / CORES);
    cr_expect_gt(steps, 2);
}

Test(loading, stat_is_answered_by_the_core_that_was_asked_whichever_it_names)
{
    begin_loading();
    cr_expect_eq(ask_stat(2)->core, 0);
    cr_expect_eq(ask_stat(1)->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
}

Test(loading, a_body_that_is_no_message_is_refused_as_ever)
{
    static const uint8_t garbage[] = {0xff, 0xff, 0xff};
    uint8_t frame[FRAME_HEADER_BYTES + sizeof garbage];
    begin_loading();
    memcpy(frame + FRAME_HEADER_BYTES, garbage, sizeof garbage);
    frame_finish(frame, FRAME_GET, 5, sizeof garbage);
    cr_assert_eq(send(client.fd, frame, sizeof frame, MSG_NOSIGNAL), (ssize_t)sizeof frame);
    const Holdfast__V1__ErrorResponse *error = play_receive(&play, &client, FRAME_ERROR);
    cr_expect_eq(error->code, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY);
}

/* ---- one before the others ---- */

Test(loading, a_core_that_is_done_waits_for_the_others_and_says_so)
{
    begin_loading();
    for (int turn = 0; phase_of(0) != CORE_PHASE_LOADED; turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn(&play, 0);
    }
    cr_assert_eq(phase_of(1), CORE_PHASE_LOADING);
    const Holdfast__V1__ReservationResponse *answer = NULL;
    play_send_get(&client, play_item_of(&play, 0), 5);
    while (answer == NULL) {
        play_turn(&play, 0);
        answer = (const void *)play_poll(&client);
    }
    cr_expect_eq(client.type, FRAME_GET + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
    cr_expect_eq(answer->expires_ms, 0, "when the others are done it can't tell");
    cr_expect_eq(phase_of(0), CORE_PHASE_LOADED);
    const Holdfast__V1__StatResponse *stat = ask_stat(0);
    cr_expect_eq(stat->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
    cr_expect_eq(stat->load_bytes, 0, "its own part is done");
}

Test(loading, those_who_have_waited_are_served_on_the_same_connection)
{
    begin_loading();
    const struct trade_rows look = {.type = FRAME_GET_BATCH, .first = 100, .step = 1, .count = 8};
    trade_send(&client, &look);
    trade_receive(&play, &client, FRAME_GET_BATCH, HOLDFAST__V1__RESULT__RESULT_LOADING);
    end_loading();
    trade_ask(&play, &client, &look); /* of all cores' items */
    cr_expect_eq(server_totals(play.server).reservations, HOLDS);
    trade(&play, &client, HOLDS, 100);
    const Holdfast__V1__StatResponse *stat = ask_stat(1);
    cr_expect_eq(stat->result, HOLDFAST__V1__RESULT__RESULT_OK);
    cr_expect_eq(stat->core, 1);
    cr_expect_eq(stat->load_bytes, 0);
}

/* Between the steps nothing is served yet. */
Test(loading, it_is_told_until_the_core_serves)
{
    begin_loading();
    turn_until(CORE_PHASE_LOADED);
    cr_expect_eq(ask_stat(0)->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
    play_begin_era(&play);
    server_open_logs(play.server);
    turn_until(CORE_PHASE_OPENED);
    cr_expect_eq(ask_stat(0)->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
    server_serve(play.server);
    turn_until(CORE_PHASE_SERVING);
    cr_expect_eq(ask_stat(0)->result, HOLDFAST__V1__RESULT__RESULT_OK);
}

Test(loading, a_client_may_choose_its_core_meanwhile)
{
    static struct play_client other;
    begin_loading();
    play_connect(&play, &other, 2);
    play_send_get(&other, 1, 5);
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(&play, &other, FRAME_GET + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_LOADING);
    end_loading();
    play_disconnect(&other);
}

/* ---- snapshots ---- */

Test(loading, bytes_of_snapshots_count_too)
{
    make_directory();
    play_start_again(&play, &options);
    const uint64_t hash = trade_hash(&play);
    play_stop(&play);
    play_open(&play, &options);
    play_connect(&play, &client, 0);
    const struct load_progress progress = load_progress(play_core(&play, 0));
    if (phase_of(0) == CORE_PHASE_LOADING && progress.bytes > 0) {
        cr_expect_gt(progress.bytes, HOLDS * 88 / CORES / 2);
        cr_expect_leq(progress.bytes_done, progress.bytes);
    }
    end_loading();
    cr_expect_eq(trade_hash(&play), hash);
    cr_expect_eq(server_totals(play.server).records_replayed, 0);
}
