/* A storm of expiries: 100,000 holds of two seconds all return, none early, and a payment after
 * the deadline is answered EXPIRED, whether or not the expiry has run yet.
 *
 *     e2e_expiry CORES              HOLDFAST_HOLDS=100000
 */
#include "check.h"
#include "fixture.h"
#include "log_tool.h"
#include "raw_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CORES_MAX = 64,
    ITEMS_PER_CORE = 4,
    HOLD_MS = 2000,
    BATCH_ROWS = 1024,
    SAMPLE_ROWS = 256,
    LATE_MS_MAX = 20,     /* 99 % are to be back after so long */
    PAY_EARLY_EACH = 101, /* of so many holds one is paid in time */
    PAY_LATE_EACH = 37,   /* and of so many one is paid as soon as its deadline has passed */
};

struct hold {
    struct raw_row row;
    uint64_t expires_ms;
    bool is_paid;
};

/* The holds of one core, in order of their deadlines, and the connection to that core. */
struct core_holds {
    struct raw_client client;
    uint64_t items[ITEMS_PER_CORE];
    struct hold *holds;
    uint32_t count;
    uint32_t next_late; /* where to look for the next hold to be paid too late */
};

static struct {
    uint32_t core_count;
    uint32_t hold_count; /* of each core */
    struct core_holds cores[CORES_MAX];
    uint64_t paid;
    uint64_t late_payments;
    uint64_t still_held_ms_max; /* how long after its deadline a hold was seen to be held */
} storm;

static void make_items(struct core_holds *core, uint32_t index)
{
    uint64_t item_id = 0;
    for (uint32_t i = 0; i < ITEMS_PER_CORE; i++) {
        do
            item_id++;
        while (raw_core_of(item_id, storm.core_count) != index);
        core->items[i] = item_id;
        raw_item_make(&core->client, item_id, storm.hold_count);
    }
}

static void hold_all(struct core_holds *core, uint32_t index)
{
    static struct raw_row rows[BATCH_ROWS];
    static struct raw_answer answers[BATCH_ROWS];
    for (uint32_t first = 0; first < core->count; first += BATCH_ROWS) {
        const uint32_t count = core->count - first < BATCH_ROWS ? core->count - first : BATCH_ROWS;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = (struct raw_row){
                .type = FRAME_RESERVE,
                .item_id = core->items[(first + i) % ITEMS_PER_CORE],
                .id_high = index + 1,
                .id_low = first + i + 1,
                .buyer_id = first + i + 1,
                .quantity = 1,
                .hold_ms = HOLD_MS,
            };
        raw_rows(&core->client, RAW_SHORT, rows, count, answers);
        for (uint32_t i = 0; i < count; i++) {
            check(answers[i].result == RESULT(OK), "hold %u: %s", first + i,
                  raw_result_name(answers[i].result));
            core->holds[first + i] =
                (struct hold){.row = rows[i], .expires_ms = answers[i].expires_ms};
        }
    }
}

static void pay_some_in_time(struct core_holds *core)
{
    static struct raw_row rows[BATCH_ROWS];
    static struct raw_answer answers[BATCH_ROWS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->count && count < BATCH_ROWS; i += PAY_EARLY_EACH) {
        rows[count] = core->holds[i].row;
        rows[count].type = FRAME_CONFIRM;
        rows[count++].quantity = 0;
    }
    raw_rows(&core->client, RAW_SHORT, rows, count, answers);
    const uint64_t now_ms = raw_now_ms(&core->client);
    for (uint32_t i = 0; i < count; i++) {
        struct hold *hold = &core->holds[i * PAY_EARLY_EACH];
        const bool is_late = answers[i].result == RESULT(EXPIRED) && now_ms >= hold->expires_ms;
        check(answers[i].result == RESULT(OK) || is_late, "paid in time: %s",
              raw_result_name(answers[i].result));
        hold->is_paid = answers[i].result == RESULT(OK);
        storm.paid += hold->is_paid;
    }
}

