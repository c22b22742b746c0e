#include "cli/csv.h"

#include "random.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Reads a whole text and writes what was read as one line a row: "1:1=cell|1:5=cell", or
 * "2:3! why". What is expected is then compared as text. */
static void trace(const char *text, size_t bytes, char *to, size_t to_bytes)
{
    char *copy = malloc(bytes + 1); /* exactly, so that a sanitizer sees one byte too many */
    memcpy(copy, text, bytes);
    struct csv csv;
    struct csv_row row;
    struct csv_problem problem;
    size_t used = 0;
    csv_init(&csv, copy, bytes);
    to[0] = '\0';
    for (;;) {
        enum csv_status status = csv_read_row(&csv, &row, &problem);
        if (status == CSV_END)
            break;
        if (status == CSV_BAD)
            used += (size_t)snprintf(to + used, to_bytes - used, "%u:%u! %s", problem.line,
                                     problem.column, problem.text);
        for (uint32_t i = 0; status == CSV_ROW && i < row.cell_count; i++)
            used += (size_t)snprintf(to + used, to_bytes - used, "%s%u:%u=%s", i ? "|" : "",
                                     row.cells[i].line, row.cells[i].column, row.cells[i].text);
        used += (size_t)snprintf(to + used, to_bytes - used, "\n");
    }
    free(copy);
}

static void expect(const char *text, const char *expected)
{
    char got[1024];
    trace(text, strlen(text), got, sizeof got);
    cr_expect_str_eq(got, expected, "%s", text);
}

Test(csv, plain_cells)
{
    expect("a,b\n1,2\n", "1:1=a|1:3=b\n2:1=1|2:3=2\n");
    expect("a", "1:1=a\n");
    expect("a,\n,b\n,\n", "1:1=a|1:3=\n2:1=|2:2=b\n3:1=|3:2=\n");
}

Test(csv, line_ends_of_both_kinds_and_none_at_the_end)
{
    expect("a\r\nb\nc\r\n", "1:1=a\n2:1=b\n3:1=c\n");
    expect("a\r\nb,c", "1:1=a\n2:1=b|2:3=c\n");
    expect("a\r", "1:1=a\n");
}

Test(csv, empty_lines_and_byte_order_mark_are_passed_over)
{
    expect("", "");
    expect("\n\r\n\n", "");
    expect("\xef\xbb\xbf"
           "a,b\n\n\nc,d\n\n",
           "1:1=a|1:3=b\n4:1=c|4:3=d\n");
}

Test(csv, quoted_cells)
{
    expect("\"a,b\",\"c\"\n", "1:1=a,b|1:7=c\n");
    expect("\"say \"\"hi\"\"\"\n", "1:1=say \"hi\"\n");
    expect("\"\",x\n", "1:1=|1:4=x\n");
    expect("\"two\nlines\",x\ny\n", "1:1=two\nlines|2:8=x\n3:1=y\n");
    expect("\"a\"\r\n\"b\"", "1:1=a\n2:1=b\n");
}

Test(csv, columns_count_characters)
{
    expect("\xc3\xa4\xe2\x82\xac,x\n", "1:1=\xc3\xa4\xe2\x82\xac|1:4=x\n");
}

Test(csv, malformed_lines_are_told_and_the_next_one_is_read)
{
    expect("a\"b,c\nd\n", "1:2! a quote inside a cell that does not begin with one\n2:1=d\n");
    expect("\"a\"b,c\nd\n", "1:4! text after a closing quote\n2:1=d\n");
    expect("x,\"a\" ,c\nd\n", "1:6! text after a closing quote\n2:1=d\n");
    expect("x,\"never\nclosed", "1:3! this quote is never closed\n");
    expect("\"", "1:1! this quote is never closed\n");
    expect("a\rb\nc\n", "1:2! a carriage return that ends no line\n2:1=c\n");
    expect("\"a\rb\"\nc\n", "1:3! a carriage return that ends no line\n2:1=c\n");
}

Test(csv, nul_bytes_are_told)
{
    char got[128];
    trace("a\0b,c\nd\n", 8, got, sizeof got);
    cr_expect_str_eq(got, "1:2! a NUL byte\n2:1=d\n");
    trace("\"a\0b\"\nd\n", 8, got, sizeof got);
    cr_expect_str_eq(got, "1:3! a NUL byte\n2:1=d\n");
}

Test(csv, more_cells_than_a_row_may_have_are_told)
{
    expect("1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3\nx\n",
           "1:65! too many cells\n2:1=x\n");
}

/* Whatever the bytes are, reading ends and stays inside them (a sanitizer looks). */
Test(csv, random_bytes_are_read_to_the_end)
{
    static const char alphabet[] = "a,\"\n\r\xc3\xa4 ";
    unsigned seed = (unsigned)time(NULL);
    cr_log_info("seed %u", seed);
    struct test_random random;
    test_random_init(&random, seed);
    for (int round = 0; round < 20000; round++) {
        char text[24];
        char got[4096];
        size_t bytes = test_random_below(&random, sizeof text);
        for (size_t i = 0; i < bytes; i++)
            text[i] = alphabet[test_random_below(&random, sizeof alphabet)]; /* its NUL too */
        trace(text, bytes, got, sizeof got);
    }
}
