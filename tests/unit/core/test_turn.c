/* Turns of whole cores, one after the other in one thread. */
#include "core_play.h"

#include <stdlib.h>

static struct play play;
static struct play_client client;

static void tear_down(void)
{
    play_disconnect(&client);
    play_end(&play);
}

static void start(uint32_t core_count, uint32_t client_core)
{
    struct server_options options = play_options(core_count);
    play_start(&play, &options);
    play_connect(&play, &client, client_core);
}

TestSuite(turn, .fini = tear_down, .timeout = 60);

static uint32_t get_result(uint64_t item_id)
{
    play_send_get(&client, item_id, 5);
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(&play, &client, FRAME_GET + FRAME_REPLY);
    return answer->result;
}

/* ---- rows and cores ---- */

Test(turn, a_row_for_another_core_goes_there_and_is_answered)
{
    start(3, 1);
    uint64_t item_id = play_item_of(&play, 2);
    cr_expect_eq(get_result(item_id), HOLDFAST__V1__RESULT__RESULT_UNKNOWN_ITEM);
    play_create(&play, &client, item_id, 1);
    cr_expect_eq(get_result(item_id), HOLDFAST__V1__RESULT__RESULT_UNKNOWN_RESERVATION);
    play_send_reserve(&client, item_id, 9);
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_OK);
    cr_expect_eq(play_core(&play, 1)->counts.rows_forwarded, 2);
}

Test(turn, no_answer_leaves_in_the_turn_that_appends_its_record)
{
    start(1, 0);
    play_create(&play, &client, 1, 1);
    struct core *core = play_core(&play, 0);
    uint64_t last_lsn = wal_last_lsn(core->wal);
    play_send_reserve(&client, 1, 9);
    while (wal_last_lsn(core->wal) == last_lsn)
        play_turn(&play, 0);
    cr_expect_lt(wal_durable_lsn(core->wal), wal_last_lsn(core->wal));
    cr_expect_null(play_poll(&client));
    cr_expect_not_null(core->waiting.head);
    play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    cr_expect_eq(wal_durable_lsn(core->wal), last_lsn + 1);
}

/* Creates an item and asks for the first of all items, in one piece, so that one turn takes both.
 */
static void send_create_and_list(uint64_t item_id)
{
    uint8_t bytes[1024];
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    Holdfast__V1__ItemCreateRequest create = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    Holdfast__V1__ItemListRequest list = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
    settings.item_id = item_id;
    create.settings = &settings;
    list.count_max = 1;
    size_t used = message_encode_frame(&create.base, FRAME_ITEM_CREATE, 2, bytes, sizeof bytes);
    used += message_encode_frame(&list.base, FRAME_ITEM_LIST, 3, bytes + used, sizeof bytes - used);
    cr_assert_eq(send(client.fd, bytes, used, MSG_NOSIGNAL), (ssize_t)used);
}

Test(turn, a_list_that_says_there_is_more_waits_for_the_record_of_what_there_is)
{
    start(1, 0);
    play_create(&play, &client, 1, 1);
    send_create_and_list(2);
    play_receive(&play, &client, FRAME_ITEM_CREATE + FRAME_REPLY); /* not the list */
    const Holdfast__V1__ItemListResponse *list =
        play_receive(&play, &client, FRAME_ITEM_LIST + FRAME_REPLY);
    cr_expect_eq(list->n_items, 1);
    cr_expect(list->has_more);
}

/* ---- single rows that are run together ---- */

/* Frames that are sent in one piece, so that one turn takes all. */
struct piece {
    size_t bytes;
    uint8_t data[8192];
};

static void add_frame(struct piece *piece, uint8_t type, uint64_t request_id,
                      const ProtobufCMessage *message)
{
    uint8_t *to = piece->data + piece->bytes;
    size_t bytes =
        message_encode_frame(message, type, request_id, to, sizeof piece->data - piece->bytes);
    cr_assert_gt(bytes, 0u);
    piece->bytes += bytes;
}

