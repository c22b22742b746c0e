#include "csv.h"

#include <stdbool.h>
#include <string.h>

/* The reader stands at a character and knows its line and column. A cell's text is written over
 * the same cell, which can only get shorter by unquoting, so that writing never overtakes reading:
 * the closing NUL lands on the quote, comma or line end that closed the cell, or on the byte after
 * the buffer. That is why the character that ended a cell is taken before its NUL is written. */

void csv_init(struct csv *csv, char *text, size_t bytes)
{
    *csv = (struct csv){.at = text, .end = text + bytes, .line = 1, .column = 1};
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        csv->at += 3;
}

static bool at_line_end(const struct csv *csv)
{
    if (csv->at == csv->end || *csv->at == '\n')
        return true;
    return *csv->at == '\r' && (csv->at + 1 == csv->end || csv->at[1] == '\n');
}

/* Takes one character. Bytes that continue a UTF-8 character are no column of their own. */
static char take(struct csv *csv)
{
    char c = *csv->at++;
    if (c == '\n') {
        csv->line++;
        csv->column = 1;
    } else if (((unsigned char)c & 0xc0) != 0x80) {
        csv->column++;
    }
    return c;
}

static void take_line_end(struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\r')
        take(csv);
    if (csv->at < csv->end)
        take(csv);
}

static void skip_line(struct csv *csv)
{
    while (csv->at < csv->end && *csv->at != '\n')
        take(csv);
    take_line_end(csv);
}

static void skip_empty_lines(struct csv *csv)
{
    while (csv->at < csv->end && at_line_end(csv))
        take_line_end(csv);
}

static bool bad(const struct csv *csv, struct csv_problem *problem_out, const char *text)
{
    *problem_out = (struct csv_problem){text, csv->line, csv->column};
    return false;
}

/* What no cell may hold, quoted or not. */
static const char *forbidden(const struct csv *csv)
{
    if (*csv->at == '\0')
        return "a NUL byte";
    if (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] != '\n')
        return "a carriage return that ends no line";
    return NULL;
}

/* Leaves the reader at the character after the closing quote, and the text's end in `end_out`. */
static bool read_quoted(struct csv *csv, char **end_out, struct csv_problem *problem_out)
{
    struct csv_problem unclosed = {"this quote is never closed", csv->line, csv->column};
    char *to = csv->at;
    take(csv);
    while (csv->at < csv->end) {
        const char *why = forbidden(csv);
        if (why)
            return bad(csv, problem_out, why);
        if (*csv->at == '"') {
            take(csv);
            if (csv->at == csv->end || *csv->at != '"') {
                *end_out = to;
                return true;
            }
        }
        *to++ = take(csv);
    }
    *problem_out = unclosed;
    return false;
}

static bool read_plain(struct csv *csv, char **end_out, struct csv_problem *problem_out)
{
    while (!at_line_end(csv) && *csv->at != ',') {
        const char *why = forbidden(csv);
        if (why)
            return bad(csv, problem_out, why);
        if (*csv->at == '"')
            return bad(csv, problem_out, "a quote inside a cell that does not begin with one");
        take(csv);
    }
    *end_out = csv->at;
    return true;
}

/* `is_last_out`: the line ended with this cell. */
static bool read_cell(struct csv *csv, struct csv_cell *cell_out, bool *is_last_out,
                      struct csv_problem *problem_out)
{
    bool is_quoted = csv->at < csv->end && *csv->at == '"';
    *cell_out = (struct csv_cell){csv->at, csv->line, csv->column};
    char *text_end;
    if (is_quoted ? !read_quoted(csv, &text_end, problem_out)
                  : !read_plain(csv, &text_end, problem_out))
        return false;
    if (!at_line_end(csv) && *csv->at != ',')
        return bad(csv, problem_out, "text after a closing quote");
    *is_last_out = at_line_end(csv);
    if (*is_last_out)
        take_line_end(csv);
    else
        take(csv);
    *text_end = '\0';
    return true;
}

enum csv_status csv_read_row(struct csv *csv, struct csv_row *row_out,
                             struct csv_problem *problem_out)
{
    skip_empty_lines(csv);
    row_out->cell_count = 0;
    if (csv->at == csv->end)
        return CSV_END;
    bool is_last = false;
    while (!is_last) {
        if (row_out->cell_count == CSV_CELL_COUNT_MAX) {
            bad(csv, problem_out, "too many cells");
            skip_line(csv);
            return CSV_BAD;
        }
        struct csv_cell *cell = &row_out->cells[row_out->cell_count];
        if (!read_cell(csv, cell, &is_last, problem_out)) {
            skip_line(csv);
            return CSV_BAD;
        }
        row_out->cell_count++;
    }
    return CSV_ROW;
}
