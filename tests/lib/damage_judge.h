#ifndef HF_TESTS_DAMAGE_JUDGE_H
#define HF_TESTS_DAMAGE_JUDGE_H
/* What a start has to say of a data directory, worked out from docs/log-format.md and not from the
 * engine: slow, simple, over files in memory. It knows nothing of what records mean, so it is for
 * directories that a server wrote and whose bytes were changed afterwards.
 *
 * Of a directory whose newest era has one core. */

#include <stdbool.h>
#include <stdint.h>

enum { JUDGE_FILES_MAX = 64, JUDGE_NAME_BYTES = 96 };

struct judge_file {
    char name[JUDGE_NAME_BYTES]; /* below the data directory: "era-000001/core-000/000000000001.log"
                                  */
    uint8_t *bytes;
    uint64_t size;
    bool is_gone;
};

struct judge_directory {
    struct judge_file files[JUDGE_FILES_MAX];
    uint32_t file_count;
};

enum judge_verdict { JUDGE_STARTS, JUDGE_DAMAGED, JUDGE_VERSION };

struct judgement {
    enum judge_verdict verdict;
    /* with DAMAGED and VERSION: what is told to be bad */
    char file[JUDGE_NAME_BYTES];
    bool has_offset; /* of a segment */
    uint64_t offset;
    /* with STARTS */
    uint64_t next_lsn;     /* of the newest era's log */
    bool is_torn;          /* a torn tail was cut off it */
    uint32_t struck_count; /* snapshots of which it is told that they can't be used */
    char struck[JUDGE_FILES_MAX][JUDGE_NAME_BYTES];
};

struct judgement judge(const struct judge_directory *directory);

#endif
