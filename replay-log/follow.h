#ifndef HF_REPLAY_LOG_FOLLOW_H
#define HF_REPLAY_LOG_FOLLOW_H
/* Goes on behind the end of a log, with what a running server writes. Only whole groups that verify
 * and follow are handed out. */

#include "data.h"

struct follow {
    const struct data *data;
    const struct data_log *log;
    struct log_position at;
    int fd; /* of the segment that `at` stands in; -1 = not open */
    struct log_segment_header segment;
    uint8_t *buffer; /* LOG_GROUP_BYTES_MAX, shared */
};

enum follow_found {
    FOLLOW_NOTHING, /* yet */
    FOLLOW_GROUP,
    FOLLOW_GONE, /* a server has removed what was to be read next */
};

void follow_begin(struct follow *follow, const struct data *data, const struct data_log *log,
                  const struct log_position *at, uint8_t *buffer);
void follow_end(struct follow *follow);

/* The next group, if it is there; its records stand in the buffer. */
enum follow_found follow_next(struct follow *follow, struct log_group *group_out);

#endif
