/* After the restart: what the clients know is compared with what the server says now. */
#include "check.h"
#include "crash_load_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VERIFY_ROWS = 1000 };

static bool is_read_only; /* the server that is looked at can't record */

/* The state that the operation in flight leads to. */
static uint8_t state_after(uint8_t type)
{
    return type == FRAME_CONFIRM  ? STATE(CONFIRMED)
           : type == FRAME_CANCEL ? STATE(CANCELLED)
                                  : STATE(HELD);
}

static bool may_be(const struct reservation *r, const struct raw_answer *now, uint64_t now_ms)
{
    if (now->result == RESULT(UNKNOWN_RESERVATION))
        return r->state == 0;
    if (now->result != RESULT(OK))
        return false;
    if (crash_load_is_ended(r->state))
        return now->state == r->state && now->quantity_confirmed == r->quantity_confirmed;
    if (r->state == 0 && r->in_flight != FRAME_RESERVE)
        return false; /* it was refused */
    if (now->state == STATE(EXPIRED))
        return now->expires_ms <= now_ms && now->expires_ms >= r->expires_ms;
    if (now->expires_ms != r->expires_ms && r->state == STATE(HELD) &&
        !(r->in_flight == FRAME_EXTEND && now->expires_ms == r->in_flight_expires_ms))
        return false;
    if (now->state == STATE(HELD))
        return true;
    return r->in_flight != 0 && now->state == state_after(r->in_flight) &&
           (now->state != STATE(CONFIRMED) ||
            now->quantity_confirmed ==
                (r->in_flight_quantity != 0 ? r->in_flight_quantity : r->quantity));
}

static void check_reservation(uint32_t index, const struct raw_answer *now, uint64_t now_ms)
{
    struct reservation *r = &crash_load.reservations[index];
    check(may_be(r, now, now_ms),
          "reservation %u: %s, state %u, %u confirmed, expires %" PRIu64
          "; certain was state %u, %u confirmed, expires %" PRIu64 ", in flight operation %u",
          index, raw_result_name(now->result), now->state, now->quantity_confirmed, now->expires_ms,
          r->state, r->quantity_confirmed, r->expires_ms, r->in_flight);
    if (now->result != RESULT(OK))
        return;
    check(r->sequence == 0 || now->sequence == r->sequence,
          "reservation %u: sequence %" PRIu64 ", was %" PRIu64, index, now->sequence, r->sequence);
    check(now->quantity == r->quantity && now->buyer_id == r->buyer_id && now->user_data == index,
          "reservation %u: quantity %u buyer %" PRIu64 " user_data %" PRIu64, index, now->quantity,
          now->buyer_id, now->user_data);
    crash_load.happened_in_flight += r->state != now->state && r->was_in_flight_at_crash;
    r->state = (uint8_t)now->state;
    r->sequence = now->sequence;
    r->expires_ms = now->expires_ms;
    r->quantity_confirmed = now->quantity_confirmed;
}

/* Whoever meets an overdue hold records its expiry; without room for that the answer is READ_ONLY,
 * to a Get as well. */
static bool is_left_overdue(const struct reservation *r, const struct raw_answer *now,
                            uint64_t now_ms)
{
    return is_read_only && now->result == RESULT(READ_ONLY) &&
           (r->state == STATE(HELD) ? r->expires_ms <= now_ms : r->in_flight == FRAME_RESERVE);
}

/* Looks at some reservations in one frame. Returns how many are past their deadline and still held:
 * their expiry is a moment late. */
static uint32_t look_at(struct raw_client *client, const uint32_t *indexes, uint32_t count)
{
    static struct raw_row rows[VERIFY_ROWS];
    static struct raw_answer answers[VERIFY_ROWS];
    uint32_t late = 0;
    for (uint32_t i = 0; i < count; i++)
        rows[i] = crash_load_row(indexes[i], FRAME_GET);
    const uint64_t before_ms = raw_now_ms(client);
    raw_rows(client, RAW_SHORT, rows, count, answers);
    const uint64_t after_ms = raw_now_ms(client);
    for (uint32_t i = 0; i < count; i++) {
        if (is_left_overdue(&crash_load.reservations[indexes[i]], &answers[i], after_ms))
            continue;
        check_reservation(indexes[i], &answers[i], after_ms);
        late += answers[i].state == STATE(HELD) && answers[i].expires_ms < before_ms;
    }
    return late;
}

