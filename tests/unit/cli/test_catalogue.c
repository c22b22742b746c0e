#include "cli/catalogue.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOW_MS = 1000000 };

static struct catalogue catalogue;

static void read_text(const char *text)
{
    size_t bytes = strlen(text);
    char *copy = malloc(bytes + 1);
    memcpy(copy, text, bytes);
    cr_assert(catalogue_read(&catalogue, copy, bytes, NOW_MS));
    free(copy);
}

/* All problems as "line:column: text" lines. */
static void expect_problems(const char *text, const char *expected)
{
    char got[4096] = "";
    size_t used = 0;
    read_text(text);
    for (uint32_t i = 0; i < catalogue.problem_count && i < CATALOGUE_PROBLEM_COUNT_MAX; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%u:%u: %s\n",
                                 catalogue.problems[i].line, catalogue.problems[i].column,
                                 catalogue.problems[i].text);
    cr_expect_str_eq(got, expected, "%s\ngot:\n%s", text, got);
    catalogue_free(&catalogue);
}

Test(catalogue, all_columns_are_read_in_any_order)
{
    read_text("paused,stock,sku,item_id,buyer_limit,hold_cap,hold_time,opens_at,closes_at\n"
              "yes,10k,LAMP,17,2,3,1h30m,2026-11-27T20:00:00Z,+1h\n"
              "no,unlimited,\"CHAIR, red\",,,,,,\n");
    cr_assert_eq(catalogue.problem_count, 0);
    cr_assert_eq(catalogue.item_count, 2);
    const hf_item_settings *lamp = &catalogue.items[0].settings;
    cr_expect_str_eq(lamp->sku, "LAMP");
    cr_expect_eq(lamp->item_id, 17);
    cr_expect_eq(lamp->stock, 10000);
    cr_expect_eq(lamp->buyer_limit, 2);
    cr_expect_eq(lamp->hold_cap, 3);
    cr_expect_eq(lamp->hold_ms, 5400000);
    cr_expect_eq(lamp->opens_at_ms, 1795809600000);
    cr_expect_eq(lamp->closes_at_ms, NOW_MS + 3600000);
    cr_expect(lamp->paused);
    const hf_item_settings *chair = &catalogue.items[1].settings;
    cr_expect_str_eq(chair->sku, "CHAIR, red");
    cr_expect_eq(chair->item_id, hf_key64("CHAIR, red"));
    cr_expect_eq(chair->stock, HF_UNLIMITED);
    cr_expect_not(chair->paused);
    cr_expect_eq(catalogue.items[1].line, 3);
    catalogue_free(&catalogue);
}

Test(catalogue, header_problems_are_told_and_end_the_reading)
{
    expect_problems("", "1:1: the file is empty: a header line is needed\n");
    expect_problems("sku\nA\n", "1:1: column stock is missing\n");
    expect_problems("sku,stock,colour\nA,x,y\n", "1:11: no column is called 'colour'\n");
    expect_problems("sku,stock,sku\nA,1,B\n", "1:11: column sku is there twice\n");
    expect_problems("sku,st\"ock\nA,1\n",
                    "1:7: a quote inside a cell that does not begin with one\n");
    expect_problems("LAMP,10\n", "1:1: no column is called 'LAMP'\n"
                                 "1:1: column sku is missing\n"
                                 "1:1: column stock is missing\n"
                                 "1:6: no column is called '10'\n");
}

Test(catalogue, every_wrong_cell_is_told_with_line_and_column)
{
    expect_problems("sku,stock,hold_time,paused,buyer_limit,opens_at,item_id\n"
                    "A,many,1x,perhaps,-1,tomorrow,0\n"
                    ",,,,,,\n"
                    "B,1\n"
                    "C,5,,,,,\n",
                    "2:3: stock: 'many' is not a count such as 1000 or 10k, or unlimited\n"
                    "2:8: hold_time: '1x' is not a time span such as 500ms, 15m or 1h30m\n"
                    "2:11: paused: 'perhaps' is not yes or no\n"
                    "2:19: buyer_limit: '-1' is not a count such as 2, 1000 or 10k\n"
                    "2:22: opens_at: 'tomorrow' is not a time such as 2026-11-27T20:00:00Z, or "
                    "+15m from now, or none\n"
                    "2:31: item_id: '0' is not a number such as 1234 or 0x4d2, not 0\n"
                    "3:1: sku is empty\n"
                    "3:2: stock is empty\n"
                    "4:1: 2 cells, but the header line has 7 columns\n");
}

Test(catalogue, skus_that_no_server_takes_are_told)
{
    expect_problems("sku,stock\n"
                    "1234567890123456789012345678901234567890123456789012345678901234x,1\n"
                    "bad\xff,1\n"
                    "tab\there,1\n",
                    "2:1: sku: '1234567890123456789012345678901234567890' is not 1 to 64 bytes of "
                    "UTF-8 without control characters\n"
                    "3:1: sku: 'bad\xff' is not 1 to 64 bytes of UTF-8 without control characters\n"
                    "4:1: sku: 'tab\there' is not 1 to 64 bytes of UTF-8 without control "
                    "characters\n");
}

Test(catalogue, duplicates_are_told_with_the_line_of_the_first)
{
    expect_problems("sku,stock,item_id\nA,1,\nB,1,5\nA,2,\nC,1,5\nB,1,6\n",
                    "4:1: sku 'A' is on line 2 as well\n"
                    "5:1: item id 5 is on line 3 as well\n"
                    "6:1: sku 'B' is on line 3 as well\n");
}

Test(catalogue, many_problems_are_counted_and_the_first_twenty_kept)
{
    char text[2000] = "sku,stock\n";
    size_t length = strlen(text);
    for (int i = 0; i < 30; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "S%d,x\n", i);
    read_text(text);
    cr_expect_eq(catalogue.problem_count, 30);
    cr_expect_eq(catalogue.problems[19].line, 21);
    catalogue_free(&catalogue);
}
