#include "compare/resp.h"

#include <criterion/criterion.h>
#include <string.h>

/* Requests to Redis byte by byte, and replies that come in pieces. */

static void expect_bytes(const char *text, const char *end, const char *expected)
{
    cr_expect_eq((size_t)(end - text), strlen(expected));
    cr_expect_arr_eq(text, expected, strlen(expected));
}

Test(resp, request_is_an_array_of_bulk_strings)
{
    char text[128];
    char *end = resp_put_array(text, 12);
    end = resp_put_bulk(end, "HSET", 4);
    end = resp_put_number(end, "i:", 18446744073709551615u);
    end = resp_put_number(end, "", 0);
    expect_bytes(text, end, "*12\r\n$4\r\nHSET\r\n$22\r\ni:18446744073709551615\r\n$1\r\n0\r\n");
}

Test(resp, bulk_string_with_any_byte_is_kept)
{
    char text[32];
    char *end = resp_put_bulk(text, "\0\r\n", 3);
    cr_expect_eq(end - text, 9);
    cr_expect_arr_eq(text, "$3\r\n\0\r\n\r\n", 9);
}

/* Of each kind of reply every beginning is short, and with something behind it its end is found. */
Test(resp, reply_ends_where_it_is_whole_and_not_before)
{
    static const char *const replies[] = {
        "+OK\r\n", "-ERR no such script\r\n",        ":12\r\n", "$5\r\na\r\nbc\r\n", "$0\r\n\r\n",
        "$-1\r\n", "*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", "*0\r\n",
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        char text[64] = "";
        size_t bytes = strlen(replies[i]);
        memcpy(text, replies[i], bytes);
        memcpy(text + bytes, ":7\r\n", 4);
        for (size_t cut = 0; cut < bytes; cut++) {
            cr_expect_null(resp_reply_end(text, text + cut), "%zu bytes of %s", cut, replies[i]);
        }
        cr_expect_eq(resp_reply_end(text, text + bytes), text + bytes, "%s", replies[i]);
        cr_expect_eq(resp_reply_end(text, text + bytes + 4), text + bytes, "%s", replies[i]);
    }
}
