#include "compare/resp.h"

#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 20 };

/* printf would cost more than the rest of a request. */
static char *put_digits(char *to, uint64_t number)
{
    char digits[DIGITS_MAX];
    size_t count = 0;
    do {
        digits[sizeof digits - ++count] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(to, digits + sizeof digits - count, count);
    return to + count;
}

static char *put_line(char *to, char type, uint64_t number)
{
    *to++ = type;
    to = put_digits(to, number);
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

char *resp_put_array(char *to, uint64_t count)
{
    return put_line(to, '*', count);
}

char *resp_put_bulk(char *to, const void *bytes, size_t count)
{
    to = put_line(to, '$', count);
    memcpy(to, bytes, count);
    memcpy(to + count, "\r\n", 2);
    return to + count + 2;
}

char *resp_put_number(char *to, const char *prefix, uint64_t number)
{
    char text[RESP_HEAD_BYTES_MAX + DIGITS_MAX];
    size_t prefix_bytes = strnlen(prefix, RESP_HEAD_BYTES_MAX);
    memcpy(text, prefix, prefix_bytes);
    char *end = put_digits(text + prefix_bytes, number);
    return resp_put_bulk(to, text, (size_t)(end - text));
}

const char *resp_line_end(const char *text, const char *end)
{
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    return newline != NULL ? newline + 1 : NULL;
}

const char *resp_reply_end(const char *text, const char *end)
{
    const char *at = resp_line_end(text, end);
    if (at == NULL || (text[0] != '*' && text[0] != '$')) {
        return at;
    }
    long count = strtol(text + 1, NULL, 10); /* ends at the line's end, which is there */
    if (text[0] == '$') {
        return count < 0 ? at : end - at >= count + 2 ? at + count + 2 : NULL;
    }
    for (long i = 0; i < count && at != NULL; i++) {
        at = resp_line_end(at, end);
    }
    return at;
}
