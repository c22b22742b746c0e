#ifndef HF_REPLAY_LOG_CHART_H
#define HF_REPLAY_LOG_CHART_H
/* Counts over time, in rows of one width; and bars drawn with letters. */

#include <stdbool.h>
#include <stdint.h>

enum { CHART_KIND_COUNT = 9 }; /* a record type each */

struct chart_row {
    uint64_t counts[CHART_KIND_COUNT];
};

struct chart {
    uint64_t width_ms; /* of a row */
    bool is_fixed;     /* else rows become wider until they are few enough */
    uint64_t first;    /* row 0 begins at first * width_ms */
    uint32_t row_count;
    struct chart_row *rows;
    bool is_too_long; /* of a fixed width: more rows than anybody wants to see */
};

/* `width_ms`: 0 = as wide as fits. */
void chart_begin(struct chart *chart, uint64_t width_ms);
void chart_end(struct chart *chart);

void chart_add(struct chart *chart, uint64_t time_ms, uint32_t kind);

uint64_t chart_row_sum(const struct chart_row *row);

/* "#####" of a length up to `columns`, for `value` of `most`. */
void chart_print_bar(uint64_t value, uint64_t most, uint32_t columns);

/* Columns that are left of the terminal's width behind `used` ones; of 80 where there is none. */
uint32_t chart_columns(uint32_t used);

#endif
