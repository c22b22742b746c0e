#ifndef HF_WAL_SNAPSHOT_H
#define HF_WAL_SNAPSHOT_H
/* Writes the snapshots of one core: takes the entries of the state in blocks, writes them beside
 * the core's turns, reads all of it back, and only then gives the file its name. log/snapshot.h has
 * the format; what the entries say is not known here. One thread: the core's.
 *
 *     snapshot_begin()            makes "snapshot.new"
 *     snapshot_page()             where entries are written next; snapshot_pass() hands them over
 *     snapshot_finish()           the last entries were handed over
 *     ... SNAPSHOT_DONE           it has its name, on disk: a restart may begin with it
 *
 * There are two pages: one is being filled, the other is on its way to the disk. Whoever fills them
 * waits when both are full; that bounds the memory of a snapshot, whatever the size of the state.
 *
 * Any failure ends the snapshot and not the server: the log has all that the snapshot was to have,
 * and is kept until one succeeds. Only when a name cannot be brought to the disk the log's names
 * are in doubt as well: then snapshot_is_fatal() says so (design P3). */

#include "io/io.h"
#include "log/snapshot.h"
#include "wal/data_directory.h"

#include <stdbool.h>
#include <stdint.h>

struct snapshot;

enum snapshot_state {
    SNAPSHOT_NONE,      /* none was begun, or the last one's end was taken note of */
    SNAPSHOT_FILLING,   /* pages are wanted */
    SNAPSHOT_FINISHING, /* is written, read back, named */
    SNAPSHOT_DONE,
    SNAPSHOT_FAILED, /* snapshot_failure() tells why */
};

struct snapshot_options {
    uint32_t core;
    /* Room for entries in a page, up to LOG_SNAPSHOT_PAYLOAD_BYTES_MAX. */
    uint32_t page_bytes;
};

/* For the core's log in the newest era, which is begun. Blocking. Removes what an unfinished
 * snapshot has left. `directory` is kept until snapshot_close(). On failure NULL, and `message_out`
 * (512 bytes) tells why. */
struct snapshot *snapshot_open(struct io *io, const struct data_directory *directory,
                               const struct snapshot_options *options, char *message_out);

/* No operation is pending: the state is none of FILLING and FINISHING, or the process ends. */
void snapshot_close(struct snapshot **snapshot);

/* Begins a snapshot: the state is SNAPSHOT_NONE. Server, era, core and uuid of the header are
 * filled in; the position says where the log goes on. */
void snapshot_begin(struct snapshot *snapshot, const struct log_snapshot_header *header);

enum snapshot_state snapshot_state(const struct snapshot *snapshot);

/* Where entries are written, of page_bytes from the first on; the same place until it is passed.
 * While filling. */
uint8_t *snapshot_page(struct snapshot *snapshot);

/* The other page is free: this one may be passed on. */
bool snapshot_may_pass(const struct snapshot *snapshot);

/* Hands the page over, with so many bytes of so many entries in it, at least one; the next
 * snapshot_page() is another place. */
void snapshot_pass(struct snapshot *snapshot, uint32_t bytes, uint32_t entry_count);

/* Everything was passed on. Of the footer the counts and the hash of the state are taken. */
void snapshot_finish(struct snapshot *snapshot, const struct log_snapshot_footer *footer);

/* Takes note of the end: SNAPSHOT_NONE again. After DONE and FAILED. */
void snapshot_settle(struct snapshot *snapshot);

/* What of, in one line, after SNAPSHOT_FAILED. */
const char *snapshot_failure(const struct snapshot *snapshot);
bool snapshot_is_fatal(const struct snapshot *snapshot);

/* Of the file, after SNAPSHOT_DONE. */
uint64_t snapshot_bytes(const struct snapshot *snapshot);

#endif
