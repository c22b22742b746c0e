#ifndef HF_CORE_LOAD_H
#define HF_CORE_LOAD_H
/* From the snapshots and logs to the state, at a start, in pieces between which the core answers
 * its clients. Each core does it for itself: it reads its own snapshot and the log behind it; and
 * if it has none yet in this era, those of all cores of the era before, of which it takes its own
 * items, and so on back. */

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>

struct load;

/* The memory of a loading, until load_end(). False when it is refused. */
bool load_create(struct core *core);

/* Gets ready. The first call of the core's thread. */
void load_begin(struct core *core);

/* Reads a piece. On failure the status, and `message_out` tells why. */
enum server_status load_continue(struct core *core, char *message_out);

/* All was read. */
bool load_is_done(const struct core *core);

/* After that: puts the state in order and notes what the core goes on with. */
enum server_status load_end(struct core *core, char *message_out);

/* Gives up what a loading that has not come to its end holds. */
void load_abandon(struct core *core);

struct load_progress {
    uint64_t bytes; /* of snapshots and logs */
    uint64_t bytes_done;
};
struct load_progress load_progress(const struct core *core);

/* The engine time at which loading will be done if it goes on like this; 0: can't be told yet. */
uint64_t load_ready_ms(const struct core *core);

#endif
