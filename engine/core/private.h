#ifndef HF_CORE_PRIVATE_H
#define HF_CORE_PRIVATE_H
/* What the files of this room share. A core is used by its own thread only. */

#include "base/checksum.h"
#include "base/clock.h"
#include "core/core.h"
#include "core/exchange.h"
#include "core/filter.h"
#include "core/job.h"
#include "core/load.h"
#include "core/saving.h"
#include "net/net.h"
#include "proto/message.h"
#include "stock/stock.h"
#include "wal/wal.h"

#include <assert.h>

struct core_counts {
    uint64_t frames;
    uint64_t rows;
    uint64_t rows_accepted; /* OK and DUPLICATE */
    uint64_t rows_refused;
    uint64_t rows_forwarded;
    uint64_t rows_filtered;
    uint64_t rows_filter_missed;
    uint64_t expiries;
    uint64_t expiry_late_ms_max;
    uint64_t entries_loaded; /* of snapshots */
    uint64_t records_replayed;
};

/* What the main thread tells a core. */
enum core_order { CORE_ORDER_OPEN, CORE_ORDER_SERVE, CORE_ORDER_STOP };

enum core_phase {
    CORE_PHASE_LOADING,
    CORE_PHASE_LOADED, /* until CORE_ORDER_OPEN */
    CORE_PHASE_OPENED, /* until CORE_ORDER_SERVE */
    CORE_PHASE_SERVING,
};

/* Columns of one reply, before they are encoded. */
struct reply_columns;

/* Frames of a single row, from whatever connections, that are run together: so their waits for
 * memory overlap as those of one frame's rows do. */
enum { GATHERED_MAX = 64 };
struct gathered {
    uint32_t count;
    struct job *jobs[GATHERED_MAX];
    struct stock_request rows[GATHERED_MAX]; /* side by side, for stock_prepare() */
};
static_assert(GATHERED_MAX <= STOCK_PREPARE_MAX, "all are prepared in one go");

struct core {
    uint32_t index;
    struct server *server;
    struct io *io;
    struct net *net;
    struct stock_options stock_options;
    struct stock *stock;
    struct wal *wal; /* NULL until the log is opened */
    struct engine_clock clock;
    uint64_t now_ms;    /* engine time of this turn */
    uint64_t opened_ms; /* engine time at which serving began */
    enum core_phase phase;
    struct load *load;           /* while loading */
    struct log_end loaded_end;   /* where the core's log of the newest era ends */
    uint64_t loaded_time_ms;     /* latest time found in what was read for this core */
    uint64_t loaded_hash;        /* of the state then */
    struct core_refusal refusal; /* with CORE_REFUSED */
    struct saving saving;        /* snapshots */
    struct filter filter;
    struct job_pool jobs;
    struct gathered gathered; /* empty but while frames are taken */
    struct job_list waiting;  /* jobs done, whose records are not durable yet */
    struct exchange_port port;
    struct message_arena arena;
    uint8_t *arena_memory;
    struct reply_columns *columns;
    struct core_counts counts;
    uint64_t due_lsn;           /* last record when what is due was last worked off */
    uint64_t work;              /* done since the start, counted in rows: what bounds a turn */
    uint32_t job_count_refused; /* jobs in use when a frame found too few; 0: none was refused */
    bool lacks_log_room;        /* the open group had no room for more */
    bool is_filter_behind;      /* jobs of other cores wait: new items may be among them */
    bool is_stopping;
    bool is_quiet_told;
    bool is_closed;                      /* nothing is recorded any more */
    uint32_t quiet_heard;                /* other cores that will send nothing more */
    uint8_t routes[FRAME_ROW_COUNT_MAX]; /* where the rows of the frame that is taken go */
};

/* What was taken of a core's memory ahead of its use. */
struct core_ahead {
    struct stock_ahead tables;
    uint64_t bytes;
};

struct server {
    struct server_options options;
    struct data_directory *directory;
    struct exchange exchange;
    struct io **ios;
    struct core *cores;
    struct core_ahead *aheads;
    struct queue *orders;   /* from the main thread to each core: addresses of enum core_order */
    uint64_t not_before_ms; /* set before CORE_ORDER_SERVE: no core's time is earlier */
    int *listen_fds;
    uint32_t listen_count;
};

/* ---- core.c ---- */

/* False while the disk has no room for this record: what it would have done is refused as
 * READ_ONLY. New holds, extended ones and new items are refused first; what ends a hold has the
 * rest of the room to itself. */
bool core_may_record(const struct core *core, const struct stock_record *record);

/* Appends and commits; the record's lsn is set. There is room (core_may_record()). */
void core_apply(struct core *core, struct stock_record *record);

/* The core has done its own part of the job. Goes on when `wait_lsn` is durable. */
void core_finish_part(struct core *core, struct job *job);

/* ---- rows.c: the hot requests ---- */

/* What became of a frame. */
enum frame_outcome {
    FRAME_TAKEN,
    FRAME_NO_ROOM, /* untouched: give it again when jobs have ended */
};

enum frame_outcome rows_take_frame(struct core *core, const struct net_frame *frame);

/* Runs the single rows that were taken and only gathered so far. Before anything else that reads or
 * changes the state, and before the turn goes on from taking frames. */
void rows_run_gathered(struct core *core);

/* Runs a part of a frame that came from another core. */
void rows_run_part(struct core *core, struct job *job);

/* A part has come back: its replies go to the parent. */
void rows_join_part(struct core *core, struct job *part);

/* All parts are done and durable. */
void rows_reply(struct core *core, struct job *job);

/* ---- control.c: the rare requests ---- */

enum frame_outcome control_take_frame(struct core *core, const struct net_frame *frame);
void control_run(struct core *core, struct job *job);
void control_reply(struct core *core, struct job *job);

/* Writes the reply's frame into the job, which is as large as the reply can get. */
void control_encode_reply(struct job *job, const ProtobufCMessage *message, uint32_t bytes_max);
enum { CONTROL_REPLY_BYTES_MAX = 1024 }; /* of a reply without a list or a piece of a file */

/* ---- session.c: Hello, Ping, errors ---- */

enum frame_outcome session_take_hello(struct core *core, const struct net_frame *frame);
void session_expect_hello(struct core *core, const struct net_frame *frame);
void session_take_ping(struct core *core, const struct net_frame *frame);
void session_adopt(struct core *core, const struct job *job);
void session_error(struct core *core, const struct net_frame *frame, int error_code,
                   const char *detail);
void session_go_away(void *context, struct net_connection_id connection);

static inline uint64_t item_hash(uint64_t item_id)
{
    return checksum64_u64(item_id, 0);
}

static inline uint32_t core_of_hash(const struct core *core, uint64_t hash)
{
    uint32_t core_count = core->server->options.core_count;
    return core_count == 1 ? 0 : (uint32_t)(hash % core_count);
}

#endif
