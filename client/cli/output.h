#ifndef HF_CLI_OUTPUT_H
#define HF_CLI_OUTPUT_H
/* Answers as lines of "name  value", aligned, or as one JSON object. The same calls fill both. */

#include <holdfast.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { OUTPUT_LINE_COUNT_MAX = 48, OUTPUT_NAME_BYTES = 32, OUTPUT_VALUE_BYTES = 128 };

struct output {
    bool is_json;
    json_t *object;
    struct {
        char name[OUTPUT_NAME_BYTES];
        char value[OUTPUT_VALUE_BYTES];
    } lines[OUTPUT_LINE_COUNT_MAX];
    uint32_t line_count;
};

void output_init(struct output *output, bool is_json);

/* Names are those of JSON, such as "expires_ms"; people see "expires". */
void output_text(struct output *output, const char *name, const char *value);
void output_number(struct output *output, const char *name, uint64_t value);
void output_bool(struct output *output, const char *name, bool value);

/* An id of 64 bits: a string in JSON, whose numbers are not good for more than 53. */
void output_key(struct output *output, const char *name, uint64_t value);
void output_hex(struct output *output, const char *name, uint64_t value);
void output_id(struct output *output, hf_id id);

/* HF_UNLIMITED is shown as "unlimited". */
void output_units(struct output *output, const char *name, int64_t value);

/* `name` ends with "_ms". 0 is not shown to people. */
void output_moment(struct output *output, const char *name, uint64_t ms);
void output_duration(struct output *output, const char *name, uint64_t ms);

void output_item(struct output *output, const hf_item *item);

/* Prints, and forgets what was printed. */
void output_flush(struct output *output);

/* Forgets without printing. */
void output_drop(struct output *output);

/* The item alone, for lists. The caller's to release. */
json_t *output_item_json(const hf_item *item);

#endif
