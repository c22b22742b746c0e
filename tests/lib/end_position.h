#ifndef HF_TESTS_END_POSITION_H
#define HF_TESTS_END_POSITION_H
/* Where a reading of a log has ended, as the place at which another one starts. */

#include "base/assert.h"
#include "log/reader.h"

/* Of a good log, or a torn one that was cleared. */
static inline struct log_position end_position(const struct log_end *end)
{
    hf_assert(end->status == LOG_GOOD || end->status == LOG_TORN_TAIL);
    return (struct log_position){
        .segment_number = end->segment.segment_number,
        .offset = end->offset,
        .next_lsn = end->next_lsn,
        .next_group_number = end->next_group_number,
        .chain = end->chain,
        .epoch = end->epoch,
        .time_ms = end->time_ms,
    };
}

#endif
