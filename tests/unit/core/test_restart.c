/* Servers that start again: from a snapshot, from one and the log behind it, from the older one,
 * from the log alone, with other numbers of cores; and when that is not possible. */
#include "core_trade.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "random.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct play play;
static struct play_client client;
static struct server_options options;
static char message[SERVER_MESSAGE_BYTES];

static void set_up(void)
{
    options = play_options(1);
}

static void tear_down(void)
{
    play_end(&play);
}

TestSuite(restart, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- lives ---- */

/* A new directory whose server has traded. */
static void start(void)
{
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    trade_make_items(&play, &client);
    trade(&play, &client, 0, 1000);
}

static void start_again(void)
{
    play_start_again(&play, &options);
    play_connect(&play, &client, 0);
}

static uint64_t stop(void)
{
    const uint64_t hash = trade_hash(&play);
    play_disconnect(&client);
    play_stop(&play);
    return hash;
}

static uint64_t kill_it(void)
{
    const uint64_t hash = trade_hash(&play);
    play_disconnect(&client);
    play_kill(&play);
    return hash;
}

/* One change, that no other is like. */
static void change(void)
{
    static uint64_t item_id = 100000;
    play_create(&play, &client, ++item_id, 5);
}

static uint64_t snapshot(void)
{
    return trade_snapshot(&play, &client, 0).lsn;
}

static struct server_totals totals(void)
{
    return server_totals(play.server);
}

static void expect_hash(uint64_t hash)
{
    cr_expect_eq(totals().state_hash, hash, "%016" PRIx64 ", expected %016" PRIx64,
                 totals().state_hash, hash);
    cr_expect_eq(trade_hash(&play), hash);
    for (uint32_t core = 0; core < options.core_count; core++)
        stock_assert_valid(play_core(&play, core)->stock);
}

static void flip(const char *path, off_t offset)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(pread(fd, &byte, 1, offset), 1);
    byte ^= 4;
    cr_assert_eq(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static const char *path_in(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", play.path, name);
    return path;
}

static bool exists(const char *name)
{
    return access(path_in(name), F_OK) == 0;
}

/* ---- from what ---- */

Test(restart, from_a_snapshot_alone_has_all_of_it)
{
    start();
    const uint64_t hash = stop();
    start_again();
    expect_hash(hash);
    cr_expect_eq(totals().records_replayed, 0);
    cr_expect_geq(totals().entries_loaded, TRADE_ITEMS + 1000);
    cr_expect_eq(totals().items, TRADE_ITEMS);
    cr_expect_eq(totals().reservations, 1000);
    trade(&play, &client, 1000, 1000); /* and it goes on */
    const uint64_t next_hash = stop();
    start_again();
    expect_hash(next_hash);
}

Test(restart, from_a_snapshot_and_the_log_behind_it)
{
    start();
    snapshot();
    trade(&play, &client, 1000, 500);
    const uint64_t hash = kill_it();
    start_again();
    expect_hash(hash);
    cr_expect_geq(totals().entries_loaded, TRADE_ITEMS + 1000);
    cr_expect_eq(totals().records_replayed, 500 + 2 * 100);
    trade(&play, &client, 1500, 500);
    const uint64_t next_hash = kill_it();
    start_again();
    expect_hash(next_hash);
}

Test(restart, from_the_log_alone_when_there_is_no_snapshot)
{
    start();
    const uint64_t hash = kill_it();
    start_again();
    expect_hash(hash);
    cr_expect_eq(totals().entries_loaded, 0);
}

/* A snapshot may be begun and not be named when the server is killed. */
Test(restart, in_the_middle_of_a_snapshot_is_one_from_what_was_before)
{
    start();
    trade(&play, &client, 1000, 20000);
    for (int turns = 0; turns < 60; turns += 3) {
        trade_send_snapshot(&client, 0);
        for (int i = 0; i < turns; i++)
            play_turn(&play, 0);
        const uint64_t hash = kill_it();
        start_again();
        expect_hash(hash);
        change();
    }
}

/* Two snapshots and a tail; returns the state's hash. The first one stands on `lsns[0]`. */
static uint64_t make_two_snapshots(uint64_t *lsns)
{
    start();
    lsns[0] = snapshot();
    trade(&play, &client, 1000, 300);
    lsns[1] = snapshot();
    trade(&play, &client, 1300, 300);
    return kill_it();
}

Test(restart, from_the_older_snapshot_when_the_newest_is_damaged)
{
    static const off_t OFFSETS[] = {5, 90, LOG_BLOCK_BYTES + 3, LOG_BLOCK_BYTES + 500};
    uint64_t lsns[2];
    const uint64_t hash = make_two_snapshots(lsns);
    for (size_t i = 0; i < sizeof OFFSETS / sizeof *OFFSETS; i++) {
        flip(trade_snapshot_path(&play, 0, lsns[1]), OFFSETS[i]);
        start_again();
        expect_hash(hash);
        cr_expect_eq(play_core(&play, 0)->saving.newest.lsn, lsns[0]);
        cr_expect_eq(totals().records_replayed, 2 * (300 + 2 * 60));
        play_disconnect(&client);
        play_kill(&play);
        flip(trade_snapshot_path(&play, 0, lsns[1]), OFFSETS[i]);
    }
    start_again();
    cr_expect_eq(play_core(&play, 0)->saving.newest.lsn, lsns[1], "it is whole again");
    expect_hash(hash);
    play_disconnect(&client);
}

/* What is found out when all of it was read: it is whole, but the entries are not this core's. */
Test(restart, from_the_older_snapshot_when_the_newest_is_of_another_log)
{
    uint64_t lsns[2];
    const uint64_t hash = make_two_snapshots(lsns);
    cr_assert_eq(unlink(trade_snapshot_path(&play, 0, lsns[1])), 0);
    play_copy(trade_snapshot_path(&play, 0, lsns[0]), trade_snapshot_path(&play, 0, lsns[1]));
    start_again();
    expect_hash(hash);
    cr_expect_eq(play_core(&play, 0)->saving.newest.lsn, lsns[0]);
    play_disconnect(&client);
}

Test(restart, from_the_log_when_both_snapshots_are_damaged_and_all_of_it_is_there)
{
    uint64_t lsns[2];
    const uint64_t hash = make_two_snapshots(lsns);
    flip(trade_snapshot_path(&play, 0, lsns[0]), 5000);
    flip(trade_snapshot_path(&play, 0, lsns[1]), 5000);
    start_again();
    expect_hash(hash);
    cr_expect_eq(totals().entries_loaded, 0);
    cr_expect_not(play_core(&play, 0)->saving.has_newest);

    /* and the next ones take the place of the damaged ones */
    const uint64_t older = snapshot();
    change();
    const uint64_t newer = snapshot();
    const uint64_t next_hash = stop();
    cr_expect_eq(access(trade_snapshot_path(&play, 0, older), F_OK), 0);
    cr_expect_eq(access(trade_snapshot_path(&play, 0, newer), F_OK), 0);
    cr_expect_neq(access(trade_snapshot_path(&play, 0, lsns[0]), F_OK), 0);
    start_again();
    expect_hash(next_hash);
    play_disconnect(&client);
}

Test(restart, without_any_snapshot_that_can_be_used_and_without_the_log_before_is_refused)
{
    uint64_t lsns[2] = {0};
    options.segment_bytes = 64 << 10;
    options.batch_rows_max = 64;
    start();
    lsns[0] = snapshot();
    for (uint32_t i = 0; exists("era-000001/core-000/000000000001.log"); i++) {
        cr_assert_lt(i, 200);
        trade(&play, &client, 1000 + i * 100, 100);
        lsns[1] = lsns[0];
        lsns[0] = snapshot();
    }
    const uint64_t hash = kill_it();
    flip(trade_snapshot_path(&play, 0, lsns[0]), 5000);
    start_again();
    expect_hash(hash);
    play_disconnect(&client);
    play_kill(&play);
    flip(trade_snapshot_path(&play, 0, lsns[1]), 5000);
    cr_expect_eq(play_try_start_again(&play, &options, message), SERVER_DAMAGED);
    cr_expect_not_null(strstr(message, "core-000"), "%s", message);
    cr_expect_not_null(strstr(message, "damaged"), "%s", message);
    flip(trade_snapshot_path(&play, 0, lsns[1]), 5000);
    start_again(); /* nothing was changed by the attempt */
    expect_hash(hash);
    play_disconnect(&client);
}

Test(restart, with_a_snapshot_of_another_format_is_refused)
{
    uint8_t block[LOG_BLOCK_BYTES];
    start();
    const uint64_t lsn = snapshot();
    stop();
    FILE *file = fopen(trade_snapshot_path(&play, 0, lsn), "r+");
    cr_assert_not_null(file);
    cr_assert_eq(fread(block, sizeof block, 1, file), 1);
    bytes_put_u32(block + 16, LOG_FORMAT_VERSION + 1);
    bytes_put_u64(block + 8, checksum64(block + 16, sizeof block - 16, 0));
    rewind(file);
    cr_assert_eq(fwrite(block, sizeof block, 1, file), 1);
    fclose(file);
    cr_expect_eq(play_try_start_again(&play, &options, message), SERVER_VERSION);
    cr_expect_not_null(strstr(message, "another version"), "%s", message);
}

Test(restart, with_tables_too_small_for_the_snapshot_asks_for_larger_ones)
{
    start();
    stop();
    const struct server_options large = options;
    options.reservation_count_max = 100;
    cr_expect_eq(play_try_start_again(&play, &options, message), SERVER_TOO_SMALL);
    cr_expect_not_null(strstr(message, "--max-reservations"), "%s", message);
    options = large;
    start_again();
    stop();
}

/* ---- the number of cores ---- */

/* What becomes of past eras when the cores have what they need. */
Test(restart, past_eras_go_when_each_core_has_two_snapshots)
{
    start();
    uint64_t hash = stop();
    options.core_count = 2;
    start_again();
    expect_hash(hash);
    cr_expect(exists("era-000001"));
    hash = stop();
    start_again();
    expect_hash(hash);
    cr_expect(exists("era-000001"), "each has one by now");
    for (uint32_t i = 0; i < 40; i++)
        change(); /* of both cores */
    for (uint32_t core = 0; core < 2; core++)
        trade_snapshot(&play, &client, core);
    hash = kill_it();
    start_again();
    expect_hash(hash);
    cr_expect_not(exists("era-000001"));
    cr_expect_eq(play.directory.manifest.era_count, 1);
    cr_expect_eq(play.directory.manifest.eras[0].number, 2);
    stop();
    options.core_count = 3;
    start_again();
    expect_hash(hash);
    play_disconnect(&client);
}

/* Two snapshots by name, of which none is whole: what is needed is still there. */
Test(restart, past_eras_stay_when_the_snapshots_that_stand_for_them_are_damaged)
{
    start();
    stop();
    options.core_count = 2;
    start_again();
    uint64_t lsns[2];
    for (int i = 0; i < 2; i++) {
        for (uint32_t k = 0; k < 30; k++)
            change();
        lsns[i] = trade_snapshot(&play, &client, 0).lsn;
        trade_snapshot(&play, &client, 1);
    }
    const uint64_t hash = kill_it();
    flip(trade_snapshot_path(&play, 0, lsns[0]), 100);
    flip(trade_snapshot_path(&play, 0, lsns[1]), 100);
    start_again();
    expect_hash(hash);
    cr_expect(exists("era-000001"));
    play_disconnect(&client);
    play_kill(&play); /* before a new one is taken */
    start_again();
    expect_hash(hash);
    play_disconnect(&client);
}

/* With snapshots here and there, or none, of all cores or some, stopped or killed: the state stays
 * the same, and every answer with it. */
static void walk(const uint32_t *core_counts, uint32_t count, uint64_t seed)
{
    struct test_random random;
    test_random_init(&random, test_random_seed(seed));
    options.core_count = core_counts[0];
    options.segment_bytes = 64 << 10;
    options.batch_rows_max = 64;
    options.snapshot_log_bytes = test_random_below(&random, 2) * 100000;
    start();
    uint32_t made = 1000;
    for (uint32_t i = 1; i <= count; i++) {
        for (uint32_t core = 0; core < options.core_count; core++)
            if (test_random_below(&random, 2) == 0)
                trade_snapshot(&play, &client, core);
        uint32_t more = test_random_below(&random, 4) * 100;
        trade(&play, &client, made, more);
        made += more;
        for (uint32_t core = 0; core < options.core_count; core++)
            if (test_random_below(&random, 4) == 0)
                trade_snapshot(&play, &client, core);
        const uint64_t hash = test_random_below(&random, 2) == 0 ? stop() : kill_it();
        options.core_count = core_counts[i % count];
        start_again();
        expect_hash(hash);
        cr_assert_eq(totals().state_hash, hash, "start %u of seed %" PRIu64, i, seed);
        trade_ask(&play, &client,
                  &(struct trade_rows){
                      .type = FRAME_GET_BATCH, .first = made - 60, .step = 1, .count = 60});
    }
    play_disconnect(&client);
}

Test(restart, with_4_1_2_4_cores_has_the_same_state)
{
    static const uint32_t CORES[] = {4, 1, 2, 4};
    walk(CORES, 4, 1);
}

Test(restart, with_1_4_2_1_3_cores_has_the_same_state)
{
    static const uint32_t CORES[] = {1, 4, 2, 1, 3};
    walk(CORES, 5, 2);
}

Test(restart, with_the_same_number_for_a_while_has_the_same_state)
{
    static const uint32_t CORES[] = {2, 2, 2, 3, 3, 3, 3, 2, 2, 2};
    walk(CORES, 10, 3);
}

Test(restart, with_many_numbers_has_the_same_state)
{
    for (uint64_t seed = 10; seed < 16; seed++) {
        struct test_random random;
        uint32_t cores[8];
        test_random_init(&random, seed);
        for (int i = 0; i < 8; i++)
            cores[i] = 1 + test_random_below(&random, 5);
        walk(cores, 8, seed);
        play_end(&play);
        options = play_options(1);
    }
    start();
    play_disconnect(&client);
}

/* ---- time ---- */

/* The moment at which something is to be forgotten or expires next. */
static uint64_t next_due_ms(void)
{
    return stock_next_due_ms(play_core(&play, 0)->stock);
}

/* Holds that ended are remembered for the retention of the server that runs, from when they ended.
 */
static void end_some_holds(void)
{
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    trade_make_items(&play, &client);
    trade_ask(
        &play, &client,
        &(struct trade_rows){.type = FRAME_RESERVE_BATCH, .first = 0, .step = 1, .count = 50});
    trade_ask(
        &play, &client,
        &(struct trade_rows){.type = FRAME_CONFIRM_BATCH, .first = 0, .step = 1, .count = 20});
    trade_ask(
        &play, &client,
        &(struct trade_rows){.type = FRAME_CANCEL_BATCH, .first = 20, .step = 1, .count = 20});
}

Test(restart, forgets_when_the_server_before_would_have)
{
    options.retention_ms = 5 * 60 * 1000;
    end_some_holds();
    const uint64_t due_ms = next_due_ms();
    kill_it();
    start_again(); /* from the log alone */
    cr_expect_eq(next_due_ms(), due_ms);
    stop();
    start_again(); /* from a snapshot alone */
    cr_expect_eq(next_due_ms(), due_ms);
    change();
    kill_it();
    start_again(); /* from both */
    cr_expect_eq(next_due_ms(), due_ms);
    play_disconnect(&client);
}

Test(restart, forgets_by_its_own_retention_from_the_snapshot_as_from_the_log)
{
    options.retention_ms = 5 * 60 * 1000;
    end_some_holds();
    const uint64_t due_ms = next_due_ms();
    kill_it();
    options.retention_ms = 2 * 60 * 1000;
    start_again();
    cr_expect_eq(next_due_ms(), due_ms - 3 * 60 * 1000);
    stop();
    start_again();
    cr_expect_eq(next_due_ms(), due_ms - 3 * 60 * 1000);
    stop();
    options.retention_ms = 9 * 60 * 1000;
    start_again();
    cr_expect_eq(next_due_ms(), due_ms + 4 * 60 * 1000);
    play_disconnect(&client);
}

/* What was over by the new retention long ago is forgotten at once, by records. */
Test(restart, with_a_shorter_retention_forgets_what_is_over)
{
    end_some_holds();
    stop();
    options.retention_ms = 1;
    start_again();
    for (int turn = 0; stock_counts(play_core(&play, 0)->stock).reservations > 10; turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn(&play, 0);
    }
    trade_send(&client,
               &(struct trade_rows){.type = FRAME_GET_BATCH, .first = 0, .step = 1, .count = 40});
    trade_receive(&play, &client, FRAME_GET_BATCH,
                  HOLDFAST__V1__RESULT__RESULT_UNKNOWN_RESERVATION);
    const uint64_t hash = kill_it();
    start_again();
    expect_hash(hash);
    play_disconnect(&client);
}

/* The engine's time does not go back behind what was recorded or saved. */
Test(restart, goes_on_with_a_time_not_before_that_of_the_snapshot)
{
    start();
    stop();
    start_again();
    const struct core *core = play_core(&play, 0);
    cr_expect_geq(core->now_ms, core->loaded_time_ms);
    cr_expect_gt(core->loaded_time_ms, 0);
    cr_expect_leq(core->saving.newest.taken_ms, core->now_ms);
    play_disconnect(&client);
}
