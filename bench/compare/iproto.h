#ifndef HF_COMPARE_IPROTO_H
#define HF_COMPARE_IPROTO_H
/* The protocol of Tarantool, as far as the load speaks it: calls of a procedure, and their answers.
 * All of it is MessagePack. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    IPROTO_GREETING_BYTES = 128,
    IPROTO_CALL_BYTES_MAX = 64, /* without its arguments, and with a name of up to 31 bytes */
    IPROTO_VALUE_BYTES_MAX = 9, /* of a number, or of what stands before a string or an array */
};

/* Each writes one value and returns its end. */
char *msgpack_put_uint(char *to, uint64_t value);
char *msgpack_put_string(char *to, const void *bytes, uint32_t count);
char *msgpack_put_array(char *to, uint32_t count); /* its elements follow */

/* Begins the call of a procedure, whose arguments, so many values, follow; `sync` comes back with
 * the answer. Behind the arguments stands iproto_call_end(). */
char *iproto_call_begin(char *to, uint64_t sync, const char *procedure, uint32_t arguments);
void iproto_call_end(char *begin, const char *end);

/* An answer, or how far it got. Points into the bytes that were read. */
struct iproto_answer {
    uint64_t sync;
    const char *data;  /* what the procedure returned: an array of values; NULL when it failed */
    const char *end;   /* of the whole answer */
    const char *error; /* what the server says when it failed */
    uint32_t error_bytes;
};

enum iproto_code {
    IPROTO_GOOD,
    IPROTO_SHORT, /* not all there */
    IPROTO_BROKEN,
};

enum iproto_code iproto_answer_read(const char *bytes, const char *end,
                                    struct iproto_answer *answer_out);

/* Each reads one value and returns its end; NULL when what stands there is another or is cut off.
 */
const char *msgpack_read_uint(const char *bytes, const char *end, uint64_t *value_out);
const char *msgpack_read_array(const char *bytes, const char *end, uint32_t *count_out);

#endif
