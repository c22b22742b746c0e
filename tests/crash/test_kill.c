/* Kill -9 at random moments under load, restart, and compare everything with what the clients were
 * told: each acknowledged or observed fact is still true, nothing happened twice, the books add up.
 *
 *     crash_kill CORES              HOLDFAST_CRASH_ROUNDS=100 HOLDFAST_CRASH_SEED=1
 *
 * The load runs over several connections with many frames in flight and knows of each reservation
 * what is certain (acknowledged, or seen by a Get on another connection) and what is in flight.
 * After the restart each must be in the certain state or in the one that the operation in flight
 * leads to. The seed decides every choice and the moment of the kill; how far the server had come
 * by then is its own.
 *
 * Two kinds of items: on *mixed* ones holds are made, paid, cancelled, extended and left to expire.
 * On *one-way* ones holds are only made and paid, so that their available count only falls and each
 * count ever observed bounds it for good. */
#include "check.h"
#include "fixture.h"
#include "random.h"
#include "raw_client.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS = 7, /* the last one only looks */
    FRAMES_IN_FLIGHT = 16,
    FRAME_ROWS_MAX = 24,
    RESERVATIONS_PER_ROUND = 10000, /* when these are made the kill comes early */
    LOAD_MS_MAX = 60,
    MIXED_ITEMS = 9,
    ONE_WAY_ITEMS_PER_ROUND = 2,
    ONE_WAY_STOCK = 300,
    BUYERS = 200,
    BUYER_LIMIT = 5,
    SHORT_HOLD_MS_MAX = 150,
    LONG_HOLD_MS = 6 * 3600 * 1000,
    VERIFY_ROWS = 1000,
};

enum item_kind { MIXED_ROOMY, MIXED_TIGHT, MIXED_BUYER_LIMIT, ONE_WAY };

struct item {
    uint64_t item_id;
    enum item_kind kind;
    int64_t stock;
    /* the most that was ever seen */
    uint64_t next_sequence_seen;
    uint64_t sold_seen;
    int64_t available_seen_min; /* of one-way items */
};

/* What is certain of a reservation, and the operation in flight. `state` NONE: never seen. */
struct reservation {
    uint32_t item;
    uint32_t quantity;
    uint32_t quantity_confirmed;
    uint32_t buyer_id;
    uint64_t hold_ms;
    uint64_t sequence;
    uint64_t expires_ms;
    uint64_t in_flight_expires_ms;
    uint32_t in_flight_quantity;
    uint32_t held_place; /* in held[] + 1, or 0 */
    uint8_t state;
    uint8_t in_flight; /* frame type, or 0 */
    bool was_in_flight_at_kill;
};

struct frame_in_flight {
    uint64_t request_id; /* 0: free */
    uint8_t type;
    uint32_t row_count;
    uint32_t rows[FRAME_ROWS_MAX];       /* reservations, or the item */
    uint8_t states_then[FRAME_ROWS_MAX]; /* certain when it was sent */
};

struct connection {
    struct raw_client client;
    struct frame_in_flight frames[FRAMES_IN_FLIGHT];
    uint32_t frame_count;
};

static struct {
    struct fixture fixture;
    struct test_random random;
    uint64_t seed;
    uint32_t round;
    uint32_t rounds;
    struct connection connections[CONNECTIONS];
    struct item *items;
    uint32_t item_count;
    struct reservation *reservations;
    uint32_t reservation_count;
    uint32_t round_first; /* the round's first reservation */
    uint32_t *held;       /* reservations known to be held, with nothing in flight */
    uint32_t held_count;
    /* for people */
    uint64_t acknowledged, in_flight_at_kill, happened_in_flight;
} load;

static uint32_t chance(uint32_t below)
{
    return test_random_below(&load.random, below);
}

static void last_words(void)
{
    printf("round %u, seed %" PRIu64 "; the data directory is kept: %s\n"
           "again: HOLDFAST_CRASH_SEED=%" PRIu64 " HOLDFAST_CRASH_ROUNDS=%u crash_kill %u\n",
           load.round, load.seed, load.fixture.data, load.seed, load.rounds,
           load.fixture.options.cores);
}

/* ------------------------------------------------------------------------------------------------
 * Items
 * ---------------------------------------------------------------------------------------------- */

