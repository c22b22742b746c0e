#ifndef HF_SIM_LOG_WALK_H
#define HF_SIM_LOG_WALK_H
/* The logs on the simulated disk, as they stand there: which files there are, and what is in them.
 * For the run's statistics, and to know what bits turned around there must come to. Trusts what it
 * reads; whether it is right, others check. */

#include <stdbool.h>
#include <stdint.h>

enum { LOG_WALK_PATH_BYTES = 128 };

enum log_walk_kind {
    LOG_WALK_SEGMENT,
    LOG_WALK_SNAPSHOT,
    LOG_WALK_OTHER, /* "segment.new", "torn-...": what nobody reads */
};

struct log_walk_file {
    enum log_walk_kind kind;
    char path[LOG_WALK_PATH_BYTES];
    uint64_t era;
    uint32_t core;
    uint64_t number; /* of a segment; of a snapshot the LSN */
    uint64_t bytes;
    /* of a segment */
    bool is_zero;         /* never used */
    bool is_used;         /* it has a good header */
    uint64_t group_count; /* good ones, from the header on */
    uint64_t last_group_offset;
    uint64_t groups_end; /* behind the last one, or the header */
};

struct log_walk_totals {
    uint64_t eras;
    uint64_t segments; /* in use */
    uint64_t torn_copies;
    uint64_t groups;
    uint64_t snapshots;
};

/* Visits all files of all eras that MANIFEST names, log by log in order of their names. `file` may
 * be NULL. With no MANIFEST there is nothing. */
struct log_walk_totals log_walk(void (*file)(void *context, const struct log_walk_file *file),
                                void *context);

#endif
