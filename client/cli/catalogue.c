#include "catalogue.h"

#include "base/units.h"
#include "csv.h"
#include "moment.h"
#include "value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column {
    COLUMN_SKU,
    COLUMN_STOCK,
    COLUMN_ITEM_ID,
    COLUMN_BUYER_LIMIT,
    COLUMN_HOLD_CAP,
    COLUMN_HOLD_TIME,
    COLUMN_OPENS_AT,
    COLUMN_CLOSES_AT,
    COLUMN_PAUSED,
    COLUMN_COUNT,
};

/* A value for the settings from a cell's text. `now_ms` is for times. */
typedef bool (*column_parse_fn)(const char *text, uint64_t now_ms, hf_item_settings *settings);

static bool parse_sku(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    (void)now_ms;
    if (!value_is_sku(text))
        return false;
    memcpy(settings->sku, text, strlen(text) + 1);
    return true;
}

static bool parse_stock(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    (void)now_ms;
    return value_parse_stock(text, &settings->stock);
}

static bool parse_item_id(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    (void)now_ms;
    return value_parse_u64(text, &settings->item_id) && settings->item_id != 0;
}

static bool parse_buyer_limit(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    (void)now_ms;
    return value_parse_count(text, &settings->buyer_limit);
}

static bool parse_hold_cap(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    (void)now_ms;
    return value_parse_count(text, &settings->hold_cap);
}

static bool parse_hold_time(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    (void)now_ms;
    return units_parse_duration_ms(text, &settings->hold_ms);
}

static bool parse_moment(const char *text, uint64_t now_ms, uint64_t *ms_out)
{
    struct moment moment;
    if (!moment_parse(text, &moment))
        return false;
    *ms_out = moment_at(&moment, now_ms);
    return true;
}

static bool parse_opens_at(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    return parse_moment(text, now_ms, &settings->opens_at_ms);
}

static bool parse_closes_at(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    return parse_moment(text, now_ms, &settings->closes_at_ms);
}

static bool parse_paused(const char *text, uint64_t now_ms, hf_item_settings *settings)
{
    (void)now_ms;
    return value_parse_bool(text, &settings->paused);
}

static const struct {
    const char *name;
    column_parse_fn parse;
    bool is_needed;
    const char *takes;
} columns[COLUMN_COUNT] = {
    [COLUMN_SKU] = {"sku", parse_sku, true, VALUE_SKU_HELP},
    [COLUMN_STOCK] = {"stock", parse_stock, true, VALUE_STOCK_HELP},
    [COLUMN_ITEM_ID] = {"item_id", parse_item_id, false, VALUE_U64_HELP ", not 0"},
    [COLUMN_BUYER_LIMIT] = {"buyer_limit", parse_buyer_limit, false, VALUE_COUNT_HELP},
    [COLUMN_HOLD_CAP] = {"hold_cap", parse_hold_cap, false, VALUE_COUNT_HELP},
    [COLUMN_HOLD_TIME] = {"hold_time", parse_hold_time, false, VALUE_DURATION_HELP},
    [COLUMN_OPENS_AT] = {"opens_at", parse_opens_at, false, VALUE_MOMENT_OR_NONE_HELP},
    [COLUMN_CLOSES_AT] = {"closes_at", parse_closes_at, false, VALUE_MOMENT_OR_NONE_HELP},
    [COLUMN_PAUSED] = {"paused", parse_paused, false, VALUE_BOOL_HELP},
};

/* Which column each cell of a row belongs to. */
struct header {
    enum column columns[CSV_CELL_COUNT_MAX];
    uint32_t cell_count;
};

__attribute__((format(printf, 4, 5))) static void
add_problem(struct catalogue *catalogue, uint32_t line, uint32_t column, const char *format, ...)
{
    uint32_t index = catalogue->problem_count++;
    if (index >= CATALOGUE_PROBLEM_COUNT_MAX)
        return;
    struct catalogue_problem *problem = &catalogue->problems[index];
    problem->line = line;
    problem->column = column;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
}

