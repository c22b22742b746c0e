#ifndef HF_REPLAY_LOG_GROUP_H
#define HF_REPLAY_LOG_GROUP_H
/* One group, looked at by itself: for whoever reads a log from somewhere, and not from its start to
 * its end as log/reader.h does. */

#include "log/format.h"
#include "log/reader.h"

struct group_look {
    struct log_group_header header;
    uint64_t checksum; /* of the header: the next group's chain */
    uint32_t bytes;    /* on disk; 0 while the header is not good */
};

/* The uuid that stands in a segment's first block, be that damaged in other places. */
struct id128 group_segment_uuid(const uint8_t *block);

/* NULL when the header that stands here is good, or what is wrong (static text). */
const char *group_look_at_header(const uint8_t *from, uint64_t seed, struct group_look *look_out);

/* After that, when all of its bytes are here: NULL when the records are what was written. The
 * padding is not looked at. */
const char *group_look_at_records(const uint8_t *from, uint64_t seed,
                                  const struct group_look *look);

/* As log/reader.h hands it out. */
struct log_group group_of(const uint8_t *from, const struct group_look *look);

/* Where the group says that it stands: behind the place `at`, as the next one. */
bool group_is_next(const struct group_look *look, const struct log_position *at);

/* The place behind it, when it stands at this offset of the segment of `at`. */
void group_go_behind(const struct group_look *look, uint64_t offset, struct log_position *at);

#endif
