#ifndef HF_TESTS_CRASH_LOAD_H
#define HF_TESTS_CRASH_LOAD_H
/* A load for crash tests, and the audit of what it was told: each acknowledged or observed fact is
 * still true after the restart, nothing happened twice, the books add up. One at a time, one
 * thread.
 *
 *     crash_load_begin_round()      new connections, new items
 *     crash_load_run() ...
 *     ... the crash ...
 *     crash_load_end_round()        what stands in the sockets was sent before it
 *     ... the restart ...
 *     crash_load_audit()
 *
 * The load runs over several connections with many frames in flight and knows of each reservation
 * what is certain (acknowledged, or seen by a Get on another connection) and what is in flight.
 * After the restart each must be in the certain state or in the one that the operation in flight
 * leads to. The seed decides every choice.
 *
 * Two kinds of items: on *mixed* ones holds are made, paid, cancelled, extended and left to expire.
 * On *one-way* ones holds are only made and paid, so that their available count only falls and each
 * count ever observed bounds it for good. */

#include "fixture.h"
#include "raw_client.h"

#include <stdbool.h>
#include <stdint.h>

struct crash_load_options {
    struct fixture *fixture; /* whose server is asked */
    uint64_t seed;
    uint32_t rounds;
    uint32_t reservations_per_round; /* when so many are made the load is over */
};

/* Gets ready for a new data directory. Whatever was known of another one is forgotten. */
void crash_load_init(const struct crash_load_options *options);
void crash_load_deinit(void);

/* Creates the mixed items. Once, on the new directory. */
void crash_load_make_items(void);

/* Rounds count from 1. The server runs. */
void crash_load_begin_round(uint32_t round);

/* A choice of this round. */
uint32_t crash_load_chance(uint32_t below);

/* Asks and takes answers for so long. False when the server has closed a connection. */
bool crash_load_run(double for_ms);

/* From now on many more holds are made than end, or as many again. */
void crash_load_hoard(bool is_wanted);

/* Takes the answers to all that was asked. The server lives all the while. */
void crash_load_drain(void);

/* From now on the server may refuse for want of room on the disk: READ_ONLY, nothing was done. */
void crash_load_allow_read_only(bool is_allowed);

/* Answers OK and READ_ONLY to this operation (FRAME_RESERVE ... FRAME_GET, FRAME_ITEM_GET) since
 * crash_load_clear_counts(). */
struct crash_load_counts {
    uint64_t ok, read_only, other;
};
struct crash_load_counts crash_load_counts(uint8_t type);
void crash_load_clear_counts(void);

/* The server is gone: takes the last answers and closes the connections. */
void crash_load_end_round(void);

/* Ends a round without a crash. */
void crash_load_settle_round(void);

/* Looks at everything of the round and at what can change, in the last round at everything, and
 * repeats what was in flight. The server was started again, and can record. */
void crash_load_audit(void);

/* Looks at the same, when the server cannot record: what is overdue can't expire, and nothing is
 * repeated. */
void crash_load_audit_read_only(void);

/* What was done on this data directory so far. */
struct crash_load_figures {
    uint64_t reservations;
    uint64_t answers;
    uint64_t in_flight_at_crash; /* operations ... */
    uint64_t happened_in_flight; /* ... and those of them that had happened */
};
void crash_load_add_figures(struct crash_load_figures *sum);

/* In one line for people (256 bytes). */
void crash_load_describe(const struct crash_load_figures *figures, char *text);

#endif
