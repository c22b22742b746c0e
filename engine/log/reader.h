#ifndef HF_LOG_READER_H
#define HF_LOG_READER_H
/* Reads one core's log from its first segment to its end and tells a good end from a torn one and
 * a torn one from damage. No I/O of its own: bytes come through a callback, so the server, the
 * tools, the simulator and the fuzzer share it.
 *
 * The rules (docs/log-format.md has the table):
 *   - An end is good when everything behind the last group is zero, unused segment files included.
 *   - Bad bytes with nothing of ours behind them are a torn tail: the write in flight when the
 *     machine stopped, a group's or a new segment's header. It was never acknowledged.
 *   - Bad bytes with a valid group behind them in the segment, or with a later file in use, are
 *     damage: one write at most was in flight. So are a gap in the numbers, of files or groups, a
 * broken chain, an epoch that goes down, a record that the caller refuses, a missing segment, a
 * segment under another one's name, and a segment in use whose file has not the size that its
 * header says.
 *
 * A log that is being written while it is read may look torn, and in rare moments damaged: real
 * damage is found again at the same place. */

#include "log/format.h"

#include <stdbool.h>
#include <stdint.h>

/* One segment file, in order of its number. */
struct log_segment {
    const char *name; /* of the file (log_segment_file_name()); the caller keeps it while reading */
    uint64_t bytes;   /* size of the file */
};

/* Reads exactly `bytes` at `offset` of segment `segment_index`. Returns 0 or a negative errno.
 * Never asked to read behind the segment's size. */
typedef int (*log_read_fn)(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                           uint32_t bytes);

/* One record, valid during the call. Returns NULL to go on, or why the record is refused (text that
 * lives until the result was used), which is damage. */
typedef const char *(*log_record_fn)(void *context, uint64_t lsn, uint64_t group_time_ms,
                                     const uint8_t *record, uint32_t record_bytes);

struct log_source {
    const struct log_segment *segments;
    uint32_t segment_count; /* 0: an empty log, which is good */
    log_read_fn read;
    void *read_context;
    /* What the segments must say they are. */
    struct id128 server_id;
    uint64_t era;
    uint32_t core;
    /* The era is not the newest one: its logs were whole and on disk before the next one began, so
     * a torn tail is damage. */
    bool is_closed;
};

enum log_status {
    LOG_GOOD = 0,
    LOG_TORN_TAIL = 1, /* everything before `offset` is good */
    LOG_DAMAGED = 2,
    LOG_VERSION = 3, /* written by another version of the format */
    LOG_IO = 4,      /* the read callback failed with `io_error` */
};

/* "torn tail". Static memory. */
const char *log_status_text(enum log_status status);

/* Where and how reading ended. With GOOD and TORN_TAIL a writer goes on from here. With TORN_TAIL
 * it first clears everything from `offset` to the end of that segment and all later files; when
 * `segment_used_count` is 0 that is from the start of the first file. A log without a used segment,
 * or with a last segment that has no group yet, is good: `offset` is 0 or LOG_BLOCK_BYTES. */
struct log_end {
    enum log_status status;
    uint32_t segment_index; /* the last segment with a valid header; with DAMAGED, VERSION, IO the
                               bad one */
    uint64_t offset;        /* first byte behind the last group; the bad bytes otherwise */
    struct log_segment_header segment; /* of the last segment with a valid header */
    uint64_t segment_used_count; /* segments with a valid header; later ones are all zero, unused */
    uint64_t next_lsn;           /* 1 in an empty log */
    uint64_t next_group_number;
    uint64_t chain;
    uint64_t epoch;   /* of the last group; 0 when there is none */
    uint64_t time_ms; /* of the last group */
    uint64_t group_count;
    uint64_t record_count; /* delivered */
    int io_error;          /* negative errno */
    char reason[160];      /* one line, without file and offset; empty when GOOD */
};

/* Reads everything. `record` may be NULL. Uses `buffer` (of LOG_GROUP_BYTES_MAX bytes, the
 * caller's, any content, 8-byte aligned). */
void log_read(const struct log_source *source, log_record_fn record, void *record_context,
              uint8_t *buffer, struct log_end *end_out);

#endif
