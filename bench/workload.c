#include "bench/workload.h"

#include "base/assert.h"
#include "bench/chance.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* Streams and lanes without an end number their clicks far apart from each other. */
enum { STREAM_BITS = 48, LANE_BITS = 40 };
static_assert(BENCH_THREADS_MAX <= 1 << (STREAM_BITS - LANE_BITS), "a stream has room for them");

/* ---- chance -------------------------------------------------------------------------------- */

static uint64_t chance(const struct workload *workload, uint64_t salt, uint64_t index)
{
    return chance_bits(workload->options->seed, salt, index);
}

/* Is this click of the stream a second one? The first one has nothing to repeat. */
static bool is_second(const struct workload *workload, const struct workload_stream *stream,
                      uint64_t click)
{
    double share = workload->options->repeat_share;
    return share > 0 && click != stream->first_click &&
           chance_fraction(chance(workload, SALT_SECOND, click)) < share;
}

/* ---- memory -------------------------------------------------------------------------------- */

/* Large arrays are mapped: what is never used costs nothing. NULL when there is no room. */
static void *map(uint64_t count, size_t element_bytes, int flags)
{
    size_t bytes = count * element_bytes;
    void *memory = mmap(NULL, bytes > 0 ? bytes : 1, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

static void unmap(void *memory, uint64_t count, size_t element_bytes)
{
    size_t bytes = count * element_bytes;
    if (memory != NULL) {
        munmap(memory, bytes > 0 ? bytes : 1);
    }
}

static bool queue_create(struct follow_queue *queue, uint64_t room)
{
    queue->room = room;
    queue->indexes = map(room, sizeof queue->indexes[0], 0);
    queue->due_ns = map(room, sizeof queue->due_ns[0], 0);
    return queue->indexes != NULL && queue->due_ns != NULL;
}

static void queue_destroy(struct follow_queue *queue)
{
    unmap(queue->indexes, queue->room, sizeof queue->indexes[0]);
    unmap(queue->due_ns, queue->room, sizeof queue->due_ns[0]);
}

/* ---- create -------------------------------------------------------------------------------- */

static bool find_items(struct workload_stream *stream, const struct bench_items *items,
                       uint32_t core)
{
    stream->item_indexes = calloc(items->count, sizeof stream->item_indexes[0]);
    if (stream->item_indexes == NULL) {
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < items->count; i++) {
        if (items->items[i].core == core) {
            stream->item_indexes[count++] = i;
        }
    }
    stream->item_count = count;
    return true;
}

/* The items are ranked by their place in the list, over all cores; each core's stream chooses among
 * its own. */
static bool weigh_items(struct workload_stream *stream, const struct dist *dist, uint32_t count,
                        double harmonic)
{
    if (stream->item_count == 0) {
        return true;
    }
    if (dist->kind == DIST_UNIFORM) {
        stream->share = (double)stream->item_count / count;
        return true;
    }
    double *shares = malloc(stream->item_count * sizeof shares[0]);
    if (shares == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < stream->item_count; i++) {
        shares[i] = dist_share(dist, stream->item_indexes[i], count, harmonic);
        stream->share += shares[i];
    }
    bool good = stream->share == 0 || dist_table_create(&stream->table, shares, stream->item_count);
    free(shares);
    return good;
}

/* Every core gets its share of the clicks; the last core that has one gets what rounding left
 * over. */
static void share_clicks(struct workload *workload)
{
    uint64_t left = workload->options->requests;
    double share_left = 1;
    uint64_t next_click = 0;
    uint32_t last = 0;
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        last = workload->streams[core].share > 0 ? core : last;
    }
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        struct workload_stream *stream = &workload->streams[core];
        if (workload->options->requests == 0) {
            stream->click_count = stream->share > 0 ? UINT64_MAX : 0;
            stream->first_click = (uint64_t)core << STREAM_BITS;
            continue;
        }
        uint64_t clicks = core == last ? left : 0;
        if (core < last && stream->share > 0) {
            clicks = (uint64_t)((double)left * (stream->share / share_left));
            clicks = clicks < left ? clicks : left;
        }
        stream->click_count = clicks;
        stream->first_click = next_click;
        next_click += clicks;
        left -= clicks;
        share_left -= stream->share;
    }
}

