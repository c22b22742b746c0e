#ifndef HF_TESTS_DATA_STORY_H
#define HF_TESTS_DATA_STORY_H
/* A small sale, the same each time: every type of record, items of every kind, two eras with two
 * and three cores. What becomes of the files is told in two ways. */

#include "data_builder.h"

enum {
    STORY_SEGMENT_BYTES = 4 * LOG_BLOCK_BYTES,
    STORY_FIRST_CORES = 2,
    STORY_SECOND_CORES = 3,
    STORY_ITEM_COUNT = 9,
};

/* Everything that was ever written is there. Era 1 is closed. In era 2 core 0 has two snapshots,
 * core 1 has one, core 2 none; and each of the three has a group behind the last one. */
void data_story_whole(struct data_builder *builder);

/* As after weeks: era 1 is removed; in era 2 each core has two snapshots, and the segments below
 * the older one are gone. */
void data_story_late(struct data_builder *builder);

#endif