/* Looks at the round's reservations, those held, those in flight, and a share of the others; in the
 * last round at all. */
static uint32_t look_at_reservations(struct raw_client *client)
{
    static uint32_t indexes[VERIFY_ROWS];
    uint32_t count = 0, late = 0;
    for (uint32_t i = 0; i < crash_load.reservation_count; i++) {
        const struct reservation *r = &crash_load.reservations[i];
        if (i < crash_load.round_first && r->state != STATE(HELD) && r->in_flight == 0 &&
            crash_load.round != crash_load.options.rounds && crash_load_chance(20) != 0)
            continue;
        indexes[count++] = i;
        if (count == VERIFY_ROWS) {
            late += look_at(client, indexes, count);
            count = 0;
        }
    }
    return late + (count > 0 ? look_at(client, indexes, count) : 0);
}

/* Short holds are let run out first, so that nothing changes while the books are read. */
static void wait_for_short_holds(struct raw_client *client)
{
    uint64_t last_ms = 0;
    const uint64_t now_ms = raw_now_ms(client);
    for (uint32_t i = crash_load.round_first; i < crash_load.reservation_count; i++) {
        const uint64_t expires_ms = crash_load.reservations[i].expires_ms;
        if (expires_ms > last_ms && expires_ms < now_ms + 10 * SHORT_HOLD_MS_MAX)
            last_ms = expires_ms;
    }
    if (last_ms < now_ms + SHORT_HOLD_MS_MAX) /* some may be held that nobody was told of */
        last_ms = now_ms + SHORT_HOLD_MS_MAX;
    while (raw_now_ms(client) <= last_ms)
        check_sleep_ms(2);
}

/* The sums that the reservations of one item come to. */
struct sums {
    uint64_t held, sold, count, sequence_max;
    uint32_t buyer_units[BUYERS + 1];
};

static void add_up(uint32_t item_index, struct sums *sums, uint8_t *sequence_seen)
{
    *sums = (struct sums){0};
    memset(sequence_seen, 0, crash_load.reservation_count + 2);
    for (uint32_t i = 0; i < crash_load.reservation_count; i++) {
        const struct reservation *r = &crash_load.reservations[i];
        if (r->item != item_index || r->state == 0)
            continue;
        const uint32_t held = r->state == STATE(HELD) ? r->quantity : 0;
        const uint32_t sold = r->state == STATE(CONFIRMED) ? r->quantity_confirmed : 0;
        sums->held += held;
        sums->sold += sold;
        sums->buyer_units[r->buyer_id] += held + sold;
        sums->count++;
        if (r->sequence > sums->sequence_max)
            sums->sequence_max = r->sequence;
        check_must(r->sequence >= 1 && r->sequence <= crash_load.reservation_count,
                   "reservation %u has sequence %" PRIu64, i, r->sequence);
        check(!sequence_seen[r->sequence], "item %u: sequence %" PRIu64 " was given out twice",
              item_index + 1, r->sequence);
        sequence_seen[r->sequence] = true;
    }
}

static struct raw_item_answer look_at_item(struct raw_client *client, struct item *item)
{
    const struct raw_item_answer now = raw_item_get(client, item->item_id);
    check(now.result == RESULT(OK), "item %" PRIu64 ": %s", item->item_id,
          raw_result_name(now.result));
    check(now.next_sequence >= item->next_sequence_seen && now.sold >= item->sold_seen &&
              (item->kind != ONE_WAY || now.available <= item->available_seen_min),
          "item %" PRIu64 " fell behind what was seen: next sequence %" PRIu64 " after %" PRIu64
          ", sold %" PRIu64 " after %" PRIu64 ", available %" PRId64 " after %" PRId64,
          item->item_id, now.next_sequence, item->next_sequence_seen, now.sold, item->sold_seen,
          now.available, item->available_seen_min);
    crash_load_note_item(item, &now);
    return now;
}