static bool create_streams(struct workload *workload)
{
    const struct bench_items *items = workload->items;
    const struct dist *dist = &workload->options->dist;
    double harmonic = dist_harmonic(dist, items->count);
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        struct workload_stream *stream = &workload->streams[core];
        if (!find_items(stream, items, core) ||
            !weigh_items(stream, dist, items->count, harmonic)) {
            return false;
        }
    }
    share_clicks(workload);
    return true;
}

uint32_t workload_first_connection(const struct bench_options *options, uint32_t thread)
{
    return (uint32_t)(options->connections * thread / options->threads);
}

/* Of the connections below this number. */
static uint64_t connections_to(const struct workload *workload, uint32_t core, uint64_t below)
{
    uint32_t core_count = workload->stream_count;
    return (below + core_count - 1 - core) / core_count;
}

/* Where the clicks of a thread begin in a stream that has an end. A second click needs one before
 * it in its own thread, so it is left to the thread before. */
static uint64_t lane_begin(const struct workload *workload, uint32_t core, uint32_t thread)
{
    const struct workload_stream *stream = &workload->streams[core];
    const struct bench_options *options = workload->options;
    uint64_t before = connections_to(workload, core, workload_first_connection(options, thread));
    uint64_t all = connections_to(workload, core, options->connections);
    uint64_t end = stream->first_click + stream->click_count;
    uint64_t begin =
        stream->first_click + (uint64_t)((unsigned __int128)stream->click_count * before / all);
    while (begin < end && is_second(workload, stream, begin)) {
        begin++;
    }
    return begin;
}

static bool create_lane(const struct workload *workload, uint32_t core, uint32_t thread,
                        struct workload_lane *lane)
{
    const struct workload_stream *stream = &workload->streams[core];
    if (workload->options->requests == 0) {
        lane->first_click = stream->first_click + ((uint64_t)thread << LANE_BITS);
        lane->clicks_left = stream->click_count;
        return true;
    }
    lane->first_click = lane_begin(workload, core, thread);
    lane->clicks_left = lane_begin(workload, core, thread + 1) - lane->first_click;
    if (workload->options->repeat_share > 0) {
        lane->latest = malloc(WORKLOAD_LATEST * sizeof lane->latest[0]);
        if (lane->latest == NULL) {
            return false;
        }
    }
    return workload->ledger == NULL || (queue_create(&lane->confirms, lane->clicks_left) &&
                                        queue_create(&lane->cancels, lane->clicks_left));
}

static bool create_parts(struct workload *workload)
{
    uint32_t count = (uint32_t)workload->options->threads;
    workload->parts = aligned_alloc(alignof(struct workload_part), count * sizeof *workload->parts);
    if (workload->parts == NULL) {
        return false;
    }
    for (uint32_t thread = 0; thread < count; thread++) {
        struct workload_part *part = &workload->parts[workload->part_count++];
        *part = (struct workload_part){
            .workload = workload,
            .lanes = calloc(workload->stream_count, sizeof part->lanes[0]),
        };
        for (uint32_t core = 0; part->lanes != NULL && core < workload->stream_count; core++) {
            if (!create_lane(workload, core, thread, &part->lanes[core])) {
                return false;
            }
        }
        if (part->lanes == NULL) {
            return false;
        }
    }
    return true;
}

bool workload_create(struct workload *workload, const struct bench_options *options,
                     const struct bench_items *items, uint32_t core_count)
{
    *workload = (struct workload){
        .options = options,
        .items = items,
        .stream_count = core_count,
        .streams = calloc(core_count, sizeof workload->streams[0]),
    };
    if (workload->streams == NULL ||
        getrandom(&workload->run_id, sizeof workload->run_id, 0) != sizeof workload->run_id ||
        !create_streams(workload)) {
        return false;
    }
    if (options_keep_requests(options)) {
        workload->ledger_count = options->requests;
        workload->ledger = map(workload->ledger_count, sizeof workload->ledger[0],
                               options->open_ended ? 0 : MAP_POPULATE);
        if (workload->ledger == NULL) {
            return false;
        }
    }
    return create_parts(workload);
}

