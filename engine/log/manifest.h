#ifndef HF_LOG_MANIFEST_H
#define HF_LOG_MANIFEST_H
/* The text file MANIFEST at the top of a data directory says what the directory is:
 *
 *     holdfast data directory
 *     format 1
 *     server 0123456789abcdef0123456789abcdef
 *     era 1 cores 2
 *     end 0 lsn 1001 chain 0123456789abcdef
 *     end 1 lsn 1 chain 0000000000000000
 *     era 2 cores 1
 *     checksum 0123456789abcdef
 *
 * An era is a time in which the number of cores stayed the same. Within one, an item's records are
 * all in the log of one core, so replaying the eras in order, and the logs of an era in any order,
 * gives the same state. All but the newest are closed: a line per core says which LSN its log would
 * have gone on with, and the header checksum of its last group. Eras before the first one named
 * were removed: then the logs of the first one begin with snapshots.
 *
 * The log of a core is the folder "era-000001/core-000", its segments are named "000000000001.log".
 * The checksum line is XXH3-64 of all bytes before it, in hexadecimal. The file is replaced as a
 * whole, by rename, never changed in place. */

#include "base/id.h"
#include "log/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_MANIFEST_ERA_COUNT_MAX = 64,
    LOG_MANIFEST_BYTES_MAX = 256 << 10, /* too many for a stack */
    LOG_CORE_COUNT_MAX = 64,
};

/* 67 KiB. */
struct log_manifest {
    uint32_t version;
    struct id128 server_id;
    uint32_t era_count;
    struct log_manifest_era {
        uint64_t number; /* from 1, rising */
        uint32_t core_count;
        struct log_closed_end ends[LOG_CORE_COUNT_MAX]; /* of each core's log; zeros in the newest
                                                           era, which has no end yet */
    } eras[LOG_MANIFEST_ERA_COUNT_MAX];
};

/* True when the logs of the first era named do not begin with nothing: eras before it were removed,
 * because snapshots stand for them. */
static inline bool log_manifest_needs_snapshots(const struct log_manifest *manifest)
{
    return manifest->eras[0].number > 1;
}

/* Writes the text (room for LOG_MANIFEST_BYTES_MAX) and returns its length. `version` is
 * LOG_FORMAT_VERSION. */
size_t log_manifest_encode(const struct log_manifest *manifest, char *to);

/* NULL, or what is wrong (static text that reads well behind "MANIFEST: "). `version` is set even
 * when it is the version that is wrong: other than LOG_FORMAT_VERSION then. It is 0 when the text
 * is damaged. Every version keeps the first two lines and the last one. */
const char *log_manifest_decode(const char *from, size_t from_bytes,
                                struct log_manifest *manifest_out);

/* Writes "era-000001/core-000" (at most LOG_NAME_BYTES_MAX, with terminator). */
enum { LOG_NAME_BYTES_MAX = 64 };
void log_core_directory_name(uint64_t era, uint32_t core, char *to);
/* The number of "era-000001", or 0 when it is no era's name. */
uint64_t log_era_directory_number(const char *name);
/* Writes "000000000001.log". */
void log_segment_file_name(uint64_t segment_number, char *to);
/* The number in such a name, or 0 when it is no segment's name. */
uint64_t log_segment_file_number(const char *name);
/* Writes "snapshot-00000000000000000042": the LSN of the last record that is in it. */
void log_snapshot_file_name(uint64_t lsn, char *to);
/* False when it is no snapshot's name. */
bool log_snapshot_file_lsn(const char *name, uint64_t *lsn_out);

/* Files being made, beside the segments and snapshots that they become by rename. After a crash
 * they mean nothing, whatever is in them. */
#define LOG_SEGMENT_NEW_NAME  "segment.new"
#define LOG_SNAPSHOT_NEW_NAME "snapshot.new"

#endif
