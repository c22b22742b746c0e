#ifndef HF_SIM_LOG_WALK_H
#define HF_SIM_LOG_WALK_H
/* The logs on the simulated disk, as they stand there: which files there are, and what is in them.
 * For the run's statistics, and to choose bits whose loss must be noticed. Trusts what it reads;
 * whether it is right, others check. */

#include <stdbool.h>
#include <stdint.h>

enum { LOG_WALK_PATH_BYTES = 128, LOG_WALK_RECORD_TYPES = 16 };

struct log_walk_file {
    char path[LOG_WALK_PATH_BYTES];
    uint64_t bytes;
    bool is_closed_era;   /* nobody writes there any more */
    bool is_followed;     /* a later file of this log is in use */
    uint64_t group_count; /* 0 with `is_used`: a header only */
    bool is_used;
    uint64_t last_group_offset;
};

struct log_walk_totals {
    uint64_t eras;
    uint64_t segments; /* in use */
    uint64_t torn_copies;
    uint64_t groups;
    uint64_t records[LOG_WALK_RECORD_TYPES]; /* by enum stock_record_type */
};

/* Visits all segment files of all eras. `file` may be NULL. With no MANIFEST there is nothing. */
struct log_walk_totals log_walk(void (*file)(void *context, const struct log_walk_file *file),
                                void *context);

/* Chooses a bit of the log, or of the MANIFEST, that is on the medium and that has something of
 * ours behind it, so that its loss is damage and no torn tail. False when there is none. */
struct log_walk_bit {
    char path[LOG_WALK_PATH_BYTES];
    uint64_t offset;
    uint32_t bit;
};
bool log_walk_choose_bit(struct log_walk_bit *bit_out);

#endif
