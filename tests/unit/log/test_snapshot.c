/* Snapshot files: exact bytes, there and back, and refused with any damage. Files are small and in
 * memory; each block is read from memory of exactly the size that the reader wants. */

#include "log/snapshot.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "random.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = LOG_BLOCK_BYTES, FILE_BYTES_MAX = 32 << 20 };

static const struct log_snapshot_header HEADER = {
    .server_id = {.high = 0x0102030405060708, .low = 0x1112131415161718},
    .snapshot_uuid = {.high = 0x2122232425262728, .low = 0x3132333435363738},
    .era = 2,
    .position = {.segment_number = 3,
                 .offset = 8192,
                 .next_lsn = 1001,
                 .next_group_number = 7,
                 .chain = 0x4142434445464748,
                 .epoch = 4,
                 .time_ms = 1700000000123},
    .state_time_ms = 1700000000456,
    .taken_ms = 1700000000789,
    .core = 5,
};

static const struct log_snapshot_footer FOOTER = {
    .item_count = 3,
    .reservation_count = 40,
    .buyer_count = 500,
    .state_hash = 0x5152535455565758,
};

/* ---- writing ---- */

struct file {
    uint8_t *bytes; /* FILE_BYTES_MAX */
    struct log_snapshot_encoder encoder;
    struct log_snapshot_footer footer;
    uint64_t size;
};

static struct file file;

static void begin_file(struct file *to, const struct log_snapshot_header *header)
{
    if (to->bytes == NULL)
        to->bytes = malloc(FILE_BYTES_MAX);
    cr_assert_not_null(to->bytes);
    memset(to->bytes, 0xa5, FILE_BYTES_MAX);
    log_snapshot_encode_header(&to->encoder, header, to->bytes);
    to->size = to->encoder.offset;
}

/* An entry whose content is made from its number. */
static void make_entry(uint64_t number, uint32_t entry_bytes, uint8_t *to)
{
    bytes_put_u16(to, (uint16_t)entry_bytes);
    for (uint32_t i = 2; i < entry_bytes; i++)
        to[i] = (uint8_t)(number * 31 + i);
}

static void add_block(struct file *to, uint32_t entry_count, uint32_t entry_bytes)
{
    uint8_t *block = to->bytes + to->size;
    uint8_t *at = block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES;
    for (uint32_t i = 0; i < entry_count; i++, at += entry_bytes)
        make_entry(to->encoder.entry_count + i, entry_bytes, at);
    const uint32_t bytes =
        log_snapshot_encode_entries(&to->encoder, block, entry_count * entry_bytes, entry_count);
    to->size += bytes;
    cr_assert_eq(to->size, to->encoder.offset);
}

static void end_file(struct file *to)
{
    to->footer = FOOTER;
    log_snapshot_encode_footer(&to->encoder, &to->footer, to->bytes + to->size);
    to->size += BLOCK;
    cr_assert_eq(to->size, to->encoder.offset);
}

/* A header, blocks of 2, 5 and 1 entries of 24 bytes, and a footer: five blocks of the disk. */
static void make_small(struct file *to, const struct log_snapshot_header *header)
{
    begin_file(to, header);
    add_block(to, 2, 24);
    add_block(to, 5, 24);
    add_block(to, 1, 24);
    end_file(to);
    cr_assert_eq(to->size, 5u * BLOCK);
}

static void tear_down(void)
{
    free(file.bytes);
    file.bytes = NULL;
}

TestSuite(snapshot, .fini = tear_down);

/* ---- reading ---- */

static struct log_snapshot_source source_of(const struct log_snapshot_header *header,
                                            uint64_t file_bytes)
{
    return (struct log_snapshot_source){
        .server_id = header->server_id,
        .era = header->era,
        .core = header->core,
        .lsn = log_snapshot_lsn(header),
        .file_bytes = file_bytes,
    };
}

/* What reading found. */
struct seen {
    enum log_snapshot_piece end;
    bool has_header;
    uint32_t block_count;
    uint64_t entry_count;
    struct log_snapshot_reader reader;
};

/* Each entry is the next one that was written, wherever reading ends. */
static void see_entries(struct seen *seen)
{
    const struct log_snapshot_reader *reader = &seen->reader;
    uint8_t expected[LOG_SNAPSHOT_ENTRY_BYTES_MAX];
    uint32_t count = 0;
    for (uint32_t at = 0; at < reader->entries_bytes; count++) {
        const uint32_t entry_bytes = bytes_get_u16(reader->entries + at);
        make_entry(seen->entry_count, entry_bytes, expected);
        cr_assert_eq(memcmp(reader->entries + at, expected, entry_bytes), 0);
        seen->entry_count++;
        at += entry_bytes;
    }
    cr_assert_eq(count, reader->entry_count);
    seen->block_count++;
}

