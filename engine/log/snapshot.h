#ifndef HF_LOG_SNAPSHOT_H
#define HF_LOG_SNAPSHOT_H
/* The bytes of a snapshot: the state of one core as it was behind one group of its log, so that the
 * log before that place need not be read any more. Format only, no I/O and no memory of its own;
 * docs/log-format.md tells the same in prose. All integers little-endian.
 *
 *     file       0        4096
 *                +--------+--------------------+--------- - - -+--------+
 *                | header | entries            | entries       | footer |
 *                +--------+--------------------+--------- - - -+--------+
 *     block      header (64) | payload ... | zero padding to 4096
 *     entry      u16 length (multiple of 8, itself included) | bytes ...
 *
 * Entries are opaque here but for their length. Every block names the one before it by that one's
 * checksum, the first one the file's header, so a file is one chain; the footer, which ends the
 * file, says how much there was. A file that has it is whole.
 *
 * A base snapshot is the state with which a log begins: its position is log_position_first(). */

#include "log/format.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LOG_SNAPSHOT_BLOCK_HEADER_BYTES = 64,
    LOG_SNAPSHOT_BLOCK_BYTES_MAX = 4 << 20, /* header and padding included */
    LOG_SNAPSHOT_PAYLOAD_BYTES_MAX = LOG_SNAPSHOT_BLOCK_BYTES_MAX - LOG_SNAPSHOT_BLOCK_HEADER_BYTES,
    LOG_SNAPSHOT_ENTRY_BYTES_MIN = 8,
    LOG_SNAPSHOT_ENTRY_BYTES_MAX = 256,
};

/* The first 4096 bytes.
 *
 *      0  u64  magic "HFSNAPSH"
 *      8  u64  checksum: XXH3-64, seed 0, of bytes 16 .. 4095
 *     16  u32  format version
 *     20  u32  core
 *     24  u64  server id high      32  u64  server id low
 *     40  u64  snapshot uuid high  48  u64  snapshot uuid low
 *     56  u64  era
 *              position: the log goes on there
 *     64  u64      segment number
 *     72  u64      offset
 *     80  u64      next LSN
 *     88  u64      next group number
 *     96  u64      chain
 *    104  u64      epoch
 *    112  u64      time_ms
 *    120  u64  state time_ms: latest time of any record that is in the state
 *    128  u64  taken_ms: engine time when the snapshot was begun, for people
 *    136       zeros */
struct log_snapshot_header {
    struct id128 server_id;
    struct id128 snapshot_uuid; /* random */
    uint64_t era;
    struct log_position position;
    uint64_t state_time_ms;
    uint64_t taken_ms;
    uint32_t core;
    uint32_t version;
};

/* LSN of the last record that is in the state; 0 in a base snapshot. The file is named by it. */
static inline uint64_t log_snapshot_lsn(const struct log_snapshot_header *header)
{
    return header->position.next_lsn - 1;
}

/* First bytes of a block.
 *
 *      0  u64  magic "HFSNAPBK"
 *      8  u64  header checksum: XXH3-64 of bytes 16 .. 63,
 *              seed = snapshot uuid high ^ low ^ offset of the block in the file
 *     16  u64  payload checksum: XXH3-64 of the payload bytes, same seed
 *     24  u64  block number, from 1
 *     32  u64  chain: header checksum of the block before, in the first the header's checksum
 *     40  u32  payload bytes (without header and padding)
 *     44  u32  entry count; 0 in the footer
 *     48  u32  kind: 1 entries, 2 footer
 *     52       zeros
 *
 * The payload of the footer:
 *
 *      0  u64  items         24  u64  state hash
 *      8  u64  reservations  32  u64  blocks of entries
 *     16  u64  buyers        40  u64  entries
 *                            48  u64  payload bytes of all blocks of entries */
struct log_snapshot_footer {
    uint64_t item_count;
    uint64_t reservation_count;
    uint64_t buyer_count;
    uint64_t state_hash;
    /* The encoder counts these. */
    uint64_t block_count;
    uint64_t entry_count;
    uint64_t entries_bytes;
};

/* ---- writing ---- */

/* Makes the blocks of one file, in order. The memory is the caller's. */
struct log_snapshot_encoder {
    struct id128 snapshot_uuid;
    uint64_t offset; /* where the next block goes, and in the end the size of the file */
    uint64_t chain;
    uint64_t block_count; /* of entries, and what is in them */
    uint64_t entry_count;
    uint64_t entries_bytes;
};

