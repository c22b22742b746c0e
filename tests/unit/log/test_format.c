/* The bytes of the two headers: exact, and refused when they are not right. */

#include "log/format.h"

#include "base/bytes.h"
#include "base/checksum.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct log_segment_header SEGMENT = {
    .server_id = {.high = 0x0102030405060708, .low = 0x1112131415161718},
    .segment_uuid = {.high = 0x2122232425262728, .low = 0x3132333435363738},
    .era = 2,
    .segment_number = 3,
    .segment_bytes = 64 << 20,
    .first_lsn = 1000,
    .chain = 0x4142434445464748,
    .core = 5,
};

static const struct log_group_header GROUP = {
    .payload_checksum = 0x5152535455565758,
    .group_number = 7,
    .first_lsn = 1001,
    .chain = 0x6162636465666768,
    .durable_group = 6,
    .epoch = 4,
    .time_ms = 1700000000123,
    .record_count = 2,
    .payload_bytes = 160,
};

static void to_hex(const uint8_t *from, size_t from_bytes, char *to)
{
    for (size_t i = 0; i < from_bytes; i++)
        snprintf(to + 2 * i, 3, "%02x", from[i]);
}

/* Golden bytes: a change here is a change of the format and needs another version number. The
 * checksums were confirmed with python3-xxhash. */
Test(format, segment_header_has_golden_bytes)
{
    uint8_t block[LOG_BLOCK_BYTES];
    char hex[2 * 96 + 1];
    log_segment_header_encode(&SEGMENT, block);
    to_hex(block, 96, hex);
    cr_assert_str_eq(hex, "48465345474d4e54"
                          "1e696b0d7fdb8c9b"
                          "0100000005000000"
                          "08070605040302011817161514131211"
                          "28272625242322213837363534333231"
                          "0200000000000000"
                          "0300000000000000"
                          "0000000400000000"
                          "e803000000000000"
                          "4847464544434241");
    cr_assert(log_bytes_are_zero(block + 96, LOG_BLOCK_BYTES - 96));
}

Test(format, group_header_has_golden_bytes)
{
    uint8_t bytes[LOG_GROUP_HEADER_BYTES];
    char hex[2 * LOG_GROUP_HEADER_BYTES + 1];
    const uint64_t checksum =
        log_group_header_encode(&GROUP, log_group_seed(SEGMENT.segment_uuid, 4096), bytes);
    to_hex(bytes, sizeof bytes, hex);
    cr_assert_str_eq(hex, "484647524f555031"
                          "2d1190b812be67a7"
                          "5857565554535251"
                          "0700000000000000"
                          "e903000000000000"
                          "6867666564636261"
                          "0600000000000000"
                          "0400000000000000"
                          "7b68e5cf8b010000"
                          "02000000a0000000"
                          "000000000000000000000000000000000000000000000000"
                          "000000000000000000000000000000000000000000000000");
    cr_assert_eq(checksum, bytes_get_u64(bytes + 8));
}

Test(format, segment_header_decodes_to_what_was_encoded)
{
    uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header header;
    log_segment_header_encode(&SEGMENT, block);
    cr_assert_null(log_segment_header_decode(block, &header));
    cr_expect(id128_equal(header.server_id, SEGMENT.server_id));
    cr_expect(id128_equal(header.segment_uuid, SEGMENT.segment_uuid));
    cr_expect_eq(header.era, SEGMENT.era);
    cr_expect_eq(header.segment_number, SEGMENT.segment_number);
    cr_expect_eq(header.segment_bytes, SEGMENT.segment_bytes);
    cr_expect_eq(header.first_lsn, SEGMENT.first_lsn);
    cr_expect_eq(header.chain, SEGMENT.chain);
    cr_expect_eq(header.core, SEGMENT.core);
    cr_expect_eq(header.version, (uint32_t)LOG_FORMAT_VERSION);
}

Test(format, group_header_decodes_to_what_was_encoded)
{
    uint8_t bytes[LOG_GROUP_HEADER_BYTES];
    struct log_group_header header;
    uint64_t checksum;
    const uint64_t encoded = log_group_header_encode(&GROUP, 99, bytes);
    cr_assert_null(log_group_header_decode(bytes, 99, &header, &checksum));
    cr_expect_eq(checksum, encoded);
    cr_expect_eq(header.payload_checksum, GROUP.payload_checksum);
    cr_expect_eq(header.group_number, GROUP.group_number);
    cr_expect_eq(header.first_lsn, GROUP.first_lsn);
    cr_expect_eq(header.chain, GROUP.chain);
    cr_expect_eq(header.durable_group, GROUP.durable_group);
    cr_expect_eq(header.epoch, GROUP.epoch);
    cr_expect_eq(header.time_ms, GROUP.time_ms);
    cr_expect_eq(header.record_count, GROUP.record_count);
    cr_expect_eq(header.payload_bytes, GROUP.payload_bytes);
}