static struct seen read_as(const struct log_snapshot_source *source, const uint8_t *bytes)
{
    struct seen seen = {.end = LOG_SNAPSHOT_HEADER};
    bool is_over = false;
    log_snapshot_reader_begin(&seen.reader, source);
    while (!is_over) {
        const uint8_t *from = bytes + seen.reader.offset;
        uint32_t needed = log_snapshot_reader_needs(&seen.reader, from, 0);
        needed = log_snapshot_reader_needs(&seen.reader, from, needed);
        uint8_t *piece = malloc(needed > 0 ? needed : 1);
        cr_assert_not_null(piece);
        cr_assert_leq(seen.reader.offset + needed, source->file_bytes);
        memcpy(piece, from, needed);
        seen.end = log_snapshot_reader_take(&seen.reader, piece, needed);
        seen.has_header = seen.has_header || seen.end == LOG_SNAPSHOT_HEADER;
        if (seen.end == LOG_SNAPSHOT_ENTRIES)
            see_entries(&seen);
        is_over = seen.end != LOG_SNAPSHOT_HEADER && seen.end != LOG_SNAPSHOT_ENTRIES;
        free(piece);
    }
    const bool is_whole = seen.end == LOG_SNAPSHOT_WHOLE;
    cr_assert_eq(is_whole, seen.reader.reason[0] == '\0', "%s", seen.reader.reason);
    return seen;
}

static struct seen read_file(const struct file *from)
{
    const struct log_snapshot_source source = source_of(&HEADER, from->size);
    return read_as(&source, from->bytes);
}

static void expect_damage(uint64_t offset, const char *reason_part)
{
    const struct seen seen = read_file(&file);
    cr_expect_eq(seen.end, LOG_SNAPSHOT_DAMAGED);
    cr_expect_eq(seen.reader.offset, offset);
    cr_expect_not_null(strstr(seen.reader.reason, reason_part), "\"%s\" is not in \"%s\"",
                       reason_part, seen.reader.reason);
}

/* ---- exact bytes ---- */

static void to_hex(const uint8_t *from, size_t from_bytes, char *to)
{
    for (size_t i = 0; i < from_bytes; i++)
        snprintf(to + 2 * i, 3, "%02x", from[i]);
}

/* Golden bytes: a change here is a change of the format and needs another version number. The
 * checksums were confirmed with python3-xxhash. */
Test(snapshot, header_has_golden_bytes)
{
    char hex[2 * 136 + 1];
    begin_file(&file, &HEADER);
    to_hex(file.bytes, 136, hex);
    cr_assert_str_eq(hex, "4846534e41505348"
                          "20ccbecbeb26a21b"
                          "0100000005000000"
                          "08070605040302011817161514131211"
                          "28272625242322213837363534333231"
                          "0200000000000000"
                          "0300000000000000"
                          "0020000000000000"
                          "e903000000000000"
                          "0700000000000000"
                          "4847464544434241"
                          "0400000000000000"
                          "7b68e5cf8b010000"
                          "c869e5cf8b010000"
                          "156be5cf8b010000");
    cr_assert(log_bytes_are_zero(file.bytes + 136, BLOCK - 136));
}

Test(snapshot, blocks_have_golden_bytes)
{
    char hex[2 * 120 + 1];
    begin_file(&file, &HEADER);
    add_block(&file, 2, 8);
    end_file(&file);
    to_hex(file.bytes + BLOCK, 80, hex);
    cr_expect_str_eq(hex, "4846534e4150424b"
                          "9edd28e6ffb3b248"
                          "38e6dbf6300ca96d"
                          "0100000000000000"
                          "20ccbecbeb26a21b"
                          "1000000002000000"
                          "0100000000000000"
                          "0000000000000000"
                          "0800020304050607"
                          "0800212223242526");
    cr_expect(log_bytes_are_zero(file.bytes + BLOCK + 80, BLOCK - 80));
    to_hex(file.bytes + 2 * BLOCK, 120, hex);
    cr_expect_str_eq(hex, "4846534e4150424b"
                          "68ac920792cfe283"
                          "73173bcaf4b4c0a6"
                          "0200000000000000"
                          "9edd28e6ffb3b248"
                          "3800000000000000"
                          "0200000000000000"
                          "0000000000000000"
                          "0300000000000000"
                          "2800000000000000"
                          "f401000000000000"
                          "5857565554535251"
                          "0100000000000000"
                          "0200000000000000"
                          "1000000000000000");
    cr_expect(log_bytes_are_zero(file.bytes + 2 * BLOCK + 120, BLOCK - 120));
}

