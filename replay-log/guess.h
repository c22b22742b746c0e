#ifndef HF_REPLAY_LOG_GUESS_H
#define HF_REPLAY_LOG_GUESS_H

#include "data.h"

/* Makes a manifest of what the folders look like: eras and cores from their names, the server's id
 * from the headers of files. Where the logs of closed eras end is not known then. EXIT_DAMAGED,
 * with a line on stderr, when there is nothing to make one of. */
enum exit_code guess_manifest(struct data *data);

#endif
