#include "proto/frame.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frames are built with frame_finish() and then spoiled. A frame that is meant to fail at a late
 * check is given a checksum that fits again, so that only the fault in question is left. */

enum { BODY_BYTES = 40, FRAME_BYTES = FRAME_HEADER_BYTES + BODY_BYTES, LIMIT = 1000 };

static const uint64_t request_id = 0x1122334455667788;

static void make_frame(uint8_t frame[FRAME_BYTES], uint8_t type)
{
    for (int i = 0; i < BODY_BYTES; i++) {
        frame[FRAME_HEADER_BYTES + i] = (uint8_t)(i * 7);
    }
    frame_finish(frame, type, request_id, BODY_BYTES);
}

static enum frame_status parse_request(const uint8_t *bytes, size_t count)
{
    struct frame_header header;
    size_t need_bytes;
    return frame_parse(bytes, count, LIMIT, true, &header, &need_bytes);
}

Test(frame, finished_frame_is_parsed_back)
{
    uint8_t frame[FRAME_BYTES];
    struct frame_header header;
    size_t need_bytes = 0;
    make_frame(frame, FRAME_RESERVE);
    cr_assert(frame_parse(frame, sizeof(frame), LIMIT, true, &header, &need_bytes) == FRAME_OK);
    cr_assert(header.type == FRAME_RESERVE);
    cr_assert(header.request_id == request_id);
    cr_assert(header.body_bytes == BODY_BYTES);
    cr_assert(need_bytes == FRAME_BYTES);
    cr_assert(memcmp(&header.checksum, frame, sizeof(header.checksum)) == 0);
}

/* The header as drawn in frame.h, byte for byte; the checksum was computed with python3-xxhash. */
Test(frame, header_bytes_are_as_drawn)
{
    static const uint8_t expected[FRAME_HEADER_BYTES] = {
        0xdd, 0x4e, 0xaf, 0xe7, 0xeb, 0x81, 0x3b, 0x47, 0x48, 0x46, 0x50,
        0x31, 1,    2,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
    };
    uint8_t frame[FRAME_HEADER_BYTES];
    frame_finish(frame, FRAME_PING, request_id, 0);
    cr_assert(memcmp(frame, expected, sizeof(expected)) == 0);
}

Test(frame, empty_body_is_accepted)
{
    uint8_t frame[FRAME_HEADER_BYTES];
    frame_finish(frame, FRAME_PING, 0, 0);
    cr_assert(parse_request(frame, sizeof(frame)) == FRAME_OK);
}

Test(frame, bytes_behind_the_frame_are_left_alone)
{
    uint8_t frames[2 * FRAME_BYTES];
    struct frame_header header;
    size_t need_bytes;
    make_frame(frames, FRAME_RESERVE);
    make_frame(frames + FRAME_BYTES, FRAME_CANCEL);
    for (size_t count = FRAME_BYTES; count <= sizeof(frames); count++) {
        cr_assert(frame_parse(frames, count, LIMIT, true, &header, &need_bytes) == FRAME_OK);
        cr_assert(need_bytes == FRAME_BYTES && header.type == FRAME_RESERVE);
    }
}

Test(frame, every_prefix_is_incomplete_and_tells_how_much_it_needs)
{
    uint8_t frame[FRAME_BYTES];
    make_frame(frame, FRAME_RESERVE);
    for (size_t count = 0; count < sizeof(frame); count++) {
        struct frame_header header;
        size_t need_bytes = 0;
        uint8_t *exact = malloc(count + 1); /* so that a sanitizer sees a read beyond the prefix */
        memcpy(exact, frame, count);
        enum frame_status status = frame_parse(exact, count, LIMIT, true, &header, &need_bytes);
        cr_assert(status == FRAME_INCOMPLETE, "%zu bytes", count);
        cr_assert(need_bytes == (count < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : FRAME_BYTES));
        free(exact);
    }
}

