#ifndef HF_SIM_DAMAGE_H
#define HF_SIM_DAMAGE_H
/* Bits turned around on the medium while the server is down, and what the next start must make of
 * them. The rules are those of docs/log-format.md:
 *
 *     refused    damage, by name: in MANIFEST; in a log before its end, from where reading starts;
 *                in the last snapshot that could have been used
 *     told       a snapshot that a start would have begun with: it says so, and begins with the one
 *                before it, or with the log
 *     healed     behind the end of a log of the newest era: a torn tail
 *     unnoticed  where no start looks: in older segments, older snapshots, files being made
 *
 * A last group with nothing behind it is left alone: a reader can't tell such a loss. */

#include "log_walk.h"

#include <stdbool.h>
#include <stdint.h>

enum damage_outcome { DAMAGE_UNNOTICED, DAMAGE_HEALED, DAMAGE_TOLD, DAMAGE_REFUSED };

enum { DAMAGE_BITS_MAX = 2 };

struct damage_bit {
    char path[LOG_WALK_PATH_BYTES];
    uint64_t offset;
    uint32_t bit;
    bool is_in_snapshot;
};

struct damage {
    enum damage_outcome outcome;
    uint32_t bit_count;
    struct damage_bit bits[DAMAGE_BITS_MAX];
};

const char *damage_outcome_name(enum damage_outcome outcome);

/* Chooses some. False when there is nothing on the disk. Changes nothing. */
bool damage_choose(struct damage *damage_out);

#endif
