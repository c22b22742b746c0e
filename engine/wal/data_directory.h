#ifndef HF_WAL_DATA_DIRECTORY_H
#define HF_WAL_DATA_DIRECTORY_H
/* The data directory: its lock, its MANIFEST, and the logs of all eras in it (log/manifest.h has
 * the layout). Opened once at start, by the main thread, before any core runs. */

#include "io/io.h"
#include "log/manifest.h"
#include "log/reader.h"

#include <stdbool.h>

enum data_directory_status {
    DATA_DIRECTORY_OK = 0,
    DATA_DIRECTORY_IN_USE,     /* another process holds the lock */
    DATA_DIRECTORY_VERSION,    /* written by another version */
    DATA_DIRECTORY_PERMISSION, /* may not be read or written */
    DATA_DIRECTORY_DAMAGED,    /* manifest or log */
    DATA_DIRECTORY_IO,         /* any other failure, full disk included */
};

enum {
    DATA_DIRECTORY_PATH_BYTES = 4096, /* of any file in it, with terminator */
    DATA_DIRECTORY_MESSAGE_BYTES = 512,
};

struct data_directory {
    struct io *io;
    char path[DATA_DIRECTORY_PATH_BYTES - LOG_NAME_BYTES_MAX * 2];
    int lock_fd;
    struct log_manifest manifest;               /* with the pending era, which is its newest */
    bool is_era_pending;                        /* the newest era is not on disk yet */
    char message[DATA_DIRECTORY_MESSAGE_BYTES]; /* after a failure: one line with path, reason and
                                                   what to do */
};

/* Locks the directory, which is made when it is missing, and reads its manifest. A non-empty
 * directory without a manifest is refused: it is not ours. When the newest era has another number
 * of cores its logs are read and, if torn, healed, and a new era is pending; so only logs of the
 * newest era are ever torn, and each of those has one reader. A new directory's first era is
 * pending as well. The lock is on the directory itself, so nothing in it can be removed to get
 * around it. The directory's parent must exist. `directory` is the caller's memory; on failure only
 * `message` is set. */
enum data_directory_status data_directory_open(struct data_directory *directory, struct io *io,
                                               const char *path, uint32_t core_count);
void data_directory_close(struct data_directory *directory);

/* Makes the pending era, if there is one, with its folders and manifest, all on disk when this
 * returns. To be called when nothing can fail any more but the writing itself: a start that fails
 * before leaves the manifest as it was. Before wal_open(). On failure `message` is set. */
enum data_directory_status data_directory_begin_era(struct data_directory *directory);

/* Writes the path of one core's log of one era (DATA_DIRECTORY_PATH_BYTES). */
void data_directory_core_path(const struct data_directory *directory, uint32_t era_index,
                              uint32_t core, char *to);

/* Makes the archive, if it is missing, and writes into its MANIFEST what this one tells; the
 * archive keeps the eras that this directory has forgotten. Refuses the archive of another server,
 * and this directory itself.
 * At every start with an archive, after data_directory_begin_era(). On failure `message` is set. */
enum data_directory_status data_directory_prepare_archive(struct data_directory *directory,
                                                          const char *archive_path);

/* Removes the eras before the newest one, if they are not needed for a restart any more: first from
 * MANIFEST, then from the disk. With an archive what is left of their segments is copied there
 * before. At every start, after data_directory_begin_era() and before any core writes: it also goes
 * on where an earlier start stopped. On failure `message` is set. */
enum data_directory_status data_directory_remove_past(struct data_directory *directory,
                                                      bool is_needed, const char *archive_path);

#endif
