#include "bench/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Three proofs, each from what the server says now:
 *
 *     reservations   every id that was ever sent is read back: each success is there with its
 *                    sequence number, buyer and a state that the answers allow, and no refused one
 *                    is there
 *     items          available + held + sold = stock; sold and held are the sum of the
 *                    reservations found; sequence numbers are unique and without a gap
 *     buyers         nobody holds or bought more of an item than its limit
 *
 * An id whose answer was lost may be there or not; if it is, it counts like the others. */

enum { ROWS_PER_GET = 4096 };

/* How late a hold may come back, and clocks that are read one after the other. */
enum { SETTLE_MARGIN_MS = 500 };

/* A reservation that is there. */
struct found {
    uint32_t item_index;
    bool has_unit; /* held or sold, not given back */
    uint64_t sequence;
    uint64_t buyer_id;
};

struct item_sum {
    uint64_t count;
    uint64_t held;
    uint64_t sold;
    uint64_t sequence_min;
    uint64_t sequence_max;
};

struct verify {
    struct verify_result *result;
    const struct bench_options *options;
    const struct load_target *target;
    const struct workload *workload;
    struct session session;
    bool session_is_open;
    struct found *found;
    uint64_t found_count;
    struct item_sum *sums; /* one per item */
    struct bench_item *items_now;
    int64_t *items_available;
};

__attribute__((format(printf, 2, 3))) static void fail(struct verify *v, const char *format, ...)
{
    uint64_t number = v->result->failure_count++;
    if (number < VERIFY_FAILURES_TOLD) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(v->result->failures[number], VERIFY_FAILURE_BYTES, format, arguments);
        va_end(arguments);
    }
}

static bool trouble(struct verify *v, const char *why)
{
    snprintf(v->result->trouble, sizeof v->result->trouble, "%s", why);
    return false;
}

static bool open_session(struct verify *v, uint32_t core)
{
    if (v->session_is_open) {
        session_close(&v->session);
    }
    v->session_is_open =
        session_open(&v->session, &v->target->endpoint, core, v->options->timeout_ms);
    if (!v->session_is_open) {
        return trouble(v, v->session.error);
    }
    if (memcmp(v->session.server_id, v->target->server_id, sizeof v->session.server_id) != 0) {
        return trouble(v, "another server answers now");
    }
    return true;
}

/* ---- waiting for holds to return ----------------------------------------------------------- */

static uint64_t last_deadline_ms(const struct workload *workload)
{
    uint64_t last_ms = 0;
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        struct workload_cursor cursor = {0};
        uint64_t index;
        while (workload_next_made(workload, core, &cursor, &index)) {
            const struct ledger_entry *entry = &workload->ledger[index];
            bool open = entry->fate == FATE_HELD || entry->fate == FATE_CONFIRMING ||
                        entry->fate == FATE_CANCELLING;
            if (open && entry->expires_ms > last_ms) {
                last_ms = entry->expires_ms;
            }
        }
    }
    return last_ms;
}

static bool settle(struct verify *v)
{
    uint64_t now_ms;
    if (!session_now_ms(&v->session, &now_ms)) {
        return trouble(v, v->session.error);
    }
    uint64_t until_ms = last_deadline_ms(v->workload) + SETTLE_MARGIN_MS;
    if (until_ms <= now_ms) {
        return true;
    }
    v->result->waited_ms = until_ms - now_ms;
    if (!v->options->no_progress) {
        fprintf(stderr, "waiting %.1f s for unpaid holds to return\n",
                (double)v->result->waited_ms / 1e3);
    }
    struct timespec pause = {.tv_sec = (time_t)(v->result->waited_ms / 1000),
                             .tv_nsec = (long)(v->result->waited_ms % 1000 * 1000000)};
    nanosleep(&pause, NULL);
    return true;
}

/* ---- reservations -------------------------------------------------------------------------- */

static const char *fate_text(uint8_t fate)
{
    static const char *const texts[] = {
        [FATE_UNANSWERED] = "never answered",
        [FATE_REFUSED] = "refused",
        [FATE_HELD] = "held",
        [FATE_CONFIRMING] = "being paid",
        [FATE_CANCELLING] = "being cancelled",
        [FATE_CONFIRMED] = "paid",
        [FATE_CANCELLED] = "cancelled",
        [FATE_EXPIRED] = "expired",
    };
    return texts[fate];
}

