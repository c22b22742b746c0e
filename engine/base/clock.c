#include "base/clock.h"

#include "base/assert.h"

enum { NS_PER_MS = 1000000, PPM = 1000000 };

void engine_clock_init(struct engine_clock *clock, struct clock_reading reading,
                       uint64_t not_before_ms)
{
    clock->last_monotonic_ns = reading.monotonic_ns;
    clock->now_ns = reading.wall_ns;
    clock->steer_rest = 0;
    engine_clock_raise(clock, not_before_ms);
}

void engine_clock_raise(struct engine_clock *clock, uint64_t not_before_ms)
{
    uint64_t not_before_ns = not_before_ms * NS_PER_MS;
    if (clock->now_ns < not_before_ns)
        clock->now_ns = not_before_ns;
}

uint64_t engine_clock_advance(struct engine_clock *clock, struct clock_reading reading)
{
    hf_assert(reading.monotonic_ns >= clock->last_monotonic_ns);
    uint64_t elapsed_ns = reading.monotonic_ns - clock->last_monotonic_ns;
    uint64_t carried_ns = clock->now_ns + elapsed_ns;

    /* The correction is bounded by a share of the elapsed time, so time always moves forward. What
     * is less than a nanosecond is kept, so that clocks that are read often and seldom agree. */
    uint64_t rest = clock->steer_rest + elapsed_ns % PPM * CLOCK_STEER_PPM_MAX;
    uint64_t correction_ns_max = elapsed_ns / PPM * CLOCK_STEER_PPM_MAX + rest / PPM;
    clock->steer_rest = rest % PPM;
    if (reading.wall_ns > carried_ns) {
        uint64_t behind_ns = reading.wall_ns - carried_ns;
        carried_ns += behind_ns < correction_ns_max ? behind_ns : correction_ns_max;
    } else {
        uint64_t ahead_ns = carried_ns - reading.wall_ns;
        carried_ns -= ahead_ns < correction_ns_max ? ahead_ns : correction_ns_max;
    }
    hf_assert(carried_ns >= clock->now_ns);
    clock->now_ns = carried_ns;
    clock->last_monotonic_ns = reading.monotonic_ns;
    return carried_ns / NS_PER_MS;
}

uint64_t engine_clock_monotonic_ns_at(const struct engine_clock *clock, uint64_t engine_ms)
{
    uint64_t engine_ns;
    if (__builtin_mul_overflow(engine_ms, (uint64_t)NS_PER_MS, &engine_ns))
        return UINT64_MAX;
    if (engine_ns <= clock->now_ns)
        return clock->last_monotonic_ns;
    uint64_t wait_ns = engine_ns - clock->now_ns;
    return clock->last_monotonic_ns + wait_ns < wait_ns ? UINT64_MAX
                                                        : clock->last_monotonic_ns + wait_ns;
}
