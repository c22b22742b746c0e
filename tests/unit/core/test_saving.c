/* Snapshots of whole cores while they serve: when one is taken, what is in it, and what it is for
 * those who ask meanwhile. */
#include "core_trade.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct play play;
static struct play_client client;
static struct server_options options;

static void set_up(void)
{
    options = play_options(1);
}

static void tear_down(void)
{
    play_disconnect(&client);
    play_end(&play);
}

TestSuite(saving, .init = set_up, .fini = tear_down, .timeout = 120);

static void start(void)
{
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    trade_make_items(&play, &client);
}

/* The directory is opened again, by a new server. */
static void start_again(void)
{
    play_start_again(&play, &options);
    play_connect(&play, &client, 0);
}

static void stop(void)
{
    play_disconnect(&client);
    play_stop(&play);
}

static struct saving *saving_of(uint32_t core)
{
    return &play_core(&play, core)->saving;
}

static uint64_t last_lsn(uint32_t core)
{
    return wal_last_lsn(play_core(&play, core)->wal);
}

/* Turns until nothing is under way. */
static void turn_until_idle(uint32_t core)
{
    for (int turn = 0; snapshot_state(saving_of(core)->writer) != SNAPSHOT_NONE ||
                       !wal_is_idle(play_core(&play, core)->wal);
         turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn(&play, core);
    }
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- when ---- */

Test(saving, by_request_is_answered_when_it_is_there)
{
    start();
    trade(&play, &client, 0, 500);
    const Holdfast__V1__SnapshotResponse answer = trade_snapshot(&play, &client, 0);
    struct stat status;
    cr_assert_eq(stat(trade_snapshot_path(&play, 0, answer.lsn), &status), 0);
    cr_expect_eq(answer.lsn, last_lsn(0));
    cr_expect_eq(answer.bytes, (uint64_t)status.st_size);
    cr_expect_eq(answer.items, TRADE_ITEMS);
    cr_expect_eq(answer.reservations, 500);
    cr_expect_eq(answer.state_hash, trade_hash(&play));
    const Holdfast__V1__StatResponse stat = trade_stat(&play, &client, 0);
    cr_expect_eq(stat.snapshot_lsn, answer.lsn);
    cr_expect_eq(stat.snapshots, 1);
    cr_expect_eq(stat.log_bytes_behind, 0);
    cr_expect_leq(stat.snapshot_taken_ms, stat.now_ms);
}

Test(saving, by_request_when_nothing_has_changed_is_the_newest_one)
{
    start();
    const uint64_t lsn = trade_snapshot(&play, &client, 0).lsn;
    for (int i = 0; i < 3; i++)
        cr_expect_eq(trade_snapshot(&play, &client, 0).lsn, lsn);
    cr_expect_eq(saving_of(0)->count, 1);
}

Test(saving, by_request_of_another_core_is_that_cores)
{
    options.core_count = 3;
    start();
    trade(&play, &client, 0, 300);
    for (uint32_t core = 0; core < 3; core++) {
        const Holdfast__V1__SnapshotResponse answer = trade_snapshot(&play, &client, core);
        cr_expect_eq(answer.lsn, last_lsn(core));
        cr_expect_eq(saving_of(core)->count, 1);
        cr_expect(exists(trade_snapshot_path(&play, core, answer.lsn)));
    }
}

Test(saving, without_a_log_there_is_none)
{
    options.durability = WAL_OFF;
    start();
    trade_send_snapshot(&client, 0);
    const Holdfast__V1__SnapshotResponse *answer =
        play_receive(&play, &client, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_READ_ONLY);
}

Test(saving, by_size_is_taken_when_the_log_has_grown_by_so_much)
{
    enum { AFTER = 64 << 10, LOG_BYTES = 1 << 20 };
    options.snapshot_log_bytes = AFTER;
    start();
    turn_until_idle(0);
    const uint64_t before = wal_counts(play_core(&play, 0)->wal).bytes;
    const uint64_t count_before = saving_of(0)->count;
    uint32_t made = 0;
    for (; wal_counts(play_core(&play, 0)->wal).bytes < before + LOG_BYTES; made += 100)
        trade(&play, &client, made, 100);
    turn_until_idle(0);
    const uint64_t log_bytes = wal_counts(play_core(&play, 0)->wal).bytes - before;
    const uint64_t count = saving_of(0)->count - count_before;
    cr_expect_gt(count, log_bytes / AFTER / 4);
    cr_expect_leq(count, log_bytes / AFTER + 1);
    cr_expect_lt(trade_stat(&play, &client, 0).log_bytes_behind, 2 * AFTER);
}

/* How much there is behind the newest one is known over a restart. */
Test(saving, by_size_counts_what_was_written_before_a_restart)
{
    enum { AFTER = 200 << 10 };
    start();
    trade_snapshot(&play, &client, 0);
    options.snapshot_log_bytes = AFTER;
    trade(&play, &client, 0, 1200);
    const uint64_t behind = trade_stat(&play, &client, 0).log_bytes_behind;
    cr_assert_gt(behind, AFTER / 2);
    cr_assert_lt(behind, AFTER);
    play_disconnect(&client);
    play_kill(&play);
    start_again();
    cr_expect_eq(trade_stat(&play, &client, 0).log_bytes_behind, behind);
    cr_assert_eq(saving_of(0)->count, 0);
    trade(&play, &client, 1200, 1200);
    turn_until_idle(0);
    cr_expect_eq(saving_of(0)->count, 1);
}

/* It is in the snapshot, though it comes to the disk when that has been begun; so it is not in the
 * log behind it. */
Test(saving, by_size_does_not_count_the_group_that_was_on_its_way)
{
    uint8_t bytes[1024];
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    Holdfast__V1__ItemCreateRequest create = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    Holdfast__V1__SnapshotRequest snapshot = HOLDFAST__V1__SNAPSHOT_REQUEST__INIT;
    settings.item_id = 1000;
    create.settings = &settings;
    options.snapshot_log_bytes = 2 * LOG_BLOCK_BYTES;
    start();
    const uint64_t older = trade_snapshot(&play, &client, 0).lsn;
    const uint64_t count = saving_of(0)->count;
    size_t used = message_encode_frame(&create.base, FRAME_ITEM_CREATE, 2, bytes, sizeof bytes);
    used +=
        message_encode_frame(&snapshot.base, FRAME_SNAPSHOT, 3, bytes + used, sizeof bytes - used);
    cr_assert_eq(send(client.fd, bytes, used, MSG_NOSIGNAL), (ssize_t)used);
    play_receive(&play, &client, FRAME_ITEM_CREATE + FRAME_REPLY);
    play_receive(&play, &client, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_eq(trade_stat(&play, &client, 0).log_bytes_behind, 0);

    play_create(&play, &client, 1001, 5);
    for (int turn = 0; turn < 100; turn++)
        play_turn(&play, 0);
    turn_until_idle(0);
    cr_expect_eq(saving_of(0)->count, count + 1);
    cr_expect_eq(saving_of(0)->newest.lsn, older + 1);
    cr_expect(exists(trade_snapshot_path(&play, 0, older)));
    cr_expect_eq(trade_stat(&play, &client, 0).log_bytes_behind, LOG_BLOCK_BYTES);

    play_create(&play, &client, 1002, 5);
    for (int turn = 0; turn < 100; turn++)
        play_turn(&play, 0);
    turn_until_idle(0);
    cr_expect_eq(saving_of(0)->count, count + 2);
    cr_expect_eq(saving_of(0)->newest.lsn, older + 3);
}

static void wait_ms(uint64_t ms)
{
    uint64_t until_ns = io_clock(play.io).monotonic_ns + ms * 1000000;
    while (io_clock(play.io).monotonic_ns < until_ns)
        play_turn_all(&play);
}

Test(saving, by_age_is_taken_once_for_what_has_changed)
{
    enum { EVERY_MS = 50 };
    options.snapshot_every_ms = EVERY_MS;
    start();
    wait_ms(3 * EVERY_MS);
    turn_until_idle(0);
    const uint64_t count = saving_of(0)->count;
    cr_expect_geq(count, 1);
    cr_expect_eq(saving_of(0)->newest.lsn, TRADE_ITEMS);
    wait_ms(3 * EVERY_MS);
    cr_expect_eq(saving_of(0)->count, count, "nothing has changed since");
    play_create(&play, &client, 1000, 5);
    wait_ms(2 * EVERY_MS);
    turn_until_idle(0);
    cr_expect_eq(saving_of(0)->count, count + 1);
}

/* A core without anything to do wakes for it. */
Test(saving, by_age_is_a_reason_to_wake)
{
    options.snapshot_every_ms = 60 * 1000;
    start();
    turn_until_idle(0);
    const struct core *core = play_core(&play, 0);
    cr_expect_eq(saving_wake_at_ms(core), saving_of(0)->begun_ms + 60 * 1000);
    trade_snapshot(&play, &client, 0);
    cr_expect_eq(saving_wake_at_ms(core), UINT64_MAX, "nothing has changed since");
}

Test(saving, at_a_stop_is_taken_of_everything)
{
    start();
    trade(&play, &client, 0, 100);
    const uint64_t lsn = last_lsn(0), hash = trade_hash(&play);
    stop();
    start_again();
    cr_expect(exists(trade_snapshot_path(&play, 0, lsn)));
    cr_expect_eq(server_totals(play.server).state_hash, hash);
    cr_expect_eq(server_totals(play.server).records_replayed, 0);
    stop();
    start_again();
    cr_expect(exists(trade_snapshot_path(&play, 0, lsn)));
    cr_expect_eq(saving_of(0)->file_count, 1, "nothing had changed at the second stop");
}

Test(saving, because_of_past_eras_is_taken_at_once)
{
    start();
    trade(&play, &client, 0, 200);
    const uint64_t hash = trade_hash(&play);
    stop();
    options.core_count = 3;
    start_again();
    for (uint32_t core = 0; core < 3; core++) {
        cr_assert(saving_of(core)->has_past);
        play_turn(&play, core);
        turn_until_idle(core);
        cr_expect_eq(saving_of(core)->count, 1);
        cr_expect(exists(trade_snapshot_path(&play, core, 0)), "of LSN 0: nothing is logged yet");
    }
    cr_expect_eq(trade_hash(&play), hash);
}

/* ---- what is in it ---- */

/* Everything that happened after it was begun is not in it, all that was before is. */
Test(saving, has_the_state_of_its_lsn_though_all_of_it_changes_meanwhile)
{
    enum { HOLDS = 30000, ROWS = 200 };
    start();
    for (uint32_t first = 0; first < HOLDS; first += 5000)
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_RESERVE_BATCH, .first = first, .step = 1, .count = 5000});
    turn_until_idle(0);
    const uint64_t lsn = last_lsn(0), hash = trade_hash(&play);
    static struct play_client asker;
    play_connect(&play, &asker, 0);
    trade_send_snapshot(&asker, 0);
    while (!stock_is_saving(play_core(&play, 0)->stock))
        play_turn(&play, 0);
    uint32_t paid = 0;
    while (stock_is_saving(play_core(&play, 0)->stock) && paid + ROWS <= HOLDS / 7) {
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_CONFIRM_BATCH, .first = 7 * paid, .step = 7, .count = ROWS});
        paid += ROWS;
    }
    const Holdfast__V1__SnapshotResponse *answer =
        play_receive(&play, &asker, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_gt(paid, ROWS, "some was asked while it was taken");
    cr_expect_eq(answer->lsn, lsn);
    cr_expect_eq(answer->state_hash, hash);
    cr_expect_eq(answer->reservations, HOLDS);
    cr_expect_neq(trade_hash(&play), hash);
    turn_until_idle(0);
    cr_expect_eq(trade_replayed_hash(&play, 0, lsn), hash, "what the log says of it");
    cr_expect_eq(trade_replayed_hash(&play, 0, last_lsn(0)), trade_hash(&play));
    play_disconnect(&asker);
}

