#ifndef HF_TIMER_H
#define HF_TIMER_H
/* Deadlines of numbered slots. Never looks at a clock: time is an argument, in milliseconds.
 *
 * Most sales have one hold time, so deadlines made with the same duration come in order and wait
 * in a first-in first-out lane of their own: insert and cancel touch two neighbours. Deadlines that
 * fit no lane (many different durations, an extended hold) go to a binary heap. Both are bounded
 * per operation; there is no cascade.
 *
 * Equal deadlines come out in the order of the times at which they were made, and those made at the
 * same time in the order of their insertion, provided that time goes forward from one insertion to
 * the next. Where it goes back, or after a state was loaded, the latter is not so: see
 * timer_load_end().
 *
 * One thread. Memory: 16 bytes per slot, plus the heap, which is touched only as it is used. */

#include <stdbool.h>
#include <stdint.h>

enum { TIMER_LANE_COUNT = 32 };
#define TIMER_SLOT_NONE       UINT32_MAX
#define TIMER_DEADLINE_MS_MAX ((1ull << 44) - 1)

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

/* The deadline of a slot that has one, and the time at which it was made. */
uint64_t timer_deadline_ms(const struct timer *timer, uint32_t slot);
uint64_t timer_made_ms(const struct timer *timer, uint32_t slot);

/* Asks for the memory that changing this slot's deadline will need. */
void timer_prefetch(const struct timer *timer, uint32_t slot);

/* Takes the memory of these slots from the system before they are used; at least one. Returns how
 * many bytes that is. May run beside whoever uses the timer. */
uint64_t timer_touch(const struct timer *timer, uint32_t first_slot, uint32_t slot_count);

bool timer_is_set(const struct timer *timer, uint32_t slot);
uint32_t timer_count(const struct timer *timer);

/* ---- loading a state ----
 *
 * Deadlines that are read from disk come in no useful order. Between timer_load_begin(), of a timer
 * with nothing set, and timer_load_end() inserting and cancelling only note and forget, in the
 * slot's own memory. What is due is not known then: timer_due() and timer_next_ms() may not be
 * called. timer_load_end() puts all in order at once: by deadline, equal ones by the time at which
 * they were made, and those that are equal in this too by what the caller says. So they come out,
 * and before equal ones that are inserted later.
 *
 * The durations that most deadlines have get the lanes. */

void timer_load_begin(struct timer *timer);

/* Orders slots whose deadlines are equal and were made at the same time: the lower one is first.
 * `first` counts more than `second`. */
struct timer_tie {
    uint64_t first;
    uint64_t second;
};

enum { TIMER_TIES_MAX = 64 };

/* The ties of some slots, TIMER_TIES_MAX at most, all of them set. */
typedef void (*timer_ties_fn)(const void *context, const uint32_t *slots, uint32_t slot_count,
                              struct timer_tie *ties_out);

/* False when the system refuses the memory for sorting (32 bytes per deadline, and none when the
 * slots are in order already): then it is still loading, and may be tried again. */
bool timer_load_end(struct timer *timer, timer_ties_fn ties, const void *context);

#endif