static void add_reserve(struct piece *piece, uint64_t item_id, uint64_t id)
{
    Holdfast__V1__ReserveRequest request = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    request.item_id = item_id;
    request.reservation_id_low = id;
    request.quantity = 1;
    add_frame(piece, FRAME_RESERVE, id, &request.base);
}

static void add_get(struct piece *piece, uint64_t item_id, uint64_t id)
{
    Holdfast__V1__GetRequest request = HOLDFAST__V1__GET_REQUEST__INIT;
    request.item_id = item_id;
    request.reservation_id_low = id;
    add_frame(piece, FRAME_GET, id, &request.base);
}

static void send_piece(const struct piece *piece)
{
    cr_assert_eq(send(client.fd, piece->data, piece->bytes, MSG_NOSIGNAL), (ssize_t)piece->bytes);
}

Test(turn, a_batch_behind_single_rows_comes_after_them)
{
    uint64_t item_ids[2] = {1, 1}, ids[2] = {8, 9};
    uint32_t quantities[2] = {1, 1};
    Holdfast__V1__ReserveBatchRequest batch = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    struct piece piece = {.bytes = 0};
    start(1, 0);
    play_create(&play, &client, 1, 2);
    batch.row_count = 2;
    batch.n_item_id = batch.n_reservation_id_low = 2;
    batch.item_id = item_ids;
    batch.reservation_id_low = ids;
    batch.n_quantity = 2;
    batch.quantity = quantities;
    add_reserve(&piece, 1, 7);
    add_frame(&piece, FRAME_RESERVE_BATCH, 8, &batch.base);
    add_reserve(&piece, 1, 10);
    send_piece(&piece);
    const Holdfast__V1__ReservationResponse *single =
        play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    cr_expect_eq(single->result, HOLDFAST__V1__RESULT__RESULT_OK);
    cr_expect_eq(single->sequence, 1u);
    const Holdfast__V1__ReservationBatchResponse *answer =
        play_receive(&play, &client, FRAME_RESERVE_BATCH + FRAME_REPLY);
    cr_expect_eq(answer->result[0], HOLDFAST__V1__RESULT__RESULT_OK);
    cr_expect_eq(answer->result[1], HOLDFAST__V1__RESULT__RESULT_SOLD_OUT);
    single = play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    cr_expect_eq(single->result, HOLDFAST__V1__RESULT__RESULT_SOLD_OUT);
}

Test(turn, a_list_behind_single_rows_shows_what_they_did)
{
    Holdfast__V1__ItemListRequest list = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
    struct piece piece = {.bytes = 0};
    start(1, 0);
    play_create(&play, &client, 1, 5);
    list.count_max = 1;
    for (uint64_t id = 1; id <= 3; id++)
        add_reserve(&piece, 1, id);
    add_frame(&piece, FRAME_ITEM_LIST, 9, &list.base);
    send_piece(&piece);
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        const Holdfast__V1__ReservationResponse *answer =
            play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
        cr_expect_eq(answer->sequence, sequence);
    }
    const Holdfast__V1__ItemListResponse *listed =
        play_receive(&play, &client, FRAME_ITEM_LIST + FRAME_REPLY);
    cr_expect_eq(listed->items[0]->available, 2);
    cr_expect_eq(listed->items[0]->held, 3u);
}

/* Each row is decided behind what the rows before it have done, not
 * behind the state in which they were gathered. */
Test(turn, single_rows_with_one_id_in_one_piece_make_one_hold)
{
    struct piece piece = {.bytes = 0};
    start(1, 0);
    play_create(&play, &client, 1, 5);
    add_reserve(&piece, 1, 7);
    add_reserve(&piece, 1, 7);
    send_piece(&piece);
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_OK);
    answer = play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_DUPLICATE);
    cr_expect_eq(stock_counts(play_core(&play, 0)->stock).held, 1u);
}

