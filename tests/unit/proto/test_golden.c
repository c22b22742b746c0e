#include "proto/message.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The committed vectors of tests/golden, whose bytes an independent codec makes from their fields
 * (tests/golden/make.py): each frame must be sound here, decode as the message it names, and encode
 * to the very same bytes. */

enum { FRAME_BYTES_MAX = 4096 };

static json_t *vectors(const char *section)
{
    json_error_t error;
    json_t *document = json_load_file(HOLDFAST_GOLDEN_FILE, 0, &error);
    cr_assert(document != NULL, "%s:%d: %s", HOLDFAST_GOLDEN_FILE, error.line, error.text);
    json_t *array = json_incref(json_object_get(document, section));
    json_decref(document);
    cr_assert(json_array_size(array) > 0);
    return array;
}

static const char *text(const json_t *vector, const char *key)
{
    const char *value = json_string_value(json_object_get(vector, key));
    cr_assert(value != NULL, "%s is missing", key);
    return value;
}

static size_t bytes_from_hex(const char *hex, uint8_t *bytes)
{
    size_t count = strlen(hex) / 2;
    cr_assert(count <= FRAME_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return count;
}

static void decode_and_encode(const json_t *vector)
{
    static _Alignas(16) uint8_t memory[8 * FRAME_BYTES_MAX];
    uint8_t expected[FRAME_BYTES_MAX], made[FRAME_BYTES_MAX];
    const char *name = text(vector, "name");
    size_t bytes = bytes_from_hex(text(vector, "bytes"), expected);
    uint8_t type = (uint8_t)json_integer_value(json_object_get(vector, "type"));

    struct frame_header header;
    size_t need_bytes;
    cr_assert(frame_parse(expected, bytes, FRAME_BODY_BYTES_MAX, type < FRAME_REPLY, &header,
                          &need_bytes) == FRAME_OK,
              "%s", name);
    cr_assert(need_bytes == bytes && header.type == type, "%s", name);
    cr_assert(header.request_id == strtoull(text(vector, "request_id"), NULL, 10), "%s", name);

    const ProtobufCMessageDescriptor *descriptor = message_descriptor(type);
    cr_assert_str_eq(descriptor->short_name, text(vector, "message"));
    struct message_arena arena;
    message_arena_init(&arena, memory, sizeof(memory));
    const ProtobufCMessage *message =
        message_decode(&arena, descriptor, expected + FRAME_HEADER_BYTES, header.body_bytes);
    cr_assert(message != NULL, "%s", name);
    cr_assert(message->n_unknown_fields == 0, "%s", name);
    cr_assert(message_encode_frame(message, type, header.request_id, made, sizeof(made)) == bytes,
              "%s", name);
    cr_assert(memcmp(made, expected, bytes) == 0, "%s", name);
}

Test(golden, every_frame_decodes_and_encodes_to_the_same_bytes)
{
    json_t *array = vectors("frames");
    size_t i;
    json_t *vector;
    json_array_foreach(array, i, vector)
    {
        decode_and_encode(vector);
    }
    json_decref(array);
}

Test(golden, every_type_has_a_vector)
{
    bool seen[256] = {0};
    json_t *array = vectors("frames");
    size_t i;
    json_t *vector;
    json_array_foreach(array, i, vector)
    {
        seen[json_integer_value(json_object_get(vector, "type")) & 255] = true;
    }
    json_decref(array);
    for (int type = 0; type < 256; type++) {
        bool is_type = message_descriptor((uint8_t)type) != NULL;
        cr_assert(seen[type] == is_type, "type %d", type);
    }
}

Test(golden, items_hash_to_the_committed_cores)
{
    json_t *array = vectors("cores");
    size_t i;
    json_t *choice;
    json_array_foreach(array, i, choice)
    {
        uint64_t item_id = strtoull(text(choice, "item_id"), NULL, 10);
        uint64_t hash = XXH3_64bits(&item_id, sizeof(item_id));
        cr_assert(hash == strtoull(text(choice, "hash"), NULL, 16));
        cr_assert((json_int_t)(hash % 4) ==
                  json_integer_value(json_object_get(choice, "core_of_4")));
    }
    json_decref(array);
}
