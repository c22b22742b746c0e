#ifndef HF_REPLAY_LOG_DATA_H
#define HF_REPLAY_LOG_DATA_H
/* A data directory, opened for reading only: nothing in it is created, locked, changed or removed,
 * so it may be looked at while a server runs on it. What there is, is found here: the manifest, the
 * folder of each log, and in it the names and sizes of segments and snapshots. */

#include "exit_code.h"

#include "base/checksum.h"
#include "log/manifest.h"
#include "log/reader.h"
#include "log/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DATA_PATH_BYTES = 4096,
    DATA_LOG_PATH_BYTES = DATA_PATH_BYTES + LOG_NAME_BYTES_MAX,
    DATA_FILE_PATH_BYTES = DATA_LOG_PATH_BYTES + LOG_NAME_BYTES_MAX,
    DATA_REASON_BYTES = 160,
};

enum data_snapshot_state {
    DATA_SNAPSHOT_UNREAD, /* its header is good, no more is known */
    DATA_SNAPSHOT_GOOD,   /* all of it was read, and is what its footer says */
    DATA_SNAPSHOT_DAMAGED,
    DATA_SNAPSHOT_VERSION,
    DATA_SNAPSHOT_UNREADABLE,
};

struct data_snapshot {
    uint64_t lsn; /* that its name says */
    uint64_t file_bytes;
    enum data_snapshot_state state;
    struct log_snapshot_header header; /* when UNREAD or GOOD */
    struct log_snapshot_footer footer; /* when GOOD */
    uint64_t bad_offset;               /* else */
    char reason[DATA_REASON_BYTES];
    bool is_misplaced; /* bad because an item in it belongs to another core */
    bool is_told;      /* on stderr, that it is bad */
    struct data_snapshot *next;
};

/* May be used: nothing bad is known of it. */
static inline bool data_snapshot_is_usable(const struct data_snapshot *snapshot)
{
    return snapshot->state == DATA_SNAPSHOT_UNREAD || snapshot->state == DATA_SNAPSHOT_GOOD;
}

/* The log of one core in one era. */
struct data_log {
    uint64_t era;
    uint32_t era_index; /* in the manifest */
    uint32_t core;
    const struct log_closed_end *closed; /* NULL in the newest era */
    char path[DATA_LOG_PATH_BYTES];

    /* What is in its folder. */
    int list_error; /* negative errno; -ENXIO: what is named next is no file */
    char list_wrong[LOG_NAME_BYTES_MAX];
    struct log_segment *segments; /* in order of their numbers */
    uint32_t segment_count;
    uint64_t segments_bytes;
    struct data_snapshot **snapshots; /* the oldest first; each stays where it is until the end */
    uint32_t snapshot_count;
    struct data_snapshot *all_snapshots; /* also those that have gone since */

    int fd; /* of the segment read last, -1 = none */
    uint32_t fd_segment_index;
};

struct data {
    char path[DATA_PATH_BYTES];
    struct log_manifest manifest;
    bool is_guessed; /* the manifest is damaged or missing, this is what the folders look like */
    struct data_log *logs; /* eras in order, in each the cores in order */
    uint32_t log_count;
    uint8_t *buffer; /* LOG_GROUP_BYTES_MAX, for whichever log is being read */
};

/* Reads the manifest, lists the folders and reads the snapshots' headers. On failure a line on
 * stderr says what, where and what to do; `*data_out` is NULL then. A folder that cannot be listed
 * is no failure here: it is in `list_error` of its log. */
enum exit_code data_open(const char *path, struct data **data_out);

/* The same for a directory whose manifest may be damaged or missing: what it would have said is
 * then guessed from the folders. */
enum exit_code data_open_damaged(const char *path, struct data **data_out);

void data_close(struct data **data);

/* Lists the folder of one log anew. What is known of a snapshot is kept. */
void data_list(struct data *data, struct data_log *log);

/* The logs of an era (index into the manifest) stand together: the first one. */
struct data_log *data_era_logs(struct data *data, uint32_t era_index);

static inline uint32_t data_core_count(const struct data *data, uint32_t era_index)
{
    return data->manifest.eras[era_index].core_count;
}

static inline bool data_log_is_newest(const struct data *data, const struct data_log *log)
{
    return log->era_index + 1 == data->manifest.era_count;
}

/* Which core owned an item in an era. */
static inline uint32_t data_owner(const struct data *data, uint32_t era_index, uint64_t item_id)
{
    const uint32_t core_count = data_core_count(data, era_index);
    return core_count == 1 ? 0 : (uint32_t)(checksum64_u64(item_id, 0) % core_count);
}

/* The log begins with nothing before it, and its first segment is there. */
bool data_log_has_beginning(const struct data *data, const struct data_log *log);

/* The log's own first segment is there, whatever was before it in other eras. */
bool data_log_has_first_segment(const struct data_log *log);

/* Bytes of the segments from this number on. */
uint64_t data_log_bytes_from(const struct data_log *log, uint64_t segment_number);

/* Reads `bytes` of a segment (the callback of log/reader.h); the context is a data_log. */
int data_read_segment(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                      uint32_t bytes);
void data_close_segment(struct data_log *log);

/* Paths of files (DATA_FILE_PATH_BYTES). */
void data_segment_path(const struct data_log *log, uint32_t segment_index, char *to);
void data_snapshot_path(const struct data_log *log, uint64_t lsn, char *to);
/* "era-000001/core-000/000000000001.log": below the directory; the folder when there is no such
 * segment. */
const char *data_short_path(const struct data *data, const char *path);

#endif
