#ifndef HF_REPLAY_LOG_NEW_DATA_H
#define HF_REPLAY_LOG_NEW_DATA_H
/* Makes a data directory that begins with a state: of a new server id, with the one era 2, in which
 * each core begins with a base snapshot of the items that it owns, and no segment. A server makes
 * its first segments when it starts on it. */

#include "exit_code.h"

#include "base/id.h"
#include "stock/stock.h"

#include <stdint.h>

struct new_data {
    const char *path;
    const char *input_path; /* in which nothing may be made */
    uint32_t core_count;
    /* set */
    struct id128 server_id;
    uint64_t bytes;
};

/* Writes it, reads all of it again, and compares the state's hash, before it gets its name. The
 * stock has been settled (walk_settle()); it is destroyed on the way. What fails is told. */
enum exit_code new_data_make(struct new_data *new_data, struct stock **stock);

#endif
