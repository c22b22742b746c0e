/* A million asks over 64 connections for a thousand units: exactly a thousand are accepted, with
 * the sequence numbers 1 to 1,000, on the wire and in the log. The same with two items, with an
 * unlimited one, and with every request sent twice.
 *
 *     e2e_hot_item CORES            HOLDFAST_ASKS=1000000
 *
 * Half of the asks travel in batches, the other half as single frames in flight together. */
#include "check.h"
#include "fixture.h"
#include "log_tool.h"
#include "raw_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS = 64,
    UNITS = 1000,
    ITEMS_MAX = 2,
    BATCH_ROWS = 256,
    SINGLES_IN_FLIGHT = 64,
};

/* What one item's accepted asks are seen to be. */
struct item_seen {
    uint64_t item_id;
    uint64_t accepted;
    uint64_t duplicates;
    uint64_t sold_out;
    uint64_t sequence_max;
    uint8_t *sequences; /* how often each was given out, up to the number of asks */
};

static struct {
    uint32_t core_count;
    uint64_t ask_count;
    uint64_t ask_count_max; /* the last round may ask some more */
    bool is_unlimited;
    bool is_twice;
    uint32_t item_count;
    struct item_seen items[ITEMS_MAX];
    uint64_t *sequence_of_ask; /* 0: not accepted */
    struct raw_client clients[CONNECTIONS];
} sale;

static struct raw_row ask_row(uint64_t ask)
{
    return (struct raw_row){
        .type = FRAME_RESERVE,
        .item_id = sale.items[ask % sale.item_count].item_id,
        .id_high = 0x407,
        .id_low = ask + 1,
        .buyer_id = ask + 1,
        .quantity = 1,
    };
}

static void note_accepted(struct item_seen *item, uint64_t ask, const struct raw_answer *answer)
{
    const uint64_t sequence = answer->sequence;
    check_must(sequence >= 1 && sequence <= sale.ask_count_max, "sequence %" PRIu64, sequence);
    item->accepted++;
    item->sequences[sequence]++;
    if (sequence > item->sequence_max)
        item->sequence_max = sequence;
    check(sale.sequence_of_ask[ask] == 0 || sale.sequence_of_ask[ask] == sequence,
          "ask %" PRIu64 " was accepted twice", ask);
    sale.sequence_of_ask[ask] = sequence;
    const int64_t available = sale.is_unlimited ? -1 : UNITS - (int64_t)sequence;
    check(answer->available == available && answer->quantity == 1,
          "sequence %" PRIu64 " with %" PRId64 " available", sequence, answer->available);
}

static void note_answer(uint64_t ask, const struct raw_answer *answer)
{
    struct item_seen *item = &sale.items[ask % sale.item_count];
    switch ((int)answer->result) {
    case RESULT(OK):
        note_accepted(item, ask, answer);
        break;
    case RESULT(DUPLICATE):
        item->duplicates++;
        check(sale.sequence_of_ask[ask] == 0 || sale.sequence_of_ask[ask] == answer->sequence,
              "ask %" PRIu64 ": the repeat has sequence %" PRIu64, ask, answer->sequence);
        sale.sequence_of_ask[ask] = answer->sequence;
        break;
    case RESULT(SOLD_OUT):
        item->sold_out++;
        check(answer->available == 0, "sold out with %" PRId64 " available", answer->available);
        check(sale.sequence_of_ask[ask] == 0, "ask %" PRIu64 " was accepted before", ask);
        break;
    default:
        check(false, "ask %" PRIu64 ": %s", ask, raw_result_name(answer->result));
    }
}

static void put_asks(struct raw_client *client, uint64_t first, uint32_t count, bool in_batch)
{
    static struct raw_row rows[BATCH_ROWS];
    for (uint32_t i = 0; i < count; i++)
        rows[i] = ask_row(first + i);
    if (in_batch) {
        raw_put_batch(client, RAW_SHORT, rows, count);
    } else {
        for (uint32_t i = 0; i < count; i++)
            raw_put_row(client, &rows[i]);
    }
    check_must(raw_flush(client), "the connection broke");
}

static void take_answers(struct raw_client *client, uint64_t first, uint32_t count, bool in_batch)
{
    static struct raw_answer answers[BATCH_ROWS];
    struct raw_frame frame;
    const uint32_t frames = in_batch ? 1 : count;
    const uint64_t first_request = client->last_request_id + 1 - frames;
    for (uint32_t i = 0; i < frames; i++) {
        const enum raw_status status = raw_receive(client, &frame, RAW_TIMEOUT_MS);
        check_must(status == RAW_OK, "status %d instead of an answer", status);
        const uint32_t rows = raw_answers(client, &frame, answers, BATCH_ROWS);
        check_must(rows == (in_batch ? count : 1), "%u answers, frame type %u", rows, frame.type);
        for (uint32_t row = 0; row < rows; row++)
            note_answer(first + (frame.request_id - first_request) + row, &answers[row]);
    }
}

/* Every connection sends, then every one takes its answers. With everything sent twice, neighbours
 * send the same. */
static void run_round(uint64_t first, uint32_t count, uint32_t connection_count, bool in_batch)
{
    const uint32_t share = sale.is_twice ? 2 : 1;
    for (uint32_t i = 0; i < connection_count; i++)
        put_asks(&sale.clients[i], first + (uint64_t)(i / share) * count, count, in_batch);
    for (uint32_t i = 0; i < connection_count; i++)
        take_answers(&sale.clients[i], first + (uint64_t)(i / share) * count, count, in_batch);
}

