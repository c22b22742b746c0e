#include "bench/hgrm.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* HdrHistogram's percentile format, as a reader of it would take it. */

static struct histogram histogram; /* large */

static char *write_text(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    cr_assert_not_null(file);
    hgrm_write(file, &histogram);
    cr_assert_eq(fclose(file), 0);
    return text;
}

Test(hgrm, of_few_values_is_this_text)
{
    histogram_record(&histogram, 1000, 3);
    histogram_record(&histogram, 2000, 1);
    char *text = write_text();
    cr_expect_str_eq(text, "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                           "\n"
                           "       1.003 0.000000000000          3           1.00\n"
                           "       1.003 0.100000000000          3           1.11\n"
                           "       1.003 0.200000000000          3           1.25\n"
                           "       1.003 0.300000000000          3           1.43\n"
                           "       1.003 0.400000000000          3           1.67\n"
                           "       1.003 0.500000000000          3           2.00\n"
                           "       1.003 0.550000000000          3           2.22\n"
                           "       1.003 0.600000000000          3           2.50\n"
                           "       1.003 0.650000000000          3           2.86\n"
                           "       1.003 0.700000000000          3           3.33\n"
                           "       1.003 0.750000000000          3           4.00\n"
                           "       2.000 1.000000000000          4\n"
                           "#[Mean    =        1.254, StdDeviation   =        0.435]\n"
                           "#[Max     =        2.000, Total count    =            4]\n"
                           "#[Buckets =           35, SubBuckets     =          256]\n");
    free(text);
}

/* Every line of a large one says what histogram_quantile() says, and shares and values only rise.
 */
Test(hgrm, lines_are_the_percentiles)
{
    for (uint64_t i = 1; i <= 100000; i++) {
        histogram_record(&histogram, i * i, 1);
    }
    char *text = write_text();
    double last_share = -1;
    double last_us = 0;
    int lines = 0;
    for (char *line = strchr(text, '\n') + 2; *line != '#'; line = strchr(line, '\n') + 1) {
        double us;
        double share;
        unsigned long long count;
        cr_assert_eq(sscanf(line, "%lf %lf %llu", &us, &share, &count), 3);
        cr_expect(share > last_share && us >= last_us, "%s", line);
        double exact = (double)histogram_quantile(&histogram, share) / 1e3;
        cr_expect(fabs(us - exact) <= exact * 0.008 + 0.001, "share %f: %f, not %f", share, us,
                  exact);
        last_share = share;
        last_us = us;
        lines++;
    }
    cr_expect_eq(last_share, 1);
    /* the last bucket with values holds some hundred of them, which is nine halvings */
    cr_expect(lines > 5 * 9, "five a halving: %d", lines);
    free(text);
}

Test(hgrm, of_nothing_has_no_lines)
{
    char *text = write_text();
    cr_expect_not_null(strstr(text, "\n\n#[Mean    =        0.000"), "%s", text);
    free(text);
}
