#ifndef HF_CLI_PROGRESS_H
#define HF_CLI_PROGRESS_H
/* How far something is that takes a while, in one line on stderr that is written again and again:
 *
 *     [==========>                   ] 123 of 345 MiB, 210 MiB/s, 2 of 4 cores
 *
 * Only on a terminal. */

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_shown; /* on a terminal */
    uint64_t began_ms;
    uint32_t core_count;
    int length; /* of the line that stands there */
};

/* Begins the line with a text. */
void progress_begin(struct progress *progress, const char *text);

/* From now on bytes of so many cores are counted. */
void progress_count(struct progress *progress, uint32_t core_count);
void progress_show(struct progress *progress, uint64_t bytes_done, uint64_t bytes,
                   uint32_t cores_done);

/* Clears the line. */
void progress_end(struct progress *progress);

/* Of a clock that only goes forward. */
uint64_t progress_now_ms(void);

#endif
