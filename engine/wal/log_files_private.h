#ifndef HF_WAL_LOG_FILES_PRIVATE_H
#define HF_WAL_LOG_FILES_PRIVATE_H
/* What log_files.c and healing.c share. */

#include "wal/log_files.h"

struct segment_file {
    uint64_t number;
    uint64_t bytes;
    char name[LOG_NAME_BYTES_MAX];
};

struct log_files {
    const struct data_directory *directory;
    struct io *io;
    char core_path[DATA_DIRECTORY_PATH_BYTES];
    uint64_t era;
    uint32_t core;
    const struct log_closed_end *closed; /* a newer era was begun: nobody writes here any more */
    bool is_era_pending;                 /* not begun: its folders may be missing */
    char *message_out;

    struct segment_file *segments; /* in order of their numbers */
    uint32_t segment_count, segment_room;
    uint64_t *snapshot_lsns; /* in order */
    uint32_t snapshot_count, snapshot_room;
    bool is_out_of_memory;

    uint64_t bytes_read;    /* so far, of all files */
    uint8_t *buffer;        /* LOG_GROUP_BYTES_MAX: a group, or a block of a snapshot */
    struct io_ahead *ahead; /* NULL: not needed so far, or refused */
    bool is_ahead_refused;
    int fd; /* of the segment that was read last, or of the snapshot; -1: none */
    uint32_t fd_index;

    /* a snapshot being read */
    char snapshot_path[DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX];
    struct log_snapshot_reader snapshot_reader;
    uint64_t snapshot_bytes;
    uint64_t window_offset, window_end; /* of the file, what the buffer holds */

    /* the log being read */
    struct log_position start;
    struct log_segment *log_segments;
    struct log_reader reader;
    struct log_end end;
};

/* The status and message for a system call that failed on this file of the folder. */
enum data_directory_status log_files_fail(struct log_files *files, const char *name,
                                          const char *action, int error);

/* Opens a file of the folder. */
int log_files_open_file(struct log_files *files, const char *name, uint32_t flags);

/* Closes the one that was read last, if there is one, and forgets what was read ahead of it. */
void log_files_close_file(struct log_files *files);

/* Reads exactly so many bytes of a segment, around the page cache where it can be done. */
int log_files_read_segment(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                           uint32_t bytes);

#endif
