/* Time, chance, events, the engine's end, and the trace.
 *
 * Events stand in a heap, in order of their time and, at the same time, of their asking. An event
 * can't be taken back: whoever asked for it finds out when it comes whether it still matters. */

#include "world.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "disk.h"
#include "memory.h"
#include "network.h"
#include "private.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef SIM_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

enum { LINE_BYTES_MAX = 8192, COMMAND_BYTES_MAX = 1024 };

/* 2026-01-01 00:00:00 UTC */
#define WALL_START_NS 1767225600000000000ull

struct event {
    uint64_t at_ns;
    uint64_t order;
    sim_event_fn event;
    void *context;
    uint64_t argument;
};

static struct {
    uint64_t seed;
    uint64_t now_ns;
    uint64_t wall_ahead_ns; /* modulo 2^64 */
    struct test_random chances[SIM_CHANCE_COUNT];

    struct event *events; /* the heap; its memory outlives the world */
    uint32_t event_count;
    uint32_t event_room;
    uint64_t event_order;

    bool is_engine_running;
    jmp_buf engine_end;
    uint64_t operation_count;
    uint64_t crash_at; /* operation count, 0: never */

    uint64_t trace_hash;
    bool is_trace_printed;
} world;

static char repeat_command[COMMAND_BYTES_MAX];

/* ---- life ---- */

void sim_world_begin(uint64_t seed)
{
    struct event *events = world.events;
    uint32_t event_room = world.event_room;
    bool is_trace_printed = world.is_trace_printed;
    hf_assert(!world.is_engine_running);
    memset(&world, 0, sizeof world);
    world.seed = seed;
    world.events = events;
    world.event_room = event_room;
    world.is_trace_printed = is_trace_printed;
    for (uint32_t i = 0; i < SIM_CHANCE_COUNT; i++)
        test_random_init(&world.chances[i], seed * SIM_CHANCE_COUNT + i);
    sim_io_begin();
    sim_network_begin();
    sim_disk_begin();
    sim_memory_begin();
    sim_descriptors_begin();
}

/* ---- chance ---- */

struct test_random *sim_chance(enum sim_chance chance)
{
    return &world.chances[chance];
}

bool sim_happens(enum sim_chance chance, uint32_t permille)
{
    return test_random_below(&world.chances[chance], 1000) < permille;
}

uint64_t sim_between(enum sim_chance chance, uint64_t low, uint64_t high)
{
    hf_assert(low <= high);
    uint64_t drawn = test_random_u64(&world.chances[chance]);
    uint64_t span = high - low + 1;
    return span == 0 ? drawn : low + drawn % span;
}

/* ---- time and events ---- */