Test(format, segment_header_with_any_bit_flipped_is_refused_and_names_no_version)
{
    uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header header;
    log_segment_header_encode(&SEGMENT, block);
    for (uint32_t bit = 0; bit < LOG_BLOCK_BYTES * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_not_null(log_segment_header_decode(block, &header), "bit %u", bit);
        cr_assert_eq(header.version, 0, "bit %u", bit);
        block[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(format, group_header_with_any_bit_flipped_is_refused)
{
    uint8_t bytes[LOG_GROUP_HEADER_BYTES];
    struct log_group_header header;
    uint64_t checksum;
    log_group_header_encode(&GROUP, 99, bytes);
    for (uint32_t bit = 0; bit < LOG_GROUP_HEADER_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_not_null(log_group_header_decode(bytes, 99, &header, &checksum), "bit %u", bit);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

Test(format, group_header_in_another_place_is_refused)
{
    const struct id128 uuid = SEGMENT.segment_uuid;
    const struct id128 other = {.high = uuid.high, .low = uuid.low + 1};
    uint8_t bytes[LOG_GROUP_HEADER_BYTES];
    struct log_group_header header;
    uint64_t checksum;
    log_group_header_encode(&GROUP, log_group_seed(uuid, 4096), bytes);
    cr_expect_null(log_group_header_decode(bytes, log_group_seed(uuid, 4096), &header, &checksum));
    cr_expect_not_null(
        log_group_header_decode(bytes, log_group_seed(uuid, 8192), &header, &checksum));
    cr_expect_not_null(
        log_group_header_decode(bytes, log_group_seed(other, 4096), &header, &checksum));
}

/* Puts a right checksum over whatever the block says. */
static void seal_segment(uint8_t *block)
{
    bytes_put_u64(block + 8, checksum64(block + 16, LOG_BLOCK_BYTES - 16, 0));
}

Test(format, segment_header_of_another_version_names_it)
{
    uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header header;
    log_segment_header_encode(&SEGMENT, block);
    bytes_put_u32(block + 16, 2);
    seal_segment(block);
    cr_assert_not_null(log_segment_header_decode(block, &header));
    cr_assert_eq(header.version, 2);
}

Test(format, segment_header_with_impossible_numbers_is_refused)
{
    static const struct {
        uint32_t offset;
        uint64_t value;
    } CHANGES[] = {{56, 0}, {64, 0}, {72, 0}, {72, 4096}, {72, 8193}, {80, 0}, {96, 1}, {4088, 1}};
    for (uint32_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        uint8_t block[LOG_BLOCK_BYTES];
        struct log_segment_header header;
        log_segment_header_encode(&SEGMENT, block);
        bytes_put_u64(block + CHANGES[i].offset, CHANGES[i].value);
        seal_segment(block);
        cr_expect_not_null(log_segment_header_decode(block, &header), "change %u", i);
        cr_expect_eq(header.version, (uint32_t)LOG_FORMAT_VERSION);
    }
}

static const char *decode_encoded(const struct log_group_header *header)
{
    uint8_t bytes[LOG_GROUP_HEADER_BYTES];
    struct log_group_header decoded;
    uint64_t checksum;
    log_group_header_encode(header, 1, bytes);
    return log_group_header_decode(bytes, 1, &decoded, &checksum);
}

Test(format, group_header_with_impossible_numbers_is_refused)
{
    struct log_group_header header = GROUP;
    cr_expect_null(decode_encoded(&header));
    header.group_number = 0;
    cr_expect_not_null(decode_encoded(&header), "group number 0");
    header = GROUP;
    header.first_lsn = 0;
    cr_expect_not_null(decode_encoded(&header), "LSN 0");
    header = GROUP;
    header.epoch = 0;
    cr_expect_not_null(decode_encoded(&header), "epoch 0");
    header = GROUP;
    header.group_number = UINT64_MAX;
    cr_expect_not_null(decode_encoded(&header), "no number for the next group");
    header = GROUP;
    header.first_lsn = UINT64_MAX - 1;
    cr_expect_not_null(decode_encoded(&header), "no LSN for the next record");
    header.first_lsn--;
    cr_expect_null(decode_encoded(&header));
    header = GROUP;
    header.durable_group = GROUP.group_number;
    cr_expect_not_null(decode_encoded(&header), "durable before it is written");
    header = GROUP;
    header.record_count = 0;
    cr_expect_not_null(decode_encoded(&header), "no records");
    header = GROUP;
    header.payload_bytes = 15;
    cr_expect_not_null(decode_encoded(&header), "less than the records need");
    header = GROUP;
    header.payload_bytes = 520;
    cr_expect_not_null(decode_encoded(&header), "more than the records can have");
    header = GROUP;
    header.record_count = LOG_GROUP_BYTES_MAX / 8;
    header.payload_bytes = LOG_GROUP_BYTES_MAX;
    cr_expect_not_null(decode_encoded(&header), "more than a group holds");
}

Test(format, group_header_with_bytes_of_a_later_version_is_refused)
{
    uint8_t bytes[LOG_GROUP_HEADER_BYTES];
    struct log_group_header header;
    uint64_t checksum;
    log_group_header_encode(&GROUP, 99, bytes);
    bytes[LOG_GROUP_HEADER_BYTES - 1] = 1;
    bytes_put_u64(bytes + 8, checksum64(bytes + 16, LOG_GROUP_HEADER_BYTES - 16, 99));
    const char *wrong = log_group_header_decode(bytes, 99, &header, &checksum);
    cr_assert_not_null(wrong);
    cr_expect_not_null(strstr(wrong, "unknown bytes"), "%s", wrong);
}

Test(format, group_takes_whole_blocks)
{
    cr_expect_eq(log_group_bytes(8), 4096);
    cr_expect_eq(log_group_bytes(4096 - 128), 4096);
    cr_expect_eq(log_group_bytes(4096 - 120), 8192);
    cr_expect_eq(log_group_bytes(LOG_GROUP_BYTES_MAX - 128), (uint32_t)LOG_GROUP_BYTES_MAX);
}
