/* Catalogue files: the CSV reader and the importer on top of it.
 *
 *      0  bit 0: a header line with all columns is put before the text
 *      1  the text
 *
 * Promises:
 *   - The rows are those of a slow and obvious reader that is written here from RFC 4180 and csv.h;
 *     where that finds a mistake, the reader does too.
 *   - Rows that are written out with quotes and read again are the same.
 *   - A catalogue without problems has usable items, no id or SKU twice, and written out and read
 *     again it is the same. One with problems names lines and columns of the file, in order.
 *   - Nothing is read or written but the text and the byte behind it. */

#include "fuzz.h"

#include "base/units.h"
#include "cli/catalogue.h"
#include "cli/csv.h"
#include "cli/moment.h"
#include "cli/value.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TEXT_BYTES_MAX = 1 << 14,
    CELL_COUNT_MAX = 1 << 14,
    WRITTEN_BYTES_MAX = 1 << 18,
};

static const uint64_t NOW_MS = 1793300000000;
static const char HEADER[] =
    "sku,stock,item_id,buyer_limit,hold_cap,hold_time,opens_at,closes_at,paused\n";

/* ---- rows, from either reader ---- */

struct cells {
    size_t text_at[CELL_COUNT_MAX]; /* where each begins in `text` */
    bool ends_row[CELL_COUNT_MAX];
    size_t count;
    char text[2 * TEXT_BYTES_MAX];
    size_t text_bytes;
    bool is_good; /* the whole file was read */
};

static void add_char(struct cells *cells, char c)
{
    hf_assert(cells->text_bytes < sizeof cells->text);
    cells->text[cells->text_bytes++] = c;
}

static void begin_cell(struct cells *cells)
{
    hf_assert(cells->count < CELL_COUNT_MAX);
    cells->text_at[cells->count] = cells->text_bytes;
}

static void end_cell(struct cells *cells, bool ends_row)
{
    add_char(cells, '\0');
    cells->ends_row[cells->count++] = ends_row;
}

/* ---- the obvious reader ---- */

/* Bytes of the line end at `at`, 0 when there is none. */
static size_t line_end(const char *text, size_t bytes, size_t at)
{
    if (at == bytes)
        return 0;
    if (text[at] == '\n')
        return 1;
    if (text[at] != '\r')
        return 0;
    return at + 1 == bytes ? 1 : text[at + 1] == '\n' ? 2 : 0;
}

/* What a cell may hold, but for quotes and commas. */
static bool is_allowed(const char *text, size_t bytes, size_t at)
{
    return text[at] != '\0' && (text[at] != '\r' || line_end(text, bytes, at) > 0);
}

/* Reads one cell; returns where it ends, or SIZE_MAX for a mistake. */
static size_t slow_cell(const char *text, size_t bytes, size_t at, struct cells *cells)
{
    bool is_quoted = at < bytes && text[at] == '"';
    if (!is_quoted) {
        for (; at < bytes && text[at] != ',' && line_end(text, bytes, at) == 0; at++) {
            if (!is_allowed(text, bytes, at) || text[at] == '"')
                return SIZE_MAX;
            add_char(cells, text[at]);
        }
        return at;
    }
    for (at++; at < bytes; at++) {
        if (text[at] == '"' && (at + 1 == bytes || text[at + 1] != '"')) {
            at++;
            bool is_end = at == bytes || text[at] == ',' || line_end(text, bytes, at) > 0;
            return is_end ? at : SIZE_MAX;
        }
        if (!is_allowed(text, bytes, at))
            return SIZE_MAX;
        add_char(cells, text[at]);
        at += text[at] == '"';
    }
    return SIZE_MAX;
}

static void slow_read(const char *text, size_t bytes, struct cells *cells)
{
    size_t at = bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    size_t row_cells = 0;
    cells->count = 0;
    cells->text_bytes = 0;
    cells->is_good = false;
    while (at < bytes || row_cells > 0) {
        if (row_cells == 0 && line_end(text, bytes, at) > 0) {
            at += line_end(text, bytes, at);
            continue;
        }
        if (row_cells == CSV_CELL_COUNT_MAX)
            return;
        begin_cell(cells);
        at = slow_cell(text, bytes, at, cells);
        if (at == SIZE_MAX)
            return;
        bool is_comma = at < bytes && text[at] == ',';
        end_cell(cells, !is_comma);
        row_cells = is_comma ? row_cells + 1 : 0;
        at += is_comma ? 1 : line_end(text, bytes, at);
    }
    cells->is_good = true;
}

