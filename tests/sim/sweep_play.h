#ifndef HF_SIM_SWEEP_PLAY_H
#define HF_SIM_SWEEP_PLAY_H
/* One run of a sweep's story (sweep_story.h) with one thing going wrong in it. What must be true
 * afterwards is the history's business (history.h). */

#include <stdbool.h>
#include <stdint.h>

enum sweep_kind {
    SWEEP_MEMORY_ONCE, /* the n-th allocation of the engine is refused */
    SWEEP_MEMORY_EVER, /* and all later ones, until the server was refused a start by it */
    SWEEP_DISK_ERROR_ONCE,
    SWEEP_DISK_ERROR_EVER,
    SWEEP_DISK_FULL_ONCE,
    SWEEP_DISK_FULL_EVER,
    SWEEP_DISK_INTERRUPTED_ONCE,
    SWEEP_DISK_INTERRUPTED_EVER,
    SWEEP_DISK_SHORT_ONCE,
    SWEEP_DISK_SHORT_EVER,
    SWEEP_DISK_UNSYNCED_ONCE,
    SWEEP_DISK_UNSYNCED_EVER,
    SWEEP_CRASH_KILL, /* the process ends at the n-th operation of any kind */
    SWEEP_CRASH_POWER,
    SWEEP_CRASH_KILL_POWER, /* a kill, and a second crash, if there is one, by loss of power */
    /* The same in a story that is about one thing. The second crash is a loss of power. */
    SWEEP_SNAPSHOT_KILL,
    SWEEP_SNAPSHOT_POWER,
    SWEEP_ROTATION_KILL,
    SWEEP_ROTATION_POWER,
    SWEEP_REMOVAL_KILL,
    SWEEP_REMOVAL_POWER,
    SWEEP_ARCHIVE_KILL,
    SWEEP_ARCHIVE_POWER,
    SWEEP_STOP_KILL,
    SWEEP_STOP_POWER,
    SWEEP_LOAD_LOG_KILL,
    SWEEP_LOAD_LOG_POWER,
    SWEEP_LOAD_SNAPSHOT_KILL,
    SWEEP_LOAD_SNAPSHOT_POWER,
    SWEEP_LOAD_OLDER_KILL,
    SWEEP_LOAD_OLDER_POWER,
    SWEEP_ERAS_KILL,
    SWEEP_ERAS_POWER,
    SWEEP_ERAS_ARCHIVE_KILL,
    SWEEP_ERAS_ARCHIVE_POWER,
    SWEEP_ERAS_AGAIN_KILL,
    SWEEP_ERAS_AGAIN_POWER,
    /* All operations on the disk fail from the n-th of such a start on, until it is refused. */
    SWEEP_LOAD_SNAPSHOT_ERROR,
    SWEEP_KIND_COUNT,
};

const char *sweep_kind_name(enum sweep_kind kind);
bool sweep_kind_is_crash(enum sweep_kind kind);

struct sweep_point {
    enum sweep_kind kind;
    uint64_t seed;
    uint32_t core_count; /* of the first start: 1 or 2 */
    uint64_t at;         /* 0: nothing goes wrong */
    uint64_t then; /* crashes only: once more, at this operation from the next start on; 0: no */
};

struct sweep_result {
    uint64_t events;              /* how many `at` there are: allocations, operations */
    uint64_t recovery_operations; /* of the start behind the first crash */
    uint64_t trace_hash;
};

/* Plays it. A finding ends the process (sim_fail()). */
void sweep_play(const struct sweep_point *point, struct sweep_result *result_out);

#endif