static const char *state_text(uint32_t state)
{
    static const char *const texts[] = {"not there", "HELD",    "CONFIRMED",
                                        "CANCELLED", "EXPIRED", "REFUNDED"};
    return state < sizeof texts / sizeof texts[0] ? texts[state] : "?";
}

/* May a reservation of this fate be found in this state? */
static bool state_is_allowed(uint8_t fate, uint32_t state)
{
    bool open = state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_HELD ||
                state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_EXPIRED;
    bool none = state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_UNSPECIFIED;
    bool confirmed = state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CONFIRMED;
    bool cancelled = state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CANCELLED;
    switch ((enum fate)fate) {
    case FATE_UNANSWERED:
        return none || open;
    case FATE_REFUSED:
        return none;
    case FATE_HELD:
        return open;
    case FATE_CONFIRMING:
        return open || confirmed;
    case FATE_CANCELLING:
        return open || cancelled;
    case FATE_CONFIRMED:
        return confirmed;
    case FATE_CANCELLED:
        return cancelled;
    case FATE_EXPIRED:
        return state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_EXPIRED;
    }
    return false;
}

static void keep_found(struct verify *v, const struct workload_row *row,
                       const struct wire_row_reply *reply)
{
    bool held = reply->state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_HELD;
    bool sold = reply->state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CONFIRMED;
    struct item_sum *sum = &v->sums[row->item_index];
    sum->held += held ? reply->quantity : 0;
    sum->sold += sold ? reply->quantity_confirmed : 0;
    if (sum->count == 0 || reply->sequence < sum->sequence_min) {
        sum->sequence_min = reply->sequence;
    }
    if (reply->sequence > sum->sequence_max) {
        sum->sequence_max = reply->sequence;
    }
    sum->count++;
    v->found[v->found_count++] = (struct found){
        .item_index = row->item_index,
        .has_unit = held || sold,
        .sequence = reply->sequence,
        .buyer_id = reply->buyer_id,
    };
}

/* `now_ms` was read after the reply. */
static void check_reservation(struct verify *v, uint32_t core, uint64_t index,
                              const struct wire_row_reply *reply, uint64_t now_ms)
{
    const struct ledger_entry *entry = &v->workload->ledger[index];
    struct workload_row row = workload_row(v->workload, core, index);
    unsigned long long high = v->workload->run_id;
    unsigned long long low = index + 1;
    bool there = reply->result == HOLDFAST__V1__RESULT__RESULT_OK;
    uint32_t state = there ? reply->state : 0;

    v->result->reservations_read++;
    v->result->states[state < 6 ? state : 0]++;
    if (!there && reply->result != HOLDFAST__V1__RESULT__RESULT_UNKNOWN_RESERVATION) {
        fail(v, "reservation %016llx%016llx: asking for it is answered %s", high, low,
             wire_result_name(reply->result));
        return;
    }
    if (!state_is_allowed(entry->fate, state)) {
        fail(v, "reservation %016llx%016llx was %s and is %s", high, low, fate_text(entry->fate),
             state_text(state));
    }
    if (!there) {
        return;
    }
    bool expired = state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_EXPIRED;
    bool held = state == HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_HELD;
    bool knows = entry->fate != FATE_UNANSWERED && entry->fate != FATE_REFUSED;
    if (expired && reply->expires_ms > now_ms) {
        fail(v, "reservation %016llx%016llx expired before its time", high, low);
    }
    if (held && v->options->settle) {
        fail(v, "reservation %016llx%016llx did not come back", high, low);
    }
    if (knows && reply->sequence != entry->sequence) {
        fail(v, "reservation %016llx%016llx had sequence number %llu and has %llu", high, low,
             (unsigned long long)entry->sequence, (unsigned long long)reply->sequence);
    }
    if (reply->buyer_id != row.buyer_id) {
        fail(v, "reservation %016llx%016llx is another buyer's", high, low);
    }
    keep_found(v, &row, reply);
}