/* ---- there and back ---- */

Test(snapshot, reads_as_what_was_written)
{
    make_small(&file, &HEADER);
    const struct seen seen = read_file(&file);
    const struct log_snapshot_header *header = &seen.reader.header;
    const struct log_snapshot_footer *footer = &seen.reader.footer;
    cr_assert_eq(seen.end, LOG_SNAPSHOT_WHOLE, "%s", seen.reader.reason);
    cr_expect(id128_equal(header->server_id, HEADER.server_id));
    cr_expect(id128_equal(header->snapshot_uuid, HEADER.snapshot_uuid));
    cr_expect_eq(header->era, HEADER.era);
    cr_expect_eq(memcmp(&header->position, &HEADER.position, sizeof HEADER.position), 0);
    cr_expect_eq(header->state_time_ms, HEADER.state_time_ms);
    cr_expect_eq(header->taken_ms, HEADER.taken_ms);
    cr_expect_eq(header->core, HEADER.core);
    cr_expect_eq(header->version, (uint32_t)LOG_FORMAT_VERSION);
    cr_expect_eq(log_snapshot_lsn(header), 1000);
    cr_expect_eq(seen.block_count, 3);
    cr_expect_eq(seen.entry_count, 8);
    cr_expect_eq(footer->item_count, FOOTER.item_count);
    cr_expect_eq(footer->reservation_count, FOOTER.reservation_count);
    cr_expect_eq(footer->buyer_count, FOOTER.buyer_count);
    cr_expect_eq(footer->state_hash, FOOTER.state_hash);
    cr_expect_eq(footer->block_count, 3);
    cr_expect_eq(footer->entry_count, 8);
    cr_expect_eq(footer->entries_bytes, 8 * 24);
    cr_expect_eq(seen.reader.offset, file.size);
}

Test(snapshot, of_nothing_is_whole)
{
    begin_file(&file, &HEADER);
    end_file(&file);
    const struct seen seen = read_file(&file);
    cr_expect_eq(seen.end, LOG_SNAPSHOT_WHOLE, "%s", seen.reader.reason);
    cr_expect_eq(seen.entry_count, 0);
    cr_expect_eq(file.size, 2u * BLOCK);
}

Test(snapshot, with_which_a_log_begins_stands_at_lsn_0)
{
    struct log_snapshot_header header = HEADER;
    header.position = log_position_first();
    make_small(&file, &header);
    const struct log_snapshot_source source = source_of(&header, file.size);
    const struct seen seen = read_as(&source, file.bytes);
    cr_expect_eq(seen.end, LOG_SNAPSHOT_WHOLE, "%s", seen.reader.reason);
    cr_expect_eq(source.lsn, 0);
    cr_expect_eq(seen.reader.header.position.segment_number, 0);
}

/* Blocks that end with the block of the disk, one byte before and behind, and the largest ones. */
Test(snapshot, blocks_of_all_sizes_come_through)
{
    static const uint32_t PAYLOAD_BYTES[] = {
        8,
        BLOCK - LOG_SNAPSHOT_BLOCK_HEADER_BYTES - 8,
        BLOCK - LOG_SNAPSHOT_BLOCK_HEADER_BYTES,
        BLOCK - LOG_SNAPSHOT_BLOCK_HEADER_BYTES + 8,
        LOG_SNAPSHOT_PAYLOAD_BYTES_MAX - 8,
        LOG_SNAPSHOT_PAYLOAD_BYTES_MAX,
    };
    uint64_t entry_count = 0;
    begin_file(&file, &HEADER);
    for (size_t i = 0; i < sizeof PAYLOAD_BYTES / sizeof PAYLOAD_BYTES[0]; i++) {
        add_block(&file, PAYLOAD_BYTES[i] / 8, 8);
        entry_count += PAYLOAD_BYTES[i] / 8;
    }
    add_block(&file, LOG_SNAPSHOT_PAYLOAD_BYTES_MAX / 256, 256);
    entry_count += LOG_SNAPSHOT_PAYLOAD_BYTES_MAX / 256;
    end_file(&file);
    const struct seen seen = read_file(&file);
    cr_expect_eq(seen.end, LOG_SNAPSHOT_WHOLE, "%s", seen.reader.reason);
    cr_expect_eq(seen.entry_count, entry_count);
}