/* Makes turns of core 0 until one takes frames; returns how many it took. */
static uint64_t turn_that_takes_frames(void)
{
    const struct core *core = play_core(&play, 0);
    uint64_t frames_before = core->counts.frames;
    for (int turn = 0; core->counts.frames == frames_before; turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn(&play, 0);
    }
    return core->counts.frames - frames_before;
}

Test(turn, one_single_row_more_than_run_together_comes_behind_them)
{
    struct piece piece = {.bytes = 0};
    start(1, 0);
    play_create(&play, &client, 1, GATHERED_MAX);
    for (uint64_t id = 1; id <= GATHERED_MAX + 1; id++)
        add_reserve(&piece, 1, id);
    send_piece(&piece);
    cr_expect_eq(turn_that_takes_frames(), GATHERED_MAX + 1, "the premise of this test");
    for (uint64_t id = 1; id <= GATHERED_MAX + 1; id++) {
        const Holdfast__V1__ReservationResponse *answer =
            play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
        cr_expect_eq(client.request_id, id);
        cr_expect_eq(answer->sequence, id <= GATHERED_MAX ? id : 0);
        cr_expect_eq(answer->result, id <= GATHERED_MAX ? HOLDFAST__V1__RESULT__RESULT_OK
                                                        : HOLDFAST__V1__RESULT__RESULT_SOLD_OUT);
    }
}

/* The rows that were gathered need the room that is left: so the next ones wait for the next group.
 */
Test(turn, single_rows_that_are_more_than_a_group_holds_are_all_recorded)
{
    enum { ROWS = 40 };
    struct server_options options = play_options(1);
    struct piece piece = {.bytes = 0};
    options.batch_rows_max = 1;
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    play_create(&play, &client, 1, ROWS);
    for (uint64_t id = 1; id <= ROWS; id++)
        add_reserve(&piece, 1, id);
    send_piece(&piece);
    uint64_t taken = turn_that_takes_frames();
    cr_expect(taken > 1 && taken < ROWS, "the premise of this test: %d", (int)taken);
    cr_expect_eq(stock_counts(play_core(&play, 0)->stock).held, taken);
    for (uint64_t id = 1; id <= ROWS; id++) {
        const Holdfast__V1__ReservationResponse *answer =
            play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
        cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_OK);
        cr_expect_eq(answer->sequence, id);
    }
}

/* Rows of one item are run in order of arrival, wherever that is. */
Test(turn, single_rows_of_both_cores_in_one_piece_are_run_each_where_its_item_is)
{
    enum { ROWS = 10 };
    struct piece piece = {.bytes = 0};
    bool is_answered[ROWS] = {false};
    start(2, 0);
    uint64_t item_ids[2] = {play_item_of(&play, 0), play_item_of(&play, 1)};
    play_create(&play, &client, item_ids[0], ROWS);
    play_create(&play, &client, item_ids[1], ROWS);
    uint64_t forwarded_before = play_core(&play, 0)->counts.rows_forwarded;
    for (uint64_t i = 0; i < ROWS; i++)
        add_reserve(&piece, item_ids[i % 2], 1 + i);
    send_piece(&piece);
    for (int answers = 0; answers < ROWS; answers++) {
        const Holdfast__V1__ReservationResponse *answer =
            play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
        uint64_t i = client.request_id - 1;
        cr_assert(i < ROWS && !is_answered[i]);
        is_answered[i] = true;
        cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_OK);
        cr_expect_eq(answer->sequence, 1 + i / 2);
    }
    cr_expect_eq(play_core(&play, 0)->counts.rows_forwarded, forwarded_before + ROWS / 2);
    for (uint32_t core = 0; core < 2; core++)
        cr_expect_eq(stock_counts(play_core(&play, core)->stock).held, ROWS / 2);
}

/* ---- want of room ---- */

/* Makes turns of a core until a frame has come that it has not taken. */
static void turn_until_frame_waits(uint32_t core)
{
    for (int turn = 0; !net_has_frames(play_core(&play, core)->net); turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn(&play, core);
    }
}

/* All jobs of a core, waiting for a record that never becomes durable, for connections that are
 * gone. */
