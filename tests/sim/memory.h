#ifndef HF_SIM_MEMORY_H
#define HF_SIM_MEMORY_H
/* The engine's memory: base/memory.h and the C heap, as used by engine code (while sim_engine_run()
 * runs), are counted, can be made to fail, and can be given back all at once after a crash. */

#include <stdbool.h>
#include <stdint.h>

/* The n-th allocation of the engine from now gives NULL; with `for_ever` all later ones too. 0:
 * none does any more. */
void sim_memory_fail_at(uint64_t n, bool for_ever);

/* Allocations of the engine since sim_world_begin(). */
uint64_t sim_memory_allocation_count(void);

/* Bytes and pieces that the engine has now: 0 after a clean stop, else it leaks. */
uint64_t sim_memory_used_bytes(void);

/* Gives everything back that the engine still has. After a crash, when nothing of it is used. */
void sim_memory_release(void);

#endif