/* Every byte but the checksum's own is covered by it, and the checksum cannot be its own excuse. */
Test(frame, every_flipped_bit_is_noticed)
{
    uint8_t frame[FRAME_BYTES];
    make_frame(frame, FRAME_RESERVE);
    for (size_t bit = 0; bit < sizeof(frame) * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        cr_assert(parse_request(frame, sizeof(frame)) != FRAME_OK, "bit %zu", bit);
        frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    cr_assert(parse_request(frame, sizeof(frame)) == FRAME_OK);
}

/* Spoils one more part at a time, from the last check to the first: the earlier one always wins. */
Test(frame, first_fault_in_the_documented_order_is_told)
{
    uint8_t frame[FRAME_BYTES];
    make_frame(frame, FRAME_RESERVE);
    frame[0] ^= 1;
    cr_expect(parse_request(frame, sizeof(frame)) == FRAME_BAD_CHECKSUM);
    frame[17] = 0xff; /* 65,320 bytes of body */
    cr_expect(parse_request(frame, sizeof(frame)) == FRAME_BAD_LENGTH);
    frame[13] = 99;
    cr_expect(parse_request(frame, sizeof(frame)) == FRAME_BAD_TYPE);
    frame[12] = 2;
    cr_expect(parse_request(frame, sizeof(frame)) == FRAME_BAD_VERSION);
    frame[8] = 'G';
    cr_expect(parse_request(frame, sizeof(frame)) == FRAME_BAD_MAGIC);
}

Test(frame, fault_in_the_header_is_told_before_the_body_is_there)
{
    uint8_t frame[FRAME_BYTES];
    make_frame(frame, FRAME_RESERVE);
    frame[18] = 0xff;
    cr_assert(parse_request(frame, FRAME_HEADER_BYTES) == FRAME_BAD_LENGTH);
}

Test(frame, body_of_exactly_the_limit_is_accepted_and_one_more_is_not)
{
    static uint8_t frame[FRAME_HEADER_BYTES + LIMIT + 1];
    frame_finish(frame, FRAME_RESERVE, request_id, LIMIT);
    cr_assert(parse_request(frame, sizeof(frame)) == FRAME_OK);
    frame_finish(frame, FRAME_RESERVE, request_id, LIMIT + 1);
    cr_assert(parse_request(frame, sizeof(frame)) == FRAME_BAD_LENGTH);
    frame_finish(frame, FRAME_RESERVE, request_id, 0);
    memset(frame + 16, 0xff, 4); /* the largest length there is */
    cr_assert(parse_request(frame, sizeof(frame)) == FRAME_BAD_LENGTH);
}

Test(frame, flags_or_reserved_bytes_that_are_set_are_a_bad_type)
{
    static const int reserved[] = {14, 15, 20, 21, 22, 23};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        uint8_t frame[FRAME_BYTES];
        make_frame(frame, FRAME_RESERVE);
        frame[reserved[i]] = 0x80;
        cr_assert(parse_request(frame, sizeof(frame)) == FRAME_BAD_TYPE, "byte %d", reserved[i]);
    }
}

/* All 256 numbers, in both directions, against the table of frame.h. */
Test(frame, types_are_taken_in_their_own_direction_only)
{
    bool is_request_type[256] = {0};
#define MARK(name, number, message) is_request_type[number] = true;
    FRAME_TYPES(MARK)
#undef MARK
    for (int type = 0; type < 256; type++) {
        uint8_t frame[FRAME_HEADER_BYTES];
        struct frame_header header;
        size_t need_bytes;
        bool from_client = is_request_type[type];
        bool from_server = type >= 254 || (type > 128 && is_request_type[type - 128]);
        frame_finish(frame, (uint8_t)type, 1, 0);
        cr_assert((frame_parse(frame, sizeof(frame), LIMIT, true, &header, &need_bytes) ==
                   FRAME_OK) == from_client);
        cr_assert((frame_parse(frame, sizeof(frame), LIMIT, false, &header, &need_bytes) ==
                   FRAME_OK) == from_server);
        cr_assert((strcmp(frame_type_name((uint8_t)type), "?") != 0) ==
                  (from_client || from_server));
    }
}

Test(frame, names_and_texts_are_as_documented)
{
    cr_assert(strcmp(frame_type_name(FRAME_RESERVE), "RESERVE") == 0);
    cr_assert(strcmp(frame_type_name(FRAME_RESERVE + FRAME_REPLY), "RESERVE reply") == 0);
    cr_assert(strcmp(frame_type_name(FRAME_GO_AWAY), "GO_AWAY") == 0);
    cr_assert(strcmp(frame_status_text(FRAME_BAD_MAGIC), "wrong magic") == 0);
    cr_assert(strcmp(frame_status_text((enum frame_status)99), "?") == 0);
}

/* Random bytes, half of them behind a sound magic and version: never OK, never a wild read. */
Test(frame, random_bytes_are_never_a_frame)
{
    unsigned seed = 20261122;
    printf("seed %u\n", seed);
    for (int round = 0; round < 100000; round++) {
        uint8_t bytes[96];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)rand_r(&seed);
        }
        if (round % 2 == 0) {
            memcpy(bytes + 8, "HFP1\x01", 5);
        }
        if (round % 4 == 0) {
            memcpy(bytes + 13, "\x10\0\0\x20\0\0\0\0\0\0", 11);
        }
        size_t count = (size_t)rand_r(&seed) % sizeof(bytes);
        uint8_t *exact = malloc(count + 1);
        memcpy(exact, bytes, count);
        cr_assert(parse_request(exact, count) != FRAME_OK);
        free(exact);
    }
}
