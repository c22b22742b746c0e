#ifndef HF_LOG_MANIFEST_H
#define HF_LOG_MANIFEST_H
/* The text file MANIFEST at the top of a data directory says what the directory is:
 *
 *     holdfast data directory
 *     format 1
 *     server 0123456789abcdef0123456789abcdef
 *     era 1 cores 4
 *     era 2 cores 1
 *     checksum 0123456789abcdef
 *
 * An era is a time in which the number of cores stayed the same. Within one, an item's records are
 * all in the log of one core, so replaying the eras in order, and the logs of an era in any order,
 * gives the same state. The log of a core is the folder "era-000001/core-000", its segments are
 * named "000000000001.log". The checksum line is XXH3-64 of all bytes before it, in hexadecimal.
 * The file is replaced as a whole, by rename, never changed in place. */

#include "base/id.h"

#include <stddef.h>
#include <stdint.h>

enum {
    LOG_MANIFEST_ERA_COUNT_MAX = 1024,
    LOG_MANIFEST_BYTES_MAX = 64 << 10,
    LOG_CORE_COUNT_MAX = 64,
};

struct log_manifest {
    uint32_t version;
    struct id128 server_id;
    uint32_t era_count;
    struct {
        uint64_t number; /* from 1, rising */
        uint32_t core_count;
    } eras[LOG_MANIFEST_ERA_COUNT_MAX];
};

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
/* Writes "000000000001.log". */
void log_segment_file_name(uint64_t segment_number, char *to);
/* The number in such a name, or 0 when it is no segment's name. */
uint64_t log_segment_file_number(const char *name);

#endif
