#ifndef HF_REPLAY_LOG_VERIFY_H
#define HF_REPLAY_LOG_VERIFY_H
/* Reads and checks all that is in a directory. */

#include "exit_code.h"
#include "summary.h"

/* What is wrong is told on stderr. The summary is there unless the directory cannot be opened; then
 * its `data` is NULL. verify_free() in any case. */
enum exit_code verify_directory(const char *path, struct summary *summary_out);
void verify_free(struct summary *summary);

#endif
