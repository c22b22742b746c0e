#ifndef HF_WAL_SEGMENTS_H
#define HF_WAL_SEGMENTS_H
/* Private to the room: the segment files of one core's log. The next one is made ahead of use, out
 * of an old one that nobody needs any more if there is one; old ones are copied to the archive, if
 * there is one, before they are used again or removed. All of it beside the core's turns, one
 * operation at a time. */

#include "io/io.h"
#include "log/manifest.h"
#include "wal/archive.h"
#include "wal/data_directory.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SEGMENTS_SLICE_BYTES = 1 << 20,
    SEGMENTS_PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX,
};

/* The operation under way. */
enum segments_step {
    SEGMENTS_IDLE,
    /* The next segment, under the name "segment.new" until it is whole. */
    SEGMENTS_OLD_RENAME, /* an old file takes that name ... */
    SEGMENTS_OLD_SYNC,   /* ... for good, before its content goes */
    SEGMENTS_OPEN,
    SEGMENTS_ALLOCATE,
    SEGMENTS_ZEROS,
    SEGMENTS_SYNC,
    SEGMENTS_RENAME,
    SEGMENTS_NAME_SYNC,
    SEGMENTS_GIVE_BACK, /* there was no room for it */
    /* An old one that is not needed, and not for the next one either. */
    SEGMENTS_REMOVE,
};

/* Any failure but a lack of room: the log cannot go on. `number` is the segment's that it is about.
 */
typedef void (*segments_failed_fn)(void *context, uint64_t number, const char *action,
                                   int32_t result);

struct segments {
    struct io *io;
    const char *core_path;
    int folder_fd;
    uint64_t segment_bytes;
    const uint8_t *zeros; /* SEGMENTS_SLICE_BYTES */
    segments_failed_fn failed;
    void *context;
    struct archive *archive; /* NULL: none */

    struct io_op op;
    enum segments_step step;
    char path[SEGMENTS_PATH_BYTES]; /* of the operation under way */
    char new_path[SEGMENTS_PATH_BYTES];
    uint64_t number_first;  /* the oldest file that is there */
    uint64_t number_needed; /* older ones are not needed for a restart */
    uint64_t number_in_use;
    int spare_fd;           /* of the segment that comes next, -1 until it is open */
    bool is_spare_ready;    /* it may be taken */
    bool is_spare_recycled; /* its file is an old one, and as large as it will be */
    uint64_t filled_bytes;
    uint32_t slice_bytes; /* of zeros that are being written */
    uint64_t quiet_at_ms; /* when the log will be, if no group comes; UINT64_MAX beside one */
    bool is_over;         /* segments_end() */
    bool is_stopping;     /* segments_stop() */
    bool lacks_room;      /* the last attempt found none; said so already */
    uint64_t retry_at_ms;
    uint64_t now_ms;
};

struct segments_options {
    uint64_t segment_bytes;
    uint64_t number_first;  /* of the files that are there; number_in_use when there is none */
    uint64_t number_in_use; /* the next one to be made has the number behind it */
    const uint8_t *zeros;   /* SEGMENTS_SLICE_BYTES, kept until segments_deinit() */
};

/* `core_path` and `archive` are kept until segments_deinit(). */
void segments_init(struct segments *segments, struct io *io, const char *core_path, int folder_fd,
                   const struct segments_options *options, struct archive *archive,
                   segments_failed_fn failed, void *context);

/* The log needs no more of them: no slice of zeros, no next segment and no removal is begun any
 * more. What is under way still goes on from step to step, to the next slice or to its end. */
void segments_stop(struct segments *segments);

/* The log has failed: what is under way comes to its end, and nothing more is begun. */
void segments_end(struct segments *segments);

/* No operation is pending. */
void segments_deinit(struct segments *segments);

/* What the log does meanwhile. */
struct segments_log {
    uint64_t used_bytes; /* of the segment in use */
    bool is_writing;     /* a group is on its way to the disk */
};

/* Begins what is to be done, if anything is. Once per turn, when the turn's group has begun. */
void segments_continue(struct segments *segments, const struct segments_log *log, uint64_t now_ms);

/* The next segment is made, on disk, and may be taken. */
static inline bool segments_is_ready(const struct segments *segments)
{
    return segments->is_spare_ready;
}

/* There is no next segment, because the last attempt to make it found no room on the disk. It is
 * made again once per second. */
static inline bool segments_lacks_room(const struct segments *segments)
{
    return segments->lacks_room && !segments->is_spare_ready;
}

/* When room is looked for again, the log will be quiet, or a copy to the archive is tried again;
 * UINT64_MAX when nothing waits for its time. */
uint64_t segments_wake_at_ms(const struct segments *segments);

/* Takes the next segment into use and returns its descriptor, which is the caller's from now on. */
int segments_take(struct segments *segments);

/* Files below this number are not needed any more. */
void segments_release(struct segments *segments, uint64_t number_needed);

/* No operation is under way, and unless they are stopped no next segment waits for its zeros. */
bool segments_is_idle(const struct segments *segments);

#endif
