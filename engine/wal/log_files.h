#ifndef HF_WAL_LOG_FILES_H
#define HF_WAL_LOG_FILES_H
/* What there is of one core's log in one era: its snapshots and its segments, read at a start, in
 * steps between which the core does other things. What was read is on disk when it has been read to
 * the end, also what a killed server had only begun to write. One thread at a time. */

#include "io/io.h"
#include "log/reader.h"
#include "log/snapshot.h"
#include "wal/data_directory.h"

#include <stdbool.h>
#include <stdint.h>

struct log_files;

/* Looks into the folder of this core in this era (index into the manifest), which is empty when the
 * era is pending. `directory` and `message_out` (512 bytes) are kept: a failure of this and of all
 * that follows is told there. NULL on failure, with the status. */
struct log_files *log_files_open(const struct data_directory *directory, struct io *io,
                                 uint32_t era_index, uint32_t core, char *message_out,
                                 enum data_directory_status *status_out);
void log_files_close(struct log_files **files);

/* ---- snapshots ---- */

/* The snapshots that have a name, from the oldest on; whether they are whole is found out by
 * reading them. */
uint32_t log_files_snapshot_count(const struct log_files *files);
uint64_t log_files_snapshot_lsn(const struct log_files *files, uint32_t index);

/* Begins to read this snapshot. */
enum data_directory_status log_files_begin_snapshot(struct log_files *files, uint64_t lsn);

/* Reads one piece on; what is in it is in the reader (log/snapshot.h) until the next call. With
 * LOG_SNAPSHOT_WHOLE the snapshot and its name are on disk, and it is at its end. DAMAGED when it
 * cannot be used. */
enum data_directory_status log_files_read_snapshot(struct log_files *files,
                                                   enum log_snapshot_piece *piece_out,
                                                   const struct log_snapshot_reader **reader_out);

/* Brings the file and its name to the disk, after it was found whole: a server that was killed may
 * have given it its name and not have got to the sync. What can't be synced must not be used. */
enum data_directory_status log_files_sync_snapshot(struct log_files *files);

/* Bytes of its file, after it was begun. */
uint64_t log_files_snapshot_bytes(const struct log_files *files);

/* The place in the log on which the newest snapshot stands whose header can be read; where logs
 * begin when there is none. */
enum data_directory_status log_files_newest_position(struct log_files *files,
                                                     struct log_position *position_out);

/* ---- the log ---- */

/* Bytes of the segment files from this place on, unused ones included. */
uint64_t log_files_log_bytes(const struct log_files *files, const struct log_position *start);

/* Begins to read the log from `start` on, calling `group` for each group. */
enum data_directory_status log_files_begin_log(struct log_files *files,
                                               const struct log_position *start, log_group_fn group,
                                               void *group_context);

/* Reads one group on, or a piece of what is not used. False at the end. */
bool log_files_read_log(struct log_files *files);

/* Bytes that were read so far, of snapshots and segments, what is not used included. */
uint64_t log_files_bytes_read(const struct log_files *files);

/* How far behind `start` the reading has come. */
uint64_t log_files_log_bytes_done(const struct log_files *files);

/* After the end. A torn tail in the newest era is kept as a copy ("torn-TIME-…"), cut, cleared and
 * synced, so that a writer can go on; `was_torn_out` tells. In an older era it is damage, and so is
 * any end that MANIFEST does not name. On success `end_out->status` is LOG_GOOD. */
enum data_directory_status log_files_end_log(struct log_files *files, struct log_end *end_out,
                                             bool *was_torn_out);

#endif
