#include "crash_load.h"

#include "check.h"
#include "crash_load_state.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct crash_load crash_load;

uint32_t crash_load_chance(uint32_t below)
{
    return test_random_below(&crash_load.random, below);
}

/* ------------------------------------------------------------------------------------------------
 * Items
 * ---------------------------------------------------------------------------------------------- */

static void create_item(struct raw_client *client, enum item_kind kind, int64_t stock)
{
    struct item *item = &crash_load.items[crash_load.item_count];
    *item = (struct item){
        .item_id = crash_load.item_count + 1,
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
    crash_load.item_count++;
}

static void note_available(struct item *item, int64_t available)
{
    if (item->kind == ONE_WAY && available < item->available_seen_min)
        item->available_seen_min = available;
}

void crash_load_note_item(struct item *item, const struct raw_item_answer *now)
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

void crash_load_add_held(uint32_t index)
{
    struct reservation *r = &crash_load.reservations[index];
    if (r->held_place != 0)
        return;
    crash_load.held[crash_load.held_count++] = index;
    r->held_place = crash_load.held_count;
}

static void held_remove(uint32_t index)
{
    struct reservation *r = &crash_load.reservations[index];
    if (r->held_place == 0)
        return;
    const uint32_t last = crash_load.held[--crash_load.held_count];
    crash_load.held[r->held_place - 1] = last;
    crash_load.reservations[last].held_place = r->held_place;
    r->held_place = 0;
}

bool crash_load_is_ended(uint8_t state)
{
    return state == STATE(CONFIRMED) || state == STATE(CANCELLED) || state == STATE(EXPIRED);
}

/* Takes a state that was told as certain. Answers of several connections may be read in another
 * order than they were given, so HELD after an end is no news; but two different ends are a lie. */
static void note_state(uint32_t index, const struct raw_answer *answer)
{
    struct reservation *r = &crash_load.reservations[index];
    const uint8_t state = (uint8_t)answer->state;
    check(r->sequence == 0 || answer->sequence == r->sequence,
          "reservation %u: sequence %" PRIu64 ", was %" PRIu64, index, answer->sequence,
          r->sequence);
    r->sequence = answer->sequence;
    if (crash_load_is_ended(r->state)) {
        check(!crash_load_is_ended(state) || state == r->state, "reservation %u: state %u, was %u",
              index, state, r->state);
        return;
    }
    r->state = state;
    if (answer->expires_ms > r->expires_ms)
        r->expires_ms = answer->expires_ms;
    if (state == STATE(CONFIRMED))
        r->quantity_confirmed = answer->quantity_confirmed;
    if (crash_load_is_ended(state))
        held_remove(index);
    struct item *item = &crash_load.items[r->item];
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
    check(crash_load_is_ended(state_then) ? state == state_then : state_then == 0 || state != 0,
          "reservation %u was in state %u when it was asked about: Get says %s, state %u", index,
          state_then, raw_result_name(answer->result), state);
    if (state != 0)
        note_state(index, answer);
}

static bool is_undone(uint32_t result)
{
    return result == RESULT(OVERLOADED) ||
           (result == RESULT(READ_ONLY) && crash_load.may_be_read_only);
}

static void count_result(uint8_t type, uint32_t result)
{
    struct crash_load_counts *counts = &crash_load.counts[type];
    if (result == RESULT(OK) || result == RESULT(DUPLICATE))
        counts->ok++;
    else if (result == RESULT(READ_ONLY))
        counts->read_only++;
    else
        counts->other++;
}

void crash_load_note_answer(uint32_t index, uint8_t type, uint8_t state_then,
                            const struct raw_answer *answer)
{
    struct reservation *r = &crash_load.reservations[index];
    const uint32_t result = answer->result;
    crash_load.acknowledged++;
    count_result(type, result);
    if (is_undone(result)) {
        if (r->state == STATE(HELD) && r->in_flight == type)
            crash_load_add_held(index);
        if (r->state == 0 && type == FRAME_RESERVE)
            crash_load.undone[crash_load.undone_count++] = index;
        r->in_flight = r->in_flight == type ? 0 : r->in_flight;
        return;
    }
    note_available(&crash_load.items[r->item], answer->available);
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
            crash_load_add_held(index);
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
    const uint32_t index = crash_load.reservation_count++;
    const uint32_t one_way = ONE_WAY_ITEMS_PER_ROUND;
    const bool is_one_way = crash_load_chance(4) == 0;
    struct reservation *r = &crash_load.reservations[index];
    *r = (struct reservation){
        .item = is_one_way ? crash_load.item_count - 1 - crash_load_chance(one_way)
                           : crash_load_chance(MIXED_ITEMS),
        .quantity = 1 + crash_load_chance(3),
        .buyer_id = 1 + crash_load_chance(BUYERS),
    };
    r->hold_ms =
        is_one_way || crash_load_chance(4) != 0 ? 0 : 1 + crash_load_chance(SHORT_HOLD_MS_MAX);
    return index;
}

struct raw_row crash_load_row(uint32_t index, uint8_t type)
{
    const struct reservation *r = &crash_load.reservations[index];
    return (struct raw_row){
        .type = type,
        .item_id = crash_load.items[r->item].item_id,
        .id_high = crash_load.options.seed,
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
        if (crash_load.reservation_count == crash_load.round_first)
            return false;
        *index_out = crash_load.round_first +
                     crash_load_chance(crash_load.reservation_count - crash_load.round_first);
        return true;
    }
    if (type == FRAME_RESERVE && crash_load.undone_count > 0) {
        *index_out = crash_load.undone[--crash_load.undone_count];
    } else if (type == FRAME_RESERVE) {
        if (crash_load.reservation_count - crash_load.round_first >=
            crash_load.options.reservations_per_round)
            return false;
        *index_out = new_reservation();
    } else {
        if (crash_load.held_count == 0)
            return false;
        *index_out = crash_load.held[crash_load_chance(crash_load.held_count)];
    }
    struct reservation *r = &crash_load.reservations[*index_out];
    if (type != FRAME_RESERVE && type != FRAME_CONFIRM && crash_load.items[r->item].kind == ONE_WAY)
        return false;
    held_remove(*index_out);
    r->in_flight = type;
    r->in_flight_quantity = 0;
    if (type == FRAME_CONFIRM && crash_load.items[r->item].kind != ONE_WAY &&
        crash_load_chance(2) == 0)
        r->in_flight_quantity = 1 + crash_load_chance(r->quantity);
    if (type == FRAME_EXTEND)
        r->in_flight_expires_ms = r->expires_ms + 1 + crash_load_chance(2) * LONG_HOLD_MS;
    return true;
}

static uint8_t choose_type(bool is_observer)
{
    const uint32_t dice = crash_load_chance(100);
    if (is_observer)
        return dice < 70 ? FRAME_GET : FRAME_ITEM_GET;
    if (crash_load.is_hoarding && dice < 80)
        return FRAME_RESERVE;
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
        frame->rows[frame->row_count++] = crash_load_chance(crash_load.item_count);
        request.item_id = crash_load.items[frame->rows[0]].item_id;
        frame->request_id = raw_put(&connection->client, type, &request.base);
        return;
    }
    const uint32_t wanted = crash_load_chance(3) == 0 ? 1 : 1 + crash_load_chance(FRAME_ROWS_MAX);
    while (frame->row_count < wanted && take_for(type, &frame->rows[frame->row_count])) {
        const uint32_t index = frame->rows[frame->row_count];
        rows[frame->row_count] = crash_load_row(index, type);
        frame->states_then[frame->row_count++] = crash_load.reservations[index].state;
    }
    if (frame->row_count == 0)
        return;
    if (frame->row_count == 1 && crash_load_chance(2) == 0)
        frame->request_id = raw_put_row(&connection->client, &rows[0]);
    else
        frame->request_id =
            raw_put_batch(&connection->client, crash_load_chance(2) == 0 ? RAW_COLUMNS : RAW_SHORT,
                          rows, frame->row_count);
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
        count_result(FRAME_ITEM_GET, answer.result);
        if (answer.result != RESULT(OVERLOADED))
            crash_load_note_item(&crash_load.items[frame->rows[0]], &answer);
    } else {
        const uint32_t count = raw_answers(&connection->client, reply, answers, FRAME_ROWS_MAX);
        check_must(count == frame->row_count, "%u answers to %u rows, type %u", count,
                   frame->row_count, reply->type);
        for (uint32_t i = 0; i < count; i++)
            crash_load_note_answer(frame->rows[i], frame->type, frame->states_then[i], &answers[i]);
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
    return check_now_ms() >= until_ms || crash_load.reservation_count - crash_load.round_first >=
                                             crash_load.options.reservations_per_round;
}

