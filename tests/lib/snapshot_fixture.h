#ifndef HF_TESTS_SNAPSHOT_FIXTURE_H
#define HF_TESTS_SNAPSHOT_FIXTURE_H
/* Snapshots of the log of a wal_fixture.h. Each entry holds its own number, so that a reader can
 * tell whether it is where it belongs; a snapshot of LSN n has as many entries as its taker says,
 * and says so in its footer. */

#include "wal/log_files.h"
#include "wal/snapshot.h"
#include "wal_fixture.h"

#include "base/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

enum { SNAPSHOT_ENTRY_BYTES = 64, SNAPSHOT_PAGE_BYTES = 16 * SNAPSHOT_ENTRY_BYTES };

struct snapshot_taking {
    struct snapshot *snapshot;
    uint32_t page_bytes;
    uint32_t entry_count; /* wanted */
    uint32_t entry_bytes;
    uint32_t made_count;
};

static inline void snapshot_fixture_open(struct fixture *fixture, struct snapshot_taking *taking,
                                         uint32_t page_bytes)
{
    const struct snapshot_options options = {.core = fixture->options.core,
                                             .page_bytes = page_bytes};
    *taking =
        (struct snapshot_taking){.page_bytes = page_bytes, .entry_bytes = SNAPSHOT_ENTRY_BYTES};
    taking->snapshot = snapshot_open(fixture->io, &fixture->directory, &options, fixture->message);
    cr_assert_not_null(taking->snapshot, "%s", fixture->message);
}

/* Begins one behind everything that the log has. At a boundary. */
static inline void snapshot_fixture_begin(struct fixture *fixture, struct snapshot_taking *taking,
                                          uint32_t entry_count)
{
    const struct log_snapshot_header header = {
        .position = wal_position(fixture->wal),
        .state_time_ms = fixture->now_ms,
        .taken_ms = fixture->now_ms,
    };
    taking->entry_count = entry_count;
    taking->made_count = 0;
    snapshot_begin(taking->snapshot, &header);
}

static inline void snapshot_fixture_write_entry(struct snapshot_taking *taking, uint8_t *to)
{
    memset(to, 0xe5, taking->entry_bytes);
    bytes_put_u16(to, (uint16_t)taking->entry_bytes);
    bytes_put_u64(to + 8, taking->made_count++);
}

static inline void snapshot_fixture_fill_page(struct snapshot_taking *taking)
{
    uint8_t *page = snapshot_page(taking->snapshot);
    uint32_t bytes = 0, count = 0;
    while (taking->made_count < taking->entry_count &&
           bytes + taking->entry_bytes <= taking->page_bytes) {
        snapshot_fixture_write_entry(taking, page + bytes);
        bytes += taking->entry_bytes;
        count++;
    }
    snapshot_pass(taking->snapshot, bytes, count);
}

/* What the core does of it in a turn. */
static inline void snapshot_fixture_continue(struct snapshot_taking *taking)
{
    const struct log_snapshot_footer footer = {.item_count = taking->entry_count,
                                               .state_hash = 0x1234 + taking->entry_count};
    if (snapshot_state(taking->snapshot) != SNAPSHOT_FILLING)
        return;
    if (taking->made_count == taking->entry_count)
        snapshot_finish(taking->snapshot, &footer);
    else if (snapshot_may_pass(taking->snapshot))
        snapshot_fixture_fill_page(taking);
}

static inline void snapshot_fixture_turn(struct fixture *fixture, struct snapshot_taking *taking)
{
    snapshot_fixture_continue(taking);
    fixture_turn(fixture, 1000000);
}

static inline bool snapshot_fixture_is_over(const struct snapshot_taking *taking)
{
    const enum snapshot_state state = snapshot_state(taking->snapshot);
    return state == SNAPSHOT_DONE || state == SNAPSHOT_FAILED;
}

/* Until it is done or has failed. */
static inline enum snapshot_state snapshot_fixture_end(struct fixture *fixture,
                                                       struct snapshot_taking *taking)
{
    uint64_t until_ns = io_clock(fixture->io).monotonic_ns + 20000000000u;
    while (!snapshot_fixture_is_over(taking)) {
        snapshot_fixture_turn(fixture, taking);
        cr_assert_lt(io_clock(fixture->io).monotonic_ns, until_ns);
    }
    return snapshot_state(taking->snapshot);
}

/* All of it; the state is SNAPSHOT_NONE again. True when it has its name. */
static inline bool snapshot_fixture_take(struct fixture *fixture, struct snapshot_taking *taking,
                                         uint32_t entry_count)
{
    snapshot_fixture_begin(fixture, taking, entry_count);
    bool is_done = snapshot_fixture_end(fixture, taking) == SNAPSHOT_DONE;
    snapshot_settle(taking->snapshot);
    return is_done;
}

/* ---- reading ---- */

static inline struct log_files *snapshot_fixture_files(struct fixture *fixture)
{
    enum data_directory_status status;
    struct log_files *files =
        log_files_open(&fixture->directory, fixture->io, fixture->directory.manifest.era_count - 1,
                       fixture->options.core, fixture->message, &status);
    cr_assert_not_null(files, "%s", fixture->message);
    return files;
}

/* The entries of a piece go on where those before it have ended. */
static inline void snapshot_fixture_check_entries(const struct log_snapshot_reader *reader,
                                                  uint32_t *count)
{
    const uint8_t *entry = reader->entries;
    for (uint32_t i = 0; i < reader->entry_count; i++) {
        cr_assert_eq(bytes_get_u64(entry + 8), *count);
        entry += bytes_get_u16(entry);
        ++*count;
    }
    cr_assert_eq(entry, reader->entries + reader->entries_bytes);
}

/* Reads the whole snapshot of this LSN and checks that it is what was written. */
static inline enum data_directory_status
snapshot_fixture_read(struct log_files *files, uint64_t lsn, uint32_t *entry_count_out,
                      struct log_snapshot_header *header_out)
{
    enum log_snapshot_piece piece = LOG_SNAPSHOT_HEADER;
    const struct log_snapshot_reader *reader;
    *entry_count_out = 0;
    enum data_directory_status status = log_files_begin_snapshot(files, lsn);
    while (status == DATA_DIRECTORY_OK && piece != LOG_SNAPSHOT_WHOLE) {
        status = log_files_read_snapshot(files, &piece, &reader);
        if (status == DATA_DIRECTORY_OK && piece == LOG_SNAPSHOT_HEADER)
            *header_out = reader->header;
        if (status == DATA_DIRECTORY_OK && piece == LOG_SNAPSHOT_ENTRIES)
            snapshot_fixture_check_entries(reader, entry_count_out);
    }
    if (status != DATA_DIRECTORY_OK)
        return status;
    cr_assert_eq(reader->footer.entry_count, *entry_count_out);
    cr_assert_eq(reader->footer.item_count, *entry_count_out);
    cr_assert_eq(reader->footer.state_hash, 0x1234 + *entry_count_out);
    return status;
}

#endif
