#ifndef HF_CORE_H
#define HF_CORE_H
/* The server: one loop per core, each with its own ring, connections, items and log. A turn of a
 * loop is the whole way of a request:
 *
 *     jobs from other cores → what is due → frames → decide, append, commit → write the group
 *                                                   → replies whose records are durable → send
 *
 * main.c makes the cores, binds the port, and gives each core a thread that turns it. A core loads,
 * opens its log and serves; it goes from one to the next when all cores have come so far and the
 * main thread says so. Until it serves, it answers LOADING. Nothing is written that a failed start
 * would have to take back before all logs are read. */

#include "io/io.h"
#include "wal/data_directory.h"
#include "wal/wal.h"

#include <stdbool.h>
#include <stdint.h>

struct core;
struct server;

struct server_options {
    uint32_t core_count;
    uint32_t item_count_max;        /* no core holds more; the filter is made for as many in all */
    uint32_t reservation_count_max; /* no core holds more */
    uint32_t buyer_count_max;       /* no core holds more */
    uint32_t connection_count_max;  /* per core */
    uint32_t batch_rows_max;        /* of one frame, 1 .. FRAME_ROW_COUNT_MAX; told in Hello */
    uint64_t retention_ms;
    uint64_t segment_bytes;
    uint64_t snapshot_log_bytes; /* a snapshot after so much of log, per core; 0 = not for that */
    uint64_t
        snapshot_every_ms; /* a snapshot after so long, if anything changed; 0 = not for that */
    uint64_t touch_ahead_bytes; /* of each core's tables, for server_touch_step() */
    enum wal_durability durability;
    const char *archive_path; /* where segments go before they are removed; NULL = nowhere */
    const char *version;      /* static text, told in Hello */
};

/* What went wrong, for the exit code. */
enum server_status {
    SERVER_OK = 0,
    SERVER_NO_IO_URING,
    SERVER_DAMAGED,
    SERVER_IO_ERROR,
    SERVER_VERSION,
    SERVER_NO_MEMORY,
    SERVER_TOO_SMALL, /* the log holds more than the sizes given allow */
    SERVER_CANNOT_LISTEN,
    SERVER_PERMISSION, /* a file may not be read or written */
};

enum { SERVER_MESSAGE_BYTES = 512 };

/* ---- the main thread ---- */

/* Makes the cores with their rings and tables. `directory` and the texts of the options are kept
 * until server_destroy(). On failure NULL, with `status_out` and one line in `message_out`. */
struct server *server_create(const struct server_options *options, struct data_directory *directory,
                             enum server_status *status_out, char *message_out);

/* The listening sockets. Port "0" lets the system choose. Before the cores start. */
enum server_status server_bind(struct server *server, const char *host, const char *port,
                               uint16_t *port_out, char *message_out);

/* All cores are loaded (CORE_LOADED). True when a later start may need the eras before the newest
 * one: some core has not two snapshots in it that can be used. */
bool server_needs_past(const struct server *server);

/* All cores are loaded and the era is begun (data_directory_begin_era()): they open
 * their logs. */
void server_open_logs(struct server *server);

/* All cores have opened their logs (CORE_OPENED): they serve. */
void server_serve(struct server *server);

struct core *server_core(struct server *server, uint32_t index);

/* All cores serve: takes the next piece of each one's tables from the system before it is used,
 * behind what was in use when they began to serve. A core has had its part with the piece, of a few
 * MiB, that makes it `touch_ahead_bytes` or more. Returns how many bytes were taken, 0 when nothing
 * is left to take. Slow: for one thread that gives way to the cores', beside which it may run. */
uint64_t server_touch_step(struct server *server);

/* Asks all cores to say good-bye, finish what they have begun, and stop. Once. */
void server_stop(struct server *server);

/* All cores have opened their logs and do not serve yet. */
struct server_totals {
    uint64_t state_hash;
    uint64_t items;
    uint64_t reservations;
    uint64_t entries_loaded; /* of snapshots */
    uint64_t records_replayed;
};
struct server_totals server_totals(struct server *server);

/* All cores have stopped: no thread uses them. */
uint64_t server_hash(struct server *server);

/* No thread uses the cores. */
void server_destroy(struct server **server);

/* ---- a core's own thread ---- */

/* The first call of the thread. */
void core_start(struct core *core);

enum core_status {
    CORE_RUNNING,
    CORE_LOADED, /* with this turn */
    CORE_OPENED, /* with this turn */
    CORE_SERVES, /* from this turn on */
    /* The last turn. */
    CORE_REFUSED, /* cannot load or open: core_refusal() tells why */
    CORE_STOPPED,
    CORE_FAILED, /* a log write failed: end the process at once (design P3); core_failure() tells */
};

/* One turn. */
enum core_status core_turn(struct core *core);

const char *core_failure(const struct core *core);

struct core_refusal {
    enum server_status status;
    char message[SERVER_MESSAGE_BYTES];
};
const struct core_refusal *core_refusal(const struct core *core);

#endif
