#ifndef HF_REPLAY_LOG_DATA_H
#define HF_REPLAY_LOG_DATA_H
/* A data directory, opened for reading only: nothing in it is created, locked, changed or removed,
 * so it may be looked at while a server runs on it.
 *
 * Every log is read twice. The survey finds where the log ends and counts; a reading then hands out
 * the records up to that end and never looks behind it. What a running server appends between the
 * two is not seen, so all that one command prints belongs to one state of the log. */

#include "log/manifest.h"
#include "log/reader.h"

#include <stdbool.h>
#include <stdint.h>

enum { DATA_PATH_BYTES = 4096, DATA_RECORD_TYPE_COUNT = 16 };

/* What the program returns to the shell. */
enum exit_code {
    EXIT_GOOD = 0,
    EXIT_USAGE = 1,
    EXIT_TORN = 2,
    EXIT_DAMAGED = 3,
    EXIT_IO = 4,
    EXIT_VERSION = 5,
};

/* The log of one core in one era. */
struct data_log {
    uint64_t era;
    uint32_t core;
    const struct log_closed_end *closed; /* NULL in the newest era */
    char path[DATA_PATH_BYTES + LOG_NAME_BYTES_MAX];
    struct log_segment *segments;
    uint32_t segment_count;
    int fd; /* of the segment read last, -1 = none */
    uint32_t fd_segment_index;

    /* what the survey found */
    struct log_end end;
    uint64_t file_bytes;    /* of all segment files, unused ones included */
    uint64_t first_time_ms; /* of records; 0 when there are none */
    uint64_t last_time_ms;
    uint64_t type_counts[DATA_RECORD_TYPE_COUNT];
};

struct data {
    char path[DATA_PATH_BYTES];
    struct log_manifest manifest;
    struct data_log *logs; /* eras in order, in each the cores in order */
    uint32_t log_count;
    uint8_t *buffer; /* LOG_GROUP_BYTES_MAX, for whichever log is being read */
};

/* Reads the manifest. On failure a line on stderr says what, where and what to do. */
enum exit_code data_open(const char *path, struct data **data_out);
void data_close(struct data **data);

/* One record, valid during the call. Returns NULL to go on, or why it is refused, which is damage.
 */
typedef const char *(*data_record_fn)(void *context, uint64_t lsn, const uint8_t *record);

/* Surveys one log; what is wrong with it is in its `end`. */
void data_survey(struct data *data, struct data_log *log);

/* Reads the surveyed log up to its end. `end_out->status` is the survey's unless that was good or
 * torn and now a record was refused or the file could no longer be read. */
void data_read(struct data *data, struct data_log *log, data_record_fn record, void *record_context,
               struct log_end *end_out);

/* The code for a log that ended so. */
enum exit_code data_exit_code(enum log_status status);

/* The file that `end` is about (DATA_PATH_BYTES + 2 * LOG_NAME_BYTES_MAX). */
enum { DATA_FILE_PATH_BYTES = DATA_PATH_BYTES + 2 * LOG_NAME_BYTES_MAX };
void data_end_path(const struct data_log *log, const struct log_end *end, char *to);

/* "FILE: offset N: torn tail: reason; what it means and what to do", on stderr. Nothing when good.
 */
void data_tell_end(const struct data_log *log, const struct log_end *end);

#endif