/* And whoever asks while it is taken is told the truth. */
Test(saving, changes_no_answer)
{
    enum { HOLDS = 100000, ROWS = 100 };
    options.reservation_count_max = 1 << 18;
    start();
    for (uint32_t first = 0; first < HOLDS; first += 5000)
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_RESERVE_BATCH, .first = first, .step = 1, .count = 5000});
    static struct play_client asker;
    play_connect(&play, &asker, 0);
    trade_send_snapshot(&asker, 0);
    uint32_t rounds = 0;
    for (; !stock_is_saving(play_core(&play, 0)->stock); play_turn(&play, 0)) {
    }
    for (; snapshot_state(saving_of(0)->writer) != SNAPSHOT_NONE; rounds++) {
        const uint32_t first = HOLDS + rounds * ROWS;
        const struct trade_rows reserve = {
            .type = FRAME_RESERVE_BATCH, .first = first, .step = 1, .count = ROWS};
        trade_ask(&play, &client, &reserve);
        trade_send(&client, &reserve); /* again: the first answer */
        trade_receive(&play, &client, FRAME_RESERVE_BATCH, HOLDFAST__V1__RESULT__RESULT_DUPLICATE);
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_CANCEL_BATCH, .first = first, .step = 2, .count = ROWS / 2});
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_GET_BATCH, .first = first, .step = 1, .count = ROWS});
        trade_send(&client,
                   &(struct trade_rows){
                       .type = FRAME_CONFIRM_BATCH, .first = first, .step = 2, .count = ROWS / 2});
        trade_receive(&play, &client, FRAME_CONFIRM_BATCH, HOLDFAST__V1__RESULT__RESULT_CANCELLED);
    }
    cr_expect_gt(rounds, 2);
    play_receive(&play, &asker, FRAME_SNAPSHOT + FRAME_REPLY);
    stock_assert_valid(play_core(&play, 0)->stock);
    play_disconnect(&asker);
}