static void create_item(struct raw_client *client, enum item_kind kind, int64_t stock)
{
    struct item *item = &load.items[load.item_count];
    *item = (struct item){
        .item_id = load.item_count + 1,
        .kind = kind,
        .stock = stock,
        .available_seen_min = stock,
    };
    raw_settings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    settings.item_id = item->item_id;
    settings.stock = stock;
    settings.buyer_limit = kind == MIXED_BUYER_LIMIT ? BUYER_LIMIT : 0;
    settings.hold_ms = LONG_HOLD_MS;
    const struct raw_item_answer answer = raw_item_create(client, &settings);
    check_must(answer.result == RESULT(OK), "create item: %s", raw_result_name(answer.result));
    load.item_count++;
}

static void note_available(struct item *item, int64_t available)
{
    if (item->kind == ONE_WAY && available < item->available_seen_min)
        item->available_seen_min = available;
}

static void note_item(struct item *item, const struct raw_item_answer *now)
{
    check(now->result == RESULT(OK), "item %" PRIu64 ": %s", item->item_id,
          raw_result_name(now->result));
    check(now->available + (int64_t)(now->held + now->sold) == item->stock,
          "item %" PRIu64 ": available %" PRId64 " held %" PRIu64 " sold %" PRIu64
          " stock %" PRId64,
          item->item_id, now->available, now->held, now->sold, item->stock);
    if (now->next_sequence > item->next_sequence_seen)
        item->next_sequence_seen = now->next_sequence;
    if (now->sold > item->sold_seen)
        item->sold_seen = now->sold;
    note_available(item, now->available);
}

/* ------------------------------------------------------------------------------------------------
 * What the clients are told
 * ---------------------------------------------------------------------------------------------- */

static void held_add(uint32_t index)
{
    struct reservation *r = &load.reservations[index];
    if (r->held_place != 0)
        return;
    load.held[load.held_count++] = index;
    r->held_place = load.held_count;
}

static void held_remove(uint32_t index)
{
    struct reservation *r = &load.reservations[index];
    if (r->held_place == 0)
        return;
    const uint32_t last = load.held[--load.held_count];
    load.held[r->held_place - 1] = last;
    load.reservations[last].held_place = r->held_place;
    r->held_place = 0;
}

static bool is_ended(uint8_t state)
{
    return state == STATE(CONFIRMED) || state == STATE(CANCELLED) || state == STATE(EXPIRED);
}

/* Takes a state that was told as certain. Answers of several connections may be read in another
 * order than they were given, so HELD after an end is no news; but two different ends are a lie. */
static void note_state(uint32_t index, const struct raw_answer *answer)
{
    struct reservation *r = &load.reservations[index];
    const uint8_t state = (uint8_t)answer->state;
    check(r->sequence == 0 || answer->sequence == r->sequence,
          "reservation %u: sequence %" PRIu64 ", was %" PRIu64, index, answer->sequence,
          r->sequence);
    r->sequence = answer->sequence;
    if (is_ended(r->state)) {
        check(!is_ended(state) || state == r->state, "reservation %u: state %u, was %u", index,
              state, r->state);
        return;
    }
    r->state = state;
    if (answer->expires_ms > r->expires_ms)
        r->expires_ms = answer->expires_ms;
    if (state == STATE(CONFIRMED))
        r->quantity_confirmed = answer->quantity_confirmed;
    if (is_ended(state))
        held_remove(index);
    struct item *item = &load.items[r->item];
    if (answer->sequence + 1 > item->next_sequence_seen)
        item->next_sequence_seen = answer->sequence + 1;
}

static bool is_refusal(uint32_t result)
{
    return result == RESULT(SOLD_OUT) || result == RESULT(INSUFFICIENT) ||
           result == RESULT(BUYER_LIMIT);
}

/* What a Get says may be older than what other connections were told meanwhile, but not older than
 * what was certain when it was sent. */
static void note_look(uint32_t index, uint8_t state_then, const struct raw_answer *answer)
{
    const uint8_t state = answer->result == RESULT(OK) ? (uint8_t)answer->state : 0;
    check(answer->result == RESULT(OK) || answer->result == RESULT(UNKNOWN_RESERVATION),
          "reservation %u: Get says %s", index, raw_result_name(answer->result));
    check(is_ended(state_then) ? state == state_then : state_then == 0 || state != 0,
          "reservation %u was in state %u when it was asked about: Get says %s, state %u", index,
          state_then, raw_result_name(answer->result), state);
    if (state != 0)
        note_state(index, answer);
}

