#ifndef HF_SIM_HISTORY_H
#define HF_SIM_HISTORY_H
/* What the clients of a run asked and were told, and what reached the disk: the ground on which the
 * checks stand. Clients note each row when it is sent and when its answer is read; the log's
 * records are noted by themselves as they become durable (from the simulated disk, read with the
 * log's own format).
 *
 * Checks, by the names that findings carry:
 *
 *     conservation  available + held + sold = stock in every Item reply and after every record,
 *                   nothing negative
 *     exactly-once  one HELD record per item and reservation id until it is forgotten, one end of
 *                   each hold; an accepted answer has its record and no other answer has it; a
 *                   record has a call that asked for it
 *     durability    what was answered, or only seen, is on the medium before the answer is read,
 *                   and after every restart, with the same sequence number and deadline
 *     sequence      an item's holds are numbered 1, 2, 3 ... in the log and in the answers
 *     linearizable  each answer about an item is what the model says at some point between the
 *                   records known when it was asked and those on disk when it was answered, and no
 *                   answer is older than one that was read before it was asked
 *     expiry        none early, none confirmed after its deadline, none held for ever
 *     time          the records of an item, and the groups of a core, are in the order of their
 *                   times, and no record is later than its group
 *     log           what is written are groups that follow each other, of records that can be read
 *                   and whose items are the core's
 *     replay        hash of the live state = of the replayed one = of the model fed with the log;
 *                   each record is legal where it stands
 *     snapshot      what has a snapshot's name is whole, on the medium, and the state that the
 *                   records make until its place in the log; it stays so; nothing goes that a
 *                   restart may need; clients are told the truth about it; one is taken when due
 *     archive       what goes from the data directory is in the archive, on its medium
 *     full-disk     READ_ONLY is answered when the disk has no room, first to what can wait, and
 *                   while there is room to nobody
 *     answered      at the end, with faults healed, every call has its answer */

#include "stock/stock.h"

#include <stdbool.h>
#include <stdint.h>

struct history_options {
    struct stock_options tables; /* of each core */
    bool is_sync;                /* durability sync: answers are binding over crashes */
    bool is_off;                 /* durability off: nothing reaches the disk, little is checked */
    const char *directory;       /* of the data, on the simulated disk; kept until the next run */
    const char *archive;         /* NULL: none; likewise */
};

/* A new run. */
void history_begin(const struct history_options *options);

enum history_op {
    HISTORY_ROW,         /* one row of a hot request: `request` */
    HISTORY_ITEM_CREATE, /* `settings` */
    HISTORY_ITEM_UPDATE, /* `settings`, `update_mask` */
    HISTORY_ITEM_GET,    /* `settings.item_id` */
};

struct history_call {
    uint32_t client; /* below 65536; one connection at a time: its calls are done in order */
    uint8_t op;      /* enum history_op */
    uint32_t update_mask;
    struct stock_request request;
    struct stock_item_settings settings;
};

/* Just before the frame is sent. Returns the call's number. A repeat of the same request is a new
 * call. The rows of a frame are asked in their order. `engine_now_ms` is the latest time that any
 * living core has read, or 0 while the server is down. */
uint32_t history_ask(const struct history_call *call, uint64_t engine_now_ms);

/* The answer, just read. `view` is set for Item replies that carry one (settings, available, held,
 * sold, next_sequence, created_ms), else NULL. Answers that say "not looked at" (OVERLOADED, ...)
 * come here as well. */
void history_answer(uint32_t call, const struct stock_reply *reply,
                    const struct stock_item_view *view, uint64_t engine_now_ms);

/* A Stat was read that has seen all of a core's log, up to this LSN. */
void history_hear_of_log(uint32_t core, uint64_t last_lsn);

/* ---- snapshots ---- */

/* What is in one. */
struct history_snapshot {
    uint64_t bytes; /* of its file; a client may be told 0 */
    uint64_t item_count, reservation_count, buyer_count;
    uint64_t state_hash;
};

