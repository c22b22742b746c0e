#ifndef HF_WAL_ARCHIVE_H
#define HF_WAL_ARCHIVE_H
/* Private to the room: copies segments that a restart no longer needs to another place, from the
 * oldest on, one at a time, beside the core's turns. The copy has the same name below the archive
 * as the file has below the data directory: ARCHIVE/era-000001/core-000/000000000001.log. It gets
 * that name when it is whole and on disk.
 *
 * A failure here is no failure of the log: one line warns, the copy is tried again every ten
 * seconds, and the data directory keeps what is not archived. */

#include "io/io.h"

#include <stdbool.h>
#include <stdint.h>

struct archive;

struct archive_options {
    const char *source_path; /* the core's folder in the data directory; kept until the end */
    const char *archive_path;
    uint64_t era;
    uint32_t core;
    uint64_t number_first; /* of the segments that are there */
};

/* Makes the folders below `archive_path`, which exists. Blocking. On failure NULL, and
 * `message_out` (512 bytes) tells why. */
struct archive *archive_open(struct io *io, const struct archive_options *options,
                             char *message_out);

/* What is under way comes to its end, and nothing more is begun. */
void archive_end(struct archive *archive);

/* No operation is pending: archive_is_idle(), or the process ends. */
void archive_close(struct archive **archive);

/* Begins to copy the next segment below `number_end`, if there is one and nothing is under way. */
void archive_continue(struct archive *archive, uint64_t number_end, uint64_t now_ms);

/* When a copy is tried again; UINT64_MAX when none waits for that. */
uint64_t archive_wake_at_ms(const struct archive *archive, uint64_t number_end);

/* Segments below this number are in the archive, on its disk. */
uint64_t archive_number_next(const struct archive *archive);

/* Nothing is under way. */
bool archive_is_idle(const struct archive *archive);

#endif
