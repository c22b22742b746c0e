#ifndef HF_CORE_H
#define HF_CORE_H
/* The server: one loop per core, each with its own ring, connections, items and log. A turn of a
 * loop is the whole way of a request:
 *
 *     jobs from other cores → what is due → frames → decide, append, commit → write the group
 *                                                   → replies whose records are durable → send
 *
 * main.c makes the cores, gives each a thread, and lets them load, then open, then serve. Up to the
 * opening nothing is written that a failed start would have to take back: all logs are read and the
 * port is bound, and only then a new era is begun and the logs are opened for writing. */

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
    enum wal_durability durability;
    const char *version; /* static text, told in Hello */
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

/* Reads the logs of past eras. Before the cores load. */
enum server_status server_load_past_eras(struct server *server, char *message_out);

/* After all cores have loaded: the listening sockets. Port "0" lets the system choose. A client
 * that connects waits until the server is open. */
enum server_status server_bind(struct server *server, const char *host, const char *port,
                               uint16_t *port_out, char *message_out);

/* Bound, and all cores are open: clocks, filters, the first clients. */
void server_open(struct server *server);

struct core *server_core(struct server *server, uint32_t index);

/* Asks all cores to say good-bye, finish what they have begun, and stop. Once. */
void server_stop(struct server *server);

/* All cores are loaded, or all have stopped: no thread uses them. */
struct server_totals {
    uint64_t state_hash;
    uint64_t items;
    uint64_t reservations;
    uint64_t records_replayed;
};
struct server_totals server_totals(struct server *server);

/* No thread uses the cores. */
void server_destroy(struct server **server);

/* ---- a core's own thread ---- */

/* Reads the core's log of the newest era. First call of the thread. */
enum server_status core_load(struct core *core, char *message_out);

/* Opens that log for writing. The era is begun (data_directory_begin_era()). */
enum server_status core_open(struct core *core, char *message_out);

enum core_status {
    CORE_RUNNING,
    CORE_STOPPED,
    CORE_FAILED, /* a log write failed: end the process at once (design P3); core_failure() tells */
};

/* One turn. */
enum core_status core_turn(struct core *core);

const char *core_failure(const struct core *core);

#endif