static void take_all_jobs(struct core *core)
{
    struct job *job;
    while ((job = job_acquire_rows(&core->jobs, 1)) != NULL) {
        job->kind = JOB_ROWS;
        job->origin_core = (uint16_t)core->index;
        job->frame_type = FRAME_GET;
        job->parts_left = 1;
        job->wait_lsn = UINT64_MAX;
        job_list_push(&core->waiting, job);
    }
}

/* One core with an item, whose jobs are all taken. */
static struct core *start_without_jobs(void)
{
    start(1, 0);
    play_create(&play, &client, 1, 1);
    struct core *core = play_core(&play, 0);
    while (!wal_is_idle(core->wal))
        play_turn(&play, 0);
    take_all_jobs(core);
    return core;
}

/* A frame finds no job, and later in the same turn all jobs end. Nothing that comes from outside
 * would wake the core for it, so that turn must not wait. */
Test(turn, a_frame_that_found_no_job_is_taken_when_jobs_have_ended)
{
    struct core *core = start_without_jobs();
    play_send_get(&client, 1, 5);
    turn_until_frame_waits(0);
    for (int turn = 0; turn < 10; turn++)
        play_turn(&play, 0);
    cr_assert(net_has_frames(core->net), "the frame was taken without a job");

    for (struct job *job = core->waiting.head; job != NULL; job = job->next)
        job->wait_lsn = 0;
    core_turn(core);
    core_turn(core);
    cr_expect_not(net_has_frames(core->net));
    play_receive(&play, &client, FRAME_GET + FRAME_REPLY);
}

/* The jobs that it lacks are those of rows that are gathered, and end with the same turn. */
Test(turn, a_frame_that_found_no_job_behind_gathered_rows_is_taken_when_they_have_run)
{
    struct piece piece = {.bytes = 0};
    struct core *core = start_without_jobs();
    for (int i = 0; i < 2; i++)
        job_release(&core->jobs, job_list_pop(&core->waiting));
    for (uint64_t id = 1; id <= 3; id++)
        add_get(&piece, 1, id);
    send_piece(&piece);
    cr_expect_eq(turn_that_takes_frames(), 2);
    cr_expect(net_has_frames(core->net), "the premise of this test");
    core_turn(core);
    cr_expect_not(net_has_frames(core->net));
    for (uint64_t id = 1; id <= 3; id++) {
        play_receive(&play, &client, FRAME_GET + FRAME_REPLY);
        cr_expect_eq(client.request_id, id);
    }
    for (struct job *job = core->waiting.head; job != NULL; job = job->next)
        job->wait_lsn = 0;
}

/* Its own job is there and that of one core, but none for the other. */
Test(turn, a_frame_that_found_too_few_jobs_for_its_parts_keeps_none)
{
    start(3, 0);
    uint64_t item_ids[] = {play_item_of(&play, 1), play_item_of(&play, 2)};
    uint64_t id = 77;
    play_create(&play, &client, item_ids[0], 1);
    play_create(&play, &client, item_ids[1], 1);
    struct core *core = play_core(&play, 0);
    struct job *job_of_two_rows = job_acquire_rows(&core->jobs, 2);
    take_all_jobs(core);
    job_release(&core->jobs, job_of_two_rows);
    job_release(&core->jobs, job_list_pop(&core->waiting));
    uint32_t job_count_before = job_count(&core->jobs);

    Holdfast__V1__GetBatchRequest request = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
    request.row_count = 2;
    request.n_item_id = 2;
    request.item_id = item_ids;
    request.n_reservation_id_low = 1;
    request.reservation_id_low = &id;
    play_send(&client, FRAME_GET_BATCH, 6, &request.base);
    turn_until_frame_waits(0);
    for (int turn = 0; turn < 10; turn++)
        play_turn(&play, 0);
    cr_assert(net_has_frames(core->net), "the frame was taken with too few jobs");
    cr_expect_eq(job_count(&core->jobs), job_count_before);

    for (struct job *job = core->waiting.head; job != NULL; job = job->next)
        job->wait_lsn = 0;
    const Holdfast__V1__ReservationBatchResponse *answer =
        play_receive(&play, &client, FRAME_GET_BATCH + FRAME_REPLY);
    cr_expect_eq(answer->row_count, 2);
    cr_expect_eq(answer->n_result, 1);
    cr_expect_eq(answer->result[0], HOLDFAST__V1__RESULT__RESULT_UNKNOWN_RESERVATION);
}