/* ---- the reader ---- */

static char *copy_text(const char *text, size_t bytes)
{
    char *copy = malloc(bytes + 1); /* exactly, so that a sanitizer sees one byte too many */
    hf_assert(copy != NULL);
    memcpy(copy, text, bytes);
    return copy;
}

static void take_row(const struct csv_row *row, struct cells *cells)
{
    for (uint32_t i = 0; i < row->cell_count; i++) {
        begin_cell(cells);
        for (const char *c = row->cells[i].text; *c != '\0'; c++)
            add_char(cells, *c);
        end_cell(cells, i + 1 == row->cell_count);
        hf_assert(row->cells[i].line >= 1 && row->cells[i].column >= 1);
    }
}

/* Up to the first mistake; then goes on, to see that reading ends. */
static void read_cells(const char *text, size_t bytes, struct cells *cells)
{
    static struct csv_row row;
    struct csv csv;
    struct csv_problem problem;
    char *copy = copy_text(text, bytes);
    uint32_t line_before = 0;
    cells->count = 0;
    cells->text_bytes = 0;
    cells->is_good = true;
    csv_init(&csv, copy, bytes);
    enum csv_status status;
    while ((status = csv_read_row(&csv, &row, &problem)) != CSV_END) {
        if (status == CSV_BAD) {
            hf_assert(problem.line > line_before && problem.column >= 1 && problem.text != NULL);
            cells->is_good = false;
        } else {
            hf_assert(row.cell_count >= 1 && row.cell_count <= CSV_CELL_COUNT_MAX);
            hf_assert(row.cells[0].line > line_before);
            line_before = row.cells[row.cell_count - 1].line;
        }
        if (cells->is_good)
            take_row(&row, cells);
    }
    free(copy);
}

/* Whole rows that both have read before the first mistake of either. */
static void check_same(const struct cells *cells, const struct cells *expected)
{
    hf_assert(cells->is_good == expected->is_good);
    hf_assert(!cells->is_good || cells->count == expected->count);
    hf_assert(cells->count <= expected->count);
    for (size_t i = 0; i < cells->count; i++) {
        hf_assert(cells->ends_row[i] == expected->ends_row[i]);
        hf_assert(strcmp(cells->text + cells->text_at[i], expected->text + expected->text_at[i]) ==
                  0);
    }
    hf_assert(cells->count == 0 || cells->ends_row[cells->count - 1]);
}

/* ---- writing ---- */

static char written[WRITTEN_BYTES_MAX];

static size_t write_cell(size_t at, const char *text, bool ends_row)
{
    written[at++] = '"';
    for (; *text != '\0'; text++) {
        hf_assert(at + 8 < sizeof written);
        if (*text == '"')
            written[at++] = '"';
        written[at++] = *text;
    }
    written[at++] = '"';
    written[at++] = ends_row ? '\n' : ',';
    return at;
}

static void check_written_cells(const struct cells *cells)
{
    static struct cells again;
    size_t bytes = 0;
    for (size_t i = 0; i < cells->count; i++)
        bytes = write_cell(bytes, cells->text + cells->text_at[i], cells->ends_row[i]);
    read_cells(written, bytes, &again);
    hf_assert(again.is_good);
    check_same(&again, cells);
}

static void check_rows(const char *text, size_t bytes)
{
    static struct cells cells;
    static struct cells expected;
    read_cells(text, bytes, &cells);
    slow_read(text, bytes, &expected);
    check_same(&cells, &expected);
    if (cells.is_good)
        check_written_cells(&cells);
}

/* ---- catalogues ---- */

/* False for a time that can't be written: after the year 9999. */
static bool write_moment(size_t *at, uint64_t ms)
{
    char text[MOMENT_TEXT_BYTES];
    if (ms >= 253402300800000)
        return false;
    moment_format(ms, text);
    *at = write_cell(*at, ms == 0 ? "none" : text, false);
    return true;
}

static size_t write_number(size_t at, uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return write_cell(at, text, false);
}

