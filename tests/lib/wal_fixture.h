#ifndef HF_TESTS_WAL_FIXTURE_H
#define HF_TESTS_WAL_FIXTURE_H
/* A data directory of one core with its writer, over whichever io the program is linked with. Every
 * record holds its own LSN, so that a reader can tell whether it is where it belongs. */

#include "read_whole_log.h"
#include "wal/data_directory.h"
#include "wal/wal.h"

#include "base/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

enum { FIXTURE_MESSAGE_BYTES = DATA_DIRECTORY_MESSAGE_BYTES, FIXTURE_TIME_MS = 1000 };

struct fixture {
    struct io *io;
    const char *path;
    struct wal_options options;
    struct data_directory directory;
    struct wal *wal;
    struct log_end end; /* where reading ended when it was opened */
    bool was_torn;
    uint64_t now_ms;
    char message[FIXTURE_MESSAGE_BYTES];
};

static inline const char *fixture_check_group(void *context, const struct log_group *group,
                                              uint64_t *refused_lsn_out)
{
    (void)context;
    uint64_t lsn = group->first_lsn;
    for (const uint8_t *record = group->records; record != NULL;
         record = log_record_next(group, record), lsn++) {
        *refused_lsn_out = lsn;
        if (log_record_bytes(record) < 16 || bytes_get_u64(record + 8) != lsn)
            return "not the record that was appended";
    }
    return NULL;
}

static inline void fixture_init(struct fixture *fixture, struct io *io, const char *path)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->io = io;
    fixture->path = path;
    fixture->options = (struct wal_options){.durability = WAL_SYNC,
                                            .segment_bytes = LOG_SEGMENT_BYTES_MIN,
                                            .group_bytes_max = LOG_GROUP_BYTES_MAX};
    fixture->now_ms = FIXTURE_TIME_MS;
}

static inline enum data_directory_status fixture_read(struct fixture *fixture)
{
    return read_whole_log(&fixture->directory, fixture->io,
                          fixture->directory.manifest.era_count - 1, fixture->options.core,
                          fixture_check_group, NULL, &fixture->end, &fixture->was_torn,
                          fixture->message);
}

static inline bool fixture_begin_era(struct fixture *fixture)
{
    if (data_directory_begin_era(&fixture->directory) == DATA_DIRECTORY_OK)
        return true;
    memcpy(fixture->message, fixture->directory.message, sizeof fixture->message);
    return false;
}

/* Opens, replays and gets ready for writing; false with `message` set when something refuses. */
static inline bool fixture_try_open(struct fixture *fixture)
{
    enum data_directory_status status =
        data_directory_open(&fixture->directory, fixture->io, fixture->path, 1);
    if (status != DATA_DIRECTORY_OK) {
        memcpy(fixture->message, fixture->directory.message, sizeof fixture->message);
        return false;
    }
    fixture->wal = NULL;
    if (fixture_read(fixture) == DATA_DIRECTORY_OK && fixture_begin_era(fixture))
        fixture->wal = wal_open(fixture->io, &fixture->directory, &fixture->options, &fixture->end,
                                fixture->message);
    if (fixture->wal == NULL)
        data_directory_close(&fixture->directory);
    return fixture->wal != NULL;
}

static inline void fixture_open(struct fixture *fixture)
{
    bool is_open = fixture_try_open(fixture);
    cr_assert(is_open, "%s", fixture->message);
}

static inline void fixture_close(struct fixture *fixture)
{
    wal_close(&fixture->wal);
    data_directory_close(&fixture->directory);
}

/* One record of `record_bytes`; returns its LSN. */
static inline uint64_t fixture_append(struct fixture *fixture, uint32_t record_bytes)
{
    uint8_t *record = wal_next(fixture->wal);
    memset(record, 0x5a, record_bytes);
    bytes_put_u16(record, (uint16_t)record_bytes);
    bytes_put_u64(record + 8, wal_last_lsn(fixture->wal) + 1);
    return wal_append(fixture->wal, record_bytes);
}

static inline void fixture_turn(struct fixture *fixture, uint64_t wait_ns)
{
    fixture->now_ms++;
    wal_write(fixture->wal, fixture->now_ms);
    io_turn(fixture->io, wait_ns == 0 ? 0 : io_clock(fixture->io).monotonic_ns + wait_ns);
}

/* Turns until nothing is left to write, or the writer failed. */
static inline void fixture_flush(struct fixture *fixture)
{
    uint64_t until_ns = io_clock(fixture->io).monotonic_ns + 20000000000u;
    fixture_turn(fixture, 0);
    while (!wal_is_idle(fixture->wal) && wal_failure(fixture->wal) == NULL) {
        fixture_turn(fixture, 1000000);
        cr_assert_lt(io_clock(fixture->io).monotonic_ns, until_ns);
    }
}

/* Appends and flushes until the log has so many records of `record_bytes`. */
static inline void fixture_fill(struct fixture *fixture, uint64_t last_lsn, uint32_t record_bytes)
{
    while (wal_last_lsn(fixture->wal) < last_lsn && wal_failure(fixture->wal) == NULL) {
        for (uint32_t room = wal_room(fixture->wal);
             room > 0 && wal_last_lsn(fixture->wal) < last_lsn; room--)
            fixture_append(fixture, record_bytes);
        fixture_turn(fixture, 1000000);
    }
    fixture_flush(fixture);
}

#endif
