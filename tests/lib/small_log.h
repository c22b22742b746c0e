#ifndef HF_TESTS_SMALL_LOG_H
#define HF_TESTS_SMALL_LOG_H
/* The log of a wal_fixture.h in segments of three groups, so that few records make many of them,
 * and snapshots of it. On real files or on the fake disk. */

#include "snapshot_fixture.h"

enum {
    SMALL_GROUPS_PER_SEGMENT = 3,
    SMALL_SEGMENT_BYTES = (1 + SMALL_GROUPS_PER_SEGMENT) * LOG_BLOCK_BYTES,
    SMALL_ENTRIES = 40,
};

static inline void small_log_init(struct fixture *fixture, struct io *io, const char *path)
{
    fixture_init(fixture, io, path);
    fixture->options.segment_bytes = SMALL_SEGMENT_BYTES;
    fixture->options.group_bytes_max = LOG_BLOCK_BYTES;
}

/* So many groups of one record each; the segments that come behind are made. Ends early when the
 * writer fails or finds no room. */
static inline void small_log_write_groups(struct fixture *fixture, uint32_t count)
{
    for (uint32_t i = 0; i < count && wal_failure(fixture->wal) == NULL; i++) {
        for (int turn = 0; wal_room(fixture->wal) == 0 && turn < 1000; turn++)
            fixture_turn(fixture, 1000000);
        if (wal_room(fixture->wal) == 0 || wal_failure(fixture->wal) != NULL)
            return;
        fixture_append(fixture, 64);
        fixture_flush(fixture);
    }
}

/* So many segments full of groups. */
static inline void small_log_write_segments(struct fixture *fixture, uint32_t count)
{
    small_log_write_groups(fixture, count * SMALL_GROUPS_PER_SEGMENT);
}

/* The segment that the last group is in. */
static inline uint64_t small_log_segment(const struct fixture *fixture)
{
    return wal_position(fixture->wal).segment_number;
}

/* What the core does when it is there: the log before the one before it is let go. Returns the
 * segment in which it stands. */
static inline uint64_t small_log_take_snapshot(struct fixture *fixture)
{
    struct snapshot_taking taking;
    uint64_t segment = small_log_segment(fixture);
    snapshot_fixture_open(fixture, &taking, SNAPSHOT_PAGE_BYTES);
    cr_assert(snapshot_fixture_take(fixture, &taking, SMALL_ENTRIES), "%s",
              snapshot_failure(taking.snapshot));
    snapshot_close(&taking.snapshot);
    return segment;
}

#endif