/* ---- a turn's work is bounded ---- */

static void send_get_batch(uint64_t item_id, uint32_t row_count)
{
    uint64_t id = 3;
    Holdfast__V1__GetBatchRequest request = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
    request.row_count = row_count;
    request.n_item_id = 1;
    request.item_id = &item_id;
    request.n_reservation_id_low = 1;
    request.reservation_id_low = &id;
    play_send(&client, FRAME_GET_BATCH, 6, &request.base);
}

Test(turn, rows_from_other_cores_are_worked_off_in_slices)
{
    enum { FRAMES = 12, ROWS = 1024, ROWS_PER_TURN_MAX = 4096 };
    start(2, 0);
    uint64_t item_id = play_item_of(&play, 1);
    play_create(&play, &client, item_id, 1);
    struct core *there = play_core(&play, 1);
    uint64_t frames_before = play_core(&play, 0)->counts.frames;
    for (int i = 0; i < FRAMES; i++)
        send_get_batch(item_id, ROWS);
    for (int turn = 0; play_core(&play, 0)->counts.frames < frames_before + FRAMES; turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn(&play, 0);
    }
    cr_assert_eq(there->counts.rows, 0);
    play_turn(&play, 1);
    cr_expect_leq(there->counts.rows, ROWS_PER_TURN_MAX);
    for (int i = 0; i < FRAMES; i++)
        play_receive(&play, &client, FRAME_GET_BATCH + FRAME_REPLY);
    cr_expect_eq(there->counts.rows, FRAMES * ROWS);
}

/* Holds of a millisecond, each with another id. */
static void send_reserve_many(uint64_t item_id, uint64_t first_id, uint32_t row_count)
{
    static uint64_t ids[FRAME_ROW_COUNT_MAX];
    uint32_t one = 1;
    uint64_t hold_ms = 1;
    Holdfast__V1__ReserveBatchRequest request = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    for (uint32_t i = 0; i < row_count; i++)
        ids[i] = first_id + i;
    request.row_count = row_count;
    request.n_item_id = 1;
    request.item_id = &item_id;
    request.n_reservation_id_low = row_count;
    request.reservation_id_low = ids;
    request.n_quantity = 1;
    request.quantity = &one;
    request.n_hold_ms = 1;
    request.hold_ms = &hold_ms;
    play_send(&client, FRAME_RESERVE_BATCH, 8, &request.base);
}

Test(turn, holds_go_as_fast_as_they_come)
{
    enum { ROUNDS = 14, ROWS = 4096, ROUND_US = 3000 };
    struct server_options options = play_options(1);
    options.retention_ms = 1;
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    play_create(&play, &client, 1, ROUNDS * ROWS);
    struct core *core = play_core(&play, 0);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        send_reserve_many(1, 1 + round * ROWS, ROWS);
        for (int turn = 0; core->counts.rows <= round * ROWS; turn++) {
            cr_assert_lt(turn, PLAY_TURNS_MAX);
            play_turn(&play, 0);
        }
        while (play_poll(&client) != NULL)
            continue;
        usleep(ROUND_US); /* now all of them are due */
    }
    cr_expect_leq(stock_counts(core->stock).reservations, 4 * ROWS);
}

