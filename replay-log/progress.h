#ifndef HF_REPLAY_LOG_PROGRESS_H
#define HF_REPLAY_LOG_PROGRESS_H
/* The line that shows how far a command has come, rewritten in place on stderr; nothing when that
 * is no terminal. There is one stderr, so there is one such line. */

#include <stdint.h>

/* `what` is a word such as "reading", static. `bytes` are expected in all. */
void progress_begin(const char *what, uint64_t bytes);

/* So much was done. Nothing is shown before progress_begin(). Heeds signals (output.h). */
void progress_add(uint64_t bytes);

/* Takes the line away, before anything else is printed; it comes again when it is time to. */
void progress_clear(void);

/* Takes it away for good. */
void progress_end(void);

#endif
