#ifndef HF_LOG_FORMAT_H
#define HF_LOG_FORMAT_H
/* The bytes of the log: segments made of one header block and groups, groups made of a header and
 * records. docs/log-format.md tells the same in prose. All integers little-endian.
 *
 *     segment file            0        4096
 *                             +--------+-----------------+---------+-- - - --+------------+
 *                             | header | group           | group   |         | zeros      |
 *                             +--------+-----------------+---------+-- - - --+------------+
 *     group                   header (128) | records ... | zero padding to 4096
 *     record                  u16 length (multiple of 8, itself included) | bytes ...
 *
 * Records are opaque here but for their length. Record number i of a group has the LSN
 * first_lsn + i.
 *
 * What the reader's rules rely on, and the writer must keep:
 *   - A segment file is made whole (its full size, all zeros) and synced before its header is
 *     written.
 *   - A segment's header is written when every group before it is durable, and the first group of a
 *     segment when its header is.
 *   - A group is written when the group before it is durable, so one write at most is in flight.
 *   - Padding is zero. What follows the last group, to the end of the last file, is zero before the
 *     first write after a start. */

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_FORMAT_VERSION = 1,
    LOG_BLOCK_BYTES = 4096, /* unit of writing; an acknowledged block is never written again */
    LOG_GROUP_HEADER_BYTES = 128,
    LOG_GROUP_BYTES_MAX = 4 << 20, /* header and padding included */
    LOG_RECORD_BYTES_MIN = 8,
    LOG_RECORD_BYTES_MAX = 256,
    LOG_SEGMENT_BYTES_MIN = 8 << 20, /* that a server can be asked for */
};
#define LOG_SEGMENT_NUMBER_MAX 999999999999ull /* names have twelve digits */

/* First block of a segment.
 *
 *      0  u64  magic "HFSEGMNT"
 *      8  u64  checksum: XXH3-64, seed 0, of bytes 16 .. 4095
 *     16  u32  format version
 *     20  u32  core
 *     24  u64  server id high     32  u64  server id low
 *     40  u64  segment uuid high  48  u64  segment uuid low
 *     56  u64  era
 *     64  u64  segment number, from 1, +1 per segment
 *     72  u64  segment bytes
 *     80  u64  first LSN
 *     88  u64  chain: header checksum of the last group of the previous segment, 0 in the first
 *     96       zeros */
struct log_segment_header {
    struct id128 server_id;
    struct id128 segment_uuid; /* random */
    uint64_t era;
    uint64_t segment_number;
    uint64_t segment_bytes;
    uint64_t first_lsn;
    uint64_t chain;
    uint32_t core;
    uint32_t version;
};

/* First bytes of a group.
 *
 *      0  u64  magic "HFGROUP1"
 *      8  u64  header checksum: XXH3-64 of bytes 16 .. 127, seed = segment uuid high ^ low ^ offset
 *     16  u64  payload checksum: XXH3-64 of the payload bytes, same seed
 *     24  u64  group number, from 1, +1 per group, running on over segments
 *     32  u64  first LSN
 *     40  u64  chain: header checksum of the previous group, 0 in the first
 *     48  u64  durable: number of the last group known durable when this one was written
 *     56  u64  epoch: +1 at each start of the server
 *     64  u64  time_ms at which the group was closed
 *     72  u32  record count
 *     76  u32  payload bytes (without header and padding)
 *     80       zeros
 *
 * The seed binds a group to its place: stale, foreign or misplaced blocks never verify. */
struct log_group_header {
    uint64_t payload_checksum;
    uint64_t group_number;
    uint64_t first_lsn;
    uint64_t chain;
    uint64_t durable_group;
    uint64_t epoch;
    uint64_t time_ms;
    uint32_t record_count;
    uint32_t payload_bytes;
};

/* A place in the log of one core, behind one of its groups: where it goes on and what the next
 * group must say. A snapshot stands on one. */
struct log_position {
    uint64_t segment_number; /* 0: no segment yet, the log begins behind this place */
    uint64_t offset;         /* where the next group stands, if it fits into that segment */
    uint64_t next_lsn;
    uint64_t next_group_number;
    uint64_t chain;
    uint64_t epoch;   /* of the last group before this place; 0 when there is none */
    uint64_t time_ms; /* of the same group */
};

/* Where every log begins. */
static inline struct log_position log_position_first(void)
{
    return (struct log_position){.next_lsn = 1, .next_group_number = 1};
}

/* False when no log has such a place. */
bool log_position_is_possible(const struct log_position *position);

/* Where the log of an era that is not the newest ends. */
struct log_closed_end {
    uint64_t next_lsn;
    uint64_t chain; /* header checksum of its last group, 0 when it has none */
};

/* Writes LOG_BLOCK_BYTES. `version` is ignored: it is always LOG_FORMAT_VERSION. */
void log_segment_header_encode(const struct log_segment_header *header, uint8_t *block);

/* NULL, or what is wrong (static text). `header_out->version` is set even when it is the version
 * that is wrong: other than LOG_FORMAT_VERSION then. It is 0 when the block is no header or its
 * checksum is wrong. Every version keeps the first 20 bytes and what the checksum covers. */
const char *log_segment_header_decode(const uint8_t *block, struct log_segment_header *header_out);

/* Seed for checksums of a group at this offset of this segment. */
uint64_t log_group_seed(struct id128 segment_uuid, uint64_t offset);

/* Writes LOG_GROUP_HEADER_BYTES and returns the header checksum, which is the next group's chain.
 */
uint64_t log_group_header_encode(const struct log_group_header *header, uint64_t seed, uint8_t *to);

/* NULL, or what is wrong (static text). Checks magic, checksum and that the numbers are possible.
 */
const char *log_group_header_decode(const uint8_t *from, uint64_t seed,
                                    struct log_group_header *header_out,
                                    uint64_t *header_checksum_out);

/* True when all bytes are zero, as they are where nothing was written yet. */
bool log_bytes_are_zero(const uint8_t *from, size_t from_bytes);

/* Bytes that a group with this payload takes on disk: header, payload, padding. */
static inline uint32_t log_group_bytes(uint32_t payload_bytes)
{
    return (LOG_GROUP_HEADER_BYTES + payload_bytes + LOG_BLOCK_BYTES - 1) / LOG_BLOCK_BYTES *
           LOG_BLOCK_BYTES;
}

#endif
