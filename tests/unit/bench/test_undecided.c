#include "bench/undecided.h"

#include <criterion/criterion.h>
#include <string.h>

/* Answered frames, and standstills that become known later. */

static struct undecided undecided;
static struct standstills standstills;
static struct load_times outside; /* large */

static void set_up(void)
{
    memset(&outside, 0, sizeof outside);
    cr_assert(undecided_create(&undecided));
}

static void tear_down(void)
{
    undecided_destroy(&undecided);
    standstills_free(&standstills);
}

TestSuite(undecided, .init = set_up, .fini = tear_down);

#define MS 1000000ull

static void answered(uint64_t planned_ms, uint64_t answered_ms)
{
    const uint32_t rows[LOAD_KINDS] = {[LOAD_ACCEPTED] = 2, [LOAD_REFUSED] = 1};
    undecided_add(&undecided, planned_ms * MS, answered_ms * MS, rows);
}

static void decide(uint64_t until_ms)
{
    undecided_decide(&undecided, &standstills, until_ms * MS, &outside);
}

Test(undecided, rows_outside_standstills_count_by_kind)
{
    answered(10, 12);
    decide(20);
    cr_expect_eq(outside.kinds[LOAD_ACCEPTED].count, 2);
    cr_expect_eq(outside.kinds[LOAD_ACCEPTED].value_max, 2 * MS);
    cr_expect_eq(outside.kinds[LOAD_REFUSED].count, 1);
    cr_expect_eq(outside.kinds[LOAD_REPEATED].count, 0);
}

Test(undecided, frames_that_a_standstill_touches_count_nowhere)
{
    standstills_note(&standstills, 100 * MS, 110 * MS, 0);
    answered(98, 99);
    answered(99, 111);  /* in flight */
    answered(105, 112); /* planned in it */
    answered(110, 119); /* behind it, and delayed by what it left behind */
    decide(200);
    cr_expect_eq(outside.kinds[LOAD_REFUSED].count, 2);
    cr_expect_eq(outside.kinds[LOAD_REFUSED].value_max, 9 * MS);
}

Test(undecided, a_frame_waits_until_all_is_known_that_ended_before_its_answer)
{
    cr_assert_eq(undecided_next_ns(&undecided), UINT64_MAX);
    answered(99, 111);
    answered(112, 113);
    decide(111);
    cr_assert_eq(undecided_next_ns(&undecided), 111 * MS);
    standstills_note(&standstills, 100 * MS, 110 * MS, 0);
    decide(112);
    cr_assert_eq(undecided_next_ns(&undecided), 113 * MS);
    cr_expect_eq(outside.kinds[LOAD_ACCEPTED].count, 0);
    decide(114);
    cr_assert_eq(undecided_next_ns(&undecided), UINT64_MAX);
    cr_expect_eq(outside.kinds[LOAD_ACCEPTED].count, 2);
}

Test(undecided, a_full_ring_has_room_again_when_some_are_decided)
{
    for (uint64_t i = 0; i < UNDECIDED_MAX; i++) {
        cr_assert_not(undecided_is_full(&undecided));
        answered(i, i + 1);
    }
    cr_assert(undecided_is_full(&undecided));
    decide(3);
    cr_assert_not(undecided_is_full(&undecided));
    answered(UNDECIDED_MAX, UNDECIDED_MAX + 1);
    decide(UNDECIDED_MAX + 2);
    cr_expect_eq(outside.kinds[LOAD_REFUSED].count, UNDECIDED_MAX + 1);
}

Test(undecided, what_is_forgotten_counts_nowhere)
{
    answered(10, 12);
    undecided_clear(&undecided);
    decide(20);
    cr_expect_eq(outside.kinds[LOAD_ACCEPTED].count, 0);
}
