#ifndef HF_TESTS_DATA_BUILDER_H
#define HF_TESTS_DATA_BUILDER_H
/* Builds a whole data directory in memory, as servers would leave it on disk: eras, the logs of
 * their cores, snapshots, MANIFEST. Every record goes to the log of the core that owns its item and
 * into one state, which is the truth: what it was after each group of each log is kept.
 *
 *     data_builder_begin()
 *     data_builder_begin_era()           2 cores
 *     data_builder_record() ...          into the open group of the item's log
 *     data_builder_close_group(, core)
 *     data_builder_snapshot(, core)      behind the last group
 *     data_builder_begin_era()           3 cores; the logs of the one before are closed
 *     ...
 *     data_builder_save()
 *
 * Mistakes in its use are assertions. */

#include "log_builder.h"

#include "stock/stock.h"

#include "log/manifest.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DATA_BUILDER_ERA_COUNT_MAX = 4,
    DATA_BUILDER_CORE_COUNT_MAX = 4,
    DATA_BUILDER_GROUP_COUNT_MAX = 64,
    DATA_BUILDER_SNAPSHOT_COUNT_MAX = 4,
    DATA_BUILDER_ITEM_COUNT_MAX = 64,
    DATA_BUILDER_HOLD_COUNT_MAX = 4096,
};

struct data_builder_group {
    uint32_t segment_index;
    uint64_t offset;
    uint32_t bytes;         /* with padding */
    uint32_t payload_bytes; /* records */
    uint64_t first_lsn;
    uint64_t last_lsn;
    uint64_t part_hash; /* of the items that this core owns, behind the group */
};

struct data_builder_snapshot {
    uint64_t lsn;
    struct log_position position;
    uint8_t *bytes;
    uint64_t byte_count;
    uint64_t part_hash;
};

struct data_builder_log {
    struct log_builder log;
    uint64_t begin_hash; /* of the items that this core owns, when the era began */
    struct data_builder_group groups[DATA_BUILDER_GROUP_COUNT_MAX];
    uint32_t group_count;
    struct data_builder_snapshot snapshots[DATA_BUILDER_SNAPSHOT_COUNT_MAX];
    uint32_t snapshot_count;
    uint32_t removed_count; /* of the first segments: they are not saved */
};

struct data_builder_era {
    uint64_t number;
    uint32_t core_count;
    bool is_removed; /* neither saved nor in the manifest */
    struct data_builder_log logs[DATA_BUILDER_CORE_COUNT_MAX];
};

struct data_builder {
    struct id128 server_id;
    uint64_t segment_bytes;
    uint64_t time_ms; /* of the records that are made from now on, and of groups when they close */
    struct data_builder_era eras[DATA_BUILDER_ERA_COUNT_MAX];
    uint32_t era_count;
    struct stock *stock; /* the truth */
};

/* The builder is large: static. `segment_bytes` may be far below LOG_SEGMENT_BYTES_MIN. */
void data_builder_begin(struct data_builder *builder, uint64_t segment_bytes);
void data_builder_end(struct data_builder *builder);

void data_builder_begin_era(struct data_builder *builder, uint32_t core_count);

/* The newest era's log of this core. */
struct data_builder_log *data_builder_log(struct data_builder *builder, uint32_t core);

/* Which core of the newest era owns an item. */
uint32_t data_builder_owner(const struct data_builder *builder, uint64_t item_id);

/* Adds a record, which is legal in the state, with `builder->time_ms` as its time. */
void data_builder_record(struct data_builder *builder, struct stock_record record);

void data_builder_close_group(struct data_builder *builder, uint32_t core);
/* Closes the open group of each core that has one. */
void data_builder_close_groups(struct data_builder *builder);

/* Takes a snapshot of a core, which has no open group. */
void data_builder_snapshot(struct data_builder *builder, uint32_t core);

/* A file of zeros, made ahead of use. */
void data_builder_unused(struct data_builder *builder, uint32_t core);

/* The first `count` segments of the newest era's log are not needed any more. */
void data_builder_remove_segments(struct data_builder *builder, uint32_t core, uint32_t count);

/* The eras before the newest one are not needed any more. */
void data_builder_remove_eras(struct data_builder *builder);

/* The manifest as it is now. */
void data_builder_manifest(const struct data_builder *builder, struct log_manifest *manifest_out);

/* Makes the directory, which must not exist, with all that is not removed; and of the same kinds
 * files that mean nothing: "segment.new", "snapshot.new", "torn-1". */
void data_builder_save(const struct data_builder *builder, const char *path);

/* The hash of the items that a core of the newest era owns. */
uint64_t data_builder_part_hash(const struct data_builder *builder, uint32_t core);

#endif
