#include "compare/iproto.h"

#include <endian.h>
#include <string.h>

/* An answer is a length, a map of header fields and a map of the body's, each field numbered:
 *
 *   length | {0: code, 1: sync, 5: schema} | {0x30: [what the procedure returned]}
 *                                          | {0x31: text of the error, 0x52: the same at length}
 *
 * A value of MessagePack begins with a byte that tells its kind and, where it is small, its value
 * or count; otherwise these follow, big endian. */

enum {
    FIELD_CODE = 0x00,
    FIELD_SYNC = 0x01,
    FIELD_ARGUMENTS = 0x21,
    FIELD_PROCEDURE = 0x22,
    FIELD_DATA = 0x30,
    FIELD_ERROR = 0x31,
    CODE_CALL = 0x0a,
};

/* ---- writing ------------------------------------------------------------------------------- */

static char *put_byte(char *to, uint8_t byte)
{
    *to = (char)byte;
    return to + 1;
}

static char *put_16(char *to, uint8_t kind, uint16_t value)
{
    uint16_t big = htobe16(value);
    memcpy(put_byte(to, kind), &big, sizeof big);
    return to + 1 + sizeof big;
}

static char *put_32(char *to, uint8_t kind, uint32_t value)
{
    uint32_t big = htobe32(value);
    memcpy(put_byte(to, kind), &big, sizeof big);
    return to + 1 + sizeof big;
}

static char *put_64(char *to, uint8_t kind, uint64_t value)
{
    uint64_t big = htobe64(value);
    memcpy(put_byte(to, kind), &big, sizeof big);
    return to + 1 + sizeof big;
}

char *msgpack_put_uint(char *to, uint64_t value)
{
    if (value < 0x80) {
        return put_byte(to, (uint8_t)value);
    }
    if (value <= UINT8_MAX) {
        return put_byte(put_byte(to, 0xcc), (uint8_t)value);
    }
    if (value <= UINT16_MAX) {
        return put_16(to, 0xcd, (uint16_t)value);
    }
    return value <= UINT32_MAX ? put_32(to, 0xce, (uint32_t)value) : put_64(to, 0xcf, value);
}

char *msgpack_put_string(char *to, const void *bytes, uint32_t count)
{
    to = count < 32 ? put_byte(to, (uint8_t)(0xa0 + count)) : put_32(to, 0xdb, count);
    memcpy(to, bytes, count);
    return to + count;
}

char *msgpack_put_array(char *to, uint32_t count)
{
    return count < 16 ? put_byte(to, (uint8_t)(0x90 + count)) : put_32(to, 0xdd, count);
}

static char *put_map(char *to, uint8_t count)
{
    return put_byte(to, 0x80 + count);
}

/* The length is known later, and takes five bytes whatever it is. */
char *iproto_call_begin(char *to, uint64_t sync, const char *procedure, uint32_t arguments)
{
    to = put_32(to, 0xce, 0);
    to = put_map(to, 2);
    to = msgpack_put_uint(put_byte(to, FIELD_CODE), CODE_CALL);
    to = msgpack_put_uint(put_byte(to, FIELD_SYNC), sync);
    to = put_map(to, 2);
    to = msgpack_put_string(put_byte(to, FIELD_PROCEDURE), procedure, (uint32_t)strlen(procedure));
    return msgpack_put_array(put_byte(to, FIELD_ARGUMENTS), arguments);
}

void iproto_call_end(char *begin, const char *end)
{
    put_32(begin, 0xce, (uint32_t)(end - begin) - 5);
}

/* ---- reading ------------------------------------------------------------------------------- */

enum kind { KIND_NONE, KIND_UINT, KIND_STRING, KIND_ARRAY, KIND_MAP, KIND_OTHER };

/* What stands before a value's own bytes or elements. */
struct head {
    enum kind kind;
    uint64_t number; /* the value, the count of elements or of bytes */
    uint64_t bytes;  /* of the value that follow */
};

/* For first bytes from 0xc0 to 0xdf: how many bytes of a number follow, and how many more of the
 * value besides those that the number counts. */
static const struct form {
    uint8_t kind, number_bytes, bytes;
} forms[32] = {
    {KIND_OTHER, 0, 0},  {KIND_NONE, 0, 0},   {KIND_OTHER, 0, 0},  {KIND_OTHER, 0, 0},
    {KIND_STRING, 1, 0}, {KIND_STRING, 2, 0}, {KIND_STRING, 4, 0}, {KIND_STRING, 1, 1},
    {KIND_STRING, 2, 1}, {KIND_STRING, 4, 1}, {KIND_OTHER, 0, 4},  {KIND_OTHER, 0, 8},
    {KIND_UINT, 1, 0},   {KIND_UINT, 2, 0},   {KIND_UINT, 4, 0},   {KIND_UINT, 8, 0},
    {KIND_OTHER, 0, 1},  {KIND_OTHER, 0, 2},  {KIND_OTHER, 0, 4},  {KIND_OTHER, 0, 8},
    {KIND_OTHER, 0, 2},  {KIND_OTHER, 0, 3},  {KIND_OTHER, 0, 5},  {KIND_OTHER, 0, 9},
    {KIND_OTHER, 0, 17}, {KIND_STRING, 1, 0}, {KIND_STRING, 2, 0}, {KIND_STRING, 4, 0},
    {KIND_ARRAY, 2, 0},  {KIND_ARRAY, 4, 0},  {KIND_MAP, 2, 0},    {KIND_MAP, 4, 0},
};

