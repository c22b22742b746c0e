#ifndef HF_CLI_CATALOGUE_H
#define HF_CLI_CATALOGUE_H
/* A catalogue file: CSV with one item a line, under a header line that names the columns, in any
 * order. `sku` and `stock` are needed; `item_id` (default: made of the SKU), `buyer_limit`,
 * `hold_cap`, `hold_time`, `opens_at`, `closes_at` and `paused` are not, and an empty cell is as
 * good as none. No I/O: takes the file's text. */

#include <holdfast.h>

#include <stddef.h>
#include <stdint.h>

enum { CATALOGUE_PROBLEM_COUNT_MAX = 20, CATALOGUE_PROBLEM_BYTES = 160 };

struct catalogue_problem {
    uint32_t line;
    uint32_t column;
    char text[CATALOGUE_PROBLEM_BYTES];
};

struct catalogue_item {
    hf_item_settings settings;
    uint32_t line;
};

struct catalogue {
    struct catalogue_item *items; /* in the order of the file */
    uint32_t item_count;
    uint32_t item_capacity;
    struct catalogue_problem problems[CATALOGUE_PROBLEM_COUNT_MAX]; /* the first ones */
    uint32_t problem_count;                                         /* in all */
};

/* Reads everything, problems included: the catalogue is good if problem_count is 0. `text` is
 * changed; text[bytes] must be writable. Times such as "+15m" count from `now_ms`. Returns false
 * when memory is out. */
bool catalogue_read(struct catalogue *catalogue, char *text, size_t bytes, uint64_t now_ms);

void catalogue_free(struct catalogue *catalogue);

#endif
