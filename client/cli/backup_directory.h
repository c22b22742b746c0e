#ifndef HF_CLI_BACKUP_DIRECTORY_H
#define HF_CLI_BACKUP_DIRECTORY_H
/* A data directory made of a server's snapshots, for a server of its own: it has another server id,
 * because what the first one acknowledges from now on is not in it. Its only era is number 2, so
 * that nobody takes it for one that began with nothing, and each log in it begins with a base
 * snapshot:
 *
 *     DIR.partial/era-000002/core-000/snapshot-00000000000000000000   backup_copy.h writes these
 *     DIR.partial/era-000002/core-001/snapshot-00000000000000000000
 *     DIR.partial/MANIFEST                                            written last
 *
 * When everything is on the disk, DIR.partial becomes DIR: whole or not at all. All functions tell
 * in `message` what has failed and what to do about it. */

#include "log/manifest.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BACKUP_PATH_BYTES = 4096,
    BACKUP_MESSAGE_BYTES = BACKUP_PATH_BYTES + 256,
    BACKUP_ERA = 2,
};

struct backup_directory {
    char path[BACKUP_PATH_BYTES];
    char partial[BACKUP_PATH_BYTES];
    char parent[BACKUP_PATH_BYTES];
    int fd;        /* of the partial directory, locked; -1 = it is not made */
    bool is_there; /* it has its name */
    uint32_t core_count;
    struct id128 server_id; /* new */
    char message[BACKUP_MESSAGE_BYTES];
};

/* Looks whether a backup could be written there, and changes nothing: the directory does not exist
 * or is empty, the one above it exists and may be written in. */
bool backup_directory_init(struct backup_directory *directory, const char *path);

/* Makes the folders. What an earlier attempt has left is removed; what is not clearly that is in
 * the way. */
bool backup_directory_create(struct backup_directory *directory, uint32_t core_count);

/* Where the snapshot of a core goes. */
void backup_directory_snapshot_path(const struct backup_directory *directory, uint32_t core,
                                    char to[BACKUP_PATH_BYTES]);

/* All snapshots are whole and synced: makes the directory one, and gives it its name. False with
 * `is_there` when only the sync of the name has failed: the directory is good, and a loss of power
 * may undo its name. */
bool backup_directory_finish(struct backup_directory *directory);

/* Removes what was made and is not finished. Harmless when there is nothing. */
void backup_directory_abandon(struct backup_directory *directory);

/* "PATH: cannot ACTION: REASON; ADVICE" of a negative errno, to a text of BACKUP_MESSAGE_BYTES. */
void backup_trouble(char *message_out, const char *path, const char *action, int error);

#endif
