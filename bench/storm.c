#include "bench/storm.h"

#include "bench/session.h"
#include "bench/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A deadline is the server's time plus the hold time of the request, so holds that are made one
 * after the other end one after the other. Extend takes a deadline as such: each hold is made to
 * end a little early and then moved to the common millisecond. The server tells every deadline, so
 * the spread is what it says, not what was asked for.
 *
 * The deadline on our clock is found by pings: when an answer is here, the server's clock shows at
 * least the millisecond in it, and the ping for which that says most is right to within its round
 * trip. */

enum {
    ROWS_PER_FRAME = 1024,
    FRAMES_IN_FLIGHT = 8,
    EARLY_MS = 500,   /* by so much the holds end too early at first */
    BEFORE_MS = 1000, /* of load before the deadline, at least */
    PINGS = 200,
    WATCH_BEFORE_MS = 50,
    WATCH_PAUSE_NS = 1000 * 1000,
    WAIT_STEP_NS = 100 * 1000 * 1000,
};

#define NS_PER_MS 1000000ull

__attribute__((format(printf, 2, 3))) static bool fail(struct storm *storm, const char *format, ...)
{
    if (storm->trouble[0] == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(storm->trouble, sizeof storm->trouble, format, arguments);
        va_end(arguments);
    }
    return false;
}

static uint64_t server_now_ms(const struct storm *storm)
{
    return (monotonic_ns() + storm->clock_offset_ns) / NS_PER_MS;
}

static bool compare_clocks(struct storm *storm, struct session *session)
{
    storm->clock_offset_ns = 0;
    for (int i = 0; i < PINGS; i++) {
        uint64_t now_ms;
        if (!session_now_ms(session, &now_ms)) {
            return fail(storm, "%s", session->error);
        }
        uint64_t offset_ns = now_ms * NS_PER_MS - monotonic_ns();
        storm->clock_offset_ns =
            offset_ns > storm->clock_offset_ns ? offset_ns : storm->clock_offset_ns;
    }
    return true;
}

/* ---- filling ------------------------------------------------------------------------------- */

/* The holds of one core: one row a unit. */
struct holds {
    uint64_t id_high;
    uint64_t count;
    uint64_t *item_ids;
    uint64_t *id_lows;
    uint64_t deadline_ms_min;
    uint64_t deadline_ms_max;
};

typedef bool (*send_rows_fn)(struct storm *storm, struct session *session, struct holds *holds,
                             uint64_t first, uint32_t count);

static bool send_reserve(struct storm *storm, struct session *session, struct holds *holds,
                         uint64_t first, uint32_t count)
{
    uint64_t now_ms = server_now_ms(storm);
    uint32_t quantity = 1;
    if (now_ms + EARLY_MS + BEFORE_MS >= storm->deadline_ms) {
        return fail(storm, "the holds could not be made in time: a longer --hold-time or fewer "
                           "--units are needed");
    }
    uint64_t hold_ms = storm->deadline_ms - now_ms - EARLY_MS;
    Holdfast__V1__ReserveBatchRequest message = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    message.row_count = count;
    message.n_item_id = count;
    message.item_id = holds->item_ids + first;
    message.n_reservation_id_high = 1;
    message.reservation_id_high = &holds->id_high;
    message.n_reservation_id_low = count;
    message.reservation_id_low = holds->id_lows + first;
    message.n_buyer_id = count;
    message.buyer_id = holds->id_lows + first;
    message.n_quantity = 1;
    message.quantity = &quantity;
    message.n_hold_ms = 1;
    message.hold_ms = &hold_ms;
    return session_send(session, FRAME_RESERVE_BATCH, &message.base) ||
           fail(storm, "%s", session->error);
}

static bool send_extend(struct storm *storm, struct session *session, struct holds *holds,
                        uint64_t first, uint32_t count)
{
    Holdfast__V1__ExtendBatchRequest message = HOLDFAST__V1__EXTEND_BATCH_REQUEST__INIT;
    message.row_count = count;
    message.n_item_id = count;
    message.item_id = holds->item_ids + first;
    message.n_reservation_id_high = 1;
    message.reservation_id_high = &holds->id_high;
    message.n_reservation_id_low = count;
    message.reservation_id_low = holds->id_lows + first;
    message.n_expires_ms = 1;
    message.expires_ms = &storm->deadline_ms;
    return session_send(session, FRAME_EXTEND_BATCH, &message.base) ||
           fail(storm, "%s", session->error);
}

