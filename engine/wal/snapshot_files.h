#ifndef HF_WAL_SNAPSHOT_FILES_H
#define HF_WAL_SNAPSHOT_FILES_H
/* The snapshots of one core that are there: removes those that are not needed any more, and reads
 * one for a backup, beside the core's turns. One thread: the core's. */

#include "io/io.h"
#include "wal/data_directory.h"

#include <stdbool.h>
#include <stdint.h>

struct snapshot_files;

/* Of the core's log in the newest era. `directory` is kept until snapshot_files_close(). NULL when
 * memory is refused. */
struct snapshot_files *snapshot_files_open(struct io *io, const struct data_directory *directory,
                                           uint32_t core);

/* snapshot_files_are_idle(), or the process ends. */
void snapshot_files_close(struct snapshot_files **files);

/* Removes the snapshot of this LSN. False when another removal is under way: ask again. A failure
 * is told in the log and is no harm: the file stays. */
bool snapshot_files_remove(struct snapshot_files *files, uint64_t lsn);

/* `result`: bytes read, 0 at the end of the file, or a negative errno (-ENOENT: there is no such
 * snapshot). `file_bytes` is the size of the whole file. */
typedef void (*snapshot_read_fn)(void *context, int32_t result, uint64_t file_bytes);

/* Reads `bytes` at `offset` of the snapshot of this LSN into `to`, which is the files' until `done`
 * was called. `offset`, `bytes` and `to` are multiples of 4096. One at a time: only when
 * snapshot_files_may_read(). */
bool snapshot_files_may_read(const struct snapshot_files *files);
void snapshot_files_read(struct snapshot_files *files, uint64_t lsn, uint64_t offset, uint8_t *to,
                         uint32_t bytes, snapshot_read_fn done, void *context);

/* No operation is pending. */
bool snapshot_files_are_idle(const struct snapshot_files *files);

#endif