static void destroy_part(const struct workload *workload, struct workload_part *part)
{
    for (uint32_t core = 0; part->lanes != NULL && core < workload->stream_count; core++) {
        struct workload_lane *lane = &part->lanes[core];
        queue_destroy(&lane->confirms);
        queue_destroy(&lane->cancels);
        free(lane->latest);
    }
    free(part->lanes);
}

void workload_destroy(struct workload *workload)
{
    for (uint32_t i = 0; i < workload->part_count; i++) {
        destroy_part(workload, &workload->parts[i]);
    }
    free(workload->parts);
    for (uint32_t core = 0; workload->streams != NULL && core < workload->stream_count; core++) {
        dist_table_destroy(&workload->streams[core].table);
        free(workload->streams[core].item_indexes);
    }
    free(workload->streams);
    unmap(workload->ledger, workload->ledger_count, sizeof workload->ledger[0]);
    *workload = (struct workload){0};
}

/* ---- what to send -------------------------------------------------------------------------- */

static bool queue_is_empty(const struct follow_queue *queue)
{
    return queue->head == queue->tail;
}

static uint64_t queue_next_due_ns(const struct follow_queue *queue)
{
    return queue_is_empty(queue) ? UINT64_MAX : queue->due_ns[queue->head];
}

static uint32_t take_due(struct follow_queue *queue, uint64_t now_ns, uint32_t room,
                         uint64_t *due_ns_out, uint64_t *indexes_out)
{
    uint32_t count = 0;
    *due_ns_out = queue_next_due_ns(queue);
    while (count < room && queue_next_due_ns(queue) <= now_ns) {
        indexes_out[count++] = queue->indexes[queue->head++];
    }
    return count;
}

uint32_t workload_take_follows(struct workload_part *part, uint32_t core, uint64_t now_ns,
                               uint32_t room, enum wire_op *op_out, uint64_t *due_ns_out,
                               uint64_t *indexes_out)
{
    struct workload_lane *lane = &part->lanes[core];
    *op_out = WIRE_CONFIRM;
    uint32_t count = take_due(&lane->confirms, now_ns, room, due_ns_out, indexes_out);
    if (count == 0) {
        *op_out = WIRE_CANCEL;
        count = take_due(&lane->cancels, now_ns, room, due_ns_out, indexes_out);
    }
    return count;
}

/* The reservation that the next click is about. */
static uint64_t click(const struct workload_part *part, uint32_t core, struct workload_lane *lane)
{
    const struct workload *workload = part->workload;
    uint64_t number = lane->first_click + lane->taken++;
    if (is_second(workload, &workload->streams[core], number)) {
        uint64_t count = lane->made < WORKLOAD_LATEST ? lane->made : WORKLOAD_LATEST;
        return lane->latest[chance_below(chance(workload, SALT_REPEATED, number), count)];
    }
    if (lane->latest != NULL) {
        lane->latest[lane->made % WORKLOAD_LATEST] = number;
    }
    lane->made++;
    return number;
}

uint32_t workload_take_clicks(struct workload_part *part, uint32_t core, uint32_t room,
                              uint64_t *indexes_out)
{
    struct workload_lane *lane = &part->lanes[core];
    uint32_t count = lane->clicks_left < room ? (uint32_t)lane->clicks_left : room;
    for (uint32_t i = 0; i < count; i++) {
        indexes_out[i] = click(part, core, lane);
    }
    if (lane->clicks_left != UINT64_MAX) {
        lane->clicks_left -= count;
    }
    return count;
}

