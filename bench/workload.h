#ifndef HF_BENCH_WORKLOAD_H
#define HF_BENCH_WORKLOAD_H
/* Who clicks on what, and who pays: the stream of rows that a run sends, and the memory of what
 * was answered.
 *
 * A reservation is known by its index. Item, buyer and whether it will be paid follow from seed and
 * index alone, so that a row can be made again at any time and nothing of it need be stored; the
 * index plus one is the low half of its id, the high half is the run's. Each core of the server has
 * a stream of its own, about its own items, with a range of indexes of its own.
 *
 * What was answered is kept in one array, the ledger, when the scenario or --verify needs it. */

#include "bench/items.h"
#include "bench/options.h"
#include "bench/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* What we know of a reservation. */
enum fate {
    FATE_UNANSWERED = 0,
    FATE_REFUSED,
    FATE_HELD,
    FATE_CONFIRMING, /* asked for, no answer yet */
    FATE_CANCELLING,
    FATE_CONFIRMED,
    FATE_CANCELLED,
    FATE_EXPIRED, /* heard so when paying or cancelling */
};

struct ledger_entry {
    uint64_t sequence;
    uint64_t expires_ms;
    uint8_t fate;     /* enum fate */
    bool answered_ok; /* with OK, which only one of several clicks can get */
};

struct workload_row {
    uint64_t item_id;
    uint64_t buyer_id;
    uint32_t item_index;
};

/* First in, first out: reservations that are to be paid or cancelled, and when. */
struct follow_queue {
    uint64_t *indexes;
    uint64_t *due_ns;
    uint64_t head;
    uint64_t tail;
};

struct workload_stream {
    uint32_t item_count;
    uint32_t *item_indexes;  /* into the items */
    double share;            /* of all clicks, by --dist */
    struct dist_table table; /* of its items; empty when all are alike */
    uint64_t first_index;
    uint64_t made;        /* reservations: indexes first_index .. first_index + made - 1 */
    uint64_t clicks_left; /* UINT64_MAX = without end */
    uint64_t random;
    struct follow_queue confirms;
    struct follow_queue cancels;
};

struct workload {
    const struct bench_options *options;
    const struct bench_items *items;
    uint64_t run_id; /* the high half of every reservation id; random */
    uint32_t stream_count;
    struct workload_stream *streams; /* one per core of the server */
    struct ledger_entry *ledger;     /* NULL when not kept */
    uint64_t ledger_count;
    uint64_t accepted;       /* different reservations; only when kept */
    uint64_t contradictions; /* answers that do not agree with earlier ones */
};

/* False when there is no memory. `items` and `options` stay the caller's. */
bool workload_create(struct workload *workload_out, const struct bench_options *options,
                     const struct bench_items *items, uint32_t core_count);
void workload_destroy(struct workload *workload);

/* Who is due to pay or cancel at this core: at most `room` rows of one kind, paying first.
 * `due_ns_out` is since when the first of them is. Returns 0 when nobody is at this moment. */
uint32_t workload_take_follows(struct workload *workload, uint32_t core, uint64_t now_ns,
                               uint32_t room, enum wire_op *op_out, uint64_t *due_ns_out,
                               uint64_t *indexes_out);

/* The next clicks on items of this core, at most `room`. Returns 0 when none are left. */
uint32_t workload_take_clicks(struct workload *workload, uint32_t core, uint32_t room,
                              uint64_t *indexes_out);

struct workload_row workload_row(const struct workload *workload, uint32_t core, uint64_t index);

/* Notes an answer. */
void workload_answered(struct workload *workload, uint32_t core, enum wire_op op, uint64_t index,
                       const struct wire_row_reply *reply, uint64_t now_ns);

/* Are there clicks left for this core? */
bool workload_has_clicks(const struct workload *workload, uint32_t core);

/* No new clicks from now on; those who were accepted still pay. */
void workload_stop_clicks(struct workload *workload);

/* Nothing left to send, now or later, if no more answers come. */
bool workload_is_done(const struct workload *workload);

/* Is somebody due to pay or cancel at this core? */
bool workload_is_due(const struct workload *workload, uint32_t core, uint64_t now_ns);

/* When somebody wants to pay or cancel next; UINT64_MAX = nobody does. */
uint64_t workload_next_due_ns(const struct workload *workload);

#endif
