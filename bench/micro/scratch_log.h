#ifndef HF_BENCH_MICRO_SCRATCH_LOG_H
#define HF_BENCH_MICRO_SCRATCH_LOG_H
/* The log writer of one core by itself, durability sync, in a directory that is made for it and
 * removed again. What can't be done ends the program with exit code 2 and a line that says why. */

#include "io/io.h"
#include "wal/data_directory.h"
#include "wal/wal.h"

#include <limits.h>

struct scratch_log {
    struct io *io;
    struct wal *wal;
    struct data_directory directory;
    char folder[PATH_MAX]; /* the data directory is in it */
};

/* Makes it below this directory, on the file system that is to be measured. The caller keeps `log`
 * where it is. */
void scratch_log_open(struct scratch_log *log, const char *below);

/* Starts writing the open group, if there is one and the disk is free, and waits until something
 * has completed. */
void scratch_log_turn(struct scratch_log *log);

/* Turns until all that was appended is durable. */
void scratch_log_drain(struct scratch_log *log);

void scratch_log_close(struct scratch_log *log);

#endif
