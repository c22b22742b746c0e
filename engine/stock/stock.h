#ifndef HF_STOCK_H
#define HF_STOCK_H
/* The state of one core: items, reservations, what each buyer has, deadlines. Pure: no clock, no
 * I/O, no randomness, no allocation after stock_create(). One thread.
 *
 *     decide  reads the state and answers, with the record of what would change
 *     commit  applies one record; the only code that changes the state
 *
 * Serving is decide, append to the log, commit. Replay is check, commit. So live and replayed
 * state cannot drift apart. Saving a state is in stock/save.h, loading one in stock/load.h.
 *
 * For each limited item, at every moment, available + held + sold = stock, all >= 0. */

#include "stock/code.h"
#include "stock/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stock;

#define STOCK_SLOT_NONE UINT32_MAX

/* Limits of what a caller may ask for; beyond them the answer is INVALID. */
enum {
    STOCK_QUANTITY_MAX = 1000000,
    STOCK_HOLD_MS_MIN = 1,
};
#define STOCK_HOLD_MS_MAX     (30ull * 24 * 3600 * 1000) /* thirty days */
#define STOCK_HOLD_MS_DEFAULT (15ull * 60 * 1000)        /* of an item that names none */
#define STOCK_STOCK_MAX       (1ll << 48)
#define STOCK_TIME_MS_MAX     ((1ull << 43) - 1) /* engine time ends in the year 2248 */
#define STOCK_TABLE_COUNT_MAX (1u << 30)         /* for each of the counts below */
#define STOCK_PREPARE_MAX     64                 /* rows */

struct stock_options {
    uint32_t item_count_max;
    uint32_t reservation_count_max; /* open and ended but not yet forgotten */
    uint32_t buyer_count_max;       /* pairs of buyer and item that have units */
    uint64_t retention_ms;          /* how long ended reservations are remembered */
    uint64_t hash_key;              /* random per process; never influences a result */
};

enum stock_op {
    STOCK_OP_RESERVE,
    STOCK_OP_CONFIRM,
    STOCK_OP_CANCEL,
    STOCK_OP_EXTEND,
    STOCK_OP_GET,
};

/* One row: what a caller asks about one reservation. Fields that the op does not name are ignored.
 */
struct stock_request {
    struct id128 reservation_id; /* not zero */
    uint64_t item_id;
    uint64_t buyer_id;   /* reserve: 0 = anonymous, no per-buyer rules */
    uint64_t user_data;  /* reserve: kept and given back */
    uint64_t expires_ms; /* extend: hold at least until then */
    uint64_t hold_ms;    /* reserve: 0 = the item's */
    uint32_t quantity;   /* reserve: 1 .. STOCK_QUANTITY_MAX; confirm: 0 = all that is held */
    uint8_t op;          /* enum stock_op */
    /* filled in by stock_prepare() */
    uint32_t item_slot; /* items never move; STOCK_SLOT_NONE when there is none */
    uint64_t reservation_hash;
    uint64_t buyer_hash;
};

/* Fields that INVALID can name; numbers as holdfast.v1.Field on the wire. */
enum stock_field {
    STOCK_FIELD_NONE = 0,
    STOCK_FIELD_ITEM_ID = 1,
    STOCK_FIELD_RESERVATION_ID = 2,
    STOCK_FIELD_BUYER_ID = 3,
    STOCK_FIELD_QUANTITY = 4,
    STOCK_FIELD_HOLD_MS = 5,
    STOCK_FIELD_EXPIRES_MS = 6,
    STOCK_FIELD_STOCK = 7,
    STOCK_FIELD_BUYER_LIMIT = 8,
    STOCK_FIELD_HOLD_CAP = 9,
    STOCK_FIELD_OPENS_AT_MS = 10,
    STOCK_FIELD_CLOSES_AT_MS = 11,
    STOCK_FIELD_SKU = 12,
};

/* Numbers as holdfast.v1.ReservationState on the wire. REFUNDED follows CONFIRMED when refunds
 * come. */
enum stock_state {
    STOCK_STATE_NONE = 0,
    STOCK_STATE_HELD = 1,
    STOCK_STATE_CONFIRMED = 2,
    STOCK_STATE_CANCELLED = 3,
    STOCK_STATE_EXPIRED = 4,
};

struct stock_reply {
    uint8_t code;          /* enum stock_code */
    uint8_t state;         /* enum stock_state: of the reservation after this, if there is one */
    uint8_t invalid_field; /* enum stock_field, with INVALID */
    uint32_t quantity;
    uint32_t quantity_confirmed;
    uint64_t sequence;
    uint64_t expires_ms; /* with NOT_OPEN: when the sale opens */
    int64_t available;   /* units free after this, STOCK_UNLIMITED, or 0 for an unknown item */
    uint64_t seen_lsn;   /* the newest record this answer depends on; it must be durable first */
    /* only after STOCK_OP_GET */
    uint64_t buyer_id;
    uint64_t user_data;
    uint64_t created_ms;
};

struct stock_item_view {
    struct stock_item_settings settings;
    int64_t available; /* or STOCK_UNLIMITED */
    uint64_t held;
    uint64_t sold;
    uint64_t next_sequence;
    uint64_t created_ms;
    uint64_t changed_lsn;
};

struct stock_counts {
    uint64_t items;
    uint64_t reservations;                        /* all that are remembered */
    uint64_t held, confirmed, cancelled, expired; /* reservations now in that state */
    uint64_t buyers;
    uint64_t units_held, units_sold;
};

/* Each count is 1 .. STOCK_TABLE_COUNT_MAX. NULL when the system refuses the memory. */
struct stock *stock_create(const struct stock_options *options);
void stock_destroy(struct stock **stock);

