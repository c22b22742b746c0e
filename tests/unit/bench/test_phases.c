#include "bench/phases.h"

#include <criterion/criterion.h>

/* The moments of an event, and of clicks around it. */

Test(phases, clicks_belong_where_they_were_planned)
{
    struct phases phases = {.begins_ns = 1000};
    cr_assert_eq(phases_of(&phases, 999), PHASE_BEFORE);
    cr_assert_eq(phases_of(&phases, 1000), PHASE_DURING);
    cr_assert_eq(phases_of(&phases, 2000), PHASE_DURING);
    phases_end(&phases, 5000);
    cr_assert_eq(phases_of(&phases, 500), PHASE_BEFORE);
    cr_assert_eq(phases_of(&phases, 5000), PHASE_DURING);
    cr_assert_eq(phases_of(&phases, 5001), PHASE_AFTER);
}

Test(phases, without_an_end_it_goes_on)
{
    struct phases phases = {.begins_ns = 1000};
    cr_assert_eq(phases_of(&phases, UINT64_MAX), PHASE_DURING);
}