/* A hold seen EXPIRED while the clock, read afterwards, is before its deadline was ended early. */
static void look_at_sample(struct core_holds *core, uint32_t first)
{
    static struct raw_row rows[SAMPLE_ROWS];
    static struct raw_answer answers[SAMPLE_ROWS];
    for (uint32_t i = 0; i < SAMPLE_ROWS; i++) {
        rows[i] = core->holds[(first + i * 7) % core->count].row;
        rows[i].type = FRAME_GET;
    }
    const uint64_t before_ms = raw_now_ms(&core->client);
    raw_rows(&core->client, RAW_COLUMNS, rows, SAMPLE_ROWS, answers);
    const uint64_t after_ms = raw_now_ms(&core->client);
    for (uint32_t i = 0; i < SAMPLE_ROWS; i++) {
        const struct hold *hold = &core->holds[(first + i * 7) % core->count];
        if (answers[i].state == STATE(EXPIRED)) {
            check(after_ms >= hold->expires_ms, "ended %" PRIu64 " ms early",
                  hold->expires_ms - after_ms);
            check(!hold->is_paid, "a paid hold has expired");
        }
        if (answers[i].state == STATE(HELD) && before_ms > hold->expires_ms &&
            before_ms - hold->expires_ms > storm.still_held_ms_max)
            storm.still_held_ms_max = before_ms - hold->expires_ms;
    }
}

/* Pays holds whose deadline has passed this moment, before or after their expiry has run. */
static void pay_too_late(struct core_holds *core)
{
    const uint64_t now_ms = raw_now_ms(&core->client);
    for (int i = 0; i < 16 && core->next_late < core->count; i++) {
        const struct hold *hold = &core->holds[core->next_late];
        if (hold->expires_ms > now_ms)
            return;
        core->next_late += PAY_LATE_EACH;
        if (hold->is_paid)
            continue;
        struct raw_row row = hold->row;
        row.type = FRAME_CONFIRM;
        row.quantity = 0;
        const struct raw_answer answer = raw_one(&core->client, &row);
        check(answer.result == RESULT(EXPIRED), "paid after the deadline: %s",
              raw_result_name(answer.result));
        storm.late_payments++;
    }
}

static void wait_for_all(void)
{
    enum { GRACE_MS = 30000 };
    const double give_up_ms = check_now_ms() + HOLD_MS + GRACE_MS;
    const uint64_t expected = (uint64_t)storm.hold_count * storm.core_count - storm.paid;
    uint32_t turn = 0;
    uint64_t expiries = 0;
    while (expiries < expected && check_now_ms() < give_up_ms) {
        for (uint32_t i = 0; i < storm.core_count; i++) {
            pay_too_late(&storm.cores[i]);
            look_at_sample(&storm.cores[i], turn * 1009);
        }
        turn++;
        check_sleep_ms(1);
        expiries = raw_stat_sum(&storm.cores[0].client, false).expiries;
    }
    check(expiries == expected, "%" PRIu64 " of %" PRIu64 " have expired", expiries, expected);
}

static void check_all_are_back(void)
{
    uint64_t sold = 0;
    for (uint32_t i = 0; i < storm.core_count; i++) {
        for (uint32_t k = 0; k < ITEMS_PER_CORE; k++) {
            const struct raw_item_answer item =
                raw_item_get(&storm.cores[i].client, storm.cores[i].items[k]);
            check(item.held == 0 && (uint64_t)item.available + item.sold == storm.hold_count,
                  "available %" PRId64 " held %" PRIu64 " sold %" PRIu64, item.available, item.held,
                  item.sold);
            sold += item.sold;
        }
        look_at_sample(&storm.cores[i], 0);
    }
    check(sold == storm.paid, "%" PRIu64 " sold, %" PRIu64 " paid", sold, storm.paid);
}

struct lateness {
    uint64_t count;
    uint64_t early;
    uint64_t at_ms[100000]; /* how many were so many milliseconds late */
};

