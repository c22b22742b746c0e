#ifndef HF_SIM_WITNESS_H
#define HF_SIM_WITNESS_H
/* Reads from the simulated disk what the engine's logs say: each group as it reaches the medium,
 * and all logs once more after a restart. It has a reader of its own, short because nothing of a
 * healed log is torn, so that it does not share the mistakes of the engine's. What it finds goes to
 * book_note_record().
 *
 * Checks: "log" (what is written are groups that follow each other, of records that can be read
 * and that belong to the core), "time" (of each core's groups, and of records in them) and
 * "durability" (what was once on the disk is there after a restart, unchanged). */

#include <stdint.h>

/* The last LSN on the disk of this core's log, in whatever era it is highest. */
uint64_t witness_last_lsn(uint32_t core);

/* The latest time that any group on the disk is of; 0 with none. */
uint64_t witness_last_time_ms(void);

/* A new run: forgets all logs and watches the disk. */
void witness_begin(void);

/* The engine has read its logs, and cut what was torn. Notes records that nobody was told of. */
void witness_read_again(void);

/* Cores of the newest era; 0 before there is one. */
uint32_t witness_core_count(void);

#endif