/* ---- the header line ---- */

static enum column find_column(const char *name)
{
    enum column column = 0;
    while (column < COLUMN_COUNT && strcmp(columns[column].name, name) != 0)
        column++;
    return column;
}

static void read_header(struct catalogue *catalogue, const struct csv_row *row,
                        struct header *header_out)
{
    bool is_there[COLUMN_COUNT] = {false};
    header_out->cell_count = row->cell_count;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const struct csv_cell *cell = &row->cells[i];
        enum column column = find_column(cell->text);
        header_out->columns[i] = column;
        if (column == COLUMN_COUNT)
            add_problem(catalogue, cell->line, cell->column, "no column is called '%.40s'",
                        cell->text);
        else if (is_there[column])
            add_problem(catalogue, cell->line, cell->column, "column %s is there twice",
                        cell->text);
        else
            is_there[column] = true;
    }
    for (enum column column = 0; column < COLUMN_COUNT; column++) {
        if (columns[column].is_needed && !is_there[column])
            add_problem(catalogue, row->cells[0].line, 1, "column %s is missing",
                        columns[column].name);
    }
}

/* ---- items ---- */

static void read_cell(struct catalogue *catalogue, const struct csv_cell *cell, enum column column,
                      uint64_t now_ms, hf_item_settings *settings)
{
    const char *name = columns[column].name;
    if (cell->text[0] == '\0') {
        if (columns[column].is_needed)
            add_problem(catalogue, cell->line, cell->column, "%s is empty", name);
    } else if (!columns[column].parse(cell->text, now_ms, settings)) {
        add_problem(catalogue, cell->line, cell->column, "%s: '%.40s' is not %s", name, cell->text,
                    columns[column].takes);
    }
}

static struct catalogue_item *add_item(struct catalogue *catalogue)
{
    if (catalogue->item_count == catalogue->item_capacity) {
        uint32_t capacity = catalogue->item_capacity ? catalogue->item_capacity * 2 : 256;
        struct catalogue_item *items = realloc(catalogue->items, capacity * sizeof *items);
        if (!items)
            return NULL;
        catalogue->items = items;
        catalogue->item_capacity = capacity;
    }
    struct catalogue_item *item = &catalogue->items[catalogue->item_count++];
    memset(item, 0, sizeof *item);
    return item;
}

static bool read_item(struct catalogue *catalogue, const struct csv_row *row,
                      const struct header *header, uint64_t now_ms)
{
    const struct csv_cell *first = &row->cells[0];
    if (row->cell_count != header->cell_count) {
        add_problem(catalogue, first->line, first->column,
                    "%u cells, but the header line has %u columns", row->cell_count,
                    header->cell_count);
        return true;
    }
    struct catalogue_item *item = add_item(catalogue);
    if (!item)
        return false;
    item->line = first->line;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (header->columns[i] < COLUMN_COUNT)
            read_cell(catalogue, &row->cells[i], header->columns[i], now_ms, &item->settings);
    }
    if (item->settings.item_id == 0)
        item->settings.item_id = hf_key64(item->settings.sku);
    return true;
}

/* ---- duplicates ---- */