bool crash_load_run(double for_ms)
{
    const double until_ms = check_now_ms() + for_ms;
    bool is_alive = true;
    while (is_alive && !is_load_over(until_ms)) {
        struct pollfd waits[CONNECTIONS];
        for (uint32_t i = 0; i < CONNECTIONS; i++) {
            fill_window(&crash_load.connections[i], i == CONNECTIONS - 1);
            waits[i] = (struct pollfd){.fd = crash_load.connections[i].client.fd, .events = POLLIN};
        }
        const double left_ms = until_ms - check_now_ms();
        poll(waits, CONNECTIONS, left_ms > 1 ? 1 : 0);
        for (uint32_t i = 0; i < CONNECTIONS; i++)
            is_alive &= take_replies(&crash_load.connections[i], 0);
    }
    return is_alive;
}

static void close_connections(void)
{
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &crash_load.connections[i];
        raw_close(&connection->client);
        memset(connection->frames, 0, sizeof connection->frames);
    }
}

void crash_load_end_round(void)
{
    enum { END_MS = 5000 };
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        check(!take_replies(&crash_load.connections[i], END_MS),
              "connection %u outlived the server", i);
    close_connections();
    crash_load.undone_count = 0;
    for (uint32_t i = 0; i < crash_load.reservation_count; i++) {
        struct reservation *r = &crash_load.reservations[i];
        r->was_in_flight_at_crash = r->in_flight != 0;
        crash_load.in_flight_at_crash += r->was_in_flight_at_crash;
    }
}

