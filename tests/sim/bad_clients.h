#ifndef HF_SIM_BAD_CLIENTS_H
#define HF_SIM_BAD_CLIENTS_H
/* Clients that do what the protocol forbids: bytes that are no frame, half a frame, columns of
 * wrong lengths, requests before Hello ... Each must hear the error that docs/protocol.md names,
 * and is closed or not, as it says there. That nothing was done, the history finds out: nobody has
 * asked for what a bad frame would do. */

#include "plan.h"

void bad_clients_begin(const struct sim_plan *plan);

/* No new mischief before this time. */
void bad_clients_be_quiet_until(uint64_t until_ns);

/* None from now on. */
void bad_clients_finish(void);
bool bad_clients_are_done(void);

/* Errors heard. */
uint64_t bad_clients_error_count(void);

#endif
