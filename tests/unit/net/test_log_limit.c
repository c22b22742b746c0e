#include "net/log_limit.h"

#include <criterion/criterion.h>

#define SECOND_NS 1000000000ull

Test(log_limit, ten_lines_a_second_pass_and_the_others_are_counted)
{
    struct log_limit limit = {0};
    for (int i = 0; i < LOG_LIMIT_LINES; i++)
        cr_assert(log_limit_allows(&limit, 5));
    cr_assert_eq(log_limit_next_ns(&limit), UINT64_MAX);
    for (int i = 0; i < 1000; i++)
        cr_assert(!log_limit_allows(&limit, 5 + SECOND_NS - 1));
    cr_assert_eq(log_limit_next_ns(&limit), 5 + SECOND_NS);
    cr_assert_eq(log_limit_take_withheld(&limit, 5 + SECOND_NS - 1), 0);
    cr_assert_eq(log_limit_take_withheld(&limit, 5 + SECOND_NS), 1000);
    cr_assert_eq(log_limit_take_withheld(&limit, 5 + SECOND_NS), 0);
    cr_assert_eq(log_limit_next_ns(&limit), UINT64_MAX);
    cr_assert(log_limit_allows(&limit, 5 + SECOND_NS));
}

Test(log_limit, lines_far_apart_all_pass)
{
    struct log_limit limit = {0};
    for (uint64_t i = 0; i < 100; i++)
        cr_assert(log_limit_allows(&limit, i * SECOND_NS / 10));
}
