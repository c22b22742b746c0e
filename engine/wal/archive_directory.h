#ifndef HF_WAL_ARCHIVE_DIRECTORY_H
#define HF_WAL_ARCHIVE_DIRECTORY_H
/* Private to the room: what of an archive is made at a start, by the main thread. An archive looks
 * like a data directory without snapshots: a MANIFEST, eras, cores, segments; so holdfast-log reads
 * it. Blocking. On failure the directory's `message` tells why. */

#include "wal/data_directory.h"

/* Copies what is left of the segments of all eras but the newest; those before them are there. */
enum data_directory_status archive_directory_copy_past(struct data_directory *directory,
                                                       const char *archive_path);

/* ARCHIVE/era-000001, then ARCHIVE/era-000001/core-000, each name on disk before what is in it. 0
 * or a negative errno. */
int archive_directory_make_folders(struct io *io, const char *archive_path, const char *core_path);

#endif
