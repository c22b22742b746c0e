#ifndef HF_TESTS_CRASH_LOAD_STATE_H
#define HF_TESTS_CRASH_LOAD_STATE_H
/* What crash_load.c and crash_audit.c share: what the clients know. */

#include "crash_load.h"
#include "random.h"

enum {
    CONNECTIONS = 7, /* the last one only looks */
    FRAMES_IN_FLIGHT = 16,
    FRAME_ROWS_MAX = 24,
    MIXED_ITEMS = 9,
    ONE_WAY_ITEMS_PER_ROUND = 2,
    ONE_WAY_STOCK = 300,
    BUYERS = 200,
    BUYER_LIMIT = 5,
    SHORT_HOLD_MS_MAX = 150,
    LONG_HOLD_MS = 6 * 3600 * 1000,
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
    bool was_in_flight_at_crash;
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
};

struct crash_load {
    struct crash_load_options options;
    struct test_random random;
    uint32_t round;
    bool may_be_read_only;
    bool is_hoarding;
    struct connection connections[CONNECTIONS];
    struct item *items;
    uint32_t item_count;
    struct reservation *reservations;
    uint32_t reservation_count;
    uint32_t round_first; /* the round's first reservation */
    uint32_t *held;       /* reservations known to be held, with nothing in flight */
    uint32_t held_count;
    uint32_t *undone; /* reservations that were refused without a look: to be asked for again */
    uint32_t undone_count;
    struct crash_load_counts counts[256]; /* by frame type */
    /* for people */
    uint64_t acknowledged, in_flight_at_crash, happened_in_flight;
};
extern struct crash_load crash_load;

/* The row by which this is asked of the reservation. */
struct raw_row crash_load_row(uint32_t index, uint8_t type);

/* What was told of an item. */
void crash_load_note_item(struct item *item, const struct raw_item_answer *now);

/* What was told of a reservation, in answer to this operation; `state_then` was certain when it was
 * asked. */
void crash_load_note_answer(uint32_t index, uint8_t type, uint8_t state_then,
                            const struct raw_answer *answer);

/* The reservation is held for certain. */
void crash_load_add_held(uint32_t index);

bool crash_load_is_ended(uint8_t state);

#endif