/* Inline, so that what is the same for all rows of a frame is worked out once. */
static inline struct workload_row row_of(const struct workload *workload, uint32_t core,
                                         uint64_t index)
{
    const struct workload_stream *stream = &workload->streams[core];
    uint64_t random = chance(workload, SALT_ITEM, index);
    uint64_t at = stream->table.count > 0 ? dist_table_pick(&stream->table, random)
                                          : chance_below(random, stream->item_count);
    return (struct workload_row){
        .item_index = stream->item_indexes[at],
        .item_id = workload->items->items[stream->item_indexes[at]].id,
        .buyer_id =
            1 + chance_below(chance(workload, SALT_BUYER, index), workload->options->buyers),
    };
}

struct workload_row workload_row(const struct workload *workload, uint32_t core, uint64_t index)
{
    return row_of(workload, core, index);
}

void workload_rows(const struct workload *workload, uint32_t core, const uint64_t *indexes,
                   uint32_t count, uint64_t *restrict item_ids, uint64_t *restrict buyer_ids)
{
    for (uint32_t i = 0; i < count; i++) {
        struct workload_row row = row_of(workload, core, indexes[i]);
        item_ids[i] = row.item_id;
        buyer_ids[i] = row.buyer_id;
    }
}

/* ---- what was answered --------------------------------------------------------------------- */

static void plan_follow(struct workload_part *part, uint32_t core, uint64_t index, uint64_t now_ns)
{
    const struct workload *workload = part->workload;
    struct workload_lane *lane = &part->lanes[core];
    const struct bench_options *options = workload->options;
    struct ledger_entry *entry = &workload->ledger[index];
    struct follow_queue *queue;
    double chosen = chance_fraction(chance(workload, SALT_FOLLOW, index));
    if (chosen < options->pay_share) {
        entry->fate = FATE_CONFIRMING;
        queue = &lane->confirms;
    } else if (chosen < options->pay_share + options->cancel_share) {
        entry->fate = FATE_CANCELLING;
        queue = &lane->cancels;
    } else {
        return;
    }
    hf_assert(queue->tail < queue->room);
    queue->indexes[queue->tail] = index;
    queue->due_ns[queue->tail] = now_ns + options->pay_delay_ms * 1000000;
    queue->tail++;
}

/* The first acceptance, under OK or, when the answer with OK was lost or has been overtaken, under
 * DUPLICATE, makes the reservation ours. Later ones must tell the same sequence number. */
static void reserve_answered(struct workload_part *part, uint32_t core, uint64_t index,
                             const struct wire_row_reply *reply, uint64_t now_ns)
{
    struct ledger_entry *entry = &part->workload->ledger[index];
    bool is_ok = reply->result == HOLDFAST__V1__RESULT__RESULT_OK;
    if (!is_ok && reply->result != HOLDFAST__V1__RESULT__RESULT_DUPLICATE) {
        if (entry->fate == FATE_UNANSWERED) {
            entry->fate = FATE_REFUSED;
        }
        return;
    }
    if (is_ok && entry->answered_ok) {
        part->contradictions++;
    }
    entry->answered_ok |= is_ok;
    if (entry->fate == FATE_UNANSWERED || entry->fate == FATE_REFUSED) {
        entry->fate = FATE_HELD;
        entry->sequence = reply->sequence;
        entry->expires_ms = reply->expires_ms;
        part->accepted++;
        plan_follow(part, core, index, now_ns);
    } else if (entry->sequence != reply->sequence) {
        part->contradictions++;
    }
}

static void follow_answered(struct workload_part *part, enum wire_op op, uint64_t index,
                            const struct wire_row_reply *reply)
{
    struct ledger_entry *entry = &part->workload->ledger[index];
    switch (reply->result) {
    case HOLDFAST__V1__RESULT__RESULT_OK:
    case HOLDFAST__V1__RESULT__RESULT_DUPLICATE:
        entry->fate = op == WIRE_CONFIRM ? FATE_CONFIRMED : FATE_CANCELLED;
        break;
    case HOLDFAST__V1__RESULT__RESULT_EXPIRED:
        entry->fate = FATE_EXPIRED;
        break;
    case HOLDFAST__V1__RESULT__RESULT_RATE_LIMITED:
    case HOLDFAST__V1__RESULT__RESULT_OVERLOADED:
    case HOLDFAST__V1__RESULT__RESULT_CAPACITY:
    case HOLDFAST__V1__RESULT__RESULT_READ_ONLY:
    case HOLDFAST__V1__RESULT__RESULT_LOADING:
        entry->fate = FATE_HELD; /* not done */
        break;
    default: /* this reservation was accepted and nobody else touches it */
        part->contradictions++;
        break;
    }
}