/* Writes the LOG_BLOCK_BYTES with which the file begins. `version` is ignored: it is always
 * LOG_FORMAT_VERSION. The position is possible. */
void log_snapshot_encode_header(struct log_snapshot_encoder *encoder,
                                const struct log_snapshot_header *header, uint8_t *block);

/* Finishes a block: `entry_count` entries, at least one, stand already in its `payload_bytes`
 * behind the first LOG_SNAPSHOT_BLOCK_HEADER_BYTES. Writes header and padding, and returns the
 * bytes to be written to the file, a multiple of LOG_BLOCK_BYTES up to
 * LOG_SNAPSHOT_BLOCK_BYTES_MAX. */
uint32_t log_snapshot_encode_entries(struct log_snapshot_encoder *encoder, uint8_t *block,
                                     uint32_t payload_bytes, uint32_t entry_count);

/* Writes the LOG_BLOCK_BYTES with which the file ends, and fills in what `footer` has to say of the
 * blocks before. */
void log_snapshot_encode_footer(struct log_snapshot_encoder *encoder,
                                struct log_snapshot_footer *footer, uint8_t *block);

/* ---- reading ---- */

/* NULL, or what is wrong (static text). `header_out->version` is set even when it is the version
 * that is wrong: other than LOG_FORMAT_VERSION then. It is 0 when the block is no header or its
 * checksum is wrong. Every version keeps the first 24 bytes and what the checksum covers.
 * `checksum_out` is the first block's chain. */
const char *log_snapshot_header_decode(const uint8_t *block, struct log_snapshot_header *header_out,
                                       uint64_t *checksum_out);

/* What a file must say it is. */
struct log_snapshot_source {
    struct id128 server_id;
    uint64_t era;
    uint32_t core;
    uint64_t lsn; /* of its name */
    uint64_t file_bytes;
};

enum log_snapshot_piece {
    LOG_SNAPSHOT_HEADER,  /* `header` is set */
    LOG_SNAPSHOT_ENTRIES, /* `entries` is set */
    LOG_SNAPSHOT_WHOLE,   /* `footer` is set: the end, and all is well */
    LOG_SNAPSHOT_DAMAGED, /* the end: `reason` says why, the bad bytes are in the block at `offset`,
                             or behind it */
    LOG_SNAPSHOT_VERSION, /* the end: written by another version of the format; `reason` as well */
};

/* A reading under way: the caller brings the bytes, in whatever way it reads them, and gets the
 * pieces in order. Nothing is handed out before all of its block was checked. What the entries mean
 * and whether they give the footer's hash is the caller's to check. */
struct log_snapshot_reader {
    uint64_t offset; /* of the bytes that are wanted next */
    struct log_snapshot_header header;
    const uint8_t *entries; /* in the bytes that were brought; 8-byte aligned when those are */
    uint32_t entries_bytes;
    uint32_t entry_count;
    struct log_snapshot_footer footer;
    char reason[160]; /* one line, without file and offset */

    /* the reader's own */
    struct log_snapshot_source source;
    bool is_over;
    uint64_t chain;
    struct log_snapshot_footer seen; /* so far, of what the encoder counts */
};

void log_snapshot_reader_begin(struct log_snapshot_reader *reader,
                               const struct log_snapshot_source *source);

/* How many bytes from `offset` on make the next piece, as far as the first `bytes_count` of them
 * tell: at least what is left of LOG_BLOCK_BYTES, at most LOG_SNAPSHOT_BLOCK_BYTES_MAX, all inside
 * the file. So whoever has none yet brings a block, or a larger piece of the file, and asks again.
 */
uint32_t log_snapshot_reader_needs(const struct log_snapshot_reader *reader, const uint8_t *bytes,
                                   uint32_t bytes_count);

/* Takes what is needed of the `bytes_count` bytes from `offset` on and returns the next piece.
 * There are as many as log_snapshot_reader_needs() says of them, and may be more. Not to be called
 * again after the end. */
enum log_snapshot_piece log_snapshot_reader_take(struct log_snapshot_reader *reader,
                                                 const uint8_t *bytes, uint32_t bytes_count);

#endif