uint64_t sim_now_ns(void)
{
    return world.now_ns;
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void sim_at(uint64_t at_ns, sim_event_fn event, void *context, uint64_t argument)
{
    hf_assert(at_ns >= world.now_ns);
    hf_assert(event != NULL);
    world.events =
        sim_array_room(world.events, sizeof *world.events, world.event_count, &world.event_room);
    struct event added = {at_ns, world.event_order++, event, context, argument};
    uint32_t slot = world.event_count++;
    while (slot > 0 && is_before(&added, &world.events[(slot - 1) / 2])) {
        world.events[slot] = world.events[(slot - 1) / 2];
        slot = (slot - 1) / 2;
    }
    world.events[slot] = added;
}

uint64_t sim_next_event_ns(void)
{
    return world.event_count == 0 ? UINT64_MAX : world.events[0].at_ns;
}

static struct event take_event(void)
{
    struct event first = world.events[0];
    struct event last = world.events[--world.event_count];
    uint32_t slot = 0;
    for (;;) {
        uint32_t child = 2 * slot + 1;
        if (child >= world.event_count)
            break;
        if (child + 1 < world.event_count &&
            is_before(&world.events[child + 1], &world.events[child]))
            child++;
        if (is_before(&last, &world.events[child]))
            break;
        world.events[slot] = world.events[child];
        slot = child;
    }
    world.events[slot] = last;
    return first;
}

void sim_move_to(uint64_t at_ns)
{
    hf_assert(at_ns >= world.now_ns);
    hf_assert(at_ns <= sim_next_event_ns());
    world.now_ns = at_ns;
}

bool sim_run_event(void)
{
    hf_assert(!world.is_engine_running);
    if (world.event_count == 0)
        return false;
    struct event event = take_event();
    world.now_ns = event.at_ns;
    event.event(event.context, event.argument);
    return true;
}

/* ---- the machine's clocks ---- */

void sim_wall_clock_step(int64_t offset_ms)
{
    world.wall_ahead_ns += (uint64_t)offset_ms * SIM_MS;
    sim_trace("wall clock stepped by %" PRId64 " ms", offset_ms);
}

uint64_t sim_wall_ns(void)
{
    return WALL_START_NS + world.now_ns + world.wall_ahead_ns;
}

/* ---- the engine ---- */

bool sim_engine_run(void (*run)(void *context), void *context)
{
    hf_assert(!world.is_engine_running);
    if (setjmp(world.engine_end) != 0) {
        world.is_engine_running = false;
        return false;
    }
    world.is_engine_running = true;
    run(context);
    world.is_engine_running = false;
    return true;
}

void sim_engine_operation(const char *name)
{
    world.operation_count++;
    if (world.operation_count != world.crash_at)
        return;
    hf_assert(world.is_engine_running);
    sim_trace("crash at operation %" PRIu64 ", %s", world.operation_count, name);
    longjmp(world.engine_end, 1);
}

void sim_crash_at_operation(uint64_t n)
{
    world.crash_at = n == 0 ? 0 : world.operation_count + n;
}

uint64_t sim_operation_count(void)
{
    return world.operation_count;
}

bool sim_engine_is_running(void)
{
    return world.is_engine_running;
}

bool sim_engine_suspend(void)
{
    bool was_running = world.is_engine_running;
    world.is_engine_running = false;
    return was_running;
}

void sim_engine_resume(bool was_running)
{
    world.is_engine_running = was_running;
}

/* ---- trace ---- */

void sim_trace(const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    hf_assert(written >= 0);
    size_t bytes = (size_t)written < sizeof line ? (size_t)written : sizeof line - 1;
    world.trace_hash = checksum64(line, bytes, world.trace_hash + world.now_ns);
    if (world.is_trace_printed)
        printf("%8" PRIu64 ".%06" PRIu64 " %s\n", world.now_ns / SIM_MS, world.now_ns % SIM_MS,
               line);
}

void sim_trace_print(bool is_on)
{
    world.is_trace_printed = is_on;
}

uint64_t sim_trace_hash(void)
{
    return world.trace_hash;
}

/* ---- findings ---- */

void sim_fail(const char *check, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)fflush(stdout);
    (void)fprintf(stderr,
                  "FINDING %s: %s\n  seed %" PRIu64 ", at %" PRIu64 ".%06" PRIu64
                  " ms, operation %" PRIu64 "\n",
                  check, line, world.seed, world.now_ns / SIM_MS, world.now_ns % SIM_MS,
                  world.operation_count);
    sim_print_repeat_command();
    _exit(1); /* not exit(): what the run still has is no leak */
}

static const int fatal_signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM, SIGINT};
enum { FATAL_SIGNAL_COUNT = sizeof fatal_signals / sizeof fatal_signals[0] };
static struct sigaction former_actions[FATAL_SIGNAL_COUNT];

static void write_text(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

void sim_print_repeat_command(void)
{
    if (repeat_command[0] == '\0')
        return;
    write_text("  repeat with: ");
    write_text(repeat_command);
    write_text("\n");
}

/* Whoever handled the signal before (a sanitizer) does so after this: a fault comes again by
 * itself, the others are raised again. */
static void tell_and_die(int number)
{
    sim_print_repeat_command();
    for (uint32_t i = 0; i < FATAL_SIGNAL_COUNT; i++)
        if (fatal_signals[i] == number)
            (void)sigaction(number, &former_actions[i], NULL);
    if (number == SIGTERM || number == SIGINT || number == SIGABRT)
        (void)raise(number);
}

void sim_set_repeat_command(const char *command)
{
    static bool is_installed;
    (void)snprintf(repeat_command, sizeof repeat_command, "%s", command);
    if (is_installed)
        return;
    is_installed = true;
    struct sigaction action = {.sa_handler = tell_and_die, .sa_flags = SA_ONSTACK};
    for (uint32_t i = 0; i < FATAL_SIGNAL_COUNT; i++)
        (void)sigaction(fatal_signals[i], &action, &former_actions[i]);
#ifdef SIM_ADDRESS_SANITIZER
    __sanitizer_set_death_callback(sim_print_repeat_command); /* it ends without a signal */
#endif
}