static bool read_some(struct verify *v, uint32_t core, const uint64_t *indexes, uint32_t count)
{
    uint64_t item_ids[ROWS_PER_GET];
    uint64_t id_lows[ROWS_PER_GET];
    uint64_t high = v->workload->run_id;
    for (uint32_t i = 0; i < count; i++) {
        item_ids[i] = workload_row(v->workload, core, indexes[i]).item_id;
        id_lows[i] = indexes[i] + 1;
    }
    Holdfast__V1__GetBatchRequest request = HOLDFAST__V1__GET_BATCH_REQUEST__INIT;
    request.row_count = count;
    request.n_item_id = count;
    request.item_id = item_ids;
    request.n_reservation_id_high = 1;
    request.reservation_id_high = &high;
    request.n_reservation_id_low = count;
    request.reservation_id_low = id_lows;
    const Holdfast__V1__ReservationBatchResponse *reply =
        (const Holdfast__V1__ReservationBatchResponse *)session_call(&v->session, FRAME_GET_BATCH,
                                                                     &request.base);
    if (reply == NULL) {
        return trouble(v, v->session.error);
    }
    struct wire_row_reply rows[ROWS_PER_GET];
    if (!wire_batch_fits(reply, count)) {
        return trouble(v, "the columns of a reply do not fit");
    }
    struct wire_reply view = {.row_count = count, .batch = reply};
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = wire_reply_row(&view, i);
    }
    uint64_t now_ms;
    if (!session_now_ms(&v->session, &now_ms)) {
        return trouble(v, v->session.error);
    }
    for (uint32_t i = 0; i < count; i++) {
        check_reservation(v, core, indexes[i], &rows[i], now_ms);
    }
    return true;
}

static bool read_core(struct verify *v, uint32_t core)
{
    uint32_t room =
        v->session.batch_rows_max < ROWS_PER_GET ? v->session.batch_rows_max : ROWS_PER_GET;
    struct workload_cursor cursor = {0};
    uint64_t indexes[ROWS_PER_GET];
    uint32_t count;
    do {
        count = 0;
        while (count < room && workload_next_made(v->workload, core, &cursor, &indexes[count])) {
            count++;
        }
        if (count > 0 && !read_some(v, core, indexes, count)) {
            return false;
        }
    } while (count == room);
    return true;
}

static bool read_reservations(struct verify *v)
{
    for (uint32_t core = 0; core < v->workload->stream_count; core++) {
        if (!open_session(v, core) || !read_core(v, core)) {
            return false;
        }
    }
    return true;
}

/* ---- buyers and sequence numbers ----------------------------------------------------------- */

