#ifndef HF_SIM_IO_SIM_H
#define HF_SIM_IO_SIM_H
/* io/io.h over the simulated disk, network and clocks. io_turn() never waits here: it notes until
 * when the core would, runs the `done` of what has completed by now, and returns. So whoever plays
 * the cores calls core_turn() when sim_io_ready_ns() says that the real io_turn() would have
 * returned, and a core that sleeps over its work is never turned again. */

#include "io/io.h"

/* When io_turn() of this io would return: now when something has completed, it was woken, or the
 * last io_turn() ran a `done`; else at its `wake_at_ns`, UINT64_MAX = never by itself. Completions
 * come with the world's events. */
uint64_t sim_io_ready_ns(const struct io *io);

/* Files, sockets and ios that are open: 0 after a clean stop, else the engine leaks. */
uint32_t sim_io_open_descriptors(void);
uint32_t sim_io_count(void);

/* The engine is gone with all its ios: forget them and what they have pending. */
void sim_io_crash(void);

#endif
