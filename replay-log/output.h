#ifndef HF_REPLAY_LOG_OUTPUT_H
#define HF_REPLAY_LOG_OUTPUT_H
/* What is written appears under its name whole and on disk, or not at all: it is made beside it,
 * under the name with ".partial" behind it, synced and renamed. Nothing that is there is replaced,
 * and nothing is made in the directory that is read. What fails is told on stderr.
 *
 * While something is made, signals that end the program (SIGINT, SIGTERM, SIGHUP) wait until
 * output_heed_signals(), which takes away what is half made. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OUTPUT_PATH_BYTES = 4096 + 64 };

/* Whether this may be made, asked before a long work. False, with a line, when it is there already,
 * or inside the directory that is read. */
bool output_may_be_made(const char *path, const char *input_path);

/* To be called every now and then by what may work for long. Does not return when there was a
 * signal. */
void output_heed_signals(void);

/* ---- a file ---- */

struct output_file {
    FILE *file; /* written to as it likes; NULL: none */
    char path[OUTPUT_PATH_BYTES];
    char partial[OUTPUT_PATH_BYTES];
};

/* False when it cannot be made. */
bool output_file_begin(struct output_file *output, const char *path, const char *input_path);
/* False when any write has failed: then it is gone, as after output_file_abandon(). */
bool output_file_finish(struct output_file *output);
void output_file_abandon(struct output_file *output);

/* ---- a folder ---- */

struct output_folder {
    char path[OUTPUT_PATH_BYTES];
    char partial[OUTPUT_PATH_BYTES]; /* where it is while it is made; empty: none */
};

/* False when it cannot be made. */
bool output_folder_begin(struct output_folder *output, const char *path, const char *input_path);
/* All in it was written and synced by the functions below. On false it is gone. */
bool output_folder_finish(struct output_folder *output);
void output_folder_abandon(struct output_folder *output);

/* Makes a folder below another one; its name is on disk when the one above was synced. */
bool output_make_folder(const char *path);
bool output_sync_folder(const char *path);

/* A new file below such a folder: descriptor, or -1. */
int output_create(const char *path);
bool output_write(int fd, const char *path, const void *bytes, size_t count);
/* Syncs and closes. */
bool output_close(int fd, const char *path);

/* ---- between ---- */

/* A file without a name, beside `path`, for what is too much to keep in memory. NULL when it cannot
 * be made. */
FILE *output_temporary(const char *path);

#endif