static void check_item(struct raw_client *client, uint32_t item_index, uint8_t *sequence_seen)
{
    struct item *item = &crash_load.items[item_index];
    const struct raw_item_answer now = look_at_item(client, item);
    struct sums sums;
    add_up(item_index, &sums, sequence_seen);
    check(sums.held == now.held && sums.sold == now.sold,
          "item %" PRIu64 ": held %" PRIu64 " sold %" PRIu64 ", its reservations sum up to %" PRIu64
          " and %" PRIu64,
          item->item_id, now.held, now.sold, sums.held, sums.sold);
    check(sums.count == sums.sequence_max && now.next_sequence == sums.count + 1,
          "item %" PRIu64 ": %" PRIu64 " reservations, last sequence %" PRIu64
          ", next sequence %" PRIu64,
          item->item_id, sums.count, sums.sequence_max, now.next_sequence);
    for (uint32_t buyer = 1; item->kind == MIXED_BUYER_LIMIT && buyer <= BUYERS; buyer++)
        check(sums.buyer_units[buyer] <= BUYER_LIMIT, "buyer %u has %u units", buyer,
              sums.buyer_units[buyer]);
}

/* Old one-way items can't change any more: looked at now and then. */
static void check_items(struct raw_client *client)
{
    uint8_t *sequence_seen = malloc(crash_load.reservation_count + 2);
    for (uint32_t i = 0; i < crash_load.item_count; i++)
        if (i < MIXED_ITEMS || i + 3 * ONE_WAY_ITEMS_PER_ROUND >= crash_load.item_count ||
            crash_load.round == crash_load.options.rounds || crash_load_chance(20) == 0)
            check_item(client, i, sequence_seen);
    free(sequence_seen);
}

/* A client that lost the answer asks again, with the same id: it gets the first answer, or the
 * operation is done now. Never twice. */
static void repeat_what_was_in_flight(struct raw_client *client)
{
    for (uint32_t i = 0; i < crash_load.reservation_count; i++) {
        struct reservation *r = &crash_load.reservations[i];
        if (!r->was_in_flight_at_crash)
            continue;
        r->was_in_flight_at_crash = false;
        const uint8_t type = r->in_flight, state = r->state;
        const struct raw_row row = crash_load_row(i, type);
        const struct raw_answer answer = raw_one(client, &row);
        if (type == FRAME_RESERVE)
            check((answer.result == RESULT(DUPLICATE)) == (state != 0),
                  "reservation %u in state %u: the repeated reserve is answered %s", i, state,
                  raw_result_name(answer.result));
        if (type == FRAME_CONFIRM && state == STATE(CONFIRMED))
            check(answer.result == RESULT(DUPLICATE), "reservation %u: repeated confirm %s", i,
                  raw_result_name(answer.result));
        if (type == FRAME_CANCEL && state == STATE(CANCELLED))
            check(answer.result == RESULT(DUPLICATE), "reservation %u: repeated cancel %s", i,
                  raw_result_name(answer.result));
        crash_load_note_answer(i, type, state, &answer);
    }
}

void crash_load_audit(void)
{
    struct raw_client client;
    raw_open(&client, crash_load.options.fixture->server.port, -1);
    wait_for_short_holds(&client);
    const double give_up_ms = check_now_ms() + 20000;
    while (look_at_reservations(&client) > 0 && check_now_ms() < give_up_ms)
        check_sleep_ms(5);
    check(check_now_ms() < give_up_ms, "holds past their deadline do not expire");
    check_items(&client);
    repeat_what_was_in_flight(&client);
    raw_close(&client);

    crash_load.held_count = 0; /* the next round goes on with what is held now */
    for (uint32_t i = 0; i < crash_load.reservation_count; i++) {
        crash_load.reservations[i].held_place = 0;
        crash_load.reservations[i].in_flight = 0;
        if (crash_load.reservations[i].state == STATE(HELD))
            crash_load_add_held(i);
    }
}

void crash_load_audit_read_only(void)
{
    struct raw_client client;
    raw_open(&client, crash_load.options.fixture->server.port, -1);
    is_read_only = true;
    look_at_reservations(&client);
    for (uint32_t i = 0; i < crash_load.item_count; i++)
        look_at_item(&client, &crash_load.items[i]);
    is_read_only = false;
    raw_close(&client);
}
