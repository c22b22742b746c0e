#ifndef HF_WAL_TROUBLE_H
#define HF_WAL_TROUBLE_H
/* Private to the room: what is told when a system call on the data directory fails. */

#include "wal/data_directory.h"

#include <stddef.h>

/* As snprintf(), for messages that may be cut. */
__attribute__((format(printf, 3, 4))) void trouble_text(char *to, size_t to_bytes,
                                                        const char *format, ...);

/* Writes "PATH: cannot ACTION: reason; what to do" and returns the status that goes with it.
 * `error` is a negative errno. -ENXIO comes from opening: it is there, but nothing that a server
 * made. */
enum data_directory_status trouble(char *message_out, const char *path, const char *action,
                                   int error);

/* Of a negative errno: the disk, or the user's share of it, is full. */
bool trouble_is_lack_of_room(int error);

/* "a/b" of "a/b/c" and of "a/b/c/", "." of "c", "/" of "/c" (DATA_DIRECTORY_PATH_BYTES). */
void trouble_parent_path(const char *path, char *to);

/* Syncs the folder in which this one has its name. A parent that this user may not read was
 * prepared by somebody else, long enough ago. */
enum data_directory_status trouble_sync_parent(struct io *io, const char *path, char *message_out);

/* Syncs a folder, for the names in it. */
enum data_directory_status trouble_sync_folder(struct io *io, const char *path, char *message_out);

#endif
