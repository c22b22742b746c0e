#ifndef HF_COMPARE_RESP_H
#define HF_COMPARE_RESP_H
/* The protocol of Redis, as far as the load speaks it: requests are arrays of bulk strings. */

#include <stddef.h>
#include <stdint.h>

enum { RESP_HEAD_BYTES_MAX = 32 }; /* around the bytes of each piece below */

/* Each writes one piece of a request and returns its end. */
char *resp_put_array(char *to, uint64_t count);
char *resp_put_bulk(char *to, const void *bytes, size_t count);
/* A bulk string made of a prefix and a decimal number. */
char *resp_put_number(char *to, const char *prefix, uint64_t number);

/* What follows the line that begins at `text`, or NULL when the line has no end. */
const char *resp_line_end(const char *text, const char *end);

/* The end of the reply at `text`, or NULL when it is not all there. Arrays hold numbers only. A
 * byte that begins no reply is taken for a line. */
const char *resp_reply_end(const char *text, const char *end);

#endif
