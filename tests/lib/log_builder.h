#ifndef HF_TESTS_LOG_BUILDER_H
#define HF_TESTS_LOG_BUILDER_H
/* Builds the log of one core in memory, as the writer would leave it on disk, for tests of whatever
 * reads logs. Its segments are plain memory: a test may spoil them as it likes and hand them to
 * log_read() through log_builder_source(), or write them to files with log_builder_save().
 *
 * Mistakes in its use are assertions. Grows as needed; everything is freed by destroy. */

#include "log/reader.h"

#include <stdint.h>

enum { LOG_BUILDER_SEGMENT_COUNT_MAX = 16 };

struct log_builder {
    struct id128 server_id;
    uint64_t era;
    uint32_t core;
    uint64_t segment_bytes; /* may be far below LOG_SEGMENT_BYTES_MIN */
    /* of the groups to come; may be changed at any time */
    uint64_t epoch;
    uint64_t time_ms;

    uint8_t *bytes[LOG_BUILDER_SEGMENT_COUNT_MAX];
    struct log_segment segments[LOG_BUILDER_SEGMENT_COUNT_MAX]; /* names are the file names */
    uint32_t segment_count;                                     /* files, unused ones included */
    uint32_t used_count;                                        /* with a header */

    /* where the next group goes and what it says */
    uint64_t offset; /* in segment used_count - 1 */
    uint64_t next_lsn;
    uint64_t next_group_number;
    uint64_t chain;
    uint64_t last_epoch; /* of the last group; 0 when there is none */
    uint64_t last_time_ms;
    uint8_t *payload; /* of the open group */
    uint32_t payload_bytes;
    uint32_t record_count;
};

/* An empty log of core 0 in era 1 of server 0x11...: epoch 1, time 1700000000000. */
void log_builder_init(struct log_builder *builder, uint64_t segment_bytes);
void log_builder_deinit(struct log_builder *builder);

/* Adds a record to the open group. Its first two bytes hold its length. */
void log_builder_record(struct log_builder *builder, const void *record, uint32_t record_bytes);

/* Adds a record of `record_bytes` whose content is made from its LSN, for tests that do not care
 * what records mean. log_builder_plain_record() writes the same bytes. */
void log_builder_add_plain(struct log_builder *builder, uint32_t record_bytes);
void log_builder_plain_record(uint64_t lsn, uint32_t record_bytes, uint8_t *to);

/* Closes the open group, which has records, and puts it behind the last one; a new segment is taken
 * into use when there is none or when the group does not fit. */
void log_builder_close_group(struct log_builder *builder);

/* Takes the next segment into use: writes its header. */
void log_builder_next_segment(struct log_builder *builder);

/* Adds a file of zeros, as the writer makes them ahead of use. */
void log_builder_add_unused(struct log_builder *builder);

/* Where the log ends now, as a snapshot or a writer names it. */
struct log_position log_builder_position(const struct log_builder *builder);

/* Where the log ends now, as MANIFEST names it when the era is closed. */
struct log_closed_end log_builder_end(const struct log_builder *builder);

/* A source over the builder's memory, which must stay where it is while it is read. */
struct log_source log_builder_source(struct log_builder *builder);

/* Writes all segments into this folder, which exists, under their names. */
void log_builder_save(const struct log_builder *builder, const char *directory);

#endif
