#ifndef HF_FUZZ_LOG_JUDGE_H
#define HF_FUZZ_LOG_JUDGE_H
/* What docs/log-format.md says of the log in a script: the whole of it in memory, byte by byte,
 * with none of the code of the reader or of the format. */

#include "log_script.h"

struct judgement {
    enum log_status status; /* never LOG_IO */
    uint32_t segment_index;
    uint64_t offset;
    uint64_t segment_number; /* of the last one in use */
    uint64_t next_lsn;
    uint64_t group_count;
    uint64_t record_count;
    uint64_t records_hash; /* judge_mix() of each record, in order, from 0 */
};

void log_judge(struct log_script *script, struct judgement *judgement_out);

uint64_t judge_mix(uint64_t hash, const uint8_t *record, uint32_t record_bytes);

#endif
