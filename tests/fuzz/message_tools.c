#include "message_tools.h"

/* protobuf-c describes a message as a struct: each field has an offset, and a repeated or optional
 * one another offset for its count. Nothing here knows a message by name. */

static _Alignas(16) uint8_t build_memory[MESSAGE_BUILD_BYTES];
static size_t build_used;

static void *build_allocate(size_t bytes)
{
    size_t padded = (bytes + 15) / 16 * 16;
    hf_assert(build_used + padded <= sizeof build_memory);
    void *memory = build_memory + build_used;
    build_used += padded;
    memset(memory, 0, padded);
    return memory;
}

static size_t element_bytes(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        return 4;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return 8;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        hf_assert(field->type == PROTOBUF_C_TYPE_MESSAGE);
        return sizeof(ProtobufCMessage *);
    }
}

/* ---- making ---- */

static const ProtobufCMessage *build(const ProtobufCMessageDescriptor *descriptor,
                                     struct fuzz_tape *tape, uint32_t row_count);

/* Writes one element of a field. */
static void build_element(const ProtobufCFieldDescriptor *field, struct fuzz_tape *tape,
                          uint32_t row_count, uint8_t *to)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *message = build(field->descriptor, tape, row_count);
        memcpy(to, &message, sizeof message);
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData bytes = {0, NULL};
        const uint8_t *from = fuzz_take_bytes(tape, fuzz_take_u8(tape) % 80, &bytes.len);
        if (bytes.len > 0) {
            bytes.data = build_allocate(bytes.len);
            memcpy(bytes.data, from, bytes.len);
        }
        memcpy(to, &bytes, sizeof bytes);
    } else {
        uint64_t value = fuzz_take_number(tape);
        if (field->type == PROTOBUF_C_TYPE_BOOL)
            value &= 1;
        memcpy(to, &value, element_bytes(field)); /* the low bytes: little-endian */
    }
}

static size_t choose_count(uint8_t choice, uint32_t row_count)
{
    switch (choice % 8) {
    case 0:
        return 0;
    case 1:
    case 2:
        return 1;
    case 3:
        return choice / 8; /* up to 31, right or not */
    default:
        return row_count;
    }
}

/* A long column takes few bytes of the tape: its values repeat what was taken. */
static void build_repeated(const ProtobufCFieldDescriptor *field, struct fuzz_tape *tape,
                           uint32_t row_count, uint8_t *message)
{
    size_t count = choose_count(fuzz_take_u8(tape), row_count);
    size_t bytes = element_bytes(field);
    if (count == 0)
        return;
    uint8_t *elements = build_allocate(count * bytes);
    size_t taken = 0;
    for (; taken < count && (taken == 0 || fuzz_left(tape) > 0) && taken < 8; taken++)
        build_element(field, tape, row_count, elements + taken * bytes);
    for (size_t i = taken; i < count; i++)
        memcpy(elements + i * bytes, elements + (i % taken) * bytes, bytes);
    memcpy(message + field->quantifier_offset, &count, sizeof count);
    memcpy(message + field->offset, &elements, sizeof elements);
}

static const ProtobufCMessage *build(const ProtobufCMessageDescriptor *descriptor,
                                     struct fuzz_tape *tape, uint32_t row_count)
{
    uint8_t *message = build_allocate(descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (strcmp(field->name, "row_count") == 0)
            memcpy(message + field->offset, &row_count, sizeof row_count);
        else if (field->label == PROTOBUF_C_LABEL_REPEATED)
            build_repeated(field, tape, row_count, message);
        else if (fuzz_take_u8(tape) % 4 != 0)
            build_element(field, tape, row_count, message + field->offset);
    }
    return (const ProtobufCMessage *)(const void *)message;
}

const ProtobufCMessage *message_build(const ProtobufCMessageDescriptor *descriptor,
                                      struct fuzz_tape *tape, uint32_t row_count)
{
    hf_assert(row_count <= MESSAGE_BUILD_ROWS_MAX);
    build_used = 0;
    return build(descriptor, tape, row_count);
}

