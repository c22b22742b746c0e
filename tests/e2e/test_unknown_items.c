/* A million asks for items that don't exist: all are refused where they arrive, by the bloom filter
 * in front of the tables. How often it lets one through is measured with as many items as it is
 * made for (--max-items) and with twice as many, which several cores can hold.
 *
 *     e2e_unknown_items CORES       HOLDFAST_UNKNOWN=1000000
 */
#include "check.h"
#include "fixture.h"
#include "raw_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CORES_MAX = 64,
    BATCH_ROWS = 4096,
    CREATES_IN_FLIGHT = 64,
};
#define MISSED_RATE_MAX 0.01 /* at the design size */

static struct {
    uint32_t core_count;
    uint32_t design_items;
    uint64_t unknown_count;
    uint64_t next_item_id;
    struct raw_client clients[CORES_MAX]; /* one to each core */
} door;

/* The known ids are a plain row of numbers, the unknown ones have the highest bit. */
static void create_items(uint32_t count)
{
    struct raw_client *client = &door.clients[0];
    struct raw_frame frame;
    for (uint32_t made = 0; made < count; made += CREATES_IN_FLIGHT) {
        const uint32_t now = count - made < CREATES_IN_FLIGHT ? count - made : CREATES_IN_FLIGHT;
        for (uint32_t i = 0; i < now; i++) {
            raw_settings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
            Holdfast__V1__ItemCreateRequest request = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
            settings.item_id = door.next_item_id++;
            settings.stock = 1;
            request.settings = &settings;
            raw_put(client, FRAME_ITEM_CREATE, &request.base);
        }
        raw_flush(client);
        for (uint32_t i = 0; i < now; i++) {
            check_must(raw_receive(client, &frame, RAW_TIMEOUT_MS) == RAW_OK, "no reply");
            check_must(frame.type == FRAME_ITEM_CREATE + FRAME_REPLY, "type %u", frame.type);
            const Holdfast__V1__ItemResponse *response = raw_decode(client, &frame);
            check_must(response != NULL && response->result == RESULT(OK), "create: %s",
                       response != NULL ? raw_result_name(response->result) : "?");
        }
    }
}

static void ask_unknown(uint64_t salt)
{
    static struct raw_row rows[BATCH_ROWS];
    static struct raw_answer answers[BATCH_ROWS];
    static const uint8_t types[] = {FRAME_RESERVE, FRAME_GET, FRAME_CONFIRM};
    uint64_t asked = 0;
    for (uint32_t batch = 0; asked < door.unknown_count; batch++) {
        const uint64_t left = door.unknown_count - asked;
        const uint32_t count = left < BATCH_ROWS ? (uint32_t)left : BATCH_ROWS;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = (struct raw_row){
                .type = types[batch % (sizeof types)],
                .item_id = 1ull << 63 | salt << 40 | (asked + i),
                .id_high = 1,
                .id_low = asked + i + 1,
                .quantity = 1,
            };
        raw_rows(&door.clients[batch % door.core_count], RAW_SHORT, rows, count, answers);
        for (uint32_t i = 0; i < count; i++)
            check(answers[i].result == RESULT(UNKNOWN_ITEM), "%s",
                  raw_result_name(answers[i].result));
        asked += count;
    }
}

/* Returns the share that the filter let through. */
static double measure(uint64_t salt)
{
    const raw_stat before = raw_stat_sum(&door.clients[0], false);
    const double start_ms = check_now_ms();
    ask_unknown(salt);
    const double seconds = (check_now_ms() - start_ms) / 1000;
    const raw_stat after = raw_stat_sum(&door.clients[0], false);
    const uint64_t filtered = after.rows_filtered - before.rows_filtered;
    const uint64_t missed = after.rows_filter_missed - before.rows_filter_missed;
    const uint64_t forwarded = after.rows_forwarded - before.rows_forwarded;
    check(filtered + missed == door.unknown_count,
          "%" PRIu64 " filtered and %" PRIu64 " missed of %" PRIu64, filtered, missed,
          door.unknown_count);
    check(forwarded <= missed, "%" PRIu64 " rows were handed over, %" PRIu64 " got past the filter",
          forwarded, missed);
    check(after.log_records == before.log_records, "refusals were written to the log");
    const double rate = (double)missed / (double)door.unknown_count;
    check_note("%" PRIu64 " items: %.3f %% of unknown ids pass the filter, %" PRIu64
               " rows handed over, %.0f asks a second",
               after.items, rate * 100, forwarded, (double)door.unknown_count / seconds);
    return rate;
}

int main(int argc, char **argv)
{
    char max_items[16];
    const char *const more[] = {"--max-items", max_items, NULL};
    struct fixture fixture;
    door.core_count = fixture_core_count(argc, argv);
    door.unknown_count = fixture_size("HOLDFAST_UNKNOWN", 1000000, 50000);
    door.design_items = (uint32_t)fixture_size("HOLDFAST_FILTER_ITEMS", 10000, 2000);
    door.next_item_id = 1;
    snprintf(max_items, sizeof max_items, "%u", door.design_items);
    fixture_init(&fixture, "unknown_items", door.core_count, more);
    fixture_start(&fixture);
    for (uint32_t i = 0; i < door.core_count; i++)
        raw_open(&door.clients[i], fixture.server.port, (int)i);

    check_situation("unknown_items_are_refused_where_they_arrive_at_the_design_size");
    create_items(door.design_items);
    check(measure(1) <= MISSED_RATE_MAX, "more than one in a hundred got past the filter");

    if (door.core_count >= 4) { /* no core may hold more than --max-items itself */
        check_situation("unknown_items_are_refused_at_double_the_design_size");
        create_items(door.design_items);
        measure(2);
    }
    for (uint32_t i = 0; i < door.core_count; i++)
        raw_close(&door.clients[i]);
    return fixture_finish(&fixture);
}