static void note_record(void *context, const struct log_tool_record *record)
{
    struct lateness *lateness = context;
    if (strcmp(record->type, "EXPIRED") != 0)
        return;
    lateness->count++;
    if (record->time_ms < record->expires_ms) {
        lateness->early++;
        return;
    }
    const uint64_t late_ms = record->time_ms - record->expires_ms;
    const uint64_t last = sizeof lateness->at_ms / sizeof *lateness->at_ms - 1;
    lateness->at_ms[late_ms < last ? late_ms : last]++;
}

static uint64_t percentile(const struct lateness *lateness, uint64_t per_mille)
{
    uint64_t below = 0, ms = 0;
    while (below + lateness->at_ms[ms] < (lateness->count * per_mille + 999) / 1000)
        below += lateness->at_ms[ms++];
    return ms;
}

static void check_log(const char *data)
{
    static struct lateness lateness;
    if (!log_tool_is_built()) {
        check_note("the log was not looked at: holdfast-log has not been built");
        return;
    }
    log_tool_cat(data, note_record, &lateness);
    const uint64_t expected = (uint64_t)storm.hold_count * storm.core_count - storm.paid;
    check(lateness.count == expected, "%" PRIu64 " expiries in the log, expected %" PRIu64,
          lateness.count, expected);
    check_must(lateness.early == 0, "%" PRIu64 " are early in the log", lateness.early);
    check_note("late by p50 %" PRIu64 " ms, p99 %" PRIu64 " ms, max %" PRIu64 " ms in the log",
               percentile(&lateness, 500), percentile(&lateness, 990), percentile(&lateness, 1000));
    if (!check_is_sanitized())
        check(percentile(&lateness, 990) <= LATE_MS_MAX, "p99 is %" PRIu64 " ms late",
              percentile(&lateness, 990));
}

int main(int argc, char **argv)
{
    struct fixture fixture;
    storm.core_count = fixture_core_count(argc, argv);
    storm.hold_count = (uint32_t)fixture_size("HOLDFAST_HOLDS", 100000, 10000) / storm.core_count;
    fixture_init(&fixture, "expiry", storm.core_count, NULL);
    fixture_start(&fixture);
    for (uint32_t i = 0; i < storm.core_count; i++) {
        struct core_holds *core = &storm.cores[i];
        core->count = storm.hold_count;
        core->holds = calloc(core->count, sizeof *core->holds);
        core->next_late = 1;
        raw_open(&core->client, fixture.server.port, (int)i);
        make_items(core, i);
    }

    check_situation("holds_are_taken_and_some_are_paid_in_time");
    const double start_ms = check_now_ms();
    for (uint32_t i = 0; i < storm.core_count; i++)
        hold_all(&storm.cores[i], i);
    check_note("%u holds taken in %.0f ms", storm.hold_count * storm.core_count,
               check_now_ms() - start_ms);
    for (uint32_t i = 0; i < storm.core_count; i++)
        pay_some_in_time(&storm.cores[i]);

    check_situation("no_hold_ends_early_and_payment_after_the_deadline_is_expired");
    wait_for_all();
    const raw_stat stat = raw_stat_sum(&storm.cores[0].client, false);
    check(storm.late_payments > 0, "nothing was paid too late");
    check_note("%" PRIu64 " payments after the deadline, all refused", storm.late_payments);
    check_note("late by %" PRIu64 " ms at most by Stat, seen held %" PRIu64
               " ms after the deadline at most",
               stat.expiry_late_ms_max, storm.still_held_ms_max);

    check_situation("all_unpaid_units_are_free_again");
    check_all_are_back();

    check_situation("the_log_has_each_expiry_in_time");
    for (uint32_t i = 0; i < storm.core_count; i++) {
        raw_close(&storm.cores[i].client);
        free(storm.cores[i].holds);
    }
    server_stop(&fixture.server);
    check_log(fixture.data);
    return fixture_finish(&fixture);
}
