#ifndef HF_CLI_CSV_H
#define HF_CLI_CSV_H
/* Comma-separated values as RFC 4180 has them: cells may be quoted, a quote in them doubled, and a
 * quoted cell may hold commas and line ends. Lines end with LF or CRLF; a UTF-8 byte order mark at
 * the start and empty lines are passed over.
 *
 * Reads in place: cells are unquoted and terminated where they stand. */

#include <stddef.h>
#include <stdint.h>

enum { CSV_CELL_COUNT_MAX = 32 };

struct csv_cell {
    char *text;      /* in the buffer given to csv_init(), with a closing NUL */
    uint32_t line;   /* where it begins, from 1 */
    uint32_t column; /* likewise, in characters */
};

struct csv_row {
    struct csv_cell cells[CSV_CELL_COUNT_MAX];
    uint32_t cell_count;
};

struct csv {
    char *at;
    char *end;
    uint32_t line;
    uint32_t column;
};

enum csv_status {
    CSV_ROW,
    CSV_END,
    CSV_BAD, /* this line can't be read: where and why is told; reading may go on after it */
};

struct csv_problem {
    const char *text; /* static */
    uint32_t line;
    uint32_t column;
};

/* `text` is changed by reading and stays the owner's. text[bytes] must be writable: the last cell's
 * NUL may go there. */
void csv_init(struct csv *csv, char *text, size_t bytes);

enum csv_status csv_read_row(struct csv *csv, struct csv_row *row_out,
                             struct csv_problem *problem_out);

#endif