static int by_sequence(const void *left, const void *right)
{
    const struct found *a = left;
    const struct found *b = right;
    if (a->item_index != b->item_index) {
        return a->item_index < b->item_index ? -1 : 1;
    }
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static int by_buyer(const void *left, const void *right)
{
    const struct found *a = left;
    const struct found *b = right;
    if (a->item_index != b->item_index) {
        return a->item_index < b->item_index ? -1 : 1;
    }
    return (a->buyer_id > b->buyer_id) - (a->buyer_id < b->buyer_id);
}

static void check_sequences(struct verify *v)
{
    qsort(v->found, v->found_count, sizeof v->found[0], by_sequence);
    for (uint64_t i = 1; i < v->found_count; i++) {
        if (by_sequence(&v->found[i - 1], &v->found[i]) == 0) {
            fail(v, "item %llu: sequence number %llu was given twice",
                 (unsigned long long)v->workload->items->items[v->found[i].item_index].id,
                 (unsigned long long)v->found[i].sequence);
        }
    }
}

static void check_buyers(struct verify *v)
{
    qsort(v->found, v->found_count, sizeof v->found[0], by_buyer);
    uint64_t units = 0;
    for (uint64_t i = 0; i < v->found_count; i++) {
        const struct bench_item *item = &v->workload->items->items[v->found[i].item_index];
        if (i > 0 && by_buyer(&v->found[i - 1], &v->found[i]) != 0) {
            units = 0;
        }
        units += v->found[i].has_unit;
        if (v->found[i].has_unit && item->buyer_limit > 0 && units == item->buyer_limit + 1ull) {
            fail(v, "item %llu: buyer %llu has more than the limit of %u",
                 (unsigned long long)item->id, (unsigned long long)v->found[i].buyer_id,
                 item->buyer_limit);
        }
    }
}

/* ---- items --------------------------------------------------------------------------------- */

/* What our reservations add up to must be what the item gained since before the run. */
static void check_item_sums(struct verify *v, uint32_t index)
{
    const struct bench_item *before = &v->workload->items->items[index];
    const struct bench_item *now = &v->items_now[index];
    const struct item_sum *sum = &v->sums[index];
    unsigned long long id = before->id;

    if (now->sold_before != before->sold_before + sum->sold) {
        fail(v, "item %llu: sold %llu more, but %llu units were paid", id,
             (unsigned long long)(now->sold_before - before->sold_before),
             (unsigned long long)sum->sold);
    }
    /* holds that were found may have expired since, and so may those from before the run */
    if (now->held_before > before->held_before + sum->held ||
        (v->options->settle && before->held_before == 0 && now->held_before != sum->held)) {
        fail(v, "item %llu: %llu units are held, but the reservations hold %llu", id,
             (unsigned long long)now->held_before, (unsigned long long)sum->held);
    }
    if (now->sequence_before != before->sequence_before + sum->count) {
        fail(v, "item %llu: %llu sequence numbers were given out, but %llu reservations found", id,
             (unsigned long long)(now->sequence_before - before->sequence_before),
             (unsigned long long)sum->count);
    }
    /* unique, as many as were given out, and within their range: so without a gap */
    if (sum->count > 0 && (sum->sequence_min != before->sequence_before ||
                           sum->sequence_max != now->sequence_before - 1)) {
        fail(v, "item %llu: sequence numbers %llu to %llu were found, expected %llu to %llu", id,
             (unsigned long long)sum->sequence_min, (unsigned long long)sum->sequence_max,
             (unsigned long long)before->sequence_before,
             (unsigned long long)now->sequence_before - 1);
    }
}

static bool check_items(struct verify *v)
{
    const struct bench_items *items = v->workload->items;
    if (!items_read(items, &v->session, v->options, v->items_now, v->items_available)) {
        return trouble(v, v->session.error);
    }
    for (uint32_t i = 0; i < items->count; i++) {
        const struct bench_item *now = &v->items_now[i];
        v->result->held += now->held_before;
        v->result->sold += now->sold_before;
        if (now->stock >= 0) {
            v->result->stock += (uint64_t)now->stock;
            v->result->available += (uint64_t)v->items_available[i];
            if (v->items_available[i] < 0 ||
                (uint64_t)v->items_available[i] + now->held_before + now->sold_before !=
                    (uint64_t)now->stock) {
                fail(v, "item %llu: available %lld + held %llu + sold %llu is not the stock %lld",
                     (unsigned long long)now->id, (long long)v->items_available[i],
                     (unsigned long long)now->held_before, (unsigned long long)now->sold_before,
                     (long long)now->stock);
            }
        }
        if (!v->options->shared) {
            check_item_sums(v, i);
        }
    }
    return true;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static bool create(struct verify *v)
{
    uint32_t item_count = v->workload->items->count;
    v->found = malloc((workload_made(v->workload) + 1) * sizeof v->found[0]);
    v->sums = calloc(item_count, sizeof v->sums[0]);
    v->items_now = calloc(item_count, sizeof v->items_now[0]);
    v->items_available = calloc(item_count, sizeof v->items_available[0]);
    if (v->found == NULL || v->sums == NULL || v->items_now == NULL || v->items_available == NULL) {
        return trouble(v, "out of memory");
    }
    return true;
}

static void destroy(struct verify *v)
{
    if (v->session_is_open) {
        session_close(&v->session);
    }
    free(v->found);
    free(v->sums);
    free(v->items_now);
    free(v->items_available);
}

void verify_run(struct verify_result *result, const struct bench_options *options,
                const struct load_target *target, const struct workload *workload)
{
    memset(result, 0, sizeof *result);
    struct verify v = {
        .result = result, .options = options, .target = target, .workload = workload};
    if (create(&v) && open_session(&v, 0) && (!options->settle || settle(&v)) &&
        read_reservations(&v) && check_items(&v)) {
        check_sequences(&v);
        check_buyers(&v);
        uint64_t contradictions = workload_contradictions(workload);
        if (contradictions > 0) {
            fail(&v, "%llu answers contradicted earlier ones", (unsigned long long)contradictions);
        }
        result->done = true;
    }
    destroy(&v);
}