void workload_answered(struct workload_part *part, uint32_t core, enum wire_op op, uint64_t index,
                       const struct wire_row_reply *reply, uint64_t now_ns)
{
    hf_assert(workload_keeps(part->workload));
    if (op == WIRE_RESERVE) {
        reserve_answered(part, core, index, reply, now_ns);
    } else {
        follow_answered(part, op, index, reply);
    }
}

/* ---- when ---------------------------------------------------------------------------------- */

bool workload_has_clicks(const struct workload_part *part, uint32_t core)
{
    return part->lanes[core].clicks_left > 0;
}

void workload_stop_clicks(struct workload_part *part)
{
    for (uint32_t core = 0; core < part->workload->stream_count; core++) {
        part->lanes[core].clicks_left = 0;
    }
}

static uint64_t lane_next_due_ns(const struct workload_lane *lane)
{
    uint64_t confirm_ns = queue_next_due_ns(&lane->confirms);
    uint64_t cancel_ns = queue_next_due_ns(&lane->cancels);
    return confirm_ns < cancel_ns ? confirm_ns : cancel_ns;
}

bool workload_is_done(const struct workload_part *part)
{
    for (uint32_t core = 0; core < part->workload->stream_count; core++) {
        const struct workload_lane *lane = &part->lanes[core];
        if (lane->clicks_left > 0 || !queue_is_empty(&lane->confirms) ||
            !queue_is_empty(&lane->cancels)) {
            return false;
        }
    }
    return true;
}

bool workload_is_due(const struct workload_part *part, uint32_t core, uint64_t now_ns)
{
    return lane_next_due_ns(&part->lanes[core]) <= now_ns;
}

uint64_t workload_next_due_ns(const struct workload_part *part)
{
    uint64_t earliest_ns = UINT64_MAX;
    for (uint32_t core = 0; core < part->workload->stream_count; core++) {
        uint64_t due_ns = lane_next_due_ns(&part->lanes[core]);
        earliest_ns = due_ns < earliest_ns ? due_ns : earliest_ns;
    }
    return earliest_ns;
}

/* ---- of all parts -------------------------------------------------------------------------- */

bool workload_next_made(const struct workload *workload, uint32_t core,
                        struct workload_cursor *cursor, uint64_t *index_out)
{
    while (cursor->part < workload->part_count) {
        const struct workload_lane *lane = &workload->parts[cursor->part].lanes[core];
        while (cursor->click < lane->taken) {
            uint64_t number = lane->first_click + cursor->click++;
            if (!is_second(workload, &workload->streams[core], number)) {
                *index_out = number;
                return true;
            }
        }
        cursor->part++;
        cursor->click = 0;
    }
    return false;
}

uint64_t workload_made(const struct workload *workload)
{
    uint64_t made = 0;
    for (uint32_t i = 0; i < workload->part_count; i++) {
        for (uint32_t core = 0; core < workload->stream_count; core++) {
            made += workload->parts[i].lanes[core].made;
        }
    }
    return made;
}

uint64_t workload_accepted(const struct workload *workload)
{
    uint64_t accepted = 0;
    for (uint32_t i = 0; i < workload->part_count; i++) {
        accepted += workload->parts[i].accepted;
    }
    return accepted;
}

uint64_t workload_contradictions(const struct workload *workload)
{
    uint64_t contradictions = 0;
    for (uint32_t i = 0; i < workload->part_count; i++) {
        contradictions += workload->parts[i].contradictions;
    }
    return contradictions;
}
