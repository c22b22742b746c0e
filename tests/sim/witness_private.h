#ifndef HF_SIM_WITNESS_PRIVATE_H
#define HF_SIM_WITNESS_PRIVATE_H
/* What the witness knows of the disk, shared by
 *
 *     witness.c            the logs: groups and segments, MANIFEST
 *     witness_snapshots.c  the snapshots, and what they allow to be gone
 */

#include "witness.h"

#include "disk.h"
#include "history_private.h"

#include "log/format.h"
#include "log/manifest.h"

enum { WITNESS_PATH_BYTES = 512, WITNESS_SPOILT_MAX = 4 };

struct group {
    uint64_t segment_number;
    uint64_t offset;
    uint64_t header_checksum;
    uint64_t first_lsn;
    uint64_t epoch;
    uint64_t time_ms;
    uint32_t payload_bytes;
    uint32_t record_count;
};

/* One that had its name once. */
struct snapshot {
    uint64_t lsn;
    struct log_position position;
    uint64_t taken_ms; /* as it says */
    struct history_snapshot content;
    uint64_t *block_hashes; /* of its file, each of LOG_BLOCK_BYTES */
    bool is_there;
    bool is_safe;   /* it and its name are on the medium */
    bool was_safe;  /* they were once */
    bool is_spoilt; /* somebody turned bits around in it */
    /* It took the place of another one of its LSN, which a loss of power can bring back. */
    bool replaces;
    bool replaces_spoilt;
};

struct log {
    uint64_t era;
    uint32_t core;
    struct group *groups;
    uint32_t group_count, group_room;
    uint64_t next_lsn;
    uint64_t last_time_ms; /* of the last group */
    /* the segment looked at last */
    uint64_t segment_number; /* 0: none */
    struct log_segment_header segment;

    struct snapshot *snapshots; /* in order of their LSN */
    uint32_t snapshot_count, snapshot_room;
    uint64_t needed_from;      /* segments before it may be gone: a restart begins behind them */
    uint64_t gone_until;       /* and those before this one are; 0: none */
    uint32_t piece_asks;       /* pieces of snapshots that were asked for */
    uint64_t pinned_lsn;       /* the one that a piece was read of last ... */
    uint64_t pinned_until_ns;  /* ... stays until then; 0: none does */
    uint32_t trouble_at_event; /* the last event at which a snapshot found no room */

    /* room for the next segment */
    bool lacks_room;          /* its making has found none, and none was made since */
    bool was_low;             /* and less than half of the one in use was left */
    uint32_t low_groups;      /* that were begun since then */
    bool is_named;            /* it was made now, and its name is not on the medium yet */
    uint64_t made_number;     /* of the one that was made last */
    uint64_t lacked_until_ns; /* what was asked until then may have met with it */
    uint64_t low_until_ns;
    uint32_t full_call;        /* was told that nothing is left; BOOK_NONE: nobody was */
    uint64_t full_at_ns;       /* then */
    uint32_t full_groups_left; /* so many groups may still come before the segment is full */
};

struct witness {
    struct log *logs;
    uint32_t log_count, log_room;
    struct log_manifest manifest; /* the newest that was read or written */
    uint64_t first_era_safe;      /* eras before it are forgotten on the medium; 0: none */
    uint64_t last_time_ms;        /* of all groups */
    char spoilt[WITNESS_SPOILT_MAX][WITNESS_PATH_BYTES]; /* segments */
    uint32_t spoilt_count;
    bool is_manifest_spoilt;
    uint8_t group[LOG_GROUP_BYTES_MAX];
};

extern struct witness witness;

/* ---- names ---- */

enum witness_file {
    WITNESS_OTHER,
    WITNESS_MANIFEST,
    WITNESS_SEGMENT,     /* number */
    WITNESS_NEW_SEGMENT, /* "segment.new" */
    WITNESS_SNAPSHOT,    /* number: its LSN */
    WITNESS_CORE_FOLDER,
    WITNESS_DIRECTORY, /* the data directory itself */
};

struct witness_name {
    enum witness_file file;
    uint64_t era;
    uint32_t core;
    uint64_t number;
};

/* What a path below the data directory is. */
struct witness_name witness_name_of(const char *path);

/* "DIRECTORY/era-000001/core-000", and a file in it. */
void witness_folder_path(const struct log *log, char *to);
void witness_file_path(const struct log *log, const char *name, char *to);

/* ---- witness.c ---- */

/* The log of this core in this era; a new one when nothing was heard of it yet. */
struct log *witness_log(uint64_t era, uint32_t core);

/* Cores of an era that MANIFEST names, or 0. */
uint32_t witness_core_count_of(uint64_t era);

/* The group that ends with this LSN, or NULL. */
const struct group *witness_group_ending_at(const struct log *log, uint64_t lsn);

/* Somebody turned bits around in this segment. */
bool witness_is_spoilt(const struct log *log, uint64_t segment_number);

/* Reads the header of a segment. False when there is none, or none that is good. */
bool witness_read_segment_header(const struct log *log, uint64_t segment_number,
                                 struct log_segment_header *header_out);

/* ---- witness_snapshots.c ---- */

/* The file at `path` has the name of a snapshot. */
void witness_snapshot_is_named(struct log *log, uint64_t lsn, const char *path);
/* It is about to be removed. */
void witness_snapshot_goes(struct log *log, uint64_t lsn);
/* The names in the log's folder are on the medium. */
void witness_snapshots_are_safe(struct log *log);

/* A segment loses its name; its content is at `path`, and was written by the engine. */
void witness_segment_goes(struct log *log, uint64_t number, const char *path);

/* MANIFEST has forgotten all eras before the first that it names now. */
void witness_eras_go(void);

/* After a crash: each snapshot that has a name is what it was, or it is looked at as a new one. */
void witness_snapshots_look_again(struct log *log);

void witness_snapshot_is_spoilt(struct log *log, uint64_t lsn, bool is_spoilt);

void witness_snapshots_free(struct log *log);

#endif
