#ifndef HF_TEST_SNAPSHOT_BYTES_H
#define HF_TEST_SNAPSHOT_BYTES_H
/* Snapshot files in memory, as a server would write them, and what is in a file. */

#include "base/bytes.h"
#include "log/snapshot.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct id128 SOURCE_SERVER = {0x0102030405060708, 0x1112131415161718};
enum { SOURCE_LSN = 1000, SOURCE_CORE = 2, SOURCE_ENTRY_BYTES = 64 };

struct snapshot_bytes {
    uint8_t *bytes;
    uint64_t size;
    struct log_snapshot_footer footer;
};

/* Blocks with so many entries each; every entry holds its own number. */
static inline struct snapshot_bytes snapshot_bytes_make(uint32_t block_count, uint32_t entry_count)
{
    const struct log_snapshot_header header = {
        .server_id = SOURCE_SERVER,
        .snapshot_uuid = {7, 8},
        .era = 5,
        .position = {.segment_number = 3,
                     .offset = 8192,
                     .next_lsn = SOURCE_LSN + 1,
                     .next_group_number = 7,
                     .chain = 9,
                     .epoch = 4,
                     .time_ms = 1700000000123},
        .state_time_ms = 1700000000456,
        .taken_ms = 1700000000789,
        .core = SOURCE_CORE,
    };
    struct log_snapshot_encoder encoder;
    struct snapshot_bytes made = {
        .bytes =
            calloc(1, 2ul * LOG_BLOCK_BYTES + (uint64_t)block_count * LOG_SNAPSHOT_BLOCK_BYTES_MAX),
        .footer = {.item_count = 3, .reservation_count = 40, .buyer_count = 5, .state_hash = 77},
    };
    cr_assert_not_null(made.bytes);
    log_snapshot_encode_header(&encoder, &header, made.bytes);
    for (uint32_t i = 0; i < block_count; i++) {
        uint8_t *block = made.bytes + encoder.offset;
        for (uint32_t j = 0; j < entry_count; j++) {
            uint8_t *entry = block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES + j * SOURCE_ENTRY_BYTES;
            bytes_put_u16(entry, SOURCE_ENTRY_BYTES);
            bytes_put_u64(entry + 8, encoder.entry_count + j);
        }
        log_snapshot_encode_entries(&encoder, block, entry_count * SOURCE_ENTRY_BYTES, entry_count);
    }
    log_snapshot_encode_footer(&encoder, &made.footer, made.bytes + encoder.offset);
    made.size = encoder.offset;
    return made;
}

/* The whole file. */
static inline struct snapshot_bytes snapshot_bytes_read(const char *path)
{
    struct snapshot_bytes read = {.bytes = NULL};
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    fseek(file, 0, SEEK_END);
    read.size = (uint64_t)ftell(file);
    rewind(file);
    read.bytes = calloc(1, read.size + LOG_SNAPSHOT_BLOCK_BYTES_MAX);
    cr_assert(read.bytes && fread(read.bytes, 1, read.size, file) == read.size);
    fclose(file);
    return read;
}

/* Reads it as what `source` says, and checks that the entries are those of snapshot_bytes_make().
 * Returns the verdict. */
static inline enum log_snapshot_piece snapshot_bytes_check(const struct snapshot_bytes *bytes,
                                                           const struct log_snapshot_source *source,
                                                           struct log_snapshot_reader *reader_out)
{
    enum log_snapshot_piece piece;
    uint64_t number = 0;
    log_snapshot_reader_begin(reader_out, source);
    do {
        piece = log_snapshot_reader_take(reader_out, bytes->bytes + reader_out->offset,
                                         (uint32_t)(bytes->size - reader_out->offset));
        for (uint32_t i = 0; piece == LOG_SNAPSHOT_ENTRIES && i < reader_out->entry_count; i++)
            cr_assert_eq(bytes_get_u64(reader_out->entries + i * SOURCE_ENTRY_BYTES + 8), number++);
    } while (piece == LOG_SNAPSHOT_HEADER || piece == LOG_SNAPSHOT_ENTRIES);
    return piece;
}

static inline void snapshot_bytes_free(struct snapshot_bytes *bytes)
{
    free(bytes->bytes);
    bytes->bytes = NULL;
}

#endif
