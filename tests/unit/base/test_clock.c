/* The engine's time: from the wall clock, carried by the monotonic one, steered, never back. */

#include "base/clock.h"

#include <criterion/criterion.h>

#define MS             1000000ull
#define SECOND         (1000 * MS)
#define WALL           (1700000000 * SECOND)
#define START_MS       (WALL / MS)
#define HOUR           (3600 * SECOND)
#define STEER(elapsed) ((elapsed) / 1000000 * CLOCK_STEER_PPM_MAX)

static struct clock_reading reading(uint64_t monotonic_ns, uint64_t wall_ns)
{
    return (struct clock_reading){.monotonic_ns = monotonic_ns, .wall_ns = wall_ns};
}

static struct engine_clock started(void)
{
    struct engine_clock clock;
    engine_clock_init(&clock, reading(5 * SECOND, WALL), 0);
    return clock;
}

Test(clock, starts_at_the_wall_clock)
{
    struct engine_clock clock = started();
    cr_expect_eq(engine_clock_advance(&clock, reading(5 * SECOND, WALL)), START_MS);
}

Test(clock, starts_at_the_last_time_of_the_log_when_the_wall_clock_is_behind)
{
    struct engine_clock clock;
    engine_clock_init(&clock, reading(0, WALL), START_MS + 60000);
    cr_expect_eq(engine_clock_advance(&clock, reading(0, WALL)), START_MS + 60000);
    cr_expect_geq(engine_clock_advance(&clock, reading(MS, WALL + MS)), START_MS + 60000);
}

Test(clock, goes_with_clocks_that_agree)
{
    struct engine_clock clock = started();
    for (uint64_t second = 1; second <= 100; second++)
        cr_expect_eq(
            engine_clock_advance(&clock, reading((5 + second) * SECOND, WALL + second * SECOND)),
            START_MS + second * 1000);
}

Test(clock, stepped_wall_clock_moves_it_by_no_more_than_the_steering)
{
    struct engine_clock ahead = started();
    struct engine_clock behind = started();
    uint64_t elapsed = 100 * SECOND;
    struct clock_reading forward = reading(5 * SECOND + elapsed, WALL + elapsed + HOUR);
    struct clock_reading back = reading(5 * SECOND + elapsed, WALL + elapsed - HOUR);
    cr_expect_eq(engine_clock_advance(&ahead, forward), (WALL + elapsed + STEER(elapsed)) / MS);
    cr_expect_eq(engine_clock_advance(&behind, back), (WALL + elapsed - STEER(elapsed)) / MS);
}

Test(clock, reaches_a_wall_clock_that_is_a_little_off_and_stays_there)
{
    struct engine_clock clock = started();
    const uint64_t off = 20 * MS;
    uint64_t now_ms = 0;
    for (uint64_t second = 1; second <= 60; second++)
        now_ms = engine_clock_advance(&clock,
                                      reading((5 + second) * SECOND, WALL + second * SECOND + off));
    cr_expect_eq(now_ms, START_MS + 60000 + 20);
}

/* As those of a busy and an idle core. */
Test(clock, steers_alike_whether_it_is_read_often_or_seldom)
{
    struct engine_clock busy = started();
    struct engine_clock idle = started();
    const uint64_t step = 1100;
    const uint64_t count = 1000000;
    for (uint64_t i = 1; i <= count; i++)
        engine_clock_advance(&busy, reading(5 * SECOND + i * step, WALL + i * step + HOUR));
    engine_clock_advance(&idle, reading(5 * SECOND + count * step, WALL + count * step + HOUR));
    cr_expect_eq(busy.now_ns, idle.now_ns);
    cr_expect_eq(idle.now_ns, WALL + count * step + STEER(count * step));
}

Test(clock, never_goes_back_however_the_wall_clock_jumps)
{
    struct engine_clock clock = started();
    const int64_t jumps[] = {0, -3600, 7200, -86400, 1, 500000000, -1000000000};
    uint64_t last_ms = 0;
    for (uint64_t i = 0; i < 700; i++) {
        uint64_t elapsed = i * i * 1000; /* steps of some microseconds to a millisecond */
        uint64_t wall = WALL + elapsed + (uint64_t)(jumps[i % 7] * (int64_t)SECOND);
        uint64_t now_ms = engine_clock_advance(&clock, reading(5 * SECOND + elapsed, wall));
        cr_expect_geq(now_ms, last_ms);
        last_ms = now_ms;
    }
    cr_expect_leq(last_ms, START_MS + 490 + 1);
}

Test(clock, standing_monotonic_clock_stops_it)
{
    struct engine_clock clock = started();
    cr_expect_eq(engine_clock_advance(&clock, reading(5 * SECOND, WALL + HOUR)), START_MS);
}

Test(clock, tells_the_monotonic_time_of_a_deadline)
{
    struct engine_clock clock = started();
    cr_expect_eq(engine_clock_monotonic_ns_at(&clock, START_MS + 250), 5 * SECOND + 250 * MS);
    cr_expect_eq(engine_clock_monotonic_ns_at(&clock, START_MS), 5 * SECOND);
    cr_expect_eq(engine_clock_monotonic_ns_at(&clock, START_MS - 1), 5 * SECOND, "not in the past");
    cr_expect_eq(engine_clock_monotonic_ns_at(&clock, UINT64_MAX), UINT64_MAX);
}