static bool is_waiting(const struct connection *connection)
{
    for (uint32_t i = 0; i < FRAMES_IN_FLIGHT; i++)
        if (connection->frames[i].request_id != 0)
            return true;
    return false;
}

void crash_load_drain(void)
{
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        while (is_waiting(&crash_load.connections[i])) {
            struct raw_frame reply;
            check_must(raw_receive(&crash_load.connections[i].client, &reply, RAW_TIMEOUT_MS) ==
                           RAW_OK,
                       "no answer on connection %u", i);
            take_reply(&crash_load.connections[i], &reply);
        }
}

void crash_load_settle_round(void)
{
    crash_load_drain();
    close_connections();
    crash_load.undone_count = 0;
}

/* ------------------------------------------------------------------------------------------------
 * Rounds
 * ---------------------------------------------------------------------------------------------- */

void crash_load_init(const struct crash_load_options *options)
{
    const size_t reservations_max = (size_t)(options->rounds + 1) * options->reservations_per_round;
    crash_load = (struct crash_load){
        .options = *options,
        .reservations = calloc(reservations_max, sizeof *crash_load.reservations),
        .held = calloc(reservations_max, sizeof *crash_load.held),
        .undone = calloc(reservations_max, sizeof *crash_load.undone),
        .items = calloc(MIXED_ITEMS + ONE_WAY_ITEMS_PER_ROUND * (options->rounds + 1),
                        sizeof *crash_load.items),
    };
    check_must(crash_load.reservations != NULL && crash_load.held != NULL &&
                   crash_load.undone != NULL && crash_load.items != NULL,
               "out of memory");
}

void crash_load_deinit(void)
{
    free(crash_load.reservations);
    free(crash_load.held);
    free(crash_load.undone);
    free(crash_load.items);
}

void crash_load_make_items(void)
{
    struct raw_client client;
    raw_open(&client, crash_load.options.fixture->server.port, -1);
    for (int i = 0; i < MIXED_ITEMS; i++)
        create_item(&client,
                    i % 3 == 0   ? MIXED_ROOMY
                    : i % 3 == 1 ? MIXED_TIGHT
                                 : MIXED_BUYER_LIMIT,
                    i % 3 == 1 ? 200 : 1000000);
    raw_close(&client);
}

void crash_load_begin_round(uint32_t round)
{
    const uint32_t cores = crash_load.options.fixture->options.cores;
    test_random_init(&crash_load.random, crash_load.options.seed * 1000003 + round);
    crash_load.round = round;
    crash_load.round_first = crash_load.reservation_count;
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        raw_open(&crash_load.connections[i].client, crash_load.options.fixture->server.port,
                 i % 2 == 0 ? -1 : (int)(i / 2 % cores));
    for (int i = 0; i < ONE_WAY_ITEMS_PER_ROUND; i++)
        create_item(&crash_load.connections[0].client, ONE_WAY, ONE_WAY_STOCK);
}

void crash_load_hoard(bool is_wanted)
{
    crash_load.is_hoarding = is_wanted;
}

void crash_load_allow_read_only(bool is_allowed)
{
    crash_load.may_be_read_only = is_allowed;
}

struct crash_load_counts crash_load_counts(uint8_t type)
{
    return crash_load.counts[type];
}

void crash_load_clear_counts(void)
{
    memset(crash_load.counts, 0, sizeof crash_load.counts);
}

void crash_load_add_figures(struct crash_load_figures *sum)
{
    sum->reservations += crash_load.reservation_count;
    sum->answers += crash_load.acknowledged;
    sum->in_flight_at_crash += crash_load.in_flight_at_crash;
    sum->happened_in_flight += crash_load.happened_in_flight;
}

void crash_load_describe(const struct crash_load_figures *figures, char *text)
{
    enum { TEXT_BYTES = 256 };
    snprintf(text, TEXT_BYTES,
             "%" PRIu64 " reservations, %" PRIu64 " answers, %" PRIu64
             " operations in flight, %" PRIu64 " of them had happened",
             figures->reservations, figures->answers, figures->in_flight_at_crash,
             figures->happened_in_flight);
}