static int compare_skus(const void *left, const void *right)
{
    const struct catalogue_item *a = *(const struct catalogue_item *const *)left;
    const struct catalogue_item *b = *(const struct catalogue_item *const *)right;
    int order = strcmp(a->settings.sku, b->settings.sku);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static int compare_ids(const void *left, const void *right)
{
    const struct catalogue_item *a = *(const struct catalogue_item *const *)left;
    const struct catalogue_item *b = *(const struct catalogue_item *const *)right;
    if (a->settings.item_id != b->settings.item_id)
        return a->settings.item_id > b->settings.item_id ? 1 : -1;
    return (a->line > b->line) - (a->line < b->line);
}

static void find_same_skus(struct catalogue *catalogue, const struct catalogue_item **sorted)
{
    qsort(sorted, catalogue->item_count, sizeof *sorted, compare_skus);
    for (uint32_t i = 1; i < catalogue->item_count; i++) {
        const char *sku = sorted[i]->settings.sku;
        if (sku[0] != '\0' && strcmp(sorted[i - 1]->settings.sku, sku) == 0)
            add_problem(catalogue, sorted[i]->line, 1, "sku '%.64s' is on line %u as well", sku,
                        sorted[i - 1]->line);
    }
}

/* Items with the same SKU were told already. */
static void find_same_ids(struct catalogue *catalogue, const struct catalogue_item **sorted)
{
    qsort(sorted, catalogue->item_count, sizeof *sorted, compare_ids);
    for (uint32_t i = 1; i < catalogue->item_count; i++) {
        const hf_item_settings *before = &sorted[i - 1]->settings;
        const hf_item_settings *here = &sorted[i]->settings;
        if (here->item_id == before->item_id && strcmp(here->sku, before->sku) != 0)
            add_problem(catalogue, sorted[i]->line, 1, "item id %llu is on line %u as well",
                        (unsigned long long)here->item_id, sorted[i - 1]->line);
    }
}

static bool find_duplicates(struct catalogue *catalogue)
{
    if (catalogue->item_count == 0)
        return true;
    const struct catalogue_item **sorted = malloc(catalogue->item_count * sizeof *sorted);
    if (!sorted)
        return false;
    for (uint32_t i = 0; i < catalogue->item_count; i++)
        sorted[i] = &catalogue->items[i];
    find_same_skus(catalogue, sorted);
    find_same_ids(catalogue, sorted);
    free(sorted);
    return true;
}

static int compare_problems(const void *left, const void *right)
{
    const struct catalogue_problem *a = left;
    const struct catalogue_problem *b = right;
    if (a->line != b->line)
        return a->line > b->line ? 1 : -1;
    return (a->column > b->column) - (a->column < b->column);
}

/* ---- all ---- */

static bool read_rows(struct catalogue *catalogue, struct csv *csv, uint64_t now_ms)
{
    struct header header = {.cell_count = 0};
    struct csv_row row;
    struct csv_problem problem;
    for (;;) {
        switch (csv_read_row(csv, &row, &problem)) {
        case CSV_END:
            if (header.cell_count == 0 && catalogue->problem_count == 0)
                add_problem(catalogue, 1, 1, "the file is empty: a header line is needed");
            return true;
        case CSV_BAD:
            add_problem(catalogue, problem.line, problem.column, "%s", problem.text);
            if (header.cell_count == 0)
                return true; /* without a header line nothing can be said of the rest */
            break;
        case CSV_ROW:
            if (header.cell_count == 0) {
                read_header(catalogue, &row, &header);
                if (catalogue->problem_count > 0)
                    return true;
            } else if (!read_item(catalogue, &row, &header, now_ms)) {
                return false;
            }
            break;
        }
    }
}

bool catalogue_read(struct catalogue *catalogue, char *text, size_t bytes, uint64_t now_ms)
{
    struct csv csv;
    memset(catalogue, 0, sizeof *catalogue);
    csv_init(&csv, text, bytes);
    if (!read_rows(catalogue, &csv, now_ms) || !find_duplicates(catalogue))
        return false;
    uint32_t kept = catalogue->problem_count;
    if (kept > CATALOGUE_PROBLEM_COUNT_MAX)
        kept = CATALOGUE_PROBLEM_COUNT_MAX;
    qsort(catalogue->problems, kept, sizeof catalogue->problems[0], compare_problems);
    return true;
}

void catalogue_free(struct catalogue *catalogue)
{
    free(catalogue->items);
    catalogue->items = NULL;
    catalogue->item_count = 0;
}
