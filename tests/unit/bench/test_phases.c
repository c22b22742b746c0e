#include "bench/phases.h"

#include <criterion/criterion.h>

/* A click belongs to the phase in which it was planned, whenever it is answered. */

static struct phases phases; /* large */

static void check(uint64_t before, uint64_t during, uint64_t after)
{
    cr_expect_eq(phases.latency[PHASE_BEFORE].count, before);
    cr_expect_eq(phases.latency[PHASE_DURING].count, during);
    cr_expect_eq(phases.latency[PHASE_AFTER].count, after);
}

Test(phases, clicks_go_where_they_were_planned)
{
    phases.begins_ns = 1000;
    phases_record(&phases, 999, 10, 2);
    phases_record(&phases, 1000, 10, 3);
    phases_record(&phases, 2000, 10, 1);
    check(2, 4, 0);
    phases_end(&phases, 5000);
    phases_record(&phases, 500, 10, 1);
    phases_record(&phases, 5000, 10, 1);
    phases_record(&phases, 5001, 10, 7);
    check(3, 5, 7);
}

Test(phases, without_an_end_it_goes_on)
{
    phases.begins_ns = 1000;
    phases_record(&phases, UINT64_MAX, 10, 1);
    check(0, 1, 0);
}
