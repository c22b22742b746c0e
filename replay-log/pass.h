#ifndef HF_REPLAY_LOG_PASS_H
#define HF_REPLAY_LOG_PASS_H
/* One reading of a log, from a place on to its end, or until enough was read. Each group is read
 * and handed out once, and what is handed out is the log as it was at one moment: up to a group
 * behind which there was no other.
 *
 * A server that writes meanwhile can make a log look damaged: groups appear behind a place that was
 * empty a moment ago, a file is removed when a snapshot stands for it. Real trouble stays where it
 * is. So reading goes on once more from the last good group when there is some; when more groups
 * stand there now, the log is alive, and ends behind the last one of them. */

#include "data.h"

#include <stdbool.h>

struct pass {
    const struct log_position *start; /* NULL: where logs begin */
    log_group_fn group;
    void *context;
    const bool *is_enough; /* set by `group` when nothing more is wanted; NULL: everything is */
};

struct pass_end {
    struct log_end end;           /* counts are those of the whole pass */
    struct log_position position; /* behind the last group that was handed out, or `start` */
    bool is_stopped;              /* enough was read: then nothing is known of what is behind */
    bool is_refused;              /* a record was refused */
    bool is_live;                 /* the log grew while it was read */
    bool is_gone;                 /* a server removed what was to be read next: status LOG_IO */
};

void pass_run(struct data *data, struct data_log *log, const struct pass *pass,
              struct pass_end *end_out);

/* The code for a log that ended so. */
enum exit_code pass_exit_code(enum log_status status);

/* The file that `end` is about (DATA_FILE_PATH_BYTES), or the log's folder. */
void pass_end_path(const struct data_log *log, const struct log_end *end, char *to);

/* "FILE: offset N, LSN N and later: torn tail: reason; what it means and what to do", on stderr.
 * Nothing when good. */
void pass_tell_end(const struct data_log *log, const struct log_end *end);

#endif
