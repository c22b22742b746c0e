#include "compare/iproto.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Calls to Tarantool byte by byte, and its answers: whole, in pieces, with an error, and broken. */

#define EXPECT_BYTES(begin, end, expected)                                                         \
    do {                                                                                           \
        cr_expect_eq((size_t)((end) - (begin)), sizeof(expected) - 1);                             \
        cr_expect_arr_eq(begin, expected, sizeof(expected) - 1);                                   \
    } while (0)

/* As Tarantool 2.6 sends it: the code 0, the sync 7, the schema 80; [1, 300, 70000, 2^40]. */
static const char good[] = "\xce\x00\x00\x00\x30"
                           "\x83\x00\xce\x00\x00\x00\x00\x01\xcf\x00\x00\x00\x00\x00\x00\x00\x07"
                           "\x05\xce\x00\x00\x00\x50"
                           "\x81\x30\xdd\x00\x00\x00\x04\x01\xcd\x01\x2c\xce\x00\x01\x11\x70"
                           "\xcf\x00\x00\x01\x00\x00\x00\x00\x00";
enum { GOOD_BYTES = sizeof good - 1 };

/* The text, and the same at length: a map with an array, a nil, a string and a negative number. */
static const char failed[] = "\xce\x00\x00\x00\x20"
                             "\x82\x00\xcd\x80\x20\x01\x07"
                             "\x82\x31\xd9\x05"
                             "no no"
                             "\x52\x81\x00\x91\x83\x00\xa3"
                             "abc"
                             "\x01\xc0\x02\xd1\xff\x00";
enum { FAILED_BYTES = sizeof failed - 1 };

Test(msgpack, numbers_take_as_few_bytes_as_they_can)
{
    char bytes[64];
    char *end = msgpack_put_uint(bytes, 0);
    end = msgpack_put_uint(end, 127);
    end = msgpack_put_uint(end, 128);
    end = msgpack_put_uint(end, 256);
    end = msgpack_put_uint(end, 65536);
    end = msgpack_put_uint(end, 1ull << 32);
    EXPECT_BYTES(bytes, end,
                 "\x00\x7f\xcc\x80\xcd\x01\x00\xce\x00\x01\x00\x00"
                 "\xcf\x00\x00\x00\x01\x00\x00\x00\x00");
}

Test(msgpack, numbers_are_read_as_they_were_written)
{
    static const uint64_t numbers[] = {0,     127,   128,        255,        256,
                                       65535, 65536, UINT32_MAX, 1ull << 32, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char bytes[IPROTO_VALUE_BYTES_MAX];
        uint64_t number = 1;
        char *end = msgpack_put_uint(bytes, numbers[i]);
        cr_expect_eq(msgpack_read_uint(bytes, end, &number), end);
        cr_expect_eq(number, numbers[i]);
        cr_expect_null(msgpack_read_uint(bytes, end - 1, &number));
    }
}

Test(msgpack, arrays_and_strings_have_short_and_long_heads)
{
    char bytes[256];
    char text[40] = "forty bytes of text, whatever they are!";
    uint32_t count = 0;
    char *end = msgpack_put_array(bytes, 15);
    EXPECT_BYTES(bytes, end, "\x9f");
    cr_expect_eq(msgpack_read_array(bytes, end, &count), end);
    cr_expect_eq(count, 15);
    end = msgpack_put_array(bytes, 1280);
    EXPECT_BYTES(bytes, end, "\xdd\x00\x00\x05\x00");
    cr_expect_eq(msgpack_read_array(bytes, end, &count), end);
    cr_expect_eq(count, 1280);
    end = msgpack_put_string(bytes, "abc", 3);
    EXPECT_BYTES(bytes, end,
                 "\xa3"
                 "abc");
    end = msgpack_put_string(bytes, text, sizeof text);
    cr_expect_eq(end - bytes, 45);
    cr_expect_arr_eq(bytes,
                     "\xdb\x00\x00\x00\x28"
                     "forty",
                     10);
    cr_expect_null(msgpack_read_array(bytes, end, &count), "a string is no array");
}

