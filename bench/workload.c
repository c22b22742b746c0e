#include "bench/workload.h"

#include "base/assert.h"
#include "bench/chance.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* A second click repeats one of so many latest reservations of its stream. */
enum { REPEAT_WINDOW = 1000 };

/* ---- chance -------------------------------------------------------------------------------- */

static uint64_t chance(const struct workload *workload, uint64_t salt, uint64_t index)
{
    return chance_bits(workload->options->seed, salt, index);
}

static uint64_t stream_random(struct workload_stream *stream)
{
    stream->random += 0x9e3779b97f4a7c15ull;
    return chance_mix(stream->random);
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

static bool queue_create(struct follow_queue *queue, uint64_t count)
{
    queue->indexes = map(count, sizeof queue->indexes[0], 0);
    queue->due_ns = map(count, sizeof queue->due_ns[0], 0);
    return queue->indexes != NULL && queue->due_ns != NULL;
}

static void queue_destroy(struct follow_queue *queue, uint64_t count)
{
    unmap(queue->indexes, count, sizeof queue->indexes[0]);
    unmap(queue->due_ns, count, sizeof queue->due_ns[0]);
}

/* ---- create -------------------------------------------------------------------------------- */

static bool find_items(struct workload_stream *stream, const struct bench_items *items,
                       uint32_t core)
{
    stream->item_indexes = malloc(items->count * sizeof stream->item_indexes[0]);
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
    uint64_t next_index = 0;
    uint32_t last = 0;
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        last = workload->streams[core].share > 0 ? core : last;
    }
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        struct workload_stream *stream = &workload->streams[core];
        if (workload->options->requests == 0) {
            stream->clicks_left = stream->share > 0 ? UINT64_MAX : 0;
            stream->first_index = (uint64_t)core << 48;
            continue;
        }
        uint64_t clicks = core == last ? left : 0;
        if (core < last && stream->share > 0) {
            clicks = (uint64_t)((double)left * (stream->share / share_left));
            clicks = clicks < left ? clicks : left;
        }
        stream->clicks_left = clicks;
        stream->first_index = next_index;
        next_index += clicks;
        left -= clicks;
        share_left -= stream->share;
    }
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
        getrandom(&workload->run_id, sizeof workload->run_id, 0) != sizeof workload->run_id) {
        return false;
    }
    double harmonic = dist_harmonic(&options->dist, items->count);
    for (uint32_t core = 0; core < core_count; core++) {
        struct workload_stream *stream = &workload->streams[core];
        stream->random = chance(workload, SALT_STREAM, core);
        if (!find_items(stream, items, core) ||
            !weigh_items(stream, &options->dist, items->count, harmonic)) {
            return false;
        }
    }
    share_clicks(workload);
    if (!options_keep_requests(options)) {
        return true;
    }
    workload->ledger_count = options->requests;
    workload->ledger = map(workload->ledger_count, sizeof workload->ledger[0],
                           options->open_ended ? 0 : MAP_POPULATE);
    if (workload->ledger == NULL) {
        return false;
    }
    for (uint32_t core = 0; core < core_count; core++) {
        struct workload_stream *stream = &workload->streams[core];
        if (!queue_create(&stream->confirms, options->requests) ||
            !queue_create(&stream->cancels, options->requests)) {
            return false;
        }
    }
    return true;
}

