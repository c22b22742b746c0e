#ifndef HF_SIM_DISK_H
#define HF_SIM_DISK_H
/* The simulated disk, from outside: what the run does to it, and what the checkers read from it.
 * The engine sees it through io/io.h (io_sim.c). Files live in memory, sparse, in sectors of 512
 * bytes.
 *
 * A file has a content now (what reads give) and a content on the medium. A sync, or a durable
 * write when it completes, makes the two equal for what it covers. Names are on the medium when
 * their folder was synced.
 *
 *     kill    kill -9: the content now stays; of each write in flight a prefix of sectors, or all,
 *             or nothing was made
 *     power   loss of power: of each sector not synced, the content now or the one on the medium;
 *             of writes in flight any subset of sectors, or a prefix that ends inside a sector; of
 *             a folder's changes that were not synced the first few, or none, or all */

#include <stdbool.h>
#include <stdint.h>

struct sim_disk_options {
    uint64_t write_ns_min, write_ns_max; /* how long an operation takes */
    uint32_t slow_permille;              /* of operations that take up to a hundred times longer */
    uint64_t capacity_bytes;             /* allocating or growing beyond it is -ENOSPC */
};

void sim_disk_set_options(const struct sim_disk_options *options);

/* What all files take of the capacity. */
uint64_t sim_disk_used_bytes(void);

/* ---- crashes: no engine code runs, all descriptors are closed and locks released ---- */

enum sim_crash { SIM_CRASH_KILL, SIM_CRASH_POWER };
void sim_disk_crash(enum sim_crash crash);

/* ---- faults ---- */

enum sim_disk_fault {
    SIM_DISK_ERROR,    /* -error, nothing changes */
    SIM_DISK_SHORT,    /* a write or sync: part of it is made; writes say how much, others -error */
    SIM_DISK_UNSYNCED, /* a write arrives, is not on the medium, and says -error; others -error */
};

/* The n-th operation of the engine on the disk from now (reads included; asynchronous ones count
 * when they begin) fails; with `for_ever` all later ones too. 0: none does any more. `error` is
 * positive (EIO, ENOSPC, EINTR). */
void sim_disk_fail_at(uint64_t n, enum sim_disk_fault fault, int error, bool for_ever);

/* True when one of the operations that were failed since the last sim_disk_fail_at() is such a one:
 * `name` is the function's of io/io.h, `path` the file's, of a renaming the new one; `operation` is
 * its number. */
typedef bool (*sim_disk_is_such_fn)(const char *name, const char *path, uint64_t operation);
bool sim_disk_has_failed(sim_disk_is_such_fn is_such);

/* Operations of the engine on the disk since sim_world_begin(). */
uint64_t sim_disk_operation_count(void);

/* Turns one bit of a file around, now and on the medium. Twice is as before. */
void sim_disk_flip(const char *path, uint64_t offset, uint32_t bit);

/* ---- reading, for checkers: changes nothing, costs no time ---- */

/* Size in bytes, or -1 when there is no such file. */
int64_t sim_disk_size(const char *path);
/* As a direct access gives it: without what a failed write or sync has dropped. */
void sim_disk_read(const char *path, uint64_t offset, void *to, uint64_t bytes);
/* Names in a folder, in sorted order. */
void sim_disk_list(const char *path, void (*entry)(void *context, const char *name), void *context);

/* All of a file's content is on the medium. */
bool sim_disk_is_synced(const char *path);
/* And its name: a loss of power changes nothing about the file. */
bool sim_disk_is_safe(const char *path);
/* All of a file's bytes are zero. */
bool sim_disk_is_zero(const char *path);

/* What has become of the medium or of a name, by the engine's doing, before the engine hears of it;
 * or by an operation that was under way at a crash. */
enum sim_disk_event_kind {
    SIM_DISK_WRITTEN, /* a durable write has reached the medium */
    SIM_DISK_SYNCED,  /* a file, or the names in a folder */
    SIM_DISK_RENAMED, /* a file has its new path */
    SIM_DISK_REMOVED, /* a file is about to go: it can be read once more */
    SIM_DISK_NO_ROOM, /* an asynchronous operation on the file found no room, or too little, or was
                         told so */
};

struct sim_disk_event {
    enum sim_disk_event_kind kind;
    const char *path;
    const char *to_path; /* renamed */
    uint64_t offset;     /* written */
    const uint8_t *data;
    uint32_t bytes;
};

/* One observer; NULL for none. */
typedef void (*sim_disk_observer_fn)(const struct sim_disk_event *event);
void sim_disk_observe(sim_disk_observer_fn observer);

#endif
