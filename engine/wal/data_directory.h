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

/* Reads one core's log of one era (index into the manifest) from the files, calling `group` for
 * each group. The log of a pending era is empty. A torn tail in the newest era is kept as a copy
 * ("torn-TIME-…"), cut, cleared and synced, so that a writer can go on; `was_torn_out` tells. In an
 * older era it is damage, and so is any end that MANIFEST does not name. On success
 * `end_out->status` is LOG_GOOD and all that was read is on disk, also what a killed server had
 * only begun to write. May run in any thread: `io` is that thread's. */
enum data_directory_status data_directory_read_log(struct data_directory *directory, struct io *io,
                                                   uint32_t era_index, uint32_t core,
                                                   log_group_fn group, void *group_context,
                                                   struct log_end *end_out, bool *was_torn_out,
                                                   char *message_out);

#endif