/* NULL when it is cut off, or none. */
static const char *read_head(const char *bytes, const char *end, struct head *head_out)
{
    if (bytes == end) {
        return NULL;
    }
    uint8_t first = (uint8_t)*bytes++;
    if (first < 0x80) {
        *head_out = (struct head){KIND_UINT, first, 0};
    } else if (first < 0x90) {
        *head_out = (struct head){KIND_MAP, first & 0x0f, 0};
    } else if (first < 0xa0) {
        *head_out = (struct head){KIND_ARRAY, first & 0x0f, 0};
    } else if (first < 0xc0) {
        *head_out = (struct head){KIND_STRING, first & 0x1f, first & 0x1f};
    } else if (first >= 0xe0) {
        *head_out = (struct head){KIND_OTHER, 0, 0};
    } else {
        const struct form *form = &forms[first - 0xc0];
        uint64_t number = 0;
        if (form->kind == KIND_NONE || end - bytes < form->number_bytes) {
            return NULL;
        }
        for (int i = 0; i < form->number_bytes; i++) {
            number = number << 8 | (uint8_t)*bytes++;
        }
        *head_out = (struct head){form->kind, number,
                                  form->bytes + (form->kind == KIND_STRING ? number : 0)};
    }
    return bytes;
}

/* The end of any one value; NULL when it is cut off or none. */
static const char *skip(const char *bytes, const char *end)
{
    struct head head;
    for (uint64_t left = 1; left > 0; left--) {
        bytes = read_head(bytes, end, &head);
        if (bytes == NULL || (uint64_t)(end - bytes) < head.bytes) {
            return NULL;
        }
        bytes += head.bytes;
        left += head.kind == KIND_ARRAY ? head.number : 0;
        left += head.kind == KIND_MAP ? 2 * head.number : 0;
    }
    return bytes;
}

static const char *read_kind(const char *bytes, const char *end, enum kind kind,
                             uint64_t *number_out)
{
    struct head head;
    bytes = read_head(bytes, end, &head);
    if (bytes == NULL || head.kind != kind || (uint64_t)(end - bytes) < head.bytes) {
        return NULL;
    }
    *number_out = head.number;
    return bytes;
}

const char *msgpack_read_uint(const char *bytes, const char *end, uint64_t *value_out)
{
    return read_kind(bytes, end, KIND_UINT, value_out);
}

const char *msgpack_read_array(const char *bytes, const char *end, uint32_t *count_out)
{
    uint64_t count = 0;
    bytes = read_kind(bytes, end, KIND_ARRAY, &count);
    *count_out = (uint32_t)count;
    return bytes;
}

/* Keeps what the load looks at, and passes over the rest. Returns the field's end, or NULL. */
static const char *read_field(const char *bytes, const char *end, struct iproto_answer *answer)
{
    uint64_t field;
    uint64_t count;
    const char *value = msgpack_read_uint(bytes, end, &field);
    if (value == NULL) {
        return NULL;
    }
    if (field == FIELD_SYNC) {
        return msgpack_read_uint(value, end, &answer->sync);
    }
    if (field == FIELD_DATA) {
        answer->data = value;
    } else if (field == FIELD_ERROR) {
        answer->error = read_kind(value, end, KIND_STRING, &count);
        answer->error_bytes = answer->error != NULL ? (uint32_t)count : 0;
    }
    return skip(value, end);
}

static const char *read_fields(const char *bytes, const char *end, struct iproto_answer *answer)
{
    uint64_t count = 0;
    bytes = read_kind(bytes, end, KIND_MAP, &count);
    for (uint64_t i = 0; i < count && bytes != NULL; i++) {
        bytes = read_field(bytes, end, answer);
    }
    return bytes;
}

enum iproto_code iproto_answer_read(const char *bytes, const char *end,
                                    struct iproto_answer *answer_out)
{
    uint64_t length;
    *answer_out = (struct iproto_answer){0};
    if (end - bytes < IPROTO_VALUE_BYTES_MAX) {
        return IPROTO_SHORT; /* shorter than any answer */
    }
    const char *header = msgpack_read_uint(bytes, end, &length);
    if (header == NULL) {
        return IPROTO_BROKEN;
    }
    if ((uint64_t)(end - header) < length) {
        return IPROTO_SHORT;
    }
    answer_out->end = header + length;
    const char *body = read_fields(header, answer_out->end, answer_out);
    if (body == NULL || read_fields(body, answer_out->end, answer_out) != answer_out->end) {
        return IPROTO_BROKEN;
    }
    return answer_out->data != NULL || answer_out->error != NULL ? IPROTO_GOOD : IPROTO_BROKEN;
}
