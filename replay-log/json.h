#ifndef HF_REPLAY_LOG_JSON_H
#define HF_REPLAY_LOG_JSON_H
/* JSON: objects of jansson for what is small, and pieces of text for what is long. Ids of 64 bits
 * are strings, because many readers of JSON keep numbers as doubles and would change the last
 * digits; counts and times are numbers. */

#include "base/id.h"
#include "stock/record.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Takes the value over. */
void json_add(json_t *object, const char *key, json_t *value);
void json_add_u64(json_t *object, const char *key, uint64_t value);
void json_add_text(json_t *object, const char *key, const char *text);
/* 16 hexadecimal digits. */
void json_add_hash(json_t *object, const char *key, uint64_t hash);
void json_append(json_t *array, json_t *value);
/* Never NULL. */
json_t *json_new_object(void);
json_t *json_new_array(void);

/* Prints it as one line and frees it. */
void json_print(json_t *object, FILE *to);

/* `"sku":"..."`, or `"sku_hex":"..."` when it is no UTF-8. */
void json_write_sku(const struct stock_item_settings *item, FILE *to);

#endif
