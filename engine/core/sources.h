#ifndef HF_CORE_SOURCES_H
#define HF_CORE_SOURCES_H
/* What a core has to read at a start, and what of it is its own. A source is the log of one core in
 * one era, read from its newest snapshot on or from its beginning. An era is among them when some
 * core of the era behind it has no snapshot; of the newest era it is this core's own log only.
 *
 *     era 1 core 0: snapshot, log; ours, without what core 1 had in era 2, whose snapshot has it
 *     era 1 core 1:           log; likewise
 *     era 2 core 0:           log; ours
 *     era 2 core 1: snapshot, log; ours
 *     era 3 core 2:           log; all of it, for it is our own
 *
 * A snapshot that turns out to be damaged is struck out, and then the sources are found anew: with
 * the one before it, or the log from its beginning. */

#include "core/core.h"
#include "stock/load.h"
#include "wal/log_files.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SOURCES_COUNT_MAX = LOG_MANIFEST_ERA_COUNT_MAX * LOG_CORE_COUNT_MAX,
    SOURCES_BAD_MAX = 64,
};
_Static_assert(LOG_CORE_COUNT_MAX <= 64, "the cores of an era are bits");

struct source {
    struct log_files *files;
    uint32_t era_index; /* in the manifest */
    uint32_t core;
    bool has_snapshot;
    struct log_snapshot_header header; /* of its snapshot */
    struct log_position start;         /* of its log: behind the snapshot, or where logs begin */
};

struct sources {
    const struct data_directory *directory;
    struct io *io;
    uint32_t core, core_count; /* for whom */
    char *message_out;

    struct source *list; /* in the order in which they are read; the last one is the core's own */
    uint32_t count;
    uint64_t bytes;                                      /* of what is to be read */
    uint64_t snapshot_cores[LOG_MANIFEST_ERA_COUNT_MAX]; /* by era: bits of those with a snapshot */
    struct {
        uint32_t era_index;
        uint32_t core;
        uint64_t lsn;
    } bads[SOURCES_BAD_MAX]; /* struck out */
    uint32_t bad_count;
    /* The first of them that could not be read, for another reason than damage. */
    enum server_status unread_status; /* SERVER_OK: all could */
    char unread_message[SERVER_MESSAGE_BYTES];
};

/* For this core of `core_count`. `directory`, `io` and `message_out` (SERVER_MESSAGE_BYTES: what
 * goes wrong is told there) are kept. False when memory is refused. */
bool sources_init(struct sources *sources, const struct data_directory *directory, struct io *io,
                  uint32_t core, uint32_t core_count, char *message_out);
void sources_deinit(struct sources *sources);

/* Finds them, from the newest era back; those found before are closed. Reads the headers of their
 * snapshots, and strikes out what is no header. */
enum server_status sources_find(struct sources *sources);

/* So far, of all that were found last. */
uint64_t sources_bytes_read(const struct sources *sources);

/* Strikes out the snapshot of a source that can't be used with this status, with a line in the log
 * that says why: `message_out` does. Fails when there are too many such. */
enum server_status sources_strike_out(struct sources *sources, const struct source *source,
                                      enum server_status status);

/* A failing machine is not called damage: the status for a start that was refused with this one,
 * and `message_out` says what goes with it. */
enum server_status sources_refusal(const struct sources *sources, enum server_status status);

/* Of the snapshot files of the core's own log, those that were not struck out. */
bool sources_is_good(const struct sources *sources, const struct source *source, uint64_t lsn);

/* Which items of a source the core takes. One that does not belong there at all is noted. */
struct source_items {
    const struct sources *sources;
    const struct source *source;
    bool *has_foreign;
};
struct stock_wanted source_items_wanted(const struct source_items *items);

/* The item belongs, in the era of the source, to another core than the one whose log it is. */
bool source_items_is_foreign(const struct source_items *items, uint64_t item_id);

enum server_status sources_status_of(enum data_directory_status status);

#endif
