#ifndef HF_BASE_CLOCK_H
#define HF_BASE_CLOCK_H
/* The engine's time in milliseconds since 1970 (UTC): the wall clock at start, carried on by the
 * monotonic clock and steered gently toward the wall clock. It never goes backwards, not across a
 * restart either, and a stepped system clock neither expires nor keeps holds.
 *
 * Pure: both clocks are arguments. One engine_clock per core, used by its thread. */

#include <stdint.h>

/* One reading of the system's two clocks, taken together. */
struct clock_reading {
    uint64_t monotonic_ns;
    uint64_t wall_ns; /* since 1970, UTC */
};

struct engine_clock {
    uint64_t last_monotonic_ns;
    uint64_t now_ns;     /* engine time, since 1970 */
    uint64_t steer_rest; /* of the steering allowed so far: millionths of a nanosecond */
};

/* Time runs at most this much faster or slower than the monotonic clock while it is being steered:
 * 500 parts per million, what adjtimex(2) uses too. */
enum { CLOCK_STEER_PPM_MAX = 500 };

/* Starts at the wall clock, but not before `not_before_ms`: the last time found in the log. */
void engine_clock_init(struct engine_clock *clock, struct clock_reading reading,
                       uint64_t not_before_ms);

/* From now on no earlier than this. */
void engine_clock_raise(struct engine_clock *clock, uint64_t not_before_ms);

/* Carries the time on to this reading and returns it in milliseconds. Readings come in order of
 * their monotonic time. */
uint64_t engine_clock_advance(struct engine_clock *clock, struct clock_reading reading);

/* The monotonic time at which the engine's time will have reached `engine_ms`, if it is not
 * steered until then; not before the last reading. For sleeping until a deadline. */
uint64_t engine_clock_monotonic_ns_at(const struct engine_clock *clock, uint64_t engine_ms);

#endif
