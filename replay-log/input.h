#ifndef HF_REPLAY_LOG_INPUT_H
#define HF_REPLAY_LOG_INPUT_H
/* All that is done to the directory that is read: files are opened for reading, never waited for,
 * never changed, and nothing is locked. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Neither waits for the other end of a pipe nor follows a link: only a regular file is one of ours.
 * Descriptor or negative errno; -ENXIO for what is no regular file. */
int input_open(const char *path, uint64_t *file_bytes_out);
void input_close(int fd);

/* Reads exactly so many bytes. 0 or a negative errno; a file that ends early is -ENODATA. */
int input_read_at(int fd, uint64_t offset, void *buffer, size_t bytes);

/* Size of a regular file, without opening it; or a negative errno, as input_open(). */
int64_t input_look(const char *path);
bool input_is_folder(const char *path);

/* Calls `name` for everything in a folder, in any order. 0 or a negative errno. */
typedef void (*input_name_fn)(void *context, const char *name);
int input_list(const char *path, input_name_fn name, void *context);

#endif