static void note_answer(uint32_t index, uint8_t type, uint8_t state_then,
                        const struct raw_answer *answer)
{
    struct reservation *r = &load.reservations[index];
    const uint32_t result = answer->result;
    load.acknowledged++;
    if (result == RESULT(OVERLOADED)) { /* nothing was done */
        if (r->state == STATE(HELD) && r->in_flight == type)
            held_add(index);
        r->in_flight = r->in_flight == type ? 0 : r->in_flight;
        return;
    }
    note_available(&load.items[r->item], answer->available);
    if (type == FRAME_GET) {
        note_look(index, state_then, answer);
        return;
    }
    r->in_flight = 0;
    switch ((int)result) {
    case RESULT(OK):
    case RESULT(DUPLICATE):
    case RESULT(EXPIRED):
        note_state(index, answer);
        if (r->state == STATE(HELD))
            held_add(index);
        break;
    default:
        check(type == FRAME_RESERVE && is_refusal(result) && r->state == 0,
              "reservation %u, operation %u: %s", index, type, raw_result_name(result));
    }
}

/* ------------------------------------------------------------------------------------------------
 * Load
 * ---------------------------------------------------------------------------------------------- */

static uint32_t new_reservation(void)
{
    const uint32_t index = load.reservation_count++;
    const uint32_t one_way = ONE_WAY_ITEMS_PER_ROUND;
    const bool is_one_way = chance(4) == 0;
    struct reservation *r = &load.reservations[index];
    *r = (struct reservation){
        .item = is_one_way ? load.item_count - 1 - chance(one_way) : chance(MIXED_ITEMS),
        .quantity = 1 + chance(3),
        .buyer_id = 1 + chance(BUYERS),
    };
    r->hold_ms = is_one_way || chance(4) != 0 ? 0 : 1 + chance(SHORT_HOLD_MS_MAX);
    return index;
}

static struct raw_row row_of(uint32_t index, uint8_t type)
{
    const struct reservation *r = &load.reservations[index];
    return (struct raw_row){
        .type = type,
        .item_id = load.items[r->item].item_id,
        .id_high = load.seed,
        .id_low = index + 1,
        .buyer_id = r->buyer_id,
        .user_data = index,
        .hold_ms = r->hold_ms,
        .quantity = type == FRAME_RESERVE ? r->quantity : r->in_flight_quantity,
        .expires_ms = r->in_flight_expires_ms,
    };
}

/* Takes a reservation for the operation; false when there is none to do it on. */
static bool take_for(uint8_t type, uint32_t *index_out)
{
    if (type == FRAME_GET) { /* any, so also those in flight on other connections */
        if (load.reservation_count == load.round_first)
            return false;
        *index_out = load.round_first + chance(load.reservation_count - load.round_first);
        return true;
    }
    if (type == FRAME_RESERVE) {
        if (load.reservation_count - load.round_first >= RESERVATIONS_PER_ROUND)
            return false;
        *index_out = new_reservation();
    } else {
        if (load.held_count == 0)
            return false;
        *index_out = load.held[chance(load.held_count)];
    }
    struct reservation *r = &load.reservations[*index_out];
    if (type != FRAME_RESERVE && type != FRAME_CONFIRM && load.items[r->item].kind == ONE_WAY)
        return false;
    held_remove(*index_out);
    r->in_flight = type;
    r->in_flight_quantity = 0;
    if (type == FRAME_CONFIRM && load.items[r->item].kind != ONE_WAY && chance(2) == 0)
        r->in_flight_quantity = 1 + chance(r->quantity);
    if (type == FRAME_EXTEND)
        r->in_flight_expires_ms = r->expires_ms + 1 + chance(2) * LONG_HOLD_MS;
    return true;
}

static uint8_t choose_type(bool is_observer)
{
    const uint32_t dice = chance(100);
    if (is_observer)
        return dice < 70 ? FRAME_GET : FRAME_ITEM_GET;
    return dice < 55   ? FRAME_RESERVE
           : dice < 75 ? FRAME_CONFIRM
           : dice < 90 ? FRAME_CANCEL
                       : FRAME_EXTEND;
}

