#ifndef HF_BENCH_PLAN_H
#define HF_BENCH_PLAN_H
/* The plan of an open loop: at which moment each frame is to be sent, whatever became of those
 * before it. It looks at no clock; moments are nanoseconds since the run began. One thread.
 *
 * A plan has lines, one per connection, each with a rate of its own. The moments of a line follow
 * from kind, rate, seed and the line's number alone; the plan holds the next one of each, so the
 * moments that a busy connection is behind cost no memory, however many they are.
 *
 * constant  every line has equal steps, and the lines are shifted against each other so that lines
 *           of one rate together have equal steps too
 * poisson   steps are independent and exponentially distributed, as with many people who do not
 *           know of each other; so are those of all lines together */

#include <stdbool.h>
#include <stdint.h>

enum plan_arrival { PLAN_CONSTANT, PLAN_POISSON, PLAN_ARRIVALS };

#define PLAN_NEVER UINT64_MAX

struct plan_line {
    double step_ns;      /* on average */
    double at_ns;        /* the next moment, not rounded */
    uint64_t next_ns;    /* the same, rounded down; PLAN_NEVER when the line has ended */
    uint64_t number;     /* of the next frame */
    uint32_t heap_place; /* PLAN_ASLEEP when it is not in the heap */
};

struct plan {
    enum plan_arrival arrival;
    uint64_t seed;
    uint64_t end_ns;
    struct plan_line *lines;
    uint32_t line_count;
    uint32_t live_count; /* lines that have not ended */
    uint32_t *heap;      /* the lines that are awake, the earliest first */
    uint32_t heap_count;
};

/* "constant", "poisson". */
const char *plan_arrival_name(enum plan_arrival arrival);

/* All lines have ended until they begin. No moment is at or after `end_ns`. False when there is no
 * memory; destroy is fine then too. */
bool plan_create(struct plan *plan_out, enum plan_arrival arrival, uint64_t seed,
                 uint32_t line_count, uint64_t end_ns);
void plan_destroy(struct plan *plan);

/* Gives a line its rate, above 0; it is asleep. Once per line. */
void plan_begin_line(struct plan *plan, uint32_t line, double frames_per_second);

/* The next moment of a line, which may be long past; PLAN_NEVER when it has ended. */
uint64_t plan_line_next_ns(const struct plan *plan, uint32_t line);

/* The frame of that moment is on its way: goes on to the next one. */
void plan_advance(struct plan *plan, uint32_t line);

/* There will be no more frames on this line. */
void plan_end_line(struct plan *plan, uint32_t line);

/* Puts a line to sleep, which can't send now, or wakes it; it may be so already. Time goes on for
 * it all the same. An ended line stays asleep. */
void plan_sleep(struct plan *plan, uint32_t line);
void plan_wake(struct plan *plan, uint32_t line);

/* The earliest moment of all lines that are awake, and its line. PLAN_NEVER when there is none. */
uint64_t plan_next_ns(const struct plan *plan, uint32_t *line_out);

/* Every frame planned before this moment is on its way; looks at all lines. PLAN_NEVER when all
 * have ended. */
uint64_t plan_reached_ns(const struct plan *plan);

/* Have all lines ended? */
bool plan_is_done(const struct plan *plan);

#endif