/* Returns the length, or 0 when an item can't be written. */
static size_t write_catalogue(const struct catalogue *catalogue)
{
    size_t at = sizeof HEADER - 1;
    memcpy(written, HEADER, at);
    for (uint32_t i = 0; i < catalogue->item_count; i++) {
        const hf_item_settings *item = &catalogue->items[i].settings;
        char hold_time[UNITS_TEXT_BYTES_MAX];
        at = write_cell(at, item->sku, false);
        at = item->stock == HF_UNLIMITED ? write_cell(at, "unlimited", false)
                                         : write_number(at, (uint64_t)item->stock);
        at = write_number(at, item->item_id);
        at = write_number(at, item->buyer_limit);
        at = write_number(at, item->hold_cap);
        units_format_duration_ms(item->hold_ms, hold_time);
        at = write_cell(at, hold_time, false);
        if (!write_moment(&at, item->opens_at_ms) || !write_moment(&at, item->closes_at_ms))
            return 0;
        at = write_cell(at, item->paused ? "yes" : "no", true);
    }
    return at;
}

static void read_catalogue(struct catalogue *catalogue, const char *text, size_t bytes)
{
    char *copy = copy_text(text, bytes);
    hf_assert(catalogue_read(catalogue, copy, bytes, NOW_MS));
    free(copy); /* the items do not point into it */
}

static void check_items(const struct catalogue *catalogue)
{
    for (uint32_t i = 0; i < catalogue->item_count; i++) {
        const hf_item_settings *item = &catalogue->items[i].settings;
        hf_assert(value_is_sku(item->sku));
        hf_assert(item->item_id != 0);
        hf_assert(item->stock >= HF_UNLIMITED);
        for (uint32_t k = 0; k < i && k < 40; k++) {
            const hf_item_settings *other = &catalogue->items[k].settings;
            hf_assert(item->item_id != other->item_id);
            hf_assert(strcmp(item->sku, other->sku) != 0);
        }
    }
}

static void check_written_items(const struct catalogue *catalogue)
{
    static struct catalogue again;
    size_t bytes = write_catalogue(catalogue);
    if (bytes == 0)
        return;
    read_catalogue(&again, written, bytes);
    hf_assert(again.problem_count == 0);
    hf_assert(again.item_count == catalogue->item_count);
    for (uint32_t i = 0; i < again.item_count; i++) {
        const hf_item_settings *a = &catalogue->items[i].settings;
        const hf_item_settings *b = &again.items[i].settings;
        hf_assert(strcmp(a->sku, b->sku) == 0);
        hf_assert(a->item_id == b->item_id && a->stock == b->stock);
        hf_assert(a->buyer_limit == b->buyer_limit && a->hold_cap == b->hold_cap);
        hf_assert(a->hold_ms == b->hold_ms && a->paused == b->paused);
        hf_assert(a->opens_at_ms == b->opens_at_ms && a->closes_at_ms == b->closes_at_ms);
    }
    catalogue_free(&again);
}

static void check_problems(const struct catalogue *catalogue)
{
    uint32_t line_before = 1;
    for (uint32_t i = 0; i < catalogue->problem_count && i < CATALOGUE_PROBLEM_COUNT_MAX; i++) {
        const struct catalogue_problem *problem = &catalogue->problems[i];
        hf_assert(problem->line >= line_before && problem->column >= 1);
        hf_assert(memchr(problem->text, '\0', sizeof problem->text) != NULL);
        hf_assert(problem->text[0] != '\0');
        line_before = problem->line;
    }
}

static void check_catalogue(const char *text, size_t bytes)
{
    static struct catalogue catalogue;
    read_catalogue(&catalogue, text, bytes);
    check_problems(&catalogue);
    if (catalogue.problem_count == 0) {
        check_items(&catalogue);
        check_written_items(&catalogue);
    }
    catalogue_free(&catalogue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static char text[sizeof HEADER + TEXT_BYTES_MAX];
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    size_t bytes = 0;
    size_t from_bytes;
    if (fuzz_take_u8(&tape) & 1) {
        bytes = sizeof HEADER - 1;
        memcpy(text, HEADER, bytes);
    }
    const uint8_t *from = fuzz_take_bytes(&tape, TEXT_BYTES_MAX - sizeof HEADER, &from_bytes);
    if (from_bytes > 0)
        memcpy(text + bytes, from, from_bytes);
    bytes += from_bytes;
    check_rows(text, bytes);
    check_catalogue(text, bytes);
    return 0;
}