static void put_frame(struct connection *connection, struct frame_in_flight *frame, uint8_t type)
{
    struct raw_row rows[FRAME_ROWS_MAX];
    frame->type = type;
    frame->row_count = 0;
    if (type == FRAME_ITEM_GET) {
        Holdfast__V1__ItemGetRequest request = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
        frame->rows[frame->row_count++] = chance(load.item_count);
        request.item_id = load.items[frame->rows[0]].item_id;
        frame->request_id = raw_put(&connection->client, type, &request.base);
        return;
    }
    const uint32_t wanted = chance(3) == 0 ? 1 : 1 + chance(FRAME_ROWS_MAX);
    while (frame->row_count < wanted && take_for(type, &frame->rows[frame->row_count])) {
        const uint32_t index = frame->rows[frame->row_count];
        rows[frame->row_count] = row_of(index, type);
        frame->states_then[frame->row_count++] = load.reservations[index].state;
    }
    if (frame->row_count == 0)
        return;
    if (frame->row_count == 1 && chance(2) == 0)
        frame->request_id = raw_put_row(&connection->client, &rows[0]);
    else
        frame->request_id = raw_put_batch(
            &connection->client, chance(2) == 0 ? RAW_COLUMNS : RAW_SHORT, rows, frame->row_count);
}

static void fill_window(struct connection *connection, bool is_observer)
{
    for (uint32_t i = 0; i < FRAMES_IN_FLIGHT; i++) {
        struct frame_in_flight *frame = &connection->frames[i];
        if (frame->request_id == 0)
            put_frame(connection, frame, choose_type(is_observer));
    }
    raw_flush(&connection->client);
}

static void take_reply(struct connection *connection, const struct raw_frame *reply)
{
    struct raw_answer answers[FRAME_ROWS_MAX];
    struct frame_in_flight *frame = connection->frames;
    while (frame < connection->frames + FRAMES_IN_FLIGHT && frame->request_id != reply->request_id)
        frame++;
    check_must(reply->request_id != 0 && frame < connection->frames + FRAMES_IN_FLIGHT,
               "a reply of type %u to nothing", reply->type);
    if (frame->type == FRAME_ITEM_GET) {
        const Holdfast__V1__ItemResponse *response = raw_decode(&connection->client, reply);
        check_must(response != NULL, "reply of type %u", reply->type);
        const struct raw_item_answer answer = raw_item_of(response);
        if (answer.result != RESULT(OVERLOADED))
            note_item(&load.items[frame->rows[0]], &answer);
    } else {
        const uint32_t count = raw_answers(&connection->client, reply, answers, FRAME_ROWS_MAX);
        check_must(count == frame->row_count, "%u answers to %u rows, type %u", count,
                   frame->row_count, reply->type);
        for (uint32_t i = 0; i < count; i++)
            note_answer(frame->rows[i], frame->type, frame->states_then[i], &answers[i]);
    }
    frame->request_id = 0;
}

/* Takes what has come. False when the connection has ended. */
static bool take_replies(struct connection *connection, int timeout_ms)
{
    struct raw_frame reply;
    enum raw_status status;
    while ((status = raw_receive(&connection->client, &reply, timeout_ms)) == RAW_OK)
        take_reply(connection, &reply);
    check(status != RAW_BROKEN, "bytes that are no frame");
    return status == RAW_TIMEOUT;
}

static bool is_load_over(double until_ms)
{
    return check_now_ms() >= until_ms ||
           load.reservation_count - load.round_first >= RESERVATIONS_PER_ROUND;
}

static void run_load(double for_ms)
{
    const double until_ms = check_now_ms() + for_ms;
    while (!is_load_over(until_ms)) {
        struct pollfd waits[CONNECTIONS];
        for (uint32_t i = 0; i < CONNECTIONS; i++) {
            fill_window(&load.connections[i], i == CONNECTIONS - 1);
            waits[i] = (struct pollfd){.fd = load.connections[i].client.fd, .events = POLLIN};
        }
        const double left_ms = until_ms - check_now_ms();
        poll(waits, CONNECTIONS, left_ms > 1 ? 1 : 0);
        for (uint32_t i = 0; i < CONNECTIONS; i++)
            check_must(take_replies(&load.connections[i], 0), "the server closed connection %u", i);
    }
}

