/* The number of cores may change between restarts: what one number of cores wrote, another reads,
 * with the same state hash and the same reservations.
 *
 *     e2e_core_counts 4-1-2-4
 *
 * At each stop along the way some reservations are made, paid, cancelled and left to expire, and
 * snapshots are taken of some cores before, of the others behind; then the server is stopped, by
 * SIGTERM and by SIGKILL in turn, and started with the next number. */
#include "check.h"
#include "fixture.h"
#include "log_tool.h"
#include "raw_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEMS = 40,
    ROWS_PER_STAGE = 2000,
    STAGES_MAX = 16,
    SHORT_HOLD_MS = 20,
    BATCH_ROWS = 500,
};

static struct {
    struct fixture fixture;
    struct raw_client client;
    struct raw_row rows[ROWS_PER_STAGE * STAGES_MAX]; /* all ever made */
    struct raw_answer known[ROWS_PER_STAGE * STAGES_MAX];
    uint32_t row_count;
} walk;

static void make_items(void)
{
    for (uint64_t item_id = 1; item_id <= ITEMS; item_id++) {
        raw_settings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
        char sku[16];
        settings.item_id = item_id;
        settings.stock = item_id % 7 == 0 ? -1 : 100000;
        settings.buyer_limit = item_id % 5 == 0 ? 1000 : 0;
        settings.sku.data = (uint8_t *)sku;
        settings.sku.len = (size_t)snprintf(sku, sizeof sku, "SKU-%04u", (unsigned)item_id);
        check(raw_item_create(&walk.client, &settings).result == RESULT(OK), "create");
    }
}

/* Asks for the stage's reservations of one operation, in batches. */
static void ask_stage(uint32_t first, uint8_t type, uint32_t modulus, uint32_t remainder)
{
    struct raw_row rows[BATCH_ROWS];
    struct raw_answer answers[BATCH_ROWS];
    uint32_t count = 0;
    for (uint32_t i = first; i < walk.row_count; i++) {
        if (i % modulus == remainder) {
            rows[count] = walk.rows[i];
            rows[count].type = type;
            rows[count].quantity = type == FRAME_RESERVE ? walk.rows[i].quantity : 0;
            count++;
        }
        if (count == BATCH_ROWS || (i + 1 == walk.row_count && count > 0)) {
            raw_rows(&walk.client, RAW_COLUMNS, rows, count, answers);
            for (uint32_t k = 0; k < count; k++)
                check(answers[k].result == RESULT(OK), "operation %u: %s", type,
                      raw_result_name(answers[k].result));
            count = 0;
        }
    }
}

static void run_stage(uint32_t stage)
{
    const uint32_t first = walk.row_count;
    for (uint32_t i = 0; i < ROWS_PER_STAGE; i++) {
        const uint32_t number = walk.row_count++;
        walk.rows[number] = (struct raw_row){
            .item_id = 1 + number % ITEMS,
            .id_high = stage + 1,
            .id_low = number + 1,
            .buyer_id = number % 300,
            .quantity = 1 + number % 3,
            .user_data = number * 11,
            .hold_ms = number % 5 == 4 ? SHORT_HOLD_MS : 0,
        };
    }
    ask_stage(first, FRAME_RESERVE, 1, 0);
    ask_stage(first, FRAME_CONFIRM, 5, 0);
    ask_stage(first, FRAME_CANCEL, 5, 1);
    raw_settings more = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    more.item_id = 1 + stage % 6;
    more.stock = 200000 + stage;
    check(raw_item_update(&walk.client, &more, UPDATE(STOCK)).result == RESULT(OK), "update");

    uint64_t expired;
    const double give_up_ms = check_now_ms() + 10000;
    do {
        check_sleep_ms(5);
        expired = raw_stat_sum(&walk.client, false).held;
    } while (expired > walk.row_count / 5 * 2 && check_now_ms() < give_up_ms);
    check(expired == walk.row_count / 5 * 2, "%" PRIu64 " reservations are held", expired);
}

