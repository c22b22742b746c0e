#ifndef HF_CLI_BACKUP_COPY_H
#define HF_CLI_BACKUP_COPY_H
/* The snapshot of one core on its way into a backup: takes the bytes of the server's file piece by
 * piece, verifies every block, and writes the same entries as the base snapshot of another server.
 * One thread each; copies of different cores know nothing of each other. */

#include "backup_directory.h"
#include "log/snapshot.h"

#include <stdbool.h>
#include <stdint.h>

enum { BACKUP_PIECE_BYTES_MAX = 64 << 10 };

enum backup_status {
    BACKUP_OK = 0,
    BACKUP_DAMAGED, /* what came is no whole snapshot of that core */
    BACKUP_FAILED,  /* it can't be written, or there is no memory */
};

struct backup_copy {
    const struct backup_directory *directory;
    struct log_snapshot_source source;
    uint64_t taken; /* bytes: the next piece is the one from there on */
    bool is_whole;  /* all was taken and verified, `footer` tells what it is */
    struct log_snapshot_footer footer;
    char message[BACKUP_MESSAGE_BYTES];

    /* its own */
    char path[BACKUP_PATH_BYTES];
    int fd;
    struct log_snapshot_reader reader;
    struct log_snapshot_encoder encoder;
    uint8_t *window; /* bytes taken and not yet read: from `window_start` to `window_end` */
    uint32_t window_start;
    uint32_t window_end;
};

/* What is copied: the snapshot of this LSN of a core of another server. */
struct backup_source {
    struct id128 server_id;
    uint32_t core;
    uint64_t lsn;
};

/* Makes the file. `directory` is kept until backup_copy_close(). */
enum backup_status backup_copy_open(struct backup_copy *copy,
                                    const struct backup_directory *directory,
                                    const struct backup_source *source);

/* Takes the piece of the file that begins at `taken`: up to BACKUP_PIECE_BYTES_MAX, and at least
 * something. `file_bytes` is the size of the whole file. Not to be called again after a failure. */
enum backup_status backup_copy_take(struct backup_copy *copy, const uint8_t *piece,
                                    uint32_t piece_bytes, uint64_t file_bytes);

/* It is whole: what was written is on the disk when this returns. */
enum backup_status backup_copy_sync(struct backup_copy *copy);

/* Releases what it holds; the file stays. */
void backup_copy_close(struct backup_copy *copy);

#endif