/* A client is about to ask a core for one: what it has to have in it, and when that was. Answers of
 * a server that is gone meanwhile are not looked at. */
struct history_snapshot_ask {
    uint64_t lsn;
    uint32_t event;
    uint32_t life;
};
struct history_snapshot_ask history_ask_snapshot(uint32_t core);
void history_hear_of_snapshot(uint32_t core, const struct history_snapshot_ask *ask, uint64_t lsn,
                              const struct history_snapshot *told);
/* Refused as READ_ONLY. */
void history_hear_of_no_snapshot(uint32_t core, const struct history_snapshot_ask *ask);

/* A client is about to ask a core for a piece of one. */
struct history_piece_ask {
    uint32_t number; /* of the questions that all clients asked this core */
    uint32_t life;
    bool is_there; /* the snapshot was, when it was asked for */
    uint64_t asked_ns;
};
struct history_piece_ask history_ask_piece(uint32_t core, uint64_t lsn);

struct history_piece {
    uint64_t lsn;
    uint64_t offset;
    uint64_t file_bytes;
    const uint8_t *data;
    uint32_t data_bytes;
};
void history_hear_of_piece(uint32_t core, const struct history_piece_ask *ask,
                           const struct history_piece *piece);
/* Refused as READ_ONLY. */
void history_hear_of_no_piece(uint32_t core, const struct history_piece_ask *ask);
/* UNKNOWN_SNAPSHOT. */
void history_hear_of_unknown_snapshot(uint32_t core, const struct history_piece_ask *ask,
                                      uint64_t lsn);

/* The connection is gone: no answer will come, and the row was done once or not at all. */
void history_give_up(uint32_t call);

/* ---- the server's life ---- */

/* It is about to be started: looks at what the end before has left. */
void history_server_starts(void);

/* It has loaded and is about to serve: compares the state with what was noted. `state_hash` is the
 * sum over its cores. */
void history_server_started(uint64_t state_hash);

/* All its cores serve: nobody who asks from now on is told that it is loading. */
void history_server_serves(void);

/* It ended, cleanly or not; `state_hash` is the live one after a clean stop with nothing in flight,
 * else 0. Call it after sim_disk_crash(). */
void history_server_ended(bool is_clean, uint64_t state_hash, uint64_t engine_now_ms);

/* It has stopped as it was asked to, and nothing was in the way of its last snapshots. */
void history_check_stopped(void);

/* It serves, and for longer than anything takes nobody has asked for anything. */
struct history_rest {
    uint64_t log_bytes; /* there may be less than so much log behind a snapshot; 0: any */
    uint64_t every_ms;  /* and after so long one is due; 0: never for that */
    uint64_t rested_ms;
    uint64_t engine_now_ms;
};
void history_check_rested(const struct history_rest *rest);

/* Bits of this file were turned around, or are as they were: what is in it does not count, or does
 * again. */
void history_spoil(const char *path, bool is_spoilt);

/* The last time in the log, of all that is on the disk: no clock may start before it. */
uint64_t history_last_time_ms(void);

/* An Update or a Create may have been done without an answer; a crash may have kept records that
 * nobody was told of: both are found in the log by history_server_started(). */

/* The end of the run, after a clean stop: all checks that need the whole of it. `engine_now_ms` is
 * the time of the stop, and every hold whose deadline lies `grace_ms` before it must have ended. */
void history_end(uint64_t engine_now_ms, uint64_t grace_ms);

struct history_counts {
    uint64_t calls, answers, unknown; /* unknown: given up */
    uint64_t accepted, refused;
    uint64_t records;
    uint64_t record_types[16]; /* of them, by enum stock_record_type */
    uint64_t codes[32];        /* answers by enum stock_code */
    uint64_t snapshots;        /* that got their name */
    uint64_t segments_gone;    /* removed, or used again */
    uint64_t eras_gone;        /* times that MANIFEST has forgotten some */
};
struct history_counts history_counts(void);

#endif