/* An answer to so many rows, of either kind. */
static bool take_rows(struct storm *storm, struct session *session, uint8_t type, uint32_t count,
                      struct holds *holds)
{
    const Holdfast__V1__ReservationBatchResponse *reply =
        (const Holdfast__V1__ReservationBatchResponse *)session_receive(session, type);
    if (reply == NULL) {
        return fail(storm, "%s", session->error);
    }
    if (!wire_batch_fits(reply, count)) {
        return fail(storm, "the columns of a reply do not fit");
    }
    struct wire_reply view = {.row_count = count, .batch = reply};
    for (uint32_t i = 0; i < count; i++) {
        struct wire_row_reply row = wire_reply_row(&view, i);
        if (row.result != HOLDFAST__V1__RESULT__RESULT_OK &&
            row.result != HOLDFAST__V1__RESULT__RESULT_DUPLICATE) {
            return fail(storm, "a hold of the storm was answered %s%s",
                        wire_result_name(row.result),
                        row.result == HOLDFAST__V1__RESULT__RESULT_CAPACITY
                            ? ": the server needs more --max-reservations and --max-buyers"
                            : "");
        }
        if (type == FRAME_EXTEND_BATCH) {
            uint64_t at_ms = row.expires_ms;
            holds->deadline_ms_min =
                at_ms < holds->deadline_ms_min ? at_ms : holds->deadline_ms_min;
            holds->deadline_ms_max =
                at_ms > holds->deadline_ms_max ? at_ms : holds->deadline_ms_max;
        }
    }
    return true;
}

/* Frames of all rows, a few on their way at once. Answers come in the order of the requests. */
static bool send_all(struct storm *storm, struct session *session, struct holds *holds,
                     uint8_t type, send_rows_fn send)
{
    uint32_t step = session->batch_rows_max < ROWS_PER_FRAME ? session->batch_rows_max
                                                             : (uint32_t)ROWS_PER_FRAME;
    uint64_t sent = 0;
    for (uint64_t taken = 0; taken < holds->count; taken += step) {
        while (sent < holds->count && sent < taken + (uint64_t)FRAMES_IN_FLIGHT * step) {
            uint64_t left = holds->count - sent;
            if (!send(storm, session, holds, sent, left < step ? (uint32_t)left : step)) {
                return false;
            }
            sent += step;
        }
        uint64_t left = holds->count - taken;
        if (!take_rows(storm, session, type, left < step ? (uint32_t)left : step, holds)) {
            return false;
        }
    }
    return true;
}

/* The rows of one core's items. `next_low` goes on from core to core. */
static void list_rows(const struct storm *storm, uint32_t core, struct holds *holds,
                      uint64_t *next_low)
{
    holds->count = 0;
    for (uint32_t i = 0; i < storm->items.count; i++) {
        const struct bench_item *item = &storm->items.items[i];
        for (int64_t unit = 0; item->core == core && unit < item->stock; unit++) {
            holds->item_ids[holds->count] = item->id;
            holds->id_lows[holds->count++] = ++*next_low;
        }
    }
}

static bool fill_core(struct storm *storm, uint32_t core, struct holds *holds)
{
    struct session session;
    if (holds->count == 0) {
        return true;
    }
    if (!session_open(&session, &storm->target->endpoint, core, storm->options->timeout_ms)) {
        return fail(storm, "%s", session.error);
    }
    bool good = send_all(storm, &session, holds, FRAME_RESERVE_BATCH, send_reserve) &&
                send_all(storm, &session, holds, FRAME_EXTEND_BATCH, send_extend);
    session_close(&session);
    return good;
}

static bool fill(struct storm *storm)
{
    uint64_t units = (uint64_t)storm->options->units;
    struct holds holds = {
        .item_ids = malloc(units * sizeof holds.item_ids[0]),
        .id_lows = malloc(units * sizeof holds.id_lows[0]),
        .deadline_ms_min = UINT64_MAX,
    };
    uint64_t next_low = 0;
    uint64_t began_ns = monotonic_ns();
    bool good = false;
    if (holds.item_ids == NULL || holds.id_lows == NULL ||
        getrandom(&holds.id_high, sizeof holds.id_high, 0) != sizeof holds.id_high) {
        fail(storm, "out of memory: fewer --units need less");
        goto out;
    }
    for (uint32_t core = 0; core < storm->target->core_count; core++) {
        list_rows(storm, core, &holds, &next_low);
        if (!fill_core(storm, core, &holds)) {
            goto out;
        }
    }
    storm->holds = next_low;
    storm->fill_ns = monotonic_ns() - began_ns;
    storm->spread_ms = holds.deadline_ms_max - holds.deadline_ms_min;
    good = server_now_ms(storm) + BEFORE_MS < storm->deadline_ms ||
           fail(storm, "the holds could not be made in time: a longer --hold-time or fewer "
                       "--units are needed");
out:
    free(holds.item_ids);
    free(holds.id_lows);
    return good;
}

/* ---- watching ------------------------------------------------------------------------------ */

static bool is_given_up(const struct storm *storm)
{
    return atomic_load_explicit(&storm->is_given_up, memory_order_relaxed);
}