/* Compares every reservation with what was known of it and takes it as known. */
static void look_at_all(bool is_compared)
{
    struct raw_row rows[BATCH_ROWS];
    struct raw_answer answers[BATCH_ROWS];
    for (uint32_t first = 0; first < walk.row_count; first += BATCH_ROWS) {
        for (uint32_t i = 0; i < BATCH_ROWS; i++) {
            rows[i] = walk.rows[first + i];
            rows[i].type = FRAME_GET;
        }
        raw_rows(&walk.client, RAW_SHORT, rows, BATCH_ROWS, answers);
        for (uint32_t i = 0; i < BATCH_ROWS; i++) {
            const struct raw_answer *now = &answers[i], *then = &walk.known[first + i];
            check(now->result == RESULT(OK), "reservation %u: %s", first + i,
                  raw_result_name(now->result));
            check(!is_compared ||
                      (now->state == then->state && now->sequence == then->sequence &&
                       now->quantity == then->quantity &&
                       now->quantity_confirmed == then->quantity_confirmed &&
                       now->expires_ms == then->expires_ms && now->buyer_id == then->buyer_id &&
                       now->user_data == then->user_data && now->created_ms == then->created_ms &&
                       now->available == then->available),
                  "reservation %u: state %u, was %u; sequence %" PRIu64 ", was %" PRIu64
                  "; available %" PRId64 ", was %" PRId64,
                  first + i, now->state, then->state, now->sequence, then->sequence, now->available,
                  then->available);
            walk.known[first + i] = *now;
        }
    }
}

static void check_verify(uint64_t state_hash)
{
    uint64_t verified = 0;
    if (!log_tool_is_built())
        check_note("holdfast-log has not been built: no second opinion on the hash");
    else if (log_tool_verify(walk.fixture.data, &verified))
        check(verified == state_hash, "holdfast-log verify came to %016" PRIx64, verified);
}

/* Of some cores: the next start begins with a snapshot here, with the log there. */
static void take_snapshots(uint32_t stage)
{
    for (uint32_t core = 0; core < walk.client.core_count; core++)
        if ((stage + core) % 2 == 0)
            check(raw_snapshot_take(&walk.client, core).result == RESULT(OK),
                  "no snapshot of core %u", core);
}

/* Ends the server one way or the other; returns the state hash it had. */
static uint64_t end_server(bool by_kill)
{
    const uint64_t hash = raw_stat_sum(&walk.client, true).state_hash;
    raw_close(&walk.client);
    if (by_kill) {
        server_kill(&walk.fixture.server);
        return hash;
    }
    uint64_t at_stop = 0;
    server_stop(&walk.fixture.server);
    check(server_state_hash_at_stop(&walk.fixture.server, &at_stop), "no state hash at stop");
    check(at_stop == hash, "state hash %016" PRIx64 " at stop, %016" PRIx64 " by Stat", at_stop,
          hash);
    return hash;
}

static void start_server(uint32_t core_count)
{
    walk.fixture.options.cores = core_count;
    fixture_start(&walk.fixture);
    raw_open(&walk.client, walk.fixture.server.port, -1);
    check(walk.client.core_count == core_count, "%u cores", walk.client.core_count);
}

int main(int argc, char **argv)
{
    uint32_t cores[STAGES_MAX], stage_count = 0;
    if (!server_is_built())
        return CHECK_SKIPPED;
    const char *stages = argc == 2 ? argv[1] : "";
    while (*stages != '\0' && stage_count < STAGES_MAX) {
        char *end;
        cores[stage_count++] = (uint32_t)strtoul(stages, &end, 10);
        stages = end + strspn(end, "-");
    }
    if (stage_count == 0 || cores[0] == 0) {
        fprintf(stderr, "usage: %s CORES-CORES-...\n", argv[0]);
        return 2;
    }

    uint64_t hash = 0;
    fixture_init(&walk.fixture, "core_counts", cores[0], NULL);
    for (uint32_t stage = 0; stage < stage_count; stage++) {
        char situation[64];
        snprintf(situation, sizeof situation,
                 stage == 0 ? "new_with_%u" : "what_was_written_before_opens_with_%u",
                 cores[stage]);
        check_situation(situation);
        start_server(cores[stage]);
        if (stage == 0) {
            make_items();
        } else {
            uint64_t at_start = 0;
            check(server_state_hash_at_start(&walk.fixture.server, &at_start), "no state hash");
            check(at_start == hash, "state hash %016" PRIx64 ", it was %016" PRIx64, at_start,
                  hash);
            check(raw_stat_sum(&walk.client, true).state_hash == hash, "state hash of Stat");
            look_at_all(true);
        }
        take_snapshots(stage);
        run_stage(stage);
        take_snapshots(stage + 1);
        look_at_all(false);
        hash = end_server(stage % 2 == 1);
        check_verify(hash);
        check_note("state hash %016" PRIx64 " of %u reservations", hash, walk.row_count);
    }
    return fixture_finish(&walk.fixture);
}
