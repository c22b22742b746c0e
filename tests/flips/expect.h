#ifndef HF_TESTS_FLIPS_EXPECT_H
#define HF_TESTS_FLIPS_EXPECT_H
/* What docs/log-format.md says of a directory in which one byte is another one, or one file is cut:
 * from its table, and from where the builder has put things. None of the code of the reader or of
 * the tool is used. */

#include "files.h"

enum verdict {
    VERDICT_GOOD = 0,
    VERDICT_TORN = 2,
    VERDICT_DAMAGED = 3,
};

struct expectation {
    enum verdict verify;
    enum verdict server;  /* at its start: GOOD also when it does without something */
    uint64_t state_hash;  /* of what a server has after its start, if it starts */
    uint64_t lost_count;  /* records that `repair` cannot bring back ... */
    bool has_unknown_end; /* ... and nobody knows how many more, because nothing stands behind */
};

struct expectation expect_flip(const struct data_builder *builder, const struct flip_file *file,
                               uint64_t offset);
struct expectation expect_cut(const struct data_builder *builder, const struct flip_file *file,
                              uint64_t byte_count);

/* Without any of it. */
uint64_t expect_whole_hash(const struct data_builder *builder);

#endif