Test(turn, hashing_the_state_ends_the_turn)
{
    enum { FRAMES = 8, HOLDS = 5000, AT_ONCE = 100 };
    start(1, 0);
    play_create(&play, &client, 1, HOLDS);
    struct core *core = play_core(&play, 0);
    for (uint64_t i = 1; i <= HOLDS; i++) {
        play_send_reserve(&client, 1, i);
        for (int answer = 0; i % AT_ONCE == 0 && answer < AT_ONCE; answer++)
            play_receive(&play, &client, FRAME_RESERVE + FRAME_REPLY);
    }
    uint64_t frames_before = core->counts.frames;
    for (int i = 0; i < FRAMES; i++) {
        Holdfast__V1__StatRequest request = HOLDFAST__V1__STAT_REQUEST__INIT;
        request.state_hash = true;
        play_send(&client, FRAME_STAT, 7, &request.base);
    }
    while (core->counts.frames < frames_before + FRAMES) {
        uint64_t frames = core->counts.frames;
        play_turn(&play, 0);
        cr_assert_leq(core->counts.frames, frames + 1);
    }
    for (int i = 0; i < FRAMES; i++)
        play_receive(&play, &client, FRAME_STAT + FRAME_REPLY);
}

/* ---- limits ---- */

static void send_reserve_rows(uint64_t item_id, uint32_t row_count)
{
    uint64_t ids[] = {11, 12, 13};
    uint32_t one = 1;
    Holdfast__V1__ReserveBatchRequest request = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    cr_assert_leq(row_count, sizeof ids / sizeof *ids);
    request.row_count = row_count;
    request.n_item_id = 1;
    request.item_id = &item_id;
    request.n_reservation_id_low = row_count;
    request.reservation_id_low = ids;
    request.n_quantity = 1;
    request.quantity = &one;
    play_send(&client, FRAME_RESERVE_BATCH, 6, &request.base);
}

Test(turn, a_batch_over_the_servers_own_limit_is_refused_whole_and_one_at_it_is_served)
{
    struct server_options options = play_options(1);
    options.batch_rows_max = 2;
    options.segment_bytes = 64 << 10; /* the largest group is smaller too */
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    play_create(&play, &client, 1, 5);

    send_reserve_rows(1, 3);
    const Holdfast__V1__ErrorResponse *error = play_receive(&play, &client, FRAME_ERROR);
    cr_expect_eq(error->code, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_TOO_MANY_ROWS);
    cr_expect_eq(stock_counts(play_core(&play, 0)->stock).reservations, 0);

    send_reserve_rows(1, 2);
    const Holdfast__V1__ReservationBatchResponse *answer =
        play_receive(&play, &client, FRAME_RESERVE_BATCH + FRAME_REPLY);
    cr_expect_eq(answer->row_count, 2);
    cr_expect_eq(stock_counts(play_core(&play, 0)->stock).held, 2);
}

/* ---- the filter ---- */

/* More jobs than a core takes in a turn stand before the word of a new item, and a row for the item
 * comes in that turn: somebody may have been told of the item by then. */
Test(turn, a_row_for_an_item_whose_word_is_still_on_its_way_is_not_refused)
{
    enum { JOBS = 1100 };
    static struct play_client seller;
    start(2, 1);
    play_connect(&play, &seller, 0);
    struct core *owner = play_core(&play, 0);
    uint64_t item_id = play_item_of(&play, 0);
    play_send_get(&client, item_id, 5);
    turn_until_frame_waits(1);

    struct job *parent = job_acquire_data(&owner->jobs, 0);
    parent->parts_left = JOBS + 1;
    for (int i = 0; i < JOBS; i++) {
        struct job *job = job_acquire_data(&owner->jobs, 0);
        job->kind = JOB_FILTER_ADD;
        job->parent = parent;
        exchange_send(&owner->port, 1, job);
    }
    play_send_create(&seller, item_id, 1);
    for (int turn = 0; stock_counts(owner->stock).items == 0; turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn(&play, 0);
    }
    play_turn(&play, 1);
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(&play, &client, FRAME_GET + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_UNKNOWN_RESERVATION);

    play_receive(&play, &seller, FRAME_ITEM_CREATE + FRAME_REPLY);
    cr_assert_eq(parent->parts_left, 1);
    job_release(&owner->jobs, parent);
    play_disconnect(&seller);
}
