#ifndef HF_CORE_SAVING_H
#define HF_CORE_SAVING_H
/* When a core takes a snapshot, and how: a piece per turn, beside the requests. The state writes
 * its entries into pages, the pages go to the disk, and when the snapshot has its name, the log
 * before the one before it is let go. */

#include "core/job.h"
#include "stock/save.h"
#include "wal/snapshot.h"
#include "wal/snapshot_files.h"

#include <stdbool.h>
#include <stdint.h>

struct core;

/* A snapshot that a restart may begin with. */
struct saved {
    uint64_t lsn;
    uint64_t segment_number; /* in which the log goes on behind it */
    uint64_t taken_ms;
    uint64_t bytes; /* of the file; 0 when it was there at the start */
    struct stock_saved content;
};

enum { SAVING_FILE_COUNT_MAX = 64 };

struct saving {
    struct snapshot *writer; /* NULL: nothing is written (durability off) */
    struct snapshot_files *files;
    struct stock_page page;
    struct log_snapshot_header header; /* of the one being taken */
    struct stock_saved content;
    bool is_saving;  /* the state is being saved: the page is in use */
    bool is_written; /* all of the state is in pages */
    bool has_newest;
    struct saved newest;
    uint32_t good_count; /* of snapshot files at the start, those that are not known to be bad */
    uint64_t file_lsns[SAVING_FILE_COUNT_MAX]; /* of all snapshot files, the newest one included */
    uint32_t file_count;
    uint64_t begun_ms;         /* engine time at which the newest one was begun */
    uint64_t log_bytes_before; /* of the log behind the newest one, or of all, when the core began
                                  to serve */
    uint64_t log_bytes_at;     /* in closed groups when the newest one was begun */
    uint64_t attempt_log_bytes_at; /* ... when the present one was begun */
    uint64_t retry_at_ms;          /* after a failure */
    bool has_past;          /* eras before the newest are part of the state until there is one */
    struct job_list asking; /* jobs that ask for a snapshot not yet begun */
    struct job_list asked;  /* jobs whose snapshot is being taken */
    uint32_t ask_count;     /* of both */
    uint64_t reading_lsn;
    struct job *reading;      /* whose piece is being read */
    uint8_t *read_buffer;     /* SAVING_READ_BYTES */
    uint64_t count;           /* taken since the start */
    uint64_t pinned_lsn;      /* being read for a backup ... */
    uint64_t pinned_until_ms; /* ... until then at least */
};

/* Opens what is needed, when the core opens its log. False when memory or the folder is refused;
 * `message_out` tells why. */
bool saving_open(struct core *core, char *message_out);
void saving_close(struct core *core);

/* The core begins to serve: from now on there is a time for what is due by time. */
void saving_begin_serving(struct core *core);

/* Goes on with the snapshot under way, or begins one that is due. Once per turn, behind
 * wal_write(). True when there is more to do at once. */
bool saving_continue(struct core *core);

/* So many records may be committed now. */
bool saving_has_room(const struct core *core, uint32_t record_count);

/* When the next one is due by time; UINT64_MAX = never, or it waits for something else. */
uint64_t saving_wake_at_ms(const struct core *core);

/* The core stops: takes a last snapshot, if there is anything new. True when that is done, and
 * nothing is under way. To be called until it is so. */
bool saving_end(struct core *core);

/* NULL, or why the core must end (design P3). */
const char *saving_failure(const struct core *core);

/* FRAME_SNAPSHOT, a snapshot of everything until now: the job goes on when it is there, or has
 * failed. */
void saving_ask(struct core *core, struct job *job);

/* FRAME_SNAPSHOT_READ, a piece of a snapshot: the job goes on when the disk has given it. The
 * snapshot stays for a minute more. */
struct Holdfast__V1__SnapshotReadRequest;
void saving_read(struct core *core, struct job *job,
                 const struct Holdfast__V1__SnapshotReadRequest *request);
enum { SAVING_READ_BYTES = 64 << 10 };

struct Holdfast__V1__StatResponse;
void saving_fill_stat(const struct core *core, struct Holdfast__V1__StatResponse *response);

#endif