void workload_destroy(struct workload *workload)
{
    for (uint32_t core = 0; workload->streams != NULL && core < workload->stream_count; core++) {
        struct workload_stream *stream = &workload->streams[core];
        queue_destroy(&stream->confirms, workload->ledger_count);
        queue_destroy(&stream->cancels, workload->ledger_count);
        dist_table_destroy(&stream->table);
        free(stream->item_indexes);
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

uint32_t workload_take_follows(struct workload *workload, uint32_t core, uint64_t now_ns,
                               uint32_t room, enum wire_op *op_out, uint64_t *due_ns_out,
                               uint64_t *indexes_out)
{
    struct workload_stream *stream = &workload->streams[core];
    *op_out = WIRE_CONFIRM;
    uint32_t count = take_due(&stream->confirms, now_ns, room, due_ns_out, indexes_out);
    if (count == 0) {
        *op_out = WIRE_CANCEL;
        count = take_due(&stream->cancels, now_ns, room, due_ns_out, indexes_out);
    }
    return count;
}

static uint64_t click(const struct workload *workload, struct workload_stream *stream)
{
    double repeat_share = workload->options->repeat_share;
    if (repeat_share > 0 && stream->made > 0 &&
        chance_fraction(stream_random(stream)) < repeat_share) {
        uint64_t window = stream->made < REPEAT_WINDOW ? stream->made : REPEAT_WINDOW;
        uint64_t back = chance_below(stream_random(stream), window);
        return stream->first_index + stream->made - 1 - back;
    }
    return stream->first_index + stream->made++;
}

uint32_t workload_take_clicks(struct workload *workload, uint32_t core, uint32_t room,
                              uint64_t *indexes_out)
{
    struct workload_stream *stream = &workload->streams[core];
    uint32_t count = stream->clicks_left < room ? (uint32_t)stream->clicks_left : room;
    for (uint32_t i = 0; i < count; i++) {
        indexes_out[i] = click(workload, stream);
    }
    if (stream->clicks_left != UINT64_MAX) {
        stream->clicks_left -= count;
    }
    return count;
}

struct workload_row workload_row(const struct workload *workload, uint32_t core, uint64_t index)
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

/* ---- what was answered --------------------------------------------------------------------- */

static void plan_follow(struct workload *workload, uint32_t core, uint64_t index, uint64_t now_ns)
{
    struct workload_stream *stream = &workload->streams[core];
    const struct bench_options *options = workload->options;
    struct ledger_entry *entry = &workload->ledger[index];
    struct follow_queue *queue;
    double chosen = chance_fraction(chance(workload, SALT_FOLLOW, index));
    if (chosen < options->pay_share) {
        entry->fate = FATE_CONFIRMING;
        queue = &stream->confirms;
    } else if (chosen < options->pay_share + options->cancel_share) {
        entry->fate = FATE_CANCELLING;
        queue = &stream->cancels;
    } else {
        return;
    }
    hf_assert(queue->tail < workload->ledger_count);
    queue->indexes[queue->tail] = index;
    queue->due_ns[queue->tail] = now_ns + options->pay_delay_ms * 1000000;
    queue->tail++;
}

/* The first acceptance, under OK or, when the answer with OK was lost or has been overtaken, under
 * DUPLICATE, makes the reservation ours. Later ones must tell the same sequence number. */
static void reserve_answered(struct workload *workload, uint32_t core, uint64_t index,
                             const struct wire_row_reply *reply, uint64_t now_ns)
{
    struct ledger_entry *entry = &workload->ledger[index];
    bool is_ok = reply->result == HOLDFAST__V1__RESULT__RESULT_OK;
    if (!is_ok && reply->result != HOLDFAST__V1__RESULT__RESULT_DUPLICATE) {
        if (entry->fate == FATE_UNANSWERED) {
            entry->fate = FATE_REFUSED;
        }
        return;
    }
    if (is_ok && entry->answered_ok) {
        workload->contradictions++;
    }
    entry->answered_ok |= is_ok;
    if (entry->fate == FATE_UNANSWERED || entry->fate == FATE_REFUSED) {
        entry->fate = FATE_HELD;
        entry->sequence = reply->sequence;
        entry->expires_ms = reply->expires_ms;
        workload->accepted++;
        plan_follow(workload, core, index, now_ns);
    } else if (entry->sequence != reply->sequence) {
        workload->contradictions++;
    }
}

static void follow_answered(struct workload *workload, enum wire_op op, uint64_t index,
                            const struct wire_row_reply *reply)
{
    struct ledger_entry *entry = &workload->ledger[index];
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
        workload->contradictions++;
        break;
    }
}

void workload_answered(struct workload *workload, uint32_t core, enum wire_op op, uint64_t index,
                       const struct wire_row_reply *reply, uint64_t now_ns)
{
    if (workload->ledger == NULL) {
        return;
    }
    if (op == WIRE_RESERVE) {
        reserve_answered(workload, core, index, reply, now_ns);
    } else {
        follow_answered(workload, op, index, reply);
    }
}

/* ---- when ---------------------------------------------------------------------------------- */

bool workload_has_clicks(const struct workload *workload, uint32_t core)
{
    return workload->streams[core].clicks_left > 0;
}

void workload_stop_clicks(struct workload *workload)
{
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        workload->streams[core].clicks_left = 0;
    }
}

static uint64_t stream_next_due_ns(const struct workload_stream *stream)
{
    uint64_t confirm_ns = queue_next_due_ns(&stream->confirms);
    uint64_t cancel_ns = queue_next_due_ns(&stream->cancels);
    return confirm_ns < cancel_ns ? confirm_ns : cancel_ns;
}

bool workload_is_done(const struct workload *workload)
{
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        const struct workload_stream *stream = &workload->streams[core];
        if (stream->clicks_left > 0 || !queue_is_empty(&stream->confirms) ||
            !queue_is_empty(&stream->cancels)) {
            return false;
        }
    }
    return true;
}

bool workload_is_due(const struct workload *workload, uint32_t core, uint64_t now_ns)
{
    return stream_next_due_ns(&workload->streams[core]) <= now_ns;
}

uint64_t workload_next_due_ns(const struct workload *workload)
{
    uint64_t earliest_ns = UINT64_MAX;
    for (uint32_t core = 0; core < workload->stream_count; core++) {
        uint64_t due_ns = stream_next_due_ns(&workload->streams[core]);
        earliest_ns = due_ns < earliest_ns ? due_ns : earliest_ns;
    }
    return earliest_ns;
}