/* All that a frame changes has to be written first, if its turn has not come yet; and the largest
 * frames come one after the other. */
static void check_largest_frames(uint32_t batch_rows)
{
    const uint32_t holds = 6 * batch_rows < 3000 ? 3000 : 6 * batch_rows;
    options.batch_rows_max = batch_rows;
    start();
    for (uint32_t first = 0; first < holds; first += batch_rows)
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_RESERVE_BATCH, .first = first, .step = 1, .count = batch_rows});
    static struct play_client asker;
    play_connect(&play, &asker, 0);
    turn_until_idle(0);
    const uint64_t hash = trade_hash(&play);
    trade_send_snapshot(&asker, 0);
    while (!stock_is_saving(play_core(&play, 0)->stock))
        play_turn(&play, 0);
    /* from the end on, where the save comes last */
    uint32_t frames = 0;
    for (uint32_t left = holds; left >= batch_rows && frames < 64; frames++) {
        left -= batch_rows;
        trade_send(&client,
                   &(struct trade_rows){
                       .type = FRAME_CONFIRM_BATCH, .first = left, .step = 1, .count = batch_rows});
    }
    for (uint32_t i = 0; i < frames; i++)
        trade_receive(&play, &client, FRAME_CONFIRM_BATCH, HOLDFAST__V1__RESULT__RESULT_OK);
    const Holdfast__V1__SnapshotResponse *answer =
        play_receive(&play, &asker, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_eq(answer->state_hash, hash);
    cr_expect_eq(answer->reservations, holds);
    play_disconnect(&asker);
}

