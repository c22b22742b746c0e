#ifndef HF_BENCH_WORKLOAD_H
#define HF_BENCH_WORKLOAD_H
/* Who clicks on what, and who pays: the stream of rows that a run sends, and the memory of what
 * was answered.
 *
 * Clicks are numbered. Each core of the server has a stream of its own, about its own items, with a
 * range of numbers of its own; each thread of the load has a part of every stream, a range of that.
 * Whether a click is a second one, which makes a known reservation again, follows from seed and
 * number alone; so do item, buyer and whether it will be paid. So a row can be made again at any
 * time and nothing of it need be stored; and however many threads there are, together they make the
 * same reservations. Only which of the latest ones a second click repeats is each thread's own.
 *
 * A reservation is known by the number of its first click, its index: plus one it is the low half
 * of its id, the high half is the run's.
 *
 * What was answered is kept in one array, the ledger, when the scenario or --verify needs it.
 *
 * A part is used by one thread; what all share does not change while parts are in use, but for the
 * ledger, where each reservation belongs to one part. */

#include "bench/items.h"
#include "bench/options.h"
#include "bench/wire.h"

#include <stdalign.h>
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
    uint64_t room;
    uint64_t head;
    uint64_t tail;
};

/* The clicks on one core's items. */
struct workload_stream {
    uint32_t item_count;
    uint32_t *item_indexes;  /* into the items */
    double share;            /* of all clicks, by --dist */
    struct dist_table table; /* of its items; empty when all are alike */
    uint64_t first_click;
    uint64_t click_count; /* UINT64_MAX = without end */
};

/* A second click repeats one of so many latest reservations of its thread. */
enum { WORKLOAD_LATEST = 1000 };

/* What one thread has of a stream. */
struct workload_lane {
    uint64_t first_click;
    uint64_t taken;       /* clicks first_click .. first_click + taken - 1 */
    uint64_t clicks_left; /* UINT64_MAX = without end */
    uint64_t made;        /* reservations: the clicks taken that were no second ones */
    uint64_t *latest;     /* a ring of the latest ones; NULL when there are no second clicks */
    struct follow_queue confirms;
    struct follow_queue cancels;
};

/* What one thread has of the workload. On cache lines of its own. */
struct workload_part {
    alignas(64) const struct workload *workload;
    struct workload_lane *lanes; /* one per core of the server */
    uint64_t accepted;           /* different reservations; only when kept */
    uint64_t contradictions;     /* answers that do not agree with earlier ones */
};

struct workload {
    const struct bench_options *options;
    const struct bench_items *items;
    uint64_t run_id; /* the high half of every reservation id; random */
    uint32_t stream_count;
    struct workload_stream *streams; /* one per core of the server */
    uint32_t part_count;
    struct workload_part *parts; /* one per thread of the load */
    struct ledger_entry *ledger; /* by index; NULL when not kept */
    uint64_t ledger_count;
};

/* The connections of the load are numbered too: connection i speaks with core i % core_count, and a
 * thread has those from here up to where the next thread's begin. */
uint32_t workload_first_connection(const struct bench_options *options, uint32_t thread);

/* False when there is no memory. `items` and `options` stay the caller's. Every thread that the
 * options ask for has a connection to every core; its part of a core's clicks is that of its
 * connections to it. */
bool workload_create(struct workload *workload_out, const struct bench_options *options,
                     const struct bench_items *items, uint32_t core_count);
void workload_destroy(struct workload *workload);

struct workload_row workload_row(const struct workload *workload, uint32_t core, uint64_t index);

/* Items and buyers of several, as columns. */
void workload_rows(const struct workload *workload, uint32_t core, const uint64_t *indexes,
                   uint32_t count, uint64_t *restrict item_ids_out,
                   uint64_t *restrict buyer_ids_out);

/* Who is due to pay or cancel at this core: at most `room` rows of one kind, paying first.
 * `due_ns_out` is since when the first of them is. Returns 0 when nobody is at this moment. */
uint32_t workload_take_follows(struct workload_part *part, uint32_t core, uint64_t now_ns,
                               uint32_t room, enum wire_op *op_out, uint64_t *due_ns_out,
                               uint64_t *indexes_out);

/* The next clicks on items of this core, at most `room`. Returns 0 when none are left. */
uint32_t workload_take_clicks(struct workload_part *part, uint32_t core, uint32_t room,
                              uint64_t *indexes_out);

/* Is what was answered kept? Else nobody needs to note it. */
static inline bool workload_keeps(const struct workload *workload)
{
    return workload->ledger != NULL;
}

/* Notes an answer. */
void workload_answered(struct workload_part *part, uint32_t core, enum wire_op op, uint64_t index,
                       const struct wire_row_reply *reply, uint64_t now_ns);

/* Are there clicks left for this core? */
bool workload_has_clicks(const struct workload_part *part, uint32_t core);

/* No new clicks from now on; those who were accepted still pay. */
void workload_stop_clicks(struct workload_part *part);

/* Nothing left to send, now or later, if no more answers come. */
bool workload_is_done(const struct workload_part *part);

/* Is somebody due to pay or cancel at this core? */
bool workload_is_due(const struct workload_part *part, uint32_t core, uint64_t now_ns);

/* When somebody wants to pay or cancel next; UINT64_MAX = nobody does. */
uint64_t workload_next_due_ns(const struct workload_part *part);

/* ---- of all parts, when no thread uses them ---- */

/* Goes through the reservations of a core that were made, in no order that matters. Begin with a
 * cursor that is all zero. */
struct workload_cursor {
    uint32_t part;
    uint64_t click; /* of the part's */
};
bool workload_next_made(const struct workload *workload, uint32_t core,
                        struct workload_cursor *cursor, uint64_t *index_out);

/* How many were made, accepted, and answered as they can't have been. */
uint64_t workload_made(const struct workload *workload);
uint64_t workload_accepted(const struct workload *workload);
uint64_t workload_contradictions(const struct workload *workload);

#endif
