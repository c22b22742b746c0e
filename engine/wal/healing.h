#ifndef HF_WAL_HEALING_H
#define HF_WAL_HEALING_H
/* Private to the room: a torn tail is cut off, and what was read is brought to the disk before it
 * counts. Blocking, at a start. */

#include "wal/log_files_private.h"

/* Behind `end`, which is torn: whatever is not zero is copied, then cleared. Files without a valid
 * header come behind the torn place. Cleared, they are as good as new. */
enum data_directory_status healing_cut(struct log_files *files, const struct log_end *end);

/* A server that was killed may have left a whole group that no sync has reached yet. It counts, and
 * so must be on disk before anybody hears of it. So must the zeros in the files behind it, which a
 * healing that was cut short may have written: in a closed era what was there before is damage. */
enum data_directory_status healing_sync_end(struct log_files *files, const struct log_end *end);

#endif
