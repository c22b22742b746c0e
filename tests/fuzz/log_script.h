#ifndef HF_FUZZ_LOG_SCRIPT_H
#define HF_FUZZ_LOG_SCRIPT_H
/* A log of a few small segments in memory, written and spoiled as a tape says. What is written is
 * whole by itself: all numbers go on from what stands before, and all checksums are right, but for
 * the fields that the tape names, and those are lies with right checksums. Then any byte may be
 * changed, blocks moved, files cut; and checksums repaired around the changes, which no fuzzer
 * could. So whatever bytes there are, some tape makes them. Reading may start at a place that the
 * tape has noted while it wrote, with the first files removed or not, and may have to end where the
 * writing did; about both the tape may lie as well. */

#include "fuzz.h"

#include "log/manifest.h"
#include "log/reader.h"

enum { SCRIPT_FILE_COUNT_MAX = 4, SCRIPT_BLOCK_COUNT_MAX = 6, SCRIPT_NUMBER_MAX = 8 };

struct log_script {
    uint8_t bytes[SCRIPT_FILE_COUNT_MAX][SCRIPT_BLOCK_COUNT_MAX * LOG_BLOCK_BYTES];
    struct log_segment segments[SCRIPT_FILE_COUNT_MAX];
    char names[SCRIPT_FILE_COUNT_MAX][LOG_NAME_BYTES_MAX];
    uint32_t file_count;
    uint32_t removed_count; /* of the first files */
    bool is_closed;
    struct log_closed_end closed; /* where the log ends that was written; or a lie */
    bool is_closed_lie;
    bool has_start;
    struct log_position start;
    bool is_spoiled;       /* anything but whole segments and groups was written, or a lie told */
    uint64_t record_count; /* written, if it is not spoiled */
    uint64_t group_count;
    /* what the reader's callbacks do */
    uint64_t refused_lsn;  /* 0 = none */
    uint32_t failing_read; /* the n-th read fails; 0 = none */
    uint32_t read_count;
    /* where the next group goes and what it says */
    uint32_t used_count;
    uint64_t offset;
    uint64_t next_lsn;
    uint64_t next_group_number;
    uint64_t chain;
    uint64_t epoch;
    uint64_t time_ms;
    uint64_t last_epoch; /* of the last group */
    uint64_t last_time_ms;
};

/* Plays the whole tape. */
void log_script_play(struct log_script *script, struct fuzz_tape *tape);

/* What the segments of the script say they are, and its bytes. File 0 of the source is the first
 * that was not removed. */
struct log_source log_script_source(struct log_script *script);

#endif
