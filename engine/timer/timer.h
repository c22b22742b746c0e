#ifndef HF_TIMER_H
#define HF_TIMER_H
/* Deadlines of numbered slots. Never looks at a clock: time is an argument, in milliseconds.
 *
 * Most sales have one hold time, so deadlines made with the same duration come in order and wait
 * in a first-in first-out lane of their own: insert and cancel touch two neighbours. Deadlines that
 * fit no lane (many different durations, an extended hold) go to a binary heap. Both are bounded
 * per operation; there is no cascade.
 *
 * Equal deadlines come out in the order of their insertion, provided that time goes forward from
 * one insertion to the next. Where it goes back (logs replayed one after the other), they come out
 * in the order of the times at which they were made.
 *
 * One thread. Memory: 16 bytes per slot, plus the heap, which is touched only as it is used. */

#include <stdbool.h>
#include <stdint.h>

enum { TIMER_LANE_COUNT = 32 };
#define TIMER_SLOT_NONE UINT32_MAX

struct timer;

/* Deadlines for slots 0 .. slot_count - 1, none set. Returns NULL when memory is refused. */
struct timer *timer_open(uint32_t slot_count);
void timer_close(struct timer **timer);

/* Sets the deadline of a slot that has none. `duration_ms` is the deadline minus the time at which
 * it is made; it chooses the lane and orders equal deadlines. */
void timer_insert(struct timer *timer, uint32_t slot, uint64_t deadline_ms, uint64_t duration_ms);

/* Takes away the deadline of a slot that has one. */
void timer_cancel(struct timer *timer, uint32_t slot);

/* The slot with the earliest deadline if that is at or before `now_ms`, else TIMER_SLOT_NONE.
 * It stays set: whoever acts on it cancels it. */
uint32_t timer_due(const struct timer *timer, uint64_t now_ms);

/* The earliest deadline, or UINT64_MAX when none is set. */
uint64_t timer_next_ms(const struct timer *timer);

/* Asks for the memory that changing this slot's deadline will need. */
void timer_prefetch(const struct timer *timer, uint32_t slot);

bool timer_is_set(const struct timer *timer, uint32_t slot);
uint32_t timer_count(const struct timer *timer);

#endif
