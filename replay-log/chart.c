#include "chart.h"

#include "allocate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ROWS_AS_FIT = 40, ROWS_MOST = 100000 };

#define SECOND_MS 1000ull
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* Each a multiple of the one before, so that rows can be put together. */
static const uint64_t widths_ms[] = {
    1,       10,          100,    SECOND_MS,   10 * SECOND_MS, MINUTE_MS,     10 * MINUTE_MS,
    HOUR_MS, 6 * HOUR_MS, DAY_MS, 10 * DAY_MS, 100 * DAY_MS,   1000 * DAY_MS, 10000 * DAY_MS,
};

static uint32_t rows_max(const struct chart *chart)
{
    return chart->is_fixed ? ROWS_MOST : ROWS_AS_FIT;
}

void chart_begin(struct chart *chart, uint64_t width_ms)
{
    *chart = (struct chart){.width_ms = width_ms, .is_fixed = width_ms != 0};
    if (!chart->is_fixed)
        chart->width_ms = widths_ms[0];
    chart->rows = allocate(rows_max(chart), sizeof chart->rows[0]);
}

void chart_end(struct chart *chart)
{
    free(chart->rows);
}

static uint64_t next_width_ms(uint64_t width_ms)
{
    size_t i = 0;
    while (widths_ms[i] <= width_ms)
        i++;
    return widths_ms[i];
}

/* Rows of the next width. */
static void widen(struct chart *chart)
{
    const uint64_t width_ms = next_width_ms(chart->width_ms);
    const uint64_t factor = width_ms / chart->width_ms;
    const uint64_t first = chart->first / factor;
    const uint32_t count = (uint32_t)((chart->first + chart->row_count - 1) / factor - first + 1);
    for (uint32_t i = 0; i < chart->row_count; i++) {
        struct chart_row row = chart->rows[i];
        chart->rows[i] = (struct chart_row){.counts = {0}};
        struct chart_row *to = &chart->rows[(chart->first + i) / factor - first];
        for (uint32_t kind = 0; kind < CHART_KIND_COUNT; kind++)
            to->counts[kind] += row.counts[kind];
    }
    chart->width_ms = width_ms;
    chart->first = first;
    chart->row_count = count;
}

/* True when the row is there, between the first and the last. */
static bool reach(struct chart *chart, uint64_t number)
{
    if (chart->row_count == 0) {
        chart->first = number;
        chart->row_count = 1;
    }
    const uint64_t first = number < chart->first ? number : chart->first;
    const uint64_t last = chart->first + chart->row_count - 1;
    const uint64_t count = (number > last ? number : last) - first + 1;
    if (count > rows_max(chart))
        return false;
    const size_t shift = (size_t)(chart->first - first);
    memmove(chart->rows + shift, chart->rows, chart->row_count * sizeof chart->rows[0]);
    memset(chart->rows, 0, shift * sizeof chart->rows[0]);
    chart->first = first;
    chart->row_count = (uint32_t)count;
    return true;
}

void chart_add(struct chart *chart, uint64_t time_ms, uint32_t kind)
{
    while (!chart->is_too_long && !reach(chart, time_ms / chart->width_ms)) {
        chart->is_too_long = chart->is_fixed;
        if (!chart->is_fixed)
            widen(chart);
    }
    if (!chart->is_too_long)
        chart->rows[time_ms / chart->width_ms - chart->first].counts[kind]++;
}

uint64_t chart_row_sum(const struct chart_row *row)
{
    uint64_t sum = 0;
    for (uint32_t kind = 0; kind < CHART_KIND_COUNT; kind++)
        sum += row->counts[kind];
    return sum;
}

void chart_print_bar(uint64_t value, uint64_t most, uint32_t columns)
{
    const double part = most == 0 ? 0 : (double)value / (double)most;
    uint32_t length = (uint32_t)(part * columns + 0.5);
    if (value > 0 && length == 0)
        length = 1;
    for (uint32_t i = 0; i < length; i++)
        putchar('#');
}

uint32_t chart_columns(uint32_t used)
{
    struct winsize size;
    uint32_t columns = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    return columns > used + 10 ? columns - used - 1 : 10;
}