/* Until then, or until nobody wants to know any more. */
static void wait_until(const struct storm *storm, uint64_t ns)
{
    uint64_t now_ns;
    while ((now_ns = monotonic_ns()) < ns && !is_given_up(storm)) {
        sleep_until(ns - now_ns < WAIT_STEP_NS ? ns : now_ns + WAIT_STEP_NS);
    }
}

/* How many units are free now, of all items. */
static bool ask(struct storm *storm, struct session *session, struct bench_item *now,
                int64_t *available, uint64_t *free_units_out)
{
    if (!items_read(&storm->items, session, storm->options, now, available)) {
        return fail(storm, "%s", session->error);
    }
    *free_units_out = 0;
    for (uint32_t i = 0; i < storm->items.count; i++) {
        *free_units_out += (uint64_t)available[i];
    }
    return true;
}

static void watch_items(struct storm *storm, struct session *session, struct bench_item *now,
                        int64_t *available)
{
    uint64_t deadline_ns = storm->phases.begins_ns;
    uint64_t last_ns = 0;
    bool has_begun = false;
    while (!storm->is_back && !is_given_up(storm)) {
        uint64_t free_units = 0;
        if (!ask(storm, session, now, available, &free_units)) {
            return;
        }
        uint64_t at_ns = monotonic_ns();
        if (last_ns != 0 && at_ns - last_ns > storm->gap_ns_max) {
            storm->gap_ns_max = at_ns - last_ns;
        }
        last_ns = at_ns;
        storm->asked++;
        if (free_units > 0 && !has_begun) {
            has_begun = true;
            storm->first_back_ns = (int64_t)(at_ns - deadline_ns);
        }
        if (free_units == storm->holds) {
            storm->is_back = true;
            storm->all_back_ns = (int64_t)(at_ns - deadline_ns);
            phases_end(&storm->phases, at_ns);
        } else if (at_ns > deadline_ns + storm->options->timeout_ms * NS_PER_MS) {
            fail(storm, "%llu ms after the deadline only %llu of %llu units are back",
                 (unsigned long long)storm->options->timeout_ms, (unsigned long long)free_units,
                 (unsigned long long)storm->holds);
            return;
        }
        wait_until(storm, at_ns + WATCH_PAUSE_NS);
    }
}

static void *watch(void *context)
{
    struct storm *storm = context;
    struct session session;
    struct bench_item *now = calloc(storm->items.count, sizeof now[0]);
    int64_t *available = calloc(storm->items.count, sizeof available[0]);
    uint64_t begin_ns = storm->phases.begins_ns - WATCH_BEFORE_MS * NS_PER_MS;
    wait_until(storm, begin_ns);
    if (is_given_up(storm)) {
        fail(storm, "the load ended before the storm");
    } else if (now == NULL || available == NULL) {
        fail(storm, "out of memory");
    } else if (!session_open(&session, &storm->target->endpoint, storm->items.items[0].core,
                             storm->options->timeout_ms)) {
        fail(storm, "%s", session.error);
    } else {
        watch_items(storm, &session, now, available);
        session_close(&session);
    }
    free(now);
    free(available);
    return NULL;
}

/* ---- from begin to end --------------------------------------------------------------------- */

void storm_load_options(const struct storm *storm, struct bench_options *options)
{
    uint64_t now_ns = monotonic_ns();
    uint64_t deadline_ns = storm->phases.begins_ns;
    *options = *storm->options;
    options->first_item += options->items;
    options->items = STORM_OTHER_ITEMS;
    options->units = -1;
    options->buyer_limit = 0;
    options->hold_ms = 0;
    options->duration_ms += deadline_ns > now_ns ? (deadline_ns - now_ns) / NS_PER_MS : 0;
}

bool storm_begin(struct storm *storm, const struct bench_options *options,
                 const struct load_target *target)
{
    memset(storm, 0, sizeof *storm);
    storm->options = options;
    storm->target = target;
    struct session session;
    if (!session_open(&session, &target->endpoint, 0, options->timeout_ms)) {
        return fail(storm, "%s", session.error);
    }
    bool good = items_prepare(&storm->items, &session, options) || fail(storm, "%s", session.error);
    good = good && compare_clocks(storm, &session);
    session_close(&session);
    if (!good) {
        return false;
    }
    storm->deadline_ms = server_now_ms(storm) + options->hold_ms;
    storm->phases.begins_ns = storm->deadline_ms * NS_PER_MS - storm->clock_offset_ns;
    if (!fill(storm)) {
        return false;
    }
    storm->is_watched = pthread_create(&storm->watcher, NULL, watch, storm) == 0;
    return storm->is_watched || fail(storm, "no thread could be made to watch the storm");
}

void storm_end(struct storm *storm, bool gives_up)
{
    atomic_store_explicit(&storm->is_given_up, gives_up, memory_order_relaxed);
    if (storm->is_watched) {
        pthread_join(storm->watcher, NULL);
        storm->is_watched = false;
    }
    items_free(&storm->items);
}
