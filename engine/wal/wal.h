#ifndef HF_WAL_H
#define HF_WAL_H
/* The writer of one core's log: greedy group commit. Records are copied into the open group; when
 * no write is in flight the group is closed and written as one durable write, while the next one
 * fills. No timer. A record is durable once wal_durable_lsn() has reached its LSN.
 *
 * Segments are made ahead of use (allocated, filled with zeros, synced, their directory synced),
 * beside the core's turns, so that a group never waits for the file system to find room. Those that
 * a restart no longer needs are archived, used again or removed (wal_release()).
 *
 * A lack of room on the disk is no failure: wal_room() goes down to 0 then and wal_lacks_space()
 * says why, until there is room again.
 *
 * Any failed or short write or sync is the end (design P3): wal_failure() says so and no LSN
 * becomes durable any more; the caller stops. One thread: the core's. */

#include "io/io.h"
#include "log/reader.h"
#include "wal/data_directory.h"

#include <stdbool.h>
#include <stdint.h>

enum wal_durability {
    WAL_SYNC,  /* durable means on disk */
    WAL_ASYNC, /* durable means appended; groups are written and synced behind, a power cut loses
                  the last ones */
    WAL_OFF,   /* nothing is written */
};

struct wal;

struct wal_options {
    enum wal_durability durability;
    uint64_t segment_bytes; /* a multiple of LOG_BLOCK_BYTES; holds a header and a largest group */
    uint32_t group_bytes_max; /* a multiple of LOG_BLOCK_BYTES up to LOG_GROUP_BYTES_MAX */
    uint32_t core;
    const char *archive_path; /* where segments go before they do; NULL: nowhere */
};

/* A writer that goes on at `end` in the newest era, which is begun. Blocking: makes the first
 * segment when there is none. `directory` is kept until wal_close(). On failure NULL, and
 * `message_out` (512 bytes) tells why. */
struct wal *wal_open(struct io *io, const struct data_directory *directory,
                     const struct wal_options *options, const struct log_end *end,
                     char *message_out);

/* Room for so many more records of any size in the open group, now: all of them will find a place
 * on the disk. 0 means: come back after io_turn(), or, when wal_is_full(), when somebody has made
 * room. */
uint32_t wal_room(const struct wal *wal);

/* The disk has no room for the next segment. It is asked again each second. */
bool wal_lacks_space(const struct wal *wal);

/* And the segment in use has no place for a largest group any more, so that wal_room() tells what
 * is left for good. */
bool wal_is_full(const struct wal *wal);

/* When the next segment goes on being made, because the log is quiet; or when what has failed is
 * tried again: that segment, a copy to the archive. UINT64_MAX when nothing waits for its time. */
uint64_t wal_wake_at_ms(const struct wal *wal);

/* The disk has no room for the next segment, and less than half a segment is left of the one in
 * use, what is on its way not counted: what must be recorded still can be, and what can be refused
 * should be. */
bool wal_is_low(const struct wal *wal);

/* Where to write the next record; valid until wal_append(). There is room (wal_room() > 0). */
uint8_t *wal_next(struct wal *wal);

/* Adds the record of `record_bytes` that was written at wal_next() and returns its LSN. */
uint64_t wal_append(struct wal *wal, uint32_t record_bytes);

/* Closes the open group and starts writing it, if there is one and the disk is free. Once per turn.
 */
void wal_write(struct wal *wal, uint64_t now_ms);

/* Nothing will be appended any more: no segment is made, removed or copied to the archive from now
 * on; what is under way is brought to its end. */
void wal_stop(struct wal *wal);

/* LSN of the last record appended; 0 before the first. */
uint64_t wal_last_lsn(const struct wal *wal);

/* Every record up to here may be acknowledged. */
uint64_t wal_durable_lsn(const struct wal *wal);

/* Every record up to here is on disk, whatever may be acknowledged. */
uint64_t wal_written_lsn(const struct wal *wal);

/* Nothing is in the open group: every record appended so far is in a group that was closed. Never
 * with WAL_OFF. */
bool wal_is_at_boundary(const struct wal *wal);

/* Where the log goes on behind these records, for a snapshot of the state that they made. At a
 * boundary. */
struct log_position wal_position(const struct wal *wal);

/* Segments before this one are not needed any more. */
void wal_release(struct wal *wal, uint64_t segment_number);

/* NULL while all is well, else the one line that says what failed and what to do. */
const char *wal_failure(const struct wal *wal);

/* True when nothing is appended that is not durable on disk and no operation is in flight. For a
 * clean stop. */
bool wal_is_idle(const struct wal *wal);

struct wal_counts {
    uint64_t groups;
    uint64_t records;
    uint64_t bytes;
    uint64_t bytes_closed; /* the group in flight included */
    uint64_t segments;     /* taken into use since the start, the first one included */
    uint64_t flush_ns;     /* summed over all groups */
};
struct wal_counts wal_counts(const struct wal *wal);

/* wal_is_idle(); or the writer has failed, and what was in flight then has come to its end. */
void wal_close(struct wal **wal);

#endif
