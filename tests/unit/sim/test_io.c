/* Turns, wake-ups, chance, events and the trace of the simulated machine. */
#include "operation.h"

#include "disk.h"

#include <signal.h>
#include <string.h>

static _Alignas(4096) uint8_t block[4096];

/* ---- the turn ---- */

Test(turn, done_runs_in_the_turn_after_the_completion_and_makes_the_next_one_due_at_once)
{
    struct operation sync;
    sim_world_begin(1);
    struct io *io = io_started();
    int fd = io_file_open_now(io, "/f", IO_FILE_CREATE);
    io_turn(io, UINT64_MAX);
    cr_expect_eq(sim_io_ready_ns(io), UINT64_MAX);
    io_file_sync(io, operation_prepare(&sync), fd);
    io_turn(io, UINT64_MAX);
    cr_expect_eq(sim_io_ready_ns(io), UINT64_MAX);
    cr_assert(sim_run_event());
    cr_expect_gt(sim_now_ns(), 0);
    cr_expect_eq(sim_io_ready_ns(io), sim_now_ns());
    cr_expect_eq(sync.done_count, 0);
    io_turn(io, UINT64_MAX);
    cr_expect_eq(sync.done_count, 1);
    cr_expect_eq(sim_io_ready_ns(io), sim_now_ns());
    io_turn(io, UINT64_MAX);
    cr_expect_eq(sim_io_ready_ns(io), UINT64_MAX);
}

Test(turn, an_operation_begins_with_the_next_turn)
{
    struct operation sync;
    sim_world_begin(1);
    struct io *io = io_started();
    io_file_sync(io, operation_prepare(&sync), io_file_open_now(io, "/f", IO_FILE_CREATE));
    cr_expect_eq(sim_next_event_ns(), UINT64_MAX);
    io_turn(io, UINT64_MAX);
    cr_expect_neq(sim_next_event_ns(), UINT64_MAX);
}

Test(turn, it_is_due_when_its_time_has_come)
{
    sim_world_begin(1);
    struct io *io = io_started();
    cr_expect_eq(sim_io_ready_ns(io), 0);
    io_turn(io, 5000);
    cr_expect_eq(sim_io_ready_ns(io), 5000);
    sim_move_to(7000);
    cr_expect_eq(sim_io_ready_ns(io), 7000);
    cr_expect_eq(io_clock(io).monotonic_ns, 7000);
}

Test(turn, a_wake_up_leaves_with_the_next_turn_of_the_one_who_sends_it)
{
    sim_world_begin(1);
    struct io *from = io_started();
    struct io *to = io_started();
    io_turn(from, UINT64_MAX);
    io_turn(to, UINT64_MAX);
    io_wake(from, to);
    cr_expect_eq(sim_io_ready_ns(to), UINT64_MAX);
    io_turn(from, UINT64_MAX);
    cr_expect_eq(sim_io_ready_ns(to), 0);
    io_turn(to, UINT64_MAX);
    cr_expect_eq(sim_io_ready_ns(to), UINT64_MAX);
    io_wake(NULL, to);
    cr_expect_eq(sim_io_ready_ns(to), 0);
}

static void change_while_writing(void)
{
    struct operation write;
    sim_world_begin(1);
    struct io *io = io_started();
    int fd = io_file_open_now(io, "/f", IO_FILE_CREATE);
    io_file_write(io, operation_prepare(&write), fd, block, sizeof block, 0, true);
    io_turn(io, UINT64_MAX);
    block[1]++;
    sim_run_event();
}

Test(turn, a_buffer_that_is_changed_while_it_is_written_is_a_finding, .exit_code = 1)
{
    change_while_writing();
}

Test(descriptors, closing_twice_is_an_assertion, .signal = SIGABRT)
{
    sim_world_begin(1);
    struct io *io = io_started();
    int fd = io_file_open_now(io, "/f", IO_FILE_CREATE);
    io_close(io, fd);
    (void)io_file_open_now(io, "/g", IO_FILE_CREATE);
    io_close(io, fd);
}

Test(descriptors, a_direct_write_that_is_not_aligned_is_an_assertion, .signal = SIGABRT)
{
    struct operation write;
    sim_world_begin(1);
    struct io *io = io_started();
    int fd = io_file_open_now(io, "/f", IO_FILE_CREATE | IO_FILE_DIRECT);
    io_file_write(io, operation_prepare(&write), fd, block, 512, 0, true);
}

/* ---- events ---- */

static char order[16];

