#ifndef HF_SIM_FLOOD_H
#define HF_SIM_FLOOD_H
/* Clients that ask far more at once than the others: hundreds of requests in one go, to fill what
 * is bounded inside the server (queues between cores, the room for replies). They only read, so the
 * history need not know of them; what is checked here is that each request has one answer, of its
 * own kind, whatever the answer says. */

#include "plan.h"

void flood_begin(const struct sim_plan *plan);
void flood_be_quiet_until(uint64_t until_ns);
void flood_finish(void);
bool flood_is_over(void);

/* Rows that were answered OVERLOADED. */
uint64_t flood_overloaded_count(void);

#endif
