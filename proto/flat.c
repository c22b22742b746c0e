#include "proto/flat.h"

#include <endian.h>
#include <string.h>

enum {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_NONE = 8, /* no wire type */
    WIRE_BITS = 3,
    WIRE_MASK = (1 << WIRE_BITS) - 1,
    FIELD_NUMBER_MAX = 15,   /* what a tag of one byte can name */
    FIELD_BYTES_MAX = 1 + 8, /* of a flat field: a tag and the longest number */
    VARINT32_BYTES_MAX = 5,
};

/* How a field is written; WIRE_NONE when it is not a single number of the kinds that rows have. */
static unsigned wire_type_of(const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_NONE ||
        (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        return WIRE_NONE;
    }
    switch (field->type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
        return WIRE_VARINT;
    default:
        return WIRE_NONE;
    }
}

/* Bytes that are enough for each field once. */
static size_t body_bytes_enough(const ProtobufCMessageDescriptor *descriptor)
{
    return (size_t)descriptor->n_fields * FIELD_BYTES_MAX;
}

/* ---- decoding ---- */

/* The field that a tag of one byte announces, or NULL. In our messages the first field has the
 * number 1, the second the number 2, and so on. */
static const ProtobufCFieldDescriptor *field_of_tag(const ProtobufCMessageDescriptor *descriptor,
                                                    uint8_t tag)
{
    unsigned number = tag >> WIRE_BITS;
    if (number == 0 || number > FIELD_NUMBER_MAX || number > descriptor->n_fields) {
        return NULL;
    }
    const ProtobufCFieldDescriptor *field = &descriptor->fields[number - 1];
    bool is_as_said = field->id == number && wire_type_of(field) == (tag & WIRE_MASK);
    return is_as_said ? field : NULL;
}

/* Returns what stands behind the number, or NULL. */
static const uint8_t *get_fixed64(const uint8_t *from, const uint8_t *end, void *value_out)
{
    uint64_t value;
    if ((size_t)(end - from) < sizeof value) {
        return NULL;
    }
    memcpy(&value, from, sizeof value);
    value = le64toh(value);
    memcpy(value_out, &value, sizeof value);
    return from + sizeof value;
}

static const uint8_t *get_varint32(const uint8_t *from, const uint8_t *end, void *value_out)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT32_BYTES_MAX && from < end; i++) {
        uint8_t byte = *from++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            uint32_t value32 = (uint32_t)value;
            memcpy(value_out, &value32, sizeof value32);
            return value == value32 ? from : NULL;
        }
    }
    return NULL;
}

const ProtobufCMessage *flat_decode(struct message_arena *arena,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    const uint8_t *body, size_t body_bytes)
{
    if (body_bytes > body_bytes_enough(descriptor)) {
        return NULL;
    }
    ProtobufCMessage *message =
        arena->allocator.alloc(arena->allocator.allocator_data, descriptor->sizeof_message);
    if (message == NULL) {
        return NULL;
    }
    descriptor->message_init(message);
    const uint8_t *end = body + body_bytes;
    for (const uint8_t *at = body; at != end;) {
        uint8_t tag = *at++;
        const ProtobufCFieldDescriptor *field = field_of_tag(descriptor, tag);
        if (field == NULL) {
            return NULL;
        }
        void *value = (uint8_t *)message + field->offset;
        at = (tag & WIRE_MASK) == WIRE_FIXED64 ? get_fixed64(at, end, value)
                                               : get_varint32(at, end, value);
        if (at == NULL) {
            return NULL;
        }
    }
    return message;
}

/* ---- encoding ---- */

/* Returns what comes behind the number; nothing is written of a zero, here and below. */
static uint8_t *put_fixed64(uint8_t *to, uint8_t tag, const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    if (value == 0) {
        return to;
    }
    *to++ = tag;
    value = htole64(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static uint8_t *put_varint32(uint8_t *to, uint8_t tag, uint32_t value)
{
    if (value == 0) {
        return to;
    }
    *to++ = tag;
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

bool flat_encode(const ProtobufCMessage *message, uint8_t *body, size_t body_bytes_max,
                 size_t *body_bytes_out)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    if (message->n_unknown_fields > 0 || descriptor->n_fields > FIELD_NUMBER_MAX ||
        body_bytes_max < body_bytes_enough(descriptor)) {
        return false;
    }
    uint8_t *to = body;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        unsigned wire_type = wire_type_of(field);
        const void *value = (const uint8_t *)message + field->offset;
        uint8_t tag = (uint8_t)(field->id << WIRE_BITS | wire_type);
        if (field->id > FIELD_NUMBER_MAX || wire_type == WIRE_NONE) {
            return false;
        }
        if (wire_type == WIRE_FIXED64) {
            to = put_fixed64(to, tag, value);
            continue;
        }
        uint32_t number;
        memcpy(&number, value, sizeof number);
        if (field->type == PROTOBUF_C_TYPE_ENUM && number > INT32_MAX) {
            return false; /* as negative numbers are, it would be ten bytes long */
        }
        to = put_varint32(to, tag, number);
    }
    *body_bytes_out = (size_t)(to - body);
    return true;
}
