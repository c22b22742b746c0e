#ifndef HF_SIM_WORLD_H
#define HF_SIM_WORLD_H
/* The simulated world of one run: its time, its chances, what is to happen next, and the trace. All
 * that a run does follows from its seed, byte for byte, whatever the compiler and the build: no
 * address, no real clock, no uninitialised byte and no order of evaluation may reach the trace. So
 * draw one number per statement, never two in one call or initialiser.
 *
 * One world, one thread. Everything here is static and begins anew with sim_world_begin(). */

#include "random.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- life ---- */

/* A new world at time 0. Forgets disk, network, memory and events of the one before. */
void sim_world_begin(uint64_t seed);

/* ---- chance ---- */

/* Each part draws from a generator of its own, so that one more draw here changes nothing there. */
enum sim_chance {
    SIM_CHANCE_PLAN,
    SIM_CHANCE_TURNS,
    SIM_CHANCE_DISK,
    SIM_CHANCE_NETWORK,
    SIM_CHANCE_CLOCK,
    SIM_CHANCE_CLIENTS,
    SIM_CHANCE_FAULTS,
    SIM_CHANCE_ENGINE, /* io_random() */
    SIM_CHANCE_COUNT,
};

struct test_random *sim_chance(enum sim_chance chance);

/* True `permille` times of a thousand. 0 and 1000 draw as well. */
bool sim_happens(enum sim_chance chance, uint32_t permille);

/* low .. high, both included. */
uint64_t sim_between(enum sim_chance chance, uint64_t low, uint64_t high);

/* ---- time and events ---- */

enum { SIM_US = 1000, SIM_MS = 1000000 }; /* in nanoseconds */
#define SIM_SECOND 1000000000ull

/* True time since the world began. It moves between events only. */
uint64_t sim_now_ns(void);

typedef void (*sim_event_fn)(void *context, uint64_t argument);

/* Calls `event` at `at_ns` (not before now), after all events of the same time that were asked for
 * earlier. */
void sim_at(uint64_t at_ns, sim_event_fn event, void *context, uint64_t argument);

/* When the next event is due; UINT64_MAX = never. */
uint64_t sim_next_event_ns(void);

/* Moves the time to `at_ns` (not back, not behind the next event). */
void sim_move_to(uint64_t at_ns);

/* Moves the time to the next event and runs it. False when there is none. */
bool sim_run_event(void);

/* ---- the machine's clocks, as the engine reads them ---- */

/* From now on the wall clock reads `offset_ms` more or less than it does. The monotonic clock
 * follows the true time always. */
void sim_wall_clock_step(int64_t offset_ms);

/* What io_clock() reads as wall time, in nanoseconds since 1970. */
uint64_t sim_wall_ns(void);

/* ---- the engine, and its end in the middle of anything ---- */

/* Runs engine code. False when the crash that was ordered came in the middle of it: nothing of that
 * code will ever go on, and its memory is to be given back with sim_memory_release(). Not nested.
 */
bool sim_engine_run(void (*run)(void *context), void *context);

/* Called by the simulated io at each operation that the engine begins: counts it, and, when it is
 * the one ordered, ends the engine's code right there (before the operation has any effect). */
void sim_engine_operation(const char *name);

/* The crash comes at the n-th operation from now; 0: no crash. */
void sim_crash_at_operation(uint64_t n);

/* Operations since sim_world_begin(). */
uint64_t sim_operation_count(void);

/* ---- what the engine says to the operator ---- */

/* It goes into the trace. */
void sim_diag_forget(void);
/* One of the lines since then has this text in it. */
bool sim_diag_has(const char *text);

/* ---- trace ---- */

/* One line of the run's story, without newline. Its bytes go into the trace's hash with the time;
 * with sim_trace_print(true) the line is also printed to stdout. Integers and texts only. */
__attribute__((format(printf, 1, 2))) void sim_trace(const char *format, ...);
void sim_trace_print(bool is_on);
uint64_t sim_trace_hash(void);

/* A finding: prints the line, the seed and the command that repeats the run, and ends the process
 * with exit code 1. `check` is the short name of the check that found it ("durability"). */
__attribute__((format(printf, 2, 3))) _Noreturn void sim_fail(const char *check, const char *format,
                                                              ...);

/* What is printed with a finding, and when an assertion fails or the program dies by a signal
 * (handlers are installed with the first call): "build/release/tests/sim --seed 7". Copied. */
void sim_set_repeat_command(const char *command);

#endif
