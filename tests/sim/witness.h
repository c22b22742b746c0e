#ifndef HF_SIM_WITNESS_H
#define HF_SIM_WITNESS_H
/* Reads from the simulated disk what the engine's logs and snapshots say: each group as it reaches
 * the medium, each snapshot as it gets its name, and all of them once more after the server's end.
 * It has readers of its own, short because nothing of a healed log is torn, so that it does not
 * share the mistakes of the engine's. What it finds goes to book_note_record().
 *
 * Checks: "log" (what is written are groups that follow each other, of records that can be read
 * and that belong to the core; a segment that gets its name is zeros, on the medium; MANIFEST tells
 * where closed logs end), "time" (of each core's groups, and of records in them), "durability"
 * (what was once on the disk is there after a restart, unchanged, until snapshots stand for it) and
 * "snapshot" (what gets a snapshot's name is whole, on the medium, and the state that the records
 * until its place make; nothing that a restart may need is removed). */

#include "history.h"

#include <stdbool.h>
#include <stdint.h>

/* The last LSN on the disk of this core's log, in whatever era it is highest. */
uint64_t witness_last_lsn(uint32_t core);

/* The latest time that any group on the disk is of; 0 with none. */
uint64_t witness_last_time_ms(void);

/* A new run: forgets all and watches the disk. */
void witness_begin(void);

/* The process has ended, and the disk is as this has left it: each snapshot is whole. */
void witness_look_again(void);

/* The engine has loaded its state: it did without a snapshot only if one was not as it had been. */
void witness_check_trusted(void);

/* The engine has read its logs, and cut what was torn. Notes records that nobody was told of. */
void witness_read_again(void);

/* The server has stopped as it was asked to, and nothing was in its way: each core has a snapshot
 * of all that it did. */
void witness_check_stopped(void);

/* Nobody has asked anything for a while, which was long enough for what is due: each core has a
 * snapshot of the newest era, if eras before it are there; the log behind it is short. */
void witness_check_rested(const struct history_rest *rest);

/* Cores of the newest era; 0 before there is one. */
uint32_t witness_core_count(void);

/* ---- room for the next segment of a core's log, in the newest era ---- */

/* May what was asked at this time have met a core that could not make it for want of room; and with
 * less than half of the segment in use left? */
bool witness_lacked_room(uint32_t core, uint64_t asked_ns);
bool witness_was_low(uint32_t core, uint64_t asked_ns);

/* This call was told that nothing is left: then the segment in use is full, with what is on its
 * way. */
void witness_expect_full(uint32_t core, uint32_t call_number);

/* ---- what clients ask for of snapshots, in the newest era (history.h) ---- */

uint64_t witness_newest_lsn(uint32_t core);
void witness_check_told(uint32_t core, uint64_t lsn, const struct history_snapshot *told);
void witness_check_untaken(uint32_t core, uint32_t asked_event);
uint32_t witness_ask_piece(uint32_t core, uint64_t lsn, bool *is_there_out);
void witness_check_piece(uint32_t core, const struct history_piece_ask *ask,
                         const struct history_piece *piece);
void witness_check_unread(uint32_t core);
void witness_check_unknown(uint32_t core, uint64_t lsn);

/* ---- bits turned around on purpose ---- */

void witness_spoil(const char *path, bool is_to_be);

#endif