Test(snapshot, of_random_blocks_comes_through)
{
    struct test_random random;
    const uint64_t seed = test_random_seed(20260201);
    test_random_init(&random, seed);
    for (int round = 0; round < 50; round++) {
        uint64_t entry_count = 0;
        begin_file(&file, &HEADER);
        for (uint32_t blocks = test_random_below(&random, 6); blocks > 0; blocks--) {
            const uint32_t entry_bytes = 8 * (1 + test_random_below(&random, 32));
            const uint32_t room = LOG_SNAPSHOT_PAYLOAD_BYTES_MAX / entry_bytes;
            const uint32_t count = 1 + test_random_below(&random, room);
            add_block(&file, count, entry_bytes);
            entry_count += count;
        }
        end_file(&file);
        const struct seen seen = read_file(&file);
        cr_assert_eq(seen.end, LOG_SNAPSHOT_WHOLE, "seed %lu: %s", (unsigned long)seed,
                     seen.reader.reason);
        cr_assert_eq(seen.entry_count, entry_count, "seed %lu", (unsigned long)seed);
    }
}

/* ---- every byte, every cut ---- */

/* Blocks and entries that stand before a byte's block. */
static const uint64_t ENTRIES_BEFORE[] = {0, 0, 2, 7, 8};

Test(snapshot, with_any_byte_changed_is_damaged_from_there_on, .timeout = 120)
{
    make_small(&file, &HEADER);
    for (uint64_t offset = 0; offset < file.size; offset++) {
        for (int bit = 0; bit < 8; bit++) {
            file.bytes[offset] ^= (uint8_t)(1 << bit);
            const struct seen seen = read_file(&file);
            cr_assert_eq(seen.end, LOG_SNAPSHOT_DAMAGED, "offset %lu", (unsigned long)offset);
            cr_assert_eq(seen.reader.offset, offset / BLOCK * BLOCK);
            cr_assert_eq(seen.has_header, offset >= BLOCK);
            cr_assert_eq(seen.entry_count, ENTRIES_BEFORE[offset / BLOCK]);
            file.bytes[offset] ^= (uint8_t)(1 << bit);
        }
    }
}

Test(snapshot, cut_anywhere_is_damaged)
{
    make_small(&file, &HEADER);
    const uint64_t whole = file.size;
    for (file.size = 0; file.size < whole; file.size++) {
        const struct seen seen = read_file(&file);
        cr_assert_eq(seen.end, LOG_SNAPSHOT_DAMAGED, "cut to %lu", (unsigned long)file.size);
        cr_assert_not_null(strstr(seen.reader.reason, "cut"), "%s", seen.reader.reason);
        cr_assert_eq(seen.entry_count, file.size % BLOCK != 0 || file.size == 0
                                           ? 0
                                           : ENTRIES_BEFORE[file.size / BLOCK]);
    }
}

Test(snapshot, cut_within_a_large_block_is_damaged)
{
    begin_file(&file, &HEADER);
    add_block(&file, 1000, 24);
    file.size -= BLOCK;
    expect_damage(BLOCK, "cut within a block");
}

Test(snapshot, with_bytes_behind_its_end_is_damaged)
{
    make_small(&file, &HEADER);
    const uint64_t whole = file.size;
    memcpy(file.bytes + whole, file.bytes + whole - BLOCK, BLOCK); /* the footer once more */
    for (file.size = whole + 1; file.size <= whole + 2 * BLOCK; file.size++)
        cr_assert_eq(read_file(&file).end, LOG_SNAPSHOT_DAMAGED, "%lu", (unsigned long)file.size);
    file.size = whole + BLOCK;
    expect_damage(4 * BLOCK, "bytes behind the footer");
    memset(file.bytes + whole, 0, BLOCK);
    expect_damage(4 * BLOCK, "bytes behind the footer");
}

/* ---- blocks in other places ---- */

static void copy_block(uint8_t *to, const uint8_t *from, uint32_t to_index, uint32_t from_index)
{
    memmove(to + to_index * BLOCK, from + from_index * BLOCK, BLOCK);
}