Test(iproto, call_is_a_length_a_header_and_a_body)
{
    char bytes[IPROTO_CALL_BYTES_MAX + 2 * IPROTO_VALUE_BYTES_MAX];
    char *end = iproto_call_begin(bytes, 7, "reserve", 2);
    end = msgpack_put_uint(end, 1);
    end = msgpack_put_uint(end, 200);
    iproto_call_end(bytes, end);
    EXPECT_BYTES(bytes, end,
                 "\xce\x00\x00\x00\x14"
                 "\x82\x00\x0a\x01\x07"
                 "\x82\x22\xa7"
                 "reserve"
                 "\x21\x92\x01\xcc\xc8");
}

Test(iproto, longest_call_fits_in_its_bytes)
{
    char bytes[2 * IPROTO_CALL_BYTES_MAX];
    char *end = iproto_call_begin(bytes, UINT64_MAX, "a_name_of_thirty-one_characters", 1000);
    cr_expect_leq(end - bytes, IPROTO_CALL_BYTES_MAX);
}

Test(iproto, good_answer_gives_its_sync_and_what_was_returned)
{
    struct iproto_answer answer;
    uint32_t count = 0;
    uint64_t number = 0;
    cr_assert_eq(iproto_answer_read(good, good + GOOD_BYTES, &answer), IPROTO_GOOD);
    cr_expect_eq(answer.sync, 7);
    cr_expect_eq(answer.end, good + GOOD_BYTES);
    cr_expect_null(answer.error);
    const char *at = msgpack_read_array(answer.data, answer.end, &count);
    cr_expect_eq(count, 4);
    static const uint64_t numbers[] = {1, 300, 70000, 1ull << 40};
    for (int i = 0; i < 4; i++) {
        at = msgpack_read_uint(at, answer.end, &number);
        cr_expect_eq(number, numbers[i]);
    }
    cr_expect_eq(at, answer.end);
}

Test(iproto, failed_answer_gives_what_the_server_says)
{
    struct iproto_answer answer;
    cr_assert_eq(iproto_answer_read(failed, failed + FAILED_BYTES, &answer), IPROTO_GOOD);
    cr_expect_null(answer.data);
    cr_expect_eq(answer.error_bytes, 5);
    cr_expect_arr_eq(answer.error, "no no", 5);
}

Test(iproto, answer_cut_anywhere_is_short)
{
    struct iproto_answer answer;
    for (int cut = 0; cut < GOOD_BYTES; cut++) {
        cr_expect_eq(iproto_answer_read(good, good + cut, &answer), IPROTO_SHORT, "%d bytes", cut);
    }
}

/* Whatever a byte becomes, nothing beyond the answer is read: the sanitizers look on. */
Test(iproto, changed_answer_is_read_within_its_bytes)
{
    char *bytes = malloc(FAILED_BYTES); /* of its own, so that reading behind it is seen */
    struct iproto_answer answer;
    cr_assert_not_null(bytes);
    for (int at = 0; at < FAILED_BYTES; at++) {
        for (int value = 0; value < 256; value++) {
            memcpy(bytes, failed, FAILED_BYTES);
            bytes[at] = (char)value;
            if (iproto_answer_read(bytes, bytes + FAILED_BYTES, &answer) == IPROTO_GOOD) {
                cr_expect_leq(answer.end, bytes + FAILED_BYTES);
            }
        }
    }
    free(bytes);
}

Test(iproto, answer_without_data_or_error_is_broken)
{
    static const char empty[] = "\xce\x00\x00\x00\x06\x82\x00\x00\x01\x07\x80";
    struct iproto_answer answer;
    cr_expect_eq(iproto_answer_read(empty, empty + sizeof empty - 1, &answer), IPROTO_BROKEN);
}

Test(iproto, what_does_not_begin_with_a_length_is_broken)
{
    static const char text[] = "\xa3"
                               "not an answer";
    struct iproto_answer answer;
    cr_expect_eq(iproto_answer_read(text, text + sizeof text - 1, &answer), IPROTO_BROKEN);
}