Test(saving, takes_what_the_largest_frames_change)
{
    check_largest_frames(FRAME_ROW_COUNT_MAX);
}

Test(saving, takes_what_frames_of_some_hundred_rows_change)
{
    check_largest_frames(700);
}

Test(saving, takes_what_single_rows_change)
{
    check_largest_frames(1);
}

/* ---- one at a time ---- */

Test(saving, asked_for_while_one_is_under_way_is_taken_behind_it)
{
    enum { HOLDS = 20000 };
    static struct play_client asker;
    start();
    play_connect(&play, &asker, 0);
    for (uint32_t first = 0; first < HOLDS; first += 5000)
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_RESERVE_BATCH, .first = first, .step = 1, .count = 5000});
    trade_send_snapshot(&asker, 0);
    while (!stock_is_saving(play_core(&play, 0)->stock))
        play_turn(&play, 0);
    play_create(&play, &client, 1000, 1);
    const uint64_t lsn = last_lsn(0);
    trade_send_snapshot(&client, 0);
    const Holdfast__V1__SnapshotResponse *answer =
        play_receive(&play, &asker, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_lt(answer->lsn, lsn);
    answer = play_receive(&play, &client, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_eq(answer->lsn, lsn);
    cr_expect_eq(answer->items, TRADE_ITEMS + 1);
    cr_expect_eq(saving_of(0)->count, 2);
    play_disconnect(&asker);
}

/* Each one that asks keeps a job, and rows need jobs too. */
Test(saving, asked_for_by_many_is_refused_to_some_and_rows_are_served)
{
    enum { ASKS = 80 };
    static struct play_client asker;
    start();
    play_connect(&play, &asker, 0);
    trade_ask(&play, &client,
              &(struct trade_rows){.type = FRAME_RESERVE_BATCH, .step = 1, .count = 5000});
    for (uint32_t i = 0; i < ASKS; i++)
        trade_send_snapshot(&asker, 0);
    trade(&play, &client, 5000, 10);
    uint32_t overloaded = 0, told = 0;
    for (uint32_t i = 0; i < ASKS; i++) {
        const Holdfast__V1__SnapshotResponse *answer =
            play_receive(&play, &asker, FRAME_SNAPSHOT + FRAME_REPLY);
        overloaded += answer->result == HOLDFAST__V1__RESULT__RESULT_OVERLOADED;
        told += answer->result == HOLDFAST__V1__RESULT__RESULT_OK;
    }
    cr_expect_eq(overloaded + told, ASKS);
    cr_expect_gt(overloaded, 0);
    play_disconnect(&asker);
}

/* Two who ask at nearly the same time, of a state that stays the same, are told of one; and the one
 * before it stays. */
Test(saving, asked_for_twice_without_a_change_is_one_and_the_older_one_stays)
{
    static struct play_client asker;
    start();
    play_connect(&play, &asker, 0);
    const uint64_t older = trade_snapshot(&play, &client, 0).lsn;
    trade(&play, &client, 0, 5000);
    trade_send_snapshot(&asker, 0);
    while (snapshot_state(saving_of(0)->writer) == SNAPSHOT_NONE)
        play_turn(&play, 0);
    trade_send_snapshot(&client, 0);
    const Holdfast__V1__SnapshotResponse *answer =
        play_receive(&play, &client, FRAME_SNAPSHOT + FRAME_REPLY);
    const uint64_t newer = answer->lsn;
    answer = play_receive(&play, &asker, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_eq(answer->lsn, newer);
    cr_expect_eq(saving_of(0)->count, 2);
    turn_until_idle(0);
    cr_expect(exists(trade_snapshot_path(&play, 0, older)));
    cr_expect(exists(trade_snapshot_path(&play, 0, newer)));
    play_disconnect(&asker);
}

Test(saving, of_those_before_the_last_two_none_is_left)
{
    uint64_t lsns[6];
    start();
    for (uint32_t i = 0; i < 6; i++) {
        play_create(&play, &client, 1000 + i, 1);
        lsns[i] = trade_snapshot(&play, &client, 0).lsn;
        turn_until_idle(0);
    }
    while (!snapshot_files_are_idle(saving_of(0)->files))
        play_turn(&play, 0);
    for (uint32_t i = 0; i < 6; i++)
        cr_expect_eq(exists(trade_snapshot_path(&play, 0, lsns[i])), i >= 4, "snapshot %u", i);
}

/* Of holds whose time ends one after the other one is due at any moment. */
Test(saving, at_a_stop_is_the_last_one_also_when_holds_expire_all_the_time)
{
    enum { HOLDS = FRAME_ROW_COUNT_MAX, FIRST_MS = 200, SNAPSHOTS_MAX = 2 };
    start();
    trade_ask(&play, &client,
              &(struct trade_rows){.type = FRAME_RESERVE_BATCH,
                                   .first = 0,
                                   .step = 1,
                                   .count = HOLDS,
                                   .hold_ms = FIRST_MS,
                                   .hold_step_ms = 1});
    play_disconnect(&client);
    server_stop(play.server);
    int turns = 0;
    while (play_turn(&play, 0) != CORE_STOPPED) {
        cr_assert_lt(++turns, 100 * PLAY_TURNS_MAX);
        cr_assert_leq(saving_of(0)->count, SNAPSHOTS_MAX, "the stop does not come to its end");
    }
    play_close(&play);
    start_again();
    cr_expect_eq(server_totals(play.server).records_replayed, 0);
}

/* ---- failing ---- */

static const char *new_path(void)
{
    static char path[DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX];
    char folder[DATA_DIRECTORY_PATH_BYTES];
    data_directory_core_path(&play.directory, 0, 0, folder);
    snprintf(path, sizeof path, "%s/%s", folder, LOG_SNAPSHOT_NEW_NAME);
    return path;
}

Test(saving, that_fails_is_told_to_those_who_asked_and_tried_again_later)
{
    start();
    cr_assert_eq(mkdir(new_path(), 0700), 0);
    trade_send_snapshot(&client, 0);
    const Holdfast__V1__SnapshotResponse *answer =
        play_receive(&play, &client, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_READ_ONLY);
    cr_expect_eq(answer->lsn, 0);
    trade(&play, &client, 0, 100); /* the log goes on */
    cr_assert_eq(rmdir(new_path()), 0);
    cr_expect_eq(trade_snapshot(&play, &client, 0).lsn, last_lsn(0), "who asks does not wait");
}

/* It was due by its size; nobody asks for anything any more. */
Test(saving, that_failed_wakes_the_core_for_the_next_attempt)
{
    options.snapshot_log_bytes = 4096;
    start();
    turn_until_idle(0);
    cr_assert_eq(mkdir(new_path(), 0700), 0);
    const uint64_t count = saving_of(0)->count;
    play_create(&play, &client, 1000, 1);
    turn_until_idle(0);
    cr_assert_eq(saving_of(0)->count, count);
    const struct core *core = play_core(&play, 0);
    cr_assert_gt(saving_of(0)->retry_at_ms, core->now_ms);
    cr_expect_geq(trade_stat(&play, &client, 0).log_bytes_behind, 4096,
                  "a restart has to read it as before");
    cr_expect_eq(saving_wake_at_ms(core), saving_of(0)->retry_at_ms);
    cr_assert_eq(rmdir(new_path()), 0);
}

/* ---- reading one ---- */

static Holdfast__V1__SnapshotReadResponse *ask_piece(uint64_t lsn, uint64_t offset)
{
    Holdfast__V1__SnapshotReadRequest request = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
    request.lsn = lsn;
    request.offset = offset;
    play_send(&client, FRAME_SNAPSHOT_READ, 62, &request.base);
    return (Holdfast__V1__SnapshotReadResponse *)(uintptr_t)play_receive(
        &play, &client, FRAME_SNAPSHOT_READ + FRAME_REPLY);
}

Test(saving, is_read_in_pieces_that_are_the_file)
{
    static uint8_t content[2 << 20];
    start();
    trade(&play, &client, 0, 5000);
    const uint64_t lsn = trade_snapshot(&play, &client, 0).lsn;
    int fd = open(trade_snapshot_path(&play, 0, lsn), O_RDONLY);
    ssize_t bytes = read(fd, content, sizeof content);
    close(fd);
    cr_assert(bytes > 4 * SAVING_READ_BYTES && bytes < (ssize_t)sizeof content);
    uint64_t at = 0;
    for (;;) {
        const Holdfast__V1__SnapshotReadResponse *piece = ask_piece(lsn, at);
        cr_assert_eq(piece->result, HOLDFAST__V1__RESULT__RESULT_OK);
        cr_assert_eq(piece->file_bytes, (uint64_t)bytes);
        if (piece->data.len == 0)
            break;
        cr_assert_leq(at + piece->data.len, (uint64_t)bytes);
        cr_assert_arr_eq(piece->data.data, content + at, piece->data.len);
        at += piece->data.len;
    }
    cr_expect_eq(at, (uint64_t)bytes);
}

Test(saving, that_is_not_there_cannot_be_read)
{
    start();
    cr_expect_eq(ask_piece(77, 0)->result, HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT);
    trade_snapshot(&play, &client, 0);
    cr_expect_eq(ask_piece(77, 0)->result, HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT);
    options.durability = WAL_OFF;
}

Test(saving, is_read_from_whole_blocks_only)
{
    start();
    Holdfast__V1__SnapshotReadRequest request = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
    request.lsn = trade_snapshot(&play, &client, 0).lsn;
    request.offset = 100;
    play_send(&client, FRAME_SNAPSHOT_READ, 62, &request.base);
    const Holdfast__V1__ErrorResponse *error = play_receive(&play, &client, FRAME_ERROR);
    cr_expect_eq(error->code, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_BODY);
    request.offset = 0;
    request.core = 1;
    play_send(&client, FRAME_SNAPSHOT_READ, 63, &request.base);
    error = play_receive(&play, &client, FRAME_ERROR);
    cr_expect_eq(error->code, HOLDFAST__V1__ERROR_CODE__ERROR_CODE_NO_SUCH_CORE);
}

Test(saving, is_read_by_one_at_a_time)
{
    enum { ASKED = 5 };
    start();
    trade(&play, &client, 0, 1000);
    Holdfast__V1__SnapshotReadRequest request = HOLDFAST__V1__SNAPSHOT_READ_REQUEST__INIT;
    request.lsn = trade_snapshot(&play, &client, 0).lsn;
    for (int i = 0; i < ASKED; i++)
        play_send(&client, FRAME_SNAPSHOT_READ, 62, &request.base);
    uint32_t ok_count = 0, overloaded_count = 0;
    for (int i = 0; i < ASKED; i++) {
        const Holdfast__V1__SnapshotReadResponse *piece =
            play_receive(&play, &client, FRAME_SNAPSHOT_READ + FRAME_REPLY);
        ok_count += piece->result == HOLDFAST__V1__RESULT__RESULT_OK;
        overloaded_count += piece->result == HOLDFAST__V1__RESULT__RESULT_OVERLOADED;
    }
    cr_expect_geq(ok_count, 1);
    cr_expect_eq(ok_count + overloaded_count, ASKED);
}

static void take_some_more(uint64_t first_item)
{
    for (uint64_t i = 0; i < 3; i++) {
        play_create(&play, &client, first_item + i, 1);
        trade_snapshot(&play, &client, 0);
        turn_until_idle(0);
    }
    while (!snapshot_files_are_idle(saving_of(0)->files))
        play_turn(&play, 0);
}

Test(saving, that_is_being_read_stays_for_a_while)
{
    start();
    const uint64_t lsn = trade_snapshot(&play, &client, 0).lsn;
    cr_assert_eq(ask_piece(lsn, 0)->result, HOLDFAST__V1__RESULT__RESULT_OK);
    take_some_more(1000);
    cr_expect_eq(ask_piece(lsn, 4096)->result, HOLDFAST__V1__RESULT__RESULT_OK);
    take_some_more(2000);
    cr_expect(exists(trade_snapshot_path(&play, 0, lsn)));
    saving_of(0)->pinned_until_ms = 0; /* the while is over */
    take_some_more(3000);
    cr_expect_not(exists(trade_snapshot_path(&play, 0, lsn)));
    cr_expect_eq(ask_piece(lsn, 0)->result, HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT);
}

Test(saving, that_is_being_read_stays_when_somebody_asks_for_one_that_is_not_there)
{
    start();
    const uint64_t lsn = trade_snapshot(&play, &client, 0).lsn;
    cr_assert_eq(ask_piece(lsn, 0)->result, HOLDFAST__V1__RESULT__RESULT_OK);
    cr_assert_eq(ask_piece(7, 0)->result, HOLDFAST__V1__RESULT__RESULT_UNKNOWN_SNAPSHOT);
    take_some_more(1000);
    cr_expect_eq(ask_piece(lsn, 4096)->result, HOLDFAST__V1__RESULT__RESULT_OK);
}