Test(snapshot, with_blocks_in_another_order_twice_or_missing_is_damaged)
{
    for (uint32_t a = 1; a < 5; a++)
        for (uint32_t b = 1; b < 5; b++) {
            uint8_t block[BLOCK];
            make_small(&file, &HEADER);
            memcpy(block, file.bytes + a * BLOCK, BLOCK);
            copy_block(file.bytes, file.bytes, a, b);
            const struct seen twice = read_file(&file);
            memcpy(file.bytes + b * BLOCK, block, BLOCK);
            const struct seen swapped = read_file(&file);
            const uint32_t first = a < b ? a : b;
            cr_assert_eq(twice.end, a == b ? LOG_SNAPSHOT_WHOLE : LOG_SNAPSHOT_DAMAGED);
            cr_assert_eq(twice.reader.offset, (a == b ? 5 : a) * BLOCK);
            cr_assert_eq(swapped.end, a == b ? LOG_SNAPSHOT_WHOLE : LOG_SNAPSHOT_DAMAGED);
            cr_assert_eq(swapped.reader.offset, (a == b ? 5 : first) * BLOCK);
        }
    for (uint32_t gone = 0; gone < 5; gone++) {
        make_small(&file, &HEADER);
        memmove(file.bytes + gone * BLOCK, file.bytes + (gone + 1) * BLOCK, (4 - gone) * BLOCK);
        file.size -= BLOCK;
        const struct seen seen = read_file(&file);
        cr_assert_eq(seen.end, LOG_SNAPSHOT_DAMAGED);
        cr_assert_eq(seen.reader.offset, gone * BLOCK);
    }
}

/* Of the same server, core and LSN: only the uuid and what follows from it is another. And of one
 * with the same uuid, which no writer makes: the chain is another. */
Test(snapshot, with_a_block_of_another_one_is_damaged)
{
    struct file other = {.bytes = NULL};
    struct log_snapshot_header header = HEADER;
    header.snapshot_uuid.low++;
    for (int round = 0; round < 2; round++) {
        for (uint32_t block = 0; block < 5; block++) {
            make_small(&file, &HEADER);
            make_small(&other, &header);
            copy_block(file.bytes, other.bytes, block, block);
            const struct seen seen = read_file(&file);
            cr_assert_eq(seen.end, LOG_SNAPSHOT_DAMAGED);
            cr_assert_eq(seen.reader.offset, (block == 0 ? 1 : block) * BLOCK);
        }
        header = HEADER;
        header.taken_ms++;
    }
    free(other.bytes);
}

/* ---- headers that verify but say the wrong thing ---- */

static void seal_header(void)
{
    bytes_put_u64(file.bytes + 8, checksum64(file.bytes + 16, BLOCK - 16, 0));
}

Test(snapshot, of_another_version_is_told_apart_from_damage)
{
    make_small(&file, &HEADER);
    bytes_put_u32(file.bytes + 16, LOG_FORMAT_VERSION + 1);
    cr_expect_eq(read_file(&file).end, LOG_SNAPSHOT_DAMAGED);
    seal_header();
    for (file.size = BLOCK; file.size < 5u * BLOCK; file.size += 100) {
        const struct seen seen = read_file(&file);
        cr_assert_eq(seen.end, LOG_SNAPSHOT_VERSION);
        cr_assert_str_eq(seen.reader.reason,
                         "written by version 2 of the format, this program reads version 1");
    }
    bytes_put_u32(file.bytes + 16, 0); /* no writer says that */
    seal_header();
    cr_expect_eq(read_file(&file).end, LOG_SNAPSHOT_DAMAGED);
}

Test(snapshot, of_another_server_era_core_or_lsn_is_damaged)
{
    static const struct {
        uint32_t offset;
        const char *reason;
    } CHANGES[] = {{20, "another core"},
                   {24, "another server"},
                   {32, "another server"},
                   {56, "another era"},
                   {80, "another LSN"}};
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        make_small(&file, &HEADER);
        file.bytes[CHANGES[i].offset]++;
        seal_header();
        expect_damage(0, CHANGES[i].reason);
    }
}

Test(snapshot, header_with_impossible_numbers_is_damaged)
{
    static const struct {
        uint32_t offset;
        uint64_t value;
        const char *reason;
    } CHANGES[] = {
        {56, 0, "no log has"},             /* era */
        {64, 0, "no log has"},             /* segment number 0 is before everything */
        {64, 1000000000000, "no log has"}, /* names have twelve digits */
        {72, 0, "no log has"},             /* within the segment's header */
        {72, 8193, "no log has"},          /* no whole block */
        {80, 0, "no log has"},             /* LSNs start at 1 */
        {80, 6, "no log has"},             /* six groups have six records at least */
        {88, 0, "no log has"},             /* groups start at 1 */
        {88, 1, "no log has"},             /* a thousand records in no group */
        {104, 0, "no log has"},            /* epochs start at 1 */
        {136, 1, "unknown bytes"},
        {BLOCK - 8, 1ull << 63, "unknown bytes"},
    };
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        make_small(&file, &HEADER);
        bytes_put_u64(file.bytes + CHANGES[i].offset, CHANGES[i].value);
        seal_header();
        expect_damage(0, CHANGES[i].reason);
    }
}

