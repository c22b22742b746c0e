#include "json.h"

#include "text.h"

#include "base/assert.h"

#include <inttypes.h>

void json_add(json_t *object, const char *key, json_t *value)
{
    hf_assert(json_object_set_new(object, key, value) == 0);
}

void json_add_u64(json_t *object, const char *key, uint64_t value)
{
    json_add(object, key, json_integer((json_int_t)value));
}

void json_add_text(json_t *object, const char *key, const char *text)
{
    json_t *value = json_string(text);
    json_add(object, key, value != NULL ? value : json_string("(no UTF-8)"));
}

void json_add_hash(json_t *object, const char *key, uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    json_add(object, key, json_string(text));
}

void json_append(json_t *array, json_t *value)
{
    hf_assert(json_array_append_new(array, value) == 0);
}

json_t *json_new_object(void)
{
    json_t *object = json_object();
    hf_assert(object != NULL);
    return object;
}

json_t *json_new_array(void)
{
    json_t *array = json_array();
    hf_assert(array != NULL);
    return array;
}

void json_print(json_t *object, FILE *to)
{
    json_dumpf(object, to, JSON_COMPACT);
    fputc('\n', to);
    json_decref(object);
}

/* A SKU is any bytes; JSON takes UTF-8 only. */
void json_write_sku(const struct stock_item_settings *item, FILE *to)
{
    if (text_is_utf8(item->sku, item->sku_bytes)) {
        json_t *text = json_stringn(item->sku, item->sku_bytes);
        hf_assert(text != NULL);
        fputs("\"sku\":", to);
        json_dumpf(text, to, JSON_ENCODE_ANY);
        json_decref(text);
        return;
    }
    fputs("\"sku_hex\":\"", to);
    for (uint32_t i = 0; i < item->sku_bytes; i++)
        fprintf(to, "%02x", (uint8_t)item->sku[i]);
    fputc('"', to);
}