static void note(void *context, uint64_t argument)
{
    (void)context;
    order[strlen(order)] = (char)argument;
}

Test(events, they_come_in_order_of_time_and_then_of_asking)
{
    sim_world_begin(1);
    sim_at(30, note, NULL, 'd');
    sim_at(10, note, NULL, 'a');
    sim_at(20, note, NULL, 'b');
    sim_at(20, note, NULL, 'c');
    sim_at(40, note, NULL, 'e');
    cr_expect_eq(sim_next_event_ns(), 10);
    while (sim_run_event())
        continue;
    cr_expect_str_eq(order, "abcde");
    cr_expect_eq(sim_now_ns(), 40);
}

Test(events, many_come_in_order)
{
    sim_world_begin(3);
    for (int i = 0; i < 2000; i++)
        sim_at(sim_between(SIM_CHANCE_PLAN, 0, 500), note, NULL, 0);
    for (uint64_t last_ns = 0; sim_next_event_ns() != UINT64_MAX; last_ns = sim_now_ns()) {
        cr_assert_geq(sim_next_event_ns(), last_ns);
        sim_run_event();
    }
}

Test(events, the_wall_clock_steps_and_the_monotonic_clock_does_not)
{
    sim_world_begin(1);
    struct io *io = io_started();
    uint64_t wall_ns = io_clock(io).wall_ns;
    sim_wall_clock_step(-5000);
    cr_expect_eq(io_clock(io).wall_ns, wall_ns - 5000ull * SIM_MS);
    cr_expect_eq(io_clock(io).monotonic_ns, 0);
    sim_wall_clock_step(5001);
    cr_expect_eq(io_clock(io).wall_ns, wall_ns + SIM_MS);
}

/* ---- chance and trace ---- */

Test(chance, the_parts_draw_from_generators_of_their_own)
{
    sim_world_begin(8);
    uint64_t first = sim_between(SIM_CHANCE_DISK, 0, UINT64_MAX);
    sim_world_begin(8);
    (void)sim_between(SIM_CHANCE_NETWORK, 0, UINT64_MAX);
    cr_expect_eq(sim_between(SIM_CHANCE_DISK, 0, UINT64_MAX), first);
    sim_world_begin(9);
    cr_expect_neq(sim_between(SIM_CHANCE_DISK, 0, UINT64_MAX), first);
}

Test(chance, bounds_are_included)
{
    bool has_low = false;
    bool has_high = false;
    sim_world_begin(1);
    for (int i = 0; i < 200; i++) {
        uint64_t drawn = sim_between(SIM_CHANCE_PLAN, 4, 6);
        cr_assert(drawn >= 4 && drawn <= 6);
        has_low |= drawn == 4;
        has_high |= drawn == 6;
        cr_assert(sim_happens(SIM_CHANCE_PLAN, 1000));
        cr_assert_not(sim_happens(SIM_CHANCE_PLAN, 0));
    }
    cr_expect(has_low && has_high);
}

Test(trace, the_hash_depends_on_texts_and_times)
{
    sim_world_begin(1);
    sim_trace("one %d", 1);
    uint64_t hash = sim_trace_hash();
    sim_world_begin(2);
    sim_trace("one 1");
    cr_expect_eq(sim_trace_hash(), hash);
    sim_world_begin(1);
    sim_trace("one 2");
    cr_expect_neq(sim_trace_hash(), hash);
    sim_world_begin(1);
    sim_move_to(1);
    sim_trace("one 1");
    cr_expect_neq(sim_trace_hash(), hash);
}

/* ---- crashes ---- */

static struct io *crashing_io;

static void open_files(void *context)
{
    (void)context;
    (void)io_file_open_now(crashing_io, "/a", IO_FILE_CREATE);
    (void)io_file_open_now(crashing_io, "/b", IO_FILE_CREATE);
}

Test(crash, the_ordered_operation_has_no_effect_and_nothing_follows)
{
    sim_world_begin(1);
    crashing_io = io_started();
    uint64_t count_before = sim_operation_count();
    sim_crash_at_operation(2);
    cr_expect_not(sim_engine_run(open_files, NULL));
    cr_expect_eq(sim_operation_count(), count_before + 2);
    cr_expect_eq(sim_disk_size("/a"), 0);
    cr_expect_eq(sim_disk_size("/b"), -1);
    sim_disk_crash(SIM_CRASH_KILL);
    sim_io_crash();
    crashing_io = io_started();
    cr_expect_eq(sim_disk_size("/a"), 0);
    cr_expect_eq(sim_io_open_descriptors(), 0);
}