static uint64_t run_asks(void)
{
    const uint32_t share = sale.is_twice ? 2 : 1;
    uint64_t asked = 0;
    for (uint32_t round = 0; asked < sale.ask_count; round++) {
        const bool in_batch = round % 5 == 0; /* four rounds of singles ask as much */
        const uint32_t count = in_batch ? BATCH_ROWS : SINGLES_IN_FLIGHT;
        run_round(asked, count, CONNECTIONS, in_batch);
        asked += (uint64_t)count * CONNECTIONS / share;
    }
    return asked;
}

struct log_seen {
    uint64_t held[ITEMS_MAX];
};

static void note_record(void *context, const struct log_tool_record *record)
{
    struct log_seen *seen = context;
    if (strcmp(record->type, "HELD") != 0)
        return;
    for (uint32_t i = 0; i < sale.item_count; i++) {
        if (record->item_id != sale.items[i].item_id)
            continue;
        seen->held[i]++;
        check(record->sequence == seen->held[i], "record %" PRIu64 " has sequence %" PRIu64,
              seen->held[i], record->sequence);
    }
}

static void check_log(const char *data)
{
    struct log_seen seen = {0};
    if (!log_tool_is_built()) {
        check_note("the log was not looked at: holdfast-log has not been built");
        return;
    }
    log_tool_cat(data, note_record, &seen);
    for (uint32_t i = 0; i < sale.item_count; i++)
        check(seen.held[i] == sale.items[i].accepted,
              "%" PRIu64 " holds in the log, %" PRIu64 " accepted", seen.held[i],
              sale.items[i].accepted);
}

static void check_item(const struct item_seen *item, uint64_t asked)
{
    const uint64_t expected = sale.is_unlimited ? asked / sale.item_count : UNITS;
    check(item->accepted == expected, "%" PRIu64 " accepted, expected %" PRIu64, item->accepted,
          expected);
    check(item->sequence_max == item->accepted, "the last sequence is %" PRIu64,
          item->sequence_max);
    for (uint64_t sequence = 1; sequence <= item->accepted; sequence++)
        check(item->sequences[sequence] == 1, "sequence %" PRIu64 " was given out %u times",
              sequence, item->sequences[sequence]);
    if (sale.is_twice)
        check(item->duplicates == item->accepted, "%" PRIu64 " duplicates", item->duplicates);

    const struct raw_item_answer now = raw_item_get(&sale.clients[0], item->item_id);
    check(now.result == RESULT(OK) && now.held == item->accepted && now.sold == 0 &&
              now.next_sequence == item->accepted + 1 &&
              now.available == (sale.is_unlimited ? -1 : 0),
          "available %" PRId64 " held %" PRIu64 " next sequence %" PRIu64, now.available, now.held,
          now.next_sequence);
}

static void make_items(uint32_t core_count)
{
    uint64_t item_id = 0;
    for (uint32_t i = 0; i < sale.item_count; i++) {
        do /* the two on different cores, where there are two */
            item_id++;
        while (raw_core_of(item_id, core_count) != i % core_count);
        sale.items[i].item_id = item_id;
        raw_item_make(&sale.clients[0], item_id, sale.is_unlimited ? -1 : UNITS);
    }
}

static void run_sale(const char *situation, uint32_t item_count, bool is_unlimited, bool is_twice)
{
    static const char *const more[] = {"--max-reservations", "2200000", NULL};
    struct fixture fixture;
    const uint64_t asks_max = sale.ask_count + CONNECTIONS * BATCH_ROWS;
    sale.ask_count_max = asks_max;
    check_situation(situation);
    fixture_init(&fixture, "hot_item", sale.core_count, more);
    fixture_start(&fixture);
    sale.item_count = item_count;
    sale.is_unlimited = is_unlimited;
    sale.is_twice = is_twice;
    sale.sequence_of_ask = calloc(asks_max, sizeof *sale.sequence_of_ask);
    for (uint32_t i = 0; i < item_count; i++)
        sale.items[i] = (struct item_seen){.sequences = calloc(asks_max + 1, 1)};
    for (uint32_t i = 0; i < CONNECTIONS; i++) /* half where the system puts them */
        raw_open(&sale.clients[i], fixture.server.port,
                 i % 2 == 0 ? -1 : (int)(i / 2 % sale.core_count));
    make_items(sale.core_count);

    const double start_ms = check_now_ms();
    const uint64_t asked = run_asks();
    const double seconds = (check_now_ms() - start_ms) / 1000;
    const uint64_t sent = is_twice ? asked * 2 : asked;
    check_note("%" PRIu64 " requests in %.2f s: %.0f a second", sent, seconds,
               (double)sent / seconds);
    if (!check_is_sanitized())
        check(seconds < 60, "it took %.1f s", seconds);
    for (uint32_t i = 0; i < item_count; i++)
        check_item(&sale.items[i], asked);

    for (uint32_t i = 0; i < CONNECTIONS; i++)
        raw_close(&sale.clients[i]);
    server_stop(&fixture.server);
    check_log(fixture.data);
    for (uint32_t i = 0; i < item_count; i++)
        free(sale.items[i].sequences);
    free(sale.sequence_of_ask);
    if (check_failures() == 0)
        scratch_remove(fixture.scratch);
    else
        check_note("the data directory is kept: %s", fixture.data);
}

int main(int argc, char **argv)
{
    sale.core_count = fixture_core_count(argc, argv);
    sale.ask_count = fixture_size("HOLDFAST_ASKS", 1000000, 40000);
    run_sale("one_item_gives_out_exactly_its_units", 1, false, false);
    run_sale("two_items_give_out_exactly_their_units", 2, false, false);
    run_sale("unlimited_item_accepts_everything_without_a_gap", 1, true, false);
    run_sale("every_request_sent_twice_holds_once", 1, false, true);
    return check_finish();
}