/* ---- comparing ---- */

static bool element_equals(const ProtobufCFieldDescriptor *field, const uint8_t *a,
                           const uint8_t *b)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *message_a;
        const ProtobufCMessage *message_b;
        memcpy(&message_a, a, sizeof message_a);
        memcpy(&message_b, b, sizeof message_b);
        if (message_a == NULL || message_b == NULL)
            return message_a == message_b;
        return message_equals(message_a, message_b);
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData bytes_a;
        ProtobufCBinaryData bytes_b;
        memcpy(&bytes_a, a, sizeof bytes_a);
        memcpy(&bytes_b, b, sizeof bytes_b);
        return bytes_a.len == bytes_b.len &&
               (bytes_a.len == 0 || memcmp(bytes_a.data, bytes_b.data, bytes_a.len) == 0);
    }
    return memcmp(a, b, element_bytes(field)) == 0;
}

static bool repeated_equals(const ProtobufCFieldDescriptor *field, const uint8_t *a,
                            const uint8_t *b)
{
    size_t count_a;
    size_t count_b;
    const uint8_t *elements_a;
    const uint8_t *elements_b;
    memcpy(&count_a, a + field->quantifier_offset, sizeof count_a);
    memcpy(&count_b, b + field->quantifier_offset, sizeof count_b);
    memcpy(&elements_a, a + field->offset, sizeof elements_a);
    memcpy(&elements_b, b + field->offset, sizeof elements_b);
    if (count_a != count_b)
        return false;
    for (size_t i = 0; i < count_a; i++) {
        size_t at = i * element_bytes(field);
        if (!element_equals(field, elements_a + at, elements_b + at))
            return false;
    }
    return true;
}

static bool unknown_equals(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (a->n_unknown_fields != b->n_unknown_fields)
        return false;
    for (unsigned i = 0; i < a->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field_a = &a->unknown_fields[i];
        const ProtobufCMessageUnknownField *field_b = &b->unknown_fields[i];
        if (field_a->tag != field_b->tag || field_a->wire_type != field_b->wire_type ||
            field_a->len != field_b->len || memcmp(field_a->data, field_b->data, field_a->len) != 0)
            return false;
    }
    return true;
}

bool message_equals(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    const uint8_t *bytes_a = (const uint8_t *)a;
    const uint8_t *bytes_b = (const uint8_t *)b;
    if (a->descriptor != b->descriptor || !unknown_equals(a, b))
        return false;
    for (unsigned i = 0; i < a->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &a->descriptor->fields[i];
        bool is_repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        if (is_repeated ? !repeated_equals(field, bytes_a, bytes_b)
                        : !element_equals(field, bytes_a + field->offset, bytes_b + field->offset))
            return false;
    }
    return true;
}

/* ---- numbers of fields ---- */

static bool element_can_be_encoded(const uint8_t *element)
{
    const ProtobufCMessage *message;
    memcpy(&message, element, sizeof message);
    return message == NULL || message_can_be_encoded(message);
}

static bool field_can_be_encoded(const ProtobufCFieldDescriptor *field, const uint8_t *message)
{
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return true;
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return element_can_be_encoded(message + field->offset);
    size_t count;
    const uint8_t *elements;
    memcpy(&count, message + field->quantifier_offset, sizeof count);
    memcpy(&elements, message + field->offset, sizeof elements);
    for (size_t i = 0; i < count; i++)
        if (!element_can_be_encoded(elements + i * element_bytes(field)))
            return false;
    return true;
}

bool message_can_be_encoded(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        if (message->unknown_fields[i].tag == 0 || message->unknown_fields[i].tag >= 1u << 29)
            return false;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        if (!field_can_be_encoded(&message->descriptor->fields[i], (const uint8_t *)message))
            return false;
    return true;
}
