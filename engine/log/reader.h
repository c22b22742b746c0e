#ifndef HF_LOG_READER_H
#define HF_LOG_READER_H
/* Reads one core's log to its end and tells a good end from a torn one and a torn one from damage.
 * No I/O of its own: bytes come through a callback, so the server, the tools, the simulator and the
 * fuzzer share it. It reads from the first segment on, or from the place on which a snapshot
 * stands, and goes in steps that a caller may put other work between.
 *
 * The rules (docs/log-format.md has the table):
 *   - An end is good when everything behind the last group is zero, unused segment files included.
 *   - Bad bytes with nothing of ours behind them are a torn tail: the write in flight when the
 *     machine stopped, a group's or a new segment's header. It was never acknowledged.
 *   - Bad bytes with a valid group behind them in the segment, or with a later file in use, are
 *     damage: one write at most was in flight. So are a gap in the numbers, of files or groups, a
 *     broken chain, an epoch that goes down, a record that the caller refuses, a missing segment, a
 *     segment under another one's name, and a segment in use whose file has not the size that its
 *     header says.
 *   - What a snapshot stands on was durable before the snapshot was: anything bad before the place
 *     where reading starts is damage, and so is a log that says something else there than the
 *     snapshot does.
 *   - The log of a closed era has to end where MANIFEST says. All else is damage.
 *
 * A log that is being written while it is read may look torn, and in rare moments damaged: real
 * damage is found again at the same place. */

#include "base/bytes.h"
#include "log/format.h"

#include <stdbool.h>
#include <stddef.h>
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

/* One whole group, of which everything was checked but the meaning of its records. */
struct log_group {
    uint64_t first_lsn;
    uint64_t group_number;
    uint64_t time_ms;
    uint64_t epoch;
    const uint8_t *records; /* 8-byte aligned, one behind the other */
    uint32_t records_bytes;
    uint32_t record_count; /* at least 1 */
};

/* One group, valid during the call. Returns NULL to go on, or why a record is refused (text that
 * lives until the result was used); then `*refused_lsn_out` says which, those before it count as
 * taken, and it is damage. */
typedef const char *(*log_group_fn)(void *context, const struct log_group *group,
                                    uint64_t *refused_lsn_out);

/* Length of a record, itself included. */
static inline uint32_t log_record_bytes(const uint8_t *record)
{
    return bytes_get_u16(record);
}

/* The record behind `record`, which is one of the group's, or NULL behind the last one. The first
 * one is `group->records`. */
static inline const uint8_t *log_record_next(const struct log_group *group, const uint8_t *record)
{
    const uint8_t *next = record + log_record_bytes(record);
    return next < group->records + group->records_bytes ? next : NULL;
}

struct log_source {
    const struct log_segment *segments;
    uint32_t segment_count; /* 0: an empty log, which is good */
    log_read_fn read;
    void *read_context;
    /* What the segments must say they are. */
    struct id128 server_id;
    uint64_t era;
    uint32_t core;
    /* Where reading starts; NULL: at the very beginning. Files of earlier segments are not looked
     * at, and may be missing. The groups before it in its segment are checked, but not handed out.
     * It is possible (log_position_is_possible()). */
    const struct log_position *start;
    /* Where the log ends, when its era is not the newest one: it was whole and on disk before the
     * next one began, so a torn tail is damage. NULL in the newest era. */
    const struct log_closed_end *closed;
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
 * it first clears everything from `offset` to the end of that segment and all later files; when no
 * segment is in use that is from the start of the first file. A log without a used segment, or with
 * a last segment that has no group yet, is good: `offset` is 0 or LOG_BLOCK_BYTES. */
struct log_end {
    enum log_status status;
    uint32_t segment_index; /* the last segment with a valid header; with DAMAGED, VERSION, IO the
                               bad one, which is `segment_count` when it is a file that is missing
                               behind all others */
    uint64_t offset;        /* first byte behind the last group; the bad bytes otherwise */
    struct log_segment_header segment; /* of the last segment with a valid header, which is the last
                                          one in use; its `segment_number` is 0 when there is none.
                                          Later files are all zero, unused */
    /* Behind what was handed out, and where reading started when nothing was. */
    uint64_t next_lsn; /* 1 in an empty log */
    uint64_t next_group_number;
    uint64_t chain;
    uint64_t epoch;        /* of the last group; 0 when there is none */
    uint64_t time_ms;      /* of the last group */
    uint64_t group_count;  /* handed out */
    uint64_t record_count; /* handed out, and not refused */
    int io_error;          /* negative errno */
    char reason[160];      /* one line, without file and offset; empty when GOOD */
};

/* The place at which a good log ends, or a torn one that was cleared; while a reader works, the one
 * behind the last group. Something was handed out, or reading started at the very beginning. */
struct log_position log_end_position(const struct log_end *end);

/* A reading under way. The memory is the caller's, the fields are the reader's own. */
struct log_reader {
    struct log_source source;
    log_group_fn group;
    void *group_context;
    struct log_end *end;
    uint8_t *buffer;
    uint32_t window_segment; /* what the buffer holds; nothing while window_bytes is 0 */
    uint32_t window_bytes;
    uint64_t window_offset;

    uint32_t phase;
    uint32_t file_count;     /* before the first gap in the names */
    uint64_t missing_number; /* of the file that would close the gap */
    uint32_t segment_index;  /* of the file that is read or searched */
    uint64_t search_offset;  /* in that file */
    struct log_position at;  /* behind the last good group, also of those not handed out */
    bool is_before_start;
    /* What is bad, while it is found out how bad that is. */
    enum log_status verdict; /* when all later files are unused */
    const char *wrong;
    uint32_t bad_index;
    uint64_t bad_offset;
};

/* Gets ready; nothing is read yet. `group` may be NULL. `buffer` has LOG_GROUP_BYTES_MAX bytes, any
 * content, 8-byte aligned. The caller keeps it, `end_out` and what `source` points to until the
 * last step. */
void log_reader_begin(struct log_reader *reader, const struct log_source *source,
                      log_group_fn group, void *group_context, uint8_t *buffer,
                      struct log_end *end_out);

/* Goes on by one group at most, or by as many bytes between groups as the largest group has: one
 * call of `read` and one of `group` at most. False when the end is reached: then `end_out` is the
 * result. Until then it tells how far reading has come. */
bool log_reader_step(struct log_reader *reader);

/* Reads everything, in one go. */
void log_read(const struct log_source *source, log_group_fn group, void *group_context,
              uint8_t *buffer, struct log_end *end_out);

#endif