/* What stands in the sockets was sent before the kill: it counts. */
static void take_last_replies(void)
{
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &load.connections[i];
        check(!take_replies(connection, 5000), "connection %u outlived the server", i);
        raw_close(&connection->client);
        memset(connection->frames, 0, sizeof connection->frames);
    }
    for (uint32_t i = 0; i < load.reservation_count; i++) {
        struct reservation *r = &load.reservations[i];
        r->was_in_flight_at_kill = r->in_flight != 0;
        load.in_flight_at_kill += r->was_in_flight_at_kill;
    }
}

/* ------------------------------------------------------------------------------------------------
 * After the restart
 * ---------------------------------------------------------------------------------------------- */

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
    if (is_ended(r->state))
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
    struct reservation *r = &load.reservations[index];
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
    load.happened_in_flight += r->state != now->state && r->was_in_flight_at_kill;
    r->state = (uint8_t)now->state;
    r->sequence = now->sequence;
    r->expires_ms = now->expires_ms;
    r->quantity_confirmed = now->quantity_confirmed;
}

/* Looks at some reservations in one frame. Returns how many are past their deadline and still held:
 * their expiry is a moment late. */
static uint32_t look_at(struct raw_client *client, const uint32_t *indexes, uint32_t count)
{
    static struct raw_row rows[VERIFY_ROWS];
    static struct raw_answer answers[VERIFY_ROWS];
    uint32_t late = 0;
    for (uint32_t i = 0; i < count; i++)
        rows[i] = row_of(indexes[i], FRAME_GET);
    const uint64_t before_ms = raw_now_ms(client);
    raw_rows(client, RAW_SHORT, rows, count, answers);
    const uint64_t after_ms = raw_now_ms(client);
    for (uint32_t i = 0; i < count; i++) {
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
    for (uint32_t i = 0; i < load.reservation_count; i++) {
        const struct reservation *r = &load.reservations[i];
        if (i < load.round_first && r->state != STATE(HELD) && r->in_flight == 0 &&
            load.round != load.rounds && chance(20) != 0)
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
    for (uint32_t i = load.round_first; i < load.reservation_count; i++) {
        const uint64_t expires_ms = load.reservations[i].expires_ms;
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
    memset(sequence_seen, 0, load.reservation_count + 2);
    for (uint32_t i = 0; i < load.reservation_count; i++) {
        const struct reservation *r = &load.reservations[i];
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
        check_must(r->sequence >= 1 && r->sequence <= load.reservation_count,
                   "reservation %u has sequence %" PRIu64, i, r->sequence);
        check(!sequence_seen[r->sequence], "item %u: sequence %" PRIu64 " was given out twice",
              item_index + 1, r->sequence);
        sequence_seen[r->sequence] = true;
    }
}

static void check_item(struct raw_client *client, uint32_t item_index, uint8_t *sequence_seen)
{
    struct item *item = &load.items[item_index];
    struct sums sums;
    const struct raw_item_answer now = raw_item_get(client, item->item_id);
    check(now.result == RESULT(OK), "item %" PRIu64 ": %s", item->item_id,
          raw_result_name(now.result));
    check(now.next_sequence >= item->next_sequence_seen && now.sold >= item->sold_seen &&
              (item->kind != ONE_WAY || now.available <= item->available_seen_min),
          "item %" PRIu64 " fell behind what was seen: next sequence %" PRIu64 " after %" PRIu64
          ", sold %" PRIu64 " after %" PRIu64 ", available %" PRId64 " after %" PRId64,
          item->item_id, now.next_sequence, item->next_sequence_seen, now.sold, item->sold_seen,
          now.available, item->available_seen_min);
    note_item(item, &now);
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
    uint8_t *sequence_seen = malloc(load.reservation_count + 2);
    for (uint32_t i = 0; i < load.item_count; i++)
        if (i < MIXED_ITEMS || i + 3 * ONE_WAY_ITEMS_PER_ROUND >= load.item_count ||
            load.round == load.rounds || chance(20) == 0)
            check_item(client, i, sequence_seen);
    free(sequence_seen);
}

/* A client that lost the answer asks again, with the same id: it gets the first answer, or the
 * operation is done now. Never twice. */
static void repeat_what_was_in_flight(struct raw_client *client)
{
    for (uint32_t i = 0; i < load.reservation_count; i++) {
        struct reservation *r = &load.reservations[i];
        if (!r->was_in_flight_at_kill)
            continue;
        r->was_in_flight_at_kill = false;
        const uint8_t type = r->in_flight, state = r->state;
        const struct raw_row row = row_of(i, type);
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
        note_answer(i, type, state, &answer);
    }
}

static void verify(void)
{
    struct raw_client client;
    raw_open(&client, load.fixture.server.port, -1);
    wait_for_short_holds(&client);
    const double give_up_ms = check_now_ms() + 20000;
    while (look_at_reservations(&client) > 0 && check_now_ms() < give_up_ms)
        check_sleep_ms(5);
    check(check_now_ms() < give_up_ms, "holds past their deadline do not expire");
    check_items(&client);
    repeat_what_was_in_flight(&client);
    raw_close(&client);

    load.held_count = 0; /* the next round goes on with what is held now */
    for (uint32_t i = 0; i < load.reservation_count; i++) {
        load.reservations[i].held_place = 0;
        load.reservations[i].in_flight = 0;
        if (load.reservations[i].state == STATE(HELD))
            held_add(i);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Rounds
 * ---------------------------------------------------------------------------------------------- */

static void open_connections(void)
{
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        const uint32_t cores = load.fixture.options.cores;
        raw_open(&load.connections[i].client, load.fixture.server.port,
                 i % 2 == 0 ? -1 : (int)(i / 2 % cores));
    }
    for (int i = 0; i < ONE_WAY_ITEMS_PER_ROUND; i++)
        create_item(&load.connections[0].client, ONE_WAY, ONE_WAY_STOCK);
}

/* Now and then the restart is killed as well, in the middle of its loading. */
static void restart(void)
{
    while (chance(6) == 0) {
        server_spawn(&load.fixture.server, &load.fixture.options, load.fixture.scratch);
        check_sleep_ms(chance(40));
        server_kill(&load.fixture.server);
    }
    fixture_start(&load.fixture);
}

static void run_round(void)
{
    test_random_init(&load.random, load.seed * 1000003 + load.round);
    load.round_first = load.reservation_count;
    open_connections();
    run_load(2 + chance(LOAD_MS_MAX));
    server_kill(&load.fixture.server);
    take_last_replies();
    restart();
    verify();
}

int main(int argc, char **argv)
{
    static const char *const more[] = {"--max-items", "10k", "--max-reservations", "2M", NULL};
    const uint32_t core_count = fixture_core_count(argc, argv);
    load.seed = fixture_size("HOLDFAST_CRASH_SEED", 1, 1);
    load.rounds = (uint32_t)fixture_size("HOLDFAST_CRASH_ROUNDS", 20, 3);
    const uint32_t reservations_max = (load.rounds + 1) * RESERVATIONS_PER_ROUND;
    load.reservations = calloc(reservations_max, sizeof *load.reservations);
    load.held = calloc(reservations_max, sizeof *load.held);
    load.items =
        calloc(MIXED_ITEMS + ONE_WAY_ITEMS_PER_ROUND * (load.rounds + 1), sizeof *load.items);
    check_must(load.reservations && load.held && load.items, "out of memory");
    fixture_init(&load.fixture, "crash_kill", core_count, more);
    check_on_give_up(last_words);
    fixture_start(&load.fixture);

    struct raw_client client;
    raw_open(&client, load.fixture.server.port, -1);
    for (int i = 0; i < MIXED_ITEMS; i++)
        create_item(&client,
                    i % 3 == 0   ? MIXED_ROOMY
                    : i % 3 == 1 ? MIXED_TIGHT
                                 : MIXED_BUYER_LIMIT,
                    i % 3 == 1 ? 200 : 1000000);
    raw_close(&client);

    check_situation("what_was_acknowledged_or_seen_survives_kill_at_any_moment");
    for (load.round = 1; load.round <= load.rounds && check_failures() == 0; load.round++)
        run_round();
    if (check_failures() > 0) {
        load.round--;
        last_words();
    }
    check_note("%u kills with seed %" PRIu64 ": %u reservations, %" PRIu64 " answers, %" PRIu64
               " operations in flight, %" PRIu64 " of them had happened",
               load.rounds, load.seed, load.reservation_count, load.acknowledged,
               load.in_flight_at_kill, load.happened_in_flight);
    const int exit_code = fixture_finish(&load.fixture);
    free(load.reservations);
    free(load.held);
    free(load.items);
    return exit_code;
}
