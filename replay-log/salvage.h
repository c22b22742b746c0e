#ifndef HF_REPLAY_LOG_SALVAGE_H
#define HF_REPLAY_LOG_SALVAGE_H
/* What is left of a log behind a damaged place: groups that still verify and belong to it. What
 * proves that a group does:
 *
 *   - Its header and its records verify with the seed of their place in their segment.
 *   - The segment's header verifies and says server, era, core; or else its uuid, as it stands in
 *     the damaged header, makes groups verify, and server, era and core are still readable there or
 *     the group is chained to the one before.
 *   - It goes on from the group that was taken last: the next number, LSN and that one's checksum
 * as its chain. Or numbers are missing in between: then each missing group has at least one of the
 *     missing LSNs; and it is not chained to a group that was not taken. Epochs never go down.
 *   - It ends where MANIFEST says that a closed log ends, or before.
 *
 * Padding may be damaged: it says nothing. Blocks that cannot be read from the disk count as
 * damaged. */

#include "data.h"

#include <stddef.h>

/* Bytes in which no group was found, or a file that is missing. */
struct salvage_range {
    char name[LOG_NAME_BYTES_MAX]; /* of the file, in the log's folder */
    uint64_t offset;
    uint64_t bytes;   /* 0: the file is missing */
    bool is_harmless; /* no record stood in it: padding, a segment's header */
    char reason[DATA_REASON_BYTES];
};

/* What is missing between two groups. */
struct salvage_hole {
    uint64_t first_lsn;
    uint64_t last_lsn; /* first_lsn - 1: no record is missing; UINT64_MAX: it is not known how many,
                          because nothing stands behind */
    uint64_t before_ms; /* time of the group before, 0 when there is none */
    uint64_t after_ms;  /* of the one behind, 0 when there is none */
    const struct salvage_range *ranges;
    size_t range_count;
};

struct salvage_handler {
    void (*group)(void *context, const struct log_group *group);
    void (*hole)(void *context, const struct salvage_hole *hole);
    void *context;
};

/* Reads on behind `at`, where something is wrong (`reason`), to the last file. Hands out groups
 * and, before what is behind them, holes. 0, or a negative errno when this user may not read a
 * file: then nothing can be said of what is lost. */
int salvage_run(struct data *data, struct data_log *log, const struct log_position *at,
                const char *reason, const struct salvage_handler *handler);

#endif