/* The tables' memory is taken from the system as slots are used for the first time, which in a
 * virtual machine can cost more than all else. That of buyers and reservations can be taken before:
 * these are the first slots of which it is still to be. Items are created seldom, and are left out.
 */
struct stock_ahead {
    uint32_t buyer_slot;
    uint32_t reservation_slot;
};

/* Behind all slots that were ever used. Like anything else that reads the state, not beside the
 * stock's own thread. */
struct stock_ahead stock_ahead_begin(const struct stock *stock);

/* Takes the next piece of each table, a few MiB, and moves on. Returns how many bytes, 0 when there
 * is no slot left. Changes no content, and may run beside the stock's own thread. */
uint64_t stock_ahead_touch(const struct stock *stock, struct stock_ahead *ahead);

/* The first field of the row that is out of range whatever the state, or STOCK_FIELD_NONE. Decide
 * asks this before anything else; so does whoever refuses rows without asking the state. */
enum stock_field stock_request_invalid_field(const struct stock_request *request, uint64_t now_ms);

/* Finds the items of the rows, fills in the other hashes, and reads what deciding them will need,
 * so that it is in the cache. Call it for as many rows as there are, at most STOCK_PREPARE_MAX,
 * shortly before deciding them. No item is created in between: it would stay unknown to them. */
void stock_prepare(const struct stock *stock, struct stock_request *rows, uint32_t row_count);

/* Answers one prepared row. Changes nothing. `record_out->type` is STOCK_RECORD_NONE when nothing
 * is to be changed; else the record must be appended and committed before the next call. It is set
 * with OK; and, whatever the code, the record is the expiry of the hold when the request met a hold
 * whose deadline has passed and whose expiry was not yet recorded. So nobody is ever shown an
 * overdue hold. `seen_lsn` of the reply covers what was read; when there is a record the caller
 * waits for that one's LSN instead. `available` is as it will be after the commit. After INVALID
 * for a field that is wrong by itself the state was not read: all other fields are zero. */
void stock_decide(const struct stock *stock, const struct stock_request *request, uint64_t now_ms,
                  struct stock_reply *reply_out, struct stock_record *record_out);

/* Makes the reply of a decision a refusal with this code, because its record can't be made: nothing
 * has changed, and what was read of the item and its reservation was still seen. */
void stock_refuse(const struct stock *stock, const struct stock_record *record,
                  enum stock_code code, struct stock_reply *reply_inout);

/* The next expiry (HELD and past its deadline) or forgetting that is due. False when none is. */
bool stock_decide_due(const struct stock *stock, uint64_t now_ms, struct stock_record *record_out);

/* Creating an item again with the settings that it has now is DUPLICATE, with others ID_CONFLICT,
 * naming the field SKU if that differs. Fields of the reply that are about reservations stay zero.
 */
void stock_decide_item_create(const struct stock *stock, const struct stock_item_settings *settings,
                              uint64_t now_ms, struct stock_reply *reply_out,
                              struct stock_record *record_out);

/* Which settings an update changes: bits. */
enum {
    STOCK_UPDATE_STOCK = 1 << 0,
    STOCK_UPDATE_BUYER_LIMIT = 1 << 1,
    STOCK_UPDATE_HOLD_CAP = 1 << 2,
    STOCK_UPDATE_HOLD_MS = 1 << 3,
    STOCK_UPDATE_OPENS_AT_MS = 1 << 4,
    STOCK_UPDATE_CLOSES_AT_MS = 1 << 5,
    STOCK_UPDATE_PAUSED = 1 << 6,
    STOCK_UPDATE_ALL = (1 << 7) - 1,
};

/* Changes the named settings. New stock below what is held and sold is INSUFFICIENT, with the
 * reply's `available` telling what is free now. An update that changes nothing is OK without a
 * record. */
void stock_decide_item_update(const struct stock *stock, const struct stock_item_settings *settings,
                              uint32_t update_mask, uint64_t now_ms, struct stock_reply *reply_out,
                              struct stock_record *record_out);

/* Is this record legal in this state? NULL, or why not (static text). For records from a log,
 * before stock_commit(). Fills in the record's hints. A table that is full is told as
 * stock_check_full: the record may be right, and the options are too small for it.
 * Limits and windows are not checked again: rules may change without changing history. */
extern const char stock_check_full[];
const char *stock_check(const struct stock *stock, struct stock_record *record);

/* Applies one record that decide made or check passed, just now. Replies about its item wait for
 * `record->lsn` from now on; a record that was read from disk has nothing to wait for: 0. */
void stock_commit(struct stock *stock, const struct stock_record *record);

/* When stock_decide_due() will next have something; UINT64_MAX = never. */
uint64_t stock_next_due_ms(const struct stock *stock);

/* False when there is no such item. */
bool stock_item_find(const struct stock *stock, uint64_t item_id, struct stock_item_view *view_out);

/* Items in the order in which they were created or loaded, from index 0 on; false past the end. */
bool stock_item_at(const struct stock *stock, uint32_t index, struct stock_item_view *view_out);

struct stock_counts stock_counts(const struct stock *stock);

/* Sum over all items, reservations and buyers of a hash of each: independent of table order and of
 * how items are spread over cores, so the sums of the cores add up. Walks everything: for start,
 * stop, tools. */
uint64_t stock_hash(const struct stock *stock);

/* The latest time_ms of any committed record, or of a snapshot; 0 before the first. */
uint64_t stock_time_ms(const struct stock *stock);

/* Asserts every invariant, walking everything. For tests and tools. */
void stock_assert_valid(const struct stock *stock);

#endif