/* ---- blocks that verify but say the wrong thing ---- */

static void seal_block(uint32_t index)
{
    uint8_t *block = file.bytes + index * BLOCK;
    const uint64_t seed =
        HEADER.snapshot_uuid.high ^ HEADER.snapshot_uuid.low ^ (uint64_t)index * BLOCK;
    const uint32_t payload_bytes = bytes_get_u32(block + 40);
    if (payload_bytes <= BLOCK - 64)
        bytes_put_u64(block + 16, checksum64(block + 64, payload_bytes, seed));
    bytes_put_u64(block + 8, checksum64(block + 16, 48, seed));
}

Test(snapshot, block_that_says_something_impossible_is_damaged)
{
    static const struct {
        uint32_t block;
        uint32_t offset;
        uint32_t value;
        const char *reason;
    } CHANGES[] = {
        {2, 24, 3, "number does not follow"},
        {2, 24, 1, "number does not follow"},
        {2, 32, 77, "chain"},
        {1, 32, 0, "chain"},
        {2, 40, 0, "do not fit each other"},
        {2, 40, 5 * LOG_SNAPSHOT_ENTRY_BYTES_MAX + 8, "do not fit each other"},
        {2, 40, 5 * 24 + 4, "do not fill it"},
        {2, 40, 4 * 24, "padding"},
        {2, 40, 5 * 24 + 8, "do not fill it"},
        {2, 40, LOG_SNAPSHOT_PAYLOAD_BYTES_MAX + 1, "impossible payload size"},
        {2, 40, UINT32_MAX, "impossible payload size"},
        {2, 44, 0, "counts no entries"},
        {2, 44, 4, "do not fill it"},
        {2, 44, 6, "do not fill it"},
        {2, 44, 16, "do not fit each other"},
        {2, 44, UINT32_MAX, "do not fit each other"},
        {2, 48, 0, "unknown kind"},
        {2, 48, 3, "unknown kind"},
        {2, 48, 2, "another size than a footer"},
        {2, 52, 1, "unknown bytes"},
        {2, 60, 1, "unknown bytes"},
        {2, 64, 0, "do not fill it"}, /* lengths of the first entry */
        {2, 64, 7, "do not fill it"},
        {2, 64, 28, "do not fill it"},
        {2, 64, 264, "do not fill it"},
        {2, 64 + 4 * 24, 32, "do not fill it"},
        {2, BLOCK - 4, 1, "padding"},
        {4, 40, 48, "another size than a footer"},
        {4, 44, 1, "another size than a footer"},
        {4, 64 + 32, 2, "counts other entries"},
        {4, 64 + 40, 9, "counts other entries"},
        {4, 64 + 48, 8 * 24 + 8, "counts other entries"},
    };
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        make_small(&file, &HEADER);
        bytes_put_u32(file.bytes + CHANGES[i].block * BLOCK + CHANGES[i].offset, CHANGES[i].value);
        seal_block(CHANGES[i].block);
        expect_damage(CHANGES[i].block * BLOCK, CHANGES[i].reason);
    }
}

/* More entries than a payload of that size can have: 4 bytes each. */
Test(snapshot, block_with_more_entries_than_fit_is_damaged)
{
    make_small(&file, &HEADER);
    bytes_put_u32(file.bytes + BLOCK + 44, LOG_SNAPSHOT_PAYLOAD_BYTES_MAX / 4);
    bytes_put_u32(file.bytes + BLOCK + 40, LOG_SNAPSHOT_PAYLOAD_BYTES_MAX);
    seal_block(1);
    expect_damage(BLOCK, "do not fit each other");
}

/* A block whose header was made for a longer file. */
Test(snapshot, block_longer_than_its_file_is_damaged)
{
    make_small(&file, &HEADER);
    bytes_put_u32(file.bytes + 3 * BLOCK + 44, 1000);
    bytes_put_u32(file.bytes + 3 * BLOCK + 40, 24000);
    seal_block(3);
    expect_damage(3 * BLOCK, "cut within a block");
}
