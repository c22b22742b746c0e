#ifndef HF_SIM_HISTORY_PRIVATE_H
#define HF_SIM_HISTORY_PRIVATE_H
/* The book in which a run's history is kept, for the checks that read it (history.h is for those
 * who write it). Calls, records and items are numbered from 0 in the order in which they came, so
 * numbers are the references between them.
 *
 *     history.c        keeps the book: calls, answers, the server's lives
 *     witness.c        tells it the records that reached the disk
 *     witness_snapshots.c  and what it knows of snapshots
 *     check_record.c   each record against those before it, as it comes
 *     check_saved.c    the state that the records make until some LSN
 *     check_unseen.c   whether an answer may say that the request was not looked at
 *     check_answer.c   each answer against the item's records, at the end
 *     check_table.c    whether a table can have been full, when an answer says so
 *     describe.c       calls, answers and records as text */

#include "history.h"
#include "stock_model.h"

#define BOOK_NONE UINT32_MAX

enum { BOOK_CLIENT_COUNT_MAX = 1 << 16 };

enum book_call_state {
    BOOK_CALL_OPEN,
    BOOK_CALL_ANSWERED,
    BOOK_CALL_GIVEN_UP,
};

struct book_call {
    struct history_call asked;
    struct stock_reply reply;
    struct stock_item_view view;
    bool has_view;
    bool was_served; /* all cores served when it was asked */
    uint8_t state;   /* enum book_call_state */
    uint32_t item;
    uint32_t life; /* of the server, when it was asked */
    uint32_t next_of_item;
    uint32_t asked_event, answered_event;
    uint32_t known_count; /* records of its item that were on disk when it was answered */
    uint32_t record;      /* the one that its answer speaks of, or BOOK_NONE */
    /* The engine decided it in this time, if it did. */
    uint64_t from_ms, to_ms;
    uint64_t asked_ns; /* true time, for people */
};

struct book_record {
    struct stock_record record; /* with its LSN */
    uint64_t era;
    uint32_t core;
    uint32_t item;
    uint32_t life;
    uint32_t event; /* when it was seen on the disk */
    uint32_t call;  /* the answered call that brought it about, or BOOK_NONE */
};

/* A hold as its records tell it. */
struct book_hold {
    struct id128 id;
    uint64_t expires_ms;
    uint64_t ended_ms;
    uint32_t quantity;
    uint32_t seen_event; /* when its first record was seen on the disk */
    uint8_t state;       /* enum stock_state; NONE = forgotten */
};

struct book_item {
    uint64_t item_id;
    uint32_t first_call, last_call; /* linked by next_of_item */
    uint32_t *records;              /* in their order */
    uint32_t record_count, record_room;
    struct book_hold *holds; /* number i has sequence i + 1 */
    uint32_t hold_count, hold_room;
    uint32_t remembered_from; /* all holds before this one are forgotten */
    int64_t stock;
    uint64_t held, sold;
    uint64_t last_time_ms;
    struct stock_model *model; /* all its records applied */
    /* Those until the newest snapshot applied, and for each hold when its deadline was set, or when
     * it ended. */
    struct stock_model *saved;
    uint32_t saved_count;
    uint64_t *set_ms;
    uint32_t set_room;
    uint64_t saved_latest_ms;
};

struct book {
    struct history_options options;
    uint32_t event;       /* counts questions, answers and records */
    uint32_t life;        /* the process that was begun last, from 1 */
    uint32_t record_life; /* the one that wrote the records that are found now */
    bool is_served;       /* all its cores serve */
    uint64_t life_began_ns;
    uint64_t latest_ms;   /* that any core is known to have read */
    bool *life_was_clean; /* by life */
    uint32_t life_room;
    struct book_call *calls;
    uint32_t call_count, call_room;
    struct book_record *records;
    uint32_t record_count, record_room;
    struct book_item *items;
    uint32_t item_count, item_room;
    uint32_t
        *slots; /* item numbers + 1 by the hash of their id; a power of two, half full at most */
    uint32_t slot_count;
    struct history_counts counts;
};

extern struct book book;

/* ---- history.c ---- */

/* Room for one more in an array that doubles. Never NULL. */
void *book_room(void *array, size_t element_bytes, uint32_t count, uint32_t *room);

/* The item's number; new when it was never heard of. */
uint32_t book_item(uint64_t item_id);

/* A model with the tables' retention and without their limits, for one item. */
struct stock_model *book_new_model(void);

/* A record has reached the disk, as number `lsn` of a core's log. */
void book_note_record(const struct stock_record *record, uint64_t era, uint32_t core);

/* The answer was read and binds: with durability sync, or when the server's life ended cleanly. */
bool book_is_binding(const struct book_call *call);

/* The code says that the request was looked at. */
bool book_code_is_decided(uint8_t code);

/* ---- check_record.c ---- */

/* The newest record of its item, before it is in item->records. */
void check_record(struct book_item *item, const struct book_record *noted);
/* Nothing is left over at `now_ms` whose time was up `grace_ms` before. */
void check_overdue(uint64_t now_ms, uint64_t grace_ms);
/* Hash of everything on disk. */
uint64_t check_state_hash(void);

/* ---- check_saved.c ---- */

/* What the records of a core's items make, in its log up to an LSN and in the eras before. */
struct check_saved {
    uint64_t item_count, reservation_count, buyer_count;
    uint64_t state_hash;
    uint64_t latest_ms; /* of their times */
};
void check_saved_state(uint64_t era, uint32_t core, uint32_t core_count, uint64_t lsn,
                       struct check_saved *saved_out);
/* In that state: when the deadline of this hold was set, or when it ended. False, and 0, when the
 * item has no such hold. */
bool check_saved_set_ms(uint64_t item_id, uint64_t sequence, uint64_t *set_ms_out);
void check_saved_free(struct book_item *item);

/* ---- check_unseen.c ---- */

/* The call was answered that it was not looked at. */
void check_unseen(uint32_t call_number);

/* ---- check_answer.c ---- */

/* An answer that was accepted has its record, and the record no other answer. */
void check_own_record(uint32_t call_number);
/* All answers about all items. */
void check_answers(void);

/* ---- check_table.c ---- */

/* Can one of these tables have been full while the call was under way? */
enum book_table { BOOK_TABLE_ITEMS, BOOK_TABLE_HOLDS, BOOK_TABLE_BUYERS };
bool check_table_may_be_full(const struct book_call *call, enum book_table table);
/* Forgets what it worked out. */
void check_table_begin(void);

/* ---- describe.c: text in static memory, good for the next few calls ---- */

const char *describe_call(uint32_t call_number);
const char *describe_reply(const struct stock_reply *reply);
const char *describe_view(const struct stock_item_view *view); /* "no item" for NULL */
const char *describe_record(const struct stock_record *record);
/* With its place in the log. */
const char *describe_noted(const struct book_record *noted);

#endif
